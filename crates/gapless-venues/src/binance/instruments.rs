//! `exchangeInfo` of the four: `GET /api/v3/`, `/fapi/v1/` and `/dapi/v1/exchangeInfo`.
//!
//! Tick and lot stand in the filters `PRICE_FILTER` and `LOT_SIZE`; a step of 0 means that the
//! venue checks none. COIN-M sizes are contracts of `contractSize` quote units each.

use simd_json::prelude::ValueIntoString as _;
use simd_json::tape;

use super::Dialect;
use crate::instruments::{
    Instrument, InstrumentError, Kind, List, Problem, Reading, Status, simd_rows,
};
use crate::venue::Market;

impl Dialect {
    /// Reads the body of `exchangeInfo`.
    ///
    /// # Errors
    /// Not such a body; single rows that cannot be read are in [`List::refused`].
    pub fn instruments(self, body: &[u8]) -> Result<List, InstrumentError> {
        simd_rows(self.venue(), body, &["symbols"], |row| self.row(row))
    }

    /// Path of `exchangeInfo`.
    pub(super) const fn list_path(self) -> &'static str {
        match self {
            Self::Spot | Self::Us => "/api/v3/exchangeInfo",
            Self::Usdm => "/fapi/v1/exchangeInfo",
            Self::Coinm => "/dapi/v1/exchangeInfo",
        }
    }

    const fn venue(self) -> &'static str {
        match self {
            Self::Spot => "binance_spot",
            Self::Us => "binance_us",
            Self::Usdm => "binance_usdm",
            Self::Coinm => "binance_coinm",
        }
    }

    fn row(self, row: tape::Value<'_, '_>) -> Result<Instrument, InstrumentError> {
        let reading = Reading::new(self.venue(), row, "symbol")?;
        let step = |filter, field| {
            let found =
                filter_of(row, filter).ok_or_else(|| reading.error(filter, Problem::Missing));
            reading.part(found?).step(field)
        };
        let kind = match self.market() {
            Market::Spot => Kind::Spot,
            _ => kind_of(&reading.word_or_empty("contractType")?),
        };
        let quote = reading.word("quoteAsset")?;
        let contract_value = match self {
            Self::Coinm => reading.positive("contractSize")?,
            _ => None,
        };
        let contract_currency = contract_value.map_or_else(String::new, |_| quote.clone());
        let expires = kind == Kind::Future;
        Ok(Instrument {
            venue: self.venue().to_owned(),
            market: self.market(),
            kind,
            base: reading.word("baseAsset")?,
            quote,
            settle: reading.word_or_empty("marginAsset")?,
            tick: step("PRICE_FILTER", "tickSize")?,
            lot: step("LOT_SIZE", "stepSize")?,
            contract_value,
            contract_currency,
            status: status_of(&match self {
                Self::Coinm => reading.word_or_empty("contractStatus")?,
                _ => reading.word_or_empty("status")?,
            }),
            expiry_ns: if expires { reading.time_ms("deliveryDate")? } else { None },
            strike: None,
            symbol: reading.symbol,
        })
    }
}

/// The filter of a kind.
fn filter_of<'t, 'i>(row: tape::Value<'t, 'i>, kind: &str) -> Option<tape::Value<'t, 'i>> {
    let filters = row.get("filters")?.as_array()?;
    let named = |filter: &tape::Value<'_, '_>| {
        filter.get("filterType").and_then(|name| name.into_string()) == Some(kind)
    };
    filters.iter().find(named)
}

fn kind_of(contract: &str) -> Kind {
    match contract {
        "PERPETUAL" | "PERPETUAL DELIVERING" | "TRADIFI_PERPETUAL" => Kind::Perpetual,
        _ if contract.contains("QUARTER") || contract.contains("MONTH") => Kind::Future,
        _ => Kind::Unknown,
    }
}

