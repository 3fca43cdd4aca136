//! Writes a capture.
//!
//! What the format cannot hold (a TAB or LF in a payload or source) is refused and counted, never
//! altered; only the body of an HTTP response may lose white space outside its JSON strings.
//! A zstd frame is closed when the caller says so: everything before it survives a killed process
//! once the caller has synced the file.

use std::io::{self, Write};

use gapless_venues::scan::Value;
use zstd::stream::write::Encoder;

use super::{VERSION, base64};
use crate::record::{Record, RecordKind};

/// Why a record cannot be written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedRecord {
    /// The format separates fields by TAB and records by LF.
    #[error("the payload has a TAB or LF, which a capture cannot hold")]
    Payload,
    /// As for the payload.
    #[error("the source has a TAB or LF, which a capture cannot hold")]
    Source,
    /// A receive time before 1970 or none.
    #[error("the receive time is missing or before 1970")]
    Time,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The record cannot be held; the capture is as before.
    #[error(transparent)]
    Refused(#[from] RefusedRecord),
    /// Writing failed; what lies after the last closed frame may be torn.
    #[error("writing the capture failed: {0}")]
    Io(#[from] io::Error),
}

enum Out<W: Write> {
    Plain(W),
    /// The encoder of the open frame; `None` for a moment between two frames.
    Zstd(Option<Encoder<'static, W>>, i32),
}

/// Writer of capture v1.
pub struct Writer<W: Write> {
    out: Out<W>,
    line: Vec<u8>,
    refused: u64,
}

impl<W: Write> Writer<W> {
    /// A capture as plain text.
    pub fn plain(out: W) -> Self {
        Self { out: Out::Plain(out), line: Vec::new(), refused: 0 }
    }

    /// A capture as zstd frames with checksums, at a level of 1 to 19.
    ///
    /// # Errors
    /// No encoder could be made.
    pub fn zstd(out: W, level: i32) -> io::Result<Self> {
        let encoder = Some(encoder(out, level)?);
        Ok(Self { out: Out::Zstd(encoder, level), line: Vec::new(), refused: 0 })
    }

    /// Records refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Writes the metadata line; to be called first. Names are plain words (letters, digits,
    /// spaces, `.`, `_`, `-`); any other character is left out of the line.
    ///
    /// # Errors
    /// Writing failed.
    pub fn meta(&mut self, recv_ns: i64, venue: &str, writer: &str) -> Result<(), WriteError> {
        let clean = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphanumeric() || " ._-".contains(*c)).collect()
        };
        let (venue, writer) = (clean(venue), clean(writer));
        self.line.clear();
        writeln!(
            self.line,
            "{}\tM\t\t{{\"capture\":{VERSION},\"venue\":\"{venue}\",\"writer\":\"{writer}\"}}",
            recv_ns.max(0),
        )?;
        self.put_line()
    }

    /// Writes one record; its line number is not used.
    ///
    /// # Errors
    /// The record cannot be held (it is counted and nothing is written), or writing failed.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), WriteError> {
        self.line.clear();
        if let Err(refused) = lay_out(record, &mut self.line) {
            self.refused += 1;
            return Err(refused.into());
        }
        self.put_line()
    }

    fn put_line(&mut self) -> Result<(), WriteError> {
        match &mut self.out {
            Out::Plain(out) => out.write_all(&self.line)?,
            Out::Zstd(encoder, _) => {
                encoder.as_mut().ok_or_else(broken)?.write_all(&self.line)?;
            }
        }
        Ok(())
    }

    /// Closes the zstd frame and opens the next, and flushes: what was written so far can be read
    /// back whatever happens next. Plain text is only flushed.
    ///
    /// # Errors
    /// Writing failed; a zstd writer is then of no more use.
    pub fn close_frame(&mut self) -> Result<(), WriteError> {
        match &mut self.out {
            Out::Plain(out) => out.flush()?,
            Out::Zstd(slot, level) => {
                let done = slot.take().ok_or_else(broken)?;
                let mut out = done.finish()?;
                out.flush()?;
                *slot = Some(encoder(out, *level)?);
            }
        }
        Ok(())
    }

    /// Closes the last frame and gives the stream back.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(self) -> Result<W, WriteError> {
        let mut out = match self.out {
            Out::Plain(out) => out,
            Out::Zstd(encoder, _) => encoder.ok_or_else(broken)?.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

fn encoder<W: Write>(out: W, level: i32) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

fn broken() -> io::Error {
    io::Error::other("an earlier frame of the capture could not be closed")
}

fn lay_out(record: &Record<'_>, line: &mut Vec<u8>) -> Result<(), RefusedRecord> {
    let source = record.source.as_bytes();
    if record.recv_ns < 0 {
        return Err(RefusedRecord::Time);
    }
    if has_separator(source) {
        return Err(RefusedRecord::Source);
    }
    // Writing to a Vec cannot fail.
    let _ = write!(line, "{}\t", record.recv_ns);
    line.extend_from_slice(&[record.kind.letter(), b'\t']);
    line.extend_from_slice(source);
    line.push(b'\t');
    match record.kind {
        RecordKind::Binary => base64::encode(record.payload, line),
        _ if !has_separator(record.payload) => line.extend_from_slice(record.payload),
        RecordKind::Http => compact(record.payload, line)?,
        _ => return Err(RefusedRecord::Payload),
    }
    line.push(b'\n');
    Ok(())
}

fn has_separator(bytes: &[u8]) -> bool {
    memchr::memchr2(b'\t', b'\n', bytes).is_some()
}

/// Copies a JSON text without the white space outside its strings. A body that is not JSON, or
/// has a TAB or LF inside a string, cannot be held.
fn compact(body: &[u8], line: &mut Vec<u8>) -> Result<(), RefusedRecord> {
    Value::frame(body).map_err(|_| RefusedRecord::Payload)?;
    let (mut in_string, mut escaped) = (false, false);
    for byte in body.iter().copied() {
        if !in_string && byte.is_ascii_whitespace() {
            continue;
        }
        line.push(byte);
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: RecordKind, payload: &[u8]) -> Record<'_> {
        Record { recv_ns: 7, kind, source: "ws", payload, line: 0 }
    }

    #[test]
    fn what_a_capture_cannot_hold_is_refused_and_leaves_no_trace() {
        let mut writer = Writer::plain(Vec::new());
        for payload in [b"a\tb".as_slice(), b"a\nb"] {
            let refused = writer.record(&record(RecordKind::Frame, payload)).unwrap_err();
            assert!(matches!(refused, WriteError::Refused(RefusedRecord::Payload)));
        }
        let source = Record { source: "a\tb", ..record(RecordKind::Frame, b"") };
        assert!(writer.record(&source).is_err());
        let time = Record { recv_ns: -1, ..record(RecordKind::Frame, b"") };
        assert!(writer.record(&time).is_err());
        assert_eq!(writer.refused(), 4);
        assert_eq!(writer.finish().unwrap(), b"");
    }

    #[test]
    fn a_rest_body_loses_white_space_outside_strings_only() {
        let mut writer = Writer::plain(Vec::new());
        let body = b"{\n\t\"a b\" : \"c \\\" d\",\n \"e\": [1, 2]\r\n}";
        writer.record(&record(RecordKind::Http, body)).unwrap();
        // Without a TAB or LF it stays as it is.
        writer.record(&record(RecordKind::Http, b"{\"a\": 1}")).unwrap();
        let refused = writer.record(&record(RecordKind::Http, b"<html>\n</html>"));
        assert!(refused.is_err());
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        let expected = "7\tH\tws\t{\"a b\":\"c \\\" d\",\"e\":[1,2]}\n7\tH\tws\t{\"a\": 1}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn closed_frames_survive_a_cut() {
        let mut writer = Writer::zstd(Vec::new(), 1).unwrap();
        writer.record(&record(RecordKind::Frame, b"one")).unwrap();
        writer.close_frame().unwrap();
        writer.record(&record(RecordKind::Frame, b"two")).unwrap();
        let mut bytes = writer.finish().unwrap();
        bytes.pop();
        let mut decoder = zstd::stream::read::Decoder::new(bytes.as_slice()).unwrap();
        let mut text = Vec::new();
        assert!(io::Read::read_to_end(&mut decoder, &mut text).is_err());
        assert!(text.starts_with(b"7\tR\tws\tone\n"));
    }
}
