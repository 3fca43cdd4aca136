//! Each way of calling wrongly by itself: pointers, handles, texts, lengths.

use crate::pointers::text_at;
use gapless_c::engine::*;
use gapless_c::reader::*;
use gapless_c::text::*;
use gapless_c::types::*;
use gapless_c::views::gapless_microprice;
use std::ffi::c_char;
use std::ptr::{null, null_mut};

/// The name of a status.
pub fn name_of(status: i32) -> String {
    text_at(gapless_status_name(status))
}

fn start(config: &str) -> (gapless_status, gapless_engine) {
    let mut engine = gapless_engine::default();
    let status = gapless_engine_start(config.as_ptr().cast(), config.len(), &raw mut engine);
    (status, engine)
}

fn samples() -> String {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/");
    format!(r#"{{"sources":[{{"replay":["{samples}"]}}]}}"#)
}

fn words() -> String {
    let (mut buffer, mut length) = ([0; 4096], 0);
    let status = gapless_last_error(buffer.as_mut_ptr(), buffer.len(), &raw mut length);
    assert_eq!(status, gapless_status::Ok);
    said(&buffer[..length])
}

fn said(text: &[c_char]) -> String {
    String::from_utf8(text.iter().map(|byte| *byte as u8).collect()).unwrap()
}

/// An engine that has read the samples, and a reader of its first book.
fn ready() -> (gapless_engine, gapless_reader) {
    let (status, engine) = start(&samples());
    assert_eq!(status, gapless_status::Ok, "{}", words());
    assert_eq!(gapless_engine_join(engine), gapless_status::Ok);
    let (mut names, mut length) = (vec![0; 1 << 16], 0);
    let (into, room) = (names.as_mut_ptr(), names.len());
    let named = gapless_engine_book_names(engine, into, room, &raw mut length);
    assert_eq!(named, gapless_status::Ok);
    let first = names.iter().position(|byte| *byte == 0).unwrap();
    let mut reader = gapless_reader::default();
    let found = gapless_engine_book(engine, names.as_ptr(), first, 0, &raw mut reader);
    assert_eq!(found, gapless_status::Ok, "{}", words());
    (engine, reader)
}

#[test]
fn null_pointers_are_refused() {
    let (engine, reader) = ready();
    let pointer = gapless_status::InvalidPointer;
    let config = samples();
    assert_eq!(gapless_engine_start(config.as_ptr().cast(), config.len(), null_mut()), pointer);
    assert_eq!(gapless_engine_start(null(), 5, &mut gapless_engine::default()), pointer);
    assert_eq!(gapless_engine_book(engine, null(), 3, 0, &mut gapless_reader::default()), pointer);
    assert_eq!(gapless_engine_book(engine, c"x".as_ptr(), 1, 0, null_mut()), pointer);
    assert_eq!(gapless_engine_book_count(engine, null_mut()), pointer);
    assert_eq!(gapless_engine_book_names(engine, null_mut(), 99, &mut 0), pointer);
    assert_eq!(gapless_engine_book_names(engine, null_mut(), 99, null_mut()), pointer);
    assert_eq!(gapless_reader_clone(reader, null_mut()), pointer);
    assert_eq!(gapless_reader_top(reader, null_mut()), pointer);
    assert_eq!(gapless_reader_last_known_top(reader, null_mut()), pointer);
    let mut depth = gapless_depth::default();
    assert_eq!(gapless_reader_depth(reader, null_mut(), 5, null_mut(), 5, &mut depth), pointer);
    assert_eq!(gapless_reader_depth(reader, null_mut(), 0, null_mut(), 0, null_mut()), pointer);
    let none = gapless_reader_last_known_depth(reader, null_mut(), 0, null_mut(), 0, &mut depth);
    assert_eq!((none, depth.bids, depth.asks), (gapless_status::Ok, 0, 0));
    assert_eq!(gapless_reader_state(reader, null_mut(), &mut 0), pointer);
    assert_eq!(gapless_reader_wait(reader, 0, 0, 0, 0, null_mut()), pointer);
    assert_eq!(gapless_last_error(null_mut(), 0, null_mut()), pointer);
    assert_eq!(gapless_reason_name(0, null_mut(), 0, null_mut()), pointer);
    let top = gapless_top::default();
    let misaligned = (&raw const top).cast::<u8>().wrapping_add(1).cast_mut().cast();
    assert_eq!(gapless_reader_top(reader, misaligned), pointer);
    assert_eq!(gapless_reader_free(reader), gapless_status::Ok);
    assert_eq!(gapless_engine_free(engine), gapless_status::Ok);
}

#[test]
fn handles_that_mean_nothing_are_refused() {
    let (engine, reader) = ready();
    let handle = gapless_status::InvalidHandle;
    assert_eq!(gapless_reader_free(reader), gapless_status::Ok);
    let freed = reader.id;
    let wrong = [0, freed, engine.id, u64::MAX, u64::MAX / 3, 1 << 40, engine.id + 1];
    for id in wrong {
        let reader = gapless_reader { id };
        let (mut top, mut depth) = (gapless_top::default(), gapless_depth::default());
        assert_eq!(gapless_reader_top(reader, &raw mut top), handle, "{id}");
        assert_eq!(gapless_reader_last_known_top(reader, &raw mut top), handle, "{id}");
        let none = (null_mut(), 0, null_mut(), 0);
        let read = gapless_reader_depth(reader, none.0, none.1, none.2, none.3, &raw mut depth);
        assert_eq!(read, handle, "{id}");
        assert_eq!(gapless_reader_state(reader, &mut 0, &mut 0), handle, "{id}");
        assert_eq!(gapless_reader_wait(reader, 0, 0, 0, 0, &mut 0), handle, "{id}");
        assert_eq!(gapless_reader_clone(reader, &mut gapless_reader::default()), handle, "{id}");
        assert_eq!(gapless_reader_free(reader), handle, "{id}");
        if id != engine.id {
            let engine = gapless_engine { id };
            assert_eq!(gapless_engine_join(engine), handle, "{id}");
            assert_eq!(gapless_engine_stop(engine), handle, "{id}");
            assert_eq!(gapless_engine_book_count(engine, &mut 0), handle, "{id}");
            assert_eq!(gapless_engine_free(engine), handle, "{id}");
        }
    }
    assert_eq!(gapless_engine_free(engine), gapless_status::Ok);
    assert_eq!(gapless_engine_free(engine), handle);
}

#[test]
fn a_freed_handle_means_nothing_however_often_its_place_is_used_again() {
    let (engine, reader) = ready();
    let clone = || {
        let mut clone = gapless_reader::default();
        assert_eq!(gapless_reader_clone(reader, &raw mut clone), gapless_status::Ok);
        clone
    };
    let freed = clone();
    assert_eq!(gapless_reader_free(freed), gapless_status::Ok);
    for round in 0..100_000 {
        let other = clone();
        assert_ne!(other.id, freed.id, "{round}");
        assert_eq!(gapless_reader_free(freed), gapless_status::InvalidHandle, "{round}");
        assert_eq!(gapless_reader_free(other), gapless_status::Ok);
    }
    assert_eq!(gapless_reader_free(reader), gapless_status::Ok);
    assert_eq!(gapless_engine_free(engine), gapless_status::Ok);
}

#[test]
fn wrong_texts_are_refused_with_words() {
    for (text, status, said) in [
        (&b"{"[..], gapless_status::InvalidConfig, "line 1"),
        (b"{\"sources\":[]}", gapless_status::InvalidConfig, "source"),
        (b"{\"sources\":[{\"replay\":[\"/no/such\"]}]}", gapless_status::Engine, "/no/such"),
        (b"\xff\xfe", gapless_status::InvalidText, "utf-8"),
    ] {
        let mut engine = gapless_engine::default();
        assert_eq!(gapless_engine_start(text.as_ptr().cast(), text.len(), &raw mut engine), status);
        assert_eq!(engine.id, 0);
        assert!(words().contains(said), "{}", words());
    }
    assert_eq!(start(&" ".repeat(2_000_000)).0, gapless_status::InvalidText);
    let (engine, reader) = ready();
    let mut other = gapless_reader::default();
    let found = gapless_engine_book(engine, c"okx:NO".as_ptr(), 6, 1000, &raw mut other);
    assert_eq!((found, other.id), (gapless_status::NoSuchBook, 0));
    assert!(words().contains("okx:NO"));
    let mut length = 0;
    let short = gapless_engine_book_names(engine, [0; 1].as_mut_ptr(), 1, &raw mut length);
    assert_eq!(short, gapless_status::TooSmall);
    let (mut names, mut count, needed) = (vec![0; length], 0, length);
    let (into, room) = (names.as_mut_ptr(), names.len());
    let named = gapless_engine_book_names(engine, into, room, &raw mut length);
    assert_eq!((named, length), (gapless_status::Ok, needed));
    assert_eq!(gapless_engine_book_count(engine, &raw mut count), gapless_status::Ok);
    assert_eq!(names.iter().filter(|byte| **byte == 0).count(), count);
    assert!(said(&names).split_terminator('\0').is_sorted());
    assert_eq!(gapless_reader_wait(reader, 0, 7, 0, 0, &mut 0), gapless_status::InvalidArgument);
    let reason = gapless_reason_name(255, null_mut(), 0, &raw mut length);
    assert_eq!(reason, gapless_status::InvalidArgument);
    for status in [-1, 0, 8, 14, 15, i32::MIN] {
        assert!(!gapless_status_name(status).is_null());
    }
    assert!(!gapless_version().is_null());
    assert_eq!(gapless_engine_free(engine), gapless_status::Ok);
    assert_eq!(gapless_reader_free(reader), gapless_status::Ok);
}

#[test]
fn a_reader_outlives_its_engine_and_says_so() {
    let (engine, reader) = ready();
    let mut version = 0;
    let seen = gapless_reader_wait(reader, 0, GAPLESS_WAIT_SPIN, 0, 1_000_000, &raw mut version);
    assert_eq!(seen, gapless_status::Ok);
    let again = gapless_reader_wait(reader, version, GAPLESS_WAIT_YIELD, 0, 1_000_000, &mut 0);
    assert_eq!(again, gapless_status::TimedOut);
    let mut levels = [[gapless_level::default(); 5]; 2];
    let mut depth = gapless_depth::default();
    let [bids, asks] = &mut levels;
    let (b, a) = (bids.as_mut_ptr(), asks.as_mut_ptr());
    let read = gapless_reader_last_known_depth(reader, b, 5, a, 3, &raw mut depth);
    assert_eq!(read, gapless_status::Ok);
    assert!(depth.bids <= 5 && depth.asks <= 3 && levels[1][3..] == [gapless_level::default(); 2]);
    assert_eq!(gapless_engine_stop(engine), gapless_status::Ok);
    assert_eq!(gapless_engine_free(engine), gapless_status::Ok);
    let (mut state, mut reason) = (9, 0);
    assert_eq!(gapless_reader_state(reader, &raw mut state, &raw mut reason), gapless_status::Ok);
    assert_eq!(state, gapless_state::Stale as u8);
    let (mut name, mut length) = ([0; 64], 0);
    let named = gapless_reason_name(reason, name.as_mut_ptr(), name.len(), &raw mut length);
    assert_eq!((named, said(&name[..length])), (gapless_status::Ok, "closed".to_owned()));
    let mut top = gapless_top::default();
    assert_eq!(gapless_reader_top(reader, &raw mut top), gapless_status::NotLive);
    assert_eq!(top, gapless_top::default(), "untouched");
    assert_eq!(gapless_reader_free(reader), gapless_status::Ok);
}

#[test]
fn the_microprice_is_exact_or_refused() {
    let level = |price, size| gapless_level { price, size };
    let of = |bid, ask, decimals| {
        let mut price = -1;
        let status = gapless_microprice(bid, ask, decimals, &raw mut price);
        (status, price)
    };
    let refused = (gapless_status::InvalidArgument, -1);
    assert_eq!(of(level(100, 3), level(101, 1), 2), (gapless_status::Ok, 10_075));
    assert_eq!(of(level(-2, 1), level(-1, 1), 0), (gapless_status::Ok, -1), "halves up");
    assert_eq!(of(level(100, 0), level(101, 1), 0), refused);
    assert_eq!(of(level(100, 1), level(101, -1), 0), refused);
    assert_eq!(of(level(100, 1), level(101, 1), 7), refused);
    assert_eq!(of(level(i64::MAX, 1), level(i64::MAX, 1), 1), refused);
    assert_eq!(of(level(i64::MIN, 1), level(i64::MIN, 1), 0).1, i64::MIN);
}

#[test]
fn decimals_are_written_whole_or_not_at_all() {
    let written = |number, scale, room: usize| {
        let mut text = [0 as c_char; GAPLESS_DECIMAL_BYTES];
        let at = gapless_decimal(number, scale, text.as_mut_ptr(), room);
        text_at(at)
    };
    assert_eq!(written(912_380, 1, GAPLESS_DECIMAL_BYTES), "91238");
    assert_eq!(written(912_385, 1, 8), "91238.5");
    assert_eq!(written(912_385, 1, 7), "");
    assert_eq!(written(i64::MIN, 18, GAPLESS_DECIMAL_BYTES), "-9.223372036854775808");
    assert_eq!(written(-1, 18, GAPLESS_DECIMAL_BYTES), "-0.000000000000000001");
    assert_eq!(written(i64::MIN, 0, GAPLESS_DECIMAL_BYTES), "-9223372036854775808");
    assert_eq!(written(1, 19, GAPLESS_DECIMAL_BYTES), "");
    assert_eq!(text_at(gapless_decimal(1, 0, null_mut(), 9)), "");
}

extern "C" fn waits_for_a_book(engine: gapless_engine) -> gapless_status {
    let hour = 3_600_000_000_000;
    gapless_engine_book(engine, c"okx:NONE".as_ptr(), 8, hour, &mut gapless_reader::default())
}

#[test]
fn an_engine_that_another_thread_waits_for_can_be_changed_stopped_and_freed() {
    // A feed never ends by itself; nobody listens there.
    let feed = r#"{"allow_plaintext_loopback":true,"sources":[{"live":"okx","symbols":["A"],
        "socket":"ws://127.0.0.1:1","rest":"http://127.0.0.1:1"}]}"#;
    let ends: [extern "C" fn(gapless_engine) -> gapless_status; 2] =
        [gapless_engine_stop, gapless_engine_free];
    let joins = (gapless_engine_join as extern "C" fn(_) -> _, gapless_status::Ok);
    let waits = (waits_for_a_book as extern "C" fn(_) -> _, gapless_status::NoSuchBook);
    for (end, (wait, answer)) in ends.into_iter().flat_map(|end| [(end, joins), (end, waits)]) {
        let (status, engine) = start(feed);
        assert_eq!(status, gapless_status::Ok, "{}", words());
        let waiting = std::thread::spawn(move || wait(engine));
        std::thread::sleep(std::time::Duration::from_millis(100));
        let ended = std::thread::spawn(move || {
            // What asks for the engine alone must not make others wait.
            assert_eq!(gapless_engine_add(engine, c"x:Y".as_ptr(), 3), gapless_status::Ok);
            assert_eq!(gapless_engine_book_count(engine, &mut 0), gapless_status::Ok);
            end(engine)
        });
        let begun = std::time::Instant::now();
        while !(ended.is_finished() && waiting.is_finished()) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it waits for ever");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(ended.join().unwrap(), gapless_status::Ok);
        assert_eq!(waiting.join().unwrap(), answer);
        let _ = gapless_engine_free(engine);
    }
}
