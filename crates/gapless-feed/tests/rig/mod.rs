//! A feed with a virtual clock whose world is the test.
#![allow(dead_code, reason = "each test uses a part of it")]

use gapless_book::event::{Body, Event};
use gapless_book::local::{Outcome, Reason, State};
use gapless_feed::source::Secret;
use gapless_feed::{Command, ConnId, Feed, FetchId, SharedGate, SourceConfig, TopicConfig, Why};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::registry::VenueId;
use gapless_venues::session::{Handler, LineId, Watcher, Wire};
use gapless_venues::venue::HttpAnswer;
use gapless_venues::wire::Reject;

pub const MS: i64 = 1_000_000;
pub const S: i64 = 1_000 * MS;
pub const SNAPSHOT: &str = r#"{"lastUpdateId":100,"bids":[["10.0","1"]],"asks":[["11.0","1"]]}"#;

/// A source of spot books.
pub fn spot(symbols: &[&str]) -> SourceConfig {
    source(VenueId::BinanceSpot, "depth", symbols)
}

pub fn source(venue: VenueId, channel: &str, symbols: &[&str]) -> SourceConfig {
    let topic =
        |symbol: &&str| TopicConfig { channel: channel.to_owned(), symbol: (*symbol).to_owned() };
    let config = SourceConfig::new("test", venue, symbols.iter().map(topic).collect());
    // Each request of a test is one that it is about, and most frames bear one stamp for ever.
    SourceConfig { lists_ns: None, late_ns: 0, ..config }
}

pub fn delta(symbol: &str, first: i64, last: i64) -> String {
    let stream = symbol.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@depth@100ms","data":{{"e":"depthUpdate","E":1763600000123,"s":"{symbol}","U":{first},"u":{last},"b":[["10.0","{last}"]],"a":[]}}}}"#
    )
}

/// Keeps the states that were told.
#[derive(Default)]
pub struct Told {
    line: u32,
    pub states: Vec<(u32, String, State)>,
    pub moved: Vec<(u32, u32)>,
    /// Trades that were told.
    pub trades: usize,
    /// Frames that were refused.
    pub rejects: usize,
    /// Binary frames that came.
    pub binary: usize,
    /// Whose each thing was that passed over a connection.
    pub passed: Vec<(u32, &'static str)>,
}

impl Handler for Told {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.trades += usize::from(matches!(event.body, Body::Trade(_)));
    }

    fn book(&mut self, _: BookId, book: &BookEntry, _: &Outcome) {
        let state = (self.line, book.symbol.clone(), book.local.state().0);
        let last = self.states.iter().rev().find(|(l, s, _)| *l == state.0 && *s == state.1);
        if last != Some(&state) {
            self.states.push(state);
        }
    }

    fn reject(&mut self, _: &Reject<'_>) {
        self.rejects += 1;
    }
}

impl Watcher for Told {
    fn line(&mut self, line: LineId) {
        self.line = line.0;
    }

    fn wire(&mut self, _: i64, wire: &Wire<'_>) {
        self.binary += usize::from(matches!(wire, Wire::Binary(_)));
        let what = match wire {
            Wire::Opened(_) => "opened",
            Wire::Sent(_) => "sent",
            Wire::Text(_) => "text",
            Wire::Answer { .. } => "answer",
            Wire::Closed(_) => "closed",
            _ => "other",
        };
        self.passed.push((self.line, what));
    }

    fn moved(&mut self, from: LineId, to: LineId) {
        self.moved.push((from.0, to.0));
    }
}

pub struct Rig {
    pub feed: Feed,
    pub now: i64,
    pub told: Told,
    pub urls: Vec<String>,
    pub headers: Vec<(String, String)>,
    posted: Vec<(String, String)>,
    pub sent: Vec<String>,
    pub sends: Vec<(ConnId, i64)>,
    pub closed: Vec<ConnId>,
    pub moved: Vec<(u32, u32)>,
    pub commands: Vec<Command>,
    pub pings: usize,
    pub fetches_made: usize,
    pub answered: usize,
    attempts: Vec<ConnId>,
    accepted: Option<ConnId>,
    fetches: Vec<(FetchId, String)>,
}

impl Rig {
    pub fn new(config: SourceConfig) -> Self {
        let gate = SharedGate::new(&config.live());
        let feed = Feed::new(config, gate, 7).unwrap();
        let mut rig = Self {
            feed,
            now: 1_763_600_000 * S,
            told: Told::default(),
            urls: Vec::new(),
            headers: Vec::new(),
            posted: Vec::new(),
            sent: Vec::new(),
            sends: Vec::new(),
            closed: Vec::new(),
            moved: Vec::new(),
            commands: Vec::new(),
            pings: 0,
            fetches_made: 0,
            answered: 0,
            attempts: Vec::new(),
            accepted: None,
            fetches: Vec::new(),
        };
        rig.feed.start(rig.now, &mut rig.told);
        rig.drain();
        rig
    }

