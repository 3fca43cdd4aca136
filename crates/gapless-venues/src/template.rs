//! Header templates: a book frame whose fixed bytes were seen before is compared, not parsed.
//!
//! The general parser reads the first frame of a kind and says where its numbers and level arrays
//! stood ([`Mark`]s). Everything else becomes literal. The one invariant: a [`Template`] reads
//! only frames that differ from its own in those places, so every other byte means what the
//! general parser found it to mean; one different byte, and the general parser decides again.

use crate::kernel::{self, Arrays, Between, Frame, Isa, Shape};
use crate::layout::Layout;
use crate::swar::{self, above_nine};
use gapless_book::event::{Level, Scales};
use std::ops::Range;

/// What a number or array in a book frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Publication time: an integer in the venue's unit, or ISO 8601 text (Tardis).
    VenueTime,
    /// Matching-engine time, as `VenueTime`.
    EngineTime,
    /// Time at which a recorder received the message, as `VenueTime`.
    LocalTime,
    /// First id covered.
    First,
    /// Last id covered.
    Last,
    /// Last id of the message before.
    Prev,
    /// Sequence across channels.
    Cross,
    /// Checksum.
    Checksum,
    /// The array of bids.
    Bids,
    /// The array of asks.
    Asks,
}

/// Number of slots that hold one number: all before [`Slot::Bids`].
const NUMBERS: usize = Slot::Bids as usize;

/// Where one of them stood: byte offsets, end exclusive, quotes of a number not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// What it is.
    pub slot: Slot,
}

/// Most parts of a frame: one before each array, one after them.
const PARTS_MAX: usize = 3;

/// Longest frame part outside the marks that is learned; real headers have some 200 bytes.
const LITERALS_MAX: usize = 2_048;

/// Bytes compared at once.
const CHUNK: usize = 16;

/// What a template read from a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    numbers: [i64; NUMBERS],
    /// Bit = slot.
    present: u16,
    /// Where the bids stand in the levels read; empty if the kind of frame has none.
    pub bids: Range<usize>,
    /// As `bids`.
    pub asks: Range<usize>,
    /// What the template was learned with.
    pub tag: u32,
    /// Scales of the levels.
    pub scales: Scales,
}

impl Fields {
    /// The number in `slot`; `None` if this kind of frame has none. Times written as ISO 8601 are
    /// nanoseconds since the epoch, all others are in the venue's unit.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<i64> {
        let index = slot as usize;
        let number = self.numbers.get(index).copied()?;
        (self.present >> index & 1 == 1).then_some(number)
    }

    #[inline]
    fn set_levels(&mut self, slot: Slot, range: Range<usize>) {
        if slot == Slot::Bids { self.bids = range } else { self.asks = range }
    }

    #[inline]
    pub(crate) fn set(&mut self, slot: Slot, number: i64) {
        let index = slot as usize;
        if let Some(place) = self.numbers.get_mut(index) {
            *place = number;
            self.present |= 1 << index;
        }
    }
}

/// How the text in a mark is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Integer,
    /// With its length: it tells the unit.
    Iso {
        len: u8,
    },
    Levels,
}

/// Literal bytes, then a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    literal: Literal,
    slot: Slot,
    form: Form,
}

/// A place in the literal bytes of a template; at least [`CHUNK`] more bytes follow there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Literal {
    start: u32,
    len: u32,
}

/// The pieces up to a level array or the end of the frame.
#[derive(Clone, Debug, Default)]
struct Part {
    pieces: Vec<Piece>,
    /// What follows the last number.
    tail: Literal,
    /// The array that follows; the frame ends here if there is none.
    array: Option<Slot>,
    /// What stands between that and the next one, if it has no number and is short.
    between: Option<Between>,
    layout: Layout,
}

/// A learned kind of frame.
#[derive(Clone, Debug)]
pub struct Template {
    /// The literal bytes of all parts, then [`CHUNK`] zeros.
    literals: Vec<u8>,
    parts: [Part; PARTS_MAX],
    arrays: Arrays,
    /// Bytes behind the second array in the frame before: there the next one's end is looked for,
    /// to see if it is empty.
    behind: usize,
    tag: u32,
}

