//! A log of records that one writer appends to and any number of readers follow.
//!
//! # What it cannot do
//! The writer waits for nobody: a reader that falls behind by more than the ring is lapped, is told
//! so, and must find the present from elsewhere.
//!
//! # Why a record that is kept is whole
//! The writer first says how far it is about to write (the intent), then a release fence, then
//! stores, then says how far the log reaches (the tail) with a release store. A reader's acquire
//! load of the tail makes everything before it visible. If a word that it then copies was already
//! written again, the fence pairs with the reader's acquire fence and the intent that it looks at
//! afterwards shows that its place was given up: the copy is dropped.

use super::seqlock::put;
use super::sync::{AtomicU64, Ordering, Site, fence, order, taken};

/// One place of the ring: two words.
pub(super) type Slot = [AtomicU64; 2];

/// The words of a ring. The number of slots is a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingWords<'a> {
    pub intent: &'a AtomicU64,
    pub tail: &'a AtomicU64,
    pub slots: &'a [Slot],
}

impl<'a> RingWords<'a> {
    /// The `len` slots from a position on, in two runs: the second begins the ring anew.
    #[inline(always)]
    pub(super) fn runs(self, position: u64, len: usize) -> [&'a [Slot]; 2] {
        let at = position as usize & self.slots.len().wrapping_sub(1);
        let rest = self.slots.get(at..).unwrap_or(&[]);
        let first = rest.get(..len).unwrap_or(rest);
        [first, self.slots.get(..len - first.len()).unwrap_or(&[])]
    }

    /// Slots from a position on, all around the ring.
    #[inline(always)]
    pub(super) fn from(self, position: u64) -> impl Iterator<Item = &'a Slot> {
        let at = position as usize & self.slots.len().wrapping_sub(1);
        let (before, after) = self.slots.split_at_checked(at).unwrap_or((self.slots, &[]));
        after.iter().chain(before)
    }

    /// Whether what stood at a position has been written over, or may be at this moment.
    #[inline(always)]
    const fn is_lost(self, position: u64, end: u64) -> bool {
        end.wrapping_sub(position) > self.slots.len() as u64
    }
}

/// The reader was overtaken: what stood at its position is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun;

/// The writer's end.
#[derive(Debug, Default)]
pub(super) struct RingWriter {
    /// Slots written so far: what the shared tail says.
    position: u64,
}

impl RingWriter {
    #[inline]
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Appends a record of `len` slots, which `store` fills from the position that it is given.
    #[inline]
    pub(super) fn append(
        &mut self,
        words: RingWords<'_>,
        len: usize,
        store: impl FnOnce(RingWords<'_>, u64),
    ) {
        let end = self.position + len as u64;
        if taken(Site::Intent) {
            words.intent.store(end, Ordering::Relaxed);
        }
        // Pairs with the fence in `read`: who sees a word from here on sees the intent.
        fence(Site::RingWriteFence, Ordering::Release);
        store(words, self.position);
        self.position = end;
        // Pairs with the load in `tail`.
        words.tail.store(end, order(Site::TailWrite, Ordering::Release));
    }
}

/// Stores slots of a record from a position on, each made of one of `values`.
#[inline(always)]
pub(super) fn store<T>(
    words: RingWords<'_>,
    position: u64,
    values: &[T],
    slot: impl Fn(&T) -> [u64; 2],
) {
    let [first, second] = words.runs(position, values.len());
    let (before, after) = values.split_at_checked(first.len()).unwrap_or((values, &[]));
    for (run, values) in [(first, before), (second, after)] {
        for ([first, second], value) in run.iter().zip(values) {
            let [a, b] = slot(value);
            put(first, a);
            put(second, b);
        }
    }
}

/// Where the log ends.
#[inline]
pub(super) fn tail(words: RingWords<'_>) -> u64 {
    // Pairs with the store that ends an append: every record before it is visible.
    words.tail.load(order(Site::TailRead, Ordering::Acquire))
}

/// Copies what begins at `position`, which is before `tail`; the copy is whole.
#[inline]
pub(super) fn read<T>(
    words: RingWords<'_>,
    position: u64,
    tail: u64,
    copy: impl FnOnce() -> T,
) -> Result<T, Overrun> {
    if words.is_lost(position, tail) {
        return Err(Overrun);
    }
    let copied = copy();
    // Pairs with the fence in `append`.
    fence(Site::RingReadFence, Ordering::Acquire);
    let intent = words.intent.load(Ordering::Relaxed);
    if words.is_lost(position, intent) && taken(Site::IntentRead) {
        return Err(Overrun);
    }
    Ok(copied)
}
