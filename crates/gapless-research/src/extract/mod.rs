//! A watcher of a replay that writes rows: books, deltas, trades, liquidations, funding, states.
//!
//! Rows stand in the order in which the replay meets them. A row of a book that is not live has no
//! levels, so that no join carries a book over a gap.

mod books;
mod columns;

use crate::ExtractError;
use crate::features::Feature;
use crate::table::{Numbers, Table};
use books::Shown;
use gapless::book::book::Change;
use gapless::book::event::{
    Body, Derivative, Event, EventKind, Level, Liquidation, NO_TIME, Side, TakerSide, Trade,
};
use gapless::book::local::{Outcome, State, Transition};
use gapless::book::sequence::Verdict;
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::registry::VenueId;
use gapless::venues::session::{Handler, LineId, SessionConfig, Watcher};
use std::collections::{BTreeMap, HashMap};

/// Levels a side that a row of a book may have.
pub const DEPTH_MAX: usize = 1_000;

/// A kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableKind {
    /// Best levels of books, and features.
    Books,
    /// Every change of a level.
    Deltas,
    /// Trades.
    Trades,
    /// Liquidations.
    Liquidations,
    /// Mark, index, funding, open interest: the fields that each message carried.
    Funding,
    /// Changes of the state of books: gaps, snapshots that healed them, lost lines.
    States,
}

impl TableKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Books, Self::Deltas, Self::Trades, Self::Liquidations, Self::Funding, Self::States];

    /// The name in functions and folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Books => "books",
            Self::Deltas => "deltas",
            Self::Trades => "trades",
            Self::Liquidations => "liquidations",
            Self::Funding => "funding",
            Self::States => "states",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// When a book gets a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum On {
    /// Whenever what a row shows has changed.
    #[default]
    Change,
    /// At every multiple of so many ns: as it was then, everything received by then included.
    Clock(i64),
    /// At every trade of its venue and symbol, as it was before.
    Trade,
}

/// What is extracted, and how it is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which tables.
    pub kinds: Vec<TableKind>,
    /// Prices and sizes.
    pub numbers: Numbers,
    /// Decimals of integer prices, where they must be known beforehand.
    pub price_scale: Option<u8>,
    /// Decimals of integer sizes.
    pub size_scale: Option<u8>,
    /// Rows from this receive time on; books are built from the beginning all the same.
    pub start_ns: Option<i64>,
    /// An input ends at its first item received at or after this time.
    pub end_ns: Option<i64>,
    /// These symbols only; empty = all.
    pub symbols: Vec<String>,
    /// Venue of inputs that do not tell theirs.
    pub venue: Option<VenueId>,
    /// Levels a side in the rows of books, 1 to [`DEPTH_MAX`].
    pub depth: usize,
    /// When a book gets a row.
    pub on: On,
    /// Columns of books beside the levels, with their names.
    pub features: Vec<(String, Feature)>,
}

impl Options {
    /// One kind of table with the usual choices.
    #[must_use]
    pub fn new(kinds: Vec<TableKind>) -> Self {
        Self {
            kinds,
            numbers: Numbers::Int,
            price_scale: None,
            size_scale: None,
            start_ns: None,
            end_ns: None,
            symbols: Vec::new(),
            venue: None,
            depth: 1,
            on: On::Change,
            features: Vec::new(),
        }
    }

    /// Whether rows of one file depend on another: trades and books may be recorded apart.
    #[must_use]
    pub fn spans_files(&self) -> bool {
        let books = self.kinds.contains(&TableKind::Books);
        books && (self.on == On::Trade || self.features.iter().any(|(_, f)| f.needs_trades()))
    }

    /// Choices of the sessions: what is extracted needs no memory of what was live.
    pub(crate) fn config() -> SessionConfig {
        let mut config = SessionConfig::replay();
        config.policy.keep_last_live = false;
        config
    }
}

/// A connection, as rows name it.
#[derive(Debug)]
struct Source {
    venue: VenueId,
    name: String,
    input: i64,
}

/// A book, as rows name it, and what its next rows depend on.
#[derive(Debug)]
struct Watched {
    venue: String,
    symbol: String,
    live: bool,
    epoch: u32,
    /// Levels that its message has set so far.
    pending: Vec<(Side, Level)>,
    shown: Shown,
}

/// Writes rows of what a replay sees.
#[derive(Debug)]
pub struct Extractor {
    options: Options,
    tables: BTreeMap<TableKind, Table>,
    sources: HashMap<u32, Source>,
    line: u32,
    first_input: i64,
    books: HashMap<(u32, BookId), Watched>,
    /// In the order of appearance, which is that of the rows of a clock.
    order: Vec<(u32, BookId)>,
    exchanges: HashMap<(u32, String), String>,
    now_ns: i64,
    /// The message being read is a whole book.
    whole: bool,
    /// The next multiple of the clock that has no rows yet.
    due_ns: Option<i64>,
    error: Option<ExtractError>,
}

