//! The books of a thread as they are shown: one publication for each that is wanted.
//!
//! Invariant: a change is shown on the thread that made it, before the next frame is read; nothing
//! here locks or allocates once a book is published.

use super::outlets::{Instrument, Outlets};
use crate::clock;
use crate::events::{NameId, Topic};
use crate::latency::Recorder;
use crate::reader::Memory;
use gapless_book::book::{Change, Observer};
use gapless_book::event::{Event, Level, Side};
use gapless_book::local::{LocalBook, Outcome, Reason, State};
use gapless_book::publish::Publisher;
use gapless_book::sequence::Verdict;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::{Handler, LineId, Stage, Watcher, Wire};
use std::sync::Arc;

/// What takes a publication's name away when it ends.
#[cfg(target_os = "linux")]
pub(super) type Entry = crate::shm::Entry;
#[cfg(not(target_os = "linux"))]
pub(super) type Entry = std::convert::Infallible;

/// A book that is published.
#[derive(Debug)]
pub(super) struct Publication {
    name: Arc<str>,
    publisher: Publisher<Arc<Memory>>,
    /// What subscribers call the instrument and the book.
    pub names: Option<(Instrument, NameId)>,
    /// State, reason and epoch that were told last.
    told: Option<(State, Reason, u32)>,
    /// Dropped after the publisher has said that it ends.
    _entry: Option<Entry>,
}

impl Publication {
    pub fn new(name: Arc<str>, publisher: Publisher<Arc<Memory>>, entry: Option<Entry>) -> Self {
        Self { name, publisher, names: None, told: None, _entry: entry }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shows another book of the same name from now on.
    fn follow(&mut self, book: &LocalBook) {
        self.publisher.replaced();
        self.publisher.publish(book, clock::now_ns());
    }

    fn close(&mut self, now_ns: i64, outlets: &mut Outlets) {
        self.publisher.close(now_ns);
        self.tell(outlets);
    }

    /// Tells subscribers what was published.
    #[inline]
    pub fn tell(&mut self, outlets: &mut Outlets) {
        if let Some((instrument, book)) = self.names.filter(|_| outlets.wants_books()) {
            let status = self.publisher.status();
            let standing = Some((status.state, status.reason, status.epoch));
            if self.told != standing {
                self.told = standing;
                outlets.book(Topic::States, instrument, book, &status);
            }
            outlets.book(Topic::Updates, instrument, book, &status);
        }
    }

    /// Shows a book whose changes so far were not noted.
    pub fn show_all(&mut self, book: &LocalBook, now_ns: i64) {
        for side in [Side::Bid, Side::Ask] {
            for level in book.last_known().side(side).iter() {
                self.publisher.level(side, level, Change::Inserted);
            }
        }
        self.publisher.publish(book, now_ns);
    }
}

/// What is done with a book.
#[derive(Debug, Default)]
pub(super) enum Slot {
    /// It has appeared, or has not; nothing was decided.
    #[default]
    New,
    /// It is kept, not shown.
    Unwanted,
    /// It is shown.
    Published(Box<Publication>),
}

/// The books of a thread: is told of every change, and publishes it.
#[derive(Debug)]
pub(super) struct Publications {
    /// By connection, then by book.
    lines: Vec<Vec<Slot>>,
    /// The connection that is being fed.
    line: usize,
    /// Books that nothing was decided about yet.
    pub arrivals: Vec<(usize, BookId)>,
    /// Connections whose books are from now on shown of another connection.
    pub moves: Vec<(usize, usize)>,
    /// Where subscribers' events go.
    pub outlets: Outlets,
    /// Times every message, while that is switched on.
    pub recorder: Option<Box<Recorder>>,
}

impl Publications {
    /// No books yet; what they say of themselves is told there.
    pub const fn telling(outlets: Outlets) -> Self {
        Self {
            lines: Vec::new(),
            line: 0,
            arrivals: Vec::new(),
            moves: Vec::new(),
            outlets,
            recorder: None,
        }
    }

    /// A frame is here, whole, so long after it was due; `None` if it had no time.
    #[inline]
    pub fn begin(&mut self, late_ns: Option<u64>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(late_ns);
        }
    }

    /// Whether there is something to be done between two frames.
    #[inline]
    pub fn wants_attention(&self) -> bool {
        !self.arrivals.is_empty() || !self.moves.is_empty() || self.outlets.has_untold()
    }

    /// Takes the publications of a connection's books away from it.
    pub fn take(&mut self, line: usize) -> Vec<(BookId, Box<Publication>)> {
        let slots = self.lines.get_mut(line).into_iter().flatten();
        let taken = (0u32..).map(BookId).zip(slots).filter_map(|(book, slot)| {
            match std::mem::replace(slot, Slot::Unwanted) {
                Slot::Published(publication) => Some((book, publication)),
                other => {
                    *slot = other;
                    None
                }
            }
        });
        taken.collect()
    }

