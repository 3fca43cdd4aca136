//! Analytics over tables of trades and liquidations.

use crate::ExtractError;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use std::collections::HashMap;

/// Where forced closings count as leverage cleansing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleansingRule {
    /// Length of a window, ns; both ends belong to it.
    pub window_ns: i64,
    /// Liquidations that a window needs.
    pub min_count: usize,
    /// Of these, so many of the commoner side.
    pub min_same_side: usize,
}

impl Default for CleansingRule {
    fn default() -> Self {
        Self { window_ns: 500_000_000, min_count: 5, min_same_side: 4 }
    }
}

/// Liquidations that hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// First row, in order of time.
    pub first: usize,
    /// Last row.
    pub last: usize,
    /// Time of the first.
    pub start_ns: i64,
    /// Time of the last.
    pub end_ns: i64,
    /// Rows whose side is sell (longs closed).
    pub sells: usize,
}

/// Distribution of the time between consecutive liquidations of clusters, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intervals {
    /// Liquidations in clusters; one more than intervals.
    pub events: usize,
    /// Mean; NaN, as the others, without an interval.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// Standard deviation of the population.
    pub std: f64,
    /// 95th percentile, linear between neighbours.
    pub p95: f64,
    /// Largest.
    pub max: f64,
}

/// The clusters of a table of liquidations.
#[derive(Clone, Debug)]
pub struct Cleansing {
    /// Row numbers in order of time; equal times in the order of the table.
    pub order: Vec<usize>,
    /// For each row of the table: the cluster it is in.
    pub cluster: Vec<Option<usize>>,
    /// The clusters, in order of time.
    pub clusters: Vec<Cluster>,
}

/// Finds leverage cleansing: each liquidation opens a window; if it holds enough of them, enough of
/// one side, all in it are marked. Marked windows that share a row are one cluster.
#[must_use]
pub fn cleansing(times: &[i64], sells: &[bool], rule: CleansingRule) -> Cleansing {
    let count = times.len().min(sells.len());
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|at| times.get(*at).copied().unwrap_or(i64::MAX));
    let sorted: Vec<(i64, bool)> =
        order.iter().filter_map(|at| Some((*times.get(*at)?, *sells.get(*at)?))).collect();
    let mut cluster = vec![None; count];
    let mut clusters: Vec<Cluster> = Vec::new();
    let (mut end, mut selling) = (0, 0);
    let mut marked = 0;
    for (first, (start_ns, sell)) in sorted.iter().enumerate() {
        let until = start_ns.saturating_add(rule.window_ns);
        while let Some((_, sell)) = sorted.get(end).filter(|(time, _)| *time <= until) {
            selling += usize::from(*sell);
            end += 1;
        }
        let inside = end - first;
        if inside >= rule.min_count && selling.max(inside - selling) >= rule.min_same_side {
            let fresh = first.max(marked)..end;
            if first >= marked {
                let (start_ns, end_ns) = (*start_ns, *start_ns);
                clusters.push(Cluster { first, last: first, start_ns, end_ns, sells: 0 });
            }
            let id = clusters.len() - 1;
            for at in fresh {
                let (Some((time, sell)), Some(open)) = (sorted.get(at), clusters.get_mut(id))
                else {
                    continue;
                };
                (open.last, open.end_ns) = (at, *time);
                open.sells += usize::from(*sell);
                if let Some(row) = order.get(at).and_then(|row| cluster.get_mut(*row)) {
                    *row = Some(id);
                }
            }
            marked = marked.max(end);
        }
        selling -= usize::from(*sell);
    }
    Cleansing { order, cluster, clusters }
}

