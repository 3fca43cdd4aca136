//! OKX v5 (protocols.md section 4), as in production since June 2026: ids chain, `checksum` is 0.
//!
//! `books` sends a snapshot (`prevSeqId` -1) and then differences of successive top-400 images;
//! `seqId` grows by any amount, `prevSeqId` is the last one sent on this channel. A minute without
//! a change is answered by a heartbeat with `seqId == prevSeqId` and no levels.

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use super::image::{Change, Changes};
use super::json::{Object, array};
use super::{BookName, Dialect, Frame, Kind, millis, next_funding_ms};
use crate::book::Book;
use crate::market::{Activity, Liquidation, Market, Symbol, Trade};
use crate::rng::Rng;

/// One client's connection.
#[derive(Clone, Debug)]
pub struct Okx {
    books: Vec<Channel>,
    rng: Rng,
}

#[derive(Clone, Debug)]
struct Channel {
    sequence: i64,
    image: Book,
    sent_ns: u64,
}

/// Levels per side of `books`.
const DEPTH: usize = 400;
/// Silence after which a heartbeat is sent.
const HEARTBEAT_NS: u64 = 60_000_000_000;
const SOURCE: &str = "okx.ws.public";

impl Okx {
    /// A connection with `books` and the rest for every symbol.
    #[must_use]
    pub fn new(market: &Market, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut channel = |symbol: &Symbol| Channel {
            sequence: i64::try_from(rng.between(80_000_000_000, 340_000_000_000)).unwrap_or(0),
            image: Book::new(symbol.spec.grid),
            sent_ns: 0,
        };
        let books = market.symbols().iter().map(&mut channel).collect();
        Self { books, rng }
    }

    fn book_frame(&mut self, symbol: &Symbol, index: usize, snapshot: bool, at_ns: u64) -> Frame {
        let now = symbol.truth.top(DEPTH);
        let old = std::mem::replace(&mut self.books[index].image, now);
        let base = if snapshot { Book::new(symbol.spec.grid) } else { old };
        let changes = Changes::between(&base, &self.books[index].image);
        let sides = [
            levels(symbol, &changes.bids, &mut self.rng),
            levels(symbol, &changes.asks, &mut self.rng),
        ];
        let channel = &mut self.books[index];
        let prev = if snapshot { -1 } else { channel.sequence };
        // Nothing changed: the heartbeat leaves the id where it is.
        let step = if changes.is_empty() { 0 } else { self.rng.between(1, 120) };
        channel.sequence += i64::try_from(step).unwrap_or(0);
        channel.sent_ns = at_ns;
        let payload = book(symbol, "books", snapshot, [channel.sequence, prev], &sides, at_ns);
        if snapshot {
            Frame::received(at_ns, SOURCE, payload)
        } else {
            Frame::delta(at_ns, SOURCE, payload, index)
        }
    }

    fn bbo(&mut self, symbol: &Symbol, index: usize, at_ns: u64) -> Option<Frame> {
        let (bid, ask) = (symbol.truth.best(Side::Bid)?, symbol.truth.best(Side::Ask)?);
        let bid = level(symbol, bid.ticks, bid.lots, &mut self.rng);
        let ask = level(symbol, ask.ticks, ask.lots, &mut self.rng);
        let sides = [format!("[{bid}]"), format!("[{ask}]")];
        let seq = self.books.get(index)?.sequence;
        Some(Frame::received(at_ns, SOURCE, image(symbol, "bbo-tbt", seq, &sides, at_ns)))
    }
}

