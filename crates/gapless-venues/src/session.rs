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

use crate::attribution::{Attribution, Unnamed};
use crate::books::{BOOKS_MAX, BookEntry, BookId, Books};
use crate::kernel::{Frame, FrameBuf, Isa};
use crate::learned::{Learned, shape_of};
use crate::scratch::Scratch;
use crate::templates::Templates;
use crate::venue::{Context, Market, Origin, Topic, Venue};
use crate::wire::{EventSink, Mark, Reject};
use gapless_book::book::{Change, Observer};
use gapless_book::event::{
    Body, BookKind, BookMessage, Event, Flags, HeartbeatAnswer, Level, NO_TIME, Side, Times,
};
use gapless_book::local::{
    Demand, Integrity, LocalBook, Outcome, Policy, Reason, State, Transition,
};
use gapless_book::sequence::{Bridge, Chain, Verdict};

/// Points on the way of a book message where its time may be stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The frame is an event.
    Parsed,
    /// The sequencer has decided.
    Sequenced,
    /// The book stands.
    Applied,
}

/// What the connection needs its driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Send this text now, ahead of anything queued.
    Send(&'a str),
    /// Fetch the REST snapshot of a book.
    Fetch(BookId),
    /// End and renew the subscription of a book.
    Resubscribe(BookId),
    /// Ask the relay to repeat these numbers of a book.
    Repeat {
        /// Whose.
        book: BookId,
        /// First number.
        from: i64,
        /// Last number.
        to: i64,
    },
    /// Ask the relay to repeat what its notice names; raw JSON to send back.
    RepeatNotice(&'a str),
    /// Open a replacement and move over before this connection ends.
    Replace,
    /// Close and connect anew: too much of what it sends cannot be read.
    Reconnect,
    /// The venue refused a topic; raw JSON or name.
    SubscribeFailed(&'a str),
    /// The venue answered a request.
    Acked(&'a str),
    /// The venue refused a request: id, code, words.
    Refused {
        /// The request's id.
        id: &'a str,
        /// The venue's code.
        code: &'a str,
        /// Its words.
        message: &'a str,
    },
}

/// Is told of everything that a session sees. Every method has an empty default.
pub trait Handler {
    /// An event, and the book that it belongs to if it is a book's.
    fn event(&mut self, event: &Event<'_>, book: Option<BookId>) {
        let _ = (event, book);
    }

    /// A level changed.
    #[inline]
    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        let _ = (book, side, level, change);
    }

    /// A book took a message, or its state was changed by something else.
    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        let _ = (id, book, outcome);
    }

    /// A frame or element was refused.
    fn reject(&mut self, reject: &Reject<'_>) {
        let _ = reject;
    }

    /// A message could not be attributed to any book and was dropped.
    fn unattributed(&mut self, event: &Event<'_>) {
        let _ = event;
    }

    /// A book message reached a stage.
    #[inline]
    fn stage(&mut self, stage: Stage) {
        let _ = stage;
    }

    /// The driver is asked to act.
    fn action(&mut self, action: &Action<'_>) {
        let _ = action;
    }
}

impl Handler for () {}

/// One connection among those that a watcher is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub u32);

/// What passed over a connection, as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire<'a> {
    /// It was opened to this URL, keys left out.
    Opened(&'a str),
    /// A text frame was sent.
    Sent(&'a str),
    /// A text frame came.
    Text(&'a [u8]),
    /// A binary frame came.
    Binary(&'a [u8]),
    /// An HTTP request was answered.
    Answer {
        /// Its URL, keys left out.
        url: &'a str,
        /// Body of the answer.
        body: &'a [u8],
    },
    /// It ended, for this reason.
    Closed(&'a str),
}

/// Is told of everything on several connections, and whose it is.
pub trait Watcher: Handler {
    /// What follows belongs to this connection.
    fn line(&mut self, line: LineId) {
        let _ = line;
    }

    /// Something passed over the connection, now, ns since the epoch; what it means is told next.
    #[inline]
    fn wire(&mut self, now_ns: i64, wire: &Wire<'_>) {
        let _ = (now_ns, wire);
    }

    /// What was shown of one connection's books is from now on shown of another's, which carries
    /// the same topics.
    fn moved(&mut self, from: LineId, to: LineId) {
        let _ = (from, to);
    }
}

impl Watcher for () {}

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
    /// REST bodies that came before their books.
    unclaimed: Vec<Unclaimed>,
    unclaimed_bytes: usize,
    unclaimed_max: usize,
    /// Channels whose first push after subscribing has passed.
    pushed: Vec<String>,
    /// Subscriptions that were not answered yet, by request id.
    requests: Vec<(u64, Vec<(String, String)>)>,
    next_id: u64,
    rest_scratch: Scratch,
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

    fn wants(&self, symbol: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == symbol)
    }
}

#[derive(Debug)]
struct Unclaimed {
    symbol: String,
    url: String,
    body: Vec<u8>,
}

impl Unclaimed {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.symbol.len() + self.url.len() + self.body.len()
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
        self.open = true;
        self.epoch += 1;
        self.line.attribution.reset();
        self.line.pushed.clear();
        self.line.requests.clear();
        self.line.unnamed = None;
        if self.epoch > 1 {
            // A snapshot asked for on the old connection says nothing of the new one.
            self.line.unclaimed.clear();
            self.line.unclaimed_bytes = 0;
        }
        // Kinds of frames are learned anew: what a connection shows of itself is noted on the way.
        self.line.forget_kinds();
        self.rejects_run = 0;
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
        self.for_books(|_| true, LocalBook::disconnect, handler);
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
    /// no levels yet; nothing where the topic has no book or does not tell its name.
    pub fn expect<H: Handler>(&mut self, topic: Topic<'_>, handler: &mut H) {
        let Some(channel) = self.venue.book_channel(topic.channel) else { return };
        let mut router =
            Router::new(&self.venue, self.config, &mut self.line, NO_TIME, None, handler);
        let Some(id) = router.find_or_add("", channel, topic.symbol) else { return };
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
        self.for_books(which, |local| local.fail(reason), handler);
    }

    /// Keeps books of these symbols only; empty = all. Other symbols' messages are still events.
    pub fn only(&mut self, symbols: &[String]) {
        self.line.only = symbols.to_vec();
        self.line.forget_kinds();
    }

    /// Bytes kept of REST answers whose books have not appeared yet.
    #[must_use]
    pub const fn unclaimed_bytes(&self) -> usize {
        self.line.unclaimed_bytes
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
        let mut watch = Watch { id, handler };
        let outcome = entry.local.message(&message, flags, &times, &mut watch);
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
            let quiet = self.last_recv_ns.max(self.last_sent_ns);
            let after_ns = i64::try_from(after_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            if self.open && now_ns.saturating_sub(quiet) >= after_ns {
                self.last_sent_ns = now_ns;
                handler.action(&Action::Send(text));
            }
        }
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id) else { continue };
            overdue(entry, now_ns);
            act(id, entry, now_ns, handler);
        }
    }

    /// The venue changed the tick or lot of a symbol: its books are not live until a snapshot on
    /// the new grid opens the next epoch (reliability.md 2.5). Other symbols go on.
    pub fn grid_changed<H: Handler>(&mut self, now_ns: i64, symbol: &str, handler: &mut H) {
        for_books(
            &mut self.line.books,
            now_ns,
            |entry| entry.symbol == symbol,
            |local| local.invalidate(Reason::GridChange),
            handler,
        );
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

    fn for_books<H: Handler>(
        &mut self,
        which: impl Fn(&BookEntry) -> bool,
        what: impl Fn(&mut LocalBook) -> Outcome,
        handler: &mut H,
    ) {
        for_books(&mut self.line.books, self.last_recv_ns, which, what, handler);
    }
}

/// Applies something to many books and tells the handler of those that changed.
fn for_books<H: Handler>(
    books: &mut Books,
    now_ns: i64,
    which: impl Fn(&BookEntry) -> bool,
    what: impl Fn(&mut LocalBook) -> Outcome,
    handler: &mut H,
) {
    for index in 0..books.len() {
        let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
        let Some(entry) = books.get_mut(id).filter(|entry| which(entry)) else { continue };
        let outcome = what(&mut entry.local);
        finish(id, entry, outcome, now_ns, handler);
    }
}

/// Notes what a book wants after an outcome, and tells the handler.
fn finish<H: Handler>(
    id: BookId,
    entry: &mut BookEntry,
    outcome: Outcome,
    now_ns: i64,
    handler: &mut H,
) {
    if entry.local.state().0 == State::Live {
        entry.resync.healed();
    }
    if let (Verdict::Gap { expected, got }, Chain::Loose) =
        (outcome.verdict, entry.local.rule().chain)
    {
        handler.action(&Action::Repeat { book: id, from: expected, to: got - 1 });
    }
    if outcome.demand != Demand::None {
        entry.resync.wanted = outcome.demand;
    } else if matches!(outcome.verdict, Verdict::Ignore | Verdict::Hold) {
        entry.resync.waiting_since_ns = entry.resync.waiting_since_ns.min(now_ns);
    }
    handler.book(id, entry, &outcome);
    act(id, entry, now_ns, handler);
}

/// A book that got deltas but no snapshot for too long asks for one.
fn overdue(entry: &mut BookEntry, now_ns: i64) {
    let since = entry.resync.waiting_since_ns;
    if since == i64::MAX || now_ns.saturating_sub(since) < SNAPSHOT_WAIT_NS {
        return;
    }
    entry.resync.waiting_since_ns = now_ns;
    entry.resync.wanted = match entry.local.rule().bridge {
        Bridge::InStream => Demand::Resubscribe,
        _ => Demand::Snapshot,
    };
}

fn act<H: Handler>(id: BookId, entry: &mut BookEntry, now_ns: i64, handler: &mut H) {
    match entry.resync.due(now_ns) {
        Demand::None => {}
        Demand::Snapshot => handler.action(&Action::Fetch(id)),
        Demand::Resubscribe => handler.action(&Action::Resubscribe(id)),
    }
}

/// Carries one frame's events to their books.
struct Router<'s, V, H> {
    venue: &'s V,
    config: SessionConfig,
    line: &'s mut Line,
    now_ns: i64,
    /// URL of the HTTP response that is being read.
    rest: Option<&'s str>,
    /// The frame that is being read, from which a template may be learned.
    frame: Option<Frame<'s>>,
    /// Channel whose first push this frame is.
    first_push: Option<String>,
    rejects: u32,
    events: u32,
    handler: &'s mut H,
}

/// Tells the handler of one book's levels and stages.
struct Watch<'h, H> {
    id: BookId,
    handler: &'h mut H,
}

