//! Contenders side by side: interleaved passes, a median per item, and answers compared.
//!
//! Invariant: every contender does the same items in the same order, in turns of the same length,
//! so what disturbs the machine disturbs all of them. The first pass is not timed: it warms up and
//! compares every answer.

use std::hint::black_box;
use std::sync::atomic::{Ordering::SeqCst, fence};
use std::time::Instant;

/// Something that is measured.
pub trait Contender {
    /// Its name in reports.
    fn name(&self) -> &str;

    /// A pass begins; untimed.
    fn reset(&mut self) {}

    /// An item comes next: its input is put where the contender wants it; untimed.
    fn prepare(&mut self, item: usize);

    /// The work; timed.
    fn run(&mut self, item: usize);

    /// What the work gave, as a hash; untimed.
    fn answer(&mut self, item: usize) -> u64;
}

/// How often, and in which turns.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Timed passes over all items.
    pub passes: usize,
    /// Items that one contender does before the next has its turn.
    pub turn: usize,
}

/// What one contender took.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Whose.
    pub name: String,
    /// Median over the passes, by item, ns, with the clock's own time in it; sorted.
    sorted: Vec<u32>,
    /// The clock's own time.
    overhead: f64,
    /// Every answer was that of the first contender.
    pub agrees: bool,
}

impl Timing {
    /// Mean of the items' medians, ns.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean_of(0..self.sorted.len())
    }

    /// A percentile of the items' medians, ns; `share` in 0..=1. Where a clock steps by 10 ns a
    /// single reading is coarse, so it is the mean of the twentieth of all items around it, or of
    /// as many as there are between it and the nearer end.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let at = ((last as f64 * share).round() as usize).min(last);
        let around = (self.sorted.len() / 40).min(at).min(last - at);
        self.mean_of(at - around..(at + around + 1).min(self.sorted.len()))
    }

    /// What some of the sorted items took on average; never less than half a nanosecond.
    fn mean_of(&self, items: std::ops::Range<usize>) -> f64 {
        let count = items.len().max(1) as f64;
        let sum: u64 = self.sorted[items].iter().map(|ns| u64::from(*ns)).sum();
        (sum as f64 / count - self.overhead).max(0.5)
    }

    fn of(name: &str, items: usize, passes: &[Vec<u32>], overhead: f64, agrees: bool) -> Self {
        let medians = (0..items).map(|item| {
            let mut all: Vec<u32> = passes.iter().map(|pass| pass[item]).collect();
            median(&mut all)
        });
        let mut sorted: Vec<u32> = medians.collect();
        sorted.sort_unstable();
        Self { name: name.to_owned(), sorted, overhead, agrees }
    }
}

fn median(values: &mut [u32]) -> u32 {
    let middle = values.len() / 2;
    if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
}

/// Measures all contenders on items `0..items`.
pub fn compare(
    contenders: &mut [Box<dyn Contender + '_>],
    items: usize,
    plan: Plan,
) -> Vec<Timing> {
    let agree = answers(contenders, items, plan.turn);
    let overhead = clock_overhead();
    let mut passes: Vec<Vec<Vec<u32>>> = vec![Vec::new(); contenders.len()];
    for _ in 0..plan.passes {
        let mut pass = vec![vec![0; items]; contenders.len()];
        turns(contenders, items, plan.turn, |index, contender, item| {
            contender.prepare(item);
            // What was copied is in the cache, not on its way there, when the clock starts.
            fence(SeqCst);
            let from = Instant::now();
            contender.run(black_box(item));
            pass[index][item] = u32::try_from(from.elapsed().as_nanos()).unwrap_or(u32::MAX);
        });
        for (all, one) in passes.iter_mut().zip(pass) {
            all.push(one);
        }
    }
    contenders
        .iter()
        .zip(passes.iter().zip(agree))
        .map(|(contender, (passes, agrees))| {
            Timing::of(contender.name(), items, passes, overhead, agrees)
        })
        .collect()
}

/// Whether each contender gives the first one's answers; warms all of them up.
fn answers(contenders: &mut [Box<dyn Contender + '_>], items: usize, turn: usize) -> Vec<bool> {
    let mut agree = vec![true; contenders.len()];
    let mut first = vec![0; items];
    turns(contenders, items, turn, |index, contender, item| {
        contender.prepare(item);
        contender.run(item);
        let answer = contender.answer(item);
        if index == 0 {
            first[item] = answer;
        }
        agree[index] &= first[item] == answer;
    });
    agree
}

/// One pass, in turns.
fn turns(
    contenders: &mut [Box<dyn Contender + '_>],
    items: usize,
    turn: usize,
    mut each: impl FnMut(usize, &mut dyn Contender, usize),
) {
    for start in (0..items).step_by(turn.max(1)) {
        for (index, contender) in contenders.iter_mut().enumerate() {
            if start == 0 {
                // Right before its turn: a rival that clears much memory would take its caches.
                contender.reset();
            }
            for item in start..items.min(start.saturating_add(turn)) {
                each(index, contender.as_mut(), item);
            }
        }
    }
}

/// What reading the clock twice takes, ns: part of every reading, and taken off it. The slowest
/// tenth of the readings, which something else disturbed, is left out.
#[must_use]
pub fn clock_overhead() -> f64 {
    let mut empty: Vec<u32> = (0..20_000)
        .map(|_| {
            fence(SeqCst);
            let from = Instant::now();
            black_box(0);
            from.elapsed().as_nanos() as u32
        })
        .collect();
    empty.sort_unstable();
    let calm = &empty[..empty.len() / 10 * 9];
    calm.iter().map(|ns| f64::from(*ns)).sum::<f64>() / calm.len() as f64
}

/// The median of some readings, 0 if there is none.
#[must_use]
pub fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo(&'static str, u64);

    impl Contender for Echo {
        fn name(&self) -> &str {
            self.0
        }
        fn prepare(&mut self, _: usize) {}
        fn run(&mut self, _: usize) {}
        fn answer(&mut self, item: usize) -> u64 {
            item as u64 * self.1
        }
    }

    #[test]
    fn one_wrong_answer_is_seen_and_is_the_wrong_one_s() {
        let plan = Plan { passes: 1, turn: 2 };
        let mut contenders: Vec<Box<dyn Contender>> =
            vec![Box::new(Echo("a", 1)), Box::new(Echo("b", 1)), Box::new(Echo("c", 2))];
        let timings = compare(&mut contenders, 5, plan);
        let agrees: Vec<bool> = timings.iter().map(|timing| timing.agrees).collect();
        assert_eq!(agrees, [true, true, false]);
    }

    #[test]
    fn percentiles_are_of_the_medians() {
        let passes = [vec![9, 1, 5], vec![7, 1, 500], vec![8, 1, 6]];
        let timing = Timing::of("x", 3, &passes, 0.0, true);
        assert_eq!(timing.mean(), (8.0 + 1.0 + 6.0) / 3.0);
        assert_eq!(timing.percentile(0.5), 6.0);
        assert_eq!(timing.percentile(1.0), 8.0);
    }

    #[test]
    fn the_clock_s_own_time_is_taken_off() {
        let timing = Timing::of("x", 2, &[vec![30, 50]], 20.0, true);
        assert_eq!(timing.mean(), 20.0);
        assert_eq!(timing.percentile(1.0), 30.0);
    }
}
