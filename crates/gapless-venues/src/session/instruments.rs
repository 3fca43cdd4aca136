//! What the venues' lists say of a connection's books: on which grid they stand, and whether they
//! trade.

use super::feed::finish;
use super::{Handler, Session};
use crate::books::{BookEntry, BookId};
use crate::instruments::{Instrument, Instruments, Status};
use crate::venue::{Market, Venue};
use gapless_book::local::{Outcome, Reason, State};
use std::borrow::Cow;
use std::sync::Arc;

/// The lists that a session was given.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// What they call the session's own venue.
    name: &'static str,
    table: Arc<Instruments>,
}

impl Listed {
    /// The instrument of a book, by the market where that is known.
    pub(super) fn find<V: Venue>(
        &self,
        venue: &V,
        exchange: &str,
        market: Market,
        symbol: &str,
    ) -> Option<&Instrument> {
        let (name, told) = match venue.venue_of(exchange) {
            _ if exchange.is_empty() => (Cow::Borrowed(self.name), Market::Unknown),
            Some((name, market)) => (Cow::Borrowed(name), market),
            None => (Cow::Owned(format!("{}:{exchange}", self.name)), Market::Unknown),
        };
        match if market == Market::Unknown { told } else { market } {
            Market::Unknown => self.table.only(&name, symbol),
            market => self.table.get(&name, market, symbol),
        }
    }
}

impl<V: Venue> Session<V> {
    /// Takes the lists as they are now; `name` is what they call this venue. Every book has its
    /// instrument from now on ([`BookEntry::instrument`]), those that appear later too, and levels
    /// off its grid are told ([`Handler::off_grid`]).
    ///
    /// A tick or lot that is not what the lists before said ends the book's epoch
    /// ([`Reason::GridChange`]); an instrument that they had and that is closed now, or gone, fails
    /// ([`Reason::Delisted`]) until it is back. The first lists that name a book end nothing: they
    /// may be of another day than a recording.
    pub fn instruments<H: Handler>(
        &mut self,
        now_ns: i64,
        name: &'static str,
        table: &Arc<Instruments>,
        handler: &mut H,
    ) {
        let listed = Listed { name, table: Arc::clone(table) };
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id) else { continue };
            let now = listed.find(&self.venue, &entry.exchange, entry.market, &entry.symbol);
            let outcome = change(entry, now);
            entry.set_instrument(now);
            if let Some(outcome) = outcome {
                finish(id, entry, outcome, now_ns, handler);
            }
        }
        self.line.listed = Some(listed);
    }
}

/// What another row of the lists does to a book, if anything.
fn change(entry: &mut BookEntry, now: Option<&Instrument>) -> Option<Outcome> {
    let trades = |row: &&Instrument| row.status != Status::Closed;
    let grid = |row: &Instrument| (row.tick, row.lot);
    let was = entry.instrument().filter(trades).map(grid);
    let is = now.filter(trades).map(grid);
    let delisted = entry.local.state() == (State::Failed, Reason::Delisted);
    match (was, is) {
        (Some(_), None) => Some(entry.local.fail(Reason::Delisted)),
        (_, Some(_)) if delisted => Some(entry.local.invalidate(Reason::AwaitingSnapshot)),
        (Some(old), Some(new)) if old != new => Some(entry.local.invalidate(Reason::GridChange)),
        _ => None,
    }
}
