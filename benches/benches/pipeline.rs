//! A frame in a hot buffer to a published top 20: parsed, sequenced, applied, published. No socket,
//! no thread, no clock; ids are `pipeline/venue/recording/contender`. Every published top is
//! compared first.

use criterion::Criterion;
use gapless_benches::end_rows::paths;
use gapless_benches::feed::Feed;
use gapless_benches::{passes, workload::Catalog};
use gapless_venues::kernel::Isa;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    pipeline(&mut criterion);
    criterion.final_summary();
}

fn pipeline(criterion: &mut Criterion) {
    let catalog = Catalog::find().expect("the recordings can be read");
    for entry in catalog.entries.iter().filter(|entry| entry.venue == "binance_usdm") {
        let feed = Feed::of(&entry.load().expect("a recording can be opened"));
        let name = format!("pipeline/{}", entry.name);
        passes::bench(criterion, &name, &mut paths(&feed, &[Isa::detect()]), feed.len());
    }
}