impl<H: Handler> Observer for Watch<'_, H> {
    #[inline]
    fn level(&mut self, side: Side, level: Level, change: Change) {
        self.handler.level(self.id, side, level, change);
    }

    #[inline]
    fn sequenced(&mut self) {
        self.handler.stage(Stage::Sequenced);
    }
}

impl<V: Venue, H: Handler> EventSink for Router<'_, V, H> {
    fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        match &event.body {
            Body::Book(message) => {
                self.book_event(event, message);
            }
            Body::Liquidation(_) => self.liquidation(event),
            _ => {
                self.control(event);
                self.saw(event, false, false);
                self.handler.event(event, None);
            }
        }
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        self.events += 1;
        let Body::Book(message) = &event.body else { return };
        if let Some(id) = self.book_event(event, message) {
            self.learn(id, event, message, marks);
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.rejects += 1;
        self.handler.reject(reject);
        if !reject.book || self.rest.is_some() {
            return;
        }
        // Exchanges call different instruments by one name.
        let of_symbol = |entry: &BookEntry| {
            entry.symbol == reject.symbol
                && (reject.exchange.is_empty() || entry.exchange == reject.exchange)
        };
        let of_channel = |entry: &BookEntry| of_symbol(entry) && entry.channel == reject.channel;
        // Where no book has that channel (a stream known from its subscription), all are meant.
        let exact = self.line.books.iter().any(|(_, entry)| of_channel(entry));
        let named = |entry: &BookEntry| {
            if exact { of_channel(entry) } else { of_symbol(entry) }
        };
        // Where no sequence would show the loss, an unreadable line concerns every book.
        let unsequenced = |entry: &BookEntry| {
            let pictures = matches!(
                entry.local.rule().chain,
                Chain::Image | Chain::ImageCounted | Chain::LevelOne
            );
            let chained = entry.local.seq().is_some() && !pictures;
            let live = entry.local.live().is_some();
            entry.local.integrity() == Integrity::Weak || live && !chained
        };
        let anonymous = reject.symbol.is_empty();
        for_books(
            &mut self.line.books,
            self.now_ns,
            |entry| if anonymous { unsequenced(entry) } else { named(entry) },
            LocalBook::refuse,
            self.handler,
        );
    }
}

