//! What to send: subscriptions, snapshot requests, and which socket a stream belongs to.

use super::Dialect;
use super::stream::{Depth, Stream, depth, streams_of};
use crate::live::{Socket, chunks};
use crate::scan::Value;
use crate::url;
use crate::venue::Topic;
use core::fmt::Write as _;

/// Most streams of one connection (protocols.md 1.2).
pub const STREAMS_MAX: usize = 1024;
/// Streams per request: 5 requests a second are allowed, so a full connection takes under two,
/// and no frame grows beyond a few KiB.
const BATCH: usize = 128;

/// The name of a topic's stream. A channel without a speed gets the fastest documented one; an
/// empty symbol means the stream of all symbols.
fn stream_name(topic: &Topic<'_>) -> String {
    let speed = match depth(topic.channel) {
        Some(Depth::Diff | Depth::Partial(_)) => "@100ms",
        Some(Depth::Rpi) => "@500ms",
        _ => "",
    };
    if !topic.symbol.is_empty() {
        return format!("{}@{}{speed}", topic.symbol.to_lowercase(), topic.channel);
    }
    match topic.channel.split_once('@') {
        Some((channel, speed)) => format!("!{channel}@arr@{speed}"),
        None if topic.channel == "bookTicker" => "!bookTicker".to_owned(),
        None => format!("!{}@arr", topic.channel),
    }
}

/// Requests of `method` for these topics.
pub(super) fn batches(method: &str, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
    let requests = topics.chunks(BATCH).zip(first_id..);
    requests.map(|(batch, id)| request(method, batch, id)).collect()
}

fn request(method: &str, topics: &[Topic<'_>], id: u64) -> String {
    let mut text = format!("{{\"method\":\"{method}\",\"params\":[");
    for (i, topic) in topics.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push('"');
        // A symbol may hold any UTF-8; what JSON cannot hold raw is in no venue's symbol.
        text.extend(stream_name(topic).chars().filter(|c| !matches!(c, '"' | '\\' | '\0'..' ')));
        text.push('"');
    }
    let _ = write!(text, "],\"id\":{id}}}");
    text
}

/// Tells what a URL or a `SUBSCRIBE` request subscribes, symbols in upper case as in payloads.
pub(super) fn subscribed(text: &str, each: &mut dyn FnMut(Topic<'_>)) {
    let mut name = |stream: Stream<'_>| {
        let symbol = stream.symbol.to_uppercase();
        each(Topic { channel: stream.channel, symbol: &symbol });
    };
    let Ok(value) = Value::frame(text.as_bytes()) else {
        return streams_of(text).for_each(name);
    };
    let Ok([Some(method), Some(params)]) = value.object(["method", "params"]) else { return };
    if method.raw_string() != Some("SUBSCRIBE") {
        return;
    }
    for stream in params.elements().into_iter().flatten().flatten() {
        if let Ok(text) = stream.string() {
            name(Stream::read(text));
        }
    }
}

/// Path and query of the snapshot that a channel's deltas are joined to.
pub(super) fn snapshot(dialect: Dialect, channel: &str, symbol: &str) -> Option<String> {
    let rpi = match depth(channel.split('@').next().unwrap_or(""))? {
        Depth::Diff => false,
        Depth::Rpi if dialect == Dialect::Usdm => true,
        _ => return None,
    };
    let (root, limit) = match dialect {
        Dialect::Spot | Dialect::Us => ("/api/v3", 5000),
        Dialect::Usdm => ("/fapi/v1", 1000),
        Dialect::Coinm => ("/dapi/v1", 1000),
    };
    let name = if rpi { "rpiDepth" } else { "depth" };
    let mut request = format!("{root}/{name}?symbol=");
    url::encode(symbol, &mut request);
    let _ = write!(request, "&limit={limit}");
    Some(request)
}

/// The class of USD-M traffic that a channel belongs to: the part of the URL before `/ws` or
/// `/stream` since 2026-03-06 (protocols.md 2.1). Book and mark price need two sockets.
#[must_use]
pub fn stream_class(channel: &str) -> &'static str {
    let name = channel.split('@').next().unwrap_or("");
    match name {
        "bookTicker" | "trade" => "public",
        _ if depth(name).is_some() => "public",
        _ => "market",
    }
}

