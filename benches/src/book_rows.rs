//! Rows B1–B4: recorded deltas applied, and what the books then weigh.

use crate::measure::{Contender, Plan, compare};
use crate::numbers::{Applier, Numbers};
use crate::ours::{self, Sides};
use crate::resident;
use crate::rival::btreemap::BTreeMaps;
use crate::rival::hftbacktest::{self, RoiVector};
use crate::rival::sorted_vec::SortedVecs;
use crate::rows::{Line, Measured, Options};
use crate::workload::Workload;

/// One mebibyte.
const MEBIBYTE: f64 = 1_048_576.0;

/// Rows B1–B4 of a workload.
pub fn apply(workload: &Workload, options: &Options, out: &mut Vec<Line>) {
    let wanted = ["B1", "B2", "B3", "B4"].iter().any(|row| options.wants(row));
    if !wanted || !workload.venue.starts_with("binance") {
        return;
    }
    let numbers = Numbers::of(workload);
    if numbers.deltas.is_empty() {
        return;
    }
    if ["B1", "B2", "B3"].iter().any(|row| options.wants(row)) {
        times(workload, &numbers, options, out);
    }
    if options.wants("B4") {
        weights(workload, out);
    }
}

/// The containers with their messages, ours first.
#[must_use]
pub fn containers(numbers: &Numbers) -> Vec<Box<dyn Contender + '_>> {
    let mut all: Vec<Box<dyn Contender + '_>> = vec![
        Box::new(Applier::<Sides>::new(numbers)),
        Box::new(Applier::<BTreeMaps>::new(numbers)),
        Box::new(Applier::<SortedVecs>::new(numbers)),
    ];
    if hftbacktest::fits(numbers) {
        all.push(Box::new(Applier::<RoiVector>::new(numbers)));
    }
    all
}

fn line(
    goal: &'static str,
    workload: &Workload,
    rival: &str,
    result: Result<Measured, String>,
) -> Line {
    Line {
        goal,
        stage: "apply",
        workload: workload.name.clone(),
        isa: "any".to_owned(),
        rival: rival.to_owned(),
        binding: true,
        result,
    }
}

fn times(workload: &Workload, numbers: &Numbers, options: &Options, out: &mut Vec<Line>) {
    let items = numbers.deltas.len();
    // A turn is a whole pass: a book that lost its caches to the others would not be measured.
    let plan = Plan { passes: options.passes, turn: items };
    let timings = compare(&mut containers(numbers), items, plan);
    let [ours, btree, vec, rest @ ..] = timings.as_slice() else { return };
    let btreemap = Measured::worse(ours, btree);
    if workload.name.starts_with("binance_usdm/hft_btcusdt") {
        out.push(line("B1_btcusdt", workload, &btree.name, Ok(btreemap.clone())));
    }
    out.push(line("B1", workload, &btree.name, Ok(btreemap)));
    let seen = line("B1", workload, &vec.name, Ok(Measured::worse(ours, vec)));
    out.push(Line { binding: false, ..seen });
    let tail = Measured {
        ours: ours.percentile(0.999),
        rival: btree.percentile(0.999),
        statistic: "p99.9",
        unit: "ns",
        agree: ours.agrees && btree.agrees,
    };
    out.push(line("B2", workload, &btree.name, Ok(tail)));
    let roi = match rest {
        [roi] => Ok(Measured::worse(ours, roi)),
        _ => Err("the range of recorded prices needs more than 2 GiB of it".to_owned()),
    };
    out.push(line("B3", workload, "hftbacktest ROIVectorMarketDepth", roi));
}

fn weights(workload: &Workload, out: &mut Vec<Line>) {
    let weigh = |container| resident::ask(&workload.name, container);
    let both = weigh(ours::NAME).and_then(|ours| Ok((ours, weigh("BTreeMap")?)));
    let measured = |rival: Option<f64>| {
        let (ours, btree) = both.clone()?;
        let rival = rival.unwrap_or(btree);
        Ok(Measured { ours, rival, statistic: "total", unit: "bytes", agree: true })
    };
    out.push(line("B4", workload, "BTreeMap", measured(None)));
    out.push(line("B4_mebibyte", workload, "1 MiB", measured(Some(MEBIBYTE))));
}
