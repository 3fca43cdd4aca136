//! Wire bytes → events, without I/O.
#![deny(unsafe_code)]
// No panic from bytes: what a machine can see of it.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod attribution;
mod batch;
pub mod binance;
pub mod books;
pub mod bybit;
pub mod claim;
pub mod deribit;
mod envelope;
pub mod instruments;
#[allow(unsafe_code)] // Vector instructions, and loads that a type proves to be padded.
pub mod kernel;
mod layout;
mod learned;
pub mod live;
pub mod machine;
pub mod okx;
pub mod registry;
pub mod relay;
pub mod scan;
pub mod scratch;
#[cfg(test)]
mod seen;
pub mod session;
mod swar;
pub mod tardis;
pub mod template;
pub mod templates;
pub mod time;
pub mod url;
pub mod venue;
pub mod wire;
