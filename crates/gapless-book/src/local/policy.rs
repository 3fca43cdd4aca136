//! The choices of a book, and the limits of its patience.

/// What to do about a crossed book (protocols.md 0.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossedPolicy {
    /// Say so; the next uncrossed message makes it live again.
    Report,
    /// Remove levels from the side that the message did not touch.
    Uncross,
    /// Ask for a new snapshot after three crossed messages in a row or one second.
    Resync,
}

/// Choices of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Crossed books.
    pub crossed: CrossedPolicy,
    /// Verify checksums where the rule has them.
    pub verify_checksum: bool,
    /// Keep the last live book for a report when a message breaks it (costs an undo log).
    pub keep_last_live: bool,
    /// An audit that differs asks for a resync.
    pub resync_on_audit: bool,
    /// A REST snapshot that does not reach the first later update is joined to it all the same, as
    /// Tardis does with what it recorded; such a book has
    /// [`Integrity::Weak`](super::Integrity::Weak). Ranges and rising chains only (Binance).
    pub lenient_bridge: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            crossed: CrossedPolicy::Resync,
            verify_checksum: true,
            keep_last_live: false,
            resync_on_audit: false,
            lenient_bridge: false,
        }
    }
}

impl Policy {
    /// The choices of replay: report, and remember what was live.
    #[must_use]
    pub fn replay() -> Self {
        Self { crossed: CrossedPolicy::Report, keep_last_live: true, ..Self::default() }
    }
}

/// Crossed messages in a row that force a resync under [`CrossedPolicy::Resync`].
pub const CROSSED_MAX: u32 = 3;
/// Time crossed that forces one, ns.
pub const CROSSED_NS_MAX: i64 = 1_000_000_000;
/// REST snapshots in a row that could not be joined before a book says that it needs a person. It
/// goes on asking, at the slowest pace, and one that joins heals it.
pub const REFUSED_MAX: u8 = 10;
/// Empty REST snapshots in a row that are not believed (ruling 0.6.19).
pub const EMPTY_MAX: u8 = 3;
