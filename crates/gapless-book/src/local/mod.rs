//! A local book: the venue's book as far as the sequence proves it, and a state that says so.
//!
//! ```text
//! BookMessage ─► Sequencer ─► verdict ─► Book ─► checks (depth, checksum, crossing) ─► State
//!                    │ Hold                                                   │ lost
//!                    ▼                                                        ▼
//!                  Held  ◄─────────── snapshot joins ──────────────────  Demand
//! ```
//!
//! Invariant: [`State::Live`] is said only of a book that holds every message up to its anchor,
//! is not crossed and, where the venue sends checksums, matched the last one.

mod audit;
mod check;
mod hole;
mod policy;
mod rest;
mod state;

pub use crate::counters::Counters;
pub use policy::{CROSSED_MAX, CROSSED_NS_MAX, CrossedPolicy, EMPTY_MAX, Policy, REFUSED_MAX};
pub use state::{Demand, Integrity, Outcome, Reason, State, Transition};

use crate::book::{Book, Change, Observer, Refusal};
use crate::decimal::Decimal;
use crate::event::{BookKind, BookMessage, Flags, Level, NO_TIME, Side, Times};
use crate::held::Held;
use crate::sequence::{Bridge, Chain, Rule, Sequencer, Verdict, lowers};
use alloc::boxed::Box;
use alloc::vec::Vec;
use audit::Audit;
use hole::Hole;

/// One book on one line.
#[derive(Clone, Debug)]
pub struct LocalBook {
    sequencer: Sequencer,
    book: Book,
    held: Held,
    policy: Policy,
    state: State,
    reason: Reason,
    epoch: u32,
    /// Epoch in which it was last live: a later one begins with a reset.
    live_epoch: u32,
    counters: Counters,
    demand: Demand,
    was_live: bool,
    /// It was live, and no new snapshot has healed it yet.
    lost: bool,
    weak: bool,
    crossed_run: u32,
    crossed_since: i64,
    empty_run: u8,
    /// REST snapshots that could not be joined, since the book was last live or connected.
    refused_run: u8,
    complete_to: [Option<Decimal>; 2],
    last_times: Times,
    undo: Vec<(Side, Level)>,
    last_live: Option<Box<Book>>,
    last_live_anchor: Option<i64>,
    audit: Option<Box<Audit>>,
    hole: Option<Box<Hole>>,
    /// What is received is late.
    late: bool,
}

impl LocalBook {
    /// A book that waits for its first snapshot.
    #[must_use]
    pub fn new(rule: Rule, policy: Policy) -> Self {
        Self {
            sequencer: Sequencer::new(rule).lenient(policy.lenient_bridge),
            book: Book::new(),
            held: Held::default(),
            policy,
            state: State::Syncing,
            reason: Reason::AwaitingSnapshot,
            epoch: 0,
            live_epoch: 0,
            counters: Counters::default(),
            demand: Demand::None,
            was_live: false,
            lost: false,
            weak: matches!(rule.chain, Chain::Unnumbered),
            crossed_run: 0,
            crossed_since: NO_TIME,
            empty_run: 0,
            refused_run: 0,
            complete_to: [None; 2],
            last_times: Times::default(),
            undo: Vec::new(),
            last_live: None,
            last_live_anchor: None,
            audit: None,
            hole: None,
            late: false,
        }
    }

    /// State and reason.
    #[must_use]
    pub const fn state(&self) -> (State, Reason) {
        (self.state, self.reason)
    }

    /// Counts the snapshots that replaced the book.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Number of the last accepted message.
    #[must_use]
    pub const fn seq(&self) -> Option<i64> {
        self.sequencer.anchor()
    }

    /// The levels as they stand, whatever the state.
    #[must_use]
    pub const fn last_known(&self) -> &Book {
        &self.book
    }

    /// The book if it is live.
    #[must_use]
    pub fn live(&self) -> Option<&Book> {
        (self.state == State::Live).then_some(&self.book)
    }

