//! `gapless replay` and `gapless verify` as their users see them: keys, exit codes, places,
//! messages.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const BEGIN_NS: u64 = 1_763_600_000_000_000_000;
const OPEN: &str = "C\tws\twss://stream.binance.com:9443/stream";

fn gapless(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

fn sample(name: &str) -> String {
    samples().join(name).display().to_string()
}

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gapless-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// A capture of these records, a nanosecond apart.
    fn capture(&self, name: &str, records: &[String]) -> String {
        let lines = (BEGIN_NS..).zip(records).map(|(ns, record)| format!("{ns}\t{record}\n"));
        self.file(name, lines.collect::<String>())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A delta of Binance spot with one bid.
fn delta(id: u64, price: &str) -> String {
    format!(
        "R\tws\t{{\"e\":\"depthUpdate\",\"E\":1763600000000,\"s\":\"AUSDT\",\"U\":{id},\"u\":{id},\
         \"b\":[[\"{price}\",\"1\"]],\"a\":[]}}"
    )
}

fn snapshot(id: u64) -> String {
    format!(
        "H\thttps://api.binance.com/api/v3/depth?symbol=AUSDT&limit=1000\t\
         {{\"lastUpdateId\":{id},\"bids\":[[\"1\",\"1\"]],\"asks\":[[\"2\",\"2\"]]}}"
    )
}

/// A book that is live at 102, and what comes then.
fn live_and(then: &[String]) -> Vec<String> {
    let live = [OPEN.to_owned(), delta(101, "1.5"), snapshot(101), delta(102, "1.5")];
    live.iter().chain(then).cloned().collect()
}

#[test]
fn the_keys_of_the_json_are_those_that_programs_rely_on() {
    let file = sample("binance_spot.cap.zst");
    let (out, errors, code) = said(&gapless(&["replay", "--json", &file]));
    assert_eq!((code, errors.as_str()), (0, ""));
    let keys = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        // In their order, which the parsed object does not keep.
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_by_key(|key| line.find(&format!("\"{key}\":")));
        keys
    };
    let lines: Vec<_> = out.lines().collect();
    let (summary, books) = lines.split_last().unwrap();
    assert!(!books.is_empty());
    for book in books {
        assert_eq!(
            keys(book).join(" "),
            "type file venue market symbol channel source state reason snapshots deltas applied \
             duplicates gaps resets resyncs rejects overlaps truncated snapshots_ignored \
             audit_differences integrity crossed checksum_ok checksum_bad seq best_bid best_ask \
             bid_levels ask_levels book_sha256"
        );
    }
    let mut all = keys(summary);
    all.sort();
    assert_eq!(
        all.join(" "),
        "bytes events frames frames_per_s latency_ns lines rejects torn_bytes type unattributed \
         wall_s"
    );
    let summary: Value = serde_json::from_str(summary).unwrap();
    let names = |key: &str| {
        let mut names: Vec<_> = summary[key].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("latency_ns"), "apply parse sequence total");
    assert_eq!(
        names("events"),
        "ack bbo delta derivative disconnect error gap_notice heartbeat liquidation notice \
         option_ticker other snapshot top trade"
    );
}

#[test]
fn exit_codes_say_whether_all_was_read_and_whether_it_can_be_trusted() {
    let folder = Folder::new("codes");
    let good = sample("binance_spot.cap.zst");
    let gap = sample("binance_usdm_gap.cap.zst");
    let missing = folder.0.join("missing.cap").display().to_string();
    let empty = folder.file("empty.cap", "");
    let random = folder.file("random.cap", [7u8; 64]);
    let header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let nothing = folder.file("header.csv", header);
    let packed = std::fs::read(&good).unwrap();
    let cut = folder.file("cut.cap.zst", &packed[..packed.len() - packed.len() / 3]);
    let from = ["--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    for (words, code, message) in [
        (vec!["replay", &good], 0, ""),
        (vec!["verify", &good], 0, ""),
        (vec!["replay", &gap], 0, ""),
        (vec!["verify", &gap], 3, ""),
        (vec!["verify", &gap, &missing], 1, "no such file or folder"),
        (vec!["verify", &missing], 1, "no such file or folder"),
        (vec!["replay", &empty], 1, "is empty"),
        (vec!["verify", &random], 1, "not a recording"),
        (vec!["verify", &nothing], 1, "no book in 0 frames"),
        (vec!["verify", &good, "--symbol", "NOPE"], 1, "no book"),
        (vec!["replay", &cut], 0, "cut short"),
        (vec!["verify", &cut], 1, "cut short"),
        (vec!["replay"], 2, "INPUT"),
        (vec!["replay", &good, "--venue", "nowhere"], 2, "no such venue"),
        (vec!["replay", &good, "--speed", "0"], 2, "positive"),
        ([vec!["verify", &good], from.to_vec()].concat(), 2, "--from is not before --to"),
    ] {
        let (out, errors, seen) = said(&gapless(&words));
        assert_eq!(seen, code, "{words:?}\n{out}{errors}");
        assert_eq!(errors.is_empty(), message.is_empty(), "{words:?}: {errors}");
        assert!(errors.contains(message), "{words:?}: {errors}");
        let lines = errors.lines().filter(|line| line.starts_with("gapless: ")).count();
        assert!(code == 2 || lines == usize::from(!message.is_empty()), "one line: {errors}");
    }
}

#[test]
fn a_finding_has_the_line_that_shows_it_also_where_the_venue_was_told_late() {
    let folder = Folder::new("places");
    // Without the address that names the venue, the frames before the first that tells it are kept.
    let late: Vec<_> = live_and(&[delta(105, "1.5"), "R\tws\t{]".to_owned()])
        .into_iter()
        .skip(1)
        .filter(|record| record.starts_with('R'))
        .chain([delta(107, "1.5")])
        .collect();
    let snapshot =
        "R\tws\t{\"lastUpdateId\":101,\"bids\":[[\"1\",\"1\"]],\"asks\":[[\"2\",\"2\"]]}";
    let late: Vec<_> = [late[0].clone(), snapshot.to_owned()]
        .into_iter()
        .chain(late[1..].iter().cloned())
        .collect();
    let (first, second) = (folder.capture("a.cap", &late), folder.capture("b.cap", &late));
    for words in [vec!["verify", "--venue", "binance_spot", &first], vec!["verify", &first]] {
        let (told, _, code) = said(&gapless(&words));
        assert_eq!(code, 3, "{told}");
        assert!(told.contains("a.cap:5: unreadable frame: refused"), "{words:?}\n{told}");
    }
    let (told, ..) = said(&gapless(&["verify", &first, &second]));
    let unreadable = |name: &str| told.contains(&format!("{name}:5: unreadable frame: refused"));
    assert!(unreadable("a.cap") && unreadable("b.cap"), "{told}");

    let gap = live_and(&[delta(103, "1.5"), "no tab".to_owned(), delta(104, "1"), delta(109, "1")]);
    let gap = folder.capture("gap.cap", &gap);
    let (told, errors, code) = said(&gapless(&["verify", &gap]));
    assert_eq!(code, 3, "a bad line hides no gap: {told}{errors}");
    assert!(told.contains("gap.cap:6: ") && errors.contains("line 6"), "{told}{errors}");
}

#[test]
fn what_is_found_in_a_book_that_is_not_live_or_stays_live_has_a_place_too() {
    let folder = Folder::new("kinds");
    let uncrossed = folder.capture("uncrossed.cap", &live_and(&[delta(103, "3"), delta(104, "1")]));
    let (told, _, code) = said(&gapless(&["verify", "--crossed", "uncross", &uncrossed]));
    assert_eq!(code, 3);
    assert!(told.contains("uncrossed.cap:5: depth AUSDT: 1 crossed after"), "{told}");
    let joins = [OPEN.to_owned(), delta(101, "1.5"), snapshot(101), delta(102, "3")];
    let joins = folder.capture("joins.cap", &joins);
    let (told, _, code) = said(&gapless(&["verify", &joins]));
    assert_eq!(code, 3);
    assert!(told.contains("joins.cap:4: depth AUSDT: "), "{told}");
    let hole = [OPEN.to_owned(), delta(101, "1"), delta(105, "1"), snapshot(101), delta(106, "1")];
    let hole = folder.capture("hole.cap", &hole);
    let (told, ..) = said(&gapless(&["verify", &hole]));
    assert!(told.contains("hole.cap binance_spot:AUSDT depth: never live: "), "{told}");
}

#[test]
fn from_counts_only_what_was_received_from_then_on() {
    let folder = Folder::new("from");
    let file =
        folder.capture("f.cap", &live_and(&[delta(109, "1"), snapshot(109), delta(110, "1")]));
    let replay = |from: u64| {
        let words = ["replay", "--json", "--from", &from.to_string(), &file];
        let (out, errors, code) = said(&gapless(&words));
        assert_eq!((code, errors.as_str()), (0, ""));
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lines = lines.collect::<Vec<_>>();
        let summary = lines.pop().unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        let book = &lines[0];
        assert_eq!(book["state"], "live", "the book is built from the beginning");
        [
            number(&summary["frames"]),
            number(&summary["events"]["delta"]),
            number(&book["deltas"]),
            number(&book["gaps"]),
            u64::from(number(&summary["bytes"]) > 0),
            u64::from(number(&summary["latency_ns"]["total"]["max"]) > 0),
        ]
    };
    assert_eq!(replay(BEGIN_NS), [6, 4, 4, 1, 1, 1]);
    assert_eq!(replay(BEGIN_NS + 5), [2, 1, 1, 0, 1, 1]);
    assert_eq!(replay(BEGIN_NS + 100), [0; 6]);
    let words = ["verify", "--from", &(BEGIN_NS + 5).to_string(), &file];
    let (told, _, code) = said(&gapless(&words));
    assert_eq!(code, 0, "{told}");
}

#[test]
fn bytes_of_a_csv_are_counted_and_one_file_is_read_once() {
    let file = sample("tardis_incremental_book_L2.csv.gz");
    let detour = samples().join("../samples/tardis_incremental_book_L2.csv.gz");
    let (out, ..) = said(&gapless(&["replay", "--json", &file, &detour.display().to_string()]));
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names = lines.iter().filter(|line| line["type"] == "book");
    let mut names: Vec<_> = names.map(|line| line["symbol"].clone().to_string()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "each book once");
    assert!(lines.last().unwrap()["bytes"].as_u64().unwrap() > 10_000, "{out}");
}

#[test]
fn names_from_a_recording_cannot_steer_a_terminal() {
    let folder = Folder::new("steer");
    let csv = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
               binance,A\u{1b}[2J\u{7}B,1,10,true,bid,1,1\n\
               binance,A\u{1b}[31mX,1,20,true,bid,x,1\n";
    let file = folder.file("esc.csv", csv);
    for words in [["replay", "--depth", "2", &file].to_vec(), vec!["verify", &file]] {
        let (out, errors, _) = said(&gapless(&words));
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!out.contains(steers) && !errors.contains(steers), "{out:?} {errors:?}");
        assert!(out.contains("A\\u{1b}["), "{out}");
    }
}

/// Runs a command whose reader goes away at once.
#[cfg(unix)]
fn unread(words: &[&str]) -> (String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    // What it reads comes only now, so that it cannot have written before.
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(
            live_and(&[])
                .iter()
                .fold(String::new(), |mut text, record| {
                    text.push_str(&format!("{BEGIN_NS}\t{record}\n"));
                    text
                })
                .as_bytes(),
        )
        .unwrap();
    drop(input);
    let (_, errors, code) = said(&child.wait_with_output().unwrap());
    (errors, code)
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_hides_no_failure() {
    let folder = Folder::new("unread");
    let svg = folder.0.join("latency.svg");
    let svg_name = svg.display().to_string();
    assert_eq!(unread(&["replay", "--json", "--latency-svg", &svg_name, "-"]), (String::new(), 0));
    assert!(svg.metadata().unwrap().len() > 1_000, "the plot is written all the same");
    let packed = std::fs::read(sample("binance_spot.cap.zst")).unwrap();
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let damaged = folder.file("damaged.cap.zst", damaged);
    let (errors, code) = unread(&["replay", "--json", "-", &damaged]);
    assert!(code == 1 && errors.contains("damaged.cap.zst"), "{code} {errors}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure_with_its_reason() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let file = sample("binance_spot.cap.zst");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    let output = command.args(["replay", &file]).stdout(full).output().unwrap();
    let (_, errors, code) = said(&output);
    assert!(code == 1 && errors.contains("cannot write the report"), "{code} {errors}");
    let svg = "/no/such/folder/x.svg";
    let (_, errors, code) = said(&gapless(&["replay", "--latency-svg", svg, &file]));
    assert!(code == 1 && errors.contains(svg) && errors.matches("rror").count() <= 1, "{errors}");
}
