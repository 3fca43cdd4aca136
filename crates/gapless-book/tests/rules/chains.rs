//! Live chains: what follows, what is known, what proves a loss.

use crate::script::*;
use gapless_book::event::SeqInfo;
use gapless_book::held::HELD_MAX;
use gapless_book::sequence::{BACKWARDS_MAX, RECENT_MAX, RESTART_DISTANCE, Sequencer};

/// A live book of a REST-bridged range at 105.
fn range_at_105() -> LocalBook {
    run(RANGE, &[(rest(100), REPLACE, JOINED, NOTHING), (range(101, 105), APPLY, LIVE, NOTHING)])
}

#[test]
fn a_range_counts_on_overlaps_and_breaks_exactly_at_its_edges() {
    let mut book = range_at_105();
    run_on(
        &mut book,
        &[
            (range(106, 106), APPLY, LIVE, NOTHING),
            (range(101, 105), STALE, LIVE, NOTHING),
            (range(106, 106), STALE, LIVE, NOTHING),
            (range(100, 106), STALE, LIVE, NOTHING),
            (range(106, 108), OVERLAP, LIVE, NOTHING),
            (range(109, 109), APPLY, LIVE, NOTHING),
        ],
    );
    assert_eq!(book.seq(), Some(109));
    run_on(
        &mut book,
        &[
            (range(111, 111), gap(110, 111), sync(Reason::Gap), FETCH),
            (range(112, 112), HOLD, sync(Reason::Gap), NOTHING),
        ],
    );
    assert_eq!((book.seq(), book.held()), (None, 2));
    let expected = Counters {
        snapshots: 1,
        deltas: 9,
        applied: 4,
        duplicates: 3,
        overlaps: 1,
        gaps: 1,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
}

#[test]
fn a_chain_broken_by_a_message_without_numbers_is_a_gap() {
    let only = |last| SeqInfo { last: Some(last), ..SeqInfo::default() };
    let first = SeqInfo { first: Some(106), ..SeqInfo::default() };
    let prev = SeqInfo { prev: Some(105), ..SeqInfo::default() };
    let lost = sync(Reason::Gap);
    run_on(&mut range_at_105(), &[(bare(only(106)), gap(105, 106), lost, FETCH)]);
    run_on(&mut range_at_105(), &[(bare(first), gap(105, 0), lost, FETCH)]);
    let rising = [(rest(105), REPLACE, JOINED, NOTHING), (link(105, 105), APPLY, LIVE, NOTHING)];
    run_on(&mut run(RISING, &rising), &[(bare(only(106)), gap(105, 106), lost, FETCH)]);
    run_on(&mut run(RISING, &rising), &[(bare(prev), gap(105, 105), lost, FETCH)]);
    let linked = [(snap(105), REPLACE, LIVE, NOTHING)];
    run_on(&mut run(LINKED, &linked), &[(bare(only(106)), gap(105, 106), lost, RESUB)]);
    run_on(&mut run(LINKED, &linked), &[(link(-1, 106), gap(105, -1), lost, RESUB)]);
    run_on(&mut run(LINKED, &linked), &[(link(-1, 104), gap(105, -1), lost, RESUB)]);
    run_on(&mut run(LINKED, &linked), &[(plain(), gap(105, 0), lost, RESUB)]);
    run_on(&mut run(COUNTER, &linked), &[(plain(), gap(105, 0), lost, RESUB)]);
}

#[test]
fn a_rising_chain_looks_at_the_id_before_and_not_at_the_first() {
    let mut jump = link(1010, 1050);
    jump.seq.first = Some(1040);
    let book = run(
        RISING,
        &[
            (rest(1000), REPLACE, JOINED, NOTHING),
            (link(998, 999), STALE, JOINED, NOTHING),
            (link(999, 1000), APPLY, LIVE, NOTHING),
            (link(1000, 1010), APPLY, LIVE, NOTHING),
            (link(1000, 1010), STALE, LIVE, NOTHING),
            (jump, APPLY, LIVE, NOTHING),
            // Ids never go down in this chain: a lower id is tested before the link (0.6.23).
            (link(1050, 1040), BACK, sync(Reason::SequenceBackwards), NOTHING),
            (link(1050, 1060), APPLY, LIVE, NOTHING),
            (link(1059, 1070), gap(1060, 1059), sync(Reason::Gap), FETCH),
        ],
    );
    let expected = Counters {
        snapshots: 1,
        deltas: 8,
        applied: 4,
        duplicates: 2,
        backwards: 1,
        gaps: 1,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
}

#[test]
fn a_repeat_of_the_latest_message_of_a_linked_chain_is_known_after_older_repeats_and_many() {
    run(
        LINKED,
        &[
            (snap(1), REPLACE, LIVE, NOTHING),
            (link(1, 2), APPLY, LIVE, NOTHING),
            (link(2, 15), APPLY, LIVE, NOTHING),
            (link(15, 3), APPLY, LIVE, NOTHING),
            // An older message again is not the latest for that.
            (link(1, 2), STALE, LIVE, NOTHING),
            (link(15, 3), STALE, LIVE, NOTHING),
        ],
    );
    // Wherever in the memory of ids the latest one lies.
    for messages in RECENT_MAX - 3..RECENT_MAX + 3 {
        let mut book = run(LINKED, &[(snap(1_000), REPLACE, LIVE, NOTHING)]);
        let end = 1_000 + i64::try_from(messages).unwrap();
        for id in 1_000..end {
            run_on(&mut book, &[(link(id, id + 1), APPLY, LIVE, NOTHING)]);
        }
        run_on(
            &mut book,
            &[(link(end, 7), APPLY, LIVE, NOTHING), (link(end, 7), STALE, LIVE, NOTHING)],
        );
    }
}

#[test]
fn a_linked_chain_is_followed_down_and_its_heartbeats_change_nothing() {
    let mut beat = link(15, 15);
    beat.bids.clear();
    let book = run(
        LINKED,
        &[
            (link(9, 10), IGNORE, WAITS, NOTHING),
            (snap(10), REPLACE, LIVE, NOTHING),
            (link(10, 15), APPLY, LIVE, NOTHING),
            (beat, BEAT, LIVE, NOTHING),
            (link(15, 15), APPLY, LIVE, NOTHING),
            (link(15, 3), APPLY, LIVE, NOTHING),
            (link(15, 3), STALE, LIVE, NOTHING),
            (link(3, 5), APPLY, LIVE, NOTHING),
            (link(3, 5), STALE, LIVE, NOTHING),
            (link(17, 20), gap(5, 17), sync(Reason::Gap), RESUB),
            (link(20, 21), IGNORE, sync(Reason::Gap), NOTHING),
            (snap(30), REPLACE, LIVE, NOTHING),
        ],
    );
    let expected = Counters {
        snapshots: 2,
        deltas: 10,
        applied: 4,
        heartbeats: 1,
        duplicates: 2,
        unsynced: 2,
        gaps: 1,
        resyncs: 1,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
    assert_eq!(book.epoch(), 2);
}

#[test]
fn only_the_latest_link_may_repeat_from_above_the_anchor() {
    let lowered = [
        (snap(10), REPLACE, LIVE, NOTHING),
        (link(10, 15), APPLY, LIVE, NOTHING),
        (link(15, 3), APPLY, LIVE, NOTHING),
    ];
    let mut book = run(LINKED, &lowered);
    run_on(
        &mut book,
        &[
            (link(15, 3), STALE, LIVE, NOTHING),
            (link(15, 3), STALE, LIVE, NOTHING),
            (link(10, 15), gap(3, 10), sync(Reason::Gap), RESUB),
        ],
    );
    // Level with the anchor on one side only.
    run_on(
        &mut run(LINKED, &lowered),
        &[(link(2, 3), STALE, LIVE, NOTHING), (link(4, 3), gap(3, 4), sync(Reason::Gap), RESUB)],
    );
    run_on(&mut run(LINKED, &lowered), &[(link(2, 4), gap(3, 2), sync(Reason::Gap), RESUB)]);
    // The repeat of the latest stays one when known messages came between.
    run_on(
        &mut run(LINKED, &lowered),
        &[
            (link(3, 6), APPLY, LIVE, NOTHING),
            (link(6, 2), APPLY, LIVE, NOTHING),
            (link(1, 2), STALE, LIVE, NOTHING),
            (link(3, 6), gap(2, 3), sync(Reason::Gap), RESUB),
        ],
    );
}

#[test]
fn a_message_behind_a_lowered_line_is_measured_by_the_lowered_line() {
    // The line has shown 15, was lowered to 3 and shows 5: an unknown 4 is a step back, and the
    // 15 of before is not what it is measured by.
    let book = run(
        LINKED,
        &[
            (snap(10), REPLACE, LIVE, NOTHING),
            (link(10, 15), APPLY, LIVE, NOTHING),
            (link(15, 3), APPLY, LIVE, NOTHING),
            (link(1, 3), STALE, LIVE, NOTHING),
            (link(3, 5), APPLY, LIVE, NOTHING),
            (link(2, 4), BACK, sync(Reason::SequenceBackwards), NOTHING),
        ],
    );
    assert_eq!(book.counters().backwards, 1);
}

#[test]
fn a_count_goes_by_one_and_begins_anew_with_one() {
    let book = run(
        COUNTER,
        &[
            (count(9), IGNORE, WAITS, NOTHING),
            (snap(10), REPLACE, LIVE, NOTHING),
            (count(11), APPLY, LIVE, NOTHING),
            (count(11), STALE, LIVE, NOTHING),
            (snap(5), REPLACE, LIVE, NOTHING),
            (count(6), APPLY, LIVE, NOTHING),
            (count(1), REPLACE, LIVE, NOTHING),
            (count(2), APPLY, LIVE, NOTHING),
            (count(4), gap(3, 4), sync(Reason::Gap), RESUB),
            (count(5), IGNORE, sync(Reason::Gap), NOTHING),
            (count(1), REPLACE, LIVE, NOTHING),
        ],
    );
    let expected = Counters {
        snapshots: 4,
        deltas: 9,
        applied: 3,
        duplicates: 1,
        unsynced: 2,
        gaps: 1,
        resets: 2,
        resyncs: 1,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
    assert_eq!((book.epoch(), book.seq()), (4, Some(1)));
}

#[test]
fn a_relay_checks_numbers_where_there_are_some() {
    let book = run(
        LOOSE,
        &[
            (snap(4), REPLACE, LIVE, NOTHING),
            (count(5), APPLY, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
            (count(6), APPLY, LIVE, NOTHING),
            (count(6), STALE, LIVE, NOTHING),
            (count(9), gap(7, 9), sync(Reason::Gap), RESUB),
            (count(10), HOLD, sync(Reason::Gap), NOTHING),
            (rest(9), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.seq(), book.counters().gaps), (Some(10), 1));
}

#[test]
fn a_relay_number_more_than_a_thousand_below_is_a_restart() {
    let start = [(snap(5000), REPLACE, LIVE, NOTHING)];
    let mut book = run(LOOSE, &start);
    let doubt = sync(Reason::SequenceBackwards);
    run_on(
        &mut book,
        &[
            (count(5000 - RESTART_DISTANCE), BACK, doubt, NOTHING),
            (count(5000 - RESTART_DISTANCE - 1), RESTART, sync(Reason::Restart), RESUB),
        ],
    );
    assert_eq!(book.held(), 1);
    let again = [(snap(3000), REPLACE, LIVE, NOTHING), (count(2999), BACK, doubt, NOTHING)];
    run_on(&mut book, &again);
    // Other chains know no such distance.
    run_on(&mut run(COUNTER, &start), &[(count(2), BACK, doubt, NOTHING)]);
}

#[test]
fn five_unknown_steps_back_with_none_applied_between_resync() {
    let mut book = range_at_105();
    let doubt = sync(Reason::SequenceBackwards);
    for id in 0..i64::from(BACKWARDS_MAX) - 1 {
        run_on(&mut book, &[(range(id, id), BACK, doubt, NOTHING)]);
    }
    run_on(
        &mut book,
        &[(range(101, 105), STALE, doubt, NOTHING), (range(106, 106), APPLY, LIVE, NOTHING)],
    );
    for id in 0..i64::from(BACKWARDS_MAX) - 1 {
        run_on(&mut book, &[(range(id, id), BACK, doubt, NOTHING)]);
    }
    run_on(&mut book, &[(range(9, 9), RESTART, sync(Reason::Restart), FETCH)]);
    let expected = Counters {
        snapshots: 1,
        deltas: 12,
        applied: 2,
        duplicates: 1,
        backwards: 8,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
    assert_eq!((BACKWARDS_MAX, book.held(), book.epoch()), (5, 1, 1));
}

#[test]
fn a_loss_between_steps_back_begins_their_count_anew() {
    let mut book = range_at_105();
    let doubt = sync(Reason::SequenceBackwards);
    for id in 0..4 {
        run_on(&mut book, &[(range(id, id), BACK, doubt, NOTHING)]);
    }
    run_on(
        &mut book,
        &[
            (range(108, 108), gap(106, 108), sync(Reason::Gap), FETCH),
            (rest(108), REPLACE, JOINED, NOTHING),
            (range(109, 109), APPLY, LIVE, NOTHING),
            (range(7, 7), BACK, doubt, NOTHING),
        ],
    );
}

#[test]
fn the_last_256_messages_are_known_and_older_ones_are_not() {
    let mut book = run(COUNTER, &[(snap(10), REPLACE, LIVE, NOTHING)]);
    let newest = 10 + RECENT_MAX as i64;
    for id in 11..=newest {
        run_on(&mut book, &[(count(id), APPLY, LIVE, NOTHING)]);
    }
    run_on(
        &mut book,
        &[
            (count(11), STALE, LIVE, NOTHING),
            (count(newest), STALE, LIVE, NOTHING),
            (count(11), STALE, LIVE, NOTHING),
            (count(10), BACK, sync(Reason::SequenceBackwards), NOTHING),
        ],
    );
    assert_eq!(RECENT_MAX, 256);
}

#[test]
fn the_same_last_id_on_another_link_is_not_the_same_message() {
    let start = [
        (snap(10), REPLACE, LIVE, NOTHING),
        (link(10, 12), APPLY, LIVE, NOTHING),
        (link(12, 14), APPLY, LIVE, NOTHING),
    ];
    let doubt = sync(Reason::SequenceBackwards);
    run_on(&mut run(LINKED, &start), &[(link(10, 12), STALE, LIVE, NOTHING)]);
    run_on(&mut run(LINKED, &start), &[(link(11, 12), BACK, doubt, NOTHING)]);
    run_on(&mut run(LINKED, &start), &[(link(11, 14), STALE, LIVE, NOTHING)]);
}

#[test]
fn books_without_numbers_apply_between_snapshots_only() {
    let book = run(
        UNNUMBERED,
        &[
            (plain(), IGNORE, WAITS, NOTHING),
            (unnumbered(snap(0)), REPLACE, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.seq(), book.counters().applied), (None, 2));
    let book = run(
        LINKED,
        &[
            (unnumbered(snap(0)), REPLACE, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
            (count(3), gap(0, 3), sync(Reason::Gap), RESUB),
        ],
    );
    assert_eq!(book.counters().gaps, 1);
}

#[test]
fn what_is_repeated_fills_a_hole_of_a_count_from_its_start_to_what_is_held() {
    let hole = [
        (snap(6), REPLACE, LIVE, NOTHING),
        (count(9), gap(7, 9), sync(Reason::Gap), RESUB),
        (count(10), HOLD, sync(Reason::Gap), NOTHING),
    ];
    let mut book = run(LOOSE, &hole);
    for (id, verdict) in [(8, STALE), (7, STALE), (7, STALE), (9, STALE), (8, APPLY)] {
        assert_eq!(book.state(), sync(Reason::Gap), "{id}");
        let outcome = repeat(&mut book, &count(id));
        let transition = if verdict == APPLY { Transition::Live } else { Transition::None };
        let expected = Outcome { verdict, transition, demand: NOTHING };
        assert_eq!(outcome, expected, "{id}");
    }
    assert_eq!((book.state(), book.seq(), book.held(), book.epoch()), (LIVE, Some(10), 0, 1));
    let counters = *book.counters();
    assert_eq!((counters.gaps, counters.resyncs, counters.duplicates), (1, 1, 3));
    // Nothing is missing any more.
    assert_eq!(repeat(&mut book, &count(11)).verdict, STALE);
    run_on(&mut book, &[(count(11), APPLY, LIVE, NOTHING)]);
    // A snapshot of either kind, a loss, a refusal or a new connection ends the waiting for it.
    let after: [fn(&mut LocalBook); 6] = [
        |book| {
            run_on(book, &[(snap(9), REPLACE, LIVE, NOTHING), (count(10), APPLY, LIVE, NOTHING)])
        },
        |book| run_on(book, &[(rest(8), REPLACE, LIVE, NOTHING)]),
        |book| _ = book.invalidate(Reason::Disconnected),
        |book| _ = book.refuse(),
        |book| _ = book.disconnect(),
        |book| _ = book.adopt(&run(LOOSE, &[(snap(10), REPLACE, LIVE, NOTHING)]), &mut ()),
    ];
    for end in after {
        let mut book = run(LOOSE, &hole);
        end(&mut book);
        let stands = (book.state(), book.seq(), book.held());
        for id in 7..12 {
            assert_eq!(repeat(&mut book, &count(id)).verdict, STALE);
        }
        assert_eq!((book.state(), book.seq(), book.held()), stands);
    }
    // Where messages name the one before, or are joined by a snapshot alone, nothing is filled.
    let held = [(rest(6), REPLACE, JOINED, NOTHING), (range(7, 7), APPLY, LIVE, NOTHING)];
    let mut book = run(RANGE, &held);
    run_on(&mut book, &[(range(9, 9), gap(8, 9), sync(Reason::Gap), FETCH)]);
    assert_eq!(repeat(&mut book, &range(8, 8)).verdict, STALE);
    assert_eq!(book.state(), sync(Reason::Gap));
    // More of it than may be held is none of it.
    let mut book = run(LOOSE, &[(snap(0), REPLACE, LIVE, NOTHING)]);
    let last = HELD_MAX as i64 + 2;
    run_on(&mut book, &[(count(last), gap(1, last), sync(Reason::Gap), RESUB)]);
    for id in 1..last {
        assert_eq!(repeat(&mut book, &count(id)).verdict, STALE);
    }
    assert_eq!(book.state(), sync(Reason::Gap));
}

#[test]
fn a_notice_of_a_loss_keeps_what_is_missing_and_what_is_held() {
    let told = sync(Reason::GapNotice);
    let filled = |mut book: LocalBook, ids: core::ops::Range<i64>, last: i64| {
        for id in ids {
            assert_eq!(book.state(), told, "{id}");
            let _ = repeat(&mut book, &count(id));
        }
        assert_eq!((book.state(), book.seq()), (LIVE, Some(last)));
    };
    let mut book = run(LOOSE, &[(snap(6), REPLACE, LIVE, NOTHING)]);
    assert_eq!(book.invalidate(Reason::GapNotice).demand, RESUB);
    run_on(&mut book, &[(count(9), HOLD, told, NOTHING)]);
    filled(book, 7..9, 9);
    let mut book = run(
        LOOSE,
        &[(snap(6), REPLACE, LIVE, NOTHING), (count(9), gap(7, 9), sync(Reason::Gap), RESUB)],
    );
    assert_eq!((book.invalidate(Reason::GapNotice).demand, book.state()), (RESUB, told));
    assert_eq!(book.counters().gaps, 2);
    filled(book, 7..9, 9);
    // By itself the next message proves nothing: what was lost may be any book's.
    let mut book = run(LOOSE, &[(snap(6), REPLACE, LIVE, NOTHING)]);
    let _ = book.invalidate(Reason::GapNotice);
    run_on(&mut book, &[(count(7), HOLD, told, NOTHING)]);
    // A hole that a snapshot or another line's book has closed is none.
    let other = run(LOOSE, &[(snap(9), REPLACE, LIVE, NOTHING)]);
    for closed in [Some(rest(8)), Some(snap(9)), None] {
        let lost =
            [(snap(6), REPLACE, LIVE, NOTHING), (count(9), gap(7, 9), sync(Reason::Gap), RESUB)];
        let mut book = run(LOOSE, &lost);
        match closed {
            Some(snapshot) => run_on(&mut book, &[(snapshot, REPLACE, LIVE, NOTHING)]),
            None => _ = book.adopt(&other, &mut ()),
        }
        let _ = book.invalidate(Reason::GapNotice);
        run_on(&mut book, &[(count(10), HOLD, told, NOTHING)]);
    }
    // It may be repeated before anything follows it.
    let mut book = run(LOOSE, &[(snap(6), REPLACE, LIVE, NOTHING)]);
    let _ = book.invalidate(Reason::GapNotice);
    assert_eq!(repeat(&mut book, &count(7)).verdict, STALE);
    run_on(&mut book, &[(count(8), HOLD, LIVE, NOTHING)]);
}

#[test]
fn pictures_replace_and_are_live_each_time() {
    let book = run(
        IMAGE,
        &[
            (image(Some(9)), REPLACE, LIVE, NOTHING),
            (image(Some(3)), REPLACE, LIVE, NOTHING),
            (image(Some(3)), REPLACE, LIVE, NOTHING),
            (image(None), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!((book.epoch(), book.counters().snapshots), (1, 4));
}

#[test]
fn a_counted_picture_that_jumps_is_doubted_until_the_next_continues_it() {
    let doubt = sync(Reason::SequenceBackwards);
    let at_5000 = [(image(Some(5000)), REPLACE, LIVE, NOTHING)];
    let ahead = 5000 + RESTART_DISTANCE;
    let mut book = run(IMAGE_COUNTED, &at_5000);
    run_on(
        &mut book,
        &[
            (image(Some(5000)), REPLACE, LIVE, NOTHING),
            (image(Some(ahead)), REPLACE, LIVE, NOTHING),
            (image(Some(ahead - 1)), BACK, doubt, NOTHING),
            (image(Some(ahead - 1)), REPLACE, LIVE, NOTHING),
            (image(Some(ahead)), REPLACE, LIVE, NOTHING),
            (image(Some(7)), BACK, doubt, NOTHING),
            (image(Some(8)), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!(book.counters().backwards, 2);
    run_on(
        &mut run(IMAGE_COUNTED, &at_5000),
        &[
            (image(Some(ahead + 1)), BACK, doubt, NOTHING),
            (image(Some(ahead + 1 + RESTART_DISTANCE)), REPLACE, LIVE, NOTHING),
        ],
    );
    run_on(
        &mut run(IMAGE_COUNTED, &at_5000),
        &[
            (image(Some(7)), BACK, doubt, NOTHING),
            (image(Some(6)), BACK, doubt, NOTHING),
            (image(Some(7 + RESTART_DISTANCE)), BACK, doubt, NOTHING),
            // Back to the numbers of before: the doubt was about what came between.
            (image(Some(5001)), REPLACE, LIVE, NOTHING),
            (image(Some(7)), BACK, doubt, NOTHING),
            (image(None), REPLACE, LIVE, NOTHING),
        ],
    );
}

#[test]
fn level_one_repeats_are_heartbeats_and_edits_edit_one_side() {
    let one = LEVEL_ONE.depth(Some(1));
    let book = run(
        one,
        &[
            (count(6), IGNORE, WAITS, NOTHING),
            (snap(7), REPLACE, LIVE, NOTHING),
            (snap(7), BEAT, LIVE, NOTHING),
            (count(7), BEAT, LIVE, NOTHING),
            (count(8), APPLY, LIVE, NOTHING),
            (snap(3), REPLACE, LIVE, NOTHING),
            (unnumbered(snap(3)), REPLACE, LIVE, NOTHING),
            (unnumbered(snap(3)), REPLACE, LIVE, NOTHING),
            (plain(), APPLY, LIVE, NOTHING),
        ],
    );
    let expected = Counters {
        snapshots: 4,
        deltas: 4,
        applied: 2,
        heartbeats: 2,
        unsynced: 1,
        resets: 3,
        truncated: 2,
        ..Counters::default()
    };
    assert_eq!(*book.counters(), expected);
}

#[test]
fn a_sequencer_says_where_it_stands() {
    let ids = |last| SeqInfo { last: Some(last), first: Some(last), ..SeqInfo::default() };
    let mut machine = Sequencer::new(RANGE);
    assert_eq!((machine.is_chained(), machine.is_joined()), (false, false));
    let _ = machine.join(&ids(100), false, [].iter());
    assert_eq!((machine.is_chained(), machine.is_joined()), (false, true));
    let _ = machine.delta(&ids(101), true);
    assert_eq!((machine.is_chained(), machine.is_joined()), (true, false));
    let _ = machine.delta(&ids(5), true);
    assert_eq!((machine.is_chained(), machine.is_joined()), (false, false));
    machine.lose();
    assert_eq!((machine.anchor(), machine.rule()), (None, RANGE));
}

#[test]
fn a_new_connection_forgets_what_the_old_one_showed() {
    let mut book = range_at_105();
    let outcome = book.disconnect();
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Disconnected));
    let gone = sync(Reason::Disconnected);
    run_on(
        &mut book,
        &[
            (range(50, 50), HOLD, gone, FETCH),
            (rest(60), REPLACE, JOINED, NOTHING),
            // Below the snapshot but rising on the new line: stale, and no step back from 105.
            (range(51, 51), STALE, JOINED, NOTHING),
            (range(60, 61), APPLY, LIVE, NOTHING),
            (range(101, 105), gap(62, 101), sync(Reason::Gap), FETCH),
        ],
    );
    let mut book = range_at_105();
    let _ = book.disconnect();
    // Not among the recent messages of the new line.
    run_on(
        &mut book,
        &[
            (rest(200), REPLACE, JOINED, NOTHING),
            (range(150, 150), STALE, JOINED, NOTHING),
            (range(101, 105), BACK, JOINED, NOTHING),
        ],
    );
}
