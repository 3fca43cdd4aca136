//! Working memory of the general parser: level lists and the places where numbers stood.
//!
//! One [`Scratch`] serves a connection for its life; it grows to the largest message seen and
//! then allocates no more. Levels are read exactly, then brought to the smallest scales that hold
//! the whole message.

use crate::scan::{Field, Value};
use crate::wire::{Mark, Slot, WireError, WireErrorKind};
use gapless_book::book::LEVELS_MAX;
use gapless_book::decimal::{Decimal, Number, SCALE_MAX};
use gapless_book::event::{BookKind, BookMessage, Level, LevelExtra, Scales, SeqInfo};

/// Names that mean a level's size, across the relay's and Tardis' objects (protocols.md 7.4).
pub const SIZE_NAMES: [&str; 5] = ["amount", "quantity", "size", "volume", "qty"];

/// How a level is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelForm {
    /// `[price, size, …]`, numbers or strings; further elements are ignored.
    Pair,
    /// `[price, size, _, orders]` (OKX).
    Orders,
    /// `[price, size, extra size]` (Bybit RPI); a level is gone when both sizes are zero.
    Extra,
    /// `[action, price, size]` (Deribit), action `new`, `change` or `delete`.
    Action,
    /// `{"price":…, "amount":…}` under any size name; `{}` is no level. Arrays are accepted too.
    Object,
}

#[derive(Clone, Copy, Debug)]
struct RawLevel {
    price: Decimal,
    qty: Decimal,
    extra: Decimal,
    notes: LevelExtra,
}

/// Reusable working memory.
#[derive(Debug, Default)]
pub struct Scratch {
    raw: Vec<RawLevel>,
    levels: Vec<Level>,
    extras: Vec<LevelExtra>,
    marks: Vec<Mark>,
    name: String,
    bids: usize,
    scales: Scales,
}

impl Scratch {
    /// Empty memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last message.
    pub fn reset(&mut self) {
        self.raw.clear();
        self.levels.clear();
        self.extras.clear();
        self.marks.clear();
        self.name.clear();
        self.bids = 0;
        self.scales = Scales::default();
    }

    /// Keeps a symbol that the message writes otherwise than the venue's payloads do (in lower
    /// case, percent-encoded), so that an event can borrow it. Read it with [`Scratch::name`].
    pub fn keep_name(&mut self, fill: impl FnOnce(&mut String)) {
        self.name.clear();
        fill(&mut self.name);
    }

    /// The symbol kept since [`Scratch::reset`]; empty if none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Notes where a number of the header stood.
    pub fn mark(&mut self, slot: Slot, value: Value<'_>) {
        let (start, end) = value.number_span();
        self.push_mark(slot, start, end);
    }

    /// Notes where a level array stood.
    pub fn mark_levels(&mut self, slot: Slot, value: Value<'_>) {
        self.push_mark(slot, value.at(), value.at() + value.raw().len());
    }

