//! Row E: recorded frames, in the order in which they came, to a published top of the book.
//!
//! Ours publishes best prices, state and the first [`DEPTH`] levels a side with the product's own
//! [`Publisher`], for readers in other threads, and is judged by what a reader finds. The rivals
//! copy their levels between two stores of a version and show no state, which is less work.
//! Invariant: only the book deltas are timed; snapshots are put in between them, untimed.

use crate::frames::Frames;
use crate::measure::Contender;
use crate::numbers::Ladder;
use crate::ours::{self, scaled};
use crate::parsed::digest;
use crate::rival::btreemap::BTreeMaps;
use crate::rival::json::{Found, Wire, read};
use crate::rival::sonic_rs::SonicRs;
use crate::workload::{Record, Workload};
use gapless_book::book::{Change, Observer};
use gapless_book::event::{Body, BookKind, Level, Scales, Side};
use gapless_book::local::{Outcome, Policy};
use gapless_book::publish::{Config, Heap, Publisher, Reader};
use gapless_replay::record::RecordKind;
use gapless_sim::rng::Rng;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::kernel::{FrameBuf, Isa};
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::{Handler, SessionConfig};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Levels published a side.
pub const DEPTH: usize = 20;

/// One step of a feed: a record, and what it is.
#[derive(Clone, Debug)]
struct Step {
    /// Which file's connection it belongs to.
    line: usize,
    kind: RecordKind,
    recv_ns: i64,
    source: String,
    payload: Arc<[u8]>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// The connection opens.
    Open,
    /// A whole book.
    Snapshot { symbol: String, image: Arc<Image> },
    /// A delta.
    Delta { scales: Scales, ids: (i64, i64) },
}

/// A whole book as numbers at its symbol's scales.
#[derive(Clone, Debug)]
struct Image {
    last: i64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// Steps of a workload.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    steps: Vec<Step>,
    /// Places of the deltas.
    items: Vec<usize>,
    instruments: HashMap<String, Scales>,
    venue: Option<VenueId>,
    lines: usize,
}

