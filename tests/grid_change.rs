//! A change of tick or lot ends the book's epoch and touches no other symbol.

#[path = "conformance/fed.rs"]
mod fed;

use std::sync::Arc;

use fed::Line;
use gapless_book::local::{Reason, State, Transition};
use gapless_venues::instruments::Instruments;
use gapless_venues::okx::{self, Okx};

fn snapshot(symbol: &str, id: i64, price: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"snapshot","data":[{{"asks":[["{price}","3","0","1"]],"bids":[],"ts":"1763600000601","checksum":0,"seqId":{id},"prevSeqId":-1}}]}}"#
    )
}

/// OKX's list with a tick and a state for each instrument.
fn table(rows: &[(&str, &str, &str)]) -> Arc<Instruments> {
    let rows = rows.iter().map(|(symbol, tick, state)| {
        format!(
            r#"{{"instId":"{symbol}","instType":"SPOT","baseCcy":"A","quoteCcy":"B","tickSz":"{tick}","lotSz":"1","state":"{state}"}}"#
        )
    });
    let body = format!(r#"{{"code":"0","data":[{}]}}"#, rows.collect::<Vec<_>>().join(","));
    let list = okx::instruments::read(body.as_bytes()).unwrap();
    assert_eq!(list.refused, []);
    let mut table = Instruments::default();
    table.update(list);
    Arc::new(table)
}

fn list(line: &mut Line<Okx>, rows: &[(&str, &str, &str)]) {
    line.forget();
    let now = line.now_ns;
    line.session.instruments(now, "okx", &table(rows), &mut line.told);
}

fn state(line: &Line<Okx>, symbol: &str) -> ((State, Reason), u32) {
    let books = line.session.books();
    let book = &books.get(books.find("", "books", symbol).unwrap()).unwrap().local;
    (book.state(), book.epoch())
}

fn transitions(line: &Line<Okx>) -> Vec<Transition> {
    line.told.outcomes.iter().map(|outcome| outcome.transition).collect()
}

const FINE: (&str, &str, &str) = ("A-B", "0.5", "live");
const OTHER: (&str, &str, &str) = ("C-D", "0.5", "live");

fn two_books() -> Line<Okx> {
    let mut line = Line::live(Okx, "wss://ws.okx.com/ws/v5/public");
    line.frame(&snapshot("A-B", 1, "10.5")).frame(&snapshot("C-D", 1, "7.5"));
    line
}

#[test]
fn a_book_on_a_changed_grid_waits_for_a_snapshot_of_the_next_epoch() {
    let mut line = two_books();
    list(&mut line, &[FINE, OTHER]);
    assert_eq!(transitions(&line), [], "the first lists end nothing");
    list(&mut line, &[FINE, OTHER]);
    assert_eq!(transitions(&line), [], "nor do the same again");
    list(&mut line, &[("A-B", "0.125", "live"), OTHER]);
    assert_eq!(transitions(&line), [Transition::Invalidated(Reason::GridChange)]);
    assert_eq!(line.told.actions, ["resubscribe 0"]);
    assert_eq!(state(&line, "A-B"), ((State::Syncing, Reason::GridChange), 1));
    assert_eq!(state(&line, "C-D"), ((State::Live, Reason::None), 1));
    line.forget().frame(&snapshot("A-B", 9, "10.125"));
    assert_eq!(state(&line, "A-B"), ((State::Live, Reason::None), 2));
    assert_eq!(line.told.outcomes[0].transition, Transition::Reset);
    assert_eq!(line.told.off_grid, Vec::<String>::new());
}

#[test]
fn what_is_listed_no_more_fails_and_comes_back_with_its_listing() {
    for gone in [&[OTHER][..], &[("A-B", "0.5", "expired"), OTHER]] {
        let mut line = two_books();
        list(&mut line, &[FINE, OTHER]);
        list(&mut line, gone);
        assert_eq!(transitions(&line), [Transition::Invalidated(Reason::Delisted)], "{gone:?}");
        assert!(line.told.actions.is_empty(), "{:?}", line.told.actions);
        assert_eq!(state(&line, "A-B").0, (State::Failed, Reason::Delisted));
        assert_eq!(state(&line, "C-D").0, (State::Live, Reason::None));
        list(&mut line, gone);
        assert_eq!(transitions(&line), [], "said once");
        list(&mut line, &[FINE, OTHER]);
        assert_eq!(state(&line, "A-B").0, (State::Syncing, Reason::AwaitingSnapshot), "{gone:?}");
        line.frame(&snapshot("A-B", 9, "10.5"));
        assert_eq!(state(&line, "A-B").0, (State::Live, Reason::None));
    }
}

#[test]
fn a_level_between_two_steps_is_named_and_kept() {
    let mut line = Line::live(Okx, "wss://ws.okx.com/ws/v5/public");
    list(&mut line, &[FINE]);
    line.frame(&snapshot("A-B", 1, "10.25")).frame(&snapshot("C-D", 1, "7.25"));
    assert_eq!(line.told.off_grid, ["A-B: price 10.25 is not a multiple of the tick 0.5"]);
    // The second of a shape is read by its template.
    line.forget().frame(&snapshot("A-B", 2, "10.75")).frame(&snapshot("A-B", 3, "10.50"));
    assert_eq!(line.told.off_grid, ["A-B: price 10.75 is not a multiple of the tick 0.5"]);
    let books = line.session.books();
    let entry = books.get(books.find("", "books", "A-B").unwrap()).unwrap();
    let row = entry.instrument().unwrap();
    assert_eq!((row.symbol.as_str(), row.tick.to_string()), ("A-B", "0.5".to_owned()));
    assert_eq!(entry.local.state().0, State::Live);
    assert!(books.get(books.find("", "books", "C-D").unwrap()).unwrap().instrument().is_none());
}
