//! Levels with AVX2 and BMI2: 64 bytes of text or eight numbers at a time.
//!
//! The same two passes as with AVX-512. Without its compression the bytes outside the numbers are
//! compared bit by bit: two bits of each tell the four marks of an array apart, and `pdep` spreads
//! the bits that the shape's text wants to where the marks stand.
//!
//! The one invariant: every offset in [`Spans`] is at least [`LEAD`] and not more than 64 beyond
//! the frame's end, so that the loads around it stay inside the frame and its padding. What is
//! unusual goes to [`super::portable`], objects too: their text has more than four marks.

use super::grammar::{Block, Grammar, Quads, Triples, Walk};
use super::padded::note;
use super::spans::{BLOCKS, DIGITS, Found, LANES, LEAD, REACH, Spans};
use super::{Arrays, Frame, LEVELS_MAX, PAD, Shape, padded, ragged, spans};
use core::arch::x86_64::*;
use gapless_book::event::{Level, Scales};

// Loads begin at most so long before a stop, and end at most so long after it.
const _: () = assert!(LEAD >= DIGITS as usize && PAD >= 64 + REACH);

/// Bytes to the end of a frame below which its arrays, other than pairs, are too short for vectors.
const FEW_BYTES: usize = 384;

/// As [`super::levels`], but the caller checks both ends and the scales, and takes back what a
/// refusal appended. `None` also for what only the portable reader takes.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn levels(
    arrays: &mut Arrays,
    frame: Frame<'_>,
    at: usize,
    out: &mut Vec<Level>,
) -> Option<usize> {
    let Arrays { shape, scales, .. } = *arrays;
    if !spans::fits(frame, at) || scales.price >= DIGITS || scales.qty >= DIGITS {
        return None;
    }
    let before = out.len();
    match shape {
        Shape::QuotedPairs => {
            if !arrays.take_ragged() {
                if let Some(end) = padded::pairs(frame, at, scales, out) {
                    return Some(end);
                }
                out.truncate(before);
                arrays.was_ragged();
            }
            ragged::pairs(frame, at, scales, out)
        }
        // What two passes and their lists cost is more than they save.
        _ if frame.len() - at < FEW_BYTES => None,
        Shape::QuotedQuads => array::<Quads>(shape, frame, at, scales, out),
        Shape::ActionTriples => array::<Triples>(shape, frame, at, scales, out),
        Shape::PriceAmount => None,
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn array<G: Grammar>(
    shape: Shape,
    frame: Frame<'_>,
    at: usize,
    scales: Scales,
    out: &mut Vec<Level>,
) -> Option<usize> {
    if frame.padded().get(at) != Some(&b'[') {
        return None;
    }
    let mut scan = Scan { frame, at: at + 1, phase: 0, walk: Walk::default() };
    let convert = Convert::new(shape, frame, scales);
    let most = out.len() + LEVELS_MAX;
    let mut spans = Spans::new(at);
    for block in 1.. {
        let found = scan.block::<G>()?;
        let lists = [found.starts, found.stops, found.ends];
        spans.push(&found, &lists, |mask, into| note(into, found.base, *mask))?;
        let ended = found.end.is_some();
        if block % BLOCKS != 0 && !ended {
            continue;
        }
        let ready = if ended { spans.len() } else { spans.len() & !(LANES - 1) };
        for from in (0..ready).step_by(LANES) {
            convert.append::<G>(spans.at(from)?, (ready - from).min(LANES), out)?;
        }
        if out.len() > most {
            return None;
        }
        if ended {
            return found.end;
        }
        spans.keep_from(ready)?;
    }
    None
}

/// The first pass.
struct Scan<'a> {
    frame: Frame<'a>,
    /// Offset of the next block.
    at: usize,
    /// Place in the shape's text at which that block begins.
    phase: usize,
    walk: Walk,
}

/// 64 bytes of text.
struct Text(__m256i, __m256i);

impl Text {
    /// The bytes that `test` makes 0xff, as bits.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn bits(&self, test: impl Fn(__m256i) -> __m256i) -> u64 {
        let low = _mm256_movemask_epi8(test(self.0)) as u32;
        let high = _mm256_movemask_epi8(test(self.1)) as u32;
        u64::from(low) | u64::from(high) << 32
    }
}

