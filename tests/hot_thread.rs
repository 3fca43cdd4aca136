//! Between a frame and its publication the thread that applies books asks the system for nothing:
//! of its calls, as strace counts them, all but those that read the recording come before it is
//! warm. Times are read without a call, and nobody else can make it wait: another thread asks the
//! engine for everything meanwhile, so that a lock on the way would be met taken, and show.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use gapless::book::publish::Config;
use gapless::engine::SourceState;
use gapless::{Engine, Interest, Source, Topic};

const FRAMES: u64 = 60_000;
/// Where the traced process finds its recording.
const INPUT: &str = "GAPLESS_HOT_THREAD_INPUT";

fn recording() -> String {
    let begin = 1_700_000_000_000_000_000u64;
    let mut text = format!("{begin}\tC\tws\twss://stream.bybit.com/v5/public/linear\n");
    for u in 1..=FRAMES {
        let (kind, price) = (if u == 1 { "snapshot" } else { "delta" }, 100 + u % 40);
        let (ns, ms, qty) = (begin + u * 1_000, begin / 1_000_000, 1 + u % 7);
        writeln!(
            text,
            "{ns}\tR\tws\t{{\"topic\":\"orderbook.50.BTCUSDT\",\"type\":\"{kind}\",\"ts\":{ms},\
             \"data\":{{\"s\":\"BTCUSDT\",\"b\":[[\"{price}\",\"{qty}\"]],\
             \"a\":[[\"{}\",\"{qty}\"]],\"u\":{u},\"seq\":{u}}},\"cts\":{ms}}}",
            price + 100
        )
        .unwrap();
    }
    text
}

/// What the test below traces: says which thread applied the books. Does nothing by itself.
#[test]
fn traced() {
    let Ok(input) = std::env::var(INPUT) else { return };
    // A sign of life every millisecond: what it costs is part of the way too.
    let config = Config { writer_silent_ns: 4_000_000, ..Config::default() };
    let source = Source::replay([input]);
    let mut engine = Engine::builder().publication(config).source(source).build();
    // A receiver that never looks: what is told to it is part of the way.
    let _events = engine.subscribe(&Interest::in_topics(Topic::ALL)).unwrap();
    engine.start().unwrap();
    while engine.status()[0].state == SourceState::Running {
        let _ = (engine.books(), engine.book("bybit.linear:BTCUSDT"));
    }
    let book = engine.book("bybit.linear:BTCUSDT").unwrap();
    assert_eq!(book.last_known_top().unwrap().status.seq, Some(FRAMES.cast_signed()));
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap();
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.trim() == "gapless-0" {
            println!("hot thread {}", task.file_name().display());
        }
    }
}

/// The names of a thread's calls in their order.
fn calls(trace: &Path, thread: &str) -> Vec<String> {
    let text = std::fs::read_to_string(trace).unwrap();
    let of_thread = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix(thread)?.strip_prefix(' ')?.trim_start();
        rest.split_once('(').map(|(name, _)| name.to_owned())
    });
    of_thread.collect()
}

#[test]
fn a_warm_thread_asks_the_system_for_nothing_but_its_recording() {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        return println!("!! SKIPPED: strace is not there or may not trace; nothing was proved");
    }
    let folder = std::env::temp_dir().join(format!("gapless-hot-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (input, trace) = (folder.join("hot.cap"), folder.join("trace"));
    std::fs::write(&input, recording()).unwrap();
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o", &trace.display().to_string()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "traced", "--nocapture"])
        .env(INPUT, &input)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    let thread = said.split_once("hot thread ").unwrap().1.split_whitespace().next().unwrap();
    let calls = calls(&trace, thread);
    let reads: Vec<_> = (0..calls.len()).filter(|at| calls[*at] == "read").collect();
    assert!(reads.len() > 40, "{} reads of {} calls", reads.len(), calls.len());
    // The first quarter warms up; with the last read the recording ends.
    let warm = &calls[reads[reads.len() / 4]..*reads.last().unwrap()];
    let mut others = BTreeMap::<&str, usize>::new();
    for call in warm.iter().filter(|call| *call != "read") {
        *others.entry(call).or_default() += 1;
    }
    assert!(others.is_empty(), "{others:?} beside {} reads", warm.len());
    std::fs::remove_dir_all(&folder).unwrap();
}
