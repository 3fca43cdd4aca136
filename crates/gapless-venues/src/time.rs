//! Times as venues write them → nanoseconds since the epoch, with the unit they were written in.
//!
//! Exact or absent: a time that no `i64` of nanoseconds holds is absent, never wrapped. Times
//! decide nothing about books (protocols.md 0.2.9), so an absurd one is no reason to refuse one.

use gapless_book::event::TimeUnit;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds since the Unix epoch, UTC.
    pub ns: i64,
    /// Unit in which it was written.
    pub unit: TimeUnit,
}

impl Stamp {
    /// A count of `unit`s since the epoch; `None` if not positive or beyond `i64` nanoseconds.
    #[must_use]
    pub fn count(value: i64, unit: TimeUnit) -> Option<Self> {
        let ns = value.checked_mul(unit_ns(unit))?;
        (value > 0).then_some(Self { ns, unit })
    }

    /// Milliseconds, or microseconds where the number is too large for them: Binance's
    /// `timeUnit=MICROSECOND` (protocols.md 1.1).
    #[must_use]
    pub fn milli_or_micro(value: i64) -> Option<Self> {
        const MILLI_MAX: i64 = 1_000_000_000_000_000;
        Self::count(value, if value > MILLI_MAX { TimeUnit::Micro } else { TimeUnit::Milli })
    }

    /// A count whose unit only its size tells: `s < 1e11 <= ms < 1e14 <= us < 1e17 <= ns`
    /// (protocols.md 7.4).
    #[must_use]
    pub fn by_magnitude(value: i64) -> Option<Self> {
        let unit = match value {
            100_000_000_000_000_000.. => TimeUnit::Nano,
            100_000_000_000_000.. => TimeUnit::Micro,
            100_000_000_000.. => TimeUnit::Milli,
            _ => TimeUnit::Second,
        };
        Self::count(value, unit)
    }

    /// `yyyy-MM-ddTHH:mm:ss[.f]Z` with 1 to 9 digits of fraction, UTC. The unit is the coarsest
    /// one that holds the digits written. `None` if it is anything else.
    #[must_use]
    pub fn iso(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (text, "0"),
        };
        let written = text.len() - whole.len();
        let unit = match written {
            0 => TimeUnit::Second,
            2..=4 => TimeUnit::Milli,
            5..=7 => TimeUnit::Micro,
            8 => TimeUnit::HundredNano,
            9 | 10 => TimeUnit::Nano,
            _ => return None,
        };
        let seconds = iso_seconds(whole.as_bytes())?;
        let digits = u32::try_from(fraction.len()).ok()?;
        let fraction = number(fraction.as_bytes())?.checked_mul(10i64.pow(9 - digits))?;
        Some(Self { ns: seconds.checked_mul(1_000_000_000)?.checked_add(fraction)?, unit })
    }
}

const fn unit_ns(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Milli => 1_000_000,
        TimeUnit::Micro => 1_000,
        TimeUnit::HundredNano => 100,
        TimeUnit::Nano => 1,
    }
}

/// `yyyy-MM-ddTHH:mm:ss` as seconds since the epoch.
fn iso_seconds(text: &[u8]) -> Option<i64> {
    if text.len() != 19 {
        return None;
    }
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if text.get(at) != Some(&mark) {
            return None;
        }
    }
    let part = |from: usize, to: usize| number(text.get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let real =
        (1..=days_in(year, month)?).contains(&day) && hour < 24 && minute < 60 && second < 60;
    real.then(|| days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

const fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that
/// the leap day is a year's last.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let in_year = (153 * month + 2) / 5 + day - 1;
    365 * year + leap_days + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_are_exact_at_every_number_of_digits() {
        for (text, ns, unit) in [
            ("1970-01-01T00:00:00Z", 0, TimeUnit::Second),
            ("2026-11-20T20:40:31.123Z", 1_795_207_231_123_000_000, TimeUnit::Milli),
            ("2026-11-20T20:40:31.123456Z", 1_795_207_231_123_456_000, TimeUnit::Micro),
            ("2026-11-20T20:40:31.4521170Z", 1_795_207_231_452_117_000, TimeUnit::HundredNano),
            ("2026-11-20T20:40:31.123456789Z", 1_795_207_231_123_456_789, TimeUnit::Nano),
            ("2024-02-29T23:59:59.5+00:00", 1_709_251_199_500_000_000, TimeUnit::Milli),
            ("2000-03-01T00:00:00Z", 951_868_800_000_000_000, TimeUnit::Second),
        ] {
            assert_eq!(Stamp::iso(text), Some(Stamp { ns, unit }), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_absent() {
        for text in [
            "",
            "Z",
            "2023-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20 20:40:31Z",
            "2026-11-20T20:40:31",
            "2026-11-20T20:40:31.Z",
            "2026-11-20T20:40:31.1234567890Z",
            "2026-11-20T20:40:31.12x456Z",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(Stamp::iso(text), None, "{text}");
        }
        assert_eq!(Stamp::count(0, TimeUnit::Milli), None);
        assert_eq!(Stamp::count(i64::MAX, TimeUnit::Milli), None);
    }

    #[test]
    fn the_size_of_a_count_tells_its_unit() {
        let expected = Some(1_763_600_000_000_000_000);
        for value in [1_763_600_000, 1_763_600_000_000, 1_763_600_000_000_000] {
            assert_eq!(Stamp::by_magnitude(value).map(|s| s.ns), expected, "{value}");
        }
        assert_eq!(Stamp::by_magnitude(1_763_600_000_000_000_000).map(|s| s.ns), expected);
        assert_eq!(Stamp::milli_or_micro(1_763_600_000_000).map(|s| s.ns), expected);
        assert_eq!(Stamp::milli_or_micro(1_763_600_000_000_000).map(|s| s.ns), expected);
    }
}
