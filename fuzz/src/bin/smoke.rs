//! Runs the fuzz targets without libFuzzer: on given files, or on seeded mutations of the seeds.
//!
//! The same seed gives the same inputs on every machine. A broken promise is written to
//! `fuzz/artifacts/TARGET/` with the command that shows it again, and the status is 1.
//!
//! ```text
//! smoke [--target NAME] [--seconds N | --runs N] [--seed N] [FILE...]
//! ```
#![forbid(unsafe_code)]

use gapless_fuzz::{Target, targets};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Longest input that mutations grow to.
const INPUT_BYTES_MAX: usize = 8192;
/// Inputs kept to mutate further.
const POOL_MAX: usize = 4096;
/// One input may take this long: a reader slower than that is a denial of service.
const INPUT_TIME_MAX: Duration = Duration::from_secs(1);
/// So often an input is run again that took too long: the machine may have been busy elsewhere.
const SLOW_AGAIN: usize = 2;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).map(|options| options.run()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(broken)) => {
            eprintln!("{broken}");
            ExitCode::FAILURE
        }
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    target: Option<String>,
    bound: Bound,
    seed: u64,
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy)]
enum Bound {
    Seconds(u64),
    Runs(u64),
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { target: None, bound: Bound::Seconds(10), seed: 1, files: Vec::new() };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--target" => options.target = args.next(),
                "--seconds" => options.bound = Bound::Seconds(number(&arg, args.next())?),
                "--runs" => options.bound = Bound::Runs(number(&arg, args.next())?),
                "--seed" => options.seed = number(&arg, args.next())?,
                _ => options.files.push(PathBuf::from(arg)),
            }
        }
        Ok(options)
    }

    fn run(&self) -> Result<(), String> {
        let wanted = |t: &&Target| self.target.as_ref().is_none_or(|name| name == t.name);
        let targets: Vec<_> = targets().filter(wanted).collect();
        if targets.is_empty() {
            return Err(format!("no target of that name: {:?}", self.target));
        }
        for target in targets {
            if self.files.is_empty() {
                self.mutate(target)?;
            } else {
                self.replay(target)?;
            }
        }
        Ok(())
    }

    /// Runs a target over the given files.
    fn replay(&self, target: &Target) -> Result<(), String> {
        for file in &self.files {
            let data = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
            attempt(target, &data)?;
        }
        println!("{}: {} files", target.name, self.files.len());
        Ok(())
    }

    /// Runs a target over its seeds and then over mutations of them.
    fn mutate(&self, target: &Target) -> Result<(), String> {
        let (seeds, files) = seeds(target)?;
        for seed in &seeds {
            attempt(target, seed)?;
        }
        let began = Instant::now();
        let mut mutator = Mutator::new(self.seed, seeds, files, target.words);
        let mut runs = 0u64;
        while !self.bound.reached(runs, began) {
            attempt(target, mutator.next_input())?;
            runs += 1;
        }
        let seconds = began.elapsed().as_secs_f64();
        println!("{}: {runs} runs in {seconds:.1} s, seed {}", target.name, self.seed);
        Ok(())
    }
}

fn number(name: &str, value: Option<String>) -> Result<u64, String> {
    value.and_then(|v| v.parse().ok()).ok_or_else(|| format!("{name} needs a number"))
}

impl Bound {
    fn reached(self, runs: u64, began: Instant) -> bool {
        match self {
            Self::Runs(most) => runs >= most,
            // The clock is dearer than a short run.
            Self::Seconds(most) => runs.is_multiple_of(256) && began.elapsed().as_secs() >= most,
        }
    }
}

/// Runs one input; a panic or a run that takes too long is a finding, kept in a file.
fn attempt(target: &Target, data: &[u8]) -> Result<(), String> {
    let mut outcome = catch_unwind(|| timed(target, data));
    for _ in 0..SLOW_AGAIN {
        match outcome {
            Ok(took) if took > INPUT_TIME_MAX => outcome = catch_unwind(|| timed(target, data)),
            _ => break,
        }
    }
    let what = match outcome {
        Ok(took) if took <= INPUT_TIME_MAX => return Ok(()),
        Ok(took) => format!("took {took:?}"),
        Err(_) => "panicked".to_string(),
    };
    let file = keep(target, data).map_err(|e| format!("{}: {what}; not kept: {e}", target.name))?;
    Err(format!(
        "{name}: {what} on \"{input}\"; again: cargo run --manifest-path fuzz/Cargo.toml \
         --no-default-features --bin smoke -- --target {name} {file}",
        name = target.name,
        input = data.escape_ascii(),
        file = file.display()
    ))
}

