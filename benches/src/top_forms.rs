//! Two forms of the best bid and ask with their status: what is published, in a pair of cache
//! lines, and an experiment with everything in one.
//!
//! ```text
//! 128  lock │ standing │ seq │ published │ bid ×2 │ ask ×2 ┊ recv │ venue
//!  64  lock 32 · epoch 16 · reason 8 · state 2 │ seq │ recv │ venue │ bid ×2 │ ask ×2
//! ```
//! Both are written and read by the protocol of `gapless_book::publish`: odd, release fence,
//! words, even; acquire, words, acquire fence, the same again. The form of 64 bytes has no room for
//! the scales, for the stamp from which a reader tells that the writer is alive, and for a lock
//! that cannot come round while a reader sleeps: 32 bits of it do in half an hour at a million
//! publications a second.

use crate::two_cores::{Sees, Shows};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Content of a publication: standing, number, stamp of publication, best bid and ask, stamps of
/// receipt and of the venue. A form leaves 0 what it does not have.
pub type Content = [u64; 9];

/// A pair of lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Pair([AtomicU64; 10]);

/// The same pair, of which readers take the first line alone.
#[derive(Debug, Default)]
pub struct First(Pair);

/// One line, alone in its pair.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Line([AtomicU64; 8]);

/// A form of the top.
pub trait Form: Default + Send + Sync + 'static {
    /// Its name in reports.
    const NAME: &'static str;

    /// Makes the content seen; the writer knows how many came before.
    fn store(&self, number: u64, content: &Content);

    /// The newest content, if the writer is not in the way: what the form has of it.
    fn load(&self) -> Option<Content>;
}

impl Form for Pair {
    const NAME: &'static str = "128 bytes, all read";

    #[inline]
    fn store(&self, number: u64, content: &Content) {
        let [lock, words @ ..] = &self.0;
        lock.store(2 * number + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        words.iter().zip(content).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        lock.store(2 * number + 2, Ordering::Release);
    }

    #[inline]
    fn load(&self) -> Option<Content> {
        let [lock, words @ ..] = &self.0;
        let before = lock.load(Ordering::Acquire);
        let content = words.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (before & 1 == 0 && lock.load(Ordering::Relaxed) == before).then_some(content)
    }
}

impl Form for First {
    const NAME: &'static str = "128 bytes, first line read";

    #[inline]
    fn store(&self, number: u64, content: &Content) {
        self.0.store(number, content);
    }

    #[inline]
    fn load(&self) -> Option<Content> {
        let [lock, words @ .., _, _] = &self.0.0;
        let before = lock.load(Ordering::Acquire);
        let [standing, seq, published, bid, bid_qty, ask, ask_qty] =
            words.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let content = [standing, seq, published, bid, bid_qty, ask, ask_qty, 0, 0];
        (before & 1 == 0 && lock.load(Ordering::Relaxed) == before).then_some(content)
    }
}

/// Where the standing begins in the first word of a line.
const STANDING: u32 = 32;

impl Form for Line {
    const NAME: &'static str = "64 bytes, all read";

    #[inline]
    fn store(&self, number: u64, content: &Content) {
        let [first, words @ ..] = &self.0;
        let [standing, seq, _published, bid, bid_qty, ask, ask_qty, recv, venue] = content;
        let stored = [seq, recv, venue, bid, bid_qty, ask, ask_qty];
        let (standing, lock) = (standing << STANDING, (2 * number) & 0xffff_ffff);
        // What is said of the levels is in the first word, which must not say it before they are
        // there: the odd value keeps readers from it.
        first.store(standing | lock | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        words.iter().zip(stored).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        first.store(standing | ((lock + 2) & 0xffff_ffff), Ordering::Release);
    }

    #[inline]
    fn load(&self) -> Option<Content> {
        let [first, words @ ..] = &self.0;
        let before = first.load(Ordering::Acquire);
        let [seq, recv, venue, bid, bid_qty, ask, ask_qty] =
            words.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let content = [before >> STANDING, seq, 0, bid, bid_qty, ask, ask_qty, recv, venue];
        (before & 1 == 0 && first.load(Ordering::Relaxed) == before).then_some(content)
    }
}

/// What update `number` shows.
#[must_use]
pub fn content(number: usize, stamp_ns: u64) -> Content {
    let n = number as u64;
    [3, n, stamp_ns, 6_160_000 + n % 7, n, 6_160_010 + n % 5, n + 1, stamp_ns, stamp_ns]
}

/// The writer's end of a form.
#[derive(Debug)]
pub struct Writer<F>(Arc<F>, u64);

/// The reader's end.
#[derive(Debug)]
pub struct Looker<F>(Arc<F>);

/// Both ends.
#[must_use]
pub fn ends<F: Form>() -> (Writer<F>, Looker<F>) {
    let form = Arc::new(F::default());
    (Writer(form.clone(), 0), Looker(form))
}

impl<F: Form> Shows for Writer<F> {
    #[inline]
    fn show(&mut self, number: usize, stamp_ns: u64) {
        self.0.store(self.1, &content(number, stamp_ns));
        self.1 += 1;
    }
}

impl<F: Form> Sees for Looker<F> {
    #[inline]
    fn look(&mut self) -> Option<u64> {
        let found = self.0.load();
        if found.is_none() {
            spin_loop();
        }
        // The stamps are the same, and every form has one of them.
        found.map(|[_, _, published, .., recv, _]| published.max(recv))
    }
}
