//! What must not happen when much goes wrong at once: storms, hot loops, books that lie.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::source::Secret;
use gapless_feed::{Command, LineConfig, SourceConfig, Why};
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::session::LineId;
use rig::{MS, Rig, S, SNAPSHOT, delta, source, spot};

const ACK: &str = r#"{"result":null,"id":1}"#;

fn okx_book(symbol: &str, action: &str, prev: i64, seq: i64) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{action}","data":[{{"asks":[["11","1","0","1"]],"bids":[["10","1","0","1"]],"ts":"1763600000601","checksum":0,"seqId":{seq},"prevSeqId":{prev}}}]}}"#
    )
}

#[test]
fn time_never_stands_still_while_a_request_waits_for_another() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, ACK);
    for last in 101..106 {
        rig.frame(conn, &delta("BTCUSDT", last, last));
        rig.advance(S);
    }
    assert_eq!(rig.feed.fetches(), (1, 1), "asked for again while it is under way");
    let now = rig.now;
    assert!(rig.feed.deadline(now) > now, "a driver would spin");
}

#[test]
fn a_blocked_queue_names_one_time_for_all() {
    let names: Vec<_> = (0..100).map(|n| format!("S{n}USDT")).collect();
    let symbols: Vec<_> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new(spot(&symbols));
    let conn = rig.connect();
    rig.frame(conn, ACK);
    for symbol in &symbols {
        rig.frame(conn, &delta(symbol, 95, 101));
    }
    for _ in 0..30 {
        rig.answer(200, &[], SNAPSHOT);
    }
    assert_eq!(rig.fetches_made, 21, "the weight of a minute");
    assert!(rig.feed.deadline(rig.now) > rig.now);
}

#[test]
fn nobody_asks_for_the_books_of_a_connection_that_is_gone() {
    let names: Vec<_> = (0..12).map(|n| format!("S{n}USDT")).collect();
    let symbols: Vec<_> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new(spot(&symbols));
    let conn = rig.connect();
    for symbol in &symbols {
        rig.frame(conn, &delta(symbol, 95, 101));
    }
    assert_eq!(rig.fetches_made, 4);
    rig.lose(conn, &Why::Closed(Some(1006)));
    for _ in 0..4 {
        rig.answer(200, &[], SNAPSHOT);
    }
    rig.run(5 * S);
    assert_eq!(rig.fetches_made, 4);
}

#[test]
fn what_was_asked_for_on_one_connection_is_not_given_to_the_next() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    rig.lose(conn, &Why::Closed(None));
    let _new = rig.accept();
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::Disconnected));
}

#[test]
fn a_replacement_that_is_slow_does_not_cost_a_book_that_is_live() {
    let config = SourceConfig { lifetime_ns: Some(240 * S), ..spot(&["BTCUSDT"]) };
    let mut rig = Rig::new(config);
    let old = rig.live("BTCUSDT");
    let mut last = 101;
    let mut new = None;
    for _ in 0..400 {
        last += 1;
        rig.frame(old, &delta("BTCUSDT", last, last));
        if let Some(new) = new {
            rig.frame(new, &delta("BTCUSDT", last, last));
        } else if rig.pending_connects() > 0 {
            let conn = rig.accept();
            rig.frame(conn, ACK);
            new = Some(conn);
        }
        rig.advance(S);
        assert_eq!(rig.state("BTCUSDT").0, State::Live, "{last}");
    }
    assert!(new.is_some() && rig.moved.is_empty());
    // The venue ends the old one: what there is takes over.
    rig.lose(old, &Why::Closed(Some(1000)));
    assert_eq!(rig.moved, [(0, 1)]);
}

