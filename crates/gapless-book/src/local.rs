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
#![allow(clippy::indexing_slicing, reason = "a side indexes an array of two")]

use crate::book::{Book, Change, Observer, Refusal};
use crate::checksum::top_checksum;
pub use crate::counters::Counters;
use crate::decimal::Decimal;
use crate::event::{BookKind, BookMessage, Flags, Level, NO_TIME, Side, Times};
use crate::held::Held;
use crate::sequence::{Bridge, Chain, Join, NEVER_TRADED, Rule, Sequencer, Verdict, lowers};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a reader may think of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// No trustworthy book.
    Syncing,
    /// Proven, uncrossed, fresh.
    Live,
    /// In sequence but silent for longer than allowed.
    Stale,
    /// Needs a person or a change of configuration.
    Failed,
}

impl State {
    /// The state whose number is `code`.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Syncing,
            1 => Self::Live,
            2 => Self::Stale,
            3 => Self::Failed,
            _ => return None,
        })
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syncing => "syncing",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// Why a book is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// It is live.
    None,
    /// No snapshot yet.
    AwaitingSnapshot,
    /// A snapshot came, but no delta has proven it current (ruling 0.6.11).
    AwaitingFirstDelta,
    /// Messages were lost.
    Gap,
    /// The relay says that it lost messages.
    GapNotice,
    /// The venue's checksum differs.
    Checksum,
    /// Best bid >= best ask.
    Crossed,
    /// An unknown message from the past (ruling 0.6.12).
    SequenceBackwards,
    /// The numbering began anew.
    Restart,
    /// A message could not be read or held exactly (ruling 0.6.1).
    Rejected,
    /// A side outgrew its limit.
    TooManyLevels,
    /// Too much came while waiting for a snapshot.
    BufferOverflow,
    /// The connection, or the recorder's, was lost.
    Disconnected,
    /// It cannot be told whose book a snapshot was (ruling 0.6.6).
    Unattributed,
    /// An audit against a newer snapshot differed.
    Audit,
    /// The venue changed the symbol's tick or lot.
    GridChange,
    /// Nothing was received for longer than allowed.
    Silent,
    /// A publication's writer gave no sign of life for longer than allowed; only readers say so.
    WriterSilent,
    /// A publication's writer has ended it.
    Closed,
    /// Snapshot after snapshot was older than what the stream had shown before it, or crossed.
    SnapshotNeverCatchesUp,
    /// The source refused the credentials.
    Auth,
    /// The venue does not know the symbol, or refuses to send it.
    Refused,
    /// The venue has ended the symbol.
    Delisted,
}

impl Reason {
    /// Every reason; each stands at the place of its number.
    const ALL: [Self; 23] = [
        Self::None,
        Self::AwaitingSnapshot,
        Self::AwaitingFirstDelta,
        Self::Gap,
        Self::GapNotice,
        Self::Checksum,
        Self::Crossed,
        Self::SequenceBackwards,
        Self::Restart,
        Self::Rejected,
        Self::TooManyLevels,
        Self::BufferOverflow,
        Self::Disconnected,
        Self::Unattributed,
        Self::Audit,
        Self::GridChange,
        Self::Silent,
        Self::WriterSilent,
        Self::Closed,
        Self::SnapshotNeverCatchesUp,
        Self::Auth,
        Self::Refused,
        Self::Delisted,
    ];

    /// The reason whose number is `code`.
    #[inline]
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AwaitingSnapshot => "awaiting_snapshot",
            Self::AwaitingFirstDelta => "awaiting_first_delta",
            Self::Gap => "gap",
            Self::GapNotice => "gap_notice",
            Self::Checksum => "checksum",
            Self::Crossed => "crossed",
            Self::SequenceBackwards => "sequence_backwards",
            Self::Restart => "restart",
            Self::Rejected => "rejected",
            Self::TooManyLevels => "too_many_levels",
            Self::BufferOverflow => "buffer_overflow",
            Self::Disconnected => "disconnected",
            Self::Unattributed => "unattributed",
            Self::Audit => "audit",
            Self::GridChange => "grid_change",
            Self::Silent => "silent",
            Self::WriterSilent => "writer_silent",
            Self::Closed => "closed",
            Self::SnapshotNeverCatchesUp => "snapshot_never_catches_up",
            Self::Auth => "auth",
            Self::Refused => "refused",
            Self::Delisted => "delisted",
        }
    }
}

