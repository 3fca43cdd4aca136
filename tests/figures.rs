//! Figures of live feeds, with exchanges, sockets and engine on this machine, and their bounds.
//!
//! Not part of the test command: by name each is short and its bounds are wide. All of them in
//! full, one after the other, with the bounds that count (some 40 minutes):
//!
//! ```text
//! GAPLESS_FIGURES=full cargo test --release -p gapless-tests --test figures -- \
//!     --nocapture --test-threads 1
//! ```

#[path = "figures/load.rs"]
mod load;
#[path = "figures/still.rs"]
mod still;
#[path = "live/venue.rs"]
mod venue;

use gapless::book::local::State;
use gapless_sim::exchange::{Exchange, Fault, Rule, Venue, When};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use venue::{Changes, LONG, Sim, gaps, speak_every, started, until};

/// Whether everything is measured at length, on a machine that does nothing else.
pub fn is_full() -> bool {
    std::env::var("GAPLESS_FIGURES").is_ok_and(|what| what == "full")
}

/// A bound as it counts, or as it is on a busy machine.
pub fn bound(time: Duration) -> Duration {
    if is_full() { time } else { time * 20 }
}

/// 64 books, that speak less often where a machine does other things too.
fn sim_of_64(venue: Venue) -> Sim {
    let every = Duration::from_millis(if is_full() { 5 } else { 40 });
    Sim::start(venue, 64, |setup| speak_every(setup, every))
}

/// One row of the table of figures.
pub fn row(figure: &str, value: &str) {
    println!("| {figure} | {value} |");
}

/// Sorted; then a share of them is at most so much.
fn quantile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

/// Median, 99th percentile, and both with the worst in words.
pub fn spread(times: &mut [Duration]) -> (Duration, Duration, String) {
    times.sort_unstable();
    let (half, most) = (quantile(times, 50), quantile(times, 99));
    let count = times.len();
    let worst = times[count - 1];
    (half, most, format!("p50 {half:.1?}, p99 {most:.1?}, max {worst:.1?}, {count} times"))
}

/// Since when each book is not live, and how long each was not.
#[derive(Default)]
struct Healing {
    since: HashMap<Arc<str>, i64>,
    times: Vec<Duration>,
}

impl Healing {
    /// Takes changes as they come, for so long.
    fn watch(&mut self, changes: &mut Changes, length: Duration) {
        let end = Instant::now() + length;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(change) = changes.next(left) else { return };
            if change.state != State::Live {
                self.since.entry(change.name).or_insert(change.at_ns);
            } else if let Some(since) = self.since.remove(&change.name) {
                self.times.push(Duration::from_nanos((change.at_ns - since).unsigned_abs()));
            }
        }
    }
}

/// From the message that shows a gap to the live book. The books lose a message one after the
/// other, at this pace; none again within the two seconds between two resyncs of one book.
fn gap_to_live(venue: Venue, sources: usize, pace: Duration, counts: [usize; 2]) {
    let count = counts[usize::from(is_full())];
    // A busy machine is asked for less, with as long between two gaps of one book.
    let (books, every, pace) =
        if is_full() { (64, 4, pace) } else { (24, 20, pace.max(Duration::from_millis(100))) };
    let sim = Sim::start(venue, books, |setup| speak_every(setup, Duration::from_millis(every)));
    let parts = sim.symbols().chunks(books / sources);
    let (engine, mut changes) = started(parts.map(|part| sim.source_of(part.iter())));
    let mut healing = Healing::default();
    let symbols: Vec<_> = sim.symbols().iter().map(|name| bare(name).to_owned()).collect();
    for symbol in symbols.iter().cycle().take(count) {
        let rule = Rule::new(Fault::Drop, When::Nth(1)).of(symbol);
        sim.look(move |exchange| exchange.trouble(rule));
        healing.watch(&mut changes, pace);
    }
    healing.watch(&mut changes, Duration::from_millis(500));
    sim.settle(&engine);
    healing.watch(&mut changes, Duration::ZERO);
    assert_eq!(sim.limits_met(), Vec::<String>::new());
    assert!(healing.times.len() >= count * 9 / 10, "{} gaps", healing.times.len());
    let (half, most, text) = spread(&mut healing.times);
    row(&format!("gap to live, {}", venue.name()), &text);
    assert!(half <= bound(Duration::from_millis(10)), "{text}");
    assert!(most <= bound(Duration::from_millis(50)), "{text}");
}

