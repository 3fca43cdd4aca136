//! Levels without vectors: eight bytes of a number at a time in a plain `u64`.
//!
//! The one invariant: a level is accepted only after each of its bytes was compared or converted.
//! This file also decides for the vector kernels whatever is too unusual for them, one level at a
//! time, which is why all kernels accept the same arrays.

use super::forms::{FORMS, TEXT_MAX};
use super::{Arrays, Frame, LEVELS_MAX, Shape};
use crate::swar::{above_nine, below, spread, value};
use gapless_book::decimal::POW10;
use gapless_book::event::{Level, Scales};

/// Most digits of a number that are converted; more are left to the general parser.
const DIGITS_MAX: usize = 18;

/// Most bytes of a number, zeros that say nothing and the point included: the general parser takes
/// 38 digits, whatever they are.
const NUMBER_MAX: usize = 38 + 1;

/// As [`super::levels`], but the caller checks both ends and the scales, and takes back what a
/// refusal appended.
pub(super) fn levels(
    arrays: &mut Arrays,
    frame: Frame<'_>,
    at: usize,
    out: &mut Vec<Level>,
) -> Option<usize> {
    let (text, scales) = (Text { bytes: frame.padded() }, arrays.scales);
    match arrays.shape {
        Shape::QuotedPairs => text.pairs(arrays, at, out),
        Shape::QuotedQuads => text.array(at, out, |at| text.quad(at, scales)),
        Shape::ActionTriples => text.array(at, out, |at| text.triple(at, scales)),
        Shape::PriceAmount => text.array(at, out, |at| text.object(at, scales)),
    }
}

/// One level of `shape` at byte `at`, and the offset just after it.
#[cfg(target_arch = "x86_64")]
pub(super) fn level(
    shape: Shape,
    frame: Frame<'_>,
    at: usize,
    scales: Scales,
) -> Option<(Level, usize)> {
    let text = Text { bytes: frame.padded() };
    match shape {
        Shape::QuotedPairs => text.pair(at, scales),
        Shape::QuotedQuads => text.quad(at, scales),
        Shape::ActionTriples => text.triple(at, scales),
        Shape::PriceAmount => text.object(at, scales),
    }
}

/// As [`super::leading_integer`].
#[inline]
pub(super) fn leading_integer(text: &[u8]) -> Option<(i64, usize)> {
    let text = Text { bytes: text };
    let (value, end) = text.integer(0, DIGITS_MAX + 1)?;
    Some((i64::try_from(value).ok()?, end))
}

