//! Targets `frames_VENUE`: whatever a venue's connection may carry; target `templates`: a frame,
//! and frames of its kind.
//!
//! The bytes are the frames of one connection, one a line; a line `H URL BODY` with tabs between is
//! the answer to a REST request. No panic; every instruction set sees the
//! same events and ends in the same books; a frame that was read by its learned template gives the
//! message that the general parser, which knows no templates, gives for it; and no book is live
//! that is crossed.

use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Body, BookMessage, Event, EventKind, Flags, Level, SeqInfo, Side, Times,
};
use gapless_book::local::State;
use gapless_venues::books::BookId;
use gapless_venues::kernel::Isa;
use gapless_venues::scratch::Scratch;
use gapless_venues::session::{Handler, Session, SessionConfig};
use gapless_venues::venue::{Context, Origin, Venue};
use gapless_venues::wire::{EventSink, Mark, Reject, Slot};

/// What mutations insert.
pub const WORDS: &[&str] = &[
    "null",
    "-1",
    "0",
    "1e-7",
    "9223372036854775807",
    "\"\"",
    "[]",
    "{}",
    "\n",
    "\\u0062",
    "[\"1\",\"2\"]",
    "[[\"1\",\"2\"]]",
    ",",
    "\"u\":",
    "\"seqId\":",
    "\"prevSeqId\":-1",
    "\"action\":\"snapshot\"",
];

/// Most frames of one input.
const FRAMES_MAX: usize = 64;
/// Receive time of the first frame.
const BEGIN_NS: i64 = 1_763_600_000_000_000_000;

/// Runs one input as a connection of a venue.
pub fn frames<V: Venue + Clone>(venue: &V, data: &[u8]) {
    let frames: Vec<_> = data.split(|byte| *byte == b'\n').take(FRAMES_MAX).collect();
    check(venue, &frames);
}

/// What `templates` inserts.
pub const TEXTS: &[&str] = &[
    "null",
    "\n\u{0}0",
    "\n\u{1}-0",
    "\n\u{2}007",
    "\n\u{ff}-7",
    "\n\u{ff}1763600000123456",
    "\n\u{0}2021-04-05T18:38:36.732Z",
    "\n\u{3}[]",
    "\n\u{3}[[\"1.5\",\"2\"],[\"3\",\"0\"]]",
    "\n\u{3}[[\"1\",\"2\",\"0\",\"4\"]]",
    "\n\u{4}[[\"new\",1,2.5],[\"delete\",3,0]]",
    "\n\u{4}[{\"price\":1,\"amount\":2}]",
    "000000000000000000000",
];

/// Runs one input of `templates`.
pub fn templates(data: &[u8]) {
    use gapless_venues::{binance, bybit, deribit, okx, tardis};
    let Some((venue, rest)) = data.split_first() else { return };
    let mut lines = rest.split(|byte| *byte == b'\n').take(FRAMES_MAX);
    let frame = lines.next().unwrap_or_default();
    match venue % 8 {
        0 => kind(&binance::BinanceSpot, frame, lines),
        1 => kind(&binance::BinanceUs, frame, lines),
        2 => kind(&binance::BinanceUsdm, frame, lines),
        3 => kind(&binance::BinanceCoinm, frame, lines),
        4 => kind(&bybit::Bybit, frame, lines),
        5 => kind(&deribit::Deribit, frame, lines),
        6 => kind(&okx::Okx, frame, lines),
        _ => kind(&tardis::Tardis, frame, lines),
    }
}

/// A frame and those that `lines` make of it.
fn kind<'a, V: Venue + Clone>(venue: &V, frame: &[u8], lines: impl Iterator<Item = &'a [u8]>) {
    let marks = general(venue, 0, frame).marks;
    if marks.is_empty() {
        return;
    }
    let written = |line: &[u8]| {
        let (which, text) = line.split_first()?;
        let place = usize::from(*which) % marks.len();
        let mut places: Vec<&Mark> = match which {
            0xff => marks.iter().filter(|mark| !is_list(mark)).collect(),
            _ => vec![marks.get(place)?],
        };
        places.sort_by_key(|mark| std::cmp::Reverse(mark.start));
        let mut frame = frame.to_vec();
        for mark in places {
            frame.splice(mark.start as usize..mark.end as usize, text.iter().copied());
        }
        Some(frame)
    };
    let made: Vec<_> = lines.filter_map(written).collect();
    let frames: Vec<&[u8]> = [frame].into_iter().chain(made.iter().map(|f| &**f)).collect();
    check(venue, &frames);
}

const fn is_list(mark: &Mark) -> bool {
    matches!(mark.slot, Slot::Bids | Slot::Asks)
}