impl Template {
    /// Learns from a frame that the general parser has accepted and the places that it noted, in
    /// any order. `tag` is the caller's name for what the frame's literal bytes mean (symbol,
    /// channel, snapshot or delta); `scales` are those at which levels shall come out.
    ///
    /// A mark that covers something else than its slot may hold (`null`) stays literal. `None`:
    /// marks that overlap, leave the frame or repeat a slot, or more than 2 048 bytes outside them.
    #[must_use]
    pub fn learn(
        frame: &[u8],
        marks: &[Mark],
        shape: Shape,
        tag: u32,
        scales: Scales,
    ) -> Option<Self> {
        let mut template = Self::blank();
        template.relearn(frame, marks, shape, tag, scales).then_some(template)
    }

    /// A template that reads nothing.
    pub(crate) fn blank() -> Self {
        Self {
            literals: Vec::new(),
            parts: Default::default(),
            arrays: Arrays::new(Shape::QuotedPairs, Scales::default()),
            behind: 0,
            tag: 0,
        }
    }

    /// [`Template::learn`] into this one's memory; what it knew is lost. Says whether it worked.
    pub(crate) fn relearn(
        &mut self,
        frame: &[u8],
        marks: &[Mark],
        shape: Shape,
        tag: u32,
        scales: Scales,
    ) -> bool {
        self.literals.clear();
        for part in &mut self.parts {
            part.pieces.clear();
            (part.array, part.between) = (None, None);
            part.layout.forget();
        }
        (self.arrays, self.tag) = (Arrays::new(shape, scales), tag);
        self.cut(frame, marks).is_some() && {
            self.join();
            true
        }
    }

    /// Notes what stands between the two arrays, if both may be read at once.
    fn join(&mut self) {
        let [first, second, _] = &mut self.parts;
        if second.array.is_some() && second.pieces.is_empty() {
            let text = second.tail.of(&self.literals);
            first.between = text.and_then(|text| Between::new(self.arrays.shape, text));
        }
    }

    /// Cuts the frame at the marks.
    fn cut(&mut self, frame: &[u8], marks: &[Mark]) -> Option<()> {
        let mut order = [None; NUMBERS + 2];
        for mark in marks {
            // Each slot has its own place, so a repeated one is seen here.
            let place = order.get_mut(mark.slot as usize)?;
            if place.replace(*mark).is_some() {
                return None;
            }
        }
        order.sort_unstable_by_key(|mark| mark.map_or(u32::MAX, |mark: Mark| mark.start));
        let Self { literals, parts, .. } = self;
        let mut parts = parts.iter_mut();
        let mut part = parts.next()?;
        let mut at = 0;
        for mark in order.iter().flatten() {
            let literal = frame.get(at..mark.start as usize)?;
            let text = frame.get(mark.start as usize..mark.end as usize)?;
            // What is no number (`null`) stays literal, and the slot absent.
            let Some(form) = form_of(mark.slot, text) else { continue };
            let literal = keep(literals, literal)?;
            if form == Form::Levels {
                (part.tail, part.array) = (literal, Some(mark.slot));
                part = parts.next()?;
            } else {
                part.pieces.push(Piece { literal, slot: mark.slot, form });
            }
            at = mark.end as usize;
        }
        part.tail = keep(literals, frame.get(at..)?)?;
        literals.extend_from_slice(&[0; CHUNK]);
        Some(())
    }

    /// Reads a frame of this kind; its levels are appended to `out`.
    ///
    /// `None`, with `out` as it was: a literal byte differs, or a number or array is not of the
    /// plain form that the fast path takes.
    #[inline]
    pub fn read(&mut self, isa: Isa, frame: Frame<'_>, out: &mut Vec<Level>) -> Option<Fields> {
        let before = out.len();
        let fields = self.read_parts(isa, frame, out);
        if fields.is_none() {
            out.truncate(before);
        }
        fields
    }

    #[inline]
    fn read_parts(&mut self, isa: Isa, frame: Frame<'_>, out: &mut Vec<Level>) -> Option<Fields> {
        let mut fields = Fields { tag: self.tag, scales: self.arrays.scales, ..Fields::default() };
        let mut at = 0;
        let (arrays, mut parts) = (&mut self.arrays, self.parts.iter_mut());
        let behind = self.behind;
        let joins = |_: &&Between| kernel::joins(isa) && !ends_empty(frame, behind);
        while let Some(part) = parts.next() {
            at = match part.layout.read(isa, frame, at, &mut fields) {
                Some(end) => end,
                None => part.read(&self.literals, frame, at, &mut fields)?,
            };
            let Some(slot) = part.array else { break };
            let from = out.len();
            if let Some(between) = part.between.as_ref().filter(joins)
                && let Some((first, end)) = kernel::both(isa, arrays, frame, at, between, out)
            {
                fields.set_levels(slot, from..from + first);
                fields.set_levels(parts.next()?.array?, from + first..out.len());
                at = end;
                continue;
            }
            at = kernel::levels(isa, arrays, frame, at, out)?;
            fields.set_levels(slot, from..out.len());
            self.behind = frame.len() - at;
        }
        (at == frame.len()).then_some(fields)
    }

