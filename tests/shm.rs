//! Publications in shared memory: found, attached, and never believed after their writer died.
//!
//! `GAPLESS_KILLS=N` kills N writers instead of a few.
#![cfg(target_os = "linux")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gapless::book::book::Observer;
use gapless::book::event::{BookKind, BookMessage, Flags, Level, NO_TIME, Scales, SeqInfo, Times};
use gapless::book::local::{LocalBook, Policy, Reason, State};
use gapless::book::publish::{Config, Publisher, ReadError, Region};
use gapless::book::sequence::{Bridge, Chain, Rule};
use gapless::shm::{Directory, Place, ShmError};
use gapless::{BookReader, Engine, Source, clock};

/// Names the folder in which a child of this test writes.
const CHILD: &str = "GAPLESS_SHM_CHILD";
const SILENT_NS: i64 = 60_000_000;
const LONG: Duration = Duration::from_secs(20);
const PLACE: Place<'_> = Place { engine: "test", name: "venue:A/B", channel: "book" };
/// Levels of each side; all of them change with every message.
const LEVELS: i64 = 10;

/// A folder of its own in shared memory.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/gapless-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn directory(&self) -> Directory {
        Directory::new(&self.0)
    }

    fn files(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config() -> Config {
    Config { depth: 10, ring: 1024, levels: 64, writer_silent_ns: SILENT_NS }
}

/// A book whose every size is the number of its last message.
struct Writer {
    book: LocalBook,
    seq: i64,
}

impl Writer {
    fn new() -> Self {
        let rule = Rule::new(Chain::Linked, Bridge::InStream);
        Self { book: LocalBook::new(rule, Policy::default()), seq: 0 }
    }

    fn next<O: Observer>(&mut self, observer: &mut O) {
        let (prev, last) = (Some(self.seq), Some(self.seq + 1));
        self.seq += 1;
        let (qty, first) = (self.seq, self.seq == 1);
        let side = |price: i64, step: i64| {
            (0..LEVELS).map(|n| Level { price: price + n * step, qty }).collect::<Vec<_>>()
        };
        let message = BookMessage {
            kind: if first { BookKind::Snapshot } else { BookKind::Delta },
            seq: SeqInfo { prev: prev.filter(|_| !first), last, ..SeqInfo::default() },
            scales: Scales { price: 0, qty: 0 },
            bids: &side(1_000, -1),
            asks: &side(1_001, 1),
            extras: &[],
            depth_limit: None,
        };
        let times = Times { recv_ns: NO_TIME, ..Times::default() };
        let _ = self.book.message(&message, Flags::NONE, &times, observer);
    }
}

/// Not a test: what a child that reads does, until it is killed; a torn read ends it.
#[test]
fn reading_child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let directory = Directory::new(PathBuf::from(folder));
    let reader = attach(&directory);
    loop {
        let _ = read_whole(&reader);
    }
}

/// Not a test: what a child that writes does, until it is killed.
#[test]
fn writing_child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let directory = Directory::new(PathBuf::from(folder));
    loop {
        // Made anew now and then, so that some are killed while they make it.
        let made = directory.create(PLACE, &config(), clock::now_ns().unsigned_abs());
        let (mut publisher, _entry) = made.unwrap();
        let mut writer = Writer::new();
        for _ in 0..50_000 {
            writer.next(&mut publisher);
            publisher.publish(&writer.book, clock::now_ns());
        }
    }
}

/// Not a test: what a child does whose book waits for a snapshot, until it is killed.
#[test]
fn waiting_child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let directory = Directory::new(PathBuf::from(folder));
    let (mut publisher, _entry) = directory.create(PLACE, &config(), 1).unwrap();
    loop {
        publisher.beat(clock::now_ns());
        std::thread::sleep(Duration::from_millis(5));
    }
}

const WAITS: &str = "waiting_child";
const WRITES: &str = "writing_child";
const READS: &str = "reading_child";

/// A process that writes or reads.
struct Process(Child);

