//! What is traded where, and on which grid: the table that every venue's own list is read into.
//!
//! A venue's `instruments` module turns the body of its REST list into a [`List`]; [`Instruments`]
//! holds the lists of all venues by (venue, market, symbol), because one symbol may name several
//! instruments. Numbers are the venue's own text, exact: nothing goes through a float. A row that
//! cannot be read is refused by itself, named with venue, symbol and field, and costs no other row.

mod grid;
mod row;
mod steps;
mod table;

pub use grid::{GridError, Measure};
pub(crate) use row::{Reading, simd_rows};
pub(crate) use steps::Steps;
pub use table::{GridChange, Instruments};

use core::fmt;
use gapless_book::decimal::{Decimal, DecimalError};

use crate::venue::Market;
use crate::wire::WireError;

/// Largest body of a list that is read, in bytes. The longest list known has 16 MB.
pub const BODY_MAX: usize = 64 << 20;
/// Most rows of a list.
pub const ROWS_MAX: usize = 100_000;
/// Longest symbol, in bytes.
pub const SYMBOL_MAX: usize = 64;

/// What kind of contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Spot pair.
    Spot,
    /// Contract without an end, kept near its index by funding.
    Perpetual,
    /// Contract with a delivery date.
    Future,
    /// Option.
    Option,
    /// Several legs traded as one.
    Combo,
    /// The list does not say, or says what is not known here.
    Unknown,
}

/// Whether it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Trades.
    Trading,
    /// Announced, not yet trading, or in its opening auction.
    Pending,
    /// Interrupted: its book may be empty, frozen or crossed.
    Halted,
    /// Expired, settling or delisted.
    Closed,
    /// A word that is not known here.
    Unknown,
}

/// One instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Whose list it stands in (`okx`), or `tardis:NAME` for an unknown Tardis exchange.
    pub venue: String,
    /// The venue's own name, in its own case.
    pub symbol: String,
    /// How it is margined.
    pub market: Market,
    /// What it is.
    pub kind: Kind,
    /// Currency bought and sold; empty where the list does not say.
    pub base: String,
    /// Currency of its prices.
    pub quote: String,
    /// Currency of profit and loss; empty for spot.
    pub settle: String,
    /// Step of prices; the finest where it grows with the price. Zero where the venue states none.
    pub tick: Decimal,
    /// Step of sizes. Zero where the venue states none.
    pub lot: Decimal,
    /// What a size of 1 in the book stands for, in `contract_currency`; `None` where sizes are
    /// already amounts of `base`.
    pub contract_value: Option<Decimal>,
    /// Currency of `contract_value`; empty without one.
    pub contract_currency: String,
    /// Whether it trades.
    pub status: Status,
    /// When it ends, ns since the Unix epoch; `None` for spot and perpetuals.
    pub expiry_ns: Option<i64>,
    /// Strike of an option.
    pub strike: Option<Decimal>,
}

/// A venue's list as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Rows read.
    pub instruments: Vec<Instrument>,
    /// Rows refused.
    pub refused: Vec<InstrumentError>,
    /// What is added to the query to ask for the next page; `None` on the last one.
    pub next: Option<String>,
}

impl List {
    /// Takes the outcome of one row.
    pub(crate) fn take(&mut self, row: Result<Instrument, InstrumentError>) {
        match row {
            Ok(instrument) => self.instruments.push(instrument),
            Err(error) => self.refused.push(error),
        }
    }
}

/// Why a list, or one row of it, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentError {
    /// Whose list.
    pub venue: String,
    /// The row's symbol; empty where the list itself is at fault or the symbol cannot be read.
    pub symbol: String,
    /// The field at fault; empty where it is none in particular.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a list or a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not JSON.
    Json(String),
    /// JSON, but not by the strict rules of frames.
    Strict(WireError),
    /// Not the venue's list: perhaps its error answer, shortened.
    Shape(String),
    /// Required and absent, null or empty.
    Missing,
    /// Neither text nor an exact number.
    Type,
    /// Not a number that can be stored; the text as far as it is short.
    Number(String, DecimalError),
    /// A step or value below zero, or a contract worth nothing.
    Sign(Decimal),
    /// Not a time.
    Time(String),
    /// Longer than its limit.
    TooLong,
}

impl InstrumentError {
    /// An error about the list as a whole.
    pub(crate) fn whole(venue: &str, problem: Problem) -> Self {
        Self { venue: venue.to_owned(), symbol: String::new(), field: "", problem }
    }
}

impl fmt::Display for InstrumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.venue)?;
        for part in [self.symbol.as_str(), self.field] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        match &self.problem {
            Problem::Json(why) => write!(f, ": not JSON: {why}"),
            Problem::Strict(error) => write!(f, ": {error}"),
            Problem::Shape(text) => write!(f, ": not an instrument list: {text}"),
            Problem::Missing => f.write_str(": missing"),
            Problem::Type => f.write_str(": neither text nor an exact number"),
            Problem::Number(text, error) => write!(f, ": {error}: {text:?}"),
            Problem::Sign(value) => write!(f, ": {value} is not allowed"),
            Problem::Time(text) => write!(f, ": not a time: {text:?}"),
            Problem::TooLong => f.write_str(": too long"),
        }
    }
}

impl core::error::Error for InstrumentError {}

/// At most 120 characters of what a venue wrote, for an error text.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}
