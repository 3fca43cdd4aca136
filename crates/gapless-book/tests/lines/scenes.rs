//! What lines do to a book, one truth at a time.

use gapless_book::event::{BookKind, BookMessage, Flags, Level, Scales, SeqInfo, Side, Times};
use gapless_book::lines::{Arrival, Disagreement, LineNo, LinePolicy, Lines, Loss};
use gapless_book::local::{Demand, LocalBook, Outcome, Policy, Reason, State, Transition};
use gapless_book::sequence::{Bridge, Chain, Rule, Verdict};

struct Bench {
    book: LocalBook,
    lines: Lines,
    now_ns: i64,
}

const MS: i64 = 1_000_000;

impl Bench {
    fn new(rule: Rule) -> Self {
        let book = LocalBook::new(rule, Policy::default());
        Self { book, lines: Lines::new(LinePolicy::default()), now_ns: 0 }
    }

    /// A book of a counted chain that two lines follow at 10.
    fn counted() -> Self {
        let mut bench = Self::new(Rule::new(Chain::Counter, Bridge::InStream));
        let _ = bench.snapshot(0, 10, &[(1, 5)]);
        let _ = bench.snapshot(1, 10, &[(1, 5)]);
        assert_eq!(bench.book.state().0, State::Live);
        bench
    }

    fn tell(&mut self, line: u32, kind: BookKind, seq: SeqInfo, bids: &[(i64, i64)]) -> Outcome {
        let bids: Vec<_> =
            bids.iter().map(|(price, qty)| Level { price: *price, qty: *qty }).collect();
        let message = BookMessage {
            kind,
            seq,
            scales: Scales::default(),
            bids: &bids,
            asks: &[],
            extras: &[],
            depth_limit: None,
        };
        let times = Times { recv_ns: self.now_ns, ..Times::default() };
        let (line, flags) = (LineNo(line), Flags::NONE);
        let arrival = Arrival { line, message: &message, flags, times: &times };
        self.lines.message(&mut self.book, &arrival, &mut ())
    }

    fn snapshot(&mut self, line: u32, last: i64, bids: &[(i64, i64)]) -> Outcome {
        self.tell(line, BookKind::Snapshot, last_id(last), bids)
    }

    fn delta(&mut self, line: u32, last: i64, bids: &[(i64, i64)]) -> Outcome {
        self.tell(line, BookKind::Delta, last_id(last), bids)
    }

    fn disconnect(&mut self, line: u32) -> Outcome {
        self.lines.disconnect(&mut self.book, LineNo(line), &mut ())
    }

    fn qty(&self, price: i64) -> i64 {
        self.book.last_known().side(Side::Bid).qty_at(price)
    }
}

fn last_id(last: i64) -> SeqInfo {
    SeqInfo { last: Some(last), ..SeqInfo::default() }
}

fn is_live(bench: &Bench) -> bool {
    bench.book.state().0 == State::Live
}

#[test]
fn the_first_line_wins_and_the_second_is_late() {
    let mut bench = Bench::counted();
    assert!(matches!(bench.delta(0, 11, &[(2, 3)]).verdict, Verdict::Apply { .. }));
    bench.now_ns += 7 * MS;
    assert_eq!(bench.delta(1, 11, &[(2, 3)]).verdict, Verdict::Stale);
    let stats: Vec<_> = bench.lines.stats().map(|(_, stats)| stats.clone()).collect();
    assert_eq!((stats[0].wins, stats[0].late, stats[1].wins, stats[1].late), (2, 0, 0, 1));
    assert_eq!(stats[1].lateness.max_ns(), 7 * MS);
    assert_eq!(bench.book.counters().duplicates, 0);
}

