//! Several lines of one book: two sockets, two addresses, the exchange and a relay.
//!
//! ```text
//! line 0 ─┐ numbered: first wins, holes are filled, late ones are compared ─┐
//! line 1 ─┤                                                                 ├─► one LocalBook
//! line 2 ─┘ unnumbered: one line is followed, the others stand by ──────────┘
//! ```
//!
//! Where a venue numbers its messages the lines are merged: of each message the first to come is
//! passed on, so that the book sees one line without holes as long as the lines together have
//! none. What is ahead of a hole waits, bounded in messages and in time, while another line that is
//! in step may still bring what is missing; when none can, it is passed on and the sequencer of
//! the book sees the loss. Where messages have no numbers one line is followed, by health and in
//! order of preference, and the others keep a book each that takes over.
//!
//! Invariant: the book is given nothing out of order that a line could still put in order, and
//! nothing twice; whether it is live is decided by its own sequencer alone.

mod lateness;
mod merge;
mod passed;
mod standby;

pub use lateness::Lateness;
pub use passed::PASSED_MAX;

use crate::book::Observer;
use crate::event::{BookKind, BookMessage, Flags, NO_TIME, Times};
use crate::held::Held;
use crate::local::{Demand, LocalBook, Outcome, Reason, Transition};
use crate::sequence::{Bridge, Chain, Verdict};
use alloc::boxed::Box;
use alloc::vec::Vec;
use passed::Passed;

/// A line among those of its source. Where lines cannot be merged the lowest is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineNo(pub u32);

/// Most lines of one book that are kept apart; a further one takes the place of one that is down.
pub const LINES_MAX: usize = 16;
/// Most messages of one line that wait for another line.
pub const WAITING_MAX: usize = 1024;

/// How long lines are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePolicy {
    /// What is ahead of a hole waits so long for another line, ns; then it is a gap.
    pub wait_ns: i64,
    /// A line without numbers that was silent for longer is left if another one is not, ns.
    pub silence_ns: i64,
    /// A preferred line without numbers that was well for so long is gone back to, ns.
    pub return_ns: i64,
}

impl Default for LinePolicy {
    fn default() -> Self {
        Self { wait_ns: 200_000_000, silence_ns: 5_000_000_000, return_ns: 30_000_000_000 }
    }
}

/// What one line has done for a book.
#[derive(Clone, Debug, Default)]
pub struct LineStats {
    /// Messages that it was the first to bring.
    pub wins: u64,
    /// Messages that another line had brought before.
    pub late: u64,
    /// Messages that it brought and another line, which went on after them, did not.
    pub holes_filled: u64,
    /// Messages that it did not bring and another line did.
    pub missed: u64,
    /// Messages with the number of another line's and other content.
    pub disagreements: u64,
    /// Snapshots that were compared with the book, or were older, and were not needed.
    pub snapshots_checked: u64,
    /// Times that it was left, or gone back to, where lines cannot be merged.
    pub failovers: u64,
    /// Messages that could not be read.
    pub rejects: u64,
    /// How late it was where it was late.
    pub lateness: Lateness,
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'m> {
    /// The line that brought it.
    pub line: LineNo,
    /// What it says.
    pub message: &'m BookMessage<'m>,
    /// Its marks.
    pub flags: Flags,
    /// Its stamps.
    pub times: &'m Times,
}

/// Two lines said different things under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The number.
    pub seq: i64,
    /// The line that was first, and whose message stands.
    pub first: LineNo,
    /// The line that came later.
    pub second: LineNo,
}

/// One line as a book sees it.
#[derive(Clone, Debug)]
struct Line {
    no: LineNo,
    /// It is connected, as far as it was told.
    open: bool,
    /// It has shown this book since its connection began.
    up: bool,
    /// It has shown, since then, something that the merged stream passed: its numbers are of the
    /// same count, and it goes where the book goes.
    tied: bool,
    /// It has not followed the merged stream to a lower number; it may be of another count.
    suspect: bool,
    /// Last id that it showed, and whether that is lower than the one before.
    position: i64,
    went_back: bool,
    /// Number, among the messages passed on, of the one that it shows next.
    cursor: u64,
    /// How many messages were passed on when it lost one for a reason outside of the numbers.
    lost_at: Option<u64>,
    /// Messages ahead of a hole.
    waiting: Held,
    last_recv_ns: i64,
    /// Since when it was never silent for too long.
    well_since_ns: i64,
    /// Its own book, while another line is followed.
    standby: Option<Box<LocalBook>>,
    stats: LineStats,
}

impl Line {
    fn new(no: LineNo) -> Self {
        Self {
            no,
            open: false,
            up: false,
            tied: false,
            suspect: false,
            position: i64::MIN,
            went_back: false,
            cursor: 0,
            lost_at: None,
            waiting: Held::default(),
            last_recv_ns: NO_TIME,
            well_since_ns: NO_TIME,
            standby: None,
            stats: LineStats::default(),
        }
    }

