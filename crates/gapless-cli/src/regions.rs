//! `gapless books` and `gapless read`: what engines of this machine publish in shared memory.

use crate::Exit;
use crate::args::{BooksArguments, ReadArguments};
use gapless::book::decimal::Decimal;
use gapless::book::event::{Level, Scales};
use gapless::book::local::{Reason, State};
use gapless::book::publish::{Depth, ReadError};
use gapless::shm::{Directory, RegionInfo, ShmError};
use gapless::{BookReader, Wait};
use std::io::{self, Write};
use std::time::Duration;

/// Time between two looks of `--follow`, and between two looks for a writer's successor.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LOOK_FOR_NEXT_EVERY: Duration = Duration::from_millis(200);

/// Lists every publication of this user.
pub fn books(arguments: &BooksArguments) -> Result<Exit, String> {
    let directory = Directory::new(&arguments.dir);
    let mut failed = false;
    let mut rows = vec![["engine", "book", "channel", "state", "pid", "age"].map(str::to_owned)];
    for found in directory.list().map_err(|error| error.to_string())? {
        match found.and_then(|region| row(&region)) {
            Ok(row) => rows.push(row),
            Err(error) => {
                eprintln!("gapless: {error}");
                failed = true;
            }
        }
    }
    written(write_columns(&rows))?;
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

fn row(region: &RegionInfo) -> Result<[String; 6], ShmError> {
    let reader = region.attach()?;
    let mut pid = region.owner.pid.to_string();
    if region.owner.is_alive() == Some(false) {
        pid.push_str(" (dead)");
    }
    let (engine, name, channel) = (&region.engine, &region.name, &region.channel);
    let state = said(reader.state());
    Ok([engine.clone(), name.clone(), channel.clone(), state, pid, age(&reader)])
}

/// Shows one book, once or whenever it changes.
pub fn read(arguments: &ReadArguments) -> Result<Exit, String> {
    let directory = Directory::new(&arguments.dir);
    let find = || directory.find(&arguments.symbol).and_then(|region| region.attach());
    let mut reader = find().map_err(|error| error.to_string())?;
    let mut shown = None;
    loop {
        let seen = reader.version();
        let (state, depth) = look(&reader, arguments.depth.max(1), arguments.last_known);
        if shown != Some((seen, state)) {
            let text = render(&reader, state, depth.as_ref(), arguments.depth);
            if !written(io::stdout().write_all(text.as_bytes()))? {
                return Ok(Exit::Ok);
            }
            shown = Some((seen, state));
        }
        if !arguments.follow {
            return Ok(if state.0 == State::Live { Exit::Ok } else { Exit::Failure });
        }
        if matches!(state.1, Reason::Closed | Reason::WriterSilent) {
            std::thread::sleep(LOOK_FOR_NEXT_EVERY);
            // Another writer may have taken the name.
            if let Ok(next) = find()
                && next.publication().incarnation() != reader.publication().incarnation()
            {
                reader = next;
                shown = None;
            }
        } else {
            // Looks again in time to see that the writer went silent.
            let _ = reader.wait(seen, Wait::Sleep(LOOK_EVERY), LOOK_FOR_NEXT_EVERY);
        }
    }
}

/// State and levels. Live levels and their state are of one read: between two, a gap could be
/// published.
fn look(reader: &BookReader, wanted: usize, last_known: bool) -> ((State, Reason), Option<Depth>) {
    let state = match reader.depth(wanted) {
        Ok(depth) => return ((State::Live, Reason::None), Some(depth)),
        Err(ReadError::NotLive(found)) => (found.state, found.reason),
        // The writer was faster at every try; by now it may have made the book live.
        Err(ReadError::Busy) => match reader.state() {
            (State::Live, _) => (State::Syncing, Reason::None),
            state => state,
        },
    };
    (state, last_known.then(|| reader.last_known_depth(wanted).ok()).flatten())
}

/// One line, and one for each level that was asked for.
fn render(
    reader: &BookReader,
    state: (State, Reason),
    depth: Option<&Depth>,
    levels: usize,
) -> String {
    let state = said(state);
    let Some(depth) = depth else {
        return format!("{} {state}, last sign of life {} ago\n", reader.name(), age(reader));
    };
    let seq = depth.status.seq.map_or("-".to_owned(), |seq| seq.to_string());
    let scales = depth.status.scales;
    let best = |side: &[Level]| side.first().map_or("-".to_owned(), |l| priced(*l, scales));
    let mut text = format!(
        "{} {state} seq {seq}: {} | {}\n",
        reader.name(),
        best(&depth.bids),
        best(&depth.asks)
    );
    if levels > 0 {
        write_levels(&mut text, depth);
    }
    text
}

fn write_levels(text: &mut String, depth: &Depth) {
    let scales = depth.status.scales;
    let shown = |side: &[Level], at: usize| {
        side.get(at).map_or(String::new(), |level| priced(*level, scales))
    };
    for at in 0..depth.bids.len().max(depth.asks.len()) {
        let (bid, ask) = (shown(&depth.bids, at), shown(&depth.asks, at));
        text.push_str(&format!("  {bid:>30} | {ask}\n"));
    }
}

fn priced(level: Level, scales: Scales) -> String {
    let price = Decimal::new(level.price, scales.price);
    let qty = Decimal::new(level.qty, scales.qty);
    format!("{price} x {qty}")
}

fn said((state, reason): (State, Reason)) -> String {
    match reason {
        Reason::None => state.name().to_owned(),
        reason => format!("{} ({})", state.name(), reason.name()),
    }
}

fn age(reader: &BookReader) -> String {
    let ms = reader.age_ns().max(0) / 1_000_000;
    if ms < 1_000 { format!("{ms} ms") } else { format!("{} s", ms / 1_000) }
}

fn write_columns(rows: &[[String; 6]]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut widths = [0; 6];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Whether somebody still reads what is written.
fn written(result: io::Result<()>) -> Result<bool, String> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write: {error}")),
    }
}
