//! Instrument objects of the Tardis API: one object, an array of them, or a line each.
//!
//! Prices are JSON numbers, read from their text. Exchange ids become our venue names; one that
//! is not known here is kept as `tardis:NAME`.

use super::venue_of;
use crate::instruments::{
    Instrument, InstrumentError, Kind, List, Problem, ROWS_MAX, Reading, Status,
};
use crate::scan::{Field as _, Value};
use crate::venue::Market;

/// Reads one object or an array of them.
///
/// # Errors
/// Not JSON by the strict rules; single rows that cannot be read are in [`List::refused`].
pub fn read(body: &[u8]) -> Result<List, InstrumentError> {
    let whole = |problem| InstrumentError::whole("tardis", problem);
    let value = Value::frame(body).map_err(|error| whole(Problem::Strict(error)))?;
    let mut list = List::default();
    let Ok(rows) = value.elements() else {
        list.take(instrument(value));
        return Ok(list);
    };
    for (count, row) in rows.enumerate() {
        if count == ROWS_MAX {
            return Err(whole(Problem::TooLong));
        }
        list.take(instrument(row.map_err(|error| whole(Problem::Strict(error)))?));
    }
    Ok(list)
}

/// Our name of an exchange id; one without a venue here is kept as `tardis:NAME`.
fn venue_name(exchange: &str) -> String {
    match venue_of(exchange) {
        Some(source) => source.venue.to_owned(),
        None if exchange.is_empty() => "tardis".to_owned(),
        None => format!("tardis:{exchange}"),
    }
}

fn instrument(row: Value<'_>) -> Result<Instrument, InstrumentError> {
    let venue = venue_name(row.field("exchange").ok().flatten().text_or_empty().unwrap_or(""));
    let reading = Reading::new(&venue, row, "id")?;
    let kind = kind_of(&reading.word("type")?);
    let (base, quote) = (reading.word("baseCurrency")?, reading.word("quoteCurrency")?);
    let inverse = reading.word_or_empty("inverse")? == "true";
    let market = market_of(kind, inverse);
    let settle = reading.word_or_empty("settlementCurrency")?;
    let settle = match (market, settle.is_empty()) {
        (Market::Inverse, true) => base.clone(),
        (Market::Linear, true) => quote.clone(),
        _ => settle,
    };
    let multiplier = reading.positive("contractMultiplier")?;
    // A linear multiplier of 1 says that sizes are already amounts of the base.
    let contract_value = match market {
        Market::Spot => None,
        Market::Inverse => multiplier,
        _ => multiplier.filter(|value| value.to_string() != "1"),
    };
    let currency = if inverse && market != Market::Option { &quote } else { &base };
    Ok(Instrument {
        market,
        kind,
        contract_currency: contract_value.map_or_else(String::new, |_| currency.clone()),
        contract_value,
        settle,
        tick: reading.step("priceIncrement")?,
        lot: reading.step("amountIncrement")?,
        status: match reading.word_or_empty("active")?.as_str() {
            "true" => Status::Trading,
            "false" => Status::Closed,
            _ => Status::Unknown,
        },
        expiry_ns: reading.time_iso("expiry")?,
        strike: reading.decimal("strikePrice")?,
        base,
        quote,
        symbol: reading.symbol,
        venue,
    })
}

fn kind_of(word: &str) -> Kind {
    match word {
        "spot" => Kind::Spot,
        "perpetual" => Kind::Perpetual,
        "future" => Kind::Future,
        "option" => Kind::Option,
        "combo" => Kind::Combo,
        _ => Kind::Unknown,
    }
}

const fn market_of(kind: Kind, inverse: bool) -> Market {
    match (kind, inverse) {
        (Kind::Spot, _) => Market::Spot,
        (Kind::Option, _) => Market::Option,
        (Kind::Unknown | Kind::Combo, _) => Market::Unknown,
        (_, true) => Market::Inverse,
        (_, false) => Market::Linear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_ids_become_venue_names_and_unknown_ones_are_kept() {
        for (exchange, venue) in [
            ("binance-delivery", "binance_coinm"),
            ("okex-swap", "okx"),
            ("bybit-spot", "bybit"),
            ("bitmex", "tardis:bitmex"),
        ] {
            assert_eq!(venue_name(exchange), venue);
        }
    }

    #[test]
    fn every_kind_has_its_word_and_spot_no_contracts() {
        for (word, kind) in [
            ("spot", Kind::Spot),
            ("perpetual", Kind::Perpetual),
            ("future", Kind::Future),
            ("option", Kind::Option),
            ("combo", Kind::Combo),
            ("", Kind::Unknown),
        ] {
            assert_eq!(kind_of(word), kind, "{word}");
        }
        let body = br#"{"id":"A","exchange":"okex","baseCurrency":"A","quoteCurrency":"B",
            "type":"spot","priceIncrement":1,"amountIncrement":1,"contractMultiplier":10}"#;
        let list = read(body).unwrap();
        let [spot] = &list.instruments[..] else { panic!("{list:?}") };
        assert_eq!((spot.market, spot.contract_value), (Market::Spot, None));
        assert_eq!((spot.contract_currency.as_str(), spot.status), ("", Status::Unknown));
    }

    #[test]
    fn objects_and_arrays_are_read_with_exact_increments() {
        let body = br#"[{"id":"PEPE-USDT-SWAP","exchange":"okex-swap","baseCurrency":"PEPE",
            "quoteCurrency":"USDT","type":"perpetual","active":true,"priceIncrement":1e-9,
            "amountIncrement":0.1,"inverse":false,"contractMultiplier":10000000},
            {"id":"XBTUSD","exchange":"bitmex","baseCurrency":"BTC","quoteCurrency":"USD",
            "type":"perpetual","active":true,"priceIncrement":0.1,"amountIncrement":100,
            "inverse":true,"contractMultiplier":1},
            {"id":"BTC-26JUN26","exchange":"deribit","baseCurrency":"BTC","quoteCurrency":"USD",
            "type":"future","active":false,"expiry":"2026-06-26T08:00:00.000Z",
            "priceIncrement":2.5,"amountIncrement":10,"inverse":true}]"#;
        let list = read(body).unwrap();
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        let [pepe, xbt, future] = &list.instruments[..] else { panic!("{list:?}") };
        assert_eq!((pepe.venue.as_str(), pepe.tick.to_string()), ("okx", "0.000000001".into()));
        assert_eq!(pepe.contract_value.unwrap().to_string(), "10000000");
        assert_eq!(pepe.status, Status::Trading);
        assert_eq!((pepe.contract_currency.as_str(), pepe.settle.as_str()), ("PEPE", "USDT"));
        assert_eq!((xbt.contract_currency.as_str(), xbt.settle.as_str()), ("USD", "BTC"));
        assert_eq!(future.expiry_ns, Some(1_782_460_800_000_000_000));
        assert_eq!((future.status, future.market), (Status::Closed, Market::Inverse));
        assert_eq!(
            read(br#"{"id":"A"}"#).unwrap().refused[0].to_string(),
            "tardis: A: type: missing"
        );
    }
}
