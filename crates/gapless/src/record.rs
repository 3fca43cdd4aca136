//! Recorder: what live sources send, as captures that replay to the same books.
//!
//! ```text
//! feed's thread: frame ─▶ session ─▶ …      writer's thread: file ─▶ closed frame every second
//!                  └─▶ copy ─▶ bounded queue ─────────────────┘
//! ```
//! Invariants: the feed waits for no disk; what finds no room in the queue is counted, said in the
//! recording, and its connection is begun anew, so that nothing recorded after a hole is taken for
//! its continuation. A file holds whole connections: when one file follows another, connections
//! are replaced first, and the old ones end in the old file. Each file replays by itself.

mod files;

use crate::clock;
use crate::live::{KeyWatch, LiveConfig};
use crate::runtime::Sockets;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use files::Files;
use gapless_feed::net::dial::Dialer;
use gapless_feed::net::transport::Network;
use gapless_feed::net::{Clock, Driver};
use gapless_feed::{Feed, SharedGate};
use gapless_replay::record::RecordKind;
use gapless_venues::session::{Handler, LineId, Watcher, Wire};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records that may wait for the disk.
pub const QUEUE_MAX: usize = 65_536;
/// Bytes in them.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest time between two looks at what else is to be done.
const TURN: Duration = Duration::from_millis(20);

/// Where and how it is recorded.
#[derive(Clone, Debug)]
pub struct RecordConfig {
    /// Folder of the files; made if it is not there. One recorder at a time.
    pub folder: PathBuf,
    /// A file that is larger, packed, is followed by another, bytes.
    pub file_bytes: u64,
    /// A file that is older is followed by another.
    pub file_age: Duration,
    /// Records that may wait for the disk.
    pub queue: usize,
}

impl RecordConfig {
    /// Files of an hour or 1 GiB in a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            file_bytes: 1 << 30,
            file_age: Duration::from_secs(3_600),
            queue: QUEUE_MAX,
        }
    }
}

/// What was recorded of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Name of the source.
    pub name: String,
    /// Records written.
    pub records: u64,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// Records that found no room in the queue or on the disk, that a capture cannot hold, or that
    /// no file was begun for.
    pub dropped: u64,
    /// Files written.
    pub files: Vec<PathBuf>,
    /// What went wrong, one line each.
    pub errors: Vec<String>,
}

/// Live sources that are being recorded.
#[derive(Debug)]
pub struct Recorder {
    stop: Vec<Sender<()>>,
    feeds: Vec<JoinHandle<Result<u64, String>>>,
    writers: Vec<JoinHandle<Recorded>>,
    /// The disk has failed.
    broken: Arc<AtomicBool>,
    /// Held for as long as the folder is ours.
    _lock: std::fs::File,
}

impl Recorder {
    /// Connects and records.
    ///
    /// # Errors
    /// A source cannot be had as it is configured, the folder cannot be written, or another
    /// recorder writes to it.
    pub fn start(sources: &[LiveConfig], config: &RecordConfig) -> Result<Self, String> {
        let lock = files::lock(&config.folder)?;
        let mut gates = HashMap::new();
        let (stop, feeds, writers) = (Vec::new(), Vec::new(), Vec::new());
        let mut recorder = Self { stop, feeds, writers, broken: Arc::default(), _lock: lock };
        for live in sources {
            let mut source = live.source.clone();
            let said = |error: String| format!("{}: {error}", live.source.name);
            source.key = live.key.as_ref().map(crate::Key::read).transpose().map_err(said)?;
            let local = source.lines.first().and_then(|line| line.local);
            let gate = gates.entry((source.rest_base(), local));
            let gate = gate.or_insert_with(|| SharedGate::new(&source.live())).clone();
            let seed = clock::now_ns().unsigned_abs();
            let feed = Feed::new(source, gate, seed).map_err(|error| said(error.to_string()))?;
            recorder.record(feed, live, config)?;
        }
        Ok(recorder)
    }

    fn record(
        &mut self,
        feed: Feed,
        live: &LiveConfig,
        config: &RecordConfig,
    ) -> Result<(), String> {
        let (items, queue) = bounded(config.queue.max(1));
        let (stop, stopped) = bounded(1);
        let (ask, asked) = bounded(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let broken = Arc::clone(&self.broken);
        let files = Files::new(&live.source, config, (waiting.clone(), broken), ask);
        let tape = Tape { items, waiting, ..Tape::default() };
        let plaintext = live.plaintext_loopback;
        let failed = |error: std::io::Error| format!("cannot start a thread: {error}");
        let writer = std::thread::Builder::new().name("gapless-record".to_owned());
        self.writers.push(writer.spawn(move || files.write(&queue)).map_err(failed)?);
        let thread = std::thread::Builder::new().name("gapless-feed".to_owned());
        let key = KeyWatch::new(live.key.clone());
        let body = move || run(feed, plaintext, tape, key, &stopped, &asked);
        self.feeds.push(thread.spawn(body).map_err(failed)?);
        self.stop.push(stop);
        Ok(())
    }

    /// Whether a source is not recorded any more: the disk has failed, or its thread. There is
    /// nothing to wait for then; [`Recorder::stop`] says what it was.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
            || self.feeds.iter().any(JoinHandle::is_finished)
            || self.writers.iter().any(JoinHandle::is_finished)
    }

