//! A thread that reads its share of a source and publishes the books it makes.
//!
//! Invariant: a book is applied and published by one thread, in the order of its frames, with no
//! queue in between. Nothing on the way from a frame to its publication locks or allocates; what
//! happens rarely (a book appears, a command comes, something fails) happens between two frames.

use super::listing::{Listed, Listing, SourceState};
use super::publications::{Entry, Publication, Publications, Slot};
use super::waker::Waker;
use super::{Command, Wanted};
use crate::clock;
use crate::latency::Recorder;
use crate::reader::{BookReader, Memory};
use crate::report::{BookReport, OwnedReport};
use crate::sync::{Receiver, RecvTimeoutError, TryRecvError};
use gapless_book::publish::{Config, LayoutError, Publisher, Reader};
use gapless_book::sequence::Chain;
use gapless_feed::feed::ConnectionStatus;
use gapless_venues::books::BookId;
use std::sync::Arc;
use std::time::Duration;

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Go,
    End,
}

/// What a thread reads: a recording or a feed. Frames go from it to sessions and books, and from
/// there to the publications, within [`Intake::read`].
pub(super) trait Intake {
    /// Begins; its books may appear at once.
    fn start(&mut self, books: &mut Publications) {
        let _ = books;
    }

    /// Reads some frames, for at most so long; returns when the books want attention.
    fn read(
        &mut self,
        books: &mut Publications,
        at_most: Duration,
        failed: &mut dyn FnMut(String),
    ) -> Step;

    /// Ends before its end.
    fn stop(&mut self, books: &mut Publications) {
        let _ = books;
    }

    /// A book of a connection.
    fn book(&self, line: usize, book: BookId) -> Option<BookReport<'_>>;

    /// `venue[.market]:SYMBOL` of an instrument of a connection.
    fn instrument_name(&self, line: usize, exchange: &str, symbol: &str) -> Option<String>;

    /// Every book that is shown.
    fn all(&self) -> Vec<BookReport<'_>>;

    /// Whether a connection's books are not to be shown yet.
    fn is_hidden(&self, line: usize) -> bool {
        let _ = line;
        false
    }

    /// How its connections fare.
    fn connections(&self) -> Vec<ConnectionStatus> {
        Vec::new()
    }
}

/// Makes what a thread reads, on that thread.
pub(super) type Opening = Box<dyn FnOnce() -> Result<Box<dyn Intake>, String> + Send>;

/// What a thread is started with.
pub(super) struct Writer {
    pub part: usize,
    pub books: Publications,
    pub wanted: Wanted,
    pub commands: Receiver<Command>,
    pub listing: Arc<Listing>,
    pub waker: Arc<Waker>,
    pub config: Config,
    /// Folder and name of the engine, if other processes may read.
    #[cfg(target_os = "linux")]
    pub shared: Option<(crate::shm::Directory, String)>,
    /// When the publications were last told that their writer lives.
    pub beaten_ns: i64,
}

