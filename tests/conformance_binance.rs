//! Conformance rows C01–C31: Binance spot, its REST side, USD-M futures. One test a row.

#[path = "conformance/fed.rs"]
mod fed;

use fed::Line;
use gapless_book::event::{EventKind, Flags, NO_TIME, Side, TimeUnit};
use gapless_book::local::{Demand, Outcome, Reason, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::binance::{self, BinanceSpot, BinanceUsdm, Dialect};
use gapless_venues::scratch::Scratch;
use gapless_venues::venue::{Context, HttpAnswer, Market, Origin, RestVerdict, Topic, Venue};
use gapless_venues::wire::{EventSink, Reject};

const URL: &str = "wss://stream.example/stream?streams=btcusdt@depth";
const REST: &str = "https://api.example/api/v3/depth?symbol=BTCUSDT&limit=5000";
const APPLY: Verdict = Verdict::Apply { overlap: false };

fn spot() -> Line<BinanceSpot> {
    Line::live(BinanceSpot, URL)
}

/// A wrapped spot delta that sets the bid 1.0 to its last id.
fn delta(first: i64, last: i64) -> String {
    delta_with(first, last, &format!(r#"["1.0","{last}"]"#), "")
}

fn delta_with(first: i64, last: i64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1763600000123,"s":"BTCUSDT",
        "U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}}}"#
    )
}

fn snapshot(id: i64) -> String {
    format!(r#"{{"lastUpdateId":{id},"bids":[["0.9","7"]],"asks":[["2.0","8"]]}}"#)
}

/// A live spot book with the anchor 105.
fn spot_at_105() -> Line<BinanceSpot> {
    let mut line = spot();
    line.frame(&delta(101, 105)).rest(REST, &snapshot(100)).forget();
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(105)));
    line
}

#[test]
fn c01_buffered_events_below_the_snapshot_are_dropped_and_the_first_that_joins_makes_it_live() {
    let mut line = spot();
    line.frame(&delta(95, 99)).frame(&delta(98, 100)).frame(&delta(101, 105));
    assert_eq!(line.state("BTCUSDT"), "syncing awaiting_snapshot");
    line.rest(REST, &snapshot(100));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(105)));
    let counters = line.counters("BTCUSDT");
    assert_eq!((counters.duplicates, counters.applied, counters.gaps), (2, 1, 0));
    assert_eq!(line.levels("BTCUSDT"), ["bid 105@1", "bid 7@0.9", "ask 8@2"]);
}

#[test]
fn c02_the_first_event_may_begin_before_the_snapshot_ends() {
    let mut line = spot();
    line.frame(&delta(99, 103)).rest(REST, &snapshot(100));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(103)));
    assert_eq!(line.levels("BTCUSDT"), ["bid 103@1", "bid 7@0.9", "ask 8@2"]);
}

#[test]
fn c03_a_snapshot_older_than_the_buffer_is_fetched_again_and_the_buffer_kept() {
    let mut line = spot();
    line.frame(&delta(102, 104)).forget();
    line.rest(REST, &snapshot(100));
    assert_eq!(line.state("BTCUSDT"), "syncing awaiting_snapshot");
    assert_eq!(line.book("BTCUSDT").held(), 1);
    line.wait_ms(2_000);
    assert_eq!(line.told.actions, ["fetch 0"]);
    line.rest(REST, &snapshot(101));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(104)));
    assert_eq!(line.counters("BTCUSDT").gaps, 0);
}

#[test]
fn c04_the_next_event_is_applied() {
    let mut line = spot_at_105();
    line.frame(&delta(106, 106));
    assert_eq!(line.verdicts(), [APPLY]);
    assert_eq!(line.seq("BTCUSDT"), Some(106));
    assert_eq!(line.levels("BTCUSDT")[0], "bid 106@1");
}