    /// Ends the recording; says what it holds.
    #[must_use]
    pub fn stop(mut self) -> Vec<Recorded> {
        self.stop.clear();
        let panicked = || "its thread panicked".to_owned();
        let feeds =
            self.feeds.into_iter().map(|feed| feed.join().unwrap_or_else(|_| Err(panicked())));
        let feeds: Vec<_> = feeds.collect();
        let written = self.writers.into_iter().map(|writer| {
            let failed = |_| Recorded { errors: vec![panicked()], ..Recorded::default() };
            writer.join().unwrap_or_else(failed)
        });
        let mut written: Vec<_> = written.collect();
        for (feed, recorded) in feeds.into_iter().zip(&mut written) {
            match feed {
                Ok(dropped) => recorded.dropped += dropped,
                Err(error) => recorded.errors.push(error),
            }
        }
        written
    }
}

/// Runs a feed until it is stopped; says how much found no room.
fn run(
    feed: Feed,
    plaintext_loopback: bool,
    mut tape: Tape,
    mut key: KeyWatch,
    stopped: &Receiver<()>,
    asked: &Receiver<()>,
) -> Result<u64, String> {
    let sockets = Sockets::open()?;
    let network = Network::new(Dialer::new(plaintext_loopback));
    let mut driver = Driver::new(feed, network, Clock::new());
    driver.start(&mut tape);
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        let turn = driver.run(&mut tape, TURN, |tape| !tape.broken.is_empty());
        sockets.run(|runtime| runtime.block_on(turn));
        let now = driver.clock().now();
        if let Some(key) = key.look() {
            driver.feed_mut().set_key(key, now, &mut tape);
        }
        if asked.try_recv().is_ok() {
            driver.feed_mut().replace_all(now);
        }
        for line in std::mem::take(&mut tape.broken) {
            driver.feed_mut().reconnect(line, "its frames were not recorded", now, &mut tape);
        }
    }
    sockets.run(|runtime| {
        let _inside = runtime.enter();
        driver.stop(&mut tape);
    });
    Ok(tape.dropped)
}

/// What waits for the disk.
#[derive(Debug)]
struct Item {
    line: u32,
    recv_ns: i64,
    kind: RecordKind,
    /// URL of an HTTP answer; empty otherwise.
    url: String,
    payload: Vec<u8>,
}

/// Copies what passes into the queue; waits for nothing.
#[derive(Debug)]
struct Tape {
    items: Sender<Item>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    line: u32,
    /// Connections of which something was not recorded, and how much.
    holes: HashMap<u32, u64>,
    /// Those that are to be begun anew.
    broken: Vec<LineId>,
    dropped: u64,
}

impl Default for Tape {
    fn default() -> Self {
        Self {
            items: bounded(0).0,
            waiting: Arc::default(),
            line: 0,
            holes: HashMap::new(),
            broken: Vec::new(),
            dropped: 0,
        }
    }
}

impl Tape {
    fn put(&self, item: Item) -> bool {
        let bytes = item.payload.len();
        if self.waiting.load(Ordering::Relaxed) + bytes > QUEUE_BYTES_MAX {
            return false;
        }
        match self.items.try_send(item) {
            Ok(()) => {
                self.waiting.fetch_add(bytes, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// A connection with a hole ends in the recording before it begins anew.
    fn closes_hole(&mut self, recv_ns: i64) -> bool {
        let Some(lost) = self.holes.get(&self.line) else { return true };
        let reason = format!("recorder: {lost} records found no room in the queue");
        let (line, kind, url) = (self.line, RecordKind::Disconnect, String::new());
        let closed = self.put(Item { line, recv_ns, kind, url, payload: reason.into_bytes() });
        if closed {
            self.holes.remove(&self.line);
        }
        closed
    }

    fn lose(&mut self) {
        self.dropped += 1;
        let lost = self.holes.entry(self.line).or_insert(0);
        *lost += 1;
        if *lost == 1 {
            self.broken.push(LineId(self.line));
        }
    }
}

impl Handler for Tape {}

impl Watcher for Tape {
    fn line(&mut self, line: LineId) {
        self.line = line.0;
    }

    fn wire(&mut self, now_ns: i64, wire: &Wire<'_>) {
        let (kind, url, payload) = match *wire {
            Wire::Opened(url) => (RecordKind::Open, "", url.as_bytes()),
            Wire::Sent(text) => (RecordKind::Sent, "", text.as_bytes()),
            Wire::Text(frame) => (RecordKind::Frame, "", frame),
            Wire::Binary(frame) => (RecordKind::Binary, "", frame),
            Wire::Answer { url, body } => (RecordKind::Http, url, body),
            Wire::Closed(reason) => (RecordKind::Disconnect, "", reason.as_bytes()),
            _ => return,
        };
        let begins = kind == RecordKind::Open;
        if self.holes.contains_key(&self.line) && !(begins && self.closes_hole(now_ns)) {
            self.dropped += 1;
            if begins {
                // There is still no room: this connection is of no use either.
                self.broken.push(LineId(self.line));
            }
            return;
        }
        let (line, url, payload) = (self.line, url.to_owned(), payload.to_vec());
        if !self.put(Item { line, recv_ns: now_ns, kind, url, payload }) {
            self.lose();
        }
    }
}
