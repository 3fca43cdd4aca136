//! Records from one writer to one reader: in a ring that forgets the oldest, or the latest of each.
//!
//! ```text
//! RecordWriter ─► intent │ tail │ ring of records                    ─► RecordReader
//! LatestWriter ─► intent │ tail │ ring of places │ place: lock, count, record …  ─► LatestReader
//! ```
//! Invariant: the writer waits for nobody and loads nothing that the reader polls; the reader is
//! given whole records only, in their order, and is told of each one that it was not given.
//!
//! # Why the latest is never missed
//! A place is written before its number is appended to the ring, and the tail's release store
//! comes last: who meets the number finds that record or a later one. A reader that was overtaken
//! looks at every place, and then follows the ring from where it ended before it began to look.

use super::region::{Heap, LINE, PAIR, Region};
use super::ring::{self, RingWords, RingWriter};
use super::seqlock::{self, Lock, get, put};
use super::sync::AtomicU64;
use alloc::collections::TryReserveError;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Words of a record.
#[cfg(not(loom))]
pub const RECORD_WORDS: usize = 22;
/// Words of a record: so few that a model ends.
#[cfg(loom)]
pub const RECORD_WORDS: usize = 2;
/// A record.
pub type Record = [u64; RECORD_WORDS];

/// Most records, and most places, that one reader may ask for.
pub const RECORDS_MAX: usize = 1 << 20;

/// Slots of a record.
const RECORD_SLOTS: usize = RECORD_WORDS / 2;
/// Words before the slots: intent and tail, each in a pair of lines of its own.
const HEAD: usize = 2 * PAIR;
/// Words of a place: lock, count, record.
const PLACE: usize = (2 + RECORD_WORDS).next_multiple_of(LINE);

/// The memory of a ring, and a sign that its other end lives.
#[derive(Debug)]
struct Shared {
    heap: Arc<Heap>,
    /// Words of its slots.
    slots: usize,
    life: Arc<()>,
}

impl Shared {
    fn new(slots: usize, more: usize) -> Result<(Self, Self), TryReserveError> {
        let heap = Heap::try_new(HEAD + 2 * slots + more)?;
        let (heap, life) = (Arc::new(heap), Arc::new(()));
        let end = || Self { heap: heap.clone(), slots: 2 * slots, life: life.clone() };
        Ok((end(), end()))
    }

    #[inline(always)]
    fn ring(&self) -> Option<RingWords<'_>> {
        let (head, rest) = self.heap.words().split_at_checked(HEAD)?;
        let (slots, _) = rest.get(..self.slots)?.as_chunks();
        let (intent, tail) = (head.first()?, head.get(PAIR)?);
        (!slots.is_empty()).then_some(RingWords { intent, tail, slots })
    }

    #[inline(always)]
    fn place(&self, place: usize) -> Option<&[AtomicU64; 2 + RECORD_WORDS]> {
        let words = self.heap.words().get(HEAD + self.slots..)?;
        words.get(place.checked_mul(PLACE)?..)?.first_chunk()
    }

    fn has_other(&self) -> bool {
        Arc::strong_count(&self.life) > 1
    }

    /// As [`Shared::has_other`]; everything that the other did is visible once it has gone.
    fn has_ended(&mut self) -> bool {
        Arc::get_mut(&mut self.life).is_some()
    }
}

/// Tells without its reader whether a ring has something for it.
#[derive(Clone, Debug)]
pub struct Bell {
    heap: Arc<Heap>,
    position: u64,
}

impl Bell {
    /// Something was written since the bell was made.
    #[must_use]
    pub fn rings(&self) -> bool {
        self.heap.words().get(PAIR).is_some_and(|tail| get(tail) != self.position)
    }
}

/// The writer's end of a ring of records.
#[derive(Debug)]
pub struct RecordWriter {
    shared: Shared,
    ring: RingWriter,
}

impl RecordWriter {
    /// Appends a record, over the oldest if the ring is full.
    #[inline]
    pub fn push(&mut self, record: &Record) {
        let Some(words) = self.shared.ring() else { return };
        self.ring.append(words, RECORD_SLOTS, |words, from| {
            let (slots, _) = record.as_chunks();
            ring::store(words, from, slots, |slot| *slot);
        });
    }

    /// Whether anybody reads it.
    #[must_use]
    pub fn has_reader(&self) -> bool {
        self.shared.has_other()
    }
}

/// So many records were written over before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed(pub u64);

/// The reader's end of a ring of records.
#[derive(Debug)]
pub struct RecordReader {
    shared: Shared,
    /// Slots that it is behind at most.
    room: u64,
    position: u64,
}

