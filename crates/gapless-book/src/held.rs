//! Deltas kept while a snapshot is on its way.
//!
//! Invariant: never more than [`HELD_MAX`] messages or [`HELD_LEVELS_MAX`] levels; when full,
//! everything is dropped and the caller counts a loss (protocols.md 0.2 rule 10).

use crate::event::{BookKind, BookMessage, Level, LevelExtra, Scales, SeqInfo, Times};
use alloc::vec::Vec;

/// Most messages held.
pub const HELD_MAX: usize = 4096;
/// Most levels held: 4 MiB of them.
pub const HELD_LEVELS_MAX: usize = 4 * 1024 * 1024 / size_of::<Level>();

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: BookKind,
    seq: SeqInfo,
    scales: Scales,
    times: Times,
    bids: usize,
    asks: usize,
    extras: usize,
}

/// Messages in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Held {
    entries: Vec<Entry>,
    levels: Vec<Level>,
    extras: Vec<LevelExtra>,
}

impl Held {
    /// Keeps a message; `false` if it was full and is now empty.
    pub fn push(&mut self, message: &BookMessage<'_>, times: &Times) -> bool {
        let more = message.bids.len() + message.asks.len();
        if self.entries.len() >= HELD_MAX || self.levels.len() + more > HELD_LEVELS_MAX {
            self.clear();
            return false;
        }
        self.entries.push(Entry {
            kind: message.kind,
            seq: message.seq,
            scales: message.scales,
            times: *times,
            bids: message.bids.len(),
            asks: message.asks.len(),
            extras: message.extras.len(),
        });
        self.levels.extend_from_slice(message.bids);
        self.levels.extend_from_slice(message.asks);
        self.extras.extend_from_slice(message.extras);
        true
    }

    /// Drops everything; memory is kept for the next time.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.levels.clear();
        self.extras.clear();
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Numbers of the messages in order.
    pub fn ids(&self) -> impl Iterator<Item = &SeqInfo> + Clone {
        self.entries.iter().map(|entry| &entry.seq)
    }

    /// Place of the last message whose id is below that of the one before it: a venue that lowers
    /// its ids (maintenance, fail-over) makes what came before them useless.
    #[must_use]
    pub fn fell_at(&self) -> Option<usize> {
        let ids = || self.ids().map(|ids| ids.last);
        let falls = ids().zip(ids().skip(1)).map(|(one, next)| next.is_some() && next < one);
        falls.enumerate().filter(|(_, fell)| *fell).last().map(|(at, _)| at + 1)
    }

    /// Numbers and stamps of the first message.
    #[must_use]
    pub fn front(&self) -> Option<(&SeqInfo, &Times)> {
        self.entries.first().map(|entry| (&entry.seq, &entry.times))
    }

    /// Drops the first messages; all if there are no more.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.entries.len());
        let dropped = self.entries.drain(..count);
        let (levels, extras) = dropped.fold((0, 0), |(levels, extras), entry| {
            (levels + entry.bids + entry.asks, extras + entry.extras)
        });
        self.levels.drain(..levels.min(self.levels.len()));
        self.extras.drain(..extras.min(self.extras.len()));
    }

    /// Whether any message inserts a level.
    #[must_use]
    pub fn inserts(&self) -> bool {
        self.levels.iter().any(|level| level.qty != 0)
    }

    /// The messages in order, each with its stamps.
    pub fn messages(&self) -> impl Iterator<Item = (BookMessage<'_>, Times)> {
        let (mut levels, mut extras) = (&self.levels[..], &self.extras[..]);
        self.entries.iter().map(move |entry| {
            let (bids, rest) = levels.split_at(entry.bids.min(levels.len()));
            let (asks, rest) = rest.split_at(entry.asks.min(rest.len()));
            let (own, others) = extras.split_at(entry.extras.min(extras.len()));
            (levels, extras) = (rest, others);
            let message = BookMessage {
                kind: entry.kind,
                seq: entry.seq,
                scales: entry.scales,
                bids,
                asks,
                extras: own,
                depth_limit: None,
            };
            (message, entry.times)
        })
    }
}
