//! `Table`: immutable rows, shown as Arrow and as numpy arrays over the same memory.

use crate::error::GaplessError;
use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType,
};
use arrow_array::{Array, RecordBatch, RecordBatchIterator, StructArray, cast::AsArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Schema};
use gapless_research::ExtractError;
use gapless_research::rows::interleaved;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

/// Names of the capsules, as the Arrow C data interface has them.
pub const SCHEMA: &std::ffi::CStr = c"arrow_schema";
const ARRAY: &std::ffi::CStr = c"arrow_array";
pub const STREAM: &std::ffi::CStr = c"arrow_array_stream";

/// Immutable rows of one kind, as columns.
///
/// Arrow reads them without a copy (``pl.DataFrame``, ``pa.table``, ``pa.record_batch``, duckdb),
/// and so does numpy column by column: ``table["bid_price"]`` is a read-only view. In Arrow, times
/// are ``timestamp[ns, UTC]``, words dictionaries, absent values null; numpy sees times as int64
/// ns, words as int32 codes into ``categories``, absent integers as the smallest int64. May be
/// used from any thread, pickled and copied.
#[pyclass(module = "gapless", frozen)]
pub struct Table {
    pub kind: &'static str,
    pub rows: RecordBatch,
}

pub fn arrow(error: impl std::fmt::Display) -> PyErr {
    GaplessError::new_err(error.to_string())
}

/// The capsule of a schema.
pub fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(arrow)?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// The type string of numpy for a column that it can look at in place.
fn typestr(kind: &DataType) -> Option<&'static str> {
    Some(match kind {
        DataType::Int64 | DataType::Timestamp(..) => "<i8",
        DataType::Float64 => "<f8",
        DataType::Dictionary(..) => "<i4",
        _ => return None,
    })
}

/// What numpy asks of an object to look at its memory.
fn interface<'py>(
    py: Python<'py>,
    address: usize,
    rows: usize,
    typestr: &str,
    fields: Option<Vec<(String, &'static str)>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("version", 3)?;
    dict.set_item("shape", (rows,))?;
    dict.set_item("typestr", typestr)?;
    // The second word says that nobody may write.
    dict.set_item("data", (address, true))?;
    if let Some(fields) = fields {
        dict.set_item("descr", fields)?;
    }
    Ok(dict)
}

/// Holds the memory that a numpy array looks at.
#[pyclass(module = "gapless", frozen)]
pub struct Memory {
    /// A column of a table.
    column: Option<(RecordBatch, usize)>,
    /// Rows written side by side.
    rows: Vec<u8>,
    count: usize,
    fields: Vec<(String, &'static str)>,
}

#[pymethods]
impl Memory {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Some((batch, at)) = &self.column else {
            let width = |kind: &str| if kind == "<i4" { 4 } else { 8 };
            let row: usize = self.fields.iter().map(|(_, kind)| width(kind)).sum();
            let kind = format!("|V{row}");
            let address = self.rows.as_ptr() as usize;
            return interface(py, address, self.count, &kind, Some(self.fields.clone()));
        };
        let column = batch.column(*at);
        let kind = typestr(column.data_type()).unwrap_or("|V0");
        interface(py, address(column), column.len(), kind, None)
    }
}

/// Where the values of a column begin.
fn address(column: &dyn Array) -> usize {
    fn of<T: ArrowPrimitiveType>(column: &dyn Array) -> Option<usize> {
        column.as_primitive_opt::<T>().map(|values| values.values().as_ptr() as usize)
    }
    let keys = column.as_dictionary_opt::<Int32Type>();
    of::<Int64Type>(column)
        .or_else(|| of::<TimestampNanosecondType>(column))
        .or_else(|| of::<Float64Type>(column))
        .or_else(|| keys.map(|column| column.keys().values().as_ptr() as usize))
        .unwrap_or(0)
}

impl Table {
    fn index(&self, name: &str) -> PyResult<usize> {
        self.rows.schema().index_of(name).map_err(|_| {
            let schema = self.rows.schema();
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            PyKeyError::new_err(format!("no column {name:?}; there are {}", names.join(", ")))
        })
    }
}

