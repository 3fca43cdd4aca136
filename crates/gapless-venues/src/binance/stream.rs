//! Names of streams: `btcusdt@depth20@100ms`, `!markPrice@arr@1s`.
//!
//! A stream's name is the only place where partial and incremental depth differ on futures, and
//! the only one where the symbol of a spot partial depth stands. Names come from the wrapper of a
//! combined frame, from the URL of a raw connection or from a request.

use crate::url;

/// Shape of the books that a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every level touched, without limit.
    Diff,
    /// As `Diff`, with retail price improvement orders.
    Rpi,
    /// The best levels, all of them in every message.
    Partial(u16),
    /// A REST snapshot that a recorder put into the stream.
    Generated,
}

/// A stream's name in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Stream<'a> {
    /// Symbol in lower case; empty for a stream of all symbols.
    pub symbol: &'a str,
    /// What it carries, without symbol and speed.
    pub channel: &'a str,
}

impl<'a> Stream<'a> {
    pub fn read(name: &'a str) -> Self {
        let mut parts = name.split('@');
        let first = parts.next().unwrap_or("");
        match first.strip_prefix('!') {
            Some(channel) => Self { symbol: "", channel },
            None => Self { symbol: first, channel: parts.next().unwrap_or("") },
        }
    }

    /// The shape of its books; `None` if it carries none.
    pub fn depth(self) -> Option<Depth> {
        depth(self.channel)
    }
}

/// As [`Stream::depth`], from the channel's name.
pub(super) fn depth(channel: &str) -> Option<Depth> {
    match channel {
        "depth" => Some(Depth::Diff),
        "rpiDepth" => Some(Depth::Rpi),
        "depthSnapshot" => Some(Depth::Generated),
        _ => {
            let levels = channel.strip_prefix("depth")?;
            let plain = levels.bytes().all(|b| b.is_ascii_digit());
            levels.parse().ok().filter(|n| plain && *n > 0).map(Depth::Partial)
        }
    }
}

/// The streams that a connection's URL subscribes, in either of its forms.
pub(super) fn streams_of(address: &str) -> impl Iterator<Item = Stream<'_>> {
    let list = url::parameter(address, "streams")
        .or_else(|| url::path(address).split_once("/ws/").map(|(_, list)| list));
    list.unwrap_or("").split('/').filter(|name| !name.is_empty()).map(Stream::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_symbol_channel_and_shape() {
        for (name, symbol, channel, shape) in [
            ("btcusdt@depth", "btcusdt", "depth", Some(Depth::Diff)),
            ("btcusdt@depth@100ms", "btcusdt", "depth", Some(Depth::Diff)),
            ("btcusd_210625@depth20@100ms", "btcusd_210625", "depth20", Some(Depth::Partial(20))),
            ("btcusdt@rpiDepth@500ms", "btcusdt", "rpiDepth", Some(Depth::Rpi)),
            ("btcusdt@depthSnapshot", "btcusdt", "depthSnapshot", Some(Depth::Generated)),
            ("!markPrice@arr@1s", "", "markPrice", None),
            ("!bookTicker", "", "bookTicker", None),
            ("btcusdt@depth0", "btcusdt", "depth0", None),
            ("btcusdt@depth+5", "btcusdt", "depth+5", None),
            ("", "", "", None),
        ] {
            let stream = Stream::read(name);
            assert_eq!((stream.symbol, stream.channel), (symbol, channel), "{name}");
            assert_eq!(stream.depth(), shape, "{name}");
        }
    }
}
