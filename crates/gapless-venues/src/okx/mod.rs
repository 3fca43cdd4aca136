//! OKX v5, public and business streams.
//!
//! Spec: <https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel>,
//! read 2026-11 (protocols.md section 4). All numbers are strings but `seqId`, `prevSeqId` and
//! `checksum`. Derivatives are sized in contracts.
//!
//! # Sequencing of `books`, `books-l2-tbt`, `books50-l2-tbt`
//! 1. `action: snapshot` replaces the book; its `seqId` is the anchor.
//! 2. An update follows when its `prevSeqId` is the anchor; then its `seqId` is the anchor. The
//!    chain is tested first, because
//! 3. after maintenance `seqId` is lower than `prevSeqId`: the chain holds, the anchor goes down.
//! 4. `seqId == prevSeqId` without levels is a heartbeat.
//! 5. Anything else is known already (both ids below) or a gap: subscribe anew, or bridge over
//!    REST where `seqId` of the answer meets one of the held updates.
//! 6. Before 2023 there were no ids: updates apply in order and only `checksum` shows a loss.
//!    Since June 2026 it is 0: absent.
//!
//! `books5` and `bbo-tbt` are whole images.
//!
//! # Not here
//! Sockets, timers and budgets; gap decisions (`gapless_book::sequence`); the checksum itself
//! (`gapless_book::checksum`).

pub mod instruments;
mod live;
mod request;
mod rest;
mod wire;

use crate::claim::{by_host, by_signs};
use crate::instruments::{InstrumentError, List};
use crate::scan::Value;
use crate::scratch::Scratch;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// Silence after which the client pings: the server closes after 30 s.
const PING_MS: u64 = 20_000;

/// Path of the lists of instruments.
const LIST_PATH: &str = "/api/v5/public/instruments";

/// The translator of this venue's dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Okx;

/// A kind of book channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BookChannel {
    /// Levels per side.
    depth: u16,
    /// Every push is the whole picture.
    image: bool,
    /// The REST book has the same liquidity in it.
    bridges: bool,
}

/// The book channels (protocols.md 4.3).
fn book_channel(name: &str) -> Option<BookChannel> {
    let channel = |depth, image, bridges| Some(BookChannel { depth, image, bridges });
    match name {
        "books" | "books-l2-tbt" => channel(400, false, true),
        "books50-l2-tbt" => channel(50, false, true),
        "books-elp" | "books-rpi" => channel(400, false, false),
        "books5" => channel(5, true, false),
        "bbo-tbt" => channel(1, true, false),
        _ => None,
    }
}

impl Venue for Okx {
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
        Some(LIST_PATH)
    }

    fn read_instruments(&self, body: &[u8]) -> Result<List, InstrumentError> {
        instruments::read(body)
    }

    fn claims(&self, url: &str, frame: &[u8]) -> Claim {
        let signs = by_signs(frame, &["\"arg\":{\"channel\":"]);
        by_host(url, &["okx.com"]).max(signs)
    }

    fn rule(&self, channel: &str) -> Option<Rule> {
        let kind = book_channel(channel)?;
        let depth = Some(kind.depth);
        if kind.image {
            return Some(Rule::new(Chain::Image, Bridge::InStream).depth(depth));
        }
        let bridge = if kind.bridges { Bridge::Either } else { Bridge::InStream };
        Some(Rule::new(Chain::Linked, bridge).depth(depth).with_checksum())
    }

    fn symbol_market(&self, symbol: &str) -> Market {
        let mut parts = symbol.split('-');
        let (quote, rest) = (parts.nth(1), parts.count());
        match (quote, rest) {
            (Some(_), 0) => Market::Spot,
            (Some("USD"), 1) => Market::Inverse,
            (Some(_), 1) => Market::Linear,
            (Some(_), 3) => Market::Option,
            _ => Market::Unknown,
        }
    }

    fn granted<'t>(&self, topics: &'t str) -> Option<Topic<'t>> {
        Value::frame(topics.as_bytes()).ok().map(request::topic)
    }

    fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
        request::read(text, each);
    }

    fn first_push_is_history(&self, channel: &str) -> bool {
        channel == "liquidation-orders"
    }

    fn subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("subscribe", topics, first_id)
    }

    fn unsubscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("unsubscribe", topics, first_id)
    }

    fn snapshot_request(&self, channel: &str, symbol: &str, _: Market) -> Option<String> {
        request::snapshot(channel, symbol)
    }

    /// The full book's ids bridge nothing, the other's all channels of its liquidity.
    fn rest_fits(&self, _: &str, rest_channel: &str) -> bool {
        rest_channel == "books"
    }

    fn keepalive(&self) -> Option<(u64, &'static str)> {
        Some((PING_MS, "ping"))
    }

    fn heartbeat_answer(&self, _: u64) -> Option<String> {
        Some("pong".to_owned())
    }

    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
        rest::verdict(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_book_channel_has_the_rule_of_the_venue() {
        let linked = |bridge, depth| {
            Some(Rule::new(Chain::Linked, bridge).depth(Some(depth)).with_checksum())
        };
        let image = |depth| Some(Rule::new(Chain::Image, Bridge::InStream).depth(Some(depth)));
        for (channel, rule) in [
            ("books", linked(Bridge::Either, 400)),
            ("books-l2-tbt", linked(Bridge::Either, 400)),
            ("books50-l2-tbt", linked(Bridge::Either, 50)),
            ("books-elp", linked(Bridge::InStream, 400)),
            ("books5", image(5)),
            ("bbo-tbt", image(1)),
            ("books-grouped", None),
            ("trades", None),
        ] {
            assert_eq!(Okx.rule(channel), rule, "{channel}");
        }
    }

    #[test]
    fn a_symbol_tells_its_market() {
        for (symbol, market) in [
            ("BTC-USDT", Market::Spot),
            ("BTC-USDT-SWAP", Market::Linear),
            ("BTC-USD-SWAP", Market::Inverse),
            ("BTC-USD-251226", Market::Inverse),
            ("BTC-USD-251226-100000-C", Market::Option),
            ("BTC", Market::Unknown),
            ("", Market::Unknown),
        ] {
            assert_eq!(Okx.symbol_market(symbol), market, "{symbol}");
        }
    }

    #[test]
    fn the_full_rest_book_bridges_nothing() {
        assert!(Okx.rest_fits("books50-l2-tbt", "books"));
        assert!(!Okx.rest_fits("books", "books-full"));
    }
}
