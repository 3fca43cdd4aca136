//! Ways in which a wrong book could look live, found by a hostile reading, each with its frames.

#[path = "conformance/fed.rs"]
mod fed;

use fed::Line;
use gapless::Replay;
use gapless_book::local::{Reason, State};
use gapless_venues::binance::BinanceUsdm;
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::okx::Okx;
use gapless_venues::relay::Relay;
use gapless_venues::tardis::Tardis;
use gapless_venues::venue::Venue;

fn state<V: Venue>(line: &Line<V>, channel: &str, symbol: &str) -> (State, Reason) {
    let books = line.session.books();
    books.get(books.find("", channel, symbol).unwrap()).unwrap().local.state()
}

fn untyped(prev: i64, id: i64, levels: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.A-B.raw","data":{{"timestamp":1763600000700,"prev_change_id":{prev},"instrument_name":"A-B","change_id":{id},{levels}}}}}}}"#
    )
}

#[test]
fn a_template_never_decides_what_only_a_number_tells() {
    let mut line = Line::live(Deribit, "wss://www.deribit.com/ws/api/v2");
    let whole = r#""bids":[["new",100.0,1.0],["new",99.0,2.0]],"asks":[["new",101.0,1.0]]"#;
    let change = r#""bids":[["change",100.0,5.0]],"asks":[["change",101.0,2.0]]"#;
    line.frame(&untyped(0, 7, whole)).frame(&untyped(7, 8, change));
    assert_eq!(line.levels("A-B").len(), 3);
    line.frame(&untyped(8, 9, change)).frame(&untyped(0, 20, whole));
    assert_eq!((line.seq("A-B"), line.levels("A-B").len()), (Some(20), 3));
    let counters = line.counters("A-B");
    assert_eq!((counters.snapshots, counters.deltas, counters.gaps), (2, 2, 0));
}

