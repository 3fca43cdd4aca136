//! What the driver keeps of an input.

use gapless_replay::driver::Driver;
use gapless_replay::error::FileName;
use gapless_replay::input::Format;
use gapless_replay::record::{Record, RecordKind};
use gapless_venues::registry::VenueId;
use gapless_venues::session::{SessionConfig, UNCLAIMED_MAX};

fn feed(driver: &mut Driver, input: usize, kind: RecordKind, source: &str, payload: &[u8]) {
    let record = Record { recv_ns: 1_763_600_000_000_000_000, kind, source, payload, line: 1 };
    driver.record(input, &record, &mut ());
}

/// A snapshot of a symbol that has no book, as long as it may be.
fn snapshot() -> Vec<u8> {
    let mut body = br#"{"lastUpdateId":1,"bids":[["1","1"]],"asks":[["2","1"]]"#.to_vec();
    body.resize(7 * 1024 * 1024, b' ');
    body.push(b'}');
    body
}

#[test]
fn answers_without_a_book_are_bounded_for_an_input_whatever_its_connections() {
    let mut driver = Driver::new(SessionConfig::replay(), VenueId::from_name("binance_spot"));
    let inputs = ["a", "b"].map(|name| driver.add(FileName::new(name), Format::Capture, None));
    let connections: Vec<_> = (0..4).map(|n| format!("ws{n}")).collect();
    for source in &connections {
        feed(&mut driver, inputs[0], RecordKind::Open, source, b"");
    }
    feed(&mut driver, inputs[1], RecordKind::Open, "ws", b"");
    let kept = |driver: &Driver, input: &str| -> usize {
        let lines = driver.lines().iter().filter(|line| driver.input_name(line) == input);
        lines.map(|line| line.session.unclaimed_bytes()).sum()
    };
    let body = snapshot();
    for n in 0..4 {
        let url = format!("https://api.binance.com/api/v3/depth?symbol=S{n}");
        feed(&mut driver, inputs[0], RecordKind::Http, &url, &body);
    }
    let most = kept(&driver, "a");
    assert!(most <= UNCLAIMED_MAX && most + body.len() > UNCLAIMED_MAX / 2, "{most}");
    // Another input has its own memory.
    let url = "https://api.binance.com/api/v3/depth?symbol=S0";
    feed(&mut driver, inputs[1], RecordKind::Http, url, &body);
    assert!(kept(&driver, "b") > body.len());
    // A book that appears takes what is kept for it, and makes room.
    let delta = br#"{"e":"depthUpdate","E":1,"s":"S0","U":2,"u":2,"b":[["1","2"]],"a":[]}"#;
    for source in &connections {
        feed(&mut driver, inputs[0], RecordKind::Frame, source, delta);
    }
    assert!(kept(&driver, "a") + 2 * body.len() < most);
    let live = driver.lines().iter().flat_map(|line| line.session.books().iter());
    assert!(live.filter(|(_, entry)| entry.local.live().is_some()).count() >= 3);
}