impl Feed {
    /// The feed of a workload.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let instruments = Frames::of(workload).instruments;
        let venue = VenueId::from_name(&workload.venue);
        let mut feed = Self { instruments, venue, lines: workload.files.len(), ..Self::default() };
        for (line, records) in workload.files.iter().enumerate() {
            let only = feed.only_symbol(workload, records);
            for record in records {
                let Some(what) = feed.what(&workload.venue, record, &only) else { continue };
                if matches!(what, What::Delta { .. }) {
                    feed.items.push(feed.steps.len());
                }
                feed.steps.push(Step {
                    line,
                    kind: record.kind,
                    recv_ns: record.recv_ns,
                    source: record.source.clone(),
                    payload: record.payload.as_slice().into(),
                    what,
                });
            }
        }
        feed
    }

    /// `count` books, each with a copy of this feed's first snapshot, then `messages` deltas of
    /// each, symbols in random order: what a connection with many symbols looks like.
    ///
    /// `None`: this feed has no snapshot with as many deltas after it.
    #[must_use]
    pub fn crowd(&self, count: usize, messages: usize) -> Option<Self> {
        let (symbol, image, body) = self.steps.iter().find_map(|step| match &step.what {
            What::Snapshot { symbol, image } => Some((symbol, image, &step.payload)),
            _ => None,
        })?;
        let deltas = self.items.iter().map(|item| &self.steps[*item]);
        let joins = |step: &&Step| {
            matches!(step.what, What::Delta { ids: (first, last), .. }
                if first <= image.last && image.last <= last)
        };
        let deltas: Vec<&Step> =
            deltas.skip_while(|step| !joins(step)).take(messages + 1).collect();
        let (first, rest) = deltas.split_first().filter(|(_, rest)| rest.len() == messages)?;
        let mut crowd = Self { venue: self.venue, lines: 1, ..Self::default() };
        let names: Vec<String> = (0..count).map(|index| format!("C{index:04}UT")).collect();
        for name in &names {
            crowd.instruments.insert(format!("|{name}"), self.scales(symbol));
            crowd.steps.push(first.renamed(symbol, name));
            let what = What::Snapshot { symbol: name.clone(), image: image.clone() };
            let source = format!("https://fapi.binance.com/fapi/v1/depth?symbol={name}&limit=1000");
            let (kind, payload) = (RecordKind::Http, body.clone());
            crowd.steps.push(Step { line: 0, kind, source, payload, what, ..(*first).clone() });
        }
        let mut rng = Rng::new(count as u64);
        for delta in rest {
            let mut order: Vec<&String> = names.iter().collect();
            for at in (1..order.len()).rev() {
                order.swap(at, rng.below(at as u64 + 1) as usize);
            }
            for name in order {
                crowd.items.push(crowd.steps.len());
                crowd.steps.push(delta.renamed(symbol, name));
            }
        }
        Some(crowd)
    }

    /// Whose frames these are, if the registry knows it.
    #[must_use]
    pub const fn venue(&self) -> Option<VenueId> {
        self.venue
    }

    /// The steps of a [`Feed::crowd`] of one, of any symbol: first delta, snapshot, `messages`
    /// deltas.
    #[must_use]
    pub fn patched(&self, messages: usize) -> Option<Vec<Patched>> {
        let one = self.crowd(1, messages)?;
        Some(one.steps.iter().map(Patched::of).collect())
    }

    /// Number of deltas.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The symbol that a snapshot without one is of.
    fn only_symbol(&self, workload: &Workload, records: &[Record]) -> String {
        let mut found = String::new();
        for record in records.iter().filter(|record| record.kind == RecordKind::Frame) {
            ours::events(&workload.venue, record, &mut |event| {
                if matches!(event.body, Body::Book(_)) && found.is_empty() {
                    event.symbol.clone_into(&mut found);
                }
            });
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    fn scales(&self, symbol: &str) -> Scales {
        self.instruments.get(&format!("|{symbol}")).copied().unwrap_or_default()
    }

    fn what(&self, venue: &str, record: &Record, only: &str) -> Option<What> {
        if record.kind == RecordKind::Open {
            return Some(What::Open);
        }
        let mut found = None;
        ours::events(venue, record, &mut |event| {
            let Body::Book(message) = event.body else { return };
            let symbol = if event.symbol.is_empty() { only } else { event.symbol };
            let scales = self.scales(symbol);
            let at = |levels: &[Level]| -> Vec<Level> {
                levels.iter().map(|level| scaled(*level, message.scales, scales)).collect()
            };
            found = match message.kind {
                BookKind::Delta => {
                    let id = |id: Option<i64>| id.unwrap_or(0);
                    Some(What::Delta { scales, ids: (id(message.seq.first), id(message.seq.last)) })
                }
                BookKind::Snapshot => {
                    let last = message.seq.last.unwrap_or(0);
                    let image = Image { last, bids: at(message.bids), asks: at(message.asks) };
                    Some(What::Snapshot { symbol: symbol.to_owned(), image: Arc::new(image) })
                }
                BookKind::Image => None,
            };
        });
        found
    }
}

impl Step {
    /// The same frame of another symbol.
    fn renamed(&self, from: &str, to: &str) -> Self {
        let text = String::from_utf8_lossy(&self.payload);
        let small = (from.to_lowercase(), to.to_lowercase());
        let text = text.replace(from, to).replace(&small.0, &small.1);
        Self { line: 0, source: "ws".to_owned(), payload: text.as_bytes().into(), ..self.clone() }
    }
}

/// A step whose symbol can be changed in place.
#[derive(Clone, Debug)]
pub struct Patched {
    /// What it is.
    pub kind: RecordKind,
    /// Receive time, ns since the epoch.
    pub recv_ns: i64,
    /// Connection, or URL of a REST body.
    pub source: String,
    /// The bytes.
    pub payload: Vec<u8>,
    /// Where the digits of its symbol are.
    digits: Vec<usize>,
}

impl Patched {
    fn of(step: &Step) -> Self {
        let payload = step.payload.to_vec();
        let is_name = |name: &[u8]| name.eq_ignore_ascii_case(b"C0000UT");
        let found = payload.windows(7).enumerate().filter(|(_, name)| is_name(name));
        let digits = found.map(|(at, _)| at + 1).collect();
        let (kind, recv_ns, source) = (step.kind, step.recv_ns, step.source.clone());
        Self { kind, recv_ns, source, payload, digits }
    }

    /// The step of symbol `number`, 0..10 000.
    pub fn patch(&mut self, number: usize) -> &Self {
        let name = format!("{number:04}");
        for at in &self.digits {
            self.payload[*at..*at + 4].copy_from_slice(name.as_bytes());
        }
        if let Some(at) = self.source.find("symbol=C") {
            self.source.replace_range(at + 8..at + 12, &name);
        }
        self
    }
}

/// The published top of a rival's book; its levels are as the book has them.
#[derive(Debug)]
pub struct Top<L = Level> {
    /// Odd while it is being written.
    version: AtomicU64,
    bids: [L; DEPTH],
    asks: [L; DEPTH],
    lens: (usize, usize),
}

impl<L: Copy + Default> Default for Top<L> {
    fn default() -> Self {
        let none = [L::default(); DEPTH];
        Self { version: AtomicU64::new(0), bids: none, asks: none, lens: (0, 0) }
    }
}

impl<L: Copy> Top<L> {
    /// Publishes nothing.
    pub fn clear(&mut self) {
        self.lens = (0, 0);
    }

    /// Publishes these, best first.
    #[inline]
    pub fn publish(&mut self, bids: impl Iterator<Item = L>, asks: impl Iterator<Item = L>) {
        let version = *self.version.get_mut();
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.lens = (fill(&mut self.bids, bids), fill(&mut self.asks, asks));
        self.version.store(version + 2, Ordering::Release);
    }

    fn digest(&self, number: impl Fn(&L) -> Level) -> u64 {
        let numbers = |levels: &[L]| -> Vec<Level> { levels.iter().map(&number).collect() };
        let (bids, asks) = (&self.bids[..self.lens.0], &self.asks[..self.lens.1]);
        digest(&numbers(bids), &numbers(asks), &[])
    }
}

#[inline]
fn fill<L>(into: &mut [L; DEPTH], levels: impl Iterator<Item = L>) -> usize {
    let mut len = 0;
    for (place, level) in into.iter_mut().zip(levels) {
        *place = level;
        len += 1;
    }
    len
}

/// One book's publication and a reader of it.
struct Publication {
    publisher: Publisher<Arc<Heap>>,
    reader: Reader<Arc<Heap>>,
}

impl Publication {
    fn new() -> Self {
        let config = Config { depth: DEPTH, ring: 0, ..Config::default() };
        let words = config.words().expect("choices within their bounds");
        let region = Arc::new(Heap::new(words));
        let publisher = Publisher::create(region.clone(), &config, 0, 0).expect("room enough");
        Self { publisher, reader: Reader::attach(region).expect("a publication") }
    }
}

/// Takes what a session makes and publishes it, each book where its readers look.
#[derive(Default)]
pub struct Published {
    /// By number of the book.
    books: Vec<Option<Publication>>,
    /// The book that was last published, its scales and when.
    last: Option<(usize, Scales, i64)>,
}

impl Published {
    #[cold]
    fn arrived(&mut self, id: BookId) -> &mut Publication {
        let index = id.0 as usize;
        if index >= self.books.len() {
            self.books.resize_with(index + 1, || None);
        }
        self.books[index].insert(Publication::new())
    }

    /// The first levels that a reader finds; none if the book is not live.
    fn answer(&self, at: Scales) -> u64 {
        let found = self.last.and_then(|(index, scales, now)| {
            let publication = self.books.get(index)?.as_ref()?;
            Some((publication.reader.depth(DEPTH, now).ok()?, scales))
        });
        let Some((depth, scales)) = found else { return digest(&[], &[], &[]) };
        let numbers = |levels: &[Level]| -> Vec<Level> {
            levels.iter().map(|level| scaled(*level, scales, at)).collect()
        };
        digest(&numbers(&depth.bids), &numbers(&depth.asks), &[])
    }
}

impl Handler for Published {
    #[inline]
    fn level(&mut self, id: BookId, side: Side, level: Level, change: Change) {
        if let Some(Some(publication)) = self.books.get_mut(id.0 as usize) {
            publication.publisher.level(side, level, change);
        }
    }

    #[inline]
    fn book(&mut self, id: BookId, entry: &BookEntry, _: &Outcome) {
        // The clock of the recording: reading one is the same for all and is left out.
        let now = entry.local.last_times().recv_ns;
        let publication = match self.books.get_mut(id.0 as usize) {
            Some(Some(publication)) => publication,
            _ => self.arrived(id),
        };
        publication.publisher.publish(&entry.local, now);
        self.last = Some((id.0 as usize, entry.local.last_known().scales(), now));
    }
}

/// The choices of a live feed, on frames that a recorder kept.
#[must_use]
pub fn config() -> SessionConfig {
    SessionConfig { policy: Policy::default(), recorded: true }
}

/// Our whole path: sessions, one a file.
pub struct Ours<'w> {
    feed: &'w Feed,
    isa: Isa,
    sessions: Vec<AnySession>,
    buffer: FrameBuf,
    publishers: Vec<Published>,
    at: usize,
}

