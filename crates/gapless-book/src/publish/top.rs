//! The best bid and ask with their status, in one pair of cache lines.
//!
//! The first line has all that a strategy acts on; what it only records (the venue's stamp and the
//! stamp of publication) is in the second, which the processor fetches along with the first.

use super::layout::TopWords;
use super::seqlock::{self, Busy, Lock, get, put};
use super::status::Status;
use super::sync::AtomicU64;
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
    pub(super) fn store(&mut self, words: &TopWords, top: &Top) {
        let [lock, standing, seq, recv, bid_price, bid_qty, ask_price, ask_qty, venue, published] =
            words;
        let status = top.status.encode();
        self.lock.open(lock);
        // Every message changes words of both lines, so that sparing stores would spare nothing.
        let status_words = [standing, seq, recv, venue, published];
        status_words.into_iter().zip(status).for_each(|(word, value)| put(word, value));
        store_level(bid_price, bid_qty, top.bid);
        store_level(ask_price, ask_qty, top.ask);
        self.lock.close(lock);
    }
}

/// An absent level has size 0, which no level has.
#[inline(always)]
fn store_level(price: &AtomicU64, qty: &AtomicU64, level: Option<Level>) {
    let level = level.unwrap_or_default();
    put(price, level.price as u64);
    put(qty, level.qty as u64);
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
