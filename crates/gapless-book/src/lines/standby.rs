//! Lines whose messages have no numbers by which they could be merged: one is followed, the others
//! keep a book each that takes over.

use super::{Lane, Line, LineNo, LinePolicy};
use crate::book::Observer;
use crate::event::{BookMessage, Flags, NO_TIME, Times};
use crate::local::LocalBook;
use alloc::boxed::Box;

impl<O: Observer> Lane<'_, O> {
    /// Takes a message that has no number.
    pub(super) fn unnumbered(
        &mut self,
        at: usize,
        message: &BookMessage<'_>,
        flags: Flags,
        times: &Times,
    ) {
        let policy = self.lines.policy;
        let followed = self.lines.followed;
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        if !line.up || line.is_silent(times.recv_ns, &policy) {
            line.well_since_ns = times.recv_ns;
        }
        line.up = true;
        line.last_recv_ns = times.recv_ns;
        if followed.is_none_or(|followed| followed == line.no) {
            self.lines.followed = Some(line.no);
            line.stats.wins += 1;
            self.give(message, flags, times);
        } else {
            line.stats.late += 1;
            let (rule, choices) = (self.book.rule(), self.book.policy());
            let own = line.standby.get_or_insert_with(|| Box::new(LocalBook::new(rule, choices)));
            let _ = own.message(message, flags, times, &mut ());
            self.observer.sequenced();
        }
        self.choose(times.recv_ns);
    }

    /// Leaves the followed line if it is silent, or a preferred one is well again.
    pub(super) fn choose(&mut self, now_ns: i64) {
        let Some(followed) = self.lines.followed else { return };
        let policy = self.lines.policy;
        let all = &self.lines.lines;
        let Some(line) = all.iter().find(|line| line.no == followed) else { return };
        let left = line.is_silent(now_ns, &policy);
        let better = |line: &&Line| left || line.no < followed && line.is_well(now_ns, &policy);
        let able = all.iter().filter(|line| line.can_take_over(now_ns, &policy));
        if let Some(next) = able.filter(better).map(|line| line.no).min() {
            self.follow(next);
        }
    }

    /// The line that was followed has ended.
    pub(super) fn unfollow(&mut self) {
        self.lines.followed = None;
        let ready = self.lines.lines.iter().filter(|line| line.has_live_book());
        match ready.map(|line| line.no).min() {
            Some(next) => self.follow(next),
            None => {
                let outcome = self.book.disconnect();
                self.note(outcome);
            }
        }
    }

    /// Goes over to a line: its book becomes the book.
    fn follow(&mut self, next: LineNo) {
        let all = &mut self.lines.lines;
        let Some(line) = all.iter_mut().find(|line| line.no == next) else { return };
        let Some(own) = line.standby.take() else { return };
        line.stats.failovers += 1;
        let before = self.lines.followed.replace(next);
        if let Some(left) = all.iter_mut().find(|line| Some(line.no) == before && line.up) {
            left.standby = Some(Box::new(self.book.clone()));
        }
        let outcome = self.book.adopt(&own, self.observer);
        self.note(outcome);
    }
}

impl Line {
    fn is_silent(&self, now_ns: i64, policy: &LinePolicy) -> bool {
        let known = now_ns != NO_TIME && self.last_recv_ns != NO_TIME;
        known && now_ns.saturating_sub(self.last_recv_ns) > policy.silence_ns
    }

    fn is_well(&self, now_ns: i64, policy: &LinePolicy) -> bool {
        let known = now_ns != NO_TIME && self.well_since_ns != NO_TIME;
        known && now_ns.saturating_sub(self.well_since_ns) >= policy.return_ns
    }

    fn has_live_book(&self) -> bool {
        self.up && self.standby.as_ref().is_some_and(|own| own.live().is_some())
    }

    fn can_take_over(&self, now_ns: i64, policy: &LinePolicy) -> bool {
        self.has_live_book() && !self.is_silent(now_ns, policy)
    }
}
