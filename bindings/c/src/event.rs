//! One event, laid out as C lays it out.
#![allow(non_camel_case_types)] // These are C's names.

use crate::types::gapless_state;
use gapless::book::decimal::Decimal;
use gapless::book::event::{Derivative, NO_TIME, TakerSide};
use gapless::events::{Body, BookState, Event, Id, Liquidation, Topic, Trade};
use std::ffi::c_char;

/// What can be subscribed to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_topic {
    /// Trades: gapless_event.body.trade.
    Trades = 0,
    /// Forced closings: gapless_event.body.liquidation.
    Liquidations = 1,
    /// Funding, mark and index prices, open interest: gapless_event.body.funding.
    Funding = 2,
    /// A published book has another state, reason or epoch: gapless_event.body.state.
    States = 3,
    /// A published book took a message or has another state: gapless_event.body.state.
    Updates = 4,
}

/// Who took liquidity.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_side {
    /// The source does not say.
    Unknown = 0,
    /// Bought: lifted an ask; a short was liquidated.
    Buy = 1,
    /// Sold: hit a bid; a long was liquidated.
    Sell = 2,
}

/// A number that may be absent; value = number / 10^scale.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_number {
    /// In units of 10^-scale.
    pub number: i64,
    /// Decimals.
    pub scale: u8,
    /// 0: the venue does not say.
    pub is_there: u8,
}

/// A trade. Numbers that the venue does not give are INT64_MIN.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct gapless_trade {
    /// Price.
    pub price: gapless_number,
    /// Size in the venue's unit.
    pub size: gapless_number,
    /// A score that a relay attached, 0..1.
    pub score: gapless_number,
    /// Sequence of the trade, where the venue counts them.
    pub seq: i64,
    /// First trade of an aggregate.
    pub first: i64,
    /// Last trade of an aggregate.
    pub last: i64,
    /// Number of fills in an aggregate.
    pub count: i64,
    /// A gapless_side, of the taker.
    pub side: u8,
    /// The venue's id is longer than what is kept of it.
    pub is_cut: u8,
    /// The venue's id, ended by a zero; empty if it gives none.
    pub id: [c_char; 46],
}

/// A forced closing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct gapless_liquidation {
    /// Order or bankruptcy price.
    pub price: gapless_number,
    /// Original size.
    pub size: gapless_number,
    /// Size filled so far.
    pub filled: gapless_number,
    /// Average fill price.
    pub average_price: gapless_number,
    /// Value in USD.
    pub size_usd: gapless_number,
    /// A gapless_side, of the order: GAPLESS_SIDE_SELL closed a long.
    pub side: u8,
    /// The venue publishes a sample, not every liquidation.
    pub is_sampled: u8,
    /// The venue's id is longer than what is kept of it.
    pub is_cut: u8,
    /// The venue's id, ended by a zero; empty if it gives none.
    pub id: [c_char; 45],
}

/// What one message said of a derivative.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct gapless_funding {
    /// Last price.
    pub last: gapless_number,
    /// Mark price.
    pub mark: gapless_number,
    /// Index price.
    pub index: gapless_number,
    /// Estimated settlement price.
    pub settle: gapless_number,
    /// Open interest.
    pub open_interest: gapless_number,
    /// Funding rate.
    pub funding_rate: gapless_number,
    /// Funding rate that is predicted.
    pub predicted_funding: gapless_number,
    /// Best bid.
    pub bid: gapless_number,
    /// Its size.
    pub bid_size: gapless_number,
    /// Best ask.
    pub ask: gapless_number,
    /// Its size.
    pub ask_size: gapless_number,
    /// When funding is due, ns since 1970; INT64_MIN if it is not said.
    pub funding_time_ns: i64,
}

/// What a published book says of itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct gapless_book_state {
    /// The venue's number of its last message; INT64_MIN where there is none.
    pub seq: i64,
    /// When it was published, ns of the machine's monotonic clock.
    pub published_ns: i64,
    /// Number of the name that means this book alone: gapless_events_name().
    pub book: u32,
    /// Counts the snapshots that replaced it.
    pub epoch: u32,
    /// A gapless_state.
    pub state: u8,
    /// Why it is not live; gapless_reason_name() has its name.
    pub reason: u8,
}

/// What an event says: which one is told by gapless_event.topic.
#[repr(C)]
#[derive(Clone, Copy)]
pub union gapless_event_body {
    /// Of GAPLESS_TOPIC_TRADES.
    pub trade: gapless_trade,
    /// Of GAPLESS_TOPIC_LIQUIDATIONS.
    pub liquidation: gapless_liquidation,
    /// Of GAPLESS_TOPIC_FUNDING.
    pub funding: gapless_funding,
    /// Of GAPLESS_TOPIC_STATES and GAPLESS_TOPIC_UPDATES.
    pub state: gapless_book_state,
}

/// One event of a subscription.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gapless_event {
    /// Counts what a thread of the engine had for this subscription.
    pub number: u64,
    /// Events that were lost just before this one.
    pub missed: u64,
    /// When the venue published it, ns since 1970; INT64_MIN if it does not say.
    pub venue_ns: i64,
    /// When the venue's engine did it, ns since 1970; INT64_MIN if it does not say.
    pub engine_ns: i64,
    /// When it was received, ns since 1970; INT64_MIN if unknown.
    pub recv_ns: i64,
    /// Number of the instrument's name: gapless_events_name().
    pub instrument: u32,
    /// GAPLESS_FLAG_ bits.
    pub flags: u16,
    /// A gapless_topic.
    pub topic: u8,
    /// What it says.
    pub body: gapless_event_body,
}

