//! The HTTP requests of a source, in one queue.
//!
//! Invariants: a path is asked for once at a time, whoever wants it; never more than
//! [`IN_FLIGHT_MAX`] are under way from one address to one venue, of all its sources; none is made
//! that the gate has not let through.

use crate::backoff::{Backoff, RATE_NS_MAX};
use crate::command::FetchId;
use crate::gate::SharedGate;
use crate::rng::Rng;

/// Requests under way from one address to one venue.
pub const IN_FLIGHT_MAX: usize = 4;
/// When as many are under way, some of them other sources', it is looked again after so long, ns.
const BUSY_NS: i64 = 5_000_000;
/// Lists begin only while fewer requests than these are under way: a book's may join them.
pub const LISTS_MAX: usize = 2;
/// When more are, a list waits for so long, ns.
const LIST_BUSY_NS: i64 = 100_000_000;
/// Requests that wait; more are dropped and asked for again by the books that want them.
pub const WAITING_MAX: usize = 4_096;
/// A request without an answer for so long has failed, ns.
pub const DEADLINE_NS: i64 = 10_000_000_000;

/// What a request is for; the first is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// A book that was live and is not.
    Resync,
    /// A book's first snapshot.
    First,
    /// What is polled.
    Poll,
    /// What is traded: no book waits for it, and it makes none wait.
    List,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub path: String,
    pub body: Option<String>,
    pub purpose: Purpose,
    pub weight: u32,
    /// Connections that want it.
    pub places: Vec<u32>,
    pub not_before: i64,
    pub backoff: Backoff,
}

#[derive(Debug)]
pub(crate) struct Fetches {
    waiting: Vec<Job>,
    under_way: Vec<(FetchId, i64, Job)>,
    gate: SharedGate,
    /// The gate lets nothing through before.
    blocked_until: i64,
    next_id: u64,
    /// Requests that found no room.
    pub dropped: u64,
}

impl Fetches {
    pub const fn new(gate: SharedGate) -> Self {
        Self {
            waiting: Vec::new(),
            under_way: Vec::new(),
            gate,
            blocked_until: i64::MIN,
            next_id: 0,
            dropped: 0,
        }
    }

    pub const fn gate(&self) -> &SharedGate {
        &self.gate
    }

    /// Asks for a path, or joins those who already do.
    pub fn want(&mut self, job: Job) {
        let same = |other: &&mut Job| other.path == job.path && other.body == job.body;
        // One under way may be older than what the newcomer must bridge: it is asked for again.
        if let Some(known) = self.waiting.iter_mut().find(same) {
            known.purpose = known.purpose.min(job.purpose);
            // What the venue asked to wait holds for whoever asks.
            known.not_before = known.not_before.max(job.not_before);
            if job.backoff.failures() > known.backoff.failures() {
                known.backoff = job.backoff;
            }
            for place in job.places {
                if !known.places.contains(&place) {
                    known.places.push(place);
                }
            }
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push(job);
        } else {
            self.dropped += 1;
        }
    }

    /// The next request that may be made now.
    pub fn next(&mut self, now: i64) -> Option<(FetchId, &Job)> {
        if self.under_way.len() >= IN_FLIGHT_MAX || now < self.blocked_until {
            return None;
        }
        let (at, job) = self.due(now)?;
        let is_list = job.purpose == Purpose::List;
        let (most, busy) =
            if is_list { (LISTS_MAX, LIST_BUSY_NS) } else { (IN_FLIGHT_MAX, BUSY_NS) };
        let mut gate = self.gate.lock();
        let passed = match gate.has_room(most) {
            true => gate.fetch(now, job.weight),
            false => Err(now.saturating_add(busy)),
        };
        if let Err(later) = passed {
            drop(gate);
            match self.waiting.get_mut(at).filter(|_| is_list) {
                // What comes meanwhile for a book does not wait with it.
                Some(list) => list.not_before = later,
                None => self.blocked_until = later,
            }
            return None;
        }
        gate.begun();
        drop(gate);
        let job = self.waiting.remove(at);
        let id = FetchId(self.next_id);
        self.next_id += 1;
        self.under_way.push((id, now, job));
        self.under_way.last().map(|(id, _, job)| (*id, job))
    }

    fn due(&self, now: i64) -> Option<(usize, &Job)> {
        let due = |(_, job): &(usize, &Job)| job.not_before <= now && !self.is_busy(job);
        self.waiting.iter().enumerate().filter(due).min_by_key(|(at, job)| (job.purpose, *at))
    }

    /// Whether the same is under way; its end is waited for.
    fn is_busy(&self, job: &Job) -> bool {
        let same = |other: &Job| other.path == job.path && other.body == job.body;
        self.under_way.iter().any(|(.., other)| same(other))
    }

    /// Id of the next request.
    pub const fn next_id(&self) -> FetchId {
        FetchId(self.next_id)
    }