    /// The book as it was when it was last live, with its number; needs
    /// [`Policy::keep_last_live`] where a later message broke it.
    #[must_use]
    pub fn last_live(&self) -> Option<(&Book, Option<i64>)> {
        if !self.was_live {
            return None;
        }
        match &self.last_live {
            Some(book) => Some((book, self.last_live_anchor)),
            None => Some((&self.book, self.sequencer.anchor().or(self.last_live_anchor))),
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts from zero again.
    pub fn forget_counts(&mut self) {
        self.counters = Counters::default();
    }

    /// How well continuity is proven.
    #[must_use]
    pub const fn integrity(&self) -> Integrity {
        let weak = self.weak || self.sequencer.is_loosely_joined();
        if weak { Integrity::Weak } else { Integrity::Full }
    }

    /// Whether the numbers prove the book up to its last message, whatever else its state says.
    #[must_use]
    pub fn is_chained(&self) -> bool {
        self.sequencer.is_chained()
    }

    /// Whether the book is a REST snapshot without a number: the next one takes its place.
    #[must_use]
    pub fn is_pictured(&self) -> bool {
        self.sequencer.is_pictured()
    }

    /// Its choices.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The rule it follows.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.sequencer.rule()
    }

    /// Price beyond which levels of a side are unknown, not absent, in the scale of the book as it
    /// is now; `None` = the side is whole.
    #[must_use]
    pub fn complete_to(&self, side: Side) -> Option<i64> {
        side.of(&self.complete_to).and_then(|price| price.at_scale(self.book.scales().price))
    }

    /// Stamps of the last message that was accepted.
    #[must_use]
    pub const fn last_times(&self) -> &Times {
        &self.last_times
    }

    /// Messages waiting for a snapshot.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes one message of the book's channel, or a REST snapshot ([`Flags::REST`]).
    #[inline]
    pub fn message<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        flags: Flags,
        times: &Times,
        observer: &mut O,
    ) -> Outcome {
        let before = self.before();
        self.book.settle();
        let rule = self.sequencer.rule();
        let verdict = match message.kind {
            BookKind::Delta => self.delta(message, times, observer),
            BookKind::Image => self.image(message, times, observer),
            BookKind::Snapshot if rule.chain == Chain::LevelOne => {
                self.image(message, times, observer)
            }
            BookKind::Snapshot if flags.has(Flags::REST) || rule.bridge == Bridge::Rest => {
                self.rest_snapshot(message, times, observer)
            }
            BookKind::Snapshot => {
                self.sequencer.in_stream_snapshot(&message.seq);
                self.replace(message, times, observer);
                Verdict::Replace
            }
        };
        self.outcome(before, verdict)
    }

    /// A message of this book was refused whole: it is not live in that very message.
    pub fn refuse(&mut self) -> Outcome {
        let before = self.before();
        self.counters.rejects += 1;
        if !self.shows_pictures() {
            self.lose(Reason::Rejected);
            return self.outcome(before, Verdict::Ignore);
        }
        if self.rule().chain == Chain::LevelOne {
            // Neither an edit nor a repeat can heal what was refused; the next picture can.
            self.sequencer.lose();
        }
        if self.state == State::Live {
            self.leave(State::Syncing, Reason::Rejected);
        }
        self.outcome(before, Verdict::Ignore)
    }

    /// Whatever came may have been lost for a reason outside the book's own messages.
    pub fn invalidate(&mut self, reason: Reason) -> Outcome {
        let before = self.before();
        let is_notice = reason == Reason::GapNotice;
        self.counters.gaps += u64::from(is_notice);
        let (hole, anchor) = (self.hole.take(), self.sequencer.anchor());
        if is_notice && hole.is_some() {
            // What it tells of is known, and may be on its way.
            self.leave(State::Syncing, reason);
            self.demand = self.resync_demand();
            self.hole = hole;
            return self.outcome(before, Verdict::Ignore);
        }
        self.lose(reason);
        if is_notice {
            self.open_hole(anchor);
        }
        self.outcome(before, Verdict::Ignore)
    }

    /// It needs a person: nothing is asked for, and what was there is void. A snapshot that comes
    /// all the same heals it.
    pub fn fail(&mut self, reason: Reason) -> Outcome {
        let before = self.before();
        self.lose(reason);
        self.state = State::Failed;
        self.demand = Demand::None;
        self.outcome(before, Verdict::Ignore)
    }

    /// The connection ended: the book and all sequence state of the line are void.
    pub fn disconnect(&mut self) -> Outcome {
        let before = self.before();
        self.sequencer.new_epoch();
        self.held.clear();
        self.audit = None;
        self.refused_run = 0;
        self.lose(Reason::Disconnected);
        self.demand = Demand::None;
        self.outcome(before, Verdict::Ignore)
    }

