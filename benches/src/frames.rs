//! Book frames of a workload, with what a feed knows before they come: the symbol's scales.
//!
//! Invariant: each [`BookFrame`] is exactly one book message; all frames of a symbol have the same
//! scales, and every level of them fits these exactly.

use crate::ours;
use crate::workload::{Record, Workload};
use gapless_book::event::{Body, BookKind, Scales};
use gapless_replay::record::RecordKind;
use std::collections::HashMap;

/// One frame to parse.
#[derive(Clone, Debug)]
pub struct BookFrame {
    /// As received.
    pub bytes: Vec<u8>,
    /// Scales of its symbol.
    pub scales: Scales,
    /// Bids and asks together.
    pub levels: usize,
    /// It edits a book.
    pub delta: bool,
}

/// The frames of a workload, and what was learned of its symbols.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// Every frame that is one book message, in file order.
    pub all: Vec<BookFrame>,
    /// Scales by symbol.
    pub instruments: HashMap<String, Scales>,
}

/// What one look at a frame tells.
struct Look {
    symbol: String,
    scales: Scales,
    levels: usize,
    delta: bool,
}

impl Frames {
    /// The book frames of a workload; none where its venue is not read yet.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let mut instruments = HashMap::new();
        let mut looked = Vec::new();
        for record in workload.files.iter().flatten() {
            let Some(look) = look(&workload.venue, record) else { continue };
            let known: &mut Scales = instruments.entry(look.symbol.clone()).or_default();
            known.price = known.price.max(look.scales.price);
            known.qty = known.qty.max(look.scales.qty);
            looked.push((record, look));
        }
        let frame = |(record, look): (&Record, Look)| BookFrame {
            bytes: record.payload.clone(),
            scales: instruments[&look.symbol],
            levels: look.levels,
            delta: look.delta,
        };
        Self { all: looked.into_iter().map(frame).collect(), instruments }
    }

    /// The deltas whose number of levels `wanted` takes.
    #[must_use]
    pub fn deltas(&self, wanted: impl Fn(usize) -> bool) -> Vec<&BookFrame> {
        self.all.iter().filter(|frame| frame.delta && wanted(frame.levels)).collect()
    }
}

fn look(venue: &str, record: &Record) -> Option<Look> {
    if record.kind != RecordKind::Frame {
        return None;
    }
    let mut found = Vec::new();
    ours::events(venue, record, &mut |event| {
        let Body::Book(message) = event.body else { return };
        if !event.symbol.is_empty() {
            found.push(Look {
                symbol: format!("{}|{}", event.exchange, event.symbol),
                scales: message.scales,
                levels: message.bids.len() + message.asks.len(),
                delta: message.kind == BookKind::Delta,
            });
        }
    });
    found.pop().filter(|_| found.is_empty())
}
