//! The plain sorted side that the fast one must equal; only the tests have it.
//!
//! Invariant: the map holds no size of zero. Levels come from the same calls as the fast side's.

use super::{Change, LEVELS_MAX};
use crate::event::{Level, Side};
use alloc::collections::BTreeMap;

/// One side of a book, as a map.
#[derive(Clone, Debug)]
pub(super) struct Naive {
    side: Side,
    map: BTreeMap<i64, i64>,
}

impl Naive {
    /// An empty side.
    pub(super) fn new(side: Side) -> Self {
        Self { side, map: BTreeMap::new() }
    }

    /// Sets the absolute size at a price; 0 removes it.
    pub(super) fn set(&mut self, price: i64, qty: i64) -> Change {
        if qty == 0 {
            return match self.map.remove(&price) {
                Some(old) => Change::Removed { old },
                None => Change::Absent,
            };
        }
        if self.map.len() >= LEVELS_MAX && !self.map.contains_key(&price) {
            return Change::Full;
        }
        match self.map.insert(price, qty) {
            Some(old) => Change::Updated { old },
            None => Change::Inserted,
        }
    }

    /// Best level: highest bid or lowest ask.
    pub(super) fn best(&self) -> Option<Level> {
        self.iter().next()
    }

    /// Worst level.
    pub(super) fn worst(&self) -> Option<Level> {
        let entry = match self.side {
            Side::Bid => self.map.first_key_value(),
            Side::Ask => self.map.last_key_value(),
        };
        entry.map(|(&price, &qty)| Level { price, qty })
    }

    /// Size at a price, 0 if none.
    pub(super) fn qty_at(&self, price: i64) -> i64 {
        self.map.get(&price).copied().unwrap_or(0)
    }

    /// Number of levels.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is no level.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Naive from best to worst.
    pub(super) fn iter(&self) -> impl Iterator<Item = Level> + '_ {
        let (up, down) = match self.side {
            Side::Ask => (Some(self.map.iter()), None),
            Side::Bid => (None, Some(self.map.iter().rev())),
        };
        up.into_iter()
            .flatten()
            .chain(down.into_iter().flatten())
            .map(|(&price, &qty)| Level { price, qty })
    }

    /// Sum of all sizes.
    pub(super) fn total(&self) -> i128 {
        self.map.values().map(|&qty| i128::from(qty)).sum()
    }

    /// Removes every level.
    pub(super) fn clear(&mut self) {
        self.map.clear();
    }
}
