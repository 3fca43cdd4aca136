//! What to send to a relay, in the form of its flavour.
//!
//! A topic's symbol may be written `exchange:symbol`; flavours that name the exchange apart get it
//! from there.

use super::flavour::{Auth, Flavour, SnapshotForm, SubscribeForm};
use super::{Relay, wire};
use crate::scan::{Field, Value};
use crate::url;
use crate::venue::Topic;
use core::fmt::Write as _;

/// Symbols per request: no limit is shown but 50 requests a second.
const BATCH: usize = 100;
/// Levels asked of a snapshot by symbol: what the documents ask when they resync.
const SNAPSHOT_DEPTH: u16 = 100;

/// Where to connect, with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// URL; holds the key where the flavour wants it there, so it must not be logged.
    pub url: String,
    /// Value of the `Authorization` header, where the flavour wants one.
    pub authorization: Option<String>,
}

/// An HTTP request with a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Path under the flavour's base.
    pub path: String,
    /// Body.
    pub body: String,
}

impl Relay {
    /// Where to connect the socket; `topic` matters to flavours that have one socket per topic.
    #[must_use]
    pub fn socket(&self, key: &str, topic: &Topic<'_>) -> Address {
        let mut url = self.flavour.socket_base.to_string();
        if self.flavour.subscribe == SubscribeForm::Path {
            let _ = write!(url, "/{}/", topic.channel);
            url::encode(split(topic.symbol).1, &mut url);
        }
        address(url, self.flavour.socket_auth, key)
    }

    /// Where to send an HTTP request whose path, with its query, is given.
    #[must_use]
    pub fn http(&self, key: &str, path: &str) -> Address {
        address(format!("{}{path}", self.flavour.rest_base), self.flavour.rest_auth, key)
    }

    /// Requests that subscribe these topics beside the socket, where the flavour wants that.
    #[must_use]
    pub fn post_subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<Post> {
        if self.flavour.subscribe != SubscribeForm::Post {
            return Vec::new();
        }
        topics.iter().zip(first_id..).map(|(topic, id)| post(topic, id)).collect()
    }

    /// The request to repeat what a `gap_detected` names, its bounds as they stand there. `None`
    /// if the flavour has no such request or the notice no bounds.
    #[must_use]
    pub fn repeat_notice(&self, notice: &str, book: Option<&Topic<'_>>) -> Option<Post> {
        let value = Value::frame(notice.as_bytes()).ok()?;
        let [start, end] = value.object(["start", "end"]).ok()?;
        self.repeat(start.present()?.raw(), end.present()?.raw(), book)
    }

    /// As [`Relay::repeat_notice`], for a hole between two sequence numbers, both missing.
    #[must_use]
    pub fn repeat_range(&self, first: i64, last: i64, book: Option<&Topic<'_>>) -> Option<Post> {
        self.repeat(&first.to_string(), &last.to_string(), book)
    }

    fn repeat(&self, start: &str, end: &str, book: Option<&Topic<'_>>) -> Option<Post> {
        let path = self.flavour.replay_path.as_ref()?.to_string();
        let mut body = format!("{{\"start\":{start},\"end\":{end}");
        if let Some(topic) = book.filter(|_| self.flavour.replay_names_book) {
            let (exchange, symbol) = split(topic.symbol);
            for (name, text) in
                [("exchange", exchange), ("symbol", symbol), ("channel", topic.channel)]
            {
                let _ = write!(body, ",\"{name}\":");
                quote(text, &mut body);
            }
        }
        body.push('}');
        Some(Post { path, body })
    }
}

fn address(mut url: String, auth: Auth, key: &str) -> Address {
    if auth == Auth::Bearer {
        return Address { url, authorization: Some(format!("Bearer {key}")) };
    }
    url.push_str(if url.contains('?') { "&key=" } else { "?key=" });
    url::encode(key, &mut url);
    Address { url, authorization: None }
}

/// Exchange and symbol of `exchange:symbol`; the exchange is empty if it is not named.
pub(super) fn split(symbol: &str) -> (&str, &str) {
    let exchange = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
    };
    symbol.split_once(':').filter(|(prefix, _)| exchange(prefix)).unwrap_or(("", symbol))
}

