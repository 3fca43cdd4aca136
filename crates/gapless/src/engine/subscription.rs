//! Subscriptions: what one receiver wants of an engine's events, and its end of them.
//!
//! ```text
//! thread ─► ring ─┐
//! thread ─► ring ─┴─► Subscription, any one thread
//!                          └─ sleeps ─► Waker: the engine's own thread, which looks for it
//! ```
//! Invariant: no thread that applies books waits for a receiver or wakes one.

use super::names::Names;
use super::outlets::{Outlet, Sink};
use super::waker::Waker;
use crate::events::{self, Event, NameId, Topic};
use crate::sync::{Mutex, MutexGuard, Receiver, Sender, unbounded};
use gapless_book::publish::{
    Bell, LatestReader, Missed, RECORDS_MAX, RecordReader, latest, records,
};
use std::collections::{HashMap, HashSet, TryReserveError};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What becomes of a receiver that is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Slow {
    /// It loses the oldest events and is told how many: [`Received::Missed`].
    #[default]
    DropOldest,
    /// It has the latest event of each instrument (of books: each book) and topic, and is told how
    /// many that one replaced.
    Conflate,
    /// It is given nothing more: [`Ended::TooSlow`].
    Disconnect,
}

/// What a receiver wants.
#[derive(Clone, Debug)]
pub struct Interest {
    topics: u8,
    names: Option<Arc<HashSet<String>>>,
    capacity: usize,
    slow: Slow,
    irregular: bool,
}

/// Events that a ring holds where nothing else was asked for.
pub const CAPACITY: usize = 8_192;

impl Interest {
    /// All regular events of these topics ([`Flags::is_regular`](gapless_book::event::Flags)).
    #[must_use]
    pub fn in_topics(topics: impl IntoIterator<Item = Topic>) -> Self {
        let topics = topics.into_iter().fold(0, |bits, topic| bits | topic.bit());
        Self { topics, names: None, capacity: CAPACITY, slow: Slow::default(), irregular: false }
    }

    /// Of these instruments only: `VENUE[.MARKET]:SYMBOL`.
    #[must_use]
    pub fn of<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        self.names = Some(Arc::new(names.into_iter().map(Into::into).collect()));
        self
    }

    /// How many events may wait of each thread of the engine; with [`Slow::Conflate`] of how many
    /// pairs of name and topic the latest is kept, and events of further ones are left out. Brought
    /// into 1..=2^20. Default: [`CAPACITY`]. Each takes up to 256 bytes from the start on.
    #[must_use]
    pub const fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// What becomes of the receiver if it is too slow. Default: [`Slow::DropOldest`].
    #[must_use]
    pub const fn when_slow(mut self, slow: Slow) -> Self {
        self.slow = slow;
        self
    }

    /// With trades off the book (an insurance fund's, block trades) and with what a venue repeats
    /// of before the subscription: what would be counted twice, or moved no book.
    #[must_use]
    pub const fn with_irregular(mut self) -> Self {
        self.irregular = true;
        self
    }

    /// Both ends of one thread's events.
    pub(super) fn connect(&self) -> Result<(Outlet, Inlet), TryReserveError> {
        let capacity = self.capacity.clamp(1, RECORDS_MAX);
        let (sink, inlet) = if self.slow == Slow::Conflate {
            let (writer, reader) = latest(capacity)?;
            // No event makes it grow.
            let mut places = HashMap::new();
            places.try_reserve(capacity)?;
            (Sink::Latest(writer, places), Inlet::Latest(reader))
        } else {
            let (writer, reader) = records(capacity)?;
            (Sink::Ring(writer), Inlet::Ring(reader, None))
        };
        let (topics, names) = (self.topics, self.names.clone());
        let irregular = self.irregular;
        Ok((Outlet { topics, names, irregular, sink, number: 0, wants: Vec::new() }, inlet))
    }
}

/// One thread's events, as the receiver knows them.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one for each thread of an engine")]
pub(super) enum Inlet {
    /// With the event that is next.
    Ring(RecordReader, Option<Event>),
    Latest(LatestReader),
}

impl Inlet {
    fn has_ended(&mut self) -> bool {
        match self {
            Self::Ring(ring, next) => next.is_none() && ring.has_ended(),
            Self::Latest(latest) => latest.has_ended(),
        }
    }

