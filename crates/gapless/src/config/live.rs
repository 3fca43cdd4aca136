//! The part of the text that describes a feed.

use super::{Pace, SourceText};
use crate::live::{Key, LiveConfig};
use gapless_feed::feed::check;
use gapless_feed::source::{LineConfig, SourceConfig, TopicConfig};
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::venue::Market;

/// Lists have megabytes: nobody reads them more often, s.
const LISTS_S_MIN: u64 = 60;

/// The first key that only a feed has.
pub(super) fn first_key(text: &SourceText) -> Option<&'static str> {
    let keys = [
        ("symbols", text.symbols.is_some()),
        ("channels", text.channels.is_some()),
        ("market", text.market.is_some()),
        ("socket", text.socket.is_some()),
        ("rest", text.rest.is_some()),
        ("local", text.local.is_some()),
        ("silence_ms", text.silence_ms.is_some()),
        ("symbol_silence_ms", text.symbol_silence_ms.is_some()),
        ("lifetime_s", text.lifetime_s.is_some()),
        ("instruments_s", text.instruments_s.is_some()),
        ("snapshot_depth", text.snapshot_depth.is_some()),
        ("flavour", text.flavour.is_some()),
        ("key_env", text.key_env.is_some()),
        ("key_file", text.key_file.is_some()),
        ("lines", text.lines.is_some()),
    ];
    keys.into_iter().find(|(_, is_there)| *is_there).map(|(key, _)| key)
}

/// The feed that a text asks for; errors begin with the key that is wrong.
pub(super) fn source(text: SourceText, plaintext_loopback: bool) -> Result<LiveConfig, String> {
    let beside = |key: &str| format!("{key}: does not stand beside `live`");
    if text.replay.is_some() {
        return Err(beside("replay"));
    }
    if text.threads.is_some() {
        return Err(beside("threads"));
    }
    if !matches!(text.speed, Pace::Absent) {
        return Err(beside("speed"));
    }
    let name = text.live.as_deref().unwrap_or("");
    let venue = VenueId::from_name(name).ok_or_else(|| {
        let names: Vec<_> = VenueId::ALL.iter().map(|venue| venue.name()).collect();
        format!("live: no such venue; known are {}", names.join(", "))
    })?;
    has_meaning(&text, venue)?;
    let mut source = SourceConfig::new(text.name.as_deref().unwrap_or(name), venue, Vec::new());
    source.topics = topics(&text, &source)?;
    source.market = market(text.market.as_deref())?;
    if let Some(flavour) = &text.flavour {
        let known = "polled, prefixed, scored, per_topic, replayed";
        source.flavour =
            Flavour::named(flavour).ok_or_else(|| format!("flavour: none of {known}"))?;
    }
    source.rest =
        text.rest.as_ref().map(|url| base(url, "rest", plaintext_loopback)).transpose()?;
    source.lines = lines(&text, plaintext_loopback)?;
    times(&text, &mut source);
    lists(&text, &mut source)?;
    source.snapshot_depth = text.snapshot_depth;
    check(&source).map_err(|error| format!("symbols: {error}"))?;
    Ok(LiveConfig { source, plaintext_loopback, key: key(&text)? })
}

/// A key that would change nothing is an error, and so is a value that nobody can mean.
fn has_meaning(text: &SourceText, venue: VenueId) -> Result<(), String> {
    let is_relay = venue == VenueId::Relay;
    let keys = [
        ("market", text.market.is_some() && !venue.names_market(), "has one market"),
        ("flavour", text.flavour.is_some() && !is_relay, "is no relay"),
        ("key_env", text.key_env.is_some() && !is_relay, "wants no key"),
        ("key_file", text.key_file.is_some() && !is_relay, "wants no key"),
    ];
    if let Some((key, _, why)) = keys.into_iter().find(|(_, is_idle, _)| *is_idle) {
        return Err(format!("{key}: {} {why}", venue.name()));
    }
    let zeros = [
        ("symbol_silence_ms", text.symbol_silence_ms == Some(0)),
        ("lifetime_s", text.lifetime_s == Some(0)),
        ("snapshot_depth", text.snapshot_depth == Some(0)),
    ];
    match zeros.into_iter().find(|(_, is_zero)| *is_zero) {
        Some((key, _)) => Err(format!("{key}: at least 1; without it there is no limit")),
        None => Ok(()),
    }
}

