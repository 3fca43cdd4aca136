//! A page: 64 neighbouring prices, which of them are held, and their sizes.
//!
//! A thin page is one cache line: it keeps up to [`SLOTS`] sizes in any order and finds them by
//! their tags, one byte a slot. A fuller one is a block with a word for every price. Invariant:
//! a price that is held has exactly one tag, or its bit; a word without either is 0.

use core::hint::select_unpredictable;

/// Prices in a page, as a power of two.
pub(super) const PAGE_BITS: u32 = 6;
/// Sizes that a thin page keeps.
const SLOTS: usize = 7;

/// Levels that a block goes back to a thin page with; fewer than fit, or the next would fill it.
const THIN_MAX: u32 = 4;

const EACH: u64 = 0x0101_0101_0101_0101;
/// Tag of a slot that may be taken; its high bit tells it from every price.
const FREE: u64 = 0x80;
/// Tags of a page without a level; the byte that no slot has never matches and never is free.
const EMPTY: u64 = 0x4080_8080_8080_8080;
/// Tags of the page that stands for none: nothing matches, nothing is free.
const CLOSED: u64 = 0x4040_4040_4040_4040;

/// A page with few levels.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Page {
    tags: u64,
    words: [i64; SLOTS],
}

impl Page {
    /// Stands where there is no page.
    pub(super) const NONE: Self = Self { tags: CLOSED, words: [0; SLOTS] };
    /// A page without a level.
    pub(super) const EMPTY: Self = Self { tags: EMPTY, words: [0; SLOTS] };

    /// A page with one level.
    pub(super) const fn of(key: u64, qty: i64) -> Self {
        let mut page = Self::EMPTY;
        page.tags ^= FREE | (key & 63);
        page.words[0] = qty;
        page
    }

    /// Which prices are held.
    #[inline]
    pub(super) fn present(&self) -> u64 {
        let tags = self.tags.to_le_bytes();
        tags.iter().fold(0, |bits, tag| bits | (u64::from(*tag < 64) << (tag & 63)))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.tags == EMPTY
    }

    /// Sets the size of a price and returns the one before (0: none).
    ///
    /// `None` if no slot is left for it (or the page is [`Page::NONE`]); nothing changed then.
    #[inline(always)]
    pub(super) fn put(&mut self, key: u64, qty: i64) -> Option<i64> {
        let bit = key & 63;
        let same = self.matching(bit);
        // Whether a price is held is a coin toss: no branch on it here or below.
        let found = select_unpredictable(same != 0, same, self.tags & (EACH * FREE));
        if found == 0 {
            return None;
        }
        let shift = found.trailing_zeros() & 56;
        let word = self.words.get_mut((shift / 8) as usize)?;
        let old = core::mem::replace(word, qty);
        let toggled = (same != 0) ^ (qty != 0);
        self.tags ^= (0_u64.wrapping_sub(toggled as u64) & (bit | FREE)) << shift;
        Some(old)
    }

    /// Size of a price, 0 if it is not held.
    #[inline]
    pub(super) fn get(&self, key: u64) -> i64 {
        let slot = self.matching(key & 63).trailing_zeros() / 8;
        self.words.get(slot as usize).copied().unwrap_or(0)
    }

    /// High bits of bytes: the lowest one marks the slot of a price, none that it is not held.
    #[inline(always)]
    const fn matching(&self, bit: u64) -> u64 {
        let unlike = self.tags ^ bit.wrapping_mul(EACH);
        unlike.wrapping_sub(EACH) & !unlike & (EACH * FREE)
    }
}

/// A page with many levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    present: u64,
    words: [i64; 64],
}

impl Block {
    /// Stands where there is no block.
    pub(super) const NONE: Self = Self { present: 0, words: [0; 64] };

    /// Which prices are held.
    #[inline]
    pub(super) const fn present(&self) -> u64 {
        self.present
    }

    /// Sets the size of a price and returns the one before (0: none).
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "a key is masked to the 64 words")]
    pub(super) const fn put(&mut self, key: u64, qty: i64) -> i64 {
        let word = &mut self.words[(key & 63) as usize];
        let old = *word;
        *word = qty;
        self.present ^= (((old != 0) ^ (qty != 0)) as u64) << (key & 63);
        old
    }

    /// Size of a price, 0 if it is not held.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "a key is masked to the 64 words")]
    pub(super) const fn get(&self, key: u64) -> i64 {
        self.words[(key & 63) as usize]
    }

    /// Whether a thin page should keep the levels that are left.
    pub(super) const fn is_thin(&self) -> bool {
        self.present.count_ones() <= THIN_MAX
    }
}
