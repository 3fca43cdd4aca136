//! Subscriptions: trades, liquidations, funding and states of books, polled or given to a function.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure};
use crate::engine::failure;
use crate::event::gapless_event;
use crate::handles;
use crate::types::{gapless_engine, gapless_event_counts, gapless_events, gapless_status};
use gapless::engine::{CAPACITY, Ended, Interest, Received, Remote, Slow, Subscription};
use gapless::events::{NameId, Topic};
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A receiver that is too slow loses the oldest events, and is told how many.
pub const GAPLESS_SLOW_DROP_OLDEST: u32 = 0;
/// It has the latest event of each instrument or book and topic.
pub const GAPLESS_SLOW_CONFLATE: u32 = 1;
/// It is given nothing more: GAPLESS_STATUS_TOO_SLOW.
pub const GAPLESS_SLOW_DISCONNECT: u32 = 2;

/// What gapless_events_run() calls for each event; `user` is what it was given. 0: go on. It may
/// call every function of this library. It must not leave by an exception or longjmp.
pub type gapless_event_callback =
    Option<extern "C-unwind" fn(event: *const gapless_event, user: *mut c_void) -> i32>;

/// A subscription, and what may be asked of it while another thread waits in it.
#[derive(Debug)]
pub(crate) struct Events {
    inbox: Mutex<Inbox>,
    remote: Remote,
}

impl Events {
    fn next(&self, at_most: Duration) -> Result<gapless_event, Failure> {
        // A call that panicked left what it used as it was.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).next(at_most)
    }
}

/// A subscription, and what it has lost since its last event.
#[derive(Debug)]
struct Inbox {
    subscription: Subscription,
    missed: u64,
}

impl Inbox {
    fn next(&mut self, at_most: Duration) -> Result<gapless_event, Failure> {
        let begun = Instant::now();
        loop {
            let left = at_most.saturating_sub(begun.elapsed());
            match self.subscription.next_within(left) {
                Ok(Some(Received::Event(event))) => {
                    let Some(mut event) = gapless_event::of(&event) else { continue };
                    event.missed = std::mem::take(&mut self.missed);
                    return Ok(event);
                }
                Ok(Some(Received::Missed(missed))) => self.missed += missed,
                Ok(None) => return Err(gapless_status::NothingNew.into()),
                Err(Ended::Closed) => return Err(gapless_status::Ended.into()),
                Err(ended @ Ended::TooSlow { .. }) => {
                    return Err(Failure(gapless_status::TooSlow, ended.to_string()));
                }
            }
        }
    }
}

/// Gives events of an engine from now on, also after it stopped and started again.
///
/// `topics` has the bit `1 << gapless_topic` of each topic that is wanted. `names` are those of the
/// instruments that are wanted, one a line; empty: all. `capacity` is how many events may wait of
/// each thread of the engine, at most 1048576, 0: 8192; of each thread they take up to 256 bytes
/// each at once, and GAPLESS_STATUS_ENGINE says that there is no such memory. `slow` is one of
/// GAPLESS_SLOW_: what becomes of a receiver that is too slow; the engine never waits for it.
/// `*events` is the caller's, to be freed once; it outlives the engine.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_engine_subscribe(
    engine: gapless_engine,
    topics: u32,
    names: *const c_char,
    names_length: usize,
    capacity: usize,
    slow: u32,
    events: *mut gapless_events,
) -> gapless_status {
    handles::made(events, || {
        let names = boundary::text(names, names_length)?;
        let wanted = Topic::ALL.into_iter().filter(|topic| topics >> (*topic as u8) & 1 == 1);
        if topics == 0 || topics >> Topic::ALL.len() != 0 {
            return Err(gapless_status::InvalidArgument.into());
        }
        let slow = match slow {
            GAPLESS_SLOW_DROP_OLDEST => Slow::DropOldest,
            GAPLESS_SLOW_CONFLATE => Slow::Conflate,
            GAPLESS_SLOW_DISCONNECT => Slow::Disconnect,
            _ => return Err(gapless_status::InvalidArgument.into()),
        };
        let capacity = if capacity == 0 { CAPACITY } else { capacity };
        let mut interest =
            Interest::in_topics(wanted).with_irregular().capacity(capacity).when_slow(slow);
        if !names.is_empty() {
            interest = interest.of(names.lines());
        }
        let subscription = handles::with_engine_alone(engine, |engine| {
            engine.subscribe(&interest).map_err(failure)
        })?;
        let remote = subscription.remote();
        let inbox = Mutex::new(Inbox { subscription, missed: 0 });
        Ok(Box::new(Events { inbox, remote }))
    })
}

