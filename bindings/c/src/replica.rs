//! Whole books on the reader's side.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure, Place};
use crate::handles;
use crate::reader::Sides;
use crate::types::{gapless_depth, gapless_level, gapless_reader, gapless_replica, gapless_status};
use gapless::book::publish::{Copied, FullDepth, RefreshError, Replica};
use gapless::{Memory, clock};
use std::sync::{Arc, Mutex};

/// Makes a copy of the whole book, which is empty until it is refreshed. `*replica` is the
/// caller's, to be freed once; it outlives the reader.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_replica(
    reader: gapless_reader,
    replica: *mut gapless_replica,
) -> gapless_status {
    handles::made(replica, || {
        handles::with(reader, |reader| Ok(Box::new(Mutex::new(reader.replica()))))
    })
}

/// Brings the copy up to date and writes how many levels it has. Costs what changed since the last
/// time; the first time, and after having been overtaken, what the book holds. Never blocks.
///
/// GAPLESS_STATUS_BUSY if the writer was faster at every try: try again. GAPLESS_STATUS_TOO_DEEP or
/// GAPLESS_STATUS_NOT_PUBLISHED if the publication has not the whole book.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_replica_refresh(
    replica: gapless_replica,
    bids: *mut usize,
    asks: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let (bids, asks) = (Place::of(bids)?, Place::of(asks)?);
        handles::alone(replica, |replica| {
            replica.refresh().map_err(refused)?;
            let known = replica.last_known().ok_or(gapless_status::Busy)?;
            bids.put(known.bids.len());
            asks.put(known.asks.len());
            Ok(())
        })
    })
}

/// Copies the best levels of the book as of the last gapless_replica_refresh(), as
/// gapless_reader_depth() does, if both it and the publication are live now.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_replica_depth(
    replica: gapless_replica,
    bids: *mut gapless_level,
    bids_capacity: usize,
    asks: *mut gapless_level,
    asks_capacity: usize,
    depth: *mut gapless_depth,
) -> gapless_status {
    let sides = Sides::of(bids, bids_capacity, asks, asks_capacity);
    copy(replica, sides, depth, |replica| replica.live(clock::now_ns()).map_err(refused))
}

/// As gapless_replica_depth(), whatever the state. GAPLESS_STATUS_BUSY if no refresh has succeeded.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_replica_last_known_depth(
    replica: gapless_replica,
    bids: *mut gapless_level,
    bids_capacity: usize,
    asks: *mut gapless_level,
    asks_capacity: usize,
    depth: *mut gapless_depth,
) -> gapless_status {
    let sides = Sides::of(bids, bids_capacity, asks, asks_capacity);
    copy(replica, sides, depth, |replica| {
        replica.last_known().ok_or_else(|| gapless_status::Busy.into())
    })
}

/// Frees it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_replica_free(replica: gapless_replica) -> gapless_status {
    boundary::call(|| handles::free(replica))
}

fn copy(
    replica: gapless_replica,
    sides: Result<Sides, Failure>,
    depth: *mut gapless_depth,
    read: impl FnOnce(&Replica<Arc<Memory>>) -> Result<FullDepth<'_>, Failure>,
) -> gapless_status {
    boundary::call(|| {
        let (depth, sides) = (Place::of(depth)?, sides?);
        handles::alone(replica, |replica| {
            let known = read(replica)?;
            let [bids_room, asks_room] = sides.capacities();
            let bids: Vec<_> = known.bids.iter().take(bids_room).collect();
            let asks: Vec<_> = known.asks.iter().take(asks_room).collect();
            let copied = Copied { status: *known.status, bids: bids.len(), asks: asks.len() };
            sides.put(bids.into_iter(), asks.into_iter())?;
            depth.put((&copied).into());
            Ok(())
        })
    })
}

fn refused(error: RefreshError) -> Failure {
    let status = match error {
        RefreshError::NotLive(_) => gapless_status::NotLive,
        RefreshError::Busy => gapless_status::Busy,
        RefreshError::TooDeep => gapless_status::TooDeep,
        RefreshError::NotPublished => gapless_status::NotPublished,
        _ => gapless_status::Internal,
    };
    status.into()
}
