//! OKX v5, as in production since June 2026: ids chain, `checksum` is 0.
//!
//! `books` sends a snapshot and then the differences of successive top-400 images. A restart of
//! its sequence is a message that chains on the last one and has a lower id itself. Every argument
//! of a request is acknowledged on its own. Keep-alive is text.

use serde_json::Value;

use super::desk::{Connection, Desk};
use super::faults::{Fault, Point};
use super::setup::Setup;
use super::speaker::{Access, Said, Speaker, join, whole};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::dialect::json::{Object, array};
use crate::dialect::millis;
use crate::dialect::okx as words;
use crate::market::{Activity, Liquidation, Symbol};
use crate::rng::Rng;
use gapless_book::event::Side;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;
/// Silence of both sides after which a connection is closed.
const IDLE_NS: u64 = 30 * SECOND_NS;
/// Silence of a book after which a message without levels is sent.
const HEARTBEAT_NS: u64 = 60 * SECOND_NS;
/// Bytes of a request.
const REQUEST_LEN_MAX: usize = 64 * 1024;
/// Where the ids of books begin; those of images follow the clock from here.
const FIRST_ID: i64 = 335_226_848_531;
/// Levels of `books`.
const DEPTH: usize = 400;

/// The words and numbers of OKX.
#[derive(Debug)]
pub(super) struct Okx {
    rng: Rng,
}

/// An argument of a request: what names a topic.
struct Argument<'a> {
    channel: &'a str,
    of: &'a str,
    text: String,
}

impl<'a> Argument<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        let word = |key: &str| value.get(key).and_then(Value::as_str);
        let of = word("instId").or_else(|| word("instType"))?;
        Some(Self { channel: word("channel")?, of, text: value.to_string() })
    }

    fn topic(&self) -> String {
        format!("{}:{}", self.channel, self.of)
    }
}

impl Okx {
    pub const fn new(setup: &Setup) -> Self {
        Self { rng: Rng::new(setup.seed ^ 0x6f6b78) }
    }

    fn channel(desk: &Desk, arg: &Argument<'_>) -> Option<(Option<usize>, Channel)> {
        let book = |depth: usize, ms: u64| Channel::Book {
            depth: Some(depth),
            interval_ns: ms * MS_NS,
            opens: true,
            touched: false,
        };
        if arg.channel == "liquidation-orders" {
            return Some((None, Channel::Liquidations));
        }
        let channel = match arg.channel {
            "books" => book(DEPTH, 100),
            "books-l2-tbt" => book(DEPTH, 10),
            "books50-l2-tbt" => book(50, 10),
            "books5" => Channel::Image { depth: 5, interval_ns: 100 * MS_NS },
            "bbo-tbt" => Channel::Image { depth: 1, interval_ns: 10 * MS_NS },
            "trades" | "trades-all" => Channel::Trades,
            "mark-price" | "index-tickers" | "open-interest" | "tickers" => Channel::Ticker,
            "funding-rate" => Channel::Reference { seconds: 30 },
            _ => return None,
        };
        Some((Some(desk.listed("", arg.of)?), channel))
    }

    fn subscribe(&mut self, desk: &mut Desk, conn: Conn, id: &str, arg: &Argument<'_>) {
        let known = desk.connection(conn).is_some_and(|connection| connection.known);
        if arg.channel.ends_with("-l2-tbt") && !known {
            return desk.say(conn, error(id, "60011", "Please log in"));
        }
        let Some((symbol, channel)) = Self::channel(desk, arg) else {
            let why = format!(
                "Wrong URL or {} doesn't exist. Please use the correct URL, channel \
                and parameters referring to API document.",
                arg.topic()
            );
            return desk.say(conn, error(id, "60018", &why));
        };
        match desk.strike(Point::Subscribe, symbol) {
            Some(fault @ Fault::SubscribeError) => {
                desk.faults.count(fault);
                return desk.say(conn, error(id, "60012", "Illegal request: simulated"));
            }
            Some(fault @ Fault::NoAck) => desk.faults.count(fault),
            _ => desk.say(conn, acknowledged(id, "subscribe", &arg.text)),
        }
        let topic = desk.open(&arg.topic(), symbol, channel, || FIRST_ID);
        if join(self, desk, conn, topic) && symbol.is_none() {
            // The first push repeats what happened before.
            let swap = (0..desk.gone.len()).find(|at| words::is_swap(desk.symbol(*at)));
            if let Some(swap) = swap {
                let text = words::liquidation(desk.symbol(swap), &old(desk.symbol(swap)), 0);
                desk.tell(conn, topic, text.into());
            }
        }
    }

