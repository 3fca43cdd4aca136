//! Target `kernels`: the level arrays of every shape, at every pair of scales.
//!
//! The first four bytes pick the shape, the scales of price and size and what stands before the
//! array; the rest is the array and what follows it. Every instruction set gives the same answer,
//! and what they accept the general parser reads to the same levels.

use gapless_book::decimal::{Decimal, SCALE_MAX};
use gapless_book::event::{BookKind, Level, Scales, SeqInfo};
use gapless_venues::kernel::{Arrays, Between, FrameBuf, Isa, Shape, both, levels};
use gapless_venues::scan::Value;
use gapless_venues::scratch::{LevelForm, Scratch};

/// What mutations insert.
pub const WORDS: &[&str] = &[
    "[[\"1.50\",\"2\"],",
    "[\"61773.6\",\"0\"]",
    "[\"1\",\"2\",\"0\",\"4\"],",
    "[\"new\",1.5,2],",
    "[\"delete\",3,0]]",
    "[\"change\",0.5,10.0]",
    "{\"price\":1.5,\"amount\":20},",
    "{\"price\":1,\"amount\":0}]",
    "\",\"",
    "],[",
    "]]",
    "\u{0}",
    "00000000",
    "123456789012345",
    "0.00000001",
    "]],\"a\":[[",
];

const SHAPES: [(Shape, LevelForm); 4] = [
    (Shape::QuotedPairs, LevelForm::Pair),
    (Shape::QuotedQuads, LevelForm::Orders),
    (Shape::ActionTriples, LevelForm::Action),
    (Shape::PriceAmount, LevelForm::Object),
];

/// Runs one input.
pub fn kernels(data: &[u8]) {
    let Some(([shape, price, qty, lead], array)) = data.split_first_chunk() else { return };
    let (shape, form) = SHAPES[usize::from(*shape) % SHAPES.len()];
    let scale = |byte: &u8| byte % (SCALE_MAX + 1);
    let scales = Scales { price: scale(price), qty: scale(qty) };
    let lead = usize::from(lead % 80);
    let frame = [&vec![b'x'; lead], array].concat();
    let mut buffer = FrameBuf::new();
    let ways = [Arrays::new(shape, scales), Arrays::ragged(shape, scales)];
    let ways = Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays)));
    let mut answers = ways.map(|(isa, mut arrays)| {
        let mut out = Vec::new();
        let end = levels(isa, &mut arrays, buffer.fill(&frame), lead, &mut out);
        assert!(end.is_some() || out.is_empty(), "{} leaves something behind", isa.name());
        (isa, end.map(|end| (end, out)))
    });
    let Some((_, first)) = answers.next() else { return };
    two(shape, scales, &frame, lead);
    for (isa, other) in answers {
        assert_eq!(first, other, "{} differs on {shape:?} {scales:?}", isa.name());
    }
    if let Some((end, levels)) = first {
        assert_eq!(Some(levels), naive(form, scales, &frame[lead..end]), "{shape:?} {scales:?}");
    }
}

/// What stands between two arrays that are read at once.
const BETWEEN: &[u8] = b",\"a\":";

/// Two arrays at once are what each of them is.
fn two(shape: Shape, scales: Scales, frame: &[u8], lead: usize) {
    let Some(between) = Between::new(shape, BETWEEN) else { return };
    let mut buffer = FrameBuf::new();
    let frame = buffer.fill(frame);
    let ways = [Arrays::new(shape, scales), Arrays::ragged(shape, scales)];
    for (isa, mut arrays) in Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays))) {
        let (mut out, mut each) = (Vec::new(), Vec::new());
        let Some((first, end)) = both(isa, &mut arrays, frame, lead, &between, &mut out) else {
            assert!(out.is_empty(), "{} leaves something behind", isa.name());
            continue;
        };
        let mut next = |at| {
            let mut arrays = Arrays::new(shape, scales);
            let end = levels(Isa::PORTABLE, &mut arrays, frame, at, &mut each);
            (end.expect("the portable kernel reads it too"), each.len())
        };
        let (middle, len) = next(lead);
        assert_eq!(len, first, "{}", isa.name());
        let behind = frame.bytes().get(middle..).unwrap_or_default();
        assert!(behind.starts_with(BETWEEN), "{}", isa.name());
        assert_eq!(next(middle + BETWEEN.len()).0, end, "{}", isa.name());
        assert_eq!(each, out, "{} differs on {scales:?}", isa.name());
    }
}

/// What the general parser reads, brought to `scales`; `None` if it refuses.
fn naive(form: LevelForm, scales: Scales, array: &[u8]) -> Option<Vec<Level>> {
    let mut scratch = Scratch::new();
    scratch.read_sides(form, Some(Value::frame(array).ok()?), None, false).ok()?;
    let message = scratch.message(BookKind::Delta, SeqInfo::default(), None);
    let at = |level: &Level| {
        let price = Decimal::new(level.price, message.scales.price).at_scale(scales.price)?;
        let qty = Decimal::new(level.qty, message.scales.qty).at_scale(scales.qty)?;
        Some(Level { price, qty })
    };
    message.bids.iter().map(at).collect()
}
