//! One block of words that one writer replaces and any number of readers copy.
//!
//! # What it cannot do
//! A reader that meets a write tries again, and gives up after [`RETRIES_MAX`] tries: a writer
//! that never pauses, or that died in the middle of a block, is [`Busy`] and not waited for. Only
//! the latest content can be read; who needs every change reads the [ring](super::ring).
//!
//! # Why a copy that is kept is whole
//! 1. The writer makes the lock odd, then a release fence, then stores the content.
//! 2. The reader loads the content, then an acquire fence, then looks at the lock again. If one
//!    content word came from write *k*, the fences pair, and the second look sees odd *k* or later:
//!    the copy is dropped unless the first look had seen even *k* or later.
//! 3. The writer makes the lock even with a release store; the reader's first look is an acquire
//!    load. If it saw even *k*, every word of write *k* is visible: nothing older is copied.
//! 4. So a kept copy has no word newer than the even value that both looks saw, and none older.
//!
//! # Difference from the known ones
//! Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?" (MSPC 2012), has this
//! reader. The writers of crossbeam and of the crate `seqlock` read, modify and write
//! their own lock: one load of a line that readers hold costs a round trip between the cores, some
//! 60 ns. Here the writer knows the lock's value by itself and never loads a shared word. They copy
//! bytes with volatile loads, a data race in theory; these words are atomic, so there is none.

use super::sync::{AtomicU64, Ordering, Site, fence, order, spin_loop, taken};

/// Tries of a reader before it reports [`Busy`].
#[cfg(not(loom))]
pub const RETRIES_MAX: u32 = 64;
/// Tries of a reader before it reports [`Busy`]: one, so that a model ends; each is like the first.
#[cfg(loom)]
pub const RETRIES_MAX: u32 = 1;

/// The writer was in the way at every try, or died in the middle of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl core::fmt::Display for Busy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the writer was in the way at every try")
    }
}

impl core::error::Error for Busy {}

/// The writer's side of a lock. There is one; it is not `Clone`.
#[derive(Debug, Default)]
pub(super) struct Lock {
    /// Even: what the shared word says while the block is whole. One more while it is written.
    value: u64,
}

impl Lock {
    /// Content may be stored from here on. A block that is open stays so.
    #[inline(always)]
    pub(super) fn open(&self, word: &AtomicU64) {
        if taken(Site::LockOdd) {
            word.store(self.value + 1, Ordering::Relaxed);
        }
        // Pairs with the fence in `read`: who sees content from here on sees the odd value.
        fence(Site::LockWriteFence, Ordering::Release);
    }

    /// The content is whole. (A write that was abandoned before, by a panic, left the word odd, and
    /// the next one opens it with the same value.)
    #[inline(always)]
    pub(super) fn close(&mut self, word: &AtomicU64) {
        self.value += 2;
        // Pairs with the first load in `read`.
        word.store(self.value, order(Site::LockEven, Ordering::Release));
    }
}

/// Number of the last whole content.
#[inline(always)]
pub(super) fn edition(word: &AtomicU64) -> u64 {
    // Orders nothing: who then reads the block looks at the word again, and no older value of it.
    word.load(Ordering::Relaxed) >> 1
}

/// A block with what it is to say next.
pub(super) trait News {
    /// Holds readers of the block back until [`News::tell`].
    fn hold(&mut self);

    /// Replaces what the block says.
    fn tell(&mut self);
}

/// Stores news in two blocks, the `outer` one first.
///
/// If the news are of a kind that a reader who has met them in one block must not miss in the
/// other, the outer block stays locked until both have them.
#[inline(always)]
pub(super) fn tell_both(together: bool, mut outer: impl News, mut inner: impl News) {
    if together && taken(Site::Nesting) {
        outer.hold();
    } else {
        outer.tell();
    }
    inner.tell();
    if together {
        outer.tell();
    }
}

/// Copies a block until a copy is whole.
#[inline]
pub(super) fn read<T>(word: &AtomicU64, mut copy: impl FnMut() -> T) -> Result<T, Busy> {
    for _ in 0..RETRIES_MAX {
        // Pairs with the store in `Lock::close`.
        let before = word.load(order(Site::LockFirst, Ordering::Acquire));
        if before & 1 == 0 {
            let copied = copy();
            // Pairs with the fence in `Lock::open`.
            fence(Site::LockReadFence, Ordering::Acquire);
            if word.load(Ordering::Relaxed) == before || !taken(Site::LockAgain) {
                return Ok(copied);
            }
        }
        spin_loop();
    }
    Err(Busy)
}

/// Stores a content word.
#[inline(always)]
pub(super) fn put(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}

/// Loads a content word.
#[inline(always)]
pub(super) fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}
