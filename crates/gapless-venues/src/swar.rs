//! Eight bytes of text in a plain `u64`, the first one lowest.
//!
//! The one invariant: no operation carries from one byte into the next, so every answer is exact
//! for any bytes. The portable kernel and the templates are built of these.

/// `b` in all eight bytes.
pub(crate) const fn spread(b: u8) -> u64 {
    u64::from_ne_bytes([b; 8])
}

/// The high bit of every byte of `word` that is not 0..=9.
#[inline(always)]
pub(crate) const fn above_nine(word: u64) -> u64 {
    let carried = (word & spread(0x7f)).wrapping_add(spread(0x80 - 10));
    (carried | word) & spread(0x80)
}

/// The first `count` bytes of `word`, the rest zero.
#[inline(always)]
pub(crate) const fn below(word: u64, count: usize) -> u64 {
    if count >= 8 { word } else { word & !(u64::MAX << (8 * count)) }
}

/// The value of eight digits 0..=9.
#[inline(always)]
pub(crate) const fn value(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let tens = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    // The first and third pair in one product, the second and fourth in the other.
    let odd = (tens & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let even = (tens >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    odd.wrapping_add(even) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart_in_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                for around in [0, 9, 10, 0x7f, 0x80, 0xff] {
                    let mut bytes = [around; 8];
                    bytes[place] = byte;
                    let word = u64::from_le_bytes(bytes);
                    let high = |marks: u64| marks >> (8 * place + 7) & 1 == 1;
                    assert_eq!(high(above_nine(word)), byte > 9);
                    assert_eq!(above_nine(word) & !spread(0x80), 0);
                }
            }
        }
    }

    #[test]
    fn digits_have_the_value_that_they_spell() {
        for number in [0, 7, 12_345_678, 99_999_999, 10_000_001] {
            let text = format!("{number:08}");
            let word = u64::from_le_bytes(text.as_bytes().try_into().unwrap()) ^ spread(b'0');
            assert_eq!(value(word), number);
        }
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(below(u64::MAX, 3), 0xff_ffff);
        assert_eq!(below(u64::MAX, 8), u64::MAX);
    }
}
