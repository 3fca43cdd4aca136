//! Where everything lies in a region, and the header that says so.
//!
//! ```text
//! pair 0   header        what was built: sizes, bounds, incarnation; written once
//! pair 1   top           lock, state, number, stamp, best bid and ask │ the other stamps
//! pair 2   heartbeat     the writer's last sign of life; the number of the last publication
//! …        depth         lock, status, counts │ N bids │ N asks
//! …        log           intent │ tail │ latest checkpoint │ ring of records
//! …        checkpoints   two of: lock, place in the log, counts │ bids │ asks
//! ```
//! Parts begin at pairs of cache lines, because the processor fetches them in pairs. A reader
//! takes the sizes from the header once, checks them against the memory that it was given, and
//! from then on believes no index that it reads from shared words without masking it.

use super::checkpoint::{BufferWords, CHECKPOINT_HEAD, CheckpointWords};
use super::region::{LINE, PAIR};
use super::ring::RingWords;
use super::status::STATUS_WORDS;
use super::sync::{AtomicU64, Ordering, Site, order};
use crate::book::LEVELS_MAX;
use crate::local::{Reason, State};

/// First word of every publication: "gapless" and the number of the header's form.
const MAGIC: u64 = u64::from_be_bytes(*b"gapless\x01");
/// Says in which order the bytes of a word lie.
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
/// Every change of what a word means changes this text, and by its hash the layout's name; numbers
/// and codes that words hold are hashed after it.
const DESCRIPTION: &str = "header: magic layout order words depth ring levels silent incarnation; \
    top: lock standing seq published bid.price bid.qty ask.price ask.qty recv venue; \
    beat: ns version; depth: lock standing seq recv venue published counts | bids | asks; \
    log: intent | tail | latest | kind.bids.asks standing seq recv venue published levels; \
    checkpoint: lock place counts | bids | asks";
/// Name of this layout.
pub const LAYOUT: u64 = name_of_layout();

const fn name_of_layout() -> u64 {
    let numbers: [usize; 5] = [LINE, PAIR, STATUS_WORDS, CHECKPOINT_HEAD, HEADER_WORDS];
    let mut hash = fnv1a(FNV_BEGIN, DESCRIPTION.as_bytes());
    let mut rest: &[usize] = &numbers;
    while let [number, more @ ..] = rest {
        hash = fnv1a(hash, &number.to_le_bytes());
        rest = more;
    }
    // A state or reason that is put between others is another meaning of their numbers.
    let mut code = 0;
    while let Some(state) = State::from_code(code) {
        hash = fnv1a(hash, state.name().as_bytes());
        code += 1;
    }
    let mut reasons: &[Reason] = &Reason::ALL;
    while let [reason, more @ ..] = reasons {
        hash = fnv1a(hash, reason.name().as_bytes());
        reasons = more;
    }
    hash
}

/// Most levels a side that the depth may show.
pub const DEPTH_MAX: usize = 1_000;
/// Most slots of the log.
pub const RING_MAX: usize = 1 << 24;
/// Fewest slots of a log.
pub const RING_MIN: usize = 64;

/// Choices of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Levels a side that [`Reader::depth`](super::Reader::depth) can show: 1..=[`DEPTH_MAX`].
    pub depth: usize,
    /// Slots of the log of changes, of 16 bytes: a power of two in [`RING_MIN`]..=[`RING_MAX`]; a
    /// record takes three, and one for each level. 0: no log and no full depth.
    pub ring: usize,
    /// Levels a side for which the full depth has room: 1..=[`LEVELS_MAX`]. Each takes 32 bytes
    /// and, in [`Heap`](super::Heap), costs memory only once a book has so many.
    pub levels: usize,
    /// A writer that was silent for longer than this counts as dead, ns; `i64::MAX` = never. It
    /// must publish or beat at least twice as often.
    pub writer_silent_ns: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self { depth: 20, ring: 8_192, levels: 4_096, writer_silent_ns: 1_000_000_000 }
    }
}

impl Config {
    /// Words that a region must have for these choices.
    ///
    /// # Errors
    /// A choice is out of its bounds.
    pub fn words(&self) -> Result<usize, LayoutError> {
        Layout::of(self).map(|layout| layout.words)
    }
}

