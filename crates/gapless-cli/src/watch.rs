//! `gapless watch`: the books of live venues as they are now.

use crate::args::WatchArguments;
use crate::{Exit, check_config, json};
use gapless::book::decimal::Decimal;
use gapless::book::local::State;
use gapless::engine::{Interest, Received, Subscription};
use gapless::events::{Body, Event, Topic};
use gapless::{BookReport, Engine};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Changes of each thread that may wait to be written; how many were lost is told.
const CHANGES_MAX: usize = 65_536;
/// Longest time between two looks at Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn run(arguments: &WatchArguments) -> Result<Exit, String> {
    let builder = check_config::read(&arguments.config)?;
    let (stop, stopped) = sync_channel(1);
    ctrlc::set_handler(move || {
        let _ = stop.try_send(());
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    let mut engine = builder.build();
    // Before anything runs, so that nothing is missed.
    let changes = Interest::in_topics([Topic::States]).capacity(CHANGES_MAX);
    let mut changes = engine.subscribe(&changes).map_err(|error| error.to_string())?;
    engine.start().map_err(|error| error.to_string())?;
    let mut watch = Watch {
        begun: Instant::now(),
        end: arguments.seconds.map_or(Duration::MAX, Duration::from_secs),
        every: Duration::from_millis(arguments.hash_every),
        is_json: arguments.json,
        out: io::stdout().lock(),
    };
    let ended = watch.follow(&engine, &mut changes, &stopped);
    let last = ended.and_then(|exit| watch.summary(&engine).map(|()| exit));
    engine.stop();
    match last {
        // Whoever reads from us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(error) => Err(format!("cannot write: {error}")),
        Ok(exit) => Ok(exit),
    }
}

struct Watch<W> {
    begun: Instant,
    end: Duration,
    every: Duration,
    is_json: bool,
    out: W,
}

impl<W: Write> Watch<W> {
    /// Shows changes as they come and the books in between.
    fn follow(
        &mut self,
        engine: &Engine,
        changes: &mut Subscription,
        stopped: &Receiver<()>,
    ) -> io::Result<Exit> {
        let mut due = self.every;
        loop {
            if stopped.try_recv().is_ok() {
                return Ok(Exit::Interrupted);
            }
            let passed = self.begun.elapsed();
            if passed >= self.end {
                return Ok(Exit::Ok);
            }
            let left = due.min(self.end).saturating_sub(passed);
            if left.is_zero() {
                self.books(engine)?;
                due = self.begun.elapsed() + self.every;
                continue;
            }
            match changes.next_within(left.min(LOOK_EVERY)) {
                Ok(Some(Received::Event(event))) => self.change(&event, changes)?,
                Ok(Some(Received::Missed(missed))) => {
                    eprintln!("gapless: {missed} changes of state came too fast to be written");
                }
                Ok(None) => {}
                // Every source was read to its end.
                Err(_) => std::thread::sleep(left.min(LOOK_EVERY)),
            }
        }
    }

    fn change(&mut self, event: &Event, changes: &Subscription) -> io::Result<()> {
        let Body::State(book) = &event.body else { return Ok(()) };
        let name = changes.name(event.instrument).unwrap_or_else(|| "".into());
        let (state, reason) = (book.state, book.reason);
        if self.is_json {
            let recv_ns = event.times.recv_ns;
            return self.line(&json!({
                "type": "state", "name": *name, "state": state.name(), "reason": reason.name(),
                "epoch": book.epoch, "seq": book.seq, "recv_ns": recv_ns,
            }));
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        writeln!(self.out, "{seconds:9.3}  {name}  {} {}", state.name(), reason.name())
    }

    /// The books as they are: every one for people, the live ones for programs.
    fn books(&mut self, engine: &Engine) -> io::Result<()> {
        for owned in engine.reports() {
            let report = owned.report();
            if !self.is_json {
                self.row(&report)?;
            } else if report.state() == State::Live {
                json::write_book(&mut self.out, &report)?;
            }
        }
        self.out.flush()
    }

    fn row(&mut self, report: &BookReport<'_>) -> io::Result<()> {
        let side = |best: Option<(Decimal, Decimal)>| match best {
            Some((price, qty)) if report.state() == State::Live => format!("{price} x {qty}"),
            _ => "-".to_owned(),
        };
        let (bid, ask) = (side(report.best_bid()), side(report.best_ask()));
        let (name, channel, state) = (report.name(), report.channel(), report.state().name());
        let seconds = self.begun.elapsed().as_secs_f64();
        writeln!(self.out, "{seconds:9.3}  {name}@{channel}  {state}  {bid} | {ask}")
    }

    /// How the sources fared.
    fn summary(&mut self, engine: &Engine) -> io::Result<()> {
        for source in engine.status() {
            for connection in &source.connections {
                let (url, phase) = (&connection.url, connection.phase.name());
                let (count, why) = (connection.connects, &connection.last_why);
                if self.is_json {
                    self.line(&json!({
                        "type": "connection", "source": source.name, "line": connection.line,
                        "url": url, "phase": phase, "connects": count, "last_why": why,
                    }))?;
                } else {
                    let why = if why.is_empty() { String::new() } else { format!("; {why}") };
                    writeln!(self.out, "{url}: {phase}, opened {count} times{why}")?;
                }
            }
            for error in &source.errors {
                eprintln!("gapless: {}: {error}", source.name);
            }
        }
        self.out.flush()
    }

    fn line(&mut self, value: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}
