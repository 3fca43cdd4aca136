//! Sockets and budgets (protocols.md 7.1, 7.3, 7.5).

use super::request::split;
use super::{Relay, SubscribeForm};
use crate::live::{Live, Rate, Refusal, Socket, Wiring, chunks};
use crate::url;
use crate::venue::{Market, Topic};

impl Wiring for Relay {
    /// The bases are the flavour's.
    fn live(&self) -> Live {
        Live {
            subscribes: Rate::new(40, 1_000),
            sends: Rate::new(40, 1_000),
            weight: Rate::new(80, 1_000),
            // Connect anew when nothing has come for 30 s.
            silence_ms: 30_000,
            ..Live::UNSTATED
        }
    }

    fn sockets<'a>(&self, _: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
        if self.flavour.subscribe != SubscribeForm::Path {
            return chunks("", topics, self.live().topics_max);
        }
        let socket = |topic: &Topic<'a>| {
            let mut path = format!("/{}/", topic.channel);
            url::encode(split(topic.symbol).1, &mut path);
            Socket { path, topics: vec![*topic] }
        };
        topics.iter().map(socket).collect()
    }

    /// Errors have words and no code; the connection carries no topic that one could name.
    fn refusal(&self, _: &str, words: &str) -> Refusal {
        let words = words.to_ascii_lowercase();
        let about_key = ["api key", "signature", "unauthor", "forbidden"];
        if about_key.iter().any(|words_of_it| words.contains(words_of_it)) {
            Refusal::Auth
        } else if words.contains("limit") {
            Refusal::Later
        } else {
            Refusal::Topic
        }
    }

    /// Books are named by what each message says.
    fn book_channel<'c>(&self, _: &'c str) -> Option<&'c str> {
        None
    }
}
