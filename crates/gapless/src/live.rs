//! What a live source of an engine is beside what it subscribes: its key, and whether it may be
//! spoken to in plain text.

use gapless_feed::source::{Secret, SourceConfig};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two looks at where a key comes from.
const KEY_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a file that holds a key.
const KEY_BYTES_MAX: u64 = 4_096;

/// Where a key comes from. Keys are no part of a configuration's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A variable of the environment.
    Environment(String),
    /// A file of one line that not everybody may read, looked at again once a second: a new key is
    /// used without a pause once it has stood there for a second.
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
            Self::File(path) => {
                in_file(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        let key = Secret::new(&text);
        if key.expose().contains(['\n', '\r']) {
            return Err(match self {
                Self::Environment(name) => format!("{name} has several lines"),
                Self::File(path) => format!("{} has several lines", path.display()),
            });
        }
        if key.expose().is_empty() {
            return Err(match self {
                Self::Environment(name) => format!("{name} is empty"),
                Self::File(path) => format!("{} is empty", path.display()),
            });
        }
        Ok(key)
    }
}

fn in_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("is no file".to_owned());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o007 != 0 {
        return Err("is open to everybody; chmod o= it".to_owned());
    }
    if about.len() > KEY_BYTES_MAX {
        return Err(format!("has more than {KEY_BYTES_MAX} bytes"));
    }
    let mut text = String::new();
    file.take(KEY_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// A key that may change while it is used.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    key: Option<Key>,
    seen: Instant,
    /// What was read last, and whether it was told.
    last: Option<(Secret, bool)>,
}

impl KeyWatch {
    pub fn new(key: Option<Key>) -> Self {
        Self { key, seen: Instant::now(), last: None }
    }

    /// A key that was the same at two looks a second apart: a file that is being written may hold
    /// half of one. What cannot be read just now keeps the key that it had.
    pub fn look(&mut self) -> Option<Secret> {
        if self.seen.elapsed() < KEY_EVERY {
            return None;
        }
        self.seen = Instant::now();
        let now = self.key.as_ref()?.read().ok()?;
        match &mut self.last {
            Some((last, told)) if *last == now => (!std::mem::replace(told, true)).then_some(now),
            _ => {
                self.last = Some((now, false));
                None
            }
        }
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(name: &str, text: &str, mode: u32) -> Key {
        let path = std::env::temp_dir().join(format!("gapless-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Key::File(path)
    }

    #[test]
    fn a_key_file_is_one_line_that_not_everybody_reads() {
        assert_eq!(file("good", "abc\n", 0o640).read(), Ok(Secret::new("abc")));
        let long = "x".repeat(5_000);
        for (name, text, mode, words) in [
            ("open", "canary", 0o644, "everybody"),
            ("two", "canary\ncanary\n", 0o600, "several lines"),
            ("long", long.as_str(), 0o600, "4096 bytes"),
            ("none", " \n", 0o600, "empty"),
        ] {
            let error = file(name, text, mode).read().unwrap_err();
            assert!(error.contains(words) && !error.contains("canary"), "{error}");
        }
        assert!(Key::File(std::env::temp_dir()).read().is_err());
    }

    #[test]
    fn half_a_key_is_never_used() {
        let key = file("half", "ab", 0o600);
        let mut watch = KeyWatch::new(Some(key.clone()));
        let mut look = || {
            watch.seen = Instant::now().checked_sub(KEY_EVERY).unwrap();
            watch.look()
        };
        assert_eq!(look(), None);
        let Key::File(path) = key else { unreachable!() };
        std::fs::write(path, "abc").unwrap();
        assert_eq!([look(), look(), look()], [None, Some(Secret::new("abc")), None]);
    }
}
