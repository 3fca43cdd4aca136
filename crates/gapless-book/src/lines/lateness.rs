//! How late a line is behind the first, as a histogram of fixed size.

/// Times below `1 << UNIT_BITS` ns, about a microsecond, count as zero.
const UNIT_BITS: u32 = 10;
/// Each doubling is parted into `1 << PART_BITS`, so that a bucket is 25 % wide at most.
const PART_BITS: u32 = 2;
/// Up to about 17 minutes; what is later counts in the last bucket.
const BUCKETS: usize = 116;

/// Counts by lateness. Recording neither allocates nor fails.
#[derive(Clone, Debug)]
pub struct Lateness {
    counts: [u32; BUCKETS],
    max_ns: i64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], max_ns: 0 }
    }
}

impl Lateness {
    /// Counts one message that came so long after the first of its number.
    #[inline]
    pub fn record(&mut self, late_ns: i64) {
        self.max_ns = self.max_ns.max(late_ns);
        if let Some(count) = self.counts.get_mut(bucket(late_ns)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Messages counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Upper edge, in ns, of the bucket below which `per_mille` of the messages lie; 0 if none was
    /// counted.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> i64 {
        let wanted = (self.count() * u64::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return upper_edge(index).min(self.max_ns);
            }
        }
        0
    }

    /// The latest, ns.
    #[must_use]
    pub const fn max_ns(&self) -> i64 {
        self.max_ns
    }
}

#[inline]
fn bucket(late_ns: i64) -> usize {
    let units = late_ns.max(0).unsigned_abs() >> UNIT_BITS;
    let Some(octave) = units.checked_ilog2().filter(|octave| *octave >= PART_BITS) else {
        return usize::try_from(units).unwrap_or(0);
    };
    let part = (units >> (octave - PART_BITS)) & ((1 << PART_BITS) - 1);
    let index = u64::from((octave - PART_BITS + 1) << PART_BITS) + part;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

fn upper_edge(index: usize) -> i64 {
    let (index, parts) = (index as u64, 1u64 << PART_BITS);
    let units = if index < parts {
        index + 1
    } else {
        let octave = index / parts - 1;
        (parts + index % parts + 1) << octave
    };
    i64::try_from(units << UNIT_BITS).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket_and_no_bucket_is_wider_than_a_quarter() {
        for late in (0..40).flat_map(|bits| [(1i64 << bits) - 1, 1 << bits, (1 << bits) * 5 / 4]) {
            let edge = upper_edge(bucket(late));
            assert!(edge > late, "{late} above {edge}");
            assert!(edge - late <= late / 4 + (1 << UNIT_BITS), "{late} far below {edge}");
        }
        assert_eq!(bucket(i64::MAX), BUCKETS - 1);
        assert_eq!(bucket(i64::MIN), 0);
    }

    #[test]
    fn quantiles_are_edges_of_buckets_and_never_above_the_latest() {
        let mut lateness = Lateness::default();
        assert_eq!((lateness.count(), lateness.quantile(500)), (0, 0));
        for millis in 1..=100 {
            lateness.record(millis * 1_000_000);
        }
        assert_eq!((lateness.count(), lateness.max_ns()), (100, 100_000_000));
        let median = lateness.quantile(500);
        assert!((50_000_000..=62_500_000).contains(&median), "{median}");
        assert_eq!(lateness.quantile(1000), 100_000_000);
        let mut sum = Lateness::default();
        sum.add(&lateness);
        sum.add(&lateness);
        assert_eq!((sum.count(), sum.quantile(500)), (200, median));
    }
}
