//! The best N levels of both sides with their status, written by difference.
//!
//! The writer keeps the levels that it shows and stores only what differs: a message that changes
//! one size touches one line of levels, and a reader of five levels reads three lines. A new size
//! is put where the old one was; where levels come or go, or a message changes many, the best are
//! looked up in the book. (Moving levels up and down instead, as they come and go, was tried: its
//! mispredicted branches cost more than the walk.)

use super::layout::DepthWords;
use super::seqlock::{self, Busy, Lock, get, put};
use super::status::{self, Status, StatusWords};
use super::sync::AtomicU64;
use super::view::View;
use crate::book::{Book, Change, Levels};
use crate::event::{Level, Side};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The best levels of both sides with their status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// What may be thought of the levels.
    pub status: Status,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

impl Depth {
    /// No levels, with room for `n` a side, so that copying up to `n` allocates nothing.
    #[must_use]
    pub fn with_capacity(n: usize) -> Self {
        let side = || Vec::with_capacity(n);
        Self { status: Status::new(0), bids: side(), asks: side() }
    }

    /// What traders ask of these levels.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bids: &self.bids, asks: &self.asks }
    }
}

/// The writer's side.
#[derive(Debug)]
pub(super) struct DepthWriter {
    lock: Lock,
    bids: SideWriter,
    asks: SideWriter,
}

impl DepthWriter {
    pub(super) fn new(depth: usize) -> Self {
        let side = |side| SideWriter::new(depth, side);
        Self { lock: Lock::default(), bids: side(Side::Bid), asks: side(Side::Ask) }
    }

    /// A level was named by a message.
    #[inline(always)]
    pub(super) fn named(&mut self, side: Side, level: Level, change: Change) {
        // Most are behind what is shown, and cost no more than to see that.
        match side {
            Side::Bid if level.price >= self.bids.horizon => self.bids.named(level, change),
            Side::Ask if level.price <= self.asks.horizon => self.asks.named(level, change),
            _ => {}
        }
    }

    /// Any level may have changed.
    pub(super) fn all_changed(&mut self) {
        self.bids.lose();
        self.asks.lose();
    }

    /// Looks up what is to be shown of the book.
    #[inline(always)]
    pub(super) fn find(&mut self, book: &Book) {
        self.bids.find(book.side(Side::Bid));
        self.asks.find(book.side(Side::Ask));
    }

    /// Holds readers back until the next [`DepthWriter::store`].
    #[inline(always)]
    pub(super) fn hold(&self, words: DepthWords<'_>) {
        let [lock, ..] = words.head;
        self.lock.open(lock);
    }

    /// Replaces what is shown: by what was found, or only the status, if the levels that changed
    /// since the last time belong to a message that is not published. The first word of the status
    /// is stored only if it is another than before.
    #[inline(always)]
    pub(super) fn store(
        &mut self,
        words: DepthWords<'_>,
        status: &StatusWords,
        (has_turned, has_levels): (bool, bool),
    ) {
        let [lock, standing, seq, recv, venue, published, counts, _] = words.head;
        self.lock.open(lock);
        status::put_words([standing, seq, recv, venue, published], status, has_turned);
        if has_levels {
            self.bids.store(words.bids);
            self.asks.store(words.asks);
            put(counts, self.bids.len as u64 | (self.asks.len as u64) << 32);
        }
        self.lock.close(lock);
    }
}

/// Edits of a side after which finding its levels anew costs no more.
const EDITS_MAX: u32 = 4;

/// One side as its writer knows it.
#[derive(Debug)]
struct SideWriter {
    side: Side,
    /// What the shared words say; beyond `len` it is old, in both.
    stored: Box<[Level]>,
    len: usize,
    /// What they shall say, if it is not lost.
    found: Box<[Level]>,
    is_lost: bool,
    edits: u32,
    /// The levels that may differ from what is stored.
    differing: Range<usize>,
    /// Price of the last level that is shown, or the worst of all prices while there is room, or
    /// the best of all once nothing more can be lost.
    horizon: i64,
}

