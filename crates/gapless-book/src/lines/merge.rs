//! Lines whose messages have numbers: merged into one, in order.

use super::passed::{Entry, content};
use super::{Disagreement, Lane, Line, WAITING_MAX, opens_in_stream};
use crate::book::{Book, Observer};
use crate::decimal::Decimal;
use crate::event::{BookMessage, Flags, Level, NO_TIME, SeqInfo, Side, Times};
use crate::local::LocalBook;
use crate::sequence::{Chain, RESTART_DISTANCE, Rule};

/// Where a message stands in relation to the last one that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It comes next.
    Next,
    /// It says only that the line is alive, and where.
    Heartbeat,
    /// It ends at or before the last one.
    Known,
    /// Something before it is missing.
    Ahead,
    /// It opens a new count.
    Opens,
    /// It neither continues nor precedes: the sequencer of the book decides, unless another line
    /// goes on.
    Foreign,
}

impl<O: Observer> Lane<'_, O> {
    /// Takes a message that has a number.
    #[inline]
    pub(super) fn numbered(
        &mut self,
        at: usize,
        message: &BookMessage<'_>,
        flags: Flags,
        times: &Times,
    ) {
        if opens_in_stream(self.book, message, flags) {
            return self.snapshot(at, message, flags, times);
        }
        if message.kind != crate::event::BookKind::Delta {
            return self.give(message, flags, times);
        }
        let mut place = self.place(message);
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        if place == Place::Known && line.continues_waiting(&message.seq) {
            place = Place::Ahead;
        } else if line.suspect && place == Place::Next && counts(self.book.rule()) {
            // The number of the count before that the new one has reached.
            place = Place::Foreign;
        }
        if !line.up {
            line.up = true;
            line.cursor = self.lines.passed.count();
        }
        // Whether its own numbers went down.
        line.went_back = message.seq.last < Some(line.position);
        line.position = message.seq.last.unwrap_or(line.position);
        line.last_recv_ns = times.recv_ns;
        match place {
            Place::Next => {
                self.pass(at, message, flags, times);
                if self.lines.waiting > 0 {
                    self.drain();
                }
            }
            Place::Known => self.known(at, message, flags, times),
            _ => self.unusual(place, at, message, flags, times),
        }
    }

    #[cold]
    fn unusual(
        &mut self,
        place: Place,
        at: usize,
        message: &BookMessage<'_>,
        flags: Flags,
        times: &Times,
    ) {
        match place {
            Place::Ahead => self.ahead(at, message, flags, times),
            Place::Opens if self.followed_already(at) => {
                self.drop_waiting(at);
                self.known(at, message, flags, times);
            }
            Place::Opens => {
                self.drop_waiting(at);
                self.pass(at, message, flags, times);
            }
            Place::Heartbeat => {
                self.tie(at);
                self.give(message, flags, times);
            }
            Place::Foreign if self.another_goes_on(at) => {
                let Some(line) = self.lines.lines.get_mut(at) else { return };
                line.stats.late += 1;
                line.tied = false;
                self.observer.sequenced();
            }
            Place::Foreign | Place::Next | Place::Known => self.pass(at, message, flags, times),
        }
    }

    #[inline]
    fn place(&self, message: &BookMessage<'_>) -> Place {
        let (ids, rule) = (&message.seq, self.book.rule());
        let (Some(tip), Some(last)) = (self.lines.tip, ids.last) else { return Place::Next };
        match (rule.chain, ids.first, ids.prev) {
            (Chain::Range, Some(first), _) => {
                ordered(last <= tip, first <= tip.saturating_add(1), true)
            }
            (Chain::Rising, _, Some(prev)) => ordered(last <= tip, prev == tip, prev > tip),
            (Chain::Linked, _, Some(prev)) => self.linked(message, tip, prev, last),
            (Chain::Counter | Chain::CounterRest, ..) if last == 1 => {
                if self.is_shown(ids) {
                    Place::Known
                } else {
                    Place::Opens
                }
            }
            (Chain::Loose, ..) if last < tip.saturating_sub(RESTART_DISTANCE) => Place::Foreign,
            (Chain::Counter | Chain::CounterRest | Chain::Loose, ..) => {
                ordered(last <= tip, last == tip.saturating_add(1), true)
            }
            _ => Place::Foreign,
        }
    }

    fn linked(&self, message: &BookMessage<'_>, tip: i64, prev: i64, last: i64) -> Place {
        if prev == tip {
            let says_nothing = message.bids.is_empty() && message.asks.is_empty();
            return if last == tip && says_nothing { Place::Heartbeat } else { Place::Next };
        }
        if prev < 0 {
            return Place::Foreign;
        }
        let known = last <= tip && prev < tip || self.is_shown(&message.seq);
        ordered(known, false, prev > tip)
    }

    fn is_shown(&self, ids: &SeqInfo) -> bool {
        self.lines.passed.find(ids, self.lines.passed.count()).is_some()
    }

    /// Passes a message on to the book, as the next of the merged stream.
    #[inline]
    fn pass(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let Some(last) = message.seq.last else { return self.give(message, flags, times) };
        if self.lines.tip.is_some_and(|tip| last < tip) {
            let chained = self.book.rule().chain == Chain::Linked;
            self.lowered(at, last, chained);
        }
        let content = content(message);
        let count = self.lines.passed.count();
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        let (no, cursor) = (line.no, line.cursor);
        line.stats.wins += 1;
        line.tied = line.up;
        line.suspect = false;
        line.cursor = count + 1;
        if cursor < count {
            self.missed(at, cursor, count);
        }
        self.lines.passed.push(Entry {
            last,
            from: message.seq.prev.or(message.seq.first),
            content: Some(content),
            recv_ns: times.recv_ns,
            by: no,
        });
        self.lines.tip = Some(last);
        self.give(message, flags, times);
    }

    /// The count begins lower; a line that has not followed yet may still be in the old one. Where
    /// the chain itself leads there (`chained`), a line that was in step will come the same way;
    /// elsewhere what was shown of the old count proves nothing about the new one.
    #[cold]
    fn lowered(&mut self, at: usize, to: i64, chained: bool) {
        if !chained {
            self.lines.passed.clear();
        }
        let count = self.lines.passed.count();
        self.lines.lowered_at = count;
        for (index, line) in self.lines.lines.iter_mut().enumerate() {
            if !chained {
                line.cursor = count;
            }
            if line.up && index != at && line.position > to {
                line.suspect = true;
                line.tied &= chained;
            }
        }
    }

    /// A number tells no more of which count a message is: each line has to show that it follows.
    fn suspect_all_but(&mut self, at: usize) {
        for (index, line) in self.lines.lines.iter_mut().enumerate() {
            if index != at && line.up {
                line.suspect = true;
                line.tied = false;
            }
        }
    }

    /// What lies between where a line was and where it is was brought by others only.
    #[cold]
    fn missed(&mut self, at: usize, from: u64, to: u64) {
        for number in from.max(self.lines.passed.oldest())..to {
            let Some(by) = self.lines.passed.get(number).map(|entry| entry.by) else { continue };
            for (index, line) in self.lines.lines.iter_mut().enumerate() {
                line.stats.missed += u64::from(index == at);
                line.stats.holes_filled += u64::from(line.no == by && index != at);
            }
        }
    }

    /// A message that was passed on already: late, and a proof of both.
    #[inline]
    fn known(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let ids = &message.seq;
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.stats.late += 1;
        let Some(number) = self.lines.passed.find(ids, line.cursor) else {
            return self.unproven(at, message, flags, times);
        };
        self.observer.sequenced();
        let Some(entry) = self.lines.passed.get(number) else { return };
        let rule = self.book.rule();
        if line.suspect && counts(rule) && entry.content != Some(content(message)) {
            // By its number alone it could as well be of the count before.
            return;
        }
        let (cursor, was_tied) = (line.cursor, line.tied);
        line.tied = true;
        let arrived = line.suspect && number >= self.lines.lowered_at;
        if entry.recv_ns != NO_TIME && times.recv_ns != NO_TIME {
            line.stats.lateness.record(times.recv_ns.saturating_sub(entry.recv_ns));
        }
        if number >= cursor || !was_tied {
            line.cursor = number + 1;
        }
        if number > cursor && was_tied {
            self.missed(at, cursor, number);
        }
        self.compare(at, number, message);
        if arrived {
            self.follows(at);
        }
        if self.lines.waiting > 0 {
            self.give_up_the_hopeless(times.recv_ns);
        }
    }

    /// A message from before the last one that is not remembered.
    #[cold]
    fn unproven(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let is_live = self.book.live().is_some();
        // Of a book that waits a number may be of another count than those remembered.
        let covered =
            is_live && self.book.rule().chain == Chain::Range && self.is_remembered(&message.seq);
        let after = self.lines.passed.after(message.seq.last.unwrap_or(i64::MIN));
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        if covered {
            // Ranges may be cut differently on each line: what they cover is known all the same.
            line.tied = true;
            line.cursor = line.cursor.max(after);
        } else if line.went_back || !is_live {
            // A stalled line may have brought the end of an old count after this one had begun the
            // new: then nothing that comes will be above the old again.
            line.tied = false;
        }
        if line.tied || self.another_goes_on(at) {
            // Behind a snapshot of another line, or of no use: the book goes on without it.
            self.observer.sequenced();
        } else if !is_live {
            self.pass(at, message, flags, times);
        } else {
            // Nobody else could say: the book's own sequencer judges it.
            self.give(message, flags, times);
        }
        if self.lines.waiting > 0 {
            self.give_up_the_hopeless(times.recv_ns);
        }
    }

    fn is_remembered(&self, ids: &SeqInfo) -> bool {
        let oldest = self.lines.passed.get(self.lines.passed.oldest());
        oldest.is_some_and(|entry| ids.last >= Some(entry.last))
    }

    /// Whether the book goes on without a line.
    fn another_goes_on(&self, at: usize) -> bool {
        let mut lines = self.lines.lines.iter().enumerate();
        lines.any(|(index, line)| index != at && line.tied)
    }

    /// Whether the other lines have begun the count that this line begins now.
    fn followed_already(&self, at: usize) -> bool {
        self.lines.lines.get(at).is_some_and(|line| line.suspect)
    }

    fn tie(&mut self, at: usize) {
        let count = self.lines.passed.count();
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.tied = true;
        line.suspect = false;
        let cursor = core::mem::replace(&mut line.cursor, count);
        self.missed(at, cursor, count);
    }

    /// A message ahead of a hole waits for a line that may fill it.
    fn ahead(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        self.observer.sequenced();
        let full = |line: &&Line| line.waiting.len() >= WAITING_MAX;
        if let Some(line) = self.lines.lines.get(at).filter(full) {
            if line.suspect {
                self.drop_waiting(at);
            } else {
                self.give_up(at);
            }
            return match self.place(message) {
                Place::Next => self.pass(at, message, flags, times),
                Place::Known => self.known(at, message, flags, times),
                _ => self.wait(at, message, flags, times),
            };
        }
        self.wait(at, message, flags, times);
    }

    fn wait(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        let waited = line.waiting.len();
        if !line.waiting.push(message, times) {
            // What waited took too much room; it is lost, and this message will show it.
            self.lines.waiting -= waited;
            return self.pass(at, message, flags, times);
        }
        self.lines.waiting += 1;
        self.give_up_the_hopeless(times.recv_ns);
    }

    /// Gives up holes that no line can fill any more.
    pub(super) fn give_up_the_hopeless(&mut self, now_ns: i64) {
        while self.lines.waiting > 0 {
            let Some(at) = self.first_waiting() else { return };
            if self.may_be_filled(at, now_ns) {
                return;
            }
            self.give_up(at);
        }
    }

    /// The line whose waiting messages begin lowest, among those of the book's count.
    fn first_waiting(&self) -> Option<usize> {
        let rule = self.book.rule();
        let lines = self.lines.lines.iter().enumerate();
        let fronts = lines
            .filter(|(_, line)| !line.suspect)
            .filter_map(|(at, line)| Some((start(rule, line.waiting.front()?.0), at)));
        fronts.min().map(|(_, at)| at)
    }

    /// Whether another line, in step and not far behind, may still bring what is missing.
    fn may_be_filled(&self, at: usize, now_ns: i64) -> bool {
        let rule = self.book.rule();
        let front = self.lines.lines.get(at).and_then(|line| line.waiting.front());
        let Some(from) = front.map(|(ids, _)| start(rule, ids)) else { return false };
        let wait_ns = self.lines.policy.wait_ns;
        let can = |line: &Line| {
            let due = self.lines.passed.get(line.cursor).map_or(NO_TIME, |entry| entry.recv_ns);
            let known = due != NO_TIME && now_ns != NO_TIME;
            let stalled = known && now_ns.saturating_sub(due) > wait_ns;
            // In step in the old count, it comes the way that the chain led.
            let follows = line.tied && line.suspect;
            let comes = line.tied || line.open && !line.up;
            follows || comes && line.position < from && !stalled
        };
        let mut others = self.lines.lines.iter().enumerate();
        others.any(|(index, line)| index != at && can(line))
    }

    /// What has waited for too long waits no more.
    #[inline]
    pub(super) fn overdue(&mut self, now_ns: i64) {
        if self.lines.waiting > 0 && now_ns != NO_TIME {
            self.give_up_overdue(now_ns);
        }
    }

    #[cold]
    fn give_up_overdue(&mut self, now_ns: i64) {
        let wait_ns = self.lines.policy.wait_ns;
        for at in 0..self.lines.lines.len() {
            let Some(line) = self.lines.lines.get(at) else { continue };
            let Some((_, times)) = line.waiting.front() else { continue };
            if times.recv_ns == NO_TIME || now_ns.saturating_sub(times.recv_ns) < wait_ns {
                continue;
            }
            if line.suspect {
                self.drop_waiting(at);
            } else if let Some(first) = self.first_waiting() {
                self.give_up(first);
            }
        }
        self.give_up_the_hopeless(now_ns);
    }

    /// The hole before a line's waiting messages will not be filled: the book is given what comes
    /// after it, and its sequencer sees the loss.
    fn give_up(&mut self, at: usize) {
        self.take_front(at, true);
        self.drain();
    }

    /// A line has followed to the new count; what it showed of the old one is of no use.
    #[cold]
    fn follows(&mut self, at: usize) {
        self.drop_waiting(at);
        if let Some(line) = self.lines.lines.get_mut(at) {
            line.suspect = false;
        }
    }

    fn drop_waiting(&mut self, at: usize) {
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        self.lines.waiting -= line.waiting.len();
        line.waiting.clear();
    }

    /// Passes on what waited and is due now.
    fn drain(&mut self) {
        let mut again = true;
        while again && self.lines.waiting > 0 {
            again = false;
            for at in 0..self.lines.lines.len() {
                again |= self.take_front(at, false);
            }
        }
    }

    /// Takes the first of a line's waiting messages, and those after it that are due then, if the
    /// first is due or `anyway`. Whether it took any.
    fn take_front(&mut self, at: usize, anyway: bool) -> bool {
        let Some(line) = self.lines.lines.get_mut(at) else { return false };
        if line.waiting.is_empty() || line.suspect && counts(self.book.rule()) {
            return false;
        }
        let mut waiting = core::mem::take(&mut line.waiting);
        let (mut taken, mut force) = (0, anyway);
        for (message, times) in waiting.messages() {
            match self.place(&message) {
                Place::Ahead if !force => break,
                Place::Known => {
                    self.lines.waiting -= 1;
                    self.overtaken(at, &message);
                }
                _ => {
                    self.lines.waiting -= 1;
                    self.pass(at, &message, Flags::NONE, &times);
                }
            }
            force = false;
            taken += 1;
        }
        waiting.drop_front(taken);
        if let Some(line) = self.lines.lines.get_mut(at) {
            line.waiting = waiting;
        }
        taken > 0
    }

    /// A message that waited and was overtaken by a snapshot or by another line.
    fn overtaken(&mut self, at: usize, message: &BookMessage<'_>) {
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.stats.late += 1;
        if let Some(number) = self.lines.passed.find(&message.seq, line.cursor) {
            line.cursor = line.cursor.max(number + 1);
            line.tied |= line.up && number >= self.lines.lowered_at;
            self.compare(at, number, message);
        }
    }

    /// Two lines that say different things under one number are named.
    #[inline]
    fn compare(&mut self, at: usize, number: u64, message: &BookMessage<'_>) {
        let Some(entry) = self.lines.passed.get(number) else { return };
        if entry.content.is_some_and(|first| first != content(message)) {
            let Some(line) = self.lines.lines.get_mut(at) else { return };
            line.stats.disagreements += 1;
            let (seq, first, second) = (entry.last, entry.by, line.no);
            self.lines.disagreement = Some(Disagreement { seq, first, second });
        }
    }

    /// A whole book in the stream of one line: after a new subscription or connection, or because
    /// the venue sends one.
    #[cold]
    fn snapshot(&mut self, at: usize, message: &BookMessage<'_>, flags: Flags, times: &Times) {
        let Some(last) = message.seq.last else { return };
        let others = self.another_goes_on(at);
        let opens = last == 1 && matches!(self.book.rule().chain, Chain::Counter);
        let ends_at = self.lines.passed.ends_at(last);
        let tip = self.lines.tip.filter(|_| self.book.is_chained());
        let counts = counts(self.book.rule());
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        let follows = line.suspect && (opens || counts && ends_at.is_some());
        if line.suspect && counts {
            self.lines.waiting -= line.waiting.len();
            line.waiting.clear();
        }
        // Its own numbers went down, and no other line's did before: what was shown is void.
        let lowers = line.up && line.position > last && !line.suspect;
        line.up = true;
        line.position = last;
        line.last_recv_ns = times.recv_ns;
        let behind = tip.is_some_and(|tip| last <= tip);
        let known = tip.is_some() && ends_at.is_some() && !lowers || follows;
        if lowers && counts {
            self.suspect_all_but(at);
        }
        if !known && (opens || lowers || !(behind && others)) {
            return self.take_snapshot(at, last, message, flags, times);
        }
        if follows {
            self.follows(at);
        }
        self.observer.sequenced();
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.stats.snapshots_checked += 1;
        line.tied = known;
        // Of the count before the last lowering: the line has yet to follow.
        line.suspect = !follows && ends_at.is_some_and(|number| number < self.lines.lowered_at);
        line.cursor = ends_at.map_or(self.lines.passed.after(last), |number| number + 1);
        if tip == Some(last) && !is_same(self.book, message) {
            line.stats.disagreements += 1;
            let second = line.no;
            let first = ends_at.and_then(|number| self.lines.passed.get(number)).map(|e| e.by);
            let first = first.unwrap_or(second);
            self.lines.disagreement = Some(Disagreement { seq: last, first, second });
        }
    }

    fn take_snapshot(
        &mut self,
        at: usize,
        last: i64,
        message: &BookMessage<'_>,
        flags: Flags,
        times: &Times,
    ) {
        if self.lines.tip.is_some_and(|tip| last < tip) {
            self.drop_waiting(at);
            self.lowered(at, last, false);
        }
        let count = self.lines.passed.count();
        let Some(line) = self.lines.lines.get_mut(at) else { return };
        line.stats.wins += 1;
        line.tied = true;
        line.suspect = false;
        line.cursor = count + 1;
        let by = line.no;
        let recv_ns = times.recv_ns;
        self.lines.passed.push(Entry { last, from: None, content: None, recv_ns, by });
        self.lines.tip = Some(last);
        self.give(message, flags, times);
        self.drain();
    }
}