/// Made by a recorder, not by the venue.
pub const GAPLESS_FLAG_GENERATED: u16 = 1;
/// A print off the book: insurance fund, deleveraging.
pub const GAPLESS_FLAG_OFF_BOOK: u16 = 2;
/// A block trade.
pub const GAPLESS_FLAG_BLOCK: u16 = 4;
/// Retail price improvement.
pub const GAPLESS_FLAG_RPI: u16 = 8;
/// What happened before the subscription at the venue.
pub const GAPLESS_FLAG_HISTORICAL: u16 = 16;
/// The last event of its frame.
pub const GAPLESS_FLAG_LAST_IN_FRAME: u16 = 32;

const _: () = assert!(size_of::<gapless_number>() == 16 && size_of::<gapless_trade>() == 128);
const _: () = assert!(size_of::<gapless_liquidation>() == 128);
const _: () = assert!(size_of::<gapless_funding>() == 184 && size_of::<gapless_book_state>() == 32);
const _: () = assert!(size_of::<gapless_event>() == 232);

impl From<Option<Decimal>> for gapless_number {
    fn from(value: Option<Decimal>) -> Self {
        value.map_or_else(Self::default, Into::into)
    }
}

impl From<Decimal> for gapless_number {
    fn from(value: Decimal) -> Self {
        Self { number: value.mantissa(), scale: value.scale(), is_there: 1 }
    }
}

impl From<TakerSide> for gapless_side {
    fn from(side: TakerSide) -> Self {
        match side {
            TakerSide::Unknown => Self::Unknown,
            TakerSide::Buy => Self::Buy,
            TakerSide::Sell => Self::Sell,
        }
    }
}

impl From<Topic> for gapless_topic {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::Trades => Self::Trades,
            Topic::Liquidations => Self::Liquidations,
            Topic::Funding => Self::Funding,
            Topic::States => Self::States,
            Topic::Updates => Self::Updates,
        }
    }
}

impl gapless_event {
    /// `None`: of no topic that this interface has.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let (topic, body) = body(&event.body)?;
        let time = |ns: i64| if ns == NO_TIME { i64::MIN } else { ns };
        Some(Self {
            number: event.number,
            missed: 0,
            venue_ns: time(event.times.venue_ns),
            engine_ns: time(event.times.engine_ns),
            recv_ns: time(event.times.recv_ns),
            instrument: event.instrument.0,
            flags: event.flags.0,
            topic: gapless_topic::from(topic) as u8,
            body,
        })
    }
}

fn body(body: &Body) -> Option<(Topic, gapless_event_body)> {
    Some(match body {
        Body::Trade(of) => (Topic::Trades, gapless_event_body { trade: of.into() }),
        Body::Liquidation(of) => {
            (Topic::Liquidations, gapless_event_body { liquidation: of.into() })
        }
        Body::Funding(of) => (Topic::Funding, gapless_event_body { funding: of.into() }),
        Body::Update(of) => (Topic::Updates, gapless_event_body { state: of.into() }),
        Body::State(of) => (Topic::States, gapless_event_body { state: of.into() }),
        _ => return None,
    })
}

impl From<&Trade> for gapless_trade {
    fn from(of: &Trade) -> Self {
        let or_none = |number: Option<i64>| number.unwrap_or(i64::MIN);
        Self {
            price: of.price.into(),
            size: of.size.into(),
            score: of.score.into(),
            seq: or_none(of.seq),
            first: or_none(of.aggregate.map(|(first, _)| first)),
            last: or_none(of.aggregate.map(|(_, last)| last)),
            count: or_none(of.count),
            side: gapless_side::from(of.taker) as u8,
            is_cut: of.id.is_cut().into(),
            id: id(&of.id),
        }
    }
}

impl From<&Liquidation> for gapless_liquidation {
    fn from(of: &Liquidation) -> Self {
        Self {
            price: of.price.into(),
            size: of.size.into(),
            filled: of.filled.into(),
            average_price: of.average_price.into(),
            size_usd: of.size_usd.into(),
            side: gapless_side::from(of.side) as u8,
            is_sampled: of.sampled.into(),
            is_cut: of.id.is_cut().into(),
            id: id(&of.id),
        }
    }
}

impl From<&Derivative> for gapless_funding {
    fn from(of: &Derivative) -> Self {
        let (bid, ask) = (of.bid.unzip(), of.ask.unzip());
        Self {
            last: of.last.into(),
            mark: of.mark.into(),
            index: of.index.into(),
            settle: of.settle.into(),
            open_interest: of.open_interest.into(),
            funding_rate: of.funding_rate.into(),
            predicted_funding: of.predicted_funding.into(),
            bid: bid.0.into(),
            bid_size: bid.1.flatten().into(),
            ask: ask.0.into(),
            ask_size: ask.1.flatten().into(),
            funding_time_ns: of.funding_time_ns.unwrap_or(i64::MIN),
        }
    }
}

impl From<&BookState> for gapless_book_state {
    fn from(of: &BookState) -> Self {
        Self {
            seq: of.seq.unwrap_or(i64::MIN),
            published_ns: of.published_ns,
            book: of.book.0,
            epoch: of.epoch,
            state: gapless_state::from(of.state) as u8,
            reason: of.reason as u8,
        }
    }
}

fn id<const N: usize>(id: &Id) -> [c_char; N] {
    crate::text::ended(id.as_str())
}
