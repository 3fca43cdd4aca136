//! A book: two sides at common scales, and the exact application of one message.
//!
//! Invariant: a message is applied whole or not at all. What cannot be held exactly is refused
//! with the book unchanged.

mod canonical;
mod grid;
mod levels;
#[cfg(test)]
mod naive;
mod near;
mod page;
mod pool;

pub use levels::{Change, LEVELS_MAX, Levels, Overflow};

use crate::decimal::{Decimal, POW10, SCALE_MAX};
use crate::event::{BookMessage, Level, LevelExtra, Scales, Side};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Is told of every level that a message changes.
pub trait Observer {
    /// `level` is what now stands at its price (size 0: nothing), in the book's scales.
    fn level(&mut self, side: Side, level: Level, change: Change);

    /// The sequencer has decided and the levels come next; where a stage is stamped.
    #[inline]
    fn sequenced(&mut self) {}
}

impl Observer for () {
    #[inline]
    fn level(&mut self, _: Side, _: Level, _: Change) {}
}

impl<F: FnMut(Side, Level, Change)> Observer for F {
    #[inline]
    fn level(&mut self, side: Side, level: Level, change: Change) {
        self(side, level, change);
    }
}

/// Why a message cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A number does not fit the scale that the symbol needs.
    Scale,
    /// A side would hold more than [`LEVELS_MAX`] levels.
    TooManyLevels,
}

/// What only some venues say about a level, by price: how it was written, and a second size.
#[derive(Clone, Debug, Default)]
struct Notes {
    written: [BTreeMap<i64, (u8, u8)>; 2],
    extra: [BTreeMap<i64, i64>; 2],
}

/// Two sides at common scales.
#[derive(Clone, Debug)]
pub struct Book {
    scales: Scales,
    bids: Levels,
    asks: Levels,
    notes: Option<Box<Notes>>,
    promotions: u64,
    touched: [Touched; 2],
}

