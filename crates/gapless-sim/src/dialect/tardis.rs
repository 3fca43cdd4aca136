//! Tardis.dev: normalized messages and the `incremental_book_L2` dataset (protocols.md section 6).
//!
//! Neither has sequences. Both state the recorder's own receive time in the text, so this dialect
//! adds the way from the venue itself. A reconnect of the recorder shows as `disconnect` followed
//! by a snapshot in the normalized form and as a new run of snapshot rows in the dataset.

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use super::image::{Change, Changes};
use super::json::{Object, array};
use super::{BookName, Dialect, Frame, next_funding_ms};
use crate::book::Book;
use crate::market::{Activity, Market, Symbol};
use crate::number::{iso_time, js_number};

/// Which of the two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// NDJSON of normalized messages.
    Normalized,
    /// Rows of `incremental_book_L2`, one frame a row, without the header.
    IncrementalBookL2,
}

/// First line of an `incremental_book_L2` file.
pub const CSV_HEADER: &str =
    "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";

/// A recorder of `binance-futures`.
#[derive(Clone, Debug)]
pub struct Tardis {
    form: Form,
    images: Vec<Book>,
    local_ns: u64,
}

const EXCHANGE: &str = "binance-futures";
const SOURCE: &str = "tardis";
/// From the venue to the recorder.
const WAY_NS: u64 = 3_217_000;

impl Tardis {
    /// A recorder of every symbol of a market.
    #[must_use]
    pub fn new(form: Form, market: &Market) -> Self {
        let images = market.symbols().iter().map(|s| Book::new(s.spec.grid)).collect();
        Self { form, images, local_ns: 0 }
    }

    /// Receive time: whole microseconds, never the same for two messages.
    fn receive(&mut self, at_ns: u64) -> u64 {
        self.local_ns = (self.local_ns + 1_000).max((at_ns + WAY_NS) / 1_000 * 1_000);
        self.local_ns
    }

    fn book_frames(
        &mut self,
        symbol: &Symbol,
        index: usize,
        snapshot: bool,
        at_ns: u64,
        out: &mut Vec<Frame>,
    ) {
        let local_ns = self.receive(at_ns);
        let old = std::mem::replace(&mut self.images[index], symbol.truth.clone());
        let base = if snapshot { Book::new(symbol.spec.grid) } else { old };
        let changes = Changes::between(&base, &self.images[index]);
        let message = Message { symbol, index, snapshot, at_ns, local_ns };
        match self.form {
            Form::Normalized => out.push(message.book_change(&changes)),
            Form::IncrementalBookL2 => message.rows(&changes, out),
        }
    }

    fn say(&mut self, body: Object, at_ns: u64) -> Frame {
        let local_ns = self.receive(at_ns);
        Frame::received(local_ns, SOURCE, times(body, at_ns, local_ns).close())
    }
}

/// One book message on its way into text.
struct Message<'a> {
    symbol: &'a Symbol,
    index: usize,
    snapshot: bool,
    at_ns: u64,
    local_ns: u64,
}

impl Message<'_> {
    fn frame(&self, payload: String) -> Frame {
        if self.snapshot {
            Frame::received(self.local_ns, SOURCE, payload)
        } else {
            Frame::delta(self.local_ns, SOURCE, payload, self.index)
        }
    }

    fn book_change(&self, changes: &Changes) -> Frame {
        let (bids, asks) = (self.levels(&changes.bids), self.levels(&changes.asks));
        let (name, snapshot) = (&self.symbol.spec.name, self.snapshot);
        let head = message("book_change", name).raw("isSnapshot", snapshot);
        let body = head.raw("bids", bids).raw("asks", asks);
        self.frame(times(body, self.at_ns, self.local_ns).close())
    }

    fn levels(&self, changes: &[Change]) -> String {
        let grid = self.symbol.spec.grid;
        array(changes.iter().map(|change| {
            let (price, qty) = (grid.price(change.ticks), grid.qty(change.now));
            format!(r#"{{"price":{},"amount":{}}}"#, js_number(price), js_number(qty))
        }))
    }

    /// Asks before bids, as the datasets have them.
    fn rows(&self, changes: &Changes, out: &mut Vec<Frame>) {
        let (grid, name) = (self.symbol.spec.grid, &self.symbol.spec.name);
        let (at, local, snapshot) = (self.at_ns / 1_000, self.local_ns / 1_000, self.snapshot);
        for (side, changes) in [("ask", &changes.asks), ("bid", &changes.bids)] {
            for change in changes {
                let (price, qty) = (grid.price(change.ticks), grid.qty(change.now));
                out.push(self.frame(format!(
                    "{EXCHANGE},{name},{at},{local},{snapshot},{side},{price},{qty}"
                )));
            }
        }
    }
}

