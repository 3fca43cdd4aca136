//! One connection under test: frames go in through the public session, and each gives back a
//! [`Step`] that says everything the session told its handler.
#![allow(dead_code, reason = "each file of rows uses its part")]

use gapless_book::book::Change;
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Bbo, Body, Derivative, Event, EventKind, Flags, Level, Side, TakerSide, Times,
};
use gapless_book::local::{LocalBook, Outcome, Reason, State, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::{Action, Handler, Session, SessionConfig, Watcher};
use gapless_venues::venue::Venue;
use gapless_venues::wire::Reject;

pub const APPLY: Verdict = Verdict::Apply { overlap: false };
pub const LIVE: (State, Reason) = (State::Live, Reason::None);
pub const SECOND_NS: i64 = 1_000_000_000;

pub const fn syncing(reason: Reason) -> (State, Reason) {
    (State::Syncing, reason)
}

/// What one frame, answer or tick made the session say.
#[derive(Default)]
pub struct Step {
    pub kinds: Vec<EventKind>,
    /// Symbol, channel and flags of every event.
    pub names: Vec<(String, String, Flags)>,
    pub times: Vec<Times>,
    pub verdicts: Vec<Verdict>,
    pub transitions: Vec<Transition>,
    /// Levels that changed.
    pub changes: Vec<(Side, Level)>,
    pub rejects: Vec<&'static str>,
    /// Demands, as text: `Resubscribe`, `Fetch`, `Send …`.
    pub actions: Vec<String>,
    /// Id, side and size of every trade.
    pub trades: Vec<(String, TakerSide)>,
    pub liquidations: Vec<(TakerSide, String)>,
    pub derivatives: Vec<Derivative>,
    pub bbos: Vec<Bbo>,
}

impl Handler for Step {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.kinds.push(event.kind());
        self.names.push((event.symbol.to_owned(), event.channel.to_owned(), event.flags));
        self.times.push(event.times);
        match event.body {
            Body::Trade(trade) => self.trades.push((trade.id.to_owned(), trade.taker)),
            Body::Liquidation(order) => {
                self.liquidations.push((order.side, order.raw_side.to_owned()));
            }
            Body::Derivative(ticker) => self.derivatives.push(ticker),
            Body::Bbo(bbo) => self.bbos.push(bbo),
            _ => {}
        }
    }

    fn level(&mut self, _: BookId, side: Side, level: Level, change: Change) {
        if change != Change::Absent {
            self.changes.push((side, level));
        }
    }

    fn book(&mut self, _: BookId, _: &BookEntry, outcome: &Outcome) {
        self.verdicts.push(outcome.verdict);
        if outcome.transition != Transition::None {
            self.transitions.push(outcome.transition);
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.rejects.push(reject.error.kind.name());
    }

    fn action(&mut self, action: &Action<'_>) {
        self.actions.push(match action {
            Action::Send(text) => format!("Send {text}"),
            Action::Fetch(_) => "Fetch".to_owned(),
            Action::Resubscribe(_) => "Resubscribe".to_owned(),
            Action::SubscribeFailed(topic) => format!("SubscribeFailed {topic}"),
            Action::Acked(id) => format!("Acked {id}"),
            other => format!("{other:?}"),
        });
    }
}

impl Watcher for Step {}

/// A session with a clock that moves a millisecond per frame.
pub struct Line<V> {
    pub session: Session<V>,
    pub now_ns: i64,
}

impl<V: Venue> Line<V> {
    /// A live connection to a URL.
    pub fn open(venue: V, url: &str) -> Self {
        Self::with(venue, url, SessionConfig::live())
    }

    pub fn with(venue: V, url: &str, config: SessionConfig) -> Self {
        let mut session = Session::new(venue, config);
        session.connect(url, &mut ());
        Self { session, now_ns: 1_700_000_000 * SECOND_NS }
    }

    pub fn bytes(&mut self, frame: &[u8]) -> Step {
        let mut step = Step::default();
        self.now_ns += SECOND_NS / 1000;
        self.session.bytes(self.now_ns, frame, &mut step);
        step
    }

    pub fn frame(&mut self, frame: &str) -> Step {
        self.bytes(frame.as_bytes())
    }

    pub fn rest(&mut self, url: &str, body: &str) -> Step {
        let mut step = Step::default();
        self.session.rest(self.now_ns, url, body.as_bytes(), &mut step);
        step
    }

    /// Lets time pass.
    pub fn wait_ms(&mut self, ms: i64) -> Step {
        let mut step = Step::default();
        self.now_ns += ms * SECOND_NS / 1000;
        self.session.tick(self.now_ns, &mut step);
        step
    }

    /// Asks which books were silent for longer than so many seconds.
    pub fn freshness(&mut self, seconds: i64) -> Step {
        let mut step = Step::default();
        self.session.freshness(self.now_ns, seconds * SECOND_NS, &mut step);
        step
    }

    #[track_caller]
    pub fn entry(&self, channel: &str, symbol: &str) -> &BookEntry {
        let books = self.session.books();
        let id = books.find("", channel, symbol).expect("no such book");
        books.get(id).expect("an id stays valid")
    }

    #[track_caller]
    pub fn book(&self, channel: &str, symbol: &str) -> &LocalBook {
        &self.entry(channel, symbol).local
    }

    /// The levels as they stand: `2.5x4 2.4x1 | 2.6x1`.
    #[track_caller]
    pub fn levels(&self, channel: &str, symbol: &str) -> String {
        text(self.book(channel, symbol))
    }
}

/// Levels of a book: `2.5x4 2.4x1 | 2.6x1`.
pub fn text(book: &LocalBook) -> String {
    let book = book.last_known();
    let side = |side| {
        let levels = book.depth(side, usize::MAX).map(|level| book.decimals(level));
        levels.map(|(price, qty)| format!("{price}x{qty}")).collect::<Vec<_>>().join(" ")
    };
    format!("{} | {}", side(Side::Bid), side(Side::Ask)).trim().to_owned()
}

#[track_caller]
pub fn decimal(text: &str) -> Decimal {
    Decimal::parse(text.as_bytes()).expect("a number")
}