#[test]
fn c05_a_missing_event_is_a_gap_and_none_of_its_levels_is_applied() {
    let mut line = spot_at_105();
    let before = line.levels("BTCUSDT");
    line.frame(&delta(107, 109));
    assert_eq!(line.verdicts(), [Verdict::Gap { expected: 106, got: 107 }]);
    assert_eq!(line.transitions(), [Transition::Invalidated(Reason::Gap)]);
    assert_eq!(line.state("BTCUSDT"), "syncing gap");
    assert_eq!(line.levels("BTCUSDT"), before);
    assert!(line.told.levels.is_empty());
    assert_eq!(line.told.actions, ["fetch 0"]);
    line.forget().rest(REST, &snapshot(106));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(109)));
    assert_eq!(line.transitions(), [Transition::Reset]);
    assert_eq!((line.counters("BTCUSDT").gaps, line.counters("BTCUSDT").resyncs), (1, 1));
    line.forget().frame(&delta(120, 121));
    assert!(line.told.actions.is_empty(), "a second resync at once");
    line.wait_ms(2_000);
    assert_eq!(line.told.actions, ["fetch 0"]);
}

#[test]
fn c06_a_repeat_changes_nothing_and_is_counted() {
    let mut line = spot_at_105();
    let before = line.levels("BTCUSDT");
    for (first, last) in [(101, 105), (100, 105)] {
        line.forget().frame(&delta_with(first, last, r#"["1.0","1"]"#, ""));
        let (verdict, transition, demand) = (Verdict::Stale, Transition::None, Demand::None);
        assert_eq!(line.told.outcomes, [Outcome { verdict, transition, demand }]);
        assert!(line.told.levels.is_empty() && line.told.actions.is_empty());
    }
    assert_eq!(line.levels("BTCUSDT"), before);
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(105)));
    assert_eq!(line.counters("BTCUSDT").duplicates, 2);
}

#[test]
fn c07_an_overlap_is_applied_and_counted() {
    let mut line = spot_at_105();
    line.frame(&delta(104, 108));
    assert_eq!(line.verdicts(), [Verdict::Apply { overlap: true }]);
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(108)));
    assert_eq!(line.counters("BTCUSDT").overlaps, 1);
    assert_eq!(line.levels("BTCUSDT")[0], "bid 108@1");
}

#[test]
fn c08_a_snapshot_newer_than_the_buffer_waits_for_the_next_event() {
    let mut line = spot();
    line.frame(&delta(120, 130)).frame(&delta(131, 150)).rest(REST, &snapshot(200));
    assert_eq!(line.state("BTCUSDT"), "syncing awaiting_first_delta");
    assert_eq!(line.levels("BTCUSDT"), ["bid 7@0.9", "ask 8@2"]);
    assert_eq!(line.book("BTCUSDT").held(), 0);
    line.forget().frame(&delta(199, 205));
    assert_eq!(line.transitions(), [Transition::Reset]);
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(205)));
    assert_eq!(line.levels("BTCUSDT")[0], "bid 205@1");
}

#[test]
fn c09_a_symbol_that_never_traded_begins_empty_with_any_delta() {
    let mut line = spot();
    line.rest(REST, r#"{"lastUpdateId":-1,"bids":[],"asks":[]}"#);
    line.frame(&delta(7, 9));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(9)));
    assert_eq!(line.levels("BTCUSDT"), ["bid 9@1"]);
    line.frame(&delta(11, 12));
    assert_eq!(line.state("BTCUSDT"), "syncing gap");
}

