//! A byte stream → its lines, borrowed from one buffer that is reused.
//!
//! Invariant: `buf[start..end]` is the current line, `buf[next..filled]` is what was read after
//! it. The buffer grows to the longest line met and never beyond [`LINE_MAX`]; a longer line is
//! skipped and reported. A stream that is cut or damaged first gives every whole line before the
//! break.

use std::io::Read;

use crate::container::Damage;
use crate::error::{FileName, ReplayError};

/// Longest line accepted, in bytes: Tardis lines may be several MB.
pub const LINE_MAX: usize = 64 * 1024 * 1024;

/// Size of the buffer before any longer line is met.
const BUFFER_START: usize = 256 * 1024;

/// What [`Lines::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A line that ended with LF.
    Whole,
    /// The bytes after the last LF: a line that may be torn.
    Tail,
    /// Nothing more.
    End,
}

/// A compressed stream that ended in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// `gzip` or `zstd`.
    pub container: &'static str,
    /// Packed bytes at its end that gave nothing.
    pub lost: u64,
}

/// Splits a stream at LF.
#[derive(Debug)]
pub struct Lines<R> {
    inner: R,
    name: FileName,
    buf: Vec<u8>,
    filled: usize,
    start: usize,
    end: usize,
    next: usize,
    /// Line number of the current line, from 1.
    number: u64,
    /// Offset of `buf[0]` in the stream.
    base: u64,
    /// The stream gave its last byte.
    ended: bool,
    cut: Option<Cut>,
    /// The current line was looked at by [`Lines::peek`] and is still to be given.
    peeked: Option<Found>,
}

impl<R: Read> Lines<R> {
    /// Lines of `inner`; `name` appears in errors.
    pub fn new(inner: R, name: FileName) -> Self {
        Self {
            inner,
            name,
            buf: vec![0; BUFFER_START],
            filled: 0,
            start: 0,
            end: 0,
            next: 0,
            number: 0,
            base: 0,
            ended: false,
            cut: None,
            peeked: None,
        }
    }

    /// Name of the input.
    #[must_use]
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// The current line without its LF.
    #[must_use]
    #[inline]
    pub fn line(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or(&[])
    }

    /// Its number, from 1; 0 before the first.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its offset in the unpacked stream.
    #[must_use]
    pub fn byte(&self) -> u64 {
        self.base + self.start as u64
    }

    /// How the compressed stream was cut, if it was. Known only after [`Found::Tail`] or
    /// [`Found::End`].
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// An error about the current line.
    #[must_use]
    pub fn bad(&self, what: &'static str, fix: &'static str) -> ReplayError {
        let (line, byte) = (self.number, self.byte());
        ReplayError::BadLine { file: self.name.clone(), line, byte, what, fix }
    }

    /// Goes to the next line.
    ///
    /// # Errors
    /// A line beyond [`LINE_MAX`] (skipped; go on), a damaged stream or failing disk (the end).
    #[inline]
    pub fn advance(&mut self) -> Result<Found, ReplayError> {
        if let Some(found) = self.peeked.take() {
            return Ok(found);
        }
        let unread = self.buf.get(self.next..self.filled).unwrap_or(&[]);
        match memchr::memchr(b'\n', unread) {
            Some(length) => Ok(self.take(length, 1)),
            None => self.advance_by_reading(),
        }
    }

    /// Goes to the next line, but gives it again at the next [`Lines::advance`].
    ///
    /// # Errors
    /// As [`Lines::advance`].
    pub fn peek(&mut self) -> Result<Found, ReplayError> {
        let found = self.advance()?;
        self.peeked = Some(found);
        Ok(found)
    }

    /// The bytes that were read behind the current line: the beginning of the next lines, for a
    /// reader that can take several at once. Empty after a [`Lines::peek`].
    #[must_use]
    #[inline]
    pub fn ahead(&self) -> &[u8] {
        match self.peeked {
            None => self.buf.get(self.next..self.filled).unwrap_or(&[]),
            Some(_) => &[],
        }
    }

    /// Takes whole lines off [`Lines::ahead`]: `bytes` with the LF of the last. The current line
    /// is then the empty end of them.
    #[inline]
    pub fn take_ahead(&mut self, bytes: usize, lines: u64) {
        self.next = (self.next + bytes).min(self.filled);
        (self.start, self.end) = (self.next, self.next);
        self.number += lines;
    }

    /// Makes the next `length` bytes the current line; `terminator` bytes follow it.
    fn take(&mut self, length: usize, terminator: usize) -> Found {
        self.start = self.next;
        self.end = self.next + length;
        self.next = self.end + terminator;
        self.number += 1;
        Found::Whole
    }

    #[cold]
    fn advance_by_reading(&mut self) -> Result<Found, ReplayError> {
        let mut searched = self.filled - self.next;
        loop {
            if self.filled - self.next > LINE_MAX {
                return self.skip_line();
            }
            if self.ended || self.fill()? == 0 {
                return Ok(self.tail());
            }
            let unread = self.buf.get(self.next + searched..self.filled).unwrap_or(&[]);
            if let Some(at) = memchr::memchr(b'\n', unread) {
                return Ok(self.take(searched + at, 1));
            }
            searched = self.filled - self.next;
        }
    }

    fn tail(&mut self) -> Found {
        let length = self.filled - self.next;
        if length == 0 {
            (self.start, self.end) = (self.filled, self.filled);
            return Found::End;
        }
        self.take(length, 0);
        Found::Tail
    }

