//! Tardis CSV: grouping, refusals and columns, against a reader that is deliberately simple.

use std::collections::BTreeMap;
use std::io::Cursor;

use gapless_book::decimal::Decimal;
use gapless_book::event::{Body, BookKind, Event, NO_TIME, Side};
use gapless_replay::csv::{Options, Reader, Reject, Sink};
use gapless_replay::error::FileName;
use gapless_replay::lines::Lines;
use proptest::prelude::*;

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

/// Everything that a file gives, one line of text per event or reject, `--` after each batch.
#[derive(Default)]
struct Log(Vec<String>);

fn price_and_size(event: &Event<'_>) -> String {
    let Body::Book(book) = &event.body else { return String::new() };
    let mut text = String::new();
    for (side, levels) in [("b", book.bids), ("a", book.asks)] {
        for level in levels {
            let price = Decimal::new(level.price, book.scales.price);
            let qty = Decimal::new(level.qty, book.scales.qty);
            text += &format!(" {side}{price}x{qty}");
        }
    }
    text
}

impl Sink for Log {
    fn event(&mut self, event: &Event<'_>) {
        let kind = event.kind().name();
        let rest = match &event.body {
            Body::Book(_) => price_and_size(event),
            Body::Trade(t) => format!(" {} {}x{} {:?}", t.id, t.price, t.size, t.taker),
            Body::Liquidation(l) => format!(" {} {}x{} {:?}", l.id, l.price, l.size, l.side),
            Body::Bbo(bbo) => format!(" {:?} {:?}", bbo.bid, bbo.ask),
            Body::Derivative(d) => format!(" {:?} {:?} {:?}", d.mark, d.index, d.funding_time_ns),
            _ => String::new(),
        };
        self.0.push(format!("{}:{} {kind}{rest}", event.exchange, event.symbol));
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        let symbol = reject.symbol.unwrap_or("?");
        self.0.push(format!("{symbol} refused {} line {}", reject.reason.name(), reject.line));
    }
}

fn read_as(text: &str, file: &str, options: Options) -> Vec<String> {
    let lines = Lines::new(Cursor::new(text.as_bytes().to_vec()), FileName::new(file));
    let mut reader = Reader::new(lines, options).unwrap();
    let mut log = Log::default();
    while reader.advance().unwrap() {
        reader.emit(&mut log);
        log.0.push("--".into());
    }
    log.0
}

fn read(rows: &str) -> Vec<String> {
    read_as(&format!("{HEADER}{rows}"), "f.csv", Options::default())
}

