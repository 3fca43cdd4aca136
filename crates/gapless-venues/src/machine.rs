//! Machines that play recordings: where they are, and the addresses of what a venue has said, said
//! again in its own words to who subscribes as one does there (protocols.md 6.3).

use crate::live::{Socket, Span};
use crate::url;
use crate::venue::Topic;

/// Base of its WebSocket addresses, where the configuration names none: one hosts it oneself.
pub const SOCKET: &str = "ws://127.0.0.1:8001";

/// Sockets for topics, one for each exchange id of theirs.
pub(crate) fn sockets<'a>(
    topics: &[Topic<'a>],
    span: &Span,
    exchange: impl Fn(&Topic<'a>) -> &'static str,
) -> Vec<Socket<'a>> {
    let mut sockets: Vec<(&str, Socket<'a>)> = Vec::new();
    for topic in topics {
        let exchange = exchange(topic);
        match sockets.iter_mut().find(|(name, _)| *name == exchange) {
            Some((_, socket)) => socket.topics.push(*topic),
            None => {
                let mut path = format!("/ws-replay?exchange={exchange}&from=");
                url::encode(&span.from, &mut path);
                path.push_str("&to=");
                url::encode(&span.to, &mut path);
                sockets.push((exchange, Socket { path, topics: vec![*topic] }));
            }
        }
    }
    sockets.into_iter().map(|(_, socket)| socket).collect()
}
