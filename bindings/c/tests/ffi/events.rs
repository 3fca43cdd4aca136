//! Subscriptions: polled, given to functions that behave badly, used from other threads.

use gapless_c::engine::*;
use gapless_c::event::*;
use gapless_c::events::*;
use gapless_c::text::*;
use gapless_c::types::*;
use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

const OK: gapless_status = gapless_status::Ok;
const TRADES: u32 = 1 << gapless_topic::Trades as u32;
const STATES: u32 = 1 << gapless_topic::States as u32;
const LONG_NS: u64 = 20_000_000_000;

/// An engine that has not begun, of the samples of one venue.
fn engine() -> gapless_engine {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/okx.cap.zst");
    let text = format!(r#"{{"sources":[{{"replay":["{sample}"]}}]}}"#);
    let mut engine = gapless_engine::default();
    let built = gapless_engine_build(text.as_ptr().cast(), text.len(), &raw mut engine);
    assert_eq!(built, OK);
    engine
}

fn subscribe(engine: gapless_engine, topics: u32, capacity: usize, slow: u32) -> gapless_events {
    let mut events = gapless_events::default();
    let names = c"".as_ptr();
    let made = gapless_engine_subscribe(engine, topics, names, 0, capacity, slow, &raw mut events);
    assert_eq!(made, OK);
    events
}

fn next(events: gapless_events) -> (gapless_status, Option<gapless_event>) {
    let mut event = MaybeUninit::<gapless_event>::uninit();
    // The body is not looked at here: C does that.
    let status = gapless_events_next(events, LONG_NS, event.as_mut_ptr());
    (status, None)
}

/// The same events, as Rust is given them.
fn expected(topics: &[gapless::events::Topic]) -> u64 {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/okx.cap.zst");
    let source = gapless::Source::replay([sample]);
    let mut engine = gapless::Engine::builder().source(source).build();
    let interest = gapless::engine::Interest::in_topics(topics.iter().copied()).with_irregular();
    let mut events = engine.subscribe(&interest.capacity(1 << 16)).unwrap();
    engine.start().unwrap();
    let mut count = 0;
    while events.next().is_ok() {
        count += 1;
    }
    count
}

#[test]
fn every_event_is_given_to_who_subscribes_before_the_engine_begins() {
    let engine = engine();
    let both = subscribe(engine, TRADES | STATES, 1 << 16, GAPLESS_SLOW_DROP_OLDEST);
    assert_eq!(gapless_engine_restart(engine), OK);
    // Another thread than made it.
    let count = std::thread::spawn(move || {
        let mut count = 0;
        while next(both).0 == OK {
            count += 1;
        }
        count
    });
    let count = count.join().unwrap();
    assert_eq!(next(both).0, gapless_status::Ended);
    assert_eq!(count, expected(&[gapless::events::Topic::Trades, gapless::events::Topic::States]));
    assert!(count > 10);
    let mut counts = gapless_event_counts::default();
    assert_eq!(gapless_events_counts(both, &raw mut counts), OK);
    assert_eq!((counts.received, counts.missed, counts.replaced), (count, 0, 0));
    let (mut name, mut length) = ([0 as c_char; 64], 0);
    let named = gapless_events_name(both, 0, name.as_mut_ptr(), name.len(), &raw mut length);
    assert_eq!(named, OK);
    let name: Vec<u8> = name[..length].iter().map(|byte| *byte as u8).collect();
    assert!(name.starts_with(b"okx:"), "{}", String::from_utf8_lossy(&name));
    let none = gapless_events_name(both, u32::MAX, null_mut(), 0, &raw mut length);
    assert_eq!(none, gapless_status::NoSuchBook);
    assert_eq!(gapless_engine_free(engine), OK);
    assert_eq!(next(both).0, gapless_status::Ended, "outlives its engine");
    assert_eq!(gapless_events_free(both), OK);
    assert_eq!(next(both).0, gapless_status::InvalidHandle);
}

static CALLS: AtomicU64 = AtomicU64::new(0);

extern "C-unwind" fn counts(event: *const gapless_event, _: *mut c_void) -> i32 {
    assert!(!event.is_null());
    CALLS.fetch_add(1, Ordering::Relaxed);
    0
}

extern "C-unwind" fn stops(_: *const gapless_event, _: *mut c_void) -> i32 {
    -1
}

extern "C-unwind" fn panics(_: *const gapless_event, _: *mut c_void) -> i32 {
    panic!("on purpose")
}

extern "C-unwind" fn frees(_: *const gapless_event, user: *mut c_void) -> i32 {
    let events = gapless_events { id: user as u64 };
    assert_eq!(gapless_events_free(events), OK);
    assert_eq!(gapless_events_free(events), gapless_status::InvalidHandle);
    0
}

#[test]
fn a_function_that_panics_stops_or_frees_what_it_is_called_for_does_no_harm() {
    let engine = engine();
    let events = subscribe(engine, TRADES, 1 << 16, GAPLESS_SLOW_DROP_OLDEST);
    assert_eq!(gapless_engine_restart(engine), OK);
    let user = events.id as usize as *mut c_void;
    let none = gapless_events_run(events, LONG_NS, None, user);
    assert_eq!(none, gapless_status::InvalidPointer);
    assert_eq!(gapless_events_run(events, LONG_NS, Some(stops), user), OK);
    let told = gapless_events_run(events, LONG_NS, Some(panics), user);
    assert_eq!(told, gapless_status::Internal);
    let (mut words, mut length) = ([0 as c_char; 200], 0);
    assert_eq!(gapless_last_error(words.as_mut_ptr(), 200, &raw mut length), OK);
    assert!(length > 0);
    let freed = gapless_events_run(events, LONG_NS, Some(frees), user);
    assert_eq!(freed, gapless_status::InvalidHandle);
    // The engine and others of its subscribers go on.
    let again = subscribe(engine, TRADES, 1 << 16, GAPLESS_SLOW_DROP_OLDEST);
    assert_eq!(gapless_engine_restart(engine), OK);
    let ran = gapless_events_run(again, LONG_NS, Some(counts), null_mut());
    assert_eq!(ran, gapless_status::Ended);
    assert_eq!(CALLS.load(Ordering::Relaxed), expected(&[gapless::events::Topic::Trades]));
    assert_eq!(gapless_events_free(again), OK);
    assert_eq!(gapless_engine_free(engine), OK);
}

extern "C" fn next_of(events: gapless_events) -> gapless_status {
    next(events).0
}

extern "C" fn run_of(events: gapless_events) -> gapless_status {
    gapless_events_run(events, LONG_NS, Some(counts), null_mut())
}

#[test]
fn events_that_another_thread_waits_for_are_asked_and_freed_at_once() {
    // A feed never ends by itself; nobody listens there.
    let feed = r#"{"allow_plaintext_loopback":true,"sources":[{"live":"okx","symbols":["A"],
        "socket":"ws://127.0.0.1:1","rest":"http://127.0.0.1:1"}]}"#;
    let mut engine = gapless_engine::default();
    let started = gapless_engine_start(feed.as_ptr().cast(), feed.len(), &raw mut engine);
    assert_eq!(started, OK);
    for wait in [next_of, run_of] {
        let events = subscribe(engine, TRADES, 0, GAPLESS_SLOW_DROP_OLDEST);
        let waiting = std::thread::spawn(move || wait(events));
        std::thread::sleep(std::time::Duration::from_millis(100));
        let begun = std::time::Instant::now();
        assert_eq!(gapless_events_counts(events, &mut gapless_event_counts::default()), OK);
        let (into, mut length) = (null_mut(), 0);
        let named = gapless_events_name(events, u32::MAX, into, 0, &raw mut length);
        assert_eq!(named, gapless_status::NoSuchBook);
        assert!(!waiting.is_finished());
        assert_eq!(gapless_events_free(events), OK);
        assert_eq!(gapless_events_free(events), gapless_status::InvalidHandle);
        assert_eq!(waiting.join().unwrap(), gapless_status::Ended);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it waited for the event");
    }
    assert_eq!(gapless_engine_free(engine), OK);
}

