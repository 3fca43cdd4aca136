//! The one sequencer: is a book message next, already known, or proof that something was lost?
//!
//! Venues translate their numbers into [`SeqInfo`] and name a [`Rule`]; everything else is decided
//! here, on numbers alone. A gap is a verdict, not an error. (protocols.md 0.2 and 0.6.)
//!
//! ```text
//!            in-stream snapshot                       gap, restart, resync
//!  Waiting ─────────────────────────────► Chained ───────────────────────┐
//!     │  REST snapshot            joins ▲    │ ▲                          │
//!     └──────────────► Joined ──────────┘    └─┘ apply, stale, backwards  │
//!     ▲                   │ too old                                       │
//!     └───────────────────┴───────────────────────────────────────────────┘
//! ```
//! A REST snapshot without a number is Pictured: the book until the next one, or until a delta
//! makes it Chained.

use crate::event::SeqInfo;
use alloc::vec::Vec;

/// How a channel's numbers chain (protocols.md 0.2, table of predicates).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Chain {
    /// A message covers `first..=last`; it applies while `first <= anchor + 1`.
    Range,
    /// A message names the last id of the one before; ids never go down, so stale is tested first.
    Rising,
    /// As [`Chain::Rising`], but the chain is tested before stale: ids may be reset lower.
    /// Where a message has no numbers at all it is applied in order.
    Linked,
    /// `last` counts by one; 1 opens a new count with a whole book.
    Counter,
    /// As [`Chain::Counter`], but 1 asks for a new snapshot.
    CounterRest,
    /// `last` counts by one where present; where absent nothing is checked (relay).
    Loose,
    /// No numbers: always applied, between snapshots.
    Unnumbered,
    /// Every message is the whole picture.
    Image,
    /// Every message is the whole picture; a number that goes back, or jumps by more than
    /// [`RESTART_DISTANCE`], is refused until the next message continues it (ruling 0.6.16).
    ImageCounted,
    /// Every message is the whole picture; the same `last` again is a heartbeat. A delta edits
    /// the side that it names (old captures).
    LevelOne,
}

/// Where a channel's snapshot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bridge {
    /// In the stream itself: live at once.
    InStream,
    /// From REST, joined to buffered deltas; live with the first delta that joins.
    Rest,
    /// In the stream while the venue sends one there, else from REST.
    Either,
}

/// How one channel's books are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Numbering.
    pub chain: Chain,
    /// Source of snapshots.
    pub bridge: Bridge,
    /// Levels per side that the channel is limited to.
    pub depth: Option<u16>,
    /// Non-zero checksums are verified.
    pub checksum: bool,
}

impl Rule {
    /// A rule without a depth limit and without checksums.
    #[must_use]
    pub const fn new(chain: Chain, bridge: Bridge) -> Self {
        Self { chain, bridge, depth: None, checksum: false }
    }

    /// The same rule for a channel limited to `depth` levels per side.
    #[must_use]
    pub const fn depth(self, depth: Option<u16>) -> Self {
        Self { depth, ..self }
    }

    /// The same rule for a channel whose messages carry a checksum of the book.
    #[must_use]
    pub const fn with_checksum(self) -> Self {
        Self { checksum: true, ..self }
    }
}

/// A relay number this far below the last is a restart (ruling 0.6.3).
pub const RESTART_DISTANCE: i64 = 1000;
/// Messages whose ids are remembered, to tell a repeat from a step back (ruling 0.6.12).
pub const RECENT_MAX: usize = 256;
/// Steps back in a row that force a resync (ruling 0.6.12).
pub const BACKWARDS_MAX: u8 = 5;
/// The id that REST gives a symbol which never had a book.
pub(crate) const NEVER_TRADED: i64 = -1;
/// `prev` of a message that follows nothing.
const NO_PREVIOUS: i64 = -1;

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Apply its levels. `overlap`: part of it was known already (harmless, sizes are absolute).
    Apply {
        /// Whether it starts before the anchor's successor.
        overlap: bool,
    },
    /// It is a whole book: replace.
    Replace,
    /// It says only that the line is alive.
    Heartbeat,
    /// Everything in it is known: ignore.
    Stale,
    /// Keep it until a snapshot comes.
    Hold,
    /// Nothing can be done with it: no snapshot yet, and none will be joined to it.
    Ignore,
    /// An unknown message from the past: not applied, the book is in doubt (ruling 0.6.12).
    Backwards,
    /// Proof of loss.
    Gap {
        /// Number that should have come.
        expected: i64,
        /// Number that came.
        got: i64,
    },
    /// The snapshot taken from REST does not reach this message: fetch again, keep the buffer.
    SnapshotTooOld,
    /// The numbering began anew: a new snapshot is needed.
    Restart,
}