/// A numpy array over the memory of an object, which it keeps.
fn array(py: Python<'_>, memory: Memory) -> PyResult<Bound<'_, PyAny>> {
    py.import("numpy")?.call_method1("asarray", (Bound::new(py, memory)?,))
}

#[pymethods]
impl Table {
    /// ``"books"``, ``"deltas"``, ``"trades"``, ``"liquidations"``, ``"funding"``, ``"states"``.
    #[getter]
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn __len__(&self) -> usize {
        self.rows.num_rows()
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.rows.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Bytes of memory.
    #[getter]
    fn nbytes(&self) -> usize {
        self.rows.get_array_memory_size()
    }

    /// Decimals of a column of integer prices or sizes; None for another. Raises KeyError.
    fn scale(&self, name: &str) -> PyResult<Option<u8>> {
        let at = self.index(name)?;
        let schema = self.rows.schema();
        Ok(schema.field(at).metadata().get("scale").and_then(|scale| scale.parse().ok()))
    }

    /// Unit of a column; None where it has none. Raises KeyError.
    fn unit(&self, name: &str) -> PyResult<Option<String>> {
        let at = self.index(name)?;
        Ok(self.rows.schema().field(at).metadata().get("unit").cloned())
    }

    /// The words behind the codes of a column. Raises TypeError for a column without words.
    fn categories(&self, name: &str) -> PyResult<Vec<String>> {
        let column = self.rows.column(self.index(name)?);
        let words = column.as_dictionary_opt::<Int32Type>();
        let words = words.and_then(|words| words.values().as_string_opt::<i32>());
        let words =
            words.ok_or_else(|| PyTypeError::new_err(format!("column {name:?} holds no words")))?;
        Ok(words.iter().flatten().map(str::to_owned).collect())
    }

    /// A column in place: read-only int64, float64 or int32 (codes), shape (rows,).
    ///
    /// Raises KeyError; TypeError for text and decimal128, which only Arrow has.
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let at = self.index(name)?;
        let kind = self.rows.column(at).data_type().clone();
        if typestr(&kind).is_none() {
            let text = format!("column {name:?} is {kind}, which numpy cannot look at; use Arrow");
            return Err(PyTypeError::new_err(text));
        }
        let column = Some((self.rows.clone(), at));
        array(py, Memory { column, rows: Vec::new(), count: 0, fields: Vec::new() })
    }

    /// The rows as a read-only structured array, shape (rows,), packed, little-endian.
    ///
    /// The columns are written side by side once; text and decimal128 are left out.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (rows, fields) = py.detach(|| interleaved(&self.rows));
        let count = self.rows.num_rows();
        array(py, Memory { column: None, rows, count, fields })
    }

    #[pyo3(signature = (dtype = None, copy = None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if copy == Some(false) {
            let text = "rows are written side by side first: a table is no array without a copy";
            return Err(PyValueError::new_err(text));
        }
        let rows = self.to_numpy(py)?;
        match dtype {
            Some(dtype) => rows.call_method1("astype", (dtype,)),
            // Who asks for a copy may write into it.
            None if copy == Some(true) => rows.call_method0("copy"),
            None => Ok(rows),
        }
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.rows.schema())
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // Who asks for another schema casts: the interface lets the producer ignore the wish.
        let _ = requested_schema;
        let data = StructArray::from(self.rows.clone()).to_data();
        let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&data), ARRAY)?;
        (schema_capsule(py, &self.rows.schema())?, array).into_pyobject(py)
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let one = std::iter::once(Ok(self.rows.clone()));
        let reader = RecordBatchIterator::new(one, self.rows.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
    }

    fn __repr__(&self) -> String {
        let (rows, columns) = (self.rows.num_rows(), self.rows.num_columns());
        format!("<gapless.Table {} of {rows} rows, {columns} columns>", self.kind)
    }

    /// The rows as an Arrow IPC stream, which is what a pickled table holds.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let bytes = gapless_research::rows::to_ipc(&slf.get().rows).map_err(wrong)?;
        let load = py.import("gapless._gapless")?.getattr("_table_from_ipc")?;
        let bytes = pyo3::types::PyBytes::new(py, &bytes);
        (load, (slf.get().kind, bytes)).into_pyobject(py)
    }
}

/// Makes a table of what a pickled one holds.
#[pyfunction]
pub fn _table_from_ipc(kind: &str, bytes: &[u8]) -> PyResult<Table> {
    let kind = gapless_research::extract::TableKind::from_name(kind)
        .ok_or_else(|| PyTypeError::new_err(format!("no table is called {kind:?}")))?;
    let rows = gapless_research::rows::from_ipc(bytes).map_err(wrong)?;
    Ok(Table { kind: kind.name(), rows })
}

/// An error of the crate as the exception that it is.
pub fn wrong(error: ExtractError) -> PyErr {
    match error {
        ExtractError::Input(error) => crate::error::InputError::new_err(error.to_string()),
        ExtractError::Scale { .. } => crate::error::ScaleError::new_err(error.to_string()),
        ExtractError::Feature(_) => pyo3::exceptions::PyValueError::new_err(error.to_string()),
        ExtractError::Write { .. } => pyo3::exceptions::PyOSError::new_err(error.to_string()),
        other => GaplessError::new_err(other.to_string()),
    }
}
