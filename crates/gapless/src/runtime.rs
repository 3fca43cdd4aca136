//! What the sockets of one thread run on.

use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A name is resolved on a thread of its own, which nobody can interrupt and a resolver may keep
/// for long: who ends waits no longer for it.
const END_TIME_MAX: Duration = Duration::from_millis(100);

/// A runtime whose end is not waited for. To be dropped after what was made on it.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Sockets {
    /// To be made on the thread that runs it.
    ///
    /// # Errors
    /// The system gives no sockets.
    pub fn open() -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| format!("cannot use sockets: {error}"))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs something on it.
    pub fn run<T>(&self, what: impl FnOnce(&Runtime) -> T) -> Option<T> {
        self.runtime.as_ref().map(what)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(END_TIME_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn nobody_waits_for_a_name_that_is_being_resolved() {
        let sockets = Sockets::open().unwrap();
        let (begins, begun) = std::sync::mpsc::channel();
        sockets.run(|runtime| {
            runtime.spawn_blocking(move || {
                begins.send(()).unwrap();
                std::thread::sleep(Duration::from_secs(5));
            })
        });
        begun.recv().unwrap();
        let since = Instant::now();
        drop(sockets);
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}
