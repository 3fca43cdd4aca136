//! Recorded deltas as numbers made beforehand, and what applies them.
//!
//! Invariant: a symbol's snapshot, where its recording has one, comes first, and only deltas newer
//! than it follow, so every container builds the venue's book. A symbol without one starts empty.

use crate::measure::Contender;
use crate::ours::{events, scaled};
use crate::parsed::digest;
use crate::workload::Workload;
use gapless_book::event::{Body, BookKind, Event, Level, Scales};
use gapless_replay::record::RecordKind;

/// What is known of a symbol.
#[derive(Clone, Debug)]
pub struct Book {
    /// Scales of its integers.
    pub scales: Scales,
    /// Largest step that every price is a multiple of.
    pub tick: i64,
    /// Lowest price.
    pub low: i64,
    /// Highest price.
    pub high: i64,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Index of its book.
    pub book: usize,
    /// Absolute sizes.
    pub bids: Vec<Level>,
    /// Absolute sizes.
    pub asks: Vec<Level>,
}

/// All messages of a workload.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// The books.
    pub books: Vec<Book>,
    /// Snapshots, at most one a book: put in before the deltas, untimed.
    pub snapshots: Vec<Message>,
    /// The deltas, in file order.
    pub deltas: Vec<Message>,
}

/// A message as it was read.
struct Raw {
    book: usize,
    scales: Scales,
    snapshot: bool,
    last: i64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Numbers {
    /// The messages of a workload.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let (count, raw) = read(workload);
        let mut numbers = Self::default();
        for book in 0..count {
            let own = || raw.iter().filter(|message| message.book == book);
            let scales = own().fold(Scales::default(), |all, message| Scales {
                price: all.price.max(message.scales.price),
                qty: all.qty.max(message.scales.qty),
            });
            let levels = || own().flat_map(|m| m.bids.iter().chain(&m.asks).map(|l| (m.scales, l)));
            let prices: Vec<i64> =
                levels().map(|(from, level)| scaled(*level, from, scales).price).collect();
            numbers.books.push(Book {
                scales,
                tick: prices.iter().fold(0, |step, price| gcd(step, *price)).max(1),
                low: prices.iter().copied().min().unwrap_or(0),
                high: prices.iter().copied().max().unwrap_or(0),
            });
        }
        numbers.put(raw);
        numbers
    }

