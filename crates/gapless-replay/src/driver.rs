//! Records → sessions → books: drives the same sessions from files that live feeds drive from
//! sockets.
//!
//! Invariant: every record of an input goes to exactly one session, or, as the body of an HTTP
//! response, to every session of that input. Inputs do not know of each other.

use crate::csv;
use crate::error::FileName;
use crate::input::Format;
use crate::record::{Record, RecordKind};
use gapless_book::book::Change;
use gapless_book::event::{Event, Level, Side};
use gapless_book::lines::{LineNo, LinePolicy};
use gapless_book::local::Outcome;
use gapless_venues::books::{BookEntry, BookId, Books};
use gapless_venues::instruments::{GridError, Instruments};
use gapless_venues::kernel::Isa;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::{Action, Handler, SessionConfig, Stage, UNCLAIMED_MAX};
use gapless_venues::wire::{Reject, WireError, WireErrorKind};
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

pub use gapless_venues::session::{LineId, Watcher};

/// A connection with its session.
#[derive(Debug)]
pub struct Line {
    input: usize,
    /// The connection that keeps the books which this one writes, if it is another one.
    home: Option<usize>,
    /// Name of the connection.
    pub source: String,
    /// Its session.
    pub session: AnySession,
}

/// Most records kept of an input whose venue is not known yet.
pub const UNTOLD_MAX: usize = 4096;
/// Most connections of a replay.
pub const LINES_MAX: usize = 16_384;
/// Most bytes of them, and of HTTP bodies that come before the first connection.
pub const UNTOLD_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
struct Kept {
    recv_ns: i64,
    kind: RecordKind,
    source: String,
    payload: Vec<u8>,
    line: u64,
}

/// One input as the driver knows it.
#[derive(Debug)]
struct Origin {
    name: FileName,
    format: Format,
    venue: Option<VenueId>,
    /// Records that came before the venue was told.
    untold: Vec<Kept>,
    untold_bytes: usize,
    /// The venue that they may be of, as far as they tell.
    guess: Option<VenueId>,
    /// The venue could not be told within the limits: the input is given up.
    lost: bool,
    /// HTTP bodies that came before the first connection.
    early: Vec<Kept>,
    early_bytes: usize,
    /// Bytes of a CSV that were counted.
    csv_bytes: u64,
    /// Its connections by name.
    names: HashMap<String, usize>,
}

/// What the driver counts beside what its sessions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverStats {
    /// Frames and HTTP bodies fed.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames on a connection that its recording had closed; dropped.
    pub after_close: u64,
    /// HTTP bodies before any connection, and records of connections, beyond the limits; dropped.
    pub unclaimed: u64,
}

/// The sessions of a replay.
#[derive(Debug)]
pub struct Driver {
    config: SessionConfig,
    /// How connections of one venue are merged, if they are.
    merge: Option<LinePolicy>,
    /// The first connection of each venue and market, which keeps the merged books.
    homes: HashMap<(VenueId, &'static str), usize>,
    venue: Option<VenueId>,
    symbols: Vec<String>,
    isa: Option<Isa>,
    /// What the venues' lists say, as far as they are known.
    instruments: Arc<Instruments>,
    origins: Vec<Origin>,
    lines: Vec<Line>,
    stats: DriverStats,
    /// Until something was received at or after this time, nothing counts.
    count_from: Option<i64>,
    last_recv_ns: i64,
}

impl Driver {
    /// A driver without inputs. `venue`: what every capture holds, where the caller knows.
    #[must_use]
    pub fn new(config: SessionConfig, venue: Option<VenueId>) -> Self {
        Self {
            config,
            merge: None,
            homes: HashMap::new(),
            venue,
            symbols: Vec::new(),
            isa: None,
            instruments: Arc::default(),
            origins: Vec::new(),
            lines: Vec::new(),
            stats: DriverStats::default(),
            count_from: None,
            last_recv_ns: gapless_book::event::NO_TIME,
        }
    }

    /// Keeps books of these symbols only; empty = all.
    pub fn only(&mut self, symbols: Vec<String>) {
        self.symbols = symbols;
    }

    /// Uses one instruction set's kernels on connections to come instead of the best that the
    /// machine has.
    pub const fn set_isa(&mut self, isa: Isa) {
        self.isa = Some(isa);
    }

