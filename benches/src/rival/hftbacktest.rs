//! hftbacktest's `ROIVectorMarketDepth`, with a range that holds every recorded price.
//!
//! It takes prices and sizes as `f64`, so these are its numbers made beforehand.

use crate::numbers::{Book, Ladder, Numbers};
use gapless_book::decimal::POW10;
use gapless_book::event::Level;
use hftbacktest::depth::{INVALID_MAX, INVALID_MIN, L2MarketDepth, MarketDepth};
use hftbacktest::prelude::ROIVectorMarketDepth;

/// Its depth.
pub struct RoiVector {
    depth: ROIVectorMarketDepth,
    tick: i64,
}

/// Most ticks of a range that this machine is asked to hold: 16 bytes a tick.
const TICKS_MAX: i64 = 1 << 27;

/// Whether all books of a workload fit.
#[must_use]
pub fn fits(numbers: &Numbers) -> bool {
    let ticks: i64 = numbers.books.iter().map(|book| (book.high - book.low) / book.tick).sum();
    ticks < TICKS_MAX
}

fn float(value: i64, scale: u8) -> f64 {
    value as f64 / POW10[usize::from(scale)] as f64
}

impl Ladder for RoiVector {
    const NAME: &'static str = "hftbacktest ROIVectorMarketDepth";
    type Entry = (f64, f64);

    fn new(book: &Book) -> Self {
        let price = |ticks: i64| float(ticks, book.scales.price);
        let lot = float(1, book.scales.qty);
        let (low, high) = (price(book.low), price(book.high));
        let depth = ROIVectorMarketDepth::new(price(book.tick), lot, low, high);
        Self { depth, tick: book.tick }
    }

    fn clear(&mut self) {
        // Its own `clear_depth` looks at a part only; the fields are public.
        self.depth.bid_depth.fill(0.0);
        self.depth.ask_depth.fill(0.0);
        (self.depth.best_bid_tick, self.depth.best_ask_tick) = (INVALID_MIN, INVALID_MAX);
        (self.depth.low_bid_tick, self.depth.high_ask_tick) = (INVALID_MAX, INVALID_MIN);
    }

    fn entry(book: &Book, level: Level) -> (f64, f64) {
        (float(level.price, book.scales.price), float(level.qty, book.scales.qty))
    }

    fn apply(&mut self, bids: &[(f64, f64)], asks: &[(f64, f64)]) {
        for (price, qty) in bids {
            self.depth.update_bid_depth(*price, *qty, 0);
        }
        for (price, qty) in asks {
            self.depth.update_ask_depth(*price, *qty, 0);
        }
    }

    fn best(&self) -> (i64, i64) {
        let price = |tick: i64| if tick == INVALID_MIN || tick == INVALID_MAX { 0 } else { tick };
        let (bid, ask) = (self.depth.best_bid_tick(), self.depth.best_ask_tick());
        (price(bid) * self.tick, price(ask) * self.tick)
    }

    fn contents(&self, book: &Book) -> (Vec<Level>, Vec<Level>) {
        let qty = |size: f64| (size * POW10[usize::from(book.scales.qty)] as f64).round() as i64;
        let level = |(at, size): (usize, &f64)| Level {
            price: (at as i64 + self.depth.roi_tick().0) * book.tick,
            qty: qty(*size),
        };
        let held = |level: &Level| level.qty != 0;
        let bids = self.depth.bid_depth.iter().enumerate().rev().map(level).filter(held).collect();
        let asks = self.depth.ask_depth.iter().enumerate().map(level).filter(held).collect();
        (bids, asks)
    }
}