/// A frame with its padding. Offsets beyond it read as a refusal.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    #[inline(always)]
    fn array(
        self,
        at: usize,
        out: &mut Vec<Level>,
        level: impl FnMut(usize) -> Option<(Level, usize)>,
    ) -> Option<usize> {
        let at = self.literal(at, b"[")?;
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        let most = out.len() + LEVELS_MAX;
        self.rest(at, most, out, level)
    }

    /// Levels from the one at `at` to the end of the array, until `out` has `most`.
    #[inline(always)]
    fn rest(
        self,
        mut at: usize,
        most: usize,
        out: &mut Vec<Level>,
        mut level: impl FnMut(usize) -> Option<(Level, usize)>,
    ) -> Option<usize> {
        while out.len() < most {
            let (read, end) = level(at)?;
            out.push(read);
            at = end + 1;
            match self.byte(end)? {
                b',' => {}
                b']' => return Some(at),
                _ => return None,
            }
        }
        None
    }

    /// `[["price","size"],…]`
    #[inline(always)]
    fn pairs(self, arrays: &mut Arrays, at: usize, out: &mut Vec<Level>) -> Option<usize> {
        let scales = arrays.scales;
        let mut at = self.literal(at, b"[")?;
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        let most = out.len() + LEVELS_MAX;
        if !arrays.take_ragged() {
            if let Some(padded) = Padded::first(self, at, scales) {
                let ended;
                (at, ended) = padded.run(self, at, most, out);
                if ended {
                    return Some(at);
                }
            }
            arrays.was_ragged();
        }
        self.rest(at, most, out, |at| self.pair(at, scales))
    }

    /// `["price","size"]`
    #[inline(always)]
    fn pair(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let (level, at) = self.quoted(at, scales)?;
        Some((level, self.literal(at, b"\"]")?))
    }

    /// `["price","size","digits",…]`
    #[inline(always)]
    fn quad(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let (level, mut at) = self.quoted(at, scales)?;
        if MOSTLY_AFTER_QTY.are(self.word(at)?) {
            at = self.skip_digits(at + 7)?;
        }
        while self.byte(at + 1)? == b',' {
            at = self.literal(at, b"\",\"")?;
            at = self.skip_digits(at)?;
        }
        Some((level, self.literal(at, b"\"]")?))
    }

    /// `["price","size`
    #[inline(always)]
    fn quoted(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let at = self.literal(at, b"[\"")?;
        let (price, at) = self.number::<b'"'>(at, scales.price)?;
        let at = self.literal(at, b"\",\"")?;
        let (qty, at) = self.number::<b'"'>(at, scales.qty)?;
        Some((Level { price, qty }, at))
    }

    /// `["new",price,size]`
    #[inline(always)]
    fn triple(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let (at, delete) = match self.byte(at + 2)? {
            b'n' => (self.literal(at, b"[\"new\",")?, false),
            b'c' => (self.literal(at, b"[\"change\",")?, false),
            _ => (self.literal(at, b"[\"delete\",")?, true),
        };
        let (price, at) = self.json_number::<b','>(at, scales.price)?;
        let at = self.literal(at, b",")?;
        let (qty, at) = self.json_number::<b']'>(at, scales.qty)?;
        let qty = if delete { 0 } else { qty };
        Some((Level { price, qty }, self.literal(at, b"]")?))
    }

    /// `{"price":price,"amount":size}`
    #[inline(always)]
    fn object(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let at = self.literal(at, b"{\"price\":")?;
        let (price, at) = self.json_number::<b','>(at, scales.price)?;
        let at = self.literal(at, b",\"amount\":")?;
        let (qty, at) = self.json_number::<b'}'>(at, scales.qty)?;
        Some((Level { price, qty }, self.literal(at, b"}")?))
    }

    /// As [`Text::number`], without superfluous leading zeros.
    #[inline(always)]
    fn json_number<const END: u8>(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        if self.byte(at)? == b'0' && self.byte(at + 1)?.is_ascii_digit() {
            return None;
        }
        self.number::<END>(at, scale)
    }

    /// The number at `at` as an integer at `scale`, and the offset of the first byte after it,
    /// which is expected to be `END`.
    #[inline(always)]
    fn number<const END: u8>(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        if let Some(window) = self.window(at)
            && let Some((value, len)) = window.number::<END>(scale)
        {
            return Some((value, at + len));
        }
        self.any_number(at, scale)
    }

    /// [`Text::number`], whatever its length and whatever follows.
    #[cold]
    fn any_number(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        let (whole, point) = self.integer(at, DIGITS_MAX)?;
        let whole = scaled(whole, scale)?;
        if self.byte(point)? != b'.' {
            return Some((whole, point));
        }
        let (part, end) = self.fraction(point + 1, scale)?;
        if end - at > NUMBER_MAX {
            return None;
        }
        Some((whole.checked_add(part)?, end))
    }

    /// The bytes around `at`.
    #[inline(always)]
    fn window(self, at: usize) -> Option<Window<'a>> {
        Some(Window { bytes: self.bytes.get(at.checked_sub(LEAD)?..)?.first_chunk()? })
    }

    /// One to `most` digits at `at`.
    #[inline]
    fn integer(self, at: usize, most: usize) -> Option<(u64, usize)> {
        let first = self.word(at)? ^ spread(b'0');
        let count = above_nine(first).trailing_zeros() as usize / 8;
        if count > 0 && count < 8 && count <= most {
            return Some((digits(first, count), at + count));
        }
        let (mut value, mut at, mut left) = (0, at, most);
        loop {
            let word = self.word(at)? ^ spread(b'0');
            let count = above_nine(word).trailing_zeros() as usize / 8;
            left = left.checked_sub(count)?;
            if count > 0 {
                value = value * POW10.get(count)?.unsigned_abs() + digits(word, count);
            }
            at += count;
            if count < 8 {
                return (left < most).then_some((value, at));
            }
        }
    }

    /// The digits after a point, in units of `10^-scale`; beyond `scale` only zeros are accepted.
    #[inline]
    fn fraction(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        let (mut value, mut end, mut room) = (0, at, usize::from(scale));
        loop {
            let word = self.word(end)? ^ spread(b'0');
            let count = above_nine(word).trailing_zeros() as usize / 8;
            let kept = count.min(room);
            if below(word, count) & !below(u64::MAX, kept) != 0 {
                return None;
            }
            if kept > 0 {
                value = value * POW10.get(kept)?.unsigned_abs() + digits(word, kept);
            }
            room -= kept;
            end += count;
            if count < 8 {
                break;
            }
        }
        if end == at {
            return None;
        }
        Some((scaled(value, room as u8)?, end))
    }

    /// One or more digits.
    #[inline]
    fn skip_digits(self, at: usize) -> Option<usize> {
        let mut end = at;
        loop {
            let word = self.word(end)? ^ spread(b'0');
            let count = above_nine(word).trailing_zeros() as usize / 8;
            end += count;
            if count < 8 {
                return (end > at).then_some(end);
            }
        }
    }

    /// The offset after `expected`, which must stand at `at`.
    #[inline(always)]
    fn literal<const N: usize>(self, at: usize, expected: &[u8; N]) -> Option<usize> {
        (self.bytes.get(at..at + N)? == expected).then_some(at + N)
    }

    #[inline(always)]
    fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Eight bytes, the first one lowest.
    #[inline(always)]
    fn word(self, at: usize) -> Option<u64> {
        self.bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

/// Bytes of a [`Window`] before its place.
const LEAD: usize = 16;

/// Offsets of a [`Window`] that are read from.
const OFFSETS: usize = 64;

/// Some bytes around a place: all that is read from there, asked for once.
#[derive(Clone, Copy)]
struct Window<'a> {
    bytes: &'a [u8; OFFSETS + 8],
}

