//! Models of the protocols under loom: every interleaving with up to three preemptions, and every
//! value that the memory model lets a load see. Each is run again with one ordering, fence or step
//! left out, for each that it relies on, and must then fail.
//!
//! Both sides run on spawned threads: on a model's first thread loom does not see that the lock's
//! last store or first load has lost its ordering.

use super::checkpoint::{self, BufferWords, CheckpointWords, CheckpointWriter};
use super::ring::{self, RingWords, RingWriter};
use super::seqlock::{self, Lock, News, get, put};
use super::sync::{AtomicU64, Site, is_seen_without};
use super::{
    Busy, ChangeSet, Config, Heap, LatestReader, LayoutError, Publisher, RECORD_WORDS, RING_MIN,
    Reader, latest,
};
use crate::book::Book;
use crate::event::{BookKind, BookMessage, Level, Scales, SeqInfo};
use crate::local::Reason;
use alloc::sync::Arc;
use alloc::vec::Vec;
use loom::thread::spawn;

/// Preemptions that are tried at every place.
const PREEMPTIONS: usize = 3;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// The model holds, and fails with any one of the sites broken.
fn holds_thanks_to(sites: &[Site], model: fn()) {
    model();
    for site in sites {
        assert!(is_seen_without(*site, model), "{site:?} is broken and the model holds");
    }
}

fn words<const N: usize>() -> [AtomicU64; N] {
    core::array::from_fn(|_| AtomicU64::new(0))
}

/// Runs a writer and a reader on the same words.
fn race<T: Send + Sync + 'static>(shared: T, writer: fn(&T), reader: fn(&T)) {
    let shared = Arc::new(shared);
    let other = shared.clone();
    let writing = spawn(move || writer(&other));
    let reading = spawn(move || reader(&shared));
    writing.join().unwrap();
    reading.join().unwrap();
}

const LOCK: [Site; 6] = [
    Site::LockOdd,
    Site::LockWriteFence,
    Site::LockEven,
    Site::LockFirst,
    Site::LockReadFence,
    Site::LockAgain,
];

fn write_pair(lock: &mut Lock, [word, a, b]: &[AtomicU64; 3], value: u64) {
    lock.open(word);
    put(a, value);
    put(b, value);
    lock.close(word);
}

fn read_pair([word, a, b]: &[AtomicU64; 3]) -> Result<(u64, u64), Busy> {
    seqlock::read(word, || (get(a), get(b)))
}

#[test]
fn a_copied_block_is_whole_and_never_older_than_the_one_before() {
    holds_thanks_to(&LOCK, || {
        explore(|| {
            let writer = |block: &_| {
                let mut lock = Lock::default();
                (1..3).for_each(|value| write_pair(&mut lock, block, value));
            };
            race(words::<3>(), writer, |block| {
                let mut last = 0;
                for (a, b) in [read_pair(block), read_pair(block)].into_iter().flatten() {
                    assert_eq!(a, b, "torn");
                    assert!(a >= last, "older than before");
                    last = a;
                }
            });
        });
    });
}

#[test]
fn a_writer_that_dies_inside_a_block_leaves_the_old_one_or_none() {
    let sites = [Site::LockOdd, Site::LockWriteFence, Site::LockReadFence, Site::LockAgain];
    holds_thanks_to(&sites, || {
        explore(|| {
            let writer = |[word, a, _]: &[AtomicU64; 3]| {
                Lock::default().open(word);
                put(a, 1);
            };
            race(words::<3>(), writer, |block| {
                let copied = read_pair(block);
                assert!(matches!(copied, Ok((0, 0)) | Err(Busy)), "{copied:?}");
            });
        });
    });
}

/// Intent, tail and four slots.
type Log = (AtomicU64, AtomicU64, [[AtomicU64; 2]; 4]);

fn log() -> Log {
    (AtomicU64::new(0), AtomicU64::new(0), core::array::from_fn(|_| words()))
}

fn ring_of((intent, tail, slots): &Log) -> RingWords<'_> {
    RingWords { intent, tail, slots }
}

/// A record of two slots, whose words say where it stands.
fn append_record(ring: &mut RingWriter, log: &Log) {
    let at = ring.position() + 1;
    ring.append(ring_of(log), 2, |words, from| {
        ring::store(words, from, &[[at; 2]; 2], |slot| *slot)
    });
}

