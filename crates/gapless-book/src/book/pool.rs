//! Equal things in one array, named by index: taken, given back, never moved one by one.
//!
//! Invariant: entry 0 stands for none; any other is free or has a home, the place that names it.
//! Indices instead of pointers let the array move and be copied whole.

use alloc::vec::Vec;

/// Entries that a pool begins with.
const FIRST: usize = 8;
/// Bytes up to which a pool doubles; then it grows by as much, and in the end by an eighth.
const STEP: usize = 4_096;
/// Set in the home of an entry that is free; the rest is the next free one.
const FREE: u32 = 1 << 31;

/// Entries of one kind.
#[derive(Clone, Debug)]
pub(super) struct Pool<T> {
    entries: Vec<T>,
    homes: Vec<u32>,
    /// First free entry; 0 if there is none.
    free: u16,
    free_len: usize,
}

impl<T: Copy> Pool<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), homes: Vec::new(), free: 0, free_len: 0 }
    }

    #[inline(always)]
    pub(super) fn get(&self, index: u16) -> Option<&T> {
        self.entries.get(usize::from(index))
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, index: u16) -> Option<&mut T> {
        self.entries.get_mut(usize::from(index))
    }

    pub(super) const fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// The place that names an entry; `None` if it is free.
    pub(super) fn home(&self, index: u16) -> Option<u32> {
        self.homes.get(usize::from(index)).copied().filter(|home| home & FREE == 0)
    }

    pub(super) fn set_home(&mut self, index: u16, home: u32) {
        if let Some(entry) = self.homes.get_mut(usize::from(index)) {
            *entry = home;
        }
    }

    /// Puts `value` into a free entry or a new one; `none` becomes entry 0 of an empty pool.
    pub(super) fn take(&mut self, none: T, value: T, home: u32) -> u16 {
        let index = self.free;
        if let Some(next) = self.homes.get_mut(usize::from(index)).filter(|_| index != 0) {
            self.free = core::mem::replace(next, home) as u16;
            self.free_len -= 1;
            if let Some(entry) = self.get_mut(index) {
                *entry = value;
            }
            return index;
        }
        self.push(none, value, home)
    }

    pub(super) fn give(&mut self, index: u16) {
        self.set_home(index, FREE | u32::from(self.free));
        self.free = index;
        self.free_len += 1;
    }

    /// All indices, those of free entries among them.
    pub(super) fn indices(&self) -> core::ops::Range<u16> {
        0..self.entries.len() as u16
    }

    /// Whether the next entry needs more memory.
    pub(super) const fn is_full(&self) -> bool {
        self.free == 0 && self.entries.len() == self.entries.capacity()
    }

    /// Grows unless an eighth of the entries is free, so that looking for free ones again,
    /// which costs a pass over all, stays rare.
    pub(super) fn grow_unless_free(&mut self) {
        if self.free_len < self.entries.len().div_ceil(8) {
            self.grow();
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.homes.clear();
        (self.free, self.free_len) = (0, 0);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<T>() + self.homes.capacity() * size_of::<u32>()
    }

    fn push(&mut self, none: T, value: T, home: u32) -> u16 {
        if self.is_full() {
            self.grow();
        }
        if self.entries.is_empty() {
            self.entries.push(none);
            self.homes.push(FREE);
        }
        self.entries.push(value);
        self.homes.push(home);
        // A side has at most LEVELS_MAX pages when it grows, and then an eighth more: 15 bits.
        (self.entries.len() - 1) as u16
    }

    #[cold]
    fn grow(&mut self) {
        let len = self.entries.len();
        let more = (len / 8).max(len.max(FIRST).min(STEP / size_of::<T>()));
        self.entries.reserve_exact(more);
        self.homes.reserve_exact(more);
    }
}
