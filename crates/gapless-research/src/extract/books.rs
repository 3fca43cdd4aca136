//! What a row of a book shows: its best levels and features, and whether that has changed.

use crate::ExtractError;
use crate::features::{Feature, Features};
use crate::table::Row;
use gapless::book::event::{Level, NO_TIME, Scales, Side, TakerSide};
use gapless::book::local::LocalBook;
use gapless::venues::books::BookEntry;

/// The row of one book as it would be written now.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) channel: String,
    pub(super) venue_ns: i64,
    seq: Option<i64>,
    live: bool,
    scales: Scales,
    bids: Vec<Level>,
    asks: Vec<Level>,
    depth: usize,
    features: Features,
    values: Vec<f64>,
    /// Values of features as they were last compared.
    before: Vec<f64>,
}

impl Shown {
    /// A book that has shown nothing.
    pub(super) fn new(channel: &str, depth: usize, features: &[Feature]) -> Self {
        Self {
            channel: channel.to_owned(),
            venue_ns: NO_TIME,
            seq: None,
            live: false,
            scales: Scales::default(),
            bids: Vec::new(),
            asks: Vec::new(),
            depth,
            features: Features::new(features),
            values: Vec::new(),
            before: Vec::new(),
        }
    }

    /// A trade of the symbol.
    pub(super) fn trade(&mut self, now_ns: i64, side: TakerSide, size: f64) {
        self.features.trade(now_ns, side, size);
    }

    /// Takes what the book is now; whether a row would differ from the one before.
    pub(super) fn note(&mut self, now_ns: i64, entry: &BookEntry) -> bool {
        let local: &LocalBook = &entry.local;
        self.venue_ns = local.last_times().venue_ns;
        self.seq = local.seq();
        let Some(book) = local.live() else {
            self.bids.clear();
            self.asks.clear();
            self.values.clear();
            self.features.void();
            return core::mem::replace(&mut self.live, false);
        };
        let became = !core::mem::replace(&mut self.live, true);
        let scales = core::mem::replace(&mut self.scales, book.scales());
        let mut changed = became || scales != self.scales;
        for (side, held) in [(Side::Bid, &mut self.bids), (Side::Ask, &mut self.asks)] {
            let last = (held.len() == self.depth).then(|| held.last().map(|level| level.price));
            if changed || book.may_differ(side, last.flatten()) {
                changed |= differs(held, book.depth(side, self.depth));
            }
        }
        self.features.change(now_ns, book);
        self.features.values(now_ns, book, &mut self.values);
        let same = self.values.iter().map(|value| value.to_bits());
        if !same.eq(self.before.iter().map(|value| value.to_bits())) {
            self.before.clone_from(&self.values);
            changed = true;
        }
        changed
    }

    /// Gives the columns of the book to its row.
    pub(super) fn write(&mut self, row: Row<'_>, at_ns: i64) -> Result<(), ExtractError> {
        self.features.refresh(at_ns, &mut self.values);
        let mut row = row.int(self.seq).int(Some(i64::from(self.live)));
        for at in 0..self.depth {
            let (bid, ask) = (self.bids.get(at), self.asks.get(at));
            row = row
                .scaled(bid.map(|level| (level.price, self.scales.price)))
                .scaled(bid.map(|level| (level.qty, self.scales.qty)))
                .scaled(ask.map(|level| (level.price, self.scales.price)))
                .scaled(ask.map(|level| (level.qty, self.scales.qty)));
        }
        for value in &self.values {
            row = row.float(*value);
        }
        self.features.shown();
        row.end()
    }
}

/// Copies levels over those held; whether any differed.
fn differs(held: &mut Vec<Level>, levels: impl Iterator<Item = Level>) -> bool {
    let (mut count, mut changed) = (0, false);
    for level in levels {
        match held.get_mut(count) {
            Some(old) if *old == level => {}
            Some(old) => {
                *old = level;
                changed = true;
            }
            None => {
                held.push(level);
                changed = true;
            }
        }
        count += 1;
    }
    changed |= held.len() > count;
    held.truncate(count);
    changed
}
