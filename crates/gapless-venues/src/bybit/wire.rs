//! Frames → events. One public function, [`parse`]: it tells control messages from topics and
//! hands a topic to the reader of its kind.
//!
//! Invariant: a book message becomes one event or one refusal. Key order is not fixed at this
//! venue, so every field is looked up by name.

use super::{request, rest};
use crate::envelope::{Envelope, milliseconds};
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::template::Slot;
use crate::venue::{Context, Topic};
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Body, BookKind, Derivative, Flags, HeartbeatAnswer, Liquidation, OptionTicker, RequestId,
    SeqInfo, TakerSide, Trade,
};

/// Reads one frame or the body of an HTTP answer.
pub(super) fn parse<S: EventSink>(
    context: &Context<'_>,
    frame: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    scratch.reset();
    let envelope = Envelope::new(context.recv_ns, frame);
    let value = match Value::frame(frame) {
        Ok(value) => value,
        Err(error) => return envelope.refuse(error, true, sink),
    };
    if !value.is_object() {
        return envelope.emit(Body::Other, sink);
    }
    let fields = value.object(["topic", "op", "success", "type", "retCode", "retMsg", "result"]);
    let [topic, op, success, kind, code, message, result] = match fields {
        Ok(fields) => fields,
        Err(error) => return name(envelope, value).refuse(error, true, sink),
    };
    if code.is_some() && topic.is_none() && op.is_none() {
        return rest::parse(envelope, context.origin, [code, message, result], scratch, sink);
    }
    let command = kind.is_some_and(|kind| kind.raw_string() == Some("COMMAND_RESP"));
    if op.is_some() || success.is_some() || command {
        if let Err(error) = control(envelope, value, sink) {
            envelope.refuse(error, false, sink);
        }
    } else if topic.is_some() {
        of_topic(name(envelope, value), value, scratch, sink);
    } else {
        envelope.emit(Body::Other, sink);
    }
}

/// Channel and symbol as far as they can be read.
fn name<'a>(envelope: Envelope<'a>, value: Value<'a>) -> Envelope<'a> {
    let entries = value.entries().into_iter().flatten().flatten();
    let mut topics = entries.filter(|(key, _)| key.is("topic"));
    let topic = topics.next().and_then(|(_, topic)| topic.string().ok());
    let Topic { channel, symbol } = request::topic(topic.unwrap_or(""));
    Envelope { channel, symbol, ..envelope }
}

/// A message of a topic, by the topic's kind.
fn of_topic<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let kind = envelope.channel.split('.').next().unwrap_or("");
    // Without a readable topic it may have been a book.
    let is_book = matches!(kind, "orderbook" | "");
    let read = match kind {
        "" => Err(WireError::new(WireErrorKind::Type("topic"), 0)),
        "orderbook" => book(envelope, value, scratch, sink),
        "publicTrade" => trades(envelope, value, sink),
        "tickers" => ticker(envelope, value, sink),
        "allLiquidation" | "liquidation" => liquidations(envelope, value, sink),
        "system" => status(envelope, value, sink),
        _ => {
            envelope.emit(Body::Other, sink);
            Ok(())
        }
    };
    if let Err(error) = read {
        envelope.refuse(error, is_book, sink);
    }
}

fn book<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [kind, ts, cts, data] = value.object(["type", "ts", "cts", "data"])?;
    let kind = match kind.need("type")?.string()? {
        "snapshot" => BookKind::Snapshot,
        "delta" => BookKind::Delta,
        _ => return Err(WireError::new(WireErrorKind::Type("snapshot or delta"), value.at())),
    };
    let depth = match envelope.channel.strip_prefix("orderbook.") {
        Some("full") => None,
        Some("rpi") => Some(super::RPI_DEPTH),
        depth => match depth.and_then(|depth| depth.parse().ok()) {
            Some(depth) => Some(depth),
            None => {
                envelope.emit(Body::Other, sink);
                return Ok(());
            }
        },
    };
    let data = data.need("data")?;
    let [symbol, bids, asks, u, seq] = data.object(["s", "b", "a", "u", "seq"])?;
    if envelope.symbol.is_empty() || symbol.text_or_empty()? != envelope.symbol {
        return Err(WireError::new(WireErrorKind::Type("symbol of the topic"), data.at()));
    }
    if bids.present().is_none() && asks.present().is_none() {
        return Err(WireError::new(WireErrorKind::Missing("b"), data.at()));
    }
    let u = u.need("u")?;
    let ids = SeqInfo { last: Some(u.int()?), cross: seq.optional_int()?, ..SeqInfo::default() };
    let numbers =
        [(Slot::VenueTime, ts), (Slot::EngineTime, cts), (Slot::Last, Some(u)), (Slot::Cross, seq)];
    for (slot, number) in numbers {
        number.present().into_iter().for_each(|number| scratch.mark(slot, number));
    }
    let envelope = envelope.at(ts, cts)?;
    let rpi = envelope.channel == "orderbook.rpi";
    let form = if rpi { LevelForm::Extra } else { LevelForm::Pair };
    scratch.read_sides(form, bids, asks, rpi)?;
    let event = envelope.event(Body::Book(scratch.message(kind, ids, depth)));
    // The second sizes come from the general parser only: no template for them.
    sink.book(&event, if rpi { &[] } else { scratch.marks() });
    Ok(())
}

