//! Conformance rows C51 to C63: OKX (protocols.md section 10), one test a row.

#[path = "conformance/line.rs"]
mod line;

use gapless_book::event::{EventKind, Flags};
use gapless_book::local::{Reason, Transition};
use gapless_book::sequence::Verdict;
use gapless_venues::okx::Okx;
use gapless_venues::venue::{Topic, Venue};
use line::{APPLY, LIVE, Line, decimal, syncing};

const URL: &str = "wss://ws.okx.com/ws/v5/public";
const EMPTY: &str = r#""asks":[],"bids":[]"#;

fn line() -> Line<Okx> {
    Line::open(Okx, URL)
}

/// A push of `books` of `A-B`; `rest` is all fields of its one element.
fn push(action: &str, rest: &str) -> String {
    let arg = r#"{"channel":"books","instId":"A-B"}"#;
    format!(r#"{{"arg":{arg},"action":"{action}","data":[{{{rest},"ts":"1700000000000"}}]}}"#)
}

fn chained(action: &str, prev: i64, id: i64, levels: &str) -> String {
    push(action, &format!(r#"{levels},"checksum":0,"seqId":{id},"prevSeqId":{prev}"#))
}

fn update(prev: i64, id: i64) -> String {
    chained("update", prev, id, r#""asks":[],"bids":[["2.0","1","0","1"]]"#)
}

fn snapshot(id: i64) -> String {
    chained("snapshot", -1, id, r#""asks":[["3.0","1","0","1"]],"bids":[["2.0","5","0","1"]]"#)
}

/// A live book at 15.
fn at_15() -> Line<Okx> {
    let mut line = line();
    line.frame(&snapshot(10));
    line.frame(&update(10, 15));
    line
}

/// Checksum of a text, bit by bit: shares nothing with the product's.
fn crc(text: &str) -> i32 {
    let crc = text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    });
    i32::from_ne_bytes((!crc).to_ne_bytes())
}

fn levels(levels: &[(&str, &str)]) -> String {
    let levels: Vec<_> =
        levels.iter().map(|(price, qty)| format!(r#"["{price}","{qty}","0","1"]"#)).collect();
    format!("[{}]", levels.join(","))
}

/// A push as before sequence ids, with a checksum.
fn summed(action: &str, bids: &[(&str, &str)], asks: &[(&str, &str)], checksum: i32) -> String {
    let (bids, asks) = (levels(bids), levels(asks));
    push(action, &format!(r#""asks":{asks},"bids":{bids},"checksum":{checksum}"#))
}

#[test]
fn c51_a_snapshot_opens_the_chain_and_an_update_continues_it() {
    let mut line = line();
    let step = line.frame(&snapshot(10));
    assert_eq!(
        (step.kinds, step.transitions),
        (vec![EventKind::Snapshot], vec![Transition::Reset])
    );
    let step = line.frame(&update(10, 15));
    assert_eq!((step.verdicts, step.changes.len()), (vec![APPLY], 1));
    let book = line.book("books", "A-B");
    assert_eq!((book.state(), book.seq()), (LIVE, Some(15)));
    assert_eq!(line.levels("books", "A-B"), "2x1 | 3x1");
}

#[test]
fn c52_an_update_that_stands_still_without_levels_is_a_heartbeat() {
    let mut line = at_15();
    let step = line.frame(&chained("update", 15, 15, EMPTY));
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Heartbeat], 0));
    assert_eq!(step.transitions, []);
    let book = line.book("books", "A-B");
    assert_eq!((book.state(), book.seq(), book.counters().heartbeats), (LIVE, Some(15), 1));
    // With levels all the same it is applied (ruling 0.6.2).
    assert_eq!(line.frame(&update(15, 15)).verdicts, [APPLY]);
}

#[test]
fn c53_a_maintenance_reset_holds_the_chain_and_lowers_the_anchor() {
    let mut line = at_15();
    for (prev, id) in [(15, 3), (3, 5)] {
        let step = line.frame(&update(prev, id));
        assert_eq!((step.verdicts, step.transitions), (vec![APPLY], vec![]));
        let book = line.book("books", "A-B");
        assert_eq!((book.state(), book.seq()), (LIVE, Some(id)));
    }
}

#[test]
fn c54_an_update_from_ahead_is_a_gap_and_the_channel_is_renewed() {
    let mut line = at_15();
    let step = line.frame(&update(17, 20));
    assert_eq!(step.verdicts, [Verdict::Gap { expected: 15, got: 17 }]);
    assert_eq!(step.transitions, [Transition::Invalidated(Reason::Gap)]);
    assert_eq!((step.actions, step.changes.len()), (vec!["Resubscribe".to_owned()], 0));
    let topic = [Topic { channel: "books", symbol: "A-B" }];
    let arg = r#"{"channel":"books","instId":"A-B"}"#;
    let request = |op: &str| format!(r#"{{"id":"3","op":"{op}","args":[{arg}]}}"#);
    assert_eq!(Okx.unsubscribe(&topic, 3), [request("unsubscribe")]);
    assert_eq!(Okx.subscribe(&topic, 3), [request("subscribe")]);
}

#[test]
fn c55_an_unknown_step_back_is_doubted_until_the_chain_goes_on() {
    let mut line = at_15();
    let step = line.frame(&update(9, 12));
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::Backwards], 0));
    let doubted = Transition::Invalidated(Reason::SequenceBackwards);
    assert_eq!(step.transitions, [doubted]);
    assert_eq!(step.actions, [""; 0]);
    assert_eq!(line.book("books", "A-B").state(), syncing(Reason::SequenceBackwards));
    let epoch = line.book("books", "A-B").epoch();
    let step = line.frame(&update(15, 21));
    assert_eq!((step.verdicts, step.transitions), (vec![APPLY], vec![Transition::Live]));
    let book = line.book("books", "A-B");
    assert_eq!((book.seq(), book.epoch()), (Some(21), epoch));

    let mut line = at_15();
    for id in 1..5 {
        let step = line.frame(&update(id - 1, id));
        assert_eq!((step.verdicts, step.actions), (vec![Verdict::Backwards], vec![]));
    }
    let step = line.frame(&update(4, 5));
    assert_eq!(step.verdicts, [Verdict::Restart]);
    assert_eq!(step.actions, ["Resubscribe"]);
}

#[test]
fn c56_a_checksum_of_zero_is_none() {
    let mut line = at_15();
    let step = line.frame(&update(15, 16));
    assert_eq!((step.transitions, step.actions), (vec![], vec![]));
    let book = line.book("books", "A-B");
    assert_eq!((book.counters().checksum_ok, book.counters().checksum_bad), (0, 0));
    assert_eq!(book.state(), LIVE);
}

/// The vectors of protocols.md 4.6: bids, asks, checksum.
type Vector =
    (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)], i32);