/// A ring of so many records, 1..=[`RECORDS_MAX`]; a number out of these bounds is brought into
/// them.
///
/// # Errors
/// There is no such memory.
pub fn records(capacity: usize) -> Result<(RecordWriter, RecordReader), TryReserveError> {
    let room = capacity.clamp(1, RECORDS_MAX) * RECORD_SLOTS;
    let (writer, reader) = Shared::new(room.next_power_of_two(), 0)?;
    let ring = RingWriter::default();
    Ok((
        RecordWriter { shared: writer, ring },
        RecordReader { shared: reader, room: room as u64, position: 0 },
    ))
}

impl RecordReader {
    /// The next record, or how many were missed before it; `None` if there is none yet.
    #[inline]
    pub fn take(&mut self) -> Option<Result<Record, Missed>> {
        let words = self.shared.ring()?;
        let tail = ring::tail(words);
        if tail == self.position {
            return None;
        }
        let copied = if tail.wrapping_sub(self.position) > self.room {
            Err(ring::Overrun)
        } else {
            ring::read(words, self.position, tail, || copy(words, self.position))
        };
        let Ok(record) = copied else { return Some(Err(self.skip())) };
        self.position += RECORD_SLOTS as u64;
        Some(Ok(record))
    }

    /// Goes to the oldest record that is still there when the writer appends some more.
    #[cold]
    fn skip(&mut self) -> Missed {
        let slots = RECORD_SLOTS as u64;
        let tail = self.shared.ring().map_or(self.position, ring::tail);
        // An eighth is given up so that the next record is not overtaken as well.
        let keep = (self.room - self.room / 8).max(slots) / slots * slots;
        let to = tail.saturating_sub(keep).max(self.position + slots).min(tail);
        let missed = (to - self.position) / slots;
        self.position = to;
        Missed(missed)
    }

    /// Whether there is nothing left and the writer has gone.
    pub fn has_ended(&mut self) -> bool {
        self.shared.has_ended() && !self.bell().rings()
    }

    /// Tells when something comes after what was taken.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell { heap: self.shared.heap.clone(), position: self.position }
    }
}

#[inline(always)]
fn copy(words: RingWords<'_>, position: u64) -> Record {
    let mut record = [0; RECORD_WORDS];
    let (pairs, _) = record.as_chunks_mut::<2>();
    for (pair, slot) in pairs.iter_mut().zip(words.from(position)) {
        *pair = slot.each_ref().map(get);
    }
    record
}

/// A place of a [`LatestWriter`] as the writer knows it.
#[derive(Debug, Default)]
struct Kept {
    lock: Lock,
    count: u64,
}

/// The writer's end of places that each keep their latest record.
#[derive(Debug)]
pub struct LatestWriter {
    shared: Shared,
    ring: RingWriter,
    places: Vec<Kept>,
}

impl LatestWriter {
    /// Puts a record in a place, over the one that was there. A place that there is none of is
    /// left out.
    #[inline]
    pub fn put(&mut self, place: usize, record: &Record) {
        let Some(kept) = self.places.get_mut(place) else { return };
        let (Some(words), Some([lock, count, content @ ..])) =
            (self.shared.ring(), self.shared.place(place))
        else {
            return;
        };
        kept.lock.open(lock);
        kept.count += 1;
        put(count, kept.count);
        content.iter().zip(record).for_each(|(word, value)| put(word, *value));
        kept.lock.close(lock);
        self.ring.append(words, 1, |words, from| {
            ring::store(words, from, &[[place as u64, 0]], |slot| *slot);
        });
    }

    /// How many places there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// Whether anybody reads it.
    #[must_use]
    pub fn has_reader(&self) -> bool {
        self.shared.has_other()
    }
}

/// A record that was the latest of its place when it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Latest {
    /// The record.
    pub record: Record,
    /// Records of the same place that it has replaced since that place was last taken.
    pub replaced: u64,
}

/// The reader's end of places that each keep their latest record.
#[derive(Debug)]
pub struct LatestReader {
    shared: Shared,
    position: u64,
    /// Records of each place that were taken or replaced.
    seen: Vec<u64>,
    /// Places from here on are looked at one by one: the ring was not followed fast enough.
    sweep: usize,
}

/// So many places, 1..=[`RECORDS_MAX`]; a number out of these bounds is brought into them.
///
/// # Errors
/// There is no such memory.
pub fn latest(places: usize) -> Result<(LatestWriter, LatestReader), TryReserveError> {
    let places = places.clamp(1, RECORDS_MAX);
    let (writer, reader) = Shared::new((2 * places).next_power_of_two(), places * PLACE)?;
    let (mut kept, mut seen) = (Vec::new(), Vec::new());
    kept.try_reserve_exact(places)?;
    seen.try_reserve_exact(places)?;
    kept.resize_with(places, Kept::default);
    seen.resize(places, 0);
    Ok((
        LatestWriter { shared: writer, ring: RingWriter::default(), places: kept },
        LatestReader { shared: reader, position: 0, seen, sweep: places },
    ))
}

