//! Reads a capture line by line.
//!
//! Nothing is allocated per line after warm-up: a record borrows the line buffer, a binary frame
//! one scratch buffer. Records come in file order, also where receive times step back.

use std::io::Read;
use std::ops::Range;

use gapless_book::event::NO_TIME;
use gapless_venues::scan::Value;

use super::{VERSION, base64};
use crate::error::{FileName, ReplayError};
use crate::lines::{Found, Lines};
use crate::record::{Record, RecordKind, Stats};
use crate::time::parse_digits;

const FORM: &str = "a capture line is recv_ns TAB kind TAB source TAB payload";

/// What the metadata line of a capture says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Venue of every connection in the file.
    pub venue: Option<String>,
    /// Program that wrote it.
    pub writer: Option<String>,
}

/// The parts of one line.
#[derive(Debug)]
struct Parts {
    recv_ns: i64,
    kind: u8,
    source: Range<usize>,
    payload: Range<usize>,
}

/// Reader of capture v1.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    stats: Stats,
    meta: Meta,
    last_ns: i64,
    /// Kind of the current record and where its text lies in the line.
    current: Option<(RecordKind, Parts)>,
    binary: Vec<u8>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Records of `lines`, which holds unpacked text.
    #[must_use]
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            stats: Stats::default(),
            meta: Meta::default(),
            last_ns: NO_TIME,
            current: None,
            binary: Vec::new(),
            ended: false,
        }
    }

    /// Name of the input.
    #[must_use]
    pub fn name(&self) -> &FileName {
        self.lines.name()
    }

    /// What was met so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What the metadata line says; empty before the first [`Reader::advance`].
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    /// A line that is not of the format: it is lost and reading goes on after it. A damaged
    /// stream: the end. A torn end is no error, it is counted in [`Stats::torn_bytes`].
    #[inline]
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        self.current = None;
        while !self.ended {
            match self.lines.advance()? {
                Found::Whole => {}
                found => {
                    self.finish(found);
                    break;
                }
            }
            self.stats.lines += 1;
            let parts = split(self.lines.line()).map_err(|what| self.lines.bad(what, FORM))?;
            if let Some(kind) = self.kind(&parts)? {
                self.stats.count(&mut self.last_ns, parts.recv_ns);
                self.current = Some((kind, parts));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The record that [`Reader::advance`] went to; `None` before it and at the end.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Option<Record<'_>> {
        let (kind, parts) = self.current.as_ref()?;
        let line = self.lines.line();
        let payload = match kind {
            RecordKind::Binary => self.binary.as_slice(),
            _ => line.get(parts.payload.clone())?,
        };
        let source = std::str::from_utf8(line.get(parts.source.clone())?).ok()?;
        let line = self.lines.number();
        Some(Record { recv_ns: parts.recv_ns, kind: *kind, source, payload, line })
    }

    fn finish(&mut self, found: Found) {
        self.ended = true;
        if found == Found::Tail {
            self.stats.torn_bytes += self.lines.line().len() as u64;
        }
        if let Some(cut) = self.lines.cut() {
            self.stats.torn_bytes += cut.lost;
            self.stats.cut_streams += 1;
        }
    }

    /// Kind of a line; `None` for one that gives no record.
    fn kind(&mut self, parts: &Parts) -> Result<Option<RecordKind>, ReplayError> {
        Ok(Some(match parts.kind {
            b'C' => RecordKind::Open,
            b'S' => RecordKind::Sent,
            b'R' => RecordKind::Frame,
            b'H' => RecordKind::Http,
            b'D' => RecordKind::Disconnect,
            b'B' => self.decode_binary(parts)?,
            b'M' => {
                self.read_meta(parts)?;
                return Ok(None);
            }
            _ => {
                self.stats.unknown_kinds += 1;
                return Ok(None);
            }
        }))
    }

    fn decode_binary(&mut self, parts: &Parts) -> Result<RecordKind, ReplayError> {
        let text = self.lines.line().get(parts.payload.clone()).unwrap_or(&[]);
        match base64::decode(text, &mut self.binary) {
            Some(()) => Ok(RecordKind::Binary),
            None => Err(self.lines.bad(
                "the payload of a binary frame is not base64",
                "record it again or remove the line",
            )),
        }
    }

    /// Takes in the metadata. Only the first line of a file describes it; further ones come from
    /// captures laid end to end and change nothing.
    fn read_meta(&mut self, parts: &Parts) -> Result<(), ReplayError> {
        let text = self.lines.line().get(parts.payload.clone()).unwrap_or(&[]);
        let fields = Value::frame(text).and_then(|v| v.object(["capture", "venue", "writer"]));
        let Ok([version, venue, writer]) = fields else {
            return Err(self
                .lines
                .bad("the metadata is not a JSON object", "correct the line or remove it"));
        };
        let version = version.map_or(Ok(VERSION), Value::int);
        if version.is_err() || version.is_ok_and(|v| v > VERSION) {
            return Err(ReplayError::UnknownFormat {
                file: self.name().clone(),
                what: "the capture says that it is of a newer version than 1".into(),
                fix: "read it with the program that wrote it, or with a newer gapless",
            });
        }
        if self.lines.number() == 1 {
            let text = |v: Option<Value<'_>>| v.and_then(|v| v.string().ok()).map(str::to_owned);
            self.meta = Meta { venue: text(venue), writer: text(writer) };
        }
        Ok(())
    }
}

