//! What a book says of itself: crossing, checksums, refusals, depth, silence, audits.

use crate::script::*;
use gapless_book::book::Change;
use gapless_book::event::{Level, Side};
use gapless_book::local::{CROSSED_MAX, CROSSED_NS_MAX, Integrity};

const CROSSED: (State, Reason) = (State::Syncing, Reason::Crossed);

fn crossing(policy: CrossedPolicy) -> Policy {
    Policy { crossed: policy, ..Policy::default() }
}

/// A live count at 10 with bid 10 and ask 20.
fn live(policy: Policy) -> LocalBook {
    run_with(COUNTER, policy, &[(snap(10), REPLACE, LIVE, NOTHING)])
}

/// The `id`-th message, which crosses or locks at 20.
fn over(id: i64) -> Sent {
    bare(count(id).seq).bid(20, 1)
}

/// The `id`-th message, which takes back what [`over`] did.
fn back(id: i64) -> Sent {
    bare(count(id).seq).bid(20, 0)
}

#[test]
fn a_crossed_book_is_reported_and_live_again_with_the_next_uncrossed_message() {
    let mut book = live(crossing(CrossedPolicy::Report));
    for id in 11..20 {
        run_on(&mut book, &[(over(id).at(id * SECOND), APPLY, CROSSED, NOTHING)]);
    }
    let outcome = book.tick(1000 * SECOND, SECOND);
    assert_eq!((outcome.transition, outcome.demand), (Transition::None, NOTHING));
    run_on(&mut book, &[(back(20), APPLY, LIVE, NOTHING)]);
    assert_eq!((book.counters().crossed, book.counters().resyncs, book.epoch()), (9, 0, 1));
}

#[test]
fn three_crossed_messages_in_a_row_resync_a_live_feed() {
    let mut book = live(crossing(CrossedPolicy::Resync));
    run_on(
        &mut book,
        &[
            (over(11), APPLY, CROSSED, NOTHING),
            (over(12), APPLY, CROSSED, NOTHING),
            (back(13), APPLY, LIVE, NOTHING),
            (over(14), APPLY, CROSSED, NOTHING),
            (over(15), APPLY, CROSSED, NOTHING),
            (over(16), APPLY, CROSSED, RESUB),
            (back(17), IGNORE, CROSSED, NOTHING),
            (snap(20), REPLACE, LIVE, NOTHING),
            (over(21), APPLY, CROSSED, NOTHING),
            (back(22), APPLY, LIVE, NOTHING),
        ],
    );
    assert_eq!((CROSSED_MAX, book.counters().crossed, book.counters().resyncs), (3, 6, 1));
}

