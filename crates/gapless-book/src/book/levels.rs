//! One side of a book: price levels in order.
//!
//! Prices become keys that ascend from the best, for both sides. Invariant: a key inside the
//! window of `near` is there, any other that the grid's window covers is in the grid, and what is
//! left is in `far`; `best` is the first key of all. Levels come from [`Book`](super::Book), one
//! message at a time, and are read by whoever publishes.
//!
//! # Why a ring before a paged grid
//! Most updates are within a few thousand prices of the best one. There a level costs one load,
//! one store and one bit, whether it is held, new or removed; nothing depends on what was there,
//! so neighbouring levels overlap and no branch is guessed wrong. A ring long enough for all
//! levels would be mostly empty and cost several times the memory of the map that it replaces, so
//! it has three to six words a level, at most 8 192, and a paged grid has the rest: directory,
//! chunk of 32 pages, page of 64 prices. A page with up to seven levels is one cache line in which
//! a price is found by its tag; a fuller one has a word for every price.
//!
//! The ring follows the best price in short steps, one for so many updates that missed it, and
//! grows when the side does; a step moves the levels of a thirty-second of it.
//!
//! # What it costs at worst
//! A level alone in its chunk takes about 180 bytes, so a side under 3 MiB for [`LEVELS_MAX`] of
//! them in one window. Empty pages and thin blocks are looked for only when memory would grow, in
//! one pass over them, after which an eighth is free or is added. Prices more than 16 million
//! units from the grid's window (or levels so thin that the window is no use) are kept in a map,
//! at the cost of a map; that window moves to where most levels are once the detours have cost as
//! much as the move. Memory is asked for only while the book grows.
//!
//! # What was tried and refused
//! Nanoseconds a message on recorded Binance depth (spot of ten small symbols, spot BTC, USD-M BTC
//! of 2023 and of 2024), one machine, one run each; this design takes 23, 442, 85 and 282, a pair
//! of `BTreeMap<i64, i64>` 177, 2 890, 960 and 3 945.
//!
//! | instead | ns |
//! |---|---|
//! | the grid alone | 42, 473, 121, 415 |
//! | the grid with full pages only: three times the memory | 27, 351, 140, 379 |
//! | the grid without a branch on thin or full | 42, 539, 194, 674 |
//! | leaves of four prices under three levels of nodes, no tags | 35, 740, 125, 489 |
//! | arrays of the grid held in registers for a message | 50, 485, 127, 406 |
//! | best price looked for once a message instead of once a level | 50, 454, 126, 420 |
//! | a ring of at most 4 096 | 24, 543, 95, 305 |
//! | a ring that jumps to the best price instead of stepping | 27, 467, 92, 290 |
//!
//! Touching all pages of a message before changing any, so that cache misses overlap, changed
//! nothing with one book: its misses overlap already.

use super::Observer;
use super::grid::{Grid, Walk};
use super::near::{KEYS_MAX, KEYS_MIN, Near, NearWalk};
use crate::event::{Level, Side};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Range;
use alloc::vec::Vec;
use core::ops::Bound::{Excluded, Included, Unbounded};

/// Most levels that one side may hold; more is refused, never dropped in silence.
pub const LEVELS_MAX: usize = 20_000;

/// Levels set outside the window around the best before it is asked whether it should move.
const MISSES_MAX: usize = 64;

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

impl Change {
    #[inline(always)]
    const fn of(old: i64, new: i64) -> Self {
        match (old != 0, new != 0) {
            (true, true) => Self::Updated { old },
            (true, false) => Self::Removed { old },
            (false, true) => Self::Inserted,
            (false, false) => Self::Absent,
        }
    }
}