fn message(kind: &str, symbol: &str) -> Object {
    Object::new().text("type", kind).text("symbol", symbol).text("exchange", EXCHANGE)
}

fn times(body: Object, at_ns: u64, local_ns: u64) -> Object {
    let (at, local) = (iso_time(at_ns, false), iso_time(local_ns, true));
    body.text("timestamp", at).text("localTimestamp", local)
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

impl Dialect for Tardis {
    fn interval_ns(&self) -> u64 {
        100_000_000
    }

    fn book_name(&self, market: &Market, symbol: usize) -> BookName {
        let channel = match self.form {
            Form::Normalized => "book_change",
            Form::IncrementalBookL2 => "incremental_book_L2",
        };
        BookName {
            venue: "binance_usdm",
            market: "linear",
            channel: channel.to_owned(),
            source: SOURCE.to_owned(),
            symbol: market.symbols()[symbol].spec.name.clone(),
        }
    }

    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>) {
        for (index, symbol) in market.symbols().iter().enumerate() {
            self.book_frames(symbol, index, true, at_ns, out);
        }
    }

    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>) {
        if self.form != Form::Normalized {
            return;
        }
        let symbol = &market.symbols()[activity.symbol];
        let (grid, name) = (symbol.spec.grid, &symbol.spec.name);
        for trade in &activity.trades {
            let (price, qty) =
                (js_number(grid.price(trade.ticks)), js_number(grid.qty(trade.lots)));
            let body = message("trade", name).text("id", trade.id).raw("price", price);
            let body = body.raw("amount", qty).text("side", word(trade.taker));
            out.push(self.say(body, activity.at_ns));
        }
        if let Some(forced) = activity.liquidation {
            let price = js_number(grid.price(forced.bankruptcy_ticks));
            let qty = js_number(grid.qty(forced.lots));
            let body = message("liquidation", name).raw("price", price).raw("amount", qty);
            out.push(self.say(body.text("side", word(forced.order_side)), activity.at_ns));
        }
    }

    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        if known.truth != self.images[symbol] {
            self.book_frames(known, symbol, false, at_ns, out);
        }
    }

    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        if self.form != Form::Normalized {
            return;
        }
        let known = &market.symbols()[symbol];
        let (grid, reference) = (known.spec.grid, known.reference);
        let last = js_number(grid.price(known.last_ticks));
        let mark = js_number(grid.fine_price(reference.mark_tenths));
        let index = js_number(grid.fine_price(reference.index_tenths));
        let rate = js_number(Decimal::new(reference.funding_e8, 8));
        let next = iso_time(next_funding_ms(at_ns) * 1_000_000, false);
        let body = message("derivative_ticker", &known.spec.name).raw("lastPrice", last);
        let body = body.raw("fundingRate", rate).text("fundingTimestamp", next);
        let body = body.raw("indexPrice", index).raw("markPrice", mark);
        out.push(self.say(body, at_ns));
    }

    /// The recorder loses its connection and comes back; [`Dialect::open`] is said again by the
    /// recording.
    fn keepalive(&mut self, at_ns: u64, out: &mut Vec<Frame>) {
        if self.form == Form::Normalized {
            let local = iso_time(self.receive(at_ns), true);
            let payload = Object::new().text("type", "disconnect").text("exchange", EXCHANGE);
            let payload = payload.text("localTimestamp", local).close();
            out.push(Frame::received(self.local_ns, SOURCE, payload));
        }
    }

    fn reopens_on_keepalive(&self) -> bool {
        true
    }

    fn rest_snapshot(&mut self, _market: &Market, _symbol: usize, _at_ns: u64) -> Option<Frame> {
        None
    }

    fn image(&self, symbol: usize) -> Option<&Book> {
        self.images.get(symbol)
    }

    fn sequence(&self, _symbol: usize) -> Option<i64> {
        None
    }
}
