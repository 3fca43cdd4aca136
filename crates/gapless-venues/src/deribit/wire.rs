//! Frames → events. One public function, [`parse`]: it tells heartbeats, notifications and answers
//! apart and hands a notification to the reader of its channel.
//!
//! Invariant: a book message becomes one event or one refusal. A channel's name without its symbol
//! is no slice of the frame, so it is put together in the scratch.

use super::rest;
use super::topic::{Book, Name, book};
use crate::envelope::Envelope;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::template::Slot;
use crate::venue::{Context, Origin};
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Bbo, Body, BookKind, Derivative, Flags, HeartbeatAnswer, Liquidation, OptionTicker, RequestId,
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
    let [method, params, result, error] =
        match value.object(["method", "params", "result", "error"]) {
            Ok(fields) => fields,
            Err(error) => return envelope.refuse(error, true, sink),
        };
    match method.and_then(Value::raw_string) {
        Some("subscription") => notification(envelope, params, scratch, sink),
        Some("heartbeat") => {
            let kind = params.and_then(|params| params.field("type").ok()?);
            let asked = kind.is_some_and(|kind| kind.raw_string() == Some("test_request"));
            let answer = if asked { HeartbeatAnswer::Test } else { HeartbeatAnswer::None };
            envelope.emit(Body::Heartbeat { answer }, sink);
        }
        None if result.is_some() || error.is_some() => {
            answer(envelope, context.origin, value, scratch, sink);
        }
        _ => envelope.emit(Body::Other, sink),
    }
}

/// A push of a channel.
fn notification<S: EventSink>(
    envelope: Envelope<'_>,
    params: Option<Value<'_>>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let read = params.need("params").and_then(|params| params.object(["channel", "data"]));
    let [channel, data] = match read {
        Ok(fields) => fields,
        Err(error) => return envelope.refuse(error, true, sink),
    };
    let name = match channel.need("channel").and_then(Value::string) {
        Ok(channel) => Name::read(channel),
        Err(error) => return envelope.refuse(error, true, sink),
    };
    scratch.keep_name(|kept| name.write_channel(kept));
    let kind = if name.head == "book" { book(name.tail) } else { None };
    if let Some(kind) = kind {
        return match data.need("data").and_then(|data| read_book(name, kind, data, scratch)) {
            Ok((times, update)) => {
                let named = Envelope { channel: scratch.name(), symbol: name.symbol, ..envelope };
                let message = scratch.message(update.kind, update.ids, update.depth);
                let event = Envelope { times, ..named }.event(Body::Book(message));
                sink.book(&event, scratch.marks());
            }
            Err(error) => {
                let named = Envelope { channel: scratch.name(), symbol: name.symbol, ..envelope };
                named.refuse(error, true, sink);
            }
        };
    }
    let named = Envelope { channel: scratch.name(), symbol: name.symbol, ..envelope };
    let read = match name.head.split('.').next().unwrap_or("") {
        "trades" => data.need("data").and_then(|data| named.each(data, sink, trade)),
        "ticker" | "incremental_ticker" => {
            data.need("data").and_then(|data| ticker(named, data, sink))
        }
        "quote" => data.need("data").and_then(|data| quote(named, data, sink)),
        "perpetual" => data.need("data").and_then(|data| perpetual(named, data, sink)),
        "platform_state" => data.need("data").map(|_| {
            named.emit(Body::Notice { code: "platform_state", closing: false }, sink);
        }),
        "instrument" => data.need("data").and_then(|data| lifecycle(named, data, sink)),
        _ => {
            named.emit(Body::Other, sink);
            Ok(())
        }
    };
    if let Err(error) = read {
        named.refuse(error, false, sink);
    }
}

/// What a book message says beside its levels and times.
struct Update {
    kind: BookKind,
    ids: SeqInfo,
    depth: Option<u16>,
}

