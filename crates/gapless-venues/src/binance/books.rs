//! Books: diff depth, partial depth, snapshots.
//!
//! Invariant: an event's channel and kind follow from the stream's name where there is one;
//! where there is none, the event says so ([`Flags::UNWRAPPED`]) and claims the least: a delta, or
//! a snapshot of a symbol that only the subscriptions tell.

use super::stream::Depth;
use super::wire::Frame;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::wire::{EventSink, Slot, WireError, WireErrorKind};
use gapless_book::event::{Body, BookKind, Flags, SeqInfo, Times};

/// Levels per side that a recorder asks of REST for its generated snapshots (protocols.md 6.4).
const GENERATED_LIMIT: u16 = 1000;

/// What a book message is taken for.
#[derive(Clone, Copy)]
pub(super) struct Role<'a> {
    pub channel: &'a str,
    pub kind: BookKind,
    pub depth_limit: Option<u16>,
}

/// `depthUpdate`: a delta, or on futures the image of a partial stream.
pub(super) fn update<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published, matched, symbol, first, last, prev, bids, asks] =
        value.object(["e", "E", "T", "s", "U", "u", "pu", "b", "a"])?;
    let symbol = symbol.need("s")?.string()?;
    let role = update_role(frame, symbol, value.at())?;
    let times = frame.times(published, matched)?;
    let prev = if frame.dialect.is_futures() { prev } else { None };
    let seq = SeqInfo {
        first: first.optional_int()?,
        last: last.optional_int()?,
        prev: prev.optional_int()?,
        ..SeqInfo::default()
    };
    if role.kind == BookKind::Delta {
        let chain = if frame.dialect.is_futures() { (prev, "pu") } else { (first, "U") };
        last.present().need("u")?;
        chain.0.present().need(chain.1)?;
    }
    let slots = [
        (Slot::VenueTime, published),
        (Slot::EngineTime, matched),
        (Slot::First, first),
        (Slot::Last, last),
        (Slot::Prev, prev),
    ];
    for (slot, field) in slots {
        if let Some(field) = field.present() {
            scratch.mark(slot, field);
        }
    }
    let (bids, asks) = (bids.need("b")?, asks.need("a")?);
    scratch.read_sides(LevelForm::Pair, Some(bids), Some(asks), false)?;
    emit(frame, symbol, role, Numbers { seq, times }, scratch, sink);
    Ok(())
}

/// What a `depthUpdate` is. The wrapper's word is final: what contradicts it is malformed.
fn update_role<'a>(frame: &Frame<'a>, symbol: &str, at: usize) -> Result<Role<'a>, WireError> {
    let delta = |channel| Role { channel, kind: BookKind::Delta, depth_limit: None };
    if frame.flags.has(Flags::UNWRAPPED) {
        return Ok(delta("depth"));
    }
    let own = frame.stream.symbol;
    let same = !symbol.is_ascii() || own.eq_ignore_ascii_case(symbol);
    match frame.stream.depth().filter(|_| same) {
        Some(Depth::Diff) => Ok(delta("depth")),
        Some(Depth::Rpi) => Ok(delta("rpiDepth")),
        Some(Depth::Partial(levels)) if frame.dialect.is_futures() => Ok(Role {
            channel: frame.stream.channel,
            kind: BookKind::Image,
            depth_limit: Some(levels),
        }),
        _ => Err(WireError::new(WireErrorKind::Type("update of its stream"), at)),
    }
}

/// A body with `lastUpdateId` on a socket: partial depth of spot, a generated snapshot, or a
/// body that names no stream.
pub(super) fn image<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let (channel, kind, depth_limit) = match frame.stream.depth() {
        Some(Depth::Partial(levels)) => (frame.stream.channel, BookKind::Image, Some(levels)),
        Some(Depth::Generated) => ("depth", BookKind::Snapshot, Some(GENERATED_LIMIT)),
        None => ("depth", BookKind::Snapshot, None),
        Some(Depth::Diff | Depth::Rpi) => {
            return Err(WireError::new(WireErrorKind::Missing("e"), value.at()));
        }
    };
    scratch.keep_name(|name| {
        name.push_str(frame.stream.symbol);
        name.make_ascii_uppercase();
    });
    picture(frame, Role { channel, kind, depth_limit }, value, scratch, sink)
}

/// A whole picture: `lastUpdateId`, `bids`, `asks`, and what futures add. The symbol is the body's
/// own, else the one that the caller kept in the scratch. No stream's payload names a `symbol`:
/// a body that does came from REST, however it was recorded.
pub(super) fn picture<S: EventSink>(
    frame: &Frame<'_>,
    role: Role<'_>,
    value: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [last, published, matched, own, bids, asks] =
        value.object(["lastUpdateId", "E", "T", "symbol", "bids", "asks"])?;
    let last = last.need("lastUpdateId")?;
    let times = frame.times(published, matched)?;
    let seq = SeqInfo { last: Some(last.int()?), ..SeqInfo::default() };
    let slots = [
        (Slot::Last, Some(last)),
        (Slot::VenueTime, published.present()),
        (Slot::EngineTime, matched.present()),
    ];
    for (slot, field) in slots {
        if let Some(field) = field {
            scratch.mark(slot, field);
        }
    }
    if let Some(own) = own.present() {
        let text = own.string()?;
        if !scratch.name().is_empty() && scratch.name() != text {
            return Err(WireError::new(WireErrorKind::Type("symbol that was asked for"), own.at()));
        }
        scratch.keep_name(|name| name.push_str(text));
    }
    let mut frame = *frame;
    if own.is_some() && frame.flags.has(Flags::UNWRAPPED) {
        frame.flags = Flags(frame.flags.0 & !Flags::UNWRAPPED.0).with(Flags::REST);
    }
    let (bids, asks) = (bids.need("bids")?, asks.need("asks")?);
    scratch.read_sides(LevelForm::Pair, Some(bids), Some(asks), false)?;
    emit(&frame, scratch.name(), role, Numbers { seq, times }, scratch, sink);
    Ok(())
}

struct Numbers {
    seq: SeqInfo,
    times: Times,
}

fn emit<S: EventSink>(
    frame: &Frame<'_>,
    symbol: &str,
    role: Role<'_>,
    numbers: Numbers,
    scratch: &Scratch,
    sink: &mut S,
) {
    let mut frame = *frame;
    if role.channel == "rpiDepth" {
        frame.flags = frame.flags.with(Flags::RPI);
    }
    let message = scratch.message(role.kind, numbers.seq, role.depth_limit);
    let event = frame.event(symbol, role.channel, numbers.times, Body::Book(message));
    if frame.whole && role.kind != BookKind::Snapshot {
        sink.book(&event, scratch.marks());
    } else {
        sink.event(&event);
    }
}
