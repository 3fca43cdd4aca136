//! Extracts: options read, threads waited for without the interpreter, answers wrapped.

use crate::error::ClosedError;
use crate::handle::Handle;
use crate::table::{STREAM, Table, wrong};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use gapless::venues::registry::VenueId;
use gapless_research::ExtractError;
use gapless_research::extract::{DEPTH_MAX, On, Options, TableKind};
use gapless_research::features::{Feature, window};
use gapless_research::read::{Batch, Next, Reader, Reading};
use gapless_research::table::Numbers;
use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use pyo3::{PyTraverseError, PyVisit};
use std::path::PathBuf;
use std::time::Duration;

/// How long a wait lasts before Python may look at its signals.
const SLICE: Duration = Duration::from_millis(50);

/// One word out of a few.
fn one_of<T>(what: &str, word: &str, known: &str, value: Option<T>) -> PyResult<T> {
    value.ok_or_else(|| PyValueError::new_err(format!("{what} must be {known}, not {word:?}")))
}

fn item<'py, T: FromPyObjectOwned<'py>>(
    words: &Bound<'py, PyDict>,
    name: &str,
) -> PyResult<Option<T>> {
    match words.get_item(name)?.filter(|value| !value.is_none()) {
        Some(value) => value.extract().map(Some).map_err(Into::into),
        None => Ok(None),
    }
}

/// Reads the options that the package has put into one dictionary.
fn options(kinds: Vec<String>, words: &Bound<'_, PyDict>) -> PyResult<(Options, Reading)> {
    let known = TableKind::ALL.map(TableKind::name).join(", ");
    let kinds = kinds.iter().map(|kind| one_of("kinds", kind, &known, TableKind::from_name(kind)));
    let mut options = Options::new(kinds.collect::<PyResult<_>>()?);
    if let Some(word) = item::<String>(words, "numbers")? {
        options.numbers = match word.as_str() {
            "int" => Numbers::Int,
            "float" => Numbers::Float,
            "decimal" => Numbers::Decimal,
            _ => one_of("numbers", &word, "'int', 'float' or 'decimal'", None)?,
        };
    }
    (options.price_scale, options.size_scale) =
        (scale(words, "price_scale")?, scale(words, "size_scale")?);
    (options.start_ns, options.end_ns) = (item(words, "start")?, item(words, "end")?);
    options.symbols = item(words, "symbols")?.unwrap_or_default();
    if let Some(venue) = item::<String>(words, "venue")? {
        options.venue =
            Some(one_of("venue", &venue, "one of venues()", VenueId::from_name(&venue))?);
    }
    options.depth = item(words, "depth")?.unwrap_or(1);
    if !(1..=DEPTH_MAX).contains(&options.depth) {
        return Err(PyValueError::new_err(format!("depth must be 1 to {DEPTH_MAX}")));
    }
    if let Some(on) = item::<String>(words, "on")? {
        options.on = match on.as_str() {
            "change" => On::Change,
            "trade" => On::Trade,
            _ => On::Clock(one_of(
                "on",
                &on,
                "'change', 'trade' or a time like '100ms'",
                window(&on),
            )?),
        };
    }
    for (name, expression) in item::<Vec<(String, String)>>(words, "features")?.unwrap_or_default()
    {
        options.features.push((name, expression.parse::<Feature>().map_err(wrong)?));
    }
    let usual = Reading::default();
    let reading = Reading {
        batch_rows: item(words, "batch_rows")?.unwrap_or(usual.batch_rows),
        ordered: item(words, "ordered")?.unwrap_or(usual.ordered),
        threads: item(words, "threads")?.unwrap_or(usual.threads),
        skip_errors: item(words, "skip_errors")?.unwrap_or(usual.skip_errors),
    };
    if reading.batch_rows == 0 {
        return Err(PyValueError::new_err("batch_rows must be at least 1"));
    }
    Ok((options, reading))
}

fn scale(words: &Bound<'_, PyDict>, name: &str) -> PyResult<Option<u8>> {
    match item::<u8>(words, name)? {
        Some(scale) if scale > 18 => {
            Err(PyValueError::new_err(format!("{name} must be 0 to 18, not {scale}")))
        }
        scale => Ok(scale),
    }
}

/// Waits for the next batch without the interpreter; between waits Python may be interrupted, and
/// is told of the progress.
fn next(
    py: Python<'_>,
    reader: &Handle<Reader>,
    progress: &Option<Py<PyAny>>,
) -> PyResult<Option<Batch>> {
    loop {
        let (next, read) = reader
            .with(py, |reader| Ok((reader.next(SLICE).map_err(wrong)?, reader.progress())))?;
        tell(py, read, progress)?;
        match next {
            Next::Batch(batch) => return Ok(Some(batch)),
            Next::Waiting => {}
            Next::End => return Ok(None),
        }
    }
}

/// Bytes read so far, and in all where that is known.
type Read = (u64, Option<u64>);

fn tell(py: Python<'_>, read: Read, progress: &Option<Py<PyAny>>) -> PyResult<()> {
    py.check_signals()?;
    if let Some(progress) = progress {
        progress.call1(py, read)?;
    }
    Ok(())
}

/// A reader of the paths, begun without the interpreter.
fn begin(
    py: Python<'_>,
    paths: &[String],
    how: (Options, Reading),
    read: fn(&[String], Options, Reading) -> Result<Reader, ExtractError>,
) -> PyResult<Handle<Reader>> {
    let reader = py.detach(|| read(paths, how.0, how.1)).map_err(wrong)?;
    Ok(Handle::new("the batches were", reader))
}

