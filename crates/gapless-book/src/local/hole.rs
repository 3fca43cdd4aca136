//! A hole in a chain, and what is repeated of it.
//!
//! A source that repeats what was lost is asked for it while a snapshot is fetched; whichever comes
//! first heals the book, and the other does nothing to it.

use super::LocalBook;
use crate::book::Observer;
use crate::event::{BookMessage, Times};
use crate::held::Held;
use crate::local::Outcome;
use crate::sequence::{Chain, Verdict};
use alloc::boxed::Box;

/// What is missing between a book and the messages held.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// Number of the last message before it.
    anchor: i64,
    /// What was repeated of it so far, from its start and without a gap.
    repeats: Held,
}

impl Hole {
    /// Number of the next message that is missing.
    fn next(&self) -> i64 {
        let repeated = i64::try_from(self.repeats.len()).unwrap_or(i64::MAX);
        self.anchor.saturating_add(repeated).saturating_add(1)
    }
}

impl LocalBook {
    /// Takes a delta that was lost and has been asked for again. When those that came reach, in
    /// their order, from the last message applied to the first one held, the book goes on in the
    /// same epoch; else they do nothing.
    pub fn repeated<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Outcome {
        let before = self.before();
        self.book.settle();
        let verdict = self.fill(message, times, observer);
        self.outcome(before, verdict)
    }

    fn fill<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Verdict {
        let missing = |hole: &&mut Box<Hole>| message.seq.last == Some(hole.next());
        let Some(hole) = self.hole.as_mut().filter(missing) else {
            self.counters.duplicates += 1;
            return Verdict::Stale;
        };
        if !hole.repeats.push(message, times) {
            self.hole = None;
        } else if self.close_hole(times, observer) {
            return Verdict::Apply { overlap: false };
        }
        Verdict::Stale
    }

    /// Messages after `anchor` are missing. Only a count shows when all of them are there.
    pub(super) fn open_hole(&mut self, anchor: Option<i64>) {
        if self.rule().chain == Chain::Loose {
            let hole = |anchor| Box::new(Hole { anchor, repeats: Held::default() });
            self.hole = anchor.map(hole);
        }
    }

    /// Goes on if what was repeated reaches the first message held.
    pub(super) fn close_hole<O: Observer>(&mut self, times: &Times, observer: &mut O) -> bool {
        let first = self.held.front().and_then(|(ids, _)| ids.last);
        let is_full = |hole: &mut Box<Hole>| {
            !hole.repeats.is_empty() && first.is_some_and(|first| first == hole.next())
        };
        let Some(hole) = self.hole.take_if(is_full) else { return false };
        let held = core::mem::take(&mut self.held);
        self.sequencer.resume(hole.anchor);
        self.take_kept(&hole.repeats, times, observer);
        self.take_kept(&held, times, observer);
        self.recycle(held);
        true
    }
}
