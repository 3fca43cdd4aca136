//! A sparse grid over a window of keys: a directory of chunks, chunks of pages, pages of sizes.
//!
//! Keys ascend from the best price. Invariant: every level has a page, every page a chunk, and
//! every chunk its bit in `held`. A page that empties stays, because the next level often comes
//! where the last one went; it is taken back before the pages would need more memory, as
//! is a block that has become thin before the blocks would.

use super::page::{Block, PAGE_BITS, Page};
use super::pool::Pool;
use crate::event::Level;
use alloc::vec::Vec;

/// Keys in a chunk, as a power of two.
const CHUNK_BITS: u32 = 11;
/// Pages in a chunk.
const PLACES: usize = 1 << (CHUNK_BITS - PAGE_BITS);
/// Most chunks in the window.
const DIRECTORY_MAX: usize = 8_192;
/// Chunks that a directory grows by at least.
const DIRECTORY_STEP: usize = 64;
/// One past the number of the last chunk of all keys.
const CHUNKS_END: u64 = 1 << (64 - CHUNK_BITS);

/// Marks the index of a block in a chunk; any other is that of a thin page.
const DENSE: u16 = 1 << 15;

/// Index of each page of a chunk; 0 where there is none.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Chunk([u16; PLACES]);

impl Chunk {
    const NONE: Self = Self([0; PLACES]);

    /// Index of the page at a place.
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "there are PLACES of them")]
    const fn at(&self, place: usize) -> u16 {
        self.0[place % PLACES]
    }

    /// As [`Chunk::at`].
    #[inline(always)]
    #[allow(clippy::indexing_slicing, reason = "there are PLACES of them")]
    const fn at_mut(&mut self, place: usize) -> &mut u16 {
        &mut self.0[place % PLACES]
    }
}

/// The levels of one side whose keys lie in the window.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Number of the first chunk of the window.
    base: u64,
    /// Index of each chunk of the window; 0 where there is none.
    directory: Vec<u16>,
    held: Vec<u64>,
    chunks: Pool<Chunk>,
    /// The places of each chunk that have a page, one bit each.
    places: Vec<u32>,
    pages: Pool<Page>,
    blocks: Pool<Block>,
}

impl Grid {
    pub(super) const fn new() -> Self {
        Self {
            base: 0,
            directory: Vec::new(),
            held: Vec::new(),
            chunks: Pool::new(),
            places: Vec::new(),
            pages: Pool::new(),
            blocks: Pool::new(),
        }
    }

    /// Sets the size of a key and returns the one before (0: none).
    ///
    /// `None` if the key is outside the window, or is not held and has no slot yet; nothing
    /// changed then.
    #[inline(always)]
    pub(super) fn put(&mut self, key: u64, qty: i64) -> Option<i64> {
        let chunk = self.chunks.get(*self.directory.get(self.number(key))?)?;
        let index = chunk.at(place(key));
        if index & DENSE == 0 {
            return self.pages.get_mut(index)?.put(key, qty);
        }
        Some(self.blocks.get_mut(index & !DENSE)?.put(key, qty))
    }

    /// Size of a key, 0 if it is not held.
    #[inline]
    pub(super) fn get(&self, key: u64) -> i64 {
        let chunk = self.chunk(self.number(key));
        let leaf = chunk.and_then(|chunk| self.leaf(chunk.at(place(key))));
        leaf.map_or(0, |leaf| leaf.get(key))
    }

    /// Whether a key lies in the window.
    #[inline]
    pub(super) fn covers(&self, key: u64) -> bool {
        self.number(key) < self.directory.len()
    }

    /// First and last key of the window; `None` while there is no window.
    pub(super) fn window(&self) -> Option<(u64, u64)> {
        let last = (self.directory.len() as u64).checked_sub(1)?;
        let end = ((self.base + last) << CHUNK_BITS) | ((1 << CHUNK_BITS) - 1);
        Some((self.base << CHUNK_BITS, end))
    }

