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

/// Bytes compared at once.
pub(crate) const CHUNK: usize = 16;

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
    digits: [u8; CHUNK],
    /// 0xff where its first digit is, unless that is its only one.
    first: [u8; CHUNK],
}

impl Digits {
    /// A number of `len` digits that ends before byte `end` of a part; `None` if it is too long.
    pub(crate) fn new(end: usize, len: usize) -> Option<Self> {
        let before = CHUNK.checked_sub(len).filter(|_| len > 0)?;
        let (mut digits, mut first) = ([0; CHUNK], [0; CHUNK]);
        digits.get_mut(before..)?.fill(u8::MAX);
        if len > 1 {
            *first.get_mut(before)? = u8::MAX;
        }
        Some(Self { end, digits, first })
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
    let mut differing = 0;
    for (theirs, ours) in theirs.iter().zip(chunks) {
        let other = u128::from_le_bytes(*theirs) ^ u128::from_le_bytes(ours.bytes);
        differing |= other & u128::from_le_bytes(ours.literal);
    }
    let mut wrong = 0;
    for (place, number) in digits.iter().zip(numbers) {
        let text = bytes.get((at + place.end).checked_sub(CHUNK)?..)?.first_chunk()?;
        let text = u128::from_le_bytes(*text) ^ u128::from_ne_bytes([b'0'; CHUNK]);
        let text = text & u128::from_le_bytes(place.digits);
        let (low, high) = (text as u64, (text >> 64) as u64);
        let first = u128::from_le_bytes(place.first);
        let zero_first = first != 0 && text & first == 0;
        wrong |= above_nine(low) | above_nine(high) | u64::from(zero_first);
        // Sixteen digits fit.
        *number = (value(low) * 100_000_000 + value(high)) as i64;
    }
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
    let load = |bytes: &[u8; CHUNK]| {
        // SAFETY: as many bytes behind a reference.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    };
    let mut wrong = _mm_setzero_si128();
    let theirs = bytes.get(at..)?.get(..chunks.len() * CHUNK)?.as_chunks::<CHUNK>().0;
    for (theirs, ours) in theirs.iter().zip(chunks) {
        let other = _mm_xor_si128(load(theirs), load(&ours.bytes));
        wrong = _mm_or_si128(wrong, _mm_and_si128(other, load(&ours.literal)));
    }
    for (place, number) in digits.iter().zip(numbers) {
        let text = bytes.get((at + place.end).checked_sub(CHUNK)?..)?.first_chunk()?;
        let text = _mm_xor_si128(load(text), _mm_set1_epi8(b'0' as i8));
        let text = _mm_and_si128(text, load(&place.digits));
        let zeros = _mm_cmpeq_epi8(text, _mm_setzero_si128());
        wrong = _mm_or_si128(wrong, _mm_and_si128(zeros, load(&place.first)));
        wrong = _mm_or_si128(wrong, _mm_subs_epu8(text, _mm_set1_epi8(9)));
        let tens = _mm_maddubs_epi16(text, _mm_set1_epi16(0x010a));
        let groups = _mm_madd_epi16(tens, _mm_set1_epi32(0x0001_0064));
        let halves = _mm_madd_epi16(_mm_packus_epi32(groups, groups), _mm_set1_epi32(0x0001_2710));
        let halves = _mm_cvtsi128_si64(halves) as u64;
        // Sixteen digits fit.
        *number = ((halves & 0xffff_ffff) * 100_000_000 + (halves >> 32)) as i64;
    }
    (_mm_testz_si128(wrong, wrong) == 1).then_some(())
}
