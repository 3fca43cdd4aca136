//! Addresses of a machine that one hosts oneself (protocols.md 6.3).

use super::Tardis;
use crate::batch::quoted;
use crate::live::{Live, Socket, Span, Wiring};
use crate::machine;
use crate::url;
use crate::venue::{Market, Topic};

impl Wiring for Tardis {
    fn live(&self) -> Live {
        Live {
            socket: machine::SOCKET,
            rest: "http://127.0.0.1:8000",
            channel: "book_change",
            topics_max: usize::MAX,
            silence_ms: 30_000,
            // It repeats the past at any pace.
            late_ms: 0,
            ..Live::UNSTATED
        }
    }

    /// One socket for everything: what is wanted stands in its URL. A symbol is written
    /// `exchange:symbol`, in the exchange's own form.
    fn sockets<'a>(&self, _: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
        vec![socket("/ws-stream-normalized?options=", topics, "")]
    }

    fn replays<'a>(&self, _: Market, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
        let span = format!(",\"from\":{},\"to\":{}", quoted(&span.from), quoted(&span.to));
        vec![socket("/ws-replay-normalized?options=", topics, &span)]
    }

    /// Books are named by the exchange of each message.
    fn book_channel<'c>(&self, _: &'c str) -> Option<&'c str> {
        None
    }
}

/// The socket of these topics; `span` is what stands in each exchange's options beside them.
fn socket<'a>(path: &str, topics: &[Topic<'a>], span: &str) -> Socket<'a> {
    let mut options: Vec<String> = Vec::new();
    let mut exchanges: Vec<&str> = topics.iter().map(exchange).collect();
    exchanges.sort_unstable();
    exchanges.dedup();
    for name in exchanges {
        let own: Vec<_> = topics.iter().filter(|topic| exchange(topic) == name).collect();
        let symbols = list(own.iter().map(|topic| symbol(topic)));
        let kinds = list(own.iter().map(|topic| topic.channel));
        options.push(format!(
            "{{\"exchange\":{},\"symbols\":{symbols},\"dataTypes\":{kinds}{span},\
             \"withDisconnectMessages\":true}}",
            quoted(name)
        ));
    }
    let mut path = path.to_owned();
    url::encode(&format!("[{}]", options.join(",")), &mut path);
    Socket { path, topics: topics.to_vec() }
}
fn exchange<'a>(topic: &Topic<'a>) -> &'a str {
    topic.symbol.split_once(':').map_or("", |(exchange, _)| exchange)
}

fn symbol<'a>(topic: &Topic<'a>) -> &'a str {
    topic.symbol.split_once(':').map_or(topic.symbol, |(_, symbol)| symbol)
}

/// A JSON list without repeats.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    names.for_each(|name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
    });
    let names: Vec<_> = seen.into_iter().map(quoted).collect();
    format!("[{}]", names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_stands_in_the_url() {
        let topic = |channel, symbol| Topic { channel, symbol };
        let topics = [
            topic("book_change", "bybit:BTCUSDT"),
            topic("trade", "bybit:BTCUSDT"),
            topic("book_change", "binance:btcusdt"),
        ];
        let sockets = Tardis.sockets(Market::Unknown, &topics);
        let mut decoded = String::new();
        assert!(url::decode(&sockets[0].path, &mut decoded));
        let expected = concat!(
            r#"/ws-stream-normalized?options=[{"exchange":"binance","symbols":["btcusdt"],"#,
            r#""dataTypes":["book_change"],"withDisconnectMessages":true},"#,
            r#"{"exchange":"bybit","symbols":["BTCUSDT"],"dataTypes":["book_change","trade"],"#,
            r#""withDisconnectMessages":true}]"#,
        );
        assert_eq!((decoded.as_str(), sockets.len()), (expected, 1));
        let span = Span { from: "2026-11-01".to_owned(), to: "2026-11-02T12:00Z".to_owned() };
        let sockets = Tardis.replays(Market::Unknown, &topics[2..], &span);
        decoded.clear();
        assert!(url::decode(&sockets[0].path, &mut decoded));
        let expected = concat!(
            r#"/ws-replay-normalized?options=[{"exchange":"binance","symbols":["btcusdt"],"#,
            r#""dataTypes":["book_change"],"from":"2026-11-01","to":"2026-11-02T12:00Z","#,
            r#""withDisconnectMessages":true}]"#,
        );
        assert_eq!((decoded.as_str(), sockets.len()), (expected, 1));
    }
}
