//! Lists of instruments: when they are asked for, and what becomes of a book.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::{LineConfig, SourceConfig, Why};
use gapless_venues::registry::VenueId;
use gapless_venues::venue::Market;
use rig::{MS, Rig, S, SNAPSHOT, delta, source, spot};

const HOUR: i64 = 3_600 * S;
const INFO: &str = "https://api.binance.com/api/v3/exchangeInfo";
const DEPTH: &str = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000";

fn listed(config: SourceConfig) -> SourceConfig {
    SourceConfig { lists_ns: Some(HOUR), ..config }
}

/// What Binance says of these symbols and ticks.
fn info(rows: &[(&str, &str)]) -> String {
    let rows = rows.iter().map(|(symbol, tick)| {
        format!(
            r#"{{"symbol":"{symbol}","status":"TRADING","baseAsset":"A","quoteAsset":"B","filters":[
            {{"filterType":"PRICE_FILTER","tickSize":"{tick}"}},
            {{"filterType":"LOT_SIZE","stepSize":"0.001"}}]}}"#
        )
    });
    format!(r#"{{"symbols":[{}]}}"#, rows.collect::<Vec<_>>().join(","))
}

/// A live book of a feed that has read its list.
fn live() -> Rig {
    let mut rig = Rig::new(listed(spot(&["BTCUSDT"])));
    rig.live("BTCUSDT");
    rig.run(S);
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1"), ("OTHER", "1")]));
    assert_eq!((rig.state("BTCUSDT").0, tick(&rig).as_str()), (State::Live, "0.1"));
    rig
}

/// The tick that the book knows.
fn tick(rig: &Rig) -> String {
    let (_, session) = rig.feed.sessions().next().unwrap();
    let (_, entry) = session.books().iter().next().unwrap();
    entry.instrument().map(|row| row.tick.to_string()).unwrap_or_default()
}

/// Lets time pass on the connection accepted last until a list is asked for; how long.
fn until_asked(rig: &mut Rig) -> i64 {
    until_asked_for(rig, INFO)
}

fn until_asked_for(rig: &mut Rig, url: &str) -> i64 {
    let begun = rig.now;
    while !rig.fetch_urls().iter().any(|asked| asked == url) {
        rig.hear();
        rig.run(100 * MS);
        assert!(rig.now - begun < 2 * HOUR);
    }
    rig.now - begun
}

/// The same feed without a limit on silence.
fn quiet(config: SourceConfig) -> SourceConfig {
    SourceConfig { silence_ns: 0, lifetime_ns: None, ..listed(config) }
}

#[test]
fn each_venue_is_asked_for_the_lists_that_its_topics_need() {
    let asked = |config: SourceConfig| {
        let mut rig = Rig::new(listed(config));
        rig.run(1_100 * MS);
        let mut urls = rig.fetch_urls();
        while !rig.fetch_urls().is_empty() {
            rig.answer(404, &[], "");
        }
        rig.run(1_100 * MS);
        urls.extend(rig.fetch_urls());
        urls
    };
    assert_eq!(asked(spot(&["BTCUSDT", "ETHUSDT"])), [INFO]);
    let bybit = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
    let url = "https://api.bybit.com/v5/market/instruments-info?category=";
    assert_eq!(asked(bybit.clone()), [format!("{url}linear&limit=1000")]);
    let spot_of = SourceConfig { market: Market::Spot, ..bybit };
    assert_eq!(asked(spot_of), [format!("{url}spot&limit=1000")]);
    let options = source(VenueId::Bybit, "orderbook.25", &["BTC-26DEC25-100000-C", "BTC-X-1-P"]);
    let options = SourceConfig { market: Market::Option, ..options };
    assert_eq!(asked(options), [format!("{url}option&limit=1000&baseCoin=BTC")]);
    let symbols = ["BTC-USDT", "ETH-USDT-SWAP", "BTC-USD-251226-100000-C", "XRP-USDT"];
    let url = "https://www.okx.com/api/v5/public/instruments?instType=";
    let kinds = ["OPTION&instFamily=BTC-USD", "SPOT", "SWAP"].map(|kind| format!("{url}{kind}"));
    let okx = asked(source(VenueId::Okx, "books", &symbols));
    assert!(okx.iter().all(|url| kinds.contains(url)) && okx.len() >= 2, "{okx:?}");
    let deribit = source(VenueId::Deribit, "book.100ms", &["BTC-PERPETUAL"]);
    let url = "https://www.deribit.com/api/v2/public/get_instruments?currency=any&expired=false";
    assert_eq!(asked(deribit), [url]);
    assert_eq!(asked(source(VenueId::Tardis, "trade", &["bybit:BTCUSDT"])), [""; 0]);
    assert_eq!(asked(source(VenueId::Relay, "orderbook", &["binance:BTCUSDT"])), [""; 0]);
}

