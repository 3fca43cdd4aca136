//! The readers over real recordings, found by `GAPLESS_RECORDINGS`; skipped, loudly, without.

use std::io::Read;
use std::path::PathBuf;

use gapless_book::event::Event;
use gapless_replay::ReplayError;
use gapless_replay::csv::{Reject, Sink};
use gapless_replay::input::{self, Format, Input, Item};

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GAPLESS_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
    }
    folder
}

fn files(pattern: &std::path::Path) -> Vec<Input> {
    input::find(&[pattern.display().to_string()]).unwrap()
}

/// Lines of a file, unpacked by the crates' own simple readers.
fn naive_lines(path: &str) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let mut text = Vec::new();
    if path.ends_with(".zst") {
        text = zstd::decode_all(bytes.as_slice()).unwrap();
    } else if path.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    } else {
        text = bytes;
    }
    text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).count()
}

#[test]
fn every_line_of_every_capture_is_a_record_in_file_order() {
    let Some(folder) = recordings() else { return };
    let mut seen = 0;
    for input in input::find(&[folder.join("*/*.cap.zst").display().to_string()]).unwrap() {
        let mut reader = input::open(&input, None).unwrap();
        assert_eq!(reader.format(), Format::Capture);
        let mut last_line = 0;
        while reader.advance().unwrap_or_else(|error| panic!("{error}")) {
            let record = reader.record().unwrap();
            assert!(record.line > last_line && record.recv_ns > 1_500_000_000_000_000_000);
            last_line = record.line;
        }
        let stats = reader.stats();
        assert_eq!(stats.records as usize, naive_lines(input.name().as_str()), "{}", input.name());
        assert_eq!((stats.torn_bytes, stats.unknown_kinds), (0, 0));
        assert_eq!(Some(reader.progress().bytes()), input.size());
        seen += 1;
    }
    assert!(seen > 20, "only {seen} captures");
}

#[test]
fn raw_and_normalized_forms_are_told_and_every_line_has_a_time() {
    let Some(folder) = recordings() else { return };
    for (suffix, format) in [("raw", Format::TardisRaw), ("normalized", Format::Normalized)] {
        let pattern = folder.join(format!("tardis_derived/*.{suffix}.ndjson.zst"));
        for input in input::find(&[pattern.display().to_string()]).unwrap() {
            let mut reader = input::open(&input, None).unwrap();
            assert_eq!(reader.format(), format, "{}", input.name());
            while reader.advance().unwrap_or_else(|error| panic!("{error}")) {
                assert!(reader.record().unwrap().recv_ns > 1_500_000_000_000_000_000);
            }
            let stats = reader.stats();
            assert_eq!(stats.records as usize, naive_lines(input.name().as_str()));
            assert_eq!((stats.bad_times, stats.steps_back), (0, 0), "{}", input.name());
        }
    }
}

#[derive(Default)]
struct Counts {
    events: usize,
    levels: usize,
    last: Option<i64>,
}

impl Sink for Counts {
    fn event(&mut self, event: &Event<'_>) {
        if let gapless_book::event::Body::Book(book) = &event.body {
            self.levels += book.bids.len() + book.asks.len();
        }
        assert!(self.last.is_none_or(|last| last <= event.times.recv_ns));
        assert!(event.times.recv_ns > 1_500_000_000_000_000_000);
        self.last = Some(event.times.recv_ns);
        self.events += 1;
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        panic!("{reject:?}");
    }
}

#[test]
fn every_row_of_every_tardis_csv_is_in_a_message() {
    let Some(folder) = recordings() else { return };
    let mut inputs = files(&folder.join("tardis_derived/*.csv.gz"));
    inputs.extend(files(&folder.join("tardis_csv_real/*_*.csv")));
    assert!(inputs.len() > 9);
    for input in inputs {
        let mut reader = input::open(&input, None).unwrap();
        let mut counts = Counts::default();
        while reader.advance().unwrap() {
            let Some(Item::Csv(csv)) = reader.item() else { panic!("not a CSV") };
            csv.emit(&mut counts);
        }
        let rows = naive_lines(input.name().as_str()) - 1;
        assert_eq!(reader.stats().records as usize, rows, "{}", input.name());
        match reader.format() {
            Format::Csv(Some(kind)) if kind.name() == "incremental_book_L2" => {
                assert_eq!(counts.levels, rows, "{}", input.name());
            }
            _ => assert_eq!(counts.events, rows, "{}", input.name()),
        }
        assert_eq!((reader.stats().torn_bytes, reader.stats().steps_back), (0, 0));
    }
}

#[test]
fn a_csv_of_another_recorder_is_one_clear_error() {
    let Some(folder) = recordings() else { return };
    let mut inputs = files(&folder.join("other_csv/*.csv.zst"));
    inputs.extend(files(&folder.join("tardis_csv_real/btcusdt-depth-*.csv")));
    assert!(inputs.len() > 3);
    for input in inputs {
        let Err(error) = input::open(&input, None) else { panic!("{} was opened", input.name()) };
        assert!(matches!(error, ReplayError::UnknownFormat { .. }), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
}
