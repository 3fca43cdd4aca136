//! What a C program passes and gets: plain data, laid out as C lays it out.
#![allow(non_camel_case_types)] // These are C's names.

use gapless::book::event::{Level, NO_TIME};
use gapless::book::local::State;
use gapless::book::publish::{ChangeKind, Copied, Status, Top};
use std::ffi::c_char;

/// What a call came to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_status {
    /// Done.
    Ok = 0,
    /// A pointer that must point somewhere is null or not aligned.
    InvalidPointer = 1,
    /// A text is not UTF-8, or longer than any text may be.
    InvalidText = 2,
    /// The engine's text cannot be read; gapless_last_error() says where.
    InvalidConfig = 3,
    /// The handle was freed, is of another kind, or was never given out.
    InvalidHandle = 4,
    /// The engine cannot start; gapless_last_error() says why.
    Engine = 5,
    /// No book of this name has appeared.
    NoSuchBook = 6,
    /// Several books have this name; gapless_last_error() lists the names that mean one.
    AmbiguousBook = 7,
    /// The book is not live: gapless_reader_state() says why.
    NotLive = 8,
    /// The writer was in the way at every try; try again.
    Busy = 9,
    /// Nothing was published within the time given.
    TimedOut = 10,
    /// A buffer is too small; nothing was written to it.
    TooSmall = 11,
    /// More handles than there can be.
    TooManyHandles = 12,
    /// A number is none of those that are allowed.
    InvalidArgument = 13,
    /// A fault inside gapless; gapless_last_error() has its words. The process is intact.
    Internal = 14,
    /// Nothing has changed since the last look.
    NothingNew = 15,
    /// The writer has overtaken this reader: changes were missed.
    Lapped = 16,
    /// The book is published without its changes and whole depth.
    NotPublished = 17,
    /// The book holds more levels than its publication has room for.
    TooDeep = 18,
    /// A folder or file of shared memory cannot be used; gapless_last_error() says why.
    SharedMemory = 19,
    /// Nothing more comes: the engine was stopped, or has read everything.
    Ended = 20,
    /// The receiver was too slow and is given nothing more.
    TooSlow = 21,
    /// Nothing is timed: gapless_engine_measure() was not called.
    NotMeasured = 22,
}

/// State of a book.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_state {
    /// The book is the venue's.
    Live = 0,
    /// No snapshot yet, or a gap that is not healed.
    Syncing = 1,
    /// Silent or late, or its writer is gone.
    Stale = 2,
    /// Needs a person or another configuration.
    Failed = 3,
}

/// Sources, threads and books. Free it with gapless_engine_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_engine {
    /// 0 is never given out.
    pub id: u64,
}

/// Reads one book, from any thread, also after its engine was freed. Free it with
/// gapless_reader_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_reader {
    /// 0 is never given out.
    pub id: u64,
}

/// Follows the changes of one book. Free it with gapless_changes_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_changes {
    /// 0 is never given out.
    pub id: u64,
}

/// A copy of one whole book, brought up to date when asked. Free it with gapless_replica_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_replica {
    /// 0 is never given out.
    pub id: u64,
}

/// A subscription to events of an engine. Free it with gapless_events_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_events {
    /// 0 is never given out.
    pub id: u64,
}

/// What a subscription was given and was not.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_event_counts {
    /// Events that it was given.
    pub received: u64,
    /// Events that it lost.
    pub missed: u64,
    /// Events that later ones of the same name and topic replaced.
    pub replaced: u64,
}

/// A price with what stands there; value = number / 10^scale, scales in gapless_standing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_level {
    /// In units of 10^-price_scale.
    pub price: i64,
    /// In units of 10^-size_scale.
    pub size: i64,
}

/// What may be thought of levels, and which message they stand after.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_standing {
    /// The venue's number of the last message; INT64_MIN where there is none.
    pub seq: i64,
    /// When the venue published it, ns since 1970; INT64_MIN if it does not say.
    pub venue_ns: i64,
    /// When it was received, ns since 1970; INT64_MIN if unknown.
    pub recv_ns: i64,
    /// When it was published here, ns of the machine's monotonic clock.
    pub published_ns: i64,
    /// Counts the snapshots that replaced the book.
    pub epoch: u32,
    /// A gapless_state.
    pub state: u8,
    /// Why it is not live; gapless_reason_name() has its name.
    pub reason: u8,
    /// Decimals of prices.
    pub price_scale: u8,
    /// Decimals of sizes.
    pub size_scale: u8,
}