#[test]
fn a_stream_that_can_no_longer_be_told_takes_its_book_with_it() {
    let mut line = Line::live(BinanceUsdm, "wss://fstream.binance.com/ws/btcusdt@depth@100ms");
    let delta = |first: i64, last: i64, prev: i64| {
        format!(
            r#"{{"e":"depthUpdate","E":1763600000456,"T":1763600000449,"s":"BTCUSDT","U":{first},"u":{last},"pu":{prev},"b":[["10","1"]],"a":[["11","1"]]}}"#
        )
    };
    line.frame(&delta(95, 105, 94));
    let body = r#"{"lastUpdateId":100,"bids":[["10","2"]],"asks":[["11","2"]]}"#;
    line.rest("https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000", body);
    assert_eq!(state(&line, "depth", "BTCUSDT"), (State::Live, Reason::None));
    line.sent(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth20"],"id":1}"#);
    line.frame(&delta(106, 110, 105));
    assert_eq!(state(&line, "depth", "BTCUSDT"), (State::Syncing, Reason::Unattributed));
}

#[test]
fn an_unreadable_frame_doubts_books_that_no_chain_protects() {
    let mut line = Line::live(Bybit, "wss://stream.bybit.com/v5/public/linear");
    line.frame(
        r#"{"topic":"orderbook.1.AB","type":"snapshot","ts":1763600000300,"data":{"s":"AB","b":[["10","1"]],"a":[["11","1"]],"u":100,"seq":1},"cts":1763600000297}"#,
    );
    assert_eq!(state(&line, "orderbook.1", "AB"), (State::Live, Reason::None));
    line.frame(r#"{"topic":"orderbook.1.AB","type":"delta","ts":17636"#);
    assert_eq!(state(&line, "orderbook.1", "AB"), (State::Syncing, Reason::Rejected));
}

#[test]
fn a_bad_message_of_one_exchange_leaves_the_same_symbol_of_another_alone() {
    let mut line = Line::recorded(Tardis, "");
    let change = |exchange: &str, bid: &str| {
        format!(
            r#"{{"type":"book_change","symbol":"AB","exchange":"{exchange}","isSnapshot":true,"bids":[{bid}],"asks":[],"timestamp":"2026-11-20T20:40:31.449Z","localTimestamp":"2026-11-20T20:40:31.452Z"}}"#
        )
    };
    let states = |line: &Line<Tardis>| {
        ["bybit", "okex"].map(|exchange| {
            let books = line.session.books();
            let id = books.find(exchange, "book_change", "AB").unwrap();
            books.get(id).unwrap().local.state()
        })
    };
    let (live, rejected) = ((State::Live, Reason::None), (State::Syncing, Reason::Rejected));
    for exchange in ["bybit", "okex"] {
        line.frame(&change(exchange, r#"{"price":10,"amount":1}"#));
    }
    line.frame(&change("bybit", r#"{"price":10}"#));
    assert_eq!(states(&line), [rejected, live]);
    // Whose it was cannot be read: it may have been either's.
    line.frame(&change("bybit", "").replace(r#""bybit""#, "5"));
    assert_eq!(states(&line), [rejected, rejected]);
}

#[test]
fn a_bad_message_of_a_relay_touches_the_book_of_its_exchange() {
    let mut line = Line::live(Relay::default(), "wss://relay.example/ws");
    let message = |kind: &str, exchange: &str, bid: &str, id: i64| {
        format!(
            r#"{{"type":"{kind}","exchange":"{exchange}","symbol":"AB","bids":[{bid}],"asks":[],"sequence":{id}}}"#
        )
    };
    for exchange in ["bybit", "okx"] {
        line.frame(&message("snapshot", exchange, "[10,1]", 7));
    }
    line.frame(&message("delta", "okx", "[10]", 8));
    let states = ["bybit", "okx"].map(|exchange| {
        let books = line.session.books();
        books.get(books.find(exchange, "book", "AB").unwrap()).unwrap().local.state()
    });
    assert_eq!(states, [(State::Live, Reason::None), (State::Syncing, Reason::Rejected)]);
}

fn snapshot(id: i64) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"A-B"}},"action":"snapshot","data":[{{"asks":[["3","1","0","1"]],"bids":[["2","1","0","1"]],"ts":"1763600000601","checksum":0,"seqId":{id},"prevSeqId":-1}}]}}"#
    )
}

#[test]
fn a_frame_of_a_closed_connection_is_not_read() {
    let mut line = Line::live(Okx, "wss://ws.okx.com/ws/v5/public");
    line.frame(&snapshot(1));
    assert_eq!(state(&line, "books", "A-B"), (State::Live, Reason::None));
    line.session.disconnect(&mut line.told);
    line.frame(&snapshot(2));
    assert_eq!(state(&line, "books", "A-B"), (State::Syncing, Reason::Disconnected));
    assert_eq!(line.session.after_close(), 1);
    line.session.connect("wss://ws.okx.com/ws/v5/public", &mut line.told);
    line.frame(&snapshot(3));
    assert_eq!(state(&line, "books", "A-B"), (State::Live, Reason::None));
}

#[test]
fn a_checksum_after_messages_without_one_is_not_held_against_the_book() {
    let mut line = Line::live(Okx, "wss://ws.okx.com/ws/v5/public");
    line.frame(&snapshot(1));
    line.frame(
        r#"{"arg":{"channel":"books","instId":"A-B"},"action":"update","data":[{"asks":[["3","2","0","1"]],"bids":[],"ts":"1763600000701","checksum":123456,"seqId":2,"prevSeqId":1}]}"#,
    );
    assert_eq!(state(&line, "books", "A-B"), (State::Live, Reason::None));
    let counters = line.counters("A-B");
    assert_eq!((counters.checksum_ok, counters.checksum_bad), (0, 0));
}

#[test]
fn a_run_tells_of_everything_that_it_could_not_read() {
    let folder = std::env::temp_dir().join(format!("gapless-several-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let frame = "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\"}";
    for (name, text) in [
        ("a.cap", format!("1\tR\tws\t{frame}\nno time\n2\tR\tws\t{frame}\nnor here\n")),
        ("b.cap", "1\tR\tws\t{\"result\":null,\"id\":1}\n".to_owned()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut replay = Replay::open([folder.display().to_string()]).unwrap();
    let told = replay.run(&mut ()).unwrap_err().to_string();
    let missing = ["/no/such/a.cap", "/no/such/b.cap"].map(str::to_owned);
    let unopened = Replay::open(missing).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    let says = |what: &str| assert!(told.lines().any(|line| line.contains(what)), "{what}: {told}");
    says("a.cap: line 2 ");
    says("a.cap: line 4 ");
    says("b.cap: its frames do not tell the venue");
    assert_eq!((told.lines().count(), unopened.lines().count()), (3, 2), "{told}\n{unopened}");
}

#[test]
fn a_recording_whose_venue_nothing_tells_is_an_error() {
    let path = std::env::temp_dir().join(format!("gapless-untold-{}.cap", std::process::id()));
    std::fs::write(&path, "1\tR\tws\t{\"result\":null,\"id\":1}\n".repeat(5000)).unwrap();
    let mut replay = Replay::open([path.display().to_string()]).unwrap();
    let told = replay.run(&mut ()).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(told.contains("name it with --venue"), "{told}");
}
