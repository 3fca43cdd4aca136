//! Rows E1, E2 and B5: whole paths from a frame to a published top of the book.

use crate::feed::{Feed, Ours, Rival, SonicBTree};
use crate::measure::{Contender, Plan, Timing, compare};
use crate::rows::{ISAS, Line, Measured, Options, isa};
use crate::workload::Workload;
use gapless_venues::kernel::Isa;

/// Books of a crowd.
const CROWD: usize = 2_000;
/// Deltas of each book in a crowd.
const CROWD_DELTAS: usize = 8;
/// Passes over the few deltas of a crowd of one, for as many as a large crowd has readings.
const ALONE_PASSES: usize = 201;

/// Rivals of E2 whose builds are heavy: feature, name, whether this build has them.
const HEAVY: [(&str, &str, bool); 2] = [
    ("nautilus", "nautilus-model", cfg!(feature = "nautilus")),
    ("barter", "barter-data", cfg!(feature = "barter")),
];

/// Rows E1 and E2 of a workload.
pub fn end_to_end(workload: &Workload, options: &Options, out: &mut Vec<Line>) {
    let wanted = ["E1", "E2"].iter().any(|row| options.wants(row));
    if !wanted || workload.venue != "binance_usdm" {
        return;
    }
    let feed = Feed::of(workload);
    let known: Vec<Isa> = ISAS.iter().filter_map(|name| isa(name)).collect();
    let mut contenders = paths(&feed, &known);
    // A turn is a whole pass: a book that lost its caches to the others would not be measured.
    let plan = Plan { passes: options.passes, turn: feed.len() };
    let timings = compare(&mut contenders, feed.len(), plan);
    let (ours, rivals) = timings.split_at(known.len());
    for name in ISAS {
        let at = known.iter().position(|isa| isa.name() == name);
        let line = |goal, rival: &str, result| Line {
            goal,
            stage: "pipeline",
            workload: workload.name.clone(),
            isa: name.to_owned(),
            rival: rival.to_owned(),
            binding: true,
            result,
        };
        for (goal, rival) in ["E1", "E2", "E2"].into_iter().zip(rivals) {
            let result = match at {
                Some(at) => Ok(Measured::worse(&ours[at], rival)),
                None => Err(format!("no {name} on this machine or in this build")),
            };
            out.push(line(goal, &rival.name, result));
        }
        for (feature, rival, built) in HEAVY {
            if !built {
                let reason = format!("built only with --features {feature}");
                out.push(line("E2", rival, Err(reason)));
            }
        }
    }
}

/// Our path on each instruction set, then the rivals'.
#[must_use]
pub fn paths<'w>(feed: &'w Feed, isas: &[Isa]) -> Vec<Box<dyn Contender + 'w>> {
    let ours = |isa: &Isa| -> Box<dyn Contender + 'w> { Box::new(Ours::new(feed, *isa)) };
    let mut all: Vec<Box<dyn Contender + 'w>> = isas.iter().map(ours).collect();
    all.push(Box::new(Rival::<SonicBTree>::new(feed)));
    #[cfg(feature = "nautilus")]
    all.push(Box::new(Rival::<crate::rival::nautilus::Nautilus>::new(feed)));
    #[cfg(feature = "barter")]
    all.push(Box::new(Rival::<crate::rival::barter::Barter>::new(feed)));
    all
}

/// What is taken of a timing.
type Value = fn(&Timing) -> f64;

/// Row B5: a long recording of one symbol becomes a crowd.
pub fn crowd(workload: &Workload, options: &Options, out: &mut Vec<Line>) {
    if !options.wants("B5") || workload.venue != "binance_usdm" {
        return;
    }
    let feed = Feed::of(workload);
    let crowds = feed.crowd(1, CROWD_DELTAS).zip(feed.crowd(CROWD, CROWD_DELTAS));
    let Some((one, many)) = crowds else { return };
    let alone = measured(&one, ALONE_PASSES);
    let crowded = measured(&many, options.passes.min(5));
    let ([our_one, their_one], [our_many, their_many]) = (alone.as_slice(), crowded.as_slice())
    else {
        return;
    };
    let agree = [our_one, their_one, our_many, their_many].iter().all(|timing| timing.agrees);
    let worst = |found: [Measured; 2]| {
        let [mean, p50] = found;
        if mean.ratio() <= p50.ratio() { mean } else { p50 }
    };
    let both: [(&'static str, Value); 2] =
        [("mean", Timing::mean), ("p50", |timing| timing.percentile(0.5))];
    let of = |statistic, ours, rival| Measured { ours, rival, statistic, unit: "ns", agree };
    let own = both.map(|(name, value)| of(name, value(our_many), value(our_one)));
    // What ours would take if a crowd cost it what it costs the BTreeMaps.
    let grown = both.map(|(name, value)| {
        let growth = value(their_many) / value(their_one);
        of(name, value(our_many), value(our_one) * growth)
    });
    let line = |goal, rival: &str, found| Line {
        goal,
        stage: "pipeline",
        workload: workload.name.clone(),
        isa: "any".to_owned(),
        rival: rival.to_owned(),
        binding: true,
        result: Ok(found),
    };
    out.push(line("B5", "itself with 1 book", worst(own)));
    out.push(line("B5_growth", "growth of sonic-rs + BTreeMap", worst(grown)));
}

fn measured(feed: &Feed, passes: usize) -> Vec<Timing> {
    let plan = Plan { passes, turn: feed.len() };
    let mut contenders = paths(feed, &[Isa::detect()]);
    contenders.truncate(2);
    compare(&mut contenders, feed.len(), plan)
}