/// Best bid and ask.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_top {
    /// What may be thought of them.
    pub standing: gapless_standing,
    /// Highest bid; size 0 if there is no bid.
    pub bid: gapless_level,
    /// Lowest ask; size 0 if there is no ask.
    pub ask: gapless_level,
}

/// How many levels were copied, and what may be thought of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_depth {
    /// What may be thought of them.
    pub standing: gapless_standing,
    /// Bids copied, best first.
    pub bids: usize,
    /// Asks copied, best first.
    pub asks: usize,
}

/// What a change of a book does.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_change_kind {
    /// Some levels changed, or none and only the standing did.
    Delta = 0,
    /// Levels of before are void; these are all.
    Reset = 1,
    /// Levels of before are void, and the new ones are too many to be given: who follows levels
    /// brings a gapless_replica up to date.
    Resync = 2,
}

/// What one publication changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_change {
    /// What may be thought of the book from here on.
    pub standing: gapless_standing,
    /// Bids that changed, with their new sizes; size 0: gone.
    pub bids: usize,
    /// Asks that changed.
    pub asks: usize,
    /// A gapless_change_kind.
    pub kind: u8,
}

/// A publication in shared memory. Texts end with a zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct gapless_region {
    /// A gapless_status: GAPLESS_STATUS_OK, or GAPLESS_STATUS_SHARED_MEMORY if the file is not a
    /// publication of this user and this version; then only its name is known.
    pub status: i32,
    /// The process that writes it; 0 if unknown.
    pub pid: u32,
    /// 1: that process lives; 0: it has ended; -1: it cannot be seen from here.
    pub alive: i32,
    /// Name of the file in its folder.
    pub file: [c_char; 260],
    /// Name of the engine.
    pub engine: [c_char; 72],
    /// `VENUE[.MARKET]:SYMBOL`.
    pub name: [c_char; 264],
    /// Channel without the symbol.
    pub channel: [c_char; 72],
    /// Wall clock when it was made, ns since 1970.
    pub created_ns: i64,
}

const _: () = assert!(size_of::<gapless_standing>() == 40 && align_of::<gapless_standing>() == 8);
const _: () = assert!(size_of::<gapless_top>() == 72 && size_of::<gapless_level>() == 16);
const _: () = assert!(size_of::<gapless_depth>() == 40 + 2 * size_of::<usize>());
const _: () = assert!(size_of::<gapless_change>() == 48 + 2 * size_of::<usize>());
const _: () = assert!(size_of::<gapless_region>() == 688);

impl From<State> for gapless_state {
    fn from(state: State) -> Self {
        match state {
            State::Live => Self::Live,
            State::Syncing => Self::Syncing,
            State::Stale => Self::Stale,
            State::Failed => Self::Failed,
        }
    }
}

impl From<&Status> for gapless_standing {
    fn from(status: &Status) -> Self {
        let time = |ns: i64| if ns == NO_TIME { i64::MIN } else { ns };
        Self {
            seq: status.seq.unwrap_or(i64::MIN),
            venue_ns: time(status.venue_ns),
            recv_ns: time(status.recv_ns),
            published_ns: status.published_ns,
            epoch: status.epoch,
            state: gapless_state::from(status.state) as u8,
            reason: status.reason as u8,
            price_scale: status.scales.price,
            size_scale: status.scales.qty,
        }
    }
}

impl From<Level> for gapless_level {
    fn from(level: Level) -> Self {
        Self { price: level.price, size: level.qty }
    }
}

impl From<&Top> for gapless_top {
    fn from(top: &Top) -> Self {
        let level = |level: Option<Level>| level.map(Into::into).unwrap_or_default();
        Self { standing: (&top.status).into(), bid: level(top.bid), ask: level(top.ask) }
    }
}

impl From<&Copied> for gapless_depth {
    fn from(copied: &Copied) -> Self {
        Self { standing: (&copied.status).into(), bids: copied.bids, asks: copied.asks }
    }
}

impl From<ChangeKind> for gapless_change_kind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Delta => Self::Delta,
            ChangeKind::Reset => Self::Reset,
            ChangeKind::Resync => Self::Resync,
        }
    }
}