/// What a REST snapshot is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Join {
    /// Take it as the book; then offer the held messages in order.
    Take,
    /// It is older than what is held, or lies where nothing can be joined: fetch again.
    Refuse,
    /// The book is live and at least as new: ignore it.
    Old,
    /// The book is live and older: compare when the stream gets there, keep the stream's book.
    Audit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Joined,
    Chained,
    /// The book is a REST snapshot without a number, and nothing was applied to it.
    Pictured,
}

/// The state machine of one book on one line. Holds numbers only, never levels.
#[derive(Clone, Debug)]
pub struct Sequencer {
    rule: Rule,
    /// A snapshot that does not reach the first later message is joined to it all the same.
    lenient: bool,
    /// That has happened to the book that stands.
    loosely_joined: bool,
    phase: Phase,
    anchor: Option<i64>,
    /// Highest `last` shown by the line since its epoch, in-stream snapshot or chained reset.
    line_high: i64,
    gone_back: u8,
    /// An image that was refused once, waiting for a message that continues it.
    doubted: Option<i64>,
    recent: Vec<[i64; 2]>,
    recent_next: usize,
}

impl Sequencer {
    /// A sequencer that waits for its first snapshot.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            lenient: false,
            loosely_joined: false,
            phase: Phase::Waiting,
            anchor: None,
            line_high: i64::MIN,
            gone_back: 0,
            doubted: None,
            recent: Vec::new(),
            recent_next: 0,
        }
    }

    /// The same, but where REST snapshots bridge ranges or rising chains, one that does not reach
    /// the first later message is joined to it, whatever lies between.
    #[must_use]
    pub fn lenient(self, lenient: bool) -> Self {
        Self { lenient, ..self }
    }

    /// The rule it follows.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// Whether the book that stands was joined over a hole ([`Sequencer::lenient`]).
    #[must_use]
    pub const fn is_loosely_joined(&self) -> bool {
        self.loosely_joined
    }

    /// Number of the book after the last accepted message; `None` before one or without numbers.
    #[must_use]
    pub const fn anchor(&self) -> Option<i64> {
        self.anchor
    }

    /// Whether the chain is proven to this message.
    #[must_use]
    pub fn is_chained(&self) -> bool {
        let stands = matches!(self.phase, Phase::Chained | Phase::Pictured);
        stands && self.gone_back == 0 && self.doubted.is_none()
    }

    /// Whether the book is a REST snapshot without a number to which nothing was applied: the next
    /// one takes its place (ruling 0.6.16).
    #[must_use]
    pub fn is_pictured(&self) -> bool {
        self.phase == Phase::Pictured
    }

    /// Whether a REST snapshot was taken and no message has joined it yet.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.phase == Phase::Joined
    }

    /// Forgets the chain; the line's own history stays.
    pub fn lose(&mut self) {
        self.phase = Phase::Waiting;
        self.loosely_joined = false;
        self.anchor = None;
        self.gone_back = 0;
        self.doubted = None;
    }

    /// The book is that of `anchor` again, and what follows it will be offered in order.
    pub(crate) fn resume(&mut self, anchor: i64) {
        self.lose();
        self.phase = Phase::Chained;
        self.anchor = Some(anchor);
    }

    /// A new connection: everything is forgotten.
    pub fn new_epoch(&mut self) {
        self.lose();
        self.line_high = i64::MIN;
        self.recent.clear();
        self.recent_next = 0;
    }

    /// A whole book of the venue's own stream: the chain starts here.
    pub fn in_stream_snapshot(&mut self, ids: &SeqInfo) {
        self.phase = Phase::Chained;
        self.loosely_joined = false;
        self.anchor = ids.last;
        self.line_high = ids.last.unwrap_or(i64::MIN);
        self.gone_back = 0;
        self.doubted = None;
        self.remember(ids);
    }

    /// What to do with a message of an image channel.
    pub fn image(&mut self, ids: &SeqInfo) -> Verdict {
        match (self.rule.chain, self.anchor, ids.last) {
            (Chain::LevelOne, Some(anchor), Some(last)) if anchor == last => {
                return Verdict::Heartbeat;
            }
            (Chain::ImageCounted, Some(anchor), Some(last)) => {
                let continues = self.doubted.is_some_and(|d| last >= d && near(d, last));
                if !continues && (last < anchor || !near(anchor, last)) {
                    self.doubted = Some(last);
                    return Verdict::Backwards;
                }
            }
            _ => {}
        }
        self.in_stream_snapshot(ids);
        Verdict::Replace
    }

    /// What to do with a delta. `has_levels`: it changes something.
    pub fn delta(&mut self, ids: &SeqInfo, has_levels: bool) -> Verdict {
        let verdict = match (self.opens(ids), self.phase) {
            (Some(opens), _) => opens,
            (None, Phase::Waiting) => self.waiting(ids),
            (None, Phase::Joined) => self.joined(ids),
            (None, Phase::Chained | Phase::Pictured) => self.chained(ids, has_levels),
        };
        self.settle(verdict, ids)
    }

    /// Whether a REST snapshot can be joined to the messages held, in their order. `empty`: it has
    /// no levels, and the caller believes that; only then may it have the id of no book at all.
    pub fn join<'a>(
        &mut self,
        snapshot: &SeqInfo,
        empty: bool,
        mut held: impl Iterator<Item = &'a SeqInfo> + Clone,
    ) -> Join {
        let Some(id) = snapshot.last else {
            return self.take_unnumbered();
        };
        if self.phase == Phase::Chained {
            let newer = self.anchor.is_some_and(|anchor| id > anchor);
            return if newer { Join::Audit } else { Join::Old };
        }
        if id == NEVER_TRADED {
            if !empty {
                return Join::Refuse;
            }
            self.phase = Phase::Joined;
            self.anchor = None;
            return Join::Take;
        }
        let joinable = match self.rule.chain {
            Chain::Range | Chain::Rising if self.lenient => true,
            Chain::Range => held.next().and_then(|h| h.first).is_none_or(|first| first <= next(id)),
            Chain::Rising => first_at(&mut held, id).is_none_or(|h| h.prev <= Some(id)),
            Chain::Linked => linked_joins(id, held),
            Chain::CounterRest => counter_joins(id, snapshot.cross, held),
            _ => held.next().and_then(|h| h.last).is_none_or(|last| last <= next(id)),
        };
        if !joinable {
            return Join::Refuse;
        }
        self.phase = Phase::Joined;
        self.loosely_joined = false;
        self.anchor = Some(id);
        Join::Take
    }

    /// A snapshot without a number (relay REST): taken where the rule checks nothing anyway.
    fn take_unnumbered(&mut self) -> Join {
        if !matches!(self.rule.chain, Chain::Loose | Chain::Unnumbered) {
            return Join::Refuse;
        }
        if self.phase == Phase::Chained {
            return Join::Old;
        }
        self.phase = Phase::Pictured;
        self.anchor = None;
        Join::Take
    }

    fn waiting(&mut self, ids: &SeqInfo) -> Verdict {
        if lowers(self.rule, ids) {
            self.line_high = i64::MIN;
        }
        match self.rule.bridge {
            Bridge::InStream => Verdict::Ignore,
            Bridge::Rest | Bridge::Either => Verdict::Hold,
        }
    }

    /// A count that begins anew says so in every phase: what was known before it is void.
    fn opens(&self, ids: &SeqInfo) -> Option<Verdict> {
        match (self.rule.chain, ids.last) {
            (Chain::Counter, Some(1)) => Some(Verdict::Replace),
            (Chain::CounterRest, Some(1)) => Some(Verdict::Restart),
            _ => None,
        }
    }

    /// The first messages after a REST snapshot: known ones, then the one that joins.
    fn joined(&mut self, ids: &SeqInfo) -> Verdict {
        let Some(anchor) = self.anchor else {
            return Verdict::Apply { overlap: false };
        };
        let Some(last) = ids.last else {
            return if self.rule.chain == Chain::Loose {
                Verdict::Apply { overlap: false }
            } else {
                Verdict::SnapshotTooOld
            };
        };
        let (stale, joins) = match self.rule.chain {
            Chain::Range => (last <= anchor, ids.first.is_some_and(|first| first <= next(anchor))),
            Chain::Rising => (last < anchor, ids.prev.is_some_and(|prev| prev <= anchor)),
            // The chain is tested first: a message that follows the snapshot may lower the ids.
            Chain::Linked if ids.prev == Some(anchor) => (false, true),
            Chain::Linked => (last <= anchor, false),
            _ => (last <= anchor, last == next(anchor)),
        };
        let loosely = self.lenient
            && match self.rule.chain {
                Chain::Range => ids.first.is_some(),
                Chain::Rising => ids.prev.is_some(),
                _ => false,
            };
        if stale {
            self.behind(ids, last)
        } else if joins || loosely {
            self.loosely_joined = !joins;
            if lowers(self.rule, ids) {
                self.line_high = last;
            }
            Verdict::Apply { overlap: false }
        } else {
            Verdict::SnapshotTooOld
        }
    }

    fn chained(&mut self, ids: &SeqInfo, has_levels: bool) -> Verdict {
        match self.rule.chain {
            Chain::Range => self.range(ids),
            Chain::Rising => self.rising(ids),
            Chain::Linked => self.linked(ids, has_levels),
            Chain::Counter | Chain::CounterRest | Chain::Loose => self.counted(ids),
            Chain::LevelOne if ids.last.is_some() && ids.last == self.anchor => Verdict::Heartbeat,
            Chain::Unnumbered | Chain::LevelOne => Verdict::Apply { overlap: false },
            // No edit of a picture: a number that another channel has taken (`NUMBER_ONLY`).
            Chain::Image | Chain::ImageCounted => {
                self.anchor = self.anchor.max(ids.last);
                Verdict::Heartbeat
            }
        }
    }

    fn range(&mut self, ids: &SeqInfo) -> Verdict {
        let (Some(anchor), Some(first), Some(last)) = (self.anchor, ids.first, ids.last) else {
            return self.unproven(ids);
        };
        if last <= anchor {
            return self.behind(ids, last);
        }
        if first > next(anchor) {
            return Verdict::Gap { expected: next(anchor), got: first };
        }
        Verdict::Apply { overlap: first <= anchor }
    }

    fn rising(&mut self, ids: &SeqInfo) -> Verdict {
        let (Some(anchor), Some(prev), Some(last)) = (self.anchor, ids.prev, ids.last) else {
            return self.unproven(ids);
        };
        if last <= anchor {
            return self.behind(ids, last);
        }
        if prev != anchor {
            return Verdict::Gap { expected: anchor, got: prev };
        }
        Verdict::Apply { overlap: false }
    }

    fn linked(&mut self, ids: &SeqInfo, has_levels: bool) -> Verdict {
        let (anchor, prev, last) = match (self.anchor, ids.prev, ids.last) {
            (None, None, None) => return Verdict::Apply { overlap: false },
            (Some(anchor), Some(prev), Some(last)) if prev != NO_PREVIOUS => (anchor, prev, last),
            _ => return self.unproven(ids),
        };
        if prev == anchor {
            if last == prev && !has_levels {
                return Verdict::Heartbeat;
            }
            if lowers(self.rule, ids) {
                // A reset announced by the chain itself: the line counts from here.
                self.line_high = last;
            }
            return Verdict::Apply { overlap: false };
        }
        if (last <= anchor && prev <= anchor) || self.is_latest(ids) {
            return self.behind(ids, last);
        }
        Verdict::Gap { expected: anchor, got: prev }
    }

    fn counted(&mut self, ids: &SeqInfo) -> Verdict {
        let loose = self.rule.chain == Chain::Loose;
        let (anchor, last) = match (self.anchor, ids.last) {
            (Some(anchor), Some(last)) => (anchor, last),
            _ if loose => return Verdict::Apply { overlap: false },
            _ => return self.unproven(ids),
        };
        if loose && last < anchor.saturating_sub(RESTART_DISTANCE) {
            return Verdict::Restart;
        }
        if last <= anchor {
            return self.behind(ids, last);
        }
        if last != next(anchor) {
            return Verdict::Gap { expected: next(anchor), got: last };
        }
        Verdict::Apply { overlap: false }
    }

    /// A message without the numbers that the chain needs proves nothing: as good as a loss.
    fn unproven(&self, ids: &SeqInfo) -> Verdict {
        Verdict::Gap { expected: self.anchor.unwrap_or(0), got: ids.prev.or(ids.last).unwrap_or(0) }
    }

    /// A message that ends at or below the anchor: a repeat, or a step back (ruling 0.6.12).
    fn behind(&mut self, ids: &SeqInfo, last: i64) -> Verdict {
        let known = Some(last) == self.anchor || self.recent.contains(&key(ids));
        if known || last >= self.line_high {
            return Verdict::Stale;
        }
        self.gone_back += 1;
        if self.gone_back >= BACKWARDS_MAX { Verdict::Restart } else { Verdict::Backwards }
    }

    /// Moves the machine to where the verdict puts it.
    fn settle(&mut self, verdict: Verdict, ids: &SeqInfo) -> Verdict {
        match verdict {
            Verdict::Apply { .. } => {
                self.phase = Phase::Chained;
                self.anchor = ids.last.or(self.anchor);
                self.gone_back = 0;
                self.note(ids);
            }
            Verdict::Replace => self.in_stream_snapshot(ids),
            // A repeat is remembered already: the latest message stays the latest.
            Verdict::Stale if self.recent.contains(&key(ids)) => {}
            Verdict::Stale => self.note(ids),
            Verdict::Gap { .. } | Verdict::SnapshotTooOld => self.lose(),
            Verdict::Restart => self.new_epoch(),
            Verdict::Heartbeat | Verdict::Hold | Verdict::Ignore | Verdict::Backwards => {}
        }
        verdict
    }

    fn note(&mut self, ids: &SeqInfo) {
        if let Some(last) = ids.last {
            self.line_high = self.line_high.max(last);
            self.remember(ids);
        }
    }

    fn remember(&mut self, ids: &SeqInfo) {
        let key = key(ids);
        if let Some(slot) = self.recent.get_mut(self.recent_next) {
            *slot = key;
        } else {
            self.recent.push(key);
        }
        self.recent_next = (self.recent_next + 1) % RECENT_MAX;
    }

    fn is_latest(&self, ids: &SeqInfo) -> bool {
        let latest = self.recent_next.checked_sub(1).unwrap_or(RECENT_MAX - 1);
        self.recent.get(latest) == Some(&key(ids))
    }
}

