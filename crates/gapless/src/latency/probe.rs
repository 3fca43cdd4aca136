//! The other end of the way: when a reader has seen what was published.

use super::legs::Signed;
use crate::clock;
use crate::reader::BookReader;

/// A reader of some books that looks at them in turn and times what it finds.
///
/// It belongs to one thread, which looks as often as it can. What is published twice between two
/// looks is seen once: [`Probe::seen`] of [`Probe::sent`] says how much the times speak of.
#[derive(Debug)]
pub struct Probe {
    /// With the version seen last.
    books: Vec<(BookReader, u64)>,
    times: Signed,
    seen: u64,
    sent: u64,
    /// Books of the reader with most, of those that were merged.
    books_max: usize,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// A probe of no books.
    #[must_use]
    pub fn new() -> Self {
        Self { books: Vec::new(), times: Signed::new(), seen: 0, sent: 0, books_max: 0 }
    }

    /// Looks at this book too, from now on.
    pub fn add(&mut self, book: BookReader) {
        let version = book.version();
        self.books.push((book, version));
    }

    /// How many books it looks at; of readers that were merged, the one with most.
    #[must_use]
    pub fn books(&self) -> usize {
        self.books.len().max(self.books_max)
    }

    /// Looks at every book once; whether any had changed.
    pub fn look(&mut self) -> bool {
        let before = self.seen;
        for (book, last) in &mut self.books {
            let version = book.version();
            if version == *last {
                continue;
            }
            if let Ok(top) = book.last_known_top() {
                let now_ns = clock::now_ns();
                self.times.record(now_ns.saturating_sub(top.status.published_ns));
                self.seen += 1;
                self.sent += version.saturating_sub(*last);
                *last = version;
            }
        }
        self.seen != before
    }

    /// From the beginning of a publication to its first sight by this reader, ns of the clock that
    /// both stamp with.
    #[must_use]
    pub const fn times(&self) -> &Signed {
        &self.times
    }

    /// Publications that were seen.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Publications that there were.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Adds what another probe saw.
    pub fn merge(&mut self, other: &Self) {
        self.times.add(&other.times);
        self.seen += other.seen;
        self.sent += other.sent;
        self.books_max = self.books().max(other.books());
    }
}
