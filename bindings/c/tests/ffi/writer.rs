//! A writer of this test, in shared memory: what it publishes, and when, is known.

use gapless::book::book::Observer;
use gapless::book::event::{BookKind, BookMessage, Flags, Level, NO_TIME, Scales, SeqInfo, Times};
use gapless::book::local::{LocalBook, Policy};
use gapless::book::publish::{Config, Publisher};
use gapless::book::sequence::{Bridge, Chain, Rule};
use gapless::shm::{Directory, Entry, Place};
use gapless::{Memory, clock};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Levels of each side; all of them change with every message.
pub const LEVELS: i64 = 10;
pub const NAME: &str = "venue:A/B";
pub const PLACE: Place<'_> = Place { engine: "test", name: NAME, channel: "book" };

/// A folder of its own in shared memory.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pid, at) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(format!("/dev/shm/gapless-ffi-{pid}-{at}"));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A book whose every size is the number of its last message.
pub struct Writer {
    book: LocalBook,
    publisher: Publisher<Arc<Memory>>,
    /// The file goes with it.
    entry: Entry,
    pub seq: i64,
}

impl Writer {
    pub fn new(folder: &Folder, config: &Config) -> Self {
        let made = Directory::new(&folder.0).create(PLACE, config, 1);
        let (publisher, entry) = made.unwrap();
        let rule = Rule::new(Chain::Linked, Bridge::InStream);
        let book = LocalBook::new(rule, Policy::default());
        Self { book, publisher, entry, seq: 0 }
    }

    pub fn publish(&mut self) {
        message(&mut self.book, self.seq, &mut self.publisher);
        self.seq += 1;
        self.publisher.publish(&self.book, clock::now_ns());
    }

    /// Dies without a word: neither the publication nor its file is closed.
    pub fn die(self) {
        std::mem::forget((self.publisher, self.entry));
    }
}

fn message<O: Observer>(book: &mut LocalBook, seq: i64, observer: &mut O) {
    let first = seq == 0;
    let side = |price: i64, step: i64| {
        (0..LEVELS).map(|n| Level { price: price + n * step, qty: seq + 1 }).collect::<Vec<_>>()
    };
    let message = BookMessage {
        kind: if first { BookKind::Snapshot } else { BookKind::Delta },
        seq: SeqInfo {
            prev: Some(seq).filter(|_| !first),
            last: Some(seq + 1),
            ..SeqInfo::default()
        },
        scales: Scales { price: 2, qty: 1 },
        bids: &side(1_000, -1),
        asks: &side(1_001, 1),
        extras: &[],
        depth_limit: None,
    };
    let times = Times { recv_ns: NO_TIME, ..Times::default() };
    let _ = book.message(&message, Flags::NONE, &times, observer);
}
