//! Every venue's own ways, without sockets: hosts, requests, answers, heartbeats, resyncs.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::source::Secret;
use gapless_feed::{SourceConfig, TopicConfig, Why};
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::session::REJECTS_MAX;
use gapless_venues::venue::Market;
use rig::{MS, Rig, S, source};

fn bybit(kind: &str, u: i64) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1763600000300,"data":{{"s":"BTCUSDT","b":[["10","1"]],"a":[["11","1"]],"u":{u},"seq":{u}}},"cts":1763600000297}}"#
    )
}

#[test]
fn a_gap_in_a_stream_with_its_own_snapshots_is_a_new_subscription() {
    let config = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
    let mut rig = Rig::new(SourceConfig { market: Market::Spot, ..config });
    let conn = rig.connect();
    assert_eq!(rig.urls, ["wss://stream.bybit.com/v5/public/spot"]);
    rig.frame(conn, r#"{"success":true,"ret_msg":"subscribe","req_id":"1","op":"subscribe"}"#);
    rig.frame(conn, &bybit("snapshot", 10));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    rig.frame(conn, &bybit("delta", 12));
    assert_eq!(rig.state("BTCUSDT").1, Reason::Gap);
    let topics = r#""args":["orderbook.50.BTCUSDT"]}"#;
    let requests = [
        format!(r#"{{"req_id":"1","op":"subscribe",{topics}"#),
        format!(r#"{{"req_id":"2","op":"unsubscribe",{topics}"#),
        format!(r#"{{"req_id":"3","op":"subscribe",{topics}"#),
    ];
    assert_eq!(rig.sent, requests);
    rig.frame(conn, &bybit("snapshot", 20));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    // Without data the venue's own ping goes out after 20 s.
    for _ in 0..19 {
        rig.run(S);
        rig.frame(conn, &bybit("snapshot", 20));
    }
    assert!(!rig.sent.iter().any(|text| text.contains("ping")));
}

#[test]
fn c61_a_notice_that_the_connection_closes_soon_opens_its_replacement() {
    let mut rig = Rig::new(source(VenueId::Okx, "books", &["BTC-USDT"]));
    let old = rig.connect();
    assert_eq!(rig.urls, ["wss://ws.okx.com/ws/v5/public"]);
    rig.frame(old, r#"{"event":"channel-conn-count","channel":"books","connCount":"2"}"#);
    rig.frame(old, "pong");
    assert_eq!(rig.urls.len(), 1);
    rig.frame(old, r#"{"event":"notice","code":"64008","msg":"closed soon","connId":"a"}"#);
    rig.run(100 * MS);
    assert_eq!((rig.urls.len(), rig.closed.len()), (2, 0));
}

fn deribit(symbol: &str, kind: &str, ids: &str) -> String {
    let head = format!(
        r#""type":"{kind}","timestamp":1763600000123,"instrument_name":"{symbol}",{ids},"bids":[],"asks":[]"#
    );
    format!(
        r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{symbol}.100ms","data":{{{head}}}}}}}"#
    )
}

#[test]
fn c70_a_test_request_is_answered_before_what_waits() {
    let symbols = ["BTC-1", "BTC-2", "BTC-3", "BTC-4"];
    let mut rig = Rig::new(source(VenueId::Deribit, "book.100ms", &symbols));
    let conn = rig.connect();
    assert!(rig.sent[0].contains("public/set_heartbeat"), "{}", rig.sent[0]);
    // Each loss is two requests, and three requests a second may be made.
    for symbol in symbols {
        rig.frame(conn, &deribit(symbol, "snapshot", r#""change_id":1"#));
        rig.frame(conn, &deribit(symbol, "change", r#""prev_change_id":5,"change_id":6"#));
        assert_eq!(rig.state(symbol).1, Reason::Gap);
    }
    let before = rig.sent.len();
    rig.frame(conn, r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#);
    assert_eq!(rig.sent.len(), before + 1);
    assert!(rig.sent[before].contains("public/test"), "{}", rig.sent[before]);
    rig.run(5 * S);
    let waited = rig.sent[before + 1..].iter().filter(|text| text.contains("subscribe")).count();
    assert!(waited >= 4, "only {waited} requests waited");
}

#[test]
fn too_many_requests_are_made_again_and_no_topic_is_lost_for_it() {
    let mut rig = Rig::new(source(VenueId::Deribit, "book.100ms", &["BTC-PERPETUAL"]));
    let conn = rig.connect();
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests"}}"#;
    rig.frame(conn, error);
    rig.run(2 * S);
    let asked = rig.sent.iter().filter(|text| text.contains("public/subscribe")).count();
    assert_eq!(asked, 2);
    assert_eq!(rig.state("BTC-PERPETUAL").0, State::Syncing);
}

fn relay(flavour: Flavour, channel: &str, symbol: &str) -> SourceConfig {
    let config = source(VenueId::Relay, channel, &[symbol]);
    SourceConfig { flavour, key: Some(Secret::new(" hs_test_1\n")), ..config }
}

#[test]
fn c86_the_key_goes_where_the_flavour_wants_it_and_is_shown_nowhere() {
    let rig = Rig::new(relay(Flavour::PREFIXED, "book_depth_20", "binance:btcusdt"));
    assert_eq!(rig.urls, ["wss://relay.holysheep.ai/ws?key=hs_test_1"]);
    let rig = Rig::new(relay(Flavour::SCORED, "orderbook", "binance:BTCUSDT"));
    assert_eq!(rig.urls, ["wss://stream.holysheep.ai/v1/tardis/stream"]);
    assert_eq!(rig.headers, [("Authorization".to_owned(), "Bearer hs_test_1".to_owned())]);
    assert!(!format!("{:?}{:?}", rig.commands, rig.feed).contains("hs_test_1"));
}

#[test]
fn both_forms_of_subscribing_are_spoken() {
    let mut rig = Rig::new(relay(Flavour::PREFIXED, "book_depth_20", "binance:btcusdt"));
    rig.connect();
    let form = r#"{"type":"subscribe","channels":["book_depth_20"],"symbols":["binance:btcusdt"]}"#;
    assert_eq!(rig.sent, [form]);
    let mut rig = Rig::new(relay(Flavour::SCORED, "orderbook", "binance:BTCUSDT"));
    rig.connect();
    let form = r#"{"subscribe":["orderbook"],"exchanges":["binance"],"symbols":["BTCUSDT"]}"#;
    assert_eq!(rig.sent, [form]);
}

#[test]
fn c82_c84_what_was_lost_is_asked_for_again_as_it_was_named() {
    let flavour = Flavour { replay_names_book: true, ..Flavour::REPLAYED };
    let mut rig = Rig::new(relay(flavour, "orderbook", "binance:BTCUSDT"));
    let conn = rig.connect();
    let subscribed = rig.posts().remove(0);
    assert!(subscribed.0.contains("/ws/subscribe?key=") || subscribed.0.ends_with("/ws/subscribe"));
    assert!(subscribed.1.contains(r#""symbol":"BTCUSDT""#), "{subscribed:?}");
    rig.answer(200, &[], r#"{"success":true,"stream_id":"ls_8x92m"}"#);
    let book = |kind: &str, seq: i64| {
        format!(
            r#"{{"type":"{kind}","exchange":"binance","symbol":"BTCUSDT","bids":[[10,{seq}]],"asks":[[11,1]],"seqNum":{seq}}}"#
        )
    };
    rig.frame(conn, &book("snapshot", 5));
    rig.frame(conn, &book("delta", 6));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    rig.frame(conn, &book("delta", 9));
    assert_eq!(rig.state("BTCUSDT").1, Reason::Gap);
    let posts = rig.posts();
    let (url, body) = &posts[posts.len() - 1];
    // The word that was subscribed, not our own name of the books that it brings.
    let names = r#""exchange":"binance","symbol":"BTCUSDT","channel":"orderbook""#;
    assert!(url.ends_with("/v1/replay"), "{url}");
    assert_eq!(*body, format!(r#"{{"start":7,"end":8,{names}}}"#));
    assert!(rig.fetch_urls().iter().any(|url| url.contains("/orderbook/")), "or the whole book");
    let notice = r#"{"type":"gap_detected","missing_range":[1,2],"start":11,"end":17}"#;
    rig.frame(conn, notice);
    rig.run(S);
    let asked = |rig: &Rig| rig.posts().split_off(posts.len());
    let bodies = asked(&rig).into_iter().map(|(_, body)| body).collect::<Vec<_>>();
    assert_eq!(bodies, [format!(r#"{{"start":11,"end":17,{names}}}"#)]);
}

#[test]
fn c84_a_notice_is_sent_back_for_every_book_where_the_request_names_one() {
    let notice = r#"{"type":"gap_detected","start":11,"end":"17x"}"#;
    for names in [true, false] {
        let flavour = Flavour { replay_names_book: names, ..Flavour::REPLAYED };
        let mut config = relay(flavour, "book_depth_20", "binance:BTCUSDT");
        config.topics.extend(["trades", "orderbook"].map(|channel| TopicConfig {
            channel: channel.to_owned(),
            symbol: "okx:BTCUSDT".to_owned(),
        }));
        let mut rig = Rig::new(config);
        let conn = rig.connect();
        for exchange in ["binance", "okx"] {
            rig.frame(
                conn,
                &format!(
                    r#"{{"type":"snapshot","exchange":"{exchange}","symbol":"BTCUSDT","bids":[[10,1]],"asks":[[11,1]],"seqNum":10}}"#
                ),
            );
        }
        rig.run(S);
        while !rig.fetch_urls().is_empty() {
            rig.answer(200, &[], r#"{"success":true}"#);
        }
        let before = rig.posts().len();
        rig.frame(conn, notice);
        for _ in 0..3 {
            rig.run(S);
            rig.answer(200, &[], "[]");
        }
        let posts = rig.posts().split_off(before);
        let bodies: Vec<_> = posts.into_iter().map(|(_, body)| body).collect();
        let named = |exchange: &str, channel: &str| {
            format!(
                r#"{{"start":11,"end":"17x","exchange":"{exchange}","symbol":"BTCUSDT","channel":"{channel}"}}"#
            )
        };
        if names {
            assert_eq!(bodies, [named("binance", "book_depth_20"), named("okx", "orderbook")]);
        } else {
            assert_eq!(bodies, [r#"{"start":11,"end":"17x"}"#]);
        }
    }
}

#[test]
fn what_a_relay_repeats_heals_the_book_before_or_after_the_snapshot() {
    let book = |kind: &str, seq: i64| {
        format!(
            r#"{{"type":"{kind}","exchange":"binance","symbol":"BTCUSDT","bids":[[10,{seq}]],"asks":[[11,1]],"seqNum":{seq}}}"#
        )
    };
    for snapshot_first in [true, false] {
        let mut rig = Rig::new(relay(Flavour::REPLAYED, "orderbook", "binance:BTCUSDT"));
        let conn = rig.connect();
        rig.answer(200, &[], r#"{"success":true,"stream_id":"ls_8x92m"}"#);
        rig.frame(conn, &book("snapshot", 6));
        rig.frame(conn, &book("delta", 20));
        assert_eq!(rig.state("BTCUSDT").1, Reason::Gap);
        let asked = rig.fetch_urls();
        let replay = asked.iter().position(|url| url.ends_with("/replay")).unwrap();
        assert_eq!(asked.len(), 2, "{asked:?}");
        let repeated: Vec<_> = (7..20).map(|seq| book("delta", seq)).collect();
        let snapshot = r#"{"exchange":"binance","symbol":"BTCUSDT","bids":[[10,20]],"asks":[[11,1]],"sequence":20}"#;
        let order = if snapshot_first { [1 - replay, replay] } else { [replay, 1 - replay] };
        for at in order {
            let body = if at == replay {
                format!("[{}]", repeated.join(","))
            } else {
                snapshot.to_owned()
            };
            rig.answer_to(&asked[at], &body);
            if at == order[0] && snapshot_first {
                rig.frame(conn, &book("delta", 21));
            }
            assert_eq!(rig.state("BTCUSDT").0, State::Live, "{order:?}");
        }
        assert_eq!(rig.fetch_urls(), [""; 0]);
    }
}

#[test]
fn c85_the_longest_wait_that_is_named_is_waited() {
    let mut rig = Rig::new(relay(Flavour::POLLED, "book", "binance:BTC-PERPETUAL"));
    rig.run(200 * MS);
    assert_eq!(rig.urls, [""; 0], "there is no socket");
    let asked = rig.fetches_made;
    assert_eq!(asked, 1);
    let body = r#"{"error":"Rate limit exceeded","retry_after":5}"#;
    rig.answer(429, &[("Retry-After", "3")], body);
    rig.run(4_900 * MS);
    assert_eq!(rig.fetches_made, asked);
    rig.run(2 * S);
    assert!(rig.fetches_made > asked);
}

#[test]
fn a_polled_book_is_a_snapshot_and_what_came_since() {
    let mut rig = Rig::new(relay(Flavour::POLLED, "book", "binance:BTC-PERPETUAL"));
    rig.run(200 * MS);
    let base = "https://api.holysheep.ai/v1/orderbook";
    let names = "exchange=binance&symbol=BTC-PERPETUAL";
    assert_eq!(rig.fetch_urls(), [format!("{base}/snapshot?{names}")]);
    let levels = r#""bids":[{"price":"10","quantity":"1"}],"asks":[{"price":"11","quantity":"1"}]"#;
    rig.answer(200, &[], &format!("{{{levels},\"sequence\":8812}}"));
    rig.run(S);
    assert_eq!(rig.fetch_urls(), [format!("{base}/delta?{names}&since=8812")]);
    let delta = r#"[{"symbol":"BTC-PERPETUAL","bids":[{"price":"10","quantity":"2"}],"asks":[],"sequence":8813}]"#;
    rig.answer(200, &[], delta);
    assert_eq!(rig.state("BTC-PERPETUAL").0, State::Live);
    rig.run(S);
    assert_eq!(rig.fetch_urls(), [format!("{base}/delta?{names}&since=8813")]);
}

#[test]
fn a_polled_book_without_numbers_is_the_latest_picture() {
    let mut rig = Rig::new(relay(Flavour::POLLED, "book", "binance:BTC-PERPETUAL"));
    for qty in 1..4 {
        rig.run(S);
        rig.answer(200, &[], &format!(r#"{{"bids":[[10,{qty}]],"asks":[[11,1]]}}"#));
        assert_eq!(rig.state("BTC-PERPETUAL").0, State::Live);
        let (_, session) = rig.feed.sessions().next().unwrap();
        let (_, entry) = session.books().iter().next().unwrap();
        assert_eq!(entry.local.last_known().best_bid().unwrap().qty, qty);
    }
}

const IMAGE: &str = r#"{"type":"book_depth","symbol":"binance:btcusdt","bids":[[10,1]],"asks":[[11,1]],"seqNum":1}"#;

#[test]
fn c86_a_refused_key_ends_the_trying_until_there_is_another() {
    let mut rig = Rig::new(relay(Flavour::PREFIXED, "book_depth_20", "binance:btcusdt"));
    let conn = rig.connect();
    rig.frame(conn, IMAGE);
    rig.lose(conn, &Why::Closed(None));
    let conn = rig.attempt();
    assert_eq!(rig.urls, ["wss://relay.holysheep.ai/ws?key=hs_test_1"; 2]);
    rig.lose(conn, &Why::Refused { status: 401, retry_after_s: None });
    let failed = (State::Failed, Reason::Auth);
    rig.run(600 * S);
    assert_eq!((rig.urls.len(), rig.state("btcusdt")), (2, failed));
    assert_eq!(rig.feed.status()[0].phase.name(), "failed");
    rig.set_key("hs_test_2");
    rig.run(S);
    assert_eq!(rig.urls[2..], ["wss://relay.holysheep.ai/ws?key=hs_test_2"]);
    let conn = rig.accept();
    assert_eq!(rig.state("btcusdt").0, State::Syncing);
    rig.frame(conn, r#"{"error":"Invalid API key"}"#);
    rig.run(600 * S);
    assert_eq!((rig.urls.len(), rig.state("btcusdt")), (3, failed));
}

#[test]
fn c87_a_connection_that_broke_is_made_again_after_waits_that_grow() {
    let mut rig = Rig::new(relay(Flavour::PREFIXED, "book_depth_20", "binance:btcusdt"));
    let mut conn = rig.connect();
    // Data that comes ends a run of failures: the second run begins as the first one.
    for run in 0..2 {
        rig.frame(conn, IMAGE);
        assert_eq!(rig.state("btcusdt").0, State::Live);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let lost = rig.now;
            rig.lose(conn, &Why::Closed(Some(1006)));
            assert_eq!((rig.state("btcusdt").1, rig.pending_connects()), (Reason::Disconnected, 0));
            conn = rig.attempt();
            waits.push(rig.now - lost);
        }
        // Any time up to twice the limit of before, as fine as the rig looks.
        for (n, wait) in waits.iter().enumerate() {
            assert!(*wait <= ((250 * MS) << n).min(30 * S) + 10 * MS, "{run}: {waits:?}");
        }
        let [early, late] = [&waits[..3], &waits[6..]].map(|waits| waits.iter().sum::<i64>());
        assert!(early > 50 * MS && late > 10 * S, "{run}: {waits:?}");
        rig.open(conn);
    }
}

#[test]
fn c87_what_is_idle_is_pinged_every_20_to_25_seconds() {
    let mut rig = Rig::new(relay(Flavour::SCORED, "orderbook", "binance:BTCUSDT"));
    let conn = rig.connect();
    let trade = r#"{"type":"trade","data":{"symbol":"A","price":1,"size":1,"side":"buy"}}"#;
    // Data comes, and says nothing of what the other side hears.
    let (mut last, mut pings, mut periods) = (rig.now, rig.pings, Vec::new());
    for _ in 0..90 {
        rig.run(S);
        rig.frame(conn, trade);
        if rig.pings > pings {
            periods.push(rig.now - last);
            (last, pings) = (rig.now, rig.pings);
        }
    }
    assert!(periods.len() >= 3, "{periods:?}");
    assert!(periods.iter().all(|period| (20 * S..=25 * S).contains(period)), "{periods:?}");
}

#[test]
fn c96_binary_frames_are_counted_and_only_a_long_run_of_them_ends_the_connection() {
    let config = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
    let mut rig = Rig::new(SourceConfig { market: Market::Spot, ..config });
    let conn = rig.connect();
    rig.frame(conn, &bybit("snapshot", 10));
    for n in 1..=REJECTS_MAX {
        assert_eq!(rig.closed, [], "{n}");
        rig.binary(conn, &[0x08, 0x96, 0x01, 0xff]);
    }
    assert_eq!(rig.told.rejects, REJECTS_MAX as usize);
    assert_eq!(rig.closed, [conn]);
    let conn = rig.accept();
    rig.frame(conn, &bybit("snapshot", 20));
    rig.binary(conn, &[0xff]);
    // What can be read is read, text or not.
    rig.binary(conn, bybit("delta", 21).as_bytes());
    assert_eq!((rig.state("BTCUSDT").0, rig.pending_connects()), (State::Live, 0));
    assert_eq!(rig.told.binary, REJECTS_MAX as usize + 2);
}

#[test]
fn a_new_key_replaces_connections_without_a_pause() {
    let mut rig = Rig::new(relay(Flavour::PREFIXED, "book_depth_20", "binance:btcusdt"));
    let old = rig.connect();
    let image = |seq: i64| {
        format!(
            r#"{{"type":"book_depth","symbol":"binance:btcusdt","bids":[[10,1]],"asks":[[11,1]],"seqNum":{seq}}}"#
        )
    };
    rig.frame(old, &image(1));
    rig.set_key("hs_test_2");
    let new = rig.accept();
    assert_eq!(rig.closed, []);
    rig.frame(new, &image(2));
    rig.run(200 * MS);
    assert_eq!((rig.moved.len(), &rig.closed[..]), (1, &[old][..]));
}

#[test]
fn what_came_late_after_a_reconnect_is_not_subscribed_twice() {
    let config = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
    let mut rig = Rig::new(SourceConfig { market: Market::Spot, ..config });
    let old = rig.connect();
    rig.frame(old, &bybit("snapshot", 10));
    rig.run(3 * S);
    rig.lose(old, &Why::Closed(None));
    let new = rig.accept();
    rig.run(300 * MS);
    rig.frame(new, &bybit("snapshot", 20));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    rig.run(S);
    assert!(!rig.sent.iter().any(|text| text.contains("unsubscribe")), "{:?}", rig.sent);
}

#[test]
fn a_book_that_is_live_again_is_not_subscribed_anew() {
    let symbols: Vec<String> = (0..600).map(|n| format!("S{n}USDT")).collect();
    let mut symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    symbols.insert(0, "BTCUSDT");
    let config = source(VenueId::Bybit, "orderbook.50", &symbols);
    let mut rig = Rig::new(SourceConfig { market: Market::Spot, ..config });
    let conn = rig.connect();
    rig.frame(conn, &bybit("snapshot", 10));
    rig.frame(conn, &bybit("delta", 12));
    assert_eq!(rig.state("BTCUSDT").1, Reason::Gap);
    let sent = rig.sent.len();
    rig.frame(conn, &bybit("snapshot", 20));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    rig.run(9 * S);
    assert!(rig.sent.len() > sent, "requests waited when it was wanted");
    assert!(!rig.sent.iter().any(|text| text.contains("unsubscribe")));
}

fn tardis(symbol: &str, is_snapshot: bool) -> String {
    format!(
        r#"{{"type":"book_change","symbol":"{symbol}","exchange":"bybit","isSnapshot":{is_snapshot},"bids":[{{"price":10,"amount":1}}],"asks":[{{"price":11,"amount":1}}],"timestamp":"2025-11-20T00:00:00.300Z","localTimestamp":"2025-11-20T00:00:00.301Z"}}"#
    )
}

/// Seconds of a connection and of what replaces it, on all of which one symbol is lively; returns
/// which connections were closed.
fn lively(rig: &mut Rig, mut conn: gapless_feed::ConnId, seconds: u32) {
    for _ in 0..seconds {
        rig.run(S);
        if rig.pending_connects() > 0 {
            let new = rig.accept();
            rig.frame(new, &tardis("BTCUSDT", true));
            rig.run(300 * MS);
            if rig.closed.contains(&conn) {
                conn = new;
            }
        }
        rig.frame(conn, &tardis("BTCUSDT", false));
        assert_eq!(rig.state("BTCUSDT").0, State::Live);
    }
}

#[test]
fn one_dead_symbol_of_a_connection_that_cannot_unsubscribe_costs_no_other() {
    let mut rig =
        Rig::new(source(VenueId::Tardis, "book_change", &["bybit:BTCUSDT", "bybit:DEAD"]));
    let conn = rig.connect();
    for symbol in ["BTCUSDT", "DEAD"] {
        rig.frame(conn, &tardis(symbol, true));
    }
    let ended = r#"{"type":"disconnect","exchange":"bybit","symbols":["DEAD"],"localTimestamp":"2025-11-20T00:00:00.301Z"}"#;
    rig.frame(conn, ended);
    assert_eq!(rig.state("DEAD").1, Reason::Disconnected);
    lively(&mut rig, conn, 3_600);
    assert!(rig.urls.len() <= 8, "{}", rig.urls.len());
}

#[test]
fn a_book_that_was_lost_where_nothing_can_be_unsubscribed_heals_and_costs_no_other() {
    let mut rig =
        Rig::new(source(VenueId::Tardis, "book_change", &["bybit:BTCUSDT", "bybit:ETHUSDT"]));
    let conn = rig.connect();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        rig.frame(conn, &tardis(symbol, true));
    }
    rig.frame(conn, &tardis("ETHUSDT", false).replace("\"amount\":1", "\"amount\":\"x\""));
    assert_eq!(rig.state("ETHUSDT").0, State::Syncing);
    let new = rig.accept();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        rig.frame(new, &tardis(symbol, true));
    }
    assert_eq!(rig.closed, []);
    rig.run(300 * MS);
    assert_eq!(rig.closed, [conn]);
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        assert_eq!(rig.state(symbol).0, State::Live);
    }
}

#[test]
fn a_book_that_is_refused_over_http_is_asked_for_ever_more_rarely() {
    let mut rig = Rig::new(rig::spot(&["BADUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, r#"{"result":null,"id":1}"#);
    rig.frame(conn, &rig::delta("BADUSDT", 95, 101));
    rig.answer(400, &[], r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    for second in 0..7_200 {
        rig.run(S);
        rig.frame(conn, &rig::delta("BADUSDT", 102 + second, 102 + second));
        rig.answer(400, &[], r#"{"code":-1121,"msg":"Invalid symbol."}"#);
        assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
        assert!(second >= 299 || rig.fetches_made == 1, "{second}");
    }
    // After 5, 10, 20, 40 minutes.
    assert_eq!((rig.fetches_made, rig.closed.len()), (5, 0));
    while rig.fetch_urls().is_empty() {
        rig.run(S);
        rig.frame(conn, &rig::delta("BADUSDT", 8_000, 8_000));
    }
    rig.answer(200, &[], &rig::SNAPSHOT.replace("100", "8000"));
    rig.frame(conn, &rig::delta("BADUSDT", 8_001, 8_001));
    assert_eq!(rig.state("BADUSDT").0, State::Live, "it was listed again");
    rig.frame(conn, &rig::delta("BADUSDT", 8_003, 8_003));
    rig.run(3 * S);
    rig.answer(400, &[], r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    let made = rig.fetches_made;
    rig.lose(conn, &Why::Closed(None));
    let conn = rig.accept();
    rig.frame(conn, &rig::delta("BADUSDT", 9_000, 9_000));
    assert_eq!(rig.fetches_made, made + 1, "a new connection may have it");
}

#[test]
fn a_book_whose_key_was_refused_is_asked_for_with_the_next_one() {
    let mut rig = Rig::new(relay(Flavour::REPLAYED, "orderbook", "binance:BTCUSDT"));
    let conn = rig.connect();
    let delta = r#"{"type":"delta","exchange":"binance","symbol":"BTCUSDT","bids":[[10,6]],"asks":[[11,1]],"seqNum":6}"#;
    rig.frame(conn, delta);
    rig.lose(conn, &Why::Closed(None));
    let conn = rig.attempt();
    rig.lose(conn, &Why::Refused { status: 401, retry_after_s: None });
    assert_eq!(rig.state("BTCUSDT"), (State::Failed, Reason::Auth));
    rig.set_key("hs_test_2");
    let conn = rig.accept();
    assert_eq!(rig.state("BTCUSDT").0, State::Syncing);
    rig.frame(conn, delta);
    rig.run(5 * S);
    assert!(
        rig.fetch_urls().iter().any(|url| url.contains("/orderbook/")),
        "{:?}",
        rig.fetch_urls()
    );
}

#[test]
fn a_book_has_its_market_before_it_is_connected() {
    for market in [Market::Spot, Market::Linear] {
        let config = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
        let mut rig = Rig::new(SourceConfig { market, ..config });
        let markets = |rig: &Rig| {
            let (_, session) = rig.feed.sessions().next().unwrap();
            let books: Vec<_> = session.books().iter().map(|(_, book)| book.market).collect();
            (books, session.market_of("BTCUSDT"))
        };
        assert_eq!(markets(&rig), (vec![market], market));
        let conn = rig.connect();
        rig.frame(conn, &bybit("snapshot", 10));
        assert_eq!(markets(&rig), (vec![market], market));
    }
}
