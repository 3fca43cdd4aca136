//! What is checked after a whole message: depth, checksum, crossing, and what state follows.

use super::{CROSSED_MAX, CROSSED_NS_MAX, CrossedPolicy, LocalBook, Reason, State, tell_removed};
use crate::book::Observer;
use crate::checksum::top_checksum;
use crate::decimal::Decimal;
use crate::event::{BookMessage, Level, NO_TIME, Side, Times};
use alloc::boxed::Box;

impl LocalBook {
    /// Drops what stands beyond the depth that the channel describes (protocols.md 0.4).
    #[inline]
    pub(super) fn truncate<O: Observer>(&mut self, observer: &mut O) {
        let Some(depth) = self.sequencer.rule().depth.map(usize::from) else { return };
        for side in [Side::Bid, Side::Ask] {
            while self.book.side(side).len() > depth {
                let Some(dropped) = self.book.pop_worst(side) else { break };
                self.counters.truncated += 1;
                tell_removed(observer, side, dropped);
                if self.policy.keep_last_live {
                    self.undo.push((side, dropped));
                }
            }
        }
    }

    /// Checksum and crossing, after a whole message.
    pub(super) fn check<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        times: &Times,
        observer: &mut O,
    ) {
        if !self.checksum_holds(message) {
            self.remember_last_live();
            self.lose(Reason::Checksum);
            return;
        }
        if !self.book.is_crossed() {
            self.crossed_run = 0;
            self.settle();
            return;
        }
        self.counters.crossed += 1;
        if self.policy.crossed == CrossedPolicy::Uncross {
            self.uncross(message, observer);
            self.settle();
            return;
        }
        self.remember_last_live();
        if self.crossed_run == 0 {
            self.crossed_since = times.recv_ns;
        }
        self.crossed_run += 1;
        self.leave(State::Syncing, Reason::Crossed);
        let often = self.policy.crossed == CrossedPolicy::Resync && self.crossed_run >= CROSSED_MAX;
        if often || self.crossed_too_long(times.recv_ns) {
            self.lose(Reason::Crossed);
        }
    }

    /// Whether the time that a crossed book is given is over; never where times are absent.
    pub(super) fn crossed_too_long(&self, now_ns: i64) -> bool {
        self.policy.crossed == CrossedPolicy::Resync
            && self.crossed_since != NO_TIME
            && now_ns.saturating_sub(self.crossed_since) >= CROSSED_NS_MAX
    }

    /// Zero and absent mean that the venue offers none (protocols.md 4.6).
    fn checksum_holds(&mut self, message: &BookMessage<'_>) -> bool {
        let wanted = message.seq.checksum.filter(|sum| *sum != 0);
        let Some(wanted) = wanted.filter(|_| self.rule().checksum && self.policy.verify_checksum)
        else {
            return true;
        };
        let Some(sum) = top_checksum(&self.book) else {
            // Some level came without its text (a message that offered no checksum): nothing to
            // compare until the next snapshot.
            return true;
        };
        let holds = sum == wanted;
        self.counters.checksum_ok += u64::from(holds);
        self.counters.checksum_bad += u64::from(!holds);
        holds
    }

    /// Tardis' way: levels go from the side that this message did not touch at the best.
    fn uncross<O: Observer>(&mut self, message: &BookMessage<'_>, observer: &mut O) {
        let best_ask = self.book.best_ask().map(|ask| self.book.decimals(ask).0);
        let touches = |level: &Level| {
            let price = Decimal::new(level.price, message.scales.price);
            level.qty != 0 && Some(price) == best_ask
        };
        let side = if message.asks.iter().any(touches) { Side::Bid } else { Side::Ask };
        while self.book.is_crossed() {
            let Some(dropped) = self.book.pop_best(side) else { break };
            self.counters.uncrossed += 1;
            tell_removed(observer, side, dropped);
        }
    }

    /// Keeps the book as it was before the message just applied, if that was the last live one:
    /// it was live then, or has been in doubt or silent, but unchanged, since.
    pub(super) fn remember_last_live(&mut self) {
        if !self.policy.keep_last_live || !self.was_live || self.last_live.is_some() {
            return;
        }
        let mut book = Box::new(self.book.clone());
        for (side, level) in self.undo.iter().rev() {
            book.restore(*side, *level);
        }
        self.last_live = Some(book);
    }

    /// After an accepted message: live if the chain proves it. The book is not crossed.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.state == State::Live {
            self.last_live_anchor = self.sequencer.anchor();
            return;
        }
        self.settle_anew();
    }

    #[cold]
    fn settle_anew(&mut self) {
        if self.sequencer.is_chained() {
            match self.late {
                true => self.leave(State::Stale, Reason::Late),
                false => self.leave(State::Live, Reason::None),
            }
            self.counters.resyncs += u64::from(self.lost);
            self.lost = false;
            self.was_live = true;
            self.refused_run = 0;
            self.last_live = None;
            self.last_live_anchor = self.sequencer.anchor();
        }
    }
}
