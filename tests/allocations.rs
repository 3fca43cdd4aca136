//! What runs per frame asks nothing of the allocator.
//!
//! The counting allocator is installed for this whole file; counts are per thread.

#[path = "conformance/line.rs"]
mod line;
#[path = "conformance/spoken.rs"]
mod spoken;

use gapless_book::decimal::{Decimal, Number};
use gapless_book::event::{
    BookKind, BookMessage, Event, Flags, Level, NO_TIME, Scales, SeqInfo, Times,
};
use gapless_book::local::{LocalBook, Policy, State};
use gapless_book::publish::{ChangeSet, Config, Depth, Heap, Publisher, Reader};
use gapless_book::sequence::{Bridge, Chain, Rule};
use gapless_tests::counting_allocator::{Counted, CountingAllocator, counting};
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::okx::Okx;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::scratch::Scratch;
use gapless_venues::session::SessionConfig;
use gapless_venues::venue::{Context, Market, Origin, Venue};
use gapless_venues::wire::{EventSink, Reject};
use spoken::Spoken;
use std::collections::BTreeMap;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn an_allocation_and_a_growth_are_counted() {
    let (counted, grown) = counting(|| {
        let mut bytes = Vec::<u8>::with_capacity(16);
        bytes.reserve_exact(100);
        bytes.len()
    });
    assert_eq!(grown, 0);
    assert_eq!(counted.allocations, 2, "one to begin with, one to grow");
    assert!(counted.bytes >= 116, "{counted:?}");
}

#[test]
fn reading_a_number_allocates_nothing() {
    let (counted, read) = counting(|| {
        let texts = ["91230.10000000", "1e400", "1.742e-05", "not a number", "-0"];
        let parsed = texts.iter().filter(|text| Decimal::parse(text.as_bytes()).is_ok());
        let read = texts.iter().filter(|text| Number::read(text.as_bytes()).is_ok());
        (parsed.count(), read.count())
    });
    assert_eq!(counted.allocations, 0);
    assert_eq!(read, (3, 4));
}

/// Counts what it is told.
#[derive(Default)]
struct Told(usize);

impl EventSink for Told {
    fn event(&mut self, _: &Event<'_>) {
        self.0 += 1;
    }

    fn reject(&mut self, _: &Reject<'_>) {
        self.0 += 1;
    }
}

/// Parses every frame of a fixture twice with one scratch and counts the second time.
fn second_reading(venue: &impl Venue, fixture: &str) {
    let frames: Vec<_> = fixture.lines().filter_map(|line| line.strip_prefix("< ")).collect();
    let origin = Origin::Socket { url: "" };
    let context = Context { recv_ns: NO_TIME, origin, market: Market::Unknown };
    let mut scratch = Scratch::new();
    let mut read = || {
        let mut told = Told::default();
        for frame in &frames {
            venue.parse(&context, frame.as_bytes(), &mut scratch, &mut told);
        }
        told.0
    };
    let first = read();
    let (counted, second) = counting(read);
    assert!(first >= frames.len() && first == second);
    assert_eq!(counted.allocations, 0);
}

#[test]
fn parsing_any_kind_of_frame_again_allocates_nothing() {
    second_reading(&Bybit, include_str!("../crates/gapless-venues/fixtures/bybit.frames"));
    second_reading(&Okx, include_str!("../crates/gapless-venues/fixtures/okx.frames"));
    second_reading(&Deribit, include_str!("../crates/gapless-venues/fixtures/deribit.frames"));
}

/// Feeds a warm-up of updates, then counts over as many updates again.
fn warm_updates(venue: VenueId) {
    const UPDATES: i64 = 600;
    // Five digits to the end: a longer frame may make the buffer grow.
    const FIRST: i64 = 10_000;
    let mut book = Spoken::open(venue, FIRST, &[("2.0", "1")], &[("3.0", "1")]);
    let update = |id: i64| {
        let (size, price) = (format!("{id}.0"), format!("3.{}", id % 7));
        book.edit(id - 1, id, &[("2.0", &size)], &[(&price, "1.0")])
    };
    let frames: Vec<_> = (FIRST + 1..=FIRST + 2 * UPDATES).map(update).collect();
    let before = book.book().counters().applied;
    let (warm, counted) = frames.split_at(frames.len() / 2);
    let mut feed = |frames: &[String]| frames.iter().for_each(|frame| book.hear(frame, &mut ()));
    feed(warm);
    let (counted, ()) = counting(|| feed(counted));
    assert_eq!(counted.allocations, 0, "{}: {counted:?}", venue.name());
    let applied = book.book().counters().applied - before;
    assert_eq!(applied, 2 * UPDATES as u64, "{}", venue.name());
    assert_eq!(book.book().state().0, State::Live, "{}", venue.name());
}

