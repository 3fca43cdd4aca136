//! `[["price","size"],…]` with AVX2 where the numbers of a symbol have decimals as they come: how
//! Bybit writes sizes. As [`super::padded`], but each number has a form of its own, so where it
//! has its point is noted too.
//!
//! The one invariant is the same: marks are compared, and what lies between them must be digits
//! and the point of its form.

use super::avx2::join;
use super::forms::{DECIMALS_MAX, FORMS, Form, TEXT_MAX};
use super::padded::{
    CAPACITY, CHECKS, FOUR, GAPS, PER_BLOCK, ROUND, Scan, before, begun, iota, is_closed, marks,
    note, splat,
};
use super::spans::LANES;
use super::{Frame, LEVELS_MAX};
use core::arch::x86_64::*;
use gapless_book::event::{Level, Scales};

/// As [`super::levels`], for quoted pairs, after the caller's checks. `None`: something unusual.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn pairs(
    frame: Frame<'_>,
    at: usize,
    scales: Scales,
    out: &mut Vec<Level>,
) -> Option<usize> {
    if frame.padded().get(at..at + 3)? != b"[[\"" {
        return None;
    }
    let forms = |scale: u8| FORMS.get(usize::from(scale));
    let convert = Convert {
        frame,
        price: forms(scales.price)?,
        qty: forms(scales.qty)?,
        scales: alternating(u32::from(scales.price), u32::from(scales.qty)),
        gaps: alternating(GAPS[0], GAPS[1]),
    };
    let mut scan = Scan::new(frame, at + 3);
    let (mut ends, mut stops) = (begun::<CAPACITY>(at + 3), begun::<CAPACITY>(at + 3));
    let (mut noted, mut stopped, mut run, most) = (0, 0, 0, out.len() + LEVELS_MAX);
    loop {
        let (base, number, text) = (scan.base as u32, scan.number, scan.text()?);
        let (falls, end) = scan.block(&text);
        let digits = text.bits(|text| {
            let index = _mm256_sub_epi8(text, splat(b'0'));
            _mm256_cmpeq_epi8(_mm256_min_epu8(index, splat(9)), index)
        });
        // Adding a number's first byte carries through its digits into the byte after them.
        let first = text.numbers & !(text.numbers << 1 | number);
        let (sum, over) = first.overflowing_add(digits);
        let (sum, over_too) = sum.overflowing_add(run);
        run = u64::from(over | over_too);
        let stop = sum & !digits;
        note(ends.get_mut(1 + noted..)?.first_chunk_mut()?, base, falls);
        note(stops.get_mut(1 + stopped..)?.first_chunk_mut()?, base, stop);
        noted += falls.count_ones() as usize;
        stopped += stop.count_ones() as usize;
        if let Some(end) = end {
            // Behind the array stops may be noted that are nobody's.
            convert.append(&ends, &stops, noted, true, out)?;
            let closed = is_closed(frame, &ends, noted, end)? && out.len() <= most;
            return closed.then_some(end);
        }
        if noted >= ROUND {
            let done = noted / LANES * LANES;
            convert.append(&ends, &stops, done, false, out)?;
            if out.len() > most {
                return None;
            }
            for list in [&mut ends, &mut stops] {
                let left: [u32; PER_BLOCK] = *list.get(done..)?.first_chunk()?;
                *list.first_chunk_mut()? = left;
            }
            noted -= done;
            stopped = stopped.checked_sub(done)?;
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn alternating(price: u32, qty: u32) -> __m256i {
    _mm256_set1_epi64x((u64::from(price) | u64::from(qty) << 32) as i64)
}

/// The second pass. In all vectors of bytes the price's half comes first.
struct Convert<'a> {
    frame: Frame<'a>,
    /// The forms of a price and of a size at their scales, by decimals.
    price: &'static [Form; DECIMALS_MAX + 1],
    qty: &'static [Form; DECIMALS_MAX + 1],
    scales: __m256i,
    gaps: __m256i,
}

/// What is wrong with some numbers; nothing, if all bits are 0.
struct Wrong {
    /// The largest value that each byte of a number had; more than 9 is no digit.
    digits: __m256i,
    lengths: __m256i,
}

impl Convert<'_> {
    /// Converts the first `count` numbers and appends their levels. `last`: the array ends with
    /// them, so no marks of a next level follow.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn append(
        &self,
        ends: &[u32],
        stops: &[u32],
        count: usize,
        last: bool,
        out: &mut Vec<Level>,
    ) -> Option<()> {
        let (levels, len) = (count / 2, out.len());
        out.reserve(levels + FOUR);
        let zero = _mm256_setzero_si256();
        let mut wrong = Wrong { digits: zero, lengths: zero };
        let mut differing = 0;
        for done in (0..levels).step_by(FOUR) {
            let ends: &[u32; 1 + LANES] = ends.get(2 * done..)?.first_chunk()?;
            let stops: &[u32; LANES] = stops.get(1 + 2 * done..)?.first_chunk()?;
            let left = levels - done;
            let values = self.four(ends, stops, left, &mut wrong)?;
            let checks = CHECKS.get((left + usize::from(!last)).min(FOUR + 1))?;
            differing |= marks(self.frame, ends, checks);
            // SAFETY: `done` is less than `levels`, and room for four levels more is reserved. Any
            // bits are a `Level`, which is two `i64` in this order.
            unsafe {
                let into = out.as_mut_ptr().add(len + done).cast::<__m256i>();
                _mm256_storeu_si256(into, values[0]);
                _mm256_storeu_si256(into.add(1), values[1]);
            }
        }
        let found = _mm256_or_si256(_mm256_subs_epu8(wrong.digits, splat(9)), wrong.lengths);
        if _mm256_testz_si256(found, found) == 0 || differing != 0 {
            return None;
        }
        // SAFETY: as many were written, in room that was reserved.
        unsafe { out.set_len(len + levels) };
        Some(())
    }

    /// Four levels, of which the first `left` count.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn four(
        &self,
        ends: &[u32; 1 + LANES],
        stops: &[u32; LANES],
        left: usize,
        wrong: &mut Wrong,
    ) -> Option<[__m256i; 2]> {
        // SAFETY: as many bytes behind references, to one element less in the first two.
        let (from, to, stop) = unsafe {
            let at = ends.as_ptr();
            let ends = (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(1).cast()));
            (ends.0, ends.1, _mm256_loadu_si256(stops.as_ptr().cast()))
        };
        let (zero, one) = (_mm256_setzero_si256(), _mm256_set1_epi32(1));
        let length = _mm256_sub_epi32(_mm256_sub_epi32(to, from), self.gaps);
        let written = _mm256_sub_epi32(_mm256_sub_epi32(to, stop), one);
        let written = _mm256_max_epi32(written, zero);
        // One more where there is a point.
        let least =
            _mm256_sub_epi32(_mm256_add_epi32(written, one), _mm256_cmpgt_epi32(written, zero));
        let missing = _mm256_max_epi32(_mm256_sub_epi32(self.scales, written), zero);
        let most = _mm256_sub_epi32(_mm256_set1_epi32(TEXT_MAX as i32), missing);
        let badly =
            _mm256_or_si256(_mm256_cmpgt_epi32(length, most), _mm256_cmpgt_epi32(least, length));
        let left = _mm256_set1_epi32(left as i32);
        let counts = _mm256_cmpgt_epi32(left, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
        wrong.lengths = _mm256_or_si256(wrong.lengths, _mm256_and_si256(badly, counts));
        // A number of sixteen bytes has no more decimals than there are forms.
        let written = _mm256_min_epi32(written, _mm256_set1_epi32(DECIMALS_MAX as i32));
        let mut decimals = [0u32; LANES];
        // SAFETY: an array of as many bytes.
        unsafe { _mm256_storeu_si256(decimals.as_mut_ptr().cast(), written) };
        let narrow = _mm256_packus_epi32(length, length);
        let narrow = _mm256_packus_epi16(narrow, narrow);
        let low = _mm256_permute4x64_epi64::<0b01_00_01_00>(narrow);
        let high = _mm256_permute4x64_epi64::<0b11_10_11_10>(narrow);
        let mut groups = |index: usize, lengths: __m256i, pick: i32| {
            let [price, qty] = *ends.get(1 + 2 * index..)?.first_chunk::<2>()?;
            let text = _mm256_set_m128i(before(self.frame, qty), before(self.frame, price));
            let [price, qty] = *decimals.get(2 * index..)?.first_chunk::<2>()?;
            let price = self.price.get(price as usize)?;
            let qty = self.qty.get(qty as usize)?;
            let bytes = |price: &[u8; TEXT_MAX], qty: &[u8; TEXT_MAX]| {
                // SAFETY: 16 bytes behind each reference.
                unsafe { _mm256_loadu2_m128i(qty.as_ptr().cast(), price.as_ptr().cast()) }
            };
            let pick = _mm256_set_m128i(_mm_set1_epi8(pick as i8 + 1), _mm_set1_epi8(pick as i8));
            let length = _mm256_shuffle_epi8(lengths, pick);
            let lane = _mm256_broadcastsi128_si256(iota());
            let inside = _mm256_cmpgt_epi8(_mm256_add_epi8(lane, length), splat(15));
            let digits = _mm256_xor_si256(text, bytes(&price.zero, &qty.zero));
            let digits = _mm256_and_si256(digits, inside);
            let counts = _mm256_cmpgt_epi32(left, _mm256_set1_epi32(index as i32));
            let strict = _mm256_adds_epu8(digits, bytes(&price.strict, &qty.strict));
            wrong.digits = _mm256_max_epu8(wrong.digits, _mm256_and_si256(strict, counts));
            let digits = _mm256_shuffle_epi8(digits, bytes(&price.place, &qty.place));
            let tens = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
            Some(_mm256_madd_epi16(tens, _mm256_set1_epi32(0x0001_0064)))
        };
        let first = join(groups(0, low, 0)?, groups(1, low, 2)?);
        let second = join(groups(2, high, 0)?, groups(3, high, 2)?);
        Some([first, second])
    }
}
