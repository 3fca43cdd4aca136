//! One connection: frames in, events and books out, and what the connection now needs.
//!
//! ```text
//! frame ─► template + kernel ──────────┐ (known shape)
//!      └─► the venue's general parser ─┴─► event ─► attribution ─► LocalBook ─► Handler
//!                                                                     └─► demands ─► Action
//! ```
//!
//! A session does no I/O and reads no clock: replay drives it from recordings, the live feeds from
//! sockets. Everything that happens is told to a [`Handler`] while the frame is being read.
//!
//! The first frame of a kind goes through the general parser, which teaches a template; the next
//! ones are compared with it and only their numbers are read. Both ways end in the same place.

mod control;
mod feed;
mod handler;
mod instruments;
mod router;

pub use handler::{Action, Handler, LineId, Stage, Watcher, Wire};

use crate::attribution::Attribution;
use crate::books::{BOOKS_MAX, BookEntry, BookId, Books, Unclaimed};
use crate::kernel::{Frame, FrameBuf, Isa};
use crate::learned::Learned;
use crate::scratch::Scratch;
use crate::templates::Templates;
use crate::venue::{Context, Market, Origin, Topic, Venue};
use crate::wire::{EventSink, Reject};
use feed::{Watch, act, disconnect, finish, for_books, off_grid, overdue};
use gapless_book::event::{Body, Event, Level, NO_TIME};
use gapless_book::lines::{Arrival, LineNo, LinePolicy};
use gapless_book::local::{Demand, Outcome, Policy, Reason, State, Transition};
use gapless_book::sequence::Verdict;
use instruments::Listed;
use router::Router;

/// Choices of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionConfig {
    /// Choices of its books.
    pub policy: Policy,
    /// Frames come from a recording (ruling 0.6.6).
    pub recorded: bool,
}

impl SessionConfig {
    /// The choices of replay.
    #[must_use]
    pub fn replay() -> Self {
        Self { policy: Policy::replay(), recorded: true }
    }

    /// The choices of a live feed.
    #[must_use]
    pub fn live() -> Self {
        Self { policy: Policy::default(), recorded: false }
    }
}

/// Refused frames in a row after which a connection is given up (C96).
pub const REJECTS_MAX: u32 = 1000;
/// A book that gets deltas but no snapshot for this long asks for one (C32, protocols.md 4.7).
pub const SNAPSHOT_WAIT_NS: i64 = 2_000_000_000;
/// Most bytes kept of REST answers, their names included, for books that have not appeared yet.
/// Connections that are offered the same answers share it ([`Session::keep_at_most`]).
pub const UNCLAIMED_MAX: usize = 64 * 1024 * 1024;

/// One connection of one venue.
#[derive(Debug)]
pub struct Session<V> {
    venue: V,
    config: SessionConfig,
    line: Line,
    scratch: Scratch,
    isa: Isa,
    /// What templates find in a frame: levels of the message being read.
    levels: Vec<Level>,
    received: FrameBuf,
    epoch: u32,
    open: bool,
    rejects_run: u32,
    after_close: u64,
    last_recv_ns: i64,
    last_sent_ns: i64,
}

/// What a connection knows: its books, and what its frames and requests have shown.
#[derive(Debug, Default)]
struct Line {
    books: Books,
    attribution: Attribution,
    url: String,
    market: Market,
    /// An unnamed book kept until the first delta names its symbol.
    unnamed: Option<Vec<u8>>,
    /// A book built from an unnamed snapshot.
    guessed: Option<BookId>,
    /// Which it is among the connections that write the same books.
    no: LineNo,
    unclaimed_max: usize,
    /// Channels whose first push after subscribing has passed.
    pushed: Vec<String>,
    /// Subscriptions that were not answered yet, by request id.
    requests: Vec<(u64, Vec<(String, String)>)>,
    next_id: u64,
    rest_scratch: Scratch,
    /// The venues' lists, where they are known.
    listed: Option<Listed>,
    /// Symbols whose books are kept; empty = all.
    only: Vec<String>,
    templates: Templates,
    /// What a template's tag means.
    learned: Vec<Learned>,
}

