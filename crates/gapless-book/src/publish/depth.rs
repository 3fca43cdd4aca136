//! The best N levels of both sides with their status, written by difference.
//!
//! The writer keeps what it stored last, finds the new levels in its own book, and stores only the
//! words that differ: a message that changes one size touches one line of levels, and a reader of
//! five levels reads three lines.

use super::layout::DepthWords;
use super::seqlock::{self, Busy, Lock, get, put};
use super::status::{STATUS_WORDS, Status};
use super::sync::AtomicU64;
use crate::book::{Book, Levels};
use crate::event::{Level, Side};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

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

    /// A level of the book changed.
    #[inline(always)]
    pub(super) fn changed(&mut self, side: Side, price: i64) {
        match side {
            Side::Bid => self.bids.changed(price),
            Side::Ask => self.asks.changed(price),
        }
    }

    /// Any level may have changed.
    pub(super) fn all_changed(&mut self) {
        (self.bids.is_due, self.asks.is_due) = (true, true);
    }

    /// Replaces what is shown.
    #[inline]
    pub(super) fn store(&mut self, words: DepthWords<'_>, status: &Status, book: &Book) {
        // Found before the lock opens, so that readers wait for the stores alone.
        self.bids.find(book.side(Side::Bid));
        self.asks.find(book.side(Side::Ask));
        self.store_found(words, status);
    }

    /// Replaces the status and leaves the levels.
    pub(super) fn store_found(&mut self, words: DepthWords<'_>, status: &Status) {
        let [lock, standing, seq, recv, venue, published, counts, _] = words.head;
        self.lock.open(lock);
        let status_words = [standing, seq, recv, venue, published];
        status_words.into_iter().zip(status.encode()).for_each(|(word, value)| put(word, value));
        self.bids.store(words.bids);
        self.asks.store(words.asks);
        put(counts, self.bids.len as u64 | (self.asks.len as u64) << 32);
        self.lock.close(lock);
    }
}

/// One side as its writer knows it.
#[derive(Debug)]
struct SideWriter {
    side: Side,
    /// What the shared words say; beyond `len` it is old, in both.
    stored: Box<[Level]>,
    len: usize,
    /// What they shall say.
    found: Box<[Level]>,
    found_len: usize,
    /// The book may have other levels than were stored.
    is_due: bool,
    /// Price of the last level that is shown, or the worst of all prices while there is room.
    last_price: i64,
}

impl SideWriter {
    fn new(depth: usize, side: Side) -> Self {
        let levels = || vec![Level::default(); depth].into_boxed_slice();
        let worst = worst_price(side);
        let (stored, found) = (levels(), levels());
        Self { side, stored, len: 0, found, found_len: 0, is_due: false, last_price: worst }
    }

    #[inline(always)]
    fn changed(&mut self, price: i64) {
        self.is_due |= match self.side {
            Side::Bid => price >= self.last_price,
            Side::Ask => price <= self.last_price,
        };
    }

    #[inline]
    fn find(&mut self, levels: &Levels) {
        if !self.is_due {
            return;
        }
        self.found_len = levels.top(&mut self.found);
        let last = self.found.last().filter(|_| self.found_len == self.found.len());
        self.last_price = last.map_or(worst_price(self.side), |level| level.price);
    }

    #[inline]
    fn store(&mut self, words: &[AtomicU64]) {
        if !core::mem::take(&mut self.is_due) {
            return;
        }
        let (pairs, _) = words.as_chunks::<2>();
        let levels = self.found.iter().zip(&mut self.stored).take(self.found_len);
        for ([price, qty], (found, stored)) in pairs.iter().zip(levels) {
            if found.price != stored.price {
                put(price, found.price as u64);
            }
            if found.qty != stored.qty {
                put(qty, found.qty as u64);
            }
            *stored = *found;
        }
        self.len = self.found_len;
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
        let status: [u64; STATUS_WORDS] = [standing, seq, recv, venue, published].map(get);
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