/// Why a region cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A choice is out of its bounds; the text names it.
    Config(&'static str),
    /// The region has fewer words than the publication needs.
    TooSmall {
        /// Words that it needs.
        needs: usize,
        /// Words that there are.
        has: usize,
    },
    /// A publication is there already: a new one takes a new region.
    Occupied,
    /// Nothing is there, or its writer has not finished making it.
    NoPublication,
    /// Made by a version with another layout, or by a machine with another byte order.
    OtherLayout {
        /// Name of its layout.
        found: u64,
    },
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(what) => write!(f, "{what} is out of bounds"),
            Self::TooSmall { needs, has } => {
                write!(f, "the region has {has} words, the publication needs {needs}")
            }
            Self::Occupied => f.write_str("the region already holds a publication"),
            Self::NoPublication => f.write_str("the region holds no publication"),
            Self::OtherLayout { found } => {
                write!(f, "the publication has layout {found:016x}, this reader {LAYOUT:016x}")
            }
        }
    }
}

impl core::error::Error for LayoutError {}

/// Words of the top: lock, status, best bid, best ask.
pub(super) type TopWords = [AtomicU64; 1 + STATUS_WORDS + 4];
/// Words of the depth before its levels: lock, status, counts.
pub(super) const DEPTH_HEAD: usize = LINE;

/// Places of the parts, in words from the region's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub config: Config,
    pub words: usize,
    /// Words of one side of the depth.
    side: usize,
    log: usize,
    /// Words of the log's slots.
    slots: usize,
    checkpoints: usize,
    /// Words of one side of a checkpoint.
    whole_side: usize,
}

/// The parts of the depth.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepthWords<'a> {
    pub head: &'a [AtomicU64; DEPTH_HEAD],
    pub bids: &'a [AtomicU64],
    pub asks: &'a [AtomicU64],
}

impl Layout {
    const TOP: usize = PAIR;
    const BEAT: usize = 2 * PAIR;
    const DEPTH: usize = Self::BEAT + PAIR;
    /// Intent, tail and latest checkpoint, each in a pair of lines of its own.
    const LOG_HEAD: usize = 3 * PAIR;

    pub(super) fn of(config: &Config) -> Result<Self, LayoutError> {
        if config.depth == 0 || config.depth > DEPTH_MAX {
            return Err(LayoutError::Config("depth"));
        }
        if config.writer_silent_ns <= 0 {
            return Err(LayoutError::Config("writer_silent_ns"));
        }
        let ring = config.ring;
        if ring != 0 && !(ring.is_power_of_two() && (RING_MIN..=RING_MAX).contains(&ring)) {
            return Err(LayoutError::Config("ring"));
        }
        if config.levels == 0 || config.levels > LEVELS_MAX {
            return Err(LayoutError::Config("levels"));
        }
        Ok(Self::place(config))
    }

    /// Puts the parts one after another.
    const fn place(config: &Config) -> Self {
        let side = (2 * config.depth).next_multiple_of(LINE);
        let log = (Self::DEPTH + DEPTH_HEAD + 2 * side).next_multiple_of(PAIR);
        let slots = 2 * config.ring;
        let checkpoints = log + Self::LOG_HEAD + slots;
        let whole_side = (2 * config.levels).next_multiple_of(LINE);
        let buffer = CHECKPOINT_HEAD + 2 * whole_side;
        let end = if slots == 0 { log } else { checkpoints + 2 * buffer };
        let words = end.next_multiple_of(PAIR);
        Self { config: *config, words, side, log, slots, checkpoints, whole_side }
    }

    /// Best bid and ask with their status; the lock first.
    #[inline(always)]
    pub(super) fn top(words: &[AtomicU64]) -> Option<&TopWords> {
        words.get(Self::TOP..)?.first_chunk()
    }

    /// The writer's last sign of life beside its publications.
    #[inline(always)]
    pub(super) fn beat(words: &[AtomicU64]) -> Option<&AtomicU64> {
        words.get(Self::BEAT)
    }

    /// Number of the last publication of which everything is stored.
    #[inline(always)]
    pub(super) fn version(words: &[AtomicU64]) -> Option<&AtomicU64> {
        words.get(Self::BEAT + 1)
    }

