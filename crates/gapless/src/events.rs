//! What a subscription of an engine gives: trades, liquidations, funding and states of books, as
//! plain values that own everything they say.
//!
//! Invariant: what a venue said and fits is carried exactly; a text that does not fit is cut and
//! says so.

use gapless_book::decimal::Decimal;
use gapless_book::event::{self, Derivative, Flags, TakerSide, TimeUnit, Times};
use gapless_book::local::{Reason, State};
use gapless_book::publish::{Record, Status};

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Topic {
    /// Trades.
    Trades,
    /// Forced closings.
    Liquidations,
    /// Funding, mark and index prices, open interest.
    Funding,
    /// A published book has another state, reason or epoch.
    States,
    /// A published book took a message or has another state: for who waits for any change.
    Updates,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 5] =
        [Self::Trades, Self::Liquidations, Self::Funding, Self::States, Self::Updates];

    /// The name used in configurations and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Liquidations => "liquidations",
            Self::Funding => "funding",
            Self::States => "states",
            Self::Updates => "updates",
        }
    }

    /// The topic of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The topic of an event of a venue; `None` if none gives it.
    pub(crate) const fn of(body: &event::Body<'_>) -> Option<Self> {
        match body {
            event::Body::Trade(_) => Some(Self::Trades),
            event::Body::Liquidation(_) => Some(Self::Liquidations),
            event::Body::Derivative(_) | event::Body::OptionTicker(_) => Some(Self::Funding),
            _ => None,
        }
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Number of an instrument's or book's name, the same for as long as its engine lives; its text is
/// given by [`Subscription::name`](crate::engine::Subscription::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// A venue's id of a trade or liquidation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id {
    bytes: [u8; ID_MAX],
    len: u8,
    is_cut: bool,
}

/// Bytes of a venue's id that are kept; every known one is shorter.
pub const ID_MAX: usize = 40;

impl Id {
    fn new(text: &str) -> Self {
        let mut len = text.len().min(ID_MAX);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        let mut bytes = [0; ID_MAX];
        let kept = text.as_bytes().get(..len).unwrap_or(&[]);
        bytes.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
        Self { bytes, len: len as u8, is_cut: len < text.len() }
    }

    /// The text; empty if the venue gives none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let kept = self.bytes.get(..usize::from(self.len)).unwrap_or(&[]);
        std::str::from_utf8(kept).unwrap_or("")
    }

    /// The venue's id is longer than what is kept of it.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A trade; the fields are those of [`event::Trade`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id.
    pub id: Id,
    /// Sequence of the trade, where the venue counts them.
    pub seq: Option<i64>,
    /// Price.
    pub price: Decimal,
    /// Size in the venue's unit.
    pub size: Decimal,
    /// Side of the taker.
    pub taker: TakerSide,
    /// First and last trade id of an aggregate.
    pub aggregate: Option<(i64, i64)>,
    /// Number of fills in an aggregate.
    pub count: Option<i64>,
    /// A score that the relay attached, 0..1.
    pub score: Option<Decimal>,
}

/// A forced closing; the fields are those of [`event::Liquidation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// The venue's id.
    pub id: Id,
    /// Order or bankruptcy price.
    pub price: Decimal,
    /// Original size.
    pub size: Decimal,
    /// Size filled so far, where said.
    pub filled: Option<Decimal>,
    /// Average fill price, where said.
    pub average_price: Option<Decimal>,
    /// Side of the liquidation order: `Sell` = a long was closed.
    pub side: TakerSide,
    /// The venue publishes a sample, not every liquidation.
    pub sampled: bool,
    /// Value in USD, where said.
    pub size_usd: Option<Decimal>,
}

/// What a published book says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookState {
    /// Which book: its [`BookInfo::full_name`](crate::engine::BookInfo::full_name).
    pub book: NameId,
    /// What may be thought of it.
    pub state: State,
    /// Why it is not live.
    pub reason: Reason,
    /// Counts the snapshots that replaced it.
    pub epoch: u32,
    /// The venue's number of its last message.
    pub seq: Option<i64>,
    /// When it was published, ns of [`crate::clock`].
    pub published_ns: i64,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "a value on the receiver's stack; nothing is kept")]
pub enum Body {
    /// Of [`Topic::Trades`].
    Trade(Trade),
    /// Of [`Topic::Liquidations`].
    Liquidation(Liquidation),
    /// Of [`Topic::Funding`]: what this message carried.
    Funding(Derivative),
    /// Of [`Topic::States`].
    State(BookState),
    /// Of [`Topic::Updates`].
    Update(BookState),
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose it is: the instrument's name, `VENUE[.MARKET]:SYMBOL`.
    pub instrument: NameId,
    /// Counts what a thread of the engine had for this subscription.
    pub number: u64,
    /// Stamps.
    pub times: Times,
    /// Marks.
    pub flags: Flags,
    /// What it is.
    pub body: Body,
}

