//! One writer and one busy reader on two cores, for anything that shows the newest value.
//!
//! The writer publishes at a pace, times each publication and stamps it; the reader looks without
//! a pause and notes when it first sees a stamp. Invariant: a run that saw fewer than
//! [`SEEN_MIN`] of the updates is void, because a reader that is not running makes a writer fast.

use crate::measure::clock_overhead;
use core_affinity::CoreId;
use crossbeam_utils::CachePadded;
use std::hint::{black_box, spin_loop};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Least share of the updates that the reader must have seen.
pub const SEEN_MIN: f64 = 0.95;
/// Time between publications.
const PACE_NS: u64 = 1_200;
/// Publications before the first that counts.
const WARM: usize = 2_000;
/// Round trips of a measurement.
const ROUND_TRIPS: u64 = 20_000;

/// The writer's end of something published.
pub trait Shows: Send {
    /// Makes update `number` seen, with the time at which that began.
    fn show(&mut self, number: usize, stamp_ns: u64);

    /// Prepares an update; untimed.
    fn prepare(&mut self, _number: usize) {}
}

/// The reader's end.
pub trait Sees: Send {
    /// The stamp of the newest update that can be seen, if a look finds one.
    fn look(&mut self) -> Option<u64>;
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Typical time of a publication, ns: the mean of the middle half of all.
    pub publish_ns: f64,
    /// The same from the beginning of a publication until the reader had it.
    pub visible_ns: f64,
    /// Time for a word to go to the other core and be answered, right after the publications, ns.
    /// A host moves its virtual cores nearer to each other and farther apart.
    pub round_trip_ns: f64,
    /// Share of the updates that the reader saw.
    pub seen: f64,
}

/// Publishes so many updates to a busy reader.
pub fn run(mut writer: impl Shows, mut reader: impl Sees, updates: usize) -> Run {
    let (begin, stop) = (Instant::now(), AtomicBool::new(false));
    let overhead = clock_overhead();
    let now = || begin.elapsed().as_nanos() as u64;
    let (mut spent, seen) = std::thread::scope(|scope| {
        let (stop, now) = (&stop, &now);
        let seen = scope.spawn(move || {
            pin(0);
            let (mut last, mut seen) = (0, Vec::with_capacity(updates + WARM));
            while !stop.load(Ordering::Relaxed) {
                match reader.look() {
                    Some(stamp) if stamp != last => {
                        seen.push(now().saturating_sub(stamp) as u32);
                        last = stamp;
                    }
                    _ => spin_loop(),
                }
            }
            seen
        });
        let spent = scope.spawn(move || {
            pin(1);
            let spent = write(&mut writer, updates + WARM, now);
            stop.store(true, Ordering::Relaxed);
            spent
        });
        (spent.join().expect("the writer"), seen.join().expect("the reader"))
    });
    let share = seen.len() as f64 / spent.len() as f64;
    let middle = |mut ns: Vec<u32>| {
        ns.drain(..WARM.min(ns.len() / 2));
        (midmean(ns) - overhead).max(0.5)
    };
    let publish_ns = middle(std::mem::take(&mut spent));
    let (visible_ns, round_trip_ns) = (middle(seen), round_trip());
    Run { publish_ns, visible_ns, round_trip_ns, seen: share.min(1.0) }
}

/// Mean of the middle half. The clock steps by 10 ns, so that a median says 10 or 20.
fn midmean(mut values: Vec<u32>) -> f64 {
    values.sort_unstable();
    let quarter = values.len() / 4;
    let middle = &values[quarter..values.len() - quarter];
    middle.iter().map(|ns| f64::from(*ns)).sum::<f64>() / middle.len().max(1) as f64
}

fn write(writer: &mut impl Shows, updates: usize, now: &impl Fn() -> u64) -> Vec<u32> {
    let mut spent = Vec::with_capacity(updates);
    for number in 0..updates {
        writer.prepare(number);
        let due = now() + PACE_NS;
        while now() < due {
            spin_loop();
        }
        let from = now();
        writer.show(black_box(number), from);
        spent.push((now() - from) as u32);
    }
    spent
}

fn round_trip() -> f64 {
    let word = || CachePadded::new(AtomicU64::new(0));
    let (ping, pong) = (word(), word());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(0);
            for turn in 1..=ROUND_TRIPS {
                while ping.load(Ordering::Acquire) != turn {}
                pong.store(turn, Ordering::Release);
            }
        });
        let asking = scope.spawn(|| {
            pin(1);
            let from = Instant::now();
            for turn in 1..=ROUND_TRIPS {
                ping.store(turn, Ordering::Release);
                while pong.load(Ordering::Acquire) != turn {}
            }
            from.elapsed().as_nanos() as f64 / ROUND_TRIPS as f64
        });
        asking.join().expect("a thread that asks")
    })
}

/// Two threads that wait for each other must not share a core; without this the system may put
/// them on one for as long as others are busy.
fn pin(core: usize) {
    // Asked for before any thread is pinned: a thread inherits its parent's cores.
    static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();
    let cores = CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default());
    if let Some(core) = cores.get(core) {
        core_affinity::set_for_current(*core);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_is_what_counts() {
        assert_eq!(midmean(vec![900, 30, 40, 1]), 35.0);
        assert_eq!(midmean(vec![7]), 7.0);
    }
}