/// Which levels of a side were named since the book was settled.
#[derive(Clone, Copy, Debug)]
enum Touched {
    Nothing,
    /// None better than this price.
    From(i64),
    /// The side was loaded or emptied, or its scale grew.
    Everything,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book at scale 0; scales grow with what the messages show.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scales: Scales::default(),
            bids: Levels::new(Side::Bid),
            asks: Levels::new(Side::Ask),
            notes: None,
            promotions: 0,
            touched: [Touched::Everything; 2],
        }
    }

    /// Scales of every integer in the book.
    #[must_use]
    pub const fn scales(&self) -> Scales {
        self.scales
    }

    /// One side.
    #[must_use]
    pub const fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Highest bid.
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// Lowest ask.
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// The first `n` levels of a side, best first.
    pub fn depth(&self, side: Side, n: usize) -> impl Iterator<Item = Level> + '_ {
        self.side(side).iter().take(n)
    }

    /// Whether the best levels of a side, down to the price `last`, may differ from what they
    /// were when [`Book::settle`] was called; with `None`, any level of the side. A local book
    /// settles before each message.
    ///
    /// For whoever shows the first N levels of a book: who keeps those of the message before need
    /// not read them again where this is false for the Nth one, which costs a comparison.
    #[must_use]
    #[inline]
    pub const fn may_differ(&self, side: Side, last: Option<i64>) -> bool {
        match (*side.of(&self.touched), last) {
            (Touched::Nothing, _) => false,
            (Touched::Everything, _) | (_, None) => true,
            (Touched::From(first), Some(last)) => match side {
                Side::Bid => first >= last,
                Side::Ask => first <= last,
            },
        }
    }

    /// Begins anew what [`Book::may_differ`] says.
    #[inline]
    pub const fn settle(&mut self) {
        self.touched = [Touched::Nothing; 2];
    }

    /// A level's price and size as decimals.
    #[must_use]
    pub const fn decimals(&self, level: Level) -> (Decimal, Decimal) {
        (Decimal::new(level.price, self.scales.price), Decimal::new(level.qty, self.scales.qty))
    }

    /// Whether best bid >= best ask (equal counts: protocols.md 0.3).
    #[must_use]
    #[inline]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.best(), self.asks.best()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// How often the scales grew.
    #[must_use]
    pub const fn promotions(&self) -> u64 {
        self.promotions
    }

    /// The second size at a price (Bybit RPI), 0 if none.
    #[must_use]
    pub fn extra_at(&self, side: Side, price: i64) -> i64 {
        let notes = self.notes.as_deref();
        notes.and_then(|n| side.of(&n.extra).get(&price)).copied().unwrap_or(0)
    }

    /// Decimals of price and size as last written at a price; `None` if that cannot be told.
    #[must_use]
    pub fn written_at(&self, side: Side, price: i64) -> Option<(u8, u8)> {
        let notes = self.notes.as_deref()?;
        let written = side.of(&notes.written).get(&price).copied()?;
        (written.0 != u8::MAX && written.1 != u8::MAX).then_some(written)
    }

    /// Empties both sides; scales stay.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.notes = None;
        self.touched = [Touched::Everything; 2];
    }

    /// Replaces the book by a message's levels; zero sizes mean absent.
    ///
    /// # Errors
    /// A refusal, with the book unchanged.
    pub fn load<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        let scales = union(self.scales, message.scales);
        // A scale of the old book that the new levels do not fit goes with the old book.
        let scales = if factors_fit(message, scales) { scales } else { message.scales };
        if message.bids.len() > LEVELS_MAX || message.asks.len() > LEVELS_MAX {
            return Err(Refusal::TooManyLevels);
        }
        self.clear();
        self.scales = scales;
        self.put(message, observer);
        self.touched = [Touched::Everything; 2];
        Ok(())
    }

    /// Becomes a copy of another book.
    pub fn replace<O: Observer>(&mut self, other: &Self, observer: &mut O) {
        self.clone_from(other);
        self.touched = [Touched::Everything; 2];
        for side in [Side::Bid, Side::Ask] {
            for level in other.side(side).iter() {
                observer.level(side, level, Change::Inserted);
            }
        }
    }

    /// Applies a delta: sizes are absolute, in array order, the last entry of a price wins.
    ///
    /// # Errors
    /// A refusal, with the book unchanged.
    #[inline]
    pub fn apply<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        observer: &mut O,
    ) -> Result<(), Refusal> {
        // Second sizes are as rare as a new scale: one test for both.
        if (message.scales != self.scales) | !message.extras.is_empty() {
            self.fit(message)?;
        }
        let room = |side: &Levels, more: usize| side.len() + more <= LEVELS_MAX;
        if !room(&self.bids, message.bids.len()) || !room(&self.asks, message.asks.len()) {
            self.check_room(message)?;
        }
        self.put(message, observer);
        Ok(())
    }

    /// Makes book and message agree on scales, promoting the book where it must, and sees that
    /// its notes stay as many as levels may be.
    #[cold]
    fn fit(&mut self, message: &BookMessage<'_>) -> Result<(), Refusal> {
        let scales = union(self.scales, message.scales);
        if !factors_fit(message, scales) {
            return Err(Refusal::Scale);
        }
        if scales != self.scales {
            self.promote(scales)?;
        }
        let new = self.new_notes(message);
        let notes = self.notes.as_deref();
        for side in [Side::Bid, Side::Ask] {
            let there = notes.map_or(0, |notes| side.of(&notes.extra).len());
            if there + side.of(&new) > LEVELS_MAX {
                return Err(Refusal::TooManyLevels);
            }
        }
        Ok(())
    }

    /// How many second sizes a message would add to each side.
    fn new_notes(&self, message: &BookMessage<'_>) -> [usize; 2] {
        let price = factors(message.scales, self.scales).map_or(1, |(price, _)| price);
        let (bids, asks) = message.extras.split_at(message.bids.len().min(message.extras.len()));
        let count = |side, levels: &[Level], extras: &[LevelExtra]| {
            let is_new = |(level, extra): &(&Level, &LevelExtra)| {
                extra.extra != 0 && self.extra_at(side, level.price.wrapping_mul(price)) == 0
            };
            levels.iter().zip(extras).filter(is_new).count()
        };
        [count(Side::Bid, message.bids, bids), count(Side::Ask, message.asks, asks)]
    }

    /// Brings the book to larger scales, exactly.
    fn promote(&mut self, scales: Scales) -> Result<(), Refusal> {
        let (price, qty) = factors(self.scales, scales).ok_or(Refusal::Scale)?;
        if !self.bids.can_promote(price, qty) || !self.asks.can_promote(price, qty) {
            return Err(Refusal::Scale);
        }
        if let Some(notes) = self.notes.as_deref_mut() {
            *notes = notes.scaled(price, qty).ok_or(Refusal::Scale)?;
        }
        for side in [&mut self.bids, &mut self.asks] {
            side.promote(price, qty).map_err(|Overflow| Refusal::Scale)?;
        }
        self.scales = scales;
        self.promotions += 1;
        self.touched = [Touched::Everything; 2];
        Ok(())
    }

    /// Counts exactly what a message would insert; only asked near the limit.
    #[cold]
    fn check_room(&self, message: &BookMessage<'_>) -> Result<(), Refusal> {
        let (price, qty) = factors(message.scales, self.scales).ok_or(Refusal::Scale)?;
        for (side, levels) in [(&self.bids, message.bids), (&self.asks, message.asks)] {
            let new = levels
                .iter()
                .filter_map(|level| scaled(*level, price, qty))
                .filter(|level| level.qty != 0 && side.qty_at(level.price) == 0)
                .count();
            if side.len() + new > LEVELS_MAX {
                return Err(Refusal::TooManyLevels);
            }
        }
        Ok(())
    }

    #[inline]
    fn put<O: Observer>(&mut self, message: &BookMessage<'_>, observer: &mut O) {
        let factors = if message.scales == self.scales {
            put_side(&mut self.bids, Side::Bid, message.bids, (1, 1), observer);
            put_side(&mut self.asks, Side::Ask, message.asks, (1, 1), observer);
            Some((1, 1))
        } else {
            self.put_scaled(message, observer)
        };
        let price = factors.map_or(1, |(price, _)| price);
        let bid = message.bids.iter().map(|level| level.price).max();
        let ask = message.asks.iter().map(|level| level.price).min();
        for (side, first) in [(Side::Bid, bid), (Side::Ask, ask)] {
            if let Some(first) = first {
                self.touch(side, first.wrapping_mul(price));
            }
        }
        if !message.extras.is_empty() {
            self.note(message);
        } else if self.notes.is_some() && !(message.bids.is_empty() && message.asks.is_empty()) {
            // What was written before no longer says how the book would be written now.
            self.notes = None;
        }
    }

    /// Puts levels of other scales, and says what they were multiplied by.
    #[inline(never)]
    fn put_scaled<O: Observer>(
        &mut self,
        message: &BookMessage<'_>,
        observer: &mut O,
    ) -> Option<(i64, i64)> {
        let factors = factors(message.scales, self.scales)?;
        put_side(&mut self.bids, Side::Bid, message.bids, factors, observer);
        put_side(&mut self.asks, Side::Ask, message.asks, factors, observer);
        Some(factors)
    }

    #[cold]
    fn note(&mut self, message: &BookMessage<'_>) {
        let (price, qty) = factors(message.scales, self.scales).unwrap_or((1, 1));
        let notes = self.notes.get_or_insert_with(Box::default);
        let (bids, asks) = message.extras.split_at(message.bids.len().min(message.extras.len()));
        for (side, levels, extras) in
            [(Side::Bid, message.bids, bids), (Side::Ask, message.asks, asks)]
        {
            for (level, extra) in levels.iter().zip(extras) {
                notes.set(side, level.price.wrapping_mul(price), level.qty, extra, qty);
            }
        }
    }

    /// Drops the worst level of a side.
    pub(crate) fn pop_worst(&mut self, side: Side) -> Option<Level> {
        let worst = self.side(side).worst()?;
        self.remove(side, worst.price);
        Some(worst)
    }

    /// Drops the best level of a side.
    pub(crate) fn pop_best(&mut self, side: Side) -> Option<Level> {
        let best = self.side(side).best()?;
        self.remove(side, best.price);
        Some(best)
    }

    fn remove(&mut self, side: Side, price: i64) {
        self.side_mut(side).set(price, 0);
        self.touch(side, price);
        if let Some(notes) = &mut self.notes {
            side.of_mut(&mut notes.written).remove(&price);
            side.of_mut(&mut notes.extra).remove(&price);
        }
    }

    /// Puts one level back, in the book's own scales (undoing a message).
    pub(crate) fn restore(&mut self, side: Side, level: Level) {
        self.side_mut(side).set(level.price, level.qty);
        self.touch(side, level.price);
    }

    #[inline]
    fn touch(&mut self, side: Side, price: i64) {
        let touched = side.of_mut(&mut self.touched);
        *touched = match (*touched, side) {
            (Touched::Nothing, _) => Touched::From(price),
            (Touched::From(first), Side::Bid) => Touched::From(first.max(price)),
            (Touched::From(first), Side::Ask) => Touched::From(first.min(price)),
            (Touched::Everything, _) => Touched::Everything,
        };
    }
}