fn timed(target: &Target, data: &[u8]) -> Duration {
    let began = Instant::now();
    (target.run)(data);
    began.elapsed()
}

fn keep(target: &Target, data: &[u8]) -> std::io::Result<PathBuf> {
    let folder = root().join("fuzz/artifacts").join(target.name);
    std::fs::create_dir_all(&folder)?;
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let file = folder.join(format!("smoke-{hash:016x}"));
    std::fs::write(&file, data)?;
    Ok(file)
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The seed files in name order, then the target's words and nothing at all; and how many of them
/// are files.
fn seeds(target: &Target) -> Result<(Vec<Vec<u8>>, usize), String> {
    let folder = root().join("fuzz/seeds").join(target.name);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
    };
    let mut seeds = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let files = seeds.len();
    seeds.extend(target.words.iter().map(|word| word.as_bytes().to_vec()));
    seeds.push(Vec::new());
    Ok((seeds, files))
}

/// Makes inputs out of seeds: a pool that grows by its own mutations.
struct Mutator {
    random: Random,
    pool: Vec<Vec<u8>>,
    /// So many at the front of the pool are whole inputs: seed files.
    files: usize,
    words: &'static [&'static str],
    input: Vec<u8>,
}

impl Mutator {
    fn new(seed: u64, pool: Vec<Vec<u8>>, files: usize, words: &'static [&'static str]) -> Self {
        Self { random: Random(seed), pool, files, words, input: Vec::new() }
    }

    fn next_input(&mut self) -> &[u8] {
        // Mostly what reaches far: edits that pile up soon make anything unreadable.
        let deep = self.files > 0 && self.random.below(4) != 0;
        let start = self.random.below(if deep { self.files } else { self.pool.len() });
        self.input.clone_from(&self.pool[start]);
        for _ in 0..=self.random.below(4) {
            self.mutate();
        }
        self.input.truncate(INPUT_BYTES_MAX);
        // Now and then a mutation becomes a parent, so that edits pile up.
        if self.random.below(64) == 0 {
            self.adopt();
        }
        &self.input
    }

    fn adopt(&mut self) {
        if self.pool.len() < POOL_MAX {
            self.pool.push(self.input.clone());
        } else {
            let place = self.files + self.random.below(POOL_MAX - self.files);
            self.pool[place].clone_from(&self.input);
        }
    }

    fn mutate(&mut self) {
        let at = self.random.below(self.input.len() + 1);
        match self.random.below(8) {
            0 => self.flip_bit(at),
            1 => self.set_byte(at),
            2 => self.input.insert(at, b"0123456789.-+eE\",:{}[] "[self.random.below(23)]),
            3 => self.remove_run(at),
            4 => self.repeat_run(at),
            5 => self.input.truncate(at),
            6 => self.splice(at),
            _ => self.insert_word(at),
        }
    }

    fn flip_bit(&mut self, at: usize) {
        let bit = 1 << self.random.below(8);
        if let Some(byte) = self.input.get_mut(at) {
            *byte ^= bit;
        }
    }

    fn set_byte(&mut self, at: usize) {
        let value = self.random.below(256) as u8;
        if let Some(byte) = self.input.get_mut(at) {
            *byte = value;
        }
    }

    fn run_after(&mut self, at: usize) -> std::ops::Range<usize> {
        let length = 1 + self.random.below(24);
        at..(at + length).min(self.input.len())
    }

    fn remove_run(&mut self, at: usize) {
        let run = self.run_after(at);
        self.input.drain(run);
    }

    fn repeat_run(&mut self, at: usize) {
        let run = self.run_after(at);
        if self.input.len() < INPUT_BYTES_MAX {
            let copy = self.input[run].to_vec();
            self.input.splice(at..at, copy);
        }
    }

    /// The head of this input with the tail of another.
    fn splice(&mut self, at: usize) {
        let other = self.random.below(self.pool.len());
        let from = self.random.below(self.pool[other].len() + 1);
        self.input.truncate(at);
        self.input.extend_from_slice(&self.pool[other][from..]);
    }

    fn insert_word(&mut self, at: usize) {
        if !self.words.is_empty() {
            let word = self.words[self.random.below(self.words.len())];
            self.input.splice(at..at, word.bytes());
        }
    }
}

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}
