//! Every exported function with whatever a C program can do wrong: an answer, never a fault.
//!
//! `GAPLESS_FFI_SEQUENCES=N` runs N random sequences of calls instead of a few.

mod events;
mod pointers;
mod publication;
mod random;
mod world;
mod writer;
mod wrong;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo put the shared library: beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let names = [folder.join("libgapless_c.so"), folder.join("../libgapless_c.so")];
    names.into_iter().find(|path| path.exists()).expect("cargo builds the library with this test")
}

fn header() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/gapless.h");
    std::fs::read_to_string(path).unwrap()
}

/// Functions that the header declares.
fn declared() -> BTreeSet<String> {
    let mut code = header();
    while let Some(from) = code.find("/*") {
        let end = code[from..].find("*/").unwrap();
        code.replace_range(from..from + end + 2, " ");
    }
    let called = code.split('(').filter_map(|text| text.rsplit([' ', '*', '\n']).next());
    // `(*name)(` is a pointer's type: what the caller writes, not what it calls.
    let is_function = |name: &&str| name.starts_with("gapless_") && !name.ends_with(')');
    called.filter(is_function).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_what_the_header_declares_and_the_harness_calls() {
    let called: BTreeSet<_> = world::CALLS.iter().map(|call| call.name.to_owned()).collect();
    assert_eq!(declared(), called, "declared by the header, against called by the harness");
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output();
    let Ok(listed) = nm else {
        println!("!! SKIPPED: no nm on this machine; exports are not compared");
        return;
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let exported: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(exported, called, "exported, against called by the harness");
}

#[test]
fn the_page_says_of_every_function_who_owns_what() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let page = page.unwrap();
    let row = |line: &str| Some(line.strip_prefix("| `gapless_")?.split_once('`')?.0.to_owned());
    let rows: Vec<_> = page.lines().filter_map(row).collect();
    let rows: BTreeSet<_> = rows.iter().map(|name| format!("gapless_{name}")).collect();
    assert_eq!(rows, declared(), "rows of README.md, against the header");
}

#[test]
fn statuses_have_the_names_that_the_header_gives_them() {
    let header = header();
    let rows = header.lines().filter_map(|line| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        Some((name.starts_with("GAPLESS_STATUS_").then_some(name)?, number.parse().ok()?))
    });
    let rows: Vec<(&str, i32)> = rows.collect();
    assert!(rows.len() > 15);
    for (name, number) in &rows {
        assert_eq!(wrong::name_of(*number), *name);
    }
    for unknown in [-1, rows.len() as i32, i32::MIN, i32::MAX] {
        assert_eq!(wrong::name_of(unknown), "unknown status");
    }
}