#[test]
fn c10_the_last_of_two_entries_of_a_price_wins() {
    let mut line = spot_at_105();
    line.frame(&delta_with(106, 106, r#"["1.0","2"],["1.0","0"]"#, ""));
    assert_eq!(line.levels("BTCUSDT"), ["bid 7@0.9", "ask 8@2"]);
    assert_eq!(line.state("BTCUSDT"), "live");
}

#[test]
fn c11_removing_an_unknown_price_changes_nothing_but_the_anchor() {
    let mut line = spot_at_105();
    let before = line.levels("BTCUSDT");
    line.frame(&delta_with(106, 107, r#"["0.5","0"]"#, r#"["9","0.000"]"#));
    assert_eq!(line.levels("BTCUSDT"), before);
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(107)));
}

#[test]
fn c12_wrapped_and_raw_frames_of_one_socket_are_the_same_events() {
    let mut line = spot_at_105();
    for last in 106..112 {
        let wrapped = delta(last, last);
        let raw = wrapped.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
        line.forget().frame(if last % 2 == 0 { raw } else { &wrapped });
        assert_eq!(line.told.events[0].0, "delta depth BTCUSDT");
        assert_eq!(line.seq("BTCUSDT"), Some(last));
        assert_eq!(line.levels("BTCUSDT")[0], format!("bid {last}@1"));
        let others = line.told.detail[0].clone();
        let copy = if last % 2 == 0 { wrapped.as_str() } else { raw };
        line.forget().frame(copy);
        assert_eq!(line.verdicts(), [Verdict::Stale]);
        assert_eq!(without_recv(&line.told.detail[0]), without_recv(&others));
    }
    assert_eq!((line.told.rejects.len(), line.session.books().len()), (0, 1));
}

/// The text of an event without the only thing that differs between two of its frames.
fn without_recv(detail: &str) -> String {
    let (before, rest) = detail.split_once("recv_ns: ").unwrap();
    format!("{before}{}", rest.split_once(',').unwrap().1)
}

const PARTIAL: &str = r#"{"lastUpdateId":120,"bids":[["1.5","3"]],"asks":[["1.6","4"]]}"#;

#[test]
fn c13_raw_partial_depth_is_never_the_base_of_a_diff_book() {
    let raw_delta = r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":121,"u":122,"b":[],"a":[]}"#;
    for recorded in [false, true] {
        let url = "wss://s.example/ws/btcusdt@depth/btcusdt@depth5/ethusdt@depth5";
        let mut line =
            if recorded { Line::recorded(BinanceSpot, url) } else { Line::live(BinanceSpot, url) };
        line.frame(raw_delta).frame(PARTIAL).frame(raw_delta);
        assert_eq!(line.state("BTCUSDT"), "syncing awaiting_snapshot");
        assert_eq!((line.told.unattributed, line.session.books().len()), (1, 1));
    }
    let mut line = Line::live(BinanceSpot, "wss://s.example/ws");
    line.sent(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth5@100ms"],"id":1}"#);
    line.frame(PARTIAL);
    assert_eq!(line.entry("BTCUSDT").channel, "depth5");
    assert_eq!(line.state("BTCUSDT"), "live");
    assert_eq!(line.levels("BTCUSDT"), ["bid 3@1.5", "ask 4@1.6"]);
    let mut line = Line::recorded(BinanceSpot, "wss://s.example/ws/btcusdt@depth5");
    line.frame(PARTIAL);
    assert_eq!((line.entry("BTCUSDT").channel.as_str(), line.told.unattributed), ("depth5", 0));
}

/// The first event of a frame.
struct First {
    kind: EventKind,
    times: gapless_book::event::Times,
    flags: Flags,
    derivative: Option<gapless_book::event::Derivative>,
    liquidation: Option<(gapless_book::event::TakerSide, Option<String>)>,
}

#[derive(Default)]
struct All(Vec<First>);

impl EventSink for All {
    fn event(&mut self, event: &gapless_book::event::Event<'_>) {
        use gapless_book::event::Body;
        self.0.push(First {
            kind: event.kind(),
            times: event.times,
            flags: event.flags,
            derivative: match event.body {
                Body::Derivative(derivative) => Some(derivative),
                _ => None,
            },
            liquidation: match event.body {
                Body::Liquidation(l) => Some((l.side, l.filled.map(|filled| filled.to_string()))),
                _ => None,
            },
        });
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        panic!("{}", reject.error);
    }
}

fn all(venue: &impl Venue, frame: &str) -> Vec<First> {
    let origin = Origin::Socket { url: "" };
    let context = Context { recv_ns: 77, origin, market: Market::Unknown };
    let mut all = All::default();
    venue.parse(&context, frame.as_bytes(), &mut Scratch::new(), &mut all);
    all.0
}

#[test]
fn c14_times_in_microseconds_are_told_by_their_size() {
    let frame = delta(1, 2).replace("1763600000123", "1763600000123456");
    let event = &all(&BinanceSpot, &frame)[0];
    assert_eq!(event.times.venue_ns, 1_763_600_000_123_456_000);
    assert_eq!(event.times.unit, TimeUnit::Micro);
    let event = &all(&BinanceSpot, &delta(1, 2))[0];
    assert_eq!(event.times.venue_ns, 1_763_600_000_123_000_000);
    assert_eq!(event.times.unit, TimeUnit::Milli);
}

#[test]
fn c15_a_shutdown_asks_for_a_replacement_before_the_break() {
    let data = r#"{"e":"serverShutdown","E":1763600000000}"#;
    let wrapped = format!(r#"{{"stream":"!serverShutdown","data":{data}}}"#);
    for frame in [data, wrapped.as_str()] {
        let mut line = spot_at_105();
        line.frame(frame);
        assert_eq!(line.told.actions, ["replace"]);
        assert!(line.told.rejects.is_empty());
        assert_eq!((line.state("BTCUSDT").as_str(), line.session.is_open()), ("live", true));
    }
}

#[test]
fn c16_answers_reach_their_request_and_an_error_keeps_the_socket() {
    let mut line = spot_at_105();
    let topics = ["ETHUSDT", "NOUSDT"].map(|symbol| Topic { channel: "depth", symbol });
    let first = line.session.next_id();
    let sent = [line.session.subscribe(&topics[..1]), line.session.subscribe(&topics[1..])];
    assert_eq!((sent.concat().len(), first, line.session.next_id()), (2, 1, 3));
    assert_eq!((line.session.requested(1), line.session.requested(2)), (1, 1));
    line.frame(r#"{"result":null,"id":1}"#);
    assert_eq!(line.session.requested(1), 0, "the answer ends its request");
    line.frame(r#"{"code":2,"msg":"Invalid request: x","id":2}"#);
    line.frame(r#"{"code":3,"msg":"Invalid JSON"}"#);
    line.frame(r#"{"error":{"code":1,"msg":"no"},"id":"abc"}"#);
    let expected = [
        "acked 1",
        "refused 2 2 Invalid request: x",
        "refused  3 Invalid JSON",
        "refused abc 1 no",
    ];
    assert_eq!(line.told.actions, expected);
    // The refused request still knows its topics, for who takes them up.
    assert_eq!(line.session.take_requested(2), [("depth".to_owned(), "NOUSDT".to_owned())]);
    assert!(line.told.rejects.is_empty());
    assert_eq!((line.state("BTCUSDT").as_str(), line.session.is_open()), ("live", true));
}

#[test]
fn c17_limits_and_bans_stop_every_request_of_the_address() {
    let verdict = |status, wait| {
        let headers = [("Retry-After", wait)];
        BinanceSpot.rest_verdict(&HttpAnswer { status, headers: &headers, ..Default::default() })
    };
    assert_eq!(verdict(429, "7"), RestVerdict::StopAll { wait_ms: 7_000 });
    assert_eq!(verdict(418, "120"), RestVerdict::StopAll { wait_ms: 120_000 });
    let body = r#"{"code":-1003,"msg":"Too many requests"}"#;
    let mut line = spot_at_105();
    line.rest(REST, body);
    assert_eq!(line.told.actions, ["refused  -1003 Too many requests"]);
    assert_eq!(line.state("BTCUSDT"), "live");
}

#[test]
fn c18_levels_beyond_the_snapshots_end_are_inserted_and_its_horizon_stays() {
    let url = "https://api.example/api/v3/depth?symbol=BTCUSDT&limit=2";
    let body = r#"{"lastUpdateId":100,"bids":[["10","1"],["9","1"]],"asks":[["11","1"]]}"#;
    let mut line = spot();
    line.frame(&delta_with(101, 101, "", "")).rest(url, body);
    let horizon = |line: &Line<BinanceSpot>| {
        let local = line.book("BTCUSDT");
        let scale = local.last_known().scales().price;
        local.complete_to(Side::Bid).map(|price| (price, scale))
    };
    assert_eq!(horizon(&line), Some((9, 0)));
    assert_eq!(line.book("BTCUSDT").complete_to(Side::Ask), None);
    line.frame(&delta_with(102, 102, r#"["5","4"]"#, r#"["50","6"]"#));
    assert_eq!(horizon(&line), Some((9, 0)));
    let expected = ["bid 1@10", "bid 1@9", "bid 4@5", "ask 1@11", "ask 6@50"];
    assert_eq!(line.levels("BTCUSDT"), expected);
    assert_eq!(line.counters("BTCUSDT").truncated, 0);
    assert_eq!(line.state("BTCUSDT"), "live");
}

const FUTURES_REST: &str = "https://fapi.example/fapi/v1/depth?symbol=BTCUSDT&limit=1000";

fn usdm() -> Line<BinanceUsdm> {
    Line::live(BinanceUsdm, "wss://f.example/public/stream?streams=btcusdt@depth")
}

/// A wrapped futures delta that sets the bid 1.0 to its last id.
fn linked(first: i64, last: i64, prev: i64) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":1763600000456,
        "T":1763600000449,"s":"BTCUSDT","U":{first},"u":{last},"pu":{prev},
        "b":[["1.0","{last}"]],"a":[]}}}}"#
    )
}

/// A live futures book with the anchor 1010.
fn usdm_at_1010() -> Line<BinanceUsdm> {
    let mut line = usdm();
    line.frame(&linked(1003, 1010, 1000)).rest(FUTURES_REST, &snapshot(1000)).forget();
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1010)));
    line
}

#[test]
fn c19_an_event_that_ends_at_the_snapshot_joins_it() {
    let mut line = usdm();
    line.frame(&linked(900, 950, 899)).frame(&linked(990, 1000, 950));
    line.frame(&linked(1005, 1020, 1000)).rest(FUTURES_REST, &snapshot(1000));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1020)));
    let counters = line.counters("BTCUSDT");
    assert_eq!((counters.duplicates, counters.applied, counters.gaps), (1, 2, 0));
    assert_eq!(line.levels("BTCUSDT"), ["bid 1020@1", "bid 7@0.9", "ask 8@2"]);
    // What the snapshot ends with changes nothing: alone, it makes the snapshot's book live.
    let mut line = usdm();
    line.frame(&linked(990, 1000, 950).replace(r#"["1.0","1000"]"#, r#"["0.9","7"]"#));
    line.rest(FUTURES_REST, &snapshot(1000));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1000)));
    assert_eq!(line.levels("BTCUSDT"), ["bid 7@0.9", "ask 8@2"]);
}

