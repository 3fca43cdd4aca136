//! Our side of every row, through the public interface only.
//!
//! Parsing: what a session does with a frame before a book sees it ([`Templates`], and the venue's
//! own parser for what they do not know, which teaches them). Applying: [`Levels`]. End to end: a
//! whole session. Invariant: nothing here is prepared for the frames of a run beyond what a feed
//! knows when it starts.

use crate::frames::BookFrame;
use crate::measure::Contender;
use crate::numbers::{Book, Ladder};
use crate::parsed::Parsed;
use crate::workload::Record;
use gapless_book::book::Levels;
use gapless_book::decimal::POW10;
use gapless_book::event::{Body, Event, Level, Scales, Side};
use gapless_replay::record::RecordKind;
use gapless_venues::binance::{BinanceCoinm, BinanceSpot, BinanceUs, BinanceUsdm};
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::kernel::{Frame, FrameBuf, Isa, Shape};
use gapless_venues::okx::Okx;
use gapless_venues::scratch::Scratch;
use gapless_venues::tardis::Tardis;
use gapless_venues::template::{Mark, Slot};
use gapless_venues::templates::Templates;
use gapless_venues::venue::{Context, Origin, Venue};
use gapless_venues::wire::{EventSink, Reject};
use std::collections::HashMap;

/// Our name in reports.
pub const NAME: &str = "gapless";

/// Scales by exchange and symbol: what a feed reads from the venue's list of instruments.
pub type Instruments = HashMap<String, Scales>;

/// Does something with a venue's translator.
trait Visit {
    type Out;
    fn visit<V: Venue + 'static>(self, venue: V, shape: Shape) -> Self::Out;
}

/// The venue of a name; `None` where it is not known.
fn with_venue<T: Visit>(name: &str, visit: T) -> Option<T::Out> {
    Some(match name {
        "binance_spot" => visit.visit(BinanceSpot, Shape::QuotedPairs),
        "binance_us" => visit.visit(BinanceUs, Shape::QuotedPairs),
        "binance_usdm" => visit.visit(BinanceUsdm, Shape::QuotedPairs),
        "binance_coinm" => visit.visit(BinanceCoinm, Shape::QuotedPairs),
        "bybit" => visit.visit(Bybit, Shape::QuotedPairs),
        "okx" => visit.visit(Okx, Shape::QuotedQuads),
        "deribit" => visit.visit(Deribit, Shape::ActionTriples),
        "tardis" => visit.visit(Tardis, Shape::PriceAmount),
        _ => return None,
    })
}

/// Every event of a record, read by the venue's own parser.
pub fn events(venue: &str, record: &Record, each: &mut dyn FnMut(&Event<'_>)) {
    with_venue(venue, Events { record, each });
}

struct Events<'a> {
    record: &'a Record,
    each: &'a mut dyn FnMut(&Event<'_>),
}

impl Visit for Events<'_> {
    type Out = ();
    fn visit<V: Venue + 'static>(self, venue: V, _: Shape) {
        let origin = match self.record.kind {
            RecordKind::Http => Origin::Rest { url: &self.record.source },
            _ => Origin::Socket { url: "" },
        };
        let context = Context { recv_ns: self.record.recv_ns, origin, market: venue.market("") };
        let mut scratch = Scratch::new();
        venue.parse(&context, &self.record.payload, &mut scratch, &mut Each(self.each));
    }
}

struct Each<'a>(&'a mut dyn FnMut(&Event<'_>));

impl EventSink for Each<'_> {
    fn event(&mut self, event: &Event<'_>) {
        (self.0)(event);
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}

/// Our parser on frames of a venue, with one instruction set; `None` for an unknown venue.
#[must_use]
pub fn parser<'w>(
    venue: &str,
    isa: Isa,
    instruments: &'w Instruments,
    frames: &'w [&'w BookFrame],
) -> Option<Box<dyn Contender + 'w>> {
    with_venue(venue, MakeParser { isa, instruments, frames })
}

struct MakeParser<'w> {
    isa: Isa,
    instruments: &'w Instruments,
    frames: &'w [&'w BookFrame],
}

