//! Addresses and budgets (protocols.md 1.1, 1.2, 1.4, 2.1, 2.2, 2.4).

use super::request::sockets;
use super::rest::used_weight;
use super::{BinanceCoinm, BinanceSpot, BinanceUs, BinanceUsdm, Dialect, STREAMS_MAX};
use crate::live::{Acks, Live, Rate, Refusal, Socket, Span, Wiring};
use crate::machine;
use crate::url;
use crate::venue::{HttpAnswer, Market, Topic};

/// Channel of whole books in recordings.
const WHOLE: &str = "depthSnapshot";

const DAY_MS: u64 = 24 * 3_600_000;

/// Bounds that the dialects share. A client may send 5 frames a second on spot, pongs included.
const SPOT: Live = Live {
    socket: "wss://stream.binance.com:9443",
    rest: "https://api.binance.com",
    channel: "depth@100ms",
    topics_max: STREAMS_MAX,
    sends: Rate::new(3, 1_000),
    subscribes: Rate::new(3, 1_000),
    connects: Rate::new(250, 300_000),
    weight: Rate::new(5_400, 60_000),
    acks: Acks::Request,
    lifetime_ms: Some(DAY_MS),
    silence_ms: 10_000,
    late_ms: 2_000,
};

const FUTURES: Live = Live {
    sends: Rate::new(8, 1_000),
    subscribes: Rate::new(8, 1_000),
    weight: Rate::new(2_160, 60_000),
    ..SPOT
};

const fn live(dialect: Dialect) -> Live {
    match dialect {
        Dialect::Spot => SPOT,
        Dialect::Us => Live {
            socket: "wss://stream.binance.us:9443",
            rest: "https://api.binance.us",
            weight: Rate::new(1_080, 60_000),
            ..SPOT
        },
        Dialect::Usdm => Live {
            socket: "wss://fstream.binance.com",
            rest: "https://fapi.binance.com",
            ..FUTURES
        },
        Dialect::Coinm => Live {
            socket: "wss://dstream.binance.com",
            rest: "https://dapi.binance.com",
            ..FUTURES
        },
    }
}

/// Weight of a request for a book grows with its depth; a list of instruments has its own.
fn weight(dialect: Dialect, path: &str) -> u32 {
    let limit = url::parameter(path, "limit").and_then(|limit| limit.parse::<u32>().ok());
    let steps: &[(u32, u32)] = if dialect.is_futures() {
        &[(50, 2), (100, 5), (500, 10), (u32::MAX, 20)]
    } else {
        &[(100, 5), (500, 25), (1_000, 50), (u32::MAX, 250)]
    };
    match limit {
        Some(limit) => {
            steps.iter().find(|(most, _)| limit <= *most).map_or(1, |(_, weight)| *weight)
        }
        None if path.ends_with("exchangeInfo") => 20,
        None => 1,
    }
}

/// Codes below 10 are about the request's form, which one topic's name may break.
fn refusal(code: &str) -> Refusal {
    match code {
        "-1121" => Refusal::Topic,
        // Too many requests; the service's own trouble.
        "-1000" | "-1001" | "-1003" | "-1006" | "-1007" | "-1008" | "-1016" => Refusal::Later,
        _ => Refusal::Unknown,
    }
}

/// Whole books were asked for when it was recorded, and stand in a channel of their own.
fn replays<'a>(dialect: Dialect, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
    let exchange = match dialect {
        Dialect::Spot => "binance",
        Dialect::Us => "binance-us",
        Dialect::Usdm => "binance-futures",
        Dialect::Coinm => "binance-delivery",
    };
    let is_diff = |topic: &&Topic<'a>| topic.channel.split('@').next() == Some("depth");
    let whole = topics.iter().filter(is_diff).map(|topic| Topic { channel: WHOLE, ..*topic });
    let all: Vec<_> = topics.iter().copied().chain(whole).collect();
    machine::sockets(&all, span, |_| exchange)
}

macro_rules! wirings {
    ($($venue:ident)*) => {$(
        impl Wiring for $venue {
            fn live(&self) -> Live {
                live(Self::DIALECT)
            }

            fn sockets<'a>(&self, _: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
                sockets(Self::DIALECT, topics)
            }

            fn replays<'a>(
                &self,
                _: Market,
                topics: &[Topic<'a>],
                span: &Span,
            ) -> Vec<Socket<'a>> {
                replays(Self::DIALECT, topics, span)
            }

            fn weight(&self, path: &str) -> u32 {
                weight(Self::DIALECT, path)
            }

            fn lists(&self, _: Market, _: &[Topic<'_>]) -> Vec<String> {
                vec![Self::DIALECT.list_path().to_owned()]
            }

            fn used_weight(&self, answer: &HttpAnswer<'_>) -> Option<u32> {
                used_weight(answer)
            }

            fn refusal(&self, code: &str, _: &str) -> Refusal {
                refusal(code)
            }

            /// Events name no speed.
            fn book_channel<'c>(&self, channel: &'c str) -> Option<&'c str> {
                channel.split('@').next()
            }
        }
    )*};
}

wirings! { BinanceSpot BinanceUs BinanceUsdm BinanceCoinm }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_of_a_book_needs_the_whole_books_that_were_recorded() {
        let span = Span { from: "2026-11-01".to_owned(), to: "2026-11-01T00:05Z".to_owned() };
        let topic = |channel| Topic { channel, symbol: "BTCUSDT" };
        let topics = [topic("depth@100ms"), topic("trade")];
        let sockets = BinanceUsdm.replays(Market::Unknown, &topics, &span);
        let path = "/ws-replay?exchange=binance-futures&from=2026-11-01&to=2026-11-01T00%3A05Z";
        let expected = [topics[0], topics[1], topic(WHOLE)].to_vec();
        assert_eq!(sockets, [Socket { path: path.to_owned(), topics: expected }]);
    }

    #[test]
    fn a_deep_snapshot_costs_what_the_venue_charges() {
        for (dialect, path, cost) in [
            (Dialect::Spot, "/api/v3/depth?symbol=A&limit=5000", 250),
            (Dialect::Spot, "/api/v3/depth?symbol=A&limit=1000", 50),
            (Dialect::Us, "/api/v3/depth?symbol=A&limit=100", 5),
            (Dialect::Usdm, "/fapi/v1/depth?symbol=A&limit=1000", 20),
            (Dialect::Usdm, "/fapi/v1/depth?symbol=A&limit=50", 2),
            (Dialect::Coinm, "/dapi/v1/exchangeInfo", 20),
            (Dialect::Spot, "/api/v3/time", 1),
        ] {
            assert_eq!(weight(dialect, path), cost, "{path}");
        }
    }
}
