//! Bybit, OKX and Deribit: every recorded frame and every real single message is read without a
//! refusal, and becomes as many events of each kind as the independent count says.
//!
//! The recordings are found by `GAPLESS_RECORDINGS`; without it these tests say so and pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gapless_book::event::{Event, EventKind, NO_TIME};
use gapless_replay::input::{self, Input};
use gapless_replay::record::RecordKind;
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::okx::Okx;
use gapless_venues::scratch::Scratch;
use gapless_venues::venue::{Context, Origin, Venue};
use gapless_venues::wire::{EventSink, Reject};

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GAPLESS_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
    }
    folder
}

/// The kind of a frame's first event, and what was refused.
#[derive(Default)]
struct First {
    kind: Option<EventKind>,
    refused: Vec<String>,
}

impl EventSink for First {
    fn event(&mut self, event: &Event<'_>) {
        self.kind.get_or_insert(event.kind());
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.refused.push(format!("{}/{}: {}", reject.channel, reject.symbol, reject.error));
    }
}

fn first(venue: &impl Venue, origin: Origin<'_>, frame: &[u8], scratch: &mut Scratch) -> First {
    let mut first = First::default();
    let market = match origin {
        Origin::Socket { url } | Origin::Rest { url } => venue.market(url),
    };
    venue.parse(&Context { recv_ns: NO_TIME, origin, market }, frame, scratch, &mut first);
    first
}

/// Counts frames by the name of their first event's kind; a refusal fails the test.
fn counted(venue: &impl Venue, path: &Path) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    let mut scratch = Scratch::new();
    let mut reader = input::open(&Input::file(path), None).unwrap();
    while reader.advance().unwrap() {
        let record = reader.record().unwrap();
        let origin = match record.kind {
            RecordKind::Frame => Origin::Socket { url: "" },
            RecordKind::Http => Origin::Rest { url: record.source },
            _ => continue,
        };
        let said = first(venue, origin, record.payload, &mut scratch);
        assert_eq!(said.refused, [""; 0], "{}:{}", path.display(), record.line);
        let kind = said.kind.unwrap_or_else(|| panic!("{}:{}", path.display(), record.line));
        *counts.entry(kind.name()).or_default() += 1;
    }
    counts
}

/// The independent count, in our words. It knows one kind of book message on Deribit.
fn expected(path: &Path, word: fn(&str) -> &'static str) -> BTreeMap<&'static str, u64> {
    let name = path.to_str().unwrap().replace(".cap.zst", ".expected.json");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&name).expect(&name)).unwrap();
    let mut counts = BTreeMap::new();
    for (key, count) in json["events"].as_object().unwrap() {
        *counts.entry(word(key)).or_default() += count.as_u64().unwrap();
    }
    counts
}

fn word(key: &str) -> &'static str {
    match key.split_once('/') {
        _ if key.contains("trade") || key.contains("Trade") => "trade",
        _ if key.starts_with("tickers") => "derivative",
        Some(("kline", _)) => "other",
        Some(("ack" | "event", _)) => "ack",
        Some((_, "snapshot")) => "snapshot",
        Some((_, "delta" | "update")) => "delta",
        _ => panic!("a kind of event that this test does not know: {key}"),
    }
}

fn deribit_word(key: &str) -> &'static str {
    match key {
        "book" => "book",
        "ticker" => "ticker",
        "rpc/other" => "ack",
        _ => panic!("a kind of event that this test does not know: {key}"),
    }
}

fn captures(folder: &Path, venue: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(venue)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_str().unwrap().ends_with(".cap.zst")).collect()
}

#[test]
fn recorded_bybit_frames_are_counted_alike_by_two_readers() {
    let Some(folder) = recordings() else { return };
    let paths = captures(&folder, "bybit");
    assert!(paths.len() >= 5);
    for path in paths {
        assert_eq!(counted(&Bybit, &path), expected(&path, word), "{}", path.display());
    }
}

#[test]
fn recorded_okx_frames_are_counted_alike_by_two_readers() {
    let Some(folder) = recordings() else { return };
    let paths = captures(&folder, "okx");
    assert!(paths.len() >= 7);
    for path in paths {
        assert_eq!(counted(&Okx, &path), expected(&path, word), "{}", path.display());
    }
}

