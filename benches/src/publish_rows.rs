//! Rows V1–V4: what publication costs its writer, and how soon a reader on another core has it.
//!
//! A row whose reader saw fewer than [`SEEN_MIN`] of the updates is void, and says what it saw.

use crate::measure::{Contender, Plan, compare};
use crate::numbers::Numbers;
use crate::rival::cells;
use crate::rows::{Line, Measured, Options};
use crate::shown::{Applier, Message, Part, ends};
use crate::two_cores::{Run, SEEN_MIN, round_trip, run};
use crate::workload::Workload;
use gapless_book::publish::Config;
use std::sync::Arc;

/// Updates of a run on two cores.
const UPDATES: usize = 20_000;
/// Most messages of a workload that are used.
const MESSAGES_MAX: usize = 8_000;
/// Most that publishing the best bid and ask may take, ns.
const BEST_NS: f64 = 15.0;
/// Most that publishing the first twenty levels may take, ns.
const DEPTH_NS: f64 = 70.0;

/// Rows V1–V4 of a workload; one long recording is enough.
pub fn published(workload: &Workload, options: &Options, out: &mut Vec<Line>) {
    let wanted = ["V1", "V2", "V3", "V4"].iter().any(|row| options.wants(row));
    if !wanted || !workload.name.starts_with("binance_usdm/hft_btcusdt") {
        return;
    }
    let Some((snapshot, deltas)) = messages(workload) else { return };
    let line = |goal, rival: &str, binding, result| Line {
        goal,
        stage: "publish",
        workload: workload.name.clone(),
        isa: "any".to_owned(),
        rival: rival.to_owned(),
        binding,
        result,
    };
    let best = two_cores(Part::Best, &snapshot, &deltas, options.passes);
    let depth = two_cores(Part::Depth, &snapshot, &deltas, options.passes);
    out.push(line("V1", "15 ns", true, of(best, |run| run.publish_ns, BEST_NS)));
    out.push(line("V2", "70 ns", true, of(depth, |run| run.publish_ns, DEPTH_NS)));
    out.push(line("V3", "round trip", true, of(best, |run| run.visible_ns, round_trip())));
    for rival in cells::all() {
        let (name, theirs) = (rival.name, run(rival.writer, rival.reader, UPDATES));
        let publish = valid(theirs).and_then(|run| of(best, |run| run.publish_ns, run.publish_ns));
        let visible = valid(theirs).and_then(|run| of(best, |run| run.visible_ns, run.visible_ns));
        out.push(line("V1", name, false, publish));
        out.push(line("V3", name, false, visible));
    }
    out.push(line("V4", "the same, not shown", true, Ok(shown(&snapshot, &deltas, options))));
}

/// The first book's snapshot and deltas at its scales.
fn messages(workload: &Workload) -> Option<(Message, Arc<[Message]>)> {
    let numbers = Numbers::of(workload);
    let snapshot = numbers.snapshots.iter().find(|message| message.book == 0);
    let snapshot = snapshot.map(|message| (message.bids.clone(), message.asks.clone()));
    let deltas = numbers.deltas.iter().filter(|message| message.book == 0).take(MESSAGES_MAX);
    let deltas: Arc<[Message]> =
        deltas.map(|message| (message.bids.clone(), message.asks.clone())).collect();
    (!deltas.is_empty()).then(|| (snapshot.unwrap_or_default(), deltas))
}

/// The run that saw most of some.
fn two_cores(part: Part, snapshot: &Message, deltas: &Arc<[Message]>, passes: usize) -> Run {
    let runs = (0..passes.max(1)).map(|_| {
        let (writer, reader) = ends(part, snapshot, deltas);
        run(writer, reader, UPDATES)
    });
    let void = Run { publish_ns: f64::NAN, visible_ns: f64::NAN, seen: -1.0 };
    runs.fold(void, |best, run| if run.seen > best.seen { run } else { best })
}

fn valid(run: Run) -> Result<Run, String> {
    if run.seen >= SEEN_MIN {
        return Ok(run);
    }
    Err(format!("void: the reader saw {:.1} % of the updates", 100.0 * run.seen))
}

fn of(run: Run, value: fn(&Run) -> f64, rival: f64) -> Result<Measured, String> {
    let ours = value(&valid(run)?);
    Ok(Measured { ours, rival, statistic: "p50", unit: "ns", agree: true })
}

/// The same messages taken by a book that nobody sees and by one that is shown whole.
fn shown(snapshot: &Message, deltas: &Arc<[Message]>, options: &Options) -> Measured {
    let config = Config { ring: 1 << 16, writer_silent_ns: i64::MAX, ..Config::default() };
    let applier = |name, config| Applier::new(name, snapshot, deltas, config);
    let mut both: Vec<Box<dyn Contender>> =
        vec![Box::new(applier("gapless", Some(config))), Box::new(applier("not shown", None))];
    let plan = Plan { passes: options.passes, turn: deltas.len() };
    let timings = compare(&mut both, deltas.len(), plan);
    Measured::worse(&timings[0], &timings[1])
}