fn status_of(word: &str) -> Status {
    match word {
        "TRADING" => Status::Trading,
        "PENDING_TRADING" | "PRE_TRADING" | "AUCTION_MATCH" => Status::Pending,
        "BREAK" | "HALT" | "POST_TRADING" => Status::Halted,
        "END_OF_DAY" | "PRE_DELIVERING" | "DELIVERING" | "DELIVERED" | "PRE_SETTLE"
        | "SETTLING" | "CLOSE" => Status::Closed,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDM: &str = r#"{"timezone":"UTC","symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","contractType":"PERPETUAL","baseAsset":"BTC",
         "quoteAsset":"USDT","marginAsset":"USDT","deliveryDate":4133404800000,"filters":[
         {"filterType":"PRICE_FILTER","tickSize":"0.10"},
         {"filterType":"LOT_SIZE","stepSize":"0.001"}]},
        {"symbol":"ETHUSDT_261225","status":"TRADING","contractType":"CURRENT_QUARTER",
         "baseAsset":"ETH","quoteAsset":"USDT","marginAsset":"USDT","deliveryDate":1798185600000,
         "filters":[{"filterType":"LOT_SIZE","stepSize":"0.001"},
         {"filterType":"PRICE_FILTER","tickSize":"0.01"}]},
        {"symbol":"BADUSDT","status":"TRADING","baseAsset":"BAD","quoteAsset":"USDT","filters":[
         {"filterType":"PRICE_FILTER","tickSize":"0,1"},{"filterType":"LOT_SIZE","stepSize":"1"}]},
        {"symbol":"NOLOT","baseAsset":"A","quoteAsset":"B","filters":[
         {"filterType":"PRICE_FILTER","tickSize":"1"}]},
        {"baseAsset":"A"}, 7]}"#;

    #[test]
    fn a_bad_row_is_named_and_costs_no_other() {
        let list = Dialect::Usdm.instruments(USDM.as_bytes()).unwrap();
        let names: Vec<_> = list.instruments.iter().map(|row| row.symbol.as_str()).collect();
        assert_eq!(names, ["BTCUSDT", "ETHUSDT_261225"]);
        let refused: Vec<_> = list.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                r#"binance_usdm: BADUSDT: tickSize: not a decimal number (byte 1): "0,1""#,
                "binance_usdm: NOLOT: LOT_SIZE: missing",
                "binance_usdm: symbol: missing",
                "binance_usdm: symbol: missing",
            ]
        );
    }

    #[test]
    fn ticks_kinds_and_ends_are_read() {
        let list = Dialect::Usdm.instruments(USDM.as_bytes()).unwrap();
        let [perpetual, quarter] = &list.instruments[..] else { panic!("{list:?}") };
        assert_eq!(
            (perpetual.tick.to_string(), perpetual.lot.to_string()),
            ("0.1".into(), "0.001".into())
        );
        assert_eq!((perpetual.kind, perpetual.expiry_ns), (Kind::Perpetual, None));
        assert_eq!(
            (quarter.kind, quarter.expiry_ns),
            (Kind::Future, Some(1_798_185_600_000_000_000))
        );
        assert_eq!(quarter.market, Market::Linear);
    }

    #[test]
    fn a_contract_of_coin_margined_futures_has_its_value() {
        let body =
            br#"{"symbols":[{"symbol":"BTCUSD_PERP","contractStatus":"TRADING","contractType":
            "PERPETUAL","contractSize":100,"baseAsset":"BTC","quoteAsset":"USD","marginAsset":"BTC",
            "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},
            {"filterType":"LOT_SIZE","stepSize":"1"}]}]}"#;
        let list = Dialect::Coinm.instruments(body).unwrap();
        let row = &list.instruments[0];
        assert_eq!(row.contract_value.unwrap().to_string(), "100");
        assert_eq!((row.contract_currency.as_str(), row.settle.as_str()), ("USD", "BTC"));
        assert_eq!((row.market, row.status), (Market::Inverse, Status::Trading));
    }

    #[test]
    fn every_kind_and_status_has_its_word() {
        for (contract, kind) in [
            ("PERPETUAL", Kind::Perpetual),
            ("TRADIFI_PERPETUAL", Kind::Perpetual),
            ("NEXT_QUARTER", Kind::Future),
            ("CURRENT_MONTH", Kind::Future),
            ("", Kind::Unknown),
        ] {
            assert_eq!(kind_of(contract), kind, "{contract}");
        }
        for (word, status) in [
            ("TRADING", Status::Trading),
            ("PENDING_TRADING", Status::Pending),
            ("BREAK", Status::Halted),
            ("SETTLING", Status::Closed),
            ("", Status::Unknown),
        ] {
            assert_eq!(status_of(word), status, "{word}");
        }
    }

    #[test]
    fn lists_are_on_the_path_of_the_market_and_spot_has_one_kind() {
        let paths =
            [Dialect::Spot, Dialect::Us, Dialect::Usdm, Dialect::Coinm].map(Dialect::list_path);
        let spot = "/api/v3/exchangeInfo";
        assert_eq!(paths, [spot, spot, "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"]);
        let list = Dialect::Spot.instruments(USDM.as_bytes()).unwrap();
        assert!(list.instruments.iter().all(|row| row.kind == Kind::Spot));
    }

    #[test]
    fn what_is_no_list_says_what_it_is() {
        let error = Dialect::Spot.instruments(br#"{"code":-1003,"msg":"Too many"}"#).unwrap_err();
        let text = r#"binance_spot: not an instrument list: {"code":-1003,"msg":"Too many"}"#;
        assert_eq!(error.to_string(), text);
        for hostile in [&b""[..], b"<html>", b"{\"symbols\":", b"\xff", b"[]"] {
            assert!(Dialect::Spot.instruments(hostile).is_err());
        }
        let deep = "[".repeat(200_000);
        assert!(Dialect::Spot.instruments(deep.as_bytes()).is_err());
    }
}
