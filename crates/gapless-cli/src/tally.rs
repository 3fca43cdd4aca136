//! Counts what a replay sees and stamps its stages.

use gapless::book::event::{Event, EventKind};
use gapless::book::local::{Counters, Outcome, Reason, Transition};
use gapless::latency::Stopwatch;
use gapless::replay::driver::{LineId, Watcher};
use gapless::replay::error::printable;
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
    /// What was received before `--from` is read but not counted.
    counting: bool,
    /// Place of what is being read: input and line.
    place: (usize, u64),
    line: LineId,
    /// What was doubtful of each book of each connection when it was last looked at.
    doubts: Vec<Vec<[u64; DOUBTS.len()]>>,
}

/// What makes a book doubtful.
const DOUBTS: [&str; 6] =
    ["gaps", "crossed", "refused", "bad checksums", "steps back", "levels unlike a later snapshot"];
/// The place of refusals among them.
const REFUSED: usize = 2;

const fn counts(of: &Counters) -> [u64; DOUBTS.len()] {
    [of.gaps, of.crossed, of.rejects, of.checksum_bad, of.backwards, of.audit_differences]
}

fn words(counts: &[u64; DOUBTS.len()]) -> String {
    let told = DOUBTS.iter().zip(counts).filter(|(_, count)| **count > 0);
    told.map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// What was doubtful of a book, in words; empty if nothing was.
pub fn doubts(counters: &Counters) -> String {
    words(&counts(counters))
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
            doubts: Vec::new(),
        }
    }

    /// What was found in a book since it was last looked at.
    fn new_doubts(&mut self, id: BookId, counters: &Counters) -> [u64; DOUBTS.len()] {
        let (line, book) = (self.line.0 as usize, id.0 as usize);
        if self.doubts.len() <= line {
            self.doubts.resize_with(line + 1, Vec::new);
        }
        let of_line = &mut self.doubts[line];
        if of_line.len() <= book {
            of_line.resize(book + 1, [0; DOUBTS.len()]);
        }
        let now = counts(counters);
        let before = std::mem::replace(&mut of_line[book], now);
        std::array::from_fn(|at| now[at].saturating_sub(before[at]))
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

    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        let mut new = self.new_doubts(id, book.local.counters());
        // What is refused is told by itself.
        new[REFUSED] = 0;
        let what = match outcome.transition {
            // Neither the end of a connection nor silence says that anything was lost.
            Transition::Invalidated(Reason::Disconnected | Reason::Silent) | Transition::None
                if new == [0; DOUBTS.len()] =>
            {
                return;
            }
            Transition::Invalidated(reason) => reason.name().to_owned(),
            _ if new == [0; DOUBTS.len()] => return,
            // Found in a book that was not live, or that stays live.
            _ => words(&new),
        };
        if !self.counting {
            return;
        }
        let seq = book.local.last_live().and_then(|(_, seq)| seq);
        self.find(|| {
            let after = seq.map_or(String::new(), |seq| format!(" after {seq}"));
            let (channel, symbol) = (printable(&book.channel), printable(&book.symbol));
            format!("{channel} {symbol}: {what}{after}")
        });
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        if !self.counting {
            return;
        }
        *self.rejects.entry(reject.error.kind.name()).or_default() += 1;
        self.find(|| {
            let whose = if reject.symbol.is_empty() { "unreadable frame" } else { reject.symbol };
            format!("{}: refused: {}", printable(whose), reject.error)
        });
    }

    fn off_grid(&mut self, _: BookId, book: &BookEntry, error: &GridError) {
        self.off_grid += u64::from(self.counting);
        if self.counting && self.first_off_grid.is_none() {
            let name = printable(&format!("{} {}", book.channel, book.symbol));
            self.first_off_grid = Some(format!("{name}: {error}"));
        }
    }

    fn unattributed(&mut self, _: &Event<'_>) {
        self.unattributed += u64::from(self.counting);
    }

    #[inline]
    fn stage(&mut self, stage: Stage) {
        if self.counting {
            self.stopwatch.stage(stage);
        }
    }
}

impl Watcher for Tally {
    #[inline]
    fn place(&mut self, input: usize, line: u64, counts: bool) {
        self.place = (input, line);
        self.counting = counts;
    }

    #[inline]
    fn line(&mut self, line: LineId) {
        self.line = line;
        self.stopwatch.start();
    }
}
