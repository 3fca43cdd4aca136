//! Latency of an engine's messages, leg by leg, from the whole frame to its publication.
//!
//! Invariant: recording allocates nothing and waits for nobody. Who asks brings empty records, and
//! the thread that applies books exchanges them for the full ones between two frames.

use super::histogram;
use gapless_book::event::NO_TIME;
use gapless_venues::session::Stage;
use hdrhistogram::Histogram;
use quanta::Clock;

/// A part of the way of a message through an engine, timed by one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// From the time at which a recording's frame was due to the frame; paced sources only.
    Late,
    /// From the frame, whole, to the event.
    Parse,
    /// From the event to the sequencer's verdict.
    Sequence,
    /// From the verdict to the finished book.
    Apply,
    /// From the finished book to its publication, with what subscribers are told.
    Publish,
    /// From the frame to its publication.
    Whole,
    /// From the time at which the frame was due to its publication: [`Leg::Whole`] corrected for
    /// coordinated omission. A frame that waits behind a slow one is charged for the wait. Paced
    /// sources only.
    FromDue,
}

impl Leg {
    /// Every leg in the order of the way.
    pub const ALL: [Self; 7] = [
        Self::Late,
        Self::Parse,
        Self::Sequence,
        Self::Apply,
        Self::Publish,
        Self::Whole,
        Self::FromDue,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Parse => "parse",
            Self::Sequence => "sequence",
            Self::Apply => "apply",
            Self::Publish => "publish",
            Self::Whole => "whole",
            Self::FromDue => "from_due",
        }
    }
}

/// Times between two clocks, which may be negative.
#[derive(Clone, Debug)]
pub struct Signed {
    above: Histogram<u64>,
    below: Histogram<u64>,
}

impl Signed {
    pub(super) fn new() -> Self {
        Self { above: histogram(), below: histogram() }
    }

    pub(super) fn record(&mut self, ns: i64) {
        let side = if ns < 0 { &mut self.below } else { &mut self.above };
        side.saturating_record(ns.unsigned_abs());
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Of the same bounds, so that nothing can be refused.
        let _ = self.above.add(&other.above);
        let _ = self.below.add(&other.below);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.above.len() + self.below.len()
    }

    /// How many are negative: one clock was behind the other by more than the message took.
    #[must_use]
    pub fn negative(&self) -> u64 {
        self.below.len()
    }

    /// The time at a quantile, 0..=1, ns; 0 if there are none.
    #[must_use]
    pub fn value_at_quantile(&self, quantile: f64) -> i64 {
        let rank = (quantile.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0);
        let below = self.below.len() as f64;
        let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        if rank <= below {
            return -signed(self.below.value_at_quantile((below - rank + 1.0) / below));
        }
        let above = (self.above.len() as f64).max(1.0);
        signed(self.above.value_at_quantile((rank - below) / above))
    }
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Records {
    legs: [Histogram<u64>; Leg::ALL.len()],
    venue: Signed,
    overhead_ns: u64,
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl Records {
    /// Nothing yet; some 2 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self { legs: Leg::ALL.map(|_| histogram()), venue: Signed::new(), overhead_ns: 0 }
    }

    /// The times of a leg, ns.
    #[must_use]
    pub const fn leg(&self, leg: Leg) -> &Histogram<u64> {
        &self.legs[leg as usize]
    }

    /// The time of a leg at a quantile, 0..=1, ns; 0 if there are none.
    #[must_use]
    pub fn value_at_quantile(&self, leg: Leg, quantile: f64) -> i64 {
        let ns = self.leg(leg).value_at_quantile(quantile.clamp(0.0, 1.0));
        i64::try_from(ns).unwrap_or(i64::MAX)
    }

    /// From the venue's time of a message to the time of its receipt. The venue's clock is not
    /// ours: times are signed, and differ from the truth by the difference of the clocks.
    #[must_use]
    pub const fn venue(&self) -> &Signed {
        &self.venue
    }

    /// Whether [`Leg::FromDue`] says what coordinated omission would hide. At full speed nothing is
    /// due: all times are service times then.
    #[must_use]
    pub fn is_corrected(&self) -> bool {
        !self.leg(Leg::FromDue).is_empty()
    }

    /// What recording adds to each message, ns: measured when it was switched on.
    #[must_use]
    pub const fn overhead_ns(&self) -> u64 {
        self.overhead_ns
    }

    /// Adds what another thread or an earlier time recorded.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.legs.iter_mut().zip(&other.legs) {
            // Of the same bounds, so that nothing can be refused.
            let _ = ours.add(theirs);
        }
        self.venue.add(&other.venue);
        self.overhead_ns = self.overhead_ns.max(other.overhead_ns);
    }
}

const STAGES: [Stage; 3] = [Stage::Parsed, Stage::Sequenced, Stage::Applied];

