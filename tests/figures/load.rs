//! How much an engine takes from an exchange on the same machine, and what it keeps of its memory.

use super::venue::started;
use super::venue::{Sim, speak_every, until_live};
use super::{is_full, row, spread};
use gapless::{BookReader, Engine, LiveConfig};
use gapless_sim::exchange::{Exchange, Venue};
use std::time::{Duration, Instant};

/// Books of a load.
const BOOKS: usize = 32;
/// Lag at which an engine does not keep up.
const LAG: Duration = Duration::from_millis(10);

/// What one step of a ramp came to.
struct Step {
    messages: f64,
    bytes: f64,
    lag_p99: Duration,
    text: String,
}

/// Frames and bytes that the exchange has sent.
fn sent(sim: &Sim) -> (u64, u64) {
    sim.look(|exchange| exchange.sent())
}

/// Lets every book speak once in so long, for a while, and looks how late the books are.
fn step(venue: Venue, interval: Duration, length: Duration) -> Step {
    let sim = Sim::start(venue, BOOKS, |setup| {
        speak_every(setup, interval);
    });
    let mut config = sim.source();
    config.source.silence_ns = 0;
    let engine = super::venue::engine([config]);
    until_live(&engine);
    let readers = readers(&engine);
    let (begun, before) = (Instant::now(), sent(&sim));
    let mut lags = lags(&readers, length);
    let (seconds, after) = (begun.elapsed().as_secs_f64(), sent(&sim));
    let (_, lag_p99, text) = spread(&mut lags);
    let (frames, bytes) = (after.0 - before.0, after.1 - before.1);
    Step { messages: frames as f64 / seconds, bytes: bytes as f64 / seconds, lag_p99, text }
}

fn readers(engine: &Engine) -> Vec<BookReader> {
    let names = engine.books().into_iter();
    names.filter_map(|book| engine.book(&book.full_name()).ok()).collect()
}

/// From the exchange's own time of a message, in whole milliseconds, to its receipt: what waits in
/// sockets when the engine, or the exchange beside it, does not keep up. Sampled.
fn lags(readers: &[BookReader], length: Duration) -> Vec<Duration> {
    let (begun, mut lags) = (Instant::now(), Vec::new());
    let mut seen = vec![0; readers.len()];
    while begun.elapsed() < length {
        std::thread::sleep(Duration::from_millis(1));
        for (reader, seen) in readers.iter().zip(&mut seen) {
            let Ok(top) = reader.top() else { continue };
            let status = top.status;
            if status.recv_ns != *seen {
                *seen = status.recv_ns;
                let lag = status.recv_ns.saturating_sub(status.venue_ns).max(0);
                lags.push(Duration::from_nanos(lag.unsigned_abs()));
            }
        }
    }
    lags
}

/// More and more messages until the engine, or the exchange beside it, is late.
fn ramp(venue: Venue) {
    let intervals: &[u64] = if is_full() { &[2_000, 1_000, 500, 250, 160, 100] } else { &[4_000] };
    let length = Duration::from_secs(if is_full() { 5 } else { 1 });
    let mut kept: Option<Step> = None;
    for micros in intervals {
        let interval = Duration::from_micros(*micros);
        let step = step(venue, interval, length);
        println!(
            "{} every {interval:?}: {:.0} messages/s, {:.1} MB/s, lag {}",
            venue.name(),
            step.messages,
            step.bytes / 1e6,
            step.text
        );
        if step.lag_p99 > LAG {
            break;
        }
        kept = Some(step);
    }
    let text = kept.as_ref().map_or("late at the first step".to_owned(), |step| {
        let (messages, mb) = (step.messages, step.bytes / 1e6);
        format!("{messages:.0} messages/s, {mb:.1} MB/s, lag {}", step.text)
    });
    row(&format!("load with lag p99 within 10 ms, {}", venue.name()), &text);
    assert!(kept.is_some() || !is_full(), "{text}");
}

#[test]
fn load_binance_usdm() {
    ramp(Venue::BinanceUsdm);
}

#[test]
fn load_bybit() {
    ramp(Venue::Bybit);
}

#[test]
fn load_okx() {
    ramp(Venue::Okx);
}

#[test]
fn load_deribit() {
    ramp(Venue::Deribit);
}

/// Resident memory of this process, KiB.
#[cfg(target_os = "linux")]
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Slope of a line through points, least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    over / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// Five venues whose connections are reset one after the other: in full 2 000 times in 9 minutes.
/// The exchanges are in this process too, once their histories are full.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_over_reconnects() {
    let (warm_s, length_s) = if is_full() { (60, 540) } else { (3, 5) };
    let venues =
        [Venue::BinanceSpot, Venue::BinanceUsdm, Venue::BinanceCoinm, Venue::Bybit, Venue::Okx];
    let sims: Vec<Sim> = venues.iter().map(|venue| Sim::new(*venue, 2)).collect();
    let sources: Vec<LiveConfig> = sims.iter().map(Sim::source).collect();
    let (engine, mut changes) = started(sources);
    let (begun, mut points, mut cuts) = (Instant::now(), Vec::new(), 0u64);
    while begun.elapsed() < Duration::from_secs(warm_s + length_s) {
        let sim = &sims[usize::try_from(cuts).unwrap() % sims.len()];
        sim.look(|exchange| exchange.cut(None));
        cuts += 1;
        changes.rest();
        std::thread::sleep(Duration::from_millis(255));
        if begun.elapsed() >= Duration::from_secs(warm_s) {
            points.push((begun.elapsed().as_secs_f64() / 3_600.0, resident_kib() / 1_024.0));
        }
    }
    sims.iter().for_each(|sim| sim.look(Exchange::calm));
    until_live(&engine);
    let opened: u64 = sims.iter().map(|sim| sim.count("connections")).sum();
    let (slope, grown) = (slope(&points), points[points.len() - 1].1 - points[0].1);
    let last = points[points.len() - 1].1;
    let text =
        format!("{slope:.2} MiB/h, {grown:.2} MiB more, {last:.0} MiB, {opened} connections");
    row("memory over reconnects", &text);
    let most = if is_full() { 1.0 } else { f64::MAX };
    assert!(slope <= most && grown < 64.0 && opened > cuts / 2, "{text}");
}