const VECTORS: [Vector; 3] = [
    (
        &[("27450.1", "12.5"), ("27450", "3")],
        &[("27450.2", "0.75"), ("27451", "10")],
        1_480_854_645,
    ),
    (
        &[("0.00001230", "100")],
        &[("0.00001231", "5"), ("0.00001240", "7.50"), ("0.00001300", "1")],
        -1_483_321_135,
    ),
    (&[], &[("5", "1")], -1_449_779_158),
];

#[test]
fn c57_a_checksum_holds_or_the_book_is_not_live_until_the_next_snapshot() {
    for (bids, asks, checksum) in VECTORS {
        let mut line = line();
        let step = line.frame(&summed("snapshot", bids, asks, checksum));
        assert_eq!(step.transitions, [Transition::Reset]);
        assert_eq!(line.book("books", "A-B").counters().checksum_ok, 1);
        // An update without levels has the same checksum; one digit of it flipped has not.
        assert_eq!(line.frame(&summed("update", &[], &[], checksum)).transitions, []);
        let step = line.frame(&summed("update", &[], &[], checksum ^ 1));
        let bad = Transition::Invalidated(Reason::Checksum);
        assert_eq!((step.transitions, step.actions), (vec![bad], vec!["Resubscribe".to_owned()]));
        line.frame(&summed("update", &[], &[], checksum));
        assert_eq!(line.book("books", "A-B").state(), syncing(Reason::Checksum));
        let step = line.frame(&summed("snapshot", bids, asks, checksum));
        assert_eq!(step.transitions, [Transition::Reset]);
        assert_eq!(line.book("books", "A-B").counters().checksum_bad, 1);
    }
    // A digit of a level flipped: the snapshot itself does not hold.
    let (_, asks, checksum) = VECTORS[0];
    let mut line = line();
    line.frame(&summed("snapshot", &[("27450.1", "12.6"), ("27450", "3")], asks, checksum));
    assert_eq!(line.book("books", "A-B").state(), syncing(Reason::Checksum));
}

#[test]
fn c58_one_price_in_two_writings_is_one_level_with_the_text_received_last() {
    let mut line = line();
    let first = crc("1.50:2.0:1.60:1");
    line.frame(&summed("snapshot", &[("1.50", "2.0")], &[("1.60", "1")], first));
    assert_eq!(line.book("books", "A-B").counters().checksum_ok, 1);
    let second = crc("1.5:3:1.60:1");
    line.frame(&summed("update", &[("1.5", "3")], &[], second));
    assert_eq!(line.levels("books", "A-B"), "1.5x3 | 1.6x1");
    let book = line.book("books", "A-B");
    assert_eq!((book.counters().checksum_ok, book.state()), (2, LIVE));
}

#[test]
fn c59_of_a_level_only_the_first_two_elements_are_price_and_size() {
    let mut line = line();
    let levels = r#""asks":[["3.0","7","9","8"]],"bids":[["2.0","5","9"],["1.0","4"]]"#;
    line.frame(&chained("snapshot", -1, 10, levels));
    assert_eq!(line.levels("books", "A-B"), "2x5 1x4 | 3x7");
}

