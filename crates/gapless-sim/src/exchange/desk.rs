//! What every venue has: a market, topics with their subscribers, connections, and their faults.
//!
//! The desk knows no venue's words. A [`super::speaker::Speaker`] tells it what to publish; the
//! desk decides who hears it, when, and what goes wrong on the way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use gapless_book::event::Side;

use super::budget::{Accounts, Window};
use super::faults::{Fault, Faults, Point};
use super::setup::Setup;
use super::topic::{Channel, Stream, Topic};
use super::wire::{Conn, Output, Wire};
use crate::book::Book;
use crate::dialect::image::Changes;
use crate::market::{Market, Symbol};
use crate::rng::Rng;

/// One client's connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The client's address.
    pub peer: u32,
    /// Which of the venue's paths.
    pub class: String,
    /// Whether data come in an envelope with the topic's name (where the venue has both).
    pub wrapped: bool,
    /// What it hears, in the order of subscribing.
    pub topics: Vec<usize>,
    /// When it was opened.
    pub opened_ns: u64,
    /// When the client last said something.
    pub heard_ns: u64,
    /// When it was last told something.
    pub said_ns: u64,
    /// When it was pinged, if it has not answered.
    pub pinged_ns: Option<u64>,
    /// A heartbeat that the client asked for, 0 = none.
    pub heartbeat_ns: u64,
    /// Whether the client showed its key.
    pub known: bool,
    inbound: Window,
    requests: Window,
    due_ns: u64,
    silent_until_ns: u64,
    closing: Option<(u64, u16, &'static str)>,
    frozen: bool,
    /// A machine plays recordings on it.
    pub is_played: bool,
    held: Option<Wire>,
}

/// The state of an exchange that is not of one venue.
#[derive(Debug)]
pub(crate) struct Desk {
    pub setup: Setup,
    pub market: Market,
    pub now_ns: u64,
    pub faults: Faults,
    pub accounts: Accounts,
    /// Nobody is let in before this time.
    pub down_until_ns: u64,
    pub rng: Rng,
    /// Symbols that are traded no more.
    pub gone: Vec<bool>,
    /// What is wrong with the next REST snapshot.
    pub snapshot_fault: Option<Fault>,
    topics: Vec<Topic>,
    names: HashMap<String, usize>,
    of_symbol: Vec<Vec<usize>>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    conns: BTreeMap<Conn, Connection>,
    out: VecDeque<Output>,
    counts: BTreeMap<&'static str, u64>,
    /// Data frames and their bytes.
    pub sent: (u64, u64),
}

impl Desk {
    pub fn new(setup: Setup) -> Self {
        let mut rng = Rng::new(setup.seed);
        let specs: Vec<_> = setup.symbols.iter().map(|listing| listing.spec.clone()).collect();
        let market = Market::new(rng.next_u64(), &specs, setup.start_ns);
        Self {
            market,
            now_ns: setup.start_ns,
            faults: setup.faults.clone(),
            accounts: Accounts::default(),
            down_until_ns: 0,
            rng: rng.fork(),
            gone: vec![false; specs.len()],
            snapshot_fault: None,
            topics: Vec::new(),
            names: HashMap::new(),
            of_symbol: vec![Vec::new(); specs.len()],
            due: BinaryHeap::new(),
            conns: BTreeMap::new(),
            out: VecDeque::new(),
            counts: BTreeMap::new(),
            sent: (0, 0),
            setup,
        }
    }

    pub fn symbol(&self, index: usize) -> &Symbol {
        &self.market.symbols()[index]
    }

    /// A symbol that is traded, by its name and class.
    pub fn listed(&self, class: &str, name: &str) -> Option<usize> {
        let known = |(listing, gone): (&super::setup::Listing, &bool)| {
            !gone && listing.class == class && listing.spec.name.eq_ignore_ascii_case(name)
        };
        self.setup.symbols.iter().zip(&self.gone).position(known)
    }

