//! What a template's tag means: whose book it is, and how its numbers become a message.

use crate::books::BookId;
use crate::kernel::Shape;
use crate::template::{self, Fields, Mark, Slot};
use gapless_book::event::{
    BookKind, BookMessage, Event, Flags, Level, NO_TIME, SeqInfo, TimeUnit, Times,
};

/// Integers above this are microseconds, below milliseconds (protocols.md 1.1).
const MICRO_FROM: i64 = 1_000_000_000_000_000;

/// A kind of book frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Learned {
    pub book: BookId,
    pub flags: Flags,
    kind: BookKind,
    depth_limit: Option<u16>,
    unit: TimeUnit,
    /// The times are written as text, which a template reads as nanoseconds.
    text_times: bool,
    /// Numbers that the template does not mark because they never change (`null`, absent).
    fixed: SeqInfo,
}

impl Learned {
    /// What a frame that was read in general teaches; `None` if its numbers could not be put
    /// together again from the marks.
    pub fn new(
        book: BookId,
        event: &Event<'_>,
        message: &BookMessage<'_>,
        frame: &[u8],
        marks: &[Mark],
    ) -> Option<Self> {
        // The general parser reads more ways to write a number (`-0`, `"007"`) than a template,
        // which would give none in its place.
        if !marks.iter().all(|mark| template::reads(frame, mark)) {
            return None;
        }
        let time = marks.iter().find(|mark| mark.slot == Slot::VenueTime);
        let text_times = time.is_some_and(|mark| {
            let text = frame.get(mark.start as usize..mark.end as usize);
            // A date has dashes inside; at the front it is the sign of a number.
            text.is_none_or(|text| text.iter().skip(1).any(|byte| *byte == b'-'))
        });
        let unmarked = |slot| !marks.iter().any(|mark| mark.slot == slot);
        let seq = message.seq;
        Some(Self {
            book,
            flags: event.flags,
            kind: message.kind,
            depth_limit: message.depth_limit,
            unit: event.times.unit,
            text_times,
            fixed: SeqInfo {
                first: seq.first.filter(|_| unmarked(Slot::First)),
                last: seq.last.filter(|_| unmarked(Slot::Last)),
                prev: seq.prev.filter(|_| unmarked(Slot::Prev)),
                cross: seq.cross.filter(|_| unmarked(Slot::Cross)),
                checksum: seq.checksum.filter(|_| unmarked(Slot::Checksum)),
            },
        })
    }

    /// The message that a template read. `None` where a number means something else than in the
    /// frame that taught it.
    #[inline]
    pub fn message<'a>(
        &self,
        fields: &Fields,
        levels: &'a [Level],
        recv_ns: i64,
    ) -> Option<(BookMessage<'a>, Times)> {
        let venue_ns = self.time(fields.get(Slot::VenueTime))?;
        let times = Times {
            venue_ns,
            engine_ns: self.time(fields.get(Slot::EngineTime))?,
            recv_ns: fields.get(Slot::LocalTime).unwrap_or(recv_ns),
            // What has no time has no unit.
            unit: if venue_ns == NO_TIME { TimeUnit::default() } else { self.unit },
        };
        let checksum = match fields.get(Slot::Checksum) {
            Some(sum) => Some(i32::try_from(sum).ok()?),
            None => self.fixed.checksum,
        };
        let seq = SeqInfo {
            first: fields.get(Slot::First).or(self.fixed.first),
            last: fields.get(Slot::Last).or(self.fixed.last),
            prev: fields.get(Slot::Prev).or(self.fixed.prev),
            cross: fields.get(Slot::Cross).or(self.fixed.cross),
            checksum,
        };
        let message = BookMessage {
            kind: self.kind,
            seq,
            scales: fields.scales,
            bids: levels.get(fields.bids.clone())?,
            asks: levels.get(fields.asks.clone())?,
            extras: &[],
            depth_limit: self.depth_limit,
        };
        Some((message, times))
    }

    #[inline]
    fn time(&self, raw: Option<i64>) -> Option<i64> {
        let Some(raw) = raw else { return Some(NO_TIME) };
        if self.text_times {
            return Some(raw);
        }
        if raw <= 0 {
            // As the general parser has it: before 1970 there is no time.
            return Some(NO_TIME);
        }
        let micro = raw > MICRO_FROM;
        match self.unit {
            TimeUnit::Milli if !micro => raw.checked_mul(1_000_000),
            TimeUnit::Micro if micro => raw.checked_mul(1000),
            _ => None,
        }
    }
}

/// How the levels of a frame are written, told from the first one; `None` if both lists are empty.
pub(crate) fn shape_of(frame: &[u8], marks: &[Mark]) -> Option<Shape> {
    marks
        .iter()
        .filter(|mark| matches!(mark.slot, Slot::Bids | Slot::Asks))
        .filter_map(|mark| frame.get(mark.start as usize..mark.end as usize))
        .find_map(first_level_shape)
}

/// Told strictly: a level that only looks like one of a shape (`[1e5,2,3]`) would let a template
/// read levels that the general parser refuses in this kind of frame.
fn first_level_shape(list: &[u8]) -> Option<Shape> {
    let inner = list.get(1..)?;
    match inner {
        [b'{', ..] => Some(Shape::PriceAmount),
        [b'[', b'"', first, ..] => {
            let level = inner.split(|byte| *byte == b']').next()?;
            match (first, level.iter().filter(|byte| **byte == b',').count()) {
                (b'n' | b'c' | b'd', 2) => Some(Shape::ActionTriples),
                (b'0'..=b'9', 1) => Some(Shape::QuotedPairs),
                (b'0'..=b'9', 2..) => Some(Shape::QuotedQuads),
                _ => None,
            }
        }
        _ => None,
    }
}
