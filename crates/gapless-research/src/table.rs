//! Columns that grow row by row and become Arrow record batches without a copy.
//!
//! A price or size is kept as the user wants to see it ([`Numbers`]). As integers, all values of a
//! column share one scale, which stands in the metadata of the field (`scale`). A value with more
//! decimals raises the scale of what is held; once a batch has been made the scale is fixed, so
//! that every batch of a stream has the same schema.

use crate::ExtractError;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use gapless::book::decimal::{Decimal, SCALE_MAX};
use std::collections::HashMap;
use std::sync::Arc;

/// The integer and time that are absent; Arrow shows them as null.
pub const ABSENT: i64 = i64::MIN;
/// Decimals of every `decimal128` column: any value that a book can hold fits 38 digits.
pub const DECIMAL_SCALE: u8 = 18;
/// Largest magnitude in 38 digits.
const DECIMAL_MAX: u128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

/// How prices and sizes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Numbers {
    /// Exact integers, the scale in the schema.
    #[default]
    Int,
    /// The nearest floats; absent = NaN.
    Float,
    /// Exact `decimal128(38, 18)`.
    Decimal,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nanoseconds since the epoch, UTC.
    Time,
    /// Integers that are no prices or sizes: numbers of messages, counts, flags.
    Int,
    /// Prices or sizes.
    Number,
    /// Floats whatever is asked for: features.
    Float,
    /// One of few words.
    Word,
    /// Any text.
    Text,
}

/// Name, content and unit of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Its unit, for the schema; empty = none.
    pub unit: &'static str,
}

impl Spec {
    /// A column.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind, unit: &'static str) -> Self {
        Self { name: name.into(), kind, unit }
    }
}

#[derive(Clone, Debug)]
enum Data {
    Int(Vec<i64>),
    Scaled { values: Vec<i64>, scale: u8, fixed: bool },
    Float(Vec<f64>),
    Decimal(Vec<i128>),
    Text { ends: Vec<usize>, bytes: String },
}

/// The words of a column of words, in the order of appearance.
#[derive(Clone, Debug, Default)]
pub struct Words {
    words: Vec<String>,
    codes: HashMap<String, i64>,
}

impl Words {
    /// Code of a word.
    pub fn code(&mut self, word: &str) -> i64 {
        if let Some(code) = self.codes.get(word) {
            return *code;
        }
        let code = i64::try_from(self.words.len()).unwrap_or(i64::MAX);
        self.words.push(word.to_owned());
        self.codes.insert(word.to_owned(), code);
        code
    }

    /// The words by code.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.words
    }
}

#[derive(Clone, Debug)]
struct Column {
    spec: Spec,
    data: Data,
    words: Words,
}

