//! Deribit v2 (protocols.md section 5): JSON-RPC, numbers as JSON numbers, chained change ids.
//!
//! `book.X.100ms` sends the whole book and then differences, each level with its action;
//! `change_id` grows by any amount and `prev_change_id` is the last one sent on this channel.

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use super::image::{Change, Changes};
use super::json::{Object, array};
use super::{BookName, Dialect, Frame, Kind, millis};
use crate::book::Book;
use crate::market::{Activity, Market, Symbol, Trade};
use crate::number::python_float;
use crate::rng::Rng;

/// One client's connection.
#[derive(Clone, Debug)]
pub struct Deribit {
    /// One counter for all instruments.
    change_id: i64,
    books: Vec<Channel>,
    request: u64,
    rng: Rng,
}

#[derive(Clone, Debug)]
struct Channel {
    sent: i64,
    image: Book,
}

const SOURCE: &str = "deribit.ws.1";

impl Deribit {
    /// A connection with the book, trades and ticker of every symbol.
    #[must_use]
    pub fn new(market: &Market, seed: u64) -> Self {
        let channel = |symbol: &Symbol| Channel { sent: 0, image: Book::new(symbol.spec.grid) };
        Self {
            change_id: 90_210_000_000,
            books: market.symbols().iter().map(channel).collect(),
            request: 0,
            rng: Rng::new(seed),
        }
    }

    fn book_frame(&mut self, symbol: &Symbol, index: usize, snapshot: bool, at_ns: u64) -> Frame {
        let channel = &mut self.books[index];
        let old = std::mem::replace(&mut channel.image, symbol.truth.clone());
        let base = if snapshot { Book::new(symbol.spec.grid) } else { old };
        let changes = Changes::between(&base, &channel.image);
        self.change_id += i64::try_from(self.rng.between(1, 60)).unwrap_or(1);
        let (id, prev) = (self.change_id, std::mem::replace(&mut channel.sent, self.change_id));
        let name = &symbol.spec.name;
        let prev = (!snapshot).then_some(prev);
        let data = book(symbol, (id, prev), &changes, at_ns);
        let payload = notification(&format!("book.{name}.100ms"), &data);
        if snapshot {
            Frame::received(at_ns, SOURCE, payload)
        } else {
            Frame::delta(at_ns, SOURCE, payload, index)
        }
    }

    /// A request and its answer, 12 ms apart.
    fn call(&mut self, method: &str, params: &str, result: &str, at_ns: u64, out: &mut Vec<Frame>) {
        self.request += 1;
        let rpc = Object::new().text("jsonrpc", "2.0").raw("id", self.request);
        let request = rpc.text("method", method).raw("params", params).close();
        out.push(Frame::new(at_ns, Kind::Sent, SOURCE, request));
        let (start, end) = (at_ns / 1_000 + 6_000, at_ns / 1_000 + 6_420);
        let rpc = Object::new().text("jsonrpc", "2.0").raw("id", self.request);
        let answer = rpc.raw("result", result).raw("usIn", start).raw("usOut", end);
        let answer = answer.raw("usDiff", 420).raw("testnet", false).close();
        out.push(Frame::received(at_ns + 12_000_000, SOURCE, answer));
    }
}

/// A message of a channel.
pub(crate) fn notification(channel: &str, data: &str) -> String {
    let params = Object::new().text("channel", channel).raw("data", data).close();
    let rpc = Object::new().text("jsonrpc", "2.0").text("method", "subscription");
    rpc.raw("params", params).close()
}

/// Data of a book message; one without the id of the message before is a snapshot.
pub(crate) fn book(
    symbol: &Symbol,
    (id, prev): (i64, Option<i64>),
    changes: &Changes,
    at_ns: u64,
) -> String {
    let kind = if prev.is_some() { "change" } else { "snapshot" };
    let (bids, asks) = (levels(symbol, &changes.bids), levels(symbol, &changes.asks));
    let head = Object::new().text("type", kind).raw("timestamp", millis(at_ns));
    let head = prev.into_iter().fold(head, |head, prev| head.raw("prev_change_id", prev));
    let data = head.text("instrument_name", &symbol.spec.name).raw("change_id", id);
    data.raw("bids", bids).raw("asks", asks).close()
}

