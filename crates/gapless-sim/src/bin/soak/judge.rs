//! What is promised, checked at every publication.

use gapless_book::book::Book;
use gapless_book::event::Side;
use gapless_book::local::{Outcome, State, Transition};
use gapless_sim::exchange::{Exchange, level_sum};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::{Handler, LineId, Watcher};
use std::collections::BTreeMap;

/// A publication that is still to be judged.
#[derive(Clone, Debug)]
struct Shown {
    symbol: String,
    seq: Option<i64>,
    sum: u64,
    crossed: bool,
}

/// Keeps what is published until the exchange can be asked, and what was found.
#[derive(Debug, Default)]
pub struct Judge {
    line: LineId0,
    shown: Vec<Shown>,
    /// What happened, in order: two runs of one seed must have the same.
    pub trace: u64,
    /// The same of each symbol alone.
    pub traces: BTreeMap<String, u64>,
    pub checked: u64,
    pub broken: Vec<String>,
    /// Tells every change of state.
    pub tells: bool,
    pub now: u64,
}

type LineId0 = u32;

impl Judge {
    /// Asks the exchange about everything that was published.
    pub fn judge(&mut self, exchange: &Exchange) {
        for shown in std::mem::take(&mut self.shown) {
            self.checked += 1;
            if shown.crossed {
                self.broken.push(format!("G2: {} is live and crossed", shown.symbol));
            }
            let Some(seq) = shown.seq else { continue };
            if exchange.stood(&shown.symbol, seq, shown.sum) == Some(false) {
                let symbol = &shown.symbol;
                self.broken.push(format!("G3, G4: {symbol} is live at {seq}, not the truth"));
            }
        }
    }

    fn note(&mut self, symbol: &str, numbers: [u64; 3]) {
        let mixed = |trace: u64| {
            let mix = |t: u64, n: &u64| (t ^ n).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
            numbers.iter().fold(trace, mix)
        };
        self.trace = mixed(self.trace);
        match self.traces.get_mut(symbol) {
            Some(trace) => *trace = mixed(*trace),
            None => drop(self.traces.insert(symbol.to_owned(), mixed(0))),
        }
    }
}

impl Handler for Judge {
    fn book(&mut self, _: BookId, entry: &BookEntry, outcome: &Outcome) {
        let (state, reason) = entry.local.state();
        let book = entry.local.last_known();
        let sum = if state == State::Live { sum_of(book) } else { 0 };
        let shown = state as u64 * 64 + reason as u64;
        self.note(&entry.symbol, [shown, entry.local.seq().unwrap_or(-1).cast_unsigned(), sum]);
        if self.tells && outcome.transition != Transition::None {
            let ms = self.now / 1_000_000;
            let (symbol, line) = (&entry.symbol, self.line);
            println!("{ms:>8} ms  line {line} {symbol} {} {}", state.name(), reason.name());
        }
        if state != State::Live {
            return;
        }
        self.shown.push(Shown {
            symbol: symbol_of(entry).to_owned(),
            seq: seq_of(entry),
            sum,
            crossed: book.is_crossed(),
        });
    }
}

impl Watcher for Judge {
    fn line(&mut self, line: LineId) {
        self.line = line.0;
    }
}

/// Where a book stands: at its number, or, of a stream without numbers, at the microsecond of its
/// last message, which is what the exchange knows it by.
pub fn seq_of(entry: &BookEntry) -> Option<i64> {
    let us = || Some(entry.local.last_times().venue_ns).filter(|ns| *ns > 0).map(|ns| ns / 1_000);
    entry.local.seq().or_else(us)
}

/// Its symbol without the exchange that some sources put before it.
pub fn symbol_of(entry: &BookEntry) -> &str {
    entry.symbol.rsplit(':').next().unwrap_or(&entry.symbol)
}

/// The sum of a book's levels, each as the exchange counts it.
pub fn sum_of(book: &Book) -> u64 {
    let sides = [Side::Bid, Side::Ask].into_iter();
    let levels = sides.flat_map(|side| {
        book.side(side).iter().map(move |level| {
            let (price, qty) = book.decimals(level);
            level_sum(side, price, qty)
        })
    });
    levels.fold(0, u64::wrapping_add)
}
