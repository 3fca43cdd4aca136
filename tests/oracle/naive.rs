//! The naive twin: decimal text in a `BTreeMap`, written from the documents, sharing no code with
//! the product.

use std::collections::BTreeMap;

/// A number as text of fixed width, `000000000012.34000000`, so that text order is number order.
pub type Text = [u8; 21];

/// Digits before the point.
const WHOLE: usize = 12;
/// Digits after it.
const DECIMALS: usize = 8;

/// The text of `value / 10^scale`.
pub fn text(value: i64, scale: u8) -> Text {
    assert!(value >= 0 && usize::from(scale) <= DECIMALS);
    let mut out = *b"000000000000.00000000";
    let mut left = value.unsigned_abs();
    // Position of the digit worth 10^-scale, then leftwards over the point.
    let mut at = WHOLE + usize::from(scale);
    while left > 0 {
        if at == WHOLE {
            at -= 1;
        }
        out[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left > 0 {
            at -= 1;
        }
    }
    out
}

const ZERO: Text = *b"000000000000.00000000";

/// Both sides by price text.
#[derive(Clone, Default)]
pub struct Naive {
    pub bids: BTreeMap<Text, Text>,
    pub asks: BTreeMap<Text, Text>,
}

impl Naive {
    /// Sets one absolute size; zero removes the price.
    pub fn set(&mut self, bid: bool, price: Text, size: Text) {
        let side = if bid { &mut self.bids } else { &mut self.asks };
        if size == ZERO {
            side.remove(&price);
        } else {
            side.insert(price, size);
        }
    }

    pub fn best_bid(&self) -> Option<(Text, Text)> {
        self.bids.last_key_value().map(|(price, size)| (*price, *size))
    }

    pub fn best_ask(&self) -> Option<(Text, Text)> {
        self.asks.first_key_value().map(|(price, size)| (*price, *size))
    }
}

#[test]
fn text_order_is_number_order() {
    assert_eq!(&text(123, 1), b"000000000012.30000000");
    assert_eq!(&text(5, 3), b"000000000000.00500000");
    assert_eq!(text(50, 3), text(5, 2));
    assert_eq!(&text(70, 0), b"000000000070.00000000");
    assert!(text(99, 1) < text(10, 0));
    assert_eq!(text(0, 8), ZERO);
}
