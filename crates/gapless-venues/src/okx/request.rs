//! Requests: arguments packed within the venue's limit, and the URL of the snapshot that bridges.

use super::book_channel;
use crate::batch::{groups, quoted};
use crate::scan::Value;
use crate::url;
use crate::venue::Topic;
use std::collections::BTreeSet;

/// Bytes of one request's arguments (protocols.md 4.2).
const ARGS_BYTES_MAX: usize = 64 * 1024 - 64;

/// Writes `op` requests for these topics. Several symbols may share one argument (liquidations
/// come by kind of instrument): it is asked for once.
pub(super) fn write(op: &str, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let args = topics.iter().map(argument).filter(|arg| seen.insert(arg.clone()));
    let groups = groups(args, usize::MAX, ARGS_BYTES_MAX);
    (first_id..)
        .zip(groups)
        .map(|(id, args)| format!(r#"{{"id":"{id}","op":"{op}","args":[{args}]}}"#))
        .collect()
}

fn argument(topic: &Topic<'_>) -> String {
    let channel = quoted(topic.channel);
    let (key, value) = match topic.channel {
        "liquidation-orders" | "instruments" => ("instType", kind(topic.symbol)),
        "opt-summary" => ("instFamily", family(topic.symbol)),
        _ => ("instId", topic.symbol),
    };
    if value.is_empty() {
        return format!(r#"{{"channel":{channel}}}"#);
    }
    format!(r#"{{"channel":{channel},"{key}":{}}}"#, quoted(value))
}

/// The kind of an instrument; a kind itself stays as it is.
fn kind(symbol: &str) -> &str {
    match symbol.split('-').count() {
        1 => symbol,
        2 => "MARGIN",
        3 if symbol.ends_with("-SWAP") => "SWAP",
        3 => "FUTURES",
        _ => "OPTION",
    }
}

/// The first two parts of an option's name; a family itself stays as it is.
fn family(symbol: &str) -> &str {
    let second_dash = symbol.match_indices('-').nth(1);
    second_dash.and_then(|(at, _)| symbol.get(..at)).unwrap_or(symbol)
}

/// Reports the arguments of a subscribe request; anything else reports none.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Topic<'_>)) {
    let Ok(Ok([Some(op), Some(args)])) =
        Value::frame(text.as_bytes()).map(|value| value.object(["op", "args"]))
    else {
        return;
    };
    if op.string() != Ok("subscribe") {
        return;
    }
    for arg in args.elements().into_iter().flatten().flatten() {
        let topic = topic(arg);
        if !topic.channel.is_empty() {
            each(topic);
        }
    }
}

/// Channel and symbol of an `arg` object, as far as they can be read.
pub(super) fn topic(arg: Value<'_>) -> Topic<'_> {
    let names = ["channel", "instId", "instFamily", "instType", "sprdId"];
    let fields = arg.object(names).unwrap_or_default();
    let [channel, id, family, kind, spread] =
        fields.map(|value| value.and_then(|value| value.string().ok()));
    let symbol = id.or(family).or(kind).or(spread).unwrap_or("");
    Topic { channel: channel.unwrap_or(""), symbol }
}

/// Path and query of the snapshot that a channel's updates are joined to.
pub(super) fn snapshot(channel: &str, symbol: &str) -> Option<String> {
    let depth = book_channel(channel).filter(|kind| kind.bridges)?.depth;
    let mut path = String::from("/api/v5/market/books?instId=");
    url::encode(symbol, &mut path);
    path.push_str(&format!("&sz={depth}"));
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of<'a>(channel: &'a str, symbol: &'a str) -> Topic<'a> {
        Topic { channel, symbol }
    }

    #[test]
    fn an_argument_names_the_instrument_its_kind_or_its_family() {
        let topics = [
            of("books", "BTC-USDT"),
            of("liquidation-orders", "BTC-USDT-SWAP"),
            of("liquidation-orders", "SWAP"),
            of("liquidation-orders", "BTC-USD-251226"),
            of("liquidation-orders", "BTC-USDT"),
            of("liquidation-orders", "BTC-USD-251226-100000-C"),
            of("opt-summary", "BTC-USD-251226-100000-C"),
            of("status", ""),
        ];
        let expected = concat!(
            r#"{"id":"4","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"},"#,
            r#"{"channel":"liquidation-orders","instType":"SWAP"},"#,
            r#"{"channel":"liquidation-orders","instType":"FUTURES"},"#,
            r#"{"channel":"liquidation-orders","instType":"MARGIN"},"#,
            r#"{"channel":"liquidation-orders","instType":"OPTION"},"#,
            r#"{"channel":"opt-summary","instFamily":"BTC-USD"},{"channel":"status"}]}"#,
        );
        assert_eq!(write("subscribe", &topics, 4), [expected]);
    }

    #[test]
    fn no_request_is_larger_than_allowed() {
        let names: Vec<_> = (0..3_000).map(|i| format!("COIN{i}-USDT-SWAP")).collect();
        let topics: Vec<_> = names.iter().map(|name| of("books", name)).collect();
        let requests = write("unsubscribe", &topics, 1);
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.len() <= 64 * 1024));
        let args: usize = requests.iter().map(|r| r.matches("books").count()).sum();
        assert_eq!(args, 3_000);
    }

    #[test]
    fn what_a_recorded_request_subscribes_can_be_read() {
        let mut seen = Vec::new();
        let mut note = |topic: Topic<'_>| seen.push(format!("{} {}", topic.channel, topic.symbol));
        let args = concat!(
            r#"[{"channel":"books","instId":"A-B"},{"x":1},5,"#,
            r#"{"channel":"liquidation-orders","instType":"SWAP"}]"#,
        );
        read(&format!(r#"{{"op":"subscribe","args":{args}}}"#), &mut note);
        read("ping", &mut note);
        let other = r#"{"op":"unsubscribe","args":[{"channel":"books","instId":"C-D"}]}"#;
        read(other, &mut note);
        assert_eq!(seen, ["books A-B", "liquidation-orders SWAP"]);
    }

    #[test]
    fn channels_of_the_same_liquidity_are_joined_to_the_rest_book() {
        let path = |channel| snapshot(channel, "BTC-USDT");
        assert_eq!(path("books").unwrap(), "/api/v5/market/books?instId=BTC-USDT&sz=400");
        assert_eq!(path("books50-l2-tbt").unwrap(), "/api/v5/market/books?instId=BTC-USDT&sz=50");
        assert_eq!((path("books5"), path("books-elp"), path("trades")), (None, None, None));
    }
}
