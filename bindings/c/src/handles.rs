//! Numbers that C holds in place of our objects.
//!
//! Invariant: a number leads to an object only while that object lives, and only if it is of the
//! kind that is asked for. Looking up takes no lock; an object that is freed while another thread
//! uses it ends when that thread is done.

use crate::boundary::Failure;
use crate::types::gapless_status;
use gapless::{BookReader, Engine};
use sharded_slab::Slab;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a handle means.
#[derive(Debug)]
pub(crate) enum Object {
    /// Calls that change an engine take turns.
    Engine(Mutex<Engine>),
    Reader(BookReader),
}

static OBJECTS: std::sync::LazyLock<Slab<Object>> = std::sync::LazyLock::new(Slab::new);

/// Keeps an object; its number is not 0.
pub(crate) fn keep(object: Object) -> Result<u64, Failure> {
    let key = OBJECTS.insert(object).ok_or(gapless_status::TooManyHandles)?;
    Ok(key as u64 + 1)
}

/// Does something with an engine.
pub(crate) fn with_engine<T>(
    id: u64,
    what: impl FnOnce(MutexGuard<'_, Engine>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match OBJECTS.get(key(id)?).as_deref() {
        // A call that panicked left the engine as it was, or stopped.
        Some(Object::Engine(engine)) => what(engine.lock().unwrap_or_else(PoisonError::into_inner)),
        _ => Err(gapless_status::InvalidHandle.into()),
    }
}

/// Does something with a reader.
#[inline]
pub(crate) fn with_reader<T>(
    id: u64,
    what: impl FnOnce(&BookReader) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match OBJECTS.get(key(id)?).as_deref() {
        Some(Object::Reader(reader)) => what(reader),
        _ => Err(gapless_status::InvalidHandle.into()),
    }
}

/// Frees an object of a kind.
pub(crate) fn free(id: u64, is_kind: impl FnOnce(&Object) -> bool) -> Result<(), Failure> {
    let key = key(id)?;
    let found = OBJECTS.get(key).is_some_and(|object| is_kind(&object));
    // Of two calls at once, one frees it.
    let freed = found && OBJECTS.remove(key);
    if freed { Ok(()) } else { Err(gapless_status::InvalidHandle.into()) }
}

fn key(id: u64) -> Result<usize, Failure> {
    let key = id.checked_sub(1).and_then(|key| usize::try_from(key).ok());
    key.ok_or_else(|| gapless_status::InvalidHandle.into())
}
