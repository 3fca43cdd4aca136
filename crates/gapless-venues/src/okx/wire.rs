//! Frames → events. One public function, [`parse`]: it tells texts, control messages and pushes
//! apart and hands a push to the reader of its channel.
//!
//! Invariant: the books of one push reach the sink all or not at all; every other element of
//! `data` stands alone.

use super::{BookChannel, book_channel, request, rest};
use crate::envelope::{Envelope, milliseconds};
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::template::Slot;
use crate::venue::Context;
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Body, BookKind, BookMessage, Derivative, Flags, HeartbeatAnswer, Liquidation, OptionTicker,
    RequestId, SeqInfo, TakerSide, Trade,
};

/// "The connection will soon be closed for a service upgrade."
const CLOSING: &str = "64008";

/// Reads one frame or the body of an HTTP answer.
pub(super) fn parse<S: EventSink>(
    context: &Context<'_>,
    frame: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    scratch.reset();
    let envelope = Envelope::new(context.recv_ns, frame);
    let answer = match frame {
        b"pong" => Some(HeartbeatAnswer::None),
        b"ping" => Some(HeartbeatAnswer::Pong),
        _ => None,
    };
    if let Some(answer) = answer {
        return envelope.emit(Body::Heartbeat { answer }, sink);
    }
    let value = match Value::frame(frame) {
        Ok(value) => value,
        Err(error) => return envelope.refuse(error, true, sink),
    };
    if !value.is_object() {
        return envelope.emit(Body::Other, sink);
    }
    let named = name(envelope, value);
    let [event, arg, code, message, data] =
        match value.object(["event", "arg", "code", "msg", "data"]) {
            Ok(fields) => fields,
            Err(error) => return named.refuse(error, true, sink),
        };
    if let Some(event) = event {
        if let Err(error) = control(named, value, event, sink) {
            named.refuse(error, false, sink);
        }
    } else if arg.is_some() {
        push(named, value, scratch, sink);
    } else if code.is_some() {
        rest::parse(envelope, context.origin, [code, message, data], scratch, sink);
    } else {
        envelope.emit(Body::Other, sink);
    }
}

/// Channel and symbol as far as they can be read.
fn name<'a>(envelope: Envelope<'a>, value: Value<'a>) -> Envelope<'a> {
    let mut entries = value.entries().into_iter().flatten().flatten();
    let Some((_, arg)) = entries.find(|(key, _)| key.is("arg")) else { return envelope };
    let topic = request::topic(arg);
    Envelope { channel: topic.channel, symbol: topic.symbol, ..envelope }
}

/// A push of a channel.
fn push<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let book = book_channel(envelope.channel);
    // Without a readable channel it may have been a book.
    let is_book = book.is_some() || envelope.channel.is_empty();
    let read = match (book, envelope.channel) {
        (Some(kind), _) => books(envelope, kind, value, scratch, sink),
        (None, "") => Err(WireError::new(WireErrorKind::Type("arg"), 0)),
        (None, channel) => match reader(channel) {
            Some(read) => value
                .field("data")
                .and_then(|data| data.need("data"))
                .and_then(|data| envelope.each(data, sink, read)),
            None => {
                envelope.emit(Body::Other, sink);
                Ok(())
            }
        },
    };
    if let Err(error) = read {
        envelope.refuse(error, is_book, sink);
    }
}

type Reader<'a, S> = fn(Envelope<'a>, Value<'a>, &mut S) -> Result<(), WireError>;

/// What reads the elements of a channel that carries no book.
fn reader<'a, S: EventSink>(channel: &str) -> Option<Reader<'a, S>> {
    match channel {
        "trades" | "trades-all" => Some(trade),
        "funding-rate" => Some(funding),
        "mark-price" => Some(mark),
        "index-tickers" => Some(index),
        "open-interest" => Some(interest),
        "tickers" => Some(ticker),
        "liquidation-orders" => Some(liquidations),
        "liquidations" => Some(recorded_liquidation),
        "opt-summary" => Some(option),
        _ => None,
    }
}

/// Books come one to a push in practice; the format allows more.
fn books<S: EventSink>(
    envelope: Envelope<'_>,
    channel: BookChannel,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [action, data] = value.object(["action", "data"])?;
    let data = data.need("data")?;
    let kind = match action.present().map(Value::string).transpose()? {
        _ if channel.image => BookKind::Image,
        Some("snapshot") => BookKind::Snapshot,
        Some("update") => BookKind::Delta,
        _ => return Err(WireError::new(WireErrorKind::Type("snapshot or update"), value.at())),
    };
    let count = data.elements()?.count();
    if count == 0 || envelope.symbol.is_empty() {
        return Err(WireError::new(WireErrorKind::Missing("data or instId"), data.at()));
    }
    if count > 1 {
        // All or nothing: the last one may be malformed.
        for element in data.elements()? {
            book(envelope, channel, element?, scratch)?;
        }
    }
    let mut elements = data.elements()?.peekable();
    while let Some(element) = elements.next() {
        scratch.reset();
        let (part, ids) = book(envelope, channel, element?, scratch)?;
        let part = if elements.peek().is_some() { part.not_last() } else { part };
        let message: BookMessage<'_> = scratch.message(kind, ids, Some(channel.depth));
        let marks = if count == 1 { scratch.marks() } else { &[] };
        sink.book(&part.event(Body::Book(message)), marks);
    }
    Ok(())
}

