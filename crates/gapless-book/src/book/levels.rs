//! One side of a book: price levels in order.
//!
//! Prices become keys that ascend from the best, for both sides. Invariant: a key inside the
//! grid's window is in the grid, any other is in `far`; `best` is the first key of both. Levels
//! come from [`Book`](super::Book), one message at a time, and are read by whoever publishes.
//!
//! # Why a paged grid
//! A price is found by its digits, not by comparing: directory, chunk of 32 pages, page of 64
//! prices. A page with up to seven levels is one cache line in which a price is found by its tag;
//! a fuller one has a word for every price. So an update of a level that is held, an insertion
//! and a removal are the same few loads and stores without a branch that asks which it is; what
//! is left are the branches thin or full page, page there or not, best or not. A ring of ticks is
//! as fast only with a window so long that it is mostly empty, and then costs 3 to 8 times the
//! memory of the map that it replaces.
//!
//! # What it costs at worst
//! Memory is that of the pages: at most 1.3 times what the levels need, about 180 bytes for a
//! level that is alone in its chunk, so under 3 MiB for [`LEVELS_MAX`] of them in one window.
//! Empty pages and thin blocks are looked for only when memory would grow, in one pass over
//! them, after which an eighth is free or is added: constant work a level, a few microseconds at
//! once. Prices more than 16 million units from the window (or levels so thin that the window is
//! no use) are kept in a map, at the cost of a map; the window moves to where most levels are
//! once the detours have cost as much as the move. Memory is asked for only while the book grows.
//!
//! # What was tried and refused
//! Times faster than `BTreeMap<i64, i64>` on recorded Binance depth (USD-M BTC, USD-M ETH,
//! COIN-M BTC, spot BTC), one machine, interleaved runs; this design had 11.1, 8.9, 8.8, 6.6.
//!
//! | instead | ratios |
//! |---|---|
//! | packed sizes in blocks of 2, 4, 8 and 64 words, a header for each page | 4.9, 4.6, 4.0, 3.0 |
//! | the same with branches that ask whether a price is held | 4.3, 4.2, 3.4, 3.0 |
//! | pages of one line that name their block, given back when they empty | 9.3, 7.3, 6.8, 4.2 |
//! | the same, block named by the chunk, no branch on held | 9.6, 7.6, 7.4, 5.9 |
//! | empty pages looked for in a few chunks each time | 9.6, 7.7, 7.7, 6.8 |
//! | chunks of 64 pages | 11.1, 9.1, 8.4, 6.5 |
//!
//! The last but one needed 3.3 times the memory of the map on spot and missed the goal for its
//! slowest messages; the last needed 3.0 times where this needs 2.8. Touching all pages of a
//! message before changing any, so that cache misses overlap, gave 10 % with 2 000 books live and
//! cost 20 to 40 % with one. What stays dear: walking the levels, where a map or a sorted array
//! is two to four times faster, and a cold book, whose every level is a cache miss or two.

use super::grid::{Grid, Walk};
use crate::event::{Level, Side};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Range;
use alloc::vec::Vec;
use core::ops::Bound::{Excluded, Unbounded};

/// Most levels that one side may hold; more is refused, never dropped in silence.
pub const LEVELS_MAX: usize = 20_000;

/// What setting a level did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new price.
    Inserted,
    /// The price was there; its size was `old` (which may be the same).
    Updated {
        /// Size before.
        old: i64,
    },
    /// The price was there with size `old` and is gone.
    Removed {
        /// Size before.
        old: i64,
    },
    /// A removal of a price that was not there: normal, and nothing happened.
    Absent,
    /// The side is full ([`LEVELS_MAX`]); nothing happened.
    Full,
}

/// A number does not fit an `i64` after multiplication; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// One side of a book.
#[derive(Clone, Debug)]
pub struct Levels {
    /// What turns a price into a key and back.
    flip: u64,
    /// First key; the last of all keys if there is no level.
    best: u64,
    best_qty: i64,
    len: usize,
    grid: Grid,
    far: BTreeMap<u64, i64>,
    /// Levels set in `far` since the window last moved.
    strays: usize,
}

