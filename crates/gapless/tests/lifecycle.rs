//! The life of an engine under a scheduler that draws the order in which threads run: start, stop,
//! restart, books that come and go, subscribers and readers that stay or leave.
//!
//! ```text
//! cargo test --profile ci -p gapless --features shuttle --test lifecycle
//! GAPLESS_SHUTTLE_RUNS=100000 …     # orders of each test; without it some hundred
//! ```
//! Every lock, channel and thread of the engine is the scheduler's, and no time passes: a thread
//! that waits for what nobody will do is a deadlock, which ends the test with its threads' names.
//! Publications and rings are the processor's: their orders are those of the loom models.

use gapless::book::local::{Reason, State};
use gapless::book::publish::Config as Publication;
use gapless::engine::{Ended, Interest, Received, SourceState, Subscription};
use gapless::events::{Body, Topic};
use gapless::latency::Leg;
use gapless::{BookReader, Engine, Source};
use shuttle::scheduler::RandomScheduler;
use shuttle::sync::RwLock;
use shuttle::{Config, Runner, thread};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "bybit.linear:AAA";
const OTHER: &str = "bybit.linear:BBB";
/// Messages of each book.
const MESSAGES: u64 = 6;
/// Without an end: no time passes.
const LONG: Duration = Duration::from_secs(3600);
/// The orders are the same every time, so that a failure is the commit's.
const SEED: u64 = 20_261_121;
const CLOSED: (State, Reason) = (State::Stale, Reason::Closed);

/// A recording of two books, one file of each process.
fn recording() -> PathBuf {
    let path = std::env::temp_dir().join(format!("gapless-life-{}.cap", std::process::id()));
    if path.exists() {
        return path;
    }
    let begin = 1_700_000_000_000_000_000u64;
    let mut text = format!("{begin}\tC\tws\twss://stream.bybit.com/v5/public/linear\n");
    for u in 1..=MESSAGES {
        for symbol in ["AAA", "BBB"] {
            let kind = if u == 1 { "snapshot" } else { "delta" };
            writeln!(
                text,
                "{}\tR\tws\t{{\"topic\":\"orderbook.50.{symbol}\",\"type\":\"{kind}\",\"ts\":1,\
                 \"data\":{{\"s\":\"{symbol}\",\"b\":[[\"100\",\"{u}\"]],\"a\":[[\"101\",\"{u}\"]],\
                 \"u\":{u},\"seq\":{u}}},\"cts\":1}}",
                begin + u
            )
            .unwrap();
        }
    }
    // Whole at once: tests run side by side.
    let whole = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&whole, text).unwrap();
    std::fs::rename(&whole, &path).unwrap();
    path
}

fn engine() -> Engine {
    let path = recording().display().to_string();
    // No sign of life is given where no time passes.
    let publication = Publication { writer_silent_ns: i64::MAX, ..Publication::default() };
    Engine::builder().publication(publication).source(Source::replay([path])).build()
}