/// What tells one message from another: its last id and the one it builds on.
fn key(ids: &SeqInfo) -> [i64; 2] {
    [ids.last.unwrap_or(i64::MIN), ids.prev.or(ids.first).unwrap_or(i64::MIN)]
}

/// The id after this one.
const fn next(id: i64) -> i64 {
    id.saturating_add(1)
}

/// Whether a message lowers the ids of its line by its own chain (venue maintenance).
pub(crate) fn lowers(rule: Rule, ids: &SeqInfo) -> bool {
    rule.chain == Chain::Linked && ids.prev > ids.last && ids.last.is_some()
}

fn near(from: i64, to: i64) -> bool {
    to.saturating_sub(from) <= RESTART_DISTANCE
}

/// The first held message that a snapshot with this id does not contain whole.
fn first_at<'a>(held: &mut impl Iterator<Item = &'a SeqInfo>, id: i64) -> Option<&'a SeqInfo> {
    held.find(|h| h.last >= Some(id))
}

/// Updates leave out what came back inside their window, so a snapshot joins only where one of
/// them ends or begins (ruling 0.6.20).
fn linked_joins<'a>(id: i64, held: impl Iterator<Item = &'a SeqInfo> + Clone) -> bool {
    held.clone().next().is_none()
        || held.into_iter().any(|h| h.prev == Some(id) || h.last == Some(id))
}

