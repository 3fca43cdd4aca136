//! What the product calls live is the venue's book, checked against a naive twin.
//!
//! Venues of every chain number their messages, lose, repeat and swap them, lower their numbers,
//! show more decimals and change their tick. Whenever the book under test says live, it must be
//! the true book at the place that its number names: best prices after every message, every level
//! at every change of state and every so often.
//!
//! `GAPLESS_ORACLE_UPDATES` sets the number of level updates (default 100 million; a billion:
//! `GAPLESS_ORACLE_UPDATES=1000000000 cargo test --profile ci -p gapless-tests --test oracle`).

#[path = "oracle/naive.rs"]
mod naive;
#[path = "oracle/venue.rs"]
mod venue;

use gapless::book::event::{Level, Side, Times};
use gapless::book::local::{Demand, LocalBook, Policy, State, Transition};
use gapless::book::sequence::{Bridge, Chain, Verdict};
use naive::{Naive, Text, text};
use std::collections::BTreeMap;
use venue::{Sent, Venue};

/// The book under test with its twin.
struct Pair {
    venue: Venue,
    book: LocalBook,
    /// The true book at the place where the book under test stands.
    follower: Naive,
    follower_place: u64,
    /// Place of each number that was given out.
    places: BTreeMap<i64, u64>,
    transitions: u64,
    gaps: u64,
    live_checks: u64,
    ticks: u64,
}

impl Pair {
    fn new(chain: Chain, bridge: Bridge, seed: u64) -> Self {
        let venue = Venue::new(chain, bridge, seed);
        let book = LocalBook::new(venue.rule, Policy::replay());
        Self {
            venue,
            book,
            follower: Naive::default(),
            follower_place: 0,
            places: BTreeMap::new(),
            transitions: 0,
            gaps: 0,
            live_checks: 0,
            ticks: 0,
        }
    }

    fn step(&mut self) {
        self.venue.trade();
        if let Some(newest) = self.venue.history.back() {
            self.places.insert(newest.seq.last.unwrap(), newest.place);
        }
        while let Some(sent) = self.venue.deliver() {
            self.receive(&sent);
        }
    }

    fn receive(&mut self, sent: &Sent) {
        let message = sent.message();
        let outcome = self.book.message(&message, sent.flags, &Times::default(), &mut ());
        self.gaps += u64::from(matches!(outcome.verdict, Verdict::Gap { .. }));
        self.ticks += 1;
        let waits = self.book.state().0 != State::Live && self.ticks.is_multiple_of(64);
        if outcome.demand != Demand::None || waits {
            self.venue.ask_snapshot();
        }
        if self.book.state().0 == State::Live {
            self.compare(outcome.transition != Transition::None || self.ticks.is_multiple_of(2048));
        }
        self.transitions += u64::from(outcome.transition != Transition::None);
    }

    /// Brings the follower to the book's place and compares.
    fn compare(&mut self, whole: bool) {
        let anchor = self.book.seq().expect("a live book of a numbered chain has a number");
        let place = self.places[&anchor];
        assert!(place >= self.follower_place, "live, and older than it was");
        while self.follower_place < place {
            let sent = self.venue.history.pop_front().expect("history reaches the newest place");
            self.follower_place = sent.place;
            sent.apply(&mut self.follower);
            if self.places.len() > 100_000 {
                let cut = self.follower_place.saturating_sub(20_000);
                self.places.retain(|_, place| *place >= cut);
            }
        }
        self.live_checks += 1;
        let book = self.book.live().expect("the state was checked");
        let best = |level: Option<Level>| level.map(|level| self.texts(level));
        assert_eq!(best(book.best_bid()), self.follower.best_bid(), "best bid at {anchor}");
        assert_eq!(best(book.best_ask()), self.follower.best_ask(), "best ask at {anchor}");
        if whole {
            let levels = |side| book.side(side).iter().map(|level| self.texts(level));
            assert!(levels(Side::Bid).eq(self.follower.bids.iter().rev().map(copied)));
            assert!(levels(Side::Ask).eq(self.follower.asks.iter().map(copied)));
            assert_eq!(book.side(Side::Bid).len(), self.follower.bids.len());
        }
    }

    fn texts(&self, level: Level) -> (Text, Text) {
        let scales = self.book.last_known().scales();
        (text(level.price, scales.price), text(level.qty, scales.qty))
    }
}

fn copied((price, size): (&Text, &Text)) -> (Text, Text) {
    (*price, *size)
}

fn updates_wanted() -> u64 {
    let wanted = std::env::var("GAPLESS_ORACLE_UPDATES").ok();
    wanted.map_or(100_000_000, |text| text.parse().expect("GAPLESS_ORACLE_UPDATES is a number"))
}

/// Runs one chain for so many level updates; panics at the first difference.
fn run(chain: Chain, bridge: Bridge, updates: u64, seed: u64) {
    let mut pair = Pair::new(chain, bridge, seed);
    while pair.venue.updates < updates {
        pair.step();
    }
    let (checks, gaps) = (pair.live_checks, pair.gaps);
    println!("{chain:?}: {} updates, {checks} live checks, {gaps} gaps, seed {seed}", updates);
    // A run that was never live, or never lost anything, has shown nothing.
    assert!(checks > updates / 2000, "{chain:?}: only {checks} live checks");
    assert!(gaps > updates / 200_000, "{chain:?}: only {gaps} gaps");
}

#[test]
fn what_is_called_live_is_the_true_book() {
    let chains = [
        (Chain::Range, Bridge::Rest),
        (Chain::Rising, Bridge::Rest),
        (Chain::Linked, Bridge::InStream),
        (Chain::Counter, Bridge::InStream),
    ];
    let share = updates_wanted() / chains.len() as u64;
    std::thread::scope(|scope| {
        for (seed, (chain, bridge)) in (1u64..).zip(chains) {
            scope.spawn(move || run(chain, bridge, share, seed));
        }
    });
}
