//! Publication: one writer shows its book to any number of readers, and waits for none of them.
//!
//! ```text
//! LocalBook ─► Publisher ─►  words of a Region  ─► Reader (another thread, another process)
//!                            ├ top        best bid and ask       one pair of cache lines
//!                            ├ heartbeat
//!                            ├ depth      best N levels a side   words that changed
//!                            ├ log        every change           a ring that overtakes the slow
//!                            └ checkpoints  the whole book       from which the log is followed
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
//! [`Reader::changes`] gives every change once, or says that some were missed; [`Reader::replica`]
//! is the whole book, kept up to date from the same log.
//!
//! # What is absent
//! Clocks (times are given), threads and waiting (callers poll [`Reader::version`]), and pointers:
//! a publication is words and indices, so that it may lie in memory of several processes.

mod changes;
mod checkpoint;
mod consolidated;
mod depth;
mod history;
mod layout;
#[cfg(all(loom, test))]
mod models;
mod publisher;
mod reader;
mod records;
mod region;
mod replica;
mod ring;
mod seqlock;
mod status;
mod sync;
mod top;
mod view;

pub use changes::{ChangeKind, ChangeSet, Changes, Lapped};
pub use consolidated::{Consolidated, Exclusion, OtherQuote, Tagged, Unit};
pub use depth::Depth;
pub use layout::{Config, DEPTH_MAX, LAYOUT, LayoutError, RING_MAX, RING_MIN};
pub use publisher::Publisher;
pub use reader::{Copied, NotLive, ReadError, Reader};
pub use records::{
    Bell, Latest, LatestReader, LatestWriter, Missed, RECORD_WORDS, RECORDS_MAX, Record,
    RecordReader, RecordWriter, latest, records,
};
pub use region::{Heap, Region};
pub use replica::{FullDepth, RefreshError, Replica};
pub use seqlock::{Busy, RETRIES_MAX};
pub use status::Status;
pub use sync::AtomicU64;
pub use top::{Best, Top};
pub use view::{Fill, Imbalance, View};
