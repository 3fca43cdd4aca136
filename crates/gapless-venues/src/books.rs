//! The books of one connection, found by exchange, channel and symbol.
//!
//! Invariant: an id stays valid for the life of the table; books are added, never removed.

use crate::instruments::{Instrument, Steps};
use crate::venue::Market;
use gapless_book::book::Observer;
use gapless_book::lines::{Arrival, LineNo, LinePolicy, Lines, Loss};
use gapless_book::local::{Demand, LocalBook, Outcome, Reason, State};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Most books of one connection; further symbols are counted as unattributed.
pub const BOOKS_MAX: usize = 16_384;

/// A book of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BookId(pub u32);

/// One book with its name and its needs.
#[derive(Clone, Debug)]
pub struct BookEntry {
    /// Exchange id where the source carries several, else empty.
    pub exchange: String,
    /// Channel without symbol and speed.
    pub channel: String,
    /// Native symbol.
    pub symbol: String,
    /// Market, as far as it is known.
    pub market: Market,
    /// The book itself.
    pub local: LocalBook,
    /// Its lines, where several connections write it.
    pub(crate) lines: Option<Box<Lines>>,
    /// When and what was last asked for, and what is still wanted.
    pub(crate) resync: Resync,
    instrument: Option<Box<Instrument>>,
    pub(crate) steps: Steps,
}

impl BookEntry {
    /// Its lines, where several connections write it ([`Session::set_line`]).
    ///
    /// [`Session::set_line`]: crate::session::Session::set_line
    #[must_use]
    pub fn lines(&self) -> Option<&Lines> {
        self.lines.as_deref()
    }

    /// What the venue's list says of it, where one was given ([`Session::instruments`]).
    ///
    /// [`Session::instruments`]: crate::session::Session::instruments
    #[must_use]
    pub fn instrument(&self) -> Option<&Instrument> {
        self.instrument.as_deref()
    }

    pub(crate) fn set_instrument(&mut self, instrument: Option<&Instrument>) {
        self.steps = Steps::of(instrument);
        self.instrument = instrument.map(|row| Box::new(row.clone()));
    }

    #[inline]
    pub(crate) fn message<O: Observer>(
        &mut self,
        arrival: &Arrival<'_>,
        observer: &mut O,
    ) -> Outcome {
        match &mut self.lines {
            None => {
                let Arrival { message, flags, times, .. } = *arrival;
                self.local.message(message, flags, times, observer)
            }
            Some(lines) => lines.message(&mut self.local, arrival, observer),
        }
    }

    pub(crate) fn disconnect<O: Observer>(&mut self, line: LineNo, observer: &mut O) -> Outcome {
        match &mut self.lines {
            None => self.local.disconnect(),
            Some(lines) => lines.disconnect(&mut self.local, line, observer),
        }
    }

    pub(crate) fn lose<O: Observer>(
        &mut self,
        line: LineNo,
        loss: Loss,
        observer: &mut O,
    ) -> Outcome {
        match (&mut self.lines, loss) {
            (Some(lines), _) => lines.lost(&mut self.local, line, loss, observer),
            (None, Loss::Refused) => self.local.refuse(),
            (None, Loss::Told(reason)) => self.local.invalidate(reason),
        }
    }

    /// Whether nothing is asked for: only its own stream could show better.
    pub(crate) fn is_refused(&self) -> bool {
        let (state, reason) = self.local.state();
        state == State::Failed
            && matches!(reason, Reason::Auth | Reason::Refused | Reason::Delisted)
    }

    /// Whether no connection speaks for this book.
    pub(crate) fn is_down(&self) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.up() == 0)
    }

    /// Whether a connection speaks for this book: it has shown it, or nobody else has.
    pub(crate) fn is_of(&self, line: LineNo) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.is_up(line) || lines.up() == 0)
    }
}

/// Pace of one book's resyncs (protocols.md 0.2 rule 12, 0.6.22): the first at once, the next
/// after 2 s, then twice as long up to 30 s; calm again once it was live that long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resync {
    /// What is wanted and not yet asked for.
    pub wanted: Demand,
    /// Earliest time of the next request.
    not_before_ns: i64,
    /// Requests since the book was last live.
    attempts: u32,
    /// It was live: what is asked for from now on is a resync.
    was_live: bool,
    /// When something was last asked for, or the book first seen to wait; `i64::MAX` = it does not.
    asked_ns: i64,
    /// When a delta first came to a book without a snapshot; `i64::MAX` = none waits.
    pub waiting_since_ns: i64,
}

/// Distance between the first and the second resync.
pub const RESYNC_NS_MIN: i64 = 2_000_000_000;
/// Largest distance between resyncs.
pub const RESYNC_NS_MAX: i64 = 30_000_000_000;

impl Resync {
    const NEW: Self = Self {
        wanted: Demand::None,
        not_before_ns: i64::MIN,
        attempts: 0,
        was_live: false,
        asked_ns: i64::MAX,
        waiting_since_ns: i64::MAX,
    };

