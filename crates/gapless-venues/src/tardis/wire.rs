//! Normalized messages → events.
//!
//! Invariant: a message of a known `type` ends in one event or one refusal. Numbers are read from
//! their text, exponents included (JavaScript writes them below `1e-6`); times are ISO-8601.

use super::venue_of;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::time::Stamp;
use crate::venue::Context;
use crate::wire::{EventSink, Reject, Slot, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Bbo, Body, BookKind, BookMessage, Derivative, Event, Flags, Liquidation, OptionTicker,
    RequestId, SeqInfo, TakerSide, Times, Trade,
};

/// Reads one frame.
pub(super) fn parse<S: EventSink>(
    context: &Context<'_>,
    frame: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    match Value::frame(frame) {
        Ok(value) => message(context, (frame, true), value, scratch, sink),
        Err(error) => sink.reject(&Reject::unnamed(error)),
    }
}

/// Whether a frame is of this format: a type, an exchange and the recorder's time.
pub(super) fn is_normalized(frame: &[u8]) -> bool {
    Value::frame(frame)
        .and_then(|value| value.object(["type", "exchange", "localTimestamp"]))
        .is_ok_and(|fields| fields.iter().all(Option::is_some))
}

/// Reads one message; with its bytes, and whether they are a whole frame.
pub(crate) fn message<S: EventSink>(
    context: &Context<'_>,
    raw: (&[u8], bool),
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    scratch.reset();
    if let Err(error) = read(context, raw, value, scratch, sink) {
        refuse(value, error, sink);
    }
}

/// What every message has.
struct Head<'a> {
    kind: &'a str,
    symbol: &'a str,
    exchange: &'a str,
    times: Times,
    /// The fields that `times` was read from.
    stamps: [(Slot, Option<Value<'a>>); 2],
    raw: &'a [u8],
    whole: bool,
}

impl<'a> Head<'a> {
    fn read(
        context: &Context<'_>,
        (raw, whole): (&'a [u8], bool),
        value: Value<'a>,
    ) -> Result<Self, WireError> {
        let [kind, symbol, exchange, time, local] =
            value.object(["type", "symbol", "exchange", "timestamp", "localTimestamp"])?;
        let kind = match kind.present() {
            Some(kind) => kind.string()?,
            None => "",
        };
        let mut times = Times { recv_ns: context.recv_ns, ..Times::default() };
        if let Some(stamp) = iso(time)? {
            times.venue_ns = stamp.ns;
            times.unit = stamp.unit;
        }
        if let Some(stamp) = iso(local)? {
            times.recv_ns = stamp.ns;
        }
        let symbol = symbol.present().map_or(Ok(""), Value::string)?;
        let exchange = exchange.present().map_or(Ok(""), Value::string)?;
        let stamps = [(Slot::VenueTime, time), (Slot::LocalTime, local)];
        Ok(Self { kind, symbol, exchange, times, stamps, raw, whole })
    }

    /// Marks what varies beside the levels.
    fn mark(&self, scratch: &mut Scratch) {
        for (slot, field) in self.stamps {
            if let Some(field) = field.present() {
                scratch.mark(slot, field);
            }
        }
    }

    fn book<S: EventSink>(
        &self,
        channel: &str,
        message: BookMessage<'_>,
        scratch: &Scratch,
        sink: &mut S,
    ) {
        let event = self.event(channel, Body::Book(message));
        if self.whole { sink.book(&event, scratch.marks()) } else { sink.event(&event) }
    }

    fn event<'e>(&'e self, channel: &'e str, body: Body<'e>) -> Event<'e> {
        Event {
            symbol: self.symbol,
            channel,
            exchange: self.exchange,
            times: self.times,
            flags: Flags::LAST_IN_FRAME,
            raw: self.raw,
            body,
        }
    }

    fn named(&self) -> Result<(), WireError> {
        let missing = |field| Err(WireError::new(WireErrorKind::Missing(field), 0));
        match (self.symbol, self.exchange) {
            ("", _) => missing("symbol"),
            (_, "") => missing("exchange"),
            _ => Ok(()),
        }
    }
}

fn iso(field: Option<Value<'_>>) -> Result<Option<Stamp>, WireError> {
    let Some(value) = field.present() else { return Ok(None) };
    let stamp = Stamp::iso(value.string()?);
    stamp.map(Some).ok_or(WireError::new(WireErrorKind::Time, value.at()))
}

