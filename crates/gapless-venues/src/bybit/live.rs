//! Addresses and budgets (protocols.md 3.1, 3.2, 3.4).

use super::Bybit;
use crate::live::{Acks, Live, Rate, Refusal, Socket, Span, Wiring, distinct};
use crate::machine;
use crate::url;
use crate::venue::{Market, Topic};

/// Characters of all topics of a connection, quotes and commas included.
const ARGS_BYTES_MAX: usize = 21_000;
/// What a topic adds beside its channel and symbol.
const ARG_EXTRA: usize = r#"".","#.len();

impl Wiring for Bybit {
    fn live(&self) -> Live {
        Live {
            socket: "wss://stream.bybit.com",
            rest: "https://api.bybit.com",
            channel: "orderbook.200",
            topics_max: 2_000,
            sends: Rate::new(20, 1_000),
            subscribes: Rate::new(20, 1_000),
            connects: Rate::new(400, 300_000),
            weight: Rate::new(540, 5_000),
            acks: Acks::Request,
            ..Live::UNSTATED
        }
    }

    fn sockets<'a>(&self, market: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
        let market = said(market);
        let mut sockets: Vec<Socket<'a>> = Vec::new();
        let (mut bytes, most) = (usize::MAX, self.live().topics_max);
        for topic in topics {
            let length = topic.channel.len() + topic.symbol.len() + ARG_EXTRA;
            bytes = bytes.saturating_add(length);
            match sockets.last_mut() {
                Some(last) if bytes <= ARGS_BYTES_MAX && last.topics.len() < most => {
                    last.topics.push(*topic);
                }
                _ => {
                    bytes = length;
                    let path = format!("/v5/public/{}", market.name());
                    sockets.push(Socket { path, topics: vec![*topic] });
                }
            }
        }
        sockets
    }

    /// There are words and no codes.
    fn refusal(&self, _: &str, words: &str) -> Refusal {
        let words = words.to_ascii_lowercase();
        let says = |all: &[&str]| all.iter().any(|part| words.contains(part));
        if says(&["handler not found", "invalid symbol", "topic:"]) {
            Refusal::Topic
        } else if says(&["too many", "frequen", "limit exceed", "internal", "timeout", "busy"]) {
            Refusal::Later
        } else {
            Refusal::Unknown
        }
    }

    /// Linear and inverse contracts have one name there; ours says which of them is meant.
    fn replays<'a>(&self, market: Market, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
        let market = said(market);
        let exchange = match market {
            Market::Spot => "bybit-spot",
            Market::Option => "bybit-options",
            _ => "bybit",
        };
        let mut sockets = machine::sockets(topics, span, |_| exchange);
        for socket in &mut sockets {
            socket.path.push_str("&category=");
            socket.path.push_str(market.name());
        }
        sockets
    }

    /// Options are listed by their coin, everything else by the market alone.
    fn lists(&self, market: Market, topics: &[Topic<'_>]) -> Vec<String> {
        let market = said(market);
        let path = format!("/v5/market/instruments-info?category={}&limit=1000", market.name());
        if market != Market::Option {
            return vec![path];
        }
        let coin = |topic: &Topic<'_>| topic.symbol.split('-').next().unwrap_or("").to_owned();
        distinct(topics.iter().map(coin), |coin| {
            let mut path = format!("{path}&baseCoin=");
            url::encode(coin, &mut path);
            path
        })
    }
}

/// Where nothing is said: the market that has both kinds of books.
fn said(market: Market) -> Market {
    if market == Market::Unknown { Market::Linear } else { market }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn topic(symbol: &str) -> Topic<'_> {
        Topic { channel: "orderbook.50", symbol }
    }

    #[test]
    fn a_connection_carries_no_more_characters_of_topics_than_it_may() {
        let names: Vec<_> = (0..1_500).map(|i| format!("COIN{i}USDT")).collect();
        let topics: Vec<_> = names.iter().map(|name| topic(name)).collect();
        let sockets = Bybit.sockets(Market::Spot, &topics);
        assert_eq!(sockets.iter().map(|s| s.topics.len()).sum::<usize>(), 1_500);
        assert!(sockets.len() > 1 && sockets.iter().all(|s| s.path == "/v5/public/spot"));
        let counts = |symbols: [usize; 3]| -> Vec<usize> {
            let names = symbols.map(|length| "X".repeat(length));
            let topics = names.each_ref().map(|name| topic(name));
            Bybit.sockets(Market::Spot, &topics).iter().map(|s| s.topics.len()).collect()
        };
        let named = |length: usize| "\"orderbook.50.\",".len() + length;
        let left = ARGS_BYTES_MAX - named(9_000) - named(0);
        assert_eq!(counts([9_000, left, 10]), [2, 1]);
        assert_eq!(counts([9_000, left + 1, 10]), [1, 2]);
        let many = Bybit.sockets(Market::Spot, &[Topic { channel: "", symbol: "" }; 2_001]);
        assert_eq!(many.iter().map(|s| s.topics.len()).collect::<Vec<_>>(), [2_000, 1]);
    }
}