#[test]
fn connections_that_were_opened_together_are_not_replaced_together() {
    let line = |n: usize| LineConfig { name: format!("l{n}"), ..LineConfig::default() };
    let lines = (0..8).map(line).collect();
    let config = SourceConfig { lines, lifetime_ns: Some(2_400 * S), ..spot(&["BTCUSDT"]) };
    let mut rig = Rig::new(config);
    let conns: Vec<_> = (0..8).map(|_| rig.accept()).collect();
    for conn in &conns {
        rig.frame(*conn, ACK);
    }
    let mut begun = std::collections::BTreeMap::new();
    for last in 0..2_401 {
        for conn in &conns {
            rig.frame(*conn, &delta("BTCUSDT", 1_000 + last, 1_000 + last));
        }
        rig.advance(S);
        for command in rig.commands.drain(..) {
            if let Command::Connect { conn, .. } = command {
                begun.entry(conn.place).or_insert(last);
            }
        }
    }
    let begun: Vec<_> = begun.into_values().filter(|at| *at > 0).collect();
    assert_eq!(begun.len(), 8, "{begun:?}");
    assert!(begun.iter().all(|at| *at >= 2_299), "{begun:?}");
    let distinct = std::collections::BTreeSet::from_iter(&begun);
    assert!(distinct.len() >= 6, "{begun:?}");
}

#[test]
fn a_book_that_is_shown_anew_is_never_shown_void_in_between() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let old = rig.live("BTCUSDT");
    rig.frame(old, r#"{"e":"serverShutdown","E":1763600000000}"#);
    let new = rig.accept();
    rig.frame(new, ACK);
    rig.frame(new, &delta("BTCUSDT", 102, 103));
    rig.answer(200, &[], SNAPSHOT.replace("100", "103").as_str());
    rig.frame(new, &delta("BTCUSDT", 104, 104));
    while rig.moved.is_empty() {
        let told = rig.told.states.len();
        rig.run(MS);
        assert_eq!(rig.told.states.len(), told, "who shows the books has not moved them yet");
    }
    rig.run(S);
    assert_eq!(rig.closed, [old]);
}

#[test]
fn a_close_that_was_asked_for_is_not_forgotten_when_the_user_stops() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.live("BTCUSDT");
    rig.feed.reconnect(LineId(0), "by hand", rig.now, &mut rig.told);
    rig.stop();
    assert_eq!(rig.closed, [conn]);
}

#[test]
fn who_is_told_to_come_later_does_not_ask_at_once() {
    let mut rig = Rig::new(source(VenueId::Deribit, "book", &["BTC-PERPETUAL"]));
    let conn = rig.connect();
    rig.frame(conn, r#"{"jsonrpc":"2.0","id":0,"result":"ok"}"#);
    for id in 1..8 {
        let before = rig.sent.len();
        rig.frame(
            conn,
            &format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":10028,"message":"too_many_requests"}}}}"#
            ),
        );
        rig.run(900 * MS);
        assert_eq!(rig.sent.len(), before, "{id}");
        rig.run(5 * S);
        if rig.sent.len() == before {
            break;
        }
    }
    assert!(rig.sent.len() > 4, "but it asks again");
}

#[test]
fn subscriptions_used_up_on_a_connection_are_to_be_had_on_another() {
    let config = SourceConfig { silence_ns: 0, ..source(VenueId::Okx, "books", &["BTC-USDT"]) };
    let mut rig = Rig::new(config);
    let ack = |text: &str, op: &str| {
        let id = text.split('"').nth(3).unwrap().to_owned();
        format!(
            r#"{{"id":"{id}","event":"{op}","arg":{{"channel":"books","instId":"BTC-USDT"}},"connId":"a"}}"#
        )
    };
    let mut open = vec![rig.connect()];
    let (mut answered, mut seq, mut not_live) = (0, 10, 0);
    for second in 0..3_500 {
        if rig.pending_connects() > 0 {
            open.push(rig.accept());
        }
        while let Some(text) = rig.sent.get(answered).cloned() {
            let (conn, _) = rig.sends[answered];
            answered += 1;
            if text.contains("unsubscribe") {
                rig.frame(conn, &ack(&text, "unsubscribe"));
            } else if text.contains("subscribe") {
                rig.frame(conn, &ack(&text, "subscribe"));
                seq += 1;
                rig.frame(conn, &okx_book("BTC-USDT", "snapshot", -1, seq));
            } else {
                rig.frame(conn, "pong");
            }
        }
        if second % 7 == 0 {
            // A hole in what is shown.
            seq += 10;
            let shown = open.iter().rev().find(|c| !rig.feed.is_standby(LineId(c.place)));
            let shown = *shown.unwrap();
            rig.frame(shown, &okx_book("BTC-USDT", "update", seq - 1, seq));
        }
        rig.advance(S);
        let is_live = rig.state("BTC-USDT").0 == State::Live;
        not_live = if is_live { 0 } else { not_live + 1 };
        assert!(not_live < 45, "not live for {not_live} s at {second}");
    }
    assert!(open.len() > 1 && rig.feed.counters().replaced > 0);
}

