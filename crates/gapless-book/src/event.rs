//! The vocabulary: what every venue's messages become.
//!
//! An [`Event`] borrows from the frame it was read from and from the parser's scratch; it lives
//! for one call of a sink. Prices and sizes inside book messages are integers at the scales that
//! the message states ([`BookMessage::scales`]); single values elsewhere are [`Decimal`]s.
//! (protocols.md section 8.)

use crate::decimal::Decimal;

/// Side of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

impl Side {
    /// What is kept for this side, of a pair that has bids first.
    #[inline]
    pub(crate) const fn of<T>(self, [bid, ask]: &[T; 2]) -> &T {
        match self {
            Self::Bid => bid,
            Self::Ask => ask,
        }
    }

    /// As [`Side::of`].
    #[inline]
    pub(crate) const fn of_mut<T>(self, [bid, ask]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Bid => bid,
            Self::Ask => ask,
        }
    }
}

/// One aggregated price level: the **absolute** size now resting at a price, 0 = none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Level {
    /// Price in units of `10^-scales.price`.
    pub price: i64,
    /// Size in units of `10^-scales.qty`.
    pub qty: i64,
}

/// Decimals of the integers in a message or a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Scales {
    /// Decimals of prices, 0..=18.
    pub price: u8,
    /// Decimals of sizes, 0..=18.
    pub qty: u8,
}

/// What a level says beside price and size. Present only where the venue or a checksum needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LevelExtra {
    /// An explicit delete (Deribit), as opposed to a size of zero.
    pub delete: bool,
    /// Number of orders (OKX, fourth element).
    pub orders: Option<u32>,
    /// A second size at the same price, at `scales.qty` (Bybit RPI).
    pub extra: i64,
    /// Decimals as written, if the text can be rebuilt from them; `u8::MAX` if not.
    pub price_decimals: u8,
    /// As `price_decimals`, for the size.
    pub qty_decimals: u8,
}

/// The venue's own numbering of a book message, untranslated; `None` = the field was absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SeqInfo {
    /// First update id covered (Binance `U`).
    pub first: Option<i64>,
    /// Last update id covered (`u`, `seqId`, `change_id`, `seqNum`, `lastUpdateId`).
    pub last: Option<i64>,
    /// Last id of the message before (`pu`, `prevSeqId` with -1 kept, `prev_change_id`).
    pub prev: Option<i64>,
    /// Sequence across channels, not contiguous (Bybit `seq`).
    pub cross: Option<i64>,
    /// CRC-32 over the top of the book as sent (OKX), 0 kept.
    pub checksum: Option<i32>,
}

/// Resolution in which a venue wrote its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    #[default]
    Milli,
    /// Microseconds.
    Micro,
    /// 100 ns ticks (Tardis raw).
    HundredNano,
    /// Nanoseconds.
    Nano,
}

/// The time that is absent.
pub const NO_TIME: i64 = i64::MIN;

/// Stamps of an event, nanoseconds since the Unix epoch, UTC; [`NO_TIME`] = absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Publication time at the venue (`E`, `ts`, `timestamp`).
    pub venue_ns: i64,
    /// Matching-engine time (`T`, `cts`).
    pub engine_ns: i64,
    /// Receive time: the local clock live, the recorded one in replay.
    pub recv_ns: i64,
    /// Unit in which the venue wrote `venue_ns`.
    pub unit: TimeUnit,
}

impl Default for Times {
    fn default() -> Self {
        Self { venue_ns: NO_TIME, engine_ns: NO_TIME, recv_ns: NO_TIME, unit: TimeUnit::Milli }
    }
}