    fn push_mark(&mut self, slot: Slot, start: usize, end: usize) {
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) {
            self.marks.push(Mark { start, end, slot });
        }
    }

    /// Forgets the places noted: the message teaches no template.
    pub fn forget_marks(&mut self) {
        self.marks.clear();
    }

    /// The places noted since [`Scratch::reset`].
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Reads both level lists of a message and marks them. A missing or null list is empty.
    /// `keep_extras` keeps order counts, second sizes and how numbers were written.
    ///
    /// # Errors
    /// The first level that cannot be read; the message is then refused whole.
    pub fn read_sides(
        &mut self,
        form: LevelForm,
        bids: Option<Value<'_>>,
        asks: Option<Value<'_>>,
        keep_extras: bool,
    ) -> Result<(), WireError> {
        self.read_parts(form, &[[bids, asks]], keep_extras)
    }

    /// As [`Scratch::read_sides`], of a message whose lists (bids and asks) stand in several
    /// places, in their order.
    ///
    /// # Errors
    /// As [`Scratch::read_sides`].
    pub fn read_parts(
        &mut self,
        form: LevelForm,
        parts: &[[Option<Value<'_>>; 2]],
        keep_extras: bool,
    ) -> Result<(), WireError> {
        self.raw.clear();
        for (slot, side) in [(Slot::Bids, 0), (Slot::Asks, 1)] {
            let most = self.raw.len() + LEVELS_MAX;
            let lists = parts.iter().filter_map(|part| *part.get(side)?);
            for list in lists.filter(|v| !v.is_null()) {
                self.mark_levels(slot, list);
                self.read_side(form, list, most)?;
            }
            if slot == Slot::Bids {
                self.bids = self.raw.len();
            }
        }
        let at = parts.iter().flatten().find_map(|list| *list).map_or(0, Value::at);
        self.settle(keep_extras).ok_or(WireError::new(WireErrorKind::Scale, at))
    }

    fn read_side(
        &mut self,
        form: LevelForm,
        list: Value<'_>,
        most: usize,
    ) -> Result<(), WireError> {
        for level in list.elements()? {
            if self.raw.len() >= most {
                return Err(WireError::new(WireErrorKind::TooLong, list.at()));
            }
            self.raw.extend(read_level(form, level?)?);
        }
        Ok(())
    }

    /// Adds one level that was read elsewhere (CSV rows, object fields).
    ///
    /// # Errors
    /// A negative size.
    pub fn push(&mut self, price: Decimal, qty: Decimal) -> Result<(), WireError> {
        self.raw.push(checked(price, qty, Decimal::ZERO, LevelExtra::default(), 0)?);
        Ok(())
    }

    /// Brings the levels to common scales; `None` where no `i64` scale holds them all.
    fn settle(&mut self, keep_extras: bool) -> Option<()> {
        let price = self.raw.iter().map(|l| l.price.scale()).max().unwrap_or(0);
        let qty = self.raw.iter().map(|l| l.qty.scale().max(l.extra.scale())).max().unwrap_or(0);
        if price > SCALE_MAX || qty > SCALE_MAX {
            return None;
        }
        self.scales = Scales { price, qty };
        self.levels.clear();
        self.extras.clear();
        for raw in &self.raw {
            self.levels
                .push(Level { price: raw.price.at_scale(price)?, qty: raw.qty.at_scale(qty)? });
            if keep_extras {
                self.extras.push(LevelExtra { extra: raw.extra.at_scale(qty)?, ..raw.notes });
            }
        }
        Some(())
    }

    /// The message made of the levels read last.
    #[must_use]
    pub fn message(
        &self,
        kind: BookKind,
        seq: SeqInfo,
        depth_limit: Option<u16>,
    ) -> BookMessage<'_> {
        let (bids, asks) = self.levels.split_at(self.bids.min(self.levels.len()));
        BookMessage {
            kind,
            seq,
            scales: self.scales,
            bids,
            asks,
            extras: &self.extras,
            depth_limit,
        }
    }
}

fn read_level(form: LevelForm, level: Value<'_>) -> Result<Option<RawLevel>, WireError> {
    if level.is_object() && form == LevelForm::Object {
        return object_level(level);
    }
    let mut parts = level.elements()?;
    let mut part = || match parts.next() {
        Some(value) => value,
        None => Err(WireError::new(WireErrorKind::Level, level.at())),
    };
    let mut notes = LevelExtra::default();
    if form == LevelForm::Action {
        notes.delete = match part()?.string()? {
            "new" | "change" => false,
            "delete" => true,
            _ => return Err(WireError::new(WireErrorKind::Action, level.at())),
        };
    }
    let (price, qty) = (part()?, part()?);
    let mut extra = Decimal::ZERO;
    if form == LevelForm::Extra {
        extra = part()?.decimal()?;
    } else if form == LevelForm::Orders {
        notes.orders = parts.nth(1).transpose()?.and_then(order_count);
    }
    let (price_text, qty_text) = (price.number()?, qty.number()?);
    notes.price_decimals = written_decimals(&price_text);
    notes.qty_decimals = written_decimals(&qty_text);
    let size = if notes.delete { Decimal::ZERO } else { value_of(&qty_text, qty.at())? };
    checked(value_of(&price_text, price.at())?, size, extra, notes, level.at()).map(Some)
}

