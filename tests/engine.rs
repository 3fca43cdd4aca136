//! The engine publishes the books that a replay ends in, and starts, stops and changes cleanly.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gapless::book::event::{Level, Side};
use gapless::book::local::{Reason, State};
use gapless::book::publish::{Config, ReadError};
use gapless::engine::SourceState;
use gapless::replay::input;
use gapless::replay::lists;
use gapless::replay::pace::Speed;
use gapless::venues::instruments::{Instruments, List};
use gapless::{BookReader, Choices, Engine, EngineError, Replay, Source, Wait};
use gapless_tests::recordings;

const LONG: Duration = Duration::from_secs(20);

fn samples() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples").display().to_string()
}

fn sample(file: &str) -> String {
    format!("{}/{file}", samples())
}

/// What must be the same, however a book was read.
#[derive(Debug, PartialEq)]
struct End {
    state: State,
    reason: Reason,
    epoch: u32,
    seq: Option<i64>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The books of a replay, by name, channel and input.
fn replayed(paths: &[String]) -> BTreeMap<String, End> {
    let mut choices = Choices::default();
    choices.config.policy.keep_last_live = false;
    let (mut replay, failures) = Replay::with(input::find(paths).unwrap(), choices);
    assert!(failures.is_empty(), "{failures:?}");
    replay.run(&mut ()).unwrap();
    let end = |book: gapless::BookReport<'_>| {
        let local = book.local();
        let side = |side| local.last_known().side(side).iter().collect();
        let (mut state, mut reason) = local.state();
        if state == State::Live && local.last_known().is_crossed() {
            (state, reason) = (State::Syncing, Reason::Crossed);
        }
        let (epoch, seq) = (local.epoch(), local.seq());
        End { state, reason, epoch, seq, bids: side(Side::Bid), asks: side(Side::Ask) }
    };
    let name = |b: &gapless::BookReport<'_>| format!("{}@{}@{}", b.name(), b.channel(), b.file());
    replay.books().map(|book| (name(&book), end(book))).collect()
}

/// The books that an engine shows, by the same names.
fn shown(engine: &Engine) -> BTreeMap<String, End> {
    let mut all = BTreeMap::new();
    for info in engine.books() {
        let name = info.full_name();
        let reader = engine.book(&name).unwrap();
        let mut replica = reader.replica();
        replica.refresh().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let depth = replica.last_known().unwrap();
        let (status, bids, asks) = (*depth.status, depth.bids, depth.asks);
        let top = reader.last_known_top().unwrap();
        assert_eq!((top.bid, top.ask), (bids.best(), asks.best()), "{name}");
        assert_eq!(top.status, status, "{name}");
        let end = End {
            state: status.state,
            reason: status.reason,
            epoch: status.epoch,
            seq: status.seq,
            bids: bids.iter().collect(),
            asks: asks.iter().collect(),
        };
        assert_eq!((info.state, info.reason), (end.state, end.reason), "{name}");
        assert!(all.insert(name, end).is_none());
    }
    all
}

/// Room for the whole of any recorded book.
fn roomy() -> Config {
    Config { levels: 20_000, ..Config::default() }
}

#[track_caller]
fn same_as_replay(paths: &[String], threads: usize) {
    let source = Source::replay(paths.to_vec()).threads(threads);
    let engine = Engine::builder().publication(roomy()).source(source).start().unwrap();
    engine.join();
    let [status] = &engine.status()[..] else { panic!("one source") };
    assert_eq!((status.state, status.errors_count), (SourceState::Ended, 0), "{status:?}");
    assert!(status.bytes > 0);
    let (is, must) = (shown(&engine), replayed(paths));
    assert!(is.keys().eq(must.keys()), "{:?} {:?}", is.keys(), must.keys());
    for (name, must) in &must {
        assert!(is[name] == *must, "{name} differs with {threads} threads");
    }
    assert!(!is.is_empty());
}

#[test]
fn the_samples_end_in_the_books_of_a_replay_on_any_number_of_threads() {
    for threads in [1, 2, 5] {
        same_as_replay(&[samples()], threads);
    }
}

#[test]
fn recordings_end_in_the_books_of_a_replay() {
    let Some(folder) = recordings::folder() else { return };
    for file in recordings::captures(&folder) {
        same_as_replay(&[file.display().to_string()], 1);
    }
}

