//! Our side of the V rows: a book that takes messages and shows itself.

use crate::measure::Contender;
use crate::two_cores::{Sees, Shows};
use gapless_book::book::Observer;
use gapless_book::event::{
    BookKind, BookMessage, Flags, Level, NO_TIME, Scales, SeqInfo, Side, Times,
};
use gapless_book::local::{CrossedPolicy, LocalBook, Policy};
use gapless_book::publish::{Config, Heap, Publisher, Reader};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::sync::Arc;

/// Levels a side that are shown.
const DEPTH: usize = 20;

/// Bids and asks of a message.
pub type Message = (Vec<Level>, Vec<Level>);

/// A book with the stream that feeds it, numbered by itself.
struct Fed {
    book: LocalBook,
    deltas: Arc<[Message]>,
    last: i64,
}

impl Fed {
    fn new(snapshot: &Message, deltas: Arc<[Message]>, observer: &mut impl Observer) -> Self {
        let policy = Policy { crossed: CrossedPolicy::Report, ..Policy::default() };
        let book = LocalBook::new(Rule::new(Chain::Linked, Bridge::InStream), policy);
        let mut fed = Self { book, deltas, last: 0 };
        fed.take(BookKind::Snapshot, snapshot, observer);
        fed
    }

    #[inline]
    fn take(&mut self, kind: BookKind, (bids, asks): &Message, observer: &mut impl Observer) {
        let seq =
            SeqInfo { prev: Some(self.last), last: Some(self.last + 1), ..SeqInfo::default() };
        self.last += 1;
        let (scales, extras, depth_limit) = (Scales::default(), &[][..], None);
        let message = BookMessage { kind, seq, scales, bids, asks, extras, depth_limit };
        let times = Times { recv_ns: self.last, venue_ns: self.last, ..Times::default() };
        let _ = self.book.message(&message, Flags::NONE, &times, observer);
    }

    #[inline]
    fn delta(&mut self, number: usize, observer: &mut impl Observer) {
        let deltas = self.deltas.clone();
        self.take(BookKind::Delta, &deltas[number % deltas.len()], observer);
    }
}

/// What a writer publishes, and a reader looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A change of the best bid; best bid and ask are read.
    Best,
    /// Recorded messages; the first `DEPTH` levels a side are read.
    Depth,
}

/// The writer's end.
pub struct Writer {
    part: Part,
    fed: Fed,
    publisher: Publisher<Arc<Heap>>,
}

/// The reader's end.
pub struct Looker {
    part: Part,
    reader: Reader<Arc<Heap>>,
    version: u64,
    bids: [Level; DEPTH],
    asks: [Level; DEPTH],
}

/// Both ends of a publication of a book that a stream feeds.
#[must_use]
pub fn ends(part: Part, snapshot: &Message, deltas: &Arc<[Message]>) -> (Writer, Looker) {
    let depth = if part == Part::Best { 1 } else { DEPTH };
    let config = Config { depth, ring: 0, writer_silent_ns: i64::MAX, ..Config::default() };
    let mut publisher = publisher(&config);
    let reader = Reader::attach(publisher.region().clone()).expect("a publication");
    let fed = Fed::new(snapshot, deltas.clone(), &mut publisher);
    publisher.publish(&fed.book, 0);
    let none = [Level::default(); DEPTH];
    let looker = Looker { part, reader, version: 0, bids: none, asks: none };
    (Writer { part, fed, publisher }, looker)
}

fn publisher(config: &Config) -> Publisher<Arc<Heap>> {
    let region = Arc::new(Heap::new(config.words().expect("sizes within bounds")));
    Publisher::create(region, config, 0, NO_TIME).expect("a region that is large enough")
}

impl Shows for Writer {
    fn prepare(&mut self, number: usize) {
        if self.part == Part::Depth {
            return self.fed.delta(number, &mut self.publisher);
        }
        let Some(best) = self.fed.book.last_known().side(Side::Bid).best() else { return };
        let changed = Level { qty: 1 + number as i64, ..best };
        self.fed.take(BookKind::Delta, &(vec![changed], Vec::new()), &mut self.publisher);
    }

    fn show(&mut self, _: usize, stamp_ns: u64) {
        self.publisher.publish(&self.fed.book, stamp_ns as i64);
    }
}

impl Sees for Looker {
    fn look(&mut self) -> Option<u64> {
        let version = match self.part {
            Part::Best => self.reader.top_version(),
            Part::Depth => self.reader.version(),
        };
        if version == self.version {
            return None;
        }
        let stamp = match self.part {
            Part::Best => self.reader.last_known_best().ok()?.published_ns,
            Part::Depth => {
                let (bids, asks) = (&mut self.bids, &mut self.asks);
                self.reader.last_known_levels_into(bids, asks).ok()?.status.published_ns
            }
        };
        self.version = version;
        Some(stamp as u64)
    }
}

/// A book that is or is not shown.
pub struct Applier {
    name: &'static str,
    snapshot: Message,
    deltas: Arc<[Message]>,
    config: Option<Config>,
    fed: Fed,
    publisher: Option<Publisher<Arc<Heap>>>,
}

impl Applier {
    /// A book, published with these choices or not at all.
    #[must_use]
    pub fn new(
        name: &'static str,
        snapshot: &Message,
        deltas: &Arc<[Message]>,
        config: Option<Config>,
    ) -> Self {
        let fed = Fed::new(snapshot, deltas.clone(), &mut ());
        let (snapshot, deltas) = (snapshot.clone(), deltas.clone());
        let mut applier = Self { name, snapshot, deltas, config, fed, publisher: None };
        applier.reset();
        applier
    }
}

impl Contender for Applier {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self) {
        self.publisher = self.config.as_ref().map(publisher);
        let deltas = self.deltas.clone();
        self.fed = match &mut self.publisher {
            Some(publisher) => Fed::new(&self.snapshot, deltas, publisher),
            None => Fed::new(&self.snapshot, deltas, &mut ()),
        };
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(&self.fed.book, 0);
        }
    }

    fn prepare(&mut self, _: usize) {}

    fn run(&mut self, item: usize) {
        let Some(publisher) = &mut self.publisher else {
            return self.fed.delta(item, &mut ());
        };
        self.fed.delta(item, publisher);
        publisher.publish(&self.fed.book, item as i64);
    }

    fn answer(&mut self, _: usize) -> u64 {
        let book = self.fed.book.last_known();
        let best = |level: Option<Level>| level.map_or(0, |l| l.price as u64 ^ l.qty as u64);
        best(book.best_bid()).rotate_left(32) ^ best(book.best_ask())
    }
}
