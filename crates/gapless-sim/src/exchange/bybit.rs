//! Bybit v5: spot, linear and inverse, each on its own path.
//!
//! A book topic sends a snapshot and then the differences of successive top-N images; `u` grows
//! by one per message of that topic. `orderbook.full` sends no snapshot: its books are bridged
//! over REST. One bad topic fails its whole request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::desk::Desk;
use super::faults::{Fault, Point};
use super::setup::Setup;
use super::speaker::{Access, Said, Speaker, join};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::dialect::bybit::{Category, liquidation, message, uuid};
use crate::dialect::json::{Object, array};
use crate::dialect::millis;
use crate::market::{Activity, Symbol};
use crate::rng::Rng;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;
/// Parts of the venue, each with its path.
const CLASSES: [&str; 3] = ["spot", "linear", "inverse"];
/// A spot request with more topics is refused.
const SPOT_ARGS_MAX: usize = 10;
/// Characters of all topics of a connection.
const ARGS_LEN_MAX: usize = 21_000;
/// Silence after which a connection is closed.
const IDLE_NS: u64 = 600 * SECOND_NS;
/// An unchanged image of one level is said again after this time.
const REPEAT_NS: u64 = 3 * SECOND_NS;
/// Where update ids begin.
const FIRST_UPDATE: i64 = 33_120_000;
/// A count does not begin anew before it stands here.
const COUNT_MIN: i64 = 1_000;

/// Rows of a page of instruments. The venue has pages of up to 1000; these are so short that
/// clients meet a second one.
const PAGE_MAX: usize = 20;

/// The words and numbers of Bybit.
#[derive(Debug)]
pub(super) struct Bybit {
    /// Shared by all topics; grows with every update of a book.
    cross: i64,
    /// Update id and cross sequence of the last message of each topic.
    told: BTreeMap<String, (i64, i64)>,
}

/// Part of the venue and name on the wire of a topic.
fn parts(topic: &str) -> (&str, &str) {
    topic.split_once('/').unwrap_or(("", topic))
}

fn category(class: &str) -> Category {
    if class == "spot" { Category::Spot } else { Category::Linear }
}

impl Bybit {
    pub const fn new(_setup: &Setup) -> Self {
        Self { cross: 480_012_345_000, told: BTreeMap::new() }
    }

    fn channel(desk: &Desk, class: &str, name: &str) -> Option<(usize, Channel)> {
        let (kind, symbol) = name.rsplit_once('.')?;
        let symbol = desk.listed(class, symbol)?;
        let book = |depth: usize, ms: u64| Channel::Book {
            depth: Some(depth),
            interval_ns: ms * MS_NS,
            opens: true,
            touched: false,
        };
        let channel = match kind {
            "orderbook.1" => Channel::Image { depth: 1, interval_ns: 10 * MS_NS },
            "orderbook.50" => book(50, 20),
            "orderbook.200" => book(200, 100),
            "orderbook.500" => book(500, 100),
            "orderbook.1000" => book(1000, 200),
            "orderbook.full" => Channel::Book {
                depth: None,
                interval_ns: 200 * MS_NS,
                opens: false,
                touched: false,
            },
            "publicTrade" => Channel::Trades,
            "tickers" => Channel::Ticker,
            "allLiquidation" if class != "spot" => Channel::Liquidations,
            _ => return None,
        };
        Some((symbol, channel))
    }