/// Rows under construction.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
    at: usize,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(specs: Vec<Spec>, numbers: Numbers) -> Self {
        let column = |spec: Spec| {
            let data = match (spec.kind, numbers) {
                (Kind::Time | Kind::Int | Kind::Word, _) => Data::Int(Vec::new()),
                (Kind::Float, _) | (Kind::Number, Numbers::Float) => Data::Float(Vec::new()),
                (Kind::Number, Numbers::Int) => {
                    Data::Scaled { values: Vec::new(), scale: 0, fixed: false }
                }
                (Kind::Number, Numbers::Decimal) => Data::Decimal(Vec::new()),
                (Kind::Text, _) => Data::Text { ends: Vec::new(), bytes: String::new() },
            };
            Column { spec, data, words: Words::default() }
        };
        Self { columns: specs.into_iter().map(column).collect(), rows: 0, at: 0 }
    }

    /// Rows so far.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.columns.iter().map(|column| &column.spec)
    }

    /// Begins a row; its values follow in the order of the columns, absent ones where fewer are
    /// given.
    pub fn row(&mut self) -> Row<'_> {
        self.at = 0;
        self.rows += 1;
        Row { table: self, error: None }
    }

    /// Sets the scale of a column of integers before its first value, and keeps it.
    pub fn fix_scale(&mut self, name: &str, to: u8) {
        for column in self.columns.iter_mut().filter(|column| column.spec.name == name) {
            if let Data::Scaled { scale, fixed, .. } = &mut column.data {
                (*scale, *fixed) = (to, true);
            }
        }
    }

    /// The scales of the columns of integers.
    #[must_use]
    pub fn scales(&self) -> Vec<(String, u8)> {
        let columns = self.columns.iter().filter_map(|column| match column.data {
            Data::Scaled { scale, .. } => Some((column.spec.name.clone(), scale)),
            _ => None,
        });
        columns.collect()
    }

    /// Brings a column of integers to a larger scale, for good.
    ///
    /// # Errors
    /// The column has more decimals already, or a value does not fit.
    pub fn raise(&mut self, name: &str, to: u8) -> Result<(), ExtractError> {
        for column in self.columns.iter_mut().filter(|column| column.spec.name == name) {
            let Column { spec, data: Data::Scaled { values, scale, fixed }, .. } = column else {
                continue;
            };
            for value in values.iter_mut() {
                *value =
                    raised(*value, *scale, to).ok_or_else(|| too_wide(spec, *value, *scale, to))?;
            }
            (*scale, *fixed) = (to, true);
        }
        Ok(())
    }

    /// The integers of a column of integers, times or codes.
    #[must_use]
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        let column = self.columns.iter().find(|column| column.spec.name == name)?;
        match &column.data {
            Data::Int(values) => Some(values),
            _ => None,
        }
    }

    /// The words behind the codes of a column.
    #[must_use]
    pub fn words(&self, name: &str) -> &[String] {
        let column = self.columns.iter().find(|column| column.spec.name == name);
        column.map_or(&[], |column| column.words.all())
    }

    /// Makes the rows a batch and begins anew; from now on scales are fixed.
    ///
    /// # Errors
    /// None that a table filled through [`Row`] can meet.
    pub fn take(&mut self) -> Result<RecordBatch, ExtractError> {
        let rows = core::mem::take(&mut self.rows);
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let array = column.array();
            fields.push(column.field());
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::new(Schema::new(fields));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| ExtractError::Arrow(error.to_string()))
    }

    /// The schema as it is now.
    #[must_use]
    pub fn schema(&self) -> Schema {
        Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>())
    }

    /// The rows of several tables of the same columns as one, taken in the given order of
    /// (table, row).
    ///
    /// # Errors
    /// Integers that fit no common scale.
    pub fn gather(parts: &[Self], order: &[(u32, u32)]) -> Result<Self, ExtractError> {
        let Some(first) = parts.first() else {
            return Ok(Self { columns: Vec::new(), rows: 0, at: 0 });
        };
        let mut columns = Vec::with_capacity(first.columns.len());
        for (at, column) in first.columns.iter().enumerate() {
            let same: Vec<&Column> = parts.iter().filter_map(|part| part.columns.get(at)).collect();
            columns.push(Column::gather(column.spec.clone(), &same, order)?);
        }
        Ok(Self { columns, rows: order.len(), at: 0 })
    }
}

impl Column {
    fn field(&self) -> Field {
        let (kind, absent) = match &self.data {
            Data::Int(_) if self.spec.kind == Kind::Time => {
                (DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true)
            }
            Data::Int(_) if self.spec.kind == Kind::Word => {
                let word = Box::new(DataType::Utf8);
                (DataType::Dictionary(Box::new(DataType::Int32), word), true)
            }
            Data::Int(_) | Data::Scaled { .. } => (DataType::Int64, true),
            Data::Float(_) => (DataType::Float64, true),
            Data::Decimal(_) => (DataType::Decimal128(38, DECIMAL_SCALE.cast_signed()), true),
            Data::Text { .. } => (DataType::Utf8, true),
        };
        let mut metadata = HashMap::new();
        if let Data::Scaled { scale, .. } = &self.data {
            metadata.insert("scale".to_owned(), scale.to_string());
        }
        if !self.spec.unit.is_empty() {
            metadata.insert("unit".to_owned(), self.spec.unit.to_owned());
        }
        Field::new(&self.spec.name, kind, absent).with_metadata(metadata)
    }

