//! What the threads of an engine tell everybody else: which books there are, how the sources fare.
//!
//! Invariant: writers lock it only when a book appears or goes, or something ends or fails; never
//! on the way of a message.

use super::{BookInfo, EngineError};
use crate::reader::BookReader;
use crate::sync::{Condvar, Mutex, MutexGuard};
use gapless_feed::feed::ConnectionStatus;
use gapless_replay::input::Progress;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Errors of a source whose text is kept; further ones are counted.
pub const ERRORS_MAX: usize = 64;

/// How far a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SourceState {
    /// Everything was read; its books stand as they ended until the engine stops.
    Ended,
    /// The engine was stopped.
    Stopped,
    /// A thread of it panicked: its books are closed.
    Failed,
    /// Being read.
    Running,
}

/// How a source fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// As it was named when it was added.
    pub name: String,
    /// How far it is.
    pub state: SourceState,
    /// Bytes read of its files, as they lie there.
    pub bytes: u64,
    /// What went wrong, one line each; the first [`ERRORS_MAX`].
    pub errors: Vec<String>,
    /// How much went wrong.
    pub errors_count: u64,
    /// The connections of a live source; none if its thread gave no answer within a second.
    pub connections: Vec<ConnectionStatus>,
}

/// A thread's share of a source.
#[derive(Debug)]
pub(super) struct Part {
    pub source: usize,
    pub state: SourceState,
    pub progress: Vec<Progress>,
    pub errors: Vec<String>,
    pub errors_count: u64,
}

impl Part {
    pub const fn new(source: usize, progress: Vec<Progress>) -> Self {
        let state = SourceState::Running;
        Self { source, state, progress, errors: Vec::new(), errors_count: 0 }
    }

    pub fn error(&mut self, error: String) {
        self.errors_count += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }
}

/// A book that is published.
#[derive(Debug)]
pub(super) struct Listed {
    /// Whose it is.
    pub part: usize,
    pub channel: String,
    pub input: String,
    /// Every message replaces it: a channel of the best levels.
    pub is_picture: bool,
    pub reader: BookReader,
}

impl Listed {
    /// Whether a query means this book: `NAME`, `NAME@CHANNEL` or `NAME@CHANNEL@INPUT`.
    fn is_meant(&self, query: &str) -> bool {
        let Some(rest) = query.strip_prefix(self.reader.name()) else { return false };
        let Some(rest) = rest.strip_prefix('@') else { return rest.is_empty() };
        let Some(rest) = rest.strip_prefix(self.channel.as_str()) else { return false };
        rest.is_empty() || rest.strip_prefix('@') == Some(self.input.as_str())
    }

    pub fn full_name(&self) -> String {
        full_name(self.reader.name(), &self.channel, &self.input)
    }

