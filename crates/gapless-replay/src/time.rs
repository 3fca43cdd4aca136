//! Times as text → nanoseconds since the Unix epoch, exactly.
//!
//! Three writers are read: ISO 8601 with 0 to 9 fraction digits (Tardis), RFC 3339 with an offset
//! or a bare date (people), and integers (captures, people). Nothing is rounded: a time that does
//! not fit an `i64` of nanoseconds (years 1678 to 2262) or is not a real date is no time.

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// Reads `yyyy-MM-ddTHH:mm:ss[.f]Z`, also with an offset `±HH:mm` instead of `Z`.
///
/// ```
/// # use gapless_replay::time::parse_iso;
/// assert_eq!(parse_iso(b"1970-01-01T00:00:01.0000002Z"), Some(1_000_000_200));
/// assert_eq!(parse_iso(b"1970-01-01T01:00:01+01:00"), Some(1_000_000_000));
/// assert_eq!(parse_iso(b"1970-02-30T00:00:00Z"), None);
/// ```
#[must_use]
pub fn parse_iso(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.split_at_checked(9)?;
    let days = parse_date(date)?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, rest) = parse_fraction(rest)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - parse_offset(rest)?;
    seconds.checked_mul(SECOND_NS)?.checked_add(fraction)
}

/// Reads what a person writes for a point in time: RFC 3339, a date (`2024-08-08` = its midnight
/// UTC), or an integer of nanoseconds since the epoch.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    let bytes = text.trim().as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        return text.trim().parse().ok();
    }
    if bytes.len() == 10 {
        return parse_date(bytes)?.checked_mul(86_400 * SECOND_NS);
    }
    parse_iso(bytes)
}

/// Reads an unsigned decimal integer of at most 19 digits.
#[must_use]
#[inline]
pub fn parse_digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    i64::try_from(value).ok()
}

fn parse_date(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let (year, month, day) = (pair(y1, y2)? * 100 + pair(y3, y4)?, pair(m1, m2)?, pair(d1, d2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=longest).contains(&day).then(|| days_from_epoch(year, month, day))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted from March so that the
/// leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Nanoseconds of `.f…` and what follows it.
fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count > 9 {
        return None;
    }
    // A point without digits is tolerated: the sources say "0 to 9 fraction digits".
    let value = digits.iter().take(count).fold(0i64, |v, b| v * 10 + i64::from(b - b'0'));
    let padded = (count..9).fold(value, |v, _| v * 10);
    Some((padded, digits.get(count..)?))
}

/// Seconds that the writer's clock is ahead of UTC.
fn parse_offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            let ahead = hours * 3600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if sign == b'-' { -ahead } else { ahead })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_number_of_fraction_digits_is_exact() {
        let base = 1_763_671_231i64 * SECOND_NS;
        for (text, ns) in [
            ("2025-11-20T20:40:31Z", 0),
            ("2025-11-20T20:40:31.Z", 0),
            ("2025-11-20T20:40:31.1Z", 100_000_000),
            ("2025-11-20T20:40:31.123Z", 123_000_000),
            ("2025-11-20T20:40:31.123456Z", 123_456_000),
            ("2025-11-20T20:40:31.4521170Z", 452_117_000),
            ("2025-11-20T20:40:31.123456789Z", 123_456_789),
            ("2025-11-20T22:40:31.5+02:00", 500_000_000),
            ("2025-11-20T15:10:31.5-05:30", 500_000_000),
        ] {
            assert_eq!(parse_iso(text.as_bytes()), Some(base + ns), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "2025-11-20",
            "2025-11-20T20:40:31",
            "2025-11-20T20:40:31.1234567890Z",
            "2025-13-20T20:40:31Z",
            "2025-02-29T20:40:31Z",
            "2100-02-29T00:00:00Z",
            "2025-11-20T24:00:00Z",
            "2025-11-20T20:60:31Z",
            "2025-11-20T20:40:61Z",
            "2025-11-20T20:40:31.12a4Z",
            "2025-11-20T20:40:31Zx",
            "1600-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "2025-11-20T20:40:31+24:00",
        ] {
            assert_eq!(parse_iso(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn people_write_dates_times_and_nanoseconds() {
        assert_eq!(parse_instant("1970-01-02"), Some(86_400 * SECOND_NS));
        assert_eq!(parse_instant(" 1617647603424944000 "), Some(1_617_647_603_424_944_000));
        assert_eq!(parse_instant("-5"), Some(-5));
        assert_eq!(parse_instant("2024-02-29T00:00:00Z"), Some(1_709_164_800 * SECOND_NS));
        assert_eq!(parse_instant("yesterday"), None);
        assert_eq!(parse_instant("99999999999999999999"), None);
    }

    /// The calendar, stupidly: one day after the other.
    fn naive_days(year: i64, month: usize, day: i64) -> i64 {
        let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        let lengths = |y| [31, 28 + i64::from(leap(y)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let years: i64 = (1970..year).map(|y| 365 + i64::from(leap(y))).sum();
        years + lengths(year)[..month - 1].iter().sum::<i64>() + day - 1
    }

    proptest! {
        #[test]
        fn iso_text_reads_back_as_the_time_it_was_written_from(
            year in 1970i64..2262, month in 1usize..=12, day in 1i64..=28, clock in 0i64..86_400,
            nanos in 0i64..1_000_000_000, digits in 0usize..=9,
        ) {
            let kept = nanos / 10i64.pow(9 - u32::try_from(digits).unwrap());
            let fraction = if digits == 0 { String::new() } else { format!(".{kept:0digits$}") };
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z",
                clock / 3600, clock / 60 % 60, clock % 60,
            );
            let fine = kept * 10i64.pow(9 - u32::try_from(digits).unwrap());
            let expected = (naive_days(year, month, day) * 86_400 + clock)
                .checked_mul(SECOND_NS).and_then(|s| s.checked_add(fine));
            prop_assert_eq!(parse_iso(text.as_bytes()), expected);
        }

        #[test]
        fn any_bytes_are_a_time_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_iso(&bytes);
            let _ = parse_digits(&bytes);
        }
    }
}
