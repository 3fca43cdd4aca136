//! What traders ask of a book's best levels, exact in integers.
//!
//! Works on any levels, best first: those of a [`Depth`](super::Depth), or of a
//! [`Replica`](super::Replica). Prices and sizes are at the scales of the book that they are from.
//! Invariant: what is not exact is rounded once, at the end, to the side that its name says; sums
//! are 128 bits wide, which no book overflows.

use crate::event::{Level, Side};

/// Bids and asks, best first.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Highest first.
    pub bids: &'a [Level],
    /// Lowest first.
    pub asks: &'a [Level],
}

/// What it takes to fill a size from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Size that the levels have of what was asked for.
    pub filled: i128,
    /// Sum of price × size, at the sum of both scales.
    pub cost: i128,
    /// Worst price that is touched.
    pub worst: i64,
}

impl Fill {
    /// Average price rounded towards minus infinity; `None` if nothing was filled.
    #[must_use]
    pub const fn vwap_floor(&self) -> Option<i64> {
        match self.filled {
            0 => None,
            // Between the best and the worst price, so it fits.
            filled => Some(self.cost.div_euclid(filled) as i64),
        }
    }

    /// Average price rounded towards plus infinity; `None` if nothing was filled.
    #[must_use]
    pub const fn vwap_ceil(&self) -> Option<i64> {
        match self.filled {
            0 => None,
            filled => Some(-(-self.cost).div_euclid(filled) as i64),
        }
    }
}

/// Sizes of both sides, to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imbalance {
    /// Sum of the bids' sizes.
    pub bids: i128,
    /// Sum of the asks' sizes.
    pub asks: i128,
}

impl Imbalance {
    /// `(bids - asks) / (bids + asks)` in millionths, rounded towards zero: -1 000 000 (asks
    /// only) to 1 000 000 (bids only); `None` if there is nothing on either side.
    #[must_use]
    pub const fn ppm(&self) -> Option<i64> {
        match self.bids + self.asks {
            0 => None,
            all => Some(((self.bids - self.asks) * 1_000_000 / all) as i64),
        }
    }
}

impl<'a> View<'a> {
    /// Best bid and best ask, if there are both.
    #[must_use]
    pub fn best(&self) -> Option<(Level, Level)> {
        Some((*self.bids.first()?, *self.asks.first()?))
    }

    /// Twice the middle between best bid and best ask: exact, where the middle need not be.
    #[must_use]
    pub fn mid_x2(&self) -> Option<i128> {
        self.best().map(|(bid, ask)| i128::from(bid.price) + i128::from(ask.price))
    }

    /// Best ask minus best bid; negative in a crossed book.
    #[must_use]
    pub fn spread(&self) -> Option<i128> {
        self.best().map(|(bid, ask)| i128::from(ask.price) - i128::from(bid.price))
    }

    /// The middle weighted by the size on the other side: `(bid × ask size + ask × bid size) /
    /// (bid size + ask size)`, with `decimals` more decimals than prices have (at most 6), rounded
    /// to the nearest, halves up. `None` without both sides, or if it does not fit.
    #[must_use]
    pub fn microprice(&self, decimals: u8) -> Option<i128> {
        let (bid, ask) = self.best()?;
        let (bid_qty, ask_qty) = (i128::from(bid.qty), i128::from(ask.qty));
        let weighed = i128::from(bid.price)
            .checked_mul(ask_qty)?
            .checked_add(i128::from(ask.price).checked_mul(bid_qty)?)?;
        let all = bid_qty + ask_qty;
        let power = 10_i128.pow(u32::from(decimals.min(6)));
        let scaled = weighed.checked_mul(power).filter(|_| all > 0)?;
        let (floor, rest) = (scaled.div_euclid(all), scaled.rem_euclid(all));
        Some(floor + i128::from(2 * rest >= all))
    }

    /// Sizes of the best `n` levels of each side.
    #[must_use]
    pub fn imbalance(&self, n: usize) -> Imbalance {
        let sum = |levels: &[Level]| levels.iter().take(n).map(|l| i128::from(l.qty)).sum();
        Imbalance { bids: sum(self.bids), asks: sum(self.asks) }
    }

    /// Sizes within so many hundredths of a percent of the middle, the limit itself included.
    /// `None` without both sides.
    #[must_use]
    pub fn imbalance_within_bps(&self, bps: u32) -> Option<Imbalance> {
        let within = |side| self.qty_within_bps(side, bps);
        Some(Imbalance { bids: within(Side::Bid)?, asks: within(Side::Ask)? })
    }

    /// Size of one side within so many hundredths of a percent of the middle, the limit itself
    /// included; exact: no limit price is rounded. `None` without both sides.
    #[must_use]
    pub fn qty_within_bps(&self, side: Side, bps: u32) -> Option<i128> {
        let mid_x2 = self.mid_x2()?;
        // |price - mid| <= |mid| × bps / 10 000, with both sides times 20 000.
        let limit = mid_x2.abs() * i128::from(bps);
        let is_within = |level: &&Level| {
            let off = 2 * i128::from(level.price) - mid_x2;
            off.abs() * 10_000 <= limit
        };
        let levels = self.side(side).iter().take_while(is_within);
        Some(levels.map(|level| i128::from(level.qty)).sum())
    }