#[test]
fn a_hole_on_one_line_is_filled_from_the_other() {
    let mut bench = Bench::counted();
    assert_eq!(bench.delta(0, 12, &[(3, 1)]).transition, Transition::None);
    assert_eq!((bench.book.seq(), bench.lines.waiting()), (Some(10), 1));
    let _ = bench.delta(1, 11, &[(2, 1)]);
    assert_eq!((bench.book.seq(), bench.lines.waiting()), (Some(12), 0));
    assert!(is_live(&bench));
    let _ = bench.delta(1, 12, &[(3, 1)]);
    let _ = bench.delta(0, 13, &[]);
    let filled: Vec<_> = bench.lines.stats().map(|(_, s)| (s.holes_filled, s.missed)).collect();
    assert_eq!(filled, [(0, 1), (1, 0)]);
}

#[test]
fn a_hole_of_both_lines_is_a_gap_in_the_message_that_shows_it() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 12, &[]);
    assert!(is_live(&bench));
    let outcome = bench.delta(1, 12, &[]);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Gap));
    assert_eq!(outcome.demand, Demand::Resubscribe);
    let outcome = bench.snapshot(1, 15, &[(1, 9)]);
    assert_eq!(outcome.transition, Transition::Reset);
    assert_eq!((bench.book.seq(), bench.qty(1)), (Some(15), 9));
}

#[test]
fn what_waits_for_a_stalled_line_waits_so_long_and_no_longer() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 12, &[]);
    let wait_ns = LinePolicy::default().wait_ns;
    let outcome = bench.lines.tick(&mut bench.book, wait_ns - 1, &mut ());
    assert_eq!((outcome.transition, is_live(&bench)), (Transition::None, true));
    let outcome = bench.lines.tick(&mut bench.book, wait_ns, &mut ());
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Gap));
}

#[test]
fn a_line_that_is_known_to_stall_is_not_waited_for() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 11, &[]);
    bench.now_ns += LinePolicy::default().wait_ns + 1;
    let outcome = bench.delta(0, 13, &[]);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Gap));
}

#[test]
fn as_many_messages_wait_as_may_and_no_more() {
    let mut bench = Bench::counted();
    let most = i64::try_from(gapless_book::lines::WAITING_MAX).unwrap();
    for last in 12..12 + most {
        let _ = bench.delta(0, last, &[]);
    }
    assert!(is_live(&bench));
    let outcome = bench.delta(0, 12 + most, &[]);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Gap));
    assert_eq!(bench.lines.waiting(), 0);
}

#[test]
fn losing_a_line_leaves_the_book_live_and_losing_all_does_not() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 11, &[]);
    let _ = bench.delta(1, 11, &[]);
    assert_eq!(bench.disconnect(0).transition, Transition::None);
    let _ = bench.delta(1, 12, &[]);
    assert_eq!((is_live(&bench), bench.book.seq()), (true, Some(12)));
    let outcome = bench.disconnect(1);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Disconnected));
}

#[test]
fn losing_the_line_that_could_fill_a_hole_is_a_gap() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 12, &[]);
    let outcome = bench.disconnect(1);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Gap));
}

#[test]
fn a_snapshot_at_or_behind_the_book_is_checked_and_does_not_touch_it() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 11, &[(2, 4)]);
    let epoch = bench.book.epoch();
    let _ = bench.disconnect(1);
    assert_eq!(bench.snapshot(1, 11, &[(1, 5), (2, 4)]).transition, Transition::None);
    assert_eq!(bench.lines.take_disagreement(), None);
    assert_eq!((bench.book.epoch(), is_live(&bench)), (epoch, true));
    let _ = bench.snapshot(1, 11, &[(1, 5), (2, 7)]);
    let named = Disagreement { seq: 11, first: LineNo(0), second: LineNo(1) };
    assert_eq!(bench.lines.take_disagreement(), Some(named));
    assert_eq!((bench.qty(2), is_live(&bench)), (4, true));
}

#[test]
fn a_snapshot_ahead_of_a_hole_closes_it() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 12, &[]);
    let outcome = bench.snapshot(1, 12, &[(1, 6)]);
    assert_eq!(outcome.transition, Transition::Reset);
    assert_eq!((is_live(&bench), bench.qty(1), bench.lines.waiting()), (true, 6, 0));
    assert_eq!(bench.book.counters().gaps, 0);
}

