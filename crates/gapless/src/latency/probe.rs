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
    books: Vec<Watched>,
    times: Signed,
    seen: u64,
    sent: u64,
    /// Books of the reader with most, of those that were merged.
    books_max: usize,
}

#[derive(Debug)]
struct Watched {
    book: BookReader,
    /// Seen last.
    version: u64,
    /// When what was seen last was published, which may be later than that version.
    published_ns: i64,
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
        self.books.push(Watched { book, version, published_ns: i64::MIN });
    }

    /// How many books it looks at; of readers that were merged, the one with most.
    #[must_use]
    pub fn books(&self) -> usize {
        self.books.len().max(self.books_max)
    }

    /// Looks at every book once; whether any had changed.
    pub fn look(&mut self) -> bool {
        let before = self.seen;
        for one in &mut self.books {
            let version = one.book.version();
            if version == one.version {
                continue;
            }
            let Ok(top) = one.book.last_known_top() else { continue };
            self.sent += version.saturating_sub(one.version);
            one.version = version;
            let published_ns = top.status.published_ns;
            // Else the last look met a publication whose version had not changed yet.
            if published_ns != one.published_ns {
                one.published_ns = published_ns;
                self.times.record(clock::now_ns().saturating_sub(published_ns));
                self.seen += 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Memory;
    use gapless_book::local::{LocalBook, Policy};
    use gapless_book::publish::{Config, Publisher, Reader, Region};
    use gapless_book::sequence::{Bridge, Chain, Rule};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    /// Its word in a publication.
    const VERSION: usize = 33;

    #[test]
    fn a_publication_that_is_met_before_its_version_is_seen_once() {
        let config = Config::default();
        let memory = Arc::new(Memory::new(config.words().unwrap()));
        let made = Publisher::create(Arc::clone(&memory), &config, 1, 0);
        let mut publisher = made.unwrap();
        let rule = Rule::new(Chain::Linked, Bridge::InStream);
        let book = LocalBook::new(rule, Policy::default());
        let reader = BookReader::new("x:Y".into(), Reader::attach(memory).unwrap());
        let mut probe = Probe::new();
        probe.add(reader.clone());
        for now_ns in [10, 20] {
            publisher.publish(&book, now_ns);
        }
        // The second is there whole, but for its version: the writer has not come to that.
        let word = |publisher: &Publisher<Arc<Memory>>, add: u64| {
            publisher.region().words()[VERSION].fetch_add(add, Ordering::Relaxed)
        };
        assert_eq!(word(&publisher, u64::MAX), reader.version() + 1);
        assert!(probe.look() && !probe.look());
        word(&publisher, 1);
        assert!(!probe.look());
        assert_eq!((probe.seen(), probe.sent(), probe.times().count()), (1, 2, 1));
        publisher.publish(&book, 30);
        assert!(probe.look());
        assert_eq!((probe.seen(), probe.sent()), (2, 3));
    }
}
