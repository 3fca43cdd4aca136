//! What a venue refuses costs what it refuses, for as long as it does: a symbol comes back, and no
//! other pays for it.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::quarantine::{PROBE_NS_MAX, PROBE_NS_MIN};
use gapless_feed::source::Secret;
use gapless_feed::{ConnId, LineConfig, SourceConfig, Why};
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use rig::{MS, Rig, S, SNAPSHOT, delta, source, spot};

/// What Binance says of a symbol that it does not know.
fn unknown(id: &str) -> String {
    format!(r#"{{"code":-1121,"msg":"Invalid symbol.","id":{id}}}"#)
}

fn granted(id: &str) -> String {
    format!(r#"{{"result":null,"id":{id}}}"#)
}

fn id_of(text: &str) -> String {
    text.rsplit("\"id\":").next().unwrap().trim_end_matches('}').to_owned()
}

/// Answers every request that was not answered yet.
fn answer(rig: &mut Rig, answer: impl Fn(&str) -> String) {
    while let Some(text) = rig.sent.get(rig.answered).cloned() {
        let (conn, _) = rig.sends[rig.answered];
        rig.answered += 1;
        rig.frame(conn, &answer(&text));
    }
}

/// Binance with a symbol that it does not know.
fn without_bad(text: &str) -> String {
    let id = id_of(text);
    if text.contains("badusdt") { unknown(&id) } else { granted(&id) }
}

fn asks_for_bad(rig: &Rig) -> usize {
    rig.sent.iter().filter(|text| text.contains("badusdt")).count()
}

/// A connection whose second symbol is refused.
fn one_refused() -> (Rig, ConnId) {
    let mut rig = Rig::new(spot(&["AAAUSDT", "BADUSDT"]));
    let conn = rig.connect();
    for _ in 0..4 {
        answer(&mut rig, without_bad);
        rig.run(S);
    }
    assert_eq!(rig.state("AAAUSDT").0, State::Syncing);
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    (rig, conn)
}

#[test]
fn a_refused_topic_is_asked_for_again_alone_and_comes_back() {
    let (mut rig, conn) = one_refused();
    let (asked, begun) = (asks_for_bad(&rig), rig.now);
    let mut last = 101;
    while asks_for_bad(&rig) == asked {
        last += 1;
        rig.frame(conn, &delta("AAAUSDT", last, last));
        rig.answer(200, &[], SNAPSHOT);
        rig.run(S);
        assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    }
    let waited = rig.now - begun;
    assert!((PROBE_NS_MIN - 5 * S..PROBE_NS_MIN + PROBE_NS_MIN / 10 + S).contains(&waited));
    assert!(!rig.sent.last().unwrap().contains("aaausdt"), "{:?}", rig.sent.last());
    // Listed again.
    answer(&mut rig, |text| granted(&id_of(text)));
    assert_eq!(rig.state("BADUSDT").0, State::Syncing);
    rig.frame(conn, &delta("BADUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BADUSDT"), (State::Live, Reason::None));
    assert_eq!(rig.closed, []);
}

#[test]
fn a_refused_topic_stays_out_of_the_requests_of_the_next_connection_and_is_asked_for_after_them() {
    let (mut rig, conn) = one_refused();
    rig.lose(conn, &Why::Closed(None));
    assert_eq!(rig.state("AAAUSDT"), (State::Syncing, Reason::Disconnected));
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    let _ = rig.accept();
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    assert!(!rig.sent.last().unwrap().contains("badusdt"));
    let asked = asks_for_bad(&rig);
    for _ in 0..30 {
        answer(&mut rig, without_bad);
        rig.run(S / 10);
    }
    assert_eq!(asks_for_bad(&rig), asked + 1, "once");
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
}

#[test]
fn a_replacement_knows_what_was_refused() {
    let (mut rig, conn) = one_refused();
    rig.frame(conn, r#"{"e":"serverShutdown","E":1763600000000}"#);
    let _ = rig.accept();
    let text = rig.sent.last().unwrap();
    assert!(text.contains("aaausdt") && !text.contains("badusdt"), "{text}");
}

#[test]
fn a_connection_with_nothing_left_to_subscribe_is_opened_rarely_and_not_never() {
    let mut rig = Rig::new(spot(&["BADUSDT"]));
    let mut times = Vec::new();
    let begun = rig.now;
    while rig.now - begun < 12 * PROBE_NS_MAX {
        if rig.pending_connects() > 0 {
            times.push(rig.now);
            let _ = rig.accept();
        }
        rig.run(S);
        answer(&mut rig, without_bad);
    }
    assert!((12..=17).contains(&times.len()), "{}", times.len());
    assert_eq!(rig.closed.len(), times.len());
    assert!(times.windows(2).all(|two| two[1] - two[0] >= PROBE_NS_MIN));
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    while rig.pending_connects() == 0 {
        rig.run(S);
    }
    let conn = rig.accept();
    rig.run(S);
    answer(&mut rig, |text| granted(&id_of(text)));
    rig.frame(conn, &delta("BADUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BADUSDT"), (State::Live, Reason::None));
}

#[test]
fn a_refusal_that_passes_costs_no_symbol() {
    let okx = r#"{"id":"1","event":"error","code":"60012","msg":"Illegal request","connId":"a"}"#;
    let bybit = r#"{"success":false,"ret_msg":"Internal error","conn_id":"c","req_id":"1","op":"subscribe"}"#;
    let deribit =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":11051,"message":"system_maintenance"}}"#;
    let binance = r#"{"code":2,"msg":"Invalid request: simulated","id":1}"#;
    for (venue, channel, symbol, refusal) in [
        (VenueId::Okx, "books", "BTC-USDT", okx),
        (VenueId::Bybit, "orderbook.50", "BTCUSDT", bybit),
        (VenueId::Deribit, "book.100ms", "BTC-PERPETUAL", deribit),
        (VenueId::BinanceSpot, "depth", "BTCUSDT", binance),
    ] {
        let mut rig = Rig::new(source(venue, channel, &[symbol]));
        let conn = rig.connect();
        let asked = rig.sent.len();
        rig.frame(conn, refusal);
        assert_eq!(rig.state(symbol).0, State::Syncing, "{venue:?}");
        rig.run(5 * S);
        assert!(rig.sent.len() > asked, "{venue:?} is asked again");
        assert_eq!((rig.state(symbol).0, rig.closed.len()), (State::Syncing, 0), "{venue:?}");
    }
}

#[test]
fn a_status_that_no_venue_states_of_a_symbol_is_no_refusal() {
    for (status, body) in [(404, "<html>"), (301, ""), (400, r#"{"code":-1101,"msg":"?"}"#)] {
        let mut rig = Rig::new(spot(&["BTCUSDT"]));
        let conn = rig.connect();
        rig.frame(conn, r#"{"result":null,"id":1}"#);
        rig.frame(conn, &delta("BTCUSDT", 95, 101));
        rig.answer(status, &[], body);
        assert_eq!(rig.state("BTCUSDT").0, State::Syncing, "{status}");
        rig.run(5 * S);
        rig.answer(200, &[], SNAPSHOT);
        assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None), "{status}");
    }
}

#[test]
fn what_one_line_is_refused_another_brings() {
    let mut config = spot(&["AAAUSDT", "BADUSDT"]);
    config.lines.push(LineConfig::default());
    let mut rig = Rig::new(config);
    let (first, second) = (rig.connect(), rig.connect());
    let on_second = |rig: &mut Rig| {
        while let Some(text) = rig.sent.get(rig.answered).cloned() {
            let (conn, _) = rig.sends[rig.answered];
            rig.answered += 1;
            let id = id_of(&text);
            let is_refused = conn == second && text.contains("badusdt");
            rig.frame(conn, &if is_refused { unknown(&id) } else { granted(&id) });
        }
    };
    on_second(&mut rig);
    rig.frame(first, &delta("BADUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    for last in 102..110 {
        on_second(&mut rig);
        rig.frame(first, &delta("BADUSDT", last, last));
        rig.run(S);
        assert_eq!(rig.state("BADUSDT"), (State::Live, Reason::None), "{last}");
    }
}

#[test]
fn a_firewall_is_left_alone_and_asked_again() {
    let mut rig = Rig::new(source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]));
    let conn = rig.attempt();
    rig.lose(conn, &Why::Refused { status: 403, retry_after_s: None });
    assert_eq!(rig.state("BTCUSDT").0, State::Syncing);
    rig.run(599 * S);
    assert_eq!(rig.urls.len(), 1);
    let begun = rig.now;
    let _ = rig.attempt();
    assert!(rig.now - begun < 62 * S, "nobody's key was refused: there was none");
}

fn okx_granted(id: &str, symbol: &str) -> String {
    format!(
        r#"{{"id":"{id}","event":"subscribe","arg":{{"channel":"books","instId":"{symbol}"}},"connId":"a"}}"#
    )
}

#[test]
fn a_topic_that_is_refused_after_others_of_its_request_were_granted_is_known() {
    let mut rig = Rig::new(source(VenueId::Okx, "books", &["BTC-USDT", "NOPE-USDT", "ETH-USDT"]));
    let conn = rig.connect();
    for _ in 0..10 {
        while let Some(text) = rig.sent.get(rig.answered).cloned() {
            rig.answered += 1;
            let id = text.split('"').nth(3).unwrap().to_owned();
            for symbol in ["BTC-USDT", "NOPE-USDT", "ETH-USDT"] {
                if !text.contains(&format!("\"{symbol}\"")) {
                    continue;
                }
                let refused = format!(
                    r#"{{"id":"{id}","event":"error","code":"60018","msg":"doesn't exist","connId":"a"}}"#
                );
                let is_bad = symbol == "NOPE-USDT";
                rig.frame(conn, &if is_bad { refused } else { okx_granted(&id, symbol) });
            }
        }
        rig.run(100 * MS);
    }
    assert_eq!(rig.state("NOPE-USDT"), (State::Failed, Reason::Refused), "within a second");
    let asked = |name: &str| rig.sent.iter().filter(|text| text.contains(name)).count();
    assert_eq!((asked("BTC-USDT"), asked("NOPE-USDT")), (1, 2), "what was granted is left alone");
    rig.run(5 * S);
    assert_eq!(rig.closed, []);
}

#[test]
fn a_firewall_s_answer_says_nothing_of_a_source_s_config() {
    let config = SourceConfig { silence_ns: 0, ..spot(&["BTCUSDT"]) };
    let mut rig = Rig::new(config);
    let conn = rig.attempt();
    rig.lose(conn, &Why::Refused { status: 403, retry_after_s: Some(3_600) });
    rig.run(3_599 * S);
    assert_eq!(rig.urls.len(), 1, "it named an hour");
}

fn okx_book(symbol: &str, action: &str, prev: i64, seq: i64) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{action}","data":[{{"asks":[["11","1","0","1"]],"bids":[["10","1","0","1"]],"ts":"1763600000601","checksum":0,"seqId":{seq},"prevSeqId":{prev}}}]}}"#
    )
}

