//! `[["price","size"],…]` with AVX2 where every price is written with the same number of
//! decimals, and every size: how Binance writes them, and the shortest way through an array.
//!
//! The first pass notes only where numbers end. The second loads the 16 bytes before each end,
//! takes one constant text away (the point and the zeros beyond the scale become 0, digits their
//! value), and moves what is left into place with one constant shuffle. No branch depends on a
//! number, so nothing is mispredicted but the end of the array.
//!
//! The one invariant: every byte is checked. Between the start of the array and its end there are
//! the numbers and the marks behind them: the marks are compared, a number's bytes are all that
//! lie between the marks, and each must be a digit or, in its one place, the point. What is not so
//! written is refused here and read by [`super::avx2`].

use super::avx2::join;
use super::both::Between;
use super::forms::{FORMS, TEXT_MAX};
use super::spans::{LANES, LEAD};
use super::{Frame, LEVELS_MAX, PAD};
use core::arch::x86_64::*;
use gapless_book::event::{Level, Scales};

/// Bytes scanned at once.
const BLOCK: usize = 64;
/// Most numbers that end in one block: no two ends are closer than 4 bytes.
pub(super) const PER_BLOCK: usize = BLOCK / 4;
/// Ends noted before they are converted.
pub(super) const ROUND: usize = 128;
/// The end before the first, a round, what one block more gives, and a vector to spare.
pub(super) const CAPACITY: usize = 1 + ROUND + PER_BLOCK + LANES;

/// Bytes between the end of a size and the next price, and between a price and its size.
pub(super) const GAPS: [u32; 2] = [5, 3];
/// What stands behind a price and behind a size, a level's last not counted.
const AFTER_PRICE: u64 = u32::from_le_bytes(*b"\",\"\0") as u64;
const AFTER_QTY: u64 = u64::from_le_bytes(*b"\"],[\"\0\0\0");

// An end lies at most one block behind the frame; eight bytes are loaded from it on, 16 before.
const _: () = assert!(PAD >= BLOCK + 8 && LEAD >= TEXT_MAX);

/// As [`super::levels`], for quoted pairs, after the caller's checks. `None`: not so written.
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
    let mut scan = Scan::new(frame, at + 3);
    let text = scan.text()?;
    let first = at + 3;
    let (falls, end) = scan.block(&text);
    let convert = Convert::new(frame, text.decimals(falls)?, scales)?;
    let count = falls.count_ones() as usize;
    if let Some(end) = end
        && count <= LANES
    {
        // Four levels or fewer: no list of many.
        let mut ends = begun::<{ 1 + PER_BLOCK }>(first);
        note(ends.last_chunk_mut()?, first as u32, falls);
        return convert.finish(&ends, count, end, out);
    }
    let mut ends = begun::<CAPACITY>(first);
    note(ends.get_mut(1..)?.first_chunk_mut()?, first as u32, falls);
    more(scan, &convert, &mut ends, (count, end), out)
}

/// As [`super::both()`], after the caller's checks. `None`: not so written, or more than a round.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn both(
    frame: Frame<'_>,
    at: usize,
    between: &Between,
    scales: Scales,
    out: &mut Vec<Level>,
) -> Option<(usize, usize)> {
    if frame.padded().get(at..at + 3)? != b"[[\"" {
        return None;
    }
    let first = at + 3;
    let (mut scan, mut turn) = (Scan::new(frame, first), Turn::default());
    let text = scan.text()?;
    let (falls, mut end) = scan.block_of_two(&text, &mut turn);
    let mut noted = falls.count_ones() as usize;
    // If all blocks are as full as the first one, there are too many.
    if noted * (frame.len() - at) > ROUND * BLOCK {
        return None;
    }
    let convert = Convert::new(frame, text.decimals(falls)?, scales)?;
    let mut ends = begun::<CAPACITY>(first);
    note(ends.get_mut(1..)?.first_chunk_mut()?, first as u32, falls);
    while end.is_none() {
        if noted >= ROUND {
            return None;
        }
        let (base, text) = (scan.base as u32, scan.text()?);
        let falls;
        (falls, end) = scan.block_of_two(&text, &mut turn);
        note(ends.get_mut(1 + noted..)?.first_chunk_mut()?, base, falls);
        noted += falls.count_ones() as usize;
    }
    let joint = turn.joint(frame, &ends, noted, between)?;
    convert.append::<true>(&ends, noted, true, joint, out)?;
    let end = end.filter(|end| is_closed(frame, &ends, noted, *end) == Some(true))?;
    Some((joint.level, end))
}