#[test]
fn a_survivor_that_never_was_in_step_does_not_keep_the_book_live() {
    let mut bench = Bench::new(Rule::new(Chain::Counter, Bridge::InStream));
    let _ = bench.snapshot(0, 500, &[(1, 5)]);
    let _ = bench.snapshot(1, 20, &[(1, 1)]);
    assert_eq!((bench.book.seq(), bench.qty(1)), (Some(500), 5));
    let outcome = bench.disconnect(0);
    assert_eq!(outcome.transition, Transition::Invalidated(Reason::Disconnected));
    assert_eq!(outcome.demand, Demand::Resubscribe);
    let _ = bench.snapshot(1, 21, &[(1, 2)]);
    assert_eq!((is_live(&bench), bench.book.seq()), (true, Some(21)));
}

#[test]
fn a_count_that_begins_anew_is_followed_once_and_what_is_left_of_the_old_one_is_dropped() {
    let mut bench = Bench::counted();
    let _ = bench.delta(0, 11, &[]);
    assert_eq!(bench.snapshot(0, 1, &[(1, 8)]).transition, Transition::Reset);
    for last in 11..14 {
        assert_eq!(bench.delta(1, last, &[(1, 1)]).transition, Transition::None);
    }
    let _ = bench.delta(0, 2, &[]);
    let _ = bench.snapshot(1, 1, &[(1, 8)]);
    let _ = bench.delta(1, 2, &[]);
    let _ = bench.delta(1, 3, &[]);
    assert_eq!((is_live(&bench), bench.book.seq(), bench.qty(1)), (true, Some(3), 8));
    assert_eq!(bench.lines.waiting(), 0);
}

/// Line 0 at 20 and line 1 at `behind`, then line 0 is sent a whole book whose number is lower.
fn failed_over(behind: i64) -> Bench {
    let mut bench = Bench::counted();
    for last in 11..=20 {
        let _ = bench.delta(0, last, &[(2, last)]);
        if last <= behind {
            let _ = bench.delta(1, last, &[(2, last)]);
        }
    }
    assert_eq!(bench.snapshot(0, 15, &[(1, 7)]).transition, Transition::Reset);
    assert_eq!((bench.book.seq(), bench.qty(1), bench.qty(2)), (Some(15), 7, 0));
    bench
}

#[test]
fn a_snapshot_of_a_line_whose_numbers_went_back_is_the_book() {
    let mut bench = failed_over(20);
    for last in 16..=20 {
        let _ = bench.delta(0, last, &[(3, last)]);
    }
    let epoch = bench.book.epoch();
    // The other line is sent the same, and follows.
    assert_eq!(bench.snapshot(1, 15, &[(1, 7)]).transition, Transition::None);
    for last in 16..=22 {
        let _ = bench.delta(1, last, &[(3, last)]);
    }
    assert_eq!((is_live(&bench), bench.book.seq(), bench.qty(3)), (true, Some(22), 22));
    assert_eq!((bench.book.epoch(), bench.lines.waiting()), (epoch, 0));
    assert_eq!(bench.lines.take_disagreement(), None);
    // Without another line as well.
    let mut bench = Bench::new(Rule::new(Chain::Counter, Bridge::InStream));
    let _ = bench.snapshot(0, 10, &[(1, 5)]);
    let _ = bench.delta(0, 11, &[(2, 5)]);
    assert_eq!(bench.snapshot(0, 10, &[(1, 7)]).transition, Transition::Reset);
    assert_eq!((bench.book.seq(), bench.qty(1), bench.qty(2)), (Some(10), 7, 0));
}

