//! Requests: topics packed within the venue's limits, and the URL of the snapshot that bridges.

use crate::batch::{groups, quoted};
use crate::scan::Value;
use crate::url;
use crate::venue::{Market, Topic};

/// Topics per request on spot, the strictest market; kept everywhere.
const TOPICS_MAX: usize = 10;
/// Characters of `args` (protocols.md 3.2).
const ARGS_BYTES_MAX: usize = 21_000;

/// Writes `op` requests for these topics.
pub(super) fn write(op: &str, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
    let args = topics.iter().map(|topic| quoted(&name(topic)));
    let groups = groups(args, TOPICS_MAX, ARGS_BYTES_MAX - "[]".len());
    (first_id..)
        .zip(groups)
        .map(|(id, args)| format!(r#"{{"req_id":"{id}","op":"{op}","args":[{args}]}}"#))
        .collect()
}

/// The venue's name of a topic.
fn name(topic: &Topic<'_>) -> String {
    if topic.symbol.is_empty() {
        return topic.channel.to_owned();
    }
    format!("{}.{}", topic.channel, topic.symbol)
}

/// A topic's name taken apart: channel and symbol.
pub(super) fn topic(name: &str) -> Topic<'_> {
    let split = match name.split_once('.') {
        Some(("orderbook", rest)) => rest.find('.').map(|dot| "orderbook.".len() + dot),
        Some(("publicTrade" | "tickers" | "allLiquidation" | "liquidation", _)) => name.find('.'),
        Some(("system", _)) | None => None,
        Some(_) => name.rfind('.'),
    };
    let parts = split.and_then(|dot| Some((name.get(..dot)?, name.get(dot + 1..)?)));
    let (channel, symbol) = parts.unwrap_or((name, ""));
    Topic { channel, symbol }
}

/// Reports the topics of a subscribe request; anything else reports none.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Topic<'_>)) {
    let Ok(Ok([Some(op), Some(args)])) =
        Value::frame(text.as_bytes()).map(|value| value.object(["op", "args"]))
    else {
        return;
    };
    if op.string() != Ok("subscribe") {
        return;
    }
    let names = args.elements().into_iter().flatten().flatten();
    for name in names.filter_map(|name| name.string().ok()) {
        each(topic(name));
    }
}

/// Path and query of the snapshot that a topic is joined to: only the full book needs one.
pub(super) fn snapshot(channel: &str, symbol: &str, market: Market) -> Option<String> {
    if channel != "orderbook.full" {
        return None;
    }
    // The full book is a spot topic; other markets are announced.
    let category = if market == Market::Unknown { Market::Spot } else { market };
    let mut path = format!("/v5/market/full_orderbook?category={}&symbol=", category.name());
    url::encode(symbol, &mut path);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of<'a>(channel: &'a str, symbol: &'a str) -> Topic<'a> {
        Topic { channel, symbol }
    }

    #[test]
    fn requests_hold_ten_topics_and_count_up() {
        let names: Vec<_> = (0..25).map(|i| format!("S{i}USDT")).collect();
        let topics: Vec<_> = names.iter().map(|name| of("orderbook.50", name)).collect();
        let requests = write("subscribe", &topics, 7);
        let counts: Vec<_> = requests.iter().map(|r| r.matches("orderbook.50.").count()).collect();
        assert_eq!(counts, [10, 10, 5]);
        assert!(requests[2].starts_with(r#"{"req_id":"9","op":"subscribe","args":["#));
    }

    #[test]
    fn the_arguments_of_a_request_have_no_more_characters_than_the_venue_reads() {
        let sizes = |second: usize| {
            let (first, second) = ("X".repeat(10_000), "Y".repeat(second));
            let requests = write("unsubscribe", &[of("", &first), of("", &second)], 1);
            let args = |request: &String| request.len() - request.find('[').unwrap() - 1;
            requests.iter().map(args).collect::<Vec<_>>()
        };
        // Brackets, two names in quotes, each with its dot, and the comma between them.
        let most = ARGS_BYTES_MAX - 2 - 10_003 - 3 - 1;
        assert_eq!(sizes(most), [ARGS_BYTES_MAX]);
        assert_eq!(sizes(most + 1).len(), 2);
    }

    #[test]
    fn a_topic_taken_apart_and_put_together_is_the_same() {
        for (whole, parts) in [
            ("orderbook.50.BTCUSDT", of("orderbook.50", "BTCUSDT")),
            ("orderbook.rpi.BTC.X", of("orderbook.rpi", "BTC.X")),
            ("publicTrade.BTC", of("publicTrade", "BTC")),
            ("tickers.BTC-6JAN23-17500-C", of("tickers", "BTC-6JAN23-17500-C")),
            ("kline.5.BTCUSDT", of("kline.5", "BTCUSDT")),
            ("system.status", of("system.status", "")),
            ("odd", of("odd", "")),
        ] {
            assert_eq!(topic(whole), parts);
            assert_eq!(name(&parts), whole);
        }
    }

    #[test]
    fn what_a_recorded_request_subscribes_can_be_read() {
        let mut seen = Vec::new();
        let text = r#"{"op":"subscribe","args":["orderbook.1.AUSDT",5,"tickers.BUSDT"]}"#;
        read(text, &mut |topic| seen.push(name(&topic)));
        assert_eq!(seen, ["orderbook.1.AUSDT", "tickers.BUSDT"]);
        for other in [r#"{"op":"unsubscribe","args":["tickers.A"]}"#, "wss://x", "{}"] {
            read(other, &mut |topic| panic!("{topic:?}"));
        }
    }

    #[test]
    fn only_the_full_book_asks_for_a_snapshot() {
        let path = snapshot("orderbook.full", "A/BUSDT", Market::Unknown);
        let expected = "/v5/market/full_orderbook?category=spot&symbol=A%2FBUSDT";
        assert_eq!(path.as_deref(), Some(expected));
        assert_eq!(snapshot("orderbook.50", "A", Market::Spot), None);
    }
}