/// Follows the log from its beginning; what is copied must be what was appended there.
fn follow(log: &Log) {
    let words = ring_of(log);
    let end = ring::tail(words);
    let mut position = 0;
    while position < end {
        let copied = ring::read(words, position, end, || {
            let slots = words.from(position).take(2);
            slots.flat_map(|slot| slot.each_ref().map(get)).collect::<Vec<_>>()
        });
        let Ok(copied) = copied else { return };
        assert!(copied.iter().all(|word| *word == position + 1), "{copied:?} at {position}");
        position += 2;
    }
}

#[test]
fn a_copied_record_is_the_one_that_was_appended() {
    let sites = [
        Site::Intent,
        Site::RingWriteFence,
        Site::TailWrite,
        Site::TailRead,
        Site::RingReadFence,
        Site::IntentRead,
    ];
    holds_thanks_to(&sites, || {
        explore(|| {
            let writer = |log: &Log| {
                let mut ring = RingWriter::default();
                (0..4).for_each(|_| append_record(&mut ring, log));
            };
            race(log(), writer, follow);
        });
    });
}

/// A log and two checkpoints of one bid.
struct Whole {
    log: Log,
    latest: AtomicU64,
    heads: [[AtomicU64; 8]; 2],
    bids: [[AtomicU64; 2]; 2],
}

impl Whole {
    fn new() -> Self {
        let (heads, bids) = ([words(), words()], [words(), words()]);
        Self { log: log(), latest: AtomicU64::new(0), heads, bids }
    }

    fn checkpoints(&self) -> CheckpointWords<'_> {
        let [a, b] = &self.heads;
        let [a_bids, b_bids] = &self.bids;
        let buffer = |head, bids| BufferWords { head, sides: [bids, &[]] };
        CheckpointWords { latest: &self.latest, buffers: [buffer(a, a_bids), buffer(b, b_bids)] }
    }
}

fn bid(qty: i64) -> BookMessage<'static> {
    let bids: &'static [Level] = match qty {
        1 => &[Level { price: 5, qty: 1 }],
        2 => &[Level { price: 5, qty: 2 }],
        _ => &[Level { price: 5, qty: 3 }],
    };
    let seq = SeqInfo { last: Some(qty), ..SeqInfo::default() };
    let (scales, asks, extras, depth_limit) = (Scales::default(), &[][..], &[][..], None);
    let kind = BookKind::Delta;
    BookMessage { kind, seq, scales, bids, asks, extras, depth_limit }
}

/// Changes the book, appends the change, and takes a copy that was begun before it.
fn change_and_copy(whole: &Whole) {
    let (mut ring, mut copies) = (RingWriter::default(), CheckpointWriter::default());
    let mut book = Book::new();
    for qty in 1..4 {
        copies.begin(whole.checkpoints(), ring.position());
        book.apply(&bid(qty), &mut ()).unwrap();
        ring.append(ring_of(&whole.log), 1, |words, from| {
            ring::store(words, from, &[[qty as u64; 2]], |slot| *slot);
        });
        while !copies.step(whole.checkpoints(), &book) {}
    }
}

/// A copy with the log laid over it is the book as of the log's end.
fn copy_and_follow(whole: &Whole) {
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    let Ok(copied) = checkpoint::read(whole.checkpoints(), &mut bids, &mut asks) else { return };
    let words = ring_of(&whole.log);
    let end = ring::tail(words);
    let mut qty = bids.first().map_or(0, |level| level.qty as u64);
    for position in copied.place..end {
        let record = ring::read(words, position, end, || {
            words.from(position).next().map_or(0, |[word, _]| get(word))
        });
        let Ok(record) = record else { return };
        qty = record;
    }
    assert_eq!(qty, end, "copied {bids:?} at {}", copied.place);
}

#[test]
fn a_copy_of_the_book_with_the_log_laid_over_it_is_the_book() {
    // The fence behind the lock's odd value is not needed here: the log's own lies in between.
    let sites = [Site::LockOdd, Site::LockReadFence, Site::LockAgain];
    holds_thanks_to(&sites, || explore(|| race(Whole::new(), change_and_copy, copy_and_follow)));
}

const SMALLEST: Config = Config { depth: 1, ring: 0, levels: 1, writer_silent_ns: i64::MAX };

fn region() -> Arc<Heap> {
    Arc::new(Heap::new(SMALLEST.words().unwrap()))
}

