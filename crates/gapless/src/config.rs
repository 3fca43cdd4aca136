//! The text that an engine is made from: JSON or TOML with the same keys.
//!
//! ```toml
//! books = ["VENUE:SYMBOL"]      # absent: every book
//! depth = 20                    # levels a side that every reader can ask for
//! ring = 8192                   # slots of the log of changes; 0: no log, no full depth
//! levels = 4096                 # levels a side for which the full depth has room
//! writer_silent_ms = 1000       # a writer that gave no sign of life for longer counts as dead
//! freshness_ms = 5000           # a book that was silent for longer is stale; absent: never
//! idle = "sleep"                # "sleep", "yield" or "spin" while nothing is due
//! cores = [1]                   # the threads are bound to these; absent: to none
//! share = "maker"               # name under which other processes find the books; absent: they
//!                               # do not
//! share_folder = "/dev/shm"     # where
//!
//! [[sources]]                   # one or more
//! replay = ["samples/"]         # files, folders, patterns
//! speed = "max"                 # or a factor of the recorded pace
//! threads = 1
//! name = "samples"              # in reports; absent: the paths
//! ```
//! Only `sources` must be there; the values above are the defaults where it does not say "absent".
//!
//! Invariant: a key that is not known, or a value that cannot be, is an error that says where it
//! stands; nothing is ignored.

use crate::engine::Builder;
use crate::{Engine, Source, Wait};
use gapless_book::publish::Config as Publication;
use gapless_replay::pace::Speed;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    sources: Vec<SourceText>,
    books: Option<Vec<String>>,
    depth: Option<usize>,
    ring: Option<usize>,
    levels: Option<usize>,
    writer_silent_ms: Option<u32>,
    freshness_ms: Option<u32>,
    #[serde(default)]
    idle: Idle,
    #[serde(default)]
    cores: Vec<usize>,
    share: Option<String>,
    share_folder: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceText {
    replay: Vec<String>,
    name: Option<String>,
    #[serde(default)]
    speed: Pace,
    threads: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Pace {
    #[default]
    Absent,
    Word(String),
    Factor(f64),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Idle {
    Spin,
    Yield,
    #[default]
    Sleep,
}

/// The engine that a text asks for; JSON if it begins with a brace, else TOML.
///
/// # Errors
/// A key or value that is none.
pub fn read(text: &str) -> Result<Builder, ConfigError> {
    let json = text.trim_start().starts_with('{');
    let text: Text = if json {
        serde_json::from_str(text).map_err(|error| ConfigError(error.to_string()))?
    } else {
        toml::from_str(text).map_err(|error| ConfigError(error.to_string()))?
    };
    let idle = match text.idle {
        Idle::Spin => Wait::Spin,
        Idle::Yield => Wait::Yield,
        Idle::Sleep => Wait::Sleep(Duration::from_millis(1)),
    };
    let publication = publication(&text);
    let mut builder = Engine::builder().publication(publication).idle(idle).cores(text.cores);
    if let Some(books) = text.books {
        builder = builder.books(books);
    }
    if let Some(limit_ms) = text.freshness_ms {
        builder = builder.freshness(Duration::from_millis(u64::from(limit_ms)));
    }
    builder = share(builder, text.share, text.share_folder)?;
    for (at, source) in text.sources.into_iter().enumerate() {
        let made = source_of(source).map_err(|e| ConfigError(format!("sources[{at}].{e}")))?;
        builder = builder.source(made);
    }
    Ok(builder)
}

fn publication(text: &Text) -> Publication {
    let defaults = Publication::default();
    let silent_ns = text.writer_silent_ms.map(|ms| i64::from(ms) * 1_000_000);
    Publication {
        depth: text.depth.unwrap_or(defaults.depth),
        ring: text.ring.unwrap_or(defaults.ring),
        levels: text.levels.unwrap_or(defaults.levels),
        writer_silent_ns: silent_ns.unwrap_or(defaults.writer_silent_ns),
    }
}

#[cfg(target_os = "linux")]
fn share(
    builder: Builder,
    engine: Option<String>,
    folder: Option<PathBuf>,
) -> Result<Builder, ConfigError> {
    use crate::shm::Directory;
    let Some(engine) = engine else { return folder.map_or(Ok(builder), |_| Err(nobody())) };
    Ok(builder.share(folder.map_or_else(Directory::default, Directory::new), engine))
}

#[cfg(not(target_os = "linux"))]
fn share(
    builder: Builder,
    engine: Option<String>,
    folder: Option<PathBuf>,
) -> Result<Builder, ConfigError> {
    match (engine, folder) {
        (None, None) => Ok(builder),
        (None, Some(_)) => Err(nobody()),
        (Some(_), _) => Err(ConfigError("share: not on this system".to_owned())),
    }
}

fn nobody() -> ConfigError {
    ConfigError("share_folder: stands beside `share` only".to_owned())
}

fn source_of(text: SourceText) -> Result<Source, String> {
    let mut source = Source::replay(text.replay).speed(speed(&text.speed)?);
    if let Some(threads) = text.threads {
        source = source.threads(threads);
    }
    if let Some(name) = text.name {
        source = source.name(name);
    }
    Ok(source)
}

fn speed(pace: &Pace) -> Result<Speed, String> {
    match pace {
        Pace::Absent => Ok(Speed::Max),
        Pace::Word(word) if word == "max" => Ok(Speed::Max),
        Pace::Factor(factor) if Speed::RANGE.contains(factor) => Ok(Speed::Factor(*factor)),
        _ => Err(format!("speed: \"max\", or a factor in {:?}", Speed::RANGE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        read(r#"{"sources":[{"replay":["a"],"speed":2.5}],"books":["x:Y"],"idle":"spin"}"#)
            .unwrap();
        read("depth = 5\n[[sources]]\nreplay = [\"a\"]\nspeed = \"max\"\nthreads = 2\n").unwrap();
    }

    #[test]
    fn the_text_that_is_documented_is_the_default() {
        let page = include_str!("config.rs");
        let lines = page.lines().skip_while(|line| *line != "//! ```toml").skip(1);
        let shown = lines.take_while(|line| *line != "//! ```");
        let text: String =
            shown.map(|line| format!("{}\n", line.trim_start_matches("//!"))).collect();
        let documented: Text = toml::from_str(&text).unwrap();
        assert_eq!(publication(&documented), Publication::default());
        read(&text).unwrap();
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, words) in [
            ("{", "line 1"),
            (r#"{"sources":[],"dept":5}"#, "dept"),
            (r#"{"sources":[{"replay":["a"],"speed":0}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"],"speed":"fast"}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"]}],"depth":-1}"#, "-1"),
            (r#"{"sources":[{"replay":["a"]}],"idle":"nap"}"#, "nap"),
            (r#"{"sources":[{"replay":["a"]}],"share_folder":"x"}"#, "share_folder"),
            (r#"{"sources":[{"replay":["a"]}],"freshness_ms":"x"}"#, "u32"),
            ("[[sources]]\nreplai = []\n", "replai"),
            ("", "sources"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