/// Reads a book's levels into `scratch`.
fn read_book(
    name: Name<'_>,
    book: Book,
    data: Value<'_>,
    scratch: &mut Scratch,
) -> Result<(gapless_book::event::Times, Update), WireError> {
    let [kind, ts, symbol, id, prev, bids, asks] = data.object([
        "type",
        "timestamp",
        "instrument_name",
        "change_id",
        "prev_change_id",
        "bids",
        "asks",
    ])?;
    if symbol.present().is_some_and(|symbol| symbol.string() != Ok(name.symbol)) {
        return Err(WireError::new(WireErrorKind::Type("symbol of the channel"), data.at()));
    }
    if bids.present().is_none() && asks.present().is_none() {
        return Err(WireError::new(WireErrorKind::Missing("bids"), data.at()));
    }
    let id = id.need("change_id")?;
    let ids = SeqInfo { last: Some(id.int()?), prev: prev.optional_int()?, ..SeqInfo::default() };
    for (slot, number) in [(Slot::VenueTime, ts), (Slot::Last, Some(id)), (Slot::Prev, prev)] {
        number.present().into_iter().for_each(|number| scratch.mark(slot, number));
    }
    // Without a type the value of `prev` decides what the message is, which no template can see.
    let untyped = matches!(book, Book::Changes) && kind.present().is_none();
    let (kind, form, depth) = match book {
        Book::Images { depth } => (BookKind::Image, LevelForm::Pair, Some(depth)),
        Book::Changes => (changes_kind(kind, ids.prev)?, LevelForm::Action, None),
    };
    scratch.read_sides(form, bids, asks, false)?;
    if untyped {
        scratch.forget_marks();
    }
    let times = Envelope::new(0, &[]).at(ts, None)?.times;
    Ok((times, Update { kind, ids, depth }))
}

/// Old recordings have no `type`: a message that follows nothing is the snapshot (step 1). A
/// message that calls itself a change stays one whatever it follows (step 4).
fn changes_kind(kind: Option<Value<'_>>, prev: Option<i64>) -> Result<BookKind, WireError> {
    match (kind.present().map(Value::string).transpose()?, prev) {
        (Some("snapshot"), _) | (None, None | Some(0)) => Ok(BookKind::Snapshot),
        (Some("change"), _) | (None, Some(_)) => Ok(BookKind::Delta),
        (Some(_), _) => {
            let at = kind.map_or(0, Value::at);
            Err(WireError::new(WireErrorKind::Type("snapshot or change"), at))
        }
    }
}

/// A trade, and the liquidations that it was part of: of the taker (`T`), of the maker (`M`), or
/// of both (protocols.md 0.5).
fn trade<'a, S: EventSink>(
    part: Envelope<'a>,
    element: Value<'a>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, id, seq, ts, price, amount, direction, liquidation, block, rfq] =
        element.object([
            "instrument_name",
            "trade_id",
            "trade_seq",
            "timestamp",
            "price",
            "amount",
            "direction",
            "liquidation",
            "block_trade_id",
            "block_rfq_id",
        ])?;
    let taker = side(direction)?;
    let trade = Trade {
        id: id.text_or_empty()?,
        seq: seq.optional_int()?,
        price: price.need("price")?.decimal()?,
        size: size(amount)?,
        taker,
        aggregate: None,
        count: None,
        score: None,
    };
    let (of_taker, of_maker) = match liquidation.text_or_empty()? {
        "" => (false, false),
        "T" => (true, false),
        "M" => (false, true),
        "MT" => (true, true),
        _ => return Err(WireError::new(WireErrorKind::Type("M, T or MT"), element.at())),
    };
    let part = Envelope { symbol: symbol.need("instrument_name")?.string()?, ..part };
    let part = part.at(ts, None)?;
    let off_book = block.present().is_some() || rfq.present().is_some();
    let block = if off_book { Flags::BLOCK.with(Flags::OFF_BOOK) } else { Flags::NONE };
    let liquidated = of_taker || of_maker;
    let first = if liquidated { part.not_last() } else { part };
    first.marked(block).emit(Body::Trade(trade), sink);
    let raw_side = direction.text_or_empty()?;
    if of_taker {
        let part = if of_maker { part.not_last() } else { part };
        part.emit(Body::Liquidation(liquidated_in(&trade, taker, raw_side)), sink);
    }
    if of_maker {
        let side = if taker == TakerSide::Buy { TakerSide::Sell } else { TakerSide::Buy };
        part.emit(Body::Liquidation(liquidated_in(&trade, side, raw_side)), sink);
    }
    Ok(())
}

