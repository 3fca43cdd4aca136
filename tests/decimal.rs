//! Reading of numbers against two that share no code with it: a reading by hand on digit strings,
//! and `rust_decimal`.

use gapless_book::decimal::{Decimal, DecimalError, Number};
use proptest::prelude::*;

/// What a text is, by string handling alone.
#[derive(Debug, PartialEq, Eq)]
enum Naive {
    /// Plain decimal text of the exact value.
    Value(String),
    OutOfRange,
    Malformed,
}

/// Written digits beyond this, leading zeros not counted, are not read.
const DIGITS_MAX: usize = 38;
/// Decimals beyond this, as written or in the value, are not read.
const DECIMALS_MAX: i64 = 255;

fn naive(text: &str) -> Naive {
    let Some(parts) = split(text) else { return Naive::Malformed };
    let written = format!("{}{}", parts.whole, parts.fraction);
    let digits = written.trim_start_matches('0');
    let decimals = i64::try_from(parts.fraction.len()).unwrap();
    if digits.len() > DIGITS_MAX || decimals > DECIMALS_MAX {
        return Naive::OutOfRange;
    }
    if digits.is_empty() {
        return Naive::Value("0".to_owned());
    }
    // An exponent too long to read is far out of range, whichever way it points.
    let exponent: i64 = parts.exponent.parse().unwrap_or(1_000_000);
    let decimals = if parts.exponent_negative { decimals + exponent } else { decimals - exponent };
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let dropped = i64::try_from(zeros).unwrap().min(decimals.max(0));
    let decimals = decimals - dropped;
    let mut digits = digits[..digits.len() - usize::try_from(dropped).unwrap()].to_owned();
    if !(-100..=DECIMALS_MAX).contains(&decimals) {
        return Naive::OutOfRange;
    }
    digits.extend(std::iter::repeat_n('0', usize::try_from(-decimals.min(0)).unwrap()));
    let limit = i64::MAX.to_string();
    if (digits.len(), digits.as_str()) > (limit.len(), limit.as_str()) {
        return Naive::OutOfRange;
    }
    let sign = if parts.negative { "-" } else { "" };
    Naive::Value(format!(
        "{sign}{}",
        with_point(&digits, usize::try_from(decimals.max(0)).unwrap())
    ))
}

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
    exponent_negative: bool,
}

/// The grammar `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`; `None` off it.
fn split(text: &str) -> Option<Parts<'_>> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let power = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    if !digits(whole) || !power.is_none_or(digits) {
        return None;
    }
    Some(Parts {
        negative: text.len() != unsigned.len(),
        whole,
        fraction,
        exponent: power.unwrap_or("0"),
        exponent_negative: exponent.is_some_and(|e| e.starts_with('-')),
    })
}

fn with_point(digits: &str, decimals: usize) -> String {
    if decimals == 0 {
        return digits.to_owned();
    }
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    format!("{whole}.{fraction}")
}

fn ours(text: &str) -> Naive {
    match Decimal::parse(text.as_bytes()) {
        Ok(value) => Naive::Value(value.to_string()),
        Err(DecimalError::OutOfRange) => Naive::OutOfRange,
        Err(DecimalError::Malformed { .. }) => Naive::Malformed,
        Err(other) => panic!("{other}"),
    }
}

/// Numbers of the grammar: short and long, padded, with and without exponents.
const NUMBER: &str = r"-?0{0,3}[0-9]{1,20}(\.[0-9]{1,24}0{0,12})?([eE][+-]?[0-9]{1,3})?";
/// What almost is one.
const ALMOST: &str = r"[-+ ]?[0-9.]{0,6}[eE+.x-]{0,2}[0-9,_ ]{0,4}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_number_is_what_reading_by_hand_finds(text in NUMBER) {
        prop_assert_eq!(ours(&text), naive(&text));
    }

    #[test]
    fn what_is_almost_a_number_is_refused_exactly_where_the_grammar_says(text in ALMOST) {
        prop_assert_eq!(ours(&text), naive(&text));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(ours(&text), naive(&text));
        let _ = Decimal::parse(&bytes);
    }

    #[test]
    fn rust_decimal_reads_the_same_value(text in r"-?[0-9]{1,15}(\.[0-9]{1,13})?") {
        let theirs = rust_decimal::Decimal::from_str_exact(&text).unwrap().normalize();
        if let Ok(value) = Decimal::parse(text.as_bytes()) {
            // Theirs has a minus on zero; canonical text has none.
            let theirs = theirs.to_string();
            let theirs = if theirs == "-0" { "0".to_owned() } else { theirs };
            prop_assert_eq!(value.to_string(), theirs);
        } else {
            prop_assert!(theirs.mantissa().unsigned_abs() > u128::from(i64::MAX.unsigned_abs()));
        }
    }

    #[test]
    fn text_and_value_are_one_to_one(mantissa in any::<i64>(), scale in 0u8..=255) {
        let value = Decimal::new(mantissa, scale);
        if mantissa != i64::MIN {
            prop_assert_eq!(Decimal::parse(value.to_string().as_bytes()), Ok(value));
        }
    }

    #[test]
    fn a_scale_keeps_the_value_or_refuses(mantissa in -10_000_000i64..10_000_000, scale in 0u8..12,
                                          wanted in 0u8..=18) {
        let value = Decimal::new(mantissa, scale);
        let exact = i128::from(mantissa) * 10i128.pow(u32::from(wanted));
        let unit = 10i128.pow(u32::from(scale));
        let expected = (exact % unit == 0).then_some(exact / unit);
        let expected = expected.and_then(|units| i64::try_from(units).ok());
        prop_assert_eq!(value.at_scale(wanted), expected);
    }

    #[test]
    fn the_float_is_the_one_that_reading_the_text_gives(mantissa in any::<i64>(),
                                                        scale in 0u8..=255) {
        let value = Decimal::new(mantissa, scale);
        let read: f64 = value.to_string().parse().unwrap();
        prop_assert_eq!(value.to_f64().to_bits(), read.to_bits());
        let small = Decimal::new(mantissa % 100_000_000, scale % 12);
        let read: f64 = small.to_string().parse().unwrap();
        prop_assert_eq!(small.to_f64().to_bits(), read.to_bits());
    }

    #[test]
    fn the_text_of_a_plain_number_can_be_rebuilt(text in r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,8})?") {
        let number = Number::read(text.as_bytes()).unwrap();
        let value = number.value().unwrap();
        if let Some(decimals) = number.plain_decimals() {
            let units = value.at_scale(decimals).unwrap();
            let sign = if units < 0 { "-" } else { "" };
            let digits = units.unsigned_abs().to_string();
            prop_assert_eq!(format!("{sign}{}", with_point(&digits, usize::from(decimals))), text);
        } else {
            prop_assert!(value.is_zero() && text.starts_with('-'));
        }
    }
}

#[test]
fn the_edges_are_read_as_by_hand() {
    let nines = "9".repeat(38);
    let zeros = "0".repeat(255);
    for text in [
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775807",
        "-9223372036854775808",
        "922337203685477580.70",
        "1e18",
        "10e17",
        "1e19",
        "1e-255",
        "10e-256",
        "1e-256",
        "0e99999999999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        &nines,
        &format!("{nines}9"),
        &format!("0.{zeros}"),
        &format!("0.{zeros}0"),
        &format!("{zeros}{zeros}7"),
        "1.00000000000000000000000000000000000000",
        "1.0000000000000000000000000000000000000",
    ] {
        assert_eq!(ours(text), naive(text), "{text}");
    }
}
