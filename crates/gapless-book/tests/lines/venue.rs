//! A venue with a truth, its lines, and what they have shown.

use gapless_book::book::Book;
use gapless_book::event::{
    BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Side, TimeUnit, Times,
};
use gapless_book::lines::{Arrival, LineNo, LinePolicy, Lines};
use gapless_book::local::{Demand, LocalBook, Outcome, Policy};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::collections::{BTreeMap, VecDeque};

/// The numberings by which lines are merged.
pub const CHAINS: [Chain; 4] = [Chain::Range, Chain::Rising, Chain::Linked, Chain::Counter];

/// One message of the venue.
#[derive(Clone, Debug)]
pub struct Message {
    pub kind: BookKind,
    pub seq: SeqInfo,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    /// How many messages the venue had sent when it was made: what it shows.
    pub index: usize,
    /// How often the venue had lowered its numbers.
    pub count: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

#[derive(Clone, Debug, Default)]
struct Socket {
    queue: VecDeque<Message>,
    last: Option<Message>,
    /// Last index that it showed since it connected.
    shown: Option<usize>,
}

pub struct World {
    pub book: LocalBook,
    pub lines: Lines,
    rule: Rule,
    sockets: Vec<Socket>,
    /// The venue's book after each message, and its number.
    truth: Vec<(Sides, i64)>,
    /// Messages, and indices of snapshots, that somebody was shown.
    shown: Vec<bool>,
    snapshots: Vec<bool>,
    /// Messages that a line was shown in the count that the book is in: they need not come again.
    kept: Vec<bool>,
    /// After each message, how often the numbers had been lowered.
    counts: Vec<usize>,
    rest: Option<usize>,
    now_ns: i64,
}

impl World {
    pub fn new(chain: Chain, lines: usize) -> Self {
        let rest = matches!(chain, Chain::Range | Chain::Rising);
        let bridge = if rest { Bridge::Rest } else { Bridge::InStream };
        let rule = Rule::new(chain, bridge);
        let policy = LinePolicy { wait_ns: 3_600_000_000_000, ..LinePolicy::default() };
        Self {
            book: LocalBook::new(rule, Policy::replay()),
            lines: Lines::new(policy),
            rule,
            sockets: vec![Socket::default(); lines],
            truth: vec![(Sides::default(), 10_000_000)],
            shown: vec![false],
            snapshots: vec![false],
            kept: vec![false],
            counts: vec![0],
            rest: None,
            now_ns: 1,
        }
    }

    /// Every line shows the first messages, so that all are in step.
    pub fn start(&mut self) {
        self.publish(1);
        if self.rule.bridge == Bridge::InStream {
            let snapshot = self.snapshot();
            for socket in &mut self.sockets {
                socket.queue.clear();
                socket.queue.push_back(snapshot.clone());
            }
        }
        self.publish(2);
        self.deliver_all();
        self.publish(3);
        self.deliver_all();
    }

    pub fn last_index(&self) -> usize {
        self.truth.len() - 1
    }

    /// Index of the book's number, the latest of that number.
    pub fn shown_index(&self) -> Option<usize> {
        let seq = self.book.seq()?;
        self.truth.iter().rposition(|(_, number)| *number == seq)
    }

    fn number(&self) -> i64 {
        self.truth.last().map_or(0, |truth| truth.1)
    }

    pub fn publish(&mut self, seed: u64) {
        let before = self.number();
        let step = if self.rule.chain == Chain::Counter { 1 } else { 1 + (seed % 3) as i64 };
        self.send(seed, before, before + step);
    }

    fn send(&mut self, seed: u64, before: i64, last: i64) {
        let mut sides = self.truth.last().map(|truth| truth.0.clone()).unwrap_or_default();
        let mut random = seed | 1;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((random >> 33) % below) as i64
        };
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        for _ in 0..=next(3) {
            let level = Level { price: 1 + next(9), qty: next(4) };
            bids.push(level);
            set(&mut sides.bids, level);
            let level = Level { price: 11 + next(9), qty: next(4) };
            asks.push(level);
            set(&mut sides.asks, level);
        }
        self.truth.push((sides, last));
        self.shown.push(false);
        self.snapshots.push(false);
        self.kept.push(false);
        let count = self.counts.last().map_or(0, |count| count + usize::from(last < before));
        self.counts.push(count);
        let seq = match self.rule.chain {
            Chain::Range => SeqInfo { first: Some(before + 1), ..ids(last) },
            Chain::Counter => ids(last),
            _ => SeqInfo { prev: Some(before), ..ids(last) },
        };
        let index = self.last_index();
        let message = Message { kind: BookKind::Delta, seq, bids, asks, index, count };
        for socket in &mut self.sockets {
            socket.queue.push_back(message.clone());
        }
    }

    /// The venue begins to count anew, in the way of the chain; where it never does, nothing.
    pub fn reset(&mut self, seed: u64) {
        let before = self.number();
        match self.rule.chain {
            // Far below every number used before, so that a number tells its message.
            Chain::Linked => {
                let lowest = self.truth.iter().map(|truth| truth.1).min().unwrap_or(0);
                self.send(seed, before, lowest - 10_000);
            }
            _ => self.publish(seed),
        }
    }

    fn snapshot(&self) -> Message {
        let index = self.last_index();
        let (sides, number) = &self.truth[index];
        let levels = |side: &BTreeMap<i64, i64>| {
            side.iter().map(|(price, qty)| Level { price: *price, qty: *qty }).collect()
        };
        let (bids, asks) = (levels(&sides.bids), levels(&sides.asks));
        Message {
            kind: BookKind::Snapshot,
            seq: ids(*number),
            bids,
            asks,
            index,
            count: self.counts[index],
        }
    }

