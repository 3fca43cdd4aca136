//! From nothing to live: what is held, which snapshot joins it, what a snapshot is worth.

use crate::script::*;
use gapless_book::event::{SeqInfo, Side, Times};
use gapless_book::held::{HELD_LEVELS_MAX, HELD_MAX, Held};
use gapless_book::local::{EMPTY_MAX, Integrity, REFUSED_MAX};
use gapless_book::sequence::{Join, Sequencer};

/// Joins a REST snapshot to held messages: the worth of the snapshot, then what became of them.
fn bridge(rule: Rule, held: &[Sent], snapshot: &Sent) -> (LocalBook, Verdict) {
    let mut book = LocalBook::new(rule, Policy::default());
    for sent in held {
        assert_eq!(feed(&mut book, sent).verdict, HOLD);
    }
    let outcome = feed(&mut book, snapshot);
    (book, outcome.verdict)
}

/// A rule, what was held, the snapshot; then verdict, state, anchor, messages held, duplicates.
type Case<'a> = (Rule, &'a [Sent], Sent, Verdict, (State, Reason), Option<i64>, usize, u64);

fn check(cases: &[Case<'_>]) {
    for (at, (rule, held, snapshot, verdict, state, anchor, left, known)) in
        cases.iter().enumerate()
    {
        let (book, seen) = bridge(*rule, held, snapshot);
        let seen = (seen, book.state(), book.seq(), book.held(), book.counters().duplicates);
        assert_eq!(seen, (*verdict, *state, *anchor, *left, *known), "case {at}");
    }
}

#[test]
fn a_range_joins_where_a_message_begins_at_or_below_the_next_id() {
    let c01 = [range(95, 99), range(98, 100), range(101, 105)];
    let lost = sync(Reason::Gap);
    check(&[
        (RANGE, &c01, rest(100), REPLACE, LIVE, Some(105), 0, 2),
        (RANGE, &[range(99, 103)], rest(100), REPLACE, LIVE, Some(103), 0, 0),
        (RANGE, &[range(101, 103)], rest(100), REPLACE, LIVE, Some(103), 0, 0),
        (RANGE, &[range(102, 104)], rest(100), TOO_OLD, WAITS, None, 1, 0),
        (RANGE, &[range(140, 150)], rest(200), REPLACE, JOINED, Some(200), 0, 1),
        (RANGE, &[], rest(200), REPLACE, JOINED, Some(200), 0, 0),
        // A hole below the snapshot is harmless, one above it is a loss (0.6.4).
        (RANGE, &[range(90, 91), range(95, 102)], rest(100), REPLACE, LIVE, Some(102), 0, 1),
        (RANGE, &[range(100, 102), range(104, 105)], rest(100), REPLACE, lost, None, 1, 0),
        (RANGE, &[range(99, 100), range(102, 105)], rest(100), REPLACE, WAITS, None, 1, 1),
    ]);
}

#[test]
fn a_rising_chain_joins_where_a_message_spans_the_snapshot() {
    let c19 = [link(899, 950), link(950, 1000), link(1000, 1020)];
    check(&[
        (RISING, &c19, rest(1000), REPLACE, LIVE, Some(1020), 0, 1),
        (RISING, &[link(1000, 1010)], rest(1000), REPLACE, LIVE, Some(1010), 0, 0),
        (RISING, &[link(990, 1010)], rest(1000), REPLACE, LIVE, Some(1010), 0, 0),
        (RISING, &[link(1001, 1010)], rest(1000), TOO_OLD, WAITS, None, 1, 0),
        (RISING, &[link(990, 999)], rest(1000), REPLACE, JOINED, Some(1000), 0, 1),
        (RISING, &[link(1, 9), link(1001, 1010)], rest(1000), TOO_OLD, WAITS, None, 2, 0),
    ]);
}

#[test]
fn a_linked_chain_joins_only_where_a_message_begins_or_ends() {
    let c60 = [link(90, 98), link(98, 103), link(103, 110)];
    let reset = [link(90, 98), link(98, 5), link(5, 8)];
    check(&[
        (LINKED_REST, &c60, rest(98), REPLACE, LIVE, Some(110), 0, 1),
        (LINKED_REST, &c60, rest(100), TOO_OLD, WAITS, None, 3, 0),
        (LINKED_REST, &c60, rest(90), REPLACE, LIVE, Some(110), 0, 0),
        (LINKED_REST, &c60, rest(110), REPLACE, JOINED, Some(110), 0, 3),
        (LINKED_REST, &[], rest(110), REPLACE, JOINED, Some(110), 0, 0),
    ]);
    // A message that lowers the ids makes what was held before it useless (4.7, mode B).
    check(&[
        (LINKED_REST, &reset, rest(8), REPLACE, JOINED, Some(8), 0, 2),
        (LINKED_REST, &reset, rest(5), REPLACE, LIVE, Some(8), 0, 1),
        (LINKED_REST, &reset, rest(98), REPLACE, LIVE, Some(8), 0, 0),
        (LINKED_REST, &reset, rest(90), TOO_OLD, WAITS, None, 2, 0),
    ]);
    // One that repeats the id before it lowers nothing.
    let level = [link(9, 10), link(10, 10), link(10, 12)];
    check(&[(LINKED_REST, &level, rest(9), REPLACE, LIVE, Some(12), 0, 0)]);
}

/// What a venue sent before it lowered its ids, while a snapshot was on its way, keeps no snapshot
/// of the new count from joining.
#[test]
fn what_was_held_before_the_ids_fell_is_in_no_snapshots_way() {
    let ranges = [range(1000, 1010), range(1011, 1020), range(5, 8), range(9, 12)];
    let links = [link(999, 1010), link(1010, 1020), link(4, 8), link(8, 12)];
    let counts = [count(1000), count(1001), count(8), count(9)];
    check(&[
        (RANGE, &ranges, rest(8), REPLACE, LIVE, Some(12), 0, 1),
        (RANGE, &ranges, rest(3), TOO_OLD, WAITS, None, 4, 0),
        (RISING, &links, rest(8), REPLACE, LIVE, Some(12), 0, 0),
        (RISING, &links, rest(3), TOO_OLD, WAITS, None, 4, 0),
        (LOOSE, &counts, rest(8), REPLACE, LIVE, Some(9), 0, 1),
        (LOOSE, &[count(6), plain()], rest(4), TOO_OLD, WAITS, None, 2, 0),
        // Twice lowered, and a copy that came late: only the last fall counts.
        (
            RANGE,
            &[range(900, 910), range(500, 510), range(5, 8), range(9, 12)],
            rest(8),
            REPLACE,
            LIVE,
            Some(12),
            0,
            1,
        ),
        (
            RANGE,
            &[range(20, 22), range(23, 25), range(20, 22)],
            rest(10),
            TOO_OLD,
            WAITS,
            None,
            3,
            0,
        ),
    ]);
}

#[test]
fn a_line_lowered_while_waiting_or_joining_is_measured_from_there() {
    let mut book = run(
        LINKED_REST,
        &[
            (snap(90), REPLACE, LIVE, NOTHING),
            (link(95, 98), gap(90, 95), sync(Reason::Gap), RESUB),
            (link(98, 5), HOLD, sync(Reason::Gap), NOTHING),
            (link(5, 8), HOLD, sync(Reason::Gap), NOTHING),
            (rest(8), REPLACE, JOINED, NOTHING),
            (link(8, 12), APPLY, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.counters().backwards, book.counters().duplicates), (0, 2));
    run_on(&mut book, &[(link(2, 3), BACK, sync(Reason::SequenceBackwards), NOTHING)]);
    let book = run(
        LINKED_REST,
        &[
            (snap(90), REPLACE, LIVE, NOTHING),
            (link(95, 98), gap(90, 95), sync(Reason::Gap), RESUB),
            (rest(98), REPLACE, JOINED, NOTHING),
            (link(98, 5), APPLY, LIVE, NOTHING),
            (link(4, 5), STALE, LIVE, NOTHING),
            (link(5, 9), APPLY, LIVE, NOTHING),
            (link(1, 7), BACK, sync(Reason::SequenceBackwards), NOTHING),
        ],
    );
    assert_eq!(book.counters().backwards, 1);
}

#[test]
fn a_counted_chain_joins_where_count_and_cross_number_agree() {
    let held = [count(5).cross(50), count(6).cross(52), count(7).cross(55)];
    check(&[
        (COUNTER_REST, &held, rest(6).cross(52), REPLACE, LIVE, Some(7), 0, 2),
        (COUNTER_REST, &held, rest(4).cross(49), REPLACE, LIVE, Some(7), 0, 0),
        (COUNTER_REST, &held, rest(3).cross(48), TOO_OLD, WAITS, None, 3, 0),
        (COUNTER_REST, &[count(6).cross(52)], rest(4).cross(52), TOO_OLD, WAITS, None, 1, 0),
        (COUNTER_REST, &[count(5).cross(52)], rest(4).cross(52), TOO_OLD, WAITS, None, 1, 0),
        (COUNTER_REST, &[count(6)], rest(6), REPLACE, JOINED, Some(6), 0, 1),
        (COUNTER_REST, &[count(7)], rest(6), REPLACE, LIVE, Some(7), 0, 0),
        // A hole in what is held makes everything before it useless.
        (COUNTER_REST, &[count(5), count(7)], rest(4), TOO_OLD, WAITS, None, 1, 0),
        (COUNTER_REST, &[count(5), count(7)], rest(6), REPLACE, LIVE, Some(7), 0, 0),
        (LOOSE, &[count(5), count(6)], rest(4), REPLACE, LIVE, Some(6), 0, 0),
        (LOOSE, &[count(6)], rest(4), TOO_OLD, WAITS, None, 1, 0),
        (LOOSE, &[count(4), plain()], rest(4), REPLACE, LIVE, Some(4), 0, 1),
        (LOOSE, &[count(3)], unnumbered(rest(0)), REPLACE, LIVE, Some(3), 0, 0),
        (RANGE, &[range(3, 4)], unnumbered(rest(0)), TOO_OLD, WAITS, None, 1, 0),
    ]);
}

#[test]
fn a_lenient_bridge_joins_over_a_hole_says_so_and_is_strict_afterwards() {
    let policy = Policy { lenient_bridge: true, ..Policy::default() };
    let rising = |prev: i64, last: i64| link(prev, last);
    for (rule, known, over, next, far) in [
        (RANGE, range(90, 100), range(105, 110), range(111, 112), range(114, 114)),
        (RISING, rising(80, 99), rising(104, 110), rising(110, 112), rising(113, 114)),
    ] {
        // The snapshot came after the update that it does not reach, and before it.
        for held in [true, false] {
            let mut book = LocalBook::new(rule, policy);
            let _ = feed(&mut book, &known);
            if held {
                let _ = feed(&mut book, &over);
            }
            assert_eq!(feed(&mut book, &rest(100)).verdict, REPLACE, "{rule:?} {held}");
            if !held {
                assert_eq!(book.state(), JOINED);
                let _ = feed(&mut book, &over);
            }
            assert_eq!((book.state(), book.seq()), (LIVE, Some(110)), "{rule:?} {held}");
            assert_eq!(book.integrity(), Integrity::Weak);
            let _ = feed(&mut book, &next);
            assert_eq!((book.state(), book.integrity()), (LIVE, Integrity::Weak));
            assert_eq!(feed(&mut book, &far).demand, FETCH, "a later hole is a gap");
            // A snapshot that reaches its update makes a whole book again.
            let _ = feed(&mut book, &rest(113));
            assert_eq!((book.state(), book.integrity()), (LIVE, Integrity::Full));
        }
        let mut strict = LocalBook::new(rule, Policy::default());
        let _ = feed(&mut strict, &over);
        assert_eq!(feed(&mut strict, &rest(100)).verdict, TOO_OLD);
    }
    // Where numbers are counted one by one nothing is bridged loosely.
    let mut counted = LocalBook::new(COUNTER_REST, policy);
    let _ = feed(&mut counted, &count(105));
    assert_eq!(feed(&mut counted, &rest(100)).verdict, TOO_OLD);
}

#[test]
fn a_held_count_takes_no_message_whose_cross_number_goes_back() {
    let number = |last: i64, cross: i64| count(last).cross(cross);
    let mut book = LocalBook::new(COUNTER_REST, Policy::default());
    for (sent, held, dropped) in [
        (number(5, 50), 1, 0),
        (number(6, 50), 2, 0),
        // Of before, though its count goes on: dropped, and what is held stays.
        (number(7, 49), 2, 1),
        (number(7, 51), 3, 1),
        // Without the number nothing tells; a hole in the count begins a new buffer.
        (count(8), 4, 1),
        (number(11, 52), 1, 1),
    ] {
        assert_eq!(feed(&mut book, &sent).verdict, HOLD);
        assert_eq!((book.held(), book.counters().unsynced), (held, dropped), "{sent:?}");
    }
    // Elsewhere the number decides nothing.
    let mut book = LocalBook::new(RANGE, Policy::default());
    let _ = feed(&mut book, &range(5, 5).cross(50));
    let _ = feed(&mut book, &range(6, 6).cross(49));
    assert_eq!(book.held(), 2);
}

#[test]
fn a_full_count_that_begins_anew_needs_a_new_snapshot_in_every_phase() {
    let restart = sync(Reason::Restart);
    let mut book = run(
        COUNTER_REST,
        &[
            (count(1), RESTART, restart, FETCH),
            (count(2), HOLD, restart, FETCH),
            (rest(1), REPLACE, LIVE, NOTHING),
            (count(3), APPLY, LIVE, NOTHING),
            (count(1), RESTART, restart, FETCH),
            (rest(1), REPLACE, JOINED, NOTHING),
            (count(2), APPLY, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.seq(), book.held()), (Some(2), 0));
    let _ = book.disconnect();
    let gone = sync(Reason::Disconnected);
    run_on(
        &mut book,
        &[
            (count(99), HOLD, gone, FETCH),
            (rest(100), REPLACE, JOINED, NOTHING),
            (count(1), RESTART, restart, FETCH),
            (count(2), HOLD, restart, FETCH),
            (rest(3), REPLACE, JOINED, NOTHING),
            (count(4), APPLY, LIVE, NOTHING),
        ],
    );
}

#[test]
fn numbers_that_a_join_needs_and_that_are_absent_join_nothing() {
    let only = |last| bare(SeqInfo { last: Some(last), ..SeqInfo::default() }).bid(9, 1);
    for rule in [RANGE, RISING, LINKED_REST, COUNTER_REST] {
        let joined = [(rest(100), REPLACE, JOINED, NOTHING)];
        let mut book = run(rule, &joined);
        assert_eq!(feed(&mut book, &plain()).verdict, TOO_OLD, "{rule:?}");
        assert_ne!(book.state(), LIVE);
    }
    for rule in [RANGE, RISING, LINKED_REST] {
        let mut book = run(rule, &[(rest(100), REPLACE, JOINED, NOTHING)]);
        assert_eq!(feed(&mut book, &only(101)).verdict, TOO_OLD, "{rule:?}");
    }
}

#[test]
fn a_snapshot_that_a_later_message_shows_too_old_was_no_snapshot() {
    let book = run(
        RANGE,
        &[
            (rest(100), REPLACE, JOINED, NOTHING),
            (range(103, 104), TOO_OLD, WAITS, FETCH),
            (range(105, 105), HOLD, WAITS, NOTHING),
            (rest(101), TOO_OLD, WAITS, FETCH),
            (rest(104), REPLACE, LIVE, NOTHING),
        ],
    );
    let expected = Counters {
        snapshots: 1,
        deltas: 2,
        applied: 1,
        duplicates: 1,
        snapshots_ignored: 2,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
}

#[test]
fn a_snapshot_that_never_catches_up_is_for_a_person_to_see_and_one_that_joins_heals() {
    const FAILED: (State, Reason) = (State::Failed, Reason::SnapshotNeverCatchesUp);
    let mut book = LocalBook::new(RANGE, Policy::default());
    assert_eq!(feed(&mut book, &range(103, 104)).verdict, HOLD);
    for refused in 1..=12 {
        let outcome = feed(&mut book, &rest(100));
        assert_eq!((outcome.verdict, outcome.demand), (TOO_OLD, FETCH), "{refused}");
        let expected = if refused < i64::from(REFUSED_MAX) { WAITS } else { FAILED };
        assert_eq!(book.state(), expected, "{refused}");
    }
    // What is held stays of use, and too much of it does not hide the reason.
    let last = 105 + HELD_MAX as i64;
    for id in 105..=last {
        let _ = feed(&mut book, &range(id, id));
    }
    assert_eq!((book.state(), book.counters().gaps), (FAILED, 1));
    assert_eq!(feed(&mut book, &rest(last - 1)).verdict, REPLACE);
    assert_eq!(book.state(), LIVE);
    // The count began anew; a connection begins it too.
    let _ = book.invalidate(Reason::Gap);
    assert_eq!(feed(&mut book, &range(last + 5, last + 5)).verdict, HOLD);
    for refused in 1..REFUSED_MAX {
        let _ = feed(&mut book, &rest(1));
        assert_eq!(book.state(), (State::Syncing, Reason::Gap), "{refused}");
    }
    let _ = book.disconnect();
    assert_eq!(feed(&mut book, &range(9, 9)).verdict, HOLD);
    let _ = feed(&mut book, &rest(1));
    assert_eq!(book.state(), (State::Syncing, Reason::Disconnected));
}

#[test]
fn crossed_snapshots_count_as_refused_and_those_of_linked_updates_do_not() {
    for (rule, failed) in [(RANGE, true), (LINKED_REST, false)] {
        let mut book = LocalBook::new(rule, Policy::default());
        for _ in 0..REFUSED_MAX {
            let outcome = feed(&mut book, &rest(7).bid(50, 1).ask(40, 1));
            assert_eq!(outcome.demand, FETCH);
        }
        assert_eq!(book.state().0 == State::Failed, failed, "{rule:?}");
    }
    // Nor do those that nobody asked for.
    let mut book = LocalBook::new(RANGE, Policy::default());
    let _ = feed(&mut book, &rest(100));
    let _ = feed(&mut book, &range(101, 101));
    for _ in 0..2 * REFUSED_MAX {
        let _ = feed(&mut book, &rest(7).bid(50, 1).ask(40, 1));
    }
    assert_eq!(book.state(), LIVE);
}

#[test]
fn a_symbol_that_never_traded_begins_empty_with_any_delta() {
    let book = run(
        RANGE,
        &[
            (range(7, 9), HOLD, WAITS, FETCH),
            (rest(-1), TOO_OLD, WAITS, FETCH),
            (empty_rest(-1), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.seq(), side(&book, Side::Bid)), (Some(9), vec![(9, 9)]));
    let ids = SeqInfo { last: Some(-1), ..SeqInfo::default() };
    let mut machine = Sequencer::new(RANGE);
    assert_eq!(machine.join(&ids, true, [].iter()), Join::Take);
    assert_eq!((machine.anchor(), machine.is_joined()), (None, true));
    // Ids that are below zero by one more are ordinary ids.
    let below = SeqInfo { last: Some(-2), ..SeqInfo::default() };
    assert_eq!(Sequencer::new(RANGE).join(&below, false, [].iter()), Join::Take);
}

#[test]
fn a_symbol_that_was_live_is_not_believed_gone_at_once() {
    let mut book = run(
        RANGE,
        &[
            (rest(100), REPLACE, JOINED, NOTHING),
            (range(101, 101), APPLY, LIVE, NOTHING),
            (range(103, 103), gap(102, 103), sync(Reason::Gap), FETCH),
        ],
    );
    for _ in 0..EMPTY_MAX {
        run_on(&mut book, &[(empty_rest(-1), IGNORE, sync(Reason::Gap), FETCH)]);
    }
    run_on(&mut book, &[(empty_rest(-1), REPLACE, LIVE, NOTHING)]);
    assert_eq!((EMPTY_MAX, book.counters().snapshots_ignored), (3, 3));
}

#[test]
fn an_empty_snapshot_is_fetched_again_three_times_where_something_speaks_against_it() {
    let mut book = run(RANGE, &[(range(101, 101), HOLD, WAITS, FETCH)]);
    let again = [(empty_rest(100), IGNORE, WAITS, FETCH)];
    run_on(&mut book, &again);
    run_on(&mut book, &again);
    // One with levels in between begins the count anew.
    run_on(&mut book, &[(rest(99), TOO_OLD, WAITS, FETCH)]);
    for _ in 0..EMPTY_MAX {
        run_on(&mut book, &again);
    }
    run_on(&mut book, &[(empty_rest(100), REPLACE, LIVE, NOTHING)]);
    assert_eq!(book.counters().snapshots_ignored, 6);
    // Nothing speaks against it: believed at once.
    let removal = bare(range(101, 101).seq).bid(9, 0);
    let mut book = run(
        RANGE,
        &[
            (removal, HOLD, WAITS, FETCH),
            (empty_rest(100), REPLACE, LIVE, NOTHING),
            (bare(range(103, 103).seq), gap(102, 103), sync(Reason::Gap), FETCH),
            (empty_rest(103), REPLACE, JOINED, NOTHING),
            (range(104, 104), APPLY, LIVE, NOTHING),
            (bare(range(106, 106).seq), gap(105, 106), sync(Reason::Gap), FETCH),
        ],
    );
    // The book of before was not empty; after four, the count begins anew.
    for _ in 0..EMPTY_MAX {
        run_on(&mut book, &[(empty_rest(106), IGNORE, sync(Reason::Gap), FETCH)]);
    }
    run_on(
        &mut book,
        &[
            (empty_rest(106), REPLACE, JOINED, NOTHING),
            (range(107, 107).ask(30, 1).bid(9, 0), APPLY, LIVE, NOTHING),
            (bare(range(109, 109).seq), gap(108, 109), sync(Reason::Gap), FETCH),
            (empty_rest(109), IGNORE, sync(Reason::Gap), FETCH),
            // One-sided is not empty.
            (empty_rest(109).bid(5, 1), REPLACE, JOINED, NOTHING),
        ],
    );
}

#[test]
fn a_rest_snapshot_that_crosses_in_itself_is_refused() {
    let crossed = empty_rest(100).bid(20, 1).ask(20, 1);
    let beside = empty_rest(100).bid(20, 0).bid(19, 1).ask(20, 1).ask(18, 0);
    let book = run(
        RANGE,
        &[
            (range(101, 101), HOLD, WAITS, FETCH),
            (crossed.clone(), IGNORE, WAITS, FETCH),
            (beside, REPLACE, LIVE, NOTHING),
            (crossed, IGNORE, LIVE, NOTHING),
        ],
    );
    assert_eq!(book.counters().snapshots_ignored, 2);
}

#[test]
fn snapshots_nobody_asked_for_never_touch_a_live_book() {
    let book = run(
        RANGE,
        &[
            (rest(100), REPLACE, JOINED, NOTHING),
            (range(101, 105), APPLY, LIVE, NOTHING),
            (rest(104), STALE, LIVE, NOTHING),
            (rest(105), STALE, LIVE, NOTHING),
            (empty_rest(105), STALE, LIVE, NOTHING),
            (unnumbered(rest(0)), TOO_OLD, LIVE, FETCH),
        ],
    );
    assert_eq!((book.counters().snapshots_ignored, book.counters().snapshots), (4, 1));
    let book = run(
        LOOSE,
        &[
            (unnumbered(snap(0)), REPLACE, LIVE, NOTHING),
            (unnumbered(rest(0)), STALE, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.counters().snapshots_ignored, book.counters().snapshots), (1, 1));
    let book = run(COUNTER, &[(rest(5), IGNORE, WAITS, NOTHING)]);
    assert_eq!(book.counters().snapshots_ignored, 1);
    // A rule that is bridged over REST takes every snapshot for one of REST.
    run(RANGE, &[(snap(5), REPLACE, JOINED, NOTHING)]);
    // In the stream it replaces, and drops what was held.
    let book =
        run(LINKED_REST, &[(link(3, 4), HOLD, WAITS, NOTHING), (snap(9), REPLACE, LIVE, NOTHING)]);
    assert_eq!(book.held(), 0);
}

#[test]
fn pictures_without_numbers_replace_each_other_until_an_update_is_applied() {
    let empty = unnumbered(empty_rest(0));
    let picture = |qty| empty.clone().bid(10, qty).ask(20, 1);
    let mut book = run(
        LOOSE,
        &[
            (picture(1), REPLACE, LIVE, NOTHING),
            (picture(2), REPLACE, LIVE, NOTHING),
            // What came instead of a picture is not the book, and neither is the one before it.
            (empty.clone().bid(20, 1).ask(20, 1), IGNORE, sync(Reason::Crossed), FETCH),
            (picture(3), REPLACE, LIVE, NOTHING),
            (empty.clone(), IGNORE, WAITS, FETCH),
            (picture(4), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!(side(&book, Side::Bid), [(10, 4)]);
    assert_eq!((book.integrity(), book.epoch(), book.counters().resets), (Integrity::Weak, 4, 1));
    assert_eq!(book.refuse().transition, Transition::Invalidated(Reason::Rejected));
    run_on(
        &mut book,
        &[
            (picture(5), REPLACE, LIVE, NOTHING),
            // One with a number opens a chain.
            (rest(7), REPLACE, JOINED, NOTHING),
            (count(8), APPLY, LIVE, NOTHING),
            (picture(6), STALE, LIVE, NOTHING),
        ],
    );
    assert_eq!(book.integrity(), Integrity::Full);
    // Updates may be newer than a picture that nothing orders.
    let book = run(
        LOOSE,
        &[
            (picture(1), REPLACE, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
            (picture(2), STALE, LIVE, NOTHING),
        ],
    );
    assert_eq!(side(&book, Side::Bid), [(10, 1), (9, 1)]);
}

#[test]
fn a_message_without_the_number_that_its_chain_needs_is_not_held() {
    let nameless = |rule: Rule, sent: Sent, joined: (State, Reason), next: Sent| {
        let mut book = run(rule, &[(sent.clone(), HOLD, WAITS, NOTHING)]);
        assert_eq!((book.held(), book.counters().unsynced), (0, 1), "{rule:?}");
        run_on(
            &mut book,
            &[
                (rest(100), REPLACE, joined, NOTHING),
                (sent, TOO_OLD, WAITS, if rule == LINKED_REST { RESUB } else { FETCH }),
            ],
        );
        assert_eq!(book.held(), 0, "{rule:?}");
        run_on(&mut book, &[(rest(100), REPLACE, joined, NOTHING), (next, APPLY, LIVE, NOTHING)]);
    };
    let first = SeqInfo { first: Some(101), ..SeqInfo::default() };
    let prev = SeqInfo { prev: Some(100), ..SeqInfo::default() };
    let cross = SeqInfo { cross: Some(100), ..SeqInfo::default() };
    nameless(RANGE, bare(first), JOINED, range(101, 101));
    nameless(RISING, bare(prev), JOINED, link(100, 101));
    nameless(LINKED_REST, bare(prev), JOINED, link(100, 101));
    nameless(COUNTER_REST, bare(cross), JOINED, count(101));
    // Where numbers may be absent it is.
    let book = run(LOOSE, &[(plain(), HOLD, WAITS, NOTHING)]);
    assert_eq!(book.held(), 1);
}

#[test]
fn a_full_buffer_is_dropped_whole_and_counted() {
    let mut book = LocalBook::new(RANGE, Policy::default());
    for id in 0..HELD_MAX as i64 {
        assert_eq!(feed(&mut book, &range(id, id)).verdict, HOLD);
    }
    assert_eq!((book.held(), book.counters().gaps), (HELD_MAX, 0));
    run_on(&mut book, &[(range(5000, 5000), HOLD, sync(Reason::BufferOverflow), FETCH)]);
    assert_eq!((book.held(), book.counters().gaps, HELD_MAX), (0, 1, 4096));
    run_on(
        &mut book,
        &[
            (range(5001, 5001), HOLD, sync(Reason::BufferOverflow), FETCH),
            (rest(5000), REPLACE, LIVE, NOTHING),
        ],
    );
    let mut book = LocalBook::new(LINKED_REST, Policy::default());
    for id in 0..HELD_MAX as i64 {
        assert_eq!(feed(&mut book, &link(id, id + 1)).demand, NOTHING);
    }
    run_on(&mut book, &[(link(5000, 5001), HOLD, sync(Reason::BufferOverflow), RESUB)]);
}

#[test]
fn what_is_held_is_bounded_in_levels_and_comes_back_as_it_was() {
    assert_eq!(HELD_LEVELS_MAX, 262_144);
    let mut held = Held::default();
    assert_eq!((held.len(), held.is_empty(), held.inserts()), (0, true, false));
    let mut big = range(1, 1);
    big.bids = vec![Default::default(); HELD_LEVELS_MAX - 3];
    let small = range(2, 2).ask(8, 0);
    assert!(push(&mut held, &big) && push(&mut held, &small));
    assert_eq!((held.len(), held.is_empty(), held.inserts()), (2, false, true));
    let ids: Vec<_> = held.ids().map(|ids| ids.last).collect();
    assert_eq!(ids, [Some(1), Some(2)]);
    let back: Vec<_> = held.messages().map(|(m, _)| (m.bids.len(), m.asks.to_vec())).collect();
    assert_eq!(back, [(HELD_LEVELS_MAX - 3, vec![]), (1, small.asks.clone())]);
    // One more fits exactly; the next is too much.
    assert!(push(&mut held, &bare(SeqInfo::default()).bid(1, 1)));
    assert!(push(&mut held, &bare(SeqInfo::default())));
    assert!(!push(&mut held, &bare(SeqInfo::default()).ask(1, 1)));
    assert!(held.is_empty());
    assert!(push(&mut held, &small));
    assert_eq!(held.messages().map(|(m, _)| m.bids.len()).collect::<Vec<_>>(), [1]);
    let mut removals = Held::default();
    assert!(push(&mut removals, &bare(SeqInfo::default()).bid(1, 0)));
    assert!(!removals.inserts());
}

fn push(held: &mut Held, sent: &Sent) -> bool {
    use gapless_book::event::{BookMessage, LevelExtra};
    let extras = vec![LevelExtra { extra: 4, ..LevelExtra::default() }; 1];
    held.push(
        &BookMessage {
            kind: sent.kind,
            seq: sent.seq,
            scales: sent.scales,
            bids: &sent.bids,
            asks: &sent.asks,
            extras: if sent.bids.len() == 1 && sent.asks.is_empty() { &extras } else { &[] },
            depth_limit: None,
        },
        &Times::default(),
    )
}

#[test]
fn ids_at_the_end_of_their_range_are_compared_and_never_overflow() {
    let end = i64::MAX;
    check(&[
        (RANGE, &[range(end, end)], rest(end), REPLACE, JOINED, Some(end), 0, 1),
        (COUNTER_REST, &[count(end)], rest(end), REPLACE, JOINED, Some(end), 0, 1),
        (LOOSE, &[count(end)], rest(end), REPLACE, JOINED, Some(end), 0, 1),
    ]);
    run(
        LOOSE,
        &[(snap(i64::MIN), REPLACE, LIVE, NOTHING), (count(i64::MIN + 1), APPLY, LIVE, NOTHING)],
    );
}
