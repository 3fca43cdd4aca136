//! Several lines of the same books, on sockets, each from an address of its own.

#[path = "live/venue.rs"]
mod venue;

use gapless::LiveConfig;
use gapless::feed::LineConfig;
use gapless_sim::exchange::{Exchange, Fault, Rule, Venue, When};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use venue::{Sim, gaps, started, until};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// A source whose lines leave from these addresses.
fn source(sim: &Sim, addresses: &[Ipv4Addr]) -> LiveConfig {
    let mut config = sim.source();
    let line = |address: &Ipv4Addr| LineConfig {
        name: address.to_string(),
        socket: Some(format!("ws://{}", sim.address())),
        local: Some((*address).into()),
    };
    config.source.lines = addresses.iter().map(line).collect();
    config
}

fn count_of(sim: &Sim, address: Ipv4Addr) -> usize {
    sim.look(move |e| e.peers().iter().filter(|peer| **peer == address.to_bits()).count())
}

#[test]
fn each_line_leaves_from_its_own_address() {
    let sim = Sim::new(Venue::BinanceSpot, 2);
    let (engine, _changes) = started([source(&sim, &[FIRST, SECOND, THIRD])]);
    for address in [FIRST, SECOND, THIRD] {
        until("a connection from there", || count_of(&sim, address) == 1);
    }
    sim.settle(&engine);
}

/// One line loses one frame in a hundred and is reset again and again: every second for a few, or
/// every five for `GAPLESS_LINES_SECONDS`.
fn one_bad_line(venue: Venue) {
    let seconds = std::env::var("GAPLESS_LINES_SECONDS").ok().and_then(|s| s.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(4));
    let cut_every = Duration::from_secs(if seconds.is_some() { 5 } else { 1 });
    let sim = Sim::new(venue, 3);
    let (engine, mut changes) = started([source(&sim, &[FIRST, SECOND])]);
    let bad = SECOND.to_bits();
    sim.look(move |exchange| {
        exchange.trouble(Rule::new(Fault::Drop, When::Chance(10_000)).at(bad));
    });
    let (begun, mut cuts) = (Instant::now(), 0);
    while begun.elapsed() < length {
        std::thread::sleep(cut_every);
        sim.look(move |exchange| exchange.cut(Some(bad)));
        cuts += 1;
    }
    let drops = sim.look(|exchange| exchange.fault_counts().get("drop").copied());
    sim.settle(&engine);
    assert_eq!((changes.not_live(), gaps(&engine)), (Vec::new(), 0));
    assert!(drops > Some(0) && cuts > 0, "{drops:?} lost, {cuts} cuts");
    println!("{}: {length:?}, {drops:?} frames lost, {cuts} cuts", venue.name());
    for report in engine.reports() {
        for (line, stats) in report.report().lines() {
            println!("{} line {line:?} {stats:?}", report.report().name());
        }
    }
}

#[test]
fn a_lossy_line_beside_a_good_one_costs_no_live_moment_on_binance_spot() {
    one_bad_line(Venue::BinanceSpot);
}

#[test]
fn a_lossy_line_beside_a_good_one_costs_no_live_moment_on_bybit() {
    one_bad_line(Venue::Bybit);
}

#[test]
fn a_lossy_line_beside_a_good_one_costs_no_live_moment_on_okx() {
    one_bad_line(Venue::Okx);
}

#[test]
fn three_sockets_of_one_venue_are_one_book() {
    for venue in [Venue::Okx, Venue::BinanceUsdm] {
        let sim = Sim::new(venue, 2);
        let (engine, mut changes) = started([source(&sim, &[FIRST, SECOND, THIRD])]);
        for address in [FIRST, SECOND, THIRD] {
            let rule = Rule::new(Fault::Drop, When::Every(53)).at(address.to_bits());
            sim.look(move |exchange| exchange.trouble(rule));
            std::thread::sleep(Duration::from_millis(400));
            sim.look(Exchange::calm);
        }
        // One ends, one is gone without a word: the third is enough.
        sim.look(|exchange| exchange.cut(Some(FIRST.to_bits())));
        let gone = Rule::new(Fault::HalfOpen, When::Nth(1)).at(SECOND.to_bits());
        sim.look(move |exchange| exchange.trouble(gone));
        std::thread::sleep(Duration::from_millis(600));
        sim.settle(&engine);
        assert_eq!((changes.not_live(), gaps(&engine)), (Vec::new(), 0), "{venue:?}");
        assert_eq!(engine.books().len(), 2);
    }
}

#[test]
fn what_comes_twice_on_one_socket_is_applied_once() {
    for venue in [Venue::Okx, Venue::Bybit, Venue::BinanceSpot, Venue::Deribit] {
        let sim = Sim::new(venue, 2);
        sim.trouble(Fault::Duplicate, When::Every(1));
        let (engine, mut changes) = started([sim.source()]);
        std::thread::sleep(Duration::from_millis(800));
        sim.settle(&engine);
        assert_eq!((changes.not_live(), gaps(&engine)), (Vec::new(), 0), "{venue:?}");
    }
}
