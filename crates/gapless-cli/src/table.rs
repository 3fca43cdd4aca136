//! What a person sees after a replay: books, throughput, latency with a small drawing.

use crate::tally::Tally;
use gapless::book::decimal::Decimal;
use gapless::book::event::Side;
use gapless::book::local::Reason;
use gapless::latency::Span;
use gapless::replay::error::printable;
use gapless::{BookReport, Replay};
use std::fmt::Write;

const HEAD: [&str; 10] =
    ["book", "channel", "state", "bid", "ask", "levels", "deltas", "gaps", "resyncs", "rejects"];

/// The whole report.
pub fn render(replay: &Replay, tally: &Tally, wall_s: f64, depth: usize) -> String {
    let mut out = String::new();
    let rows: Vec<_> = replay.books().map(|report| row(&report)).collect();
    write_columns(&mut out, &rows);
    if depth > 0 {
        for report in replay.books() {
            write_depth(&mut out, &report, depth);
        }
    }
    let stats = replay.stats();
    let rate = |count: u64| if wall_s > 0.0 { count as f64 / wall_s } else { 0.0 };
    let _ = writeln!(
        out,
        "\n{} frames, {:.1} MB in {wall_s:.2} s: {:.0} frames/s, {:.0} MB/s",
        stats.frames,
        stats.bytes as f64 / 1e6,
        rate(stats.frames),
        rate(stats.bytes) / 1e6,
    );
    write_doubts(&mut out, replay, tally);
    write_latency(&mut out, tally);
    out
}

fn row(report: &BookReport<'_>) -> [String; 10] {
    let counters = report.counters();
    let side = |best: Option<(Decimal, Decimal)>| {
        best.map_or("-".to_owned(), |(price, qty)| format!("{price} x {qty}"))
    };
    let state = match report.reason() {
        Reason::None => report.state().name().to_owned(),
        reason => format!("{} ({})", report.state().name(), reason.name()),
    };
    [
        printable(&report.name()),
        printable(report.channel()),
        state,
        side(report.best_bid()),
        side(report.best_ask()),
        format!("{}+{}", report.levels(Side::Bid), report.levels(Side::Ask)),
        counters.deltas.to_string(),
        counters.gaps.to_string(),
        counters.resyncs.to_string(),
        counters.rejects.to_string(),
    ]
}

fn write_columns(out: &mut String, rows: &[[String; 10]]) {
    let widths: [usize; 10] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    });
    let mut line = |cells: &[&str]| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let left = column < 3;
            let _ = if left {
                write!(text, "{cell:<width$}  ")
            } else {
                write!(text, "{cell:>width$}  ")
            };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&HEAD);
    for row in rows {
        line(&row.each_ref().map(String::as_str));
    }
}

fn write_depth(out: &mut String, report: &BookReport<'_>, depth: usize) {
    let Some(book) = report.book() else { return };
    let _ = writeln!(out, "\n{}", printable(&format!("{} {}", report.name(), report.channel())));
    let asks: Vec<_> = book.depth(Side::Ask, depth).collect();
    for level in asks.iter().rev() {
        let (price, qty) = book.decimals(*level);
        let _ =
            writeln!(out, "  {:>18}  {price:<18} ask", qty.to_string(), price = price.to_string());
    }
    for level in book.depth(Side::Bid, depth) {
        let (price, qty) = book.decimals(level);
        let _ =
            writeln!(out, "  {:>18}  {price:<18} bid", qty.to_string(), price = price.to_string());
    }
}

/// What was dropped or refused, said only where there was any.
fn write_doubts(out: &mut String, replay: &Replay, tally: &Tally) {
    let read = replay.reader_stats();
    let rejects: u64 = tally.rejects.values().sum();
    let doubts = [
        (rejects, "frames refused"),
        (tally.unattributed, "book messages that name no book"),
        (replay.stats().after_close, "frames after their connection was closed"),
        (replay.stats().unclaimed, "records beyond the limits of connections and early answers"),
        (read.unknown_kinds, "lines of unknown kind skipped"),
        (read.steps_back, "receive times that step back"),
        (read.torn_bytes, "bytes lost at a torn end"),
    ];
    for (count, what) in doubts.iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(out, "{count} {what}");
    }
}

fn write_latency(out: &mut String, tally: &Tally) {
    if tally.stopwatch.span(Span::Total).is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\nns per book message{:>9}{:>9}{:>9}{:>9}{:>11}  distribution",
        "p50", "p90", "p99", "p99.9", "max"
    );
    for span in Span::ALL {
        let histogram = tally.stopwatch.span(span);
        let at = |quantile| histogram.value_at_quantile(quantile);
        let _ = writeln!(
            out,
            "{:<19}{:>9}{:>9}{:>9}{:>9}{:>11}  {}",
            span.name(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            histogram.max(),
            sparkline(tally, span),
        );
    }
    let _ = writeln!(
        out,
        "service times at full speed: nothing waits, so there is no omission to correct; \
         reading the clock costs {} ns a stamp\n\
         drawing: count per doubling of the time, 16 ns to 1 ms",
        tally.stopwatch.overhead_ns()
    );
}

/// One bar per doubling from 16 ns to 1 ms.
fn sparkline(tally: &Tally, span: Span) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let histogram = tally.stopwatch.span(span);
    let counts: Vec<u64> =
        (4..20).map(|power| histogram.count_between(1 << power, (2 << power) - 1)).collect();
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts
        .iter()
        .map(|count| match count {
            0 => ' ',
            count => BARS[((count * 7).div_ceil(most) as usize).min(7)],
        })
        .collect()
}