#[test]
fn a_second_of_crossing_resyncs_a_live_feed() {
    let policy = crossing(CrossedPolicy::Resync);
    let start = over(11).at(SECOND);
    let first = [(start, APPLY, CROSSED, NOTHING)];
    let mut book = live(policy);
    run_on(&mut book, &first);
    run_on(&mut book, &[(over(12).at(2 * SECOND - 1), APPLY, CROSSED, NOTHING)]);
    assert_eq!(book.tick(2 * SECOND - 1, SECOND).demand, NOTHING);
    assert_eq!(book.seq(), Some(12));
    assert_eq!(book.tick(2 * SECOND, SECOND).demand, RESUB);
    assert_eq!((book.seq(), book.state(), CROSSED_NS_MAX), (None, CROSSED, SECOND));
    assert_eq!(book.tick(9 * SECOND, SECOND).demand, NOTHING);
    let mut book = live(policy);
    run_on(&mut book, &first);
    run_on(&mut book, &[(over(12).at(2 * SECOND), APPLY, CROSSED, RESUB)]);
    // Absent times never make a long time.
    let absent = i64::MIN;
    let mut book = live(policy);
    run_on(
        &mut book,
        &[
            (over(11).at(absent), APPLY, CROSSED, NOTHING),
            (over(12).at(SECOND), APPLY, CROSSED, NOTHING),
        ],
    );
    assert_eq!(book.tick(9 * SECOND, SECOND).demand, NOTHING);
    // A live book was never crossed for long.
    let mut book = live(policy);
    run_on(&mut book, &first);
    run_on(&mut book, &[(back(12), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.tick(9 * SECOND, 90 * SECOND).demand, NOTHING);
    assert_eq!(book.state(), LIVE);
    // The time of one crossing is not that of the next.
    run_on(&mut book, &[(over(13).at(9 * SECOND), APPLY, CROSSED, NOTHING)]);
}

#[test]
fn uncrossing_takes_levels_from_the_side_that_the_message_did_not_touch() {
    let policy = crossing(CrossedPolicy::Uncross);
    let deep = empty_snap(10).bid(10, 1).bid(9, 2).bid(8, 3).ask(20, 1).ask(21, 2).ask(22, 3);
    let start = [(deep, REPLACE, LIVE, NOTHING)];
    let mut book = run_with(COUNTER, policy, &start);
    let mut seen = Vec::new();
    let _ = feed_seen(&mut book, &bare(count(11).seq).ask(9, 5), &mut seen);
    assert_eq!(book.state(), LIVE);
    assert_eq!(side(&book, Side::Bid), [(8, 3)]);
    assert_eq!(seen, [(Side::Ask, 9, 5), (Side::Bid, 10, 0), (Side::Bid, 9, 0)]);
    assert_eq!((book.counters().uncrossed, book.counters().crossed), (2, 1));
    let mut book = run_with(COUNTER, policy, &start);
    run_on(&mut book, &[(bare(count(11).seq).bid(21, 5), APPLY, LIVE, NOTHING)]);
    assert_eq!((side(&book, Side::Ask), side(&book, Side::Bid).len()), (vec![(22, 3)], 4));
    // An ask elsewhere, or one that is taken away, is not one at the new best.
    for asks in [bare(count(11).seq).ask(30, 1), bare(count(11).seq).ask(20, 0)] {
        let mut book = run_with(COUNTER, policy, &start);
        run_on(&mut book, &[(asks.bid(21, 5), APPLY, LIVE, NOTHING)]);
        assert_eq!(side(&book, Side::Bid).first(), Some(&(21, 5)));
    }
    // An ask at the best in another scale is one at the best.
    let mut book = run_with(COUNTER, policy, &start);
    let fine = bare(count(11).seq).ask(90, 5).scales(1, 0);
    run_on(&mut book, &[(fine, APPLY, LIVE, NOTHING)]);
    assert_eq!(side(&book, Side::Bid), [(80, 3)]);
}

#[test]
fn a_chain_that_opens_on_a_crossed_book_is_renewed_at_once() {
    let crossed = empty_snap(10).bid(20, 1).ask(20, 1);
    let resync = crossing(CrossedPolicy::Resync);
    run_with(
        COUNTER,
        resync,
        &[(crossed.clone(), REPLACE, CROSSED, RESUB), (count(11), IGNORE, CROSSED, NOTHING)],
    );
    let report = crossing(CrossedPolicy::Report);
    run_with(
        COUNTER,
        report,
        &[(crossed.clone(), REPLACE, CROSSED, NOTHING), (back(11), APPLY, LIVE, NOTHING)],
    );
    // Pictures follow the rule for every message only, and the next one heals.
    let picture = |id| image(Some(id)).bid(20, 1);
    run_with(
        IMAGE,
        resync,
        &[
            (picture(1), REPLACE, CROSSED, NOTHING),
            (picture(2), REPLACE, CROSSED, NOTHING),
            (image(Some(3)), REPLACE, LIVE, NOTHING),
            (picture(4), REPLACE, CROSSED, NOTHING),
            (picture(5), REPLACE, CROSSED, NOTHING),
            (picture(6), REPLACE, CROSSED, RESUB),
            (image(Some(7)), REPLACE, LIVE, NOTHING),
        ],
    );
    run_with(LEVEL_ONE, resync, &[(crossed, REPLACE, CROSSED, NOTHING)]);
}

#[test]
fn a_refused_message_ends_live_until_the_next_snapshot() {
    let mut book = live(Policy::default());
    let outcome = book.refuse();
    let refused = sync(Reason::Rejected);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Rejected));
    assert_eq!((outcome.verdict, outcome.demand, book.state()), (IGNORE, RESUB, refused));
    run_on(&mut book, &[(count(11), IGNORE, refused, NOTHING), (snap(30), REPLACE, LIVE, NOTHING)]);
    assert_eq!((book.counters().rejects, book.counters().resyncs), (1, 1));
    // What cannot be held exactly is refused with the book unchanged.
    let mut book = live(Policy::default());
    run_on(
        &mut book,
        &[
            (bare(count(11).seq).ask(i64::MAX, 1), APPLY, LIVE, NOTHING),
            (bare(count(12).seq).bid(99, 1).scales(1, 0), APPLY, refused, RESUB),
        ],
    );
    assert_eq!((book.counters().rejects, book.counters().applied), (1, 1));
    // Over REST the same asks for a snapshot.
    let mut book = run(RANGE, &[(rest(1), REPLACE, JOINED, NOTHING)]);
    assert_eq!(book.refuse().demand, FETCH);
}

