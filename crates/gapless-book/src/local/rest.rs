//! Snapshots over REST: whether one is believed, and how it is joined to what is held.

use super::{Demand, EMPTY_MAX, LocalBook, REFUSED_MAX, Reason, State, message_crosses};
use crate::book::Observer;
use crate::event::{BookMessage, Times};
use crate::held::Held;
use crate::sequence::{Bridge, Chain, Join, NEVER_TRADED, Verdict};

impl LocalBook {
    /// A snapshot that was asked for over REST, or came unasked.
    pub(super) fn rest_snapshot<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Verdict {
        if self.rule().bridge == Bridge::InStream || self.disbelieved(message) {
            self.counters.snapshots_ignored += 1;
            return Verdict::Ignore;
        }
        match self.join(message) {
            Join::Old => {
                self.counters.snapshots_ignored += 1;
                Verdict::Stale
            }
            Join::Audit => {
                self.start_audit(message);
                Verdict::Stale
            }
            Join::Refuse => {
                self.counters.snapshots_ignored += 1;
                self.demand = Demand::Snapshot;
                self.refused_snapshot();
                Verdict::SnapshotTooOld
            }
            Join::Take => {
                self.take_rest(message, times, observer);
                Verdict::Replace
            }
        }
    }

    /// Joins a snapshot to what is held; where it cannot be, to what came after the ids last fell.
    fn join(&mut self, message: &BookMessage<'_>) -> Join {
        let empty = is_empty(message);
        let join = self.sequencer.join(&message.seq, empty, self.held.ids());
        if join != Join::Refuse {
            return join;
        }
        let Some(fell_at) = self.held.fell_at() else { return join };
        let join = self.sequencer.join(&message.seq, empty, self.held.ids().skip(fell_at));
        if join == Join::Take {
            self.held.drop_front(fell_at);
        }
        join
    }

    /// A snapshot could not be joined: after many of them a person should look.
    pub(super) fn refused_snapshot(&mut self) {
        self.refused_run = self.refused_run.saturating_add(1);
        // Linked updates leave out what came back inside their window: there a snapshot joins by
        // luck, and bad luck is no fault (ruling 0.6.20).
        if self.refused_run >= REFUSED_MAX && self.rule().chain != Chain::Linked {
            self.leave(State::Failed, Reason::SnapshotNeverCatchesUp);
        }
    }

    /// Snapshots that contradict themselves or what is held (ruling 0.6.19).
    fn disbelieved(&mut self, message: &BookMessage<'_>) -> bool {
        let pictured = self.sequencer.is_pictured();
        let chained = self.sequencer.is_chained() && !pictured;
        if message_crosses(message) {
            if pictured {
                self.lose(Reason::Crossed);
            }
            if !chained {
                self.demand = Demand::Snapshot;
                self.refused_snapshot();
            }
            return true;
        }
        if !is_empty(message) || chained || !self.contradicts_empty(message) {
            self.empty_run = 0;
            return false;
        }
        self.empty_run += 1;
        if self.empty_run > EMPTY_MAX {
            self.empty_run = 0;
            return false;
        }
        if pictured {
            self.lose(Reason::AwaitingSnapshot);
        }
        self.demand = Demand::Snapshot;
        true
    }

    /// Whether what is known speaks against an empty snapshot.
    fn contradicts_empty(&self, message: &BookMessage<'_>) -> bool {
        if message.seq.last == Some(NEVER_TRADED) {
            return self.was_live;
        }
        let stood = self.book.best_bid().is_some() || self.book.best_ask().is_some();
        stood || self.held.inserts()
    }

    fn take_rest<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) {
        self.keep_before_load(message);
        if let Err(refusal) = self.book.load(message, observer) {
            self.refuse_levels(refusal);
            return;
        }
        self.counters.snapshots += 1;
        self.counters.resets += u64::from(self.state == State::Live);
        self.epoch += 1;
        self.last_times = *times;
        self.weak = message.seq.last.is_none();
        self.undo.clear();
        self.truncate_loaded(message, observer);
        self.leave(State::Syncing, Reason::AwaitingFirstDelta);
        self.settle();
        self.hole = None;
        let held = core::mem::take(&mut self.held);
        self.take_kept(&held, times, observer);
        self.recycle(held);
    }

    /// Takes messages that were kept, in their order.
    pub(super) fn take_kept<O: Observer>(&mut self, kept: &Held, times: &Times, observer: &mut O) {
        for (message, _) in kept.messages() {
            let has_levels = !message.bids.is_empty() || !message.asks.is_empty();
            let verdict = self.sequencer.delta(&message.seq, has_levels);
            self.act(verdict, &message, times, observer);
        }
    }

    /// Gives the emptied buffer back, unless a loss inside it has started a new one.
    pub(super) fn recycle(&mut self, mut held: Held) {
        if self.held.is_empty() {
            held.clear();
            self.held = held;
        }
    }
}

fn is_empty(message: &BookMessage<'_>) -> bool {
    message.bids.is_empty() && message.asks.is_empty()
}
