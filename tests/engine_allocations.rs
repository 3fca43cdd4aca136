//! Between a frame, its publication and its subscribers nothing is allocated once a book is warm.
//!
//! The counting allocator is installed for this whole file. What is counted is what any thread of
//! the process asked for, so that this file has one test.

use std::fmt::Write;
use std::time::{Duration, Instant};

use gapless::replay::pace::Speed;
use gapless::{Engine, Interest, Slow, Source, Topic};
use gapless_tests::counting_allocator::{CountingAllocator, everywhere};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const WARM: u64 = 5_000;
const LAST: u64 = 20_000;

/// A snapshot and deltas over the same prices again and again: the first come at once, the rest a
/// second later, and a last one so late that nobody waits for it: a source that has ended waits for
/// commands, for which it asks for memory.
fn recording() -> String {
    let begin = 1_700_000_000_000_000_000u64;
    let mut text = format!("{begin}\tC\tws\twss://stream.bybit.com/v5/public/linear\n");
    for u in 1..=LAST + 1 {
        let late = if u <= WARM {
            u
        } else if u <= LAST {
            1_000_000_000 + u * 1_000
        } else {
            3_600_000_000_000
        };
        let (kind, price) = (if u == 1 { "snapshot" } else { "delta" }, 100 + u % 40);
        let qty = 1 + u % 7;
        let (ns, ms) = (begin + late, begin / 1_000_000);
        writeln!(
            text,
            "{ns}\tR\tws\t{{\"topic\":\"orderbook.50.BTCUSDT\",\"type\":\"{kind}\",\"ts\":{ms},\
             \"data\":{{\"s\":\"BTCUSDT\",\"b\":[[\"{price}\",\"{qty}\"]],\
             \"a\":[[\"{}\",\"{qty}\"]],\"u\":{u},\"seq\":{u}}},\"cts\":{ms}}}",
            price + 100
        )
        .unwrap();
        writeln!(
            text,
            "{ns}\tR\tws\t{{\"topic\":\"publicTrade.BTCUSDT\",\"type\":\"snapshot\",\"ts\":{ms},\
             \"data\":[{{\"T\":{ms},\"s\":\"BTCUSDT\",\"S\":\"Buy\",\"v\":\"1\",\"p\":\"{price}\",\
             \"L\":\"PlusTick\",\"i\":\"{u}\",\"BT\":false,\"seq\":{u}}}]}}"
        )
        .unwrap();
    }
    text
}

#[test]
fn a_warm_book_is_applied_published_and_told_of_without_an_allocation() {
    let path = std::env::temp_dir().join(format!("gapless-alloc-{}.cap", std::process::id()));
    std::fs::write(&path, recording()).unwrap();
    let source = Source::replay([path.display().to_string()]).speed(Speed::Factor(1.0));
    let mut engine = Engine::builder().source(source).build();
    // Receivers that never look are in nobody's way.
    let _subscriptions = [Slow::DropOldest, Slow::Conflate, Slow::Disconnect].map(|slow| {
        let interest = Interest::in_topics(Topic::ALL).when_slow(slow).capacity(1_024);
        engine.subscribe(&interest).unwrap()
    });
    engine.start().unwrap();
    let reader = engine.wait_for("bybit.linear:BTCUSDT", Duration::from_secs(5));
    let reader = reader.unwrap_or_else(|error| panic!("{error}: {:?}", engine.books()));
    let seq = || reader.last_known_top().ok().and_then(|top| top.status.seq).unwrap_or(0);
    let reached = |last: u64| {
        let begun = Instant::now();
        while seq() != last.cast_signed() {
            assert!(begun.elapsed() < Duration::from_secs(20), "at {}", seq());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    reached(WARM);
    let before = everywhere();
    reached(LAST);
    let after = everywhere();
    assert!(reader.top().is_ok());
    assert_eq!(after - before, 0, "allocations");
    std::fs::remove_file(&path).unwrap();
}
