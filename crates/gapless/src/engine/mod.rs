//! Engine: sources in, books that any thread may read while they change.
//!
//! ```text
//! source ─► share of its inputs ─► thread: read ─► session ─► book ─► publication ─► BookReader
//!       └─► share of its inputs ─► thread: …                                        any thread
//! ```
//! Invariant: one thread writes a book, and nobody makes it wait.
//!
//! # How the work is divided
//! An input belongs to one thread, with every connection and symbol in it: a frame is parsed,
//! sequenced, applied and published where it is read. Handing parsed messages to other threads
//! was not done: a hand-over between cores costs some hundred nanoseconds and a copy, which is what
//! a message costs altogether. A connection that is too much for one core is two connections.

mod listing;
mod live;
mod names;
mod outlets;
mod publications;
mod recorded;
mod subscription;
#[cfg(test)]
mod tests;
mod waker;
mod writer;

use crate::clock;
use crate::latency::{Recorder, Records};
use crate::live::LiveConfig;
use crate::reader::{BookReader, Wait};
use crate::report::OwnedReport;
use crate::run::{Choices, Replay};
use crate::sync::mpsc::{self, SyncSender};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Receiver, RecvTimeoutError, Sender, bounded};
use gapless_book::event::NO_TIME;
use gapless_book::local::{Reason, State};
use gapless_book::publish::{Config, LayoutError};
use gapless_feed::feed::ConnectionStatus;
use gapless_feed::{Feed, SharedGate};
use gapless_replay::ReplayError;
use gapless_replay::input::{self, Input};
use gapless_replay::pace::{Pacer, Speed};
use gapless_venues::instruments::Instruments;
pub use listing::{ERRORS_MAX, SourceState, SourceStatus};
use listing::{Listing, Part};
use live::Live;
use names::Names;
pub use outlets::INSTRUMENTS_MAX;
use outlets::{Outlet, Outlets};
use publications::Publications;
use recorded::{Recorded, Silence};
use std::any::Any;
use std::collections::{HashMap, HashSet, TryReserveError};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use subscription::Subscribers;
pub use subscription::{CAPACITY, Counts, Ended, Interest, Received, Remote, Slow, Subscription};
use waker::Waker;
use writer::{Opening, Writer};

/// Commands that may wait for a thread.
const COMMANDS_MAX: usize = 64;
/// Longest wait for a thread's answer: one that waits for bytes of a pipe gives none.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Threads of an engine.
pub const THREADS_MAX: usize = 1024;

/// Why an engine cannot do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineError {
    /// An input of a source cannot be read.
    Source(ReplayError),
    /// A live source cannot be had as it is configured.
    Live(String),
    /// The choices of its publications are out of their bounds.
    Config(LayoutError),
    /// It has no source.
    NoSource,
    /// It is running.
    Running,
    /// More than [`THREADS_MAX`] threads.
    TooManyThreads,
    /// The system gives no thread.
    Thread(std::io::Error),
    /// The system gives no memory for a subscription: ask for less ([`Interest::capacity`]).
    NoMemory(TryReserveError),
    /// No book of this name has appeared, or it was removed.
    NoSuchBook {
        /// What was asked for.
        name: String,
    },
    /// Several books have this name: on several channels, or from several inputs.
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The names that each mean one of them.
        meant: Vec<String>,
    },
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Live(error) => f.write_str(error),
            Self::Config(error) => write!(f, "publication: {error}"),
            Self::NoSource => f.write_str("the engine has no source; add one before it starts"),
            Self::Running => f.write_str("the engine is running; stop it first"),
            Self::TooManyThreads => write!(f, "more than {THREADS_MAX} threads"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::NoMemory(error) => write!(f, "no memory for a subscription: {error}"),
            Self::NoSuchBook { name } => {
                write!(f, "{name}: no such book; names are like VENUE:SYMBOL")
            }
            Self::Ambiguous { name, meant } => {
                write!(f, "{name}: means several books; ask for one of {}", meant.join(", "))
            }
        }
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Thread(error) => Some(error),
            Self::NoMemory(error) => Some(error),
            _ => None,
        }
    }
}

/// What an engine reads: recordings, or a feed.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    live: Option<Box<LiveConfig>>,
    paths: Vec<String>,
    inputs: Vec<Input>,
    choices: Choices,
    threads: usize,
}

