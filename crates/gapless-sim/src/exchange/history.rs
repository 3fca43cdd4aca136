//! The books that a stream has stood for, by the sequence of each of its messages.
//!
//! Only the newest book is kept whole; older ones are reached by undoing messages one by one, so
//! that a message costs the levels it changed and not a copy of the book.

use std::collections::VecDeque;

use gapless_book::event::Side;

use crate::book::Book;
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
    /// Sequence before each message, and what it changed; the newest last.
    steps: VecDeque<(i64, Vec<Before>)>,
}

impl History {
    /// Begins with a book that stands at `seq`.
    pub const fn new(image: Book, seq: i64) -> Self {
        Self { image, seq, steps: VecDeque::new() }
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
        let mut before = Vec::new();
        for (side, ticks, lots) in levels {
            let was = self.image.lots(side, ticks);
            if was != lots {
                before.push(Before { side, ticks, lots: was });
                self.image.set(side, ticks, lots);
            }
        }
        if self.steps.len() >= MESSAGES_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back((self.seq, before));
        self.seq = seq;
    }

    /// The book as it stood at `seq`; the newest such book where a sequence was reset.
    pub fn at(&self, seq: i64) -> Option<Book> {
        if seq == self.seq {
            return Some(self.image.clone());
        }
        let back = self.steps.iter().rev().position(|(before, _)| *before == seq)?;
        Some(self.undone(back + 1).1)
    }

    /// The book some messages ago, or the oldest that is known, with its sequence.
    pub fn ago(&self, messages: usize) -> (i64, Book) {
        self.undone(messages.min(self.steps.len()))
    }

    /// What each message after `seq` changed, oldest first; all that is known where `seq` is not.
    pub fn since(&self, seq: i64) -> Vec<(i64, Changes)> {
        let (mut book, mut at, mut found) = (self.image.clone(), self.seq, Vec::new());
        for (before, levels) in self.steps.iter().rev() {
            if at == seq {
                break;
            }
            let mut changes = Changes::default();
            for level in levels.iter().rev() {
                let Before { side, ticks, lots: was } = *level;
                let change = Change { ticks, was, now: book.lots(side, ticks) };
                match side {
                    Side::Bid => changes.bids.push(change),
                    Side::Ask => changes.asks.push(change),
                }
                book.set(side, ticks, was);
            }
            found.push((at, changes));
            at = *before;
        }
        found.reverse();
        found
    }

    fn undone(&self, messages: usize) -> (i64, Book) {
        let (mut book, mut seq) = (self.image.clone(), self.seq);
        for (before, levels) in self.steps.iter().rev().take(messages) {
            for level in levels.iter().rev() {
                book.set(level.side, level.ticks, level.lots);
            }
            seq = *before;
        }
        (seq, book)
    }

    /// The symbol's tick became `factor` times finer: the same prices in other numbers.
    pub fn refine(&mut self, image: Book, factor: i64) {
        self.image = image;
        for (_, levels) in &mut self.steps {
            for level in levels {
                level.ticks = level.ticks.saturating_mul(factor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Grid;
    use gapless_book::decimal::Decimal;

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
