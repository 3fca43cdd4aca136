//! What is said about levels, in the same publication as the levels: state, number, stamps.

use super::seqlock::put;
use super::sync::AtomicU64;
use crate::event::{NO_TIME, Scales};
use crate::local::{LocalBook, Reason, State};

/// Words of a status.
pub(super) const STATUS_WORDS: usize = 5;
/// A status as it is published: standing, number, and the stamps of receipt, venue, publication.
pub(super) type StatusWords = [u64; STATUS_WORDS];

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

    /// As [`words`] gives it.
    pub(super) fn encode(&self) -> StatusWords {
        let standing = standing(self.state, self.reason, self.scales, self.epoch);
        let stamps = [self.recv_ns, self.venue_ns, self.published_ns];
        let [recv, venue, published] = stamps.map(|ns| ns as u64);
        [standing, self.seq.unwrap_or(NO_SEQ) as u64, recv, venue, published]
    }

    #[inline(always)]
    pub(super) fn decode(words: StatusWords) -> Self {
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

/// What a book says of itself; a crossed one is never live, whatever its policy let pass.
///
/// Words from the start: a [`Status`] that is put together in memory and then copied stalls on its
/// own stores for longer than all of publication takes.
#[inline(always)]
pub(super) fn words(book: &LocalBook, is_crossed: bool, now_ns: i64) -> StatusWords {
    let (mut state, mut reason) = book.state();
    if state == State::Live && is_crossed {
        (state, reason) = (State::Syncing, Reason::Crossed);
    }
    let (times, seq) = (book.last_times(), book.seq().unwrap_or(NO_SEQ));
    let standing = standing(state, reason, book.last_known().scales(), book.epoch());
    [standing, seq as u64, times.recv_ns as u64, times.venue_ns as u64, now_ns as u64]
}

/// Stores a status; its first word, which seldom changes, only if it has.
///
/// Word by word: an array that is put together in memory and then copied stalls on its own stores.
#[inline(always)]
pub(super) fn put_words(
    [standing, seq, recv, venue, published]: [&AtomicU64; STATUS_WORDS],
    status: &StatusWords,
    has_turned: bool,
) {
    let [standing_word, seq_word, recv_word, venue_word, published_word] = *status;
    if has_turned {
        put(standing, standing_word);
    }
    put(seq, seq_word);
    put(recv, recv_word);
    put(venue, venue_word);
    put(published, published_word);
}

#[inline(always)]
fn standing(state: State, reason: Reason, scales: Scales, epoch: u32) -> u64 {
    u64::from(state as u8)
        | u64::from(reason as u8) << 8
        | u64::from(scales.price) << 16
        | u64::from(scales.qty) << 24
        | u64::from(epoch) << 32
}

/// What of a status stays as long as levels are edited and not replaced: scales and epoch.
#[inline(always)]
pub(super) fn generation(book: &LocalBook) -> u64 {
    let standing = standing(State::Syncing, Reason::None, book.last_known().scales(), book.epoch());
    standing >> 16
}

/// The same of a status as it is published.
#[inline(always)]
pub(super) const fn generation_of([standing, ..]: &StatusWords) -> u64 {
    *standing >> 16
}

/// Codes that no writer of this layout stores are not trusted.
#[inline(always)]
fn standing_of(state: u8, reason: u8) -> (State, Reason) {
    match (State::from_code(state), Reason::from_code(reason)) {
        (Some(state), Some(reason)) => (state, reason),
        _ => (State::Failed, Reason::Rejected),
    }
}
