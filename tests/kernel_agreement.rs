//! Every kernel against every other one and against the general parser, on arrays as venues write
//! them and on such arrays with bytes changed, lost, added and cut off.

use gapless_book::event::{Level, Scales};
use gapless_tests::level_texts::{self, SHAPES};
use gapless_venues::kernel::{Arrays, Between, FrameBuf, Isa, Shape, both, levels};
use proptest::prelude::*;

/// What every kernel makes of the array at `lead` in a frame: where it ends and its levels.
fn kernels(shape: Shape, scales: Scales, frame: &[u8], lead: usize) -> Option<(usize, Vec<Level>)> {
    let mut buffer = FrameBuf::new();
    let mut first = None;
    let ways = [Arrays::new(shape, scales), Arrays::ragged(shape, scales)];
    for (isa, mut arrays) in Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays))) {
        let mut out = Vec::new();
        let end = levels(isa, &mut arrays, buffer.fill(frame), lead, &mut out);
        let answer = end.map(|end| (end, out));
        let first = first.get_or_insert_with(|| answer.clone());
        let text = || String::from_utf8_lossy(frame);
        assert_eq!(*first, answer, "{} differs on {shape:?} {}", isa.name(), text());
    }
    first.expect("the portable kernel is always there")
}

/// What a kernel accepts, the general parser must accept with the same values.
fn check(shape: Shape, scales: Scales, text: &[u8], lead: usize) -> bool {
    let frame = [&b"x".repeat(lead), text].concat();
    let Some((end, levels)) = kernels(shape, scales, &frame, lead) else { return false };
    let array = &frame[lead..end];
    let general = level_texts::general(shape, scales, array);
    assert_eq!(Some(levels), general, "{shape:?} {}", String::from_utf8_lossy(array));
    true
}

/// What stands between two arrays in these tests.
const BETWEEN: &[u8] = b",\"a\":";

/// Two arrays of pairs, the first at `lead`: what is read of them at once is what is read one after
/// the other. Returns how many of the ways to read them at once did.
fn check_both(scales: Scales, frame: &[u8], lead: usize) -> usize {
    let mut buffer = FrameBuf::new();
    let single = one_by_one(scales, frame, lead);
    let between = Between::new(Shape::QuotedPairs, BETWEEN).unwrap();
    let (shape, mut read) = (Shape::QuotedPairs, 0);
    let ways = [Arrays::new(shape, scales), Arrays::ragged(shape, scales)];
    for (isa, mut arrays) in Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays))) {
        let mut out = Vec::new();
        let found = both(isa, &mut arrays, buffer.fill(frame), lead, &between, &mut out);
        let text = || String::from_utf8_lossy(frame);
        let Some((first, end)) = found else {
            assert!(out.is_empty(), "{} leaves something behind: {}", isa.name(), text());
            continue;
        };
        assert_eq!(single, Some((first, end, out)), "{} differs on {}", isa.name(), text());
        read += 1;
    }
    read
}

/// Levels of the first array, where the second one ends, and the levels of both.
fn one_by_one(scales: Scales, frame: &[u8], lead: usize) -> Option<(usize, usize, Vec<Level>)> {
    let mut buffer = FrameBuf::new();
    let (frame, mut out) = (buffer.fill(frame), Vec::new());
    let next = |at, out: &mut Vec<Level>| {
        levels(Isa::PORTABLE, &mut Arrays::new(Shape::QuotedPairs, scales), frame, at, out)
    };
    let end = next(lead, &mut out)?;
    let first = out.len();
    frame.bytes().get(end..)?.strip_prefix(BETWEEN)?;
    let end = next(end + BETWEEN.len(), &mut out)?;
    Some((first, end, out))
}

/// Pairs of arrays as venues write them.
fn pairs_of_arrays() -> Vec<(Scales, Vec<u8>)> {
    let mut arrays = level_texts::arrays();
    arrays.retain(|(shape, _, text)| *shape == Shape::QuotedPairs && text != "[]");
    let mut pairs = Vec::new();
    for (_, scales, first) in &arrays {
        for (_, _, second) in arrays.iter().filter(|(_, other, _)| other == scales) {
            pairs.push((*scales, [first.as_bytes(), BETWEEN, second.as_bytes()].concat()));
        }
    }
    pairs
}

fn shape() -> impl Strategy<Value = Shape> {
    (0..SHAPES.len()).prop_map(|index| SHAPES[index])
}

fn scales() -> impl Strategy<Value = Scales> {
    (0u8..=10, 0u8..=10).prop_map(|(price, qty)| Scales { price, qty })
}

/// Numbers as venues write them, and some as they should not.
fn number() -> impl Strategy<Value = String> {
    let usual = ("[1-9][0-9]{0,6}|0", "(\\.[0-9]{1,6}0{0,4})?").prop_map(|(a, b)| a + &b);
    prop_oneof![
        20 => usual,
        2 => "0\\.0{1,9}[1-9]{1,3}",
        1 => "[0-9]{1,20}(\\.[0-9]{1,20})?",
        1 => "-?[0-9.eE+-]{0,8}",
    ]
}

fn array(shape: Shape) -> impl Strategy<Value = String> {
    let numbers = proptest::collection::vec((0usize..3, number(), number()), 0..24);
    numbers.prop_map(move |numbers| {
        let texts = numbers.iter().map(|(i, p, q)| level_texts::level(shape, *i, p, q));
        format!("[{}]", texts.collect::<Vec<_>>().join(","))
    })
}