#[test]
fn a_list_is_read_again_about_every_hour_and_not_for_all_at_once() {
    let mut rig = Rig::new(quiet(spot(&["BTCUSDT"])));
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(until_asked(&mut rig));
        rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1")]));
    }
    assert!(times[0] <= S, "{times:?}");
    assert!(times[1..].iter().all(|time| *time > HOUR / 8 * 6 && *time <= HOUR), "{times:?}");
    times.dedup();
    assert_eq!((times.len(), rig.feed.counters().lists), (6, 6));
}

#[test]
fn a_book_is_live_while_its_list_is_not_there_and_knows_its_tick_later() {
    let mut rig = Rig::new(listed(spot(&["BTCUSDT"])));
    rig.run(1_100 * MS);
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    assert_eq!(rig.fetch_urls(), [INFO, DEPTH]);
    rig.answer_to(DEPTH, SNAPSHOT);
    assert_eq!((rig.state("BTCUSDT").0, tick(&rig).as_str()), (State::Live, ""));
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1")]));
    assert_eq!((rig.state("BTCUSDT").0, tick(&rig).as_str()), (State::Live, "0.1"));
    // What the list was read from is on record, once.
    let answers = rig.told.passed.iter().filter(|(_, what)| *what == "answer").count();
    assert_eq!(answers, 2);
}

#[test]
fn a_changed_tick_ends_the_epoch_and_a_snapshot_is_asked_for_at_once() {
    let mut rig = live();
    until_asked_with_data(&mut rig);
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.01")]));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::GridChange));
    assert_eq!((rig.fetch_urls(), tick(&rig).as_str()), (vec![DEPTH.to_owned()], "0.01"));
}

/// As [`until_asked`], with news of the book each second.
fn until_asked_with_data(rig: &mut Rig) {
    let (mut last, begun) = (102, rig.now);
    let conn = rig.conn();
    while !rig.fetch_urls().contains(&INFO.to_owned()) {
        rig.frame(conn, &delta("BTCUSDT", last, last));
        rig.run(S);
        last += 1;
        assert!(rig.now - begun < 2 * HOUR);
    }
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
}

