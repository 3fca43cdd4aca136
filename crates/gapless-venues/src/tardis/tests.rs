//! Messages of every type and what becomes of them. The payloads are invented.

use super::Tardis;
use crate::live::Wiring;
use crate::scratch::Scratch;
use crate::seen::line;
use crate::venue::{Claim, Context, HttpAnswer, Market, Origin, RestVerdict, Topic, Venue};
use crate::wire::{EventSink, Reject};
use gapless_book::event::Event;
use gapless_book::sequence::{Bridge, Chain, Rule};

#[derive(Default)]
struct Told(Vec<String>);

impl EventSink for Told {
    fn event(&mut self, event: &Event<'_>) {
        self.0.push(format!("{} recv={}", line(event), event.times.recv_ns));
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        let book = if reject.book { " book" } else { "" };
        let name = reject.error.kind.name();
        self.0.push(format!("reject {name} {}/{}{book}", reject.channel, reject.symbol));
    }
}

#[track_caller]
fn told(frame: &str, expected: &str) {
    let origin = Origin::Socket { url: "" };
    let context = Context { recv_ns: 42, origin, market: Market::Unknown };
    let mut told = Told::default();
    Tardis.parse(&context, frame.as_bytes(), &mut Scratch::new(), &mut told);
    assert_eq!(told.0, [expected], "{frame}");
}

const CHANGE: &str = r#"{"type":"book_change","symbol":"BTCUSDT","exchange":"binance-futures",
    "isSnapshot":false,"bids":[{"price":91228.9,"amount":3.114},{}],
    "asks":[{"price":91229,"amount":0}],"timestamp":"2026-11-20T20:40:31.449Z",
    "localTimestamp":"2026-11-20T20:40:31.452117Z"}"#;

#[test]
fn changes_and_snapshots_of_books_are_told_apart_by_their_flag() {
    let tail = "<binance-futures> book_change BTCUSDT t1795207231449000000 Milli \
                bids[3.114@91228.9] asks[0@91229] recv=1795207231452117000";
    told(CHANGE, &format!("delta {tail}"));
    told(&CHANGE.replace("false", "true"), &format!("snapshot {tail}"));
}

#[test]
fn what_varies_in_a_book_message_is_marked() {
    let origin = Origin::Socket { url: "" };
    let seen = crate::seen::seen(&Tardis, origin, CHANGE.replace("localT", "x").as_bytes());
    let expected = [
        "VenueTime=2026-11-20T20:40:31.449Z",
        r#"Bids=[{"price":91228.9,"amount":3.114},{}]"#,
        r#"Asks=[{"price":91229,"amount":0}]"#,
    ];
    assert_eq!(seen.marked, expected);
}

#[test]
fn an_absent_local_time_leaves_the_containers() {
    let frame = CHANGE.replace("localTimestamp", "x").replace("timestamp", "y");
    let expected = "delta <binance-futures> book_change BTCUSDT \
                    bids[3.114@91228.9] asks[0@91229] recv=42";
    told(&frame, expected);
}

#[test]
fn pictures_are_of_the_channel_that_they_name() {
    let frame = |name: &str| {
        format!(
            r#"{{"type":"book_snapshot","symbol":"BTCUSDT","exchange":"binance","name":"{name}",
    "depth":2,"interval":100,"bids":[{{"price":2,"amount":0.5}},{{}}],"asks":[{{}},{{}}],
    "timestamp":"2026-11-20T20:40:31Z"}}"#
        )
    };
    for name in ["book_snapshot_2_100ms", "quote", "quote_10s"] {
        let expected = format!(
            "top <binance> {name} BTCUSDT t1795207231000000000 Second limit=2 \
             bids[0.5@2] asks[] recv=42"
        );
        told(&frame(name), &expected);
    }
}

#[test]
fn trades_keep_their_id_and_an_unknown_side() {
    let frame = r#"{"type":"trade","symbol":"A","exchange":"deribit","id":"40","price":1.2e-7,
    "amount":50,"side":"sell","timestamp":"1970-01-01T00:00:01.5Z"}"#;
    let expected = "trade <deribit> trade A t1500000000 Milli #40 50@0.00000012 Sell recv=42";
    told(frame, expected);
    let bare =
        r#"{"type":"trade","symbol":"A","exchange":"x","price":1,"amount":2,"side":"unknown"}"#;
    told(bare, "trade <x> trade A # 2@1 Unknown recv=42");
}