    /// Counts only from the first record on that was received at or after a time; what comes before
    /// is built upon.
    pub const fn count_from(&mut self, time_ns: i64) {
        self.count_from = Some(time_ns);
    }

    /// Gives every connection, those to come too, the venues' lists as they are now.
    pub fn instruments<W: Watcher>(&mut self, table: Arc<Instruments>, watcher: &mut W) {
        self.instruments = table;
        for (index, line) in (0u32..).zip(&mut self.lines) {
            watcher.line(LineId(index));
            line.session.instruments(self.last_recv_ns, &self.instruments, watcher);
        }
    }

    /// Takes all connections of a venue, of all inputs, for lines of the same books.
    pub const fn merge(&mut self, policy: LinePolicy) {
        self.merge = Some(policy);
    }

    /// Adds an input; `hint` names its venue where the recording or its folder does.
    pub fn add(&mut self, name: FileName, format: Format, hint: Option<&str>) -> usize {
        let told = match format {
            Format::Normalized | Format::Csv(_) => VenueId::from_name("tardis"),
            Format::Relay => VenueId::from_name("relay"),
            _ => self.venue.or_else(|| hint.and_then(VenueId::from_name)),
        };
        self.origins.push(Origin {
            name,
            format,
            venue: told,
            untold: Vec::new(),
            untold_bytes: 0,
            guess: None,
            lost: false,
            early: Vec::new(),
            early_bytes: 0,
            csv_bytes: 0,
            names: HashMap::new(),
        });
        self.origins.len() - 1
    }

    /// The connections in the order of appearance.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Name of a connection's input.
    #[must_use]
    pub fn input_name(&self, line: &Line) -> &str {
        self.origins.get(line.input).map_or("", |origin| origin.name.as_str())
    }

    /// Name of an input.
    #[must_use]
    pub fn origin_name(&self, input: usize) -> &str {
        self.origins.get(input).map_or("", |origin| origin.name.as_str())
    }

    /// What was fed.
    #[must_use]
    pub const fn stats(&self) -> DriverStats {
        self.stats
    }

    /// Receive time of the last record.
    #[must_use]
    pub const fn last_recv_ns(&self) -> i64 {
        self.last_recv_ns
    }

    /// Takes a record of an input.
    pub fn record<W: Watcher>(&mut self, input: usize, record: &Record<'_>, watcher: &mut W) {
        let Some(origin) = self.origins.get_mut(input) else { return };
        if origin.venue.is_none() {
            return self.untold(input, record, watcher);
        }
        self.told(input, record, watcher);
    }

    /// Takes the messages that a CSV reader has gone to.
    pub fn csv<R: Read, W: Watcher>(
        &mut self,
        input: usize,
        reader: &mut csv::Reader<R>,
        watcher: &mut W,
    ) {
        let counts = self.received(reader.recv_ns());
        watcher.place(input, reader.stats().lines, counts);
        let mut frames = 0;
        self.with(input, CSV_SOURCE, watcher, |line, watcher| {
            let mut rows = Rows { input, counts, line, watcher, frames: 0 };
            reader.emit(&mut rows);
            frames = rows.frames;
        });
        self.stats.frames += frames;
        if let Some(origin) = self.origins.get_mut(input) {
            let read = reader.bytes();
            self.stats.bytes += read.saturating_sub(origin.csv_bytes);
            origin.csv_bytes = read;
        }
    }

    /// A line of an input could not be read: it may have been any book's.
    pub fn lost<W: Watcher>(&mut self, input: usize, line: u64, watcher: &mut W) {
        watcher.place(input, line, self.count_from.is_none());
        let error = WireError::new(WireErrorKind::Truncated, 0);
        let reject = Reject::unnamed(error);
        let now_ns = self.last_recv_ns;
        self.each(input, watcher, |line, watcher| line.session.reject(now_ns, &reject, watcher));
    }

    /// An input broke off and nothing more comes of it: its connections have ended.
    pub fn disconnect<W: Watcher>(&mut self, input: usize, watcher: &mut W) {
        self.each(input, watcher, |line, watcher| line.session.disconnect(watcher));
    }

    /// An input has ended: what was kept to tell its venue is fed now. `false` if nothing told it.
    pub fn finish<W: Watcher>(&mut self, input: usize, watcher: &mut W) -> bool {
        self.tell(input, None, true, watcher);
        self.origins.get(input).is_none_or(|o| !o.lost && o.untold.is_empty())
    }

