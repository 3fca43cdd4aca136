//! The lists of instruments of simulated exchanges, read by an engine over sockets: ticks are
//! known, a changed one begins a new epoch, a delisting fails its book, and what goes wrong on the
//! way to a list costs no book anything.

#[path = "live/venue.rs"]
mod venue;

use gapless::book::local::{Reason, State};
use gapless::{Engine, LiveConfig};
use gapless_sim::exchange::{Fault, Rule, Venue, When};
use std::time::Duration;
use venue::{Sim, engine, started, until, until_live};

const OFTEN_NS: i64 = 200_000_000;

/// Its lists are read much more often than anybody would.
fn listed(sim: &Sim) -> LiveConfig {
    let mut config = sim.source();
    config.source.lists_ns = Some(OFTEN_NS);
    config
}

/// Ticks that the books know, by symbol.
fn ticks(engine: &Engine) -> Vec<(String, String)> {
    let reports = engine.reports();
    let tick = |report: &gapless::OwnedReport| {
        let report = report.report();
        let tick = report.instrument()?.tick.to_string();
        Some((report.symbol().to_owned(), tick))
    };
    let mut ticks: Vec<_> = reports.iter().filter_map(tick).collect();
    ticks.sort_unstable();
    ticks
}

fn epoch(engine: &Engine, symbol: &str) -> u32 {
    let reports = engine.reports();
    let own = reports.iter().find(|report| report.report().symbol() == symbol);
    own.map_or(0, |report| report.report().local().epoch())
}

/// One symbol of three is traded no more, one has a finer tick, the third notices nothing.
fn follows_its_lists(venue: Venue) {
    let sim = Sim::new(venue, 3);
    let (engine, mut changes) = started([listed(&sim)]);
    until("the ticks are known", || ticks(&engine).len() == 3);
    let [gone, finer, other] = sim.symbols() else { panic!("three symbols") };
    let (before, old) = (epoch(&engine, finer), ticks(&engine));
    changes.rest();
    for (fault, symbol) in [(Fault::Delist, gone), (Fault::TickChange, finer)] {
        let rule = Rule::new(fault, When::Nth(1)).of(symbol);
        sim.look(move |exchange| exchange.trouble(rule));
    }
    until("the delisting is said", || {
        let books = engine.books();
        let said = books.iter().find(|book| book.name.ends_with(gone.as_str()));
        said.is_some_and(|book| (book.state, book.reason) == (State::Failed, Reason::Delisted))
    });
    until("the new tick begins a new epoch", || epoch(&engine, finer) > before);
    until("the others are live", || {
        engine.books().iter().filter(|book| book.state == State::Live).count() == 2
    });
    let finer_than = |(symbol, tick): &(String, String)| {
        symbol == finer && old.iter().any(|(s, t)| s == symbol && t.len() < tick.len())
    };
    until("the new tick is known", || ticks(&engine).iter().any(finer_than));
    let mut told = changes.not_live();
    assert!(told.iter().any(|change| change.reason == Reason::GridChange), "{told:?}");
    told.retain(|change| change.name.ends_with(other.as_str()));
    assert_eq!(told, [], "the third");
    assert_eq!(sim.limits_met(), Vec::<String>::new());
}

#[test]
fn books_follow_the_list_of_binance_spot() {
    follows_its_lists(Venue::BinanceSpot);
}

#[test]
fn books_follow_the_list_of_binance_us() {
    follows_its_lists(Venue::BinanceUs);
}

#[test]
fn books_follow_the_list_of_binance_usdm() {
    follows_its_lists(Venue::BinanceUsdm);
}

#[test]
fn books_follow_the_list_of_binance_coinm() {
    follows_its_lists(Venue::BinanceCoinm);
}

#[test]
fn books_follow_the_list_of_bybit() {
    follows_its_lists(Venue::Bybit);
}

#[test]
fn books_follow_the_lists_of_okx() {
    follows_its_lists(Venue::Okx);
}

#[test]
fn books_follow_the_list_of_deribit() {
    follows_its_lists(Venue::Deribit);
}

#[test]
fn every_page_of_a_list_is_read() {
    let sim = Sim::new(Venue::Bybit, 25);
    let engine = engine([listed(&sim)]);
    until("all ticks are known", || ticks(&engine).len() == 25);
    assert_eq!(sim.limits_met(), Vec::<String>::new());
}

/// Nothing else is asked for over HTTP here: a list that cannot be had costs no book a moment, is
/// told once, and is read as soon as it can be.
#[test]
fn what_goes_wrong_with_a_list_costs_no_book_anything() {
    for fault in [
        Fault::Status(503),
        Fault::Html(502),
        Fault::Html(200),
        Fault::ErrorBody,
        Fault::Cut,
        Fault::HugeBody(65),
        Fault::HugeBody(3),
        Fault::Slow(20_000_000_000),
    ] {
        let sim = Sim::new(Venue::Okx, 2);
        sim.trouble(fault, When::Every(1));
        let (engine, mut changes) = started([listed(&sim)]);
        let label = fault.label();
        let failed = || engine.status().iter().flat_map(|status| status.errors.clone()).count();
        until(&label, || failed() > 0);
        until_live(&engine);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(failed(), 1, "{label}: {:?}", engine.status());
        assert_eq!(changes.not_live(), [], "{label}");
        assert_eq!(ticks(&engine), [], "{label}");
        sim.calm();
        until("it is read later", || ticks(&engine).len() == 2);
        assert_eq!(changes.not_live(), [], "{label}");
    }
}
