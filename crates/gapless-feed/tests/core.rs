//! The core without sockets: a virtual clock, a venue played by hand.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::{Command, LineConfig, SourceConfig, Why};
use rig::{MS, Rig, S, SNAPSHOT, delta, spot};

#[test]
fn a_book_is_subscribed_bridged_over_rest_and_live() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::AwaitingSnapshot));
    let conn = rig.connect();
    assert_eq!(rig.urls, ["wss://stream.binance.com:9443/stream"]);
    let subscribe = r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#;
    assert_eq!(rig.sent, [subscribe]);
    rig.frame(conn, r#"{"result":null,"id":1}"#);
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    let depth = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000";
    assert_eq!(rig.fetch_urls(), [depth]);
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    rig.frame(conn, &delta("BTCUSDT", 105, 106));
    assert_eq!(rig.state("BTCUSDT").1, Reason::Gap);
    assert_eq!(rig.fetch_urls(), [depth], "asked for in the frame that shows the gap");
    rig.answer(200, &[], &SNAPSHOT.replace("100", "106"));
    rig.frame(conn, &delta("BTCUSDT", 107, 107));
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
}

#[test]
fn c17_a_limit_and_a_ban_are_waited_out_by_every_symbol() {
    let mut rig = Rig::new(spot(&["BTCUSDT", "ETHUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    rig.answer(429, &[("Retry-After", "7")], "{}");
    rig.frame(conn, &delta("ETHUSDT", 95, 101));
    rig.run(6_900 * MS);
    assert_eq!(rig.fetch_urls(), [""; 0], "no symbol asks");
    rig.run(2 * S);
    assert_eq!(rig.fetch_urls().len(), 2);
    rig.answer(418, &[("Retry-After", "120")], "{}");
    let asked = rig.fetches_made;
    rig.lose(conn, &Why::Closed(Some(1006)));
    rig.run(119 * S);
    assert_eq!((rig.fetches_made, rig.urls.len()), (asked, 1), "no request of any kind");
    // Before that attempt is given up in turn.
    rig.run(10 * S);
    assert_eq!(rig.urls.len(), 2);
}

#[test]
fn c15_a_notice_of_shutdown_opens_a_replacement_before_the_old_connection_ends() {
    for notice in [
        r#"{"e":"serverShutdown","E":1763600000000}"#,
        r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1763600000000}}"#,
    ] {
        let mut rig = Rig::new(spot(&["BTCUSDT"]));
        let old = rig.live("BTCUSDT");
        rig.frame(old, notice);
        let new = rig.accept();
        assert_ne!(new.place, old.place);
        rig.frame(new, r#"{"result":null,"id":1}"#);
        rig.frame(old, &delta("BTCUSDT", 102, 103));
        rig.frame(new, &delta("BTCUSDT", 102, 103));
        assert_eq!(rig.state("BTCUSDT").0, State::Live, "the old one is shown");
        rig.answer(200, &[], &SNAPSHOT.replace("100", "103"));
        rig.frame(new, &delta("BTCUSDT", 104, 104));
        rig.run(200 * MS);
        assert_eq!(rig.moved, [(old.place, new.place)]);
        assert_eq!(rig.closed, [old]);
        assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
        rig.frame(new, &delta("BTCUSDT", 105, 105));
        let seen = rig.states_seen("BTCUSDT");
        assert_eq!(seen, [State::Syncing, State::Live, State::Syncing], "void once it is closed");
    }
}

#[test]
fn a_connection_is_replaced_before_the_venue_ends_it() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let old = rig.live("BTCUSDT");
    for second in 0..23 * 3600 + 1 {
        rig.advance(S);
        rig.frame(old, &delta("BTCUSDT", 102 + second, 102 + second));
        if rig.pending_connects() > 0 {
            assert!(second > 21 * 3600, "{second}");
            break;
        }
    }
    assert_eq!(rig.pending_connects(), 1);
    let new = rig.accept();
    assert_ne!(new.place, old.place);
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
}

#[test]
fn c95_frames_of_an_attempt_that_has_ended_are_dropped() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let old = rig.live("BTCUSDT");
    rig.lose(old, &Why::Closed(None));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::Disconnected));
    rig.frame(old, &delta("BTCUSDT", 102, 103));
    rig.run(S);
    let new = rig.accept();
    rig.frame(old, &delta("BTCUSDT", 102, 103));
    assert_eq!(rig.fetch_urls(), [""; 0]);
    let (_, session) = rig.feed.sessions().next().unwrap();
    let held = session.books().iter().map(|(_, entry)| entry.local.held()).sum::<usize>();
    assert_eq!((rig.feed.counters().late, held), (2, 0));
    rig.frame(new, &delta("BTCUSDT", 104, 104));
    assert_eq!(rig.fetch_urls().len(), 1);
}

