//! Memory whose neighbours fault: a read past a buffer ends the test process.
//!
//! A test binary makes [`GuardAllocator`] its global allocator. A block of exactly [`ENDS`] or
//! [`ENDS_WIDE`] bytes then ends where a page begins that may not be touched, one of exactly
//! [`BEGINS`] bytes begins where such a page ends; all others come from the system. The invariant:
//! such blocks are byte buffers (alignment 1), each in a mapping of its own that lives until it is
//! freed.

#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout, System};

/// Size of a block that ends at a page that faults.
pub const ENDS: usize = 3 * PAGE - 1_111;

/// Size of a larger block that ends at a page that faults.
pub const ENDS_WIDE: usize = 128 * PAGE - 3_333;

/// Size of a block that begins after a page that faults.
pub const BEGINS: usize = 3 * PAGE - 2_222;

const PAGE: usize = 4_096;

/// The system's allocator with guard pages around blocks of three sizes.
pub struct GuardAllocator;

// SAFETY: blocks of the three sizes come from a mapping of their own that is large enough, begin at
// an address that alignment 1 allows, and are unmapped once; the rest is the system's.
#[allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]
unsafe impl GlobalAlloc for GuardAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match place(layout) {
            Some((offset, pages)) => {
                map(pages).map_or(std::ptr::null_mut(), |base| base.wrapping_add(offset))
            }
            // SAFETY: the caller's promises are passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match place(layout) {
            // SAFETY: the block was mapped at this offset in as many pages.
            Some((offset, pages)) => unsafe {
                libc::munmap(block.wrapping_sub(offset).cast(), pages * PAGE);
            },
            // SAFETY: the caller's promises are passed on.
            None => unsafe { System.dealloc(block, layout) },
        }
    }
}

/// Where in a mapping of how many pages a block stands; `None` if it gets none.
fn place(layout: Layout) -> Option<(usize, usize)> {
    match (layout.size(), layout.align()) {
        (ENDS, 1) => Some((4 * PAGE - ENDS, 5)),
        (ENDS_WIDE, 1) => Some((129 * PAGE - ENDS_WIDE, 130)),
        (BEGINS, 1) => Some((PAGE, 5)),
        _ => None,
    }
}

/// A mapping of `pages` whose first and last fault.
#[allow(unsafe_code, reason = "maps memory")]
fn map(pages: usize) -> Option<*mut u8> {
    // SAFETY: a new private mapping touches nothing that exists.
    let base = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        libc::mmap(std::ptr::null_mut(), pages * PAGE, libc::PROT_NONE, flags, -1, 0)
    };
    if base == libc::MAP_FAILED {
        return None;
    }
    let inner = base.cast::<u8>().wrapping_add(PAGE);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the pages lie inside the mapping just made.
    let opened = unsafe { libc::mprotect(inner.cast(), (pages - 2) * PAGE, access) };
    (opened == 0).then_some(base.cast())
}
