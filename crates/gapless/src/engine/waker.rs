//! The engine's own thread, which wakes receivers that sleep: it looks at their rings for them.
//!
//! Invariant: it runs only while somebody sleeps, and no thread that applies books knows of it,
//! except when that thread begins or ends.

use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};
use gapless_book::publish::Bell;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

/// Between two looks at the rings of those who sleep.
const LOOK_EVERY: Duration = Duration::from_micros(50);

#[derive(Debug)]
struct Sleeper {
    number: u64,
    bells: Vec<Bell>,
}

#[derive(Debug, Default)]
struct Inner {
    sleepers: Vec<Sleeper>,
    /// Counts what has come or gone of the engine.
    changes: u64,
    next: u64,
    has_ended: bool,
}

/// Wakes those who sleep.
#[derive(Debug, Default)]
pub(super) struct Waker {
    inner: Mutex<Inner>,
    /// Somebody sleeps, or the engine has ended: the thread looks again.
    called: Condvar,
    /// Somebody who slept is no sleeper any more.
    woken: Condvar,
}

impl Waker {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts its thread, which ends with the waker.
    pub fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let waker = Arc::downgrade(self);
        thread::Builder::new().name("gapless-waker".to_owned()).spawn(move || run(&waker))
    }

    /// Counts what has come or gone of the engine: a sleep that saw another count ends at once.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Something of the engine came or went: everybody looks again.
    pub fn changed(&self) {
        let mut inner = self.lock();
        inner.changes += 1;
        inner.sleepers.clear();
        drop(inner);
        self.woken.notify_all();
    }

    /// Nobody is woken by rings any more: the engine has ended.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.changed();
        self.called.notify_all();
    }

    /// Sleeps until a bell rings, something changes, or the time is over; it may end early.
    pub fn sleep(&self, seen: u64, bells: Vec<Bell>, at_most: Duration) {
        let mut inner = self.lock();
        if inner.changes != seen {
            return;
        }
        inner.next += 1;
        let number = inner.next;
        inner.sleepers.push(Sleeper { number, bells });
        self.called.notify_one();
        let sleeps = |inner: &mut Inner| inner.sleepers.iter().any(|one| one.number == number);
        let slept = self.woken.wait_timeout_while(inner, at_most, sleeps);
        let (mut inner, _) = slept.unwrap_or_else(PoisonError::into_inner);
        inner.sleepers.retain(|sleeper| sleeper.number != number);
    }
}

fn run(waker: &Weak<Waker>) {
    while let Some(waker) = waker.upgrade() {
        let mut inner = waker.lock();
        if inner.has_ended {
            return;
        }
        let before = inner.sleepers.len();
        inner.sleepers.retain(|sleeper| !sleeper.bells.iter().any(Bell::rings));
        if inner.sleepers.len() != before {
            waker.woken.notify_all();
        }
        if inner.sleepers.is_empty() {
            let waited = waker.called.wait(inner);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(inner);
            thread::sleep(LOOK_EVERY);
        }
    }
}
