//! No kernel reads outside a frame and its padding, wherever an array stands and is cut off.

#![cfg(target_os = "linux")]

use gapless_book::event::{Level, Scales};
use gapless_replay::RecordKind;
use gapless_replay::input::{self, Input};
use gapless_tests::guard_page::{BEGINS, ENDS, ENDS_WIDE, GuardAllocator};
use gapless_tests::{level_texts, recordings};
use gapless_venues::kernel::{Arrays, Between, FrameBuf, Isa, PAD, Shape, both, levels};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

#[global_allocator]
static ALLOCATOR: GuardAllocator = GuardAllocator;

/// Every kernel on an array at `lead` of the frame that stands at `from` in the buffer.
fn read(buffer: &FrameBuf, from: usize, shape: Shape, scales: Scales, lead: usize) {
    let whole = buffer.frame();
    let frame = whole.slice(from, whole.len()).unwrap();
    let ways = [Arrays::new(shape, scales), Arrays::ragged(shape, scales)];
    let all = Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays)));
    let mut answers = all.map(|(isa, mut arrays)| {
        let mut out: Vec<Level> = Vec::new();
        (levels(isa, &mut arrays, frame, lead, &mut out), out)
    });
    let first = answers.next().unwrap();
    assert!(answers.all(|answer| answer == first), "{shape:?}");
    let Some(between) = Between::new(shape, BETWEEN) else { return };
    for (isa, mut arrays) in Isa::available().flat_map(|isa| ways.map(|arrays| (isa, arrays))) {
        both(isa, &mut arrays, frame, lead, &between, &mut Vec::new());
    }
}

/// What stands between two arrays that are read at once.
const BETWEEN: &[u8] = b",\"a\":";

/// A buffer of exactly `size` bytes with `frame` at its end, behind bytes that are no part of it;
/// returns where the frame begins.
fn fill(buffer: &mut FrameBuf, size: usize, frame: &[u8]) -> usize {
    let before = size - PAD - frame.len();
    buffer.fill_with(|bytes| {
        if bytes.capacity() != size {
            *bytes = Vec::with_capacity(size);
        }
        bytes.resize(before, b'7');
        bytes.extend_from_slice(frame);
    });
    before
}

#[test]
fn no_kernel_reads_beyond_the_padding_of_a_frame() {
    let mut buffer = FrameBuf::new();
    for (shape, scales, text) in level_texts::arrays() {
        for cut in 0..=text.len() {
            for shift in 0..64 {
                // The end is fixed, so bytes after the array shift its alignment.
                let tail = &[b']'; 64][..shift];
                let frame = [&[b' '; 40], &text.as_bytes()[..cut], tail].concat();
                let from = fill(&mut buffer, ENDS, &frame);
                read(&buffer, from, shape, scales, 40);
            }
        }
    }
}

#[test]
fn no_kernel_reads_beyond_the_padding_behind_two_arrays() {
    let mut buffer = FrameBuf::new();
    for (shape, scales, text) in level_texts::arrays() {
        let text = [text.as_bytes(), BETWEEN, text.as_bytes()].concat();
        for cut in (0..=text.len()).filter(|_| shape == Shape::QuotedPairs) {
            for shift in 0..64 {
                let tail = &[b'"'; 64][..shift];
                let frame = [&[b' '; 40], &text[..cut], tail].concat();
                let from = fill(&mut buffer, ENDS, &frame);
                read(&buffer, from, shape, scales, 40);
            }
        }
    }
}

#[test]
fn no_kernel_reads_before_a_frame() {
    let mut buffer = FrameBuf::new();
    for (shape, scales, text) in level_texts::arrays() {
        for lead in 0..64 {
            let frame = [&[b'1'; 64][..lead], text.as_bytes()].concat();
            buffer.fill_with(|bytes| {
                if bytes.capacity() != BEGINS {
                    *bytes = Vec::with_capacity(BEGINS);
                }
                bytes.extend_from_slice(&frame);
            });
            read(&buffer, 0, shape, scales, lead);
        }
    }
}

/// The frames of the fuzz targets' seeds: every kind that each venue sends.
fn corpus() -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let folders = fs::read_dir(seeds).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("frames_");
    let files = folders.filter(named).flat_map(|folder| fs::read_dir(folder).unwrap());
    let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let lines = |text: Vec<u8>| text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let mut frames: Vec<Vec<u8>> = texts.flat_map(|text| -> Vec<_> { lines(text) }).collect();
    frames.retain(|frame| frame.len() <= 1_024);
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// The shapes that an array which begins so may have.
fn shapes(text: &[u8]) -> &'static [Shape] {
    match text {
        [b'[', b'{', ..] => &[Shape::PriceAmount],
        [b'[', b'[', b'"', b'0'..=b'9', ..] => &[Shape::QuotedPairs, Shape::QuotedQuads],
        [b'[', b'[', b'"', ..] => &[Shape::ActionTriples],
        _ => &[],
    }
}

