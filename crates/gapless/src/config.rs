//! The text that an engine is made from: JSON or TOML with the same keys.
//!
//! ```toml
//! books = ["VENUE:SYMBOL"]      # absent: every book
//! depth = 20                    # levels a side that every reader can ask for
//! ring = 8192                   # slots of the log of changes; 0: no log, no full depth
//! levels = 4096                 # levels a side for which the full depth has room
//! writer_silent_ms = 1000       # a writer that gave no sign of life for longer counts as dead
//! freshness_ms = 5000           # a book that was silent for longer is stale; absent: never
//! instruments = ["lists.zst"]   # files of the venues' lists of instruments, a URL, a tab and its
//!                               # answer a line; absent: known is what the sources say
//! idle = "sleep"                # "sleep", "yield" or "spin" while nothing is due; of recordings
//!                               # alone: what a feed brings wakes its thread
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
//! A source is a recording (`replay`) or a feed:
//!
//! ```toml
//! allow_plaintext_loopback = false  # `ws` and `http` may be spoken to this machine
//!
//! [[sources]]
//! live = "VENUE"                # as the books' names begin, or "relay" or "tardis"
//! symbols = ["SYMBOL"]          # as the venue's messages write them
//! channels = ["CHANNEL"]        # in the venue's words; absent: its channel of whole books
//! market = "linear"             # "spot", "linear", "inverse" or "option"; where there are several
//! socket = "wss://host"         # base of WebSocket addresses; absent: the venue's own
//! rest = "https://host"         # base of HTTP addresses; absent: the venue's own
//! local = "192.0.2.1"           # local address to bind; absent: the system's choice
//! silence_ms = 10000            # a connection without data for longer is broken; 0: never;
//!                               # absent: as the venue's habits are
//! late_ms = 2000                # books whose messages come later than usual by more are stale; 0:
//!                               # never; absent: as the venue's stamps are
//! symbol_silence_ms = 5000      # a book without messages for longer is stale; absent: never
//! lifetime_s = 82800            # a connection is replaced after so long; absent: as the venue
//!                               # ends it
//! instruments_s = 3600          # the venue's lists of instruments are read at the start and so
//!                               # often; 0: never; at least 60
//! snapshot_depth = 1000         # levels a side of HTTP snapshots; absent: as many as there are
//! from = "2026-11-01"           # what a Tardis machine at `socket` has of this time is played, in
//! to = "2026-11-02T12:00:00Z"   # the venue's own frames (`live = "tardis"`: normalized); in UTC,
//!                               # `to` itself is left out; absent: what comes now
//! flavour = "scored"            # how a relay is spoken to: "polled", "prefixed", "scored",
//!                               # "per_topic", "replayed"
//! key_env = "NAME"              # variable that holds the key, or
//! key_file = "path"             # file that holds it; a new key in it is used without a pause
//! name = "main"                 # in reports; absent: the venue
//!
//! [[sources.lines]]             # ways by which all of it comes, the preferred first; absent: one,
//! name = "a"                    # by `socket` and `local` above
//! socket = "wss://other"
//! local = "192.0.2.2"
//! ```
//!
//! Invariant: a key that is not known, or a value that cannot be, is an error that says where it
//! stands; nothing is ignored.

mod live;

