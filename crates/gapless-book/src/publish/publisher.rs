//! The writer's end of a publication.

use super::depth::DepthWriter;
use super::history::History;
use super::layout::{Config, Layout, LayoutError};
use super::region::Region;
use super::seqlock;
use super::status::{self, Status};
use super::sync::{Ordering, Site, order};
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
        publisher.show(last, None);
        // Zero may be later than now on the clock that is used.
        publisher.beat(now_ns);
        publisher.record_status();
        publisher.announce();
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
        let (bid, ask) = (levels.best_bid(), levels.best_ask());
        let is_crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid.price >= ask.price);
        let status = status::words(book, is_crossed, now_ns);
        let snapshots = book.counters().snapshots;
        let is_same = status::generation(&status) == status::generation(&self.last.status);
        if !is_same || snapshots != self.snapshots {
            // Levels went, or were scaled, that nobody was told of.
            self.snapshots = snapshots;
            self.depth.all_changed();
            self.history.all_changed();
        }
        let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        self.show(Shown { status, bid, ask }, Some(levels));
        self.record(levels);
        self.announce();
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
            self.record_status();
            self.announce();
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

    /// Appends to the log what was noted since the last publication.
    #[inline]
    fn record(&mut self, book: &Book) {
        let words = self.region.words();
        let logged = self.layout.ring(words).zip(self.layout.checkpoints(words));
        if let Some((ring, checkpoints)) = logged {
            self.history.record(ring, checkpoints, &self.last.status, book);
        }
    }

    /// Appends a status of which no level knows.
    fn record_status(&mut self) {
        if let Some(ring) = self.layout.ring(self.region.words()) {
            self.history.record_status(ring, &self.last.status);
        }
    }

    /// Tells those who wait: after everything of a publication, so that whoever is woken finds it.
    #[inline(always)]
    fn announce(&mut self) {
        self.version += 1;
        if let Some(version) = Layout::version(self.region.words()) {
            // Pairs with the load in `Reader::version`.
            version.store(self.version, order(Site::VersionWrite, Ordering::Release));
        }
    }

    /// Replaces what is shown; `None` leaves the depth's levels as they are.
    #[inline(always)]
    fn show(&mut self, shown: Shown, levels: Option<&Book>) {
        let ([standing, ..], [last, ..]) = (&shown.status, &self.last.status);
        if standing == last {
            self.show_both(false, shown, levels);
        } else {
            self.turn(shown, levels);
        }
    }

    #[cold]
    fn turn(&mut self, shown: Shown, levels: Option<&Book>) {
        self.show_both(true, shown, levels);
    }

    #[inline(always)]
    fn show_both(&mut self, turned: bool, shown: Shown, levels: Option<&Book>) {
        let words = self.region.words();
        let (Some(top_words), Some(depth_words)) = (Layout::top(words), self.layout.depth(words))
        else {
            return;
        };
        self.last = shown;
        let depth = &mut self.depth;
        // A reader that one has told that the book is not live is not told otherwise by the other.
        seqlock::put_both(
            turned,
            &mut self.top,
            |held| held.hold(top_words),
            |top| top.store(top_words, &shown),
            || match levels {
                Some(book) => depth.store(depth_words, &shown.status, book),
                None => depth.store_status(depth_words, &shown.status),
            },
        );
    }
}

impl<R: Region> Observer for Publisher<R> {
    #[inline(always)]
    fn level(&mut self, side: Side, level: Level, change: Change) {
        if !matches!(change, Change::Absent | Change::Full) {
            self.depth.changed(side, level, change);
            self.history.changed(side, level);
        }
    }
}

impl<R: Region> Drop for Publisher<R> {
    fn drop(&mut self) {
        let [.., published] = self.last.status;
        self.close(published as i64);
    }
}
