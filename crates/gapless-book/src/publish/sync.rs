//! The atomics of publication, and the only door to them: swapped for loom's in its models.
//!
//! Every ordering that the protocols rely on is asked for by [`Site`]. Outside the models a site is
//! nothing: the ordering is returned as it is. A model may break one site, to show that it would
//! see a program in which that ordering was forgotten.

#[cfg(not(loom))]
pub(super) use core::hint::spin_loop;
#[cfg(not(loom))]
pub use core::sync::atomic::AtomicU64;
pub(super) use core::sync::atomic::Ordering;
#[cfg(not(loom))]
use core::sync::atomic::fence as plain_fence;
#[cfg(loom)]
pub use loom::sync::atomic::AtomicU64;
#[cfg(loom)]
use loom::sync::atomic::fence as plain_fence;
#[cfg(loom)]
pub(super) use loom::thread::yield_now as spin_loop;

/// A place whose ordering, fence or step can be broken on purpose in a loom model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "the names are only looked at by the loom models")]
pub(super) enum Site {
    /// The block is marked as being written.
    LockOdd,
    /// Between that mark and the content.
    LockWriteFence,
    /// The block is marked as whole.
    LockEven,
    /// The reader's first look at the mark.
    LockFirst,
    /// Between the content and the reader's second look.
    LockReadFence,
    /// The reader's second look.
    LockAgain,
    /// A change of state holds the top of the book back until the depth says it too.
    Nesting,
    /// The log says how far it is about to write.
    Intent,
    /// Between that word and the record.
    RingWriteFence,
    /// The log says how far it reaches.
    TailWrite,
    /// The reader's look at that word.
    TailRead,
    /// Between the record and the reader's look at the intent.
    RingReadFence,
    /// That look.
    IntentRead,
    /// The version says that a publication is whole.
    VersionWrite,
    /// The reader's look at that word.
    VersionRead,
    /// The header's last word says that the rest stands.
    HeaderWrite,
    /// The reader's look at that word.
    HeaderRead,
}

/// Passes an ordering on; a broken site gets `Relaxed`.
#[inline(always)]
pub(super) fn order(site: Site, ordering: Ordering) -> Ordering {
    if taken(site) { ordering } else { Ordering::Relaxed }
}

/// A fence; a broken site has none.
#[inline(always)]
pub(super) fn fence(site: Site, ordering: Ordering) {
    if taken(site) {
        plain_fence(ordering);
    }
}

/// Whether a step is taken; a broken site leaves it out.
#[cfg(not(all(loom, test)))]
#[inline(always)]
pub(super) const fn taken(_: Site) -> bool {
    true
}

#[cfg(test)]
#[cfg(loom)]
pub(super) use broken::{is_seen_without, taken};

#[cfg(test)]
#[cfg(loom)]
mod broken {
    use super::Site;
    use std::cell::Cell;

    std::thread_local! {
        // Loom runs all threads of a model on the thread that began it.
        static BROKEN: Cell<Option<Site>> = const { Cell::new(None) };
    }

    /// Whether a model that holds fails once a site is broken.
    pub(in crate::publish) fn is_seen_without(site: Site, model: fn()) -> bool {
        BROKEN.with(|broken| broken.set(Some(site)));
        let failed = std::panic::catch_unwind(model).is_err();
        BROKEN.with(|broken| broken.set(None));
        failed
    }

    pub(in crate::publish) fn taken(site: Site) -> bool {
        BROKEN.with(|broken| broken.get() != Some(site))
    }
}
