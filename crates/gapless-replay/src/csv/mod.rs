//! Tardis CSV datasets → events (protocols.md 6.5, ruling 0.6.17).
//!
//! A CSV has no frames: here rows become the messages that they came from. In
//! `incremental_book_L2` the rows of one `local_timestamp` are one message per symbol, a snapshot
//! if a run of `is_snapshot` rows begins in it; in every other dataset a row is a message.
//! A message with a row that cannot be read is refused whole and surfaces as a [`Reject`]; it never
//! reaches a book in part. Columns are found by name. Nothing is allocated per row.

mod group;
mod number;
mod row;
mod schema;
mod sides;

use std::io::Read;

use gapless_book::event::{Event, NO_TIME, TimeUnit};

use crate::error::{FileName, ReplayError};
use crate::lines::{Cut, Found, Lines};
use crate::record::Stats;
use group::Group;
use row::Row;
use schema::Schema;
pub use schema::{COLUMNS_MAX, Dataset, DatasetKind};

/// Most rows of one `local_timestamp` and symbol; a longer message is refused.
pub const GROUP_ROWS_MAX: usize = 1 << 20;
/// Most symbols of one file; rows of further ones are refused.
pub const SYMBOLS_MAX: usize = 1 << 16;

/// Where events go.
pub trait Sink {
    /// One message; it borrows from the reader.
    fn event(&mut self, event: &Event<'_>);

    /// One refused message or row.
    fn reject(&mut self, reject: &Reject<'_>);
}

/// A message or row that was refused whole.
///
/// A row that does not say to which of two neighbouring messages it belongs spoils both and is
/// reported with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// The exchange cell; empty if it could not be read.
    pub exchange: &'a str,
    /// The symbol; `None` if it could not be read: then every book of the input is concerned.
    pub symbol: Option<&'a str>,
    /// The dataset.
    pub channel: &'a str,
    /// It was, or may have been, part of a book: the book must not stay live on it.
    pub book: bool,
    /// Why.
    pub reason: RejectReason,
    /// First line that is wrong, from 1.
    pub line: u64,
    /// Receive time of the message, or `NO_TIME`.
    pub recv_ns: i64,
}

/// Why a row or message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RejectReason {
    /// Not as many cells as the header has columns.
    Cells,
    /// The symbol or exchange is empty or not UTF-8.
    Symbol,
    /// A symbol beyond [`SYMBOLS_MAX`].
    TooManySymbols,
    /// A time that is missing where it must stand, or no integer.
    Time,
    /// `is_snapshot` is neither `true` nor `false`.
    Flag,
    /// A side that the dataset does not have.
    Side,
    /// A price or size that is missing, no number, or beyond an `i64`.
    Number,
    /// A size below zero.
    NegativeSize,
    /// A level with only one of price and size.
    Level,
    /// Numbers of one message that fit no common scale.
    Scale,
    /// A message beyond [`GROUP_ROWS_MAX`].
    TooManyRows,
}

impl RejectReason {
    /// Short stable name, the key of the reject counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cells => "cells",
            Self::Symbol => "symbol",
            Self::TooManySymbols => "too_many_symbols",
            Self::Time => "time",
            Self::Flag => "flag",
            Self::Side => "side",
            Self::Number => "number",
            Self::NegativeSize => "negative_size",
            Self::Level => "level",
            Self::Scale => "scale",
            Self::TooManyRows => "too_many_rows",
        }
    }
}

/// How a CSV is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The dataset, where header and file name cannot tell it.
    pub dataset: Option<DatasetKind>,
    /// A snapshot row with another `local_timestamp` than the snapshot row before it begins a new
    /// snapshot, although no delta stands between them.
    pub split_snapshots_on_local_ts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { dataset: None, split_snapshots_on_local_ts: true }
    }
}

/// Reader of one CSV file. [`Reader::advance`] goes to the next message or group of messages of
/// one receive time; [`Reader::emit`] gives it to a sink.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    schema: Schema,
    stats: Stats,
    last_ns: i64,
    batch: Batch,
    /// An error that came while a group was gathered; given after the group.
    deferred: Option<ReplayError>,
    ended: bool,
}

#[derive(Debug)]
enum Batch {
    /// Rows of one `local_timestamp`.
    Group(Box<Group>),
    /// One row.
    Row(Row),
}

impl<R: Read> Reader<R> {
    /// Reads the header of `lines`.
    ///
    /// # Errors
    /// Empty, or a header that is not of a Tardis dataset.
    pub fn new(mut lines: Lines<R>, options: Options) -> Result<Self, ReplayError> {
        let found = lines.advance()?;
        if found == Found::End || lines.line().is_empty() {
            return Err(ReplayError::Empty { file: lines.name().clone() });
        }
        let schema = Schema::read(lines.line(), lines.name(), options.dataset)?;
        let split = options.split_snapshots_on_local_ts;
        let batch = match schema.dataset.kind {
            DatasetKind::IncrementalBook => Batch::Group(Box::new(Group::new(split))),
            _ => Batch::Row(Row::new()),
        };
        let stats = Stats { lines: 1, ..Stats::default() };
        let ended = found == Found::Tail;
        Ok(Self { lines, schema, stats, last_ns: NO_TIME, batch, deferred: None, ended })
    }

