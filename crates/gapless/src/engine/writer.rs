//! A thread that reads its share of a source and publishes the books it makes.
//!
//! Invariant: a book is applied and published by one thread, in the order of its frames, with no
//! queue in between. Nothing on the way from a frame to its publication locks or allocates; what
//! happens rarely (a book appears, a command comes, something fails) happens between two frames.

use super::listing::{Listed, Listing, SourceState};
use super::{Command, Wanted};
use crate::clock;
use crate::reader::{BookReader, Memory, Wait};
use crate::report::BookReport;
use crate::run::Replay;
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use gapless_book::book::{Change, Observer};
use gapless_book::event::{Level, NO_TIME, Side};
use gapless_book::local::{LocalBook, Outcome};
use gapless_book::publish::{Config, Heap, LayoutError, Publisher, Reader};
use gapless_book::sequence::Chain;
use gapless_replay::driver::{LineId, Watcher};
use gapless_replay::merge::Failure;
use gapless_replay::pace::{Pacer, Speed};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::Handler;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames between two looks at commands and clock: some 50 µs at full speed.
const FRAMES_A_TURN: u64 = 64;

/// What a thread is started with.
pub(super) struct Writer {
    pub part: usize,
    pub replay: Replay,
    pub books: Publications,
    pub wanted: Wanted,
    pub commands: Receiver<Command>,
    pub listing: Arc<Listing>,
    pub config: Config,
    /// Folder and name of the engine, if other processes may read.
    #[cfg(target_os = "linux")]
    pub shared: Option<(crate::shm::Directory, String)>,
    /// When each item is due; `None` at full speed.
    pub pacer: Option<Pacer>,
    /// Zero of the pacer's times.
    pub start: Instant,
    pub idle: Wait,
    /// Which silence makes a book stale, if any does.
    pub silence: Option<Silence>,
    /// When the publications were last told that their writer lives.
    pub beaten_ns: i64,
}

/// When books are looked at for having been silent too long, in their source's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    limit_ns: i64,
    next_ns: i64,
}

impl Silence {
    pub fn new(limit: Duration) -> Self {
        Self { limit_ns: i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX), next_ns: i64::MIN }
    }

    /// The limit, if it is time to look: ten times in it.
    fn due(&mut self, now_ns: i64) -> Option<i64> {
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns = now_ns.saturating_add(self.limit_ns / 10);
        Some(self.limit_ns)
    }
}