/// A level with its number of orders, which is drawn.
fn level(symbol: &Symbol, ticks: i64, lots: i64, rng: &mut Rng) -> String {
    let grid = symbol.spec.grid;
    let orders = if lots > 0 { 1 + rng.geometric(2) } else { 0 };
    format!(r#"["{}","{}","0","{orders}"]"#, grid.price(ticks), grid.qty(lots))
}

/// Levels of a side.
pub(crate) fn levels(symbol: &Symbol, changes: &[Change], rng: &mut Rng) -> String {
    array(changes.iter().map(|change| level(symbol, change.ticks, change.now, rng)))
}

/// A message of a book in sequence; the ids are its own and that of the one before.
pub(crate) fn book(
    symbol: &Symbol,
    channel: &str,
    snapshot: bool,
    [seq, prev]: [i64; 2],
    [bids, asks]: &[String; 2],
    at_ns: u64,
) -> String {
    let (action, ts) = (if snapshot { "snapshot" } else { "update" }, millis(at_ns));
    let data = Object::new().raw("asks", asks).raw("bids", bids).text("ts", ts);
    let data = data.raw("checksum", 0).raw("seqId", seq).raw("prevSeqId", prev).close();
    let arg = Object::new().text("channel", channel).text("instId", &symbol.spec.name).close();
    let payload = Object::new().raw("arg", arg).text("action", action);
    payload.raw("data", format_args!("[{data}]")).close()
}

/// A message of a channel that says the whole top each time.
pub(crate) fn image(
    symbol: &Symbol,
    channel: &str,
    seq: i64,
    [bids, asks]: &[String; 2],
    at_ns: u64,
) -> String {
    let ts = millis(at_ns);
    let data = format!(r#"{{"asks":{asks},"bids":{bids},"ts":"{ts}","seqId":{seq}}}"#);
    push(channel, symbol, &data)
}

/// A data frame of a channel with one element.
pub(crate) fn push(channel: &str, symbol: &Symbol, data: &str) -> String {
    let name = &symbol.spec.name;
    format!(r#"{{"arg":{{"channel":"{channel}","instId":"{name}"}},"data":[{data}]}}"#)
}

/// A fill.
pub(crate) fn trade(channel: &str, symbol: &Symbol, trade: &Trade, at_ns: u64) -> String {
    let grid = symbol.spec.grid;
    let side = if trade.taker == Side::Bid { "buy" } else { "sell" };
    let (id, price, qty) =
        (1_500_000_000 + trade.id, grid.price(trade.ticks), grid.qty(trade.lots));
    let (ts, name) = (millis(at_ns), &symbol.spec.name);
    let data = Object::new().text("instId", name).text("tradeId", id).text("px", price);
    let data = data.text("sz", qty).text("side", side).text("ts", ts);
    let data = data.text("count", 1).text("source", 0).close();
    push(channel, symbol, &data)
}

/// The channel is subscribed by type of instrument: its argument names no symbol.
pub(crate) fn liquidation(symbol: &Symbol, forced: &Liquidation, at_ns: u64) -> String {
    let grid = symbol.spec.grid;
    let (side, position) =
        if forced.order_side == Side::Ask { ("sell", "long") } else { ("buy", "short") };
    let (price, qty) = (grid.price(forced.bankruptcy_ticks), grid.qty(forced.lots));
    let (ts, name) = (millis(at_ns), &symbol.spec.name);
    let family = name.trim_end_matches("-SWAP");
    let details = Object::new().text("bkLoss", 0).text("bkPx", price).text("ccy", "");
    let details = details.text("posSide", position).text("side", side).text("sz", qty);
    let details = details.text("ts", ts).close();
    let data = Object::new().text("instType", "SWAP").text("instId", name);
    let data = data.text("instFamily", family).text("uly", family);
    let data = data.raw("details", format_args!("[{details}]")).close();
    format!(r#"{{"arg":{{"channel":"liquidation-orders","instType":"SWAP"}},"data":[{data}]}}"#)
}

/// Mark price.
pub(crate) fn mark_price(symbol: &Symbol, at_ns: u64) -> String {
    let (name, ts) = (&symbol.spec.name, millis(at_ns));
    let mark = symbol.spec.grid.fine_price(symbol.reference.mark_tenths);
    let data = format!(r#"{{"instType":"SWAP","instId":"{name}","markPx":"{mark}","ts":"{ts}"}}"#);
    push("mark-price", symbol, &data)
}

/// Funding rate.
pub(crate) fn funding_rate(symbol: &Symbol, at_ns: u64) -> String {
    let (name, ts, next) = (&symbol.spec.name, millis(at_ns), next_funding_ms(at_ns));
    let (rate, after) = (Decimal::new(symbol.reference.funding_e8, 8), next + 8 * 3_600_000);
    let data = Object::new().text("instType", "SWAP").text("instId", name);
    let data = data.text("method", "current_period").text("fundingRate", rate);
    let data = data.text("nextFundingRate", "").text("fundingTime", next);
    let data = data.text("nextFundingTime", after).text("ts", ts).close();
    push("funding-rate", symbol, &data)
}

pub(crate) fn is_swap(symbol: &Symbol) -> bool {
    symbol.spec.name.ends_with("-SWAP")
}

impl Dialect for Okx {
    fn interval_ns(&self) -> u64 {
        100_000_000
    }

    fn book_name(&self, market: &Market, symbol: usize) -> BookName {
        let known = &market.symbols()[symbol];
        let kind = match known.spec.name.as_str() {
            name if !name.ends_with("-SWAP") => "spot",
            name if name.contains("-USD-") => "inverse",
            _ => "linear",
        };
        BookName {
            venue: "okx",
            market: kind,
            channel: "books".to_owned(),
            source: SOURCE.to_owned(),
            symbol: known.spec.name.clone(),
        }
    }

    /// One acknowledgement per argument. The first push of liquidations repeats old ones.
    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>) {
        out.push(Frame::new(at_ns, Kind::Open, SOURCE, "wss://ws.okx.com/ws/v5/public"));
        let mut args = Vec::new();
        for symbol in market.symbols() {
            let swap = if is_swap(symbol) { &["funding-rate", "mark-price"][..] } else { &[] };
            for channel in ["books", "bbo-tbt", "trades"].iter().chain(swap) {
                args.push(format!(r#"{{"channel":"{channel}","instId":"{}"}}"#, symbol.spec.name));
            }
        }
        args.push(r#"{"channel":"liquidation-orders","instType":"SWAP"}"#.to_owned());
        let request = array(args.iter().cloned());
        let request = format!(r#"{{"id":"s1","op":"subscribe","args":{request}}}"#);
        out.push(Frame::new(at_ns + 30_000_000, Kind::Sent, SOURCE, request));
        for arg in args {
            let ack =
                format!(r#"{{"id":"s1","event":"subscribe","arg":{arg},"connId":"a4d3ae55"}}"#);
            out.push(Frame::received(at_ns + 42_000_000, SOURCE, ack));
        }
        for (index, symbol) in market.symbols().iter().enumerate() {
            out.push(self.book_frame(symbol, index, true, at_ns + 43_000_000));
        }
        if let Some(symbol) = market.symbols().iter().find(|symbol| is_swap(symbol)) {
            let old = Liquidation {
                order_side: Side::Ask,
                bankruptcy_ticks: symbol.spec.mid_ticks,
                fill_ticks: symbol.spec.mid_ticks,
                lots: 41,
            };
            let at_ns = at_ns + 44_000_000;
            out.push(Frame::received(at_ns, SOURCE, liquidation(symbol, &old, at_ns)));
        }
    }

    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>) {
        let symbol = &market.symbols()[activity.symbol];
        let at_ns = activity.at_ns;
        let fills = activity.trades.iter().map(|fill| trade("trades", symbol, fill, at_ns));
        out.extend(fills.map(|text| Frame::received(at_ns, SOURCE, text)));
        if let Some(forced) = activity.liquidation.filter(|_| is_swap(symbol)) {
            out.push(Frame::received(at_ns, SOURCE, liquidation(symbol, &forced, at_ns)));
        }
        if !activity.trades.is_empty() {
            out.extend(self.bbo(symbol, activity.symbol, at_ns));
        }
    }

    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        let channel = &self.books[symbol];
        let silent = at_ns.saturating_sub(channel.sent_ns) >= HEARTBEAT_NS;
        if silent || known.truth.top(DEPTH) != channel.image {
            out.push(self.book_frame(known, symbol, false, at_ns));
        }
    }

    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        if !is_swap(known) {
            return;
        }
        out.push(Frame::received(at_ns, SOURCE, mark_price(known, at_ns)));
        // Funding comes every half minute or so, here at the top of each.
        if (millis(at_ns) / 1000).is_multiple_of(30) {
            out.push(Frame::received(at_ns, SOURCE, funding_rate(known, at_ns)));
        }
    }

    /// The heartbeat is a text frame that is not JSON.
    fn keepalive(&mut self, at_ns: u64, out: &mut Vec<Frame>) {
        out.push(Frame::new(at_ns, Kind::Sent, SOURCE, "ping"));
        out.push(Frame::new(at_ns + 5_000_000, Kind::Received, SOURCE, "pong"));
    }

    fn rest_snapshot(&mut self, _market: &Market, _symbol: usize, _at_ns: u64) -> Option<Frame> {
        None
    }

    fn image(&self, symbol: usize) -> Option<&Book> {
        self.books.get(symbol).map(|channel| &channel.image)
    }

    fn sequence(&self, symbol: usize) -> Option<i64> {
        self.books.get(symbol).map(|channel| channel.sequence)
    }
}
