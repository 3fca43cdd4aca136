//! The relay's contradictions as configuration (protocols.md 7.6).
//!
//! Five documents describe the same service in five ways. None could be checked, so nothing of
//! what follows is truth: a [`Flavour`] says which way a connection is to be spoken to, and the
//! five constants are what each document shows. Incoming messages are read the same way for all.

use std::borrow::Cow;

/// How the key is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `?key=KEY`.
    Query,
}

/// How topics are subscribed (protocols.md 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscribeForm {
    /// A: `{"type":"subscribe","channels":[…],"symbols":[…]}`.
    Channels,
    /// B: `{"subscribe":[…],"exchanges":[…],"symbols":[…]}`.
    Exchanges,
    /// C: `{"subscribe":[…]}`.
    Bare,
    /// D: an HTTP request per topic, beside the socket.
    Post,
    /// The channel and symbol are in the socket's URL; nothing is sent.
    Path,
}

/// What `orderbook` and `book_depth` messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookMode {
    /// The whole top of the book.
    Snapshot,
    /// Levels that changed.
    Delta,
}

/// What one count of sequence numbers covers (ruling 0.6.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One channel of one symbol.
    Channel,
    /// Every channel of one symbol.
    Symbol,
}

/// Where a snapshot is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotForm {
    /// `/orderbook/snapshot?exchange=E&symbol=S`.
    Snapshot,
    /// `/tardis/orderbook?exchange=E&symbol=S`; up to 5 s old.
    Cached,
    /// `/orderbook/S?depth=100`; up to 5 s old.
    Symbol,
    /// Nowhere: only the stream brings one.
    None,
}

/// One way of speaking to a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavour {
    /// Its name in configuration.
    pub name: Cow<'static, str>,
    /// Address of the HTTP side, without a slash at the end.
    pub rest_base: Cow<'static, str>,
    /// Address of the socket, without key or topic.
    pub socket_base: Cow<'static, str>,
    /// Key on HTTP requests.
    pub rest_auth: Auth,
    /// Key on the socket's upgrade.
    pub socket_auth: Auth,
    /// Subscriptions.
    pub subscribe: SubscribeForm,
    /// Symbols are written `exchange:symbol`, in lower case.
    pub prefixed_symbols: bool,
    /// Meaning of `orderbook` and `book_depth`.
    pub book_mode: BookMode,
    /// Scope of sequence numbers.
    pub scope: Scope,
    /// Snapshots.
    pub snapshot: SnapshotForm,
    /// Path of the request to repeat lost messages, if there is one.
    pub replay_path: Option<Cow<'static, str>>,
    /// That request names exchange, symbol and channel beside the range.
    pub replay_names_book: bool,
}

impl Flavour {
    /// As `000_…`: polled snapshots, deltas and trades.
    pub const POLLED: Self = Self {
        name: Cow::Borrowed("polled"),
        rest_base: Cow::Borrowed("https://api.holysheep.ai/v1"),
        socket_base: Cow::Borrowed(""),
        rest_auth: Auth::Bearer,
        socket_auth: Auth::Bearer,
        subscribe: SubscribeForm::Path,
        prefixed_symbols: false,
        book_mode: BookMode::Snapshot,
        scope: Scope::Channel,
        snapshot: SnapshotForm::Snapshot,
        replay_path: None,
        replay_names_book: false,
    };

    /// As `001_…`: one socket, key in the query, symbols with their exchange.
    pub const PREFIXED: Self = Self {
        name: Cow::Borrowed("prefixed"),
        socket_base: Cow::Borrowed("wss://relay.holysheep.ai/ws"),
        rest_auth: Auth::Query,
        socket_auth: Auth::Query,
        subscribe: SubscribeForm::Channels,
        prefixed_symbols: true,
        snapshot: SnapshotForm::None,
        ..Self::POLLED
    };

    /// As `002_…`: payloads under `data`, trades with a score.
    pub const SCORED: Self = Self {
        name: Cow::Borrowed("scored"),
        socket_base: Cow::Borrowed("wss://stream.holysheep.ai/v1/tardis/stream"),
        subscribe: SubscribeForm::Exchanges,
        snapshot: SnapshotForm::Cached,
        ..Self::POLLED
    };

    /// As `003_…`: a socket per channel and symbol.
    pub const PER_TOPIC: Self = Self {
        name: Cow::Borrowed("per_topic"),
        socket_base: Cow::Borrowed("wss://stream.holysheep.ai/v1/ws"),
        subscribe: SubscribeForm::Path,
        snapshot: SnapshotForm::Symbol,
        ..Self::POLLED
    };

    /// As `004_…`: subscriptions by HTTP, notices of gaps, repeats on request.
    pub const REPLAYED: Self = Self {
        name: Cow::Borrowed("replayed"),
        socket_base: Cow::Borrowed("wss://stream.holysheep.ai/v1/ws"),
        socket_auth: Auth::Query,
        subscribe: SubscribeForm::Post,
        snapshot: SnapshotForm::Symbol,
        replay_path: Some(Cow::Borrowed("/replay")),
        ..Self::POLLED
    };

    /// The flavour of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::POLLED, Self::PREFIXED, Self::SCORED, Self::PER_TOPIC, Self::REPLAYED]
            .into_iter()
            .find(|flavour| flavour.name == name)
    }
}

impl Default for Flavour {
    fn default() -> Self {
        Self::SCORED
    }
}
