//! The four shapes as periodic texts, and the check that numbers stand where they must.
//!
//! A level array without its numbers is one short text over and over (`["",""],` for pairs). The
//! vector kernels compare that text 64 bytes at a time and hand the places of digits and points,
//! as bit masks, to [`Walk::step`]. The one invariant: after a step each byte of the block was
//! either compared with the text or is a digit or point of a well-formed number.

/// Longest period of a shape's text.
const PERIOD_MAX: usize = 21;

/// A shape of level arrays, as seen without the characters of its numbers.
pub(super) trait Grammar {
    /// What stands around and between the numbers of a level, with the comma after it.
    const TEXT: &'static [u8];
    /// Offsets in `TEXT` of the bytes before which a number ends; the byte before the number is
    /// the one before it. Price and size come first.
    const ENDS: &'static [usize];
    /// Numbers are bare JSON: a superfluous leading zero is refused.
    const BARE: bool = false;
    /// Offset in `TEXT` of the byte before the word of an action, which is no part of `TEXT`.
    const ACTION: Option<usize> = None;
    /// Derived from the above.
    const TABLES: &'static Tables;
}

/// `[["1.5","2"],…]`
pub(super) struct Pairs;

impl Grammar for Pairs {
    const TEXT: &'static [u8] = br#"["",""],"#;
    const ENDS: &'static [usize] = &[2, 5];
    const TABLES: &'static Tables = &Tables::new::<Self>();
}

/// `[["1.5","2","0","7"],…]`
pub(super) struct Quads;

impl Grammar for Quads {
    const TEXT: &'static [u8] = br#"["","","",""],"#;
    const ENDS: &'static [usize] = &[2, 5, 8, 11];
    const TABLES: &'static Tables = &Tables::new::<Self>();
}

/// `[["new",1.5,2],…]`
pub(super) struct Triples;

impl Grammar for Triples {
    const TEXT: &'static [u8] = br#"["",,],"#;
    const ENDS: &'static [usize] = &[4, 5];
    const BARE: bool = true;
    const ACTION: Option<usize> = Some(1);
    const TABLES: &'static Tables = &Tables::new::<Self>();
}

/// `[{"price":1.5,"amount":2},…]`
pub(super) struct Objects;

impl Grammar for Objects {
    const TEXT: &'static [u8] = br#"{"price":,"amount":},"#;
    const ENDS: &'static [usize] = &[9, 19];
    const BARE: bool = true;
    const TABLES: &'static Tables = &Tables::new::<Self>();
}

/// What a grammar's text gives at each phase (place in the period) at which a block may begin.
pub(super) struct Tables {
    /// The text, repeated: 64 bytes from any phase.
    pub(super) text: [u8; 64 + PERIOD_MAX],
    /// Bit i: the i-th byte of the text from this phase on stands before a number.
    pub(super) opens: [u64; PERIOD_MAX],
    /// As `opens`, only for price and size.
    pub(super) picks: [u64; PERIOD_MAX],
    /// Bit i: the i-th byte of the text from this phase on ends a price or size.
    pub(super) closes: [u64; PERIOD_MAX],
    /// As `opens`, for the words of actions.
    pub(super) words: [u64; PERIOD_MAX],
    /// Bit i: bits 6 and 1 of the i-th byte of the text from this phase on.
    pub(super) bits: [[u64; 2]; PERIOD_MAX],
}

// Only the compiler runs this.
#[allow(clippy::indexing_slicing)]
impl Tables {
    const fn new<G: Grammar>() -> Self {
        let text = G::TEXT;
        let mut tables = Self {
            text: [0; 64 + PERIOD_MAX],
            opens: [0; PERIOD_MAX],
            picks: [0; PERIOD_MAX],
            closes: [0; PERIOD_MAX],
            words: [0; PERIOD_MAX],
            bits: [[0; 2]; PERIOD_MAX],
        };
        let mut at = 0;
        while at < tables.text.len() {
            tables.text[at] = text[at % text.len()];
            at += 1;
        }
        let mut phase = 0;
        while phase < text.len() {
            tables.set_phase::<G>(phase);
            phase += 1;
        }
        tables
    }

    const fn set_phase<G: Grammar>(&mut self, phase: usize) {
        let mut bit = 0;
        while bit < 64 {
            let at = (phase + bit) % G::TEXT.len();
            if let Some(word) = G::ACTION {
                self.words[phase] |= ((at == word) as u64) << bit;
            }
            self.bits[phase][0] |= (G::TEXT[at] as u64 >> 6 & 1) << bit;
            self.bits[phase][1] |= (G::TEXT[at] as u64 >> 1 & 1) << bit;
            let mut number = 0;
            while number < G::ENDS.len() {
                let before = at + 1 == G::ENDS[number];
                let end = at == G::ENDS[number];
                self.opens[phase] |= (before as u64) << bit;
                self.picks[phase] |= ((before && number < 2) as u64) << bit;
                self.closes[phase] |= ((end && number < 2) as u64) << bit;
                number += 1;
            }
            bit += 1;
        }
    }
}

/// One block of 64 bytes as masks, bit = byte, lowest first. Bytes after the array are in none.
pub(super) struct Block {
    pub(super) digit: u64,
    pub(super) point: u64,
    /// The digits `0`; needed for bare numbers only.
    pub(super) zero: u64,
    /// Small letters; needed where there are actions only.
    pub(super) letter: u64,
    /// Bytes of the text that stand before a number.
    pub(super) opens: u64,
    /// As `opens`, only for price and size.
    pub(super) picks: u64,
    /// Bytes of the text that stand before the word of an action.
    pub(super) words: u64,
}

/// What one block tells the next: bit 0 of each is about the byte before the block.
#[derive(Default)]
pub(super) struct Walk {
    number: u64,
    point: u64,
    lone_zero: u64,
    open: u64,
    pick: u64,
    letter: u64,
    word: u64,
    /// An integer part goes on from the block before.
    run: u64,
}

impl Walk {
    /// Checks the numbers of a block and returns where prices and sizes have their first digits,
    /// and the bytes after their integer parts (a point, or the byte after the number). `None`: one
    /// is missing, empty, where none may be, or not `digits[.digits]`.
    #[inline(always)]
    pub(super) fn step<G: Grammar>(&mut self, block: &Block) -> Option<(u64, u64)> {
        let Block { digit, point, .. } = *block;
        let number = digit | point;
        let begin = number & !(number << 1 | self.number);
        let mut wrong = begin ^ (block.opens << 1 | self.open);
        wrong |= begin & point;
        wrong |= (point << 1 | self.point) & !digit;
        if G::BARE {
            wrong |= (begin & block.zero) << 1 & digit | self.lone_zero & digit;
            self.lone_zero = (begin & block.zero) >> 63;
        }
        if G::ACTION.is_some() {
            let begin = block.letter & !(block.letter << 1 | self.letter);
            wrong |= begin ^ (block.words << 1 | self.word);
            (self.letter, self.word) = (block.letter >> 63, block.words >> 63);
        }
        // Adding the first digit's bit carries through the integer part into the byte after it.
        let first = block.picks << 1 | self.pick;
        let (sum, over) = first.overflowing_add(digit);
        let (sum, over_too) = sum.overflowing_add(self.run);
        let stop = sum & !digit;
        wrong |= point & !stop;
        self.run = u64::from(over | over_too);
        (self.number, self.point) = (number >> 63, point >> 63);
        (self.open, self.pick) = (block.opens >> 63, block.picks >> 63);
        (wrong == 0).then_some((first, stop))
    }
}
