//! `public/get_instruments`. Numbers are bare JSON numbers, read from their text (`1e-05`).
//!
//! Amounts of inverse futures are quote units, of everything else base units; amounts step by the
//! finer of `contract_size` and `min_trade_amount`. Where `tick_size_steps` are given the tick
//! grows with the price, and `tick_size` is the finest.

use crate::instruments::{
    BODY_MAX, Instrument, InstrumentError, Kind, List, Problem, ROWS_MAX, Reading, Status,
    shortened,
};
use crate::scan::{Field as _, Value};
use crate::venue::Market;
use gapless_book::decimal::Decimal;

const VENUE: &str = "deribit";

/// Reads the body of an answer. Bodies beyond the strict reader's limit (8 MiB) are refused: ask
/// for one currency at a time.
///
/// # Errors
/// Not such a body; single rows that cannot be read are in [`List::refused`].
pub fn read(body: &[u8]) -> Result<List, InstrumentError> {
    let whole = |problem| InstrumentError::whole(VENUE, problem);
    if body.len() > BODY_MAX {
        return Err(whole(Problem::TooLong));
    }
    let frame = Value::frame(body).map_err(|error| whole(Problem::Strict(error)))?;
    let result = frame.field("result").map_err(|error| whole(Problem::Strict(error)))?;
    let rows = result.and_then(|rows| rows.elements().ok());
    let Some(rows) = rows else {
        return Err(whole(Problem::Shape(shortened(&String::from_utf8_lossy(body)))));
    };
    let mut list = List::default();
    for (count, row) in rows.enumerate() {
        if count == ROWS_MAX {
            return Err(whole(Problem::TooLong));
        }
        list.take(instrument(row.map_err(|error| whole(Problem::Strict(error)))?));
    }
    Ok(list)
}

fn instrument(row: Value<'_>) -> Result<Instrument, InstrumentError> {
    let reading = Reading::new(VENUE, row, "instrument_name")?;
    let perpetual = reading.word_or_empty("settlement_period")? == "perpetual";
    let kind = kind_of(&reading.word("kind")?, perpetual);
    let (base, quote) = (reading.word("base_currency")?, reading.word("quote_currency")?);
    let settle = reading.word_or_empty("settlement_currency")?;
    let settle = if settle.is_empty() && kind != Kind::Spot { base.clone() } else { settle };
    let market = market_of(kind, &reading.word_or_empty("future_type")?, &settle, &quote);
    let inverse = market == Market::Inverse;
    let (size, least) = (reading.positive("contract_size")?, reading.positive("min_trade_amount")?);
    let lot = match (size, least) {
        (Some(size), Some(least)) => finer(size, least),
        (size, least) => {
            size.or(least).ok_or_else(|| reading.error("contract_size", Problem::Missing))?
        }
    };
    let ends = !perpetual && kind != Kind::Spot;
    Ok(Instrument {
        venue: VENUE.to_owned(),
        market,
        kind,
        tick: reading.step("tick_size")?,
        lot,
        contract_value: inverse.then(|| Decimal::new(1, 0)),
        contract_currency: if inverse { quote.clone() } else { String::new() },
        status: status_of(row, &reading)?,
        expiry_ns: if ends { reading.time_ms("expiration_timestamp")? } else { None },
        strike: reading.decimal("strike")?,
        base,
        quote,
        settle,
        symbol: reading.symbol,
    })
}

fn kind_of(word: &str, perpetual: bool) -> Kind {
    match word {
        "spot" => Kind::Spot,
        "option" => Kind::Option,
        "future" if perpetual => Kind::Perpetual,
        "future" => Kind::Future,
        "future_combo" | "option_combo" => Kind::Combo,
        _ => Kind::Unknown,
    }
}

/// Older lists have no `future_type`: a future is inverse where it does not settle in its quote.
fn market_of(kind: Kind, future_type: &str, settle: &str, quote: &str) -> Market {
    match (kind, future_type) {
        (Kind::Spot, _) => Market::Spot,
        (Kind::Option, _) => Market::Option,
        (Kind::Perpetual | Kind::Future, "linear") => Market::Linear,
        (Kind::Perpetual | Kind::Future, "reversed") => Market::Inverse,
        (Kind::Perpetual | Kind::Future, _) if settle == quote => Market::Linear,
        (Kind::Perpetual | Kind::Future, _) => Market::Inverse,
        _ => Market::Unknown,
    }
}

/// Since 2026 a `state` word, before it only `is_active`.
fn status_of(row: Value<'_>, reading: &Reading<'_, Value<'_>>) -> Result<Status, InstrumentError> {
    let state = reading.word_or_empty("state")?;
    let active = row.field("is_active").ok().flatten().present().map(|value| value.raw());
    Ok(match (state.as_str(), active) {
        ("open" | "started", _) | ("", Some("true")) => Status::Trading,
        ("created" | "preopen", _) => Status::Pending,
        ("locked" | "halted", _) => Status::Halted,
        ("closed" | "settled" | "deactivated" | "archivized" | "archived", _)
        | ("", Some("false")) => Status::Closed,
        _ => Status::Unknown,
    })
}

