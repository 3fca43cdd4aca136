//! Contenders as criterion benches: an iteration is one item, in passes from the first to the last.
//!
//! Invariant: the answers were compared before anything is reported; a wrong one ends the bench.

use crate::measure::{Contender, Plan, compare};
use criterion::{Criterion, Throughput};
use std::time::{Duration, Instant};

/// Benches every contender on items `0..items` under `name`.
///
/// # Panics
/// A contender's answers are not the first one's.
pub fn bench(
    criterion: &mut Criterion,
    name: &str,
    contenders: &mut [Box<dyn Contender + '_>],
    items: usize,
) {
    let timings = compare(contenders, items, Plan { passes: 0, turn: items });
    for timing in &timings {
        assert!(timing.agrees, "{name}: {} gives other answers", timing.name);
    }
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    for (index, contender) in contenders.iter_mut().enumerate() {
        let id = format!("{index} {}", contender.name());
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|count| run(contender.as_mut(), items, count));
        });
    }
    group.finish();
}

fn run(contender: &mut dyn Contender, items: usize, count: u64) -> Duration {
    let mut took = Duration::ZERO;
    for turn in 0..count {
        let item = (turn % items.max(1) as u64) as usize;
        if item == 0 {
            contender.reset();
        }
        contender.prepare(item);
        let from = Instant::now();
        contender.run(item);
        took += from.elapsed();
    }
    took
}