    fn subscribe(&mut self, desk: &mut Desk, conn: Conn, id: &str, names: &[&str]) {
        let class = desk.connection(conn).map(|c| c.class.clone()).unwrap_or_default();
        let refused = self.refusal(desk, conn, &class, names);
        let (fault, ok) = match desk.strike(Point::Subscribe, None) {
            Some(Fault::SubscribeError) if refused.is_none() => {
                (Some(Fault::SubscribeError), Some("simulated".to_owned()))
            }
            Some(Fault::NoAck) => (Some(Fault::NoAck), refused),
            _ => (None, refused),
        };
        if let Some(fault) = fault {
            desk.faults.count(fault);
        }
        if let Some(why) = ok {
            return desk.say(conn, answer(false, &why, id, "subscribe"));
        }
        if fault.is_none() {
            let said = if class == "spot" { "subscribe" } else { "" };
            desk.say(conn, answer(true, said, id, "subscribe"));
        }
        for name in names {
            if let Some((symbol, channel)) = Self::channel(desk, &class, name) {
                let name = format!("{class}/{name}");
                let topic = desk.open(&name, Some(symbol), channel, || FIRST_UPDATE);
                join(self, desk, conn, topic);
            }
        }
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, desk: &mut Desk, conn: Conn, class: &str, names: &[&str]) -> Option<String> {
        if class == "spot" && names.len() > SPOT_ARGS_MAX {
            desk.count("limit: topics");
            return Some("args size >10".to_owned());
        }
        let known = desk.connection(conn).map(|c| c.topics.clone()).unwrap_or_default();
        let held: usize = known.iter().map(|topic| desk.topic(*topic).name.len()).sum();
        if held + names.iter().map(|name| name.len()).sum::<usize>() > ARGS_LEN_MAX {
            desk.count("limit: topics");
            return Some("args length limit exceeded".to_owned());
        }
        let bad = names.iter().find(|name| Self::channel(desk, class, name).is_none());
        if let Some(name) = bad {
            return Some(format!("error:handler not found,topic:{name}"));
        }
        let name = |name: &&&str| {
            let topic = desk.topic_named(&format!("{class}/{name}"));
            topic.is_some_and(|topic| known.contains(&topic))
        };
        let again = names.iter().find(name);
        again.map(|name| format!("error:already subscribed,topic:{name}"))
    }

    fn unsubscribe(&mut self, desk: &mut Desk, conn: Conn, id: &str, names: &[&str]) {
        let class = desk.connection(conn).map(|c| c.class.clone()).unwrap_or_default();
        for name in names {
            if let Some(topic) = desk.topic_named(&format!("{class}/{name}")) {
                desk.unsubscribe(conn, topic);
            }
        }
        desk.say(conn, answer(true, "", id, "unsubscribe"));
    }

    /// The book of a topic as of its last message: over REST the venue has one topic each.
    fn rest(&self, desk: &mut Desk, request: &Request<'_>, topic: &str, most: usize) -> Answer {
        let class = request.query("category").unwrap_or_default();
        let Some(symbol) = self.wants_book(desk, request) else {
            return result(10001, "params error: Symbol Invalid", "{}", desk.now_ns);
        };
        let name = format!("{topic}.{}", desk.symbol(symbol).spec.name);
        let Some((_, channel)) = Self::channel(desk, &class, &name) else {
            return result(10001, "params error: category", "{}", desk.now_ns);
        };
        let name = format!("{class}/{name}");
        let index = desk.open(&name, Some(symbol), channel, || FIRST_UPDATE);
        let Some(stream) = desk.topic(index).stream.as_ref() else { return self.failure(500) };
        let (book, seq) = (stream.history.image().clone(), stream.history.seq());
        let cross = self.cross_of(&name, seq);
        let (book, u, said) = desk.rest_book(symbol, Some(index), book, seq);
        let limit = request.query("limit").and_then(|limit| limit.parse().ok());
        let changes = super::speaker::whole(&book.top(limit.unwrap_or(most).min(most)));
        let (symbol, ts) = (desk.symbol(symbol), millis(desk.now_ns));
        let words = category(&class);
        let data = Object::new().text("s", said).raw("a", words.changes(symbol, &changes.asks));
        let data = data.raw("b", words.changes(symbol, &changes.bids)).raw("ts", ts);
        let data = data.raw("u", u).raw("seq", cross).raw("cts", ts.saturating_sub(3));
        result(0, "OK", &data.close(), desk.now_ns)
    }

    fn cross_of(&self, topic: &str, seq: i64) -> i64 {
        let told = self.told.get(topic).filter(|(u, _)| *u == seq);
        told.map_or(self.cross, |(_, cross)| *cross)
    }

