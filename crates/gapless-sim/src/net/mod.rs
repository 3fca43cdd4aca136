//! Exchanges on real sockets: plain WebSocket and HTTP on one loopback port each.
//!
//! One task owns an exchange and lets its time pass; a task for every connection carries bytes to
//! and fro. Faults that are no words happen here: an RST, a peer that is gone without a word,
//! bytes that trickle, bodies that end early.

mod connection;
mod head;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::exchange::{Answer, Conn, Exchange, Incoming, Output, Request, Rule, Truth, Wire};
use std::collections::{BTreeMap, HashMap};

/// Outputs that may wait for one connection; who reads more slowly is cut off, as by a venue.
const WAITING_MAX: usize = 65_536;

/// Nanoseconds since the Unix epoch, never back: the wall clock once, then the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_ns: u64,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ns: nanos(since) }
    }

    /// The time.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.start_ns + nanos(self.start.elapsed())
    }

    fn instant(&self, at_ns: u64) -> Instant {
        self.start + Duration::from_nanos(at_ns.saturating_sub(self.start_ns))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A request with bytes of its own.
#[derive(Clone, Debug, Default)]
struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    peer: u32,
}

impl Asked {
    /// Calls with a borrowed view.
    fn with<T>(&self, call: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        call(&Request {
            method: &self.method,
            target: &self.target,
            headers: &headers,
            body: &self.body,
            peer: self.peer,
        })
    }
}

/// What tasks ask of the one that owns the exchange.
enum Command {
    Connect(Asked, oneshot::Sender<Result<(Conn, mpsc::Receiver<Output>), Answer>>),
    Text(Conn, String),
    Ping(Conn, Vec<u8>),
    Pong(Conn, Vec<u8>),
    Binary(Conn),
    Closed(Conn),
    Http(Asked, oneshot::Sender<Answer>),
    Look(Box<dyn FnOnce(&mut Exchange) + Send>),
}

/// An exchange that is being served.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    tasks: [AbortHandle; 2],
}

impl Server {
    /// Serves an exchange on a port; it begins at the clock's time.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(exchange: Exchange, listener: TcpListener, clock: Clock) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (commands, inbox) = mpsc::channel(4_096);
        let owner = tokio::spawn(own(exchange, inbox, clock));
        let door = tokio::spawn(connection::accept(listener, commands.clone(), clock));
        let tasks = [owner.abort_handle(), door.abort_handle()];
        Ok(Self { address, commands, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The books of a symbol or topic; see [`Exchange::truths`].
    pub async fn truths(&self, name: &str, seq: Option<i64>) -> Vec<Truth> {
        let name = name.to_owned();
        self.look(move |exchange| exchange.truths(&name, seq)).await.unwrap_or_default()
    }

    /// How often each fault struck.
    pub async fn fault_counts(&self) -> BTreeMap<String, u64> {
        self.look(|exchange| exchange.fault_counts().clone()).await.unwrap_or_default()
    }

    /// One more thing goes wrong.
    pub async fn trouble(&self, rule: Rule) {
        self.look(|exchange| exchange.trouble(rule)).await;
    }

    /// The market stands still, or goes on; see [`Exchange::pause`].
    pub async fn pause(&self, paused: bool) {
        self.look(move |exchange| exchange.pause(paused)).await;
    }

    /// Calls with the exchange itself, between two of its moments; `None` once it has stopped.
    pub async fn look<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Exchange) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |exchange: &mut Exchange| {
            let _ = answer.send(call(exchange));
        });
        self.commands.send(Command::Look(look)).await.ok()?;
        answered.await.ok()
    }
}

impl Drop for Server {
    /// Nobody is let in any more, and connections end with their next word.
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Lets time pass, hears clients and hands out what is to be sent.
async fn own(mut exchange: Exchange, mut inbox: mpsc::Receiver<Command>, clock: Clock) {
    let mut lines: HashMap<Conn, mpsc::Sender<Output>> = HashMap::new();
    let mut next_conn = 1;
    loop {
        exchange.tick(clock.now_ns());
        while let Some(output) = exchange.poll() {
            let conn = output.conn;
            let ends = matches!(output.wire, Wire::Close(..) | Wire::Reset | Wire::Freeze);
            let Some(line) = lines.get(&conn) else { continue };
            if line.try_send(output).is_err() {
                exchange.receive(conn, Incoming::Closed, clock.now_ns());
                lines.remove(&conn);
            } else if ends {
                lines.remove(&conn);
            }
        }
        let due = tokio::time::Instant::from_std(clock.instant(exchange.next_ns()));
        let command = tokio::select! {
            biased;
            command = inbox.recv() => command,
            () = tokio::time::sleep_until(due) => continue,
        };
        let Some(command) = command else { return };
        let now_ns = clock.now_ns();
        match command {
            Command::Connect(asked, answer) => {
                let conn = next_conn;
                next_conn += 1;
                let granted = asked.with(|request| exchange.connect(conn, request, now_ns));
                let (line, outputs) = mpsc::channel(WAITING_MAX);
                if granted.is_ok() {
                    lines.insert(conn, line);
                }
                let _ = answer.send(granted.map(|()| (conn, outputs)));
            }
            Command::Text(conn, text) => exchange.receive(conn, Incoming::Text(&text), now_ns),
            Command::Ping(conn, bytes) => exchange.receive(conn, Incoming::Ping(&bytes), now_ns),
            Command::Pong(conn, bytes) => exchange.receive(conn, Incoming::Pong(&bytes), now_ns),
            Command::Binary(conn) => exchange.receive(conn, Incoming::Binary, now_ns),
            Command::Closed(conn) => {
                lines.remove(&conn);
                exchange.receive(conn, Incoming::Closed, now_ns);
            }
            Command::Http(asked, answer) => {
                let said = match asked.target.strip_prefix("/truth") {
                    Some(rest) => head::truth(&mut exchange, rest),
                    None => asked.with(|request| exchange.http(request, now_ns)),
                };
                let _ = answer.send(said);
            }
            Command::Look(call) => call(&mut exchange),
        }
    }
}
