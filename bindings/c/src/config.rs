//! The text that an engine is made from: JSON or TOML with the same keys.
//!
//! Invariant: a key that is not known, or a value that cannot be, is an error that says where it
//! stands; nothing is ignored.

use gapless::book::publish::Config as Publication;
use gapless::engine::Builder;
use gapless::replay::pace::Speed;
use gapless::{Engine, Source, Wait};
use serde::Deserialize;
use std::time::Duration;

/// ```json
/// { "sources": [{ "replay": ["samples/"], "speed": "max", "threads": 1, "name": "samples" }],
///   "books": ["okx:BTC-USDT-SWAP"], "depth": 20, "idle": "sleep", "cores": [1] }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    sources: Vec<SourceText>,
    /// Absent: every book.
    books: Option<Vec<String>>,
    depth: Option<usize>,
    ring: Option<usize>,
    levels: Option<usize>,
    writer_silent_ms: Option<u32>,
    #[serde(default)]
    idle: Idle,
    #[serde(default)]
    cores: Vec<usize>,
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

/// Reads it.
pub(crate) fn read(text: &str) -> Result<Builder, String> {
    let json = text.trim_start().starts_with('{');
    let text: Text = if json {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        toml::from_str(text).map_err(|error| error.to_string())?
    };
    let defaults = Publication::default();
    let publication = Publication {
        depth: text.depth.unwrap_or(defaults.depth),
        ring: text.ring.unwrap_or(defaults.ring),
        levels: text.levels.unwrap_or(defaults.levels),
        writer_silent_ns: text
            .writer_silent_ms
            .map_or(defaults.writer_silent_ns, |ms| i64::from(ms) * 1_000_000),
    };
    let idle = match text.idle {
        Idle::Spin => Wait::Spin,
        Idle::Yield => Wait::Yield,
        Idle::Sleep => Wait::Sleep(Duration::from_millis(1)),
    };
    let mut builder = Engine::builder().publication(publication).idle(idle).cores(text.cores);
    if let Some(books) = text.books {
        builder = builder.books(books);
    }
    for (at, source) in text.sources.into_iter().enumerate() {
        let speed =
            speed(&source.speed).map_err(|error| format!("sources[{at}].speed: {error}"))?;
        let mut made = Source::replay(source.replay).speed(speed);
        if let Some(threads) = source.threads {
            made = made.threads(threads);
        }
        if let Some(name) = source.name {
            made = made.name(name);
        }
        builder = builder.source(made);
    }
    Ok(builder)
}

fn speed(pace: &Pace) -> Result<Speed, String> {
    match pace {
        Pace::Absent => Ok(Speed::Max),
        Pace::Word(word) if word == "max" => Ok(Speed::Max),
        Pace::Factor(factor) if Speed::RANGE.contains(factor) => Ok(Speed::Factor(*factor)),
        _ => Err(format!("\"max\", or a factor in {:?}", Speed::RANGE)),
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
    fn what_cannot_be_is_named() {
        for (text, words) in [
            ("{", "line 1"),
            (r#"{"sources":[],"dept":5}"#, "dept"),
            (r#"{"sources":[{"replay":["a"],"speed":0}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"],"speed":"fast"}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"]}],"depth":-1}"#, "-1"),
            (r#"{"sources":[{"replay":["a"]}],"idle":"nap"}"#, "nap"),
            ("[[sources]]\nreplai = []\n", "replai"),
            ("", "sources"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
