//! Capture v1: the recording format that gapless writes and reads.
//!
//! A line is `recv_ns TAB kind TAB source TAB payload LF`; a file is such lines, plain or as zstd
//! frames one after the other. The reader gives every whole line in file order and reports what a
//! torn end lost; the writer refuses what the format cannot hold, so that whatever was written
//! reads back byte for byte.

mod base64;
mod reader;
mod writer;

pub use reader::{Meta, Reader};
pub use writer::{RefusedRecord, WriteError, Writer};

/// Version of the format written, and the newest one read.
pub const VERSION: i64 = 1;
