//! Conformance rows C64 to C71: Deribit (protocols.md section 10), one test a row.

#[path = "conformance/line.rs"]
mod line;

use gapless_book::event::{EventKind, TakerSide};
use gapless_book::local::{Reason, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::deribit::Deribit;
use gapless_venues::venue::{Topic, Venue};
use line::{APPLY, LIVE, Line, Step, syncing};

const URL: &str = "wss://www.deribit.com/ws/api/v2";

fn line() -> Line<Deribit> {
    Line::open(Deribit, URL)
}

fn notification(channel: &str, data: &str) -> String {
    let params = format!(r#"{{"channel":"{channel}","data":{data}}}"#);
    format!(r#"{{"jsonrpc":"2.0","method":"subscription","params":{params}}}"#)
}

/// A message of `book.A.raw`; `rest` is every field but symbol and time.
fn book(rest: &str) -> String {
    notification(
        "book.A.raw",
        &format!(r#"{{"timestamp":1700000000000,"instrument_name":"A",{rest}}}"#),
    )
}

fn change(prev: i64, id: i64, bids: &str) -> String {
    let ids = format!(r#""prev_change_id":{prev},"change_id":{id}"#);
    book(&format!(r#""type":"change",{ids},"bids":{bids},"asks":[]"#))
}

const LEVELS: &str = r#""bids":[["new",2.0,1.0]],"asks":[["new",3.0,1.0]]"#;

fn snapshot(id: i64) -> String {
    book(&format!(r#""type":"snapshot","change_id":{id},{LEVELS}"#))
}

#[test]
fn c64_a_typed_snapshot_or_an_untyped_message_that_follows_nothing_opens_the_chain() {
    for head in [
        r#""type":"snapshot","change_id":7"#,
        r#""type":"snapshot","change_id":7,"prev_change_id":null"#,
        r#""change_id":7,"prev_change_id":null"#,
        r#""change_id":7,"prev_change_id":0"#,
        r#""change_id":7"#,
    ] {
        let mut line = line();
        let step = line.frame(&book(&format!("{head},{LEVELS}")));
        assert_eq!(
            (step.kinds, step.transitions),
            (vec![EventKind::Snapshot], vec![Transition::Reset])
        );
        let book = line.book("book.raw", "A");
        assert_eq!((book.state(), book.seq()), (LIVE, Some(7)), "{head}");
        assert_eq!(line.levels("book.raw", "A"), "2x1 | 3x1");
    }
    // What calls itself a change but follows nothing is a gap (protocols.md 0.2).
    for head in [
        r#""type":"change","change_id":9"#,
        r#""type":"change","change_id":9,"prev_change_id":null"#,
    ] {
        let mut line = line();
        line.frame(&snapshot(7));
        let step = line.frame(&book(&format!("{head},{LEVELS}")));
        assert_eq!(step.transitions, [Transition::Invalidated(Reason::Gap)], "{head}");
    }
}

#[test]
fn c65_a_change_that_does_not_follow_is_a_gap_and_the_channel_is_renewed() {
    let mut line = line();
    line.frame(&snapshot(7));
    assert_eq!(line.frame(&change(7, 12, r#"[["new",1.0,4.0]]"#)).verdicts, [APPLY]);
    let step = line.frame(&change(13, 15, r#"[["new",1.5,4.0]]"#));
    assert_eq!(step.verdicts, [Verdict::Gap { expected: 12, got: 13 }]);
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Gap)]);
    assert_eq!((step.actions, step.changes.len()), (vec!["Resubscribe".to_owned()], 0));
    assert_eq!(line.book("book.raw", "A").state(), syncing(Reason::Gap));
    let topic = [Topic { channel: "book.raw", symbol: "A" }];
    let request = |method: &str| {
        let params = r#"{"channels":["book.A.raw"]}"#;
        format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{method}","params":{params}}}"#)
    };
    assert_eq!(Deribit.unsubscribe(&topic, 5), [request("public/unsubscribe")]);
    assert_eq!(Deribit.subscribe(&topic, 5), [request("public/subscribe")]);
    assert_eq!(line.frame(&snapshot(20)).transitions, [Transition::Reset]);
}

#[test]
fn c66_a_delete_of_nothing_changes_nothing_and_a_change_of_nothing_sets() {
    let mut line = line();
    line.frame(&snapshot(7));
    let step = line.frame(&change(7, 8, r#"[["delete",1.25,0.0]]"#));
    assert_eq!((step.verdicts, step.changes.len()), (vec![APPLY], 0));
    assert_eq!(line.levels("book.raw", "A"), "2x1 | 3x1");
    line.frame(&change(8, 9, r#"[["change",1.25,6.0]]"#));
    assert_eq!(line.levels("book.raw", "A"), "2x1 1.25x6 | 3x1");
    assert_eq!(line.book("book.raw", "A").state(), LIVE);
}

#[test]
fn c67_grouped_books_are_replaced_each_time() {
    let mut line = line();
    let image = |id: i64, price: &str| {
        let book = format!(r#""change_id":{id},"bids":[[{price},5.0]],"asks":[]"#);
        let data = format!(r#"{{"timestamp":1,"instrument_name":"A",{book}}}"#);
        notification("book.A.none.10.100ms", &data)
    };
    for (id, price) in [(50, "2.0"), (90, "2.5"), (40, "1.5")] {
        let step = line.frame(&image(id, price));
        assert_eq!((step.kinds, step.verdicts), (vec![EventKind::Top], vec![Verdict::Replace]));
        let book = line.book("book.none.10.100ms", "A");
        assert_eq!((book.state(), book.counters().gaps), (LIVE, 0));
        let best = price.trim_end_matches(".0");
        assert_eq!(line.levels("book.none.10.100ms", "A"), format!("{best}x5 |"));
    }
}

#[test]
fn c68_floats_are_exact_decimals() {
    let mut line = line();
    let levels = r#""bids":[["new",1e-05,42500.0],["new",1.742E-5,1.0]],"asks":[]"#;
    line.frame(&book(&format!(r#""type":"snapshot","change_id":7,{levels}"#)));
    assert_eq!(line.levels("book.raw", "A"), "0.00001742x1 0.00001x42500 |");
}

#[test]
fn c69_a_liquidated_maker_is_on_the_other_side_and_both_are_two_events() {
    let trade = |flag: &str| {
        let ids = r#""trade_seq":1,"trade_id":"4","timestamp":1,"instrument_name":"A""#;
        let rest = r#""price":2.0,"amount":5.0,"direction":"buy""#;
        notification("trades.A.raw", &format!(r#"[{{{ids},{rest},"liquidation":"{flag}"}}]"#))
    };
    let sides = |step: &Step| step.liquidations.iter().map(|(side, _)| *side).collect::<Vec<_>>();
    let step = line().frame(&trade("M"));
    assert_eq!(step.kinds, [EventKind::Trade, EventKind::Liquidation]);
    assert_eq!((step.trades[0].1, sides(&step)), (TakerSide::Buy, vec![TakerSide::Sell]));
    let step = line().frame(&trade("MT"));
    assert_eq!(step.kinds, [EventKind::Trade, EventKind::Liquidation, EventKind::Liquidation]);
    assert_eq!(sides(&step), [TakerSide::Buy, TakerSide::Sell]);
    assert_eq!(sides(&line().frame(&trade("T"))), [TakerSide::Buy]);
}

#[test]
fn c70_a_test_request_is_answered_at_once() {
    let mut line = line();
    let queued = line.session.subscribe(&[Topic { channel: "book.raw", symbol: "A" }]);
    assert_eq!(queued.len(), 1);
    let step =
        line.frame(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#);
    let answer = r#"Send {"jsonrpc":"2.0","id":2,"method":"public/test","params":{}}"#;
    assert_eq!(step.actions, [answer]);
    let step =
        line.frame(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}"#);
    assert_eq!((step.kinds, step.actions), (vec![EventKind::Heartbeat], vec![]));
    // The answer to the test is not taken for that of a subscription.
    let step = line.frame(r#"{"jsonrpc":"2.0","id":2,"result":{"version":"1.2.26"}}"#);
    assert_eq!(step.actions, ["Acked 2"]);
    // Heartbeats come because the connection asks for them first.
    let mut opened = Step::default();
    line.session.connect(URL, &mut opened);
    let asked =
        r#"Send {"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":30}}"#;
    assert_eq!(opened.actions, [asked]);
}

#[test]
fn c71_a_channel_that_the_answer_leaves_out_was_not_subscribed() {
    let mut line = line();
    let topics = [("book.raw", "A"), ("quote", "B"), ("trades.100ms", "C")];
    let topics = topics.map(|(channel, symbol)| Topic { channel, symbol });
    assert_eq!(line.session.subscribe(&topics).len(), 1);
    let step = line.frame(r#"{"jsonrpc":"2.0","id":1,"result":["book.A.raw","trades.C.100ms"]}"#);
    assert_eq!(step.actions, ["SubscribeFailed quote:B", "Acked 1"]);
    // A subscription of several requests is compared request by request.
    let names: Vec<_> = (0..501).map(|i| format!("X{i}")).collect();
    let topics: Vec<_> = names.iter().map(|symbol| Topic { channel: "quote", symbol }).collect();
    assert_eq!(line.session.subscribe(&topics).len(), 2);
    let granted: Vec<_> = names[..500].iter().map(|name| format!("\"quote.{name}\"")).collect();
    let step = line.frame(&format!(r#"{{"id":2,"result":[{}]}}"#, granted.join(",")));
    assert_eq!(step.actions, ["Acked 2"]);
    let step = line.frame(r#"{"id":3,"result":[]}"#);
    assert_eq!(step.actions, ["SubscribeFailed quote:X500", "Acked 3"]);
}
