//! The best bid and ask with their status, in one pair of cache lines.
//!
//! The first line has all that a strategy acts on; what it only records (the venue's stamp and the
//! stamp of publication) is in the second, which the processor fetches along with the first.

use super::layout::TopWords;
use super::seqlock::{self, Busy, Lock, get, put};
use super::status::{Status, StatusWords};
use crate::event::Level;

/// Best bid and ask with their status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// What may be thought of the levels.
    pub status: Status,
    /// Highest bid; `None` if there is no bid.
    pub bid: Option<Level>,
    /// Lowest ask; `None` if there is no ask.
    pub ask: Option<Level>,
}

/// The same as it is published; an absent level has size 0, which no level has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub status: StatusWords,
    pub bid: Level,
    pub ask: Level,
}

/// The writer's side.
#[derive(Debug, Default)]
pub(super) struct TopWriter {
    lock: Lock,
}

impl TopWriter {
    /// Holds readers back until the next [`TopWriter::store`].
    #[inline(always)]
    pub(super) fn hold(&mut self, words: &TopWords) {
        let [lock, ..] = words;
        self.lock.open(lock);
    }

    /// Replaces what is shown.
    #[inline(always)]
    pub(super) fn store(&mut self, words: &TopWords, shown: &Shown) {
        let [lock, standing, seq, recv, bid_price, bid_qty, ask_price, ask_qty, venue, published] =
            words;
        self.lock.open(lock);
        // Every message changes words of both lines, so that sparing stores would spare nothing.
        let status_words = [standing, seq, recv, venue, published];
        status_words.into_iter().zip(shown.status).for_each(|(word, value)| put(word, value));
        put(bid_price, shown.bid.price as u64);
        put(bid_qty, shown.bid.qty as u64);
        put(ask_price, shown.ask.price as u64);
        put(ask_qty, shown.ask.qty as u64);
        self.lock.close(lock);
    }
}

#[inline(always)]
fn level_of(price: u64, qty: u64) -> Option<Level> {
    (qty != 0).then_some(Level { price: price as i64, qty: qty as i64 })
}

/// Copies what is shown.
#[inline]
pub(super) fn read(words: &TopWords) -> Result<Top, Busy> {
    let [lock, content @ ..] = words;
    let [standing, seq, recv, bid_price, bid_qty, ask_price, ask_qty, venue, published] =
        seqlock::read(lock, || content.each_ref().map(get))?;
    Ok(Top {
        status: Status::decode([standing, seq, recv, venue, published]),
        bid: level_of(bid_price, bid_qty),
        ask: level_of(ask_price, ask_qty),
    })
}
