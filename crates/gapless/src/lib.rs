//! Local order books that are exactly the exchange's book, or say that they are not.
//!
//! This crate is what programs link: replay of recordings into books, with a state on every book
//! that never lies, an engine that publishes them to other threads and processes, and latency per
//! stage. Everything below it can be used on its own:
//! [`book`] (decimals, events, sequencing, books), [`venues`] (wire formats and sessions),
//! [`replay`] (recordings).
//!
//! ```no_run
//! let mut replay = gapless::Replay::open(["samples/"])?;
//! replay.run(&mut ())?;
//! for book in replay.books() {
//!     println!("{} is {}", book.name(), book.state().name());
//!     if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
//!         println!("{} x {} | {} x {}", bid.0, bid.1, ask.0, ask.1);
//!     }
//! }
//! # Ok::<(), gapless::Error>(())
//! ```
//!
//! An [`Engine`] does that on threads of its own, and books are read while they change:
//!
//! ```no_run
//! use gapless::{Engine, Source};
//! use std::time::Duration;
//!
//! let engine = Engine::builder().source(Source::replay(["samples/"])).start()?;
//! let book = engine.wait_for("okx:BTC-USDT-SWAP", Duration::from_secs(1))?;
//! match book.top() {
//!     Ok(top) => println!("{:?} | {:?}", top.bid, top.ask),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok::<(), gapless::EngineError>(())
//! ```
#![deny(unsafe_code)]

pub use gapless_book as book;
pub use gapless_feed as feed;
pub use gapless_replay as replay;
pub use gapless_venues as venues;

pub mod clock;
pub mod config;
pub mod convert;
pub mod engine;
pub mod events;
mod frames;
pub mod latency;
pub mod live;
mod reader;
#[cfg(unix)]
pub mod record;
mod report;
mod run;
mod runtime;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "maps files: the kernel is asked, and its answer is memory")]
pub mod shm;
mod sync;

pub use engine::{Engine, EngineError, Interest, Received, Slow, Source, Subscription};
pub use events::Topic;
pub use frames::{Applied, FrameBook};
pub use gapless_replay::ReplayError as Error;
pub use live::{Key, LiveConfig};
pub use reader::{BookReader, Memory, Wait};
pub use report::{BookReport, OwnedReport, book_sha256};
pub use run::{Choices, Place, Replay, Stopped};
