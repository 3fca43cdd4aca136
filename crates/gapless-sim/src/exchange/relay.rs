//! The HolySheep relay, in the four ways in which its documents speak over a WebSocket, and over
//! polled REST.
//!
//! Each path has its own shapes, which are topics of their own here: `/ws` (key in the query,
//! symbols with their exchange), `/v1/tardis/stream` (bearer, payloads under `data`),
//! `/v1/ws/CHANNEL/SYMBOL` (bearer, nothing is subscribed, snapshot and deltas) and `/v1/ws` (key
//! in the query, subscribed over HTTP). Numbers are contiguous for a channel of a symbol.

use std::collections::BTreeMap;

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;
use serde_json::Value;

use super::desk::{Connection, Desk};
use super::faults::{Fault, Point};
use super::setup::Setup;
use super::speaker::{Access, Said, Speaker, join, whole};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::dialect::image::{Change, Changes};
use crate::dialect::json::{Object, array};
use crate::dialect::millis;
use crate::market::{Activity, Symbol, Trade};
use crate::number::js_number;

const SECOND_NS: u64 = 1_000_000_000;
/// Silence of a client after which its connection ends.
const IDLE_NS: u64 = 60 * SECOND_NS;
/// Levels of a book.
const DEPTH: usize = 20;
/// Where sequences begin.
const FIRST: i64 = 1_200_000;

/// A path and its shapes.
const PREFIXED: &str = "prefixed";
const SCORED: &str = "scored";
const PER_TOPIC: &str = "per_topic";
pub(super) const REPLAYED: &str = "replayed";
/// The books that REST knows, which follow the market whether or not anybody listens.
const POLLED: &str = "polled";

/// The words and numbers of the relay.
#[derive(Debug)]
pub(super) struct Relay {
    /// Number of the last message of each topic that is no book.
    told: BTreeMap<String, i64>,
}

/// Path, exchange, symbol and channel of a topic.
fn parts(topic: &str) -> Option<[&str; 4]> {
    let mut parts = topic.splitn(4, ':');
    Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
}

