//! A book as strategies hold it: a reader of its publication that knows the time and its name.
//!
//! Invariant: the accessors that do not say `last_known` give levels of a live and fresh book only.

use crate::clock;
use gapless_book::event::Level;
use gapless_book::local::{Reason, State};
use gapless_book::publish::{
    AtomicU64, Busy, Changes, Copied, Depth, Heap, NotLive, ReadError, Reader, Region, Replica, Top,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Memory that a publication of this crate lives in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Memory {
    /// Of this process, whole.
    Heap(Heap),
    /// Mapped: of a file that other processes map too, or of this process.
    #[cfg(target_os = "linux")]
    Mapped(crate::shm::Mapped),
}

impl Memory {
    /// So many words of zeros for a publication of this process. On Linux they cost memory a page
    /// at a time, once something is written there.
    #[must_use]
    pub fn new(words: usize) -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(mapped) = crate::shm::Mapped::anonymous(words) {
            return Self::Mapped(mapped);
        }
        Self::Heap(Heap::new(words))
    }
}

impl Region for Memory {
    #[inline]
    fn words(&self) -> &[AtomicU64] {
        match self {
            Self::Heap(heap) => heap.words(),
            #[cfg(target_os = "linux")]
            Self::Mapped(mapped) => mapped.words(),
        }
    }
}

/// How to wait for the next publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Look all the time: answers within some 100 ns, costs a core.
    Spin,
    /// Let other threads run between looks.
    Yield,
    /// Sleep for so long between looks; the system adds some 50 µs.
    Sleep(Duration),
}

/// Reads one book, from any thread. Cheap to clone; a reader that stops or dies costs nothing.
///
/// It stays valid for as long as it is held: once the book was removed, its engine stopped or its
/// process died, it says [`State::Stale`].
#[derive(Clone, Debug)]
pub struct BookReader {
    name: Arc<str>,
    reader: Reader<Arc<Memory>>,
}

impl BookReader {
    pub(crate) const fn new(name: Arc<str>, reader: Reader<Arc<Memory>>) -> Self {
        Self { name, reader }
    }

    /// `venue[.market]:SYMBOL`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The best bid and ask of a live book.
    ///
    /// # Errors
    /// The book is not live, its writer is silent, or the writer was in the way.
    #[inline]
    pub fn top(&self) -> Result<Top, ReadError> {
        self.reader.top(clock::now_ns())
    }

    /// The best `n` levels a side of a live book, or as many as there are or are published.
    ///
    /// # Errors
    /// As [`BookReader::top`].
    pub fn depth(&self, n: usize) -> Result<Depth, ReadError> {
        self.reader.depth(n, clock::now_ns())
    }

    /// As [`BookReader::depth`], into an old answer whose memory is used again. After an error its
    /// content is unspecified.
    ///
    /// # Errors
    /// As [`BookReader::top`].
    pub fn copy_into(&self, depth: &mut Depth, n: usize) -> Result<(), ReadError> {
        self.reader.copy_into(depth, n, clock::now_ns())
    }

    /// As [`BookReader::depth`], into slices: their lengths say how many levels are wanted.
    ///
    /// # Errors
    /// As [`BookReader::top`].
    pub fn levels_into(&self, bids: &mut [Level], asks: &mut [Level]) -> Result<Copied, ReadError> {
        self.reader.levels_into(bids, asks, clock::now_ns())
    }

    /// State and reason at this moment; a silent writer shows as Stale. [`State::Syncing`] without
    /// a reason: the writer was in the way at every try, though it was let run; ask again.
    #[must_use]
    pub fn state(&self) -> (State, Reason) {
        // A writer that lost its core in the middle of a write gets it back.
        const TURNS: u32 = 16;
        for _ in 0..TURNS {
            match self.top() {
                Ok(_) => return (State::Live, Reason::None),
                Err(ReadError::NotLive(NotLive { state, reason, .. })) => return (state, reason),
                Err(ReadError::Busy) => std::thread::yield_now(),
            }
        }
        (State::Syncing, Reason::None)
    }

    /// The best bid and ask as last published, whatever the state beside them.
    ///
    /// # Errors
    /// The writer was in the way, or died in the middle of a write.
    pub fn last_known_top(&self) -> Result<Top, Busy> {
        self.reader.last_known_top()
    }

    /// The best `n` levels a side as last published, whatever the state beside them.
    ///
    /// # Errors
    /// As [`BookReader::last_known_top`].
    pub fn last_known_depth(&self, n: usize) -> Result<Depth, Busy> {
        self.reader.last_known_depth(n)
    }

    /// Follows every change of levels and state from now on.
    #[must_use]
    pub fn changes(&self) -> Changes<Arc<Memory>> {
        self.reader.changes()
    }

    /// A copy of the whole book that can be kept up to date; empty until it is refreshed.
    #[must_use]
    pub fn replica(&self) -> Replica<Arc<Memory>> {
        self.reader.replica()
    }

    /// Time since the writer's last sign of life, ns.
    #[must_use]
    pub fn age_ns(&self) -> i64 {
        self.reader.age_ns(clock::now_ns())
    }

    /// Changes with every publication, once all of it can be read.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.reader.version()
    }

    /// Waits until the version is another than `seen`, and says which; `None` after `at_most`.
    /// What is read afterwards is of that publication or a later one.
    ///
    /// The writer wakes nobody and does not know who waits.
    #[must_use]
    pub fn wait(&self, seen: u64, how: Wait, at_most: Duration) -> Option<u64> {
        // Looks between two looks at the clock of those who spin.
        const LOOKS: u32 = 256;
        let begun = Instant::now();
        loop {
            for _ in 0..if how == Wait::Spin { LOOKS } else { 1 } {
                let version = self.version();
                if version != seen {
                    return Some(version);
                }
                std::hint::spin_loop();
            }
            let left = at_most.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())?;
            match how {
                Wait::Spin => {}
                Wait::Yield => std::thread::yield_now(),
                Wait::Sleep(interval) => std::thread::sleep(interval.min(left)),
            }
        }
    }

    /// The reader below, whose callers bring their own time ([`crate::clock::now_ns`]).
    #[must_use]
    pub const fn publication(&self) -> &Reader<Arc<Memory>> {
        &self.reader
    }
}
