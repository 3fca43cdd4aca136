//! The readers' end of a publication.

use super::changes::Changes;
use super::checkpoint::CheckpointWords;
use super::depth::{self, Depth};
use super::layout::{Config, Layout, LayoutError};
use super::region::Region;
use super::replica::Replica;
use super::ring::RingWords;
use super::seqlock::{self, Busy, get};
use super::status::Status;
use super::sync::{Ordering, Site, order};
use super::top::{self, Best, Top};
use crate::event::Level;
use crate::local::{Reason, State};

/// Reads one book's publication. Reading changes nothing in the region, holds nothing and can stop
/// at any point; a reader that dies costs the writer nothing.
///
/// Times are given by the caller, in ns of the clock that the writer is given. A writer whose last
/// sign of life is further from the caller's time than [`Config::writer_silent_ns`] is taken for
/// dead: its book is Stale, [`Reason::WriterSilent`], whatever state it left, unless it said that
/// it ends ([`Reason::Closed`]). Use a clone in each
/// thread, or share one: every method takes `&self`.
#[derive(Clone, Debug)]
pub struct Reader<R: Region> {
    region: R,
    layout: Layout,
    incarnation: u64,
}

/// Why there are no levels to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The book is not live.
    NotLive(NotLive),
    /// The writer was in the way at every try; its last sign of life is recent.
    Busy,
}

/// State of a book that is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLive {
    /// Never [`State::Live`].
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Time since the writer's last sign of life, ns; negative if the reader's clock is behind.
    pub age_ns: i64,
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Busy => Busy.fmt(f),
            Self::NotLive(NotLive { state, reason, age_ns }) => {
                let (state, reason) = (state.name(), reason.name());
                write!(f, "the book is {state} ({reason}), last seen {age_ns} ns ago")
            }
        }
    }
}

impl core::error::Error for ReadError {}

impl<R: Region> Reader<R> {
    /// A reader of the publication in a region.
    ///
    /// # Errors
    /// There is none, or not one of this layout, or it is larger than the region.
    pub fn attach(region: R) -> Result<Self, LayoutError> {
        let (layout, incarnation) = Layout::read(region.words())?;
        Ok(Self { region, layout, incarnation })
    }

    /// What its writer was created with.
    pub const fn config(&self) -> &Config {
        &self.layout.config
    }

    /// Tells this publication from others that had the same name.
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The memory that the publication lives in.
    pub const fn region(&self) -> &R {
        &self.region
    }

    /// The best bid and ask of a live book.
    ///
    /// # Errors
    /// The book is not live, its writer is silent, or the writer was in the way.
    #[inline]
    pub fn top(&self, now_ns: i64) -> Result<Top, ReadError> {
        let top = self.last_known_top().map_err(|Busy| self.held_up(now_ns))?;
        self.check_status(&top.status, now_ns)?;
        Ok(top)
    }

    /// As [`Reader::top`] without the stamps of receipt and of the venue: a reader on another core
    /// has it sooner, because it lies in one cache line. [`Reader::top_version`] says when to look.
    ///
    /// # Errors
    /// As [`Reader::top`].
    #[inline]
    pub fn best(&self, now_ns: i64) -> Result<Best, ReadError> {
        let best = self.last_known_best().map_err(|Busy| self.held_up(now_ns))?;
        self.check((best.state, best.reason), best.published_ns, now_ns)?;
        Ok(best)
    }

    /// The best `n` levels a side of a live book, or as many as there are or are published.
    ///
    /// Allocates the answer; [`Reader::copy_into`] uses an old one.
    ///
    /// # Errors
    /// As [`Reader::top`].
    pub fn depth(&self, n: usize, now_ns: i64) -> Result<Depth, ReadError> {
        let mut depth = Depth::with_capacity(n.min(self.config().depth));
        self.copy_into(&mut depth, n, now_ns)?;
        Ok(depth)
    }

