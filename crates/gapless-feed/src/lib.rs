//! Live feeds: what to connect, subscribe, fetch and give up, and the sockets that do it.
//!
//! ```text
//!            opened, frame, closed, answer, tick
//!  sockets ───────────────────────────────────────▶ Feed ──▶ Session ──▶ Watcher (books, events)
//!     ▲                                              │
//!     └──────── Connect, Send, Ping, Close, Fetch ───┘
//! ```
//!
//! [`Feed`] decides everything and does nothing: it has no socket, no clock and no randomness but
//! a seed, so that a session of hours is replayed in milliseconds and from its seed exactly.
//!
//! Invariants: a connection has at most one attempt under way; what comes from an attempt that has
//! ended is dropped; no request passes a budget, on the first connect or on any later one.
#![forbid(unsafe_code)]
// No panic from what a peer sends: what a machine can see of it.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod backoff;
pub mod budget;
pub mod command;
mod connection;
pub mod feed;
mod fetches;
pub mod gate;
mod lag;
pub mod lists;
pub mod net;
pub mod quarantine;
pub mod rng;
pub mod source;
mod tap;

pub use command::{Command, ConnId, FetchId, Why};
pub use feed::Feed;
pub use gate::{Gate, SharedGate};
pub use source::{LineConfig, SourceConfig, TopicConfig};
