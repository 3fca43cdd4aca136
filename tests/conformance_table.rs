//! Every row of the conformance table has a test, and `docs/conformance.md` says which.
//!
//! The page is generated from the tests' own names:
//! `GAPLESS_WRITE_DOCS=1 cargo test -p gapless-tests --test conformance_table`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Rows of the table, the venue that they are about, and the rule's source in it.
const ROWS: [(std::ops::RangeInclusive<u32>, &str, &str); 13] = [
    (1..=16, "Binance spot, US", "snapshot joins inside an event; `U <= L+1` applies"),
    (17..=17, "Binance REST", "429 and 418 with Retry-After"),
    (18..=18, "Binance spot", "a limited snapshot leaves an unknown beyond its worst level"),
    (19..=31, "Binance USD-M, COIN-M", "`pu` names the event before; joins with `pu <= S <= u`"),
    (32..=49, "Bybit", "`u` counts by one; 1 opens a new count"),
    (50..=50, "Bybit REST", "403 and retCode 10006"),
    (51..=63, "OKX", "`prevSeqId` names the update before, tested before stale"),
    (64..=71, "Deribit", "`prev_change_id` names the change before"),
    (72..=75, "Tardis normalized", "no numbers: continuity ends at a disconnect"),
    (76..=77, "Tardis raw", "an empty line is a disconnect; the venue's own rule joins"),
    (78..=81, "Tardis CSV", "rows of one local_timestamp are one message per symbol"),
    (82..=89, "relay", "`seq` counts by one where present"),
    (90..=99, "any", "what holds on every venue"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Tests whose name begins with a row, by row: name and file.
fn tests() -> BTreeMap<u32, Vec<(String, String)>> {
    let mut found: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !file.starts_with("conformance_") || !file.ends_with(".rs") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let Some(name) = line.strip_prefix("fn c").and_then(|l| l.split('(').next()) else {
                continue;
            };
            if let Some((Ok(row), _)) = name.split_once('_').map(|(n, rest)| (n.parse(), rest)) {
                found.entry(row).or_default().push((format!("c{name}"), file.clone()));
            }
        }
    }
    found
}

fn page() -> String {
    let tests = tests();
    let mut page = String::from(
        "# Conformance\n\nEvery row C01–C99 of the protocol specification has a test whose name \
         begins with the row. This page is generated from those names \
         (`GAPLESS_WRITE_DOCS=1 cargo test -p gapless-tests --test conformance_table`), and the \
         test suite fails where it is out of date or a row has no test. Rows about REST budgets, \
         back-off, reconnecting and auth test what the session demands; what a feed then does is \
         tested beside the feeds, in `crates/gapless-feed/tests`, under the same names, and \
         in `conformance_live.rs` at the end of a socket.\n\n\
         | row | venue | rule | test | file |\n|---|---|---|---|---|\n",
    );
    for (rows, venue, rule) in ROWS {
        for row in rows {
            for (name, file) in tests.get(&row).into_iter().flatten() {
                let truth = name.split_once('_').map_or("", |(_, rest)| rest).replace('_', " ");
                let _ = writeln!(page, "| C{row:02} | {venue} | {rule} | {truth} | `{file}` |");
            }
        }
    }
    page
}

#[test]
fn every_row_has_a_test() {
    let tests = tests();
    let missing: Vec<_> = (1..=99).filter(|row| !tests.contains_key(row)).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
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
