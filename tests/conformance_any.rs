//! Conformance rows C90 to C99: every venue (protocols.md section 10), one test a row.

#[path = "conformance/line.rs"]
mod line;
#[path = "conformance/spoken.rs"]
mod spoken;

use gapless_book::event::{EventKind, Level};
use gapless_book::held::{HELD_LEVELS_MAX, HELD_MAX};
use gapless_book::local::{CrossedPolicy, Policy, Reason, State, Transition};
use gapless_book::sequence::Verdict;
use gapless_replay::capture::Writer;
use gapless_replay::{Record, RecordKind};
use gapless_venues::binance::BinanceSpot;
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::okx::Okx;
use gapless_venues::registry::VenueId;
use gapless_venues::session::{REJECTS_MAX, SessionConfig};
use line::{APPLY, LIVE, Line, Step, syncing};
use spoken::Spoken;

/// A message of Bybit's `orderbook.50.S`; sides are raw JSON lists.
fn bybit(kind: &str, u: i64, bids: &str, asks: &str) -> String {
    let data = format!(r#"{{"s":"S","b":{bids},"a":{asks},"u":{u},"seq":{u}}}"#);
    format!(r#"{{"topic":"orderbook.50.S","type":"{kind}","ts":1700000000000,"data":{data}}}"#)
}

/// A push of OKX's `books`.
fn okx(symbol: &str, action: &str, ids: &str, bids: &str, asks: &str) -> String {
    let arg = format!(r#"{{"channel":"books","instId":"{symbol}"}}"#);
    let book = format!(r#"{{"asks":{asks},"bids":{bids},"ts":"1700000000000"{ids}}}"#);
    format!(r#"{{"arg":{arg},"action":"{action}","data":[{book}]}}"#)
}

fn okx_ids(prev: i64, id: i64) -> String {
    format!(r#","seqId":{id},"prevSeqId":{prev}"#)
}

const BIDS: &str = r#"[["2.0","1"]]"#;
const ASKS: &str = r#"[["3.0","1"]]"#;
const NONE: &str = "[]";

fn bybit_line(crossed: CrossedPolicy) -> Line<Bybit> {
    let policy = Policy { crossed, ..Policy::default() };
    let mut line = Line::with(Bybit, "", SessionConfig { policy, ..SessionConfig::live() });
    line.frame(&bybit("snapshot", 10, BIDS, ASKS));
    line
}

fn okx_line() -> Line<Okx> {
    Line::open(Okx, "")
}

#[test]
fn c90_a_book_that_crosses_after_a_whole_message_says_so_and_the_policy_decides() {
    let crossing = r#"[["2.0","4"]]"#;
    // Report: flagged, still shown, live again with the next message that uncrosses it.
    let mut line = bybit_line(CrossedPolicy::Report);
    let step = line.frame(&bybit("delta", 11, NONE, crossing));
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Crossed)]);
    assert_eq!(line.book("orderbook.50", "S").state(), syncing(Reason::Crossed));
    assert_eq!(line.book("orderbook.50", "S").live().map(|_| ()), None);
    assert_eq!(line.levels("orderbook.50", "S"), "2x1 | 2x4 3x1");
    assert_eq!(line.book("orderbook.50", "S").counters().crossed, 1);
    let step = line.frame(&bybit("delta", 12, NONE, r#"[["2.0","0"]]"#));
    assert_eq!((step.transitions, step.actions), (vec![Transition::Live], vec![]));
    // However often and however long.
    for u in 13..23 {
        line.wait_ms(1_000);
        assert_eq!(line.frame(&bybit("delta", u, NONE, crossing)).actions, [""; 0]);
    }

    // Never between the levels of one message.
    let mut line = bybit_line(CrossedPolicy::Resync);
    let (bids, asks) = (r#"[["5.0","1"]]"#, r#"[["3.0","0"],["6.0","1"]]"#);
    let step = line.frame(&bybit("delta", 11, bids, asks));
    assert_eq!((step.verdicts, step.transitions), (vec![APPLY], vec![]));
    assert_eq!(line.book("orderbook.50", "S").counters().crossed, 0);
}

#[test]
fn c90_uncrossing_takes_from_the_side_that_the_message_did_not_touch_at_the_best() {
    let (bids, asks) = (r#"[["2.0","1"],["1.0","1"]]"#, r#"[["3.0","1"],["4.0","1"]]"#);
    // Bids and asks of the message, what stands after it, levels that went.
    for (bids_now, asks_now, stands, gone) in [
        // An ask at the new best ask: bids go.
        (NONE, r#"[["2.0","4"]]"#, "1x1 | 2x4 3x1 4x1", 1),
        (NONE, r#"[["1.0","4"]]"#, "| 1x4 3x1 4x1", 2),
        (r#"[["3.5","2"]]"#, r#"[["2.5","4"]]"#, "2x1 1x1 | 2.5x4 3x1 4x1", 1),
        // Otherwise asks go: a bid alone, an ask elsewhere, an ask that went.
        (r#"[["3.0","2"]]"#, NONE, "3x2 2x1 1x1 | 4x1", 1),
        (r#"[["4.0","2"]]"#, NONE, "4x2 2x1 1x1 |", 2),
        (r#"[["3.0","2"]]"#, r#"[["4.0","7"]]"#, "3x2 2x1 1x1 | 4x7", 1),
        (r#"[["4.0","2"]]"#, r#"[["3.0","0"]]"#, "4x2 2x1 1x1 |", 1),
    ] {
        let policy = Policy { crossed: CrossedPolicy::Uncross, ..Policy::default() };
        let mut line = Line::with(Bybit, "", SessionConfig { policy, ..SessionConfig::live() });
        line.frame(&bybit("snapshot", 10, bids, asks));
        let step = line.frame(&bybit("delta", 11, bids_now, asks_now));
        assert_eq!((step.transitions, step.actions), (vec![], vec![]), "{stands}");
        assert_eq!(line.levels("orderbook.50", "S"), stands);
        let book = line.book("orderbook.50", "S");
        let counters = book.counters();
        assert_eq!((book.state(), counters.crossed, counters.uncrossed), (LIVE, 1, gone));
    }
}

#[test]
fn c90_a_crossed_book_is_given_up_after_three_messages_or_a_second_and_not_before() {
    let crossing = r#"[["2.0","4"]]"#;
    let crossed = || {
        let mut line = bybit_line(CrossedPolicy::Resync);
        assert_eq!(line.frame(&bybit("delta", 11, NONE, crossing)).actions, [""; 0]);
        line
    };
    // The third message in a row; one that uncrosses begins anew.
    let mut line = crossed();
    assert_eq!(line.frame(&bybit("delta", 12, NONE, NONE)).actions, [""; 0]);
    line.frame(&bybit("delta", 13, NONE, r#"[["2.0","0"]]"#));
    for u in [14, 15] {
        assert_eq!(line.frame(&bybit("delta", u, NONE, crossing)).actions, [""; 0]);
    }
    assert_eq!(line.frame(&bybit("delta", 16, NONE, NONE)).actions, ["Resubscribe"]);
    // A second, by a message (which takes a millisecond) or by the clock alone.
    for (wait_ms, message, given_up) in
        [(998, true, false), (999, true, true), (999, false, false), (1_000, false, true)]
    {
        let mut line = crossed();
        line.wait_ms(wait_ms);
        let step = match message {
            true => line.frame(&bybit("delta", 12, NONE, NONE)),
            false => line.freshness(60),
        };
        let expected: &[&str] = if given_up { &["Resubscribe"] } else { &[] };
        assert_eq!(step.actions, expected, "{wait_ms} {message}");
        assert_eq!(line.book("orderbook.50", "S").state(), syncing(Reason::Crossed));
    }
}

#[test]
fn c90_replay_reports_a_crossed_book_and_a_live_feed_resyncs_it() {
    let crossing = r#"[["2.0","4"]]"#;
    for (config, expected) in
        [(SessionConfig::replay(), None), (SessionConfig::live(), Some("Resubscribe"))]
    {
        let mut line = Line::with(Bybit, "", config);
        line.frame(&bybit("snapshot", 10, BIDS, ASKS));
        let actions: Vec<_> =
            (11..14).flat_map(|u| line.frame(&bybit("delta", u, NONE, crossing)).actions).collect();
        assert_eq!(actions, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(line.book("orderbook.50", "S").state(), syncing(Reason::Crossed));
        assert_eq!(line.levels("orderbook.50", "S"), "2x1 | 2x4 3x1");
    }
}

#[test]
fn c91_the_largest_and_the_finest_numbers_are_exact_and_scales_grow() {
    let mut line = okx_line();
    for (symbol, price, size, expected) in [
        ("BIG-A", "0.5", "9999999999999999", "0.5x9999999999999999 |"),
        ("BIG-B", "10000000000.1", "0.0001", "10000000000.1x0.0001 |"),
        ("FINE-C", "0.0000000001", "10000000", "0.0000000001x10000000 |"),
    ] {
        let bids = format!(r#"[["{price}","{size}","0","1"]]"#);
        line.frame(&okx(symbol, "snapshot", &okx_ids(-1, 10), &bids, NONE));
        assert_eq!(line.levels("books", symbol), expected);
        assert_eq!(line.book("books", symbol).state(), LIVE);
    }
    // More decimals than before: every level keeps its value.
    let finer = r#"[["0.0000000001","2.5","0","1"],["0.00000000005","0.125","0","1"]]"#;
    let step = line.frame(&okx("FINE-C", "update", &okx_ids(10, 11), finer, NONE));
    assert_eq!((step.verdicts, step.transitions), (vec![APPLY], vec![]));
    assert_eq!(line.levels("books", "FINE-C"), "0.0000000001x2.5 0.00000000005x0.125 |");
    assert_eq!(line.book("books", "FINE-C").last_known().promotions(), 1);
    // What would overflow is refused, never rounded, and the symbol is not live on it.
    let step = line.frame(&okx("BIG-A", "update", &okx_ids(10, 11), r#"[["1","0.0001"]]"#, NONE));
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Rejected)]);
    assert_eq!(line.levels("books", "BIG-A"), "0.5x9999999999999999 |");
    assert_eq!(line.book("books", "BIG-B").state(), LIVE);
}

#[test]
fn c92_every_writing_of_zero_deletes() {
    // The first edit teaches the template that reads the ones after it.
    for (venue, zero, taught) in every(&["-0", "0.000", "0e9", "0"]) {
        let (venue, what) = (*venue, format!("{} {zero} {taught}", venue.name()));
        let sides = [("2.0", "1"), ("1.0", "1")];
        let mut book = Spoken::open(venue, 10, &sides, &[("3.0", "1"), ("4.0", "1")]);
        let mut id = 10;
        for _ in 0..i64::from(taught) * 2 {
            assert_eq!(book.delta(id, id + 1, &[("2.0", "5")], &[("4.0", "5")]).verdicts, [APPLY]);
            id += 1;
        }
        let step = book.delta(id, id + 1, &[("2.0", zero)], &[("4.0", zero)]);
        assert_eq!((step.verdicts, step.changes.len()), (vec![APPLY], 2), "{what}");
        assert_eq!((book.levels().as_str(), book.book().state()), ("1x1 | 3x1", LIVE), "{what}");
    }
}

/// Every venue, with each of some values, before and after it has learned its frames.
fn every<T: Copy>(values: &[T]) -> impl Iterator<Item = (&'static VenueId, T, bool)> {
    let values = values.iter().flat_map(|value| [(*value, false), (*value, true)]);
    let venues = |(value, taught)| VenueId::ALL.iter().map(move |venue| (venue, value, taught));
    values.flat_map(venues)
}

#[test]
fn c93_a_disorderly_snapshot_makes_an_orderly_book() {
    let bids = [("1.0", "1"), ("3.0", "3"), ("2.5", "0"), ("2", "2"), ("1", "9")];
    let asks = [("5", "5"), ("4.0", "1"), ("4", "4"), ("6", "0.000")];
    for venue in VenueId::ALL {
        let book = Spoken::open(*venue, 10, &bids, &asks);
        assert_eq!(book.levels(), "3x3 2x2 1x9 | 4x4 5x5", "{}", venue.name());
        assert_eq!(book.book().state(), LIVE, "{}", venue.name());
    }
}

#[test]
fn c94_a_delta_without_levels_moves_the_anchor_and_nothing_else() {
    for (venue, (), taught) in every(&[()]) {
        let mut book = Spoken::open(*venue, 10, &[("2.0", "1")], &[("3.0", "1")]);
        let last = if taught { 13 } else { 11 };
        for id in 11..=last {
            let step = book.delta(id - 1, id, &[], &[]);
            let told = (step.verdicts, step.changes.len(), step.transitions);
            assert_eq!(told, (vec![APPLY], 0, vec![]), "{}", venue.name());
        }
        assert_eq!(book.book().seq(), book.number(last), "{}", venue.name());
        let stands = (book.levels(), book.book().state());
        assert_eq!(stands, ("2x1 | 3x1".to_owned(), LIVE), "{}", venue.name());
    }
}

#[test]
fn c95_what_the_old_connection_sent_is_nothing_to_the_new_one() {
    let mut line = bybit_line(CrossedPolicy::Resync);
    let epoch = line.session.epoch();
    let mut closed = Step::default();
    line.session.disconnect(&mut closed);
    assert_eq!(closed.transitions, [Transition::Invalidated(Reason::Disconnected)]);
    assert!(!line.session.is_open());
    line.session.connect("", &mut ());
    // The epoch tells a driver which frames belong to which connection.
    assert_eq!(line.session.epoch(), epoch + 1);
    // Even the very next delta of the old chain is not applied, and starts nothing.
    let step = line.frame(&bybit("delta", 11, r#"[["2.0","9"]]"#, NONE));
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Ignore], 0));
    assert_eq!(line.book("orderbook.50", "S").state().0, State::Syncing);
    let step = line.frame(&bybit("snapshot", 3, BIDS, NONE));
    assert_eq!(step.transitions, [Transition::Reset]);
    assert_eq!(line.levels("orderbook.50", "S"), "2x1 |");
    // A book that holds what comes until its snapshot is there holds nothing of the time between
    // (and a feed knows by its connection what comes still later: `gapless-feed`, same row).
    let delta = r#"{"stream":"ab@depth","data":{"e":"depthUpdate","E":1,"s":"AB","U":1,"u":2,"b":[],"a":[]}}"#;
    let mut line = Line::open(BinanceSpot, "");
    line.frame(delta);
    assert_eq!(line.book("depth", "AB").held(), 1);
    line.session.disconnect(&mut ());
    line.frame(delta);
    line.session.connect("", &mut ());
    assert_eq!((line.book("depth", "AB").held(), line.session.after_close()), (0, 1));
    // What was held for a snapshot goes with its connection.
    let mut line = okx_line();
    line.frame(&okx("A-B", "update", &okx_ids(1, 2), BIDS, NONE));
    assert_eq!(line.book("books", "A-B").held(), 1);
    line.session.connect("", &mut ());
    assert_eq!(line.book("books", "A-B").held(), 0);
}

#[test]
fn c96_unreadable_frames_are_counted_and_only_a_long_run_of_them_ends_the_connection() {
    let mut line = okx_line();
    line.frame(&okx("A-B", "snapshot", &okx_ids(-1, 1), BIDS, ASKS));
    // As before 2023: no ids, so no later message could show a loss.
    line.frame(&okx("OLD-B", "snapshot", "", BIDS, ASKS));
    assert_eq!(line.book("books", "OLD-B").state(), LIVE);
    let whole = okx("A-B", "update", &okx_ids(1, 2), NONE, NONE);
    let kinds: [(&[u8], &str); 4] = [
        (&[0x08, 0x96, 0x01, 0xff], "utf8"),
        (&whole.as_bytes()[..whole.len() / 2], "truncated"),
        (b"\0\0\0\0", "syntax"),
        (b"{]", "syntax"),
    ];
    let (mut rejects, mut reconnects) = (0, 0);
    for (i, (frame, kind)) in kinds.iter().cycle().take(10_000).enumerate() {
        let step = line.bytes(frame);
        assert_eq!((step.rejects.as_slice(), step.kinds.len()), ([*kind].as_slice(), 0));
        rejects += step.rejects.len();
        let reconnect = step.actions.iter().any(|action| action == "Reconnect");
        assert_eq!(reconnect, (i + 1) % REJECTS_MAX as usize == 0, "{i}");
        reconnects += usize::from(reconnect);
    }
    assert_eq!((rejects, reconnects), (10_000, 10));
    // The numbered book goes on: its next message proves that it lost nothing.
    assert_eq!(line.book("books", "A-B").state(), LIVE);
    assert_eq!(line.frame(&whole).verdicts, [APPLY]);
    // The other one waits for its next snapshot.
    assert_eq!(line.book("books", "OLD-B").state(), syncing(Reason::Rejected));
    line.frame(&okx("OLD-B", "update", "", BIDS, NONE));
    assert_eq!(line.book("books", "OLD-B").state(), syncing(Reason::Rejected));
    let step = line.frame(&okx("OLD-B", "snapshot", "", BIDS, ASKS));
    assert_eq!(step.transitions, [Transition::Reset]);
    // A readable frame ends a run.
    for _ in 0..REJECTS_MAX - 1 {
        assert_eq!(line.frame("{]").actions, [""; 0]);
    }
    line.frame("pong");
    assert_eq!(line.frame("{]").actions, [""; 0]);
}

#[test]
fn c96_a_recorded_binary_frame_is_read_as_any_other() {
    let snapshot = okx("A-B", "snapshot", &okx_ids(-1, 1), BIDS, ASKS);
    let update = okx("A-B", "update", &okx_ids(1, 2), r#"[["2.0","9"]]"#, NONE);
    let mut writer = Writer::plain(Vec::new());
    for (recv_ns, kind, payload) in [
        (1, RecordKind::Frame, snapshot.as_bytes()),
        (2, RecordKind::Binary, &[0x08, 0x96, 0x01, 0xff]),
        (3, RecordKind::Binary, update.as_bytes()),
    ] {
        let record = Record { recv_ns, kind, source: "ws", payload, line: 0 };
        writer.record(&record).expect("a record");
    }
    let capture = writer.finish().expect("a capture");
    let path = std::env::temp_dir().join(format!("gapless-{}-c96.cap", std::process::id()));
    std::fs::write(&path, capture).expect("a file");
    let (mut step, name) = (Step::default(), path.display().to_string());
    let mut replay = gapless::Replay::open([name]).expect("a capture");
    replay.run(&mut step).expect("a whole capture");
    let _ = std::fs::remove_file(&path);
    assert_eq!((step.rejects, step.transitions), (vec!["utf8"], vec![Transition::Reset]));
    let book = replay.books().next().expect("a book");
    assert_eq!((book.state(), book.seq()), (State::Live, Some(2)));
}

/// A delta of Bybit's `orderbook.full.S`, which is held until its snapshot comes over HTTP.
fn full(u: usize, bids: &str) -> String {
    let data = format!(r#"{{"s":"S","b":[{bids}],"a":[],"u":{u},"seq":{u}}}"#);
    format!(r#"{{"topic":"orderbook.full.S","type":"delta","ts":1,"data":{data}}}"#)
}

#[test]
fn c97_as_many_levels_as_4_mib_hold_are_kept_and_no_more() {
    const MESSAGE: usize = 4_096;
    assert_eq!(HELD_LEVELS_MAX * size_of::<Level>(), 4 * 1024 * 1024);
    let prices = |from: usize, count| {
        let levels = (from..from + count).map(|price| format!(r#"["{price}","1"]"#));
        levels.collect::<Vec<_>>().join(",")
    };
    // Before what fills it: messages that fit exactly, and one level too many.
    for (last, fits) in [(MESSAGE, true), (MESSAGE + 1, false)] {
        let mut line = Line::open(Bybit, "");
        let count = HELD_LEVELS_MAX / MESSAGE;
        // A count that begins with 1 would be a new one.
        for u in 2..=count {
            line.frame(&full(u, &prices(1, MESSAGE)));
        }
        line.frame(&full(count + 1, &prices(1, last)));
        let book = line.book("orderbook.full", "S");
        assert_eq!((book.held(), book.counters().gaps), if fits { (count, 0) } else { (0, 1) });
        if fits {
            line.frame(&full(count + 2, &prices(1, 1)));
        }
        let book = line.book("orderbook.full", "S");
        assert_eq!((book.held(), book.counters().gaps), (0, 1));
        assert_eq!(book.state(), syncing(Reason::BufferOverflow));
        // What comes after it is held again.
        line.frame(&full(count + 3, &prices(1, 1)));
        assert_eq!(line.book("orderbook.full", "S").held(), 1);
    }
}

#[test]
fn c97_a_full_buffer_is_dropped_and_the_bridging_begins_again() {
    let full = |u: usize| full(u, &format!(r#"["2.0","{u}"]"#));
    let mut line = Line::open(Bybit, "");
    for u in 10..10 + HELD_MAX {
        line.frame(&full(u));
    }
    assert_eq!(line.book("orderbook.full", "S").held(), HELD_MAX);
    let last = 10 + HELD_MAX;
    line.frame(&full(last));
    let book = line.book("orderbook.full", "S");
    assert_eq!((book.held(), book.counters().gaps), (0, 1));
    assert_eq!(book.state(), syncing(Reason::BufferOverflow));
    assert!(line.wait_ms(31_000).actions.contains(&"Fetch".to_owned()));
    // A snapshot of what was dropped no longer reaches; one of what came since does.
    line.frame(&full(last + 1));
    line.frame(&full(last + 2));
    let body = |u: usize| {
        let book = format!(r#"{{"s":"S","b":[["1.0","1"]],"a":[],"u":{u},"seq":{u}}}"#);
        format!(r#"{{"retCode":0,"result":{book}}}"#)
    };
    let url = "/v5/market/full_orderbook?symbol=S";
    assert_eq!(line.rest(url, &body(20)).verdicts, [Verdict::SnapshotTooOld]);
    let step = line.rest(url, &body(last + 1));
    assert_eq!(step.transitions, [Transition::Reset]);
    assert_eq!(line.levels("orderbook.full", "S"), format!("2x{} 1x1 |", last + 2));
}

#[test]
fn c98_an_empty_side_has_no_price_and_no_zero() {
    let mut line = Line::open(Bybit, "");
    line.frame(&bybit("snapshot", 10, BIDS, NONE));
    let book = line.book("orderbook.50", "S").live().expect("live").clone();
    assert_eq!((book.best_bid().is_some(), book.best_ask()), (true, None));
    line.frame(&bybit("delta", 11, r#"[["2.0","0"]]"#, NONE));
    let book = line.book("orderbook.50", "S").live().expect("live").clone();
    assert_eq!((book.best_bid(), book.best_ask()), (None, None));

    let mut line = okx_line();
    let arg = r#"{"channel":"bbo-tbt","instId":"A-B"}"#;
    line.frame(&format!(r#"{{"arg":{arg},"data":[{{"asks":[],"bids":{BIDS},"ts":"1"}}]}}"#));
    assert_eq!(line.levels("bbo-tbt", "A-B"), "2x1 |");
    assert_eq!(line.book("bbo-tbt", "A-B").state(), LIVE);

    let quote =
        r#""best_bid_price":null,"best_bid_amount":0.0,"best_ask_price":0.0,"best_ask_amount":0.0"#;
    let params = format!(r#"{{"channel":"quote.A","data":{{"timestamp":1,{quote}}}}}"#);
    let frame = format!(r#"{{"method":"subscription","params":{params}}}"#);
    let step = Line::open(Deribit, "").frame(&frame);
    assert_eq!(step.kinds, [EventKind::Bbo]);
    assert_eq!((step.bbos[0].bid, step.bbos[0].ask), (None, None));
}

#[test]
fn c99_ids_above_two_to_the_53_are_exact() {
    // 2^53 + 1 is no double: read through one, the next id would be a repeat or a gap.
    const ID: i64 = 9_007_199_254_740_993;
    for (venue, (), taught) in every(&[()]) {
        let mut book = Spoken::open(*venue, ID, &[("2.0", "1")], &[("3.0", "1")]);
        let last = ID + if taught { 4 } else { 1 };
        for id in ID + 1..=last {
            assert_eq!(book.delta(id - 1, id, &[("2.0", "2")], &[]).verdicts, [APPLY]);
            assert_eq!(book.book().seq(), book.number(id), "{}", venue.name());
        }
        // One is missing.
        let step = book.delta(last + 1, last + 2, &[("2.0", "3")], &[]);
        let lost = Transition::Invalidated(Reason::Gap);
        let expected = if book.number(0).is_some() { vec![lost] } else { vec![] };
        assert_eq!(step.transitions, expected, "{}", venue.name());
    }
}
