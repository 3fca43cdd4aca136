//! Reading the answer to a question for a list of instruments, apart from asking it.
//!
//! A list may have megabytes, which take milliseconds to read: whoever drives a feed has it read on
//! another thread ([`Feed::list_reader`](crate::Feed::list_reader)) and hands over what was found.

use gapless_venues::instruments::{InstrumentError, List};
use gapless_venues::registry::VenueId;
use gapless_venues::venue::{HttpAnswer, RestVerdict};
use std::collections::HashSet;
use std::sync::Arc;

/// Reads answers, for any thread.
#[derive(Clone, Debug)]
pub struct ListReader {
    venue: VenueId,
    /// Whose rows are kept.
    symbols: Arc<HashSet<String>>,
}

/// What was found in an answer.
#[derive(Clone, Debug)]
pub struct ListRead {
    pub(crate) verdict: RestVerdict,
    /// Rows of the symbols that are wanted, where the answer is a list.
    pub(crate) list: Result<List, InstrumentError>,
    /// Rows that the answer had, of whatever symbols.
    pub(crate) rows: usize,
}

impl ListReader {
    pub(crate) fn new(venue: VenueId, symbols: HashSet<String>) -> Self {
        Self { venue, symbols: Arc::new(symbols) }
    }

    /// Reads an answer.
    #[must_use]
    pub fn read(&self, answer: &HttpAnswer<'_>) -> ListRead {
        let verdict = self.venue.rest_verdict(answer);
        if verdict != RestVerdict::Ok {
            return ListRead { verdict, list: Ok(List::default()), rows: 0 };
        }
        let mut list = self.venue.read_instruments(answer.body);
        let mut rows = 0;
        if let Ok(list) = &mut list {
            rows = list.instruments.len();
            list.instruments.retain(|row| self.symbols.contains(&row.symbol));
            // One whose symbol cannot be read may be anybody's.
            let is_ours = |symbol: &String| symbol.is_empty() || self.symbols.contains(symbol);
            list.refused.retain(|error| is_ours(&error.symbol));
        }
        ListRead { verdict, list, rows }
    }
}
