//! Simulated exchanges: the market, each venue's dialect, and the truth to compare with.
//!
//! ```text
//!   seed ─▶ Market ─ Activity ─▶ Dialect ─ Frame ─▶ Recording ─▶ samples
//!              │                  │
//!              ▼                  ▼
//!        Symbol.truth       Dialect::image: what a correct client must hold
//!
//!   seed ─▶ Market ─▶ Exchange ◀─▶ clients: sockets and requests without a network
//!                        └─▶ the truth at every sequence
//! ```
//!
//! A recording is one client's view, written once; an [`exchange`] answers any number of clients
//! for as long as they like, and goes wrong where asked.
//!
//! All but `net` is sans-I/O and runs in virtual time: no clock, no threads, no sockets, and no
//! chance but [`rng::Rng`]. The same seed gives the same bytes on every machine.
#![forbid(unsafe_code)]

pub mod book;
pub mod dialect;
pub mod exchange;
pub mod market;
#[cfg(feature = "net")]
pub mod net;
pub mod number;
pub mod profile;
pub mod recording;
pub mod rng;
pub mod samples;
