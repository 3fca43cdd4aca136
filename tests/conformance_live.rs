//! Rows of the conformance table that end at a socket: what the engine does to the connection, the
//! requests and the readers. `conformance_*.rs` has the same rows as sessions know them.

#[path = "live/venue.rs"]
mod venue;

use gapless::LiveConfig;
use gapless::book::local::{Reason, State};
use gapless::venues::relay::Flavour;
use gapless_sim::exchange::{Fault, Venue, When};
use std::time::{Duration, Instant};
use venue::{LONG, Sim, begun, engine, gaps, speak_every, started, until, until_live};

/// An announced end is met by a replacement, and no reader notices.
fn replaced(venue: Venue) {
    let sim = Sim::new(venue, 2);
    let (engine, mut changes) = started([sim.source()]);
    sim.trouble(Fault::Shutdown(3_000_000_000), When::Nth(1));
    until("the connection is replaced", || sim.count("connections") == 2);
    until("the old one is closed", || sim.look(|exchange| exchange.peers().len()) == 1);
    sim.settle(&engine);
    assert_eq!((changes.not_live(), gaps(&engine)), (Vec::new(), 0));
}

#[test]
fn c15_a_shutdown_is_met_by_a_replacement_and_no_reader_notices() {
    replaced(Venue::BinanceSpot);
}

#[test]
fn c61_a_closing_notice_is_met_by_a_replacement_and_no_reader_notices() {
    replaced(Venue::Okx);
}

#[test]
fn c17_after_a_ban_nothing_is_asked_before_its_end() {
    let sim = Sim::new(Venue::BinanceSpot, 8);
    sim.trouble(Fault::Status(418), When::Nth(1));
    let engine = engine([sim.source()]);
    until("the ban", || sim.count("requests") > 0);
    // It lasts two seconds; what was under way when it came may still arrive.
    std::thread::sleep(Duration::from_millis(200));
    let (begun, before) = (Instant::now(), sim.count("requests"));
    assert!(before <= 4, "{before} requests");
    until("it is asked again", || sim.count("requests") > before);
    assert!(begun.elapsed() > Duration::from_millis(1_500), "{:?}", begun.elapsed());
    sim.settle(&engine);
}

/// A source of a relay in another of its forms.
fn relay(sim: &Sim, flavour: Flavour, path: &str) -> LiveConfig {
    let mut config = sim.source();
    config.source.flavour = flavour;
    config.source.topics.iter_mut().for_each(|topic| topic.channel = "orderbook".to_owned());
    config.source.lines[0].socket = Some(format!("ws://{}{path}", sim.address()));
    config
}

#[test]
fn c84_a_relay_s_notice_voids_its_books_until_they_were_repeated() {
    let sim = Sim::new(Venue::Relay, 2);
    let (engine, mut changes) = started([relay(&sim, Flavour::REPLAYED, "/v1/ws")]);
    let requests = sim.count("requests");
    sim.trouble(Fault::Drop, When::Nth(1));
    // That the last of them was live at last may still be on its way.
    let mut lost = || loop {
        let change = changes.next(LONG).unwrap();
        if change.state != State::Live {
            return (change.name.to_string(), change.state, change.reason);
        }
    };
    let mut both = [lost(), lost()];
    both.sort_by(|one, other| one.0.cmp(&other.0));
    let name = |symbol: &str| format!("relay:binance:{symbol}");
    let voided = |symbol: &str| (name(symbol), State::Syncing, Reason::GapNotice);
    assert_eq!(both, [voided("BTCUSDT"), voided("ETHUSDT")]);
    until("a repetition is asked for", || sim.count("requests") > requests);
    sim.settle(&engine);
}

#[test]
fn c85_a_relay_that_asks_to_wait_is_not_asked_before() {
    let sim = Sim::new(Venue::Relay, 1);
    let mut config = relay(&sim, Flavour::POLLED, "");
    config.source.lines[0].socket = Some(String::new());
    config.source.topics[0].channel = "book".to_owned();
    config.source.poll_ns = 20_000_000;
    let (engine, _changes) = started([config]);
    sim.trouble(Fault::Status(429), When::Nth(1));
    until("the refusal", || {
        sim.look(|exchange| exchange.fault_counts().contains_key("status 429"))
    });
    let before = sim.count("requests");
    std::thread::sleep(Duration::from_millis(700));
    assert!(sim.count("requests") <= before + 1, "it named a second");
    sim.settle(&engine);
}

#[test]
fn c86_a_refused_key_is_a_state_and_not_a_loop() {
    // The key is in the query, or in a header.
    for (status, flavour, path) in [
        (401, Flavour::PREFIXED, "/ws"),
        (401, Flavour::SCORED, "/v1/tardis/stream"),
        (403, Flavour::SCORED, "/v1/tardis/stream"),
    ] {
        let sim = Sim::new(Venue::Relay, 1);
        sim.trouble(Fault::Refuse(status), When::Every(1));
        let engine = engine([relay(&sim, flavour, path)]);
        until("it is said", || {
            let status = engine.status();
            status.iter().flat_map(|s| &s.connections).any(|c| c.phase.name() == "failed")
        });
        std::thread::sleep(Duration::from_millis(700));
        let label = format!("refuse {status}");
        let refused = sim.look(move |exchange| exchange.fault_counts().get(&label).copied());
        assert_eq!(refused, Some(1));
        // No book has appeared yet; one that has is Failed (`gapless-feed`, same row).
        let status = engine.status();
        let mut connections = status.iter().flat_map(|source| &source.connections);
        assert!(connections.all(|connection| connection.phase.name() == "failed"));
    }
}

#[test]
fn c96_a_long_run_of_unreadable_frames_ends_the_connection_and_a_short_one_does_not() {
    let sim = Sim::start(Venue::Bybit, 4, |setup| speak_every(setup, Duration::from_millis(2)));
    let engine = engine([sim.source()]);
    until_live(&engine);
    let struck = |sim: &Sim| {
        sim.look(|exchange| exchange.fault_counts().get("corrupt").copied().unwrap_or(0))
    };
    sim.trouble(Fault::Corrupt, When::Every(1));
    until("some of them", || struck(&sim) > 100);
    sim.settle(&engine);
    assert_eq!(sim.count("connections"), 1);
    sim.look(|exchange| exchange.pause(false));
    sim.trouble(Fault::Corrupt, When::Every(1));
    until("the connection is given up", || sim.count("connections") > 1);
    assert!(struck(&sim) > 1_000);
    sim.settle(&engine);
}

#[test]
fn c97_what_no_buffer_can_hold_is_dropped_and_the_book_is_live_all_the_same() {
    let sim = Sim::start(Venue::BinanceSpot, 1, |setup| {
        speak_every(setup, Duration::from_micros(400));
    });
    // 4 096 messages are held: this answer comes after more.
    sim.trouble(Fault::Slow(4_000_000_000), When::Nth(1));
    let (engine, mut changes) = begun([sim.source()]);
    until_live(&engine);
    sim.settle(&engine);
    let overflowed = changes.rest().iter().any(|c| c.reason == Reason::BufferOverflow);
    assert!(overflowed && sim.count("requests") > 1);
}
