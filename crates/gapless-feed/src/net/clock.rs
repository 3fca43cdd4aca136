//! The time of this machine: one clock for timers, for what is published and for its readers, the
//! same for every process.
//!
//! Invariant: it never steps, and it goes on while the machine is suspended. A wall clock that is
//! set back would let a dead writer look alive, one that is set forward would make every book stale
//! for a moment; a clock that sleeps with the machine would show the books of before as fresh.

use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock that counts a suspended machine's time too; elsewhere the monotonic one does.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now, ns since the machine began. Comparable between threads and processes of one machine.
#[inline]
#[must_use]
pub fn boot_ns() -> i64 {
    let now = clock_gettime(CLOCK);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

/// Time between two comparisons with the system's clock, ns.
pub const COMPARE_NS: i64 = 1_000_000_000;
/// How fast the clock follows the system's: one part in so many of the time that passes.
pub const SLEW: i64 = 2_000;

/// The time of a feed: ns since the Unix epoch as it was when the clock was made, and from then on
/// by [`boot_ns`], so that a step of the system's clock fires no timer. Whoever keeps it lets it
/// follow the system's clock slowly ([`Clock::follow`]), so that its stamps come right again.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The Unix epoch, by [`boot_ns`].
    epoch_ns: i64,
    /// When it was compared last, by [`boot_ns`].
    compared_ns: i64,
    skew_ns: i64,
}

impl Clock {
    /// A clock that is set to the system's time now.
    #[must_use]
    pub fn new() -> Self {
        let boot_ns = boot_ns();
        Self { epoch_ns: boot_ns.saturating_sub(wall_ns()), compared_ns: boot_ns, skew_ns: 0 }
    }

    /// Compares with the system's clock, once a second, and follows it.
    pub fn follow(&mut self) {
        let boot_ns = boot_ns();
        if boot_ns.saturating_sub(self.compared_ns) >= COMPARE_NS {
            self.compare(boot_ns, wall_ns());
        }
    }

    fn compare(&mut self, boot_ns: i64, wall_ns: i64) {
        let most = boot_ns.saturating_sub(self.compared_ns).max(0) / SLEW;
        self.compared_ns = boot_ns;
        let ahead = boot_ns.saturating_sub(self.epoch_ns).saturating_sub(wall_ns);
        let step = ahead.clamp(most.saturating_neg(), most);
        self.epoch_ns = self.epoch_ns.saturating_add(step);
        self.skew_ns = ahead.saturating_sub(step);
    }

    /// How far it is ahead of the system's clock, ns, as it was compared last.
    #[must_use]
    pub const fn skew_ns(&self) -> i64 {
        self.skew_ns
    }

    /// Now.
    #[inline]
    #[must_use]
    pub fn now(&self) -> i64 {
        boot_ns().saturating_sub(self.epoch_ns)
    }
}

fn wall_ns() -> i64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX)
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_step_of_the_system_s_clock_is_followed_without_one_of_ours() {
        for step in [30 * S, -30 * S] {
            let mut clock = Clock { epoch_ns: -1_000 * S, compared_ns: 0, skew_ns: 0 };
            let (mut boot, mut last) = (0, 1_000 * S);
            for _ in 0..70_000 {
                boot += S;
                clock.compare(boot, boot + 1_000 * S + step);
                let now = boot - clock.epoch_ns;
                assert!((now - last - S).abs() <= S / SLEW);
                last = now;
            }
            assert_eq!((last, clock.skew_ns()), (boot + 1_000 * S + step, 0));
        }
    }
}