/// Marks of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// No mark.
    pub const NONE: Self = Self(0);
    /// Made by a recorder, not by the venue (Tardis `generated`).
    pub const GENERATED: Self = Self(1);
    /// A print off the book: insurance fund, ADL.
    pub const OFF_BOOK: Self = Self(1 << 1);
    /// A block trade.
    pub const BLOCK: Self = Self(1 << 2);
    /// Retail price improvement.
    pub const RPI: Self = Self(1 << 3);
    /// A replay of what happened before the subscription (OKX liquidations).
    pub const HISTORICAL: Self = Self(1 << 4);
    /// The last event of its frame.
    pub const LAST_IN_FRAME: Self = Self(1 << 5);
    /// Came as the body of an HTTP response.
    pub const REST: Self = Self(1 << 6);
    /// The frame did not name its stream: what shares a shape with another stream cannot be told
    /// from it without knowing the subscriptions (protocols.md 0.6.5, 0.6.6).
    pub const UNWRAPPED: Self = Self(1 << 7);
    /// No message of its own: a number that the event's channel has taken from a count which all
    /// channels of the symbol share. The other channels' books count on, unchanged.
    pub const NUMBER_ONLY: Self = Self(1 << 8);
    /// Was lost and asked for again: it fills a hole or is of no use.
    pub const REPEATED: Self = Self(1 << 9);

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every mark of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the event is of the running market: neither off the book nor a repeat of what was
    /// before the subscription. A stream of trades or liquidations carries only such ones unless
    /// more is asked for.
    #[must_use]
    pub const fn is_regular(self) -> bool {
        self.0 & (Self::OFF_BOOK.0 | Self::HISTORICAL.0) == 0
    }
}

/// What a book message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookKind {
    /// Replaces the book and opens a chain of deltas.
    Snapshot,
    /// Edits some levels.
    Delta,
    /// A whole picture of a top-N channel; replaces the book, nothing chains (ruling 0.6.25).
    Image,
}

/// Levels of one message with their numbering.
#[derive(Clone, Copy, Debug)]
pub struct BookMessage<'a> {
    /// What it does.
    pub kind: BookKind,
    /// Numbering.
    pub seq: SeqInfo,
    /// Scales of every level below.
    pub scales: Scales,
    /// In the order of the message; the last entry of a price wins.
    pub bids: &'a [Level],
    /// As `bids`.
    pub asks: &'a [Level],
    /// Empty, or one entry per bid followed by one per ask.
    pub extras: &'a [LevelExtra],
    /// Levels per side that the channel or request is limited to.
    pub depth_limit: Option<u16>,
}

/// Best bid and ask of a ticker channel; an absent side is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bbo {
    /// Price and size.
    pub bid: Option<(Decimal, Decimal)>,
    /// Price and size.
    pub ask: Option<(Decimal, Decimal)>,
    /// Update id in the id space of the book, where the venue says so.
    pub update_id: Option<i64>,
}

/// Aggressor of a trade, or side of a liquidation order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum TakerSide {
    /// Bought (lifted an ask; a short was liquidated).
    Buy,
    /// Sold (hit a bid; a long was liquidated).
    Sell,
    /// The source does not say.
    #[default]
    Unknown,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The venue's id as text; empty if absent.
    pub id: &'a str,
    /// Sequence of the trade, where the venue counts them.
    pub seq: Option<i64>,
    /// Price.
    pub price: Decimal,
    /// Size in the venue's unit (base currency or contracts).
    pub size: Decimal,
    /// Side of the taker.
    pub taker: TakerSide,
    /// First and last trade id of an aggregate.
    pub aggregate: Option<(i64, i64)>,
    /// Number of fills in an aggregate.
    pub count: Option<i64>,
    /// A score that the relay attached, 0..1.
    pub score: Option<Decimal>,
}

/// A forced closing of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation<'a> {
    /// The venue's id as text; empty if absent.
    pub id: &'a str,
    /// Order or bankruptcy price.
    pub price: Decimal,
    /// Original size.
    pub size: Decimal,
    /// Size filled so far, where said.
    pub filled: Option<Decimal>,
    /// Average fill price, where said.
    pub average_price: Option<Decimal>,
    /// Side of the liquidation **order**: `Sell` = a long was closed (protocols.md 0.5).
    pub side: TakerSide,
    /// The side field as the venue wrote it.
    pub raw_side: &'a str,
    /// The venue publishes a sample, not every liquidation.
    pub sampled: bool,
    /// Value in USD, where the relay says it.
    pub size_usd: Option<Decimal>,
}

