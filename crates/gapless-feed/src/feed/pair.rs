//! Both connections of a pair: one replaces the other before it ends.
//!
//! Invariant: a connection that is shown is given up for its replacement only when every book that
//! is live on it is live there too; else it stays until it ends by itself, or far too old.

use super::Feed;
use crate::command::Command;
use crate::connection::{Connection, Phase};
use gapless_book::lines::LineNo;
use gapless_book::local::State;
use gapless_venues::books::BookEntry;
use gapless_venues::session::{LineId, Watcher};

/// A replacement that is not ready after so long takes over as it is, ns, unless the venue lets the
/// old connection live: the snapshots of a full connection cost the budget of most of an hour, and
/// several may be replaced at once.
pub const REPLACE_NS_MAX: i64 = 3_600_000_000_000;

impl Feed {
    /// The other of a pair connects, to take over.
    pub(super) fn replace(&mut self, at: u32, now: i64) {
        if self.config.replay.is_some() {
            // Another would be played from the beginning.
            return;
        }
        let Some(place) = self.places.get(at as usize).filter(|place| !place.is_standby) else {
            return;
        };
        let (quiet, anew, quarantine) = (place.quiet, place.anew, place.quarantine.clone());
        if let Some(other) = self.places.get_mut((at ^ 1) as usize)
            && other.phase == Phase::Idle
        {
            other.is_standby = true;
            (other.quiet, other.anew, other.quarantine) = (quiet, anew, quarantine);
            other.phase = Phase::Waiting(now);
        }
    }

    /// A standby whose books are as live as those that it replaces takes over. What it replaces is
    /// closed at the next look: whoever shows the books moves them between two calls, and nobody
    /// shall see them void in between.
    pub(super) fn hand_over<W: Watcher>(&mut self, at: u32, since: i64, now: i64, watcher: &mut W) {
        let (Some(new), Some(old)) =
            (self.places.get(at as usize), self.places.get((at ^ 1) as usize))
        else {
            return;
        };
        let waited = now.saturating_sub(since) >= REPLACE_NS_MAX && old.is_ending(now);
        let is_as_live = match self.places.get(self.home(at) as usize) {
            Some(home) if self.home(at) == self.home(at ^ 1) => brings_as_much(home, new, old),
            _ => is_as_live(new, old),
        };
        let is_ready = new.is_subscribed() && new.is_proven() && is_as_live;
        if !new.is_standby || new.retired.is_some() || !(waited || is_ready) {
            return;
        }
        self.counters.replaced += 1;
        self.swap(at, watcher);
        if let Some(old) = self.places.get_mut((at ^ 1) as usize) {
            old.retired = Some(now);
        }
    }

    /// Closes what was replaced.
    pub(super) fn retire<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let Some(old) = self.places.get_mut(at as usize) else { return };
        old.last_why = "replaced".to_owned();
        self.out.push_back(Command::Close { conn: old.conn() });
        self.void(at, now, watcher);
        if let Some(old) = self.places.get_mut(at as usize) {
            old.phase = Phase::Idle;
        }
    }

    fn swap<W: Watcher>(&mut self, to: u32, watcher: &mut W) {
        if let Some(new) = self.places.get_mut(to as usize) {
            new.is_standby = false;
            new.retired = None;
        }
        if let Some(old) = self.places.get_mut((to ^ 1) as usize) {
            old.is_standby = true;
        }
        // Lines of the same books stay shown where they are.
        if self.home(to) != self.home(to ^ 1) {
            watcher.moved(LineId(to ^ 1), LineId(to));
        }
    }

    /// A connection has gone while its replacement was on the way: it takes over as it is.
    pub(super) fn other_takes_over<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let Some(lost) = self.places.get_mut(at as usize) else { return };
        if lost.retired.take().is_some() {
            lost.phase = Phase::Idle;
            return;
        }
        let (was_standby, phase) = (lost.is_standby, lost.phase);
        let other = self.places.get_mut((at ^ 1) as usize);
        let Some(other) = other.filter(|o| !matches!(o.phase, Phase::Idle | Phase::Failed)) else {
            return;
        };
        if was_standby {
            return;
        }
        if let (Phase::Waiting(own), Phase::Waiting(until)) = (phase, &mut other.phase) {
            // Nothing is shown any more: whoever may try first does.
            *until = own.min(*until);
        }
        self.swap(at ^ 1, watcher);
        if let Some(lost) = self.places.get_mut(at as usize) {
            lost.phase = Phase::Idle;
        }
    }
}

/// Every book that is live on the old connection is live on the new one.
fn is_as_live(new: &Connection, old: &Connection) -> bool {
    let live = |entry: &BookEntry| entry.local.state().0 == State::Live;
    let books = new.session.books();
    old.session.books().iter().filter(|(_, entry)| live(entry)).all(|(_, entry)| {
        let found = books.find(&entry.exchange, &entry.channel, &entry.symbol);
        found.and_then(|id| books.get(id)).is_some_and(live)
    })
}

/// Of books that several lines write: every one that is live and that the old connection brings,
/// the new one brings as well.
fn brings_as_much(home: &Connection, new: &Connection, old: &Connection) -> bool {
    let (new, old) = (LineNo(new.conn().place), LineNo(old.conn().place));
    let live = |entry: &BookEntry| entry.local.state().0 == State::Live;
    let lines = home.session.books().iter().filter(|(_, entry)| live(entry));
    lines.filter_map(|(_, entry)| entry.lines()).all(|lines| !lines.is_up(old) || lines.is_up(new))
}
