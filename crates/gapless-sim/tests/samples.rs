//! The committed samples are what the generator writes, and their sequences keep each venue's
//! rules.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::sync::LazyLock;

use gapless_sim::dialect::{Frame, Kind};
use gapless_sim::recording::Recording;
use gapless_sim::samples::{self, Container, Sample};

/// Made once for all tests: it is the same each time, which one test proves.
static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| samples::all(samples::SEED));

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

fn committed_text(sample: &Sample) -> Vec<u8> {
    let path = folder().join(sample.file_name());
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = Vec::new();
    let read = match sample.container {
        Container::Csv => flate2::read::GzDecoder::new(file).read_to_end(&mut text),
        _ => zstd::Decoder::new(file).and_then(|mut zstd| zstd.read_to_end(&mut text)),
    };
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// Compared after decompression: a new version of a compressor may write other bytes for the same
/// text, and that is no drift.
#[test]
fn the_committed_samples_are_byte_for_byte_what_the_seed_gives() {
    for sample in SAMPLES.iter() {
        let name = sample.file_name();
        assert!(committed_text(sample) == sample.text().unwrap(), "{name} drifted");
        let path = folder().join(format!("{}.expected.json", sample.name));
        assert_eq!(fs::read_to_string(path).unwrap(), sample.expected(), "{name}");
    }
}

#[test]
fn the_samples_folder_holds_nothing_else_and_stays_small() {
    let known: Vec<String> = SAMPLES
        .iter()
        .flat_map(|sample| [sample.file_name(), format!("{}.expected.json", sample.name)])
        .collect();
    let mut bytes = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(known.contains(&name) || name == "README.md", "{name}");
        bytes += entry.metadata().unwrap().len();
    }
    assert!(bytes < 1_500_000, "{bytes}");
}

#[test]
fn another_seed_gives_other_frames_and_the_same_seed_the_same() {
    let text = |sample: &Sample| sample.text().unwrap();
    let (again, other) = (samples::all(samples::SEED), samples::all(samples::SEED + 1));
    for ((first, again), other) in SAMPLES.iter().zip(&again).zip(&other) {
        assert!(text(first) == text(again), "{}", first.name);
        assert!(text(first) != text(other), "{}", first.name);
    }
}

fn recording(name: &str) -> &'static Recording {
    &SAMPLES.iter().find(|sample| sample.name == name).unwrap().recording
}

/// The integer that follows the first `key` in a text.
fn id(text: &str, key: &str) -> Option<i64> {
    let (_, rest) = text.split_once(key)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Checks `rule(previous, this)` on successive deltas of each book; returns how many pairs.
fn successive(name: &str, rule: impl Fn(&Frame, &Frame) -> bool) -> usize {
    let mut last: BTreeMap<(String, usize), Frame> = BTreeMap::new();
    let mut pairs = 0;
    for frame in &recording(name).frames {
        let Some(symbol) = frame.delta_of else { continue };
        if let Some(previous) = last.insert((frame.source.clone(), symbol), frame.clone()) {
            assert!(rule(&previous, frame), "{}\n{}", previous.payload, frame.payload);
            pairs += 1;
        }
    }
    pairs
}

fn chained(name: &str, last: &str, prev: &str) -> usize {
    successive(name, |a, b| {
        let (a, b) = (id(&a.payload, last), id(&b.payload, prev));
        a.is_some() && a == b
    })
}

#[test]
fn spot_ids_are_contiguous_per_symbol() {
    for name in ["binance_spot", "binance_us"] {
        let pairs = successive(name, |a, b| {
            id(&a.payload, r#""u":"#).map(|u| u + 1) == id(&b.payload, r#""U":"#)
        });
        assert!(pairs > 500, "{name}: {pairs}");
    }
}

#[test]
fn futures_chain_by_pu_and_are_not_contiguous() {
    for name in ["binance_usdm", "binance_coinm"] {
        assert!(chained(name, r#""u":"#, r#""pu":"#) > 500);
        let gaps_in_u = std::cell::Cell::new(0);
        successive(name, |a, b| {
            let apart = id(&b.payload, r#""U":"#) > id(&a.payload, r#""u":"#).map(|u| u + 1);
            gaps_in_u.set(gaps_in_u.get() + u32::from(apart));
            true
        });
        assert!(gaps_in_u.get() > 400, "{name}: {}", gaps_in_u.get());
    }
}

#[test]
fn bybit_okx_and_deribit_chain_by_their_own_ids() {
    let pairs = successive("bybit", |a, b| {
        id(&a.payload, r#""u":"#).map(|u| u + 1) == id(&b.payload, r#""u":"#)
            && id(&a.payload, r#""seq":"#) < id(&b.payload, r#""seq":"#)
    });
    assert!(pairs > 1_000);
    assert!(chained("okx", r#""seqId":"#, r#""prevSeqId":"#) > 700);
    assert!(chained("deribit", r#""change_id":"#, r#""prev_change_id":"#) > 1_000);
}

#[test]
fn rest_snapshots_come_after_buffered_deltas_and_some_fall_inside_an_event() {
    let mut inside = 0;
    for name in ["binance_spot", "binance_us", "binance_usdm", "binance_coinm"] {
        let frames = &recording(name).frames;
        let snapshots = frames.iter().filter(|frame| frame.kind == Kind::Http);
        for snapshot in snapshots {
            let s = id(&snapshot.payload, r#""lastUpdateId":"#).unwrap();
            let (_, symbol) = snapshot.source.split_once("symbol=").unwrap();
            let symbol = format!(r#""s":"{}""#, symbol.split_once('&').unwrap().0);
            let deltas =
                || frames.iter().filter(|f| f.delta_of.is_some() && f.payload.contains(&symbol));
            assert!(deltas().any(|f| f.at_ns < snapshot.at_ns), "{name}: nothing buffered");
            inside += deltas()
                .filter(|f| {
                    let (first, last) = (id(&f.payload, r#""U":"#), id(&f.payload, r#""u":"#));
                    first.is_some_and(|u| u <= s) && last.is_some_and(|u| u > s)
                })
                .count();
        }
    }
    assert!(inside > 0, "every snapshot fell between two events");
}

#[test]
fn the_gap_sample_has_one_healed_and_one_open_gap() {
    let books = &recording("binance_usdm_gap").books;
    let states: Vec<(bool, u32)> = books.iter().map(|book| (book.live, book.gaps)).collect();
    assert_eq!(states, [(true, 1), (false, 1), (true, 0)]);
    let breaks = std::cell::Cell::new(0);
    successive("binance_usdm_gap", |a, b| {
        let broken = id(&a.payload, r#""u":"#) != id(&b.payload, r#""pu":"#);
        breaks.set(breaks.get() + u32::from(broken));
        true
    });
    assert_eq!(breaks.get(), 2);
}

#[test]
fn receive_times_never_go_back_and_no_payload_breaks_the_line() {
    for sample in SAMPLES.iter() {
        let mut last = 0;
        for frame in &sample.recording.frames {
            assert!(frame.at_ns >= last, "{}", sample.name);
            last = frame.at_ns;
            assert!(!frame.payload.contains(['\t', '\n']), "{}", sample.name);
        }
    }
}
