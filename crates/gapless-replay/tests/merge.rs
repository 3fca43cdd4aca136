//! Several inputs in one order, a part of them, and many files at once.

use std::path::{Path, PathBuf};

use gapless_replay::input::{Format, Input, Item};
use gapless_replay::merge::{Merged, OPEN_MAX, Options};

/// A folder of its own for a test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gapless-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn capture(&self, name: &str, times: &[i64]) -> Input {
        let line = |(at, time): (usize, &i64)| format!("{time}\tR\tws\t{name}{at}\n");
        let text: String = times.iter().enumerate().map(line).collect();
        self.file(&format!("{name}.cap"), &text)
    }

    fn file(&self, name: &str, text: &str) -> Input {
        let path = self.0.join(Path::new(name));
        std::fs::write(&path, text).unwrap();
        Input::file(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Payloads in order; warm-up in brackets, errors as `!line`.
fn replay(inputs: Vec<Input>, options: Options) -> Vec<String> {
    let (mut merged, failures) = Merged::open(inputs, options);
    let mut out: Vec<String> = failures.iter().map(|f| format!("!{}", f.error)).collect();
    loop {
        let step = match merged.advance() {
            Ok(Some(step)) => step,
            Ok(None) => return out,
            Err(failure) => {
                out.push(format!("!{}", failure.error.line().unwrap_or(0)));
                continue;
            }
        };
        let text = match step.item {
            Item::Record(record) => String::from_utf8(record.payload.to_vec()).unwrap(),
            Item::Csv(_) => format!("csv@{}", step.recv_ns),
        };
        out.push(if step.warmup { format!("({text})") } else { text });
    }
}

#[test]
fn the_earlier_receive_time_goes_first_and_equal_times_in_the_order_of_the_inputs() {
    let folder = Folder::new("order");
    let inputs = || vec![folder.capture("a", &[1, 5, 5, 9]), folder.capture("b", &[2, 5, 10])];
    assert_eq!(replay(inputs(), Options::default()), ["a0", "b0", "a1", "a2", "b1", "a3", "b2"]);
    let mut turned = inputs();
    turned.reverse();
    assert_eq!(replay(turned, Options::default()), ["a0", "b0", "b1", "a1", "a2", "a3", "b2"]);
}

#[test]
fn a_file_whose_time_steps_back_keeps_its_own_order() {
    let folder = Folder::new("back");
    let inputs = vec![folder.capture("a", &[1, 6, 3, 4, 8]), folder.capture("b", &[2, 5, 7])];
    let order = replay(inputs, Options::default());
    assert_eq!(order, ["a0", "b0", "b1", "a1", "a2", "a3", "b2", "a4"]);
}

#[test]
fn from_flags_what_comes_before_and_to_ends_an_input() {
    let folder = Folder::new("range");
    let inputs = vec![folder.capture("a", &[1, 5, 9]), folder.capture("b", &[2, 6, 7, 3])];
    let options = Options { from_ns: Some(5), to_ns: Some(7), ..Options::default() };
    assert_eq!(replay(inputs, options), ["(a0)", "(b0)", "a1", "b1"]);
}

#[test]
fn forms_are_merged_with_each_other_and_lines_without_time_keep_their_place() {
    let folder = Folder::new("forms");
    let csv = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
        x,A,1,2,true,bid,1,1\nx,A,1,2,true,ask,2,1\nx,A,1,6,false,ask,2,0\n";
    let raw = "1970-01-01T00:00:00.000003Z {}\n\n1970-01-01T00:00:00.000007Z {\"b\":1}\n";
    let inputs = vec![
        folder.file("c.csv", csv),
        folder.file("r.ndjson", raw),
        folder.capture("a", &[1000, 5000, 9000]),
    ];
    let order = replay(inputs, Options::default());
    let disconnect = "the recorder lost its connection";
    let expected = ["a0", "csv@2000", "{}", disconnect, "a1", "csv@6000", "{\"b\":1}", "a2"];
    assert_eq!(order, expected);
}

#[test]
fn a_line_without_a_time_has_the_time_of_the_line_above_it() {
    let folder = Folder::new("untimed");
    let text = "{\"a\":0,\"localTimestamp\":\"1970-01-01T00:00:00.000001Z\"}\n{\"a\":1}\n\
        {\"a\":2,\"localTimestamp\":\"1970-01-01T00:00:00.000009Z\"}\n";
    let inputs = vec![folder.file("n.ndjson", text), folder.capture("c", &[500, 2000])];
    let options = Options { from_ns: Some(1500), ..Options::default() };
    let order = replay(inputs, options);
    let short: Vec<&str> = order.iter().map(|o| o.get(..7).unwrap_or(o)).collect();
    assert_eq!(short, ["(c0)", "({\"a\":0", "({\"a\":1", "c1", "{\"a\":2,"]);
}

#[test]
fn a_bad_line_or_file_does_not_stop_the_others() {
    let folder = Folder::new("bad");
    let inputs = vec![
        folder.file("bad.cap", "1\tR\tws\tx\nrubbish\n5\tR\tws\ty\n"),
        folder.file("empty.cap", ""),
        folder.capture("a", &[2, 4, 6]),
        Input::file(folder.0.join("nothing.cap")),
    ];
    let order = replay(inputs, Options::default());
    assert_eq!(order.len(), 8, "{order:?}");
    assert!(order[0].contains("is empty") && order[1].contains("no such file"), "{order:?}");
    assert_eq!(order[2..], ["x", "!2", "a0", "a1", "y", "a2"].map(str::to_owned));
}

#[test]
fn more_inputs_than_are_held_open_are_still_in_one_order() {
    let folder = Folder::new("many");
    let count = OPEN_MAX + 40;
    let name = |at: usize| format!("f{at:04}-");
    let inputs: Vec<Input> = (0..count)
        .map(|at| folder.capture(&name(at), &[1 + at as i64, 1 + (at + count) as i64]))
        .collect();
    let options = Options { format: Some(Format::Capture), ..Options::default() };
    let expected: Vec<String> =
        (0..2).flat_map(|n| (0..count).map(move |at| format!("{}{n}", name(at)))).collect();
    assert_eq!(replay(inputs, options), expected);
}