#[test]
fn a_book_of_an_engine_that_stopped_is_closed_for_who_still_reads_it() {
    let mut engine =
        Engine::builder().source(Source::replay([sample("okx.cap.zst")])).start().unwrap();
    engine.join();
    let live = engine.books().into_iter().find(|book| book.state == State::Live).unwrap();
    let reader = engine.book(&live.name).unwrap();
    let top = reader.top().unwrap();
    engine.stop();
    assert_eq!(reader.state(), (State::Stale, Reason::Closed));
    assert!(matches!(reader.depth(5), Err(ReadError::NotLive(_))));
    assert_eq!(reader.last_known_top().unwrap().bid, top.bid);
    assert_eq!(engine.status()[0].state, SourceState::Stopped);
    drop(engine);
    assert_eq!(reader.state(), (State::Stale, Reason::Closed));
}

#[test]
fn an_engine_that_starts_again_makes_the_same_books_anew() {
    let mut engine = Engine::builder().source(Source::replay([sample("okx.cap.zst")])).build();
    assert!(engine.books().is_empty());
    engine.start().unwrap();
    assert!(matches!(engine.start(), Err(EngineError::Running)));
    engine.join();
    let name = engine.books()[0].name.clone();
    let (first, before) = (shown(&engine), engine.book(&name).unwrap());
    engine.restart().unwrap();
    engine.join();
    assert!(shown(&engine) == first);
    let after = engine.book(&name).unwrap();
    assert_ne!(before.publication().incarnation(), after.publication().incarnation());
    assert_eq!(before.state(), (State::Stale, Reason::Closed));
}

#[test]
fn a_removed_book_is_closed_and_comes_back_as_it_is_and_no_other_is_touched() {
    let source = Source::replay([samples()]).threads(2);
    let mut engine = Engine::builder().publication(roomy()).source(source).start().unwrap();
    engine.join();
    let before = shown(&engine);
    let gone = engine.books().into_iter().find(|book| book.state == State::Live).unwrap();
    let full = gone.full_name();
    let reader = engine.book(&full).unwrap();
    engine.remove(&gone.name);
    assert!(engine.book(&full).is_err(), "not listed from that moment on");
    until("the book is closed", || reader.state() == (State::Stale, Reason::Closed));
    assert!(matches!(engine.book(&gone.name), Err(EngineError::NoSuchBook { .. })));
    for (name, end) in &shown(&engine) {
        assert!(before[name] == *end && !name.starts_with(&format!("{}@", gone.name)), "{name}");
    }
    engine.add(&gone.name);
    let again = engine.wait_for(&full, LONG).unwrap();
    until("all are back", || engine.books().len() == before.len());
    assert!(shown(&engine) == before);
    assert_eq!(again.state(), (State::Live, Reason::None));
    assert_eq!(reader.state(), (State::Stale, Reason::Closed));
}

#[test]
fn who_asks_for_a_book_that_was_removed_and_added_is_given_the_new_one() {
    let mut engine = Engine::builder().source(Source::replay([samples()])).start().unwrap();
    engine.join();
    let book = engine.books().into_iter().find(|book| book.state == State::Live).unwrap();
    let full = book.full_name();
    for _ in 0..50 {
        engine.remove(&book.name);
        engine.add(&book.name);
        let reader = engine.wait_for(&full, LONG).unwrap();
        assert_eq!(reader.state(), (State::Live, Reason::None));
    }
}

