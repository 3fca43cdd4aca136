//! Addresses and budgets (protocols.md 4.1, 4.2, 4.5).

use super::{LIST_PATH, Okx};
use crate::live::{Acks, Live, Rate, Refusal, Socket, Span, Wiring, chunks, distinct};
use crate::machine;
use crate::url;
use crate::venue::{Market, Topic};

/// Topics of one connection; the venue states no number.
const TOPICS_MAX: usize = 480;

/// Channels of the business socket.
fn is_business(channel: &str) -> bool {
    channel == "trades-all" || channel.starts_with("candle") || channel.starts_with("sprd-")
}

/// The kind of an instrument by the form of its name (protocols.md 4.1), of an option with its
/// family behind it.
fn kind(symbol: &str) -> Option<String> {
    let parts: Vec<&str> = symbol.split('-').collect();
    let kind = match parts.as_slice() {
        [_, _] => "SPOT",
        [_, _, "SWAP"] => "SWAP",
        [_, _, _] => "FUTURES",
        [base, quote, _, _, _] => return Some(format!("OPTION {base}-{quote}")),
        _ => return None,
    };
    Some(kind.to_owned())
}

impl Wiring for Okx {
    fn live(&self) -> Live {
        Live {
            socket: "wss://ws.okx.com",
            rest: "https://www.okx.com",
            channel: "books",
            topics_max: TOPICS_MAX,
            subscribes: Rate::new(460, 3_600_000),
            connects: Rate::new(2, 1_000),
            weight: Rate::new(36, 2_000),
            acks: Acks::Topic,
            ..Live::UNSTATED
        }
    }

    fn sockets<'a>(&self, _: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
        let of = |business: bool| -> Vec<Topic<'a>> {
            topics.iter().filter(|t| is_business(t.channel) == business).copied().collect()
        };
        let mut sockets = chunks("/ws/v5/public", &of(false), TOPICS_MAX);
        sockets.extend(chunks("/ws/v5/business", &of(true), TOPICS_MAX));
        sockets
    }

    fn replays<'a>(&self, _: Market, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
        machine::sockets(topics, span, |topic| match kind(topic.symbol).as_deref() {
            Some("SWAP") => "okex-swap",
            Some("FUTURES") => "okex-futures",
            Some(kind) if kind.starts_with("OPTION") => "okex-options",
            _ => "okex",
        })
    }

    /// Requests for lists are counted twice as narrowly as those for books.
    fn weight(&self, path: &str) -> u32 {
        if path.starts_with(LIST_PATH) { 2 } else { 1 }
    }

    /// One list for each kind of instrument; those of options are by family.
    fn lists(&self, _: Market, topics: &[Topic<'_>]) -> Vec<String> {
        let kinds = topics.iter().filter_map(|topic| kind(topic.symbol));
        distinct(kinds, |kind| {
            let mut path = format!("{LIST_PATH}?instType=");
            match kind.split_once(' ') {
                None => path.push_str(kind),
                Some((kind, family)) => {
                    path.push_str(kind);
                    path.push_str("&instFamily=");
                    url::encode(family, &mut path);
                }
            }
            path
        })
    }

    fn refusal(&self, code: &str, _: &str) -> Refusal {
        match code {
            // Too many requests; the service is busy; it times out.
            "60014" | "50011" | "64003" | "63999" => Refusal::Later,
            // Log in first; the log-in failed.
            "60011" | "60009" | "60005" => Refusal::Auth,
            // No such channel or instrument.
            "60018" | "51001" => Refusal::Topic,
            _ => Refusal::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fill_comes_on_the_business_socket() {
        let topic = |channel| Topic { channel, symbol: "BTC-USDT" };
        let sockets = Okx.sockets(Market::Spot, &[topic("trades-all"), topic("books")]);
        let found: Vec<_> =
            sockets.iter().map(|s| (s.path.as_str(), s.topics[0].channel)).collect();
        assert_eq!(found, [("/ws/v5/public", "books"), ("/ws/v5/business", "trades-all")]);
        assert!(is_business("candle1m") && is_business("sprd-trades") && !is_business("trades"));
    }
}
