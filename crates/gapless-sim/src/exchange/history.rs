//! The books that a stream has stood for, by the sequence of each of its messages.
//!
//! Only the newest book is kept whole; older ones are reached by undoing messages one by one, so
//! that a message costs the levels it changed and not a copy of the book.

use std::collections::VecDeque;

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use crate::book::{Book, Level};
use crate::dialect::image::{Change, Changes};

/// Messages that can be undone.
const MESSAGES_MAX: usize = 4_096;

/// One level before a message changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its side.
    pub side: Side,
    /// Its price, ticks.
    pub ticks: i64,
    /// Its size before, lots; 0 = none.
    pub lots: i64,
}

/// A book and how it came to be.
#[derive(Clone, Debug)]
pub struct History {
    image: Book,
    seq: i64,
    /// Of the newest book.
    sum: u64,
    /// What stood before each message; the newest last.
    steps: VecDeque<Step>,
}

/// One message: where the stream stood before it, and what it changed.
#[derive(Clone, Debug)]
struct Step {
    seq: i64,
    sum: u64,
    levels: Vec<Before>,
}

/// A number for one level that is the same for the same values, whatever their scales; the sum of
/// those of its levels is a book's, so that a message costs the levels that it changes.
#[must_use]
pub fn level_sum(side: Side, price: Decimal, qty: Decimal) -> u64 {
    let whole = |value: Decimal| {
        let factor = 10u64.wrapping_pow(18u32.saturating_sub(u32::from(value.scale())));
        value.mantissa().cast_unsigned().wrapping_mul(factor)
    };
    if qty.is_zero() {
        return 0;
    }
    let salt = if side == Side::Bid { 0x9e37_79b9_7f4a_7c15 } else { 0xc2b2_ae3d_27d4_eb4f };
    let mixed = (whole(price) ^ salt).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 32) ^ whole(qty)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 29)
}

impl History {
    /// Begins with a book that stands at `seq`.
    pub fn new(image: Book, seq: i64) -> Self {
        let sum = [Side::Bid, Side::Ask].into_iter().flat_map(|side| {
            let sum = |level: Level| one(&image, side, level.ticks, level.lots);
            image.levels(side).map(sum).collect::<Vec<_>>()
        });
        Self { sum: sum.fold(0, u64::wrapping_add), image, seq, steps: VecDeque::new() }
    }

    /// Whether the stream has stood at `seq` with a book of this sum, as far as it is known.
    pub fn stood(&self, seq: i64, sum: u64) -> bool {
        let now = self.seq == seq && self.sum == sum;
        now || self.steps.iter().rev().any(|step| step.seq == seq && step.sum == sum)
    }

    /// Messages since the stream last stood at `seq`; `None` if that is not known.
    pub fn behind(&self, seq: i64) -> Option<usize> {
        if self.seq == seq {
            return Some(0);
        }
        Some(self.steps.iter().rev().position(|step| step.seq == seq)? + 1)
    }

    /// The newest book.
    pub const fn image(&self) -> &Book {
        &self.image
    }

    /// Sequence of the newest book.
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// A message sets sizes of levels and stands at `seq`.
    pub fn apply(&mut self, seq: i64, levels: impl Iterator<Item = (Side, i64, i64)>) {
        let (mut before, sum) = (Vec::new(), self.sum);
        for (side, ticks, lots) in levels {
            let was = self.image.lots(side, ticks);
            if was != lots {
                let old = one(&self.image, side, ticks, was);
                let new = one(&self.image, side, ticks, lots);
                self.sum = self.sum.wrapping_sub(old).wrapping_add(new);
                before.push(Before { side, ticks, lots: was });
                self.image.set(side, ticks, lots);
            }
        }
        if self.steps.len() >= MESSAGES_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { seq: self.seq, sum, levels: before });
        self.seq = seq;
    }

    /// The book as it stood at `seq`; the newest such book where a sequence was reset.
    pub fn at(&self, seq: i64) -> Option<Book> {
        if seq == self.seq {
            return Some(self.image.clone());
        }
        let back = self.steps.iter().rev().position(|step| step.seq == seq)?;
        Some(self.undone(back + 1).1)
    }

    /// The book some messages ago, or the oldest that is known, with its sequence.
    pub fn ago(&self, messages: usize) -> (i64, Book) {
        self.undone(messages.min(self.steps.len()))
    }

    /// What each message after `seq` changed, oldest first; all that is known where `seq` is not.
    pub fn since(&self, seq: i64) -> Vec<(i64, Changes)> {
        let (mut book, mut at, mut found) = (self.image.clone(), self.seq, Vec::new());
        for step in self.steps.iter().rev() {
            if at == seq {
                break;
            }
            let mut changes = Changes::default();
            for level in step.levels.iter().rev() {
                let Before { side, ticks, lots: was } = *level;
                let change = Change { ticks, was, now: book.lots(side, ticks) };
                match side {
                    Side::Bid => changes.bids.push(change),
                    Side::Ask => changes.asks.push(change),
                }
                book.set(side, ticks, was);
            }
            found.push((at, changes));
            at = step.seq;
        }
        found.reverse();
        found
    }

    fn undone(&self, messages: usize) -> (i64, Book) {
        let (mut book, mut seq) = (self.image.clone(), self.seq);
        for step in self.steps.iter().rev().take(messages) {
            for level in step.levels.iter().rev() {
                book.set(level.side, level.ticks, level.lots);
            }
            seq = step.seq;
        }
        (seq, book)
    }

    /// The symbol's tick became `factor` times finer: the same prices in other numbers.
    pub fn refine(&mut self, image: Book, factor: i64) {
        self.image = image;
        for step in &mut self.steps {
            for level in &mut step.levels {
                level.ticks = level.ticks.saturating_mul(factor);
            }
        }
    }
}

/// The number of one level on a book's grid.
fn one(book: &Book, side: Side, ticks: i64, lots: i64) -> u64 {
    let grid = book.grid();
    level_sum(side, grid.price(ticks), grid.qty(lots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Grid;

    fn history() -> History {
        let grid = Grid { tick: Decimal::new(1, 0), lot: Decimal::new(1, 0) };
        let mut history = History::new(Book::new(grid), 5);
        history.apply(7, [(Side::Bid, 10, 1), (Side::Ask, 12, 2)].into_iter());
        history.apply(9, [(Side::Bid, 10, 0), (Side::Bid, 9, 4), (Side::Bid, 9, 5)].into_iter());
        history
    }

    #[test]
    fn every_sequence_has_its_book() {
        let history = history();
        assert_eq!(history.at(9).unwrap().canonical(), "bid 9 5\nask 12 2\n");
        assert_eq!(history.at(7).unwrap().canonical(), "bid 10 1\nask 12 2\n");
        assert!(history.at(5).unwrap().is_empty());
        assert!(history.at(6).is_none());
        assert_eq!(history.since(7)[0].0, 9);
        assert_eq!(history.since(7)[0].1.bids.iter().filter(|c| c.now == 5).count(), 1);
        assert_eq!(history.since(5).len(), 2);
        assert_eq!(history.ago(1).0, 7);
        assert_eq!(history.ago(99).0, 5);
    }

    #[test]
    fn after_a_reset_the_newest_book_of_a_sequence_is_meant() {
        let mut history = history();
        history.apply(7, [(Side::Ask, 12, 0)].into_iter());
        assert_eq!(history.at(7).unwrap().canonical(), "bid 9 5\n");
        assert_eq!(history.at(9).unwrap().canonical(), "bid 9 5\nask 12 2\n");
    }
}
