//! An engine on real sockets of loopback: books live, healed, and gone when it stops.

#[path = "live/exchange.rs"]
mod exchange;

use exchange::Exchange;
use gapless::book::local::{Reason, State};
use gapless::engine::SourceStatus;
use gapless::feed::{LineConfig, SourceConfig, TopicConfig};
use gapless::record::{RecordConfig, Recorder};
use gapless::venues::registry::VenueId;
use gapless::{BookReader, Engine, LiveConfig, Source};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

fn source(exchange: &Exchange, symbols: &[&str]) -> LiveConfig {
    let topic =
        |symbol: &&str| TopicConfig { channel: "depth".to_owned(), symbol: (*symbol).to_owned() };
    let topics = symbols.iter().map(topic).collect();
    let mut source = SourceConfig::new("loop", VenueId::BinanceSpot, topics);
    source.rest = Some(format!("http://{}", exchange.rest));
    let socket = Some(format!("ws://{}", exchange.socket));
    source.lines = vec![LineConfig { socket, ..LineConfig::default() }];
    LiveConfig { plaintext_loopback: true, ..LiveConfig::new(source) }
}

fn engine(config: LiveConfig) -> Engine {
    Engine::builder().source(Source::live(config)).start().unwrap()
}

#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_live(book: &BookReader) -> bool {
    book.state() == (State::Live, Reason::None)
}

/// The canonical text of a live book, once it has come to a number.
fn text_at(engine: &Engine, name: &str, seq: i64) -> String {
    let mut text = String::new();
    until("the book comes to the exchange's number", || {
        let reports = engine.reports();
        reports.iter().any(|r| r.report().name() == name && r.report().seq() == Some(seq))
    });
    for report in engine.reports().iter().filter(|r| r.report().name() == name) {
        report.report().book().unwrap().write_canonical(&mut text).unwrap();
    }
    text
}

#[test]
fn books_over_sockets_are_the_exchange_s_books() {
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
    let exchange = Exchange::start(&symbols);
    let engine = engine(source(&exchange, &symbols));
    for symbol in symbols {
        let book = engine.wait_for(&format!("binance_spot:{symbol}"), LONG).unwrap();
        until("live", || is_live(&book));
    }
    std::thread::sleep(Duration::from_millis(200));
    exchange.knobs.paused.store(true, SeqCst);
    for symbol in symbols {
        let (seq, truth) = exchange.truth(symbol);
        assert_eq!(text_at(&engine, &format!("binance_spot:{symbol}"), seq), truth);
    }
}

#[test]
fn gaps_heal_and_cost_no_other_book() {
    let exchange = Exchange::start(&["BTCUSDT", "ETHUSDT"]);
    let engine = engine(source(&exchange, &["BTCUSDT", "ETHUSDT"]));
    let books = ["binance_spot:BTCUSDT", "binance_spot:ETHUSDT"];
    let books = books.map(|name| engine.wait_for(name, LONG).unwrap());
    until("live", || books.iter().all(is_live));
    exchange.knobs.drops.store(1, SeqCst);
    until("a gap is seen", || books.iter().any(|book| !is_live(book)));
    let lost = books.iter().filter(|book| !is_live(book)).count();
    until("healed", || books.iter().all(is_live));
    assert_eq!(lost, 1);
    exchange.knobs.paused.store(true, SeqCst);
    let (seq, truth) = exchange.truth("BTCUSDT");
    assert_eq!(text_at(&engine, "binance_spot:BTCUSDT", seq), truth);
}

#[test]
fn a_book_that_is_silent_for_longer_than_the_engine_allows_is_stale_until_its_next_message() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let builder = Engine::builder().freshness(Duration::from_millis(300));
    let engine = builder.source(Source::live(source(&exchange, &["BTCUSDT"]))).start().unwrap();
    let book = engine.wait_for("binance_spot:BTCUSDT", LONG).unwrap();
    until("live", || is_live(&book));
    exchange.knobs.paused.store(true, SeqCst);
    until("stale", || book.state() == (State::Stale, Reason::Silent));
    assert!(book.top().is_err() && book.last_known_top().unwrap().bid.is_some());
    exchange.knobs.paused.store(false, SeqCst);
    until("live again", || is_live(&book));
}

#[test]
fn connections_that_are_reset_come_back() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let engine = engine(source(&exchange, &["BTCUSDT"]));
    let book = engine.wait_for("binance_spot:BTCUSDT", LONG).unwrap();
    until("live", || is_live(&book));
    let begun = Instant::now();
    exchange.cut();
    until("it is seen", || !is_live(&book));
    until("live again", || is_live(&book));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let told = |status: &SourceStatus| status.connections.first().is_some_and(|c| c.connects == 2);
    until("told", || engine.status().iter().any(told));
    let status = engine.status();
    assert!(!status[0].connections[0].last_why.is_empty(), "{status:?}");
}

#[test]
fn a_stop_leaves_no_socket_and_no_thread() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let sockets = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    // The exchange's listeners, and what a runtime keeps for itself.
    let at_rest = sockets();
    let mut engine = engine(source(&exchange, &["BTCUSDT"]));
    let book = engine.wait_for("binance_spot:BTCUSDT", LONG).unwrap();
    until("live", || is_live(&book));
    let threads = count("/proc/self/task");
    let begun = Instant::now();
    engine.stop();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(book.state(), (State::Stale, Reason::Closed));
    assert_eq!(count("/proc/self/task"), threads - 1);
    // What is left is the exchange's, which learns that its client has gone.
    until("the sockets are gone", || sockets() <= at_rest);
    for _ in 0..20 {
        engine.start().unwrap();
        let book = engine.wait_for("binance_spot:BTCUSDT", LONG).unwrap();
        until("live", || is_live(&book));
        engine.stop();
    }
    until("the sockets are gone", || sockets() <= at_rest);
}

