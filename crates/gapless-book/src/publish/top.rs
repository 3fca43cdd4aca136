//! The best bid and ask with their status, in one pair of cache lines.
//!
//! The first line has all that a strategy acts on: its reader takes one line from the writer's
//! core, and a second one costs half a round trip between the cores more. The second has what is
//! only recorded: the stamps of receipt and of the venue.

use super::layout::TopWords;
use super::seqlock::{self, Busy, Lock, get, put};
use super::status::{self, Status, StatusWords};
use crate::event::{Level, Scales};
use crate::local::{Reason, State};

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

/// Best bid and ask with what must be known to act on them: the part of [`Top`] in its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// What may be thought of the levels.
    pub state: State,
    /// Why they are not live; [`Reason::None`] if they are.
    pub reason: Reason,
    /// Counts the snapshots that replaced the book.
    pub epoch: u32,
    /// Decimals of prices and sizes.
    pub scales: Scales,
    /// As [`Status::seq`].
    pub seq: Option<i64>,
    /// As [`Status::published_ns`].
    pub published_ns: i64,
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
    pub(super) fn hold(&self, words: &TopWords) {
        let [lock, ..] = words;
        self.lock.open(lock);
    }

    /// Replaces what is shown; the first word of the status only if it is another than before.
    #[inline(always)]
    pub(super) fn store(&mut self, words: &TopWords, shown: &Shown, has_turned: bool) {
        let [lock, standing, seq, published, bid_price, bid_qty, ask_price, ask_qty, recv, venue] =
            words;
        self.lock.open(lock);
        status::put_words([standing, seq, recv, venue, published], &shown.status, has_turned);
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
    let [standing, seq, published, bid_price, bid_qty, ask_price, ask_qty, recv, venue] =
        seqlock::read(lock, || content.each_ref().map(get))?;
    Ok(Top {
        status: Status::decode([standing, seq, recv, venue, published]),
        bid: level_of(bid_price, bid_qty),
        ask: level_of(ask_price, ask_qty),
    })
}

/// Copies the first line of what is shown.
#[inline]
pub(super) fn read_best(words: &TopWords) -> Result<Best, Busy> {
    let [lock, standing, seq, published, bid_price, bid_qty, ask_price, ask_qty, ..] = words;
    let content = [standing, seq, published, bid_price, bid_qty, ask_price, ask_qty];
    let [standing, seq, published, bid_price, bid_qty, ask_price, ask_qty] =
        seqlock::read(lock, || content.map(get))?;
    // The other stamps of a status are words like any other, and not looked at.
    let Status { state, reason, epoch, scales, seq, published_ns, .. } =
        Status::decode([standing, seq, 0, 0, published]);
    let (bid, ask) = (level_of(bid_price, bid_qty), level_of(ask_price, ask_qty));
    Ok(Best { state, reason, epoch, scales, seq, published_ns, bid, ask })
}

/// When what is shown was published, whole or not.
#[inline]
pub(super) fn published_ns([_, _, _, published, ..]: &TopWords) -> i64 {
    get(published) as i64
}