    /// The best levels of both sides.
    #[inline(always)]
    pub(super) fn depth<'a>(&self, words: &'a [AtomicU64]) -> Option<DepthWords<'a>> {
        let (head, levels) = words.get(Self::DEPTH..)?.split_first_chunk()?;
        let (bids, rest) = levels.split_at_checked(self.side)?;
        Some(DepthWords { head, bids, asks: rest.get(..self.side)? })
    }

    /// The log of changes; `None` if there is none.
    #[inline(always)]
    pub(super) fn ring<'a>(&self, words: &'a [AtomicU64]) -> Option<RingWords<'a>> {
        let (head, rest) = words.get(self.log..)?.split_at_checked(Self::LOG_HEAD)?;
        let (slots, _) = rest.get(..self.slots)?.as_chunks();
        let (intent, tail) = (head.first()?, head.get(PAIR)?);
        (!slots.is_empty()).then_some(RingWords { intent, tail, slots })
    }

    /// The copies of the whole book; `None` if there are none.
    #[inline(always)]
    pub(super) fn checkpoints<'a>(&self, words: &'a [AtomicU64]) -> Option<CheckpointWords<'a>> {
        let latest = words.get(self.log + 2 * PAIR).filter(|_| self.slots != 0)?;
        let (even, rest) = self.buffer(words.get(self.checkpoints..)?)?;
        let (odd, _) = self.buffer(rest)?;
        Some(CheckpointWords { latest, buffers: [even, odd] })
    }

    /// The checkpoint that begins here, and what follows it.
    #[inline(always)]
    fn buffer<'a>(&self, words: &'a [AtomicU64]) -> Option<(BufferWords<'a>, &'a [AtomicU64])> {
        let (head, rest) = words.split_first_chunk()?;
        let (bids, rest) = rest.split_at_checked(self.whole_side)?;
        let (asks, rest) = rest.split_at_checked(self.whole_side)?;
        Some((BufferWords { head, sides: [bids, asks] }, rest))
    }

    /// Says in a region what is built in it; the parts are ready.
    pub(super) fn write(&self, words: &[AtomicU64], incarnation: u64) -> Result<(), LayoutError> {
        let [magic, rest @ ..] = self.header(words)?;
        let values = [
            LAYOUT,
            BYTE_ORDER,
            self.words as u64,
            self.config.depth as u64,
            self.config.ring as u64,
            self.config.levels as u64,
            self.config.writer_silent_ns as u64,
            incarnation,
        ];
        rest.iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        // Pairs with the load in `read`: who sees it sees all of the above and the empty parts.
        magic.store(MAGIC, order(Site::HeaderWrite, Ordering::Release));
        Ok(())
    }

    /// The region is large enough and nothing is in it.
    pub(super) fn check_vacant(&self, words: &[AtomicU64]) -> Result<(), LayoutError> {
        let [magic, ..] = self.header(words)?;
        match magic.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(LayoutError::Occupied),
        }
    }

    /// The layout and the incarnation that a region's header states.
    pub(super) fn read(words: &[AtomicU64]) -> Result<(Self, u64), LayoutError> {
        let has = words.len();
        let [magic, rest @ ..] = words
            .first_chunk::<HEADER_WORDS>()
            .ok_or(LayoutError::TooSmall { needs: HEADER_WORDS, has })?;
        // Pairs with the store in `write`.
        match magic.load(order(Site::HeaderRead, Ordering::Acquire)) {
            MAGIC => {}
            0 => return Err(LayoutError::NoPublication),
            found => return Err(LayoutError::OtherLayout { found }),
        }
        let [layout, byte_order, total, depth, ring, levels, silent, incarnation] =
            rest.each_ref().map(|word| word.load(Ordering::Relaxed));
        if (layout, byte_order) != (LAYOUT, BYTE_ORDER) {
            return Err(LayoutError::OtherLayout { found: layout });
        }
        let size = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        let (depth, ring, levels) = (size(depth), size(ring), size(levels));
        let config = Config { depth, ring, levels, writer_silent_ns: silent as i64 };
        let stated = Self::of(&config)?;
        if stated.words != size(total) {
            return Err(LayoutError::OtherLayout { found: layout });
        }
        stated.header(words)?;
        Ok((stated, incarnation))
    }

    /// The header of a region that has room for everything.
    fn header<'a>(
        &self,
        words: &'a [AtomicU64],
    ) -> Result<&'a [AtomicU64; HEADER_WORDS], LayoutError> {
        let small = LayoutError::TooSmall { needs: self.words, has: words.len() };
        let enough = words.get(..self.words).ok_or(small)?;
        enough.first_chunk().ok_or(small)
    }
}

const HEADER_WORDS: usize = 9;

const FNV_BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

/// Also of the length, so that no two texts are another two.
const fn fnv1a(begin: u64, bytes: &[u8]) -> u64 {
    let (mut hash, mut rest) = (begin ^ bytes.len() as u64, bytes);
    while let [first, more @ ..] = rest {
        hash = (hash ^ *first as u64).wrapping_mul(0x0100_0000_01b3);
        rest = more;
    }
    hash
}
