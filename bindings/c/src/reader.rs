//! Readers: one book each, from any thread.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure, Place, Room};
use crate::handles;
use crate::types::{gapless_depth, gapless_level, gapless_reader, gapless_status, gapless_top};
use gapless::book::event::Level;
use gapless::book::publish::{Busy, Copied, DEPTH_MAX, ReadError};
use gapless::{BookReader, Wait};
use std::cell::RefCell;
use std::time::Duration;

/// Looks all the time: answers within some 100 ns, costs a core.
pub const GAPLESS_WAIT_SPIN: u32 = 0;
/// Lets other threads run between looks.
pub const GAPLESS_WAIT_YIELD: u32 = 1;
/// Sleeps between looks.
pub const GAPLESS_WAIT_SLEEP: u32 = 2;

/// Makes another reader of the same book. `*clone` is the caller's, to be freed once.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_clone(
    reader: gapless_reader,
    clone: *mut gapless_reader,
) -> gapless_status {
    handles::made(clone, || handles::with(reader, |reader| Ok(reader.clone())))
}

/// Frees a reader.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_free(reader: gapless_reader) -> gapless_status {
    boundary::call(|| handles::free(reader))
}

/// Copies the best bid and ask of a live book. GAPLESS_STATUS_NOT_LIVE while it is not: then `*top`
/// is untouched. Never blocks, never allocates.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_top(
    reader: gapless_reader,
    top: *mut gapless_top,
) -> gapless_status {
    boundary::answer(top, || {
        handles::with(reader, |reader| Ok((&reader.top().map_err(refused)?).into()))
    })
}

/// Copies the best bid and ask as last published, whatever the state in it. A writer that died does
/// not show there: gapless_reader_state() tells.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_last_known_top(
    reader: gapless_reader,
    top: *mut gapless_top,
) -> gapless_status {
    boundary::answer(top, || {
        handles::with(reader, |reader| Ok((&reader.last_known_top().map_err(busy)?).into()))
    })
}

/// Copies the best levels of a live book, best first: at most `bids_capacity` bids and
/// `asks_capacity` asks, and no more than the engine publishes. `*depth` says how many. Nothing is
/// written if it fails. Never blocks.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_depth(
    reader: gapless_reader,
    bids: *mut gapless_level,
    bids_capacity: usize,
    asks: *mut gapless_level,
    asks_capacity: usize,
    depth: *mut gapless_depth,
) -> gapless_status {
    let sides = Sides::of(bids, bids_capacity, asks, asks_capacity);
    copy(reader, sides, depth, |reader, bids, asks| reader.levels_into(bids, asks).map_err(refused))
}

/// As gapless_reader_depth(), as last published, whatever the state in it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_last_known_depth(
    reader: gapless_reader,
    bids: *mut gapless_level,
    bids_capacity: usize,
    asks: *mut gapless_level,
    asks_capacity: usize,
    depth: *mut gapless_depth,
) -> gapless_status {
    let sides = Sides::of(bids, bids_capacity, asks, asks_capacity);
    copy(reader, sides, depth, |reader, bids, asks| {
        reader.publication().last_known_levels_into(bids, asks).map_err(busy)
    })
}

/// Writes the state (a gapless_state) and the reason of a book at this moment; a silent writer
/// shows as GAPLESS_STATE_STALE.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_state(
    reader: gapless_reader,
    state: *mut u8,
    reason: *mut u8,
) -> gapless_status {
    boundary::call(|| {
        let (state, reason) = (Place::of(state)?, Place::of(reason)?);
        let (found, why) = handles::with(reader, |reader| Ok(reader.state()))?;
        state.put(crate::types::gapless_state::from(found) as u8);
        reason.put(why as u8);
        Ok(())
    })
}

/// Waits until something else was published than when the version was `seen` (0 at first), for
/// `at_most_ns`, and writes the version now to `*version`. `strategy` is one of GAPLESS_WAIT_;
/// `sleep_ns` counts for GAPLESS_WAIT_SLEEP. GAPLESS_STATUS_TIMED_OUT if nothing was.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_wait(
    reader: gapless_reader,
    seen: u64,
    strategy: u32,
    sleep_ns: u64,
    at_most_ns: u64,
    version: *mut u64,
) -> gapless_status {
    boundary::answer(version, || {
        let how = match strategy {
            GAPLESS_WAIT_SPIN => Wait::Spin,
            GAPLESS_WAIT_YIELD => Wait::Yield,
            GAPLESS_WAIT_SLEEP => Wait::Sleep(Duration::from_nanos(sleep_ns)),
            _ => return Err(gapless_status::InvalidArgument.into()),
        };
        // Not within the handle's guard: whoever frees the reader need not wait.
        let reader = handles::with(reader, |reader| Ok(reader.clone()))?;
        let now = reader.wait(seen, how, Duration::from_nanos(at_most_ns));
        Ok(now.ok_or(gapless_status::TimedOut)?)
    })
}

thread_local! {
    /// Levels on their way to C: Rust refers to no memory of C's that may hold anything.
    static LEVELS: RefCell<[Vec<Level>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

fn copy(
    reader: gapless_reader,
    sides: Result<Sides, Failure>,
    depth: *mut gapless_depth,
    read: impl FnOnce(&BookReader, &mut [Level], &mut [Level]) -> Result<Copied, Failure>,
) -> gapless_status {
    boundary::call(|| {
        let (depth, sides) = (Place::of(depth)?, sides?);
        LEVELS.with(|levels| {
            let [bids, asks] = &mut *levels.borrow_mut();
            let [bids_room, asks_room] = sides.capacities();
            bids.resize(bids_room.min(DEPTH_MAX), Level::default());
            asks.resize(asks_room.min(DEPTH_MAX), Level::default());
            let copied = handles::with(reader, |reader| read(reader, bids, asks))?;
            let (bids, asks) = (bids.iter().take(copied.bids), asks.iter().take(copied.asks));
            sides.put(bids.copied(), asks.copied())?;
            depth.put((&copied).into());
            Ok(())
        })
    })
}

/// Room of the caller for the levels of a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    bids: Room<gapless_level>,
    asks: Room<gapless_level>,
}

impl Sides {
    /// Refuses what cannot be written to.
    pub(crate) fn of(
        bids: *mut gapless_level,
        bids_capacity: usize,
        asks: *mut gapless_level,
        asks_capacity: usize,
    ) -> Result<Self, Failure> {
        Ok(Self { bids: Room::of(bids, bids_capacity)?, asks: Room::of(asks, asks_capacity)? })
    }

    pub(crate) const fn capacities(self) -> [usize; 2] {
        [self.bids.capacity(), self.asks.capacity()]
    }

    /// Writes all of them, or none if either side does not fit.
    pub(crate) fn put(
        self,
        bids: impl ExactSizeIterator<Item = Level>,
        asks: impl ExactSizeIterator<Item = Level>,
    ) -> Result<(), Failure> {
        self.asks.holds(asks.len())?;
        self.bids.put(bids.map(Into::into))?;
        self.asks.put(asks.map(Into::into))
    }
}

pub(crate) fn refused(error: ReadError) -> Failure {
    match error {
        ReadError::NotLive(_) => gapless_status::NotLive.into(),
        ReadError::Busy => gapless_status::Busy.into(),
    }
}

fn busy(_: Busy) -> Failure {
    gapless_status::Busy.into()
}