/// A symbol as its exchange calls it.
fn bare(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A snapshot of 100 levels weighs 5 of 5 400 a minute, which is 18 gaps a second.
#[test]
fn gap_to_live_binance_spot() {
    gap_to_live(Venue::BinanceSpot, 1, Duration::from_millis(60), [40, 10_000]);
}

/// A connection sends 20 requests a second, and a gap costs two of those.
#[test]
fn gap_to_live_bybit() {
    gap_to_live(Venue::Bybit, 4, Duration::from_millis(40), [40, 10_000]);
}

/// A connection may subscribe 480 times an hour, and a gap costs two of those.
#[test]
fn gap_to_live_okx() {
    gap_to_live(Venue::Okx, 1, Duration::from_millis(400), [10, 180]);
}

/// A connection has three requests a second, and a gap costs two of those.
#[test]
fn gap_to_live_deribit() {
    gap_to_live(Venue::Deribit, 1, Duration::from_millis(1_500), [4, 300]);
}

/// Every connection ends with an RST: from there until all of 64 symbols are live.
fn reset_to_live(venue: Venue, rounds: [usize; 2]) {
    let rounds = rounds[usize::from(is_full())];
    let sim = sim_of_64(venue);
    let (engine, mut changes) = started([sim.source()]);
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        sim.look(|exchange| exchange.cut(None));
        let mut live = 0;
        while live < 64 {
            let change = changes.next(LONG).expect("every book is live again");
            if change.state == State::Live {
                live += 1;
                times.push(begun.elapsed());
            }
        }
    }
    sim.settle(&engine);
    assert_eq!(sim.limits_met(), Vec::<String>::new());
    let (_, most, text) = spread(&mut times);
    row(&format!("RST of everything to live, 64 symbols, {}", venue.name()), &text);
    assert!(most <= bound(Duration::from_millis(1_500)), "{text}");
}

/// Each round weighs 320 of 5 400 a minute.
#[test]
fn reset_to_live_binance_spot() {
    reset_to_live(Venue::BinanceSpot, [3, 16]);
}

#[test]
fn reset_to_live_bybit() {
    reset_to_live(Venue::Bybit, [3, 100]);
}

/// 512 symbols lose their connections; in full their snapshots weigh more than a minute allows.
#[test]
fn five_hundred_books_are_synchronised_within_the_weight_limit() {
    let sim = Sim::start(Venue::BinanceSpot, 512, |setup| {
        setup.interval_ns = Some(200_000_000);
    });
    let mut config = sim.source();
    // The book's depth decides the weight: 5 each, or 25 each.
    config.source.snapshot_depth = Some(if is_full() { 500 } else { 100 });
    let (begun, engine) = (Instant::now(), venue::engine([config]));
    let live = || engine.books().iter().filter(|book| book.state == State::Live).count();
    let all = |begun: Instant| {
        while live() < 512 {
            assert!(begun.elapsed() < Duration::from_secs(600), "{} of 512", live());
            std::thread::sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    };
    let first = all(begun);
    let begun = Instant::now();
    sim.look(|exchange| exchange.cut(None));
    until("the loss is seen", || live() < 512);
    let second = all(begun);
    let requests = sim.count("requests");
    let text = format!("from nothing {first:.1?}, after an RST {second:.1?}, {requests} requests");
    row("512 symbols of Binance spot within the weight limit", &text);
    assert_eq!(sim.limits_met(), Vec::<String>::new());
}

/// A peer that is gone without a word, under a silence timer of two seconds, and without one under
/// ping (10 s) and pong (5 s).
#[test]
fn half_open_is_seen_within_its_timer() {
    let timers = [(2, Duration::from_secs(2)), (0, Duration::from_secs(15))];
    for (silence_s, timer) in &timers[..1 + usize::from(is_full())] {
        let sim = Sim::new(Venue::BinanceSpot, 4);
        let mut config = sim.source();
        config.source.silence_ns = silence_s * 1_000_000_000;
        let (engine, mut changes) = started([config]);
        sim.trouble(Fault::HalfOpen, When::Nth(1));
        let begun = Instant::now();
        let change = changes.next(*timer * 2 + LONG).unwrap();
        let seen = begun.elapsed();
        let text = format!("{seen:.2?} of {timer:?}, {:?}", change.reason);
        row("half-open connection seen", &text);
        assert!(seen <= *timer + bound(Duration::from_millis(250)), "{text}");
        sim.settle(&engine);
    }
}

/// One symbol of 64 is wrong in every way; the others are live all the time, and right.
#[test]
fn one_bad_symbol_of_64_costs_the_others_nothing() {
    let sim = sim_of_64(Venue::BinanceSpot);
    let mut config = sim.source();
    config.source.silence_ns = 0;
    let (engine, mut changes) = started([config]);
    let bad = sim.symbols()[20].clone();
    let faults = [
        (Fault::Drop, When::Every(9)),
        (Fault::Corrupt, When::Every(31)),
        (Fault::CrossedSnapshot, When::Nth(2)),
        (Fault::SequenceReset, When::Every(2)),
    ];
    for (fault, when) in faults {
        let rule = Rule::new(fault, when).of(&bad);
        sim.look(move |exchange| exchange.trouble(rule));
    }
    std::thread::sleep(Duration::from_secs(if is_full() { 30 } else { 3 }));
    sim.look(Exchange::calm);
    let reports = engine.reports();
    let had = reports.iter().find(|r| r.report().symbol() == bad).unwrap();
    let lost = had.report().counters().gaps;
    let others = changes.rest().into_iter().filter(|change| !change.name.ends_with(&bad));
    let others: Vec<_> = others.collect();
    assert_eq!(others, Vec::new(), "another book was touched");
    sim.settle(&engine);
    assert!(lost > 0 && gaps(&engine) >= lost, "{lost} gaps");
    row("one bad symbol of 64", &format!("{lost} gaps of its own, 63 books live throughout"));
}