    fn untold<W: Watcher>(&mut self, input: usize, record: &Record<'_>, watcher: &mut W) {
        let Some(origin) = self.origins.get_mut(input).filter(|o| !o.lost) else { return };
        let kept = keep(record);
        let sure = told_by(&kept);
        if sure.is_none() && matches!(record.kind, RecordKind::Frame | RecordKind::Binary) {
            origin.guess = origin.guess.into_iter().chain(VenueId::may_be(record.payload)).min();
        }
        origin.untold_bytes += record.payload.len();
        origin.untold.push(kept);
        let full = origin.untold.len() >= UNTOLD_MAX || origin.untold_bytes >= UNTOLD_BYTES_MAX;
        self.tell(input, sure, full, watcher);
    }

    /// Names the venue if it is told, or must be guessed, and feeds what was kept.
    fn tell<W: Watcher>(
        &mut self,
        input: usize,
        sure: Option<VenueId>,
        must: bool,
        watcher: &mut W,
    ) {
        let Some(origin) = self.origins.get_mut(input).filter(|o| o.venue.is_none()) else {
            return;
        };
        let Some(venue) = sure.or(origin.guess.filter(|_| must)) else {
            if must && !origin.untold.is_empty() {
                origin.lost = true;
                origin.untold = Vec::new();
            }
            return;
        };
        origin.venue = Some(venue);
        for kept in core::mem::take(&mut origin.untold) {
            let record = Record {
                recv_ns: kept.recv_ns,
                kind: kept.kind,
                source: &kept.source,
                payload: &kept.payload,
                line: kept.line,
            };
            self.told(input, &record, watcher);
        }
    }

    /// Notes when something was received; whether it counts.
    fn received(&mut self, recv_ns: i64) -> bool {
        self.last_recv_ns = self.last_recv_ns.max(recv_ns);
        if self.count_from.is_some_and(|from| self.last_recv_ns >= from) {
            self.count();
        }
        self.count_from.is_none()
    }

    /// Counts from here on.
    #[cold]
    fn count(&mut self) {
        self.count_from = None;
        self.stats = DriverStats::default();
        for line in &mut self.lines {
            let mut books = Books::default();
            line.session.lend(&mut books);
            for id in (0u32..).take(books.len()).map(BookId) {
                if let Some(entry) = books.get_mut(id) {
                    entry.local.forget_counts();
                }
            }
            line.session.lend(&mut books);
        }
    }

    /// There is nothing more: if nothing was to be counted, nothing was.
    pub fn end(&mut self) {
        if self.count_from.is_some() {
            self.count();
        }
    }

    fn told<W: Watcher>(&mut self, input: usize, record: &Record<'_>, watcher: &mut W) {
        let counts = self.received(record.recv_ns);
        watcher.place(input, record.line, counts);
        match record.kind {
            RecordKind::Http => self.http(input, record, watcher),
            RecordKind::Frame | RecordKind::Binary => self.frame(input, record, watcher),
            RecordKind::Open => {
                let url = core::str::from_utf8(record.payload).unwrap_or("");
                self.open_at(input, record.source, url, watcher);
                self.with(input, record.source, watcher, |line, w| line.session.connect(url, w));
            }
            RecordKind::Sent => {
                let text = core::str::from_utf8(record.payload).unwrap_or("");
                let now = record.recv_ns;
                self.with(input, record.source, watcher, |line, _| line.session.sent(now, text));
            }
            RecordKind::Disconnect => {
                self.with(input, record.source, watcher, |line, w| line.session.disconnect(w));
            }
        }
    }

    fn frame<W: Watcher>(&mut self, input: usize, record: &Record<'_>, watcher: &mut W) {
        let reopens = self.origins.get(input).is_some_and(|o| o.format != Format::Capture);
        let mut dropped = 0;
        self.with(input, record.source, watcher, |line, w| {
            let session = &mut line.session;
            if !session.is_open() && session.epoch() > 0 {
                if !reopens {
                    dropped = 1;
                    return;
                }
                session.connect("", w);
            }
            session.bytes(record.recv_ns, record.payload, w);
        });
        self.stats.after_close += dropped;
        self.stats.frames += 1 - dropped;
        self.stats.bytes += record.payload.len() as u64 * (1 - dropped);
    }

