//! The writer's end of a publication.

use super::depth::DepthWriter;
use super::history::History;
use super::layout::{Config, Layout, LayoutError, TopWords};
use super::region::Region;
use super::seqlock::{self, News};
use super::status::{self, Status};
use super::sync::{AtomicU64, Ordering, Site, order};
use super::top::{Shown, TopWriter};
use crate::book::{Book, Change, Observer};
use crate::event::{Level, Side};
use crate::local::{LocalBook, Reason, State};

/// Publishes one book to any number of readers, and waits for none of them.
///
/// It is the [`Observer`] of its book: what a message changed is noted as it is applied, and
/// [`Publisher::publish`] makes it seen. It belongs to the thread that applies messages, is not
/// `Clone`, and never loads from the region: a line that readers hold costs a round trip between
/// cores to load, and nothing to store to. Publishing allocates nothing.
///
/// Dropping it closes the publication, so that readers need not wait for silence.
#[derive(Debug)]
pub struct Publisher<R: Region> {
    region: R,
    layout: Layout,
    top: TopWriter,
    depth: DepthWriter,
    history: History,
    /// What is shown.
    last: Shown,
    /// Snapshots that the book had taken when it was last published.
    snapshots: u64,
    /// Number of the last publication.
    version: u64,
    is_closed: bool,
}

impl<R: Region> Publisher<R> {
    /// Makes a publication in a region of zeros; it says [`Reason::AwaitingSnapshot`].
    ///
    /// `incarnation` tells this publication from others that the same name had before and is shown
    /// to readers as it is. `now_ns` is the time on the clock whose time readers will give too.
    ///
    /// # Errors
    /// The region is too small or not vacant, or a choice is out of its bounds.
    pub fn create(
        region: R,
        config: &Config,
        incarnation: u64,
        now_ns: i64,
    ) -> Result<Self, LayoutError> {
        let layout = Layout::of(config)?;
        layout.check_vacant(region.words())?;
        let none = Level::default();
        let last = Shown { status: Status::new(now_ns).encode(), bid: none, ask: none };
        let mut publisher = Self {
            region,
            layout,
            top: TopWriter::default(),
            depth: DepthWriter::new(config.depth),
            history: History::new(config.ring),
            last,
            snapshots: 0,
            version: 0,
            is_closed: false,
        };
        publisher.turn(None);
        // Zero may be later than now on the clock that is used.
        publisher.beat(now_ns);
        publisher.layout.write(publisher.region.words(), incarnation)?;
        Ok(publisher)
    }