    /// Its connection ended. What it brought and what waits stays: it was shown all the same.
    fn down(&mut self) {
        let waiting = core::mem::take(&mut self.waiting);
        let stats = core::mem::take(&mut self.stats);
        *self = Self { waiting, stats, ..Self::new(self.no) };
    }
}

/// The lines of one book.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    policy: LinePolicy,
    lines: Vec<Line>,
    /// Id of the last message that was passed on.
    tip: Option<i64>,
    passed: Passed,
    /// How many messages were passed on when the count last began lower.
    lowered_at: u64,
    /// Messages that wait, of all lines.
    waiting: usize,
    /// The line that is followed where lines cannot be merged.
    followed: Option<LineNo>,
    disagreement: Option<Disagreement>,
}

impl Lines {
    /// No line yet.
    #[must_use]
    pub fn new(policy: LinePolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// What each line has done, in the order in which they appeared.
    pub fn stats(&self) -> impl Iterator<Item = (LineNo, &LineStats)> {
        self.lines.iter().map(|line| (line.no, &line.stats))
    }

    /// Lines that have shown this book since they connected.
    #[must_use]
    pub fn up(&self) -> usize {
        self.lines.iter().filter(|line| line.up).count()
    }

    /// Whether a line has shown this book since it connected.
    #[must_use]
    pub fn is_up(&self, line: LineNo) -> bool {
        self.lines.iter().any(|l| l.no == line && l.up)
    }

    /// Messages that wait for another line.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The line that is followed, where lines cannot be merged.
    #[must_use]
    pub const fn followed(&self) -> Option<LineNo> {
        self.followed
    }

    /// The latest disagreement that was not taken yet.
    pub const fn take_disagreement(&mut self) -> Option<Disagreement> {
        self.disagreement.take()
    }

    /// Takes a message of a line's stream; the book is given what is due.
    #[inline]
    pub fn message<O: Observer>(
        &mut self,
        book: &mut LocalBook,
        arrival: &Arrival<'_>,
        observer: &mut O,
    ) -> Outcome {
        let Arrival { line, message, flags, times } = *arrival;
        let Some(at) = self.slot(line) else {
            // More lines than are kept apart: this one adds nothing that the others do not bring.
            return nothing(Verdict::Ignore);
        };
        let mut lane = Lane { lines: self, book, observer, outcome: None };
        lane.overdue(times.recv_ns);
        if is_merged(lane.book, message) {
            lane.numbered(at, message, flags, times);
        } else {
            lane.unnumbered(at, message, flags, times);
        }
        lane.outcome.unwrap_or(nothing(Verdict::Stale))
    }

    /// A line has connected anew: it may bring what is missing before it has shown anything.
    pub fn connect(&mut self, line: LineNo) {
        if let Some(line) = self.lines.iter_mut().find(|l| l.no == line) {
            line.open = true;
        }
    }

    /// A line's connection ended. The book goes on if another line is in step with it.
    pub fn disconnect<O: Observer>(
        &mut self,
        book: &mut LocalBook,
        line: LineNo,
        observer: &mut O,
    ) -> Outcome {
        let Some(at) = self.lines.iter().position(|l| l.no == line && l.up) else {
            return nothing(Verdict::Stale);
        };
        let mut lane = Lane { lines: self, book, observer, outcome: None };
        lane.disconnected(at);
        lane.outcome.unwrap_or(nothing(Verdict::Stale))
    }

    /// A message of a line could not be read, or may have been lost for a reason outside of the
    /// numbers. The book is told when the same has happened to every line since it last went on.
    pub fn lost<O: Observer>(
        &mut self,
        book: &mut LocalBook,
        line: LineNo,
        loss: Loss,
        observer: &mut O,
    ) -> Outcome {
        let at = self.lines.iter().position(|l| l.no == line && l.up);
        let mut lane = Lane { lines: self, book, observer, outcome: None };
        match at {
            Some(at) => lane.lost(at, loss),
            None if lane.lines.up() == 0 => lane.lose(loss),
            None => {}
        }
        lane.outcome.unwrap_or(nothing(Verdict::Stale))
    }

    /// Tells the time: what has waited too long waits no more, and a silent line is left.
    pub fn tick<O: Observer>(
        &mut self,
        book: &mut LocalBook,
        now_ns: i64,
        observer: &mut O,
    ) -> Outcome {
        let mut lane = Lane { lines: self, book, observer, outcome: None };
        lane.overdue(now_ns);
        lane.choose(now_ns);
        lane.outcome.unwrap_or(nothing(Verdict::Heartbeat))
    }

    /// The place of a line, made where it has none.
    #[inline]
    fn slot(&mut self, line: LineNo) -> Option<usize> {
        match self.lines.iter().position(|l| l.no == line) {
            Some(at) => Some(at),
            None => self.new_slot(line),
        }
    }

    #[cold]
    fn new_slot(&mut self, line: LineNo) -> Option<usize> {
        if self.lines.len() < LINES_MAX {
            self.lines.push(Line::new(line));
            return Some(self.lines.len() - 1);
        }
        let at = self.lines.iter().position(|l| !l.up)?;
        let left = core::mem::replace(self.lines.get_mut(at)?, Line::new(line));
        self.waiting -= left.waiting.len();
        Some(at)
    }
}

/// Why a line lost something that its numbers do not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A message could not be read or held exactly.
    Refused,
    /// Something else said so.
    Told(Reason),
}