    /// What taking `qty` from a side costs; `None` if it has no level or `qty` is not positive.
    ///
    /// [`Fill::filled`] is less than `qty` if the levels do not have as much.
    #[must_use]
    pub fn fill(&self, side: Side, qty: i64) -> Option<Fill> {
        let mut left = i128::from(qty);
        let mut fill = None;
        for level in self.side(side) {
            if left <= 0 {
                break;
            }
            let taken = left.min(i128::from(level.qty));
            left -= taken;
            let Fill { filled, cost, .. } = fill.unwrap_or(Fill { filled: 0, cost: 0, worst: 0 });
            let cost = cost + taken * i128::from(level.price);
            fill = Some(Fill { filled: filled + taken, cost, worst: level.price });
        }
        fill
    }

    const fn side(&self, side: Side) -> &'a [Level] {
        match side {
            Side::Bid => self.bids,
            Side::Ask => self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn level(price: i64, qty: i64) -> Level {
        Level { price, qty }
    }

    const BIDS: [Level; 3] = [level(9_999, 10), level(9_998, 20), level(9_900, 70)];
    const ASKS: [Level; 3] = [level(10_002, 30), level(10_003, 5), level(10_100, 65)];
    const VIEW: View<'_> = View { bids: &BIDS, asks: &ASKS };
    const NONE: View<'_> = View { bids: &[], asks: &ASKS };

    #[test]
    fn the_middle_is_exact_and_the_spread_signed() {
        assert_eq!((VIEW.mid_x2(), VIEW.spread()), (Some(20_001), Some(3)));
        let crossed = View { bids: &ASKS, asks: &BIDS };
        assert_eq!(crossed.spread(), Some(-3));
        assert_eq!((NONE.mid_x2(), NONE.spread()), (None, None));
    }

    #[test]
    fn the_microprice_leans_to_the_thinner_side() {
        // (9999 × 30 + 10002 × 10) / 40 = 9999.75
        assert_eq!(VIEW.microprice(2), Some(999_975));
        assert_eq!(VIEW.microprice(0), Some(10_000));
        assert_eq!(NONE.microprice(0), None);
        let most = [level(i64::MAX, i64::MAX)];
        let huge = View { bids: &most, asks: &most };
        assert_eq!(huge.microprice(0), Some(i128::from(i64::MAX)));
        assert_eq!(huge.microprice(6), None);
    }

    #[test]
    fn imbalance_counts_levels_or_distance() {
        assert_eq!(VIEW.imbalance(1), Imbalance { bids: 10, asks: 30 });
        assert_eq!(VIEW.imbalance(1).ppm(), Some(-500_000));
        assert_eq!(VIEW.imbalance(9), Imbalance { bids: 100, asks: 100 });
        assert_eq!(View { bids: &[], asks: &[] }.imbalance(9).ppm(), None);
        // The middle is 10 000.5: 2 basis points reach from 9 998.4999 to 10 002.5001.
        assert_eq!(VIEW.qty_within_bps(Side::Bid, 2), Some(10));
        assert_eq!(VIEW.imbalance_within_bps(3), Some(Imbalance { bids: 30, asks: 35 }));
        assert_eq!(NONE.imbalance_within_bps(3), None);
    }

    #[test]
    fn a_level_at_the_limit_itself_is_within() {
        let view = View { bids: &[level(9_999, 1)], asks: &[level(10_001, 1)] };
        assert_eq!(view.qty_within_bps(Side::Bid, 1), Some(1));
        assert_eq!(view.qty_within_bps(Side::Ask, 1), Some(1));
        assert_eq!(view.qty_within_bps(Side::Ask, 0), Some(0));
    }

    #[test]
    fn a_fill_says_what_it_costs_and_what_is_missing() {
        let fill = VIEW.fill(Side::Ask, 33).unwrap();
        assert_eq!(fill, Fill { filled: 33, cost: 30 * 10_002 + 3 * 10_003, worst: 10_003 });
        assert_eq!((fill.vwap_floor(), fill.vwap_ceil()), (Some(10_002), Some(10_003)));
        let all = VIEW.fill(Side::Bid, 1_000).unwrap();
        assert_eq!((all.filled, all.worst), (100, 9_900));
        assert_eq!(VIEW.fill(Side::Bid, 0), None);
        assert_eq!(NONE.fill(Side::Bid, 1), None);
    }

    proptest! {
        #[test]
        fn an_average_price_lies_between_best_and_worst(
            levels in prop::collection::vec((-50_000i64..50_000, 1..i64::MAX), 1..9),
            qty in 1..i64::MAX,
        ) {
            let levels = levels.iter().map(|(price, qty)| level(*price, *qty));
            let mut asks: alloc::vec::Vec<Level> = levels.collect();
            asks.sort_by_key(|level| level.price);
            let fill = View { bids: &[], asks: &asks }.fill(Side::Ask, qty).unwrap();
            let (floor, ceil) = (fill.vwap_floor().unwrap(), fill.vwap_ceil().unwrap());
            prop_assert!(asks[0].price <= floor && ceil <= fill.worst && ceil - floor <= 1);
            prop_assert!(i128::from(floor) * fill.filled <= fill.cost);
            prop_assert!(fill.cost <= i128::from(ceil) * fill.filled);
        }
    }
}
