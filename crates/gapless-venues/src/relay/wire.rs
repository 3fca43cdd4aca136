//! Messages of a relay → events.
//!
//! Invariant: a message with levels is a book event or a refusal, never silently skipped: what
//! edits a book must not be lost. A payload stands in the message itself or under `data`; where
//! both carry a field, the inner one counts.

use super::flavour::{BookMode, Flavour, Scope};
use super::{request, verdict};
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, SIZE_NAMES, Scratch};
use crate::time::Stamp;
use crate::url;
use crate::venue::{Claim, Context, Origin};
use crate::wire::{EventSink, Reject, WireError, WireErrorKind};
use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Body, BookKind, Derivative, Event, Flags, HeartbeatAnswer, Liquidation, RequestId, SeqInfo,
    TakerSide, Times, Trade,
};

/// Most elements of a message that share its number: each is looked for in all of them.
pub const PARTS_MAX: usize = 64;

/// Channel of the books that deltas edit.
pub(super) const BOOK: &str = "book";

/// What a URL tells about the messages that come over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Place<'a> {
    pub channel: &'a str,
    pub exchange: &'a str,
    pub symbol: &'a str,
    depth: Option<u16>,
    rest: bool,
    /// The answer to a request to repeat what was lost.
    repeated: bool,
}

impl<'a> Place<'a> {
    /// `…/ws/CHANNEL/SYMBOL`, where there is a socket per topic.
    pub fn of_socket(address: &'a str) -> Self {
        let tail = url::path(address).split_once("/ws/").map_or("", |(_, tail)| tail);
        let (channel, symbol) = tail.split_once('/').unwrap_or(("", ""));
        Self { channel, symbol, ..Self::default() }
    }

    /// `…/orderbook/snapshot?exchange=E&symbol=S`, `…/trades/SYMBOL` and the like.
    fn of_rest(address: &'a str) -> Self {
        let mut parts = url::path(address).rsplit('/');
        let last = parts.next().unwrap_or("");
        let before = parts.next().unwrap_or("");
        let known = |name: &str| matches!(name, "orderbook" | "trades" | "funding");
        let (channel, own) = match (before, last) {
            ("orderbook", "snapshot") => ("snapshot", ""),
            ("orderbook", "delta") => ("delta", ""),
            ("liquidations", "history") => ("liquidations", ""),
            (channel, symbol) if known(channel) => (channel, symbol),
            (_, channel) => (channel, ""),
        };
        let named = |name| url::parameter(address, name);
        Self {
            channel: if channel == "orderbook" { "snapshot" } else { channel },
            exchange: named("exchange").unwrap_or(""),
            symbol: named("symbol").unwrap_or(own),
            depth: named("depth").and_then(|depth| depth.parse().ok()),
            rest: true,
            repeated: false,
        }
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// Book of a channel.
    Book(BookKind, &'static str),
    Trade,
    Liquidation,
    Funding,
    Other(&'a str),
}

impl Kind<'_> {
    const fn channel(&self) -> &str {
        match self {
            Self::Book(_, channel) => channel,
            Self::Trade => "trades",
            Self::Liquidation => "liquidations",
            Self::Funding => "funding",
            Self::Other(name) => name,
        }
    }
}

/// Reads one frame.
pub(super) fn parse<S: EventSink>(
    flavour: &Flavour,
    context: &Context<'_>,
    frame: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let place = match context.origin {
        Origin::Socket { url } => Place::of_socket(url),
        Origin::Rest { url } => {
            let replay = flavour.replay_path.as_deref();
            let repeated = replay.is_some_and(|path| url::path(url).ends_with(path));
            Place { repeated, ..Place::of_rest(url) }
        }
    };
    let reader = Reader { flavour, context, place };
    match Value::frame(frame) {
        Ok(value) => each(value, &mut |element| match element {
            Ok(message) => reader.message(message, scratch, sink),
            Err(error) => reader.unread(error, scratch, sink),
        }),
        Err(error) => reader.unread(error, scratch, sink),
    }
}

/// Whether the bodies at a URL are deltas.
pub(super) fn edits(address: &str) -> bool {
    Place::of_rest(address).channel == "delta"
}

/// Whether a frame is a relay's: the notice of a gap is nobody else's, its other types may be.
pub(super) fn claim(frame: &[u8]) -> Claim {
    let text =
        Value::frame(frame).ok().and_then(|v| v.field("type").ok()?.and_then(|t| t.string().ok()));
    match text {
        Some("gap_detected" | "book_depth") => Claim::Sure,
        Some("trade" | "orderbook" | "liquidation" | "funding" | "snapshot" | "delta") => {
            Claim::Maybe
        }
        _ => Claim::No,
    }
}

/// The elements of an array, or the value itself.
fn each<'a>(value: Value<'a>, then: &mut dyn FnMut(Result<Value<'a>, WireError>)) {
    match value.elements() {
        Ok(elements) => elements.for_each(then),
        Err(_) => then(Ok(value)),
    }
}

struct Reader<'a> {
    flavour: &'a Flavour,
    context: &'a Context<'a>,
    place: Place<'a>,
}

/// One payload with the message around it.
#[derive(Clone, Copy)]
struct Payload<'a> {
    outer: Value<'a>,
    inner: Value<'a>,
    /// The array that it is an element of.
    list: Option<Value<'a>>,
}