/// A number does not fit an `i64` after multiplication; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// One side of a book.
#[derive(Clone, Debug)]
// What every update reads is in the first two lines, which a cold book gets at once.
#[repr(C, align(128))]
pub struct Levels {
    /// What turns a price into a key and back.
    flip: u64,
    /// First key; the last of all keys if there is no level.
    best: u64,
    best_qty: i64,
    len: usize,
    near: Near,
    /// Levels set outside `near` since it last moved.
    misses: usize,
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
        Self {
            flip,
            best: u64::MAX,
            best_qty: 0,
            len: 0,
            near: Near::new(),
            misses: 0,
            grid: Grid::new(),
            far: BTreeMap::new(),
            strays: 0,
        }
    }

    /// Sets the absolute size at a price; 0 removes it.
    #[inline]
    pub fn set(&mut self, price: i64, qty: i64) -> Change {
        let mut did = Change::Absent;
        self.set_all(Side::Bid, [Level { price, qty }], &mut |_: Side, _: Level, change| {
            did = change
        });
        did
    }

    /// Sets levels in order, as [`Levels::set`] does one, and tells an observer what that did to
    /// what it calls `side`. (Not a closure: those are not always inlined.)
    #[inline(always)]
    pub fn set_all<O: Observer>(
        &mut self,
        side: Side,
        levels: impl IntoIterator<Item = Level, IntoIter: ExactSizeIterator>,
        observer: &mut O,
    ) {
        let levels = levels.into_iter();
        // In a register from level to level; what is rare reads it from its place.
        let mut len = self.len;
        let is_roomy = len + levels.len() <= LEVELS_MAX;
        if len == 0 {
            self.expect(levels.len());
        }
        for level in levels {
            let key = self.key(level.price);
            if !is_roomy {
                self.len = len;
                if self.is_refused(key, level.qty) {
                    tell_refused(side, level, observer);
                    continue;
                }
            }
            let old = match self.near.put(key, level.qty) {
                Some(old) => old,
                None => {
                    self.len = len;
                    self.put_away(key, level.qty)
                }
            };
            len = len + usize::from(level.qty != 0) - usize::from(old != 0);
            if key <= self.best {
                self.move_best(key, level.qty);
            }
            observer.level(side, level, Change::of(old, level.qty));
        }
        self.len = len;
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
        let key = far.max(self.grid.last()).max(self.near.last())?;
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
        // Mostly all of them are there, and nothing else is asked.
        let done = self.near.walk_from(self.best).fill(out, self.flip);
        if done == out.len() || self.len == done {
            return done;
        }
        self.fill_from(self.best, out)
    }

    /// As [`Levels::top`], of the levels that are worse than a price, whether or not it is held:
    /// what goes on where an earlier call ended, though the levels have changed since.
    pub fn after(&self, price: i64, out: &mut [Level]) -> usize {
        self.key(price).checked_add(1).map_or(0, |key| self.fill_from(key, out))
    }

    /// Writes the levels from a key on to the front of `out`, and counts them.
    fn fill_from(&self, key: u64, out: &mut [Level]) -> usize {
        let (first, last) = self.near.ends();
        if self.near.keys() == 0 {
            return self.fill_away(key, u64::MAX, out);
        }
        let mut done = 0;
        if let Some(before) = first.checked_sub(1).filter(|before| key <= *before) {
            done = self.fill_away(key, before, out);
        }
        let (_, rest) = out.split_at_mut_checked(done).unwrap_or_default();
        done += self.near.walk_from(key.max(first)).fill(rest, self.flip);
        let (_, rest) = out.split_at_mut_checked(done).unwrap_or_default();
        match last.checked_add(1) {
            Some(behind) if !rest.is_empty() => {
                done + self.fill_away(key.max(behind), u64::MAX, rest)
            }
            _ => done,
        }
    }

    /// As [`Levels::fill_from`], of the levels outside `near` up to a key that ends a page.
    fn fill_away(&self, from: u64, last: u64, out: &mut [Level]) -> usize {
        if self.far.is_empty() {
            return self.grid.walk_from(from).fill((from, last), out, self.flip);
        }
        let within = self.away_from(from).skip_while(|(key, _)| *key < from);
        let within = within.take_while(|(key, _)| *key <= last);
        out.iter_mut().zip(within).fold(0, |done, (slot, (key, qty))| {
            *slot = self.level(key, qty);
            done + 1
        })
    }

    /// Sum of all sizes.
    #[must_use]
    pub fn total(&self) -> i128 {
        self.entries().map(|(_, qty)| i128::from(qty)).sum()
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.near.clear();
        self.grid.clear();
        self.far.clear();
        (self.best, self.best_qty, self.len) = (u64::MAX, 0, 0);
        (self.misses, self.strays) = (0, 0);
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
        self.near.memory_bytes() + self.grid.memory_bytes() + far
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
        if self.near.covers(key) {
            return self.near.get(key);
        }
        if self.grid.covers(key) {
            return self.grid.get(key);
        }
        self.far.get(&key).copied().unwrap_or(0)
    }

    #[cold]
    fn is_refused(&self, key: u64, qty: i64) -> bool {
        self.len >= LEVELS_MAX && qty != 0 && self.size(key) == 0
    }

    #[inline]
    fn entries(&self) -> Entries<'_> {
        self.entries_from(self.best)
    }

    /// Levels of which all from a key on are there; some of its page may be before it.
    #[inline]
    fn entries_from(&self, key: u64) -> Entries<'_> {
        let (first, last) = self.near.ends();
        let is_near = self.near.covers(key);
        // Nothing else has levels where `near` is.
        let away = if is_near { last.saturating_add(1) } else { key };
        let near = self.near.walk_from(key.max(first));
        Entries { near, first, is_near, away: self.away_from(away), next: None }
    }

    /// Levels outside `near`, all from a key on; some of its page may be before it.
    #[inline]
    fn away_from(&self, key: u64) -> Away<'_> {
        let (first, last) = self.grid.window().unwrap_or((u64::MAX, u64::MAX));
        let after = if key > last { Included(key) } else { Excluded(last) };
        Away {
            before: self.far.range(key.min(first)..first),
            walk: self.grid.walk_from(key),
            after: self.far.range((after, Unbounded)),
        }
    }

    /// The first level outside `near` from a key on.
    fn first_away(&self, key: u64) -> Option<(u64, i64)> {
        let far = self.far.range(key..).next().map(|(key, qty)| (*key, *qty));
        let grid = self.grid.first_from(key);
        grid.into_iter().chain(far).min_by_key(|(key, _)| *key)
    }

    /// A level outside `near`.
    #[inline(never)]
    fn put_away(&mut self, key: u64, qty: i64) -> i64 {
        self.misses += 1;
        if self.misses > MISSES_MAX.max(self.near.keys() / 16) || self.len == 0 {
            self.follow(if self.len == 0 { key } else { self.best });
            if let Some(old) = self.near.put(key, qty) {
                return old;
            }
        }
        self.put_elsewhere(key, qty)
    }

    /// Lets `near` grow with the side, to three keys a level or more, or go after the best price.
    #[cold]
    fn follow(&mut self, best: u64) {
        let misses = core::mem::take(&mut self.misses);
        let keys = self.near.keys();
        if keys < KEYS_MAX && self.len >= (keys / 3).max(KEYS_MIN / 4) {
            return self.widen(best);
        }
        let Some(base) = self.near.step_to(best) else { return };
        let (first, last) = self.near.ends();
        if base.abs_diff(first) > keys as u64 && misses < 2 * self.len {
            // That moves all levels: not for a best price that may be gone with the next message.
            self.misses = misses;
            return;
        }
        self.leave(base);
        let (new_first, new_last) = self.near.ends();
        if base < first {
            self.gather(new_first, new_last.min(first - 1));
        } else {
            self.gather(new_first.max(last + 1), new_last);
        }
    }

    /// Makes room around the best price of a side without levels for as many as come.
    #[cold]
    fn expect(&mut self, levels: usize) {
        if levels >= KEYS_MIN / 4 && self.near.keys() < keys_for(levels) {
            self.near = Near::around(0, keys_for(levels));
        }
    }

    fn widen(&mut self, best: u64) {
        let keys = keys_for(self.len);
        let before = core::mem::replace(&mut self.near, Near::around(best, keys));
        for (key, qty) in before.walk_from(before.ends().0) {
            if self.near.put(key, qty).is_none() {
                self.put_elsewhere(key, qty);
            }
        }
        let (first, last) = self.near.ends();
        self.gather(first, last);
    }

    /// Moves `near` and gives up the levels that it then no longer covers.
    fn leave(&mut self, base: u64) {
        let (first, last) = self.near.ends();
        let end = base + (last - first);
        let mut from = first;
        while let Some((key, qty)) = self.near.first_from(from) {
            let stays = key >= base && key <= end;
            if !stays {
                self.near.put(key, 0);
                self.put_elsewhere(key, qty);
            }
            // Those that stay are many: on to the first that does not.
            let Some(next) = (if stays { end } else { key }).checked_add(1) else { break };
            from = next;
        }
        self.near.set_base(base);
    }

    /// Brings in the levels between two keys that `near` covers and that are elsewhere.
    fn gather(&mut self, mut from: u64, last: u64) {
        while let Some((key, qty)) = self.first_away(from).filter(|(key, _)| *key <= last) {
            self.put_elsewhere(key, 0);
            self.near.put(key, qty);
            let Some(next) = key.checked_add(1) else { break };
            from = next;
        }
    }

    fn put_elsewhere(&mut self, key: u64, qty: i64) -> i64 {
        self.grid.put(key, qty).unwrap_or_else(|| self.put_slowly(key, qty))
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
            return self.put_elsewhere(key, qty);
        }
        let old = if qty == 0 { self.far.remove(&key) } else { self.far.insert(key, qty) };
        old.unwrap_or(0)
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
                self.put_elsewhere(near, qty);
            }
        }
        true
    }

    /// Moves the window to where most levels are; called after so many far ones that it pays.
    fn resettle(&mut self) {
        self.strays = 0;
        let entries = self.away_from(self.best).collect::<Vec<_>>();
        let Some((first, _)) = densest(&entries) else { return };
        self.far.clear();
        self.grid.open_at(first);
        for (key, qty) in entries {
            if self.grid.covers(key) {
                self.put_elsewhere(key, qty);
            } else {
                self.far.insert(key, qty);
            }
        }
    }

    #[inline(always)]
    fn move_best(&mut self, key: u64, qty: i64) {
        if qty != 0 {
            (self.best, self.best_qty) = (key, qty);
        } else if key == self.best {
            self.find_best();
        }
    }

    /// Looks for the best level after it was removed.
    #[inline(never)]
    fn find_best(&mut self) {
        let near = self.near.first_from(self.best);
        let found = near.or_else(|| self.entries().next());
        (self.best, self.best_qty) = found.unwrap_or((u64::MAX, 0));
    }
}