use crate::engine::Builder;
use crate::{Engine, Source, Wait};
use gapless_book::publish::{Config as Publication, LayoutError};
use gapless_feed::source::TopicConfig;
use gapless_replay::input::Input;
use gapless_replay::lists;
use gapless_replay::pace::Speed;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::IpAddr;
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
    #[serde(default)]
    allow_plaintext_loopback: bool,
    books: Option<Vec<String>>,
    depth: Option<usize>,
    ring: Option<usize>,
    levels: Option<usize>,
    writer_silent_ms: Option<u32>,
    freshness_ms: Option<u32>,
    #[serde(default)]
    instruments: Vec<PathBuf>,
    idle: Option<Idle>,
    #[serde(default)]
    cores: Vec<usize>,
    share: Option<String>,
    share_folder: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceText {
    replay: Option<Vec<String>>,
    #[serde(default)]
    speed: Pace,
    threads: Option<usize>,
    name: Option<String>,
    live: Option<String>,
    symbols: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    market: Option<String>,
    socket: Option<String>,
    rest: Option<String>,
    local: Option<IpAddr>,
    silence_ms: Option<u64>,
    late_ms: Option<u64>,
    symbol_silence_ms: Option<u64>,
    lifetime_s: Option<u64>,
    instruments_s: Option<u64>,
    snapshot_depth: Option<u16>,
    from: Option<String>,
    to: Option<String>,
    flavour: Option<String>,
    key_env: Option<String>,
    key_file: Option<PathBuf>,
    lines: Option<Vec<LineText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineText {
    name: String,
    socket: Option<String>,
    local: Option<IpAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Pace {
    #[default]
    Absent,
    Word(String),
    Factor(f64),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Idle {
    Spin,
    Yield,
    Sleep,
}

/// The engine that a text asks for; JSON if it begins with a brace, else TOML.
///
/// # Errors
/// A key or value that is none.
pub fn read(text: &str) -> Result<Builder, ConfigError> {
    let json = text.trim_start().starts_with('{');
    let text: Text = if json { in_json(text)? } else { in_toml(text)? };
    if text.sources.is_empty() {
        return Err(ConfigError("sources: at least one".to_owned()));
    }
    if let Some(name) = text.books.as_deref().and_then(twice) {
        return Err(ConfigError(format!("books: {name} twice")));
    }
    let publication = publication(&text);
    publication.words().map_err(|error| refused(&error))?;
    let mut builder = Engine::builder().publication(publication).cores(text.cores);
    if let Some(idle) = text.idle {
        if text.sources.iter().all(|source| source.live.is_some()) {
            return Err(ConfigError("idle: stands beside `replay` only".to_owned()));
        }
        builder = builder.idle(match idle {
            Idle::Spin => Wait::Spin,
            Idle::Yield => Wait::Yield,
            Idle::Sleep => Wait::Sleep(Duration::from_millis(1)),
        });
    }
    if let Some(books) = text.books {
        builder = builder.books(books);
    }
    if let Some(limit_ms) = text.freshness_ms {
        builder = builder.freshness(Duration::from_millis(u64::from(limit_ms)));
    }
    if !text.instruments.is_empty() {
        let lists = lists::read(text.instruments.iter().map(Input::file));
        let lists = lists.map_err(|error| ConfigError(format!("instruments: {error}")))?;
        builder = builder.instruments(lists.table);
    }
    builder = share(builder, text.share, text.share_folder)?;
    let plaintext = text.allow_plaintext_loopback;
    let mut known = HashMap::new();
    for (at, source) in text.sources.into_iter().enumerate() {
        let wrong = |e: String| ConfigError(format!("sources[{at}].{e}"));
        let made = if source.live.is_some() {
            let live = live::source(source, plaintext).map_err(wrong)?;
            for topic in &live.source.topics {
                let what = (live.source.venue, live.source.market.name(), topic.clone());
                if let Some(other) = known.insert(what, at).filter(|other| *other != at) {
                    let TopicConfig { channel, symbol } = topic;
                    let of = format!("{channel} of {symbol} is in sources[{other}] too");
                    return Err(wrong(format!("symbols: {of}; of two ways make `lines`")));
                }
            }
            Source::live(live)
        } else {
            source_of(source).map_err(wrong)?
        };
        builder = builder.source(made);
    }
    Ok(builder)
}

/// The first name that was there before.
fn twice(names: &[String]) -> Option<&String> {
    names
        .iter()
        .enumerate()
        .find(|(at, name)| names.iter().take(*at).any(|n| n == *name))
        .map(|n| n.1)
}

fn in_json(text: &str) -> Result<Text, ConfigError> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut *reader)
        .map_err(|error| told(error.path(), error.inner().to_string()))?;
    reader.end().map_err(|error| ConfigError(error.to_string()))?;
    Ok(read)
}

fn in_toml(text: &str) -> Result<Text, ConfigError> {
    // The library would print the line, which may hold a key that stands where none should.
    let inner = |error: &toml::de::Error| {
        let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
            format!(" at line {line} column {column}")
        });
        format!("{}{}", error.message(), place.unwrap_or_default())
    };
    let reader = toml::Deserializer::parse(text).map_err(|error| ConfigError(inner(&error)))?;
    let read = serde_path_to_error::deserialize(reader);
    read.map_err(|error| told(error.path(), inner(error.inner())))
}