#[test]
fn books_of_an_input_that_breaks_off_are_live_no_more() {
    let folder = std::env::temp_dir().join(format!("gapless-broken-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let broken = folder.join("broken.cap.zst");
    // A whole part that is packed, then what is none.
    let text = zstd::decode_all(std::fs::File::open(sample("okx.cap.zst")).unwrap()).unwrap();
    let middle = text[..text.len() / 2].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let whole = zstd::encode_all(&text[..middle], 1).unwrap();
    std::fs::write(&broken, [whole, b"nothing that was packed".to_vec()].concat()).unwrap();
    let bad = Source::replay([broken.display().to_string()]).name("bad");
    let good = Source::replay([sample("bybit.cap.zst")]).name("good");
    let engine = Engine::builder().source(bad).source(good).start().unwrap();
    engine.join();
    std::fs::remove_dir_all(&folder).unwrap();
    let errors = &engine.status()[0].errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (of_bad, of_good): (Vec<_>, Vec<_>) =
        engine.books().into_iter().partition(|book| book.name.starts_with("okx:"));
    assert!(of_bad.len() > 1 && of_good.len() > 1, "{of_bad:?} {of_good:?}");
    for book in of_bad {
        assert_eq!((book.state, book.reason), (State::Syncing, Reason::Disconnected), "{book:?}");
    }
    assert!(of_good.iter().any(|book| book.state == State::Live));
}

#[test]
fn books_know_from_lists_that_were_given_what_they_are() {
    let url = "https://fapi.binance.com/fapi/v1/exchangeInfo";
    let body = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","contractType":"PERPETUAL",
        "baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","filters":[
        {"filterType":"PRICE_FILTER","tickSize":"0.10"},
        {"filterType":"LOT_SIZE","stepSize":"0.001"}]}]}"#;
    let line = format!("{url}\t{}", body.replace('\n', " "));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lists-of-an-engine.txt");
    std::fs::write(&file, line).unwrap();
    let lists = lists::read([input::Input::file(file)]).unwrap();
    let ticks = |builder: gapless::engine::Builder| {
        let engine = builder.start().unwrap();
        engine.join();
        let reports = engine.reports();
        let tick = |report: &gapless::OwnedReport| {
            let report = report.report();
            report.instrument().map(|row| (report.symbol().to_owned(), row.tick.to_string()))
        };
        let mut ticks: Vec<_> = reports.iter().filter_map(tick).collect();
        ticks.sort_unstable();
        ticks.dedup();
        ticks
    };
    let source = || Source::replay([sample("binance_usdm.cap.zst")]);
    assert_eq!(ticks(Engine::builder().source(source())), []);
    let known = [("BTCUSDT".to_owned(), "0.1".to_owned())];
    assert_eq!(ticks(Engine::builder().source(source()).instruments(lists.table.clone())), known);
    // A source's own lists stand alone.
    let mut own = lists.table.clone();
    let mut row = own.iter().next().unwrap().clone();
    row.symbol = "ETHUSDT".to_owned();
    own = Instruments::default();
    own.update(List { instruments: vec![row], ..List::default() });
    let choices = Choices { instruments: own.into(), ..Choices::default() };
    let builder = Engine::builder().source(source().choices(choices)).instruments(lists.table);
    assert!(ticks(builder).iter().all(|(symbol, _)| symbol != "BTCUSDT"));
}

#[test]
fn only_the_books_that_are_wanted_are_published() {
    let all = replayed(&[sample("okx.cap.zst")]);
    let wanted = all.keys().next().unwrap().split('@').next().unwrap();
    let builder = Engine::builder().source(Source::replay([sample("okx.cap.zst")]));
    let engine = builder.books([wanted]).start().unwrap();
    engine.join();
    assert!(!engine.books().is_empty() && engine.books().len() < all.len());
    assert!(engine.books().iter().all(|book| book.name == wanted));
}

