//! Exact decimal text ⇄ scaled integers.
//!
//! A venue writes `"91230.10"`; a book stores `912301` at scale 1. This file is the only place
//! where one becomes the other, and it never rounds: a value that does not fit is an error.
//!
//! Grammar (protocols.md 0.6.14): `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`. Leading zeros are legal
//! here (a JSON number's own ban on them belongs to the JSON scanner); `.5`, `5.`, `+1`, blanks,
//! `NaN` and hexadecimal are refused. `-0` is zero.
#![allow(
    clippy::indexing_slicing,
    reason = "powers of ten are indexed by a scale compared just before"
)]

use core::fmt;

/// Most decimals a scale may have. `10^18` is the largest power of ten in an `i64`.
pub const SCALE_MAX: u8 = 18;

/// Powers of ten that fit an `i64`; index = exponent.
pub const POW10: [i64; 19] = {
    let mut table = [1i64; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// An exact decimal: `mantissa / 10^scale`, with no trailing zero in the fraction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text is not a number that can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not of the grammar; `at` is the offset of the first byte that does not fit.
    Malformed {
        /// Offset of the offending byte in the number's text.
        at: usize,
    },
    /// Of the grammar, but its exact value needs more than an `i64` mantissa with 255 decimals.
    OutOfRange,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { at } => write!(f, "not a decimal number (byte {at})"),
            Self::OutOfRange => f.write_str("number out of range"),
        }
    }
}

impl core::error::Error for DecimalError {}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// The value `mantissa / 10^scale`, trimmed.
    #[must_use]
    pub const fn new(mantissa: i64, scale: u8) -> Self {
        let (mut mantissa, mut scale) = (mantissa, scale);
        if mantissa == 0 {
            scale = 0;
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`DecimalError::Malformed`] off the grammar, [`DecimalError::OutOfRange`] when the exact
    /// value has no `i64` mantissa.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        Number::read(text).and_then(|n| n.value())
    }

    /// The integer part of the representation; the value is `mantissa / 10^scale`.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// Number of decimals.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The value as an integer at `scale`, or `None` where it has more decimals or overflows.
    #[must_use]
    #[inline]
    pub const fn at_scale(self, scale: u8) -> Option<i64> {
        if scale < self.scale || scale - self.scale > SCALE_MAX {
            return if self.mantissa == 0 { Some(0) } else { None };
        }
        self.mantissa.checked_mul(POW10[(scale - self.scale) as usize])
    }

    /// Whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The nearest `f64`, as reading its text gives: for display and research only, never for keys.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn to_f64(self) -> f64 {
        // Both operands are exact below these bounds, so that the quotient is rounded once.
        const EXACT_MAX: u64 = 1 << 53;
        match POW10.get(usize::from(self.scale)) {
            Some(power) if self.mantissa.unsigned_abs() <= EXACT_MAX => {
                self.mantissa as f64 / *power as f64
            }
            _ => self.read_as_f64(),
        }
    }

    /// The reader of texts rounds once, whatever the length.
    fn read_as_f64(self) -> f64 {
        let mut text = FloatText { bytes: [0; FLOAT_TEXT_MAX], len: 0 };
        let written = fmt::write(&mut text, format_args!("{}e-{}", self.mantissa, self.scale));
        let text = written.ok().and_then(|()| text.bytes.get(..text.len));
        let text = text.and_then(|bytes| core::str::from_utf8(bytes).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }
}

/// Longest `-9223372036854775808e-255`.
const FLOAT_TEXT_MAX: usize = 25;

/// A number's text on the stack.
struct FloatText {
    bytes: [u8; FLOAT_TEXT_MAX],
    len: usize,
}

impl fmt::Write for FloatText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Plain decimal text: no exponent, no trailing zeros, no trailing point (capture.md).
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        if self.scale <= SCALE_MAX {
            let unit = POW10[self.scale as usize].unsigned_abs();
            let width = self.scale as usize;
            return write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit);
        }
        write!(f, "{sign}0.{digits:0width$}", width = self.scale as usize)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number as it stands in the text: what a checksum over the venue's own strings needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    digits: u128,
    negative: bool,
    /// Digits written after the point.
    decimals: u8,
    exponent: i32,
    /// Written as a venue writes money: no exponent, no superfluous leading zero, no sign on zero.
    plain: bool,
}

impl Number {
    /// Reads a number without trimming it.
    ///
    /// # Errors
    /// As [`Decimal::parse`].
    pub fn read(text: &[u8]) -> Result<Self, DecimalError> {
        let mut at = 0;
        let negative = text.first() == Some(&b'-');
        at += usize::from(negative);
        let mut digits: u128 = 0;
        let whole_end = eat_digits(text, at, &mut digits)?;
        let mut plain = text.get(at) != Some(&b'0') || whole_end == at + 1;
        at = whole_end;
        let mut decimals = 0usize;
        if text.get(at) == Some(&b'.') {
            let end = eat_digits(text, at + 1, &mut digits)?;
            decimals = end - at - 1;
            at = end;
        }
        let mut exponent = 0i32;
        if matches!(text.get(at), Some(b'e' | b'E')) {
            plain = false;
            at = eat_exponent(text, at + 1, &mut exponent)?;
        }
        if at != text.len() {
            return Err(DecimalError::Malformed { at });
        }
        let decimals = u8::try_from(decimals).map_err(|_| DecimalError::OutOfRange)?;
        plain &= !(negative && digits == 0);
        Ok(Self { digits, negative, decimals, exponent, plain })
    }