impl Source {
    /// Files, folders or patterns, read merged by receive time; they are looked for when the engine
    /// starts.
    ///
    /// `-` is standard input. A thread that waits for bytes of a pipe gives no sign of life: its
    /// books are Stale, [`Reason::WriterSilent`], until the next ones come.
    #[must_use]
    pub fn replay<I: IntoIterator<Item = S>, S: Into<String>>(paths: I) -> Self {
        let paths: Vec<String> = paths.into_iter().map(Into::into).collect();
        Self { name: paths.join(" "), paths, ..Self::inputs(Vec::new()) }
    }

    /// A feed: it has one thread, on which frames are read, applied and published. It ends when the
    /// engine stops, or, of a replay by a machine, when all was played. What is said below of paces
    /// and threads concerns recordings only.
    #[must_use]
    pub fn live(config: LiveConfig) -> Self {
        let name = config.source.name.clone();
        Self { name, live: Some(Box::new(config)), ..Self::inputs(Vec::new()) }
    }

    /// As [`Source::replay`], of inputs.
    #[must_use]
    pub fn inputs(inputs: Vec<Input>) -> Self {
        let mut choices = Choices::default();
        // Nobody asks an engine for a book that is no longer true.
        choices.config.policy.keep_last_live = false;
        let name = inputs.iter().map(|input| input.name().as_str()).collect::<Vec<_>>().join(" ");
        Self { name, live: None, paths: Vec::new(), inputs, choices, threads: 1 }
    }

    /// Its name in [`Engine::status`]; else its paths.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Every choice of its replay.
    #[must_use]
    pub fn choices(mut self, choices: Choices) -> Self {
        self.choices = choices;
        self
    }

    /// Its pace. All threads of all sources start their clocks together.
    #[must_use]
    pub const fn speed(mut self, speed: Speed) -> Self {
        self.choices.speed = speed;
        self
    }

    /// Threads over which its inputs are spread, largest first; at most one for each input. Within
    /// a thread they are merged by receive time. Default: 1.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Its inputs, one list for each thread.
    fn shares(&self) -> Result<Vec<Vec<Input>>, ReplayError> {
        let mut inputs = self.inputs.clone();
        if !self.paths.is_empty() {
            let found = input::find(&self.paths);
            inputs.extend(match found.map_err(|errors| errors.into_iter().next()) {
                Ok(found) => found,
                Err(Some(error)) => return Err(error),
                Err(None) => Vec::new(),
            });
        }
        let threads = self.threads.clamp(1, inputs.len().max(1));
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        let size = |at: &usize| inputs.get(*at).and_then(Input::size).unwrap_or(u64::MAX);
        order.sort_by_key(|at| std::cmp::Reverse(size(at)));
        let mut shares: Vec<(u64, Vec<usize>)> = vec![(0, Vec::new()); threads];
        for at in order {
            if let Some(least) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                least.0 = least.0.saturating_add(size(&at)).saturating_add(1);
                least.1.push(at);
            }
        }
        // Equal receive times go in the order of the inputs, whoever reads them.
        let share = |(_, mut places): (u64, Vec<usize>)| {
            places.sort_unstable();
            places.iter().filter_map(|at| inputs.get(*at).cloned()).collect()
        };
        Ok(shares.into_iter().map(share).collect())
    }
}

/// Which books are published.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// The names are those that are wanted, not those that are not.
    only: bool,
    names: HashSet<String>,
}

impl Wanted {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) == self.only
    }

    fn add(&mut self, name: &str) {
        self.set(name, self.only);
    }

    fn remove(&mut self, name: &str) {
        self.set(name, !self.only);
    }

    fn set(&mut self, name: &str, listed: bool) {
        if listed {
            self.names.insert(name.to_owned());
        } else {
            self.names.remove(name);
        }
    }
}

/// What a thread is told while it runs.
#[derive(Debug)]
enum Command {
    Add(String),
    Remove(String),
    Subscribe(Outlet),
    /// Times messages into these from now on, or no more.
    Measure(Option<Box<Records>>),
    /// Gives what was recorded for these, which are empty.
    Latency(Box<Records>, Sender<Box<Records>>),
    /// How the connections of its source fare.
    Connections(SyncSender<Vec<ConnectionStatus>>),
    /// Every book as it stands.
    Report(SyncSender<Vec<OwnedReport>>),
}

