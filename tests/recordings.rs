//! Every recording ends in the books that an independent reconstruction found, and where one was
//! damaged on purpose the damage shows in the very message.
//!
//! The recordings are not part of the repository: `GAPLESS_RECORDINGS` names their folder. Where
//! our policy differs from the expectation file's, `policy` below says how and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gapless::book::book::Change;
use gapless::book::event::{Body, BookKind, Event, Level, Side};
use gapless::book::local::{Counters, Outcome, Reason, State, Transition};
use gapless::book::sequence::Verdict;
use gapless::replay::driver::Watcher;
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::kernel::Isa;
use gapless::venues::session::Handler;
use gapless::{BookReport, Replay, Stopped, book_sha256};
use gapless_tests::recordings;
use serde_json::Value;

fn replay(path: &Path) -> Replay {
    let mut replay = Replay::open([path.display().to_string()]).unwrap();
    replay.run(&mut ()).unwrap();
    replay
}

/// Every `NAME.expected.json` with the recording beside it.
fn expectations(root: &Path) -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some(stem) = name.strip_suffix(".expected.json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let recording = path.with_file_name(format!("{stem}.cap.zst"));
                found.push((recording, serde_json::from_str(&text).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Symbol in a stream's name: `ws channel SYMBOL`, `SYMBOL@depth`, `ws orderbook.50.SYMBOL`.
fn symbol_of<'a>(venue: &str, stream: &'a str) -> &'a str {
    let last = stream.split(' ').next_back().unwrap();
    match venue {
        "bybit" => last.rsplit('.').next().unwrap(),
        "deribit" => last.split('.').nth(1).unwrap(),
        _ => last.split('@').next().unwrap(),
    }
}

/// How a stream's end may differ from the expectation file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// Nothing differs.
    Same,
    /// Never got a snapshot: such a book is never live and has no hash (capture.md; the file has a
    /// partial book).
    Cold,
    /// A lost delta shows only in the checksum: not live from there on until a snapshot comes
    /// (ruling 0.6.13; the file counts it and goes on).
    Checksum,
    /// Level-one snapshots repeated with the same id are heartbeats (C37; the file counts them as
    /// snapshots).
    LevelOne,
}

fn policy(stream: &str, expected: &Value) -> Policy {
    let bad = expected["checksum_bad"].as_u64().unwrap_or(0);
    let zero = expected["checksum_zero"].as_u64().unwrap_or(0);
    if expected["mode"] == "cold" {
        Policy::Cold
    } else if bad > zero {
        Policy::Checksum
    } else if stream.contains("orderbook.1.") {
        Policy::LevelOne
    } else {
        Policy::Same
    }
}

fn complaints(
    venue: &str,
    stream: &str,
    expected: &Value,
    books: &[BookReport<'_>],
) -> Vec<String> {
    let symbol = symbol_of(venue, stream);
    let mut found = books.iter().filter(|book| {
        let channel = book.channel().split('.').next().unwrap();
        book.symbol() == symbol && stream.contains(channel)
    });
    let (Some(book), None) = (found.next(), found.next()) else {
        return vec![format!("{stream}: not exactly one book")];
    };
    let counters = book.counters();
    let hash = book.book().map(book_sha256).unwrap_or_default();
    let policy = policy(stream, expected);
    let state = match (policy, expected["final_state"].as_str().unwrap()) {
        (Policy::Checksum, _) => "syncing (checksum)",
        (_, "LIVE") => "live (none)",
        (_, "STALE") => "syncing (gap)",
        _ => "syncing (awaiting_snapshot)",
    };
    let is = format!("{} ({})", book.state().name(), book.reason().name());
    let mut checks = vec![("state", is, state.to_owned())];
    let mut number =
        |name, is: u64| checks.push((name, is.to_string(), expected[name].to_string()));
    number("gaps", counters.gaps);
    number("crossed_count", counters.crossed);
    number("deltas", counters.deltas);
    if policy != Policy::Checksum && policy != Policy::Cold {
        number("applied", counters.applied);
        number("stale_dropped", counters.duplicates);
        number("bid_levels", book.levels(Side::Bid) as u64);
        number("ask_levels", book.levels(Side::Ask) as u64);
        number("snapshots_ignored", counters.snapshots_ignored);
        if policy != Policy::LevelOne {
            number("snapshots", counters.snapshots);
            number("resets", counters.resets);
        }
        let id = book.seq().map_or("null".to_owned(), |seq| seq.to_string());
        checks.push(("last_id", id, expected["last_id"].to_string()));
        let sha = expected["book_sha256"].as_str().unwrap().to_owned();
        checks.push(("book_sha256", hash, sha));
    } else if policy == Policy::Cold {
        checks.push(("book_sha256", hash, String::new()));
    }
    let wrong = checks.iter().filter(|(_, is, must)| is != must);
    wrong.map(|(what, is, must)| format!("{stream}: {what} is {is}, must be {must}")).collect()
}

#[test]
fn every_recording_ends_in_the_expected_books() {
    let Some(root) = recordings::folder() else { return };
    let mut wrong = Vec::new();
    let mut streams = 0;
    for (path, expected) in expectations(&root) {
        let replay = replay(&path);
        let books: Vec<_> = replay.books().collect();
        let venue = expected["venue"].as_str().unwrap();
        for (stream, expected) in expected["streams"].as_object().unwrap() {
            streams += 1;
            for complaint in complaints(venue, stream, expected, &books) {
                wrong.push(format!("{}: {complaint}", path.display()));
            }
        }
    }
    assert!(streams >= 160, "only {streams} streams were found");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Hash of every book, by its connection, market, symbol and channel.
fn hashes(replay: &Replay) -> BTreeMap<String, String> {
    let named = |book: BookReport<'_>| {
        let name = format!("{} {} {}", book.source(), book.name(), book.channel());
        (name, book.book().map(book_sha256).unwrap_or_default())
    };
    let hashes: BTreeMap<_, _> = replay.books().map(named).collect();
    assert_eq!(hashes.len(), replay.books().count(), "two books of one name");
    hashes
}

#[test]
fn a_duplicated_delta_changes_nothing() {
    let Some(root) = recordings::folder() else { return };
    let mut pairs = 0;
    for (path, _) in expectations(&root) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(original) = name.strip_prefix("fault_dup_") {
            let original = path.with_file_name(original);
            assert_eq!(hashes(&replay(&path)), hashes(&replay(&original)), "{}", path.display());
            pairs += 1;
        }
    }
    assert!(pairs >= 6, "only {pairs} pairs were found");
}