impl Extractor {
    /// An extractor without rows; `first_input` is the number of the first of its inputs.
    #[must_use]
    pub fn new(options: Options, first_input: usize) -> Self {
        let tables = options.kinds.iter().map(|kind| (*kind, columns::table(*kind, &options)));
        Self {
            tables: tables.collect(),
            options,
            sources: HashMap::new(),
            line: 0,
            first_input: i64::try_from(first_input).unwrap_or(0),
            books: HashMap::new(),
            order: Vec::new(),
            exchanges: HashMap::new(),
            now_ns: NO_TIME,
            whole: false,
            due_ns: None,
            error: None,
        }
    }

    /// Rows of the fullest table.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tables.values().map(Table::rows).max().unwrap_or(0)
    }

    /// The tables.
    pub fn tables(&mut self) -> &mut BTreeMap<TableKind, Table> {
        &mut self.tables
    }

    /// The tables, at the end.
    #[must_use]
    pub fn into_tables(self) -> BTreeMap<TableKind, Table> {
        self.tables
    }

    /// The first value that did not fit its column.
    pub const fn error(&mut self) -> Option<ExtractError> {
        self.error.take()
    }

    /// Before an item received at `next_ns` is fed: rows of the clock that are due by then, at most
    /// one for each book. Asked again until it is `false`.
    pub fn tick(&mut self, next_ns: i64) -> bool {
        let On::Clock(every) = self.options.on else { return false };
        if next_ns == NO_TIME || !self.tables.contains_key(&TableKind::Books) {
            return false;
        }
        let first = || (next_ns - 1).div_euclid(every).saturating_add(1).saturating_mul(every);
        let due = *self.due_ns.get_or_insert_with(first);
        if due >= next_ns {
            return false;
        }
        self.due_ns = Some(due.saturating_add(every));
        let started = self.options.start_ns.is_none_or(|start| due >= start);
        for key in self.order.clone().into_iter().filter(|_| started) {
            self.show(key, due);
        }
        true
    }

    /// Whether rows are wanted at this time.
    fn wanted(&self) -> bool {
        self.options.start_ns.is_none_or(|start| self.now_ns >= start)
    }

    fn wants(&self, symbol: &str) -> bool {
        self.options.symbols.is_empty() || self.options.symbols.iter().any(|own| own == symbol)
    }

    fn fitted(&mut self, row: Result<(), ExtractError>) {
        if let Err(error) = row {
            self.error.get_or_insert(error);
        }
    }

    /// Name of the venue behind an exchange id, as reports write it.
    fn venue(&mut self, exchange: &str) -> String {
        let Some(source) = self.sources.get(&self.line) else { return exchange.to_owned() };
        let own = source.venue;
        if exchange.is_empty() {
            return own.name().to_owned();
        }
        if let Some(known) = self.exchanges.get(&(self.line, exchange.to_owned())) {
            return known.clone();
        }
        let name = match own.session(Options::config()).venue_of(exchange) {
            Some((venue, _)) => venue.name().to_owned(),
            None => format!("{}:{exchange}", own.name()),
        };
        self.exchanges.insert((self.line, exchange.to_owned()), name.clone());
        name
    }

    fn trade(&mut self, event: &Event<'_>, trade: &Trade<'_>) {
        let venue = self.venue(event.exchange);
        if self.tables.contains_key(&TableKind::Books) {
            self.traded(&venue, event.symbol, trade);
        }
        if !self.wanted() {
            return;
        }
        if let Some(table) = self.tables.get_mut(&TableKind::Trades) {
            let row = columns::begin(table, event, &venue)
                .word(taker(trade.taker))
                .number(Some(trade.price))
                .number(Some(trade.size))
                .int(trade.count)
                .int(Some(i64::from(event.flags.0)))
                .text(trade.id)
                .end();
            self.fitted(row);
        }
    }

    /// Tells the books of a venue's symbol of its trade, whichever line it came on.
    fn traded(&mut self, venue: &str, symbol: &str, trade: &Trade<'_>) {
        let on_trade = self.options.on == On::Trade && self.wanted();
        let size = trade.size.to_f64();
        for at in 0..self.order.len() {
            let Some(key) = self.order.get(at).copied() else { continue };
            let Some(book) = self.books.get_mut(&key) else { continue };
            if book.symbol != symbol || book.venue != venue {
                continue;
            }
            if on_trade {
                self.show(key, self.now_ns);
            }
            if let Some(book) = self.books.get_mut(&key) {
                book.shown.trade(self.now_ns, trade.taker, size);
            }
        }
    }

    fn liquidation(&mut self, event: &Event<'_>, liquidation: &Liquidation<'_>) {
        if !self.wanted() || !self.tables.contains_key(&TableKind::Liquidations) {
            return;
        }
        let venue = self.venue(event.exchange);
        let Some(table) = self.tables.get_mut(&TableKind::Liquidations) else { return };
        let row = columns::begin(table, event, &venue)
            .word(taker(liquidation.side))
            .number(Some(liquidation.price))
            .number(Some(liquidation.size))
            .number(liquidation.filled)
            .number(liquidation.average_price)
            .int(Some(i64::from(liquidation.sampled)))
            .int(Some(i64::from(event.flags.0)))
            .text(liquidation.id)
            .end();
        self.fitted(row);
    }

    fn derivative(&mut self, event: &Event<'_>, derivative: &Derivative) {
        if !self.wanted() || !self.tables.contains_key(&TableKind::Funding) {
            return;
        }
        let venue = self.venue(event.exchange);
        let Some(table) = self.tables.get_mut(&TableKind::Funding) else { return };
        let row = columns::begin(table, event, &venue)
            .number(derivative.last)
            .number(derivative.mark)
            .number(derivative.index)
            .number(derivative.settle)
            .number(derivative.open_interest)
            .number(derivative.funding_rate)
            .number(derivative.predicted_funding)
            .int(derivative.funding_time_ns)
            .end();
        self.fitted(row);
    }

    /// A change of a book's state, or a verdict that explains one.
    fn state(&mut self, key: (u32, BookId), book: &BookEntry, outcome: &Outcome) {
        let told = matches!(
            outcome.verdict,
            Verdict::Gap { .. } | Verdict::Restart | Verdict::Backwards | Verdict::SnapshotTooOld
        );
        if !self.wanted() || !(told || outcome.transition != Transition::None) {
            return;
        }
        let (Some(table), Some(watched), Some(source)) = (
            self.tables.get_mut(&TableKind::States),
            self.books.get(&key),
            self.sources.get(&key.0),
        ) else {
            return;
        };
        let (state, reason) = book.local.state();
        let (expected, got) = match outcome.verdict {
            Verdict::Gap { expected, got } => (Some(expected), Some(got)),
            _ => (None, None),
        };
        let what = match outcome.transition {
            Transition::None => "none",
            Transition::Invalidated(_) => "invalidated",
            Transition::Reset => "reset",
            Transition::Live => "live",
        };
        let row = table
            .row()
            .time(self.now_ns)
            .time(book.local.last_times().venue_ns)
            .word(&watched.venue)
            .word(&watched.symbol)
            .word(&book.channel)
            .word(&source.name)
            .int(Some(source.input))
            .word(what)
            .word(gapless::Applied::Book(outcome.verdict).name())
            .word(state.name())
            .word(reason.name())
            .int(expected)
            .int(got)
            .int(book.local.seq())
            .end();
        self.fitted(row);
    }

    /// The rows of one message of a book: what it set, or the whole book where it begins anew.
    fn deltas(&mut self, key: (u32, BookId), book: &BookEntry, outcome: &Outcome) {
        let taken = matches!(outcome.verdict, Verdict::Apply { .. } | Verdict::Replace);
        let replaced = self.whole && taken;
        let Some(watched) = self.books.get_mut(&key) else { return };
        let live = book.local.state().0 == State::Live;
        let anew = !watched.live
            || replaced
            || watched.epoch != book.local.epoch()
            || outcome.transition != Transition::None;
        let was = core::mem::replace(&mut watched.live, live);
        watched.epoch = book.local.epoch();
        let mut levels = core::mem::take(&mut watched.pending);
        if self.wanted() {
            let whole = |side| book.local.last_known().side(side).iter().map(move |l| (side, l));
            if live && anew {
                levels.clear();
                levels.extend(whole(Side::Bid).chain(whole(Side::Ask)));
                self.changes(key, book, "snapshot", &levels);
            } else if live {
                self.changes(key, book, "delta", &levels);
            } else if was {
                self.changes(key, book, "void", &[]);
            }
        }
        levels.clear();
        if let Some(watched) = self.books.get_mut(&key) {
            watched.pending = levels;
        }
    }

    fn changes(
        &mut self,
        key: (u32, BookId),
        book: &BookEntry,
        what: &str,
        levels: &[(Side, Level)],
    ) {
        let (Some(table), Some(watched), Some(source)) = (
            self.tables.get_mut(&TableKind::Deltas),
            self.books.get(&key),
            self.sources.get(&key.0),
        ) else {
            return;
        };
        let scales = book.local.last_known().scales();
        let venue_ns = book.local.last_times().venue_ns;
        let mut result = Ok(());
        let rows =
            levels.iter().map(Some).chain((levels.is_empty() && what != "delta").then_some(None));
        let count = levels.len().max(1);
        for (at, level) in rows.enumerate() {
            let side = level.map(|(side, _)| if *side == Side::Bid { "bid" } else { "ask" });
            let row = table
                .row()
                .time(self.now_ns)
                .time(venue_ns)
                .word(&watched.venue)
                .word(&watched.symbol)
                .word(&book.channel)
                .word(&source.name)
                .int(Some(source.input))
                .int(book.local.seq())
                .word(what)
                .word(side.unwrap_or("none"))
                .scaled(level.map(|(_, level)| (level.price, scales.price)))
                .scaled(level.map(|(_, level)| (level.qty, scales.qty)))
                .int(Some(i64::from(at + 1 == count)))
                .end();
            result = result.and(row);
        }
        self.fitted(result);
    }

    /// Notes what rows of a book show now.
    fn note(&mut self, key: (u32, BookId), book: &BookEntry) {
        let on_change = self.options.on == On::Change && self.wanted();
        let Some(watched) = self.books.get_mut(&key) else { return };
        if watched.shown.note(self.now_ns, book) && on_change {
            self.show(key, self.now_ns);
        }
    }

    /// Writes the row of a book.
    fn show(&mut self, key: (u32, BookId), at_ns: i64) {
        let (Some(table), Some(watched), Some(source)) = (
            self.tables.get_mut(&TableKind::Books),
            self.books.get_mut(&key),
            self.sources.get(&key.0),
        ) else {
            return;
        };
        let row = table
            .row()
            .time(at_ns)
            .time(watched.shown.venue_ns)
            .word(&watched.venue)
            .word(&watched.symbol)
            .word(&watched.shown.channel)
            .word(&source.name)
            .int(Some(source.input));
        let row = watched.shown.write(row, at_ns);
        self.fitted(row);
    }

    fn watch(&mut self, id: BookId, book: &BookEntry) -> (u32, BookId) {
        let key = (self.line, id);
        if !self.books.contains_key(&key) {
            let venue = self.venue(&book.exchange);
            let wanted: Vec<Feature> = self.options.features.iter().map(|(_, f)| *f).collect();
            let watched = Watched {
                venue,
                symbol: book.symbol.clone(),
                live: false,
                epoch: 0,
                pending: Vec::new(),
                shown: Shown::new(&book.channel, self.options.depth, &wanted),
            };
            self.books.insert(key, watched);
            self.order.push(key);
        }
        key
    }
}