    fn instruments(&self, desk: &Desk, request: &Request<'_>) -> Answer {
        let class = request.query("category").unwrap_or_default();
        let only = request.query("symbol");
        let asked = request.query("limit").and_then(|limit| limit.parse().ok());
        let from = request.query("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let mut rows = Vec::new();
        for (at, listing) in desk.setup.symbols.iter().enumerate() {
            let name = &listing.spec.name;
            let wanted = only.as_ref().is_none_or(|only| only == name);
            if listing.class == class && !desk.gone[at] && wanted {
                rows.push(instrument(desk.symbol(at), &class));
            }
        }
        // Spot has one page, whatever is asked.
        let most = if class == "spot" { rows.len() } else { asked.unwrap_or(500).min(PAGE_MAX) };
        let next = from + most;
        let next = if next < rows.len() { next.to_string() } else { String::new() };
        let result_body = Object::new().text("category", &class);
        let list = array(rows.into_iter().skip(from).take(most));
        let result_body = result_body.raw("list", list).text("nextPageCursor", next).close();
        result(0, "OK", &result_body, desk.now_ns)
    }
}

fn instrument(symbol: &Symbol, class: &str) -> String {
    let (name, grid) = (&symbol.spec.name, symbol.spec.grid);
    let base = name.strip_suffix("USDT").unwrap_or(name);
    let price = Object::new().text("minPrice", grid.tick).text("maxPrice", 100_000_000);
    let price = price.text("tickSize", grid.tick).close();
    let head = Object::new().text("symbol", name);
    let (head, lot) = if class == "spot" {
        let lot = Object::new().text("basePrecision", grid.lot).text("quotePrecision", grid.tick);
        (head, lot.text("minOrderQty", grid.lot).text("maxOrderQty", 90_000_000))
    } else {
        let head = head.text("contractType", "LinearPerpetual").text("deliveryTime", 0);
        let head =
            head.text("launchTime", 1_584_230_400_000_u64).text("priceScale", grid.tick.scale());
        let head = head.text("settleCoin", "USDT").raw("fundingInterval", 480);
        let lot = Object::new().text("qtyStep", grid.lot).text("minOrderQty", grid.lot);
        (head, lot.text("maxOrderQty", 90_000_000).text("minNotionalValue", 5))
    };
    let head = head.text("status", "Trading").text("baseCoin", base).text("quoteCoin", "USDT");
    let leverage = Object::new().text("minLeverage", 1).text("maxLeverage", "50.00");
    let head = head.raw("leverageFilter", leverage.text("leverageStep", "0.01").close());
    head.raw("priceFilter", price).raw("lotSizeFilter", lot.close()).close()
}

/// The answer to a request on a socket.
fn answer(success: bool, said: &str, id: &str, op: &str) -> String {
    let head = Object::new().raw("success", success).text("ret_msg", said);
    head.text("conn_id", "sim-1").text("req_id", id).text("op", op).close()
}

/// A body over REST.
fn result(code: u32, said: &str, body: &str, now_ns: u64) -> Answer {
    let head = Object::new().raw("retCode", code).text("retMsg", said).raw("result", body);
    Answer::json(head.raw("retExtInfo", "{}").raw("time", millis(now_ns)).close())
}

impl Speaker for Bybit {
    fn touch(&mut self, _symbol: usize) -> i64 {
        self.cross += 1;
        self.cross
    }

    fn begin(&mut self, _symbol: usize) -> i64 {
        FIRST_UPDATE
    }

    /// `first` is the cross sequence here.
    fn number(&mut self, stream: &Stream, _empty: bool, _now_ns: u64) -> Ids {
        let prev = stream.history.seq();
        let last = if stream.restart { 1 } else { prev + 1 };
        Ids { first: stream.last, last, prev }
    }

    fn repeat_ns(&self) -> u64 {
        REPEAT_NS
    }