    /// Something worth counting happened.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// The fault that strikes here, whoever is concerned.
    pub fn strike(&mut self, point: Point, symbol: Option<usize>) -> Option<Fault> {
        self.strike_one(point, symbol, None)
    }

    /// The fault that strikes a client of this address.
    pub fn strike_one(
        &mut self,
        point: Point,
        symbol: Option<usize>,
        peer: Option<u32>,
    ) -> Option<Fault> {
        let name = symbol.map_or("", |index| self.market.symbols()[index].spec.name.as_str());
        let since_ns = self.now_ns.saturating_sub(self.setup.start_ns);
        self.faults.strike(point, (name, peer), since_ns)
    }

    pub fn topic(&self, index: usize) -> &Topic {
        &self.topics[index]
    }

    pub fn topic_mut(&mut self, index: usize) -> &mut Topic {
        &mut self.topics[index]
    }

    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    pub fn topics_of(&self, symbol: usize) -> Vec<usize> {
        self.of_symbol[symbol].clone()
    }

    pub fn topic_named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The topic of that name, made when first asked for. From then on it goes on for ever.
    pub fn open(
        &mut self,
        name: &str,
        symbol: Option<usize>,
        channel: Channel,
        seq: impl FnOnce() -> i64,
    ) -> usize {
        if let Some(&index) = self.names.get(name) {
            return index;
        }
        let index = self.topics.len();
        let stream = match (channel, symbol) {
            (Channel::Book { depth, .. }, Some(symbol)) => {
                let truth = &self.market.symbols()[symbol].truth;
                let image = depth.map_or_else(|| truth.clone(), |depth| truth.top(depth));
                Some(Stream::new(image, seq(), self.now_ns))
            }
            _ => None,
        };
        if let Some(interval_ns) = channel.interval_ns() {
            // Topics are out of step with one another, as on a venue.
            let phase_ns = self.rng.below(interval_ns.max(1));
            self.due.push(Reverse((self.now_ns + phase_ns + 1, index)));
        }
        let name = name.to_owned();
        self.names.insert(name.clone(), index);
        match symbol {
            Some(symbol) => self.of_symbol[symbol].push(index),
            None => self.of_symbol.iter_mut().for_each(|topics| topics.push(index)),
        }
        let subscribers = Vec::new();
        let (best, shown, messages) = (None, None, 0);
        let topic = Topic { name, symbol, channel, subscribers, stream, best, shown, messages };
        self.topics.push(topic);
        index
    }

    /// What a book topic has to say now, if anything; a silence of `heartbeat_ns` is worth a
    /// message without changes.
    pub fn take_changes(
        &mut self,
        topic: usize,
        symbol: usize,
        (depth, touched): (Option<usize>, bool),
        heartbeat_ns: u64,
    ) -> Option<Changes> {
        let truth = &self.market.symbols()[symbol].truth;
        let stream = self.topics[topic].stream.as_mut()?;
        let silent = self.now_ns.saturating_sub(stream.said_ns) >= heartbeat_ns || stream.restart;
        if !stream.is_touched() && !silent {
            return None;
        }
        let changes = stream.take(truth, depth, touched);
        if changes.is_empty() && !silent {
            stream.first = None;
            return None;
        }
        Some(changes)
    }

