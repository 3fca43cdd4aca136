//! A venue that numbers its messages by one of the chains, and the line that loses them.
//!
//! The venue knows its true book at every moment. Its messages go over a line that drops, repeats
//! and delays them; snapshots come late. What arrives is handed to the book under test.

use super::naive::{Naive, text};
use gapless::book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo};
use gapless::book::sequence::{Bridge, Chain, Rule};
use std::collections::VecDeque;

/// SplitMix64: ten lines, the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One time in `n`.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A message as it travels.
#[derive(Clone)]
pub struct Sent {
    pub kind: BookKind,
    pub flags: Flags,
    pub seq: SeqInfo,
    pub scales: Scales,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    /// Place of the message in the venue's history: the book after it is the book at this place.
    pub place: u64,
}

impl Sent {
    pub fn message(&self) -> BookMessage<'_> {
        BookMessage {
            kind: self.kind,
            seq: self.seq,
            scales: self.scales,
            bids: &self.bids,
            asks: &self.asks,
            extras: &[],
            depth_limit: None,
        }
    }

    pub fn apply(&self, naive: &mut Naive) {
        for (bid, levels) in [(true, &self.bids), (false, &self.asks)] {
            for level in levels {
                let price = text(level.price, self.scales.price);
                naive.set(bid, price, text(level.qty, self.scales.qty));
            }
        }
    }
}

/// The venue.
pub struct Venue {
    pub rule: Rule,
    random: Random,
    pub truth: Naive,
    /// Deltas by place, so that a follower can be brought to any place.
    pub history: VecDeque<Sent>,
    pub place: u64,
    last: i64,
    mid: i64,
    scales: Scales,
    /// What is on its way, with the number of deliveries until it arrives.
    pub line: VecDeque<Sent>,
    snapshot: Option<(u64, Sent)>,
    recent: Option<Sent>,
    pub updates: u64,
}

/// Prices stay within this distance of zero, so that none is negative.
const MID: i64 = 50_000;

impl Venue {
    pub fn new(chain: Chain, bridge: Bridge, seed: u64) -> Self {
        Self {
            rule: Rule::new(chain, bridge),
            random: Random(seed),
            truth: Naive::default(),
            history: VecDeque::new(),
            place: 0,
            last: 1_000_000_000,
            mid: MID,
            scales: Scales { price: 1, qty: 2 },
            line: VecDeque::new(),
            snapshot: None,
            recent: None,
            updates: 0,
        }
    }

    /// One more message of the market goes onto the line.
    pub fn trade(&mut self) {
        self.drift();
        let count = 1 + self.random.below(60);
        let (bids, asks) = (self.levels(true, count), self.levels(false, count));
        self.updates += 2 * count;
        let seq = self.number();
        self.place += 1;
        let sent = Sent {
            kind: BookKind::Delta,
            flags: Flags::NONE,
            seq,
            scales: self.scales,
            bids,
            asks,
            place: self.place,
        };
        sent.apply(&mut self.truth);
        self.history.push_back(sent.clone());
        self.transmit(sent);
    }

    /// The mid wanders; now and then the venue shows more decimals, or opens a new tick grid.
    fn drift(&mut self) {
        self.mid = (self.mid + self.random.below(21) as i64 - 10).clamp(MID / 2, MID * 2);
        if self.random.once_in(20_000) && self.scales.price < 4 {
            self.scales.price += 1;
            self.scales.qty += 1;
        } else if self.random.once_in(50_000) {
            self.scales = Scales { price: 1, qty: 2 };
        }
    }

