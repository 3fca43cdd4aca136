//! The locks, channels and threads of the engine, and the only door to them.
//!
//! With the feature `shuttle`, which is for `tests/lifecycle.rs` alone, they are those of a
//! scheduler that runs one thread at a time, in orders that it draws. No time passes there: a wait
//! with an end has none, so that whoever waits for a call that was lost waits for ever, and is
//! found.

#[cfg(not(feature = "shuttle"))]
pub(crate) use crossbeam_channel::{
    Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, unbounded,
};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, mpsc};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::thread;

#[cfg(feature = "shuttle")]
pub(crate) use crossbeam_channel::{RecvTimeoutError, TryRecvError};
#[cfg(feature = "shuttle")]
pub(crate) use model::{Receiver, Sender, bounded, unbounded};
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, mpsc},
    thread,
};

/// The channels that the engine uses, of the scheduler's locks.
#[cfg(feature = "shuttle")]
mod model {
    use super::{Condvar, Mutex, MutexGuard};
    use crossbeam_channel::{RecvTimeoutError, SendError, TryRecvError, TrySendError};
    use std::collections::VecDeque;
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    /// Turns that others are offered by a look at a channel.
    const LETS_RUN: u32 = 16;

    struct State<T> {
        queue: VecDeque<T>,
        room: usize,
        has_sender: bool,
        has_receiver: bool,
    }

    struct Shared<T> {
        state: Mutex<State<T>>,
        changed: Condvar,
    }

    impl<T> Shared<T> {
        fn lock(&self) -> MutexGuard<'_, State<T>> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
            self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// The end that gives.
    pub(crate) struct Sender<T>(Arc<Shared<T>>);

    /// The end that takes.
    pub(crate) struct Receiver<T>(Arc<Shared<T>>);

    /// A channel with so much room.
    pub(crate) fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
        let (queue, has_sender, has_receiver) = (VecDeque::new(), true, true);
        let state = State { queue, room, has_sender, has_receiver };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        (Sender(Arc::clone(&shared)), Receiver(shared))
    }

    /// A channel with room for all.
    pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
        bounded(usize::MAX)
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
            let mut state = self.0.lock();
            while state.has_receiver && state.queue.len() >= state.room {
                state = self.0.wait(state);
            }
            if !state.has_receiver {
                return Err(SendError(value));
            }
            state.queue.push_back(value);
            self.0.changed.notify_all();
            Ok(())
        }

        pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
            let mut state = self.0.lock();
            if !state.has_receiver {
                return Err(TrySendError::Disconnected(value));
            }
            if state.queue.len() >= state.room {
                return Err(TrySendError::Full(value));
            }
            state.queue.push_back(value);
            self.0.changed.notify_all();
            Ok(())
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
            // Whoever only looks lets others run: they would else be behind in nearly every order.
            (0..LETS_RUN).for_each(|_| super::thread::yield_now());
            let mut state = self.0.lock();
            let gone =
                if state.has_sender { TryRecvError::Empty } else { TryRecvError::Disconnected };
            let value = state.queue.pop_front().ok_or(gone);
            self.0.changed.notify_all();
            value
        }

        pub(crate) fn recv_timeout(&self, _: Duration) -> Result<T, RecvTimeoutError> {
            let mut state = self.0.lock();
            while state.has_sender && state.queue.is_empty() {
                state = self.0.wait(state);
            }
            let value = state.queue.pop_front().ok_or(RecvTimeoutError::Disconnected);
            self.0.changed.notify_all();
            value
        }

        pub(crate) fn try_iter(&self) -> impl Iterator<Item = T> {
            std::iter::from_fn(|| self.try_recv().ok())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().queue.is_empty()
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0.lock().has_sender = false;
            self.0.changed.notify_all();
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            let mut state = self.0.lock();
            state.has_receiver = false;
            let left = std::mem::take(&mut state.queue);
            drop(state);
            self.0.changed.notify_all();
            // What nobody takes may tell somebody by its end.
            drop(left);
        }
    }

    impl<T> std::fmt::Debug for Sender<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Sender")
        }
    }

    impl<T> std::fmt::Debug for Receiver<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Receiver")
        }
    }
}
