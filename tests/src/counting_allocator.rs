//! An allocator that counts, for the proof that nothing is allocated per frame after warm-up.
//!
//! A test file installs it with `#[global_allocator]` and compares two [`Counted`] readings around
//! the work. Counts are per thread, so tests that run side by side do not disturb each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls of all threads.
static EVERYWHERE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // `const` and without a destructor: reading it allocates nothing and works at thread exit.
    static COUNTED: Cell<Counted> = const { Cell::new(Counted { allocations: 0, bytes: 0 }) };
}

/// What a thread has asked of the allocator so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that may have returned new memory: allocations and reallocations.
    pub allocations: u64,
    /// Bytes asked for by them.
    pub bytes: u64,
}

impl Counted {
    /// The count of this thread.
    #[must_use]
    pub fn now() -> Self {
        COUNTED.get()
    }

    /// What was asked for since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let allocations = self.allocations - earlier.allocations;
        Self { allocations, bytes: self.bytes - earlier.bytes }
    }
}

/// Calls of all threads so far that may have returned new memory.
pub fn everywhere() -> u64 {
    EVERYWHERE.load(Ordering::Relaxed)
}

/// Runs the work and returns what it allocated on this thread, beside its result.
pub fn counting<T>(work: impl FnOnce() -> T) -> (Counted, T) {
    let before = Counted::now();
    let result = work();
    (Counted::now().since(before), result)
}

/// The system's allocator with a count: `#[global_allocator] static A: CountingAllocator = …`.
#[derive(Debug)]
pub struct CountingAllocator;

fn count(size: usize) {
    EVERYWHERE.fetch_add(1, Ordering::Relaxed);
    let Counted { allocations, bytes } = COUNTED.get();
    COUNTED.set(Counted { allocations: allocations + 1, bytes: bytes + size as u64 });
}

// SAFETY: every call is passed on to `System` unchanged, and counting neither allocates nor
// unwinds, so the contract is the one that `System` keeps.
#[allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: `block` came from `System` through this type, with `layout`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` through this type, with `layout`.
        unsafe { System.dealloc(block, layout) }
    }
}
