//! Trades, aggregates, block trades, liquidations.

use super::tickers::quantity;
use super::wire::Frame;
use crate::scan::{Field, Value};
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::event::{Body, Flags, Liquidation, TakerSide, Trade};

/// `trade` and `blockTrade`. Old captures carry order ids `b` and `a`; they are not read.
pub(super) fn trade<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [kind, published, matched, symbol, id, price, size, maker, origin] =
        value.object(["e", "E", "T", "s", "t", "p", "q", "m", "X"])?;
    let id = id.need("t")?;
    let trade = Trade {
        id: id.text()?,
        seq: Some(id.int()?),
        price: price.need("p")?.decimal()?,
        size: quantity(size.need("q")?)?,
        taker: taker(maker)?,
        aggregate: None,
        count: None,
        score: None,
    };
    let symbol = symbol.need("s")?.string()?;
    let times = frame.times(published, matched)?;
    let channel = kind.need("e")?.string()?;
    let mut flags = frame.flags;
    if channel == "blockTrade" {
        flags = flags.with(Flags::BLOCK);
    }
    if matches!(origin.text_or_empty()?, "INSURANCE_FUND" | "ADL" | "NA") {
        flags = flags.with(Flags::OFF_BOOK);
    }
    sink.event(&Frame { flags, ..*frame }.event(symbol, channel, times, Body::Trade(trade)));
    Ok(())
}

/// `aggTrade`.
pub(super) fn aggregate<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published, matched, symbol, id, price, size, first, last, maker] =
        value.object(["e", "E", "T", "s", "a", "p", "q", "f", "l", "m"])?;
    let trade = Trade {
        id: id.need("a")?.text()?,
        seq: None,
        price: price.need("p")?.decimal()?,
        size: quantity(size.need("q")?)?,
        taker: taker(maker)?,
        aggregate: Some((first.need("f")?.int()?, last.need("l")?.int()?)),
        count: None,
        score: None,
    };
    let symbol = symbol.need("s")?.string()?;
    let times = frame.times(published, matched)?;
    sink.event(&frame.event(symbol, "aggTrade", times, Body::Trade(trade)));
    Ok(())
}

/// `m` says whether the buyer was the maker: then the taker sold.
fn taker(maker: Option<Value<'_>>) -> Result<TakerSide, WireError> {
    Ok(if maker.need("m")?.bool()? { TakerSide::Sell } else { TakerSide::Buy })
}

/// `forceOrder`: a sample, at most one per symbol and second. An order that is not filled is no
/// liquidation yet.
pub(super) fn liquidation<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published, order] = value.object(["e", "E", "o"])?;
    let [symbol, side, size, price, average, status, filled, matched] =
        order.need("o")?.object(["s", "S", "q", "p", "ap", "X", "z", "T"])?;
    let symbol = symbol.need("s")?.string()?;
    let raw_side = side.need("S")?.string()?;
    let liquidation = Liquidation {
        id: "",
        price: price.need("p")?.decimal()?,
        size: quantity(size.need("q")?)?,
        filled: filled.present().map(quantity).transpose()?,
        average_price: average.optional_decimal()?,
        side: order_side(raw_side, value.at())?,
        raw_side,
        sampled: true,
        size_usd: None,
    };
    let times = frame.times(published, matched)?;
    let body = match status.need("X")?.string()? {
        "FILLED" => Body::Liquidation(liquidation),
        _ => Body::Other,
    };
    sink.event(&frame.event(symbol, "forceOrder", times, body));
    Ok(())
}

fn order_side(text: &str, at: usize) -> Result<TakerSide, WireError> {
    match text {
        "BUY" => Ok(TakerSide::Buy),
        "SELL" => Ok(TakerSide::Sell),
        _ => Err(WireError::new(WireErrorKind::Type("BUY or SELL"), at)),
    }
}
