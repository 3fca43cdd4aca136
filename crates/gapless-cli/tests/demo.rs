//! The command that a newcomer types first: every book ends as its exchange says.

use std::process::Command;

#[test]
fn the_demo_heals_every_book_and_says_so() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_gapless"));
    let output = demo.args(["demo", "--seconds", "6", "--json"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let books: Vec<_> = lines.iter().filter(|line| line.get("book").is_some()).collect();
    assert_eq!(books.len(), 12, "{said}");
    assert!(books.iter().all(|book| book["equal"] == true), "{said}");
    assert!(books.iter().any(|book| book["gaps"].as_u64() > Some(0)), "{said}");
    assert_eq!(output.status.code(), Some(0));
}
