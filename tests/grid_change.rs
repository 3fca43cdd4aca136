//! A change of tick or lot ends the book's epoch and touches no other symbol.

#[path = "conformance/fed.rs"]
mod fed;

use fed::Line;
use gapless_book::local::{Reason, State, Transition};
use gapless_venues::okx::Okx;

fn snapshot(symbol: &str, id: i64, price: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"snapshot","data":[{{"asks":[["{price}","3","0","1"]],"bids":[],"ts":"1763600000601","checksum":0,"seqId":{id},"prevSeqId":-1}}]}}"#
    )
}

#[test]
fn a_book_on_a_changed_grid_waits_for_a_snapshot_of_the_next_epoch() {
    let mut line = Line::live(Okx, "wss://ws.okx.com/ws/v5/public");
    line.frame(&snapshot("A-B", 1, "10.5")).frame(&snapshot("C-D", 1, "7.5")).forget();
    let now = line.now_ns;
    line.session.grid_changed(now, "A-B", &mut line.told);
    let told: Vec<_> = line.told.outcomes.iter().map(|outcome| outcome.transition).collect();
    assert_eq!(told, [Transition::Invalidated(Reason::GridChange)]);
    assert_eq!(line.told.actions, ["resubscribe 0"]);
    let state = |line: &Line<Okx>, symbol| {
        let books = line.session.books();
        let book = &books.get(books.find("", "books", symbol).unwrap()).unwrap().local;
        (book.state(), book.epoch())
    };
    assert_eq!(state(&line, "A-B"), ((State::Syncing, Reason::GridChange), 1));
    assert_eq!(state(&line, "C-D"), ((State::Live, Reason::None), 1));
    line.forget().frame(&snapshot("A-B", 9, "10.125"));
    assert_eq!(state(&line, "A-B"), ((State::Live, Reason::None), 2));
    assert_eq!(line.told.outcomes[0].transition, Transition::Reset);
}
