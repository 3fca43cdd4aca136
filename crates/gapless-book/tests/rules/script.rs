//! The words of the tables.

use gapless_book::event::{
    BookKind, BookMessage, Flags, Level, LevelExtra, Scales, SeqInfo, Side, Times,
};
pub use gapless_book::local::{
    Counters, CrossedPolicy, Demand, LocalBook, Outcome, Policy, Reason, State, Transition,
};
pub use gapless_book::sequence::{Bridge, Chain, Rule, Verdict};

pub const SECOND: i64 = 1_000_000_000;

/// A message with its levels; price and size are whole numbers unless `scales` says otherwise.
#[derive(Clone, Debug)]
pub struct Sent {
    pub kind: BookKind,
    pub flags: Flags,
    pub seq: SeqInfo,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    pub scales: Scales,
    pub limit: Option<u16>,
    pub recv_ns: i64,
}

impl Sent {
    fn new(kind: BookKind, flags: Flags, seq: SeqInfo) -> Self {
        let (bids, asks, scales) = (Vec::new(), Vec::new(), Scales::default());
        Self { kind, flags, seq, bids, asks, scales, limit: None, recv_ns: SECOND }
    }

    pub fn bid(mut self, price: i64, qty: i64) -> Self {
        self.bids.push(Level { price, qty });
        self
    }

    pub fn ask(mut self, price: i64, qty: i64) -> Self {
        self.asks.push(Level { price, qty });
        self
    }

    pub fn at(self, recv_ns: i64) -> Self {
        Self { recv_ns, ..self }
    }

    pub fn limit(self, limit: u16) -> Self {
        Self { limit: Some(limit), ..self }
    }

    pub fn scales(self, price: u8, qty: u8) -> Self {
        Self { scales: Scales { price, qty }, ..self }
    }

    pub fn cross(mut self, cross: i64) -> Self {
        self.seq.cross = Some(cross);
        self
    }

    pub fn sum(mut self, checksum: i32) -> Self {
        self.seq.checksum = Some(checksum);
        self
    }
}

fn last(last: i64) -> SeqInfo {
    SeqInfo { last: Some(last), ..SeqInfo::default() }
}

/// A REST snapshot with one level a side.
pub fn rest(id: i64) -> Sent {
    empty_rest(id).bid(10, 1).ask(20, 1)
}

pub fn empty_rest(id: i64) -> Sent {
    Sent::new(BookKind::Snapshot, Flags::REST, last(id))
}

/// A snapshot of the stream with one level a side.
pub fn snap(id: i64) -> Sent {
    empty_snap(id).bid(10, 1).ask(20, 1)
}

pub fn empty_snap(id: i64) -> Sent {
    Sent::new(BookKind::Snapshot, Flags::NONE, last(id))
}

/// A picture with one level a side.
pub fn image(id: Option<i64>) -> Sent {
    let seq = SeqInfo { last: id, ..SeqInfo::default() };
    Sent::new(BookKind::Image, Flags::NONE, seq).bid(10, 1).ask(20, 1)
}

/// A delta with any numbers and no levels.
pub fn bare(seq: SeqInfo) -> Sent {
    Sent::new(BookKind::Delta, Flags::NONE, seq)
}

/// `first..=last`, one level.
pub fn range(first: i64, last: i64) -> Sent {
    bare(SeqInfo { first: Some(first), last: Some(last), ..SeqInfo::default() }).bid(9, last)
}

/// `last` that follows `prev`, one level.
pub fn link(prev: i64, last: i64) -> Sent {
    bare(SeqInfo { prev: Some(prev), last: Some(last), ..SeqInfo::default() }).bid(9, 1)
}

/// A number of a count, one level.
pub fn count(id: i64) -> Sent {
    bare(last(id)).bid(9, 1)
}

/// No number at all, one level.
pub fn plain() -> Sent {
    bare(SeqInfo::default()).bid(9, 1)
}

/// A snapshot of any kind without a number.
pub fn unnumbered(mut sent: Sent) -> Sent {
    sent.seq.last = None;
    sent
}

pub const APPLY: Verdict = Verdict::Apply { overlap: false };
pub const OVERLAP: Verdict = Verdict::Apply { overlap: true };

pub fn gap(expected: i64, got: i64) -> Verdict {
    Verdict::Gap { expected, got }
}

pub const LIVE: (State, Reason) = (State::Live, Reason::None);

pub fn sync(reason: Reason) -> (State, Reason) {
    (State::Syncing, reason)
}

pub const WAITS: (State, Reason) = (State::Syncing, Reason::AwaitingSnapshot);
pub const JOINED: (State, Reason) = (State::Syncing, Reason::AwaitingFirstDelta);