    /// Every book topic of the symbol begins anew at 1 with a snapshot.
    fn reset(&mut self, desk: &mut Desk, symbol: usize) -> bool {
        let mut is_new = false;
        for topic in desk.topics_of(symbol) {
            // A count that has just begun stands so low that who misses its end and the next
            // beginning may hear the very number that was expected, which no client can tell.
            let streams = desk.topic_mut(topic).stream.as_mut();
            if let Some(stream) = streams.filter(|s| s.history.seq() >= COUNT_MIN) {
                stream.restart = true;
                is_new = true;
            }
        }
        is_new
    }

    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize> {
        let asked = matches!(request.path(), "/v5/market/orderbook" | "/v5/market/full_orderbook");
        let class = request.query("category").filter(|_| asked)?;
        desk.listed(&class, &request.query("symbol")?)
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let (class, name) = parts(said.topic);
        let image = said.depth == Some(1);
        let u = if image { FIRST_UPDATE + said.message } else { said.ids.last };
        let cross = if said.snapshot { self.cross_of(said.topic, u) } else { said.ids.first };
        if !image && !said.snapshot {
            self.told.insert(said.topic.to_owned(), (u, cross));
        }
        // The topic without snapshots says even a restart as a change.
        let whole = said.snapshot && !name.contains(".full.");
        let kind = if whole { "snapshot" } else { "delta" };
        category(class).book(said.symbol, (name, kind), (u, cross), said.changes, said.at_ns)
    }

    fn activity(
        &mut self,
        topic: &str,
        channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String> {
        let (class, at_ns) = (parts(topic).0, activity.at_ns);
        if channel == Channel::Liquidations {
            let forced = activity.liquidation.iter();
            return forced.map(|forced| liquidation(symbol, forced, at_ns)).collect();
        }
        if activity.trades.is_empty() {
            return Vec::new();
        }
        let words = category(class);
        let fills = activity.trades.iter().map(|fill| {
            let id = match words {
                Category::Linear => uuid(&mut Rng::new(fill.id)),
                Category::Spot => (2_280_000_000_000_000_000 + fill.id).to_string(),
            };
            words.trade(symbol, fill, &id, self.cross, at_ns)
        });
        vec![message("publicTrade", symbol, &array(fills), at_ns)]
    }

    fn best(&mut self, _topic: &str, _symbol: &Symbol, _seq: i64, _at_ns: u64) -> Option<String> {
        None
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, first: bool, at_ns: u64) -> Vec<String> {
        vec![category(parts(topic).0).ticker(symbol, !first, self.cross, at_ns)]
    }

    fn upgrade(&mut self, _desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        let class = request.path().strip_prefix("/v5/public/").unwrap_or_default();
        if !CLASSES.contains(&class) {
            return Err(self.failure(404));
        }
        Ok(Access { class: class.to_owned(), wrapped: false, topics: Vec::new() })
    }

    fn opened(&mut self, _desk: &mut Desk, _conn: Conn, _topics: &[String]) {}

    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let id = message.get("req_id").and_then(Value::as_str).unwrap_or_default();
        let names = message.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        match message.get("op").and_then(Value::as_str) {
            Some("subscribe") => self.subscribe(desk, conn, id, &names),
            Some("unsubscribe") => self.unsubscribe(desk, conn, id, &names),
            Some("ping") => desk.say(conn, answer(true, "pong", id, "ping")),
            _ => desk.say(conn, answer(false, "Invalid request", id, "")),
        }
    }

    fn second(&mut self, desk: &mut Desk, conn: Conn) {
        let now_ns = desk.now_ns;
        let idle = |c: &super::desk::Connection| now_ns - c.heard_ns.max(c.said_ns) >= IDLE_NS;
        if desk.connection(conn).is_some_and(idle) {
            desk.close(conn, 1006, "idle");
        }
    }

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        match request.path() {
            "/v5/market/orderbook" => self.rest(desk, request, "orderbook.1000", 1_000),
            "/v5/market/full_orderbook" => self.rest(desk, request, "orderbook.full", 10_000),
            "/v5/market/instruments-info" => self.instruments(desk, request),
            "/v5/market/time" => {
                let (s, ns) = (desk.now_ns / SECOND_NS, desk.now_ns);
                let body = format!(r#"{{"timeSecond":"{s}","timeNano":"{ns}"}}"#);
                result(0, "OK", &body, ns)
            }
            _ => self.failure(404),
        }
    }

    fn refused(&self, _wait_s: u64, _banned: bool) -> Answer {
        Answer::new(403, "text/plain", "access too frequent")
    }

    fn error_body(&self) -> Answer {
        result(10006, "Too many visits!", "{}", 0)
    }

    fn failure(&self, status: u16) -> Answer {
        Answer::new(status, "text/plain", "simulated")
    }
}
