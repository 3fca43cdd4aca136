//! Frames of every kind and what becomes of them. The payloads are invented.

use super::{BinanceCoinm, BinanceSpot, BinanceUsdm};
use crate::scratch::Scratch;
use crate::seen::{lines, rest, seen};
use crate::venue::{Context, Market, Origin, Venue};
use crate::wire::{EventSink, Reject};
use gapless_book::event::{Event, Flags};
use gapless_book::sequence::{Bridge, Chain, Rule};

const URL: &str = "wss://stream.example/stream";

#[track_caller]
fn spot(frame: &str, expected: &[&str]) {
    assert_eq!(lines(&BinanceSpot, URL, frame), expected, "{frame}");
}

#[track_caller]
fn usdm(frame: &str, expected: &[&str]) {
    assert_eq!(lines(&BinanceUsdm, URL, frame), expected, "{frame}");
}

const SPOT_DELTA: &str = r#"{"e":"depthUpdate","E":1763600000123,"s":"BTCUSDT","U":101,"u":117,
    "b":[["91230.10000000","0.52000000"],["91229.00000000","0.00000000"]],"a":[]}"#;
const USDM_DELTA: &str = r#"{"e":"depthUpdate","E":1763600000456,"T":1763600000449,"s":"BTCUSDT",
    "U":200,"u":233,"pu":188,"b":[["91228.90","3.114"]],"a":[],"ps":"BTCUSDT","st":1}"#;

