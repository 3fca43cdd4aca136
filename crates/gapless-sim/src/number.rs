//! How venues spell numbers and times. The value is exact; only the spelling differs.

use gapless_book::decimal::Decimal;

/// Fixed number of decimals, padded with zeros (`91230.10000000`). More decimals than asked for
/// are kept: a spelling never rounds.
#[must_use]
pub fn padded(value: Decimal, decimals: u8) -> String {
    let mut text = value.to_string();
    let missing = usize::from(decimals.saturating_sub(value.scale()));
    if missing > 0 {
        if value.scale() == 0 {
            text.push('.');
        }
        text.extend(std::iter::repeat_n('0', missing));
    }
    text
}

/// A JSON number as Python writes a float: always a point or an exponent (`42500.0`, `1e-05`).
#[must_use]
pub fn python_float(value: Decimal) -> String {
    match exponent_form(value, 4) {
        Some((digits, exponent)) => format!("{digits}e-{exponent:02}"),
        None if value.scale() == 0 => format!("{value}.0"),
        None => value.to_string(),
    }
}

/// A JSON number as JavaScript's `JSON.stringify` writes it (`91230`, `1.2e-7`).
#[must_use]
pub fn js_number(value: Decimal) -> String {
    match exponent_form(value, 6) {
        Some((digits, exponent)) => format!("{digits}e-{exponent}"),
        None => value.to_string(),
    }
}

/// `d.ddd` and the negative exponent of a value below `10^-plain`, the smallest spelt plainly.
fn exponent_form(value: Decimal, plain: usize) -> Option<(String, usize)> {
    if value.is_zero() {
        return None;
    }
    let digits = value.mantissa().unsigned_abs().to_string();
    let exponent = (usize::from(value.scale()) + 1).checked_sub(digits.len())?;
    if exponent <= plain {
        return None;
    }
    let sign = if value.mantissa() < 0 { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    Some((format!("{sign}{first}{point}{rest}"), exponent))
}

/// `2026-11-20T20:40:31.449Z`; with `micros`, six digits of fraction.
#[must_use]
pub fn iso_time(at_ns: u64, micros: bool) -> String {
    let seconds = at_ns / 1_000_000_000;
    let (date, time) = (civil_date(seconds / 86_400), seconds % 86_400);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    let fraction = at_ns % 1_000_000_000;
    let fraction = if micros {
        format!("{:06}", fraction / 1_000)
    } else {
        format!("{:03}", fraction / 1_000_000)
    };
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{fraction}Z")
}

/// The proleptic Gregorian date of a day since 1970-01-01: years begin in March here, so that the
/// leap day is a year's last (Hinnant, "chrono-compatible low-level date algorithms").
fn civil_date(day: u64) -> String {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_spelling_has_the_same_value() {
        for (value, fixed, python, js) in [
            ("91230.1", "91230.10000000", "91230.1", "91230.1"),
            ("42500", "42500.00000000", "42500.0", "42500"),
            ("0.00001", "0.00001000", "1e-05", "0.00001"),
            ("0.00001742", "0.00001742", "1.742e-05", "0.00001742"),
            ("0.00000012", "0.00000012", "1.2e-07", "1.2e-7"),
            ("0", "0.00000000", "0.0", "0"),
            ("-0.00000012", "-0.00000012", "-1.2e-07", "-1.2e-7"),
            ("0.0001", "0.00010000", "0.0001", "0.0001"),
        ] {
            let value = read(value);
            assert_eq!(padded(value, 8), fixed);
            assert_eq!(python_float(value), python);
            assert_eq!(js_number(value), js);
            for text in [fixed, python, js] {
                assert_eq!(read(text), value, "{text}");
            }
        }
    }

    #[test]
    fn a_size_in_whole_contracts_has_no_point() {
        assert_eq!(padded(read("120"), 0), "120");
        assert_eq!(padded(read("0.5"), 0), "0.5");
    }

    #[test]
    fn times_are_utc_with_the_fraction_asked_for() {
        let at = 1_763_671_231_449_123_456;
        assert_eq!(iso_time(at, false), "2025-11-20T20:40:31.449Z");
        assert_eq!(iso_time(at, true), "2025-11-20T20:40:31.449123Z");
        assert_eq!(iso_time(951_782_400_000_000_000, false), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso_time(0, false), "1970-01-01T00:00:00.000Z");
    }
}
