//! The exchanges seen by a client that trusts nobody: every book that their frames and answers
//! make, by the venue's documented rule, is the truth at its sequence.
//!
//! The client reads with `serde_json` and keeps text in ordered maps: nothing here is shared with
//! the simulator or the engine.

mod client;

use client::{Client, SECOND_NS, drive};
use gapless_sim::exchange::faults::Point;
use gapless_sim::exchange::{
    BodyFault, Exchange, Fault, Faults, Incoming, Request, Rule, Setup, Venue, When, Wire,
};
use gapless_sim::profile::Profile;

fn exchange(venue: Venue) -> Exchange {
    Exchange::new(Setup::new(venue, 11, 0))
}

fn texts(exchange: &mut Exchange) -> Vec<String> {
    let outputs = std::iter::from_fn(|| exchange.poll());
    outputs
        .filter_map(|output| match output.wire {
            Wire::Text(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_venue_s_books_are_the_truth_at_each_sequence() {
    for venue in client::VENUES {
        let mut exchange = exchange(venue);
        let mut client = Client::new(venue);
        let compared = drive(&mut exchange, &mut client, 12 * SECOND_NS);
        assert!(compared > 100, "{venue:?}: {compared} books compared");
        assert_eq!(client.gaps, 0, "{venue:?}");
    }
}

#[test]
fn a_lost_frame_is_a_gap_and_the_book_heals() {
    for venue in client::VENUES {
        let mut exchange = exchange(venue);
        exchange.trouble(Rule::new(Fault::Drop, When::Every(40)));
        let mut client = Client::new(venue);
        let compared = drive(&mut exchange, &mut client, 12 * SECOND_NS);
        let dropped = exchange.fault_counts()["drop"];
        assert!(dropped > 3 && client.gaps > 0, "{venue:?}: {dropped} dropped, {}", client.gaps);
        assert!(compared > 40, "{venue:?}: {compared} books compared");
    }
}

#[test]
fn the_same_seed_and_calls_give_the_same_bytes() {
    let run = || {
        let mut exchange =
            Exchange::new(Setup::new(Venue::BinanceSpot, 5, 0).faults(Faults::swarm(5)).symbols(3));
        let request =
            Request::get("/stream?streams=btcusdt@depth@100ms/ethusdt@depth/solusdt@trade");
        let _ = exchange.connect(1, &request, 0);
        exchange.tick(20 * SECOND_NS);
        (texts(&mut exchange), exchange.fault_counts().clone())
    };
    assert_eq!(run(), run());
}

#[test]
fn weight_is_counted_and_who_goes_on_is_banned() {
    let mut exchange = exchange(Venue::BinanceSpot);
    let request = Request::get("/api/v3/depth?symbol=BTCUSDT&limit=5000");
    let statuses: Vec<u16> = (0..40).map(|_| exchange.http(&request, 1).status).collect();
    assert_eq!(statuses[..24], [200; 24]);
    assert_eq!(statuses[24..29], [429; 5]);
    assert_eq!(statuses[29..], [418; 11]);
    let answer = exchange.http(&request, 1);
    assert_eq!(answer.header("Retry-After"), Some("120"));
    let again = exchange.http(&request, 121 * SECOND_NS);
    assert_eq!(again.header("X-MBX-USED-WEIGHT-1M"), Some("250"));
}

#[test]
fn a_client_that_says_too_much_is_closed() {
    let mut exchange = exchange(Venue::BinanceSpot);
    exchange.connect(1, &Request::get("/ws"), 0).unwrap();
    for _ in 0..6 {
        exchange.receive(1, Incoming::Pong(b""), 1_000);
    }
    let last = std::iter::from_fn(|| exchange.poll()).last().unwrap();
    assert!(matches!(last.wire, Wire::Close(1008, _)), "{last:?}");
    assert_eq!(exchange.counts()["limit: messages"], 1);
}

#[test]
fn who_does_not_answer_pings_is_dropped() {
    let mut exchange = exchange(Venue::BinanceSpot);
    exchange.connect(1, &Request::get("/ws"), 0).unwrap();
    exchange.tick(70 * SECOND_NS);
    assert!(std::iter::from_fn(|| exchange.poll()).all(|o| matches!(o.wire, Wire::Ping(_))));
    exchange.receive(1, Incoming::Pong(b"x"), 71 * SECOND_NS);
    exchange.tick(139 * SECOND_NS);
    assert!(std::iter::from_fn(|| exchange.poll()).all(|o| matches!(o.wire, Wire::Ping(_))));
    exchange.tick(145 * SECOND_NS);
    assert_eq!(exchange.poll().unwrap().wire, Wire::Reset);
}

#[test]
fn unknown_symbols_and_words_get_the_venue_s_answer() {
    let mut exchange = exchange(Venue::BinanceSpot);
    let answer = exchange.http(&Request::get("/api/v3/depth?symbol=NOPE"), 1);
    assert_eq!((answer.status, answer.text().contains("-1121")), (400, true));
    exchange.connect(1, &Request::get("/ws"), 0).unwrap();
    exchange.receive(1, Incoming::Text("{"), 1);
    let subscribe = r#"{"method":"SUBSCRIBE","params":["nope@depth"],"id":"a"}"#;
    exchange.receive(1, Incoming::Text(subscribe), 2);
    let said = texts(&mut exchange);
    assert!(said[0].contains(r#""code":3"#), "{said:?}");
    assert_eq!(said[1], r#"{"result":null,"id":"a"}"#);
}

/// Each fault strikes at least once somewhere, and nothing panics or stops.
#[test]
fn every_fault_can_happen() {
    let mut struck = std::collections::BTreeMap::<String, u64>::new();
    for venue in client::VENUES {
        for (fault, _) in gapless_sim::exchange::faults::KINDS {
            let mut faults = Faults::none(1);
            let every = match fault.point() {
                Point::Frame => 7,
                Point::Upgrade | Point::Subscribe => 1,
                _ => 2,
            };
            faults.add(Rule::new(*fault, When::Every(every)));
            let setup = Setup::new(venue, 3, 0).profile(Profile::THIN).faults(faults);
            let mut exchange = Exchange::new(setup);
            let mut client = Client::new(venue);
            client.naive = true;
            drive(&mut exchange, &mut client, 12 * SECOND_NS);
            for (label, count) in exchange.fault_counts() {
                *struck.entry(label.clone()).or_default() += count;
            }
        }
    }
    let missing: Vec<String> = gapless_sim::exchange::faults::KINDS
        .iter()
        .map(|(fault, _)| fault.label())
        .filter(|label| !struck.contains_key(label))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_cut_body_and_a_page_of_html_are_what_they_say() {
    let mut exchange = exchange(Venue::BinanceUsdm);
    exchange.trouble(Rule::new(Fault::Cut, When::Nth(1)));
    exchange.trouble(Rule::new(Fault::Html(502), When::Nth(2)));
    let request = Request::get("/fapi/v1/depth?symbol=BTCUSDT&limit=100");
    assert_eq!(exchange.http(&request, 1).body_fault, BodyFault::Cut);
    let page = exchange.http(&request, 1);
    assert_eq!((page.status, page.text().starts_with("<html>")), (502, true));
}
