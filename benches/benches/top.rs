//! The forms of the top, stored and read on one core by criterion, then between two cores:
//! `cargo bench -p gapless-benches --bench top`.

use criterion::{Criterion, criterion_group};
use gapless_benches::top_forms::{First, Form, Line, Pair, content, ends};
use gapless_benches::two_cores::{self, SEEN_MIN};
use std::hint::black_box;

fn on_one_core<F: Form>(criterion: &mut Criterion) {
    let form = F::default();
    let mut number = 0_u64;
    criterion.bench_function(&format!("{}: store", F::NAME), |bencher| {
        bencher.iter(|| {
            form.store(number, black_box(&content(number as usize, number)));
            number += 1;
        });
    });
    criterion.bench_function(&format!("{}: read", F::NAME), |bencher| {
        bencher.iter(|| black_box(form.load()));
    });
}

fn forms(criterion: &mut Criterion) {
    on_one_core::<Pair>(criterion);
    on_one_core::<First>(criterion);
    on_one_core::<Line>(criterion);
}

/// Interleaved, so that what disturbs one disturbs the others.
fn between_two_cores() {
    for _ in 0..5 {
        look_on::<Pair>();
        look_on::<First>();
        look_on::<Line>();
    }
}

fn look_on<F: Form>() {
    const UPDATES: usize = 50_000;
    let (writer, looker) = ends::<F>();
    let two_cores::Run { publish_ns, visible_ns, round_trip_ns, seen } =
        two_cores::run(writer, looker, UPDATES);
    let void = if seen < SEEN_MIN { ", VOID" } else { "" };
    let (name, seen) = (F::NAME, seen * 100.0);
    println!(
        "{name}: stored in {publish_ns:.1} ns, seen after {visible_ns:.0} ns, round trip \
         {round_trip_ns:.0} ns, {seen:.0} % seen{void}"
    );
}

criterion_group!(benches, forms);

fn main() {
    benches();
    between_two_cores();
    Criterion::default().configure_from_args().final_summary();
}