/// Reads one book into `scratch`.
fn book<'a>(
    envelope: Envelope<'a>,
    channel: BookChannel,
    element: Value<'a>,
    scratch: &mut Scratch,
) -> Result<(Envelope<'a>, SeqInfo), WireError> {
    let [symbol, bids, asks, ts, id, prev, checksum] =
        element.object(["instId", "bids", "asks", "ts", "seqId", "prevSeqId", "checksum"])?;
    if symbol.present().is_some_and(|symbol| symbol.string() != Ok(envelope.symbol)) {
        return Err(WireError::new(WireErrorKind::Type("instId of arg"), element.at()));
    }
    if !channel.image && bids.present().is_none() && asks.present().is_none() {
        return Err(WireError::new(WireErrorKind::Missing("bids"), element.at()));
    }
    let numbers =
        [(Slot::VenueTime, ts), (Slot::Last, id), (Slot::Prev, prev), (Slot::Checksum, checksum)];
    for (slot, number) in numbers {
        number.present().into_iter().for_each(|number| scratch.mark(slot, number));
    }
    let checksum = checksum.optional_int()?.map(i32::try_from).transpose();
    let ids = SeqInfo {
        last: id.optional_int()?,
        prev: prev.optional_int()?,
        checksum: checksum.map_err(|_| WireError::new(WireErrorKind::Integer, element.at()))?,
        ..SeqInfo::default()
    };
    // A checksum is over the numbers as written; 0 means that there is none (protocols.md 4.6).
    let as_written = ids.checksum.is_some_and(|checksum| checksum != 0);
    scratch.read_sides(LevelForm::Orders, bids, asks, as_written)?;
    Ok((envelope.at(ts, None)?, ids))
}

/// An element names its instrument, or the channel's argument does.
fn of<'a>(
    envelope: Envelope<'a>,
    symbol: Option<Value<'a>>,
    ts: Option<Value<'a>>,
) -> Result<Envelope<'a>, WireError> {
    let symbol = match symbol.text_or_empty()? {
        "" => envelope.symbol,
        symbol => symbol,
    };
    Envelope { symbol, ..envelope }.at(ts, None)
}

fn trade<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, id, price, qty, taker, ts, count, seq] =
        element.object(["instId", "tradeId", "px", "sz", "side", "ts", "count", "seqId"])?;
    let trade = Trade {
        id: id.text_or_empty()?,
        seq: seq.optional_int()?,
        price: price.need("px")?.decimal()?,
        size: size(qty)?,
        taker: side(taker)?,
        aggregate: None,
        count: count.optional_int()?,
        score: None,
    };
    of(part, symbol, ts)?.emit(Body::Trade(trade), sink);
    Ok(())
}

fn side(value: Option<Value<'_>>) -> Result<TakerSide, WireError> {
    let value = value.need("side")?;
    match value.string()? {
        "buy" => Ok(TakerSide::Buy),
        "sell" => Ok(TakerSide::Sell),
        _ => Err(WireError::new(WireErrorKind::Type("buy or sell"), value.at())),
    }
}

fn size(value: Option<Value<'_>>) -> Result<Decimal, WireError> {
    let value = value.need("sz")?;
    let size = value.decimal()?;
    if size.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
    }
    Ok(size)
}

/// A price or amount; zero and below mean that there is none (protocols.md 4.4).
fn positive(value: Option<Value<'_>>) -> Result<Option<Decimal>, WireError> {
    Ok(value.optional_decimal()?.filter(|value| value.mantissa() > 0))
}

fn funding<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, rate, next, due, ts] =
        element.object(["instId", "fundingRate", "nextFundingRate", "fundingTime", "ts"])?;
    let funding = Derivative {
        funding_rate: rate.optional_decimal()?,
        predicted_funding: next.optional_decimal()?,
        funding_time_ns: milliseconds(due)?,
        ..Derivative::default()
    };
    of(part, symbol, ts)?.emit(Body::Derivative(funding), sink);
    Ok(())
}

fn mark<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, price, ts] = element.object(["instId", "markPx", "ts"])?;
    let ticker = Derivative { mark: positive(price)?, ..Derivative::default() };
    of(part, symbol, ts)?.emit(Body::Derivative(ticker), sink);
    Ok(())
}

/// The symbol is that of the index.
fn index<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, price, ts] = element.object(["instId", "idxPx", "ts"])?;
    let ticker = Derivative { index: positive(price)?, ..Derivative::default() };
    of(part, symbol, ts)?.emit(Body::Derivative(ticker), sink);
    Ok(())
}

fn interest<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, contracts, ts] = element.object(["instId", "oi", "ts"])?;
    let ticker = Derivative { open_interest: positive(contracts)?, ..Derivative::default() };
    of(part, symbol, ts)?.emit(Body::Derivative(ticker), sink);
    Ok(())
}

