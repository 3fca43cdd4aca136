//! Extracts on threads of their own: batches as they come, or whole tables.
//!
//! Ordered, one thread replays all inputs merged by receive time, and batches come in that order.
//! Unordered, every core replays inputs of its own, which have nothing to do with each other: the
//! batches of one input come in its order, those of several as they are ready. A whole table is
//! always in order: inputs are replayed side by side and their rows merged afterwards.
//!
//! What waits to be taken is bounded; who drops the reader ends its threads.

use crate::ExtractError;
use crate::extract::{Extractor, Options, TableKind};
use crate::table::Table;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use gapless::replay::input::{self, Input, Progress};
use gapless::replay::pace::Speed;
use gapless::{Choices, Replay};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Batches that may wait to be taken.
const WAITING_MAX: usize = 4;
/// Most threads that read.
pub const THREADS_MAX: usize = 64;
/// Items between two looks at whether anybody still wants them.
const LOOK_EVERY: u32 = 1024;

/// Rows of one kind.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which table they are of.
    pub kind: TableKind,
    /// The rows; never changed.
    pub rows: RecordBatch,
}

/// How inputs are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Rows of a batch.
    pub batch_rows: usize,
    /// One order over all inputs, on one thread.
    pub ordered: bool,
    /// Threads; 0 = one for each core.
    pub threads: usize,
    /// Lines that cannot be read are kept as errors, and reading goes on.
    pub skip_errors: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { batch_rows: 65_536, ordered: true, threads: 0, skip_errors: false }
    }
}

enum Sent {
    Batch(Batch),
    Tables(usize, BTreeMap<TableKind, Table>),
    Failed(ExtractError),
    Skipped(String),
}

/// What a reader says when it is asked.
#[derive(Debug)]
pub enum Next {
    /// Rows.
    Batch(Batch),
    /// Nothing yet.
    Waiting,
    /// Every input was read.
    End,
}

/// An extract that runs.
#[derive(Debug)]
pub struct Reader {
    from: Receiver<Sent>,
    options: Options,
    /// Threads go on while it is held.
    _wanted: Arc<()>,
    progress: Arc<Mutex<Vec<Progress>>>,
    total: Option<u64>,
    /// What could not be read and was passed over.
    pub skipped: Vec<String>,
    tables: Vec<(usize, BTreeMap<TableKind, Table>)>,
    ended: bool,
}

/// Scales of integers that the first batch has fixed for all threads.
type Scales = Arc<Mutex<BTreeMap<(TableKind, String), u8>>>;

/// Tells the reader of a thread that panics: without it the end of the thread would pass for the
/// end of its inputs.
struct Alarm(Sender<Sent>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = "a thread that read inputs ended by a panic; rows of it are missing";
            // Nobody may be there to be told.
            let _ = self.0.send(Sent::Failed(ExtractError::Table(text.to_owned())));
        }
    }
}

/// What every thread has.
struct Worker {
    options: Options,
    reading: Reading,
    whole: bool,
    to: Sender<Sent>,
    wanted: Weak<()>,
    progress: Arc<Mutex<Vec<Progress>>>,
    scales: Scales,
}

impl Reader {
    /// Begins to read files, folders and patterns into batches.
    ///
    /// # Errors
    /// Paths that name nothing.
    pub fn batches(
        paths: &[String],
        options: Options,
        reading: Reading,
    ) -> Result<Self, ExtractError> {
        Self::start(paths, options, reading, false)
    }

    /// Begins to read them into whole tables.
    ///
    /// # Errors
    /// As [`Reader::batches`].
    pub fn tables(
        paths: &[String],
        options: Options,
        reading: Reading,
    ) -> Result<Self, ExtractError> {
        let ordered = options.spans_files();
        Self::start(paths, options, Reading { ordered, ..reading }, true)
    }