    /// The demand to act on now, if any; what is not due stays wanted.
    pub fn due(&mut self, now_ns: i64) -> Demand {
        if self.wanted == Demand::None || now_ns < self.not_before_ns {
            return Demand::None;
        }
        let step = RESYNC_NS_MIN.saturating_mul(1 << self.attempts.min(4)).min(RESYNC_NS_MAX);
        self.not_before_ns = now_ns.saturating_add(step);
        self.attempts += 1;
        self.asked_ns = now_ns;
        core::mem::replace(&mut self.wanted, Demand::None)
    }

    /// What was asked for has not come for so long that it is lost.
    pub fn is_unanswered(&mut self, now_ns: i64) -> bool {
        self.asked_ns = self.asked_ns.min(now_ns);
        self.wanted == Demand::None && now_ns.saturating_sub(self.asked_ns) > RESYNC_NS_MAX
    }

    /// Asked for several times and not live yet.
    pub const fn is_in_vain(&self) -> bool {
        self.attempts >= 4
    }

    /// Nothing is wanted and nothing waited for: its connection has gone, or nobody would answer.
    /// The pace stays.
    pub const fn forget(&mut self) {
        self.wanted = Demand::None;
        self.asked_ns = i64::MAX;
        self.waiting_since_ns = i64::MAX;
    }

    /// The book is live.
    pub fn healed(&mut self) {
        self.wanted = Demand::None;
        self.attempts = 0;
        self.asked_ns = i64::MAX;
        if !self.was_live {
            // The first snapshot was no resync.
            self.was_live = true;
            self.not_before_ns = i64::MIN;
        }
        self.waiting_since_ns = i64::MAX;
    }
}

/// The books of one connection, or of several that write the same ones.
#[derive(Debug, Default)]
pub struct Books {
    entries: Vec<BookEntry>,
    index: HashMap<u64, Vec<BookId>, BuildHasherDefault<AsItIs>>,
    /// How lines are merged, where several connections write these books.
    pub(crate) merge: Option<LinePolicy>,
    pub(crate) unclaimed: Unclaimed,
}

/// REST bodies that came before their books.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    pub bodies: Vec<Body>,
    pub bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Body {
    pub symbol: String,
    pub url: String,
    pub body: Vec<u8>,
}

impl Body {
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.symbol.len() + self.url.len() + self.body.len()
    }
}

impl Books {
    /// Number of books.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A book.
    #[must_use]
    pub fn get(&self, id: BookId) -> Option<&BookEntry> {
        self.entries.get(id.0 as usize)
    }

    /// A book, to feed it.
    pub fn get_mut(&mut self, id: BookId) -> Option<&mut BookEntry> {
        self.entries.get_mut(id.0 as usize)
    }

    /// A connection was opened: what is missing may come by it.
    pub(crate) fn opened(&mut self, line: LineNo) {
        for lines in self.entries.iter_mut().filter_map(|entry| entry.lines.as_mut()) {
            lines.connect(line);
        }
    }

    /// Every book in the order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = (BookId, &BookEntry)> {
        (0u32..).map(BookId).zip(&self.entries)
    }

    /// Finds a book by name.
    #[must_use]
    pub fn find(&self, exchange: &str, channel: &str, symbol: &str) -> Option<BookId> {
        let candidates = self.index.get(&hash(exchange, channel, symbol))?;
        candidates.iter().copied().find(|id| {
            self.get(*id).is_some_and(|entry| {
                entry.exchange == exchange && entry.channel == channel && entry.symbol == symbol
            })
        })
    }

    /// Adds a book; `None` when the table is full.
    pub fn add(
        &mut self,
        exchange: &str,
        channel: &str,
        symbol: &str,
        market: Market,
        local: LocalBook,
    ) -> Option<BookId> {
        if self.entries.len() >= BOOKS_MAX {
            return None;
        }
        let id = BookId(u32::try_from(self.entries.len()).ok()?);
        self.entries.push(BookEntry {
            exchange: exchange.to_owned(),
            channel: channel.to_owned(),
            symbol: symbol.to_owned(),
            market,
            local,
            lines: self.merge.map(|policy| Box::new(Lines::new(policy))),
            resync: Resync::NEW,
            instrument: None,
            steps: Steps::of(None),
        });
        self.index.entry(hash(exchange, channel, symbol)).or_default().push(id);
        Some(id)
    }
}

/// A hash of the three names, eight bytes at a time: no state, the same on every run.
fn hash(exchange: &str, channel: &str, symbol: &str) -> u64 {
    let mut hash = 0u64;
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    };
    for part in [exchange, channel, symbol] {
        let (words, rest) = part.as_bytes().as_chunks();
        words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
        let last = rest.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte));
        // The length tells where one name ends and the next begins.
        mix(last | (part.len() as u64) << 56);
    }
    hash
}

/// Takes a key that is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not what the map's keys come by, but as good a key as any.
        self.0 = bytes.iter().fold(self.0, |key, byte| key.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
