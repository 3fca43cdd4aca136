//! The one clock of publications: the time since the machine began, the same for every process.
//!
//! Invariant: it never steps. A wall clock that is set back would let a dead writer look alive, one
//! that is set forward would make every book stale for a moment.

use rustix::time::{ClockId, clock_gettime};

/// Now, ns since the machine began. Comparable between threads and processes of one machine.
#[inline]
#[must_use]
pub fn now_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}
