//! Seeded random numbers for jitter: SplitMix64, the same on every machine.

/// A generator.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that gives the same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `0..=most`.
    pub fn up_to(&mut self, most: i64) -> i64 {
        let most = u64::try_from(most).unwrap_or(0);
        let scaled = (u128::from(self.next()) * (u128::from(most) + 1)) >> 64;
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}
