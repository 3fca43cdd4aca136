//! `gapless latency`: a replay on an engine with readers attached, timed leg by leg.

use crate::Exit;
use crate::args::LatencyArguments;
use crate::plot::{self, Line};
use gapless::engine::SourceState;
use gapless::latency::{Leg, Probe, Records, Report};
use gapless::replay::pace::Speed;
use gapless::{BookReader, Engine, Source, Wait};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde_json::json;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// Looks of a reader at its books between two looks at whether there are more.
const LOOKS: u32 = 4_096;
/// Time between two looks at which books there are.
const LOOK_EVERY: Duration = Duration::from_millis(2);

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
    let report = Report::new(records).with_readers(arguments.readers, &readers);
    if arguments.json {
        let mut all = report.json();
        all["type"] = json!("latency");
        all["wall_s"] = json!(wall_s);
        all["speed"] = match arguments.speed {
            Speed::Max => json!("max"),
            Speed::Factor(factor) => json!(factor),
        };
        println!("{all}");
    } else {
        print!("{report}");
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
        let start = |_| {
            let (sender, arrivals) = channel();
            (sender, scope.spawn(move || watch(&arrivals)))
        };
        let (senders, threads): (Vec<_>, Vec<_>) = (0..readers).map(start).unzip();
        let mut told = 0;
        // The engine is asked here, and not by the readers: what it takes to answer would be taken
        // for the time until they saw something.
        loop {
            let ended = !engine.status().iter().any(|of| of.state == SourceState::Running);
            let books = engine.books();
            for book in books.iter().skip(told) {
                let Ok(reader) = engine.book(&book.full_name()) else { continue };
                // Whoever has gone has panicked, and says so below.
                senders.iter().for_each(|sender| _ = sender.send(reader.clone()));
            }
            told = books.len();
            if ended {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        drop(senders);
        let mut all = Probe::new();
        for thread in threads {
            if let Ok(probe) = thread.join() {
                all.merge(&probe);
            }
        }
        all
    })
}

/// Looks at books as they arrive until nobody brings any more.
fn watch(arrivals: &Receiver<BookReader>) -> Probe {
    let mut probe = Probe::new();
    loop {
        match arrivals.try_recv() {
            Ok(reader) => probe.add(reader),
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) if probe.books() == 0 => {
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(TryRecvError::Empty) => {
                for _ in 0..LOOKS {
                    probe.look();
                    std::hint::spin_loop();
                }
            }
        }
    }
    probe.look();
    probe
}