#[test]
fn a_refused_picture_is_healed_by_the_next_and_by_no_edit_or_repeat() {
    let refused = sync(Reason::Rejected);
    for rule in [IMAGE, IMAGE_COUNTED] {
        let mut book = run(rule, &[(image(Some(5)), REPLACE, LIVE, NOTHING)]);
        let outcome = book.refuse();
        assert_eq!((outcome.demand, book.state(), book.seq()), (NOTHING, refused, Some(5)));
        // A number that another channel took is no picture, and says nothing of a crossed one.
        run_on(&mut book, &[(bare(count(6).seq), BEAT, refused, NOTHING)]);
        assert_eq!(book.seq(), Some(6));
        let crossed = image(Some(7)).bid(20, 1);
        run_on(&mut book, &[(crossed, REPLACE, sync(Reason::Crossed), NOTHING)]);
        for id in 8..8 + i64::from(CROSSED_MAX) {
            let number = bare(count(id).seq);
            run_on(&mut book, &[(number, BEAT, sync(Reason::Crossed), NOTHING)]);
        }
        run_on(&mut book, &[(image(Some(12)), REPLACE, LIVE, NOTHING)]);
    }
    let mut book = run(LEVEL_ONE, &[(snap(5), REPLACE, LIVE, NOTHING)]);
    assert_eq!((book.refuse().demand, book.state()), (NOTHING, refused));
    run_on(&mut book, &[(count(6), IGNORE, refused, NOTHING), (snap(5), REPLACE, LIVE, NOTHING)]);
    // The reason of a book that was not live stays.
    let mut book = LocalBook::new(IMAGE, Policy::default());
    let _ = book.refuse();
    assert_eq!(book.state(), WAITS);
}

#[test]
fn too_many_levels_are_refused_and_say_so() {
    use gapless_book::book::LEVELS_MAX;
    let mut big = empty_snap(10);
    big.bids = (1..=LEVELS_MAX as i64 + 1)
        .map(|price| gapless_book::event::Level { price, qty: 1 })
        .collect();
    let book = run(COUNTER, &[(big, REPLACE, sync(Reason::TooManyLevels), RESUB)]);
    assert_eq!((book.counters().rejects, book.counters().snapshots), (1, 0));
}

#[test]
fn what_is_known_elsewhere_to_be_lost_ends_live() {
    let mut book = live(Policy::default());
    let outcome = book.invalidate(Reason::GapNotice);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::GapNotice));
    assert_eq!((outcome.verdict, outcome.demand), (IGNORE, RESUB));
    run_on(&mut book, &[(count(11), IGNORE, sync(Reason::GapNotice), NOTHING)]);
    let mut book = run(LOOSE, &[(snap(4), REPLACE, LIVE, NOTHING)]);
    let _ = book.invalidate(Reason::GapNotice);
    run_on(
        &mut book,
        &[(count(9), HOLD, sync(Reason::GapNotice), NOTHING), (rest(8), REPLACE, LIVE, NOTHING)],
    );
}

#[test]
fn a_notice_of_a_gap_counts_as_a_gap_and_no_other_loss_does() {
    for (reason, gaps) in [(Reason::GapNotice, 1), (Reason::GridChange, 0), (Reason::Restart, 0)] {
        let mut book = live(Policy::default());
        let _ = book.invalidate(reason);
        assert_eq!((book.counters().gaps, book.state()), (gaps, sync(reason)));
    }
}

#[test]
fn the_numbers_prove_a_book_from_its_snapshot_to_its_loss_whatever_else_its_state_says() {
    let mut book = LocalBook::new(RANGE, Policy::default());
    assert!(!book.is_chained(), "nothing came");
    run_on(&mut book, &[(rest(100), REPLACE, JOINED, NOTHING)]);
    assert!(!book.is_chained(), "a snapshot that no delta has joined");
    run_on(&mut book, &[(range(101, 101), APPLY, LIVE, NOTHING)]);
    assert!(book.is_chained());
    run_on(&mut book, &[(range(102, 102).bid(20, 1), APPLY, CROSSED, NOTHING)]);
    assert!(book.is_chained(), "crossed, and still what the venue says");
    run_on(&mut book, &[(range(104, 104), gap(103, 104), sync(Reason::Gap), FETCH)]);
    assert!(!book.is_chained());
}

#[test]
fn a_rest_snapshot_without_a_number_is_a_picture_until_an_update_joins_it() {
    let mut book = LocalBook::new(LOOSE, Policy::default());
    assert!(!book.is_pictured(), "nothing came");
    run_on(&mut book, &[(unnumbered(rest(1)), REPLACE, LIVE, NOTHING)]);
    assert!(book.is_pictured());
    run_on(&mut book, &[(count(5), APPLY, LIVE, NOTHING)]);
    assert!(!book.is_pictured());
}

