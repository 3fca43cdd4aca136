//! Frames → events. One public function, [`parse`]: it unwraps the frame, tells its kind and
//! hands it to the reader of that kind.
//!
//! Invariant: a payload that claims a known kind ends in exactly one event or one refusal. Whether
//! a frame is wrapped is seen in the frame, never taken from the URL: `SET_PROPERTY combined`
//! changes it in the middle of a connection (protocols.md 1.2).

use super::stream::{Depth, Stream};
use super::{Dialect, books, control, rest, stream, tickers, trades};
use crate::scan::{Field, Value};
use crate::scratch::Scratch;
use crate::time::Stamp;
use crate::venue::{Context, Origin};
use crate::wire::{EventSink, Reject, WireError, WireErrorKind};
use gapless_book::event::{Body, Event, Flags, Times};

/// What every payload of a frame shares.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub dialect: Dialect,
    pub recv_ns: i64,
    /// The whole frame, or the element of an array.
    pub raw: &'a [u8],
    pub flags: Flags,
    /// The stream that carries it, as the wrapper names it; empty without one.
    pub stream: Stream<'a>,
    /// The frame is one message, so that a template may be learned from it.
    pub whole: bool,
}

impl<'a> Frame<'a> {
    pub fn event<'e>(
        &self,
        symbol: &'e str,
        channel: &'e str,
        times: Times,
        body: Body<'e>,
    ) -> Event<'e>
    where
        'a: 'e,
    {
        Event { symbol, channel, exchange: "", times, flags: self.flags, raw: self.raw, body }
    }

    /// Stamps from `E` and `T`. An absent or absurd time is no time.
    pub fn times(
        &self,
        published: Option<Value<'_>>,
        matched: Option<Value<'_>>,
    ) -> Result<Times, WireError> {
        let mut times = Times { recv_ns: self.recv_ns, ..Times::default() };
        if let Some(stamp) = published.optional_int()?.and_then(Stamp::milli_or_micro) {
            times.venue_ns = stamp.ns;
            times.unit = stamp.unit;
        }
        if let Some(stamp) = matched.optional_int()?.and_then(Stamp::milli_or_micro) {
            times.engine_ns = stamp.ns;
        }
        Ok(times)
    }

    /// An event that says no more than that something came.
    pub fn other<S: EventSink>(&self, symbol: &str, channel: &str, sink: &mut S) {
        let times = Times { recv_ns: self.recv_ns, ..Times::default() };
        sink.event(&self.event(symbol, channel, times, Body::Other));
    }
}

/// Reads one frame.
pub(super) fn parse<S: EventSink>(
    dialect: Dialect,
    context: &Context<'_>,
    frame: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    scratch.reset();
    let shared = Frame {
        dialect,
        recv_ns: context.recv_ns,
        raw: frame,
        flags: Flags::LAST_IN_FRAME,
        stream: Stream::default(),
        whole: true,
    };
    if let Origin::Rest { url } = context.origin {
        return rest::parse(&shared, url, scratch, sink);
    }
    match Value::frame(frame) {
        Ok(value) => socket(&shared, value, scratch, sink),
        Err(error) => sink.reject(&Reject::unnamed(error)),
    }
}

fn socket<'a, S: EventSink>(
    shared: &Frame<'a>,
    value: Value<'a>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let bare = Frame { flags: shared.flags.with(Flags::UNWRAPPED), ..*shared };
    if !value.is_object() {
        return payloads(&bare, value, scratch, sink);
    }
    let read = value.object(["stream", "data", "generated", "result", "error", "code", "msg"]);
    let fields = match read {
        Ok(fields) => fields,
        Err(error) => return refuse(&bare, value, error, scratch, sink),
    };
    let [name, data, generated, result, error, code, msg] = fields;
    if let Some(name) = name {
        let wrapped = wrapped(shared, name, generated);
        return match wrapped.and_then(|frame| Ok((frame, data.need("data")?))) {
            Ok((frame, data)) => payloads(&frame, data, scratch, sink),
            Err(error) => refuse(&bare, value, error, scratch, sink),
        };
    }
    if result.is_some() || error.is_some() || (code.is_some() && msg.is_some()) {
        return match control::answer(shared, value, sink) {
            Ok(()) => {}
            Err(error) => sink.reject(&Reject { book: false, ..Reject::unnamed(error) }),
        };
    }
    payloads(&bare, value, scratch, sink);
}

fn wrapped<'a>(
    shared: &Frame<'a>,
    name: Value<'a>,
    generated: Option<Value<'a>>,
) -> Result<Frame<'a>, WireError> {
    let stream = Stream::read(name.string()?);
    let recorded = match generated.present() {
        Some(generated) => generated.bool()?,
        None => stream.depth() == Some(Depth::Generated),
    };
    let mark = if recorded { Flags::GENERATED } else { Flags::NONE };
    Ok(Frame { stream, flags: shared.flags.with(mark), ..*shared })
}

