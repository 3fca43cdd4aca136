//! A market heard by a client: what its recorder would have written, and what it must then hold.
//!
//! Plays one market through one dialect in virtual time, adds the way of each frame to the
//! recorder, fetches REST snapshots as a client would (asked for after the first delta, arriving
//! while deltas go on), and injects losses and repeats where asked. Invariants: receive times
//! never go back, frames of one connection keep their order, and [`BookTruth`] is what the frames
//! that remain in the recording say, not what the market did.

use std::io::{self, Write};

use crate::book::Book;
use crate::dialect::{BookName, Dialect, Frame, Kind};
use crate::market::Market;
use crate::rng::Rng;

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The `nth` delta of a symbol (from 0) is lost; the book stays broken.
    Drop {
        /// Index of the symbol.
        symbol: usize,
        /// Number of the delta.
        nth: usize,
    },
    /// As `Drop`, but the client asks for a new REST snapshot when it sees the gap.
    DropAndResync {
        /// Index of the symbol.
        symbol: usize,
        /// Number of the delta.
        nth: usize,
    },
    /// The `nth` delta of a symbol comes twice.
    Duplicate {
        /// Index of the symbol.
        symbol: usize,
        /// Number of the delta.
        nth: usize,
    },
}

impl Fault {
    const fn hits(self, symbol: usize, nth: usize) -> bool {
        match self {
            Self::Drop { symbol: s, nth: n }
            | Self::DropAndResync { symbol: s, nth: n }
            | Self::Duplicate { symbol: s, nth: n } => s == symbol && n == nth,
        }
    }
}

/// What one book must be after the recording.
#[derive(Clone, Debug)]
pub struct BookTruth {
    /// Its names.
    pub name: BookName,
    /// `live`, or `syncing` where a loss was not healed.
    pub live: bool,
    /// Losses that the recording shows.
    pub gaps: u32,
    /// Deltas that come twice.
    pub duplicates: u32,
    /// Sequence of the last message that changed it while live; `None` for venues without.
    pub seq: Option<i64>,
    /// The book, as it was when last live.
    pub book: Book,
}

/// Lines of a capture and the books they make.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Frames in order of receive time, which is their `at_ns`.
    pub frames: Vec<Frame>,
    /// One per symbol.
    pub books: Vec<BookTruth>,
}

/// How to record.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of the network and of the client's timing.
    pub seed: u64,
    /// Stop after this many frames.
    pub frames: usize,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Time between opening the connections and the market's first activity.
const LEAD_NS: u64 = 500_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Heartbeats come this often.
const KEEPALIVE_NS: u64 = 20 * SECOND_NS;

impl Recording {
    /// Records a market whose first activity is still to come.
    ///
    /// A market without symbols gives an empty recording.
    #[must_use]
    pub fn of(market: Market, dialect: impl Dialect + 'static, plan: &Plan) -> Self {
        let Some(start_ns) = market.next_ns() else { return Self::default() };
        let mut recorder = Recorder::new(market, Box::new(dialect), plan, start_ns);
        recorder.open(start_ns.saturating_sub(LEAD_NS));
        while recorder.frames.len() < plan.frames {
            recorder.turn();
        }
        recorder.finish()
    }

