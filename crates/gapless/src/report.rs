//! What a book amounts to, for people and programs: name, state, best prices, hash.

use gapless_book::book::Book;
use gapless_book::decimal::Decimal;
use gapless_book::event::{Level, Side};
use gapless_book::lines::{LineNo, LineStats, Lines};
use gapless_book::local::{Counters, Integrity, LocalBook, Reason, State};
use gapless_venues::books::BookEntry;
use gapless_venues::instruments::Instrument;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::venue::Market;
use sha2::{Digest, Sha256};
use std::fmt;

/// A book of a replay or of a feed.
#[derive(Clone, Copy, Debug)]
pub struct BookReport<'a> {
    input: &'a str,
    source: &'a str,
    speaker: VenueId,
    /// What the entry's exchange means to the speaker.
    of: Option<(VenueId, Market)>,
    entry: &'a BookEntry,
}

/// What tells whose an instrument is.
struct Whose<'a> {
    speaker: VenueId,
    exchange: &'a str,
    /// What the exchange means to the speaker.
    of: Option<(VenueId, Market)>,
    known: Market,
}

impl Whose<'_> {
    fn venue(&self) -> String {
        let own = self.speaker.name();
        match self.of {
            _ if self.exchange.is_empty() => own.to_owned(),
            Some((venue, _)) => venue.name().to_owned(),
            None => format!("{own}:{}", self.exchange),
        }
    }

    fn market(&self) -> Market {
        if self.known != Market::Unknown {
            return self.known;
        }
        self.of.map_or(Market::Unknown, |(_, market)| market)
    }

    fn name(&self, symbol: &str) -> String {
        let (venue, market) = (self.venue(), self.market());
        let of = self.of.map_or(self.speaker, |(venue, _)| venue);
        if of.names_market() && market != Market::Unknown {
            return format!("{venue}.{}:{symbol}", market.name());
        }
        format!("{venue}:{symbol}")
    }
}

/// `venue[.market]:SYMBOL` of an instrument of a connection.
pub(crate) fn name(session: &AnySession, exchange: &str, symbol: &str) -> String {
    let (speaker, of, known) =
        (session.venue(), session.venue_of(exchange), session.market_of(symbol));
    Whose { speaker, exchange, of, known }.name(symbol)
}

/// A [`BookReport`] that keeps its book, as it was.
#[derive(Clone, Debug)]
pub struct OwnedReport {
    input: String,
    source: String,
    speaker: VenueId,
    of: Option<(VenueId, Market)>,
    entry: BookEntry,
}

impl OwnedReport {
    pub(crate) fn of(report: &BookReport<'_>) -> Self {
        let BookReport { input, source, speaker, of, entry } = *report;
        let (input, source) = (input.to_owned(), source.to_owned());
        Self { input, source, speaker, of, entry: entry.clone() }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn report(&self) -> BookReport<'_> {
        let Self { input, source, speaker, of, entry } = self;
        BookReport { input, source, speaker: *speaker, of: *of, entry }
    }
}

impl<'a> BookReport<'a> {
    pub(crate) fn new(
        input: &'a str,
        source: &'a str,
        session: &AnySession,
        entry: &'a BookEntry,
    ) -> Self {
        let of = session.venue_of(&entry.exchange);
        Self { input, source, speaker: session.venue(), of, entry }
    }

    /// The book itself.
    #[must_use]
    pub const fn local(&self) -> &'a LocalBook {
        &self.entry.local
    }

    /// File that it was read from, or name of the live source.
    #[must_use]
    pub const fn file(&self) -> &'a str {
        self.input
    }

    /// Name of the connection; of a live one its address, without keys.
    #[must_use]
    pub const fn source(&self) -> &'a str {
        self.source
    }

    /// Venue; a foreign exchange id is kept as `tardis:ID`.
    #[must_use]
    pub fn venue(&self) -> String {
        self.whose().venue()
    }

    /// Market.
    #[must_use]
    pub fn market(&self) -> Market {
        self.whose().market()
    }

    /// `venue[.market]:SYMBOL`.
    #[must_use]
    pub fn name(&self) -> String {
        self.whose().name(&self.entry.symbol)
    }

    fn whose(&self) -> Whose<'a> {
        let (exchange, known) = (self.entry.exchange.as_str(), self.entry.market);
        Whose { speaker: self.speaker, exchange, of: self.of, known }
    }

    /// What the venue's list says of its instrument, where one was given
    /// ([`Choices::instruments`](crate::Choices::instruments)) and has it: tick, lot, contract
    /// value, kind, status.
    #[must_use]
    pub fn instrument(&self) -> Option<&'a Instrument> {
        self.entry.instrument()
    }

    /// What each line did; empty where lines are not merged.
    pub fn lines(&self) -> impl Iterator<Item = (LineNo, &'a LineStats)> {
        self.entry.lines().into_iter().flat_map(Lines::stats)
    }

    /// Native symbol.
    #[must_use]
    pub fn symbol(&self) -> &'a str {
        &self.entry.symbol
    }

    /// Channel without the symbol.
    #[must_use]
    pub fn channel(&self) -> &'a str {
        &self.entry.channel
    }

    /// State at the last frame.
    #[must_use]
    pub fn state(&self) -> State {
        self.entry.local.state().0
    }

    /// Why it is not live.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.entry.local.state().1
    }

    /// How well continuity is proven.
    #[must_use]
    pub fn integrity(&self) -> Integrity {
        self.entry.local.integrity()
    }

    /// What happened.
    #[must_use]
    pub fn counters(&self) -> &'a Counters {
        self.entry.local.counters()
    }

    /// The book as it was when it was last live; `None` if it never was.
    #[must_use]
    pub fn book(&self) -> Option<&'a Book> {
        self.entry.local.last_live().map(|(book, _)| book)
    }

    /// Number of that book.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        self.entry.local.last_live().and_then(|(_, seq)| seq)
    }

    /// Highest bid of that book: price and size.
    #[must_use]
    pub fn best_bid(&self) -> Option<(Decimal, Decimal)> {
        self.best(Side::Bid)
    }

    /// Lowest ask of that book: price and size.
    #[must_use]
    pub fn best_ask(&self) -> Option<(Decimal, Decimal)> {
        self.best(Side::Ask)
    }

    fn best(&self, side: Side) -> Option<(Decimal, Decimal)> {
        let book = self.book()?;
        book.side(side).best().map(|level: Level| book.decimals(level))
    }

    /// Levels of a side of that book.
    #[must_use]
    pub fn levels(&self, side: Side) -> usize {
        self.book().map_or(0, |book| book.side(side).len())
    }
}

/// SHA-256 of a book's canonical text (capture.md), in lower-case hexadecimal.
#[must_use]
pub fn book_sha256(book: &Book) -> String {
    struct Hash(Sha256);
    impl fmt::Write for Hash {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hash = Hash(Sha256::new());
    // Hashing cannot fail.
    let _ = book.write_canonical(&mut hash);
    hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
