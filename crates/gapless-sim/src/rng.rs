//! The one source of chance: SplitMix64.
//!
//! Own ten lines instead of a crate, because a seed must give the same market for ever: a
//! generator of a library may change its stream between versions, and every committed sample and
//! every printed failing seed would then mean something else. SplitMix64 (Steele, Lea and Flood,
//! "Fast splittable pseudorandom number generators", OOPSLA 2014) passes BigCrush, has period
//! 2^64, any seed is good, and it forks by seeding from itself. All draws are integers: no
//! platform's floating point can change a market.

/// A seeded stream of numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The stream of `seed`. Every seed is as good as another.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// An independent stream, so that one consumer's draws do not move another's.
    pub const fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// A number in `0..bound`; 0 for a bound of 0. The bias (below `bound / 2^64`) is of no
    /// consequence here.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `permille` of 1000 draws.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    /// A non-negative number with the given median and a geometric tail: the chance halves with
    /// every further `median`.
    pub fn geometric(&mut self, median: u64) -> u64 {
        let halvings = u64::from(self.next_u64().leading_zeros());
        halvings * median + self.below(median)
    }

    /// A number whose logarithm is uniform between `2^low_bits` and `2^high_bits`.
    pub fn log_uniform(&mut self, low_bits: u32, high_bits: u32) -> u64 {
        let bits = self.between(u64::from(low_bits), u64::from(high_bits.saturating_sub(1)));
        let unit = 1u64 << bits.min(62);
        unit + self.below(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vector of SplitMix64 for seed 1234567.
    #[test]
    fn the_stream_is_that_of_the_paper() {
        let mut rng = Rng::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn the_median_of_a_geometric_draw_is_the_one_asked_for() {
        let mut rng = Rng::new(7);
        let mut drawn: Vec<u64> = (0..10_001).map(|_| rng.geometric(400)).collect();
        drawn.sort_unstable();
        assert!((360..440).contains(&drawn[5_000]), "{}", drawn[5_000]);
        assert!(drawn[9_900] > 2_000, "the tail is missing: {}", drawn[9_900]);
    }

    #[test]
    fn a_far_draw_stays_between_its_powers_of_two() {
        let mut rng = Rng::new(9);
        for _ in 0..1_000 {
            assert!((1 << 10..1 << 19).contains(&rng.log_uniform(10, 19)));
        }
    }
}