/// Whether a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl Writer {
    /// Reads to the end or until told to stop, and keeps the books alive until then.
    pub fn run(&mut self) {
        if self.read() == Next::Go {
            let (listing, part) = (&self.listing, self.part);
            self.replay.finish(&mut self.books, |error| listing.error(part, error.to_string()));
            self.publish_arrivals();
            self.listing.set(self.part, SourceState::Ended);
            self.hold();
        }
        self.books.close(clock::now_ns());
        self.listing.set(self.part, SourceState::Stopped);
    }

    fn read(&mut self) -> Next {
        let mut at_once = Pacer::new(Speed::Max);
        for fed in 0u64.. {
            if fed.is_multiple_of(FRAMES_A_TURN) && self.turn() == Next::Stop {
                return Next::Stop;
            }
            match self.wait_until_due() {
                Ok(Next::Go) => {}
                Ok(Next::Stop) => return Next::Stop,
                Err(failure) => {
                    self.failed(failure);
                    continue;
                }
            }
            let (books, replay) = (&mut self.books, &mut self.replay);
            match replay.step(books, &mut at_once, &mut |_, _| true, &mut |_| {}) {
                Ok(None) => {}
                Ok(Some(_)) => break,
                Err(failure) => self.failed(failure),
            }
            if !self.books.arrivals.is_empty() {
                self.publish_arrivals();
            }
        }
        Next::Go
    }

    /// Obeys commands and tells the readers that their writer lives.
    fn turn(&mut self) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Next::Stop,
            }
        }
        let now_ns = clock::now_ns();
        if now_ns.saturating_sub(self.beaten_ns) >= self.beat_ns() {
            self.beaten_ns = now_ns;
            self.books.beat(now_ns);
        }
        Next::Go
    }

    /// Time between two signs of life: readers are promised twice as many as they need.
    const fn beat_ns(&self) -> i64 {
        self.config.writer_silent_ns / 4
    }

    fn beat_every(&self) -> Duration {
        Duration::from_nanos(self.beat_ns().unsigned_abs())
    }

    fn wait_until_due(&mut self) -> Result<Next, Failure> {
        if self.pacer.is_none() && self.silence.is_none() {
            return Ok(Next::Go);
        }
        let next = self.replay.peek()?;
        let recv_ns = next.map_or(NO_TIME, |(recv_ns, _)| recv_ns);
        let mut due = Duration::ZERO;
        if let (Some(pacer), Some((recv_ns, false))) = (&mut self.pacer, next) {
            pacer.pace(recv_ns, |offset| due = offset);
        }
        loop {
            let left = due.saturating_sub(self.start.elapsed());
            if self.silence.is_some() && recv_ns != NO_TIME {
                self.look_for_silence(recv_ns.saturating_sub(self.recorded_ns(left)));
            }
            if left.is_zero() {
                return Ok(Next::Go);
            }
            match self.idle {
                Wait::Spin => std::hint::spin_loop(),
                Wait::Yield => std::thread::yield_now(),
                Wait::Sleep(at_most) => {
                    std::thread::sleep(left.min(at_most).min(self.beat_every()));
                }
            }
            if self.turn() == Next::Stop {
                return Ok(Next::Stop);
            }
        }
    }

    /// So much time in the time of the recording.
    fn recorded_ns(&self, time: Duration) -> i64 {
        let time = match self.replay.speed() {
            Speed::Max => time,
            Speed::Factor(factor) => {
                let seconds = time.as_secs_f64() * factor;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        };
        i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
    }

    /// It is so late in the source's time: books that were silent for too long are stale.
    fn look_for_silence(&mut self, now_ns: i64) {
        if let Some(limit_ns) = self.silence.as_mut().and_then(|silence| silence.due(now_ns)) {
            self.replay.driver_mut().freshness_at(now_ns, limit_ns, &mut self.books);
        }
    }

    /// Keeps the books as they ended until told to stop.
    fn hold(&mut self) {
        loop {
            match self.commands.recv_timeout(self.beat_every()) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.turn() == Next::Stop {
                return;
            }
        }
    }

    fn failed(&mut self, failure: Failure) {
        let error = self.replay.broke_off(failure, &mut self.books);
        self.listing.error(self.part, error.to_string());
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(name) => {
                self.wanted.add(&name);
                let unwanted = self.books.of(|slot| matches!(slot, Slot::Unwanted));
                let named = |(line, book): &(usize, BookId)| {
                    self.replay.book(*line, *book).is_some_and(|report| report.name() == name)
                };
                self.books.arrivals.extend(unwanted.iter().filter(|at| named(at)));
                self.publish_arrivals();
            }
            Command::Remove(name) => {
                self.wanted.remove(&name);
                self.listing.remove(self.part, &name);
                self.books.remove(&name, clock::now_ns());
            }
        }
    }

    /// Publishes the books that have appeared, if they are wanted.
    fn publish_arrivals(&mut self) {
        for (line, book) in std::mem::take(&mut self.books.arrivals) {
            let Some(report) = self.replay.book(line, book) else { continue };
            let name = report.name();
            let mut slot = Slot::Unwanted;
            if self.wanted.has(&name) {
                match self.published(&report, name.into()) {
                    Ok((publication, listed)) => {
                        slot = Slot::Published(Box::new(publication));
                        self.listing.add(listed);
                    }
                    Err(error) => {
                        let error = format!("{}: cannot be published: {error}", report.name());
                        self.listing.error(self.part, error);
                    }
                }
            }
            self.books.set(line, book, slot);
        }
    }

    /// Makes the publication of a book as it stands.
    fn published(
        &self,
        report: &BookReport<'_>,
        name: Arc<str>,
    ) -> Result<(Publication, Listed), LayoutError> {
        let (publisher, entry) = self.memory(report, &name)?;
        let memory = Arc::clone(publisher.region());
        let mut publication = Publication { name: Arc::clone(&name), publisher, _entry: entry };
        publication.show_all(report.local(), clock::now_ns());
        let chain = report.local().rule().chain;
        let listed = Listed {
            part: self.part,
            channel: report.channel().to_owned(),
            input: report.file().to_owned(),
            is_picture: matches!(chain, Chain::Image | Chain::ImageCounted | Chain::LevelOne),
            reader: BookReader::new(name, Reader::attach(memory)?),
        };
        Ok((publication, listed))
    }

    /// An empty publication: in shared memory if asked for, of this process if not or if there is
    /// none to be had.
    fn memory(
        &self,
        report: &BookReport<'_>,
        name: &str,
    ) -> Result<(Publisher<Arc<Memory>>, Option<Entry>), LayoutError> {
        let now_ns = clock::now_ns();
        // No two publications begin at the same time under one name.
        let incarnation = now_ns.unsigned_abs();
        #[cfg(target_os = "linux")]
        if let Some((directory, engine)) = &self.shared {
            let place = crate::shm::Place { engine, name, channel: report.channel() };
            match directory.create(place, &self.config, incarnation) {
                Ok((publisher, entry)) => return Ok((publisher, Some(entry))),
                Err(error) => self.listing.error(self.part, error.to_string()),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (report, name);
        let memory = Arc::new(Memory::Heap(Heap::new(self.config.words()?)));
        Ok((Publisher::create(memory, &self.config, incarnation, now_ns)?, None))
    }
}

/// What takes a publication's name away when it ends.
#[cfg(target_os = "linux")]
type Entry = crate::shm::Entry;
#[cfg(not(target_os = "linux"))]
type Entry = std::convert::Infallible;

/// A book that is published.
#[derive(Debug)]
struct Publication {
    name: Arc<str>,
    publisher: Publisher<Arc<Memory>>,
    /// Dropped after the publisher has said that it ends.
    _entry: Option<Entry>,
}

impl Publication {
    /// Shows a book whose changes so far were not noted.
    fn show_all(&mut self, book: &LocalBook, now_ns: i64) {
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
enum Slot {
    /// It has appeared, or has not; nothing was decided.
    #[default]
    New,
    /// It is kept, not shown.
    Unwanted,
    /// It is shown.
    Published(Box<Publication>),
}

/// The books of a thread: is told of every change, and publishes it.
#[derive(Debug, Default)]
pub(super) struct Publications {
    /// By connection, then by book.
    lines: Vec<Vec<Slot>>,
    /// The connection that is being fed.
    line: usize,
    /// Books that nothing was decided about yet.
    arrivals: Vec<(usize, BookId)>,
}

impl Publications {
    #[inline]
    fn published(&mut self, book: BookId) -> Option<&mut Publication> {
        match self.lines.get_mut(self.line)?.get_mut(book.0 as usize)? {
            Slot::Published(publication) => Some(publication),
            Slot::New | Slot::Unwanted => None,
        }
    }

    fn set(&mut self, line: usize, book: BookId, slot: Slot) {
        if let Some(place) = self.lines.get_mut(line).and_then(|l| l.get_mut(book.0 as usize)) {
            *place = slot;
        }
    }

    fn of(&self, which: impl Fn(&Slot) -> bool) -> Vec<(usize, BookId)> {
        let slots = self.lines.iter().enumerate().flat_map(|(line, slots)| {
            (0u32..).map(BookId).zip(slots).map(move |(book, slot)| (line, book, slot))
        });
        slots.filter(|(.., slot)| which(slot)).map(|(line, book, _)| (line, book)).collect()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Publication> {
        self.lines.iter_mut().flatten().filter_map(|slot| match slot {
            Slot::Published(publication) => Some(&mut **publication),
            Slot::New | Slot::Unwanted => None,
        })
    }

    fn beat(&mut self, now_ns: i64) {
        self.all().for_each(|book| book.publisher.beat(now_ns));
    }

    fn close(&mut self, now_ns: i64) {
        self.all().for_each(|book| book.publisher.close(now_ns));
    }

    fn remove(&mut self, name: &str, now_ns: i64) {
        for slot in self.lines.iter_mut().flatten() {
            if let Slot::Published(book) = slot
                && *book.name == *name
            {
                book.publisher.close(now_ns);
                *slot = Slot::Unwanted;
            }
        }
    }

    /// Makes room for a book that was not seen before.
    #[cold]
    fn arrived(&mut self, book: BookId) {
        let (line, at) = (self.line, book.0 as usize);
        if self.lines.len() <= line {
            self.lines.resize_with(line + 1, Vec::new);
        }
        let Some(slots) = self.lines.get_mut(line) else { return };
        if slots.len() <= at {
            slots.resize_with(at + 1, Slot::default);
        }
        if matches!(slots.get(at), Some(Slot::New)) && !self.arrivals.contains(&(line, book)) {
            self.arrivals.push((line, book));
        }
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
    fn book(&mut self, id: BookId, book: &BookEntry, _: &Outcome) {
        match self.published(id) {
            Some(publication) => publication.publisher.publish(&book.local, clock::now_ns()),
            None => self.arrived(id),
        }
    }
}

impl Watcher for Publications {
    fn line(&mut self, line: LineId) {
        self.line = line.0 as usize;
    }
}