impl<'s, V: Venue, H: Handler> Router<'s, V, H> {
    fn new(
        venue: &'s V,
        config: SessionConfig,
        line: &'s mut Line,
        now_ns: i64,
        rest: Option<&'s str>,
        handler: &'s mut H,
    ) -> Self {
        let (frame, first_push) = (None, None);
        let (rejects, events) = (0, 0);
        Self { venue, config, line, now_ns, rest, frame, first_push, rejects, events, handler }
    }

    /// Notes what a named event shows of the connection.
    fn saw(&mut self, event: &Event<'_>, image: bool, delta: bool) {
        if event.symbol.is_empty() || self.rest.is_some() {
            return;
        }
        let unwrapped = event.flags.has(Flags::UNWRAPPED);
        let first_delta = delta && !self.line.attribution.has_deltas();
        let second = self.line.attribution.saw(event.symbol, unwrapped, image, delta);
        if second {
            self.doubt_guess();
        }
        if first_delta {
            self.offer_unnamed();
        }
    }

    /// A second symbol's delta: the book made from an unnamed snapshot may be the wrong one.
    fn doubt_guess(&mut self) {
        let Some(id) = self.line.guessed.take() else { return };
        let Some(entry) = self.line.books.get_mut(id) else { return };
        let outcome = entry.local.invalidate(Reason::Unattributed);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    /// The latest unnamed book that came before the first delta now has its symbol.
    fn offer_unnamed(&mut self) {
        if let Some(body) = self.line.unnamed.take() {
            self.reparse(Origin::Socket { url: "" }, &body);
        }
    }

    /// Reads a kept body again, now that its book is known.
    fn reparse(&mut self, origin: Origin<'_>, body: &[u8]) {
        let context = Context { recv_ns: self.now_ns, origin, market: self.line.market };
        let mut scratch = core::mem::take(&mut self.line.rest_scratch);
        let venue = self.venue;
        let url = match origin {
            Origin::Rest { url } => url,
            Origin::Socket { .. } => "",
        };
        venue.parse(&context, body, &mut scratch, &mut Kept { router: self, url });
        self.line.rest_scratch = scratch;
    }

    /// Carries a book message to its book; tells which, if it is of the connection's own stream.
    fn book_event(&mut self, event: &Event<'_>, message: &BookMessage<'_>) -> Option<BookId> {
        if event.flags.has(Flags::NUMBER_ONLY) {
            self.count_on(event, message);
            return None;
        }
        self.handler.stage(Stage::Parsed);
        if event.symbol.is_empty() && self.rest.is_some() {
            // A body is matched by its URL's or its own symbol, never by the connection.
            self.drop_unattributed(event);
            return None;
        }
        if event.symbol.is_empty() {
            self.unnamed_book(event, message);
            return None;
        }
        if self.rest.is_some() || event.flags.has(Flags::REST) {
            self.rest_book(event, message);
            return None;
        }
        if !self.line.wants(event.symbol) {
            self.handler.event(event, None);
            return None;
        }
        if event.flags.has(Flags::UNWRAPPED) && !self.venue.trusts_unwrapped() {
            self.unwrapped_book(event, message);
            return None;
        }
        self.named_book(event, message)
    }

    /// A number that one channel has taken moves the counts of the symbol's other books; a book
    /// that is not there yet needs none.
    fn count_on(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id).filter(|entry| {
                entry.symbol == event.symbol
                    && entry.exchange == event.exchange
                    && entry.channel != event.channel
            }) else {
                continue;
            };
            let outcome = entry.local.message(message, event.flags, &event.times, &mut ());
            finish(id, entry, outcome, self.now_ns, self.handler);
        }
    }

    /// The message may have been one of a live book's, which must not stay live on it.
    fn doubt_unwrapped(&mut self, event: &Event<'_>) {
        self.drop_unattributed(event);
        for_books(
            &mut self.line.books,
            self.now_ns,
            |entry| entry.symbol == event.symbol && entry.local.live().is_some(),
            |local| local.invalidate(Reason::Unattributed),
            self.handler,
        );
    }

    /// A book message whose stream only the subscriptions can tell (ruling 0.6.5). Never learned:
    /// a later subscription may make it doubtful.
    fn unwrapped_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        let only = self.line.attribution.only_book(self.venue, event.symbol);
        let Some((channel, chain)) = only else {
            return self.doubt_unwrapped(event);
        };
        if channel == event.channel {
            let _ = self.named_book(event, message);
            return;
        }
        let channel = channel.to_owned();
        let kind = if chain == Chain::Image { BookKind::Image } else { message.kind };
        let event = Event { channel: &channel, ..*event };
        let _ = self.named_book(&event, &BookMessage { kind, ..*message });
    }

    fn named_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) -> Option<BookId> {
        let Some(id) = self.find_or_add(event.exchange, event.channel, event.symbol) else {
            self.drop_unattributed(event);
            return None;
        };
        self.feed(id, event, message);
        let (image, delta) = (message.kind == BookKind::Image, message.kind == BookKind::Delta);
        self.saw(event, image, delta);
        Some(id)
    }

    /// Remembers the kind of this frame, so that the next one need only be compared.
    fn learn(
        &mut self,
        book: BookId,
        event: &Event<'_>,
        message: &BookMessage<'_>,
        marks: &[Mark],
    ) {
        let (Some(frame), Some(entry)) = (self.frame, self.line.books.get(book)) else { return };
        let Some(shape) = shape_of(frame.bytes(), marks) else { return };
        let verified = entry.local.rule().checksum && message.seq.checksum.is_some_and(|s| s != 0);
        if verified || !message.extras.is_empty() {
            return;
        }
        let Some(learned) = Learned::new(book, event, message, frame.bytes(), marks) else {
            return;
        };
        let learnt = &mut self.line.learned;
        let known = learnt.iter().position(|other| *other == learned);
        let tag = known.unwrap_or(learnt.len());
        let Some(number) = u32::try_from(tag).ok().filter(|_| tag < LEARNED_MAX) else { return };
        if known.is_none() {
            learnt.push(learned);
        }
        let scales = entry.local.last_known().scales();
        self.line.templates.learn(frame, marks, shape, number, scales);
    }

    fn drop_unattributed(&mut self, event: &Event<'_>) {
        self.handler.event(event, None);
        self.handler.unattributed(event);
    }

    fn find_or_add(&mut self, exchange: &str, channel: &str, symbol: &str) -> Option<BookId> {
        if let Some(id) = self.line.books.find(exchange, channel, symbol) {
            return Some(id);
        }
        let rule = self.venue.rule(channel)?;
        if !self.line.wants(symbol) {
            return None;
        }
        let mut market = self.line.market;
        if market == Market::Unknown {
            market = self.venue.symbol_market(symbol);
        }
        let local = LocalBook::new(rule, self.config.policy);
        let id = self.line.books.add(exchange, channel, symbol, market, local)?;
        if rule.bridge != Bridge::InStream {
            self.claim(symbol);
        }
        Some(id)
    }

    /// Offers REST bodies that came before this symbol's book.
    fn claim(&mut self, symbol: &str) {
        let (ours, others) = core::mem::take(&mut self.line.unclaimed)
            .into_iter()
            .partition::<Vec<_>, _>(|kept| kept.symbol == symbol);
        self.line.unclaimed = others;
        for kept in ours {
            self.line.unclaimed_bytes -= kept.bytes();
            self.reparse(Origin::Rest { url: &kept.url }, &kept.body);
        }
    }

    /// Gives a message to its book.
    fn feed(&mut self, id: BookId, event: &Event<'_>, message: &BookMessage<'_>) {
        self.handler.event(event, Some(id));
        let Some(entry) = self.line.books.get_mut(id) else { return };
        let mut watch = Watch { id, handler: &mut *self.handler };
        let outcome = entry.local.message(message, event.flags, &event.times, &mut watch);
        self.handler.stage(Stage::Applied);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    /// A REST snapshot goes to every book of its symbol that is bridged over REST.
    fn rest_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        self.handler.event(event, None);
        let mut claimed = false;
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            if self.takes_rest(id, event, self.rest.unwrap_or("")) {
                claimed = true;
                self.give_rest(id, &event.times, message);
            }
        }
        if !claimed {
            self.keep_unclaimed(event);
        }
    }

    /// Whether a REST snapshot may be joined to a book: the same instrument, in the same market
    /// where both are known, and numbers of the same counter.
    fn takes_rest(&self, id: BookId, event: &Event<'_>, url: &str) -> bool {
        let Some(entry) = self.line.books.get(id) else { return false };
        let market = self.venue.market(url);
        let unknown = market == Market::Unknown || entry.market == Market::Unknown;
        entry.symbol == event.symbol
            && (entry.exchange == event.exchange || event.exchange.is_empty())
            && (unknown || entry.market == market)
            && entry.local.rule().bridge != Bridge::InStream
            && self.venue.rest_fits(&entry.channel, event.channel)
    }

    fn give_rest(&mut self, id: BookId, times: &Times, message: &BookMessage<'_>) {
        let Some(entry) = self.line.books.get_mut(id) else { return };
        let mut watch = Watch { id, handler: &mut *self.handler };
        let outcome = entry.local.message(message, Flags::REST, times, &mut watch);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    fn keep_unclaimed(&mut self, event: &Event<'_>) {
        if !self.line.wants(event.symbol) {
            return;
        }
        let (symbol, url) = (event.symbol.to_owned(), self.rest.unwrap_or("").to_owned());
        let kept = Unclaimed { symbol, url, body: event.raw.to_vec() };
        if self.line.unclaimed_bytes + kept.bytes() > self.line.unclaimed_max {
            return self.handler.unattributed(event);
        }
        self.line.unclaimed_bytes += kept.bytes();
        self.line.unclaimed.push(kept);
    }

    /// A whole book without a symbol (rulings 0.6.6 and C13).
    fn unnamed_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        match self.line.attribution.unnamed(self.venue, self.config.recorded) {
            Unnamed::Keep => {
                self.handler.event(event, None);
                self.line.unnamed = Some(event.raw.to_vec());
            }
            Unnamed::Drop => self.drop_unattributed(event),
            Unnamed::Snapshot(symbol) => {
                let Some(id) = self.find_or_add(event.exchange, event.channel, &symbol) else {
                    return self.drop_unattributed(event);
                };
                self.handler.event(event, Some(id));
                self.give_rest(id, &event.times, message);
                self.line.guessed = Some(id);
            }
            Unnamed::Image(channel, symbol) => {
                let Some(id) = self.find_or_add(event.exchange, &channel, &symbol) else {
                    return self.drop_unattributed(event);
                };
                let image = BookMessage { kind: BookKind::Image, ..*message };
                self.feed(id, event, &image);
            }
        }
    }

    /// The first push after a subscription may repeat what happened before it.
    fn liquidation(&mut self, event: &Event<'_>) {
        let mut event = *event;
        if self.venue.first_push_is_history(event.channel) {
            let passed = self.line.pushed.iter().any(|channel| channel == event.channel);
            if !passed {
                self.line.pushed.push(event.channel.to_owned());
                self.first_push = Some(event.channel.to_owned());
            }
            if self.first_push.as_deref() == Some(event.channel) {
                event.flags = event.flags.with(Flags::HISTORICAL);
            }
        }
        self.saw(&event, false, false);
        self.handler.event(&event, None);
    }

    /// What an event means for the connection itself.
    fn control(&mut self, event: &Event<'_>) {
        match event.body {
            Body::Heartbeat { answer: HeartbeatAnswer::None } => {}
            Body::Heartbeat { .. } => {
                if let Some(text) = self.venue.heartbeat_answer(self.line.next_id) {
                    // Its answer must not be taken for that of a subscription.
                    self.line.next_id += 1;
                    self.handler.action(&Action::Send(&text));
                }
            }
            Body::Notice { closing: true, .. } => self.handler.action(&Action::Replace),
            Body::Ack { id, topics, failed, .. } => self.acked(id.0, topics, failed),
            Body::Error { id, code, message, .. } => {
                self.handler.action(&Action::Refused { id: id.0, code, message });
            }
            Body::Disconnect { symbols } => {
                let of = |entry: &BookEntry| {
                    (event.exchange.is_empty() || entry.exchange == event.exchange)
                        && (symbols.is_empty() || names(symbols, &entry.symbol))
                };
                for_books(
                    &mut self.line.books,
                    self.now_ns,
                    of,
                    LocalBook::disconnect,
                    self.handler,
                );
            }
            Body::GapNotice { range } => {
                let notice = |local: &mut LocalBook| local.invalidate(Reason::GapNotice);
                for_books(&mut self.line.books, self.now_ns, |_| true, notice, self.handler);
                self.handler.action(&Action::RepeatNotice(range));
            }
            _ => {}
        }
    }

    fn acked(&mut self, id: &str, topics: &str, failed: &str) {
        if let Ok(list) = crate::scan::Value::frame(failed.as_bytes()) {
            for topic in list.elements().into_iter().flatten().flatten() {
                self.handler.action(&Action::SubscribeFailed(topic.raw_string().unwrap_or("")));
            }
        }
        let number = id.parse::<u64>().ok();
        let known = self.line.requests.iter().position(|(request, _)| Some(*request) == number);
        if let Some((_, requested)) = known.map(|index| self.line.requests.remove(index)) {
            let requested: Vec<Topic<'_>> =
                requested.iter().map(|(channel, symbol)| Topic { channel, symbol }).collect();
            for index in self.venue.left_out(&requested, topics) {
                if let Some(topic) = requested.get(index) {
                    let name = format!("{}:{}", topic.channel, topic.symbol);
                    self.handler.action(&Action::SubscribeFailed(&name));
                }
            }
        }
        self.handler.action(&Action::Acked(id));
    }
}

