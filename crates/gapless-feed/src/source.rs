//! What a source is: a venue, topics, and the lines by which they come.

use gapless_book::lines::LinePolicy;
use gapless_book::local::CrossedPolicy;
use gapless_venues::instruments::Instruments;
use gapless_venues::live::{Acks, Live, Rate, Span};
use gapless_venues::machine;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::relay::{Flavour, Relay};
use gapless_venues::session::{Session, SessionConfig};
use gapless_venues::venue::{Market, Topic};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Most topics of a source.
pub const TOPICS_MAX: usize = 16_384;
/// Most lines of a source.
pub const LINES_MAX: usize = 8;

/// A key. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// A key, without the white space around it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The key, to be sent and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A channel of a symbol, in the venue's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicConfig {
    /// Channel, with the venue's own speed suffix if there is one.
    pub channel: String,
    /// Symbol, as the venue's messages write it.
    pub symbol: String,
}

impl TopicConfig {
    /// The same, borrowed.
    #[must_use]
    pub fn topic(&self) -> Topic<'_> {
        Topic { channel: &self.channel, symbol: &self.symbol }
    }
}

/// A way by which all topics of a source come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineConfig {
    /// Its name in reports.
    pub name: String,
    /// Base of its WebSocket addresses; the venue's own without.
    pub socket: Option<String>,
    /// Local address of its connections.
    pub local: Option<IpAddr>,
}

/// A source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name in reports.
    pub name: String,
    /// Whose dialect it speaks.
    pub venue: VenueId,
    /// Market, where the venue has several.
    pub market: Market,
    /// What is subscribed.
    pub topics: Vec<TopicConfig>,
    /// Base of HTTP addresses; the venue's own without.
    pub rest: Option<String>,
    /// Lines, the preferred first. At least one; several write the same books.
    pub lines: Vec<LineConfig>,
    /// How several lines are merged.
    pub merge: LinePolicy,
    /// Choices of its books.
    pub session: SessionConfig,
    /// A connection without data for so long is broken, ns; 0: never.
    pub silence_ns: i64,
    /// Books whose messages come later than usual by more are stale, ns; 0: never. The venue's
    /// stamps tell, so it says nothing of channels without.
    pub late_ns: i64,
    /// A live book without messages for so long is stale, ns; `None`: quiet is not broken.
    pub symbol_silence_ns: Option<i64>,
    /// A connection is replaced after so long, ns.
    pub lifetime_ns: Option<i64>,
    /// Levels a side of REST snapshots, where the venue lets one choose.
    pub snapshot_depth: Option<u16>,
    /// What is known of the instruments before the venue says it.
    pub instruments: Arc<Instruments>,
    /// Time between two looks at the venue's lists of instruments, the first at the start, ns;
    /// `None`: never. Where it has none this means nothing.
    pub lists_ns: Option<i64>,
    /// Time between two questions of what is polled, ns.
    pub poll_ns: i64,
    /// A Tardis machine plays what was recorded in this time instead of what is: of a venue its own
    /// frames, of [`VenueId::Tardis`] normalized messages. Nothing is asked for over HTTP, a book
    /// that has lost something waits for the next whole one in the recording, and once all was
    /// played the books stay as they are. A replay that breaks off begins anew. One line only.
    pub replay: Option<Span>,
    /// How a relay is spoken to.
    pub flavour: Flavour,
    /// Its key.
    pub key: Option<Secret>,
}

impl SourceConfig {
    /// A source of a venue, with the venue's addresses and habits and one line.
    #[must_use]
    pub fn new(name: impl Into<String>, venue: VenueId, topics: Vec<TopicConfig>) -> Self {
        let mut source = Self {
            name: name.into(),
            venue,
            market: Market::Unknown,
            topics,
            rest: None,
            lines: vec![LineConfig::default()],
            merge: LinePolicy::default(),
            session: SessionConfig::live(),
            silence_ns: 0,
            late_ns: 0,
            symbol_silence_ns: None,
            lifetime_ns: None,
            snapshot_depth: None,
            instruments: Arc::default(),
            lists_ns: Some(3_600_000_000_000),
            poll_ns: 1_000_000_000,
            replay: None,
            flavour: Flavour::default(),
            key: None,
        };
        let live = source.live();
        let ns = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        source.silence_ns = ns(live.silence_ms);
        source.late_ns = ns(live.late_ms);
        // Before the venue does it, with time to spare for a replacement that fails at first.
        source.lifetime_ns = live.lifetime_ms.map(|ms| ns(ms - ms / 12));
        source
    }

    /// A session that speaks to it.
    #[must_use]
    pub fn session(&self) -> AnySession {
        match self.venue {
            VenueId::Relay => {
                let relay = Relay { flavour: self.flavour.clone() };
                AnySession::Relay(Box::new(Session::new(relay, self.session)))
            }
            venue => venue.session(self.choices()),
        }
    }

    /// Choices of its sessions.
    fn choices(&self) -> SessionConfig {
        let mut choices = self.session;
        choices.recorded |= self.replay.is_some();
        if self.replay.is_some() && choices.policy.crossed == CrossedPolicy::Resync {
            // There is nobody to ask.
            choices.policy.crossed = CrossedPolicy::Report;
        }
        choices
    }

    /// Whether its venue has lists of instruments that it can be asked for.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        !self.lists().is_empty()
    }

    /// Paths of the lists that its topics need.
    pub(crate) fn lists(&self) -> Vec<String> {
        if self.replay.is_some() {
            // What is listed now says nothing of then.
            return Vec::new();
        }
        let topics: Vec<Topic<'_>> = self.topics.iter().map(TopicConfig::topic).collect();
        self.session().wiring().lists(self.market, &topics)
    }

    /// Habits of its venue.
    #[must_use]
    pub fn live(&self) -> Live {
        let live = self.session().wiring().live();
        if self.replay.is_none() {
            return live;
        }
        // A machine wants every subscription within two seconds and answers none.
        let (acks, sends) = (Acks::None, Rate::new(u32::MAX, 1_000));
        let (socket, lifetime_ms) = (machine::SOCKET, None);
        Live { socket, acks, sends, subscribes: sends, lifetime_ms, ..live }
    }

    /// Base of HTTP addresses, without a slash at the end.
    #[must_use]
    pub fn rest_base(&self) -> String {
        let base = match &self.rest {
            // What the machine may be asked is counted apart from what the venue may be.
            _ if self.replay.is_some() => {
                return self.lines.first().map_or_else(String::new, |line| self.socket_base(line));
            }
            Some(base) => base,
            None if self.venue == VenueId::Relay => &*self.flavour.rest_base,
            None => self.live().rest,
        };
        base.trim_end_matches('/').to_owned()
    }

    /// Base of a line's WebSocket addresses, without a slash at the end.
    #[must_use]
    pub fn socket_base(&self, line: &LineConfig) -> String {
        let base = match &line.socket {
            Some(base) => base,
            None if self.venue == VenueId::Relay => &*self.flavour.socket_base,
            None => self.live().socket,
        };
        base.trim_end_matches('/').to_owned()
    }
}
