//! Bybit v5, public streams of spot, linear, inverse and options.
//!
//! Spec: <https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook>, read 2026-11
//! (protocols.md section 3). Spot and linear share symbol names: only the socket's path tells the
//! market.
//!
//! # Sequencing of `orderbook.N`
//! 1. `type: snapshot` replaces the book whenever it comes; its `u` is the anchor.
//! 2. A `delta` with `u == 1` is a snapshot too: the service restarted.
//! 3. A delta follows when `u` is the anchor plus one; at or below the anchor it is a repeat.
//! 4. Anything above is a gap: unsubscribe and subscribe the topic, a snapshot follows.
//! 5. Level 1 sends whole images; the same `u` again after 3 s is a heartbeat.
//!
//! # Sequencing of `orderbook.full`
//! 6. Deltas only. They are held until a REST snapshot with the same `u` and `seq` as one of them;
//!    then step 3. `u == 1` asks for a new snapshot and never replaces the book.
//!
//! # Not here
//! Sockets, timers and budgets; gap decisions (`gapless_book::sequence`).

pub mod instruments;
mod live;
mod request;
mod rest;
mod wire;

use crate::claim::{by_host, by_signs};
use crate::instruments::{InstrumentError, List};
use crate::scratch::Scratch;
use crate::url;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// Levels of `orderbook.rpi`.
const RPI_DEPTH: u16 = 50;
/// Silence after which the client pings; the server closes after 10 minutes without.
const PING_MS: u64 = 20_000;

/// The translator of this venue's dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bybit;

impl Venue for Bybit {
    fn parse<S: EventSink>(
        &self,
        context: &Context<'_>,
        frame: &[u8],
        scratch: &mut Scratch,
        sink: &mut S,
    ) {
        wire::parse(context, frame, scratch, sink);
    }

    fn list_path(&self) -> Option<&'static str> {
        Some("/v5/market/instruments-info")
    }

    fn read_instruments(&self, body: &[u8]) -> Result<List, InstrumentError> {
        instruments::read(body)
    }

    fn claims(&self, url: &str, frame: &[u8]) -> Claim {
        let signs = by_signs(
            frame,
            &["\"topic\":\"orderbook.", "\"topic\":\"publicTrade.", "\"topic\":\"tickers."],
        );
        by_host(url, &["bybit.com", "bybit.kz", "bybit.tr", "bybit.eu", "bytick.com"]).max(signs)
    }

    fn rule(&self, channel: &str) -> Option<Rule> {
        let in_stream = Rule::new(Chain::Counter, Bridge::InStream);
        match channel.strip_prefix("orderbook.")? {
            "1" => Some(Rule::new(Chain::LevelOne, Bridge::InStream).depth(Some(1))),
            "full" => Some(Rule::new(Chain::CounterRest, Bridge::Rest)),
            "rpi" => Some(in_stream.depth(Some(RPI_DEPTH))),
            depth => depth.parse().ok().map(|depth| in_stream.depth(Some(depth))),
        }
    }

    fn market(&self, url: &str) -> Market {
        let category = url::parameter(url, "category");
        match category.or(url::path(url).rsplit('/').next()) {
            Some("spot") => Market::Spot,
            Some("linear") => Market::Linear,
            Some("inverse") => Market::Inverse,
            Some("option") => Market::Option,
            _ => Market::Unknown,
        }
    }

    fn names_market(&self) -> bool {
        true
    }

    fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
        request::read(text, each);
    }

    fn subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("subscribe", topics, first_id)
    }

    fn unsubscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("unsubscribe", topics, first_id)
    }

    fn snapshot_request(&self, channel: &str, symbol: &str, market: Market) -> Option<String> {
        request::snapshot(channel, symbol, market)
    }

    /// Every topic counts for itself.
    fn rest_fits(&self, channel: &str, rest_channel: &str) -> bool {
        channel == rest_channel
    }

    fn keepalive(&self) -> Option<(u64, &'static str)> {
        Some((PING_MS, r#"{"op":"ping"}"#))
    }

    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
        rest::verdict(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_book_topic_has_the_rule_of_the_venue() {
        let rule = |channel: &str| Bybit.rule(channel);
        let top = Rule::new(Chain::Counter, Bridge::InStream);
        for depth in [25, 50, 100, 200, 500, 1000] {
            let expected = Some(top.depth(Some(depth)));
            assert_eq!(rule(&format!("orderbook.{depth}")), expected, "{depth}");
        }
        let one = Rule::new(Chain::LevelOne, Bridge::InStream).depth(Some(1));
        assert_eq!(rule("orderbook.1"), Some(one));
        assert_eq!(rule("orderbook.rpi"), Some(top.depth(Some(50))));
        assert_eq!(rule("orderbook.full"), Some(Rule::new(Chain::CounterRest, Bridge::Rest)));
        for channel in ["publicTrade", "tickers", "orderbook.x", "orderBookL2_25"] {
            assert_eq!(rule(channel), None, "{channel}");
        }
    }

    #[test]
    fn the_market_is_in_the_path_of_the_socket_or_the_category_of_the_request() {
        for (url, market) in [
            ("wss://stream.bybit.com/v5/public/spot", Market::Spot),
            ("wss://stream-testnet.bybit.com/v5/public/linear", Market::Linear),
            ("wss://stream.bybit.com/v5/public/inverse?x=1", Market::Inverse),
            ("wss://stream.bybit.kz/v5/public/option", Market::Option),
            ("https://api.bybit.com/v5/market/orderbook?category=spot&symbol=A", Market::Spot),
            ("wss://stream.bybit.com/v5/public/misc/status", Market::Unknown),
            ("", Market::Unknown),
        ] {
            assert_eq!(Bybit.market(url), market, "{url}");
        }
    }

    #[test]
    fn a_rest_book_counts_with_its_own_topic_only() {
        assert!(Bybit.rest_fits("orderbook.full", "orderbook.full"));
        assert!(!Bybit.rest_fits("orderbook.full", "orderbook.1000"));
    }
}
