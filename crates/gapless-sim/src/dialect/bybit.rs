//! Bybit v5, linear and spot (protocols.md section 3).
//!
//! A book topic sends a snapshot and then differences of successive top-N images; `u` grows by
//! one per message of that topic, `seq` is shared by all topics of a category and only grows.

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use super::image::{Change, Changes};
use super::json::{Object, array};
use super::{BookName, Dialect, Frame, Kind, millis, next_funding_ms};
use crate::book::Book;
use crate::market::{Activity, Market, Symbol, Trade};
use crate::number::padded;
use crate::rng::Rng;

/// Which socket path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Contracts settled in USDT or USDC.
    Linear,
    /// Spot.
    Spot,
}

/// One client's connection to one category.
#[derive(Clone, Debug)]
pub struct Bybit {
    category: Category,
    depth: usize,
    cross: i64,
    books: Vec<Topic>,
    rng: Rng,
}

#[derive(Clone, Debug)]
struct Topic {
    update: i64,
    image: Book,
    /// Whether the ticker's first, full message has been sent.
    ticker_opened: bool,
}

impl Bybit {
    /// A connection with `orderbook.{depth}` and the rest for every symbol.
    #[must_use]
    pub fn new(category: Category, depth: usize, market: &Market, seed: u64) -> Self {
        let topic = |symbol: &Symbol| Topic {
            update: 33_120_000,
            image: Book::new(symbol.spec.grid),
            ticker_opened: false,
        };
        let books = market.symbols().iter().map(topic).collect();
        Self { category, depth, cross: 480_012_345_000, books, rng: Rng::new(seed) }
    }