impl<'a> Payload<'a> {
    fn fields<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[Option<Value<'a>>; N], WireError> {
        let mut found = self.inner.object(names)?;
        if self.inner.at() != self.outer.at() {
            for (slot, around) in found.iter_mut().zip(self.outer.object(names)?) {
                *slot = slot.or(around);
            }
        }
        Ok(found)
    }

    /// The one field that goes by any of these names.
    fn alias<const N: usize>(
        &self,
        names: [&'static str; N],
        name: &'static str,
    ) -> Result<Option<Value<'a>>, WireError> {
        let found = self.fields(names)?;
        let mut found = found.into_iter().filter_map(Field::present);
        let one = found.next();
        match found.find(|other| one.is_some_and(|one| one.raw() != other.raw())) {
            Some(other) => Err(WireError::new(WireErrorKind::Duplicate(name), other.at())),
            None => Ok(one),
        }
    }

    fn size(&self) -> Result<Decimal, WireError> {
        let value = self.alias(SIZE_NAMES, "size")?.need("size")?;
        let size = value.decimal()?;
        if size.mantissa() < 0 {
            return Err(WireError::new(WireErrorKind::NegativeSize, value.at()));
        }
        Ok(size)
    }

    fn sequence(&self) -> Result<Option<i64>, WireError> {
        self.alias(["seqNum", "sequence", "seq"], "sequence")?.map(Value::int).transpose()
    }

    /// The list, if its elements go by the number of the message around them.
    fn numbered_as_one(&self) -> Result<Option<Value<'a>>, WireError> {
        let own = Self { outer: self.inner, ..*self };
        let shares = own.sequence()?.is_none() && self.sequence()?.is_some();
        Ok(self.list.filter(|_| shares))
    }

    /// Stamp of the payload; one that cannot be read is none.
    fn time(&self) -> Result<Option<Stamp>, WireError> {
        let Some(value) = self.alias(["timestamp", "ts"], "timestamp")? else { return Ok(None) };
        let count = value.int().ok().and_then(Stamp::by_magnitude);
        Ok(count.or_else(|| Stamp::iso(value.string().ok()?)))
    }
}

/// Whose payload it is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Name<'a> {
    exchange: &'a str,
    symbol: &'a str,
}

/// What every event says beside its body.
#[derive(Clone, Copy, Default)]
struct Head<'a> {
    name: Name<'a>,
    channel: &'a str,
    times: Times,
}

impl<'a> Reader<'a> {
    fn message<S: EventSink>(&self, outer: Value<'a>, scratch: &mut Scratch, sink: &mut S) {
        scratch.reset();
        scratch.keep_name(|name| {
            url::decode(self.place.symbol, name);
        });
        if let Err(error) = self.read(outer, scratch, sink) {
            self.refuse(Payload { outer, inner: outer, list: None }, error, scratch, sink);
        }
    }

    /// Refuses what cannot be read at all: of an answer, the request names the book.
    fn unread<S: EventSink>(&self, error: WireError, scratch: &mut Scratch, sink: &mut S) {
        if !self.place.rest {
            return sink.reject(&Reject::unnamed(error));
        }
        scratch.keep_name(|name| {
            url::decode(self.place.symbol, name);
        });
        let (prefix, symbol) = request::split(scratch.name());
        let exchange = if prefix.is_empty() { self.place.exchange } else { prefix };
        let book = matches!(self.place.channel, "snapshot" | "delta");
        let channel = if book { BOOK } else { self.place.channel };
        sink.reject(&Reject { error, exchange, symbol, channel, book });
    }

