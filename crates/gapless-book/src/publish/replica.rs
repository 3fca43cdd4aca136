//! The whole book on a reader's side, kept up with the log of changes.

use super::changes::{ChangeKind, ChangeSet, read_record};
use super::checkpoint;
use super::reader::{NotLive, ReadError, Reader};
use super::region::Region;
use super::ring;
use super::seqlock::Busy;
use super::status::Status;
use crate::book::Levels;
use crate::event::{Level, Side};
use crate::local::State;
use alloc::vec::Vec;

/// Times that a refresh begins anew before it gives up for now.
const TRIES_MAX: u32 = 4;

/// A copy of the whole book, brought up to date when asked.
///
/// Bringing it up to date costs what changed since the last time; beginning, and after having been
/// lapped, what the book holds. The writer never waits for it and is not slowed by it: both read
/// different memory than the book that the writer works on. It belongs to one thread at a time.
#[derive(Clone, Debug)]
pub struct Replica<R: Region> {
    reader: Reader<R>,
    bids: Levels,
    asks: Levels,
    status: Status,
    /// Place in the log up to which the levels are known; `None`: they are not.
    place: Option<u64>,
    /// A side outgrew what the publication has room for.
    is_cut: bool,
    record: ChangeSet,
    copied: (Vec<Level>, Vec<Level>),
    renewals: u64,
}

/// Why a replica could not be brought up to date, or gives no live book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshError {
    /// The book is not live: of [`Replica::live`] alone, a refresh gives books of any state.
    NotLive(NotLive),
    /// The writer was faster at every try, or there was no refresh yet; refresh again later.
    Busy,
    /// The book holds more levels than the publication has room for.
    TooDeep,
    /// The publication was made without changes and full depth.
    NotPublished,
}

impl core::fmt::Display for RefreshError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotLive(found) => return ReadError::NotLive(*found).fmt(f),
            Self::Busy => "the writer was faster at every try",
            Self::TooDeep => "the book holds more levels than the publication has room for",
            Self::NotPublished => "the publication has no full depth",
        })
    }
}

impl core::error::Error for RefreshError {}

impl From<ReadError> for RefreshError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotLive(found) => Self::NotLive(found),
            ReadError::Busy => Self::Busy,
        }
    }
}

/// The whole book, with what may be thought of it.
#[derive(Clone, Copy, Debug)]
pub struct FullDepth<'a> {
    /// What may be thought of the levels.
    pub status: &'a Status,
    /// All bids.
    pub bids: &'a Levels,
    /// All asks.
    pub asks: &'a Levels,
}

impl<R: Region> Replica<R> {
    pub(super) fn new(reader: Reader<R>) -> Self {
        Self {
            reader,
            bids: Levels::new(Side::Bid),
            asks: Levels::new(Side::Ask),
            status: Status::new(0),
            place: None,
            is_cut: false,
            record: ChangeSet::default(),
            copied: (Vec::new(), Vec::new()),
            renewals: 0,
        }
    }

    /// Brings the levels to where the log ends now, and says how many publications that took.
    ///
    /// # Errors
    /// It could not; levels and status are then those of some earlier publication, or, if
    /// [`Replica::last_known`] gives none, of no one publication.
    pub fn refresh(&mut self) -> Result<u64, RefreshError> {
        for _ in 0..TRIES_MAX {
            if (self.place.is_none() || self.is_cut) && self.take_copy().is_err() {
                continue;
            }
            // Looked at after the copy, which may have levels from after its place: only where
            // the log ends now, or later, does it become the book of one moment.
            let end = self.reader.ring().map(ring::tail).ok_or(RefreshError::NotPublished)?;
            if let Some(count) = self.follow(end) {
                return if self.is_cut { Err(RefreshError::TooDeep) } else { Ok(count) };
            }
            self.place = None;
            self.renewals += 1;
        }
        let published = self.reader.ring().is_some();
        Err(if published { RefreshError::Busy } else { RefreshError::NotPublished })
    }

    /// The whole book as of the last refresh, if it and the publication are live now.
    ///
    /// # Errors
    /// As [`Reader::top`] and [`Replica::refresh`]; only another refresh can change the latter.
    pub fn live(&self, now_ns: i64) -> Result<FullDepth<'_>, RefreshError> {
        // A reader that the top has told of a gap must not be told by an older log that it is live.
        self.reader.top(now_ns)?;
        let known = self.last_known().ok_or_else(|| self.unknown())?;
        if known.status.state == State::Live {
            return Ok(known);
        }
        Err(self.reader.not_live(known.status, now_ns).into())
    }

    /// The whole book as of the last refresh, whatever its state; `None` before the first that
    /// succeeded, and after one that found no consistent copy.
    #[must_use]
    pub fn last_known(&self) -> Option<FullDepth<'_>> {
        self.place.filter(|_| !self.is_cut)?;
        Some(FullDepth { status: &self.status, bids: &self.bids, asks: &self.asks })
    }

    /// Why there is no book as of the last refresh.
    #[cold]
    fn unknown(&self) -> RefreshError {
        if self.reader.ring().is_none() {
            return RefreshError::NotPublished;
        }
        let is_cut = self.place.is_some() && self.is_cut;
        if is_cut { RefreshError::TooDeep } else { RefreshError::Busy }
    }

    /// How often it had to begin anew: the writer overtook it, or said that it must.
    #[must_use]
    pub const fn renewals(&self) -> u64 {
        self.renewals
    }

    /// Follows the log up to `end`; `None` if it must begin with a copy.
    fn follow(&mut self, end: u64) -> Option<u64> {
        let mut place = self.place?;
        let mut count = 0;
        while place != end {
            let words = self.reader.ring()?;
            place = read_record(words, place, end, &mut self.record).ok()?;
            self.is_cut &= self.record.kind == ChangeKind::Delta;
            apply(&self.record, &mut self.bids, &mut self.asks)?;
            self.status = self.record.status;
            self.place = Some(place);
            count += 1;
        }
        Some(count)
    }

    /// Begins anew from the writer's last complete copy.
    fn take_copy(&mut self) -> Result<(), Busy> {
        let words = self.reader.checkpoints().ok_or(Busy)?;
        let (bids, asks) = &mut self.copied;
        let copied = checkpoint::read(words, bids, asks)?;
        self.bids.clear();
        self.asks.clear();
        bids.iter().for_each(|level| _ = self.bids.set(level.price, level.qty));
        asks.iter().for_each(|level| _ = self.asks.set(level.price, level.qty));
        (self.place, self.is_cut) = (Some(copied.place), copied.is_cut);
        Ok(())
    }
}

/// Lays a record over the levels; `None` if it says that a copy must be taken.
fn apply(record: &ChangeSet, bids: &mut Levels, asks: &mut Levels) -> Option<()> {
    match record.kind {
        ChangeKind::Delta => {}
        ChangeKind::Reset => {
            bids.clear();
            asks.clear();
        }
        ChangeKind::Resync => return None,
    }
    record.bids.iter().for_each(|level| _ = bids.set(level.price, level.qty));
    record.asks.iter().for_each(|level| _ = asks.set(level.price, level.qty));
    Some(())
}
