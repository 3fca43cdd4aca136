//! Level arrays as the venues write them, and what the general parser makes of them.
//!
//! All are made here, none is recorded; only their forms are those of the venues.

use gapless_book::decimal::Decimal;
use gapless_book::event::{BookKind, Level, Scales, SeqInfo};
use gapless_venues::kernel::Shape;
use gapless_venues::scan::Value;
use gapless_venues::scratch::{LevelForm, Scratch};

/// All shapes.
pub const SHAPES: [Shape; 4] =
    [Shape::QuotedPairs, Shape::QuotedQuads, Shape::ActionTriples, Shape::PriceAmount];

/// One level of `shape`.
#[must_use]
pub fn level(shape: Shape, index: usize, price: &str, qty: &str) -> String {
    let action = ["new", "change", "delete"][index % 3];
    match shape {
        Shape::QuotedPairs => format!(r#"["{price}","{qty}"]"#),
        Shape::QuotedQuads => format!(r#"["{price}","{qty}","0","{index}"]"#),
        Shape::ActionTriples => format!(r#"["{action}",{price},{qty}]"#),
        Shape::PriceAmount => format!(r#"{{"price":{price},"amount":{qty}}}"#),
    }
}

/// A small set of arrays of every shape and of every way in which venues write numbers, with the
/// scales of their books.
#[must_use]
pub fn arrays() -> Vec<(Shape, Scales, String)> {
    let numbers: [(&[&str], &[&str], Scales); 5] = [
        (&["61773.6", "9.5"], &["1001", "0", "7"], Scales { price: 1, qty: 0 }),
        (&["61837.63000000", "0.10000000"], &["3.78826000"], Scales { price: 2, qty: 5 }),
        (&["78725", "1923.19"], &["0.00001275", "0", "10"], Scales { price: 2, qty: 8 }),
        (&["0.00000174"], &["1600000000.00000000", "1.5"], Scales { price: 8, qty: 8 }),
        (&["58710.20", "58710.2"], &["0.014", "247.080"], Scales { price: 4, qty: 3 }),
    ];
    let mut arrays = Vec::new();
    for shape in SHAPES {
        arrays.push((shape, Scales::default(), "[]".to_owned()));
        for (prices, sizes, scales) in numbers {
            for count in [1, 2, 5, 13] {
                let levels = (0..count)
                    .map(|i| level(shape, i, prices[i % prices.len()], sizes[i % sizes.len()]));
                let text = format!("[{}]", levels.collect::<Vec<_>>().join(","));
                arrays.push((shape, scales, text));
            }
        }
    }
    arrays
}

/// What the general parser reads from an array; `None` if it refuses it or the levels do not fit
/// `scales`.
#[must_use]
pub fn general(shape: Shape, scales: Scales, text: &[u8]) -> Option<Vec<Level>> {
    let form = match shape {
        Shape::QuotedPairs => LevelForm::Pair,
        Shape::QuotedQuads => LevelForm::Orders,
        Shape::ActionTriples => LevelForm::Action,
        Shape::PriceAmount => LevelForm::Object,
    };
    let mut scratch = Scratch::new();
    scratch.read_sides(form, Some(Value::frame(text).ok()?), None, false).ok()?;
    let message = scratch.message(BookKind::Delta, SeqInfo::default(), None);
    let rescale = |level: &Level| {
        let price = Decimal::new(level.price, message.scales.price).at_scale(scales.price)?;
        let qty = Decimal::new(level.qty, message.scales.qty).at_scale(scales.qty)?;
        Some(Level { price, qty })
    };
    message.bids.iter().map(rescale).collect()
}