impl Scan<'_> {
    /// The numbers of the next block. `None` for a refusal.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn block<G: Grammar>(&mut self) -> Option<Found> {
        if self.at > self.frame.len() {
            return None;
        }
        let bytes: &[u8; 64] = self.frame.padded().get(self.at..)?.first_chunk()?;
        // SAFETY: 64 bytes behind a reference; unaligned loads are allowed.
        let text = unsafe {
            let at = bytes.as_ptr().cast::<__m256i>();
            Text(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)))
        };
        let mut digit = text.bits(|v| in_range(v, b'0', 10));
        let mut point = text.bits(|v| _mm256_cmpeq_epi8(v, splat(b'.')));
        let mut letter = 0;
        if G::ACTION.is_some() {
            letter = text.bits(|v| in_range(v, b'a', 26));
        }
        let zero = if G::BARE { text.bits(|v| _mm256_cmpeq_epi8(v, splat(b'0'))) } else { 0 };
        let rest = !(digit | point | letter);
        let differing = self.differing::<G>(&text, rest)?;
        let (mut live, mut end) = (u64::MAX, None);
        if differing != 0 {
            let place = differing.trailing_zeros();
            live = !(u64::MAX << place);
            end = Some(self.array_end::<G>(bytes, rest & live, place)?);
        }
        (digit, point, letter) = (digit & live, point & live, letter & live);
        let place = |table: &[u64]| Some(_pdep_u64(*table.get(self.phase)?, rest) & live);
        let opens = place(&G::TABLES.opens)?;
        let picks = if G::ENDS.len() > 2 { place(&G::TABLES.picks)? } else { opens };
        let words = if G::ACTION.is_some() { place(&G::TABLES.words)? } else { 0 };
        let ends = place(&G::TABLES.closes)?;
        let block = Block { digit, point, zero, letter, opens, picks, words };
        let (starts, stops) = self.walk.step::<G>(&block)?;
        let found = Found { base: self.at as u32, starts, stops, ends, end };
        self.phase = (self.phase + rest.count_ones() as usize) % G::TEXT.len();
        self.at += 64;
        Some(found)
    }

    /// Which bytes outside the numbers (`rest`) are not the shape's text.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn differing<G: Grammar>(&self, text: &Text, rest: u64) -> Option<u64> {
        let marks = _mm256_broadcastsi128_si256(_mm_setr_epi8(
            1, 0, b'"' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'[' as i8, b',' as i8, b']' as i8, 0, 0,
        ));
        // A mark is what the table has for its low four bits. Other bytes are not: the 1 in front
        // is one that no byte finds there, where a 0 would make the byte 0 a mark.
        let mark = text.bits(|v| _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, v), v));
        // `[` and `]` have bit 6, `[` and `"` bit 1.
        let high = text.bits(|v| _mm256_slli_epi16::<1>(v));
        let low = text.bits(|v| _mm256_slli_epi16::<6>(v));
        let [want_high, want_low] = *G::TABLES.bits.get(self.phase)?;
        let differing = (high ^ _pdep_u64(want_high, rest)) | (low ^ _pdep_u64(want_low, rest));
        Some((differing | !mark) & rest)
    }

    /// The offset after the array, if the byte at `place`, the first one that differs from the
    /// shape's text, is a `]` in the place of the comma between two levels. `before` are the bytes
    /// of the text before it.
    fn array_end<G: Grammar>(&self, bytes: &[u8; 64], before: u64, place: u32) -> Option<usize> {
        let index = self.phase + before.count_ones() as usize;
        let separator = index % G::TEXT.len() == G::TEXT.len() - 1;
        let closed = separator && bytes.get(place as usize) == Some(&b']');
        closed.then_some(self.at + place as usize + 1)
    }
}