impl LatestReader {
    /// A record that was not taken yet and is the latest of its place; `None` if there is none.
    ///
    /// A place that is being written at this moment comes later.
    pub fn take(&mut self) -> Option<Latest> {
        loop {
            while self.sweep < self.seen.len() {
                match self.look_at(self.sweep) {
                    Ok(None) => self.sweep += 1,
                    Ok(latest) => return latest,
                    Err(seqlock::Busy) => return None,
                }
            }
            let words = self.shared.ring()?;
            let tail = ring::tail(words);
            if tail == self.position {
                return None;
            }
            let place = ring::read(words, self.position, tail, || {
                words.from(self.position).next().map_or(0, |[place, _]| get(place))
            });
            let Ok(place) = place else {
                (self.position, self.sweep) = (tail, 0);
                continue;
            };
            // Stays where it is until the place can be read.
            let found = self.look_at(place as usize).ok()?;
            self.position += 1;
            if found.is_some() {
                return found;
            }
        }
    }

    fn look_at(&mut self, place: usize) -> Result<Option<Latest>, seqlock::Busy> {
        let (Some(seen), Some([lock, count, content @ ..])) =
            (self.seen.get_mut(place), self.shared.place(place))
        else {
            return Ok(None);
        };
        let (count, record) = seqlock::read(lock, || {
            let mut record = [0; RECORD_WORDS];
            record.iter_mut().zip(content).for_each(|(to, word)| *to = get(word));
            (get(count), record)
        })?;
        let replaced = count.saturating_sub(*seen).saturating_sub(1);
        let is_new = count != core::mem::replace(seen, count);
        Ok(is_new.then_some(Latest { record, replaced }))
    }

    /// Whether there is nothing left and the writer has gone.
    pub fn has_ended(&mut self) -> bool {
        self.shared.has_ended() && !self.bell().rings()
    }

    /// Tells when something comes after what was taken.
    #[must_use]
    pub fn bell(&self) -> Bell {
        // Who is overtaken has more to look at.
        let position = if self.sweep < self.seen.len() { u64::MAX } else { self.position };
        Bell { heap: self.shared.heap.clone(), position }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn record(value: u64) -> Record {
        [value; RECORD_WORDS]
    }

    #[test]
    fn records_come_in_order_and_what_was_written_over_is_counted() {
        for capacity in [1, 2, 7, 8, 100] {
            let (mut writer, mut reader) = records(capacity).unwrap();
            assert!(reader.take().is_none());
            let (mut next, mut missed) = (0, 0);
            for round in 0..200u64 {
                let burst = round % (capacity as u64 + 3);
                let first = next + missed;
                (0..burst).for_each(|at| writer.push(&record(first + at)));
                let fits = burst <= capacity as u64;
                let mut lost = 0;
                while let Some(taken) = reader.take() {
                    match taken {
                        Ok(taken) => {
                            assert_eq!(taken, record(next + missed));
                            next += 1;
                        }
                        Err(Missed(count)) => {
                            lost += count;
                            missed += count;
                        }
                    }
                }
                assert_eq!(next + missed, first + burst, "each was given or missed");
                assert_eq!(lost == 0, fits, "{burst} of {capacity}");
            }
        }
    }

    #[test]
    fn the_latest_of_each_place_is_given_once_however_many_were_put() {
        for places in [1, 3, 64] {
            let (mut writer, mut reader) = latest(places).unwrap();
            let mut replaced = 0;
            for round in 1..=500u64 {
                writer.put(round as usize % places, &record(round));
                writer.put(places, &record(0));
            }
            let mut given = Vec::new();
            while let Some(latest) = reader.take() {
                replaced += latest.replaced;
                given.push(latest.record[0]);
            }
            given.sort_unstable();
            let last: Vec<u64> = (501 - places as u64..=500).collect();
            assert_eq!(given, last);
            assert_eq!(replaced, 500 - places as u64);
            writer.put(0, &record(7));
            let one = reader.take().map(|latest| (latest.record, latest.replaced));
            assert_eq!(one, Some((record(7), 0)));
            assert!(reader.take().is_none());
        }
    }

    #[test]
    fn either_end_knows_that_the_other_has_gone_and_nothing_is_lost_with_it() {
        let (mut writer, mut reader) = records(4).unwrap();
        assert!(writer.has_reader() && !reader.has_ended());
        let bell = reader.bell();
        assert!(!bell.rings());
        writer.push(&record(1));
        assert!(bell.rings());
        drop(writer);
        assert!(!reader.has_ended(), "one is left");
        assert_eq!(reader.take(), Some(Ok(record(1))));
        assert!(reader.has_ended());
        let (writer, reader) = latest(4).unwrap();
        drop(reader);
        assert!(!writer.has_reader());
    }
}
