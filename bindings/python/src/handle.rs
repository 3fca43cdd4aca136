//! What handles of Python have in common: work on other threads, owned by one process and closed
//! once; and waits that Python can interrupt.

use crate::error::ClosedError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A value that calls share one after the other, until it is taken out.
///
/// Its lock is taken without the interpreter only, so that a call which waits for another holds
/// nobody else up. Threads do not survive a fork: in a child it can be neither used nor dropped.
pub struct Handle<T> {
    value: Mutex<Option<T>>,
    /// Begins the texts of errors: `"the engine was"`.
    what: &'static str,
    process: u32,
}

impl<T: Send> Handle<T> {
    pub fn new(what: &'static str, value: T) -> Self {
        Self { value: Mutex::new(Some(value)), what, process: std::process::id() }
    }

    fn is_ours(&self) -> bool {
        std::process::id() == self.process
    }

    /// Calls `what` with the value, without the interpreter.
    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        what: impl FnOnce(&mut T) -> PyResult<R> + Send,
    ) -> PyResult<R> {
        if !self.is_ours() {
            let text = "made before this process was forked; make another here";
            return Err(ClosedError::new_err(format!("{} {text}", self.what)));
        }
        py.detach(|| {
            let mut held = self.value.lock().unwrap_or_else(PoisonError::into_inner);
            let closed = || ClosedError::new_err(format!("{} closed", self.what));
            what(held.as_mut().ok_or_else(closed)?)
        })
    }

    /// Takes the value out; nothing if that was done before, or belongs to another process.
    pub fn take(&self, py: Python<'_>) -> Option<T> {
        let held = || self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.is_ours() { py.detach(held) } else { None }
    }

    /// Drops the value, and waits for its threads if it does.
    pub fn close(&self, py: Python<'_>) {
        let value = self.take(py);
        py.detach(|| drop(value));
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            let value = self.value.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(value.take());
        }
    }
}

/// How long a call may wait.
pub struct Patience {
    begun: Instant,
    seconds: f64,
}

impl Patience {
    /// Longest time without a look at Python's signals.
    const SLICE: Duration = Duration::from_millis(20);

    /// So many seconds from now; none if they are negative, for ever without them.
    pub fn of(seconds: Option<f64>) -> PyResult<Self> {
        let seconds = seconds.unwrap_or(f64::INFINITY);
        if seconds.is_nan() {
            return Err(PyValueError::new_err("a timeout must be a number of seconds, not nan"));
        }
        Ok(Self { begun: Instant::now(), seconds })
    }

    /// What may be waited before Python has to be asked again.
    pub fn slice(&self) -> Duration {
        let left = self.seconds - self.begun.elapsed().as_secs_f64();
        Duration::from_secs_f64(left.clamp(0.0, Self::SLICE.as_secs_f64()))
    }

    pub fn is_over(&self) -> bool {
        self.begun.elapsed().as_secs_f64() >= self.seconds
    }
}