    fn array(&mut self) -> ArrayRef {
        match &mut self.data {
            Data::Int(values) => match self.spec.kind {
                Kind::Time => {
                    let (values, nulls) = integers(core::mem::take(values));
                    Arc::new(TimestampNanosecondArray::new(values, nulls).with_timezone("UTC"))
                }
                Kind::Word => words(values, &self.words),
                _ => {
                    let (values, nulls) = integers(core::mem::take(values));
                    Arc::new(Int64Array::new(values, nulls))
                }
            },
            Data::Scaled { values, fixed, .. } => {
                *fixed = true;
                let (values, nulls) = integers(core::mem::take(values));
                Arc::new(Int64Array::new(values, nulls))
            }
            Data::Float(values) => {
                Arc::new(Float64Array::new(core::mem::take(values).into(), None))
            }
            Data::Decimal(values) => {
                let values: ScalarBuffer<i128> = core::mem::take(values).into();
                let nulls = nulls(values.iter().map(|value| *value != i128::MIN));
                let kind = DataType::Decimal128(38, DECIMAL_SCALE.cast_signed());
                Arc::new(Decimal128Array::new(values, nulls).with_data_type(kind))
            }
            Data::Text { ends, bytes } => {
                let (ends, bytes) = (core::mem::take(ends), core::mem::take(bytes));
                let starts = core::iter::once(0).chain(ends.iter().copied());
                let texts = starts.zip(&ends).map(|(from, to)| bytes.get(from..*to));
                Arc::new(StringArray::from_iter(texts))
            }
        }
    }

    fn gather(spec: Spec, parts: &[&Self], order: &[(u32, u32)]) -> Result<Self, ExtractError> {
        let mut all = Words::default();
        let codes: Vec<Vec<i64>> = parts
            .iter()
            .map(|part| part.words.all().iter().map(|word| all.code(word)).collect())
            .collect();
        let first = parts.first().map(|part| &part.data);
        let data = match first {
            Some(Data::Int(_)) | None => Data::Int(pick(order, |part, row| {
                let Some(Column { data: Data::Int(values), .. }) = parts.get(part) else {
                    return ABSENT;
                };
                let value = values.get(row).copied().unwrap_or(ABSENT);
                if spec.kind != Kind::Word {
                    return value;
                }
                let code = usize::try_from(value).ok();
                code.and_then(|code| codes.get(part)?.get(code)).copied().unwrap_or(ABSENT)
            })),
            Some(Data::Scaled { .. }) => scaled(&spec, parts, order)?,
            Some(Data::Float(_)) => Data::Float(pick(order, |part, row| match parts.get(part) {
                Some(Column { data: Data::Float(values), .. }) => {
                    values.get(row).copied().unwrap_or(f64::NAN)
                }
                _ => f64::NAN,
            })),
            Some(Data::Decimal(_)) => {
                Data::Decimal(pick(order, |part, row| match parts.get(part) {
                    Some(Column { data: Data::Decimal(values), .. }) => {
                        values.get(row).copied().unwrap_or(i128::MIN)
                    }
                    _ => i128::MIN,
                }))
            }
            Some(Data::Text { .. }) => texts(parts, order),
        };
        Ok(Self { spec, data, words: all })
    }
}

fn pick<T>(order: &[(u32, u32)], get: impl Fn(usize, usize) -> T) -> Vec<T> {
    order.iter().map(|(part, row)| get(*part as usize, *row as usize)).collect()
}

fn texts(parts: &[&Column], order: &[(u32, u32)]) -> Data {
    let (mut all, mut text) = (Vec::with_capacity(order.len()), String::new());
    for (part, row) in order {
        if let Some(Column { data: Data::Text { ends, bytes }, .. }) = parts.get(*part as usize) {
            let row = *row as usize;
            let from = row.checked_sub(1).and_then(|row| ends.get(row)).copied().unwrap_or(0);
            let to = ends.get(row).copied().unwrap_or(from);
            text.push_str(bytes.get(from..to).unwrap_or(""));
        }
        all.push(text.len());
    }
    Data::Text { ends: all, bytes: text }
}

fn scaled(spec: &Spec, parts: &[&Column], order: &[(u32, u32)]) -> Result<Data, ExtractError> {
    let scales = parts.iter().map(|part| match &part.data {
        Data::Scaled { scale, .. } => *scale,
        _ => 0,
    });
    let scale = scales.max().unwrap_or(0);
    let mut values = Vec::with_capacity(order.len());
    for (part, row) in order {
        let Some(Column { data: Data::Scaled { values: from, scale: own, .. }, .. }) =
            parts.get(*part as usize)
        else {
            continue;
        };
        let value = from.get(*row as usize).copied().unwrap_or(ABSENT);
        values.push(raised(value, *own, scale).ok_or_else(|| too_wide(spec, value, *own, scale))?);
    }
    Ok(Data::Scaled { values, scale, fixed: false })
}

/// A value at a larger scale; the absent one stays absent.
fn raised(value: i64, from: u8, to: u8) -> Option<i64> {
    if value == ABSENT || from == to {
        return Some(value);
    }
    let factor = 10i64.checked_pow(u32::from(to.checked_sub(from)?))?;
    value.checked_mul(factor).filter(|value| *value != ABSENT)
}