impl Cleansing {
    /// The distribution of intervals between consecutive marked liquidations.
    #[must_use]
    pub fn intervals(&self, times: &[i64]) -> Intervals {
        let marked =
            self.order.iter().filter(|row| self.cluster.get(**row).copied().flatten().is_some());
        let marked: Vec<i64> = marked.filter_map(|row| times.get(*row).copied()).collect();
        #[allow(clippy::cast_precision_loss, reason = "seconds of a float")]
        let mut gaps: Vec<f64> =
            marked.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        let (mean, std) = moments(&gaps);
        gaps.sort_by(f64::total_cmp);
        Intervals {
            events: marked.len(),
            mean,
            median: percentile(&gaps, 0.5),
            std,
            p95: percentile(&gaps, 0.95),
            max: gaps.last().copied().unwrap_or(f64::NAN),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// Of sorted values, linear between neighbours; NaN of none.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let below = at.floor() as usize;
    let value = |at: usize| sorted.get(at.min(last)).copied().unwrap_or(f64::NAN);
    value(below) + (at - below as f64) * (value(below + 1) - value(below))
}

/// What a trade is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnomalyRule {
    /// Trades of the same symbol before it.
    pub window: usize,
    /// With fewer of them the score is 0.
    pub min_trades: usize,
}

impl Default for AnomalyRule {
    fn default() -> Self {
        Self { window: 500, min_trades: 30 }
    }
}

/// Anomaly scores of trades, 0..1, in the order given.
///
/// `z` is the larger of two distances from what the trades before it were, in standard deviations:
/// of ln size (only upwards) and of the return ln(price / price before). The score is 1 − 1/z² for
/// z > 1, else 0: by Chebyshev's inequality at most a share of 1 − score of any distribution lies
/// as far out.
#[must_use]
pub fn anomalies(symbols: &[i32], prices: &[f64], sizes: &[f64], rule: AnomalyRule) -> Vec<f64> {
    let mut seen: HashMap<i32, Seen> = HashMap::new();
    let trades = symbols.iter().zip(prices).zip(sizes);
    trades
        .map(|((symbol, price), size)| seen.entry(*symbol).or_default().score(*price, *size, rule))
        .collect()
}

#[derive(Debug, Default)]
struct Seen {
    price: Option<f64>,
    sizes: Trailing,
    returns: Trailing,
}

/// The last values with their running sums.
#[derive(Debug, Default)]
struct Trailing {
    values: std::collections::VecDeque<f64>,
    sum: f64,
    squares: f64,
}

impl Trailing {
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn distance(&self, value: f64) -> f64 {
        let count = self.values.len() as f64;
        let mean = self.sum / count;
        let variance = self.squares / count - mean * mean;
        // Below rounding of the sums there is no spread to compare with.
        if variance <= 1e-18 { 0.0 } else { (value - mean) / variance.sqrt() }
    }

    fn push(&mut self, value: f64, window: usize) {
        if !value.is_finite() {
            return;
        }
        self.values.push_back(value);
        self.sum += value;
        self.squares += value * value;
        while self.values.len() > window {
            if let Some(old) = self.values.pop_front() {
                self.sum -= old;
                self.squares -= old * old;
            }
        }
    }
}

impl Seen {
    fn score(&mut self, price: f64, size: f64, rule: AnomalyRule) -> f64 {
        let size = size.ln();
        let change = self.price.map(|before| (price / before).ln());
        let enough = self.returns.values.len().max(1) >= rule.min_trades.max(1);
        let mut far: f64 = 0.0;
        if enough {
            far = far.max(self.sizes.distance(size));
            far = far.max(change.map_or(0.0, |change| self.returns.distance(change).abs()));
        }
        self.sizes.push(size, rule.window);
        if let Some(change) = change {
            self.returns.push(change, rule.window);
        }
        self.price = Some(price);
        if far > 1.0 { 1.0 - 1.0 / (far * far) } else { 0.0 }
    }
}

/// What two sources say of the same trades.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parity {
    /// Trades of the first.
    pub left: usize,
    /// Trades of the second.
    pub right: usize,
    /// In both, by symbol and id.
    pub matched: usize,
    /// In the first only.
    pub only_left: usize,
    /// In the second only.
    pub only_right: usize,
    /// Matched with another price.
    pub price_differs: usize,
    /// Matched with another size.
    pub size_differs: usize,
    /// Matched with another side.
    pub side_differs: usize,
    /// Median of the second's receive time minus the first's, ns; NaN if none matched.
    pub lag_median_ns: f64,
    /// 95th percentile of it.
    pub lag_p95_ns: f64,
}

