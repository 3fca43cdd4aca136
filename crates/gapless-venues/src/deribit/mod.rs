//! Deribit v2, JSON-RPC over WebSocket.
//!
//! Spec: <https://docs.deribit.com/#book-instrument_name-interval>, read 2026-11 (protocols.md
//! section 5). Numbers are JSON numbers in float dress (`42500.0`, `1.742e-05`); they are read as
//! exact decimals. Sizes are USD on inverse contracts, base currency elsewhere.
//!
//! # Sequencing of `book.{instrument}.{raw|100ms|agg2}`
//! 1. `type: snapshot` replaces the book; its `change_id` is the anchor. Where `type` is absent
//!    (old recordings) a message without `prev_change_id`, or with 0, is the snapshot.
//! 2. A change follows when its `prev_change_id` is the anchor. Ids are not contiguous.
//! 3. A change whose `change_id` is at or below the anchor is a repeat.
//! 4. Anything else is a gap, also a `change` without `prev_change_id`: unsubscribe, subscribe.
//!
//! `book.{instrument}.{group}.{depth}.{interval}` sends whole images.
//!
//! # Not here
//! Sockets, timers and budgets; gap decisions (`gapless_book::sequence`).

pub mod instruments;
mod live;
mod request;
mod rest;
mod topic;
mod wire;

use crate::claim::{by_host, by_signs};
use crate::instruments::{InstrumentError, List};
use crate::scratch::Scratch;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// End of the path of the lists of instruments.
const LIST_PATH: &str = "/public/get_instruments";

/// The translator of this venue's dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deribit;

impl Venue for Deribit {
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
        let signs = by_signs(frame, &["\"jsonrpc\":\"2.0\""]);
        by_host(url, &["deribit.com"]).max(signs)
    }

    fn rule(&self, channel: &str) -> Option<Rule> {
        let rule = match topic::book(channel.strip_prefix("book.")?)? {
            topic::Book::Changes => Rule::new(Chain::Linked, Bridge::InStream),
            topic::Book::Images { depth } => {
                Rule::new(Chain::Image, Bridge::InStream).depth(Some(depth))
            }
        };
        Some(rule)
    }

    fn symbol_market(&self, symbol: &str) -> Market {
        let (base, rest) = match symbol.split_once('-') {
            Some((base, rest)) => (base, Some(rest)),
            None => (symbol, None),
        };
        let linear = base.contains('_');
        match rest.map(|rest| rest.split('-').count()) {
            None if linear => Market::Spot,
            Some(1) if linear => Market::Linear,
            Some(1) => Market::Inverse,
            Some(3) if symbol.ends_with("-C") || symbol.ends_with("-P") => Market::Option,
            _ => Market::Unknown,
        }
    }

    fn left_out(&self, requested: &[Topic<'_>], topics: &str) -> Vec<usize> {
        request::left_out(requested, topics)
    }

    fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
        request::read(text, each);
    }

    fn opening(&self) -> Option<&'static str> {
        Some(request::HEARTBEATS)
    }

    fn subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("public/subscribe", topics, first_id)
    }

    fn unsubscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
        request::write("public/unsubscribe", topics, first_id)
    }

    /// The stream gives its own snapshots; the REST book serves audits only.
    fn snapshot_request(&self, _: &str, _: &str, _: Market) -> Option<String> {
        None
    }

    fn heartbeat_answer(&self, id: u64) -> Option<String> {
        Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"public/test","params":{{}}}}"#))
    }

    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
        rest::verdict(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_chained_and_grouped_books_are_images() {
        let changes = Some(Rule::new(Chain::Linked, Bridge::InStream));
        let images = |depth| Some(Rule::new(Chain::Image, Bridge::InStream).depth(Some(depth)));
        for (channel, rule) in [
            ("book.raw", changes),
            ("book.100ms", changes),
            ("book.agg2", changes),
            ("book.none.10.100ms", images(10)),
            ("book.25.1.agg2", images(1)),
            ("book.2.5.20.100ms", images(20)),
            ("book", None),
            ("book.none.x.100ms", None),
            ("book.none.10", None),
            ("trades.raw", None),
            ("quote", None),
        ] {
            assert_eq!(Deribit.rule(channel), rule, "{channel}");
        }
    }

    #[test]
    fn a_symbol_tells_its_market() {
        for (symbol, market) in [
            ("BTC-PERPETUAL", Market::Inverse),
            ("BTC-25JUN21", Market::Inverse),
            ("XRP_USDC-PERPETUAL", Market::Linear),
            ("BTC_USDC", Market::Spot),
            ("BTC-11JUN21-25000-P", Market::Option),
            ("XRP_USDC-30JUN23-0d625-C", Market::Option),
            ("BTC-CS-19MAY26-70000_75000", Market::Unknown),
            ("", Market::Unknown),
        ] {
            assert_eq!(Deribit.symbol_market(symbol), market, "{symbol}");
        }
    }

    #[test]
    fn a_test_request_is_answered_with_a_test() {
        let expected = r#"{"jsonrpc":"2.0","id":9,"method":"public/test","params":{}}"#;
        assert_eq!(Deribit.heartbeat_answer(9).as_deref(), Some(expected));
    }
}