/// The second pass.
struct Convert<'a> {
    shape: Shape,
    frame: Frame<'a>,
    scales: Scales,
    /// Bytes before the point in a number's load; price and size alternate from here on.
    before: __m256i,
    /// The point and the decimals of the scale.
    room: __m256i,
    /// Moves the digits before the point over it.
    over_point: __m256i,
}

/// Per number: its load's offset, its first byte there and the byte after its last.
type Loads = [[u32; LANES]; 3];

impl<'a> Convert<'a> {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn new(shape: Shape, frame: Frame<'a>, scales: Scales) -> Self {
        let pair = |price: u8, qty: u8| _mm256_set1_epi64x(i64::from(price) | i64::from(qty) << 32);
        let (price, qty) = (DIGITS - scales.price, DIGITS - scales.qty);
        let side = |before: u8| {
            let lane = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let stays = _mm_cmpgt_epi8(lane, _mm_set1_epi8(before as i8));
            _mm_sub_epi8(lane, _mm_andnot_si128(stays, _mm_set1_epi8(1)))
        };
        Self {
            shape,
            frame,
            scales,
            before: pair(price, qty),
            room: pair(scales.price + 1, scales.qty + 1),
            over_point: _mm256_set_m128i(side(qty), side(price)),
        }
    }

    /// Converts `count` numbers and appends their levels.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn append<G: Grammar>(
        &self,
        spans: [&[u32; LANES]; 3],
        count: usize,
        out: &mut Vec<Level>,
    ) -> Option<()> {
        let (loads, odd) = self.loads(spans, count)?;
        let len = out.len();
        out.reserve(LANES / 2);
        for from in (0..count).step_by(LANES / 2) {
            let low = self.groups(&loads, from)?;
            let high = self.groups(&loads, from + 2)?;
            // SAFETY: room for `LANES / 2` levels is reserved, of which a store fills two, and any
            // bits are a `Level`, which is two `i64` in this order.
            unsafe {
                let into = out.as_mut_ptr().add(len + from / 2);
                _mm256_storeu_si256(into.cast(), join(low, high));
            }
        }
        // SAFETY: as many were written.
        unsafe { out.set_len(len + count.min(LANES) / 2) };
        if G::ACTION.is_some() || odd != 0 {
            let reader =
                spans::Special { shape: self.shape, frame: self.frame, scales: self.scales };
            reader.read::<G>(spans[0], odd, out.get_mut(len..)?)?;
        }
        Some(())
    }

    /// Where the numbers are loaded from, and a bit for each that has too many digits. `None`:
    /// decimals beyond the scale that are not zero, or too many.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn loads(&self, spans: [&[u32; LANES]; 3], count: usize) -> Option<(Loads, u8)> {
        let [start, point, end] = spans.map(|list| load(list));
        let used = _bzhi_u32(u32::MAX, count as u32) as i32;
        let whole = _mm256_sub_epi32(point, start);
        let part = _mm256_sub_epi32(end, point);
        let odd = signs(_mm256_cmpgt_epi32(whole, self.before)) & used;
        let excess = _mm256_sub_epi32(part, self.room);
        if signs(_mm256_cmpgt_epi32(part, self.room)) & used != 0 {
            self.only_zeros(point, excess, count)?;
        }
        let clamp = |bound| {
            let most = _mm256_min_epi32(bound, _mm256_set1_epi32(16));
            store(_mm256_max_epi32(most, _mm256_setzero_si256()))
        };
        let at = store(_mm256_sub_epi32(point, self.before));
        let from = clamp(_mm256_sub_epi32(self.before, whole));
        let to = clamp(_mm256_add_epi32(self.before, part));
        Some(([at, from, to], odd as u8))
    }

    /// Whether the `excess` decimals beyond the scale of `count` numbers are all zeros, and not
    /// too many.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn only_zeros(&self, point: __m256i, excess: __m256i, count: usize) -> Option<()> {
        let at = store(_mm256_add_epi32(point, self.room));
        let excess = store(_mm256_max_epi32(excess, _mm256_setzero_si256()));
        for (at, excess) in at.iter().zip(&excess).take(count) {
            let other = _mm_cmpeq_epi8(self.window(*at), _mm_set1_epi8(b'0' as i8));
            let zeros = _mm_movemask_epi8(other).trailing_ones();
            if *excess > zeros {
                return None;
            }
        }
        Some(())
    }

    /// A price and a size in units of four digits: 32-bit lanes, highest first.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn groups(&self, loads: &Loads, index: usize) -> Option<__m256i> {
        let pair = |list: &[u32; LANES]| list.get(index..)?.first_chunk::<2>().copied();
        let [at, from, to] = loads;
        let ([price, qty], [price_from, qty_from]) = (pair(at)?, pair(from)?);
        let [price_to, qty_to] = pair(to)?;
        let text = _mm256_set_m128i(self.window(qty), self.window(price));
        let from = _mm256_set_m128i(beyond(qty_from), beyond(price_from));
        let to = _mm256_set_m128i(beyond(qty_to), beyond(price_to));
        let inside = _mm256_andnot_si256(to, from);
        let digits = _mm256_and_si256(_mm256_sub_epi8(text, splat(b'0')), inside);
        let digits = _mm256_shuffle_epi8(digits, self.over_point);
        let tens = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
        Some(_mm256_madd_epi16(tens, _mm256_set1_epi32(0x0001_0064)))
    }

    /// The 16 bytes at an offset of [`Spans`] less at most [`LEAD`], or more by at most 16.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn window(&self, at: u32) -> __m128i {
        // SAFETY: an offset of `Spans` is not below `LEAD`, and not more than 64 beyond the frame's
        // end, behind which `PAD` bytes may be read (asserted above).
        unsafe { _mm_loadu_si128(self.frame.padded().as_ptr().add(at as usize).cast()) }
    }
}

