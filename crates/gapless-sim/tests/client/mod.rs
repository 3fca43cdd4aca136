//! A client of every venue in as few lines as are right, written from the venues' documents.

use std::collections::BTreeMap;

use gapless_sim::exchange::{Answer, Exchange, Incoming, Request, Venue, Wire};
use serde_json::Value;

pub const SECOND_NS: u64 = 1_000_000_000;
pub const VENUES: [Venue; 7] = [
    Venue::BinanceSpot,
    Venue::BinanceUs,
    Venue::BinanceUsdm,
    Venue::BinanceCoinm,
    Venue::Bybit,
    Venue::Okx,
    Venue::Deribit,
];

/// A price that orders and prints as its canonical text.
fn canonical(text: &str) -> String {
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text.to_owned()
}

/// Sorted by value: all prices here are positive and below 10^9.
fn key(price: &str) -> u64 {
    (price.parse::<f64>().unwrap() * 1e9).round() as u64
}

#[derive(Default)]
struct Book {
    sides: [BTreeMap<u64, (String, String)>; 2],
    seq: Option<i64>,
    buffer: Vec<Value>,
    /// A snapshot over REST that no event has reached yet.
    held: Option<Value>,
    asked: bool,
}

impl Book {
    fn apply(&mut self, sides: [&Value; 2]) {
        for (side, levels) in self.sides.iter_mut().zip(sides) {
            for level in levels.as_array().into_iter().flatten() {
                let text = |at: usize| match &level[at] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                // Deribit puts an action before the price.
                let first =
                    usize::from(level[0].as_str().is_some_and(|t| t.parse::<f64>().is_err()));
                let (price, size) = (text(first), text(first + 1));
                if size.parse::<f64>().unwrap() == 0.0 {
                    side.remove(&key(&price));
                } else {
                    side.insert(key(&price), (canonical(&price), canonical(&size)));
                }
            }
        }
    }

    /// Binance: joins the buffered events to the snapshot that is held, if they reach it.
    fn join(&mut self) {
        let Some(body) = self.held.take() else { return };
        let id = body["lastUpdateId"].as_i64().unwrap();
        let number = |event: &Value, key: &str| event[key].as_i64().unwrap();
        let futures = self.buffer[0].get("pu").is_some();
        self.buffer.retain(|event| number(event, "u") > id);
        let Some(first) = self.buffer.first() else { return self.held = Some(body) };
        let joins = if futures { number(first, "pu") <= id } else { number(first, "U") <= id + 1 };
        if !joins {
            return;
        }
        self.apply([&body["bids"], &body["asks"]]);
        let mut last = None;
        for event in std::mem::take(&mut self.buffer) {
            let before = last.unwrap_or(id);
            let chains = match event.get("pu") {
                Some(pu) => last.is_none() || pu.as_i64() == last,
                None => number(&event, "U") <= before + 1,
            };
            if !chains {
                return *self = Self::default();
            }
            self.apply([&event["b"], &event["a"]]);
            last = Some(number(&event, "u"));
        }
        self.seq = last;
    }

    fn text(&self) -> String {
        let line = |word: &str, (p, s): &(String, String)| format!("{word} {p} {s}\n");
        let bids = self.sides[0].values().rev().map(|level| line("bid", level));
        bids.chain(self.sides[1].values().map(|level| line("ask", level))).collect()
    }
}

pub struct Client {
    venue: Venue,
    books: BTreeMap<String, Book>,
    conn: u64,
    connected: bool,
    pub gaps: u64,
    /// Whether it can be deceived: then its books are not compared.
    pub naive: bool,
}

impl Client {
    pub fn new(venue: Venue) -> Self {
        Self { venue, books: BTreeMap::new(), conn: 0, connected: false, gaps: 0, naive: false }
    }

    fn connect(&mut self, exchange: &mut Exchange, now_ns: u64) {
        self.conn += 1;
        self.books.clear();
        let path = match self.venue {
            Venue::BinanceUsdm => "/public/stream",
            Venue::Bybit => "/v5/public/linear",
            Venue::Okx => "/ws/v5/public",
            Venue::Deribit => "/ws/api/v2",
            _ => "/stream",
        };
        self.connected = exchange.connect(self.conn, &Request::get(path), now_ns).is_ok();
        if self.connected {
            let symbols = exchange.symbols().filter(|(_, class)| *class != "spot");
            let names: Vec<String> = symbols.map(|(name, _)| name.to_owned()).collect();
            let request = self.subscribe(&names);
            exchange.receive(self.conn, Incoming::Text(&request), now_ns);
        }
    }