fn check<V: Venue + Clone>(venue: &V, frames: &[&[u8]]) {
    let mut runs = Isa::available().map(|isa| (isa, run(venue.clone(), isa, frames)));
    let Some((_, first)) = runs.next() else { return };
    for (isa, other) in runs {
        assert_eq!(first, other, "{} differs", isa.name());
    }
    for (at, frame) in frames.iter().enumerate().filter(|(_, frame)| answer(frame).is_none()) {
        let general = general(venue, at, frame).seen;
        let session = first.seen.iter().filter(|seen| seen.frame == at);
        let session: Vec<_> = session.map(|seen| &seen.message).collect();
        let general: Vec<_> = general.iter().map(|seen| &seen.message).collect();
        assert_eq!(session, general, "frame {at}: {}", frame.escape_ascii());
    }
}

/// What one session made of the frames.
#[derive(Debug, Default, PartialEq)]
struct Run {
    frame: usize,
    seen: Vec<Seen>,
    rejects: usize,
    books: Vec<Book>,
    /// Places in the last book message that went through the general parser alone.
    marks: Vec<Mark>,
}

/// An event of a frame.
#[derive(Debug, PartialEq)]
struct Seen {
    frame: usize,
    message: Message,
}

/// An event by its values: scales may differ, values may not.
#[derive(Debug, PartialEq)]
struct Message {
    kind: EventKind,
    /// Symbol, channel and exchange of a book; the session knows more than the frame about others.
    names: [String; 3],
    flags: Flags,
    seq: SeqInfo,
    times: Times,
    depth_limit: Option<u16>,
    levels: Vec<(Side, Decimal, Decimal)>,
}

/// A book at the end.
#[derive(Debug, PartialEq)]
struct Book {
    symbol: String,
    state: State,
    levels: Vec<(Side, Decimal, Decimal)>,
}

fn run<V: Venue>(venue: V, isa: Isa, frames: &[&[u8]]) -> Run {
    let mut session = Session::new(venue, SessionConfig::live());
    session.set_isa(isa);
    let mut run = Run::default();
    session.connect("", &mut run);
    for (at, frame) in frames.iter().enumerate() {
        run.frame = at;
        match answer(frame) {
            Some((url, body)) => session.rest(recv_ns(at), url, body, &mut run),
            None => session.bytes(recv_ns(at), frame, &mut run),
        }
    }
    for (_, entry) in session.books().iter() {
        let book = entry.local.last_known();
        let state = entry.local.state().0;
        assert!(state != State::Live || !book.is_crossed(), "{} is live and crossed", entry.symbol);
        let side = |side| {
            let levels = book.side(side).iter().map(move |level| (side, level));
            levels.map(|(side, level)| (side, book.decimals(level)))
        };
        let levels = side(Side::Bid).chain(side(Side::Ask));
        let levels = levels.map(|(side, (price, qty))| (side, price, qty)).collect();
        run.books.push(Book { symbol: entry.symbol.clone(), state, levels });
    }
    run
}

/// What the venue's parser alone makes of a frame.
fn general<V: Venue>(venue: &V, at: usize, frame: &[u8]) -> Run {
    let context = Context {
        recv_ns: recv_ns(at),
        origin: Origin::Socket { url: "" },
        market: venue.market(""),
    };
    let mut run = Run { frame: at, ..Run::default() };
    venue.parse(&context, frame, &mut Scratch::new(), &mut run);
    run
}

/// URL and body of a line that is an answer.
fn answer(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(b"H\t")?;
    let tab = rest.iter().position(|byte| *byte == b'\t')?;
    Some((std::str::from_utf8(&rest[..tab]).ok()?, &rest[tab + 1..]))
}

fn recv_ns(frame: usize) -> i64 {
    BEGIN_NS + frame as i64 * 1_000_000
}

impl Run {
    fn note(&mut self, event: &Event<'_>) {
        let mut message = Message {
            kind: event.kind(),
            names: Default::default(),
            flags: Flags::NONE,
            seq: SeqInfo::default(),
            times: event.times,
            depth_limit: None,
            levels: Vec::new(),
        };
        if let Body::Book(book) = &event.body {
            let names = [event.symbol, event.channel, event.exchange];
            message.names = names.map(str::to_owned);
            (message.flags, message.seq) = (event.flags, book.seq);
            (message.depth_limit, message.levels) = (book.depth_limit, levels(book));
        }
        self.seen.push(Seen { frame: self.frame, message });
    }
}

fn levels(message: &BookMessage<'_>) -> Vec<(Side, Decimal, Decimal)> {
    let value = |side: Side, level: &Level| {
        let price = Decimal::new(level.price, message.scales.price);
        (side, price, Decimal::new(level.qty, message.scales.qty))
    };
    let bids = message.bids.iter().map(|level| value(Side::Bid, level));
    bids.chain(message.asks.iter().map(|level| value(Side::Ask, level))).collect()
}

impl Handler for Run {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.note(event);
    }

    fn reject(&mut self, _: &Reject<'_>) {
        self.rejects += 1;
    }
}

impl EventSink for Run {
    fn event(&mut self, event: &Event<'_>) {
        self.note(event);
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        self.marks = marks.to_vec();
        self.note(event);
    }

    fn reject(&mut self, _: &Reject<'_>) {
        self.rejects += 1;
    }
}
