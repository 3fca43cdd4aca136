//! The example strategy quotes what the book says, and nothing while the book is not live.

#[path = "../crates/gapless/examples/market_maker.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod market_maker;

use std::collections::BTreeMap;

use gapless::book::event::{Level, Side};
use gapless::book::local::Outcome;
use gapless::replay::pace::Speed;
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::session::{Handler, LineId, Watcher};
use gapless::{Choices, Replay};
use market_maker::{Quotes, quotes, trade};

const NAME: &str = "okx:BTC-USDT-SWAP";

/// The quotes after every message of every book of that symbol, by number.
#[derive(Default)]
struct Oracle(BTreeMap<i64, Vec<Option<Quotes>>>);

impl Handler for Oracle {
    fn book(&mut self, _: BookId, book: &BookEntry, _: &Outcome) {
        if book.symbol == NAME.split(':').nth(1).unwrap() {
            let live = book.local.live();
            let best = |side| live.and_then(|book| book.side(side).iter().next());
            let offered = best(Side::Bid).zip(best(Side::Ask)).and_then(|(b, a)| quotes(b, a));
            self.0.entry(book.local.seq().unwrap_or(0)).or_default().push(offered);
        }
    }
}

impl Watcher for Oracle {
    fn line(&mut self, _: LineId) {}
}

#[test]
fn quotes_are_around_the_microprice_and_never_through_the_book() {
    let level = |price, qty| Level { price, qty };
    // Many to sell press the price down to the bid.
    assert_eq!(quotes(level(100, 1), level(110, 9)), Some(Quotes { bid: 96, ask: 106 }));
    assert_eq!(quotes(level(100, 5), level(110, 5)), Some(Quotes { bid: 100, ask: 110 }));
    assert_eq!(quotes(level(100, 9), level(101, 1)), Some(Quotes { bid: 100, ask: 102 }));
    for (bid_qty, ask_qty) in [(1, 1_000_000), (1_000_000, 1), (7, 3)] {
        let (bid, ask) = (level(-5, bid_qty), level(-4, ask_qty));
        let Quotes { bid: ours, ask: theirs } = quotes(bid, ask).unwrap();
        assert!(ours < ask.price && theirs > bid.price && ours < theirs);
    }
}

#[test]
fn the_example_offers_what_a_replay_of_the_same_frames_would() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/okx.cap.zst").to_owned();
    let mut oracle = Oracle::default();
    let inputs = gapless::replay::input::find(std::slice::from_ref(&path)).unwrap();
    let (mut replay, _) = Replay::with(inputs, Choices::default());
    replay.run(&mut oracle).unwrap();
    for speed in [Speed::Max, Speed::Factor(200.0)] {
        let mut out = Vec::new();
        trade(std::slice::from_ref(&path), NAME, speed, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.is_empty());
        for line in text.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let [seq, bid, ask] = &fields[..] else { panic!("{line}") };
            let price = |text: &str| text.parse::<i64>().ok();
            let offered = price(bid).zip(price(ask)).map(|(bid, ask)| Quotes { bid, ask });
            let Some(expected) = oracle.0.get(&seq.parse().unwrap()) else {
                assert_eq!((*seq, offered), ("0", None), "{line}");
                continue;
            };
            assert!(offered.is_none() || expected.contains(&offered), "{line}: {expected:?}");
        }
        let last = text.lines().last().unwrap();
        let book = replay
            .books()
            .find(|book| book.name() == NAME && !["bbo-tbt", "books5"].contains(&book.channel()));
        let book = book.unwrap();
        let best = |side| book.local().last_known().side(side).iter().next().unwrap();
        let Quotes { bid, ask } = quotes(best(Side::Bid), best(Side::Ask)).unwrap();
        assert!(last.ends_with(&format!(" {bid} {ask}")), "{last}: {bid} {ask}");
    }
}