/// Compares two tables of trades; ids must be unique within a symbol, as venues promise.
///
/// # Errors
/// A table that is not one of trades.
pub fn parity(left: &RecordBatch, right: &RecordBatch) -> Result<Parity, ExtractError> {
    let (ours, theirs) = (Trades::of(left)?, Trades::of(right)?);
    let mut report =
        Parity { left: ours.times.len(), right: theirs.times.len(), ..Parity::default() };
    let mut known: HashMap<(&str, &str), usize> = HashMap::with_capacity(report.left);
    for at in 0..report.left {
        known.insert(ours.key(at), at);
    }
    report.only_left = report.left - known.len();
    let mut lags = Vec::new();
    for at in 0..report.right {
        let Some(own) = known.remove(&theirs.key(at)) else {
            report.only_right += 1;
            continue;
        };
        report.matched += 1;
        report.price_differs += usize::from(!same(ours.prices.get(own), theirs.prices.get(at)));
        report.size_differs += usize::from(!same(ours.sizes.get(own), theirs.sizes.get(at)));
        report.side_differs += usize::from(ours.side(own) != theirs.side(at));
        if let (Some(a), Some(b)) = (ours.times.get(own), theirs.times.get(at)) {
            #[allow(clippy::cast_precision_loss, reason = "differences of times are small")]
            lags.push((b - a) as f64);
        }
    }
    report.only_left += known.len();
    lags.sort_by(f64::total_cmp);
    report.lag_median_ns = percentile(&lags, 0.5);
    report.lag_p95_ns = percentile(&lags, 0.95);
    Ok(report)
}

/// Both are floats nearest to a decimal: equal decimals are equal floats.
fn same(a: Option<&f64>, b: Option<&f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.to_bits() == b.to_bits())
}

struct Trades<'a> {
    times: &'a [i64],
    prices: Vec<f64>,
    sizes: Vec<f64>,
    ids: &'a arrow_array::StringArray,
    symbols: (&'a [i32], &'a arrow_array::StringArray),
    sides: (&'a [i32], &'a arrow_array::StringArray),
}

impl<'a> Trades<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self, ExtractError> {
        let missing = || ExtractError::Table("not a table of trades".to_owned());
        let ids = rows.column_by_name("id").and_then(|ids| ids.as_string_opt::<i32>());
        Ok(Self {
            times: times(rows, "recv_ns")?,
            prices: floats(rows, "price")?,
            sizes: floats(rows, "size")?,
            ids: ids.ok_or_else(missing)?,
            symbols: words(rows, "symbol")?,
            sides: words(rows, "side")?,
        })
    }

    fn key(&self, at: usize) -> (&'a str, &'a str) {
        (word(self.symbols, at), self.ids.value(at))
    }

    fn side(&self, at: usize) -> &'a str {
        word(self.sides, at)
    }
}

fn word<'a>((codes, words): (&[i32], &'a arrow_array::StringArray), at: usize) -> &'a str {
    let code = codes.get(at).and_then(|code| usize::try_from(*code).ok());
    code.filter(|code| *code < words.len()).map_or("", |code| words.value(code))
}

fn lacks(name: &str) -> ExtractError {
    ExtractError::Table(format!("the table has no column {name:?} of the kind that is needed"))
}

/// A column of times, ns.
///
/// # Errors
/// No such column.
pub fn times<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a [i64], ExtractError> {
    let column = rows.column_by_name(name).ok_or_else(|| lacks(name))?;
    let times = column.as_primitive_opt::<TimestampNanosecondType>();
    Ok(times.ok_or_else(|| lacks(name))?.values())
}

