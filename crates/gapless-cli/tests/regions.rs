//! The `gapless` command on publications in shared memory.
#![cfg(target_os = "linux")]

use gapless::book::publish::Config;
use gapless::shm::{Directory, Place};
use gapless::{Engine, Source};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/gapless-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
        command.args(arguments).arg("--dir").arg(&self.0);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn engine(&self) -> Engine {
        let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../samples/okx.cap.zst");
        let source = Source::replay([samples.display().to_string()]);
        let builder = Engine::builder().source(source).share(Directory::new(&self.0), "one");
        let engine = builder.start().unwrap();
        engine.join();
        engine
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn books_are_listed_and_read_while_their_engine_runs() {
    let folder = Folder::new("list");
    let engine = folder.engine();
    let listed = folder.run(&["books"]);
    let lines: Vec<_> = text(&listed.stdout).lines().collect();
    assert_eq!((listed.status.code(), lines.len()), (Some(0), engine.books().len() + 1));
    let pid = std::process::id().to_string();
    let row = |line: &&&str| line.starts_with("one ") && line.contains(&pid);
    assert_eq!(lines.iter().filter(row).count(), engine.books().len());
    let read = folder.run(&["read", "okx:BTC-USDT-SWAP@books", "--depth", "3"]);
    let lines: Vec<_> = text(&read.stdout).lines().collect();
    assert_eq!((read.status.code(), lines.len()), (Some(0), 4), "{read:?}");
    assert!(lines[0].starts_with("okx:BTC-USDT-SWAP live seq "), "{}", lines[0]);
}

#[test]
fn what_is_not_there_or_not_one_book_is_said_with_its_exit_code() {
    let folder = Folder::new("missing");
    let _engine = folder.engine();
    for (book, word) in [("okx:NONE", "no such book"), ("BTC-USDT-SWAP", "several")] {
        let read = folder.run(&["read", book]);
        assert_eq!(read.status.code(), Some(1), "{book}");
        assert!(text(&read.stderr).contains(word), "{read:?}");
    }
    let nowhere = Folder(folder.0.join("nowhere"));
    assert_eq!(nowhere.run(&["books"]).status.code(), Some(1));
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_gapless")).arg("read").status().unwrap().code(),
        Some(2)
    );
}

#[test]
fn who_follows_a_book_whose_writer_died_before_it_was_live_gets_the_next_one() {
    let folder = Folder::new("died");
    let place = Place { engine: "one", name: "okx:BTC-USDT-SWAP", channel: "books" };
    let made = Directory::new(&folder.0).create(place, &Config::default(), 1);
    let (publisher, entry) = made.unwrap();
    let mut command = folder.command(&["read", "okx:BTC-USDT-SWAP@books", "--follow"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains(" syncing (awaiting_snapshot)"));
    assert!(lines.any(|line| line.contains(" stale (writer_silent)")));
    // Dead writers do not say that they end.
    std::mem::forget(publisher);
    drop(entry);
    let _engine = folder.engine();
    assert!(lines.any(|line| line.contains(" live ")));
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn who_follows_a_book_is_told_that_it_ended_and_gets_the_next_one() {
    let folder = Folder::new("follow");
    let mut engine = folder.engine();
    let mut command = folder.command(&["read", "okx:BTC-USDT-SWAP@books", "--follow"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains(" live "));
    engine.stop();
    assert!(lines.any(|line| line.contains("stale (closed)")));
    engine.start().unwrap();
    assert!(lines.any(|line| line.contains(" live ")));
    follower.kill().unwrap();
    follower.wait().unwrap();
}