    /// A REST snapshot of a symbol that stands at `seq`, with what goes wrong with it: the book,
    /// its sequence, and the name that the body says. An old one is of that topic, or of any where
    /// all have the same numbers.
    pub fn rest_book(
        &mut self,
        symbol: usize,
        topic: Option<usize>,
        book: Book,
        seq: i64,
    ) -> (Book, i64, String) {
        let name = self.symbol(symbol).spec.name.clone();
        let Some(fault) = self.snapshot_fault.take() else { return (book, seq, name) };
        let own = |at: &&usize| topic.is_none_or(|topic| topic == **at);
        let known = self.of_symbol[symbol].iter().filter(own);
        let mut streams = known.filter_map(|topic| self.topics[*topic].stream.as_ref());
        let wrong = match fault {
            Fault::OldSnapshot(messages) => streams.next_back().map(|stream| {
                let (seq, book) = stream.history.ago(usize::try_from(messages).unwrap_or(0));
                (book, seq, name.clone())
            }),
            Fault::CrossedSnapshot => crossed(&book).map(|book| (book, seq, name.clone())),
            Fault::EmptySnapshot => Some((Book::new(book.grid()), seq, name.clone())),
            Fault::ForeignSnapshot => {
                let mut others = self.market.symbols().iter().map(|s| s.spec.name.clone());
                others.find(|other| *other != name).map(|other| (book.clone(), seq, other))
            }
            _ => None,
        };
        if wrong.is_some() {
            self.faults.count(fault);
        }
        wrong.unwrap_or((book, seq, name))
    }

    /// Updates of a symbol that no message has told yet get the numbers of those to come.
    pub fn drop_untold(&mut self, symbol: usize) {
        for topic in self.of_symbol[symbol].clone() {
            if let Some(stream) = self.topics[topic].stream.as_mut() {
                stream.first = None;
            }
        }
    }

    /// A symbol's tick becomes ten times finer; whether it could.
    pub fn refine(&mut self, symbol: usize) -> bool {
        const FACTOR: i64 = 10;
        if !self.market.refine(symbol, FACTOR) {
            return false;
        }
        let grid = self.symbol(symbol).spec.grid;
        for topic in self.of_symbol[symbol].clone() {
            self.topics[topic].shown = None;
            if let Some(stream) = self.topics[topic].stream.as_mut() {
                stream.refine(grid, FACTOR);
            }
        }
        true
    }

    /// When a topic with a cadence speaks next.
    pub fn next_due_ns(&self) -> u64 {
        self.due.peek().map_or(u64::MAX, |Reverse((at_ns, _))| *at_ns)
    }

    /// The topic that is due, which will be again after its interval.
    pub fn take_due(&mut self) -> Option<usize> {
        let Reverse((at_ns, index)) = self.due.pop()?;
        let interval_ns = self.topics[index].channel.interval_ns().unwrap_or(u64::MAX / 2);
        let interval_ns = self.setup.interval_ns.unwrap_or(interval_ns).max(1);
        self.due.push(Reverse((at_ns + interval_ns, index)));
        Some(index)
    }

    pub fn connect(&mut self, conn: Conn, peer: u32, class: &str, wrapped: bool) {
        let now_ns = self.now_ns;
        let connection = Connection {
            peer,
            class: class.to_owned(),
            wrapped,
            topics: Vec::new(),
            opened_ns: now_ns,
            heard_ns: now_ns,
            said_ns: now_ns,
            pinged_ns: None,
            heartbeat_ns: 0,
            known: false,
            inbound: Window::default(),
            requests: Window::default(),
            due_ns: now_ns,
            silent_until_ns: 0,
            closing: None,
            frozen: false,
            is_played: false,
            held: None,
        };
        self.conns.insert(conn, connection);
        self.count("connections");
    }

    pub fn connection(&self, conn: Conn) -> Option<&Connection> {
        self.conns.get(&conn).filter(|connection| !connection.frozen)
    }

    pub fn connection_mut(&mut self, conn: Conn) -> Option<&mut Connection> {
        self.conns.get_mut(&conn).filter(|connection| !connection.frozen)
    }

    /// The address of each client whose connection stands.
    pub fn peers(&self) -> impl Iterator<Item = u32> {
        self.conns.values().filter(|connection| !connection.frozen).map(|c| c.peer)
    }

    pub fn connections(&self) -> Vec<Conn> {
        self.conns.keys().copied().collect()
    }

    /// Spends a message of the client; whether the venue puts up with it.
    pub fn hear(&mut self, conn: Conn) -> bool {
        let (now_ns, limit) = (self.now_ns, self.setup.limits.inbound_per_s);
        let Some(connection) = self.connection_mut(conn) else { return false };
        connection.heard_ns = now_ns;
        connection.inbound.spend(1, (limit, 1_000_000_000), now_ns)
    }

