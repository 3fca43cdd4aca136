//! Rows V1–V4: what publication costs its writer, and how soon a reader on another core has it.
//!
//! A row whose reader saw fewer than [`SEEN_MIN`] of the updates is void, and says what it saw.

use crate::measure::{Contender, Plan, compare};
use crate::numbers::Numbers;
use crate::rival::cells::{self, Ends};
use crate::rows::{Line, Measured, Options};
use crate::shown::{Applier, Message, Part, ends};
use crate::two_cores::{Run, SEEN_MIN, Sees, Shows, run};
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
    let (snapshot, deltas) = (&snapshot, &deltas);
    let both_ends = |part| move || ends(part, snapshot, deltas);
    let best = runs("best bid and ask", options.passes, both_ends(Part::Best));
    let depth = runs("twenty levels", options.passes, both_ends(Part::Depth));
    out.push(line("V1", "15 ns", true, typical(&best, |run| (run.publish_ns, BEST_NS))));
    out.push(line("V2", "70 ns", true, typical(&depth, |run| (run.publish_ns, DEPTH_NS))));
    let visible = typical(&best, |run| (run.visible_ns, run.round_trip_ns));
    out.push(line("V3", "round trip", true, visible));
    for make in cells::ALL {
        let name = make().name;
        let theirs = runs(name, options.passes, || {
            let Ends { writer, reader, .. } = make();
            (writer, reader)
        });
        let against = |value: fn(&Run) -> f64| {
            let ours = typical(&best, |run| (value(run), 1.0))?;
            let theirs = typical(&theirs, |run| (value(run), 1.0))?;
            Ok(Measured { rival: theirs.ours, ..ours })
        };
        out.push(line("V1", name, false, against(|run| run.publish_ns)));
        out.push(line("V3", name, false, against(|run| run.visible_ns)));
    }
    out.push(line("V4", "the same, not shown", true, Ok(shown(snapshot, deltas, options))));
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

/// Runs of the same, each with memory of its own; says what their readers saw.
fn runs<W: Shows, R: Sees>(name: &str, passes: usize, both: impl Fn() -> (W, R)) -> Vec<Run> {
    let runs = (0..passes.max(1)).map(|_| {
        let (writer, reader) = both();
        run(writer, reader, UPDATES)
    });
    let runs: Vec<Run> = runs.collect();
    let seen: Vec<String> = runs.iter().map(|run| format!("{:.1}", 100.0 * run.seen)).collect();
    eprintln!("rivals: {name}: the reader saw {} % of {UPDATES} updates", seen.join(", "));
    runs
}

/// Ours and the rival's value of the run in the middle of those that count, by their ratio.
fn typical(runs: &[Run], values: impl Fn(&Run) -> (f64, f64)) -> Result<Measured, String> {
    let valid = runs.iter().filter(|run| run.seen >= SEEN_MIN);
    let mut valid: Vec<(f64, f64)> = valid.map(values).collect();
    valid.sort_by(|(a, b), (c, d)| (a / b).total_cmp(&(c / d)));
    let Some((ours, rival)) = valid.get(valid.len() / 2).copied() else {
        let seen = runs.iter().fold(0.0, |most: f64, run| most.max(run.seen));
        return Err(format!("void: the reader saw {:.1} % of the updates", 100.0 * seen));
    };
    Ok(Measured { ours, rival, statistic: "midmean", unit: "ns", agree: true })
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
