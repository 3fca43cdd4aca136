//! What traders ask of the best levels, exact in integers.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary;
use crate::types::{gapless_level, gapless_status};
use gapless::book::event::Level;
use gapless::book::publish::View;

/// Writes the middle of best bid and ask, weighed by the size on the other side: (bid × ask size +
/// ask × bid size) / (bid size + ask size), with `decimals` more decimals than the prices have (at
/// most 6), rounded to the nearest, halves up. GAPLESS_STATUS_INVALID_ARGUMENT without both sizes,
/// or if it does not fit.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_microprice(
    bid: gapless_level,
    ask: gapless_level,
    decimals: u8,
    microprice: *mut i64,
) -> gapless_status {
    boundary::answer(microprice, || {
        let level = |of: gapless_level| Level { price: of.price, qty: of.size };
        let view = View { bids: &[level(bid)], asks: &[level(ask)] };
        let has_both = bid.size > 0 && ask.size > 0 && decimals <= 6;
        let found = has_both.then(|| view.microprice(decimals)).flatten();
        let found = found.and_then(|price| i64::try_from(price).ok());
        Ok(found.ok_or(gapless_status::InvalidArgument)?)
    })
}