/// Stamps one message after the other on the thread that applies them.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Clock,
    begun: u64,
    parsed: u64,
    sequenced: u64,
    applied: u64,
    /// How long after its time the frame came; `None` if it had none.
    late_ns: Option<u64>,
    records: Box<Records>,
}

impl Recorder {
    /// A recorder; its own cost is measured, which takes some 100 µs.
    pub fn new(records: Box<Records>) -> Self {
        let clock = Clock::new();
        let now = clock.raw();
        let (begun, parsed, sequenced, applied) = (now, now, now, now);
        let mut one = Self { clock, begun, parsed, sequenced, applied, late_ns: None, records };
        one.measure_itself();
        one
    }

    fn measure_itself(&mut self) {
        const MESSAGES: u64 = 1_000;
        let mut kept = std::mem::take(&mut self.records);
        let from = self.clock.raw();
        for _ in 0..MESSAGES {
            self.begin(Some(0));
            for stage in STAGES {
                self.stage(stage);
            }
            self.published(NO_TIME, NO_TIME);
        }
        let took_ns = self.clock.delta_as_nanos(from, self.clock.raw());
        kept.overhead_ns = took_ns / MESSAGES;
        self.records = kept;
    }

    /// The frame is here, whole.
    #[inline]
    pub fn begin(&mut self, late_ns: Option<u64>) {
        self.late_ns = late_ns;
        self.begun = self.clock.raw();
    }

    /// The message has reached a stage.
    #[inline]
    pub fn stage(&mut self, stage: Stage) {
        let now = self.clock.raw();
        match stage {
            Stage::Parsed => (self.parsed, self.sequenced) = (now, now),
            Stage::Sequenced => self.sequenced = now,
            Stage::Applied => self.applied = now,
        }
    }

    /// The book is published.
    #[inline]
    pub fn published(&mut self, venue_ns: i64, recv_ns: i64) {
        let now = self.clock.raw();
        if venue_ns != NO_TIME && recv_ns != NO_TIME {
            self.records.venue.record(recv_ns.saturating_sub(venue_ns));
        }
        let ends = [
            (Leg::Parse, self.begun, self.parsed),
            (Leg::Sequence, self.parsed, self.sequenced),
            (Leg::Apply, self.sequenced, self.applied),
            (Leg::Publish, self.applied, now),
            (Leg::Whole, self.begun, now),
        ];
        for (leg, from, to) in ends {
            let ns = self.clock.delta_as_nanos(from, to);
            self.records.legs[leg as usize].saturating_record(ns);
        }
        if let Some(late_ns) = self.late_ns {
            let whole_ns = self.clock.delta_as_nanos(self.begun, now);
            self.records.legs[Leg::Late as usize].saturating_record(late_ns);
            self.records.legs[Leg::FromDue as usize].saturating_record(late_ns + whole_ns);
        }
    }

    /// Gives what was recorded for empty records.
    pub fn exchange(&mut self, mut empty: Box<Records>) -> Box<Records> {
        empty.overhead_ns = self.records.overhead_ns;
        std::mem::replace(&mut self.records, empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_between_two_clocks_keep_their_sign() {
        let mut times = Signed::new();
        assert_eq!(times.value_at_quantile(0.5), 0);
        (-50..50).for_each(|ns| times.record(ns));
        assert_eq!((times.count(), times.negative()), (100, 50));
        assert_eq!(times.value_at_quantile(0.0), -50);
        assert_eq!(times.value_at_quantile(0.01), -50);
        assert_eq!(times.value_at_quantile(0.5), -1);
        assert_eq!(times.value_at_quantile(0.51), 0);
        assert_eq!(times.value_at_quantile(1.0), 49);
    }

    #[test]
    fn a_wait_is_charged_to_the_frame_that_waited() {
        let mut recorder = Recorder::new(Box::default());
        recorder.begin(Some(1_000_000));
        STAGES.into_iter().for_each(|stage| recorder.stage(stage));
        recorder.published(5, 3);
        let records = recorder.exchange(Box::default());
        assert!(records.is_corrected() && records.overhead_ns() > 0);
        assert!(records.leg(Leg::FromDue).min() >= 999_000);
        assert!(records.leg(Leg::Whole).max() < 1_000_000_000);
        assert_eq!(records.venue().value_at_quantile(1.0), -2);
        assert_eq!(Leg::ALL.map(|leg| records.leg(leg).len()), [1; 7], "its own cost is not in it");
        recorder.begin(None);
        recorder.published(NO_TIME, 3);
        let mut records = recorder.exchange(Box::default());
        assert!(!records.is_corrected());
        assert_eq!((records.venue().count(), records.leg(Leg::Whole).len()), (0, 1));
        records.add(&records.clone());
        assert_eq!(records.leg(Leg::Whole).len(), 2);
    }
}
