//! `GET /api/v5/public/instruments` and the `instruments` channel, whose `data` is the same.
//!
//! Sizes of derivatives are contracts of `ctVal * ctMult` units of `ctValCcy`; of spot, amounts of
//! the base currency. Base and quote of a derivative stand in `uly` (`BTC-USD`).

use simd_json::tape;

use crate::instruments::{
    Instrument, InstrumentError, Kind, List, Problem, Reading, Status, simd_rows,
};
use crate::venue::Market;
use gapless_book::decimal::{Decimal, DecimalError};

const VENUE: &str = "okx";

/// Reads the body of a list.
///
/// # Errors
/// Not such a body; single rows that cannot be read are in [`List::refused`].
pub fn read(body: &[u8]) -> Result<List, InstrumentError> {
    simd_rows(VENUE, body, &["data"], instrument)
}

fn instrument(row: tape::Value<'_, '_>) -> Result<Instrument, InstrumentError> {
    let reading = Reading::new(VENUE, row, "instId")?;
    let kind = kind_of(&reading.word("instType")?);
    let market = match (kind, reading.word_or_empty("ctType")?.as_str()) {
        (Kind::Spot, _) => Market::Spot,
        (Kind::Option, _) => Market::Option,
        (_, "linear") => Market::Linear,
        (_, "inverse") => Market::Inverse,
        _ => Market::Unknown,
    };
    let (base, quote) = currencies(&reading, kind)?;
    let contract_value = contract_value(&reading)?;
    let contract_currency = match contract_value {
        Some(_) => reading.word("ctValCcy")?,
        None => String::new(),
    };
    Ok(Instrument {
        venue: VENUE.to_owned(),
        market,
        kind,
        base,
        quote,
        settle: reading.word_or_empty("settleCcy")?,
        tick: reading.step("tickSz")?,
        lot: reading.step("lotSz")?,
        contract_value,
        contract_currency,
        status: status_of(&reading.word_or_empty("state")?),
        expiry_ns: if kind == Kind::Perpetual { None } else { reading.time_ms("expTime")? },
        strike: reading.decimal("stk")?,
        symbol: reading.symbol,
    })
}

/// Of spot in their own fields, of derivatives in the underlying.
fn currencies(
    reading: &Reading<'_, tape::Value<'_, '_>>,
    kind: Kind,
) -> Result<(String, String), InstrumentError> {
    if kind == Kind::Spot {
        return Ok((reading.word("baseCcy")?, reading.word("quoteCcy")?));
    }
    let underlying = reading.word_or_empty("uly")?;
    let (base, quote) = underlying.split_once('-').unwrap_or_default();
    Ok((base.to_owned(), quote.to_owned()))
}

/// `ctVal * ctMult`, exact; a missing multiplier is 1.
fn contract_value(
    reading: &Reading<'_, tape::Value<'_, '_>>,
) -> Result<Option<Decimal>, InstrumentError> {
    let Some(value) = reading.positive("ctVal")? else { return Ok(None) };
    let multiplier = reading.positive("ctMult")?.unwrap_or(Decimal::new(1, 0));
    let product = value.mantissa().checked_mul(multiplier.mantissa());
    let scale = value.scale().checked_add(multiplier.scale());
    let exact = product.zip(scale).map(|(mantissa, scale)| Decimal::new(mantissa, scale));
    let text = || format!("{value} * {multiplier}");
    let problem = || reading.error("ctVal", Problem::Number(text(), DecimalError::OutOfRange));
    exact.map(Some).ok_or_else(problem)
}

fn kind_of(word: &str) -> Kind {
    match word {
        "SPOT" | "MARGIN" => Kind::Spot,
        "SWAP" => Kind::Perpetual,
        "FUTURES" => Kind::Future,
        "OPTION" => Kind::Option,
        _ => Kind::Unknown,
    }
}

