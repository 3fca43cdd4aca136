//! When a record is due.
//!
//! A replay runs at a multiple of the recorded time. The pacer only computes: offsets since the
//! start of the replay, never rising above what the recording says and never falling. Clock and
//! sleep are the caller's, so a slow consumer makes up for lost time by itself and tests need no
//! clock.

use std::time::Duration;

use gapless_book::event::NO_TIME;

/// How fast recorded time passes.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Speed {
    /// No waiting.
    #[default]
    Max,
    /// So many recorded seconds per second.
    Factor(f64),
}

impl Speed {
    /// Slowest and fastest factor.
    pub const RANGE: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

    /// Reads `max` or a factor within [`Speed::RANGE`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "max" {
            return Some(Self::Max);
        }
        let factor = text.parse::<f64>().ok()?;
        Self::RANGE.contains(&factor).then_some(Self::Factor(factor))
    }
}

/// Paces one replay.
#[derive(Clone, Debug)]
pub struct Pacer {
    speed: Speed,
    first_ns: Option<i64>,
    due: Duration,
}

impl Pacer {
    /// A pacer whose clock starts with the first record.
    #[must_use]
    pub fn new(speed: Speed) -> Self {
        Self { speed, first_ns: None, due: Duration::ZERO }
    }

    /// A pacer whose clock starts with a record received at `first_ns`, whoever reads that one.
    #[must_use]
    pub fn since(speed: Speed, first_ns: i64) -> Self {
        Self { speed, first_ns: Some(first_ns), due: Duration::ZERO }
    }

    /// Calls `wait_until` with the time since the start of the replay at which a record received
    /// at `recv_ns` is due. It is not called at [`Speed::Max`] nor for a record without a time.
    pub fn pace(&mut self, recv_ns: i64, wait_until: impl FnOnce(Duration)) {
        let Speed::Factor(factor) = self.speed else { return };
        if recv_ns == NO_TIME {
            return;
        }
        let first = *self.first_ns.get_or_insert(recv_ns);
        let recorded = u64::try_from(recv_ns.saturating_sub(first)).unwrap_or(0);
        let seconds = Duration::from_nanos(recorded).as_secs_f64() / factor;
        // A step back in recorded time is due at once, and what follows is not late for it.
        self.due = self.due.max(Duration::try_from_secs_f64(seconds).unwrap_or(self.due));
        wait_until(self.due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(pacer: &mut Pacer, recv_ns: i64) -> Option<Duration> {
        let mut asked = None;
        pacer.pace(recv_ns, |offset| asked = Some(offset));
        asked
    }

    #[test]
    fn recorded_time_is_divided_by_the_factor_and_never_goes_back() {
        let mut pacer = Pacer::new(Speed::Factor(2.0));
        assert_eq!(due(&mut pacer, 5_000_000_000), Some(Duration::ZERO));
        assert_eq!(due(&mut pacer, 6_000_000_000), Some(Duration::from_millis(500)));
        assert_eq!(due(&mut pacer, 4_000_000_000), Some(Duration::from_millis(500)));
        assert_eq!(due(&mut pacer, NO_TIME), None);
        assert_eq!(due(&mut pacer, 9_000_000_000), Some(Duration::from_secs(2)));
    }

    #[test]
    fn at_full_speed_nothing_waits() {
        assert_eq!(due(&mut Pacer::new(Speed::Max), 1), None);
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let mut pacer = Pacer::new(Speed::Factor(1e-3));
        assert_eq!(due(&mut pacer, i64::MIN + 1), Some(Duration::ZERO));
        assert!(due(&mut pacer, i64::MAX).unwrap() > Duration::from_secs(1_000_000_000));
    }

    #[test]
    fn a_speed_is_max_or_a_sane_factor() {
        assert_eq!(Speed::parse("max"), Some(Speed::Max));
        assert_eq!(Speed::parse("2.5"), Some(Speed::Factor(2.5)));
        for text in ["", "0", "-1", "NaN", "inf", "1e9", "fast"] {
            assert_eq!(Speed::parse(text), None, "{text}");
        }
    }
}
