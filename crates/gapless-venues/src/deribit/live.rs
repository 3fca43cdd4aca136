//! Addresses and budgets (protocols.md 5.1, 5.2).

use super::rest::{AUTH_CODES, RETRY_CODES};
use super::{Deribit, LIST_PATH};
use crate::live::{Acks, Live, Rate, Refusal, Socket, Span, Wiring, chunks};
use crate::machine;
use crate::url;
use crate::venue::{Market, Topic};

/// Channels of one connection; the venue states no number.
const TOPICS_MAX: usize = 500;

impl Wiring for Deribit {
    fn live(&self) -> Live {
        Live {
            socket: "wss://www.deribit.com",
            rest: "https://www.deribit.com",
            channel: "book.100ms",
            topics_max: TOPICS_MAX,
            subscribes: Rate::new(3, 1_000),
            connects: Rate::new(20, 60_000),
            weight: Rate::new(15, 1_000),
            acks: Acks::Request,
            // Options are silent for minutes and healthy; heartbeats come every 30 s.
            silence_ms: 75_000,
            ..Live::UNSTATED
        }
    }

    fn sockets<'a>(&self, _: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
        chunks("/ws/api/v2", topics, TOPICS_MAX)
    }

    fn replays<'a>(&self, _: Market, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
        machine::sockets(topics, span, |_| "deribit")
    }

    /// Lists may be asked for once a second.
    fn weight(&self, path: &str) -> u32 {
        if url::path(path).ends_with(LIST_PATH) { self.live().weight.count } else { 1 }
    }

    fn lists(&self, _: Market, _: &[Topic<'_>]) -> Vec<String> {
        vec![format!("/api/v2{LIST_PATH}?currency=any&expired=false")]
    }

    fn refusal(&self, code: &str, _: &str) -> Refusal {
        match code.parse() {
            Ok(code) if RETRY_CODES.contains(&code) => Refusal::Later,
            Ok(code) if AUTH_CODES.contains(&code) => Refusal::Auth,
            _ => Refusal::Unknown,
        }
    }
}
