//! Any series of commands leaves a book that is exact or says that it is not.
//!
//! A venue with a tiny true book numbers its messages by one of the chains. Commands publish,
//! deliver, lose, repeat, snapshot, refuse, disconnect and let time pass; the model beside the book
//! is a list of all that the venue ever published. Whenever the book says live, it must be the
//! true book at the place that its number names; a loss is noticed with the next delivery.

use std::collections::BTreeMap;

use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Side, Times};
use gapless_book::local::{CrossedPolicy, LocalBook, Policy, State, Transition};
use gapless_book::sequence::{Bridge, Chain, Rule, Verdict};
use proptest::prelude::*;

/// What may happen next.
#[derive(Clone, Debug)]
enum Command {
    /// The venue changes one level (bids below 50, asks above) and delivers the message or not.
    Publish {
        price: i64,
        qty: i64,
        delivered: bool,
    },
    /// A message of before comes again, counted from the newest.
    Repeat(usize),
    /// A snapshot as of so many messages ago.
    Snapshot(usize),
    /// The venue lowers (or begins anew) its numbers with its next message.
    Lower,
    Refuse,
    Disconnect,
    Tick(i64),
}

fn command() -> impl Strategy<Value = Command> {
    let price = prop_oneof![40..50i64, 51..60i64];
    let publish = (price, 0..4i64, prop::bool::weighted(0.95))
        .prop_map(|(price, qty, delivered)| Command::Publish { price, qty, delivered });
    prop_oneof![
        12 => publish,
        2 => (0..12usize).prop_map(Command::Repeat),
        4 => (0..6usize).prop_map(Command::Snapshot),
        1 => Just(Command::Lower),
        1 => Just(Command::Refuse),
        1 => Just(Command::Disconnect),
        1 => (0..3_000_000_000i64).prop_map(Command::Tick),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::new(Chain::Range, Bridge::Rest)),
        Just(Rule::new(Chain::Rising, Bridge::Rest)),
        Just(Rule::new(Chain::Linked, Bridge::InStream)),
        Just(Rule::new(Chain::Linked, Bridge::Either)),
        Just(Rule::new(Chain::Counter, Bridge::InStream)),
        Just(Rule::new(Chain::CounterRest, Bridge::Rest)),
        Just(Rule::new(Chain::Loose, Bridge::Either)),
    ]
}

type Truth = BTreeMap<i64, i64>;

/// One published message, and the true book after it.
#[derive(Clone)]
struct Published {
    seq: SeqInfo,
    level: Level,
    truth: Truth,
}

struct Machine {
    rule: Rule,
    book: LocalBook,
    truth: Truth,
    last: i64,
    published: Vec<Published>,
    now_ns: i64,
}

impl Machine {
    fn new(rule: Rule) -> Self {
        let policy = Policy { crossed: CrossedPolicy::Report, ..Policy::default() };
        let book = LocalBook::new(rule, policy);
        let (truth, published) = (Truth::new(), Vec::new());
        let mut machine = Self { rule, book, truth, last: 1_000_000, published, now_ns: 0 };
        machine.publish(45, 1, false);
        machine
    }

    fn step(&mut self, command: &Command) {
        let was_live = self.book.state().0 == State::Live;
        let transition = match *command {
            Command::Publish { price, qty, delivered } => self.publish(price, qty, delivered),
            Command::Repeat(back) => self.repeat(back),
            Command::Snapshot(back) => self.snapshot(back),
            Command::Lower => self.lower(),
            Command::Refuse => self.book.refuse().transition,
            Command::Disconnect => self.book.disconnect().transition,
            Command::Tick(ns) => {
                self.now_ns += ns;
                self.book.tick(self.now_ns, 1_000_000_000).transition
            }
        };
        let live = self.book.state().0 == State::Live;
        match transition {
            Transition::Invalidated(reason) => {
                assert!(was_live && !live && reason == self.book.state().1)
            }
            Transition::Live => assert!(!was_live && live),
            Transition::Reset => assert!(live),
            Transition::None => assert_eq!(was_live, live),
        }
        if matches!(command, Command::Refuse | Command::Disconnect) {
            assert!(!live);
        }
        self.check();
    }

    /// The chain's own next numbers.
    fn number(&mut self) -> SeqInfo {
        let prev = self.last;
        let step = match self.rule.chain {
            Chain::Range | Chain::Rising | Chain::Linked => 1 + prev.rem_euclid(3),
            _ => 1,
        };
        self.last += step;
        let seq = SeqInfo { last: Some(self.last), ..SeqInfo::default() };
        match self.rule.chain {
            Chain::Range => SeqInfo { first: Some(prev + 1), ..seq },
            Chain::Rising | Chain::Linked => SeqInfo { prev: Some(prev), ..seq },
            _ => seq,
        }
    }