/// Whether a raw JSON array of names holds `symbol`.
fn names(list: &str, symbol: &str) -> bool {
    let Ok(value) = crate::scan::Value::frame(list.as_bytes()) else { return true };
    value
        .elements()
        .map(|mut all| all.any(|name| name.is_ok_and(|name| name.raw_string() == Some(symbol))))
        .unwrap_or(true)
}

/// Sink for a body that was kept until its book appeared: it was counted when it came.
struct Kept<'r, 's, V, H> {
    router: &'r mut Router<'s, V, H>,
    url: &'r str,
}

impl<V: Venue, H: Handler> EventSink for Kept<'_, '_, V, H> {
    fn event(&mut self, event: &Event<'_>) {
        let Body::Book(message) = &event.body else { return };
        let router = &mut *self.router;
        if event.symbol.is_empty() {
            if let Unnamed::Snapshot(symbol) =
                router.line.attribution.unnamed(router.venue, router.config.recorded)
                && let Some(id) = router.line.books.find(event.exchange, event.channel, &symbol)
            {
                router.give_rest(id, &event.times, message);
                router.line.guessed = Some(id);
            }
            return;
        }
        for index in 0..router.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            if router.takes_rest(id, event, self.url) {
                router.give_rest(id, &event.times, message);
            }
        }
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}