    /// Becomes what another line's book of the same instrument is: a new epoch. What happened to
    /// this one stays counted.
    pub fn adopt<O: Observer>(&mut self, other: &Self, observer: &mut O) -> Outcome {
        let before = self.before();
        self.book.replace(&other.book, observer);
        self.sequencer = other.sequencer.clone();
        self.held.clear();
        self.audit = None;
        self.hole = None;
        self.undo.clear();
        self.last_live = None;
        self.complete_to = other.complete_to;
        self.weak = other.weak;
        self.last_times = other.last_times;
        self.crossed_run = 0;
        self.epoch += 1;
        self.counters.snapshots += 1;
        self.leave(State::Syncing, Reason::AwaitingSnapshot);
        if other.state == State::Live {
            self.settle();
        }
        self.outcome(before, Verdict::Replace)
    }

    /// Tells the time: a live book that was silent for longer than `limit_ns` is stale, and one
    /// that is crossed for [`CROSSED_NS_MAX`] under [`CrossedPolicy::Resync`] is given up.
    pub fn tick(&mut self, now_ns: i64, limit_ns: i64) -> Outcome {
        let before = self.before();
        let last = self.last_times.recv_ns;
        if self.state == State::Live && last != NO_TIME && now_ns.saturating_sub(last) > limit_ns {
            self.leave(State::Stale, Reason::Silent);
        }
        if self.crossed_run > 0 && self.crossed_too_long(now_ns) {
            self.lose(Reason::Crossed);
        }
        self.outcome(before, Verdict::Heartbeat)
    }

    /// Tells whether what is received is late: a book that would be live is stale for as long.
    pub fn set_late(&mut self, late: bool) -> Outcome {
        let before = self.before();
        self.late = late;
        match (self.state, self.reason) {
            (State::Live, _) if late => self.leave(State::Stale, Reason::Late),
            (State::Stale, Reason::Late) if !late => self.settle(),
            _ => {}
        }
        self.outcome(before, Verdict::Heartbeat)
    }

    /// Whether every message of the channel is a book of its own (ruling 0.6.25).
    const fn shows_pictures(&self) -> bool {
        matches!(self.rule().chain, Chain::Image | Chain::LevelOne | Chain::ImageCounted)
    }

    fn before(&mut self) -> bool {
        self.demand = Demand::None;
        self.state == State::Live
    }

    #[inline]
    fn outcome(&mut self, was_live: bool, verdict: Verdict) -> Outcome {
        let live = self.state == State::Live;
        let transition = match (was_live, live) {
            (true, false) => Transition::Invalidated(self.reason),
            (_, true) if self.live_epoch != self.epoch => Transition::Reset,
            (false, true) => Transition::Live,
            _ => Transition::None,
        };
        if live {
            self.live_epoch = self.epoch;
        }
        Outcome { verdict, transition, demand: self.demand }
    }

    #[inline]
    fn delta<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Verdict {
        self.counters.deltas += 1;
        let has_levels = !message.bids.is_empty() || !message.asks.is_empty();
        let verdict = self.sequencer.delta(&message.seq, has_levels);
        observer.sequenced();
        self.act(verdict, message, times, observer);
        verdict
    }

    #[inline]
    fn act<O: Observer>(
        &mut self,
        verdict: Verdict,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) {
        if let Verdict::Apply { overlap } = verdict {
            self.counters.overlaps += u64::from(overlap);
            self.apply(message, times, observer);
        } else {
            self.not_applied(verdict, message, times, observer);
        }
    }

