//! What readers are told is what the book says, after every message of any stream.
#![cfg(not(loom))]

use gapless_book::event::{
    BookKind, BookMessage, Flags, Level, NO_TIME, Scales, SeqInfo, Side, Times,
};
use gapless_book::local::{CrossedPolicy, LocalBook, Policy, Reason, State};
use gapless_book::publish::{
    AtomicU64, Best, ChangeKind, ChangeSet, Changes, Config, Depth, Heap, LayoutError, NotLive,
    Publisher, ReadError, Reader, RefreshError, Region, Replica, Status,
};
use gapless_book::sequence::{Bridge, Chain, Rule};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What may happen next.
#[derive(Clone, Debug)]
enum Command {
    Snapshot(Vec<(i64, i64)>),
    Delta {
        levels: Vec<(i64, i64)>,
        /// A message before it is lost.
        lost: bool,
        /// Decimals added to both scales.
        decimals: u8,
    },
    Refuse,
    Disconnect,
    Tick(i64),
}

/// Prices below 500 are bids, others asks; now and then one that crosses.
fn levels(count: usize) -> impl Strategy<Value = Vec<(i64, i64)>> {
    let price = prop_oneof![8 => 480..520i64, 2 => 1..1_000i64];
    prop::collection::vec((price, 0..5i64), 0..count)
}

fn command() -> impl Strategy<Value = Command> {
    let lost = prop::bool::weighted(0.05);
    let decimals = prop_oneof![20 => Just(0u8), 1 => 1..3u8];
    let delta = (levels(8), lost, decimals).prop_map(|(levels, lost, decimals)| Command::Delta {
        levels,
        lost,
        decimals,
    });
    prop_oneof![
        30 => delta,
        4 => levels(60).prop_map(Command::Snapshot),
        1 => Just(Command::Refuse),
        1 => Just(Command::Disconnect),
        1 => (0..2_000_000_000i64).prop_map(Command::Tick),
    ]
}

/// A book with its publication.
struct Line {
    book: LocalBook,
    publisher: Publisher<Arc<Heap>>,
    reader: Reader<Arc<Heap>>,
    number: i64,
    now_ns: i64,
}

impl Line {
    fn new(policy: CrossedPolicy, limit: Option<u16>, config: &Config) -> Self {
        let rule = Rule::new(Chain::Linked, Bridge::InStream).depth(limit);
        let book = LocalBook::new(rule, Policy { crossed: policy, ..Policy::default() });
        let region = Arc::new(Heap::new(config.words().unwrap()));
        let publisher = Publisher::create(region.clone(), config, 7, 0).unwrap();
        Self { book, publisher, reader: Reader::attach(region).unwrap(), number: 10, now_ns: 0 }
    }

    fn step(&mut self, command: &Command) {
        self.now_ns += 1_000;
        match command {
            Command::Snapshot(levels) => {
                let seq = SeqInfo { last: Some(self.number), ..SeqInfo::default() };
                self.message(BookKind::Snapshot, seq, levels, 0);
            }
            Command::Delta { levels, lost, decimals } => {
                self.number += i64::from(*lost);
                let (prev, last) = (Some(self.number), Some(self.number + 1));
                self.number += 1;
                let seq = SeqInfo { prev, last, ..SeqInfo::default() };
                self.message(BookKind::Delta, seq, levels, *decimals);
            }
            Command::Refuse => _ = self.book.refuse(),
            Command::Disconnect => _ = self.book.disconnect(),
            Command::Tick(ns) => {
                self.now_ns += ns;
                let _ = self.book.tick(self.now_ns, 1_000_000_000);
            }
        }
        self.publisher.publish(&self.book, self.now_ns);
    }