#[test]
fn refused_credentials_are_a_state_and_not_a_loop() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    exchange.knobs.refuse.store(401, SeqCst);
    let engine = engine(source(&exchange, &["BTCUSDT"]));
    let book = engine.wait_for("binance_spot:BTCUSDT", LONG).unwrap();
    until("failed", || book.state() == (State::Failed, Reason::Auth));
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(exchange.knobs.connects.load(SeqCst), 1);
}

#[test]
fn plain_text_is_spoken_only_where_it_is_allowed() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let mut config = source(&exchange, &["BTCUSDT"]);
    config.plaintext_loopback = false;
    let engine = engine(config);
    until("it is said", || {
        let status = &engine.status()[0];
        status.connections.iter().any(|c| c.last_why.contains("plain text is not allowed"))
    });
    assert_eq!(exchange.knobs.connects.load(SeqCst), 0);
}

/// A folder that goes with its owner.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gapless-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// State and canonical text of every book that a recording ends with.
fn replayed(paths: &[String]) -> Vec<(State, String)> {
    let mut replay = gapless::Replay::open(paths.to_vec()).unwrap();
    replay.run(&mut ()).unwrap();
    let text = |book: gapless::BookReport<'_>| {
        let mut text = String::new();
        if let Some(book) = book.local().live() {
            book.write_canonical(&mut text).unwrap();
        }
        // A connection that was closed on purpose has no live book; its last one is kept.
        if text.is_empty()
            && let Some(book) = book.book()
        {
            book.write_canonical(&mut text).unwrap();
        }
        (book.state(), text)
    };
    replay.books().map(text).collect()
}

#[test]
fn what_is_recorded_replays_to_the_same_books() {
    let symbols = ["BTCUSDT", "ETHUSDT"];
    let exchange = Exchange::start(&symbols);
    let folder = Folder::new("record");
    let config = RecordConfig::new(&folder.0);
    let recorder = Recorder::start(&[source(&exchange, &symbols)], &config).unwrap();
    let again = Recorder::start(&[source(&exchange, &symbols)], &config).unwrap_err();
    assert!(again.contains("another recorder"), "{again}");
    until("snapshots", || exchange.knobs.fetches.load(SeqCst) >= 2);
    std::thread::sleep(Duration::from_millis(500));
    exchange.knobs.paused.store(true, SeqCst);
    std::thread::sleep(Duration::from_millis(300));
    let recorded = recorder.stop().remove(0);
    assert_eq!((recorded.dropped, recorded.errors.len(), recorded.files.len()), (0, 0, 1));
    assert!(recorded.records > 500, "{recorded:?}");
    let books = replayed(&[folder.0.display().to_string()]);
    // Whose answer came first is first in the recording.
    let books: BTreeSet<_> = books.into_iter().map(|(_, text)| text).collect();
    let truths: BTreeSet<_> = symbols.iter().map(|symbol| exchange.truth(symbol).1).collect();
    assert_eq!(books, truths);
}

#[test]
fn each_file_of_a_recording_replays_by_itself() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let folder = Folder::new("turn");
    let config = RecordConfig { file_age: Duration::from_secs(1), ..RecordConfig::new(&folder.0) };
    let recorder = Recorder::start(&[source(&exchange, &["BTCUSDT"])], &config).unwrap();
    std::thread::sleep(Duration::from_millis(4_500));
    let recorded = recorder.stop().remove(0);
    assert_eq!((recorded.dropped, &recorded.errors), (0, &Vec::new()));
    assert!(recorded.files.len() >= 3, "{recorded:?}");
    let mut frames = 0;
    for file in &recorded.files {
        let mut replay = gapless::Replay::open([file.display().to_string()]).unwrap();
        replay.run(&mut ()).unwrap();
        frames += replay.stats().frames;
        for book in replay.books() {
            assert_eq!((book.counters().gaps, book.counters().snapshots), (0, 1), "{file:?}");
        }
    }
    assert!(frames > 3_000, "{frames}");
}

#[test]
fn what_finds_no_room_is_said_and_no_book_is_wrong_for_it() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let folder = Folder::new("full");
    let config = RecordConfig { queue: 2, ..RecordConfig::new(&folder.0) };
    let recorder = Recorder::start(&[source(&exchange, &["BTCUSDT"])], &config).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    exchange.knobs.paused.store(true, SeqCst);
    std::thread::sleep(Duration::from_millis(300));
    let (seq, truth) = exchange.truth("BTCUSDT");
    let recorded = recorder.stop().remove(0);
    let mut replay = gapless::Replay::open([folder.0.display().to_string()]).unwrap();
    replay.run(&mut ()).unwrap();
    let wrong = replay.books().any(|book| {
        let mut text = String::new();
        book.book().is_some_and(|book| book.write_canonical(&mut text).is_ok())
            && book.seq() == Some(seq)
            && text != truth
    });
    assert!(!wrong);
    for book in replay.books() {
        assert_eq!(book.counters().gaps, 0, "a hole ends its connection: {recorded:?}");
    }
}