fn trades<'a, S: EventSink>(
    envelope: Envelope<'a>,
    value: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, data] = value.object(["ts", "data"])?;
    envelope.at(ts, None)?.each(data.need("data")?, sink, |part, element, sink| {
        let [time, symbol, side, qty, price, id, block, rpi, seq] =
            element.object(["T", "s", "S", "v", "p", "i", "BT", "RPI", "seq"])?;
        let trade = Trade {
            id: id.text_or_empty()?,
            seq: seq.optional_int()?,
            price: price.need("p")?.decimal()?,
            size: size(qty, "v")?,
            taker: taker(side)?,
            aggregate: None,
            count: None,
            score: None,
        };
        let mut flags = Flags::NONE;
        if block.present().map(Value::bool).transpose()? == Some(true) {
            flags = flags.with(Flags::BLOCK).with(Flags::OFF_BOOK);
        }
        if rpi.present().map(Value::bool).transpose()? == Some(true) {
            flags = flags.with(Flags::RPI);
        }
        let part = Envelope { symbol: symbol.need("s")?.string()?, ..part.marked(flags) };
        part.at(None, time)?.emit(Body::Trade(trade), sink);
        Ok(())
    })
}

/// `allLiquidation` has an array in short names, the old `liquidation` one object in long ones.
fn liquidations<'a, S: EventSink>(
    envelope: Envelope<'a>,
    value: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, data] = value.object(["ts", "data"])?;
    let (envelope, data) = (envelope.at(ts, None)?, data.need("data")?);
    if data.is_array() {
        return envelope.each(data, sink, |part, element, sink| {
            let fields = element.object(["T", "s", "S", "v", "p"])?;
            liquidation(part, fields, false, sink)
        });
    }
    let fields = data.object(["updatedTime", "symbol", "side", "size", "price"])?;
    liquidation(envelope, fields, true, sink)
}

/// The venue's side is that of the **position**: a long one is closed by selling (protocols.md
/// 0.5).
fn liquidation<'a, S: EventSink>(
    envelope: Envelope<'a>,
    [time, symbol, side, qty, price]: [Option<Value<'a>>; 5],
    sampled: bool,
    sink: &mut S,
) -> Result<(), WireError> {
    let order_side = match taker(side)? {
        TakerSide::Buy => TakerSide::Sell,
        _ => TakerSide::Buy,
    };
    let liquidation = Liquidation {
        id: "",
        price: price.need("price")?.decimal()?,
        size: size(qty, "size")?,
        filled: None,
        average_price: None,
        side: order_side,
        raw_side: side.text_or_empty()?,
        sampled,
        size_usd: None,
    };
    let envelope = Envelope { symbol: symbol.need("symbol")?.string()?, ..envelope };
    envelope.at(None, time)?.emit(Body::Liquidation(liquidation), sink);
    Ok(())
}

fn taker(side: Option<Value<'_>>) -> Result<TakerSide, WireError> {
    let side = side.need("side")?;
    match side.string()? {
        "Buy" => Ok(TakerSide::Buy),
        "Sell" => Ok(TakerSide::Sell),
        _ => Err(WireError::new(WireErrorKind::Type("Buy or Sell"), side.at())),
    }
}

fn size(value: Option<Value<'_>>, name: &'static str) -> Result<Decimal, WireError> {
    let value = value.need(name)?;
    let size = value.decimal()?;
    if size.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
    }
    Ok(size)
}

/// A delta carries what changed; an empty string means "not applicable". Options have their own
/// names for the best prices, and Greeks.
fn ticker<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, data] = value.object(["ts", "data"])?;
    let data = data.need("data")?;
    let [symbol, last, mark, index, interest, rate, due] = data.object([
        "symbol",
        "lastPrice",
        "markPrice",
        "indexPrice",
        "openInterest",
        "fundingRate",
        "nextFundingTime",
    ])?;
    let envelope = Envelope { symbol: symbol.need("symbol")?.string()?, ..envelope };
    let envelope = envelope.at(ts, None)?;
    let common = Derivative {
        last: last.optional_decimal()?,
        mark: mark.optional_decimal()?,
        index: index.optional_decimal()?,
        open_interest: interest.optional_decimal()?,
        funding_rate: rate.optional_decimal()?,
        funding_time_ns: milliseconds(due)?,
        ..Derivative::default()
    };
    let [iv, delta] = data.object(["markPriceIv", "delta"])?;
    if iv.is_some() || delta.is_some() {
        let ticker = option(data, common)?;
        envelope.emit(Body::OptionTicker(ticker), sink);
        return Ok(());
    }
    let [bid, bid_size, ask, ask_size] =
        data.object(["bid1Price", "bid1Size", "ask1Price", "ask1Size"])?;
    let (bid, ask) = (best(bid, bid_size)?, best(ask, ask_size)?);
    envelope.emit(Body::Derivative(Derivative { bid, ask, ..common }), sink);
    Ok(())
}

