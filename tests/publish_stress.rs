//! Readers against a writer on real cores: every answer is a book that was published, whole.
//!
//! The book after message `t` is a function of `t`, so that a reader can tell from the number that
//! comes with an answer what every level of it must be. Three readers and a writer share the cores:
//! once as threads, once as two processes that are stopped at any instruction, one at a time, while
//! the other goes on.
//!
//! ```text
//! GAPLESS_STRESS_SECONDS=60 cargo test --profile ci -p gapless-tests --test publish_stress \
//!     -- --nocapture
//! GAPLESS_STRESS_WRITES=100000000 GAPLESS_STRESS_READS=1000000000 cargo test …
//! ```
//! runs until the time is over and so much was written and read, and prints how much was; without
//! the variables three seconds.

use gapless_book::book::Levels;
use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Times};
use gapless_book::local::{CrossedPolicy, LocalBook, Policy, State};
use gapless_book::publish::{
    ChangeSet, Config, Depth, Heap, Publisher, Reader, RefreshError, Region, Status,
};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
#[path = "publish_stress/processes.rs"]
mod processes;

/// Levels a side.
const LEVELS: i64 = 200;
/// The best bid, when it is there; asks begin one above.
const MIDDLE: i64 = 10_000;

/// The first message: every level has been set by one before.
const FIRST: i64 = LEVELS * 3;

/// Size of level `i` after message `t`: the number of the last message that set it. Each sets one
/// level; every other time it is the best one's turn, it goes.
fn qty(t: i64, i: i64) -> i64 {
    let last = t - (t - i).rem_euclid(LEVELS);
    if i == 0 && (last / LEVELS) % 2 != 0 { 0 } else { last }
}

fn bid(t: i64, i: i64) -> Level {
    Level { price: MIDDLE - i, qty: qty(t, i) }
}

fn ask(t: i64, i: i64) -> Level {
    Level { price: MIDDLE + 1 + i, qty: qty(t, i) + 1 }
}

/// A bid above the best ask that comes with this message and goes with the next.
fn crosses(t: i64) -> bool {
    t % 97 == 13 && !is_snapshot(t)
}

/// Messages that are lost, so that the book waits for the snapshot after them.
fn is_lost(t: i64) -> bool {
    (500..503).contains(&(t % 1009))
}

fn is_snapshot(t: i64) -> bool {
    t % 1009 == 510
}

fn is_live(t: i64) -> bool {
    !crosses(t) && !(500..510).contains(&(t % 1009))
}

/// Says what must be there, best first.
fn expected(t: i64, level: fn(i64, i64) -> Level) -> impl Iterator<Item = Level> {
    (0..LEVELS).map(move |i| level(t, i)).filter(|level| level.price != MIDDLE || level.qty != 0)
}

struct Writer<R: Region> {
    book: LocalBook,
    publisher: Publisher<R>,
    /// The message that comes next.
    t: i64,
}

impl<R: Region> Writer<R> {
    fn new(publisher: Publisher<R>) -> Self {
        let policy = Policy { crossed: CrossedPolicy::Report, ..Policy::default() };
        let book = LocalBook::new(Rule::new(Chain::Linked, Bridge::InStream), policy);
        Self { book, publisher, t: FIRST }
    }

    /// Publishes in bursts with pauses of all lengths, as venues do.
    fn bursts(&mut self) {
        for burst in 0..64 {
            (0..burst).for_each(|more| self.step(self.t + more));
            self.t += burst;
            (0..burst * 8).for_each(|_| std::hint::spin_loop());
        }
    }

    /// How many messages there were.
    const fn written(&self) -> u64 {
        (self.t - FIRST).unsigned_abs()
    }

    fn step(&mut self, t: i64) {
        if is_lost(t) {
            return;
        }
        if is_snapshot(t) || t == FIRST {
            let (bids, asks): (Vec<_>, Vec<_>) = (expected(t, bid).collect(), all_asks(t));
            self.take(BookKind::Snapshot, t, &bids, &asks);
        } else {
            let i = t.rem_euclid(LEVELS);
            let cross = Level { price: MIDDLE + 5, qty: i64::from(crosses(t)) * t };
            let bids = [bid(t, i), cross];
            let count = if crosses(t) || crosses(t - 1) { 2 } else { 1 };
            self.take(BookKind::Delta, t, &bids[..count], &[ask(t, i)]);
        }
        self.publisher.publish(&self.book, t);
    }

    fn take(&mut self, kind: BookKind, t: i64, bids: &[Level], asks: &[Level]) {
        let seq = SeqInfo { prev: Some(t - 1), last: Some(t), ..SeqInfo::default() };
        let (scales, extras, depth_limit) = (Scales::default(), &[][..], None);
        let message = BookMessage { kind, seq, scales, bids, asks, extras, depth_limit };
        let times = Times { venue_ns: t, recv_ns: t, ..Times::default() };
        let _ = self.book.message(&message, Flags::NONE, &times, &mut self.publisher);
    }
}

fn all_asks(t: i64) -> Vec<Level> {
    (0..LEVELS).map(|i| ask(t, i)).collect()
}

/// What a reader has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    live: u64,
    not_live: u64,
    busy: u64,
    laps: u64,
    /// Number of the last live answer: none may be older.
    last: i64,
}

