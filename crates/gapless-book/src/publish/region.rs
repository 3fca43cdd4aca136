//! The memory that a publication lives in: words, wherever they are.
//!
//! A publication is indices into words and nothing else, so that it can lie at different addresses
//! in different processes. Whoever brings the memory implements [`Region`].

use super::sync::AtomicU64;
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Words in a cache line.
pub(super) const LINE: usize = 8;
/// Words that the processor fetches together.
pub(super) const PAIR: usize = 2 * LINE;
/// Words before the first one that begins a pair of lines.
const SPARE: usize = if cfg!(loom) { 0 } else { PAIR };

/// Memory for one publication.
///
/// `words` must give the same words at every call, as many as at the first one. They should begin
/// at a multiple of 128 bytes; if they do not, everything works, slower.
pub trait Region {
    /// All words.
    fn words(&self) -> &[AtomicU64];
}

impl Region for &[AtomicU64] {
    fn words(&self) -> &[AtomicU64] {
        self
    }
}

impl<R: Region + ?Sized> Region for Arc<R> {
    fn words(&self) -> &[AtomicU64] {
        (**self).words()
    }
}

impl<R: Region + ?Sized> Region for Box<R> {
    fn words(&self) -> &[AtomicU64] {
        (**self).words()
    }
}

/// Memory of this process. Shared between a writer and its readers in an [`Arc`].
#[derive(Debug)]
pub struct Heap {
    memory: Box<[AtomicU64]>,
    /// First word at a multiple of 128 bytes.
    first: usize,
    len: usize,
}

impl Heap {
    /// So many words, all zero, beginning at a pair of cache lines.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self::of((0..len + SPARE).map(|_| AtomicU64::new(0)).collect(), len)
    }

    /// As [`Heap::new`].
    ///
    /// # Errors
    /// There is no such memory.
    pub(super) fn try_new(len: usize) -> Result<Self, TryReserveError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(len.saturating_add(SPARE))?;
        memory.extend((0..len + SPARE).map(|_| AtomicU64::new(0)));
        Ok(Self::of(memory.into_boxed_slice(), len))
    }

    fn of(memory: Box<[AtomicU64]>, len: usize) -> Self {
        let bytes = size_of::<AtomicU64>();
        let past = memory.as_ptr() as usize / bytes % PAIR;
        let first = if SPARE == 0 { 0 } else { (PAIR - past) % PAIR };
        Self { memory, first, len }
    }
}

impl Region for Heap {
    fn words(&self) -> &[AtomicU64] {
        self.memory.get(self.first..self.first + self.len).unwrap_or(&[])
    }
}
