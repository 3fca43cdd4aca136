//! Target `csv_reader`: rows of an order book, read by their order and by their names.
//!
//! Whatever the rows: no panic; the quick way (Tardis' own column order) and the general way (the
//! same rows with one column more) give the same events and the same refusals.

use std::fmt::Write;
use std::io::Cursor;

use gapless_book::event::{Body, Event};
use gapless_replay::csv::{Options, Reader, Reject, Sink};
use gapless_replay::error::FileName;
use gapless_replay::lines::Lines;

const COLUMNS: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";

/// Runs one input.
pub fn csv_reader(data: &[u8]) {
    let whole = [COLUMNS.as_bytes(), b"\n", data].concat();
    let _ = read(&whole);
    let (mut usual, mut wider) = (format!("{COLUMNS}\n"), format!("{COLUMNS},more\n"));
    for row in String::from_utf8_lossy(data).split('\n').filter(|row| is_even(row)) {
        let _ = writeln!(usual, "{row}");
        let _ = writeln!(wider, "{row},x");
    }
    assert_eq!(read(usual.as_bytes()), read(wider.as_bytes()), "{usual:?}");
}

/// Rows that both ways can name the faults of: eight cells, no CR at the end.
fn is_even(row: &str) -> bool {
    row.matches(',').count() == 7 && !row.ends_with('\r')
}

/// Everything that a file gives, one line of text each.
#[derive(Default)]
struct Log(Vec<String>);

impl Sink for Log {
    fn event(&mut self, event: &Event<'_>) {
        let Body::Book(book) = &event.body else { panic!("a book and nothing else") };
        assert!(book.bids.iter().chain(book.asks).all(|level| level.qty >= 0));
        assert!(!event.symbol.is_empty() && !event.exchange.is_empty());
        let (exchange, symbol, times) = (event.exchange, event.symbol, event.times);
        self.0.push(format!("{exchange} {symbol} {times:?} {book:?}"));
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.0.push(format!("{reject:?}"));
    }
}

fn read(text: &[u8]) -> Vec<String> {
    let lines = Lines::new(Cursor::new(text.to_vec()), FileName::new("fuzz"));
    let mut reader = Reader::new(lines, Options::default()).expect("the header is right");
    let mut log = Log::default();
    while reader.advance().expect("a plain text has no end but its own") {
        reader.emit(&mut log);
    }
    log.0
}