impl Line {
    /// Whether a message follows what waits of its line, although its number is lower: the chain
    /// led there.
    fn continues_waiting(&self, ids: &SeqInfo) -> bool {
        !self.waiting.is_empty() && ids.prev == Some(self.position)
    }
}

#[inline]
const fn ordered(known: bool, next: bool, ahead: bool) -> Place {
    match (known, next, ahead) {
        (true, ..) => Place::Known,
        (_, true, _) => Place::Next,
        (.., true) => Place::Ahead,
        _ => Place::Foreign,
    }
}

/// Whether messages go by a count alone, so that one of another count could pass for the next.
#[inline]
const fn counts(rule: Rule) -> bool {
    matches!(rule.chain, Chain::Counter | Chain::CounterRest | Chain::Loose)
}

/// The id that must have been passed on before a message.
fn start(rule: Rule, ids: &SeqInfo) -> i64 {
    let before = |id: i64| id.saturating_sub(1);
    let start = match rule.chain {
        Chain::Range => ids.first.map(before),
        Chain::Rising | Chain::Linked => ids.prev,
        _ => ids.last.map(before),
    };
    start.or(ids.last).unwrap_or(i64::MIN)
}

/// Whether a snapshot says what the book holds.
fn is_same(local: &LocalBook, message: &BookMessage<'_>) -> bool {
    let book = local.last_known();
    let same = |side: Side, levels: &[Level]| {
        let standing = levels.iter().filter(|level| level.qty != 0);
        let stands = |level: &Level| {
            let price = Decimal::new(level.price, message.scales.price);
            qty_at(book, side, price) == Decimal::new(level.qty, message.scales.qty)
        };
        book.side(side).len() == standing.clone().count() && standing.clone().all(stands)
    };
    same(Side::Bid, message.bids) && same(Side::Ask, message.asks)
}

fn qty_at(book: &Book, side: Side, price: Decimal) -> Decimal {
    let scales = book.scales();
    let qty = price.at_scale(scales.price).map_or(0, |price| book.side(side).qty_at(price));
    Decimal::new(qty, scales.qty)
}