    pub fn deliver(&mut self, line: usize) {
        self.rest();
        let Some(message) = self.sockets[line].queue.pop_front() else { return };
        self.show(line, &message);
        self.sockets[line].last = Some(message);
    }

    pub fn repeat(&mut self, line: usize) {
        if let Some(message) = self.sockets[line].last.clone().filter(|m| m.kind == BookKind::Delta)
        {
            self.show(line, &message);
        }
    }

    pub fn deliver_all(&mut self) {
        while self.sockets.iter().any(|socket| !socket.queue.is_empty()) {
            for line in 0..self.sockets.len() {
                self.deliver(line);
            }
        }
        self.rest();
    }

    /// Another line has shown the message, or will.
    pub fn may_lose(&self, line: usize) -> bool {
        let Some(message) = self.sockets[line].queue.front() else { return false };
        message.kind == BookKind::Delta && self.is_carried(message.index, line)
    }

    fn is_carried(&self, index: usize, but: usize) -> bool {
        let queued = |socket: &Socket| {
            let mut queue = socket.queue.iter();
            queue.any(|m| m.index == index && m.kind == BookKind::Delta)
        };
        let mut others = self.sockets.iter().enumerate().filter(|(line, _)| *line != but);
        self.kept[index] || others.any(|(_, socket)| queued(socket))
    }

    pub fn lose(&mut self, line: usize) {
        self.sockets[line].queue.pop_front();
    }

    /// Another line is in step with the book, and nothing is lost for all.
    pub fn may_reconnect(&self, line: usize) -> bool {
        let at = self.shown_index();
        let mut others = self.sockets.iter().enumerate().filter(|(other, _)| *other != line);
        let in_step = others.any(|(_, socket)| socket.shown.is_some() && socket.shown <= at);
        let carried = |message: &Message| self.is_carried(message.index, line);
        in_step && self.sockets[line].queue.iter().all(carried)
    }

    pub fn reconnect(&mut self, line: usize) {
        let outcome = self.lines.disconnect(&mut self.book, LineNo(line as u32), &mut ());
        self.asked(line, outcome);
        self.lines.connect(LineNo(line as u32));
        self.sockets[line] = Socket::default();
        if self.rule.bridge == Bridge::InStream {
            let snapshot = self.snapshot();
            self.sockets[line].queue.push_back(snapshot);
        }
    }

    fn show(&mut self, line: usize, message: &Message) {
        self.now_ns += 1_000_000;
        match message.kind {
            BookKind::Delta => {
                let count = self.shown_index().map(|index| self.counts[index]);
                self.shown[message.index] = true;
                self.kept[message.index] |= count == Some(message.count);
            }
            _ => self.snapshots[message.index] = true,
        }
        self.sockets[line].shown = Some(message.index);
        let arrival = Arrival {
            line: LineNo(line as u32),
            message: &message.borrowed(),
            flags: Flags::NONE,
            times: &times(self.now_ns),
        };
        let outcome = self.lines.message(&mut self.book, &arrival, &mut ());
        self.asked(line, outcome);
    }

    fn asked(&mut self, line: usize, outcome: Outcome) {
        match outcome.demand {
            Demand::None => {}
            Demand::Snapshot => self.rest = Some(self.last_index()),
            Demand::Resubscribe => {
                let snapshot = self.snapshot();
                self.sockets[line].queue.push_back(snapshot);
            }
        }
    }

    /// Answers a request for a snapshot.
    fn rest(&mut self) {
        if self.rest.take().is_none() {
            return;
        }
        let snapshot = self.snapshot();
        self.snapshots[snapshot.index] = true;
        let message = snapshot.borrowed();
        let outcome = self.book.message(&message, Flags::REST, &times(self.now_ns), &mut ());
        self.asked(0, outcome);
    }

    /// A live book is the venue's, and what was shown proves it.
    pub fn check(&self) -> Result<(), String> {
        let Some(book) = self.book.live() else { return Ok(()) };
        let seq = self.book.seq().ok_or("live without a number")?;
        let index = self.shown_index().ok_or_else(|| format!("live at {seq}, never sent"))?;
        let (sides, _) = &self.truth[index];
        if sides_of(book) != *sides {
            return Err(format!("live at {seq}, but not the venue's book"));
        }
        let mut proven = (0..=index).rev();
        let base = proven.find(|at| self.snapshots[*at] || !self.shown[*at]);
        match base {
            Some(at) if self.snapshots[at] => Ok(()),
            _ => Err(format!("live at {seq}, past a message that nobody was shown: {base:?}")),
        }
    }
}

impl Message {
    fn borrowed(&self) -> BookMessage<'_> {
        BookMessage {
            kind: self.kind,
            seq: self.seq,
            scales: Scales::default(),
            bids: &self.bids,
            asks: &self.asks,
            extras: &[],
            depth_limit: None,
        }
    }
}

fn ids(last: i64) -> SeqInfo {
    SeqInfo { last: Some(last), ..SeqInfo::default() }
}

fn times(recv_ns: i64) -> Times {
    Times { recv_ns, unit: TimeUnit::Nano, ..Times::default() }
}

fn set(side: &mut BTreeMap<i64, i64>, level: Level) {
    if level.qty == 0 {
        side.remove(&level.price);
    } else {
        side.insert(level.price, level.qty);
    }
}

fn sides_of(book: &Book) -> Sides {
    let side = |side| book.side(side).iter().map(|level| (level.price, level.qty)).collect();
    Sides { bids: side(Side::Bid), asks: side(Side::Ask) }
}