/// An order count that cannot be read is absent: it is no part of the book.
fn order_count(value: Value<'_>) -> Option<u32> {
    value.int().ok().and_then(|n| u32::try_from(n).ok())
}

fn object_level(level: Value<'_>) -> Result<Option<RawLevel>, WireError> {
    let [price, a, b, c, d, e] =
        level.object(["price", "amount", "quantity", "size", "volume", "qty"])?;
    let mut sizes = [a, b, c, d, e].into_iter().filter_map(Field::present);
    let (price, qty) = match (price.present(), sizes.next(), sizes.next()) {
        (None, None, _) => return Ok(None),
        (Some(price), Some(qty), None) => (price, qty),
        _ => return Err(WireError::new(WireErrorKind::Level, level.at())),
    };
    let notes = LevelExtra::default();
    checked(price.decimal()?, qty.decimal()?, Decimal::ZERO, notes, level.at()).map(Some)
}

fn value_of(number: &Number, at: usize) -> Result<Decimal, WireError> {
    number.value().map_err(|e| WireError::new(WireErrorKind::Number(e), at))
}

fn written_decimals(number: &Number) -> u8 {
    number.plain_decimals().unwrap_or(u8::MAX)
}

fn checked(
    price: Decimal,
    qty: Decimal,
    extra: Decimal,
    notes: LevelExtra,
    at: usize,
) -> Result<RawLevel, WireError> {
    if qty.mantissa() < 0 || extra.mantissa() < 0 {
        return Err(WireError::new(WireErrorKind::NegativeSize, at));
    }
    Ok(RawLevel { price, qty, extra, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: LevelForm, text: &str) -> Result<Scratch, WireError> {
        let value = Value::frame(text.as_bytes())?;
        let mut scratch = Scratch::new();
        scratch.read_sides(form, Some(value), None, true)?;
        Ok(scratch)
    }

    #[test]
    fn a_message_gets_the_smallest_scales_that_hold_it() {
        let text = r#"[["91230.10000000","0.52000000"],["91229","1e-3"]]"#;
        let scratch = read(LevelForm::Pair, text).unwrap();
        let message = scratch.message(BookKind::Delta, SeqInfo::default(), None);
        assert_eq!(message.scales, Scales { price: 1, qty: 3 });
        let expected = [Level { price: 912_301, qty: 520 }, Level { price: 912_290, qty: 1 }];
        assert_eq!(message.bids, expected);
    }

    #[test]
    fn every_form_reads_and_a_half_level_is_refused() {
        let objects = r#"[{},{"price":1.5,"amount":2},{"price":"1","quantity":"0"},[3,4]]"#;
        assert_eq!(read(LevelForm::Object, objects).unwrap().levels.len(), 3);
        let deletes = read(LevelForm::Action, r#"[["delete",1.0,7.0]]"#).unwrap();
        assert_eq!(deletes.levels, [Level { price: 1, qty: 0 }]);
        let orders = read(LevelForm::Orders, r#"[["1.50","2","0","7"],["1","2","3"]]"#).unwrap();
        assert_eq!(orders.extras[0].orders, Some(7));
        assert_eq!(orders.extras[0].price_decimals, 2);
        for (form, text, kind) in [
            (LevelForm::Object, r#"[{"price":1}]"#, WireErrorKind::Level),
            (LevelForm::Pair, r#"[["1"]]"#, WireErrorKind::Level),
            (LevelForm::Pair, r#"[["1","-2"]]"#, WireErrorKind::NegativeSize),
            (LevelForm::Action, r#"[["gone",1,2]]"#, WireErrorKind::Action),
            (LevelForm::Pair, r#"[["1e18","1"],["1e-18","1"]]"#, WireErrorKind::Scale),
        ] {
            assert_eq!(read(form, text).unwrap_err().kind, kind, "{text}");
        }
    }
}
