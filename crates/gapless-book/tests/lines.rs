//! Several lines of one book against a venue that knows the truth.
//!
//! The venue numbers its messages and queues each on every connected line. Lines lose, repeat and
//! reconnect, and are read in any order. Whenever the book says that it is live it must equal the
//! venue's book at that number, and the messages that somebody was shown must prove it.

#[path = "lines/scenes.rs"]
mod scenes;
#[path = "lines/venue.rs"]
mod venue;

use gapless_book::sequence::Chain;
use proptest::prelude::*;
use venue::{CHAINS, World};

#[derive(Clone, Debug)]
enum Step {
    Publish(u64),
    Deliver {
        line: usize,
        fate: Fate,
    },
    Reconnect(usize),
    /// The count begins anew, as the venue's rule has it.
    Reset(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        1 => Just(Fate::ComesTwice),
    ];
    let step = prop_oneof![
        10 => any::<u64>().prop_map(Step::Publish),
        30 => (0..3usize, fate).prop_map(|(line, fate)| Step::Deliver { line, fate }),
        1 => (0..3usize).prop_map(Step::Reconnect),
        1 => any::<u64>().prop_map(Step::Reset),
    ];
    proptest::collection::vec(step, 1..400)
}

/// Runs the steps. `whole`: what would make the lines together lose a message is left out.
fn run(chain: Chain, lines: usize, steps: &[Step], whole: bool) -> Result<World, TestCaseError> {
    let mut world = World::new(chain, lines);
    world.start();
    prop_assert!(world.book.live().is_some(), "not live after the start");
    for step in steps {
        match *step {
            Step::Publish(seed) => world.publish(seed),
            // Which of two counts a message is of may take until all lines have followed: then the
            // book may have to begin anew, and is never wrong.
            Step::Reset(seed) if whole => world.publish(seed),
            Step::Reset(seed) => world.reset(seed),
            Step::Reconnect(line) => {
                let line = line % lines;
                if !whole || world.may_reconnect(line) {
                    world.reconnect(line);
                }
            }
            Step::Deliver { line, fate } => {
                let line = line % lines;
                if fate == Fate::IsLost && (!whole || world.may_lose(line)) {
                    world.lose(line);
                } else {
                    world.deliver(line);
                    if fate == Fate::ComesTwice {
                        world.repeat(line);
                    }
                }
            }
        }
        world.check().map_err(TestCaseError::fail)?;
        if whole {
            prop_assert!(world.book.live().is_some(), "left live: {:?}", world.book.state());
        }
    }
    world.deliver_all();
    world.check().map_err(TestCaseError::fail)?;
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn lines_that_together_carry_every_message_keep_the_book_live_and_right(
        (steps, chain, lines) in (steps(), 0..CHAINS.len(), 2..4usize)
    ) {
        let world = run(CHAINS[chain], lines, &steps, true)?;
        prop_assert_eq!(world.book.counters().gaps, 0);
        prop_assert_eq!(world.shown_index(), Some(world.last_index()));
        prop_assert_eq!(world.lines.waiting(), 0);
        for (_, stats) in world.lines.stats() {
            prop_assert_eq!(stats.disagreements, 0);
        }
    }

    #[test]
    fn a_book_is_never_live_past_a_hole_of_all_lines(
        (steps, chain, lines) in (steps(), 0..CHAINS.len(), 1..4usize)
    ) {
        run(CHAINS[chain], lines, &steps, false)?;
    }
}