fn wrap(stream: &str, data: &str) -> String {
    format!(r#"{{"stream":"{stream}","data":{data}}}"#)
}

#[test]
fn a_spot_delta_has_a_range_and_no_predecessor() {
    let expected = "delta depth BTCUSDT t1763600000123000000 Milli";
    let levels = "first=101 last=117 bids[0.52@91230.1 0@91229] asks[]";
    spot(&wrap("btcusdt@depth@100ms", SPOT_DELTA), &[&format!("{expected} {levels}")]);
    spot(SPOT_DELTA, &[&format!("{expected} unwrapped {levels}")]);
    let with_prev = SPOT_DELTA.replace("\"u\":117", "\"u\":117,\"pu\":100");
    spot(&wrap("btcusdt@depth", &with_prev), &[&format!("{expected} {levels}")]);
}

#[test]
fn a_futures_delta_names_its_predecessor_and_two_times() {
    let expected = "delta depth BTCUSDT t1763600000456000000 T1763600000449000000 Milli \
                    first=200 last=233 prev=188 bids[3.114@91228.9] asks[]";
    usdm(&wrap("btcusdt@depth@0ms", USDM_DELTA), &[expected]);
    let coinm = wrap("btcusdt@depth@0ms", USDM_DELTA);
    assert_eq!(lines(&BinanceCoinm, URL, &coinm), [expected]);
}

#[test]
fn every_varying_number_of_a_book_frame_is_marked() {
    let frame = wrap("btcusdt@depth@0ms", USDM_DELTA);
    let seen = seen(&BinanceUsdm, Origin::Socket { url: URL }, frame.as_bytes());
    let expected = [
        "VenueTime=1763600000456",
        "EngineTime=1763600000449",
        "First=200",
        "Last=233",
        "Prev=188",
        "Bids=[[\"91228.90\",\"3.114\"]]",
        "Asks=[]",
    ];
    assert_eq!(seen.marked, expected);
}

#[test]
fn the_stream_tells_partial_depth_from_deltas_on_futures() {
    let shape = "t1763600000456000000 T1763600000449000000 Milli";
    let ids = "first=200 last=233 prev=188";
    let levels = "bids[3.114@91228.9] asks[]";
    let expected = format!("top depth20 BTCUSDT {shape} {ids} limit=20 {levels}");
    usdm(&wrap("btcusdt@depth20@100ms", USDM_DELTA), &[&expected]);
    let expected = format!("delta rpiDepth BTCUSDT {shape} rpi {ids} {levels}");
    usdm(&wrap("btcusdt@rpiDepth@500ms", USDM_DELTA), &[&expected]);
    let expected = format!("delta depth BTCUSDT {shape} unwrapped {ids} {levels}");
    usdm(USDM_DELTA, &[&expected]);
}

#[test]
fn a_stream_that_contradicts_its_payload_is_refused() {
    usdm(&wrap("ethusdt@depth", USDM_DELTA), &["reject wrong_type depth BTCUSDT book"]);
    usdm(&wrap("btcusdt@trade", USDM_DELTA), &["reject wrong_type depth BTCUSDT book"]);
    spot(&wrap("btcusdt@depth20", SPOT_DELTA), &["reject wrong_type depth20 BTCUSDT book"]);
    let trade = r#"{"e":"trade","s":"BTCUSDT"}"#;
    usdm(&wrap("btcusdt@depth", trade), &["reject wrong_type depth BTCUSDT book"]);
}

const PARTIAL: &str = r#"{"lastUpdateId":120,"bids":[["91230.1","0.5"]],"asks":[]}"#;

#[test]
fn spot_partial_depth_takes_its_symbol_from_the_stream() {
    let levels = "last=120 limit=20 bids[0.5@91230.1] asks[]";
    let expected = format!("top depth20 BTCUSDT {levels}");
    spot(&wrap("btcusdt@depth20@100ms", PARTIAL), &[&expected]);
}

#[test]
fn a_body_that_names_neither_stream_nor_symbol_is_an_unattributed_snapshot() {
    let expected = "snapshot depth  unwrapped last=120 bids[0.5@91230.1] asks[]";
    spot(PARTIAL, &[expected]);
}

#[test]
fn a_body_that_names_its_symbol_came_from_rest_however_it_was_recorded() {
    let named = PARTIAL.replace("\"bids\"", "\"symbol\":\"BTCUSD_PERP\",\"bids\"");
    let expected = "snapshot depth BTCUSD_PERP rest last=120 bids[0.5@91230.1] asks[]";
    assert_eq!(lines(&BinanceCoinm, URL, &named), [expected]);
    assert_eq!(rest(&BinanceCoinm, "", &named), [expected]);
}

#[test]
fn a_recorders_snapshot_is_a_snapshot_of_depth() {
    let frame =
        format!(r#"{{"stream":"btcusdt@depthSnapshot","generated":true,"data":{PARTIAL}}}"#);
    let expected = "snapshot depth BTCUSDT generated last=120 limit=1000 bids[0.5@91230.1] asks[]";
    spot(&frame, &[expected]);
    spot(&wrap("btcusdt@depthSnapshot", PARTIAL), &[expected]);
    let origin = Origin::Socket { url: URL };
    assert!(seen(&BinanceSpot, origin, frame.as_bytes()).marked.is_empty());
}

#[test]
fn only_a_frame_that_is_one_message_teaches_a_template() {
    let origin = Origin::Socket { url: URL };
    let array = wrap("btcusdt@depth", &format!("[{USDM_DELTA},{USDM_DELTA}]"));
    let pair = seen(&BinanceUsdm, origin, array.as_bytes());
    assert_eq!((pair.lines.len(), pair.marked.len()), (2, 0));
    let url = "https://api.example/api/v3/depth?symbol=A";
    let answer = seen(&BinanceSpot, Origin::Rest { url }, PARTIAL.as_bytes());
    assert_eq!((answer.lines.len(), answer.marked.len()), (1, 0));
}

/// Whether each event was the last of its frame, and the bytes that it came from.
#[derive(Default)]
struct Last(Vec<bool>, Vec<Vec<u8>>);

impl EventSink for Last {
    fn event(&mut self, event: &Event<'_>) {
        self.0.push(event.flags.has(Flags::LAST_IN_FRAME));
        self.1.push(event.raw.to_vec());
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}

#[test]
fn the_last_event_of_a_frame_is_marked() {
    for (frame, expected) in [
        (MARK.to_owned(), vec![true]),
        (format!("[{MARK},{MARK},{MARK}]"), vec![false, false, true]),
        (wrap("!markPrice@arr", &format!("[{MARK},{MARK}]")), vec![false, true]),
    ] {
        let origin = Origin::Socket { url: URL };
        let context = Context { recv_ns: 0, origin, market: Market::Unknown };
        let mut last = Last::default();
        BinanceUsdm.parse(&context, frame.as_bytes(), &mut Scratch::new(), &mut last);
        assert_eq!(last.0, expected);
        let bytes = if expected.len() == 1 { frame.as_str() } else { MARK };
        assert!(last.1.iter().all(|raw| raw == bytes.as_bytes()), "an element is its own bytes");
    }
}

#[test]
fn symbols_beyond_ascii_are_not_held_against_their_stream() {
    let delta = SPOT_DELTA.replace("BTCUSDT", "ÄUSDT");
    let seen = lines(&BinanceSpot, URL, &wrap("äusdt@depth", &delta));
    assert!(seen[0].starts_with("delta depth ÄUSDT "), "{seen:?}");
}

#[test]
fn rest_bodies_take_symbol_and_limit_from_the_url() {
    let url = "https://api.example/api/v3/depth?limit=5000&symbol=btcusdt";
    let levels = "bids[0.5@91230.1] asks[]";
    let expected = format!("snapshot depth BTCUSDT rest last=120 limit=5000 {levels}");
    assert_eq!(rest(&BinanceSpot, url, PARTIAL), [expected]);
    let url = "https://f.example/fapi/v1/rpiDepth?symbol=%E5%B8%81USDT";
    let expected = format!("snapshot rpiDepth 币USDT rpi rest last=120 {levels}");
    assert_eq!(rest(&BinanceUsdm, url, PARTIAL), [expected]);
    let named = PARTIAL.replace("\"bids\"", "\"E\":1763600000440,\"symbol\":\"A_PERP\",\"bids\"");
    let expected =
        format!("snapshot depth A_PERP t1763600000440000000 Milli rest last=120 limit=9 {levels}");
    let url = "https://d.example/dapi/v1/depth?limit=9";
    assert_eq!(rest(&BinanceCoinm, url, &named), [expected]);
    let other = "https://d.example/dapi/v1/depth?symbol=B_PERP";
    assert_eq!(rest(&BinanceCoinm, other, &named), ["reject wrong_type depth B_PERP book"]);
}

#[test]
fn rest_errors_and_pages_that_are_no_json_are_told_apart_from_books() {
    let url = "https://api.example/api/v3/depth?symbol=NOPE";
    let body = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
    assert_eq!(rest(&BinanceSpot, url, body), ["error   rest id= -1121 Invalid symbol."]);
    assert_eq!(rest(&BinanceSpot, url, "<html>"), ["reject syntax depth NOPE book"]);
    for body in [r#"{"code":7}"#, r#"{"msg":"hello"}"#, r#"{"x":1}"#, "[]"] {
        assert_eq!(rest(&BinanceSpot, "", body), ["other   rest"], "{body}");
    }
    let elsewhere = "https://api.example/api/v3/other?symbol=A";
    assert_eq!(rest(&BinanceSpot, elsewhere, PARTIAL), ["other  A rest"]);
    let time = "https://api.example/api/v3/time";
    assert_eq!(rest(&BinanceSpot, time, r#"{"serverTime":1}"#), ["other   rest"]);
}

#[test]
fn book_tickers_of_spot_and_futures_read_alike() {
    let spot_frame =
        r#"{"u":121,"s":"BTCUSDT","b":"91230.10","B":"0.52","a":"91230.11","A":"1.20"}"#;
    spot(spot_frame, &["bbo bookTicker BTCUSDT unwrapped 0.52@91230.1 1.2@91230.11 u121"]);
    let empty = spot_frame.replace("1.20", "0.00").replace("91230.11", "0.00");
    spot(&wrap("!bookTicker", &empty), &["bbo bookTicker BTCUSDT 0.52@91230.1 - u121"]);
    usdm(
        &wrap(
            "btcusdt@bookTicker",
            r#"{"u":5,"e":"bookTicker","E":1763600000460,"T":1763600000455,"s":"BTCUSDT","b":"1",
    "B":"2","a":"3","A":"4"}"#,
        ),
        &["bbo bookTicker BTCUSDT t1763600000460000000 T1763600000455000000 Milli 2@1 4@3 u5"],
    );
    let bids = spot_frame.replace(r#""a":"91230.11","A":"1.20""#, r#""x":0"#);
    spot(&wrap("btcusdt@bookTicker", &bids), &["bbo bookTicker BTCUSDT 0.52@91230.1 - u121"]);
    let half = spot_frame.replace(r#""A":"1.20""#, r#""x":0"#);
    spot(&half, &["reject level bookTicker BTCUSDT"]);
}

#[test]
fn trades_aggregates_and_blocks_name_the_taker() {
    spot(
        &wrap(
            "btcusdt@trade",
            r#"{"e":"trade","E":1763600000130,"s":"BTCUSDT","t":54,"p":"91230.11000000",
    "q":"0.00150000","b":1,"a":2,"T":1763600000129,"m":false,"M":true}"#,
        ),
        &["trade trade BTCUSDT t1763600000130000000 T1763600000129000000 Milli \
           #54 0.0015@91230.11 Buy seq=54"],
    );
    spot(
        r#"{"e":"aggTrade","E":1763600000131,"s":"BTCUSDT","a":36,"p":"91230.11","q":"0.003",
    "f":54,"l":55,"T":1763600000129,"m":true}"#,
        &["trade aggTrade BTCUSDT t1763600000131000000 T1763600000129000000 Milli unwrapped \
           #36 0.003@91230.11 Sell first=54 last=55"],
    );
    spot(
        r#"{"e":"blockTrade","E":1,"s":"BTCUSDT","t":582,"p":"91200","q":"25","T":1,"m":true}"#,
        &["trade blockTrade BTCUSDT t1000000 T1000000 Milli block unwrapped \
           #582 25@91200 Sell seq=582"],
    );
}

#[test]
fn prints_off_the_book_are_flagged() {
    for (origin, flag) in
        [("MARKET", ""), ("INSURANCE_FUND", "off_book "), ("ADL", "off_book "), ("NA", "off_book ")]
    {
        let data = format!(
            r#"{{"e":"trade","E":1,"T":1,"s":"A","t":6,"p":"2","q":"3","X":"{origin}","m":true}}"#
        );
        let expected = format!("trade trade A t1000000 T1000000 Milli {flag}#6 3@2 Sell seq=6");
        usdm(&wrap("a@trade", &data), &[&expected]);
    }
}

const MARK: &str = r#"{"e":"markPriceUpdate","E":1763600001000,"s":"BTCUSDT","p":"91231.44",
    "i":"91240.02173913","P":"91235.1","r":"0.00010000","T":1763625600000,"st":1}"#;

#[test]
fn mark_prices_come_alone_or_in_arrays() {
    let first = "derivative markPrice BTCUSDT t1763600001000000000 Milli";
    let rest = "mark=91231.44 index=91240.02173913 settle=91235.1 rate=0.0001 \
                at=1763625600000000000";
    usdm(&wrap("btcusdt@markPrice@1s", MARK), &[&format!("{first} {rest}")]);
    let delivery = r#"{"e":"markPriceUpdate","E":1,"s":"D","p":"5","P":"6","r":"","T":0}"#;
    let bare = format!("{first} unwrapped {rest}");
    let array = format!("[{MARK},{delivery}]");
    usdm(&array, &[&bare, "derivative markPrice D t1000000 Milli unwrapped mark=5 settle=6"]);
    usdm(
        &wrap("!markPrice@arr", &array),
        &[&format!("{first} {rest}"), "derivative markPrice D t1000000 Milli mark=5 settle=6"],
    );
}

#[test]
fn a_malformed_element_of_an_array_spoils_no_other() {
    let broken = MARK.replace("91231.44", "NaN");
    let array = format!("[{broken},{MARK},7]");
    let seen = lines(&BinanceUsdm, URL, &wrap("!markPrice@arr", &array));
    assert_eq!(seen[0], "reject number markPrice BTCUSDT");
    assert!(seen[1].starts_with("derivative markPrice BTCUSDT"));
    assert_eq!(seen[2], "reject wrong_type markPrice");
    assert_eq!(seen.len(), 3);
}

const LIQUIDATION: &str = r#"{"e":"forceOrder","E":1763600002010,"o":{"s":"BTCUSDT","S":"SELL",
    "o":"LIMIT","f":"IOC","q":"0.245","p":"90611.20","ap":"90702.55","X":"FILLED","l":"0.101",
    "z":"0.245","T":1763600002004}}"#;

#[test]
fn filled_liquidations_count_in_either_wrapping() {
    let head = "liquidation forceOrder BTCUSDT t1763600002010000000 T1763600002004000000 Milli";
    let tail = "# 0.245@90611.2 Sell filled=0.245 average=90702.55 raw=SELL sampled";
    usdm(&wrap("!forceOrder@arr", LIQUIDATION), &[&format!("{head} {tail}")]);
    let array = format!("[{LIQUIDATION}]");
    usdm(&wrap("!forceOrder@arr", &array), &[&format!("{head} {tail}")]);
    usdm(LIQUIDATION, &[&format!("{head} unwrapped {tail}")]);
    let bought = LIQUIDATION.replace("SELL", "BUY");
    let tail = tail.replace("Sell", "Buy").replace("SELL", "BUY");
    usdm(&wrap("!forceOrder@arr", &bought), &[&format!("{head} {tail}")]);
    let open = LIQUIDATION.replace("FILLED", "NEW");
    usdm(
        &wrap("btcusdt@forceOrder", &open),
        &["other forceOrder BTCUSDT t1763600002010000000 T1763600002004000000 Milli"],
    );
    let negative = LIQUIDATION.replace(r#""q":"0.245""#, r#""q":"-1""#);
    usdm(&wrap("btcusdt@forceOrder", &negative), &["reject negative_size forceOrder BTCUSDT"]);
    let odd = LIQUIDATION.replace("SELL", "SOLD");
    usdm(&wrap("btcusdt@forceOrder", &odd), &["reject wrong_type forceOrder BTCUSDT"]);
}

#[test]
fn open_interest_is_read_from_rest_and_from_recorders() {
    let body = r#"{"openInterest":"85123.120","symbol":"BTCUSDT","time":1763600000000}"#;
    let tail = "t1763600000000000000 Milli";
    let url = "https://f.example/fapi/v1/openInterest?symbol=BTCUSDT";
    let expected = format!("derivative openInterest BTCUSDT {tail} rest oi=85123.12");
    assert_eq!(rest(&BinanceUsdm, url, body), [expected]);
    usdm(body, &[&format!("derivative openInterest BTCUSDT {tail} unwrapped oi=85123.12")]);
    usdm(&body.replace("85123.120", "many"), &["reject number openInterest BTCUSDT"]);
    let frame = format!(r#"{{"stream":"btcusdt@openInterest","generated":true,"data":{body}}}"#);
    usdm(&frame, &[&format!("derivative openInterest BTCUSDT {tail} generated oi=85123.12")]);
}

#[test]
fn answers_and_errors_name_their_request() {
    spot(r#"{"result":null,"id":1}"#, &["ack   id=1"]);
    spot(r#"{"result":["a@trade"],"id":"x-3"}"#, &[r#"ack   id=x-3 list ["a@trade"]"#]);
    spot(r#"{"result":true,"id":null}"#, &["ack   id=  true"]);
    let message = r#"{"code":2,"msg":"Invalid request: \"x\"","id":1}"#;
    spot(message, &[r#"error   id=1 2 Invalid request: \"x\""#]);
    spot(r#"{"code":3,"msg":"Invalid JSON"}"#, &["error   id= 3 Invalid JSON"]);
    spot(r#"{"error":{"code":-2,"msg":"no"},"id":4}"#, &["error   id=4 -2 no"]);
    spot(r#"{"result":null,"error":"no","id":4}"#, &["error   id=4  no"]);
    spot(r#"{"code":[],"msg":"no"}"#, &["reject wrong_type"]);
}

#[test]
fn a_shutdown_is_a_notice_raw_and_combined() {
    let data = r#"{"e":"serverShutdown","E":1763600000000}"#;
    let tail = "serverShutdown closing=true";
    let head = "notice serverShutdown  t1763600000000000000 Milli";
    spot(data, &[&format!("{head} unwrapped {tail}")]);
    spot(&wrap("!serverShutdown", data), &[&format!("{head} {tail}")]);
}

#[test]
fn unknown_kinds_are_counted_and_nothing_more() {
    let kline = r#"{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}"#;
    spot(&wrap("btcusdt@kline_1m", kline), &["other kline BTCUSDT"]);
    spot(r#"{"e":"24hrTicker","s":"A"}"#, &["other ticker A unwrapped"]);
    let tickers = r#"[{"e":"24hrTicker","s":"A"},{"e":"24hrTicker","s":"B"}]"#;
    spot(&wrap("!ticker@arr", tickers), &["other ticker A", "other ticker B"]);
    spot(r#"{"hello":1}"#, &["other   unwrapped"]);
    spot("17", &["other   unwrapped"]);
    spot(r#"{"code":7}"#, &["other   unwrapped"]);
    spot(r#"{"msg":"hello"}"#, &["other   unwrapped"]);
    spot(&wrap("btcusdt@new", "{}"), &["other new"]);
    for part in [r#"{"u":1,"b":"1"}"#, r#"{"u":1,"B":"1"}"#, r#"{"b":"1","B":"1"}"#] {
        spot(part, &["other   unwrapped"]);
    }
}

#[test]
fn a_malformed_book_names_its_symbol_and_is_refused_whole() {
    for (from, to, reason) in [
        (r#""u":117"#, r#""u":"x""#, "integer"),
        (r#""u":117,"#, "", "missing_field"),
        (r#""U":101,"#, "", "missing_field"),
        (r#""U":101"#, r#""U":null"#, "missing_field"),
        (r#""u":117"#, r#""u":117,"u":118"#, "duplicate_field"),
        (r#","a":[]"#, "", "missing_field"),
        (r#""a":[]"#, r#""a":{}"#, "wrong_type"),
        ("0.52000000", "-0.52", "negative_size"),
        ("0.52000000", "", "number"),
        (r#","0.52000000""#, "", "level"),
        ("91230.10000000", "9223372036854775808", "number"),
    ] {
        let data = SPOT_DELTA.replacen(from, to, 1);
        assert_ne!(data, SPOT_DELTA);
        let expected = format!("reject {reason} depth BTCUSDT book");
        spot(&data, &[&expected]);
        spot(&wrap("btcusdt@depth@100ms", &data), &[&expected]);
    }
    let futures = USDM_DELTA.replace(r#""pu":188,"#, "");
    usdm(&wrap("btcusdt@depth", &futures), &["reject missing_field depth BTCUSDT book"]);
    spot(&wrap("btcusdt@depth", "{}"), &["reject missing_field depth BTCUSDT book"]);
    spot(&wrap("btcusdt@depth", "7"), &["reject wrong_type depth BTCUSDT book"]);
    spot(r#"{"stream":"btcusdt@depth"}"#, &["reject missing_field depth BTCUSDT book"]);
    let cut = SPOT_DELTA.get(..90).unwrap();
    spot(cut, &["reject truncated   book"]);
    spot("pong", &["reject syntax   book"]);
    spot("[7]", &["reject wrong_type   book"]);
    spot(r#"{"stream":7,"data":{}}"#, &["reject wrong_type   book"]);
}

#[test]
fn times_may_be_in_microseconds_absent_or_absurd() {
    let of = |time: &str| SPOT_DELTA.replace(r#""E":1763600000123"#, time);
    for (time, expected) in [
        (r#""E":1763600000123456"#, "t1763600000123456000 Micro "),
        (r#""E":0"#, ""),
        (r#""x":0"#, ""),
        (r#""E":9007199254740993000"#, ""),
    ] {
        let expected = format!(
            "delta depth BTCUSDT {expected}first=101 last=117 bids[0.52@91230.1 0@91229] asks[]"
        );
        spot(&wrap("btcusdt@depth", &of(time)), &[&expected]);
    }
    spot(&of(r#""E":"soon""#), &["reject integer depth BTCUSDT book"]);
}

#[test]
fn rules_follow_channel_and_market() {
    let spot_rule = Some(Rule::new(Chain::Range, Bridge::Rest));
    let futures_rule = Some(Rule::new(Chain::Rising, Bridge::Rest));
    assert_eq!(BinanceSpot.rule("depth"), spot_rule);
    assert_eq!(BinanceUsdm.rule("depth"), futures_rule);
    assert_eq!(BinanceUsdm.rule("rpiDepth"), futures_rule);
    let image = Some(Rule::new(Chain::Image, Bridge::InStream).depth(Some(20)));
    assert_eq!(BinanceCoinm.rule("depth20"), image);
    for channel in ["bookTicker", "depthSnapshot", "depth+5", ""] {
        assert_eq!(BinanceSpot.rule(channel), None, "{channel}");
    }
    assert_eq!(BinanceCoinm.market(""), Market::Inverse);
    assert!(BinanceSpot.trusts_unwrapped() && !BinanceUsdm.trusts_unwrapped());
}
