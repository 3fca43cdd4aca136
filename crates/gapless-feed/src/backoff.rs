//! When to try again: full jitter, so that many who failed together do not return together.

use crate::rng::Rng;

/// Upper end of the first wait.
pub const BACKOFF_NS_MIN: i64 = 250_000_000;
/// Upper end of every later wait.
pub const BACKOFF_NS_MAX: i64 = 30_000_000_000;
/// First wait after a refusal for too many requests that names no time.
pub const RATE_NS_MIN: i64 = 60_000_000_000;
/// Longest wait after such a refusal, and longest that is believed.
pub const RATE_NS_MAX: i64 = 3_600_000_000_000;

/// Failures in a row, and the wait that follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
    refusals: u32,
}

impl Backoff {
    /// Valid data came: what failed before is forgotten. (Not when a socket opens: a venue that
    /// accepts and closes at once would be asked without end.)
    pub const fn healed(&mut self) {
        *self = Self { failures: 0, refusals: 0 };
    }

    /// Failures since the last data.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures + self.refusals
    }

    /// The wait after another failure, ns: any time up to twice the last limit.
    pub fn failed(&mut self, rng: &mut Rng) -> i64 {
        let most = BACKOFF_NS_MIN.saturating_mul(1 << self.failures.min(20)).min(BACKOFF_NS_MAX);
        self.failures = self.failures.saturating_add(1);
        rng.up_to(most)
    }

    /// The wait after a refusal for too many requests: what the venue names, else a minute,
    /// doubling; a little more, so that all who were refused do not return at once.
    pub fn refused(&mut self, named_ns: Option<i64>, rng: &mut Rng) -> i64 {
        let unnamed = RATE_NS_MIN.saturating_mul(1 << self.refusals.min(10));
        self.refusals = self.refusals.saturating_add(1);
        let wait = named_ns.unwrap_or(unnamed).clamp(0, RATE_NS_MAX);
        wait.saturating_add(rng.up_to(BACKOFF_NS_MIN.max(wait / 10)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits of many that fail for the n-th time.
    fn waits(n: u32) -> Vec<i64> {
        let mut rng = Rng::new(7);
        let wait = |_| Backoff { failures: n, refusals: 0 }.failed(&mut rng);
        (0..1_000).map(wait).collect()
    }

    #[test]
    fn waits_grow_to_their_limit_and_are_spread_at_every_attempt() {
        for n in 0..64 {
            let waits = waits(n);
            let most = (BACKOFF_NS_MIN << n.min(20)).min(BACKOFF_NS_MAX);
            let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*low < most / 20 && *high > most / 20 * 19 && *high <= most, "{n}");
        }
    }

    #[test]
    fn who_is_refused_waits_as_long_as_the_venue_says() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(1));
        let named = 7_000_000_000;
        let wait = backoff.refused(Some(named), &mut rng);
        assert!(wait >= named && wait < 2 * named);
        let unnamed = [(); 3].map(|()| backoff.refused(None, &mut rng));
        assert!(unnamed[0] >= 2 * RATE_NS_MIN && unnamed[2] >= 8 * RATE_NS_MIN);
        assert!(backoff.refused(Some(i64::MAX), &mut rng) <= RATE_NS_MAX + RATE_NS_MAX / 10);
    }

    #[test]
    fn data_ends_the_waiting() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(1));
        for _ in 0..9 {
            backoff.failed(&mut rng);
        }
        backoff.healed();
        assert!(backoff.failed(&mut rng) <= BACKOFF_NS_MIN);
    }
}
