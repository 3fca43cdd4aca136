//! Where a thread of an engine puts events: for each subscriber a ring or places of its own.
//!
//! Invariant: an event of an instrument that was seen before is put without a lock, an allocation
//! or a wait. Whose it is can be told between two frames only, where the connection knows its
//! market: events of an instrument that was not seen before wait that long, and with them what
//! comes after them.

use super::names::Names;
use crate::events::{self, NameId, Topic};
use gapless_book::event::Event;
use gapless_book::publish::{LatestWriter, Record, RecordWriter, Status};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Instruments of a thread that are told apart; events of further ones are counted and dropped.
pub const INSTRUMENTS_MAX: usize = 1 << 16;

/// Where one subscriber's events go.
#[derive(Debug)]
pub(super) enum Sink {
    Ring(RecordWriter),
    /// With the place of each name and topic.
    Latest(LatestWriter, HashMap<(NameId, Topic), usize>),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Done,
    /// There are more names and topics than places for their latest.
    NoPlace,
}

/// One subscriber, as a thread knows it.
#[derive(Debug)]
pub(super) struct Outlet {
    /// [`Topic::bit`] of each topic that it wants.
    pub topics: u8,
    /// Names that it wants; `None` = all.
    pub names: Option<Arc<HashSet<String>>>,
    /// Whether it wants events off the book and repeats too.
    pub irregular: bool,
    pub sink: Sink,
    /// Events put so far.
    pub number: u64,
    /// Whether it wants an instrument of this thread, by index.
    pub wants: Vec<bool>,
}

impl Outlet {
    #[inline]
    fn put(
        &mut self,
        topic: Topic,
        instrument: Instrument,
        key: NameId,
        record: &mut Record,
    ) -> Put {
        if self.topics & topic.bit() == 0 || !self.wants.get(instrument.at).is_some_and(|w| *w) {
            return Put::Done;
        }
        if !self.irregular && !events::flags(record).is_regular() {
            return Put::Done;
        }
        events::address(record, instrument.id, self.number);
        match &mut self.sink {
            Sink::Ring(ring) => ring.push(record),
            Sink::Latest(latest, places) => {
                // Every place that there may be was reserved when the subscription was made.
                let next = places.len();
                let place = match places.get(&(key, topic)) {
                    Some(place) => *place,
                    None if next >= latest.places() => return Put::NoPlace,
                    None => *places.entry((key, topic)).or_insert(next),
                };
                latest.put(place, record);
            }
        }
        self.number += 1;
        Put::Done
    }

    fn wants(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    fn has_reader(&self) -> bool {
        match &self.sink {
            Sink::Ring(ring) => ring.has_reader(),
            Sink::Latest(latest, _) => latest.has_reader(),
        }
    }
}

/// An instrument of a thread: index and name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instrument {
    at: usize,
    id: NameId,
}

/// An event whose instrument is not known yet.
#[derive(Debug)]
struct Untold {
    line: usize,
    exchange: String,
    symbol: String,
    topic: Topic,
    record: Record,
}

/// The subscribers of a thread.
#[derive(Debug)]
pub(super) struct Outlets {
    outlets: Vec<Outlet>,
    /// Topics that anybody wants.
    topics: u8,
    names: Arc<Names>,
    /// Names of instruments by index.
    instruments: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, Instrument>,
    /// By connection: instruments by exchange and symbol.
    lines: Vec<HashMap<String, Instrument>>,
    /// By connection: it is not to be shown, as another brings the same. As far as it was told.
    hidden: Vec<bool>,
    /// Where a key of those is put together.
    key: String,
    untold: Vec<Untold>,
    /// Events of instruments beyond [`INSTRUMENTS_MAX`], or of more names and topics than a
    /// subscriber has places for.
    pub dropped: u64,
}

impl Outlets {
    pub fn new(names: Arc<Names>) -> Self {
        Self {
            outlets: Vec::new(),
            topics: 0,
            names,
            instruments: Vec::new(),
            by_name: HashMap::new(),
            lines: Vec::new(),
            hidden: Vec::new(),
            key: String::new(),
            untold: Vec::new(),
            dropped: 0,
        }
    }

    /// A connection's events are told, or not told any more.
    pub fn hide(&mut self, line: usize, is_hidden: bool) {
        if self.hidden.len() <= line {
            self.hidden.resize(line + 1, false);
        }
        if let Some(hidden) = self.hidden.get_mut(line) {
            *hidden = is_hidden;
        }
    }

    #[inline]
    fn is_hidden(&self, line: usize) -> bool {
        self.hidden.get(line).is_some_and(|hidden| *hidden)
    }

