//! What a local book counts, under the names that reports use.

/// What happened, in numbers. Every drop has its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is named as in the report of the command
pub struct Counters {
    pub snapshots: u64,
    pub deltas: u64,
    pub applied: u64,
    pub duplicates: u64,
    pub heartbeats: u64,
    pub backwards: u64,
    pub unsynced: u64,
    pub gaps: u64,
    pub resets: u64,
    pub resyncs: u64,
    pub rejects: u64,
    pub overlaps: u64,
    pub truncated: u64,
    pub uncrossed: u64,
    pub snapshots_ignored: u64,
    pub audits: u64,
    pub audit_differences: u64,
    pub crossed: u64,
    pub checksum_ok: u64,
    pub checksum_bad: u64,
}

impl Counters {
    /// Each with its name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 20] {
        [
            ("snapshots", self.snapshots),
            ("deltas", self.deltas),
            ("applied", self.applied),
            ("duplicates", self.duplicates),
            ("heartbeats", self.heartbeats),
            ("backwards", self.backwards),
            ("unsynced", self.unsynced),
            ("gaps", self.gaps),
            ("resets", self.resets),
            ("resyncs", self.resyncs),
            ("rejects", self.rejects),
            ("overlaps", self.overlaps),
            ("truncated", self.truncated),
            ("uncrossed", self.uncrossed),
            ("snapshots_ignored", self.snapshots_ignored),
            ("audits", self.audits),
            ("audit_differences", self.audit_differences),
            ("crossed", self.crossed),
            ("checksum_ok", self.checksum_ok),
            ("checksum_bad", self.checksum_bad),
        ]
    }
}
