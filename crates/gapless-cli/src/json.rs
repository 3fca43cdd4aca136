//! The lines of `--json`. Keys are part of the interface: they are added to, never changed.

use crate::tally::Tally;
use gapless::book::decimal::Decimal;
use gapless::book::event::{EventKind, Side};
use gapless::book::lines::{LineNo, LineStats};
use gapless::book::local::{Integrity, Reason};
use gapless::latency::Span;
use gapless::{BookReport, Replay, book_sha256};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// One book.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "book")]
struct Book<'a> {
    file: &'a str,
    venue: String,
    market: &'a str,
    symbol: &'a str,
    channel: &'a str,
    source: &'a str,
    state: &'a str,
    reason: Option<&'a str>,
    snapshots: u64,
    deltas: u64,
    applied: u64,
    duplicates: u64,
    gaps: u64,
    resets: u64,
    resyncs: u64,
    rejects: u64,
    overlaps: u64,
    truncated: u64,
    snapshots_ignored: u64,
    audit_differences: u64,
    integrity: &'a str,
    crossed: u64,
    checksum_ok: u64,
    checksum_bad: u64,
    seq: Option<i64>,
    best_bid: Option<[String; 2]>,
    best_ask: Option<[String; 2]>,
    bid_levels: usize,
    ask_levels: usize,
    book_sha256: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bids: Option<Vec<[String; 2]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<Vec<[String; 2]>>,
}

/// What one line did for a merged book.
#[derive(Debug, Serialize)]
struct Line<'a> {
    source: &'a str,
    wins: u64,
    late: u64,
    missed: u64,
    holes_filled: u64,
    disagreements: u64,
    snapshots_checked: u64,
    failovers: u64,
    rejects: u64,
    late_ns_p50: i64,
    late_ns_p99: i64,
    late_ns_max: i64,
}

fn line<'a>(source: &'a str, stats: &LineStats) -> Line<'a> {
    Line {
        source,
        wins: stats.wins,
        late: stats.late,
        missed: stats.missed,
        holes_filled: stats.holes_filled,
        disagreements: stats.disagreements,
        snapshots_checked: stats.snapshots_checked,
        failovers: stats.failovers,
        rejects: stats.rejects,
        late_ns_p50: stats.lateness.quantile(500),
        late_ns_p99: stats.lateness.quantile(990),
        late_ns_max: stats.lateness.max_ns(),
    }
}

/// Writes every book and the summary.
pub fn write(
    out: &mut impl Write,
    replay: &Replay,
    tally: &Tally,
    wall_s: f64,
    depth: usize,
) -> io::Result<()> {
    for report in replay.books() {
        let lines = replay.driver().lines();
        let source = |no: LineNo| lines.get(no.0 as usize).map_or("", |line| &*line.source);
        serde_json::to_writer(&mut *out, &book(&report, depth, source))?;
        out.write_all(b"\n")?;
    }
    serde_json::to_writer(&mut *out, &summary(replay, tally, wall_s))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes a book of a feed, whose connections have no names of their own.
pub fn write_book(out: &mut impl Write, report: &BookReport<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &book(report, 0, |_| ""))?;
    out.write_all(b"\n")
}

fn book<'a>(report: &BookReport<'a>, depth: usize, source: impl Fn(LineNo) -> &'a str) -> Book<'a> {
    let counters = report.counters();
    let pair = |best: Option<(Decimal, Decimal)>| best.map(|(p, q)| [p.to_string(), q.to_string()]);
    let side = |side| (depth > 0).then(|| levels(report, side, depth));
    Book {
        file: report.file(),
        venue: report.venue(),
        market: report.market().name(),
        symbol: report.symbol(),
        channel: report.channel(),
        source: report.source(),
        state: report.state().name(),
        reason: Some(report.reason()).filter(|r| *r != Reason::None).map(Reason::name),
        snapshots: counters.snapshots,
        deltas: counters.deltas,
        applied: counters.applied,
        duplicates: counters.duplicates,
        gaps: counters.gaps,
        resets: counters.resets,
        resyncs: counters.resyncs,
        rejects: counters.rejects,
        overlaps: counters.overlaps,
        truncated: counters.truncated,
        snapshots_ignored: counters.snapshots_ignored,
        audit_differences: counters.audit_differences,
        integrity: match report.integrity() {
            Integrity::Full => "full",
            Integrity::Weak => "weak",
        },
        crossed: counters.crossed,
        checksum_ok: counters.checksum_ok,
        checksum_bad: counters.checksum_bad,
        seq: report.seq(),
        best_bid: pair(report.best_bid()),
        best_ask: pair(report.best_ask()),
        bid_levels: report.levels(Side::Bid),
        ask_levels: report.levels(Side::Ask),
        book_sha256: report.book().map(book_sha256),
        lines: report.lines().map(|(no, stats)| line(source(no), stats)).collect(),
        bids: side(Side::Bid),
        asks: side(Side::Ask),
    }
}

fn levels(report: &BookReport<'_>, side: Side, depth: usize) -> Vec<[String; 2]> {
    let Some(book) = report.book() else { return Vec::new() };
    let text = |level| {
        let (price, qty) = book.decimals(level);
        [price.to_string(), qty.to_string()]
    };
    book.depth(side, depth).map(text).collect()
}

fn summary(replay: &Replay, tally: &Tally, wall_s: f64) -> Value {
    let stats = replay.stats();
    let read = replay.reader_stats();
    let events: Map<_, _> = EventKind::ALL
        .iter()
        .map(|kind| (kind.name().to_owned(), json!(tally.events[*kind as usize])))
        .collect();
    let latency: Map<_, _> =
        Span::ALL.iter().map(|span| (span.name().to_owned(), percentiles(tally, *span))).collect();
    json!({
        "type": "summary",
        "frames": stats.frames,
        "bytes": stats.bytes,
        "lines": read.lines,
        "torn_bytes": read.torn_bytes,
        "unattributed": tally.unattributed,
        "events": events,
        "rejects": tally.rejects,
        "wall_s": wall_s,
        "frames_per_s": if wall_s > 0.0 { (stats.frames as f64 / wall_s).round() } else { 0.0 },
        "latency_ns": latency,
    })
}

fn percentiles(tally: &Tally, span: Span) -> Value {
    let histogram = tally.stopwatch.span(span);
    json!({
        "p50": histogram.value_at_quantile(0.5),
        "p90": histogram.value_at_quantile(0.9),
        "p99": histogram.value_at_quantile(0.99),
        "p999": histogram.value_at_quantile(0.999),
        "max": histogram.max(),
    })
}