#[test]
fn c20_an_event_that_follows_the_snapshot_joins_it() {
    let line = usdm_at_1010();
    assert_eq!(line.levels("BTCUSDT"), ["bid 1010@1", "bid 7@0.9", "ask 8@2"]);
}

#[test]
fn c21_a_snapshot_before_the_first_event_is_fetched_again_and_the_buffer_kept() {
    let mut line = usdm();
    line.frame(&linked(1003, 1010, 1001)).forget().rest(FUTURES_REST, &snapshot(1000));
    assert_eq!(line.state("BTCUSDT"), "syncing awaiting_snapshot");
    assert_eq!(line.book("BTCUSDT").held(), 1);
    line.wait_ms(2_000);
    assert_eq!(line.told.actions, ["fetch 0"]);
    line.rest(FUTURES_REST, &snapshot(1001));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1010)));
}

#[test]
fn c22_first_ids_say_nothing_on_futures() {
    let mut line = usdm_at_1010();
    line.frame(&linked(1050, 1060, 1010));
    assert_eq!(line.verdicts(), [APPLY]);
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1060)));
    assert_eq!(line.levels("BTCUSDT")[0], "bid 1060@1");
}

#[test]
fn c23_an_event_that_does_not_chain_is_a_gap() {
    let mut line = usdm_at_1010();
    let before = line.levels("BTCUSDT");
    line.frame(&linked(1013, 1020, 1012));
    assert_eq!(line.verdicts(), [Verdict::Gap { expected: 1010, got: 1012 }]);
    assert_eq!(line.transitions(), [Transition::Invalidated(Reason::Gap)]);
    assert_eq!(line.levels("BTCUSDT"), before);
    assert_eq!(line.told.actions, ["fetch 0"]);
}

