//! What differs from venue to venue: words, numbers, rules of a connection, answers over HTTP.

use std::fmt::Debug;

use gapless_book::event::Side;

use super::desk::Desk;
use super::faults::{Fault, Point};
use super::topic::{Channel, Ids, Stream};
use super::wire::{Answer, Conn, Request};
use crate::book::{Book, Level};
use crate::dialect::image::{Change, Changes};
use crate::market::{Activity, Symbol};

/// One book message on its way into words.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The topic's name.
    pub topic: &'a str,
    /// Levels a side; `None` = all.
    pub depth: Option<usize>,
    /// The whole book, or changes.
    pub snapshot: bool,
    /// When it is said.
    pub at_ns: u64,
    /// Its numbers.
    pub ids: Ids,
    /// Its levels.
    pub changes: &'a Changes,
    /// The book after it.
    pub image: &'a Book,
    /// Number of the message within its topic.
    pub message: i64,
}

/// Access that a request for a WebSocket was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Which of the venue's paths.
    pub class: String,
    /// Whether data come in an envelope.
    pub wrapped: bool,
    /// Topics that the address itself asks for.
    pub topics: Vec<String>,
}

/// A venue's manner.
pub(crate) trait Speaker: Debug + Send {
    /// The venue's number for one update of a symbol, 0 where updates have none.
    fn touch(&mut self, _symbol: usize) -> i64 {
        0
    }

    /// Where a topic's sequence begins.
    fn begin(&mut self, symbol: usize) -> i64;

    /// The numbers of the next book message of a stream.
    fn number(&mut self, stream: &Stream, empty: bool, now_ns: u64) -> Ids;

    /// Silence of a book after which a message without changes is sent.
    fn heartbeat_ns(&self) -> u64 {
        u64::MAX
    }

    /// Time after which an image without change is said again.
    fn repeat_ns(&self) -> u64 {
        u64::MAX
    }

    /// The sequences of a symbol begin anew and lower; whether this venue does that in-stream.
    fn reset(&mut self, _desk: &mut Desk, _symbol: usize) -> bool {
        false
    }

    /// The symbol whose book a REST request asks for.
    fn wants_book(&self, desk: &Desk, request: &Request<'_>) -> Option<usize>;

    /// A book message, of a book or an image topic.
    fn book(&mut self, said: &Said<'_>) -> String;

    /// What the topic says about an activity of the market.
    fn activity(
        &mut self,
        topic: &str,
        channel: Channel,
        symbol: &Symbol,
        activity: &Activity,
    ) -> Vec<String>;

    /// Best bid and ask.
    fn best(&mut self, topic: &str, symbol: &Symbol, seq: i64, at_ns: u64) -> Option<String>;

    /// Reference prices or ticker; `first` = nothing was said on this topic before.
    fn reference(&mut self, topic: &str, symbol: &Symbol, first: bool, at_ns: u64) -> Vec<String>;

    /// A request for a WebSocket.
    fn upgrade(&mut self, desk: &mut Desk, request: &Request<'_>) -> Result<Access, Answer>;

    /// The connection stands.
    fn opened(&mut self, desk: &mut Desk, conn: Conn, topics: &[String]);

    /// The client said something.
    fn receive(&mut self, desk: &mut Desk, conn: Conn, text: &str);

    /// A second passed for a connection: pings, silence.
    fn second(&mut self, desk: &mut Desk, conn: Conn);

    /// A REST request within the limits.
    fn http(&mut self, desk: &mut Desk, request: &Request<'_>) -> Answer;

    /// What a REST request costs.
    fn weight(&self, _request: &Request<'_>) -> u32 {
        1
    }

    /// The answer with its cost: what the venue says of it in headers.
    fn spent(&self, answer: Answer, _used: u32) -> Answer {
        answer
    }

    /// A REST request beyond the limits.
    fn refused(&self, wait_s: u64, banned: bool) -> Answer {
        let status = if banned { 418 } else { 429 };
        Answer::json(r#"{"code":-1003,"msg":"Too many requests."}"#)
            .with("Retry-After", wait_s)
            .with_status(status)
    }

    /// What is said when a client says too much.
    fn too_many(&mut self, desk: &mut Desk, conn: Conn) {
        desk.close(conn, 1008, "Too many requests");
    }

    /// A status and the venue's words for it.
    fn failure(&self, status: u16) -> Answer {
        Answer::json(format!(r#"{{"code":{status},"msg":"simulated"}}"#)).with_status(status)
    }

    /// An error in an answer of status 200.
    fn error_body(&self) -> Answer {
        self.failure(200)
    }
}

impl Answer {
    /// The same with another status.
    pub(crate) const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// A whole book as changes from nothing.
pub(crate) fn whole(book: &Book) -> Changes {
    let side = |side: Side| {
        book.levels(side).map(|Level { ticks, lots }| Change { ticks, was: 0, now: lots }).collect()
    };
    Changes { bids: side(Side::Bid), asks: side(Side::Ask) }
}

/// Subscribes a connection and, for a book that opens with one, says its snapshot.
///
/// Whether the connection was not subscribed before.
pub(crate) fn join(speaker: &mut dyn Speaker, desk: &mut Desk, conn: Conn, topic: usize) -> bool {
    if !desk.subscribe(conn, topic) {
        return false;
    }
    if let Channel::Book { opens: true, .. } = desk.topic(topic).channel {
        let text = snapshot(speaker, desk, topic);
        desk.tell(conn, topic, text.into());
    }
    true
}

/// The snapshot that opens a book in-stream, as of its last message.
pub(crate) fn snapshot(speaker: &mut dyn Speaker, desk: &mut Desk, topic: usize) -> String {
    let symbol = desk.topic(topic).symbol;
    // Without numbers nobody could tell an old one.
    let sequenced = desk.setup.venue.sequenced();
    let messages = match desk.strike(Point::Snapshot, symbol).filter(|_| sequenced) {
        Some(fault @ Fault::OldSnapshot(messages)) => {
            desk.faults.count(fault);
            usize::try_from(messages).unwrap_or(0)
        }
        _ => 0,
    };
    let known = desk.topic(topic);
    let (Some(stream), Some(symbol)) = (&known.stream, symbol) else { return String::new() };
    let (seq, image) = stream.history.ago(messages);
    let Channel::Book { depth, .. } = known.channel else { return String::new() };
    speaker.book(&Said {
        symbol: desk.symbol(symbol),
        topic: &known.name,
        depth,
        snapshot: true,
        at_ns: desk.now_ns,
        ids: Ids { first: seq, last: seq, prev: -1 },
        changes: &whole(&image),
        image: &image,
        message: known.messages,
    })
}
