//! A source's connections and requests, decided without I/O.
//!
//! Whoever drives it tells it what happened and when ([`Feed::opened`], [`Feed::frame`], …), does
//! what [`Feed::next_command`] says, and calls [`Feed::tick`] at [`Feed::deadline`]. All times are
//! one clock: ns since the Unix epoch that never step.
//!
//! Each line of the source has, for each socket that its topics need, a pair of connections: one
//! carries the topics, the other is idle until the first must be replaced (the venue is about to
//! close it, or it grows too old). The second then connects and subscribes; once its books are as
//! live as the first's, what was shown of the first is shown of the second
//! ([`Watcher::moved`]), and the first is closed.

mod lists;
mod pair;
mod refusals;
pub(crate) mod renewals;
mod requests;

pub use pair::REPLACE_NS_MAX;

use crate::command::{Command, ConnId, FetchId, Why, redacted};
use crate::connection::{CONNECT_NS_MAX, Connection, Phase, Wanted};
use crate::fetches::Fetches;
use crate::gate::SharedGate;
use crate::rng::Rng;
use crate::source::{LINES_MAX, Secret, SourceConfig, TOPICS_MAX, TopicConfig};
use crate::tap::{Deed, Tap};
use gapless_book::event::NO_TIME;
use gapless_book::lines::LineNo;
use gapless_book::local::Reason;
use gapless_venues::books::Books;
use gapless_venues::live::{Lost, Socket};
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::{LineId, Watcher, Wire};
use gapless_venues::venue::Topic;
use lists::Lists;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Time between two looks at timers that need not be exact, ns.
pub const COARSE_NS: i64 = 100_000_000;

/// Wait after an upgrade that a firewall refused, ns.
pub const FIREWALL_NS: i64 = 600_000_000_000;

/// With this code a machine closes once everything was played.
const ALL_PLAYED: u16 = 1000;

/// Why a source cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing is subscribed.
    NoTopic,
    /// More than [`TOPICS_MAX`].
    TooManyTopics,
    /// No line, or more than [`LINES_MAX`].
    Lines,
    /// Recordings of these topics are played by no machine, or by several lines.
    Replay,
    /// The same topic twice.
    Repeated {
        /// Its channel.
        channel: String,
        /// Its symbol.
        symbol: String,
    },
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTopic => f.write_str("nothing is subscribed"),
            Self::TooManyTopics => write!(f, "more than {TOPICS_MAX} topics"),
            Self::Lines => write!(f, "needs 1 to {LINES_MAX} lines"),
            Self::Replay => f.write_str("a replay is of a venue and has one line"),
            Self::Repeated { channel, symbol } => write!(f, "{channel} of {symbol} twice"),
        }
    }
}

impl std::error::Error for SourceError {}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Frames read.
    pub frames: u64,
    /// Frames of attempts that had ended; dropped.
    pub late: u64,
    /// Connections that ended against our will, or could not be had.
    pub losses: u64,
    /// Connections that were given up for silence.
    pub silences: u64,
    /// Connections that were replaced before they ended.
    pub replaced: u64,
    /// Requests that were refused.
    pub refusals: u64,
    /// Requests that were not answered in time.
    pub unanswered: u64,
    /// Times that books became late.
    pub lates: u64,
    /// HTTP requests made.
    pub fetches: u64,
    /// HTTP requests that failed and are made again.
    pub fetches_failed: u64,
    /// Lists of instruments that were read.
    pub lists: u64,
    /// Answers that were none; they are among the requests that failed.
    pub lists_failed: u64,
}

/// How a connection fares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStatus {
    /// Name of its line.
    pub line: String,
    /// Address, keys left out.
    pub url: String,
    /// Where it stands.
    pub phase: Phase,
    /// How often it was opened.
    pub connects: u64,
    /// Failures since the last data.
    pub failures: u32,
    /// Why it ended last; empty if it never did.
    pub last_why: String,
    /// It is to take over from another.
    pub is_standby: bool,
    /// Topics that the venue refused.
    pub refused: Vec<TopicConfig>,
    /// When data came last, ns.
    pub data_ns: i64,
    /// How much later than usual its last message came, ns; 0 where no stamp tells.
    pub lag_ns: i64,
}

