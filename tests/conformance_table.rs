//! Every row of the conformance table has a test, and `docs/conformance.md` says which.
//!
//! The page is generated from the tests' own names:
//! `GAPLESS_WRITE_DOCS=1 cargo test -p gapless-tests --test conformance_table`.

#[path = "conformance/rows.rs"]
mod rows;

use rows::ROWS;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A test, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    truth: String,
    file: String,
}

/// Rows of a name: `c82_c84_what_was_lost` has two. The rest is what the test says.
fn rows_of(name: &str) -> (Vec<usize>, &str) {
    let row = |part: &str| part.strip_prefix('c').filter(|n| n.len() == 2)?.parse().ok();
    let (mut rows, mut rest) = (Vec::new(), name);
    while let Some((first, others)) = rest.split_once('_') {
        let Some(row) = row(first) else { break };
        rows.push(row);
        rest = others;
    }
    (rows, rest)
}

/// The functions of a file whose names begin with a row, and whether each is a test that runs.
fn functions(text: &str) -> Vec<(&str, bool)> {
    let (mut found, mut attributes) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = function.and_then(|rest| rest.split(['(', '<']).next()) {
            let is_test = matches!(attributes[..], ["#[test]" | "#[tokio::test]"]);
            if !rows_of(name).0.is_empty() {
                found.push((name, is_test));
            }
        }
        match line.starts_with("#[") {
            true => attributes.push(line),
            false => attributes.clear(),
        }
    }
    found
}

/// Rust files below a folder, with their paths from the root.
fn files(folder: &str, found: &mut Vec<String>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&path, found);
        } else if path.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// Tests by row, and what looks like one and is none.
fn tests() -> (BTreeMap<usize, Vec<Test>>, Vec<String>) {
    let (mut found, mut none) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    let mut paths = Vec::new();
    for folder in ["tests", "crates"] {
        files(folder, &mut paths);
    }
    for file in paths {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        for (name, is_test) in functions(&text) {
            let (rows, truth) = rows_of(name);
            let test = Test { truth: truth.replace('_', " "), file: file.clone() };
            if !is_test || rows.iter().any(|row| *row == 0 || *row > ROWS.len()) {
                none.push(format!("{file}: {name}"));
                continue;
            }
            for row in rows {
                found.entry(row).or_default().push(test.clone());
            }
        }
    }
    (found, none)
}

fn page() -> String {
    let (tests, _) = tests();
    let mut page = String::from(
        "# Conformance\n\nEvery row C01–C99 of the protocol specification has a test whose name \
         begins with the row. This page is generated from those names \
         (`GAPLESS_WRITE_DOCS=1 cargo test -p gapless-tests --test conformance_table`), and the \
         test suite fails where it is out of date, where a row has no test, and where a function \
         that is named after a row is no test that runs. Rows about REST budgets, back-off, \
         reconnecting and auth are tested as what a session demands, as what a feed then does \
         (`crates/gapless-feed/tests`), and at the end of a socket (`conformance_live.rs`).\n\n\
         | row | venue | rule | test | file |\n|---|---|---|---|---|\n",
    );
    for (at, (venue, rule)) in ROWS.iter().enumerate() {
        for Test { truth, file } in tests.get(&(at + 1)).into_iter().flatten() {
            let row = at + 1;
            let _ = writeln!(page, "| C{row:02} | {venue} | {rule} | {truth} | `{file}` |");
        }
    }
    page
}

#[test]
fn every_row_has_a_test() {
    let (tests, none) = tests();
    let missing: Vec<_> = (1..=ROWS.len()).filter(|row| !tests.contains_key(row)).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
    assert!(none.is_empty(), "named after a row and no test: {none:?}");
}

#[test]
fn a_function_is_a_test_of_its_rows_if_it_runs() {
    let text = [
        "#[test]\nfn c07_a() {}\n\n#[tokio::test]\nasync fn c08_c09_b() {}\n\nfn c10_c() {}",
        "#[test]\n#[cfg(windows)]\nfn c11_d() {}\n// #[test]\nfn c12_e() {}",
        "fn c1_f() {}\nfn cap() {}",
    ]
    .join("\n");
    let names = [("c07_a", true), ("c08_c09_b", true), ("c10_c", false), ("c11_d", false)];
    assert_eq!(functions(&text), [&names[..], &[("c12_e", false)]].concat());
    assert_eq!(rows_of("c08_c09_b_c"), (vec![8, 9], "b_c"));
}

#[test]
fn the_page_lists_the_tests_that_there_are() {
    let path = root().join("docs/conformance.md");
    if std::env::var_os("GAPLESS_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/conformance.md is out of date: see this file's first lines");
}
