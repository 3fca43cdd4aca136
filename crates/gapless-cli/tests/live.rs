//! The commands that connect, against an exchange on loopback.

#[path = "../../../tests/live/exchange.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod exchange;

use exchange::Exchange;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn gapless(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A folder with a configuration of this exchange.
fn folder(name: &str, exchange: &Exchange) -> (PathBuf, String) {
    let path = std::env::temp_dir().join(format!("gapless-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    let text = format!(
        "allow_plaintext_loopback = true\n[[sources]]\nlive = \"binance_spot\"\n\
         symbols = [\"BTCUSDT\", \"ETHUSDT\"]\nsocket = \"ws://{}\"\nrest = \"http://{}\"\n",
        exchange.socket, exchange.rest
    );
    let config = path.join("config.toml");
    std::fs::write(&config, text).unwrap();
    (path, config.display().to_string())
}

#[test]
fn watch_prints_states_as_they_change_and_books_with_their_hash() {
    let exchange = Exchange::start(&["BTCUSDT", "ETHUSDT"]);
    let (path, config) = folder("watch", &exchange);
    let words = ["watch", &config, "--json", "--hash-every", "200", "--seconds", "3"];
    let output = gapless(&words).output().unwrap();
    let (text, errors) = said(&output);
    assert!(output.status.success(), "{errors}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let live =
        |name: &str| of("state").iter().any(|line| line["name"] == name && line["state"] == "live");
    assert!(live("binance_spot:BTCUSDT") && live("binance_spot:ETHUSDT"), "{text}");
    let books = of("book");
    assert!(books.len() > 4, "{text}");
    for book in books {
        assert_eq!(book["book_sha256"].as_str().unwrap().len(), 64);
        assert!(book["seq"].as_i64().unwrap() > 0 && book["state"] == "live");
    }
    assert_eq!(of("connection").len(), 1);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn check_config_says_what_is_asked_for_or_where_it_is_wrong() {
    let exchange = Exchange::start(&["BTCUSDT"]);
    let (path, config) = folder("check", &exchange);
    let output = gapless(&["check-config", &config]).output().unwrap();
    let (text, errors) = said(&output);
    assert!(output.status.success() && text.contains("2 topics, 1 connections"), "{text}{errors}");
    std::fs::write(&config, "[[sources]]\nlive = \"binance_spot\"\nsymbols = [\"A\"]\nport = 1\n")
        .unwrap();
    let output = gapless(&["check-config", &config]).output().unwrap();
    let (_, errors) = said(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("config.toml") && errors.contains("port"), "{errors}");
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_recorder_that_is_killed_loses_a_second_at_most() {
    let exchange = Exchange::start(&["BTCUSDT", "ETHUSDT"]);
    let (path, config) = folder("kill", &exchange);
    let out = path.join("out").display().to_string();
    let mut child = gapless(&["record", &config, "-o", &out]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = gapless(&["replay", "--json", &out]).output().unwrap();
    let (text, errors) = said(&output);
    assert!(output.status.success(), "{errors}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let books: Vec<_> = lines.iter().filter(|line| line["type"] == "book").collect();
    assert_eq!(books.len(), 2);
    for book in books {
        assert_eq!((&book["state"], &book["gaps"]), (&"live".into(), &0.into()), "{book}");
        // The exchange changes a book a thousand times a second.
        assert!(book["applied"].as_u64().unwrap() > 1_000, "{book}");
    }
    std::fs::remove_dir_all(path).unwrap();
}