impl<'w> Ours<'w> {
    /// Sessions that have seen nothing.
    #[must_use]
    pub fn new(feed: &'w Feed, isa: Isa) -> Self {
        let (sessions, publishers) = (Vec::new(), Vec::new());
        Self { feed, isa, sessions, buffer: FrameBuf::new(), publishers, at: 0 }
    }
}

impl Contender for Ours<'_> {
    fn name(&self) -> &str {
        ours::NAME
    }

    fn reset(&mut self) {
        let Some(venue) = self.feed.venue else { return };
        let session = |_| {
            let mut session = venue.session(config());
            session.set_isa(self.isa);
            session
        };
        self.sessions = (0..self.feed.lines).map(session).collect();
        self.publishers = (0..self.feed.lines).map(|_| Published::default()).collect();
        self.at = 0;
    }

    fn prepare(&mut self, item: usize) {
        let until = self.feed.items[item];
        for step in &self.feed.steps[self.at..until] {
            let session = &mut self.sessions[step.line];
            let publisher = &mut self.publishers[step.line];
            let (now, payload) = (step.recv_ns, &step.payload);
            match step.kind {
                RecordKind::Open => session.connect(&String::from_utf8_lossy(payload), publisher),
                RecordKind::Http => session.rest(now, &step.source, payload, publisher),
                _ => session.bytes(now, payload, publisher),
            }
        }
        self.at = until + 1;
        self.publishers[self.feed.steps[until].line].last = None;
        self.buffer.fill(&self.feed.steps[until].payload);
    }

    fn run(&mut self, item: usize) {
        let step = &self.feed.steps[self.feed.items[item]];
        let session = &mut self.sessions[step.line];
        session.frame(step.recv_ns, self.buffer.frame(), &mut self.publishers[step.line]);
    }

    fn answer(&mut self, item: usize) -> u64 {
        let step = &self.feed.steps[self.feed.items[item]];
        let What::Delta { scales, .. } = step.what else { return 0 };
        self.publishers[step.line].answer(scales)
    }
}