    fn drain(&mut self) {
        while let Some(command) = self.feed.next_command() {
            self.commands.push(command.clone());
            match command {
                Command::Connect { conn, url, headers, .. } => {
                    self.headers = headers;
                    self.urls.push(url);
                    self.attempts.push(conn);
                }
                Command::Send { conn, text } => {
                    self.sent.push(text);
                    self.sends.push((conn, self.now));
                }
                Command::Ping { .. } => self.pings += 1,
                Command::Close { conn } => {
                    self.attempts.retain(|attempt| *attempt != conn);
                    self.closed.push(conn);
                }
                Command::Fetch { id, url, body, .. } => {
                    self.posted.extend(body.map(|body| (url.clone(), body)));
                    self.fetches_made += 1;
                    self.fetches.push((id, url));
                }
                _ => {}
            }
        }
        self.moved.clone_from(&self.told.moved);
    }

    /// Lets time pass, ticking when the feed wants it.
    pub fn run(&mut self, ns: i64) {
        let end = self.now + ns;
        while self.now < end {
            self.now = self.feed.deadline(self.now).clamp(self.now + 1, end);
            self.feed.tick(self.now, &mut self.told);
            self.drain();
        }
    }

    /// Lets time pass with one tick at its end.
    pub fn advance(&mut self, ns: i64) {
        self.now += ns;
        self.feed.tick(self.now, &mut self.told);
        self.drain();
    }

    pub fn pending_connects(&self) -> usize {
        self.attempts.len()
    }

    /// The next attempt, however long it takes to come.
    pub fn attempt(&mut self) -> ConnId {
        for _ in 0..10_000 {
            if !self.attempts.is_empty() {
                return self.attempts.remove(0);
            }
            self.run(10 * MS);
        }
        panic!("no attempt")
    }

    pub fn open(&mut self, conn: ConnId) {
        self.feed.opened(conn, self.now, &mut self.told);
        self.drain();
    }

    pub fn accept(&mut self) -> ConnId {
        let conn = self.attempt();
        self.open(conn);
        self.accepted = Some(conn);
        conn
    }

    pub fn connect(&mut self) -> ConnId {
        self.accept()
    }

    pub fn frame(&mut self, conn: ConnId, text: &str) {
        self.feed.frame(conn, self.now, text.as_bytes(), &mut self.told);
        self.drain();
    }

    pub fn binary(&mut self, conn: ConnId, bytes: &[u8]) {
        self.feed.binary(conn, self.now, bytes, &mut self.told);
        self.drain();
    }

    pub fn lose(&mut self, conn: ConnId, why: &Why) {
        self.feed.closed(conn, why, self.now, &mut self.told);
        self.drain();
    }

    pub fn stop(&mut self) {
        self.feed.stop(self.now, &mut self.told);
        self.drain();
    }

    pub fn fetch_urls(&self) -> Vec<String> {
        self.fetches.iter().map(|(_, url)| url.clone()).collect()
    }

    /// What was posted so far.
    pub fn posts(&self) -> Vec<(String, String)> {
        self.posted.clone()
    }

    pub fn set_key(&mut self, key: &str) {
        self.feed.set_key(Secret::new(key), self.now, &mut self.told);
        self.drain();
    }

    /// Answers the oldest request.
    pub fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        if self.fetches.is_empty() {
            return;
        }
        let (id, _) = self.fetches.remove(0);
        let now_ms = self.now / MS;
        let answer = HttpAnswer { status, headers, body: body.as_bytes(), now_ms };
        self.feed.answered(id, &answer, self.now, &mut self.told);
        self.drain();
    }

    /// The oldest request was answered, and nobody read it in time.
    pub fn answer_late(&mut self) {
        let (id, _) = self.fetches.remove(0);
        self.feed.fetch_unread(id, self.now);
        self.drain();
    }

    /// Answers the request of an address.
    pub fn answer_to(&mut self, url: &str, body: &str) {
        let at = self.fetches.iter().position(|(_, asked)| asked == url).unwrap();
        self.fetches.swap(0, at);
        self.answer(200, &[], body);
    }

    /// The connection that was accepted last.
    pub fn conn(&self) -> ConnId {
        self.accepted.unwrap()
    }

    /// The peer of that connection is there.
    pub fn hear(&mut self) {
        if let Some(conn) = self.accepted {
            self.feed.heard(conn, self.now);
        }
    }

    /// A connection on which a book is live at 101.
    pub fn live(&mut self, symbol: &str) -> ConnId {
        let conn = self.connect();
        self.frame(conn, r#"{"result":null,"id":1}"#);
        self.frame(conn, &delta(symbol, 95, 101));
        self.answer(200, &[], SNAPSHOT);
        assert_eq!(self.state(symbol).0, State::Live);
        conn
    }

    /// State of a book on the connection that is shown.
    pub fn state(&self, symbol: &str) -> (State, Reason) {
        let shown = self.feed.sessions().filter(|(line, _)| !self.feed.is_standby(*line));
        let mut books = shown.flat_map(|(_, session)| session.books().iter());
        let found = books.find(|(_, entry)| entry.symbol == symbol);
        found.map(|(_, entry)| entry.local.state()).unwrap()
    }

    /// States of a symbol on the first connection, repeats left out.
    pub fn states_seen(&self, symbol: &str) -> Vec<State> {
        let own = self.told.states.iter().filter(|(line, s, _)| *line == 0 && s == symbol);
        own.map(|(.., state)| *state).collect()
    }
}
