//! Lines of the report: one per row, workload, instruction set and rival.
//!
//! Invariant: a line's ratio is the worse of what it was measured by (mean and median), and a line
//! that could not be measured says why.

use crate::frames::{BookFrame, Frames};
use crate::measure::{Contender, Plan, Timing, compare};
use crate::ours;
use crate::rival::json::{Json, Parser, Wire};
use crate::rival::serde_json::SerdeJson;
use crate::rival::simd_json::SimdJson;
use crate::rival::sonic_rs::SonicRs;
use crate::workload::Workload;
use gapless_venues::kernel::Isa;

/// The instruction sets that have goals of their own.
pub const ISAS: [&str; 3] = ["avx512", "avx2", "portable"];

/// Fewest items that make a workload.
const ITEMS_MIN: usize = 30;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its goal in `goals.toml`; the row's name is the part before `_`.
    pub goal: &'static str,
    /// Stage of the path.
    pub stage: &'static str,
    /// Workload.
    pub workload: String,
    /// Instruction set; `any` where none is chosen.
    pub isa: String,
    /// Rival.
    pub rival: String,
    /// The goal is held against this rival; the others are there to be seen.
    pub binding: bool,
    /// What was measured, or why not.
    pub result: Result<Measured, String>,
}

/// Two values and how they came.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Ours.
    pub ours: f64,
    /// The rival's.
    pub rival: f64,
    /// `mean`, `midmean` (of the middle half), `p50`, `p99.9`, or `total`.
    pub statistic: &'static str,
    /// `ns` or `bytes`.
    pub unit: &'static str,
    /// Both gave the same answers.
    pub agree: bool,
}

impl Measured {
    /// The rival's value in units of ours.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.rival / self.ours
    }

    /// The worse of mean and median.
    #[must_use]
    pub fn worse(ours: &Timing, rival: &Timing) -> Self {
        let of = |statistic, ours, rival, agree| Self { ours, rival, statistic, unit: "ns", agree };
        let agree = ours.agrees && rival.agrees;
        let mean = of("mean", ours.mean(), rival.mean(), agree);
        let p50 = of("p50", ours.percentile(0.5), rival.percentile(0.5), agree);
        if mean.ratio() <= p50.ratio() { mean } else { p50 }
    }
}

impl Line {
    /// Name of the row.
    #[must_use]
    pub fn row(&self) -> &'static str {
        self.goal.split('_').next().unwrap_or(self.goal)
    }
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Timed passes.
    pub passes: usize,
    /// Rows wanted; empty = all.
    pub rows: Vec<String>,
}

impl Options {
    /// Whether a row is wanted.
    #[must_use]
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| row.starts_with(wanted.as_str()))
    }
}

/// Frames per turn: long enough to warm up after the others, short enough to share a disturbance.
const PARSE_TURN: usize = 256;

/// The instruction sets that this machine has and this build knows, by name.
#[must_use]
pub fn isa(name: &str) -> Option<Isa> {
    Isa::available().find(|isa| isa.name() == name)
}

/// Which frames a row takes, by their number of levels.
type Takes = fn(usize) -> bool;

/// Goals that the frames of a workload are measured for.
fn parse_rows(workload: &Workload) -> Vec<(&'static str, Takes)> {
    let long: Takes = |levels| levels >= 16;
    let short: Takes = |levels| (1..16).contains(&levels);
    let mut rows = match workload.venue.as_str() {
        "binance_usdm" | "binance_spot" => vec![("P1", long)],
        "binance_coinm" => vec![("P2", long)],
        "binance_us" => Vec::new(),
        _ => vec![("P4", (|_| true) as Takes)],
    };
    if workload.venue.starts_with("binance") && !workload.name.contains("/hft_") {
        rows.push(("P3", short));
    }
    rows
}

/// Rows P1–P5 of a workload.
pub fn parse(workload: &Workload, options: &Options, out: &mut Vec<Line>) {
    let rows = parse_rows(workload);
    let wanted = |row: &str| options.wants(row) || (row == "P1" && options.wants("P5"));
    if !rows.iter().any(|(row, _)| wanted(row)) {
        return;
    }
    let frames = Frames::of(workload);
    for (row, takes) in rows.into_iter().filter(|(row, _)| wanted(row)) {
        let picked: Vec<&BookFrame> = match row {
            "P4" => frames.all.iter().collect(),
            _ => frames.deltas(takes),
        };
        parse_row(row, workload, &frames, &picked, options, out);
    }
}

fn parse_row(
    row: &'static str,
    workload: &Workload,
    frames: &Frames,
    picked: &[&BookFrame],
    options: &Options,
    out: &mut Vec<Line>,
) {
    let known: Vec<Isa> = ISAS.iter().filter_map(|name| isa(name)).collect();
    let (mut contenders, count) = parsers(workload, frames, picked, &known);
    if picked.len() < ITEMS_MIN || count == 0 {
        // A recording without such frames is no workload of this row.
        return;
    }
    let plan = Plan { passes: options.passes, turn: PARSE_TURN };
    let timings = compare(&mut contenders, picked.len(), plan);
    let (ours, rivals) = timings.split_at(count);
    for name in ISAS {
        let at = known.iter().position(|isa| isa.name() == name);
        for rival in rivals {
            let goal = if row == "P1" && rival.name == SimdJson::NAME { "P5" } else { row };
            let result = match at {
                Some(at) => Ok(Measured::worse(&ours[at], rival)),
                None => Err(format!("no {name} on this machine or in this build")),
            };
            out.push(Line {
                goal,
                stage: "parse",
                workload: workload.name.clone(),
                isa: name.to_owned(),
                rival: rival.name.clone(),
                binding: rival.name == SonicRs::NAME || goal == "P5",
                result,
            });
        }
    }
}

/// Our parsers, one per instruction set, then the rivals; and how many are ours.
#[must_use]
pub fn parsers<'w>(
    workload: &Workload,
    frames: &'w Frames,
    picked: &'w [&'w BookFrame],
    isas: &[Isa],
) -> (Vec<Box<dyn Contender + 'w>>, usize) {
    let ours = |isa: &Isa| ours::parser(&workload.venue, *isa, &frames.instruments, picked);
    let mut all: Vec<Box<dyn Contender + 'w>> = isas.iter().filter_map(ours).collect();
    let count = all.len();
    let Some(wire) = Wire::of(&workload.venue) else { return (Vec::new(), 0) };
    all.push(Box::new(Parser::<SonicRs>::new(wire, picked)));
    all.push(Box::new(Parser::<SimdJson>::new(wire, picked)));
    all.push(Box::new(Parser::<SerdeJson>::new(wire, picked)));
    (all, count)
}
