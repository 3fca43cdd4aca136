//! What a venue's parser produces and how it says no.
//!
//! A parser reads one frame and hands its events to an [`EventSink`]. A frame that claims a known
//! kind and is malformed is refused whole: nothing of it reaches the sink but a [`Reject`].

use core::fmt;
use gapless_book::decimal::DecimalError;
use gapless_book::event::Event;

pub use crate::template::{Mark, Slot};

/// Why a frame or a part of it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// Not JSON.
    Syntax,
    /// Ends too early.
    Truncated,
    /// Not UTF-8.
    Utf8,
    /// Nested too deep.
    TooDeep,
    /// A string, object, frame or level list beyond its limit.
    TooLong,
    /// A field that is read stands twice.
    Duplicate(&'static str),
    /// A required field is missing or null.
    Missing(&'static str),
    /// A value is not of the type named.
    Type(&'static str),
    /// Not an integer that fits.
    Integer,
    /// Not a number that fits.
    Number(DecimalError),
    /// A size below zero.
    NegativeSize,
    /// A level with too few elements or only one of price and size.
    Level,
    /// A level action that the venue never documented.
    Action,
    /// An escape where a name or number stands.
    Escape,
    /// A time that cannot be read.
    Time,
    /// Levels whose numbers do not fit one common scale.
    Scale,
    /// A row of a table that cannot be read; the offset of the error is then its line.
    Row(&'static str),
}

impl WireErrorKind {
    /// Short stable name, the key of the reject counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Truncated => "truncated",
            Self::Utf8 => "utf8",
            Self::TooDeep => "too_deep",
            Self::TooLong => "too_long",
            Self::Duplicate(_) => "duplicate_field",
            Self::Missing(_) => "missing_field",
            Self::Type(_) => "wrong_type",
            Self::Integer => "integer",
            Self::Number(_) => "number",
            Self::NegativeSize => "negative_size",
            Self::Level => "level",
            Self::Action => "action",
            Self::Escape => "escape",
            Self::Time => "time",
            Self::Scale => "scale",
            Self::Row(name) => name,
        }
    }
}

/// A refusal with its place: `Copy`, no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Why.
    pub kind: WireErrorKind,
    /// Byte offset in the frame.
    pub at: u32,
}

impl WireError {
    /// An error at a byte offset.
    #[must_use]
    pub fn new(kind: WireErrorKind, at: usize) -> Self {
        Self { kind, at: u32::try_from(at).unwrap_or(u32::MAX) }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WireErrorKind::Duplicate(field) => write!(f, "field \"{field}\" stands twice")?,
            WireErrorKind::Missing(field) => write!(f, "field \"{field}\" is missing")?,
            WireErrorKind::Type(wanted) => write!(f, "expected {wanted}")?,
            WireErrorKind::Number(error) => write!(f, "{error}")?,
            WireErrorKind::Row(name) => {
                return write!(f, "row with bad {name} in line {}", self.at);
            }
            other => f.write_str(other.name())?,
        }
        write!(f, " at byte {}", self.at)
    }
}

impl core::error::Error for WireError {}

/// A frame, or one element of it, that was refused whole.
#[derive(Clone, Copy, Debug)]
pub struct Reject<'a> {
    /// Why and where.
    pub error: WireError,
    /// Exchange that it names; empty if it names none or it could not be read.
    pub exchange: &'a str,
    /// Symbol that it names, as far as it could be read; empty if not.
    pub symbol: &'a str,
    /// Channel that it names, as far as it could be read; empty if not.
    pub channel: &'a str,
    /// It is, or may be, a book message: the book must not stay live on it.
    pub book: bool,
}

impl Reject<'static> {
    /// A refusal of bytes that name nothing; they may have been any book's.
    #[must_use]
    pub const fn unnamed(error: WireError) -> Self {
        Self { error, exchange: "", symbol: "", channel: "", book: true }
    }
}

/// Where parsed events go.
pub trait EventSink {
    /// One event; it borrows from the frame and the parser's scratch.
    fn event(&mut self, event: &Event<'_>);

    /// A book event with the places of its numbers, from which a template may be learned.
    /// `marks` is empty where the frame is not one book message.
    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        let _ = marks;
        self.event(event);
    }

    /// A refusal.
    fn reject(&mut self, reject: &Reject<'_>);
}
