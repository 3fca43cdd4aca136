//! A part of a frame as it was the last time, byte by byte: while its numbers keep their lengths,
//! it is compared in one go and its numbers are where they were.
//!
//! The one invariant: a [`Layout`] reads only parts of its own length whose other bytes are its
//! own and whose numbers are digits without a superfluous zero, each as long as it was. What is
//! laid out otherwise, the template reads piece by piece and has fitted again.

use crate::kernel::{self, CHUNK, Chunk, DIGITS, Digits, Frame, Isa};
use crate::template::{Fields, IsoDate, Slot, iso_nanos_near};

/// How a part of a frame is laid out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    chunks: Vec<Chunk>,
    digits: Vec<Digits>,
    /// What each of these is.
    slots: Vec<Slot>,
    times: Vec<Time>,
    /// Length of the part.
    len: usize,
    /// It is known.
    fits: bool,
    /// The part if it is short and has no number, which is what stands between and behind arrays:
    /// its bytes, and which of them count.
    short: Option<[u128; 2]>,
    /// Parts that were of this kind but not so laid out, since the last that was.
    misses: u8,
    /// So many of them, and it is fitted anew.
    patience: u8,
}

/// Parts laid out differently before a layout is fitted anew, at first and at most: some numbers
/// change their length with every frame (checksums), others once in years (ids).
const PATIENCE: [u8; 2] = [8, 128];

/// Chunks that there is room for beyond those of the first frame, so that numbers which gain a
/// digit while a feed runs make nothing grow.
const SPARE: usize = 4;

/// Most bytes of a part that is compared at once.
const SHORT: usize = size_of::<u128>();

/// An ISO 8601 time that keeps its place.
#[derive(Clone, Copy, Debug)]
struct Time {
    slot: Slot,
    /// Offset in the part of its first byte.
    at: usize,
    len: usize,
    date: IsoDate,
}

impl Layout {
    /// Knows nothing; the next part is fitted.
    pub(crate) fn forget(&mut self) {
        (self.fits, self.short) = (false, None);
        [self.patience, _] = PATIENCE;
        self.misses = self.patience;
    }

    /// Counts a part that was not so laid out. Says whether it is time to fit it.
    pub(crate) fn missed(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        self.misses > self.patience
    }

    /// The offset after the part, if it stands at `at` and is so laid out.
    #[inline]
    pub(crate) fn read(
        &mut self,
        isa: Isa,
        frame: Frame<'_>,
        at: usize,
        fields: &mut Fields,
    ) -> Option<usize> {
        if let Some([bytes, literal]) = self.short {
            let text = frame.padded().get(at..)?.first_chunk::<SHORT>()?;
            let differing = (u128::from_le_bytes(*text) ^ bytes) & literal;
            return (differing == 0).then_some(at + self.len);
        }
        self.read_long(isa, frame, at, fields)
    }

    #[inline]
    fn read_long(
        &mut self,
        isa: Isa,
        frame: Frame<'_>,
        at: usize,
        fields: &mut Fields,
    ) -> Option<usize> {
        if !self.fits {
            return None;
        }
        let mut numbers = [0; Slot::Bids as usize];
        if !kernel::part(isa, frame, at, &self.chunks, &self.digits, &mut numbers) {
            return None;
        }
        for (slot, number) in self.slots.iter().zip(&numbers) {
            fields.set(*slot, *number);
        }
        for time in &mut self.times {
            let text = frame.padded().get(at + time.at..)?;
            let (nanos, len) = iso_nanos_near(text, &mut time.date)?;
            if len != time.len {
                return None;
            }
            fields.set(time.slot, nanos);
        }
        self.misses = 0;
        Some(at + self.len)
    }

    /// Learns how the part at `from`, which ends with `frame`, is laid out. `spans` are its
    /// numbers: what they are, and where they begin and end.
    pub(crate) fn fit(&mut self, frame: &[u8], from: usize, spans: &[(Slot, usize, usize)]) {
        self.misses = 0;
        self.patience = self.patience.saturating_mul(2).min(PATIENCE[1]);
        self.len = frame.len() - from;
        self.chunks.clear();
        self.digits.clear();
        self.slots.clear();
        self.times.clear();
        self.fits = spans.iter().all(|span| self.place(frame, from, *span).is_some());
        let in_number =
            |at: usize| spans.iter().any(|(_, start, end)| (*start..*end).contains(&at));
        let chunks = self.len.div_ceil(CHUNK);
        if self.chunks.capacity() < chunks {
            self.chunks.reserve_exact(chunks + SPARE);
        }
        for base in (from..frame.len()).step_by(CHUNK) {
            let mut chunk = Chunk::default();
            let bytes = frame.iter().enumerate().skip(base).take(CHUNK);
            let places = chunk.bytes.iter_mut().zip(&mut chunk.literal).zip(bytes);
            for ((byte, literal), (at, is)) in places {
                (*byte, *literal) = (*is, if in_number(at) { 0 } else { u8::MAX });
            }
            self.chunks.push(chunk);
        }
        let text = frame.get(from..).unwrap_or_default();
        self.short = if spans.is_empty() { short(text) } else { None };
    }

    /// Keeps the place of a number. `None` if it is signed, too long or stands too near to the
    /// frame's start.
    fn place(&mut self, frame: &[u8], from: usize, span: (Slot, usize, usize)) -> Option<()> {
        let (slot, start, end) = span;
        let text = frame.get(start..end)?;
        if text.get(4) == Some(&b'-') {
            let date = IsoDate::default();
            self.times.push(Time { slot, at: start - from, len: text.len(), date });
            return Some(());
        }
        if text.first() == Some(&b'-') || end < DIGITS {
            return None;
        }
        self.digits.push(Digits::new(end - from, text.len())?);
        self.slots.push(slot);
        Some(())
    }
}

/// A part of a few bytes as [`Layout::short`].
fn short(text: &[u8]) -> Option<[u128; 2]> {
    let (mut bytes, mut literal) = ([0; SHORT], [0; SHORT]);
    bytes.get_mut(..text.len())?.copy_from_slice(text);
    literal.get_mut(..text.len())?.fill(u8::MAX);
    Some([u128::from_le_bytes(bytes), u128::from_le_bytes(literal)])
}