    fn books(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        let Some(symbol) = self.wants_book(desk, request) else {
            return Answer::json(
                r#"{"code":"51001","msg":"Instrument ID doesn't exist","data":[]}"#,
            );
        };
        let topic = format!("books:{}", desk.symbol(symbol).spec.name);
        let channel = Channel::Book {
            depth: Some(DEPTH),
            interval_ns: 100 * MS_NS,
            opens: true,
            touched: false,
        };
        let index = desk.open(&topic, Some(symbol), channel, || FIRST_ID);
        let Some(stream) = desk.topic(index).stream.as_ref() else { return self.failure(500) };
        let (book, seq) = (stream.history.image().clone(), stream.history.seq());
        let (book, seq, _) = desk.rest_book(symbol, Some(index), book, seq);
        let depth = request.query("sz").and_then(|sz| sz.parse().ok()).unwrap_or(1);
        let (changes, symbol) = (whole(&book.top(depth)), desk.symbol(symbol));
        let bids = words::levels(symbol, &changes.bids, &mut self.rng);
        let asks = words::levels(symbol, &changes.asks, &mut self.rng);
        let data = Object::new().raw("asks", asks).raw("bids", bids);
        let data = data.text("ts", millis(desk.now_ns)).raw("seqId", seq).close();
        Answer::json(format!(r#"{{"code":"0","msg":"","data":[{data}]}}"#))
    }

    fn instruments(&self, desk: &Desk, request: &Request<'_>) -> Answer {
        let kind = request.query("instType").unwrap_or_default();
        let listed = (0..desk.gone.len()).filter(|at| !desk.gone[*at]).map(|at| desk.symbol(at));
        let listed =
            listed.filter(|symbol| kind == if words::is_swap(symbol) { "SWAP" } else { "SPOT" });
        let rows = array(listed.map(|symbol| instrument(symbol, &kind)));
        Answer::json(format!(r#"{{"code":"0","msg":"","data":{rows}}}"#))
    }
}

fn instrument(symbol: &Symbol, kind: &str) -> String {
    let (name, grid) = (&symbol.spec.name, symbol.spec.grid);
    let family = name.trim_end_matches("-SWAP");
    let (base, quote) = family.split_once('-').unwrap_or((family, "USDT"));
    let swap = kind == "SWAP";
    let word = |text: &'static str| if swap { text } else { "" };
    let head = Object::new().text("instType", kind).text("instId", name).text("alias", "");
    let head = if swap {
        head.text("instFamily", family).text("uly", family).text("baseCcy", "").text("quoteCcy", "")
    } else {
        head.text("instFamily", "").text("uly", "").text("baseCcy", base).text("quoteCcy", quote)
    };
    let head = head.text("settleCcy", word("USDT")).text("ctMult", word("1"));
    let head = head.text("ctType", word("linear")).text("ctVal", word("0.01"));
    let head = head.text("ctValCcy", if swap { base } else { "" }).text("category", 1);
    let head = head.text("expTime", "").text("listTime", 1_548_133_413_000_u64).text("lever", 10);
    let head = head.text("lotSz", grid.lot).text("minSz", grid.lot).text("tickSz", grid.tick);
    let head = head.text("maxLmtSz", 999_999_999).text("maxMktSz", 1_000_000);
    head.text("optType", "").text("stk", "").text("state", "live").close()
}

/// A liquidation from before the subscription.
const fn old(symbol: &Symbol) -> Liquidation {
    let ticks = symbol.spec.mid_ticks;
    Liquidation { order_side: Side::Ask, bankruptcy_ticks: ticks, fill_ticks: ticks, lots: 41 }
}

fn acknowledged(id: &str, event: &str, arg: &str) -> String {
    let head = if id.is_empty() { Object::new() } else { Object::new().text("id", id) };
    head.text("event", event).raw("arg", arg).text("connId", "a4d3ae55").close()
}

fn error(id: &str, code: &str, why: &str) -> String {
    let head = if id.is_empty() { Object::new() } else { Object::new().text("id", id) };
    let head = head.text("event", "error").text("code", code).text("msg", why);
    head.text("connId", "a4d3ae55").close()
}

/// The channel of a topic, which says it in its data.
fn channel_of(topic: &str) -> &str {
    topic.split_once(':').map_or(topic, |(channel, _)| channel)
}

impl Speaker for Okx {
    fn begin(&mut self, _symbol: usize) -> i64 {
        FIRST_ID
    }

    fn number(&mut self, stream: &Stream, empty: bool, _now_ns: u64) -> Ids {
        let prev = stream.history.seq();
        let step = if empty { 0 } else { i64::try_from(self.rng.between(1, 120)).unwrap_or(1) };
        // Maintenance: the ids begin anew below, in a message that chains on the last one.
        let base = if stream.fall { prev - 100_000_000 } else { prev };
        Ids { first: base + step, last: base + step, prev }
    }

    fn heartbeat_ns(&self) -> u64 {
        HEARTBEAT_NS
    }

    fn reset(&mut self, desk: &mut Desk, symbol: usize) -> bool {
        for topic in desk.topics_of(symbol) {
            if let Some(stream) = desk.topic_mut(topic).stream.as_mut() {
                stream.fall = true;
            }
        }
        true
    }

    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize> {
        let asked = matches!(request.path(), "/api/v5/market/books" | "/api/v5/market/books-full");
        request.query("instId").filter(|_| asked).and_then(|name| desk.listed("", &name))
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let (symbol, at_ns, channel) = (said.symbol, said.at_ns, channel_of(said.topic));
        let bids = words::levels(symbol, &said.changes.bids, &mut self.rng);
        let asks = words::levels(symbol, &said.changes.asks, &mut self.rng);
        if matches!(channel, "books5" | "bbo-tbt") {
            let seq = FIRST_ID + i64::try_from(millis(at_ns)).unwrap_or(0);
            return words::image(symbol, channel, seq, &[bids, asks], at_ns);
        }
        let ids = [said.ids.last, said.ids.prev];
        words::book(symbol, channel, said.snapshot, ids, &[bids, asks], at_ns)
    }

    fn activity(
        &mut self,
        topic: &str,
        channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String> {
        let at_ns = activity.at_ns;
        if channel == Channel::Liquidations {
            let forced = activity.liquidation.iter().filter(|_| words::is_swap(symbol));
            return forced.map(|forced| words::liquidation(symbol, forced, at_ns)).collect();
        }
        let channel = channel_of(topic);
        activity.trades.iter().map(|fill| words::trade(channel, symbol, fill, at_ns)).collect()
    }

    fn best(&mut self, _topic: &str, _symbol: &Symbol, _seq: i64, _at_ns: u64) -> Option<String> {
        None
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, _first: bool, at_ns: u64) -> Vec<String> {
        let (grid, name, ts) = (symbol.spec.grid, &symbol.spec.name, millis(at_ns));
        let channel = channel_of(topic);
        let data = match channel {
            "mark-price" => return vec![words::mark_price(symbol, at_ns)],
            "funding-rate" => return vec![words::funding_rate(symbol, at_ns)],
            "index-tickers" => {
                let index = grid.fine_price(symbol.reference.index_tenths);
                Object::new().text("instId", name).text("idxPx", index).text("ts", ts)
            }
            "open-interest" => {
                let open = grid.qty(symbol.reference.open_interest);
                let data = Object::new().text("instType", "SWAP").text("instId", name);
                data.text("oi", open).text("oiCcy", open).text("ts", ts)
            }
            _ => {
                let last = grid.price(symbol.last_ticks);
                Object::new().text("instId", name).text("last", last).text("ts", ts)
            }
        };
        vec![words::push(channel, symbol, &data.close())]
    }

    fn upgrade(&mut self, _desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        match request.path().strip_prefix("/ws/v5/") {
            Some(class @ ("public" | "business")) => {
                Ok(Access { class: class.to_owned(), ..Access::default() })
            }
            _ => Err(self.failure(404)),
        }
    }

    fn opened(&mut self, _desk: &mut Desk, _conn: Conn, _topics: &[String]) {}

    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str) {
        if text == "ping" {
            return desk.say(conn, "pong");
        }
        if text == "pong" {
            return;
        }
        let message: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let op = message.get("op").and_then(Value::as_str).unwrap_or_default();
        if text.len() > REQUEST_LEN_MAX || !matches!(op, "subscribe" | "unsubscribe" | "login") {
            return desk.say(conn, error("", "60012", "Illegal request"));
        }
        let id = message.get("id").and_then(Value::as_str).unwrap_or_default();
        if !desk.request(conn) {
            desk.count("limit: requests");
            return desk.say(conn, error(id, "60014", "Requests too frequent"));
        }
        let args = message.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
        if op == "login" {
            if let Some(connection) = desk.connection_mut(conn) {
                connection.known = true;
            }
            return desk.say(conn, r#"{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}"#);
        }
        for arg in args.iter().filter_map(Argument::read) {
            if op == "subscribe" {
                self.subscribe(desk, conn, id, &arg);
                continue;
            }
            if let Some(topic) = desk.topic_named(&arg.topic()) {
                desk.unsubscribe(conn, topic);
            }
            desk.say(conn, acknowledged(id, "unsubscribe", &arg.text));
        }
    }

    fn second(&mut self, desk: &mut Desk, conn: Conn) {
        let now_ns = desk.now_ns;
        let idle = |c: &Connection| now_ns - c.heard_ns.max(c.said_ns) >= IDLE_NS;
        if desk.connection(conn).is_some_and(idle) {
            desk.close(conn, 4004, "No data received in 30s.");
        }
    }

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        match request.path() {
            "/api/v5/market/books" | "/api/v5/market/books-full" => self.books(desk, request),
            "/api/v5/public/instruments" => self.instruments(desk, request),
            "/api/v5/public/time" => {
                let ts = millis(desk.now_ns);
                Answer::json(format!(r#"{{"code":"0","msg":"","data":[{{"ts":"{ts}"}}]}}"#))
            }
            "/api/v5/system/status" => Answer::json(r#"{"code":"0","msg":"","data":[]}"#),
            _ => self.failure(404),
        }
    }

    fn weight(&self, request: &Request<'_>) -> u32 {
        // 20 lists in 2 s, 40 books.
        if request.path() == "/api/v5/public/instruments" { 2 } else { 1 }
    }

    fn refused(&self, _wait_s: u64, _banned: bool) -> Answer {
        Answer::json(r#"{"code":"50011","msg":"Rate limit reached. Please throttle requests."}"#)
            .with_status(429)
    }

    fn failure(&self, status: u16) -> Answer {
        Answer::json(r#"{"code":"50001","msg":"Service temporarily unavailable"}"#)
            .with_status(status)
    }
}
