//! Levels without vectors: eight bytes of a number at a time in a plain `u64`.
//!
//! The one invariant: a level is accepted only after each of its bytes was compared or converted.
//! This file also decides for the vector kernels whatever is too unusual for them, one level at a
//! time, which is why all kernels accept the same arrays.

use super::forms::{FORMS, TEXT_MAX};
use super::{Frame, LEVELS_MAX, Shape};
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
    shape: Shape,
    frame: Frame<'_>,
    at: usize,
    scales: Scales,
    out: &mut Vec<Level>,
) -> Option<usize> {
    let text = Text { bytes: frame.padded() };
    match shape {
        Shape::QuotedPairs => {
            let mut padded = Padded::first(text, at, scales);
            text.array(at, out, |at| padded.pair(text, at, scales))
        }
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

impl Text<'_> {
    #[inline(always)]
    fn array(
        self,
        at: usize,
        out: &mut Vec<Level>,
        mut level: impl FnMut(usize) -> Option<(Level, usize)>,
    ) -> Option<usize> {
        let mut at = self.literal(at, b"[")?;
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        for _ in 0..LEVELS_MAX {
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

    /// `["price","size"]`
    #[inline(always)]
    fn pair(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let (level, at) = self.quoted(at, scales)?;
        Some((level, self.literal(at, b"\"]")?))
    }

    /// As [`Text::pair`], for numbers that are written in these forms.
    #[inline(always)]
    fn padded_pair(self, at: usize, forms: &[Fixed; 2]) -> Option<(Level, usize)> {
        let [price, qty] = forms;
        let at = self.literal(at, b"[\"")?;
        let (price, at) = price.read(self, at)?;
        let at = self.literal(at, b"\",\"")?;
        let (qty, at) = qty.read(self, at)?;
        Some((Level { price, qty }, self.literal(at, b"\"]")?))
    }

    /// `["price","size","digits",…]`
    #[inline(always)]
    fn quad(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let (level, mut at) = self.quoted(at, scales)?;
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
        let (price, at) = self.number(at, scales.price)?;
        let at = self.literal(at, b"\",\"")?;
        let (qty, at) = self.number(at, scales.qty)?;
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
        let (price, at) = self.json_number(at, scales.price)?;
        let at = self.literal(at, b",")?;
        let (qty, at) = self.json_number(at, scales.qty)?;
        let qty = if delete { 0 } else { qty };
        Some((Level { price, qty }, self.literal(at, b"]")?))
    }

    /// `{"price":price,"amount":size}`
    #[inline(always)]
    fn object(self, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let at = self.literal(at, b"{\"price\":")?;
        let (price, at) = self.json_number(at, scales.price)?;
        let at = self.literal(at, b",\"amount\":")?;
        let (qty, at) = self.json_number(at, scales.qty)?;
        Some((Level { price, qty }, self.literal(at, b"}")?))
    }

    /// As [`Text::number`], without superfluous leading zeros.
    #[inline(always)]
    fn json_number(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        if self.byte(at)? == b'0' && self.byte(at + 1)?.is_ascii_digit() {
            return None;
        }
        self.number(at, scale)
    }

    /// The number at `at` as an integer at `scale`, and the offset of the first byte after it.
    #[inline(always)]
    fn number(self, at: usize, scale: u8) -> Option<(i64, usize)> {
        let word = self.word(at)? ^ spread(b'0');
        let stops = above_nine(word);
        let whole = stops.trailing_zeros() as usize / 8;
        let later = stops & stops.wrapping_sub(1);
        if whole == 0 || stops == 0 {
            return if stops == 0 { self.long_number(at, scale) } else { None };
        }
        if byte_of(word, whole) != POINT {
            return Some((scaled(digits(word, whole), scale)?, at + whole));
        }
        let used = later.trailing_zeros() as usize / 8;
        let places = used - whole - 1;
        if later == 0 {
            return self.long_number(at, scale);
        }
        let kept = places.min(usize::from(scale));
        let spare = places - kept;
        if places == 0 || below(word, used) >> (8 * (used - spare)) != 0 {
            return None;
        }
        let value = digits(without(word, whole), used - spare);
        Some((scaled(value, scale - kept as u8)?, at + used))
    }

    /// [`Text::number`] for what does not fit eight bytes.
    #[inline]
    fn long_number(self, at: usize, scale: u8) -> Option<(i64, usize)> {
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

    /// One to `most` digits at `at`.
    #[inline]
    fn integer(self, at: usize, most: usize) -> Option<(u64, usize)> {
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

/// Pairs whose prices all have the same number of decimals, and their sizes too: how the first of
/// an array is written, the next ones mostly are. Their numbers are read without a branch that
/// depends on them.
struct Padded {
    /// For price and size; `None`: not so written, or no longer tried.
    forms: Option<[Fixed; 2]>,
    /// Levels that were otherwise.
    misses: u8,
}

/// Levels of an array that may be otherwise before it is no longer expected of the next.
const MISSES_MAX: u8 = 3;

impl Padded {
    /// As the first level of the array at `at` is written.
    #[inline(always)]
    fn first(text: Text<'_>, at: usize, scales: Scales) -> Self {
        let price = at + 3;
        let forms = Fixed::of(text, price, scales.price).and_then(|(first, len)| {
            let (second, _) = Fixed::of(text, price + len + 3, scales.qty)?;
            Some([first, second])
        });
        Self { forms, misses: 0 }
    }

    /// As [`Text::pair`].
    #[inline(always)]
    fn pair(&mut self, text: Text<'_>, at: usize, scales: Scales) -> Option<(Level, usize)> {
        let Some(forms) = &self.forms else { return text.pair(at, scales) };
        text.padded_pair(at, forms).or_else(|| self.missed(text, at, scales))
    }

    #[cold]
    fn missed(&mut self, text: Text<'_>, at: usize, scales: Scales) -> Option<(Level, usize)> {
        self.misses += 1;
        if self.misses > MISSES_MAX {
            self.forms = None;
        }
        text.pair(at, scales)
    }
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
    /// Lengths of what is kept.
    shortest: usize,
    longest: usize,
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
            longest: form.longest as usize,
        };
        Some((fixed, len))
    }

    /// The number whose digits begin at `at`, up to a quote, and the offset of that.
    #[inline(always)]
    fn read(&self, text: Text<'_>, at: usize) -> Option<(i64, usize)> {
        let first = text.word(at)?;
        let quote = zero_bytes(first ^ spread(b'"'));
        let mut len = quote.trailing_zeros() as usize / 8;
        let mut second = 0;
        if quote == 0 {
            second = text.word(at + 8)?;
            len += zero_bytes(second ^ spread(b'"')).trailing_zeros() as usize / 8;
        }
        let kept = len.wrapping_sub(self.cut);
        let tail = (text.word(at.wrapping_add(kept))? ^ self.tail) & self.tail_bytes;
        if kept < self.shortest || kept > self.longest || len == TEXT_MAX || tail != 0 {
            return None;
        }
        let number =
            if kept <= 8 { self.short(first, kept)? } else { self.long(first, second, kept)? };
        Some(((number as i64).checked_mul(self.factor)?, at + len))
    }

    /// A number of at most eight bytes.
    #[inline(always)]
    fn short(&self, text: u64, len: usize) -> Option<u64> {
        let gone = 64 - 8 * len as u32;
        let text = (text << gone ^ self.zero[1]) & u64::MAX << gone;
        if above_nine(text) | text & self.strict[1] != 0 {
            return None;
        }
        Some(value((text & !self.part[1]) << self.point | text & self.part[1]))
    }

    /// A number of more than eight bytes.
    #[inline(always)]
    fn long(&self, first: u64, second: u64, len: usize) -> Option<u64> {
        // Sixteen bytes are never kept: the quote is among them.
        let gone = 8 * (TEXT_MAX - len) as u32;
        let low = (first << gone ^ self.zero[0]) & u64::MAX << gone;
        let high = (second << gone | first >> (64 - gone)) ^ self.zero[1];
        let strict = low & self.strict[0] | high & self.strict[1];
        if above_nine(low) | above_nine(high) | strict != 0 {
            return None;
        }
        let (whole_low, whole_high) = (low & !self.part[0], high & !self.part[1]);
        let carry = whole_low >> (64 - 8) & !(u64::MAX << self.point);
        let low = whole_low << self.point | low & self.part[0];
        let high = whole_high << self.point | carry | high & self.part[1];
        Some(value(low) * 100_000_000 + value(high))
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

/// What `.` becomes when `'0'` is taken away.
const POINT: u8 = b'.' ^ b'0';

#[inline(always)]
const fn byte_of(word: u64, index: usize) -> u8 {
    (word >> (8 * index)) as u8
}

/// `word` without its byte `index`: the bytes before it move up, byte 0 becomes zero.
#[inline(always)]
const fn without(word: u64, index: usize) -> u64 {
    let before = below(word, index) << 8;
    before | (word & (u64::MAX << (8 * index) << 8))
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
        let end = levels(isa, shape, buffer.fill(&bytes), lead, scales, &mut out);
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