/// Splits a line into its fields, or says what is wrong with it.
fn split(line: &[u8]) -> Result<Parts, &'static str> {
    let mut tabs = memchr::memchr_iter(b'\t', line);
    let first = tabs.next().ok_or("no TAB in the line")?;
    let second = tabs.next().ok_or("only two fields")?;
    let recv_ns =
        line.get(..first).and_then(parse_digits).ok_or("the receive time is no number")?;
    let kind = line.get(first + 1..second).unwrap_or(&[]);
    let [kind @ b'A'..=b'Z'] = *kind else { return Err("the kind is not one capital letter") };
    let third = match tabs.next() {
        Some(third) => third,
        // A connection's URL or end may be missing, and its TAB with it.
        None if matches!(kind, b'C' | b'D') => line.len(),
        None => return Err("only three fields"),
    };
    // An unknown kind may hold what it likes: it is skipped.
    let known = matches!(kind, b'C' | b'S' | b'R' | b'H' | b'D' | b'B' | b'M');
    if known && tabs.next().is_some() {
        return Err("a TAB in the payload");
    }
    let source = second + 1..third;
    if std::str::from_utf8(line.get(source.clone()).unwrap_or(&[])).is_err() {
        return Err("the source is not UTF-8");
    }
    let payload = (third + 1).min(line.len())..line.len();
    Ok(Parts { recv_ns, kind, source, payload })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn reader(text: &str) -> Reader<Cursor<Vec<u8>>> {
        let bytes = Cursor::new(text.as_bytes().to_vec());
        Reader::new(Lines::new(bytes, FileName::new("a.cap")))
    }

    /// Every record as `recv kind source payload`, errors as their text.
    fn read(text: &str) -> (Vec<String>, Stats) {
        let mut reader = reader(text);
        let mut out = Vec::new();
        loop {
            match reader.advance() {
                Ok(true) => {
                    let r = reader.record().unwrap();
                    let payload = String::from_utf8_lossy(r.payload).into_owned();
                    out.push(format!("{} {:?} {} {payload}", r.recv_ns, r.kind, r.source));
                }
                Ok(false) => return (out, reader.stats()),
                Err(error) => out.push(error.to_string()),
            }
        }
    }

    #[test]
    fn every_kind_is_read_and_an_unknown_one_is_counted() {
        let (records, stats) = read(concat!(
            "0\tM\t\t{\"capture\":1,\"venue\":\"okx\"}\n",
            "1\tC\tws\twss://x/y\n",
            "2\tC\tws2\n",
            "3\tS\tws\t{\"op\":1}\n",
            "4\tR\tws\t{}\n",
            "5\tB\tws\tZm9v\n",
            "6\tH\thttps://x/depth?symbol=A\t[]\n",
            "7\tQ\twhat\tmore\tand more\n",
            "8\tD\tws\tclosed\n",
        ));
        let expected = [
            "1 Open ws wss://x/y",
            "2 Open ws2 ",
            "3 Sent ws {\"op\":1}",
            "4 Frame ws {}",
            "5 Binary ws foo",
            "6 Http https://x/depth?symbol=A []",
            "8 Disconnect ws closed",
        ];
        assert_eq!(records, expected);
        assert_eq!((stats.records, stats.lines, stats.unknown_kinds), (7, 9, 1));
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_is_read() {
        let (records, _) = read("1\tR\tws\ta\nrubbish\n2\tR\tws\tb\tc\n3\tB\tws\t!\n4\tR\tws\tb\n");
        assert_eq!(records.len(), 5);
        assert!(records[1].starts_with("a.cap: line 2 (byte 9): no TAB"), "{}", records[1]);
        assert!(records[2].contains("line 3 (byte 17): a TAB in the payload"), "{}", records[2]);
        assert!(records[3].contains("line 4 (byte 28)"), "{}", records[3]);
        assert!(records[3].contains("not base64"), "{}", records[3]);
        assert_eq!(records[4], "4 Frame ws b");
    }

    #[test]
    fn a_step_back_in_time_is_counted_and_never_reordered() {
        let (records, stats) = read("5\tR\tws\ta\n3\tR\tws\tb\n4\tR\tws\tc\n");
        assert_eq!(records, ["5 Frame ws a", "3 Frame ws b", "4 Frame ws c"]);
        assert_eq!(stats.steps_back, 1);
    }

    #[test]
    fn a_torn_tail_is_left_out_and_counted() {
        let (records, stats) = read("5\tR\tws\ta\n6\tR\tws\tbcd");
        assert_eq!(records, ["5 Frame ws a"]);
        assert_eq!(stats.torn_bytes, 10);
    }

    #[test]
    fn the_first_line_may_say_the_venue() {
        let mut reader = reader("0\tM\t-\t{\"capture\":1,\"venue\":\"okx\",\"writer\":\"w\"}\n");
        assert!(!reader.advance().unwrap());
        assert_eq!(reader.meta().venue.as_deref(), Some("okx"));
        assert_eq!(reader.meta().writer.as_deref(), Some("w"));
        let first = "0\tM\t\t{\"venue\":\"okx\"}\n1\tR\tws\ta\n0\tM\t\t{\"venue\":\"bybit\"}\n";
        let mut joined = super::tests::reader(first);
        while joined.advance().unwrap() {}
        assert_eq!(joined.meta().venue.as_deref(), Some("okx"), "a capture laid behind another");
        let (records, _) = read("0\tM\t\t{\"capture\":2}\n1\tR\tws\ta\n");
        assert!(records[0].contains("newer version"), "{}", records[0]);
    }

    #[test]
    fn receive_times_are_whole_numbers_that_fit() {
        for time in ["", "-1", "+1", "1.5", "9223372036854775808", "99999999999999999999", " 1"] {
            assert_eq!(
                split(format!("{time}\tR\tws\tx").as_bytes()).unwrap_err(),
                "the receive time is no number",
                "{time}"
            );
        }
        assert_eq!(split(b"9223372036854775807\tR\tws\tx").unwrap().recv_ns, i64::MAX);
    }
}
