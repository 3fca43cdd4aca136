//! One book in hand: raw frames of a connection in, verdicts out.
//!
//! The caller owns the connection, or has none: frames come from a socket, a file or a test. What
//! decides is the session that live feeds and replay use too.

use gapless_book::local::{LocalBook, Outcome};
use gapless_book::sequence::Verdict;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::{Handler, SessionConfig};
use gapless_venues::wire::{Reject, WireError};

/// What a frame did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It carried nothing of the book.
    Other,
    /// The sequencer decided so on its last message of the book.
    Book(Verdict),
    /// It could not be read; where it may have been the book's, the book is not live.
    Refused(WireError),
}

impl Applied {
    /// Short stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Refused(_) => "refused",
            Self::Book(verdict) => match verdict {
                Verdict::Apply { .. } => "apply",
                Verdict::Replace => "replace",
                Verdict::Heartbeat => "heartbeat",
                Verdict::Stale => "stale",
                Verdict::Hold => "hold",
                Verdict::Ignore => "ignore",
                Verdict::Backwards => "backwards",
                Verdict::Gap { .. } => "gap",
                Verdict::SnapshotTooOld => "snapshot_too_old",
                Verdict::Restart => "restart",
            },
        }
    }
}

/// The book of one symbol, fed with the frames of its connection.
///
/// Frames of other symbols are read and passed over, so that a whole connection may be fed.
#[derive(Debug)]
pub struct FrameBook {
    session: AnySession,
    symbol: String,
    channel: Option<String>,
    watch: Watch,
}

/// Learns which of the session's books is meant, and what last happened to it.
#[derive(Debug, Default)]
struct Watch {
    symbol: String,
    channel: Option<String>,
    book: Option<BookId>,
    applied: Option<Verdict>,
    refused: Option<WireError>,
}

impl Handler for Watch {
    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        if self.book.is_none() {
            let channel = self.channel.as_ref().is_none_or(|channel| *channel == book.channel);
            self.book = (channel && self.symbol == book.symbol).then_some(id);
        }
        if self.book == Some(id) {
            self.applied = Some(outcome.verdict);
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.refused = self.refused.or(Some(reject.error));
    }
}

impl FrameBook {
    /// A book that waits for its first snapshot. `symbol` is the venue's own; `channel` says which
    /// of its books is meant, else it is the first that a frame shows.
    #[must_use]
    pub fn new(venue: VenueId, symbol: &str, channel: Option<&str>, config: SessionConfig) -> Self {
        let mut session = venue.session(config);
        session.only(&[symbol.to_owned()]);
        let channel = channel.map(str::to_owned);
        let watch =
            Watch { symbol: symbol.to_owned(), channel: channel.clone(), ..Watch::default() };
        Self { session, symbol: symbol.to_owned(), channel, watch }
    }

    /// Venue.
    #[must_use]
    pub const fn venue(&self) -> VenueId {
        self.session.venue()
    }

    /// Native symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Channel of the book, once it is known.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.entry().map(|entry| entry.channel.as_str()).or(self.channel.as_deref())
    }

    /// Reads one frame as it came from the socket. A frame on a closed connection opens it anew.
    pub fn apply(&mut self, recv_ns: i64, frame: &[u8]) -> Applied {
        if !self.session.is_open() {
            self.session.connect("", &mut self.watch);
        }
        self.begin();
        self.session.bytes(recv_ns, frame, &mut self.watch);
        self.end()
    }

    /// Reads the body of a REST snapshot that the caller fetched from `url`, of which path and
    /// query are enough; bodies that name no symbol are that of the query.
    pub fn snapshot(&mut self, recv_ns: i64, url: &str, body: &[u8]) -> Applied {
        if !self.session.is_open() {
            self.session.connect("", &mut self.watch);
        }
        self.begin();
        self.session.rest(recv_ns, url, body, &mut self.watch);
        self.end()
    }

    /// The connection was lost: the book is not live until a snapshot of the next one.
    pub fn disconnect(&mut self) {
        self.session.disconnect(&mut self.watch);
    }

    /// The book; `None` until a frame of it came.
    #[must_use]
    pub fn local(&self) -> Option<&LocalBook> {
        self.entry().map(|entry| &entry.local)
    }

    fn entry(&self) -> Option<&BookEntry> {
        self.session.books().get(self.watch.book?)
    }

    const fn begin(&mut self) {
        self.watch.applied = None;
        self.watch.refused = None;
    }

    fn end(&self) -> Applied {
        match (self.watch.refused, self.watch.applied) {
            (Some(error), _) => Applied::Refused(error),
            (None, Some(verdict)) => Applied::Book(verdict),
            (None, None) => Applied::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gapless_book::local::State;

    const SNAPSHOT: &[u8] = br#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1,"data":{"s":"BTCUSDT","b":[["100.0","2"]],"a":[["100.5","3"]],"u":7,"seq":1},"cts":1}"#;
    const DELTA: &[u8] = br#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":2,"data":{"s":"BTCUSDT","b":[["100.0","0"],["99.5","1"]],"a":[],"u":8,"seq":2},"cts":2}"#;

    fn fed() -> FrameBook {
        let venue = VenueId::from_name("bybit").unwrap();
        let mut book = FrameBook::new(venue, "BTCUSDT", None, SessionConfig::replay());
        assert_eq!(book.apply(1, SNAPSHOT).name(), "replace");
        book
    }

    #[test]
    fn frames_become_a_book_and_a_missing_one_is_a_gap() {
        let mut book = fed();
        assert_eq!(book.apply(2, DELTA).name(), "apply");
        let best = book.local().and_then(LocalBook::live).and_then(|book| book.best_bid());
        assert_eq!(best.map(|level| level.qty), Some(1));
        let later = String::from_utf8_lossy(DELTA).replace("\"u\":8", "\"u\":12");
        let gap = book.apply(3, later.as_bytes());
        assert_eq!(gap, Applied::Book(Verdict::Gap { expected: 9, got: 12 }));
        assert_eq!(book.local().map(|local| local.state().0), Some(State::Syncing));
    }

    #[test]
    fn another_symbol_is_passed_over_and_garbage_is_told_with_its_place() {
        let mut book = fed();
        let other = String::from_utf8_lossy(SNAPSHOT).replace("BTCUSDT", "ETHUSDT");
        assert_eq!(book.apply(2, other.as_bytes()), Applied::Other);
        assert!(matches!(book.apply(3, b"{\"topic\":"), Applied::Refused(error) if error.at > 0));
    }

    #[test]
    fn after_a_lost_connection_the_next_frame_opens_a_new_one() {
        let mut book = fed();
        book.disconnect();
        assert_eq!(book.local().map(|local| local.state().0), Some(State::Syncing));
        assert_eq!(book.apply(4, SNAPSHOT).name(), "replace");
        assert_eq!(book.local().map(|local| local.state().0), Some(State::Live));
    }
}