fn read<S: EventSink>(
    context: &Context<'_>,
    raw: (&[u8], bool),
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let head = Head::read(context, raw, value)?;
    let known = matches!(
        head.kind,
        "book_change"
            | "book_snapshot"
            | "trade"
            | "derivative_ticker"
            | "liquidation"
            | "book_ticker"
            | "option_summary"
    );
    if known {
        head.named()?;
    }
    let body = match head.kind {
        "book_change" => return change(&head, value, scratch, sink),
        "book_snapshot" => return picture(&head, value, scratch, sink),
        "trade" => Body::Trade(trade(value)?),
        "derivative_ticker" => Body::Derivative(derivative(value)?),
        "liquidation" => Body::Liquidation(liquidation(&head, value)?),
        "book_ticker" => Body::Bbo(ticker(value)?),
        "option_summary" => Body::OptionTicker(option(value)?),
        "disconnect" => disconnect(value)?,
        "error" => error(value)?,
        "" if value.field("isSnapshot")?.is_some() => {
            return Err(WireError::new(WireErrorKind::Missing("type"), value.at()));
        }
        _ => Body::Other,
    };
    sink.event(&head.event(head.kind, body));
    Ok(())
}

fn change<S: EventSink>(
    head: &Head<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [snapshot, bids, asks] = value.object(["isSnapshot", "bids", "asks"])?;
    let snapshot = snapshot.need("isSnapshot")?.bool()?;
    let kind = if snapshot { BookKind::Snapshot } else { BookKind::Delta };
    let (bids, asks) = (bids.need("bids")?, asks.need("asks")?);
    head.mark(scratch);
    scratch.read_sides(LevelForm::Object, Some(bids), Some(asks), false)?;
    let message = scratch.message(kind, SeqInfo::default(), None);
    head.book("book_change", message, scratch, sink);
    Ok(())
}

fn picture<S: EventSink>(
    head: &Head<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [name, depth, bids, asks] = value.object(["name", "depth", "bids", "asks"])?;
    let channel = name.need("name")?.string()?;
    let depth = depth.optional_int()?.and_then(|depth| u16::try_from(depth).ok());
    let (bids, asks) = (bids.need("bids")?, asks.need("asks")?);
    head.mark(scratch);
    scratch.read_sides(LevelForm::Object, Some(bids), Some(asks), false)?;
    let message = scratch.message(BookKind::Image, SeqInfo::default(), depth);
    head.book(channel, message, scratch, sink);
    Ok(())
}

fn trade(value: Value<'_>) -> Result<Trade<'_>, WireError> {
    let [id, price, size, side] = value.object(["id", "price", "amount", "side"])?;
    Ok(Trade {
        id: id.text_or_empty()?,
        seq: None,
        price: price.need("price")?.decimal()?,
        size: amount(size.need("amount")?)?,
        taker: taker(side.text_or_empty()?),
        aggregate: None,
        count: None,
        score: None,
    })
}

/// `unknown` stands where the venue did not say.
fn taker(side: &str) -> TakerSide {
    match side {
        "buy" => TakerSide::Buy,
        "sell" => TakerSide::Sell,
        _ => TakerSide::Unknown,
    }
}

fn amount(value: Value<'_>) -> Result<Decimal, WireError> {
    let amount = value.decimal()?;
    if amount.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
    }
    Ok(amount)
}

fn liquidation<'a>(head: &Head<'_>, value: Value<'a>) -> Result<Liquidation<'a>, WireError> {
    let [id, price, size, side] = value.object(["id", "price", "amount", "side"])?;
    let raw_side = side.text_or_empty()?;
    Ok(Liquidation {
        id: id.text_or_empty()?,
        price: price.need("price")?.decimal()?,
        size: amount(size.need("amount")?)?,
        filled: None,
        average_price: None,
        side: taker(raw_side),
        raw_side,
        sampled: venue_of(head.exchange).is_some_and(|source| source.samples_liquidations),
        size_usd: None,
    })
}

