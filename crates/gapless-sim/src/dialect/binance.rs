//! Binance: spot, Binance US, USD-M and COIN-M futures (protocols.md sections 1 and 2).
//!
//! Deltas list **every level touched** since the last one, at its size now (0.6.21), not the
//! difference of two images: a client may join inside an event only because of that. Update ids
//! are contiguous per symbol on spot; on futures one counter serves all symbols, so `U` is not
//! `pu + 1`. Snapshots come over REST only and may fall inside an event's `[U, u]`.

use std::collections::BTreeSet;

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use super::json::{Object, array};
use super::{BookName, Dialect, Frame, Kind, millis, next_funding_ms};
use crate::book::Book;
use crate::market::{Activity, Liquidation, Market, Symbol, Trade};
use crate::number::padded;

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Spot.
    Spot,
    /// Binance US: spot's words from another host.
    Us,
    /// Futures margined in USD.
    Usdm,
    /// Futures margined in the coin; sizes are contracts.
    Coinm,
}

/// One client's connections to one of the four.
#[derive(Clone, Debug)]
pub struct Binance {
    flavour: Flavour,
    books: Vec<Stream>,
    /// Futures: the one counter of all symbols.
    update_id: i64,
}

/// The `@depth` stream of one symbol.
#[derive(Clone, Debug)]
struct Stream {
    /// Spot: the symbol's own counter. Futures: id of the symbol's last update.
    update_id: i64,
    /// Id of the first update since the last event.
    first: Option<i64>,
    /// `u` of the last event.
    sent: i64,
    bids: BTreeSet<i64>,
    asks: BTreeSet<i64>,
    image: Option<Book>,
}

/// Depth asked for in REST snapshots.
const SNAPSHOT_LIMIT: usize = 1000;

impl Binance {
    /// A client's connections for all symbols of a market.
    #[must_use]
    pub fn new(flavour: Flavour, market: &Market) -> Self {
        let first = if matches!(flavour, Flavour::Spot | Flavour::Us) {
            70_000_000_000
        } else {
            9_100_000_000_000
        };
        let stream = |i: usize| Stream {
            update_id: first + i64::try_from(i).unwrap_or(0) * 1_000_000_007,
            first: None,
            sent: first + i64::try_from(i).unwrap_or(0) * 1_000_000_007,
            bids: BTreeSet::new(),
            asks: BTreeSet::new(),
            image: None,
        };
        let mut books: Vec<Stream> = (0..market.symbols().len()).map(stream).collect();
        if flavour.futures() {
            for book in &mut books {
                (book.update_id, book.sent) = (first, first);
            }
        }
        Self { flavour, books, update_id: first }
    }

    fn touch(&mut self, symbol: usize, side: Side, ticks: i64) {
        self.update_id += 1;
        let id = self.update_id;
        let futures = self.flavour.futures();
        let Some(stream) = self.books.get_mut(symbol) else { return };
        stream.update_id = if futures { id } else { stream.update_id + 1 };
        stream.first.get_or_insert(stream.update_id);
        match side {
            Side::Bid => stream.bids.insert(ticks),
            Side::Ask => stream.asks.insert(ticks),
        };
    }

    fn wrap(&self, symbol: &Symbol, stream: &str, data: &str) -> String {
        let name = symbol.spec.name.to_lowercase();
        Object::new().text("stream", format_args!("{name}@{stream}")).raw("data", data).close()
    }

