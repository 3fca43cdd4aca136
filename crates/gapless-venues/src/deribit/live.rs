//! Addresses and budgets (protocols.md 5.1, 5.2).

use super::Deribit;
use super::rest::{AUTH_CODES, RETRY_CODES};
use crate::live::{Acks, Live, Rate, Refusal, Socket, Wiring, chunks};
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

    fn refusal(&self, code: &str, _: &str) -> Refusal {
        match code.parse() {
            Ok(code) if RETRY_CODES.contains(&code) => Refusal::Later,
            Ok(code) if AUTH_CODES.contains(&code) => Refusal::Auth,
            _ => Refusal::Unknown,
        }
    }
}