    const fn source(&self) -> &'static str {
        match self.category {
            Category::Linear => "bybit.ws.1",
            Category::Spot => "bybit.ws.2",
        }
    }

    const fn path(&self) -> &'static str {
        match self.category {
            Category::Linear => "linear",
            Category::Spot => "spot",
        }
    }

    /// The counter shared by all topics.
    fn next_cross(&mut self) -> i64 {
        self.cross += i64::try_from(self.rng.between(1, 30)).unwrap_or(1);
        self.cross
    }

    /// Linear pads to the grid, spot trims; a deleted level is a bare zero on both.
    fn level(&self, symbol: &Symbol, ticks: i64, lots: i64) -> String {
        let grid = symbol.spec.grid;
        let (price, qty) = (grid.price(ticks), grid.qty(lots));
        match self.category {
            Category::Linear if lots > 0 => {
                let (p, q) = (padded(price, grid.tick.scale()), padded(qty, grid.lot.scale()));
                format!(r#"["{p}","{q}"]"#)
            }
            Category::Linear => format!(r#"["{}","0"]"#, padded(price, grid.tick.scale())),
            Category::Spot => format!(r#"["{price}","{qty}"]"#),
        }
    }

    fn changes(&self, symbol: &Symbol, changes: &[Change]) -> String {
        array(changes.iter().map(|change| self.level(symbol, change.ticks, change.now)))
    }

    /// One message of the book topic; the keys stand in another order on spot.
    fn book_frame(&mut self, symbol: &Symbol, index: usize, kind: &str, at_ns: u64) -> Frame {
        let cross = self.next_cross();
        let now = symbol.truth.top(self.depth);
        let old = std::mem::replace(&mut self.books[index].image, now);
        let base = if kind == "snapshot" { Book::new(symbol.spec.grid) } else { old };
        let changes = Changes::between(&base, &self.books[index].image);
        let (bids, asks) =
            (self.changes(symbol, &changes.bids), self.changes(symbol, &changes.asks));
        self.books[index].update += 1;
        let (u, ts, name) = (self.books[index].update, millis(at_ns), &symbol.spec.name);
        let topic = format!(r#""topic":"orderbook.{}.{name}""#, self.depth);
        let head = match self.category {
            Category::Linear => format!(r#"{topic},"type":"{kind}","ts":{ts}"#),
            Category::Spot => format!(r#"{topic},"ts":{ts},"type":"{kind}""#),
        };
        let data = format!(r#"{{"s":"{name}","b":{bids},"a":{asks},"u":{u},"seq":{cross}}}"#);
        let payload = format!(r#"{{{head},"data":{data},"cts":{}}}"#, ts.saturating_sub(3));
        match kind {
            "delta" => Frame::delta(at_ns, self.source(), payload, index),
            _ => Frame::received(at_ns, self.source(), payload),
        }
    }

    fn trade(&mut self, symbol: &Symbol, trade: &Trade, at_ns: u64) -> String {
        let grid = symbol.spec.grid;
        let (price, qty) = (grid.price(trade.ticks), grid.qty(trade.lots));
        let side = if trade.taker == Side::Bid { "Buy" } else { "Sell" };
        let (ts, name) = (millis(at_ns), &symbol.spec.name);
        let cross = self.next_cross();
        let flags = |object: Object| object.raw("BT", false).raw("RPI", false);
        match self.category {
            Category::Linear => {
                let (p, id) = (padded(price, grid.tick.scale()), self.uuid());
                let head = Object::new().raw("T", ts).text("s", name).text("S", side);
                let fill = head.text("v", qty).text("p", p).text("L", "PlusTick").text("i", id);
                flags(fill).raw("seq", cross).close()
            }
            Category::Spot => {
                let id = 2_280_000_000_000_000_000 + trade.id;
                let head = Object::new().text("i", id).raw("T", ts).text("p", price).text("v", qty);
                flags(head.text("S", side).raw("seq", cross).text("s", name)).close()
            }
        }
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.rng.next_u64(), self.rng.next_u64());
        format!(
            "{:08x}-{:04x}-5{:03x}-9{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }

    fn ticker(&mut self, symbol: &Symbol, index: usize, at_ns: u64) -> Frame {
        let opened = std::mem::replace(&mut self.books[index].ticker_opened, true);
        let cross = self.next_cross();
        let (grid, name) = (symbol.spec.grid, &symbol.spec.name);
        let last = grid.price(symbol.last_ticks);
        let data = Object::new().text("symbol", name);
        let (kind, data) = match (self.category, opened) {
            (Category::Spot, _) => {
                let data = data.text("lastPrice", last).text("volume24h", 1);
                ("snapshot", data.text("turnover24h", 1))
            }
            (Category::Linear, false) => ("snapshot", full_ticker(data, symbol, at_ns)),
            (Category::Linear, true) => {
                let mark = grid.fine_price(symbol.reference.mark_tenths);
                ("delta", data.text("markPrice", mark).text("lastPrice", last))
            }
        };
        let topic = Object::new().text("topic", format_args!("tickers.{name}"));
        let payload = topic.text("type", kind).raw("data", data.close()).raw("cs", cross);
        Frame::received(at_ns, self.source(), payload.raw("ts", millis(at_ns)).close())
    }

    /// A message of a topic whose type is always the literal `snapshot`.
    fn message(&self, topic: &str, symbol: &Symbol, data: String, at_ns: u64) -> Frame {
        let name = &symbol.spec.name;
        let payload = Object::new().text("topic", format_args!("{topic}.{name}"));
        let payload = payload.text("type", "snapshot").raw("ts", millis(at_ns));
        Frame::received(at_ns, self.source(), payload.raw("data", data).close())
    }

    fn acknowledge(&self, at_ns: u64, request: usize, out: &mut Vec<Frame>) {
        let (said, connection) = match self.category {
            Category::Linear => ("", "sim-linear-1"),
            Category::Spot => ("subscribe", "sim-spot-1"),
        };
        let ack = Object::new().raw("success", true).text("ret_msg", said);
        let ack = ack.text("conn_id", connection).text("req_id", request).text("op", "subscribe");
        out.push(Frame::received(at_ns, self.source(), ack.close()));
    }
}

/// The first ticker of a contract carries every field.
fn full_ticker(data: Object, symbol: &Symbol, at_ns: u64) -> Object {
    let (grid, reference) = (symbol.spec.grid, symbol.reference);
    data.text("lastPrice", grid.price(symbol.last_ticks))
        .text("markPrice", grid.fine_price(reference.mark_tenths))
        .text("indexPrice", grid.fine_price(reference.index_tenths))
        .text("openInterest", grid.qty(reference.open_interest))
        .text("fundingRate", Decimal::new(reference.funding_e8, 8))
        .text("nextFundingTime", next_funding_ms(at_ns))
        .text("deliveryTime", "")
        .text("basis", "")
}

impl Dialect for Bybit {
    fn interval_ns(&self) -> u64 {
        100_000_000
    }

    fn book_name(&self, market: &Market, symbol: usize) -> BookName {
        BookName {
            venue: "bybit",
            market: self.path(),
            channel: format!("orderbook.{}", self.depth),
            source: self.source().to_owned(),
            symbol: market.symbols()[symbol].spec.name.clone(),
        }
    }

    /// One request per symbol, each below the spot limit of ten arguments.
    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>) {
        let url = format!("wss://stream.bybit.com/v5/public/{}", self.path());
        out.push(Frame::new(at_ns, Kind::Open, self.source(), url));
        for (index, symbol) in market.symbols().iter().enumerate() {
            let at_ns = at_ns + 20_000_000 + u64::try_from(index).unwrap_or(0) * 15_000_000;
            let (name, depth) = (&symbol.spec.name, self.depth);
            let mut topics = vec![
                format!(r#""orderbook.{depth}.{name}""#),
                format!(r#""publicTrade.{name}""#),
                format!(r#""tickers.{name}""#),
            ];
            if self.category == Category::Linear {
                topics.push(format!(r#""allLiquidation.{name}""#));
            }
            let request = Object::new().text("req_id", index).text("op", "subscribe");
            let request = request.raw("args", array(topics.into_iter())).close();
            out.push(Frame::new(at_ns, Kind::Sent, self.source(), request));
            self.acknowledge(at_ns + 9_000_000, index, out);
            out.push(self.book_frame(symbol, index, "snapshot", at_ns + 9_500_000));
        }
    }

    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>) {
        let symbol = &market.symbols()[activity.symbol];
        let (at_ns, ts, name) = (activity.at_ns, millis(activity.at_ns), &symbol.spec.name);
        if !activity.trades.is_empty() {
            let trades: Vec<String> =
                activity.trades.iter().map(|trade| self.trade(symbol, trade, at_ns)).collect();
            let data = array(trades.into_iter());
            out.push(self.message("publicTrade", symbol, data, at_ns));
        }
        if let (Some(forced), Category::Linear) = (activity.liquidation, self.category) {
            // The side of the *position*: a sold long is a "Buy".
            let position = if forced.order_side == Side::Ask { "Buy" } else { "Sell" };
            let grid = symbol.spec.grid;
            let (price, qty) = (grid.price(forced.bankruptcy_ticks), grid.qty(forced.lots));
            let forced = Object::new().raw("T", ts).text("s", name).text("S", position);
            let data = format!("[{}]", forced.text("v", qty).text("p", price).close());
            out.push(self.message("allLiquidation", symbol, data, at_ns));
        }
    }

    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        if known.truth.top(self.depth) != self.books[symbol].image {
            out.push(self.book_frame(known, symbol, "delta", at_ns));
        }
    }

    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        out.push(self.ticker(&market.symbols()[symbol], symbol, at_ns));
    }

    fn keepalive(&mut self, at_ns: u64, out: &mut Vec<Frame>) {
        out.push(Frame::new(at_ns, Kind::Sent, self.source(), r#"{"op":"ping"}"#));
        let pong = format!(
            r#"{{"success":true,"ret_msg":"pong","conn_id":"sim-{}-1","op":"ping"}}"#,
            self.path()
        );
        out.push(Frame::received(at_ns + 4_000_000, self.source(), pong));
    }

    fn rest_snapshot(&mut self, _market: &Market, _symbol: usize, _at_ns: u64) -> Option<Frame> {
        None
    }

    fn image(&self, symbol: usize) -> Option<&Book> {
        self.books.get(symbol).map(|topic| &topic.image)
    }

    fn sequence(&self, symbol: usize) -> Option<i64> {
        self.books.get(symbol).map(|topic| topic.update)
    }
}
