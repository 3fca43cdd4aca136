//! The levels of one message while it is gathered: integers at scales that grow as needed.
//!
//! Invariant: every level stands exactly at `scales`. A number that brings more decimals promotes
//! the levels already there; what would overflow is an error, never rounded.

use gapless_book::decimal::{POW10, SCALE_MAX};
use gapless_book::event::{Level, Scales, Side};

use super::RejectReason;
use super::number::Num;

#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) scales: Scales,
    /// Bids and asks: indexed, because sides alternate in no order that a branch could learn.
    levels: [Vec<Level>; 2],
}

impl Sides {
    /// Empties both sides and begins at `scales`.
    pub(super) fn clear(&mut self, scales: Scales) {
        self.scales = scales;
        self.levels.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn bids(&self) -> &[Level] {
        let [bids, _] = &self.levels;
        bids
    }

    pub(super) fn asks(&self) -> &[Level] {
        let [_, asks] = &self.levels;
        asks
    }

    pub(super) fn len(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// Appends a level.
    #[inline]
    pub(super) fn push(&mut self, side: Side, price: Num, qty: Num) -> Result<(), RejectReason> {
        if qty.mantissa < 0 {
            return Err(RejectReason::NegativeSize);
        }
        if price.scale > self.scales.price || qty.scale > self.scales.qty {
            self.promote(price.scale, qty.scale)?;
        }
        let price = at_scale(price, self.scales.price)?;
        let qty = at_scale(qty, self.scales.qty)?;
        if let Some(levels) = self.levels.get_mut(side as usize) {
            levels.push(Level { price, qty });
        }
        Ok(())
    }

    /// As [`Sides::push`] for numbers that are not negative and need no more decimals than there
    /// are; false, with nothing done, for others.
    #[inline]
    pub(super) fn push_plain(&mut self, side: Side, price: Num, qty: Num) -> bool {
        let (Some(prices), Some(qtys)) =
            (self.scales.price.checked_sub(price.scale), self.scales.qty.checked_sub(qty.scale))
        else {
            return false;
        };
        let price = price.mantissa.checked_mul(factor(prices));
        let qty = qty.mantissa.checked_mul(factor(qtys));
        let (Some(price), Some(qty)) = (price, qty) else { return false };
        let [bids, asks] = &mut self.levels;
        let levels = if side == Side::Bid { bids } else { asks };
        levels.push(Level { price, qty });
        true
    }

    #[cold]
    fn promote(&mut self, price: u8, qty: u8) -> Result<(), RejectReason> {
        let scales = Scales { price: price.max(self.scales.price), qty: qty.max(self.scales.qty) };
        if scales.price > SCALE_MAX || scales.qty > SCALE_MAX {
            return Err(RejectReason::Scale);
        }
        let price = factor(scales.price - self.scales.price);
        let qty = factor(scales.qty - self.scales.qty);
        for level in self.levels.iter_mut().flatten() {
            level.price = level.price.checked_mul(price).ok_or(RejectReason::Scale)?;
            level.qty = level.qty.checked_mul(qty).ok_or(RejectReason::Scale)?;
        }
        self.scales = scales;
        Ok(())
    }
}

#[inline]
fn at_scale(number: Num, scale: u8) -> Result<i64, RejectReason> {
    let missing = scale - number.scale;
    number.mantissa.checked_mul(factor(missing)).ok_or(RejectReason::Scale)
}

#[inline]
fn factor(decimals: u8) -> i64 {
    POW10.get(usize::from(decimals)).copied().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num(mantissa: i64, scale: u8) -> Num {
        Num { mantissa, scale }
    }

    #[test]
    fn more_decimals_promote_what_is_already_there_exactly() {
        let mut sides = Sides::default();
        sides.push(Side::Bid, num(5, 0), num(25, 1)).unwrap();
        sides.push(Side::Ask, num(612, 2), num(3, 0)).unwrap();
        assert_eq!(sides.scales, Scales { price: 2, qty: 1 });
        assert_eq!(sides.bids(), [Level { price: 500, qty: 25 }]);
        assert_eq!(sides.asks(), [Level { price: 612, qty: 30 }]);
    }

    #[test]
    fn what_fits_no_common_scale_is_refused() {
        let mut sides = Sides::default();
        sides.push(Side::Bid, num(10_000_000_000, 0), num(1, 0)).unwrap();
        assert_eq!(sides.push(Side::Bid, num(1, 10), num(1, 0)), Err(RejectReason::Scale));
        let mut sides = Sides::default();
        sides.push(Side::Bid, num(1, 10), num(1, 0)).unwrap();
        let large = num(10_000_000_000, 0);
        assert_eq!(sides.push(Side::Bid, large, num(1, 0)), Err(RejectReason::Scale));
        assert_eq!(sides.push(Side::Bid, num(1, 19), num(1, 0)), Err(RejectReason::Scale));
        assert_eq!(sides.push(Side::Bid, num(1, 0), num(-1, 0)), Err(RejectReason::NegativeSize));
    }
}
