//! Reading recordings asks nothing of the allocator once the buffers are warm.
//!
//! The counting allocator is installed for this whole file; counts are per thread.

use gapless_book::event::{Body, Event};
use gapless_replay::csv;
use gapless_replay::error::FileName;
use gapless_replay::input;
use gapless_replay::lines::Lines;
use gapless_tests::counting_allocator::{CountingAllocator, counting};
use std::io::Cursor;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Lines of a capture and rows of a CSV, many times over.
fn repeated(head: &str, rows: &str) -> Vec<u8> {
    [head, &rows.repeat(2000)].concat().into_bytes()
}

#[test]
fn reading_a_recording_line_by_line_allocates_nothing_after_warm_up() {
    let capture = repeated(
        "",
        "1617647603424944000\tR\tws\t{\"u\":1}\n1617647603424944001\tB\tws\tZm9vYmFy\n",
    );
    let raw = repeated("", "2021-04-05T18:33:23.4249440Z {\"u\":1}\n\n");
    let normalized =
        repeated("", "{\"type\":\"x\",\"localTimestamp\":\"2021-04-05T18:33:23.424Z\"}\n");
    for text in [capture, raw, normalized] {
        let name = FileName::new("f");
        let mut reader = input::open_stream(Cursor::new(text), name, None).expect("a recording");
        for _ in 0..100 {
            assert!(reader.advance().expect("a line"));
        }
        let (counted, records) = counting(|| {
            let mut records = 0;
            while reader.advance().expect("a line") {
                records += reader.record().map_or(0, |record| record.payload.len().min(1));
            }
            records
        });
        assert_eq!(counted.allocations, 0, "{:?}", reader.format());
        assert!(records > 1800, "{records}");
    }
}

/// Counts the levels of book messages.
struct Levels(usize);

impl csv::Sink for Levels {
    fn event(&mut self, event: &Event<'_>) {
        if let Body::Book(book) = &event.body {
            self.0 += book.bids.len() + book.asks.len();
        }
    }

    fn reject(&mut self, reject: &csv::Reject<'_>) {
        panic!("{reject:?}");
    }
}

#[test]
fn reading_a_csv_row_by_row_allocates_nothing_after_warm_up() {
    let head = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let rows = "x,A,1,1617647603424944,false,bid,1.5,2\nx,A,1,1617647603424944,false,ask,2.5,3\n\
        x,B,1,1617647603424945,false,ask,2.25,0\nx,A,1,1617647603424946,false,bid,1.50,1e-7\n";
    let lines = Lines::new(Cursor::new(repeated(head, rows)), FileName::new("f"));
    let mut reader = csv::Reader::new(lines, csv::Options::default()).expect("a dataset");
    let mut levels = Levels(0);
    let mut emit = |reader: &mut csv::Reader<_>, batches: usize| {
        for _ in 0..batches {
            if !reader.advance().expect("a batch") {
                break;
            }
            reader.emit(&mut levels);
        }
        levels.0
    };
    let warm = emit(&mut reader, 100);
    let (counted, all) = counting(|| emit(&mut reader, usize::MAX));
    assert_eq!(counted.allocations, 0);
    assert!(warm > 0 && all == 8000, "{warm} {all}");
}
