//! The Python module `gapless._gapless`: thin classes over the crates, re-exported by the package.
//!
//! Each method turns Python values into those of a crate, calls it and turns the answer back. What
//! waits or works for long releases the interpreter. Nothing starts a thread when imported.
#![forbid(unsafe_code)]

mod book;
mod error;
mod numbers;

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the `gapless` command with these words (without the name of the program); the exit code.
#[pyfunction]
fn run_command(py: Python<'_>, words: Vec<OsString>) -> u8 {
    let name = std::iter::once(OsString::from("gapless"));
    py.detach(|| gapless_cli::run(name.chain(words)))
}

/// Names of the venues and dialects that frames and recordings may be of.
#[pyfunction]
fn venues() -> Vec<&'static str> {
    gapless::venues::registry::VenueId::ALL.iter().map(|venue| venue.name()).collect()
}

// Safe under free threading only as far as it has been looked at: not declared.
#[pymodule(gil_used = true)]
fn _gapless(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(run_command, module)?)?;
    module.add_function(wrap_pyfunction!(venues, module)?)?;
    module.add_class::<book::Book>()?;
    error::add(module)
}