    /// Whether both read the same frames to the same slots.
    pub(crate) fn same_kind(&self, other: &Self) -> bool {
        let same = |(ours, theirs): (&Part, &Part)| {
            ours.pieces == theirs.pieces && ours.tail == theirs.tail && ours.array == theirs.array
        };
        self.arrays.shape == other.arrays.shape
            && self.literals == other.literals
            && self.parts.iter().zip(&other.parts).all(same)
    }

    /// What it was learned with.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// Levels come out at these scales from now on.
    pub const fn set_scales(&mut self, scales: Scales) {
        self.arrays.scales = scales;
    }
}

/// Whether an empty array ends so many bytes before the frame's end.
#[inline]
fn ends_empty(frame: Frame<'_>, behind: usize) -> bool {
    let bytes = frame.bytes();
    bytes.get(..bytes.len().wrapping_sub(behind)).is_some_and(|bytes| bytes.ends_with(b"[]"))
}

/// Adds literal bytes; returns their place.
fn keep(literals: &mut Vec<u8>, literal: &[u8]) -> Option<Literal> {
    let start = u32::try_from(literals.len()).ok()?;
    literals.extend_from_slice(literal);
    let len = u32::try_from(literal.len()).ok()?;
    (literals.len() <= LITERALS_MAX).then_some(Literal { start, len })
}

impl Part {
    /// Reads the part piece by piece; numbers may have any length. Returns the offset after it.
    #[inline(never)]
    fn read(
        &mut self,
        literals: &[u8],
        frame: Frame<'_>,
        from: usize,
        fields: &mut Fields,
    ) -> Option<usize> {
        let end = self.walk(literals, frame, from, |slot, number, _| fields.set(slot, number))?;
        if self.layout.missed() {
            let mut spans = [(Slot::VenueTime, 0, 0); NUMBERS];
            let mut rest = spans.iter_mut();
            self.walk(literals, frame, from, |slot, _, range| {
                if let Some(span) = rest.next() {
                    *span = (slot, range.start, range.end);
                }
            })?;
            let spans = spans.get(..self.pieces.len())?;
            self.layout.fit(frame.bytes().get(..end)?, from, spans);
        }
        Some(end)
    }

    /// Compares and reads the pieces, gives each number and its place to `each`, and returns the
    /// offset after the part.
    #[inline(always)]
    fn walk(
        &self,
        literals: &[u8],
        frame: Frame<'_>,
        from: usize,
        mut each: impl FnMut(Slot, i64, Range<usize>),
    ) -> Option<usize> {
        let mut at = from;
        for piece in &self.pieces {
            at = piece.literal.compare(literals, frame, at)?;
            let text = frame.padded().get(at..)?;
            let (number, len) = match piece.form {
                Form::Iso { len } => iso_nanos(text).filter(|(_, end)| *end == usize::from(len))?,
                Form::Integer | Form::Levels => integer(text)?,
            };
            each(piece.slot, number, at..at + len);
            at += len;
        }
        self.tail.compare(literals, frame, at)
    }
}

impl Literal {
    /// Its bytes.
    fn of(self, literals: &[u8]) -> Option<&[u8]> {
        literals.get(self.start as usize..)?.get(..self.len as usize)
    }

    /// The offset after the literal, which must stand at `at`.
    #[inline]
    fn compare(self, literals: &[u8], frame: Frame<'_>, at: usize) -> Option<usize> {
        let len = self.len as usize;
        let (theirs, ours) = (frame.padded().get(at..)?, literals.get(self.start as usize..)?);
        let mut done = 0;
        while done + CHUNK <= len {
            if chunk(theirs, done)? != chunk(ours, done)? {
                return None;
            }
            done += CHUNK;
        }
        // Both sides have bytes to spare behind the literal.
        let differing = chunk(theirs, done)? ^ chunk(ours, done)?;
        let wanted = !(u128::MAX << (8 * (len - done)));
        (differing & wanted == 0).then_some(at + len)
    }
}