#[test]
fn c24_times_that_go_back_order_nothing() {
    let mut line = usdm_at_1010();
    line.frame(&linked(1011, 1020, 1010));
    assert_eq!(line.levels("BTCUSDT")[0], "bid 1020@1");
    line.frame(&linked(1021, 1030, 1020).replace("1763600000456", "1763600000001"));
    assert_eq!(line.verdicts(), [APPLY, APPLY]);
    assert_eq!(line.levels("BTCUSDT")[0], "bid 1030@1");
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1030)));
}

#[test]
fn c25_extra_fields_are_ignored_and_an_absent_engine_time_is_absent() {
    let plain = linked(1011, 1020, 1010);
    let extra = plain.replace("\"pu\"", "\"st\":1,\"ps\":\"BTCUSDT\",\"new\":{\"x\":[1]},\"pu\"");
    let untimed = plain.replace("\"T\":1763600000449,", "");
    for (frame, engine) in [
        (&plain, 1_763_600_000_449_000_000),
        (&extra, 1_763_600_000_449_000_000),
        (&untimed, NO_TIME),
    ] {
        assert_eq!(all(&BinanceUsdm, frame)[0].times.engine_ns, engine);
        let mut line = usdm_at_1010();
        line.frame(frame);
        assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(1020)));
        assert_eq!(line.levels("BTCUSDT"), ["bid 1020@1", "bid 7@0.9", "ask 8@2"]);
        assert!(line.told.rejects.is_empty());
    }
}

