//! Engines: sources in, books that any thread may read.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure, Place, TextRoom};
use crate::handles;
use crate::types::{gapless_engine, gapless_reader, gapless_status};
use gapless::config::{self, ConfigError};
use gapless::engine::{BookInfo, Builder};
use gapless::{Engine, EngineError};
use std::ffi::c_char;
use std::sync::RwLock;
use std::time::Duration;

/// Starts an engine from a text in JSON or TOML, like
/// `{"sources":[{"replay":["FILE or FOLDER"],"speed":"max"}],"books":["okx:BTC-USDT-SWAP"]}`.
/// Without "books" it publishes all. `*engine` is the caller's, to be freed once. Nothing runs if
/// it fails.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_start(
    config: *const c_char,
    config_length: usize,
    engine: *mut gapless_engine,
) -> gapless_status {
    make(config, config_length, engine, |builder| builder.start().map_err(failure))
}

/// As gapless_engine_start(), but nothing runs before gapless_engine_restart(): who subscribes in
/// between is given every event.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_build(
    config: *const c_char,
    config_length: usize,
    engine: *mut gapless_engine,
) -> gapless_status {
    make(config, config_length, engine, |builder| Ok(builder.build()))
}

/// Waits until every source was read to its end. The books stay as they ended until the engine
/// stops. Other threads may do anything with the engine meanwhile: it also ends when one of them
/// stops or frees it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_join(engine: gapless_engine) -> gapless_status {
    boundary::call(|| {
        let join = handles::with_engine(engine, |engine| Ok(engine.joining()))?;
        join();
        Ok(())
    })
}

/// Stops the threads and waits for them: readers see GAPLESS_STATE_STALE from then on.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_stop(engine: gapless_engine) -> gapless_status {
    boundary::call(|| {
        handles::with_engine_alone(engine, |engine| {
            engine.stop();
            Ok(())
        })
    })
}

/// Stops the engine and frees it. Its readers stay valid.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_free(engine: gapless_engine) -> gapless_status {
    boundary::call(|| handles::free(engine))
}

/// Begins, or begins again, with the sources from their beginning. Readers of
/// before stay GAPLESS_STATE_STALE.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_restart(engine: gapless_engine) -> gapless_status {
    boundary::call(|| {
        handles::with_engine_alone(engine, |engine| engine.restart().map_err(failure))
    })
}

/// Publishes the books of a name, `VENUE[.MARKET]:SYMBOL`, now or when they appear.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_add(
    engine: gapless_engine,
    name: *const c_char,
    name_length: usize,
) -> gapless_status {
    boundary::call(|| {
        let name = boundary::text(name, name_length)?;
        handles::with_engine_alone(engine, |engine| {
            engine.add(&name);
            Ok(())
        })
    })
}

/// Ends the publication of the books of a name: their readers see GAPLESS_STATE_STALE.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_remove(
    engine: gapless_engine,
    name: *const c_char,
    name_length: usize,
) -> gapless_status {
    boundary::call(|| {
        let name = boundary::text(name, name_length)?;
        handles::with_engine_alone(engine, |engine| {
            engine.remove(&name);
            Ok(())
        })
    })
}

/// Makes a reader of a book, `VENUE[.MARKET]:SYMBOL`, that has appeared or appears within
/// `wait_ns`. `*reader` is the caller's, to be freed once.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book(
    engine: gapless_engine,
    name: *const c_char,
    name_length: usize,
    wait_ns: u64,
    reader: *mut gapless_reader,
) -> gapless_status {
    boundary::call(|| {
        let reader = Place::of(reader)?;
        let name = boundary::text(name, name_length)?;
        let wait = Duration::from_nanos(wait_ns);
        let found =
            handles::with_engine(engine, |engine| engine.wait_for(&name, wait).map_err(failure))?;
        handles::give(reader, found)
    })
}

/// Writes to `count` how many books are published at this moment.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book_count(
    engine: gapless_engine,
    count: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let count = Place::of(count)?;
        count.put(handles::with_engine(engine, |engine| Ok(engine.books().len()))?);
        Ok(())
    })
}

/// Copies the name of the book at `index`, in the order of their names, into `buffer` and writes
/// its length to `length`; no zero is added. It means this one book whatever else appears.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book_name(
    engine: gapless_engine,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let room = TextRoom::of(buffer, capacity, length)?;
        let books = handles::with_engine(engine, |engine| Ok(engine.books()))?;
        let mut names: Vec<_> = books.iter().map(BookInfo::full_name).collect();
        names.sort_unstable();
        room.put(names.get(index).ok_or(gapless_status::NoSuchBook)?)
    })
}

fn make(
    config: *const c_char,
    config_length: usize,
    engine: *mut gapless_engine,
    begin: impl FnOnce(Builder) -> Result<Engine, Failure>,
) -> gapless_status {
    boundary::call(|| {
        let place = Place::of(engine)?;
        let text = boundary::text(config, config_length)?;
        let invalid =
            |error: ConfigError| Failure(gapless_status::InvalidConfig, error.to_string());
        let made = begin(config::read(&text).map_err(invalid)?)?;
        handles::give(place, Box::new(RwLock::new(made)))
    })
}

pub(crate) fn failure(error: EngineError) -> Failure {
    let status = match error {
        EngineError::NoSuchBook { .. } => gapless_status::NoSuchBook,
        EngineError::Ambiguous { .. } => gapless_status::AmbiguousBook,
        EngineError::Config(_) | EngineError::NoSource => gapless_status::InvalidConfig,
        _ => gapless_status::Engine,
    };
    Failure(status, error.to_string())
}