impl<'w> Visit for MakeParser<'w> {
    type Out = Box<dyn Contender + 'w>;
    fn visit<V: Venue + 'static>(self, venue: V, shape: Shape) -> Self::Out {
        Box::new(Parser {
            venue,
            shape,
            isa: self.isa,
            instruments: self.instruments,
            frames: self.frames,
            scratch: Scratch::new(),
            templates: Templates::new(),
            buffer: FrameBuf::new(),
            parsed: Parsed::default(),
        })
    }
}

/// Templates before the venue's general parser.
struct Parser<'w, V> {
    venue: V,
    shape: Shape,
    isa: Isa,
    instruments: &'w Instruments,
    frames: &'w [&'w BookFrame],
    scratch: Scratch,
    templates: Templates,
    buffer: FrameBuf,
    parsed: Parsed,
}

impl<V: Venue> Parser<'_, V> {
    #[cold]
    fn general(&mut self) {
        let frame = self.buffer.frame();
        let context = Context {
            recv_ns: 0,
            origin: Origin::Socket { url: "" },
            market: self.venue.market(""),
        };
        let mut sink = Learn {
            frame,
            shape: self.shape,
            instruments: self.instruments,
            templates: &mut self.templates,
            parsed: &mut self.parsed,
        };
        self.venue.parse(&context, frame.bytes(), &mut self.scratch, &mut sink);
    }
}

impl<V: Venue> Contender for Parser<'_, V> {
    fn name(&self) -> &str {
        NAME
    }

    fn prepare(&mut self, item: usize) {
        self.buffer.fill(&self.frames[item].bytes);
    }

    fn run(&mut self, _: usize) {
        self.parsed.clear();
        let frame = self.buffer.frame();
        let Some(fields) = self.templates.read(self.isa, frame, &mut self.parsed.levels) else {
            return self.general();
        };
        self.parsed.first = fields.get(Slot::First);
        self.parsed.last = fields.get(Slot::Last);
        self.parsed.prev = fields.get(Slot::Prev);
        (self.parsed.bids, self.parsed.asks) = (fields.bids, fields.asks);
    }

    fn answer(&mut self, _: usize) -> u64 {
        self.parsed.digest()
    }
}

/// Takes what the general parser read and teaches the templates.
struct Learn<'a> {
    frame: Frame<'a>,
    shape: Shape,
    instruments: &'a Instruments,
    templates: &'a mut Templates,
    parsed: &'a mut Parsed,
}

impl EventSink for Learn<'_> {
    fn event(&mut self, event: &Event<'_>) {
        self.book(event, &[]);
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        let Body::Book(message) = event.body else { return };
        let name = format!("{}|{}", event.exchange, event.symbol);
        let scales = self.instruments.get(&name).copied().unwrap_or(message.scales);
        let at = |levels: &[Level]| -> Vec<Level> {
            levels.iter().map(|level| scaled(*level, message.scales, scales)).collect()
        };
        self.parsed.take(&at(message.bids), &at(message.asks));
        let seq = message.seq;
        (self.parsed.first, self.parsed.last, self.parsed.prev) = (seq.first, seq.last, seq.prev);
        self.templates.learn(self.frame, marks, self.shape, 0, scales);
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}

/// A level at larger scales.
#[must_use]
pub fn scaled(level: Level, from: Scales, to: Scales) -> Level {
    Level {
        price: level.price * POW10[usize::from(to.price - from.price)],
        qty: level.qty * POW10[usize::from(to.qty - from.qty)],
    }
}

/// Both sides of a book in our container.
pub struct Sides {
    bids: Levels,
    asks: Levels,
}

impl Ladder for Sides {
    const NAME: &'static str = NAME;
    type Entry = Level;

    fn new(_: &Book) -> Self {
        Self { bids: Levels::new(Side::Bid), asks: Levels::new(Side::Ask) }
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn entry(_: &Book, level: Level) -> Level {
        level
    }

    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        self.bids.set_all(Side::Bid, bids.iter().copied(), &mut ());
        self.asks.set_all(Side::Ask, asks.iter().copied(), &mut ());
    }

    fn best(&self) -> (i64, i64) {
        let price = |levels: &Levels| levels.best().map_or(0, |level| level.price);
        (price(&self.bids), price(&self.asks))
    }

    fn contents(&self, _: &Book) -> (Vec<Level>, Vec<Level>) {
        (self.bids.iter().collect(), self.asks.iter().collect())
    }
}