#[test]
fn a_warm_session_of_any_venue_applies_updates_without_allocating() {
    VenueId::ALL.iter().for_each(|venue| warm_updates(*venue));
}

/// A message of one bid and one ask.
fn moved(t: i64) -> (Vec<Level>, Vec<Level>) {
    let level = |price, qty| vec![Level { price, qty }];
    (level(100 - t % 50, t % 3), level(101 + t % 50, t % 4))
}

#[test]
fn applying_publishing_and_reading_a_warm_book_allocates_nothing() {
    const MESSAGES: i64 = 5_000;
    let config = Config { ring: 256, ..Config::default() };
    let region = Arc::new(Heap::new(config.words().unwrap()));
    let mut publisher = Publisher::create(region.clone(), &config, 0, 0).unwrap();
    let mut book = LocalBook::new(Rule::new(Chain::Linked, Bridge::InStream), Policy::default());
    let messages: Vec<_> = (0..2 * MESSAGES).map(moved).collect();
    let reader = Reader::attach(region).unwrap();
    let (mut replica, mut changes) = (reader.replica(), reader.changes());
    let (mut depth, mut set) = (Depth::with_capacity(20), ChangeSet::default());
    let mut pass = |range: std::ops::Range<i64>| {
        for t in range {
            let (bids, asks) = &messages[t as usize];
            let kind = if t == 0 { BookKind::Snapshot } else { BookKind::Delta };
            let seq = SeqInfo { prev: Some(t - 1), last: Some(t), ..SeqInfo::default() };
            let (scales, extras, depth_limit) = (Scales::default(), &[][..], None);
            let message = BookMessage { kind, seq, scales, bids, asks, extras, depth_limit };
            let _ = book.message(&message, Flags::NONE, &Times::default(), &mut publisher);
            publisher.publish(&book, t);
            reader.top(t).unwrap();
            reader.copy_into(&mut depth, 20, t).unwrap();
            replica.refresh().unwrap();
            while changes.read(&mut set).unwrap() {}
        }
    };
    pass(0..MESSAGES);
    let (counted, ()) = counting(|| pass(MESSAGES..2 * MESSAGES));
    assert_eq!(counted.allocations, 0);
}

/// A line of a capture.
struct Line {
    recv_ns: i64,
    kind: String,
    source: String,
    payload: String,
}

fn sample(name: &str) -> Vec<Line> {
    let path = format!("{}/../samples/{name}.cap.zst", env!("CARGO_MANIFEST_DIR"));
    let text = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().map(|line| {
        let mut fields = line.splitn(4, '\t').map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        let recv_ns = field().parse().unwrap();
        Line { recv_ns, kind: field(), source: field(), payload: field() }
    });
    lines.collect()
}

/// The connections of a recording.
struct Connections {
    venue: VenueId,
    sessions: BTreeMap<String, AnySession>,
}

impl Connections {
    fn take(&mut self, line: &Line) -> Counted {
        let new = || self.venue.session(SessionConfig::live());
        if line.kind == "H" {
            for session in self.sessions.values_mut() {
                session.rest(line.recv_ns, &line.source, line.payload.as_bytes(), &mut ());
            }
            return Counted::default();
        }
        let session = self.sessions.entry(line.source.clone()).or_insert_with(new);
        match line.kind.as_str() {
            "C" => session.connect(&line.payload, &mut ()),
            "S" => session.sent(line.recv_ns, &line.payload),
            _ => {
                let frame = line.payload.as_bytes();
                return counting(|| session.bytes(line.recv_ns, frame, &mut ())).0;
            }
        }
        Counted::default()
    }
}

/// Of so many frames one may make a book grow.
const FRAMES_PER_GROWTH_MIN: usize = 40;

/// A complaint if more frames of the second half allocated than growing books explain.
fn allocating_frames(venue: VenueId) -> Option<String> {
    let lines = sample(venue.name());
    let mut connections = Connections { venue, sessions: BTreeMap::new() };
    let (warm, measured) = lines.split_at(lines.len() / 2);
    for line in warm {
        connections.take(line);
    }
    let mut found = Vec::new();
    for line in measured {
        let counted = connections.take(line);
        if counted.allocations > 0 {
            let start: String = line.payload.chars().take(90).collect();
            found.push(format!("{}: {counted:?}: {start}", venue.name()));
        }
    }
    (found.len() * FRAMES_PER_GROWTH_MIN > measured.len()).then(|| found.join("\n"))
}

#[test]
fn a_warm_connection_allocates_only_where_a_book_grows() {
    let recorded = |venue: &&VenueId| !matches!(venue, VenueId::Tardis | VenueId::Relay);
    let venues = VenueId::ALL.iter().filter(recorded);
    let found: Vec<_> = venues.filter_map(|venue| allocating_frames(*venue)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