/// Not a test: what a child does that has little memory.
#[test]
fn subscribing_child() {
    if std::env::var_os(LITTLE).is_none() {
        return;
    }
    let engine = engine();
    assert_eq!(gapless_engine_restart(engine), OK);
    let mut made = [gapless_events::default(); 8];
    let mut ask = |slow| {
        made.iter_mut().find_map(|events| {
            let (all, names) = (usize::MAX, c"".as_ptr());
            let events = &raw mut *events;
            let status = gapless_engine_subscribe(engine, TRADES, names, 0, all, slow, events);
            (status != OK).then_some(status)
        })
    };
    assert_eq!(ask(GAPLESS_SLOW_DROP_OLDEST), Some(gapless_status::Engine));
    assert_eq!(ask(GAPLESS_SLOW_CONFLATE), Some(gapless_status::Engine));
    assert_eq!(gapless_engine_join(engine), OK);
    assert_eq!(gapless_engine_free(engine), OK);
}

const LITTLE: &str = "GAPLESS_FFI_LITTLE_MEMORY";

#[test]
#[cfg(target_os = "linux")]
fn who_asks_for_more_than_there_is_memory_is_told() {
    let test = std::env::current_exe().unwrap();
    let run = "ulimit -v 700000 && exec \"$0\" --exact events::subscribing_child";
    let mut child = std::process::Command::new("sh");
    let told = child.arg("-c").arg(run).arg(test).env(LITTLE, "1").output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(String::from_utf8_lossy(&told.stdout).contains("1 passed"));
}

#[test]
fn who_is_too_slow_is_told_as_it_asked() {
    let engine = engine();
    let dropping = subscribe(engine, TRADES, 4, GAPLESS_SLOW_DROP_OLDEST);
    let leaving = subscribe(engine, TRADES, 4, GAPLESS_SLOW_DISCONNECT);
    let latest = subscribe(engine, TRADES, 64, GAPLESS_SLOW_CONFLATE);
    assert_eq!(gapless_engine_restart(engine), OK);
    assert_eq!(gapless_engine_join(engine), OK);
    let all = expected(&[gapless::events::Topic::Trades]);
    assert_eq!(next(leaving).0, gapless_status::TooSlow);
    assert_eq!(next(leaving).0, gapless_status::TooSlow, "for good");
    let mut counts = gapless_event_counts::default();
    while next(dropping).0 == OK {}
    assert_eq!(gapless_events_counts(dropping, &raw mut counts), OK);
    assert_eq!((counts.received + counts.missed, counts.replaced), (all, 0));
    assert!(counts.missed > 0);
    while next(latest).0 == OK {}
    assert_eq!(gapless_events_counts(latest, &raw mut counts), OK);
    assert_eq!((counts.received + counts.replaced, counts.missed), (all, 0));
    for (topics, slow) in [(0, 0), (1 << 5, 0), (TRADES, 3), (u32::MAX, 0)] {
        let (mut events, names) = (gapless_events::default(), c"".as_ptr());
        let made = gapless_engine_subscribe(engine, topics, names, 0, 0, slow, &raw mut events);
        assert_eq!((made, events.id), (gapless_status::InvalidArgument, 0));
    }
    for events in [dropping, leaving, latest] {
        assert_eq!(gapless_events_free(events), OK);
    }
    assert_eq!(gapless_engine_free(engine), OK);
}