// Words of a record: head, number, marks, three times, present values, scales of values, values.
const NUMBER: usize = 1;
const TIMES: usize = 3;
const PRESENT: usize = 6;
const SCALES: usize = 7;
const VALUES: usize = 9;
const VALUES_MAX: usize = 11;
/// What is no decimal stands behind them, over the values that its kind has not.
const FUNDING_TIME: usize = 20;
const TRADE_SEQ: usize = 12;
const ID: usize = 16;
// Bits of the word of present values, behind those of the values themselves.
const HAS_SEQ: u64 = 1 << 16;
const HAS_AGGREGATE: u64 = 1 << 17;
const HAS_COUNT: u64 = 1 << 18;
const HAS_TIME: u64 = 1 << 19;
const IS_SAMPLED: u64 = 1 << 20;
const IS_CUT: u64 = 1 << 21;
const ID_LEN_AT: u32 = 32;

/// Fills one record.
struct Writer(Record);

impl Writer {
    fn new(topic: Topic, side: TakerSide, times: &Times, flags: Flags) -> Self {
        let mut record: Record = Record::default();
        record[0] = u64::from(topic as u8) | u64::from(side_code(side)) << 8;
        record[2] = u64::from(flags.0) | u64::from(unit_code(times.unit)) << 16;
        let stamps = [times.venue_ns, times.engine_ns, times.recv_ns];
        for (word, stamp) in record.iter_mut().skip(TIMES).zip(stamps) {
            *word = stamp.cast_unsigned();
        }
        Self(record)
    }

    fn values(&mut self, values: &[Option<Decimal>]) {
        let mut scales = [0u8; 16];
        for (at, value) in values.iter().enumerate().take(VALUES_MAX) {
            if let Some(value) = value {
                self.0[PRESENT] |= 1 << at;
                self.0[VALUES + at] = value.mantissa().cast_unsigned();
                scales[at] = value.scale();
            }
        }
        let scales = u128::from_le_bytes(scales);
        (self.0[SCALES], self.0[SCALES + 1]) = (scales as u64, (scales >> 64) as u64);
    }

    fn number(&mut self, at: usize, mark: u64, value: Option<i64>) {
        if let Some(value) = value {
            self.0[PRESENT] |= mark;
            self.0[at] = value.cast_unsigned();
        }
    }

    fn id(&mut self, text: &str) {
        let id = Id::new(text);
        self.0[PRESENT] |= u64::from(id.len) << ID_LEN_AT | if id.is_cut { IS_CUT } else { 0 };
        let (chunks, _) = id.bytes.as_chunks::<8>();
        for (word, chunk) in self.0.iter_mut().skip(ID).zip(chunks) {
            *word = u64::from_le_bytes(*chunk);
        }
    }
}

/// The record of a venue's event; `None` if no topic gives it. Whose it is stands in it later.
pub(crate) fn encode(event: &event::Event<'_>) -> Option<(Topic, Record)> {
    let topic = Topic::of(&event.body)?;
    let begin = |side| Writer::new(topic, side, &event.times, event.flags);
    let writer = match &event.body {
        event::Body::Trade(trade) => {
            let mut writer = begin(trade.taker);
            writer.values(&[Some(trade.price), Some(trade.size), trade.score]);
            writer.number(TRADE_SEQ, HAS_SEQ, trade.seq);
            writer.number(TRADE_SEQ + 1, HAS_AGGREGATE, trade.aggregate.map(|(first, _)| first));
            writer.number(TRADE_SEQ + 2, HAS_AGGREGATE, trade.aggregate.map(|(_, last)| last));
            writer.number(TRADE_SEQ + 3, HAS_COUNT, trade.count);
            writer.id(trade.id);
            writer
        }
        event::Body::Liquidation(of) => {
            let mut writer = begin(of.side);
            let (price, size) = (Some(of.price), Some(of.size));
            writer.values(&[price, size, of.filled, of.average_price, of.size_usd]);
            writer.0[PRESENT] |= if of.sampled { IS_SAMPLED } else { 0 };
            writer.id(of.id);
            writer
        }
        event::Body::Derivative(of) => derivative(begin(TakerSide::Unknown), of),
        event::Body::OptionTicker(of) => derivative(begin(TakerSide::Unknown), &of.derivative),
        _ => return None,
    };
    Some((topic, writer.0))
}