/// Where it stands, then what is wrong. Of what stands where a key should nothing is said.
fn told(path: &serde_path_to_error::Path, inner: String) -> ConfigError {
    let path = path.to_string();
    let is_key = ["key_env", "key_file"].iter().any(|name| path.contains(name));
    ConfigError(match path.as_str() {
        "." => inner,
        _ if is_key => format!("{path}: expected a text"),
        _ => format!("{path}: {inner}"),
    })
}

/// Which key it is that a publication cannot be made with.
fn refused(error: &LayoutError) -> ConfigError {
    let words = error.to_string().replace("writer_silent_ns", "writer_silent_ms");
    let (key, what) = words.split_once(' ').unwrap_or((&words, ""));
    ConfigError(format!("{key}: {what}"))
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
    if let Some(key) = live::first_key(&text) {
        return Err(format!("{key}: stands beside `live` only"));
    }
    let paths = text.replay.ok_or("replay: missing, and so is `live`")?;
    let mut source = Source::replay(paths).speed(speed(&text.speed)?);
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
        let kept = |line: &&str| !line.starts_with("instruments");
        read(&text.lines().map(str::trim_start).filter(kept).collect::<Vec<_>>().join("\n"))
            .unwrap();
    }

    #[test]
    fn a_feed_is_read_with_everything_that_it_may_say() {
        let page = include_str!("config.rs");
        let shown = page.split("//! ```toml").nth(2).unwrap().split("//! ```").next().unwrap();
        let text: String =
            shown.lines().map(|line| format!("{}\n", line.trim_start_matches("//!"))).collect();
        let text = text.replace("VENUE", "bybit").replace("CHANNEL", "orderbook.50");
        // What does not stand beside the rest.
        let apart = ["key_", "flavour", "from = ", "to = "];
        let relays = |line: &&str| apart.iter().any(|key| line.contains(key));
        let text: Vec<_> = text.lines().filter(|line| !relays(line)).collect();
        read(&text.join("\n")).unwrap();
        let short = "[[sources]]\nlive = \"okx\"\nsymbols = [\"BTC-USDT\"]\n";
        let builder = read(short).unwrap();
        let source = &builder.live_sources().next().unwrap().source;
        assert_eq!((source.topics[0].channel.as_str(), source.name.as_str()), ("books", "okx"));
    }

    #[test]
    fn the_page_for_people_prints_the_same_texts() {
        let (page, people) = (include_str!("config.rs"), include_str!("../../../docs/config.md"));
        for block in page.split("//! ```toml\n").skip(1).take(2) {
            let lines = block.lines().take_while(|line| *line != "//! ```");
            let lines = lines.map(|line| line.trim_start_matches("//!").trim_start_matches(' '));
            let missing: Vec<_> = lines.filter(|line| !people.contains(*line)).collect();
            assert_eq!(missing, [""; 0]);
        }
    }

    #[track_caller]
    fn named(cases: &[(&str, &str)]) {
        for (text, words) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_feed_that_cannot_be_meant_is_named() {
        for (rest, words) in [
            (r#""symbols":[]"#, "sources[0].symbols: at least one"),
            (r#""symbols":[""]"#, "sources[0].symbols[0]"),
            (r#""symbols":["A","../../etc/passwd\nX"]"#, "sources[0].symbols[1]"),
            (r#""symbols":["A B"]"#, "sources[0].symbols[0]"),
            (r#""symbols":["A"],"channels":[]"#, "sources[0].channels: at least one"),
            (r#""symbols":["A"],"channels":["a\"b"]"#, "sources[0].channels[0]"),
            (r#""symbols":["A"],"socket":"wss://ho st:99/x""#, "sources[0].socket"),
            (r#""symbols":["A"],"socket":"wss://host:99999/x""#, "sources[0].socket"),
            (r#""symbols":["A"],"socket":"wss://host:0""#, "sources[0].socket"),
            (r#""symbols":["A"],"rest":"https://[::g]/x""#, "sources[0].rest"),
            (r#""symbols":["A"],"lifetime_s":1"#, "sources[0].lifetime_s: at least 60"),
            (r#""symbols":["A"],"lines":[]"#, "sources[0].lines: at least one"),
            (r#""symbols":["A"],"lines":[{"name":"a"},{"name":"a"}]"#, "sources[0].lines[1].name"),
        ] {
            let text = format!(r#"{{"sources":[{{"live":"okx",{rest}}}]}}"#);
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let okx = r#"{"live":"okx","symbols":["A"]}"#;
        let twice = format!(r#"{{"sources":[{okx},{okx}]}}"#);
        let error = read(&twice).unwrap_err().to_string();
        assert!(error.starts_with("sources[1].symbols: books of A is in sources[0]"), "{error}");
        for symbol in
            ["BTC-27DEC24-100000-C", "BTC_USDC-PERPETUAL", "kraken:XBT/USD", "币安人生USDT"]
        {
            let text = format!(r#"{{"sources":[{{"live":"okx","symbols":["{symbol}"]}}]}}"#);
            assert!(read(&text).is_ok(), "{symbol}");
        }
    }

    #[test]
    fn plain_text_is_spoken_to_this_machine_and_when_it_is_allowed() {
        let of = |allowed: bool, what: &str| {
            let text = format!(
                r#"{{"allow_plaintext_loopback":{allowed},"sources":[{{"symbols":["a:B"],{what}}}]}}"#
            );
            read(&text).map(drop).map_err(|error| error.to_string())
        };
        for (what, is_local) in [
            (r#""live":"okx","socket":"ws://127.0.0.1:9100""#, true),
            (r#""live":"okx","socket":"ws://localhost""#, true),
            (r#""live":"okx","socket":"ws://[::1]:9""#, true),
            (r#""live":"tardis""#, true),
            (r#""live":"okx","socket":"ws://ws.okx.com""#, false),
            (r#""live":"okx","socket":"ws://localhost.example""#, false),
        ] {
            let refused = of(false, what).unwrap_err();
            assert!(refused.contains("allow_plaintext_loopback"), "{what}: {refused}");
            let allowed = of(true, what);
            assert_eq!(allowed.is_ok(), is_local, "{what}: {allowed:?}");
        }
    }

    #[test]
    fn an_error_prints_nothing_of_a_key_that_stands_in_the_wrong_place() {
        let head = "[[sources]]\nlive = \"relay\"\nsymbols = [\"A\"]\n";
        for (line, words) in [
            ("key = \"canary\"\n", "unknown field `key`"),
            ("key_env = [\"canary\"]\n", "sources[0].key_env"),
            ("key_file = {canary = 1}\n", "sources[0].key_file"),
            ("key_env = \"canary\n", "line 4"),
            ("key_env = canary\n", "line 4"),
        ] {
            let error = read(&format!("{head}{line}")).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        named(&[
            ("{", "line 1"),
            (r#"{"sources":[],"dept":5}"#, "dept"),
            (r#"{"sources":[{"replay":["a"],"speed":0}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"],"speed":"fast"}]}"#, "sources[0].speed"),
            (r#"{"sources":[{"replay":["a"]}],"depth":-1}"#, "-1"),
            (r#"{"sources":[{"replay":["a"]}],"idle":"nap"}"#, "nap"),
            (r#"{"sources":[{"live":"okx","symbols":["A"]}],"idle":"spin"}"#, "idle: stands"),
            (r#"{"sources":[{"replay":["a"]}],"share_folder":"x"}"#, "share_folder"),
            (r#"{"sources":[{"replay":["a"]}],"freshness_ms":"x"}"#, "u32"),
            ("[[sources]]\nreplai = []\n", "replai"),
            ("", "sources"),
            (r#"{"sources":[{"replay":["a"],"symbols":["A"]}]}"#, "sources[0].symbols"),
            (r#"{"sources":[{"replay":["a"]}],"instruments":["/no/such"]}"#, "instruments: /no"),
            (r#"{"sources":[{"replay":["a"],"from":"2026-11-01"}]}"#, "sources[0].from"),
            (r#"{"sources":[{"replay":["a"]}],"depth":0}"#, "depth: "),
            (r#"{"sources":[{"replay":["a"]}],"ring":1000}"#, "ring: "),
            (r#"{"sources":[{"replay":["a"]}],"writer_silent_ms":0}"#, "writer_silent_ms: "),
        ]);
    }

    #[test]
    fn what_a_feed_cannot_be_is_named() {
        named(&[
            (r#"{"sources":[{"live":"nowhere","symbols":["A"]}]}"#, "sources[0].live"),
            (r#"{"sources":[{"live":"okx"}]}"#, "sources[0].symbols"),
            (r#"{"sources":[{"live":"okx","symbols":["A","A"]}]}"#, "sources[0].symbols"),
            (r#"{"sources":[{"live":"okx","symbols":["A"],"replay":[]}]}"#, "sources[0].replay"),
            (r#"{"sources":[{"live":"okx","symbols":["A"],"local":"x"}]}"#, "sources[0].local"),
            (r#"{"sources":[{"live":"okx","symbols":[5]}]}"#, "sources[0].symbols[0]"),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"key_env":"GAPLESS_NO_SUCH_KEY"}]}"#,
                "sources[0].key_env",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"socket":"ws://x"}]}"#,
                "sources[0].socket",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"market":"moon"}]}"#,
                "sources[0].market",
            ),
            (
                r#"{"sources":[{"live":"relay","symbols":["A"],"flavour":"x"}]}"#,
                "sources[0].flavour",
            ),
            (r#"{"sources":[{"live":"okx","symbols":["A"],"speed":2}]}"#, "sources[0].speed"),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"market":"spot"}]}"#,
                "sources[0].market",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"flavour":"scored"}]}"#,
                "sources[0].flavour",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"key_env":"PATH"}]}"#,
                "sources[0].key_env",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"lifetime_s":0}]}"#,
                "sources[0].lifetime_s",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"symbol_silence_ms":0}]}"#,
                "sources[0].symbol_silence_ms",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"snapshot_depth":0}]}"#,
                "sources[0].snapshot_depth",
            ),
            (
                r#"{"sources":[{"live":"okx","symbols":["A"],"instruments_s":59}]}"#,
                "sources[0].instruments_s",
            ),
            (
                r#"{"sources":[{"live":"tardis","symbols":["a:A"],"instruments_s":60}]}"#,
                "sources[0].instruments_s",
            ),
            (r#"{"sources":[]}"#, "sources: at least one"),
            (r#"{"sources":[{"replay":["a"]}],"books":["x:Y","x:Y"]}"#, "books: x:Y twice"),
        ]);
    }

    #[test]
    fn what_a_replay_cannot_be_is_named() {
        for (live, keys, words) in [
            ("okx", r#""from":"2026-11-01""#, "to: missing beside `from`"),
            ("okx", r#""to":"2026-11-01""#, "from: missing beside `to`"),
            ("okx", r#""from":"soon","to":"later""#, "from: no time like"),
            ("okx", r#""from":"2026-11-01","to":"1793491200""#, "to: no time like"),
            ("okx", r#""from":"2026-11-02","to":"2026-11-02""#, "to: not after `from`"),
            ("relay", r#""from":"2026-11-01","to":"2026-11-02""#, "from: a replay is of a venue"),
            (
                "okx",
                r#""from":"2026-11-01","to":"2026-11-02","rest":"https://x""#,
                "rest: does not",
            ),
            ("okx", r#""from":"2026-11-01","to":"2026-11-02","lines":[]"#, "lines: does not"),
            (
                "okx",
                r#""from":"2026-11-01","to":"2026-11-02","instruments_s":0"#,
                "instruments_s: ",
            ),
        ] {
            let source = format!(r#"{{"live":"{live}","symbols":["A-B"],{keys}}}"#);
            let text = format!(r#"{{"sources":[{source}]}}"#);
            named(&[(&text, &format!("sources[0].{words}"))]);
        }
        let span = r#""from":"2026-11-01","to":"2026-11-01T00:05:00Z""#;
        for live in ["okx", "tardis", "binance_usdm"] {
            let source = format!(r#"{{"live":"{live}","symbols":["A-B"],{span}}}"#);
            let text = format!(r#"{{"allow_plaintext_loopback":true,"sources":[{source}]}}"#);
            let builder = read(&text).unwrap();
            let source = &builder.live_sources().next().unwrap().source;
            assert_eq!(source.socket_base(&source.lines[0]), "ws://127.0.0.1:8001");
            assert_eq!((source.silence_ns, source.has_lists()), (0, false));
        }
    }
}