    fn message(&mut self, kind: BookKind, seq: SeqInfo, levels: &[(i64, i64)], decimals: u8) {
        let level = |(price, qty): &(i64, i64)| Level { price: *price, qty: *qty };
        let (bids, asks): (Vec<_>, Vec<_>) =
            levels.iter().map(level).partition(|level| level.price < 500);
        let scales = Scales { price: decimals, qty: decimals };
        let (extras, depth_limit) = (&[][..], None);
        let message =
            BookMessage { kind, seq, scales, bids: &bids, asks: &asks, extras, depth_limit };
        let times = Times { venue_ns: self.now_ns - 500, recv_ns: self.now_ns, ..Times::default() };
        let _ = self.book.message(&message, Flags::NONE, &times, &mut self.publisher);
    }

    /// The readers' answers against the book's own.
    fn check(&self) {
        let config = self.reader.config();
        let shown = self.reader.last_known_depth(config.depth).unwrap();
        self.check_status(&shown);
        let levels = |side| self.book.last_known().depth(side, config.depth).collect::<Vec<_>>();
        assert_eq!((&shown.bids, &shown.asks), (&levels(Side::Bid), &levels(Side::Ask)));
        let top = self.reader.last_known_top().unwrap();
        assert_eq!(top.status, shown.status);
        assert_eq!(top.bid, self.book.last_known().best_bid());
        assert_eq!(top.ask, self.book.last_known().best_ask());
        let Status { state, reason, epoch, scales, seq, published_ns, .. } = top.status;
        let (bid, ask) = (top.bid, top.ask);
        let best = Best { state, reason, epoch, scales, seq, published_ns, bid, ask };
        assert_eq!(self.reader.last_known_best(), Ok(best));
        let few = self.reader.last_known_depth(3).unwrap();
        assert_eq!(few.bids[..], shown.bids[..shown.bids.len().min(3)]);
        assert_eq!(few.asks[..], shown.asks[..shown.asks.len().min(3)]);

        let (state, reason) = (shown.status.state, shown.status.reason);
        if state == State::Live {
            assert_eq!(self.reader.top(self.now_ns), Ok(top));
            assert_eq!(self.reader.best(self.now_ns), Ok(best));
            assert_eq!(self.reader.depth(config.depth, self.now_ns), Ok(shown));
        } else {
            let refused = Err(ReadError::NotLive(NotLive { state, reason, age_ns: 0 }));
            assert_eq!(self.reader.top(self.now_ns), refused);
            assert_eq!(self.reader.best(self.now_ns).map(|_| top), refused);
            assert_eq!(self.reader.depth(1, self.now_ns).map(|depth| depth.bids.len()), {
                Err(ReadError::NotLive(NotLive { state, reason, age_ns: 0 }))
            });
        }
    }

    fn check_status(&self, shown: &Depth) {
        let status = &shown.status;
        let book = self.book.last_known();
        assert_eq!((status.state, status.reason), self.book.state());
        assert_eq!((status.epoch, status.seq), (self.book.epoch(), self.book.seq()));
        assert_eq!(status.scales, book.scales());
        let times = self.book.last_times();
        assert_eq!((status.venue_ns, status.recv_ns), (times.venue_ns, times.recv_ns));
        assert_eq!(status.published_ns, self.now_ns);
        assert!(status.state != State::Live || !book.is_crossed());
    }
}

