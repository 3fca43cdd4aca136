//! The grid of one book's messages: which of their integers are whole steps, told without a
//! division for each.

use gapless_book::decimal::Decimal;
use gapless_book::event::{BookMessage, Level, Scales};

use super::{GridError, Instrument, Measure};

/// Tick and lot of a book's instrument, made ready for integers of one scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    tick: Decimal,
    lot: Decimal,
    scales: Scales,
    prices: Multiples,
    sizes: Multiples,
}

impl Steps {
    /// The steps of an instrument; every value is one of none.
    pub fn of(instrument: Option<&Instrument>) -> Self {
        let zero = (Decimal::ZERO, Decimal::ZERO);
        let (tick, lot) = instrument.map_or(zero, |known| (known.tick, known.lot));
        let scales = Scales::default();
        Self { tick, lot, scales, prices: Multiples::ALL, sizes: Multiples::ALL }.at(scales)
    }

    fn at(self, scales: Scales) -> Self {
        let prices = Multiples::of(self.tick, scales.price);
        let sizes = Multiples::of(self.lot, scales.qty);
        Self { scales, prices, sizes, ..self }
    }

    /// Whether no integer of these scales can be off the grid: mostly so, as a venue writes as many
    /// decimals as its steps have.
    #[inline]
    pub fn hold_all(&mut self, scales: Scales) -> bool {
        if self.scales != scales {
            *self = self.at(scales);
        }
        self.prices.are_all() && self.sizes.are_all()
    }

    /// Every price and size of a message's standing levels that is no whole number of steps.
    /// [`Steps::hold_all`] was asked with the message's scales.
    pub fn each_off(&self, message: &BookMessage<'_>, mut each: impl FnMut(GridError)) {
        let standing = |level: &&Level| level.qty != 0;
        for level in message.bids.iter().chain(message.asks).filter(standing) {
            if !self.prices.have(level.price) {
                let value = Decimal::new(level.price, message.scales.price);
                each(GridError::Between { measure: Measure::Price, value, step: self.tick });
            }
            if !self.sizes.have(level.qty) {
                let value = Decimal::new(level.qty, message.scales.qty);
                each(GridError::Between { measure: Measure::Qty, value, step: self.lot });
            }
        }
    }
}

/// The multiples of one number among all integers: a product with its inverse modulo 2^64 is small
/// for them alone (Granlund and Montgomery, Division by Invariant Integers, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Multiples {
    inverse: u64,
    twos: u32,
    most: u64,
}

impl Multiples {
    const ALL: Self = Self { inverse: 1, twos: 0, most: u64::MAX };

    /// Those integers that are whole steps once divided by 10^`scale`.
    fn of(step: Decimal, scale: u8) -> Self {
        let divisor = divisor(step, scale);
        let twos = divisor.trailing_zeros();
        let odd = divisor >> twos;
        // Right in three bits, and in twice as many after each round.
        let inverse =
            (0..5).fold(odd, |x, _| x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x))));
        Self { inverse, twos, most: u64::MAX / divisor }
    }

    const fn are_all(self) -> bool {
        self.most == u64::MAX
    }

    const fn have(self, value: i64) -> bool {
        let product = value.unsigned_abs().wrapping_mul(self.inverse);
        product.rotate_right(self.twos) <= self.most
    }
}

/// What divides the integers at `scale` of all multiples of `step`, and of nothing else.
fn divisor(step: Decimal, scale: u8) -> u64 {
    let Some(mut divisor) = u64::try_from(step.mantissa()).ok().filter(|_| !step.is_zero()) else {
        return 1;
    };
    if let Some(finer) = scale.checked_sub(step.scale()) {
        let power = 10u64.checked_pow(u32::from(finer));
        // Of a step beyond all integers zero alone is a multiple.
        return power.and_then(|power| divisor.checked_mul(power)).unwrap_or(u64::MAX);
    }
    // Integers of a coarser scale are tens of the step's own already.
    for prime in [2, 5] {
        for _ in scale..step.scale() {
            divisor = if divisor.is_multiple_of(prime) { divisor / prime } else { divisor };
        }
    }
    divisor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_is_told_as_a_division_tells_it() {
        let numbers = [0, 1, 2, 3, 4, 5, 9, 10, 12, 15, 20, 25, 99, 100, 250, 1_000, 1_024, 12_500]
            .into_iter()
            .chain([i64::MAX, i64::MAX - 7, 1 << 62, 6_250_000_000_000_000_000]);
        for step in [1, 2, 3, 5, 10, 12, 25, 50, 64, 125, 1_000, 7_000_000_000, i64::MAX] {
            for step_scale in [0, 1, 2, 3, 10, 18] {
                for scale in [0, 1, 2, 5, 18] {
                    let step = Decimal::new(step, step_scale);
                    let multiples = Multiples::of(step, scale);
                    for number in numbers.clone().flat_map(|number| [number, -number]) {
                        // Both at the finer scale.
                        let value = i128::from(number) * 10i128.pow(u32::from(18 - scale));
                        let step_at = 10i128.pow(u32::from(18 - step.scale()));
                        let whole = value % (i128::from(step.mantissa()) * step_at) == 0;
                        assert_eq!(multiples.have(number), whole, "{number} e-{scale} of {step}");
                    }
                }
            }
        }
    }

    #[test]
    fn as_many_decimals_as_the_step_has_are_all_whole_steps() {
        let told = |step: &str, scale| {
            Multiples::of(Decimal::parse(step.as_bytes()).unwrap(), scale).are_all()
        };
        assert!(told("0.01", 2) && told("0.01", 1) && told("0", 8) && told("1", 0));
        assert!(!told("0.01", 3) && !told("0.5", 1) && !told("10", 0) && !told("0.25", 1));
    }
}