#[test]
fn what_is_wrong_with_one_input_is_told_and_the_others_are_read() {
    let folder = std::env::temp_dir().join(format!("gapless-engine-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let bad = folder.join("broken.cap");
    std::fs::write(&bad, "1617647603424944000\tR\tws\t{\"u\":1}\nno line of a recording\n")
        .unwrap();
    let good = Source::replay([sample("okx.cap.zst")]).name("good");
    let bad = Source::replay([bad.display().to_string()]).name("bad");
    let engine = Engine::builder().source(good).source(bad).start().unwrap();
    engine.join();
    let [good, bad] = &engine.status()[..] else { panic!("two sources") };
    assert_eq!((good.name.as_str(), good.errors_count), ("good", 0));
    assert!(bad.errors_count > 0 && bad.errors[0].contains("broken.cap"), "{bad:?}");
    assert!(engine.books().iter().any(|book| book.state == State::Live));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_engine_that_cannot_start_says_why_and_leaves_nothing_running() {
    assert!(matches!(Engine::builder().start(), Err(EngineError::NoSource)));
    let missing = Engine::builder().source(Source::replay(["no/such/file.cap"]));
    let error = missing.start().unwrap_err().to_string();
    assert!(error.contains("no/such/file.cap"), "{error}");
    let config = Config { depth: 0, ..Config::default() };
    let source = Source::replay([sample("okx.cap.zst")]);
    let error = Engine::builder().publication(config).source(source).start().unwrap_err();
    assert!(matches!(error, EngineError::Config(_)), "{error}");
}

#[test]
fn a_paced_source_beats_while_nothing_is_due_and_stops_at_once() {
    // So slow that between two records the writer must beat many times.
    let source = Source::replay([sample("okx.cap.zst")]).speed(Speed::Factor(0.02));
    let config = Config { writer_silent_ns: 50_000_000, ..Config::default() };
    for idle in [Wait::Sleep(Duration::from_secs(3600)), Wait::Yield] {
        let builder = Engine::builder().publication(config).idle(idle).source(source.clone());
        let mut engine = builder.start().unwrap();
        until("a book appears", || !engine.books().is_empty());
        let reader = engine.book(&engine.books()[0].name).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            assert_ne!(reader.state().1, Reason::WriterSilent);
            std::thread::sleep(Duration::from_millis(5));
        }
        let begun = Instant::now();
        engine.stop();
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_reader_that_waits_is_told_of_the_next_publication() {
    let source = Source::replay([sample("okx.cap.zst")]).speed(Speed::Factor(1.0));
    let engine = Engine::builder().source(source).start().unwrap();
    until("a book appears", || !engine.books().is_empty());
    let reader = engine.book(&engine.books()[0].name).unwrap();
    for how in [Wait::Spin, Wait::Yield, Wait::Sleep(Duration::from_micros(100))] {
        let seen = reader.version();
        assert_ne!(reader.wait(seen, how, LONG), Some(seen));
        assert!(reader.wait(u64::MAX, how, LONG).is_some());
    }
    drop(engine);
    let seen = reader.version();
    assert_eq!(reader.wait(seen, Wait::Yield, Duration::from_millis(5)), None);
}

#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Threads and open files of this process.
#[cfg(target_os = "linux")]
fn held() -> (usize, usize) {
    let count = |path| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Resident memory, bytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Does something 200 times, and then 800 times more, which takes no thread, file or memory for
/// good.
#[cfg(target_os = "linux")]
#[track_caller]
fn leaves_nothing_behind(mut round: impl FnMut()) {
    (0..200).for_each(|_| round());
    let (before, memory) = (held(), resident());
    (0..800).for_each(|_| round());
    assert_eq!(held(), before);
    let grown = resident().saturating_sub(memory);
    assert!(grown < 1 << 20, "{grown} bytes");
}

#[cfg(target_os = "linux")]
fn small() -> Config {
    Config { ring: 256, levels: 512, ..Config::default() }
}

#[test]
#[cfg(target_os = "linux")]
fn starting_and_stopping_a_thousand_times_leaves_nothing_behind() {
    let source = Source::replay([sample("okx.cap.zst")]).speed(Speed::Factor(1.0));
    let mut engine = Engine::builder().publication(small()).source(source).build();
    leaves_nothing_behind(|| {
        engine.start().unwrap();
        drop(engine.wait_for("no such book", Duration::from_millis(1)));
        engine.stop();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn engines_with_subscribers_readers_and_shared_books_leave_nothing_behind() {
    use gapless::{Interest, Topic};
    let folder = PathBuf::from(format!("/dev/shm/gapless-leaks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let shared = gapless::shm::Directory::new(&folder);
    let path = recording("leaks", &[(0, "AAA"), (1, "BBB"), (2, "AAA")]);
    leaves_nothing_behind(|| {
        let source = Source::replay([path.display().to_string()]);
        let builder = Engine::builder().publication(small()).source(source);
        let mut engine = builder.share(shared.clone(), "leaks").build();
        engine.measure(true);
        let interest = Interest::in_topics(Topic::ALL).capacity(16);
        let mut events = engine.subscribe(&interest).unwrap();
        let _never_asked = engine.subscribe(&interest).unwrap();
        engine.start().unwrap();
        engine.join();
        let other = shared.find("bybit.linear:AAA").unwrap().attach().unwrap();
        assert!(other.top().is_ok() && events.next().is_ok());
        assert!(engine.latency().is_some() && engine.reports().len() == 2);
        drop(engine);
        assert_eq!(other.state().1, Reason::Closed);
    });
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn engines_of_live_sources_leave_nothing_behind() {
    // Nobody listens there.
    let text = r#"{"allow_plaintext_loopback":true,"sources":[{"live":"okx","symbols":["A"],
        "socket":"ws://127.0.0.1:1","rest":"http://127.0.0.1:1"}]}"#;
    leaves_nothing_behind(|| {
        let mut engine = gapless::config::read(text).unwrap().start().unwrap();
        assert!(engine.wait_for("okx:A", LONG).is_ok());
        engine.stop();
    });
}

/// Reads until told to stop: what a reader is given is never crossed, and one that was told that
/// its book has ended is never told otherwise.
fn watch(readers: &Mutex<Vec<BookReader>>, stop: &AtomicBool) -> u64 {
    let (mut reads, mut ended) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let all = readers.lock().unwrap().clone();
        for reader in all {
            let version = (reader.name().to_owned(), reader.publication().incarnation());
            match reader.top() {
                Ok(top) => {
                    reads += 1;
                    assert!(!ended.contains(&version), "{version:?} is live after its end");
                    let prices = (top.bid.map(|l| l.price), top.ask.map(|l| l.price));
                    assert!(!matches!(prices, (Some(bid), Some(ask)) if bid >= ask), "{top:?}");
                }
                Err(ReadError::NotLive(not)) if not.reason == Reason::Closed => {
                    if !ended.contains(&version) {
                        ended.push(version);
                    }
                }
                Err(_) => {}
            }
        }
    }
    reads
}

#[test]
fn books_come_and_go_in_any_order_under_readers_that_never_stop() {
    let source = || Source::replay([samples()]).threads(2).speed(Speed::Factor(20.0));
    let mut engine = Engine::builder().source(source()).build();
    let (readers, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let reads = std::thread::scope(|scope| {
        let watching: Vec<_> = (0..2).map(|_| scope.spawn(|| watch(&readers, &stop))).collect();
        for _ in 0..300 {
            let books = engine.books();
            match random(8) {
                0 => engine.restart().unwrap(),
                1 => engine.stop(),
                2 | 3 if !books.is_empty() => engine.remove(&books[random(books.len())].name),
                4 if !books.is_empty() => engine.add(&books[random(books.len())].name),
                _ => _ = engine.start(),
            }
            let now = engine.books();
            let mut held = readers.lock().unwrap();
            held.extend(now.iter().filter_map(|book| engine.book(&book.full_name()).ok()));
            let surplus = held.len().saturating_sub(40);
            held.drain(..surplus);
            drop(held);
            std::thread::sleep(Duration::from_millis(u64::try_from(random(10)).unwrap()));
        }
        stop.store(true, Ordering::Relaxed);
        watching.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    assert!(reads > 0);
    engine.stop();
    assert!(readers.lock().unwrap().iter().all(|reader| reader.state().1 == Reason::Closed));
    assert!(engine.status().iter().all(|source| source.errors_count == 0));
}

/// A recording of books whose messages come at these times, in ms, symbol by symbol.
fn recording(name: &str, messages: &[(u64, &str)]) -> PathBuf {
    let begin_ms = 1_700_000_000_000;
    let mut seen = BTreeMap::<&str, u64>::new();
    let mut text = format!("{begin_ms}000000\tC\tws\twss://stream.bybit.com/v5/public/linear\n");
    for (at_ms, symbol) in messages {
        let u = seen.entry(symbol).or_default();
        *u += 1;
        let (ms, kind) = (begin_ms + at_ms, if *u == 1 { "snapshot" } else { "delta" });
        text += &format!(
            "{ms}000000\tR\tws\t{{\"topic\":\"orderbook.50.{symbol}\",\"type\":\"{kind}\",\
             \"ts\":{ms},\"data\":{{\"s\":\"{symbol}\",\"b\":[[\"1\",\"{u}\"]],\
             \"a\":[[\"2\",\"{u}\"]],\"u\":{u},\"seq\":{u}}},\"cts\":{ms}}}\n"
        );
    }
    let path = std::env::temp_dir().join(format!("gapless-{name}-{}.cap", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_book_that_is_silent_in_its_own_time_is_stale_and_no_other_is() {
    let messages: Vec<_> = (0..40).flat_map(|at| [(at * 100, "AAA"), (at * 100, "BBB")]).collect();
    // BBB says nothing for the last two of the four seconds.
    let messages: Vec<_> = messages.into_iter().filter(|m| m.1 == "AAA" || m.0 <= 2_000).collect();
    let path = recording("silent", &messages);
    let source = || Source::replay([path.display().to_string()]);
    let state = |freshness: Option<u64>, name: &str| {
        let builder = Engine::builder().source(source());
        let builder = match freshness {
            Some(ms) => builder.freshness(Duration::from_millis(ms)),
            None => builder,
        };
        let engine = builder.start().unwrap();
        engine.join();
        engine.book(name).unwrap().state()
    };
    let (live, silent) = ((State::Live, Reason::None), (State::Stale, Reason::Silent));
    assert_eq!(state(Some(1_000), "bybit.linear:AAA"), live);
    assert_eq!(state(Some(1_000), "bybit.linear:BBB"), silent);
    assert_eq!(state(Some(3_000), "bybit.linear:BBB"), live);
    assert_eq!(state(None, "bybit.linear:BBB"), live);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_book_is_stale_while_nothing_comes_and_live_with_the_next_message() {
    let path = recording("pause", &[(0, "AAA"), (10, "AAA"), (1_200, "AAA")]);
    let source = Source::replay([path.display().to_string()]).speed(Speed::Factor(1.0));
    let builder = Engine::builder().source(source).freshness(Duration::from_millis(200));
    let engine = builder.start().unwrap();
    let book = engine.wait_for("bybit.linear:AAA", LONG).unwrap();
    assert_eq!(book.state().0, State::Live);
    until("it is stale", || book.state() == (State::Stale, Reason::Silent));
    assert!(engine.status()[0].state == SourceState::Running, "before the next message");
    until("it is live again", || book.state().0 == State::Live);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn an_engine_times_its_messages_when_told_to_and_says_what_it_cannot_correct() {
    use gapless::latency::Leg;
    let source = || Source::replay([sample("okx.cap.zst")]);
    let mut engine = Engine::builder().source(source()).build();
    assert!(engine.latency().is_none());
    engine.measure(true);
    engine.start().unwrap();
    engine.join();
    let records = engine.latency().unwrap();
    let count = records.leg(Leg::Whole).len();
    assert!(count > 100 && !records.is_corrected() && records.overhead_ns() > 0);
    for leg in [Leg::Parse, Leg::Sequence, Leg::Apply, Leg::Publish] {
        assert_eq!(records.leg(leg).len(), count, "{}", leg.name());
        assert!(records.leg(leg).value_at_quantile(0.5) <= records.leg(Leg::Whole).max());
    }
    assert!(records.leg(Leg::Late).is_empty() && records.venue().count() > 0);
    engine.restart().unwrap();
    engine.join();
    assert_eq!(engine.latency().unwrap().leg(Leg::Whole).len(), 2 * count, "over restarts");
    engine.measure(false);
    assert!(engine.latency().is_none());
    let mut engine = Engine::builder().source(source().speed(Speed::Factor(100.0))).build();
    engine.measure(true);
    engine.start().unwrap();
    engine.join();
    let records = engine.latency().unwrap();
    assert!(records.is_corrected());
    assert_eq!(records.leg(Leg::FromDue).len(), count);
    let at = |leg| records.leg(leg).value_at_quantile(0.99);
    assert!(at(Leg::FromDue) >= at(Leg::Late) && at(Leg::FromDue) >= at(Leg::Whole));
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_thread_that_waits_for_a_pipe_has_timed_is_in_a_later_answer() {
    use gapless::latency::Leg;
    use std::io::Write;
    const HALF: usize = 50;
    let messages: Vec<_> = (0..2 * HALF as u64).map(|at| (at, "AAA")).collect();
    let path = recording("piped", &messages);
    let timed = |path: &PathBuf| {
        let source = Source::replay([path.display().to_string()]);
        let mut engine = Engine::builder().source(source).build();
        engine.measure(true);
        engine.start().unwrap();
        engine
    };
    let mut whole = timed(&path);
    whole.join();
    let whole = whole.latency().unwrap().leg(Leg::Whole).len();
    let text = std::fs::read_to_string(&path).unwrap();
    let pipe = path.with_extension("pipe.cap");
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (go_on, goes_on) = std::sync::mpsc::channel();
    let into = pipe.clone();
    let writer = std::thread::spawn(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(into).unwrap();
        let (begin, rest) = text.split_at(text.len() / 2);
        pipe.write_all(begin.as_bytes()).unwrap();
        goes_on.recv().unwrap();
        pipe.write_all(rest.as_bytes()).unwrap();
    });
    let mut engine = timed(&pipe);
    let book = engine.wait_for("bybit.linear:AAA", LONG).unwrap();
    until("half was read", || book.last_known_top().unwrap().status.seq > Some(HALF as i64 / 2));
    let begun = Instant::now();
    for _ in 0..2 {
        let asked = engine.latency().unwrap().leg(Leg::Whole).len();
        assert!(asked < whole, "{asked}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    go_on.send(()).unwrap();
    writer.join().unwrap();
    engine.join();
    engine.stop();
    assert_eq!(engine.latency().unwrap().leg(Leg::Whole).len(), whole);
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(&pipe).unwrap();
}