#[test]
fn c26_prints_off_the_book_are_flagged() {
    for (origin, off) in [("INSURANCE_FUND", true), ("ADL", true), ("NA", true), ("MARKET", false)]
    {
        let frame = format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":6,
            "p":"2","q":"3","X":"{origin}","m":true}}}}"#
        );
        let event = &all(&BinanceUsdm, &frame)[0];
        assert_eq!((event.kind, event.flags.has(Flags::OFF_BOOK)), (EventKind::Trade, off));
        // Streams leave out what is not regular (tests/subscriptions.rs).
        assert_eq!(event.flags.is_regular(), !off);
    }
}

const DELIVERY_MARK: &str =
    r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT_260327","p":"5","P":"6","r":"","T":0}"#;

#[test]
fn c27_contracts_without_funding_have_none() {
    let derivative = all(&BinanceUsdm, DELIVERY_MARK)[0].derivative.unwrap();
    assert_eq!(derivative.mark.unwrap().to_string(), "5");
    assert_eq!((derivative.funding_rate, derivative.funding_time_ns), (None, None));
}

#[test]
fn c28_every_element_of_an_array_is_an_event_of_its_own() {
    let array = format!("[{DELIVERY_MARK},{DELIVERY_MARK},{DELIVERY_MARK}]");
    let wrapped = format!(r#"{{"stream":"!markPrice@arr@1s","data":{array}}}"#);
    for frame in [array, wrapped] {
        let events = all(&BinanceUsdm, &frame);
        assert_eq!(events.len(), 3);
        for event in events {
            assert_eq!((event.kind, event.times.recv_ns), (EventKind::Derivative, 77));
        }
    }
}

const LIQUIDATION: &str = r#"{"e":"forceOrder","E":1763600002010,"o":{"s":"BTCUSDT","S":"SELL",
    "o":"LIMIT","f":"IOC","q":"0.245","p":"90611.20","ap":"90702.55","X":"FILLED","l":"0.101",
    "z":"0.24","T":1763600002004}}"#;