#[test]
fn what_a_line_still_has_of_the_count_before_is_none_of_the_new_books() {
    // The other line brings it before or after the new count gets there, and is sent its own
    // snapshot behind, at or ahead of the book.
    for (behind, first, own) in
        [(20, true, 15), (20, false, 15), (14, true, 15), (18, false, 15), (18, true, 22)]
    {
        let mut bench = failed_over(behind);
        let of_before = |bench: &mut Bench| {
            for last in behind + 1..=22 {
                let _ = bench.delta(1, last, &[(5, last)]);
            }
        };
        if first {
            of_before(&mut bench);
        }
        for last in 16..=20 {
            let _ = bench.delta(0, last, &[(3, last)]);
        }
        if !first {
            of_before(&mut bench);
        }
        let case = (behind, first, own);
        let seen = (is_live(&bench), bench.book.seq(), bench.qty(5));
        assert_eq!(seen, (true, Some(20), 0), "{case:?}");
        let _ = bench.delta(0, 21, &[(3, 21)]);
        let _ = bench.snapshot(1, own, &[(1, 7), (3, 22)]);
        for last in own + 1..=23 {
            let _ = bench.delta(1, last, &[(3, last)]);
        }
        let seen = (is_live(&bench), bench.book.seq(), bench.qty(3), bench.qty(5));
        assert_eq!(seen, (true, Some(23), 23, 0), "{case:?}");
        assert_eq!(bench.lines.waiting(), 0, "{case:?}");
        // It is in step: the book goes on with it alone.
        assert_eq!(bench.disconnect(0).transition, Transition::None, "{case:?}");
    }
}

/// One line has begun the new count; another comes back with the end of the old one and is lost.
#[test]
fn the_end_of_an_old_count_starves_no_book_of_the_new_one() {
    let range =
        |first, last| SeqInfo { first: Some(first), last: Some(last), ..SeqInfo::default() };
    let mut bench = Bench::new(Rule::new(Chain::Range, Bridge::Rest));
    let _ = bench.tell(0, BookKind::Delta, range(13, 15), &[(1, 1)]);
    let _ = bench.tell(1, BookKind::Delta, range(13, 15), &[(1, 1)]);
    let _ = bench.tell(1, BookKind::Delta, range(111, 120), &[(2, 1)]);
    let _ = bench.lines.tick(&mut bench.book, LinePolicy::default().wait_ns, &mut ());
    let _ = bench.disconnect(1);
    for last in [18, 21, 24] {
        let _ = bench.tell(0, BookKind::Delta, range(last - 2, last), &[(last, 1)]);
    }
    // The first may still meet the old count's message among those held.
    for last in [20, 23] {
        let rest = BookMessage {
            kind: BookKind::Snapshot,
            seq: last_id(last),
            scales: Scales::default(),
            bids: &[Level { price: 3, qty: 1 }],
            asks: &[],
            extras: &[],
            depth_limit: None,
        };
        let _ = bench.book.message(&rest, Flags::REST, &Times::default(), &mut ());
    }
    assert_eq!((is_live(&bench), bench.book.seq(), bench.qty(24)), (true, Some(24), 1));
}

#[test]
fn a_chain_that_lowers_its_ids_is_followed_on_every_line() {
    let linked = |prev, last| SeqInfo { prev: Some(prev), last: Some(last), ..SeqInfo::default() };
    let mut bench = Bench::new(Rule::new(Chain::Linked, Bridge::InStream));
    let _ = bench.tell(0, BookKind::Snapshot, linked(-1, 50), &[(1, 1)]);
    let _ = bench.tell(1, BookKind::Snapshot, linked(-1, 50), &[(1, 1)]);
    for line in [0, 1] {
        for (prev, last) in [(50, 52), (52, 7), (7, 9)] {
            let _ = bench.tell(line, BookKind::Delta, linked(prev, last), &[(last, 1)]);
        }
    }
    let _ = bench.tell(1, BookKind::Delta, linked(9, 9), &[]);
    assert_eq!((is_live(&bench), bench.book.seq(), bench.lines.waiting()), (true, Some(9), 0));
    assert_eq!(bench.disconnect(0).transition, Transition::None);
    let _ = bench.tell(1, BookKind::Delta, linked(9, 11), &[]);
    assert_eq!((is_live(&bench), bench.book.seq()), (true, Some(11)));
}

#[test]
fn lines_that_say_different_things_under_one_number_are_named() {
    let mut bench = Bench::counted();
    let _ = bench.delta(1, 11, &[(2, 3)]);
    let _ = bench.delta(0, 11, &[(2, 4)]);
    let named = Disagreement { seq: 11, first: LineNo(1), second: LineNo(0) };
    assert_eq!(bench.lines.take_disagreement(), Some(named));
    let counts: Vec<_> = bench.lines.stats().map(|(_, stats)| stats.disagreements).collect();
    assert_eq!((counts, bench.qty(2)), (vec![1, 0], 3));
}