#[test]
fn a_peer_that_floods_with_heartbeats_makes_no_flood_of_answers() {
    let mut rig = Rig::new(source(VenueId::Deribit, "book", &["BTC-PERPETUAL"]));
    let conn = rig.connect();
    let before = rig.sent.len();
    for _ in 0..10_000 {
        rig.frame(
            conn,
            r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#,
        );
    }
    let answers = rig.sent.len() - before;
    assert!((1..=11).contains(&answers), "{answers}");
}

#[test]
fn a_connection_that_is_quiet_by_nature_is_not_opened_anew_for_ever() {
    let mut rig = Rig::new(source(VenueId::BinanceUsdm, "forceOrder", &["BTCUSDT"]));
    let mut conn = rig.connect();
    for second in 0..3_600 {
        if rig.closed.contains(&conn) {
            conn = rig.accept();
        }
        if second % 5 == 0 {
            let id = rig.sent.last().unwrap().rsplit(':').next().unwrap().trim_end_matches('}');
            rig.frame(conn, &format!(r#"{{"result":null,"id":{id}}}"#));
        }
        rig.run(S);
        rig.feed.heard(conn, rig.now);
    }
    assert!(rig.urls.len() < 13, "{} connections within an hour", rig.urls.len());
}

#[test]
fn silence_of_what_was_lively_is_noticed_at_once() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let mut conn = rig.live("BTCUSDT");
    let mut last = 101;
    for round in 0..4 {
        let begun = rig.now;
        while !rig.closed.contains(&conn) {
            rig.run(100 * MS);
            rig.feed.heard(conn, rig.now);
            assert!(rig.now - begun <= 11 * S, "round {round}");
        }
        conn = rig.accept();
        for _ in 0..300 {
            last += 1;
            rig.frame(conn, &delta("BTCUSDT", last, last));
            rig.run(S);
        }
    }
}

#[test]
fn one_symbol_s_unreadable_book_costs_no_other_its_own() {
    let mut rig = Rig::new(spot(&["BADUSDT", "BTCUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, ACK);
    rig.frame(conn, &delta("BADUSDT", 95, 101));
    let bad = r#"{"lastUpdateId":100,"bids":[["x","1"]],"asks":[]}"#;
    while rig.fetches_made < 12 || !rig.fetch_urls().is_empty() {
        rig.answer(200, &[], bad);
        rig.run(3 * S);
        rig.frame(conn, &delta("BADUSDT", 102, 102));
    }
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    let asked = rig.fetch_urls().iter().filter(|url| url.contains("BTCUSDT")).count();
    assert_eq!(asked, 1, "{:?}", rig.fetch_urls());
}

#[test]
fn a_limit_holds_every_request_back_where_the_venue_counts_them_together() {
    let names: Vec<_> = (0..8).map(|n| format!("S{n}USDT")).collect();
    let symbols: Vec<_> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new(source(VenueId::Bybit, "orderbook.full", &symbols));
    let conn = rig.connect();
    for symbol in &symbols {
        rig.frame(
            conn,
            &format!(
                r#"{{"topic":"orderbook.full.{symbol}","type":"delta","ts":1763600000300,"data":{{"s":"{symbol}","b":[["9","1"]],"a":[],"u":5,"seq":50}},"cts":1763600000297}}"#
            ),
        );
    }
    assert_eq!(rig.fetches_made, 4);
    let reset = (rig.now / MS + 3_000).to_string();
    rig.answer(200, &[("X-Bapi-Limit-Reset-Timestamp", &reset)], r#"{"retCode":10006}"#);
    rig.run(2_900 * MS);
    assert_eq!(rig.fetches_made, 4, "the others wait as well");
    rig.run(2 * S);
    assert!(rig.fetches_made > 4);
}

#[test]
fn a_refusal_of_the_key_of_before_is_no_refusal_of_the_new_one() {
    let flavour = Flavour { ..Flavour::PREFIXED };
    let key = Some(Secret::new("old"));
    let config = SourceConfig {
        flavour,
        key,
        ..source(VenueId::Relay, "book_depth_20", &["binance:btcusdt"])
    };
    let mut rig = Rig::new(config);
    let conn = rig.attempt();
    assert!(rig.urls[0].ends_with("?key=old"));
    rig.feed.set_key(Secret::new("new"), rig.now, &mut rig.told);
    rig.lose(conn, &Why::Refused { status: 401, retry_after_s: None });
    let conn = rig.attempt();
    assert!(rig.urls[1].ends_with("?key=new"));
    rig.lose(conn, &Why::Refused { status: 401, retry_after_s: None });
    rig.run(600 * S);
    assert_eq!(rig.urls.len(), 2, "that one was refused itself");
}

#[test]
fn pings_go_out_while_data_comes() {
    let bybit = r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1763600000300,"data":{"s":"BTCUSDT","b":[["9","1"]],"a":[["10","1"]],"u":5,"seq":50},"cts":1763600000297}"#;
    let mut rig = Rig::new(source(VenueId::Bybit, "orderbook.1", &["BTCUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"1","op":"subscribe"}"#);
    for _ in 0..610 {
        rig.frame(conn, bybit);
        rig.run(100 * MS);
    }
    assert_eq!(rig.sent.iter().filter(|text| *text == r#"{"op":"ping"}"#).count(), 3);

    let relay = r#"{"type":"book_depth","symbol":"binance:btcusdt","bids":[[9,1]],"asks":[[10,1]],"seqNum":7}"#;
    let config = SourceConfig {
        flavour: Flavour::PREFIXED,
        ..source(VenueId::Relay, "book_depth_20", &["binance:btcusdt"])
    };
    let mut rig = Rig::new(config);
    let conn = rig.connect();
    for _ in 0..610 {
        rig.frame(conn, relay);
        rig.run(100 * MS);
    }
    assert_eq!(rig.pings, 3, "a server that closes after 60 s without a frame of ours");
}

#[test]
fn a_topic_is_not_refused_for_another_whose_name_holds_its_own() {
    let mut rig = Rig::new(source(VenueId::Bybit, "orderbook.50", &["PEPEUSDT", "1000PEPEUSDT"]));
    let conn = rig.connect();
    rig.frame(
        conn,
        r#"{"success":true,"conn_id":"c","req_id":"1","data":{"failTopics":["orderbook.50.1000PEPEUSDT"],"successTopics":["orderbook.50.PEPEUSDT"]},"type":"COMMAND_RESP"}"#,
    );
    assert_eq!(rig.state("PEPEUSDT").0, State::Syncing);
    assert_eq!(rig.state("1000PEPEUSDT"), (State::Failed, Reason::Refused));
}

#[test]
fn a_refusal_that_names_no_request_is_that_of_the_first() {
    let symbols = ["A-USDT", "B-USDT", "BAD-USDT", "C-USDT"];
    let mut rig = Rig::new(source(VenueId::Okx, "books", &symbols));
    let conn = rig.connect();
    let mut answered = 0;
    for _ in 0..60 {
        while let Some(text) = rig.sent.get(answered).cloned() {
            answered += 1;
            let id = text.split('"').nth(3).unwrap();
            if text.contains("BAD-USDT") {
                rig.frame(
                    conn,
                    r#"{"event":"error","code":"60018","msg":"doesn't exist","connId":"a"}"#,
                );
                continue;
            }
            for symbol in symbols.iter().filter(|symbol| text.contains(&format!("\"{symbol}\""))) {
                rig.frame(conn, &format!(r#"{{"id":"{id}","event":"subscribe","arg":{{"channel":"books","instId":"{symbol}"}},"connId":"a"}}"#));
                rig.frame(conn, &okx_book(symbol, "snapshot", -1, 10));
            }
        }
        rig.run(100 * MS);
    }
    assert_eq!(rig.state("BAD-USDT"), (State::Failed, Reason::Refused));
    for symbol in ["A-USDT", "B-USDT", "C-USDT"] {
        assert_eq!(rig.state(symbol).0, State::Live, "{symbol}");
    }
    assert_eq!(rig.closed, []);
}

#[test]
fn keys_are_in_no_command_s_debug() {
    let key = Some(Secret::new("hs_live_canary"));
    let config = SourceConfig { key, ..source(VenueId::Relay, "orderbook", &["binance:BTCUSDT"]) };
    let rig = Rig::new(config);
    assert!(rig.commands.iter().any(|c| matches!(c, Command::Connect { .. })));
    assert!(!format!("{:?} {:?}", rig.commands, rig.feed).contains("canary"));
}

fn two_lines(symbols: &[&str]) -> SourceConfig {
    let mut config = spot(symbols);
    config.lines.push(LineConfig::default());
    config
}

#[test]
fn a_line_of_a_book_that_others_write_is_replaced_once_the_new_one_brings_it() {
    let mut rig = Rig::new(two_lines(&["BTCUSDT", "ETHUSDT"]));
    let (first, second) = (rig.connect(), rig.connect());
    rig.frame(first, ACK);
    rig.frame(second, ACK);
    rig.frame(first, &delta("BTCUSDT", 95, 101));
    rig.frame(second, &delta("BTCUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    rig.frame(first, r#"{"e":"serverShutdown","E":1763600000000}"#);
    let new = rig.accept();
    rig.frame(new, ACK);
    for last in 102..106 {
        rig.frame(first, &delta("BTCUSDT", last, last));
        rig.frame(second, &delta("BTCUSDT", last, last));
        rig.frame(new, &delta("ETHUSDT", last, last));
        rig.run(S);
        assert_eq!(rig.closed, [], "the new one has brought nothing of what is live");
    }
    for last in 106..110 {
        for conn in [first, second, new] {
            rig.frame(conn, &delta("BTCUSDT", last, last));
        }
        rig.run(S);
        assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None), "{last}");
    }
    assert_eq!((rig.closed.as_slice(), rig.moved.len()), ([first].as_slice(), 0));
}

#[test]
fn a_snapshot_that_a_lost_line_asked_for_is_given_to_the_other() {
    let mut rig = Rig::new(two_lines(&["BTCUSDT"]));
    let (first, second) = (rig.connect(), rig.connect());
    rig.frame(first, &delta("BTCUSDT", 95, 101));
    rig.frame(second, &delta("BTCUSDT", 95, 101));
    assert_eq!(rig.fetches_made, 1);
    rig.lose(first, &Why::Closed(Some(1006)));
    rig.answer(200, &[], SNAPSHOT);
    rig.frame(second, &delta("BTCUSDT", 102, 102));
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    assert_eq!(rig.fetches_made, 1);
}

#[test]
fn a_replacement_has_until_the_venue_ends_the_old_connection() {
    let hour = 3_600 * S;
    let mut rig = Rig::new(spot(&["AAAUSDT", "BTCUSDT"]));
    let old = rig.live("BTCUSDT");
    let (begun, mut last, mut new, mut asked) = (rig.now, 101, None, 0);
    while rig.now - begun < 24 * hour && rig.moved.is_empty() {
        last += 1;
        rig.frame(old, &delta("BTCUSDT", last, last));
        if let Some(new) = new {
            // The other's book alone: the snapshot of this one does not come.
            rig.frame(new, &delta("AAAUSDT", last, last));
        } else if rig.pending_connects() > 0 {
            asked = rig.now - begun;
            new = Some(rig.accept());
            rig.frame(new.unwrap(), ACK);
        }
        rig.advance(5 * S);
        assert!(!rig.moved.is_empty() || rig.state("BTCUSDT").0 == State::Live);
    }
    assert!((20 * hour..=22 * hour).contains(&asked), "{}", asked / hour);
    let moved = rig.now - begun;
    assert!((24 * hour - 610 * S..24 * hour - 590 * S).contains(&moved), "{}", moved / S);
}
