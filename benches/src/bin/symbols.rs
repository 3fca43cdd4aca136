//! Cost per message and memory per book with 1, 100 and 2 000 symbols, as a table and a picture.
//!
//! Reads the recordings that `GAPLESS_RECORDINGS` names. Each count and way of showing is measured
//! in a process of its own. A book that is not live in the end is an error: its messages would be
//! cheap.

use clap::Parser;
use gapless_benches::feed::Feed;
use gapless_benches::symbols::{COUNTS, Cost, Shown, measure};
use gapless_benches::workload::Catalog;
use gapless_book::publish::Config;
use plotters::prelude::*;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Measures a crowd of symbols on one connection.
#[derive(Debug, Parser)]
struct Arguments {
    /// Whose deltas they have: a workload of Binance USD-M, as `rivals` names it. Default: the
    /// first that has a snapshot and enough deltas.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Deltas of each symbol.
    #[arg(long, default_value_t = 300, value_name = "COUNT")]
    messages: usize,
    /// Slots of the log of each publication. Default: the product's.
    #[arg(long, value_name = "SLOTS")]
    ring: Option<usize>,
    /// Levels a side for which the whole book has room. Default: the product's.
    #[arg(long, value_name = "COUNT")]
    levels: Option<usize>,
    /// Draws cost and memory into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Measures one count and way of showing (0, 1, 2), and prints the bare figures.
    #[arg(long, hide = true, num_args = 2, value_names = ["COUNT", "SHOWN"])]
    one: Option<Vec<usize>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("symbols: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some([count, shown]) = arguments.one.as_deref() {
        let shown = *Shown::ALL.get(*shown).ok_or("no such way of showing")?;
        let (name, cost) = one(arguments, *count, shown)?;
        let Cost { mean_ns, p50_ns, p99_ns, bytes, live } = cost;
        println!("{mean_ns} {p50_ns} {p99_ns} {bytes} {live} {name}");
        return Ok(());
    }
    println!("| symbols | published | mean, ns | p50 | p99 | KiB a book |");
    println!("|---|---|---|---|---|---|");
    let (mut all, mut workload) = (Vec::new(), String::new());
    for shown in Shown::ALL {
        for count in COUNTS {
            let (name, cost) = ask(arguments, count, shown)?;
            workload = name;
            if cost.live != count {
                return Err(format!("{} of {count} books were live in the end", cost.live).into());
            }
            let Cost { mean_ns, p50_ns, p99_ns, bytes, .. } = cost;
            let (name, kib) = (shown.name(), bytes / 1024.0);
            println!("| {count} | {name} | {mean_ns:.0} | {p50_ns:.0} | {p99_ns:.0} | {kib:.0} |");
            all.push((shown, count, cost));
        }
    }
    println!("\nDeltas of {workload}.");
    match &arguments.svg {
        Some(path) => draw(path, &all),
        None => Ok(()),
    }
}

/// Measures here, and says whose deltas.
fn one(
    arguments: &Arguments,
    count: usize,
    shown: Shown,
) -> Result<(String, Cost), Box<dyn Error>> {
    let defaults = Config::default();
    let ring = arguments.ring.unwrap_or(defaults.ring);
    let levels = arguments.levels.unwrap_or(defaults.levels);
    let config = shown.config(Config { ring, levels, ..defaults });
    let catalog = Catalog::find()?;
    if catalog.generated {
        return Err("needs recordings, in the folder that GAPLESS_RECORDINGS names".into());
    }
    let name = arguments.workload.as_deref();
    let wanted = |entry_name: &str, venue: &str| match name {
        Some(name) => name == entry_name,
        None => venue == "binance_usdm",
    };
    for entry in catalog.entries.iter().filter(|entry| wanted(&entry.name, &entry.venue)) {
        let feed = Feed::of(&entry.load()?);
        if let Some(cost) = measure(&feed, (count, arguments.messages), config) {
            return Ok((entry.name.clone(), cost));
        }
    }
    Err("no such workload has a snapshot and as many deltas after it".into())
}

/// Measures in a process of its own.
fn ask(
    arguments: &Arguments,
    count: usize,
    shown: Shown,
) -> Result<(String, Cost), Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", &count.to_string(), &(shown as usize).to_string()]);
    command.args(["--messages", &arguments.messages.to_string()]);
    if let Some(name) = &arguments.workload {
        command.args(["--workload", name]);
    }
    for (option, value) in [("--ring", arguments.ring), ("--levels", arguments.levels)] {
        if let Some(value) = value {
            command.args([option, &value.to_string()]);
        }
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut words = said.split_whitespace();
    let figures: Vec<f64> = words.by_ref().take(5).filter_map(|text| text.parse().ok()).collect();
    let ([mean_ns, p50_ns, p99_ns, bytes, live], Some(name)) = (&figures[..], words.next()) else {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(why.trim_start_matches("symbols: ").trim_end().into());
    };
    let (mean_ns, p50_ns, p99_ns, bytes) = (*mean_ns, *p50_ns, *p99_ns, *bytes);
    Ok((name.to_owned(), Cost { mean_ns, p50_ns, p99_ns, bytes, live: *live as usize }))
}

/// A way of showing, a count of symbols, what it came to.
type Found = (Shown, usize, Cost);
/// What one picture shows of a cost.
type Value = fn(&Cost) -> f64;

fn draw(path: &Path, all: &[Found]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (960, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let halves = root.split_evenly((1, 2));
    let (left, right) = (SeriesLabelPosition::UpperLeft, SeriesLabelPosition::UpperRight);
    let pictures: [(&str, SeriesLabelPosition, Value); 2] = [
        ("Cost of a message, ns (median)", left, |cost| cost.p50_ns),
        ("Memory per book, KiB", right, |cost| cost.bytes / 1024.0),
    ];
    for (half, (caption, corner, value)) in halves.iter().zip(pictures) {
        let most = all.iter().map(|(.., cost)| value(cost)).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(half)
            .caption(caption, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d((0.9f64..2_400.0).log_scale(), 0f64..most * 1.35)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("symbols on one connection (logarithmic)")
            .x_label_formatter(&|count| format!("{count:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .draw()?;
        for (shown, colour) in Shown::ALL.into_iter().zip([&BLACK, &BLUE, &RED]) {
            let of = all.iter().filter(|(way, ..)| *way == shown);
            let points: Vec<_> = of.map(|(_, count, cost)| (*count as f64, value(cost))).collect();
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(4))?
                .label(shown.name())
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                });
        }
        chart
            .configure_series_labels()
            .position(corner)
            .border_style(BLACK)
            .background_style(WHITE)
            .draw()?;
    }
    root.present()?;
    Ok(())
}
