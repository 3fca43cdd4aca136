//! How long each stage of a book message takes.
//!
//! Recording costs four reads of the processor's counter a message and never allocates. At full
//! speed nothing waits for a message, so there is no coordinated omission to correct: the figures
//! are service times, and are said to be. A paced source knows when a frame was due, and
//! [`Leg::FromDue`] counts from there.

mod legs;
mod probe;
mod report;

use gapless_venues::session::Stage;
use hdrhistogram::Histogram;
pub(crate) use legs::Recorder;
pub use legs::{Leg, Records, Signed};
pub use probe::Probe;
use quanta::Clock;
pub use report::{QUANTILES, Report};

/// Largest time recorded, ns; longer ones are counted as this.
pub const NS_MAX: u64 = 60_000_000_000;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// From the frame to the event.
    Parse,
    /// From the event to the sequencer's verdict.
    Sequence,
    /// From the verdict to the finished book.
    Apply,
    /// From the frame to the finished book.
    Total,
}

impl Span {
    /// Every span in the order of the way.
    pub const ALL: [Self; 4] = [Self::Parse, Self::Sequence, Self::Apply, Self::Total];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Sequence => "sequence",
            Self::Apply => "apply",
            Self::Total => "total",
        }
    }
}

/// Stamps one message after the other and records the distances.
#[derive(Debug)]
pub struct Stopwatch {
    clock: Clock,
    start: u64,
    parsed: u64,
    sequenced: u64,
    spans: [Histogram<u64>; 4],
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

impl Stopwatch {
    /// A stopwatch with empty records. Calibrating the clock takes a moment.
    #[must_use]
    pub fn new() -> Self {
        let clock = Clock::new();
        let now = clock.raw();
        let spans = [(); 4].map(|()| histogram());
        Self { clock, start: now, parsed: now, sequenced: now, spans }
    }

    /// The frame is here, whole.
    #[inline]
    pub fn start(&mut self) {
        self.start = self.clock.raw();
    }

    /// The message has reached a stage.
    #[inline]
    pub fn stage(&mut self, stage: Stage) {
        let now = self.clock.raw();
        match stage {
            Stage::Parsed => {
                self.parsed = now;
                self.sequenced = now;
            }
            Stage::Sequenced => self.sequenced = now,
            Stage::Applied => {
                let ends = [
                    (self.start, self.parsed),
                    (self.parsed, self.sequenced),
                    (self.sequenced, now),
                    (self.start, now),
                ];
                for (span, (from, to)) in self.spans.iter_mut().zip(ends) {
                    span.saturating_record(self.clock.delta_as_nanos(from, to));
                }
            }
        }
    }

    /// The records of a span, ns.
    #[must_use]
    pub const fn span(&self, span: Span) -> &Histogram<u64> {
        &self.spans[span as usize]
    }

    /// What reading the clock itself costs, ns: the median of many readings.
    #[must_use]
    pub fn overhead_ns(&self) -> u64 {
        let mut costs = [0u64; 101];
        for cost in &mut costs {
            let (from, to) = (self.clock.raw(), self.clock.raw());
            *cost = self.clock.delta_as_nanos(from, to);
        }
        costs.sort_unstable();
        costs[costs.len() / 2]
    }
}

/// Three digits over the whole range: some 200 KiB, allocated once.
fn histogram() -> Histogram<u64> {
    // The bounds are constants of this file, so this cannot fail; a histogram that grows by itself
    // would be right as well.
    Histogram::new_with_bounds(1, NS_MAX, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds are valid"))
}