    /// As [`Reader::depth`], into an old answer whose memory is used again. After an error its
    /// content is unspecified.
    ///
    /// # Errors
    /// As [`Reader::top`].
    pub fn copy_into(&self, depth: &mut Depth, n: usize, now_ns: i64) -> Result<(), ReadError> {
        self.last_known_into(depth, n).map_err(|Busy| self.held_up(now_ns))?;
        self.check_status(&depth.status, now_ns)
    }

    /// As [`Reader::depth`], into slices: their lengths say how many levels are wanted.
    ///
    /// # Errors
    /// As [`Reader::top`].
    #[inline]
    pub fn levels_into(
        &self,
        bids: &mut [Level],
        asks: &mut [Level],
        now_ns: i64,
    ) -> Result<Copied, ReadError> {
        let copied = self.last_known_levels_into(bids, asks).map_err(|Busy| self.held_up(now_ns));
        let copied = copied?;
        self.check_status(&copied.status, now_ns)?;
        Ok(copied)
    }

    /// The best bid and ask as last published, whatever the state beside them.
    ///
    /// A dead writer does not show here: see [`Reader::age_ns`].
    ///
    /// # Errors
    /// The writer was in the way, or died in the middle of a write.
    #[inline]
    pub fn last_known_top(&self) -> Result<Top, Busy> {
        top::read(Layout::top(self.region.words()).ok_or(Busy)?)
    }

    /// As [`Reader::last_known_top`], in one cache line.
    ///
    /// # Errors
    /// As [`Reader::last_known_top`].
    #[inline]
    pub fn last_known_best(&self) -> Result<Best, Busy> {
        top::read_best(Layout::top(self.region.words()).ok_or(Busy)?)
    }

    /// The best `n` levels a side as last published, whatever the state beside them.
    ///
    /// # Errors
    /// As [`Reader::last_known_top`].
    pub fn last_known_depth(&self, n: usize) -> Result<Depth, Busy> {
        let mut depth = Depth::with_capacity(n.min(self.config().depth));
        self.last_known_into(&mut depth, n)?;
        Ok(depth)
    }

    /// As [`Reader::last_known_depth`], into an old answer.
    ///
    /// # Errors
    /// As [`Reader::last_known_top`].
    pub fn last_known_into(&self, depth: &mut Depth, n: usize) -> Result<(), Busy> {
        let n = n.min(self.config().depth);
        depth.bids.resize(n, Level::default());
        depth.asks.resize(n, Level::default());
        let copied = self.last_known_levels_into(&mut depth.bids, &mut depth.asks)?;
        depth.bids.truncate(copied.bids);
        depth.asks.truncate(copied.asks);
        depth.status = copied.status;
        Ok(())
    }

    /// As [`Reader::last_known_depth`], into slices: their lengths say how many levels are wanted.
    ///
    /// # Errors
    /// As [`Reader::last_known_top`].
    #[inline]
    pub fn last_known_levels_into(
        &self,
        bids: &mut [Level],
        asks: &mut [Level],
    ) -> Result<Copied, Busy> {
        let words = self.layout.depth(self.region.words()).ok_or(Busy)?;
        let (status, bids, asks) = depth::read(words, bids, asks)?;
        Ok(Copied { status, bids, asks })
    }

    /// Follows every change of levels and state from now on.
    ///
    /// Gives nothing if the publication was made without a log ([`Config::ring`]).
    pub fn changes(&self) -> Changes<R>
    where
        R: Clone,
    {
        Changes::from_now(self.clone())
    }

    /// A copy of the whole book that can be kept up to date; empty until it is refreshed.
    pub fn replica(&self) -> Replica<R>
    where
        R: Clone,
    {
        Replica::new(self.clone())
    }

