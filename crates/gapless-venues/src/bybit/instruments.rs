//! `GET /v5/market/instruments-info`: one page of one category, and how the next is asked for.
//!
//! Linear and spot sizes are amounts of the base coin; an inverse contract is one quote unit.

use simd_json::prelude::ValueIntoString as _;
use simd_json::tape;

use crate::instruments::{
    Instrument, InstrumentError, Kind, List, Problem, Reading, Status, shortened, simd_rows,
};
use crate::url;
use crate::venue::Market;
use gapless_book::decimal::Decimal;

const VENUE: &str = "bybit";

/// Reads the body of a page.
///
/// # Errors
/// Not such a body; single rows that cannot be read are in [`List::refused`].
pub fn read(body: &[u8]) -> Result<List, InstrumentError> {
    let (category, next) = page(body)?;
    let list = simd_rows(VENUE, body, &["result", "list"], |row| instrument(category, row))?;
    Ok(List { next, ..list })
}

/// The category stands beside the rows, not in them, and so does what asks for the next page.
fn page(body: &[u8]) -> Result<(Market, Option<String>), InstrumentError> {
    let mut copy = body.to_vec();
    let shape = || {
        let text = shortened(&String::from_utf8_lossy(body));
        InstrumentError::whole(VENUE, Problem::Shape(text))
    };
    let tape = simd_json::to_tape(&mut copy)
        .map_err(|error| InstrumentError::whole(VENUE, Problem::Json(error.to_string())))?;
    let result = tape.as_value().get("result");
    let word =
        |key: &str| result.and_then(|result| result.get(key)).and_then(|word| word.into_string());
    let next = word("nextPageCursor").filter(|cursor| !cursor.is_empty()).map(|cursor| {
        // Documented cursors are encoded already (`first%3DBTCUSDT`).
        let mut plain = String::new();
        let plain = if url::decode(cursor, &mut plain) { plain.as_str() } else { cursor };
        let mut next = "cursor=".to_owned();
        url::encode(plain, &mut next);
        next
    });
    let market = match word("category") {
        Some("spot") => Market::Spot,
        Some("linear") => Market::Linear,
        Some("inverse") => Market::Inverse,
        Some("option") => Market::Option,
        _ => return Err(shape()),
    };
    Ok((market, next))
}

fn instrument(market: Market, row: tape::Value<'_, '_>) -> Result<Instrument, InstrumentError> {
    let reading = Reading::new(VENUE, row, "symbol")?;
    let group = |name: &'static str| {
        let found = row.get(name).filter(|group| group.is_object());
        found.map(|group| reading.part(group)).ok_or_else(|| reading.error(name, Problem::Missing))
    };
    let lots = group("lotSizeFilter")?;
    let lot = match market {
        Market::Spot => lots.step("basePrecision")?,
        _ => lots.step("qtyStep")?,
    };
    let quote = reading.word("quoteCoin")?;
    let inverse = market == Market::Inverse;
    Ok(Instrument {
        venue: VENUE.to_owned(),
        market,
        kind: kind_of(market, &reading.word_or_empty("contractType")?),
        base: reading.word("baseCoin")?,
        settle: reading.word_or_empty("settleCoin")?,
        tick: group("priceFilter")?.step("tickSize")?,
        lot,
        contract_value: inverse.then(|| Decimal::new(1, 0)),
        contract_currency: if inverse { quote.clone() } else { String::new() },
        status: status_of(&reading.word_or_empty("status")?),
        expiry_ns: reading.time_ms("deliveryTime")?,
        strike: None,
        quote,
        symbol: reading.symbol,
    })
}

fn kind_of(market: Market, contract: &str) -> Kind {
    match market {
        Market::Spot => Kind::Spot,
        Market::Option => Kind::Option,
        _ if contract.ends_with("Perpetual") => Kind::Perpetual,
        _ if contract.ends_with("Futures") => Kind::Future,
        _ => Kind::Unknown,
    }
}