impl Notes {
    /// The same at larger scales, exactly; `None` where a number does not fit. A note may outlive
    /// its level, so that what fits the levels need not fit the notes.
    fn scaled(&self, price: i64, qty: i64) -> Option<Self> {
        let mut scaled = Self::default();
        for side in [Side::Bid, Side::Ask] {
            let (written, extras) = (&mut scaled.written, &mut scaled.extra);
            for (at, digits) in side.of(&self.written) {
                side.of_mut(written).insert(at.checked_mul(price)?, *digits);
            }
            for (at, extra) in side.of(&self.extra) {
                side.of_mut(extras).insert(at.checked_mul(price)?, extra.checked_mul(qty)?);
            }
        }
        Some(scaled)
    }

    fn set(&mut self, side: Side, price: i64, qty: i64, extra: &LevelExtra, qty_factor: i64) {
        let extras = side.of_mut(&mut self.extra);
        if extra.extra == 0 {
            extras.remove(&price);
        } else {
            // Checked by `factors_fit`, as the level's own numbers.
            extras.insert(price, extra.extra.wrapping_mul(qty_factor));
        }
        let written = side.of_mut(&mut self.written);
        if qty == 0 {
            written.remove(&price);
        } else {
            written.insert(price, (extra.price_decimals, extra.qty_decimals));
        }
    }
}

