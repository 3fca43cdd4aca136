//! One connection: its phase, its timers, what it still has to say.
//!
//! ```text
//!  Idle ─▶ Waiting ─▶ Connecting ─▶ Open ─┐        Failed: a person is needed
//!             ▲            │              │        Stopped: the user closed it, which wins
//!             └── backoff ─┴──────────────┘
//! ```

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::command::ConnId;
use crate::feed::renewals::Anew;
use crate::lag::Lag;
use crate::quarantine::Quarantine;
use crate::rng::Rng;
use crate::source::TopicConfig;
use gapless_venues::books::BookId;
use gapless_venues::live::{Acks, Live};
use gapless_venues::registry::AnySession;
use gapless_venues::venue::Topic;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// An attempt to connect that takes longer has failed, ns: resolving, connecting and shaking hands
/// have 5 s each.
pub const CONNECT_NS_MAX: i64 = 15_000_000_000;
/// After so long without anything received a ping is sent, ns.
pub const PING_AFTER_NS: i64 = 10_000_000_000;
/// A ping without anything received after it for so long: the peer is gone, ns.
pub const PONG_NS_MAX: i64 = 5_000_000_000;
/// A request without an answer for so long is made again, ns.
pub const ACK_NS_MAX: i64 = 10_000_000_000;
/// A request that was refused for now is not made again before so long, ns.
pub const LATER_NS_MIN: i64 = 1_000_000_000;
/// A request that cannot be sent for so long is better sent on another connection, ns.
pub const STARVED_NS: i64 = 10_000_000_000;
/// So long before the venue ends a connection it is about to, ns.
pub const ENDING_NS: i64 = 600_000_000_000;
/// Requests that unsubscribe of which it is known what for.
const LEAVING_MAX: usize = 16;
/// How often the time doubles after which silence is a fault.
const QUIET_MAX: u32 = 6;
/// Requests that wait to be sent; with more the connection is given up.
pub const OUTBOX_MAX: usize = 4_096;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not needed now.
    Idle,
    /// Until a time, ns.
    Waiting(i64),
    /// Since a time, ns.
    Connecting(i64),
    /// Since a time, ns.
    Open(i64),
    /// The source refused the credentials.
    Failed,
    /// By the user.
    Stopped,
    /// Everything has come that was to come.
    Ended,
}

impl Phase {
    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting(_) => "waiting",
            Self::Connecting(_) => "connecting",
            Self::Open(_) => "open",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// A request that waits for room in the budgets.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub id: u64,
    pub text: String,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    id: u64,
    since: i64,
    left: usize,
}

/// What every connection of a pair has in common.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub url: String,
    /// As `url`, without the key.
    pub shown: String,
    pub headers: Vec<(String, String)>,
    pub local: Option<IpAddr>,
    pub topics: Arc<[TopicConfig]>,
    /// Index of its line in the source.
    pub line: usize,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Connection {
    pub wanted: Wanted,
    pub session: AnySession,
    pub phase: Phase,
    pub backoff: Backoff,
    /// It is to take over from the other of its pair.
    pub is_standby: bool,
    /// Topics that the venue refused.
    pub quarantine: Quarantine,
    /// Books whose topics are to be unsubscribed and subscribed.
    pub renew: Vec<BookId>,
    /// What was opened for such books where nothing can be unsubscribed.
    pub anew: Anew,
    pub last_why: String,
    pub connects: u64,
    /// Which key the attempt was made with.
    pub key_no: u32,
    /// When it was replaced; to be closed.
    pub retired: Option<i64>,
    /// How late its messages are.
    pub lag: Lag,
    /// Its books were told that they are late.
    pub shows_late: bool,
    /// How often it was given up for silence since it was lively.
    pub quiet: u32,
    place: u32,
    attempt: u32,
    outbox: VecDeque<Request>,
    pending: Vec<Pending>,
    sends: Budget,
    subscribes: Budget,
    acks: Acks,
    heard: i64,
    data: i64,
    pinged: i64,
    next_poll: i64,
    proven: bool,
    /// When it is to be replaced.
    old_at: i64,
    /// Longest silence since it opened.
    longest: i64,
    /// No request before.
    hold_until: i64,
    later: Backoff,
    /// The request for a topic that was refused, and that topic.
    probing: Option<(u64, usize)>,
    /// The last requests that unsubscribe, and their topics.
    leaving: VecDeque<(u64, Vec<usize>)>,
}