    fn bell(&self) -> Bell {
        match self {
            Self::Ring(ring, _) => ring.bell(),
            Self::Latest(latest) => latest.bell(),
        }
    }
}

/// What a receiver is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a value on the receiver's stack; nothing is kept")]
pub enum Received {
    /// An event.
    Event(Event),
    /// So many events of one thread of the engine were lost here.
    Missed(u64),
}

/// Why a receiver is given nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The engine was stopped, or every source was read to its end. An engine that starts again
    /// goes on giving events to the same subscription.
    Closed,
    /// It was too slow, as [`Slow::Disconnect`] says, and lost this many. This is for good.
    TooSlow {
        /// Events that were lost when it was noticed.
        missed: u64,
    },
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the engine gives no more events: it has ended"),
            Self::TooSlow { missed } => {
                write!(f, "disconnected: too slow, {missed} events were lost")
            }
        }
    }
}

impl std::error::Error for Ended {}

/// What a receiver was given and was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that it was given.
    pub received: u64,
    /// Events that it lost.
    pub missed: u64,
    /// Events that later ones of the same name and topic replaced.
    pub replaced: u64,
}

/// What other threads may ask of a subscription while one waits in it.
#[derive(Clone, Debug)]
pub struct Remote {
    names: Arc<Names>,
    waker: Arc<Waker>,
    tally: Arc<Mutex<Tally>>,
}

/// What a subscription and those who ask of it know in common; no thread that applies books does.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    has_ended: bool,
}

impl Remote {
    /// What was given and lost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally().counts
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Nothing that is done under the lock leaves it half done.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text of a name in an event.
    #[must_use]
    pub fn name(&self, id: NameId) -> Option<Arc<str>> {
        self.names.name(id)
    }

    /// Nothing more is given, for good: whoever sleeps in the subscription is woken and told
    /// [`Ended::Closed`].
    pub fn end(&self) {
        self.tally().has_ended = true;
        self.waker.changed();
    }
}

/// A receiver's end: for one thread at a time. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    slow: Slow,
    arrivals: Receiver<Inlet>,
    inlets: Vec<Inlet>,
    /// Which inlet is looked at first, so that none starves.
    turn: usize,
    remote: Remote,
    ended: Option<Ended>,
    /// Shows the engine that it is still there.
    _here: Arc<()>,
}

impl Subscription {
    pub(super) fn new(
        slow: Slow,
        arrivals: Receiver<Inlet>,
        names: Arc<Names>,
        waker: Arc<Waker>,
        here: Arc<()>,
    ) -> Self {
        Self {
            slow,
            arrivals,
            inlets: Vec::new(),
            turn: 0,
            remote: Remote { names, waker, tally: Arc::default() },
            ended: None,
            _here: here,
        }
    }

    /// For other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// The next event if there is one. Of events that wait in several threads' rings the one that
    /// was received first comes first.
    ///
    /// # Errors
    /// Nothing more comes.
    pub fn try_next(&mut self) -> Result<Option<Received>, Ended> {
        if let Some(ended) = self.ended {
            return Err(ended);
        }
        if self.remote.tally().has_ended {
            self.ended = Some(Ended::Closed);
            self.inlets = Vec::new();
            return Err(Ended::Closed);
        }
        self.inlets.extend(self.arrivals.try_iter());
        let received = match self.slow {
            Slow::Conflate => self.next_latest(),
            Slow::DropOldest | Slow::Disconnect => self.next_queued(),
        };
        match received {
            Some(Received::Event(_)) => self.remote.tally().counts.received += 1,
            Some(Received::Missed(missed)) => {
                self.remote.tally().counts.missed += missed;
                if self.slow == Slow::Disconnect {
                    let ended = Ended::TooSlow { missed };
                    self.ended = Some(ended);
                    self.inlets = Vec::new();
                    return Err(ended);
                }
            }
            None => {
                self.inlets.retain_mut(|inlet| !inlet.has_ended());
                if self.inlets.is_empty() && self.arrivals.is_empty() {
                    return Err(Ended::Closed);
                }
            }
        }
        Ok(received)
    }

