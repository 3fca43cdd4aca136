//! Messages of every shape shown and what becomes of them. The payloads are invented.

use super::{BookMode, Flavour, Relay, Scope, SnapshotForm, SubscribeForm};
use crate::live::{Lost, Wiring};
use crate::seen::{lines, rest};
use crate::venue::{Claim, HttpAnswer, Market, Origin, RestVerdict, Topic, Venue};
use gapless_book::sequence::{Bridge, Chain, Rule};

fn relay() -> Relay {
    Relay::default()
}

#[track_caller]
fn told(frame: &str, expected: &[&str]) {
    assert_eq!(lines(&relay(), "", frame), expected, "{frame}");
}

#[test]
fn trades_are_read_flat_and_under_data() {
    told(
        r#"{"type":"trade","symbol":"binance:btcusdt","price":91230.1,"volume":0.004,"seqNum":12}"#,
        &["trade <binance> trades btcusdt # 0.004@91230.1 Unknown seq=12"],
    );
    told(
        r#"{"type":"trade","data":{"symbol":"BTCUSDT","exchange":"binance","price":"91230.1",
            "size":0.004,"side":"BUY","timestamp":1763600000123,"anomaly_score":0.12}}"#,
        &["trade <binance> trades BTCUSDT t1763600000123000000 Milli \
           # 0.004@91230.1 Buy score=0.12"],
    );
    told(r#"{"type":"trade","symbol":"A","price":1,"size":0}"#, &["trade trades A # 0@1 Unknown"]);
    told(
        r#"{"type":"trades","exchange":"okx","data":[{"symbol":"A","price":1,"qty":2,"id":7},
            {"symbol":"B","price":1},{"symbol":"C","price":3,"amount":4,"side":"sell"}]}"#,
        &[
            "trade <okx> trades A #7 2@1 Unknown",
            "reject missing_field trades B",
            "trade <okx> trades C # 4@3 Sell",
        ],
    );
}