impl SideWriter {
    fn new(depth: usize, side: Side) -> Self {
        let levels = || vec![Level::default(); depth].into_boxed_slice();
        let (stored, found, horizon) = (levels(), levels(), worst_price(side));
        let (differing, is_lost) = (depth..0, false);
        Self { side, stored, len: 0, found, is_lost, edits: 0, differing, horizon }
    }

    /// A level before the horizon was named. Apart, so that the loop over a message's levels keeps
    /// its registers.
    #[inline(never)]
    fn named(&mut self, level: Level, change: Change) {
        match change {
            Change::Absent | Change::Full => {}
            Change::Updated { .. } if self.edits < EDITS_MAX => self.edit(level),
            _ => self.lose(),
        }
    }

    /// What is shown is to be found anew, whatever else is named until then.
    #[inline]
    const fn lose(&mut self) {
        self.is_lost = true;
        // The best of all prices.
        self.horizon = !worst_price(self.side);
    }

    /// Puts a new size where the old one was.
    #[inline]
    fn edit(&mut self, level: Level) {
        self.edits += 1;
        let mut known = self.found.iter_mut().take(self.len).enumerate();
        if let Some((at, held)) = known.find(|(_, held)| held.price == level.price) {
            *held = level;
            self.differing = self.differing.start.min(at)..self.differing.end.max(at + 1);
        }
    }

    #[inline(always)]
    fn find(&mut self, levels: &Levels) {
        self.edits = 0;
        if core::mem::take(&mut self.is_lost) {
            self.find_anew(levels);
        }
    }

    /// Apart, so that a publication without it has its registers for what it publishes.
    #[inline(never)]
    fn find_anew(&mut self, levels: &Levels) {
        self.len = levels.top(&mut self.found);
        self.differing = 0..self.len;
        let last = self.found.last().filter(|_| self.len == self.found.len());
        self.horizon = last.map_or(worst_price(self.side), |level| level.price);
    }

    #[inline]
    fn store(&mut self, words: &[AtomicU64]) {
        if self.differing.is_empty() {
            return;
        }
        let none = self.found.len()..0;
        let range = core::mem::replace(&mut self.differing, none);
        let (pairs, _) = words.as_chunks::<2>();
        let found = self.found.get(range.clone()).unwrap_or(&[]);
        let stored = self.stored.get_mut(range.clone()).unwrap_or(&mut []);
        let pairs = pairs.get(range).unwrap_or(&[]);
        for ([price, qty], (found, stored)) in pairs.iter().zip(found.iter().zip(stored)) {
            if found != stored {
                put(price, found.price as u64);
                put(qty, found.qty as u64);
                *stored = *found;
            }
        }
    }
}

/// A price that is worse than none of its side.
const fn worst_price(side: Side) -> i64 {
    match side {
        Side::Bid => i64::MIN,
        Side::Ask => i64::MAX,
    }
}

/// Copies the status and the best levels into slices, and counts the levels of each.
pub(super) fn read(
    words: DepthWords<'_>,
    bids: &mut [Level],
    asks: &mut [Level],
) -> Result<(Status, usize, usize), Busy> {
    let [lock, standing, seq, recv, venue, published, counts, _] = words.head;
    let (status, counts) = seqlock::read(lock, || {
        let status: StatusWords = [standing, seq, recv, venue, published].map(get);
        let counts = get(counts);
        let (bid_count, ask_count) = ((counts & 0xffff_ffff) as usize, (counts >> 32) as usize);
        let copied = copy(words.bids, bid_count, bids);
        (status, (copied, copy(words.asks, ask_count, asks)))
    })?;
    Ok((Status::decode(status), counts.0, counts.1))
}

/// Copies as many levels as there are, as are asked for, and as there can be: the least of these.
#[inline]
fn copy(words: &[AtomicU64], count: usize, into: &mut [Level]) -> usize {
    let (pairs, _) = words.as_chunks::<2>();
    let levels = pairs.iter().take(count).zip(into);
    levels.fold(0, |copied, ([price, qty], level)| {
        *level = Level { price: get(price) as i64, qty: get(qty) as i64 };
        copied + 1
    })
}