#[test]
fn a_topic_that_is_never_answered_costs_the_others_nothing() {
    let mut rig = Rig::new(source(VenueId::Okx, "books", &["BTC-USDT", "MUTE-USDT"]));
    let conn = rig.connect();
    let mut seq = 10;
    for second in 0..400 {
        while let Some(text) = rig.sent.get(rig.answered).cloned() {
            rig.answered += 1;
            let id = text.split('"').nth(3).unwrap_or_default().to_owned();
            if text.contains("\"BTC-USDT\"") {
                rig.frame(conn, &okx_granted(&id, "BTC-USDT"));
                rig.frame(conn, &okx_book("BTC-USDT", "snapshot", -1, seq));
            } else if text == "ping" {
                rig.frame(conn, "pong");
            }
        }
        seq += 1;
        rig.frame(conn, &okx_book("BTC-USDT", "update", seq - 1, seq));
        rig.run(S);
        assert_eq!(rig.state("BTC-USDT"), (State::Live, Reason::None), "{second}");
    }
    assert_eq!(rig.closed, []);
    assert_eq!(rig.state("MUTE-USDT"), (State::Failed, Reason::Refused));
    let asked = |name: &str| rig.sent.iter().filter(|text| text.contains(name)).count();
    assert_eq!((asked("\"BTC-USDT\""), asked("MUTE-USDT")), (1, 4), "three times, and a probe");
}

