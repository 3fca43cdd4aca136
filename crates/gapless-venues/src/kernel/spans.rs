//! Where the numbers of a few blocks are, between the two passes of a vector kernel.
//!
//! The one invariant: every offset, used or not, is one that [`Spans::new`] or the first pass put
//! there, so none is below [`LEAD`] and none more than 64 beyond the frame's end.
//! The second pass loads around all of them without asking again.

use super::grammar::Grammar;
use super::{Frame, Shape, portable};
use gapless_book::event::{Level, Scales};

/// Bytes of a frame before its first level array may start: a number's load begins before it.
pub(super) const LEAD: usize = 16;

/// Blocks between two conversions.
pub(super) const BLOCKS: usize = 4;

/// Most numbers that begin in one block: no two are closer than 4 bytes.
pub(super) const PER_BLOCK: usize = 16;

/// Numbers converted at once.
pub(super) const LANES: usize = 8;

/// Digits of a number that are converted, after zeros beyond the scale were taken off.
pub(super) const DIGITS: u8 = 15;

/// Furthest byte after a number's stop that is loaded: its decimals, then zeros beyond the scale.
pub(super) const REACH: usize = 16 + 16;

/// What some blocks give, what was left before them, and a vector to spare.
const CAPACITY: usize = (BLOCKS + 1) * PER_BLOCK + LANES;

/// What the first pass finds in a block.
pub(super) struct Found {
    /// Offset of the block in the frame.
    pub(super) base: u32,
    /// First digits of prices and sizes. Bit = byte, lowest first, here and below.
    pub(super) starts: u64,
    /// The bytes after their integer parts.
    pub(super) stops: u64,
    /// The bytes after them.
    pub(super) ends: u64,
    /// Offset after the array, if it ends here.
    pub(super) end: Option<usize>,
}

/// Whether offsets fit and loads around an array at `at` stay in the frame.
#[inline(always)]
pub(super) fn fits(frame: Frame<'_>, at: usize) -> bool {
    (LEAD..frame.len()).contains(&at) && frame.len() < u32::MAX as usize / 2
}

/// Reads what a conversion leaves to be read otherwise.
pub(super) struct Special<'a> {
    pub(super) shape: Shape,
    pub(super) frame: Frame<'a>,
    pub(super) scales: Scales,
}

impl Special<'_> {
    /// Reads the words of actions, and reads the levels again that have a number marked in `odd`.
    /// `start` is where the numbers of the levels start.
    #[inline(never)]
    pub(super) fn read<G: Grammar>(
        &self,
        start: &[u32; LANES],
        odd: u8,
        levels: &mut [Level],
    ) -> Option<()> {
        if G::ACTION.is_some() {
            return (odd == 0 && self.actions(start, levels)).then_some(());
        }
        let lead = *G::ENDS.first()?;
        for (index, level) in levels.iter_mut().enumerate() {
            if odd >> (2 * index) & 3 != 0 {
                let at = (*start.get(2 * index)? as usize).checked_sub(lead)?;
                (*level, _) = portable::level(self.shape, self.frame, at, self.scales)?;
            }
        }
        Some(())
    }

    /// Makes the size of each delete zero. Says whether all words are known.
    fn actions(&self, start: &[u32; LANES], levels: &mut [Level]) -> bool {
        levels.iter_mut().zip(start.iter().step_by(2)).all(|(level, start)| {
            // The text has `",` before the price, so the word ends 2 bytes before it.
            let begin = (*start as usize).checked_sub(2 + 8);
            let word = begin.and_then(|begin| self.frame.padded().get(begin..)?.first_chunk());
            match word {
                Some(b"[\"delete") => level.qty = 0,
                Some(b"[\"change" | [_, _, _, b'[', b'"', b'n', b'e', b'w']) => {}
                _ => return false,
            }
            true
        })
    }
}

/// Offsets in the frame of prices and sizes in turn.
pub(super) struct Spans {
    start: Offsets,
    stop: Offsets,
    end: Offsets,
}

/// A list of offsets.
struct Offsets {
    list: [u32; CAPACITY],
    len: usize,
}

impl Offsets {
    /// Adds `count` offsets, which `write` writes, with offsets in or just behind the block after
    /// them.
    #[inline(always)]
    fn push(&mut self, count: u32, write: impl FnOnce(&mut [u32; PER_BLOCK])) -> Option<()> {
        write(self.list.get_mut(self.len..)?.first_chunk_mut()?);
        self.len += count as usize;
        Some(())
    }

    #[inline(always)]
    fn keep_from(&mut self, done: usize) -> Option<()> {
        // Less than a vector of whole numbers and one begun are left.
        let left: [u32; PER_BLOCK] = *self.list.get(done..)?.first_chunk()?;
        *self.list.first_chunk_mut()? = left;
        self.len -= done;
        Some(())
    }

    #[inline(always)]
    fn at(&self, from: usize) -> Option<&[u32; LANES]> {
        self.list.get(from..)?.first_chunk()
    }
}

impl Spans {
    /// None yet, for an array at offset `at` that [`fits`].
    #[inline(always)]
    pub(super) fn new(at: usize) -> Self {
        let offsets = || Offsets { list: [at as u32; CAPACITY], len: 0 };
        Self { start: offsets(), stop: offsets(), end: offsets() }
    }

    /// Adds the numbers of a block. `write` writes one of `lists`, which are the offsets of starts,
    /// stops and ends, with offsets in or just behind the block after them.
    #[inline(always)]
    pub(super) fn push<L>(
        &mut self,
        found: &Found,
        lists: &[L; 3],
        write: impl Fn(&L, &mut [u32; PER_BLOCK]),
    ) -> Option<()> {
        let [starts, stops, ends] = lists;
        self.start.push(found.starts.count_ones(), |into| write(starts, into))?;
        self.stop.push(found.stops.count_ones(), |into| write(stops, into))?;
        self.end.push(found.ends.count_ones(), |into| write(ends, into))
    }

    /// Drops the first `done` numbers, which is all but less than a vector of them.
    #[inline(always)]
    pub(super) fn keep_from(&mut self, done: usize) -> Option<()> {
        self.start.keep_from(done)?;
        self.stop.keep_from(done)?;
        self.end.keep_from(done)
    }

    /// How many numbers are known to their end.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.end.len
    }

    /// Starts, stops and ends of the numbers from the `from`th on.
    #[inline(always)]
    pub(super) fn at(&self, from: usize) -> Option<[&[u32; LANES]; 3]> {
        Some([self.start.at(from)?, self.stop.at(from)?, self.end.at(from)?])
    }
}
