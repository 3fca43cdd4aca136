//! Simulated exchanges without sockets, clocks or threads.
//!
//! An [`Exchange`] is a market that goes on by itself from a seed and speaks one venue's words to
//! any number of clients. The caller brings time and bytes: it opens connections, hands over what
//! clients say, lets time pass with [`Exchange::tick`], and takes what is to be sent with
//! [`Exchange::poll`]. The same seed and the same calls give the same bytes.
//!
//! ```text
//!   connect, receive, http ─▶ Speaker (one venue's words) ─▶ Desk (topics, lines) ─▶ poll
//!                 tick ─▶ Market ─▶ topics ─▶ Speaker ─▶ Desk, faults ─▶ poll
//!                                      └─▶ History: the truth at each sequence
//! ```
//!
//! ```
//! use gapless_sim::exchange::{Exchange, Incoming, Request, Setup, Venue, Wire};
//!
//! let mut exchange = Exchange::new(Setup::new(Venue::BinanceSpot, 7, 0));
//! exchange.connect(1, &Request::get("/ws/btcusdt@depth@100ms"), 0).unwrap();
//! exchange.tick(1_000_000_000);
//! let frames: Vec<_> = std::iter::from_fn(|| exchange.poll()).collect();
//! assert!(matches!(&frames[0].wire, Wire::Text(text) if text.contains("depthUpdate")));
//! ```

mod binance;
mod budget;
mod bybit;
mod deribit;
mod desk;
pub mod faults;
mod history;
mod okx;
mod relay;
mod setup;
mod speaker;
mod tardis;
mod topic;
mod wire;

use std::collections::BTreeMap;

pub use budget::Limits;
pub use faults::{Fault, Faults, Rule, When};
pub use history::level_sum;
pub use setup::{Listing, Setup, Venue};
pub use wire::{Answer, BodyFault, Conn, Incoming, Output, Request, Wire};

use crate::book::Book;
use budget::Verdict;
use desk::Desk;
use faults::Point;
use history::History;
use speaker::{Said, Speaker, snapshot, whole};
use topic::{Channel, Ids};

const SECOND_NS: u64 = 1_000_000_000;
/// How long a machine takes to play, whatever time is asked for.
const PLAYED_NS: u64 = 3 * SECOND_NS;
const MIB: usize = 1 << 20;

/// A book as the exchange has it.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The stream's name, as clients subscribe to it.
    pub topic: String,
    /// The symbol.
    pub symbol: String,
    /// The sequence at which the book stood so.
    pub seq: i64,
    /// The book, cut to the stream's depth.
    pub book: Book,
}

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    desk: Desk,
    speaker: Box<dyn Speaker>,
    second_ns: u64,
    paused: bool,
}