fn too_wide(spec: &Spec, value: i64, scale: u8, to: u8) -> ExtractError {
    let value = Decimal::new(value, scale).to_string();
    ExtractError::Scale { column: spec.name.clone(), value, scale: to }
}

fn integers(values: Vec<i64>) -> (ScalarBuffer<i64>, Option<NullBuffer>) {
    let nulls = nulls(values.iter().map(|value| *value != ABSENT));
    (values.into(), nulls)
}

fn nulls(present: impl ExactSizeIterator<Item = bool> + Clone) -> Option<NullBuffer> {
    if present.clone().all(|present| present) {
        return None;
    }
    Some(NullBuffer::new(BooleanBuffer::from_iter(present)))
}

fn words(codes: &mut Vec<i64>, words: &Words) -> ArrayRef {
    let keys = core::mem::take(codes);
    let keys = Int32Array::from_iter(
        keys.into_iter().map(|code| i32::try_from(code).ok().filter(|code| *code >= 0)),
    );
    let values = Arc::new(StringArray::from_iter_values(words.all()));
    // Every code was given out by these words.
    match DictionaryArray::<Int32Type>::try_new(keys, values) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(StringArray::new_null(0)),
    }
}

/// The values of one row, given in the order of the columns.
#[must_use = "end() says whether every value fitted"]
pub struct Row<'t> {
    table: &'t mut Table,
    error: Option<ExtractError>,
}

impl Row<'_> {
    fn next(&mut self) -> Option<&mut Column> {
        self.table.at += 1;
        self.table.columns.get_mut(self.table.at - 1)
    }

    /// A time, count or flag.
    pub fn int(mut self, value: Option<i64>) -> Self {
        if let Some(Column { data: Data::Int(values), .. }) = self.next() {
            values.push(value.unwrap_or(ABSENT));
        }
        self
    }

    /// A time; the engine's absent time is absent.
    pub fn time(self, ns: i64) -> Self {
        self.int(Some(ns).filter(|ns| *ns != gapless::book::event::NO_TIME))
    }

    /// A word.
    pub fn word(mut self, word: &str) -> Self {
        if let Some(Column { data: Data::Int(values), words, .. }) = self.next() {
            values.push(words.code(word));
        }
        self
    }

    /// A text.
    pub fn text(mut self, text: &str) -> Self {
        if let Some(Column { data: Data::Text { ends, bytes }, .. }) = self.next() {
            bytes.push_str(text);
            ends.push(bytes.len());
        }
        self
    }

    /// A float.
    pub fn float(mut self, value: f64) -> Self {
        if let Some(Column { data: Data::Float(values), .. }) = self.next() {
            values.push(value);
        }
        self
    }

    /// A price or size `mantissa / 10^scale`.
    #[inline]
    pub fn scaled(mut self, value: Option<(i64, u8)>) -> Self {
        let Some(column) = self.next() else { return self };
        let error = match (&mut column.data, value) {
            (Data::Scaled { values, .. }, None) => {
                values.push(ABSENT);
                None
            }
            (Data::Scaled { values, scale, .. }, Some((mantissa, own))) if own == *scale => {
                values.push(mantissa);
                None
            }
            (Data::Float(values), None) => {
                values.push(f64::NAN);
                None
            }
            (Data::Float(values), Some((mantissa, scale))) => {
                values.push(gapless::convert::scaled_f64(mantissa, scale));
                None
            }
            (Data::Decimal(values), None) => {
                values.push(i128::MIN);
                None
            }
            (_, None) => None,
            (_, Some((mantissa, scale))) => column.rescale(Decimal::new(mantissa, scale)).err(),
        };
        self.error = self.error.or(error);
        self
    }

    /// A price or size.
    pub fn number(self, value: Option<Decimal>) -> Self {
        self.scaled(value.map(|value| (value.mantissa(), value.scale())))
    }

    /// Ends the row: columns that were not given are absent.
    ///
    /// # Errors
    /// A value that the column's scale or type cannot hold exactly; the row has it absent.
    pub fn end(mut self) -> Result<(), ExtractError> {
        while self.table.at < self.table.columns.len() {
            let kind = self.table.columns.get(self.table.at).map(|column| column.spec.kind);
            self = match kind {
                Some(Kind::Number) => self.scaled(None),
                Some(Kind::Float) => self.float(f64::NAN),
                Some(Kind::Text) => self.text(""),
                _ => self.int(None),
            };
        }
        self.error.map_or(Ok(()), Err)
    }
}