pub const RANGE: Rule = Rule::new(Chain::Range, Bridge::Rest);
pub const RISING: Rule = Rule::new(Chain::Rising, Bridge::Rest);
pub const LINKED: Rule = Rule::new(Chain::Linked, Bridge::InStream);
pub const LINKED_REST: Rule = Rule::new(Chain::Linked, Bridge::Either);
pub const COUNTER: Rule = Rule::new(Chain::Counter, Bridge::InStream);
pub const COUNTER_REST: Rule = Rule::new(Chain::CounterRest, Bridge::Rest);
pub const LOOSE: Rule = Rule::new(Chain::Loose, Bridge::Either);
pub const UNNUMBERED: Rule = Rule::new(Chain::Unnumbered, Bridge::InStream);
pub const IMAGE: Rule = Rule::new(Chain::Image, Bridge::InStream);
pub const IMAGE_COUNTED: Rule = Rule::new(Chain::ImageCounted, Bridge::InStream);
pub const LEVEL_ONE: Rule = Rule::new(Chain::LevelOne, Bridge::InStream);

/// What a message must do.
pub type Row = (Sent, Verdict, (State, Reason), Demand);

pub fn feed(book: &mut LocalBook, sent: &Sent) -> Outcome {
    feed_seen(book, sent, &mut Vec::new())
}

/// As [`feed`]; `seen` is told of every level that changes: side, price, size now.
pub fn feed_seen(book: &mut LocalBook, sent: &Sent, seen: &mut Vec<(Side, i64, i64)>) -> Outcome {
    // Every number written out plainly, so that a checksum over the text can be taken.
    let written = LevelExtra {
        price_decimals: sent.scales.price,
        qty_decimals: sent.scales.qty,
        ..LevelExtra::default()
    };
    let extras = vec![written; sent.bids.len() + sent.asks.len()];
    let message = BookMessage {
        kind: sent.kind,
        seq: sent.seq,
        scales: sent.scales,
        bids: &sent.bids,
        asks: &sent.asks,
        extras: &extras,
        depth_limit: sent.limit,
    };
    let times = Times { recv_ns: sent.recv_ns, ..Times::default() };
    book.message(&message, sent.flags, &times, &mut |side, level: Level, _| {
        seen.push((side, level.price, level.qty));
    })
}

/// Gives a book a delta that was lost and asked for again.
pub fn repeat(book: &mut LocalBook, sent: &Sent) -> Outcome {
    let message = BookMessage {
        kind: sent.kind,
        seq: sent.seq,
        scales: sent.scales,
        bids: &sent.bids,
        asks: &sent.asks,
        extras: &[],
        depth_limit: None,
    };
    let times = Times { recv_ns: sent.recv_ns, ..Times::default() };
    book.repeated(&message, &times, &mut ())
}

/// Gives the messages to a book; each row must hold.
pub fn run_on(book: &mut LocalBook, rows: &[Row]) {
    for (at, (sent, verdict, state, demand)) in rows.iter().enumerate() {
        let was_live = book.state().0 == State::Live;
        let outcome = feed(book, sent);
        let seen = (outcome.verdict, book.state(), outcome.demand);
        assert_eq!(seen, (*verdict, *state, *demand), "row {at}: {:?}", sent.seq);
        match outcome.transition {
            Transition::Invalidated(reason) => {
                assert!(was_live && reason == state.1, "row {at}");
            }
            Transition::Reset | Transition::Live => assert_eq!(state.0, State::Live, "row {at}"),
            Transition::None => assert_eq!(was_live, state.0 == State::Live, "row {at}"),
        }
        assert_eq!(book.live().is_some(), state.0 == State::Live, "row {at}");
    }
}

/// As [`run_on`], on a new book with the choices of a live feed.
pub fn run(rule: Rule, rows: &[Row]) -> LocalBook {
    run_with(rule, Policy::default(), rows)
}

pub fn run_with(rule: Rule, policy: Policy, rows: &[Row]) -> LocalBook {
    let mut book = LocalBook::new(rule, policy);
    run_on(&mut book, rows);
    book
}

/// Levels of a side, best first.
pub fn side(book: &LocalBook, side: Side) -> Vec<(i64, i64)> {
    book.last_known().side(side).iter().map(|level| (level.price, level.qty)).collect()
}

pub use Demand::{None as NOTHING, Resubscribe as RESUB, Snapshot as FETCH};
pub use Verdict::{
    Backwards as BACK, Heartbeat as BEAT, Hold as HOLD, Ignore as IGNORE, Replace as REPLACE,
    Restart as RESTART, SnapshotTooOld as TOO_OLD, Stale as STALE,
};