impl Handler for Extractor {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.now_ns = event.times.recv_ns;
        self.whole = matches!(event.kind(), EventKind::Snapshot | EventKind::Top);
        if !self.wants(event.symbol) {
            return;
        }
        match &event.body {
            Body::Trade(trade) => self.trade(event, trade),
            Body::Liquidation(liquidation) => self.liquidation(event, liquidation),
            Body::Derivative(derivative) => self.derivative(event, derivative),
            Body::OptionTicker(ticker) => self.derivative(event, &ticker.derivative),
            _ => {}
        }
    }

    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        if matches!(change, Change::Absent | Change::Full) {
            return;
        }
        if !self.tables.contains_key(&TableKind::Deltas) {
            return;
        }
        if let Some(watched) = self.books.get_mut(&(self.line, book)) {
            watched.pending.push((side, level));
        }
    }

    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        let key = self.watch(id, book);
        if self.tables.contains_key(&TableKind::States) {
            self.state(key, book, outcome);
        }
        if self.tables.contains_key(&TableKind::Deltas) {
            self.deltas(key, book, outcome);
        }
        if self.tables.contains_key(&TableKind::Books) {
            self.note(key, book);
        }
    }
}

impl Watcher for Extractor {
    fn line(&mut self, line: LineId) {
        self.line = line.0;
    }

    fn opened(&mut self, line: LineId, venue: VenueId, input: usize, name: &str) {
        let input = self.first_input + i64::try_from(input).unwrap_or(0);
        self.sources.insert(line.0, Source { venue, name: name.to_owned(), input });
    }
}

const fn taker(side: TakerSide) -> &'static str {
    match side {
        TakerSide::Buy => "buy",
        TakerSide::Sell => "sell",
        TakerSide::Unknown => "unknown",
    }
}
