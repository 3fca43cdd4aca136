//! Recordings → records in receive order.
//!
//! A recording is bytes in one of five forms ([`input::Format`]); here it becomes
//! [`record::Record`]s (frames for a session) or, for Tardis CSV, events ready for a sequencer
//! ([`csv`]). The rooms follow the data's path: [`input`] finds files and tells their form,
//! [`container`] unpacks, [`lines`] splits, [`capture`], [`tardis_raw`], [`normalized`] and
//! [`csv`] read, [`merge`] puts several inputs into one order and [`pace`] says when each record
//! is due. [`capture::Writer`] writes what [`capture::Reader`] reads.
//!
//! One invariant holds everywhere: bytes never panic, memory is bounded by named constants, and
//! what cannot be read is an error or a count, never silence. No clock, no threads, no async.
#![forbid(unsafe_code)]
// No panic from bytes: what a machine can see of it.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod capture;
pub mod container;
pub mod csv;
pub mod driver;
pub mod error;
pub mod input;
pub mod lines;
pub mod lists;
pub mod merge;
pub mod normalized;
pub mod pace;
pub mod record;
pub mod tardis_raw;
pub mod time;

pub use error::ReplayError;
pub use record::{Record, RecordKind, Stats};
