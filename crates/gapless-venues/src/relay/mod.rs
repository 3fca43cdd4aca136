//! The relay dialect: the union of what five documents show of one service.
//!
//! Spec: protocols.md 7. Nothing of it could be checked against the service, so the parser reads
//! every shape shown and a [`Flavour`] says how to speak.
//!
//! # Sequencing
//! 1. `snapshot` messages and REST open a book of channel `book`; `delta` messages and those with
//!    levels, a sequence and no type edit it.
//! 2. Where a delta has a number it must be the last plus one (`Chain::Loose`); a delta without
//!    one is applied unchecked and the book's integrity is weak.
//! 3. `orderbook` and `book_depth` are whole pictures of their own channel (`Chain::ImageCounted`)
//!    unless the flavour says that they are deltas.
//! 4. `gap_detected` names no symbol: every book of the connection is in doubt.
//! 5. Where one count covers all channels of a symbol (`Scope::Symbol`), numbered messages of
//!    other kinds advance the book by an empty delta.
//! 6. Deltas that the relay repeats on request (`Flags::REPEATED`) fill the hole that they are of,
//!    in order and from its start, or do nothing.
//!
//! # Not here
//! Sockets, retries and the circuit breaker.

mod flavour;
mod live;
mod request;
#[cfg(test)]
mod tests;
mod verdict;
mod wire;

pub use flavour::{Auth, BookMode, Flavour, Scope, SnapshotForm, SubscribeForm};
pub use request::{Address, Post};

use crate::scratch::Scratch;
use crate::tardis::Tardis;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// The server closes what was idle for 60 s; a ping well before that (protocols.md 7.5).
const PING_MS: u64 = 20_000;

/// A relay, spoken to in one flavour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// How.
    pub flavour: Flavour,
}

impl Venue for Relay {
    fn parse<S: EventSink>(
        &self,
        context: &Context<'_>,
        frame: &[u8],
        scratch: &mut Scratch,
        sink: &mut S,
    ) {
        wire::parse(&self.flavour, context, frame, scratch, sink);
    }

    fn rule(&self, channel: &str) -> Option<Rule> {
        match channel {
            wire::BOOK => Some(Rule::new(Chain::Loose, Bridge::Either)),
            "orderbook" | "book_depth" => Some(Rule::new(Chain::ImageCounted, Bridge::InStream)),
            _ => Tardis.rule(channel),
        }
    }

    fn claims(&self, url: &str, frame: &[u8]) -> Claim {
        let host =
            url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        if host.ends_with("holysheep.ai") { Claim::Sure } else { wire::claim(frame) }
    }

    fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
        request::subscribed(text, each);
    }

    fn subscribe(&self, topics: &[Topic<'_>], _first_id: u64) -> Vec<String> {
        request::subscribe(&self.flavour, topics)
    }

    /// No way to unsubscribe is shown: close the connection and open one without the topics.
    fn unsubscribe(&self, _: &[Topic<'_>], _: u64) -> Vec<String> {
        Vec::new()
    }

    /// `symbol` may be written `exchange:symbol`.
    fn snapshot_request(&self, channel: &str, symbol: &str, _: Market) -> Option<String> {
        (channel == wire::BOOK).then(|| request::snapshot(&self.flavour, symbol)).flatten()
    }

    fn rest_edits(&self, url: &str) -> bool {
        wire::edits(url)
    }

    fn keepalive(&self) -> Option<(u64, &'static str)> {
        Some((PING_MS, ""))
    }

    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
        verdict::of(answer)
    }
}