/// Whether a template reads the text that a mark covers; it stays literal otherwise.
pub(crate) fn reads(frame: &[u8], mark: &Mark) -> bool {
    let text = frame.get(mark.start as usize..mark.end as usize);
    text.is_some_and(|text| form_of(mark.slot, text).is_some())
}

/// How the marked text is written, if it is what its slot may hold.
fn form_of(slot: Slot, text: &[u8]) -> Option<Form> {
    if matches!(slot, Slot::Bids | Slot::Asks) {
        return (text.first() == Some(&b'[')).then_some(Form::Levels);
    }
    let mut padded = [0; 2 * CHUNK + 8];
    padded.get_mut(..text.len())?.copy_from_slice(text);
    let whole = |read: Option<(i64, usize)>| read.is_some_and(|(_, end)| end == text.len());
    if whole(integer(&padded)) {
        return Some(Form::Integer);
    }
    let len = u8::try_from(text.len()).ok()?;
    whole(iso_nanos(&padded)).then_some(Form::Iso { len })
}

/// [`CHUNK`] bytes at `at`.
#[inline]
fn chunk(bytes: &[u8], at: usize) -> Option<u128> {
    bytes.get(at..)?.first_chunk().map(|bytes| u128::from_le_bytes(*bytes))
}

/// The integer at the start of `text` and its length. No superfluous zero, no `-0`, `i64` only.
#[inline]
fn integer(text: &[u8]) -> Option<(i64, usize)> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(negative)..)?;
    let (magnitude, len) = kernel::leading_integer(digits)?;
    if digits.first() == Some(&b'0') && (len > 1 || negative) {
        return None;
    }
    let value = if negative { -magnitude } else { magnitude };
    Some((value, len + usize::from(negative)))
}

/// Nanoseconds since the epoch of the ISO 8601 text at the start of `text`, and its length.
/// `2026-11-20T20:40:31Z` with 0 to 9 decimals of the second; always UTC.
pub(crate) fn iso_nanos(text: &[u8]) -> Option<(i64, usize)> {
    iso_nanos_near(text, &mut IsoDate::default())
}

/// The date of an ISO 8601 time that was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IsoDate {
    text: [u8; 10],
    /// Days since the epoch.
    days: i64,
}

/// As [`iso_nanos`], where the date is most likely the one of the time before.
#[inline]
pub(crate) fn iso_nanos_near(text: &[u8], date: &mut IsoDate) -> Option<(i64, usize)> {
    let today = text.first_chunk()?;
    if *today != date.text {
        *date = IsoDate { text: *today, days: iso_days(text)? };
    }
    let [_, _, _, hour, _, _, minute, _] = pairs(text, 8, b"00T00:00")?;
    let second = pairs(text, 11, b"00:00:00")?[6];
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, len) = second_fraction(text.get(19..)?)?;
    let seconds = ((date.days * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?, 19 + len))
}

/// Days since the epoch of the date at the start of `text`.
#[cold]
fn iso_days(text: &[u8]) -> Option<i64> {
    let [century, _, year, _, _, month, ..] = pairs(text, 0, b"0000-00-")?;
    let day = pairs(text, 8, b"00T00:00")?[0];
    days_since_epoch(century * 100 + year, month, day)
}

/// The two-digit numbers that begin at each of the eight bytes from `at` on, where `form` has
/// digits; its other bytes must be there as they are.
#[inline]
fn pairs(text: &[u8], at: usize, form: &[u8; 8]) -> Option<[i64; 8]> {
    let word: &[u8; 8] = text.get(at..)?.first_chunk()?;
    let digits = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*form);
    // What is no `0` in the form leaves zero if it is the same, and else may look like a digit.
    let marks = above_nine(u64::from_le_bytes(*form) ^ swar::spread(b'0')) >> 7;
    if above_nine(digits) != 0 || digits & (marks * 0xff) != 0 {
        return None;
    }
    let tens = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    Some(tens.to_le_bytes().map(i64::from))
}

/// `.123456Z` or `Z`: nanoseconds and length.
fn second_fraction(text: &[u8]) -> Option<(i64, usize)> {
    if text.first()? != &b'.' {
        return (text.first()? == &b'Z').then_some((0, 1));
    }
    let word: &[u8; 8] = text.get(1..)?.first_chunk()?;
    let digits = u64::from_le_bytes(*word) ^ swar::spread(b'0');
    let len = above_nine(digits).trailing_zeros() as usize / 8;
    if len == 0 {
        return None;
    }
    let mut nanos = swar::value(digits << (64 - 8 * len)) * NANOS.get(len)?;
    let mut end = 1 + len;
    let ninth = text.get(end)?.wrapping_sub(b'0');
    if len == 8 && ninth <= 9 {
        (nanos, end) = (nanos + u64::from(ninth), end + 1);
    }
    (text.get(end) == Some(&b'Z')).then_some((i64::try_from(nanos).ok()?, end + 1))
}

