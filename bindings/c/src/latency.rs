//! How long each stage of an engine's messages takes.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure};
use crate::handles;
use crate::types::{gapless_engine, gapless_status};
use gapless::latency::{Leg, Records, Report};
use std::ffi::c_char;

/// The report as a table for people.
pub const GAPLESS_REPORT_TABLE: u32 = 0;
/// The report as one JSON object.
pub const GAPLESS_REPORT_JSON: u32 = 1;

/// What was recorded until it was asked for. Free it with gapless_latency_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_latency {
    /// 0 is never given out.
    pub id: u64,
}

/// A part of the way of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum gapless_stage {
    /// From the venue's time of a message to its receipt: between two clocks, may be negative.
    Venue = 0,
    /// From the time at which a recording's frame was due to the frame; paced sources only.
    Late = 1,
    /// From the frame, whole, to the event.
    Parse = 2,
    /// From the event to the sequencer's verdict.
    Sequence = 3,
    /// From the verdict to the finished book.
    Apply = 4,
    /// From the finished book to its publication.
    Publish = 5,
    /// From the frame to its publication.
    Whole = 6,
    /// From the time at which the frame was due to its publication: corrected for coordinated
    /// omission; paced sources only.
    FromDue = 7,
}

/// The times of a stage, ns; all 0 if there are none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct gapless_times {
    /// How many there are.
    pub count: u64,
    /// How many are negative.
    pub negative: u64,
    /// The median.
    pub p50_ns: i64,
    /// 90th percentile.
    pub p90_ns: i64,
    /// 99th percentile.
    pub p99_ns: i64,
    /// 99.9th percentile.
    pub p999_ns: i64,
    /// The longest.
    pub max_ns: i64,
}

const _: () = assert!(size_of::<gapless_times>() == 56);

/// Times every message of an engine from now on, or no more if `on` is 0; what was recorded before
/// is forgotten. It adds some 100 ns to a message (the report says how much), and takes 2 MiB for
/// each thread of the engine.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_measure(engine: gapless_engine, on: u8) -> gapless_status {
    boundary::call(|| {
        handles::with_engine_alone(engine, |engine| {
            engine.measure(on != 0);
            Ok(())
        })
    })
}

/// Takes a copy of what was recorded since gapless_engine_measure(), also over restarts, from all
/// threads of the engine. GAPLESS_STATUS_NOT_MEASURED if nothing is timed. `*latency` is the
/// caller's, to be freed once; it does not change and outlives the engine.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_latency(
    engine: gapless_engine,
    latency: *mut gapless_latency,
) -> gapless_status {
    handles::made(latency, || {
        handles::with_engine_alone(engine, |engine| {
            let records = engine.latency().ok_or(gapless_status::NotMeasured)?;
            Ok(Box::new(records.clone()))
        })
    })
}

/// Writes how many times of a stage (a gapless_stage) there are, and their percentiles.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_latency_times(
    latency: gapless_latency,
    stage: u32,
    times: *mut gapless_times,
) -> gapless_status {
    boundary::answer(times, || {
        handles::with(latency, |records| {
            let stage = Stage::of(stage)?;
            let at = |quantile| stage.value_at_quantile(records, quantile);
            Ok(gapless_times {
                count: stage.count(records),
                negative: stage.negative(records),
                p50_ns: at(0.5),
                p90_ns: at(0.9),
                p99_ns: at(0.99),
                p999_ns: at(0.999),
                max_ns: at(1.0),
            })
        })
    })
}

/// Writes the time of a stage (a gapless_stage) at a quantile, 0 to 1, in ns; 0 if there are none.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_latency_quantile(
    latency: gapless_latency,
    stage: u32,
    quantile: f64,
    time_ns: *mut i64,
) -> gapless_status {
    boundary::answer(time_ns, || {
        handles::with(latency, |records| {
            let stage = Stage::of(stage)?;
            if !(0.0..=1.0).contains(&quantile) {
                return Err(gapless_status::InvalidArgument.into());
            }
            Ok(stage.value_at_quantile(records, quantile))
        })
    })
}

/// Copies the report, in a form that is one of GAPLESS_REPORT_, into `buffer` and writes its length
/// to `length`; no zero is added. It says beside the times what measuring adds to a message, and
/// whether coordinated omission is corrected. GAPLESS_STATUS_TOO_SMALL if it does not fit: `length`
/// says what is needed.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_latency_report(
    latency: gapless_latency,
    form: u32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::say(buffer, capacity, length, || {
        handles::with(latency, |records| {
            let report = Report::new(records);
            match form {
                GAPLESS_REPORT_TABLE => Ok(report.to_string()),
                GAPLESS_REPORT_JSON => Ok(report.json().to_string()),
                _ => Err(gapless_status::InvalidArgument.into()),
            }
        })
    })
}

/// Frees it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_latency_free(latency: gapless_latency) -> gapless_status {
    boundary::call(|| handles::free(latency))
}

/// A stage that C has named.
#[derive(Clone, Copy)]
enum Stage {
    Venue,
    Of(Leg),
}

impl Stage {
    fn of(code: u32) -> Result<Self, Failure> {
        let leg = |at: u32| Leg::ALL.get(at as usize).map(|leg| Self::Of(*leg));
        let stage = code.checked_sub(1).map_or(Some(Self::Venue), leg);
        stage.ok_or_else(|| gapless_status::InvalidArgument.into())
    }

    fn count(self, records: &Records) -> u64 {
        match self {
            Self::Venue => records.venue().count(),
            Self::Of(leg) => records.leg(leg).len(),
        }
    }

    fn negative(self, records: &Records) -> u64 {
        match self {
            Self::Venue => records.venue().negative(),
            Self::Of(_) => 0,
        }
    }

    fn value_at_quantile(self, records: &Records, quantile: f64) -> i64 {
        match self {
            Self::Venue => records.venue().value_at_quantile(quantile),
            Self::Of(leg) => records.value_at_quantile(leg, quantile),
        }
    }
}

const _: () = assert!(gapless_stage::FromDue as usize == Leg::ALL.len());
const _: () = assert!(gapless_stage::Parse as usize == Leg::Parse as usize + 1);
