//! What is said about levels, in the same publication as the levels: state, number, stamps.

use crate::event::{NO_TIME, Scales};
use crate::local::{LocalBook, Reason, State};

/// Words of a status.
pub(super) const STATUS_WORDS: usize = 5;

/// The number of a book that has taken no numbered message.
const NO_SEQ: i64 = i64::MIN;

/// State of the levels beside it, and which message they stand after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What may be thought of the levels.
    pub state: State,
    /// Why they are not live; [`Reason::None`] if they are.
    pub reason: Reason,
    /// Counts the snapshots that replaced the book.
    pub epoch: u32,
    /// Decimals of every price and size.
    pub scales: Scales,
    /// The venue's number of the last accepted message; `None` before the first, and where the
    /// venue does not count.
    pub seq: Option<i64>,
    /// When the venue published that message, ns since the epoch; [`NO_TIME`] if it does not say.
    pub venue_ns: i64,
    /// When it was received, ns since the epoch; [`NO_TIME`] if unknown.
    pub recv_ns: i64,
    /// When it was published here, in ns of the clock that the writer is given.
    pub published_ns: i64,
}

impl Status {
    /// Before the first message.
    pub(super) const fn new(now_ns: i64) -> Self {
        Self {
            state: State::Syncing,
            reason: Reason::AwaitingSnapshot,
            epoch: 0,
            scales: Scales { price: 0, qty: 0 },
            seq: None,
            venue_ns: NO_TIME,
            recv_ns: NO_TIME,
            published_ns: now_ns,
        }
    }

    /// What a book says of itself; a crossed one is never live, whatever its policy let pass.
    #[inline]
    pub(super) fn of(book: &LocalBook, now_ns: i64) -> Self {
        let (mut state, mut reason) = book.state();
        let levels = book.last_known();
        if state == State::Live && levels.is_crossed() {
            (state, reason) = (State::Syncing, Reason::Crossed);
        }
        let times = book.last_times();
        Self {
            state,
            reason,
            epoch: book.epoch(),
            scales: levels.scales(),
            seq: book.seq(),
            venue_ns: times.venue_ns,
            recv_ns: times.recv_ns,
            published_ns: now_ns,
        }
    }

    /// Whether the two differ in what a reader may think of the levels.
    #[inline]
    pub(super) fn same_standing(&self, other: &Self) -> bool {
        (self.state, self.reason, self.epoch) == (other.state, other.reason, other.epoch)
    }

    #[inline(always)]
    pub(super) fn encode(&self) -> [u64; STATUS_WORDS] {
        let standing = u64::from(self.state as u8)
            | u64::from(self.reason as u8) << 8
            | u64::from(self.scales.price) << 16
            | u64::from(self.scales.qty) << 24
            | u64::from(self.epoch) << 32;
        let stamps = [self.recv_ns, self.venue_ns, self.published_ns];
        let [recv, venue, published] = stamps.map(|ns| ns as u64);
        [standing, self.seq.unwrap_or(NO_SEQ) as u64, recv, venue, published]
    }

    #[inline(always)]
    pub(super) fn decode(words: [u64; STATUS_WORDS]) -> Self {
        let [standing, seq, recv, venue, published] = words;
        let [state, reason, price, qty, ..] = standing.to_le_bytes();
        let (state, reason) = standing_of(state, reason);
        Self {
            state,
            reason,
            epoch: (standing >> 32) as u32,
            scales: Scales { price, qty },
            seq: Some(seq as i64).filter(|seq| *seq != NO_SEQ),
            venue_ns: venue as i64,
            recv_ns: recv as i64,
            published_ns: published as i64,
        }
    }
}

/// Codes that no writer of this layout stores are not trusted.
#[inline(always)]
fn standing_of(state: u8, reason: u8) -> (State, Reason) {
    match (State::from_code(state), Reason::from_code(reason)) {
        (Some(state), Some(reason)) => (state, reason),
        _ => (State::Failed, Reason::Rejected),
    }
}
