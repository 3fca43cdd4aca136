//! Conformance rows C72–C89: Tardis (normalized, raw, CSV) and the relay dialect. One test a row.

#[path = "conformance/fed.rs"]
mod fed;

use fed::Line;
use gapless::Replay;
use gapless_book::event::{Side, TimeUnit};
use gapless_book::local::{Integrity, Reason, State, Transition};
use gapless_book::sequence::Verdict;
use gapless_replay::driver::Watcher;
use gapless_venues::binance::BinanceSpot;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::relay::{Flavour, Relay, Scope};
use gapless_venues::session::Handler;
use gapless_venues::tardis::Tardis;
use gapless_venues::venue::{HttpAnswer, RestVerdict, Topic, Venue};
use std::path::PathBuf;

fn tardis() -> Line<Tardis> {
    Line::recorded(Tardis, "")
}

/// A `book_change` of one bid.
fn change(exchange: &str, symbol: &str, snapshot: bool, bid: &str) -> String {
    format!(
        r#"{{"type":"book_change","symbol":"{symbol}","exchange":"{exchange}",
        "isSnapshot":{snapshot},"bids":[{bid}],"asks":[],
        "timestamp":"2026-11-20T20:40:31.449Z","localTimestamp":"2026-11-20T20:40:31.452117Z"}}"#
    )
}

const LEVEL: &str = r#"{"price":10,"amount":1}"#;
const OTHER: &str = r#"{"price":11,"amount":2}"#;

#[test]
fn c72_changes_before_the_first_snapshot_are_ignored() {
    let mut line = tardis();
    line.frame(&change("binance", "A", false, LEVEL));
    assert_eq!(line.verdicts(), [Verdict::Ignore]);
    assert_eq!(line.state("A"), "syncing awaiting_snapshot");
    assert!(line.levels("A").is_empty());
    line.frame(&change("binance", "A", true, OTHER));
    assert_eq!((line.state("A").as_str(), line.levels("A")), ("live", vec!["bid 2@11".into()]));
    line.frame(&change("binance", "A", false, LEVEL));
    assert_eq!(line.levels("A"), ["bid 2@11", "bid 1@10"]);
}

