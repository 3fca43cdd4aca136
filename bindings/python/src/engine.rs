//! `Engine` and `Reader`: books kept by threads of Rust, read from Python while they change.

use crate::error::{ClosedError, EngineError, NotLiveError};
use crate::events::{_Subscription, interest};
use crate::numbers::Numbers;
use gapless::book::event::{Level, NO_TIME, Scales};
use gapless::book::publish::{ReadError, Status};
use gapless::engine::SourceState;
use gapless::{BookReader, Wait};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a wait lasts before Python may look at its signals.
const SLICE: Duration = Duration::from_millis(20);

type Best<'py> = Option<Bound<'py, PyTuple>>;

fn failed(error: impl std::fmt::Display) -> PyErr {
    EngineError::new_err(error.to_string())
}

/// A stamp, where there is one.
pub fn time(ns: i64) -> Option<i64> {
    Some(ns).filter(|ns| *ns != NO_TIME)
}

/// A running engine; the package wraps it.
#[pyclass(module = "gapless", frozen)]
pub struct _Engine {
    engine: Mutex<Option<gapless::Engine>>,
    /// It was started, or closed: who has its events may come to their end.
    begun: Arc<AtomicBool>,
    /// Threads do not survive a fork: in a child there is nothing to stop.
    process: u32,
}

impl Drop for _Engine {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            let engine = self.engine.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(engine.take());
        }
    }
}

impl _Engine {
    fn with<T>(&self, what: impl FnOnce(&mut gapless::Engine) -> PyResult<T>) -> PyResult<T> {
        if std::process::id() != self.process {
            let text = "this engine belongs to the process that was forked; make one here";
            return Err(ClosedError::new_err(text));
        }
        let mut held = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = held.as_mut().ok_or_else(|| ClosedError::new_err("the engine was closed"))?;
        what(engine)
    }
}

#[pymethods]
impl _Engine {
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        let builder = gapless::config::read(config).map_err(failed)?;
        let engine = builder.build();
        let process = std::process::id();
        Ok(Self { engine: Mutex::new(Some(engine)), begun: Arc::default(), process })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.with(|engine| engine.start().map_err(failed)))?;
        self.begun.store(true, Ordering::Release);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "called by the package only")]
    fn subscribe(
        &self,
        py: Python<'_>,
        topics: Vec<String>,
        names: Option<Vec<String>>,
        capacity: usize,
        slow: &str,
        numbers: &str,
    ) -> PyResult<_Subscription> {
        let numbers = match Numbers::read(numbers)? {
            Numbers::Int => {
                let text =
                    "numbers of events must be 'float' or 'decimal': each has a scale of its own";
                return Err(PyValueError::new_err(text));
            }
            numbers => numbers,
        };
        let interest = interest(&topics, names, capacity, slow)?;
        let given = |engine: &mut gapless::Engine| engine.subscribe(&interest).map_err(failed);
        let subscription = py.detach(|| self.with(given))?;
        Ok(_Subscription::new(subscription, numbers, Arc::clone(&self.begun)))
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            self.with(|engine| {
                engine.stop();
                Ok(())
            })
        })
    }

    /// Whether every source has ended within so many seconds (None = for ever).
    fn join(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let begun = Instant::now();
        loop {
            let running = self.with(|engine| {
                Ok(engine.status().iter().any(|source| source.state == SourceState::Running))
            })?;
            if !running {
                return Ok(true);
            }
            if timeout.is_some_and(|timeout| begun.elapsed().as_secs_f64() >= timeout) {
                return Ok(false);
            }
            py.check_signals()?;
            py.detach(|| std::thread::sleep(SLICE));
        }
    }

    fn books<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let books = py.detach(|| self.with(|engine| Ok(engine.books())))?;
        let shown = books.into_iter().map(|book| {
            let dict = PyDict::new(py);
            dict.set_item("full_name", book.full_name())?;
            dict.set_item("name", book.name)?;
            dict.set_item("channel", book.channel)?;
            dict.set_item("input", book.input)?;
            dict.set_item("state", book.state.name())?;
            dict.set_item("reason", book.reason.name())?;
            dict.set_item("age_ns", book.age_ns)?;
            Ok(dict)
        });
        shown.collect()
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let sources = py.detach(|| self.with(|engine| Ok(engine.status())))?;
        let shown = sources.into_iter().map(|source| {
            let dict = PyDict::new(py);
            let state = match source.state {
                SourceState::Ended => "ended",
                SourceState::Stopped => "stopped",
                SourceState::Failed => "failed",
                SourceState::Running => "running",
                _ => "unknown",
            };
            dict.set_item("name", source.name)?;
            dict.set_item("state", state)?;
            dict.set_item("bytes", source.bytes)?;
            dict.set_item("errors", source.errors)?;
            dict.set_item("errors_count", source.errors_count)?;
            Ok(dict)
        });
        shown.collect()
    }

    fn book(&self, py: Python<'_>, name: &str, timeout: f64, numbers: &str) -> PyResult<Reader> {
        let numbers = Numbers::read(numbers)?;
        let begun = Instant::now();
        loop {
            let left = (timeout - begun.elapsed().as_secs_f64()).clamp(0.0, SLICE.as_secs_f64());
            let at_most = Duration::from_secs_f64(left);
            let found = py.detach(|| self.with(|engine| Ok(engine.wait_for(name, at_most))))?;
            py.check_signals()?;
            match found {
                Ok(reader) => return Ok(Reader { reader, numbers }),
                Err(error) if begun.elapsed().as_secs_f64() >= timeout => {
                    return Err(failed(error));
                }
                Err(_) => {}
            }
        }
    }

    fn add(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| {
            self.with(|engine| {
                engine.add(name);
                Ok(())
            })
        })
    }

    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        py.detach(|| {
            self.with(|engine| {
                engine.remove(name);
                Ok(())
            })
        })
    }

    fn close(&self, py: Python<'_>) {
        if std::process::id() == self.process {
            let mut held = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
            let engine = held.take();
            drop(held);
            py.detach(|| drop(engine));
            self.begun.store(true, Ordering::Release);
        }
    }
}

