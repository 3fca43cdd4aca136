//! Sockets for a feed: does what it says, on one thread.
//!
//! Invariant: a frame is read, parsed, applied and shown by the thread that runs the driver, with
//! no queue and no copy in between; nothing here decides.

pub mod clock;
pub mod dial;
pub mod transport;

use crate::command::{Command, ConnId, FetchId, Why};
use crate::feed::Feed;
use crate::lists::ListRead;
pub use clock::Clock;
use gapless_venues::session::Watcher;
use gapless_venues::venue::HttpAnswer;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use transport::{Answer, Incoming, Outgoing, Question, Socket, Soon, Transport};

/// Frames of one connection before the next has its turn.
const FRAMES_A_TURN: usize = 64;
/// A peer that takes nothing of what is to be sent for so long is gone.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// A thread that does not look at its sockets for so long stood still, ns: what waits in them is of
/// before. Readers are told of a silent writer after as long.
pub const STILL_NS_MAX: i64 = 1_000_000_000;

enum Link<S> {
    Connecting(ConnId, Soon<Result<S, Why>>),
    Open {
        conn: ConnId,
        socket: S,
        /// Since when something waits to be sent.
        stuck: Option<Instant>,
    },
}

impl<S> Link<S> {
    const fn conn(&self) -> ConnId {
        match self {
            Self::Connecting(conn, _) | Self::Open { conn, .. } => *conn,
        }
    }
}

/// A feed with its sockets. Lives on the thread that runs it.
pub struct Driver<T: Transport> {
    feed: Feed,
    transport: T,
    clock: Clock,
    links: Vec<Link<T::Socket>>,
    fetches: Vec<(FetchId, Soon<Result<Answer, Why>>)>,
    /// Lists that are being read on another thread.
    lists: Vec<(FetchId, JoinHandle<(Answer, ListRead)>)>,
    /// When it is to look at its sockets again at the latest, ns.
    look_by: i64,
}

impl<T: Transport> Driver<T> {
    /// A driver of a feed that has not started.
    #[must_use]
    pub fn new(feed: Feed, transport: T, clock: Clock) -> Self {
        let (links, fetches, lists) = (Vec::new(), Vec::new(), Vec::new());
        Self { feed, transport, clock, links, fetches, lists, look_by: i64::MAX }
    }

