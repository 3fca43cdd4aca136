//! What the merged stream has passed on lately: who brought it, when, and what it said.
//!
//! Invariant: a message is counted once, from 0; the last [`PASSED_MAX`] are remembered.

use super::LineNo;
use crate::event::{BookMessage, Level, Scales, SeqInfo};
use alloc::vec::Vec;

/// Messages of a book that are remembered to be compared with the other lines'.
pub const PASSED_MAX: usize = 256;

/// One message that was passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub last: i64,
    /// The id that it builds on, where it says so.
    pub from: Option<i64>,
    /// Its levels; `None` of a snapshot, which is compared with the book.
    pub content: Option<u64>,
    pub recv_ns: i64,
    pub by: LineNo,
}

/// The last messages in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    ring: Vec<Entry>,
    count: u64,
}

impl Passed {
    /// Number of the next message.
    #[inline]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Forgets the messages; numbers go on.
    pub fn clear(&mut self) {
        self.ring.clear();
        // The next one is written at the start of the ring.
        self.count = self.count.next_multiple_of(PASSED_MAX as u64);
    }

    #[inline]
    pub fn push(&mut self, entry: Entry) {
        let slot = (self.count % PASSED_MAX as u64) as usize;
        match self.ring.get_mut(slot) {
            Some(old) => *old = entry,
            None => self.ring.push(entry),
        }
        self.count += 1;
    }

    /// Number of the oldest that is remembered.
    #[inline]
    pub const fn oldest(&self) -> u64 {
        self.count - self.ring.len() as u64
    }

    #[inline]
    pub fn get(&self, number: u64) -> Option<&Entry> {
        if number < self.oldest() || number >= self.count {
            return None;
        }
        self.ring.get((number % PASSED_MAX as u64) as usize)
    }

    /// Number of a message; `near` is where it is looked for first.
    #[inline]
    pub fn find(&self, ids: &SeqInfo, near: u64) -> Option<u64> {
        let (last, from) = (ids.last?, ids.prev.or(ids.first));
        let is = |number: &u64| {
            self.get(*number).is_some_and(|entry| {
                entry.last == last && (entry.content.is_none() || entry.from == from)
            })
        };
        if is(&near) {
            return Some(near);
        }
        (near.max(self.oldest())..self.count).find(is).or_else(|| {
            let before = self.oldest()..near.min(self.count);
            before.rev().find(is)
        })
    }

    /// Number of the message that ends at an id.
    pub fn ends_at(&self, last: i64) -> Option<u64> {
        let mut numbers = (self.oldest()..self.count).rev();
        numbers.find(|number| self.get(*number).is_some_and(|entry| entry.last == last))
    }

    /// Number of the first message that ends after an id.
    pub fn after(&self, last: i64) -> u64 {
        let mut numbers = self.oldest()..self.count;
        numbers
            .find(|number| self.get(*number).is_some_and(|entry| entry.last > last))
            .unwrap_or(self.count)
    }
}

/// A number for the levels of a message, the same however their scales are written.
#[inline]
pub(super) fn content(message: &BookMessage<'_>) -> u64 {
    let Scales { price, qty } = message.scales;
    let (price, qty) = (factor(price), factor(qty));
    let bids = side(message.bids, price, qty, 0x9e37_79b9_7f4a_7c15);
    let asks = side(message.asks, price, qty, 0xc2b2_ae3d_27d4_eb4f);
    bids ^ asks.rotate_left(32)
}

/// What brings a scale to 18 decimals. Products wrap: equal values stay equal.
#[inline]
const fn factor(scale: u8) -> u64 {
    10u64.wrapping_pow(18u32.saturating_sub(scale as u32))
}

#[inline]
fn side(levels: &[Level], price: u64, qty: u64, salt: u64) -> u64 {
    let mut sum = levels.len() as u64;
    for level in levels {
        let a = level.price.cast_unsigned().wrapping_mul(price) ^ salt;
        let b = level.qty.cast_unsigned().wrapping_mul(qty) ^ 0xd6e8_feb8_6659_fd93;
        let product = u128::from(a) * u128::from(b);
        sum = sum.rotate_left(5).wrapping_add(product as u64 ^ (product >> 64) as u64);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BookKind;

    fn entry(last: i64) -> Entry {
        Entry { last, from: Some(last - 1), content: Some(0), recv_ns: 0, by: LineNo(0) }
    }

    fn ids(last: i64) -> SeqInfo {
        SeqInfo { last: Some(last), prev: Some(last - 1), ..SeqInfo::default() }
    }

    #[test]
    fn the_last_messages_are_found_wherever_the_search_begins() {
        let mut passed = Passed::default();
        for last in 0..300 {
            passed.push(entry(last));
        }
        for near in [0, 44, 200, 299, 300, 500] {
            assert_eq!(passed.find(&ids(200), near), Some(200));
            assert_eq!(passed.find(&ids(43), near), None);
            assert_eq!(passed.find(&ids(44), near), Some(44));
            assert_eq!(passed.find(&ids(300), near), None);
        }
        assert_eq!((passed.ends_at(250), passed.after(250)), (Some(250), 251));
        passed.clear();
        assert_eq!(passed.find(&ids(200), 200), None);
        let number = passed.count();
        passed.push(entry(7));
        assert_eq!(passed.find(&ids(7), 0), Some(number));
        assert_eq!(passed.oldest(), number);
    }

    #[test]
    fn the_content_is_that_of_the_values_not_of_their_scales() {
        let message = |scales, levels: &'static [Level]| BookMessage {
            kind: BookKind::Delta,
            seq: SeqInfo::default(),
            scales,
            bids: levels,
            asks: &[],
            extras: &[],
            depth_limit: None,
        };
        let coarse = message(Scales { price: 1, qty: 0 }, &[Level { price: 125, qty: 3 }]);
        let fine = message(Scales { price: 2, qty: 2 }, &[Level { price: 1250, qty: 300 }]);
        assert_eq!(content(&coarse), content(&fine));
        let asks = BookMessage { bids: &[], asks: coarse.bids, ..coarse };
        assert_ne!(content(&coarse), content(&asks));
        let other = message(Scales { price: 1, qty: 0 }, &[Level { price: 125, qty: 4 }]);
        assert_ne!(content(&coarse), content(&other));
        let gone = message(Scales { price: 1, qty: 0 }, &[Level { price: 125, qty: 0 }]);
        let elsewhere = message(Scales { price: 1, qty: 0 }, &[Level { price: 126, qty: 0 }]);
        assert_ne!(content(&gone), content(&elsewhere));
    }
}