    fn subscribe(&self, names: &[String]) -> String {
        let list = |form: &dyn Fn(&str) -> String| -> String {
            names.iter().map(|n| format!("\"{}\"", form(n))).collect::<Vec<_>>().join(",")
        };
        match self.venue {
            Venue::Bybit => {
                let args = list(&|name| format!("orderbook.50.{name}"));
                format!(r#"{{"op":"subscribe","args":[{args}]}}"#)
            }
            Venue::Okx => {
                let arg = |n: &String| format!(r#"{{"channel":"books","instId":"{n}"}}"#);
                let args = names.iter().map(arg).collect::<Vec<_>>().join(",");
                format!(r#"{{"op":"subscribe","args":[{args}]}}"#)
            }
            Venue::Deribit => {
                let list = list(&|name| format!("book.{name}.100ms"));
                let params = format!(r#"{{"channels":[{list}]}}"#);
                format!(r#"{{"id":1,"method":"public/subscribe","params":{params}}}"#)
            }
            _ => {
                let params = list(&|name| format!("{}@depth@100ms", name.to_lowercase()));
                format!(r#"{{"method":"SUBSCRIBE","params":[{params}],"id":1}}"#)
            }
        }
    }

    fn hear(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        match self.venue {
            Venue::Bybit => self.hear_bybit(&message),
            Venue::Okx => {
                let (name, data) = (&message["arg"]["instId"], &message["data"][0]);
                let snapshot = message["action"] == "snapshot";
                self.hear_chain(name, snapshot, [&data["prevSeqId"], &data["seqId"]], data);
            }
            Venue::Deribit => {
                let data = &message["params"]["data"];
                let ids = [&data["prev_change_id"], &data["change_id"]];
                self.hear_chain(&data["instrument_name"], data["type"] == "snapshot", ids, data);
            }
            _ => self.hear_binance(&message["data"]),
        }
    }

    fn hear_binance(&mut self, event: &Value) {
        if event["e"] != "depthUpdate" {
            return;
        }
        let name = event["s"].as_str().unwrap().to_owned();
        let book = self.books.entry(name).or_default();
        let Some(seq) = book.seq else {
            book.buffer.push(event.clone());
            return book.join();
        };
        let number = |key: &str| event[key].as_i64().unwrap();
        let chains = match event.get("pu") {
            Some(pu) => pu.as_i64() == Some(seq),
            None => number("U") <= seq + 1,
        };
        if number("u") <= seq {
            return;
        }
        if chains {
            book.apply([&event["b"], &event["a"]]);
            book.seq = Some(number("u"));
        } else {
            self.gaps += 1;
            *book = Book { buffer: vec![event.clone()], ..Book::default() };
        }
    }

    fn hear_bybit(&mut self, message: &Value) {
        let data = &message["data"];
        let Some(name) = data["s"].as_str() else { return };
        let book = self.books.entry(name.to_owned()).or_default();
        let u = data["u"].as_i64().unwrap();
        if message["type"] == "snapshot" || u == 1 {
            *book = Book::default();
        } else if book.seq.is_none() || book.seq.is_some_and(|seq| u <= seq) {
            return;
        } else if book.seq != Some(u - 1) {
            self.gaps += 1;
            *book = Book { asked: true, ..Book::default() };
            return;
        }
        book.apply([&data["b"], &data["a"]]);
        book.seq = Some(u);
    }

    /// OKX and Deribit: each message names the one before.
    fn hear_chain(&mut self, name: &Value, snapshot: bool, ids: [&Value; 2], data: &Value) {
        let (Some(name), Some(seq)) = (name.as_str(), ids[1].as_i64()) else { return };
        let book = self.books.entry(name.to_owned()).or_default();
        if snapshot {
            *book = Book::default();
        } else if book.seq.is_none() || (ids[0].as_i64() != book.seq && book.seq >= Some(seq)) {
            return;
        } else if ids[0].as_i64() != book.seq {
            self.gaps += 1;
            *book = Book { asked: true, ..Book::default() };
            return;
        }
        book.apply([&data["bids"], &data["asks"]]);
        book.seq = Some(seq);
    }

    /// Asks for what is missing: snapshots over REST, or topics again.
    fn heal(&mut self, exchange: &mut Exchange, now_ns: u64) {
        let names: Vec<String> = self.books.keys().cloned().collect();
        for name in names {
            let book = &self.books[&name];
            if book.asked {
                let again = self.subscribe(std::slice::from_ref(&name));
                let drop = again.replace("subscribe", "unsubscribe");
                exchange.receive(self.conn, Incoming::Text(&drop), now_ns);
                exchange.receive(self.conn, Incoming::Text(&again), now_ns);
                self.books.get_mut(&name).unwrap().asked = false;
            } else if book.seq.is_none() && !book.buffer.is_empty() && book.held.is_none() {
                let root = match self.venue {
                    Venue::BinanceUsdm => "/fapi/v1",
                    Venue::BinanceCoinm => "/dapi/v1",
                    _ => "/api/v3",
                };
                let target = format!("{root}/depth?symbol={name}&limit=1000");
                let answer = exchange.http(&Request::get(&target), now_ns);
                self.bridge(&name, &answer);
            }
        }
    }

    fn bridge(&mut self, name: &str, answer: &Answer) {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
        if !body["lastUpdateId"].is_i64() {
            return;
        }
        if body.get("symbol").is_some_and(|said| said != name) {
            return;
        }
        let book = self.books.get_mut(name).unwrap();
        book.held = Some(body);
        book.join();
    }
}

/// Runs a client against an exchange; how often a book was compared with the truth.
///
/// Every step of a tenth of a second all frames are heard and every book that has a sequence is
/// compared.
pub fn drive(exchange: &mut Exchange, client: &mut Client, until_ns: u64) -> u64 {
    let mut compared = 0;
    for step in 1..=until_ns / 100_000_000 {
        let now_ns = step * 100_000_000;
        exchange.tick(now_ns);
        if !client.connected {
            client.connect(exchange, now_ns);
        }
        while let Some(output) = exchange.poll() {
            match output.wire {
                _ if output.conn != client.conn => {}
                Wire::Text(text) | Wire::Dribble(text, _) => client.hear(&text),
                Wire::Close(..) | Wire::Reset | Wire::Freeze => client.connected = false,
                Wire::Ping(payload) => {
                    exchange.receive(client.conn, Incoming::Pong(&payload), now_ns);
                }
                Wire::Pong(_) => {}
            }
        }
        client.heal(exchange, now_ns);
        for (name, book) in &client.books {
            let Some(seq) = book.seq.filter(|_| !client.naive) else { continue };
            for truth in exchange.truths(name, Some(seq)) {
                assert_eq!(book.text(), truth.book.canonical(), "{name} at {seq}");
                compared += 1;
            }
        }
    }
    compared
}