/// Keys and sizes from best to worst.
#[derive(Clone, Debug)]
struct Entries<'a> {
    near: NearWalk<'a>,
    /// First key of `near`'s window.
    first: u64,
    /// What comes before `near` was given.
    is_near: bool,
    away: Away<'a>,
    /// The first one of `away` behind `near`, once it was seen.
    next: Option<(u64, i64)>,
}

impl Iterator for Entries<'_> {
    type Item = (u64, i64);

    #[inline]
    fn next(&mut self) -> Option<(u64, i64)> {
        if !self.is_near {
            self.next = self.away.next();
            if self.next.is_some_and(|(key, _)| key < self.first) {
                return self.next.take();
            }
            self.is_near = true;
        }
        self.near.next().or_else(|| self.next.take()).or_else(|| self.away.next())
    }
}

/// Keys and sizes outside the window around the best, from best to worst.
#[derive(Clone, Debug)]
struct Away<'a> {
    before: Range<'a, u64, i64>,
    walk: Walk<'a>,
    after: Range<'a, u64, i64>,
}

impl Iterator for Away<'_> {
    type Item = (u64, i64);

    #[inline]
    fn next(&mut self) -> Option<(u64, i64)> {
        let pair = |(key, qty): (&u64, &i64)| (*key, *qty);
        let before = self.before.next().map(pair);
        before.or_else(|| self.walk.next()).or_else(|| self.after.next().map(pair))
    }
}

/// Apart, so that what an observer does with a level is in the loop once.
#[cold]
#[inline(never)]
fn tell_refused<O: Observer>(side: Side, level: Level, observer: &mut O) {
    observer.level(side, level, Change::Full);
}

/// Keys of the window around the best price of a side with this many levels.
fn keys_for(levels: usize) -> usize {
    (levels * 3).next_power_of_two().clamp(KEYS_MIN, KEYS_MAX)
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