#[test]
fn c60_a_rest_book_joins_only_where_an_update_begins_or_ends() {
    let mut line = line();
    for (prev, id, price) in [(90, 98, "1"), (98, 103, "2"), (103, 110, "3")] {
        let levels = format!(r#""asks":[],"bids":[["{price}","1","0","1"]]"#);
        let step = line.frame(&chained("update", prev, id, &levels));
        assert_eq!(step.verdicts, [Verdict::Hold]);
    }
    // No snapshot in the stream for two seconds: it is fetched.
    assert_eq!(line.wait_ms(2_100).actions, ["Fetch"]);
    let url = format!(
        "https://www.okx.com{}",
        Okx.snapshot_request("books", "A-B", line.entry("books", "A-B").market).unwrap()
    );
    let body = |id: i64| {
        let book = r#""asks":[["9","1","0","1"]],"bids":[["0.5","7","0","1"]]"#;
        format!(r#"{{"code":"0","msg":"","data":[{{{book},"ts":"1","seqId":{id}}}]}}"#)
    };
    let step = line.rest(&url, &body(100));
    assert_eq!((step.verdicts, step.changes.len()), (vec![Verdict::SnapshotTooOld], 0));
    assert_ne!(line.book("books", "A-B").state(), LIVE);
    assert_eq!(line.wait_ms(4_100).actions, ["Fetch"]);
    let step = line.rest(&url, &body(98));
    assert_eq!(step.transitions, [Transition::Reset]);
    assert_eq!(line.levels("books", "A-B"), "3x1 2x1 0.5x7 | 9x1");
    let book = line.book("books", "A-B");
    assert_eq!((book.state(), book.seq()), (LIVE, Some(110)));
    assert_eq!((book.counters().applied, book.counters().duplicates), (2, 1));
}

#[test]
fn c61_a_closing_notice_replaces_the_connection_and_the_rest_is_liveness() {
    let mut line = at_15();
    let closing = r#"{"event":"notice","code":"64008","msg":"closed soon","connId":"a"}"#;
    assert_eq!(line.frame(closing).actions, ["Replace"]);
    let count = r#"{"event":"channel-conn-count","channel":"books","connCount":"2","connId":"a"}"#;
    let step = line.frame(count);
    assert_eq!((step.actions.len(), step.rejects.len()), (0, 0));
    let step = line.frame("pong");
    assert_eq!((step.kinds, step.actions), (vec![EventKind::Heartbeat], vec![]));
    assert_eq!(line.book("books", "A-B").state(), LIVE);
    // A pong counts as received: the next ping comes a whole period after it.
    assert_eq!(line.wait_ms(19_000).actions, [""; 0]);
    assert_eq!(line.wait_ms(1_000).actions, ["Send ping"]);
    assert_eq!(line.frame("ping").actions, ["Send pong"]);
}

#[test]
fn c62_an_empty_predicted_rate_is_absent() {
    let arg = r#"{"channel":"funding-rate","instId":"A-USDT-SWAP"}"#;
    let data = r#"{"instId":"A-USDT-SWAP","fundingRate":"0.0001","nextFundingRate":"","ts":"1"}"#;
    let step = line().frame(&format!(r#"{{"arg":{arg},"data":[{data}]}}"#));
    assert_eq!(step.rejects, [""; 0]);
    assert_eq!(step.derivatives[0].predicted_funding, None);
    assert_eq!(step.derivatives[0].funding_rate, Some(decimal("0.0001")));
}

#[test]
fn c63_the_first_push_of_liquidations_is_history() {
    let mut line = line();
    let push = |ids: &[&str]| {
        let detail = r#"{"bkPx":"3","posSide":"long","side":"sell","sz":"1","ts":"1"}"#;
        let data: Vec<_> = ids
            .iter()
            .map(|id| format!(r#"{{"instId":"{id}","details":[{detail},{detail}]}}"#))
            .collect();
        let arg = r#"{"channel":"liquidation-orders","instType":"SWAP"}"#;
        format!(r#"{{"arg":{arg},"data":[{}]}}"#, data.join(","))
    };
    let historical = |step: &line::Step| {
        // Streams leave out what is not regular (tests/subscriptions.rs).
        let marks = step.names.iter().map(|(_, _, flags)| {
            assert_eq!(flags.is_regular(), !flags.has(Flags::HISTORICAL));
            flags.has(Flags::HISTORICAL)
        });
        marks.collect::<Vec<_>>()
    };
    assert_eq!(historical(&line.frame(&push(&["A-USDT-SWAP", "B-USDT-SWAP"]))), [true; 4]);
    assert_eq!(historical(&line.frame(&push(&["A-USDT-SWAP"]))), [false; 2]);
    line.session.connect(URL, &mut ());
    assert_eq!(historical(&line.frame(&push(&["A-USDT-SWAP"]))), [true; 2]);
}