    /// Reads more behind what is unread; 0 at the end of the stream.
    fn fill(&mut self) -> Result<usize, ReplayError> {
        if self.next > 0 {
            self.buf.copy_within(self.next..self.filled, 0);
            self.base += self.next as u64;
            self.filled -= self.next;
            (self.start, self.end, self.next) = (0, 0, 0);
        }
        if self.filled == self.buf.len() {
            // One byte more than the limit, so that a line of exactly the limit has its LF.
            let doubled = self.buf.len().saturating_mul(2).min(LINE_MAX + 1);
            self.buf.resize(doubled.max(self.filled + 1), 0);
        }
        loop {
            let room = self.buf.get_mut(self.filled..).unwrap_or(&mut []);
            match self.inner.read(room) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(0);
                }
                Ok(count) => {
                    self.filled += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return self.broken(error),
            }
        }
    }

    fn broken(&mut self, error: std::io::Error) -> Result<usize, ReplayError> {
        self.ended = true;
        let (file, byte) = (self.name.clone(), self.base + self.filled as u64);
        match Damage::of(&error) {
            Some(Damage::Cut { container, lost }) => {
                self.cut = Some(Cut { container, lost });
                Ok(0)
            }
            Some(Damage::Corrupt { container }) => {
                self.filled = self.next;
                Err(ReplayError::Corrupt { file, container, byte, error })
            }
            None => {
                self.filled = self.next;
                Err(ReplayError::Unreadable { file, error })
            }
        }
    }

    /// Drops a line that is too long, up to and with its LF.
    fn skip_line(&mut self) -> Result<Found, ReplayError> {
        self.take(0, 0);
        let byte = self.byte();
        loop {
            self.next = self.filled;
            if self.ended || self.fill()? == 0 {
                break;
            }
            let read = self.buf.get(..self.filled).unwrap_or(&[]);
            if let Some(at) = memchr::memchr(b'\n', read) {
                self.next = at + 1;
                break;
            }
        }
        let (file, line) = (self.name.clone(), self.number);
        Err(ReplayError::LineTooLong { file, line, byte, max: LINE_MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn collect(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut lines = Lines::new(Cursor::new(bytes.to_vec()), FileName::new("f"));
        let (mut whole, mut tail) = (Vec::new(), None);
        loop {
            match lines.advance().unwrap() {
                Found::Whole => whole.push(lines.line().to_vec()),
                Found::Tail => tail = Some(lines.line().to_vec()),
                Found::End => return (whole, tail),
            }
        }
    }

    #[test]
    fn lines_are_split_at_lf_and_the_rest_is_a_tail() {
        assert_eq!(collect(b""), (vec![], None));
        assert_eq!(collect(b"\n"), (vec![b"".to_vec()], None));
        assert_eq!(collect(b"a\n\nbc"), (vec![b"a".to_vec(), b"".to_vec()], Some(b"bc".to_vec())));
    }

    #[test]
    fn a_line_longer_than_the_buffer_comes_whole() {
        let mut bytes = vec![b'x'; BUFFER_START * 3 + 7];
        bytes.push(b'\n');
        bytes.extend_from_slice(b"next\n");
        let (whole, tail) = collect(&bytes);
        assert_eq!(
            (whole[0].len(), whole[1].as_slice()),
            (BUFFER_START * 3 + 7, b"next".as_slice())
        );
        assert_eq!(tail, None);
    }

    /// `count` bytes of `x`, then a text, without holding them in memory.
    fn long(count: usize, rest: &'static [u8]) -> Lines<impl Read> {
        let xs = std::io::repeat(b'x').take(count as u64);
        Lines::new(xs.chain(Cursor::new(rest)), FileName::new("f"))
    }

    #[test]
    fn the_line_limit_holds_at_the_limit_and_one_beyond() {
        let mut lines = long(LINE_MAX, b"\nnext\n");
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!(lines.line().len(), LINE_MAX);
        let mut lines = long(LINE_MAX + 1, b"\nnext\n");
        let error = lines.advance().unwrap_err();
        assert!(matches!(error, ReplayError::LineTooLong { line: 1, byte: 0, .. }), "{error}");
        assert!(!error.is_fatal());
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!((lines.line(), lines.number()), (b"next".as_slice(), 2));
        assert_eq!(lines.advance().unwrap(), Found::End);
    }

    #[test]
    fn lines_taken_ahead_are_counted_and_not_given_again() {
        let mut lines = Lines::new(Cursor::new(b"a\nb\nc\nd\n".to_vec()), FileName::new("f"));
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!(lines.ahead(), b"b\nc\nd\n");
        lines.take_ahead(4, 2);
        assert_eq!(lines.number(), 3);
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!((lines.line(), lines.number(), lines.byte()), (b"d".as_slice(), 4, 6));
    }

    #[test]
    fn a_peeked_line_is_given_again() {
        let mut lines = Lines::new(Cursor::new(b"a\nb\n".to_vec()), FileName::new("f"));
        assert_eq!(lines.peek().unwrap(), Found::Whole);
        assert_eq!((lines.line(), lines.number()), (b"a".as_slice(), 1));
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!((lines.line(), lines.number()), (b"a".as_slice(), 1));
        assert_eq!(lines.advance().unwrap(), Found::Whole);
        assert_eq!((lines.line(), lines.byte()), (b"b".as_slice(), 2));
    }
}
