//! The canonical text of a book: what its hash is taken over (capture.md).
//!
//! One line per level, bids from best to worst, then asks from best to worst:
//! `bid PRICE SIZE` and `ask PRICE SIZE`, plain decimals without exponent or trailing zeros.

use super::Book;
use crate::event::Side;
use core::fmt::{self, Write};

impl Book {
    /// Writes the canonical text.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write_canonical<W: Write>(&self, out: &mut W) -> fmt::Result {
        for (side, name) in [(Side::Bid, "bid"), (Side::Ask, "ask")] {
            for level in self.side(side).iter() {
                let (price, qty) = self.decimals(level);
                writeln!(out, "{name} {price} {qty}")?;
            }
        }
        Ok(())
    }
}
