//! The truth: a book that the market itself edits, in whole ticks and lots.
//!
//! Deliberately the plainest thing that can be right (two ordered maps), and written apart from
//! the engine's book, because it is what the engine's book is compared with. Invariant: no level
//! has a size of zero or less. Data comes from [`crate::market`] and from the dialects' images;
//! it goes to tests and sample expectations as canonical text (`docs/capture.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;
use sha2::{Digest, Sha256};

/// Price and size steps of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Price of one tick, e.g. `0.1`.
    pub tick: Decimal,
    /// Size of one lot, e.g. `0.001`.
    pub lot: Decimal,
}

impl Grid {
    /// The price of a number of ticks. Saturates at the end of `i64`, which no market reaches.
    #[must_use]
    pub const fn price(&self, ticks: i64) -> Decimal {
        Decimal::new(ticks.saturating_mul(self.tick.mantissa()), self.tick.scale())
    }

    /// A price between ticks: `tenths` of a tick (mark and index prices).
    #[must_use]
    pub const fn fine_price(&self, tenths: i64) -> Decimal {
        Decimal::new(tenths.saturating_mul(self.tick.mantissa()), self.tick.scale() + 1)
    }

    /// The size of a number of lots.
    #[must_use]
    pub const fn qty(&self, lots: i64) -> Decimal {
        Decimal::new(lots.saturating_mul(self.lot.mantissa()), self.lot.scale())
    }
}

/// A level in whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in ticks.
    pub ticks: i64,
    /// Size in lots; 0 = none.
    pub lots: i64,
}

/// Both sides of a book on a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    grid: Grid,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub const fn new(grid: Grid) -> Self {
        Self { grid, bids: BTreeMap::new(), asks: BTreeMap::new() }
    }

    /// The symbol's steps.
    #[must_use]
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// Sets the absolute size at a price; 0 or less removes the level.
    pub fn set(&mut self, side: Side, ticks: i64, lots: i64) {
        let levels = self.side_mut(side);
        if lots > 0 {
            levels.insert(ticks, lots);
        } else {
            levels.remove(&ticks);
        }
    }

    /// Size at a price, 0 where nothing rests.
    #[must_use]
    pub fn lots(&self, side: Side, ticks: i64) -> i64 {
        self.side(side).get(&ticks).copied().unwrap_or(0)
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn len(&self, side: Side) -> usize {
        self.side(side).len()
    }

    /// Whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let level = |(&ticks, &lots): (&i64, &i64)| Level { ticks, lots };
        match side {
            Side::Bid => Box::new(self.bids.iter().rev().map(level)),
            Side::Ask => Box::new(self.asks.iter().map(level)),
        }
    }

    /// The level of a side at `ticks` or the next one further from the top.
    #[must_use]
    pub fn at_or_beyond(&self, side: Side, ticks: i64) -> Option<Level> {
        let found = match side {
            Side::Bid => self.bids.range(..=ticks).next_back(),
            Side::Ask => self.asks.range(ticks..).next(),
        };
        found.map(|(&ticks, &lots)| Level { ticks, lots })
    }

    /// The best `depth` levels of each side.
    #[must_use]
    pub fn top(&self, depth: usize) -> Self {
        let mut top = Self::new(self.grid);
        for side in [Side::Bid, Side::Ask] {
            for level in self.levels(side).take(depth) {
                top.set(side, level.ticks, level.lots);
            }
        }
        top
    }

    /// The canonical text: `bid PRICE SIZE` best to worst, then `ask PRICE SIZE` best to worst,
    /// each line ended by LF, plain decimals.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for (word, side) in [("bid", Side::Bid), ("ask", Side::Ask)] {
            for level in self.levels(side) {
                let (price, qty) = (self.grid.price(level.ticks), self.grid.qty(level.lots));
                let _ = writeln!(text, "{word} {price} {qty}");
            }
        }
        text
    }

    /// SHA-256 of the canonical text, in lower-case hexadecimal.
    #[must_use]
    pub fn canonical_sha256(&self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(self.canonical().as_bytes()) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// The same levels on a grid whose tick is `factor` times finer.
    #[must_use]
    pub fn refined(&self, grid: Grid, factor: i64) -> Self {
        let finer = |levels: &BTreeMap<i64, i64>| {
            levels.iter().map(|(ticks, lots)| (ticks.saturating_mul(factor), *lots)).collect()
        };
        Self { grid, bids: finer(&self.bids), asks: finer(&self.asks) }
    }

    const fn side(&self, side: Side) -> &BTreeMap<i64, i64> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i64, i64> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid { tick: Decimal::new(5, 1), lot: Decimal::new(1, 3) }
    }

    #[test]
    fn canonical_text_is_best_to_worst_in_plain_decimals() {
        let mut book = Book::new(grid());
        for (side, ticks, lots) in
            [(Side::Bid, 20, 1500), (Side::Bid, 21, 20), (Side::Ask, 24, 1000), (Side::Ask, 23, 1)]
        {
            book.set(side, ticks, lots);
        }
        assert_eq!(book.canonical(), "bid 10.5 0.02\nbid 10 1.5\nask 11.5 0.001\nask 12 1\n");
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        assert_eq!(
            Book::new(grid()).canonical_sha256(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_size_of_zero_leaves_no_level() {
        let mut book = Book::new(grid());
        book.set(Side::Ask, 5, 7);
        book.set(Side::Ask, 5, 0);
        assert!(book.is_empty());
    }
}
