//! Target `capture_reader`: recordings of any form, and captures against a reading by hand.
//!
//! Whatever the bytes: no panic in any container or form; a text gives exactly the records that a
//! split at LF and TAB finds; what was read can be written and reads back the same.

use std::io::Cursor;

use gapless_replay::capture::{Reader, Writer};
use gapless_replay::csv::{Reject, Sink};
use gapless_replay::error::FileName;
use gapless_replay::input::{self, Format, Item};
use gapless_replay::lines::Lines;
use gapless_replay::{Record, RecordKind};

/// Runs one input.
pub fn capture_reader(data: &[u8]) {
    for format in Format::ALL.into_iter().map(Some).chain([None]) {
        drain(data, format);
    }
    let (records, torn) = read(data);
    assert_eq!(records, naive(data), "{:?}", String::from_utf8_lossy(data));
    let tail = data.rsplit(|b| *b == b'\n').next().map_or(0, <[u8]>::len);
    assert_eq!(torn, tail as u64, "bytes after the last LF");
    written_reads_back(&records);
}

/// Everything of a record but its line.
type Owned = (i64, RecordKind, String, Vec<u8>);

struct Nothing;

impl Sink for Nothing {
    fn event(&mut self, _: &gapless_book::event::Event<'_>) {}

    fn reject(&mut self, reject: &Reject<'_>) {
        assert!(reject.line > 0);
    }
}

/// Reads an input to its end, whatever it says.
fn drain(data: &[u8], format: Option<Format>) {
    let stream = Cursor::new(data.to_vec());
    let mut reader = match input::open_stream(stream, FileName::new("fuzz"), format) {
        Ok(reader) => reader,
        Err(error) => return one_line(&error),
    };
    loop {
        match reader.advance() {
            Ok(false) => return,
            Err(error) => one_line(&error),
            Ok(true) => match reader.item() {
                Some(Item::Record(record)) => assert!(record.line > 0),
                Some(Item::Csv(csv)) => csv.emit(&mut Nothing),
                None => panic!("an item after every advance"),
            },
        }
    }
}

fn one_line(error: &gapless_replay::ReplayError) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn read(text: &[u8]) -> (Vec<Owned>, u64) {
    let mut reader = Reader::new(Lines::new(Cursor::new(text.to_vec()), FileName::new("fuzz")));
    let mut records = Vec::new();
    loop {
        match reader.advance() {
            Ok(true) => {
                let Record { recv_ns, kind, source, payload, .. } =
                    reader.record().expect("a record after every advance");
                records.push((recv_ns, kind, source.to_owned(), payload.to_vec()));
            }
            Ok(false) => return (records, reader.stats().torn_bytes),
            // A metadata line of a newer version ends nothing here: the caller decides.
            Err(_) => {}
        }
    }
}

/// The records of a text, found by splitting.
fn naive(text: &[u8]) -> Vec<Owned> {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    lines.pop();
    lines.into_iter().filter_map(naive_line).collect()
}

fn naive_line(line: &[u8]) -> Option<Owned> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b'\t').collect();
    let kind = match *fields.get(1)? {
        b"C" => RecordKind::Open,
        b"S" => RecordKind::Sent,
        b"R" => RecordKind::Frame,
        b"H" => RecordKind::Http,
        b"D" => RecordKind::Disconnect,
        b"B" => RecordKind::Binary,
        _ => return None,
    };
    let may_lack_payload = matches!(kind, RecordKind::Open | RecordKind::Disconnect);
    if fields.len() != 4 && !(fields.len() == 3 && may_lack_payload) {
        return None;
    }
    let time = std::str::from_utf8(fields[0]).ok().filter(|t| t.len() <= 19)?;
    let time = time.bytes().all(|b| b.is_ascii_digit()).then(|| time.parse().ok())??;
    let source = std::str::from_utf8(fields[2]).ok()?.to_owned();
    let payload = fields.get(3).copied().unwrap_or(&[]);
    let payload = match kind {
        RecordKind::Binary => naive_base64(payload)?,
        _ => payload.to_vec(),
    };
    Some((time, kind, source, payload))
}

/// Base64 bit by bit.
fn naive_base64(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bits = Vec::new();
    for letter in letters {
        let value = ALPHABET.iter().position(|l| l == letter)?;
        bits.extend((0..6).rev().map(|at| value >> at & 1));
    }
    let whole = bits.len() / 8 * 8;
    let canonical = bits[whole..].iter().all(|bit| *bit == 0) && bits.len() - whole < 6;
    let bytes = bits[..whole].chunks(8).map(|byte| byte.iter().fold(0, |v, bit| v << 1 | bit));
    (text.len().is_multiple_of(4) && canonical).then(|| bytes.map(|b: usize| b as u8).collect())
}

fn written_reads_back(records: &[Owned]) {
    let mut writer = Writer::plain(Vec::new());
    for (recv_ns, kind, source, payload) in records {
        let record = Record { recv_ns: *recv_ns, kind: *kind, source, payload, line: 0 };
        writer.record(&record).expect("what was read can be written");
    }
    let text = writer.finish().expect("a Vec takes everything");
    assert_eq!(read(&text).0, records);
}