/// What to do about a crossed book (protocols.md 0.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossedPolicy {
    /// Say so; the next uncrossed message makes it live again.
    Report,
    /// Remove levels from the side that the message did not touch.
    Uncross,
    /// Ask for a new snapshot after three crossed messages in a row or one second.
    Resync,
}

/// Choices of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Crossed books.
    pub crossed: CrossedPolicy,
    /// Verify checksums where the rule has them.
    pub verify_checksum: bool,
    /// Keep the last live book for a report when a message breaks it (costs an undo log).
    pub keep_last_live: bool,
    /// An audit that differs asks for a resync.
    pub resync_on_audit: bool,
    /// A REST snapshot that does not reach the first later update is joined to it all the same, as
    /// Tardis does with what it recorded; such a book has [`Integrity::Weak`]. Ranges and rising
    /// chains only (Binance).
    pub lenient_bridge: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            crossed: CrossedPolicy::Resync,
            verify_checksum: true,
            keep_last_live: false,
            resync_on_audit: false,
            lenient_bridge: false,
        }
    }
}

impl Policy {
    /// The choices of replay: report, and remember what was live.
    #[must_use]
    pub fn replay() -> Self {
        Self { crossed: CrossedPolicy::Report, keep_last_live: true, ..Self::default() }
    }
}

/// How well continuity is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// By the venue's sequence.
    Full,
    /// The messages carry no sequence, so that a loss may go unseen until the next snapshot; or the
    /// book was joined over a hole ([`Policy::lenient_bridge`]).
    Weak,
}

/// What a message did to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Nothing.
    None,
    /// The book was live and is not.
    Invalidated(Reason),
    /// A new book is live: levels of before are void.
    Reset,
    /// The same book is live again.
    Live,
}

/// What the book needs from its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    None,
    /// A REST snapshot.
    Snapshot,
    /// A new subscription, which brings a snapshot in the stream.
    Resubscribe,
}

/// What one message did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The sequencer's verdict.
    pub verdict: Verdict,
    /// Change of state.
    pub transition: Transition,
    /// Need.
    pub demand: Demand,
}

/// Crossed messages in a row that force a resync under [`CrossedPolicy::Resync`].
pub const CROSSED_MAX: u32 = 3;
/// Time crossed that forces one, ns.
pub const CROSSED_NS_MAX: i64 = 1_000_000_000;
/// REST snapshots in a row that could not be joined before a book says that it needs a person. It
/// goes on asking, at the slowest pace, and one that joins heals it.
pub const REFUSED_MAX: u8 = 10;
/// Empty REST snapshots in a row that are not believed (ruling 0.6.19).
pub const EMPTY_MAX: u8 = 3;

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
}

/// A newer REST snapshot, kept until the stream reaches its number (ruling 0.6.10).
#[derive(Clone, Debug)]
struct Audit {
    id: i64,
    book: Book,
    complete_to: [Option<Decimal>; 2],
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