fn option(data: Value<'_>, common: Derivative) -> Result<OptionTicker<'_>, WireError> {
    let [bid, bid_size, ask, ask_size, settle] =
        data.object(["bidPrice", "bidSize", "askPrice", "askSize", "predictedDeliveryPrice"])?;
    let [underlying, mark_iv, bid_iv, ask_iv, delta, gamma, vega, theta] = data.object([
        "underlyingPrice",
        "markPriceIv",
        "bidIv",
        "askIv",
        "delta",
        "gamma",
        "vega",
        "theta",
    ])?;
    Ok(OptionTicker {
        underlying: underlying.optional_decimal()?,
        mark_iv: mark_iv.optional_decimal()?,
        bid_iv: bid_iv.optional_decimal()?,
        ask_iv: ask_iv.optional_decimal()?,
        delta: delta.optional_decimal()?,
        gamma: gamma.optional_decimal()?,
        vega: vega.optional_decimal()?,
        theta: theta.optional_decimal()?,
        derivative: Derivative {
            settle: settle.optional_decimal()?.filter(|price| !price.is_zero()),
            bid: best(bid, bid_size)?,
            ask: best(ask, ask_size)?,
            ..common
        },
        ..OptionTicker::default()
    })
}

/// A best price of zero means that the side is empty.
fn best(
    price: Option<Value<'_>>,
    size: Option<Value<'_>>,
) -> Result<Option<(Decimal, Option<Decimal>)>, WireError> {
    let (price, size) = (price.optional_decimal()?, size.optional_decimal()?);
    Ok(price.filter(|price| !price.is_zero()).map(|price| (price, size)))
}

/// Interruptions of the service, one notice each.
fn status<'a, S: EventSink>(
    envelope: Envelope<'a>,
    value: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, data] = value.object(["ts", "data"])?;
    envelope.at(ts, None)?.each(data.need("data")?, sink, |part, element, sink| {
        let code = element.field("state")?.text_or_empty()?;
        part.emit(Body::Notice { code, closing: false }, sink);
        Ok(())
    })
}

/// Pongs, acknowledgements and errors (protocols.md 3.2).
fn control<S: EventSink>(
    envelope: Envelope<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [op, success, message, id, data] =
        value.object(["op", "success", "ret_msg", "req_id", "data"])?;
    let text = |value: Option<Value<'_>>, is: &str| value.and_then(Value::raw_string) == Some(is);
    if text(op, "pong") || text(op, "ping") || text(message, "pong") {
        envelope.emit(Body::Heartbeat { answer: HeartbeatAnswer::None }, sink);
        return Ok(());
    }
    let id = RequestId(id.text_or_empty()?);
    let granted = success.present().map(Value::bool).transpose()?.unwrap_or(true);
    let [topics, failed] = match data.filter(|data| data.is_object()) {
        Some(data) => data.object(["successTopics", "failTopics"])?,
        None => [None, None],
    };
    let failed = failed.filter(|list| list.elements().is_ok_and(|mut l| l.next().is_some()));
    // To ask again for what one has is no failure.
    let had = message.is_some_and(|message| message.raw().contains("already subscribed"));
    if granted || had || failed.is_some() {
        let topics = topics.map_or("", Value::raw);
        let failed = failed.map_or("", Value::raw);
        envelope.emit(Body::Ack { id, op: op.text_or_empty()?, topics, failed }, sink);
    } else {
        let message = message.map_or("", Value::raw);
        envelope.emit(Body::Error { id, code: "", message, retry_after_s: None }, sink);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Bybit;
    use crate::seen::{check, seen};
    use crate::venue::Origin;

    #[test]
    fn each_kind_of_frame_becomes_the_events_that_its_fixture_states() {
        check(&Bybit, include_str!("../../fixtures/bybit.frames"));
    }

    #[test]
    fn every_number_of_a_books_header_is_marked() {
        let frame = concat!(
            r#"{"topic":"orderbook.1.AUSDT","type":"snapshot","ts":"1700000000100","#,
            r#""data":{"s":"AUSDT","b":[],"a":[["3","1"]],"u":12,"seq":90},"cts":7}"#,
        );
        let expected = [
            "VenueTime=1700000000100",
            "EngineTime=7",
            "Last=12",
            "Cross=90",
            "Bids=[]",
            r#"Asks=[["3","1"]]"#,
        ];
        assert_eq!(seen(&Bybit, Origin::Socket { url: "" }, frame.as_bytes()).marked, expected);
    }

    #[test]
    fn a_book_with_second_sizes_gives_no_template() {
        let frame = concat!(
            r#"{"topic":"orderbook.rpi.A","type":"delta","#,
            r#""data":{"s":"A","b":[["1.0","0","0.5"]],"a":[],"u":3,"seq":4}}"#,
        );
        let seen = seen(&Bybit, Origin::Socket { url: "" }, frame.as_bytes());
        assert_eq!((seen.lines.len(), seen.marked.len()), (1, 0));
    }
}
