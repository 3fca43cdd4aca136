//! What a session tells its driver, and what it asks of it.

use crate::books::{BookEntry, BookId};
use crate::instruments::GridError;
use crate::registry::VenueId;
use crate::wire::Reject;
use gapless_book::book::Change;
use gapless_book::event::{Event, Level, Side};
use gapless_book::lines::Disagreement;
use gapless_book::local::Outcome;

/// Points on the way of a book message where its time may be stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The frame is an event.
    Parsed,
    /// The sequencer has decided.
    Sequenced,
    /// The book stands.
    Applied,
}

/// What the connection needs its driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Send this text now, ahead of anything queued.
    Send(&'a str),
    /// Fetch the REST snapshot of a book.
    Fetch(BookId),
    /// End and renew the subscription of a book.
    Resubscribe(BookId),
    /// Ask the relay to repeat these numbers of a book.
    Repeat {
        /// Whose.
        book: BookId,
        /// First number.
        from: i64,
        /// Last number.
        to: i64,
    },
    /// Ask the relay to repeat what its notice names; raw JSON to send back.
    RepeatNotice(&'a str),
    /// Open a replacement and move over before this connection ends.
    Replace,
    /// Close and connect anew: too much of what it sends cannot be read.
    Reconnect,
    /// The venue refused a topic; raw JSON or name.
    SubscribeFailed(&'a str),
    /// The venue answered a request.
    Acked(&'a str),
    /// The venue refused a request: id, code, words.
    Refused {
        /// The request's id.
        id: &'a str,
        /// The venue's code.
        code: &'a str,
        /// Its words.
        message: &'a str,
    },
}

/// Is told of everything that a session sees. Every method has an empty default.
pub trait Handler {
    /// An event, and the book that it belongs to if it is a book's.
    fn event(&mut self, event: &Event<'_>, book: Option<BookId>) {
        let _ = (event, book);
    }

    /// A level changed.
    #[inline]
    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        let _ = (book, side, level, change);
    }

    /// A book took a message, or its state was changed by something else.
    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        let _ = (id, book, outcome);
    }

    /// Two lines of a book said different things under one number; the first one's stands.
    fn disagreement(&mut self, id: BookId, book: &BookEntry, what: &Disagreement) {
        let _ = (id, book, what);
    }

    /// A level of a message stands between the steps of the book's instrument; it is kept, for it
    /// is what the venue says.
    fn off_grid(&mut self, id: BookId, book: &BookEntry, error: &GridError) {
        let _ = (id, book, error);
    }

    /// A frame or element was refused.
    fn reject(&mut self, reject: &Reject<'_>) {
        let _ = reject;
    }

    /// A message could not be attributed to any book and was dropped.
    fn unattributed(&mut self, event: &Event<'_>) {
        let _ = event;
    }

    /// A book message reached a stage.
    #[inline]
    fn stage(&mut self, stage: Stage) {
        let _ = stage;
    }

    /// The driver is asked to act.
    fn action(&mut self, action: &Action<'_>) {
        let _ = action;
    }
}

impl Handler for () {}

/// One connection among those that a watcher is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub u32);

/// What passed over a connection, as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire<'a> {
    /// It was opened to this URL, keys left out.
    Opened(&'a str),
    /// A text frame was sent.
    Sent(&'a str),
    /// A text frame came.
    Text(&'a [u8]),
    /// A binary frame came.
    Binary(&'a [u8]),
    /// An HTTP request was answered.
    Answer {
        /// Its URL, keys left out.
        url: &'a str,
        /// Body of the answer.
        body: &'a [u8],
    },
    /// It ended, for this reason.
    Closed(&'a str),
}

/// Is told of everything on several connections, and whose it is.
pub trait Watcher: Handler {
    /// What follows stands in this line, from 1, of a recording, given by the index of its input;
    /// `counts`: it is to be counted, not only to be built upon.
    #[inline]
    fn place(&mut self, input: usize, line: u64, counts: bool) {
        let _ = (input, line, counts);
    }

    /// What follows belongs to this connection.
    fn line(&mut self, line: LineId) {
        let _ = line;
    }

    /// A connection has appeared: its venue, the index of the input that it is of, and its name
    /// there.
    fn opened(&mut self, line: LineId, venue: VenueId, input: usize, name: &str) {
        let _ = (line, venue, input, name);
    }

    /// Something passed over the connection, now, ns since the epoch; what it means is told next.
    #[inline]
    fn wire(&mut self, now_ns: i64, wire: &Wire<'_>) {
        let _ = (now_ns, wire);
    }

    /// What was shown of one connection's books is from now on shown of another's, which carries
    /// the same topics.
    fn moved(&mut self, from: LineId, to: LineId) {
        let _ = (from, to);
    }
}

impl Watcher for () {}
