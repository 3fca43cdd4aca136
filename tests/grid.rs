//! Recorded books stand on the grids of the venues' own lists of about the same day.
//!
//! Two readings that share nothing, the list's and the book's, must agree on the levels. They do,
//! but for orders that were resting when the venue made a step coarser: those stay where they are,
//! off the grid of today. So a grid sizes a container and explains a value; it refuses none.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gapless::book::decimal::Decimal;
use gapless::replay::input::{self, Input};
use gapless::replay::lists;
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::instruments::{GridError, Kind};
use gapless::venues::registry::VenueId;
use gapless::venues::session::{Handler, Watcher};
use gapless::{Choices, Replay};
use gapless_tests::recordings;

/// A recording and the list that was fetched with it.
struct Pair {
    venue: VenueId,
    capture: &'static str,
    list: &'static str,
    /// Books with orders older than a coarser step.
    coarsened: &'static [&'static str],
}

const PAIRS: &[Pair] = &[
    Pair {
        venue: VenueId::BinanceSpot,
        capture: "binance_spot/cf_20211012_4sym.cap.zst",
        list: "BINANCE.ndjson.zst",
        coarsened: &["NKNUSDT"],
    },
    Pair {
        venue: VenueId::BinanceUsdm,
        capture: "binance_usdm/cf_20210722_4sym.cap.zst",
        list: "BINANCE_FUTURES.ndjson.zst",
        coarsened: &["CTKUSDT"],
    },
    Pair {
        venue: VenueId::BinanceCoinm,
        capture: "binance_coinm/cf_20210722_10sym.cap.zst",
        list: "BINANCE_DELIVERY.ndjson.zst",
        coarsened: &[],
    },
    Pair {
        venue: VenueId::Bybit,
        capture: "bybit/cf_20260809_linear-btc-doge_spot-eth.cap.zst",
        list: "BYBIT.ndjson.zst",
        coarsened: &[],
    },
    Pair {
        venue: VenueId::Okx,
        capture: "okx/cf_20220513_books_btc-usdt.cap.zst",
        list: "OKX.ndjson.zst",
        coarsened: &[],
    },
];

/// Levels of a recording's books, and what was said to be off the grid, by symbol.
#[derive(Debug, Default)]
struct Found {
    levels: usize,
    standing: BTreeMap<String, Vec<GridError>>,
    told: BTreeMap<String, Vec<GridError>>,
}

impl Handler for Found {
    fn off_grid(&mut self, _: BookId, book: &BookEntry, error: &GridError) {
        self.told.entry(book.symbol.clone()).or_default().push(*error);
    }
}

impl Watcher for Found {}

fn found(folder: &Path, pair: &Pair) -> Found {
    let lists = lists::read([Input::file(folder.join("instruments").join(pair.list))]).unwrap();
    assert_eq!(lists.refused, [], "{}", pair.list);
    let inputs = input::find(&[folder.join(pair.capture).display().to_string()]).unwrap();
    let instruments = Arc::new(lists.table);
    let choices = Choices { venue: Some(pair.venue), instruments, ..Choices::default() };
    let (mut replay, _) = Replay::with(inputs, choices);
    let mut found = Found::default();
    replay.run(&mut found).unwrap();
    for report in replay.books() {
        let Some(book) = report.book() else { continue };
        let row = report.instrument().unwrap_or_else(|| panic!("{} is unlisted", report.name()));
        assert!(row.symbol == report.symbol() && row.kind != Kind::Unknown, "{row:?}");
        let mut text = String::new();
        book.write_canonical(&mut text).unwrap();
        for line in text.lines() {
            let mut words = line.split(' ').skip(1);
            let mut number = || Decimal::parse(words.next().unwrap_or("").as_bytes()).unwrap();
            let steps = [row.price_ticks(number()), row.qty_lots(number())];
            let errors = steps.into_iter().filter_map(Result::err);
            found.standing.entry(report.symbol().to_owned()).or_default().extend(errors);
            found.levels += 1;
        }
    }
    found.standing.retain(|_, errors| !errors.is_empty());
    found
}

#[test]
fn recorded_levels_stand_on_the_grid_but_for_those_older_than_a_coarser_step() {
    let Some(folder) = recordings::folder() else { return };
    for pair in PAIRS {
        let found = found(&folder, pair);
        assert!(found.levels > 500, "{}: {} levels", pair.capture, found.levels);
        let off: Vec<_> = found.standing.keys().map(String::as_str).collect();
        assert_eq!(off, pair.coarsened, "{}: {:?}", pair.capture, found.standing);
        // Every level that stands off the grid was told when it came, and of no other book.
        assert_eq!(found.told.keys().collect::<Vec<_>>(), pair.coarsened, "{}", pair.capture);
        for (symbol, errors) in &found.standing {
            let told = &found.told[symbol];
            assert!(errors.iter().all(|error| told.contains(error)), "{symbol}: {told:?}");
        }
    }
}