/// The smaller of two positive values.
fn finer(a: Decimal, b: Decimal) -> Decimal {
    let scale = a.scale().max(b.scale());
    match (a.at_scale(scale), b.at_scale(scale)) {
        (Some(x), Some(y)) if y < x => b,
        // A value too large for the other's scale is the larger one.
        (None, Some(_)) => b,
        _ => a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"jsonrpc":"2.0","result":[
        {"instrument_name":"BTC-PERPETUAL","kind":"future","settlement_period":"perpetual",
         "base_currency":"BTC","quote_currency":"USD","settlement_currency":"BTC",
         "future_type":"reversed","tick_size":0.5,"min_trade_amount":10.0,"contract_size":10.0,
         "expiration_timestamp":32503708800000,"is_active":true},
        {"instrument_name":"PEPE_USDC-PERPETUAL","kind":"future","settlement_period":"perpetual",
         "base_currency":"PEPE","quote_currency":"USDC","settlement_currency":"USDC",
         "future_type":"linear","tick_size":1e-05,"min_trade_amount":100,"contract_size":100,
         "is_active":true},
        {"instrument_name":"BTC-25DEC26-100000-C","kind":"option","settlement_period":"month",
         "base_currency":"BTC","quote_currency":"BTC","settlement_currency":"BTC",
         "tick_size":0.0001,"tick_size_steps":[{"above_price":0.005,"tick_size":0.0005}],
         "min_trade_amount":0.1,"contract_size":1.0,"strike":100000.0,"is_active":false,
         "expiration_timestamp":1798185600000},
        {"instrument_name":"OLD","kind":"future","settlement_period":"month","base_currency":"ETH",
         "quote_currency":"USD","tick_size":0.05,"min_trade_amount":1,"contract_size":1},
        {"instrument_name":"BAD","kind":"spot","base_currency":"A","quote_currency":"B",
         "tick_size":"x","contract_size":1},
        {"instrument_name":"TWICE","kind":"spot","kind":"spot"}]}"#;

    #[test]
    fn bare_numbers_with_exponents_are_exact() {
        let list = read(BODY.as_bytes()).unwrap();
        let steps: Vec<_> =
            list.instruments.iter().map(|row| format!("{} {}", row.tick, row.lot)).collect();
        assert_eq!(steps, ["0.5 10", "0.00001 100", "0.0001 0.1", "0.05 1"]);
    }

    #[test]
    fn markets_are_told_with_and_without_a_future_type() {
        let list = read(BODY.as_bytes()).unwrap();
        let markets: Vec<_> = list.instruments.iter().map(|row| row.market).collect();
        use Market::{Inverse, Linear};
        assert_eq!(markets, [Inverse, Linear, Market::Option, Inverse]);
        let values: Vec<_> =
            list.instruments.iter().map(|row| row.contract_value.is_some()).collect();
        assert_eq!(values, [true, false, false, true]);
        let option = &list.instruments[2];
        assert_eq!(
            (option.status, option.expiry_ns),
            (Status::Closed, Some(1_798_185_600_000_000_000))
        );
        assert_eq!(list.instruments[0].expiry_ns, None);
    }

    #[test]
    fn every_kind_market_and_status_has_its_word() {
        for (word, perpetual, kind) in [
            ("spot", false, Kind::Spot),
            ("option", false, Kind::Option),
            ("future", true, Kind::Perpetual),
            ("future", false, Kind::Future),
            ("future_combo", false, Kind::Combo),
            ("bond", false, Kind::Unknown),
        ] {
            assert_eq!(kind_of(word, perpetual), kind, "{word}");
        }
        for (kind, future_type, settle, market) in [
            (Kind::Spot, "", "", Market::Spot),
            (Kind::Option, "", "USD", Market::Option),
            (Kind::Future, "linear", "BTC", Market::Linear),
            (Kind::Future, "reversed", "USD", Market::Inverse),
            (Kind::Perpetual, "", "USD", Market::Linear),
            (Kind::Perpetual, "", "BTC", Market::Inverse),
            (Kind::Combo, "", "USD", Market::Unknown),
        ] {
            assert_eq!(market_of(kind, future_type, settle, "USD"), market, "{kind:?} {settle}");
        }
        for (row, status) in [
            (r#"{"s":"A","state":"open"}"#, Status::Trading),
            (r#"{"s":"A","is_active":true}"#, Status::Trading),
            (r#"{"s":"A","state":"created","is_active":true}"#, Status::Pending),
            (r#"{"s":"A","state":"halted","is_active":true}"#, Status::Halted),
            (r#"{"s":"A","state":"settled"}"#, Status::Closed),
            (r#"{"s":"A","is_active":false}"#, Status::Closed),
            (r#"{"s":"A"}"#, Status::Unknown),
        ] {
            let value = Value::frame(row.as_bytes()).unwrap();
            let reading = Reading::new(VENUE, value, "s").unwrap();
            assert_eq!(status_of(value, &reading).unwrap(), status, "{row}");
        }
    }

    #[test]
    fn the_finer_of_two_steps_is_the_smaller_however_it_is_written() {
        let d = |text: &str| Decimal::parse(text.as_bytes()).unwrap();
        let vast = Decimal::new(i64::MAX, 0);
        for (a, b, least) in [
            (d("0.1"), d("1"), d("0.1")),
            (d("1"), d("0.1"), d("0.1")),
            (d("0.5"), d("0.5"), d("0.5")),
            (vast, d("0.1"), d("0.1")),
            (d("0.1"), vast, d("0.1")),
        ] {
            assert_eq!(finer(a, b), least, "{a} {b}");
        }
    }

    #[test]
    fn a_bad_row_is_named_and_costs_no_other() {
        let list = read(BODY.as_bytes()).unwrap();
        let refused: Vec<_> = list.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused.len(), 2);
        assert_eq!(refused[0], r#"deribit: BAD: tick_size: not a decimal number (byte 0): "x""#);
        assert!(refused[1].starts_with("deribit: TWICE: kind: field \"kind\" stands twice"));
    }

    #[test]
    fn an_error_answer_is_no_list() {
        let body = br#"{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}"#;
        assert!(read(body).unwrap_err().to_string().contains("too_many_requests"));
    }
}