    /// As [`Subscription::try_next`], waiting until there is one: asleep, woken by the engine's own
    /// thread within some 100 µs.
    ///
    /// # Errors
    /// As [`Subscription::try_next`].
    #[allow(clippy::should_implement_trait, reason = "an iterator has no errors")]
    pub fn next(&mut self) -> Result<Received, Ended> {
        loop {
            if let Some(received) = self.next_within(Duration::from_secs(3600))? {
                return Ok(received);
            }
        }
    }

    /// As [`Subscription::next`]; `None` after `at_most`.
    ///
    /// # Errors
    /// As [`Subscription::try_next`].
    pub fn next_within(&mut self, at_most: Duration) -> Result<Option<Received>, Ended> {
        let begun = Instant::now();
        loop {
            // Whoever changes what there is after this look is seen by the sleep.
            let seen = self.remote.waker.changes();
            if let Some(received) = self.try_next()? {
                return Ok(Some(received));
            }
            let left = at_most.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let bells = self.inlets.iter().map(Inlet::bell).collect();
            self.remote.waker.sleep(seen, bells, left);
        }
    }

    /// What was given and lost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.remote.counts()
    }

    /// The text of a name in an event.
    #[must_use]
    pub fn name(&self, id: NameId) -> Option<Arc<str>> {
        self.remote.name(id)
    }

    fn next_latest(&mut self) -> Option<Received> {
        for _ in 0..self.inlets.len() {
            self.turn = (self.turn + 1) % self.inlets.len();
            let Some(Inlet::Latest(latest)) = self.inlets.get_mut(self.turn) else { continue };
            if let Some(latest) = latest.take() {
                self.remote.tally().counts.replaced += latest.replaced;
                return events::decode(&latest.record).map(Received::Event);
            }
        }
        None
    }

    fn next_queued(&mut self) -> Option<Received> {
        let mut first: Option<(i64, usize)> = None;
        for (at, inlet) in self.inlets.iter_mut().enumerate() {
            let Inlet::Ring(ring, next) = inlet else { continue };
            if next.is_none() {
                match ring.take() {
                    Some(Ok(record)) => *next = events::decode(&record),
                    Some(Err(Missed(missed))) => return Some(Received::Missed(missed)),
                    None => {}
                }
            }
            if let Some(event) = next
                && first.is_none_or(|(recv_ns, _)| event.times.recv_ns < recv_ns)
            {
                first = Some((event.times.recv_ns, at));
            }
        }
        let (_, at) = first?;
        let Some(Inlet::Ring(_, next)) = self.inlets.get_mut(at) else { return None };
        next.take().map(Received::Event)
    }
}

/// The subscriptions of an engine, whose threads come and go.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    /// With what says whether it is still there.
    all: Vec<(Interest, Sender<Inlet>, Weak<()>)>,
}

impl Subscribers {
    /// Adds one; `threads` of the engine are running.
    pub fn add(
        &mut self,
        interest: &Interest,
        threads: usize,
        names: Arc<Names>,
        waker: Arc<Waker>,
    ) -> Result<(Subscription, Vec<Outlet>), TryReserveError> {
        let (sender, arrivals) = unbounded();
        let outlets = (0..threads).filter_map(|_| connect(interest, &sender).transpose());
        let outlets = outlets.collect::<Result<_, _>>()?;
        let here = Arc::new(());
        self.all.retain(|(.., here)| here.strong_count() > 0);
        self.all.push((interest.clone(), sender, Arc::downgrade(&here)));
        Ok((Subscription::new(interest.slow, arrivals, names, waker, here), outlets))
    }

    #[cfg(test)]
    pub const fn count(&self) -> usize {
        self.all.len()
    }

    /// The outlets of a thread that starts.
    pub fn outlets(&mut self) -> Result<Vec<Outlet>, TryReserveError> {
        self.all.retain(|(.., here)| here.strong_count() > 0);
        let all = self.all.iter();
        all.filter_map(|(interest, sender, _)| connect(interest, sender).transpose()).collect()
    }
}

/// A thread's end, if the receiver is still there to take the other.
fn connect(interest: &Interest, sender: &Sender<Inlet>) -> Result<Option<Outlet>, TryReserveError> {
    let (outlet, inlet) = interest.connect()?;
    Ok(sender.send(inlet).is_ok().then_some(outlet))
}