impl Levels {
    /// An empty side.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        let ascending = 1 << 63;
        let flip = match side {
            Side::Ask => ascending,
            Side::Bid => !ascending,
        };
        let far = BTreeMap::new();
        Self { flip, best: u64::MAX, best_qty: 0, len: 0, grid: Grid::new(), far, strays: 0 }
    }

    /// Sets the absolute size at a price; 0 removes it.
    #[inline(always)]
    pub fn set(&mut self, price: i64, qty: i64) -> Change {
        let key = self.key(price);
        if self.len >= LEVELS_MAX && self.is_refused(key, qty) {
            return Change::Full;
        }
        let old = match self.grid.put(key, qty) {
            Some(old) => old,
            None => self.put_slowly(key, qty),
        };
        self.len = self.len + usize::from(qty != 0) - usize::from(old != 0);
        if key <= self.best {
            self.move_best(key, qty);
        }
        match (old != 0, qty != 0) {
            (true, true) => Change::Updated { old },
            (true, false) => Change::Removed { old },
            (false, true) => Change::Inserted,
            (false, false) => Change::Absent,
        }
    }

    /// Best level: highest bid or lowest ask.
    #[must_use]
    #[inline]
    pub fn best(&self) -> Option<Level> {
        (self.len != 0).then(|| self.level(self.best, self.best_qty))
    }

    /// Worst level.
    #[must_use]
    pub fn worst(&self) -> Option<Level> {
        let far = self.far.last_key_value().map(|(key, _)| *key);
        let key = far.max(self.grid.last())?;
        Some(self.level(key, self.size(key)))
    }

    /// Size at a price, 0 if none.
    #[must_use]
    pub fn qty_at(&self, price: i64) -> i64 {
        self.size(self.key(price))
    }

    /// Number of levels.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no level.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Levels from best to worst.
    pub fn iter(&self) -> impl Iterator<Item = Level> + '_ {
        self.entries().map(|(key, qty)| self.level(key, qty))
    }

    /// Writes the best levels to the front of `out`, best first, and counts them.
    ///
    /// The same levels as [`Levels::iter`] gives, page by page and so faster.
    pub fn top(&self, out: &mut [Level]) -> usize {
        self.fill(self.entries(), 0, out)
    }

    /// As [`Levels::top`], of the levels that are worse than a price, whether or not it is held:
    /// what goes on where an earlier call ended, though the levels have changed since.
    pub fn after(&self, price: i64, out: &mut [Level]) -> usize {
        let key = self.key(price);
        let mut entries = self.entries_from(key);
        let Some((slot, (key, qty))) = out.first_mut().zip(entries.find(|(at, _)| *at > key))
        else {
            return 0;
        };
        *slot = self.level(key, qty);
        self.fill(entries, 1, out)
    }

    #[inline]
    fn fill(&self, mut entries: Entries<'_>, mut done: usize, out: &mut [Level]) -> usize {
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            done += entries.walk.fill(rest, self.flip);
            let Some(slot) = out.get_mut(done) else { break };
            let Some((key, qty)) = entries.next_elsewhere() else { break };
            *slot = self.level(key, qty);
            done += 1;
        }
        done
    }

    /// Sum of all sizes.
    #[must_use]
    pub fn total(&self) -> i128 {
        self.entries().map(|(_, qty)| i128::from(qty)).sum()
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.grid.clear();
        self.far.clear();
        (self.best, self.len, self.strays) = (u64::MAX, 0, 0);
    }

    /// Removes the worst levels beyond `depth` and says how many they were.
    pub fn truncate(&mut self, depth: usize) -> usize {
        let before = self.len;
        while self.len > depth {
            let Some(worst) = self.worst() else { break };
            self.set(worst.price, 0);
        }
        before - self.len
    }

    /// Whether every price and size can be multiplied exactly.
    #[must_use]
    pub fn can_promote(&self, price_factor: i64, qty_factor: i64) -> bool {
        self.iter().all(|level| scaled(level, price_factor, qty_factor).is_some())
    }

    /// Multiplies every price and every size by a positive factor.
    ///
    /// # Errors
    /// If one of them would overflow or a factor is not positive; nothing changed then.
    pub fn promote(&mut self, price_factor: i64, qty_factor: i64) -> Result<(), Overflow> {
        let scaled = self.iter().map(|level| scaled(level, price_factor, qty_factor));
        let levels = scaled.collect::<Option<Vec<Level>>>().ok_or(Overflow)?;
        self.clear();
        for level in levels {
            self.set(level.price, level.qty);
        }
        Ok(())
    }

    /// Multiplies every price by a positive factor; sizes stay.
    ///
    /// # Errors
    /// As [`Levels::promote`].
    pub fn rescale(&mut self, factor: i64) -> Result<(), Overflow> {
        self.promote(factor, 1)
    }

    /// Bytes that the side has from the allocator; for far prices an estimate.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        // A node of eleven pairs and its head, two thirds full.
        let far = self.far.len() * size_of::<(u64, i64)>() * 7 / 4;
        self.grid.memory_bytes() + far
    }

    #[inline]
    const fn key(&self, price: i64) -> u64 {
        price as u64 ^ self.flip
    }

    #[inline]
    const fn level(&self, key: u64, qty: i64) -> Level {
        Level { price: (key ^ self.flip) as i64, qty }
    }

    #[inline]
    fn size(&self, key: u64) -> i64 {
        if self.grid.covers(key) {
            return self.grid.get(key);
        }
        self.far.get(&key).copied().unwrap_or(0)
    }

    #[cold]
    fn is_refused(&self, key: u64, qty: i64) -> bool {
        qty != 0 && self.size(key) == 0
    }

    #[inline]
    fn entries(&self) -> Entries<'_> {
        let (first, last) = self.grid.window().unwrap_or((u64::MAX, u64::MAX));
        Entries {
            before: self.far.range(..first),
            walk: self.grid.walk_from(self.best),
            after: self.far.range((Excluded(last), Unbounded)),
        }
    }

    /// Levels of which all from a key on are there; some of its page may be before it.
    fn entries_from(&self, key: u64) -> Entries<'_> {
        let (first, last) = self.grid.window().unwrap_or((u64::MAX, u64::MAX));
        Entries {
            before: self.far.range(key.min(first)..first),
            walk: self.grid.walk_from(key),
            after: self.far.range((Excluded(last.max(key)), Unbounded)),
        }
    }

    /// What the grid could not do at once: a new page, a fuller one, a far price, or nothing.
    #[cold]
    fn put_slowly(&mut self, key: u64, qty: i64) -> i64 {
        if !self.grid.covers(key) {
            return self.put_far(key, qty);
        }
        if qty != 0 {
            self.grid.insert(key, qty);
        }
        0
    }

    fn put_far(&mut self, key: u64, qty: i64) -> i64 {
        self.strays += 1;
        if self.strays > 64 + 4 * self.len {
            self.resettle();
        }
        if self.grid.covers(key) || (qty != 0 && self.fetch(key)) {
            return self.put_near(key, qty);
        }
        let old = if qty == 0 { self.far.remove(&key) } else { self.far.insert(key, qty) };
        old.unwrap_or(0)
    }

    fn put_near(&mut self, key: u64, qty: i64) -> i64 {
        self.grid.put(key, qty).unwrap_or_else(|| self.put_slowly(key, qty))
    }

    /// Makes the window reach a key if it can, and brings in what lay beyond it until now.
    fn fetch(&mut self, key: u64) -> bool {
        let may_slide = self.strays >= self.grid.slide_cost();
        if !self.grid.stretch(key, may_slide) {
            return false;
        }
        self.strays = 0;
        let Some((first, last)) = self.grid.window() else { return false };
        while let Some((near, _)) = self.far.range(first..=last).next() {
            let near = *near;
            if let Some(qty) = self.far.remove(&near) {
                self.put_near(near, qty);
            }
        }
        true
    }

    /// Moves the window to where most levels are; called after so many far ones that it pays.
    fn resettle(&mut self) {
        self.strays = 0;
        let entries = self.entries().collect::<Vec<_>>();
        let Some((first, _)) = densest(&entries) else { return };
        self.far.clear();
        self.grid.open_at(first);
        for (key, qty) in entries {
            if self.grid.covers(key) {
                self.put_near(key, qty);
            } else {
                self.far.insert(key, qty);
            }
        }
    }

    #[inline(never)]
    fn move_best(&mut self, key: u64, qty: i64) {
        if qty != 0 {
            (self.best, self.best_qty) = (key, qty);
        } else if key == self.best {
            let far = self.far.range(key..).next().map(|(key, qty)| (*key, *qty));
            let near = self.grid.walk_from(key).next();
            let first = near.into_iter().chain(far).min_by_key(|(key, _)| *key);
            (self.best, self.best_qty) = first.unwrap_or((u64::MAX, 0));
        }
    }
}