fn liquidated_in<'a>(trade: &Trade<'a>, side: TakerSide, raw_side: &'a str) -> Liquidation<'a> {
    Liquidation {
        id: trade.id,
        price: trade.price,
        size: trade.size,
        filled: None,
        average_price: None,
        side,
        raw_side,
        sampled: false,
        size_usd: None,
    }
}

fn side(value: Option<Value<'_>>) -> Result<TakerSide, WireError> {
    let value = value.need("direction")?;
    match value.string()? {
        "buy" => Ok(TakerSide::Buy),
        "sell" => Ok(TakerSide::Sell),
        _ => Err(WireError::new(WireErrorKind::Type("buy or sell"), value.at())),
    }
}

fn size(value: Option<Value<'_>>) -> Result<Decimal, WireError> {
    let value = value.need("amount")?;
    let size = value.decimal()?;
    if size.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
    }
    Ok(size)
}

/// Best price and amount of a side; `null` or zero means that it is empty.
fn best(
    price: Option<Value<'_>>,
    amount: Option<Value<'_>>,
) -> Result<Option<(Decimal, Option<Decimal>)>, WireError> {
    let (price, amount) = (price.optional_decimal()?, amount.optional_decimal()?);
    let empty = amount.is_some_and(Decimal::is_zero);
    Ok(price.filter(|price| !price.is_zero() && !empty).map(|price| (price, amount)))
}

fn quote<S: EventSink>(
    envelope: Envelope<'_>,
    data: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, bid, bid_amount, ask, ask_amount] = data.object([
        "timestamp",
        "best_bid_price",
        "best_bid_amount",
        "best_ask_price",
        "best_ask_amount",
    ])?;
    let whole = |side: Option<(Decimal, Option<Decimal>)>| Some((side?.0, side?.1?));
    let bbo = Bbo {
        bid: whole(best(bid, bid_amount)?),
        ask: whole(best(ask, ask_amount)?),
        update_id: None,
    };
    envelope.at(ts, None)?.emit(Body::Bbo(bbo), sink);
    Ok(())
}

/// `ticker` is whole, `incremental_ticker` carries what changed. Funding is continuous here: there
/// is no next settlement.
fn ticker<S: EventSink>(
    envelope: Envelope<'_>,
    data: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, last, mark, index, settle, interest, rate] = data.object([
        "timestamp",
        "last_price",
        "mark_price",
        "index_price",
        "estimated_delivery_price",
        "open_interest",
        "current_funding",
    ])?;
    let [bid, bid_amount, ask, ask_amount] =
        data.object(["best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount"])?;
    let derivative = Derivative {
        last: last.optional_decimal()?,
        mark: mark.optional_decimal()?,
        index: index.optional_decimal()?,
        settle: settle.optional_decimal()?,
        open_interest: interest.optional_decimal()?,
        funding_rate: rate.optional_decimal()?,
        bid: best(bid, bid_amount)?,
        ask: best(ask, ask_amount)?,
        ..Derivative::default()
    };
    let envelope = envelope.at(ts, None)?;
    let [greeks, mark_iv] = data.object(["greeks", "mark_iv"])?;
    if greeks.is_none() && mark_iv.is_none() {
        envelope.emit(Body::Derivative(derivative), sink);
        return Ok(());
    }
    let ticker = option(data, greeks, derivative)?;
    envelope.emit(Body::OptionTicker(ticker), sink);
    Ok(())
}

fn option<'a>(
    data: Value<'a>,
    greeks: Option<Value<'a>>,
    derivative: Derivative,
) -> Result<OptionTicker<'a>, WireError> {
    let [underlying, name, mark_iv, bid_iv, ask_iv, rate] = data.object([
        "underlying_price",
        "underlying_index",
        "mark_iv",
        "bid_iv",
        "ask_iv",
        "interest_rate",
    ])?;
    let [delta, gamma, vega, theta, rho] = match greeks.present() {
        Some(greeks) => greeks.object(["delta", "gamma", "vega", "theta", "rho"])?,
        None => [None; 5],
    };
    Ok(OptionTicker {
        underlying: underlying.optional_decimal()?,
        underlying_index: name.text_or_empty()?,
        mark_iv: mark_iv.optional_decimal()?,
        bid_iv: bid_iv.optional_decimal()?,
        ask_iv: ask_iv.optional_decimal()?,
        delta: delta.optional_decimal()?,
        gamma: gamma.optional_decimal()?,
        vega: vega.optional_decimal()?,
        theta: theta.optional_decimal()?,
        rho: rho.optional_decimal()?,
        interest_rate: rate.optional_decimal()?,
        derivative,
    })
}