impl Window<'_> {
    /// Eight bytes at an offset, the first one lowest.
    #[inline(always)]
    fn word(self, at: usize) -> u64 {
        // So that the compiler knows that they are there.
        let bytes = self.bytes.get(at % OFFSETS..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// A number of at most fifteen bytes and `END` behind it, as an integer at `scale`, and its
    /// length. `None`: longer, unusual, or no number.
    #[inline(always)]
    fn number<const END: u8>(self, scale: u8) -> Option<(i64, usize)> {
        let first = self.word(LEAD);
        let ends = zero_bytes(first ^ spread(END));
        let points = zero_bytes(first ^ spread(b'.'));
        if ends == 0 {
            return self.longer_number::<END>(points, scale);
        }
        let len = place(ends);
        let Written { kept, part, factor } = self.written(len, place(ends | points), scale)?;
        let text = last(self.word(LEAD + kept - 8), kept);
        // What is before the point moves over it.
        let over = if part == 0 { 0 } else { 8 };
        let whole = text & u64::MAX >> part;
        let digits = whole << over | text & !(u64::MAX >> (part - over));
        if above_nine(digits) != 0 {
            return None;
        }
        Some(((value(digits) as i64).checked_mul(factor)?, len))
    }

    /// As [`Window::number`], for eight to fifteen bytes. `points` is where the first eight bytes
    /// have theirs.
    #[inline(always)]
    fn longer_number<const END: u8>(self, points: u64, scale: u8) -> Option<(i64, usize)> {
        let second = self.word(LEAD + 8);
        let ends = zero_bytes(second ^ spread(END));
        if ends == 0 {
            return None;
        }
        let len = 8 + place(ends);
        let point = match points {
            0 => 8 + place(ends | zero_bytes(second ^ spread(b'.'))),
            points => place(points),
        };
        let Written { kept, part, factor } = self.written(len, point, scale)?;
        let words = [self.word(LEAD + kept - 16), self.word(LEAD + kept - 8)];
        let [low, high] = words.map(|word| u128::from(word ^ spread(b'0')));
        let text = (high << 64 | low) & u128::MAX << (128 - 8 * kept as u32);
        let over = if part == 0 { 0 } else { 8 };
        let whole = text & u128::MAX >> part;
        let [low, high] = halves(whole << over | text & !(u128::MAX >> (part - over)));
        if above_nine(low) | above_nine(high) != 0 {
            return None;
        }
        // Fifteen digits fit.
        let digits = value(low) * 100_000_000 + value(high);
        Some(((digits as i64).checked_mul(factor)?, len))
    }

    /// How the number of `len` bytes is written whose point is at `point`, or at its end.
    #[inline(always)]
    fn written(self, len: usize, point: usize, scale: u8) -> Option<Written> {
        let (part, scale) = (len - point, usize::from(scale));
        // `.5` and `1.` are no numbers.
        if point == 0 || part == 1 {
            return None;
        }
        let decimals = part.saturating_sub(1);
        let Some(missing) = scale.checked_sub(decimals) else {
            // Decimals beyond the scale must be zeros; without any decimal, the point goes too.
            let zeros = decimals - scale;
            let kept = if scale == 0 { point } else { len - zeros };
            let part = 8 * (kept - point) as u32;
            let wrong = zeros > 8 || last(self.word(LEAD + len - 8), zeros) != 0;
            return (!wrong).then_some(Written { kept, part, factor: 1 });
        };
        let factor = *POW10.get(missing)?;
        Some(Written { kept: len, part: 8 * part as u32, factor })
    }
}

/// How a number is written.
struct Written {
    /// Bytes that are converted: all but zeros beyond the scale.
    kept: usize,
    /// Bits of them from the point on.
    part: u32,
    /// What is missing to the scale.
    factor: i64,
}

/// The last `count` (0..=8) of eight bytes of text as digits, the rest zero.
#[inline(always)]
const fn last(word: u64, count: usize) -> u64 {
    let gone = 64 - 8 * count as u32;
    if gone == 64 { 0 } else { (word ^ spread(b'0')) & u64::MAX << gone }
}

/// Pairs whose prices all have the same number of decimals, and their sizes too: how the first of
/// an array is written, the next ones mostly are. Their numbers are read without a branch that
/// depends on them.
struct Padded {
    price: Fixed,
    qty: Fixed,
}

/// Text that must be there: bytes, and which of them count.
struct Marks {
    bytes: u64,
    count: u64,
}

impl Marks {
    const fn new(text: &[u8; 8], len: usize) -> Self {
        let count = below(u64::MAX, len);
        Self { bytes: u64::from_le_bytes(*text) & count, count }
    }

    #[inline(always)]
    const fn are(&self, word: u64) -> bool {
        (word ^ self.bytes) & self.count == 0
    }
}

/// What OKX writes behind a size but for the number of orders.
const MOSTLY_AFTER_QTY: Marks = Marks::new(b"\",\"0\",\" ", 7);
const AFTER_PRICE: Marks = Marks::new(b"\",\"     ", 3);
const BETWEEN: Marks = Marks::new(b"\"],[\"   ", 5);
const AT_END: Marks = Marks::new(b"\"]]     ", 3);

impl Padded {
    /// As the level at `at` is written.
    #[inline(always)]
    fn first(text: Text<'_>, at: usize, scales: Scales) -> Option<Self> {
        let price = at + 2;
        let (first, len) = Fixed::of(text, price, scales.price)?;
        let (second, _) = Fixed::of(text, price + len + 3, scales.qty)?;
        Some(Self { price: first, qty: second })
    }

    /// Reads levels from the one at `at` on until one is written otherwise, `out` has `most`, or
    /// the array ends. Returns the offset of that level, or after the array, and which it is.
    #[inline(always)]
    fn run(&self, text: Text<'_>, at: usize, most: usize, out: &mut Vec<Level>) -> (usize, bool) {
        let (mut at, mut len) = (at, 0);
        if text.literal(at, b"[\"").is_none() {
            return (at, false);
        }
        while out.len() < most {
            let Some(window) = text.window(at + 2) else { break };
            let Some((level, end)) = self.level(window, &mut len) else { break };
            let (after, next) = (window.word(end), at + 2 + end - LEAD + 3);
            if BETWEEN.are(after) {
                out.push(level);
                at = next;
            } else if AT_END.are(after) {
                out.push(level);
                return (next, true);
            } else {
                break;
            }
        }
        (at, false)
    }

    /// The level whose price is at the window's place, and the offset of the byte after its size.
    /// `len` is the length of the price before.
    #[inline(always)]
    fn level(&self, window: Window<'_>, len: &mut usize) -> Option<(Level, usize)> {
        if !AFTER_PRICE.are(window.word(LEAD + *len)) {
            *len = quote(window, LEAD)?;
            if !AFTER_PRICE.are(window.word(LEAD + *len)) {
                return None;
            }
        }
        let price = self.price.read(window, LEAD, *len)?;
        let from = LEAD + *len + 3;
        let len = quote(window, from)?;
        let qty = self.qty.read(window, from, len)?;
        // One branch for both.
        if price.wrong | qty.wrong != 0 {
            return None;
        }
        let level = Level {
            price: price.number.checked_mul(self.price.factor)?,
            qty: qty.number.checked_mul(self.qty.factor)?,
        };
        Some((level, from + len))
    }
}

/// The bytes before the first quote of the sixteen from an offset on.
#[inline(always)]
fn quote(window: Window<'_>, from: usize) -> Option<usize> {
    let first = zero_bytes(window.word(from) ^ spread(b'"'));
    if first != 0 {
        return Some(place(first));
    }
    let second = zero_bytes(window.word(from + 8) ^ spread(b'"'));
    (second != 0).then(|| 8 + place(second))
}

/// A form in plain words: the first byte of a text is the lowest, its last one the highest.
///
/// What is beyond the scale is cut off as text, so that most numbers fit eight bytes.
struct Fixed {
    /// As in the form, for the first and the last eight bytes of what is kept.
    zero: [u64; 2],
    /// Bits of which a byte has none only if it is zero.
    strict: [u64; 2],
    /// The bytes after the point; all, where none is written.
    part: [u64; 2],
    /// Bits that what is before the point moves by.
    point: u32,
    /// What is cut off: zeros, behind the point if no decimal is kept; its bytes, and their number.
    tail: u64,
    tail_bytes: u64,
    cut: usize,
    /// What is missing to the scale.
    factor: i64,
    /// Shortest length of what is kept, and how much longer it may be.
    shortest: usize,
    spare: usize,
}

/// A number as it was read.
struct Checked {
    number: i64,
    /// Not 0: it is none.
    wrong: u64,
}

impl Fixed {
    /// How the quoted number whose digits begin at `at` is written, and its length.
    #[inline(always)]
    fn of(text: Text<'_>, at: usize, scale: u8) -> Option<(Self, usize)> {
        let words = [text.word(at)?, text.word(at + 8)?];
        let (len, point) = (place_of(words, b'"'), place_of(words, b'.'));
        let written = if point < len { len - point - 1 } else { 0 };
        let scale = usize::from(scale);
        let kept = written.min(scale);
        let form = FORMS.get(scale)?.get(kept)?;
        let part = u128::MAX << (8 * (TEXT_MAX - kept.max(1)));
        let whole = kept == 0 && written > 0;
        let cut = written - kept + usize::from(whole);
        if cut > 8 {
            return None;
        }
        let zeros = spread(b'0');
        let fixed = Self {
            zero: halves(u128::from_le_bytes(form.zero)),
            // A nine becomes six bits that are set, of which every digit but zero has one.
            strict: halves(u128::from_le_bytes(form.strict) * 7),
            part: if kept == 0 { [u64::MAX; 2] } else { halves(part) },
            point: if kept == 0 { 0 } else { 8 },
            tail: if whole { zeros << 8 | u64::from(b'.') } else { zeros },
            tail_bytes: below(u64::MAX, cut),
            cut,
            factor: *POW10.get(scale - kept)?,
            shortest: form.shortest as usize,
            spare: form.longest.checked_sub(form.shortest)? as usize,
        };
        Some((fixed, len))
    }

    /// The number of `len` (at most 15) bytes from an offset of the window on.
    #[inline(always)]
    fn read(&self, window: Window<'_>, from: usize, len: usize) -> Option<Checked> {
        let kept = len.wrapping_sub(self.cut);
        if kept.wrapping_sub(self.shortest) > self.spare {
            return None;
        }
        let end = from + kept;
        let mut wrong = (window.word(end) ^ self.tail) & self.tail_bytes;
        let text = window.word(end - 8) ^ self.zero[1];
        let number = if kept <= 8 {
            let text = text & u64::MAX << (64 - 8 * kept as u32);
            wrong |= above_nine(text) | text & self.strict[1];
            value((text & !self.part[1]) << self.point | text & self.part[1])
        } else {
            let low = (window.word(end - 16) ^ self.zero[0]) & u64::MAX << (128 - 8 * kept as u32);
            wrong |= above_nine(low) | above_nine(text);
            wrong |= low & self.strict[0] | text & self.strict[1];
            self.long(low, text)
        };
        Some(Checked { number: number as i64, wrong })
    }

    /// The value of sixteen bytes that are digits, but for the point, which is zero.
    #[inline(always)]
    fn long(&self, low: u64, high: u64) -> u64 {
        let (whole_low, whole_high) = (low & !self.part[0], high & !self.part[1]);
        let carry = whole_low >> (64 - 8) & !(u64::MAX << self.point);
        let low = whole_low << self.point | low & self.part[0];
        let high = whole_high << self.point | carry | high & self.part[1];
        value(low) * 100_000_000 + value(high)
    }
}

/// The lower and the higher eight bytes.
#[inline(always)]
const fn halves(text: u128) -> [u64; 2] {
    [text as u64, (text >> 64) as u64]
}

/// The high bit of the lowest byte that is zero; bits above it mean nothing.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(spread(0x01)) & !word & spread(0x80)
}

