//! Tardis raw recordings: the venue's own frames with their receive times (protocols.md 6.3, 6.4).
//!
//! Two writers are read, also mixed: the historical feed's `2026-11-20T20:40:31.4521170Z {…}` and
//! tardis-machine's `{"localTimestamp":"…","message":{…}}`. Empty lines, however many, are one
//! disconnect. A last line without LF counts if its JSON is complete (ruling 0.6.17).

use std::io::Read;
use std::ops::Range;

use gapless_book::event::NO_TIME;
use gapless_venues::scan::Value;

use crate::error::{FileName, ReplayError};
use crate::lines::{Found, Lines};
use crate::record::{Record, RecordKind, Stats};
use crate::time::parse_iso;

/// Name of the only connection that such a file has.
pub const SOURCE: &str = "tardis";

const FORM: &str = "a raw line is a timestamp, one space and JSON, or \
    {\"localTimestamp\":…,\"message\":…}";
const REASON: &[u8] = b"the recorder lost its connection";

/// Reader of both raw forms.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    stats: Stats,
    last_ns: i64,
    current: Option<Parts>,
    /// Empty lines since the last frame were already given as a disconnect.
    disconnected: bool,
    ended: bool,
}

#[derive(Debug)]
struct Parts {
    recv_ns: i64,
    /// The frame in the line; `None` = a disconnect.
    payload: Option<Range<usize>>,
}

impl<R: Read> Reader<R> {
    /// Records of `lines`, which holds unpacked text.
    #[must_use]
    pub fn new(lines: Lines<R>) -> Self {
        let (stats, last_ns) = (Stats::default(), NO_TIME);
        Self { lines, stats, last_ns, current: None, disconnected: false, ended: false }
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

    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    /// A line that is not of the form: it is lost and reading goes on after it. A cut or damaged
    /// stream: the end.
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        self.current = None;
        while !self.ended {
            let found = self.lines.advance()?;
            match found {
                Found::Whole => self.stats.lines += 1,
                Found::Tail => {}
                Found::End => return self.finish(),
            }
            let blank = self.lines.line().trim_ascii().is_empty();
            if blank && self.disconnected {
                continue;
            }
            if found == Found::Tail && !blank && !is_complete(self.lines.line()) {
                self.stats.torn_bytes += self.lines.line().len() as u64;
                return self.finish();
            }
            self.disconnected = blank;
            self.current = Some(self.read(blank)?);
            return Ok(true);
        }
        Ok(false)
    }

    /// The record that [`Reader::advance`] went to; `None` before it and at the end.
    #[must_use]
    pub fn record(&self) -> Option<Record<'_>> {
        let parts = self.current.as_ref()?;
        let (kind, payload) = match &parts.payload {
            Some(range) => (RecordKind::Frame, self.lines.line().get(range.clone())?),
            None => (RecordKind::Disconnect, REASON),
        };
        let (recv_ns, line) = (parts.recv_ns, self.lines.number());
        Some(Record { recv_ns, kind, source: SOURCE, payload, line })
    }

    fn read(&mut self, blank: bool) -> Result<Parts, ReplayError> {
        if blank {
            // It happened after the frame above and before the one below; no time is written.
            self.stats.records += 1;
            return Ok(Parts { recv_ns: self.last_ns, payload: None });
        }
        let (recv_ns, payload) =
            split(self.lines.line()).map_err(|what| self.lines.bad(what, FORM))?;
        self.stats.count(&mut self.last_ns, recv_ns);
        Ok(Parts { recv_ns, payload: Some(payload) })
    }

    fn finish(&mut self) -> Result<bool, ReplayError> {
        self.ended = true;
        crate::normalized::end_of(&self.lines, &mut self.stats)
    }
}

/// Receive time and place of the frame, or what is wrong with the line.
fn split(line: &[u8]) -> Result<(i64, Range<usize>), &'static str> {
    if line.first() == Some(&b'{') {
        return split_wrapped(line);
    }
    let space = memchr::memchr(b' ', line.get(..64).unwrap_or(line)).ok_or("no space after it")?;
    let time = line.get(..space).and_then(parse_iso).ok_or("the timestamp cannot be read")?;
    let end = line.trim_ascii_end().len();
    if end <= space {
        return Err("nothing after the timestamp");
    }
    Ok((time, space + 1..end))
}

