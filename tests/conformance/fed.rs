//! One connection under test: a session, and everything that it told its handler since it was
//! last asked to forget.
#![allow(dead_code, reason = "each file of rows uses its part")]

use gapless_book::book::Change;
use gapless_book::decimal::Decimal;
use gapless_book::event::{Event, Flags, Level, Side};
use gapless_book::local::{Counters, LocalBook, Outcome, State, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::instruments::GridError;
use gapless_venues::session::{Action, Handler, Session, SessionConfig};
use gapless_venues::venue::Venue;
use gapless_venues::wire::Reject;

/// What the handler was told since the last [`Line::forget`].
#[derive(Debug, Default)]
pub struct Told {
    /// Kinds, channels and symbols of events with their flags.
    pub events: Vec<(String, Flags)>,
    /// Raw events as the caller's formatter wrote them.
    pub detail: Vec<String>,
    /// Changed levels.
    pub levels: Vec<(Side, Level, Change)>,
    /// What messages did.
    pub outcomes: Vec<Outcome>,
    /// Values off the grid, and whose.
    pub off_grid: Vec<String>,
    /// What was asked for.
    pub actions: Vec<String>,
    /// What was refused.
    pub rejects: Vec<String>,
    /// Messages that no book could be found for.
    pub unattributed: usize,
}

impl Handler for Told {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        let (kind, channel, symbol) = (event.kind().name(), event.channel, event.symbol);
        let text = format!("{kind} {channel} {symbol}");
        self.events.push((text.trim_end().to_owned(), event.flags));
        self.detail.push(format!("{:?} {:?}", event.times, event.body));
    }

    fn level(&mut self, _: BookId, side: Side, level: Level, change: Change) {
        self.levels.push((side, level, change));
    }

    fn book(&mut self, _: BookId, _: &BookEntry, outcome: &Outcome) {
        self.outcomes.push(*outcome);
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        let (name, channel) = (reject.error.kind.name(), reject.channel);
        self.rejects.push(format!("{name} {channel} {}", reject.symbol));
    }

    fn off_grid(&mut self, _: BookId, book: &BookEntry, error: &GridError) {
        self.off_grid.push(format!("{}: {error}", book.symbol));
    }

    fn unattributed(&mut self, _: &Event<'_>) {
        self.unattributed += 1;
    }

    fn action(&mut self, action: &Action<'_>) {
        self.actions.push(match action {
            Action::Fetch(id) => format!("fetch {}", id.0),
            Action::Resubscribe(id) => format!("resubscribe {}", id.0),
            Action::Repeat { book, from, to } => format!("repeat {} {from}..{to}", book.0),
            Action::RepeatNotice(notice) => format!("repeat notice {notice}"),
            Action::Send(text) => format!("send {text}"),
            Action::Replace => "replace".to_owned(),
            Action::Reconnect => "reconnect".to_owned(),
            Action::SubscribeFailed(topic) => format!("failed {topic}"),
            Action::Acked(id) => format!("acked {id}"),
            Action::Refused { id, code, message } => format!("refused {id} {code} {message}"),
            _ => "an action that this test does not know".to_owned(),
        });
    }
}

/// A connection that is fed by hand; every call takes a millisecond.
#[derive(Debug)]
pub struct Line<V> {
    /// The session.
    pub session: Session<V>,
    /// What it told.
    pub told: Told,
    /// Receive time of the next call.
    pub now_ns: i64,
}

impl<V: Venue> Line<V> {
    /// A live connection to `url`.
    pub fn live(venue: V, url: &str) -> Self {
        Self::with(venue, SessionConfig::live(), url)
    }

    /// A connection of a recording.
    pub fn recorded(venue: V, url: &str) -> Self {
        Self::with(venue, SessionConfig::replay(), url)
    }

    fn with(venue: V, config: SessionConfig, url: &str) -> Self {
        let session = Session::new(venue, config);
        let mut line = Self { session, told: Told::default(), now_ns: 1_763_600_000_000_000_000 };
        line.session.connect(url, &mut line.told);
        line
    }

    fn step(&mut self) -> i64 {
        self.now_ns += 1_000_000;
        self.now_ns
    }

    /// A frame of the socket.
    pub fn frame(&mut self, frame: &str) -> &mut Self {
        let now = self.step();
        self.session.bytes(now, frame.as_bytes(), &mut self.told);
        self
    }

    /// An answer of the HTTP side.
    pub fn rest(&mut self, url: &str, body: &str) -> &mut Self {
        let now = self.step();
        self.session.rest(now, url, body.as_bytes(), &mut self.told);
        self
    }

    /// A frame that the client sent.
    pub fn sent(&mut self, text: &str) -> &mut Self {
        let now = self.step();
        self.session.sent(now, text);
        self
    }

    /// So much time passes.
    pub fn wait_ms(&mut self, ms: i64) -> &mut Self {
        self.now_ns += ms * 1_000_000;
        self.session.tick(self.now_ns, &mut self.told);
        self
    }

    /// Forgets what was told.
    pub fn forget(&mut self) -> &mut Self {
        self.told = Told::default();
        self
    }

    /// The only book of a symbol.
    pub fn entry(&self, symbol: &str) -> &BookEntry {
        let mut found = self.session.books().iter().filter(|(_, entry)| entry.symbol == symbol);
        let first = found.next().unwrap_or_else(|| panic!("no book of {symbol}")).1;
        assert!(found.next().is_none(), "several books of {symbol}");
        first
    }

    /// As [`Line::entry`].
    pub fn book(&self, symbol: &str) -> &LocalBook {
        &self.entry(symbol).local
    }

    /// State, with the reason if it is not live.
    pub fn state(&self, symbol: &str) -> String {
        let (state, reason) = self.book(symbol).state();
        if state == State::Live {
            return state.name().to_owned();
        }
        format!("{} {}", state.name(), reason.name())
    }

    /// Number of the last accepted message.
    pub fn seq(&self, symbol: &str) -> Option<i64> {
        self.book(symbol).seq()
    }

    /// Counters of a book.
    pub fn counters(&self, symbol: &str) -> Counters {
        *self.book(symbol).counters()
    }

    /// Levels as `bid 1@0.5` (size at price), best first, bids before asks.
    pub fn levels(&self, symbol: &str) -> Vec<String> {
        let book = self.book(symbol).last_known();
        let mut lines = Vec::new();
        for (name, side) in [("bid", Side::Bid), ("ask", Side::Ask)] {
            for level in book.side(side).iter() {
                let (price, qty): (Decimal, Decimal) = book.decimals(level);
                lines.push(format!("{name} {qty}@{price}"));
            }
        }
        lines
    }

    /// Verdicts since the last [`Line::forget`].
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.told.outcomes.iter().map(|outcome| outcome.verdict).collect()
    }

    /// Transitions since the last [`Line::forget`] that changed something.
    pub fn transitions(&self) -> Vec<Transition> {
        let all = self.told.outcomes.iter().map(|outcome| outcome.transition);
        all.filter(|transition| *transition != Transition::None).collect()
    }
}