/// What a thread reads, before it is on its thread.
enum Reading {
    Recorded(Box<Replay>),
    Live(Box<Feed>, Box<LiveConfig>),
}

struct Opened {
    source: usize,
    writer: Writer,
    commands: Sender<Command>,
    reading: Reading,
}

/// A book of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookInfo {
    /// `venue[.market]:SYMBOL`.
    pub name: String,
    /// Channel without the symbol.
    pub channel: String,
    /// Input that it comes from.
    pub input: String,
    /// What may be thought of it.
    pub state: State,
    /// Why it is not live.
    pub reason: Reason,
    /// Time since its writer's last sign of life, ns.
    pub age_ns: i64,
}

impl BookInfo {
    /// `NAME@CHANNEL@INPUT`, which means this book whatever else appears: see [`Engine::book`].
    #[must_use]
    pub fn full_name(&self) -> String {
        listing::full_name(&self.name, &self.channel, &self.input)
    }
}

/// Choices of an engine.
#[derive(Clone, Debug)]
pub struct Builder {
    sources: Vec<Source>,
    wanted: Wanted,
    config: Config,
    idle: Wait,
    cores: Vec<usize>,
    freshness: Option<Duration>,
    instruments: Arc<Instruments>,
    #[cfg(target_os = "linux")]
    shared: Option<(crate::shm::Directory, String)>,
}

impl Builder {
    /// Adds a source.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Its live sources.
    pub fn live_sources(&self) -> impl Iterator<Item = &LiveConfig> {
        self.sources.iter().filter_map(|source| source.live.as_deref())
    }

    /// Publishes these books only (`VENUE[.MARKET]:SYMBOL`); without it, all.
    #[must_use]
    pub fn books<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.wanted = Wanted { only: true, names };
        self
    }

    /// Choices of every publication.
    #[must_use]
    pub const fn publication(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How a thread waits until a record of a recording is due; what a feed brings wakes its
    /// thread. Default: sleeps of at most 1 ms.
    #[must_use]
    pub const fn idle(mut self, idle: Wait) -> Self {
        self.idle = idle;
        self
    }

    /// Binds the threads to these cores, in turn. Default: none is bound.
    #[must_use]
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.cores = cores.into_iter().collect();
        self
    }

    /// Books that were silent for longer than this are Stale, [`Reason::Silent`], until their next
    /// message. Time is that of the source: of recordings the receive time, at whatever pace, and
    /// it ends with them. It shows within a tenth of the limit. A live source that states its own
    /// (`symbol_silence_ns`) goes by that. Default: silence means nothing, as some books are
    /// silent for minutes and healthy.
    #[must_use]
    pub const fn freshness(mut self, limit: Duration) -> Self {
        self.freshness = Some(limit);
        self
    }

    /// What is known of the instruments of all sources before they say it themselves: of lists that
    /// were kept ([`gapless_replay::lists::read`]). A book knows its tick, lot, contract value,
    /// kind and status from its beginning
    /// ([`BookReport::instrument`](crate::BookReport::instrument)); what a recording or a venue
    /// says of it later replaces that. A source that was given lists of
    /// its own ([`Choices::instruments`], `SourceConfig::instruments`) goes by those alone.
    /// Default: nothing is known.
    #[must_use]
    pub fn instruments(mut self, table: impl Into<Arc<Instruments>>) -> Self {
        self.instruments = table.into();
        self
    }

    /// Publishes every book in shared memory under the name of this engine, where other processes
    /// find it ([`crate::shm`]). A book for which there is no room or whose name another engine
    /// has is published in this process only, and [`Engine::status`] says so.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn share(mut self, directory: crate::shm::Directory, engine: impl Into<String>) -> Self {
        self.shared = Some((directory, engine.into()));
        self
    }

    /// Gives a source the lists of all where it has none of its own.
    fn make_known(&self, own: &mut Arc<Instruments>) {
        if own.is_empty() {
            own.clone_from(&self.instruments);
        }
    }

    /// An engine that has not started.
    #[must_use]
    pub fn build(self) -> Engine {
        Engine {
            builder: self,
            listing: Arc::default(),
            threads: Vec::new(),
            gates: HashMap::new(),
            names: Arc::default(),
            measured: None,
            asked: Vec::new(),
            subscribers: Subscribers::default(),
            waker: Arc::default(),
            waking: None,
        }
    }

    /// As [`Builder::build`], started.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start(self) -> Result<Engine, EngineError> {
        let mut engine = self.build();
        engine.start()?;
        Ok(engine)
    }
}

