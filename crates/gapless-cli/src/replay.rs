//! `gapless replay`: recordings in, books and figures out.

use crate::Exit;
use crate::args::{Crossed, Inputs, ReplayArguments};
use crate::tally::Tally;
use crate::{json, plot, table};
use gapless::book::local::CrossedPolicy;
use gapless::replay::input::{self, Input, Progress};
use gapless::replay::lists;
use gapless::replay::pace::Speed;
use gapless::venues::instruments::Instruments;
use gapless::venues::session::SessionConfig;
use gapless::{Choices, Replay, Stopped};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Items between two looks at the clock for the progress bar.
const BAR_EVERY: u64 = 4096;

/// A finished replay.
pub struct Done {
    /// Books and readers.
    pub replay: Replay,
    /// Counts.
    pub tally: Tally,
    /// Wall time of the reading.
    pub wall_s: f64,
    /// How it ended.
    pub stopped: Stopped,
    /// Inputs that could not be read to their end, one clear line each.
    pub failures: Vec<String>,
}

impl Done {
    /// Whether every input failed before its first frame: then there is nothing to report.
    pub fn has_nothing(&self) -> bool {
        !self.failures.is_empty() && self.replay.stats().frames == 0
    }
}

/// Runs the command.
pub fn run(arguments: &ReplayArguments) -> Result<Exit, String> {
    let done = read(&arguments.inputs, arguments.speed)?;
    if done.has_nothing() {
        return Ok(exit(&done));
    }
    let depth = arguments.depth;
    let written = if arguments.json {
        let mut out = io::BufWriter::new(io::stdout().lock());
        json::write(&mut out, &done.replay, &done.tally, done.wall_s, depth)
    } else {
        let text = table::render(&done.replay, &done.tally, done.wall_s, depth);
        io::stdout().lock().write_all(text.as_bytes())
    };
    match written {
        // Whoever reads from us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(format!("cannot write the report: {error}")),
        Ok(()) => {}
    }
    if let Some(path) = &arguments.latency_svg {
        plot::write(path, &done.tally)?;
    }
    Ok(exit(&done))
}

/// The exit code of a replay, after its failures were said.
pub fn exit(done: &Done) -> Exit {
    for failure in &done.failures {
        eprintln!("gapless: {failure}");
    }
    for input in 0..done.replay.inputs() {
        let (file, stats) = (done.replay.input_name(input), done.replay.input_stats(input));
        match (stats.cut_streams, stats.torn_bytes) {
            (0, 0) => {}
            (0, torn) => eprintln!(
                "gapless: {file}: ends inside a line; its last {torn} bytes were left out"
            ),
            (_, torn) => eprintln!(
                "gapless: {file}: the compressed file is cut short: {torn} bytes could not be \
                 used, and what followed is not known; fetch the file again"
            ),
        }
    }
    if let Some(first) = &done.tally.first_off_grid {
        let count = done.tally.off_grid;
        eprintln!("gapless: {count} values off their instrument's grid, the first: {first}");
    }
    match done.stopped {
        Stopped::Asked => {
            eprintln!("gapless: interrupted; the report covers what was read");
            Exit::Interrupted
        }
        Stopped::End if done.failures.is_empty() => Exit::Ok,
        Stopped::End => Exit::Failure,
    }
}

/// Reads the inputs that the arguments name.
pub fn read(arguments: &Inputs, speed: Speed) -> Result<Done, String> {
    let inputs = input::find(&arguments.inputs).map_err(|errors| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\ngapless: ")
    })?;
    let mut config = SessionConfig::replay();
    if arguments.crossed == Crossed::Uncross {
        config.policy.crossed = CrossedPolicy::Uncross;
    }
    config.policy.lenient_bridge = arguments.lenient_bridge;
    let choices = Choices {
        format: arguments.format,
        venue: arguments.venue,
        from_ns: arguments.from,
        to_ns: arguments.to,
        speed,
        config,
        symbols: arguments.symbol.clone(),
        merge_lines: arguments.merge_lines,
        instruments: instruments(&arguments.instruments)?,
    };
    let bar = bar(&inputs);
    let (mut replay, failures) = Replay::with(inputs, choices);
    let mut failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let progress = replay.progress().to_vec();
    let stop = interrupted();
    let mut tally = Tally::new();
    let start = Instant::now();
    let mut count = 0u64;
    let stopped = replay.run_while(
        &mut tally,
        |_, _| {
            count += 1;
            if let Some(bar) = bar.as_ref().filter(|_| count.is_multiple_of(BAR_EVERY)) {
                bar.set_position(progress.iter().map(Progress::bytes).sum());
            }
            !stop.load(Ordering::Relaxed)
        },
        |until| wait(start, until),
        |error| failures.push(error.to_string()),
    );
    let wall_s = start.elapsed().as_secs_f64();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if let Some(limit_ns) = arguments.freshness {
        replay.driver_mut().freshness(limit_ns, &mut tally);
    }
    Ok(Done { replay, tally, wall_s, stopped, failures })
}

/// The table that files of lists make.
fn instruments(files: &[PathBuf]) -> Result<Arc<Instruments>, String> {
    let lists = lists::read(files.iter().map(Input::file)).map_err(|error| error.to_string())?;
    for refused in &lists.refused {
        eprintln!("gapless: not taken from the lists: {refused}");
    }
    Ok(Arc::new(lists.table))
}

/// Sleeps until so long after the start.
fn wait(start: Instant, until: Duration) {
    std::thread::sleep(until.saturating_sub(start.elapsed()));
}

/// Becomes true at the first Ctrl-C; the second ends the process.
fn interrupted() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    // Without a handler Ctrl-C ends the process at once, which is no worse than before.
    let _ = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    stop
}

/// A progress bar, on a terminal and where the size is known.
fn bar(inputs: &[Input]) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let total: u64 = inputs.iter().map(Input::size).sum::<Option<u64>>()?;
    let style = "{elapsed} {wide_bar} {percent}% {bytes_per_sec} left {eta}";
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template(style).ok()?);
    Some(bar)
}
