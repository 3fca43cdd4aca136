//! Levels with AVX-512 (F, BW, VL, VBMI, VBMI2): 64 bytes of text or eight numbers at a time.
//!
//! Two passes over a few blocks at a time. The first squeezes the digits and points out of a
//! block, compares what is left with the shape's text and notes where each number starts, where
//! its integer part stops and where it ends. The second loads each number aligned on its point
//! and converts eight at once. No load waits for the level before it.
//!
//! The one invariant: every offset in [`Spans`] is at least [`LEAD`] and lies in a block that
//! began inside the frame, so that the loads around it stay inside the frame and its padding.
//! What is unusual goes to [`super::portable`].

use super::grammar::{Block, Grammar, Objects, Pairs, Quads, Triples, Walk};
use super::spans::{BLOCKS, DIGITS, Found, LANES, LEAD, PER_BLOCK, REACH, Spans};
use super::{Arrays, Frame, LEVELS_MAX, PAD, Shape, padded, spans};
use core::arch::x86_64::*;
use gapless_book::event::{Level, Scales};

// Loads begin at most so long before a stop, and end at most so long after it.
const _: () = assert!(LEAD >= DIGITS as usize && PAD >= 64 + REACH);

/// As [`super::levels`], but the caller checks both ends and the scales, and takes back what a
/// refusal appended. `None` also for what only the portable reader takes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
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
            array::<Pairs>(shape, frame, at, scales, out)
        }
        Shape::QuotedQuads => array::<Quads>(shape, frame, at, scales, out),
        Shape::ActionTriples => array::<Triples>(shape, frame, at, scales, out),
        Shape::PriceAmount => array::<Objects>(shape, frame, at, scales, out),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
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
        let place = |mask| offsets(found.base, mask);
        let lists = [place(found.starts), place(found.stops), place(found.ends)];
        let (ended, count) = (found.end.is_some(), found.ends.count_ones() as usize);
        // Few numbers in a single block stay in registers.
        let direct = block == 1 && ended && count <= LANES;
        if !direct {
            spans.push(&found, &lists, |list, into| store(list, into))?;
        }
        if block % BLOCKS != 0 && !ended {
            continue;
        }
        let known = if direct { count } else { spans.len() };
        let ready = if ended { known } else { known & !(LANES - 1) };
        for from in (0..ready).step_by(LANES) {
            let lists = if direct {
                lists.map(|list| low(list))
            } else {
                spans.at(from)?.map(|list| load(list))
            };
            convert.append::<G>(lists, (ready - from).min(LANES), out)?;
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

impl Scan<'_> {
    /// The numbers of the next block. `None` for a refusal.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn block<G: Grammar>(&mut self) -> Option<Found> {
        if self.at > self.frame.len() {
            return None;
        }
        let bytes: &[u8; 64] = self.frame.padded().get(self.at..)?.first_chunk()?;
        // SAFETY: 64 bytes behind a reference; unaligned loads are allowed.
        let text = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let mut digit = in_range(text, b'0', 10);
        let mut point = _mm512_cmpeq_epi8_mask(text, splat(b'.'));
        let mut letter = if G::ACTION.is_some() { in_range(text, b'a', 26) } else { 0 };
        let zero = if G::BARE { _mm512_cmpeq_epi8_mask(text, splat(b'0')) } else { 0 };
        let rest = !(digit | point | letter);
        let differing = self.differing::<G>(text, rest)?;
        let (mut live, mut end) = (u64::MAX, None);
        if differing != 0 {
            let (last, offset) = self.array_end::<G>(bytes, rest, differing)?;
            (live, end) = (last - 1, Some(offset));
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

    /// Which bytes outside the numbers (`rest`, squeezed together) are not the shape's text.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn differing<G: Grammar>(&self, text: __m512i, rest: u64) -> Option<u64> {
        let wanted: &[u8; 64] = G::TABLES.text.get(self.phase..)?.first_chunk()?;
        // SAFETY: 64 bytes behind a reference; unaligned loads are allowed.
        let wanted = unsafe { _mm512_loadu_si512(wanted.as_ptr().cast()) };
        let squeezed = _mm512_maskz_compress_epi8(rest, text);
        let some = _bzhi_u64(u64::MAX, rest.count_ones());
        Some(_mm512_mask_cmpneq_epi8_mask(some, squeezed, wanted))
    }

    /// The bit of the byte that ends the array and the offset after it, if the first byte that
    /// differs from the shape's text is a `]` in the place of the comma between two levels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    fn array_end<G: Grammar>(
        &self,
        bytes: &[u8; 64],
        rest: u64,
        differing: u64,
    ) -> Option<(u64, usize)> {
        let index = differing.trailing_zeros();
        let bit = _pdep_u64(1 << index, rest);
        let place = bit.trailing_zeros() as usize;
        let separator = (self.phase + index as usize) % G::TEXT.len() == G::TEXT.len() - 1;
        let closed = separator && bytes.get(place) == Some(&b']');
        closed.then_some((bit, self.at + place + 1))
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
    over_point: __m512i,
}