#[test]
fn a_book_adopted_from_another_line_is_a_new_epoch_with_its_own_counts() {
    let mut ours = live(Policy::default());
    run_on(&mut ours, &[(count(11), APPLY, LIVE, NOTHING)]);
    let other = run(COUNTER, &[(snap(50).bid(8, 8), REPLACE, LIVE, NOTHING)]);
    let mut seen = Vec::new();
    let outcome = ours.adopt(&other, &mut |side: Side, level: Level, _: Change| {
        seen.push((side, level.price, level.qty));
    });
    assert_eq!((outcome.verdict, outcome.transition), (REPLACE, Transition::Reset));
    assert_eq!(
        (outcome.demand, ours.state(), ours.epoch(), ours.seq()),
        (NOTHING, LIVE, 2, Some(50))
    );
    let counters = ours.counters();
    assert_eq!((counters.snapshots, counters.deltas, counters.applied), (2, 1, 1));
    assert_eq!(side(&ours, Side::Bid), [(10, 1), (8, 8)]);
    seen.sort_unstable_by_key(|told| told.1);
    assert_eq!(seen, [(Side::Bid, 8, 8), (Side::Bid, 10, 1), (Side::Ask, 20, 1)], "as a snapshot");
    run_on(&mut ours, &[(count(51), APPLY, LIVE, NOTHING)]);
    // What is not live there is not live here.
    let mut lost = live(Policy::default());
    let waiting = LocalBook::new(COUNTER, Policy::default());
    let outcome = lost.adopt(&waiting, &mut ());
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::AwaitingSnapshot));
    assert_eq!((lost.state(), lost.seq(), side(&lost, Side::Bid).len()), (WAITS, None, 0));
}

#[test]
fn a_disconnect_ends_live_asks_for_nothing_and_forgets_what_was_held() {
    let mut book = live(Policy::default());
    let outcome = book.disconnect();
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Disconnected));
    assert_eq!((outcome.verdict, outcome.demand, book.seq()), (IGNORE, NOTHING, None));
    let mut book = run(RANGE, &[(range(1, 1), HOLD, WAITS, FETCH)]);
    assert_eq!(book.disconnect().transition, Transition::None);
    assert_eq!(book.held(), 0);
}