    /// How well continuity is proven.
    #[must_use]
    pub const fn integrity(&self) -> Integrity {
        let weak = self.weak || self.sequencer.is_loosely_joined();
        if weak { Integrity::Weak } else { Integrity::Full }
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
        self.complete_to[side as usize].and_then(|price| price.at_scale(self.book.scales().price))
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
        self.counters.gaps += u64::from(reason == Reason::GapNotice);
        self.lose(reason);
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
            Verdict::Hold => self.hold(message),
            Verdict::Backwards => {
                self.counters.backwards += 1;
                if self.state == State::Live || self.state == State::Stale {
                    self.leave(State::Syncing, Reason::SequenceBackwards);
                }
            }
            Verdict::Gap { .. } => {
                self.counters.gaps += 1;
                self.lose(Reason::Gap);
                self.hold_if_bridged(message);
            }
            Verdict::SnapshotTooOld => {
                self.counters.snapshots -= 1;
                self.counters.snapshots_ignored += 1;
                self.lose(Reason::AwaitingSnapshot);
                self.hold_if_bridged(message);
                self.refused_snapshot();
            }
            Verdict::Restart => {
                self.lose(Reason::Restart);
                // Any snapshot of a new count holds its first message; held, it would restart
                // the count again when the snapshot is joined.
                if self.rule().chain != Chain::CounterRest {
                    self.hold_if_bridged(message);
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

    fn hold_if_bridged(&mut self, message: &BookMessage<'_>) {
        if self.sequencer.rule().bridge != Bridge::InStream {
            self.hold(message);
        }
    }

    fn hold(&mut self, message: &BookMessage<'_>) {
        if self.is_out_of_order(message) {
            self.counters.unsynced += 1;
            return;
        }
        if self.held.is_empty() && self.rule().bridge == Bridge::Rest {
            self.demand = Demand::Snapshot;
        }
        if self.breaks_count(message) {
            self.held.clear();
        }
        if !self.held.push(message) {
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

    /// Drops what stands beyond the depth that the channel describes (protocols.md 0.4).
    #[inline]
    fn truncate<O: Observer>(&mut self, observer: &mut O) {
        let Some(depth) = self.sequencer.rule().depth.map(usize::from) else { return };
        for side in [Side::Bid, Side::Ask] {
            while self.book.side(side).len() > depth {
                let Some(dropped) = self.book.pop_worst(side) else { break };
                self.counters.truncated += 1;
                tell_removed(observer, side, dropped);
                if self.policy.keep_last_live {
                    self.undo.push((side, dropped));
                }
            }
        }
    }

    /// Checksum and crossing, after a whole message.
    fn check<O: Observer>(&mut self, message: &BookMessage<'_>, times: &Times, observer: &mut O) {
        if !self.checksum_holds(message) {
            self.remember_last_live();
            self.lose(Reason::Checksum);
            return;
        }
        if !self.book.is_crossed() {
            self.crossed_run = 0;
            self.settle();
            return;
        }
        self.counters.crossed += 1;
        if self.policy.crossed == CrossedPolicy::Uncross {
            self.uncross(message, observer);
            self.settle();
            return;
        }
        self.remember_last_live();
        if self.crossed_run == 0 {
            self.crossed_since = times.recv_ns;
        }
        self.crossed_run += 1;
        self.leave(State::Syncing, Reason::Crossed);
        let often = self.policy.crossed == CrossedPolicy::Resync && self.crossed_run >= CROSSED_MAX;
        if often || self.crossed_too_long(times.recv_ns) {
            self.lose(Reason::Crossed);
        }
    }

    /// Whether the time that a crossed book is given is over; never where times are absent.
    fn crossed_too_long(&self, now_ns: i64) -> bool {
        self.policy.crossed == CrossedPolicy::Resync
            && self.crossed_since != NO_TIME
            && now_ns.saturating_sub(self.crossed_since) >= CROSSED_NS_MAX
    }

    /// Zero and absent mean that the venue offers none (protocols.md 4.6).
    fn checksum_holds(&mut self, message: &BookMessage<'_>) -> bool {
        let wanted = message.seq.checksum.filter(|sum| *sum != 0);
        let Some(wanted) = wanted.filter(|_| self.rule().checksum && self.policy.verify_checksum)
        else {
            return true;
        };
        let Some(sum) = top_checksum(&self.book) else {
            // Some level came without its text (a message that offered no checksum): nothing to
            // compare until the next snapshot.
            return true;
        };
        let holds = sum == wanted;
        self.counters.checksum_ok += u64::from(holds);
        self.counters.checksum_bad += u64::from(!holds);
        holds
    }

    /// Tardis' way: levels go from the side that this message did not touch at the best.
    fn uncross<O: Observer>(&mut self, message: &BookMessage<'_>, observer: &mut O) {
        let best_ask = self.book.best_ask().map(|ask| self.book.decimals(ask).0);
        let touches = |level: &Level| {
            let price = Decimal::new(level.price, message.scales.price);
            level.qty != 0 && Some(price) == best_ask
        };
        let side = if message.asks.iter().any(touches) { Side::Bid } else { Side::Ask };
        while self.book.is_crossed() {
            let Some(dropped) = self.book.pop_best(side) else { break };
            self.counters.uncrossed += 1;
            tell_removed(observer, side, dropped);
        }
    }

    /// Keeps the book as it was before the message just applied, if that was the last live one:
    /// it was live then, or has been in doubt or silent, but unchanged, since.
    fn remember_last_live(&mut self) {
        if !self.policy.keep_last_live || !self.was_live || self.last_live.is_some() {
            return;
        }
        let mut book = Box::new(self.book.clone());
        for (side, level) in self.undo.iter().rev() {
            book.restore(*side, *level);
        }
        self.last_live = Some(book);
    }

    /// After an accepted message: live if the chain proves it. The book is not crossed.
    #[inline]
    fn settle(&mut self) {
        if self.state == State::Live {
            self.last_live_anchor = self.sequencer.anchor();
            return;
        }
        self.settle_anew();
    }

    #[cold]
    fn settle_anew(&mut self) {
        if self.sequencer.is_chained() {
            self.leave(State::Live, Reason::None);
            self.counters.resyncs += u64::from(self.lost);
            self.lost = false;
            self.was_live = true;
            self.refused_run = 0;
            self.last_live = None;
            self.last_live_anchor = self.sequencer.anchor();
        }
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

    /// A snapshot that was asked for over REST, or came unasked.
    fn rest_snapshot<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) -> Verdict {
        if self.rule().bridge == Bridge::InStream || self.disbelieved(message) {
            self.counters.snapshots_ignored += 1;
            return Verdict::Ignore;
        }
        match self.sequencer.join(&message.seq, is_empty(message), self.held.ids()) {
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

    /// A snapshot could not be joined: after many of them a person should look.
    fn refused_snapshot(&mut self) {
        self.refused_run = self.refused_run.saturating_add(1);
        // Linked updates leave out what came back inside their window: there a snapshot joins by
        // luck, and bad luck is no fault (ruling 0.6.20).
        if self.refused_run >= REFUSED_MAX && self.rule().chain != Chain::Linked {
            self.leave(State::Failed, Reason::SnapshotNeverCatchesUp);
        }
    }

    /// Snapshots that contradict themselves or what is held (ruling 0.6.19).
    fn disbelieved(&mut self, message: &BookMessage<'_>) -> bool {
        let chained = self.sequencer.is_chained();
        if message_crosses(message) {
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
        self.epoch += 1;
        self.last_times = *times;
        self.weak = message.seq.last.is_none();
        self.undo.clear();
        self.truncate_loaded(message, observer);
        self.leave(State::Syncing, Reason::AwaitingFirstDelta);
        self.settle();
        let held = core::mem::take(&mut self.held);
        for message in held.messages() {
            let has_levels = !message.bids.is_empty() || !message.asks.is_empty();
            let verdict = self.sequencer.delta(&message.seq, has_levels);
            self.act(verdict, &message, times, observer);
        }
        self.recycle(held);
    }

    /// Gives the emptied buffer back, unless a loss inside it has started a new one.
    fn recycle(&mut self, mut held: Held) {
        if self.held.is_empty() {
            held.clear();
            self.held = held;
        }
    }

    fn start_audit(&mut self, message: &BookMessage<'_>) {
        let (Some(id), mut book) = (message.seq.last, Book::new()) else { return };
        if book.load(message, &mut ()).is_err() {
            return;
        }
        let complete_to = horizon(&book, message.depth_limit);
        self.audit = Some(Box::new(Audit { id, book, complete_to }));
    }

    /// The stream steps over the audit's number inside this message: every level that the message
    /// does not touch must agree before it is applied (ruling 0.6.21). Linked updates leave out
    /// what came back inside their window, so that nothing can be said there (ruling 0.6.20).
    /// Whether the book must be given up, as [`Self::audit_at_anchor`].
    fn audit_inside(&mut self, message: &BookMessage<'_>) -> bool {
        let Some(audit) = self.audit.take_if(|a| message.seq.last > Some(a.id)) else {
            return false;
        };
        self.rule().chain != Chain::Linked && self.compare(&audit, Some(message))
    }

    fn audit_at_anchor(&mut self) -> bool {
        let anchor = self.sequencer.anchor();
        let audit = self.audit.take_if(|a| anchor == Some(a.id));
        audit.is_some_and(|audit| self.compare(&audit, None))
    }

    fn compare(&mut self, audit: &Audit, touched: Option<&BookMessage<'_>>) -> bool {
        self.counters.audits += 1;
        let differences = differences(&self.book, &self.complete_to, audit, touched);
        self.counters.audit_differences += differences;
        differences > 0 && self.policy.resync_on_audit
    }
}

/// Worst price of each side where it holds exactly as many levels as were asked for.
fn horizon(book: &Book, limit: Option<u16>) -> [Option<Decimal>; 2] {
    [Side::Bid, Side::Ask].map(|side| {
        let full = limit.is_some_and(|limit| book.side(side).len() == usize::from(limit));
        book.side(side).worst().filter(|_| full).map(|level| book.decimals(level).0)
    })
}

fn is_empty(message: &BookMessage<'_>) -> bool {
    message.bids.is_empty() && message.asks.is_empty()
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

/// Levels that differ, not counting those that a message touches. What the one side shows counts
/// only where the other claims to know (the horizons of snapshots that were limited).
fn differences(
    book: &Book,
    complete_to: &[Option<Decimal>; 2],
    audit: &Audit,
    touched: Option<&BookMessage<'_>>,
) -> u64 {
    let mut count = 0;
    for side in [Side::Bid, Side::Ask] {
        let is_touched = |price: Decimal| {
            touched.is_some_and(|message| {
                let levels = if side == Side::Bid { message.bids } else { message.asks };
                levels.iter().any(|l| Decimal::new(l.price, message.scales.price) == price)
            })
        };
        let differs = |of: &Book, other: &Book, horizon: Option<Decimal>, absent: bool| {
            let levels = of.side(side).iter().map(|level| of.decimals(level));
            let differing = levels.filter(|(price, qty)| {
                let known = horizon.is_none_or(|limit| !beyond(side, *price, limit));
                let there = standing(other, side, *price);
                known && !is_touched(*price) && there != *qty && (!absent || there.is_zero())
            });
            differing.count() as u64
        };
        count += differs(book, &audit.book, audit.complete_to[side as usize], false);
        // Levels that only the snapshot has; those of both are counted above.
        count += differs(&audit.book, book, complete_to[side as usize], true);
    }
    count
}

/// Size at a price of any scale, 0 if none.
fn standing(book: &Book, side: Side, price: Decimal) -> Decimal {
    let price = price.at_scale(book.scales().price);
    Decimal::new(price.map_or(0, |price| book.side(side).qty_at(price)), book.scales().qty)
}

/// Whether `price` is worse than `limit` on a side.
fn beyond(side: Side, price: Decimal, limit: Decimal) -> bool {
    let scale = price.scale().max(limit.scale());
    match (price.at_scale(scale), limit.at_scale(scale)) {
        (Some(price), Some(limit)) if side == Side::Bid => price < limit,
        (Some(price), Some(limit)) => price > limit,
        _ => true,
    }
}