#[derive(Debug)]
struct Thread {
    /// Whose it is, by place among the sources.
    source: usize,
    /// It has connections.
    is_live: bool,
    /// Dropping it tells the thread to stop.
    commands: Sender<Command>,
    handle: JoinHandle<()>,
}

/// Sources, threads and books. Dropping it stops it.
///
/// Reading and asking take `&self` and may be done from any thread; readers ([`BookReader`]) belong
/// to whoever holds them and outlive it.
#[derive(Debug)]
pub struct Engine {
    builder: Builder,
    listing: Arc<Listing>,
    threads: Vec<Thread>,
    /// By server and local address.
    gates: HashMap<(String, Option<IpAddr>), SharedGate>,
    names: Arc<Names>,
    /// What was recorded of messages until it was last asked for; `None`: nothing is timed.
    measured: Option<Box<Records>>,
    /// Answers of threads that have not come yet.
    asked: Vec<Receiver<Box<Records>>>,
    subscribers: Subscribers,
    waker: Arc<Waker>,
    /// The waker's thread, once somebody subscribed.
    waking: Option<JoinHandle<()>>,
}

impl Engine {
    /// An engine without sources.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            sources: Vec::new(),
            wanted: Wanted::default(),
            config: Config::default(),
            idle: Wait::Sleep(Duration::from_millis(1)),
            cores: Vec::new(),
            freshness: None,
            instruments: Arc::default(),
            #[cfg(target_os = "linux")]
            shared: None,
        }
    }

    /// Opens every source and starts its threads. An engine that was stopped begins anew: its
    /// sources from their beginning, its books with new publications.
    ///
    /// # Errors
    /// It runs, has no source, a path leads nowhere, a choice is out of its bounds, or the system
    /// gives no thread or no memory; nothing runs then. An input that cannot be read on is told by
    /// [`Engine::status`]; the others go on.
    pub fn start(&mut self) -> Result<(), EngineError> {
        if !self.threads.is_empty() {
            return Err(EngineError::Running);
        }
        self.builder.config.words().map_err(EngineError::Config)?;
        let opened = self.open()?;
        let recorded = opened.iter().filter_map(|opened| match &opened.reading {
            Reading::Recorded(replay) => replay.first_ns(),
            Reading::Live(..) => None,
        });
        let first = recorded.filter(|ns| *ns != NO_TIME).min();
        let start = Instant::now();
        for Opened { source, mut writer, commands, reading } in opened {
            let is_live = matches!(reading, Reading::Live(..));
            match self.subscribers.outlets() {
                Ok(outlets) => outlets.into_iter().for_each(|o| writer.books.outlets.add(o)),
                Err(error) => return Err(self.give_up(EngineError::NoMemory(error))),
            }
            if self.measured.is_some() {
                writer.books.recorder = Some(Box::new(Recorder::new(Box::default())));
            }
            let opening = self.opening(reading, first, start);
            match self.spawn(writer, opening) {
                Ok(handle) => self.threads.push(Thread { source, is_live, commands, handle }),
                Err(error) => return Err(self.give_up(error)),
            }
            self.waker.changed();
        }
        Ok(())
    }

    /// Ends a start of which some threads may run already.
    fn give_up(&mut self, error: EngineError) -> EngineError {
        self.stop();
        // Nobody waits for threads that never were.
        self.listing.begin(Vec::new());
        error
    }

    /// How a thread comes to what it reads.
    fn opening(&self, reading: Reading, first: Option<i64>, start: Instant) -> Opening {
        let idle = self.builder.idle;
        let silence = self.builder.freshness.map(Silence::new);
        match reading {
            Reading::Recorded(replay) => {
                let speed = replay.speed();
                let pacer =
                    || first.map_or_else(|| Pacer::new(speed), |ns| Pacer::since(speed, ns));
                let pacer = (speed != Speed::Max).then(pacer);
                Box::new(move || {
                    Ok(Box::new(Recorded {
                        replay: *replay,
                        pacer,
                        start,
                        idle,
                        silence,
                        due: None,
                    }))
                })
            }
            Reading::Live(feed, config) => {
                Box::new(move || Ok(Box::new(Live::open(*feed, *config)?)))
            }
        }
    }

    /// The writers of every source and what they read.
    fn open(&mut self) -> Result<Vec<Opened>, EngineError> {
        if self.builder.sources.is_empty() {
            return Err(EngineError::NoSource);
        }
        let (mut opened, mut parts) = (Vec::new(), Vec::new());
        for (at, source) in self.builder.sources.clone().iter().enumerate() {
            for (mut part, reading) in self.readings(source)? {
                if opened.len() >= THREADS_MAX {
                    return Err(EngineError::TooManyThreads);
                }
                part.source = at;
                let (commands, receiver) = bounded(COMMANDS_MAX);
                let writer = self.writer(parts.len(), receiver);
                opened.push(Opened { source: at, writer, commands, reading });
                parts.push(part);
            }
        }
        self.listing.begin(parts);
        Ok(opened)
    }

    fn writer(&self, part: usize, commands: Receiver<Command>) -> Writer {
        Writer {
            part,
            books: Publications::telling(Outlets::new(Arc::clone(&self.names))),
            waker: Arc::clone(&self.waker),
            wanted: self.builder.wanted.clone(),
            commands,
            listing: Arc::clone(&self.listing),
            config: self.builder.config,
            #[cfg(target_os = "linux")]
            shared: self.builder.shared.clone(),
            beaten_ns: clock::now_ns(),
        }
    }

    /// What the threads of a source read.
    fn readings(&mut self, source: &Source) -> Result<Vec<(Part, Reading)>, EngineError> {
        if let Some(config) = &source.live {
            let feed = self.feed(config)?;
            let reading = Reading::Live(Box::new(feed), config.clone());
            return Ok(vec![(Part::new(0, Vec::new()), reading)]);
        }
        let shares = source.shares().map_err(EngineError::Source)?;
        let mut choices = source.choices.clone();
        self.builder.make_known(&mut choices.instruments);
        let reading = |share| {
            let (replay, failures) = Replay::with(share, choices.clone());
            let mut part = Part::new(0, replay.progress().to_vec());
            failures.iter().for_each(|failure| part.error(failure.to_string()));
            (part, Reading::Recorded(Box::new(replay)))
        };
        Ok(shares.into_iter().map(reading).collect())
    }

    /// A feed that has not started. Sources that ask the same server from the same address share
    /// its budgets, also over restarts.
    fn feed(&mut self, config: &LiveConfig) -> Result<Feed, EngineError> {
        let mut source = config.source.clone();
        if let Some(key) = &config.key {
            let failed = |error| EngineError::Live(format!("{}: {error}", source.name));
            source.key = Some(key.read().map_err(failed)?);
        }
        self.builder.make_known(&mut source.instruments);
        let freshness = self.builder.freshness.map(|limit| i64::try_from(limit.as_nanos()));
        let freshness = freshness.map(|limit_ns| limit_ns.unwrap_or(i64::MAX));
        source.symbol_silence_ns = source.symbol_silence_ns.or(freshness);
        let local = source.lines.first().and_then(|line| line.local);
        let gate = self.gates.entry((source.rest_base(), local));
        let gate = gate.or_insert_with(|| SharedGate::new(&source.live())).clone();
        let (seed, name) = (clock::now_ns().unsigned_abs(), source.name.clone());
        Feed::new(source, gate, seed).map_err(|e| EngineError::Live(format!("{name}: {e}")))
    }

    fn spawn(&self, mut writer: Writer, opening: Opening) -> Result<JoinHandle<()>, EngineError> {
        let part = writer.part;
        let cores = &self.builder.cores;
        let core = cores.get(part.checked_rem(cores.len()).unwrap_or(0)).copied();
        let (listing, waker) = (Arc::clone(&self.listing), Arc::clone(&self.waker));
        let body = move || {
            if let Some(error) = core.and_then(|core| bind(core).err()) {
                listing.error(part, error);
            }
            // Whatever happens, readers are told: a publication that is dropped is closed.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(move || writer.run(opening))) {
                listing.error(part, format!("its thread panicked: {}", words(&*panic)));
                listing.set(part, SourceState::Failed);
            }
            // Whatever ended it: its rings have ended with it.
            waker.changed();
        };
        let name = format!("gapless-{part}");
        thread::Builder::new().name(name).spawn(body).map_err(EngineError::Thread)
    }

    /// Stops every thread and waits for it. Books say [`Reason::Closed`] from then on. Does nothing
    /// if the engine is not running.
    ///
    /// A thread that waits for bytes of a pipe is waited for.
    pub fn stop(&mut self) {
        self.ask_for_records();
        let (commands, handles): (Vec<_>, Vec<_>) =
            self.threads.drain(..).map(|thread| (thread.commands, thread.handle)).unzip();
        drop(commands);
        for handle in handles {
            // A panic was caught and told in the thread itself.
            let _ = handle.join();
        }
        self.take_records(Duration::ZERO);
    }

    /// Waits until every source was read to its end. The books stay as they ended, and live if they
    /// were, until the engine stops.
    pub fn join(&self) {
        self.listing.join(self.listing.run());
    }

    /// As [`Engine::join`], for who must not hold the engine meanwhile: it ends too when the engine
    /// is stopped, restarted or dropped.
    pub fn joining(&self) -> impl FnOnce() + Send + use<> {
        let (listing, run) = (Arc::clone(&self.listing), self.listing.run());
        move || listing.join(run)
    }

    /// Stops and starts.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn restart(&mut self) -> Result<(), EngineError> {
        self.stop();
        self.start()
    }

    /// A reader of a book that has appeared: `VENUE[.MARKET]:SYMBOL`, followed by `@CHANNEL`, or by
    /// `@CHANNEL@INPUT`, where several books have that name. The name alone means the book that is
    /// built from changes where channels of the best levels stand beside it.
    ///
    /// # Errors
    /// There is no such book, or there are several.
    pub fn book(&self, name: &str) -> Result<BookReader, EngineError> {
        self.listing.book(name)
    }

    /// As [`Engine::book`], of a book that may appear within some time. A name without a channel
    /// waits for a book that is built from changes, and takes another when none came. The wait ends
    /// early when the threads have ended that could make one appear.
    ///
    /// # Errors
    /// As [`Engine::book`].
    pub fn wait_for(&self, name: &str, at_most: Duration) -> Result<BookReader, EngineError> {
        self.listing.wait_for(name, at_most)
    }

    /// As [`Engine::wait_for`], for who must not hold the engine meanwhile. Of an engine that runs,
    /// it also ends when that is stopped or dropped.
    pub fn waiting_for(
        &self,
        name: &str,
        at_most: Duration,
    ) -> impl FnOnce() -> Result<BookReader, EngineError> + Send + use<> {
        let (listing, name) = (Arc::clone(&self.listing), name.to_owned());
        move || listing.wait_for(&name, at_most)
    }

    /// [`BookInfo::full_name`] of every published book, in no order.
    #[must_use]
    pub fn book_names(&self) -> Vec<String> {
        self.listing.names()
    }

    /// Every published book with its state.
    #[must_use]
    pub fn books(&self) -> Vec<BookInfo> {
        self.listing.books()
    }

    /// Every book as it stands, whole, also those that are not published. Each thread copies its
    /// books between two frames: meant for reports, not for trading.
    #[must_use]
    pub fn reports(&self) -> Vec<OwnedReport> {
        let asked = self.threads.iter().filter_map(|thread| {
            let (sender, answer) = mpsc::sync_channel(1);
            thread.commands.send(Command::Report(sender)).ok().map(|()| answer)
        });
        let asked: Vec<_> = asked.collect();
        asked.iter().flat_map(|answer| answer.recv().unwrap_or_default()).collect()
    }

    /// How the sources fare. Live ones are asked for their connections, which their threads say
    /// between two frames, within some 20 ms.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        let threads = self.threads.iter().filter(|thread| thread.is_live);
        let asked = threads.filter_map(|thread| {
            let (sender, answer) = mpsc::sync_channel(1);
            let asked = thread.commands.try_send(Command::Connections(sender));
            asked.ok().map(|()| (thread.source, answer))
        });
        let asked: Vec<_> = asked.collect();
        let sources = self.builder.sources.iter().enumerate();
        let mut all: Vec<_> =
            sources.map(|(at, source)| self.listing.source(at, &source.name)).collect();
        for (source, answer) in asked {
            let connections = answer.recv_timeout(ANSWER_WAIT);
            if let (Some(status), Ok(connections)) = (all.get_mut(source), connections) {
                status.connections.extend(connections);
            }
        }
        all
    }

    /// Gives events from now on, also after a stop and a new start, until the subscription is
    /// dropped. What a receiver does costs the threads that apply books nothing: each writes to a
    /// ring of the receiver's own and never waits.
    ///
    /// # Errors
    /// The system gives no thread, or no memory.
    pub fn subscribe(&mut self, interest: &Interest) -> Result<Subscription, EngineError> {
        if self.waking.is_none() {
            self.waking = Some(self.waker.start().map_err(EngineError::Thread)?);
        }
        let (names, waker) = (Arc::clone(&self.names), Arc::clone(&self.waker));
        let added = self.subscribers.add(interest, self.threads.len(), names, waker);
        let (subscription, outlets) = added.map_err(EngineError::NoMemory)?;
        for (thread, outlet) in self.threads.iter().zip(outlets) {
            // With a thread that has gone its end goes too.
            let _ = thread.commands.send(Command::Subscribe(outlet));
        }
        Ok(subscription)
    }

    /// Times every message from now on, or no more; what was recorded before is forgotten. Each
    /// thread that is timed takes 2 MiB.
    pub fn measure(&mut self, on: bool) {
        self.measured = on.then(Box::default);
        self.asked.clear();
        self.tell(|| Command::Measure(on.then(Box::default)));
    }

    /// What was recorded since [`Engine::measure`], of all threads, also over restarts; `None` if
    /// nothing is timed. What a thread has that does not answer, because it waits for bytes of a
    /// pipe, is in a later answer; all together are waited for a second at most.
    pub fn latency(&mut self) -> Option<&Records> {
        self.ask_for_records();
        self.take_records(ANSWER_WAIT);
        self.measured.as_deref()
    }

    /// Asks the threads for what they have recorded.
    fn ask_for_records(&mut self) {
        if self.measured.is_none() {
            return;
        }
        for thread in &self.threads {
            let (sender, answer) = bounded(1);
            let command = Command::Latency(Box::default(), sender);
            self.asked.extend(thread.commands.try_send(command).ok().map(|()| answer));
        }
    }

    /// Takes what the threads have answered; who has not yet is asked again next time.
    fn take_records(&mut self, at_most: Duration) {
        let Some(measured) = &mut self.measured else { return };
        let begun = Instant::now();
        self.asked.retain(|answer| {
            match answer.recv_timeout(at_most.saturating_sub(begun.elapsed())) {
                Ok(records) => measured.add(&records),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => {}
            }
            false
        });
    }

    /// Publishes the books of this name, now or when they appear. No other book is touched.
    pub fn add(&mut self, name: &str) {
        self.builder.wanted.add(name);
        self.tell(|| Command::Add(name.to_owned()));
    }

    /// Ends the publication of the books of this name: their readers see [`State::Stale`],
    /// [`Reason::Closed`]. They are still kept, so that [`Engine::add`] shows them as they are.
    pub fn remove(&mut self, name: &str) {
        self.builder.wanted.remove(name);
        // At once, so that who asks for it again is not given the one that ends.
        self.listing.forget(name);
        self.tell(|| Command::Remove(name.to_owned()));
    }

    /// A thread that waits for bytes of a pipe obeys when they come; the caller waits for it once
    /// as many commands do.
    fn tell(&self, command: impl Fn() -> Command) {
        for thread in &self.threads {
            // A thread that has gone has told why.
            let _ = thread.commands.send(command());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        self.waker.end();
        if let Some(waking) = self.waking.take() {
            // It ends whatever it met.
            let _ = waking.join();
        }
    }
}

/// Binds this thread to a core.
#[cfg(target_os = "linux")]
fn bind(core: usize) -> Result<(), String> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if core >= CpuSet::MAX_CPU {
        return Err(format!("core {core}: at most {}", CpuSet::MAX_CPU));
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| format!("cannot bind to core {core}: {error}"))
}

/// Binds this thread to a core.
#[cfg(not(target_os = "linux"))]
fn bind(core: usize) -> Result<(), String> {
    Err(format!("cannot bind to core {core}: not on this system"))
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