/// See the module's page.
#[derive(Debug)]
pub struct Feed {
    config: SourceConfig,
    rest_base: String,
    /// In pairs.
    places: Vec<Connection>,
    fetches: Fetches,
    out: VecDeque<Command>,
    deeds: Vec<Deed>,
    /// Polled connections that begin.
    attached: Vec<ConnId>,
    lists: Lists,
    rng: Rng,
    next_coarse: i64,
    key: Option<Secret>,
    /// Counts the keys, and the requests made before the last one.
    key_no: u32,
    key_since: FetchId,
    is_stopped: bool,
    counters: Counters,
}

impl Feed {
    /// A feed that has done nothing yet: call [`Feed::start`]. The same seed and inputs give the
    /// same commands. `gate` is shared by all sources of one venue and address.
    ///
    /// # Errors
    /// The source asks for nothing, for too much, or for something twice.
    pub fn new(config: SourceConfig, gate: SharedGate, seed: u64) -> Result<Self, SourceError> {
        check(&config)?;
        let live = config.live();
        let mut places = Vec::new();
        for (line, settings) in config.lines.iter().enumerate() {
            let base = config.socket_base(settings);
            let topics: Vec<Topic<'_>> = config.topics.iter().map(TopicConfig::topic).collect();
            for socket in sockets(&config, &topics) {
                let own = |topic: &Topic<'_>| TopicConfig {
                    channel: topic.channel.to_owned(),
                    symbol: topic.symbol.to_owned(),
                };
                // Without a base there are no sockets: what is wanted is asked for.
                let is_polled = base.is_empty();
                let url = if is_polled { base.clone() } else { format!("{base}{}", socket.path) };
                let wanted = Wanted {
                    shown: redacted(&url),
                    url,
                    headers: Vec::new(),
                    local: settings.local,
                    topics: socket.topics.iter().map(own).collect(),
                    line,
                };
                for _ in 0..2 {
                    let place = u32::try_from(places.len()).unwrap_or(u32::MAX);
                    let mut session = config.session();
                    if config.lines.len() > 1 {
                        session.set_line(LineNo(place), config.merge);
                    }
                    places.push(Connection::new(place, wanted.clone(), session, &live));
                }
            }
        }
        let (rest_base, key) = (config.rest_base(), config.key.clone());
        let lists = Lists::new(&config);
        Ok(Self {
            config,
            rest_base,
            places,
            fetches: Fetches::new(gate),
            out: VecDeque::new(),
            deeds: Vec::new(),
            attached: Vec::new(),
            lists,
            rng: Rng::new(seed),
            next_coarse: i64::MIN,
            key,
            key_no: 0,
            key_since: FetchId(0),
            is_stopped: false,
            counters: Counters::default(),
        })
    }

    /// The connection that keeps the books which this one writes: the first line's, where there
    /// are several, as every line needs the same sockets.
    fn home(&self, at: u32) -> u32 {
        if self.config.lines.len() < 2 {
            return at;
        }
        let each = self.places.len() / self.config.lines.len();
        let each = u32::try_from(each).unwrap_or(u32::MAX).max(2);
        (at % each) & !1
    }

    /// Lends a connection the books that it writes with others, or takes them back.
    fn lend(&mut self, at: u32) {
        let home = self.home(at);
        if home == at {
            return;
        }
        let mut books = Books::default();
        for place in [home, at, home] {
            if let Some(place) = self.places.get_mut(place as usize) {
                place.session.lend(&mut books);
            }
        }
    }

    /// Whether trades and the like are told as this connection brings them. Several lines bring the
    /// same: the first one that brings anything speaks.
    #[inline]
    fn speaks(&self, at: u32) -> bool {
        self.config.lines.len() < 2 || self.speaker(self.home(at)) == at
    }

    fn speaker(&self, home: u32) -> u32 {
        let each = self.places.len() / self.config.lines.len().max(1);
        let pairs = self.places.get(home as usize..).unwrap_or_default().chunks(each.max(2));
        let mut places = pairs.filter_map(|pairs| pairs.get(..2)).flatten();
        let brings = |p: &&Connection| p.is_open() && p.is_proven() && p.retired.is_none();
        places.find(brings).map_or(home, |place| place.conn().place)
    }

    /// Does something with a connection that has its books at hand, and says whose they are.
    fn with<W: Watcher, T>(
        &mut self,
        at: u32,
        watcher: &mut W,
        what: impl FnOnce(&mut Connection, &mut Tap<'_, W>) -> T,
    ) -> Option<T> {
        watcher.line(LineId(self.home(at)));
        self.lend(at);
        let speaks = self.speaks(at);
        let mut tap = Tap::new(watcher, &mut self.deeds, speaks);
        let done = self.places.get_mut(at as usize).map(|place| what(place, &mut tap));
        self.lend(at);
        done
    }

    /// Begins: the books of every topic are there, and connections are asked for.
    pub fn start<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        let all = 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let homes: Vec<u32> = all.filter(|at| self.home(*at) == *at).collect();
        for (at, place) in (0u32..).zip(&mut self.places) {
            if homes.contains(&at) {
                watcher.line(LineId(at));
                for topic in Arc::clone(&place.wanted.topics).iter() {
                    place.session.expect(&place.wanted.url, topic.topic(), watcher);
                }
            }
            if at.is_multiple_of(2) {
                place.phase = Phase::Waiting(now);
            } else {
                place.is_standby = true;
            }
        }
        self.begin_lists(now, watcher);
        self.tick(now, watcher);
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// What to do next; to be called until there is nothing.
    pub fn next_command(&mut self) -> Option<Command> {
        self.out.pop_front()
    }

    /// Whether something is to be done.
    #[inline]
    #[must_use]
    pub fn has_commands(&self) -> bool {
        !self.out.is_empty()
    }

    /// When [`Feed::tick`] is to be called at the latest, as long as nothing else happens.
    pub fn deadline(&mut self, now: i64) -> i64 {
        if self.is_stopped {
            return i64::MAX;
        }
        let mut first = self.fetches.deadline().min(self.lists.next);
        for place in &mut self.places {
            first = first.min(match place.phase {
                Phase::Waiting(until) => until,
                Phase::Connecting(since) => since.saturating_add(CONNECT_NS_MAX),
                Phase::Open(_) => self.next_coarse.min(place.sends_at(now)),
                Phase::Idle | Phase::Failed | Phase::Stopped | Phase::Ended => i64::MAX,
            });
        }
        first
    }

    /// Whether all was played that was to be, and nothing will come any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let is_over = |place: &Connection| matches!(place.phase, Phase::Ended | Phase::Idle);
        self.config.replay.is_some() && self.places.iter().all(is_over)
    }

    /// Sessions with their connection's line, for whoever shows the books.
    pub fn sessions(&self) -> impl Iterator<Item = (LineId, &AnySession)> {
        (0u32..).map(LineId).zip(self.places.iter().map(|place| &place.session))
    }

    /// The session of a line.
    #[must_use]
    pub fn session(&self, line: LineId) -> Option<&AnySession> {
        self.places.get(line.0 as usize).map(|place| &place.session)
    }

    /// Address of a line, keys left out.
    #[must_use]
    pub fn address(&self, line: LineId) -> &str {
        self.places.get(line.0 as usize).map_or("", |place| &place.wanted.shown)
    }

    /// Whether a line's books are not to be shown: it is to take over from another, or another
    /// keeps the books that it writes.
    #[must_use]
    pub fn is_standby(&self, line: LineId) -> bool {
        if self.config.lines.len() > 1 {
            return self.home(line.0) != line.0;
        }
        self.places.get(line.0 as usize).is_some_and(|place| place.is_standby)
    }

    /// What happened.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The gate of its venue and address.
    #[must_use]
    pub const fn gate(&self) -> &SharedGate {
        self.fetches.gate()
    }

    /// HTTP requests that wait and that are under way.
    #[must_use]
    pub fn fetches(&self) -> (usize, usize) {
        self.fetches.counts()
    }

    /// How every connection that is or was needed fares.
    #[must_use]
    pub fn status(&self) -> Vec<ConnectionStatus> {
        let shown = self.places.iter().filter(|p| p.phase != Phase::Idle || p.connects > 0);
        shown.map(|place| self.status_of(place)).collect()
    }

    fn status_of(&self, place: &Connection) -> ConnectionStatus {
        let refused = place.quarantine.all().filter_map(|at| place.wanted.topics.get(at));
        ConnectionStatus {
            line: self.config.lines.get(place.wanted.line).map_or("", |l| &l.name).to_owned(),
            url: place.wanted.shown.clone(),
            phase: place.phase,
            connects: place.connects,
            failures: place.backoff.failures(),
            last_why: place.last_why.clone(),
            is_standby: place.is_standby,
            refused: refused.cloned().collect(),
            data_ns: place.data_ns(),
            lag_ns: place.lag.last_ns(),
        }
    }

    /// A connection is open.
    pub fn opened<W: Watcher>(&mut self, conn: ConnId, now: i64, watcher: &mut W) {
        // What was opened together shall not be replaced together.
        let early = self.config.lifetime_ns.map(|life| life - self.rng.up_to(life / 24));
        let Some(place) = self.current(conn) else { return self.close_unknown(conn) };
        if !matches!(place.phase, Phase::Connecting(_)) {
            return;
        }
        place.open(now, early);
        watcher.line(LineId(conn.place));
        watcher.wire(now, &Wire::Opened(&place.wanted.shown));
        self.with(conn.place, watcher, |place, tap| {
            let url = place.wanted.shown.clone();
            place.session.connect(&url, tap);
            place.subscribe_all();
        });
        if self.config.lines.len() > 1 {
            self.forgive_others(conn.place, watcher);
        }
        self.subscribe_beside(conn.place, now);
        self.next_coarse = self.next_coarse.min(now.saturating_add(COARSE_NS));
        self.act(conn.place, now, watcher);
        self.flush(conn.place, now, watcher);
        self.renew_key(conn.place, now, watcher);
    }

    /// A text frame came.
    #[inline]
    pub fn frame<W: Watcher>(&mut self, conn: ConnId, now: i64, bytes: &[u8], watcher: &mut W) {
        self.received(conn, now, &Wire::Text(bytes), bytes, watcher);
    }

    /// A binary frame came.
    pub fn binary<W: Watcher>(&mut self, conn: ConnId, now: i64, bytes: &[u8], watcher: &mut W) {
        self.received(conn, now, &Wire::Binary(bytes), bytes, watcher);
    }

    #[inline]
    fn received<W: Watcher>(
        &mut self,
        conn: ConnId,
        now: i64,
        wire: &Wire<'_>,
        bytes: &[u8],
        watcher: &mut W,
    ) {
        let Some(place) = self.places.get_mut(conn.place as usize) else { return };
        if place.conn() != conn || !place.is_open() {
            self.counters.late += 1;
            return;
        }
        self.counters.frames += 1;
        // What passed is the connection's own; the books are those of its home.
        watcher.line(LineId(conn.place));
        watcher.wire(now, wire);
        let late_ns = self.config.late_ns;
        self.with(conn.place, watcher, |place, tap| {
            place.session.bytes(now, bytes, tap);
            place.hear(now);
            if tap.data {
                place.has_data(now);
            }
            if tap.stamp_ns != NO_TIME && late_ns > 0 {
                place.lag.note(now, tap.stamp_ns, late_ns);
            }
        });
        if !self.deeds.is_empty() {
            self.act(conn.place, now, watcher);
        }
    }

    /// A control frame came: the peer lives.
    pub fn heard(&mut self, conn: ConnId, now: i64) {
        if let Some(place) = self.current(conn) {
            place.hear(now);
        }
    }

    /// A connection ended, or an attempt failed.
    pub fn closed<W: Watcher>(&mut self, conn: ConnId, why: &Why, now: i64, watcher: &mut W) {
        let is_replay = self.config.replay.is_some();
        let Some(place) = self.current(conn).filter(|place| place.is_busy()) else { return };
        place.last_why = why.to_string();
        if is_replay && place.is_open() && *why == Why::Closed(Some(ALL_PLAYED)) {
            place.phase = Phase::Ended;
            place.last_why = "all was played".to_owned();
            watcher.line(LineId(conn.place));
            return watcher.wire(now, &Wire::Closed("all was played"));
        }
        self.counters.losses += 1;
        self.void(conn.place, now, watcher);
        let second = i64::MAX / 1_000_000_000;
        let named = |s: Option<u64>| {
            s.map(|s| i64::try_from(s).unwrap_or(second).min(second) * 1_000_000_000)
        };
        let has_key = has_key(&self.config, self.key.as_ref());
        let Some(place) = self.places.get_mut(conn.place as usize) else { return };
        let wait = match why {
            // Unless it was the key of before that was refused.
            Why::Refused { status: 401, .. } if place.key_no == self.key_no => {
                return self.fail(conn.place, watcher);
            }
            Why::Refused { status: 403, .. } if has_key && place.key_no == self.key_no => {
                return self.fail(conn.place, watcher);
            }
            // Nobody was to be told by a key: a firewall's answer to too many requests.
            Why::Refused { status: 403, retry_after_s } if !has_key => {
                let named = named(*retry_after_s).unwrap_or(FIREWALL_NS).max(FIREWALL_NS);
                place.backoff.refused(Some(named), &mut self.rng)
            }
            Why::Refused { status: 418 | 429, retry_after_s } => {
                self.fetches.gate().lock().ban(now, named(*retry_after_s));
                place.backoff.refused(named(*retry_after_s), &mut self.rng)
            }
            Why::Closed(Some(1008)) => place.backoff.refused(None, &mut self.rng),
            _ => place.backoff.failed(&mut self.rng),
        };
        place.phase = Phase::Waiting(now.saturating_add(wait));
        self.other_takes_over(conn.place, watcher);
    }

    /// The time is `now`: everything that is due is done.
    pub fn tick<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        if self.is_stopped {
            return;
        }
        let is_coarse = now >= self.next_coarse;
        if is_coarse {
            self.next_coarse = now.saturating_add(COARSE_NS);
        }
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            match self.places.get(at as usize).map(|place| place.phase) {
                Some(Phase::Waiting(until)) if until <= now => self.connect(at, now),
                Some(Phase::Connecting(since)) if now.saturating_sub(since) >= CONNECT_NS_MAX => {
                    self.give_up(at, &Why::Timeout, now, watcher);
                }
                Some(Phase::Open(since)) => {
                    if is_coarse {
                        self.look_after(at, since, now, watcher);
                    }
                    self.flush(at, now, watcher);
                }
                _ => {}
            }
        }
        for conn in std::mem::take(&mut self.attached) {
            self.opened(conn, now, watcher);
        }
        while let Some(job) = self.fetches.overdue(now) {
            self.lost_fetch(job, now);
        }
        self.want_lists(now);
        self.ask(now);
    }

    /// Closes everything, for good. The user's word wins over everything under way.
    pub fn stop<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        self.is_stopped = true;
        self.fetches.clear();
        self.out.retain(|command| matches!(command, Command::Close { .. }));
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            let Some(place) = self.places.get_mut(at as usize) else { continue };
            if place.is_busy() {
                self.out.push_back(Command::Close { conn: place.conn() });
                place.last_why = "closed by the user".to_owned();
                self.void(at, now, watcher);
            }
            if let Some(place) = self.places.get_mut(at as usize) {
                place.phase = Phase::Stopped;
            }
        }
    }

    /// A new key: connections are replaced one after the other, none is dropped for it.
    pub fn set_key<W: Watcher>(&mut self, key: Secret, now: i64, watcher: &mut W) {
        if self.key.replace(key.clone()) == Some(key) {
            return;
        }
        self.key_no += 1;
        self.key_since = self.fetches.next_id();
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            match self.places.get_mut(at as usize) {
                Some(place) if place.phase == Phase::Failed => place.phase = Phase::Waiting(now),
                Some(place) if place.is_open() => self.renew_key(at, now, watcher),
                // One that is being opened is looked at when it is.
                _ => {}
            }
        }
        self.tick(now, watcher);
    }

    /// A connection that was opened with the key of before is replaced; one that shows nothing yet
    /// is opened anew.
    fn renew_key<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let has_key = has_key(&self.config, self.key.as_ref());
        let Some(place) = self.places.get(at as usize) else { return };
        if !has_key || place.key_no == self.key_no || place.retired.is_some() || place.is_polled() {
            return;
        }
        if place.is_standby {
            let why = Why::Broken("there is another key".to_owned());
            return self.give_up(at, &why, now, watcher);
        }
        self.replace(at, now);
    }

    /// Replaces every connection by a new one, without a pause.
    pub fn replace_all(&mut self, now: i64) {
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            if self.places.get(at as usize).is_some_and(Connection::is_open) {
                self.replace(at, now);
            }
        }
    }

    /// Ends a connection and opens it anew: what it carried is not trusted.
    pub fn reconnect<W: Watcher>(&mut self, line: LineId, why: &str, now: i64, watcher: &mut W) {
        self.give_up(line.0, &Why::Broken(why.to_owned()), now, watcher);
    }

    /// Nobody looked at the sockets for a while: what waits in them is old. Every open connection
    /// ends, and its books are void before anything more is read.
    pub fn stood_still<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        if self.config.replay.is_some() {
            // What a machine plays is as old as it is.
            return;
        }
        let why = Why::Broken("nobody read it for too long".to_owned());
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            if self.places.get(at as usize).is_some_and(Connection::is_open) {
                self.give_up(at, &why, now, watcher);
            }
        }
    }

    fn current(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.places.get_mut(conn.place as usize).filter(|place| place.conn() == conn)
    }

    fn close_unknown(&mut self, conn: ConnId) {
        self.out.push_back(Command::Close { conn });
    }

    fn connect(&mut self, at: u32, now: i64) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if place.is_polled() {
            // There is nothing to open: what is asked for is what comes.
            return self.attached.push(place.begin(now));
        }
        if let Err(later) = self.fetches.gate().lock().connect(now) {
            place.phase = Phase::Waiting(later);
            return;
        }
        let conn = place.begin(now);
        place.key_no = self.key_no;
        let (url, headers) = authorized(&self.config, self.key.as_ref(), &place.wanted);
        self.out.push_back(Command::Connect { conn, url, headers, local: place.wanted.local });
    }

    /// The books of a connection are void, and what is still under way for it is nobody's.
    fn void<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        watcher.line(LineId(at));
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if place.is_open() {
            watcher.wire(now, &Wire::Closed(&place.last_why));
        }
        self.with(at, watcher, |place, tap| place.session.disconnect(tap));
        // What its books want is asked for when it is open again.
        self.deeds.clear();
        let others = (0u32..).zip(&self.places).filter(|(other, place)| {
            *other != at && self.home(*other) == self.home(at) && place.is_open()
        });
        let heir = others.map(|(other, _)| other).next();
        self.fetches.forget(at, heir);
        self.keep_refused(at, watcher);
    }

    fn give_up<W: Watcher>(&mut self, at: u32, why: &Why, now: i64, watcher: &mut W) {
        let Some(place) = self.places.get(at as usize).filter(|place| place.is_busy()) else {
            return;
        };
        let conn = place.conn();
        self.out.push_back(Command::Close { conn });
        self.closed(conn, why, now, watcher);
    }

    /// A person is needed: nothing is tried again before there is another key.
    fn fail<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if place.is_busy() {
            self.out.push_back(Command::Close { conn: place.conn() });
        }
        place.phase = Phase::Failed;
        self.with(at, watcher, |place, tap| place.session.disconnect(tap));
        let (home, all) = (self.home(at), 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        let goes_on = |other: u32| {
            let place = self.places.get(other as usize);
            self.home(other) == home
                && place.is_some_and(|p| !matches!(p.phase, Phase::Failed | Phase::Idle))
        };
        if !all.into_iter().any(goes_on) {
            self.with(at, watcher, |place, tap| place.session.fail(|_| true, Reason::Auth, tap));
        }
    }

    /// Timers of an open connection.
    fn look_after<W: Watcher>(&mut self, at: u32, since: i64, now: i64, watcher: &mut W) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if let Some(when) = place.retired {
            return if now > when {
                self.retire(at, now, watcher)
            };
        }
        let silence = self.config.silence_ns;
        let is_silent = silence > 0 && now.saturating_sub(place.data_ns()) >= silence;
        let is_broken = is_silent && place.is_silent_for_long(silence, now);
        place.note_silence(silence, since, now);
        let limit = if is_silent { silence - 1 } else { i64::MAX };
        let limit = limit.min(self.config.symbol_silence_ns.unwrap_or(i64::MAX));
        self.with(at, watcher, |place, tap| {
            place.session.freshness(now, limit, tap);
            place.session.tick(now, tap);
        });
        self.look_at_lag(at, watcher);
        self.keep_refused(at, watcher);
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if place.is_half_open(now) || place.is_overfull() {
            return self.give_up(at, &Why::Timeout, now, watcher);
        }
        self.ask_unanswered(at, now, watcher);
        let Some(place) = self.places.get_mut(at as usize).filter(|p| p.is_open()) else { return };
        if is_broken {
            self.counters.silences += 1;
            place.quiet += 1;
            return self.give_up(at, &Why::Broken("no data".to_owned()), now, watcher);
        }
        if !place.is_polled() && place.wants_ping(now) {
            place.urgent(now);
            self.out.push_back(Command::Ping { conn: place.conn() });
        }
        // Subscriptions are counted by connection: another has all of them.
        let is_old = place.is_old(now) || place.is_starved(now);
        if !self.deeds.is_empty() {
            self.act(at, now, watcher);
        }
        if is_old {
            self.replace(at, now);
        }
        if let Some(place) = self.places.get_mut(at as usize).filter(|place| place.is_open()) {
            place.probe(now);
        }
        self.poll(at, now);
        self.hand_over(at, since, now, watcher);
    }

    /// Books that no connection brings in time are stale, whatever their sequence says.
    fn look_at_lag<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let home = self.home(at);
        let mut brings = (0u32..).zip(&self.places).filter(|(other, place)| {
            self.home(*other) == home && place.is_open() && place.is_proven()
        });
        let is_late = brings.clone().count() > 0 && brings.all(|(_, place)| place.lag.is_late());
        let Some(place) = self.places.get_mut(home as usize) else { return };
        if !is_late && !place.shows_late {
            return;
        }
        self.counters.lates += u64::from(is_late && !place.shows_late);
        place.shows_late = is_late;
        self.with(at, watcher, |place, tap| place.session.set_late(is_late, tap));
    }

    /// Does what a session asked for.
    fn act<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let mut deeds = std::mem::take(&mut self.deeds);
        for deed in deeds.drain(..) {
            self.deed(at, deed, now, watcher);
        }
        self.deeds = deeds;
        self.flush(at, now, watcher);
        self.ask(now);
    }

    fn deed<W: Watcher>(&mut self, at: u32, deed: Deed, now: i64, watcher: &mut W) {
        if self.config.replay.is_some() && deed != Deed::Reconnect {
            // What is wanted of a venue was wanted then; the machine plays on.
            return;
        }
        match deed {
            Deed::Send(text) => self.send_now(at, text, now, watcher),
            Deed::Fetch(book) => self.fetch_book(at, book),
            Deed::Resubscribe(book) => self.renew(at, book),
            Deed::Replace => self.replace(at, now),
            Deed::Reconnect => {
                let why = Why::Protocol("too much that cannot be read".to_owned());
                self.give_up(at, &why, now, watcher);
            }
            Deed::TopicFailed(name) => {
                let found = self.places.get(at as usize).and_then(|p| p.find_topic(&name));
                if let Some(topic) = found {
                    self.refuse_topic(at, topic, now, watcher);
                }
            }
            Deed::Acked(id) => {
                let place = self.places.get_mut(at as usize);
                if let Some(topic) = place.and_then(|place| place.acked(id)) {
                    self.grant_topic(at, topic, watcher);
                }
            }
            Deed::Refused { id, code, message } => {
                self.refused(at, id, (&code, &message), now, watcher);
            }
            Deed::Repeat { book, from, to } => {
                self.repeat(at, Lost::Range(from, to), Some(book), now);
            }
            Deed::RepeatNotice(notice) => self.repeat(at, Lost::Notice(&notice), None, now),
        }
    }

    /// A frame that does not wait: answers to heartbeats, pings of the venue's own kind.
    fn send_now<W: Watcher>(&mut self, at: u32, text: String, now: i64, watcher: &mut W) {
        let Some(place) = self.places.get_mut(at as usize).filter(|p| p.is_open()) else { return };
        if !place.urgent(now) {
            return;
        }
        let conn = place.conn();
        if text.is_empty() {
            self.out.push_back(Command::Ping { conn });
            return;
        }
        watcher.line(LineId(at));
        watcher.wire(now, &Wire::Sent(&text));
        self.out.push_back(Command::Send { conn, text });
    }

    /// Sends what waits, as far as the budgets allow.
    fn flush<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let Some(place) = self.places.get_mut(at as usize).filter(|p| p.is_open()) else { return };
        if place.may_renew() {
            self.renew_all(at, now, watcher);
        }
        let Some(place) = self.places.get_mut(at as usize).filter(|p| p.is_open()) else { return };
        while let Some(request) = place.next_request(now) {
            place.session.sent(now, &request.text);
            watcher.line(LineId(at));
            watcher.wire(now, &Wire::Sent(&request.text));
            self.out.push_back(Command::Send { conn: place.conn(), text: request.text });
        }
        // Where nobody answers, what was sent is all that there is.
        if let Some(topic) = place.probed() {
            self.grant_topic(at, topic, watcher);
        }
    }
}