/// The connections that these topics need: by traffic class on USD-M, and no more streams on one
/// than the venue allows.
#[must_use]
pub fn sockets<'a>(dialect: Dialect, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
    let classes: &[&str] = if dialect == Dialect::Usdm { &["public", "market"] } else { &[""] };
    let mut sockets = Vec::new();
    for class in classes {
        let own = |t: &&Topic<'a>| class.is_empty() || stream_class(t.channel) == *class;
        let own: Vec<Topic<'a>> = topics.iter().filter(own).copied().collect();
        let path = if class.is_empty() { "/stream".to_owned() } else { format!("/{class}/stream") };
        sockets.extend(chunks(&path, &own, STREAMS_MAX));
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic<'a>(channel: &'a str, symbol: &'a str) -> Topic<'a> {
        Topic { channel, symbol }
    }

    #[test]
    fn names_are_lower_case_and_have_a_speed_where_the_venue_offers_one() {
        for (channel, symbol, name) in [
            ("depth", "BTCUSDT", "btcusdt@depth@100ms"),
            ("depth@0ms", "BTCUSDT", "btcusdt@depth@0ms"),
            ("depth20", "BTCUSD_PERP", "btcusd_perp@depth20@100ms"),
            ("rpiDepth", "BTCUSDT", "btcusdt@rpiDepth@500ms"),
            ("trade", "币USDT", "币usdt@trade"),
            ("bookTicker", "", "!bookTicker"),
            ("markPrice", "", "!markPrice@arr"),
            ("markPrice@1s", "", "!markPrice@arr@1s"),
        ] {
            assert_eq!(stream_name(&topic(channel, symbol)), name);
        }
    }

    #[test]
    fn a_subscription_is_split_into_requests_with_rising_ids() {
        let topics = vec![topic("trade", "A"); BATCH + 1];
        let requests = batches("SUBSCRIBE", &topics, 7);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1], r#"{"method":"SUBSCRIBE","params":["a@trade"],"id":8}"#);
        assert!(requests[0].ends_with("\"a@trade\"],\"id\":7}"));
        assert!(batches("SUBSCRIBE", &[], 1).is_empty());
        let hostile = batches("SUBSCRIBE", &[topic("trade", "a\"\\\n b")], 1);
        assert_eq!(hostile, [r#"{"method":"SUBSCRIBE","params":["a b@trade"],"id":1}"#]);
    }

    #[test]
    fn the_streams_of_a_request_stand_between_commas() {
        let topics = [topic("trade", "A"), topic("trade", "B"), topic("trade", "C")];
        let expected = r#"{"method":"SUBSCRIBE","params":["a@trade","b@trade","c@trade"],"id":1}"#;
        assert_eq!(batches("SUBSCRIBE", &topics, 1), [expected]);
    }

    fn topics_of(text: &str) -> Vec<(String, String)> {
        let mut topics = Vec::new();
        subscribed(text, &mut |t| topics.push((t.channel.to_owned(), t.symbol.to_owned())));
        topics
    }

    #[test]
    fn urls_and_requests_tell_what_they_subscribe() {
        let pair = |channel: &str, symbol: &str| (channel.to_owned(), symbol.to_owned());
        let both = [pair("depth20", "BTCUSDT"), pair("trade", "ETHUSDT")];
        for text in [
            "wss://f.example/public/ws/btcusdt@depth20@100ms/ethusdt@trade",
            "wss://f.example/stream?streams=btcusdt@depth20/ethusdt@trade",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@depth20","ethusdt@trade"],"id":1}"#,
        ] {
            assert_eq!(topics_of(text), both, "{text}");
        }
        for text in ["", "wss://f.example/ws", r#"{"method":"UNSUBSCRIBE","params":["a@depth"]}"#] {
            assert_eq!(topics_of(text), [], "{text}");
        }
    }

    #[test]
    fn book_and_mark_price_of_usdm_are_on_two_sockets() {
        let channels = ["depth", "markPrice", "bookTicker", "trade", "rpiDepth", "forceOrder"];
        let topics = channels.map(|channel| topic(channel, "BTCUSDT"));
        let of = |dialect| -> Vec<(String, Vec<&str>)> {
            let sockets = sockets(dialect, &topics).into_iter();
            sockets.map(|s| (s.path, s.topics.iter().map(|t| t.channel).collect())).collect()
        };
        let public = vec!["depth", "bookTicker", "trade", "rpiDepth"];
        let market = vec!["markPrice", "forceOrder"];
        let expected =
            [("/public/stream".to_owned(), public), ("/market/stream".to_owned(), market)];
        assert_eq!(of(Dialect::Usdm), expected);
        assert_eq!(of(Dialect::Spot), [("/stream".to_owned(), channels.to_vec())]);
    }

    #[test]
    fn no_connection_carries_more_streams_than_the_venue_allows() {
        let topics = vec![topic("depth", "A"); STREAMS_MAX + 1];
        let counts: Vec<_> =
            sockets(Dialect::Spot, &topics).iter().map(|s| s.topics.len()).collect();
        assert_eq!(counts, [STREAMS_MAX, 1]);
    }

    #[test]
    fn snapshots_are_asked_for_on_the_path_of_the_market() {
        let of = |dialect, channel| snapshot(dialect, channel, "BTCUSDT").unwrap_or_default();
        assert_eq!(of(Dialect::Spot, "depth"), "/api/v3/depth?symbol=BTCUSDT&limit=5000");
        assert_eq!(of(Dialect::Usdm, "depth"), "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
        assert_eq!(of(Dialect::Usdm, "rpiDepth"), "/fapi/v1/rpiDepth?symbol=BTCUSDT&limit=1000");
        assert_eq!(of(Dialect::Coinm, "depth@0ms"), "/dapi/v1/depth?symbol=BTCUSDT&limit=1000");
        for channel in ["depth20", "bookTicker", "depthSnapshot", "rpiDepth"] {
            assert_eq!(of(Dialect::Spot, channel), "");
        }
    }
}
