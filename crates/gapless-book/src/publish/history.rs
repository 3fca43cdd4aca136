//! The writer's side of the log of changes and of the checkpoints that it is followed from.

use super::changes::{self, ChangeKind};
use super::checkpoint::{CheckpointWords, CheckpointWriter};
use super::ring::{RingWords, RingWriter};
use super::status::StatusWords;
use crate::book::{Book, Levels};
use crate::event::{Level, Side};
use alloc::vec::Vec;

/// What changed since the last publication, and how far log and checkpoints are.
#[derive(Debug)]
pub(super) struct History {
    ring: RingWriter,
    checkpoints: CheckpointWriter,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// Levels for which one record has room.
    room: usize,
    /// Changes were not noted one by one: the next record has all levels.
    is_anew: bool,
}

impl History {
    /// Before the first publication to a log of so many slots; 0: there is no log.
    pub(super) fn new(ring: usize) -> Self {
        let room = changes::room(ring);
        // At once, so that no message makes it grow.
        let side = || Vec::with_capacity(room);
        let (ring, checkpoints) = (RingWriter::default(), CheckpointWriter::default());
        Self { ring, checkpoints, bids: side(), asks: side(), room, is_anew: false }
    }

    /// A level changed.
    #[inline(always)]
    pub(super) fn changed(&mut self, side: Side, level: Level) {
        if self.bids.len() + self.asks.len() >= self.room {
            self.is_anew = true;
            return;
        }
        match side {
            Side::Bid => self.bids.push(level),
            Side::Ask => self.asks.push(level),
        }
    }

    /// Any level may have changed.
    pub(super) fn all_changed(&mut self) {
        self.is_anew = true;
    }

    /// Appends what was noted, and goes on with the checkpoint.
    #[inline]
    pub(super) fn record(
        &mut self,
        ring: RingWords<'_>,
        checkpoints: CheckpointWords<'_>,
        status: &StatusWords,
        book: &Book,
    ) {
        let place = self.ring.position();
        let kind = if self.is_anew { self.note_all(book) } else { ChangeKind::Delta };
        changes::append(&mut self.ring, ring, kind, status, (&self.bids, &self.asks));
        self.bids.clear();
        self.asks.clear();
        let end = self.ring.position();
        if kind == ChangeKind::Resync {
            // Who takes the copy does not meet that record again, but learns the status.
            self.record_status(ring, status);
            self.checkpoints.complete(checkpoints, book, end);
            return;
        }
        let len = (end - place) as usize;
        self.checkpoints.advance(checkpoints, book, (place, len), ring.slots.len());
    }

    /// Appends a status; the levels are as before.
    pub(super) fn record_status(&mut self, ring: RingWords<'_>, status: &StatusWords) {
        changes::append(&mut self.ring, ring, ChangeKind::Delta, status, (&[], &[]));
    }

    /// Notes every level of the book instead of the changes, or none if they are too many.
    fn note_all(&mut self, book: &Book) -> ChangeKind {
        self.is_anew = false;
        self.bids.clear();
        self.asks.clear();
        let (bids, asks) = (book.side(Side::Bid), book.side(Side::Ask));
        if bids.len() + asks.len() > self.room {
            return ChangeKind::Resync;
        }
        note(bids, &mut self.bids);
        note(asks, &mut self.asks);
        ChangeKind::Reset
    }
}

fn note(levels: &Levels, into: &mut Vec<Level>) {
    into.resize(levels.len(), Level::default());
    levels.top(into);
}