/// Mark, index, funding, open interest: the fields that **this message** carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Derivative {
    /// Last trade price.
    pub last: Option<Decimal>,
    /// Mark price.
    pub mark: Option<Decimal>,
    /// Index price.
    pub index: Option<Decimal>,
    /// Estimated settlement or delivery price.
    pub settle: Option<Decimal>,
    /// Open interest in the venue's unit.
    pub open_interest: Option<Decimal>,
    /// Funding rate as a fraction.
    pub funding_rate: Option<Decimal>,
    /// Predicted next rate.
    pub predicted_funding: Option<Decimal>,
    /// Next settlement, ns since the epoch.
    pub funding_time_ns: Option<i64>,
    /// Best bid of the (conflated) ticker.
    pub bid: Option<(Decimal, Option<Decimal>)>,
    /// Best ask of the (conflated) ticker.
    pub ask: Option<(Decimal, Option<Decimal>)>,
}

impl Derivative {
    /// This ticker with the fields that `newer` carries laid over it: the merged view of a stream
    /// whose messages carry only what changed.
    #[must_use]
    pub fn merged(self, newer: Self) -> Self {
        Self {
            last: newer.last.or(self.last),
            mark: newer.mark.or(self.mark),
            index: newer.index.or(self.index),
            settle: newer.settle.or(self.settle),
            open_interest: newer.open_interest.or(self.open_interest),
            funding_rate: newer.funding_rate.or(self.funding_rate),
            predicted_funding: newer.predicted_funding.or(self.predicted_funding),
            funding_time_ns: newer.funding_time_ns.or(self.funding_time_ns),
            bid: newer.bid.or(self.bid),
            ask: newer.ask.or(self.ask),
        }
    }
}

/// What only options have; the rest of the ticker is in the [`Derivative`] beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OptionTicker<'a> {
    /// Price of the underlying.
    pub underlying: Option<Decimal>,
    /// Its name.
    pub underlying_index: &'a str,
    /// Implied volatility of the mark.
    pub mark_iv: Option<Decimal>,
    /// Implied volatility of the bid.
    pub bid_iv: Option<Decimal>,
    /// Implied volatility of the ask.
    pub ask_iv: Option<Decimal>,
    /// Greek.
    pub delta: Option<Decimal>,
    /// Greek.
    pub gamma: Option<Decimal>,
    /// Greek.
    pub vega: Option<Decimal>,
    /// Greek.
    pub theta: Option<Decimal>,
    /// Greek.
    pub rho: Option<Decimal>,
    /// Interest rate used.
    pub interest_rate: Option<Decimal>,
    /// The common part.
    pub derivative: Derivative,
}

/// A request's id as the venue echoed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RequestId<'a>(pub &'a str);

