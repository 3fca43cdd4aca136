//! Replay of recordings: opens inputs, merges them by receive time, feeds their items to sessions
//! and shows the books.

use crate::report::{self, BookReport};
use gapless_book::lines::LinePolicy;
use gapless_replay::driver::{Driver, DriverStats, Line, Watcher};
use gapless_replay::error::FileName;
use gapless_replay::input::{self, Format, Input, Item, Progress};
use gapless_replay::merge::{self, Failure, Merged};
use gapless_replay::pace::{Pacer, Speed};
use gapless_replay::{ReplayError, Stats};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::instruments::Instruments;
use gapless_venues::registry::VenueId;
use gapless_venues::session::SessionConfig;
use std::sync::Arc;
use std::time::Duration;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every input was read to its end.
    End,
    /// The caller asked for it.
    Asked,
}

/// How recordings are read.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Form of every input, where it is not to be told from the bytes.
    pub format: Option<Format>,
    /// Venue of captures and raw recordings; else folder, recording or frames tell.
    pub venue: Option<VenueId>,
    /// Items received before are read but marked as warm-up.
    pub from_ns: Option<i64>,
    /// An input ends at its first item received at or after this time.
    pub to_ns: Option<i64>,
    /// Pace.
    pub speed: Speed,
    /// Choices of the sessions.
    pub config: SessionConfig,
    /// Keep books of these symbols only; empty = all.
    pub symbols: Vec<String>,
    /// Take all connections of a venue for lines of the same books, which they write together.
    pub merge_lines: bool,
    /// What the venues' lists say of the books: their grids and whether they trade.
    pub instruments: Arc<Instruments>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            format: None,
            venue: None,
            from_ns: None,
            to_ns: None,
            speed: Speed::Max,
            config: SessionConfig::replay(),
            symbols: Vec::new(),
            merge_lines: false,
            instruments: Arc::default(),
        }
    }
}

/// Where the item stands that is fed next.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Index of the input.
    pub input: usize,
    /// Line in it.
    pub line: u64,
    /// Before [`Choices::from_ns`].
    pub warmup: bool,
}

/// Recordings and the books made of them.
pub struct Replay {
    merged: Merged,
    driver: Driver,
    /// Index of each input in the driver, from its first item on.
    ids: Vec<Option<usize>>,
    speed: Speed,
    from_ns: Option<i64>,
    /// [`Replay::feed`] has come to the end.
    finished: bool,
}

impl Replay {
    /// Opens files, folders, patterns or `-`, with the default choices.
    ///
    /// # Errors
    /// Every input that cannot be opened.
    pub fn open<I: IntoIterator<Item = S>, S: Into<String>>(paths: I) -> Result<Self, ReplayError> {
        let paths: Vec<String> = paths.into_iter().map(Into::into).collect();
        let inputs = match input::find(&paths) {
            Ok(inputs) => inputs,
            Err(errors) => match errors.into_iter().reduce(ReplayError::and) {
                Some(error) => return Err(error),
                None => Vec::new(),
            },
        };
        let (replay, failures) = Self::with(inputs, Choices::default());
        match failures.into_iter().reduce(ReplayError::and) {
            Some(error) => Err(error),
            None => Ok(replay),
        }
    }

    /// Opens inputs with every choice named. What cannot be opened is told; the rest is read.
    #[must_use]
    pub fn with(inputs: Vec<Input>, choices: Choices) -> (Self, Vec<ReplayError>) {
        let mut driver = Driver::new(choices.config, choices.venue);
        driver.only(choices.symbols);
        driver.instruments(choices.instruments, &mut ());
        if let Some(from_ns) = choices.from_ns {
            driver.count_from(from_ns);
        }
        if choices.merge_lines {
            driver.merge(LinePolicy::default());
        }
        let options = merge::Options {
            from_ns: choices.from_ns,
            to_ns: choices.to_ns,
            format: choices.format,
        };
        let (merged, failures) = Merged::open(inputs, options);
        let failures = failures.into_iter().map(|failure| failure.error).collect();
        let ids = merged.inputs().enumerate().map(|(index, input)| {
            let hint = merged.venue(index).or(input.folder());
            let format = merged.format(index)?;
            Some(driver.add(input.name().clone(), format, hint))
        });
        let ids: Vec<_> = ids.collect();
        let (speed, from_ns) = (choices.speed, choices.from_ns);
        (Self { merged, driver, ids, speed, from_ns, finished: false }, failures)
    }