fn status_of(word: &str) -> Status {
    match word {
        "Trading" => Status::Trading,
        "PreLaunch" => Status::Pending,
        "Delivering" | "Closed" => Status::Closed,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_spot_and_inverse_have_their_own_steps() {
        let linear =
            br#"{"retCode":0,"result":{"category":"linear","list":[{"symbol":"BTC-26DEC25",
            "contractType":"LinearFutures","status":"Trading","baseCoin":"BTC","quoteCoin":"USDC",
            "settleCoin":"USDC","deliveryTime":"1766736000000","priceFilter":{"tickSize":"0.50"},
            "lotSizeFilter":{"qtyStep":"0.001"}}]}}"#;
        let row = &read(linear).unwrap().instruments[0];
        assert_eq!((row.kind, row.market), (Kind::Future, Market::Linear));
        assert_eq!((row.tick.to_string(), row.lot.to_string()), ("0.5".into(), "0.001".into()));
        assert_eq!((row.expiry_ns, row.contract_value), (Some(1_766_736_000_000_000_000), None));

        let spot = br#"{"result":{"category":"spot","list":[{"symbol":"BTCUSDT","baseCoin":"BTC",
            "quoteCoin":"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001"},
            "priceFilter":{"tickSize":"0.1"}}]}}"#;
        let row = &read(spot).unwrap().instruments[0];
        assert_eq!((row.kind, row.lot.to_string()), (Kind::Spot, "0.000001".into()));

        let inverse =
            br#"{"result":{"category":"inverse","list":[{"symbol":"BTCUSD","contractType":
            "InversePerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USD","settleCoin":
            "BTC","deliveryTime":"0","priceFilter":{"tickSize":"0.10"},
            "lotSizeFilter":{"qtyStep":"1"}}]}}"#;
        let row = &read(inverse).unwrap().instruments[0];
        assert_eq!((row.kind, row.expiry_ns), (Kind::Perpetual, None));
        assert_eq!(row.contract_value.unwrap().to_string(), "1");
        assert_eq!(row.contract_currency, "USD");
    }

    #[test]
    fn a_page_says_how_the_next_is_asked_for() {
        let next = |cursor: &str| {
            let body = format!(
                r#"{{"result":{{"category":"linear","list":[],"nextPageCursor":"{cursor}"}}}}"#
            );
            read(body.as_bytes()).unwrap().next
        };
        assert_eq!(next(""), None);
        assert_eq!(next("first%3DBTC%26last").as_deref(), Some("cursor=first%3DBTC%26last"));
        assert_eq!(next("a=b&c").as_deref(), Some("cursor=a%3Db%26c"));
        assert_eq!(next("50%").as_deref(), Some("cursor=50%25"));
    }

    #[test]
    fn a_row_without_its_steps_is_refused_by_name() {
        let body = br#"{"result":{"category":"linear","list":[{"symbol":"A","quoteCoin":"USDT"},
            {"symbol":"B","baseCoin":"B","quoteCoin":"USDT","lotSizeFilter":{"qtyStep":"-1"},
             "priceFilter":{"tickSize":"1"}},
            {"symbol":"C","baseCoin":"C","quoteCoin":"USDT","lotSizeFilter":{"qtyStep":0.1},
             "priceFilter":{"tickSize":"1"}}]}}"#;
        let refused: Vec<_> = read(body).unwrap().refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                "bybit: A: lotSizeFilter: missing",
                "bybit: B: qtyStep: -1 is not allowed",
                "bybit: C: qtyStep: neither text nor an exact number",
            ]
        );
    }

    #[test]
    fn every_category_kind_and_status_has_its_word() {
        for (word, market) in [
            ("spot", Some(Market::Spot)),
            ("linear", Some(Market::Linear)),
            ("inverse", Some(Market::Inverse)),
            ("option", Some(Market::Option)),
            ("spread", None),
        ] {
            let body = format!(r#"{{"result":{{"category":"{word}","list":[]}}}}"#);
            let told = page(body.as_bytes()).ok().map(|(market, _)| market);
            assert_eq!(told, market, "{word}");
        }
        for (market, contract, kind) in [
            (Market::Spot, "", Kind::Spot),
            (Market::Option, "", Kind::Option),
            (Market::Linear, "LinearPerpetual", Kind::Perpetual),
            (Market::Inverse, "InverseFutures", Kind::Future),
            (Market::Linear, "LinearOther", Kind::Unknown),
        ] {
            assert_eq!(kind_of(market, contract), kind, "{contract}");
        }
        for (word, status) in [
            ("Trading", Status::Trading),
            ("PreLaunch", Status::Pending),
            ("Delivering", Status::Closed),
            ("Closed", Status::Closed),
            ("", Status::Unknown),
        ] {
            assert_eq!(status_of(word), status, "{word}");
        }
    }

    #[test]
    fn an_error_answer_is_no_list() {
        let error = read(br#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#);
        assert!(error.unwrap_err().to_string().contains("Too many visits!"));
    }
}
