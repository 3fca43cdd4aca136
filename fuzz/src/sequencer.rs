//! Target `sequencer`: a book under any series of messages, for every rule.
//!
//! The bytes are a program: a rule and a policy, then messages whose numbers mostly continue the
//! chain, sometimes break it, sometimes are extreme. After each step: no panic; a live book is
//! uncrossed, within its depth and sorted; a proof of loss ends live; what the step reports is
//! what the state shows; and where ids are linked, live means that no link was missing.

use gapless_book::event::{
    BookKind, BookMessage, Flags, Level, LevelExtra, Scales, SeqInfo, Side, Times,
};
use gapless_book::held::HELD_MAX;
use gapless_book::local::{CrossedPolicy, LocalBook, Outcome, Policy, Reason, State, Transition};
use gapless_book::sequence::{Bridge, Chain, Rule, Verdict};

const CHAINS: [Chain; 10] = [
    Chain::Range,
    Chain::Rising,
    Chain::Linked,
    Chain::Counter,
    Chain::CounterRest,
    Chain::Loose,
    Chain::Unnumbered,
    Chain::Image,
    Chain::ImageCounted,
    Chain::LevelOne,
];
const BRIDGES: [Bridge; 3] = [Bridge::InStream, Bridge::Rest, Bridge::Either];

/// Runs one input.
pub fn sequencer(data: &[u8]) {
    let mut bytes = Bytes(data);
    let rule = rule(&mut bytes);
    let mut run = Run::new(rule, policy(&mut bytes));
    while !bytes.0.is_empty() {
        run.step(&mut bytes);
    }
}

fn rule(bytes: &mut Bytes<'_>) -> Rule {
    let (chain, options) = (bytes.byte(), bytes.byte());
    let chain = CHAINS[usize::from(chain) % CHAINS.len()];
    let bridge = BRIDGES[usize::from(options & 15) % BRIDGES.len()];
    let rule = Rule::new(chain, bridge).depth((options & 16 != 0).then_some(3));
    if options & 32 != 0 { rule.with_checksum() } else { rule }
}

fn policy(bytes: &mut Bytes<'_>) -> Policy {
    let options = bytes.byte();
    let crossed = [CrossedPolicy::Report, CrossedPolicy::Uncross, CrossedPolicy::Resync];
    Policy {
        crossed: crossed[usize::from(options & 3) % 3],
        verify_checksum: options & 4 == 0,
        keep_last_live: options & 8 == 0,
        resync_on_audit: options & 16 != 0,
        lenient_bridge: options & 32 != 0,
    }
}

/// A book, and what is known about it without it.
struct Run {
    book: LocalBook,
    rule: Rule,
    /// Last id of the chain as far as this file can tell: the source of plausible numbers.
    last: i64,
    now_ns: i64,
    /// For linked ids from the stream: the anchor that a live book must have.
    link: Option<i64>,
}

impl Run {
    fn new(rule: Rule, policy: Policy) -> Self {
        let book = LocalBook::new(rule, policy);
        Self { book, rule, last: 100, now_ns: 1_700_000_000_000_000_000, link: None }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let was_live = self.book.state().0 == State::Live;
        let outcome = match bytes.byte() {
            0 => self.link_lost(|book| book.refuse()),
            1 => self.link_lost(|book| book.invalidate(Reason::GapNotice)),
            2 => self.link_lost(LocalBook::disconnect),
            3 => {
                let (now, limit) = (bytes.number(self.now_ns), bytes.number(1_000_000_000));
                self.book.tick(now, limit)
            }
            code => self.message(code, bytes),
        };
        self.check(was_live, outcome);
    }

    fn link_lost(&mut self, act: impl FnOnce(&mut LocalBook) -> Outcome) -> Outcome {
        self.link = None;
        act(&mut self.book)
    }

    fn message(&mut self, code: u8, bytes: &mut Bytes<'_>) -> Outcome {
        let images =
            matches!(self.rule.chain, Chain::Image | Chain::ImageCounted | Chain::LevelOne);
        let kind = match code % 8 {
            0 => BookKind::Snapshot,
            // No venue sends whole pictures on a channel that chains.
            1..4 if images => BookKind::Image,
            _ => BookKind::Delta,
        };
        let seq = self.numbers(bytes);
        let levels = Levels::read(bytes);
        let message = BookMessage {
            kind,
            seq,
            scales: levels.scales,
            bids: &levels.bids,
            asks: &levels.asks,
            extras: &levels.extras,
            depth_limit: None,
        };
        self.now_ns = self.now_ns.saturating_add(1_000_000);
        let times = Times { recv_ns: self.now_ns, ..Times::default() };
        let flags = if code & 64 != 0 { Flags::REST } else { Flags::NONE };
        self.last = seq.last.unwrap_or(self.last);
        let mut changes = 0usize;
        let outcome = self.book.message(&message, flags, &times, &mut |_, _, _| changes += 1);
        self.follow(kind, &seq, flags);
        outcome
    }

