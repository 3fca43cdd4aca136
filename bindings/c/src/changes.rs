//! Changes of a book, each once, in the order in which they were published.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Place};
use crate::handles;
use crate::reader::Sides;
use crate::types::{
    gapless_change, gapless_change_kind, gapless_changes, gapless_level, gapless_reader,
    gapless_status,
};
use gapless::Memory;
use gapless::book::publish::{ChangeSet, Changes, Lapped};
use std::sync::{Arc, Mutex};

/// A place in the log of a book's changes.
#[derive(Debug)]
pub(crate) struct Follower {
    changes: Changes<Arc<Memory>>,
    record: ChangeSet,
    /// The record was read, but did not fit where it was wanted.
    is_pending: bool,
}

/// Follows the changes of a book from now on. GAPLESS_STATUS_NOT_PUBLISHED if the book is published
/// without them. `*changes` is the caller's, to be freed once; it outlives the reader.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reader_changes(
    reader: gapless_reader,
    changes: *mut gapless_changes,
) -> gapless_status {
    handles::made(changes, || {
        let changes = handles::with(reader, |reader| {
            let has_log = reader.publication().config().ring > 0;
            if has_log { Ok(reader.changes()) } else { Err(gapless_status::NotPublished.into()) }
        })?;
        let follower = Follower { changes, record: ChangeSet::default(), is_pending: false };
        Ok(Box::new(Mutex::new(follower)))
    })
}

/// Copies the next change: its bids, its asks, and in `*change` how many they are, what they do and
/// what may be thought of the book. Never blocks.
///
/// GAPLESS_STATUS_NOTHING_NEW if there is none yet. GAPLESS_STATUS_TOO_SMALL if it does not fit:
/// then `*change` says how much room is needed, and the next call gives the same change again.
/// GAPLESS_STATUS_LAPPED if the writer was faster by more than its log: what was missed is lost,
/// the next call goes on with what is published from now on, and who follows levels takes the whole
/// book anew: gapless_replica_refresh(). Changes that come after that may be in the copy already;
/// they are absolute, so that applying them again is right.
///
/// Threads that share it take turns, and each change is given to one of them.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_changes_read(
    changes: gapless_changes,
    bids: *mut gapless_level,
    bids_capacity: usize,
    asks: *mut gapless_level,
    asks_capacity: usize,
    change: *mut gapless_change,
) -> gapless_status {
    boundary::call(|| {
        let place = Place::of(change)?;
        let sides = Sides::of(bids, bids_capacity, asks, asks_capacity)?;
        handles::alone(changes, |follower| {
            if !follower.is_pending {
                let read = follower.changes.read(&mut follower.record);
                follower.is_pending = read.map_err(|Lapped| gapless_status::Lapped)?;
            }
            if !follower.is_pending {
                return Err(gapless_status::NothingNew.into());
            }
            let ChangeSet { kind, status, bids, asks } = &follower.record;
            place.put(gapless_change {
                standing: status.into(),
                bids: bids.len(),
                asks: asks.len(),
                kind: gapless_change_kind::from(*kind) as u8,
            });
            sides.put(bids.iter().copied(), asks.iter().copied())?;
            follower.is_pending = false;
            Ok(())
        })
    })
}

/// Frees it.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_changes_free(changes: gapless_changes) -> gapless_status {
    boundary::call(|| handles::free(changes))
}
