//! Rows H: packed Tardis CSV to books.
//!
//! The rival of H1 is the least that any reader does: it unpacks the same file with the same
//! library and counts its lines. Invariant: both read every row, and ours ends with live books.

use crate::measure;
use crate::rows::{Line, Measured, Options};
use crate::workload::Catalog;
use cpu_time::ThreadTime;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gapless_replay::driver::Driver;
use gapless_replay::error::FileName;
use gapless_replay::input::{self, Input, Item};
use gapless_sim::rng::Rng;
use gapless_venues::session::SessionConfig;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Rows of the generated file.
const ROWS: usize = 2_000_000;
const SEED: u64 = 20_261_121;
const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";

/// Rows H1 and H2.
///
/// # Errors
/// A file that cannot be read or made.
pub fn rows(catalog: &Catalog, options: &Options, out: &mut Vec<Line>) -> io::Result<()> {
    if options.wants("H1") {
        if !catalog.csv.is_empty() {
            out.push(first("recorded incremental_book_L2", &catalog.csv, options)?);
        }
        let file = Generated::make()?;
        out.push(first("generated, 2 000 000 rows", std::slice::from_ref(&file.0), options)?);
    }
    if options.wants("H2") {
        let reason = "not part of this build".to_owned();
        out.push(line("H2", "generated, 2 000 000 rows", "nautilus", Err(reason)));
    }
    Ok(())
}

fn line(goal: &'static str, workload: &str, rival: &str, result: Result<Measured, String>) -> Line {
    Line {
        goal,
        stage: "replay",
        workload: format!("tardis/{workload}"),
        isa: "any".to_owned(),
        rival: rival.to_owned(),
        binding: true,
        result,
    }
}

fn first(workload: &str, files: &[PathBuf], options: &Options) -> io::Result<Line> {
    let (rows, live) = books(files)?;
    let lines = lines_of(files)?;
    // A header a file is a line and no row.
    let agree = rows + files.len() as u64 == lines && live > 0;
    let mut failed = None;
    let mut job = |work: &dyn Fn(&[PathBuf]) -> io::Result<()>| {
        let from = ThreadTime::now();
        if let Err(error) = work(files) {
            failed = Some(error);
        }
        from.elapsed().as_nanos() as f64
    };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..options.passes {
        times[0].push(job(&|files| books(files).map(drop)));
        times[1].push(job(&|files| lines_of(files).map(drop)));
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let [ours, rival] = times.map(measure::median_of);
    let found = Measured { ours, rival, statistic: "CPU", unit: "ns", agree };
    Ok(line("H1", workload, "gunzip + line count", Ok(found)))
}

/// Replays the files to books: rows read, and books that are live at the end.
fn books(files: &[PathBuf]) -> io::Result<(u64, usize)> {
    let (mut rows, mut live) = (0, 0);
    for file in files {
        let input = Input::file(file);
        let mut reader = input::open(&input, None).map_err(io::Error::other)?;
        let mut driver = Driver::new(SessionConfig::replay(), None);
        let id = driver.add(FileName::new(&file.to_string_lossy()), reader.format(), None);
        while reader.advance().map_err(io::Error::other)? {
            if let Some(Item::Csv(csv)) = reader.item() {
                driver.csv(id, csv, &mut ());
            }
        }
        rows += reader.stats().records;
        let books = driver.lines().iter().flat_map(|line| line.session.books().iter());
        live += books.filter(|(_, entry)| entry.local.live().is_some()).count();
    }
    Ok((rows, live))
}

fn lines_of(files: &[PathBuf]) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut lines = 0;
    for file in files {
        let mut unpacked = GzDecoder::new(File::open(file)?);
        loop {
            let count = unpacked.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', &buffer[..count]).count() as u64;
        }
    }
    Ok(lines)
}

/// A generated file, removed when it is dropped.
struct Generated(PathBuf);

impl Generated {
    fn make() -> io::Result<Self> {
        let name = format!("gapless-rivals-{}.incremental_book_L2.csv.gz", std::process::id());
        let made = Self(std::env::temp_dir().join(name));
        write(&made.0)?;
        Ok(made)
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for such files.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a seeded book: a snapshot, then groups of changed levels around a mid price that walks.
fn write(path: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(GzEncoder::new(File::create(path)?, Compression::new(6)));
    let (mut rng, mut mid, mut now) = (Rng::new(SEED), 650_000u64, 1_700_000_000_000_000u64);
    writeln!(out, "{HEADER}")?;
    let mut left = ROWS;
    for level in 1..=1_000 {
        row(&mut out, now, true, (mid, level), 1_000 + rng.below(9_000))?;
        row(&mut out, now, true, (mid, 1_000 + level), 1_000 + rng.below(9_000))?;
        left -= 2;
    }
    while left > 0 {
        now += 1_000 + rng.below(100_000);
        let before = mid;
        mid = mid + rng.below(5) - 2;
        // Levels that the middle has passed go first, so that the book never crosses.
        for passed in before.min(mid)..=before.max(mid) {
            let place = if mid > before { 1_000 + passed - before } else { before - passed };
            if place % 1_000 != 0 && left > 0 {
                row(&mut out, now, false, (before, place), 0)?;
                left -= 1;
            }
        }
        for _ in 0..(5 + rng.below(70) as usize).min(left) {
            let far = 1 + rng.geometric(15).min(998) + 1_000 * rng.below(2);
            let qty = if rng.chance(350) { 0 } else { 1 + rng.below(20_000) };
            row(&mut out, now, false, (mid, far), qty)?;
            left -= 1;
        }
    }
    out.into_inner()?.finish()?.sync_all()
}

/// One row; a place above 1 000 is an ask that far less 1 000 from the middle.
fn row(
    out: &mut impl Write,
    now: u64,
    snapshot: bool,
    (mid, place): (u64, u64),
    qty: u64,
) -> io::Result<()> {
    let (side, tick) =
        if place > 1_000 { ("ask", mid + place - 1_000) } else { ("bid", mid - place) };
    writeln!(
        out,
        "binance-futures,BTCUSDT,{now},{},{snapshot},{side},{}.{},{}.{:03}",
        now + 1_234,
        tick / 10,
        tick % 10,
        qty / 1_000,
        qty % 1_000
    )
}
