//! Best bid and ask, mark price with funding, open interest.

use super::wire::Frame;
use crate::scan::{Field, Value};
use crate::time::Stamp;
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{Bbo, Body, Derivative};

/// `bookTicker`; spot has neither `e` nor times, and so had futures once.
pub(super) fn book_ticker<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published, matched, symbol, id, bid, bid_size, ask, ask_size] =
        value.object(["e", "E", "T", "s", "u", "b", "B", "a", "A"])?;
    let bbo = Bbo {
        bid: side(bid, bid_size, value.at())?,
        ask: side(ask, ask_size, value.at())?,
        update_id: id.optional_int()?,
    };
    let symbol = symbol.need("s")?.string()?;
    let times = frame.times(published, matched)?;
    sink.event(&frame.event(symbol, "bookTicker", times, Body::Bbo(bbo)));
    Ok(())
}

/// A side without size is no side; one of price and size alone is malformed.
fn side(
    price: Option<Value<'_>>,
    size: Option<Value<'_>>,
    at: usize,
) -> Result<Option<(Decimal, Decimal)>, WireError> {
    match (price.optional_decimal()?, size.present().map(quantity).transpose()?) {
        (None, None) => Ok(None),
        (Some(price), Some(size)) => Ok((!size.is_zero()).then_some((price, size))),
        _ => Err(WireError::new(WireErrorKind::Level, at)),
    }
}

/// A size: any number that is not below zero.
pub(super) fn quantity(value: Value<'_>) -> Result<Decimal, WireError> {
    let size = value.decimal()?;
    if size.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
    }
    Ok(size)
}

/// `markPriceUpdate`. Delivery contracts have no funding: `r` is empty and `T` zero.
pub(super) fn mark_price<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published, symbol, mark, index, settle, rate, funding] =
        value.object(["e", "E", "s", "p", "i", "P", "r", "T"])?;
    let next = funding.optional_int()?.and_then(Stamp::milli_or_micro);
    let derivative = Derivative {
        mark: Some(mark.need("p")?.decimal()?),
        index: index.optional_decimal()?,
        settle: settle.optional_decimal()?,
        funding_rate: rate.optional_decimal()?,
        funding_time_ns: next.map(|stamp| stamp.ns),
        ..Derivative::default()
    };
    let symbol = symbol.need("s")?.string()?;
    let times = frame.times(published, None)?;
    sink.event(&frame.event(symbol, "markPrice", times, Body::Derivative(derivative)));
    Ok(())
}

/// The REST body of open interest, asked for or put into the stream by a recorder.
pub(super) fn open_interest<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, interest, time] = value.object(["symbol", "openInterest", "time"])?;
    let open_interest = Some(quantity(interest.need("openInterest")?)?);
    let derivative = Derivative { open_interest, ..Derivative::default() };
    let symbol = symbol.need("symbol")?.string()?;
    let times = frame.times(time, None)?;
    sink.event(&frame.event(symbol, "openInterest", times, Body::Derivative(derivative)));
    Ok(())
}