/// Where the first of two arrays ends, as far as it was scanned.
#[derive(Default)]
pub(super) struct Turn {
    /// Numbers before that.
    numbers: usize,
    /// All bits: it was seen.
    seen: u64,
}

impl Turn {
    /// The joint of two arrays that have `count` numbers, if they are joined as they should be.
    #[inline(always)]
    pub(super) fn joint(
        &self,
        frame: Frame<'_>,
        ends: &[u32],
        count: usize,
        between: &Between,
    ) -> Option<Joint> {
        let last = *ends.get(self.numbers).filter(|_| self.numbers > 0)?;
        let joined = between.stands_at(frame, last as usize);
        let paired = self.numbers.is_multiple_of(2) && self.numbers < count;
        let gap = between.len().wrapping_sub(GAPS[0]);
        (joined && paired).then_some(Joint { level: self.numbers / 2, gap })
    }
}

/// What is different between two levels where one array ends and the next begins.
#[derive(Clone, Copy)]
pub(super) struct Joint {
    /// The first level of the second array.
    pub(super) level: usize,
    /// How much longer than between two levels of one array the text is.
    gap: u32,
}

impl Joint {
    pub(super) const NONE: Self = Self { level: usize::MAX, gap: 0 };

    /// What is added to the gaps of the four levels from `done` on.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    pub(super) fn gaps(self, done: usize) -> __m256i {
        let lane = _mm256_set1_epi32(self.level.wrapping_sub(done).wrapping_mul(2) as i32);
        let here = _mm256_cmpeq_epi32(lane, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        _mm256_and_si256(here, _mm256_set1_epi32(self.gap as i32))
    }

    /// Those of the checks that hold for the four levels from `done` on: what stands behind the
    /// first array's last size was compared by itself.
    #[inline(always)]
    pub(super) fn checks(self, done: usize, checks: &[u64; FOUR]) -> Option<[u64; FOUR]> {
        let before = self.level.wrapping_sub(done + 1).min(FOUR);
        let [a, b, c, d] = JOINTS.get(before)?;
        let [e, f, g, h] = checks;
        Some([a & e, b & f, c & g, d & h])
    }
}

/// By the place of the level before a joint among four; the last one where it is none of them.
static JOINTS: [[u64; FOUR]; FOUR + 1] = {
    const ALL: u64 = u64::MAX;
    [
        [PRICE, ALL, ALL, ALL],
        [ALL, PRICE, ALL, ALL],
        [ALL, ALL, PRICE, ALL],
        [ALL, ALL, ALL, PRICE],
        [ALL; FOUR],
    ]
};

/// Goes on behind the first block, of whose numbers the ends are noted.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn more(
    mut scan: Scan<'_>,
    convert: &Convert<'_>,
    ends: &mut [u32; CAPACITY],
    (mut noted, mut end): (usize, Option<usize>),
    out: &mut Vec<Level>,
) -> Option<usize> {
    let most = out.len() + LEVELS_MAX;
    loop {
        if let Some(end) = end {
            return convert.finish(ends, noted, end, out).filter(|_| out.len() <= most);
        }
        if noted >= ROUND {
            let done = noted / LANES * LANES;
            convert.append::<false>(ends, done, false, Joint::NONE, out)?;
            if out.len() > most {
                return None;
            }
            let left: [u32; PER_BLOCK] = *ends.get(done..)?.first_chunk()?;
            *ends.first_chunk_mut()? = left;
            noted -= done;
        }
        let (base, text) = (scan.base as u32, scan.text()?);
        let falls;
        (falls, end) = scan.block(&text);
        note(ends.get_mut(1 + noted..)?.first_chunk_mut()?, base, falls);
        noted += falls.count_ones() as usize;
    }
}

/// No ends yet of an array whose first number begins at `first`. Places that nothing is noted in
/// can be loaded too. The first number counts from where a size would have ended, had there been a
/// level before.
#[inline(always)]
pub(super) fn begun<const N: usize>(first: usize) -> [u32; N] {
    let mut ends = [first as u32; N];
    if let Some(before) = ends.first_mut() {
        *before -= GAPS[0];
    }
    ends
}

/// Writes the offsets of the bits of `mask` in the block at `base`; further ones are just behind
/// the block. How many there are is told by no branch but for the rare many.
#[inline(always)]
pub(super) fn note(into: &mut [u32; PER_BLOCK], base: u32, mut mask: u64) {
    let (few, more) = into.split_at_mut(LANES);
    for offset in few {
        *offset = base + mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
    }
    if mask != 0 {
        for offset in more {
            *offset = base + mask.trailing_zeros();
            mask &= mask.wrapping_sub(1);
        }
    }
}

