//! How a venue is connected to: addresses, sockets, budgets, life times.
//!
//! Values and plans only. What opens sockets asks a venue through [`Wiring`], which is the part of
//! a venue that can be asked without knowing which one it is.

use crate::venue::{HttpAnswer, Market, Topic};

/// So many units within any window of so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units.
    pub count: u32,
    /// Length of the window, ms.
    pub window_ms: u64,
}

impl Rate {
    /// So many units within any window of so many milliseconds.
    #[must_use]
    pub const fn new(count: u32, window_ms: u64) -> Self {
        Self { count, window_ms }
    }
}

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Not at all.
    None,
    /// Once a request.
    Request,
    /// Once for each topic of a request.
    Topic,
}

/// Habits and bounds of live connections to a venue. Rates are below what the venue states, so
/// that what is not counted here (pongs, clocks that differ) does not pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Base of WebSocket addresses, where the configuration names none.
    pub socket: &'static str,
    /// Base of HTTP addresses.
    pub rest: &'static str,
    /// Channel of whole books, where the configuration names none.
    pub channel: &'static str,
    /// Most topics of a connection.
    pub topics_max: usize,
    /// Frames that a client may send on a connection.
    pub sends: Rate,
    /// Requests that subscribe or unsubscribe, on a connection.
    pub subscribes: Rate,
    /// Connections that may be tried from one address.
    pub connects: Rate,
    /// Weight of HTTP requests that one address may spend.
    pub weight: Rate,
    /// How requests are answered.
    pub acks: Acks,
    /// The server ends a connection after so long, ms.
    pub lifetime_ms: Option<u64>,
    /// A connection without data for so long is broken, ms.
    pub silence_ms: u64,
}

impl Live {
    /// What holds where a venue says nothing.
    pub const UNSTATED: Self = Self {
        socket: "",
        rest: "",
        channel: "",
        topics_max: 1024,
        sends: Rate::new(10, 1_000),
        subscribes: Rate::new(10, 1_000),
        connects: Rate::new(60, 60_000),
        weight: Rate::new(80, 1_000),
        acks: Acks::None,
        lifetime_ms: None,
        silence_ms: 10_000,
    };
}

/// What a refused request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// One of its topics is not to be had: the venue says so.
    Topic,
    /// Nothing tells whether it is for one of its topics or will pass.
    Unknown,
    /// It came too early: the same may be granted later.
    Later,
    /// The credentials are refused.
    Auth,
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost<'a> {
    /// What a notice names, raw JSON.
    Notice(&'a str),
    /// First and last number.
    Range(i64, i64),
}

/// A connection that a set of topics needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket<'a> {
    /// Path and query of its URL, after the base.
    pub path: String,
    /// What to subscribe on it.
    pub topics: Vec<Topic<'a>>,
}

/// What a driver asks of a venue.
pub trait Wiring {
    /// Its habits and bounds.
    fn live(&self) -> Live;

    /// The connections that these topics need.
    fn sockets<'a>(&self, market: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>>;

    /// What an HTTP request weighs; `path` is path and query.
    fn weight(&self, path: &str) -> u32 {
        let _ = path;
        1
    }

    /// Weight that this address has used in the current window, as the venue counts it.
    fn used_weight(&self, answer: &HttpAnswer<'_>) -> Option<u32> {
        let _ = answer;
        None
    }

    /// Paths and queries of the lists that say what these topics' symbols are; the first pages,
    /// where a list has several. Empty where the venue has none that could be asked.
    fn lists(&self, market: Market, topics: &[Topic<'_>]) -> Vec<String> {
        let _ = (market, topics);
        Vec::new()
    }

    /// What a refusal means, by its code and words as they stand in the message.
    fn refusal(&self, code: &str, words: &str) -> Refusal {
        let _ = (code, words);
        Refusal::Unknown
    }

    /// Name of a topic's channel in events, where that can be told before any came.
    fn book_channel<'c>(&self, channel: &'c str) -> Option<&'c str> {
        Some(channel)
    }

    /// Exchange, channel and symbol of a topic's book, where they can be told before anything came.
    fn book_of<'t>(&self, topic: &Topic<'t>) -> Option<(&'t str, &'t str, &'t str)> {
        self.book_channel(topic.channel).map(|channel| ("", channel, topic.symbol))
    }

    /// Whether a topic brings a book, which is named by exchange, channel and symbol.
    fn brings(&self, topic: &Topic<'_>, book: (&str, &str, &str)) -> bool {
        self.book_of(topic) == Some(book)
    }

    /// Path and query that ask for what is new of a topic, where it is polled; `since`: the last
    /// number that is known.
    fn poll(&self, topic: &Topic<'_>, since: Option<i64>) -> Option<String> {
        let _ = (topic, since);
        None
    }

    /// Requests that subscribe beside the socket: path and JSON body of each.
    fn post_subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<(String, String)> {
        let _ = (topics, first_id);
        Vec::new()
    }

    /// Path and JSON body of the request to repeat what was lost: numbers as they stand in a
    /// notice, or those of a hole.
    fn repeat(&self, lost: Lost<'_>, book: Option<&Topic<'_>>) -> Option<(String, String)> {
        let _ = (lost, book);
        None
    }
}

/// A path for each of these words, once, in the order of the words.
pub(crate) fn distinct(
    words: impl Iterator<Item = String>,
    path: impl Fn(&str) -> String,
) -> Vec<String> {
    let words: std::collections::BTreeSet<String> = words.filter(|word| !word.is_empty()).collect();
    words.iter().map(|word| path(word)).collect()
}

/// Sockets of one path, each with at most so many topics.
pub(crate) fn chunks<'a>(path: &str, topics: &[Topic<'a>], most: usize) -> Vec<Socket<'a>> {
    let socket = |part: &[Topic<'a>]| Socket { path: path.to_owned(), topics: part.to_vec() };
    topics.chunks(most).map(socket).collect()
}