    /// Levels of one side: near the top mostly, some far away, a third of them removals. Bids stay
    /// below the mid and asks above it, and what the mid has passed is removed, so that the true
    /// book is never crossed.
    fn levels(&mut self, bid: bool, count: u64) -> Vec<Level> {
        let unit = 10i64.pow(u32::from(self.scales.price) - 1);
        let mut levels = Vec::with_capacity(count as usize + 1);
        let edge = text(self.mid * unit, self.scales.price);
        let passed = if bid {
            self.truth.bids.range(edge..).map(|(price, _)| *price).collect::<Vec<_>>()
        } else {
            self.truth.asks.range(..=edge).map(|(price, _)| *price).collect()
        };
        for price in passed {
            let digits: String = price.iter().map(|b| *b as char).filter(|c| *c != '.').collect();
            let value =
                digits.parse::<i64>().unwrap() / 10i64.pow(8 - u32::from(self.scales.price));
            levels.push(Level { price: value, qty: 0 });
        }
        for _ in 0..count {
            let distance = match self.random.below(10) {
                0 => 1 + self.random.below(20_000) as i64,
                _ => 1 + self.random.below(120) as i64,
            };
            let price = (if bid { self.mid - distance } else { self.mid + distance }) * unit;
            let qty = if self.random.once_in(3) { 0 } else { 1 + self.random.below(1000) as i64 };
            levels.push(Level { price, qty });
        }
        levels
    }

    /// The next number by the chain's own rule.
    fn number(&mut self) -> SeqInfo {
        let prev = self.last;
        let step = match self.rule.chain {
            Chain::Counter => 1,
            _ => 1 + self.random.below(9) as i64,
        };
        self.last += step;
        let mut seq = SeqInfo { last: Some(self.last), ..SeqInfo::default() };
        match self.rule.chain {
            Chain::Range => seq.first = Some(prev + 1),
            Chain::Rising => {
                // Ids are global: messages do not begin where the last one ended.
                seq.first = Some(prev + 1 + self.random.below(step as u64) as i64);
                seq.prev = Some(prev);
            }
            Chain::Linked => {
                if self.random.once_in(5_000) {
                    // Maintenance: the chain itself lowers the numbers.
                    self.last = prev - 5_000_000;
                    seq.last = Some(self.last);
                }
                seq.prev = Some(prev);
            }
            _ => {}
        }
        seq
    }

    /// Puts a message onto a line that loses, repeats and swaps some.
    fn transmit(&mut self, sent: Sent) {
        if self.random.once_in(400) {
            return;
        }
        if self.random.once_in(300) {
            self.line.push_back(sent.clone());
        }
        if self.random.once_in(500)
            && let Some(old) = self.recent.take()
        {
            self.line.push_back(old);
        }
        if self.random.once_in(500) {
            self.recent = Some(sent.clone());
        }
        let swap = self.random.once_in(700);
        self.line.push_back(sent);
        let end = self.line.len();
        if swap && end >= 2 {
            self.line.swap(end - 1, end - 2);
        }
    }

    /// The book under test asks for a snapshot: it shows the book of now and arrives later; a REST
    /// cache may be older than what the line has shown.
    pub fn ask_snapshot(&mut self) {
        if self.snapshot.is_some() {
            return;
        }
        let in_stream = self.rule.bridge == Bridge::InStream;
        let delay = if in_stream { 0 } else { self.random.below(12) };
        let snapshot = self.picture(in_stream);
        if in_stream {
            self.line.push_back(snapshot);
        } else {
            self.snapshot = Some((delay, snapshot));
        }
    }

    fn picture(&self, in_stream: bool) -> Sent {
        let scales = Scales { price: 8, qty: 8 };
        let value = |text: &[u8; 21]| -> i64 {
            let digits: String = text.iter().map(|b| *b as char).filter(|c| *c != '.').collect();
            digits.parse().unwrap()
        };
        let side = |side: &std::collections::BTreeMap<_, _>| -> Vec<Level> {
            side.iter().map(|(p, q)| Level { price: value(p), qty: value(q) }).collect()
        };
        Sent {
            kind: BookKind::Snapshot,
            flags: if in_stream { Flags::NONE } else { Flags::REST },
            seq: SeqInfo { last: Some(self.last), ..SeqInfo::default() },
            scales,
            bids: side(&self.truth.bids),
            asks: side(&self.truth.asks),
            place: self.place,
        }
    }

    /// What arrives next.
    pub fn deliver(&mut self) -> Option<Sent> {
        if let Some((delay, _)) = &mut self.snapshot {
            if *delay == 0 {
                return self.snapshot.take().map(|(_, sent)| sent);
            }
            *delay -= 1;
        }
        self.line.pop_front()
    }
}