/// Runs a life in many orders.
fn in_many_orders(life: fn()) {
    recording();
    let runs = std::env::var("GAPLESS_SHUTTLE_RUNS");
    let runs = runs.map_or(400, |text| text.parse().expect("a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new_from_seed(SEED, runs), config).run(life);
}

/// What a receiver is given until the end: updates, and those that were missed.
fn drain(subscription: &mut Subscription) -> (u64, u64) {
    let (mut updates, mut missed) = (0, 0);
    loop {
        match subscription.next() {
            Ok(Received::Event(event)) if matches!(event.body, Body::Update(_)) => updates += 1,
            Ok(Received::Event(_)) => {}
            Ok(Received::Missed(count)) => missed += count,
            Err(Ended::Closed) => return (updates, missed),
            Err(ended) => panic!("{ended}"),
        }
    }
}

/// Reads until the book is closed: from then on it stays so, and it never goes back.
fn read_to_the_end(book: &BookReader) {
    let mut last = None;
    while book.state() != CLOSED {
        let seq = book.last_known_top().unwrap().status.seq;
        assert!(seq >= last, "{seq:?} after {last:?}");
        last = seq;
        thread::yield_now();
    }
    assert!(book.top().is_err());
    assert!(book.last_known_top().unwrap().bid.is_some());
}

#[test]
fn a_reader_and_a_receiver_see_every_end_of_an_engine_that_starts_twice() {
    in_many_orders(|| {
        let mut engine = engine();
        let interest = Interest::in_topics([Topic::Updates]);
        let mut first = engine.subscribe(&interest).unwrap();
        engine.start().unwrap();
        let receiver = thread::spawn(move || drain(&mut first));
        let book = engine.wait_for(NAME, LONG).unwrap();
        let reader = thread::spawn(move || read_to_the_end(&book));
        engine.join();
        assert_eq!(engine.book(NAME).unwrap().state(), (State::Live, Reason::None));
        let before = engine.book(NAME).unwrap();
        engine.stop();
        assert_eq!(before.state(), CLOSED);
        assert_eq!(engine.status()[0].state, SourceState::Stopped);
        reader.join().unwrap();
        let (updates, missed) = receiver.join().unwrap();
        // A book is told of from its publication on, with what it had taken by then as one.
        assert_eq!((updates, missed), (2 * MESSAGES, 0));
        let mut second = engine.subscribe(&interest).unwrap();
        engine.restart().unwrap();
        let receiver = thread::spawn(move || drain(&mut second));
        let after = engine.wait_for(NAME, LONG).unwrap();
        assert_ne!(before.publication().incarnation(), after.publication().incarnation());
        engine.join();
        drop(engine);
        assert_eq!(after.state(), CLOSED);
        assert_eq!(receiver.join().unwrap(), (2 * MESSAGES, 0));
    });
}

#[test]
fn an_engine_that_is_stopped_at_any_moment_leaves_nobody_waiting() {
    in_many_orders(|| {
        let mut engine = engine();
        let mut events = engine.subscribe(&Interest::in_topics(Topic::ALL)).unwrap();
        engine.start().unwrap();
        let receiver = thread::spawn(move || drain(&mut events));
        let book = engine.wait_for(NAME, LONG).unwrap();
        let reader = {
            let book = book.clone();
            thread::spawn(move || read_to_the_end(&book))
        };
        // Nobody waited for the end of the recording.
        engine.stop();
        assert_eq!(book.state(), CLOSED);
        engine.stop();
        reader.join().unwrap();
        receiver.join().unwrap();
    });
}

#[test]
fn who_waits_for_an_end_or_a_book_is_released_by_a_stop_and_by_a_restart() {
    in_many_orders(|| {
        let mut engine = engine();
        engine.start().unwrap();
        let joined = thread::spawn(engine.joining());
        let found = thread::spawn(engine.waiting_for("bybit.linear:NONE", LONG));
        engine.restart().unwrap();
        let again = thread::spawn(engine.waiting_for(NAME, LONG));
        // Of the run before: nobody waits for the end of this one.
        joined.join().unwrap();
        engine.stop();
        assert!(found.join().unwrap().is_err());
        // It had appeared, or the threads stopped before it could.
        if let Ok(book) = again.join().unwrap() {
            assert_eq!(book.state(), CLOSED);
        }
    });
}

#[test]
fn a_receiver_that_leaves_while_it_sleeps_takes_its_subscription_with_it() {
    in_many_orders(|| {
        let mut engine = engine();
        let mut leaving = engine.subscribe(&Interest::in_topics([Topic::Updates])).unwrap();
        let remote = leaving.remote();
        engine.start().unwrap();
        let receiver = thread::spawn(move || {
            while leaving.next().is_ok() {}
            assert_eq!(leaving.try_next(), Err(Ended::Closed), "for good");
        });
        remote.end();
        receiver.join().unwrap();
        engine.join();
        assert!(remote.counts().received <= 2 * MESSAGES);
        let mut staying = engine.subscribe(&Interest::in_topics([Topic::Updates])).unwrap();
        engine.stop();
        let _ = drain(&mut staying);
    });
}

#[test]
fn a_book_that_is_removed_is_closed_and_one_that_is_added_is_another() {
    in_many_orders(|| {
        let mut engine = engine();
        engine.start().unwrap();
        let other = engine.wait_for(OTHER, LONG).unwrap();
        let engine = Arc::new(RwLock::new(engine));
        let asking = Arc::clone(&engine);
        let asker = thread::spawn(move || {
            for _ in 0..4 {
                let engine = asking.read().unwrap();
                assert!(engine.books().iter().all(|book| !book.name.is_empty()));
                let _ = engine.book(NAME).map(|book| book.state());
                drop(engine);
                thread::yield_now();
            }
        });
        for _ in 0..2 {
            let mut engine = engine.write().unwrap();
            let old = engine.wait_for(NAME, LONG).unwrap();
            engine.remove(NAME);
            assert!(engine.book(NAME).is_err(), "not given out from that moment on");
            engine.add(NAME);
            let new = engine.wait_for(NAME, LONG).unwrap();
            assert_eq!(old.state(), CLOSED);
            assert_ne!(old.publication().incarnation(), new.publication().incarnation());
            assert_eq!(new.state(), (State::Live, Reason::None));
        }
        asker.join().unwrap();
        engine.read().unwrap().join();
        assert_eq!(other.state(), (State::Live, Reason::None), "no other was touched");
        let new = engine.read().unwrap().book(NAME).unwrap();
        let seq = new.last_known_top().unwrap().status.seq;
        assert_eq!(seq, Some(MESSAGES.cast_signed()));
        let mut replica = new.replica();
        replica.refresh().unwrap();
        assert_eq!(replica.last_known().unwrap().bids.iter().count(), 1);
    });
}

#[test]
fn receivers_come_and_go_while_the_engine_runs() {
    in_many_orders(|| {
        let mut engine = engine();
        let interest = Interest::in_topics([Topic::Updates]);
        let leaving = engine.subscribe(&interest).unwrap();
        let mut staying = engine.subscribe(&interest).unwrap();
        engine.start().unwrap();
        let gone = thread::spawn(move || drop(leaving));
        let stayed = thread::spawn(move || drain(&mut staying));
        let mut late = engine.subscribe(&interest).unwrap();
        let late = thread::spawn(move || drain(&mut late));
        gone.join().unwrap();
        engine.join();
        assert_eq!(stayed.join().unwrap(), (2 * MESSAGES, 0));
        assert!(late.join().unwrap().0 <= 2 * MESSAGES);
        engine.stop();
    });
}

#[test]
fn what_was_timed_is_asked_for_at_any_moment_and_nothing_is_counted_twice() {
    in_many_orders(|| {
        let mut engine = engine();
        engine.measure(true);
        engine.start().unwrap();
        let early = engine.latency().unwrap().leg(Leg::Whole).len();
        assert!(engine.reports().len() <= 2);
        engine.join();
        let whole = engine.latency().unwrap().leg(Leg::Whole).len();
        assert!(early <= whole && whole <= 2 * MESSAGES, "{early} {whole}");
        engine.stop();
        assert_eq!(engine.latency().unwrap().leg(Leg::Whole).len(), whole);
    });
}
