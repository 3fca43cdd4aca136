//! Deribit v2: JSON-RPC, numbers as JSON numbers, chained change ids.
//!
//! `book.X.INTERVAL` sends the whole book and then differences. A channel that does not exist is
//! left out of the answer to a subscription. Heartbeats are asked for by the client, who must
//! then answer every test request.

use gapless_book::event::Side;
use serde_json::Value;

use super::desk::Desk;
use super::faults::{Fault, Point};
use super::setup::Setup;
use super::speaker::{Access, Said, Speaker, join, whole};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::dialect::deribit as words;
use crate::dialect::image::Change;
use crate::dialect::json::{Object, array};
use crate::dialect::millis;
use crate::market::{Activity, Symbol};
use crate::number::python_float;
use crate::rng::Rng;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;
/// Shortest heartbeat that may be asked for.
const HEARTBEAT_MIN_S: u64 = 10;

/// The words and numbers of Deribit.
#[derive(Debug)]
pub(super) struct Deribit {
    /// One counter for all instruments.
    change_id: i64,
    rng: Rng,
}

impl Deribit {
    pub const fn new(setup: &Setup) -> Self {
        Self { change_id: 90_210_000_000, rng: Rng::new(setup.seed ^ 0x6465_7262) }
    }

    fn channel(desk: &Desk, name: &str) -> Option<(usize, Channel)> {
        let parts: Vec<&str> = name.split('.').collect();
        let symbol = desk.listed("", parts.get(1)?)?;
        let interval_ns = match *parts.last()? {
            "raw" => 10 * MS_NS,
            "agg2" => SECOND_NS,
            _ => 100 * MS_NS,
        };
        let channel = match *parts.as_slice() {
            ["book", _, "raw" | "100ms" | "agg2"] => {
                Channel::Book { depth: None, interval_ns, opens: true, touched: false }
            }
            ["book", _, _, depth, "100ms" | "agg2"] => {
                Channel::Image { depth: depth.parse().ok()?, interval_ns }
            }
            ["quote", _] => Channel::Best,
            ["trades", _, "raw" | "100ms" | "agg2"] => Channel::Trades,
            ["ticker" | "perpetual", _, "raw" | "100ms" | "agg2"] => Channel::Ticker,
            ["incremental_ticker", _] => Channel::Ticker,
            _ => return None,
        };
        Some((symbol, channel))
    }

    fn subscribe(&mut self, desk: &mut Desk, conn: Conn, id: &Value, names: &[&str]) {
        let known = desk.connection(conn).is_some_and(|connection| connection.known);
        if !known && names.iter().any(|name| name.ends_with(".raw")) {
            let why = "raw_subscriptions_not_available_for_unauthorized";
            return desk.say(conn, failed(id, 13778, why));
        }
        if !desk.has_room(conn, names.len()) {
            desk.count("limit: topics");
            return desk.say(conn, failed(id, 10028, "too_many_requests"));
        }
        let fault = desk.strike(Point::Subscribe, None);
        if let Some(fault) = fault {
            desk.faults.count(fault);
        }
        if fault == Some(Fault::SubscribeError) {
            return desk.say(conn, failed(id, 11051, "system_maintenance"));
        }
        let found = names.iter().filter_map(|n| Some((*n, Self::channel(desk, n)?)));
        let found: Vec<(&str, (usize, Channel))> = found.collect();
        if fault != Some(Fault::NoAck) {
            let list = array(found.iter().map(|(name, _)| format!("\"{name}\"")));
            let text = succeeded(id, &list, desk.now_ns);
            desk.say(conn, text);
        }
        for (name, (symbol, channel)) in found {
            let first = self.change_id;
            let topic = desk.open(name, Some(symbol), channel, || first);
            join(self, desk, conn, topic);
        }
    }

    fn unsubscribe(&mut self, desk: &mut Desk, conn: Conn, id: &Value, names: &[&str]) {
        let mut left = Vec::new();
        for name in names {
            if let Some(topic) = desk.topic_named(name)
                && desk.unsubscribe(conn, topic)
            {
                left.push(format!("\"{name}\""));
            }
        }
        let text = succeeded(id, &array(left.into_iter()), desk.now_ns);
        desk.say(conn, text);
    }