/// The first pass.
pub(super) struct Scan<'a> {
    frame: Frame<'a>,
    /// Offset of the next block.
    pub(super) base: usize,
    /// The byte before it belongs to a number.
    pub(super) number: u64,
    /// The byte before it is a `]`.
    close: u64,
}

/// 64 bytes of text, and which of them belong to numbers: digits and points, and `/`, which stands
/// between these two and is refused by the second pass.
pub(super) struct Text {
    low: __m256i,
    high: __m256i,
    pub(super) numbers: u64,
}

impl Text {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn new(bytes: &[u8; BLOCK]) -> Self {
        // SAFETY: 64 bytes behind a reference; unaligned loads are allowed.
        let (low, high) = unsafe {
            let at = bytes.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)))
        };
        let mut text = Self { low, high, numbers: 0 };
        text.numbers = text.bits(|text| {
            let index = _mm256_sub_epi8(text, splat(b'.'));
            _mm256_cmpeq_epi8(_mm256_min_epu8(index, splat(b'9' - b'.')), index)
        });
        text
    }

    /// The bytes that `test` makes 0xff, as bits.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    pub(super) fn bits(&self, test: impl Fn(__m256i) -> __m256i) -> u64 {
        let low = _mm256_movemask_epi8(test(self.low)) as u32;
        let high = _mm256_movemask_epi8(test(self.high)) as u32;
        u64::from(low) | u64::from(high) << 32
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn are(&self, byte: u8) -> u64 {
        self.bits(|text| _mm256_cmpeq_epi8(text, splat(byte)))
    }

    /// Decimals with which all prices are written whose ends are in `falls`, and all sizes. `None`:
    /// they differ, or there is not one of each.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn decimals(&self, falls: u64) -> Option<[u32; 2]> {
        let points = self.bits(|text| _mm256_cmpeq_epi8(text, splat(b'.')));
        let prices = _pdep_u64(0x5555_5555_5555_5555, falls);
        let qtys = falls ^ prices;
        let (price, qty) = (prices & prices.wrapping_neg(), qtys & qtys.wrapping_neg());
        // The lowest point before an end, and nothing before the number that ends there.
        let decimals = |from: u64, end: u64| {
            let point = points & end.wrapping_sub(from);
            if point == 0 { 0 } else { end.trailing_zeros() - point.trailing_zeros() - 1 }
        };
        let (first, second) = (decimals(1, price), decimals(price, qty));
        let place =
            |ends: u64, decimals: u32| if decimals == 0 { 0 } else { ends >> 1 >> decimals };
        let expected = place(prices, first) | place(qtys, second);
        let seen = points & u64::MAX.checked_shr(falls.leading_zeros())?;
        (qty != 0 && seen == expected).then_some([first, second])
    }
}

impl<'a> Scan<'a> {
    /// Of an array whose first number begins at `first`.
    pub(super) const fn new(frame: Frame<'a>, first: usize) -> Self {
        Self { frame, base: first, number: 0, close: 0 }
    }

    /// The next block. `None`: the frame ended before.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    pub(super) fn text(&self) -> Option<Text> {
        if self.base > self.frame.len() {
            return None;
        }
        Some(Text::new(self.frame.padded().get(self.base..)?.first_chunk()?))
    }

    /// The ends of numbers in the next block, and the offset after the array if it ends there.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    pub(super) fn block(&mut self, text: &Text) -> (u64, Option<usize>) {
        let (numbers, closes) = (text.numbers, text.are(b']'));
        let double = closes & (closes << 1 | self.close);
        let before_end = double.wrapping_sub(1) & !double;
        let falls = (numbers << 1 | self.number) & !numbers & before_end;
        let end = self.base + double.trailing_zeros() as usize + 1;
        (self.number, self.close) = (numbers >> 63, closes >> 63);
        self.base += BLOCK;
        (falls, (double != 0).then_some(end))
    }

    /// As [`Scan::block`], of two arrays. Where the first one ends is told by no branch.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    pub(super) fn block_of_two(&mut self, text: &Text, turn: &mut Turn) -> (u64, Option<usize>) {
        let (numbers, closes) = (text.numbers, text.are(b']'));
        let double = closes & (closes << 1 | self.close);
        let falls = (numbers << 1 | self.number) & !numbers;
        let before_turn = double.wrapping_sub(1) & !double & !turn.seen;
        turn.numbers += (falls & before_turn).count_ones() as usize;
        let second = double & (double.wrapping_sub(1) | turn.seen);
        turn.seen |= if double == 0 { 0 } else { u64::MAX };
        let before_end = second.wrapping_sub(1) & !second;
        let end = self.base + second.trailing_zeros() as usize + 1;
        (self.number, self.close) = (numbers >> 63, closes >> 63);
        self.base += BLOCK;
        (falls & before_end, (second != 0).then_some(end))
    }
}