    /// Takes the publication that a connection which is not shown any more has left of a book.
    pub fn take_left(
        &mut self,
        is_left: impl Fn(usize) -> bool,
        is_it: impl Fn(usize, BookId, &Publication) -> bool,
    ) -> Option<Box<Publication>> {
        let lines = self.lines.iter_mut().enumerate().filter(|(line, _)| is_left(*line));
        let mut slots = lines.flat_map(|(line, slots)| {
            (0u32..).map(BookId).zip(slots).map(move |(book, slot)| (line, book, slot))
        });
        let (.., slot) = slots.find(|(line, book, slot)| match slot {
            Slot::Published(publication) => is_it(*line, *book, publication),
            Slot::New | Slot::Unwanted => false,
        })?;
        match std::mem::replace(slot, Slot::Unwanted) {
            Slot::Published(publication) => Some(publication),
            Slot::New | Slot::Unwanted => None,
        }
    }

    /// Shows a book by a publication that showed another of its name.
    pub fn give(&mut self, line: usize, id: BookId, mut one: Box<Publication>, book: &LocalBook) {
        one.follow(book);
        one.tell(&mut self.outlets);
        self.line = line;
        self.room(id);
        self.set(line, id, Slot::Published(one));
    }

    #[inline]
    fn published(&mut self, book: BookId) -> Option<&mut Publication> {
        match self.lines.get_mut(self.line)?.get_mut(book.0 as usize)? {
            Slot::Published(publication) => Some(publication),
            Slot::New | Slot::Unwanted => None,
        }
    }

    pub fn set(&mut self, line: usize, book: BookId, slot: Slot) {
        if let Some(place) = self.lines.get_mut(line).and_then(|l| l.get_mut(book.0 as usize)) {
            *place = slot;
        }
    }

    pub fn of(&self, which: impl Fn(&Slot) -> bool) -> Vec<(usize, BookId)> {
        let slots = self.lines.iter().enumerate().flat_map(|(line, slots)| {
            (0u32..).map(BookId).zip(slots).map(move |(book, slot)| (line, book, slot))
        });
        slots.filter(|(.., slot)| which(slot)).map(|(line, book, _)| (line, book)).collect()
    }

    pub fn all(&mut self) -> impl Iterator<Item = &mut Publication> {
        self.lines.iter_mut().flatten().filter_map(|slot| match slot {
            Slot::Published(publication) => Some(&mut **publication),
            Slot::New | Slot::Unwanted => None,
        })
    }

    pub fn beat(&mut self, now_ns: i64) {
        self.all().for_each(|book| book.publisher.beat(now_ns));
    }

    pub fn close(&mut self, now_ns: i64) {
        for slot in self.lines.iter_mut().flatten() {
            if let Slot::Published(book) = slot {
                book.close(now_ns, &mut self.outlets);
            }
        }
    }

    pub fn remove(&mut self, name: &str, now_ns: i64) {
        for slot in self.lines.iter_mut().flatten() {
            if let Slot::Published(book) = slot
                && *book.name == *name
            {
                book.close(now_ns, &mut self.outlets);
                *slot = Slot::Unwanted;
            }
        }
    }

    /// Makes room for a book that was not seen before.
    #[cold]
    fn arrived(&mut self, book: BookId) {
        let line = self.line;
        let is_new = matches!(self.room(book), Some(Slot::New));
        if is_new && !self.arrivals.contains(&(line, book)) {
            self.arrivals.push((line, book));
        }
    }

    /// The place of a book of the connection that is being fed.
    fn room(&mut self, book: BookId) -> Option<&Slot> {
        let (line, at) = (self.line, book.0 as usize);
        if self.lines.len() <= line {
            self.lines.resize_with(line + 1, Vec::new);
        }
        let slots = self.lines.get_mut(line)?;
        if slots.len() <= at {
            slots.resize_with(at + 1, Slot::default);
        }
        slots.get(at)
    }
}

impl Handler for Publications {
    #[inline]
    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        if let Some(publication) = self.published(book) {
            publication.publisher.level(side, level, change);
        }
    }

    #[inline]
    fn stage(&mut self, stage: Stage) {
        if let Some(recorder) = &mut self.recorder {
            recorder.stage(stage);
        }
    }

    #[inline]
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.outlets.event(self.line, event);
    }

    #[inline]
    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        let slot = self.lines.get_mut(self.line).and_then(|line| line.get_mut(id.0 as usize));
        let Some(Slot::Published(publication)) = slot else { return self.arrived(id) };
        publication.publisher.publish(&book.local, clock::now_ns());
        publication.tell(&mut self.outlets);
        // What was not a message has no stages behind it.
        if let Some(recorder) = self.recorder.as_mut().filter(|_| is_message(outcome)) {
            let times = book.local.last_times();
            recorder.published(times.venue_ns, times.recv_ns);
        }
    }
}

/// Whether an outcome is that of a message which the book took.
const fn is_message(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Apply { .. } | Verdict::Replace)
}

impl Watcher for Publications {
    #[inline]
    fn wire(&mut self, _: i64, wire: &Wire<'_>) {
        if matches!(wire, Wire::Text(_) | Wire::Binary(_)) {
            self.begin(None);
        }
    }

    #[inline]
    fn line(&mut self, line: LineId) {
        self.line = line.0 as usize;
    }

    fn moved(&mut self, from: LineId, to: LineId) {
        let (from, to) = (from.0 as usize, to.0 as usize);
        self.moves.push((from, to));
        self.outlets.hide(from, true);
        self.outlets.hide(to, false);
    }
}
