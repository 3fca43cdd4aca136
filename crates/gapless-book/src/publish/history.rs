//! The writer's side of the log of changes and of the checkpoints that it is followed from.

use super::changes::{self, ChangeKind};
use super::checkpoint::{CheckpointWords, CheckpointWriter};
use super::ring::{RingWords, RingWriter};
use super::status::StatusWords;
use crate::book::{Book, Levels};
use crate::event::{Level, Side};
use alloc::boxed::Box;
use alloc::vec;

/// What changed since the last publication, and how far log and checkpoints are.
#[derive(Debug)]
pub(super) struct History {
    ring: RingWriter,
    checkpoints: CheckpointWriter,
    bids: Notes,
    asks: Notes,
    /// Levels for which one record has room.
    room: usize,
    /// Changes were not noted one by one: the next record has all levels.
    is_anew: bool,
}

impl History {
    /// Before the first publication to a log of so many slots; 0: there is no log.
    pub(super) fn new(ring: usize) -> Self {
        let room = changes::room(ring);
        let side = || Notes::new(room);
        let (ring, checkpoints) = (RingWriter::default(), CheckpointWriter::default());
        Self { ring, checkpoints, bids: side(), asks: side(), room, is_anew: false }
    }

    /// A level was named by a message, and changed or not.
    #[inline(always)]
    pub(super) fn named(&mut self, side: Side, level: Level, has_changed: bool) {
        match side {
            Side::Bid => self.bids.note(level, has_changed),
            Side::Ask => self.asks.note(level, has_changed),
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
        let (bids, asks) = (self.bids.count, self.asks.count);
        let kind = if self.is_anew || bids + asks > self.room {
            self.note_all(book)
        } else {
            ChangeKind::Delta
        };
        changes::append(&mut self.ring, ring, kind, status, (self.bids.all(), self.asks.all()));
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
        self.bids.note_all(bids);
        self.asks.note_all(asks);
        ChangeKind::Reset
    }
}

/// Levels of one side, in the order in which they were noted.
#[derive(Debug)]
struct Notes {
    /// Made at once, so that no message makes it grow; the last one stands for all that had no
    /// room.
    levels: Box<[Level]>,
    count: usize,
}

impl Notes {
    fn new(room: usize) -> Self {
        Self { levels: vec![Level::default(); room + 1].into_boxed_slice(), count: 0 }
    }

    /// Notes a level, or writes what the next note replaces: whether a level changed is nothing
    /// that a branch could foresee.
    #[inline(always)]
    fn note(&mut self, level: Level, has_changed: bool) {
        if let Some(slot) = self.levels.get_mut(self.count) {
            *slot = level;
            self.count += usize::from(has_changed);
        }
    }

    fn note_all(&mut self, levels: &Levels) {
        self.count = levels.top(self.levels.get_mut(..levels.len()).unwrap_or(&mut []));
    }

    fn all(&self) -> &[Level] {
        self.levels.get(..self.count).unwrap_or(&[])
    }

    const fn clear(&mut self) {
        self.count = 0;
    }
}
