//! Decimals at the edge: to and from `rust_decimal`, text, and out to `f64`.
//!
//! Inside the engine a price is a scaled `i64` and never anything else. A program that holds its
//! money in another type converts here, once, and is told when a value does not fit: every
//! conversion is exact or an error, but for [`to_f64`], which says so.

use gapless_book::decimal::{Decimal, DecimalError};
use rust_decimal::Decimal as RustDecimal;

/// Most decimals of a `rust_decimal` value.
const RUST_DECIMAL_SCALE_MAX: u8 = 28;

/// The value as `rust_decimal::Decimal`.
///
/// # Errors
/// [`DecimalError::OutOfRange`] for more than 28 decimals, which that type does not hold. Its 96
/// bits hold every mantissa.
pub fn to_rust_decimal(value: Decimal) -> Result<RustDecimal, DecimalError> {
    if value.scale() > RUST_DECIMAL_SCALE_MAX {
        return Err(DecimalError::OutOfRange);
    }
    let (mantissa, scale) = (i128::from(value.mantissa()), u32::from(value.scale()));
    RustDecimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| DecimalError::OutOfRange)
}

/// The value of a `rust_decimal::Decimal`; trailing zeros are not kept.
///
/// # Errors
/// [`DecimalError::OutOfRange`] where the trimmed mantissa does not fit an `i64`.
pub fn from_rust_decimal(value: RustDecimal) -> Result<Decimal, DecimalError> {
    let (mut mantissa, mut scale) = (value.mantissa(), value.scale());
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    let mantissa = i64::try_from(mantissa).map_err(|_| DecimalError::OutOfRange)?;
    let scale = u8::try_from(scale).map_err(|_| DecimalError::OutOfRange)?;
    Ok(Decimal::new(mantissa, scale))
}

/// The `f64` nearest to the value, ties to even, as reading its text gives: for display and
/// research, never for keys or comparison. No way back is offered.
#[must_use]
pub fn to_f64(value: Decimal) -> f64 {
    value.to_f64()
}

/// The `f64` nearest to `mantissa / 10^scale`, as [`to_f64`] but without trimming zeros first: the
/// quotient of two exact floats is rounded once.
#[must_use]
#[inline]
#[allow(clippy::cast_precision_loss, reason = "exact below the bound that is asked for")]
pub fn scaled_f64(mantissa: i64, scale: u8) -> f64 {
    const EXACT_MAX: u64 = 1 << 53;
    const POWERS: [f64; 19] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18,
    ];
    match POWERS.get(usize::from(scale)) {
        Some(power) if mantissa.unsigned_abs() <= EXACT_MAX => mantissa as f64 / power,
        _ => Decimal::new(mantissa, scale).to_f64(),
    }
}

/// Reads a number: `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
///
/// # Errors
/// As [`Decimal::parse`].
pub fn from_text(text: &str) -> Result<Decimal, DecimalError> {
    Decimal::parse(text.as_bytes())
}

/// Plain decimal text: no exponent, no trailing zeros, no trailing point.
#[must_use]
pub fn to_text(value: Decimal) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        from_text(text).unwrap()
    }

    #[test]
    fn there_and_back_is_the_same_value() {
        for text in [
            "0",
            "1",
            "-1.5",
            "91230.1",
            "0.00000000001",
            "9223372036854775807",
            "-9223372036854775807",
            "0.0028213400122472977",
            "1e18",
            "1e-28",
        ] {
            let value = read(text);
            let there = to_rust_decimal(value).unwrap();
            assert_eq!(there.normalize().to_string(), to_text(value), "{text}");
            assert_eq!(from_rust_decimal(there), Ok(value), "{text}");
        }
    }

    #[test]
    fn trailing_zeros_are_no_value() {
        let padded: RustDecimal = "91230.10000000".parse().unwrap();
        assert_eq!(from_rust_decimal(padded), Ok(read("91230.1")));
        let long: RustDecimal = "1.0000000000000000000000000000".parse().unwrap();
        assert_eq!(from_rust_decimal(long), Ok(read("1")));
        assert_eq!(
            from_rust_decimal(RustDecimal::NEGATIVE_ONE * RustDecimal::ZERO),
            Ok(Decimal::ZERO)
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_never_rounded() {
        for huge in ["9223372036854775808", "79228162514264337593543950335"] {
            let value: RustDecimal = huge.parse().unwrap();
            assert_eq!(from_rust_decimal(value), Err(DecimalError::OutOfRange), "{huge}");
        }
        let fine: RustDecimal = "1.0000000000000000000000000001".parse().unwrap();
        assert_eq!(from_rust_decimal(fine), Err(DecimalError::OutOfRange));
        assert_eq!(to_rust_decimal(read("1e-29")), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn scaled_integers_become_the_float_of_their_value() {
        for (mantissa, scale) in
            [(0, 18), (1, 1), (-3, 1), (912_301_000, 4), (i64::MAX, 18), (i64::MIN, 0), (7, 18)]
        {
            let nearest = to_f64(Decimal::new(mantissa, scale));
            assert!((scaled_f64(mantissa, scale) - nearest).abs() == 0.0, "{mantissa}e-{scale}");
        }
    }

    #[test]
    fn the_float_is_the_nearest_one() {
        for (text, float) in [
            ("0.1", 0.1),
            ("91230.1", 91230.1),
            ("0.0028213400122472977", 0.002_821_340_012_247_297_7),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("1e-30", 1e-30),
            ("-0.3", -0.3),
            ("8.41", 8.41),
        ] {
            assert!((to_f64(read(text)) - float).abs() == 0.0, "{text}");
        }
    }
}
