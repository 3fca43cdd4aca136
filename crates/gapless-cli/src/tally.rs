//! Counts what a replay sees and stamps its stages.

use gapless::book::event::{Event, EventKind};
use gapless::book::local::{Outcome, Reason, Transition};
use gapless::latency::Stopwatch;
use gapless::replay::driver::{LineId, Watcher};
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::instruments::GridError;
use gapless::venues::session::{Handler, Stage};
use gapless::venues::wire::Reject;
use std::collections::BTreeMap;

/// Most findings of `verify` that are kept with their place.
pub const FINDINGS_MAX: usize = 1000;

/// Counters of a replay.
#[derive(Debug)]
pub struct Tally {
    /// Events by kind, in the order of [`EventKind::ALL`].
    pub events: [u64; EventKind::ALL.len()],
    /// Refusals by reason.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Messages whose book could not be told.
    pub unattributed: u64,
    /// Prices and sizes between the steps of their instruments.
    pub off_grid: u64,
    /// The first of them, and whose it is.
    pub first_off_grid: Option<String>,
    /// Latency of book messages.
    pub stopwatch: Stopwatch,
    /// What `verify` reports.
    pub findings: Vec<Finding>,
    /// Findings beyond [`FINDINGS_MAX`].
    pub findings_dropped: u64,
    /// Items before `--from` are read but not counted.
    pub counting: bool,
    /// Place of the item being read: input and line.
    pub place: (usize, u64),
    line: LineId,
}

/// Something that a careful reader wants to know, with its place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Index of the input.
    pub input: usize,
    /// Line in it.
    pub line: u64,
    /// What it is.
    pub what: String,
}

impl Tally {
    /// Nothing counted.
    pub fn new() -> Self {
        Self {
            events: [0; EventKind::ALL.len()],
            rejects: BTreeMap::new(),
            unattributed: 0,
            off_grid: 0,
            first_off_grid: None,
            stopwatch: Stopwatch::new(),
            findings: Vec::new(),
            findings_dropped: 0,
            counting: true,
            place: (0, 0),
            line: LineId(0),
        }
    }

    fn find(&mut self, what: impl FnOnce() -> String) {
        if self.findings.len() >= FINDINGS_MAX {
            self.findings_dropped += 1;
            return;
        }
        let (input, line) = self.place;
        self.findings.push(Finding { input, line, what: what() });
    }
}

impl Handler for Tally {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.events[event.kind() as usize] += u64::from(self.counting);
    }

    fn book(&mut self, _: BookId, book: &BookEntry, outcome: &Outcome) {
        let Transition::Invalidated(reason) = outcome.transition else { return };
        if self.counting && reason != Reason::Disconnected {
            let seq = book.local.last_live().and_then(|(_, seq)| seq);
            self.find(|| {
                let after = seq.map_or(String::new(), |seq| format!(" after {seq}"));
                format!("{} {}: {}{after}", book.channel, book.symbol, reason.name())
            });
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        if !self.counting {
            return;
        }
        *self.rejects.entry(reject.error.kind.name()).or_default() += 1;
        self.find(|| {
            let whose = if reject.symbol.is_empty() { "unreadable frame" } else { reject.symbol };
            format!("{whose}: refused: {}", reject.error)
        });
    }

    fn off_grid(&mut self, _: BookId, book: &BookEntry, error: &GridError) {
        self.off_grid += u64::from(self.counting);
        if self.counting && self.first_off_grid.is_none() {
            self.first_off_grid = Some(format!("{} {}: {error}", book.channel, book.symbol));
        }
    }

    fn unattributed(&mut self, _: &Event<'_>) {
        self.unattributed += u64::from(self.counting);
    }

    #[inline]
    fn stage(&mut self, stage: Stage) {
        self.stopwatch.stage(stage);
    }
}

impl Watcher for Tally {
    #[inline]
    fn line(&mut self, line: LineId) {
        self.line = line;
        self.stopwatch.start();
    }
}