    /// Levels in order; none may be before `key`.
    pub(super) fn walk_from(&self, key: u64) -> Walk<'_> {
        Walk::from(self, key)
    }

    /// Last level.
    pub(super) fn last(&self) -> Option<u64> {
        (0..self.directory.len()).rev().find_map(|number| {
            let chunk = self.chunk(number).filter(|_| self.is_held(number))?;
            let mut places = chunk.0.iter().enumerate().rev().filter(|(_, index)| **index != 0);
            places.find_map(|(place, index)| {
                let present = self.leaf(*index)?.present();
                let last = self.first_key(number, place) + highest(present) as u64;
                (present != 0).then_some(last)
            })
        })
    }

    /// Removes every level; memory stays.
    pub(super) fn clear(&mut self) {
        self.directory.clear();
        self.held.clear();
        self.chunks.clear();
        self.places.clear();
        self.pages.clear();
        self.blocks.clear();
    }

    /// Bytes that the grid has from the allocator.
    pub(super) fn memory_bytes(&self) -> usize {
        self.directory.capacity() * size_of::<u16>()
            + self.held.capacity() * size_of::<u64>()
            + self.chunks.memory_bytes()
            + self.places.capacity() * size_of::<u32>()
            + self.pages.memory_bytes()
            + self.blocks.memory_bytes()
    }

    /// Index in the directory; not in it for a key outside the window.
    #[inline(always)]
    fn number(&self, key: u64) -> usize {
        let number = (key >> CHUNK_BITS).wrapping_sub(self.base);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    #[inline]
    fn first_key(&self, number: usize, place: usize) -> u64 {
        let page = ((self.base + number as u64) << (CHUNK_BITS - PAGE_BITS)) + place as u64;
        page << PAGE_BITS
    }

    #[inline]
    fn chunk(&self, number: usize) -> Option<&Chunk> {
        self.chunks.get(*self.directory.get(number)?)
    }

    /// The places of a chunk that have a page.
    #[inline]
    fn places(&self, number: usize) -> u32 {
        let chunk = self.directory.get(number).copied().unwrap_or(0);
        self.places.get(usize::from(chunk)).copied().unwrap_or(0)
    }

    /// The first level at or after a key.
    pub(super) fn first_from(&self, key: u64) -> Option<(u64, i64)> {
        let here = self.chunk(self.number(key)).and_then(|chunk| self.leaf(chunk.at(place(key))));
        let bits = here.map_or(0, |leaf| leaf.present() & (u64::MAX << (key & 63)));
        if let Some(leaf) = here.filter(|_| bits != 0) {
            let found = (key & !63) + lowest(bits) as u64;
            return Some((found, leaf.get(found)));
        }
        self.walk_from((key | 63).checked_add(1)?).next()
    }

    #[inline]
    fn leaf(&self, index: u16) -> Option<Leaf<'_>> {
        if index & DENSE == 0 {
            return self.pages.get(index).map(Leaf::Thin);
        }
        self.blocks.get(index & !DENSE).map(Leaf::Dense)
    }
}

/// Where pages and chunks come from and how they go back.
impl Grid {
    /// Adds a key of the window that is not held and for which [`Grid::put`] found no slot.
    pub(super) fn insert(&mut self, key: u64, qty: i64) {
        if self.pages.is_full() {
            self.free_empty_pages();
            self.pages.grow_unless_free();
        }
        if self.blocks.is_full() && self.has_page(key) {
            self.free_thin_blocks();
            self.blocks.grow_unless_free();
        }
        let number = self.number(key);
        let chunk_index = match self.directory.get(number) {
            Some(0) => self.add_chunk(number),
            found => found.copied().unwrap_or(0),
        };
        let Some(chunk) = self.chunks.get_mut(chunk_index) else { return };
        let home = home(chunk_index, place(key));
        let index = chunk.at_mut(place(key));
        if *index == 0 {
            *index = self.pages.take(Page::NONE, Page::of(key, qty), home);
            if let Some(places) = self.places.get_mut(usize::from(chunk_index)) {
                *places |= 1 << place(key);
            }
        } else if let Some(page) = self.pages.get(*index) {
            let mut block = Block::NONE;
            bits(page.present()).for_each(|bit| _ = block.put(bit, page.get(bit)));
            block.put(key, qty);
            self.pages.give(*index);
            *index = DENSE | self.blocks.take(Block::NONE, block, home);
        }
    }

    fn has_page(&self, key: u64) -> bool {
        self.chunk(self.number(key)).is_some_and(|chunk| chunk.at(place(key)) != 0)
    }

    fn add_chunk(&mut self, number: usize) -> u16 {
        let index = self.chunks.take(Chunk::NONE, Chunk::NONE, number as u32);
        if self.places.len() <= usize::from(index) {
            self.places.reserve_exact(self.chunks.capacity().saturating_sub(self.places.len()));
            self.places.resize(usize::from(index) + 1, 0);
        }
        if let Some(entry) = self.directory.get_mut(number) {
            *entry = index;
        }
        self.hold(number, true);
        index
    }

    /// Takes back every page without a level, and every chunk that then is without a page.
    fn free_empty_pages(&mut self) {
        for index in self.pages.indices() {
            if self.pages.get(index).is_some_and(Page::is_empty) {
                self.free_page(index);
            }
        }
    }