fn status_of(word: &str) -> Status {
    match word {
        "live" => Status::Trading,
        "preopen" | "test" => Status::Pending,
        "suspend" | "rebase" => Status::Halted,
        "expired" => Status::Closed,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"code":"0","data":[
        {"instId":"SATS-USDT","instType":"SPOT","baseCcy":"SATS","quoteCcy":"USDT","ctVal":"",
         "ctMult":"","ctType":"","tickSz":"0.00000000001","lotSz":"1","state":"live","uly":"",
         "settleCcy":"","expTime":"","stk":""},
        {"instId":"BTC-USD-260626-100000-C","instType":"OPTION","ctVal":"1","ctMult":"0.1",
         "ctType":"","ctValCcy":"BTC","uly":"BTC-USD","settleCcy":"BTC","expTime":"1782460800000",
         "stk":"100000","tickSz":"0.0005","lotSz":"1","state":"live"},
        {"instId":"BTC-USD-SWAP","instType":"SWAP","ctVal":"100","ctMult":"1","ctType":"inverse",
         "ctValCcy":"USD","uly":"BTC-USD","settleCcy":"BTC","expTime":"","tickSz":"0.1",
         "lotSz":"1","state":"suspend"},
        {"instId":"X-USDT-SWAP","instType":"SWAP","ctVal":"0","ctType":"linear","tickSz":"1",
         "lotSz":"1","uly":"X-USDT"}]}"#;

    #[test]
    fn contract_values_are_exact_products() {
        let list = read(BODY.as_bytes()).unwrap();
        let values: Vec<_> = list
            .instruments
            .iter()
            .map(|row| (row.contract_value.map(|v| v.to_string()), row.contract_currency.as_str()))
            .collect();
        let (tenth, hundred) = (Some("0.1".to_owned()), Some("100".to_owned()));
        assert_eq!(values, [(None, ""), (tenth, "BTC"), (hundred, "USD")]);
        assert_eq!(list.refused[0].to_string(), "okx: X-USDT-SWAP: ctVal: 0 is not allowed");
    }

    #[test]
    fn markets_ends_and_strikes_are_read() {
        let list = read(BODY.as_bytes()).unwrap();
        let [spot, option, swap] = &list.instruments[..] else { panic!("{list:?}") };
        assert_eq!((spot.market, spot.tick.to_string()), (Market::Spot, "0.00000000001".into()));
        assert_eq!((option.market, option.base.as_str()), (Market::Option, "BTC"));
        assert_eq!(option.strike.unwrap().to_string(), "100000");
        assert_eq!(option.expiry_ns, Some(1_782_460_800_000_000_000));
        assert_eq!((swap.market, swap.status), (Market::Inverse, Status::Halted));
        assert_eq!((swap.quote.as_str(), swap.expiry_ns), ("USD", None));
    }

    #[test]
    fn every_market_kind_and_status_has_its_word() {
        let linear = BODY.replace(r#""ctVal":"0","#, r#""ctVal":"1","ctValCcy":"X","#);
        let list = read(linear.as_bytes()).unwrap();
        assert_eq!(list.instruments.last().map(|row| row.market), Some(Market::Linear));
        for (word, kind) in [
            ("SPOT", Kind::Spot),
            ("MARGIN", Kind::Spot),
            ("SWAP", Kind::Perpetual),
            ("FUTURES", Kind::Future),
            ("OPTION", Kind::Option),
            ("", Kind::Unknown),
        ] {
            assert_eq!(kind_of(word), kind, "{word}");
        }
        for (word, status) in [
            ("live", Status::Trading),
            ("preopen", Status::Pending),
            ("suspend", Status::Halted),
            ("expired", Status::Closed),
            ("", Status::Unknown),
        ] {
            assert_eq!(status_of(word), status, "{word}");
        }
    }

    #[test]
    fn a_tick_that_no_decimal_holds_is_refused_by_name() {
        let body = BODY.replace("0.00000000001", "1e400");
        let refused = read(body.as_bytes()).unwrap().refused;
        assert_eq!(
            refused[0].to_string(),
            r#"okx: SATS-USDT: tickSz: number out of range: "1e400""#
        );
    }
}