    /// Name of the input.
    #[must_use]
    pub fn name(&self) -> &FileName {
        self.lines.name()
    }

    /// What it holds.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.schema.dataset
    }

    /// What was met so far. A record is a row here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Unpacked bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lines.byte() + self.lines.line().len() as u64
    }

    /// Receive time of the batch that [`Reader::advance`] went to; `NO_TIME` if it has none.
    #[must_use]
    pub fn recv_ns(&self) -> i64 {
        match &self.batch {
            Batch::Group(group) => group.recv_ns(),
            Batch::Row(row) => row.recv_ns(),
        }
    }

    /// Goes to the next batch of one receive time; false at the end.
    ///
    /// # Errors
    /// A line that is too long: it is lost and reading goes on after it. A cut or damaged stream:
    /// the end.
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        let more = match &self.batch {
            Batch::Group(_) => self.gather()?,
            Batch::Row(_) => self.next_row()?,
        };
        let recv_ns = self.recv_ns();
        if more && recv_ns != NO_TIME {
            self.stats.steps_back += u64::from(recv_ns < self.last_ns);
            self.last_ns = recv_ns;
        }
        Ok(more)
    }

    /// Gives the current batch to a sink. Calling it again gives the same again.
    pub fn emit<S: Sink>(&mut self, sink: &mut S) {
        match &mut self.batch {
            Batch::Group(group) => group.emit(&self.schema, sink),
            Batch::Row(row) => row.emit(&self.schema, self.lines.line(), self.lines.number(), sink),
        }
    }

    /// Gathers the rows of one `local_timestamp`.
    fn gather(&mut self) -> Result<bool, ReplayError> {
        let Batch::Group(group) = &mut self.batch else { return Ok(false) };
        if self.ended {
            return Ok(false);
        }
        group.begin();
        let (bytes, rows) = group.add_same(self.lines.ahead());
        self.lines.take_ahead(bytes, rows);
        self.stats.lines += rows;
        self.stats.records += rows;
        while !self.ended {
            match self.lines.advance() {
                Ok(Found::Whole) => {}
                Ok(found) => {
                    self.ended = true;
                    self.deferred = end_of(&self.lines, found, &mut self.stats);
                    break;
                }
                Err(error) => {
                    self.ended |= error.is_fatal();
                    if let Some(line) = error.line() {
                        group.lose(line);
                    }
                    self.deferred = Some(error);
                    break;
                }
            }
            self.stats.lines += 1;
            self.stats.records += 1;
            if group.add(&self.schema, self.lines.line(), self.lines.number()) {
                return Ok(true);
            }
            let (bytes, rows) = group.add_same(self.lines.ahead());
            self.lines.take_ahead(bytes, rows);
            self.stats.lines += rows;
            self.stats.records += rows;
        }
        if group.finish() {
            return Ok(true);
        }
        self.deferred.take().map_or(Ok(false), Err)
    }

    fn next_row(&mut self) -> Result<bool, ReplayError> {
        if self.ended {
            return Ok(false);
        }
        match self.lines.advance()? {
            Found::Whole => {
                self.stats.lines += 1;
                self.stats.records += 1;
                if let Batch::Row(row) = &mut self.batch {
                    row.read(&self.schema, self.lines.line());
                }
                Ok(true)
            }
            found => {
                self.ended = true;
                end_of(&self.lines, found, &mut self.stats).map_or(Ok(false), Err)
            }
        }
    }
}

/// Counts what the end lost; a cut container is an error.
fn end_of<R: Read>(lines: &Lines<R>, found: Found, stats: &mut Stats) -> Option<ReplayError> {
    if found == Found::Tail {
        stats.torn_bytes += lines.line().len() as u64;
    }
    let Cut { container, lost } = lines.cut()?;
    stats.torn_bytes += lost;
    stats.cut_streams += 1;
    let (file, byte) = (lines.name().clone(), lines.byte());
    Some(ReplayError::Truncated { file, container, byte })
}

/// A time cell as ns: microseconds, or nanoseconds where the number is too large for them.
#[inline]
fn time_ns(cell: &[u8]) -> Option<i64> {
    time_of(cell).map(|(ns, _)| ns)
}

/// A time that may be missing.
#[inline]
fn optional_time(cell: &[u8]) -> Result<(i64, TimeUnit), RejectReason> {
    if cell.is_empty() {
        return Ok((NO_TIME, TimeUnit::Micro));
    }
    time_of(cell).ok_or(RejectReason::Time)
}

#[inline]
fn time_of(cell: &[u8]) -> Option<(i64, TimeUnit)> {
    /// The year 5138 in microseconds, 1973 in nanoseconds.
    const NANOS_FROM: i64 = 100_000_000_000_000_000;
    // Microseconds of this century have sixteen digits.
    let value = match <&[u8; 16]>::try_from(cell) {
        Ok(digits) => number::sixteen_digits(digits)?,
        Err(_) => crate::time::parse_digits(cell)?,
    };
    if value > NANOS_FROM {
        return Some((value, TimeUnit::Nano));
    }
    value.checked_mul(1000).map(|ns| (ns, TimeUnit::Micro))
}

/// The name of a cell that must be there.
fn name_of(cell: &[u8]) -> Option<&str> {
    std::str::from_utf8(cell).ok().filter(|name| !name.is_empty())
}