#[inline(always)]
fn put_side<O: Observer>(
    into: &mut Levels,
    side: Side,
    levels: &[Level],
    (price, qty): (i64, i64),
    observer: &mut O,
) {
    // Checked by `factors_fit` before anything changed.
    let levels = levels.iter().map(|level| Level {
        price: level.price.wrapping_mul(price),
        qty: level.qty.wrapping_mul(qty),
    });
    into.set_all(side, levels, observer);
}

fn union(a: Scales, b: Scales) -> Scales {
    Scales { price: a.price.max(b.price), qty: a.qty.max(b.qty) }
}

/// What integers at `from` are multiplied by to stand at `to`; `None` if `to` is smaller.
fn factors(from: Scales, to: Scales) -> Option<(i64, i64)> {
    let factor = |from: u8, to: u8| {
        let step = to.checked_sub(from).filter(|step| *step <= SCALE_MAX)?;
        POW10.get(usize::from(step)).copied()
    };
    Some((factor(from.price, to.price)?, factor(from.qty, to.qty)?))
}

fn scaled(level: Level, price: i64, qty: i64) -> Option<Level> {
    Some(Level { price: level.price.checked_mul(price)?, qty: level.qty.checked_mul(qty)? })
}

fn factors_fit(message: &BookMessage<'_>, scales: Scales) -> bool {
    let Some((price, qty)) = factors(message.scales, scales) else { return false };
    let fits = |levels: &[Level]| levels.iter().all(|l| scaled(*l, price, qty).is_some());
    fits(message.bids)
        && fits(message.asks)
        && message.extras.iter().all(|extra| extra.extra.checked_mul(qty).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BookKind, SeqInfo};
    use alloc::vec;
    use alloc::vec::Vec;

    fn message<'a>(scales: (u8, u8), bids: &'a [Level], asks: &'a [Level]) -> BookMessage<'a> {
        BookMessage {
            kind: BookKind::Delta,
            seq: SeqInfo::default(),
            scales: Scales { price: scales.0, qty: scales.1 },
            bids,
            asks,
            extras: &[],
            depth_limit: None,
        }
    }

    const fn level(price: i64, qty: i64) -> Level {
        Level { price, qty }
    }

    #[test]
    fn a_note_that_outlived_its_level_and_outgrows_the_scale_is_refused() {
        let mut book = Book::new();
        let extras = [LevelExtra { extra: i64::MAX, ..LevelExtra::default() }];
        let (gone, back) = ([level(10, 0)], [level(10, 5)]);
        let note = BookMessage { extras: &extras, ..message((0, 0), &gone, &[]) };
        book.apply(&note, &mut ()).unwrap();
        assert_eq!(book.apply(&message((0, 1), &back, &[]), &mut ()), Err(Refusal::Scale));
        assert_eq!(book.scales(), Scales::default());
    }

    #[test]
    fn second_sizes_go_with_a_dropped_level_and_are_as_many_as_levels_may_be() {
        let mut book = Book::new();
        let put = |book: &mut Book, extra: i64, levels: &[Level]| {
            let extras = vec![LevelExtra { extra, ..LevelExtra::default() }; levels.len()];
            book.apply(&BookMessage { extras: &extras, ..message((0, 0), levels, &[]) }, &mut ())
        };
        put(&mut book, 3, &[level(10, 5)]).unwrap();
        assert_eq!((book.extra_at(Side::Bid, 10), book.pop_worst(Side::Bid).is_some()), (3, true));
        assert_eq!(book.extra_at(Side::Bid, 10), 0);
        // A second size may stand where there is no first.
        let all: Vec<_> = (1..=LEVELS_MAX as i64).map(|price| level(price, 0)).collect();
        put(&mut book, 3, &all).unwrap();
        let more = [level(LEVELS_MAX as i64 + 1, 0)];
        assert_eq!(put(&mut book, 3, &more), Err(Refusal::TooManyLevels));
        assert_eq!(book.extra_at(Side::Bid, more[0].price), 0);
        // Those that stand may change, and go.
        put(&mut book, 4, &[level(1, 0)]).unwrap();
        put(&mut book, 0, &[level(2, 0)]).unwrap();
        put(&mut book, 3, &more).unwrap();
        assert_eq!(book.extra_at(Side::Bid, more[0].price), 3);
    }

    #[test]
    fn more_decimals_promote_the_scale_and_change_no_value() {
        let mut book = Book::new();
        book.apply(&message((0, 0), &[level(10, 5)], &[level(11, 7)]), &mut ()).unwrap();
        book.settle();
        book.apply(&message((2, 3), &[level(1050, 1500)], &[]), &mut ()).unwrap();
        assert_eq!(book.scales(), Scales { price: 2, qty: 3 });
        assert!(book.may_differ(Side::Ask, Some(i64::MIN)), "its prices are other integers now");
        let bids: Vec<_> = book.depth(Side::Bid, 9).collect();
        assert_eq!(bids, [level(1050, 1500), level(1000, 5000)]);
        book.apply(&message((0, 0), &[level(10, 0)], &[]), &mut ()).unwrap();
        assert_eq!(book.side(Side::Bid).len(), 1);
    }

    #[test]
    fn what_outgrows_the_scale_is_refused_with_the_book_unchanged() {
        let mut book = Book::new();
        book.apply(&message((0, 0), &[level(10_000_000_000, 1)], &[]), &mut ()).unwrap();
        let (bids, asks) = ([level(5, 1)], [level(7, 1)]);
        let fine = message((10, 0), &bids, &asks);
        assert_eq!(book.apply(&fine, &mut ()), Err(Refusal::Scale));
        assert_eq!(book.scales(), Scales::default());
        assert_eq!((book.side(Side::Bid).len(), book.side(Side::Ask).len()), (1, 0));
        book.load(&fine, &mut ()).unwrap();
        assert_eq!(book.best_bid(), Some(level(5, 1)));
    }

    #[test]
    fn a_top_that_does_not_say_that_it_may_differ_is_the_same() {
        let (mut book, mut tops) = (Book::new(), [Vec::new(), Vec::new()]);
        let (mut seed, mut skipped) = (7_u64, 0);
        let mut below = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((seed >> 33) % end) as i64
        };
        for round in 0..4_000 {
            // Now and then two messages are one change, as a snapshot and what waited for it.
            if round % 5 != 0 {
                book.settle();
            }
            let mut side =
                |from: i64| (0..below(4)).map(|_| level(from + below(90), below(3))).collect();
            let (bids, asks): (Vec<_>, Vec<_>) = (side(100), side(200));
            let scale = u8::from(round > 3_000);
            match round % 500 {
                0 => book.load(&message((0, 0), &bids, &asks), &mut ()).unwrap(),
                1 => _ = (book.pop_best(Side::Bid), book.pop_worst(Side::Ask)),
                2 => book.restore(Side::Bid, level(below(300), 1)),
                _ => book.apply(&message((scale, 0), &bids, &asks), &mut ()).unwrap(),
            }
            if round % 5 == 4 {
                continue;
            }
            for (side, top) in [Side::Bid, Side::Ask].into_iter().zip(&mut tops) {
                let now: Vec<_> = book.depth(side, 5).collect();
                if !book.may_differ(side, top.get(4).map(|level: &Level| level.price)) {
                    assert_eq!(*top, now);
                    skipped += 1;
                }
                *top = now;
            }
        }
        assert!(skipped > 1_000, "{skipped}");
    }

    #[test]
    fn equal_best_prices_count_as_crossed() {
        let mut book = Book::new();
        book.apply(&message((0, 0), &[level(10, 5)], &[level(10, 7)]), &mut ()).unwrap();
        assert!(book.is_crossed());
    }
}
