//! A simulated exchange on a thread of its own, the source that connects to it, and what an engine
//! made of it compared with the exchange's truth.
#![allow(dead_code, reason = "each file of tests uses its part")]

use gapless::book::local::{Reason, State};
use gapless::engine::{Interest, Received, Subscription};
use gapless::events::{Body, Topic};
use gapless::feed::source::Secret;
use gapless::feed::{LineConfig, SourceConfig, TopicConfig};
use gapless::venues::registry::VenueId;
use gapless::venues::relay::Flavour;
use gapless::venues::venue::Market;
use gapless::{Engine, LiveConfig, OwnedReport, Source, book_sha256};
use gapless_sim::exchange::{Exchange, Fault, Rule, Setup, Venue, When};
use gapless_sim::net::{Clock, Server};
use gapless_sim::profile::Profile;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// What every wait of a test may take.
pub const LONG: Duration = Duration::from_secs(45);

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The exchange; it ends when it is dropped.
pub struct Sim {
    venue: Venue,
    symbols: Vec<String>,
    server: Option<Arc<Server>>,
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sim {
    /// So many thin symbols that speak every 5 ms.
    pub fn new(venue: Venue, symbols: usize) -> Self {
        Self::start(venue, symbols, |setup| speak_every(setup, Duration::from_millis(5)))
    }

    /// As [`Sim::new`], with a choice of one's own.
    pub fn start(venue: Venue, symbols: usize, choose: impl FnOnce(&mut Setup)) -> Self {
        let clock = Clock::new();
        let mut setup = Setup::new(venue, 7, clock.now_ns()).symbols(symbols);
        setup = setup.profile(Profile::THIN);
        choose(&mut setup);
        let exchange = Exchange::new(setup);
        let class = |class: &str| match venue {
            Venue::Bybit => class == "linear",
            Venue::Relay => class == "binance",
            _ => true,
        };
        let own = exchange.symbols().filter(|(_, part)| class(part));
        let own = own.map(|(name, part)| match venue {
            Venue::Tardis => format!("{part}:{name}"),
            Venue::Relay => format!("{part}:{name}"),
            _ => name.to_owned(),
        });
        let symbols = own.take(symbols).collect();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = runtime.handle().clone();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let server = Server::start(exchange, listener, clock).unwrap();
                tell.send((Arc::new(server), handle)).unwrap();
                let _ = ended.await;
            });
        });
        let (server, handle) = told.recv().unwrap();
        let (server, end, thread) = (Some(server), Some(end), Some(thread));
        Self { venue, symbols, server, handle, end, thread }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    /// Calls with the exchange itself.
    pub fn look<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Exchange) -> T + Send + 'static,
    ) -> T {
        self.handle.block_on(self.server.as_ref().unwrap().look(call)).unwrap()
    }

    /// One more thing goes wrong.
    pub fn trouble(&self, fault: Fault, when: When) {
        self.look(move |exchange| exchange.trouble(Rule::new(fault, when)));
    }

    /// What goes wrong stops.
    pub fn calm(&self) {
        self.look(Exchange::calm);
    }

    /// How often something was counted.
    pub fn count(&self, what: &'static str) -> u64 {
        self.look(move |exchange| exchange.counts().get(what).copied().unwrap_or(0))
    }

    /// Limits that clients met.
    pub fn limits_met(&self) -> Vec<String> {
        self.look(|exchange| {
            let counts = exchange.counts().iter().filter(|(what, _)| what.starts_with("limit:"));
            counts.map(|(what, times)| format!("{what}: {times}")).collect()
        })
    }

    /// A source of all its symbols.
    pub fn source(&self) -> LiveConfig {
        self.source_of(self.symbols.iter())
    }

    /// The names to subscribe.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// A source of some of its symbols.
    pub fn source_of<'a>(&self, symbols: impl Iterator<Item = &'a String>) -> LiveConfig {
        at(self.venue, self.address(), symbols)
    }

    /// Stops what goes wrong and the market, and waits until every book of the engine is live and
    /// the exchange's.
    #[track_caller]
    pub fn settle(&self, engine: &Engine) {
        self.calm();
        let begun = Instant::now();
        loop {
            until_live(engine);
            self.look(|exchange| exchange.pause(true));
            let wrong = self.wrong_for(Duration::from_secs(1), engine);
            if wrong.is_empty() {
                return;
            }
            assert!(begun.elapsed() < LONG, "{wrong:?}");
            // A loss that only the next message shows, which a market that stands still has not.
            self.look(|exchange| exchange.pause(false));
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What is still wrong with the books after so long.
    fn wrong_for(&self, at_most: Duration, engine: &Engine) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let reports = engine.reports();
            let wrong: Vec<_> = reports.iter().filter_map(|report| self.wrong(report)).collect();
            if wrong.is_empty() || begun.elapsed() >= at_most {
                return wrong;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is wrong with a book.
    fn wrong(&self, report: &OwnedReport) -> Option<String> {
        let report = report.report();
        let (name, seq, state) = (report.name(), report.seq(), report.state());
        let symbol = report.symbol().rsplit(':').next().unwrap_or_default().to_owned();
        // A stream without numbers stands at the time of its last message.
        let at = seq.or_else(|| Some(report.local().last_times().venue_ns / 1_000));
        let is_newest = move |exchange: &mut Exchange| {
            let newest = exchange.truths(&symbol, None);
            newest.into_iter().map(|truth| (truth.seq, truth.book.canonical_sha256())).collect()
        };
        let newest: Vec<(i64, String)> = self.look(is_newest);
        let hash = report.book().map(book_sha256).unwrap_or_default();
        let is_equal = newest.iter().any(|(seq, truth)| Some(*seq) == at && *truth == hash);
        let is_right = is_equal && state == State::Live;
        (!is_right).then(|| format!("{name} {state:?} at {at:?}, the exchange at {newest:?}"))
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Every book has something to say so often.
pub fn speak_every(setup: &mut Setup, interval: Duration) {
    let ns = u64::try_from(interval.as_nanos()).unwrap();
    setup.interval_ns = Some(ns);
    setup.symbols.iter_mut().for_each(|listing| listing.spec.profile.gap_ns = ns / 2);
}

/// A source of symbols of a simulated exchange that listens there.
pub fn at<'a>(
    venue: Venue,
    address: SocketAddr,
    symbols: impl Iterator<Item = &'a String>,
) -> LiveConfig {
    let (id, channel) = match venue {
        Venue::BinanceSpot => (VenueId::BinanceSpot, "depth@100ms"),
        Venue::BinanceUs => (VenueId::BinanceUs, "depth@100ms"),
        Venue::BinanceUsdm => (VenueId::BinanceUsdm, "depth@100ms"),
        Venue::BinanceCoinm => (VenueId::BinanceCoinm, "depth@100ms"),
        Venue::Bybit => (VenueId::Bybit, "orderbook.50"),
        Venue::Okx => (VenueId::Okx, "books"),
        Venue::Deribit => (VenueId::Deribit, "book.100ms"),
        Venue::Tardis => (VenueId::Tardis, "book_change"),
        Venue::Relay => (VenueId::Relay, "book_depth_20"),
    };
    let topic =
        |symbol: &String| TopicConfig { channel: channel.to_owned(), symbol: symbol.clone() };
    let mut source = SourceConfig::new(venue.name(), id, symbols.map(topic).collect());
    let (mut rest, mut socket) = (format!("http://{address}"), format!("ws://{address}"));
    if venue == Venue::Bybit {
        source.market = Market::Linear;
    }
    if venue == Venue::Relay {
        (rest, socket) = (format!("{rest}/v1"), format!("{socket}/ws"));
        source.flavour = Flavour::PREFIXED;
        source.key = Some(Secret::new("sim-key"));
    }
    if !matches!(venue, Venue::Relay | Venue::Tardis) {
        // A book of so many levels is read with the least weight.
        source.snapshot_depth = Some(100);
    }
    source.rest = Some(rest);
    source.lines = vec![LineConfig { socket: Some(socket), ..LineConfig::default() }];
    LiveConfig { plaintext_loopback: true, ..LiveConfig::new(source) }
}

/// An engine of these sources.
pub fn engine(sources: impl IntoIterator<Item = LiveConfig>) -> Engine {
    begun(sources).0
}

/// A book's state has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `venue[.market]:SYMBOL`.
    pub name: Arc<str>,
    /// What may be thought of it.
    pub state: State,
    /// Why it is not live.
    pub reason: Reason,
    /// When it was published, ns.
    pub at_ns: i64,
}

/// Every change of the states of an engine's books.
pub struct Changes(Subscription);

impl Changes {
    /// The next one, if one comes in time.
    pub fn next(&mut self, at_most: Duration) -> Option<Change> {
        let end = Instant::now() + at_most;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Received::Event(event) = self.0.next_within(left).unwrap()? else {
                panic!("changes were missed")
            };
            let (Body::State(book), Some(name)) = (event.body, self.0.name(event.instrument))
            else {
                continue;
            };
            let (state, reason, at_ns) = (book.state, book.reason, book.published_ns);
            return Some(Change { name, state, reason, at_ns });
        }
    }

    /// Those that are there.
    pub fn rest(&mut self) -> Vec<Change> {
        std::iter::from_fn(|| self.next(Duration::ZERO)).collect()
    }

    /// Those after which a book was not live.
    pub fn not_live(&mut self) -> Vec<Change> {
        self.rest().into_iter().filter(|change| change.state != State::Live).collect()
    }
}

/// An engine of these sources that has only begun, and its changes of state from then on.
pub fn begun(sources: impl IntoIterator<Item = LiveConfig>) -> (Engine, Changes) {
    let sources = sources.into_iter().map(Source::live);
    let builder = sources.fold(Engine::builder(), gapless::engine::Builder::source);
    let mut engine = builder.build();
    let interest = Interest::in_topics([Topic::States]).capacity(1 << 16);
    let changes = Changes(engine.subscribe(&interest).unwrap());
    engine.start().unwrap();
    (engine, changes)
}

/// An engine whose books are live, and its changes of state from then on.
pub fn started(sources: impl IntoIterator<Item = LiveConfig>) -> (Engine, Changes) {
    let (engine, mut changes) = begun(sources);
    until_live(&engine);
    changes.rest();
    (engine, changes)
}

/// Waits until there are books and all of them are live.
#[track_caller]
pub fn until_live(engine: &Engine) {
    let begun = Instant::now();
    loop {
        let books = engine.books();
        let dead: Vec<_> = books.iter().filter(|book| book.state != State::Live).collect();
        if !books.is_empty() && dead.is_empty() {
            return;
        }
        let late = begun.elapsed() >= LONG;
        assert!(!late, "not live: {dead:?} of {} {:?}", books.len(), engine.status());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Gaps that the books of an engine have had.
pub fn gaps(engine: &Engine) -> u64 {
    engine.reports().iter().map(|report| report.report().counters().gaps).sum()
}
