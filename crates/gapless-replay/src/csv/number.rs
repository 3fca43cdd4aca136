//! A cell → an exact number, quickly.
//!
//! Almost every cell is a few digits with a point. Those are read in one pass that also finds the
//! cell's end; whatever is unusual goes to the full grammar of [`Decimal`], so both accept the
//! same texts (`the_quick_way_agrees_with_the_grammar`).

use gapless_book::decimal::Decimal;

/// `mantissa / 10^scale` with no trailing zero in the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Num {
    pub(super) mantissa: i64,
    pub(super) scale: u8,
}

/// Digits that cannot overflow an `i64`.
const QUICK_DIGITS: usize = 18;

/// Reads the number at the start of `text`; it ends at a comma or at the end of `text`. Returns
/// it with the length of its cell; `None` where the cell is no number that fits.
#[inline]
pub(super) fn read(text: &[u8]) -> Option<(Num, usize)> {
    let mut mantissa = 0i64;
    let whole = digits(text, 0, &mut mantissa);
    let (end, decimals) = match text.get(whole) {
        Some(b'.') => {
            let end = digits(text, whole + 1, &mut mantissa);
            (end, end - whole - 1)
        }
        _ => (whole, 0),
    };
    let pointed = usize::from(end != whole);
    let closed = matches!(text.get(end), None | Some(b','));
    if whole == 0 || !closed || end - pointed > QUICK_DIGITS || pointed != usize::from(decimals > 0)
    {
        return read_unusual(text);
    }
    // At most 18 digits stand there.
    let mut number = Num { mantissa, scale: decimals as u8 };
    if decimals > 0 && text.get(end - 1) == Some(&b'0') {
        number.trim();
    }
    Some((number, end))
}

/// Reads a number of at most 15 characters that ends at `end`, if it is written plainly; what
/// follows the end. Sixteen bytes are looked at, whatever they are.
///
/// Lengths of sizes are as good as random, so a loop over their digits is mispredicted at almost
/// every number; here the bytes are taken as one integer and nothing branches on them but refusals.
#[inline(always)]
pub(super) fn read_plain(text: &[u8], end: u8) -> Option<(Num, &[u8])> {
    let bytes = text.first_chunk::<16>()?;
    let (number, length) = read_short(bytes, end).or_else(|| read_long(bytes, end))?;
    Some((number, text.get(length as usize + 1..)?))
}

/// [`read_plain`] for the usual number, that ends within eight bytes; with the place of its end.
#[inline(always)]
fn read_short(bytes: &[u8; 16], end: u8) -> Option<(Num, u32)> {
    let [word, _] = words(bytes);
    let values = word ^ ZEROS;
    // The high bit of every byte that is no digit. A byte beyond ASCII may carry into the bytes
    // behind it, but is itself marked, and then neither point nor end.
    let marks = (values.wrapping_add(TO_HIGH_BIT) | values) & HIGH_BITS;
    let first = marks.trailing_zeros() / 8;
    let second = (marks & marks.wrapping_sub(1)).trailing_zeros() / 8;
    let byte = |at: u32| word.wrapping_shr(8 * at) as u8;
    let pointed = byte(first) == b'.';
    let (stop, point) = if pointed { (second, 1) } else { (first, 0) };
    // No digit, no end within the word, another end, or a point without digits behind it.
    if first == 0 || stop > 7 || byte(stop) != end || pointed && stop == first + 1 {
        return None;
    }
    // The digits without the point, shifted so that the last stands in the highest byte.
    let whole = !(u64::MAX << (8 * first));
    let joined = values & whole | (values >> (8 * point)) & !whole;
    let aligned = joined << (64 - 8 * (stop - point));
    let scale = (stop - first - point) as u8;
    let mut number = Num { mantissa: eight_digits(aligned) as i64, scale };
    if pointed && byte(stop - 1) == b'0' {
        number.trim();
    }
    Some((number, stop))
}

/// As [`read_short`] for numbers that end within sixteen bytes.
#[cold]
#[inline(never)]
fn read_long(bytes: &[u8; 16], end: u8) -> Option<(Num, u32)> {
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let first = bytes.iter().take_while(is_digit).count();
    let pointed = usize::from(bytes.get(first) == Some(&b'.'));
    let rest = bytes.get(first + pointed..)?;
    let decimals = rest.iter().take_while(is_digit).count() * pointed;
    let stop = first + pointed + decimals;
    if first == 0 || bytes.get(stop) != Some(&end) || pointed > decimals {
        return None;
    }
    let digits = bytes.iter().take(stop).filter(is_digit);
    let mantissa = digits.fold(0i64, |value, byte| value * 10 + i64::from(byte - b'0'));
    let mut number = Num { mantissa, scale: decimals as u8 };
    number.trim();
    Some((number, stop as u32))
}

/// Sixteen digits as an integer; `None` if one is no digit.
#[inline]
pub(super) fn sixteen_digits(bytes: &[u8; 16]) -> Option<i64> {
    let [high, low] = words(bytes).map(|word| word ^ ZEROS);
    let marks = |values: u64| (values.wrapping_add(TO_HIGH_BIT) | values) & HIGH_BITS;
    let value = || eight_digits(high) * 100_000_000 + eight_digits(low);
    (marks(high) | marks(low) == 0).then(|| value() as i64)
}

