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
use crate::market::{Activity, Liquidation, Market, Symbol, Trade};
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

    /// One message of the book topic; the keys stand in another order on spot.
    fn book_frame(&mut self, symbol: &Symbol, index: usize, kind: &str, at_ns: u64) -> Frame {
        let cross = self.next_cross();
        let now = symbol.truth.top(self.depth);
        let old = std::mem::replace(&mut self.books[index].image, now);
        let base = if kind == "snapshot" { Book::new(symbol.spec.grid) } else { old };
        let changes = Changes::between(&base, &self.books[index].image);
        self.books[index].update += 1;
        let numbers = (self.books[index].update, cross);
        let name = format!("orderbook.{}.{}", self.depth, symbol.spec.name);
        let payload = self.category.book(symbol, (&name, kind), numbers, &changes, at_ns);
        match kind {
            "delta" => Frame::delta(at_ns, self.source(), payload, index),
            _ => Frame::received(at_ns, self.source(), payload),
        }
    }

    fn trade(&mut self, symbol: &Symbol, trade: &Trade, at_ns: u64) -> String {
        let cross = self.next_cross();
        let id = match self.category {
            Category::Linear => uuid(&mut self.rng),
            Category::Spot => (2_280_000_000_000_000_000 + trade.id).to_string(),
        };
        self.category.trade(symbol, trade, &id, cross, at_ns)
    }

    fn ticker(&mut self, symbol: &Symbol, index: usize, at_ns: u64) -> Frame {
        let opened = std::mem::replace(&mut self.books[index].ticker_opened, true);
        let cross = self.next_cross();
        Frame::received(at_ns, self.source(), self.category.ticker(symbol, opened, cross, at_ns))
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

/// The words, for recordings and for live exchanges alike.
impl Category {
    /// Linear pads to the grid, spot trims; a deleted level is a bare zero on both.
    pub(crate) fn level(self, symbol: &Symbol, ticks: i64, lots: i64) -> String {
        let grid = symbol.spec.grid;
        let (price, qty) = (grid.price(ticks), grid.qty(lots));
        match self {
            Self::Linear if lots > 0 => {
                let (p, q) = (padded(price, grid.tick.scale()), padded(qty, grid.lot.scale()));
                format!(r#"["{p}","{q}"]"#)
            }
            Self::Linear => format!(r#"["{}","0"]"#, padded(price, grid.tick.scale())),
            Self::Spot => format!(r#"["{price}","{qty}"]"#),
        }
    }

    pub(crate) fn changes(self, symbol: &Symbol, changes: &[Change]) -> String {
        array(changes.iter().map(|change| self.level(symbol, change.ticks, change.now)))
    }

    /// A message of a book topic with its update id and its cross sequence; the keys stand in
    /// another order on spot.
    pub(crate) fn book(
        self,
        symbol: &Symbol,
        (topic, kind): (&str, &str),
        (u, cross): (i64, i64),
        changes: &Changes,
        at_ns: u64,
    ) -> String {
        let (bids, asks) =
            (self.changes(symbol, &changes.bids), self.changes(symbol, &changes.asks));
        let (ts, name) = (millis(at_ns), &symbol.spec.name);
        let topic = format!(r#""topic":"{topic}""#);
        let head = match self {
            Self::Linear => format!(r#"{topic},"type":"{kind}","ts":{ts}"#),
            Self::Spot => format!(r#"{topic},"ts":{ts},"type":"{kind}""#),
        };
        let data = format!(r#"{{"s":"{name}","b":{bids},"a":{asks},"u":{u},"seq":{cross}}}"#);
        format!(r#"{{{head},"data":{data},"cts":{}}}"#, ts.saturating_sub(3))
    }

    /// One fill.
    pub(crate) fn trade(
        self,
        symbol: &Symbol,
        trade: &Trade,
        id: &str,
        cross: i64,
        at_ns: u64,
    ) -> String {
        let grid = symbol.spec.grid;
        let (price, qty) = (grid.price(trade.ticks), grid.qty(trade.lots));
        let side = if trade.taker == Side::Bid { "Buy" } else { "Sell" };
        let (ts, name) = (millis(at_ns), &symbol.spec.name);
        let flags = |object: Object| object.raw("BT", false).raw("RPI", false);
        match self {
            Self::Linear => {
                let p = padded(price, grid.tick.scale());
                let head = Object::new().raw("T", ts).text("s", name).text("S", side);
                let fill = head.text("v", qty).text("p", p).text("L", "PlusTick").text("i", id);
                flags(fill).raw("seq", cross).close()
            }
            Self::Spot => {
                let head = Object::new().text("i", id).raw("T", ts).text("p", price).text("v", qty);
                flags(head.text("S", side).raw("seq", cross).text("s", name)).close()
            }
        }
    }

    /// A ticker; the first one of a contract is whole.
    pub(crate) fn ticker(self, symbol: &Symbol, opened: bool, cross: i64, at_ns: u64) -> String {
        let (grid, name) = (symbol.spec.grid, &symbol.spec.name);
        let last = grid.price(symbol.last_ticks);
        let data = Object::new().text("symbol", name);
        let (kind, data) = match (self, opened) {
            (Self::Spot, _) => {
                let data = data.text("lastPrice", last).text("volume24h", 1);
                ("snapshot", data.text("turnover24h", 1))
            }
            (Self::Linear, false) => ("snapshot", full_ticker(data, symbol, at_ns)),
            (Self::Linear, true) => {
                let mark = grid.fine_price(symbol.reference.mark_tenths);
                ("delta", data.text("markPrice", mark).text("lastPrice", last))
            }
        };
        let topic = Object::new().text("topic", format_args!("tickers.{name}"));
        let payload = topic.text("type", kind).raw("data", data.close()).raw("cs", cross);
        payload.raw("ts", millis(at_ns)).close()
    }
}

/// A message of a topic whose type is always the literal `snapshot`.
pub(crate) fn message(topic: &str, symbol: &Symbol, data: &str, at_ns: u64) -> String {
    let name = &symbol.spec.name;
    let payload = Object::new().text("topic", format_args!("{topic}.{name}"));
    let payload = payload.text("type", "snapshot").raw("ts", millis(at_ns));
    payload.raw("data", data).close()
}

/// A liquidation, with the side of the *position*: a sold long is a "Buy".
pub(crate) fn liquidation(symbol: &Symbol, forced: &Liquidation, at_ns: u64) -> String {
    let position = if forced.order_side == Side::Ask { "Buy" } else { "Sell" };
    let (grid, ts, name) = (symbol.spec.grid, millis(at_ns), &symbol.spec.name);
    let (price, qty) = (grid.price(forced.bankruptcy_ticks), grid.qty(forced.lots));
    let forced = Object::new().raw("T", ts).text("s", name).text("S", position);
    let data = format!("[{}]", forced.text("v", qty).text("p", price).close());
    message("allLiquidation", symbol, &data, at_ns)
}

/// A random id in the form of a name-based UUID.
pub(crate) fn uuid(rng: &mut Rng) -> String {
    let (a, b) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-5{:03x}-9{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
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
        let at_ns = activity.at_ns;
        if !activity.trades.is_empty() {
            let trades: Vec<String> =
                activity.trades.iter().map(|trade| self.trade(symbol, trade, at_ns)).collect();
            let data = array(trades.into_iter());
            let text = message("publicTrade", symbol, &data, at_ns);
            out.push(Frame::received(at_ns, self.source(), text));
        }
        if let (Some(forced), Category::Linear) = (activity.liquidation, self.category) {
            let text = liquidation(symbol, &forced, at_ns);
            out.push(Frame::received(at_ns, self.source(), text));
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