/// Keys and sizes from best to worst.
#[derive(Clone, Debug)]
struct Entries<'a> {
    before: Range<'a, u64, i64>,
    walk: Walk<'a>,
    after: Range<'a, u64, i64>,
}

impl Entries<'_> {
    #[inline(never)]
    fn next_elsewhere(&mut self) -> Option<(u64, i64)> {
        let pair = |(key, qty): (&u64, &i64)| (*key, *qty);
        let before = self.before.next().map(pair);
        before.or_else(|| self.walk.next()).or_else(|| self.after.next().map(pair))
    }
}

impl Iterator for Entries<'_> {
    type Item = (u64, i64);

    #[inline]
    fn next(&mut self) -> Option<(u64, i64)> {
        match self.walk.next_here() {
            Some(level) => Some(level),
            None => self.next_elsewhere(),
        }
    }
}

/// First key and number of levels of the window that has the most of them.
fn densest(entries: &[(u64, i64)]) -> Option<(u64, usize)> {
    let mut first = 0;
    let mut found: Option<(u64, usize)> = None;
    for (last, (key, _)) in entries.iter().enumerate() {
        while entries.get(first).is_some_and(|(start, _)| !Grid::are_near(*start, *key)) {
            first += 1;
        }
        let count = last + 1 - first;
        if found.is_none_or(|(_, most)| count > most) {
            found = entries.get(first).map(|(start, _)| (*start, count));
        }
    }
    found
}

fn scaled(level: Level, price: i64, qty: i64) -> Option<Level> {
    let positive = price > 0 && qty > 0;
    let price = level.price.checked_mul(price).filter(|_| positive)?;
    Some(Level { price, qty: level.qty.checked_mul(qty)? })
}

#[cfg(test)]
mod tests;