/// Whether a message has a number by which lines can be merged.
#[inline]
fn is_merged(book: &LocalBook, message: &BookMessage<'_>) -> bool {
    let chain = book.rule().chain;
    let pictures = matches!(chain, Chain::Image | Chain::ImageCounted | Chain::LevelOne);
    !pictures && chain != Chain::Unnumbered && message.seq.last.is_some()
}

/// The lines and their book, for the time of one call.
struct Lane<'l, O> {
    lines: &'l mut Lines,
    book: &'l mut LocalBook,
    observer: &'l mut O,
    /// What the book was given so far did.
    outcome: Option<Outcome>,
}

impl<O: Observer> Lane<'_, O> {
    fn note(&mut self, outcome: Outcome) {
        self.outcome = Some(match self.outcome {
            Some(before) => both(before, outcome),
            None => outcome,
        });
    }

    fn give(&mut self, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let outcome = self.book.message(message, flags, times, self.observer);
        self.note(outcome);
    }

    fn disconnected(&mut self, at: usize) {
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        let no = line.no;
        if line.suspect {
            self.lines.waiting -= line.waiting.len();
            line.waiting.clear();
        }
        line.down();
        if self.lines.up() == 0 {
            self.lines.forget();
            self.lines.followed = None;
            let outcome = self.book.disconnect();
            return self.note(outcome);
        }
        if self.lines.followed == Some(no) {
            return self.unfollow();
        }
        if self.lines.tip.is_some() && !self.lines.lines.iter().any(|line| line.tied) {
            // Nothing shows that the lines which are left continue this book.
            self.lines.forget();
            let outcome = self.book.invalidate(Reason::Disconnected);
            return self.note(outcome);
        }
        self.give_up_the_hopeless(NO_TIME);
    }

    fn lost(&mut self, at: usize, loss: Loss) {
        let count = self.lines.passed.count();
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.stats.rejects += u64::from(loss == Loss::Refused);
        line.lost_at = Some(count);
        if self.lines.followed.is_some_and(|followed| followed != line.no) {
            if let Some(standby) = &mut line.standby {
                let _ = take_loss(standby, loss);
            }
            return;
        }
        let merged = self.lines.followed.is_none();
        let goes_on = |line: &Line| line.tied && line.lost_at != Some(count);
        if !(merged && self.lines.lines.iter().any(goes_on)) {
            self.lose(loss);
        }
    }

    fn lose(&mut self, loss: Loss) {
        let outcome = take_loss(self.book, loss);
        self.note(outcome);
    }
}

fn take_loss(book: &mut LocalBook, loss: Loss) -> Outcome {
    match loss {
        Loss::Refused => book.refuse(),
        Loss::Told(reason) => book.invalidate(reason),
    }
}

impl Lines {
    /// Forgets the merged stream, not the lines.
    fn forget(&mut self) {
        self.tip = None;
        self.passed.clear();
        self.waiting = 0;
        for line in &mut self.lines {
            line.tied = false;
            line.suspect = false;
            line.waiting.clear();
        }
    }
}

/// Whether snapshots of the stream itself open the chain.
fn opens_in_stream(book: &LocalBook, message: &BookMessage<'_>, flags: Flags) -> bool {
    message.kind == BookKind::Snapshot
        && book.rule().bridge != Bridge::Rest
        && !flags.has(Flags::REST)
}

const fn nothing(verdict: Verdict) -> Outcome {
    Outcome { verdict, transition: Transition::None, demand: Demand::None }
}

/// What two messages, one after the other, did together.
fn both(first: Outcome, second: Outcome) -> Outcome {
    let transition = match (first.transition, second.transition) {
        (before, Transition::None) => before,
        (Transition::Invalidated(_), Transition::Live) => Transition::None,
        (Transition::Live | Transition::Reset, Transition::Invalidated(_)) => second.transition,
        (Transition::Reset, Transition::Live) => Transition::Reset,
        (_, after) => after,
    };
    let healed = matches!(second.transition, Transition::Live | Transition::Reset);
    let demand = if healed || second.demand != Demand::None { second.demand } else { first.demand };
    Outcome { verdict: second.verdict, transition, demand }
}