#[test]
fn who_attaches_while_a_publication_is_made_finds_all_of_it_or_nothing() {
    holds_thanks_to(&[Site::HeaderWrite, Site::HeaderRead], || {
        explore(|| {
            let writer = |region: &Arc<Heap>| {
                core::mem::forget(Publisher::create(region.clone(), &SMALLEST, 1, 0).unwrap());
            };
            race(region(), writer, |region| match Reader::attach(region.clone()) {
                Err(error) => assert_eq!(error, LayoutError::NoPublication),
                Ok(reader) => {
                    assert_eq!((reader.config(), reader.incarnation()), (&SMALLEST, 1));
                    let top = reader.last_known_top().unwrap();
                    assert_eq!(top.status.reason, Reason::AwaitingSnapshot);
                }
            });
        });
    });
}

#[test]
fn who_sees_the_version_of_a_publication_finds_what_was_published() {
    holds_thanks_to(&[Site::VersionWrite, Site::VersionRead], || {
        explore(|| {
            let config = Config { ring: RING_MIN, ..SMALLEST };
            let region = Arc::new(Heap::new(config.words().unwrap()));
            let mut publisher = Publisher::create(region.clone(), &config, 1, 0).unwrap();
            let reader = Reader::attach(region).unwrap();
            let (mut changes, mut set) = (reader.changes(), ChangeSet::default());
            let before = reader.version();
            let writing = spawn(move || {
                publisher.close(1);
                core::mem::forget(publisher);
            });
            let reading = spawn(move || {
                if reader.version() != before {
                    let top = reader.last_known_top().expect("no write is on its way");
                    let depth = reader.last_known_depth(1).expect("no write is on its way");
                    assert_eq!(changes.read(&mut set), Ok(true));
                    let statuses = [top.status, depth.status, set.status];
                    assert_eq!(statuses.map(|status| status.reason), [Reason::Closed; 3]);
                }
            });
            writing.join().unwrap();
            reading.join().unwrap();
        });
    });
}

/// Two blocks of one word, which say 1 from the same news on.
type Two = [[AtomicU64; 2]; 2];

struct Block<'a> {
    lock: Lock,
    words: &'a [AtomicU64; 2],
}

impl News for Block<'_> {
    fn hold(&mut self) {
        self.lock.open(&self.words[0]);
    }

    fn tell(&mut self) {
        self.lock.open(&self.words[0]);
        put(&self.words[1], 1);
        self.lock.close(&self.words[0]);
    }
}

fn tell_both([outer, inner]: &Two) {
    let block = |words| Block { lock: Lock::default(), words };
    seqlock::tell_both(true, block(outer), block(inner));
}

#[test]
fn who_was_told_by_one_block_that_a_book_is_not_live_is_not_told_otherwise_by_the_other() {
    holds_thanks_to(&[Site::Nesting, Site::LockEven, Site::LockFirst], || {
        explore(|| {
            race([words(), words()], tell_both, |two: &Two| {
                let told = |[word, news]: &[AtomicU64; 2]| seqlock::read(word, || get(news));
                let mut known = 0;
                for block in [0, 1, 0, 1] {
                    let Ok(news) = told(&two[block]) else { continue };
                    assert!(news >= known, "block {block}");
                    known = news;
                }
            });
        });
    });
}

/// What is given of one place: whole, and never older than before.
fn take(reader: &mut LatestReader, last: &mut u64) {
    if let Some(taken) = reader.take() {
        let [first, rest @ ..] = taken.record;
        assert!(rest.iter().all(|word| *word == first), "torn");
        assert_eq!(first, *last + 1 + taken.replaced, "each is given or counted");
        *last = first;
    }
}

#[test]
fn the_latest_record_of_a_place_is_given_whole_and_never_missed() {
    // The lock's first word and the fences around it are those of the block above.
    holds_thanks_to(&[Site::TailWrite, Site::LockEven, Site::LockAgain], || {
        explore(|| {
            let (mut writer, mut reader) = latest(2).unwrap();
            let writing = spawn(move || {
                (1..3).for_each(|value| writer.put(1, &[value; RECORD_WORDS]));
                writer
            });
            let reading = spawn(move || {
                let mut last = 0;
                take(&mut reader, &mut last);
                (reader, last)
            });
            drop(writing.join().unwrap());
            let (mut reader, mut last) = reading.join().unwrap();
            take(&mut reader, &mut last);
            assert_eq!(last, 2, "the latest was missed");
            assert!(reader.take().is_none() && reader.has_ended());
        });
    });
}