#[test]
fn a_request_whose_books_are_live_is_not_made_again_for_its_answer() {
    let mut rig = Rig::new(source(VenueId::Okx, "books", &["BTC-USDT"]));
    let conn = rig.connect();
    rig.frame(conn, &okx_book("BTC-USDT", "snapshot", -1, 10));
    for seq in 11..60 {
        rig.frame(conn, &okx_book("BTC-USDT", "update", seq - 1, seq));
        rig.run(S);
    }
    let asked = rig.sent.iter().filter(|text| text.contains("subscribe")).count();
    assert_eq!((asked, rig.closed.len()), (1, 0));
    assert_eq!(rig.state("BTC-USDT"), (State::Live, Reason::None));
}

#[test]
fn a_book_whose_old_subscription_could_not_be_ended_is_subscribed_anew_all_the_same() {
    let deribit = |kind: &str, prev: &str, id: i64| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.BTC-PERPETUAL.100ms","data":{{"type":"{kind}","timestamp":1763600000700,"instrument_name":"BTC-PERPETUAL",{prev}"change_id":{id},"bids":[["new",10.0,1.0]],"asks":[["new",11.0,1.0]]}}}}}}"#
        )
    };
    let ok = |id: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":["book.BTC-PERPETUAL.100ms"]}}"#)
    };
    let id_of = |text: &str| {
        let rest = text.split("\"id\":").nth(1).unwrap();
        rest.split([',', '}']).next().unwrap().to_owned()
    };
    let mut rig = Rig::new(source(VenueId::Deribit, "book.100ms", &["BTC-PERPETUAL"]));
    let conn = rig.connect();
    let answer = |rig: &mut Rig, refuses: &mut bool| {
        while let Some(text) = rig.sent.get(rig.answered).cloned() {
            rig.answered += 1;
            let id = id_of(&text);
            if text.contains("/unsubscribe") && std::mem::take(refuses) {
                rig.frame(conn, &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":10028,"message":"too_many_requests"}}}}"#));
            } else if text.contains("subscribe") {
                rig.frame(conn, &ok(&id));
            }
        }
    };
    let mut refuses = true;
    answer(&mut rig, &mut refuses);
    rig.frame(conn, &deribit("snapshot", "", 10));
    rig.frame(conn, &deribit("change", "\"prev_change_id\":10,", 11));
    assert_eq!(rig.state("BTC-PERPETUAL").0, State::Live);
    rig.frame(conn, &deribit("change", "\"prev_change_id\":12,", 13));
    for _ in 0..5 {
        rig.run(S);
        answer(&mut rig, &mut refuses);
    }
    let left = rig.sent.iter().filter(|text| text.contains("/unsubscribe")).count();
    assert_eq!((left, refuses, rig.closed.len()), (2, false, 0), "{:?}", rig.sent);
}

