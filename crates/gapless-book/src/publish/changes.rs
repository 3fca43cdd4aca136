//! Every change of levels and state, one record a publication, in the order in which they happened.
//!
//! A record is a head of three slots (what it is, how many levels, the status) and a slot for each
//! level: bids in their order, then asks in theirs. A level says what now stands at a price.

use super::reader::Reader;
use super::region::Region;
use super::ring::{self, Overrun, RingWords, RingWriter, Slot};
use super::seqlock::get;
use super::status::{Status, StatusWords};
use crate::event::Level;
use alloc::vec::Vec;

/// Slots of a record before its levels.
const HEAD_SLOTS: usize = 3;

/// Largest records for which the log has room: the place of a checkpoint outlives three.
const RECORDS_MIN: usize = 4;

/// Most levels of a record in a log of so many slots.
pub(super) const fn room(slots: usize) -> usize {
    (slots / RECORDS_MIN).saturating_sub(HEAD_SLOTS)
}

/// What a record of changes does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// Some levels changed, or none and only the status did.
    Delta = 0,
    /// Levels of before are void; these are all.
    Reset = 1,
    /// Levels of before are void, and the new ones are too many for a record: who follows levels
    /// takes a copy ([`Replica`](super::Replica) does).
    Resync = 2,
}

impl ChangeKind {
    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Delta,
            1 => Self::Reset,
            _ => Self::Resync,
        }
    }
}

/// What one publication changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// What it does.
    pub kind: ChangeKind,
    /// What may be thought of the book from here on.
    pub status: Status,
    /// Bids that changed, with their new sizes; size 0: gone.
    pub bids: Vec<Level>,
    /// Asks that changed.
    pub asks: Vec<Level>,
}

impl Default for ChangeSet {
    fn default() -> Self {
        let (kind, status) = (ChangeKind::Delta, Status::new(0));
        Self { kind, status, bids: Vec::new(), asks: Vec::new() }
    }
}

/// The reader was overtaken by the writer and has missed changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapped;

impl core::fmt::Display for Lapped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the writer has overtaken this reader: changes were missed")
    }
}

impl core::error::Error for Lapped {}

/// Appends a record.
#[inline]
pub(super) fn append(
    ring: &mut RingWriter,
    words: RingWords<'_>,
    kind: ChangeKind,
    status: &StatusWords,
    (bids, asks): (&[Level], &[Level]),
) {
    let counts = kind as u64 | (bids.len() as u64) << 8 | (asks.len() as u64) << 36;
    let [standing, seq, recv, venue, published] = *status;
    let head = [[counts, standing], [seq, recv], [venue, published]];
    let len = HEAD_SLOTS + bids.len() + asks.len();
    ring.append(words, len, |words, position| {
        let pair = |level: &Level| [level.price as u64, level.qty as u64];
        ring::store(words, position, &head, |slot| *slot);
        let position = position + HEAD_SLOTS as u64;
        ring::store(words, position, bids, pair);
        ring::store(words, position + bids.len() as u64, asks, pair);
    });
}

/// Follows the changes of one publication; each reader has its own.
#[derive(Clone, Debug)]
pub struct Changes<R: Region> {
    reader: Reader<R>,
    position: u64,
}

impl<R: Region> Changes<R> {
    /// From the present end of the log on.
    pub(super) fn from_now(reader: Reader<R>) -> Self {
        let position = reader.ring().map_or(0, ring::tail);
        Self { reader, position }
    }

    /// Copies the next record; `false` if there is none yet.
    ///
    /// Allocates only until `into` has room for the largest record.
    ///
    /// # Errors
    /// The writer was faster by more than the ring. What was missed is lost; the next call goes on
    /// with what is published from now on. Whoever follows levels must then take a whole copy of
    /// the book that is not older: [`Replica`](super::Replica) does all of that.
    pub fn read(&mut self, into: &mut ChangeSet) -> Result<bool, Lapped> {
        let Some(words) = self.reader.ring() else { return Ok(false) };
        let tail = ring::tail(words);
        match read_record(words, self.position, tail, into) {
            Ok(next) => {
                let found = next != self.position;
                self.position = next;
                Ok(found)
            }
            Err(Overrun) => {
                self.position = tail;
                Err(Lapped)
            }
        }
    }
}

/// Copies the record at a position and says where the next one begins.
pub(super) fn read_record(
    words: RingWords<'_>,
    position: u64,
    tail: u64,
    into: &mut ChangeSet,
) -> Result<u64, Overrun> {
    if position == tail {
        return Ok(position);
    }
    let (status, len) = ring::read(words, position, tail, || {
        let mut slots = words.from(position);
        let mut pair = || slots.next().map_or([0; 2], |slot| slot.each_ref().map(get));
        let [[counts, standing], [seq, recv], [venue, published]] = [pair(), pair(), pair()];
        // Torn counts may be anything; more than a record holds is not copied, and then dropped.
        let room = room(words.slots.len());
        let bids = ((counts >> 8) as usize & 0xfff_ffff).min(room);
        let asks = ((counts >> 36) as usize).min(room - bids);
        into.kind = ChangeKind::from_code(counts as u8);
        copy(&mut slots, bids, &mut into.bids);
        copy(&mut slots, asks, &mut into.asks);
        ([standing, seq, recv, venue, published], HEAD_SLOTS + bids + asks)
    })?;
    into.status = Status::decode(status);
    Ok(position.wrapping_add(len as u64))
}

#[inline]
fn copy<'a>(slots: &mut impl Iterator<Item = &'a Slot>, count: usize, into: &mut Vec<Level>) {
    into.clear();
    into.extend(
        slots
            .take(count)
            .map(|[price, qty]| Level { price: get(price) as i64, qty: get(qty) as i64 }),
    );
}
