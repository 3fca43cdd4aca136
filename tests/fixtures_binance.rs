//! Binance and Tardis: every recorded frame and every real single message is read without a
//! refusal, and becomes as many events of each kind as the independent count says.
//!
//! The recordings are found by `GAPLESS_RECORDINGS`; without it these tests say so and pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gapless_book::event::{Event, NO_TIME};
use gapless_replay::input::{self, Input};
use gapless_replay::record::RecordKind;
use gapless_venues::binance::{BinanceCoinm, BinanceSpot, BinanceUs, BinanceUsdm};
use gapless_venues::scratch::Scratch;
use gapless_venues::tardis::Tardis;
use gapless_venues::venue::{Context, Market, Origin, Venue};
use gapless_venues::wire::{EventSink, Reject};

type Counts = BTreeMap<&'static str, u64>;

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GAPLESS_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
    }
    folder
}

/// Counts events by kind; remembers what was refused.
#[derive(Default)]
struct Tally {
    counts: Counts,
    refused: Vec<String>,
}

impl EventSink for Tally {
    fn event(&mut self, event: &Event<'_>) {
        *self.counts.entry(event.kind().name()).or_default() += 1;
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.refused.push(format!("{}/{}: {}", reject.channel, reject.symbol, reject.error));
    }
}

fn parse(venue: &impl Venue, origin: Origin<'_>, frame: &[u8], tally: &mut Tally) {
    let context = Context { recv_ns: NO_TIME, origin, market: Market::Unknown };
    venue.parse(&context, frame, &mut Scratch::new(), tally);
}

/// Counts the events of a recording; a refusal fails the test.
fn counted(venue: &impl Venue, path: &Path) -> Counts {
    let mut tally = Tally::default();
    let mut reader = input::open(&Input::file(path), None).unwrap();
    while reader.advance().unwrap() {
        let record = reader.record().unwrap();
        let origin = match record.kind {
            RecordKind::Frame => Origin::Socket { url: "" },
            RecordKind::Http => Origin::Rest { url: record.source },
            _ => continue,
        };
        parse(venue, origin, record.payload, &mut tally);
        assert_eq!(tally.refused, [""; 0], "{}:{}", path.display(), record.line);
    }
    tally.counts
}

/// The independent count of a recording, in our words.
fn expected(path: &Path) -> Counts {
    let name = path.to_str().unwrap().replace(".cap.zst", ".expected.json");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&name).expect(&name)).unwrap();
    let mut counts = Counts::new();
    for (key, count) in json["events"].as_object().unwrap() {
        *counts.entry(word(key)).or_default() += count.as_u64().unwrap();
    }
    counts
}

fn word(key: &str) -> &'static str {
    match key {
        "depthUpdate" => "delta",
        "rest_snapshot" => "snapshot",
        "bookTicker" => "bbo",
        "trade" | "aggTrade" => "trade",
        "markPriceUpdate" => "derivative",
        "kline" => "other",
        _ => panic!("a kind of event that this test does not know: {key}"),
    }
}

