//! What a book says of itself, and what it asks for.

use crate::sequence::Verdict;

/// What a reader may think of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// No trustworthy book.
    Syncing,
    /// Proven, uncrossed, fresh.
    Live,
    /// In sequence, but silent for longer than allowed or later than it.
    Stale,
    /// Needs a person or a change of configuration.
    Failed,
}

impl State {
    /// The state whose number is `code`.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Syncing,
            1 => Self::Live,
            2 => Self::Stale,
            3 => Self::Failed,
            _ => return None,
        })
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syncing => "syncing",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// Why a book is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// It is live.
    None,
    /// No snapshot yet.
    AwaitingSnapshot,
    /// A snapshot came, but no delta has proven it current (ruling 0.6.11).
    AwaitingFirstDelta,
    /// Messages were lost.
    Gap,
    /// The relay says that it lost messages.
    GapNotice,
    /// The venue's checksum differs.
    Checksum,
    /// Best bid >= best ask.
    Crossed,
    /// An unknown message from the past (ruling 0.6.12).
    SequenceBackwards,
    /// The numbering began anew.
    Restart,
    /// A message could not be read or held exactly (ruling 0.6.1).
    Rejected,
    /// A side outgrew its limit.
    TooManyLevels,
    /// Too much came while waiting for a snapshot.
    BufferOverflow,
    /// The connection, or the recorder's, was lost.
    Disconnected,
    /// It cannot be told whose book a snapshot was (ruling 0.6.6).
    Unattributed,
    /// An audit against a newer snapshot differed.
    Audit,
    /// The venue changed the symbol's tick or lot.
    GridChange,
    /// Nothing was received for longer than allowed.
    Silent,
    /// A publication's writer gave no sign of life for longer than allowed; only readers say so.
    WriterSilent,
    /// A publication's writer has ended it.
    Closed,
    /// Snapshot after snapshot was older than what the stream had shown before it, or crossed.
    SnapshotNeverCatchesUp,
    /// The source refused the credentials.
    Auth,
    /// The venue does not know the symbol, or refuses to send it.
    Refused,
    /// The venue has ended the symbol.
    Delisted,
    /// What is received is older than allowed: it waited on its way, or for us.
    Late,
}

impl Reason {
    /// Every reason; each stands at the place of its number.
    pub(crate) const ALL: [Self; 24] = [
        Self::None,
        Self::AwaitingSnapshot,
        Self::AwaitingFirstDelta,
        Self::Gap,
        Self::GapNotice,
        Self::Checksum,
        Self::Crossed,
        Self::SequenceBackwards,
        Self::Restart,
        Self::Rejected,
        Self::TooManyLevels,
        Self::BufferOverflow,
        Self::Disconnected,
        Self::Unattributed,
        Self::Audit,
        Self::GridChange,
        Self::Silent,
        Self::WriterSilent,
        Self::Closed,
        Self::SnapshotNeverCatchesUp,
        Self::Auth,
        Self::Refused,
        Self::Delisted,
        Self::Late,
    ];

    /// The reason whose number is `code`.
    #[inline]
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AwaitingSnapshot => "awaiting_snapshot",
            Self::AwaitingFirstDelta => "awaiting_first_delta",
            Self::Gap => "gap",
            Self::GapNotice => "gap_notice",
            Self::Checksum => "checksum",
            Self::Crossed => "crossed",
            Self::SequenceBackwards => "sequence_backwards",
            Self::Restart => "restart",
            Self::Rejected => "rejected",
            Self::TooManyLevels => "too_many_levels",
            Self::BufferOverflow => "buffer_overflow",
            Self::Disconnected => "disconnected",
            Self::Unattributed => "unattributed",
            Self::Audit => "audit",
            Self::GridChange => "grid_change",
            Self::Silent => "silent",
            Self::WriterSilent => "writer_silent",
            Self::Closed => "closed",
            Self::SnapshotNeverCatchesUp => "snapshot_never_catches_up",
            Self::Auth => "auth",
            Self::Refused => "refused",
            Self::Delisted => "delisted",
            Self::Late => "late",
        }
    }
}

/// How well continuity is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// By the venue's sequence.
    Full,
    /// The messages carry no sequence, so that a loss may go unseen until the next snapshot; or the
    /// book was joined over a hole ([`Policy::lenient_bridge`](super::Policy::lenient_bridge)).
    Weak,
}

/// What a message did to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Nothing.
    None,
    /// The book was live and is not.
    Invalidated(Reason),
    /// A new book is live: levels of before are void.
    Reset,
    /// The same book is live again.
    Live,
}

/// What the book needs from its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    None,
    /// A REST snapshot.
    Snapshot,
    /// A new subscription, which brings a snapshot in the stream.
    Resubscribe,
}

/// What one message did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The sequencer's verdict.
    pub verdict: Verdict,
    /// Change of state.
    pub transition: Transition,
    /// Need.
    pub demand: Demand,
}
