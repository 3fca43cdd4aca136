//! A part of a frame that is laid out as it was before: its literal bytes compared, its numbers
//! read from where they stood.
//!
//! The one invariant: every byte of the chunks is compared or is a digit of a number. Both ways
//! through give the same answer on every input.

#[cfg(target_arch = "x86_64")]
use super::Kind;
use super::frame::Frame;
use super::{Isa, PAD};
use crate::swar::{above_nine, value};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use gapless_book::decimal::POW10;

/// Bytes compared at once.
pub(crate) const CHUNK: usize = 32;

/// Most digits of a number.
pub(crate) const DIGITS: usize = 16;

/// What some bytes were, and which of them are literal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) bytes: [u8; CHUNK],
    /// 0xff, or 0 where the byte belongs to a number or to nothing.
    pub(crate) literal: [u8; CHUNK],
}

/// A number that keeps its place and its length, as the last of 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    /// Offset in the part of the byte after it.
    end: usize,
    /// 0xff where it has a digit.
    digits: [u8; DIGITS],
    /// 0xff where its first digit is, unless that is its only one.
    first: [u8; DIGITS],
    /// The smallest number of so many digits that does not begin with a zero.
    least: i64,
}

impl Digits {
    /// A number of `len` digits that ends before byte `end` of a part; `None` if it is too long.
    pub(crate) fn new(end: usize, len: usize) -> Option<Self> {
        let before = DIGITS.checked_sub(len).filter(|_| len > 0)?;
        let (mut digits, mut first) = ([0; DIGITS], [0; DIGITS]);
        digits.get_mut(before..)?.fill(u8::MAX);
        if len > 1 {
            *first.get_mut(before)? = u8::MAX;
        }
        let least = if len > 1 { *POW10.get(len - 1)? } else { 0 };
        Some(Self { end, digits, first, least })
    }
}

// Chunks may reach beyond the frame, numbers not.
const _: () = assert!(PAD >= CHUNK);

/// Whether the bytes at `at` are literally those of `chunks`, and digits where `digits` are; their
/// values are written to the first places of `numbers`.
#[inline]
pub(crate) fn part(
    isa: Isa,
    frame: Frame<'_>,
    at: usize,
    chunks: &[Chunk],
    digits: &[Digits],
    numbers: &mut [i64],
) -> bool {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 | Kind::Avx2 => {
            // SAFETY: only `vector_kinds` makes these kinds, after it found AVX2.
            unsafe { vectors(frame.padded(), at, chunks, digits, numbers) }
        }
        Kind::Portable => words(frame.padded(), at, chunks, digits, numbers),
    }
    .is_some()
}

/// [`part`] in plain words.
fn words(
    bytes: &[u8],
    at: usize,
    chunks: &[Chunk],
    digits: &[Digits],
    numbers: &mut [i64],
) -> Option<()> {
    let theirs = bytes.get(at..)?.get(..chunks.len() * CHUNK)?.as_chunks::<CHUNK>().0;
    let mut differing = [0; CHUNK];
    for (theirs, ours) in theirs.iter().zip(chunks) {
        let ours = ours.bytes.iter().zip(&ours.literal);
        for ((differing, theirs), (ours, literal)) in differing.iter_mut().zip(theirs).zip(ours) {
            *differing |= (theirs ^ ours) & literal;
        }
    }
    let mut wrong = 0;
    for (place, number) in digits.iter().zip(numbers) {
        let text = bytes.get((at + place.end).checked_sub(DIGITS)?..)?.first_chunk()?;
        let text = u128::from_le_bytes(*text) ^ u128::from_ne_bytes([b'0'; DIGITS]);
        let text = text & u128::from_le_bytes(place.digits);
        let (low, high) = (text as u64, (text >> 64) as u64);
        // Sixteen digits fit.
        *number = (value(low) * 100_000_000 + value(high)) as i64;
        let zero_first = *number < place.least;
        wrong |= above_nine(low) | above_nine(high) | u64::from(zero_first);
    }
    let differing = u128::from_le_bytes(*differing.first_chunk()?)
        | u128::from_le_bytes(*differing.last_chunk()?);
    (differing == 0 && wrong == 0).then_some(())
}

