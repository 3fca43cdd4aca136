//! A budget: no more than so many units within any window, wherever the window begins.
//!
//! Invariant: the sum over every stretch of the window's length stays within the rate. A bucket
//! that is refilled would allow twice as much around the moment when it was full.

use gapless_venues::live::Rate;
use std::collections::VecDeque;

/// Units spent within the window.
#[derive(Clone, Debug)]
pub struct Budget {
    rate: Rate,
    /// When, and how many.
    spent: VecDeque<(i64, u32)>,
    sum: u32,
}

impl Budget {
    /// Nothing is spent.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate, spent: VecDeque::new(), sum: 0 }
    }

    fn window_ns(&self) -> i64 {
        i64::try_from(self.rate.window_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)
    }

    fn forget(&mut self, now: i64) {
        let window = self.window_ns();
        while let Some((at, units)) = self.spent.front().copied() {
            if now.saturating_sub(at) < window {
                break;
            }
            self.sum = self.sum.saturating_sub(units);
            self.spent.pop_front();
        }
    }

    /// Spends units, or says when there will be as many. More than the whole rate is let through
    /// when nothing else is spent: it could never be otherwise.
    ///
    /// # Errors
    /// The earliest time to ask again.
    pub fn take(&mut self, now: i64, units: u32) -> Result<(), i64> {
        let ready = self.ready(now, units);
        if ready > now {
            return Err(ready);
        }
        self.note(now, units);
        Ok(())
    }

    /// When so many units can be spent.
    pub fn ready(&mut self, now: i64, units: u32) -> i64 {
        self.forget(now);
        let mut left = self.sum;
        if left == 0 || left.saturating_add(units) <= self.rate.count {
            return now;
        }
        for (at, spent) in &self.spent {
            left = left.saturating_sub(*spent);
            if left == 0 || left.saturating_add(units) <= self.rate.count {
                return at.saturating_add(self.window_ns());
            }
        }
        now
    }

    /// Notes units that were spent without asking.
    pub fn note(&mut self, now: i64, units: u32) {
        if units > 0 {
            self.sum = self.sum.saturating_add(units);
            self.spent.push_back((now, units));
        }
    }

    /// The venue counts so many in its window: others spend from the same budget.
    pub fn counted(&mut self, now: i64, units: u32) {
        self.forget(now);
        self.note(now, units.saturating_sub(self.sum));
    }

    /// Units of a window.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.rate.count
    }

    /// Nothing is spent any more.
    pub fn clear(&mut self) {
        self.spent.clear();
        self.sum = 0;
    }

    /// Units spent in the window that ends now.
    pub fn used(&mut self, now: i64) -> u32 {
        self.forget(now);
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn no_window_holds_more_than_the_rate() {
        let mut budget = Budget::new(Rate::new(5, 1_000));
        let mut taken: Vec<i64> = Vec::new();
        let mut now = 0;
        while taken.len() < 40 {
            match budget.take(now, 1) {
                Ok(()) => taken.push(now),
                Err(at) => {
                    assert!(at > now);
                    now = at;
                }
            }
            now += 37 * MS;
        }
        for from in &taken {
            let inside = taken.iter().filter(|at| (*from..from + 1_000 * MS).contains(at)).count();
            assert!(inside <= 5, "{inside} from {from}");
        }
        assert!(now < 9_000 * MS, "it is used as far as it may be");
    }

    #[test]
    fn what_others_spend_counts() {
        let mut budget = Budget::new(Rate::new(100, 1_000));
        assert_eq!(budget.take(0, 20), Ok(()));
        budget.counted(MS, 90);
        assert_eq!(budget.used(MS), 90);
        assert_eq!(budget.take(2 * MS, 11), Err(1_000 * MS));
        assert_eq!(budget.take(2 * MS, 10), Ok(()));
    }

    #[test]
    fn what_is_larger_than_the_rate_goes_alone() {
        let mut budget = Budget::new(Rate::new(10, 1_000));
        assert_eq!(budget.take(0, 50), Ok(()));
        assert_eq!(budget.take(MS, 1), Err(1_000 * MS));
    }
}
