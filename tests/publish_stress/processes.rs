//! Writer and readers as two processes, of which one at a time is stopped at any instruction.
//!
//! A process that is stopped is one whose core was taken away for long: a writer in the middle of
//! a write leaves its readers with what is half written, a reader finds everything overwritten.

use super::{Writer, config, number, while_three_read};
use gapless::shm::{Directory, Place};
use gapless_book::publish::Reader;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Which side a process is: `write` or `read`.
const SIDE: &str = "GAPLESS_STRESS_SIDE";
/// Where the publication lies.
const FOLDER: &str = "GAPLESS_STRESS_FOLDER";
/// What a side says when it has done as much as it was asked for.
const REACHED: &str = "reached";

/// One side, in a process of its own: goes on until its input ends. Does nothing by itself.
#[test]
fn side() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    // A reader that fails ends the process: the others wait for an input that does not end.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(1);
    }));
    let end = Input::default();
    match std::env::var(SIDE).as_deref() {
        Ok("write") => write(Path::new(&folder), &end),
        _ => read(Path::new(&folder), &end),
    }
}

/// Tells when this process is to end.
struct Input(Receiver<()>);

impl Default for Input {
    fn default() -> Self {
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(sender);
        });
        Self(ended)
    }
}

impl Input {
    fn has_ended(&self) -> bool {
        self.0.try_recv() == Err(mpsc::TryRecvError::Disconnected)
    }
}

fn write(folder: &Path, end: &Input) {
    let place = Place { engine: "stress", name: "test:BOOK", channel: "all" };
    let (publisher, _entry) = Directory::new(folder).create(place, &config(), 1).unwrap();
    let mut writer = Writer::new(publisher);
    let mut goal = Goal::new("GAPLESS_STRESS_WRITES");
    println!("begun");
    while !end.has_ended() {
        writer.bursts();
        goal.look(writer.written());
    }
    println!("{} messages published", writer.written());
}

fn read(folder: &Path, end: &Input) {
    let book = Directory::new(folder).find("test:BOOK").unwrap().attach().unwrap();
    let reader: &Reader<_> = book.publication();
    let mut goal = Goal::new("GAPLESS_STRESS_READS");
    let (answers, seen) = while_three_read(reader, |run| {
        while !end.has_ended() {
            goal.look(run.answers.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(5));
        }
        run.answers.load(Ordering::Relaxed)
    });
    println!("{answers} answers; {seen:?}");
}

/// What a side is to have done before the run ends.
struct Goal(Option<u64>);

impl Goal {
    fn new(variable: &str) -> Self {
        Self(Some(number(variable, 0)))
    }

    fn look(&mut self, done: u64) {
        if self.0.is_some_and(|goal| done > goal) {
            self.0 = None;
            println!("{REACHED}");
        }
    }
}

/// A side as its parent knows it.
struct Side {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    has_reached: bool,
    stops: u64,
}

impl Side {
    fn start(side: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::side", "--nocapture"])
            .env(SIDE, side)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, has_reached: false, stops: 0 }
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    fn has_reached(&mut self) -> bool {
        self.has_reached |= self.lines.try_iter().any(|line| line == REACHED);
        assert_eq!(self.child.try_wait().unwrap(), None, "a side failed");
        self.has_reached
    }

    /// Takes its core away for a while.
    fn stop(&mut self, time: Duration) {
        self.signal(Signal::STOP);
        std::thread::sleep(time);
        self.signal(Signal::CONT);
        self.stops += 1;
    }

    /// Ends it in good order and says what it did.
    fn end(mut self) -> String {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success(), "a side failed");
        let said: Vec<_> = self
            .lines
            .iter()
            .filter(|line| line.contains(" messages") || line.contains(" answers"))
            .collect();
        format!("{}, stopped {} times", said.join(""), self.stops)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_answer_is_whole_though_either_side_is_stopped_at_any_instruction() {
    let folder = std::env::temp_dir().join(format!("gapless-stress-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut writer = Side::start("write", &folder);
    while !writer.lines.recv().unwrap().contains("begun") {}
    let mut reader = Side::start("read", &folder);
    let (from, time) = (Instant::now(), Duration::from_secs(number("GAPLESS_STRESS_SECONDS", 3)));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    while from.elapsed() < time || !(writer.has_reached() & reader.has_reached()) {
        let side = if below(2) == 0 { &mut writer } else { &mut reader };
        side.stop(Duration::from_micros(below(10_000)));
        std::thread::sleep(Duration::from_micros(below(30_000)));
    }
    let took = from.elapsed().as_secs_f64();
    // The reader first: it does not expect the writer's last word.
    let read = reader.end();
    println!("{took:.0} s; {}; {read}", writer.end());
    std::fs::remove_dir_all(&folder).unwrap();
}
