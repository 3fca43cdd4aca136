//! One row of a list and the reading of its fields, whichever JSON reader stands behind.
//!
//! Long lists of numbers as text come through simd-json's tape (flat: no recursion on hostile
//! nesting). Lists with bare JSON numbers come through the strict reader, which keeps their text:
//! simd-json would make floats of them.

use std::borrow::Cow;

use gapless_book::decimal::Decimal;
use gapless_book::event::TimeUnit;
use simd_json::prelude::{TypedScalarValue as _, ValueAsScalar as _, ValueIntoString as _};
use simd_json::tape;

use super::{
    BODY_MAX, Instrument, InstrumentError, List, Problem, ROWS_MAX, SYMBOL_MAX, shortened,
};
use crate::scan::Value;
use crate::time::Stamp;

/// A JSON object whose fields are texts and exact numbers.
pub(crate) trait Row {
    /// The text of a field, a number's as written; `None` where absent or null.
    fn text(&self, field: &'static str) -> Result<Option<Cow<'_, str>>, Problem>;
}

impl Row for Value<'_> {
    fn text(&self, field: &'static str) -> Result<Option<Cow<'_, str>>, Problem> {
        let found = self.field(field).map_err(Problem::Strict)?;
        let Some(value) = found.filter(|value| !value.is_null()) else { return Ok(None) };
        let text = match value.raw() {
            word @ ("true" | "false") => word,
            _ => value.text().map_err(Problem::Strict)?,
        };
        Ok(Some(Cow::Borrowed(text)))
    }
}

impl<'input> Row for tape::Value<'_, 'input> {
    fn text(&self, field: &'static str) -> Result<Option<Cow<'_, str>>, Problem> {
        let Some(value) = self.get(field).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        if let Some(text) = value.into_string() {
            return Ok(Some(Cow::Borrowed(text)));
        }
        // A float has lost its text: it is not taken for exact.
        let whole = value.as_i64().map(|number| number.to_string());
        let whole = whole.or_else(|| value.as_bool().map(|word| word.to_string()));
        whole.map(|text| Some(Cow::Owned(text))).ok_or(Problem::Type)
    }
}

/// Reads the rows of a list through simd-json; `path` leads from the body to the array.
///
/// # Errors
/// Too long, not JSON, or no array at `path`.
pub(crate) fn simd_rows(
    venue: &str,
    body: &[u8],
    path: &[&'static str],
    mut read: impl FnMut(tape::Value<'_, '_>) -> Result<Instrument, InstrumentError>,
) -> Result<List, InstrumentError> {
    let whole = |problem| InstrumentError::whole(venue, problem);
    if body.len() > BODY_MAX {
        return Err(whole(Problem::TooLong));
    }
    let mut copy = body.to_vec();
    let tape =
        simd_json::to_tape(&mut copy).map_err(|error| whole(Problem::Json(error.to_string())))?;
    let found = path.iter().try_fold(tape.as_value(), |value, key| value.get(*key));
    let Some(rows) = found.and_then(|value| value.as_array()) else {
        return Err(whole(Problem::Shape(shortened(&String::from_utf8_lossy(body)))));
    };
    if rows.len() > ROWS_MAX {
        return Err(whole(Problem::TooLong));
    }
    let mut list = List::default();
    rows.iter().for_each(|row| list.take(read(row)));
    Ok(list)
}

/// A row with the names that its errors carry.
#[derive(Debug)]
pub(crate) struct Reading<'r, R> {
    venue: &'r str,
    /// The row's symbol.
    pub(crate) symbol: String,
    row: R,
}

impl<'r, R: Row> Reading<'r, R> {
    /// Begins a row by its symbol.
    ///
    /// # Errors
    /// No symbol, or one that is too long.
    pub(crate) fn new(
        venue: &'r str,
        row: R,
        field: &'static str,
    ) -> Result<Self, InstrumentError> {
        let mut reading = Self { venue, symbol: String::new(), row };
        let symbol = reading.word(field)?;
        if symbol.len() > SYMBOL_MAX {
            return Err(reading.error(field, Problem::TooLong));
        }
        reading.symbol = symbol;
        Ok(reading)
    }

    /// Another object of the same row (a filter, a nested group).
    pub(crate) fn part<P: Row>(&self, part: P) -> Reading<'r, P> {
        Reading { venue: self.venue, symbol: self.symbol.clone(), row: part }
    }

    /// An error about a field of this row.
    pub(crate) fn error(&self, field: &'static str, problem: Problem) -> InstrumentError {
        InstrumentError {
            venue: self.venue.to_owned(),
            symbol: self.symbol.clone(),
            field,
            problem,
        }
    }

    /// The text of a field that is there and not empty.
    fn present(&self, field: &'static str) -> Result<Option<Cow<'_, str>>, InstrumentError> {
        let text = self.row.text(field).map_err(|problem| self.error(field, problem))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// A text that must be there.
    pub(crate) fn word(&self, field: &'static str) -> Result<String, InstrumentError> {
        let text = self.present(field)?.ok_or_else(|| self.error(field, Problem::Missing))?;
        Ok(text.into_owned())
    }

    /// A text, empty if absent.
    pub(crate) fn word_or_empty(&self, field: &'static str) -> Result<String, InstrumentError> {
        Ok(self.present(field)?.map(Cow::into_owned).unwrap_or_default())
    }

    /// An exact number, if it is there.
    pub(crate) fn decimal(&self, field: &'static str) -> Result<Option<Decimal>, InstrumentError> {
        let Some(text) = self.present(field)? else { return Ok(None) };
        let number = Decimal::parse(text.as_bytes());
        let problem = |error| self.error(field, Problem::Number(shortened(&text), error));
        number.map(Some).map_err(problem)
    }

    /// A step that must be there and not below zero.
    pub(crate) fn step(&self, field: &'static str) -> Result<Decimal, InstrumentError> {
        let step = self.decimal(field)?.ok_or_else(|| self.error(field, Problem::Missing))?;
        if step.mantissa() < 0 {
            return Err(self.error(field, Problem::Sign(step)));
        }
        Ok(step)
    }

    /// A value above zero, if it is there.
    pub(crate) fn positive(&self, field: &'static str) -> Result<Option<Decimal>, InstrumentError> {
        let value = self.decimal(field)?;
        match value {
            Some(value) if value.mantissa() <= 0 => Err(self.error(field, Problem::Sign(value))),
            value => Ok(value),
        }
    }

    /// A time in milliseconds as nanoseconds; `None` if absent or 0.
    pub(crate) fn time_ms(&self, field: &'static str) -> Result<Option<i64>, InstrumentError> {
        let Some(text) = self.present(field)?.filter(|text| text != "0") else { return Ok(None) };
        let stamp = text.parse().ok().and_then(|ms| Stamp::count(ms, TimeUnit::Milli));
        let stamp = stamp.ok_or_else(|| self.error(field, Problem::Time(shortened(&text))))?;
        Ok(Some(stamp.ns))
    }

    /// A time in ISO 8601 as nanoseconds, if it is there.
    pub(crate) fn time_iso(&self, field: &'static str) -> Result<Option<i64>, InstrumentError> {
        let Some(text) = self.present(field)? else { return Ok(None) };
        let stamp = Stamp::iso(&text);
        let stamp = stamp.ok_or_else(|| self.error(field, Problem::Time(shortened(&text))))?;
        Ok(Some(stamp.ns))
    }
}
