//! Engines: sources in, books that any thread may read.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure};
use crate::handles;
use crate::types::{gapless_engine, gapless_reader, gapless_status};
use gapless::config::{self, ConfigError};
use gapless::engine::Builder;
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

/// Stops the threads and waits for them: readers see GAPLESS_STATE_STALE from then on. A thread
/// that waits for bytes of standard input or another pipe is waited for until they come or it is
/// closed; so wait gapless_engine_restart() and gapless_engine_free(), and after many calls
/// gapless_engine_add(), _remove(), _subscribe() and _measure().
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_stop(engine: gapless_engine) -> gapless_status {
    boundary::call(|| {
        handles::with_engine_alone(engine, |engine| {
            engine.stop();
            Ok(())
        })
    })
}

/// Stops the engine, as gapless_engine_stop(), and frees it; while another call uses it, that call
/// does so at its end and this one returns at once. Its readers stay valid.
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
/// `wait_ns`. `*reader` is the caller's, to be freed once. Other threads may do anything with the
/// engine meanwhile: the wait also ends when one of them stops or frees it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book(
    engine: gapless_engine,
    name: *const c_char,
    name_length: usize,
    wait_ns: u64,
    reader: *mut gapless_reader,
) -> gapless_status {
    handles::made(reader, || {
        let name = boundary::text(name, name_length)?;
        let at_most = Duration::from_nanos(wait_ns);
        let wait = handles::with_engine(engine, |engine| Ok(engine.waiting_for(&name, at_most)))?;
        wait().map_err(failure)
    })
}

/// Writes to `count` how many books are published at this moment.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book_count(
    engine: gapless_engine,
    count: *mut usize,
) -> gapless_status {
    boundary::answer(count, || handles::with_engine(engine, |engine| Ok(engine.book_names().len())))
}

/// Copies the names of all books that are published at this moment into `buffer`, in their order,
/// each ended by a zero, and writes to `length` how many bytes they are. A name means this one book
/// whatever else appears. GAPLESS_STATUS_TOO_SMALL if they do not fit: `length` says what is needed
/// at this moment.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_book_names(
    engine: gapless_engine,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::say(buffer, capacity, length, || {
        let mut names = handles::with_engine(engine, |engine| Ok(engine.book_names()))?;
        names.sort_unstable();
        Ok(names.into_iter().map(|name| name + "\0").collect::<String>())
    })
}

fn make(
    config: *const c_char,
    config_length: usize,
    engine: *mut gapless_engine,
    begin: impl FnOnce(Builder) -> Result<Engine, Failure>,
) -> gapless_status {
    handles::made(engine, || {
        let text = boundary::text(config, config_length)?;
        let invalid =
            |error: ConfigError| Failure(gapless_status::InvalidConfig, error.to_string());
        let made = begin(config::read(&text).map_err(invalid)?)?;
        Ok(Box::new(RwLock::new(made)))
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
