//! A book takes something: what changed is told, and what it wants is noted and asked for.

use super::{Action, Handler, SNAPSHOT_WAIT_NS, Stage};
use crate::books::{BookEntry, BookId, Books};
use gapless_book::book::{Change, Observer};
use gapless_book::event::{BookMessage, Level, Side};
use gapless_book::lines::LineNo;
use gapless_book::local::{Demand, Outcome, Reason, State};
use gapless_book::sequence::{Bridge, Chain, Verdict};

/// Applies something to many books and tells the handler of those that changed.
pub(super) fn for_books<H: Handler>(
    books: &mut Books,
    now_ns: i64,
    which: impl Fn(&BookEntry) -> bool,
    what: impl Fn(&mut BookEntry, &mut Watch<'_, H>) -> Outcome,
    handler: &mut H,
) {
    for index in 0..books.len() {
        let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
        let Some(entry) = books.get_mut(id).filter(|entry| which(entry)) else { continue };
        let outcome = what(entry, &mut Watch { id, handler: &mut *handler });
        finish(id, entry, outcome, now_ns, handler);
    }
}

/// A connection no longer speaks for these books. Of one that nobody else speaks for nothing is
/// wanted: what was asked for went with the connection, and what it waits for comes with the next.
pub(super) fn disconnect<H: Handler>(
    books: &mut Books,
    (no, now_ns): (LineNo, i64),
    which: impl Fn(&BookEntry) -> bool,
    handler: &mut H,
) {
    let down = |entry: &mut BookEntry, watch: &mut Watch<'_, H>| {
        let outcome = entry.disconnect(no, watch);
        if !entry.is_down() {
            return outcome;
        }
        entry.resync.forget();
        // The end of a connection is no message that shows a snapshot missing.
        Outcome { verdict: Verdict::Heartbeat, ..outcome }
    };
    for_books(books, now_ns, which, down, handler);
}

/// Tells of levels between the steps of the book's instrument.
#[inline]
pub(super) fn off_grid<H: Handler>(
    id: BookId,
    entry: &mut BookEntry,
    message: &BookMessage<'_>,
    handler: &mut H,
) {
    if !entry.steps.hold_all(message.scales) {
        entry.steps.each_off(message, |error| handler.off_grid(id, entry, &error));
    }
}

/// Notes what a book wants after an outcome, and tells the handler.
pub(super) fn finish<H: Handler>(
    id: BookId,
    entry: &mut BookEntry,
    outcome: Outcome,
    now_ns: i64,
    handler: &mut H,
) {
    if entry.local.state().0 == State::Live {
        entry.resync.healed();
    }
    if let (Verdict::Gap { expected, got }, Chain::Loose) =
        (outcome.verdict, entry.local.rule().chain)
    {
        handler.action(&Action::Repeat { book: id, from: expected, to: got - 1 });
    }
    if entry.is_refused() {
        entry.resync.forget();
    } else if outcome.demand != Demand::None {
        entry.resync.wanted = outcome.demand;
    } else if waits(entry, outcome.verdict) {
        entry.resync.waiting_since_ns = entry.resync.waiting_since_ns.min(now_ns);
    }
    handler.book(id, entry, &outcome);
    if let Some(found) = entry.lines.as_mut().and_then(|lines| lines.take_disagreement()) {
        handler.disagreement(id, entry, &found);
    }
    act(id, entry, now_ns, handler);
}

/// Whether a message shows that a snapshot is waited for: there is none, or the one that there is
/// is ahead of the stream. A snapshot of a count that the venue has left is so for ever.
fn waits(entry: &BookEntry, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Ignore | Verdict::Hold => true,
        Verdict::Stale => entry.local.state().1 == Reason::AwaitingFirstDelta,
        _ => false,
    }
}

/// A book that got deltas but no snapshot that they join for too long asks for one.
pub(super) fn overdue(entry: &mut BookEntry, now_ns: i64) {
    if entry.is_refused() {
        return;
    }
    let in_stream = entry.local.rule().bridge != Bridge::Rest;
    if in_stream && entry.local.state().0 == State::Syncing && entry.resync.is_unanswered(now_ns) {
        // Neither a snapshot nor a refusal came of a subscription: it is made again.
        entry.resync.wanted = Demand::Resubscribe;
        return;
    }
    let since = entry.resync.waiting_since_ns;
    if since == i64::MAX || now_ns.saturating_sub(since) < SNAPSHOT_WAIT_NS {
        return;
    }
    entry.resync.waiting_since_ns = now_ns;
    entry.resync.wanted = match entry.local.rule().bridge {
        Bridge::InStream => Demand::Resubscribe,
        // Snapshots do not help where the stream itself has ended.
        Bridge::Either if entry.resync.is_in_vain() => Demand::Resubscribe,
        _ => Demand::Snapshot,
    };
}

pub(super) fn act<H: Handler>(id: BookId, entry: &mut BookEntry, now_ns: i64, handler: &mut H) {
    match entry.resync.due(now_ns) {
        Demand::None => {}
        Demand::Snapshot => handler.action(&Action::Fetch(id)),
        Demand::Resubscribe => handler.action(&Action::Resubscribe(id)),
    }
}

/// Tells the handler of one book's levels and stages.
pub(super) struct Watch<'h, H> {
    pub id: BookId,
    pub handler: &'h mut H,
}

impl<H: Handler> Observer for Watch<'_, H> {
    #[inline]
    fn level(&mut self, side: Side, level: Level, change: Change) {
        self.handler.level(self.id, side, level, change);
    }

    #[inline]
    fn sequenced(&mut self) {
        self.handler.stage(Stage::Sequenced);
    }
}
