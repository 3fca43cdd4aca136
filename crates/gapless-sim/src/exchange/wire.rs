//! What passes between an exchange and its clients, without sockets.
//!
//! Times are nanoseconds of the caller's clock, virtual or real, since the Unix epoch.

use std::sync::Arc;

/// A connection, numbered by the caller; never used twice.
pub type Conn = u64;

/// An HTTP request, or the one that asks for a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body of a `POST`.
    pub body: &'a str,
    /// The client's address as bits of IPv4, to which limits and bans apply.
    pub peer: u32,
}

impl<'a> Request<'a> {
    /// A `GET` without headers from address 0.
    #[must_use]
    pub const fn get(target: &'a str) -> Self {
        Self { method: "GET", target, headers: &[], body: "", peer: 0 }
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// A value of the query, percent-decoded.
    #[must_use]
    pub fn query(&self, key: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let value = |pair: &'a str| pair.split_once('=').filter(|(name, _)| *name == key);
        query.split('&').find_map(value).map(|(_, value)| percent_decoded(value))
    }

    /// A header's value; names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let code = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a client sends over a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message, which no venue understands.
    Binary,
    /// A ping, which is answered with its payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The connection is gone, by a close or without.
    Closed,
}

/// What an exchange does to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Which one.
    pub conn: Conn,
    /// Not before this time. Of one connection, outputs are due in the order they come.
    pub due_ns: u64,
    /// What.
    pub wire: Wire,
}

/// Frames and ends of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text message; many connections may share it.
    Text(Arc<str>),
    /// As `Text`, but the bytes trickle: this long from the first to the last.
    Dribble(Arc<str>, u64),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// A close with its code and reason. Nothing follows.
    Close(u16, &'static str),
    /// The peer is gone with an RST. Nothing follows.
    Reset,
    /// The peer neither reads, nor writes, nor closes. Nothing follows.
    Freeze,
}

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// From the request to the first byte, nanoseconds.
    pub delay_ns: u64,
    /// Status code.
    pub status: u16,
    /// Names and values, without the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What happens to the body on its way.
    pub body_fault: BodyFault,
}

/// What happens to a body on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFault {
    /// It arrives.
    #[default]
    None,
    /// The connection ends after half of what the length promised.
    Cut,
    /// It trickles: this long from the first byte to the last, nanoseconds.
    Dribble(u64),
}

impl Answer {
    /// JSON with a status of 200.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/json", body)
    }

    /// An answer without delay.
    #[must_use]
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", kind.to_owned())];
        let body = body.into();
        Self { delay_ns: 0, status, headers, body, body_fault: BodyFault::None }
    }

    /// The same with a header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_percent_decoded() {
        let request = Request::get("/a/b?x=1&streams=btc%40depth%2Feth&z=a+b%");
        assert_eq!(request.path(), "/a/b");
        assert_eq!(request.query("streams").as_deref(), Some("btc@depth/eth"));
        assert_eq!(request.query("z").as_deref(), Some("a b%"));
        assert_eq!(request.query("y"), None);
    }
}
