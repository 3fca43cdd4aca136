//! Whether a value stands on an instrument's grid.
//!
//! Off the grid is a fact to name and count, not a reason to refuse a book message: a venue that
//! makes a step coarser leaves resting orders where they are, and recorded books hold such levels
//! (`tests/grid.rs`). The scale of a book comes from its data; a tick from here only sizes it.

use core::fmt;
use gapless_book::decimal::Decimal;

use super::Instrument;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A price, on the tick.
    Price,
    /// A size, on the lot.
    Qty,
}

/// A value off the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GridError {
    /// Not a multiple of the step.
    Between {
        /// Price or size.
        measure: Measure,
        /// The value.
        value: Decimal,
        /// The tick or lot.
        step: Decimal,
    },
    /// A size below zero.
    Negative(Decimal),
    /// More steps than an `i64` counts.
    TooMany(Decimal),
}

impl fmt::Display for GridError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between { measure: Measure::Price, value, step } => {
                write!(f, "price {value} is not a multiple of the tick {step}")
            }
            Self::Between { measure: Measure::Qty, value, step } => {
                write!(f, "size {value} is not a multiple of the lot {step}")
            }
            Self::Negative(value) => write!(f, "size {value} is negative"),
            Self::TooMany(value) => write!(f, "{value} is too many steps"),
        }
    }
}

impl core::error::Error for GridError {}

impl Instrument {
    /// The price in ticks; `None` where the venue states no tick.
    ///
    /// # Errors
    /// Not a multiple of the tick, or beyond `i64`. Negative prices are legal (combos).
    pub fn price_ticks(&self, price: Decimal) -> Result<Option<i64>, GridError> {
        steps(Measure::Price, price, self.tick)
    }

    /// The size in lots; `None` where the venue states no lot.
    ///
    /// # Errors
    /// Negative, not a multiple of the lot, or beyond `i64`.
    pub fn qty_lots(&self, qty: Decimal) -> Result<Option<i64>, GridError> {
        if qty.mantissa() < 0 {
            return Err(GridError::Negative(qty));
        }
        steps(Measure::Qty, qty, self.lot)
    }
}

fn steps(measure: Measure, value: Decimal, step: Decimal) -> Result<Option<i64>, GridError> {
    if step.is_zero() {
        return Ok(None);
    }
    // A trimmed value with more decimals than the step has a digit that no multiple has.
    let Some(finer) = step.scale().checked_sub(value.scale()) else {
        return Err(GridError::Between { measure, value, step });
    };
    let scaled = 10i128
        .checked_pow(u32::from(finer))
        .and_then(|power| power.checked_mul(i128::from(value.mantissa())))
        .ok_or(GridError::TooMany(value))?;
    let step_mantissa = i128::from(step.mantissa());
    if scaled % step_mantissa != 0 {
        return Err(GridError::Between { measure, value, step });
    }
    let count = i64::try_from(scaled / step_mantissa).map_err(|_| GridError::TooMany(value))?;
    Ok(Some(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_multiple_of_the_step_is_counted_exactly() {
        for (value, step, count) in [
            ("91230.1", "0.1", 912_301),
            ("0.075", "0.0005", 150),
            ("92284", "0.5", 184_568),
            ("120", "10", 12),
            ("0.0000002184", "0.00000000001", 21_840),
            ("-2.5", "2.5", -1),
            ("0", "0.1", 0),
            ("9999999999999999", "1", 9_999_999_999_999_999),
        ] {
            let found = steps(Measure::Price, read(value), read(step));
            assert_eq!(found, Ok(Some(count)), "{value}");
        }
    }

    #[test]
    fn a_value_between_two_steps_is_named() {
        for (value, step) in [("0.15", "0.1"), ("0.0007", "0.0005"), ("15", "10"), ("1.3", "0.5")] {
            let error = steps(Measure::Price, read(value), read(step)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("price {value} is not a multiple of the tick {step}")
            );
        }
        assert_eq!(
            steps(Measure::Qty, read("0.5"), read("1")).unwrap_err().to_string(),
            "size 0.5 is not a multiple of the lot 1"
        );
    }

    #[test]
    fn no_step_checks_nothing_and_too_many_steps_are_refused() {
        assert_eq!(steps(Measure::Qty, read("0.123"), Decimal::ZERO), Ok(None));
        let huge = read("9223372036854775807");
        assert_eq!(steps(Measure::Price, huge, read("1e-10")), Err(GridError::TooMany(huge)));
    }
}