    fn read<S: EventSink>(
        &self,
        outer: Value<'a>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Result<(), WireError> {
        if !outer.is_object() {
            self.tell(outer, Head::default(), Body::Other, sink);
            return Ok(());
        }
        let [kind, data, trades, error, snapshot, local] =
            outer.object(["type", "data", "trades", "error", "isSnapshot", "localTimestamp"])?;
        if snapshot.is_some() || local.is_some() {
            let raw = (outer.raw().as_bytes(), false);
            crate::tardis::message(self.context, raw, outer, scratch, sink);
            return Ok(());
        }
        if error.is_some_and(|error| !error.is_null()) || self.is_control(outer, kind)? {
            return self.control(outer, sink);
        }
        let inner = data.or(trades).filter(|v| v.is_object() || v.is_array()).unwrap_or(outer);
        each(inner, &mut |element| {
            let list = Some(inner).filter(|inner| inner.is_array());
            let payload = Payload { outer, inner: element.unwrap_or(outer), list };
            let read = element.and_then(|_| self.payload(payload, kind, scratch, sink));
            if let Err(error) = read {
                self.refuse(payload, error, scratch, sink);
            }
        });
        Ok(())
    }

    fn is_control(&self, outer: Value<'_>, kind: Option<Value<'_>>) -> Result<bool, WireError> {
        let [success, stream] = outer.object(["success", "stream_id"])?;
        let named = kind.present().map_or(Ok(""), Value::string)?;
        let control = matches!(
            named,
            "gap_detected"
                | "ping"
                | "pong"
                | "heartbeat"
                | "subscribed"
                | "unsubscribed"
                | "error"
        );
        Ok(control || success.is_some() || stream.is_some())
    }

    /// Errors, acks, heartbeats, notices of gaps.
    fn control<S: EventSink>(&self, outer: Value<'a>, sink: &mut S) -> Result<(), WireError> {
        let [kind, error, message, retry, id, stream, success] = outer.object([
            "type",
            "error",
            "message",
            "retry_after",
            "id",
            "stream_id",
            "success",
        ])?;
        let kind = kind.text_or_empty()?;
        let id = RequestId(id.or(stream).present().map_or("", words));
        let refused = error.present().is_some() || success.is_some_and(|v| v.raw() == "false");
        let body = match kind {
            "gap_detected" => Body::GapNotice { range: outer.raw() },
            "ping" | "pong" | "heartbeat" => Body::Heartbeat { answer: HeartbeatAnswer::None },
            _ if refused || kind == "error" => Body::Error {
                id,
                code: "",
                message: error.present().or(message).map_or("", words),
                retry_after_s: retry.present().and_then(verdict::seconds),
            },
            _ => Body::Ack { id, op: kind, topics: "", failed: "" },
        };
        self.tell(outer, Head::default(), body, sink);
        Ok(())
    }

