//! Recordings played as two lines of which each has lost some of its frames: merged, they are what
//! the whole recording is.

use gapless::replay::input;
use gapless::{BookReport, Choices, Replay, book_sha256};
use gapless_book::local::State;
use gapless_tests::recordings;
use std::fs;
use std::path::{Path, PathBuf};

/// A book as it ended.
#[derive(Debug, PartialEq, Eq)]
struct End {
    name: String,
    channel: String,
    state: State,
    seq: Option<i64>,
    sha256: Option<String>,
    gaps: u64,
}

fn end(report: &BookReport<'_>) -> End {
    End {
        name: report.name(),
        channel: report.channel().to_owned(),
        state: report.state(),
        seq: report.seq(),
        sha256: report.book().map(book_sha256),
        gaps: report.counters().gaps,
    }
}

fn play(paths: &[PathBuf], merge_lines: bool) -> (Vec<End>, u64) {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let inputs = input::find(&paths).expect("the inputs are there");
    let choices = Choices { merge_lines, ..Choices::default() };
    let (mut replay, failures) = Replay::with(inputs, choices);
    assert!(failures.is_empty(), "{failures:?}");
    replay.run(&mut ()).expect("the inputs are whole");
    let filled = replay
        .books()
        .flat_map(|book| book.lines().map(|(_, stats)| stats.holes_filled).collect::<Vec<_>>());
    let filled = filled.sum();
    let mut books: Vec<End> = replay.books().map(|book| end(&book)).collect();
    books.sort_by(|a, b| (&a.name, &a.channel).cmp(&(&b.name, &b.channel)));
    (books, filled)
}

/// A copy of a recording without some of its frames: the one at `turn` of every so many.
fn damaged(recording: &Path, (turn, every): (usize, usize), folder: &Path) -> PathBuf {
    let packed = fs::read(recording).expect("a recording");
    let text = zstd::decode_all(&*packed).expect("a whole file");
    let mut frames = 0;
    let mut kept = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let is_frame = line.split(|byte| *byte == b'\t').nth(1) == Some(b"R");
        frames += usize::from(is_frame);
        // The first frames open the books: each line needs them.
        if !(is_frame && frames > 2 * every && frames % every == turn) {
            kept.extend_from_slice(line);
        }
    }
    let path = folder.join(format!("line{turn}.cap"));
    fs::write(&path, kept).expect("a place for the copy");
    path
}

/// `every`: one of so many frames is lost on each line.
fn check(recording: &str, every: usize) {
    let Some(root) = recordings::folder() else { return };
    let recording = root.join(recording);
    let name = recording.file_stem().expect("a name").to_string_lossy();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("merged-{name}"));
    fs::create_dir_all(&folder).expect("a place for copies");
    let (whole, _) = play(std::slice::from_ref(&recording), false);
    let lines = [3, every - 1].map(|turn| damaged(&recording, (turn, every), &folder));
    let (apart, _) = play(&lines, false);
    assert!(apart.iter().any(|book| book.gaps > 0), "nothing was lost that mattered");
    let (merged, filled) = play(&lines, true);
    assert_eq!(merged, whole);
    assert!(filled > 0, "no line filled a hole of the other");
    fs::remove_dir_all(folder).expect("the copies are there");
}

#[test]
fn two_lossy_lines_of_binance_spot_are_one_whole_line() {
    check("binance_spot/cf_20210405_10sym.cap.zst", 100);
}

#[test]
fn two_lossy_lines_of_binance_futures_are_one_whole_line() {
    check("binance_usdm/cf_20210722_4sym.cap.zst", 100);
}

#[test]
fn two_lossy_lines_of_bybit_are_one_whole_line() {
    check("bybit/cf_20260809_linear-btc-doge_spot-eth.cap.zst", 100);
}

#[test]
fn two_lossy_lines_of_deribit_are_one_whole_line() {
    check("deribit/cf_20210417_raw.cap.zst", 7);
}
