//! Analytics over tables and arrays.

use crate::table::{Table, wrong};
use gapless_research::analytics::{
    AnomalyRule, CleansingRule, anomalies, cleansing, floats, parity, times, words,
};
use numpy::{PyArray1, PyReadonlyArray1, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Clusters of liquidations: number of the cluster of each row (−1 = none), the clusters as
/// (first, last, start, end, sells), and the distribution of intervals.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read by the package only")]
pub fn _cleansing<'py>(
    py: Python<'py>,
    times: PyReadonlyArray1<'py, i64>,
    sells: PyReadonlyArray1<'py, bool>,
    window_ns: i64,
    min_count: usize,
    min_same_side: usize,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Vec<(usize, i64, i64, usize)>, Bound<'py, PyDict>)> {
    let (times, sells) = (times.as_slice()?, sells.as_slice()?);
    if times.len() != sells.len() {
        return Err(PyValueError::new_err("times and sides are not of one length"));
    }
    if window_ns < 0 {
        return Err(PyValueError::new_err("the window is negative"));
    }
    let rule = CleansingRule { window_ns, min_count, min_same_side };
    let (found, intervals) = py.detach(|| {
        let found = cleansing(times, sells, rule);
        let intervals = found.intervals(times);
        (found, intervals)
    });
    let id = |id: &Option<usize>| id.and_then(|id| i64::try_from(id).ok()).unwrap_or(-1);
    let ids: Vec<i64> = found.cluster.iter().map(id).collect();
    let clusters = found.clusters.iter();
    let clusters =
        clusters.map(|c| (c.last - c.first + 1, c.start_ns, c.end_ns, c.sells)).collect();
    let dict = PyDict::new(py);
    dict.set_item("total_cleansing_events", intervals.events)?;
    dict.set_item("mean_interval_sec", intervals.mean)?;
    dict.set_item("median_interval_sec", intervals.median)?;
    dict.set_item("std_interval_sec", intervals.std)?;
    dict.set_item("p95_interval_sec", intervals.p95)?;
    dict.set_item("max_interval_sec", intervals.max)?;
    Ok((ids.to_pyarray(py), clusters, dict))
}

/// Times and "is a sell" of a table of liquidations.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read by the package only")]
pub fn _times_and_sells<'py>(
    py: Python<'py>,
    table: &Table,
    time: &str,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<bool>>)> {
    let times = times(&table.rows, time).map_err(wrong)?;
    let (codes, words) = words(&table.rows, "side").map_err(wrong)?;
    let sell: Vec<bool> = words.iter().map(|word| word == Some("sell")).collect();
    let sells: Vec<bool> = codes
        .iter()
        .map(|code| usize::try_from(*code).ok().and_then(|code| sell.get(code)) == Some(&true))
        .collect();
    Ok((times.to_pyarray(py), sells.to_pyarray(py)))
}

/// Anomaly scores of a table of trades.
#[pyfunction]
pub fn _anomalies<'py>(
    py: Python<'py>,
    table: &Table,
    window: usize,
    min_trades: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let prices = floats(&table.rows, "price").map_err(wrong)?;
    let sizes = floats(&table.rows, "size").map_err(wrong)?;
    let (symbols, _) = words(&table.rows, "symbol").map_err(wrong)?;
    let rule = AnomalyRule { window, min_trades };
    Ok(py.detach(|| anomalies(symbols, &prices, &sizes, rule)).to_pyarray(py))
}

/// What two sources say of the same trades.
#[pyfunction]
pub fn _parity<'py>(py: Python<'py>, left: &Table, right: &Table) -> PyResult<Bound<'py, PyDict>> {
    let report = py.detach(|| parity(&left.rows, &right.rows)).map_err(wrong)?;
    let dict = PyDict::new(py);
    dict.set_item("left", report.left)?;
    dict.set_item("right", report.right)?;
    dict.set_item("matched", report.matched)?;
    dict.set_item("only_left", report.only_left)?;
    dict.set_item("only_right", report.only_right)?;
    dict.set_item("price_differs", report.price_differs)?;
    dict.set_item("size_differs", report.size_differs)?;
    dict.set_item("side_differs", report.side_differs)?;
    dict.set_item("lag_median_ns", report.lag_median_ns)?;
    dict.set_item("lag_p95_ns", report.lag_p95_ns)?;
    Ok(dict)
}