#[test]
fn tickers_liquidations_and_best_prices() {
    told(
        r#"{"type":"derivative_ticker","symbol":"S","exchange":"okex-swap","lastPrice":91230.2,
    "openInterest":2651234.5,"fundingRate":-0.0000515,
    "fundingTimestamp":"1970-01-01T00:00:02.000Z","predictedFundingRate":0.00006,
    "indexPrice":91228.4,"markPrice":null}"#,
        "derivative <okex-swap> derivative_ticker S last=91230.2 index=91228.4 oi=2651234.5 \
         rate=-0.0000515 predicted=0.00006 at=2000000000 recv=42",
    );
    told(
        r#"{"type":"liquidation","symbol":"SOLUSDT","exchange":"bybit","price":138.221,
    "amount":12.4,"side":"sell"}"#,
        "liquidation <bybit> liquidation SOLUSDT # 12.4@138.221 Sell raw=sell recv=42",
    );
    told(
        r#"{"type":"liquidation","symbol":"A","exchange":"binance-futures","id":"7","price":1,
    "amount":2,"side":"buy"}"#,
        "liquidation <binance-futures> liquidation A #7 2@1 Buy raw=buy sampled recv=42",
    );
    told(
        r#"{"type":"book_ticker","symbol":"ETHUSDT","exchange":"binance","askAmount":4.1,
    "askPrice":3020.12,"bidAmount":0}"#,
        "bbo <binance> book_ticker ETHUSDT - 4.1@3020.12 recv=42",
    );
    let ticker = |sides: &str| {
        format!(r#"{{"type":"book_ticker","symbol":"S","exchange":"binance"{sides}}}"#)
    };
    told(&ticker(""), "bbo <binance> book_ticker S - - recv=42");
    told(&ticker(r#","bidAmount":1"#), "reject level book_ticker/S");
}

#[test]
fn option_summaries_keep_greeks_beside_the_ticker() {
    told(
        r#"{"type":"option_summary","symbol":"O","exchange":"deribit","optionType":"call",
    "strikePrice":70000,"expirationDate":"2024-06-28T08:00:00.000Z","bestBidPrice":0.035,
    "bestBidAmount":5,"bestBidIV":0.55,"bestAskPrice":0.04,"bestAskAmount":10,"bestAskIV":0.58,
    "lastPrice":0.0375,"openInterest":150,"markPrice":0.0372,"markIV":0.565,"delta":0.25,
    "gamma":0.00002,"vega":45.5,"theta":-15.2,"rho":0.05,"underlyingPrice":63500,
    "underlyingIndex":"BTC-USD"}"#,
        "option_ticker <deribit> option_summary O last=0.0375 mark=0.0372 oi=150 bid=5@0.035 \
         ask=10@0.04 underlying=63500 mark_iv=0.565 bid_iv=0.55 ask_iv=0.58 delta=0.25 \
         gamma=0.00002 vega=45.5 theta=-15.2 rho=0.05 of=BTC-USD recv=42",
    );
}

#[test]
fn a_disconnect_names_symbols_or_means_them_all() {
    told(
        r#"{"type":"disconnect","exchange":"bybit","localTimestamp":"1970-01-01T00:00:01Z",
    "symbols":["A","B"]}"#,
        r#"disconnect <bybit> disconnect  ["A","B"] recv=1000000000"#,
    );
    told(r#"{"type":"disconnect","exchange":"bybit"}"#, "disconnect <bybit> disconnect recv=42");
    let odd = r#"{"type":"disconnect","exchange":"bybit","localTimestamp":"soon","symbol":"A"}"#;
    told(odd, "reject time disconnect/ book");
}

#[test]
fn errors_bars_and_unknown_types_are_counted() {
    told(
        r#"{"type":"error","exchange":"bybit","details":"socket \"x\" lost",
    "subSequentErrorsCount":1}"#,
        r#"error <bybit> error  id=  socket \"x\" lost recv=42"#,
    );
    told(
        r#"{"type":"trade_bar","symbol":"A","exchange":"x","open":1}"#,
        "other <x> trade_bar A recv=42",
    );
    told(r#"{"type":"perpetual","exchange":"x"}"#, "other <x> perpetual recv=42");
    told("{}", "other recv=42");
}

#[test]
fn a_malformed_message_is_refused_whole_and_says_whether_a_book_is_concerned() {
    for (from, to, expected) in [
        (r#",{}]"#, r#",{"price":1}]"#, "reject level book_change/BTCUSDT book"),
        ("3.114", "-1", "reject negative_size book_change/BTCUSDT book"),
        ("false", "0", "reject wrong_type book_change/BTCUSDT book"),
        (r#""isSnapshot":false,"#, "", "reject missing_field book_change/BTCUSDT book"),
        (
            r#""asks":[{"price":91229,"amount":0}],"#,
            "",
            "reject missing_field book_change/BTCUSDT book",
        ),
        ("20:40:31.449Z", "20:40", "reject time book_change/BTCUSDT book"),
        (r#""symbol":"BTCUSDT","#, "", "reject missing_field book_change/ book"),
        (r#""exchange":"binance-futures","#, "", "reject missing_field book_change/BTCUSDT book"),
        (r#""type":"book_change","#, "", "reject missing_field /BTCUSDT book"),
        (r#"book_change"#, "trade", "reject missing_field trade/BTCUSDT"),
    ] {
        let frame = CHANGE.replacen(from, to, 1);
        assert_ne!(frame, CHANGE);
        told(&frame, expected);
    }
    told(CHANGE.get(..100).unwrap(), "reject truncated / book");
    told("[1]", "reject wrong_type / book");
}

#[test]
fn rules_follow_the_channel() {
    let unnumbered = Some(Rule::new(Chain::Unnumbered, Bridge::InStream));
    let image = |depth| Some(Rule::new(Chain::Image, Bridge::InStream).depth(Some(depth)));
    for (channel, rule) in [
        ("book_change", unnumbered),
        ("incremental_book_L2", unnumbered),
        ("book_snapshot_25", image(25)),
        ("book_snapshot_5_grouped10_1s", image(5)),
        ("quote", image(1)),
        ("quote_10s", image(1)),
        ("book_snapshot_x", None),
        ("book_snapshot_0", None),
        ("trade", None),
    ] {
        assert_eq!(Tardis.rule(channel), rule, "{channel}");
    }
}

#[test]
fn exchange_ids_are_ours_where_we_have_the_venue() {
    for (id, venue, market) in [
        ("binance", "binance_spot", Market::Spot),
        ("binance-us", "binance_us", Market::Spot),
        ("binance-futures", "binance_usdm", Market::Linear),
        ("binance-delivery", "binance_coinm", Market::Inverse),
        ("bybit", "bybit", Market::Unknown),
        ("bybit-spot", "bybit", Market::Spot),
        ("bybit-options", "bybit", Market::Option),
        ("okex", "okx", Market::Spot),
        ("okex-futures", "okx", Market::Unknown),
        ("okex-swap", "okx", Market::Unknown),
        ("okex-options", "okx", Market::Option),
        ("deribit", "deribit", Market::Unknown),
    ] {
        assert_eq!(Tardis.venue_of(id), Some((venue, market)), "{id}");
    }
    assert_eq!(Tardis.venue_of("bitmex"), None);
}

#[test]
fn its_messages_are_known_by_type_exchange_and_local_time() {
    assert_eq!(Tardis.claims("", CHANGE.as_bytes()), Claim::Sure);
    assert_eq!(Tardis.claims("ws://host:8001/ws-stream-normalized?options=x", b""), Claim::Sure);
    assert_eq!(Tardis.claims("", br#"{"type":"trade","symbol":"A"}"#), Claim::No);
}

#[test]
fn a_stream_is_asked_for_in_its_url_alone() {
    let topics = [Topic { channel: "book_change", symbol: "bybit:A" }];
    assert!(Tardis.subscribe(&topics, 1).is_empty() && Tardis.unsubscribe(&topics, 1).is_empty());
    assert_eq!(Tardis.snapshot_request("book_change", "A", Market::Unknown), None);
    assert_eq!(Tardis.book_channel("book_change"), None);
    assert_eq!(Tardis.list_path(), Some("/v1/instruments/"));
    assert_eq!(Tardis.read_instruments(b"{}").map(|list| list.refused.len()), Ok(1));
}

#[test]
fn a_bad_key_is_never_tried_again() {
    for (status, verdict) in [
        (200, RestVerdict::Ok),
        (400, RestVerdict::Refused),
        (401, RestVerdict::Auth),
        (404, RestVerdict::Refused),
        (429, RestVerdict::StopAll { wait_ms: 60_000 }),
        (500, RestVerdict::Retry { wait_ms: 2_000 }),
    ] {
        let answer = HttpAnswer { status, ..HttpAnswer::default() };
        assert_eq!(Tardis.rest_verdict(&answer), verdict, "{status}");
    }
}
