//! Publication: one writer shows its book to any number of readers, and waits for none of them.
//!
//! ```text
//! LocalBook ─► Publisher ─►  words of a Region  ─► Reader (another thread, another process)
//!                            ├ top        best bid and ask       one pair of cache lines
//!                            ├ depth      best N levels a side   words that changed
//!                            └ heartbeat
//! ```
//! Invariant: everything that a reader is given was published together, with the state of the
//! book in it; the accessors that do not say `last_known` give levels of a live book only.
//!
//! # Which one to read
//! [`Reader::top`] and [`Reader::depth`] are separate publications of the same message: either may
//! be one message ahead of the other for as long as it takes to store the levels. A change of
//! state is not: a reader that has been told by one that the book is not live is not told by the
//! other that it still is.
//!
//! # What is absent
//! Clocks (times are given), threads and waiting (callers poll [`Reader::version`]), and pointers:
//! a publication is words and indices, so that it may lie in memory of several processes.

mod depth;
mod layout;
mod publisher;
mod reader;
mod region;
mod seqlock;
mod status;
mod sync;
mod top;

pub use depth::Depth;
pub use layout::{Config, DEPTH_MAX, LAYOUT, LayoutError};
pub use publisher::Publisher;
pub use reader::{Copied, NotLive, ReadError, Reader};
pub use region::{Heap, Region};
pub use seqlock::{Busy, RETRIES_MAX};
pub use status::Status;
pub use sync::AtomicU64;
pub use top::Top;