    fn not_applied<O: Observer>(
        &mut self,
        verdict: Verdict,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) {
        match verdict {
            Verdict::Apply { .. } => {}
            Verdict::Replace => self.replace(message, times, observer),
            Verdict::Heartbeat => {
                self.counters.heartbeats += 1;
                self.alive(times);
            }
            Verdict::Stale => {
                self.counters.duplicates += 1;
                self.alive(times);
            }
            Verdict::Ignore => self.counters.unsynced += 1,
            Verdict::Hold => {
                self.hold(message, times);
                self.close_hole(times, observer);
            }
            Verdict::Backwards => {
                self.counters.backwards += 1;
                if self.state == State::Live || self.state == State::Stale {
                    self.leave(State::Syncing, Reason::SequenceBackwards);
                }
            }
            Verdict::Gap { expected, .. } => {
                self.counters.gaps += 1;
                self.lose(Reason::Gap);
                self.open_hole(expected.checked_sub(1));
                self.hold_if_bridged(message, times);
            }
            Verdict::SnapshotTooOld => {
                self.counters.snapshots -= 1;
                self.counters.snapshots_ignored += 1;
                self.lose(Reason::AwaitingSnapshot);
                self.hold_if_bridged(message, times);
                self.refused_snapshot();
            }
            Verdict::Restart => {
                self.lose(Reason::Restart);
                // Any snapshot of a new count holds its first message; held, it would restart
                // the count again when the snapshot is joined.
                if self.rule().chain != Chain::CounterRest {
                    self.hold_if_bridged(message, times);
                }
            }
        }
    }

    /// A message that is no news still shows that the line is alive.
    fn alive(&mut self, times: &Times) {
        self.last_times.recv_ns = times.recv_ns;
        if self.state == State::Stale {
            self.settle();
        }
    }

    fn hold_if_bridged(&mut self, message: &BookMessage<'_>, times: &Times) {
        if self.sequencer.rule().bridge != Bridge::InStream {
            self.hold(message, times);
        }
    }

    fn hold(&mut self, message: &BookMessage<'_>, times: &Times) {
        if self.is_out_of_order(message) || self.is_nameless(message) {
            self.counters.unsynced += 1;
            return;
        }
        if self.held.is_empty() && self.rule().bridge == Bridge::Rest {
            self.demand = Demand::Snapshot;
        }
        if self.breaks_count(message) {
            self.held.clear();
        }
        if !self.held.push(message, times) {
            self.counters.gaps += 1;
            if self.state != State::Failed {
                self.reason = Reason::BufferOverflow;
            }
            self.demand = self.resync_demand();
        }
    }

    /// A message of before what is held last, by the number that all of the venue's topics share:
    /// it belongs to no count that a snapshot could be joined to (protocols.md 3.5b step 1).
    fn is_out_of_order(&self, message: &BookMessage<'_>) -> bool {
        let last = self.held.ids().last().and_then(|ids| ids.cross);
        self.rule().chain == Chain::CounterRest
            && matches!((last, message.seq.cross), (Some(last), Some(cross)) if cross < last)
    }

    /// A message without the number that its chain goes by: no snapshot could be joined to it.
    const fn is_nameless(&self, message: &BookMessage<'_>) -> bool {
        let chain = self.rule().chain;
        let numbered =
            matches!(chain, Chain::Range | Chain::Rising | Chain::Linked | Chain::CounterRest);
        numbered && message.seq.last.is_none()
    }

    /// Where ids count by one, a hole inside what is held makes everything before it useless
    /// (protocols.md 3.5b step 1); so does a message that lowers the ids (4.7, mode B, step 3).
    fn breaks_count(&self, message: &BookMessage<'_>) -> bool {
        let last = self.held.ids().last().and_then(|ids| ids.last);
        let hole = self.rule().chain == Chain::CounterRest
            && matches!((last, message.seq.last), (Some(a), Some(b)) if b != a.saturating_add(1));
        hole || lowers(self.rule(), &message.seq)
    }

    const fn resync_demand(&self) -> Demand {
        match self.sequencer.rule().bridge {
            Bridge::Rest => Demand::Snapshot,
            Bridge::InStream | Bridge::Either => Demand::Resubscribe,
        }
    }

    /// The book can no longer be trusted and needs a new snapshot.
    fn lose(&mut self, reason: Reason) {
        self.sequencer.lose();
        self.lost |= self.was_live;
        self.crossed_run = 0;
        self.held.clear();
        self.audit = None;
        self.hole = None;
        self.leave(State::Syncing, reason);
        self.demand = self.resync_demand();
    }

    fn leave(&mut self, state: State, reason: Reason) {
        self.state = state;
        self.reason = reason;
    }

    fn apply<O: Observer>(&mut self, message: &BookMessage<'_>, times: &Times, observer: &mut O) {
        let differed = self.audit_inside(message);
        let applied = if self.policy.keep_last_live {
            self.apply_with_undo(message, observer)
        } else {
            self.book.apply(message, observer)
        };
        if let Err(refusal) = applied {
            self.refuse_levels(refusal);
            return;
        }
        self.counters.applied += 1;
        self.last_times = *times;
        if message.seq.last.is_none() {
            self.weak = true;
        }
        self.truncate(observer);
        self.conclude(message, times, observer);
        if self.audit_at_anchor() || differed {
            self.lose(Reason::Audit);
        }
    }

