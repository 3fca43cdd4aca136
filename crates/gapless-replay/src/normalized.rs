//! Lines of JSON messages: Tardis normalized (protocols.md 6.2) and the relay dialect (section 7).
//!
//! A record's payload is the whole line; only its receive time is looked for here. A line whose
//! time cannot be found is given all the same, without one: whether it is a message is for the
//! parser to say, and a dropped line could be the one that the book needed.

use std::io::Read;

use gapless_book::event::NO_TIME;
use gapless_venues::scan::Value;

use crate::error::{FileName, ReplayError};
use crate::lines::{Found, Lines};
use crate::record::{Record, RecordKind, Stats};
use crate::time::parse_iso;

/// Whose messages the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// tardis-machine or tardis-node; every line has a `localTimestamp`.
    Tardis,
    /// A relay; lines need not have a receive time.
    Relay,
}

impl Dialect {
    /// Name of the only connection that such a file has.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Tardis => "tardis",
            Self::Relay => "relay",
        }
    }
}

/// Reader of one JSON message a line.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    dialect: Dialect,
    stats: Stats,
    last_ns: i64,
    recv_ns: i64,
    /// Bytes of the current record's payload, which starts the line; 0 = no record.
    length: usize,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Records of `lines`, which holds unpacked text.
    #[must_use]
    pub fn new(lines: Lines<R>, dialect: Dialect) -> Self {
        let (stats, recv_ns) = (Stats::default(), NO_TIME);
        Self { lines, dialect, stats, last_ns: NO_TIME, recv_ns, length: 0, ended: false }
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

    /// Whose messages these are.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Goes to the next record; false at the end. Empty lines mean nothing here.
    ///
    /// # Errors
    /// A line that is too long: it is lost and reading goes on after it. A cut or damaged stream:
    /// the end.
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        self.length = 0;
        while !self.ended {
            let found = self.lines.advance()?;
            match found {
                Found::Whole => self.stats.lines += 1,
                Found::Tail => {}
                Found::End => return self.finish(),
            }
            let line = self.lines.line().trim_ascii_end();
            if line.is_empty() {
                continue;
            }
            if found == Found::Tail && Value::frame(line).is_err() {
                self.stats.torn_bytes += self.lines.line().len() as u64;
                return self.finish();
            }
            self.length = line.len();
            let time = local_timestamp(line);
            self.stats.bad_times += u64::from(time.is_none() && self.dialect == Dialect::Tardis);
            self.recv_ns = time.unwrap_or(NO_TIME);
            self.stats.count(&mut self.last_ns, self.recv_ns);
            return Ok(true);
        }
        Ok(false)
    }

    /// The record that [`Reader::advance`] went to; `None` before it and at the end.
    #[must_use]
    pub fn record(&self) -> Option<Record<'_>> {
        let payload = self.lines.line().get(..self.length).filter(|p| !p.is_empty())?;
        let (kind, source) = (RecordKind::Frame, self.dialect.source());
        Some(Record { recv_ns: self.recv_ns, kind, source, payload, line: self.lines.number() })
    }

    fn finish(&mut self) -> Result<bool, ReplayError> {
        self.ended = true;
        end_of(&self.lines, &mut self.stats)
    }
}

/// The end of a text that nobody was killed while writing: a cut container is an error, given
/// after everything that could be read.
pub(crate) fn end_of<R: Read>(lines: &Lines<R>, stats: &mut Stats) -> Result<bool, ReplayError> {
    let Some(cut) = lines.cut() else { return Ok(false) };
    stats.torn_bytes += cut.lost;
    stats.cut_streams += 1;
    let (file, byte) = (lines.name().clone(), lines.byte());
    Err(ReplayError::Truncated { file, container: cut.container, byte })
}