/// Levels with what happened to each.
pub(crate) fn levels(symbol: &Symbol, changes: &[Change]) -> String {
    let grid = symbol.spec.grid;
    array(changes.iter().map(|change| {
        let action = match (change.was, change.now) {
            (_, 0) => "delete",
            (0, _) => "new",
            _ => "change",
        };
        let (price, qty) =
            (python_float(grid.price(change.ticks)), python_float(grid.qty(change.now)));
        format!(r#"["{action}",{price},{qty}]"#)
    }))
}

/// A fill.
pub(crate) fn trade(symbol: &Symbol, trade: &Trade, at_ns: u64) -> String {
    let (grid, reference) = (symbol.spec.grid, symbol.reference);
    let direction = if trade.taker == Side::Bid { "buy" } else { "sell" };
    let fill = Object::new()
        .raw("trade_seq", 271_300_000 + trade.id)
        .text("trade_id", 404_000_000 + trade.id)
        .raw("timestamp", millis(at_ns))
        .raw("tick_direction", 1)
        .raw("price", python_float(grid.price(trade.ticks)))
        .raw("mark_price", python_float(grid.fine_price(reference.mark_tenths)))
        .raw("index_price", python_float(grid.fine_price(reference.index_tenths)))
        .text("instrument_name", &symbol.spec.name)
        .text("direction", direction)
        .raw("amount", python_float(grid.qty(trade.lots)));
    if trade.liquidation { fill.text("liquidation", "T").close() } else { fill.close() }
}

/// The best level of a side.
pub(crate) fn best(symbol: &Symbol, side: Side) -> (String, String) {
    let grid = symbol.spec.grid;
    symbol.truth.best(side).map_or_else(
        || ("null".to_owned(), "0.0".to_owned()),
        |level| (python_float(grid.price(level.ticks)), python_float(grid.qty(level.lots))),
    )
}

/// Data of a ticker.
pub(crate) fn ticker(symbol: &Symbol, at_ns: u64) -> String {
    let (grid, reference) = (symbol.spec.grid, symbol.reference);
    let ((bid, bid_qty), (ask, ask_qty)) = (best(symbol, Side::Bid), best(symbol, Side::Ask));
    let (last, name) = (python_float(grid.price(symbol.last_ticks)), &symbol.spec.name);
    let stats = Object::new().raw("high", &last).raw("low", &last);
    let stats = stats.raw("price_change", "null").raw("volume", "11890.2").close();
    let data = Object::new()
        .raw("timestamp", millis(at_ns))
        .text("state", "open")
        .raw("stats", stats)
        .text("instrument_name", name)
        .raw("last_price", last)
        .raw("mark_price", python_float(grid.fine_price(reference.mark_tenths)))
        .raw("index_price", python_float(grid.fine_price(reference.index_tenths)))
        .raw("open_interest", python_float(grid.qty(reference.open_interest)))
        .raw("best_bid_price", bid)
        .raw("best_bid_amount", bid_qty)
        .raw("best_ask_price", ask)
        .raw("best_ask_amount", ask_qty);
    let data = if name.ends_with("-PERPETUAL") {
        let rate = python_float(Decimal::new(reference.funding_e8, 8));
        data.raw("current_funding", "0.0").raw("funding_8h", rate)
    } else {
        data
    };
    data.close()
}

impl Dialect for Deribit {
    fn interval_ns(&self) -> u64 {
        100_000_000
    }

    fn book_name(&self, market: &Market, symbol: usize) -> BookName {
        let name = market.symbols()[symbol].spec.name.clone();
        let kind = match name.as_str() {
            name if name.ends_with("-C") || name.ends_with("-P") => "option",
            name if name.contains("_USD") => "linear",
            _ => "inverse",
        };
        BookName {
            venue: "deribit",
            market: kind,
            channel: "book.100ms".to_owned(),
            source: SOURCE.to_owned(),
            symbol: name,
        }
    }

    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>) {
        out.push(Frame::new(at_ns, Kind::Open, SOURCE, "wss://www.deribit.com/ws/api/v2"));
        let (method, params) = ("public/set_heartbeat", r#"{"interval":30}"#);
        self.call(method, params, r#""ok""#, at_ns + 20_000_000, out);
        let channels = array(market.symbols().iter().flat_map(|symbol| {
            let name = &symbol.spec.name;
            ["book", "trades", "ticker"].map(|kind| format!(r#""{kind}.{name}.100ms""#))
        }));
        let params = format!(r#"{{"channels":{channels}}}"#);
        self.call("public/subscribe", &params, &channels, at_ns + 40_000_000, out);
        for (index, symbol) in market.symbols().iter().enumerate() {
            out.push(self.book_frame(symbol, index, true, at_ns + 53_000_000));
        }
    }

    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>) {
        if activity.trades.is_empty() {
            return;
        }
        let symbol = &market.symbols()[activity.symbol];
        let trades = activity.trades.iter().map(|fill| trade(symbol, fill, activity.at_ns));
        let channel = format!("trades.{}.100ms", symbol.spec.name);
        let payload = notification(&channel, &array(trades));
        out.push(Frame::received(activity.at_ns, SOURCE, payload));
    }

    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        if known.truth != self.books[symbol].image {
            out.push(self.book_frame(known, symbol, false, at_ns));
        }
    }

    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let symbol = &market.symbols()[symbol];
        let channel = format!("ticker.{}.100ms", symbol.spec.name);
        let payload = notification(&channel, &ticker(symbol, at_ns));
        out.push(Frame::received(at_ns, SOURCE, payload));
    }

    fn keepalive(&mut self, at_ns: u64, out: &mut Vec<Frame>) {
        let test = r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#;
        out.push(Frame::new(at_ns, Kind::Received, SOURCE, test));
        self.call("public/test", "{}", r#"{"version":"1.2.26"}"#, at_ns + 1_000_000, out);
    }

    fn rest_snapshot(&mut self, _market: &Market, _symbol: usize, _at_ns: u64) -> Option<Frame> {
        None
    }

    fn image(&self, symbol: usize) -> Option<&Book> {
        self.books.get(symbol).map(|channel| &channel.image)
    }

    fn sequence(&self, symbol: usize) -> Option<i64> {
        self.books.get(symbol).map(|channel| channel.sent)
    }
}