fn split_wrapped(line: &[u8]) -> Result<(i64, Range<usize>), &'static str> {
    if let Some(found) = split_usual(line) {
        return Ok(found);
    }
    let what = "not an object with localTimestamp and message";
    let fields = Value::frame(line).and_then(|v| v.object(["localTimestamp", "message"]));
    let Ok([Some(time), Some(message)]) = fields else { return Err(what) };
    let time = time.string().ok().and_then(|t| parse_iso(t.as_bytes()));
    let time = time.ok_or("the localTimestamp cannot be read")?;
    Ok((time, message.at()..message.at() + message.raw().len()))
}

/// The shape that tardis-machine writes, found without reading the message; its parser reads it
/// anyway, and refuses it if anything else stands behind it.
fn split_usual(line: &[u8]) -> Option<(i64, Range<usize>)> {
    const HEAD: &[u8] = b"{\"localTimestamp\":\"";
    const MIDDLE: &[u8] = b"\",\"message\":";
    let rest = line.strip_prefix(HEAD)?;
    let length = memchr::memchr(b'"', rest.get(..40).unwrap_or(rest))?;
    let time = parse_iso(rest.get(..length)?)?;
    let message = rest.get(length..)?.strip_prefix(MIDDLE)?.strip_suffix(b"}")?;
    let start = HEAD.len() + length + MIDDLE.len();
    Some((time, start..start + message.len()))
}

/// Whether the JSON of a line without LF is whole.
fn is_complete(line: &[u8]) -> bool {
    let json = match line.first() {
        Some(b'{') => Some(line),
        _ => split(line).ok().and_then(|(_, range)| line.get(range)),
    };
    json.is_some_and(|json| Value::frame(json).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(text: &str) -> (Vec<String>, Stats) {
        let lines = Lines::new(Cursor::new(text.as_bytes().to_vec()), FileName::new("raw"));
        let mut reader = Reader::new(lines);
        let mut out = Vec::new();
        loop {
            match reader.advance() {
                Ok(true) => {
                    let r = reader.record().unwrap();
                    let payload = match r.kind {
                        RecordKind::Disconnect => "disconnect".into(),
                        _ => String::from_utf8_lossy(r.payload).into_owned(),
                    };
                    out.push(format!("{} {payload}", r.recv_ns));
                }
                Ok(false) => return (out, reader.stats()),
                Err(error) => out.push(error.to_string()),
            }
        }
    }

    #[test]
    fn c76_seven_digits_empty_lines_and_a_missing_last_lf() {
        let (records, stats) = read(concat!(
            "1970-01-01T00:00:01.4521170Z {\"a\":1}\n",
            "\n",
            "1970-01-01T00:00:02.0000001Z {\"b\":2}\n",
            "\n",
            "\n",
            "1970-01-01T00:00:03.0000000Z {\"c\":3}",
        ));
        let expected = [
            "1452117000 {\"a\":1}",
            "1452117000 disconnect",
            "2000000100 {\"b\":2}",
            "2000000100 disconnect",
            "3000000000 {\"c\":3}",
        ];
        assert_eq!(records, expected);
        assert_eq!((stats.records, stats.lines, stats.torn_bytes), (5, 5, 0));
    }

    #[test]
    fn both_writers_give_the_same_records() {
        let (feed, _) = read("1970-01-01T00:00:01.5Z {\"a\":[1]}\n\n1970-01-01T00:00:02Z {}\n");
        let (machine, _) = read(concat!(
            "{\"localTimestamp\":\"1970-01-01T00:00:01.5Z\",\"message\":{\"a\":[1]}}\n",
            "\n",
            "{ \"message\" : {} , \"x\":1, \"localTimestamp\" : \"1970-01-01T00:00:02Z\" }\n",
        ));
        assert_eq!(feed, machine);
        assert_eq!(feed.len(), 3);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_counted() {
        for torn in [
            "1970-01-01T00:00:03Z {\"c\":",
            "1970-01-01T00:0",
            "{\"localTimestamp\":\"1970-01-01T00:00:02Z\",\"message\":{\"a\":\"b}",
        ] {
            let (records, stats) = read(&format!("1970-01-01T00:00:01Z {{}}\n{torn}"));
            assert_eq!(records, ["1000000000 {}"]);
            assert_eq!(stats.torn_bytes, torn.len() as u64);
        }
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_is_read() {
        let (records, _) = read("what\n{\"message\":1}\n1970-01-01T00:00:01Z {}\n");
        assert!(records[0].starts_with("raw: line 1 (byte 0): no space"), "{}", records[0]);
        assert!(records[1].contains("line 2 (byte 5): not an object with"), "{}", records[1]);
        assert_eq!(records[2], "1000000000 {}");
    }
}