#[test]
fn silence_makes_stale_and_any_sign_of_life_live_again() {
    let silent = (State::Stale, Reason::Silent);
    let mut book = live(Policy::default());
    assert_eq!(book.tick(2 * SECOND, SECOND).transition, Transition::None);
    let outcome = book.tick(2 * SECOND + 1, SECOND);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Silent));
    assert_eq!((outcome.verdict, outcome.demand, book.state()), (BEAT, NOTHING, silent));
    assert!(book.live().is_none());
    run_on(&mut book, &[(count(10).at(5 * SECOND), STALE, LIVE, NOTHING)]);
    assert_eq!(book.last_times().recv_ns, 5 * SECOND);
    assert_eq!(book.tick(6 * SECOND, SECOND).transition, Transition::None);
    let _ = book.tick(7 * SECOND, SECOND);
    run_on(&mut book, &[(count(11).at(8 * SECOND), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.last_times().recv_ns, 8 * SECOND);
    // An unknown step back leaves a silent book in doubt, and a repeat does not clear that.
    let _ = book.tick(10 * SECOND, SECOND);
    let doubt = sync(Reason::SequenceBackwards);
    run_on(
        &mut book,
        &[
            (count(5).at(11 * SECOND), BACK, doubt, NOTHING),
            (count(11).at(11 * SECOND), STALE, doubt, NOTHING),
        ],
    );
    // Without a time nothing is silent, and a book that is not live is not stale.
    let mut book = live(Policy::default());
    run_on(&mut book, &[(count(11).at(i64::MIN), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.tick(i64::MAX, 0).transition, Transition::None);
    let mut book = LocalBook::new(COUNTER, Policy::default());
    let _ = book.tick(i64::MAX, 0);
    assert_eq!(book.state(), WAITS);
    // A step back elsewhere keeps the reason that was there.
    let mut book = live(crossing(CrossedPolicy::Report));
    run_on(&mut book, &[(over(11), APPLY, CROSSED, NOTHING), (count(3), BACK, CROSSED, NOTHING)]);
}

#[test]
fn levels_beyond_the_subscribed_depth_are_dropped_counted_and_told() {
    let two = COUNTER.depth(Some(2));
    let deep = empty_snap(10).bid(10, 1).bid(9, 1).bid(8, 1).ask(20, 1);
    let mut book = run(two, &[(deep, REPLACE, LIVE, NOTHING)]);
    assert_eq!((book.counters().truncated, side(&book, Side::Bid).len()), (1, 2));
    let mut seen = Vec::new();
    let wide = bare(count(11).seq).bid(11, 1).ask(21, 1).ask(22, 3);
    let _ = feed_seen(&mut book, &wide, &mut seen);
    assert_eq!(side(&book, Side::Bid), [(11, 1), (10, 1)]);
    assert_eq!(side(&book, Side::Ask), [(20, 1), (21, 1)]);
    assert_eq!(book.counters().truncated, 3);
    assert_eq!(seen.split_off(3), [(Side::Bid, 9, 0), (Side::Ask, 22, 0)]);
}

#[test]
fn a_limited_snapshot_has_a_horizon_that_deltas_do_not_move() {
    let two = empty_rest(100).bid(10, 1).bid(9, 1).ask(20, 1).limit(2);
    let mut book = run(
        RANGE,
        &[(two, REPLACE, JOINED, NOTHING), (range(101, 101).bid(3, 1), APPLY, LIVE, NOTHING)],
    );
    assert_eq!((book.complete_to(Side::Bid), book.complete_to(Side::Ask)), (Some(9), None));
    assert_eq!(side(&book, Side::Bid).last(), Some(&(3, 1)));
    // In the scale of the book as it is now.
    run_on(&mut book, &[(range(102, 102).scales(1, 0), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.complete_to(Side::Bid), Some(90));
    let book = run(COUNTER.depth(Some(1)), &[(snap(10), REPLACE, LIVE, NOTHING)]);
    assert_eq!((book.complete_to(Side::Bid), book.complete_to(Side::Ask)), (Some(10), Some(20)));
}

#[test]
fn integrity_is_weak_where_a_loss_could_go_unseen() {
    let integrity = |rule, rows: &[Row]| run(rule, rows).integrity();
    assert_eq!(integrity(UNNUMBERED, &[]), Integrity::Weak);
    assert_eq!(integrity(COUNTER, &[]), Integrity::Full);
    assert_eq!(integrity(COUNTER, &[(snap(1), REPLACE, LIVE, NOTHING)]), Integrity::Full);
    let bare_snap = (unnumbered(snap(1)), REPLACE, LIVE, NOTHING);
    assert_eq!(integrity(LINKED, std::slice::from_ref(&bare_snap)), Integrity::Weak);
    let healed = (snap(2), REPLACE, LIVE, NOTHING);
    assert_eq!(integrity(LINKED, &[bare_snap, healed]), Integrity::Full);
    assert_eq!(integrity(IMAGE, &[(image(None), REPLACE, LIVE, NOTHING)]), Integrity::Full);
    let loose = (unnumbered(rest(1)), REPLACE, LIVE, NOTHING);
    assert_eq!(integrity(LOOSE, &[loose]), Integrity::Weak);
    assert_eq!(integrity(LOOSE, &[(rest(1), REPLACE, JOINED, NOTHING)]), Integrity::Full);
    let some = (snap(1), REPLACE, LIVE, NOTHING);
    let none = (plain(), APPLY, LIVE, NOTHING);
    assert_eq!(integrity(LOOSE, &[some, none]), Integrity::Weak);
}

/// Bids of a book, and its number.
type Stood = (Vec<(i64, i64)>, Option<i64>);

/// The last live book.
fn last_live(book: &LocalBook) -> Option<Stood> {
    let (levels, anchor) = book.last_live()?;
    Some((levels.side(Side::Bid).iter().map(|l| (l.price, l.qty)).collect(), anchor))
}

#[test]
fn the_last_live_book_is_the_one_before_whatever_broke_it() {
    let replay = Policy::replay();
    let two = empty_snap(10).bid(10, 1).bid(9, 2).ask(20, 1);
    let mut book = LocalBook::new(COUNTER, replay);
    assert_eq!(last_live(&book), None);
    run_on(&mut book, &[(two, REPLACE, LIVE, NOTHING)]);
    let at_10 = Some((vec![(10, 1), (9, 2)], Some(10)));
    assert_eq!(last_live(&book), at_10);
    let breaks = bare(count(11).seq).bid(10, 0).bid(9, 7).bid(20, 1).bid(4, 4).bid(3, 0);
    let mut crossed = book.clone();
    run_on(&mut crossed, &[(breaks.clone(), APPLY, CROSSED, NOTHING)]);
    assert_eq!(last_live(&crossed), at_10);
    run_on(&mut crossed, &[(count(12), APPLY, CROSSED, NOTHING)]);
    assert_eq!(last_live(&crossed), at_10);
    run_on(&mut crossed, &[(snap(20), REPLACE, LIVE, NOTHING)]);
    assert_eq!(last_live(&crossed), Some((vec![(10, 1)], Some(20))));
    // In doubt or silent first, then broken.
    let mut doubted = book.clone();
    run_on(&mut doubted, &[(count(3), BACK, sync(Reason::SequenceBackwards), NOTHING)]);
    assert_eq!(last_live(&doubted), at_10);
    run_on(&mut doubted, &[(breaks.clone(), APPLY, CROSSED, NOTHING)]);
    assert_eq!(last_live(&doubted), at_10);
    // Lost, then a snapshot that is not believed.
    let mut lost = book.clone();
    run_on(&mut lost, &[(count(13), gap(11, 13), sync(Reason::Gap), RESUB)]);
    assert_eq!(last_live(&lost), at_10);
    let itself = empty_snap(30).bid(20, 1).ask(20, 1);
    run_on(&mut lost, &[(itself.clone(), REPLACE, CROSSED, NOTHING)]);
    assert_eq!(last_live(&lost), at_10);
    // Nor the next one, over a book that was never live.
    let again = empty_snap(31).bid(21, 1).ask(20, 1);
    run_on(&mut lost, &[(again.clone(), REPLACE, CROSSED, NOTHING)]);
    assert_eq!(last_live(&lost), at_10);
    run_on(&mut book, &[(itself, REPLACE, CROSSED, NOTHING)]);
    assert_eq!(last_live(&book), at_10);
    // What a depth dropped comes back too.
    let mut shallow =
        run_with(COUNTER.depth(Some(1)), replay, &[(snap(10), REPLACE, LIVE, NOTHING)]);
    run_on(&mut shallow, &[(over(11), APPLY, CROSSED, NOTHING)]);
    assert_eq!(last_live(&shallow), Some((vec![(10, 1)], Some(10))));
    // Over REST: between the loss and the first delta, the book of before.
    let mut bridged = run_with(
        RANGE,
        replay,
        &[
            (rest(100), REPLACE, JOINED, NOTHING),
            (range(101, 101), APPLY, LIVE, NOTHING),
            (range(103, 103), gap(102, 103), sync(Reason::Gap), FETCH),
            (rest(110).bid(11, 1), REPLACE, JOINED, NOTHING),
        ],
    );
    assert_eq!(last_live(&bridged), Some((vec![(10, 1), (9, 101)], Some(101))));
    run_on(&mut bridged, &[(range(111, 111), APPLY, LIVE, NOTHING)]);
    assert_eq!(last_live(&bridged).unwrap().1, Some(111));
    // Without the policy nothing is kept.
    let mut spare = live(crossing(CrossedPolicy::Report));
    run_on(&mut spare, &[(over(11), APPLY, CROSSED, NOTHING)]);
    assert_eq!(last_live(&spare).unwrap().0, [(20, 1), (10, 1)]);
    run_on(&mut spare, &[(again, REPLACE, CROSSED, NOTHING)]);
    assert_eq!(last_live(&spare).unwrap().0, [(21, 1)]);
}

#[test]
fn a_checksum_is_verified_where_it_is_offered_and_a_wrong_one_ends_live() {
    let summed = LINKED.with_checksum();
    let wrong = |id, sum| link(id - 1, id).sum(sum);
    let bad = sync(Reason::Checksum);
    let start = (snap(10), REPLACE, LIVE, NOTHING);
    let mut book = run_with(
        summed,
        Policy::replay(),
        &[
            start.clone(),
            (wrong(11, 0), APPLY, LIVE, NOTHING),
            (wrong(12, 7), APPLY, bad, RESUB),
            (link(12, 13), IGNORE, bad, NOTHING),
        ],
    );
    assert_eq!((book.counters().checksum_ok, book.counters().checksum_bad), (0, 1));
    assert_eq!(last_live(&book).unwrap().1, Some(11));
    // CRC-32 of 10:1:20:1, and of 10:1:20:1:9:1.
    let right = [
        (snap(10).sum(2_014_582_408), REPLACE, LIVE, NOTHING),
        (link(10, 11).sum(-1_591_105_336), APPLY, LIVE, NOTHING),
    ];
    let counters = *run(summed, &right).counters();
    assert_eq!((counters.checksum_ok, counters.checksum_bad), (2, 0));
    // A snapshot whose own checksum is wrong is no snapshot.
    run_on(&mut book, &[(snap(20).sum(7), REPLACE, bad, RESUB)]);
    assert_eq!(last_live(&book).unwrap().1, Some(11));
    assert_eq!(last_live(&book).unwrap().0, [(10, 1), (9, 1)]);
    run(LINKED, &[start.clone(), (wrong(11, 7), APPLY, LIVE, NOTHING)]);
    let trusting = Policy { verify_checksum: false, ..Policy::default() };
    let book = run_with(summed, trusting, &[start.clone(), (wrong(11, 7), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.counters().checksum_bad, 0);
    let crossed = (link(10, 11).bid(20, 1), APPLY, CROSSED, NOTHING);
    let uncrossed = (link(11, 12).bid(20, 0), APPLY, LIVE, NOTHING);
    let book = run(summed, &[start, crossed.clone(), uncrossed.clone()]);
    assert_eq!(book.counters().crossed, 1);
}

/// A live range at 105: bids 10 and 9, ask 20, complete to 9 where `limit` is two.
fn audited(policy: Policy, limit: u16) -> LocalBook {
    run_with(
        RANGE,
        policy,
        &[
            (
                empty_rest(100).bid(10, 1).bid(9, 105).ask(20, 1).limit(limit),
                REPLACE,
                JOINED,
                NOTHING,
            ),
            (range(101, 105), APPLY, LIVE, NOTHING),
        ],
    )
}

/// Offers an audit, goes on to it, and says how many levels differed in how many audits.
fn audit(mut book: LocalBook, snapshot: Sent, then: Sent) -> (u64, u64) {
    run_on(&mut book, &[(snapshot, STALE, LIVE, NOTHING), (then, APPLY, LIVE, NOTHING)]);
    (book.counters().audits, book.counters().audit_differences)
}

#[test]
fn a_newer_snapshot_audits_a_live_book_at_its_number() {
    let same = || empty_rest(107).bid(10, 1).bid(9, 107).ask(20, 1);
    let book = || audited(Policy::default(), 5);
    let to = |id| range(106, id);
    assert_eq!(audit(book(), same(), to(106)), (0, 0));
    assert_eq!(audit(book(), same(), to(107)), (1, 0));
    assert_eq!(audit(book(), same().ask(21, 1), to(107)), (1, 1));
    assert_eq!(audit(book(), same().ask(20, 2), to(107)), (1, 1));
    assert_eq!(audit(book(), same().ask(20, 0).bid(4, 1), to(107)), (1, 2));
    // The stream steps over the number: what the message touches says nothing.
    assert_eq!(audit(book(), same(), to(108)), (1, 0));
    assert_eq!(audit(book(), same().bid(9, 4), to(108)), (1, 0));
    assert_eq!(audit(book(), same().bid(10, 4), to(108)), (1, 1));
    assert_eq!(audit(book(), same().ask(19, 4), to(108)), (1, 1));
    assert_eq!(audit(book(), same().ask(19, 4), to(108).ask(19, 4)), (1, 0));
    // A bid touched is no ask touched.
    assert_eq!(audit(book(), same().bid(19, 4), to(108).ask(19, 4).bid(19, 0)), (1, 0));
    // Other scales, the same values.
    let fine = empty_rest(107).bid(100, 10).bid(90, 1070).ask(200, 10).scales(1, 1);
    assert_eq!(audit(book(), fine.clone(), to(107)), (1, 0));
    assert_eq!(audit(book(), fine.ask(205, 10), to(107)), (1, 1));
}

#[test]
fn an_audit_says_nothing_beyond_either_horizon() {
    let to = range(106, 107);
    let book = audited(Policy::default(), 2);
    // Ours ends at bid 9: an 8 that only the audit has is news, one better than 9 is not.
    let snapshot = || empty_rest(107).bid(10, 1).bid(9, 107).ask(20, 1);
    assert_eq!(audit(book.clone(), snapshot().bid(8, 1), to.clone()), (1, 0));
    assert_eq!(audit(book.clone(), snapshot().bid(11, 1), to.clone()), (1, 1));
    // The audit ends at 10 and 20: what we have beyond is not contradicted.
    let short = || empty_rest(107).bid(10, 1).ask(20, 1).limit(1);
    assert_eq!(audit(book.clone(), short(), to.clone()), (1, 0));
    assert_eq!(audit(book.clone(), short(), to.clone().ask(21, 3)), (1, 0));
    assert_eq!(audit(book.clone(), short(), to.clone().ask(19, 3)), (1, 1));
    assert_eq!(audit(book, short().limit(2), to), (1, 1));
    // At the horizon itself nothing is unknown: ours ends at ask 20, which is gone.
    let book = audited(Policy::default(), 1);
    let gone = range(106, 107).ask(20, 0);
    assert_eq!(audit(book, snapshot(), gone), (1, 1));
}

#[test]
fn an_audit_that_differs_resyncs_where_the_policy_says_so() {
    let policy = Policy { resync_on_audit: true, ..Policy::replay() };
    let differs = (empty_rest(107).bid(10, 1), STALE, LIVE, NOTHING);
    for last in [107, 108] {
        let mut book = audited(policy, 5);
        run_on(
            &mut book,
            &[differs.clone(), (range(106, last), APPLY, sync(Reason::Audit), FETCH)],
        );
        assert_eq!(book.counters().audits, 1);
        let levels = last_live(&book).unwrap();
        assert_eq!(levels, (vec![(10, 1), (9, last)], Some(last)));
    }
    let same = (empty_rest(107).bid(10, 1).bid(9, 107).ask(20, 1), STALE, LIVE, NOTHING);
    run_on(&mut audited(policy, 5), &[same, (range(106, 107), APPLY, LIVE, NOTHING)]);
    // A loss, or a disconnect, ends the audit too.
    let mut book = audited(policy, 5);
    run_on(
        &mut book,
        &[
            differs.clone(),
            (range(108, 108), gap(106, 108), sync(Reason::Gap), FETCH),
            (rest(106), TOO_OLD, sync(Reason::Gap), FETCH),
            (rest(107), REPLACE, LIVE, NOTHING),
        ],
    );
    assert_eq!(book.counters().audits, 0);
}

#[test]
fn an_audit_inside_a_linked_message_says_nothing() {
    let start = [(rest(90), REPLACE, JOINED, NOTHING), (link(90, 98), APPLY, LIVE, NOTHING)];
    let differs = (rest(100).bid(10, 7), STALE, LIVE, NOTHING);
    let mut book = run(LINKED_REST, &start);
    run_on(&mut book, &[differs.clone(), (link(98, 103), APPLY, LIVE, NOTHING)]);
    assert_eq!(book.counters().audits, 0);
    let mut book = run(LINKED_REST, &start);
    run_on(&mut book, &[differs, (link(98, 100), APPLY, LIVE, NOTHING)]);
    assert_eq!((book.counters().audits, book.counters().audit_differences), (1, 2));
}

#[test]
fn transitions_tell_a_new_book_from_the_same_one_live_again() {
    let mut book = LocalBook::new(COUNTER, crossing(CrossedPolicy::Report));
    let mut told = |sent: &Sent| feed(&mut book, sent).transition;
    assert_eq!(told(&snap(10)), Transition::Reset);
    assert_eq!(told(&count(11)), Transition::None);
    assert_eq!(told(&over(12)), Transition::Invalidated(Reason::Crossed));
    assert_eq!(told(&over(13)), Transition::None);
    assert_eq!(told(&back(14)), Transition::Live);
    assert_eq!(told(&snap(20)), Transition::Reset);
    assert_eq!(told(&count(3)), Transition::Invalidated(Reason::SequenceBackwards));
    assert_eq!(told(&count(21)), Transition::Live);
    assert_eq!(
        told(&empty_snap(30).bid(20, 1).ask(20, 1)),
        Transition::Invalidated(Reason::Crossed)
    );
    // The first live moment of that snapshot is a new book.
    assert_eq!(told(&back(31)), Transition::Reset);
    let mut pictures = LocalBook::new(IMAGE, Policy::default());
    assert_eq!(feed(&mut pictures, &image(None)).transition, Transition::Reset);
    assert_eq!(feed(&mut pictures, &image(None)).transition, Transition::None);
}

#[test]
fn names_are_those_of_the_reports() {
    let states = [State::Syncing, State::Live, State::Stale, State::Failed];
    assert_eq!(states.map(State::name), ["syncing", "live", "stale", "failed"]);
    let reasons = [
        (Reason::None, "none"),
        (Reason::AwaitingSnapshot, "awaiting_snapshot"),
        (Reason::AwaitingFirstDelta, "awaiting_first_delta"),
        (Reason::Gap, "gap"),
        (Reason::GapNotice, "gap_notice"),
        (Reason::Checksum, "checksum"),
        (Reason::Crossed, "crossed"),
        (Reason::SequenceBackwards, "sequence_backwards"),
        (Reason::Restart, "restart"),
        (Reason::Rejected, "rejected"),
        (Reason::TooManyLevels, "too_many_levels"),
        (Reason::BufferOverflow, "buffer_overflow"),
        (Reason::Disconnected, "disconnected"),
        (Reason::Unattributed, "unattributed"),
        (Reason::Audit, "audit"),
        (Reason::Silent, "silent"),
        (Reason::SnapshotNeverCatchesUp, "snapshot_never_catches_up"),
        (Reason::Auth, "auth"),
        (Reason::Refused, "refused"),
        (Reason::Delisted, "delisted"),
    ];
    for (reason, name) in reasons {
        assert_eq!(reason.name(), name);
    }
    assert_eq!(COUNTER.with_checksum().depth(Some(3)).depth, Some(3));
    assert_eq!(LocalBook::new(COUNTER, Policy::default()).rule(), COUNTER);
}