    /// Its feed.
    #[must_use]
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Its feed, to tell it something; what it then wants is done by [`Driver::run`].
    pub const fn feed_mut(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// Its clock.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Starts the feed.
    pub fn start<W: Watcher>(&mut self, watcher: &mut W) {
        self.feed.start(self.clock.now(), watcher);
    }

    /// Runs for so long, or until `enough` says so; it is asked after every frame. A driver that
    /// was not run for [`STILL_NS_MAX`], whatever the reason, begins all connections anew.
    pub async fn run<W: Watcher>(
        &mut self,
        watcher: &mut W,
        at_most: Duration,
        enough: impl Fn(&W) -> bool,
    ) {
        let end = Instant::now() + at_most;
        loop {
            self.obey(watcher);
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || enough(watcher) {
                return;
            }
            self.clock.follow();
            let now = self.clock.now();
            self.look(now, watcher);
            let due = self.feed.deadline(now).saturating_sub(now).max(0);
            let wait = Duration::from_nanos(due.unsigned_abs()).min(left);
            self.look_by = now.saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
            let mut timer = pin!(sleep(wait));
            poll_fn(|cx| {
                let is_due = timer.as_mut().poll(cx).is_ready();
                match self.poll(cx, watcher, &enough) {
                    Poll::Pending if !is_due => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
            let now = self.clock.now();
            if now >= self.feed.deadline(now) {
                self.feed.tick(now, watcher);
            }
        }
    }

    /// Closes everything, for good, without waiting for peers.
    pub fn stop<W: Watcher>(&mut self, watcher: &mut W) {
        self.feed.stop(self.clock.now(), watcher);
        self.obey(watcher);
        self.links.clear();
        self.fetches.clear();
        self.lists.clear();
    }

    /// Does what the feed wants.
    fn obey<W: Watcher>(&mut self, watcher: &mut W) {
        while let Some(command) = self.feed.next_command() {
            match command {
                Command::Connect { conn, url, headers, local } => {
                    let socket = self.transport.connect(url, headers, local);
                    self.links.push(Link::Connecting(conn, socket));
                }
                Command::Send { conn, text } => self.send(conn, Outgoing::Text(text), watcher),
                Command::Ping { conn } => self.send(conn, Outgoing::Ping, watcher),
                Command::Close { conn } => self.close(conn),
                Command::Fetch { id, url, headers, body, local } => {
                    let question = Question { url, headers, body, local };
                    self.fetches.push((id, self.transport.ask(question)));
                }
            }
        }
    }

    /// A frame that cannot be sent ends its connection: nobody would miss the answer to a
    /// subscription that is never answered.
    fn send<W: Watcher>(&mut self, to: ConnId, frame: Outgoing, watcher: &mut W) {
        let Some(at) = self.links.iter().position(|link| link.conn() == to) else { return };
        let Some(Link::Open { socket, stuck, .. }) = self.links.get_mut(at) else { return };
        stuck.get_or_insert_with(Instant::now);
        if let Err(why) = socket.send(frame) {
            drop(self.links.swap_remove(at));
            self.feed.closed(to, &why, self.clock.now(), watcher);
        }
    }

    fn close(&mut self, which: ConnId) {
        let Some(at) = self.links.iter().position(|link| link.conn() == which) else { return };
        if let Link::Open { mut socket, .. } = self.links.swap_remove(at) {
            // The peer learns of it if it listens; nobody waits for that.
            let _ = socket.send(Outgoing::Close);
            let _ = socket.poll_flush(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Before anything is read: what waited while the thread was stopped, the machine suspended or
    /// the processor elsewhere is not shown as news.
    fn look<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        if is_late(self.look_by, now) {
            self.feed.stood_still(now, watcher);
        }
        self.look_by = now;
    }

    /// One turn over everything that may be ready; ready itself when the feed wants something.
    fn poll<W: Watcher>(
        &mut self,
        cx: &mut Context<'_>,
        watcher: &mut W,
        enough: &impl Fn(&W) -> bool,
    ) -> Poll<()> {
        self.look(self.clock.now(), watcher);
        let mut at = 0;
        while at < self.links.len() {
            match self.poll_link(at, cx, watcher, enough) {
                Ok(()) => at += 1,
                Err(why) => {
                    let conn = self.links.swap_remove(at).conn();
                    self.feed.closed(conn, &why, self.clock.now(), watcher);
                }
            }
        }
        self.poll_fetches(cx, watcher);
        self.poll_lists(cx, watcher);
        if self.feed.has_commands() || enough(watcher) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn poll_link<W: Watcher>(
        &mut self,
        at: usize,
        cx: &mut Context<'_>,
        watcher: &mut W,
        enough: &impl Fn(&W) -> bool,
    ) -> Result<(), Why> {
        let Self { feed, links, clock, look_by, .. } = self;
        let Some(link) = links.get_mut(at) else { return Ok(()) };
        if let Link::Connecting(conn, socket) = link {
            let Poll::Ready(socket) = socket.as_mut().poll(cx) else { return Ok(()) };
            let conn = *conn;
            *link = Link::Open { conn, socket: socket?, stuck: None };
            feed.opened(conn, clock.now(), watcher);
        }
        let Link::Open { conn, socket, stuck } = link else { return Ok(()) };
        for _ in 0..FRAMES_A_TURN {
            let Poll::Ready(incoming) = socket.poll_incoming(cx) else {
                return flush(socket, stuck, cx);
            };
            let now = clock.now();
            if is_late(*look_by, now) {
                break;
            }
            *look_by = now;
            match incoming? {
                Incoming::Text(bytes) => feed.frame(*conn, now, &bytes, watcher),
                Incoming::Binary(bytes) => feed.binary(*conn, now, &bytes, watcher),
                Incoming::Control => {
                    feed.heard(*conn, now);
                    stuck.get_or_insert_with(Instant::now);
                }
            }
            if feed.has_commands() || enough(watcher) {
                break;
            }
        }
        // It may have more: it is looked at again after the others.
        cx.waker().wake_by_ref();
        flush(socket, stuck, cx)
    }

    fn poll_fetches<W: Watcher>(&mut self, cx: &mut Context<'_>, watcher: &mut W) {
        let mut at = 0;
        while let Some((id, answer)) = self.fetches.get_mut(at) {
            let Poll::Ready(answer) = answer.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let id = *id;
            drop(self.fetches.swap_remove(at));
            let now = self.clock.now();
            if is_late(self.look_by, now) {
                self.feed.fetch_unread(id, now);
                continue;
            }
            match (answer, self.feed.list_reader(id)) {
                (Ok(answer), None) => {
                    with_headers(&answer, now, |answer| {
                        self.feed.answered(id, answer, now, watcher);
                    });
                }
                (Ok(answer), Some(reader)) => {
                    // Frames go on being read meanwhile.
                    let read = spawn_blocking(move || {
                        let read = with_headers(&answer, now, |answer| reader.read(answer));
                        (answer, read)
                    });
                    self.lists.push((id, read));
                }
                (Err(_), _) => self.feed.fetch_failed(id, now),
            }
        }
    }

    fn poll_lists<W: Watcher>(&mut self, cx: &mut Context<'_>, watcher: &mut W) {
        let mut at = 0;
        while let Some((id, reading)) = self.lists.get_mut(at) {
            let Poll::Ready(done) = Pin::new(reading).poll(cx) else {
                at += 1;
                continue;
            };
            let id = *id;
            drop(self.lists.swap_remove(at));
            let now = self.clock.now();
            match done {
                Ok((answer, read)) => with_headers(&answer, now, |answer| {
                    self.feed.listed(id, answer, read, now, watcher);
                }),
                Err(_) => self.feed.fetch_failed(id, now),
            }
        }
    }
}

/// An answer as the feed is told of it.
fn with_headers<T>(answer: &Answer, now: i64, what: impl FnOnce(&HttpAnswer<'_>) -> T) -> T {
    let headers: Vec<_> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (status, body, now_ms) = (answer.status, &*answer.body, now / 1_000_000);
    what(&HttpAnswer { status, headers: &headers, body, now_ms })
}

#[inline]
const fn is_late(look_by: i64, now: i64) -> bool {
    now.saturating_sub(look_by) > STILL_NS_MAX
}

fn flush<S: Socket>(
    socket: &mut S,
    stuck: &mut Option<Instant>,
    cx: &mut Context<'_>,
) -> Result<(), Why> {
    let Some(since) = *stuck else { return Ok(()) };
    match socket.poll_flush(cx) {
        Poll::Ready(flushed) => {
            *stuck = None;
            flushed
        }
        Poll::Pending if since.elapsed() > WRITE_TIME_MAX => {
            Err(Why::Broken("the peer reads nothing".to_owned()))
        }
        Poll::Pending => Ok(()),
    }
}