/// Copies the next event, waiting for it at most so long; asleep, woken by a thread of the engine.
///
/// GAPLESS_STATUS_NOTHING_NEW if there was none in that time. GAPLESS_STATUS_ENDED once the engine
/// has stopped or read everything and all events were given. GAPLESS_STATUS_TOO_SLOW, for good, if
/// GAPLESS_SLOW_DISCONNECT was asked for and it was. Threads that share it take turns, and each
/// event is given to one of them.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_events_next(
    events: gapless_events,
    at_most_ns: u64,
    event: *mut gapless_event,
) -> gapless_status {
    let at_most = Duration::from_nanos(at_most_ns);
    boundary::answer(event, || handles::with(events, |events| events.next(at_most)))
}

/// Calls a function with each event, on this thread, until it answers another number than 0
/// (GAPLESS_STATUS_OK), none came for `at_most_ns` (GAPLESS_STATUS_NOTHING_NEW), or none will
/// (GAPLESS_STATUS_ENDED, GAPLESS_STATUS_TOO_SLOW). The event is the function's until it returns.
/// If it unwinds as Rust does, GAPLESS_STATUS_INTERNAL; an exception of C++ ends the process, so
/// that gapless.hpp keeps them from leaving it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_events_run(
    events: gapless_events,
    at_most_ns: u64,
    callback: gapless_event_callback,
    user: *mut c_void,
) -> gapless_status {
    boundary::call(|| {
        let callback = callback.ok_or(gapless_status::InvalidPointer)?;
        let at_most = Duration::from_nanos(at_most_ns);
        loop {
            // Not within the handle's guard: what is called may use the handle, or free it.
            let event = handles::with(events, |events| events.next(at_most))?;
            let answer = catch_unwind(AssertUnwindSafe(|| callback(&raw const event, user)));
            match answer {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(panic) => {
                    std::mem::forget(panic);
                    let words = "the function that was called with an event unwound".to_owned();
                    return Err(Failure(gapless_status::Internal, words));
                }
            }
        }
    })
}

/// Copies the name behind a number of an event, gapless_event.instrument or
/// gapless_book_state.book, into `buffer` and writes its length to `length`; no zero is added. The
/// same number means the same name for as long as the engine lives. GAPLESS_STATUS_NO_SUCH_BOOK if
/// it means none.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_events_name(
    events: gapless_events,
    number: u32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::say(buffer, capacity, length, || {
        handles::with(events, |events| {
            Ok(events.remote.name(NameId(number)).ok_or(gapless_status::NoSuchBook)?)
        })
    })
}

/// Writes how many events were given, lost, and replaced by later ones so far.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_events_counts(
    events: gapless_events,
    counts: *mut gapless_event_counts,
) -> gapless_status {
    boundary::answer(counts, || {
        let counts = handles::with(events, |events| Ok(events.remote.counts()))?;
        let (received, missed, replaced) = (counts.received, counts.missed, counts.replaced);
        Ok(gapless_event_counts { received, missed, replaced })
    })
}

/// Ends the subscription and frees it. Calls that wait for its next event end at once, with
/// GAPLESS_STATUS_ENDED.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_events_free(events: gapless_events) -> gapless_status {
    boundary::call(|| {
        handles::with(events, |events| {
            events.remote.end();
            Ok(())
        })?;
        handles::free(events)
    })
}