fn crossed_policy() -> impl Strategy<Value = CrossedPolicy> {
    prop_oneof![
        Just(CrossedPolicy::Report),
        Just(CrossedPolicy::Uncross),
        Just(CrossedPolicy::Resync)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn readers_see_the_book_after_every_message(
        policy in crossed_policy(),
        limit in prop_oneof![Just(None), Just(Some(12u16))],
        depth in 1..25usize,
        commands in prop::collection::vec(command(), 1..80),
    ) {
        let mut line = Line::new(policy, limit, &Config { depth, ..Config::default() });
        for command in &commands {
            line.step(command);
            line.check();
        }
    }
}

/// Follows a line with a replica that looks now and then, and with the log alone.
struct Followers {
    replica: Replica<Arc<Heap>>,
    changes: Changes<Arc<Heap>>,
    set: ChangeSet,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    /// The log alone does not say what the levels are.
    is_lost: bool,
}

impl Followers {
    fn new(reader: &Reader<Arc<Heap>>) -> Self {
        Self {
            replica: reader.replica(),
            changes: reader.changes(),
            set: ChangeSet::default(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            is_lost: false,
        }
    }

    fn check(&mut self, line: &Line) {
        let book = line.book.last_known();
        self.replica.refresh().unwrap();
        let known = self.replica.last_known().unwrap();
        assert!(known.bids.iter().eq(book.side(Side::Bid).iter()));
        assert!(known.asks.iter().eq(book.side(Side::Ask).iter()));
        let shown = line.reader.last_known_top().unwrap();
        assert_eq!(*known.status, shown.status);
        let live = self.replica.live(line.now_ns).map(|full| *full.status);
        let top = line.reader.top(line.now_ns).map(|top| top.status);
        assert_eq!(live, top.map_err(RefreshError::from));
    }

    /// Reads what there is to read; the levels are known again after a reset.
    fn follow(&mut self, line: &Line) {
        loop {
            match self.changes.read(&mut self.set) {
                Ok(false) => break,
                Err(_) => self.is_lost = true,
                Ok(true) => {
                    if self.set.kind != ChangeKind::Delta {
                        self.bids.clear();
                        self.asks.clear();
                        self.is_lost = self.set.kind == ChangeKind::Resync;
                    }
                    lay(&self.set.bids, &mut self.bids, self.is_lost);
                    lay(&self.set.asks, &mut self.asks, self.is_lost);
                }
            }
        }
        if !self.is_lost {
            let book = line.book.last_known();
            let levels = |(price, qty): (&i64, &i64)| Level { price: *price, qty: *qty };
            assert!(self.bids.iter().rev().map(levels).eq(book.side(Side::Bid).iter()));
            assert!(self.asks.iter().map(levels).eq(book.side(Side::Ask).iter()));
        }
    }
}

fn lay(levels: &[Level], over: &mut BTreeMap<i64, i64>, is_lost: bool) {
    for level in levels {
        match level.qty {
            0 => assert!(over.remove(&level.price).is_some() || is_lost, "nothing was there"),
            qty => _ = over.insert(level.price, qty),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_whole_book_can_be_followed_and_found_again_after_laps(
        policy in crossed_policy(),
        ring in prop_oneof![Just(64usize), Just(128), Just(512)],
        patience in prop_oneof![Just(1usize), 1..6usize, 20..60usize],
        commands in prop::collection::vec(command(), 1..160),
    ) {
        let mut line = Line::new(policy, None, &Config { ring, ..Config::default() });
        let mut followers = Followers::new(&line.reader);
        for (number, command) in commands.iter().enumerate() {
            line.step(command);
            if number % patience == 0 {
                followers.check(&line);
                followers.follow(&line);
            }
            let mut newcomer = Followers::new(&line.reader);
            newcomer.check(&line);
        }
    }
}

/// A seeded source of numbers.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % bound) as i64
    }
}

#[test]
fn who_comes_while_a_large_book_is_copied_bit_by_bit_finds_the_book_of_now() {
    for (ring, width, largest) in [(64, 60, 12), (512, 400, 12), (2_048, 700, 120)] {
        let config = Config { ring, ..Config::default() };
        let mut line = Line::new(CrossedPolicy::Report, None, &config);
        let mut noise = Noise(ring as u64);
        let all = (500 - width..500 + width).map(|price| (price, 1)).collect();
        line.step(&Command::Snapshot(all));
        let mut first = Followers::new(&line.reader);
        for message in 0..1_500 {
            let levels = (0..noise.below(largest)).map(|_| {
                let price = 500 - width + noise.below(2 * width as u64);
                (price, noise.below(3))
            });
            let levels = levels.collect();
            line.step(&Command::Delta { levels, lost: false, decimals: 0 });
            Followers::new(&line.reader).check(&line);
            if message % 97 == 0 {
                first.check(&line);
            }
        }
    }
}

#[test]
fn a_reader_that_was_overtaken_is_told_and_goes_on_with_the_present() {
    let mut line =
        Line::new(CrossedPolicy::Report, None, &Config { ring: 64, ..Config::default() });
    let (mut changes, mut set) = (line.reader.changes(), ChangeSet::default());
    assert_eq!(changes.read(&mut set), Ok(false));
    line.step(&Command::Snapshot(vec![(499, 1), (501, 2)]));
    assert_eq!(changes.read(&mut set), Ok(true));
    assert_eq!((set.kind, set.status.state), (ChangeKind::Reset, State::Live));
    assert_eq!(set.bids, [Level { price: 499, qty: 1 }]);
    let delta = |qty| Command::Delta { levels: vec![(499, qty)], lost: false, decimals: 0 };
    // Sixteen records of four slots fill the ring; one more takes the first one's place.
    (1..17).for_each(|qty| line.step(&delta(qty + 1)));
    let mut patient = changes.clone();
    assert_eq!(changes.read(&mut set), Ok(true));
    assert_eq!((set.kind, set.bids[0].qty), (ChangeKind::Delta, 2));
    line.step(&delta(100));
    assert!(patient.read(&mut set).is_err());
    assert_eq!(patient.read(&mut set), Ok(false));
    line.step(&Command::Disconnect);
    assert_eq!(patient.read(&mut set), Ok(true));
    assert_eq!((set.status.reason, set.bids.len()), (Reason::Disconnected, 0));
}

#[test]
fn a_snapshot_too_large_for_the_log_is_in_the_copy() {
    let mut line =
        Line::new(CrossedPolicy::Report, None, &Config { ring: 64, ..Config::default() });
    let (mut changes, mut set) = (line.reader.changes(), ChangeSet::default());
    let mut followers = Followers::new(&line.reader);
    followers.check(&line);
    line.step(&Command::Snapshot((400..600).map(|price| (price, 1)).collect()));
    assert_eq!(changes.read(&mut set), Ok(true));
    assert_eq!((set.kind, set.bids.len()), (ChangeKind::Resync, 0));
    followers.check(&line);
    assert_eq!(followers.replica.renewals(), 1);
}

#[test]
fn a_book_with_more_levels_than_there_is_room_for_is_too_deep_until_it_is_not() {
    let config = Config { ring: 64, levels: 40, ..Config::default() };
    let mut line = Line::new(CrossedPolicy::Report, None, &config);
    line.step(&Command::Snapshot((459..600).map(|price| (price, 1)).collect()));
    let mut replica = line.reader.replica();
    assert_eq!(replica.refresh(), Err(RefreshError::TooDeep));
    assert!(replica.last_known().is_none());
    assert_eq!(replica.live(line.now_ns).err(), Some(RefreshError::TooDeep));
    assert!(line.reader.top(line.now_ns).is_ok(), "the top needs no room");
    line.step(&Command::Snapshot(vec![(499, 1), (501, 2)]));
    Followers { replica, ..Followers::new(&line.reader) }.check(&line);
}

#[test]
fn without_a_log_there_are_no_changes_and_no_whole_book() {
    let mut line = Line::new(CrossedPolicy::Report, None, &Config { ring: 0, ..Config::default() });
    line.step(&Command::Snapshot(vec![(499, 1), (501, 2)]));
    line.check();
    assert_eq!(line.reader.changes().read(&mut ChangeSet::default()), Ok(false));
    let mut replica = line.reader.replica();
    assert_eq!(replica.refresh(), Err(RefreshError::NotPublished));
    assert_eq!(replica.live(line.now_ns).err(), Some(RefreshError::NotPublished));
}

#[test]
fn a_gap_that_the_top_has_shown_is_not_hidden_by_an_older_replica() {
    let mut line = live();
    let mut replica = line.reader.replica();
    replica.refresh().unwrap();
    assert!(replica.live(line.now_ns).is_ok());
    line.step(&Command::Disconnect);
    assert_eq!(not_live(replica.live(line.now_ns)).reason, Reason::Disconnected);
    let last = replica.last_known().unwrap();
    assert_eq!((last.status.state, last.bids.len()), (State::Live, 1));
}

/// A live book of one bid and one ask.
fn live() -> Line {
    let mut line = Line::new(CrossedPolicy::Report, None, &Config::default());
    line.step(&Command::Snapshot(vec![(499, 1), (501, 2)]));
    line.check();
    assert!(line.reader.top(line.now_ns).is_ok());
    line
}

#[track_caller]
fn not_live(result: Result<impl Sized, impl Into<RefreshError>>) -> NotLive {
    match result.map_err(Into::into) {
        Err(RefreshError::NotLive(found)) => found,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("live"),
    }
}

#[test]
fn a_publication_begins_without_a_snapshot() {
    let line = Line::new(CrossedPolicy::Report, None, &Config::default());
    let found = not_live(line.reader.top(5));
    assert_eq!((found.state, found.reason, found.age_ns), {
        (State::Syncing, Reason::AwaitingSnapshot, 5)
    });
    let top = line.reader.last_known_top().unwrap();
    assert_eq!((top.bid, top.ask, top.status.seq), (None, None, None));
    assert_eq!((top.status.venue_ns, top.status.recv_ns), (NO_TIME, NO_TIME));
    assert_eq!(line.reader.incarnation(), 7);
}

#[test]
fn a_silent_writer_is_stale_after_the_bound_and_not_before() {
    let mut line = live();
    let bound = line.reader.config().writer_silent_ns;
    let last = line.now_ns;
    assert!(line.reader.top(last + bound).is_ok());
    for found in [
        not_live(line.reader.top(last + bound + 1)),
        not_live(line.reader.best(last + bound + 1)),
        not_live(line.reader.depth(1, last + bound + 1)),
    ] {
        assert_eq!((found.state, found.reason), (State::Stale, Reason::WriterSilent));
        assert_eq!(found.age_ns, bound + 1);
    }
    line.publisher.beat(last + 10);
    assert!(line.reader.top(last + bound + 10).is_ok());
    assert_eq!(not_live(line.reader.top(last + bound + 11)).age_ns, bound + 1);
}

#[test]
fn a_book_that_is_not_live_says_why_until_its_writer_is_silent() {
    let mut line = live();
    line.step(&Command::Disconnect);
    let bound = line.reader.config().writer_silent_ns;
    let found = not_live(line.reader.top(line.now_ns + bound));
    assert_eq!((found.state, found.reason), (State::Syncing, Reason::Disconnected));
    let found = not_live(line.reader.top(line.now_ns + bound + 1));
    assert_eq!((found.state, found.reason), (State::Stale, Reason::WriterSilent));
    assert_eq!(found.age_ns, bound + 1);
    line.publisher.beat(line.now_ns + bound);
    let found = not_live(line.reader.depth(1, line.now_ns + bound + 1));
    assert_eq!((found.state, found.reason), (State::Syncing, Reason::Disconnected));
}

#[test]
fn a_book_whose_stamps_lie_in_the_future_has_no_living_writer() {
    let line = live();
    let bound = line.reader.config().writer_silent_ns;
    // Clocks of two cores may differ a little; those of two boots differ by anything.
    assert!(line.reader.top(line.now_ns - bound).is_ok());
    for before in [bound + 1, 86_400_000_000_000, i64::MAX] {
        let found = not_live(line.reader.top(line.now_ns - before));
        assert_eq!((found.state, found.reason), (State::Stale, Reason::WriterSilent));
        assert_eq!(not_live(line.reader.depth(1, line.now_ns - before)), found);
    }
    die_inside(&line, 16);
    assert_eq!(line.reader.top(line.now_ns - bound), Err(ReadError::Busy));
    let found = not_live(line.reader.top(line.now_ns - bound - 1));
    assert_eq!((found.state, found.reason), (State::Stale, Reason::WriterSilent));
}

#[test]
fn the_end_of_a_publication_is_seen_at_once_and_nothing_follows_it() {
    let mut line = live();
    line.publisher.close(line.now_ns + 5);
    let found = not_live(line.reader.top(line.now_ns + 6));
    assert_eq!((found.state, found.reason, found.age_ns), (State::Stale, Reason::Closed, 1));
    assert_eq!(not_live(line.reader.depth(1, line.now_ns + 6)), found);
    line.publisher.publish(&line.book, line.now_ns + 7);
    assert_eq!(not_live(line.reader.top(line.now_ns + 6)), found);
    assert_eq!(line.reader.last_known_top().unwrap().bid, Some(Level { price: 499, qty: 1 }));
    let later = not_live(line.reader.top(line.now_ns + 86_400_000_000_000));
    assert_eq!((later.state, later.reason), (State::Stale, Reason::Closed));

    let line = live();
    drop(line.publisher);
    assert_eq!(not_live(line.reader.top(line.now_ns)).reason, Reason::Closed);
}

/// Finds the lock of a part: the word that is odd inside a write; here by making it so.
fn die_inside(line: &Line, word: usize) {
    let words = line.reader.region().words();
    words[word].fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_writer_that_died_inside_a_write_is_busy_and_then_silent() {
    let line = live();
    let bound = line.reader.config().writer_silent_ns;
    die_inside(&line, 16);
    assert_eq!(line.reader.top(line.now_ns), Err(ReadError::Busy));
    let found = not_live(line.reader.top(line.now_ns + bound + 1));
    assert_eq!((found.state, found.reason), (State::Stale, Reason::WriterSilent));
    assert!(line.reader.last_known_top().is_err());
    // The depth is a publication of its own, and silence shows there too.
    assert!(line.reader.depth(1, line.now_ns).is_ok());
    assert_eq!(not_live(line.reader.depth(1, line.now_ns + bound + 1)), found);
    die_inside(&line, 48);
    assert_eq!(line.reader.depth(1, line.now_ns), Err(ReadError::Busy));
}

#[test]
fn every_version_is_of_another_publication() {
    let mut line = live();
    let versions = |line: &Line| (line.reader.version(), line.reader.top_version());
    let before = versions(&line);
    line.step(&Command::Delta { levels: vec![], lost: false, decimals: 0 });
    let published = versions(&line);
    assert!(published.0 > before.0 && published.1 > before.1);
    line.publisher.close(line.now_ns);
    let closed = versions(&line);
    assert!(closed.0 > published.0 && closed.1 > published.1);
    line.publisher.publish(&line.book, line.now_ns);
    assert_eq!(versions(&line), closed, "nothing is published after the end");
    die_inside(&line, 16);
    assert_eq!(versions(&line), closed, "what is being written is not there yet");
}

#[test]
fn what_was_applied_and_not_published_is_not_shown_by_the_end() {
    let mut line = live();
    let shown = line.reader.last_known_depth(5).unwrap();
    let seq = SeqInfo { prev: Some(10), last: Some(11), ..SeqInfo::default() };
    line.message(BookKind::Delta, seq, &[(499, 77), (501, 78)], 0);
    assert_eq!(line.book.last_known().best_bid(), Some(Level { price: 499, qty: 77 }));
    line.publisher.close(line.now_ns);
    let last = line.reader.last_known_depth(5).unwrap();
    assert_eq!((last.status.seq, last.status.reason), (shown.status.seq, Reason::Closed));
    assert_eq!((last.bids, last.asks), (shown.bids, shown.asks));
}

#[test]
fn no_more_is_copied_than_a_record_can_hold() {
    let config = Config { ring: 64, ..Config::default() };
    let mut line = Line::new(CrossedPolicy::Report, None, &config);
    let (mut changes, mut set) = (line.reader.changes(), ChangeSet::default());
    line.step(&Command::Snapshot(vec![(499, 1), (501, 2)]));
    // The second record's counts, behind the three slots with which the log began.
    let counts = &line.reader.region().words()[192 + 6];
    assert_eq!(counts.load(Ordering::Relaxed), 1 | 1 << 8 | 1 << 36);
    for torn in [u64::MAX, 1 << 36, 9 << 8 | 9 << 36] {
        counts.store(torn, Ordering::Relaxed);
        let _ = changes.clone().read(&mut set);
        assert!(set.bids.len() + set.asks.len() <= 64 / 4 - 3, "{torn:x}");
    }
    counts.store(1 | 1 << 8 | 1 << 36, Ordering::Relaxed);
    assert_eq!(changes.read(&mut set), Ok(true));
}

#[test]
fn a_publication_is_as_old_as_its_making_on_any_clock() {
    let config = Config::default();
    let region = Arc::new(Heap::new(config.words().unwrap()));
    let _publisher = Publisher::create(region.clone(), &config, 7, -1_000).unwrap();
    assert_eq!(Reader::attach(region).unwrap().age_ns(-995), 5);
}

#[test]
fn a_region_must_be_large_enough_and_vacant() {
    let config = Config::default();
    let needs = config.words().unwrap();
    let small = Arc::new(Heap::new(needs - 1));
    let error = Publisher::create(small.clone(), &config, 0, 0).err();
    assert_eq!(error, Some(LayoutError::TooSmall { needs, has: needs - 1 }));
    assert_eq!(Reader::attach(small).err(), Some(LayoutError::NoPublication));
    let none: &[AtomicU64] = &[];
    assert!(matches!(Reader::attach(none), Err(LayoutError::TooSmall { .. })));

    let region = Arc::new(Heap::new(needs));
    let _publisher = Publisher::create(region.clone(), &config, 0, 0).unwrap();
    let again = Publisher::create(region, &config, 0, 0).err();
    assert_eq!(again, Some(LayoutError::Occupied));
}

#[test]
fn choices_have_bounds() {
    let of = |depth, ring, levels, writer_silent_ns| {
        Config { depth, ring, levels, writer_silent_ns }.words()
    };
    for config in [
        of(0, 64, 1, 1),
        of(1_001, 64, 1, 1),
        of(1, 32, 1, 1),
        of(1, 65, 1, 1),
        of(1, 1 << 25, 1, 1),
        of(1, 64, 0, 1),
        of(1, 64, 20_001, 1),
        of(1, 64, 1, 0),
        of(1, 64, 1, -1),
    ] {
        assert!(matches!(config, Err(LayoutError::Config(_))), "{config:?}");
    }
    for config in [of(1, 0, 1, 1), of(1_000, 1 << 24, 20_000, i64::MAX)] {
        assert!(config.is_ok(), "{config:?}");
    }
}

#[test]
fn a_header_that_is_not_ours_or_larger_than_the_region_is_refused() {
    let line = live();
    let words = line.reader.region().words();
    for at in 0..9 {
        let kept = words[at].load(Ordering::Relaxed);
        for wrong in [0, 1, u64::MAX, kept.swap_bytes()] {
            words[at].store(wrong, Ordering::Relaxed);
            let attached = Reader::attach(words);
            // The incarnation and the bound may be anything positive.
            let free = at == 8 || (at == 7 && wrong as i64 > 0);
            assert_eq!(attached.is_ok(), free || wrong == kept, "word {at} = {wrong:x}");
        }
        words[at].store(kept, Ordering::Relaxed);
    }
    assert!(Reader::attach(words).is_ok());
    assert!(matches!(Reader::attach(&words[..64]), Err(LayoutError::TooSmall { .. })));
}

#[test]
fn garbage_in_the_shared_words_is_answered_and_never_followed() {
    let config = Config { ring: 64, levels: 40, ..Config::default() };
    let line = Line::new(CrossedPolicy::Report, None, &config);
    let words = line.reader.region().words();
    let mut noise = 1u64;
    for _ in 0..300 {
        for word in &words[16..] {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = if noise >> 61 == 0 { u64::MAX } else { noise >> (noise >> 58) };
            word.store(value & !1, Ordering::Relaxed);
        }
        let _ = line.reader.top(noise as i64);
        let depth = line.reader.last_known_depth(usize::MAX).unwrap();
        assert!(depth.bids.len() <= 20 && depth.asks.len() <= 20);
        let _ = line.reader.replica().refresh();
        let _ = line.reader.changes().read(&mut ChangeSet::default());
    }
}