fn compare(folder: &Path, venue: &impl Venue, name: &str, least: usize) {
    let entries = std::fs::read_dir(folder.join(name)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let captures: Vec<_> =
        paths.filter(|path| path.to_str().unwrap().ends_with(".cap.zst")).collect();
    assert!(captures.len() >= least, "{name}: {} recordings", captures.len());
    for path in captures {
        assert_eq!(counted(venue, &path), expected(&path), "{}", path.display());
    }
}

#[test]
fn recorded_spot_frames_are_counted_alike_by_two_readers() {
    let Some(folder) = recordings() else { return };
    compare(&folder, &BinanceSpot, "binance_spot", 6);
    compare(&folder, &BinanceUs, "binance_us", 3);
}

#[test]
fn recorded_futures_frames_are_counted_alike_by_two_readers() {
    let Some(folder) = recordings() else { return };
    compare(&folder, &BinanceUsdm, "binance_usdm", 7);
    compare(&folder, &BinanceCoinm, "binance_coinm", 2);
}

/// What the lines of a fixture file become, one letter each: s snapshot, d delta, i image, b best
/// prices, t trade, l liquidation, f derivative, g option ticker, x disconnect, o other.
const FIXTURES: [(&str, &str, &str); 25] = [
    ("binance", "24hrTicker", "oooooooo"),
    ("binance", "aggTrade", "tttt"),
    ("binance", "bookTicker", "bbbb"),
    ("binance", "depthSnapshot", "issss"),
    // The fifth to seventh are partial depth, told by their stream.
    ("binance", "depthUpdate", "ddddiiid"),
    ("binance", "forceOrder", "l"),
    ("binance", "kline", "ooooo"),
    // The second and third lines hold two symbols each.
    ("binance", "markPriceUpdate", "ffffff"),
    ("binance", "other", "bfff"),
    ("binance", "ticker_all", "o"),
    ("binance", "trade", "t"),
    ("binance", "trade_all", "o"),
    ("tardis", "bar", "o"),
    ("tardis", "book_change", "d"),
    ("tardis", "book_snapshot", "i"),
    ("tardis", "derivative_ticker", "f"),
    ("tardis", "disconnect", "x"),
    ("tardis", "instrument_combo", "o"),
    ("tardis", "instrument_future", "o"),
    ("tardis", "instrument_option", "o"),
    ("tardis", "instrument_perpetual", "o"),
    ("tardis", "instrument_spot", "o"),
    ("tardis", "option_book_snapshot", "i"),
    ("tardis", "option_summary", "g"),
    ("tardis", "trade", "t"),
];

/// One letter per event, as in [`FIXTURES`].
#[derive(Default)]
struct Letters(String);

impl EventSink for Letters {
    fn event(&mut self, event: &Event<'_>) {
        self.0.push(match event.kind().name() {
            "snapshot" => 's',
            "delta" => 'd',
            "top" => 'i',
            "bbo" => 'b',
            "trade" => 't',
            "liquidation" => 'l',
            "derivative" => 'f',
            "option_ticker" => 'g',
            "disconnect" => 'x',
            "other" => 'o',
            kind => panic!("no fixture is a {kind}"),
        });
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        panic!("{}/{}: {}", reject.channel, reject.symbol, reject.error);
    }
}

/// Lines that futures write, by what only they have; the rest is spot.
fn fixture(venue: &str, line: &str, letters: &mut Letters) {
    let origin = Origin::Socket { url: "" };
    let context = Context { recv_ns: NO_TIME, origin, market: Market::Unknown };
    let (frame, scratch) = (line.as_bytes(), &mut Scratch::new());
    if venue == "tardis" {
        Tardis.parse(&context, frame, scratch, letters);
    } else if line.contains("\"pu\"") {
        BinanceUsdm.parse(&context, frame, scratch, letters);
    } else {
        BinanceSpot.parse(&context, frame, scratch, letters);
    }
}

#[test]
fn every_real_single_message_is_of_the_kind_that_its_file_says() {
    let Some(folder) = recordings() else { return };
    for (venue, name, kinds) in FIXTURES {
        let path = folder.join(format!("fixtures/{venue}/{name}.ndjson"));
        let text = std::fs::read_to_string(&path).expect(name);
        let mut letters = Letters::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            fixture(venue, line, &mut letters);
        }
        assert_eq!(letters.0, kinds, "{}", path.display());
    }
}

#[test]
fn no_fixture_file_is_left_out() {
    let Some(folder) = recordings() else { return };
    for venue in ["binance", "tardis"] {
        for entry in std::fs::read_dir(folder.join("fixtures").join(venue)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(stem) = name.strip_suffix(".ndjson") else { continue };
            assert!(FIXTURES.iter().any(|(v, n, _)| *v == venue && *n == stem), "{venue}/{name}");
        }
    }
}

#[test]
fn derived_normalized_files_are_read_without_a_refusal() {
    let Some(folder) = recordings() else { return };
    let mut files = 0;
    for entry in std::fs::read_dir(folder.join("tardis_derived")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().contains(".normalized.") {
            continue;
        }
        files += 1;
        let counts = counted(&Tardis, &path);
        assert!(counts.get("snapshot").is_some_and(|count| *count > 0), "{}", path.display());
        assert_eq!(counts.get("other"), None, "{}", path.display());
    }
    assert!(files >= 6, "{files}");
}
