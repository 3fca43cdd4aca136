//! Ways in which a wrong book could look live, found by a hostile reading, each with its frames.

#[path = "conformance/fed.rs"]
mod fed;

use fed::Line;
use gapless::Replay;
use gapless_book::lines::{LineNo, LinePolicy};
use gapless_book::local::{Reason, State};
use gapless_venues::binance::{BinanceSpot, BinanceUsdm};
use gapless_venues::books::Books;
use gapless_venues::bybit::Bybit;
use gapless_venues::deribit::Deribit;
use gapless_venues::okx::Okx;
use gapless_venues::relay::{Flavour, Relay, Scope};
use gapless_venues::tardis::Tardis;
use gapless_venues::venue::{Topic, Venue};

const LIVE: (State, Reason) = (State::Live, Reason::None);

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
fn a_body_of_one_channel_is_no_base_of_the_other_with_its_numbers() {
    let url = "wss://fstream.binance.com/stream?streams=btcusdt@depth/btcusdt@rpiDepth@500ms";
    let mut line = Line::live(BinanceUsdm, url);
    for stream in ["depth", "rpiDepth@500ms"] {
        line.frame(&format!(
            r#"{{"stream":"btcusdt@{stream}","data":{{"e":"depthUpdate","E":1763600000456,"T":1763600000449,"s":"BTCUSDT","U":95,"u":105,"pu":94,"b":[["9","1"]],"a":[["12","1"]]}}}}"#
        ));
    }
    let url = |path: &str| format!("https://fapi.binance.com/fapi/v1/{path}?symbol=BTCUSDT");
    let body = |qty: u8| {
        format!(r#"{{"lastUpdateId":100,"bids":[["10","{qty}"]],"asks":[["11","{qty}"]]}}"#)
    };
    line.rest(&url("rpiDepth"), &body(7));
    assert_eq!(state(&line, "rpiDepth", "BTCUSDT"), LIVE);
    assert_eq!(state(&line, "depth", "BTCUSDT").1, Reason::AwaitingSnapshot);
    line.rest(&url("depth"), &body(2));
    assert_eq!(state(&line, "depth", "BTCUSDT"), LIVE);
    let bids = ["depth", "rpiDepth"].map(|channel| {
        let books = line.session.books();
        let local = &books.get(books.find("", channel, "BTCUSDT").unwrap()).unwrap().local;
        local.last_known().best_bid().unwrap().qty
    });
    assert_eq!(bids, [2, 7]);
}

#[test]
fn a_number_that_is_an_empty_text_is_refused() {
    let delta = |first: &str, last: &str| {
        format!(
            r#"{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[],"a":[["12","1"]]}}}}"#
        )
    };
    let mut line = Line::live(BinanceSpot, "wss://stream.binance.com:9443/stream");
    line.frame(&delta("1", r#""""#)).frame(&delta(r#""""#, "1"));
    assert_eq!(line.told.rejects, ["missing_field depth BTCUSDT"; 2]);
    assert!(line.session.books().is_empty());
}

#[test]
fn pictures_that_can_no_longer_be_told_apart_take_their_book_with_them() {
    let picture =
        |id: u8| format!(r#"{{"lastUpdateId":{id},"bids":[["10","{id}"]],"asks":[["11","1"]]}}"#);
    for recorded in [false, true] {
        let open = if recorded { Line::recorded } else { Line::live };
        let mut line = open(BinanceSpot, "wss://stream.binance.com:9443/ws/btcusdt@depth5");
        line.frame(&picture(1));
        assert_eq!(state(&line, "depth5", "BTCUSDT"), LIVE);
        line.sent(r#"{"method":"SUBSCRIBE","params":["ethusdt@depth5"],"id":1}"#);
        line.frame(&picture(2));
        let doubted = (State::Syncing, Reason::Unattributed);
        assert_eq!((state(&line, "depth5", "BTCUSDT"), line.told.unattributed), (doubted, 1));
    }
    // A wrapped picture names its stream: what names none beside it came from elsewhere.
    let url = "wss://stream.binance.com:9443/stream?streams=btcusdt@depth5/ethusdt@depth5";
    let mut line = Line::recorded(BinanceSpot, url);
    line.frame(&format!(r#"{{"stream":"btcusdt@depth5","data":{}}}"#, picture(1)));
    line.frame(&picture(2));
    assert_eq!((state(&line, "depth5", "BTCUSDT"), line.told.unattributed), (LIVE, 1));
}

/// A relay's message that edits or opens a book of `AB` with one bid.
fn relayed(kind: &str, exchange: &str, id: i64) -> String {
    format!(
        r#"{{"type":"{kind}","exchange":"{exchange}","symbol":"AB","bids":[[10,{id}]],"asks":[],"seqNum":{id}}}"#
    )
}

fn relay_states<const N: usize>(line: &Line<Relay>, books: [(&str, &str); N]) -> [Reason; N] {
    let all = line.session.books();
    books.map(|(exchange, channel)| {
        let local = &all.get(all.find(exchange, channel, "AB").unwrap()).unwrap().local;
        assert_eq!(local.state().0 == State::Live, local.state().1 == Reason::None);
        local.state().1
    })
}

#[test]
fn a_body_that_names_no_exchange_is_taken_where_there_is_one_and_else_by_none() {
    let url = "https://relay.example/v1/orderbook/AB?depth=100";
    let body = r#"{"bids":[[10,3]],"asks":[],"sequence":8}"#;
    let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
    line.frame(&relayed("snapshot", "bybit", 6)).frame(&relayed("delta", "bybit", 9));
    line.rest(url, body);
    assert_eq!(relay_states(&line, [("bybit", "book")]), [Reason::None]);
    let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
    for exchange in ["bybit", "okx"] {
        line.frame(&relayed("snapshot", exchange, 6)).frame(&relayed("delta", exchange, 9));
    }
    line.rest(url, body);
    assert_eq!(relay_states(&line, [("bybit", "book"), ("okx", "book")]), [Reason::Gap; 2]);
    assert_eq!((line.told.unattributed, line.session.unclaimed_bytes()), (1, 0));
}

/// A polled book that is live at 8813.
fn polled() -> Line<Relay> {
    let mut line = Line::live(Relay { flavour: Flavour::POLLED }, "");
    line.session.expect("", Topic { channel: "book", symbol: "binance:AB" }, &mut line.told);
    line.rest(&poll("snapshot"), r#"{"bids":[[10,1]],"asks":[[11,1]],"sequence":8812}"#);
    line.rest(&poll("delta"), r#"[{"symbol":"AB","bids":[[10,2]],"asks":[],"sequence":8813}]"#);
    assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::None]);
    line
}

fn poll(what: &str) -> String {
    format!("https://relay.example/v1/orderbook/{what}?exchange=binance&symbol=AB")
}

#[test]
fn updates_that_were_asked_for_and_cannot_be_read_are_a_loss() {
    for body in [
        r#"[{"symbol":"AB","bids":[[10]],"asks":[],"sequence":8814}]"#,
        r#"[{"symbol":"AB","bids":[[10]],"asks":[]},{"symbol":"AB","bids":[[9,1]],"asks":[]}]"#,
        r#"[{"symbol":"AB","sequence":8814}]"#,
        "<html>bad gateway</html>",
        "[5",
    ] {
        let mut line = polled();
        line.rest(&poll("delta"), body);
        assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::Rejected], "{body}");
        line.rest(&poll("snapshot"), r#"{"bids":[],"asks":[[11,1]],"sequence":9000}"#);
        line.rest(&poll("delta"), r#"[{"symbol":"AB","bids":[],"asks":[],"sequence":9001}]"#);
        assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::None], "{body}");
    }
    // A snapshot that cannot be read is asked for again; the stream's book stands.
    let mut line = polled();
    line.rest(&poll("snapshot"), "<html>").rest(&poll("snapshot"), r#"{"bids":[[10]],"asks":[]}"#);
    assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::None]);
    // Where pictures are all that there is, one that cannot be read is the loss of it.
    let mut line = Line::live(Relay { flavour: Flavour::POLLED }, "");
    line.session.expect("", Topic { channel: "book", symbol: "binance:AB" }, &mut line.told);
    line.rest(&poll("snapshot"), r#"{"bids":[[10,1]],"asks":[[11,1]]}"#);
    assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::None]);
    line.rest(&poll("snapshot"), "<html>");
    assert_eq!(relay_states(&line, [("binance", "book")]), [Reason::Rejected]);
}

fn counted_together() -> Line<Relay> {
    let flavour = Flavour { scope: Scope::Symbol, ..Flavour::default() };
    Line::live(Relay { flavour }, "wss://relay.example/ws")
}

fn sold(id: i64) -> String {
    format!(
        r#"{{"type":"trade","exchange":"x","symbol":"AB","price":1,"size":2,"side":"sell","seqNum":{id}}}"#
    )
}

#[test]
fn a_trades_number_heals_no_picture_that_was_refused() {
    let mut line = counted_together();
    let book = [("x", "book_depth")];
    line.frame(&relayed("book_depth", "x", 5));
    line.frame(&relayed("book_depth", "x", 6).replace("[10,6]", "[10]"));
    assert_eq!(relay_states(&line, book), [Reason::Rejected]);
    line.frame(&sold(7));
    assert_eq!(relay_states(&line, book), [Reason::Rejected]);
    let crossed = relayed("book_depth", "x", 8).replace(r#""asks":[]"#, r#""asks":[[9,1]]"#);
    line.frame(&crossed).forget();
    for id in 9..15 {
        line.frame(&sold(id));
    }
    assert_eq!(relay_states(&line, book), [Reason::Crossed]);
    assert_eq!(line.told.actions, [""; 0]);
    line.frame(&relayed("book_depth", "x", 15));
    assert_eq!(relay_states(&line, book), [Reason::None]);
}

#[test]
fn levels_that_waited_for_another_lines_trade_are_told() {
    let mut lines = [counted_together(), counted_together()];
    for (no, line) in (0..).zip(&mut lines) {
        line.session.set_line(LineNo(no), LinePolicy::default());
    }
    let mut on = |at: usize, frame: &str| {
        let mut books = Books::default();
        let mut lend = |lines: &mut [Line<Relay>; 2]| {
            for place in [0, at, 0].into_iter().filter(|_| at != 0) {
                lines[place].session.lend(&mut books);
            }
        };
        lend(&mut lines);
        lines[at].forget().frame(frame);
        lend(&mut lines);
        lines[at].told.levels.iter().map(|(_, level, _)| level.qty).collect::<Vec<_>>()
    };
    for at in [0, 1] {
        on(at, &relayed("snapshot", "x", 4));
    }
    // Line 0 has lost the trade between.
    assert_eq!(on(0, &relayed("delta", "x", 6)), [0; 0]);
    assert_eq!(on(1, &sold(5)), [6]);
}

#[test]
fn what_a_relay_repeats_fills_the_hole_and_harms_nothing() {
    let replay = "https://relay.example/v1/replay";
    let deltas = |ids: std::ops::Range<i64>| {
        let all: Vec<_> = ids.map(|id| relayed("delta", "x", id)).collect();
        format!("[{}]", all.join(","))
    };
    let gapped = || {
        let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
        line.frame(&relayed("snapshot", "x", 6)).frame(&relayed("delta", "x", 20));
        assert_eq!(line.state("AB"), "syncing gap");
        line.forget();
        line
    };
    let stands = |line: &Line<Relay>| (line.state("AB"), line.seq("AB"), line.levels("AB"));
    let live = |seq: i64| ("live".to_owned(), Some(seq), vec![format!("bid {seq}@10")]);
    let snapshot = |line: &mut Line<Relay>| {
        let url = "https://relay.example/v1/orderbook/AB?depth=100";
        line.rest(url, r#"{"bids":[[10,20]],"asks":[],"sequence":20}"#);
        line.frame(&relayed("delta", "x", 21));
        assert_eq!(stands(line), live(21));
    };
    // Whole and in order, in one answer or in two: the book goes on.
    let mut line = gapped();
    line.rest(replay, &deltas(7..12)).rest(replay, &deltas(9..15));
    assert_eq!(line.state("AB"), "syncing gap");
    line.rest(replay, &deltas(15..20));
    assert_eq!((stands(&line), line.book("AB").epoch()), (live(20), 1));
    // Not from its start, or after the snapshot was there: it does nothing.
    let mut line = gapped();
    line.rest(replay, &deltas(8..20));
    assert_eq!(line.state("AB"), "syncing gap");
    line.rest(replay, &deltas(7..9));
    snapshot(&mut line);
    line.forget().rest(replay, &deltas(7..20));
    assert_eq!((stands(&line), line.transitions().len()), (live(21), 0));
    line.rest(replay, &relayed("snapshot", "x", 30));
    line.rest(replay, &relayed("book_depth", "x", 30)).rest(replay, r#"[{"type":"delta"}]"#);
    assert_eq!((stands(&line), line.session.books().len()), (live(21), 1));
    assert_eq!((line.counters("AB").backwards, line.told.actions.len()), (0, 0));
    // The same where the relay says that it lost something, before or after it shows.
    let notice = r#"{"type":"gap_detected","start":7,"end":19}"#;
    for before in [true, false] {
        let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
        line.frame(&relayed("snapshot", "x", 6));
        if before {
            line.frame(notice).frame(&relayed("delta", "x", 20));
        } else {
            line.frame(&relayed("delta", "x", 20)).frame(notice);
        }
        assert_eq!(line.state("AB"), "syncing gap_notice");
        line.rest(replay, &deltas(7..20));
        assert_eq!(stands(&line), live(20));
    }
    // Or before anything comes after it.
    let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
    line.frame(&relayed("snapshot", "x", 6)).frame(notice).rest(replay, &deltas(7..20));
    assert_eq!(line.state("AB"), "syncing gap_notice");
    line.frame(&relayed("delta", "x", 20));
    assert_eq!(stands(&line), live(20));
}

#[test]
fn updates_under_one_number_are_one_message() {
    let mut line = Line::live(Relay { flavour: Flavour::REPLAYED }, "");
    for symbol in ["AB", "CD"] {
        line.frame(&relayed("snapshot", "x", 4).replace("AB", symbol));
    }
    let part = |symbol: &str, bid: &str| {
        format!(r#"{{"exchange":"x","symbol":"{symbol}","bids":[{bid}],"asks":[]}}"#)
    };
    let frame = |id: i64, parts: &[String]| {
        format!(r#"{{"type":"delta","seqNum":{id},"data":[{}]}}"#, parts.join(","))
    };
    let parts =
        [part("AB", "[10,0]"), part("CD", "[10,5]"), part("AB", "[10,8]"), part("AB", "[9.5,2]")];
    line.frame(&frame(5, &parts));
    assert_eq!(line.levels("AB"), ["bid 8@10", "bid 2@9.5"]);
    assert_eq!((line.levels("CD"), line.seq("CD")), (vec!["bid 5@10".into()], Some(5)));
    assert_eq!((line.seq("AB"), line.state("AB")), (Some(5), "live".into()));
    assert_eq!((line.counters("AB").applied, line.counters("AB").duplicates), (1, 0));
    // One that cannot be read takes the others of its book with it.
    line.frame(&frame(6, &[part("AB", "[10,1]"), part("CD", "[10,6]"), part("AB", "[10]")]));
    assert_eq!(line.state("AB"), "syncing rejected");
    assert_eq!((line.state("CD"), line.seq("CD")), ("live".into(), Some(6)));
    assert_eq!(line.levels("AB"), ["bid 8@10", "bid 2@9.5"]);
    // With numbers of their own they are messages of their own.
    let own = |id: i64| part("CD", "[10,7]").replace('}', &format!(r#","seqNum":{id}}}"#));
    line.frame(&format!(r#"{{"type":"delta","data":[{},{}]}}"#, own(7), own(8)));
    assert_eq!((line.state("CD"), line.seq("CD")), ("live".into(), Some(8)));
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