    /// What a connection wanted is not wanted any more: it has ended. A snapshot of a book that
    /// another connection goes on writing is wanted by that one, the `heir`.
    pub fn forget(&mut self, place: u32, heir: Option<u32>) {
        let under_way = self.under_way.iter_mut().map(|(.., job)| job);
        for job in self.waiting.iter_mut().chain(under_way) {
            let wanted = job.places.len();
            job.places.retain(|at| *at != place);
            let is_book = job.body.is_none() && job.purpose < Purpose::Poll;
            if let Some(heir) = heir.filter(|_| is_book && job.places.len() < wanted)
                && !job.places.contains(&heir)
            {
                job.places.push(heir);
            }
        }
        self.waiting.retain(|job| !job.places.is_empty());
    }

    /// Takes an answered or failed request out; `None` for one that was given up.
    pub fn take(&mut self, id: FetchId) -> Option<Job> {
        let at = self.under_way.iter().position(|(known, ..)| *known == id)?;
        // Its answer may open the gate.
        self.blocked_until = i64::MIN;
        self.gate.lock().ended(1);
        Some(self.under_way.swap_remove(at).2)
    }

    /// Takes out a request that has had no answer for too long.
    pub fn overdue(&mut self, now: i64) -> Option<Job> {
        let late = |(_, since, _): &(FetchId, i64, Job)| now.saturating_sub(*since) >= DEADLINE_NS;
        let at = self.under_way.iter().position(late)?;
        self.gate.lock().ended(1);
        Some(self.under_way.swap_remove(at).2)
    }

    /// Asks again, not before some time has passed.
    pub fn again(&mut self, mut job: Job, now: i64, at_least: i64, rng: &mut Rng) {
        if job.places.is_empty() {
            return;
        }
        // Added, so that those who wait for the same moment do not return in it together.
        let wait = at_least.clamp(0, RATE_NS_MAX).saturating_add(job.backoff.failed(rng));
        job.not_before = now.saturating_add(wait);
        self.want(job);
    }

    /// When something is next to be done; `i64::MAX` if nothing is.
    pub fn deadline(&self) -> i64 {
        let room = self.under_way.len() < IN_FLIGHT_MAX;
        let waiting = self.waiting.iter().filter(|job| room && !self.is_busy(job));
        let waiting = waiting.map(|job| job.not_before.max(self.blocked_until));
        let late = self.under_way.iter().map(|(_, since, _)| since.saturating_add(DEADLINE_NS));
        waiting.chain(late).min().unwrap_or(i64::MAX)
    }

    /// Forgets everything that waits and everything under way.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.gate.lock().ended(self.under_way.len());
        self.under_way.clear();
    }

    /// A request that is under way.
    pub fn under_way(&self, id: FetchId) -> Option<&Job> {
        self.under_way.iter().find(|(known, ..)| *known == id).map(|(.., job)| job)
    }

    /// Whether a list is asked for, or was and is to be again.
    pub fn has_list(&self) -> bool {
        let under_way = self.under_way.iter().map(|(.., job)| job);
        self.waiting.iter().chain(under_way).any(|job| job.purpose == Purpose::List)
    }

    /// Requests that wait and that are under way.
    pub fn counts(&self) -> (usize, usize) {
        (self.waiting.len(), self.under_way.len())
    }
}

impl Drop for Fetches {
    /// What was under way is nobody's any more.
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gapless_venues::live::{Live, Rate};

    fn job(path: &str, purpose: Purpose, place: u32) -> Job {
        Job {
            path: path.to_owned(),
            body: None,
            purpose,
            weight: 10,
            places: vec![place],
            not_before: 0,
            backoff: Backoff::default(),
        }
    }

    fn fetches(weight: u32) -> Fetches {
        let live = Live { weight: Rate::new(weight, 1_000), ..Live::UNSTATED };
        Fetches::new(SharedGate::new(&live))
    }

    #[test]
    fn a_book_that_was_live_is_served_before_a_new_one() {
        let mut fetches = fetches(1_000);
        fetches.want(job("/new", Purpose::First, 0));
        fetches.want(job("/lost", Purpose::Resync, 0));
        let order: Vec<_> =
            (0..2).filter_map(|_| fetches.next(0).map(|(_, job)| job.path.clone())).collect();
        assert_eq!(order, ["/lost", "/new"]);
    }

    #[test]
    fn a_path_is_asked_for_once_at_a_time_and_at_most_four_are_under_way() {
        let mut fetches = fetches(1_000);
        fetches.want(job("/a", Purpose::First, 0));
        fetches.want(job("/a", Purpose::First, 1));
        let (id, first) = fetches.next(0).unwrap();
        assert_eq!(first.places, [0, 1]);
        fetches.want(job("/a", Purpose::First, 0));
        assert!(fetches.next(0).is_none(), "it is under way");
        for path in ["/b", "/c", "/d", "/e"] {
            fetches.want(job(path, Purpose::First, 0));
        }
        assert_eq!((0..9).filter(|_| fetches.next(0).is_some()).count(), IN_FLIGHT_MAX - 1);
        assert!(fetches.take(id).is_some() && fetches.take(id).is_none());
        assert!(fetches.next(0).is_some());
    }

