//! Processes that stand still: the exchange's, and the engine's own.

use super::venue::{Sim, at, until};
use super::{bound, is_full, row};
use gapless::book::local::State;
use gapless::{BookReader, Engine, Source};
use gapless_sim::exchange::{Exchange, Venue};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Set in a child process to what it needs to know.
const CHILD: &str = "GAPLESS_FIGURES_CHILD";
const EXCHANGE: &str = "still::an_exchange_s_process";
const ENGINE: &str = "still::an_engine_s_process";
const NAME: &str = "binance_spot:BTCUSDT";
/// Data that a live book may be behind the exchange: a message every 5 ms and a busy machine.
const OLD: Duration = Duration::from_millis(900);

/// A process of this test's own, ended with it. It lives until its input ends.
struct Process(Child);

impl Process {
    fn new(role: &str, told: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", role, "--nocapture"]).env(CHILD, told);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// What it says after a word, on the first line that has it.
    fn says(&mut self, word: &str) -> String {
        let said = self.0.stdout.as_mut().unwrap();
        let lines = BufReader::new(said).lines().map_while(Result::ok);
        let mut found = lines.filter_map(|line| Some(line.split_once(word)?.1.trim().to_owned()));
        found.next().unwrap_or_else(|| panic!("it says no `{word}`"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child() -> Option<String> {
    std::env::var(CHILD).ok()
}

fn until_input_ends() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Not a test of its own: an exchange that can be stopped.
#[test]
fn an_exchange_s_process() {
    if child().is_none() {
        return;
    }
    let sim = Sim::new(Venue::BinanceSpot, 1);
    println!("\nlistens {}", sim.address());
    until_input_ends();
}

/// Not a test of its own: an engine that can be stopped, with a reader that looks all the time.
#[test]
fn an_engine_s_process() {
    let Some(address) = child() else { return };
    let symbol = "BTCUSDT".to_owned();
    let config = at(Venue::BinanceSpot, address.parse().unwrap(), [&symbol].into_iter());
    let engine = Engine::builder().source(Source::live(config)).start().unwrap();
    let book = engine.wait_for(NAME, Duration::from_secs(20)).unwrap();
    until("live", || book.state().0 == State::Live);
    println!("\nruns");
    let reads = std::thread::spawn(move || Reads::of(&book));
    until_input_ends();
    let reads = reads.join().unwrap();
    println!("\nread {} {} {}", reads.live, reads.old, reads.oldest.as_millis());
}

/// What a reader saw that never rests.
#[derive(Default)]
struct Reads {
    live: u64,
    /// Live, of data that was old.
    old: u64,
    oldest: Duration,
}

impl Reads {
    /// Looks until a second after the longest pause between two looks: the stop.
    fn of(book: &BookReader) -> Self {
        let (mut reads, mut last, mut woke) = (Self::default(), Instant::now(), None);
        while woke.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(4)) {
            if last.elapsed() > Duration::from_millis(1_500) {
                woke.get_or_insert_with(Instant::now);
            }
            last = Instant::now();
            let Ok(top) = book.top() else { continue };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            // Its exchange speaks in milliseconds of the same clock.
            let said = Duration::from_nanos(top.status.venue_ns.unsigned_abs());
            let age = now.saturating_sub(said);
            reads.live += 1;
            reads.oldest = reads.oldest.max(age);
            reads.old += u64::from(age > OLD);
            std::thread::sleep(Duration::from_micros(20));
        }
        reads
    }
}

/// How long processes stand still.
fn stop() -> Duration {
    Duration::from_secs(if is_full() { 60 } else { 4 })
}

/// The exchange stands still: once its silence has lasted for as long as was allowed, no read says
/// that the book is live.
#[test]
fn an_exchange_that_stands_still_leaves_no_live_book() {
    let silence = Duration::from_secs(1);
    let mut process = Process::new(EXCHANGE, "1");
    let address: SocketAddr = process.says("listens").parse().unwrap();
    let symbol = "BTCUSDT".to_owned();
    let mut config = at(Venue::BinanceSpot, address, [&symbol].into_iter());
    config.source.silence_ns = i64::try_from(silence.as_nanos()).unwrap();
    let engine = Engine::builder().source(Source::live(config)).start().unwrap();
    let book = engine.wait_for(NAME, Duration::from_secs(20)).unwrap();
    until("live", || book.state().0 == State::Live);
    process.signal("-STOP");
    let (begun, mut last_live) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < stop() {
        if book.top().is_ok() {
            last_live = begun.elapsed();
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    process.signal("-CONT");
    until("live again", || book.state().0 == State::Live);
    let text = format!("last live read {last_live:.2?} into a stop of {:?}", stop());
    row("SIGSTOP of the exchange, silence timer of 1 s", &text);
    assert!(last_live <= silence + bound(Duration::from_millis(110)), "{text}");
}

/// The engine itself stands still while its sockets fill: no read afterwards says that what is in
/// them is live.
#[test]
fn an_engine_that_stood_still_shows_nothing_old_as_live() {
    let sim = Sim::new(Venue::BinanceSpot, 1);
    let mut process = Process::new(ENGINE, &sim.address().to_string());
    let input = process.0.stdin.take();
    process.says("runs");
    std::thread::sleep(Duration::from_millis(500));
    let requests = sim.count("requests");
    process.signal("-STOP");
    std::thread::sleep(stop());
    process.signal("-CONT");
    until("it synchronises anew", || sim.count("requests") > requests);
    std::thread::sleep(Duration::from_millis(500));
    drop(input);
    let said = process.says("read");
    let numbers: Vec<u64> = said.split(' ').map(|word| word.parse().unwrap()).collect();
    let text = format!("{} live reads, the oldest data {} ms old", numbers[0], numbers[2]);
    row(&format!("SIGSTOP of the engine for {:?}", stop()), &text);
    assert!(numbers[0] > 1_000 && numbers[1] == 0, "{} reads of old data; {text}", numbers[1]);
    sim.look(Exchange::calm);
}