/// Symbols of a recording that a form of it holds. The Bybit recording has two markets, each with
/// files of its own, and a CSV cannot show a book that never had a level.
fn held_by<'a>(form: &str, of: &'a Value) -> BTreeMap<&'a str, &'a str> {
    let venue = of["venue"].as_str().unwrap();
    let streams = of["streams"].as_object().unwrap().iter();
    let held = streams.filter_map(|(stream, expected)| {
        let symbol = symbol_of(venue, stream);
        let levels = [&expected["bid_levels"], &expected["ask_levels"]];
        let is_seen = !form.contains(".csv") || levels.iter().any(|n| n.as_u64() != Some(0));
        let is_here = match venue {
            "bybit" => form.contains("_spot.") == (symbol == "ETHUSDT"),
            _ => true,
        };
        (is_seen && is_here).then(|| (symbol, expected["book_sha256"].as_str().unwrap()))
    });
    held.collect()
}

#[test]
fn tardis_forms_of_a_recording_end_in_the_same_books() {
    let Some(root) = recordings::folder() else { return };
    let expected: BTreeMap<String, Value> = expectations(&root)
        .into_iter()
        .map(|(path, expected)| {
            let name = path.file_name().unwrap().to_str().unwrap().replace(".cap.zst", "");
            (format!("{}_{name}", expected["venue"].as_str().unwrap()), expected)
        })
        .collect();
    let mut compared = 0;
    for entry in std::fs::read_dir(root.join("tardis_derived")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (_, of) = expected.iter().rfind(|(stem, _)| name.starts_with(stem.as_str())).unwrap();
        if name.contains(".trades.") {
            continue;
        }
        let replay = replay(&path);
        let hashes = replay.books().map(|book| (book.symbol(), book.book().map(book_sha256)));
        // A list, not a map: a symbol is there once.
        let mut found: Vec<_> = hashes.collect();
        found.sort_unstable();
        let wanted = held_by(&name, of).into_iter();
        let wanted: Vec<_> = wanted.map(|(symbol, hash)| (symbol, Some(hash.to_owned()))).collect();
        assert_eq!(found, wanted, "{name}");
        compared += found.len();
    }
    // Ten, five, three, ten and one, in three forms each, less the one option.
    assert_eq!(compared, 86);
}

/// First, last and previous id of a message.
type Ids = (Option<i64>, Option<i64>, Option<i64>);

/// How a book was lost.
struct Loss {
    symbol: String,
    reason: Reason,
    verdict: Verdict,
    /// Numbers of the message that showed it, and its line in the file.
    ids: Ids,
    line: u64,
}

/// Notes in which message each book is lost, and that it is not live afterwards.
#[derive(Default)]
struct Losses {
    /// Of the message that is being read.
    ids: Ids,
    line: u64,
    lost: Vec<Loss>,
    live_again: Vec<String>,
}

impl Losses {
    /// Those of a whole recording.
    fn of(path: &Path) -> Self {
        let mut losses = Self::default();
        let mut replay = Replay::open([path.display().to_string()]).unwrap();
        let stopped = replay.run_while(
            &mut losses,
            |losses, place| {
                losses.line = place.line;
                true
            },
            |_| {},
            |failure| panic!("{failure}"),
        );
        assert_eq!(stopped, Stopped::End, "{}", path.display());
        losses
    }
}

