//! Level arrays read at the speed of the hardware: one kernel per instruction set, all checking
//! every byte.
//!
//! The one invariant: what a kernel accepts, the general parser accepts with the same values
//! (`gapless_book::decimal::Decimal`); whatever a kernel does not like it refuses whole, and the
//! caller's general parser decides. All kernels accept exactly the same arrays. Frames come from
//! [`FrameBuf`]; levels go into the caller's buffer, integers at the scales that the caller knows.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod both;
mod forms;
mod frame;
#[cfg(target_arch = "x86_64")]
mod grammar;
#[cfg(target_arch = "x86_64")]
mod padded;
mod part;
mod portable;
#[cfg(target_arch = "x86_64")]
mod ragged;
#[cfg(target_arch = "x86_64")]
mod spans;

use crate::scan::STRING_MAX;
use gapless_book::decimal::SCALE_MAX;
use gapless_book::event::{Level, Scales};
#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

pub(crate) use both::joins;
pub use both::{Between, both};
pub use frame::{Frame, FrameBuf, PAD};
pub(crate) use part::{CHUNK, Chunk, DIGITS, Digits, part};

/// Most levels that one array may have; longer ones are refused (reliability.md 2.3).
pub const LEVELS_MAX: usize = 20_000;

/// An instruction set that this machine has: holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Isa {
    /// Safe code without vectors; every machine has it.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The fastest that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// Everything that this machine has, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        vector_kinds().into_iter().flatten().chain([Kind::Portable]).map(Self)
    }

    /// Its name in reports: `avx512`, `avx2`, `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            Kind::Portable => "portable",
        }
    }
}

/// The vector instruction sets of this machine, fastest first.
#[cfg(target_arch = "x86_64")]
fn vector_kinds() -> [Option<Kind>; 2] {
    // Asked once: `cpuid` leaves a virtual machine, which takes microseconds.
    static KINDS: OnceLock<[Option<Kind>; 2]> = OnceLock::new();
    *KINDS.get_or_init(detect_kinds)
}

/// The only place where a vector [`Kind`] is made.
#[cfg(target_arch = "x86_64")]
fn detect_kinds() -> [Option<Kind>; 2] {
    let scalar = is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2");
    let avx2 = is_x86_feature_detected!("avx2") && !spreads_bits_slowly();
    [(scalar && avx512).then_some(Kind::Avx512), (scalar && avx2).then_some(Kind::Avx2)]
}

/// Whether `pdep` is microcode here (AMD before Zen 3): the portable kernel is faster then.
#[cfg(target_arch = "x86_64")]
fn spreads_bits_slowly() -> bool {
    use core::arch::x86_64::__cpuid;
    let vendor = __cpuid(0);
    let amd =
        [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat() == b"AuthenticAMD";
    let version = __cpuid(1).eax;
    let family = (version >> 8 & 0xf) + (version >> 20 & 0xff);
    amd && family < 0x19
}

#[cfg(not(target_arch = "x86_64"))]
const fn vector_kinds() -> [Option<Kind>; 0] {
    []
}

/// How a venue writes its level arrays; compact JSON in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[["price","size"],…]`: Binance, Bybit.
    QuotedPairs,
    /// `[["price","size","0","orders"],…]`: OKX. Elements after the second are any quoted digits
    /// and are ignored.
    QuotedQuads,
    /// `[["new",price,size],["change",price,size],["delete",price,0],…]`: Deribit. A delete gives
    /// size 0.
    ActionTriples,
    /// `[{"price":price,"amount":size},…]`: Tardis, normalized.
    PriceAmount,
}

/// How the arrays of one kind of frame are written, and at which scales their levels come out.
#[derive(Clone, Copy, Debug)]
pub struct Arrays {
    /// Their shape.
    pub shape: Shape,
    /// Scales of the levels.
    pub scales: Scales,
    /// How many are taken for ragged before it is asked again: each number of theirs has its own
    /// number of decimals. Tells what is tried first, and changes no answer.
    ragged: u8,
}

impl Arrays {
    /// Arrays that are taken for ragged after one that was.
    const RAGGED: u8 = 32;

    /// Arrays of which none was read.
    #[must_use]
    pub const fn new(shape: Shape, scales: Scales) -> Self {
        Self { shape, scales, ragged: 0 }
    }

    /// As [`Arrays::new`], where the numbers of a symbol are known not to be padded with zeros.
    #[must_use]
    pub const fn ragged(shape: Shape, scales: Scales) -> Self {
        Self { shape, scales, ragged: Self::RAGGED }
    }

    /// Whether the next one is taken for ragged.
    #[inline]
    const fn take_ragged(&mut self) -> bool {
        let is_ragged = self.ragged > 0;
        self.ragged = self.ragged.saturating_sub(1);
        is_ragged
    }

    /// One was not padded as it was taken for.
    #[inline]
    const fn was_ragged(&mut self) {
        self.ragged = Self::RAGGED;
    }
}

/// Reads the whole array of levels that starts at byte `at` of `frame` and appends its levels to
/// `out`. Returns the offset just after the array.
///
/// `None`, with `out` as it was: the bytes are not such an array in its compact form, or hold what
/// the fast path leaves to the general parser: white space, escapes, exponents, signs, more
/// decimals than the scale (zeros apart), more than 15 digits that count, more than 38 with the
/// zeros, values beyond `i64`, more than [`LEVELS_MAX`] levels, or quads of more than
/// [`STRING_MAX`] bytes.
#[inline]
pub fn levels(
    isa: Isa,
    arrays: &mut Arrays,
    frame: Frame<'_>,
    at: usize,
    out: &mut Vec<Level>,
) -> Option<usize> {
    let (before, scales) = (out.len(), arrays.scales);
    if at >= frame.len() || scales.price > SCALE_MAX || scales.qty > SCALE_MAX {
        return None;
    }
    if frame.padded().get(at..at + 2)? == b"[]" {
        return Some(at + 2).filter(|end| *end <= frame.len());
    }
    let read = match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => {
            // SAFETY: only `detect_kinds` makes this kind, after it found each of the features.
            unsafe { avx512::levels(arrays, frame, at, out) }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => {
            // SAFETY: as above.
            unsafe { avx2::levels(arrays, frame, at, out) }
        }
        Kind::Portable => None,
    };
    let read = read.or_else(|| {
        out.truncate(before);
        portable::levels(arrays, frame, at, out)
    });
    // What follows the two numbers of a quad may be any run of digits, but no string that long.
    let most = if arrays.shape == Shape::QuotedQuads { at + STRING_MAX } else { usize::MAX };
    let end = read.filter(|end| *end <= frame.len().min(most));
    if end.is_none() {
        out.truncate(before);
    }
    end
}

/// The digits at the start of `text` as a number, and how many they are. `None`: no digit, beyond
/// `i64`, or fewer than 24 bytes of text.
#[inline]
pub(crate) fn leading_integer(text: &[u8]) -> Option<(i64, usize)> {
    portable::leading_integer(text)
}
