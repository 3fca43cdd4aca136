//! What a live source of an engine is beside what it subscribes: its key, and whether it may be
//! spoken to in plain text.

use gapless_feed::source::{Secret, SourceConfig};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time between two looks at where a key comes from.
const KEY_EVERY: Duration = Duration::from_secs(1);

/// Where a key comes from. Keys are no part of a configuration's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A variable of the environment.
    Environment(String),
    /// A file, looked at again once a second: a new key is used without a pause.
    File(PathBuf),
}

impl Key {
    /// The key as it is now.
    ///
    /// # Errors
    /// It is not there, said without saying anything of it.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Environment(name) => {
                std::env::var(name).map_err(|_| format!("{name} is not in the environment"))?
            }
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("{}: {error}", path.display()))?,
        };
        let key = Secret::new(&text);
        if key.expose().is_empty() {
            return Err(match self {
                Self::Environment(name) => format!("{name} is empty"),
                Self::File(path) => format!("{} is empty", path.display()),
            });
        }
        Ok(key)
    }
}

/// A key that may change while it is used.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    key: Option<Key>,
    seen: Instant,
}

impl KeyWatch {
    pub fn new(key: Option<Key>) -> Self {
        Self { key, seen: Instant::now() }
    }

    /// The key as it is now, once a second. What cannot be read just now keeps the key that it had.
    pub fn look(&mut self) -> Option<Secret> {
        if self.seen.elapsed() < KEY_EVERY {
            return None;
        }
        self.seen = Instant::now();
        self.key.as_ref().and_then(|key| key.read().ok())
    }
}

/// A live source.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// What is subscribed, where and how.
    pub source: SourceConfig,
    /// `ws` and `http` may be spoken to this machine itself.
    pub plaintext_loopback: bool,
    /// Its key, where it wants one.
    pub key: Option<Key>,
}

impl LiveConfig {
    /// A source without a key, encrypted.
    #[must_use]
    pub const fn new(source: SourceConfig) -> Self {
        Self { source, plaintext_loopback: false, key: None }
    }
}