    fn free_page(&mut self, index: u16) {
        let Some(home) = self.pages.home(index) else { return };
        let chunk_index = chunk_of(home);
        let Some(chunk) = self.chunks.get_mut(chunk_index) else { return };
        *chunk.at_mut(place_of(home)) = 0;
        self.pages.give(index);
        let Some(places) = self.places.get_mut(usize::from(chunk_index)) else { return };
        *places &= !(1 << place_of(home));
        if *places != 0 {
            return;
        }
        let number = self.chunks.home(chunk_index).map_or(usize::MAX, |number| number as usize);
        self.chunks.give(chunk_index);
        if let Some(entry) = self.directory.get_mut(number) {
            *entry = 0;
            self.hold(number, false);
        }
    }

    /// Brings the levels of every block that has few of them into a thin page.
    fn free_thin_blocks(&mut self) {
        for index in self.blocks.indices() {
            let Some(block) = self.blocks.get(index).filter(|block| block.is_thin()) else {
                continue;
            };
            let Some(home) = self.blocks.home(index) else { continue };
            let mut page = Page::EMPTY;
            bits(block.present()).for_each(|bit| _ = page.put(bit, block.get(bit)));
            let Some(chunk) = self.chunks.get_mut(chunk_of(home)) else { continue };
            *chunk.at_mut(place_of(home)) = self.pages.take(Page::NONE, page, home);
            self.blocks.give(index);
        }
    }

    /// First chunk from `number` on.
    fn next_chunk(&self, number: usize) -> Option<usize> {
        let word = number / 64;
        let first = self.held.get(word)? & (u64::MAX << (number % 64));
        let rest = self.held.iter().enumerate().skip(word + 1).map(|(i, bits)| (i, *bits));
        let mut words = core::iter::once((word, first)).chain(rest);
        words.find(|(_, bits)| *bits != 0).map(|(i, bits)| i * 64 + lowest(bits))
    }

    fn is_held(&self, number: usize) -> bool {
        self.held.get(number / 64).is_some_and(|word| (word >> (number % 64)) & 1 != 0)
    }

    #[cold]
    fn hold(&mut self, number: usize, held: bool) {
        if let Some(word) = self.held.get_mut(number / 64) {
            *word = (*word & !(1 << (number % 64))) | (u64::from(held) << (number % 64));
        }
    }
}

/// Where the window lies.
impl Grid {
    /// Makes the window cover a key and still every level, and says whether it now does.
    ///
    /// It may always grow; it moves only if `may_slide`, because that costs a pass over all pages.
    pub(super) fn stretch(&mut self, key: u64, may_slide: bool) -> bool {
        if may_slide {
            self.free_empty_pages();
        }
        let number = key >> CHUNK_BITS;
        let (first, last) = self.span().unwrap_or((number, number));
        let (first, last) = (first.min(number), last.max(number));
        let span = usize::try_from(last - first).map_or(usize::MAX, |more| more.saturating_add(1));
        if span > DIRECTORY_MAX || (span <= self.directory.len() && !may_slide) {
            return false;
        }
        let roomy = (span + span / 4).next_multiple_of(DIRECTORY_STEP).min(DIRECTORY_MAX);
        let len = self.directory.len().max(roomy);
        let before = (len - span) as u64 / 2;
        self.slide(first.saturating_sub(before).min(CHUNKS_END - len as u64), len);
        true
    }

    /// An empty window as long as can be, around the chunks from that of `key` on.
    pub(super) fn open_at(&mut self, key: u64) {
        self.clear();
        let base = (key >> CHUNK_BITS).min(CHUNKS_END - DIRECTORY_MAX as u64);
        self.slide(base, DIRECTORY_MAX);
    }

    /// How much moving the window costs, in levels put.
    pub(super) fn slide_cost(&self) -> usize {
        (self.directory.len() + self.pages.indices().len()) / 8
    }

    /// Whether one window can cover both keys; `a` is the smaller one.
    pub(super) const fn are_near(a: u64, b: u64) -> bool {
        (b >> CHUNK_BITS) - (a >> CHUNK_BITS) < DIRECTORY_MAX as u64
    }

    /// Numbers of the first and the last chunk that there is.
    fn span(&self) -> Option<(u64, u64)> {
        let first = self.held.iter().position(|word| *word != 0)?;
        let last = self.held.iter().rposition(|word| *word != 0)?;
        let first = first * 64 + lowest(*self.held.get(first)?);
        let last = last * 64 + highest(*self.held.get(last)?);
        Some((self.base + first as u64, self.base + last as u64))
    }

    fn slide(&mut self, base: u64, len: usize) {
        self.directory.resize(len, 0);
        self.held.resize(len / 64, 0);
        if base < self.base {
            let by = usize::try_from(self.base - base).map_or(len, |by| by.min(len));
            self.directory.copy_within(..len - by, by);
            self.directory.iter_mut().take(by).for_each(|entry| *entry = 0);
        } else {
            let by = usize::try_from(base - self.base).map_or(len, |by| by.min(len));
            self.directory.copy_within(by.., 0);
            self.directory.iter_mut().rev().take(by).for_each(|entry| *entry = 0);
        }
        self.base = base;
        self.held.fill(0);
        for number in 0..len {
            let chunk = self.directory.get(number).copied().unwrap_or(0);
            if chunk != 0 {
                self.hold(number, true);
                self.chunks.set_home(chunk, number as u32);
            }
        }
    }
}