/// Nanoseconds of one in the last of so many decimals of a second.
const NANOS: [u64; 9] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10];

/// Days of a Gregorian date since 1970-01-01; `None` if there is no such day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > month_days {
        return None;
    }
    // Years that begin in March, so that the leap day is the last of its year.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let before_month = (153 * months + 2) / 5;
    Some(years * 365 + leap_days + before_month + day - 1 - 719_468)
}

#[cfg(test)]
#[allow(clippy::string_slice)]
mod tests {
    use super::*;
    use crate::kernel::FrameBuf;

    const SCALES: Scales = Scales { price: 2, qty: 3 };

    fn mark(frame: &str, key: &str, slot: Slot) -> Mark {
        let start = frame.find(key).unwrap() + key.len();
        let rest = &frame[start..];
        let len = match slot {
            Slot::Bids | Slot::Asks => rest.find("]]").map_or(2, |at| at + 2),
            _ => rest.find(['"', ',', '}']).unwrap(),
        };
        Mark { start: start as u32, end: (start + len) as u32, slot }
    }

    const BINANCE: &str = concat!(
        r#"{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","#,
        r#""U":99,"u":5123107837557,"pu":-1,"b":[["58710.20","0.014"],["61496.50","0.010"]],"#,
        r#""a":[["61700.00","1"]]}"#
    );

    fn binance() -> Template {
        let marks = [
            mark(BINANCE, "\"E\":", Slot::VenueTime),
            mark(BINANCE, "\"a\":", Slot::Asks),
            mark(BINANCE, "\"T\":", Slot::EngineTime),
            mark(BINANCE, "\"U\":", Slot::First),
            mark(BINANCE, "\"u\":", Slot::Last),
            mark(BINANCE, "\"pu\":", Slot::Prev),
            mark(BINANCE, "\"b\":", Slot::Bids),
        ];
        Template::learn(BINANCE.as_bytes(), &marks, Shape::QuotedPairs, 42, SCALES).unwrap()
    }

    fn read(template: &mut Template, frame: &[u8]) -> Option<(Fields, Vec<Level>)> {
        let mut buffer = FrameBuf::new();
        let mut out = vec![Level::default()];
        let fields = template.read(Isa::PORTABLE, buffer.fill(frame), &mut out);
        assert!(fields.is_some() || out.len() == 1, "a refusal leaves nothing behind");
        fields.map(|fields| (fields, out))
    }

    #[test]
    fn a_learned_frame_gives_its_numbers_and_levels() {
        let (fields, levels) = read(&mut binance(), BINANCE.as_bytes()).unwrap();
        assert_eq!(fields.get(Slot::VenueTime), Some(1_723_161_256_299));
        assert_eq!(fields.get(Slot::EngineTime), Some(1_723_161_256_298));
        assert_eq!(fields.get(Slot::First), Some(99));
        assert_eq!(fields.get(Slot::Last), Some(5_123_107_837_557));
        assert_eq!(fields.get(Slot::Prev), Some(-1));
        assert_eq!(fields.get(Slot::Cross), None);
        assert_eq!((fields.tag, fields.scales), (42, SCALES));
        let bids = [Level { price: 5_871_020, qty: 14 }, Level { price: 6_149_650, qty: 10 }];
        assert_eq!(levels[fields.bids], bids);
        assert_eq!(levels[fields.asks], [Level { price: 6_170_000, qty: 1000 }]);
    }