fn perpetual<S: EventSink>(
    envelope: Envelope<'_>,
    data: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, interest, index] = data.object(["timestamp", "interest", "index_price"])?;
    let derivative = Derivative {
        index: index.optional_decimal()?,
        funding_rate: interest.optional_decimal()?,
        ..Derivative::default()
    };
    envelope.at(ts, None)?.emit(Body::Derivative(derivative), sink);
    Ok(())
}

/// The life of an instrument; its states are the venue's own words.
fn lifecycle<S: EventSink>(
    envelope: Envelope<'_>,
    data: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [ts, symbol, state] = data.object(["timestamp", "instrument_name", "state"])?;
    let envelope = Envelope { symbol: symbol.text_or_empty()?, ..envelope }.at(ts, None)?;
    envelope.emit(Body::Notice { code: state.text_or_empty()?, closing: false }, sink);
    Ok(())
}

/// Answers to requests, on a socket or over HTTP.
fn answer<S: EventSink>(
    envelope: Envelope<'_>,
    origin: Origin<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let mut named = envelope;
    let read = value.object(["id", "result", "error"]).and_then(|[id, result, error]| {
        let id = RequestId(id.text_or_empty()?);
        if let Some(error) = error.filter(|error| error.is_object()) {
            let [code, message] = error.object(["code", "message"])?;
            let (code, message) = (code.text_or_empty()?, message.map_or("", Value::raw));
            envelope.emit(Body::Error { id, code, message, retry_after_s: None }, sink);
            return Ok(());
        }
        let Some(result) = result else {
            return Err(WireError::new(WireErrorKind::Type("error object"), value.at()));
        };
        if result.is_object() && result.field("bids")?.is_some() {
            named.channel = "book";
            named.symbol = result.field("instrument_name")?.text_or_empty().unwrap_or("");
            return rest::book(envelope, origin, result, scratch, sink);
        }
        let topics = if result.is_array() { result.raw() } else { "" };
        envelope.emit(Body::Ack { id, op: "", topics, failed: "" }, sink);
        Ok(())
    });
    if let Err(error) = read {
        named.refuse(error, named.channel == "book", sink);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Deribit;
    use crate::seen::{check, seen};
    use crate::venue::Origin;

    #[test]
    fn each_kind_of_frame_becomes_the_events_that_its_fixture_states() {
        check(&Deribit, include_str!("../../fixtures/deribit.frames"));
    }

    #[test]
    fn every_number_of_a_books_header_is_marked() {
        let frame = concat!(
            r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.A.raw","data":"#,
            r#"{"type":"change","timestamp":1700000000800,"prev_change_id":7,"change_id":12,"#,
            r#""instrument_name":"A","bids":[["new",1.0,2.0]],"asks":[]}}}"#,
        );
        let expected = [
            "VenueTime=1700000000800",
            "Last=12",
            "Prev=7",
            r#"Bids=[["new",1.0,2.0]]"#,
            "Asks=[]",
        ];
        assert_eq!(seen(&Deribit, Origin::Socket { url: "" }, frame.as_bytes()).marked, expected);
    }

    #[test]
    fn only_the_last_event_of_a_liquidated_trade_closes_the_frame() {
        for (flag, closing) in [
            ("", &[true][..]),
            (r#","liquidation":"T""#, &[false, true]),
            (r#","liquidation":"MT""#, &[false, false, true]),
        ] {
            let trade = r#""trade_id":1,"price":1,"amount":1,"direction":"buy""#;
            let data = format!(r#"[{{"instrument_name":"A",{trade}{flag}}}]"#);
            let params = format!(r#"{{"channel":"trades.A.raw","data":{data}}}"#);
            let frame = format!(r#"{{"method":"subscription","params":{params}}}"#);
            let seen = seen(&Deribit, Origin::Socket { url: "" }, frame.as_bytes());
            assert_eq!(seen.closing, closing, "{flag}");
        }
    }
}