fn derivative(mut writer: Writer, of: &Derivative) -> Writer {
    let (bid, ask) = (of.bid.unzip(), of.ask.unzip());
    writer.values(&[
        of.last,
        of.mark,
        of.index,
        of.settle,
        of.open_interest,
        of.funding_rate,
        of.predicted_funding,
        bid.0,
        bid.1.flatten(),
        ask.0,
        ask.1.flatten(),
    ]);
    writer.number(FUNDING_TIME, HAS_TIME, of.funding_time_ns);
    writer
}

/// The record of what a book says of itself.
pub(crate) fn encode_status(topic: Topic, book: NameId, status: &Status) -> Record {
    let (venue_ns, recv_ns) = (status.venue_ns, status.recv_ns);
    let times = Times { venue_ns, recv_ns, ..Times::default() };
    let mut writer = Writer::new(topic, TakerSide::Unknown, &times, Flags::NONE);
    writer.0[0] |= u64::from(status.state as u8) << 16 | u64::from(status.reason as u8) << 24;
    writer.0[VALUES] = u64::from(book.0) | u64::from(status.epoch) << 32;
    writer.0[VALUES + 1] = status.published_ns.cast_unsigned();
    writer.number(TRADE_SEQ, HAS_SEQ, status.seq);
    writer.0
}

/// Marks of a record's event.
pub(crate) const fn flags(record: &Record) -> Flags {
    Flags(record[2] as u16)
}

/// Says in a record whose it is and which one.
pub(crate) fn address(record: &mut Record, instrument: NameId, number: u64) {
    record[0] = record[0] & u64::from(u32::MAX) | u64::from(instrument.0) << 32;
    record[NUMBER] = number;
}

/// The event of a record; `None` if it is none that [`encode`] made.
pub(crate) fn decode(record: &Record) -> Option<Event> {
    let [topic, side, state, reason, ..] = record[0].to_le_bytes();
    let topic = Topic::ALL.into_iter().find(|known| *known as u8 == topic)?;
    let side = side_of(side);
    let present = record[PRESENT];
    let scales = u128::from(record[SCALES]) | u128::from(record[SCALES + 1]) << 64;
    let scales = scales.to_le_bytes();
    let value = |at: usize| {
        let is_there = present >> at & 1 == 1;
        is_there.then(|| Decimal::new(record[VALUES + at].cast_signed(), scales[at]))
    };
    let number = |at: usize, mark| (present & mark != 0).then(|| record[at].cast_signed());
    let book = || {
        Some(BookState {
            book: NameId(record[VALUES] as u32),
            state: State::from_code(state)?,
            reason: Reason::from_code(reason)?,
            epoch: (record[VALUES] >> 32) as u32,
            seq: number(TRADE_SEQ, HAS_SEQ),
            published_ns: record[VALUES + 1].cast_signed(),
        })
    };
    let body = match topic {
        Topic::Trades => Body::Trade(Trade {
            id: id_of(record),
            seq: number(TRADE_SEQ, HAS_SEQ),
            price: value(0)?,
            size: value(1)?,
            taker: side,
            aggregate: number(TRADE_SEQ + 1, HAS_AGGREGATE)
                .zip(number(TRADE_SEQ + 2, HAS_AGGREGATE)),
            count: number(TRADE_SEQ + 3, HAS_COUNT),
            score: value(2),
        }),
        Topic::Liquidations => Body::Liquidation(Liquidation {
            id: id_of(record),
            price: value(0)?,
            size: value(1)?,
            filled: value(2),
            average_price: value(3),
            side,
            sampled: present & IS_SAMPLED != 0,
            size_usd: value(4),
        }),
        Topic::Funding => Body::Funding(Derivative {
            last: value(0),
            mark: value(1),
            index: value(2),
            settle: value(3),
            open_interest: value(4),
            funding_rate: value(5),
            predicted_funding: value(6),
            funding_time_ns: number(FUNDING_TIME, HAS_TIME),
            bid: value(7).map(|price| (price, value(8))),
            ask: value(9).map(|price| (price, value(10))),
        }),
        Topic::States => Body::State(book()?),
        Topic::Updates => Body::Update(book()?),
    };
    Some(Event {
        instrument: NameId((record[0] >> 32) as u32),
        number: record[NUMBER],
        times: times_of(record),
        flags: flags(record),
        body,
    })
}

fn times_of(record: &Record) -> Times {
    let [venue_ns, engine_ns, recv_ns] = [0, 1, 2].map(|at| record[TIMES + at].cast_signed());
    let unit = match record[2] >> 16 & 0xff {
        0 => TimeUnit::Second,
        1 => TimeUnit::Milli,
        2 => TimeUnit::Micro,
        3 => TimeUnit::HundredNano,
        _ => TimeUnit::Nano,
    };
    Times { venue_ns, engine_ns, recv_ns, unit }
}

