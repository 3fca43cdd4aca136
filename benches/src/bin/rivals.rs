//! Every row of the performance goals against its rivals, in one command.
//!
//! The recordings are those in the folder that `GAPLESS_RECORDINGS` names; without it the project's
//! own generator makes the workloads, and the output says so.

use clap::Parser;
use gapless_benches::goals::Goals;
use gapless_benches::rows::{Line, Options};
use gapless_benches::workload::{Catalog, RECORDINGS};
use gapless_benches::{book_rows, end_rows, history, publish_rows, report, resident, rows};
use std::io::Write as _;
use std::process::ExitCode;

/// Measures gapless against its rivals: interleaved medians, answers compared.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer passes; under a minute.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More passes, for results that are written down.
    #[arg(long)]
    full: bool,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
    /// Only rows whose name begins so (P, B1, …); may be repeated.
    #[arg(long = "row", value_name = "ROW")]
    rows: Vec<String>,
    /// Only this workload.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Prints the resident bytes of one book of the workload in this container, and ends.
    #[arg(long, hide = true, requires = "workload")]
    resident: Option<String>,
}

/// Timed passes: `--quick`, neither, `--full`.
const PASSES: [usize; 3] = [3, 7, 15];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rivals: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let goals = Goals::read()?;
    let catalog = Catalog::find()?;
    if let (Some(container), Some(workload)) = (&arguments.resident, &arguments.workload) {
        if let Some(bytes) = resident::weigh(&catalog, workload, container) {
            println!("{bytes}");
        }
        return Ok(());
    }
    if catalog.generated {
        eprintln!("{RECORDINGS} is not set: generated frames stand in for recorded ones");
    }
    let lines = measure(arguments, &catalog, &goals)?;
    if !arguments.json {
        print!("{}", report::table(&lines, &goals));
    }
    match lines.iter().find(|line| line.result.as_ref().is_ok_and(|found| !found.agree)) {
        Some(wrong) => Err(format!("{} on {}: answers differ", wrong.row(), wrong.workload).into()),
        None => Ok(()),
    }
}

fn measure(
    arguments: &Arguments,
    catalog: &Catalog,
    goals: &Goals,
) -> Result<Vec<Line>, Box<dyn std::error::Error>> {
    let mode = if arguments.quick { 0 } else { 1 + usize::from(arguments.full) };
    let options = Options { passes: PASSES[mode], rows: arguments.rows.clone() };
    let mut all = Vec::new();
    let mut crowd_is_due = true;
    let say = |lines: &[Line]| {
        if arguments.json {
            let mut out = std::io::stdout().lock();
            // Whoever reads from us may have seen enough.
            let _ = lines
                .iter()
                .try_for_each(|line| writeln!(out, "{}", report::json_line(line, goals)));
        }
    };
    let wanted = |name: &str| arguments.workload.as_deref().is_none_or(|only| only == name);
    for entry in catalog.entries.iter().filter(|entry| wanted(&entry.name)) {
        let workload = entry.load()?;
        let from = all.len();
        rows::parse(&workload, &options, &mut all);
        book_rows::apply(&workload, &options, &mut all);
        end_rows::end_to_end(&workload, &options, &mut all);
        publish_rows::published(&workload, &options, &mut all);
        if std::mem::take(&mut crowd_is_due) {
            let before = all.len();
            end_rows::crowd(&workload, &options, &mut all);
            // The first recording that can be a crowd makes it.
            crowd_is_due = all.len() == before;
        }
        say(&all[from..]);
    }
    if arguments.workload.is_none() {
        let from = all.len();
        history::rows(catalog, &options, &mut all)?;
        say(&all[from..]);
    }
    Ok(all)
}