    /// Spends a request that changes subscriptions; whether the venue puts up with it.
    pub fn request(&mut self, conn: Conn) -> bool {
        let (now_ns, limit) = (self.now_ns, self.setup.limits.requests);
        self.connection_mut(conn).is_some_and(|c| c.requests.spend(1, limit, now_ns))
    }

    /// Whether the connection may have so many topics more.
    pub fn has_room(&self, conn: Conn, more: usize) -> bool {
        let limit = self.setup.limits.topics_max;
        self.connection(conn).is_some_and(|c| c.topics.len().saturating_add(more) <= limit)
    }

    /// Whether the connection was not subscribed before.
    pub fn subscribe(&mut self, conn: Conn, topic: usize) -> bool {
        let Some(connection) = self.connection_mut(conn) else { return false };
        if connection.topics.contains(&topic) {
            return false;
        }
        connection.topics.push(topic);
        self.topics[topic].subscribers.push(conn);
        true
    }

    /// Whether it was subscribed.
    pub fn unsubscribe(&mut self, conn: Conn, topic: usize) -> bool {
        let Some(connection) = self.conns.get_mut(&conn) else { return false };
        let before = connection.topics.len();
        connection.topics.retain(|known| *known != topic);
        self.topics[topic].subscribers.retain(|known| *known != conn);
        self.conns.get(&conn).is_some_and(|c| c.topics.len() < before)
    }

    /// Says something that is no data: acknowledgements, pongs, notices.
    pub fn say(&mut self, conn: Conn, text: impl Into<Arc<str>>) {
        if self.connection(conn).is_some_and(|connection| connection.is_played) {
            // A machine answers nothing.
            return;
        }
        self.send(conn, Wire::Text(text.into()));
    }

    pub fn send(&mut self, conn: Conn, wire: Wire) {
        let (now_ns, latency_ns, jitter_ns) =
            (self.now_ns, self.setup.latency_ns, self.setup.jitter_ns);
        let jitter_ns = if jitter_ns > 0 { self.rng.below(jitter_ns) } else { 0 };
        let Some(connection) = self.connection_mut(conn) else { return };
        connection.said_ns = now_ns;
        connection.due_ns = connection.due_ns.max(now_ns + latency_ns + jitter_ns);
        let due_ns = connection.due_ns;
        self.out.push_back(Output { conn, due_ns, wire });
    }

    /// Closes a connection now.
    pub fn close(&mut self, conn: Conn, code: u16, reason: &'static str) {
        if self.connection(conn).is_some() {
            // A code of 1006 is never sent: it is what a client sees when nothing was.
            let wire = if code == 1006 { Wire::Reset } else { Wire::Close(code, reason) };
            self.send(conn, wire);
            self.count("closes");
        }
        self.forget(conn);
    }

    /// Closes a connection at a time to come.
    pub fn close_at(&mut self, conn: Conn, at_ns: u64, code: u16, reason: &'static str) {
        if let Some(connection) = self.connection_mut(conn) {
            connection.closing.get_or_insert((at_ns, code, reason));
        }
    }

    /// A machine plays on this connection, until it has played everything.
    pub fn play(&mut self, conn: Conn, until_ns: u64) {
        if let Some(connection) = self.connection_mut(conn) {
            connection.is_played = true;
        }
        self.close_at(conn, until_ns, 1000, "WS replay finished");
    }

    /// Closes a connection whose time has come; whether it did.
    pub fn closed_in_time(&mut self, conn: Conn) -> bool {
        let closing = self.connection(conn).and_then(|connection| connection.closing);
        let Some((_, code, reason)) = closing.filter(|(at_ns, ..)| *at_ns <= self.now_ns) else {
            return false;
        };
        self.close(conn, code, reason);
        true
    }