#[test]
fn no_kernel_reads_beyond_the_padding_of_a_frame_of_the_corpus() {
    let (mut buffer, mut arrays) = (FrameBuf::new(), 0);
    for frame in corpus() {
        for at in 0..frame.len() {
            for shape in shapes(&frame[at..]) {
                arrays += 1;
                for cut in at..=frame.len() {
                    // Every alignment in turn: each stands for a cut some bytes on.
                    let tail = &[b'"'; 64][..cut % 64];
                    let text = [&frame[..cut], tail].concat();
                    let from = fill(&mut buffer, ENDS, &text);
                    read(&buffer, from, *shape, Scales { price: 8, qty: 8 }, at);
                }
                for shift in 0..64 {
                    let text = [frame.as_slice(), &[b' '; 64][..shift]].concat();
                    let from = fill(&mut buffer, ENDS, &text);
                    read(&buffer, from, *shape, Scales { price: 8, qty: 8 }, at);
                }
            }
        }
    }
    assert!(arrays > 100, "{arrays}");
}

/// Runs the test over every recorded message instead of one of each kind and length.
const ALL: &str = "GAPLESS_GUARD_ALL";
/// Bytes of a recorded message whose every truncation is tried; of a longer one also the last cuts.
const CUTS_MAX: usize = 8_192;
/// Cuts at the end of a longer message.
const LAST_CUTS: usize = 256;

/// What two messages share that a kernel cannot tell apart but by numbers: the text before the
/// first array with its digits left out, how its first level begins, and the length to a power of
/// two.
fn kind(frame: &[u8]) -> (Vec<u8>, usize) {
    let array = frame.windows(2).position(|pair| matches!(pair, b"[[" | b"[{"));
    let end = array.map_or(frame.len(), |at| (at + 4).min(frame.len()));
    let letters = frame[..end].iter().copied().filter(|byte| !byte.is_ascii_digit());
    (letters.collect(), frame.len().next_power_of_two())
}

/// Every kernel that may read beyond a slice on one array, cut at every place.
fn cut_everywhere(buffer: &mut FrameBuf, frame: &[u8], at: usize, shape: Shape) -> usize {
    let scales = Scales { price: 8, qty: 8 };
    let isas: Vec<_> = Isa::available().filter(|isa| *isa != Isa::PORTABLE).collect();
    let between = Between::new(shape, BETWEEN);
    let (mut runs, mut out) = (0, Vec::new());
    let last = frame.len().saturating_sub(LAST_CUTS);
    // The end stands still, so each cut is another alignment of the array.
    for cut in (at..=frame.len()).filter(|cut| *cut - at <= CUTS_MAX || *cut >= last) {
        let size = if cut + PAD <= ENDS { ENDS } else { ENDS_WIDE };
        let from = fill(buffer, size, &frame[..cut]);
        let whole = buffer.frame();
        let text = whole.slice(from, whole.len()).unwrap();
        for isa in &isas {
            for mut arrays in [Arrays::new(shape, scales), Arrays::ragged(shape, scales)] {
                out.clear();
                levels(*isa, &mut arrays, text, at, &mut out);
                runs += 1;
                if let Some(between) = &between {
                    both(*isa, &mut arrays, text, at, between, &mut out);
                    runs += 1;
                }
            }
        }
    }
    runs
}

#[test]
fn no_kernel_reads_beyond_the_padding_of_a_recorded_message() {
    let Some(root) = recordings::folder() else { return };
    let all = std::env::var_os(ALL).is_some();
    let (mut seen, mut buffer) = (HashSet::new(), FrameBuf::new());
    let (mut messages, mut runs) = (0, 0);
    for path in recordings::captures(&root) {
        let mut reader = input::open(&Input::file(&path), None).unwrap();
        while reader.advance().unwrap() {
            let Some(record) = reader.record().filter(|r| r.kind == RecordKind::Frame) else {
                continue;
            };
            let frame = record.payload;
            let long = frame.len() + PAD > ENDS_WIDE || (!all && frame.len() > 1_024);
            if long || !(all || seen.insert(kind(frame))) {
                continue;
            }
            messages += 1;
            // Arrays inside arrays begin no shape; the two sides of a book do.
            let mut at = 0;
            while let Some(next) = frame[at..].iter().position(|byte| *byte == b'[') {
                at += next;
                let found = shapes(&frame[at..]);
                runs += found
                    .iter()
                    .fold(0, |runs, shape| runs + cut_everywhere(&mut buffer, frame, at, *shape));
                at += 1;
            }
        }
    }
    println!("{messages} messages, {runs} runs");
    assert!(messages > 100 && runs > 100_000, "{messages} messages, {runs} runs");
}
