//! Books that want their subscription made anew.
//!
//! Invariant: no live book is taken from its readers for another's sake. Where a venue lets nothing
//! be unsubscribed the way is a new connection, which takes over once it shows as much as the one
//! that it replaces.

use super::Feed;
use crate::command::Why;
use gapless_book::local::{Reason, State};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::live::Acks;
use gapless_venues::session::Watcher;

/// Between the first two connections that are opened for a book that was lost, and for one of which
/// nothing comes and which may be dead; then twice as long each time, ns.
const LOST_NS_MIN: i64 = 2_000_000_000;
const ABSENT_NS_MIN: i64 = 60_000_000_000;
/// Longest of these, ns.
const ANEW_NS_MAX: i64 = 3_600_000_000_000;
/// Nothing was opened anew for so long beyond that: the pace begins again, ns.
const CALM_NS: i64 = 600_000_000_000;

/// Connections that were opened for books that want their subscription anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Anew {
    times: u32,
    last_ns: i64,
}

impl Anew {
    /// Whether it is time for another; counts it.
    fn is_due(&mut self, first_ns: i64, now: i64) -> bool {
        let doubled = self.times.saturating_sub(1).min(20);
        let wait = first_ns.saturating_mul(1 << doubled).min(ANEW_NS_MAX);
        let passed = now.saturating_sub(self.last_ns);
        if self.times > 0 && passed < wait {
            return false;
        }
        let is_calm = passed >= wait.saturating_add(CALM_NS);
        *self = Self { times: if is_calm { 1 } else { self.times + 1 }, last_ns: now };
        true
    }
}

impl Feed {
    /// A book wants its subscription made anew.
    pub(super) fn renew(&mut self, at: u32, book: BookId) {
        let home = self.places.get(self.home(at) as usize);
        let Some(entry) = home.and_then(|home| home.session.books().get(book)) else { return };
        let asks = home.is_some_and(|home| {
            let is_deaf = home.session.wiring().live().acks == Acks::None;
            is_deaf && home.session.snapshot_request(entry).is_some()
        });
        if asks {
            // Where nobody answers a request there is no other way but the whole book.
            return self.fetch_book(at, book);
        }
        if let Some(place) = self.places.get_mut(at as usize)
            && !place.renew.contains(&book)
        {
            place.renew.push(book);
        }
    }

    /// Renews what is still wanted: while requests waited a book may have become live.
    pub(super) fn renew_all<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let home = self.home(at);
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let mut wanted = std::mem::take(&mut place.renew);
        let (Some(home), Some(place)) =
            (self.places.get(home as usize), self.places.get(at as usize))
        else {
            return;
        };
        let books = home.session.books();
        let is_live = |entry: &BookEntry| entry.local.state().0 == State::Live;
        wanted.retain(|book| books.get(*book).is_some_and(|entry| !is_live(entry)));
        let entries = || wanted.iter().filter_map(|book| books.get(*book));
        let mut topics = Vec::new();
        for entry in entries() {
            match place.topic_of_book(&entry.channel, &entry.symbol) {
                Some(topic) if !topics.contains(&topic) => topics.push(topic),
                Some(_) => {}
                // Of a book whose topic cannot be told all are renewed.
                None => {
                    topics = (0..place.wanted.topics.len()).collect();
                    break;
                }
            }
        }
        let is_lost = entries().any(was_lost);
        let costs_others = books.iter().any(|(_, entry)| is_live(entry));
        let Some(place) = self.places.get_mut(at as usize) else { return };
        if topics.is_empty() || place.renew_topics(&topics) {
            return;
        }
        let first_ns = if is_lost { LOST_NS_MIN } else { ABSENT_NS_MIN };
        if !place.anew.is_due(first_ns, now) {
            return;
        }
        if costs_others && !place.is_standby {
            return self.replace(at, now);
        }
        let why = Why::Broken("a topic must be subscribed anew".to_owned());
        self.give_up(at, &why, now, watcher);
    }
}

/// Whether a book was lost on its connection; else nothing came of it, or not enough.
fn was_lost(entry: &BookEntry) -> bool {
    !matches!(
        entry.local.state().1,
        Reason::AwaitingSnapshot | Reason::AwaitingFirstDelta | Reason::Disconnected
    )
}