    /// Digits after the point as written (`"1.50"` has 2), if the text can be rebuilt from the
    /// value and this number alone.
    #[must_use]
    pub fn plain_decimals(&self) -> Option<u8> {
        self.plain.then_some(self.decimals)
    }

    /// The exact value.
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when it has no `i64` mantissa.
    pub fn value(&self) -> Result<Decimal, DecimalError> {
        let mut digits = self.digits;
        let mut scale = i32::from(self.decimals).saturating_sub(self.exponent);
        if digits == 0 {
            return Ok(Decimal::ZERO);
        }
        while scale > 0 && digits.is_multiple_of(10) {
            digits /= 10;
            scale -= 1;
        }
        while scale < 0 {
            digits = digits.checked_mul(10).ok_or(DecimalError::OutOfRange)?;
            if digits > i64::MAX as u128 {
                return Err(DecimalError::OutOfRange);
            }
            scale += 1;
        }
        let mantissa = i64::try_from(digits).map_err(|_| DecimalError::OutOfRange)?;
        let scale = u8::try_from(scale).map_err(|_| DecimalError::OutOfRange)?;
        Ok(Decimal { mantissa: if self.negative { -mantissa } else { mantissa }, scale })
    }
}

/// Longest run of significant digits read; more cannot fit an `i64` unless they are zeros.
const DIGITS_MAX: u128 = 10u128.pow(37);

/// Reads one or more digits from `at`; returns the offset after them.
fn eat_digits(text: &[u8], mut at: usize, digits: &mut u128) -> Result<usize, DecimalError> {
    let start = at;
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
        if *digits >= DIGITS_MAX {
            return Err(DecimalError::OutOfRange);
        }
        *digits = *digits * 10 + u128::from(digit);
        at += 1;
    }
    if at == start { Err(DecimalError::Malformed { at }) } else { Ok(at) }
}

fn eat_exponent(text: &[u8], mut at: usize, exponent: &mut i32) -> Result<usize, DecimalError> {
    let negative = text.get(at) == Some(&b'-');
    at += usize::from(matches!(text.get(at), Some(b'-' | b'+')));
    let start = at;
    let mut magnitude = 0i32;
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
        // Far beyond any value that fits; the caller then reports the range, not the grammar.
        magnitude = magnitude.saturating_mul(10).saturating_add(i32::from(digit)).min(i32::MAX / 2);
        at += 1;
    }
    *exponent = if negative { -magnitude } else { magnitude };
    if at == start { Err(DecimalError::Malformed { at }) } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn text(input: &str) -> alloc::string::String {
        match Decimal::parse(input.as_bytes()) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn canonical_text_has_no_exponent_and_no_trailing_zeros() {
        let cases = [
            ("91230.10000000", "91230.1"),
            ("0.000", "0"),
            ("-0", "0"),
            ("0e9", "0"),
            ("0e99999999999999999999999999999999999999999999", "0"),
            ("1e-7", "0.0000001"),
            ("1.2E+3", "1200"),
            ("00012", "12"),
            ("-1.50", "-1.5"),
            ("1.742e-05", "0.00001742"),
            ("42500.0", "42500"),
            ("9999999999999999.0000000000000000", "9999999999999999"),
            ("9223372036854775807", "9223372036854775807"),
            ("0.0028213400122472977", "0.0028213400122472977"),
        ];
        for (input, expected) in cases {
            assert_eq!(text(input), expected, "{input}");
        }
    }

    #[test]
    fn what_is_no_number_names_the_byte() {
        for (input, at) in [
            ("", 0),
            (".5", 0),
            ("5.", 2),
            ("+1", 0),
            (" 1", 0),
            ("1 ", 1),
            ("NaN", 0),
            ("Infinity", 0),
            ("0x10", 1),
            ("1e", 2),
            ("1.2.3", 3),
            ("--1", 1),
            ("1e+", 3),
            ("١", 0),
        ] {
            assert_eq!(
                Decimal::parse(input.as_bytes()),
                Err(DecimalError::Malformed { at }),
                "{input}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_rounded() {
        for input in ["9223372036854775808", "1e400", "1e19", "123456789012345678901", "1e-300"] {
            assert_eq!(Decimal::parse(input.as_bytes()), Err(DecimalError::OutOfRange), "{input}");
        }
        let long = alloc::vec![b'1'; 400];
        assert_eq!(Decimal::parse(&long), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn a_scale_is_kept_only_when_exact() {
        let value = Decimal::parse(b"91230.1").unwrap();
        assert_eq!(value.at_scale(1), Some(912_301));
        assert_eq!(value.at_scale(8), Some(9_123_010_000_000));
        assert_eq!(value.at_scale(0), None);
        assert_eq!(Decimal::parse(b"10000000000").unwrap().at_scale(10), None);
    }

    #[test]
    fn the_text_of_a_checksum_can_be_rebuilt_from_value_and_decimals() {
        assert_eq!(Number::read(b"1.50").unwrap().plain_decimals(), Some(2));
        assert_eq!(Number::read(b"0.00001230").unwrap().plain_decimals(), Some(8));
        assert_eq!(Number::read(b"01.5").unwrap().plain_decimals(), None);
        assert_eq!(Number::read(b"1e3").unwrap().plain_decimals(), None);
    }
}
