//! What a venue is to the rest: a translator. It reads frames, says by which rule a channel's
//! books are kept, and writes the requests that the venue understands. It holds no book, no
//! socket, no clock, and decides nothing about gaps.

use crate::instruments::{InstrumentError, List, Problem};
use crate::live::Wiring;
use crate::scratch::Scratch;
use crate::wire::EventSink;
use gapless_book::sequence::Rule;

/// Kind of instrument that a connection or message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Market {
    /// Spot.
    Spot,
    /// Margined in the quote currency.
    Linear,
    /// Margined in the base currency.
    Inverse,
    /// Option.
    Option,
    /// The source does not say.
    #[default]
    Unknown,
}

impl Market {
    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
            Self::Option => "option",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A WebSocket frame on a connection to this URL (empty if unknown).
    Socket {
        /// The URL that the connection was opened with.
        url: &'a str,
    },
    /// The body of an HTTP response.
    Rest {
        /// The request's URL.
        url: &'a str,
    },
}

/// What a parser is told beside the frame.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Receive time, ns since the epoch; `NO_TIME` if unknown.
    pub recv_ns: i64,
    /// Where the frame came from.
    pub origin: Origin<'a>,
    /// Market of the connection, where the URL or the venue says so.
    pub market: Market,
}

/// A subscription: one channel of one symbol, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Topic<'a> {
    /// Channel without the symbol, as in [`gapless_book::event::Event::channel`], or with the
    /// venue's own speed suffix.
    pub channel: &'a str,
    /// Native symbol.
    pub symbol: &'a str,
}

/// Status line and headers of an HTTP answer that matter to a budget.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpAnswer<'a> {
    /// Status code.
    pub status: u16,
    /// Header names (any case) and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body.
    pub body: &'a [u8],
    /// Wall time, ms since the epoch, for headers that name a point in time.
    pub now_ms: i64,
}

impl<'a> HttpAnswer<'a> {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
    }

    /// Whether the body is the venue's own, not a page of something between.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.body.trim_ascii_start().first(), Some(b'{' | b'['))
    }
}

/// What an HTTP answer means to whoever asks next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestVerdict {
    /// The body is the answer.
    Ok,
    /// No request of any kind to this venue from this address for so long.
    StopAll {
        /// Milliseconds.
        wait_ms: u64,
    },
    /// Repeat after so long at the earliest.
    Retry {
        /// Milliseconds.
        wait_ms: u64,
    },
    /// The credentials are refused: no retry without a person.
    Auth,
    /// The venue says that what was asked for does not exist.
    Refused,
    /// It failed for a reason that the venue does not say or that may pass: to be asked again, more
    /// slowly each time; other requests are not concerned.
    Unclear,
}

impl RestVerdict {
    /// What an answer means that no rule of its venue names: if it is the venue's own, one request
    /// failed; a redirection or a page comes from something between, and so may the next.
    #[must_use]
    pub fn unlisted(answer: &HttpAnswer<'_>) -> Self {
        if answer.is_json() { Self::Unclear } else { Self::Retry { wait_ms: 1_000 } }
    }
}

/// How sure a venue is that a URL or frame is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// It is not, or nothing tells.
    No,
    /// It may be; others may say so too.
    Maybe,
    /// No other venue writes so.
    Sure,
}

/// A translator of one venue's dialect.
pub trait Venue: Wiring {
    /// Reads one frame. Every event goes to `sink`, a malformed frame as a reject.
    fn parse<S: EventSink>(
        &self,
        context: &Context<'_>,
        frame: &[u8],
        scratch: &mut Scratch,
        sink: &mut S,
    );

    /// The rule of a channel's books; `None` where the channel carries no book.
    fn rule(&self, channel: &str) -> Option<Rule>;