    /// The connection is gone.
    pub fn forget(&mut self, conn: Conn) {
        if let Some(connection) = self.conns.remove(&conn) {
            for topic in connection.topics {
                self.topics[topic].subscribers.retain(|known| *known != conn);
            }
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Says something to all subscribers of a topic.
    pub fn publish(&mut self, topic: usize, text: &str) {
        let subscribers = self.topics[topic].subscribers.clone();
        if subscribers.is_empty() {
            return;
        }
        if !matches!(self.topics[topic].channel, Channel::Image { .. }) {
            self.topics[topic].messages += 1;
        }
        let bare: Arc<str> = text.into();
        let mut wrapped: Option<Arc<str>> = None;
        for conn in subscribers {
            let envelope = self.connection(conn).is_some_and(|connection| connection.wrapped);
            let text = if envelope {
                let name = &self.topics[topic].name;
                let wrap = || format!(r#"{{"stream":"{name}","data":{bare}}}"#).into();
                wrapped.get_or_insert_with(wrap).clone()
            } else {
                bare.clone()
            };
            self.tell(conn, topic, text);
        }
    }

    /// Says a datum of a topic to one subscriber; this is where lines are faulty.
    pub fn tell(&mut self, conn: Conn, topic: usize, text: Arc<str>) {
        let Some(connection) = self.connection(conn) else { return };
        if connection.silent_until_ns > self.now_ns {
            return;
        }
        let (symbol, peer) = (self.topics[topic].symbol, connection.peer);
        self.sent.0 += 1;
        self.sent.1 += u64::try_from(text.len()).unwrap_or(0);
        let fault = self.strike_one(Point::Frame, symbol, Some(peer));
        let struck = match fault {
            Some(fault) => self.mistreat(conn, symbol, &text, fault),
            None => false,
        };
        if !struck {
            self.send(conn, Wire::Text(text));
        } else if let Some(fault) = fault {
            self.faults.count(fault);
        }
        // What was held back by a reordering follows the next frame.
        if fault != Some(Fault::Reorder)
            && let Some(held) = self.connection_mut(conn).and_then(|c| c.held.take())
        {
            self.send(conn, held);
        }
    }

    /// Whether the fault could happen; then the frame was dealt with.
    fn mistreat(
        &mut self,
        conn: Conn,
        symbol: Option<usize>,
        text: &Arc<str>,
        fault: Fault,
    ) -> bool {
        let sequenced = self.setup.venue.sequenced();
        let unseen = matches!(fault, Fault::Drop | Fault::Reorder | Fault::Silence(_));
        if unseen && !sequenced {
            // No client could notice, so no venue without sequences may be said to do it.
            return false;
        }
        match fault {
            Fault::Drop => self.own_up(conn, text),
            Fault::Duplicate => {
                self.send(conn, Wire::Text(text.clone()));
                self.send(conn, Wire::Text(text.clone()));
            }
            Fault::Corrupt | Fault::Truncate => {
                let text = damaged(text, fault, self.faults.rng());
                self.send(conn, Wire::Text(text));
            }
            Fault::WrongSymbol => match self.renamed(symbol, text) {
                Some(text) => self.send(conn, Wire::Text(text)),
                None => return false,
            },
            Fault::Checksum => {
                // Where a checksum is 0 or missing there is none to be wrong.
                let wrong = text.replace(r#""checksum":0"#, r#""checksum":-77129653"#);
                if *wrong == **text {
                    return false;
                }
                self.send(conn, Wire::Text(wrong.into()));
            }
            Fault::Dribble(ns) => {
                self.send(conn, Wire::Dribble(text.clone(), ns));
                // What is said later comes later: TCP keeps the order.
                if let Some(connection) = self.connection_mut(conn) {
                    connection.due_ns += ns;
                }
            }
            Fault::Reorder => match self.connection_mut(conn) {
                Some(connection) if connection.held.is_none() => {
                    connection.held = Some(Wire::Text(text.clone()));
                }
                _ => return false,
            },
            _ => return self.break_line(conn, text, fault),
        }
        true
    }

    /// Faults of the connection rather than of the frame.
    fn break_line(&mut self, conn: Conn, text: &Arc<str>, fault: Fault) -> bool {
        let now_ns = self.now_ns;
        let latency_ns = self.setup.latency_ns;
        match fault {
            Fault::Delay(ns) | Fault::Stall(ns) => {
                if let Some(connection) = self.connection_mut(conn) {
                    connection.due_ns = connection.due_ns.max(now_ns + latency_ns + ns);
                }
                self.send(conn, Wire::Text(text.clone()));
            }
            Fault::Silence(ns) => {
                if let Some(connection) = self.connection_mut(conn) {
                    connection.silent_until_ns = now_ns + ns;
                }
            }
            Fault::HalfOpen => {
                self.send(conn, Wire::Freeze);
                if let Some(connection) = self.conns.get_mut(&conn) {
                    connection.frozen = true;
                }
            }
            Fault::Reset => {
                self.send(conn, Wire::Reset);
                self.forget(conn);
            }
            Fault::Close(code) => self.close(conn, code, "simulated"),
            Fault::Shutdown(ns) => {
                self.send(conn, Wire::Text(text.clone()));
                if let Some(notice) = self.setup.venue.shutdown_notice(now_ns, self.wraps(conn)) {
                    self.say(conn, notice);
                }
                self.close_at(conn, now_ns + ns, 1001, "going away");
            }
            _ => return false,
        }
        true
    }

    /// Some sources say themselves what they have lost.
    fn own_up(&mut self, conn: Conn, text: &str) {
        let class = self.connection(conn).map_or("", |connection| connection.class.as_str());
        if let Some(notice) = self.setup.venue.gap_notice(class, text) {
            self.say(conn, notice);
        }
    }

    fn wraps(&self, conn: Conn) -> bool {
        self.connection(conn).is_some_and(|connection| connection.wrapped)
    }

    fn renamed(&mut self, symbol: Option<usize>, text: &str) -> Option<Arc<str>> {
        let own = &self.symbol(symbol?).spec.name;
        let symbols = self.market.symbols();
        let other = symbols.iter().map(|s| &s.spec.name).find(|name| *name != own)?;
        let text = text.replace(own.as_str(), other);
        Some(text.replace(&own.to_lowercase(), &other.to_lowercase()).into())
    }

    /// The best levels of a symbol if they are not those that the topic told last.
    pub fn new_best(&mut self, topic: usize) -> bool {
        let Some(symbol) = self.topics[topic].symbol else { return false };
        let truth = &self.market.symbols()[symbol].truth;
        let best = best_levels(truth);
        let changed = best.is_some() && self.topics[topic].best != best;
        self.topics[topic].best = best;
        changed
    }
}

fn best_levels(book: &Book) -> Option<(i64, i64, i64, i64)> {
    let (bid, ask) = (book.best(Side::Bid)?, book.best(Side::Ask)?);
    Some((bid.ticks, bid.lots, ask.ticks, ask.lots))
}

/// The same with the best bid at the best ask.
fn crossed(book: &Book) -> Option<Book> {
    let ask = book.best(Side::Ask)?;
    let mut book = book.clone();
    book.set(Side::Bid, ask.ticks, ask.lots);
    Some(book)
}

/// A frame that no strict reader takes. A byte that JSON has no place for, and not any other byte:
/// a changed digit would make a wrong book that nobody can tell from a right one.
fn damaged(text: &str, fault: Fault, rng: &mut Rng) -> Arc<str> {
    let len = u64::try_from(text.len()).unwrap_or(0);
    let at = usize::try_from(rng.between(1, len.saturating_sub(1).max(1))).unwrap_or(1);
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (head, tail) = text.split_at(at);
    if fault == Fault::Truncate {
        return head.into();
    }
    let mut tail = tail.chars();
    tail.next();
    format!("{head}\u{1}{}", tail.as_str()).into()
}