/// One payload, or an array of them, each for itself.
fn payloads<'a, S: EventSink>(
    frame: &Frame<'a>,
    value: Value<'a>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    if !value.is_array() {
        return payload(frame, value, scratch, sink);
    }
    let elements = match value.elements() {
        Ok(elements) => elements,
        Err(error) => return refuse(frame, value, error, scratch, sink),
    };
    let mut elements = elements.peekable();
    while let Some(element) = elements.next() {
        let last = if elements.peek().is_none() { Flags::LAST_IN_FRAME } else { Flags::NONE };
        let flags = Flags(frame.flags.0 & !Flags::LAST_IN_FRAME.0).with(last);
        match element {
            Ok(element) => {
                let raw = element.raw().as_bytes();
                let part = Frame { raw, flags, whole: false, ..*frame };
                payload(&part, element, scratch, sink);
            }
            Err(error) => refuse(frame, value, error, scratch, sink),
        }
    }
}

fn payload<'a, S: EventSink>(
    frame: &Frame<'a>,
    value: Value<'a>,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    scratch.reset();
    if let Err(error) = read(frame, value, scratch, sink) {
        refuse(frame, value, error, scratch, sink);
    }
}

/// Reads a payload of any kind. Nothing has reached the sink where it fails.
fn read<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let wrapped = !frame.flags.has(Flags::UNWRAPPED);
    if !value.is_object() {
        return unreadable(frame, value, sink);
    }
    let Some(kind) = first(value, "e")? else {
        return untyped(frame, value, scratch, sink);
    };
    let kind = kind.string()?;
    if wrapped && frame.stream.depth().is_some() && kind != "depthUpdate" {
        return Err(WireError::new(WireErrorKind::Type("depthUpdate"), value.at()));
    }
    match kind {
        "depthUpdate" => books::update(frame, value, scratch, sink),
        "bookTicker" => tickers::book_ticker(frame, value, sink),
        "trade" | "blockTrade" => trades::trade(frame, value, sink),
        "aggTrade" => trades::aggregate(frame, value, sink),
        "markPriceUpdate" => tickers::mark_price(frame, value, sink),
        "forceOrder" => trades::liquidation(frame, value, sink),
        "serverShutdown" => control::shutdown(frame, value, sink),
        _ => {
            let symbol = value.field("s")?.map_or(Ok(""), Value::string).unwrap_or("");
            frame.other(symbol, channel_of(kind), sink);
            Ok(())
        }
    }
}

/// A payload without `e`: told by its stream, or by the keys that it has.
fn untyped<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    if !frame.flags.has(Flags::UNWRAPPED) {
        match (frame.stream.depth(), frame.stream.channel) {
            (Some(_), _) => return books::image(frame, value, scratch, sink),
            (_, "bookTicker") => return tickers::book_ticker(frame, value, sink),
            (_, "openInterest") => return tickers::open_interest(frame, value, sink),
            (_, channel) => {
                frame.other("", channel, sink);
                return Ok(());
            }
        }
    }
    let [id, interest, u, bid, size] =
        value.object(["lastUpdateId", "openInterest", "u", "b", "B"])?;
    if id.is_some() {
        books::image(frame, value, scratch, sink)
    } else if interest.is_some() {
        tickers::open_interest(frame, value, sink)
    } else if u.is_some() && bid.is_some() && size.is_some() {
        tickers::book_ticker(frame, value, sink)
    } else {
        frame.other("", "", sink);
        Ok(())
    }
}

/// Neither object nor array: an unknown kind, unless its stream says what it should have been.
fn unreadable<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    if !frame.flags.has(Flags::UNWRAPPED) || !frame.whole {
        return Err(WireError::new(WireErrorKind::Type("object"), value.at()));
    }
    frame.other("", "", sink);
    Ok(())
}

/// The first field of that name, without looking further: `e` stands first in most payloads.
/// The reader of the kind sees a second one.
fn first<'a>(value: Value<'a>, name: &str) -> Result<Option<Value<'a>>, WireError> {
    for entry in value.entries()? {
        let (key, value) = entry?;
        if key.is(name) {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The channel whose payloads have this `e`.
pub(super) fn channel_of(kind: &str) -> &str {
    match kind {
        "depthUpdate" => "depth",
        "markPriceUpdate" => "markPrice",
        "24hrTicker" => "ticker",
        "24hrMiniTicker" => "miniTicker",
        other => other,
    }
}

/// Refuses a payload, naming what can be read of it.
fn refuse<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    error: WireError,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let payload = found(value, "data").filter(|v| v.is_object()).unwrap_or(value);
    let wrapper = string_of(value, "stream").map(Stream::read);
    let stream = wrapper.unwrap_or(frame.stream);
    let order = found(payload, "o").unwrap_or(payload);
    let own = string_of(payload, "s").or(string_of(payload, "symbol")).or(string_of(order, "s"));
    scratch.keep_name(|name| {
        name.push_str(own.unwrap_or(stream.symbol));
        name.make_ascii_uppercase();
    });
    let kind = string_of(payload, "e").map(channel_of);
    let channel = match (stream.depth(), kind) {
        (Some(Depth::Generated), _) => "depth",
        (Some(_), _) => stream.channel,
        (_, Some(kind)) => kind,
        (_, None) if found(payload, "B").is_some() => "bookTicker",
        (_, None) if found(payload, "openInterest").is_some() => "openInterest",
        (_, None) => stream.channel,
    };
    let book = channel.is_empty() || stream::depth(channel).is_some();
    sink.reject(&Reject { error, exchange: "", symbol: scratch.name(), channel, book });
}

/// A field as far as it can be found.
fn found<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    first(value, name).ok().flatten()
}

fn string_of<'a>(value: Value<'a>, name: &str) -> Option<&'a str> {
    found(value, name).and_then(|v| v.string().ok())
}
