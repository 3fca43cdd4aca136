//! Target `decimal`: the number reader against a reading by hand.
//!
//! Whatever the bytes: no panic; text of the grammar is accepted and nothing else; an accepted
//! value equals the naive one digit for digit; its printed text reads back as the same value.

use gapless_book::decimal::{Decimal, DecimalError, Number};

/// Runs one input.
pub fn decimal(data: &[u8]) {
    let naive = Naive::read(data);
    match Decimal::parse(data) {
        Ok(value) => {
            let naive = naive.expect("accepted text is of the grammar");
            assert_eq!(canonical(&value), naive.canonical(), "value of {}", show(data));
            assert_eq!(Decimal::parse(value.to_string().as_bytes()), Ok(value), "{}", show(data));
            assert_eq!(Decimal::new(value.mantissa(), value.scale()), value, "{}", show(data));
            scales_are_exact(value);
        }
        Err(DecimalError::Malformed { at }) => {
            assert!(naive.is_none(), "refused text is not of the grammar: {}", show(data));
            assert!(at <= data.len(), "the offset is in the text");
        }
        Err(error) => {
            assert!(naive.is_none_or(|n| !n.must_fit()), "{error}: {}", show(data));
        }
    }
    if let Ok(number) = Number::read(data) {
        the_text_is_rebuilt(data, number);
    }
}

/// A value at a scale times the rest of the scale is the value.
fn scales_are_exact(value: Decimal) {
    for scale in 0..=18 {
        if let Some(scaled) = value.at_scale(scale) {
            assert_eq!(Decimal::new(scaled, scale), value);
        }
    }
}

/// `plain_decimals` promises that value and number of decimals give back the very text.
fn the_text_is_rebuilt(data: &[u8], number: Number) {
    let (Some(decimals), Ok(value)) = (number.plain_decimals(), number.value()) else { return };
    let mut text = value.to_string();
    let written = text.find('.').map_or(0, |dot| text.len() - dot - 1);
    if written == 0 && decimals > 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', usize::from(decimals) - written));
    assert_eq!(text.as_bytes(), data, "rebuilt from {value} and {decimals} decimals");
}

/// Sign, digits without leading zeros, decimals without trailing zeros.
type Canonical = (bool, String, i64);

fn canonical(value: &Decimal) -> Canonical {
    let digits = value.mantissa().unsigned_abs().to_string();
    (value.mantissa() < 0, digits, i64::from(value.scale()))
}

/// The number as text: what the reader must agree with.
struct Naive {
    negative: bool,
    digits: String,
    /// Digits written after the point.
    decimals: usize,
    /// The same less the exponent.
    scale: i64,
}

impl Naive {
    /// `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`, split by searching instead of by scanning.
    fn read(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, Self::exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        if !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let fraction = fraction.unwrap_or("");
        let decimals = fraction.len();
        let scale = i64::try_from(decimals).ok()?.saturating_sub(exponent);
        Some(Self { negative, digits: format!("{whole}{fraction}"), decimals, scale })
    }

    fn exponent(text: &str) -> Option<i64> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !is_digits(digits) {
            return None;
        }
        // Saturates: a billion zeros and more are the same refusal.
        let magnitude = digits.parse::<i64>().unwrap_or(1_000_000_000).min(1_000_000_000);
        Some(if text.starts_with('-') { -magnitude } else { magnitude })
    }

    /// Whether the reader may not refuse it: the value has 18 digits and 255 decimals at most, and
    /// the text itself, its zeros at the end included, no more than the reader's 37 and 255.
    fn must_fit(&self) -> bool {
        let (_, digits, scale) = self.canonical();
        let written = self.digits.trim_start_matches('0').len();
        digits.len() < 19 && scale <= 255 && written <= 37 && self.decimals <= 255
    }

    fn canonical(&self) -> Canonical {
        let mut digits = self.digits.trim_start_matches('0').to_string();
        let mut scale = self.scale;
        if digits.is_empty() {
            return (false, "0".to_string(), 0);
        }
        while scale > 0 && digits.ends_with('0') {
            digits.pop();
            scale -= 1;
        }
        // Enough zeros to be refused are as good as a billion of them.
        while scale < 0 && digits.len() < 64 {
            digits.push('0');
            scale += 1;
        }
        (self.negative, digits, scale)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn show(data: &[u8]) -> String {
    data.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naive_reading_knows_the_grammar() {
        for good in ["0", "-1.50", "1e-7", "2E+3", "00.10"] {
            assert!(Naive::read(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["", "-", ".5", "5.", "1e", "1e+-2", "1.2.3", "1e2.5", "+1", " 1", "1e2e3"] {
            assert!(Naive::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