    #[test]
    fn sources_of_one_address_share_what_may_be_under_way() {
        let mut first = fetches(1_000);
        let mut second = Fetches::new(first.gate().clone());
        for n in 0..IN_FLIGHT_MAX {
            first.want(job(&format!("/{n}"), Purpose::First, 0));
        }
        second.want(job("/other", Purpose::First, 0));
        let ids: Vec<_> = std::iter::from_fn(|| first.next(0).map(|(id, _)| id)).collect();
        assert_eq!(ids.len(), IN_FLIGHT_MAX);
        assert!(second.next(0).is_none());
        assert_eq!(second.deadline(), BUSY_NS);
        assert!(first.take(ids[0]).is_some());
        assert!(second.next(BUSY_NS).is_some());
        drop(first);
        second.want(job("/more", Purpose::First, 0));
        assert!(second.next(2 * BUSY_NS).is_some(), "who is gone has nothing under way");
    }

    #[test]
    fn what_waits_for_the_same_request_to_end_is_not_due_before() {
        let mut fetches = fetches(1_000);
        fetches.want(job("/a", Purpose::First, 0));
        assert!(fetches.next(0).is_some());
        fetches.want(job("/a", Purpose::Resync, 1));
        assert_eq!(fetches.deadline(), DEADLINE_NS);
    }

    #[test]
    fn who_must_wait_as_long_as_the_venue_says_does_not_return_together() {
        let (mut fetches, mut rng) = (fetches(1_000), Rng::new(3));
        for n in 0..100 {
            fetches.again(job(&format!("/{n}"), Purpose::First, 0), 0, 7_000, &mut rng);
        }
        let mut times: Vec<_> = fetches.waiting.iter().map(|job| job.not_before).collect();
        times.sort_unstable();
        times.dedup();
        assert!(times.len() > 90 && times[0] >= 7_000, "{times:?}");
        fetches.again(job("/x", Purpose::First, 0), 0, i64::MAX, &mut rng);
        assert!(fetches.waiting[100].not_before < 2 * RATE_NS_MAX, "no wait is for ever");
    }

    #[test]
    fn who_asks_again_meanwhile_waits_as_long() {
        let (mut fetches, mut rng) = (fetches(1_000), Rng::new(3));
        fetches.want(job("/a", Purpose::First, 0));
        let (id, _) = fetches.next(0).unwrap();
        fetches.want(job("/a", Purpose::Resync, 0));
        assert_eq!(fetches.deadline(), DEADLINE_NS, "nothing is to be done before");
        let failed = fetches.take(id).unwrap();
        fetches.again(failed, 0, 7_000, &mut rng);
        assert!(fetches.next(6_999).is_none());
        assert_eq!(fetches.counts(), (1, 0));
    }

    #[test]
    fn a_list_waits_for_books_and_no_book_for_a_list() {
        let mut fetches = fetches(25);
        fetches.want(job("/list", Purpose::List, 0));
        fetches.want(job("/new", Purpose::First, 0));
        assert_eq!(fetches.next(0).map(|(_, job)| job.path.as_str()), Some("/new"));
        assert!(fetches.next(0).is_some_and(|(_, job)| job.purpose == Purpose::List));
        // The budget has room for a small request, and none for the list.
        fetches.want(job("/list/2", Purpose::List, 0));
        assert!(fetches.next(0).is_none());
        fetches.want(Job { weight: 5, ..job("/other", Purpose::First, 0) });
        assert!(fetches.next(0).is_some_and(|(_, job)| job.purpose == Purpose::First));
    }

    #[test]
    fn lists_leave_places_to_books() {
        let mut fetches = fetches(1_000);
        for n in 0..IN_FLIGHT_MAX {
            fetches.want(job(&format!("/list/{n}"), Purpose::List, 0));
        }
        assert_eq!((0..9).filter(|_| fetches.next(0).is_some()).count(), LISTS_MAX);
        fetches.want(job("/book", Purpose::First, 0));
        assert!(fetches.next(0).is_some());
        assert!(fetches.next(LIST_BUSY_NS).is_none());
    }

    #[test]
    fn nothing_passes_the_budget_and_what_waits_says_for_how_long() {
        let mut fetches = fetches(25);
        for path in ["/a", "/b", "/c"] {
            fetches.want(job(path, Purpose::First, 0));
        }
        assert_eq!((0..9).filter(|_| fetches.next(0).is_some()).count(), 2);
        assert_eq!(fetches.deadline(), 1_000_000_000);
        assert!(fetches.next(999_999_999).is_none());
        assert!(fetches.next(1_000_000_000).is_some());
    }
}
