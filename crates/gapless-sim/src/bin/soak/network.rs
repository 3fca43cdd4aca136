//! One session: an exchange, the network between, and a feed, until the exchange is calm and every
//! book is live again.

use crate::judge::{Judge, seq_of, symbol_of};
use gapless_feed::source::Secret;
use gapless_feed::{
    Command, ConnId, Feed, FetchId, LineConfig, SharedGate, SourceConfig, TopicConfig, Why,
};
use gapless_sim::exchange::faults::KINDS;
use gapless_sim::exchange::{
    Answer, BodyFault, Exchange, Fault, Faults, Incoming, Output, Request, Rule, Setup, Venue,
    When, Wire,
};
use gapless_sim::profile::Profile;
use gapless_sim::rng::Rng;
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::venue::{HttpAnswer, Market};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::fmt;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// Virtual time begins here.
const START: u64 = 1_763_600_000 * SECOND;
/// Things go wrong for so long.
const TROUBLE: u64 = 6 * SECOND;
/// Every book must be live so long after they stopped: a ban, the slowest back-off, a snapshot.
const CALM: u64 = 400 * SECOND;
/// A round trip.
const TRIP: u64 = 10 * MS;
/// A live book may be so old: silence of a connection, its ping, a coarse tick.
const OLD: u64 = 20 * SECOND;

/// Time between two looks at the lists of instruments, ns.
const LISTS: i64 = 700_000_000;

/// Until a book was seen, nothing contradicts that it is empty.
const EMPTY: Fault = Fault::EmptySnapshot;
const EMPTY_CHANCE: u32 = 150_000;

/// Steps at one instant: more are a loop without end.
const AT_ONCE_MAX: u32 = 10_000;

