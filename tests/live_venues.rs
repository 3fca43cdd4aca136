//! Every venue on sockets: the engine's books are those of its simulated exchange, whatever is
//! lost, broken off or said wrong on the way.

#[path = "live/venue.rs"]
mod venue;

use gapless::venues::relay::Flavour;
use gapless_sim::exchange::{Fault, Venue, When};
use std::time::Duration;
use venue::{Sim, engine, gaps, until, until_live};

/// Lets one thing go wrong, a few times, and waits until it did.
fn strike(sim: &Sim, fault: Fault, when: When) {
    let label = fault.label();
    let times = move |sim: &Sim, label: &str| {
        let label = label.to_owned();
        sim.look(move |exchange| exchange.fault_counts().get(&label).copied().unwrap_or(0))
    };
    let before = times(sim, &label);
    sim.trouble(fault, when);
    until(&label, || times(sim, &label) > before);
}

/// Gaps, damage, an RST, a close and a sequence that begins anew: after each the books are the
/// exchange's again.
fn heals(venue: Venue) {
    let sim = Sim::new(venue, 3);
    let engine = engine([sim.source()]);
    until_live(&engine);
    // Every message of the relay's stream is the whole book: what is lost is made up by the next.
    if venue.sequenced() && venue != Venue::Relay {
        sim.trouble(Fault::Drop, When::Every(97));
        until("gaps", || gaps(&engine) >= 3);
        sim.settle(&engine);
        sim.look(|exchange| exchange.pause(false));
    }
    // Deribit's numbers never begin anew within a stream.
    let resets = [Fault::SequenceReset].into_iter().filter(|_| venue != Venue::Deribit);
    for fault in resets.chain([Fault::Corrupt, Fault::Reset, Fault::Close(1012)]) {
        // A count begins anew only where somebody listens.
        let resets = fault == Fault::SequenceReset;
        strike(&sim, fault, if resets { When::Every(1) } else { When::Nth(2) });
        // What is wrong must be seen before it can be right.
        std::thread::sleep(Duration::from_millis(100));
        sim.settle(&engine);
        sim.look(|exchange| exchange.pause(false));
    }
    assert_eq!(sim.limits_met(), Vec::<String>::new());
}

#[test]
fn binance_spot_heals() {
    heals(Venue::BinanceSpot);
}

#[test]
fn binance_us_heals() {
    heals(Venue::BinanceUs);
}

#[test]
fn binance_usdm_heals() {
    heals(Venue::BinanceUsdm);
}

#[test]
fn binance_coinm_heals() {
    heals(Venue::BinanceCoinm);
}

#[test]
fn bybit_heals() {
    heals(Venue::Bybit);
}

#[test]
fn okx_heals() {
    heals(Venue::Okx);
}

#[test]
fn deribit_heals() {
    heals(Venue::Deribit);
}

#[test]
fn a_tardis_machine_heals() {
    heals(Venue::Tardis);
}

#[test]
fn a_relay_heals() {
    heals(Venue::Relay);
}

/// Other ways to hear a relay over a socket, and the one to ask it again and again.
#[test]
fn a_relay_heals_in_its_other_forms() {
    for (name, path, channel) in [
        ("scored", "/v1/tardis/stream", "orderbook"),
        ("replayed", "/v1/ws", "orderbook"),
        ("polled", "", "book"),
    ] {
        let sim = Sim::new(Venue::Relay, 2);
        let mut config = sim.source();
        config.source.flavour = Flavour::named(name).unwrap();
        config.source.poll_ns = 50_000_000;
        config.source.topics.iter_mut().for_each(|topic| topic.channel = channel.to_owned());
        let base =
            if path.is_empty() { String::new() } else { format!("ws://{}{path}", sim.address()) };
        config.source.lines[0].socket = Some(base);
        let engine = engine([config]);
        until_live(&engine);
        sim.trouble(Fault::Drop, When::Every(61));
        std::thread::sleep(Duration::from_millis(700));
        sim.settle(&engine);
        sim.look(|exchange| exchange.pause(false));
        if name != "polled" {
            strike(&sim, Fault::Reset, When::Nth(2));
            std::thread::sleep(Duration::from_millis(100));
            sim.settle(&engine);
        }
        assert_eq!(sim.limits_met(), Vec::<String>::new(), "{name}");
    }
}