/// The second pass. In all vectors of bytes the price's half comes first.
struct Convert<'a> {
    frame: Frame<'a>,
    /// What becomes zero: `0`, and the point in its place.
    zero: __m256i,
    /// Nine where nothing but zero may be: the point, and decimals beyond the scale.
    strict: __m256i,
    /// Moves the digits to their places.
    place: __m256i,
    /// Lengths of the shortest and the longest number; price and size alternate.
    shortest: __m256i,
    longest: __m256i,
    gaps: __m256i,
}

/// What is wrong with some numbers; nothing, if all bits are 0.
struct Wrong {
    /// The largest value that each byte of a number had; more than 9 is no digit.
    digits: __m256i,
    lengths: __m256i,
    marks: u64,
}

impl<'a> Convert<'a> {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn new(frame: Frame<'a>, written: [u32; 2], scales: Scales) -> Option<Self> {
        let row = |written: u32, scale: u8| FORMS.get(usize::from(scale))?.get(written as usize);
        let (price, qty) = (row(written[0], scales.price)?, row(written[1], scales.qty)?);
        let bytes = |price: &[u8; 16], qty: &[u8; 16]| {
            // SAFETY: 16 bytes behind each reference.
            unsafe { _mm256_loadu2_m128i(qty.as_ptr().cast(), price.as_ptr().cast()) }
        };
        let numbers = |price: u32, qty: u32| {
            _mm256_set1_epi64x((u64::from(price) | u64::from(qty) << 32) as i64)
        };
        Some(Self {
            frame,
            zero: bytes(&price.zero, &qty.zero),
            strict: bytes(&price.strict, &qty.strict),
            place: bytes(&price.place, &qty.place),
            shortest: numbers(price.shortest, qty.shortest),
            longest: numbers(price.longest, qty.longest),
            gaps: numbers(GAPS[0], GAPS[1]),
        })
    }

    /// Converts all `count` numbers of an array that ends at `end`. Returns that.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn finish(
        &self,
        ends: &[u32],
        count: usize,
        end: usize,
        out: &mut Vec<Level>,
    ) -> Option<usize> {
        self.append::<false>(ends, count, true, Joint::NONE, out)?;
        is_closed(self.frame, ends, count, end)?.then_some(end)
    }

    /// Converts the first `count` numbers and appends their levels. `last`: the array ends with
    /// them, so no marks of a next level follow. `JOINED`: they are of two arrays.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    #[inline]
    fn append<const JOINED: bool>(
        &self,
        ends: &[u32],
        count: usize,
        last: bool,
        joint: Joint,
        out: &mut Vec<Level>,
    ) -> Option<()> {
        let (levels, len) = (count / 2, out.len());
        out.reserve(levels + FOUR);
        let zero = _mm256_setzero_si256();
        let mut wrong = Wrong { digits: zero, lengths: zero, marks: 0 };
        for done in (0..levels).step_by(FOUR) {
            let ends: &[u32; 1 + LANES] = ends.get(2 * done..)?.first_chunk()?;
            let left = levels - done;
            let mut checks = *CHECKS.get((left + usize::from(!last)).min(FOUR + 1))?;
            let mut gaps = self.gaps;
            if JOINED {
                gaps = _mm256_add_epi32(gaps, joint.gaps(done));
                checks = joint.checks(done, &checks)?;
            }
            let values = self.four(ends, gaps, left, &mut wrong);
            wrong.marks |= marks(self.frame, ends, &checks);
            // SAFETY: `done` is less than `levels`, and room for four levels more is reserved. Any
            // bits are a `Level`, which is two `i64` in this order.
            unsafe {
                let into = out.as_mut_ptr().add(len + done).cast::<__m256i>();
                _mm256_storeu_si256(into, values[0]);
                _mm256_storeu_si256(into.add(1), values[1]);
            }
        }
        let found = _mm256_or_si256(_mm256_subs_epu8(wrong.digits, splat(9)), wrong.lengths);
        if _mm256_testz_si256(found, found) == 0 || wrong.marks != 0 {
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
        gaps: __m256i,
        left: usize,
        wrong: &mut Wrong,
    ) -> [__m256i; 2] {
        // SAFETY: as many bytes behind references to one element less.
        let (from, to) = unsafe {
            let at = ends.as_ptr();
            (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(1).cast()))
        };
        let length = _mm256_sub_epi32(_mm256_sub_epi32(to, from), gaps);
        let badly = _mm256_or_si256(
            _mm256_cmpgt_epi32(length, self.longest),
            _mm256_cmpgt_epi32(self.shortest, length),
        );
        let left = _mm256_set1_epi32(left as i32);
        let counts = _mm256_cmpgt_epi32(left, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
        wrong.lengths = _mm256_or_si256(wrong.lengths, _mm256_and_si256(badly, counts));
        let narrow = _mm256_packus_epi32(length, length);
        let narrow = _mm256_packus_epi16(narrow, narrow);
        let low = _mm256_permute4x64_epi64::<0b01_00_01_00>(narrow);
        let high = _mm256_permute4x64_epi64::<0b11_10_11_10>(narrow);
        let mut groups = |index: usize, lengths: __m256i, pick: i32| {
            let price = ends.get(1 + 2 * index).copied().unwrap_or(0);
            let qty = ends.get(2 + 2 * index).copied().unwrap_or(0);
            let text = _mm256_set_m128i(before(self.frame, qty), before(self.frame, price));
            let pick = _mm256_set_m128i(_mm_set1_epi8(pick as i8 + 1), _mm_set1_epi8(pick as i8));
            let length = _mm256_shuffle_epi8(lengths, pick);
            let lane = _mm256_broadcastsi128_si256(iota());
            let inside = _mm256_cmpgt_epi8(_mm256_add_epi8(lane, length), splat(15));
            let digits = _mm256_and_si256(_mm256_xor_si256(text, self.zero), inside);
            let counts = _mm256_cmpgt_epi32(left, _mm256_set1_epi32(index as i32));
            let strict = _mm256_and_si256(_mm256_adds_epu8(digits, self.strict), counts);
            wrong.digits = _mm256_max_epu8(wrong.digits, strict);
            let digits = _mm256_shuffle_epi8(digits, self.place);
            let tens = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
            _mm256_madd_epi16(tens, _mm256_set1_epi32(0x0001_0064))
        };
        let first = join(groups(0, low, 0), groups(1, low, 2));
        let second = join(groups(2, high, 0), groups(3, high, 2));
        [first, second]
    }
}

