//! `gapless demo`: the engine on simulated exchanges, with faults, and a verdict.
//!
//! Starts an exchange of every venue and a relay on loopback, connects the engine to them over
//! WebSocket, lets things go wrong, shows the books meanwhile, and compares each with what its
//! exchange says the book was at that sequence.

use crate::Exit;
use crate::args::DemoArguments;
use gapless::book::decimal::Decimal;
use gapless::book::event::Level;
use gapless::book::local::State;
use gapless::engine::{Interest, Received, Subscription};
use gapless::events::{Body, Topic};
use gapless::feed::source::Secret;
use gapless::feed::{LineConfig, SourceConfig, TopicConfig};
use gapless::venues::registry::VenueId;
use gapless::venues::relay::Flavour;
use gapless::{BookReader, Engine, LiveConfig, OwnedReport, Source, book_sha256};
use gapless_sim::exchange::{Exchange, Fault, Rule, Setup, Venue, When};
use gapless_sim::net::{Clock, Server};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Time between two pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(500);
/// How long books may take to heal at the end.
const HEAL: Duration = Duration::from_secs(15);
/// State changes of each exchange that may wait.
const CHANGES_MAX: usize = 65_536;
/// Latencies that are kept.
const SAMPLES_MAX: usize = 1_000_000;

/// One exchange and what the engine has of it.
struct Place {
    server: Server,
    name: &'static str,
}

/// An exchange, who speaks to it, its channel and the symbols.
type Plan = (Venue, VenueId, &'static str, [&'static str; 2]);

const PLANS: [Plan; 6] = [
    (Venue::BinanceSpot, VenueId::BinanceSpot, "depth@100ms", ["BTCUSDT", "ETHUSDT"]),
    (Venue::BinanceUsdm, VenueId::BinanceUsdm, "depth@100ms", ["BTCUSDT", "ETHUSDT"]),
    (Venue::Bybit, VenueId::Bybit, "orderbook.50", ["BTCUSDT", "ETHUSDT"]),
    (Venue::Okx, VenueId::Okx, "books", ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]),
    (Venue::Deribit, VenueId::Deribit, "book.100ms", ["BTC-PERPETUAL", "ETH-PERPETUAL"]),
    (Venue::Relay, VenueId::Relay, "book_depth_20", ["binance:BTCUSDT", "binance:ETHUSDT"]),
];

/// What goes wrong, and after which share of the run in percent.
const FAULTS: [(Fault, u64); 7] = [
    (Fault::Drop, 20),
    (Fault::Duplicate, 25),
    (Fault::Reorder, 30),
    (Fault::Reset, 40),
    (Fault::Drop, 55),
    (Fault::Corrupt, 60),
    (Fault::Close(1012), 65),
];

/// What was seen of the books while they ran.
#[derive(Default)]
struct Seen {
    /// From receipt to another thread's eyes, ns.
    read_ns: Vec<i64>,
    /// From a book that is no longer live to the same book live again, ns.
    heal_ns: Vec<i64>,
    since: BTreeMap<String, Instant>,
    versions: Vec<u64>,
}

/// Runs `gapless demo`.
pub fn run(arguments: &DemoArguments) -> Result<Exit, String> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let length = Duration::from_secs(arguments.seconds.max(4));
    let places = runtime.block_on(open(arguments, length))?;
    let mut builder = Engine::builder();
    for (place, plan) in places.iter().zip(&PLANS) {
        builder = builder.source(Source::live(source(place, plan)));
    }
    let mut engine = builder.build();
    let changes = Interest::in_topics([Topic::States]).capacity(CHANGES_MAX);
    let mut changes = engine.subscribe(&changes).map_err(|error| error.to_string())?;
    engine.start().map_err(|error| error.to_string())?;
    let mut seen = Seen::default();
    let pictured = io::stdout().is_terminal() && !arguments.json;
    watch(&engine, &runtime, &places, (length, pictured), &mut changes, &mut seen);
    let verdict = judge(&engine, &runtime, &places);
    let right = verdict.iter().all(|row| row.equal);
    let text = if arguments.json { told(&verdict, &seen) } else { said(&verdict, &seen) };
    let faults = struck(&runtime, &places);
    let written = io::stdout().write_all(text.as_bytes());
    if !arguments.json {
        println!("faults: {faults}");
        let count = verdict.len();
        println!(
            "{}",
            if right {
                format!("all {count} books equal the exchanges' truth")
            } else {
                "NOT every book equals its exchange's truth".to_owned()
            }
        );
    }
    written.map_err(|error| error.to_string())?;
    Ok(if right { Exit::Ok } else { Exit::Failure })
}