#[test]
fn refused_credentials_end_the_trying() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.attempt();
    rig.lose(conn, &Why::Refused { status: 401, retry_after_s: None });
    rig.run(3_600 * S);
    assert_eq!(rig.urls.len(), 1);
    assert_eq!(rig.state("BTCUSDT"), (State::Failed, Reason::Auth));
}

#[test]
fn attempts_are_spread_and_follow_one_another() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let mut times = Vec::new();
    for _ in 0..12 {
        let conn = rig.attempt();
        times.push(rig.now);
        rig.lose(conn, &Why::Unreachable("refused".to_owned()));
        assert_eq!(rig.pending_connects(), 0, "one attempt at a time");
    }
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| *wait <= 30 * S), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > 2 * S), "{waits:?}");
}

#[test]
fn the_user_s_close_wins_over_everything_under_way() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.live("BTCUSDT");
    rig.stop();
    assert_eq!(rig.closed, [conn]);
    assert_eq!(rig.state("BTCUSDT").1, Reason::Disconnected);
    rig.frame(conn, &delta("BTCUSDT", 102, 102));
    rig.run(3_600 * S);
    assert_eq!(rig.urls.len(), 1);

    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.attempt();
    rig.stop();
    rig.open(conn);
    assert!(rig.sent.is_empty() && rig.closed.contains(&conn));
}

#[test]
fn a_peer_that_is_gone_and_one_that_sends_nothing_are_left() {
    let mut rig = Rig::new(SourceConfig { silence_ns: 0, ..spot(&["BTCUSDT"]) });
    let conn = rig.live("BTCUSDT");
    rig.run(9_900 * MS);
    assert_eq!(rig.pings, 0);
    rig.run(200 * MS);
    assert_eq!(rig.pings, 1);
    rig.run(4_800 * MS);
    assert_eq!(rig.closed, []);
    rig.run(200 * MS);
    assert_eq!(rig.closed, [conn], "no answer within 5 s");

    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.live("BTCUSDT");
    for _ in 0..99 {
        rig.run(100 * MS);
        rig.feed.heard(conn, rig.now);
    }
    assert_eq!((rig.state("BTCUSDT").0, rig.closed.len()), (State::Live, 0));
    rig.run(200 * MS);
    assert_eq!(rig.closed, [conn], "pongs are no data");
    assert!(rig.states_seen("BTCUSDT").contains(&State::Stale));
}

#[test]
fn a_body_that_is_no_book_is_asked_for_again_ever_slower() {
    let mut rig = Rig::new(spot(&["BTCUSDT"]));
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    for _ in 0..30 {
        rig.answer(200, &[], "<html>busy</html>");
        rig.run(S);
        rig.frame(conn, &delta("BTCUSDT", 102, 102));
    }
    assert!((3..20).contains(&rig.fetches_made), "{}", rig.fetches_made);
    rig.run(70 * S);
}