    /// Path of the venue's list of instruments, if it has one.
    fn list_path(&self) -> Option<&'static str> {
        None
    }

    /// Reads the body of the venue's list of instruments.
    ///
    /// # Errors
    /// Not such a list, or a venue that has none; single rows that cannot be read are in
    /// [`List::refused`].
    fn read_instruments(&self, body: &[u8]) -> Result<List, InstrumentError> {
        let _ = body;
        Err(InstrumentError::whole("", Problem::Shape("this venue has no list".to_owned())))
    }

    /// Whether a URL or frame (either may be empty) is this venue's, as far as it tells.
    fn claims(&self, url: &str, frame: &[u8]) -> Claim {
        let _ = (url, frame);
        Claim::No
    }

    /// Market that a connection's URL tells, if it does (empty URL: what holds for all).
    fn market(&self, url: &str) -> Market {
        let _ = url;
        Market::Unknown
    }

    /// Name of the venue, and the market, behind an exchange id that a source of several
    /// exchanges writes.
    fn venue_of(&self, exchange: &str) -> Option<(&'static str, Market)> {
        let _ = exchange;
        None
    }

    /// Market that a symbol tells, where the connection does not.
    fn symbol_market(&self, symbol: &str) -> Market {
        let _ = symbol;
        Market::Unknown
    }

    /// Whether a symbol names different instruments in different markets, so that a book's name
    /// must say the market.
    fn names_market(&self) -> bool {
        false
    }

    /// The topic that a positive answer is about, where each topic of a request is answered for
    /// itself (`topics`: raw JSON of what it names).
    fn granted<'t>(&self, topics: &'t str) -> Option<Topic<'t>> {
        let _ = topics;
        None
    }

    /// Positions of those requested topics that a positive answer leaves out
    /// (`topics`: raw JSON of what it names).
    fn left_out(&self, requested: &[Topic<'_>], topics: &str) -> Vec<usize> {
        let _ = (requested, topics);
        Vec::new()
    }

    /// Reports the topics that a connection's URL or a frame sent by the client subscribes, as far
    /// as the text tells; what a recording's `C` and `S` lines are read with.
    fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
        let _ = (text, each);
    }

    /// Whether a book message that names no stream (`Flags::UNWRAPPED`) can be told from a partial
    /// image by its shape alone (ruling 0.6.5: not on futures).
    fn trusts_unwrapped(&self) -> bool {
        true
    }

    /// Whether the first push of a channel after subscribing repeats what happened before
    /// (OKX liquidations, protocols.md 4.4).
    fn first_push_is_history(&self, channel: &str) -> bool {
        let _ = channel;
        false
    }

    /// What to send first on a new connection, before any subscription; its answer has id 0.
    fn opening(&self) -> Option<&'static str> {
        None
    }

    /// Requests that subscribe these topics, in batches within the venue's limits.
    /// Ids count up from `first_id`.
    fn subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String>;

    /// As [`Venue::subscribe`], to end subscriptions.
    fn unsubscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String>;

    /// Path and query of the REST snapshot of a symbol, if the venue has one that bridges.
    fn snapshot_request(&self, channel: &str, symbol: &str, market: Market) -> Option<String>;

    /// Whether a REST book of one channel may be joined to the updates of another: their numbers
    /// come from one counter.
    fn rest_fits(&self, channel: &str, rest_channel: &str) -> bool {
        let _ = (channel, rest_channel);
        true
    }

    /// Whether the bodies at a URL are updates of a book, so that one which cannot be read is a
    /// loss; a snapshot that cannot be read is not.
    fn rest_edits(&self, url: &str) -> bool {
        let _ = url;
        false
    }

    /// What to send when nothing was sent for so many milliseconds; `None` where the server
    /// pings. An empty text stands for a WebSocket ping frame.
    fn keepalive(&self) -> Option<(u64, &'static str)> {
        None
    }

    /// The answer to a heartbeat that wants one (an application-level ping).
    fn heartbeat_answer(&self, id: u64) -> Option<String> {
        let _ = id;
        None
    }

    /// What an HTTP answer means.
    fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict;
}
