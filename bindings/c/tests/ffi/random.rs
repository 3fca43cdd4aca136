//! Random sequences of random calls: every one is answered, and as it must be.

use crate::world::{CALLS, Handles, World};
use crate::writer::{Folder, Writer};
use gapless::book::publish::Config;
use gapless_c::types::gapless_status;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SEQUENCES: usize = 20_000;
const CALLS_MAX: usize = 12;

fn sequences() -> usize {
    let wanted = std::env::var("GAPLESS_FFI_SEQUENCES");
    wanted.map_or(SEQUENCES, |count| count.parse().expect("GAPLESS_FFI_SEQUENCES is a number"))
}

/// Publishes in shared memory while something is done.
fn while_a_writer_publishes(folder: &Folder, what: impl FnOnce()) {
    let config = Config { depth: 5, ring: 256, levels: 64, ..Config::default() };
    let (mut writer, is_done) = (Writer::new(folder, &config), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                writer.publish();
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        // Also if it fails: the writer must end.
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _ends = Ends(&is_done);
        what();
    });
}

#[test]
fn random_sequences_of_calls_are_answered_as_they_must_be() {
    let folder = Folder::new();
    while_a_writer_publishes(&folder, || {
        let mut world = World::new(20_261_121, Arc::default(), true, &folder);
        // Otherwise the calls of an engine would find none for long.
        let starts = CALLS.iter().filter(|call| call.name == "gapless_engine_start");
        starts.cycle().take(300).for_each(|call| world.make(call));
        for _ in 0..sequences() {
            for _ in 0..=world.random.below(CALLS_MAX) {
                world.call();
            }
        }
        world.end();
        seen(&world.tally);
    });
}

/// Every function was called well and badly.
fn seen(tally: &BTreeMap<(&'static str, i32), u64>) {
    let cannot_fail =
        ["gapless_version", "gapless_abi_version", "gapless_status_name", "gapless_decimal"];
    for call in CALLS {
        let (mut good, mut bad) = (0, 0);
        for ((_, status), count) in tally.iter().filter(|((name, _), _)| *name == call.name) {
            *if *status == gapless_status::Ok as i32 { &mut good } else { &mut bad } += count;
        }
        let name = call.name;
        assert!(good > 0, "{name} was never called well: {tally:?}");
        assert!(bad > 0 || cannot_fail.contains(&name), "{name} was never called badly");
    }
    let changes = |status: gapless_status| tally.get(&("gapless_changes_read", status as i32));
    assert!(changes(gapless_status::Ok).is_some() && changes(gapless_status::TooSmall).is_some());
}

/// Handles that all threads use, whoever made them, and free while others use them.
#[test]
fn threads_that_share_their_handles_are_all_answered() {
    let folder = Folder::new();
    while_a_writer_publishes(&folder, || {
        let handles: Arc<Mutex<Handles>> = Arc::default();
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (handles, folder) = (Arc::clone(&handles), &folder);
                scope.spawn(move || {
                    let mut world = World::new(seed, handles, false, folder);
                    for _ in 0..sequences() / 2 {
                        world.call();
                    }
                });
            }
        });
        World::new(0, handles, false, &folder).end();
    });
}