#[test]
fn one_bad_symbol_costs_no_other() {
    let mut config = spot(&["AAAUSDT", "BBBUSDT", "BADUSDT", "CCCUSDT"]);
    config.silence_ns = 0;
    let mut rig = Rig::new(config);
    let conn = rig.connect();
    rig.frame(conn, r#"{"code":2,"msg":"Invalid request: unknown symbol","id":1}"#);
    rig.answered = 1;
    for _ in 0..120 {
        rig.run(S);
        rig.feed.heard(conn, rig.now);
        let Some(text) = rig.sent.get(rig.answered).cloned() else { continue };
        rig.answered += 1;
        let id = text.rsplit("\"id\":").next().unwrap().trim_end_matches('}').to_owned();
        // Nothing tells that it is for the symbol but that it is so each time.
        let is_bad = text.contains("badusdt");
        let bad = format!(r#"{{"code":2,"msg":"Invalid request","id":{id}}}"#);
        let good = format!(r#"{{"result":null,"id":{id}}}"#);
        rig.frame(conn, if is_bad { &bad } else { &good });
    }
    assert_eq!(rig.state("BADUSDT"), (State::Failed, Reason::Refused));
    for symbol in ["AAAUSDT", "BBBUSDT", "CCCUSDT"] {
        assert_eq!(rig.state(symbol).0, State::Syncing);
        let asked = format!("{}@depth", symbol.to_lowercase());
        assert!(rig.sent.iter().filter(|text| text.contains(&asked)).count() > 1, "{symbol}");
    }
    assert_eq!(rig.closed, []);
}

#[test]
fn requests_never_pass_the_budget_of_frames() {
    let symbols: Vec<String> = (0..2_000).map(|n| format!("S{n}USDT")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let mut rig = Rig::new(spot(&symbols));
    for _ in 0..2 {
        rig.connect();
    }
    rig.run(20 * S);
    let mut per_conn = std::collections::HashMap::<_, Vec<i64>>::new();
    for (conn, at) in &rig.sends {
        per_conn.entry(*conn).or_default().push(*at);
    }
    assert_eq!(rig.sends.len(), 16);
    for times in per_conn.values() {
        for from in times {
            let inside = times.iter().filter(|at| (*from..from + S).contains(at)).count();
            assert!(inside <= 3);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_session() {
    let story = || {
        let mut rig = Rig::new(spot(&["BTCUSDT"]));
        for _ in 0..20 {
            let conn = rig.attempt();
            rig.lose(conn, &Why::Timeout);
        }
        rig.commands.clone()
    };
    let (one, other) = (story(), story());
    assert!(one.len() >= 20 && one.iter().all(|c| matches!(c, Command::Connect { .. })));
    assert_eq!(one, other);
}

#[test]
fn two_lines_write_one_book_and_the_loss_of_one_leaves_it_live() {
    let mut config = spot(&["BTCUSDT"]);
    config.lines.push(LineConfig::default());
    let mut rig = Rig::new(config);
    let (first, second) = (rig.connect(), rig.connect());
    rig.frame(first, &delta("BTCUSDT", 95, 101));
    rig.frame(second, &delta("BTCUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    // The first line loses a message, which the second brings.
    rig.frame(first, &delta("BTCUSDT", 103, 103));
    rig.frame(second, &delta("BTCUSDT", 102, 102));
    rig.lose(first, &Why::Closed(Some(1006)));
    rig.frame(second, &delta("BTCUSDT", 103, 103));
    rig.frame(second, &delta("BTCUSDT", 104, 104));
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    let shown = rig.feed.sessions().filter(|(line, _)| !rig.feed.is_standby(*line));
    let books: Vec<_> = shown.flat_map(|(_, session)| session.books().iter()).collect();
    let [(_, book)] = books[..] else { panic!("one book is shown, not {}", books.len()) };
    assert_eq!((book.local.seq(), book.local.counters().gaps), (Some(104), 0));
    let filled = book.lines().unwrap().stats().map(|(_, stats)| stats.holes_filled);
    assert_eq!(filled.collect::<Vec<_>>(), [0, 1]);
    rig.lose(second, &Why::Closed(Some(1006)));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::Disconnected));
}

#[test]
fn what_passes_over_a_line_is_told_as_its_own() {
    let mut config = spot(&["BTCUSDT"]);
    config.lines.push(LineConfig::default());
    let mut rig = Rig::new(config);
    let (first, second) = (rig.connect(), rig.connect());
    rig.told.passed.clear();
    rig.frame(second, &delta("BTCUSDT", 95, 101));
    rig.answer(200, &[], SNAPSHOT);
    rig.lose(second, &Why::Closed(None));
    rig.run(S);
    let again = rig.accept();
    rig.frame(first, &delta("BTCUSDT", 95, 101));
    assert_eq!(again.place, second.place);
    let at = second.place;
    let passed = [
        (at, "text"),
        (at, "answer"),
        (at, "closed"),
        (at, "opened"),
        (at, "sent"),
        (first.place, "text"),
    ];
    assert_eq!(rig.told.passed, passed);
}

#[test]
fn a_trade_that_several_lines_bring_is_told_once() {
    let mut config = spot(&["BTCUSDT"]);
    config.lines.push(LineConfig::default());
    let mut rig = Rig::new(config);
    let (first, second) = (rig.connect(), rig.connect());
    let trade = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1763600000123,"s":"BTCUSDT","t":12345,"p":"10.0","q":"1","T":1763600000123,"m":true,"M":true}}"#;
    for conn in [first, second] {
        rig.frame(conn, &delta("BTCUSDT", 95, 101));
    }
    for conn in [second, first] {
        rig.frame(conn, trade);
    }
    assert_eq!(rig.told.trades, 1);
    rig.lose(first, &Why::Closed(None));
    rig.frame(second, trade);
    assert_eq!(rig.told.trades, 2, "another line speaks");
    rig.run(S);
    let first = rig.accept();
    rig.frame(second, trade);
    assert_eq!(rig.told.trades, 3, "until the preferred one brings something again");
    rig.frame(first, &delta("BTCUSDT", 102, 103));
    for conn in [second, first] {
        rig.frame(conn, trade);
    }
    assert_eq!(rig.told.trades, 4);
}