/// Most kinds of frames that a connection learns.
pub const LEARNED_MAX: usize = 2 * BOOKS_MAX;

impl Line {
    fn forget_kinds(&mut self) {
        self.templates = Templates::new();
        self.learned.clear();
    }

    fn market_of<V: Venue>(&self, venue: &V, symbol: &str) -> Market {
        match self.market {
            Market::Unknown => venue.symbol_market(symbol),
            market => market,
        }
    }

    fn wants(&self, symbol: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == symbol)
    }
}

impl<V: Venue> Session<V> {
    /// A session that has not connected.
    #[must_use]
    pub fn new(venue: V, config: SessionConfig) -> Self {
        let line = Line {
            market: venue.market(""),
            next_id: 1,
            unclaimed_max: UNCLAIMED_MAX,
            ..Line::default()
        };
        Self {
            venue,
            config,
            line,
            scratch: Scratch::new(),
            isa: Isa::detect(),
            levels: Vec::new(),
            received: FrameBuf::new(),
            epoch: 0,
            open: false,
            rejects_run: 0,
            after_close: 0,
            last_recv_ns: NO_TIME,
            last_sent_ns: NO_TIME,
        }
    }

    /// Its books take what several connections bring: this one is line `no` of those that are lent
    /// the same books in turn ([`Session::lend`]).
    pub const fn set_line(&mut self, no: LineNo, policy: LinePolicy) {
        self.line.no = no;
        self.line.books.merge = Some(policy);
    }

    /// Exchanges the books with those in `books`. Connections that write the same books are lent
    /// them for the time of a call, each the same ones: a book keeps its id.
    pub const fn lend(&mut self, books: &mut Books) {
        core::mem::swap(&mut self.line.books, books);
    }

    /// The venue's translator.
    #[must_use]
    pub const fn venue(&self) -> &V {
        &self.venue
    }

