//! Conformance rows C32 to C50: Bybit (protocols.md section 10), one test a row.

#[path = "conformance/line.rs"]
mod line;

use gapless_book::event::{Derivative, EventKind, TakerSide};
use gapless_book::local::{Reason, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::bybit::Bybit;
use gapless_venues::registry::VenueId;
use gapless_venues::venue::{HttpAnswer, Market, RestVerdict, Topic, Venue};
use line::{APPLY, LIVE, Line, decimal, syncing};

const LINEAR: &str = "wss://stream.bybit.com/v5/public/linear";
const SPOT: &str = "wss://stream.bybit.com/v5/public/spot";

/// A message of a book topic of `S`; `levels` is `"b":…,"a":…`.
fn book(channel: &str, kind: &str, u: i64, seq: i64, levels: &str) -> String {
    let data = format!(r#"{{"s":"S",{levels},"u":{u},"seq":{seq}}}"#);
    let times = r#""ts":1700000000000,"cts":1700000000000"#;
    format!(r#"{{"topic":"{channel}.S","type":"{kind}",{times},"data":{data}}}"#)
}

fn top(kind: &str, u: i64, levels: &str) -> String {
    book("orderbook.50", kind, u, 900 + u, levels)
}

fn line() -> Line<Bybit> {
    Line::open(Bybit, LINEAR)
}

const EMPTY: &str = r#""b":[],"a":[]"#;
const BOTH: &str = r#""b":[["2.0","1"]],"a":[["3.0","1"]]"#;

#[test]
fn c32_a_delta_before_any_snapshot_is_ignored_and_the_topic_renewed_after_two_seconds() {
    let mut line = line();
    let step = line.frame(&top("delta", 7, BOTH));
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Ignore], 0));
    assert_eq!(line.book("orderbook.50", "S").state(), syncing(Reason::AwaitingSnapshot));
    assert_eq!(line.book("orderbook.50", "S").counters().unsynced, 1);
    assert_eq!(line.wait_ms(1_900).actions, [""; 0]);
    assert_eq!(line.wait_ms(200).actions, ["Resubscribe"]);
}

#[test]
fn c33_a_hole_in_u_is_a_gap_and_the_topic_is_renewed() {
    let mut line = line();
    let step = line.frame(&top("snapshot", 10, BOTH));
    assert_eq!(step.transitions, [Transition::Reset]);
    let step = line.frame(&top("delta", 11, r#""b":[["2.0","5"]],"a":[]"#));
    assert_eq!(step.verdicts, [APPLY]);
    let step = line.frame(&top("delta", 13, r#""b":[["2.0","9"]],"a":[]"#));
    assert_eq!(step.verdicts, [Verdict::Gap { expected: 12, got: 13 }]);
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Gap)]);
    assert_eq!(step.actions, ["Resubscribe"]);
    assert_eq!(line.levels("orderbook.50", "S"), "2x5 | 3x1");
    assert_eq!(line.book("orderbook.50", "S").counters().gaps, 1);
    let topic = [Topic { channel: "orderbook.50", symbol: "S" }];
    for (requests, op) in
        [(Bybit.unsubscribe(&topic, 4), "unsubscribe"), (Bybit.subscribe(&topic, 4), "subscribe")]
    {
        let expected = format!(r#"{{"req_id":"4","op":"{op}","args":["orderbook.50.S"]}}"#);
        assert_eq!(requests, [expected]);
    }
}

#[test]
fn c34_the_same_delta_twice_is_applied_once() {
    let mut line = line();
    line.frame(&top("snapshot", 10, BOTH));
    let delta = top("delta", 11, r#""b":[["2.0","5"]],"a":[]"#);
    assert_eq!(line.frame(&delta).verdicts, [APPLY]);
    let step = line.frame(&delta);
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Stale], 0));
    assert_eq!(step.transitions, []);
    let book = line.book("orderbook.50", "S");
    assert_eq!((book.state(), book.seq()), (LIVE, Some(11)));
    assert_eq!(book.counters().duplicates, 1);
}