const VENUES: [(Venue, VenueId, &str); 9] = [
    (Venue::BinanceSpot, VenueId::BinanceSpot, "depth@100ms"),
    (Venue::BinanceUs, VenueId::BinanceUs, "depth@100ms"),
    (Venue::BinanceUsdm, VenueId::BinanceUsdm, "depth@100ms"),
    (Venue::BinanceCoinm, VenueId::BinanceCoinm, "depth@100ms"),
    (Venue::Bybit, VenueId::Bybit, "orderbook.50"),
    (Venue::Okx, VenueId::Okx, "books"),
    (Venue::Deribit, VenueId::Deribit, "book.100ms"),
    (Venue::Tardis, VenueId::Tardis, "book_change"),
    (Venue::Relay, VenueId::Relay, "book_depth_20"),
];

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub venue: &'static str,
    pub virtual_ns: u64,
    pub checked: u64,
    pub gaps: u64,
    pub resyncs: u64,
    pub connects: u64,
    pub faults: BTreeMap<String, u64>,
    /// How long each lost connection was waited with, ms, and how often.
    pub waits: BTreeMap<u64, u64>,
    /// The same of each request that had failed.
    pub waits_to_ask: BTreeMap<u64, u64>,
    pub trace: u64,
    /// Promises that were broken.
    pub broken: Vec<String>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.virtual_ns / SECOND;
        write!(f, "{}, {s} virtual seconds, {} publications", self.venue, self.checked)?;
        for broken in &self.broken {
            write!(f, "\n  {broken}")?;
        }
        if !self.broken.is_empty() {
            let struck = self.faults.iter().map(|(fault, times)| format!("{fault} {times}"));
            write!(f, "\n  went wrong: {}", struck.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// What reaches the feed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Arrival {
    Opened(u64),
    Refused(u64, u16, Option<u64>),
    Text(u64, std::sync::Arc<str>),
    Heard(u64),
    Closed(u64, Option<u16>),
    Broken(u64),
    Answered(u64, u16, Vec<(String, String)>, Vec<u8>),
    Unanswered(u64),
}

/// See the module's page.
pub struct Session {
    exchange: Exchange,
    feed: Feed,
    judge: Judge,
    venue: &'static str,
    symbols: Vec<String>,
    now: u64,
    /// What is on its way, by time and order.
    flying: BinaryHeap<Reverse<(u64, u64, Arrival)>>,
    sent: u64,
    attempts: HashSet<u64>,
    /// When the last attempt of a place ended.
    ended: BTreeMap<u32, u64>,
    waits: BTreeMap<u64, u64>,
    /// Requests without an answer yet.
    asked: BTreeMap<u64, String>,
    /// Requests that failed, and when.
    failed: BTreeMap<String, u64>,
    waits_to_ask: BTreeMap<u64, u64>,
    connects: u64,
    /// Empty snapshots are to come.
    empties: bool,
}

impl Session {
    pub fn new(seed: u64, tells: bool) -> Self {
        let mut rng = Rng::new(seed ^ 0x50a1);
        let (venue, id, channel) = VENUES[rng.below(VENUES.len() as u64) as usize];
        let mut setup = Setup::new(venue, seed, START).symbols(2).profile(Profile::SMALL_CAP);
        setup = setup.faults(swarm(seed));
        setup.latency_ns = rng.below(20) * MS;
        setup.jitter_ns = rng.below(10) * MS;
        let exchange = Exchange::new(setup);
        let wanted = |class: &str| match venue {
            Venue::Bybit => class == "linear",
            Venue::Relay => class == "binance",
            _ => true,
        };
        let listed = exchange.symbols().filter(|(_, class)| wanted(class));
        let listed: Vec<_> = listed.collect();
        let symbols = listed.iter().map(|(name, _)| (*name).to_owned()).collect();
        let topic = |(name, class): &(&str, &str)| {
            let is_foreign = matches!(venue, Venue::Tardis | Venue::Relay);
            let prefix = if is_foreign { format!("{class}:") } else { String::new() };
            TopicConfig { channel: channel.to_owned(), symbol: format!("{prefix}{name}") }
        };
        let mut config = SourceConfig::new("soak", id, listed.iter().map(topic).collect());
        if venue == Venue::Bybit {
            config.market = Market::Linear;
        }
        if venue == Venue::Relay {
            config.flavour = Flavour::PREFIXED;
            config.key = Some(Secret::new("sim-key"));
        }
        config.silence_ns = 5_000_000_000;
        let lines = 1 + rng.below(3).min(1);
        config.lines.resize_with(lines as usize, LineConfig::default);
        let empties = rng.chance(500);
        // As often as nobody asks, so that six seconds see many of them.
        config.lists_ns = rng.chance(500).then_some(LISTS);
        let gate = SharedGate::new(&config.live());
        let feed = Feed::new(config, gate, seed).expect("topics");
        let mut session = Self::with(venue.name(), exchange, feed, symbols);
        session.judge.tells = tells;
        session.empties = empties;
        session
    }

    fn with(venue: &'static str, exchange: Exchange, feed: Feed, symbols: Vec<String>) -> Self {
        Self {
            exchange,
            feed,
            judge: Judge::default(),
            venue,
            symbols,
            now: START,
            flying: BinaryHeap::new(),
            sent: 0,
            attempts: HashSet::new(),
            ended: BTreeMap::new(),
            waits: BTreeMap::new(),
            asked: BTreeMap::new(),
            failed: BTreeMap::new(),
            waits_to_ask: BTreeMap::new(),
            connects: 0,
            empties: false,
        }
    }

    /// 64 symbols for some seconds, one of them wrong in every way or not: what was published of
    /// each, as a number.
    #[cfg(test)]
    pub fn one_of_many(bad: Option<usize>) -> (Vec<String>, BTreeMap<String, u64>) {
        let setup = Setup::new(Venue::BinanceSpot, 11, START).symbols(64).profile(Profile::THIN);
        let mut exchange = Exchange::new(setup);
        let symbols: Vec<String> = exchange.symbols().map(|(name, _)| name.to_owned()).collect();
        if let Some(bad) = bad.and_then(|at| symbols.get(at)) {
            for (fault, when) in [
                (Fault::Drop, When::Every(13)),
                (Fault::Duplicate, When::Every(7)),
                (Fault::Corrupt, When::Every(29)),
                (Fault::CrossedSnapshot, When::Every(3)),
                (Fault::SequenceReset, When::Every(2)),
            ] {
                exchange.trouble(Rule::new(fault, when).of(bad));
            }
        }
        let channel = "depth@100ms".to_owned();
        let topic =
            |symbol: &String| TopicConfig { channel: channel.clone(), symbol: symbol.clone() };
        let topics = symbols.iter().map(topic).collect();
        let config = SourceConfig::new("soak", VenueId::BinanceSpot, topics);
        let gate = SharedGate::new(&config.live());
        let feed = Feed::new(config, gate, 11).expect("topics");
        let mut session = Self::with("soak", exchange, feed, symbols);
        session.feed.start(time(session.now), &mut session.judge);
        session.obey();
        session.until(START + 8 * SECOND, |_| false);
        assert_eq!(session.judge.broken, Vec::<String>::new());
        (session.symbols, session.judge.traces)
    }

    /// Plays it to its end.
    pub fn play(mut self) -> Ended {
        self.feed.start(time(self.now), &mut self.judge);
        self.obey();
        self.until(START + TROUBLE, |_| false);
        self.exchange.calm();
        let faults = self.exchange.fault_counts().clone();
        let calm = self.now + CALM;
        self.until(calm, Self::is_well);
        if self.judge.broken.is_empty() && !self.is_well() {
            let states = self.states().map(|(symbol, state)| format!("{symbol} {state}"));
            let states = states.collect::<Vec<_>>().join(", ");
            self.judge.broken.push(format!("G8: not live {CALM} ns after the trouble: {states}"));
        }
        for (limit, count) in self.exchange.counts() {
            if limit.starts_with("limit:") && *count > 0 {
                self.judge.broken.push(format!("G9: {limit} {count} times"));
            }
        }
        let books = || self.feed.sessions().flat_map(|(_, session)| session.books().iter());
        let counters = books().map(|(_, entry)| *entry.local.counters());
        let (gaps, resyncs) =
            counters.fold((0, 0), |(gaps, resyncs), c| (gaps + c.gaps, resyncs + c.resyncs));
        Ended {
            venue: self.venue,
            virtual_ns: self.now - START,
            checked: self.judge.checked,
            gaps,
            resyncs,
            connects: self.connects,
            faults,
            waits: self.waits,
            waits_to_ask: self.waits_to_ask,
            trace: self.judge.trace,
            broken: self.judge.broken,
        }
    }

    /// Lets time pass until then, until something is broken, or until it is enough.
    fn until(&mut self, end: u64, enough: impl Fn(&Self) -> bool) {
        let mut look = self.now;
        let mut at_once = 0;
        while self.judge.broken.is_empty() {
            let flying = self.flying.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            let deadline = self.feed.deadline(time(self.now)).max(0).cast_unsigned();
            let next = self.exchange.next_ns().min(flying).min(deadline).max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            at_once = if next == self.now { at_once + 1 } else { 0 };
            if at_once > AT_ONCE_MAX {
                let ms = (self.now - START) / MS;
                self.judge.broken.push(format!("G8: time stands still at {ms} ms"));
            }
            self.step(next);
            if self.now >= look {
                look = self.now + 100 * MS;
                self.look_for_age();
                if self.empties && self.now < START + TROUBLE && self.is_well() {
                    self.empties = false;
                    self.exchange.trouble(Rule::new(EMPTY, When::Chance(EMPTY_CHANCE)));
                }
                if enough(self) {
                    return;
                }
            }
        }
    }

    fn step(&mut self, now: u64) {
        // A deadline that is not later than now is met by the tick below.
        self.now = now.max(self.now);
        self.judge.now = self.now - START;
        self.exchange.tick(self.now);
        self.take();
        while self.flying.peek().is_some_and(|Reverse((at, ..))| *at <= self.now) {
            if let Some(Reverse((_, _, arrival))) = self.flying.pop() {
                self.arrive(arrival);
                self.obey();
            }
        }
        if self.feed.deadline(time(self.now)) <= time(self.now) {
            self.feed.tick(time(self.now), &mut self.judge);
            self.obey();
        }
        self.judge.judge(&self.exchange);
    }

    /// A live book stands where the exchange stood not long ago.
    fn look_for_age(&mut self) {
        let old: Vec<String> = self
            .live()
            .filter_map(|(symbol, seq, heard)| {
                let behind = self.exchange.behind(symbol, seq);
                let silent = self.now.saturating_sub(heard);
                (behind != Some(0) && silent > OLD).then(|| {
                    format!(
                        "G5: {symbol} is live at {seq}, {behind:?} messages old, silent {silent}"
                    )
                })
            })
            .collect();
        self.judge.broken.extend(old);
    }

    fn live(&self) -> impl Iterator<Item = (&str, i64, u64)> {
        let shown = self.feed.sessions().filter(|(line, _)| !self.feed.is_standby(*line));
        let books = shown.flat_map(|(_, session)| session.books().iter());
        let live = books.filter(|(_, entry)| entry.local.live().is_some());
        live.filter_map(|(_, entry)| {
            let heard = entry.local.last_times().recv_ns.max(0).cast_unsigned();
            Some((symbol_of(entry), seq_of(entry)?, heard))
        })
    }

    fn states(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let shown = self.feed.sessions().filter(|(line, _)| !self.feed.is_standby(*line));
        let books = shown.flat_map(|(_, session)| session.books().iter());
        books.map(|(_, entry)| (symbol_of(entry), entry.local.state().1.name()))
    }

    /// Every symbol is live: none is delisted here, so nothing else is an end.
    fn is_well(&self) -> bool {
        let live =
            |symbol: &String| self.live().any(|(name, ..)| name.eq_ignore_ascii_case(symbol));
        self.symbols.iter().all(live)
    }

    fn fly(&mut self, at: u64, arrival: Arrival) {
        self.sent += 1;
        self.flying.push(Reverse((at, self.sent, arrival)));
    }

    /// Takes what the exchange sends.
    fn take(&mut self) {
        while let Some(Output { conn, due_ns, wire }) = self.exchange.poll() {
            let at = due_ns.max(self.now);
            match wire {
                Wire::Text(text) => self.fly(at, Arrival::Text(conn, text)),
                Wire::Dribble(text, over) => self.fly(at + over, Arrival::Text(conn, text)),
                Wire::Ping(payload) => {
                    self.exchange.receive(conn, Incoming::Pong(&payload), self.now);
                    self.fly(at, Arrival::Heard(conn));
                }
                Wire::Pong(_) => self.fly(at, Arrival::Heard(conn)),
                Wire::Close(code, _) => self.fly(at, Arrival::Closed(conn, Some(code))),
                Wire::Reset => self.fly(at, Arrival::Broken(conn)),
                Wire::Freeze => {}
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Refused(conn, ..) | Arrival::Closed(conn, _) | Arrival::Broken(conn) => {
                self.ended.insert(id(conn).place, self.now);
            }
            Arrival::Answered(fetch, 200, ..) => drop(self.asked.remove(&fetch)),
            Arrival::Answered(fetch, ..) | Arrival::Unanswered(fetch) => {
                if let Some(asked) = self.asked.remove(&fetch) {
                    self.failed.insert(asked, self.now);
                }
            }
            _ => {}
        }
        let (now, feed, judge) = (time(self.now), &mut self.feed, &mut self.judge);
        match arrival {
            Arrival::Opened(conn) => feed.opened(id(conn), now, judge),
            Arrival::Refused(conn, status, retry_after_s) => {
                let why = Why::Refused { status, retry_after_s };
                feed.closed(id(conn), &why, now, judge);
            }
            Arrival::Text(conn, text) => feed.frame(id(conn), now, text.as_bytes(), judge),
            Arrival::Heard(conn) => feed.heard(id(conn), now),
            Arrival::Closed(conn, code) => feed.closed(id(conn), &Why::Closed(code), now, judge),
            Arrival::Broken(conn) => {
                feed.closed(id(conn), &Why::Broken("reset".to_owned()), now, judge);
            }
            Arrival::Answered(fetch, status, headers, body) => {
                let headers: Vec<_> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
                let now_ms = now / 1_000_000;
                let answer = HttpAnswer { status, headers: &headers, body: &body, now_ms };
                feed.answered(FetchId(fetch), &answer, now, judge);
            }
            Arrival::Unanswered(fetch) => feed.fetch_failed(FetchId(fetch), now),
        }
    }

    /// Does what the feed says.
    fn obey(&mut self) {
        while let Some(command) = self.feed.next_command() {
            match command {
                Command::Connect { conn, url, headers, .. } => self.connect(conn, &url, &headers),
                Command::Send { conn, text } => {
                    self.exchange.receive(number(conn), Incoming::Text(&text), self.now);
                }
                Command::Ping { conn } => {
                    self.exchange.receive(number(conn), Incoming::Ping(b"1"), self.now);
                }
                Command::Close { conn } => {
                    self.exchange.receive(number(conn), Incoming::Closed, self.now);
                }
                Command::Fetch { id, url, headers, body, .. } => {
                    self.fetch(id, &url, &headers, body.as_deref());
                }
                _ => {}
            }
        }
        self.take();
    }

    fn connect(&mut self, conn: ConnId, url: &str, headers: &[(String, String)]) {
        if !self.attempts.insert(number(conn)) {
            self.judge.broken.push(format!("G9: the attempt {conn:?} is made twice"));
        }
        self.connects += 1;
        if let Some(ended) = self.ended.remove(&conn.place) {
            *self.waits.entry((self.now - ended) / MS).or_default() += 1;
        }
        let headers: Vec<_> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let request = Request { headers: &headers, ..Request::get(target(url)) };
        let arrival = match self.exchange.connect(number(conn), &request, self.now) {
            Ok(()) => Arrival::Opened(number(conn)),
            Err(answer) => {
                let wait = answer.header("Retry-After").and_then(|text| text.parse().ok());
                Arrival::Refused(number(conn), answer.status, wait)
            }
        };
        self.fly(self.now, arrival);
    }

    fn fetch(
        &mut self,
        fetch: FetchId,
        url: &str,
        headers: &[(String, String)],
        body: Option<&str>,
    ) {
        let headers: Vec<_> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.unwrap_or("");
        let asked = format!("{url} {body}");
        if self.asked.values().any(|other| *other == asked) {
            self.judge.broken.push(format!("G9: {asked} is asked for twice at a time"));
        }
        if let Some(failed) = self.failed.remove(&asked) {
            *self.waits_to_ask.entry((self.now - failed) / MS).or_default() += 1;
        }
        self.asked.insert(fetch.0, asked);
        let request = Request { method, body, headers: &headers, ..Request::get(target(url)) };
        let answer = self.exchange.http(&request, self.now);
        let Answer { delay_ns, status, headers, body, body_fault } = answer;
        let at = self.now + TRIP + delay_ns;
        let headers = headers.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        match body_fault {
            BodyFault::Cut => self.fly(at, Arrival::Unanswered(fetch.0)),
            BodyFault::Dribble(over) => {
                self.fly(at + over, Arrival::Answered(fetch.0, status, headers, body));
            }
            BodyFault::None => self.fly(at, Arrival::Answered(fetch.0, status, headers, body)),
        }
    }
}

/// A random half of all faults, each at its usual chance.
fn swarm(seed: u64) -> Faults {
    let mut rng = Rng::new(seed ^ 0x5a11);
    let mut faults = Faults::none(seed);
    for (fault, chance) in KINDS {
        if *chance > 0 && rng.chance(500) && !matches!(*fault, Fault::WrongSymbol | EMPTY) {
            faults.add(Rule::new(*fault, When::Chance(*chance)));
        }
    }
    faults
}

/// The feed's clock.
fn time(now: u64) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// A connection attempt as the exchange numbers it.
fn number(conn: ConnId) -> u64 {
    u64::from(conn.place) << 32 | u64::from(conn.attempt)
}

fn id(conn: u64) -> ConnId {
    ConnId { place: (conn >> 32) as u32, attempt: conn as u32 }
}

/// Path and query of a URL.
fn target(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |slash| &rest[slash..])
}