fn topics(text: &SourceText, source: &SourceConfig) -> Result<Vec<TopicConfig>, String> {
    let symbols = text.symbols.as_ref().ok_or("symbols: missing")?;
    let own = [source.live().channel.to_owned()];
    let channels = text.channels.as_deref().unwrap_or(&own);
    let topic = |channel: &String, symbol: &String| TopicConfig {
        channel: channel.clone(),
        symbol: symbol.clone(),
    };
    let of = |channel| symbols.iter().map(move |symbol| topic(channel, symbol));
    Ok(channels.iter().flat_map(of).collect())
}

fn market(name: Option<&str>) -> Result<Market, String> {
    let Some(name) = name else { return Ok(Market::Unknown) };
    let all = [Market::Spot, Market::Linear, Market::Inverse, Market::Option];
    let found = all.into_iter().find(|market| market.name() == name);
    found.ok_or_else(|| "market: none of spot, linear, inverse, option".to_owned())
}

/// The base of addresses, checked as far as it can be without a connection.
fn base(url: &str, key: &str, plaintext_loopback: bool) -> Result<String, String> {
    let (plain, encrypted) = if key == "rest" { ("http", "https") } else { ("ws", "wss") };
    match url.split_once("://") {
        Some((scheme, host)) if !host.is_empty() && scheme == encrypted => Ok(url.to_owned()),
        Some((scheme, host)) if !host.is_empty() && scheme == plain => {
            if plaintext_loopback {
                return Ok(url.to_owned());
            }
            Err(format!("{key}: {plain} is plain text, which needs allow_plaintext_loopback"))
        }
        _ => Err(format!("{key}: expected an address like {encrypted}://host")),
    }
}

fn lines(text: &SourceText, plaintext_loopback: bool) -> Result<Vec<LineConfig>, String> {
    let of = |url: &Option<String>, key: &str| {
        url.as_ref().map(|url| base(url, key, plaintext_loopback)).transpose()
    };
    let own = of(&text.socket, "socket")?;
    let Some(lines) = &text.lines else {
        return Ok(vec![LineConfig { name: String::new(), socket: own, local: text.local }]);
    };
    let line = |(at, line): (usize, &super::LineText)| {
        let socket = of(&line.socket, "socket").map_err(|e| format!("lines[{at}].{e}"))?;
        let (socket, local) = (socket.or_else(|| own.clone()), line.local.or(text.local));
        Ok(LineConfig { name: line.name.clone(), socket, local })
    };
    lines.iter().enumerate().map(line).collect()
}

fn times(text: &SourceText, source: &mut SourceConfig) {
    let ns = |count: u64, unit: i64| i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit);
    let milli = |ms: u64| ns(ms, 1_000_000);
    if let Some(ms) = text.silence_ms {
        source.silence_ns = milli(ms);
    }
    source.symbol_silence_ns = text.symbol_silence_ms.map(milli);
    if let Some(seconds) = text.lifetime_s {
        source.lifetime_ns = Some(ns(seconds, 1_000_000_000));
    }
}

/// How often the venue's lists are read.
fn lists(text: &SourceText, source: &mut SourceConfig) -> Result<(), String> {
    let Some(seconds) = text.instruments_s else { return Ok(()) };
    if seconds > 0 && !source.has_lists() {
        return Err(format!("instruments_s: {} has no list", source.venue.name()));
    }
    if (1..LISTS_S_MIN).contains(&seconds) {
        return Err(format!("instruments_s: 0, or at least {LISTS_S_MIN}"));
    }
    let ns = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    source.lists_ns = Some(ns).filter(|ns| *ns > 0);
    Ok(())
}

/// Where the key comes from; it must be there, and nothing of it is said.
fn key(text: &SourceText) -> Result<Option<Key>, String> {
    let (name, key) = match (&text.key_env, &text.key_file) {
        (None, None) => return Ok(None),
        (Some(name), None) => ("key_env", Key::Environment(name.clone())),
        (None, Some(path)) => ("key_file", Key::File(path.clone())),
        (Some(_), Some(_)) => return Err("key_file: stands beside `key_env`".to_owned()),
    };
    key.read().map_err(|error| format!("{name}: {error}"))?;
    Ok(Some(key))
}
