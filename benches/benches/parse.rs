//! One frame in a hot buffer to integers; ids are `parse/venue/recording/contender`.
//!
//! Boundary: the frame is in the receive buffer before the clock starts; it is read when every
//! price and size is an integer at its symbol's scale. Answers are compared before measuring.

use criterion::Criterion;
use gapless_benches::frames::{BookFrame, Frames};
use gapless_benches::rows::parsers;
use gapless_benches::{passes, workload::Catalog};
use gapless_venues::kernel::Isa;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    criterion.final_summary();
}

fn parse(criterion: &mut Criterion) {
    let catalog = Catalog::find().expect("the recordings can be read");
    for entry in &catalog.entries {
        let workload = entry.load().expect("a recording can be opened");
        let frames = Frames::of(&workload);
        let all: Vec<&BookFrame> = frames.all.iter().collect();
        let (mut contenders, _) = parsers(&workload, &frames, &all, &[Isa::detect()]);
        passes::bench(criterion, &format!("parse/{}", entry.name), &mut contenders, all.len());
    }
}
