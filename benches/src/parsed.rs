//! What every parser makes of a book frame, so that answers can be compared.
//!
//! Invariant: two parsers that read the same frame at the same scales have equal
//! [`Parsed::digest`]s exactly if they found the same numbers.

use gapless_book::event::Level;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;

/// Numbers of one book frame; reused from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Bids and asks.
    pub levels: Vec<Level>,
    /// Where the bids stand.
    pub bids: Range<usize>,
    /// Where the asks stand.
    pub asks: Range<usize>,
    /// First id covered.
    pub first: Option<i64>,
    /// Last id covered.
    pub last: Option<i64>,
    /// Last id of the frame before.
    pub prev: Option<i64>,
}

impl Parsed {
    /// Empties it, and keeps its memory.
    pub fn clear(&mut self) {
        self.levels.clear();
        (self.bids, self.asks) = (0..0, 0..0);
        (self.first, self.last, self.prev) = (None, None, None);
    }

    /// Takes two lists that were read apart.
    pub fn take(&mut self, bids: &[Level], asks: &[Level]) {
        self.levels.extend_from_slice(bids);
        self.bids = 0..bids.len();
        self.levels.extend_from_slice(asks);
        self.asks = bids.len()..self.levels.len();
    }

    /// The bids.
    #[must_use]
    pub fn bids(&self) -> &[Level] {
        &self.levels[self.bids.clone()]
    }

    /// The asks.
    #[must_use]
    pub fn asks(&self) -> &[Level] {
        &self.levels[self.asks.clone()]
    }

    /// A hash of everything in it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(self.bids(), self.asks(), &[self.first, self.last, self.prev])
    }
}

/// A hash of two lists of levels and some numbers.
#[must_use]
pub fn digest(bids: &[Level], asks: &[Level], ids: &[Option<i64>]) -> u64 {
    let pairs = |levels: &[Level]| levels.iter().map(|l| (l.price, l.qty)).collect::<Vec<_>>();
    BuildHasherDefault::<DefaultHasher>::default().hash_one((pairs(bids), pairs(asks), ids))
}