/// The index of the first `byte`; 16 if there is none.
#[inline(always)]
const fn place_of([first, second]: [u64; 2], byte: u8) -> usize {
    let first = zero_bytes(first ^ spread(byte)).trailing_zeros();
    let second = zero_bytes(second ^ spread(byte)).trailing_zeros();
    (if first == 64 { 64 + second } else { first }) as usize / 8
}

/// The index of the lowest byte that has its high bit.
#[inline(always)]
const fn place(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// The value of the first `count` (1..=8) digits of `word`.
#[inline(always)]
const fn digits(word: u64, count: usize) -> u64 {
    value(word << (64 - 8 * count))
}

/// `value * 10^places`, if it fits.
#[inline(always)]
fn scaled(value: u64, places: u8) -> Option<i64> {
    let unit = *POW10.get(usize::from(places))?;
    i64::try_from(value).ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::super::{FrameBuf, Isa, levels};
    use super::*;

    /// What every kernel makes of an array, wherever it stands in its frame.
    fn read(shape: Shape, scales: (u8, u8), text: &str) -> Option<Vec<(i64, i64)>> {
        let mut answers = Isa::available()
            .flat_map(|isa| [0, 16, 77].map(|lead| read_with(isa, shape, scales, text, lead)));
        let first = answers.next().unwrap();
        assert!(answers.all(|answer| answer == first), "kernels differ: {text:.200}");
        first
    }

    fn read_with(
        isa: Isa,
        shape: Shape,
        scales: (u8, u8),
        text: &str,
        lead: usize,
    ) -> Option<Vec<(i64, i64)>> {
        let mut buffer = FrameBuf::new();
        let bytes = [&vec![b'0'; lead], text.as_bytes()].concat();
        let scales = Scales { price: scales.0, qty: scales.1 };
        let mut out = vec![Level { price: 7, qty: 7 }];
        let mut arrays = Arrays::new(shape, scales);
        let end = levels(isa, &mut arrays, buffer.fill(&bytes), lead, &mut out);
        assert!(end.is_some() || out.len() == 1, "a refusal leaves nothing behind: {text:.200}");
        assert!(end.is_none_or(|end| end == bytes.len()), "{text}");
        end.map(|_| out[1..].iter().map(|l| (l.price, l.qty)).collect())
    }

    #[test]
    fn numbers_of_every_width_get_their_exact_value() {
        let cases = [
            (r#"["61773.6","1001"]"#, (1, 0), (617_736, 1001)),
            (r#"["61773.6","1001"]"#, (3, 2), (61_773_600, 100_100)),
            (r#"["61837.63000000","3.78826000"]"#, (2, 5), (6_183_763, 378_826)),
            (r#"["61837.63000000","3.78826000"]"#, (8, 8), (6_183_763_000_000, 378_826_000)),
            (r#"["0.00000174","9765.48230143"]"#, (8, 8), (174, 976_548_230_143)),
            (r#"["00012","0"]"#, (0, 0), (12, 0)),
            (r#"["1.0","1600000000.00000000"]"#, (0, 8), (1, 160_000_000_000_000_000)),
            (
                r#"["1.0000000000000000000","123456789012345678"]"#,
                (0, 0),
                (1, 123_456_789_012_345_678),
            ),
            (
                r#"["1.0000000000000000000000000000000000000","123456789012345678.00000000000000000000"]"#,
                (0, 0),
                (1, 123_456_789_012_345_678),
            ),
            (r#"["12345678.12345678","1.2345678"]"#, (8, 7), (1_234_567_812_345_678, 12_345_678)),
        ];
        for (level, scales, expected) in cases {
            let text = format!("[{level},{level}]");
            assert_eq!(
                read(Shape::QuotedPairs, scales, &text),
                Some(vec![expected, expected]),
                "{text}"
            );
        }
    }

    #[test]
    fn every_shape_reads_its_own_form() {
        let quads = r#"[["1.5","2","0","1"],["3","4.25","0","12345678901"],["5","6"]]"#;
        let quads = read(Shape::QuotedQuads, (1, 2), quads);
        assert_eq!(quads, Some(vec![(15, 200), (30, 425), (50, 600)]));
        let triples = r#"[["new",0.026,299.0],["change",1,2.5],["delete",0.0255,7.0]]"#;
        let triples = read(Shape::ActionTriples, (4, 1), triples);
        assert_eq!(triples, Some(vec![(260, 2990), (10000, 25), (255, 0)]));
        let objects = r#"[{"price":1.2236,"amount":49.4},{"price":0.5,"amount":0}]"#;
        let objects = read(Shape::PriceAmount, (4, 1), objects);
        assert_eq!(objects, Some(vec![(12236, 494), (5000, 0)]));
        assert_eq!(read(Shape::ActionTriples, (0, 0), "[]"), Some(vec![]));
    }

    #[test]
    fn whatever_is_unusual_is_refused() {
        let pairs = [
            "",
            "[",
            "[[",
            r#"[["1","2"]"#,
            r#"[["1","2"],]"#,
            r#"[["1","2"]}"#,
            r#"[["1","2","3"]]"#,
            r#"[["1"]]"#,
            r#"[[1,2]]"#,
            r#"[["1", "2"]]"#,
            r#"[["-1","2"]]"#,
            r#"[["1e3","2"]]"#,
            r#"[["1.","2"]]"#,
            r#"[[".5","2"]]"#,
            r#"[["","2"]]"#,
            r#"[["1.2.3","2"]]"#,
            r#"[["1.005","2"]]"#,
            r#"[["9223372036854775808","2"]]"#,
            r#"[["92233720368547758.08","2"]]"#,
            r#"[["1","2",]]"#,
            r#"[["1.00000000000000000000000000000000000000","2"]]"#,
        ];
        for text in pairs {
            assert_eq!(read(Shape::QuotedPairs, (2, 2), text), None, "{text}");
        }
        let triples = [r#"[["old",1,2]]"#, r#"[["new",01,2]]"#, r#"[["new",1,2e3]]"#];
        for text in triples {
            assert_eq!(read(Shape::ActionTriples, (2, 2), text), None, "{text}");
        }
        assert_eq!(read(Shape::PriceAmount, (2, 2), r#"[{"price":1,"amount":00}]"#), None);
        assert_eq!(read(Shape::QuotedQuads, (2, 2), r#"[["1","2","x","4"]]"#), None);
    }

    #[test]
    fn longer_arrays_than_the_limit_are_refused() {
        let text = |n: usize| format!("[{}]", vec![r#"["1","2"]"#; n].join(","));
        assert_eq!(read(Shape::QuotedPairs, (0, 0), &text(LEVELS_MAX)).unwrap().len(), LEVELS_MAX);
        assert_eq!(read(Shape::QuotedPairs, (0, 0), &text(LEVELS_MAX + 1)), None);
    }
}