    fn start(
        paths: &[String],
        options: Options,
        reading: Reading,
        whole: bool,
    ) -> Result<Self, ExtractError> {
        let inputs = find(paths)?;
        let total = inputs.iter().map(Input::size).sum();
        let (to, from) = bounded(WAITING_MAX);
        let wanted = Arc::new(());
        let progress = Arc::new(Mutex::new(Vec::new()));
        let scales = Scales::default();
        let ordered = reading.ordered || options.spans_files();
        let threads = if ordered { 1 } else { threads(reading.threads, inputs.len()) };
        let parts = if ordered {
            vec![(0, inputs)]
        } else {
            inputs.into_iter().map(|input| vec![input]).enumerate().collect()
        };
        let parts = Arc::new(Mutex::new(parts.into_iter()));
        for _ in 0..threads {
            let worker = Worker {
                options: options.clone(),
                reading,
                whole,
                to: to.clone(),
                wanted: Arc::downgrade(&wanted),
                progress: Arc::clone(&progress),
                scales: Arc::clone(&scales),
            };
            let parts = Arc::clone(&parts);
            std::thread::Builder::new()
                .name("gapless-extract".to_owned())
                .spawn(move || {
                    let _alarm = Alarm(worker.to.clone());
                    while let Some((first, inputs)) = lock(&parts).next() {
                        if !worker.read(first, inputs) {
                            return;
                        }
                    }
                })
                .map_err(|error| ExtractError::Table(format!("no thread to read on: {error}")))?;
        }
        let tables = Vec::new();
        let skipped = Vec::new();
        Ok(Self { from, options, _wanted: wanted, progress, total, skipped, tables, ended: false })
    }

    /// The next batch; waits for it so long at most.
    ///
    /// # Errors
    /// An input that cannot be read, or a value that does not fit; the reader has ended.
    pub fn next(&mut self, at_most: Duration) -> Result<Next, ExtractError> {
        if self.ended {
            return Ok(Next::End);
        }
        match self.from.recv_timeout(at_most) {
            Ok(Sent::Batch(batch)) => Ok(Next::Batch(batch)),
            Ok(Sent::Tables(first, tables)) => {
                self.tables.push((first, tables));
                Ok(Next::Waiting)
            }
            Ok(Sent::Skipped(error)) => {
                self.skipped.push(error);
                Ok(Next::Waiting)
            }
            Ok(Sent::Failed(error)) => {
                self.ended = true;
                Err(error)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Waiting),
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = true;
                Ok(Next::End)
            }
        }
    }

    /// The whole table of a kind, once [`Next::End`] was said.
    ///
    /// # Errors
    /// Integers of several inputs that fit no common scale.
    pub fn table(&mut self, kind: TableKind) -> Result<RecordBatch, ExtractError> {
        self.tables.sort_by_key(|(first, _)| *first);
        let mut parts = Vec::new();
        for (_, tables) in &mut self.tables {
            parts.extend(tables.remove(&kind));
        }
        if parts.len() <= 1 {
            let none = || Extractor::new(self.options.clone(), 0).into_tables().remove(&kind);
            return match parts.pop().or_else(none) {
                Some(mut table) => table.take(),
                None => Err(ExtractError::Table(format!("{} was not asked for", kind.name()))),
            };
        }
        let order = merged(&parts);
        Table::gather(&parts, &order)?.take()
    }

    /// The kinds of its batches.
    #[must_use]
    pub fn kinds(&self) -> Vec<TableKind> {
        self.options.kinds.clone()
    }

    /// The columns of a kind before anything is read; scales of integers are then not known yet.
    #[must_use]
    pub fn schema(&self, kind: TableKind) -> Option<Schema> {
        let tables = Extractor::new(self.options.clone(), 0).into_tables();
        tables.get(&kind).map(Table::schema)
    }

    /// Bytes read so far, as they stand in the files, and how many there are, where it is known.
    #[must_use]
    pub fn progress(&self) -> (u64, Option<u64>) {
        let read = lock(&self.progress).iter().map(Progress::bytes).sum();
        (read, self.total)
    }
}

/// Every input behind the paths.
///
/// # Errors
/// Paths that name nothing.
pub fn find(paths: &[String]) -> Result<Vec<Input>, ExtractError> {
    match input::find(paths) {
        Ok(inputs) => Ok(inputs),
        Err(errors) => match errors.into_iter().reduce(gapless::Error::and) {
            Some(error) => Err(error.into()),
            None => Ok(Vec::new()),
        },
    }
}

