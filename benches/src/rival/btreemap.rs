//! std's `BTreeMap<i64, i64>`, one a side: what most feeds keep their books in.

use crate::numbers::{Book, Ladder};
use gapless_book::event::Level;
use std::collections::BTreeMap;

/// Both sides.
#[derive(Debug, Default)]
pub struct BTreeMaps {
    /// Size by price.
    pub bids: BTreeMap<i64, i64>,
    /// Size by price.
    pub asks: BTreeMap<i64, i64>,
}

impl Ladder for BTreeMaps {
    const NAME: &'static str = "BTreeMap";
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
        apply(&mut self.bids, bids);
        apply(&mut self.asks, asks);
    }

    fn best(&self) -> (i64, i64) {
        let bid = self.bids.last_key_value().map_or(0, |(price, _)| *price);
        (bid, self.asks.first_key_value().map_or(0, |(price, _)| *price))
    }

    fn contents(&self, _: &Book) -> (Vec<Level>, Vec<Level>) {
        let level = |(&price, &qty): (&i64, &i64)| Level { price, qty };
        (self.bids.iter().rev().map(level).collect(), self.asks.iter().map(level).collect())
    }
}

fn apply(side: &mut BTreeMap<i64, i64>, levels: &[Level]) {
    for level in levels {
        if level.qty == 0 {
            side.remove(&level.price);
        } else {
            side.insert(level.price, level.qty);
        }
    }
}
