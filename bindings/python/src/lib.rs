//! The Python module `gapless._gapless`: thin classes over the crates, re-exported by the package.
//!
//! Each method turns Python values into those of a crate, calls it and turns the answer back. What
//! waits or works for long releases the interpreter. Nothing starts a thread when imported.
#![forbid(unsafe_code)]

mod analytics;
mod book;
mod engine;
mod error;
mod events;
mod extract;
mod handle;
mod numbers;
mod table;

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
    module.add_class::<engine::_Engine>()?;
    module.add_class::<engine::Reader>()?;
    module.add_class::<events::_Subscription>()?;
    module.add_class::<events::Event>()?;
    module.add_class::<events::Trade>()?;
    module.add_class::<events::Liquidation>()?;
    module.add_class::<events::Funding>()?;
    module.add_class::<events::BookChange>()?;
    #[cfg(target_os = "linux")]
    module.add_function(wrap_pyfunction!(engine::_attach, module)?)?;
    #[cfg(target_os = "linux")]
    module.add_function(wrap_pyfunction!(engine::_shared, module)?)?;
    module.add_class::<table::Table>()?;
    module.add_class::<extract::Batches>()?;
    module.add_function(wrap_pyfunction!(table::_table_from_ipc, module)?)?;
    module.add_function(wrap_pyfunction!(extract::_extract, module)?)?;
    module.add_function(wrap_pyfunction!(extract::_batches, module)?)?;
    module.add_function(wrap_pyfunction!(extract::_to_parquet, module)?)?;
    module.add_function(wrap_pyfunction!(extract::_read_time, module)?)?;
    module.add_function(wrap_pyfunction!(analytics::_cleansing, module)?)?;
    module.add_function(wrap_pyfunction!(analytics::_times_and_sells, module)?)?;
    module.add_function(wrap_pyfunction!(analytics::_anomalies, module)?)?;
    module.add_function(wrap_pyfunction!(analytics::_parity, module)?)?;
    error::add(module)
}
