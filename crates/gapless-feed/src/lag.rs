//! How much later than usual a connection's messages come.
//!
//! The venue's clock and ours differ by what nobody knows, so a message's age is its receive time
//! less its stamp, less the least that this ever was. What waits in a socket's buffer, because the
//! network or this thread is slow, is in sequence and uncrossed: only its age tells.

/// How fast two clocks may part, or ours be put right: that much of the time that passes is no
/// lateness (a thousandth).
const DRIFT: i64 = 1_000;
/// Messages in a row that are late before it is believed, and on time before that is: one stamp
/// may be of before.
const RUN: u32 = 4;

/// See the module's page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lag {
    /// The least difference; `i64::MAX`: none is known.
    least_ns: i64,
    seen_ns: i64,
    last_ns: i64,
    /// Messages in a row that contradict `is_late`.
    run: u32,
    is_late: bool,
}

impl Lag {
    pub const NONE: Self =
        Self { least_ns: i64::MAX, seen_ns: 0, last_ns: 0, run: 0, is_late: false };

    /// A message of that stamp was received now; more than `limit` is late, half of it is not.
    #[inline]
    pub const fn note(&mut self, now: i64, stamp: i64, limit: i64) {
        let difference = now.saturating_sub(stamp);
        let passed = now.saturating_sub(self.seen_ns) / DRIFT;
        let least = if self.least_ns == i64::MAX {
            difference
        } else {
            self.least_ns.saturating_add(passed)
        };
        self.least_ns = if difference < least { difference } else { least };
        self.seen_ns = now;
        self.last_ns = difference.saturating_sub(self.least_ns);
        let differs = if self.is_late { self.last_ns <= limit / 2 } else { self.last_ns > limit };
        self.run = if differs { self.run + 1 } else { 0 };
        if self.run >= RUN {
            self.is_late = !self.is_late;
            self.run = 0;
        }
    }

    pub const fn is_late(&self) -> bool {
        self.is_late
    }

    /// How much later than usual the last message came, ns.
    pub const fn last_ns(&self) -> i64 {
        self.last_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    /// Messages a tenth of a second apart, each so late.
    fn fed(lag: &mut Lag, now: &mut i64, late: i64, count: i64) {
        for _ in 0..count {
            *now += S / 10;
            lag.note(*now, *now - 3_600 * S - late, 2 * S);
        }
    }

    #[test]
    fn clocks_that_differ_are_not_late_and_a_backlog_is_until_it_is_read() {
        let (mut lag, mut now) = (Lag::NONE, 1_000 * S);
        fed(&mut lag, &mut now, 0, 50);
        assert!(!lag.is_late());
        fed(&mut lag, &mut now, 3 * S, 3);
        assert!(!lag.is_late(), "a few stamps may be of before");
        fed(&mut lag, &mut now, 0, 1);
        fed(&mut lag, &mut now, 3 * S, 4);
        assert!(lag.is_late() && (lag.last_ns() - 3 * S).abs() < S / 10);
        // No flapping around the limit.
        for late in [2, 1, 2] {
            fed(&mut lag, &mut now, late * S + S / 10, 10);
            assert!(lag.is_late());
        }
        fed(&mut lag, &mut now, S / 2, 4);
        assert!(!lag.is_late());
        fed(&mut lag, &mut now, 3 * S / 2, 50);
        assert!(!lag.is_late());
    }

    #[test]
    fn clocks_that_part_slowly_are_not_late() {
        let (mut lag, mut now) = (Lag::NONE, 0);
        for second in 0..100_000 {
            now += S;
            lag.note(now, now - second * (S / 2_000), 2 * S);
            assert!(!lag.is_late());
        }
    }
}