async fn open(arguments: &DemoArguments, length: Duration) -> Result<Vec<Place>, String> {
    let clock = Clock::new();
    let mut places = Vec::new();
    for (venue, ..) in PLANS {
        let mut exchange = Exchange::new(Setup::new(venue, arguments.seed, clock.now_ns()));
        for (fault, percent) in FAULTS {
            let at_ns = u64::try_from(length.as_nanos()).unwrap_or(0) / 100 * percent;
            exchange.trouble(Rule::new(fault, When::At(at_ns)));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let server = Server::start(exchange, listener, clock);
        let server = server.map_err(|error| error.to_string())?;
        places.push(Place { server, name: venue.name() });
    }
    Ok(places)
}

fn source(place: &Place, (venue, id, channel, symbols): &Plan) -> LiveConfig {
    let topic = |symbol: &&str| TopicConfig {
        channel: (*channel).to_owned(),
        symbol: (*symbol).to_owned(),
    };
    let topics = symbols.iter().map(topic).collect();
    let mut source = SourceConfig::new(venue.name(), *id, topics);
    let address = place.server.address();
    let (mut rest, mut socket) = (format!("http://{address}"), format!("ws://{address}"));
    if *venue == Venue::Relay {
        (rest, socket) = (format!("{rest}/v1"), format!("{socket}/ws"));
        source.flavour = Flavour::PREFIXED;
        source.key = Some(Secret::new("sim-key"));
    }
    source.rest = Some(rest);
    source.lines = vec![LineConfig { socket: Some(socket), ..LineConfig::default() }];
    LiveConfig { plaintext_loopback: true, ..LiveConfig::new(source) }
}

/// Looks at the books until the time is over.
fn watch(
    engine: &Engine,
    runtime: &tokio::runtime::Runtime,
    places: &[Place],
    (length, pictured): (Duration, bool),
    changes: &mut Subscription,
    seen: &mut Seen,
) {
    let begun = Instant::now();
    let mut next = begun + PICTURE_EVERY;
    let mut readers: Vec<BookReader> = Vec::new();
    while begun.elapsed() < length {
        std::thread::sleep(Duration::from_micros(500));
        seen.look(&readers);
        while let Ok(Some(received)) = changes.try_next() {
            let Received::Event(event) = received else { continue };
            if let (Body::State(book), Some(name)) = (event.body, changes.name(event.instrument)) {
                seen.change(&name, book.state);
            }
        }
        if Instant::now() < next {
            continue;
        }
        next += PICTURE_EVERY;
        if readers.len() < PLANS.len() * 2 {
            let names = engine.books().into_iter();
            readers = names.filter_map(|book| engine.book(&book.full_name()).ok()).collect();
        }
        let mut text = String::new();
        if pictured {
            text.push_str("\x1b[H\x1b[2J");
        }
        let left = length.saturating_sub(begun.elapsed()).as_secs();
        let _ = writeln!(text, "gapless demo, {left} s left; faults: {}", struck(runtime, places));
        if pictured {
            picture(&mut text, &readers);
            lines(&mut text, engine);
            latency(&mut text, seen);
        } else {
            let live = readers.iter().filter(|reader| reader.state().0 == State::Live).count();
            let _ = writeln!(text, "{live} of {} books live", readers.len());
        }
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// One line for each book, coloured by its state.
fn picture(text: &mut String, readers: &[BookReader]) {
    for reader in readers {
        let (state, reason) = reader.state();
        let colour = match state {
            State::Live => "32",
            State::Syncing => "33",
            _ => "31",
        };
        let top = reader.top().ok();
        let price = |level: Option<Level>| {
            let scale = top.map_or(0, |top| top.status.scales.price);
            level.map_or("-".to_owned(), |l| Decimal::new(l.price, scale).to_string())
        };
        let seq = top.and_then(|top| top.status.seq).unwrap_or(0);
        let (bid, ask) = (price(top.and_then(|t| t.bid)), price(top.and_then(|t| t.ask)));
        let word = if state == State::Live { "" } else { reason.name() };
        let _ = writeln!(
            text,
            "{:<30} \x1b[{colour}m{:<8}\x1b[0m {bid:>12} | {ask:<12} {seq:>15} {word}",
            reader.name(),
            state.name()
        );
    }
}

/// One line for each connection: where it stands, how often it was opened, why it ended last.
fn lines(text: &mut String, engine: &Engine) {
    let _ = writeln!(text);
    for source in engine.status() {
        for line in &source.connections {
            let (phase, connects, why) = (line.phase.name(), line.connects, &line.last_why);
            let _ = writeln!(text, "{:<30} {phase:<8} opened {connects:>3} x  {why}", source.name);
        }
    }
}

fn latency(text: &mut String, seen: &Seen) {
    let _ = writeln!(text);
    for (what, times) in seen.stages() {
        let [half, most, worst] = quantiles(times);
        let _ = writeln!(text, "{what:<30} p50 {half} us, p99 {most} us, max {worst} us");
    }
}

impl Seen {
    const fn stages(&self) -> [(&'static str, &Vec<i64>); 2] {
        [("received to read", &self.read_ns), ("not live to live", &self.heal_ns)]
    }

    fn look(&mut self, readers: &[BookReader]) {
        self.versions.resize(readers.len(), 0);
        for (reader, seen) in readers.iter().zip(&mut self.versions) {
            let version = reader.version();
            if version == *seen || self.read_ns.len() >= SAMPLES_MAX {
                continue;
            }
            *seen = version;
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now_ns = since.ok().and_then(|since| i64::try_from(since.as_nanos()).ok());
            if let (Some(now_ns), Ok(top)) = (now_ns, reader.top()) {
                self.read_ns.push(now_ns.saturating_sub(top.status.recv_ns));
            }
        }
    }

    fn change(&mut self, name: &str, state: State) {
        if state != State::Live {
            self.since.entry(name.to_owned()).or_insert_with(Instant::now);
        } else if let Some(since) = self.since.remove(name) {
            self.heal_ns.push(i64::try_from(since.elapsed().as_nanos()).unwrap_or(i64::MAX));
        }
    }
}

/// What one book came to.
struct Row {
    name: String,
    seq: Option<i64>,
    sha256: String,
    messages: u64,
    gaps: u64,
    equal: bool,
}

/// Ends the faults, lets the books heal, stops the markets and compares.
fn judge(engine: &Engine, runtime: &tokio::runtime::Runtime, places: &[Place]) -> Vec<Row> {
    for place in places {
        runtime.block_on(place.server.look(Exchange::calm));
    }
    let end = Instant::now() + HEAL;
    let live = || engine.books().iter().all(|book| book.state == State::Live);
    while !live() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    for place in places {
        runtime.block_on(place.server.pause(true));
    }
    // What is on its way arrives.
    std::thread::sleep(Duration::from_millis(500));
    let reports = engine.reports();
    let mut rows: Vec<Row> = reports.iter().map(|report| row(report, runtime, places)).collect();
    rows.extend(missing(&reports));
    rows
}

/// Books that were asked for and are not there, say because their thread has ended.
fn missing(reports: &[OwnedReport]) -> Vec<Row> {
    let planned = PLANS.iter().flat_map(|(venue, .., symbols)| {
        symbols
            .iter()
            .map(move |symbol| (venue.name(), symbol.rsplit(':').next().unwrap_or(symbol)))
    });
    let is_there = |(venue, symbol): &(&str, &str)| {
        reports.iter().map(OwnedReport::report).any(|report| {
            let own = report.symbol().rsplit(':').next().unwrap_or_default();
            report.name().starts_with(venue) && own.eq_ignore_ascii_case(symbol)
        })
    };
    let row = |(venue, symbol)| Row {
        name: format!("{venue}:{symbol}"),
        seq: None,
        sha256: String::new(),
        messages: 0,
        gaps: 0,
        equal: false,
    };
    planned.filter(|planned| !is_there(planned)).map(row).collect()
}

fn row(report: &OwnedReport, runtime: &tokio::runtime::Runtime, places: &[Place]) -> Row {
    let report = report.report();
    let (name, seq) = (report.name(), report.seq());
    let sha256 = report.book().map(book_sha256).unwrap_or_default();
    let place = places.iter().find(|place| name.starts_with(place.name));
    let symbol = report.symbol().rsplit(':').next().unwrap_or_default();
    let truths = place.map(|place| runtime.block_on(place.server.truths(symbol, seq)));
    let truths = truths.unwrap_or_default();
    let same = truths.iter().any(|truth| truth.book.canonical_sha256() == sha256);
    let counters = report.counters();
    Row {
        equal: same && seq.is_some() && report.state() == State::Live,
        messages: counters.applied,
        gaps: counters.gaps,
        name,
        seq,
        sha256,
    }
}

fn struck(runtime: &tokio::runtime::Runtime, places: &[Place]) -> String {
    let mut all = BTreeMap::<String, u64>::new();
    for place in places {
        for (fault, count) in runtime.block_on(place.server.fault_counts()) {
            *all.entry(fault).or_default() += count;
        }
    }
    let words: Vec<String> = all.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
    words.join(", ")
}

fn said(rows: &[Row], seen: &Seen) -> String {
    let mut text = String::new();
    for row in rows {
        let word = if row.equal { "equal" } else { "DIFFERS" };
        let seq = row.seq.map_or("-".to_owned(), |seq| seq.to_string());
        let Row { name, messages, gaps, sha256, .. } = row;
        let hash = sha256.get(..12).unwrap_or_default();
        let _ = writeln!(
            text,
            "{name:<30} {word:<8} seq {seq:>15} {messages:>7} messages {gaps:>3} gaps  {hash}"
        );
    }
    latency(&mut text, seen);
    text
}

/// One object a book, then one of figures.
fn told(rows: &[Row], seen: &Seen) -> String {
    let mut text = String::new();
    for row in rows {
        let line = serde_json::json!({
            "book": row.name, "seq": row.seq, "book_sha256": row.sha256, "equal": row.equal,
            "messages": row.messages, "gaps": row.gaps,
        });
        let _ = writeln!(text, "{line}");
    }
    let figures = |times: &[i64]| {
        let [p50, p99, max] = quantiles(times);
        serde_json::json!({ "count": times.len(), "p50_us": p50, "p99_us": p99, "max_us": max })
    };
    let equal = rows.iter().all(|row| row.equal);
    let line = serde_json::json!({
        "equal": equal, "received_to_read": figures(&seen.read_ns),
        "not_live_to_live": figures(&seen.heal_ns),
    });
    let _ = writeln!(text, "{line}");
    text
}

/// Median, 99th percentile and worst, in microseconds.
fn quantiles(times: &[i64]) -> [i64; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| sorted.get(sorted.len().saturating_sub(1) * share / 100);
    [50, 99, 100].map(|share| at(share).map_or(0, |ns| ns / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_that_was_asked_for_and_is_not_there_is_no_success() {
        let rows = missing(&[]);
        assert_eq!(rows.len(), 2 * PLANS.len());
        assert!(rows.iter().all(|row| !row.equal));
    }
}