/// A rival's book, and what it makes of text.
pub trait Path: Default {
    /// Its name in reports.
    const NAME: &'static str;
    /// One side's levels as it reads them.
    type Levels;
    /// Its book.
    type Book;
    /// A level as its book has it.
    type Shown: Copy + Default;

    /// Reads a delta: symbol, ids (first, last, previous), bids, asks.
    fn read<'de>(
        &mut self,
        scales: Scales,
        frame: &'de mut [u8],
    ) -> Option<Read<'de, Self::Levels>>;
    /// A book that holds a snapshot; untimed.
    fn load(&self, scales: Scales, bids: &[Level], asks: &[Level]) -> Self::Book;
    /// Applies a delta.
    fn apply(&mut self, book: &mut Self::Book, bids: Self::Levels, asks: Self::Levels);
    /// Publishes the top, if the book is not crossed.
    fn publish(&self, book: &Self::Book, top: &mut Top<Self::Shown>);
    /// A level as integers at the symbol's scales; untimed.
    fn number(shown: &Self::Shown, scales: Scales) -> Level;
}

/// A delta as a rival reads it.
pub struct Read<'de, L> {
    /// Symbol.
    pub symbol: &'de str,
    /// First and last id covered, last id of the message before.
    pub ids: (i64, i64, i64),
    /// Bids.
    pub bids: L,
    /// Asks.
    pub asks: L,
}

/// sonic-rs and `BTreeMap`s.
#[derive(Default)]
pub struct SonicBTree(SonicRs);

impl Path for SonicBTree {
    const NAME: &'static str = "sonic-rs + BTreeMap";
    type Levels = Vec<Level>;
    type Book = BTreeMaps;
    type Shown = Level;

    fn read<'de>(&mut self, scales: Scales, frame: &'de mut [u8]) -> Option<Read<'de, Vec<Level>>> {
        let (symbol, found) = read(&mut self.0, Wire::Binance, scales, frame)?;
        let Found { bids, asks, first, last, prev } = found;
        Some(Read { symbol, ids: (first?, last?, prev?), bids, asks })
    }

    fn load(&self, _: Scales, bids: &[Level], asks: &[Level]) -> BTreeMaps {
        let mut book = BTreeMaps::default();
        book.apply(bids, asks);
        book
    }

    fn apply(&mut self, book: &mut BTreeMaps, bids: Vec<Level>, asks: Vec<Level>) {
        Ladder::apply(book, &bids, &asks);
    }

    fn publish(&self, book: &BTreeMaps, top: &mut Top) {
        let (bid, ask) = book.best();
        if bid != 0 && ask != 0 && bid >= ask {
            return top.clear();
        }
        let level = |(&price, &qty): (&i64, &i64)| Level { price, qty };
        let bids = book.bids.iter().rev().take(DEPTH).map(level);
        top.publish(bids, book.asks.iter().take(DEPTH).map(level));
    }

    fn number(shown: &Level, _: Scales) -> Level {
        *shown
    }
}

