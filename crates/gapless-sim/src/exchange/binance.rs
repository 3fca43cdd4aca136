//! Binance: spot, Binance US, USD-M and COIN-M futures.
//!
//! The diff stream lists every level touched since its last message at its size now; update ids
//! are contiguous per symbol on spot and shared by all symbols on futures. Snapshots come over
//! REST alone, from the book as it is at that moment.

use serde_json::Value;

use super::desk::Desk;
use super::faults::{Fault, Point};
use super::setup::{Setup, Venue};
use super::speaker::{Access, Said, Speaker, join};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request, Wire};
use crate::dialect::binance::Flavour;
use crate::dialect::image::Change;
use crate::dialect::json::{Object, array};
use crate::dialect::millis;
use crate::market::{Activity, Symbol, Trade};

const SECOND_NS: u64 = 1_000_000_000;

/// The words and numbers of one of the four.
#[derive(Debug)]
pub(super) struct Binance {
    flavour: Flavour,
    /// Last update id of each symbol.
    ids: Vec<i64>,
    /// Futures: the one counter of all symbols.
    counter: i64,
}

impl Binance {
    pub fn new(setup: &Setup) -> Self {
        let flavour = match setup.venue {
            Venue::BinanceUs => Flavour::Us,
            Venue::BinanceUsdm => Flavour::Usdm,
            Venue::BinanceCoinm => Flavour::Coinm,
            _ => Flavour::Spot,
        };
        let counter = 9_100_000_000_000;
        let id = |at: usize| match flavour.futures() {
            true => counter,
            false => 70_000_000_000 + i64::try_from(at).unwrap_or(0) * 1_000_000_007,
        };
        Self { flavour, ids: (0..setup.symbols.len()).map(id).collect(), counter }
    }

    /// Symbol and channel of a stream's name; `None` for a name that leads nowhere.
    fn stream(&self, desk: &Desk, name: &str) -> Option<(Option<usize>, Channel)> {
        if name == "!forceOrder@arr" && self.flavour.futures() {
            return Some((None, Channel::Liquidations));
        }
        let (symbol, kind) = name.split_once('@')?;
        let symbol = desk.listed("", symbol)?;
        let (kind, speed) = kind.split_once('@').unwrap_or((kind, ""));
        let futures = self.flavour.futures();
        let default_ms = if futures { 250 } else { 1000 };
        let ms = match speed.strip_suffix("ms") {
            // Unthrottled: as often as the market moves, here a hundred times a second.
            Some("0") => 10,
            Some(ms) => ms.parse().ok()?,
            None => default_ms,
        };
        let interval_ns = ms * 1_000_000;
        let channel = match kind {
            "depth" => Channel::Book { depth: None, interval_ns, opens: false, touched: true },
            "depth5" => Channel::Image { depth: 5, interval_ns },
            "depth10" => Channel::Image { depth: 10, interval_ns },
            "depth20" => Channel::Image { depth: 20, interval_ns },
            "bookTicker" => Channel::Best,
            "trade" | "aggTrade" => Channel::Trades,
            "forceOrder" if futures => Channel::Liquidations,
            "markPrice" if futures => {
                Channel::Reference { seconds: if speed == "1s" { 1 } else { 3 } }
            }
            "miniTicker" | "ticker" => Channel::Ticker,
            _ => return None,
        };
        Some((Some(symbol), channel))
    }

    /// A stream that does not exist, or not on this path, is acknowledged like any other, and
    /// silent.
    fn subscribe(&mut self, desk: &mut Desk, conn: Conn, name: &str) {
        let class = desk.connection(conn).map_or("", |connection| connection.class.as_str());
        if !class.is_empty() && class != traffic_class(name) {
            return;
        }
        if desk.connection(conn).is_some_and(|connection| connection.is_played)
            && let Some(symbol) = name.strip_suffix("@depthSnapshot")
        {
            return self.generated(desk, conn, name, symbol);
        }
        let Some((symbol, channel)) = self.stream(desk, name) else { return };
        let id = symbol.map_or(0, |symbol| self.ids[symbol]);
        let topic = desk.open(name, symbol, channel, || id);
        join(self, desk, conn, topic);
    }