    /// A REST body has no connection: it is offered to all of its input (capture.md). Events are
    /// told once. What they keep of it for later is bounded for the input, not for each of them.
    fn http<W: Watcher>(&mut self, input: usize, record: &Record<'_>, watcher: &mut W) {
        self.stats.frames += 1;
        self.stats.bytes += record.payload.len() as u64;
        if let Some(venue) = VenueId::lists(record.source)
            && let Ok(list) = venue.read_instruments(record.payload)
        {
            let mut table = Instruments::clone(&self.instruments);
            table.update(list);
            // No session's: some are longer than any frame.
            return self.instruments(Arc::new(table), watcher);
        }
        let mut first = true;
        let ours = self.lines.iter().filter(|line| line.input == input);
        let kept: usize = ours.map(|line| line.session.unclaimed_bytes()).sum();
        let mut left = UNCLAIMED_MAX.saturating_sub(kept);
        for index in self.takers(input) {
            let again = !first;
            first = false;
            self.at(index, watcher, |line, watcher| {
                let most = line.session.unclaimed_bytes() + left;
                line.session.keep_at_most(most);
                let (now, url) = (record.recv_ns, record.source);
                if again {
                    line.session.rest(now, url, record.payload, &mut Again(watcher));
                } else {
                    line.session.rest(now, url, record.payload, watcher);
                }
                left = most.saturating_sub(line.session.unclaimed_bytes());
            });
        }
        if first && let Some(origin) = self.origins.get_mut(input) {
            if origin.early_bytes + record.payload.len() > UNTOLD_BYTES_MAX {
                self.stats.unclaimed += 1;
                return;
            }
            origin.early_bytes += record.payload.len();
            origin.early.push(keep(record));
        }
    }

    /// The connections of an input that are offered a REST body: of those that write the same
    /// books one is enough.
    fn takers(&self, input: usize) -> Vec<usize> {
        let ours = self.lines.iter().enumerate().filter(|(_, line)| line.input == input);
        if self.merge.is_some() {
            return ours.map(|(index, _)| index).take(1).collect();
        }
        ours.map(|(index, _)| index).collect()
    }

    /// Finds or opens the session of a connection.
    fn with<W: Watcher>(
        &mut self,
        input: usize,
        source: &str,
        watcher: &mut W,
        what: impl FnOnce(&mut Line, &mut W),
    ) {
        let known = self.origins.get(input).and_then(|o| o.names.get(source).copied());
        let index = match known {
            Some(index) => index,
            None => match self.open(input, source, "", watcher) {
                Some(index) => index,
                None => return,
            },
        };
        self.at(index, watcher, what);
    }

    /// Does something with a connection, which holds the books that it writes meanwhile.
    fn at<W: Watcher>(
        &mut self,
        index: usize,
        watcher: &mut W,
        what: impl FnOnce(&mut Line, &mut W),
    ) {
        let home = self.lines.get(index).and_then(|line| line.home);
        watcher.line(LineId(u32::try_from(home.unwrap_or(index)).unwrap_or(u32::MAX)));
        let mut books = Books::default();
        if let Some(home) = home.and_then(|home| self.lines.get_mut(home)) {
            home.session.lend(&mut books);
        }
        if let Some(line) = self.lines.get_mut(index) {
            if home.is_some() {
                line.session.lend(&mut books);
            }
            what(line, watcher);
            if home.is_some() {
                line.session.lend(&mut books);
            }
        }
        if let Some(home) = home.and_then(|home| self.lines.get_mut(home)) {
            home.session.lend(&mut books);
        }
    }

    /// Does something with every connection of an input.
    fn each<W: Watcher>(
        &mut self,
        input: usize,
        watcher: &mut W,
        mut what: impl FnMut(&mut Line, &mut W),
    ) {
        for index in 0..self.lines.len() {
            if self.lines.get(index).is_some_and(|line| line.input == input) {
                self.at(index, watcher, &mut what);
            }
        }
    }

    /// Opens the session of a connection that was not seen before.
    fn open_at<W: Watcher>(&mut self, input: usize, source: &str, url: &str, watcher: &mut W) {
        if self.origins.get(input).is_some_and(|origin| !origin.names.contains_key(source)) {
            let _ = self.open(input, source, url, watcher);
        }
    }