impl Exchange {
    /// An exchange whose books are full and whose market begins now.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let speaker: Box<dyn Speaker> = match setup.venue {
            Venue::BinanceSpot | Venue::BinanceUs | Venue::BinanceUsdm | Venue::BinanceCoinm => {
                Box::new(binance::Binance::new(&setup))
            }
            Venue::Okx => Box::new(okx::Okx::new(&setup)),
            Venue::Deribit => Box::new(deribit::Deribit::new(&setup)),
            Venue::Bybit => Box::new(bybit::Bybit::new(&setup)),
            Venue::Tardis => Box::new(tardis::Tardis::new(&setup)),
            Venue::Relay => Box::new(relay::Relay::new(&setup)),
        };
        let second_ns = setup.start_ns + SECOND_NS;
        Self { desk: Desk::new(setup), speaker, second_ns, paused: false }
    }

    /// A client asks for a WebSocket.
    ///
    /// # Errors
    /// The answer, where it does not get one.
    pub fn connect(
        &mut self,
        conn: Conn,
        request: &Request<'_>,
        now_ns: u64,
    ) -> Result<(), Answer> {
        self.tick(now_ns);
        let Self { desk, speaker, .. } = self;
        let limits = desk.setup.limits;
        if desk.now_ns < desk.down_until_ns {
            return Err(speaker.failure(503));
        }
        if !desk.accounts.connect(request.peer, &limits, now_ns) {
            desk.count("limit: connects");
            return Err(speaker.refused(1, false));
        }
        if desk.peers().filter(|peer| *peer == request.peer).count() >= limits.connections_max {
            desk.count("limit: connections");
            return Err(speaker.refused(1, false));
        }
        let fault = desk.strike_one(Point::Upgrade, None, Some(request.peer));
        if let Some(fault @ Fault::Refuse(status)) = fault {
            desk.faults.count(fault);
            let answer = speaker.failure(status);
            let wait = matches!(status, 418 | 429);
            return Err(if wait { answer.with("Retry-After", 1) } else { answer });
        }
        let played = desk.setup.venue.played(request);
        let target = played.filter(|_| request.path() == "/ws-replay").unwrap_or(request.target);
        let access = speaker.upgrade(desk, &Request { target, ..*request })?;
        desk.connect(conn, request.peer, &access.class, access.wrapped);
        if played.is_some() {
            desk.play(conn, now_ns + PLAYED_NS);
        }
        speaker.opened(desk, conn, &access.topics);
        Ok(())
    }

    /// A client says something, or is gone.
    pub fn receive(&mut self, conn: Conn, incoming: Incoming<'_>, now_ns: u64) {
        self.tick(now_ns);
        let Self { desk, speaker, .. } = self;
        if incoming == Incoming::Closed {
            return desk.forget(conn);
        }
        if desk.connection(conn).is_none() {
            return;
        }
        if !desk.hear(conn) {
            desk.count("limit: messages");
            return speaker.too_many(desk, conn);
        }
        match incoming {
            Incoming::Text(text) => speaker.receive(desk, conn, text),
            Incoming::Binary => desk.close(conn, 1003, "text only"),
            Incoming::Ping(payload) => desk.send(conn, Wire::Pong(payload.to_vec())),
            Incoming::Pong(_) => {
                if let Some(connection) = desk.connection_mut(conn) {
                    connection.pinged_ns = None;
                }
            }
            Incoming::Closed => {}
        }
    }

    /// A client asks something over HTTP.
    pub fn http(&mut self, request: &Request<'_>, now_ns: u64) -> Answer {
        self.tick(now_ns);
        self.prepare_snapshot(request);
        let Self { desk, speaker, .. } = self;
        desk.count("requests");
        if desk.now_ns < desk.down_until_ns {
            return speaker.failure(503);
        }
        let (weight, limits) = (speaker.weight(request), desk.setup.limits);
        let used = match desk.accounts.spend(request.peer, weight, &limits, now_ns) {
            Verdict::Granted(used) => used,
            Verdict::Refused(wait_s) => {
                desk.count("limit: weight");
                return speaker.refused(wait_s, false);
            }
            Verdict::Banned(wait_s) => {
                desk.count("limit: banned");
                return speaker.refused(wait_s, true);
            }
        };
        let fault = desk.strike_one(Point::Http, None, Some(request.peer));
        let mut answer = match fault {
            Some(Fault::Status(status)) => {
                let wait = if status == 418 { 2 } else { 1 };
                speaker.failure(status).with("Retry-After", wait)
            }
            Some(Fault::Html(status)) => html(status),
            Some(Fault::ErrorBody) => speaker.error_body(),
            Some(Fault::HugeBody(mib)) => Answer::json(vec![b' '; mib as usize * MIB]),
            _ => speaker.http(desk, request),
        };
        answer.delay_ns = desk.setup.rest_ns;
        match fault {
            Some(Fault::Slow(ns)) => answer.delay_ns += ns,
            Some(Fault::SlowBody(ns)) => answer.body_fault = BodyFault::Dribble(ns),
            Some(Fault::Cut) => answer.body_fault = BodyFault::Cut,
            _ => {}
        }
        if let Some(fault) = fault {
            desk.faults.count(fault);
        }
        speaker.spent(answer, used)
    }

    /// Chooses what is wrong with the snapshot that is asked for.
    fn prepare_snapshot(&mut self, request: &Request<'_>) {
        let Some(symbol) = self.speaker.wants_book(&self.desk, request) else { return };
        let fault = self.desk.strike(Point::Snapshot, Some(symbol));
        if let Some(fault @ Fault::LateSnapshot(ns)) = fault {
            // What happens meanwhile is on its way already, and due later than this answer.
            self.tick(self.desk.now_ns.saturating_add(ns));
            self.desk.faults.count(fault);
        }
        self.desk.snapshot_fault = fault;
    }

    /// When something happens next without anybody asking.
    #[must_use]
    pub fn next_ns(&self) -> u64 {
        if self.paused {
            return self.second_ns;
        }
        let market_ns = self.desk.market.next_ns().unwrap_or(u64::MAX);
        market_ns.min(self.desk.next_due_ns()).min(self.second_ns)
    }

    /// Lets everything happen that is due. Time never goes back: an earlier time is now.
    pub fn tick(&mut self, now_ns: u64) {
        while self.next_ns() <= now_ns {
            let market_ns = self.desk.market.next_ns().unwrap_or(u64::MAX);
            let due_ns = self.desk.next_due_ns();
            if self.second_ns <= market_ns.min(due_ns) || self.paused {
                self.desk.now_ns = self.desk.now_ns.max(self.second_ns);
                self.second_ns += SECOND_NS;
                self.second();
            } else if due_ns <= market_ns {
                self.desk.now_ns = self.desk.now_ns.max(due_ns);
                if let Some(topic) = self.desk.take_due() {
                    self.flush(topic);
                }
            } else {
                self.desk.now_ns = self.desk.now_ns.max(market_ns);
                self.step();
            }
        }
        self.desk.now_ns = self.desk.now_ns.max(now_ns);
    }

    /// The next thing to send, in the order things happened.
    pub fn poll(&mut self) -> Option<Output> {
        self.desk.poll()
    }

    /// The market stands still (connections are kept), or goes on.
    pub fn pause(&mut self, paused: bool) {
        if self.paused && !paused {
            self.desk.market.catch_up(self.desk.now_ns);
        } else if paused && !self.paused {
            // What happened is told, so that the newest truth is what clients have.
            (0..self.desk.topics().len()).for_each(|topic| self.flush(topic));
        }
        self.paused = paused;
    }

    /// From now on nothing goes wrong.
    pub fn calm(&mut self) {
        self.desk.faults.stop();
    }

    /// One more thing goes wrong.
    pub fn trouble(&mut self, rule: Rule) {
        self.desk.faults.add(rule);
    }

    /// Ends every connection, or those of one client address, with an RST.
    pub fn cut(&mut self, peer: Option<u32>) {
        for conn in self.desk.connections() {
            let own = |c: &desk::Connection| peer.is_none_or(|peer| peer == c.peer);
            if self.desk.connection(conn).is_some_and(own) {
                self.desk.close(conn, 1006, "cut");
            }
        }
    }

    /// The address of each client that is connected.
    #[must_use]
    pub fn peers(&self) -> Vec<u32> {
        self.desk.peers().collect()
    }

    /// The books of a symbol that are streamed, as they stood at a sequence, or now.
    ///
    /// `name` is a topic's name or a symbol's, which may have several: streams of several depths,
    /// or of several parts of the venue. Only sequences of the last few thousand messages are
    /// known.
    #[must_use]
    pub fn truths(&self, name: &str, seq: Option<i64>) -> Vec<Truth> {
        let mut found = Vec::new();
        for topic in self.desk.topics() {
            let (Some(symbol), Some(stream)) = (topic.symbol, &topic.stream) else { continue };
            let symbol = &self.desk.symbol(symbol).spec.name;
            if topic.name != name && !symbol.eq_ignore_ascii_case(name) {
                continue;
            }
            let seq = seq.unwrap_or_else(|| stream.history.seq());
            if let Some(book) = stream.history.at(seq) {
                let (topic, symbol) = (topic.name.clone(), symbol.clone());
                found.push(Truth { topic, symbol, seq, book });
            }
        }
        found
    }

    /// Whether a stream of the symbol has stood at `seq` with a book of this sum of
    /// [`level_sum`]s; `None` if no stream of it is known.
    #[must_use]
    pub fn stood(&self, symbol: &str, seq: i64, sum: u64) -> Option<bool> {
        let mut streams = self.streams(symbol).peekable();
        streams.peek()?;
        Some(streams.any(|history| history.stood(seq, sum)))
    }

    /// Messages of the symbol's stream since it last stood at `seq`, the fewest of its streams.
    #[must_use]
    pub fn behind(&self, symbol: &str, seq: i64) -> Option<usize> {
        self.streams(symbol).filter_map(|history| history.behind(seq)).min()
    }

    fn streams<'a>(&'a self, symbol: &'a str) -> impl Iterator<Item = &'a History> + 'a {
        self.desk.topics().iter().filter_map(move |topic| {
            let named = &self.desk.symbol(topic.symbol?).spec.name;
            let stream = topic.stream.as_ref()?;
            named.eq_ignore_ascii_case(symbol).then_some(&stream.history)
        })
    }

    /// Names of the book topics that anybody ever subscribed to, with their newest sequence.
    pub fn books(&self) -> impl Iterator<Item = (&str, i64)> {
        let books = self.desk.topics().iter();
        books.filter_map(|t| Some((t.name.as_str(), t.stream.as_ref()?.history.seq())))
    }

    /// The symbols, with the part of the venue on which each is traded.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, &str)> {
        self.desk.setup.symbols.iter().map(|l| (l.spec.name.as_str(), l.class))
    }

    /// How often each fault struck.
    #[must_use]
    pub const fn fault_counts(&self) -> &BTreeMap<String, u64> {
        self.desk.faults.counts()
    }

    /// Data frames for clients so far, and their bytes.
    #[must_use]
    pub const fn sent(&self) -> (u64, u64) {
        self.desk.sent
    }

    /// What happened beside: `requests`, `connections`, `closes`, and each limit that a client met
    /// (`limit: …`).
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        self.desk.counts()
    }

    /// Which exchange this is.
    #[must_use]
    pub const fn venue(&self) -> Venue {
        self.desk.setup.venue
    }

    /// The market does something.
    fn step(&mut self) {
        let Self { desk, speaker, .. } = self;
        let activity = desk.market.step();
        let symbol = activity.symbol;
        for &(side, ticks) in &activity.touched {
            let id = speaker.touch(symbol);
            for topic in desk.topics_of(symbol) {
                if let Some(stream) = desk.topic_mut(topic).stream.as_mut() {
                    stream.touch(side, ticks, id);
                }
            }
        }
        for topic in desk.topics_of(symbol) {
            let known = desk.topic(topic);
            if known.subscribers.is_empty() {
                continue;
            }
            let channel = known.channel;
            let texts = match channel {
                Channel::Trades | Channel::Liquidations => {
                    speaker.activity(&known.name, channel, desk.symbol(symbol), &activity)
                }
                Channel::Best if desk.new_best(topic) => {
                    let seq = speaker.begin(symbol);
                    let (known, at_ns) = (desk.topic(topic), activity.at_ns);
                    let text = speaker.best(&known.name, desk.symbol(symbol), seq, at_ns);
                    text.into_iter().collect()
                }
                _ => Vec::new(),
            };
            texts.iter().for_each(|text| desk.publish(topic, text));
        }
    }

    /// A topic with a cadence speaks.
    fn flush(&mut self, topic: usize) {
        let Some(symbol) = self.desk.topic(topic).symbol else { return };
        if self.desk.gone[symbol] {
            return;
        }
        match self.desk.topic(topic).channel {
            Channel::Book { depth, touched, .. } => self.flush_book(topic, symbol, depth, touched),
            Channel::Image { depth, .. } => self.flush_image(topic, symbol, depth),
            _ => {}
        }
    }

    fn flush_book(&mut self, topic: usize, symbol: usize, depth: Option<usize>, touched: bool) {
        let Self { desk, speaker, .. } = self;
        let at_ns = desk.now_ns;
        let heartbeat_ns = speaker.heartbeat_ns();
        let Some(changes) = desk.take_changes(topic, symbol, (depth, touched), heartbeat_ns) else {
            return;
        };
        let Some(stream) = desk.topic_mut(topic).stream.as_mut() else { return };
        let ids = speaker.number(stream, changes.is_empty(), at_ns);
        stream.said(ids.last, &changes, at_ns);
        stream.fall = false;
        let restart = std::mem::take(&mut stream.restart);
        if desk.topic(topic).subscribers.is_empty() {
            return;
        }
        if restart {
            let text = snapshot(speaker.as_mut(), desk, topic);
            return desk.publish(topic, &text);
        }
        let known = desk.topic(topic);
        let Some(stream) = known.stream.as_ref() else { return };
        let text = speaker.book(&Said {
            symbol: desk.symbol(symbol),
            topic: &known.name,
            depth,
            snapshot: false,
            at_ns,
            ids,
            changes: &changes,
            image: stream.history.image(),
            message: known.messages,
        });
        desk.publish(topic, &text);
    }

    fn flush_image(&mut self, topic: usize, symbol: usize, depth: usize) {
        let Self { desk, speaker, .. } = self;
        let (at_ns, repeat_ns) = (desk.now_ns, speaker.repeat_ns());
        let known = desk.topic(topic);
        if known.subscribers.is_empty() {
            return;
        }
        let image = desk.symbol(symbol).truth.top(depth);
        let unchanged = known.shown.as_ref().is_some_and(|(shown, _)| *shown == image);
        if unchanged && known.shown.as_ref().is_some_and(|(_, said)| at_ns - said < repeat_ns) {
            return;
        }
        let seq = speaker.begin(symbol);
        let text = speaker.book(&Said {
            symbol: desk.symbol(symbol),
            topic: &known.name,
            depth: Some(depth),
            snapshot: true,
            at_ns,
            ids: Ids { first: seq, last: seq, prev: -1 },
            changes: &whole(&image),
            image: &image,
            message: known.messages,
        });
        let known = desk.topic_mut(topic);
        known.shown = Some((image, at_ns));
        // A repetition has the number of what it repeats.
        known.messages += i64::from(!unchanged);
        desk.publish(topic, &text);
    }

    /// A second passed: faults of the venue, reference prices, and the clocks of connections.
    fn second(&mut self) {
        for symbol in 0..self.desk.gone.len() {
            if let Some(fault) = self.desk.strike(Point::Second, Some(symbol))
                && self.befall(symbol, fault)
            {
                self.desk.faults.count(fault);
            }
        }
        let Self { desk, speaker, .. } = self;
        let at_ns = desk.now_ns;
        for topic in 0..desk.topics().len() {
            let known = desk.topic(topic);
            let seconds = match known.channel {
                Channel::Reference { seconds } => seconds,
                Channel::Ticker => 1,
                _ => continue,
            };
            let due = (at_ns / SECOND_NS).is_multiple_of(seconds) && !known.subscribers.is_empty();
            let Some(symbol) = known.symbol.filter(|_| due) else { continue };
            let first = known.messages == 0;
            let said = speaker.reference(&known.name, desk.symbol(symbol), first, at_ns);
            said.iter().for_each(|text| desk.publish(topic, text));
        }
        for conn in desk.connections() {
            let lifetime_ns = desk.setup.lifetime_ns;
            let old = desk.connection(conn).is_some_and(|c| at_ns - c.opened_ns >= lifetime_ns);
            if old {
                desk.close(conn, 1001, "lifetime");
            } else if !desk.closed_in_time(conn) {
                speaker.second(desk, conn);
            }
        }
    }

    /// A fault of the venue; whether it could happen.
    fn befall(&mut self, symbol: usize, fault: Fault) -> bool {
        let Self { desk, speaker, .. } = self;
        let now_ns = desk.now_ns;
        match fault {
            Fault::SequenceReset => return speaker.reset(desk, symbol),
            Fault::Maintenance(ns) => {
                desk.down_until_ns = now_ns + ns;
                for conn in desk.connections() {
                    desk.close(conn, 1001, "maintenance");
                }
                for symbol in 0..desk.gone.len() {
                    speaker.reset(desk, symbol);
                }
            }
            Fault::Delist => {
                desk.gone[symbol] = true;
                desk.market.halt(symbol, u64::MAX);
            }
            Fault::TickChange => return desk.refine(symbol),
            Fault::Halt(ns) => desk.market.halt(symbol, now_ns + ns),
            _ => return false,
        }
        true
    }
}

fn html(status: u16) -> Answer {
    let page = format!("<html><head><title>{status}</title></head><body>simulated</body></html>");
    Answer::new(status, "text/html", page)
}