/// A page as it is read.
#[derive(Clone, Copy, Debug)]
enum Leaf<'a> {
    Thin(&'a Page),
    Dense(&'a Block),
}

impl Leaf<'_> {
    #[inline]
    fn present(self) -> u64 {
        match self {
            Self::Thin(page) => page.present(),
            Self::Dense(block) => block.present(),
        }
    }

    #[inline]
    fn get(self, key: u64) -> i64 {
        match self {
            Self::Thin(page) => page.get(key),
            Self::Dense(block) => block.get(key),
        }
    }
}

/// Levels of a grid in order.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    grid: &'a Grid,
    /// The current chunk, and its pages not yet seen.
    number: usize,
    places: u32,
    /// The current page, and its levels not yet given.
    leaf: Leaf<'a>,
    bits: u64,
    first_key: u64,
}

impl<'a> Walk<'a> {
    fn from(grid: &'a Grid, key: u64) -> Self {
        let before = grid.window().is_some_and(|(first, _)| key < first);
        let (number, place) = if before { (0, 0) } else { (grid.number(key), place(key)) };
        let places = grid.places(number) & (u32::MAX << place);
        Self { grid, number, places, leaf: Leaf::Thin(&Page::NONE), bits: 0, first_key: 0 }
    }

    /// The next level of the current page.
    #[inline(always)]
    pub(super) fn next_here(&mut self) -> Option<(u64, i64)> {
        if self.bits == 0 {
            return None;
        }
        let key = self.first_key + lowest(self.bits) as u64;
        self.bits &= self.bits - 1;
        Some((key, self.leaf.get(key)))
    }

    /// Writes levels between two keys to the front of `out`, as many as there are and fit, and
    /// counts them. The last key ends a page; the walk began at the first one's.
    pub(super) fn fill(&mut self, (from, last): (u64, u64), out: &mut [Level], flip: u64) -> usize {
        let (len, mut out) = (out.len(), out.iter_mut());
        while self.advance() && self.first_key <= last {
            if self.first_key < from {
                self.bits &= u64::MAX << (from & 63);
            }
            while self.bits != 0 {
                let Some(slot) = out.next() else { return len };
                let key = self.first_key + lowest(self.bits) as u64;
                self.bits &= self.bits - 1;
                *slot = Level { price: (key ^ flip) as i64, qty: self.leaf.get(key) };
            }
        }
        len - out.len()
    }

    /// Goes on to the next page that holds a level.
    fn advance(&mut self) -> bool {
        while self.bits == 0 {
            if self.places == 0 {
                let next = self.grid.next_chunk(self.number.saturating_add(1));
                let Some(number) = next else { return false };
                (self.number, self.places) = (number, self.grid.places(number));
            }
            self.enter_page();
        }
        true
    }

    /// Goes to the chunk's next page.
    #[inline]
    fn enter_page(&mut self) {
        let place = self.places.trailing_zeros() as usize % PLACES;
        self.places &= self.places.wrapping_sub(1);
        let Some(chunk) = self.grid.chunk(self.number) else { return };
        let Some(leaf) = self.grid.leaf(chunk.at(place)) else { return };
        (self.leaf, self.bits) = (leaf, leaf.present());
        self.first_key = self.grid.first_key(self.number, place);
    }
}

impl Iterator for Walk<'_> {
    type Item = (u64, i64);

    #[inline]
    fn next(&mut self) -> Option<(u64, i64)> {
        if self.bits == 0 && !self.advance() {
            return None;
        }
        self.next_here()
    }
}

#[inline]
const fn place(key: u64) -> usize {
    (key >> PAGE_BITS) as usize % PLACES
}

/// A page's home: its chunk and its place there.
const fn home(chunk: u16, place: usize) -> u32 {
    chunk as u32 * PLACES as u32 + place as u32
}

const fn chunk_of(home: u32) -> u16 {
    (home / PLACES as u32) as u16
}

const fn place_of(home: u32) -> usize {
    home as usize % PLACES
}

#[inline]
const fn lowest(word: u64) -> usize {
    word.trailing_zeros() as usize
}

#[inline]
const fn highest(word: u64) -> usize {
    63 - (word.leading_zeros() as usize & 63)
}

fn bits(mut word: u64) -> impl Iterator<Item = u64> {
    core::iter::from_fn(move || {
        let bit = lowest(word) as u64;
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}