    /// Changes with every publication; what a waiting reader polls.
    ///
    /// It changes last: whoever has seen it change finds that publication or a later one in the
    /// top, the depth, the log and the whole book. Nothing else may be concluded from it.
    #[inline]
    pub fn version(&self) -> u64 {
        let version = Layout::version(self.region.words());
        // Pairs with the store that ends a publication: who sees it change sees the change.
        version.map_or(0, |word| word.load(order(Site::VersionRead, Ordering::Acquire)))
    }

    /// Changes with every publication of the best bid and ask, once they can be read: what a reader
    /// polls that acts on nothing else. It lies in their own line, so that such a reader has them
    /// sooner than by [`Reader::version`]; depth, log and whole book may still be of before.
    #[inline]
    pub fn top_version(&self) -> u64 {
        Layout::top(self.region.words()).map_or(0, |[lock, ..]| seqlock::edition(lock))
    }

    /// Time since the writer's last sign of life, ns: what it published or its heartbeat.
    pub fn age_ns(&self, now_ns: i64) -> i64 {
        let words = self.region.words();
        let published = Layout::top(words).map_or(i64::MIN, top::published_ns);
        let beat = Layout::beat(words).map_or(i64::MIN, |beat| get(beat) as i64);
        // Each word was stored at some time by the writer, so that the later one is a sign of
        // life even if a write that it is part of has not ended.
        now_ns.saturating_sub(published.max(beat))
    }

    #[inline]
    pub(super) fn ring(&self) -> Option<RingWords<'_>> {
        self.layout.ring(self.region.words())
    }

    pub(super) fn checkpoints(&self) -> Option<CheckpointWords<'_>> {
        self.layout.checkpoints(self.region.words())
    }

    /// The error of a status that is not live.
    pub(super) fn not_live(&self, status: &Status, now_ns: i64) -> ReadError {
        let Status { state, reason, .. } = *status;
        ReadError::NotLive(NotLive { state, reason, age_ns: self.age_ns(now_ns) })
    }

    /// What keeps levels of that state, published then, from being acted on.
    #[inline]
    fn check(
        &self,
        state: (State, Reason),
        published_ns: i64,
        now_ns: i64,
    ) -> Result<(), ReadError> {
        let is_silent = self.is_silent(now_ns.saturating_sub(published_ns));
        if !is_silent && state.0 == State::Live {
            return Ok(());
        }
        self.explain(state, now_ns)
    }

    /// Whether a sign of life of that age is none. One from the future is of another clock, that of
    /// a boot before this one: its writer may be long dead.
    #[inline]
    fn is_silent(&self, age_ns: i64) -> bool {
        age_ns.unsigned_abs() > self.config().writer_silent_ns.unsigned_abs()
    }

    #[inline]
    fn check_status(&self, status: &Status, now_ns: i64) -> Result<(), ReadError> {
        self.check((status.state, status.reason), status.published_ns, now_ns)
    }

    #[cold]
    fn explain(&self, (state, reason): (State, Reason), now_ns: i64) -> Result<(), ReadError> {
        let age_ns = self.age_ns(now_ns);
        let (state, reason) = match (state, self.is_silent(age_ns)) {
            (State::Live, false) => return Ok(()),
            // A writer that said that it ends is not asked for signs of life.
            (_, true) if reason != Reason::Closed => (State::Stale, Reason::WriterSilent),
            (state, _) => (state, reason),
        };
        Err(ReadError::NotLive(NotLive { state, reason, age_ns }))
    }

    /// A writer that is in the way for ever has died there.
    #[cold]
    fn held_up(&self, now_ns: i64) -> ReadError {
        let age_ns = self.age_ns(now_ns);
        if !self.is_silent(age_ns) {
            return ReadError::Busy;
        }
        let (state, reason) = (State::Stale, Reason::WriterSilent);
        ReadError::NotLive(NotLive { state, reason, age_ns })
    }
}

/// What was copied into slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What may be thought of the levels.
    pub status: Status,
    /// Bids at the front of their slice.
    pub bids: usize,
    /// Asks at the front of theirs.
    pub asks: usize,
}
