//! Whole sessions from a seed: exchange, network, requests and the feed that is tested, on one
//! thread and in virtual time.
//!
//! ```text
//! soak --minutes 8 --seed 1     sessions from seed 1 on, until the time is over
//! soak --sessions 2000          so many sessions
//! soak --seed 4711              that one session, told step by step
//! ```
//!
//! Every publication is compared with the exchange's truth. The first seed that breaks a promise
//! is printed and ends the run with status 1; it does the same every time.

mod judge;
mod network;
mod table;

use network::{Ended, Session};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How many sessions are played twice, to see that they are the same: one in so many.
const TWICE_EVERY: u64 = 32;

/// What is to be done.
#[derive(Debug, Default)]
struct Arguments {
    minutes: Option<f64>,
    sessions: Option<u64>,
    seed: Option<u64>,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let wrong = || format!("{word}: not a number: {value}");
        match word.as_str() {
            "--minutes" => arguments.minutes = Some(value.parse().map_err(|_| wrong())?),
            "--sessions" => arguments.sessions = Some(value.parse().map_err(|_| wrong())?),
            "--seed" => arguments.seed = Some(value.parse().map_err(|_| wrong())?),
            _ => return Err(format!("no such argument: {word}")),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("soak: {error}\nsoak --minutes M | --sessions N [--seed S]");
            return ExitCode::from(2);
        }
    };
    if let (Some(seed), None, None) = (arguments.seed, arguments.minutes, arguments.sessions) {
        let ended = Session::new(seed, true).play();
        println!("{ended}");
        return if ended.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    run(&arguments)
}

fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let minutes = arguments.minutes.or(arguments.sessions.is_none().then_some(1.0));
    let until = minutes.map(|minutes| start + Duration::from_secs_f64(minutes * 60.0));
    let first = arguments.seed.unwrap_or(1);
    let mut total = Total::default();
    for seed in first.. {
        let done = arguments.sessions.is_some_and(|sessions| seed - first >= sessions);
        if done || until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let mut ended = Session::new(seed, false).play();
        if seed.is_multiple_of(TWICE_EVERY) && Session::new(seed, false).play() != ended {
            ended.broken.push("G14: the same seed has ended in another way".to_owned());
        }
        if !ended.broken.is_empty() {
            println!("seed {seed}: {ended}");
            println!("again: cargo run --release -p gapless-sim --bin soak -- --seed {seed}");
            return ExitCode::FAILURE;
        }
        total.add(&ended);
    }
    total.print(start.elapsed());
    if let Some(together) = total.together() {
        println!("{together}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// So many waits say how they are spread, and one in so many may be the same.
const WAITS: (u64, u64) = (1_000, 20);
/// The same of requests, which wait for a venue's budget too.
const WAITS_TO_ASK: (u64, u64) = (100, 4);

/// All sessions together.
#[derive(Debug, Default)]
struct Total {
    sessions: u64,
    virtual_ns: u64,
    checked: u64,
    gaps: u64,
    resyncs: u64,
    connects: u64,
    faults: BTreeMap<String, u64>,
    waits: BTreeMap<u64, u64>,
    waits_to_ask: BTreeMap<u64, u64>,
}

impl Total {
    fn add(&mut self, ended: &Ended) {
        self.sessions += 1;
        self.virtual_ns += ended.virtual_ns;
        self.checked += ended.checked;
        self.gaps += ended.gaps;
        self.resyncs += ended.resyncs;
        self.connects += ended.connects;
        for (fault, count) in &ended.faults {
            *self.faults.entry(fault.clone()).or_default() += count;
        }
        add(&mut self.waits, &ended.waits);
        add(&mut self.waits_to_ask, &ended.waits_to_ask);
    }

    /// The wait that too many have had in common: who fails together would return together.
    fn together(&self) -> Option<String> {
        let lost = together(&self.waits, WAITS, "lost connections");
        lost.or_else(|| together(&self.waits_to_ask, WAITS_TO_ASK, "failed requests"))
    }

    fn print(&self, wall: Duration) {
        let wall_s = wall.as_secs_f64();
        let hours = self.virtual_ns as f64 / 3.6e12;
        println!(
            "{} sessions in {wall_s:.1} s ({:.0}/s), {hours:.1} virtual hours",
            self.sessions,
            self.sessions as f64 / wall_s
        );
        println!(
            "{} publications compared with the truth, {} gaps, {} resyncs, {} connections",
            self.checked, self.gaps, self.resyncs, self.connects
        );
        table::print(&self.faults);
    }
}

fn add(all: &mut BTreeMap<u64, u64>, more: &BTreeMap<u64, u64>) {
    for (wait, count) in more {
        *all.entry(*wait).or_default() += count;
    }
}

fn together(waits: &BTreeMap<u64, u64>, (least, part): (u64, u64), of: &str) -> Option<String> {
    let all: u64 = waits.values().sum();
    let (ms, count) = waits.iter().max_by_key(|(_, count)| **count)?;
    let too_many = all >= least && *count > all / part;
    too_many.then(|| format!("  G9: {count} of {all} {of} were waited {ms} ms with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every publication of 63 books, its state, number and levels, is what it is without the
    /// 64th's troubles.
    #[test]
    fn a_bad_symbol_changes_nothing_of_63_others() {
        let bad = 20;
        let (symbols, calm) = Session::one_of_many(None);
        let (_, troubled) = Session::one_of_many(Some(bad));
        for (at, symbol) in symbols.iter().enumerate() {
            assert_eq!(at == bad, calm.get(symbol) != troubled.get(symbol), "{symbol}");
        }
        assert_eq!((symbols.len(), calm.len()), (64, 64));
    }
}
