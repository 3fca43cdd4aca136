//! The engine of gapless: decimals, events, sequencing and books. No I/O, no clock, no threads.
#![no_std]
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
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod book;
pub mod checksum;
mod counters;
pub mod decimal;
pub mod event;
pub mod held;
pub mod lines;
pub mod local;
pub mod publish;
pub mod sequence;
