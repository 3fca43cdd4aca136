//! Readers against a writer on real cores: every answer is a book that was published, whole.
//!
//! The book after message `t` is a function of `t`, so that a reader can tell from the number that
//! comes with an answer what every level of it must be. Three readers and a writer share the cores.
//!
//! ```text
//! GAPLESS_STRESS_SECONDS=600 cargo test --release -p gapless-tests --test publish_stress \
//!     -- --nocapture
//! ```
//! prints how much was written and read; the default is three seconds.

use gapless_book::book::Levels;
use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Times};
use gapless_book::local::{CrossedPolicy, LocalBook, Policy, State};
use gapless_book::publish::{
    ChangeSet, Config, Depth, Heap, Publisher, Reader, RefreshError, Status,
};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Levels a side.
const LEVELS: i64 = 200;
/// The best bid, when it is there; asks begin one above.
const MIDDLE: i64 = 10_000;

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

struct Writer {
    book: LocalBook,
    publisher: Publisher<Arc<Heap>>,
}

impl Writer {
    fn new(region: Arc<Heap>, config: &Config) -> Self {
        let policy = Policy { crossed: CrossedPolicy::Report, ..Policy::default() };
        let book = LocalBook::new(Rule::new(Chain::Linked, Bridge::InStream), policy);
        Self { book, publisher: Publisher::create(region, config, 1, 0).unwrap() }
    }

    fn step(&mut self, t: i64) {
        if is_lost(t) {
            return;
        }
        if is_snapshot(t) || t == LEVELS * 3 {
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

    fn of_top(&mut self, reader: &Reader<Arc<Heap>>) {
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

    fn of_depth(&mut self, reader: &Reader<Arc<Heap>>, depth: &mut Depth) {
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

fn read_tops(reader: &Reader<Arc<Heap>>, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        (0..1_000).for_each(|_| seen.of_top(reader));
    }
    seen
}

fn read_depths(reader: &Reader<Arc<Heap>>, stop: &AtomicBool) -> Seen {
    let (mut seen, mut depth) = (Seen::default(), Depth::with_capacity(20));
    while !stop.load(Ordering::Relaxed) {
        (0..100).for_each(|_| seen.of_depth(reader, &mut depth));
    }
    seen
}

/// The whole book, and the log: every number once and in order, or laps.
fn read_everything(reader: &Reader<Arc<Heap>>, stop: &AtomicBool) -> Seen {
    let (mut seen, mut set) = (Seen::default(), ChangeSet::default());
    let (mut replica, mut changes) = (reader.replica(), reader.changes());
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
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
    }
    seen
}

#[test]
fn every_answer_under_load_is_a_book_that_was_published() {
    let seconds = std::env::var("GAPLESS_STRESS_SECONDS").ok();
    let seconds = seconds.map_or(3, |text| text.parse().expect("seconds"));
    let config = Config { ring: 1 << 12, writer_silent_ns: i64::MAX, ..Config::default() };
    let region = Arc::new(Heap::new(config.words().unwrap()));
    let mut writer = Writer::new(region.clone(), &config);
    let reader = Reader::attach(region).unwrap();
    let stop = AtomicBool::new(false);
    let (written, seen) = std::thread::scope(|scope| {
        let (reader, stop) = (&reader, &stop);
        let readers = [read_tops, read_depths, read_everything]
            .map(|read| scope.spawn(move || read(reader, stop)));
        let written = write(&mut writer, Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        (written, readers.map(|reader| reader.join().expect("a reader")))
    });
    println!("{written} messages published; {seen:#?}");
    assert!(seen.iter().all(|seen| seen.live > 100), "{seen:?}");
}

/// Publishes in bursts with pauses of all lengths, as venues do.
fn write(writer: &mut Writer, time: Duration) -> i64 {
    let (from, first) = (Instant::now(), LEVELS * 3);
    let mut t = first;
    while from.elapsed() < time {
        for burst in 0..64 {
            (0..burst).for_each(|more| writer.step(t + more));
            t += burst;
            (0..burst * 8).for_each(|_| std::hint::spin_loop());
        }
    }
    t - first
}