/// Whether a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl Writer {
    /// Reads to the end or until told to stop, and keeps the books alive until then.
    pub fn run(&mut self, opening: Opening) {
        let mut intake = match opening() {
            Ok(intake) => intake,
            Err(error) => {
                self.listing.error(self.part, error);
                return self.listing.set(self.part, SourceState::Failed);
            }
        };
        intake.start(&mut self.books);
        if self.read(&mut *intake) == Next::Go {
            self.attend(&*intake);
            // Before anybody is told that the source has ended.
            self.end_events();
            self.listing.set(self.part, SourceState::Ended);
            self.hold(&*intake);
        }
        intake.stop(&mut self.books);
        self.books.close(clock::now_ns());
        self.end_events();
        self.listing.set(self.part, SourceState::Stopped);
    }

    /// Nothing comes any more: receivers find the end after what is in their rings.
    fn end_events(&mut self) {
        self.books.outlets.close();
        if self.books.outlets.dropped > 0 {
            let dropped = std::mem::take(&mut self.books.outlets.dropped);
            let error = format!("{dropped} events had no place: of too many instruments");
            self.listing.error(self.part, error);
        }
        self.waker.changed();
    }

    fn read(&mut self, intake: &mut dyn Intake) -> Next {
        loop {
            if self.turn(intake) == Next::Stop {
                return Next::Stop;
            }
            let (listing, part, at_most) = (&self.listing, self.part, self.beat_every());
            let mut failed = |error| listing.error(part, error);
            if intake.read(&mut self.books, at_most, &mut failed) == Step::End {
                return Next::Go;
            }
            if self.books.wants_attention() {
                self.attend(intake);
            }
        }
    }

    /// Obeys commands and tells the readers that their writer lives.
    fn turn(&mut self, intake: &dyn Intake) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command, intake),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Next::Stop,
            }
        }
        let now_ns = clock::now_ns();
        if now_ns.saturating_sub(self.beaten_ns) >= self.beat_ns() {
            self.beaten_ns = now_ns;
            self.books.beat(now_ns);
            self.books.outlets.sweep();
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

    /// Keeps the books as they ended until told to stop.
    fn hold(&mut self, intake: &dyn Intake) {
        loop {
            match self.commands.recv_timeout(self.beat_every()) {
                Ok(command) => self.obey(command, intake),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.turn(intake) == Next::Stop {
                return;
            }
        }
    }

    fn obey(&mut self, command: Command, intake: &dyn Intake) {
        match command {
            Command::Add(name) => {
                self.wanted.add(&name);
                let unwanted = self.books.of(|slot| matches!(slot, Slot::Unwanted));
                let named = |(line, book): &(usize, BookId)| {
                    let report = intake.book(*line, *book).filter(|_| !intake.is_hidden(*line));
                    report.is_some_and(|report| report.name() == name)
                };
                self.books.arrivals.extend(unwanted.iter().filter(|at| named(at)));
                self.attend(intake);
            }
            Command::Subscribe(outlet) => {
                self.books.outlets.add(outlet);
                if self.listing.has_ended(self.part) {
                    self.end_events();
                }
            }
            Command::Measure(records) => {
                self.books.recorder = records.map(|records| Box::new(Recorder::new(records)));
            }
            Command::Latency(empty, answer) => {
                if let Some(recorder) = &mut self.books.recorder {
                    // Whoever asked may have gone, and with it what was recorded before.
                    let _ = answer.try_send(recorder.exchange(empty));
                }
            }
            Command::Remove(name) => {
                self.wanted.remove(&name);
                self.listing.remove(self.part, &name);
                self.books.remove(&name, clock::now_ns());
            }
            Command::Connections(answer) => {
                // Whoever asked may have gone.
                let _ = answer.try_send(intake.connections());
            }
            Command::Report(answer) => {
                let all = intake.all();
                // Whoever asked may have gone.
                let _ = answer.send(all.iter().map(OwnedReport::of).collect());
            }
        }
    }

    /// Does what the books want between two frames.
    fn attend(&mut self, intake: &dyn Intake) {
        for (from, to) in std::mem::take(&mut self.books.moves) {
            self.carry_over(from, to, intake);
        }
        self.publish_arrivals(intake);
        if self.books.outlets.has_untold() {
            self.books.outlets.tell(
                |line| intake.is_hidden(line),
                |line, exchange, symbol| intake.instrument_name(line, exchange, symbol),
            );
        }
    }

    /// What was shown of one connection's books is shown of another's.
    fn carry_over(&mut self, from: usize, to: usize, intake: &dyn Intake) {
        let mut left = self.books.take(from);
        for book in (0u32..).map(BookId) {
            let Some(report) = intake.book(to, book) else { break };
            let name = report.name();
            let is_it = |(old, publication): &(BookId, Box<Publication>)| {
                let channel = intake.book(from, *old).map(|old| old.channel());
                publication.name() == name && channel == Some(report.channel())
            };
            match left.iter().position(is_it) {
                Some(at) => {
                    let (_, publication) = left.swap_remove(at);
                    self.books.give(to, book, publication, report.local());
                }
                None => self.books.arrivals.push((to, book)),
            }
        }
        // What the other connection has not shown yet stays, not live, until it does.
        for (book, publication) in left {
            self.books.set(from, book, Slot::Published(publication));
        }
    }

    /// Publishes the books that have appeared, if they are wanted.
    fn publish_arrivals(&mut self, intake: &dyn Intake) {
        for (line, book) in std::mem::take(&mut self.books.arrivals) {
            let Some(report) = intake.book(line, book) else { continue };
            let name = report.name();
            if !intake.is_hidden(line)
                && let Some(publication) = self.left_behind(&report, &name, intake)
            {
                self.books.give(line, book, publication, report.local());
                continue;
            }
            let mut slot = Slot::Unwanted;
            if self.wanted.has(&name) && !intake.is_hidden(line) {
                let instrument = self.books.outlets.instrument(&name);
                match self.published(&report, name.into()) {
                    Ok((mut publication, listed)) => {
                        let full = self.books.outlets.id(&listed.full_name());
                        publication.names = instrument.map(|instrument| (instrument, full));
                        publication.tell(&mut self.books.outlets);
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

    /// The publication of a book whose connection was replaced before the new one had shown it.
    fn left_behind(
        &mut self,
        report: &BookReport<'_>,
        name: &str,
        intake: &dyn Intake,
    ) -> Option<Box<Publication>> {
        let is_it = |line: usize, book: BookId, publication: &Publication| {
            let channel = || intake.book(line, book).map(|old| old.channel().to_owned());
            publication.name() == name && channel().as_deref() == Some(report.channel())
        };
        self.books.take_left(|line| intake.is_hidden(line), is_it)
    }

    /// Makes the publication of a book as it stands.
    fn published(
        &self,
        report: &BookReport<'_>,
        name: Arc<str>,
    ) -> Result<(Publication, Listed), LayoutError> {
        let (publisher, entry) = self.memory(report, &name)?;
        let memory = Arc::clone(publisher.region());
        let mut publication = Publication::new(Arc::clone(&name), publisher, entry);
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
        let memory = Arc::new(Memory::new(self.config.words()?));
        Ok((Publisher::create(memory, &self.config, incarnation, now_ns)?, None))
    }
}