    pub fn info(&self) -> BookInfo {
        let (state, reason) = self.reader.state();
        BookInfo {
            name: self.reader.name().to_owned(),
            channel: self.channel.clone(),
            input: self.input.clone(),
            state,
            reason,
            age_ns: self.reader.age_ns(),
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    books: Vec<Listed>,
    parts: Vec<Part>,
    /// Counts the runs of the engine.
    run: u64,
}

impl Inner {
    /// Whether no thread is left that could make a book appear. One that has read everything may be
    /// told of a name that is wanted.
    fn has_stopped(&self) -> bool {
        let stopped =
            |part: &Part| matches!(part.state, SourceState::Stopped | SourceState::Failed);
        !self.parts.is_empty() && self.parts.iter().all(stopped)
    }
}

/// The books and sources of an engine.
#[derive(Debug, Default)]
pub(super) struct Listing {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Listing {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new run begins; who waits for the end of the one before need not have woken in between.
    pub fn begin(&self, parts: Vec<Part>) {
        let mut inner = self.lock();
        *inner = Inner { books: Vec::new(), parts, run: inner.run + 1 };
        drop(inner);
        self.changed.notify_all();
    }

    /// Which run it is.
    pub fn run(&self) -> u64 {
        self.lock().run
    }

    pub fn add(&self, book: Listed) {
        self.lock().books.push(book);
        self.changed.notify_all();
    }

    /// Forgets a thread's books of this name; who reads them may go on reading.
    pub fn remove(&self, part: usize, name: &str) {
        self.lock().books.retain(|book| book.part != part || book.reader.name() != name);
    }

    /// Forgets every book of this name.
    pub fn forget(&self, name: &str) {
        self.lock().books.retain(|book| book.reader.name() != name);
    }

    pub fn error(&self, part: usize, error: String) {
        if let Some(part) = self.lock().parts.get_mut(part) {
            part.error(error);
        }
    }

    pub fn set(&self, part: usize, state: SourceState) {
        if let Some(part) = self.lock().parts.get_mut(part) {
            part.state = state;
        }
        self.changed.notify_all();
    }

    /// Whether a part was read to its end.
    pub fn has_ended(&self, part: usize) -> bool {
        self.lock().parts.get(part).is_some_and(|part| part.state == SourceState::Ended)
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().books.iter().map(Listed::full_name).collect()
    }

    pub fn books(&self) -> Vec<BookInfo> {
        self.lock().books.iter().map(Listed::info).collect()
    }

    pub fn book(&self, query: &str) -> Result<BookReader, EngineError> {
        find(&self.lock(), query).map(|book| book.reader.clone())
    }

    /// As [`Listing::book`], of a book that may appear within some time, unless the threads stop. A
    /// picture of the top is taken only when a book did not come.
    pub fn wait_for(&self, query: &str, at_most: Duration) -> Result<BookReader, EngineError> {
        let begun = Instant::now();
        let mut inner = self.lock();
        loop {
            let found = find(&inner, query);
            let left = at_most.saturating_sub(begun.elapsed());
            let is_final = match &found {
                Ok(book) => !book.is_picture || query != book.reader.name(),
                Err(error) => !matches!(error, EngineError::NoSuchBook { .. }),
            };
            if is_final || left.is_zero() || inner.has_stopped() {
                return found.map(|book| book.reader.clone());
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until no part of any source is being read in that run.
    pub fn join(&self, run: u64) {
        let is_running = |part: &Part| part.state == SourceState::Running;
        let running = |inner: &mut Inner| inner.run == run && inner.parts.iter().any(is_running);
        let ended = self.changed.wait_while(self.lock(), running);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    /// How a source fares; its connections are known to its thread only.
    pub fn source(&self, source: usize, name: &str) -> SourceStatus {
        let inner = self.lock();
        let mut status = SourceStatus {
            name: name.to_owned(),
            state: SourceState::Ended,
            bytes: 0,
            errors: Vec::new(),
            errors_count: 0,
            connections: Vec::new(),
        };
        if inner.parts.is_empty() {
            status.state = SourceState::Stopped;
        }
        for part in inner.parts.iter().filter(|part| part.source == source) {
            status.state = status.state.max(part.state);
            status.bytes += part.progress.iter().map(Progress::bytes).sum::<u64>();
            status.errors.extend_from_slice(&part.errors);
            status.errors_count += part.errors_count;
        }
        status
    }
}

/// What means one book whatever else appears.
pub(super) fn full_name(name: &str, channel: &str, input: &str) -> String {
    format!("{name}@{channel}@{input}")
}

/// The one book that a query means. Where several have a name, it means the one that is built from
/// changes, not a picture of the top beside it.
fn find<'i>(inner: &'i Inner, query: &str) -> Result<&'i Listed, EngineError> {
    let meant = || inner.books.iter().filter(|book| book.is_meant(query));
    let built = || meant().filter(|book| !book.is_picture);
    match (meant().count(), built().count()) {
        (0, _) => {}
        (1, _) | (_, 1) => {
            if let Some(book) = built().chain(meant()).next() {
                return Ok(book);
            }
        }
        _ => {
            let (name, meant) = (query.to_owned(), meant().map(Listed::full_name).collect());
            return Err(EngineError::Ambiguous { name, meant });
        }
    }
    Err(EngineError::NoSuchBook { name: query.to_owned() })
}