/// A change of one byte or the end of a text; places are wrapped to its length.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Insert(usize, u8),
    Delete(usize),
    Cut(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![
        proptest::sample::select(b"0123456789\".,[]{}:-eE nwcpx\\".to_vec()),
        any::<u8>(),
    ];
    prop_oneof![
        (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<usize>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<usize>().prop_map(Damage::Delete),
        any::<usize>().prop_map(Damage::Cut),
    ]
}

fn damaged(text: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut text = text.to_vec();
    for damage in damages {
        if text.is_empty() {
            break;
        }
        match *damage {
            Damage::Set(at, byte) => {
                let at = at % text.len();
                text[at] = byte;
            }
            Damage::Insert(at, byte) => text.insert(at % text.len(), byte),
            Damage::Delete(at) => drop(text.remove(at % text.len())),
            Damage::Cut(at) => text.truncate(at % text.len()),
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn kernels_agree_with_each_other_and_with_the_general_parser(
        (shape, text) in shape().prop_flat_map(|shape| (Just(shape), array(shape))),
        scales in scales(),
        lead in 0usize..100,
        damages in proptest::collection::vec(damage(), 0..4),
    ) {
        check(shape, scales, text.as_bytes(), lead);
        check(shape, scales, &damaged(text.as_bytes(), &damages), lead);
    }

    #[test]
    fn two_arrays_at_once_are_what_each_is(
        texts in (array(Shape::QuotedPairs), array(Shape::QuotedPairs)),
        scales in scales(),
        lead in 0usize..100,
        damages in proptest::collection::vec(damage(), 0..4),
    ) {
        let text = [texts.0.as_bytes(), BETWEEN, texts.1.as_bytes()].concat();
        let lead_text = b"x".repeat(lead);
        check_both(scales, &[&lead_text, text.as_slice()].concat(), lead);
        check_both(scales, &[&lead_text, damaged(&text, &damages).as_slice()].concat(), lead);
    }
}

#[test]
fn two_arrays_as_venues_write_them_are_read_at_once() {
    let vectors = Isa::available().filter(|isa| isa.name() == "avx2").count();
    for (scales, text) in pairs_of_arrays() {
        let frame = [&[b'x'; 40], text.as_slice(), b"}"].concat();
        let read = check_both(scales, &frame, 40);
        let text = String::from_utf8_lossy(&text);
        // What has more than sixteen bytes is nothing for vectors, and where each number has its
        // own form the arrays are read one by one.
        let numbers = || text.split('"').skip(1).step_by(2).filter(|number| *number != "a");
        let decimals = |number: &str| number.split_once('.').map(|(_, behind)| behind.len());
        let same = |from| {
            let mut decimals = numbers().skip(from).step_by(2).map(decimals);
            let first = decimals.next();
            decimals.all(|other| Some(other) == first)
        };
        let is_long = numbers().any(|number| number.len() > 16);
        assert!(read >= vectors || is_long || !(same(0) && same(1)), "{text}");
    }
}

#[test]
fn one_changed_byte_makes_no_difference_between_two_arrays_and_each() {
    for (scales, text) in pairs_of_arrays() {
        let text = [&[b'x'; 32], text.as_slice(), b"}"].concat();
        for at in 32..text.len() {
            for byte in *b"0123456789\".,[]{}:-a/" {
                let mut text = text.clone();
                text[at] = byte;
                check_both(scales, &text, 32);
            }
        }
    }
}

#[test]
fn arrays_as_venues_write_them_are_read_fast() {
    for (shape, scales, text) in level_texts::arrays() {
        for lead in [0, 16, 61] {
            assert!(check(shape, scales, text.as_bytes(), lead), "{shape:?} {text}");
        }
    }
}

#[test]
fn one_changed_byte_never_makes_two_kernels_differ() {
    for (shape, scales, text) in level_texts::arrays() {
        let mut accepted = 0;
        for at in 0..text.len() {
            // In short arrays every byte there is: a table lookup may take for a mark what nobody
            // would think of.
            let every = (0..=u8::MAX).filter(|_| text.len() < 100);
            for byte in b"0123456789\".,[]{}:-e nw".iter().copied().chain(every) {
                let mut text = text.clone().into_bytes();
                text[at] = byte;
                accepted += usize::from(check(shape, scales, &text, 32));
            }
        }
        assert!(accepted > 0, "{text}");
    }
}

#[test]
fn kernels_agree_wherever_an_array_might_begin_in_a_recorded_frame() {
    let Some(folder) = std::env::var_os("GAPLESS_RECORDINGS") else {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
        return;
    };
    let mut frames = 0;
    for venue in std::fs::read_dir(std::path::Path::new(&folder).join("fixtures")).unwrap() {
        for file in std::fs::read_dir(venue.unwrap().path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for line in bytes.split(|byte| *byte == b'\n') {
                frames += 1;
                for lead in (0..line.len()).filter(|at| line[*at] == b'[').take(200) {
                    for shape in SHAPES {
                        kernels(shape, Scales { price: 8, qty: 8 }, line, lead);
                    }
                }
            }
        }
    }
    assert!(frames > 0);
}