/// A rival's whole path over a futures feed, with the venue's own recipe for its sequence.
pub struct Rival<'w, P: Path> {
    feed: &'w Feed,
    path: P,
    /// By symbol, one table a line.
    books: Vec<HashMap<String, Slot<P>>>,
    buffer: Vec<u8>,
    top: Top<P::Shown>,
    at: usize,
}

/// A book and where its sequence stands.
struct Slot<P: Path> {
    book: Option<P::Book>,
    /// Last id applied; of the snapshot before the first delta.
    last: i64,
    joined: bool,
    /// Deltas that came before the snapshot.
    held: Vec<(i64, i64, P::Levels, P::Levels)>,
}

impl<P: Path> Slot<P> {
    const fn new() -> Self {
        Self { book: None, last: 0, joined: false, held: Vec::new() }
    }

    /// Takes a delta; says whether the book holds it.
    fn take(
        &mut self,
        path: &mut P,
        ids: (i64, i64, i64),
        bids: P::Levels,
        asks: P::Levels,
    ) -> bool {
        let (first, last, prev) = ids;
        let Some(book) = &mut self.book else {
            self.held.push((first, last, bids, asks));
            return false;
        };
        let follows = if self.joined {
            prev == self.last
        } else {
            (first <= self.last && self.last <= last) || prev == self.last
        };
        if last < self.last {
            return self.joined;
        }
        if !follows {
            self.book = None;
            return false;
        }
        path.apply(book, bids, asks);
        (self.last, self.joined) = (last, true);
        true
    }
}

impl<'w, P: Path> Rival<'w, P> {
    /// Books that have seen nothing.
    #[must_use]
    pub fn new(feed: &'w Feed) -> Self {
        let (books, buffer, top) = (Vec::new(), Vec::new(), Top::default());
        Self { feed, path: P::default(), books, buffer, top, at: 0 }
    }

    fn load(&mut self, step: &Step) {
        let What::Snapshot { symbol, image } = &step.what else { return };
        let slot = self.books[step.line].entry(symbol.clone()).or_insert_with(Slot::new);
        if slot.book.is_some() {
            return;
        }
        slot.book = Some(self.path.load(self.feed.scales(symbol), &image.bids, &image.asks));
        (slot.last, slot.joined) = (image.last, false);
        for (first, id, bids, asks) in std::mem::take(&mut slot.held) {
            let prev = if slot.joined { slot.last } else { first - 1 };
            slot.take(&mut self.path, (first, id, prev), bids, asks);
        }
    }
}

impl<P: Path> Contender for Rival<'_, P> {
    fn name(&self) -> &str {
        P::NAME
    }

    fn reset(&mut self) {
        self.books = (0..self.feed.lines).map(|_| HashMap::new()).collect();
        self.at = 0;
    }

    fn prepare(&mut self, item: usize) {
        let until = self.feed.items[item];
        let feed = self.feed;
        for step in &feed.steps[self.at..until] {
            self.load(step);
            self.receive(step);
            self.delta(step);
        }
        self.at = until + 1;
        self.top.clear();
        self.receive(&feed.steps[until]);
    }

    fn run(&mut self, item: usize) {
        self.delta(&self.feed.steps[self.feed.items[item]]);
    }

    fn answer(&mut self, item: usize) -> u64 {
        let What::Delta { scales, .. } = self.feed.steps[self.feed.items[item]].what else {
            return 0;
        };
        self.top.digest(|level| P::number(level, scales))
    }
}

impl<P: Path> Rival<'_, P> {
    fn receive(&mut self, step: &Step) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&step.payload);
    }

    #[inline]
    fn delta(&mut self, step: &Step) {
        let What::Delta { scales, .. } = step.what else { return };
        let Some(read) = self.path.read(scales, &mut self.buffer) else { return };
        let books = &mut self.books[step.line];
        let slot = match books.get_mut(read.symbol) {
            Some(slot) => slot,
            None => books.entry(read.symbol.to_owned()).or_insert_with(Slot::new),
        };
        if slot.take(&mut self.path, read.ids, read.bids, read.asks)
            && let Some(book) = &slot.book
        {
            self.path.publish(book, &mut self.top);
        }
    }
}
