//! Resident memory of books, weighed in a fresh process of its own.
//!
//! The kernel's count is read before and after `COPIES` books are built by the recorded deltas,
//! once the books built before them have taken up what the loading left free. Pages that a
//! container asked for and never touched do not count; what the allocator adds to each node does.

use crate::numbers::{Book, Ladder, Numbers};
use crate::ours::{self, Sides};
use crate::rival::btreemap::BTreeMaps;
use crate::workload::Catalog;
use std::process::Command;

/// Copies that are weighed.
const COPIES: usize = 24;
/// Copies before them that must have grown the process, one after the other.
const GROWN: usize = 4;
/// Most copies before them.
const SOAK_MAX: usize = 2_000;

/// Bytes of one book of a workload in a container, weighed by a child process.
///
/// # Errors
/// Says why it cannot be told.
pub fn ask(workload: &str, container: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--resident", container, "--workload", workload])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| "this system does not tell resident memory".to_owned())
}

/// Weighs here; prints nothing. `None`: unknown names, or the system does not tell.
#[must_use]
pub fn weigh(catalog: &Catalog, workload: &str, container: &str) -> Option<f64> {
    let entry = catalog.entries.iter().find(|entry| entry.name == workload)?;
    let workload = entry.load().ok()?;
    let numbers = Numbers::of(&workload);
    let weight = if container == ours::NAME {
        build::<Sides>(&numbers)
    } else {
        build::<BTreeMaps>(&numbers)
    };
    // Until here, so that no book was built in what it leaves free.
    drop(workload);
    weight
}

fn build<L: Ladder>(numbers: &Numbers) -> Option<f64> {
    let (mut soak, mut grown) = (Vec::new(), 0);
    while grown < GROWN && soak.len() < SOAK_MAX {
        let before = resident()?;
        soak.push(books::<L>(numbers));
        grown = if resident()? > before { grown + 1 } else { 0 };
    }
    let before = resident()?;
    let built: Vec<Vec<L>> = (0..COPIES).map(|_| books(numbers)).collect();
    let after = resident()?;
    drop((soak, built));
    Some((after - before) / (COPIES * numbers.books.len()) as f64)
}

fn books<L: Ladder>(numbers: &Numbers) -> Vec<L> {
    let mut books: Vec<L> = numbers.books.iter().map(L::new).collect();
    for message in numbers.snapshots.iter().chain(&numbers.deltas) {
        let book: &Book = &numbers.books[message.book];
        let entries = |levels: &[_]| -> Vec<L::Entry> {
            levels.iter().map(|level| L::entry(book, *level)).collect()
        };
        let (bids, asks) = (entries(&message.bids), entries(&message.asks));
        books[message.book].apply(&bids, &asks);
    }
    books
}

/// Bytes of private memory that this process has touched.
#[must_use]
pub fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0)
}