#[test]
fn c73_a_disconnect_without_symbols_voids_every_book_of_its_exchange() {
    let mut line = tardis();
    for (exchange, symbol) in [("bybit", "A"), ("bybit", "B"), ("okex", "C")] {
        line.frame(&change(exchange, symbol, true, LEVEL));
    }
    let disconnect = r#"{"type":"disconnect","exchange":"bybit",
        "localTimestamp":"2026-11-20T20:41:02.118Z""#;
    line.frame(&format!("{disconnect}}}"));
    let lost = "syncing disconnected";
    assert_eq!(["A", "B", "C"].map(|s| line.state(s)), [lost, lost, "live"]);
    line.frame(&change("bybit", "A", false, OTHER));
    assert_eq!(line.state("A"), lost);
    line.frame(&change("bybit", "A", true, OTHER));
    assert_eq!(["A", "B", "C"].map(|s| line.state(s)), ["live", lost, "live"]);
    assert_eq!(line.levels("A"), ["bid 2@11"]);
    line.frame(&change("bybit", "B", true, OTHER));
    line.frame(&format!(r#"{disconnect},"symbols":["B"]}}"#));
    assert_eq!(["A", "B", "C"].map(|s| line.state(s)), ["live", lost, "live"]);
}

#[test]
fn c74_empty_levels_are_skipped_and_half_ones_refuse_the_message() {
    let mut line = tardis();
    line.frame(&change("binance", "A", true, &format!("{{}},{LEVEL},{{}}")));
    assert_eq!((line.state("A").as_str(), line.levels("A")), ("live", vec!["bid 1@10".into()]));
    line.forget().frame(&change("binance", "A", false, &format!(r#"{OTHER},{{"price":1}}"#)));
    assert_eq!(line.told.rejects, ["level book_change A"]);
    assert_eq!(line.transitions(), [Transition::Invalidated(Reason::Rejected)]);
    assert_eq!(line.levels("A"), ["bid 1@10"]);
    line.frame(&change("binance", "A", false, OTHER));
    assert_eq!(line.state("A"), "syncing rejected");
    line.frame(&change("binance", "A", true, OTHER));
    assert_eq!((line.state("A").as_str(), line.levels("A")), ("live", vec!["bid 2@11".into()]));
}

#[test]
fn c75_exponents_and_fractions_of_seconds_are_exact() {
    let mut line = tardis();
    line.frame(&change("binance", "A", true, r#"{"price":1.2e-7,"amount":1E+3}"#));
    assert_eq!(line.levels("A"), ["bid 1000@0.00000012"]);
    for (time, ns, unit) in [
        ("31.123Z", 1_795_207_231_123_000_000i64, TimeUnit::Milli),
        ("31.123456Z", 1_795_207_231_123_456_000, TimeUnit::Micro),
        ("31Z", 1_795_207_231_000_000_000, TimeUnit::Second),
        ("31.124000Z", 1_795_207_231_124_000_000, TimeUnit::Micro),
        ("31.125Z", 1_795_207_231_125_000_000, TimeUnit::Milli),
    ] {
        let frame = change("binance", "A", false, OTHER).replace("31.449Z", time);
        line.frame(&frame);
        let times = line.book("A").last_times();
        assert_eq!((times.venue_ns, times.unit), (ns, unit), "{time}");
        assert_eq!(line.book("A").last_times().recv_ns, 1_795_207_231_452_117_000);
    }
}

/// A file of a recording that lasts as long as the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gapless-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What books went through while a file was replayed.
#[derive(Default)]
struct Story {
    transitions: Vec<Transition>,
    published: Vec<Vec<String>>,
    recv_ns: Vec<i64>,
}

impl Handler for Story {
    fn book(&mut self, _: BookId, entry: &BookEntry, outcome: &gapless_book::local::Outcome) {
        if outcome.transition != Transition::None {
            self.transitions.push(outcome.transition);
        }
        let book = entry.local.last_known();
        let levels = [Side::Bid, Side::Ask].into_iter().flat_map(|side| book.side(side).iter());
        let text = levels.map(|level| {
            let (price, qty) = book.decimals(level);
            format!("{qty}@{price}")
        });
        self.published.push(text.collect());
        self.recv_ns.push(entry.local.last_times().recv_ns);
    }
}

impl Watcher for Story {}

fn replayed(file: &File) -> (Replay, Story) {
    let mut replay = Replay::open([file.0.to_str().unwrap()]).unwrap();
    let mut story = Story::default();
    replay.run(&mut story).unwrap();
    (replay, story)
}

fn generated(id: i64, bids: &str) -> String {
    format!(
        r#"{{"stream":"btcusdt@depthSnapshot","generated":true,"data":{{"lastUpdateId":{id},"bids":[{bids}],"asks":[["2","8"]]}}}}"#
    )
}

fn delta(first: i64, last: i64) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[["1.5","{last}"]],"a":[]}}}}"#
    )
}

#[test]
fn c76_raw_lines_have_ticks_of_100_ns_and_empty_lines_are_one_disconnect() {
    let time = "2026-11-20T20:40:31.45211";
    let lines = [
        format!("{time}70Z {}", generated(100, r#"["1","7"]"#)),
        format!("{time}71Z {}", delta(101, 101)),
        String::new(),
        format!("{time}72Z {}", generated(200, r#"["1","7"]"#)),
        format!("{time}73Z {}", delta(201, 201)),
        String::new(),
        String::new(),
        format!("{time}74Z {}", generated(300, r#"["1","7"]"#)),
        format!("{time}75Z {}", delta(301, 301)),
    ];
    let (replay, story) = replayed(&File::new("raw.ndjson", &lines.join("\n")));
    let lost = Transition::Invalidated(Reason::Disconnected);
    let expected = [Transition::Reset, lost, Transition::Reset, lost, Transition::Reset];
    assert_eq!(story.transitions, expected);
    let book = replay.books().next().unwrap();
    assert_eq!((book.state(), book.seq()), (State::Live, Some(301)));
    assert_eq!(story.recv_ns.last(), Some(&1_795_207_231_452_117_500));
    // Six frames and two disconnects, for three empty lines; the last line has no LF.
    let stats = replay.reader_stats();
    assert_eq!((stats.records, stats.lines, stats.torn_bytes), (8, 8, 0));
}

#[test]
fn c77_a_recorders_snapshot_is_bridged_and_a_second_one_is_an_audit() {
    let mut line = Line::recorded(BinanceSpot, "");
    line.frame(&delta(95, 100)).frame(&delta(101, 105)).frame(&generated(100, r#"["1","7"]"#));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(105)));
    let levels = ["bid 105@1.5", "bid 7@1", "ask 8@2"];
    assert_eq!(line.levels("BTCUSDT"), levels);
    line.forget().frame(&generated(104, r#"["9","9"]"#));
    assert_eq!(line.counters("BTCUSDT").snapshots_ignored, 1);
    line.frame(&generated(106, r#"["1.5","106"],["1","6"]"#));
    assert_eq!((line.state("BTCUSDT").as_str(), line.seq("BTCUSDT")), ("live", Some(105)));
    assert_eq!(line.levels("BTCUSDT"), levels);
    assert!(line.transitions().is_empty());
    line.frame(&delta(106, 106));
    let counters = line.counters("BTCUSDT");
    assert_eq!((counters.audits, counters.audit_differences), (1, 1));
    assert_eq!(line.levels("BTCUSDT"), ["bid 106@1.5", "bid 7@1", "ask 8@2"]);
    assert_eq!((line.state("BTCUSDT").as_str(), counters.snapshots), ("live", 1));
}

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

fn csv(name: &str, rows: &[(u64, bool, &str)]) -> File {
    let mut text = HEADER.to_owned();
    for (time, snapshot, rest) in rows {
        let local = 1_763_596_800_000_000 + time;
        text += &format!("binance,BTCUSDT,{local},{local},{snapshot},{rest}\n");
    }
    File::new(name, &text)
}

#[test]
fn c78_rows_before_the_first_snapshot_are_skipped() {
    let rows = [
        (10, false, "bid,1,1"),
        (20, false, "bid,2,1"),
        (30, true, "bid,3,1"),
        (30, true, "ask,4,1"),
        (40, false, "bid,3.5,2"),
    ];
    let (replay, story) = replayed(&csv("c78.csv", &rows));
    let expected: [&[&str]; 4] = [&[], &[], &["1@3", "1@4"], &["2@3.5", "1@3", "1@4"]];
    assert_eq!(story.published, expected);
    assert_eq!(story.transitions, [Transition::Reset]);
    assert_eq!(replay.books().next().unwrap().state(), State::Live);
}

#[test]
fn c79_a_second_run_of_snapshot_rows_clears_the_book() {
    let rows = [
        (10, true, "bid,1,1"),
        (20, false, "bid,2,1"),
        (30, true, "bid,3,1"),
        (30, true, "ask,4,1"),
    ];
    let (replay, story) = replayed(&csv("c79.csv", &rows));
    assert_eq!(story.published.last().unwrap(), &["1@3", "1@4"]);
    let book = replay.books().next().unwrap();
    assert_eq!((book.counters().snapshots, book.counters().gaps), (2, 0));
}

#[test]
fn c80_a_book_is_published_once_for_the_rows_of_one_receive_time() {
    let rows = [
        (10, true, "bid,1,1"),
        (10, true, "ask,2,1"),
        (20, false, "bid,3,1"),
        (20, false, "ask,2,0"),
        (20, false, "ask,4,1"),
    ];
    let (_, story) = replayed(&csv("c80.csv", &rows));
    // Between its rows the second message would have been crossed.
    assert_eq!(story.published, [vec!["1@1", "1@2"], vec!["1@3", "1@1", "1@4"]]);
    assert_eq!(story.transitions, [Transition::Reset]);
}

/// Best prices of quotes as they were read.
#[derive(Default)]
struct Quotes(Vec<String>);

impl Handler for Quotes {
    fn event(&mut self, event: &gapless_book::event::Event<'_>, _: Option<BookId>) {
        if let gapless_book::event::Body::Bbo(bbo) = event.body {
            self.0.push(format!("{:?} {:?}", bbo.bid, bbo.ask));
        }
    }
}

impl Watcher for Quotes {}

#[test]
fn c81_columns_are_found_by_their_names_and_an_empty_cell_is_no_side() {
    let text = "local_timestamp,bid_price,extra,exchange,ask_amount,symbol,ask_price,timestamp,\
                bid_amount\n1763596800015321,10,x,binance,,BTCUSDT,,1763596800012000,3\n";
    let file = File::new("c81.quotes.csv", text);
    let mut replay = Replay::open([file.0.to_str().unwrap()]).unwrap();
    let mut quotes = Quotes::default();
    replay.run(&mut quotes).unwrap();
    assert_eq!(quotes.0, ["Some((10, 3)) None"]);
}

fn relay() -> Line<Relay> {
    Line::live(Relay { flavour: Flavour::REPLAYED }, "")
}

fn numbered(symbol: &str, seq: i64) -> String {
    format!(
        r#"{{"type":"delta","symbol":"{symbol}","bids":[[1.5,{seq}]],"asks":[],"seqNum":{seq}}}"#
    )
}

const OPEN: &str = r#"{"type":"snapshot","symbol":"A","bids":[[1,7]],"asks":[[2,8]],"seqNum":4}"#;

#[test]
fn c82_a_hole_is_asked_for_and_then_a_snapshot() {
    let mut line = relay();
    line.frame(OPEN).frame(&numbered("A", 5)).frame(&numbered("A", 6));
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(6)));
    let before = line.levels("A");
    line.forget().frame(&numbered("A", 9));
    assert_eq!(line.verdicts(), [Verdict::Gap { expected: 7, got: 9 }]);
    assert_eq!((line.state("A").as_str(), line.levels("A")), ("syncing gap", before));
    // What is missing is asked for, and with it what heals the book without it.
    assert_eq!(line.told.actions, ["repeat 0 7..8", "resubscribe 0"]);
    let post = line.session.venue().repeat_range(7, 8, None).unwrap();
    assert_eq!(post.body, r#"{"start":7,"end":8}"#);
    // Live messages are kept meanwhile; two seconds after the first of them a snapshot is wanted.
    line.forget().frame(&numbered("A", 10)).wait_ms(1_999);
    assert_eq!(line.told.actions, [""; 0]);
    line.wait_ms(1);
    assert_eq!(line.told.actions, ["fetch 0"]);
    let url = "https://relay.example/v1/orderbook/A?depth=100";
    line.rest(url, r#"{"bids":[[1,1]],"asks":[],"sequence":9}"#);
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(10)));
    assert_eq!(line.levels("A"), ["bid 10@1.5", "bid 1@1"]);
}

#[test]
fn c83_a_message_without_a_number_is_no_gap() {
    let mut line = relay();
    line.frame(OPEN).frame(&numbered("A", 5));
    line.frame(r#"{"type":"delta","symbol":"A","bids":[[1,3]],"asks":[]}"#);
    line.frame(&numbered("A", 6));
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(6)));
    assert_eq!(line.levels("A"), ["bid 6@1.5", "bid 3@1", "ask 8@2"]);
    assert_eq!(line.counters("A").gaps, 0);
    assert_eq!(line.book("A").integrity(), Integrity::Weak);
}

#[test]
fn c84_a_notice_of_a_gap_voids_every_book_and_is_sent_back_in_its_own_words() {
    let mut line = relay();
    line.frame(OPEN).frame(&OPEN.replace("\"A\"", "\"B\"")).forget();
    let notice = r#"{"type":"gap_detected","missing_range":[3,17],"start":3,"end":"17x"}"#;
    line.frame(notice);
    assert_eq!(["A", "B"].map(|s| line.state(s)), ["syncing gap_notice", "syncing gap_notice"]);
    assert!(line.told.actions.contains(&format!("repeat notice {notice}")));
    let body = |relay: Relay| {
        let book = Topic { channel: "book", symbol: "okx:A" };
        relay.repeat_notice(notice, Some(&book)).unwrap().body
    };
    assert_eq!(body(Relay { flavour: Flavour::REPLAYED }), r#"{"start":3,"end":"17x"}"#);
    let flavour = Flavour { replay_names_book: true, ..Flavour::REPLAYED };
    assert_eq!(
        body(Relay { flavour }),
        r#"{"start":3,"end":"17x","exchange":"okx","symbol":"A","channel":"book"}"#,
    );
    line.frame(&numbered("A", 5));
    assert_eq!(line.state("A"), "syncing gap_notice");
    line.frame(OPEN);
    assert_eq!(["A", "B"].map(|s| line.state(s)), ["live", "syncing gap_notice"]);
}

#[test]
fn c85_the_longer_of_two_waits_counts() {
    let relay = Relay::default();
    let body = br#"{"error":"Rate limit exceeded","retry_after":5}"#;
    let wait = |header, body| {
        let headers = [("Retry-After", header)];
        relay.rest_verdict(&HttpAnswer { status: 429, headers: &headers, body, now_ms: 0 })
    };
    assert_eq!(wait("3", body), RestVerdict::Retry { wait_ms: 5_000 });
    assert_eq!(wait("9", body), RestVerdict::Retry { wait_ms: 9_000 });
    assert_eq!(wait("x", b""), RestVerdict::Retry { wait_ms: 1_000 });
}

#[test]
fn c86_a_refused_key_is_for_a_person_to_mend() {
    let relay = Relay { flavour: Flavour::PREFIXED };
    let address = relay.socket("hs_test", &Topic { channel: "trades", symbol: "A" });
    assert!(address.url.ends_with("?key=hs_test") && address.authorization.is_none());
    let body = br#"{"error":"Invalid API key"}"#;
    let answer = HttpAnswer { status: 401, body, ..HttpAnswer::default() };
    assert_eq!(relay.rest_verdict(&answer), RestVerdict::Auth);
}

#[test]
fn c87_an_idle_connection_pings_and_a_closed_one_voids_its_books() {
    let mut line = relay();
    line.frame(OPEN).wait_ms(19_000);
    assert!(!line.told.actions.iter().any(|action| action.starts_with("send")));
    line.forget().wait_ms(1_500);
    // An empty text is a WebSocket ping.
    assert_eq!(line.told.actions, ["send "]);
    line.forget().wait_ms(19_000);
    assert!(line.told.actions.is_empty());
    line.wait_ms(1_500);
    assert_eq!(line.told.actions, ["send "]);
    line.session.disconnect(&mut line.told);
    assert_eq!(line.state("A"), "syncing disconnected");
    line.session.connect("", &mut line.told);
    line.frame(&numbered("A", 5));
    assert_eq!(line.state("A"), "syncing disconnected");
    line.frame(OPEN);
    assert_eq!(line.state("A"), "live");
}

/// What one frame after [`OPEN`] told, whole: events with all their fields, levels, outcomes.
fn told_of(frame: &str) -> fed::Told {
    let mut line = relay();
    line.frame(OPEN).forget().frame(frame);
    line.told
}

#[test]
fn c88_every_form_of_levels_and_every_word_for_a_size_is_the_same_event() {
    let mut books = Vec::new();
    let mut trades = Vec::new();
    let book = |level: &str| {
        format!(r#"{{"type":"delta","symbol":"A","bids":[],"asks":[{level}],"seqNum":5}}"#)
    };
    let trade = |word: &str, size: &str| {
        let head = r#""type":"trade","symbol":"A","price":91230.1"#;
        format!(r#"{{{head},"{word}":{size},"side":"buy","seqNum":5}}"#)
    };
    books.push(book("[91230.1,0.52]"));
    books.push(book(r#"["91230.1","0.52"]"#));
    for word in ["size", "quantity", "volume", "amount", "qty"] {
        for (price, size) in [("91230.1", "0.52"), (r#""91230.1""#, r#""0.52""#)] {
            books.push(book(&format!(r#"{{"price":{price},"{word}":{size}}}"#)));
            trades.push(trade(word, size));
        }
    }
    for (frames, kind) in [(&books, "delta book A"), (&trades, "trade trades A")] {
        let first = format!("{:?}", told_of(&frames[0]));
        for frame in frames {
            let told = told_of(frame);
            assert_eq!((told.events[0].0.as_str(), told.events.len()), (kind, 1), "{frame}");
            assert_eq!(format!("{told:?}"), first, "{frame}");
        }
    }
    let told = told_of(&trades[0]);
    assert!(
        told.detail[0].contains("price: 91230.1, size: 0.52, taker: Buy"),
        "{}",
        told.detail[0]
    );
    let mut line = relay();
    line.frame(OPEN).frame(&books[0]);
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(5)));
    assert_eq!(line.levels("A"), ["bid 7@1", "ask 8@2", "ask 0.52@91230.1"]);
}

#[test]
fn c89_symbols_have_their_own_sequences() {
    let mut line = relay();
    let named = |frame: &str, symbol: &str| frame.replace("\"A\"", &format!("\"x:{symbol}\""));
    line.frame(&named(OPEN, "a")).frame(&named(OPEN, "b").replace(":4", ":1000"));
    for (a, b) in [(5, 1001), (6, 1002), (7, 1003)] {
        line.frame(&named(&numbered("A", a), "a")).frame(&named(&numbered("A", b), "b"));
    }
    assert_eq!((line.seq("a"), line.seq("b")), (Some(7), Some(1003)));
    assert_eq!((line.state("a"), line.state("b")), ("live".into(), "live".into()));
    assert_eq!((line.counters("a").gaps, line.counters("b").gaps), (0, 0));
    assert_eq!(line.entry("a").exchange, "x");
}

#[test]
fn a_relays_number_far_below_the_last_is_a_restart() {
    let mut line = relay();
    line.frame(&OPEN.replace(":4", ":5000")).frame(&numbered("A", 5001)).forget();
    line.frame(&numbered("A", 3999));
    assert_eq!(line.state("A"), "syncing restart");
    line.frame(OPEN).frame(&numbered("A", 5));
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(5)));
}

#[test]
fn numbers_shared_by_all_channels_of_a_symbol_make_no_false_gap() {
    let flavour = Flavour { scope: Scope::Symbol, ..Flavour::default() };
    let mut line = Line::live(Relay { flavour }, "wss://relay.example/ws");
    let image = |n: i64| {
        format!(r#"{{"type":"book_depth","symbol":"A","bids":[[1,{n}]],"asks":[],"seqNum":{n}}}"#)
    };
    let trade =
        |n: i64| format!(r#"{{"type":"trade","symbol":"A","price":1,"size":2,"seqNum":{n}}}"#);
    let states = |line: &Line<Relay>| {
        let books = line.session.books();
        ["book", "book_depth"].map(|channel| {
            let local = &books.get(books.find("", channel, "A")?)?.local;
            Some((local.state().0, local.seq(), local.counters().gaps))
        })
    };
    // A trade alone makes no book.
    line.frame(&trade(3));
    assert!(line.session.books().is_empty());
    line.frame(OPEN).frame(&image(5)).frame(&numbered("A", 6)).frame(&trade(7));
    line.frame(&image(8)).frame(&numbered("A", 9));
    let live = Some((State::Live, Some(9), 0));
    assert_eq!(states(&line), [live, live]);
    // The image's count goes on with the others', however long none comes.
    for n in 10..1_020 {
        line.frame(&numbered("A", n));
    }
    line.frame(&image(1_020));
    let live = Some((State::Live, Some(1_020), 0));
    assert_eq!(states(&line), [live, live]);
    // A lost trade is a loss all the same: its number is missing.
    line.frame(&numbered("A", 1_022));
    assert_eq!(states(&line)[0], Some((State::Syncing, None, 1)));
}

#[test]
fn a_relays_images_make_no_gaps_and_one_that_goes_back_is_refused_once() {
    let image = |seq: i64| {
        format!(
            r#"{{"type":"book_depth","symbol":"A","bids":[[1,{seq}]],"asks":[],"seqNum":{seq}}}"#
        )
    };
    let mut line = relay();
    line.frame(&image(10)).frame(&image(15));
    assert_eq!((line.state("A").as_str(), line.seq("A")), ("live", Some(15)));
    line.frame(&image(12));
    assert_eq!(line.state("A"), "syncing sequence_backwards");
    assert_eq!(line.levels("A"), ["bid 15@1"]);
    line.frame(&image(13));
    assert_eq!((line.state("A").as_str(), line.levels("A")), ("live", vec!["bid 13@1".into()]));
}