impl Process {
    /// A child of this test that writes or reads in a folder.
    fn new(role: &str, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", role, "--nocapture"]).env(CHILD, folder);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn until<T>(what: &str, is: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = is() {
            return answer;
        }
        assert!(begun.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn attach(directory: &Directory) -> BookReader {
    until("a live book", || {
        let reader = directory.find("venue:A/B").ok()?.attach().ok()?;
        reader.top().is_ok().then_some(reader)
    })
}

/// Reads everything once, whole or not at all; says whether the book was live.
#[track_caller]
fn read_whole(reader: &BookReader) -> Result<(), ReadError> {
    let is_whole = |bids: &[Level], asks: &[Level], seq: Option<i64>| {
        assert_eq!((bids.len(), asks.len()), (LEVELS as usize, LEVELS as usize));
        let sizes = bids.iter().chain(asks).map(|level| Some(level.qty));
        assert!(sizes.into_iter().all(|qty| qty == seq), "{bids:?} {asks:?} {seq:?}");
    };
    let top = reader.top()?;
    let sizes = [top.bid, top.ask].map(|level| level.map(|level| level.qty));
    assert_eq!(sizes, [top.status.seq; 2]);
    let depth = reader.depth(LEVELS as usize)?;
    is_whole(&depth.bids, &depth.asks, depth.status.seq);
    let mut replica = reader.replica();
    if replica.refresh().is_ok()
        && let Ok(all) = replica.live(clock::now_ns())
    {
        let side = |side: &gapless::book::book::Levels| side.iter().collect::<Vec<_>>();
        is_whole(&side(all.bids), &side(all.asks), all.status.seq);
    }
    Ok(())
}

/// Whether the state says that its writer has gone.
fn is_dead(error: ReadError) -> bool {
    let ReadError::NotLive(not) = error else { return false };
    not.state == State::Stale && matches!(not.reason, Reason::WriterSilent | Reason::Closed)
}

#[test]
fn readers_of_a_writer_that_was_killed_anywhere_end_at_stale() {
    let kills = std::env::var("GAPLESS_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let folder = Folder::new("kill");
    let directory = folder.directory();
    for round in 0..kills {
        let mut process = Process::new(WRITES, &folder.0);
        let reader = attach(&directory);
        let begun = Instant::now();
        // From "at once" to some times what a file is written for before it is made anew.
        let life = Duration::from_micros(round * 7919 % 100_000);
        while begun.elapsed() < life {
            let _ = read_whole(&reader);
        }
        process.0.kill().unwrap();
        let killed = Instant::now();
        loop {
            match read_whole(&reader) {
                Err(error) if is_dead(error) => break,
                _ => assert!(killed.elapsed() < Duration::from_secs(2), "still {reader:?}"),
            }
        }
        process.0.wait().unwrap();
        assert!(read_whole(&reader).is_err_and(is_dead));
        for found in directory.list().unwrap() {
            assert_eq!(found.unwrap().owner.is_alive(), Some(false));
        }
    }
    // The next writer takes the name; what dead ones left can be removed.
    drop(Process::new(WRITES, &folder.0));
    assert!(directory.sweep().unwrap() <= 1);
    let (_publisher, _entry) = directory.create(PLACE, &config(), 1).unwrap();
    assert_eq!(directory.list().unwrap().len(), 1);
    // What was killed while it made a file left nothing either.
    directory.sweep().unwrap();
    assert_eq!(folder.files(), 1);
}

/// A name whose writer is dead.
fn dead(folder: &Folder) -> PathBuf {
    let process = Process::new(WRITES, &folder.0);
    attach(&folder.directory());
    drop(process);
    until("a name", || Some(folder.directory().find("A/B").ok()?.path))
}

#[test]
fn nobody_is_waited_for_whatever_lies_in_the_folder() {
    let folder = Folder::new("planted");
    let directory = folder.directory();
    let path = dead(&folder);
    let user = std::fs::metadata(&path).unwrap().uid();
    // Another process of this user holds what it likes, and pipes lie where files are made.
    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    for name in ["lock", "new", "new-1-1", &format!("new-{}-0", std::process::id())] {
        let pipe = folder.0.join(format!("gapless-{user}.{name}"));
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let begun = Instant::now();
    let refused = directory.create(PLACE, &config(), 1);
    assert!(matches!(refused, Err(ShmError::Io { .. })), "{refused:?}");
    assert_eq!(directory.sweep().unwrap(), 0);
    let other = Place { name: "venue:C/D", ..PLACE };
    let (_publisher, _entry) = directory.create(other, &config(), 1).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop(held);
    let (_publisher, _entry) = directory.create(PLACE, &config(), 1).unwrap();
    // A pipe in the place of a book is nobody's to replace.
    let third = Place { name: "venue:E", ..PLACE };
    let pipe = folder.0.join(format!("gapless-{user}.test.venue:E@book"));
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert!(matches!(directory.create(third, &config(), 1), Err(ShmError::Foreign(_))));
}

#[test]
fn of_many_writers_of_a_dead_ones_name_one_has_it() {
    let folder = Folder::new("race");
    for _ in 0..20 {
        dead(&folder);
        let made = std::thread::scope(|scope| {
            let make = || folder.directory().create(PLACE, &config(), 1);
            let all: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            all.into_iter().filter_map(|one| one.join().unwrap().ok()).collect::<Vec<_>>()
        });
        assert_eq!((made.len(), folder.files()), (1, 1));
        assert!(folder.directory().find("A/B").unwrap().attach().is_ok());
    }
}

#[test]
fn a_writer_that_is_killed_before_its_book_is_live_leaves_a_stale_one() {
    let folder = Folder::new("wait");
    let directory = folder.directory();
    let mut process = Process::new(WAITS, &folder.0);
    let reader = until("a book", || directory.find("venue:A/B").ok()?.attach().ok());
    std::thread::sleep(Duration::from_nanos(2 * SILENT_NS.unsigned_abs()));
    assert_eq!(reader.state(), (State::Syncing, Reason::AwaitingSnapshot));
    process.0.kill().unwrap();
    until("it is stale", || (reader.state() == (State::Stale, Reason::WriterSilent)).then_some(()));
}

#[test]
fn a_writer_that_is_stopped_is_stale_and_live_again_when_it_goes_on() {
    let folder = Folder::new("stop");
    let process = Process::new(WRITES, &folder.0);
    let reader = attach(&folder.directory());
    process.signal("-STOP");
    until("it is stale", || read_whole(&reader).is_err_and(is_dead).then_some(()));
    process.signal("-CONT");
    until("it is live", || {
        attach(&folder.directory());
        Some(())
    });
}

#[test]
fn a_reader_that_is_stopped_costs_the_writer_nothing() {
    let folder = Folder::new("reader");
    let mut writer = Writer::new();
    let (mut publisher, _entry) = folder.directory().create(PLACE, &config(), 7).unwrap();
    writer.next(&mut publisher);
    publisher.publish(&writer.book, clock::now_ns());
    let mut process = Process::new(READS, &folder.0);
    let mut publish = |times: usize| {
        let begun = Instant::now();
        for _ in 0..times {
            writer.next(&mut publisher);
            publisher.publish(&writer.book, clock::now_ns());
        }
        begun.elapsed()
    };
    for _ in 0..20 {
        publish(10_000);
        process.signal("-STOP");
        let took = publish(10_000);
        assert!(took < Duration::from_secs(2), "{took:?}");
        process.signal("-CONT");
    }
    assert!(process.0.try_wait().unwrap().is_none(), "the reader saw half a message");
}

#[test]
fn a_name_has_one_living_writer_and_goes_with_it() {
    let folder = Folder::new("one");
    let directory = folder.directory();
    let (publisher, entry) = directory.create(PLACE, &config(), 1).unwrap();
    let second = directory.create(PLACE, &config(), 2);
    assert!(matches!(second, Err(ShmError::InUse { pid, .. }) if pid == std::process::id()));
    let path = directory.find("test/venue:A/B@book").unwrap().path;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let reader = directory.find("A/B").unwrap().attach().unwrap();
    drop((publisher, entry));
    assert!(reader.top().is_err_and(is_dead));
    assert_eq!(reader.state(), (State::Stale, Reason::Closed));
    assert!(!path.exists() && folder.files() == 0);
    assert!(matches!(directory.find("A/B"), Err(ShmError::NoSuchBook(_))));
}

#[test]
fn a_file_that_is_not_a_whole_publication_is_refused() {
    let folder = Folder::new("hostile");
    let directory = folder.directory();
    let (publisher, _entry) = directory.create(PLACE, &config(), 1).unwrap();
    let region = directory.find("A/B").unwrap();
    let whole = std::fs::read(&region.path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::remove_file(&region.path).unwrap();
        std::fs::write(&region.path, bytes).unwrap();
        region.attach().map(|_| ()).unwrap_err()
    };
    for cut in [0, 1, 4095, 4096, 5000, whole.len() - 1] {
        let error = refused(&whole[..cut]);
        assert!(matches!(error, ShmError::Truncated(_)), "{cut}: {error}");
    }
    assert!(matches!(refused(&[&whole[..], b"x"].concat()), ShmError::Truncated(_)));
    assert!(matches!(refused(&[b'x'; 9000]), ShmError::Foreign(_)));
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    };
    assert!(matches!(refused(&changed(0)), ShmError::Foreign(_)));
    assert!(matches!(refused(&changed(8)), ShmError::OtherLayout(_)));
    assert!(matches!(refused(&changed(4096)), ShmError::Layout(..)));
    // Of another boot, and of a container with a clock of its own.
    assert!(matches!(refused(&changed(6 * 8)), ShmError::OtherClock(_)));
    assert!(matches!(refused(&changed(9 * 8)), ShmError::OtherClock(_)));
    let others = directory.list().unwrap();
    assert!(others.len() == 1, "{others:?}");
    std::fs::remove_file(&region.path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &region.path).unwrap();
    assert!(matches!(region.attach(), Err(ShmError::Foreign(_))));
    assert_eq!(publisher.region().words().len() * 8 + 4096, whole.len());
}

#[test]
fn names_out_of_bounds_and_missing_folders_are_refused() {
    let folder = Folder::new("names");
    let directory = folder.directory();
    let long = "x".repeat(300);
    for engine in ["", "a.b", "a/b", "é", &long] {
        let place = Place { engine, ..PLACE };
        let made = directory.create(place, &config(), 1);
        assert!(matches!(made, Err(ShmError::Name(_))), "{engine}");
    }
    let made = directory.create(Place { name: &long, ..PLACE }, &config(), 1);
    assert!(matches!(made, Err(ShmError::Name(_))));
    let missing = Directory::new(folder.0.join("missing"));
    assert!(matches!(missing.list(), Err(ShmError::Io { .. })));
    assert!(matches!(missing.create(PLACE, &config(), 1), Err(ShmError::Io { .. })));
    assert_eq!(folder.files(), 0);
}

#[test]
fn the_books_of_an_engine_are_read_by_others_until_it_stops() {
    let folder = Folder::new("engine");
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples/okx.cap.zst");
    let source = Source::replay([samples.display().to_string()]);
    let builder = Engine::builder().source(source).share(folder.directory(), "shared");
    let mut engine = builder.start().unwrap();
    engine.join();
    let books = engine.books();
    let mut readers = Vec::new();
    for book in &books {
        let query = format!("shared/{}@{}", book.name, book.channel);
        let other = folder.directory().find(&query).unwrap().attach().unwrap();
        let own = engine.book(&format!("{}@{}", book.name, book.channel)).unwrap();
        assert_eq!(other.last_known_depth(20), own.last_known_depth(20), "{query}");
        assert_eq!(other.state(), own.state());
        readers.push(other);
    }
    assert!(readers.iter().any(|reader| reader.top().is_ok()));
    assert_eq!(folder.files(), books.len());
    engine.stop();
    assert_eq!(folder.files(), 0);
    assert!(readers.iter().all(|reader| reader.state() == (State::Stale, Reason::Closed)));
}

/// Keeps the type of a writer's end in the tests' sight: it can be sent to the thread that writes.
#[test]
fn a_publisher_in_shared_memory_can_move_to_its_thread() {
    fn sends<T: Send>() {}
    sends::<Publisher<std::sync::Arc<gapless::Memory>>>();
}