    fn kind<'k>(
        &self,
        payload: Payload<'k>,
        named: Option<Value<'k>>,
    ) -> Result<Kind<'k>, WireError> {
        let named = named.present().map_or(Ok(""), Value::string)?;
        let image = |channel| match self.flavour.book_mode {
            BookMode::Snapshot => Kind::Book(BookKind::Image, channel),
            BookMode::Delta => Kind::Book(BookKind::Delta, BOOK),
        };
        Ok(match named {
            "snapshot" => Kind::Book(BookKind::Snapshot, BOOK),
            "delta" => Kind::Book(BookKind::Delta, BOOK),
            "orderbook" => image("orderbook"),
            _ if named.starts_with("book_depth") => image("book_depth"),
            "trade" | "trades" => Kind::Trade,
            "liquidation" | "liquidations" => Kind::Liquidation,
            "funding" => Kind::Funding,
            "" => self.untyped(payload)?,
            other => Kind::Other(other),
        })
    }

    /// A payload without a type: told by the URL, or a delta if it has levels and a sequence.
    fn untyped<'k>(&self, payload: Payload<'k>) -> Result<Kind<'k>, WireError> {
        let [bids, asks] = payload.fields(["bids", "asks"])?;
        if bids.is_some() || asks.is_some() {
            return match self.place.channel {
                "snapshot" if self.place.rest => Ok(Kind::Book(BookKind::Snapshot, BOOK)),
                "delta" if self.place.rest => Ok(Kind::Book(BookKind::Delta, BOOK)),
                _ if payload.sequence()?.is_some() => Ok(Kind::Book(BookKind::Delta, BOOK)),
                _ => Err(WireError::new(WireErrorKind::Missing("type"), payload.inner.at())),
            };
        }
        Ok(match self.place.channel {
            "snapshot" | "delta" => {
                return Err(WireError::new(WireErrorKind::Missing("bids"), payload.inner.at()));
            }
            "trades" => Kind::Trade,
            "liquidations" => Kind::Liquidation,
            "funding" => Kind::Funding,
            _ => Kind::Other(""),
        })
    }

    fn payload<S: EventSink>(
        &self,
        payload: Payload<'a>,
        named: Option<Value<'a>>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Result<(), WireError> {
        let kind = self.kind(payload, named)?;
        if let Kind::Book(book, channel) = kind {
            return self.book(payload, book, channel, scratch, sink);
        }
        let body = match kind {
            Kind::Trade => Body::Trade(trade(payload)?),
            Kind::Liquidation => Body::Liquidation(liquidation(payload)?),
            Kind::Funding => Body::Derivative(funding(payload)?),
            _ => Body::Other,
        };
        let name = self.name(payload, scratch.name())?;
        let times = self.times(payload)?;
        let head = Head { name, channel: kind.channel(), times };
        self.tell(payload.inner, head, body, sink);
        if self.counts_for_all(name) {
            self.advance(payload, head, payload.sequence()?, sink);
        }
        Ok(())
    }

    /// Whether a number of this symbol is one of a count that all its channels share.
    fn counts_for_all(&self, name: Name<'_>) -> bool {
        self.flavour.scope == Scope::Symbol && !self.place.rest && !name.symbol.is_empty()
    }

    /// Tells the symbol's other channels of a number that this one has taken.
    fn advance<S: EventSink>(
        &self,
        payload: Payload<'_>,
        head: Head<'_>,
        last: Option<i64>,
        sink: &mut S,
    ) {
        if last.is_none() {
            return;
        }
        let seq = SeqInfo { last, ..SeqInfo::default() };
        let nothing = Scratch::new();
        let body = Body::Book(nothing.message(BookKind::Delta, seq, None));
        let head = Head { times: Times::default(), ..head };
        self.tell_flagged(payload.inner, head, Flags::NUMBER_ONLY, body, sink);
    }

    fn book<S: EventSink>(
        &self,
        payload: Payload<'a>,
        kind: BookKind,
        channel: &'static str,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Result<(), WireError> {
        let list = if kind == BookKind::Delta { payload.numbered_as_one()? } else { None };
        match list {
            None => {
                let [bids, asks] = sides(payload, kind)?;
                scratch.read_sides(LevelForm::Object, bids, asks, false)?;
            }
            Some(list) => {
                if !self.read_parts(payload, list, scratch)? {
                    return Ok(());
                }
            }
        }
        let seq = SeqInfo { last: payload.sequence()?, ..SeqInfo::default() };
        let name = self.name(payload, scratch.name())?;
        if name.symbol.is_empty() {
            return Err(WireError::new(WireErrorKind::Missing("symbol"), payload.inner.at()));
        }
        let message = scratch.message(kind, seq, self.place.depth);
        let times = self.times(payload)?;
        let head = Head { name, channel, times };
        self.tell(payload.inner, head, Body::Book(message), sink);
        if self.counts_for_all(name) {
            self.advance(payload, head, seq.last, sink);
        }
        Ok(())
    }

    /// Reads the levels of every element of a message under one number that is of this one's book:
    /// what has one number is one message. `false` if an earlier element has told it.
    fn read_parts(
        &self,
        payload: Payload<'a>,
        list: Value<'a>,
        scratch: &mut Scratch,
    ) -> Result<bool, WireError> {
        let mut parts = [[None; 2]; PARTS_MAX];
        let mut count = 0;
        let name = self.name(payload, scratch.name())?;
        for (at, element) in list.elements()?.enumerate() {
            if at >= PARTS_MAX {
                return Err(WireError::new(WireErrorKind::TooLong, list.at()));
            }
            let part = Payload { inner: element?, ..payload };
            if self.name(part, scratch.name())? != name {
                continue;
            }
            if part.inner.at() < payload.inner.at() {
                return Ok(false);
            }
            if let Some(place) = parts.get_mut(count) {
                *place = sides(part, BookKind::Delta)?;
                count += 1;
            }
        }
        let parts = parts.get(..count).unwrap_or(&[]);
        scratch.read_parts(LevelForm::Object, parts, false)?;
        Ok(true)
    }

    /// Exchange and symbol: from the symbol's own prefix, the field, or the URL.
    fn name<'n>(&self, payload: Payload<'n>, kept: &'n str) -> Result<Name<'n>, WireError>
    where
        'a: 'n,
    {
        let [exchange, symbol] = payload.fields(["exchange", "symbol"])?;
        let text = symbol.present().map_or(Ok(kept), Value::string)?;
        let (prefix, symbol) = request::split(text);
        let field = exchange.present().map_or(Ok(self.place.exchange), Value::string)?;
        Ok(Name { exchange: if prefix.is_empty() { field } else { prefix }, symbol })
    }

    fn times(&self, payload: Payload<'_>) -> Result<Times, WireError> {
        let mut times = Times::default();
        if let Some(stamp) = payload.time()? {
            times.venue_ns = stamp.ns;
            times.unit = stamp.unit;
        }
        Ok(times)
    }

    fn tell<S: EventSink>(&self, raw: Value<'_>, head: Head<'_>, body: Body<'_>, sink: &mut S) {
        let flags = match (self.place.rest, self.place.repeated) {
            (_, true) => Flags::REST.with(Flags::REPEATED),
            (true, _) => Flags::REST,
            _ => Flags::NONE,
        };
        self.tell_flagged(raw, head, flags, body, sink);
    }

    fn tell_flagged<S: EventSink>(
        &self,
        raw: Value<'_>,
        head: Head<'_>,
        flags: Flags,
        body: Body<'_>,
        sink: &mut S,
    ) {
        sink.event(&Event {
            symbol: head.name.symbol,
            channel: head.channel,
            exchange: head.name.exchange,
            times: Times { recv_ns: self.context.recv_ns, ..head.times },
            flags,
            raw: raw.raw().as_bytes(),
            body,
        });
    }

    /// Refuses a payload, naming what can be read of it.
    fn refuse<S: EventSink>(
        &self,
        payload: Payload<'a>,
        error: WireError,
        scratch: &Scratch,
        sink: &mut S,
    ) {
        let named = payload.outer.field("type").ok().flatten();
        let kind = self.kind(payload, named).unwrap_or(Kind::Book(BookKind::Delta, BOOK));
        let name = self.name(payload, scratch.name()).unwrap_or_default();
        let book = matches!(kind, Kind::Book(..));
        let Name { exchange, symbol } = name;
        sink.reject(&Reject { error, exchange, symbol, channel: kind.channel(), book });
    }
}