/// Frames that subscribe; forms that send none give none.
pub(super) fn subscribe(flavour: &Flavour, topics: &[Topic<'_>]) -> Vec<String> {
    match flavour.subscribe {
        SubscribeForm::Post | SubscribeForm::Path => Vec::new(),
        SubscribeForm::Bare if topics.is_empty() => Vec::new(),
        SubscribeForm::Bare => {
            let channels = distinct(topics.iter().map(|topic| topic.channel.to_owned()));
            vec![format!("{{\"subscribe\":{}}}", list(&channels))]
        }
        SubscribeForm::Channels | SubscribeForm::Exchanges => {
            let channels = distinct(topics.iter().map(|topic| topic.channel));
            channels.into_iter().flat_map(|channel| of_channel(flavour, topics, channel)).collect()
        }
    }
}

/// The requests of one channel: lists of channels and symbols would mean every pair of them.
fn of_channel(flavour: &Flavour, topics: &[Topic<'_>], channel: &str) -> Vec<String> {
    let own: Vec<&str> = topics.iter().filter(|t| t.channel == channel).map(|t| t.symbol).collect();
    own.chunks(BATCH).map(|symbols| one(flavour, channel, symbols)).collect()
}

fn one(flavour: &Flavour, channel: &str, symbols: &[&str]) -> String {
    let names = distinct(symbols.iter().map(|symbol| written(flavour, symbol)));
    let channels = list(&[channel.to_owned()]);
    if flavour.subscribe == SubscribeForm::Channels {
        let symbols = list(&names);
        return format!("{{\"type\":\"subscribe\",\"channels\":{channels},\"symbols\":{symbols}}}");
    }
    let exchanges = symbols.iter().map(|symbol| split(symbol).0.to_owned());
    let exchanges = distinct(exchanges.filter(|exchange| !exchange.is_empty()));
    format!(
        "{{\"subscribe\":{channels},\"exchanges\":{},\"symbols\":{}}}",
        list(&exchanges),
        list(&names)
    )
}

fn written(flavour: &Flavour, symbol: &str) -> String {
    if flavour.prefixed_symbols { symbol.to_lowercase() } else { split(symbol).1.to_owned() }
}

fn post(topic: &Topic<'_>, id: u64) -> Post {
    let (exchange, symbol) = split(topic.symbol);
    let exchanges = if exchange.is_empty() { Vec::new() } else { vec![exchange.to_owned()] };
    let mut body = format!(
        "{{\"method\":\"subscribe\",\"params\":{{\"exchanges\":{},\"channel\":",
        list(&exchanges)
    );
    quote(topic.channel, &mut body);
    body.push_str(",\"symbol\":");
    quote(symbol, &mut body);
    let _ = write!(body, ",\"include_raw_timestamp\":true}},\"id\":{id}}}");
    Post { path: "/ws/subscribe".to_owned(), body }
}

/// Path and query of a snapshot.
pub(super) fn snapshot(flavour: &Flavour, symbol: &str) -> Option<String> {
    let (exchange, symbol) = split(symbol);
    let mut path = match flavour.snapshot {
        SnapshotForm::None => return None,
        SnapshotForm::Snapshot => "/orderbook/snapshot".to_owned(),
        SnapshotForm::Cached => "/tardis/orderbook".to_owned(),
        SnapshotForm::Symbol => {
            let mut path = "/orderbook/".to_owned();
            url::encode(symbol, &mut path);
            let _ = write!(path, "?depth={SNAPSHOT_DEPTH}");
            return Some(path);
        }
    };
    path.push_str("?exchange=");
    url::encode(exchange, &mut path);
    path.push_str("&symbol=");
    url::encode(symbol, &mut path);
    Some(path)
}

/// Tells the topic that a socket's URL names, or those of a request.
pub(super) fn subscribed(text: &str, each: &mut dyn FnMut(Topic<'_>)) {
    let place = wire::Place::of_socket(text);
    if !place.channel.is_empty() && !place.symbol.is_empty() {
        each(Topic { channel: place.channel, symbol: place.symbol });
    }
    let Ok(value) = Value::frame(text.as_bytes()) else { return };
    let Ok([a, b, symbols]) = value.object(["channels", "subscribe", "symbols"]) else { return };
    let strings = |value: Option<Value<'_>>| -> Vec<String> {
        let all = value.into_iter().flat_map(|v| v.elements().into_iter().flatten().flatten());
        all.filter_map(|v| v.string().ok().map(str::to_owned)).collect()
    };
    let symbols = strings(symbols);
    for channel in strings(a.or(b)) {
        for symbol in &symbols {
            each(Topic { channel: &channel, symbol });
        }
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn list(items: &[String]) -> String {
    let mut text = "[".to_owned();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        quote(item, &mut text);
    }
    text.push(']');
    text
}

/// Appends a JSON string.
fn quote(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => into.extend(['\\', c]),
            '\0'..=' ' if c != ' ' => {
                let _ = write!(into, "\\u{:04x}", u32::from(c));
            }
            c => into.push(c),
        }
    }
    into.push('"');
}