impl Column {
    /// Takes a value whose scale is not the column's.
    #[cold]
    fn rescale(&mut self, value: Decimal) -> Result<(), ExtractError> {
        let wide = |spec: &Spec, scale| ExtractError::Scale {
            column: spec.name.clone(),
            value: value.to_string(),
            scale,
        };
        match &mut self.data {
            Data::Decimal(values) => {
                let power = DECIMAL_SCALE.checked_sub(value.scale());
                let factor = power.and_then(|power| 10i128.checked_pow(u32::from(power)));
                let scaled =
                    factor.and_then(|factor| i128::from(value.mantissa()).checked_mul(factor));
                let scaled = scaled.filter(|scaled| scaled.unsigned_abs() <= DECIMAL_MAX);
                values.push(scaled.unwrap_or(i128::MIN));
                scaled.map(|_| ()).ok_or_else(|| wide(&self.spec, DECIMAL_SCALE))
            }
            Data::Scaled { values, scale, fixed } => {
                if value.scale() > *scale && !*fixed && value.scale() <= SCALE_MAX {
                    let raised: Option<Vec<i64>> =
                        values.iter().map(|old| raised(*old, *scale, value.scale())).collect();
                    if let Some(raised) = raised {
                        (*values, *scale) = (raised, value.scale());
                    }
                }
                let mantissa = value.at_scale(*scale).filter(|mantissa| *mantissa != ABSENT);
                values.push(mantissa.unwrap_or(ABSENT));
                mantissa.map(|_| ()).ok_or_else(|| wide(&self.spec, *scale))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    fn table(numbers: Numbers) -> Table {
        let specs = vec![
            Spec::new("recv_ns", Kind::Time, "ns"),
            Spec::new("symbol", Kind::Word, ""),
            Spec::new("price", Kind::Number, ""),
            Spec::new("id", Kind::Text, ""),
        ];
        Table::new(specs, numbers)
    }

    fn put(table: &mut Table, ns: i64, symbol: &str, price: &str) -> Result<(), ExtractError> {
        let price = Decimal::parse(price.as_bytes()).ok();
        table.row().time(ns).word(symbol).number(price).text("t").end()
    }

    #[test]
    fn a_finer_value_raises_the_scale_of_what_is_held() {
        let mut table = table(Numbers::Int);
        put(&mut table, 1, "a", "10").unwrap();
        put(&mut table, 2, "b", "0.25").unwrap();
        table.row().time(3).word("a").end().unwrap();
        let batch = table.take().unwrap();
        let prices = batch.column(2).as_primitive::<Int64Type>();
        assert_eq!(prices.iter().collect::<Vec<_>>(), [Some(1000), Some(25), None]);
        let field = batch.schema().field(2).clone();
        assert_eq!(field.metadata().get("scale").map(String::as_str), Some("2"));
    }

    #[test]
    fn after_the_first_batch_the_scale_is_fixed_and_a_finer_value_is_told() {
        let mut table = table(Numbers::Int);
        put(&mut table, 1, "a", "10.5").unwrap();
        table.take().unwrap();
        let error = put(&mut table, 2, "a", "0.25").unwrap_err();
        assert!(error.to_string().contains("0.25"), "{error}");
    }

    #[test]
    fn tables_of_other_scales_and_words_are_joined_exactly() {
        let (mut a, mut b) = (table(Numbers::Int), table(Numbers::Int));
        put(&mut a, 1, "x", "1").unwrap();
        put(&mut a, 4, "y", "2").unwrap();
        put(&mut b, 2, "y", "0.5").unwrap();
        let mut joined = Table::gather(&[a, b], &[(0, 0), (1, 0), (0, 1)]).unwrap();
        assert_eq!(joined.words("symbol"), ["x", "y"]);
        let batch = joined.take().unwrap();
        assert_eq!(batch.column(2).as_primitive::<Int64Type>().values().to_vec(), [10, 5, 20]);
        assert_eq!(batch.column(3).len(), 3);
    }

    #[test]
    fn every_value_of_a_book_fits_a_decimal_column() {
        let mut table = table(Numbers::Decimal);
        for price in ["9223372036854775807", "-9223372036854775807", "0.000000000000000001"] {
            put(&mut table, 1, "a", price).unwrap();
        }
        assert_eq!(table.take().unwrap().column(2).null_count(), 0);
    }
}