    fn call(&mut self, desk: &mut Desk, conn: Conn, message: &Value) {
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        let names = params.get("channels").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let changes = method.contains("subscribe");
        if changes && !desk.request(conn) {
            desk.count("limit: requests");
            return desk.say(conn, failed(&id, 10028, "too_many_requests"));
        }
        let ok = |desk: &mut Desk, result: &str| {
            let text = succeeded(&id, result, desk.now_ns);
            desk.say(conn, text);
        };
        match method {
            "public/subscribe" | "private/subscribe" => self.subscribe(desk, conn, &id, &names),
            "public/unsubscribe" | "private/unsubscribe" => {
                self.unsubscribe(desk, conn, &id, &names);
            }
            "public/unsubscribe_all" => {
                let topics = desk.connection(conn).map(|c| c.topics.clone()).unwrap_or_default();
                topics.into_iter().for_each(|topic| {
                    desk.unsubscribe(conn, topic);
                });
                ok(desk, r#""ok""#);
            }
            "public/set_heartbeat" => {
                let seconds = params.get("interval").and_then(Value::as_u64).unwrap_or(0);
                if seconds < HEARTBEAT_MIN_S {
                    return desk.say(conn, failed(&id, -32602, "Invalid params"));
                }
                if let Some(connection) = desk.connection_mut(conn) {
                    connection.heartbeat_ns = seconds * SECOND_NS;
                }
                ok(desk, r#""ok""#);
            }
            "public/disable_heartbeat" => {
                if let Some(connection) = desk.connection_mut(conn) {
                    connection.heartbeat_ns = 0;
                }
                ok(desk, r#""ok""#);
            }
            "public/test" => {
                if let Some(connection) = desk.connection_mut(conn) {
                    connection.pinged_ns = None;
                }
                ok(desk, r#"{"version":"1.2.26"}"#);
            }
            "public/auth" => self.authenticate(desk, conn, &id, &params),
            "public/hello" => ok(desk, r#"{"version":"1.2.26"}"#),
            _ => desk.say(conn, failed(&id, -32601, "Method not found")),
        }
    }

    fn authenticate(&mut self, desk: &mut Desk, conn: Conn, id: &Value, params: &Value) {
        // The id is the secret here too, so that a signature with any secret can be told by it.
        let word = |key: &str| params.get(key).and_then(Value::as_str);
        let signed = word("grant_type") == Some("client_signature") && word("signature").is_some();
        let shown = if signed { word("client_id") } else { word("client_secret") };
        if shown != Some(desk.setup.key.as_str()) {
            return desk.say(conn, failed(id, 13004, "invalid_credentials"));
        }
        if let Some(connection) = desk.connection_mut(conn) {
            connection.known = true;
        }
        let result = r#"{"access_token":"sim","expires_in":900,"token_type":"bearer"}"#;
        let text = succeeded(id, result, desk.now_ns);
        desk.say(conn, text);
    }

    fn order_book(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        let Some(symbol) = self.wants_book(desk, request) else {
            return Answer::json(failed(&Value::Null, -32602, "Invalid params")).with_status(400);
        };
        let topic = format!("book.{}.100ms", desk.symbol(symbol).spec.name);
        let channel =
            Channel::Book { depth: None, interval_ns: 100 * MS_NS, opens: true, touched: false };
        let first = self.change_id;
        let index = desk.open(&topic, Some(symbol), channel, || first);
        let Some(stream) = desk.topic(index).stream.as_ref() else { return self.failure(500) };
        let (book, seq) = (stream.history.image().clone(), stream.history.seq());
        let (book, seq, name) = desk.rest_book(symbol, Some(index), book, seq);
        let depth = request.query("depth").and_then(|depth| depth.parse().ok()).unwrap_or(5);
        let (changes, symbol) = (whole(&book.top(depth)), desk.symbol(symbol));
        let result = Object::new().raw("timestamp", millis(desk.now_ns)).text("state", "open");
        let result = result.text("instrument_name", name).raw("change_id", seq);
        let result = result.raw("bids", pairs(symbol, &changes.bids));
        let result = result.raw("asks", pairs(symbol, &changes.asks)).close();
        Answer::json(succeeded(&Value::Null, &result, desk.now_ns))
    }

    fn instruments(&self, desk: &Desk, request: &Request<'_>) -> Answer {
        let currency = request.query("currency").unwrap_or_else(|| "any".to_owned());
        let listed = (0..desk.gone.len()).filter(|at| !desk.gone[*at]).map(|at| desk.symbol(at));
        let of = |symbol: &&Symbol| {
            let linear = symbol.spec.name.contains("_USDC");
            let coin = symbol.spec.name.split(['-', '_']).next().unwrap_or_default();
            currency == "any" || currency == if linear { "USDC" } else { coin }
        };
        let rows = array(listed.filter(of).map(instrument));
        Answer::json(succeeded(&Value::Null, &rows, desk.now_ns))
    }
}

fn instrument(symbol: &Symbol) -> String {
    let (name, grid) = (&symbol.spec.name, symbol.spec.grid);
    let coin = name.split(['-', '_']).next().unwrap_or_default();
    let linear = name.contains("_USDC");
    let (quote, settle) = if linear { ("USDC", "USDC") } else { ("USD", coin) };
    let lot = python_float(grid.lot);
    let row = Object::new().raw("tick_size", python_float(grid.tick)).text("kind", "future");
    let row = row.text("settlement_period", "perpetual").text("quote_currency", quote);
    let row = row.raw("min_trade_amount", &lot).raw("contract_size", &lot).raw("is_active", true);
    let row = row.text("instrument_name", name).text("base_currency", coin);
    let row = row.text("settlement_currency", settle).text("counter_currency", quote);
    let row = row.text("instrument_type", if linear { "linear" } else { "reversed" });
    let row = row.raw("expiration_timestamp", 32_503_708_800_000_u64);
    let row = row.raw("creation_timestamp", 1_534_167_754_000_u64);
    row.raw("taker_commission", "0.0005").raw("maker_commission", "0.0").close()
}

/// Levels without actions.
fn pairs(symbol: &Symbol, changes: &[Change]) -> String {
    let grid = symbol.spec.grid;
    array(changes.iter().map(|c| {
        format!("[{},{}]", python_float(grid.price(c.ticks)), python_float(grid.qty(c.now)))
    }))
}

fn succeeded(id: &Value, result: &str, now_ns: u64) -> String {
    let us = now_ns / 1_000;
    let head = Object::new().text("jsonrpc", "2.0");
    let head = if id.is_null() { head } else { head.raw("id", id) };
    let body = head.raw("result", result).raw("usIn", us).raw("usOut", us + 420);
    body.raw("usDiff", 420).raw("testnet", false).close()
}

fn failed(id: &Value, code: i32, why: &str) -> String {
    let error = Object::new().raw("code", code).text("message", why).raw("data", "null").close();
    Object::new().text("jsonrpc", "2.0").raw("id", id).raw("error", error).close()
}

impl Speaker for Deribit {
    fn begin(&mut self, _symbol: usize) -> i64 {
        self.change_id
    }

    fn number(&mut self, stream: &Stream, _empty: bool, _now_ns: u64) -> Ids {
        self.change_id += i64::try_from(self.rng.between(1, 60)).unwrap_or(1);
        Ids { first: self.change_id, last: self.change_id, prev: stream.history.seq() }
    }

    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize> {
        let asked = request.path() == "/api/v2/public/get_order_book";
        request.query("instrument_name").filter(|_| asked).and_then(|n| desk.listed("", &n))
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let Said { symbol, at_ns, changes, ids, .. } = *said;
        if said.depth.is_some() {
            let data = Object::new().raw("timestamp", millis(at_ns));
            let data = data.text("instrument_name", &symbol.spec.name).raw("change_id", ids.last);
            let data = data.raw("bids", pairs(symbol, &changes.bids));
            let data = data.raw("asks", pairs(symbol, &changes.asks)).close();
            return words::notification(said.topic, &data);
        }
        let prev = (!said.snapshot).then_some(ids.prev);
        words::notification(said.topic, &words::book(symbol, (ids.last, prev), changes, at_ns))
    }

    fn activity(
        &mut self,
        topic: &str,
        _channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String> {
        if activity.trades.is_empty() {
            return Vec::new();
        }
        let fills = activity.trades.iter().map(|fill| words::trade(symbol, fill, activity.at_ns));
        vec![words::notification(topic, &array(fills))]
    }

    fn best(&mut self, topic: &str, symbol: &Symbol, _seq: i64, at_ns: u64) -> Option<String> {
        let (bid, ask) = (words::best(symbol, Side::Bid), words::best(symbol, Side::Ask));
        let data = Object::new().raw("timestamp", millis(at_ns));
        let data = data.text("instrument_name", &symbol.spec.name);
        let data = data.raw("best_bid_price", bid.0).raw("best_bid_amount", bid.1);
        let data = data.raw("best_ask_price", ask.0).raw("best_ask_amount", ask.1).close();
        Some(words::notification(topic, &data))
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, _first: bool, at_ns: u64) -> Vec<String> {
        if topic.starts_with("perpetual.") {
            let index = python_float(symbol.spec.grid.fine_price(symbol.reference.index_tenths));
            let data = Object::new().raw("interest", "0.00005").raw("index_price", index);
            let data = data.raw("timestamp", millis(at_ns)).close();
            return vec![words::notification(topic, &data)];
        }
        vec![words::notification(topic, &words::ticker(symbol, at_ns))]
    }

    fn upgrade(&mut self, _desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        if request.path() == "/ws/api/v2" {
            return Ok(Access::default());
        }
        Err(self.failure(404))
    }

    fn opened(&mut self, _desk: &mut Desk, _conn: Conn, _topics: &[String]) {}

    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str) {
        match serde_json::from_str::<Value>(text) {
            Ok(message) => self.call(desk, conn, &message),
            Err(_) => desk.say(conn, failed(&Value::Null, -32700, "Parse error")),
        }
    }

    /// Every interval a heartbeat and a test request; who did not answer the last is closed.
    fn second(&mut self, desk: &mut Desk, conn: Conn) {
        let now_ns = desk.now_ns;
        let Some(connection) = desk.connection_mut(conn) else { return };
        let interval_s = connection.heartbeat_ns / SECOND_NS;
        let age_s = (now_ns - connection.opened_ns) / SECOND_NS;
        if interval_s == 0 || age_s == 0 || !age_s.is_multiple_of(interval_s) {
            return;
        }
        if connection.pinged_ns.is_some() {
            return desk.close(conn, 1000, "heartbeat");
        }
        connection.pinged_ns = Some(now_ns);
        for kind in ["heartbeat", "test_request"] {
            let params = format!(r#"{{"type":"{kind}"}}"#);
            let beat = Object::new().text("jsonrpc", "2.0").text("method", "heartbeat");
            desk.say(conn, beat.raw("params", params).close());
        }
    }

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        match request.path() {
            "/api/v2/public/get_order_book" => self.order_book(desk, request),
            "/api/v2/public/get_instruments" => self.instruments(desk, request),
            "/api/v2/public/get_time" => {
                let ms = millis(desk.now_ns).to_string();
                Answer::json(succeeded(&Value::Null, &ms, desk.now_ns))
            }
            "/api/v2/public/get_currencies" => {
                let coin =
                    |name: &str| format!(r#"{{"currency":"{name}","currency_long":"{name}"}}"#);
                let coins = array(["BTC", "ETH", "USDC"].iter().map(|name| coin(name)));
                Answer::json(succeeded(&Value::Null, &coins, desk.now_ns))
            }
            _ => self.failure(404),
        }
    }

    fn weight(&self, request: &Request<'_>) -> u32 {
        // One list a second, 20 of anything else.
        if request.path() == "/api/v2/public/get_instruments" { 20 } else { 1 }
    }

    fn refused(&self, _wait_s: u64, _banned: bool) -> Answer {
        Answer::json(failed(&Value::Null, 10028, "too_many_requests")).with_status(429)
    }

    fn failure(&self, status: u16) -> Answer {
        Answer::json(failed(&Value::Null, 13028, "temporarily_unavailable")).with_status(status)
    }
}
