//! Rivals of publication: what shows the newest best bid and ask to another thread.

use crate::two_cores::{Sees, Shows};
use arc_swap::ArcSwap;
use crossbeam_utils::atomic::AtomicCell;
use left_right::{Absorb, ReadHandle, WriteHandle};
use parking_lot::RwLock;
use seqlock::SeqLock;
use std::sync::Arc;

/// Stamp, then price and size of the best bid and ask.
pub type Best = [u64; 5];

/// What update `number` shows.
fn best(number: usize, stamp_ns: u64) -> Best {
    let number = number as u64;
    [stamp_ns, 6_160_000 + number % 7, number, 6_160_010 + number % 5, number + 1]
}

/// A rival's two ends.
pub struct Ends {
    /// Its name.
    pub name: &'static str,
    /// The writer's.
    pub writer: Box<dyn Shows>,
    /// The reader's.
    pub reader: Box<dyn Sees>,
}

impl Shows for Box<dyn Shows> {
    fn show(&mut self, number: usize, stamp_ns: u64) {
        (**self).show(number, stamp_ns);
    }

    fn prepare(&mut self, number: usize) {
        (**self).prepare(number);
    }
}

impl Sees for Box<dyn Sees> {
    fn look(&mut self) -> Option<u64> {
        (**self).look()
    }
}

struct Writing<F>(F);

impl<F: FnMut(Best) + Send> Shows for Writing<F> {
    fn show(&mut self, number: usize, stamp_ns: u64) {
        (self.0)(best(number, stamp_ns));
    }
}

struct Reading<F>(F);

impl<F: FnMut() -> Option<Best> + Send> Sees for Reading<F> {
    fn look(&mut self) -> Option<u64> {
        (self.0)().map(|[stamp, ..]| stamp)
    }
}

fn ends(
    name: &'static str,
    write: impl FnMut(Best) + Send + 'static,
    read: impl FnMut() -> Option<Best> + Send + 'static,
) -> Ends {
    Ends { name, writer: Box::new(Writing(write)), reader: Box::new(Reading(read)) }
}

/// What makes each rival anew.
pub const ALL: [fn() -> Ends; 7] =
    [cell, other_seqlock, arc_swap, left_right, rw_lock, queue, triple_buffer];

fn cell() -> Ends {
    let cell = Arc::new(AtomicCell::new(Best::default()));
    let other = cell.clone();
    ends("crossbeam AtomicCell", move |best| cell.store(best), move || Some(other.load()))
}

fn other_seqlock() -> Ends {
    let lock = Arc::new(SeqLock::new(Best::default()));
    let other = lock.clone();
    ends("seqlock", move |best| *lock.lock_write() = best, move || Some(other.read()))
}

fn arc_swap() -> Ends {
    let swap = Arc::new(ArcSwap::from_pointee(Best::default()));
    let other = swap.clone();
    ends("arc-swap", move |best| swap.store(Arc::new(best)), move || Some(**other.load()))
}

fn rw_lock() -> Ends {
    let lock = Arc::new(RwLock::new(Best::default()));
    let other = lock.clone();
    ends("parking_lot RwLock", move |best| *lock.write() = best, move || Some(*other.read()))
}

/// A queue shows every value; its reader falls behind rather than miss one.
fn queue() -> Ends {
    let (mut write, mut read) = rtrb::RingBuffer::new(1 << 16);
    ends("rtrb", move |best| _ = write.push(best), move || read.pop().ok())
}

fn triple_buffer() -> Ends {
    let (mut write, mut read) = triple_buffer::triple_buffer(&Best::default());
    ends("triple_buffer", move |best| write.write(best), move || Some(*read.read()))
}

#[derive(Clone, Debug, Default)]
struct Copied(Best);

impl Absorb<Best> for Copied {
    fn absorb_first(&mut self, best: &mut Best, _: &Self) {
        self.0 = *best;
    }

    fn sync_with(&mut self, first: &Self) {
        self.0 = first.0;
    }
}

fn left_right() -> Ends {
    let (mut write, read): (WriteHandle<Copied, Best>, ReadHandle<Copied>) =
        left_right::new::<Copied, Best>();
    let publish = move |best| {
        write.append(best);
        write.publish();
    };
    ends("left-right", publish, move || read.enter().map(|copied| copied.0))
}
