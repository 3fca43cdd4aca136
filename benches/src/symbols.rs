//! Many symbols on one connection: what a message costs and what a book takes, with and without
//! being published.
//!
//! One recorded symbol becomes a crowd: every symbol has its snapshot and its deltas, in an order
//! that is shuffled anew for each delta, so that no book is in the caches because it was just used.
//! Only the path of a delta is timed: frame, session, book, publication.
//!
//! Every count is measured on as many books, [`COUNT_MAX`] or nearly so: one session after the
//! other with `count` symbols each, all of them kept. Memory is what the process has touched
//! (`RssAnon`), for which each measurement has a process of its own, and some books are made before
//! it that take up what loading the frames left free.

use crate::feed::{Feed, Patched, config};
use crate::resident::resident;
use gapless::Memory;
use gapless::clock;
use gapless_book::book::{Change, Observer};
use gapless_book::event::{Level, Side};
use gapless_book::local::Outcome;
use gapless_book::publish::{Config, Publisher};
use gapless_replay::record::RecordKind;
use gapless_sim::rng::Rng;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::kernel::FrameBuf;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::Handler;
use std::sync::Arc;
use std::time::Instant;

/// Counts of symbols that are measured.
pub const COUNTS: [usize; 3] = [1, 100, 2_000];
/// Most symbols, and the books of a measurement.
pub const COUNT_MAX: usize = 2_000;
/// Books before those that are weighed.
const SOAK: usize = 200;

/// How a crowd's books are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// To nobody.
    Not,
    /// Best bid and ask and the best levels.
    Top,
    /// All of that, and the log of changes with the whole book.
    Whole,
}

impl Shown {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Not, Self::Top, Self::Whole];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Not => "not published",
            Self::Top => "top and 20 levels",
            Self::Whole => "log and whole book too",
        }
    }

    /// The publication's choices.
    #[must_use]
    pub fn config(self, config: Config) -> Option<Config> {
        match self {
            Self::Not => None,
            Self::Top => Some(Config { ring: 0, ..config }),
            Self::Whole => Some(config),
        }
    }
}

/// What a crowd came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Mean time of a delta, ns.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: f64,
    /// 99th percentile.
    pub p99_ns: f64,
    /// Bytes that a book takes, with everything that belongs to it.
    pub bytes: f64,
    /// Books of a session that were live in the end.
    pub live: usize,
}

/// Publishes what a session makes.
struct Books {
    config: Option<Config>,
    /// By number of the book.
    publishers: Vec<Publisher<Arc<Memory>>>,
    live: usize,
}

impl Books {
    fn publisher(&self) -> Option<Publisher<Arc<Memory>>> {
        let config = self.config?;
        let memory = Arc::new(Memory::new(config.words().ok()?));
        Publisher::create(memory, &config, 1, clock::now_ns()).ok()
    }
}

impl Handler for Books {
    #[inline]
    fn level(&mut self, id: BookId, side: Side, level: Level, change: Change) {
        if let Some(publisher) = self.publishers.get_mut(id.0 as usize) {
            publisher.level(side, level, change);
        }
    }

    #[inline]
    fn book(&mut self, id: BookId, entry: &BookEntry, _: &Outcome) {
        let at = id.0 as usize;
        while at >= self.publishers.len() {
            let Some(publisher) = self.publisher() else { break };
            self.publishers.push(publisher);
        }
        self.live += usize::from(entry.local.live().is_some());
        if let Some(publisher) = self.publishers.get_mut(at) {
            publisher.publish(&entry.local, clock::now_ns());
        }
    }
}

/// Sessions of `count` symbols each, with `messages` deltas a symbol; all but the first tenth of
/// the deltas are timed.
///
/// `None`: there are no or too many symbols, the feed has no symbol with a snapshot and as many
/// deltas, or the system does not tell what the process has touched.
#[must_use]
pub fn measure(
    feed: &Feed,
    (count, messages): (usize, usize),
    publication: Option<Config>,
) -> Option<Cost> {
    let sessions = COUNT_MAX.checked_div(count).filter(|sessions| *sessions > 0)?;
    let mut run = Run {
        venue: feed.venue()?,
        steps: feed.patched(messages)?,
        publication,
        buffer: FrameBuf::new(),
        // What the measuring itself needs is touched before it begins.
        times: vec![0; sessions * count * messages],
    };
    let soak = run.session(SOAK);
    run.times.clear();
    let before = resident()?;
    let made: Vec<_> = (0..sessions).map(|_| run.session(count)).collect();
    let bytes = (resident()? - before) / (sessions * count) as f64;
    let live = made.iter().map(|(_, books)| books.live).sum::<usize>() / sessions;
    drop((soak, made));
    let mut times = run.times;
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map(|ns| f64::from(*ns));
    let mean_ns = times.iter().map(|ns| f64::from(*ns)).sum::<f64>() / times.len() as f64;
    Some(Cost { mean_ns, p50_ns: at(0.5)?, p99_ns: at(0.99)?, bytes, live })
}

/// What sessions are made of, and their times.
struct Run {
    venue: VenueId,
    steps: Vec<Patched>,
    publication: Option<Config>,
    buffer: FrameBuf,
    /// Of deltas, ns.
    times: Vec<u32>,
}

impl Run {
    /// A session of `count` symbols that has seen everything.
    fn session(&mut self, count: usize) -> (AnySession, Books) {
        let mut session = self.venue.session(config());
        let mut books = Books { config: self.publication, publishers: Vec::new(), live: 0 };
        session.connect("", &mut books);
        let mut order: Vec<usize> = (0..count).collect();
        let mut rng = Rng::new(count as u64);
        let warm = self.steps.len() / 10 + 2;
        for (at, step) in self.steps.iter_mut().enumerate() {
            for place in (1..count).rev() {
                order.swap(place, rng.below(place as u64 + 1) as usize);
            }
            books.live = 0;
            for symbol in &order {
                let Patched { kind, recv_ns, source, payload, .. } = step.patch(*symbol);
                if *kind == RecordKind::Http {
                    session.rest(*recv_ns, source, payload, &mut books);
                    continue;
                }
                self.buffer.fill(payload);
                let from = Instant::now();
                session.frame(*recv_ns, self.buffer.frame(), &mut books);
                let took = from.elapsed().as_nanos();
                if at >= warm {
                    self.times.push(u32::try_from(took).unwrap_or(u32::MAX));
                }
            }
        }
        (session, books)
    }
}