impl Handler for Losses {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        if let Body::Book(message) = &event.body {
            assert_ne!(message.kind, BookKind::Image);
            self.ids = (message.seq.first, message.seq.last, message.seq.prev);
        }
    }

    fn book(&mut self, _: BookId, book: &BookEntry, outcome: &Outcome) {
        let (symbol, verdict) = (book.symbol.clone(), outcome.verdict);
        if let Transition::Invalidated(reason) = outcome.transition {
            let (ids, line) = (self.ids, self.line);
            self.lost.push(Loss { symbol, reason, verdict, ids, line });
            assert_eq!(book.local.state().0, State::Syncing);
        } else if book.local.state().0 == State::Live
            && self.lost.iter().any(|loss| loss.symbol == symbol)
        {
            self.live_again.push(symbol);
        }
    }

    fn level(&mut self, _: BookId, _: Side, _: Level, _: Change) {}
}

impl Watcher for Losses {}

/// Numbers that the expectation file quotes of the message that shows the gap.
fn quoted(detail: &str) -> Vec<i64> {
    let digits = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
    detail.split(['=', ' ', '>']).filter_map(digits).collect()
}

/// Lines of `okx/fault_drop_cf_20220227…` whose checksums are the first that fail, as the
/// reconstruction behind the expectation files finds them: messages of 2022 have no numbers.
const FIRST_BAD: [(&str, u64); 3] =
    [("ELON-USDT", 2_152), ("ZEN-USDT", 2_427), ("UNI-USD-SWAP", 2_569)];

/// Asserts that a book was lost, in the message of which the expectation file quotes a number.
#[track_caller]
fn assert_gap(losses: &Losses, stream: &str, symbol: &str, detail: &str) {
    let loss = losses.lost.iter().find(|loss| loss.symbol == symbol);
    let loss = loss.unwrap_or_else(|| panic!("{stream} not lost"));
    assert_eq!(loss.reason, Reason::Gap, "{stream}");
    assert!(matches!(loss.verdict, Verdict::Gap { .. }), "{stream}: {:?}", loss.verdict);
    let (first, last, prev) = loss.ids;
    let quoted = quoted(detail);
    let mut shown = [first, last, prev].into_iter().flatten();
    assert!(shown.any(|id| quoted.contains(&id)), "{stream}: {detail}");
}

/// Asserts that a book was lost with the first checksum that failed.
#[track_caller]
fn assert_bad_checksum(losses: &Losses, stream: &str, symbol: &str) {
    let loss = losses.lost.iter().find(|loss| loss.symbol == symbol);
    let found = loss.map(|loss| (loss.reason, loss.line));
    let first = FIRST_BAD.iter().find(|(of, _)| *of == symbol);
    assert_eq!(found, first.map(|(_, line)| (Reason::Checksum, *line)), "{stream}");
}

#[test]
fn a_dropped_delta_is_reported_in_the_very_message_that_shows_it() {
    let Some(root) = recordings::folder() else { return };
    let (mut gaps, mut checksums) = (0, 0);
    for (path, expected) in expectations(&root) {
        if !path.file_name().unwrap().to_str().unwrap().starts_with("fault_drop_") {
            continue;
        }
        let losses = Losses::of(&path);
        let venue = expected["venue"].as_str().unwrap();
        let mut wanted = 0;
        for (stream, expected) in expected["streams"].as_object().unwrap() {
            let symbol = symbol_of(venue, stream);
            for detail in expected["gap_detail"].as_array().unwrap() {
                assert_gap(&losses, stream, symbol, detail.as_str().unwrap());
                (wanted, gaps) = (wanted + 1, gaps + 1);
            }
            if policy(stream, expected) == Policy::Checksum {
                assert_bad_checksum(&losses, stream, symbol);
                (wanted, checksums) = (wanted + 1, checksums + 1);
            }
        }
        assert_eq!(losses.lost.len(), wanted, "{}", path.display());
        assert!(losses.live_again.is_empty(), "{}: {:?}", path.display(), losses.live_again);
    }
    assert!(gaps >= 9, "only {gaps} gaps were found");
    assert_eq!(checksums, FIRST_BAD.len());
}

/// What a replay by one instruction set's kernels ends in, in bytes and counts.
fn by(path: &Path, isa: Isa) -> (BTreeMap<String, String>, Vec<Counters>) {
    let mut replay = Replay::open([path.display().to_string()]).unwrap();
    replay.driver_mut().set_isa(isa);
    replay.run(&mut ()).unwrap();
    (hashes(&replay), replay.books().map(|book| *book.counters()).collect())
}

#[test]
fn a_replay_is_the_same_on_every_instruction_set() {
    let Some(root) = recordings::folder() else { return };
    for (path, _) in expectations(&root) {
        let portable = by(&path, Isa::PORTABLE);
        for isa in Isa::available() {
            assert_eq!(by(&path, isa), portable, "{} {}", path.display(), isa.name());
        }
    }
}

#[test]
fn a_replay_is_the_same_every_time() {
    let Some(root) = recordings::folder() else { return };
    for (path, _) in expectations(&root) {
        let (first, second) = (replay(&path), replay(&path));
        assert_eq!(hashes(&first), hashes(&second), "{}", path.display());
        let counters =
            |replay: &Replay| -> Vec<_> { replay.books().map(|book| *book.counters()).collect() };
        assert_eq!(counters(&first), counters(&second), "{}", path.display());
    }
}
