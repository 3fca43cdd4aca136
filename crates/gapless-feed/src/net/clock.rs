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

/// The time of a feed: ns since the Unix epoch as it was when the clock was made, and from then on
/// by [`boot_ns`], so that a step of the system's clock fires no timer.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The Unix epoch, by [`boot_ns`].
    epoch_ns: i64,
}

impl Clock {
    /// A clock that is set to the system's time now.
    #[must_use]
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ns = i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX);
        Self { epoch_ns: boot_ns().saturating_sub(wall_ns) }
    }

    /// Now.
    #[inline]
    #[must_use]
    pub fn now(&self) -> i64 {
        boot_ns().saturating_sub(self.epoch_ns)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