fn id_of(record: &Record) -> Id {
    let present = record[PRESENT];
    let (len, is_cut) = ((present >> ID_LEN_AT) as u8, present & IS_CUT != 0);
    let mut id = Id { bytes: [0; ID_MAX], len, is_cut };
    let (chunks, _) = id.bytes.as_chunks_mut::<8>();
    for (chunk, word) in chunks.iter_mut().zip(record.iter().skip(ID)) {
        *chunk = word.to_le_bytes();
    }
    id
}

const fn side_code(side: TakerSide) -> u8 {
    match side {
        TakerSide::Buy => 1,
        TakerSide::Sell => 2,
        TakerSide::Unknown => 0,
    }
}

const fn side_of(code: u8) -> TakerSide {
    match code {
        1 => TakerSide::Buy,
        2 => TakerSide::Sell,
        _ => TakerSide::Unknown,
    }
}

const fn unit_code(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Milli => 1,
        TimeUnit::Micro => 2,
        TimeUnit::HundredNano => 3,
        TimeUnit::Nano => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    fn through(body: event::Body<'_>) -> Event {
        let times = Times { venue_ns: 1, engine_ns: -2, recv_ns: 3, unit: TimeUnit::Micro };
        let flags = Flags::BLOCK.with(Flags::NUMBER_ONLY);
        let (symbol, channel, exchange, raw) = ("S", "trade", "", &b""[..]);
        let event = event::Event { symbol, channel, exchange, times, flags, raw, body };
        let (_, mut record) = encode(&event).unwrap();
        address(&mut record, NameId(u32::MAX), 9);
        let decoded = decode(&record).unwrap();
        assert_eq!((decoded.times, decoded.flags), (times, flags));
        assert_eq!((decoded.instrument, decoded.number), (NameId(u32::MAX), 9));
        decoded
    }

    #[test]
    fn a_trade_goes_through_a_record_unchanged() {
        for full in [true, false] {
            let id = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f";
            let trade = event::Trade {
                id,
                seq: full.then_some(-5),
                price: d("-1.25"),
                size: d("0.00000001"),
                taker: TakerSide::Sell,
                aggregate: full.then_some((i64::MIN, i64::MAX)),
                count: full.then_some(0),
                score: full.then_some(d("0.5")),
            };
            let Body::Trade(is) = through(event::Body::Trade(trade)).body else { panic!() };
            assert_eq!((is.id.as_str(), is.id.is_cut()), (id, false));
            assert_eq!((is.seq, is.price, is.size), (trade.seq, trade.price, trade.size));
            assert_eq!((is.taker, is.aggregate), (trade.taker, trade.aggregate));
            assert_eq!((is.count, is.score), (trade.count, trade.score));
        }
    }

    #[test]
    fn a_liquidation_goes_through_a_record_unchanged_and_a_long_id_says_that_it_was_cut() {
        let long = "é".repeat(30);
        let of = event::Liquidation {
            id: &long,
            price: d("2"),
            size: d("3"),
            filled: Some(d("1")),
            average_price: None,
            side: TakerSide::Buy,
            raw_side: "buy",
            sampled: true,
            size_usd: Some(d("6.5")),
        };
        let Body::Liquidation(is) = through(event::Body::Liquidation(of)).body else { panic!() };
        assert_eq!((is.id.as_str(), is.id.is_cut()), (&long[..ID_MAX], true));
        assert_eq!((is.price, is.size, is.filled), (of.price, of.size, of.filled));
        assert_eq!((is.average_price, is.side), (None, TakerSide::Buy));
        assert_eq!((is.sampled, is.size_usd), (true, of.size_usd));
    }

    #[test]
    fn funding_goes_through_a_record_unchanged() {
        let of = Derivative {
            last: Some(d("1")),
            mark: Some(d("1.1")),
            index: Some(d("1.11")),
            settle: Some(d("1.111")),
            open_interest: Some(d("9223372036854775807")),
            funding_rate: Some(d("-0.000000000000000001")),
            predicted_funding: Some(d("0")),
            funding_time_ns: Some(i64::MIN),
            bid: Some((d("1"), Some(d("7")))),
            ask: Some((d("2"), None)),
        };
        assert_eq!(through(event::Body::Derivative(of)).body, Body::Funding(of));
        let none = Derivative::default();
        assert_eq!(through(event::Body::Derivative(none)).body, Body::Funding(none));
    }
}
