//! Numbers that C holds in place of our objects.
//!
//! Invariant: a number leads to an object only while that object lives, and only if it is of the
//! kind that is asked for. Looking up takes no lock; an object that is freed while another thread
//! uses it ends when that thread is done.

use crate::boundary::Failure;
use crate::changes::Follower;
use crate::events::Inbox;
use crate::types::gapless_status;
use gapless::book::publish::Replica;
use gapless::{BookReader, Engine, Memory};
use sharded_slab::Slab;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What a handle means.
#[derive(Debug)]
pub(crate) enum Object {
    /// Calls that stop or change an engine wait for those that ask it, and the other way round.
    Engine(RwLock<Engine>),
    Reader(BookReader),
    /// Calls on one of these take turns.
    Changes(Mutex<Follower>),
    /// These are much larger than the others.
    Replica(Box<Mutex<Replica<Arc<Memory>>>>),
    Events(Box<Mutex<Inbox>>),
}

static OBJECTS: std::sync::LazyLock<Slab<Object>> = std::sync::LazyLock::new(Slab::new);

/// Keeps an object; its number is not 0.
pub(crate) fn keep(object: Object) -> Result<u64, Failure> {
    let key = OBJECTS.insert(object).ok_or(gapless_status::TooManyHandles)?;
    Ok(key as u64 + 1)
}

/// Does something with an object.
#[inline]
fn with<T>(
    id: u64,
    what: impl FnOnce(&Object) -> Option<Result<T, Failure>>,
) -> Result<T, Failure> {
    let object = OBJECTS.get(key(id)?);
    object.and_then(|object| what(&object)).ok_or(gapless_status::InvalidHandle)?
}

/// Asks an engine.
pub(crate) fn with_engine<T>(
    id: u64,
    what: impl FnOnce(&Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        // A call that panicked left the engine as it was, or stopped.
        Object::Engine(engine) => {
            Some(what(&engine.read().unwrap_or_else(PoisonError::into_inner)))
        }
        _ => None,
    })
}

/// Changes an engine.
pub(crate) fn with_engine_alone<T>(
    id: u64,
    what: impl FnOnce(&mut Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        Object::Engine(engine) => {
            Some(what(&mut engine.write().unwrap_or_else(PoisonError::into_inner)))
        }
        _ => None,
    })
}

/// Does something with a reader.
#[inline]
pub(crate) fn with_reader<T>(
    id: u64,
    what: impl FnOnce(&BookReader) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        Object::Reader(reader) => Some(what(reader)),
        _ => None,
    })
}

/// Does something with a follower of changes.
pub(crate) fn with_changes<T>(
    id: u64,
    what: impl FnOnce(&mut Follower) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        Object::Changes(changes) => {
            Some(what(&mut changes.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        _ => None,
    })
}

/// Does something with a replica.
pub(crate) fn with_replica<T>(
    id: u64,
    what: impl FnOnce(&mut Replica<Arc<Memory>>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        Object::Replica(replica) => {
            Some(what(&mut replica.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        _ => None,
    })
}

/// Does something with a subscription.
pub(crate) fn with_events<T>(
    id: u64,
    what: impl FnOnce(&mut Inbox) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(id, |object| match object {
        Object::Events(events) => {
            Some(what(&mut events.lock().unwrap_or_else(PoisonError::into_inner)))
        }
        _ => None,
    })
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