/// What differs from the marks behind the numbers of four levels, as far as `checks` says.
#[inline(always)]
pub(super) fn marks(frame: Frame<'_>, ends: &[u32; 1 + LANES], checks: &[u64; FOUR]) -> u64 {
    let [_, ends @ ..] = ends;
    let mut wrong = 0;
    for ([price, qty], check) in ends.as_chunks().0.iter().zip(checks) {
        let price = (after(frame, *price) ^ AFTER_PRICE) & PRICE;
        let qty = (after(frame, *qty) ^ AFTER_QTY) << 24;
        wrong |= (price | qty) & check;
    }
    wrong
}

/// Whether an array that ends at `end` ends as it must behind its last number, the `count`th.
#[inline(always)]
pub(super) fn is_closed(frame: Frame<'_>, ends: &[u32], count: usize, end: usize) -> Option<bool> {
    let last = *ends.get(count)? as usize;
    let closed = frame.padded().get(last..last + 3)? == b"\"]]";
    Some(closed && count.is_multiple_of(2) && last + 3 == end)
}

/// The 16 bytes before an end.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
pub(super) fn before(frame: Frame<'_>, end: u32) -> __m128i {
    // SAFETY: an end is at least `LEAD` and at most one block behind the frame, where `PAD` bytes
    // may be read (asserted above).
    unsafe { _mm_loadu_si128(frame.padded().as_ptr().add(end as usize - TEXT_MAX).cast()) }
}

/// The eight bytes from an end on.
#[inline(always)]
fn after(frame: Frame<'_>, end: u32) -> u64 {
    // SAFETY: as above.
    unsafe { frame.padded().as_ptr().add(end as usize).cast::<u64>().read_unaligned() }
}

/// Levels converted at once.
pub(super) const FOUR: usize = LANES / 2;

/// The bits of a level's marks that are about its price.
const PRICE: u64 = 0xff_ffff;

/// Which marks of four levels are compared, by the number of levels that are left, and one more
/// where others follow: the marks behind the last level are not those between two.
pub(super) static CHECKS: [[u64; FOUR]; FOUR + 2] = {
    const ALL: u64 = u64::MAX;
    [
        [0; FOUR],
        [PRICE, 0, 0, 0],
        [ALL, PRICE, 0, 0],
        [ALL, ALL, PRICE, 0],
        [ALL, ALL, ALL, PRICE],
        [ALL; FOUR],
    ]
};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
pub(super) fn splat(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
pub(super) fn iota() -> __m128i {
    _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}