    /// The books seen so far.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.line.books
    }

    /// Market of a symbol on this connection, as far as it is known.
    #[must_use]
    pub fn market_of(&self, symbol: &str) -> Market {
        self.line.market_of(&self.venue, symbol)
    }

    /// Counts the connections.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Frames that came after the connection was closed; none of them was read.
    #[must_use]
    pub const fn after_close(&self) -> u64 {
        self.after_close
    }

    /// Whether the connection is open. A frame on a session that was never opened opens it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The connection was opened to `url` (may be empty): a new epoch, every book is void.
    pub fn connect<H: Handler>(&mut self, url: &str, handler: &mut H) {
        self.disconnect(handler);
        // Whoever opened it did so with a key that was not refused.
        self.forgive(|_| true, Reason::Auth, handler);
        self.open = true;
        self.epoch += 1;
        self.last_sent_ns = NO_TIME;
        self.line.attribution.reset();
        self.line.pushed.clear();
        self.line.requests.clear();
        self.line.unnamed = None;
        if self.epoch > 1 {
            // A snapshot asked for on the old connection says nothing of the new one.
            self.line.books.unclaimed = Unclaimed::default();
        }
        // Kinds of frames are learned anew: what a connection shows of itself is noted on the way.
        self.line.forget_kinds();
        self.rejects_run = 0;
        let no = self.line.no;
        self.line.books.opened(no);
        url.clone_into(&mut self.line.url);
        self.line.market = self.venue.market(url);
        self.note_topics(url);
        if let Some(text) = self.venue.opening().filter(|_| !self.config.recorded) {
            handler.action(&Action::Send(text));
        }
    }

    /// The connection ended: its books are void.
    pub fn disconnect<H: Handler>(&mut self, handler: &mut H) {
        if !self.open {
            return;
        }
        self.open = false;
        self.line.guessed = None;
        let no = self.line.no;
        disconnect(&mut self.line.books, (no, self.last_recv_ns), |_| true, handler);
    }

    /// Notes a frame that the client sent (a recording's `S` line, or what a live feed sends).
    pub fn sent(&mut self, now_ns: i64, text: &str) {
        self.last_sent_ns = now_ns;
        self.note_topics(text);
        // A new subscription repeats history again.
        self.line.pushed.clear();
    }

    fn note_topics(&mut self, text: &str) {
        let attribution = &mut self.line.attribution;
        self.venue.subscribed(text, &mut |topic| attribution.subscribe(topic));
    }

    /// Requests that subscribe `topics`; remembers them until they are answered.
    pub fn subscribe(&mut self, topics: &[Topic<'_>]) -> Vec<String> {
        let requests = self.venue.subscribe(topics, self.line.next_id);
        for topic in topics {
            self.line.attribution.subscribe(*topic);
        }
        for request in &requests {
            let mut owned = Vec::new();
            let mut keep = |t: Topic<'_>| owned.push((t.channel.to_owned(), t.symbol.to_owned()));
            self.venue.subscribed(request, &mut keep);
            self.line.requests.push((self.line.next_id, owned));
            self.line.next_id += 1;
        }
        requests
    }

    /// Requests that end the subscriptions of `topics`.
    pub fn unsubscribe(&mut self, topics: &[Topic<'_>]) -> Vec<String> {
        let requests = self.venue.unsubscribe(topics, self.line.next_id);
        self.line.next_id += requests.len() as u64;
        requests
    }

    /// Takes out the topics of a request that was not answered yet, as channel and symbol.
    pub fn take_requested(&mut self, id: u64) -> Vec<(String, String)> {
        let at = self.line.requests.iter().position(|(request, _)| *request == id);
        at.map(|at| self.line.requests.swap_remove(at).1).unwrap_or_default()
    }

    /// Topics of a request that was not answered yet.
    #[must_use]
    pub fn requested(&self, id: u64) -> usize {
        let found = self.line.requests.iter().find(|(request, _)| *request == id);
        found.map_or(0, |(_, topics)| topics.len())
    }

    /// Id of the next request.
    #[must_use]
    pub const fn next_id(&self) -> u64 {
        self.line.next_id
    }

    /// Makes the book of a topic before anything of it has come, so that readers see that it has
    /// no levels yet; nothing where the topic has no book or does not tell its name. `url` is that
    /// of the connection to come, whose market is the book's.
    pub fn expect<H: Handler>(&mut self, url: &str, topic: Topic<'_>, handler: &mut H) {
        if !self.open {
            self.line.market = self.venue.market(url);
        }
        let Some((exchange, channel, symbol)) = self.venue.book_of(&topic) else { return };
        let mut router =
            Router::new(&self.venue, self.config, &mut self.line, NO_TIME, None, handler);
        let Some(id) = router.find_or_add(exchange, channel, symbol) else { return };
        let Some(entry) = self.line.books.get(id) else { return };
        let (transition, demand) = (Transition::None, Demand::None);
        handler.book(id, entry, &Outcome { verdict: Verdict::Ignore, transition, demand });
    }

    /// These books need a person; a snapshot that comes all the same heals them.
    pub fn fail<H: Handler>(
        &mut self,
        which: impl Fn(&BookEntry) -> bool,
        reason: Reason,
        handler: &mut H,
    ) {
        self.for_books(which, |entry, _| entry.local.fail(reason), handler);
    }

    /// Books that needed a person for this reason begin anew.
    pub fn forgive<H: Handler>(
        &mut self,
        which: impl Fn(&BookEntry) -> bool,
        reason: Reason,
        handler: &mut H,
    ) {
        let failed = |entry: &BookEntry| entry.local.state() == (State::Failed, reason);
        let begin_anew = |entry: &mut BookEntry, _: &mut Watch<'_, H>| {
            let outcome = entry.local.disconnect();
            Outcome { verdict: Verdict::Heartbeat, ..outcome }
        };
        self.for_books(|entry| failed(entry) && which(entry), begin_anew, handler);
    }

    /// Keeps books of these symbols only; empty = all. Other symbols' messages are still events.
    pub fn only(&mut self, symbols: &[String]) {
        self.line.only = symbols.to_vec();
        self.line.forget_kinds();
    }

    /// Bytes kept of REST answers whose books have not appeared yet.
    #[must_use]
    pub const fn unclaimed_bytes(&self) -> usize {
        self.line.books.unclaimed.bytes
    }

    /// Bounds [`Session::unclaimed_bytes`]; what is kept already stays.
    pub const fn keep_at_most(&mut self, bytes: usize) {
        self.line.unclaimed_max = bytes;
    }

    /// Uses one instruction set's kernels instead of the best that the machine has.
    pub const fn set_isa(&mut self, isa: Isa) {
        self.isa = isa;
    }

    /// Reads one frame of the connection from any bytes: they are copied into a padded buffer.
    pub fn bytes<H: Handler>(&mut self, recv_ns: i64, frame: &[u8], handler: &mut H) {
        let mut received = core::mem::take(&mut self.received);
        self.frame(recv_ns, received.fill(frame), handler);
        self.received = received;
    }

    /// Reads one frame of the connection.
    #[inline]
    pub fn frame<H: Handler>(&mut self, recv_ns: i64, frame: Frame<'_>, handler: &mut H) {
        if !self.open && self.epoch > 0 {
            // Still queued from a socket that has ended (protocols.md 0.2 rule 13).
            self.after_close += 1;
            return;
        }
        if !self.known(recv_ns, frame, handler) {
            self.general(recv_ns, frame, handler);
        }
    }

    /// Reads a frame of a kind that was seen before; `false` if it is none.
    #[inline]
    fn known<H: Handler>(&mut self, recv_ns: i64, frame: Frame<'_>, handler: &mut H) -> bool {
        self.levels.clear();
        let line = &mut self.line;
        let Some(fields) = line.templates.read(self.isa, frame, &mut self.levels) else {
            return false;
        };
        let Some(learned) = line.learned.get(fields.tag as usize) else { return false };
        let Some(entry) = line.books.get_mut(learned.book) else { return false };
        let Some((message, times)) = learned.message(&fields, &self.levels, recv_ns) else {
            return false;
        };
        if entry.local.rule().checksum && message.seq.checksum.is_some_and(|sum| sum != 0) {
            // A checksum is over the numbers as written, which only the general parser keeps.
            return false;
        }
        self.last_recv_ns = recv_ns;
        self.rejects_run = 0;
        handler.stage(Stage::Parsed);
        let (id, flags) = (learned.book, learned.flags);
        handler.event(
            &Event {
                symbol: &entry.symbol,
                channel: &entry.channel,
                exchange: &entry.exchange,
                times,
                flags,
                raw: frame.bytes(),
                body: Body::Book(message),
            },
            Some(id),
        );
        off_grid(id, entry, &message, handler);
        let no = line.no;
        let mut watch = Watch { id, handler };
        let arrival = Arrival { line: no, message: &message, flags, times: &times };
        let outcome = entry.message(&arrival, &mut watch);
        handler.stage(Stage::Applied);
        let scales = entry.local.last_known().scales();
        finish(id, entry, outcome, recv_ns, handler);
        if scales != fields.scales {
            line.templates.set_scales(fields.tag, scales);
        }
        true
    }

    /// Reads a frame with the venue's own parser.
    fn general<H: Handler>(&mut self, recv_ns: i64, frame: Frame<'_>, handler: &mut H) {
        if self.epoch == 0 {
            self.connect("", handler);
        }
        self.last_recv_ns = recv_ns;
        let url = core::mem::take(&mut self.line.url);
        let context =
            Context { recv_ns, origin: Origin::Socket { url: &url }, market: self.line.market };
        let mut router =
            Router::new(&self.venue, self.config, &mut self.line, recv_ns, None, handler);
        router.frame = Some(frame);
        self.venue.parse(&context, frame.bytes(), &mut self.scratch, &mut router);
        let (rejects, events) = (router.rejects, router.events);
        self.line.url = url;
        self.judge(rejects, events, handler);
    }

    /// A run of frames that cannot be read ends the connection.
    fn judge<H: Handler>(&mut self, rejects: u32, events: u32, handler: &mut H) {
        if events > 0 {
            self.rejects_run = 0;
        }
        if rejects > 0 {
            self.rejects_run += 1;
            if self.rejects_run.is_multiple_of(REJECTS_MAX) {
                handler.action(&Action::Reconnect);
            }
        }
    }

    /// Reads the body of an HTTP response: a snapshot is offered to every book of its symbol that
    /// waits for one.
    pub fn rest<H: Handler>(&mut self, recv_ns: i64, url: &str, body: &[u8], handler: &mut H) {
        let context = Context { recv_ns, origin: Origin::Rest { url }, market: self.line.market };
        let mut router =
            Router::new(&self.venue, self.config, &mut self.line, recv_ns, Some(url), handler);
        self.venue.parse(&context, body, &mut self.scratch, &mut router);
    }

    /// Takes an event that was read elsewhere (CSV rows).
    pub fn event<H: Handler>(&mut self, event: &Event<'_>, handler: &mut H) {
        self.with_router(event.times.recv_ns, handler, |router| router.event(event));
    }

    /// Takes a refusal that was made elsewhere (CSV rows).
    pub fn reject<H: Handler>(&mut self, recv_ns: i64, reject: &Reject<'_>, handler: &mut H) {
        self.with_router(recv_ns, handler, |router| router.reject(reject));
    }

    fn with_router<H: Handler>(
        &mut self,
        now_ns: i64,
        handler: &mut H,
        body: impl FnOnce(&mut Router<'_, V, H>),
    ) {
        if self.epoch == 0 {
            self.connect("", handler);
        }
        let mut router =
            Router::new(&self.venue, self.config, &mut self.line, now_ns, None, handler);
        body(&mut router);
    }

    /// Tells the time: keep-alives, overdue snapshots, and resyncs that had to wait.
    pub fn tick<H: Handler>(&mut self, now_ns: i64, handler: &mut H) {
        if let Some((after_ms, text)) = self.venue.keepalive() {
            let after_ns = i64::try_from(after_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            // A connection that has sent nothing yet is measured from what it was told first.
            if self.last_sent_ns == NO_TIME {
                let heard = self.last_recv_ns != NO_TIME;
                self.last_sent_ns = if heard { self.last_recv_ns } else { now_ns };
            }
            // A server may count what it was sent, whatever it sends.
            if self.open && now_ns.saturating_sub(self.last_sent_ns) >= after_ns {
                self.last_sent_ns = now_ns;
                handler.action(&Action::Send(text));
            }
        }
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let no = self.line.no;
            let Some(entry) = self.line.books.get_mut(id) else { continue };
            if let Some(lines) = &mut entry.lines {
                let before = (entry.local.state(), entry.local.seq(), entry.local.epoch());
                let mut watch = Watch { id, handler: &mut *handler };
                let outcome = lines.tick(&mut entry.local, now_ns, &mut watch);
                let after = (entry.local.state(), entry.local.seq(), entry.local.epoch());
                if after != before || outcome.demand != Demand::None {
                    finish(id, entry, outcome, now_ns, handler);
                }
            }
            if !entry.is_of(no) {
                continue;
            }
            overdue(entry, now_ns);
            act(id, entry, now_ns, handler);
        }
    }

    /// Marks books stale that were silent for longer than `limit_ns`; the handler is told of those
    /// that changed.
    pub fn freshness<H: Handler>(&mut self, now_ns: i64, limit_ns: i64, handler: &mut H) {
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id) else { continue };
            let before = entry.local.state();
            let outcome = entry.local.tick(now_ns, limit_ns);
            if entry.local.state() != before || outcome.demand != Demand::None {
                finish(id, entry, outcome, self.last_recv_ns, handler);
            }
        }
    }

    /// Tells every book whether what is received of it is late; the handler is told of those that
    /// changed.
    pub fn set_late<H: Handler>(&mut self, late: bool, handler: &mut H) {
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id) else { continue };
            let before = entry.local.state();
            let outcome = entry.local.set_late(late);
            if entry.local.state() != before {
                finish(id, entry, outcome, self.last_recv_ns, handler);
            }
        }
    }

    fn for_books<H: Handler>(
        &mut self,
        which: impl Fn(&BookEntry) -> bool,
        what: impl Fn(&mut BookEntry, &mut Watch<'_, H>) -> Outcome,
        handler: &mut H,
    ) {
        for_books(&mut self.line.books, self.last_recv_ns, which, what, handler);
    }
}
