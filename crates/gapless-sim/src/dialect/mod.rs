//! How each venue says what the market did.
//!
//! A dialect turns [`Activity`] into the venue's own frames with the venue's own sequence
//! semantics, and keeps an *image* per book: what a client that applied every frame must hold.
//! Invariant: the image changes only together with a frame that says so. Frames carry the time at
//! which the venue sent them; [`crate::recording`] adds the way to the recorder.

pub mod binance;
pub mod bybit;
pub mod deribit;
pub(crate) mod image;
pub(crate) mod json;
pub mod okx;
pub mod tardis;

use crate::book::Book;
use crate::market::{Activity, Market};

/// Kind of a capture line (`docs/capture.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `C`: connection opened; the payload is the URL.
    Open,
    /// `S`: text frame sent by the client.
    Sent,
    /// `R`: text frame received.
    Received,
    /// `H`: body of an HTTP response; the source is the URL.
    Http,
}

impl Kind {
    /// The letter of the capture format.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Open => 'C',
            Self::Sent => 'S',
            Self::Received => 'R',
            Self::Http => 'H',
        }
    }
}

/// One thing that passed over a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the venue (or, for `Sent`, the client) sent it, nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// What it is.
    pub kind: Kind,
    /// Connection name, or URL of an HTTP response.
    pub source: String,
    /// The bytes; no TAB, no LF.
    pub payload: String,
    /// Index of the symbol whose **book** this frame changes, if it is a delta.
    pub delta_of: Option<usize>,
}

impl Frame {
    /// A frame of a connection.
    #[must_use]
    pub fn new(at_ns: u64, kind: Kind, source: &str, payload: impl Into<String>) -> Self {
        Self { at_ns, kind, source: source.to_owned(), payload: payload.into(), delta_of: None }
    }

    fn received(at_ns: u64, source: &str, payload: String) -> Self {
        Self::new(at_ns, Kind::Received, source, payload)
    }

    fn delta(at_ns: u64, source: &str, payload: String, symbol: usize) -> Self {
        Self { delta_of: Some(symbol), ..Self::received(at_ns, source, payload) }
    }
}

/// Names of a book as replay prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookName {
    /// `binance_usdm`, `okx`, …
    pub venue: &'static str,
    /// `spot`, `linear`, `inverse`, `option` or `unknown`.
    pub market: &'static str,
    /// The venue's name without the symbol (`depth`, `orderbook.50`, `books`).
    pub channel: String,
    /// Connection on which the book's deltas come.
    pub source: String,
    /// The venue's own symbol.
    pub symbol: String,
}

impl BookName {
    /// `venue:SYMBOL`, with the market where a venue gives one symbol to several markets.
    #[must_use]
    pub fn key(&self) -> String {
        match self.venue {
            "bybit" => format!("{}.{}:{}", self.venue, self.market, self.symbol),
            _ => format!("{}:{}", self.venue, self.symbol),
        }
    }
}

/// A venue's way of speaking. One value serves the connections of one client.
pub trait Dialect {
    /// How often the venue sends the changes of a book, nanoseconds.
    fn interval_ns(&self) -> u64;

    /// Names of a symbol's book.
    fn book_name(&self, market: &Market, symbol: usize) -> BookName;

    /// Connections opened, subscriptions sent and answered, and the snapshots that come in-stream.
    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>);

    /// What is said at once (trades, liquidations, best bid and ask); book changes are remembered
    /// until [`Dialect::flush`].
    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>);

    /// The changes of one book since the last time; nothing where nothing changed.
    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>);

    /// Mark, index, funding and open interest of a symbol, once a second.
    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>);

    /// Both halves of the venue's heartbeat.
    fn keepalive(&mut self, at_ns: u64, out: &mut Vec<Frame>);

    /// Whether the heartbeat above is a lost connection, after which everything opens again.
    fn reopens_on_keepalive(&self) -> bool {
        false
    }

    /// The answer to a REST request for a book that is bridged over REST; `None` for venues that
    /// send snapshots in-stream. The image starts from it.
    fn rest_snapshot(&mut self, market: &Market, symbol: usize, at_ns: u64) -> Option<Frame>;

    /// What a client that applied every frame holds for a symbol.
    fn image(&self, symbol: usize) -> Option<&Book>;

    /// Sequence of the last frame that changed the image.
    fn sequence(&self, symbol: usize) -> Option<i64>;
}

/// Milliseconds of a nanosecond time.
pub(crate) const fn millis(at_ns: u64) -> u64 {
    at_ns / 1_000_000
}

/// The next settlement of an eight-hour funding, milliseconds.
pub(crate) const fn next_funding_ms(at_ns: u64) -> u64 {
    const EIGHT_HOURS_MS: u64 = 8 * 3_600_000;
    (millis(at_ns) / EIGHT_HOURS_MS + 1) * EIGHT_HOURS_MS
}
