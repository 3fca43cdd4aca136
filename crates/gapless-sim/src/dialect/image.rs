//! Differences between two images of a book, for venues that send those.
//!
//! Bybit and OKX compute a delta by comparing successive top-N images, Deribit by comparing whole
//! books: a level that left the window is sent as deleted, one that went away and came back
//! inside the interval is not sent at all.

use gapless_book::event::Side;

use crate::book::Book;

/// One level that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Price in ticks.
    pub ticks: i64,
    /// Size before, lots; 0 = none.
    pub was: i64,
    /// Size now, lots; 0 = none.
    pub now: i64,
}

/// What differs, per side, best price first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Levels of the bids.
    pub bids: Vec<Change>,
    /// Levels of the asks.
    pub asks: Vec<Change>,
}

impl Changes {
    /// What turns `old` into `new`.
    pub fn between(old: &Book, new: &Book) -> Self {
        Self { bids: side_changes(old, new, Side::Bid), asks: side_changes(old, new, Side::Ask) }
    }

    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }
}

fn side_changes(old: &Book, new: &Book, side: Side) -> Vec<Change> {
    let mut prices: Vec<i64> =
        old.levels(side).chain(new.levels(side)).map(|level| level.ticks).collect();
    prices.sort_unstable();
    prices.dedup();
    if side == Side::Bid {
        prices.reverse();
    }
    let change = |ticks| Change { ticks, was: old.lots(side, ticks), now: new.lots(side, ticks) };
    prices.into_iter().map(change).filter(|change| change.was != change.now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Grid;
    use gapless_book::decimal::Decimal;

    fn book(levels: &[(Side, i64, i64)]) -> Book {
        let mut book = Book::new(Grid { tick: Decimal::new(1, 0), lot: Decimal::new(1, 0) });
        levels.iter().for_each(|&(side, ticks, lots)| book.set(side, ticks, lots));
        book
    }

    #[test]
    fn a_level_that_leaves_the_window_is_a_deletion_and_an_unchanged_one_is_silent() {
        let old = book(&[(Side::Bid, 10, 1), (Side::Bid, 9, 2), (Side::Ask, 11, 3)]);
        let new = book(&[(Side::Bid, 10, 1), (Side::Bid, 8, 4), (Side::Ask, 11, 5)]);
        let changes = Changes::between(&old, &new);
        assert_eq!(
            changes.bids,
            [Change { ticks: 9, was: 2, now: 0 }, Change { ticks: 8, was: 0, now: 4 }]
        );
        assert_eq!(changes.asks, [Change { ticks: 11, was: 3, now: 5 }]);
        assert!(Changes::between(&new, &new).is_empty());
    }
}