    /// The whole book that was asked for while it was recorded, among the frames.
    fn generated(&self, desk: &mut Desk, conn: Conn, stream: &str, symbol: &str) {
        let Some(at) = desk.listed("", &symbol.to_uppercase()) else { return };
        let symbol = desk.symbol(at);
        let book = symbol.truth.top(1000);
        let name = &symbol.spec.name;
        let body = self.flavour.snapshot(symbol, name, self.ids[at], &book, desk.now_ns);
        let text = Object::new().text("stream", stream).raw("generated", true).raw("data", body);
        desk.send(conn, Wire::Text(text.close().into()));
    }

    fn command(&mut self, desk: &mut Desk, conn: Conn, message: &Value) {
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        let names = message.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let error = |code: i32, why: &str| format!(r#"{{"code":{code},"msg":"{why}","id":{id}}}"#);
        if !desk.request(conn) {
            desk.count("limit: requests");
            return self.too_many(desk, conn);
        }
        match message.get("method").and_then(Value::as_str) {
            Some("SUBSCRIBE") => {
                if !desk.has_room(conn, names.len()) {
                    desk.count("limit: topics");
                    return desk.say(conn, error(2, "Invalid request: too many streams"));
                }
                match desk.strike(Point::Subscribe, None) {
                    Some(fault @ Fault::SubscribeError) => {
                        desk.faults.count(fault);
                        return desk.say(conn, error(2, "Invalid request: simulated"));
                    }
                    Some(fault @ Fault::NoAck) => desk.faults.count(fault),
                    _ => desk.say(conn, format!(r#"{{"result":null,"id":{id}}}"#)),
                }
                names.iter().for_each(|name| self.subscribe(desk, conn, name));
            }
            Some("UNSUBSCRIBE") => {
                let topics: Vec<_> = names.iter().filter_map(|n| desk.topic_named(n)).collect();
                for topic in topics {
                    desk.unsubscribe(conn, topic);
                }
                desk.say(conn, format!(r#"{{"result":null,"id":{id}}}"#));
            }
            Some("LIST_SUBSCRIPTIONS") => {
                let known = desk.connection(conn).map(|c| c.topics.clone()).unwrap_or_default();
                let names = known.iter().map(|topic| format!(r#""{}""#, desk.topic(*topic).name));
                let names = array(names);
                desk.say(conn, format!(r#"{{"result":{names},"id":{id}}}"#));
            }
            Some("SET_PROPERTY") => {
                let params = message.get("params").and_then(Value::as_array);
                let wrapped = params.and_then(|p| p.get(1)).and_then(Value::as_bool);
                if let (Some(wrapped), Some(connection)) = (wrapped, desk.connection_mut(conn)) {
                    connection.wrapped = wrapped;
                }
                desk.say(conn, format!(r#"{{"result":null,"id":{id}}}"#));
            }
            _ => desk.say(conn, error(2, "Invalid request: unknown method")),
        }
    }

    fn depth(&self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        let Some(symbol) = self.wants_book(desk, request) else {
            return Answer::json(r#"{"code":-1121,"msg":"Invalid symbol."}"#).with_status(400);
        };
        let most = if self.flavour.futures() { 1000 } else { 5000 };
        let limit = limit(request, if self.flavour.futures() { 500 } else { 100 }).min(most);
        let book = desk.symbol(symbol).truth.top(limit);
        let (book, id, name) = desk.rest_book(symbol, None, book, self.ids[symbol]);
        let book = book.top(limit);
        Answer::json(self.flavour.snapshot(desk.symbol(symbol), &name, id, &book, desk.now_ns))
    }

    fn exchange_info(&self, desk: &Desk) -> Answer {
        let listed = (0..desk.gone.len()).filter(|at| !desk.gone[*at]);
        let symbols = array(listed.map(|at| self.instrument(desk.symbol(at))));
        let (weight, ms) = (desk.setup.limits.weight.0, millis(desk.now_ns));
        let limit = Object::new().text("rateLimitType", "REQUEST_WEIGHT");
        let limit = limit.text("interval", "MINUTE").raw("intervalNum", 1).raw("limit", weight);
        let info = Object::new().text("timezone", "UTC").raw("serverTime", ms);
        let info = info.raw("rateLimits", format_args!("[{}]", limit.close()));
        Answer::json(info.raw("exchangeFilters", "[]").raw("symbols", symbols).close())
    }

    fn instrument(&self, symbol: &Symbol) -> String {
        let (name, grid) = (&symbol.spec.name, symbol.spec.grid);
        let quote = if self.flavour == Flavour::Coinm { "USD" } else { "USDT" };
        let pair = name.trim_end_matches("_PERP");
        let base = pair.strip_suffix(quote).unwrap_or(pair);
        let price = Object::new().text("filterType", "PRICE_FILTER").text("minPrice", grid.tick);
        let price = price.text("maxPrice", 100_000_000).text("tickSize", grid.tick).close();
        let lot = Object::new().text("filterType", "LOT_SIZE").text("minQty", grid.lot);
        let lot = lot.text("maxQty", 90_000_000).text("stepSize", grid.lot).close();
        let head = Object::new().text("symbol", name);
        let head = match self.flavour {
            Flavour::Spot | Flavour::Us => head.text("status", "TRADING"),
            Flavour::Usdm => futures_head(head, pair, quote).text("status", "TRADING"),
            Flavour::Coinm => {
                let head = futures_head(head, pair, base).text("contractStatus", "TRADING");
                head.raw("contractSize", 100)
            }
        };
        let (p, q) = (grid.tick.scale(), grid.lot.scale());
        let body = head.text("baseAsset", base).raw("baseAssetPrecision", 8);
        let body = body.text("quoteAsset", quote).raw("quotePrecision", 8);
        let body = body.raw("quoteAssetPrecision", 8).raw("pricePrecision", p);
        let body = body.raw("quantityPrecision", q).raw("orderTypes", r#"["LIMIT","MARKET"]"#);
        let body = body.raw("isSpotTradingAllowed", !self.flavour.futures());
        let body = body.raw("isMarginTradingAllowed", false);
        let body = body.raw("permissions", r#"["SPOT"]"#).raw("permissionSets", r#"[["SPOT"]]"#);
        body.raw("filters", format_args!("[{price},{lot}]")).close()
    }

    fn open_interest(&self, desk: &Desk, request: &Request<'_>) -> Answer {
        let symbol = request.query("symbol").and_then(|name| desk.listed("", &name));
        let Some(symbol) = symbol.map(|symbol| desk.symbol(symbol)) else {
            return Answer::json(r#"{"code":-1121,"msg":"Invalid symbol."}"#).with_status(400);
        };
        let open = symbol.spec.grid.qty(symbol.reference.open_interest);
        let body = Object::new().text("openInterest", open).text("symbol", &symbol.spec.name);
        Answer::json(body.raw("time", millis(desk.now_ns)).close())
    }

    /// A fill in the words of a stream.
    fn trade(&self, topic: &str, symbol: &Symbol, trade: &Trade, at_ns: u64) -> String {
        let aggregated = topic.ends_with("@aggTrade");
        if aggregated == self.flavour.futures() {
            return self.flavour.trade(symbol, trade, at_ns).1;
        }
        let (price, qty) = self.flavour.level(symbol, trade.ticks, trade.lots);
        let (e, t, id, name) = (millis(at_ns) + 1, millis(at_ns), trade.id, &symbol.spec.name);
        let maker = trade.taker == gapless_book::event::Side::Ask;
        if aggregated {
            let head = Object::new().text("e", "aggTrade").raw("E", e).text("s", name).raw("a", id);
            let fill = head.text("p", price).text("q", qty).raw("f", id).raw("l", id);
            return fill.raw("T", t).raw("m", maker).raw("M", true).close();
        }
        let head = Object::new().text("e", "trade").raw("E", e).raw("T", t).text("s", name);
        let fill = head.raw("t", id).text("p", price).text("q", qty).text("X", "MARKET");
        fill.raw("m", maker).close()
    }

    fn levels(&self, symbol: &Symbol, changes: &[Change]) -> String {
        self.flavour.side(symbol, changes.iter().map(|change| (change.ticks, change.now)))
    }
}

/// The path of USD-M futures on which a stream is to be had.
fn traffic_class(stream: &str) -> &'static str {
    let kind = stream.split_once('@').map_or("", |(_, kind)| kind);
    let is_public = kind.starts_with("depth") || matches!(kind, "bookTicker" | "trade");
    if is_public { "public" } else { "market" }
}

fn futures_head(head: Object, pair: &str, margin: &str) -> Object {
    head.text("pair", pair)
        .text("contractType", "PERPETUAL")
        .raw("deliveryDate", 4_133_404_800_000_u64)
        .raw("onboardDate", 1_569_398_400_000_u64)
        .text("marginAsset", margin)
        .text("underlyingType", "COIN")
}

fn limit(request: &Request<'_>, default: usize) -> usize {
    request.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(default)
}

impl Speaker for Binance {
    fn touch(&mut self, symbol: usize) -> i64 {
        self.counter += 1;
        let id = if self.flavour.futures() { self.counter } else { self.ids[symbol] + 1 };
        self.ids[symbol] = id;
        id
    }

    fn begin(&mut self, symbol: usize) -> i64 {
        self.ids[symbol]
    }

    fn number(&mut self, stream: &Stream, _empty: bool, _now_ns: u64) -> Ids {
        let prev = stream.history.seq();
        Ids { first: stream.first.unwrap_or(stream.last), last: stream.last, prev }
    }

    /// Ids fall back; nothing in the stream says so.
    fn reset(&mut self, desk: &mut Desk, symbol: usize) -> bool {
        if self.flavour.futures() {
            self.counter -= 2_000_000_000;
            (0..self.ids.len()).for_each(|symbol| desk.drop_untold(symbol));
        } else {
            self.ids[symbol] -= 20_000_000;
            desk.drop_untold(symbol);
        }
        true
    }

    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize> {
        let asked = matches!(request.path(), "/api/v3/depth" | "/fapi/v1/depth" | "/dapi/v1/depth");
        request.query("symbol").filter(|_| asked).and_then(|name| desk.listed("", &name))
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let Said { symbol, at_ns, changes, ids, .. } = *said;
        let sides = [self.levels(symbol, &changes.bids), self.levels(symbol, &changes.asks)];
        if said.snapshot && !self.flavour.futures() {
            let [bids, asks] = sides;
            let id = ids.last;
            return format!(r#"{{"lastUpdateId":{id},"bids":{bids},"asks":{asks}}}"#);
        }
        self.flavour.depth_update(symbol, at_ns, [ids.first, ids.last, ids.prev], &sides)
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
            let forced = activity.liquidation.iter();
            return forced.map(|f| self.flavour.force_order(symbol, f, at_ns)).collect();
        }
        activity.trades.iter().map(|fill| self.trade(topic, symbol, fill, at_ns)).collect()
    }

    fn best(&mut self, _topic: &str, symbol: &Symbol, seq: i64, at_ns: u64) -> Option<String> {
        self.flavour.book_ticker(symbol, seq, at_ns)
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, _first: bool, at_ns: u64) -> Vec<String> {
        if topic.contains("@markPrice") {
            return vec![self.flavour.mark_price(symbol, at_ns)];
        }
        let kind = if topic.ends_with("@ticker") { "24hrTicker" } else { "24hrMiniTicker" };
        let last = symbol.spec.grid.price(symbol.last_ticks);
        let event = Object::new().text("e", kind).raw("E", millis(at_ns));
        let event = event.text("s", &symbol.spec.name).text("c", last).text("o", last);
        vec![event.text("h", last).text("l", last).text("v", 1).text("q", 1).close()]
    }

    fn upgrade(&mut self, desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        let mut path = request.path().trim_start_matches('/');
        let mut class = String::new();
        if self.flavour == Flavour::Usdm {
            for known in ["public", "market"] {
                if let Some(rest) = path.strip_prefix(known) {
                    (class, path) = (known.to_owned(), rest.trim_start_matches('/'));
                }
            }
        }
        let names = |list: &str| -> Vec<String> {
            list.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (wrapped, topics) = match path.split_once('/').unwrap_or((path, "")) {
            ("ws", streams) => (false, names(streams)),
            ("stream", _) => {
                let streams = request.query("streams").unwrap_or_default();
                (true, names(&streams))
            }
            _ => return Err(self.failure(404)),
        };
        if topics.len() > desk.setup.limits.topics_max {
            return Err(self.failure(400));
        }
        Ok(Access { class, wrapped, topics })
    }

    fn opened(&mut self, desk: &mut Desk, conn: Conn, topics: &[String]) {
        topics.iter().for_each(|name| self.subscribe(desk, conn, name));
    }

    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str) {
        match serde_json::from_str::<Value>(text) {
            Ok(message) => self.command(desk, conn, &message),
            Err(_) => desk.say(conn, r#"{"code":3,"msg":"Invalid JSON: simulated"}"#),
        }
    }

    /// A ping every 20 seconds on spot and every 3 minutes on futures; who does not answer it for
    /// one minute, or ten, is dropped.
    fn second(&mut self, desk: &mut Desk, conn: Conn) {
        let (every_s, patience_s) = if self.flavour.futures() { (180, 600) } else { (20, 60) };
        let now_ns = desk.now_ns;
        let Some(connection) = desk.connection_mut(conn) else { return };
        let unanswered = connection.pinged_ns.map_or(0, |at_ns| now_ns - at_ns);
        if unanswered >= patience_s * SECOND_NS {
            return desk.close(conn, 1006, "no pong");
        }
        let age_s = (now_ns - connection.opened_ns) / SECOND_NS;
        if age_s > 0 && age_s.is_multiple_of(every_s) {
            connection.pinged_ns.get_or_insert(now_ns);
            desk.send(conn, Wire::Ping(millis(now_ns).to_string().into_bytes()));
        }
    }

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        let path = request.path();
        let root = ["/api/v3/", "/fapi/v1/", "/dapi/v1/"].iter().find_map(|r| path.strip_prefix(r));
        match root {
            Some("depth") => self.depth(desk, request),
            Some("exchangeInfo") => self.exchange_info(desk),
            Some("openInterest") => self.open_interest(desk, request),
            Some("ping") => Answer::json("{}"),
            Some("time") => Answer::json(format!(r#"{{"serverTime":{}}}"#, millis(desk.now_ns))),
            _ => self.failure(404),
        }
    }

    fn weight(&self, request: &Request<'_>) -> u32 {
        if request.path().ends_with("/exchangeInfo") {
            return if self.flavour.futures() { 1 } else { 20 };
        }
        if !request.path().ends_with("/depth") {
            return 1;
        }
        let default = if self.flavour.futures() { 500 } else { 100 };
        match (self.flavour.futures(), limit(request, default)) {
            (true, 0..=50) => 2,
            (true, 51..=100) | (false, 0..=100) => 5,
            (true, 101..=500) => 10,
            (true, _) => 20,
            (false, 101..=500) => 25,
            (false, 501..=1000) => 50,
            (false, _) => 250,
        }
    }

    fn spent(&self, answer: Answer, used: u32) -> Answer {
        answer.with("X-MBX-USED-WEIGHT-1M", used)
    }
}