fn ticker(value: Value<'_>) -> Result<Bbo, WireError> {
    let [bid, bid_size, ask, ask_size] =
        value.object(["bidPrice", "bidAmount", "askPrice", "askAmount"])?;
    let side = |price: Option<Value<'_>>, size: Option<Value<'_>>| {
        match (price.optional_decimal()?, size.present().map(amount).transpose()?) {
            (Some(price), Some(size)) => Ok((!size.is_zero()).then_some((price, size))),
            (None, None) => Ok(None),
            // A side that is empty at the venue may keep a size of zero here.
            (None, Some(size)) if size.is_zero() => Ok(None),
            _ => Err(WireError::new(WireErrorKind::Level, value.at())),
        }
    };
    Ok(Bbo { bid: side(bid, bid_size)?, ask: side(ask, ask_size)?, update_id: None })
}

fn derivative(value: Value<'_>) -> Result<Derivative, WireError> {
    let [last, mark, index, interest, rate, predicted, funding] = value.object([
        "lastPrice",
        "markPrice",
        "indexPrice",
        "openInterest",
        "fundingRate",
        "predictedFundingRate",
        "fundingTimestamp",
    ])?;
    Ok(Derivative {
        last: last.optional_decimal()?,
        mark: mark.optional_decimal()?,
        index: index.optional_decimal()?,
        open_interest: interest.optional_decimal()?,
        funding_rate: rate.optional_decimal()?,
        predicted_funding: predicted.optional_decimal()?,
        funding_time_ns: iso(funding)?.map(|stamp| stamp.ns),
        ..Derivative::default()
    })
}

fn option(value: Value<'_>) -> Result<OptionTicker<'_>, WireError> {
    let [underlying, index, mark_iv, bid_iv, ask_iv, delta, gamma, vega, theta, rho] = value
        .object([
            "underlyingPrice",
            "underlyingIndex",
            "markIV",
            "bestBidIV",
            "bestAskIV",
            "delta",
            "gamma",
            "vega",
            "theta",
            "rho",
        ])?;
    let [bid, bid_size, ask, ask_size] =
        value.object(["bestBidPrice", "bestBidAmount", "bestAskPrice", "bestAskAmount"])?;
    let side = |price: Option<Value<'_>>, size: Option<Value<'_>>| {
        let price = price.optional_decimal()?;
        let size = size.present().map(amount).transpose()?;
        Ok::<_, WireError>(price.map(|price| (price, size)))
    };
    let common = derivative(value)?;
    Ok(OptionTicker {
        underlying: underlying.optional_decimal()?,
        underlying_index: index.text_or_empty()?,
        mark_iv: mark_iv.optional_decimal()?,
        bid_iv: bid_iv.optional_decimal()?,
        ask_iv: ask_iv.optional_decimal()?,
        delta: delta.optional_decimal()?,
        gamma: gamma.optional_decimal()?,
        vega: vega.optional_decimal()?,
        theta: theta.optional_decimal()?,
        rho: rho.optional_decimal()?,
        derivative: Derivative { bid: side(bid, bid_size)?, ask: side(ask, ask_size)?, ..common },
        ..OptionTicker::default()
    })
}

/// Without symbols it is about every book of the exchange.
fn disconnect(value: Value<'_>) -> Result<Body<'_>, WireError> {
    let symbols = value.field("symbols")?.present().filter(|list| list.is_array());
    Ok(Body::Disconnect { symbols: symbols.map_or("", Value::raw) })
}

fn error(value: Value<'_>) -> Result<Body<'_>, WireError> {
    let details = value.field("details")?;
    let message = details.map_or("", |text| text.raw_string().unwrap_or(text.raw()));
    Ok(Body::Error { id: RequestId::default(), code: "", message, retry_after_s: None })
}

/// Refuses a message, naming what can be read of it.
fn refuse<S: EventSink>(value: Value<'_>, error: WireError, sink: &mut S) {
    let text = |name| {
        let found = value.field(name).ok().flatten().and_then(|v| v.string().ok());
        found.unwrap_or("")
    };
    let (kind, name) = (text("type"), text("name"));
    let channel = if kind == "book_snapshot" { name } else { kind };
    let book = matches!(kind, "book_change" | "book_snapshot" | "");
    // A lost disconnect would leave every book looking live.
    let book = book || kind == "disconnect";
    let symbol = if kind == "disconnect" { "" } else { text("symbol") };
    sink.reject(&Reject { error, exchange: text("exchange"), symbol, channel, book });
}