#[test]
fn c35_a_snapshot_with_a_lower_u_replaces_the_book_and_is_no_gap() {
    let mut line = line();
    line.frame(&top("snapshot", 10, BOTH));
    line.frame(&top("delta", 11, EMPTY));
    let step = line.frame(&top("snapshot", 5, r#""b":[["1.0","7"]],"a":[]"#));
    assert_eq!(step.transitions, [Transition::Reset]);
    assert_eq!(line.levels("orderbook.50", "S"), "1x7 |");
    let book = line.book("orderbook.50", "S");
    assert_eq!((book.state(), book.seq()), (LIVE, Some(5)));
    assert_eq!((book.counters().gaps, book.counters().resets), (0, 1));
    assert_eq!(line.frame(&top("delta", 6, EMPTY)).verdicts, [APPLY]);
}

#[test]
fn c36_a_delta_with_u_1_is_a_snapshot() {
    let mut line = line();
    line.frame(&top("snapshot", 10, BOTH));
    let step = line.frame(&top("delta", 1, r#""b":[["1.0","7"]],"a":[]"#));
    assert_eq!(
        (step.verdicts, step.transitions),
        (vec![Verdict::Replace], vec![Transition::Reset])
    );
    assert_eq!(line.levels("orderbook.50", "S"), "1x7 |");
    line.frame(&top("delta", 2, BOTH));
    let step = line.frame(&top("delta", 1, EMPTY));
    assert_eq!(step.verdicts, [Verdict::Replace]);
    assert_eq!(line.levels("orderbook.50", "S"), "|");
    let book = line.book("orderbook.50", "S");
    assert_eq!((book.state(), book.seq(), book.counters().gaps), (LIVE, Some(1), 0));
}

#[test]
fn c37_level_one_repeated_with_the_same_u_is_a_heartbeat() {
    let mut line = line();
    let image = book("orderbook.1", "snapshot", 10, 910, BOTH);
    line.frame(&image);
    line.wait_ms(2_999);
    let step = line.frame(&image);
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Heartbeat], 0));
    assert_eq!(step.transitions, []);
    let book = line.book("orderbook.1", "S");
    assert_eq!((book.state(), book.counters().heartbeats), (LIVE, 1));
    // Liveness was refreshed: two seconds later it is not yet silent for three.
    line.wait_ms(2_000);
    assert_eq!(line.freshness(3).transitions, []);
    line.wait_ms(1_100);
    assert_eq!(line.freshness(3).transitions, [Transition::Invalidated(Reason::Silent)]);
}

#[test]
fn c38_key_order_and_times_as_text_make_no_difference() {
    let rest = r#""data":{"s":"S","b":[["2.0","1"]],"a":[],"u":9,"seq":8},"cts":1700000000001"#;
    let mut seen = Vec::new();
    for frame in [
        format!(r#"{{"topic":"orderbook.50.S","ts":1700000000002,"type":"snapshot",{rest}}}"#),
        format!(r#"{{"topic":"orderbook.50.S","type":"snapshot","ts":"1700000000002",{rest}}}"#),
    ] {
        let mut line = line();
        let step = line.frame(&frame);
        let book = line.book("orderbook.50", "S");
        seen.push((step.kinds, step.times, book.seq(), line.levels("orderbook.50", "S")));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, [EventKind::Snapshot]);
    assert_eq!(seen[0].1[0].venue_ns, 1_700_000_000_002_000_000);
    assert_eq!(seen[0].1[0].engine_ns, 1_700_000_000_001_000_000);
}

#[test]
fn c39_an_rpi_level_stays_while_one_of_its_sizes_does() {
    use gapless_book::event::Side;
    let mut line = line();
    let rpi = |kind, u, b: &str| book("orderbook.rpi", kind, u, 900 + u, b);
    line.frame(&rpi("snapshot", 10, r#""b":[["1.0","0","0.5"]],"a":[]"#));
    let book = line.book("orderbook.rpi", "S");
    let scales = book.last_known().scales();
    let price = decimal("1.0").at_scale(scales.price).unwrap();
    let extra = book.last_known().extra_at(Side::Bid, price);
    assert_eq!(Some(extra), decimal("0.5").at_scale(scales.qty));
    line.frame(&rpi("delta", 11, r#""b":[["1.0","0","0"]],"a":[]"#));
    assert_eq!(line.book("orderbook.rpi", "S").last_known().extra_at(Side::Bid, price), 0);
    assert_eq!(line.levels("orderbook.rpi", "S"), "|");
    assert_eq!(line.book("orderbook.rpi", "S").state(), LIVE);
}

#[test]
fn c40_a_ticker_delta_carries_only_what_it_carries_and_merges() {
    let mut line = line();
    let ticker = |kind: &str, fields: &str| {
        format!(
            r#"{{"topic":"tickers.S","type":"{kind}","data":{{"symbol":"S",{fields}}},"ts":1}}"#
        )
    };
    let first = r#""markPrice":"2.0","indexPrice":"2.1","fundingRate":"0.0001""#;
    let whole = line.frame(&ticker("snapshot", first)).derivatives[0];
    let delta = line.frame(&ticker("delta", r#""markPrice":"2.5""#)).derivatives[0];
    assert_eq!(delta, Derivative { mark: Some(decimal("2.5")), ..Derivative::default() });
    let merged = whole.merged(delta);
    assert_eq!(merged, Derivative { mark: Some(decimal("2.5")), ..whole });
    let empty = line.frame(&ticker("delta", r#""indexPrice":"","fundingRate":"""#)).derivatives[0];
    assert_eq!(empty, Derivative::default());
    assert_eq!(merged.merged(empty), merged);
}

#[test]
fn c41_the_liquidated_position_was_long_so_the_order_sells() {
    let order = r#"{"T":1,"s":"S","S":"Buy","v":"12.4","p":"138.2"}"#;
    let frame = format!(r#"{{"topic":"allLiquidation.S","ts":1,"data":[{order}]}}"#);
    assert_eq!(line().frame(&frame).liquidations, [(TakerSide::Sell, "Buy".to_owned())]);
}

#[test]
fn c42_trades_are_never_thinned_by_their_seq() {
    let mut line = line();
    let trade = |id: usize| {
        format!(r#"{{"T":1,"s":"S","S":"Buy","v":"1","p":"2","i":"{id}","BT":false,"seq":77}}"#)
    };
    let push = |ids: std::ops::Range<usize>| {
        let list: Vec<_> = ids.map(trade).collect();
        format!(
            r#"{{"topic":"publicTrade.S","type":"snapshot","ts":1,"data":[{}]}}"#,
            list.join(",")
        )
    };
    let mut ids = Vec::new();
    for frame in [push(0..1024), push(1024..1026)] {
        ids.extend(line.frame(&frame).trades.into_iter().map(|(id, _)| id));
    }
    let expected: Vec<_> = (0..1026).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
}

#[test]
fn c43_pongs_of_both_kinds_are_heartbeats() {
    for pong in [
        r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#,
        r#"{"op":"pong","args":["1763600000000"]}"#,
    ] {
        let step = line().frame(pong);
        assert_eq!(step.kinds, [EventKind::Heartbeat]);
        assert_eq!((step.rejects.len(), step.actions.len()), (0, 0));
    }
    let mut quiet = line();
    quiet.frame(r#"{"op":"pong"}"#);
    assert_eq!(quiet.wait_ms(20_000).actions, [r#"Send {"op":"ping"}"#]);
}

#[test]
fn c44_of_a_partial_failure_only_the_failed_topic_failed() {
    let topics = r#"{"failTopics":["x"],"successTopics":["y"]}"#;
    let frame =
        format!(r#"{{"success":true,"conn_id":"c","data":{topics},"type":"COMMAND_RESP"}}"#);
    let step = line().frame(&frame);
    assert_eq!(step.kinds, [EventKind::Ack]);
    let failed: Vec<_> =
        step.actions.iter().filter(|action| action.starts_with("SubscribeFailed")).collect();
    assert_eq!(failed, ["SubscribeFailed x"]);
}

#[test]
fn c45_many_topics_are_asked_for_ten_at_a_time() {
    let names: Vec<_> = (0..25).map(|i| format!("C{i}USDT")).collect();
    let topics: Vec<_> =
        names.iter().map(|symbol| Topic { channel: "orderbook.50", symbol }).collect();
    let requests = Line::open(Bybit, SPOT).session.subscribe(&topics);
    let counts: Vec<_> = requests.iter().map(|r| r.matches("orderbook.50.").count()).collect();
    assert_eq!(counts, [10, 10, 5]);
    for (name, request) in names.iter().zip(requests.iter().flat_map(|r| vec![r; 10])) {
        assert!(request.contains(&format!("orderbook.50.{name}\"")), "{name}");
    }
}

#[test]
fn c46_one_symbol_on_two_markets_is_two_books() {
    let mut spot = Line::open(Bybit, SPOT);
    let mut linear = Line::open(Bybit, LINEAR);
    spot.frame(&top("snapshot", 10, BOTH));
    linear.frame(&top("snapshot", 500, r#""b":[["2.5","8"]],"a":[]"#));
    linear.frame(&top("delta", 600, EMPTY));
    assert_eq!(spot.levels("orderbook.50", "S"), "2x1 | 3x1");
    assert_eq!(linear.levels("orderbook.50", "S"), "2.5x8 |");
    assert_eq!(spot.book("orderbook.50", "S").state(), LIVE);
    assert_eq!(linear.book("orderbook.50", "S").state(), syncing(Reason::Gap));
    assert_eq!(spot.entry("orderbook.50", "S").market, Market::Spot);
    assert_eq!(linear.entry("orderbook.50", "S").market, Market::Linear);
    assert!(VenueId::Bybit.names_market());
    // A REST book of the other market is not for this one either.
    let full = |u| book("orderbook.full", "delta", u, u, EMPTY);
    spot.frame(&full(5));
    let body = r#"{"retCode":0,"result":{"s":"S","b":[["1","1"]],"a":[],"u":5,"seq":5}}"#;
    let url = |market: &str| format!("/v5/market/full_orderbook?category={market}&symbol=S");
    spot.rest(&url("linear"), body);
    assert_eq!(spot.book("orderbook.full", "S").counters().snapshots, 0);
    spot.rest(&url("spot"), body);
    assert_eq!(spot.book("orderbook.full", "S").counters().snapshots, 1);
}

#[test]
fn c47_the_51st_level_of_50_is_dropped_and_counted() {
    let mut line = line();
    let bids: Vec<_> = (1..=50).map(|price| format!(r#"["{price}","1"]"#)).collect();
    line.frame(&top("snapshot", 10, &format!(r#""b":[{}],"a":[]"#, bids.join(","))));
    assert_eq!(line.book("orderbook.50", "S").counters().truncated, 0);
    line.frame(&top("delta", 11, r#""b":[["51","1"]],"a":[]"#));
    let levels = line.levels("orderbook.50", "S");
    assert!(levels.starts_with("51x1 50x1") && levels.ends_with("3x1 2x1 |"), "{levels}");
    let book = line.book("orderbook.50", "S");
    assert_eq!((book.counters().truncated, book.state()), (1, LIVE));
}

const FULL: &str = "/v5/market/full_orderbook?category=linear&symbol=S";

/// The full book's first three deltas, held.
fn full_line() -> Line<Bybit> {
    let mut line = line();
    for (u, seq, levels) in [
        (5, 50, r#""b":[["1.0","5"]],"a":[]"#),
        (6, 52, r#""b":[["1.0","6"]],"a":[]"#),
        (7, 55, r#""b":[["2.0","7"]],"a":[]"#),
    ] {
        let step = line.frame(&book("orderbook.full", "delta", u, seq, levels));
        assert_eq!(step.verdicts, [Verdict::Hold]);
        // The first one asks for the snapshot.
        assert_eq!(step.actions, if u == 5 { vec!["Fetch"] } else { vec![] });
    }
    line
}

#[test]
fn c48_the_full_book_joins_where_u_and_seq_meet() {
    let mut line = full_line();
    let body = r#"{"retCode":0,"result":{"s":"S","b":[["1.5","9"]],"a":[],"u":6,"seq":52}}"#;
    let step = line.rest(FULL, body);
    assert_eq!(step.transitions, [Transition::Reset]);
    assert_eq!(line.levels("orderbook.full", "S"), "2x7 1.5x9 |");
    let full = line.book("orderbook.full", "S");
    assert_eq!((full.state(), full.seq(), full.counters().applied), (LIVE, Some(7), 1));
    // In the live stream u == 1 asks for a new snapshot; it never replaces (ruling 0.6.7).
    let step = line.frame(&book("orderbook.full", "delta", 1, 60, EMPTY));
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Restart)]);
}

#[test]
fn c49_the_same_seq_with_another_u_is_no_place_to_join() {
    let mut line = full_line();
    let body = r#"{"retCode":0,"result":{"s":"S","b":[["1.5","9"]],"a":[],"u":4,"seq":52}}"#;
    let step = line.rest(FULL, body);
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::SnapshotTooOld], 0));
    assert_ne!(line.book("orderbook.full", "S").state(), LIVE);
    assert_eq!(line.wait_ms(2_100).actions, ["Fetch"]);
}

#[test]
fn c50_a_ban_stops_all_requests_and_too_many_visits_wait_for_the_time_named() {
    let banned = HttpAnswer { status: 403, body: b"access too frequent", ..HttpAnswer::default() };
    match Bybit.rest_verdict(&banned) {
        RestVerdict::StopAll { wait_ms } => assert!(wait_ms >= 600_000),
        other => panic!("{other:?}"),
    }
    let visits = HttpAnswer {
        status: 200,
        headers: &[("X-Bapi-Limit-Reset-Timestamp", "1700000004321")],
        body: br#"{"retCode":10006,"retMsg":"Too many visits!"}"#,
        now_ms: 1_700_000_000_000,
    };
    assert_eq!(Bybit.rest_verdict(&visits), RestVerdict::Retry { wait_ms: 4_321 });
}