#[test]
fn c29_only_filled_liquidations_count_and_the_side_is_the_orders() {
    let event = &all(&BinanceUsdm, LIQUIDATION)[0];
    let expected = (gapless_book::event::TakerSide::Sell, Some("0.24".to_owned()));
    assert_eq!(event.liquidation, Some(expected));
    let mut line = usdm_at_1010();
    line.frame(&LIQUIDATION.replace("FILLED", "NEW"));
    let kinds: Vec<_> = line.told.events.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(kinds, ["other forceOrder BTCUSDT"]);
    assert!(line.told.rejects.is_empty());
}

#[test]
fn c30_the_stream_of_all_liquidations_may_send_one_object() {
    let one = format!(r#"{{"stream":"!forceOrder@arr","data":{LIQUIDATION}}}"#);
    let many = format!(r#"{{"stream":"!forceOrder@arr","data":[{LIQUIDATION},{LIQUIDATION}]}}"#);
    for (frame, count) in [(one, 1), (many, 2)] {
        let events = all(&BinanceUsdm, &frame);
        assert_eq!(events.len(), count);
        assert!(events.iter().all(|event| event.kind == EventKind::Liquidation));
    }
}

#[test]
fn c31_book_and_mark_price_are_on_two_sockets() {
    let topics = [
        Topic { channel: "depth", symbol: "BTCUSDT" },
        Topic { channel: "markPrice", symbol: "BTCUSDT" },
    ];
    let sockets = binance::sockets(Dialect::Usdm, &topics);
    let channels = |s: &gapless_venues::live::Socket<'_>| -> Vec<String> {
        s.topics.iter().map(|topic| topic.channel.to_owned()).collect()
    };
    let found: Vec<_> = sockets.iter().map(|s| (s.path.as_str(), channels(s))).collect();
    let alone = |channel: &str| vec![channel.to_owned()];
    let expected = [("/public/stream", alone("depth")), ("/market/stream", alone("markPrice"))];
    assert_eq!(found, expected);
    assert_eq!(binance::stream_class("rpiDepth@500ms"), "public");
    assert_eq!(binance::stream_class("forceOrder"), "market");
}

#[test]
fn partial_depth_on_an_unwrapped_futures_connection_is_dropped_unless_it_is_the_only_stream() {
    let raw = linked(1, 2, 0);
    let raw = raw.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
    for (url, sent, channel) in [
        ("wss://f.example/ws/btcusdt@depth@0ms", "", Some("depth")),
        ("wss://f.example/ws/btcusdt@depth20", "", Some("depth20")),
        (
            "wss://f.example/ws",
            r#"{"method":"SUBSCRIBE","params":["btcusdt@rpiDepth@500ms"]}"#,
            Some("rpiDepth"),
        ),
        ("wss://f.example/ws/btcusdt@depth/btcusdt@depth5", "", None),
        ("wss://f.example/ws/ethusdt@depth", "", None),
        ("", "", None),
    ] {
        let mut line = Line::live(BinanceUsdm, url);
        line.sent(sent).frame(raw);
        let found = line.session.books().iter().next().map(|(_, entry)| entry.channel.as_str());
        assert_eq!(found, channel, "{url} {sent}");
        assert_eq!(line.told.unattributed, usize::from(channel.is_none()));
    }
}
