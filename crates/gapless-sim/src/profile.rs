//! What makes one symbol's stream look like the recorded ones: how often, how many, how far.
//!
//! The shapes were read off recorded streams and are stated as round numbers. A BTC perpetual's
//! 100 ms (here 50 ms) messages hold a median of 60 levels and a mean well above it; a touched
//! price stands a median of 400 ticks from the best and, one time in twenty, anywhere up to half
//! a million ticks away. A small-cap symbol's messages hold 3 to 8 levels close to the top. Six
//! in ten touches change a resting level, the rest come and go in equal parts, and some name a
//! level that is not there (it came and went between two messages).

/// The statistics of one symbol.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Resting levels per side at the start, and the number that coming and going aims at.
    pub levels: usize,
    /// Resting levels per side that are never exceeded. Below the depth of a REST snapshot, so
    /// that the snapshot holds the whole book.
    pub levels_max: usize,
    /// Median time between two activities, nanoseconds.
    pub gap_ns: u64,
    /// Median number of levels touched by an activity.
    pub touches: u64,
    /// Median distance of a near touch from the best, ticks.
    pub near_ticks: u64,
    /// Share of touches in the far tail, in thousandths.
    pub far_permille: u32,
    /// The far tail is log-uniform between these powers of two, ticks.
    pub far_bits: (u32, u32),
    /// Median resting size, lots.
    pub size_lots: u64,
    /// Share of activities that trade, in thousandths.
    pub trade_permille: u32,
    /// Share of activities that start a burst, in thousandths.
    pub burst_permille: u32,
}

impl Profile {
    /// A BTC perpetual on a large venue.
    pub const MAJOR: Self = Self {
        levels: 850,
        levels_max: 980,
        gap_ns: 8_000_000,
        touches: 7,
        near_ticks: 400,
        far_permille: 200,
        far_bits: (11, 19),
        size_lots: 900,
        trade_permille: 250,
        burst_permille: 4,
    };

    /// A small-cap symbol: few levels a message, close to the top.
    pub const SMALL_CAP: Self = Self {
        levels: 300,
        levels_max: 600,
        gap_ns: 45_000_000,
        touches: 2,
        near_ticks: 20,
        far_permille: 60,
        far_bits: (7, 11),
        size_lots: 4_000,
        trade_permille: 120,
        burst_permille: 6,
    };

    /// A book of few levels that changes as often as a large one: no recorded market, but every
    /// case of one in a thousandth of the time, for simulations by the thousand.
    pub const THIN: Self = Self {
        levels: 12,
        levels_max: 24,
        gap_ns: 40_000_000,
        touches: 1,
        near_ticks: 4,
        far_permille: 50,
        far_bits: (4, 8),
        size_lots: 900,
        trade_permille: 200,
        burst_permille: 4,
    };

    /// An option: a handful of levels that are replaced rather than changed.
    pub const OPTION: Self = Self {
        levels: 8,
        levels_max: 24,
        gap_ns: 180_000_000,
        touches: 1,
        near_ticks: 3,
        far_permille: 30,
        far_bits: (4, 6),
        size_lots: 30,
        trade_permille: 20,
        burst_permille: 0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Market, SymbolSpec};
    use gapless_book::event::Side;

    /// Distances of touches from the best before them, and touches per 50 ms, both sorted.
    fn measured(spec: SymbolSpec, window_ns: u64) -> (Vec<i64>, Vec<usize>) {
        let mut market = Market::new(4, &[spec], 0);
        let (mut distances, mut counts) = (Vec::new(), vec![0]);
        let mut end_ns = window_ns;
        for _ in 0..20_000 {
            let best = |side| market.symbols()[0].truth.best(side).map_or(0, |l| l.ticks);
            let tops = (best(Side::Bid), best(Side::Ask));
            let activity = market.step();
            if activity.at_ns >= end_ns {
                end_ns = activity.at_ns + window_ns;
                counts.push(0);
            }
            *counts.last_mut().unwrap() += activity.touched.len();
            distances.extend(activity.touched.iter().map(|(side, ticks)| match side {
                Side::Bid => (tops.0 - ticks).abs(),
                Side::Ask => (ticks - tops.1).abs(),
            }));
        }
        distances.sort_unstable();
        counts.sort_unstable();
        (distances, counts)
    }

    fn quantile<T: Copy>(sorted: &[T], percent: usize) -> T {
        sorted[(sorted.len() - 1) * percent / 100]
    }

    /// Recorded BTC USD-M: distance p50 406, p90 5 948, p99 568 298 ticks; 62 levels a message.
    #[test]
    fn a_major_symbol_is_wide_and_busy_as_recorded() {
        let spec = SymbolSpec::new("BTCUSDT", (1, 1), (1, 3), 912_289, Profile::MAJOR);
        let (distances, counts) = measured(spec, 50_000_000);
        assert!((200..900).contains(&quantile(&distances, 50)), "{}", quantile(&distances, 50));
        assert!(
            (2_000..60_000).contains(&quantile(&distances, 90)),
            "{}",
            quantile(&distances, 90)
        );
        assert!(quantile(&distances, 99) > 150_000, "{}", quantile(&distances, 99));
        assert!((30..130).contains(&quantile(&counts, 50)), "{}", quantile(&counts, 50));
        assert!(quantile(&counts, 99) > 3 * quantile(&counts, 50), "no bursts");
    }

    /// Recorded small caps: 2 to 8 levels in 100 ms, distance p50 20, p99 a few thousand ticks.
    #[test]
    fn a_small_cap_stays_near_the_top() {
        let spec = SymbolSpec::new("ZILUSDT", (1, 5), (1, 1), 20_431, Profile::SMALL_CAP);
        let (distances, counts) = measured(spec, 100_000_000);
        assert!((5..60).contains(&quantile(&distances, 50)), "{}", quantile(&distances, 50));
        assert!((100..4_000).contains(&quantile(&distances, 99)), "{}", quantile(&distances, 99));
        assert!((2..12).contains(&quantile(&counts, 50)), "{}", quantile(&counts, 50));
    }
}