/// Bybit full depth (protocols.md 3.5b): the same cross number must mean the same count.
fn counter_joins<'a>(
    id: i64,
    cross: Option<i64>,
    held: impl Iterator<Item = &'a SeqInfo> + Clone,
) -> bool {
    let conflict = held.clone().any(|h| cross.is_some() && h.cross == cross && h.last != Some(id));
    let reaches = held.into_iter().next().and_then(|h| h.last).is_none_or(|last| last <= next(id));
    !conflict && reaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(first: i64, last: i64) -> SeqInfo {
        SeqInfo { first: Some(first), last: Some(last), ..SeqInfo::default() }
    }

    fn linked(prev: i64, last: i64) -> SeqInfo {
        SeqInfo { prev: Some(prev), last: Some(last), ..SeqInfo::default() }
    }

    const APPLY: Verdict = Verdict::Apply { overlap: false };

    fn spot(snapshot: i64, held: &[SeqInfo]) -> (Sequencer, Join) {
        let mut machine = Sequencer::new(Rule::new(Chain::Range, Bridge::Rest));
        let join = machine.join(&ids(0, snapshot), false, held.iter());
        (machine, join)
    }

    #[test]
    fn a_range_joins_inside_a_message_and_then_counts_on() {
        let held = [ids(95, 99), ids(98, 100), ids(101, 105)];
        let (mut machine, join) = spot(100, &held);
        assert_eq!(join, Join::Take);
        let verdicts: Vec<_> = held.iter().map(|h| machine.delta(h, true)).collect();
        assert_eq!(verdicts, [Verdict::Stale, Verdict::Stale, APPLY]);
        assert_eq!(machine.delta(&ids(107, 109), true), Verdict::Gap { expected: 106, got: 107 });
        assert!(!machine.is_chained());
    }

    #[test]
    fn an_unknown_message_from_the_past_puts_the_book_in_doubt_until_one_applies() {
        let (mut machine, _) = spot(100, &[]);
        assert_eq!(machine.delta(&ids(101, 105), true), APPLY);
        assert_eq!(machine.delta(&ids(106, 110), true), APPLY);
        assert_eq!(machine.delta(&ids(101, 105), true), Verdict::Stale);
        assert_eq!(machine.delta(&ids(50, 51), true), Verdict::Backwards);
        assert!(!machine.is_chained());
        assert_eq!(machine.delta(&ids(111, 111), true), APPLY);
        assert!(machine.is_chained());
        for n in 0..4 {
            assert_eq!(machine.delta(&ids(n, n), true), Verdict::Backwards);
        }
        assert_eq!(machine.delta(&ids(9, 9), true), Verdict::Restart);
    }

    #[test]
    fn messages_below_a_newer_snapshot_but_rising_are_plain_stale() {
        let (mut machine, _) = spot(200, &[]);
        for n in 100..110 {
            assert_eq!(machine.delta(&ids(n, n), true), Verdict::Stale);
        }
        assert_eq!(machine.delta(&ids(199, 205), true), APPLY);
    }

    #[test]
    fn ids_at_the_end_of_their_range_are_compared_and_never_overflow() {
        for chain in
            [Chain::Range, Chain::Rising, Chain::Linked, Chain::Counter, Chain::CounterRest]
        {
            let mut sequencer = Sequencer::new(Rule::new(chain, Bridge::Rest));
            let end = SeqInfo { prev: Some(i64::MAX), ..ids(i64::MAX, i64::MAX) };
            let _ = sequencer.delta(&end, true);
            assert_eq!(sequencer.join(&end, false, [end].iter()), Join::Take, "{chain:?}");
            let verdict = sequencer.delta(&end, true);
            assert!(matches!(verdict, Verdict::Stale | Verdict::Apply { .. }), "{chain:?}");
        }
    }

    #[test]
    fn a_linked_chain_may_be_reset_lower_by_the_chain_itself() {
        let mut machine = Sequencer::new(Rule::new(Chain::Linked, Bridge::InStream));
        machine.in_stream_snapshot(&linked(-1, 15));
        assert_eq!(machine.delta(&linked(15, 15), false), Verdict::Heartbeat);
        assert_eq!(machine.delta(&linked(15, 3), true), APPLY);
        assert_eq!(machine.delta(&linked(3, 5), true), APPLY);
        assert_eq!(machine.delta(&linked(17, 20), true), Verdict::Gap { expected: 5, got: 17 });
    }

    #[test]
    fn an_update_that_follows_nothing_is_a_gap() {
        let mut machine = Sequencer::new(Rule::new(Chain::Linked, Bridge::InStream));
        machine.in_stream_snapshot(&linked(-1, 15));
        assert!(matches!(machine.delta(&linked(-1, 16), true), Verdict::Gap { .. }));
        machine.in_stream_snapshot(&linked(-1, 15));
        let missing = SeqInfo { last: Some(16), ..SeqInfo::default() };
        assert!(matches!(machine.delta(&missing, true), Verdict::Gap { .. }));
    }
}