/// The level lists of a payload; a delta may leave out one of them.
fn sides<'a>(payload: Payload<'a>, kind: BookKind) -> Result<[Option<Value<'a>>; 2], WireError> {
    let [bids, asks] = payload.fields(["bids", "asks"])?;
    if kind != BookKind::Delta || (bids.is_none() && asks.is_none()) {
        bids.need("bids")?;
        asks.need("asks")?;
    }
    Ok([bids, asks])
}

/// What stands between a string's quotes; any other value as written.
fn words(value: Value<'_>) -> &str {
    value.raw_string().unwrap_or(value.raw())
}

fn trade(payload: Payload<'_>) -> Result<Trade<'_>, WireError> {
    let [price, side, score] = payload.fields(["price", "side", "anomaly_score"])?;
    let id = payload.alias(["id", "trade_id", "tradeId"], "id")?;
    Ok(Trade {
        id: id.text_or_empty()?,
        seq: payload.sequence()?,
        price: price.need("price")?.decimal()?,
        size: payload.size()?,
        taker: taker(side.text_or_empty()?),
        aggregate: None,
        count: None,
        score: score.optional_decimal()?,
    })
}

fn taker(side: &str) -> TakerSide {
    if side.eq_ignore_ascii_case("buy") {
        TakerSide::Buy
    } else if side.eq_ignore_ascii_case("sell") {
        TakerSide::Sell
    } else {
        TakerSide::Unknown
    }
}

/// The side is taken for the order's, and kept as written: the documents do not say.
fn liquidation(payload: Payload<'_>) -> Result<Liquidation<'_>, WireError> {
    let [id, price, side, usd] = payload.fields(["id", "price", "side", "size_usd"])?;
    let raw_side = side.text_or_empty()?;
    Ok(Liquidation {
        id: id.text_or_empty()?,
        price: price.need("price")?.decimal()?,
        size: payload.size()?,
        filled: None,
        average_price: None,
        side: taker(raw_side),
        raw_side,
        sampled: false,
        size_usd: usd.optional_decimal()?,
    })
}

fn funding(payload: Payload<'_>) -> Result<Derivative, WireError> {
    let rate = payload.alias(["rate", "funding_rate", "fundingRate"], "rate")?;
    let funding_rate = Some(rate.need("rate")?.decimal()?);
    Ok(Derivative { funding_rate, ..Derivative::default() })
}
