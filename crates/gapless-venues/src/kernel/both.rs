//! The two arrays of a frame in one pass, where a short text stands between them: most frames have
//! a handful of levels a side, and half of what reading such an array costs is beginning with it.
//!
//! The one invariant: what is read so, [`super::levels`] reads alike, array by array, with the
//! text between them compared. What is not read so is no refusal; it is read array by array.

#[cfg(target_arch = "x86_64")]
use super::padded;
#[cfg(target_arch = "x86_64")]
use super::spans::{DIGITS, fits};
use super::{Arrays, Frame, Isa, Kind, Shape};
use gapless_book::event::Level;

/// Bytes to the end of a frame above which its arrays are long, and nothing is saved.
#[cfg(target_arch = "x86_64")]
const BYTES_MAX: usize = 2_048;

/// What stands between two arrays of pairs, with the marks that end the first and open the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    bytes: u128,
    /// Which of them count.
    literal: u128,
    len: u32,
}

impl Between {
    /// Between arrays of a shape. `None` for another shape than pairs, and for more than ten bytes.
    #[must_use]
    pub fn new(shape: Shape, text: &[u8]) -> Option<Self> {
        const CLOSE: &[u8] = b"\"]]";
        const OPEN: &[u8] = b"[[\"";
        let mut bytes = [0; size_of::<u128>()];
        let mut len = 0;
        for part in [CLOSE, text, OPEN] {
            bytes.get_mut(len..len + part.len())?.copy_from_slice(part);
            len += part.len();
        }
        let literal = u128::MAX >> (u128::BITS as usize - 8 * len);
        let between = Self { bytes: u128::from_le_bytes(bytes), literal, len: len as u32 };
        (shape == Shape::QuotedPairs).then_some(between)
    }

    /// Number of its bytes, marks included.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the bytes from `at` on are these.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn stands_at(&self, frame: Frame<'_>, at: usize) -> bool {
        let text = frame.padded().get(at..).and_then(<[u8]>::first_chunk);
        text.is_some_and(|text| (u128::from_le_bytes(*text) ^ self.bytes) & self.literal == 0)
    }
}

/// Whether an instruction set may read two arrays at once.
#[inline]
pub(crate) const fn joins(isa: Isa) -> bool {
    !matches!(isa.0, Kind::Portable)
}

/// Reads the array of levels at byte `at` and, behind `between`, the next one; their levels are
/// appended to `out`. Returns how many are the first array's, and the offset after the second.
///
/// `None`, with `out` as it was: there are no two arrays so joined, one is empty, they are long, or
/// this instruction set gains nothing; [`super::levels`] is asked then.
#[inline]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn both(
    isa: Isa,
    arrays: &mut Arrays,
    frame: Frame<'_>,
    at: usize,
    between: &Between,
    out: &mut Vec<Level>,
) -> Option<(usize, usize)> {
    let before = out.len();
    let read = match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 | Kind::Avx2 => {
            // SAFETY: only `detect_kinds` makes these kinds, after it found each of the features.
            unsafe { vectors(arrays, frame, at, between, out) }
        }
        Kind::Portable => None,
    };
    let read = read.filter(|(_, end)| *end <= frame.len());
    if read.is_none() {
        out.truncate(before);
    }
    read
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn vectors(
    arrays: &Arrays,
    frame: Frame<'_>,
    at: usize,
    between: &Between,
    out: &mut Vec<Level>,
) -> Option<(usize, usize)> {
    let scales = arrays.scales;
    // Where each number has its own form, one frame in five has an empty array, and finding that
    // out costs the others what one pass saves them.
    let short = fits(frame, at) && frame.len() - at <= BYTES_MAX && arrays.ragged == 0;
    if !short || scales.price >= DIGITS || scales.qty >= DIGITS {
        return None;
    }
    padded::both(frame, at, between, scales, out)
}
