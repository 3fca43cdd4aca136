//! The prices around the best one: a word for the size at each, a bit that says if it is held.
//!
//! A ring over keys, so that it moves without moving what stays in it. Invariant: a bit is set
//! exactly where the word is not 0; `base` is a multiple of 64. It knows nothing of the levels
//! outside; [`Levels`](super::Levels) says where it lies and keeps the rest.

use crate::event::Level;
use alloc::vec;
use alloc::vec::Vec;

/// Keys of the first window.
pub(super) const KEYS_MIN: usize = 128;
/// Most keys of a window: 64 KiB of sizes.
pub(super) const KEYS_MAX: usize = 8_192;

/// The levels of one side whose keys are near the best one's.
#[derive(Clone, Debug)]
pub(super) struct Near {
    base: u64,
    sizes: Vec<i64>,
    held: Vec<u64>,
}

impl Near {
    /// A window without keys.
    pub(super) const fn new() -> Self {
        Self { base: 0, sizes: Vec::new(), held: Vec::new() }
    }

    /// A window of this many keys, a power of two and at least 64, around `best`.
    pub(super) fn around(best: u64, keys: usize) -> Self {
        let (sizes, held) = (vec![0; keys], vec![0; keys / 64]);
        let mut near = Self { base: 0, sizes, held };
        near.base = near.base_for(best);
        near
    }

    /// Sets the size of a key and returns the one before (0: none); `None` if it is outside.
    #[inline(always)]
    pub(super) fn put(&mut self, key: u64, qty: i64) -> Option<i64> {
        if !self.covers(key) {
            return None;
        }
        let mask = self.sizes.len().wrapping_sub(1);
        let slot = key as usize & mask;
        let held = self.held.get_mut(slot / 64)?;
        *held = (*held & !(1 << (slot % 64))) | (u64::from(qty != 0) << (slot % 64));
        let size = self.sizes.get_mut(slot)?;
        Some(core::mem::replace(size, qty))
    }

    /// Whether a key lies in the window.
    #[inline(always)]
    pub(super) const fn covers(&self, key: u64) -> bool {
        key.wrapping_sub(self.base) < self.sizes.len() as u64
    }

    /// Size of a key of the window, 0 if it is not held.
    #[inline]
    pub(super) fn get(&self, key: u64) -> i64 {
        let slot = key as usize & self.sizes.len().wrapping_sub(1);
        self.sizes.get(slot).copied().unwrap_or(0)
    }

    /// Number of keys.
    pub(super) const fn keys(&self) -> usize {
        self.sizes.len()
    }

    /// First and last key of the window; without keys, the first key twice.
    #[inline]
    pub(super) const fn ends(&self) -> (u64, u64) {
        (self.base, self.base + (self.sizes.len() as u64).saturating_sub(1))
    }

    /// Where the window should begin: better prices come, but most levels are behind the best.
    pub(super) fn base_for(&self, best: u64) -> u64 {
        let keys = self.sizes.len() as u64;
        // Never past the last window that there is.
        (best & !63).saturating_sub((keys / 8).max(64)).min(0_u64.wrapping_sub(keys))
    }

    /// Where the window should begin next on its way to the best price; `None` if it is there.
    /// Steps are small, so that no single message pays for a long way.
    pub(super) fn step_to(&self, best: u64) -> Option<u64> {
        let keys = self.sizes.len() as u64;
        let to = self.base_for(best);
        let way = to.abs_diff(self.base);
        if way <= keys / 8 {
            return None;
        }
        let step = (keys / 32).max(64);
        if way > keys {
            return Some(to);
        }
        Some(if to > self.base { self.base + step } else { self.base - step })
    }

    /// Begins at another key; everything that it holds must lie in both windows.
    pub(super) const fn set_base(&mut self, base: u64) {
        self.base = base;
    }

    /// The first level from a key of the window on.
    #[inline]
    pub(super) fn first_from(&self, key: u64) -> Option<(u64, i64)> {
        self.walk_from(key).next()
    }

    /// Last level.
    pub(super) fn last(&self) -> Option<u64> {
        let words = (0..self.held.len()).rev();
        words.map(|word| self.base + (word as u64) * 64).find_map(|first| {
            let bit = self.word(first).checked_ilog2()?;
            Some(first + u64::from(bit))
        })
    }

    /// Levels in order from a key of the window on.
    #[inline]
    pub(super) fn walk_from(&self, key: u64) -> NearWalk<'_> {
        if !self.covers(key) {
            return NearWalk { near: self, first: 0, bits: 0, more: 0 };
        }
        let first = key & !63;
        let bits = self.word(first) & (u64::MAX << (key % 64));
        NearWalk { near: self, first, bits, more: (self.ends().1 - first) / 64 }
    }

    /// Removes every level; memory stays.
    pub(super) fn clear(&mut self) {
        self.sizes.fill(0);
        self.held.fill(0);
    }

    /// Bytes that the window has from the allocator.
    pub(super) fn memory_bytes(&self) -> usize {
        (self.sizes.capacity() + self.held.capacity()) * size_of::<u64>()
    }

    /// The bits of 64 keys of the window.
    #[inline]
    fn word(&self, first: u64) -> u64 {
        let word = (first / 64) as usize & self.held.len().wrapping_sub(1);
        self.held.get(word).copied().unwrap_or(0)
    }
}

/// Levels of a window in order.
#[derive(Clone, Debug)]
pub(super) struct NearWalk<'a> {
    near: &'a Near,
    /// The current 64 keys, and those of them not yet given.
    first: u64,
    bits: u64,
    /// Words after them.
    more: u64,
}

impl NearWalk<'_> {
    /// Writes levels to the front of `out`, as many as there are and fit, and counts them.
    #[inline]
    pub(super) fn fill(&mut self, out: &mut [Level], flip: u64) -> usize {
        let (len, mut out) = (out.len(), out.iter_mut());
        let mask = self.near.sizes.len().wrapping_sub(1);
        while !self.is_at_end() {
            let sizes = self.near.sizes.get(self.first as usize & mask..);
            let Some(sizes) = sizes.and_then(|sizes| sizes.first_chunk::<64>()) else { break };
            while self.bits != 0 {
                let Some(slot) = out.next() else { return len };
                let bit = self.bits.trailing_zeros();
                self.bits &= self.bits - 1;
                let qty = sizes.get(bit as usize).copied().unwrap_or(0);
                *slot = Level { price: ((self.first + u64::from(bit)) ^ flip) as i64, qty };
            }
        }
        len - out.len()
    }

    /// Goes on to the next 64 keys of which one is held, if there are none left of these. Says
    /// whether there are no more.
    #[inline(always)]
    fn is_at_end(&mut self) -> bool {
        while self.bits == 0 {
            let Some(more) = self.more.checked_sub(1) else { return true };
            self.more = more;
            self.first += 64;
            self.bits = self.near.word(self.first);
        }
        false
    }
}

impl Iterator for NearWalk<'_> {
    type Item = (u64, i64);

    #[inline]
    fn next(&mut self) -> Option<(u64, i64)> {
        if self.is_at_end() {
            return None;
        }
        let key = self.first + u64::from(self.bits.trailing_zeros());
        self.bits &= self.bits - 1;
        Some((key, self.near.get(key)))
    }
}