impl<'a> Convert<'a> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    fn new(shape: Shape, frame: Frame<'a>, scales: Scales) -> Self {
        let pair = |price: u8, qty: u8| _mm256_set1_epi64x(i64::from(price) | i64::from(qty) << 32);
        let (price, qty) = (DIGITS - scales.price, DIGITS - scales.qty);
        let side = |before: u8| {
            let lane = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let moved = _mm_cmple_epu8_mask(lane, _mm_set1_epi8(before as i8));
            _mm_mask_sub_epi8(lane, moved, lane, _mm_set1_epi8(1))
        };
        let join = _mm256_set_m128i(side(qty), side(price));
        Self {
            shape,
            frame,
            scales,
            before: pair(price, qty),
            room: pair(scales.price + 1, scales.qty + 1),
            over_point: _mm512_broadcast_i64x4(join),
        }
    }

    /// Converts `count` numbers and appends their levels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn append<G: Grammar>(
        &self,
        spans: [__m256i; 3],
        count: usize,
        out: &mut Vec<Level>,
    ) -> Option<()> {
        let (values, odd) = self.eight(spans, _bzhi_u32(u32::MAX, count as u32) as u8)?;
        out.reserve(LANES / 2);
        let len = out.len();
        // SAFETY: room for `LANES / 2` levels is reserved, `count` is at most `LANES`, and any
        // bits are a `Level`, which is two `i64` in this order.
        unsafe {
            _mm512_storeu_si512(out.as_mut_ptr().add(len).cast(), values);
            out.set_len(len + count.min(LANES) / 2);
        }
        if G::ACTION.is_some() || odd != 0 {
            let mut start = [0; LANES];
            // SAFETY: as many bytes behind a reference.
            unsafe { _mm256_storeu_si256(start.as_mut_ptr().cast(), spans[0]) };
            let reader =
                spans::Special { shape: self.shape, frame: self.frame, scales: self.scales };
            reader.read::<G>(&start, odd, out.get_mut(len..)?)?;
        }
        Some(())
    }

    /// The values of eight numbers, and a bit for each that has too many digits. `None`: decimals
    /// beyond the scale that are not zero, or too many.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn eight(&self, spans: [__m256i; 3], used: u8) -> Option<(__m512i, u8)> {
        let [start, point, end] = spans;
        let whole = _mm256_sub_epi32(point, start);
        let part = _mm256_sub_epi32(end, point);
        let odd = _mm256_mask_cmpgt_epu32_mask(used, whole, self.before);
        let beyond = _mm256_mask_cmpgt_epu32_mask(used, part, self.room);
        if beyond != 0 {
            self.only_zeros(point, _mm256_maskz_sub_epi32(beyond, part, self.room))?;
        }
        let from = _mm256_sub_epi32(self.before, whole);
        let to = _mm256_add_epi32(self.before, part);
        let (low, high) = self.windows(_mm256_sub_epi32(point, self.before));
        let low = self.groups(low, spread(from, 0), spread(to, 0));
        let high = self.groups(high, spread(from, 1), spread(to, 1));
        Some((join(low, high), odd))
    }

    /// Four numbers in units of four digits: 32-bit lanes, highest first.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn groups(&self, text: __m512i, from: __m512i, to: __m512i) -> __m512i {
        let inside = _mm512_cmpge_epu8_mask(lanes(), from);
        let inside = _mm512_mask_cmplt_epu8_mask(inside, lanes(), to);
        let digits = _mm512_maskz_sub_epi8(inside, text, splat(b'0'));
        let digits = _mm512_shuffle_epi8(digits, self.over_point);
        let tens = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
        _mm512_madd_epi16(tens, _mm512_set1_epi32(0x0001_0064))
    }

    /// Whether the `excess` decimals beyond the scale are all zeros, and not too many.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn only_zeros(&self, point: __m256i, excess: __m256i) -> Option<()> {
        let (low, high) = self.windows(_mm256_add_epi32(point, self.room));
        let zeros = |text: __m512i, half: usize| {
            let inside = _mm512_cmplt_epu8_mask(lanes(), spread(excess, half));
            _mm512_mask_cmpneq_epi8_mask(inside, text, splat(b'0')) == 0
        };
        let few = _mm256_cmpgt_epu32_mask(excess, _mm256_set1_epi32(16)) == 0;
        (few && zeros(low, 0) && zeros(high, 1)).then_some(())
    }

    /// The 16 bytes at each of eight offsets, which are offsets of [`Spans`] less at most
    /// [`LEAD`], or more by at most 16.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    #[inline]
    fn windows(&self, at: __m256i) -> (__m512i, __m512i) {
        let mut offsets = [0u32; LANES];
        // SAFETY: an array of as many bytes.
        unsafe { _mm256_storeu_si256(offsets.as_mut_ptr().cast(), at) };
        let text = self.frame.padded().as_ptr();
        let load = |offset: u32| {
            // SAFETY: an offset of `Spans` is not below `LEAD`, and less than 64 beyond the
            // frame's end, behind which `PAD` bytes may be read (asserted above).
            unsafe { _mm_loadu_si128(text.add(offset as usize).cast()) }
        };
        let [a, b, c, d, e, f, g, h] = offsets.map(load);
        (four(a, b, c, d), four(e, f, g, h))
    }
}

