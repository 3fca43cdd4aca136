//! One message of numbers made beforehand to a changed book and its best prices; ids are
//! `apply/venue/recording/contender`. What every book holds at the end is compared first.

use criterion::Criterion;
use gapless_benches::book_rows::containers;
use gapless_benches::numbers::Numbers;
use gapless_benches::{passes, workload::Catalog};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    apply(&mut criterion);
    criterion.final_summary();
}

fn apply(criterion: &mut Criterion) {
    let catalog = Catalog::find().expect("the recordings can be read");
    for entry in catalog.entries.iter().filter(|entry| entry.venue.starts_with("binance")) {
        let numbers = Numbers::of(&entry.load().expect("a recording can be opened"));
        let items = numbers.deltas.len();
        let name = format!("apply/{}", entry.name);
        passes::bench(criterion, &name, &mut containers(&numbers), items);
    }
}