    fn open<W: Watcher>(
        &mut self,
        input: usize,
        source: &str,
        url: &str,
        watcher: &mut W,
    ) -> Option<usize> {
        let index = self.lines.len();
        if index >= LINES_MAX {
            self.stats.unclaimed += 1;
            return None;
        }
        let origin = self.origins.get_mut(input)?;
        let venue = origin.venue?;
        let mut session = venue.session(self.config);
        session.only(&self.symbols);
        if let Some(isa) = self.isa {
            session.set_isa(isa);
        }
        session.instruments(self.last_recv_ns, &self.instruments, &mut ());
        origin.names.insert(source.to_owned(), index);
        let early = core::mem::take(&mut origin.early);
        let mut home = None;
        if let Some(policy) = self.merge {
            session.set_line(LineNo(u32::try_from(index).ok()?), policy);
            // One symbol may be two instruments, in two markets.
            let market = session.market_at(url).name();
            let first = *self.homes.entry((venue, market)).or_insert(index);
            home = Some(first).filter(|first| *first != index);
        }
        watcher.opened(LineId(u32::try_from(index).ok()?), venue, input, source);
        self.lines.push(Line { input, home, source: source.to_owned(), session });
        self.at(index, watcher, |line, watcher| {
            for body in early {
                line.session.rest(body.recv_ns, &body.source, &body.payload, watcher);
            }
        });
        Some(index)
    }

    /// Marks books stale that were silent for longer than `limit_ns` at the last record's time.
    pub fn freshness<W: Watcher>(&mut self, limit_ns: i64, watcher: &mut W) {
        self.freshness_at(self.last_recv_ns, limit_ns, watcher);
    }

    /// As [`Driver::freshness`], at a time.
    pub fn freshness_at<W: Watcher>(&mut self, now_ns: i64, limit_ns: i64, watcher: &mut W) {
        for (index, line) in (0u32..).zip(&mut self.lines) {
            watcher.line(LineId(index));
            line.session.freshness(now_ns, limit_ns, watcher);
        }
    }
}

/// Name of the one connection of a CSV.
const CSV_SOURCE: &str = "csv";

/// Carries the messages of a CSV to its session.
struct Rows<'d, W> {
    input: usize,
    counts: bool,
    line: &'d mut Line,
    watcher: &'d mut W,
    frames: u64,
}

impl<W: Watcher> csv::Sink for Rows<'_, W> {
    fn event(&mut self, event: &Event<'_>) {
        self.frames += 1;
        self.line.session.event(event, self.watcher);
    }

    fn reject(&mut self, reject: &csv::Reject<'_>) {
        self.watcher.place(self.input, reject.line, self.counts);
        let line = usize::try_from(reject.line).unwrap_or(usize::MAX);
        let reject_here = Reject {
            error: WireError::new(WireErrorKind::Row(reject.reason.name()), line),
            exchange: reject.exchange,
            symbol: reject.symbol.unwrap_or(""),
            channel: if reject.symbol.is_some() { reject.channel } else { "" },
            book: reject.book,
        };
        self.line.session.reject(reject.recv_ns, &reject_here, self.watcher);
    }
}

/// Venue that a record proves.
fn told_by(record: &Kept) -> Option<VenueId> {
    let url = match record.kind {
        RecordKind::Open => core::str::from_utf8(&record.payload).unwrap_or(""),
        RecordKind::Http => &record.source,
        _ => return VenueId::must_be("", &record.payload),
    };
    VenueId::must_be(url, b"")
}

fn keep(record: &Record<'_>) -> Kept {
    Kept {
        recv_ns: record.recv_ns,
        kind: record.kind,
        source: record.source.to_owned(),
        payload: record.payload.to_vec(),
        line: record.line,
    }
}

/// Passes everything on but the events, which were told already.
struct Again<'w, W>(&'w mut W);

impl<W: Handler> Handler for Again<'_, W> {
    fn event(&mut self, _: &Event<'_>, _: Option<BookId>) {}

    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        self.0.level(book, side, level, change);
    }

    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        self.0.book(id, book, outcome);
    }

    fn reject(&mut self, _: &Reject<'_>) {}

    fn off_grid(&mut self, id: BookId, book: &BookEntry, error: &GridError) {
        self.0.off_grid(id, book, error);
    }

    fn stage(&mut self, stage: Stage) {
        self.0.stage(stage);
    }

    fn action(&mut self, action: &Action<'_>) {
        self.0.action(action);
    }
}