/// What an event is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "lives for one call; a box would allocate per event")]
pub enum Body<'a> {
    /// Snapshot, delta or image of a book.
    Book(BookMessage<'a>),
    /// Best bid and ask.
    Bbo(Bbo),
    /// A trade.
    Trade(Trade<'a>),
    /// A liquidation.
    Liquidation(Liquidation<'a>),
    /// Mark, index, funding, open interest.
    Derivative(Derivative),
    /// Ticker of an option.
    OptionTicker(OptionTicker<'a>),
    /// A request was granted. `topics` is the raw JSON of what it names (may be empty).
    Ack {
        /// The request.
        id: RequestId<'a>,
        /// `subscribe`, `unsubscribe`, … or empty.
        op: &'a str,
        /// Raw JSON of the topics that the answer names.
        topics: &'a str,
        /// Raw JSON of the topics that it refuses (Bybit options), empty if none.
        failed: &'a str,
    },
    /// A request was refused, or the source reports an error.
    Error {
        /// The request.
        id: RequestId<'a>,
        /// The venue's code as text.
        code: &'a str,
        /// Its words, raw JSON text.
        message: &'a str,
        /// Seconds to wait, where said.
        retry_after_s: Option<Decimal>,
    },
    /// Liveness without data.
    Heartbeat {
        /// The venue wants an answer at once.
        answer: HeartbeatAnswer,
    },
    /// The venue announces something: shutdown, upgrade, connection counts.
    Notice {
        /// The venue's code or name of the notice.
        code: &'a str,
        /// The connection will soon be closed: replace it.
        closing: bool,
    },
    /// A recorder or relay lost its source: books of `exchange` (of `symbols`, raw JSON array, if
    /// not empty) are not live.
    Disconnect {
        /// Names as in the message, raw JSON; empty = all.
        symbols: &'a str,
    },
    /// The relay says that it lost messages; `range` is the raw JSON object to send back.
    GapNotice {
        /// Raw JSON of the whole notice.
        range: &'a str,
    },
    /// A message of a kind that is not decoded (candles, 24 h tickers).
    Other,
}

/// What a heartbeat asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatAnswer {
    /// Nothing.
    None,
    /// The text `pong` (OKX).
    Pong,
    /// A `public/test` request (Deribit).
    Test,
}

/// Name of an event's kind, as the command counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventKind {
    /// Book snapshot.
    Snapshot,
    /// Book delta.
    Delta,
    /// Image of a top-N channel.
    Top,
    /// Best bid and ask.
    Bbo,
    /// Trade.
    Trade,
    /// Liquidation.
    Liquidation,
    /// Mark, index, funding, open interest.
    Derivative,
    /// Option ticker.
    OptionTicker,
    /// Request granted.
    Ack,
    /// Request refused or error.
    Error,
    /// Liveness.
    Heartbeat,
    /// Announcement.
    Notice,
    /// Source lost.
    Disconnect,
    /// Relay gap.
    GapNotice,
    /// Not decoded.
    Other,
}

impl EventKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Snapshot,
        Self::Delta,
        Self::Top,
        Self::Bbo,
        Self::Trade,
        Self::Liquidation,
        Self::Derivative,
        Self::OptionTicker,
        Self::Ack,
        Self::Error,
        Self::Heartbeat,
        Self::Notice,
        Self::Disconnect,
        Self::GapNotice,
        Self::Other,
    ];

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
            Self::Top => "top",
            Self::Bbo => "bbo",
            Self::Trade => "trade",
            Self::Liquidation => "liquidation",
            Self::Derivative => "derivative",
            Self::OptionTicker => "option_ticker",
            Self::Ack => "ack",
            Self::Error => "error",
            Self::Heartbeat => "heartbeat",
            Self::Notice => "notice",
            Self::Disconnect => "disconnect",
            Self::GapNotice => "gap_notice",
            Self::Other => "other",
        }
    }
}

/// One thing that a frame said.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The instrument's native symbol as the payload writes it; empty if the message names none.
    pub symbol: &'a str,
    /// The venue's channel without the symbol and speed (`depth`, `orderbook.200`, `book.raw`).
    pub channel: &'a str,
    /// Exchange id where one source carries several (Tardis, relay); else empty.
    pub exchange: &'a str,
    /// Stamps.
    pub times: Times,
    /// Marks.
    pub flags: Flags,
    /// The bytes it was read from: unknown fields and number texts are never lost.
    pub raw: &'a [u8],
    /// What it is.
    pub body: Body<'a>,
}

impl Event<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match &self.body {
            Body::Book(book) => match book.kind {
                BookKind::Snapshot => EventKind::Snapshot,
                BookKind::Delta => EventKind::Delta,
                BookKind::Image => EventKind::Top,
            },
            Body::Bbo(_) => EventKind::Bbo,
            Body::Trade(_) => EventKind::Trade,
            Body::Liquidation(_) => EventKind::Liquidation,
            Body::Derivative(_) => EventKind::Derivative,
            Body::OptionTicker(_) => EventKind::OptionTicker,
            Body::Ack { .. } => EventKind::Ack,
            Body::Error { .. } => EventKind::Error,
            Body::Heartbeat { .. } => EventKind::Heartbeat,
            Body::Notice { .. } => EventKind::Notice,
            Body::Disconnect { .. } => EventKind::Disconnect,
            Body::GapNotice { .. } => EventKind::GapNotice,
            Body::Other => EventKind::Other,
        }
    }
}
