//! A spot exchange on loopback, as small as it can be: a book that changes every millisecond, its
//! deltas over WebSocket, its snapshots over HTTP, and what one wants to go wrong.

use futures_util::{SinkExt, StreamExt};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::tungstenite::Message;

/// What happens to whoever is connected.
#[derive(Default)]
pub struct Knobs {
    /// No change of the book.
    pub paused: AtomicBool,
    /// Deltas that are not sent.
    pub drops: AtomicUsize,
    /// Status of the next upgrades; 0: they are granted.
    pub refuse: AtomicU16,
    /// Nothing is sent, and nothing is said about it.
    pub silent: AtomicBool,
    /// Connections so far.
    pub connects: AtomicUsize,
    /// HTTP requests so far.
    pub fetches: AtomicUsize,
}

#[derive(Default)]
struct Book {
    last: i64,
    sides: [BTreeMap<i64, i64>; 2],
}

impl Book {
    /// Changes some level and says so. Bids lie below 1000, asks above.
    fn step(&mut self, symbol: &str, random: u64) -> String {
        self.last += 1;
        let side = usize::from(random & 1 == 1);
        let away = i64::try_from(random >> 8 & 63).unwrap() + 1;
        let price = if side == 0 { 1_000 - away } else { 1_000 + away };
        let qty = if random >> 16 & 3 == 0 && self.sides[side].len() > 8 {
            0
        } else {
            i64::try_from(random >> 20 & 0xfff).unwrap() + 1
        };
        if qty == 0 {
            self.sides[side].remove(&price);
        } else {
            self.sides[side].insert(price, qty);
        }
        let level = format!("[[\"{price}\",\"{qty}\"]]");
        let (bids, asks) = if side == 0 { (level.as_str(), "[]") } else { ("[]", level.as_str()) };
        let (stream, last) = (symbol.to_lowercase(), self.last);
        format!(
            "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\
             \"E\":1763600000123,\"s\":\"{symbol}\",\"U\":{last},\"u\":{last},\
             \"b\":{bids},\"a\":{asks}}}}}"
        )
    }

    fn snapshot(&self) -> String {
        let side = |at: usize| {
            let levels = self.sides[at].iter().map(|(p, q)| format!("[\"{p}\",\"{q}\"]"));
            levels.collect::<Vec<_>>().join(",")
        };
        let (bids, asks) = (side(0), side(1));
        format!("{{\"lastUpdateId\":{},\"bids\":[{bids}],\"asks\":[{asks}]}}", self.last)
    }

    fn canonical(&self) -> String {
        let mut text = String::new();
        for (price, qty) in self.sides[0].iter().rev() {
            let _ = writeln!(text, "bid {price} {qty}");
        }
        for (price, qty) in &self.sides[1] {
            let _ = writeln!(text, "ask {price} {qty}");
        }
        text
    }
}

/// The exchange; it ends when it is dropped.
pub struct Exchange {
    pub knobs: Arc<Knobs>,
    pub socket: SocketAddr,
    pub rest: SocketAddr,
    books: Arc<Mutex<BTreeMap<String, Book>>>,
    cut: watch::Sender<u64>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Exchange {
    pub fn start(symbols: &[&str]) -> Self {
        let knobs = Arc::new(Knobs::default());
        let books: BTreeMap<_, _> =
            symbols.iter().map(|name| ((*name).to_owned(), Book::default())).collect();
        let books = Arc::new(Mutex::new(books));
        let (cut, cuts) = watch::channel(0);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let world = World { knobs: knobs.clone(), books: books.clone(), cuts };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send((socket.local_addr().unwrap(), rest.local_addr().unwrap())).unwrap();
                tokio::select! {
                    () = world.run(socket, rest) => {}
                    _ = ended => {}
                }
            });
        });
        let (socket, rest) = told.recv().unwrap();
        Self { knobs, socket, rest, books, cut, end: Some(end), thread: Some(thread) }
    }

    /// Resets every connection.
    pub fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Last id and canonical text of a book.
    pub fn truth(&self, symbol: &str) -> (i64, String) {
        let books = self.books.lock().unwrap();
        (books[symbol].last, books[symbol].canonical())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct World {
    knobs: Arc<Knobs>,
    books: Arc<Mutex<BTreeMap<String, Book>>>,
    cuts: watch::Receiver<u64>,
}

impl World {
    async fn run(self, socket: TcpListener, rest: TcpListener) {
        let (deltas, _) = broadcast::channel(4_096);
        let mut seed = 7u64;
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        loop {
            tokio::select! {
                accepted = socket.accept() => {
                    let (world, deltas) = (self.clone(), deltas.subscribe());
                    tokio::spawn(async move { world.client(accepted.unwrap().0, deltas).await });
                }
                accepted = rest.accept() => {
                    let world = self.clone();
                    tokio::spawn(async move { world.answer(accepted.unwrap().0).await });
                }
                _ = tick.tick() => {
                    if self.knobs.paused.load(SeqCst) {
                        continue;
                    }
                    for (symbol, book) in self.books.lock().unwrap().iter_mut() {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let _ = deltas.send(book.step(symbol, seed >> 16));
                    }
                }
            }
        }
    }

    async fn client(mut self, mut stream: TcpStream, mut deltas: broadcast::Receiver<String>) {
        self.knobs.connects.fetch_add(1, SeqCst);
        self.cuts.mark_unchanged();
        let status = self.knobs.refuse.load(SeqCst);
        if status != 0 {
            let mut request = [0; 2_048];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            return;
        }
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        let mut wanted = Vec::new();
        loop {
            tokio::select! {
                _ = self.cuts.changed() => {
                    let _ = socket.get_ref().set_zero_linger();
                    return;
                }
                frame = socket.next() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        wanted.push(text.to_string());
                        let id = text.as_str().rsplit("\"id\":").next().unwrap_or("0}").to_owned();
                        let ack = format!("{{\"result\":null,\"id\":{id}");
                        let _ = socket.send(Message::text(ack)).await;
                    }
                    Some(Ok(_)) => {}
                    _ => return,
                },
                delta = deltas.recv() => {
                    let Ok(delta) = delta else { return };
                    let stream = delta.split('"').nth(3).unwrap_or("");
                    let mine = wanted.iter().any(|text| text.contains(stream));
                    let one_less = |left: usize| left.checked_sub(1);
                    let drops = &self.knobs.drops;
                    let lost = mine && drops.fetch_update(SeqCst, SeqCst, one_less).is_ok();
                    if mine && !lost && !self.knobs.silent.load(SeqCst) {
                        let _ = socket.send(Message::text(delta)).await;
                    }
                }
            }
        }
    }

    /// Answers requests on one connection, one after the other.
    async fn answer(self, mut stream: TcpStream) {
        let mut read = Vec::new();
        loop {
            let mut bytes = [0; 2_048];
            match stream.read(&mut bytes).await {
                Ok(length) if length > 0 => read.extend_from_slice(&bytes[..length]),
                _ => return,
            }
            if !read.ends_with(b"\r\n\r\n") {
                continue;
            }
            let text = String::from_utf8_lossy(&std::mem::take(&mut read)).into_owned();
            let symbol = text.split("symbol=").nth(1).and_then(|rest| rest.split('&').next());
            let body = symbol.map(|symbol| self.books.lock().unwrap()[symbol].snapshot());
            self.knobs.fetches.fetch_add(usize::from(body.is_some()), SeqCst);
            // It has books and no list of them.
            let (status, body) = match &body {
                Some(body) => ("200 OK", body.as_str()),
                None => ("404 Not Found", "{}"),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                 x-mbx-used-weight-1m: 1\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
