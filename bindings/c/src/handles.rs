//! Numbers that C holds in place of our objects.
//!
//! Invariant: a number leads to an object only while that object lives, and only if it is of the
//! kind that is asked for. Looking up takes no lock; an object that is freed while another thread
//! uses it ends when that thread is done.
//!
//! A number is 13 bits of thread, 21 of place there, and 30 that count how often the place was
//! used: one that was freed means another object after a thousand million others in its place.

use crate::boundary::{self, Failure};
use crate::changes::Follower;
use crate::events::Events;
use crate::latency::gapless_latency;
use crate::types::{
    gapless_changes, gapless_engine, gapless_events, gapless_reader, gapless_replica,
    gapless_status,
};
use gapless::book::publish::Replica;
use gapless::latency::Records;
use gapless::{BookReader, Engine, Memory};
use sharded_slab::Slab;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

/// What C holds of an object of one kind.
pub(crate) trait Handle: Copy {
    /// The object.
    type Kept;
    /// 0 is none.
    fn id(self) -> u64;
    fn of(id: u64) -> Self;
    fn object(kept: Self::Kept) -> Object;
    /// `None`: the object is of another kind.
    fn kept(object: &Object) -> Option<&Self::Kept>;
}

macro_rules! kinds {
    ($($(#[$why:meta])* $kind:ident: $handle:ident => $kept:ty;)*) => {
        /// What a handle means.
        #[derive(Debug)]
        pub(crate) enum Object {
            $($(#[$why])* $kind($kept),)*
        }

        $(impl Handle for $handle {
            type Kept = $kept;

            fn id(self) -> u64 {
                self.id
            }

            fn of(id: u64) -> Self {
                Self { id }
            }

            fn object(kept: $kept) -> Object {
                Object::$kind(kept)
            }

            fn kept(object: &Object) -> Option<&$kept> {
                match object {
                    Object::$kind(kept) => Some(kept),
                    _ => None,
                }
            }
        })*
    };
}

kinds! {
    /// Calls that stop or change an engine wait for those that ask it, and the other way round.
    Engine: gapless_engine => Box<RwLock<Engine>>;
    Reader: gapless_reader => BookReader;
    /// Calls on one of these take turns; they are much larger than the others.
    Changes: gapless_changes => Box<Mutex<Follower>>;
    Replica: gapless_replica => Box<Mutex<Replica<Arc<Memory>>>>;
    Events: gapless_events => Box<Events>;
    Latency: gapless_latency => Box<Records>;
}

/// How the bits of a number are spent.
struct Bits;

impl sharded_slab::Config for Bits {
    // The header says so many.
    const MAX_THREADS: usize = 4096;
    const INITIAL_PAGE_SIZE: usize = 32;
    // Each is twice as large as the one before: a million objects that a thread has made.
    const MAX_PAGES: usize = 15;
}

static OBJECTS: LazyLock<Slab<Object, Bits>> = LazyLock::new(Slab::new_with_config::<Bits>);

/// Runs the body of an exported function that makes an object, and gives its handle to the caller.
pub(crate) fn made<H: Handle>(
    place: *mut H,
    make: impl FnOnce() -> Result<H::Kept, Failure>,
) -> gapless_status {
    boundary::answer(place, || {
        let key = OBJECTS.insert(H::object(make()?)).ok_or(gapless_status::TooManyHandles)?;
        Ok(H::of(key as u64 + 1))
    })
}

/// Does something with an object.
#[inline]
pub(crate) fn with<H: Handle, T>(
    handle: H,
    what: impl FnOnce(&H::Kept) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let object = OBJECTS.get(key(handle.id())?);
    let kept = object.as_ref().and_then(|object| H::kept(object));
    what(kept.ok_or(gapless_status::InvalidHandle)?)
}

/// Does something with an object whose callers take turns.
pub(crate) fn alone<H: Handle<Kept = Box<Mutex<K>>>, K, T>(
    handle: H,
    what: impl FnOnce(&mut K) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // A call that panicked left what it used as it was, or ended.
    with(handle, |kept| what(&mut kept.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Asks an engine.
pub(crate) fn with_engine<T>(
    engine: gapless_engine,
    what: impl FnOnce(&Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // A call that panicked left the engine as it was, or stopped.
    with(engine, |engine| what(&engine.read().unwrap_or_else(PoisonError::into_inner)))
}

/// Changes an engine.
pub(crate) fn with_engine_alone<T>(
    engine: gapless_engine,
    what: impl FnOnce(&mut Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with(engine, |engine| what(&mut engine.write().unwrap_or_else(PoisonError::into_inner)))
}

/// Frees an object.
pub(crate) fn free<H: Handle>(handle: H) -> Result<(), Failure> {
    let key = key(handle.id())?;
    let found = OBJECTS.get(key).is_some_and(|object| H::kept(&object).is_some());
    // Of two calls at once, one frees it.
    let freed = found && OBJECTS.remove(key);
    if freed { Ok(()) } else { Err(gapless_status::InvalidHandle.into()) }
}

fn key(id: u64) -> Result<usize, Failure> {
    let key = id.checked_sub(1).and_then(|key| usize::try_from(key).ok());
    key.ok_or_else(|| gapless_status::InvalidHandle.into())
}