impl Seen {
    /// The number of a live answer, which must be possible and in order.
    fn number(&mut self, status: &Status) -> i64 {
        let t = status.seq.expect("a live book has a number");
        assert_eq!(status.state, State::Live);
        assert!(is_live(t), "{t} was published as not live");
        assert_eq!((status.venue_ns, status.recv_ns, status.published_ns), (t, t, t));
        assert!(t >= self.last, "{t} after {}", self.last);
        self.last = t;
        self.live += 1;
        t
    }

    fn refused(&mut self, error: impl Into<RefreshError>) {
        match error.into() {
            RefreshError::Busy => self.busy += 1,
            RefreshError::NotLive(_) => self.not_live += 1,
            error => panic!("{error}"),
        }
    }

    /// Answers that were given.
    const fn answers(&self) -> u64 {
        self.live + self.not_live + self.busy
    }

    fn of_top(&mut self, reader: &Reader<impl Region>) {
        match reader.top(0) {
            Err(error) => self.refused(error),
            Ok(top) => {
                let t = self.number(&top.status);
                assert_eq!(top.bid, expected(t, bid).next(), "at {t}");
                assert_eq!(top.ask, Some(ask(t, 0)), "at {t}");
                assert!(top.bid.unwrap().price < top.ask.unwrap().price);
            }
        }
    }

    fn of_depth(&mut self, reader: &Reader<impl Region>, depth: &mut Depth) {
        match reader.copy_into(depth, 20, 0) {
            Err(error) => self.refused(error),
            Ok(()) => {
                let t = self.number(&depth.status);
                assert!(depth.bids.iter().copied().eq(expected(t, bid).take(20)), "{t} {depth:?}");
                assert!(depth.asks.iter().copied().eq((0..20).map(|i| ask(t, i))), "{t} {depth:?}");
            }
        }
    }

    fn whole(&mut self, bids: &Levels, asks: &Levels, status: &Status) {
        let t = self.number(status);
        assert!(bids.iter().eq(expected(t, bid)), "at {t}");
        assert!(asks.iter().eq((0..LEVELS).map(|i| ask(t, i))), "at {t}");
    }
}

/// What the readers of a run share.
#[derive(Debug, Default)]
struct Run {
    stop: AtomicBool,
    answers: AtomicU64,
}

impl Run {
    /// Reads again and again until the run is stopped.
    fn read(&self, mut some: impl FnMut(&mut Seen)) -> Seen {
        let mut seen = Seen::default();
        while !self.stop.load(Ordering::Relaxed) {
            let before = seen.answers();
            some(&mut seen);
            self.answers.fetch_add(seen.answers() - before, Ordering::Relaxed);
        }
        seen
    }
}

fn read_tops<R: Region>(reader: &Reader<R>, run: &Run) -> Seen {
    run.read(|seen| (0..1_000).for_each(|_| seen.of_top(reader)))
}

fn read_depths<R: Region>(reader: &Reader<R>, run: &Run) -> Seen {
    let mut depth = Depth::with_capacity(20);
    run.read(|seen| (0..100).for_each(|_| seen.of_depth(reader, &mut depth)))
}

/// The whole book, and the log: every number once and in order, or laps.
fn read_everything<R: Region + Clone>(reader: &Reader<R>, run: &Run) -> Seen {
    let mut set = ChangeSet::default();
    let (mut replica, mut changes) = (reader.replica(), reader.changes());
    let mut last = None;
    run.read(|seen| {
        match replica.refresh() {
            Err(RefreshError::Busy) => seen.busy += 1,
            Err(error) => panic!("{error}"),
            Ok(_) => match replica.live(0) {
                Err(error) => seen.refused(error),
                Ok(full) => seen.whole(full.bids, full.asks, full.status),
            },
        }
        for _ in 0..1_000 {
            match changes.read(&mut set) {
                Ok(false) => break,
                Err(_) => (seen.laps, last) = (seen.laps + 1, None),
                Ok(true) => {
                    // What was lost leaves the number as it was, until the snapshot.
                    let t = set.status.published_ns;
                    let next = |last: i64| (last + 1..).find(|t| !is_lost(*t));
                    assert!(last.is_none_or(|last| next(last) == Some(t)), "{last:?} {t}");
                    last = Some(t);
                }
            }
        }
    })
}

/// Three readers, while something is done on this thread.
fn while_three_read<R, T>(reader: &Reader<R>, what: impl FnOnce(&Run) -> T) -> (T, [Seen; 3])
where
    R: Region + Clone + Send + Sync,
{
    let run = Run::default();
    std::thread::scope(|scope| {
        let run = &run;
        let readers = [read_tops::<R>, read_depths::<R>, read_everything::<R>]
            .map(|read| scope.spawn(move || read(reader, run)));
        let done = what(run);
        run.stop.store(true, Ordering::Relaxed);
        let seen = readers.map(|reader| reader.join().expect("a reader"));
        assert!(seen.iter().all(|seen| seen.live > 100), "{seen:?}");
        (done, seen)
    })
}

fn config() -> Config {
    Config { ring: 1 << 12, writer_silent_ns: i64::MAX, ..Config::default() }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn every_answer_under_load_is_a_book_that_was_published() {
    let config = config();
    let region = Arc::new(Heap::new(config.words().unwrap()));
    let mut writer = Writer::new(Publisher::create(region.clone(), &config, 1, 0).unwrap());
    let reader = Reader::attach(region).unwrap();
    let from = Instant::now();
    let ((), seen) = while_three_read(&reader, |_| {
        while from.elapsed() < Duration::from_secs(2) {
            writer.bursts();
        }
    });
    println!("{} messages published; {seen:#?}", writer.written());
}
