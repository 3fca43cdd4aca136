//! Which of the dialects a URL or frame is of, for recordings that do not say.
//!
//! Hosts tell all four apart. Frames tell futures from spot, and the two futures markets by their
//! symbols; Binance US cannot be told from spot, so a spot frame is no proof of either.

use super::Dialect;
use super::stream::Stream;
use crate::scan::Value;
use crate::venue::Claim;

pub(super) fn of(dialect: Dialect, url: &str, frame: &[u8]) -> Claim {
    if let Some(owner) = host(url) {
        return if owner == dialect { Claim::Sure } else { Claim::No };
    }
    match evidence(frame) {
        None => Claim::No,
        Some(Evidence::Any) => Claim::Maybe,
        Some(Evidence::Spot) if !dialect.is_futures() => Claim::Maybe,
        Some(Evidence::Usdm) if dialect == Dialect::Usdm => Claim::Sure,
        Some(Evidence::Coinm) if dialect == Dialect::Coinm => Claim::Sure,
        Some(_) => Claim::No,
    }
}

fn host(url: &str) -> Option<Dialect> {
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split(['/', ':', '?']).next().unwrap_or("");
    let (name, domain) = host.split_once('.')?;
    match (name, domain) {
        (_, "binance.us") => Some(Dialect::Us),
        ("fstream" | "fapi", "binance.com") | (_, "binancefuture.com") => Some(Dialect::Usdm),
        ("dstream" | "dapi", "binance.com") => Some(Dialect::Coinm),
        (_, "binance.com" | "binance.vision") => Some(Dialect::Spot),
        _ => None,
    }
}

/// What a frame shows.
#[derive(Clone, Copy)]
enum Evidence {
    /// One of ours, no telling which.
    Any,
    Spot,
    Usdm,
    Coinm,
}

fn evidence(frame: &[u8]) -> Option<Evidence> {
    let value = Value::frame(frame).ok()?;
    let [stream, data] = value.object(["stream", "data"]).ok().unwrap_or_default();
    let stream = stream.and_then(|name| name.string().ok()).map(Stream::read);
    let payload = if stream.is_some() { data? } else { value };
    let payload = match payload.elements() {
        Ok(mut elements) => elements.next()?.ok()?,
        Err(_) => payload,
    };
    let [kind, symbol, order, id, ps, pair] =
        payload.object(["e", "s", "o", "lastUpdateId", "ps", "pair"]).ok()?;
    let [st, pu, engine, origin, ignored, time] =
        payload.object(["st", "pu", "T", "X", "M", "E"]).ok()?;
    let kind = kind.and_then(|v| v.string().ok());
    let named = symbol.and_then(|v| v.string().ok());
    let named = named.or_else(|| order?.field("s").ok()??.string().ok());
    let named = named.or(stream.map(|s| s.symbol)).unwrap_or("");
    let ours = stream.is_some() || (kind.is_some() && !named.is_empty()) || id.is_some();
    if !ours && !is_plain_ticker(payload) {
        return None;
    }
    let coin = st.is_some_and(|v| v.raw() == "2")
        || (st.is_none() && ps.is_some())
        || pair.is_some()
        || is_coin_symbol(named);
    let futures = match kind {
        Some("depthUpdate") => pu.is_some() || engine.is_some(),
        Some("bookTicker" | "markPriceUpdate" | "forceOrder") => true,
        Some("trade") => origin.is_some(),
        Some("aggTrade") => ignored.is_none(),
        Some(_) => return Some(if coin { Evidence::Coinm } else { Evidence::Any }),
        None => id.is_some() && time.is_some(),
    };
    Some(match (coin, futures) {
        (true, _) => Evidence::Coinm,
        (false, true) => Evidence::Usdm,
        (false, false) => Evidence::Spot,
    })
}

/// Best prices as spot writes them: no event type.
fn is_plain_ticker(payload: Value<'_>) -> bool {
    payload
        .object(["u", "s", "b", "B", "a", "A"])
        .is_ok_and(|fields| fields.iter().all(Option::is_some))
}

/// `BTCUSD_PERP`, `BTCUSD_210625`: quoted in USD, not in a stable coin.
fn is_coin_symbol(symbol: &str) -> bool {
    let Some((pair, _)) = symbol.split_once('_') else { return false };
    let tail = pair.len().saturating_sub(3);
    pair.get(tail..).is_some_and(|quote| quote.eq_ignore_ascii_case("usd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dialect; 4] = [Dialect::Spot, Dialect::Us, Dialect::Usdm, Dialect::Coinm];

    fn claims(url: &str, frame: &str) -> [Claim; 4] {
        ALL.map(|dialect| of(dialect, url, frame.as_bytes()))
    }

    #[test]
    fn hosts_tell_the_dialects_apart() {
        for (url, owner) in [
            ("wss://stream.binance.com:9443/ws", Dialect::Spot),
            ("https://www.binance.com/api/v1/depth?symbol=A", Dialect::Spot),
            ("wss://data-stream.binance.vision/ws", Dialect::Spot),
            ("wss://stream.binance.us:9443/stream", Dialect::Us),
            ("https://api.binance.us/api/v3/depth", Dialect::Us),
            ("wss://fstream.binance.com/public/ws/a@depth", Dialect::Usdm),
            ("https://dapi.binance.com/dapi/v1/depth", Dialect::Coinm),
        ] {
            let expected = ALL.map(|d| if d == owner { Claim::Sure } else { Claim::No });
            assert_eq!(claims(url, ""), expected, "{url}");
        }
        assert_eq!(claims("wss://stream.example.com/ws", ""), [Claim::No; 4]);
    }

    #[test]
    fn frames_tell_futures_from_spot() {
        let (no, maybe, sure) = (Claim::No, Claim::Maybe, Claim::Sure);
        let spot = [maybe, maybe, no, no];
        let usdm = [no, no, sure, no];
        let coinm = [no, no, no, sure];
        for (frame, expected) in [
            (r#"{"e":"depthUpdate","E":1,"s":"A","U":1,"u":1,"b":[],"a":[]}"#, spot),
            (r#"{"stream":"a@depth","data":{"e":"depthUpdate","s":"A","pu":1}}"#, usdm),
            (r#"{"stream":"a@depth","data":{"e":"depthUpdate","s":"A","ps":"A","pu":1}}"#, coinm),
            (r#"{"e":"depthUpdate","s":"A","ps":"A","st":1,"pu":1}"#, usdm),
            (r#"{"u":1,"s":"A","b":"1","B":"1","a":"1","A":"1"}"#, spot),
            (r#"{"e":"aggTrade","s":"AUSD_PERP","a":1}"#, coinm),
            (r#"{"e":"aggTrade","s":"A","a":1,"M":true}"#, spot),
            (r#"{"e":"forceOrder","o":{"s":"BTCUSDT"}}"#, usdm),
            (r#"[{"e":"markPriceUpdate","s":"BTCUSD_210625"}]"#, coinm),
            (r#"{"stream":"a@depth20","data":{"lastUpdateId":1,"bids":[],"asks":[]}}"#, spot),
            (r#"{"e":"kline","s":"A"}"#, [maybe; 4]),
            (r#"{"type":"trade","symbol":"A"}"#, [no; 4]),
            (r#"{"e":"kline"}"#, [no; 4]),
            (r#"{"s":"A"}"#, [no; 4]),
            (r#"{"result":null,"id":1}"#, [no; 4]),
            ("pong", [no; 4]),
        ] {
            assert_eq!(claims("", frame), expected, "{frame}");
        }
    }
}
