//! What one address may ask of one venue: connection attempts, request weight, bans, and the
//! breaker. Sources of the same venue share one gate, whatever thread they run on.
//!
//! Invariant: a request or attempt that the gate has not let through is not made.

use crate::backoff::{RATE_NS_MAX, RATE_NS_MIN};
use crate::budget::Budget;
use crate::fetches::DEADLINE_NS;
use gapless_venues::live::Live;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Failures of a server in a row that open the breaker.
pub const FAILURES_MAX: u32 = 5;
/// How long the breaker stays open at first, ns; twice as long after every probe that fails.
pub const OPEN_NS_MIN: i64 = 5_000_000_000;
/// How long it stays open at most, ns.
pub const OPEN_NS_MAX: i64 = 60_000_000_000;
/// Longest ban that is believed: 3 days, which is what venues threaten with, ns.
pub const BAN_NS_MAX: i64 = 72 * 3_600_000_000_000;

/// See the module's page.
#[derive(Debug)]
pub struct Gate {
    connects: Budget,
    weight: Budget,
    /// No request of any kind before.
    banned_until: i64,
    /// No HTTP request before.
    held_until: i64,
    failures: u32,
    breaker: Breaker,
    bans: u64,
    /// HTTP requests under way.
    under_way: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed,
    /// Until when, and how long it was opened for.
    Open(i64, i64),
    /// One probe is under way until when at most, and how long the breaker was open.
    Probing(i64, i64),
}

impl Gate {
    /// A gate with a venue's budgets.
    #[must_use]
    pub const fn new(live: &Live) -> Self {
        Self {
            connects: Budget::new(live.connects),
            weight: Budget::new(live.weight),
            banned_until: i64::MIN,
            held_until: i64::MIN,
            failures: 0,
            breaker: Breaker::Closed,
            bans: 0,
            under_way: 0,
        }
    }

    /// Lets a connection attempt through.
    ///
    /// # Errors
    /// The earliest time to ask again.
    pub fn connect(&mut self, now: i64) -> Result<(), i64> {
        if self.banned_until > now {
            return Err(self.banned_until);
        }
        self.connects.take(now, 1)
    }

    /// Lets a request through.
    ///
    /// # Errors
    /// The earliest time to ask again.
    pub fn fetch(&mut self, now: i64, weight: u32) -> Result<(), i64> {
        let closed_until = self.banned_until.max(self.held_until);
        if closed_until > now {
            return Err(closed_until);
        }
        match self.breaker {
            Breaker::Open(until, _) if until > now => return Err(until),
            Breaker::Probing(until, _) if until > now => return Err(until),
            _ => {}
        }
        self.weight.take(now, weight)?;
        if let Breaker::Open(_, length) | Breaker::Probing(_, length) = self.breaker {
            // Whoever made it may be gone before its answer.
            self.breaker = Breaker::Probing(now.saturating_add(DEADLINE_NS), length);
        }
        Ok(())
    }

    /// Whether fewer requests than these are under way.
    #[must_use]
    pub const fn has_room(&self, most: usize) -> bool {
        self.under_way < most
    }

    /// A request that was let through is on its way.
    pub const fn begun(&mut self) {
        self.under_way += 1;
    }

    /// So many requests are not under way any more.
    pub const fn ended(&mut self, requests: usize) {
        self.under_way = self.under_way.saturating_sub(requests);
    }

    /// A server answered as it should.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
        self.breaker = Breaker::Closed;
    }

    /// A server failed: it said so, or nothing that can be read.
    pub fn failed(&mut self, now: i64) {
        self.failures = self.failures.saturating_add(1);
        let length = match self.breaker {
            Breaker::Probing(_, length) => length.saturating_mul(2).min(OPEN_NS_MAX),
            // Asked before it was opened.
            Breaker::Open(until, _) if until > now => return,
            _ if self.failures >= FAILURES_MAX => OPEN_NS_MIN,
            _ => return,
        };
        self.breaker = Breaker::Open(now.saturating_add(length), length);
    }

    /// What nobody waits for was not had, which says little of the rest: it opens nothing, and who
    /// asks next is the probe.
    pub const fn unproven(&mut self, now: i64) {
        if let Breaker::Probing(_, length) = self.breaker {
            self.breaker = Breaker::Open(now, length);
        }
    }

    /// An answer that says nothing about the server's health ends a probe all the same.
    pub const fn answered(&mut self) {
        if matches!(self.breaker, Breaker::Probing(..)) {
            self.succeeded();
        }
    }

    /// The venue wants no HTTP request for so long.
    pub fn hold(&mut self, now: i64, wait_ns: i64) {
        let until = now.saturating_add(wait_ns.clamp(0, RATE_NS_MAX));
        self.held_until = self.held_until.max(until);
        self.answered();
    }

    /// The venue wants no request of any kind for so long; `None`: it does not say.
    pub fn ban(&mut self, now: i64, wait_ns: Option<i64>) {
        self.bans += 1;
        let wait = wait_ns.unwrap_or(RATE_NS_MIN).clamp(0, BAN_NS_MAX);
        self.banned_until = self.banned_until.max(now.saturating_add(wait));
        self.answered();
    }

    /// The venue counts so much weight.
    pub fn counted(&mut self, now: i64, weight: u32) {
        self.weight.counted(now, weight);
    }

    /// Weight spent within the window that ends now.
    pub fn weight_used(&mut self, now: i64) -> u32 {
        self.weight.used(now)
    }

    /// How often the venue asked for silence.
    #[must_use]
    pub const fn bans(&self) -> u64 {
        self.bans
    }

    /// Whether requests are held back because the server fails.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.breaker != Breaker::Closed
    }
}