/// A time as the command reads it: RFC 3339, or digits of ns since the epoch.
#[pyfunction]
pub fn _read_time(text: &str) -> PyResult<i64> {
    let known = "a time like '2026-11-20T20:40:31Z' or ns since the epoch";
    one_of("time", text, known, gapless::replay::time::parse_instant(text))
}

/// A whole table of one kind.
#[pyfunction]
pub fn _extract(
    py: Python<'_>,
    kind: String,
    paths: Vec<String>,
    words: &Bound<'_, PyDict>,
) -> PyResult<(Table, Vec<String>)> {
    let how = options(vec![kind], words)?;
    let progress = item(words, "progress")?;
    let kind = how.0.kinds[0];
    let reader = begin(py, &paths, how, Reader::tables)?;
    while next(py, &reader, &progress)?.is_some() {}
    let (rows, skipped) = reader.with(py, |reader| {
        Ok((reader.table(kind).map_err(wrong)?, std::mem::take(&mut reader.skipped)))
    })?;
    Ok((Table { kind: kind.name(), rows }, skipped))
}

/// Files that were written, and their rows.
type Files = Vec<(PathBuf, u64)>;

/// Parquet files below a folder, and what was passed over.
#[pyfunction]
pub fn _to_parquet(
    py: Python<'_>,
    kinds: Vec<String>,
    paths: Vec<String>,
    folder: PathBuf,
    name: String,
    words: &Bound<'_, PyDict>,
) -> PyResult<(Files, Vec<String>)> {
    let (options, reading) = options(kinds, words)?;
    let progress: Option<Py<PyAny>> = item(words, "progress")?;
    let (mut interrupted, mut skipped) = (None, Vec::new());
    let written = py.detach(|| {
        let place = (folder.as_path(), name.as_str());
        gapless_research::parquet::write(&paths, options, reading, place, |reader| {
            let known = skipped.len();
            skipped.extend_from_slice(&reader.skipped[known..]);
            let told = Python::attach(|py| tell(py, reader.progress(), &progress));
            told.map_err(|error| interrupted = Some(error)).is_ok()
        })
    });
    match (interrupted, written.map_err(wrong)?) {
        (Some(error), _) => Err(error),
        (None, written) => {
            let written = written.unwrap_or_default().into_iter();
            Ok((written.map(|written| (written.path, written.rows)).collect(), skipped))
        }
    }
}

/// The batches of ``gapless.replay``, read ahead by threads of their own.
///
/// An iterator of ``Table``s and, where they are of one kind, an Arrow stream of those that are
/// left; who is given that has them all, and Ctrl-C ends it only when they are read. Else waiting
/// can be interrupted, and releases the interpreter. Several threads may take batches, each other
/// ones; ``close()``, leaving the ``with`` block or forgetting it ends the threads.
#[pyclass(module = "gapless", frozen)]
pub struct Batches {
    reader: Handle<Reader>,
    progress: Option<Py<PyAny>>,
}

/// Begins to read; the package wraps it.
#[pyfunction]
pub fn _batches(
    py: Python<'_>,
    kinds: Vec<String>,
    paths: Vec<String>,
    words: &Bound<'_, PyDict>,
) -> PyResult<Batches> {
    let reader = begin(py, &paths, options(kinds, words)?, Reader::batches)?;
    Ok(Batches { reader, progress: item(words, "progress")? })
}

/// The batches that are left, for whoever reads the C stream: it runs without Python.
struct Rest {
    reader: Reader,
    first: Option<RecordBatch>,
    schema: SchemaRef,
}

impl Iterator for Rest {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        loop {
            match self.reader.next(SLICE) {
                Ok(Next::Batch(batch)) => return Some(Ok(batch.rows)),
                Ok(Next::Waiting) => {}
                Ok(Next::End) => return None,
                Err(error) => return Some(Err(ArrowError::ExternalError(Box::new(error)))),
            }
        }
    }
}

impl RecordBatchReader for Rest {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

#[pymethods]
impl Batches {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Raises InputError, ScaleError; ClosedError after ``close()``.
    fn __next__(&self, py: Python<'_>) -> PyResult<Table> {
        match next(py, &self.reader, &self.progress)? {
            Some(batch) => Ok(Table { kind: batch.kind.name(), rows: batch.rows }),
            None => Err(PyStopIteration::new_err(())),
        }
    }

    /// Bytes read so far and bytes in all (None if not known), as they stand in the files.
    #[getter]
    fn progress(&self, py: Python<'_>) -> PyResult<Read> {
        self.reader.with(py, |reader| Ok(reader.progress()))
    }

    /// What could not be read and was passed over, with ``errors="warn"``.
    #[getter]
    fn skipped(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.reader.with(py, |reader| Ok(reader.skipped.clone()))
    }

    /// Ends the threads; nothing more can be taken.
    fn close(&self, py: Python<'_>) {
        self.reader.close(py);
    }

    /// Who is told of the progress may hold the batches.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.progress)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let kinds = self.reader.with(py, |reader| Ok(reader.kinds()))?;
        if kinds.len() != 1 {
            let text = "batches of several kinds are no one stream; ask for one of kinds";
            return Err(PyValueError::new_err(text));
        }
        let first = next(py, &self.reader, &self.progress)?.map(|batch| batch.rows);
        let taken = || ClosedError::new_err("the batches were taken by another thread");
        let reader = self.reader.take(py).ok_or_else(taken)?;
        let schema = match &first {
            Some(rows) => rows.schema(),
            None => reader.schema(kinds[0]).unwrap_or_else(arrow_schema::Schema::empty).into(),
        };
        let rest = Rest { reader, first, schema };
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(rest)), STREAM)
    }
}