    /// Adds a subscriber.
    pub fn add(&mut self, mut outlet: Outlet) {
        outlet.wants = self.instruments.iter().map(|name| outlet.wants(name)).collect();
        self.outlets.push(outlet);
        self.sum();
    }

    /// Forgets subscribers that have gone.
    pub fn sweep(&mut self) {
        if self.outlets.iter().any(|outlet| !outlet.has_reader()) {
            self.outlets.retain(Outlet::has_reader);
            self.sum();
        }
    }

    fn sum(&mut self) {
        self.topics = self.outlets.iter().fold(0, |topics, outlet| topics | outlet.topics);
    }

    /// Ends every subscriber's ring: what is in it can still be read.
    pub fn close(&mut self) {
        self.outlets = Vec::new();
        self.topics = 0;
    }

    /// Whether anybody wants one of the topics of books.
    #[inline]
    pub const fn wants_books(&self) -> bool {
        self.topics & (Topic::States.bit() | Topic::Updates.bit()) != 0
    }

    /// An event of a connection.
    #[inline]
    pub fn event(&mut self, line: usize, event: &Event<'_>) {
        let wanted = Topic::of(&event.body).is_some_and(|topic| self.topics & topic.bit() != 0);
        let is_told = wanted && !self.is_hidden(line);
        if is_told && let Some((topic, record)) = events::encode(event) {
            self.take(line, event, topic, record);
        }
    }

    fn take(&mut self, line: usize, event: &Event<'_>, topic: Topic, mut record: Record) {
        key(&mut self.key, event.exchange, event.symbol);
        let known = self.lines.get(line).and_then(|line| line.get(self.key.as_str())).copied();
        match known {
            Some(instrument) if self.untold.is_empty() => {
                self.put(topic, instrument, instrument.id, &mut record)
            }
            _ => {
                let (exchange, symbol) = (event.exchange.to_owned(), event.symbol.to_owned());
                self.untold.push(Untold { line, exchange, symbol, topic, record });
            }
        }
    }

    /// What a book says of itself, after a message or another change of its state.
    #[inline]
    pub fn book(&mut self, topic: Topic, instrument: Instrument, book: NameId, status: &Status) {
        let mut record = events::encode_status(topic, book, status);
        self.put(topic, instrument, book, &mut record);
    }

    #[inline]
    fn put(&mut self, topic: Topic, instrument: Instrument, key: NameId, record: &mut Record) {
        for outlet in &mut self.outlets {
            if outlet.put(topic, instrument, key, record) == Put::NoPlace {
                self.dropped += 1;
            }
        }
    }

    /// Whether events wait for their instruments' names.
    #[inline]
    pub const fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Names the instruments of the events that wait, and puts them, if their connection is shown.
    pub fn tell(
        &mut self,
        is_hidden: impl Fn(usize) -> bool,
        name_of: impl Fn(usize, &str, &str) -> Option<String>,
    ) {
        for mut untold in std::mem::take(&mut self.untold) {
            let Untold { line, exchange, symbol, topic, .. } = &untold;
            if self.is_hidden(*line) || is_hidden(*line) {
                self.hide(*line, true);
                continue;
            }
            key(&mut self.key, exchange, symbol);
            if self.lines.len() <= *line {
                self.lines.resize_with(line + 1, HashMap::new);
            }
            let known = self.lines.get(*line).and_then(|l| l.get(self.key.as_str())).copied();
            let instrument = known.or_else(|| {
                let Some(instrument) = self.instrument(&name_of(*line, exchange, symbol)?) else {
                    self.dropped += 1;
                    return None;
                };
                self.lines.get_mut(*line)?.insert(self.key.clone(), instrument);
                Some(instrument)
            });
            if let Some(instrument) = instrument {
                self.put(*topic, instrument, instrument.id, &mut untold.record);
            }
        }
    }

    /// The instrument of a name; `None` beyond [`INSTRUMENTS_MAX`].
    pub fn instrument(&mut self, name: &str) -> Option<Instrument> {
        if let Some(known) = self.by_name.get(name) {
            return Some(*known);
        }
        let at = self.instruments.len();
        if at >= INSTRUMENTS_MAX {
            return None;
        }
        let (id, name) = self.names.id(name);
        let instrument = Instrument { at, id };
        for outlet in &mut self.outlets {
            let wants = outlet.wants(&name);
            outlet.wants.push(wants);
        }
        self.instruments.push(Arc::clone(&name));
        self.by_name.insert(name, instrument);
        Some(instrument)
    }

    /// The number of a name.
    pub fn id(&self, name: &str) -> NameId {
        self.names.id(name).0
    }
}

/// Exchange and symbol as one text; neither has a line break.
fn key(key: &mut String, exchange: &str, symbol: &str) {
    key.clear();
    key.push_str(exchange);
    key.push('\n');
    key.push_str(symbol);
}