    #[test]
    fn numbers_may_grow_and_levels_may_vanish() {
        let grown = BINANCE
            .replace("1723161256299", "17231612562991")
            .replace(":99,", ":9223372036854775807,")
            .replace(r#"[["61700.00","1"]]"#, "[]");
        let (fields, levels) = read(&mut binance(), grown.as_bytes()).unwrap();
        assert_eq!(fields.get(Slot::VenueTime), Some(17_231_612_562_991));
        assert_eq!(fields.get(Slot::First), Some(i64::MAX));
        assert_eq!((fields.asks.len(), levels.len()), (0, 3));
    }

    #[test]
    fn one_different_byte_outside_the_numbers_is_refused() {
        let mut template = binance();
        let mut refused = 0;
        for at in 0..BINANCE.len() {
            let mut frame = BINANCE.as_bytes().to_vec();
            frame[at] ^= 1;
            let read = read(&mut template, &frame);
            // A flipped digit of a number is another number, unless it now begins with a zero.
            let number = BINANCE.as_bytes()[at].is_ascii_digit() && frame[at].is_ascii_digit();
            assert!(read.is_none() || number, "byte {at}");
            assert!(read.is_some() || !number || frame[at] == b'0', "byte {at}");
            refused += usize::from(read.is_none());
        }
        assert!(refused > 90);
        for end in 0..BINANCE.len() {
            assert!(read(&mut template, &BINANCE.as_bytes()[..end]).is_none(), "cut at {end}");
        }
        assert!(read(&mut template, format!("{BINANCE}\n").as_bytes()).is_none());
    }

    #[test]
    fn numbers_that_json_forbids_or_i64_cannot_hold_are_refused() {
        for number in ["099", "-0", "-", "", "9223372036854775808", "1.5", "1e3", "+1", "0x1"] {
            let frame = BINANCE.replace(":99,", &format!(":{number},"));
            assert!(read(&mut binance(), frame.as_bytes()).is_none(), "{number}");
        }
    }

    #[test]
    fn times_written_as_text_become_nanoseconds() {
        let frame = concat!(
            r#"{"asks":[{"price":1,"amount":2}],"bids":[],"timestamp":"2021-04-05T18:38:36.732Z","#,
            r#""localTimestamp":"2024-02-29T00:00:00.000001Z"}"#
        );
        let marks = [
            mark(frame, "\"timestamp\":\"", Slot::VenueTime),
            mark(frame, "\"localTimestamp\":\"", Slot::LocalTime),
            Mark { start: 8, end: 32, slot: Slot::Asks },
            Mark { start: 40, end: 42, slot: Slot::Bids },
        ];
        let bytes = frame.as_bytes();
        let mut template = Template::learn(bytes, &marks, Shape::PriceAmount, 0, SCALES).unwrap();
        let (fields, levels) = read(&mut template, bytes).unwrap();
        assert_eq!(fields.get(Slot::VenueTime), Some(1_617_647_916_732_000_000));
        assert_eq!(fields.get(Slot::LocalTime), Some(1_709_164_800_000_001_000));
        assert_eq!(levels[fields.asks], [Level { price: 100, qty: 2000 }]);
        let finer = frame.replace("36.732Z", "36.732000Z");
        assert!(read(&mut template, finer.as_bytes()).is_none(), "another unit");
        let shorter = frame.replace("36.732Z", "36Z\"732");
        assert!(read(&mut template, shorter.as_bytes()).is_none(), "bytes behind a time");
        assert_eq!(iso_nanos(b"1970-01-01T00:00:01Z........").map(|t| t.0), Some(1_000_000_000));
        let nanos = iso_nanos(b"1970-01-01T00:00:00.123456789Z........");
        assert_eq!(nanos, Some((123_456_789, 30)));
        assert_eq!(iso_nanos(b"1970-01-01T00:00:00.1234567891Z........"), None);
        for wrong in ["2021-02-29T", "2021-13-01T", "2021-00-01T", "2021-04-31T", "2021-04-05t"] {
            let frame = frame.replace("2021-04-05T", wrong);
            assert!(read(&mut template, frame.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn only_marks_that_fit_the_frame_are_learned() {
        let learn = |marks: &[Mark]| {
            Template::learn(br#"{"u":12,"b":[]}"#, marks, Shape::QuotedPairs, 0, SCALES)
        };
        let u = Mark { start: 5, end: 7, slot: Slot::Last };
        let b = Mark { start: 12, end: 14, slot: Slot::Bids };
        assert!(learn(&[b, u]).is_some());
        assert!(learn(&[u, u]).is_none(), "a slot twice");
        assert!(learn(&[u, Mark { start: 6, slot: Slot::First, ..u }]).is_none(), "overlap");
        assert!(learn(&[Mark { end: 99, ..b }]).is_none(), "outside");
        assert!(learn(&[Mark { start: 9, end: 7, ..b }]).is_none(), "backwards");
        let null = Mark { start: 4, ..u };
        let mut template = learn(&[null, b]).unwrap();
        let (fields, _) = read(&mut template, br#"{"u":12,"b":[]}"#).unwrap();
        assert_eq!(fields.get(Slot::Last), None, "what is no number stays literal");
    }
}