/// The connections that a line of a source has.
fn sockets<'a>(config: &SourceConfig, topics: &[Topic<'a>]) -> Vec<Socket<'a>> {
    let session = config.session();
    match &config.replay {
        Some(span) => session.wiring().replays(config.market, topics, span),
        None => session.wiring().sockets(config.market, topics),
    }
}

/// Whether a source can be had as it is configured.
///
/// # Errors
/// Why not.
pub fn check(config: &SourceConfig) -> Result<(), SourceError> {
    if config.topics.is_empty() {
        return Err(SourceError::NoTopic);
    }
    if config.topics.len() > TOPICS_MAX {
        return Err(SourceError::TooManyTopics);
    }
    if config.lines.is_empty() || config.lines.len() > LINES_MAX {
        return Err(SourceError::Lines);
    }
    let topics: Vec<Topic<'_>> = config.topics.iter().map(TopicConfig::topic).collect();
    if config.replay.is_some() && (config.lines.len() > 1 || sockets(config, &topics).is_empty()) {
        return Err(SourceError::Replay);
    }
    let mut seen = std::collections::HashSet::new();
    match config.topics.iter().find(|topic| !seen.insert(*topic)) {
        Some(TopicConfig { channel, symbol }) => {
            Err(SourceError::Repeated { channel: channel.clone(), symbol: symbol.clone() })
        }
        None => Ok(()),
    }
}

/// Address and headers of an upgrade, with the key where one is wanted.
fn authorized(
    config: &SourceConfig,
    key: Option<&Secret>,
    wanted: &Wanted,
) -> (String, Vec<(String, String)>) {
    with_key(config.flavour.socket_auth, config, key, wanted.url.clone(), wanted.headers.clone())
}

/// Whether a key is sent.
fn has_key(config: &SourceConfig, key: Option<&Secret>) -> bool {
    key.is_some() && config.venue == VenueId::Relay
}

fn with_key(
    auth: gapless_venues::relay::Auth,
    config: &SourceConfig,
    key: Option<&Secret>,
    mut url: String,
    mut headers: Vec<(String, String)>,
) -> (String, Vec<(String, String)>) {
    use gapless_venues::relay::Auth;
    let Some(key) = key.filter(|_| has_key(config, key)) else { return (url, headers) };
    match auth {
        Auth::Bearer => {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", key.expose())))
        }
        Auth::Query => {
            url.push_str(if url.contains('?') { "&key=" } else { "?key=" });
            gapless_venues::url::encode(key.expose(), &mut url);
        }
    }
    (url, headers)
}
