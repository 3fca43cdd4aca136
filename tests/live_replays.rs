//! What a Tardis machine plays, read by an engine over sockets: the books are those of the exchange
//! at the number where the replay ended, and the source has ended with it.

#[path = "live/venue.rs"]
mod venue;

use gapless::book::local::State;
use gapless::book_sha256;
use gapless::engine::SourceState;
use gapless::venues::live::Span;
use gapless_sim::exchange::{Fault, Venue, When};
use venue::{Sim, engine, until};

fn span() -> Option<Span> {
    Some(Span { from: "2026-11-01".to_owned(), to: "2026-11-01T00:05:00Z".to_owned() })
}

fn plays(venue: Venue) {
    let sim = Sim::new(venue, 2);
    let mut config = sim.source();
    config.source.replay = span();
    config.source.silence_ns = 0;
    let engine = engine([config]);
    until("it has ended", || engine.status()[0].state == SourceState::Ended);
    // The exchange remembers where it stood for some thousand messages only.
    sim.look(|exchange| exchange.pause(true));
    let reports = engine.reports();
    assert_eq!(reports.len(), 2, "{venue:?}");
    for report in &reports {
        let report = report.report();
        assert_eq!(report.state(), State::Live, "{venue:?} {}", report.name());
        let local = report.local();
        let at = report.seq().unwrap_or_else(|| local.last_times().venue_ns / 1_000);
        let symbol = report.symbol().rsplit(':').next().unwrap_or_default().to_owned();
        let truths = sim.look(move |exchange| exchange.truths(&symbol, Some(at)));
        let own = book_sha256(local.last_known());
        assert!(truths.iter().any(|truth| truth.book.canonical_sha256() == own), "{venue:?} {at}");
        assert!(report.counters().deltas > 10, "{venue:?}");
        assert_eq!((report.counters().gaps, report.counters().snapshots), (0, 1), "{venue:?}");
    }
    assert_eq!((sim.count("requests"), sim.limits_met()), (0, Vec::new()), "{venue:?}");
    assert_eq!(engine.status()[0].errors, Vec::<String>::new());
    let connections = sim.count("connections");
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert_eq!(sim.count("connections"), connections, "it is not played again");
}

#[test]
fn a_machine_plays_normalized_messages() {
    plays(Venue::Tardis);
}

#[test]
fn a_machine_plays_frames_of_binance() {
    plays(Venue::BinanceSpot);
    plays(Venue::BinanceUsdm);
}

#[test]
fn a_machine_plays_frames_of_bybit() {
    plays(Venue::Bybit);
}

#[test]
fn a_machine_plays_frames_of_okx() {
    plays(Venue::Okx);
}

#[test]
fn a_machine_plays_frames_of_deribit() {
    plays(Venue::Deribit);
}

/// What broke off is played from the beginning; what was lost in a recording is a gap until the
/// recording has a whole book again, and nobody is asked for one.
#[test]
fn a_replay_that_breaks_off_begins_anew_and_a_loss_stays_one() {
    let sim = Sim::new(Venue::Okx, 1);
    sim.trouble(Fault::Close(1011), When::Nth(40));
    let mut config = sim.source();
    config.source.replay = span();
    let engine = engine([config]);
    until("it broke off", || sim.count("connections") == 2);
    sim.trouble(Fault::Drop, When::Nth(20));
    until("it has ended", || engine.status()[0].state == SourceState::Ended);
    let reports = engine.reports();
    let report = reports[0].report();
    assert_eq!((report.state(), report.counters().gaps), (State::Syncing, 1));
    assert_eq!(sim.count("requests"), 0);
}
