//! Subscriptions of an engine: every event once and in order, or what the receiver chose for when
//! it is too slow, and counted.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gapless::book::decimal::Decimal;
use gapless::book::event::{self, TakerSide};
use gapless::book::local::{Reason, State};
use gapless::engine::Ended;
use gapless::events::{Body, Event};
use gapless::replay::driver::{LineId, Watcher};
use gapless::replay::pace::Speed;
use gapless::venues::books::BookId;
use gapless::venues::session::Handler;
use gapless::{Engine, Interest, Received, Replay, Slow, Source, Subscription, Topic};
use gapless_tests::recordings;

const LONG: Duration = Duration::from_secs(20);
const BEGIN_MS: u64 = 1_700_000_000_000;

/// A recording of one connection in a file that goes with it.
struct Recording(PathBuf);

impl Recording {
    fn new(name: &str, frames: impl IntoIterator<Item = (u64, String)>) -> Self {
        let mut text =
            format!("{BEGIN_MS}000000\tC\tws\twss://stream.bybit.com/v5/public/linear\n");
        for (at_us, frame) in frames {
            writeln!(text, "{}\tR\tws\t{frame}", BEGIN_MS * 1_000_000 + at_us * 1_000).unwrap();
        }
        let file = format!("gapless-events-{name}-{}.cap", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn source(&self) -> Source {
        Source::replay([self.0.display().to_string()])
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn trade(symbol: &str, seq: u64) -> String {
    format!(
        "{{\"topic\":\"publicTrade.{symbol}\",\"type\":\"snapshot\",\"ts\":{BEGIN_MS},\"data\":[{{\
         \"T\":{BEGIN_MS},\"s\":\"{symbol}\",\"S\":\"Buy\",\"v\":\"0.5\",\"p\":\"{seq}\",\
         \"L\":\"PlusTick\",\"i\":\"{seq}\",\"BT\":false,\"seq\":{seq}}}]}}"
    )
}

fn book(symbol: &str, u: u64) -> String {
    let kind = if u == 1 { "snapshot" } else { "delta" };
    format!(
        "{{\"topic\":\"orderbook.50.{symbol}\",\"type\":\"{kind}\",\"ts\":{BEGIN_MS},\
         \"data\":{{\"s\":\"{symbol}\",\"b\":[[\"1\",\"{u}\"]],\"a\":[[\"2\",\"{u}\"]],\"u\":{u},\
         \"seq\":{u}}},\"cts\":{BEGIN_MS}}}"
    )
}

/// Everything until the engine has ended.
fn drain(subscription: &mut Subscription) -> (Vec<Event>, u64, Ended) {
    let (mut events, mut missed) = (Vec::new(), 0);
    loop {
        match subscription.next_within(LONG) {
            Ok(Some(Received::Event(event))) => events.push(event),
            Ok(Some(Received::Missed(count))) => missed += count,
            Ok(None) => panic!("nothing for {LONG:?}"),
            Err(ended) => return (events, missed, ended),
        }
    }
}

fn price(event: &Event) -> i64 {
    match event.body {
        Body::Trade(trade) => {
            trade.price.mantissa() * 10i64.pow(u32::from(4 - trade.price.scale()))
        }
        _ => panic!("{event:?}"),
    }
}

/// What a replay is told of, to compare with.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Handler for Told {
    fn event(&mut self, event: &event::Event<'_>, _: Option<BookId>) {
        let what = match &event.body {
            event::Body::Trade(of) => say(&[Some(of.price), Some(of.size)], of.taker, of.id),
            event::Body::Liquidation(of) => say(&[Some(of.price), Some(of.size)], of.side, of.id),
            event::Body::Derivative(of) => say_funding(of),
            event::Body::OptionTicker(of) => say_funding(&of.derivative),
            _ => return,
        };
        self.0.push((event.symbol.to_owned(), what));
    }
}

impl Watcher for Told {
    fn line(&mut self, _: LineId) {}
}

fn say(values: &[Option<Decimal>], side: TakerSide, id: &str) -> String {
    format!("{values:?} {side:?} {id}")
}

fn say_funding(of: &event::Derivative) -> String {
    format!("{of:?}")
}

fn said(event: &Event) -> String {
    match event.body {
        Body::Trade(of) => say(&[Some(of.price), Some(of.size)], of.taker, of.id.as_str()),
        Body::Liquidation(of) => say(&[Some(of.price), Some(of.size)], of.side, of.id.as_str()),
        Body::Funding(of) => say_funding(&of),
        _ => panic!("{event:?}"),
    }
}

fn same_as_replay(path: &Path) {
    let path = path.display().to_string();
    let mut told = Told::default();
    let mut replay = Replay::open([path.clone()]).unwrap();
    replay.run(&mut told).unwrap();
    let topics = [Topic::Trades, Topic::Liquidations, Topic::Funding];
    let mut engine = Engine::builder().source(Source::replay([path.clone()])).build();
    let interest = Interest::in_topics(topics).with_irregular().capacity(told.0.len().max(1));
    let mut subscription = engine.subscribe(&interest).unwrap();
    engine.start().unwrap();
    let (events, missed, ended) = drain(&mut subscription);
    assert_eq!((missed, ended), (0, Ended::Closed), "{path}");
    let names: HashMap<_, _> =
        events.iter().map(|e| (e.instrument, subscription.name(e.instrument).unwrap())).collect();
    assert_eq!(events.len(), told.0.len(), "{path}");
    for (at, (event, (symbol, what))) in events.iter().zip(&told.0).enumerate() {
        let name = &names[&event.instrument];
        assert!(name.ends_with(&format!(":{symbol}")), "{path}: {name} {symbol}");
        assert_eq!((&said(event), event.number), (what, at as u64), "{path} {at}");
    }
    // Books and events of one instrument have one name.
    let books: Vec<_> = engine.books().into_iter().map(|book| book.name).collect();
    for name in names.values() {
        let symbol = name.rsplit(':').next().unwrap();
        let of_symbol: Vec<_> =
            books.iter().filter(|book| book.ends_with(&format!(":{symbol}"))).collect();
        assert!(
            of_symbol.is_empty() || of_symbol.iter().any(|b| ***b == **name),
            "{name} {books:?}"
        );
    }
}

#[test]
fn the_events_of_the_samples_are_those_of_a_replay() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let with_data = |path: &PathBuf| path.to_string_lossy().contains(".cap");
    let mut count = 0;
    for file in files.iter().filter(|path| with_data(path)) {
        same_as_replay(file);
        count += 1;
    }
    assert!(count > 1);
}

#[test]
fn the_events_of_recordings_are_those_of_a_replay() {
    let Some(folder) = recordings::folder() else { return };
    for file in recordings::captures(&folder).iter().take(12) {
        same_as_replay(file);
    }
}

#[test]
fn trades_off_the_book_are_given_to_who_asks_for_them_only() {
    let frames = (1..=6).map(|at| {
        let off_book = if at % 3 == 0 { "\"BT\":true" } else { "\"BT\":false" };
        (at * 10, trade("AAA", at).replace("\"BT\":false", off_book))
    });
    let recording = Recording::new("regular", frames);
    let trades = Interest::in_topics([Topic::Trades]);
    for (interest, given) in
        [(trades.clone(), vec![1, 2, 4, 5]), (trades.with_irregular(), vec![1, 2, 3, 4, 5, 6])]
    {
        let mut engine = Engine::builder().source(recording.source()).build();
        let mut subscription = engine.subscribe(&interest).unwrap();
        engine.start().unwrap();
        let (events, missed, _) = drain(&mut subscription);
        let found: Vec<_> = events.iter().map(|event| price(event) / 10_000).collect();
        assert_eq!((found, missed), (given, 0));
        // What is left out is no hole in the numbers.
        assert!(events.iter().zip(0..).all(|(event, number)| event.number == number));
    }
}

#[test]
fn a_receiver_is_given_the_topics_and_names_that_it_asked_for() {
    let frames = (1..=20).flat_map(|at| {
        let at_us = at * 10;
        [trade("AAA", at), trade("BBB", 100 + at), book("AAA", at)].map(|frame| (at_us, frame))
    });
    let recording = Recording::new("topics", frames);
    let mut engine = Engine::builder().source(recording.source()).build();
    let mut subscribe = |interest: Interest| engine.subscribe(&interest).unwrap();
    let mut trades = subscribe(Interest::in_topics([Topic::Trades]).of(["bybit.linear:BBB"]));
    let mut states = subscribe(Interest::in_topics([Topic::States]));
    let mut updates = subscribe(Interest::in_topics([Topic::Updates]));
    let mut nothing = subscribe(Interest::in_topics([Topic::Liquidations]));
    engine.start().unwrap();
    let (events, missed, _) = drain(&mut trades);
    let prices: Vec<i64> = events.iter().map(price).collect();
    assert_eq!((prices, missed), ((101..=120).map(|p| p * 10_000).collect(), 0));
    let (events, ..) = drain(&mut states);
    let [only] = &events[..] else { panic!("{events:?}") };
    let Body::State(state) = only.body else { panic!("{only:?}") };
    assert_eq!((state.state, state.reason, state.seq), (State::Live, Reason::None, Some(1)));
    let full = engine.books()[0].full_name();
    assert_eq!(states.name(state.book).as_deref(), Some(full.as_str()));
    assert_eq!(states.name(only.instrument).as_deref(), Some("bybit.linear:AAA"));
    let (events, ..) = drain(&mut updates);
    let seqs = events.iter().map(|event| match event.body {
        Body::Update(update) => update.seq,
        _ => panic!("{event:?}"),
    });
    assert_eq!(seqs.collect::<Vec<_>>(), (1..=20).map(Some).collect::<Vec<_>>());
    assert_eq!(drain(&mut nothing), (Vec::new(), 0, Ended::Closed));
}

/// Trades of two symbols, all at once.
fn burst(name: &str, count: u64) -> Recording {
    Recording::new(
        name,
        (1..=count).map(|at| (at, trade(if at % 2 == 0 { "AAA" } else { "BBB" }, at))),
    )
}

/// A receiver that looks only when everything has been sent.
fn late(recording: &Recording, interest: &Interest) -> Subscription {
    let mut engine = Engine::builder().source(recording.source()).build();
    let subscription = engine.subscribe(interest).unwrap();
    engine.start().unwrap();
    engine.join();
    subscription
}

#[test]
fn a_slow_receiver_that_drops_the_oldest_is_told_how_many_and_has_the_rest_in_order() {
    let recording = burst("oldest", 1_000);
    for capacity in [1, 64, 999, 1_000, 1_001] {
        let interest = Interest::in_topics([Topic::Trades]).capacity(capacity);
        let mut subscription = late(&recording, &interest);
        let (mut expected, mut missed) = (0, 0);
        let ended = loop {
            match subscription.try_next() {
                Ok(Some(Received::Missed(count))) => {
                    missed += count;
                    expected += count;
                }
                Ok(Some(Received::Event(event))) => {
                    assert_eq!(event.number, expected, "the gap stands where it is");
                    expected += 1;
                    assert_eq!(price(&event), expected.cast_signed() * 10_000);
                }
                Ok(None) => {}
                Err(ended) => break ended,
            }
        };
        assert_eq!((ended, expected), (Ended::Closed, 1_000), "{capacity}");
        assert_eq!(missed == 0, capacity >= 1_000, "{capacity}");
        let counts = subscription.counts();
        assert_eq!((counts.received + counts.missed, counts.missed), (1_000, missed));
        assert!(counts.received >= (capacity.min(1_000) as u64 * 7 / 8).max(1), "{counts:?}");
    }
}

#[test]
fn a_slow_receiver_that_conflates_has_the_latest_of_each_instrument() {
    let recording = burst("conflate", 1_000);
    let interest = Interest::in_topics([Topic::Trades]).when_slow(Slow::Conflate).capacity(2);
    let mut subscription = late(&recording, &interest);
    let (events, missed, ended) = drain(&mut subscription);
    let mut prices: Vec<i64> = events.iter().map(price).collect();
    prices.sort_unstable();
    assert_eq!((prices, missed, ended), (vec![9_990_000, 10_000_000], 0, Ended::Closed));
    assert_eq!(subscription.counts().replaced, 998);
}

#[test]
fn what_has_no_place_among_the_latest_is_told() {
    let recording = burst("places", 100);
    let interest = Interest::in_topics([Topic::Trades]).when_slow(Slow::Conflate).capacity(1);
    let mut engine = Engine::builder().source(recording.source()).build();
    let mut subscription = engine.subscribe(&interest).unwrap();
    engine.start().unwrap();
    engine.join();
    assert_eq!(drain(&mut subscription).0.len(), 1);
    let status = engine.status();
    assert!(status[0].errors[0].starts_with("50 events had no place"), "{status:?}");
}

#[test]
fn a_slow_receiver_that_is_to_be_disconnected_is_and_stays_so() {
    let recording = burst("disconnect", 1_000);
    let interest = Interest::in_topics([Topic::Trades]).when_slow(Slow::Disconnect);
    let (events, missed, ended) = drain(&mut late(&recording, &interest.clone().capacity(1_000)));
    assert_eq!((events.len(), missed, ended), (1_000, 0, Ended::Closed));
    let mut subscription = late(&recording, &interest.capacity(999));
    let (events, _, ended) = drain(&mut subscription);
    assert!(events.is_empty() && matches!(ended, Ended::TooSlow { missed } if missed > 0));
    assert_eq!(subscription.try_next(), Err(ended));
    assert!(subscription.counts().missed > 0);
}

#[test]
fn a_subscription_goes_on_when_its_engine_starts_again() {
    let recording = burst("restart", 50);
    let mut engine = Engine::builder().source(recording.source()).build();
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    assert_eq!(subscription.try_next(), Err(Ended::Closed), "it has not started");
    for _ in 0..3 {
        engine.restart().unwrap();
        let (events, missed, ended) = drain(&mut subscription);
        assert_eq!((events.len(), missed, ended), (50, 0, Ended::Closed));
    }
    engine.stop();
    assert_eq!(subscription.next(), Err(Ended::Closed));
    drop(engine);
    assert_eq!(subscription.next(), Err(Ended::Closed));
}

#[test]
fn who_subscribes_while_the_engine_runs_is_given_what_comes_from_then_on() {
    let frames = (1..=400).map(|at| (at * 5_000, trade("AAA", at)));
    let recording = Recording::new("running", frames);
    let source = recording.source().speed(Speed::Factor(1.0));
    let mut engine = Engine::builder().source(source).start().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    let Ok(Received::Event(first)) = subscription.next() else { panic!("an event") };
    assert!(price(&first) > 10_000, "what was before is not given");
    let Ok(Received::Event(second)) = subscription.next() else { panic!("an event") };
    assert_eq!(price(&second), price(&first) + 10_000);
}

#[test]
fn a_receiver_that_sleeps_is_woken_by_an_event_and_by_the_end() {
    let frames = [(0, trade("AAA", 1)), (600_000, trade("AAA", 2)), (3_600_000_000, book("X", 1))];
    let recording = Recording::new("asleep", frames);
    let source = recording.source().speed(Speed::Factor(1.0));
    let mut engine = Engine::builder().source(source).build();
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    engine.start().unwrap();
    let begun = Instant::now();
    let mut next = || subscription.next();
    assert!(matches!(next(), Ok(Received::Event(event)) if price(&event) == 10_000));
    assert!(matches!(next(), Ok(Received::Event(event)) if price(&event) == 20_000));
    assert!(begun.elapsed() > Duration::from_millis(500), "it waited");
    assert_eq!(subscription.next_within(Duration::from_millis(20)), Ok(None));
    let waiting = std::thread::spawn(move || subscription.next());
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    let begun = Instant::now();
    engine.stop();
    assert_eq!(waiting.join().unwrap(), Err(Ended::Closed));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn events_of_several_threads_reach_one_receiver() {
    let recordings: Vec<_> = (0..3).map(|at| burst(&format!("merge{at}"), 100)).collect();
    let mut builder = Engine::builder();
    for recording in &recordings {
        builder = builder.source(recording.source());
    }
    let mut engine = builder.build();
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    engine.start().unwrap();
    engine.join();
    let (events, missed, _) = drain(&mut subscription);
    assert_eq!((events.len(), missed), (300, 0));
    let mut each = BTreeMap::<i64, usize>::new();
    events.iter().for_each(|event| *each.entry(price(event)).or_default() += 1);
    assert!(each.values().all(|count| *count == 3));
    assert!(events.is_sorted_by_key(|event| event.times.recv_ns), "by time of receipt");
}

#[test]
fn a_book_that_is_closed_by_its_engine_says_so() {
    let frames = (1..=3).map(|u| (u, book("AAA", u))).chain([(3_600_000_000, book("AAA", 4))]);
    let recording = Recording::new("closed", frames);
    let source = recording.source().speed(Speed::Factor(1.0));
    let mut engine = Engine::builder().source(source).build();
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::States])).unwrap();
    engine.start().unwrap();
    let mut state = || match subscription.next_within(LONG) {
        Ok(Some(Received::Event(Event { body: Body::State(state), .. }))) => {
            (state.state, state.reason)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(state(), (State::Live, Reason::None));
    engine.remove("bybit.linear:AAA");
    assert_eq!(state(), (State::Stale, Reason::Closed));
    engine.add("bybit.linear:AAA");
    assert_eq!(state(), (State::Live, Reason::None));
    engine.stop();
    assert_eq!(state(), (State::Stale, Reason::Closed));
}