#[test]
fn what_two_lists_leave_out_has_failed_and_comes_back_with_the_third() {
    let mut rig = live();
    until_asked_with_data(&mut rig);
    rig.answer_to(INFO, &info(&[("OTHER", "1")]));
    assert_eq!(rig.state("BTCUSDT").0, State::Live, "it may be an error of the list");
    assert!(until_asked(&mut rig) < 61 * S, "it is looked again soon");
    rig.answer_to(INFO, &info(&[("OTHER", "1")]));
    assert_eq!(rig.state("BTCUSDT"), (State::Failed, Reason::Delisted));
    until_asked(&mut rig);
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1")]));
    assert_ne!(rig.state("BTCUSDT").0, State::Failed);
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_delists_nothing() {
    let mut rig = live();
    for _ in 0..3 {
        until_asked(&mut rig);
        rig.answer_to(INFO, &info(&[("BTCUSDT", "0,1"), ("OTHER", "1")]));
        assert_eq!(tick(&rig), "0.1");
    }
    let told = rig.feed.take_trouble().unwrap();
    assert!(told.contains("BTCUSDT: tickSize"), "{told}");
    assert_eq!(rig.feed.take_trouble(), None);
}

#[test]
fn what_is_no_list_changes_nothing_is_told_once_and_asked_for_ever_later() {
    for (status, body) in [
        (200, "<html>busy</html>"),
        (200, r#"{"symbols":[]}"#),
        (200, "{}"),
        (401, "{}"),
        (404, "{}"),
        (502, "<html>"),
    ] {
        let mut rig = Rig::new(quiet(spot(&["BTCUSDT"])));
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(until_asked(&mut rig));
            rig.answer(status, &[], body);
        }
        assert!(waits[2] >= 10 * S && waits[7] >= 300 * S, "{status} {body}: {waits:?}");
        let counters = rig.feed.counters();
        assert_eq!((counters.lists, counters.lists_failed, counters.fetches_failed), (0, 8, 8));
        let told = rig.feed.take_trouble().unwrap();
        assert!(told.starts_with("instruments, /api/v3/exchangeInfo: "), "{told}");
        assert_eq!(rig.feed.take_trouble(), None, "once");
        until_asked(&mut rig);
        rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1")]));
        until_asked(&mut rig);
        rig.answer(status, &[], body);
        assert!(rig.feed.take_trouble().is_some(), "it was well in between");
        // The breaker counts for books: theirs are asked for as if nothing had been.
        let conn = rig.connect();
        rig.frame(conn, &delta("BTCUSDT", 95, 101));
        assert!(rig.fetch_urls().contains(&DEPTH.to_owned()), "{status} {body}");
        rig.answer_to(DEPTH, SNAPSHOT);
        assert_eq!(rig.state("BTCUSDT").0, State::Live, "{status} {body}");
    }
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_books_do_not_wait_for_it() {
    let mut rig = Rig::new(quiet(spot(&["BTCUSDT"])));
    until_asked(&mut rig);
    rig.run(11 * S);
    assert_eq!(rig.feed.counters().lists_failed, 1);
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    rig.answer_to(DEPTH, SNAPSHOT);
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
}

#[test]
fn a_limit_that_a_list_has_met_is_heeded_by_all() {
    let mut rig = Rig::new(quiet(spot(&["BTCUSDT"])));
    until_asked(&mut rig);
    rig.answer(429, &[("Retry-After", "7")], "{}");
    let conn = rig.connect();
    rig.frame(conn, &delta("BTCUSDT", 95, 101));
    assert_eq!(rig.state("BTCUSDT").0, State::Syncing);
    let begun = rig.now;
    while !rig.fetch_urls().contains(&DEPTH.to_owned()) {
        rig.run(100 * MS);
        assert!(rig.now - begun < 8 * S);
    }
}

#[test]
fn pages_are_followed_to_the_last_one() {
    let page = |symbols: &[&str], next: &str| {
        let rows = symbols.iter().map(|symbol| {
            format!(
                r#"{{"symbol":"{symbol}","status":"Trading","baseCoin":"A","quoteCoin":"B",
                "priceFilter":{{"tickSize":"0.5"}},"lotSizeFilter":{{"qtyStep":"1"}}}}"#
            )
        });
        let rows = rows.collect::<Vec<_>>().join(",");
        format!(
            r#"{{"retCode":0,"result":{{"category":"linear","list":[{rows}],"nextPageCursor":"{next}"}}}}"#
        )
    };
    let config = source(VenueId::Bybit, "orderbook.50", &["BTCUSDT"]);
    let mut rig = Rig::new(SourceConfig { silence_ns: 0, ..listed(config) });
    rig.run(1_100 * MS);
    let url = "https://api.bybit.com/v5/market/instruments-info?category=linear&limit=1000";
    rig.answer_to(url, &page(&["A"], "one%3D1"));
    assert_eq!((tick(&rig), rig.feed.counters().lists), (String::new(), 0));
    // A page that cannot be had: from the beginning.
    assert_eq!(rig.fetch_urls(), [format!("{url}&cursor=one%3D1")]);
    rig.answer(200, &[], "<html>");
    until_asked_for(&mut rig, url);
    rig.answer_to(url, &page(&["A"], "one%3D1"));
    rig.answer_to(&format!("{url}&cursor=one%3D1"), &page(&["BTCUSDT"], "two"));
    rig.answer_to(&format!("{url}&cursor=two"), &page(&[], ""));
    assert_eq!((tick(&rig).as_str(), rig.feed.counters().lists), ("0.5", 1));
    // One that names itself, and one that names others for ever.
    until_asked_for(&mut rig, url);
    rig.answer_to(url, &page(&["A"], "same"));
    rig.answer_to(&format!("{url}&cursor=same"), &page(&["A"], "same"));
    assert_eq!((rig.feed.counters().lists_failed, rig.fetch_urls().len()), (2, 0));
    until_asked_for(&mut rig, url);
    let mut pages = 0;
    while let Some(asked) = rig.fetch_urls().pop() {
        pages += 1;
        rig.answer_to(&asked, &page(&["A"], &pages.to_string()));
    }
    assert_eq!((rig.feed.counters().lists_failed, pages), (3, 64));
    assert_eq!(tick(&rig), "0.5");
}

#[test]
fn a_line_that_is_open_asks_for_what_a_changed_tick_wants() {
    let mut config = quiet(spot(&["BTCUSDT"]));
    config.lines.push(LineConfig::default());
    let mut rig = Rig::new(config);
    let (first, second) = (rig.connect(), rig.connect());
    for conn in [first, second] {
        rig.frame(conn, r#"{"result":null,"id":1}"#);
        rig.frame(conn, &delta("BTCUSDT", 95, 101));
    }
    rig.answer_to(DEPTH, SNAPSHOT);
    rig.run(1_100 * MS);
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.1")]));
    assert_eq!((rig.state("BTCUSDT").0, tick(&rig).as_str()), (State::Live, "0.1"));
    rig.lose(first, &Why::Closed(Some(1006)));
    until_asked(&mut rig);
    rig.frame(second, &delta("BTCUSDT", 102, 102));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
    rig.answer_to(INFO, &info(&[("BTCUSDT", "0.01")]));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::GridChange));
    rig.answer_to(DEPTH, &SNAPSHOT.replace("100", "102"));
    rig.frame(second, &delta("BTCUSDT", 103, 103));
    assert_eq!(rig.state("BTCUSDT").0, State::Live);
}