/// How many threads so many inputs are worth.
#[must_use]
pub fn threads(asked: usize, inputs: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if asked == 0 { cores() } else { asked };
    threads.min(inputs).clamp(1, THREADS_MAX)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Whoever held it has left it whole: nothing under these locks can fail half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows of tables that are each in their own order, as the merge of their inputs has them: the
/// earlier receive time first, equal ones in the order of the inputs.
fn merged(parts: &[Table]) -> Vec<(u32, u32)> {
    let times: Vec<&[i64]> =
        parts.iter().map(|part| part.integers("recv_ns").unwrap_or(&[])).collect();
    let mut order = Vec::with_capacity(times.iter().map(|times| times.len()).sum());
    let mut heap: std::collections::BinaryHeap<_> = times
        .iter()
        .enumerate()
        .filter_map(|(part, times)| times.first().map(|at| core::cmp::Reverse((*at, part, 0))))
        .collect();
    while let Some(core::cmp::Reverse((_, part, row))) = heap.pop() {
        order.push((u32::try_from(part).unwrap_or(0), u32::try_from(row).unwrap_or(0)));
        if let Some(at) = times.get(part).and_then(|times| times.get(row + 1)) {
            heap.push(core::cmp::Reverse((*at, part, row + 1)));
        }
    }
    order
}

impl Worker {
    /// Replays inputs; `false` if nobody wants more.
    fn read(&self, first: usize, inputs: Vec<Input>) -> bool {
        let choices = Choices {
            venue: self.options.venue,
            to_ns: self.options.end_ns,
            speed: Speed::Max,
            config: Options::config(),
            symbols: self.options.symbols.clone(),
            ..Choices::default()
        };
        let (mut replay, failures) = Replay::with(inputs, choices);
        lock(&self.progress).extend(replay.progress().iter().cloned());
        for failure in failures {
            if !self.failed(failure) {
                return false;
            }
        }
        let mut extractor = Extractor::new(self.options.clone(), first);
        if !self.feed(&mut replay, &mut extractor) {
            return false;
        }
        if self.whole {
            return self.to.send(Sent::Tables(first, extractor.into_tables())).is_ok();
        }
        self.flush(&mut extractor)
    }

    fn feed(&self, replay: &mut Replay, extractor: &mut Extractor) -> bool {
        let mut until_look = LOOK_EVERY;
        loop {
            until_look -= 1;
            if until_look == 0 {
                until_look = LOOK_EVERY;
                if self.wanted.strong_count() == 0 {
                    return false;
                }
            }
            if self.options.on != crate::extract::On::Change && !self.tick(replay, extractor) {
                return false;
            }
            match replay.feed(extractor) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => {
                    if !self.failed(error) {
                        return false;
                    }
                }
            }
            if !self.told(extractor) {
                return false;
            }
        }
    }

    /// The rows that a clock owes before the next item.
    fn tick(&self, replay: &mut Replay, extractor: &mut Extractor) -> bool {
        match replay.next_ns(extractor) {
            Ok(Some(next_ns)) => {
                while extractor.tick(next_ns) {
                    if !self.told(extractor) || self.wanted.strong_count() == 0 {
                        return false;
                    }
                }
                true
            }
            Ok(None) => true,
            Err(error) => self.failed(error),
        }
    }

    /// Sends errors, and batches that are full.
    fn told(&self, extractor: &mut Extractor) -> bool {
        if let Some(error) = extractor.error() {
            // Nobody may be there to be told.
            let _ = self.to.send(Sent::Failed(error));
            return false;
        }
        if !self.whole && extractor.rows() >= self.reading.batch_rows {
            return self.flush(extractor);
        }
        true
    }

    fn failed(&self, error: gapless::Error) -> bool {
        if self.reading.skip_errors {
            return self.to.send(Sent::Skipped(error.to_string())).is_ok();
        }
        let _ = self.to.send(Sent::Failed(error.into()));
        false
    }

    fn flush(&self, extractor: &mut Extractor) -> bool {
        for (kind, table) in extractor.tables() {
            if table.is_empty() {
                continue;
            }
            let batch = self.agree(*kind, table).and_then(|()| table.take());
            let sent = match batch {
                Ok(rows) => Sent::Batch(Batch { kind: *kind, rows }),
                Err(error) => Sent::Failed(error),
            };
            let failed = matches!(sent, Sent::Failed(_));
            if self.to.send(sent).is_err() || failed {
                return false;
            }
        }
        true
    }

    /// Brings a table to the scales of the first batch of its kind, whichever thread made it.
    fn agree(&self, kind: TableKind, table: &mut Table) -> Result<(), ExtractError> {
        let mut fixed = lock(&self.scales);
        for (name, scale) in table.scales() {
            let agreed = *fixed.entry((kind, name.clone())).or_insert(scale);
            table.raise(&name, agreed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_is_not_taken_for_the_end() {
        let (to, from) = bounded(1);
        let thread = std::thread::spawn(move || {
            let _alarm = Alarm(to);
            panic!("meant");
        });
        assert!(thread.join().is_err());
        assert!(matches!(from.recv(), Ok(Sent::Failed(_))));
    }
}
