//! The unit that readers give: one received thing, borrowed from the reader's buffer.

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A connection was opened; the payload is its URL, or empty (`C`).
    Open,
    /// A text frame that the client sent (`S`).
    Sent,
    /// A received text frame (`R`, a Tardis line, a normalized or relay line).
    Frame,
    /// A received binary frame, decoded from its base64 (`B`).
    Binary,
    /// The body of an HTTP response; the source is the request's URL (`H`).
    Http,
    /// A connection ended, or a recorder lost its source: nothing that was known about the
    /// sequence of `source` holds any more. The payload is the reason, or empty (`D`).
    Disconnect,
}

impl RecordKind {
    /// The letter of the kind in a capture.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Open => b'C',
            Self::Sent => b'S',
            Self::Frame => b'R',
            Self::Binary => b'B',
            Self::Http => b'H',
            Self::Disconnect => b'D',
        }
    }
}

/// One record. It borrows from the reader and lives until the reader advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Receive time, ns since the Unix epoch; `gapless_book::event::NO_TIME` = not recorded.
    pub recv_ns: i64,
    /// What it is.
    pub kind: RecordKind,
    /// Name of the connection, or the URL of an HTTP request.
    pub source: &'a str,
    /// The bytes as they were on the wire.
    pub payload: &'a [u8],
    /// Number of the line, from 1.
    pub line: u64,
}

/// What a reader met on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records given.
    pub records: u64,
    /// Whole lines read, empty ones and headers included.
    pub lines: u64,
    /// Lines of a kind that is not known; skipped.
    pub unknown_kinds: u64,
    /// Records whose receive time lies before the one above them; given in file order.
    pub steps_back: u64,
    /// Lines whose receive time could not be read; given without one.
    pub bad_times: u64,
    /// Bytes lost at the torn end: the unpacked bytes after the last whole line, and, where the
    /// compressed stream itself is cut, the packed bytes that gave nothing.
    pub torn_bytes: u64,
    /// Compressed streams that end before their end: what followed is not known.
    pub cut_streams: u64,
}

impl Stats {
    /// Counts a record received at `recv_ns` after one at `last_ns`.
    pub(crate) fn count(&mut self, last_ns: &mut i64, recv_ns: i64) {
        self.records += 1;
        if recv_ns == gapless_book::event::NO_TIME {
            return;
        }
        if recv_ns < *last_ns {
            self.steps_back += 1;
        }
        *last_ns = recv_ns;
    }
}
