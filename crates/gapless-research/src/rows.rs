//! Batches in other layouts: rows side by side, and bytes that another process can read.

use crate::ExtractError;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::DataType;

/// Values of one column as the bytes of its rows.
enum Cells<'a> {
    Eight(&'a [i64]),
    Float(&'a [f64]),
    Code(&'a [i32]),
}

/// The rows one behind the other, little-endian and unpadded, with name and numpy type of each
/// field: integers, times and floats of 8 bytes, words as 4-byte codes. Text and `decimal128` have
/// no such form and are left out; absent integers are the smallest one.
#[must_use]
pub fn interleaved(rows: &RecordBatch) -> (Vec<u8>, Vec<(String, &'static str)>) {
    let schema = rows.schema();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        let (kind, cells) = match field.data_type() {
            DataType::Int64 => ("<i8", Cells::Eight(column.as_primitive::<Int64Type>().values())),
            DataType::Timestamp(..) => {
                ("<i8", Cells::Eight(column.as_primitive::<TimestampNanosecondType>().values()))
            }
            DataType::Float64 => {
                ("<f8", Cells::Float(column.as_primitive::<Float64Type>().values()))
            }
            DataType::Dictionary(..) => {
                ("<i4", Cells::Code(column.as_dictionary::<Int32Type>().keys().values()))
            }
            _ => continue,
        };
        fields.push((field.name().clone(), kind));
        columns.push(cells);
    }
    let width: usize = fields.iter().map(|(_, kind)| if *kind == "<i4" { 4 } else { 8 }).sum();
    let mut bytes = Vec::with_capacity(width * rows.num_rows());
    for row in 0..rows.num_rows() {
        for cells in &columns {
            match cells {
                Cells::Eight(values) => {
                    bytes.extend_from_slice(&values.get(row).copied().unwrap_or(0).to_le_bytes());
                }
                Cells::Float(values) => {
                    bytes.extend_from_slice(&values.get(row).copied().unwrap_or(0.0).to_le_bytes());
                }
                Cells::Code(values) => {
                    bytes.extend_from_slice(&values.get(row).copied().unwrap_or(0).to_le_bytes());
                }
            }
        }
    }
    (bytes, fields)
}

/// A batch as an Arrow IPC stream.
///
/// # Errors
/// Arrow's own.
pub fn to_ipc(rows: &RecordBatch) -> Result<Vec<u8>, ExtractError> {
    let refused = |error: arrow_schema::ArrowError| ExtractError::Arrow(error.to_string());
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).map_err(refused)?;
    writer.write(rows).map_err(refused)?;
    writer.into_inner().map_err(refused)
}

/// The batch of an Arrow IPC stream of one.
///
/// # Errors
/// Bytes that are none.
pub fn from_ipc(bytes: &[u8]) -> Result<RecordBatch, ExtractError> {
    let refused = |error: arrow_schema::ArrowError| ExtractError::Arrow(error.to_string());
    let mut reader = StreamReader::try_new(bytes, None).map_err(refused)?;
    let schema = reader.schema();
    reader.next().map_or_else(|| Ok(RecordBatch::new_empty(schema)), |batch| batch.map_err(refused))
}