#[test]
fn recorded_deribit_frames_are_counted_alike_by_two_readers() {
    let Some(folder) = recordings() else { return };
    let paths = captures(&folder, "deribit");
    assert!(paths.len() >= 4);
    for path in paths {
        let mut counts = counted(&Deribit, &path);
        for (sum, parts) in
            [("book", ["snapshot", "delta"]), ("ticker", ["derivative", "option_ticker"])]
        {
            let total = parts.into_iter().filter_map(|part| counts.remove(part)).sum();
            counts.insert(sum, total);
        }
        assert_eq!(counts, expected(&path, deribit_word), "{}", path.display());
    }
}

/// Kinds of the first events of a fixture file's lines, each kind once, in order of the alphabet.
const FIXTURES: [(&str, &str, &[&str]); 34] = [
    ("bybit", "candle", &["other"]),
    ("bybit", "http_get_orderbook", &["snapshot"]),
    ("bybit", "instrument_info", &["other"]),
    ("bybit", "kline", &["other"]),
    ("bybit", "klineV2", &["other"]),
    ("bybit", "orderBookL2_25", &["other"]),
    ("bybit", "orderbook", &["delta", "snapshot"]),
    ("bybit", "tickers", &["derivative", "option_ticker"]),
    // The topics of the API before v5, which named the trade otherwise.
    ("bybit", "trade", &["other"]),
    ("bybit", "ws_subscription_ack", &["ack"]),
    ("bybit", "ws_subscription_failure", &["error"]),
    ("okx", "bbo_tbt", &["top"]),
    ("okx", "books", &["delta", "snapshot"]),
    ("okx", "books5", &["top"]),
    ("okx", "books_l2_tbt", &["delta", "snapshot"]),
    ("okx", "candle1D", &["other"]),
    ("okx", "candle1m", &["other"]),
    ("okx", "funding_rate", &["derivative"]),
    ("okx", "http_get_order_book", &["snapshot"]),
    ("okx", "instruments", &["other"]),
    ("okx", "sprd_orders", &["other"]),
    ("okx", "tickers", &["derivative"]),
    ("okx", "trades", &["trade"]),
    // A bare array: the elements of a push without its `arg`.
    ("okx", "ws_opt_summary", &["other"]),
    ("deribit", "book", &["delta", "snapshot", "top"]),
    ("deribit", "chart", &["other"]),
    ("deribit", "deribit_volatility_index", &["other"]),
    ("deribit", "http_get_order_book", &["snapshot"]),
    ("deribit", "quote", &["bbo"]),
    ("deribit", "ticker", &["derivative"]),
    ("deribit", "trades", &["trade"]),
    ("deribit", "ws_error", &["error"]),
    ("deribit", "ws_subscribe_response", &["ack"]),
    ("deribit", "ws_test_request", &["heartbeat"]),
];

fn kinds_of(venue: &impl Venue, path: &Path) -> Vec<&'static str> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut scratch = Scratch::new();
    let mut kinds = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let said = first(venue, Origin::Socket { url: "" }, line.as_bytes(), &mut scratch);
        assert_eq!(said.refused, [""; 0], "{}: {line}", path.display());
        kinds.push(said.kind.unwrap_or_else(|| panic!("nothing: {line}")).name());
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn every_real_single_message_is_of_the_kind_that_its_file_says() {
    let Some(folder) = recordings() else { return };
    for (venue, file, kinds) in FIXTURES {
        let path = folder.join(format!("fixtures/{venue}/{file}.ndjson"));
        let found = match venue {
            "bybit" => kinds_of(&Bybit, &path),
            "okx" => kinds_of(&Okx, &path),
            _ => kinds_of(&Deribit, &path),
        };
        assert_eq!(found, kinds, "{}", path.display());
    }
}

#[test]
fn no_fixture_file_is_left_out() {
    let Some(folder) = recordings() else { return };
    let listed = FIXTURES.len();
    let mut there = 0;
    for venue in ["bybit", "okx", "deribit"] {
        let entries = std::fs::read_dir(folder.join("fixtures").join(venue)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        there += names.filter(|name| name.ends_with(".ndjson")).count();
    }
    assert_eq!(listed, there);
}