/// Reads one book while its writer changes it.
#[pyclass(module = "gapless", frozen, generic)]
pub struct Reader {
    reader: BookReader,
    numbers: Numbers,
}

fn level<'py>(
    py: Python<'py>,
    numbers: Numbers,
    scales: Scales,
    level: Option<Level>,
) -> PyResult<Best<'py>> {
    let Some(level) = level else { return Ok(None) };
    let price = numbers.show(py, level.price, scales.price)?;
    (price, numbers.show(py, level.qty, scales.qty)?).into_pyobject(py).map(Some)
}

impl Reader {
    #[cold]
    fn refused(&self, error: ReadError) -> PyErr {
        NotLiveError::new_err(format!("{}: {error}", self.reader.name()))
    }

    fn pick(&self, numbers: Option<&str>) -> PyResult<Numbers> {
        numbers.map_or(Ok(self.numbers), Numbers::read)
    }

    fn last(&self) -> PyResult<Status> {
        let top = self.reader.last_known_top();
        top.map(|top| top.status).map_err(|_| self.refused(ReadError::Busy))
    }
}

#[pymethods]
impl Reader {
    #[getter]
    fn name(&self) -> &str {
        self.reader.name()
    }

    #[getter]
    fn state(&self) -> &'static str {
        self.reader.state().0.name()
    }

    #[getter]
    fn reason(&self) -> &'static str {
        self.reader.state().1.name()
    }

    #[getter]
    fn is_live(&self) -> bool {
        self.reader.top().is_ok()
    }

    #[getter]
    fn seq(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| status.seq)
    }

    #[getter]
    fn recv_ns(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| time(status.recv_ns))
    }

    #[getter]
    fn venue_ns(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| time(status.venue_ns))
    }

    #[getter]
    fn age_ns(&self) -> i64 {
        self.reader.age_ns()
    }

    #[getter]
    fn version(&self) -> u64 {
        self.reader.version()
    }

    #[getter]
    fn price_scale(&self) -> PyResult<u8> {
        self.last().map(|status| status.scales.price)
    }

    #[getter]
    fn size_scale(&self) -> PyResult<u8> {
        self.last().map(|status| status.scales.qty)
    }

    #[getter]
    fn best_bid<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let top = self.reader.top().map_err(|error| self.refused(error))?;
        level(py, self.numbers, top.status.scales, top.bid)
    }

    #[getter]
    fn best_ask<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let top = self.reader.top().map_err(|error| self.refused(error))?;
        level(py, self.numbers, top.status.scales, top.ask)
    }

    #[pyo3(signature = (*, numbers = None, last_known = false))]
    fn top<'py>(
        &self,
        py: Python<'py>,
        numbers: Option<&str>,
        last_known: bool,
    ) -> PyResult<(Best<'py>, Best<'py>)> {
        let numbers = self.pick(numbers)?;
        let top = if last_known {
            self.reader.last_known_top().map_err(|_| ReadError::Busy)
        } else {
            self.reader.top()
        };
        let top = top.map_err(|error| self.refused(error))?;
        let scales = top.status.scales;
        Ok((level(py, numbers, scales, top.bid)?, level(py, numbers, scales, top.ask)?))
    }

    #[pyo3(signature = (n, /, *, numbers = None, last_known = false))]
    fn depth<'py>(
        &self,
        py: Python<'py>,
        n: usize,
        numbers: Option<&str>,
        last_known: bool,
    ) -> PyResult<(Vec<Best<'py>>, Vec<Best<'py>>)> {
        let numbers = self.pick(numbers)?;
        let depth = if last_known {
            self.reader.last_known_depth(n).map_err(|_| ReadError::Busy)
        } else {
            self.reader.depth(n)
        };
        let depth = depth.map_err(|error| self.refused(error))?;
        let scales = depth.status.scales;
        let side = |levels: &[Level]| {
            levels.iter().map(|one| level(py, numbers, scales, Some(*one))).collect::<PyResult<_>>()
        };
        Ok((side(&depth.bids)?, side(&depth.asks)?))
    }

    /// Waits until the version is another than `seen`, and says which; None after so many seconds.
    #[pyo3(signature = (seen, /, timeout = 1.0))]
    fn wait(&self, py: Python<'_>, seen: u64, timeout: f64) -> PyResult<Option<u64>> {
        let begun = Instant::now();
        let how = Wait::Sleep(Duration::from_micros(100));
        loop {
            let left = (timeout - begun.elapsed().as_secs_f64()).clamp(0.0, SLICE.as_secs_f64());
            let at_most = Duration::from_secs_f64(left);
            if let Some(version) = py.detach(|| self.reader.wait(seen, how, at_most)) {
                return Ok(Some(version));
            }
            py.check_signals()?;
            if begun.elapsed().as_secs_f64() >= timeout {
                return Ok(None);
            }
        }
    }

    fn __repr__(&self) -> String {
        let (state, reason) = self.reader.state();
        let mut text = format!("<gapless.Reader {} {}", self.reader.name(), state.name());
        if reason.name() != "none" {
            text += &format!(" ({})", reason.name());
        }
        if let Ok(top) = self.reader.last_known_top() {
            let scales = top.status.scales;
            let shown = |level: Option<Level>| {
                level.map_or("-".to_owned(), |level| {
                    let decimal = gapless::book::decimal::Decimal::new;
                    let (price, size) =
                        (decimal(level.price, scales.price), decimal(level.qty, scales.qty));
                    format!("{size} @ {price}")
                })
            };
            text += &format!(" {} | {}", shown(top.bid), shown(top.ask));
        }
        text + ">"
    }

    fn __reduce__(&self) -> PyResult<()> {
        let text =
            "a Reader is a live handle and cannot be pickled; send its name, and attach there";
        Err(PyTypeError::new_err(text))
    }
}

/// Attaches to the book that an engine of another process publishes in shared memory.
#[cfg(target_os = "linux")]
#[pyfunction]
pub fn _attach(book: &str, folder: std::path::PathBuf, numbers: &str) -> PyResult<Reader> {
    let numbers = Numbers::read(numbers)?;
    let region = gapless::shm::Directory::new(folder).find(book).map_err(failed)?;
    Ok(Reader { reader: region.attach().map_err(failed)?, numbers })
}

/// Names of the books that engines of this machine publish in shared memory.
#[cfg(target_os = "linux")]
#[pyfunction]
pub fn _shared(folder: std::path::PathBuf) -> PyResult<Vec<String>> {
    let regions = gapless::shm::Directory::new(folder).list().map_err(failed)?;
    Ok(regions.into_iter().flatten().map(|region| region.full_name()).collect())
}
