//! Several venues in one book: comparable numbers, and nothing of a venue that is not live.
#![cfg(not(loom))]

use gapless_book::decimal::Decimal;
use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Times};
use gapless_book::local::{LocalBook, Policy, Reason, State};
use gapless_book::publish::{
    Config, Consolidated, Exclusion, Heap, NotLive, OtherQuote, Publisher, ReadError, Reader,
    Tagged, Unit,
};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::sync::Arc;

struct Venue {
    book: LocalBook,
    publisher: Publisher<Arc<Heap>>,
}

impl Venue {
    /// A live book of one bid and one ask.
    fn new(scales: Scales, bid: (i64, i64), ask: (i64, i64)) -> Self {
        let config = Config { ring: 0, ..Config::default() };
        let region = Arc::new(Heap::new(config.words().unwrap()));
        let mut publisher = Publisher::create(region, &config, 0, 0).unwrap();
        let rule = Rule::new(Chain::Linked, Bridge::InStream);
        let mut book = LocalBook::new(rule, Policy::default());
        let level = |(price, qty)| [Level { price, qty }];
        let message = BookMessage {
            kind: BookKind::Snapshot,
            seq: SeqInfo { last: Some(1), ..SeqInfo::default() },
            scales,
            bids: &level(bid),
            asks: &level(ask),
            extras: &[],
            depth_limit: None,
        };
        let _ = book.message(&message, Flags::NONE, &Times::default(), &mut publisher);
        publisher.publish(&book, 0);
        Self { book, publisher }
    }

    fn reader(&self) -> Reader<Arc<Heap>> {
        Reader::attach(self.publisher.region().clone()).unwrap()
    }
}

const COMMON: Scales = Scales { price: 2, qty: 6 };
const ONE: Unit = Unit::Base(Decimal::new(1, 0));

fn tagged(source: usize, price: i64, qty: i64) -> Tagged {
    Tagged { source, level: Level { price, qty } }
}

fn scales(price: u8, qty: u8) -> Scales {
    Scales { price, qty }
}

#[test]
fn contracts_and_scales_become_comparable_and_levels_say_whose_they_are() {
    // 0.5 at 100.1; 30 contracts of 0.01 at 100; 7 contracts of 100 USD at 100.00.
    let spot = Venue::new(scales(1, 1), (1_001, 5), (1_003, 5));
    let linear = Venue::new(scales(0, 0), (100, 30), (101, 40));
    let inverse = Venue::new(scales(2, 0), (10_000, 7), (30_000, 7));
    let mut all = Consolidated::new("USD", COMMON, 5);
    all.add(spot.reader(), "USD", ONE).unwrap();
    all.add(linear.reader(), "USD", Unit::Base(Decimal::new(1, 2))).unwrap();
    all.add(inverse.reader(), "USD", Unit::Quote(Decimal::new(100, 0))).unwrap();
    all.refresh(0);
    assert_eq!(
        all.bids(),
        [tagged(0, 10_010, 500_000), tagged(1, 10_000, 300_000), tagged(2, 10_000, 7_000_000)]
    );
    // 700 / 300 = 2.333333, rounded down.
    assert_eq!(
        all.asks(),
        [tagged(0, 10_030, 500_000), tagged(1, 10_100, 400_000), tagged(2, 30_000, 2_333_333)]
    );
    assert_eq!((all.excluded().count(), all.is_crossed()), (0, false));
}

#[test]
fn a_venue_that_is_not_live_is_left_out_at_once_and_named() {
    let steady = Venue::new(scales(0, 0), (100, 1), (102, 1));
    let mut other = Venue::new(scales(0, 0), (101, 1), (103, 1));
    let mut all = Consolidated::new("USD", COMMON, 5);
    all.add(steady.reader(), "USD", ONE).unwrap();
    all.add(other.reader(), "USD", ONE).unwrap();
    all.refresh(0);
    assert_eq!((all.bids().len(), all.bids()[0].source), (2, 1));
    let _ = other.book.disconnect();
    other.publisher.publish(&other.book, 5);
    all.refresh(5);
    assert_eq!(all.bids(), [tagged(0, 10_000, 1_000_000)]);
    let why = NotLive { state: State::Syncing, reason: Reason::Disconnected, age_ns: 0 };
    let excluded: Vec<_> = all.excluded().collect();
    assert_eq!(excluded, [(1, Exclusion::NotLive(ReadError::NotLive(why)))]);
    all.refresh(10_000_000_000);
    assert_eq!((all.bids().len(), all.excluded().count()), (0, 2), "a silent writer counts too");
}

#[test]
fn venues_that_cross_each_other_are_shown_so() {
    let (low, high) =
        (Venue::new(scales(0, 0), (98, 1), (99, 1)), Venue::new(scales(0, 0), (99, 1), (101, 1)));
    let mut all = Consolidated::new("USD", COMMON, 5);
    all.add(low.reader(), "USD", ONE).unwrap();
    all.add(high.reader(), "USD", ONE).unwrap();
    all.refresh(0);
    assert!(all.is_crossed());
    assert_eq!((all.bids()[0].source, all.asks()[0].source), (1, 0));
}

#[test]
fn what_cannot_be_compared_exactly_is_refused_or_left_out() {
    let fine = Venue::new(scales(3, 0), (100_001, 1), (100_003, 1));
    let tiny = Venue::new(scales(0, 8), (100, 1), (101, 1));
    let mut all = Consolidated::new("USD", COMMON, 5);
    assert_eq!(all.add(fine.reader(), "USDT", ONE), Err(OtherQuote));
    all.add(fine.reader(), "USD", ONE).unwrap();
    all.add(tiny.reader(), "USD", ONE).unwrap();
    // Its bid would fit, its ask does not: neither is in the book.
    let half = Venue::new(scales(3, 0), (100_000, 1), (100_003, 1));
    all.add(half.reader(), "USD", ONE).unwrap();
    all.refresh(0);
    assert_eq!(
        all.excluded().collect::<Vec<_>>(),
        [0, 1, 2].map(|source| (source, Exclusion::Inexact))
    );
    assert!(all.bids().is_empty() && all.asks().is_empty());
}