    /// Reads everything to the end.
    ///
    /// # Errors
    /// The inputs and lines that could not be read ([`ReplayError::Several`] where they are more
    /// than one); the others were.
    pub fn run<W: Watcher>(&mut self, watcher: &mut W) -> Result<Stopped, ReplayError> {
        let mut errors: Option<ReplayError> = None;
        let stopped = self.run_while(
            watcher,
            |_, _| true,
            |_| {},
            |error| {
                errors = Some(match errors.take() {
                    Some(errors) => errors.and(error),
                    None => error,
                });
            },
        );
        errors.map_or(Ok(stopped), Err)
    }

    /// Reads until the end, or until `go_on` says no; it is asked before every item. `wait_until`
    /// sleeps until so long after the start of the run; `failed` is told of inputs and lines that
    /// cannot be read (the others go on).
    pub fn run_while<W: Watcher>(
        &mut self,
        watcher: &mut W,
        mut go_on: impl FnMut(&mut W, Place) -> bool,
        mut wait_until: impl FnMut(Duration),
        mut failed: impl FnMut(ReplayError),
    ) -> Stopped {
        let mut pacer = Pacer::new(self.speed);
        let stopped = loop {
            match self.step(watcher, &mut pacer, &mut go_on, &mut wait_until) {
                Ok(None) => {}
                Ok(Some(stopped)) => break stopped,
                Err(failure) => failed(self.lost(failure, watcher)),
            }
        };
        self.finish(watcher, failed);
        stopped
    }

    /// Receive time of the item that [`Replay::feed`] would feed next; `None` at the end.
    ///
    /// # Errors
    /// As [`Replay::feed`].
    pub fn next_ns(&mut self, watcher: &mut impl Watcher) -> Result<Option<i64>, ReplayError> {
        let next = self.merged.peek().map(|next| next.map(|(recv_ns, _)| recv_ns));
        next.map_err(|failure| self.lost(failure, watcher))
    }

    /// Feeds one item, unpaced: for callers who want to do something between items. `false` at the
    /// end, when every input has been finished, and ever after.
    ///
    /// # Errors
    /// An input or line that cannot be read; the next call goes on with the others.
    pub fn feed(&mut self, watcher: &mut impl Watcher) -> Result<bool, ReplayError> {
        if self.finished {
            return Ok(false);
        }
        let mut pacer = Pacer::new(Speed::Max);
        match self.step(watcher, &mut pacer, &mut |_, _| true, &mut |_| {}) {
            Ok(None) => Ok(true),
            Err(failure) => Err(self.lost(failure, watcher)),
            Ok(Some(_)) => {
                self.finished = true;
                let mut errors: Option<ReplayError> = None;
                self.finish(watcher, |error| {
                    errors = Some(match errors.take() {
                        Some(errors) => errors.and(error),
                        None => error,
                    });
                });
                errors.map_or(Ok(false), Err)
            }
        }
    }

    /// Tells the books of an input that some of it could not be read; says why.
    pub(crate) fn lost<W: Watcher>(&mut self, failure: Failure, watcher: &mut W) -> ReplayError {
        let id = self.ids.get(failure.input).copied().flatten();
        if let Some(id) = id.filter(|_| !failure.error.is_fatal()) {
            self.driver.lost(id, failure.error.line().unwrap_or(0), watcher);
        }
        failure.error
    }

    /// As [`Replay::lost`], for who shows the books while they change: those of an input that broke
    /// off are live no more.
    pub(crate) fn broke_off<W: Watcher>(
        &mut self,
        failure: Failure,
        watcher: &mut W,
    ) -> ReplayError {
        let id = self.ids.get(failure.input).copied().flatten();
        if let Some(id) = id.filter(|_| failure.error.is_fatal()) {
            self.driver.disconnect(id, watcher);
        }
        self.lost(failure, watcher)
    }

    /// Ends every input.
    pub(crate) fn finish<W: Watcher>(
        &mut self,
        watcher: &mut W,
        mut failed: impl FnMut(ReplayError),
    ) {
        for (index, id) in self.ids.iter().enumerate() {
            if id.is_some_and(|id| !self.driver.finish(id, watcher)) {
                let file = FileName::new(self.input_name(index));
                failed(ReplayError::UnknownVenue { file });
            }
        }
        self.driver.end();
    }