fn ticker<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, last, bid, bid_size, ask, ask_size, ts] =
        element.object(["instId", "last", "bidPx", "bidSz", "askPx", "askSz", "ts"])?;
    let (bid_size, ask_size) = (bid_size.optional_decimal()?, ask_size.optional_decimal()?);
    let ticker = Derivative {
        last: positive(last)?,
        bid: positive(bid)?.map(|price| (price, bid_size)),
        ask: positive(ask)?.map(|price| (price, ask_size)),
        ..Derivative::default()
    };
    of(part, symbol, ts)?.emit(Body::Derivative(ticker), sink);
    Ok(())
}

fn option<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, family, forward, ts, mark_iv, bid_iv, ask_iv] =
        element.object(["instId", "uly", "fwdPx", "ts", "markVol", "bidVol", "askVol"])?;
    let [delta, gamma, vega, theta] = element.object(["delta", "gamma", "vega", "theta"])?;
    let ticker = OptionTicker {
        underlying: positive(forward)?,
        underlying_index: family.text_or_empty()?,
        mark_iv: mark_iv.optional_decimal()?,
        bid_iv: bid_iv.optional_decimal()?,
        ask_iv: ask_iv.optional_decimal()?,
        delta: delta.optional_decimal()?,
        gamma: gamma.optional_decimal()?,
        vega: vega.optional_decimal()?,
        theta: theta.optional_decimal()?,
        ..OptionTicker::default()
    };
    of(part, symbol, ts)?.emit(Body::OptionTicker(ticker), sink);
    Ok(())
}

/// The side is that of the order already; the venue samples one a second and contract.
fn liquidations<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, details] = element.object(["instId", "details"])?;
    of(part, symbol, None)?.each(details.need("details")?, sink, liquidation)
}

/// A recorder's own channel, made from REST answers: one liquidation, flat.
fn recorded_liquidation<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    liquidation(part.marked(Flags::GENERATED), element, sink)
}

fn liquidation<'a, S: EventSink>(
    part: Envelope<'a>,
    detail: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, price, qty, order_side, ts] =
        detail.object(["instId", "bkPx", "sz", "side", "ts"])?;
    let liquidation = Liquidation {
        id: "",
        price: price.need("bkPx")?.decimal()?,
        size: size(qty)?,
        filled: None,
        average_price: None,
        side: side(order_side)?,
        raw_side: order_side.text_or_empty()?,
        sampled: true,
        size_usd: None,
    };
    of(part, symbol, ts)?.emit(Body::Liquidation(liquidation), sink);
    Ok(())
}

/// Acknowledgements (one per argument), errors and announcements (protocols.md 4.2).
fn control<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    event: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [id, code, message, arg, channel] =
        value.object(["id", "code", "msg", "arg", "channel"])?;
    let id = RequestId(id.text_or_empty()?);
    let code = code.text_or_empty()?;
    let message = message.map_or("", Value::raw);
    let body = match event.string()? {
        op @ ("subscribe" | "unsubscribe") => {
            Body::Ack { id, op, topics: arg.map_or("", Value::raw), failed: "" }
        }
        op @ "login" if matches!(code, "0" | "") => Body::Ack { id, op, topics: "", failed: "" },
        "error" | "login" => Body::Error { id, code, message, retry_after_s: None },
        code @ "channel-conn-count-error" => {
            let message = channel.map_or("", Value::raw);
            Body::Error { id, code, message, retry_after_s: None }
        }
        "notice" => Body::Notice { code, closing: code == CLOSING },
        other => Body::Notice { code: other, closing: false },
    };
    envelope.emit(body, sink);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Okx;
    use crate::seen::{check, seen};
    use crate::venue::Origin;

    #[test]
    fn each_kind_of_frame_becomes_the_events_that_its_fixture_states() {
        check(&Okx, include_str!("../../fixtures/okx.frames"));
    }

    #[test]
    fn every_number_of_a_books_header_is_marked() {
        let frame = concat!(
            r#"{"arg":{"channel":"books","instId":"A-B"},"action":"update","data":[{"asks":[],"#,
            r#""bids":[["1","2","0","3"]],"ts":"1700000000601","checksum":-7,"seqId":12,"#,
            r#""prevSeqId":-1}]}"#,
        );
        let expected = [
            "VenueTime=1700000000601",
            "Last=12",
            "Prev=-1",
            "Checksum=-7",
            r#"Bids=[["1","2","0","3"]]"#,
            "Asks=[]",
        ];
        assert_eq!(seen(&Okx, Origin::Socket { url: "" }, frame.as_bytes()).marked, expected);
    }

    #[test]
    fn a_push_of_two_books_gives_no_template() {
        let book = r#"{"asks":[],"bids":[],"seqId":2,"prevSeqId":1}"#;
        let arg = r#"{"channel":"books","instId":"A-B"}"#;
        let frame = format!(r#"{{"arg":{arg},"action":"update","data":[{book},{book}]}}"#);
        let seen = seen(&Okx, Origin::Socket { url: "" }, frame.as_bytes());
        assert_eq!((seen.lines.len(), seen.marked.len()), (2, 0));
        assert_eq!(seen.closing, [false, true]);
    }
}