#[test]
fn a_prefix_of_a_symbol_is_an_exchange_if_it_is_written_like_one() {
    for (symbol, expected) in [
        ("binance-us:A", "<binance-us> trades A"),
        ("x_y:A", "<x_y> trades A"),
        (":A", "trades :A"),
        ("OKX:A", "trades OKX:A"),
        ("x1:A", "trades x1:A"),
    ] {
        let frame = format!(r#"{{"type":"trade","symbol":"{symbol}","price":1,"size":2}}"#);
        told(&frame, &[&format!("trade {expected} # 2@1 Unknown")]);
    }
}

#[test]
fn every_way_to_write_levels_and_sizes_gives_the_same_book() {
    for level in [
        "[91230.1,0.52]",
        r#"["91230.10","0.52"]"#,
        "[91230.1,0.52,7]",
        r#"{"price":"91230.1","quantity":"0.52"}"#,
        r#"{"price":91230.1,"amount":0.52}"#,
        r#"{"price":91230.1,"size":0.52}"#,
        r#"{"price":91230.1,"volume":0.52}"#,
        r#"{"price":91230.1,"qty":0.52}"#,
    ] {
        let frame =
            format!(r#"{{"type":"delta","symbol":"BTCUSDT","bids":[{level}],"asks":[],"seq":9}}"#);
        told(&frame, &["delta book BTCUSDT last=9 bids[0.52@91230.1] asks[]"]);
    }
}

#[test]
fn typed_and_untyped_books_are_told_apart() {
    told(
        r#"{"type":"orderbook","data":{"symbol":"A","bids":[[1,2]],"asks":[]}}"#,
        &["top orderbook A bids[2@1] asks[]"],
    );
    told(
        r#"{"type":"book_depth","symbol":"okx:a","bids":[],"asks":[[1,2]],"seqNum":3}"#,
        &["top <okx> book_depth a last=3 bids[] asks[2@1]"],
    );
    told(
        r#"{"type":"snapshot","symbol":"A","bids":[[1,2]],"asks":[],"sequence":0}"#,
        &["snapshot book A last=0 bids[2@1] asks[]"],
    );
    told(
        r#"{"symbol":"BTC-PERPETUAL","bids":[{"price":"1","quantity":"0"}],"sequence":8812}"#,
        &["delta book BTC-PERPETUAL last=8812 bids[0@1] asks[]"],
    );
    told(r#"{"symbol":"A","bids":[[1,2]],"asks":[]}"#, &["reject missing_field book A book"]);
}

#[test]
fn what_books_messages_mean_is_a_choice() {
    let flavour = Flavour { book_mode: BookMode::Delta, ..Flavour::default() };
    let frame = r#"{"type":"orderbook","symbol":"A","bids":[[1,2]],"asks":[],"seq":4}"#;
    let expected = ["delta book A last=4 bids[2@1] asks[]"];
    assert_eq!(lines(&Relay { flavour }, "", frame), expected);
}

#[test]
fn a_count_over_all_channels_tells_the_others_of_every_number() {
    let flavour = Flavour { scope: Scope::Symbol, ..Flavour::default() };
    let frame = r#"{"type":"trade","symbol":"A","exchange":"x","price":1,"size":2,"seqNum":7}"#;
    let number = |channel, n| format!("delta <x> {channel} A number_only last={n} bids[] asks[]");
    let relay = Relay { flavour };
    let trade = "trade <x> trades A # 2@1 Unknown seq=7".to_owned();
    assert_eq!(lines(&relay, "", frame), [trade, number("trades", 7)]);
    let timed = frame.replace(r#""seqNum""#, r#""timestamp":1763600000123,"seqNum""#);
    let told = lines(&relay, "", &timed);
    assert!(told[0].contains(" t1763600000123000000 "), "{told:?}");
    assert_eq!(told[1], number("trades", 7), "a number alone has no time");
    let image = r#"{"type":"book_depth","symbol":"x:A","bids":[[1,2]],"asks":[],"seqNum":8}"#;
    let told = "top <x> book_depth A last=8 bids[2@1] asks[]".to_owned();
    assert_eq!(lines(&relay, "", image), [told.clone(), number("book_depth", 8)]);
    let url = "https://relay.example/v1/orderbook/A?depth=100";
    assert_eq!(rest(&relay, url, image).len(), 1, "an answer takes no number");
    assert_eq!(lines(&relay, "", &image.replace(r#","seqNum":8"#, "")).len(), 1);
    let nameless = r#"{"type":"trade","price":1,"size":2,"seqNum":7}"#;
    assert_eq!(lines(&relay, "", nameless), ["trade trades  # 2@1 Unknown seq=7"]);
}

#[test]
fn a_socket_per_topic_names_the_symbol_in_its_url() {
    let url = "wss://relay.example/v1/ws/orderbook/BTC%2FUSD?x=1";
    let frame = r#"{"type":"snapshot","bids":[[1,2]],"asks":[]}"#;
    let expected = ["snapshot book BTC/USD bids[2@1] asks[]"];
    assert_eq!(lines(&relay(), url, frame), expected);
    told(frame, &["reject missing_field book  book"]);
    for word in ["snapshot", "delta"] {
        let url = format!("wss://relay.example/v1/ws/{word}/A");
        let frame = r#"{"bids":[[1,2]],"asks":[]}"#;
        assert_eq!(lines(&relay(), &url, frame), ["reject missing_field book A book"], "{word}");
    }
}

#[test]
fn liquidations_and_funding_keep_what_they_say() {
    told(
        r#"{"type":"liquidation","data":{"symbol":"A","exchange":"bybit","side":"sell",
            "price":90611.2,"size":1.2,"size_usd":108733.4}}"#,
        &["liquidation <bybit> liquidations A # 1.2@90611.2 Sell usd=108733.4 raw=sell"],
    );
    told(
        r#"{"type":"funding","symbol":"A","rate":1,"timestamp":"2026-11-20T20:40:31.123Z"}"#,
        &["derivative funding A t1795207231123000000 Milli rate=1"],
    );
    told(
        r#"{"type":"funding","data":{"symbol":"A","exchange":"binance","rate":-0.0001}}"#,
        &["derivative <binance> funding A rate=-0.0001"],
    );
}

#[test]
fn a_notice_of_a_gap_is_kept_whole() {
    let notice = r#"{"type":"gap_detected","missing_range":[3,17],"start":3,"end":17}"#;
    told(notice, &[&format!("gap_notice   {notice}")]);
}

#[test]
fn errors_carry_a_believable_wait() {
    told(r#"{"error":"Invalid API key"}"#, &["error   id=  Invalid API key"]);
    for (wait, expected) in [
        ("5", "5"),
        ("2.5", "2.5"),
        ("\"7\"", "7"),
        ("-1", "0"),
        ("99999", "3600"),
        ("9e18", "3600"),
    ] {
        let frame = format!(r#"{{"error":"Rate limit exceeded","retry_after":{wait}}}"#);
        told(&frame, &[&format!("error   id=  Rate limit exceeded retry={expected}")]);
    }
    let frame = r#"{"error":"busy","retry_after":"soon"}"#;
    told(frame, &["error   id=  busy"]);
}

#[test]
fn acks_heartbeats_and_unknown_kinds() {
    told(r#"{"success":true,"stream_id":"ls_8","id":1}"#, &["ack   id=1"]);
    told(r#"{"success":false,"message":"no"}"#, &["error   id=  no"]);
    told(r#"{"type":"ping"}"#, &["heartbeat   None"]);
    told(r#"{"type":"news","symbol":"A"}"#, &["other news A"]);
    told("1", &["other"]);
    told("[]", &[]);
}

#[test]
fn real_tardis_messages_are_read_as_such() {
    told(
        r#"{"type":"book_change","symbol":"A","exchange":"okex","isSnapshot":true,
            "bids":[{"price":1,"amount":2}],"asks":[]}"#,
        &["snapshot <okex> book_change A bids[2@1] asks[]"],
    );
    let frame = br#"[{"type":"book_change","symbol":"A","exchange":"okex","isSnapshot":true,
        "bids":[{"price":1,"amount":2}],"asks":[]}]"#;
    let seen = crate::seen::seen(&relay(), Origin::Socket { url: "" }, frame);
    assert_eq!((seen.lines.len(), seen.marked.len()), (1, 0), "part of a frame teaches nothing");
}

#[test]
fn rest_bodies_are_read_by_their_path() {
    let base = "https://relay.example/v1";
    let told = |path: &str, body: &str| rest(&relay(), &format!("{base}{path}"), body);
    let book = r#"{"bids":[{"price":1,"quantity":2}],"asks":[]}"#;
    let by_query = "?exchange=binance&symbol=BTC-PERPETUAL";
    let expected = ["snapshot <binance> book BTC-PERPETUAL rest bids[2@1] asks[]"];
    assert_eq!(told(&format!("/orderbook/snapshot{by_query}"), book), expected);
    assert_eq!(told(&format!("/tardis/orderbook{by_query}"), book), expected);
    let expected = ["snapshot book BTCUSDT rest limit=100 bids[2@1] asks[]"];
    assert_eq!(told("/orderbook/BTCUSDT?depth=100", book), expected);
    let deltas = r#"[{"symbol":"A","bids":[[1,0]],"asks":[],"sequence":5},{"symbol":"A"}]"#;
    let expected =
        ["delta <x> book A rest last=5 bids[0@1] asks[]", "reject missing_field book A book"];
    assert_eq!(told("/orderbook/delta?exchange=x&since=4", deltas), expected);
    let trade = r#"{"price":1,"quantity":2,"side":"buy","timestamp":1763600000}"#;
    let line = "trade trades A t1763600000000000000 Second rest # 2@1 Buy";
    assert_eq!(told("/trades?symbol=A", &format!("[{trade}]")), [line]);
    assert_eq!(told("/trades/A?limit=1", &format!(r#"{{"trades":[{trade}]}}"#)), [line]);
    let history = r#"{"data":[{"timestamp":1,"price":1,"side":"buy","size":2,"exchange":"x"}]}"#;
    let expected = ["liquidation <x> liquidations A t1000000000 Second rest # 2@1 Buy raw=buy"];
    assert_eq!(told("/v2/liquidations/history?symbol=A", history), expected);
    assert_eq!(told("/funding/A", r#"{"rate":1}"#), ["derivative funding A rest rate=1"]);
    let unnumbered = r#"{"bids":[[1,0]],"asks":[]}"#;
    let expected = ["delta book A rest bids[0@1] asks[]"];
    assert_eq!(told("/orderbook/delta?symbol=A", unnumbered), expected);
    assert_eq!(told("/health", "{}"), ["other   rest"]);
    let edits = |path: &str| relay().rest_edits(&format!("{base}{path}"));
    assert!(edits("/orderbook/delta?exchange=x") && !edits("/orderbook/snapshot?exchange=x"));
}

#[test]
fn what_is_told_again_is_marked() {
    let relay = Relay { flavour: Flavour::REPLAYED };
    let frame = r#"{"type":"trade","symbol":"A","price":1,"size":2}"#;
    let told = |path: &str| rest(&relay, &format!("https://relay.example/v1{path}"), frame);
    assert_eq!(told("/replay"), ["trade trades A rest repeated # 2@1 Unknown"]);
    assert_eq!(told("/trades"), ["trade trades A rest # 2@1 Unknown"]);
}

#[test]
fn malformed_messages_say_what_they_would_have_been() {
    for (frame, expected) in [
        (r#"{"type":"delta","symbol":"A","bids":[[1]],"seq":1}"#, "reject level book A book"),
        (r#"{"type":"delta","symbol":"A","seq":1}"#, "reject missing_field book A book"),
        (r#"{"type":"orderbook","symbol":"A","bids":[]}"#, "reject missing_field orderbook A book"),
        (r#"{"type":"delta","symbol":"A","bids":[],"seq":1,"seqNum":2}"#, DUPLICATE),
        (r#"{"type":"trade","symbol":"A","price":1,"size":-1}"#, "reject negative_size trades A"),
        (r#"{"type":7,"bids":[]}"#, "reject wrong_type book  book"),
        (r#"{"type":"del"#, "reject truncated   book"),
    ] {
        told(frame, &[expected]);
    }
}

const DUPLICATE: &str = "reject duplicate_field book A book";

fn topic<'a>(channel: &'a str, symbol: &'a str) -> Topic<'a> {
    Topic { channel, symbol }
}

#[test]
fn every_flavour_subscribes_in_its_form() {
    let topics = [topic("trades", "binance:BTCUSDT"), topic("trades", "okx:BTCUSDT")];
    let of = |flavour: Flavour| Relay { flavour }.subscribe(&topics, 1);
    assert_eq!(
        of(Flavour::PREFIXED),
        [
            r#"{"type":"subscribe","channels":["trades"],"symbols":["binance:btcusdt","okx:btcusdt"]}"#
        ],
    );
    assert_eq!(
        of(Flavour::SCORED),
        [r#"{"subscribe":["trades"],"exchanges":["binance","okx"],"symbols":["BTCUSDT"]}"#],
    );
    let bare = Flavour { subscribe: SubscribeForm::Bare, ..Flavour::default() };
    assert_eq!(of(bare.clone()), [r#"{"subscribe":["trades"]}"#]);
    assert!(Relay { flavour: bare }.subscribe(&[], 1).is_empty());
    assert!(of(Flavour::PER_TOPIC).is_empty() && of(Flavour::REPLAYED).is_empty());
    let posts = Relay { flavour: Flavour::REPLAYED }.post_subscribe(&topics[..1], 4);
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].path, "/ws/subscribe");
    let wired = Relay { flavour: Flavour::REPLAYED };
    let wired = Wiring::post_subscribe(&wired, &topics[..1], 4);
    assert_eq!(wired, [(posts[0].path.clone(), posts[0].body.clone())]);
    assert_eq!(
        posts[0].body,
        concat!(
            r#"{"method":"subscribe","params":{"exchanges":["binance"],"channel":"trades","#,
            r#""symbol":"BTCUSDT","include_raw_timestamp":true},"id":4}"#
        ),
    );
    assert!(relay().unsubscribe(&topics, 1).is_empty());
}

#[test]
fn a_flavour_of_a_socket_per_topic_opens_them() {
    let topics = [topic("orderbook", "okx:BTC/USD"), topic("trades", "A")];
    let of = |flavour: Flavour| -> Vec<(String, usize)> {
        let sockets = Relay { flavour }.sockets(Market::Unknown, &topics).into_iter();
        sockets.map(|socket| (socket.path, socket.topics.len())).collect()
    };
    let each = [("/orderbook/BTC%2FUSD".to_owned(), 1), ("/trades/A".to_owned(), 1)];
    assert_eq!(of(Flavour::PER_TOPIC), each);
    assert_eq!(of(Flavour::PREFIXED), [(String::new(), 2)]);
}

#[test]
fn what_is_polled_is_asked_for_from_the_last_number_on() {
    let relay = Relay { flavour: Flavour::POLLED };
    let poll = |channel, since| relay.poll(&topic(channel, "okx:A/B"), since);
    let query = "?exchange=okx&symbol=A%2FB";
    for (channel, since, path) in [
        ("book", None, Some(format!("/orderbook/snapshot{query}"))),
        ("book", Some(7), Some(format!("/orderbook/delta{query}&since=7"))),
        ("trades", None, Some(format!("/trades{query}"))),
        ("trades", Some(7), Some(format!("/trades{query}&since=7"))),
        ("funding", None, None),
    ] {
        assert_eq!(poll(channel, since), path, "{channel} {since:?}");
    }
}

#[test]
fn a_book_is_brought_by_the_topics_that_speak_of_it() {
    let polled = Relay { flavour: Flavour::POLLED };
    let pushed = Relay { flavour: Flavour::PREFIXED };
    assert_eq!(polled.book_of(&topic("book", "okx:A")), Some(("okx", "book", "A")));
    assert_eq!(polled.book_of(&topic("trades", "okx:A")), None);
    assert_eq!(pushed.book_of(&topic("book", "okx:A")), None);
    assert_eq!(pushed.book_channel("book"), None);
    let book = ("okx", "book", "A");
    for (channel, symbol, book, brings) in [
        ("book", "okx:A", book, true),
        ("book", "okx:a", book, true),
        ("book", "A", book, true),
        ("book", "okx:A", ("", "book", "A"), true),
        ("orderbook", "okx:A", book, true),
        ("book_depth_20", "okx:A", ("okx", "book_depth", "A"), true),
        ("x_book_depth", "okx:A", ("okx", "book_depth", "A"), false),
        ("trades", "okx:A", book, false),
        ("book", "okx:B", book, false),
        ("book", "bybit:A", book, false),
    ] {
        assert_eq!(pushed.brings(&topic(channel, symbol), book), brings, "{channel} {symbol}");
    }
}

#[test]
fn the_key_goes_where_the_flavour_wants_it() {
    let book = topic("orderbook", "BTC/USD");
    let query = Relay { flavour: Flavour::PREFIXED }.socket("hs&1", &book);
    assert_eq!(query.url, "wss://relay.holysheep.ai/ws?key=hs%261");
    assert_eq!(query.authorization, None);
    let bearer = Relay { flavour: Flavour::PER_TOPIC }.socket("k", &book);
    assert_eq!(bearer.url, "wss://stream.holysheep.ai/v1/ws/orderbook/BTC%2FUSD");
    assert_eq!(bearer.authorization.as_deref(), Some("Bearer k"));
    let http = Relay { flavour: Flavour::PREFIXED }.http("k", "/symbols?a=1");
    assert_eq!(http.url, "https://api.holysheep.ai/v1/symbols?a=1&key=k");
}

#[test]
fn snapshots_are_asked_for_where_the_flavour_has_them() {
    let of = |flavour: Flavour| {
        Relay { flavour }.snapshot_request("book", "okx:BTC-USD", Market::Unknown)
    };
    let query = "?exchange=okx&symbol=BTC-USD";
    assert_eq!(of(Flavour::POLLED), Some(format!("/orderbook/snapshot{query}")));
    assert_eq!(of(Flavour::SCORED), Some(format!("/tardis/orderbook{query}")));
    assert_eq!(of(Flavour::PER_TOPIC).as_deref(), Some("/orderbook/BTC-USD?depth=100"));
    assert_eq!(of(Flavour::PREFIXED), None);
    let whole = Relay { flavour: Flavour::PER_TOPIC };
    let path = whole.snapshot_request("book", ":A", Market::Unknown);
    assert_eq!(path.as_deref(), Some("/orderbook/%3AA?depth=100"), "no exchange is no prefix");
    assert_eq!(relay().snapshot_request("orderbook", "A", Market::Unknown), None);
    assert_eq!(Flavour::named("prefixed").map(|f| f.snapshot), Some(SnapshotForm::None));
    assert_eq!(Flavour::named("x"), None);
}

#[test]
fn what_was_lost_is_asked_for_in_the_notices_own_words() {
    let relay = Relay { flavour: Flavour::REPLAYED };
    let notice = r#"{"type":"gap_detected","start":"2026-01-01T00:00:00Z","end":17.50}"#;
    let post = relay.repeat_notice(notice, None).unwrap();
    assert_eq!(post.path, "/replay");
    assert_eq!(post.body, r#"{"start":"2026-01-01T00:00:00Z","end":17.50}"#);
    assert_eq!(relay.repeat(Lost::Notice(notice), None), Some((post.path, post.body)));
    let range = ("/replay".to_owned(), r#"{"start":7,"end":8}"#.to_owned());
    assert_eq!(relay.repeat(Lost::Range(7, 8), None), Some(range));
    let flavour = Flavour { replay_names_book: true, ..Flavour::REPLAYED };
    let post = Relay { flavour }.repeat_range(7, 8, Some(&topic("book", "x:\"A"))).unwrap();
    let expected = r#"{"start":7,"end":8,"exchange":"x","symbol":"\"A","channel":"book"}"#;
    assert_eq!(post.body, expected);
    let flavour = Flavour { replay_names_book: true, ..Flavour::REPLAYED };
    let post = Relay { flavour }.repeat_range(7, 8, Some(&topic("book", "x:A B\n"))).unwrap();
    assert!(post.body.contains(r#""symbol":"A B\u000a""#), "{}", post.body);
    assert_eq!(relay.repeat_notice(r#"{"type":"gap_detected"}"#, None), None);
    assert_eq!(Relay { flavour: Flavour::POLLED }.repeat_range(1, 2, None), None);
}

#[test]
fn answers_say_how_long_to_wait_and_when_to_give_up() {
    let of = |status, header: &str, body: &str| {
        let headers = [("Retry-After", header)];
        let body = body.as_bytes();
        relay().rest_verdict(&HttpAnswer { status, headers: &headers, body, now_ms: 0 })
    };
    let retry = |wait_ms| RestVerdict::Retry { wait_ms };
    let limited = r#"{"error":"Rate limit exceeded","retry_after":5}"#;
    assert_eq!(of(429, "3", limited), retry(5_000));
    assert_eq!(of(429, "8", limited), retry(8_000));
    assert_eq!(of(429, "", ""), retry(1_000));
    assert_eq!(of(429, "99999", ""), retry(3_600_000));
    assert_eq!(of(429, "-5", "{}"), retry(1_000));
    assert_eq!(of(429, "1.5", ""), retry(1_500));
    assert_eq!(of(429, "1e-60", ""), retry(1_000));
    assert_eq!(of(200, "", limited), retry(5_000));
    assert_eq!(of(200, "", r#"{"error":"no"}"#), RestVerdict::Unclear);
    assert_eq!(of(200, "", "{}"), RestVerdict::Ok);
    assert_eq!(of(401, "", r#"{"error":"Invalid API key"}"#), RestVerdict::Auth);
    assert_eq!(of(503, "", ""), retry(1_000));
    assert_eq!(of(404, "", "<html>"), retry(1_000));
    assert_eq!(of(404, "", r#"{"error":"Symbol not found"}"#), RestVerdict::Refused);
}

#[test]
fn rules_follow_the_channel() {
    let loose = Some(Rule::new(Chain::Loose, Bridge::Either));
    assert_eq!(relay().rule("book"), loose);
    let image = Some(Rule::new(Chain::ImageCounted, Bridge::InStream));
    assert_eq!(relay().rule("book_depth"), image);
    let unnumbered = Some(Rule::new(Chain::Unnumbered, Bridge::InStream));
    assert_eq!(relay().rule("book_change"), unnumbered);
    assert_eq!(relay().rule("trades"), None);
}

#[test]
fn its_notices_prove_it_and_its_types_suggest_it() {
    let of = |frame: &str| relay().claims("", frame.as_bytes());
    assert_eq!(of(r#"{"type":"gap_detected"}"#), Claim::Sure);
    assert_eq!(of(r#"{"type":"delta"}"#), Claim::Maybe);
    assert_eq!(of(r#"{"topic":"a","type":"x"}"#), Claim::No);
    assert_eq!(relay().claims("wss://relay.holysheep.ai/ws", b""), Claim::Sure);
}

#[test]
fn urls_and_requests_tell_what_they_subscribe() {
    let of = |text: &str| {
        let mut topics = Vec::new();
        relay().subscribed(text, &mut |t| topics.push(format!("{} {}", t.channel, t.symbol)));
        topics
    };
    assert_eq!(of("wss://relay.example/v1/ws/trades/BTCUSDT"), ["trades BTCUSDT"]);
    let request = r#"{"type":"subscribe","channels":["a","b"],"symbols":["x:c"]}"#;
    assert_eq!(of(request), ["a x:c", "b x:c"]);
    for nothing in ["wss://relay.example/ws?key=K", "wss://relay.example/ws/trades/"] {
        assert!(of(nothing).is_empty(), "{nothing}");
    }
}