/// Value of the top-level field `localTimestamp` in ns.
fn local_timestamp(line: &[u8]) -> Option<i64> {
    usual_timestamp(line).or_else(|| {
        let field = Value::frame(line).ok()?.field("localTimestamp").ok()??;
        parse_iso(field.string().ok()?.as_bytes())
    })
}

/// The time where both writers put it: as the last field. In a well-formed object these bytes can
/// only be that field; a malformed one is refused by its parser whatever its time.
fn usual_timestamp(line: &[u8]) -> Option<i64> {
    const KEY: &[u8] = b",\"localTimestamp\":\"";
    let text = line.strip_suffix(b"\"}")?;
    let quote = memchr::memrchr(b'"', text.get(text.len().saturating_sub(40)..)?)?;
    let start = text.len().saturating_sub(40) + quote + 1;
    text.get(..start)?.ends_with(KEY).then(|| parse_iso(text.get(start..)?))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(text: &str, dialect: Dialect) -> (Vec<(i64, String)>, Stats) {
        let lines = Lines::new(Cursor::new(text.as_bytes().to_vec()), FileName::new("n"));
        let mut reader = Reader::new(lines, dialect);
        let mut out = Vec::new();
        while reader.advance().unwrap() {
            let r = reader.record().unwrap();
            out.push((r.recv_ns, String::from_utf8_lossy(r.payload).into_owned()));
        }
        (out, reader.stats())
    }

    #[test]
    fn the_receive_time_is_the_top_level_field_wherever_it_stands() {
        let cases = [
            ("{\"type\":\"x\",\"localTimestamp\":\"1970-01-01T00:00:01.5Z\"}", Some(1_500_000_000)),
            ("{\"localTimestamp\":\"1970-01-01T00:00:01Z\",\"a\":1}", Some(1_000_000_000)),
            (
                "{ \"a\" : 1, \"localTimestamp\" : \"1970-01-01T00:00:01.25Z\" }",
                Some(1_250_000_000),
            ),
            ("{\"a\":{\"x\":1,\"localTimestamp\":\"1970-01-01T00:00:01Z\"}}", None),
            ("{\"a\":\"\\\"localTimestamp\\\":\\\"1970-01-01T00:00:01Z\\\"\"}", None),
            ("{\"a\":1}", None),
            ("{\"a\":1,\"localTimestamp\":\"soon\"}", None),
        ];
        for (line, expected) in cases {
            assert_eq!(local_timestamp(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn c75_times_of_three_six_and_no_digits_are_exact() {
        let line = |t: &str| format!("{{\"price\":1.2e-7,\"localTimestamp\":\"{t}\"}}\n");
        let text =
            ["1970-01-01T00:00:01.123Z", "1970-01-01T00:00:01.123456Z", "1970-01-01T00:00:02Z"]
                .map(line)
                .concat();
        let times: Vec<i64> =
            read(&text, Dialect::Tardis).0.into_iter().map(|(time, _)| time).collect();
        assert_eq!(times, [1_123_000_000, 1_123_456_000, 2_000_000_000]);
    }

    #[test]
    fn a_line_without_a_readable_time_is_still_given() {
        let (records, stats) = read("{\"a\":1}\n\nnot json\n", Dialect::Tardis);
        let given = [(NO_TIME, "{\"a\":1}".to_owned()), (NO_TIME, "not json".to_owned())];
        assert_eq!(records, given);
        assert_eq!((stats.bad_times, stats.steps_back), (2, 0));
        assert_eq!(read("{\"a\":1}\n", Dialect::Relay).1.bad_times, 0);
    }

    #[test]
    fn a_last_line_without_lf_counts_if_it_is_whole() {
        let (records, stats) = read("{\"a\":1}\n{\"b\":2}", Dialect::Relay);
        assert_eq!((records.len(), stats.torn_bytes), (2, 0));
        let (records, stats) = read("{\"a\":1}\n{\"b\":", Dialect::Relay);
        assert_eq!((records.len(), stats.torn_bytes), (1, 5));
    }
}