    /// Makes the book as it is now, and its state, seen by readers: after every message that it
    /// took and after every other change of its state.
    ///
    /// What readers see next is Live only if the book is, and not crossed. `now_ns` is the time on
    /// the clock of [`Publisher::create`]. The book must be the one whose changes were observed.
    #[inline]
    pub fn publish(&mut self, book: &LocalBook, now_ns: i64) {
        if self.is_closed {
            return;
        }
        let levels = book.last_known();
        let snapshots = book.counters().snapshots;
        let is_same = status::generation(book) == status::generation_of(&self.last.status);
        if !is_same || snapshots != self.snapshots {
            self.forget(snapshots);
        }
        // Before anything else is read, so that it stays in registers until it is stored.
        self.depth.find(levels);
        let (bid, ask) = (levels.best_bid(), levels.best_ask());
        let is_crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid.price >= ask.price);
        let status = status::words(book, is_crossed, now_ns);
        let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        self.show(Shown { status, bid, ask }, Some(levels));
    }

    /// Levels went, or were scaled, that nobody was told of.
    #[cold]
    fn forget(&mut self, snapshots: u64) {
        self.snapshots = snapshots;
        self.depth.all_changed();
        self.history.all_changed();
    }

    /// What is published next is another book than before: none of its changes were noted.
    pub const fn replaced(&mut self) {
        // No book has taken as many.
        self.snapshots = u64::MAX;
    }

    /// Says that the writer lives though nothing has changed.
    #[inline]
    pub fn beat(&mut self, now_ns: i64) {
        if let Some(beat) = Layout::beat(self.region.words()) {
            seqlock::put(beat, now_ns as u64);
        }
    }

    /// Ends the publication: from now on readers see Stale, [`Reason::Closed`], with the last
    /// levels. Nothing is published after it.
    pub fn close(&mut self, now_ns: i64) {
        if !core::mem::replace(&mut self.is_closed, true) {
            let (state, reason) = (State::Stale, Reason::Closed);
            let last = Status::decode(self.last.status);
            let status = Status { state, reason, published_ns: now_ns, ..last }.encode();
            self.show(Shown { status, ..self.last }, None);
        }
    }

    /// What is shown beside the levels at this moment.
    #[inline]
    pub fn status(&self) -> Status {
        Status::decode(self.last.status)
    }

    /// The memory that the publication lives in.
    pub fn region(&self) -> &R {
        &self.region
    }

    /// Replaces what is shown; `None` leaves the levels as they are.
    #[inline(always)]
    fn show(&mut self, shown: Shown, book: Option<&Book>) {
        let ([standing, ..], [last, ..]) = (&shown.status, &self.last.status);
        let has_turned = standing != last;
        self.last = shown;
        if has_turned {
            self.turn(book);
        } else {
            self.show_all(false, shown, book);
        }
    }

    /// Takes nothing by reference that the way of every message would have to put into memory.
    #[cold]
    fn turn(&mut self, book: Option<&Book>) {
        self.show_all(true, self.last, book);
    }

    /// Stores everything, best bid and ask first.
    ///
    /// A load behind stores to lines that readers hold may wait for all of them (it does if one of
    /// them has its address in the last twelve bits), and so does a store once there are more than
    /// the processor has room for. So little is done between them that could have been done before.
    #[inline(always)]
    fn show_all(&mut self, has_turned: bool, shown: Shown, book: Option<&Book>) {
        let (words, layout) = (self.region.words(), &self.layout);
        let (Some(top), Some(version)) = (Layout::top(words), Layout::version(words)) else {
            return;
        };
        let top = TopNews { writer: &mut self.top, words: top, shown: &shown, has_turned };
        let has = (has_turned, book.is_some());
        let depth = DepthNews { writer: &mut self.depth, layout, words, shown: &shown, has };
        // A reader that one has told that the book is not live is not told otherwise by the other.
        seqlock::tell_both(has_turned, top, depth);
        let log = layout.ring(words).zip(layout.checkpoints(words));
        let status = &self.last.status;
        match (log, book) {
            (Some((ring, checkpoints)), Some(book)) => {
                self.history.record(ring, checkpoints, status, book);
            }
            // A status of which no level knows.
            (Some((ring, _)), None) => self.history.record_status(ring, status),
            (None, _) => {}
        }
        // Tells those who wait: after everything else, so that whoever is woken finds it.
        self.version += 1;
        // Pairs with the load in `Reader::version`.
        version.store(self.version, order(Site::VersionWrite, Ordering::Release));
    }
}

struct TopNews<'a> {
    writer: &'a mut TopWriter,
    words: &'a TopWords,
    shown: &'a Shown,
    has_turned: bool,
}

impl News for TopNews<'_> {
    #[inline(always)]
    fn hold(&mut self) {
        self.writer.hold(self.words);
    }

    #[inline(always)]
    fn tell(&mut self) {
        self.writer.store(self.words, self.shown, self.has_turned);
    }
}

struct DepthNews<'a> {
    writer: &'a mut DepthWriter,
    layout: &'a Layout,
    words: &'a [AtomicU64],
    shown: &'a Shown,
    /// Turned; levels.
    has: (bool, bool),
}

impl News for DepthNews<'_> {
    #[inline(always)]
    fn hold(&mut self) {
        if let Some(words) = self.layout.depth(self.words) {
            self.writer.hold(words);
        }
    }

    #[inline(always)]
    fn tell(&mut self) {
        if let Some(words) = self.layout.depth(self.words) {
            self.writer.store(words, &self.shown.status, self.has);
        }
    }
}

impl<R: Region> Observer for Publisher<R> {
    #[inline(always)]
    fn level(&mut self, side: Side, level: Level, change: Change) {
        self.depth.named(side, level, change);
        self.history.named(side, level, !matches!(change, Change::Absent | Change::Full));
    }
}

impl<R: Region> Drop for Publisher<R> {
    fn drop(&mut self) {
        let [.., published] = self.last.status;
        self.close(published as i64);
    }
}
