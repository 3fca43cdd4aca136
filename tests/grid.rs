//! Recorded books stand on the grids of the venues' own lists of about the same day.
//!
//! Two readings that share nothing, the list's and the book's, must agree on the levels. They do,
//! but for orders that were resting when the venue made a step coarser: those stay where they are,
//! off the grid of today. So a grid sizes a container and explains a value; it refuses none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gapless::book::decimal::Decimal;
use gapless::replay::input;
use gapless::venues::binance::Dialect;
use gapless::venues::instruments::{GridError, Instruments, List};
use gapless::venues::registry::VenueId;
use gapless::venues::{bybit, okx};
use gapless::{Choices, Replay};

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GAPLESS_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
    }
    folder
}

/// A recording and the list that was fetched with it.
struct Pair {
    venue: VenueId,
    capture: &'static str,
    list: &'static str,
    read: fn(&[u8]) -> List,
    /// Books with orders older than a coarser step.
    coarsened: &'static [&'static str],
}

const PAIRS: &[Pair] = &[
    Pair {
        venue: VenueId::BinanceSpot,
        capture: "binance_spot/cf_20211012_4sym.cap.zst",
        list: "BINANCE.ndjson.zst",
        read: |body| Dialect::Spot.instruments(body).unwrap(),
        coarsened: &["binance_spot:NKNUSDT"],
    },
    Pair {
        venue: VenueId::BinanceUsdm,
        capture: "binance_usdm/cf_20210722_4sym.cap.zst",
        list: "BINANCE_FUTURES.ndjson.zst",
        read: |body| Dialect::Usdm.instruments(body).unwrap(),
        coarsened: &["binance_usdm:CTKUSDT"],
    },
    Pair {
        venue: VenueId::BinanceCoinm,
        capture: "binance_coinm/cf_20210722_10sym.cap.zst",
        list: "BINANCE_DELIVERY.ndjson.zst",
        read: |body| Dialect::Coinm.instruments(body).unwrap(),
        coarsened: &[],
    },
    Pair {
        venue: VenueId::Bybit,
        capture: "bybit/cf_20260809_linear-btc-doge_spot-eth.cap.zst",
        list: "BYBIT.ndjson.zst",
        read: |body| bybit::instruments::read(body).unwrap(),
        coarsened: &[],
    },
    Pair {
        venue: VenueId::Okx,
        capture: "okx/cf_20220513_books_btc-usdt.cap.zst",
        list: "OKX.ndjson.zst",
        read: |body| okx::instruments::read(body).unwrap(),
        coarsened: &[],
    },
];

fn table(folder: &Path, pair: &Pair) -> Instruments {
    let file = std::fs::read(folder.join("instruments").join(pair.list)).unwrap();
    let text = String::from_utf8(zstd::decode_all(file.as_slice()).unwrap()).unwrap();
    let mut table = Instruments::default();
    for (_, body) in text.lines().filter_map(|line| line.split_once('\t')) {
        table.update((pair.read)(body.as_bytes()));
    }
    table
}

/// Levels of a recording's books, and those off the grid by the name of their book.
#[derive(Debug, Default)]
struct Found {
    levels: usize,
    off: BTreeMap<String, Vec<GridError>>,
}

fn found(folder: &Path, pair: &Pair) -> Found {
    let table = table(folder, pair);
    let inputs = input::find(&[folder.join(pair.capture).display().to_string()]).unwrap();
    let choices = Choices { venue: Some(pair.venue), ..Choices::default() };
    let (mut replay, _) = Replay::with(inputs, choices);
    replay.run(&mut ()).unwrap();
    let mut found = Found::default();
    for report in replay.books() {
        let (Some(book), symbol) = (report.book(), report.symbol()) else { continue };
        let row = table.get(&report.venue(), report.market(), symbol);
        let row = row.or_else(|| table.only(&report.venue(), symbol));
        let row = row.unwrap_or_else(|| panic!("{} is in no list", report.name()));
        let mut text = String::new();
        book.write_canonical(&mut text).unwrap();
        for line in text.lines() {
            let mut words = line.split(' ').skip(1);
            let mut number = || Decimal::parse(words.next().unwrap_or("").as_bytes()).unwrap();
            let steps = [row.price_ticks(number()), row.qty_lots(number())];
            let errors = steps.into_iter().filter_map(Result::err);
            found.off.entry(report.name()).or_default().extend(errors);
            found.levels += 1;
        }
    }
    found.off.retain(|_, errors| !errors.is_empty());
    found
}

#[test]
fn recorded_levels_stand_on_the_grid_but_for_those_older_than_a_coarser_step() {
    let Some(folder) = recordings() else { return };
    for pair in PAIRS {
        let found = found(&folder, pair);
        assert!(found.levels > 500, "{}: {} levels", pair.capture, found.levels);
        let off: Vec<_> = found.off.keys().map(String::as_str).collect();
        assert_eq!(off, pair.coarsened, "{}: {:?}", pair.capture, found.off);
    }
}
