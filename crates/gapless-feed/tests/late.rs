//! What waited on its way, or for us, is no live book, however well it is in sequence.

mod rig;

use gapless_book::local::{Reason, State};
use gapless_feed::{ConnId, LineConfig, SourceConfig, Why};
use rig::{MS, Rig, S, SNAPSHOT, delta, spot};

fn watched(lines: usize) -> SourceConfig {
    let mut config = SourceConfig { late_ns: 2 * S, ..spot(&["BTCUSDT"]) };
    config.lines.resize_with(lines, LineConfig::default);
    config
}

/// A message of so long ago.
fn of_before(rig: &Rig, last: i64, age: i64) -> String {
    let stamp = (rig.now - age) / MS;
    delta("BTCUSDT", last, last).replace("1763600000123", &stamp.to_string())
}

/// Messages ten times a second, all of so long ago.
fn feed(rig: &mut Rig, conn: ConnId, last: &mut i64, age: i64, count: usize) {
    for _ in 0..count {
        *last += 1;
        let frame = of_before(rig, *last, age);
        rig.frame(conn, &frame);
        rig.run(100 * MS);
    }
}

fn live(lines: usize) -> (Rig, Vec<ConnId>) {
    let mut rig = Rig::new(watched(lines));
    let conns: Vec<_> = (0..lines).map(|_| rig.connect()).collect();
    for conn in &conns {
        rig.frame(*conn, r#"{"result":null,"id":1}"#);
        rig.frame(*conn, &delta("BTCUSDT", 95, 101));
    }
    rig.answer(200, &[], SNAPSHOT);
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    (rig, conns)
}

#[test]
fn a_watcher_that_is_slow_shows_no_old_book_as_live() {
    let (mut rig, conns) = live(1);
    let mut last = 101;
    feed(&mut rig, conns[0], &mut last, 20 * MS, 30);
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    // It falls behind, a little more with each message.
    for age in 0..60 {
        feed(&mut rig, conns[0], &mut last, age * S / 10, 1);
        let is_late = age >= 27;
        if is_late {
            assert_eq!(rig.state("BTCUSDT"), (State::Stale, Reason::Late), "{age}");
        }
    }
    let told = rig.told.states.len();
    feed(&mut rig, conns[0], &mut last, 1_500 * MS, 50);
    feed(&mut rig, conns[0], &mut last, 2_500 * MS, 50);
    assert_eq!(rig.told.states.len(), told, "it does not flap");
    // It has caught up.
    feed(&mut rig, conns[0], &mut last, 20 * MS, 5);
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    assert_eq!((rig.feed.counters().lates, rig.fetches_made), (1, 1), "and nothing was lost");
}

#[test]
fn a_connection_begins_without_the_lateness_of_the_last() {
    let (mut rig, conns) = live(1);
    let mut last = 101;
    feed(&mut rig, conns[0], &mut last, 0, 5);
    feed(&mut rig, conns[0], &mut last, 5 * S, 10);
    assert_eq!(rig.state("BTCUSDT"), (State::Stale, Reason::Late));
    rig.lose(conns[0], &Why::Closed(None));
    assert_eq!(rig.state("BTCUSDT"), (State::Syncing, Reason::Disconnected));
    let conn = rig.accept();
    let frame = of_before(&rig, 901, 0);
    rig.frame(conn, &frame);
    rig.answer(200, &[], &SNAPSHOT.replace("100", "901"));
    last = 901;
    feed(&mut rig, conn, &mut last, 0, 5);
    assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
}

#[test]
fn a_line_that_is_late_costs_nothing_while_another_is_in_time() {
    let (mut rig, conns) = live(2);
    let (mut first, mut second) = (101, 101);
    for _ in 0..30 {
        feed(&mut rig, conns[0], &mut first, 0, 1);
        feed(&mut rig, conns[1], &mut second, 0, 1);
    }
    for _ in 0..60 {
        feed(&mut rig, conns[0], &mut first, 5 * S, 1);
        feed(&mut rig, conns[1], &mut second, 0, 1);
        assert_eq!(rig.state("BTCUSDT"), (State::Live, Reason::None));
    }
    for _ in 0..10 {
        feed(&mut rig, conns[1], &mut second, 5 * S, 1);
    }
    assert_eq!(rig.state("BTCUSDT"), (State::Stale, Reason::Late), "both are");
}