/// 0xff in the lanes from `first` (0..=16) on.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn beyond(first: u32) -> __m128i {
    let from = 16_usize.wrapping_sub(first as usize) & 31;
    let lanes: &[u8; 16] = STEP.get(from..).and_then(|step| step.first_chunk()).unwrap_or(&[0; 16]);
    // SAFETY: 16 bytes behind a reference.
    unsafe { _mm_loadu_si128(lanes.as_ptr().cast()) }
}

/// Sixteen times 0, then 0xff.
static STEP: [u8; 48] = {
    let mut step = [0; 48];
    let (_, set) = step.split_at_mut(16);
    let mut rest = set;
    while let [byte, others @ ..] = rest {
        *byte = 0xff;
        rest = others;
    }
    step
};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn splat(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

/// 0xff for the bytes that are one of the `count` from `first` on.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn in_range(text: __m256i, first: u8, count: u8) -> __m256i {
    let index = _mm256_sub_epi8(text, splat(first));
    _mm256_cmpeq_epi8(_mm256_min_epu8(index, splat(count - 1)), index)
}

/// The sign bits of eight numbers.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn signs(numbers: __m256i) -> i32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(numbers))
}

/// Two levels from the groups of four digits of each.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
pub(super) fn join(low: __m256i, high: __m256i) -> __m256i {
    let groups = _mm256_packus_epi32(low, high);
    // Eight digits in each 32-bit lane, highest first.
    let halves = _mm256_madd_epi16(groups, _mm256_set1_epi32(0x0001_2710));
    let high = _mm256_mul_epu32(halves, _mm256_set1_epi64x(100_000_000));
    let values = _mm256_add_epi64(high, _mm256_srli_epi64::<32>(halves));
    // Both prices came first.
    _mm256_permute4x64_epi64::<0b11_01_10_00>(values)
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn load(numbers: &[u32; LANES]) -> __m256i {
    // SAFETY: as many bytes behind a reference.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn store(numbers: __m256i) -> [u32; LANES] {
    let mut list = [0; LANES];
    // SAFETY: as many bytes behind a reference.
    unsafe { _mm256_storeu_si256(list.as_mut_ptr().cast(), numbers) };
    list
}