    fn publish(&mut self, price: i64, qty: i64, delivered: bool) -> Transition {
        if qty == 0 {
            self.truth.remove(&price);
        } else {
            self.truth.insert(price, qty);
        }
        let seq = self.number();
        let (level, truth) = (Level { price, qty }, self.truth.clone());
        self.published.push(Published { seq, level, truth });
        if !delivered {
            return Transition::None;
        }
        let newest = self.published.len() - 1;
        self.deliver(newest)
    }

    fn repeat(&mut self, back: usize) -> Transition {
        let at = self.published.len().saturating_sub(1 + back);
        self.deliver(at)
    }

    fn deliver(&mut self, at: usize) -> Transition {
        let Published { seq, level, .. } = self.published[at].clone();
        let one = [level];
        let (bids, asks): (&[Level], &[Level]) =
            if level.price < 50 { (&one, &[]) } else { (&[], &one) };
        self.give(BookKind::Delta, Flags::NONE, seq, bids, asks)
    }

    fn snapshot(&mut self, back: usize) -> Transition {
        let in_stream = self.rule.bridge == Bridge::InStream;
        // A stream shows its newest book; REST may be late.
        let back = if in_stream { 0 } else { back };
        let of = self.published[self.published.len().saturating_sub(1 + back)].clone();
        let side = |bid: bool| -> Vec<Level> {
            let levels = of.truth.iter().filter(|(price, _)| (**price < 50) == bid);
            levels.map(|(price, qty)| Level { price: *price, qty: *qty }).collect()
        };
        let seq = SeqInfo { last: of.seq.last, ..SeqInfo::default() };
        let flags = if in_stream { Flags::NONE } else { Flags::REST };
        self.give(BookKind::Snapshot, flags, seq, &side(true), &side(false))
    }

    /// What venues do: linked ids are lowered by the chain, counts begin again at one.
    fn lower(&mut self) -> Transition {
        match self.rule.chain {
            Chain::Linked => {
                let prev = self.last;
                self.last = prev - 2000;
                let seq = SeqInfo { prev: Some(prev), last: Some(self.last), ..SeqInfo::default() };
                let level = Level { price: 40, qty: 9 };
                self.truth.insert(40, 9);
                let truth = self.truth.clone();
                self.published.push(Published { seq, level, truth });
                let newest = self.published.len() - 1;
                self.deliver(newest)
            }
            Chain::Counter => {
                self.last = 0;
                self.truth.clear();
                // A count that begins anew uses the old numbers again: nothing of the old count
                // comes after it on one line, or no one could tell the two apart.
                self.published.clear();
                self.publish(45, 1, true)
            }
            _ => Transition::None,
        }
    }

    fn give(
        &mut self,
        kind: BookKind,
        flags: Flags,
        seq: SeqInfo,
        bids: &[Level],
        asks: &[Level],
    ) -> Transition {
        self.now_ns += 1000;
        let message = BookMessage {
            kind,
            seq,
            scales: Scales::default(),
            bids,
            asks,
            extras: &[],
            depth_limit: None,
        };
        let times = Times { recv_ns: self.now_ns, ..Times::default() };
        let outcome = self.book.message(&message, flags, &times, &mut ());
        if matches!(outcome.verdict, Verdict::Gap { .. } | Verdict::Restart) {
            assert_ne!(self.book.state().0, State::Live);
        }
        outcome.transition
    }

    /// Live means: the true book after the newest message of that number.
    fn check(&self) {
        let Some(book) = self.book.live() else { return };
        let anchor = self.book.seq();
        assert!(anchor.is_some(), "these chains have numbers");
        let of = self.published.iter().rev().find(|published| published.seq.last == anchor);
        let mut shown = Truth::new();
        for side in [Side::Bid, Side::Ask] {
            shown.extend(book.side(side).iter().map(|level| (level.price, level.qty)));
        }
        assert_eq!(Some(&shown), of.map(|published| &published.truth), "at {anchor:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_live_book_is_the_true_book_at_its_number(
        rule in rule(),
        commands in prop::collection::vec(command(), 1..120),
    ) {
        let mut machine = Machine::new(rule);
        for command in &commands {
            machine.step(command);
        }
    }
}
