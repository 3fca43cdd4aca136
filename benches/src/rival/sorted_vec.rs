//! A sorted `Vec` a side, best last, searched by halving.

use crate::numbers::{Book, Ladder};
use gapless_book::event::Level;

/// Both sides; asks are kept by negated price, so that the best is last on both.
#[derive(Debug, Default)]
pub struct SortedVecs {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Ladder for SortedVecs {
    const NAME: &'static str = "sorted Vec";
    type Entry = Level;

    fn new(_: &Book) -> Self {
        Self::default()
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn entry(_: &Book, level: Level) -> Level {
        level
    }

    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for level in bids {
            set(&mut self.bids, level.price, level.qty);
        }
        for level in asks {
            set(&mut self.asks, -level.price, level.qty);
        }
    }

    fn best(&self) -> (i64, i64) {
        let bid = self.bids.last().map_or(0, |level| level.price);
        (bid, self.asks.last().map_or(0, |level| -level.price))
    }

    fn contents(&self, _: &Book) -> (Vec<Level>, Vec<Level>) {
        let ask = |level: &Level| Level { price: -level.price, qty: level.qty };
        (self.bids.iter().rev().copied().collect(), self.asks.iter().rev().map(ask).collect())
    }
}

fn set(side: &mut Vec<Level>, price: i64, qty: i64) {
    match side.binary_search_by_key(&price, |level| level.price) {
        Ok(at) if qty == 0 => {
            side.remove(at);
        }
        Ok(at) => side[at].qty = qty,
        Err(at) if qty != 0 => side.insert(at, Level { price, qty }),
        Err(_) => {}
    }
}