#[test]
fn a_message_that_one_line_cannot_read_is_taken_from_the_other() {
    let mut bench = Bench::counted();
    let refuse = |bench: &mut Bench, line| {
        bench.lines.lost(&mut bench.book, LineNo(line), Loss::Refused, &mut ()).transition
    };
    assert_eq!(refuse(&mut bench, 0), Transition::None);
    let _ = bench.delta(1, 11, &[]);
    assert_eq!((is_live(&bench), bench.book.seq()), (true, Some(11)));
    assert_eq!(refuse(&mut bench, 1), Transition::None);
    assert_eq!(refuse(&mut bench, 0), Transition::Invalidated(Reason::Rejected));
}

/// A channel without numbers.
fn unnumbered() -> Bench {
    Bench::new(Rule::new(Chain::Unnumbered, Bridge::InStream))
}

impl Bench {
    fn plain(&mut self, line: u32, kind: BookKind, bids: &[(i64, i64)]) -> Outcome {
        self.tell(line, kind, SeqInfo::default(), bids)
    }
}

#[test]
fn without_numbers_one_line_is_followed_and_the_next_takes_over_at_once() {
    let mut bench = unnumbered();
    for line in [0, 1] {
        let _ = bench.plain(line, BookKind::Snapshot, &[(1, 5)]);
    }
    let _ = bench.plain(0, BookKind::Delta, &[(2, 2)]);
    let _ = bench.plain(1, BookKind::Delta, &[(2, 2)]);
    let _ = bench.plain(1, BookKind::Delta, &[(3, 3)]);
    assert_eq!((bench.lines.followed(), bench.qty(3)), (Some(LineNo(0)), 0));
    assert_eq!(bench.disconnect(0).transition, Transition::Reset);
    assert_eq!((bench.lines.followed(), bench.qty(2), bench.qty(3)), (Some(LineNo(1)), 2, 3));
    assert!(is_live(&bench));
}

#[test]
fn without_numbers_a_silent_line_is_left_and_gone_back_to_when_it_was_well_for_long() {
    let policy = LinePolicy::default();
    let mut bench = unnumbered();
    for line in [0, 1] {
        let _ = bench.plain(line, BookKind::Snapshot, &[(1, 5)]);
    }
    bench.now_ns += policy.silence_ns + 1;
    let _ = bench.plain(1, BookKind::Delta, &[(2, 2)]);
    assert_eq!((bench.lines.followed(), is_live(&bench), bench.qty(2)), (Some(LineNo(1)), true, 2));
    // It speaks again, but its book is of before its silence: well only after a while.
    let _ = bench.plain(0, BookKind::Snapshot, &[(1, 6)]);
    let well = bench.now_ns;
    while bench.now_ns - well < policy.return_ns {
        assert_eq!(bench.lines.followed(), Some(LineNo(1)));
        bench.now_ns += 1_000 * MS;
        let _ = bench.plain(0, BookKind::Delta, &[(4, 4)]);
        let _ = bench.plain(1, BookKind::Delta, &[(3, 3)]);
    }
    assert_eq!((bench.lines.followed(), bench.qty(4), bench.qty(3)), (Some(LineNo(0)), 4, 0));
    assert!(is_live(&bench));
}

#[test]
fn without_numbers_a_loss_concerns_the_line_that_is_followed() {
    let mut bench = unnumbered();
    for line in [0, 1] {
        let _ = bench.plain(line, BookKind::Snapshot, &[(1, 5)]);
    }
    let lose = |bench: &mut Bench, line| {
        bench.lines.lost(&mut bench.book, LineNo(line), Loss::Refused, &mut ()).transition
    };
    assert_eq!(lose(&mut bench, 1), Transition::None);
    assert_eq!(lose(&mut bench, 0), Transition::Invalidated(Reason::Rejected));
}
