//! A Tardis machine: one stream of normalized messages, from a venue that it is connected to.
//!
//! No message has a sequence. Every book message carries the time at which it was said, in whole
//! microseconds and never the same for two of a stream, which serves as the sequence of the truth.
//! A loss upstream shows as `disconnect` followed by the whole book.

use std::fmt::Display;

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;
use serde_json::Value;

use super::desk::Desk;
use super::setup::Setup;
use super::speaker::{Access, Said, Speaker, join, whole};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::dialect::image::Change;
use crate::dialect::json::{Object, array};
use crate::dialect::next_funding_ms;
use crate::market::{Activity, Symbol};
use crate::number::{iso_time, js_number};

const MS_NS: u64 = 1_000_000;
/// Where sequences begin that are no time yet.
const FIRST: i64 = 0;

/// The words of the machine.
#[derive(Debug)]
pub(super) struct Tardis {
    start_ns: u64,
}

impl Tardis {
    pub const fn new(setup: &Setup) -> Self {
        Self { start_ns: setup.start_ns }
    }

    /// The topics of one object of options.
    fn topics(options: &Value) -> Option<Vec<String>> {
        let words = |key: &str| {
            let list = options.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let exchange = options.get("exchange")?.as_str()?;
        let mut topics = Vec::new();
        for symbol in words("symbols") {
            for kind in words("dataTypes") {
                topics.push(format!("{exchange}:{}:{kind}", symbol.to_uppercase()));
            }
        }
        Some(topics)
    }

    fn channel(desk: &Desk, name: &str) -> Option<(usize, Channel)> {
        let (exchange, symbol, kind) = parts(name)?;
        let symbol = desk.listed(exchange, symbol)?;
        let channel = match kind {
            "book_change" => {
                Channel::Book { depth: None, interval_ns: 100 * MS_NS, opens: true, touched: false }
            }
            "trade" => Channel::Trades,
            "liquidation" => Channel::Liquidations,
            "derivative_ticker" => Channel::Ticker,
            "quote" => Channel::Best,
            _ => {
                let (depth, interval) = kind.strip_prefix("book_snapshot_")?.split_once('_')?;
                let ms: u64 = interval.strip_suffix("ms")?.parse().ok()?;
                let interval_ns = ms.max(10) * MS_NS;
                Channel::Image { depth: depth.parse().ok()?, interval_ns }
            }
        };
        Some((symbol, channel))
    }
}

/// Exchange, symbol and kind of a topic.
fn parts(topic: &str) -> Option<(&str, &str, &str)> {
    let (exchange, rest) = topic.split_once(':')?;
    let (symbol, kind) = rest.rsplit_once(':')?;
    Some((exchange, symbol, kind))
}

fn message(kind: &str, topic: &str) -> Object {
    let (exchange, symbol, _) = parts(topic).unwrap_or_default();
    Object::new().text("type", kind).text("symbol", symbol).text("exchange", exchange)
}

fn close(message: Object, at_ns: u64) -> String {
    let at = iso_time(at_ns, true);
    message.text("timestamp", &at).text("localTimestamp", at).close()
}

fn level(price: impl Display, amount: impl Display) -> String {
    format!(r#"{{"price":{price},"amount":{amount}}}"#)
}

fn levels(symbol: &Symbol, changes: &[Change]) -> String {
    let grid = symbol.spec.grid;
    let one = |change: &Change| {
        level(js_number(grid.price(change.ticks)), js_number(grid.qty(change.now)))
    };
    array(changes.iter().map(one))
}

const fn word(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

impl Speaker for Tardis {
    fn begin(&mut self, _symbol: usize) -> i64 {
        FIRST
    }

    fn number(&mut self, stream: &Stream, _empty: bool, now_ns: u64) -> Ids {
        let prev = stream.history.seq();
        let last = i64::try_from(now_ns / 1_000).unwrap_or(i64::MAX).max(prev + 1);
        Ids { first: last, last, prev }
    }

    /// The machine lost its venue, and found it again.
    fn reset(&mut self, desk: &mut Desk, symbol: usize) -> bool {
        for topic in desk.topics_of(symbol) {
            let name = desk.topic(topic).name.clone();
            let now = iso_time(desk.now_ns, true);
            let Some(stream) = desk.topic_mut(topic).stream.as_mut() else { continue };
            stream.restart = true;
            let (exchange, name, _) = parts(&name).unwrap_or_default();
            let text = Object::new().text("type", "disconnect").text("exchange", exchange);
            let text = text.text("localTimestamp", now);
            let text = text.raw("symbols", format_args!(r#"["{name}"]"#)).close();
            desk.publish(topic, &text);
        }
        true
    }

    fn wants_book(&self, _desk: &Desk, _request: &Request<'_>) -> Option<usize> {
        None
    }

    fn book(&mut self, said: &Said<'_>) -> String {
        let symbol = said.symbol;
        if let Some(depth) = said.depth {
            let (_, _, kind) = parts(said.topic).unwrap_or_default();
            let side = |changes: &[Change]| {
                let grid = symbol.spec.grid;
                let mut rows: Vec<String> = changes
                    .iter()
                    .map(|c| level(js_number(grid.price(c.ticks)), js_number(grid.qty(c.now))))
                    .collect();
                rows.resize(depth, "{}".to_owned());
                array(rows.into_iter())
            };
            let text = message("book_snapshot", said.topic).text("name", kind).raw("depth", depth);
            let text = text.raw("interval", 100).raw("bids", side(&said.changes.bids));
            return close(text.raw("asks", side(&said.changes.asks)), said.at_ns);
        }
        let text = message("book_change", said.topic).raw("isSnapshot", said.snapshot);
        let text = text.raw("bids", levels(symbol, &said.changes.bids));
        let text = text.raw("asks", levels(symbol, &said.changes.asks));
        // The time that is said is the sequence of the truth.
        let at_ns = u64::try_from(said.ids.last).unwrap_or(0) * 1_000;
        close(text, if at_ns == 0 { said.at_ns } else { at_ns })
    }

    fn activity(
        &mut self,
        topic: &str,
        channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String> {
        let (grid, at_ns) = (symbol.spec.grid, activity.at_ns);
        if channel == Channel::Liquidations {
            let forced = activity.liquidation.iter().map(|forced| {
                let text = message("liquidation", topic);
                let text = text.raw("price", js_number(grid.price(forced.bankruptcy_ticks)));
                let text = text.raw("amount", js_number(grid.qty(forced.lots)));
                close(text.text("side", word(forced.order_side)), at_ns)
            });
            return forced.collect();
        }
        let fill = |fill: &crate::market::Trade| {
            let text = message("trade", topic).text("id", fill.id);
            let text = text.raw("price", js_number(grid.price(fill.ticks)));
            let text = text.raw("amount", js_number(grid.qty(fill.lots)));
            close(text.text("side", word(fill.taker)), at_ns)
        };
        activity.trades.iter().map(fill).collect()
    }

    fn best(&mut self, topic: &str, symbol: &Symbol, _seq: i64, at_ns: u64) -> Option<String> {
        let top = whole(&symbol.truth.top(1));
        let text = message("book_snapshot", topic).text("name", "quote").raw("depth", 1);
        let text = text.raw("interval", 0).raw("bids", levels(symbol, &top.bids));
        Some(close(text.raw("asks", levels(symbol, &top.asks)), at_ns))
    }

    fn reference(&mut self, topic: &str, symbol: &Symbol, _first: bool, at_ns: u64) -> Vec<String> {
        let (grid, reference) = (symbol.spec.grid, symbol.reference);
        let next = iso_time(next_funding_ms(at_ns) * MS_NS, false);
        let text = message("derivative_ticker", topic);
        let text = text.raw("lastPrice", js_number(grid.price(symbol.last_ticks)));
        let text = text.raw("openInterest", js_number(grid.qty(reference.open_interest)));
        let text = text.raw("fundingRate", js_number(Decimal::new(reference.funding_e8, 8)));
        let text = text.text("fundingTimestamp", next);
        let text = text.raw("indexPrice", js_number(grid.fine_price(reference.index_tenths)));
        let text = text.raw("markPrice", js_number(grid.fine_price(reference.mark_tenths)));
        vec![close(text, at_ns)]
    }

    fn upgrade(&mut self, desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer> {
        if !matches!(request.path(), "/ws-stream-normalized" | "/ws-replay-normalized") {
            return Err(self.failure(404));
        }
        let options = request.query("options").unwrap_or_default();
        let options: Value = serde_json::from_str(&options).map_err(|_| self.failure(400))?;
        let list = match options {
            Value::Array(list) => list,
            one => vec![one],
        };
        let mut topics = Vec::new();
        for options in &list {
            topics.extend(Self::topics(options).ok_or_else(|| self.failure(400))?);
        }
        let known = |topic: &String| Self::channel(desk, topic).is_some();
        if !topics.iter().all(known) {
            return Err(self.failure(400));
        }
        Ok(Access { topics, ..Access::default() })
    }

    fn opened(&mut self, desk: &mut Desk, conn: Conn, topics: &[String]) {
        for name in topics {
            if let Some((symbol, channel)) = Self::channel(desk, name) {
                let now = i64::try_from(desk.now_ns / 1_000).unwrap_or(FIRST);
                let topic = desk.open(name, Some(symbol), channel, || now);
                join(self, desk, conn, topic);
            }
        }
    }

    /// Nothing that a client says matters.
    fn receive(&mut self, _desk: &mut Desk, _conn: Conn, _text: &str) {}

    fn second(&mut self, _desk: &mut Desk, _conn: Conn) {}

    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer {
        if request.path() != "/health-check" {
            return self.failure(404);
        }
        let hours = (desk.now_ns - self.start_ns) / (3_600 * 1_000 * MS_NS);
        let body = Object::new().text("status", "Healthy").raw("uptimeHours", hours);
        Answer::json(body.raw("timestampMs", desk.now_ns / MS_NS).close())
    }

    fn failure(&self, status: u16) -> Answer {
        Answer::json(r#"{"message":"simulated"}"#).with_status(status)
    }
}