    fn streams(&self, symbol: &Symbol, public: bool) -> Vec<String> {
        let name = symbol.spec.name.to_lowercase();
        let kinds: &[&str] = match (self.flavour.futures(), public) {
            (false, _) => &["depth@100ms", "trade", "bookTicker"],
            (true, true) => &["depth@100ms", "bookTicker"],
            (true, false) => &["aggTrade", "markPrice@1s", "forceOrder"],
        };
        kinds.iter().map(|kind| format!(r#""{name}@{kind}""#)).collect()
    }

    fn subscribe(&self, market: &Market, public: bool, at_ns: u64, out: &mut Vec<Frame>) {
        let (source, url) = self.flavour.connection(public);
        let params = array(market.symbols().iter().flat_map(|s| self.streams(s, public)));
        let request = format!(r#"{{"method":"SUBSCRIBE","params":{params},"id":1}}"#);
        out.push(Frame::new(at_ns, Kind::Open, source, url));
        out.push(Frame::new(at_ns + 40_000_000, Kind::Sent, source, request));
        let ack = r#"{"result":null,"id":1}"#;
        out.push(Frame::new(at_ns + 55_000_000, Kind::Received, source, ack));
    }

    fn frame(&self, symbol: &Symbol, stream: &str, data: &str, public: bool, at_ns: u64) -> Frame {
        let source = self.flavour.connection(public).0;
        Frame::received(at_ns, source, self.wrap(symbol, stream, data))
    }
}

impl Dialect for Binance {
    fn interval_ns(&self) -> u64 {
        100_000_000
    }

    fn book_name(&self, market: &Market, symbol: usize) -> BookName {
        let (venue, kind) = match self.flavour {
            Flavour::Spot => ("binance_spot", "spot"),
            Flavour::Us => ("binance_us", "spot"),
            Flavour::Usdm => ("binance_usdm", "linear"),
            Flavour::Coinm => ("binance_coinm", "inverse"),
        };
        BookName {
            venue,
            market: kind,
            channel: "depth".to_owned(),
            source: self.flavour.connection(true).0.to_owned(),
            symbol: market.symbols()[symbol].spec.name.clone(),
        }
    }

    fn open(&mut self, market: &Market, at_ns: u64, out: &mut Vec<Frame>) {
        self.subscribe(market, true, at_ns, out);
        if self.flavour.connection(false).0 != self.flavour.connection(true).0 {
            self.subscribe(market, false, at_ns + 3_000_000, out);
        }
    }

    fn activity(&mut self, market: &Market, activity: &Activity, out: &mut Vec<Frame>) {
        let symbol = &market.symbols()[activity.symbol];
        for &(side, ticks) in &activity.touched {
            self.touch(activity.symbol, side, ticks);
        }
        for trade in &activity.trades {
            let (stream, data) = self.flavour.trade(symbol, trade, activity.at_ns);
            out.push(self.frame(symbol, stream, &data, false, activity.at_ns));
        }
        if let Some(forced) = activity.liquidation.filter(|_| self.flavour.futures()) {
            let data = self.flavour.force_order(symbol, &forced, activity.at_ns);
            out.push(self.frame(symbol, "forceOrder", &data, false, activity.at_ns));
        }
        let top_may_have_moved = !activity.trades.is_empty();
        if top_may_have_moved && let Some(stream) = self.books.get(activity.symbol) {
            let data = self.flavour.book_ticker(symbol, stream.update_id, activity.at_ns);
            out.extend(
                data.map(|data| self.frame(symbol, "bookTicker", &data, true, activity.at_ns)),
            );
        }
    }

    fn flush(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        let known = &market.symbols()[symbol];
        let Some(stream) = self.books.get_mut(symbol) else { return };
        let Some(first) = stream.first.take() else { return };
        let (last, prev) =
            (stream.update_id, std::mem::replace(&mut stream.sent, stream.update_id));
        let sides = [
            (Side::Bid, std::mem::take(&mut stream.bids)),
            (Side::Ask, std::mem::take(&mut stream.asks)),
        ];
        let mut text = [String::new(), String::new()];
        for ((side, touched), text) in sides.into_iter().zip(&mut text) {
            let now = |ticks: i64| (ticks, known.truth.lots(side, ticks));
            if let Some(image) = self.books[symbol].image.as_mut() {
                touched.iter().for_each(|&t| image.set(side, t, known.truth.lots(side, t)));
            }
            *text = self.flavour.side(known, touched.into_iter().map(now));
        }
        let data = self.flavour.depth_update(known, at_ns, [first, last, prev], &text);
        let payload = self.wrap(known, "depth@100ms", &data);
        out.push(Frame::delta(at_ns, self.flavour.connection(true).0, payload, symbol));
    }

    fn reference(&mut self, market: &Market, symbol: usize, at_ns: u64, out: &mut Vec<Frame>) {
        if !self.flavour.futures() {
            return;
        }
        let known = &market.symbols()[symbol];
        let data = self.flavour.mark_price(known, at_ns);
        out.push(self.frame(known, "markPrice@1s", &data, false, at_ns));
    }

    /// Pings are WebSocket control frames here, which a capture of text frames does not show.
    fn keepalive(&mut self, _at_ns: u64, _out: &mut Vec<Frame>) {}

    fn rest_snapshot(&mut self, market: &Market, symbol: usize, at_ns: u64) -> Option<Frame> {
        let known = &market.symbols()[symbol];
        let book = known.truth.top(SNAPSHOT_LIMIT);
        let name = &known.spec.name;
        let stream = self.books.get_mut(symbol)?;
        let body = self.flavour.snapshot(known, name, stream.update_id, &book, at_ns);
        stream.image = Some(book);
        let url = format!("{}?symbol={name}&limit={SNAPSHOT_LIMIT}", self.flavour.depth_url());
        Some(Frame::new(at_ns, Kind::Http, &url, body))
    }

    fn image(&self, symbol: usize) -> Option<&Book> {
        self.books.get(symbol)?.image.as_ref()
    }

    fn sequence(&self, symbol: usize) -> Option<i64> {
        self.books.get(symbol).map(|stream| stream.sent)
    }
}

/// The words, for recordings and for live exchanges alike.
impl Flavour {
    /// Stream and event of a fill.
    pub(crate) fn trade(
        self,
        symbol: &Symbol,
        trade: &Trade,
        at_ns: u64,
    ) -> (&'static str, String) {
        let (price, qty) = self.level(symbol, trade.ticks, trade.lots);
        let (e, t, id) = (millis(at_ns) + 1, millis(at_ns), trade.id);
        let (name, maker) = (&symbol.spec.name, trade.taker == Side::Ask);
        if self.futures() {
            let head = Object::new().text("e", "aggTrade").raw("E", e).raw("a", id).text("s", name);
            let fill = head.text("p", price).text("q", qty).raw("f", id * 2).raw("l", id * 2 + 1);
            ("aggTrade", fill.raw("T", t).raw("m", maker).close())
        } else {
            let head = Object::new().text("e", "trade").raw("E", e).text("s", name).raw("t", id);
            let fill = head.text("p", price).text("q", qty).raw("T", t).raw("m", maker);
            ("trade", fill.raw("M", true).close())
        }
    }

    /// A liquidation.
    pub(crate) fn force_order(self, symbol: &Symbol, forced: &Liquidation, at_ns: u64) -> String {
        let side = if forced.order_side == Side::Ask { "SELL" } else { "BUY" };
        let (price, qty) = self.level(symbol, forced.bankruptcy_ticks, forced.lots);
        let (average, _) = self.level(symbol, forced.fill_ticks, forced.lots);
        let (e, t, name) = (millis(at_ns) + 6, millis(at_ns), &symbol.spec.name);
        let order =
            Object::new().text("s", name).text("S", side).text("o", "LIMIT").text("f", "IOC");
        let order = order.text("q", &qty).text("p", price).text("ap", average).text("X", "FILLED");
        let order = order.text("l", &qty).text("z", &qty).raw("T", t).close();
        Object::new().text("e", "forceOrder").raw("E", e).raw("o", order).close()
    }

    /// Best bid and ask.
    pub(crate) fn book_ticker(self, symbol: &Symbol, update_id: i64, at_ns: u64) -> Option<String> {
        let (bid, ask) = (symbol.truth.best(Side::Bid)?, symbol.truth.best(Side::Ask)?);
        let (b, bq) = self.level(symbol, bid.ticks, bid.lots);
        let (a, aq) = self.level(symbol, ask.ticks, ask.lots);
        let name = self.name_fields(symbol);
        let tops = format!(r#"{name},"b":"{b}","B":"{bq}","a":"{a}","A":"{aq}""#);
        Some(if self.futures() {
            let (t, e) = (millis(at_ns), millis(at_ns) + 2);
            format!(r#"{{"e":"bookTicker","u":{update_id},{tops},"T":{t},"E":{e}}}"#)
        } else {
            format!(r#"{{"u":{update_id},{tops}}}"#)
        })
    }

    /// A message of the diff stream; the ids are first, last and the last of the one before.
    pub(crate) fn depth_update(
        self,
        symbol: &Symbol,
        at_ns: u64,
        [first, last, prev]: [i64; 3],
        [bids, asks]: &[String; 2],
    ) -> String {
        let (head, tail) = self.delta_fields(symbol, at_ns, prev);
        let ids = format!(r#""U":{first},"u":{last}{tail}"#);
        format!(r#"{{"e":"depthUpdate",{head},{ids},"b":{bids},"a":{asks}}}"#)
    }

    /// Mark price, index and funding.
    pub(crate) fn mark_price(self, symbol: &Symbol, at_ns: u64) -> String {
        let grid = symbol.spec.grid;
        let mark = padded(grid.fine_price(symbol.reference.mark_tenths), 8);
        let index = padded(grid.fine_price(symbol.reference.index_tenths), 8);
        let rate = padded(Decimal::new(symbol.reference.funding_e8, 8), 8);
        let (e, t, name) = (millis(at_ns), next_funding_ms(at_ns), &symbol.spec.name);
        let head = format!(r#""e":"markPriceUpdate","E":{e},"s":"{name}","p":"{mark}""#);
        let index = match self {
            Self::Coinm => format!(r#""P":"{index}""#),
            _ => format!(r#""i":"{index}","P":"{mark}""#),
        };
        format!(r#"{{{head},{index},"r":"{rate}","T":{t}}}"#)
    }

    /// The body of a REST snapshot; `name` is the symbol that it says where it says one.
    pub(crate) fn snapshot(
        self,
        symbol: &Symbol,
        name: &str,
        id: i64,
        book: &Book,
        at_ns: u64,
    ) -> String {
        let levels = |side| self.side(symbol, book.levels(side).map(|l| (l.ticks, l.lots)));
        let (bids, asks) = (levels(Side::Bid), levels(Side::Ask));
        let extra = self.snapshot_fields(name, at_ns);
        format!(r#"{{"lastUpdateId":{id}{extra},"bids":{bids},"asks":{asks}}}"#)
    }

    /// Levels as an array of pairs.
    pub(crate) fn side(self, symbol: &Symbol, levels: impl Iterator<Item = (i64, i64)>) -> String {
        array(levels.map(|(ticks, lots)| {
            let (price, qty) = self.level(symbol, ticks, lots);
            format!(r#"["{price}","{qty}"]"#)
        }))
    }

    /// Whether update ids are those of futures.
    pub(crate) const fn futures(self) -> bool {
        matches!(self, Self::Usdm | Self::Coinm)
    }

    /// Name and URL of the connection for books (`public`) or for the rest; USD-M alone splits.
    const fn connection(self, public: bool) -> (&'static str, &'static str) {
        match (self, public) {
            (Self::Spot, _) => ("spot.ws.1", "wss://stream.binance.com:9443/stream"),
            (Self::Us, _) => ("us.ws.1", "wss://stream.binance.us:9443/stream"),
            (Self::Usdm, true) => ("usdm.public.1", "wss://fstream.binance.com/public/stream"),
            (Self::Usdm, false) => ("usdm.market.1", "wss://fstream.binance.com/market/stream"),
            (Self::Coinm, _) => ("coinm.ws.1", "wss://dstream.binance.com/stream"),
        }
    }

    const fn depth_url(self) -> &'static str {
        match self {
            Self::Spot => "https://api.binance.com/api/v3/depth",
            Self::Us => "https://api.binance.us/api/v3/depth",
            Self::Usdm => "https://fapi.binance.com/fapi/v1/depth",
            Self::Coinm => "https://dapi.binance.com/dapi/v1/depth",
        }
    }

    /// Price and size as this flavour pads them: eight decimals on spot, the grid's on futures.
    pub(crate) fn level(self, symbol: &Symbol, ticks: i64, lots: i64) -> (String, String) {
        let grid = symbol.spec.grid;
        let (price, qty) =
            if self.futures() { (grid.tick.scale(), grid.lot.scale()) } else { (8, 8) };
        (padded(grid.price(ticks), price), padded(grid.qty(lots), qty))
    }

    /// `"s":"BTCUSD_PERP","ps":"BTCUSD"`: the pair only on COIN-M.
    fn name_fields(self, symbol: &Symbol) -> String {
        let name = &symbol.spec.name;
        match self {
            Self::Coinm => format!(r#""s":"{name}","ps":"{}""#, pair(name)),
            _ => format!(r#""s":"{name}""#),
        }
    }

    /// Fields of a delta before and after its ids.
    fn delta_fields(self, symbol: &Symbol, at_ns: u64, prev: i64) -> (String, String) {
        let (e, name) = (millis(at_ns), self.name_fields(symbol));
        if self.futures() {
            let t = e.saturating_sub(7);
            (format!(r#""E":{e},"T":{t},{name}"#), format!(r#","pu":{prev}"#))
        } else {
            (format!(r#""E":{e},{name}"#), String::new())
        }
    }

    fn snapshot_fields(self, name: &str, at_ns: u64) -> String {
        let (e, t) = (millis(at_ns), millis(at_ns).saturating_sub(5));
        match self {
            Self::Spot | Self::Us => String::new(),
            Self::Usdm => format!(r#","E":{e},"T":{t}"#),
            Self::Coinm => {
                let pair = pair(name);
                format!(r#","symbol":"{name}","pair":"{pair}","E":{e},"T":{t}"#)
            }
        }
    }
}

fn pair(name: &str) -> &str {
    name.split_once('_').map_or(name, |(pair, _)| pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::SymbolSpec;
    use crate::profile::Profile;

    fn one_symbol() -> Market {
        let spec = SymbolSpec::new("BTCUSDT", (1, 1), (1, 3), 912_289, Profile::OPTION);
        Market::new(1, &[spec], 1_763_600_000_000_000_000)
    }

    #[test]
    fn a_level_touched_and_back_at_its_size_is_still_listed() {
        let market = one_symbol();
        let mut binance = Binance::new(Flavour::Usdm, &market);
        let best = market.symbols()[0].truth.best(Side::Bid).unwrap();
        let touched = vec![(Side::Bid, best.ticks), (Side::Bid, best.ticks), (Side::Ask, 999_999)];
        let activity = Activity { touched, ..Activity::default() };
        let mut out = Vec::new();
        binance.activity(&market, &activity, &mut out);
        binance.flush(&market, 0, 1_000_000_000, &mut out);
        let (price, qty) = Flavour::Usdm.level(&market.symbols()[0], best.ticks, best.lots);
        let levels = format!(r#""b":[["{price}","{qty}"]],"a":[["99999.9","0.000"]]"#);
        assert!(out[0].payload.contains(&levels), "{}", out[0].payload);
        assert!(
            out[0].payload.contains(r#""U":9100000000001,"u":9100000000003,"pu":9100000000000"#)
        );
    }

    #[test]
    fn nothing_touched_is_no_event_on_futures_and_on_spot() {
        let market = one_symbol();
        for flavour in [Flavour::Spot, Flavour::Us, Flavour::Usdm, Flavour::Coinm] {
            let mut out = Vec::new();
            Binance::new(flavour, &market).flush(&market, 0, 1, &mut out);
            assert!(out.is_empty());
        }
    }
}
