//! Audits: a newer REST snapshot is compared with the stream's book when the stream gets there.

use super::{LocalBook, horizon};
use crate::book::Book;
use crate::decimal::Decimal;
use crate::event::{BookMessage, Side};
use crate::sequence::Chain;
use alloc::boxed::Box;

/// A newer REST snapshot, kept until the stream reaches its number (ruling 0.6.10).
#[derive(Clone, Debug)]
pub(super) struct Audit {
    id: i64,
    book: Book,
    complete_to: [Option<Decimal>; 2],
}

impl LocalBook {
    pub(super) fn start_audit(&mut self, message: &BookMessage<'_>) {
        let (Some(id), mut book) = (message.seq.last, Book::new()) else { return };
        if book.load(message, &mut ()).is_err() {
            return;
        }
        let complete_to = horizon(&book, message.depth_limit);
        self.audit = Some(Box::new(Audit { id, book, complete_to }));
    }

    /// The stream steps over the audit's number inside this message: every level that the message
    /// does not touch must agree before it is applied (ruling 0.6.21). Linked updates leave out
    /// what came back inside their window, so that nothing can be said there (ruling 0.6.20).
    /// Whether the book must be given up, as [`Self::audit_at_anchor`].
    pub(super) fn audit_inside(&mut self, message: &BookMessage<'_>) -> bool {
        let Some(audit) = self.audit.take_if(|a| message.seq.last > Some(a.id)) else {
            return false;
        };
        self.rule().chain != Chain::Linked && self.compare(&audit, Some(message))
    }

    pub(super) fn audit_at_anchor(&mut self) -> bool {
        let anchor = self.sequencer.anchor();
        let audit = self.audit.take_if(|a| anchor == Some(a.id));
        audit.is_some_and(|audit| self.compare(&audit, None))
    }

    fn compare(&mut self, audit: &Audit, touched: Option<&BookMessage<'_>>) -> bool {
        self.counters.audits += 1;
        let differences = differences(&self.book, &self.complete_to, audit, touched);
        self.counters.audit_differences += differences;
        differences > 0 && self.policy.resync_on_audit
    }
}

/// Levels that differ, not counting those that a message touches. What the one side shows counts
/// only where the other claims to know (the horizons of snapshots that were limited).
fn differences(
    book: &Book,
    complete_to: &[Option<Decimal>; 2],
    audit: &Audit,
    touched: Option<&BookMessage<'_>>,
) -> u64 {
    let mut count = 0;
    for side in [Side::Bid, Side::Ask] {
        let is_touched = |price: Decimal| {
            touched.is_some_and(|message| {
                let levels = if side == Side::Bid { message.bids } else { message.asks };
                levels.iter().any(|l| Decimal::new(l.price, message.scales.price) == price)
            })
        };
        let differs = |of: &Book, other: &Book, horizon: Option<Decimal>, absent: bool| {
            let levels = of.side(side).iter().map(|level| of.decimals(level));
            let differing = levels.filter(|(price, qty)| {
                let known = horizon.is_none_or(|limit| !beyond(side, *price, limit));
                let there = standing(other, side, *price);
                known && !is_touched(*price) && there != *qty && (!absent || there.is_zero())
            });
            differing.count() as u64
        };
        count += differs(book, &audit.book, *side.of(&audit.complete_to), false);
        // Levels that only the snapshot has; those of both are counted above.
        count += differs(&audit.book, book, *side.of(complete_to), true);
    }
    count
}

/// Size at a price of any scale, 0 if none.
fn standing(book: &Book, side: Side, price: Decimal) -> Decimal {
    let price = price.at_scale(book.scales().price);
    Decimal::new(price.map_or(0, |price| book.side(side).qty_at(price)), book.scales().qty)
}

/// Whether `price` is worse than `limit` on a side.
fn beyond(side: Side, price: Decimal, limit: Decimal) -> bool {
    let scale = price.scale().max(limit.scale());
    match (price.at_scale(scale), limit.at_scale(scale)) {
        (Some(price), Some(limit)) if side == Side::Bid => price < limit,
        (Some(price), Some(limit)) => price > limit,
        _ => true,
    }
}
