//! `Engine` and `Reader`: books kept by threads of Rust, read from Python while they change.

use crate::error::{EngineError, NotLiveError};
use crate::events::{_Subscription, interest};
use crate::handle::{Handle, Patience};
use crate::numbers::Numbers;
use gapless::book::event::{Level, NO_TIME, Scales};
use gapless::book::publish::{ReadError, Status};
use gapless::engine::SourceState;
use gapless::{BookReader, Wait};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    engine: Handle<gapless::Engine>,
    /// It was started, or closed: who has its events may come to their end.
    begun: Arc<AtomicBool>,
}

#[pymethods]
impl _Engine {
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        let builder = gapless::config::read(config).map_err(failed)?;
        Ok(Self { engine: Handle::new("the engine was", builder.build()), begun: Arc::default() })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.engine.with(py, |engine| engine.start().map_err(failed))?;
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
        let subscription = self.engine.with(py, given)?;
        Ok(_Subscription::new(subscription, numbers, Arc::clone(&self.begun)))
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.engine.with(py, |engine| {
            engine.stop();
            Ok(())
        })
    }

    /// Whether every source has ended within so many seconds (None = for ever).
    fn join(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let patience = Patience::of(timeout)?;
        loop {
            let running = self.engine.with(py, |engine| {
                Ok(engine.status().iter().any(|source| source.state == SourceState::Running))
            })?;
            py.check_signals()?;
            if !running {
                return Ok(true);
            }
            if patience.is_over() {
                return Ok(false);
            }
            py.detach(|| std::thread::sleep(patience.slice()));
        }
    }

    fn books<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let books = self.engine.with(py, |engine| Ok(engine.books()))?;
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
        let sources = self.engine.with(py, |engine| Ok(engine.status()))?;
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
        let patience = Patience::of(Some(timeout))?;
        loop {
            let at_most = patience.slice();
            let found = self.engine.with(py, |engine| Ok(engine.wait_for(name, at_most)))?;
            py.check_signals()?;
            match found {
                Ok(reader) => return Ok(Reader { reader, numbers }),
                Err(error) if patience.is_over() => return Err(failed(error)),
                Err(_) => {}
            }
        }
    }

    fn add(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.engine.with(py, |engine| {
            engine.add(name);
            Ok(())
        })
    }

    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.engine.with(py, |engine| {
            engine.remove(name);
            Ok(())
        })
    }

    fn close(&self, py: Python<'_>) {
        self.engine.close(py);
        self.begun.store(true, Ordering::Release);
    }
}

/// Reads one book of an engine while its writer changes it, from any thread.
///
/// Never waits for the writer, nor makes it wait. Once the engine has stopped or its process died,
/// the book is ``"stale"``. Levels are pairs as of ``Book``.
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
    /// ``venue[.market]:SYMBOL``.
    #[getter]
    fn name(&self) -> &str {
        self.reader.name()
    }

    /// State at this moment.
    #[getter]
    fn state(&self) -> &'static str {
        self.reader.state().0.name()
    }

    /// Why it is not live; ``"none"`` if it is.
    #[getter]
    fn reason(&self) -> &'static str {
        self.reader.state().1.name()
    }

    /// Whether ``state`` is ``"live"``.
    #[getter]
    fn is_live(&self) -> bool {
        self.reader.top().is_ok()
    }

    /// The venue's number of the last accepted message.
    #[getter]
    fn seq(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| status.seq)
    }

    /// When that was received, ns since the epoch.
    #[getter]
    fn recv_ns(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| time(status.recv_ns))
    }

    /// When the venue published it, ns since the epoch.
    #[getter]
    fn venue_ns(&self) -> PyResult<Option<i64>> {
        self.last().map(|status| time(status.venue_ns))
    }

    /// Time since the writer's last sign of life, ns.
    #[getter]
    fn age_ns(&self) -> i64 {
        self.reader.age_ns()
    }

    /// Changes with every publication.
    #[getter]
    fn version(&self) -> u64 {
        self.reader.version()
    }

    /// Decimals of the book's integer prices.
    #[getter]
    fn price_scale(&self) -> PyResult<u8> {
        self.last().map(|status| status.scales.price)
    }

    /// Decimals of the book's integer sizes.
    #[getter]
    fn size_scale(&self) -> PyResult<u8> {
        self.last().map(|status| status.scales.qty)
    }

    /// Highest bid; None where there is none. Raises NotLiveError.
    #[getter]
    fn best_bid<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let top = self.reader.top().map_err(|error| self.refused(error))?;
        level(py, self.numbers, top.status.scales, top.bid)
    }

    /// Lowest ask; None where there is none. Raises NotLiveError.
    #[getter]
    fn best_ask<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let top = self.reader.top().map_err(|error| self.refused(error))?;
        level(py, self.numbers, top.status.scales, top.ask)
    }

    /// Best bid and best ask of one publication; ``last_known``: whatever the state.
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

    /// The best ``n`` levels of each side, best first, or as many as are published.
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

    /// Waits until ``version`` is another than ``seen``; None after ``timeout`` seconds.
    #[pyo3(signature = (seen, /, timeout = 1.0))]
    fn wait(&self, py: Python<'_>, seen: u64, timeout: f64) -> PyResult<Option<u64>> {
        let patience = Patience::of(Some(timeout))?;
        let how = Wait::Sleep(Duration::from_micros(100));
        loop {
            let at_most = patience.slice();
            if let Some(version) = py.detach(|| self.reader.wait(seen, how, at_most)) {
                return Ok(Some(version));
            }
            py.check_signals()?;
            if patience.is_over() {
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
