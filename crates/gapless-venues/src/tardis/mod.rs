//! Tardis.dev: normalized messages, and the names that its data goes by.
//!
//! Spec: protocols.md 6.1, 6.2, 6.5. Raw replays are the venues' own frames and are read by the
//! venues; containers (timestamps before raw lines, CSV) are read by the replay crate.
//!
//! # Sequencing (`Chain::Unnumbered`)
//! 1. `book_change` with `isSnapshot` opens a book; before it, changes are ignored.
//! 2. Changes are applied in the order of the stream: there are no numbers, so a loss shows only
//!    as a `disconnect`, and a refused message makes the book not live until the next snapshot.
//! 3. `disconnect` voids every book of its exchange, or those of its `symbols` if it names any.
//! 4. `book_snapshot` and quotes are whole pictures of their own channel, named by `name`.
//!
//! # Not here
//! Files and compression; requests, since streams and replays are chosen by the URL.

pub mod instruments;
mod live;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use wire::message;

use crate::instruments::{InstrumentError, List};
use crate::scratch::Scratch;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// Wait after a 429: the budget is counted per minute (protocols.md 6.4).
const LIMIT_WAIT_MS: u64 = 60_000;
/// Wait after a failure of the server; whoever asks again backs off further.
const RETRY_WAIT_MS: u64 = 2_000;

/// What an exchange id of Tardis means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Our name of the venue.
    pub venue: &'static str,
    /// Its market; unknown where one id covers several.
    pub market: Market,
    /// The venue publishes a sample of its liquidations, not all of them.
    pub samples_liquidations: bool,
}

/// The meaning of an exchange id; `None` for those that we have no venue for. They are kept as
/// they are (`tardis:NAME`).
#[must_use]
pub fn venue_of(exchange: &str) -> Option<Source> {
    let (venue, market, samples_liquidations) = match exchange {
        "binance" => ("binance_spot", Market::Spot, true),
        "binance-us" => ("binance_us", Market::Spot, true),
        "binance-futures" => ("binance_usdm", Market::Linear, true),
        "binance-delivery" => ("binance_coinm", Market::Inverse, true),
        "bybit" => ("bybit", Market::Unknown, false),
        "bybit-spot" => ("bybit", Market::Spot, false),
        "bybit-options" => ("bybit", Market::Option, false),
        "okex" => ("okx", Market::Spot, true),
        "okex-futures" | "okex-swap" => ("okx", Market::Unknown, true),
        "okex-options" => ("okx", Market::Option, true),
        "deribit" => ("deribit", Market::Unknown, false),
        _ => return None,
    };
    Some(Source { venue, market, samples_liquidations })
}

/// Normalized messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tardis;

impl Venue for Tardis {
    fn parse<S: EventSink>(
        &self,
        context: &Context<'_>,
        frame: &[u8],
        scratch: &mut Scratch,
        sink: &mut S,
    ) {
        wire::parse(context, frame, scratch, sink);
    }

    fn rule(&self, channel: &str) -> Option<Rule> {
        match channel {
            "book_change" | "incremental_book_L2" => {
                Some(Rule::new(Chain::Unnumbered, Bridge::InStream))
            }
            _ => image_depth(channel)
                .map(|depth| Rule::new(Chain::Image, Bridge::InStream).depth(Some(depth))),
        }
    }

    fn list_path(&self) -> Option<&'static str> {
        Some("/v1/instruments/")
    }

    fn read_instruments(&self, body: &[u8]) -> Result<List, InstrumentError> {
        instruments::read(body)
    }

    fn claims(&self, url: &str, frame: &[u8]) -> Claim {
        let normalized = url.contains("replay-normalized") || url.contains("stream-normalized");
        if normalized || wire::is_normalized(frame) { Claim::Sure } else { Claim::No }
    }

    fn venue_of(&self, exchange: &str) -> Option<(&'static str, Market)> {
        venue_of(exchange).map(|source| (source.venue, source.market))
    }

    fn subscribe(&self, _: &[Topic<'_>], _: u64) -> Vec<String> {
        Vec::new()
    }

    fn unsubscribe(&self, _: &[Topic<'_>], _: u64) -> Vec<String> {
        Vec::new()
    }

    fn snapshot_request(&self, _: &str, _: &str, _: Market) -> Option<String> {
        None
    }

    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
        match answer.status {
            200..=299 => RestVerdict::Ok,
            401 | 403 => RestVerdict::Auth,
            429 => RestVerdict::StopAll { wait_ms: LIMIT_WAIT_MS },
            500..=599 => RestVerdict::Retry { wait_ms: RETRY_WAIT_MS },
            _ => RestVerdict::Refused,
        }
    }
}

/// Levels per side of a channel of whole pictures: `book_snapshot_25`, `book_snapshot_2_50ms`,
/// `book_snapshot_5_grouped10_1s`, `quote`, `quote_10s`.
fn image_depth(channel: &str) -> Option<u16> {
    if channel == "quote" || channel.starts_with("quote_") {
        return Some(1);
    }
    let depth = channel.strip_prefix("book_snapshot_")?.split('_').next()?;
    depth.parse().ok().filter(|depth| *depth > 0)
}