#[inline]
fn words(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);
/// Brings 10 and everything above it to the high bit of its byte.
const TO_HIGH_BIT: u64 = u64::from_le_bytes([0x80 - 10; 8]);

/// The value of eight digits, the first in the lowest byte: pairs, then fours, then all.
#[inline]
fn eight_digits(bytes: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = bytes.wrapping_mul(10).wrapping_add(bytes >> 8);
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    outer.wrapping_add(inner) >> 32
}

/// Reads digits from `at` on into `mantissa`, which wraps if there are too many; the offset after
/// them.
#[inline]
fn digits(text: &[u8], at: usize, mantissa: &mut i64) -> usize {
    let mut end = at;
    for byte in text.get(at..).unwrap_or(&[]) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
        end += 1;
    }
    end
}

impl Num {
    #[cold]
    fn trim(&mut self) {
        while self.scale > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.scale -= 1;
        }
    }
}

#[cold]
fn read_unusual(text: &[u8]) -> Option<(Num, usize)> {
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    let value = Decimal::parse(text.get(..end)?).ok()?;
    Some((Num { mantissa: value.mantissa(), scale: value.scale() }, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Found = Option<(Decimal, usize)>;

    fn both(text: &[u8]) -> (Found, Found) {
        let end = text.iter().position(|b| *b == b',').unwrap_or(text.len());
        let full = Decimal::parse(&text[..end]).ok().map(|value| (value, end));
        (read(text).map(|(n, end)| (Decimal::new(n.mantissa, n.scale), end)), full)
    }

    #[test]
    fn the_plain_way_reads_plain_numbers_only() {
        let read = |text: &str| {
            let padded = format!("{text}................");
            let (number, rest) = read_plain(padded.as_bytes(), b',')?;
            Some((number.mantissa, number.scale, rest.len() - 16))
        };
        assert_eq!(read("91230.15,x"), Some((9_123_015, 2, 1)));
        assert_eq!(read("0,"), Some((0, 0, 0)));
        assert_eq!(read("0.001,"), Some((1, 3, 0)));
        assert_eq!(read("1.50,"), Some((15, 1, 0)));
        assert_eq!(read("91229.00,"), Some((91_229, 0, 0)));
        assert_eq!(read("100.0000000000,"), Some((100, 0, 0)));
        for text in ["", ",", "5", ".5,", "5.,", "-1,", "1e3,", "1.2.3,", "5\n"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("123456789012345,"), Some((123_456_789_012_345, 0, 0)));
        assert_eq!(read("0.0000000000001,"), Some((1, 13, 0)));
        assert_eq!(read("9999999999999.9,x"), Some((99_999_999_999_999, 1, 1)));
        assert_eq!(read("1234567890123456,"), None);
        assert_eq!(read_plain(b"1,2", b','), None);
    }

    #[test]
    fn sixteen_digits_are_one_number_or_none() {
        assert_eq!(sixteen_digits(b"1617647603816491"), Some(1_617_647_603_816_491));
        assert_eq!(sixteen_digits(b"9999999999999999"), Some(9_999_999_999_999_999));
        for at in 0..16 {
            for byte in [b'/', b':', b'.', b' ', 0, 0x80, 0xff] {
                let mut text = *b"1617647603816491";
                text[at] = byte;
                assert_eq!(sixteen_digits(&text), None);
            }
        }
    }

    #[test]
    fn unusual_numbers_are_read_by_the_full_grammar() {
        for text in [
            "0",
            "0.0",
            "-0",
            "1e-7,",
            "1.50,x",
            "",
            ",",
            ".5",
            "5.",
            "1.",
            "00012",
            "1.2.3",
            "-1.5",
            "123456789012345678",
            "1234567890123456789",
            "9223372036854775807",
            "9223372036854775808",
            "0.123456789012345678",
            "0.12345678901234567890",
            "1234567890.12345678",
            "9999999999999999.0000000000000000",
            "12345678901234567.8,",
            "123456789012345678.5",
            "1 ",
            "NaN",
            "0.00000000",
        ] {
            let (quick, full) = both(text.as_bytes());
            assert_eq!(quick, full, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_agrees_with_the_grammar(text in "[0-9.eE,+-]{0,24}") {
            let (quick, full) = both(text.as_bytes());
            prop_assert_eq!(quick, full);
            let padded = format!("{text},{}", "\u{e9}".repeat(16));
            if let Some((plain, rest)) = read_plain(padded.as_bytes(), b',') {
                let length = padded.len() - rest.len() - 1;
                prop_assert_eq!(Some((Decimal::new(plain.mantissa, plain.scale), length)), full);
                prop_assert_eq!(Some((plain, length)), read(text.as_bytes()));
            }
        }

        #[test]
        fn plain_numbers_agree_too(whole in 0u64..100_000_000, digits in "[0-9]{0,10}") {
            let point = if digits.is_empty() { "" } else { "." };
            let text = format!("{whole}{point}{digits}");
            let (quick, full) = both(text.as_bytes());
            prop_assert_eq!(quick, full);
            prop_assert!(quick.is_some());
            let padded = format!("{text}\n{text:>20}");
            let plain = read_plain(padded.as_bytes(), b'\n');
            prop_assert_eq!(plain.is_some(), text.len() < 16);
            if let Some((plain, _)) = plain {
                let quick = read(text.as_bytes()).map(|(number, _)| number);
                prop_assert_eq!(Some(plain), quick);
            }
        }
    }
}