    /// The pace that was asked for.
    pub(crate) const fn speed(&self) -> Speed {
        self.speed
    }

    /// Receive time of the first item that is paced; what cannot be read shows when it is fed.
    pub(crate) fn first_ns(&self) -> Option<i64> {
        let recv_ns = self.merged.first_ns()?;
        Some(self.from_ns.map_or(recv_ns, |from| recv_ns.max(from)))
    }

    /// When the next item was received, and whether it is warm-up; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<(i64, bool)>, Failure> {
        self.merged.peek()
    }

    /// Feeds one item, or says how the run ended.
    pub(crate) fn step<W: Watcher>(
        &mut self,
        watcher: &mut W,
        pacer: &mut Pacer,
        go_on: &mut impl FnMut(&mut W, Place) -> bool,
        wait_until: &mut impl FnMut(Duration),
    ) -> Result<Option<Stopped>, Failure> {
        let Self { merged, driver, ids, .. } = self;
        let Some(step) = merged.advance()? else { return Ok(Some(Stopped::End)) };
        let line = match &step.item {
            Item::Record(record) => record.line,
            Item::Csv(reader) => reader.stats().lines,
        };
        if !go_on(watcher, Place { input: step.input, line, warmup: step.warmup }) {
            return Ok(Some(Stopped::Asked));
        }
        if !step.warmup {
            pacer.pace(step.recv_ns, &mut *wait_until);
        }
        let Some(id) = ids.get(step.input).copied().flatten() else { return Ok(None) };
        match step.item {
            Item::Record(record) => driver.record(id, &record, watcher),
            Item::Csv(reader) => driver.csv(id, reader, watcher),
        }
        Ok(None)
    }

    /// Every book in the order of appearance.
    pub fn books(&self) -> impl Iterator<Item = BookReport<'_>> {
        self.driver.lines().iter().flat_map(move |line| {
            let books = line.session.books().iter();
            books.map(move |(_, entry)| self.report(line, entry))
        })
    }

    /// A book of a connection.
    pub(crate) fn book(&self, line: usize, book: BookId) -> Option<BookReport<'_>> {
        let line = self.driver.lines().get(line)?;
        Some(self.report(line, line.session.books().get(book)?))
    }

    /// `venue[.market]:SYMBOL` of an instrument of a connection.
    pub(crate) fn instrument_name(
        &self,
        line: usize,
        exchange: &str,
        symbol: &str,
    ) -> Option<String> {
        let session = &self.driver.lines().get(line)?.session;
        Some(report::name(session, exchange, symbol))
    }

    fn report<'a>(&'a self, line: &'a Line, entry: &'a BookEntry) -> BookReport<'a> {
        BookReport::new(self.driver.input_name(line), &line.source, &line.session, entry)
    }

    /// The sessions and what was fed to them.
    #[must_use]
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// As [`Replay::driver`], to change it.
    pub const fn driver_mut(&mut self) -> &mut Driver {
        &mut self.driver
    }

    /// What was fed.
    #[must_use]
    pub const fn stats(&self) -> DriverStats {
        self.driver.stats()
    }

    /// Name of an input.
    #[must_use]
    pub fn input_name(&self, input: usize) -> &str {
        self.merged.inputs().nth(input).map_or("", |input| input.name().as_str())
    }

    /// What was met in an input.
    #[must_use]
    pub fn input_stats(&self, input: usize) -> Stats {
        self.merged.stats(input)
    }

    /// How many inputs there are.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.ids.len()
    }

    /// What the readers met, summed.
    #[must_use]
    pub fn reader_stats(&self) -> Stats {
        (0..self.inputs()).map(|input| self.input_stats(input)).fold(Stats::default(), add)
    }

    /// How far each input has been read; cheap to clone and to ask from anywhere.
    #[must_use]
    pub fn progress(&self) -> &[Progress] {
        self.merged.progress()
    }
}

const fn add(a: Stats, b: Stats) -> Stats {
    Stats {
        records: a.records + b.records,
        lines: a.lines + b.lines,
        unknown_kinds: a.unknown_kinds + b.unknown_kinds,
        steps_back: a.steps_back + b.steps_back,
        bad_times: a.bad_times + b.bad_times,
        torn_bytes: a.torn_bytes + b.torn_bytes,
        cut_streams: a.cut_streams + b.cut_streams,
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("inputs", &self.ids.len()).finish_non_exhaustive()
    }
}
