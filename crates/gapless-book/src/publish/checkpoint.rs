//! Copies of the whole book, from which a reader follows the log of changes.
//!
//! A copy is made a few levels at a time, between messages, while the book goes on changing: it
//! mixes levels of different moments. That does no harm, because the copy names the place in the
//! log at which it was begun. A level that has not changed since then is in the copy as it was,
//! since the levels are visited in order and none is passed by; a level that has changed is in the
//! log after that place, as it now stands. So the copy with the log laid over it is the book, and
//! the state of the book is that of the last record: there always is one after the place.
//!
//! Two buffers take turns, each under a lock of its own: readers copy one while the other is being
//! written. A copy is begun when half of the ring has been written since the place of the last one,
//! and its work is shared out so that it ends within an eighth more: the place of the last complete
//! copy is always in the log, with a quarter of the ring for readers to take their time. If large
//! records come in between, a copy is ended at once; a record is at most a quarter of the ring.

use super::region::LINE;
use super::seqlock::{self, Busy, Lock, get, put};
use super::sync::AtomicU64;
use crate::book::Book;
use crate::event::{Level, Side};
use alloc::vec::Vec;

/// Levels written at once.
const STEP: usize = 64;

/// Words of a buffer before its levels: lock, place in the log, counts.
pub(super) const CHECKPOINT_HEAD: usize = LINE;

/// One buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferWords<'a> {
    pub head: &'a [AtomicU64; CHECKPOINT_HEAD],
    pub sides: [&'a [AtomicU64]; 2],
}

/// Both buffers, and which one is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckpointWords<'a> {
    pub latest: &'a AtomicU64,
    pub buffers: [BufferWords<'a>; 2],
}

impl<'a> CheckpointWords<'a> {
    #[inline]
    const fn buffer(&self, number: u64) -> BufferWords<'a> {
        let [even, odd] = self.buffers;
        if number & 1 == 0 { even } else { odd }
    }
}

/// The writer's side.
#[derive(Debug, Default)]
pub(super) struct CheckpointWriter {
    locks: [Lock; 2],
    /// Number of the last complete copy; its buffer is the one of that parity.
    latest: u64,
    /// Place in the log of that copy.
    place: u64,
    writing: Option<Writing>,
    /// Levels owed to the copy that is being written.
    due: usize,
}

/// A copy on its way.
#[derive(Debug)]
struct Writing {
    place: u64,
    side: Side,
    /// Price of the last level that was written of that side.
    after: Option<i64>,
    counts: [usize; 2],
}

impl CheckpointWriter {
    /// Goes on after a record of `len` slots at a place in a log of `ring` slots.
    #[inline]
    pub(super) fn advance(
        &mut self,
        words: CheckpointWords<'_>,
        book: &Book,
        (place, len): (u64, usize),
        ring: usize,
    ) {
        let age = place.wrapping_sub(self.place);
        if age + len as u64 > ring as u64 / 4 * 3 {
            // Large records: the next one might write over the place.
            if self.writing.is_none() {
                self.begin(words, place);
            }
            while !self.step(words, book) {}
        } else if self.writing.is_some() {
            self.work(words, book, len, ring);
        } else if age >= ring as u64 / 2 {
            self.begin(words, place);
        }
    }

    #[inline]
    fn work(&mut self, words: CheckpointWords<'_>, book: &Book, len: usize, ring: usize) {
        let levels = book.side(Side::Bid).len() + book.side(Side::Ask).len();
        self.due += (len * levels).div_ceil((ring / 8).max(1)) + 1;
        while self.due >= STEP || levels < STEP {
            self.due = self.due.saturating_sub(STEP);
            if self.step(words, book) {
                return;
            }
        }
    }

    /// Makes a whole copy at once.
    pub(super) fn complete(&mut self, words: CheckpointWords<'_>, book: &Book, place: u64) {
        self.begin(words, place);
        while !self.step(words, book) {}
    }

    /// Begins a copy, or begins one anew.
    pub(super) fn begin(&mut self, words: CheckpointWords<'_>, place: u64) {
        let number = self.latest + 1;
        let [lock, ..] = words.buffer(number).head;
        self.lock(number).open(lock);
        self.writing = Some(Writing { place, side: Side::Bid, after: None, counts: [0; 2] });
        self.due = 0;
    }

    fn lock(&mut self, number: u64) -> &mut Lock {
        let [even, odd] = &mut self.locks;
        if number & 1 == 0 { even } else { odd }
    }

    /// Writes some levels and says whether the copy is complete.
    pub(super) fn step(&mut self, words: CheckpointWords<'_>, book: &Book) -> bool {
        let number = self.latest + 1;
        let Some(writing) = &mut self.writing else { return true };
        let buffer = words.buffer(number);
        if !writing.step(buffer, book) {
            return false;
        }
        let [lock, place, counts, ..] = buffer.head;
        let [bids, asks] = writing.counts;
        put(place, writing.place);
        put(counts, bids as u64 | (asks as u64) << 32);
        self.place = writing.place;
        self.writing = None;
        self.lock(number).close(lock);
        self.latest = number;
        put(words.latest, number);
        true
    }
}

impl Writing {
    /// Writes some levels and says whether none is left.
    fn step(&mut self, buffer: BufferWords<'_>, book: &Book) -> bool {
        let mut levels = [Level::default(); STEP];
        let from = book.side(self.side);
        let found = match self.after {
            Some(price) => from.after(price, &mut levels),
            None => from.top(&mut levels),
        };
        let ([bids, asks], [bid_count, ask_count]) = (buffer.sides, &mut self.counts);
        let (words, count) =
            if self.side == Side::Bid { (bids, bid_count) } else { (asks, ask_count) };
        let (pairs, _) = words.as_chunks::<2>();
        // What has no room is counted, and by that count not taken for a whole book.
        let room = pairs.get(*count..).unwrap_or(&[]);
        for ([price, qty], level) in room.iter().zip(levels.iter().take(found)) {
            put(price, level.price as u64);
            put(qty, level.qty as u64);
        }
        *count += found;
        self.after = levels.get(found.wrapping_sub(1)).map(|level| level.price).or(self.after);
        if found == STEP {
            return false;
        }
        self.after = None;
        core::mem::replace(&mut self.side, Side::Ask) == Side::Ask
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// Place in the log from which changes are laid over it.
    pub place: u64,
    /// Levels were left out because there was no room for them.
    pub is_cut: bool,
}

/// Copies the last complete copy: bids and asks, best first.
pub(super) fn read(
    words: CheckpointWords<'_>,
    bids: &mut Vec<Level>,
    asks: &mut Vec<Level>,
) -> Result<Copied, Busy> {
    // Only says which lock to try; that one orders. An old number leads to an old copy or to one
    // that is being written, and a buffer never used is the empty book with which the log began.
    let number = get(words.latest);
    let BufferWords { head: [lock, place, counts, ..], sides } = words.buffer(number);
    seqlock::read(lock, || {
        let (place, counts) = (get(place), get(counts));
        let wanted = [(counts & 0xffff_ffff) as usize, (counts >> 32) as usize];
        let mut is_cut = false;
        for ((words, into), wanted) in sides.into_iter().zip([&mut *bids, &mut *asks]).zip(wanted) {
            let (pairs, _) = words.as_chunks::<2>();
            into.clear();
            into.extend(
                pairs
                    .iter()
                    .take(wanted)
                    .map(|[price, qty]| Level { price: get(price) as i64, qty: get(qty) as i64 }),
            );
            is_cut |= wanted > pairs.len();
        }
        Copied { place, is_cut }
    })
}