/// The offsets of the bits of `mask` in the block at `base`, in 16 lanes; further lanes are `base`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn offsets(base: u32, mask: u64) -> __m512i {
    // SAFETY: 64 bytes behind a reference.
    let all = unsafe { _mm512_loadu_si512(INDEX.as_ptr().cast()) };
    let some = _mm512_castsi512_si128(_mm512_maskz_compress_epi8(mask, all));
    _mm512_add_epi32(_mm512_cvtepu8_epi32(some), _mm512_set1_epi32(base as i32))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn low(offsets: __m512i) -> __m256i {
    _mm512_castsi512_si256(offsets)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn store(offsets: &__m512i, into: &mut [u32; PER_BLOCK]) {
    // SAFETY: 16 lanes of 4 bytes behind a reference.
    unsafe { _mm512_storeu_si512(into.as_mut_ptr().cast(), *offsets) };
}

/// 0, 1, 2, …; only the compiler fills it.
#[allow(clippy::indexing_slicing)]
const INDEX: [u8; 64] = {
    let mut index = [0; 64];
    let mut at = 0;
    while at < 64 {
        index[at] = at as u8;
        at += 1;
    }
    index
};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte as i8)
}

/// Bytes of `text` that are one of the `count` from `first` on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn in_range(text: __m512i, first: u8, count: u8) -> u64 {
    _mm512_cmplt_epu8_mask(_mm512_sub_epi8(text, splat(first)), splat(count))
}

/// The index of each byte in its 16-byte lane.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn lanes() -> __m512i {
    _mm512_set4_epi32(0x0f0e_0d0c, 0x0b0a_0908, 0x0706_0504, 0x0302_0100)
}

/// The low byte of each of four 32-bit numbers (the first or second four of eight) in 16 bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn spread(numbers: __m256i, half: usize) -> __m512i {
    let first = 16 * half as i32;
    let step = |lane: i32| (first + 4 * lane) * 0x0101_0101;
    let from = _mm512_inserti64x4::<1>(
        _mm512_castsi256_si512(_mm256_set_m128i(_mm_set1_epi32(step(1)), _mm_set1_epi32(step(0)))),
        _mm256_set_m128i(_mm_set1_epi32(step(3)), _mm_set1_epi32(step(2))),
    );
    _mm512_permutexvar_epi8(from, _mm512_castsi256_si512(numbers))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn four(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> __m512i {
    let low = _mm512_castsi256_si512(_mm256_set_m128i(b, a));
    _mm512_inserti64x4::<1>(low, _mm256_set_m128i(d, c))
}

/// Eight values from their groups of four digits, two times four numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn join(low: __m512i, high: __m512i) -> __m512i {
    let groups = _mm512_packus_epi32(low, high);
    // Eight digits in each 32-bit lane, highest first.
    let halves = _mm512_madd_epi16(groups, _mm512_set1_epi32(0x0001_2710));
    let high = _mm512_mul_epu32(halves, _mm512_set1_epi64(100_000_000));
    let values = _mm512_add_epi64(high, _mm512_srli_epi64::<32>(halves));
    _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), values)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn load(numbers: &[u32; LANES]) -> __m256i {
    // SAFETY: as many bytes behind a reference.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}
