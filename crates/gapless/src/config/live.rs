//! The part of the text that describes a feed.

use super::{Pace, SourceText};
use crate::live::{Key, LiveConfig};
use gapless_feed::feed::{SourceError, check};
use gapless_feed::source::{LineConfig, SourceConfig, TopicConfig};
use gapless_replay::time;
use gapless_venues::live::Span;
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::venue::Market;
use std::net::{IpAddr, Ipv6Addr};

/// Characters of a symbol or a channel.
const NAME_MAX: usize = 64;
/// A connection that is replaced more often than it takes to fill its books shows none, s.
const LIFETIME_S_MIN: u64 = 60;

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
        ("late_ms", text.late_ms.is_some()),
        ("symbol_silence_ms", text.symbol_silence_ms.is_some()),
        ("lifetime_s", text.lifetime_s.is_some()),
        ("instruments_s", text.instruments_s.is_some()),
        ("snapshot_depth", text.snapshot_depth.is_some()),
        ("from", text.from.is_some()),
        ("to", text.to.is_some()),
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
    source.replay = replay(&text)?;
    source.lines = lines(&text, plaintext_loopback)?;
    times(&text, &mut source);
    lists(&text, &mut source)?;
    source.snapshot_depth = text.snapshot_depth;
    check(&source).map_err(|error| match error {
        SourceError::Replay => format!("from: {error}"),
        error => format!("symbols: {error}"),
    })?;
    is_allowed(&source, plaintext_loopback)?;
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
    if text.lifetime_s.is_some_and(|seconds| seconds < LIFETIME_S_MIN) {
        return Err(format!("lifetime_s: at least {LIFETIME_S_MIN}; without it the venue's own"));
    }
    let zeros = [
        ("symbol_silence_ms", text.symbol_silence_ms == Some(0)),
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
    if symbols.is_empty() {
        return Err("symbols: at least one".to_owned());
    }
    if channels.is_empty() {
        return Err("channels: at least one; without it the channel of whole books".to_owned());
    }
    for (key, names) in [("symbols", symbols.as_slice()), ("channels", channels)] {
        if let Some(at) = names.iter().position(|name| !is_name(name)) {
            return Err(format!("{key}[{at}]: no name that a venue has"));
        }
    }
    let topic = |channel: &String, symbol: &String| TopicConfig {
        channel: channel.clone(),
        symbol: symbol.clone(),
    };
    let of = |channel| symbols.iter().map(move |symbol| topic(channel, symbol));
    Ok(channels.iter().flat_map(of).collect())
}

/// Whether a venue may call something so: letters of any script, but nothing that ends a word or
/// leads somewhere else in a request or a path.
fn is_name(name: &str) -> bool {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && !"\"'\\?&#%,;<>{}".contains(c);
    let length = name.chars().count();
    (1..=NAME_MAX).contains(&length)
        && name.chars().all(fits)
        && !name.starts_with(['.', '/'])
        && !name.contains("..")
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
    let is_text = url.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = url.split_once("://").filter(|_| is_text);
    let parts = parts.and_then(|(scheme, rest)| Some((scheme, host(rest)?)));
    match parts {
        Some((scheme, _)) if scheme == encrypted => Ok(url.to_owned()),
        Some((scheme, _)) if scheme == plain && !plaintext_loopback => {
            Err(format!("{key}: {plain} is plain text, which needs allow_plaintext_loopback"))
        }
        Some((scheme, host)) if scheme == plain && is_loopback(host) => Ok(url.to_owned()),
        Some((scheme, _)) if scheme == plain => {
            Err(format!("{key}: {plain} is plain text, which is for this machine alone"))
        }
        _ => Err(format!("{key}: expected an address like {encrypted}://host")),
    }
}

/// The host of what stands behind a scheme, where it and the port can be; brackets left out.
fn host(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some("1"))?)
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (Some(host).filter(|host| !host.is_empty() && host.bytes().all(fits))?, port)
        }
    };
    port.parse::<u16>().ok().filter(|port| *port > 0).map(|_| host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
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
    if lines.is_empty() {
        return Err("lines: at least one; without it one by `socket` and `local`".to_owned());
    }
    let again = |(at, line): &(usize, &super::LineText)| {
        lines.iter().take(*at).any(|other| other.name == line.name)
    };
    if let Some((at, line)) = lines.iter().enumerate().find(again) {
        return Err(format!("lines[{at}].name: {:?} is another's", line.name));
    }
    lines.iter().enumerate().map(line).collect()
}

/// Plain text that nobody asked for: a venue's own address may be on this machine.
fn is_allowed(source: &SourceConfig, plaintext_loopback: bool) -> Result<(), String> {
    let plain = |line: &LineConfig| source.socket_base(line).starts_with("ws:");
    if !plaintext_loopback && source.lines.iter().any(plain) {
        return Err("socket: the venue's own is ws, which is plain text and needs \
                    allow_plaintext_loopback"
            .to_owned());
    }
    Ok(())
}

fn times(text: &SourceText, source: &mut SourceConfig) {
    let ns = |count: u64, unit: i64| i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit);
    let milli = |ms: u64| ns(ms, 1_000_000);
    if let Some(ms) = text.silence_ms {
        source.silence_ns = milli(ms);
    } else if source.replay.is_some() {
        // A machine may first have to get what it plays.
        source.silence_ns = 0;
    }
    if let Some(ms) = text.late_ms {
        source.late_ns = milli(ms);
    }
    source.symbol_silence_ns = text.symbol_silence_ms.map(milli);
    if let Some(seconds) = text.lifetime_s {
        source.lifetime_ns = Some(ns(seconds, 1_000_000_000));
    }
}

/// The time whose recordings are played, if any.
fn replay(text: &SourceText) -> Result<Option<Span>, String> {
    let (from, to) = match (&text.from, &text.to) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err("to: missing beside `from`".to_owned()),
        (None, Some(_)) => return Err("from: missing beside `to`".to_owned()),
        (Some(from), Some(to)) => (from, to),
    };
    let idle = [
        ("rest", text.rest.is_some()),
        ("lines", text.lines.is_some()),
        ("lifetime_s", text.lifetime_s.is_some()),
        ("instruments_s", text.instruments_s.is_some()),
        ("snapshot_depth", text.snapshot_depth.is_some()),
    ];
    if let Some((key, _)) = idle.into_iter().find(|(_, is_there)| *is_there) {
        return Err(format!("{key}: does not stand beside `from`"));
    }
    let at = |key: &str, text: &str| {
        // A number would be a time, too, and nothing that a machine reads.
        let at = time::parse_instant(text).filter(|_| text.get(4..5) == Some("-"));
        at.ok_or_else(|| format!("{key}: no time like 2026-11-01 or 2026-11-01T12:00:00Z"))
    };
    if at("from", from)? >= at("to", to)? {
        return Err("to: not after `from`".to_owned());
    }
    Ok(Some(Span { from: from.clone(), to: to.clone() }))
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