/// Codes and words of a column.
///
/// # Errors
/// No such column.
pub fn words<'a>(
    rows: &'a RecordBatch,
    name: &str,
) -> Result<(&'a [i32], &'a arrow_array::StringArray), ExtractError> {
    let column = rows.column_by_name(name).ok_or_else(|| lacks(name))?;
    let column = column.as_dictionary_opt::<Int32Type>().ok_or_else(|| lacks(name))?;
    let words = column.values().as_string_opt::<i32>().ok_or_else(|| lacks(name))?;
    Ok((column.keys().values(), words))
}

/// A column of prices or sizes as floats, whatever it is kept as; absent = NaN.
///
/// # Errors
/// No such column.
pub fn floats(rows: &RecordBatch, name: &str) -> Result<Vec<f64>, ExtractError> {
    let column = rows.column_by_name(name).ok_or_else(|| lacks(name))?;
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        return Ok(floats.values().to_vec());
    }
    if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
        let schema = rows.schema();
        let field = schema.field_with_name(name).map_err(|_| lacks(name))?;
        let scale = field.metadata().get("scale").and_then(|scale| scale.parse().ok());
        let scale: u8 = scale.ok_or_else(|| lacks(name))?;
        let float = |value: Option<i64>| {
            value.map_or(f64::NAN, |value| gapless::convert::scaled_f64(value, scale))
        };
        return Ok(integers.iter().map(float).collect());
    }
    let decimals = column.as_primitive_opt::<Decimal128Type>().ok_or_else(|| lacks(name))?;
    let text = |at| decimals.value_as_string(at).parse().unwrap_or(f64::NAN);
    Ok((0..decimals.len())
        .map(|at| if decimals.is_null(at) { f64::NAN } else { text(at) })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule as it is told, without a thought for speed.
    fn plain(times: &[i64], sells: &[bool], rule: CleansingRule) -> Vec<bool> {
        let mut marked = vec![false; times.len()];
        for start in times {
            let inside: Vec<usize> = (0..times.len())
                .filter(|at| (*start..=*start + rule.window_ns).contains(&times[*at]))
                .collect();
            let selling = inside.iter().filter(|at| sells[**at]).count();
            let same = selling.max(inside.len() - selling);
            if inside.len() >= rule.min_count && same >= rule.min_same_side {
                inside.iter().for_each(|at| marked[*at] = true);
            }
        }
        marked
    }

    #[test]
    fn clusters_are_those_of_the_plain_rule() {
        let mut seed = 7u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let count = next(40);
            let mut now = 0;
            let times: Vec<i64> = (0..count)
                .map(|_| {
                    now += [0, 1, 50, 200, 450, 900][next(6) as usize] * 1_000_000;
                    now
                })
                .collect();
            let sells: Vec<bool> = (0..count).map(|_| next(4) > 0).collect();
            let rule = CleansingRule::default();
            let found = cleansing(&times, &sells, rule);
            let marked: Vec<bool> = found.cluster.iter().map(Option::is_some).collect();
            assert_eq!(marked, plain(&times, &sells, rule), "{times:?}");
            for cluster in &found.clusters {
                assert!(cluster.last >= cluster.first && cluster.end_ns >= cluster.start_ns);
            }
        }
    }

    #[test]
    fn percentiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0];
        assert!((percentile(&sorted, 0.95) - 3.8).abs() < 1e-12);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_trade_like_the_others_scores_nothing_and_a_huge_one_nearly_one() {
        let count = 100;
        let mut sizes: Vec<f64> = (0..count).map(|at| 1.0 + f64::from(at % 5) / 10.0).collect();
        sizes.push(1e6);
        let prices: Vec<f64> = (0..=count).map(|at| 100.0 + f64::from(at % 3) / 10.0).collect();
        let symbols = vec![0; sizes.len()];
        let scores = anomalies(&symbols, &prices, &sizes, AnomalyRule::default());
        assert!(scores.iter().take(30).all(|score| score.abs() == 0.0));
        assert!(scores.iter().take(100).all(|score| *score < 0.8), "{scores:?}");
        assert!(scores[100] > 0.99);
    }
}