/// [`part`] with vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn vectors(
    bytes: &[u8],
    at: usize,
    chunks: &[Chunk],
    digits: &[Digits],
    numbers: &mut [i64],
) -> Option<()> {
    let mut wrong = _mm256_setzero_si256();
    let theirs = bytes.get(at..)?.get(..chunks.len() * CHUNK)?.as_chunks::<CHUNK>().0;
    for (theirs, ours) in theirs.iter().zip(chunks) {
        let other = _mm256_xor_si256(load(theirs), load(&ours.bytes));
        wrong = _mm256_or_si256(wrong, _mm256_and_si256(other, load(&ours.literal)));
    }
    let text = |place: &Digits| bytes.get((at + place.end).checked_sub(DIGITS)?..)?.first_chunk();
    let (pairs, rest) = digits.as_chunks::<2>();
    let (pair_numbers, rest_numbers) = numbers.split_at_mut_checked(2 * pairs.len())?;
    for ([one, two], numbers) in pairs.iter().zip(pair_numbers.as_chunks_mut::<2>().0) {
        let read = two_numbers([text(one)?, text(two)?], [one, two]);
        wrong = _mm256_or_si256(wrong, read.1);
        *numbers = read.0;
    }
    if let (Some(last), Some(number)) = (rest.first(), rest_numbers.first_mut()) {
        let text = text(last)?;
        let read = two_numbers([text, text], [last, last]);
        wrong = _mm256_or_si256(wrong, read.1);
        [*number, _] = read.0;
    }
    (_mm256_testz_si256(wrong, wrong) == 1).then_some(())
}

/// Two numbers and, in bits that are set, what is wrong with them.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn two_numbers(text: [&[u8; DIGITS]; 2], places: [&Digits; 2]) -> ([i64; 2], __m256i) {
    let text = _mm256_xor_si256(load_two(text), _mm256_set1_epi8(b'0' as i8));
    let text = _mm256_and_si256(text, load_two(places.map(|place| &place.digits)));
    let zeros = _mm256_cmpeq_epi8(text, _mm256_setzero_si256());
    let zero_first = _mm256_and_si256(zeros, load_two(places.map(|place| &place.first)));
    let wrong = _mm256_or_si256(zero_first, _mm256_subs_epu8(text, _mm256_set1_epi8(9)));
    let tens = _mm256_maddubs_epi16(text, _mm256_set1_epi16(0x010a));
    let groups = _mm256_madd_epi16(tens, _mm256_set1_epi32(0x0001_0064));
    let groups = _mm256_packus_epi32(groups, groups);
    // Eight digits in each 32-bit lane, highest first.
    let halves = _mm256_madd_epi16(groups, _mm256_set1_epi32(0x0001_2710));
    let high = _mm256_mul_epu32(halves, _mm256_set1_epi64x(100_000_000));
    // Sixteen digits fit.
    let values = _mm256_add_epi64(high, _mm256_srli_epi64::<32>(halves));
    let first = _mm_cvtsi128_si64(_mm256_castsi256_si128(values));
    let second = _mm_cvtsi128_si64(_mm256_extracti128_si256::<1>(values));
    ([first, second], wrong)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; CHUNK]) -> __m256i {
    // SAFETY: as many bytes behind a reference; unaligned loads are allowed.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// The first in the lower half.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn load_two([low, high]: [&[u8; DIGITS]; 2]) -> __m256i {
    // SAFETY: as above, for each half.
    unsafe { _mm256_loadu2_m128i(high.as_ptr().cast(), low.as_ptr().cast()) }
}
