//! Sockets and budgets (protocols.md 7.1, 7.3, 7.5).

use super::request::{snapshot, split};
use super::{Relay, SubscribeForm, wire};
use crate::live::{Live, Lost, Rate, Refusal, Socket, Wiring, chunks};
use crate::url;
use crate::venue::{Market, Topic};

impl Wiring for Relay {
    /// The bases are the flavour's.
    fn live(&self) -> Live {
        Live {
            channel: "book_depth_20",
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
            Refusal::Unknown
        }
    }

    /// Books are named by what each message says.
    fn book_channel<'c>(&self, _: &'c str) -> Option<&'c str> {
        None
    }

    /// Only what we ask for ourselves is named before it comes.
    fn book_of<'t>(&self, topic: &Topic<'t>) -> Option<(&'t str, &'t str, &'t str)> {
        let is_polled = self.flavour.socket_base.is_empty() && topic.channel == wire::BOOK;
        let (exchange, symbol) = split(topic.symbol);
        is_polled.then_some((exchange, topic.channel, symbol))
    }

    /// Updates and pictures come under either word.
    fn brings(&self, topic: &Topic<'_>, book: (&str, &str, &str)) -> bool {
        let (exchange, channel, symbol) = book;
        let (own, name) = split(topic.symbol);
        let word = topic.channel;
        let says = word.starts_with(channel) || channel == wire::BOOK && word.contains(channel);
        let is_exchange = own.is_empty() || exchange.is_empty() || own == exchange;
        says && is_exchange && name.eq_ignore_ascii_case(symbol)
    }

    /// A snapshot first, then what came since its number; trades by their own count.
    fn poll(&self, topic: &Topic<'_>, since: Option<i64>) -> Option<String> {
        let mut path = match (topic.channel, since) {
            ("trades", _) => "/trades?exchange=".to_owned(),
            (wire::BOOK, Some(_)) => "/orderbook/delta?exchange=".to_owned(),
            (wire::BOOK, None) => return snapshot(&self.flavour, topic.symbol),
            _ => return None,
        };
        let (exchange, symbol) = split(topic.symbol);
        url::encode(exchange, &mut path);
        path.push_str("&symbol=");
        url::encode(symbol, &mut path);
        if let Some(since) = since {
            path.push_str(&format!("&since={since}"));
        }
        Some(path)
    }

    fn post_subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<(String, String)> {
        let posts = Self::post_subscribe(self, topics, first_id);
        posts.into_iter().map(|post| (post.path, post.body)).collect()
    }

    fn repeat(&self, lost: Lost<'_>, book: Option<&Topic<'_>>) -> Option<(String, String)> {
        let post = match lost {
            Lost::Notice(notice) => self.repeat_notice(notice, book),
            Lost::Range(first, last) => self.repeat_range(first, last, book),
        };
        post.map(|post| (post.path, post.body))
    }
}