fn strings(message: &Value, key: &str) -> Vec<String> {
    let list = message.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

impl Relay {
    pub const fn new(_setup: &Setup) -> Self {
        Self { told: BTreeMap::new() }
    }

    fn channel(name: &str) -> Option<Channel> {
        Some(match name {
            "orderbook" | "book_depth_20" => Channel::Book {
                depth: Some(DEPTH),
                interval_ns: 100_000_000,
                opens: true,
                touched: false,
            },
            "trades" => Channel::Trades,
            "liquidations" => Channel::Liquidations,
            "funding" => Channel::Reference { seconds: 5 },
            _ => return None,
        })
    }

    /// Subscribes one channel of a symbol on every exchange that was meant.
    fn subscribe(
        &mut self,
        desk: &mut Desk,
        conn: Conn,
        class: &str,
        channel: &str,
        (exchanges, symbol): (&[String], &str),
    ) {
        let Some(kind) = Self::channel(channel) else { return };
        let symbol = symbol.to_uppercase();
        let meant = desk.setup.symbols.iter().map(|listing| (listing.class, &listing.spec.name));
        let meant = meant.filter(|(exchange, name)| {
            **name == symbol && (exchanges.is_empty() || exchanges.iter().any(|e| e == exchange))
        });
        let exchanges: Vec<&str> = meant.map(|(exchange, _)| exchange).collect();
        // A path without an exchange means the first that has the symbol.
        let most = if class == PER_TOPIC { 1 } else { exchanges.len() };
        for exchange in exchanges.into_iter().take(most) {
            let name = format!("{class}:{exchange}:{symbol}:{channel}");
            let index = desk.listed(exchange, &symbol);
            let topic = desk.open(&name, index, kind, || FIRST);
            join(self, desk, conn, topic);
        }
    }

    fn subscribe_all(&mut self, desk: &mut Desk, conn: Conn, class: &str, message: &Value) {
        if !desk.request(conn) {
            desk.count("limit: requests");
            return desk.say(conn, r#"{"error":"Rate limit exceeded","retry_after":1}"#);
        }
        if let Some(fault @ Fault::SubscribeError) = desk.strike(Point::Subscribe, None) {
            desk.faults.count(fault);
            return desk.say(conn, r#"{"error":"Exchange connection failed"}"#);
        }
        let mut channels = strings(message, "channels");
        channels.extend(strings(message, "subscribe"));
        let (exchanges, mut symbols) = (strings(message, "exchanges"), strings(message, "symbols"));
        if symbols.is_empty() {
            symbols = desk.setup.symbols.iter().map(|listing| listing.spec.name.clone()).collect();
            symbols.dedup();
        }
        for symbol in &symbols {
            let (own, symbol) = match symbol.split_once(':') {
                Some((exchange, symbol)) => (vec![exchange.to_owned()], symbol),
                None => (exchanges.clone(), symbol.as_str()),
            };
            for channel in &channels {
                self.subscribe(desk, conn, class, channel, (&own, symbol));
            }
        }
    }

    /// The form over HTTP: for every connection that waits for it.
    fn post_subscribe(&mut self, desk: &mut Desk, body: &str) -> Answer {
        let message: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        let word = |key: &str| params.get(key).and_then(Value::as_str).map(str::to_owned);
        let (Some(channel), Some(symbol)) = (word("channel"), word("symbol")) else {
            return Answer::json(r#"{"error":"Bad request"}"#).with_status(400);
        };
        let exchanges = strings(&params, "exchanges");
        for conn in desk.connections() {
            if desk.connection(conn).is_some_and(|connection| connection.class == REPLAYED) {
                self.subscribe(desk, conn, REPLAYED, &channel, (&exchanges, &symbol));
            }
        }
        Answer::json(r#"{"success":true,"stream_id":"ls_sim"}"#)
    }

    /// The topic of a book over REST, and whether one was asked for.
    fn polled(&self, desk: &mut Desk, request: &Request<'_>) -> Option<usize> {
        let symbol = self.wants_book(desk, request)?;
        let listing = &desk.setup.symbols[symbol];
        let name = format!("{POLLED}:{}:{}:orderbook", listing.class, listing.spec.name);
        let channel = Self::channel("orderbook")?;
        Some(desk.open(&name, Some(symbol), channel, || FIRST))
    }

    fn orderbook(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        let topic = self.polled(desk, request);
        let known = topic.and_then(|topic| {
            let topic = desk.topic(topic);
            Some((topic.symbol?, topic.stream.as_ref()?.history.clone()))
        });
        let Some((symbol, history)) = known else {
            return Answer::json(r#"{"error":"Unknown symbol"}"#).with_status(404);
        };
        if request.path().ends_with("/delta") {
            let since = request.query("since").and_then(|since| since.parse().ok());
            let steps = history.since(since.unwrap_or(0));
            let symbol = desk.symbol(symbol);
            return Answer::json(array(steps.iter().map(|(seq, changes)| {
                let row = Object::new().text("symbol", &symbol.spec.name);
                let row = row.raw("bids", objects(symbol, &changes.bids));
                row.raw("asks", objects(symbol, &changes.asks)).raw("sequence", seq).close()
            })));
        }
        let (book, seq) = (history.image().clone(), history.seq());
        let (book, seq, name) = desk.rest_book(symbol, topic, book, seq);
        let depth = request.query("depth").and_then(|depth| depth.parse().ok()).unwrap_or(DEPTH);
        let (changes, symbol) = (whole(&book.top(depth)), desk.symbol(symbol));
        let body = Object::new().text("symbol", name).raw("bids", objects(symbol, &changes.bids));
        let body = body.raw("asks", objects(symbol, &changes.asks)).raw("sequence", seq);
        Answer::json(body.raw("timestamp", millis(desk.now_ns)).close())
    }

    /// Messages of books again, by their numbers.
    fn replay(&self, desk: &Desk, body: &str) -> Answer {
        let range: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let bound = |key: &str| range.get(key).and_then(Value::as_i64);
        let (Some(start), Some(end)) = (bound("start"), bound("end")) else {
            return Answer::json(r#"{"error":"Bad request"}"#).with_status(400);
        };
        let mut rows = Vec::new();
        for topic in desk.topics().iter().filter(|topic| topic.name.starts_with(REPLAYED)) {
            let (Some(symbol), Some(stream)) = (topic.symbol, &topic.stream) else { continue };
            for seq in start..=end.min(start.saturating_add(1_000)) {
                let Some(image) = stream.history.at(seq) else { continue };
                rows.push(image_text(&topic.name, desk.symbol(symbol), &whole(&image), seq));
            }
        }
        Answer::json(array(rows.into_iter()))
    }

    fn key_of(request: &Request<'_>) -> Option<String> {
        let bearer = request.header("authorization").and_then(|h| h.strip_prefix("Bearer "));
        bearer.map(str::to_owned).or_else(|| request.query("key"))
    }

    fn next(&mut self, topic: &str) -> i64 {
        let told = self.told.entry(topic.to_owned()).or_insert(FIRST);
        *told += 1;
        *told
    }
}

fn unauthorised() -> Answer {
    Answer::json(r#"{"error":"Invalid API key"}"#).with_status(401)
}

/// Levels as objects, as over REST.
fn objects(symbol: &Symbol, changes: &[Change]) -> String {
    let grid = symbol.spec.grid;
    array(changes.iter().map(|c| {
        let (price, qty) = (grid.price(c.ticks), grid.qty(c.now));
        format!(r#"{{"price":"{price}","quantity":"{qty}"}}"#)
    }))
}

/// Levels as pairs of numbers.
fn pairs(symbol: &Symbol, changes: &[Change]) -> String {
    let grid = symbol.spec.grid;
    let pair =
        |c: &Change| format!("[{},{}]", js_number(grid.price(c.ticks)), js_number(grid.qty(c.now)));
    array(changes.iter().map(pair))
}

/// A whole image in the shape of its path.
fn image_text(topic: &str, symbol: &Symbol, changes: &Changes, seq: i64) -> String {
    let (bids, asks) = (pairs(symbol, &changes.bids), pairs(symbol, &changes.asks));
    let [class, exchange, name, _] = parts(topic).unwrap_or_default();
    if class == PREFIXED {
        let name = format!("{exchange}:{}", name.to_lowercase());
        let text = Object::new().text("type", "book_depth").text("symbol", name);
        return text.raw("bids", bids).raw("asks", asks).raw("seqNum", seq).close();
    }
    let data = Object::new().text("symbol", name).text("exchange", exchange);
    let data = data.raw("bids", bids).raw("asks", asks).raw("seqNum", seq).close();
    Object::new().text("type", "orderbook").raw("data", data).close()
}

/// A payload in the shape of its path.
fn shaped(topic: &str, kind: &str, payload: Object) -> String {
    let [class, exchange, name, _] = parts(topic).unwrap_or_default();
    if class == PREFIXED {
        let name = format!("{exchange}:{}", name.to_lowercase());
        return payload.text("type", kind).text("symbol", name).close();
    }
    let data = payload.text("symbol", name).text("exchange", exchange).close();
    Object::new().text("type", kind).raw("data", data).close()
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

impl Speaker for Relay {
    fn begin(&mut self, _symbol: usize) -> i64 {
        FIRST
    }

    fn number(&mut self, stream: &Stream, _empty: bool, _now_ns: u64) -> Ids {
        let prev = stream.history.seq();
        let last = if stream.fall { FIRST / 2 } else { prev + 1 };
        Ids { first: last, last, prev }
    }

    /// The relay restarted: its numbers begin anew, far below.
    fn reset(&mut self, desk: &mut Desk, symbol: usize) -> bool {
        for topic in desk.topics_of(symbol) {
            if let Some(stream) = desk.topic_mut(topic).stream.as_mut() {
                (stream.fall, stream.restart) = (true, true);
            }
        }
        true
    }

    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize> {
        let rest = request.path().strip_prefix("/v1/").unwrap_or_default();
        let rest = rest.strip_prefix("tardis/").unwrap_or(rest);
        let path = rest.strip_prefix("orderbook")?;
        let name = match path.trim_start_matches('/') {
            "" | "snapshot" | "delta" => request.query("symbol")?,
            name => name.to_owned(),
        };
        match request.query("exchange") {
            Some(exchange) => desk.listed(&exchange, &name),
            None => desk.setup.symbols.iter().position(|listing| listing.spec.name == name),
        }
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let [class, ..] = parts(said.topic).unwrap_or_default();
        if class != PER_TOPIC {
            return image_text(said.topic, said.symbol, &whole(said.image), said.ids.last);
        }
        let kind = if said.snapshot { "snapshot" } else { "delta" };
        let text = Object::new().text("type", kind).raw("sequence", said.ids.last);
        let text = text.raw("bids", pairs(said.symbol, &said.changes.bids));
        text.raw("asks", pairs(said.symbol, &said.changes.asks)).close()
    }

    fn activity(
        &mut self,
        topic: &str,
        channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String> {
        let (grid, ms) = (symbol.spec.grid, millis(activity.at_ns));
        if channel == Channel::Liquidations {
            let forced = activity.liquidation.iter().map(|forced| {
                let data = Object::new().text("side", word(forced.order_side));
                let data = data.raw("price", js_number(grid.price(forced.bankruptcy_ticks)));
                let data = data.raw("size", js_number(grid.qty(forced.lots))).raw("timestamp", ms);
                shaped(topic, "liquidation", data)
            });
            return forced.collect();
        }
        let mut said = Vec::new();
        for Trade { ticks, lots, taker, .. } in &activity.trades {
            let (price, qty) = (js_number(grid.price(*ticks)), js_number(grid.qty(*lots)));
            let data = Object::new().raw("price", price).raw("size", qty);
            let data = data.text("side", word(*taker)).raw("timestamp", ms);
            said.push(shaped(topic, "trade", data.raw("seqNum", self.next(topic))));
        }
        said
    }

    fn best(&mut self, _topic: &str, _symbol: &Symbol, _seq: i64, _at_ns: u64) -> Option<String> {
        None
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, _first: bool, at_ns: u64) -> Vec<String> {
        let rate = js_number(Decimal::new(symbol.reference.funding_e8, 8));
        let data = Object::new().raw("rate", rate).raw("timestamp", millis(at_ns));
        vec![shaped(topic, "funding", data)]
    }

    fn upgrade(&mut self, desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        if Self::key_of(request).as_deref() != Some(desk.setup.key.as_str()) {
            return Err(unauthorised());
        }
        let (class, topics) = match request.path() {
            "/ws" => (PREFIXED, Vec::new()),
            "/v1/tardis/stream" => (SCORED, Vec::new()),
            "/v1/ws" => (REPLAYED, Vec::new()),
            path => {
                let topic = path.strip_prefix("/v1/ws/").filter(|topic| topic.contains('/'));
                (PER_TOPIC, vec![topic.ok_or_else(|| self.failure(404))?.to_owned()])
            }
        };
        Ok(Access { class: class.to_owned(), wrapped: false, topics })
    }

    fn opened(&mut self, desk: &mut Desk, conn: Conn, topics: &[String]) {
        for topic in topics {
            if let Some((channel, symbol)) = topic.split_once('/') {
                self.subscribe(desk, conn, PER_TOPIC, channel, (&[], symbol));
            }
        }
    }

    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str) {
        let class = desk.connection(conn).map(|c| c.class.clone()).unwrap_or_default();
        match serde_json::from_str::<Value>(text) {
            Ok(message) => self.subscribe_all(desk, conn, &class, &message),
            Err(_) => desk.say(conn, r#"{"error":"Bad request"}"#),
        }
    }

    fn second(&mut self, desk: &mut Desk, conn: Conn) {
        let now_ns = desk.now_ns;
        let idle = |c: &Connection| now_ns - c.heard_ns >= IDLE_NS;
        if desk.connection(conn).is_some_and(idle) {
            desk.close(conn, 1006, "idle");
        }
    }

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        if request.path() == "/v1/health" {
            return Answer::json(r#"{"status":"ok"}"#);
        }
        if Self::key_of(request).as_deref() != Some(desk.setup.key.as_str()) {
            return unauthorised();
        }
        match request.path() {
            "/v1/auth/verify" => Answer::json(r#"{"ok":true}"#),
            "/v1/ws/subscribe" => self.post_subscribe(desk, request.body),
            "/v1/replay" => self.replay(desk, request.body),
            "/v1/symbols" => {
                let name = |l: &super::setup::Listing| format!("\"{}:{}\"", l.class, l.spec.name);
                Answer::json(array(desk.setup.symbols.iter().map(name)))
            }
            "/v1/trades" => Answer::json("[]"),
            _ if self.wants_book(desk, request).is_some() => self.orderbook(desk, request),
            _ => Answer::json(r#"{"error":"Not found"}"#).with_status(404),
        }
    }

    fn refused(&self, wait_s: u64, _banned: bool) -> Answer {
        Answer::json(format!(r#"{{"error":"Rate limit exceeded","retry_after":{wait_s}}}"#))
            .with("Retry-After", wait_s)
            .with_status(429)
    }

    fn failure(&self, status: u16) -> Answer {
        let why = if status == 401 { "Invalid API key" } else { "Exchange connection failed" };
        Answer::json(format!(r#"{{"error":"{why}"}}"#)).with_status(status)
    }
}