/// A gate that several sources go through. Locked for a few additions, once a request.
#[derive(Clone, Debug)]
pub struct SharedGate(Arc<Mutex<Gate>>);

impl SharedGate {
    /// A gate with a venue's budgets.
    #[must_use]
    pub fn new(live: &Live) -> Self {
        Self(Arc::new(Mutex::new(Gate::new(live))))
    }

    /// The gate, for as long as the answer is held.
    pub fn lock(&self) -> MutexGuard<'_, Gate> {
        // Numbers only: nothing is left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_ban_stops_connections_and_requests_alike_until_it_ends() {
        let mut gate = Gate::new(&Live::UNSTATED);
        gate.ban(0, Some(120 * S));
        gate.ban(S, Some(S));
        assert_eq!((gate.connect(S), gate.fetch(S, 1)), (Err(120 * S), Err(120 * S)));
        assert_eq!((gate.connect(120 * S), gate.fetch(120 * S, 1)), (Ok(()), Ok(())));
    }

    fn broken() -> Gate {
        let mut gate = Gate::new(&Live::UNSTATED);
        for _ in 0..FAILURES_MAX {
            assert_eq!(gate.fetch(0, 1), Ok(()));
            gate.failed(0);
        }
        gate
    }

    #[test]
    fn a_probe_whose_asker_is_gone_does_not_close_the_gate_for_ever() {
        let mut gate = broken();
        assert_eq!(gate.fetch(5 * S, 1), Ok(()), "the probe");
        assert_eq!(gate.fetch(6 * S, 1), Err(5 * S + DEADLINE_NS));
        assert_eq!(gate.fetch(5 * S + DEADLINE_NS, 1), Ok(()), "another");
    }

    #[test]
    fn failures_of_what_was_asked_before_do_not_move_the_breaker() {
        let mut gate = broken();
        assert_eq!(gate.fetch(5 * S, 1), Ok(()));
        gate.failed(5 * S);
        assert_eq!(gate.fetch(6 * S, 1), Err(15 * S), "10 s after a probe that failed");
        gate.failed(7 * S);
        assert_eq!(gate.fetch(8 * S, 1), Err(15 * S));
    }

    #[test]
    fn a_hold_stops_requests_and_no_connections() {
        let mut gate = Gate::new(&Live::UNSTATED);
        gate.hold(0, i64::MAX);
        assert_eq!((gate.fetch(0, 1), gate.connect(0)), (Err(RATE_NS_MAX), Ok(())));
        gate.ban(0, Some(i64::MAX));
        assert_eq!(gate.connect(0), Err(BAN_NS_MAX), "3 days are believed");
    }

    #[test]
    fn a_server_that_fails_is_left_alone_and_then_probed_once() {
        let mut gate = Gate::new(&Live::UNSTATED);
        for _ in 0..FAILURES_MAX {
            assert_eq!(gate.fetch(0, 1), Ok(()));
            gate.failed(0);
        }
        assert_eq!(gate.fetch(0, 1), Err(OPEN_NS_MIN));
        assert_eq!(gate.fetch(OPEN_NS_MIN, 1), Ok(()), "the probe");
        assert!(gate.fetch(OPEN_NS_MIN, 1).is_err(), "and no other");
        gate.failed(6 * S);
        assert_eq!(gate.fetch(6 * S, 1), Err(16 * S), "twice as long");
        assert_eq!(gate.fetch(16 * S, 1), Ok(()));
        gate.succeeded();
        assert_eq!(gate.fetch(16 * S, 1), Ok(()));
    }
}