    fn put(&mut self, raw: Vec<Raw>) {
        let mut joined: Vec<Option<i64>> = vec![None; self.books.len()];
        for message in raw.iter().filter(|message| message.snapshot) {
            joined[message.book].get_or_insert(message.last);
        }
        let mut loaded = vec![false; self.books.len()];
        for message in raw {
            let to = self.books[message.book].scales;
            let at = |levels: &[Level]| -> Vec<Level> {
                levels.iter().map(|level| scaled(*level, message.scales, to)).collect()
            };
            let (book, bids, asks) = (message.book, at(&message.bids), at(&message.asks));
            let numbers = Message { book, bids, asks };
            if message.snapshot {
                if !std::mem::replace(&mut loaded[book], true) {
                    self.snapshots.push(numbers);
                }
            } else if joined[book].is_none_or(|id| message.last > id) {
                self.deltas.push(numbers);
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(1)
}

fn read(workload: &Workload) -> (usize, Vec<Raw>) {
    let (mut names, mut raw) = (Vec::new(), Vec::new());
    for (file, records) in workload.files.iter().enumerate() {
        let mut unnamed = Vec::new();
        let first = names.len();
        for record in records {
            let rest = record.kind == RecordKind::Http;
            if !rest && record.kind != RecordKind::Frame {
                continue;
            }
            events(&workload.venue, record, &mut |event| {
                let Some(mut message) = message(event) else { return };
                let symbol = (file, event.symbol.to_owned());
                if event.symbol.is_empty() {
                    unnamed.push((raw.len(), message));
                    return;
                }
                message.book = place(&mut names, symbol);
                raw.push(message);
            });
        }
        // A snapshot that names no symbol is of the only one on its connection.
        for (at, mut message) in unnamed.into_iter().rev() {
            if names.len() == first + 1 {
                message.book = first;
                raw.insert(at, message);
            }
        }
    }
    (names.len(), raw)
}

fn place(names: &mut Vec<(usize, String)>, name: (usize, String)) -> usize {
    if let Some(at) = names.iter().position(|known| *known == name) {
        return at;
    }
    names.push(name);
    names.len() - 1
}

fn message(event: &Event<'_>) -> Option<Raw> {
    let Body::Book(message) = event.body else { return None };
    if message.kind == BookKind::Image {
        return None;
    }
    Some(Raw {
        book: 0,
        scales: message.scales,
        snapshot: message.kind == BookKind::Snapshot,
        last: message.seq.last?,
        bids: message.bids.to_vec(),
        asks: message.asks.to_vec(),
    })
}

/// Both sides of a book in some container.
pub trait Ladder {
    /// Its name in reports.
    const NAME: &'static str;
    /// A level as it takes it.
    type Entry: Copy;

    /// An empty book.
    fn new(book: &Book) -> Self;
    /// Empties it.
    fn clear(&mut self);
    /// A level in its own numbers; made beforehand.
    fn entry(book: &Book, level: Level) -> Self::Entry;
    /// Applies one message; size 0 removes.
    fn apply(&mut self, bids: &[Self::Entry], asks: &[Self::Entry]);
    /// Best bid and ask, 0 where there is none.
    fn best(&self) -> (i64, i64);
    /// Every level in integers, best first.
    fn contents(&self, book: &Book) -> (Vec<Level>, Vec<Level>);
}

/// A container with its messages.
pub struct Applier<'w, L: Ladder> {
    numbers: &'w Numbers,
    ladders: Vec<L>,
    deltas: Vec<Entries<L>>,
    snapshots: Vec<Entries<L>>,
    /// The message that comes next, where a parser would have left it.
    buffer: (Vec<L::Entry>, Vec<L::Entry>),
    best: (i64, i64),
}

struct Entries<L: Ladder> {
    book: usize,
    bids: Vec<L::Entry>,
    asks: Vec<L::Entry>,
}

impl<'w, L: Ladder> Applier<'w, L> {
    /// Makes the numbers.
    #[must_use]
    pub fn new(numbers: &'w Numbers) -> Self {
        let made = |messages: &[Message]| -> Vec<Entries<L>> {
            let side = |book: usize, levels: &[Level]| -> Vec<L::Entry> {
                levels.iter().map(|level| L::entry(&numbers.books[book], *level)).collect()
            };
            let entries = |m: &Message| Entries {
                book: m.book,
                bids: side(m.book, &m.bids),
                asks: side(m.book, &m.asks),
            };
            messages.iter().map(entries).collect()
        };
        Self {
            numbers,
            ladders: numbers.books.iter().map(L::new).collect(),
            deltas: made(&numbers.deltas),
            snapshots: made(&numbers.snapshots),
            buffer: (Vec::new(), Vec::new()),
            best: (0, 0),
        }
    }

    /// What every book holds at the end, as a hash.
    fn contents(&self) -> u64 {
        self.ladders.iter().zip(&self.numbers.books).fold(0, |all, (ladder, book)| {
            let (bids, asks) = ladder.contents(book);
            all.rotate_left(7) ^ digest(&bids, &asks, &[])
        })
    }
}

impl<L: Ladder> Contender for Applier<'_, L> {
    fn name(&self) -> &str {
        L::NAME
    }

    fn reset(&mut self) {
        self.ladders.iter_mut().for_each(L::clear);
        for snapshot in &self.snapshots {
            self.ladders[snapshot.book].apply(&snapshot.bids, &snapshot.asks);
        }
    }

    fn prepare(&mut self, item: usize) {
        let message = &self.deltas[item];
        for (into, from) in
            [(&mut self.buffer.0, &message.bids), (&mut self.buffer.1, &message.asks)]
        {
            into.clear();
            into.extend_from_slice(from);
        }
    }

    fn run(&mut self, item: usize) {
        let ladder = &mut self.ladders[self.deltas[item].book];
        ladder.apply(&self.buffer.0, &self.buffer.1);
        self.best = std::hint::black_box(ladder.best());
    }

    /// The best prices after every message where they cannot be disputed (a book that a recording
    /// without a snapshot leaves crossed has no best), and everything after the last one.
    fn answer(&mut self, item: usize) -> u64 {
        let (bid, ask) = self.best;
        if item + 1 == self.deltas.len() {
            return self.contents();
        }
        if bid == 0 || ask == 0 || bid >= ask { 0 } else { (bid as u64) << 20 ^ ask as u64 }
    }
}
