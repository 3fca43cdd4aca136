//! The committed samples, replayed by the product, end in the books that their expectations name.

use std::path::PathBuf;

use gapless::book::local::State;
use gapless::replay::input;
use gapless::venues::registry::VenueId;
use gapless::{Choices, Replay};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

/// Every `NAME.expected.json`.
fn expectations() -> Vec<Value> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut expected: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(".expected.json")).collect();
    expected.sort();
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    expected.into_iter().map(|path| serde_json::from_str(&read(path)).unwrap()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// Complaints about one recording.
fn differences(expected: &Value, choices: Choices) -> Vec<String> {
    let file = text(&expected["file"]);
    let books = expected["books"].as_object().unwrap();
    let inputs = input::find(&[folder().join(file).display().to_string()]).unwrap();
    let (mut replay, failures) = Replay::with(inputs, choices);
    assert!(failures.is_empty(), "{failures:?}");
    replay.run(&mut ()).unwrap();
    let mut wrong = Vec::new();
    for (name, book) in books {
        let mut found = replay
            .books()
            .filter(|report| report.channel() == text(&book["channel"]) && report.name() == *name);
        let (Some(report), None) = (found.next(), found.next()) else {
            let all: Vec<_> = replay.books().map(|r| (r.name(), r.channel().to_owned())).collect();
            wrong.push(format!("{file}: {name} is not once in {all:?}"));
            continue;
        };
        let hash = report.book().map(gapless::book_sha256).unwrap_or_default();
        let counters = report.counters();
        // Deltas older than a REST snapshot are duplicates too: at least those sent twice.
        let repeated = book["repeated"].as_u64().unwrap();
        if counters.duplicates < repeated {
            wrong.push(format!("{file}: {name}: {} duplicates", counters.duplicates));
        }
        let live = if report.state() == State::Live { "live" } else { "syncing" };
        for (what, is, must) in [
            ("state", live.to_owned(), text(&book["state"]).to_owned()),
            ("book_sha256", hash, text(&book["book_sha256"]).to_owned()),
            ("gaps", counters.gaps.to_string(), book["gaps"].to_string()),
            ("crossed", counters.crossed.to_string(), "0".to_owned()),
            ("seq", report.seq().map_or("null".into(), |s| s.to_string()), book["seq"].to_string()),
        ] {
            if is != must {
                wrong.push(format!("{file}: {name}: {what} is {is}, must be {must}"));
            }
        }
    }
    wrong
}

fn venue_of(expected: &Value) -> Option<VenueId> {
    let book = expected["books"].as_object().unwrap().values().next()?;
    VenueId::from_name(text(&book["venue"]))
}

#[track_caller]
fn check(choices: impl Fn(&Value) -> Choices) {
    let expectations = expectations();
    assert!(expectations.len() >= 11, "{}", expectations.len());
    let wrong: Vec<String> =
        expectations.iter().flat_map(|expected| differences(expected, choices(expected))).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_sample_ends_in_the_expected_books() {
    check(|_| Choices::default());
}

#[test]
fn a_capture_whose_venue_is_named_ends_in_the_same_books() {
    check(|expected| {
        let capture = text(&expected["file"]).contains(".cap");
        Choices { venue: venue_of(expected).filter(|_| capture), ..Choices::default() }
    });
}