impl Connection {
    pub fn new(place: u32, wanted: Wanted, session: AnySession, live: &Live) -> Self {
        Self {
            quarantine: Quarantine::new(wanted.topics.len()),
            wanted,
            session,
            phase: Phase::Idle,
            backoff: Backoff::default(),
            is_standby: false,
            renew: Vec::new(),
            anew: Anew::default(),
            last_why: String::new(),
            connects: 0,
            key_no: 0,
            retired: None,
            lag: Lag::NONE,
            shows_late: false,
            quiet: 0,
            place,
            attempt: 0,
            outbox: VecDeque::new(),
            pending: Vec::new(),
            sends: Budget::new(live.sends),
            subscribes: Budget::new(live.subscribes),
            acks: live.acks,
            heard: 0,
            data: 0,
            pinged: 0,
            next_poll: i64::MIN,
            proven: false,
            old_at: i64::MAX,
            longest: 0,
            hold_until: i64::MIN,
            later: Backoff::default(),
            probing: None,
            leaving: VecDeque::new(),
        }
    }

    /// The attempt that is under way, or was last.
    pub const fn conn(&self) -> ConnId {
        ConnId { place: self.place, attempt: self.attempt }
    }

    #[inline]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub const fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Open(_) | Phase::Connecting(_))
    }

    /// A new attempt begins.
    pub const fn begin(&mut self, now: i64) -> ConnId {
        self.attempt += 1;
        self.phase = Phase::Connecting(now);
        self.conn()
    }

    /// It is open: everything that was known of the last attempt is void. It is to be replaced
    /// after `life` ns.
    pub fn open(&mut self, now: i64, life: Option<i64>) {
        self.old_at = life.map_or(i64::MAX, |life| now.saturating_add(life));
        self.retired = None;
        self.lag = Lag::NONE;
        self.longest = 0;
        self.hold_until = i64::MIN;
        // They are counted by connection.
        self.subscribes.clear();
        self.phase = Phase::Open(now);
        self.connects += 1;
        (self.heard, self.data, self.pinged) = (now, now, i64::MIN);
        self.proven = false;
        self.outbox.clear();
        self.pending.clear();
        self.renew.clear();
        self.probing = None;
        self.leaving.clear();
        self.quarantine.hasten(now);
    }

    /// Whether it has no socket: everything is asked for.
    pub const fn is_polled(&self) -> bool {
        self.wanted.url.is_empty()
    }

    /// Whether it is time to ask again.
    pub const fn is_poll_due(&mut self, now: i64, every: i64) -> bool {
        let is_due = now >= self.next_poll;
        if is_due {
            self.next_poll = now.saturating_add(every);
        }
        is_due
    }

    /// Something came.
    #[inline]
    pub const fn hear(&mut self, now: i64) {
        self.heard = now;
    }

    /// Something about a market came.
    #[inline]
    pub const fn has_data(&mut self, now: i64) {
        self.data = now;
        if !self.proven {
            self.proven = true;
            self.backoff.healed();
        }
    }

    /// Whether data has come since it opened.
    pub const fn is_proven(&self) -> bool {
        self.proven
    }

    pub const fn data_ns(&self) -> i64 {
        self.data
    }

    /// Queues the subscription of everything that was not refused.
    pub fn subscribe_all(&mut self) {
        let all: Vec<usize> = (0..self.wanted.topics.len()).collect();
        self.subscribe(&all);
    }

    /// Queues requests for these topics; those that were refused are left out.
    pub fn subscribe(&mut self, which: &[usize]) {
        let wanted = which.iter().filter(|at| !self.quarantine.holds(**at));
        let wanted: Vec<usize> = wanted.copied().collect();
        self.request(&wanted);
    }

    fn request(&mut self, which: &[usize]) {
        let topics = Arc::clone(&self.wanted.topics);
        let topics: Vec<Topic<'_>> =
            which.iter().filter_map(|at| topics.get(*at)).map(TopicConfig::topic).collect();
        if topics.is_empty() {
            return;
        }
        let first = self.session.next_id();
        let requests = self.session.subscribe(&topics);
        self.queue(first, requests);
    }

    /// Asks again for a topic that was refused, once nothing else is to be asked for: one at a
    /// time, so that another refusal is about nothing else.
    pub fn probe(&mut self, now: i64) {
        if !self.outbox.is_empty() || !self.pending.is_empty() || now < self.hold_until {
            return;
        }
        if let Some(topic) = self.quarantine.due(now) {
            self.quarantine.put_off(topic, now);
            self.probing = Some((self.session.next_id(), topic));
            self.request(&[topic]);
        }
    }

    /// A topic is not to be had: what is still said of the last question for it says nothing.
    pub fn refuse(&mut self, topic: usize, now: i64, rng: &mut Rng) {
        self.quarantine.add(topic, now, rng);
        self.probing = self.probing.filter(|(_, probed)| *probed != topic);
    }

    /// Queues requests for either half of these topics.
    pub fn subscribe_halves(&mut self, which: &[usize]) {
        let (one, other) = which.split_at(which.len() / 2);
        self.subscribe(one);
        self.subscribe(other);
    }

    /// The question for a topic that was refused was put off.
    pub const fn forget_probe(&mut self) {
        self.probing = None;
    }

    /// Queues what makes the subscriptions of these topics anew. `false`: the venue has no way to
    /// unsubscribe.
    pub fn renew_topics(&mut self, which: &[usize]) -> bool {
        let topics = Arc::clone(&self.wanted.topics);
        let topics: Vec<Topic<'_>> =
            which.iter().filter_map(|at| topics.get(*at)).map(TopicConfig::topic).collect();
        let first = self.session.next_id();
        let requests = self.session.unsubscribe(&topics);
        if requests.is_empty() {
            return false;
        }
        for (id, _) in (first..).zip(&requests) {
            if self.leaving.len() >= LEAVING_MAX {
                self.leaving.pop_front();
            }
            self.leaving.push_back((id, which.to_vec()));
        }
        self.queue(first, requests);
        self.subscribe(which);
        true
    }

    /// The topics that a request was to unsubscribe so that they are subscribed anew.
    pub fn left_by(&mut self, id: u64) -> Vec<usize> {
        let at = self.leaving.iter().position(|(left, _)| *left == id);
        at.and_then(|at| self.leaving.remove(at)).map(|(_, topics)| topics).unwrap_or_default()
    }

    fn queue(&mut self, first: u64, requests: Vec<String>) {
        let requests = (first..).zip(requests);
        self.outbox.extend(requests.map(|(id, text)| Request { id, text }));
    }

    /// Whether a frame may go out at once, whatever waits; it counts all the same. Of a flood of
    /// questions not all are answered.
    pub fn urgent(&mut self, now: i64) -> bool {
        // One more than what is left to requests: those never keep an answer back.
        let fits = self.sends.used(now) <= self.sends.most();
        if fits {
            self.sends.note(now, 1);
        }
        fits
    }

    /// The venue wants to be asked later.
    pub fn come_later(&mut self, now: i64, rng: &mut Rng) {
        let wait = LATER_NS_MIN.saturating_add(self.later.failed(rng));
        self.hold_until = self.hold_until.max(now.saturating_add(wait));
    }

    /// Whether `renew` is to be acted on: what waits already goes first, so that a topic is not
    /// asked for twice.
    pub fn may_renew(&self) -> bool {
        !self.renew.is_empty() && self.outbox.is_empty()
    }

    /// Whether what waits cannot be sent for long.
    pub fn is_starved(&mut self, now: i64) -> bool {
        !self.outbox.is_empty() && self.subscribes.ready(now, 1).saturating_sub(now) >= STARVED_NS
    }

    /// Whether it is time to replace it.
    pub const fn is_old(&self, now: i64) -> bool {
        now >= self.old_at
    }

    /// Whether the venue is about to end it, or sets no end.
    pub fn is_ending(&self, now: i64) -> bool {
        let Some(life) = self.session.wiring().live().lifetime_ms else { return true };
        let life = i64::try_from(life).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let Phase::Open(since) = self.phase else { return true };
        now.saturating_sub(since) >= life.saturating_sub(ENDING_NS)
    }

    /// Whether it is silent for so long that it must be broken. Where nothing can be said to come
    /// often (liquidations, a dead symbol), it is not opened anew for ever.
    pub fn is_silent_for_long(&self, silence: i64, now: i64) -> bool {
        let most = silence.saturating_mul(1 << self.quiet.min(QUIET_MAX));
        now.saturating_sub(self.data) >= most
    }

    /// Looks whether it is lively, so that its next silence says something.
    pub fn note_silence(&mut self, silence: i64, since: i64, now: i64) {
        self.longest = self.longest.max(now.saturating_sub(self.data));
        let shown = now.saturating_sub(since) >= silence;
        if shown && self.longest < silence / 2 {
            self.quiet = 0;
        }
    }

    /// The next request that may be sent now.
    pub fn next_request(&mut self, now: i64) -> Option<Request> {
        self.outbox.front()?;
        if now < self.hold_until {
            return None;
        }
        if self.sends.ready(now, 1) > now || self.subscribes.take(now, 1).is_err() {
            return None;
        }
        self.sends.note(now, 1);
        let request = self.outbox.pop_front()?;
        let topics = self.session.requested(request.id);
        let left = match self.acks {
            Acks::None => 0,
            Acks::Request => usize::from(topics > 0),
            Acks::Topic => topics,
        };
        if left > 0 {
            self.pending.push(Pending { id: request.id, since: now, left });
        }
        Some(request)
    }

    /// When the next request may be sent; `i64::MAX` if none waits.
    pub fn sends_at(&mut self, now: i64) -> i64 {
        if self.outbox.is_empty() {
            return i64::MAX;
        }
        self.sends.ready(now, 1).max(self.subscribes.ready(now, 1)).max(self.hold_until)
    }

    /// A request was answered. The topic that is to be had again, if it asked for one.
    pub fn acked(&mut self, id: Option<u64>) -> Option<usize> {
        let found = self.pending.iter().position(|pending| Some(pending.id) == id);
        // Where an answer names no request it is that of the first.
        let at = found.or(if id.is_none() { Some(0) } else { None });
        if let Some(pending) = at.and_then(|at| self.pending.get_mut(at)) {
            pending.left = pending.left.saturating_sub(1);
            self.later.healed();
        }
        self.pending.retain(|pending| pending.left > 0);
        self.probed()
    }

    /// The topic that was asked for again, once its request waits for no answer.
    pub fn probed(&mut self) -> Option<usize> {
        let (id, topic) = self.probing?;
        let waits = self.pending.iter().any(|pending| pending.id == id)
            || self.outbox.iter().any(|request| request.id == id);
        if waits {
            return None;
        }
        self.probing = None;
        self.quarantine.release(topic).then_some(topic)
    }

    /// A request was refused: which one. Requests are answered in their order.
    pub fn refused_request(&mut self, id: Option<u64>) -> Option<u64> {
        let id = id.or(self.pending.first().map(|pending| pending.id))?;
        self.pending.retain(|pending| pending.id != id);
        Some(id)
    }

    /// Whether everything that was asked for was answered.
    pub fn is_subscribed(&self) -> bool {
        self.is_open() && self.outbox.is_empty() && self.pending.is_empty()
    }

    /// Whether too many requests wait.
    pub fn is_overfull(&self) -> bool {
        self.outbox.len() > OUTBOX_MAX
    }

    /// A request that has had no answer for too long, and the topics that wait for one; none of a
    /// topic that was refused before, which is asked for again in its time.
    pub fn unanswered(&mut self, now: i64) -> Option<Vec<usize>> {
        let late = |pending: &Pending| now.saturating_sub(pending.since) >= ACK_NS_MAX;
        let at = self.pending.iter().position(late)?;
        let id = self.pending.remove(at).id;
        self.probing = self.probing.filter(|(probe, _)| *probe != id);
        Some(self.take_topics(id))
    }

    /// Takes out the topics of a request that were not answered yet.
    pub fn take_topics(&mut self, id: u64) -> Vec<usize> {
        let topics = self.session.take_requested(id);
        let found = topics.iter().filter_map(|(channel, symbol)| {
            self.topic_of_book(channel, symbol)
                .or_else(|| self.find_topic(&format!("{channel}:{symbol}")))
        });
        found.collect()
    }

    /// Whether a ping is due.
    pub fn wants_ping(&mut self, now: i64) -> bool {
        let quiet = now.saturating_sub(self.heard) >= PING_AFTER_NS;
        let due = quiet && self.pinged <= self.heard;
        if due {
            self.pinged = now;
        }
        due
    }

    /// Whether the peer has not answered a ping.
    pub const fn is_half_open(&self, now: i64) -> bool {
        self.pinged > self.heard && now.saturating_sub(self.pinged) >= PONG_NS_MAX
    }

    /// Position of a topic by what a venue calls it, or by its parts joined.
    pub fn find_topic(&self, name: &str) -> Option<usize> {
        let is = |topic: &TopicConfig| {
            let parts = name.strip_prefix(topic.channel.as_str());
            parts.and_then(|rest| rest.strip_prefix([':', '.'])) == Some(topic.symbol.as_str())
        };
        let topics = || self.wanted.topics.iter();
        // Else the longest that is in it: one symbol's name may hold another's.
        let within =
            |topic: &TopicConfig| name.contains(&topic.channel) && name.contains(&topic.symbol);
        let closest = || {
            let found = topics().enumerate().filter(|(_, topic)| within(topic));
            found.max_by_key(|(_, topic)| topic.symbol.len() + topic.channel.len())
        };
        topics().position(is).or_else(|| closest().map(|(at, _)| at))
    }

    /// Position of a book's topic.
    pub fn topic_of_book(&self, channel: &str, symbol: &str) -> Option<usize> {
        let wiring = self.session.wiring();
        let is = |topic: &TopicConfig| {
            let own = wiring.book_channel(&topic.channel).unwrap_or(&topic.channel);
            own == channel && topic.symbol.eq_ignore_ascii_case(symbol)
        };
        self.wanted.topics.iter().position(is)
    }
}