    /// After a whole message: checks where there is something to check, then the state.
    #[inline]
    fn conclude<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) {
        if self.book.is_crossed() || self.rule().checksum {
            self.check(message, times, observer);
        } else {
            self.crossed_run = 0;
            self.settle();
        }
    }

    fn refuse_levels(&mut self, refusal: Refusal) {
        self.counters.rejects += 1;
        self.lose(match refusal {
            Refusal::Scale => Reason::Rejected,
            Refusal::TooManyLevels => Reason::TooManyLevels,
        });
    }

    fn apply_with_undo<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        let undo = &mut self.undo;
        undo.clear();
        self.book.apply(message, &mut |side: Side, level: Level, change: Change| {
            let old = match change {
                Change::Inserted => Some(0),
                Change::Updated { old } | Change::Removed { old } => Some(old),
                Change::Absent | Change::Full => None,
            };
            if let Some(qty) = old {
                undo.push((side, Level { price: level.price, qty }));
            }
            observer.level(side, level, change);
        })
    }

    fn image<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Verdict {
        let verdict = self.sequencer.image(&message.seq);
        self.act(verdict, message, times, observer);
        verdict
    }

    /// A whole book of the stream replaces what there was.
    fn replace<O: Observer>(&mut self, message: &BookMessage<'_>, times: &Times, observer: &mut O) {
        let was_live = self.state == State::Live;
        self.keep_before_load(message);
        if let Err(refusal) = self.book.load(message, observer) {
            self.refuse_levels(refusal);
            return;
        }
        self.counters.snapshots += 1;
        self.counters.resets += u64::from(was_live);
        self.held.clear();
        self.audit = None;
        self.hole = None;
        self.epoch += u32::from(message.kind != BookKind::Image || self.epoch == 0);
        self.last_times = *times;
        self.weak = message.seq.last.is_none() && message.kind != BookKind::Image;
        self.truncate_loaded(message, observer);
        self.state = State::Syncing;
        self.undo.clear();
        self.conclude(message, times, observer);
        // A picture of its own channel is replaced by the next one; a chain that opens on a
        // crossed book stays on it (ruling 0.6.19).
        let chains = !self.shows_pictures() && self.policy.crossed == CrossedPolicy::Resync;
        if chains && self.reason == Reason::Crossed {
            self.lose(Reason::Crossed);
        }
    }

    /// Before a snapshot overwrites the book: it may turn out to have been the last live one.
    fn keep_before_load(&mut self, message: &BookMessage<'_>) {
        let last = self.was_live && self.last_live.is_none();
        if self.policy.keep_last_live
            && last
            && (self.state != State::Live || self.rule().checksum || message_crosses(message))
        {
            self.last_live = Some(Box::new(self.book.clone()));
        }
    }

    fn truncate_loaded<O: Observer>(&mut self, message: &BookMessage<'_>, observer: &mut O) {
        self.truncate(observer);
        self.complete_to = horizon(&self.book, message.depth_limit.or(self.rule().depth));
    }
}

/// Worst price of each side where it holds exactly as many levels as were asked for.
fn horizon(book: &Book, limit: Option<u16>) -> [Option<Decimal>; 2] {
    [Side::Bid, Side::Ask].map(|side| {
        let full = limit.is_some_and(|limit| book.side(side).len() == usize::from(limit));
        book.side(side).worst().filter(|_| full).map(|level| book.decimals(level).0)
    })
}

/// Tells of a level that went although no message named it.
fn tell_removed<O: Observer>(observer: &mut O, side: Side, level: Level) {
    let gone = Level { qty: 0, ..level };
    observer.level(side, gone, Change::Removed { old: level.qty });
}

fn message_crosses(message: &BookMessage<'_>) -> bool {
    let standing = |levels: &[Level]| -> Vec<i64> {
        levels.iter().filter(|level| level.qty != 0).map(|level| level.price).collect()
    };
    let bid = standing(message.bids).into_iter().max();
    let ask = standing(message.asks).into_iter().min();
    matches!((bid, ask), (Some(bid), Some(ask)) if bid >= ask)
}
