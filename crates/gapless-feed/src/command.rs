//! What a feed asks of whoever drives it, and what it is told back.

use std::fmt;
use std::net::IpAddr;

/// One attempt to have a connection; never used twice, so that what comes late from an attempt
/// that has ended is known to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// Place of the connection in its feed; the watcher's line.
    pub place: u32,
    /// Counts its attempts.
    pub attempt: u32,
}

/// One HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// What to do. Addresses and header values may hold keys: `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Open a WebSocket.
    Connect {
        /// Its name in everything that follows.
        conn: ConnId,
        /// Address.
        url: String,
        /// Headers of the upgrade.
        headers: Vec<(String, String)>,
        /// Local address to bind.
        local: Option<IpAddr>,
    },
    /// Send a text frame.
    Send {
        /// Where.
        conn: ConnId,
        /// Content.
        text: String,
    },
    /// Send a WebSocket ping.
    Ping {
        /// Where.
        conn: ConnId,
    },
    /// Close a connection, or give an attempt up. Nothing more is told of it.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Make an HTTP request.
    Fetch {
        /// Its name.
        id: FetchId,
        /// Address.
        url: String,
        /// Headers.
        headers: Vec<(String, String)>,
        /// JSON to post; a GET without.
        body: Option<String>,
        /// Local address to bind.
        local: Option<IpAddr>,
    },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { conn, url, local, .. } => {
                write!(f, "Connect({conn:?}, {}, {local:?})", redacted(url))
            }
            Self::Send { conn, text } => write!(f, "Send({conn:?}, {} bytes)", text.len()),
            Self::Ping { conn } => write!(f, "Ping({conn:?})"),
            Self::Close { conn } => write!(f, "Close({conn:?})"),
            Self::Fetch { id, url, .. } => write!(f, "Fetch({id:?}, {})", redacted(url)),
        }
    }
}

/// Why a connection ended or could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The peer closed it, with this code if it gave one.
    Closed(Option<u16>),
    /// It broke: reset, or an end in the middle of a frame.
    Broken(String),
    /// The name cannot be resolved.
    Unresolved(String),
    /// No connection could be made.
    Unreachable(String),
    /// The peer is not who it should be, or speaks no acceptable encryption.
    Tls(String),
    /// The upgrade was answered with this status.
    Refused {
        /// Status code.
        status: u16,
        /// What it named to wait, s.
        retry_after_s: Option<u64>,
    },
    /// Something took too long.
    Timeout,
    /// The peer sends what is no WebSocket, or more than is read.
    Protocol(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(code)) => write!(f, "closed by the peer, code {code}"),
            Self::Closed(None) => f.write_str("closed by the peer"),
            Self::Broken(what) => write!(f, "broken: {what}"),
            Self::Unresolved(what) => write!(f, "name not resolved: {what}"),
            Self::Unreachable(what) => write!(f, "not reached: {what}"),
            Self::Tls(what) => write!(f, "TLS: {what}"),
            Self::Refused { status, .. } => write!(f, "refused with status {status}"),
            Self::Timeout => f.write_str("timed out"),
            Self::Protocol(what) => write!(f, "protocol: {what}"),
        }
    }
}

/// Names of a query whose values are this program's own words.
const OWN: [&str; 21] = [
    "streams",
    "symbol",
    "limit",
    "category",
    "instId",
    "instType",
    "instFamily",
    "uly",
    "sz",
    "depth",
    "instrument_name",
    "currency",
    "kind",
    "baseCoin",
    "status",
    "cursor",
    "exchange",
    "since",
    "options",
    "expired",
    "u",
];

/// A URL without a user's name and password, and without any value that this program did not put
/// there itself: whatever a key is called, it is not shown.
#[must_use]
pub fn redacted(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(b, q)| (b, Some(q)));
    let base = without_user(base);
    let Some(query) = query else { return base };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if OWN.contains(&name) => pair.to_owned(),
        Some((name, _)) => format!("{name}=***"),
        None if pair.is_empty() => String::new(),
        None => "***".to_owned(),
    });
    format!("{base}?{}", shown.collect::<Vec<_>>().join("&"))
}

fn without_user(base: &str) -> String {
    let (scheme, rest) = base.split_once("://").map_or(("", base), |(s, r)| (s, r));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match host.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => base.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_command_holds_no_key() {
        let url = "wss://relay.example/ws?a=1&key=hs_live_canary&Token=hs_live_canary".to_owned();
        let headers = vec![("Authorization".to_owned(), "Bearer hs_live_canary".to_owned())];
        let conn = ConnId { place: 0, attempt: 1 };
        let connect =
            Command::Connect { conn, url: url.clone(), headers: headers.clone(), local: None };
        let body = Some("hs_live_canary".to_owned());
        let fetch = Command::Fetch { id: FetchId(1), url, headers, body, local: None };
        let send = Command::Send { conn, text: "hs_live_canary".to_owned() };
        let printed = format!("{connect:?} {fetch:?} {send:?}");
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("wss://relay.example/ws?a=***&key=***&Token=***"), "{printed}");
    }

    #[test]
    fn a_key_of_any_name_is_not_shown() {
        let url = "wss://host/ws?api-key=canary&auth=canary&KEY=canary&canary&symbol=BTCUSDT";
        let shown = "wss://host/ws?api-key=***&auth=***&KEY=***&***&symbol=BTCUSDT";
        assert_eq!(redacted(url), shown);
    }

    #[test]
    fn a_user_and_a_password_are_not_shown() {
        assert_eq!(redacted("wss://me:canary@host:9/a@b?x=1"), "wss://***@host:9/a@b?x=***");
        assert_eq!(redacted("https://canary@host"), "https://***@host");
        for plain in ["wss://host/a@b", "host/path", "/path?symbol=@&limit=5", "/path?"] {
            assert_eq!(redacted(plain), plain);
        }
    }
}