#[test]
fn a_limit_of_requests_is_none_of_connections_and_a_ban_is_one_of_both() {
    for (status, waits) in [(429, false), (403, false), (418, true)] {
        let mut rig = Rig::new(spot(&["BTCUSDT"]));
        let conn = rig.connect();
        rig.frame(conn, &delta("BTCUSDT", 95, 101));
        rig.answer(status, &[("Retry-After", "120")], "{}");
        rig.lose(conn, &Why::Closed(Some(1006)));
        rig.run(100 * S);
        assert_eq!(rig.urls.len() == 1, waits, "{status}");
        assert_eq!(rig.fetches_made, 1, "{status}");
    }
}

#[test]
fn when_nothing_is_shown_whoever_may_connect_first_does() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let old = rig.live("BTCUSDT");
    rig.frame(old, r#"{"e":"serverShutdown","E":1763600000000}"#);
    let new = rig.attempt();
    // It may come again in a minute.
    rig.lose(new, &Why::Closed(Some(1008)));
    rig.lose(old, &Why::Closed(Some(1001)));
    let begun = rig.now;
    let _ = rig.attempt();
    assert!(rig.now - begun <= S, "{}", rig.now - begun);
}

fn keyed() -> SourceConfig {
    let relay = source(VenueId::Relay, "orderbook", &["binance:BTCUSDT"]);
    SourceConfig { flavour: Flavour::REPLAYED, key: Some(Secret::new("old")), ..relay }
}

const RELAYED: &str = r#"{"type":"delta","exchange":"binance","symbol":"BTCUSDT","bids":[[10,6]],"asks":[[11,1]],"seqNum":6}"#;

#[test]
fn a_connection_that_is_opened_with_the_key_of_before_is_replaced() {
    let mut rig = Rig::new(keyed());
    let old = rig.attempt();
    rig.set_key("new");
    rig.open(old);
    rig.run(S);
    assert_eq!(rig.urls.len(), 2, "{:?}", rig.urls);
    // A key that comes while the replacement is under way is the one that is used in the end.
    let new = rig.accept();
    rig.set_key("newer");
    rig.run(5 * S);
    assert_eq!((rig.urls.len(), rig.closed.as_slice()), (3, [new].as_slice()));
    let shown = format!("{:?} {:?}", rig.urls.last(), rig.headers);
    assert!(shown.contains("newer"), "{shown}");
}

#[test]
fn a_key_that_a_request_is_refused_for_costs_no_connection_that_it_works_on() {
    let mut rig = Rig::new(keyed());
    let conn = rig.connect();
    rig.frame(conn, RELAYED);
    for _ in 0..80 {
        rig.answer(401, &[], r#"{"error":"Invalid API key"}"#);
        rig.run(100 * MS);
    }
    assert_eq!(rig.closed, []);
    let made = rig.fetches_made;
    assert_eq!(rig.state("BTCUSDT"), (State::Failed, Reason::Auth), "it has no book, and says why");
    rig.run(10 * S);
    assert_eq!(rig.fetches_made, made, "and does not ask at once");
}

#[test]
fn an_answer_that_nobody_read_in_time_is_asked_for_again_and_holds_no_place() {
    let names = ["A1", "A2", "A3", "A4", "A5"].map(|name| format!("{name}USDT"));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new(spot(&names));
    let conn = rig.connect();
    for name in &names {
        rig.frame(conn, &delta(name, 95, 101));
    }
    assert_eq!((rig.fetches_made, rig.feed.fetches()), (4, (1, 4)));
    for _ in 0..4 {
        rig.answer_late();
    }
    rig.run(S);
    assert!(rig.fetches_made >= 8, "{}", rig.fetches_made);
    assert!(!rig.feed.gate().lock().is_open(), "the server did no wrong");
}
