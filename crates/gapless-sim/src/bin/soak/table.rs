//! The rows of the fault model, and what the virtual network has of each.

use std::collections::BTreeMap;

/// A row: what goes wrong, and the labels that count for it.
const ROWS: &[(&str, &[&str])] = &[
    ("missing delta", &["drop", "silence"]),
    ("duplicate delta", &["duplicate"]),
    ("reordered delta", &["reorder"]),
    ("late delta", &["delay", "stall", "dribble"]),
    ("damaged bytes", &["corrupt", "truncate"]),
    ("snapshot of another symbol", &["foreign-snapshot"]),
    ("checksum disagrees", &["checksum"]),
    ("sequence begins anew", &["sequence-reset"]),
    ("snapshot older than the stream", &["old-snapshot"]),
    ("snapshot newer than the stream", &["late-snapshot"]),
    ("snapshot crossed", &["crossed-snapshot"]),
    ("snapshot empty", &["empty-snapshot"]),
    ("tick change", &["tick-change"]),
    ("halt", &["halt"]),
    ("maintenance", &["maintenance"]),
    ("half-open connection", &["half-open"]),
    ("RST", &["reset"]),
    ("close codes", &["close 1006", "close 1008", "close 1012"]),
    ("announced shutdown", &["shutdown"]),
    ("subscription without answer, refused", &["no-ack", "subscribe-error"]),
    ("upgrade refused", &["refuse 429", "refuse 503"]),
    ("REST 403, 418, 429, 503", &["status 403", "status 418", "status 429", "status 503"]),
    ("REST body HTML, error, cut", &["html", "error-body", "cut"]),
    ("REST slow", &["slow", "slow-body"]),
];

/// What a network without sockets cannot have, and what no client could see: exchanges here count
/// alike for all symbols, so that a frame under another name fits there.
const NOT_HERE: &str = "TLS, DNS, IPv6, bytes of the upgrade's answer, SIGSTOP, clock steps, \
    frames under another symbol's name";

/// Prints every row with its count.
pub fn print(faults: &BTreeMap<String, u64>) {
    println!("{:<40} {:>10}", "fault", "times");
    for (row, labels) in ROWS {
        let times: u64 = labels.iter().filter_map(|label| faults.get(*label)).sum();
        println!("{row:<40} {times:>10}");
    }
    println!("not in a virtual network: {NOT_HERE}");
}
