//! What is promised, checked at every publication.

use gapless_book::book::Book;
use gapless_book::event::Side;
use gapless_book::local::{Outcome, State, Transition};
use gapless_sim::exchange::{Exchange, level_sum};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::{Handler, LineId, Watcher};

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

    fn note(&mut self, number: u64) {
        self.trace = (self.trace ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }
}

impl Handler for Judge {
    fn book(&mut self, _: BookId, entry: &BookEntry, outcome: &Outcome) {
        let (state, reason) = entry.local.state();
        self.note(state as u64 * 64 + reason as u64);
        self.note(entry.local.seq().unwrap_or(-1).cast_unsigned());
        if self.tells && outcome.transition != Transition::None {
            let ms = self.now / 1_000_000;
            let (symbol, line) = (&entry.symbol, self.line);
            println!("{ms:>8} ms  line {line} {symbol} {} {}", state.name(), reason.name());
        }
        if state != State::Live {
            return;
        }
        let book = entry.local.last_known();
        let sum = sum_of(book);
        self.note(sum);
        self.shown.push(Shown {
            symbol: entry.symbol.clone(),
            seq: entry.local.seq(),
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