#[test]
fn c78_rows_before_the_first_snapshot_are_deltas_and_the_snapshot_clears() {
    let log = read(concat!(
        "x,A,1,10,false,bid,1,1\n",
        "x,A,1,20,false,bid,2,1\n",
        "x,A,1,30,true,bid,3,1\n",
        "x,A,1,30,true,ask,4,1\n",
        "x,A,1,40,false,bid,3,0\n",
    ));
    let expected = [
        "x:A delta b1x1",
        "--",
        "x:A delta b2x1",
        "--",
        "x:A snapshot b3x1 a4x1",
        "--",
        "x:A delta b3x0",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn c79_a_second_run_of_snapshot_rows_is_a_second_snapshot() {
    let log = read(concat!(
        "x,A,1,10,true,bid,1,1\n",
        "x,A,1,20,false,bid,2,1\n",
        "x,A,1,30,true,bid,3,1\n",
        // No delta between them, but another receive time.
        "x,A,1,40,true,bid,5,1\n",
    ));
    let kinds: Vec<&str> = log.iter().map(|l| l.split(' ').nth(1).unwrap_or("--")).collect();
    assert_eq!(kinds, ["snapshot", "--", "delta", "--", "snapshot", "--", "snapshot", "--"]);
    let whole = Options { split_snapshots_on_local_ts: false, ..Options::default() };
    let rows = format!("{HEADER}x,A,1,30,true,bid,3,1\nx,A,1,40,true,bid,5,1\n");
    let expected = ["x:A snapshot b3x1", "--", "x:A delta b5x1", "--"];
    assert_eq!(read_as(&rows, "f.csv", whole), expected);
}

#[test]
fn c80_rows_of_one_receive_time_are_one_message_per_symbol() {
    let log = read(concat!(
        "x,A,1,10,true,bid,1.5,1\n",
        "x,B,1,10,true,ask,7,1\n",
        "x,A,2,10,true,ask,2,0.25\n",
        "x,A,3,20,false,bid,1.5,0\n",
        "x,A,3,20,false,bid,1.25,3\n",
    ));
    let expected = [
        "x:A snapshot b1.5x1 a2x0.25",
        "x:B snapshot a7x1",
        "--",
        "x:A delta b1.5x0 b1.25x3",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn c81_columns_are_found_by_name_and_an_empty_price_is_an_absent_side() {
    let text = concat!(
        "bid_amount,extra,symbol,ask_price,bid_price,exchange,",
        "local_timestamp,timestamp,ask_amount\n",
        "2,?,A,,1.5,x,20,10,\n",
        "2,?,A,1.6,1.5,x,20,10,3\n",
    );
    let log = read_as(text, "quotes.csv", Options::default());
    let expected =
        ["x:A bbo Some((1.5, 2)) None", "--", "x:A bbo Some((1.5, 2)) Some((1.6, 3))", "--"];
    assert_eq!(log, expected);
    let text = concat!(
        "amount,side,price,more,is_snapshot,local_timestamp,timestamp,symbol,exchange\n",
        "1,bid,2,x,true,10,1,A,x\n",
        "3,ask,4,x,true,10,1,A,x\n",
    );
    assert_eq!(read_as(text, "f", Options::default()), ["x:A snapshot b2x1 a4x3", "--"]);
}

#[test]
fn a_bad_row_refuses_its_own_message_and_no_other() {
    let log = read(concat!(
        "x,A,1,10,true,bid,1,1\n",
        "x,B,1,10,true,bid,1,1\n",
        // The first row of the next message of A.
        "x,A,1,20,true,bid,NaN,1\n",
        "x,A,1,20,true,bid,3,1\n",
        "x,B,1,20,false,bid,3,1\n",
        "x,A,1,30,maybe,bid,3,1\n",
        "x,A,1,40,false,middle,3,1\n",
        "x,A,1,50,false,bid,3,-1\n",
        "x,A,1,60,false,bid,3\n",
        "x,A,1,70,false,bid,3,1,9\n",
        "x,A,1,80,false,bid,3,\n",
    ));
    let expected = [
        "x:A snapshot b1x1",
        "x:B snapshot b1x1",
        "--",
        "A refused number line 4",
        "x:B delta b3x1",
        "--",
        "A refused flag line 7",
        "--",
        "A refused side line 8",
        "--",
        "A refused negative_size line 9",
        "--",
        "A refused cells line 10",
        "--",
        "A refused cells line 11",
        "--",
        "A refused number line 12",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn a_row_of_unknown_time_spoils_both_messages_that_it_may_belong_to() {
    let log = read(concat!(
        "x,A,1,10,true,bid,1,1\n",
        "x,A,1,soon,true,bid,2,1\n",
        "x,A,1,20,true,bid,3,1\n",
        // Between two rows of one message it is of that message.
        "x,A,1,30,true,bid,3,1\n",
        "x,A,1,,true,bid,3,1\n",
        "x,A,1,30,true,bid,4,1\n",
        "x,A,1,40,true,bid,5,1\n",
    ));
    let expected = [
        "A refused time line 3",
        "--",
        "A refused time line 3",
        "--",
        "A refused time line 6",
        "--",
        "x:A snapshot b5x1",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn a_row_without_a_readable_symbol_concerns_every_book() {
    let log = read(concat!(
        "x,A,1,10,true,bid,1,1\n",
        "rubbish\n",
        "x,B,1,20,true,bid,3,1\n",
        "x,,1,20,true,bid,3,1\n",
        "x,B,1,20,true,bid,4,1\n",
        "x,B,1,30,true,bid,5,1\n",
    ));
    let expected = [
        "x:A snapshot b1x1",
        "? refused cells line 3",
        "--",
        "x:B snapshot b3x1 b4x1",
        "? refused cells line 3",
        "--",
        "x:B snapshot b5x1",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn too_many_rows_of_unknown_time_spoil_every_book_of_the_next_message() {
    let bad: String = (0..66).map(|n| format!("x,S{n},1,soon,true,bid,2,1\n")).collect();
    let rows = format!("x,A,1,10,true,bid,1,1\n{bad}x,A,1,20,true,bid,3,1\n");
    let log = read(&rows);
    let last = log.iter().rposition(|line| line.starts_with("x:A snapshot")).unwrap();
    assert_eq!(log[last + 1..], ["? refused time line 67", "--"]);
}

#[test]
fn an_unreadable_flag_does_not_begin_a_snapshot_after_it() {
    let whole = Options { split_snapshots_on_local_ts: false, ..Options::default() };
    let rows =
        format!("{HEADER}x,A,1,10,true,bid,1,1\nx,A,1,20,yes,bid,2,1\nx,A,1,30,true,bid,3,1\n");
    let log = read_as(&rows, "f", whole);
    assert_eq!(log[2..], ["A refused flag line 3", "--", "x:A delta b3x1", "--"]);
}

#[test]
fn a_refused_message_leaves_no_scale_behind() {
    let log = read(concat!(
        "x,A,1,10,false,bid,0.0000000001,1\n",
        "x,A,1,20,false,bid,10000000000,1\n",
        "x,A,1,30,false,bid,10000000000,1\n",
    ));
    let expected = [
        "x:A delta b0.0000000001x1",
        "--",
        "A refused scale line 3",
        "--",
        "x:A delta b10000000000x1",
        "--",
    ];
    assert_eq!(log, expected);
}

#[test]
fn numbers_that_fit_no_common_scale_refuse_the_message() {
    let log = read(concat!(
        "x,A,1,10,true,bid,10000000000,1\n",
        "x,A,1,10,true,bid,0.0000000001,1\n",
        "x,A,1,20,true,bid,10000000000,9999999999999999.0000000000000000\n",
    ));
    let expected =
        ["A refused scale line 3", "--", "x:A snapshot b10000000000x9999999999999999", "--"];
    assert_eq!(log, expected);
}

#[test]
fn a_last_line_without_lf_is_dropped_and_counted() {
    let text = format!("{HEADER}x,A,1,10,true,bid,1,1\nx,A,1,20,false,bid,1,1");
    let lines = Lines::new(Cursor::new(text.into_bytes()), FileName::new("f"));
    let mut reader = Reader::new(lines, Options::default()).unwrap();
    assert!(reader.advance().unwrap());
    assert!(!reader.advance().unwrap());
    assert_eq!((reader.stats().torn_bytes, reader.stats().records), (22, 1));
}

#[test]
fn times_are_microseconds_or_nanoseconds_by_their_size() {
    struct Times(Vec<(i64, i64)>);
    impl Sink for Times {
        fn event(&mut self, event: &Event<'_>) {
            self.0.push((event.times.venue_ns, event.times.recv_ns));
        }
        fn reject(&mut self, _: &Reject<'_>) {}
    }
    let rows = concat!(
        // Microseconds still, and more of them than nanoseconds can say.
        "x,B,,100000000000000000,false,bid,1,1\n",
        "x,A,1617647603816491,1617647603816492,false,bid,1,1\n",
        "x,A,1617647603816491001,1617647603816492002,false,bid,1,1\n",
        "x,A,,1617647603816492003,false,bid,1,1\n",
    );
    let text = format!("{HEADER}{rows}");
    let lines = Lines::new(Cursor::new(text.into_bytes()), FileName::new("f"));
    let mut reader = Reader::new(lines, Options::default()).unwrap();
    let mut times = Times(Vec::new());
    while reader.advance().unwrap() {
        reader.emit(&mut times);
    }
    let expected = [
        (1_617_647_603_816_491_000, 1_617_647_603_816_492_000),
        (1_617_647_603_816_491_001, 1_617_647_603_816_492_002),
        (NO_TIME, 1_617_647_603_816_492_003),
    ];
    assert_eq!(times.0, expected);
}

#[test]
fn every_other_dataset_gives_one_event_a_row() {
    let base = "exchange,symbol,timestamp,local_timestamp";
    let cases = [
        (
            "id,side,price,amount",
            "t-1,sell,8531.50,2152",
            "trades.csv",
            "x:A trade t-1 8531.5x2152 Sell",
        ),
        (
            "id,side,price,amount",
            ",buy,8531.5,2152",
            "liquidations.csv",
            "x:A liquidation  8531.5x2152 Buy",
        ),
        ("id,side,price,amount", ",both,8531.5,2152", "trades.csv", "A refused side line 2"),
        (
            "funding_timestamp,index_price,mark_price",
            "20,,1e-7",
            "f",
            "x:A derivative Some(0.0000001) None Some(20000)",
        ),
        (
            "asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,\
             asks[1].price,asks[1].amount,bids[1].price,bids[1].amount",
            "2,5,1.5,6,,,1.25,7",
            "f",
            "x:A top b1.5x6 b1.25x7 a2x5",
        ),
        (
            "asks[0].price,asks[0].amount,bids[0].price,bids[0].amount",
            "2,,1.5,6",
            "f",
            "A refused level line 2",
        ),
        ("type,strike_price", "call,5", "f", "x:A other"),
        ("type,strike_price", "call", "f", "? refused cells line 2"),
    ];
    for (columns, row, file, expected) in cases {
        let text = format!("{base},{columns}\nx,A,1,2,{row}\n");
        assert_eq!(read_as(&text, file, Options::default()), [expected, "--"]);
    }
}

type Sides = [BTreeMap<i64, i64>; 2];

/// One row of a generated file: symbol, receive time, snapshot, side, price, size.
type Row = (u8, i64, bool, bool, i64, i64);

/// Books after each receive time by the reconstruction of protocols.md 6.5, row by row.
fn naive(rows: &[Row]) -> Vec<BTreeMap<u8, Sides>> {
    let (mut books, mut states) = (BTreeMap::<u8, Sides>::new(), Vec::new());
    let mut before: BTreeMap<u8, (bool, i64)> = BTreeMap::new();
    for (at, &(symbol, time, snapshot, bid, price, size)) in rows.iter().enumerate() {
        let previous = before.insert(symbol, (snapshot, time));
        if snapshot && previous != Some((true, time)) {
            books.insert(symbol, Sides::default());
        }
        if let Some(book) = books.get_mut(&symbol) {
            let side = &mut book[usize::from(bid)];
            if size == 0 {
                side.remove(&price)
            } else {
                side.insert(price, size)
            };
        }
        if rows.get(at + 1).is_none_or(|next| next.1 != time) {
            states.push(books.clone());
        }
    }
    states
}

#[derive(Default)]
struct Books(BTreeMap<u8, Sides>);

impl Sink for Books {
    fn event(&mut self, event: &Event<'_>) {
        let Body::Book(message) = &event.body else { panic!("not a book") };
        let symbol = event.symbol.as_bytes()[0];
        if message.kind == BookKind::Snapshot {
            self.0.insert(symbol, Sides::default());
        }
        let Some(book) = self.0.get_mut(&symbol) else { return };
        for (side, levels) in [(Side::Bid, message.bids), (Side::Ask, message.asks)] {
            for level in levels {
                let map = &mut book[usize::from(side == Side::Bid)];
                let whole = |value: i64, scale: u8| value / 10i64.pow(scale.into());
                let price = whole(level.price, message.scales.price);
                let qty = whole(level.qty, message.scales.qty);
                if qty == 0 {
                    map.remove(&price)
                } else {
                    map.insert(price, qty)
                };
            }
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        panic!("{reject:?}");
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (b'A'..=b'C', 0i64..3, any::<bool>(), any::<bool>(), 1i64..6, 0i64..4);
    proptest::collection::vec(row, 0..60).prop_map(|mut rows| {
        // Times never fall, and often stay the same.
        let mut time = 1;
        for row in &mut rows {
            time += row.1 / 2;
            row.1 = time;
        }
        rows
    })
}

/// Bytes that are often cells and lines.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(b','), Just(b'\n'), any::<u8>()], 0..300)
}

proptest! {
    #[test]
    fn books_after_every_receive_time_are_those_of_the_naive_reconstruction(
        rows in rows(), extra_column in any::<bool>(),
    ) {
        let mut text = HEADER.trim_end().to_owned();
        text += if extra_column { ",more\n" } else { "\n" };
        for (symbol, time, snapshot, bid, price, size) in &rows {
            let (symbol, side) = (char::from(*symbol), if *bid { "bid" } else { "ask" });
            let more = if extra_column { ",?" } else { "" };
            // Times as long as real ones: the quick way compares sixteen bytes at once.
            let time = 1_617_647_603_816_491 + time;
            text += &format!("x,{symbol},1,{time},{snapshot},{side},{price}.0,{size}{more}\n");
        }
        let lines = Lines::new(Cursor::new(text.into_bytes()), FileName::new("f"));
        let mut reader = Reader::new(lines, Options::default()).unwrap();
        let (mut books, mut states) = (Books::default(), Vec::new());
        while reader.advance().unwrap() {
            reader.emit(&mut books);
            states.push(books.0.clone());
        }
        prop_assert_eq!(states, naive(&rows));
    }

    #[test]
    fn any_bytes_after_a_header_end_without_a_panic(
        bytes in hostile(),
        dataset in 0usize..3,
    ) {
        let header = [
            HEADER,
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n",
            "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,\
             bids[0].price,bids[0].amount\n",
        ][dataset];
        let text = [header.as_bytes(), &bytes].concat();
        let lines = Lines::new(Cursor::new(text), FileName::new("f"));
        let mut reader = Reader::new(lines, Options::default()).unwrap();
        let mut log = Log::default();
        while reader.advance().unwrap() {
            reader.emit(&mut log);
        }
        let rows = bytes.iter().filter(|b| **b == b'\n').count();
        prop_assert_eq!(reader.stats().records as usize, rows);
    }
}