    /// The naive chain: a snapshot opens it, each delta must name the one before.
    fn follow(&mut self, kind: BookKind, seq: &SeqInfo, flags: Flags) {
        if self.rule.chain != Chain::Linked || self.rule.bridge != Bridge::InStream {
            return;
        }
        match kind {
            BookKind::Snapshot if !flags.has(Flags::REST) => self.link = seq.last,
            BookKind::Delta if seq.prev.is_some() && seq.prev == self.link => self.link = seq.last,
            _ => {}
        }
    }

    /// Numbers that mostly continue the chain.
    fn numbers(&self, bytes: &mut Bytes<'_>) -> SeqInfo {
        let shape = bytes.byte();
        let first = bytes.number(self.last.saturating_add(1));
        let last = bytes.number(first);
        let prev = bytes.number(self.last);
        let some = |bit: u8, value: i64| (shape & bit == 0).then_some(value);
        SeqInfo {
            first: some(1, first),
            last: some(2, last),
            prev: some(4, prev),
            cross: None,
            checksum: (shape & 8 != 0).then(|| i32::from(bytes.byte())),
        }
    }

    fn check(&self, was_live: bool, outcome: Outcome) {
        let (state, reason) = self.book.state();
        let live = state == State::Live;
        assert_eq!(live, reason == Reason::None, "a state that is not live has a reason");
        assert_eq!(live, self.book.live().is_some());
        assert!(self.book.held() <= HELD_MAX);
        match outcome.transition {
            Transition::Invalidated(why) => assert!(was_live && !live && why == reason),
            Transition::Live => assert!(!was_live && live),
            Transition::Reset => assert!(live),
            Transition::None => assert_eq!(was_live, live),
        }
        if matches!(outcome.verdict, Verdict::Gap { .. } | Verdict::Restart) {
            assert!(!live, "live after a proof of loss: {:?}", outcome.verdict);
        }
        if live {
            self.check_live();
        }
    }

    fn check_live(&self) {
        let book = self.book.last_known();
        assert!(!book.is_crossed(), "a live book is not crossed");
        for side in [Side::Bid, Side::Ask] {
            let levels: Vec<_> = book.side(side).iter().collect();
            let depth = self.rule.depth.map_or(usize::MAX, usize::from);
            assert!(levels.len() <= depth, "a live book keeps to its depth");
            assert_eq!(levels.len(), book.side(side).len());
            assert!(levels.iter().all(|level| level.qty > 0), "no empty level");
            let sorted = levels.windows(2).all(|pair| match side {
                Side::Bid => pair[0].price > pair[1].price,
                Side::Ask => pair[0].price < pair[1].price,
            });
            assert!(sorted, "best first");
        }
        let linked = self.rule.chain == Chain::Linked && self.rule.bridge == Bridge::InStream;
        if linked && let Some(anchor) = self.book.seq() {
            assert_eq!(self.link.or(Some(anchor)), Some(anchor), "live on an unbroken chain only");
        }
    }
}

/// Levels of one message.
struct Levels {
    scales: Scales,
    bids: Vec<Level>,
    asks: Vec<Level>,
    extras: Vec<LevelExtra>,
}

impl Levels {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        let (shape, scale) = (bytes.byte(), bytes.byte());
        let scales = Scales { price: (scale & 15) % 19, qty: (scale >> 4) % 19 };
        let bids: Vec<_> = (0..shape & 7).map(|_| level(bytes, 990)).collect();
        let asks: Vec<_> = (0..(shape >> 3) & 7).map(|_| level(bytes, 1010)).collect();
        let extras = if shape & 64 != 0 { bids.len() + asks.len() } else { 0 };
        let extras = (0..extras).map(|_| extra(bytes)).collect();
        Self { scales, bids, asks, extras }
    }
}

/// Sizes are never negative: the parsers refuse those.
fn level(bytes: &mut Bytes<'_>, near: i64) -> Level {
    let price = bytes.number(near);
    Level { price, qty: bytes.number(5).max(0) }
}

fn extra(bytes: &mut Bytes<'_>) -> LevelExtra {
    LevelExtra {
        extra: bytes.number(0).max(0),
        price_decimals: bytes.byte(),
        qty_decimals: bytes.byte(),
        ..LevelExtra::default()
    }
}

/// What is left of the program; reads as zeros beyond its end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number near another, or now and then any number at all.
    fn number(&mut self, near: i64) -> i64 {
        match self.byte() {
            255 => (0..8).fold(0, |number, _| (number << 8) | i64::from(self.byte())),
            254 => i64::MAX - i64::from(self.byte()),
            253 => i64::MIN + i64::from(self.byte()),
            252 => -1,
            step if step < 128 => near.saturating_add(i64::from(step & 31)),
            step => near.saturating_sub(i64::from(step & 31)),
        }
    }
}
