//! `gapless latency`: a replay on an engine with readers attached, timed leg by leg.

use crate::Exit;
use crate::args::LatencyArguments;
use crate::plot::{self, Line};
use gapless::engine::SourceState;
use gapless::latency::{Leg, Probe, Records};
use gapless::replay::pace::Speed;
use gapless::{Engine, Source, Wait};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks of a reader between two looks at what the engine does.
const LOOKS: u32 = 4_096;
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Runs the command.
pub fn run(arguments: &LatencyArguments) -> Result<Exit, String> {
    let source = Source::replay(arguments.inputs.clone()).speed(arguments.speed);
    // Sleeping would be most of what is measured.
    let mut engine = Engine::builder().source(source).idle(Wait::Spin).build();
    engine.measure(true);
    let begun = Instant::now();
    engine.start().map_err(|error| error.to_string())?;
    let readers = read(&engine, arguments.readers);
    let wall_s = begun.elapsed().as_secs_f64();
    let failed = engine.status().into_iter().flat_map(|source| source.errors);
    let failed = failed.map(|error| eprintln!("gapless: {error}")).count() > 0;
    let records = engine.latency().ok_or("nothing was timed")?;
    if arguments.json {
        println!("{}", summary(records, &readers, arguments, wall_s));
    } else {
        print!("{}", table(records, &readers, arguments));
    }
    if let Some(path) = &arguments.svg {
        let legs = Leg::ALL.iter().filter(|leg| !records.leg(**leg).is_empty());
        let line = |leg: &Leg| {
            let times = records.leg(*leg);
            Line::new(leg.name(), |quantile| times.value_at_quantile(quantile))
        };
        let lines: Vec<_> = legs.map(line).collect();
        plot::write_lines(path, &lines)?;
    }
    if let Some(path) = &arguments.hlog {
        write_log(path, records, begun.elapsed())
            .map_err(|error| format!("{}: cannot write the log: {error}", path.display()))?;
    }
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

/// Writes each leg as one interval of a log that other tools read. Signed times are left out: the
/// format has none.
fn write_log(path: &Path, records: &Records, took: Duration) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("gapless latency: ns");
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    for leg in Leg::ALL {
        let times = records.leg(leg);
        if !times.is_empty() {
            let written = log.write_histogram(times, Duration::ZERO, took, Tag::new(leg.name()));
            written.map_err(|error| format!("{error:?}"))?;
        }
    }
    Ok(out.flush()?)
}

/// Readers on threads of their own until every source has ended; what they saw together.
fn read(engine: &Engine, readers: usize) -> Probe {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(|| watch(engine))).collect();
        engine.join();
        let mut all = Probe::new();
        for thread in threads {
            if let Ok(probe) = thread.join() {
                all.merge(&probe);
            }
        }
        all
    })
}

fn watch(engine: &Engine) -> Probe {
    let mut probe = Probe::new();
    while engine.status().iter().any(|source| source.state == SourceState::Running) {
        let books = engine.books();
        for book in books.iter().skip(probe.books()) {
            if let Ok(reader) = engine.book(&book.full_name()) {
                probe.add(reader);
            }
        }
        if probe.books() == 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        for _ in 0..LOOKS {
            probe.look();
            std::hint::spin_loop();
        }
    }
    probe.look();
    probe
}

fn table(records: &Records, readers: &Probe, arguments: &LatencyArguments) -> String {
    let mut out = String::new();
    let _ = write!(out, "{:<12}{:>12}", "ns", "count");
    QUANTILES.iter().for_each(|(name, _)| _ = write!(out, "{name:>14}"));
    out.push('\n');
    let mut row = |name: &str, count: u64, at: &dyn Fn(f64) -> i64| {
        if count > 0 {
            let _ = write!(out, "{name:<12}{count:>12}");
            QUANTILES.iter().for_each(|(_, quantile)| _ = write!(out, "{:>14}", at(*quantile)));
            out.push('\n');
        }
    };
    let venue = records.venue();
    row("venue", venue.count(), &|quantile| venue.value_at_quantile(quantile));
    for leg in Leg::ALL {
        let times = records.leg(leg);
        let at = |quantile| i64::try_from(times.value_at_quantile(quantile)).unwrap_or(i64::MAX);
        row(leg.name(), times.len(), &at);
    }
    let read = readers.times();
    row("read", read.count(), &|quantile| read.value_at_quantile(quantile));
    for note in notes(records, readers, arguments) {
        let _ = writeln!(out, "{note}");
    }
    out
}

/// What must be known to understand the figures.
fn notes(records: &Records, readers: &Probe, arguments: &LatencyArguments) -> Vec<String> {
    let mut notes = vec![
        format!(
            "venue: between two clocks, from the venue's time to the recorded receipt; {} of {} \
             are negative",
            records.venue().negative(),
            records.venue().count()
        ),
        if records.is_corrected() {
            "from_due: corrected for coordinated omission; a frame that had to wait is charged for \
             it"
            .to_owned()
        } else {
            "not corrected for coordinated omission: at full speed nothing is due, these are \
             service times"
                .to_owned()
        },
    ];
    if arguments.readers > 0 {
        notes.push(format!(
            "read: {} readers saw {} of {} publications; those written over before are not timed",
            arguments.readers,
            readers.seen(),
            readers.sent()
        ));
    }
    notes.push(format!("measuring adds {} ns to a message", records.overhead_ns()));
    notes
}

fn summary(records: &Records, readers: &Probe, arguments: &LatencyArguments, wall_s: f64) -> Value {
    let quantiles = |count: u64, at: &dyn Fn(f64) -> Value| -> Value {
        let mut row = Map::new();
        row.insert("count".to_owned(), json!(count));
        for (name, quantile) in QUANTILES {
            row.insert(name.to_owned(), at(quantile));
        }
        Value::Object(row)
    };
    let legs = Leg::ALL.iter().map(|leg| {
        let times = records.leg(*leg);
        let at = |quantile| json!(times.value_at_quantile(quantile));
        (leg.name().to_owned(), quantiles(times.len(), &at))
    });
    let (venue, read) = (records.venue(), readers.times());
    let speed = match arguments.speed {
        Speed::Max => json!("max"),
        Speed::Factor(factor) => json!(factor),
    };
    json!({
        "type": "latency",
        "speed": speed,
        "wall_s": wall_s,
        "corrected": records.is_corrected(),
        "overhead_ns": records.overhead_ns(),
        "legs_ns": legs.collect::<Map<_, _>>(),
        "venue_ns": quantiles(venue.count(), &|quantile| json!(venue.value_at_quantile(quantile))),
        "venue_negative": venue.negative(),
        "read_ns": quantiles(read.count(), &|quantile| json!(read.value_at_quantile(quantile))),
        "readers": arguments.readers,
        "publications_seen": readers.seen(),
        "publications_sent": readers.sent(),
    })
}
