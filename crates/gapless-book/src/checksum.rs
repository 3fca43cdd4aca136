//! CRC-32 over the top of a book, as some venues send it with every message (protocols.md 4.6).
//!
//! The text is rebuilt from value and written decimals, so a book keeps no strings. Where a level
//! was written in a way that cannot be rebuilt (exponent, leading zeros) there is no checksum.
#![allow(
    clippy::indexing_slicing,
    reason = "each index is masked to its array in the same expression"
)]

use crate::book::Book;
use crate::event::{Level, Side};

/// Levels per side that the checksum covers.
pub const TOP: usize = 25;

const TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// CRC-32 (IEEE) fed byte by byte. Ten lines of our own because the book has no dependencies.
struct Crc(u32);

impl Crc {
    fn byte(&mut self, byte: u8) {
        self.0 = TABLE[((self.0 ^ u32::from(byte)) & 0xFF) as usize] ^ (self.0 >> 8);
    }

    /// The text of `value / 10^scale` with exactly `decimals` digits after the point.
    fn number(&mut self, value: i64, scale: u8, decimals: u8) {
        if value < 0 {
            self.byte(b'-');
        }
        let mut digits = [b'0'; 64];
        let mut left = value.unsigned_abs();
        let point = usize::from(scale);
        // Least significant first: `digits[i]` stands for 10^(i - scale).
        let mut length = 0;
        while left > 0 || length <= point {
            digits[length & 63] = b'0' + (left % 10) as u8;
            left /= 10;
            length += 1;
        }
        for i in (point..length).rev() {
            self.byte(digits[i & 63]);
        }
        if decimals > 0 {
            self.byte(b'.');
        }
        for place in 1..=usize::from(decimals) {
            self.byte(point.checked_sub(place).map_or(b'0', |i| digits[i & 63]));
        }
    }
}

/// Checksum over the best [`TOP`] levels of each side, bids and asks in turn.
#[must_use]
pub fn top_checksum(book: &Book) -> Option<i32> {
    let mut crc = Crc(u32::MAX);
    let mut first = true;
    let mut level = |side: Side, level: Level| {
        let (price, qty) = book.written_at(side, level.price)?;
        if !first {
            crc.byte(b':');
        }
        first = false;
        crc.number(level.price, book.scales().price, price);
        crc.byte(b':');
        crc.number(level.qty, book.scales().qty, qty);
        Some(())
    };
    let mut bids = book.depth(Side::Bid, TOP);
    let mut asks = book.depth(Side::Ask, TOP);
    for _ in 0..TOP {
        if let Some(bid) = bids.next() {
            level(Side::Bid, bid)?;
        }
        if let Some(ask) = asks.next() {
            level(Side::Ask, ask)?;
        }
    }
    #[allow(clippy::cast_possible_wrap)] // the venue sends it signed
    Some(!crc.0 as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Number;
    use crate::event::{BookKind, BookMessage, LevelExtra, Scales, SeqInfo};
    use alloc::vec::Vec;

    type Texts<'a> = &'a [(&'a str, &'a str)];

    fn book(bids: Texts<'_>, asks: Texts<'_>) -> Book {
        let scales = Scales { price: 8, qty: 8 };
        let read = |levels: Texts<'_>| -> (Vec<Level>, Vec<LevelExtra>) {
            let number = |text: &str| Number::read(text.as_bytes()).unwrap();
            let level = |(price, qty): &(&str, &str)| {
                let (price, qty) = (number(price), number(qty));
                let note = LevelExtra {
                    price_decimals: price.plain_decimals().unwrap_or(u8::MAX),
                    qty_decimals: qty.plain_decimals().unwrap_or(u8::MAX),
                    ..LevelExtra::default()
                };
                let value = |n: Number| n.value().unwrap().at_scale(8).unwrap();
                (Level { price: value(price), qty: value(qty) }, note)
            };
            levels.iter().map(level).unzip()
        };
        let ((bids, mut extras), (asks, more)) = (read(bids), read(asks));
        extras.extend(more);
        let mut book = Book::new();
        let kind = BookKind::Snapshot;
        let seq = SeqInfo::default();
        let message = BookMessage {
            kind,
            seq,
            scales,
            bids: &bids,
            asks: &asks,
            extras: &extras,
            depth_limit: None,
        };
        book.load(&message, &mut ()).unwrap();
        book
    }

    #[test]
    fn the_vectors_of_the_specification_match() {
        let first =
            book(&[("27450.1", "12.5"), ("27450", "3")], &[("27450.2", "0.75"), ("27451", "10")]);
        assert_eq!(top_checksum(&first), Some(1_480_854_645));
        let second = book(
            &[("0.00001230", "100")],
            &[("0.00001231", "5"), ("0.00001240", "7.50"), ("0.00001300", "1")],
        );
        assert_eq!(top_checksum(&second), Some(-1_483_321_135));
        assert_eq!(top_checksum(&book(&[], &[("5", "1")])), Some(-1_449_779_158));
    }

    #[test]
    fn a_text_that_cannot_be_rebuilt_has_no_checksum() {
        assert_eq!(top_checksum(&book(&[], &[("05", "1")])), None);
    }
}