    /// Two recordings made side by side, as one client's recorder writes them.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.frames.extend(other.frames);
        self.frames.sort_by_key(|frame| frame.at_ns);
        self.books.extend(other.books);
        self
    }

    /// Writes the lines of a capture (`docs/capture.md`), uncompressed.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_capture(&self, out: &mut impl Write) -> io::Result<()> {
        for frame in &self.frames {
            let Frame { at_ns, kind, source, payload, .. } = frame;
            writeln!(out, "{at_ns}\t{}\t{source}\t{payload}", kind.letter())?;
        }
        Ok(())
    }

    /// Writes the payloads alone, a line each (NDJSON, rows of a CSV).
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_payloads(&self, out: &mut impl Write) -> io::Result<()> {
        self.frames.iter().try_for_each(|frame| writeln!(out, "{}", frame.payload))
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Due {
    Activity,
    Flush(usize),
    Reference,
    Keepalive,
    TakeSnapshot(usize),
}

struct Recorder {
    market: Market,
    dialect: Box<dyn Dialect>,
    faults: Vec<Fault>,
    rng: Rng,
    frames: Vec<Frame>,
    heard_ns: u64,
    reference_ns: u64,
    keepalive_ns: u64,
    lines: Vec<Line>,
}

/// The client's side of one book.
#[derive(Clone, Debug)]
struct Line {
    flush_ns: u64,
    snapshot_ns: Option<u64>,
    deltas: usize,
    gaps: u32,
    duplicates: u32,
    /// The book and sequence before a loss that is not healed.
    broken: Option<(Book, Option<i64>)>,
    /// A loss happened that the next delta shows.
    resync_on_next: bool,
}

impl Recorder {
    fn new(market: Market, dialect: Box<dyn Dialect>, plan: &Plan, start_ns: u64) -> Self {
        let count = u64::try_from(market.symbols().len()).unwrap_or(1).max(1);
        let stagger = dialect.interval_ns() / count;
        let line = |i: u64| Line {
            flush_ns: start_ns + dialect.interval_ns() + i * stagger,
            snapshot_ns: None,
            deltas: 0,
            gaps: 0,
            duplicates: 0,
            broken: None,
            resync_on_next: false,
        };
        let lines = (0..count).map(line).collect();
        Self {
            lines,
            market,
            dialect,
            faults: plan.faults.clone(),
            rng: Rng::new(plan.seed),
            frames: Vec::new(),
            heard_ns: 0,
            reference_ns: start_ns.next_multiple_of(SECOND_NS),
            keepalive_ns: start_ns + KEEPALIVE_NS,
        }
    }

    fn open(&mut self, at_ns: u64) {
        let mut said = Vec::new();
        self.dialect.open(&self.market, at_ns, &mut said);
        self.hear(said);
    }

    fn turn(&mut self) {
        let (at_ns, due) = self.next();
        let mut said = Vec::new();
        match due {
            Due::Activity => {
                let activity = self.market.step();
                self.dialect.activity(&self.market, &activity, &mut said);
            }
            Due::Flush(symbol) => return self.flush(symbol, at_ns),
            Due::Reference => {
                self.reference_ns += SECOND_NS;
                for symbol in 0..self.lines.len() {
                    self.dialect.reference(&self.market, symbol, at_ns, &mut said);
                }
            }
            Due::Keepalive => {
                self.keepalive_ns += KEEPALIVE_NS;
                self.dialect.keepalive(at_ns, &mut said);
                if self.dialect.reopens_on_keepalive() {
                    self.dialect.open(&self.market, at_ns + 1_000_000, &mut said);
                }
            }
            Due::TakeSnapshot(symbol) => {
                self.lines[symbol].snapshot_ns = None;
                said.extend(self.dialect.rest_snapshot(&self.market, symbol, at_ns));
            }
        }
        self.hear(said);
    }

    fn next(&self) -> (u64, Due) {
        let mut next = (self.market.next_ns().unwrap_or(u64::MAX), Due::Activity);
        let mut consider = |at_ns: u64, due: Due| {
            if at_ns < next.0 {
                next = (at_ns, due);
            }
        };
        for (symbol, line) in self.lines.iter().enumerate() {
            consider(line.flush_ns, Due::Flush(symbol));
            consider(line.snapshot_ns.unwrap_or(u64::MAX), Due::TakeSnapshot(symbol));
        }
        consider(self.reference_ns, Due::Reference);
        consider(self.keepalive_ns, Due::Keepalive);
        next
    }

    fn flush(&mut self, symbol: usize, at_ns: u64) {
        let before = self.dialect.image(symbol).cloned();
        let seq = self.dialect.sequence(symbol);
        let mut said = Vec::new();
        self.dialect.flush(&self.market, symbol, at_ns, &mut said);
        self.lines[symbol].flush_ns = at_ns + self.dialect.interval_ns();
        if said.is_empty() {
            return;
        }
        let nth = self.lines[symbol].deltas;
        let fault = self.faults.iter().copied().find(|fault| fault.hits(symbol, nth));
        let line = &mut self.lines[symbol];
        line.deltas += 1;
        let first = nth == 0;
        if first || std::mem::take(&mut line.resync_on_next) {
            line.snapshot_ns = Some(at_ns + 90_000_000 + self.rng.below(80_000_000));
            // Only a REST snapshot heals; the image then starts from it.
            line.broken = None;
        }
        match fault {
            None => {}
            Some(Fault::Duplicate { .. }) => {
                line.duplicates += 1;
                said.extend_from_within(..);
            }
            Some(lost) => {
                said.clear();
                line.gaps += 1;
                line.broken = before.map(|book| (book, seq));
                line.resync_on_next = matches!(lost, Fault::DropAndResync { .. });
            }
        }
        self.hear(said);
    }

    /// Frames reach the recorder one to four milliseconds later, REST bodies in a tenth of a
    /// second, each connection in its order.
    fn hear(&mut self, said: Vec<Frame>) {
        for mut frame in said {
            let way_ns = match frame.kind {
                Kind::Open | Kind::Sent => 0,
                Kind::Received => 1_000_000 + self.rng.below(3_000_000),
                Kind::Http => 60_000_000 + self.rng.below(140_000_000),
            };
            frame.at_ns += way_ns;
            if frame.kind == Kind::Received {
                self.heard_ns = frame.at_ns.max(self.heard_ns + 17_000);
                frame.at_ns = self.heard_ns;
            }
            self.frames.push(frame);
        }
    }

    fn finish(mut self) -> Recording {
        self.frames.sort_by_key(|frame| frame.at_ns);
        let truth = |(symbol, line): (usize, Line)| {
            let (book, seq, live) = match line.broken {
                Some((book, seq)) => (book, seq, false),
                None => (self.dialect.image(symbol)?.clone(), self.dialect.sequence(symbol), true),
            };
            let name = self.dialect.book_name(&self.market, symbol);
            let (gaps, duplicates) = (line.gaps, line.duplicates);
            Some(BookTruth { name, live, gaps, duplicates, seq, book })
        };
        let books = self.lines.into_iter().enumerate().filter_map(truth).collect();
        Recording { frames: self.frames, books }
    }
}
