//! What arbitration between lines costs a frame: the same deltas to a book alone, as the first of
//! two lines, and as the second, which only proves them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Times};
use gapless_book::lines::{Arrival, LineNo, LinePolicy, Lines};
use gapless_book::local::{LocalBook, Policy};
use gapless_book::sequence::{Bridge, Chain, Rule};
use std::hint::black_box;

/// Messages of one pass.
const MESSAGES: i64 = 1_000;
/// Levels of a side of each: those of an active symbol at 100 ms.
const LEVELS: i64 = 10;

fn deltas() -> Vec<[Vec<Level>; 2]> {
    let side = |from: i64, n: i64| {
        let level = |at: i64| Level { price: from + (at * 7 + n) % 50, qty: 1 + (at + n) % 9 };
        (0..LEVELS).map(level).collect()
    };
    (0..MESSAGES).map(|n| [side(10_000, n), side(10_100, n)]).collect()
}

fn message(kind: BookKind, last: i64, [bids, asks]: &[Vec<Level>; 2]) -> BookMessage<'_> {
    let seq = SeqInfo { last: Some(last), ..SeqInfo::default() };
    let scales = Scales { price: 2, qty: 3 };
    BookMessage { kind, seq, scales, bids, asks, extras: &[], depth_limit: None }
}

fn opened(deltas: &[[Vec<Level>; 2]]) -> (LocalBook, Lines) {
    let rule = Rule::new(Chain::Counter, Bridge::InStream);
    let mut book = LocalBook::new(rule, Policy::default());
    let mut lines = Lines::new(LinePolicy::default());
    for line in [0, 1] {
        give(&mut book, &mut lines, line, &message(BookKind::Snapshot, 10, &deltas[0]));
    }
    (book, lines)
}

fn give(book: &mut LocalBook, lines: &mut Lines, line: u32, message: &BookMessage<'_>) {
    let times = Times { recv_ns: 1, ..Times::default() };
    let arrival = Arrival { line: LineNo(line), message, flags: Flags::NONE, times: &times };
    let _ = black_box(lines.message(book, &arrival, &mut ()));
}

fn bench(criterion: &mut Criterion) {
    let deltas = deltas();
    let mut group = criterion.benchmark_group("lines");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("a book alone", |bencher| {
        bencher.iter_batched_ref(
            || opened(&deltas).0,
            |book| {
                for (last, levels) in (11..).zip(&deltas) {
                    let message = message(BookKind::Delta, last, levels);
                    let times = Times { recv_ns: 1, ..Times::default() };
                    let _ = black_box(book.message(&message, Flags::NONE, &times, &mut ()));
                }
            },
            BatchSize::LargeInput,
        );
    });
    for (name, followers) in [("the first of two lines", 0..0), ("both lines", 1..2)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || opened(&deltas),
                |(book, lines)| {
                    for (last, levels) in (11..).zip(&deltas) {
                        let message = message(BookKind::Delta, last, levels);
                        give(book, lines, 0, &message);
                        for line in followers.clone() {
                            give(book, lines, line, &message);
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
