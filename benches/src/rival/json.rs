//! What the JSON libraries read: derived types of every wire format, shared by all of them.
//!
//! Levels become integers at the symbol's scales while they are visited, which is the fastest way
//! these libraries have (no text is kept, no second loop). Invariant: the types keep every number
//! that our parser keeps, and ask for no check that ours does not make.

use crate::frames::BookFrame;
use crate::measure::Contender;
use crate::parsed::digest;
use gapless_book::decimal::POW10;
use gapless_book::event::{Level, Scales};
use gapless_replay::time::parse_iso;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::hint::black_box;

/// A JSON library.
pub trait Json: Default {
    /// Its name in reports.
    const NAME: &'static str;

    /// Reads a value; the input may be overwritten.
    fn read<'de, T: Deserialize<'de>>(&mut self, frame: &'de mut [u8]) -> Option<T>;
}

/// What a frame says.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// In the order of the frame.
    pub bids: Vec<Level>,
    /// In the order of the frame.
    pub asks: Vec<Level>,
    /// First id covered.
    pub first: Option<i64>,
    /// Last id covered.
    pub last: Option<i64>,
    /// Last id of the frame before.
    pub prev: Option<i64>,
}

/// How a venue writes its book frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Binance; in `{"stream":…,"data":…}` or bare, which the frame's first bytes tell.
    Binance,
    /// Bybit v5.
    Bybit,
    /// OKX v5.
    Okx,
    /// Deribit v2.
    Deribit,
    /// Tardis, normalized.
    Tardis,
}

impl Wire {
    /// The wire format of a venue.
    #[must_use]
    pub fn of(venue: &str) -> Option<Self> {
        Some(match venue {
            "binance_spot" | "binance_us" | "binance_usdm" | "binance_coinm" => Self::Binance,
            "bybit" => Self::Bybit,
            "okx" => Self::Okx,
            "deribit" => Self::Deribit,
            "tardis" => Self::Tardis,
            _ => return None,
        })
    }
}

thread_local! {
    /// Scales of the frame being read: a visitor made by `derive` can be handed nothing else.
    static SCALES: Cell<Scales> = const { Cell::new(Scales { price: 0, qty: 0 }) };
}

/// Reads a frame of any venue: its symbol, and its numbers.
pub fn read<'de, J: Json>(
    json: &mut J,
    wire: Wire,
    scales: Scales,
    frame: &'de mut [u8],
) -> Option<(&'de str, Found)> {
    SCALES.set(scales);
    match wire {
        Wire::Binance if frame.starts_with(b"{\"stream\"") => {
            json.read::<Wrapped<'de>>(frame).map(|wrapped| wrapped.found())
        }
        Wire::Binance => json.read::<Depth<'de>>(frame).map(Depth::found),
        Wire::Bybit => json.read::<Bybit<'de>>(frame).map(Bybit::found),
        Wire::Okx => json.read::<Okx<'de>>(frame).and_then(Okx::found),
        Wire::Deribit => json.read::<Deribit<'de>>(frame).map(Deribit::found),
        Wire::Tardis => json.read::<Tardis<'de>>(frame).and_then(Tardis::found),
    }
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: Depth<'a>,
}

impl<'a> Wrapped<'a> {
    fn found(self) -> (&'a str, Found) {
        black_box(self.stream);
        self.data.found()
    }
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    event_time: i64,
    #[serde(rename = "T", default)]
    transaction_time: Option<i64>,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first: i64,
    #[serde(rename = "u")]
    last: i64,
    #[serde(rename = "pu", default)]
    prev: Option<i64>,
    #[serde(rename = "b")]
    bids: Arrays,
    #[serde(rename = "a")]
    asks: Arrays,
}

impl<'a> Depth<'a> {
    fn found(self) -> (&'a str, Found) {
        black_box((self.event_time, self.transaction_time));
        let (first, last) = (Some(self.first), Some(self.last));
        let found = Found { bids: self.bids.0, asks: self.asks.0, first, last, prev: self.prev };
        (self.symbol, found)
    }
}

/// A futures delta with its numbers as text.
#[cfg(feature = "nautilus")]
pub struct Texts<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// First and last id covered, last id of the message before.
    pub ids: (i64, i64, i64),
    /// Price and size of each bid.
    pub bids: Vec<(&'a str, &'a str)>,
    /// Price and size of each ask.
    pub asks: Vec<(&'a str, &'a str)>,
}

#[cfg(feature = "nautilus")]
#[derive(Deserialize)]
struct TextDepth<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first: i64,
    #[serde(rename = "u")]
    last: i64,
    #[serde(rename = "pu")]
    prev: i64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

#[cfg(feature = "nautilus")]
#[derive(Deserialize)]
struct WrappedTexts<'a> {
    #[serde(borrow)]
    data: TextDepth<'a>,
}

/// Reads a futures delta without making numbers of its levels.
#[cfg(feature = "nautilus")]
pub fn read_texts<'de, J: Json>(json: &mut J, frame: &'de mut [u8]) -> Option<Texts<'de>> {
    let depth = if frame.starts_with(b"{\"stream\"") {
        json.read::<WrappedTexts<'de>>(frame)?.data
    } else {
        json.read::<TextDepth<'de>>(frame)?
    };
    let TextDepth { symbol, first, last, prev, bids, asks } = depth;
    Some(Texts { symbol, ids: (first, last, prev), bids, asks })
}

#[derive(Deserialize)]
struct Bybit<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    ts: i64,
    #[serde(default)]
    cts: Option<i64>,
    #[serde(borrow)]
    data: BybitData<'a>,
}

#[derive(Deserialize)]
struct BybitData<'a> {
    s: &'a str,
    b: Arrays,
    a: Arrays,
    u: i64,
    #[serde(default)]
    seq: Option<i64>,
}

impl<'a> Bybit<'a> {
    fn found(self) -> (&'a str, Found) {
        black_box((self.kind, self.ts, self.cts, self.data.seq));
        let last = Some(self.data.u);
        let (bids, asks) = (self.data.b.0, self.data.a.0);
        (self.data.s, Found { bids, asks, first: None, last, prev: None })
    }
}

#[derive(Deserialize)]
struct Okx<'a> {
    #[serde(borrow)]
    arg: OkxArg<'a>,
    #[serde(default)]
    action: Option<&'a str>,
    #[serde(borrow)]
    data: Vec<OkxData<'a>>,
}

#[derive(Deserialize)]
struct OkxArg<'a> {
    channel: &'a str,
    #[serde(rename = "instId")]
    symbol: &'a str,
}

#[derive(Deserialize)]
struct OkxData<'a> {
    asks: Arrays,
    bids: Arrays,
    ts: &'a str,
    #[serde(default)]
    checksum: Option<i64>,
    #[serde(rename = "seqId", default)]
    last: Option<i64>,
    #[serde(rename = "prevSeqId", default)]
    prev: Option<i64>,
}

impl<'a> Okx<'a> {
    fn found(mut self) -> Option<(&'a str, Found)> {
        let data = self.data.pop()?;
        let time: i64 = data.ts.parse().ok()?;
        black_box((self.arg.channel, self.action, time, data.checksum));
        let (last, prev) = (data.last, data.prev);
        let found = Found { bids: data.bids.0, asks: data.asks.0, first: None, last, prev };
        Some((self.arg.symbol, found))
    }
}

#[derive(Deserialize)]
struct Deribit<'a> {
    #[serde(borrow)]
    params: DeribitParams<'a>,
}

#[derive(Deserialize)]
struct DeribitParams<'a> {
    channel: &'a str,
    #[serde(borrow)]
    data: DeribitData<'a>,
}

#[derive(Deserialize)]
struct DeribitData<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: i64,
    instrument_name: &'a str,
    change_id: i64,
    #[serde(default)]
    prev_change_id: Option<i64>,
    bids: Actions,
    asks: Actions,
}

impl<'a> Deribit<'a> {
    fn found(self) -> (&'a str, Found) {
        let data = self.params.data;
        black_box((self.params.channel, data.kind, data.timestamp));
        let (last, prev) = (Some(data.change_id), data.prev_change_id);
        let found = Found { bids: data.bids.0, asks: data.asks.0, first: None, last, prev };
        (data.instrument_name, found)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tardis<'a> {
    symbol: &'a str,
    exchange: &'a str,
    is_snapshot: bool,
    bids: Vec<Object>,
    asks: Vec<Object>,
    timestamp: &'a str,
    local_timestamp: &'a str,
}

impl<'a> Tardis<'a> {
    fn found(self) -> Option<(&'a str, Found)> {
        let venue_ns = parse_iso(self.timestamp.as_bytes())?;
        let local_ns = parse_iso(self.local_timestamp.as_bytes())?;
        black_box((self.exchange, self.is_snapshot, venue_ns, local_ns));
        let levels = |side: Vec<Object>| -> Vec<Level> {
            side.into_iter().map(|o| Level { price: o.price.0, qty: o.amount.0 }).collect()
        };
        let (bids, asks) = (levels(self.bids), levels(self.asks));
        Some((self.symbol, Found { bids, asks, ..Found::default() }))
    }
}

#[derive(Deserialize)]
struct Object {
    price: Price,
    amount: Qty,
}

/// A price at the symbol's scale, written as text or as a number.
struct Price(i64);

/// A size at the symbol's scale.
struct Qty(i64);

impl<'de> Deserialize<'de> for Price {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scaled(SCALES.get().price)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Qty {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scaled(SCALES.get().qty)).map(Self)
    }
}

/// A price written as text, as every venue but two does: the library need not look what comes.
struct PriceText(i64);

/// A size written as text.
struct QtyText(i64);

impl<'de> Deserialize<'de> for PriceText {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Scaled(SCALES.get().price)).map(Self)
    }
}

impl<'de> Deserialize<'de> for QtyText {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Scaled(SCALES.get().qty)).map(Self)
    }
}

struct Scaled(u8);

impl Visitor<'_> for Scaled {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal")
    }

    #[inline]
    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        fixed(text.as_bytes(), self.0).ok_or_else(|| E::custom("not a decimal"))
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<i64, E> {
        Ok((value * POW10[usize::from(self.0)] as f64).round() as i64)
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        Ok(value as i64 * POW10[usize::from(self.0)])
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        Ok(value * POW10[usize::from(self.0)])
    }
}

/// Decimal text as an integer at a scale; digits beyond the scale are dropped unchecked.
#[inline]
fn fixed(text: &[u8], scale: u8) -> Option<i64> {
    let (mut value, mut point) = (0i64, text.len());
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
            b'.' => point = at + 1,
            _ => return None,
        }
    }
    let (decimals, scale) = (text.len() - point, usize::from(scale));
    if decimals <= scale {
        return Some(value.wrapping_mul(*POW10.get(scale - decimals)?));
    }
    Some(value / POW10.get(decimals - scale)?)
}

/// `[["price","size",…],…]`.
struct Arrays(Vec<Level>);

/// `[["change",price,size],…]`.
struct Actions(Vec<Level>);

struct Array(Level);
struct Action(Level);

impl<'de> Deserialize<'de> for Arrays {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(List::<Array>(Default::default())).map(Self)
    }
}

impl<'de> Deserialize<'de> for Actions {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(List::<Action>(Default::default())).map(Self)
    }
}

/// A list of levels, collected without a second copy.
struct List<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de> + Into<Level>> Visitor<'de> for List<T> {
    type Value = Vec<Level>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("levels")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Level>, A::Error> {
        let mut levels = Vec::with_capacity(seq.size_hint().unwrap_or(16));
        while let Some(level) = seq.next_element::<T>()? {
            levels.push(level.into());
        }
        Ok(levels)
    }
}

impl From<Array> for Level {
    fn from(array: Array) -> Self {
        array.0
    }
}

impl From<Action> for Level {
    fn from(action: Action) -> Self {
        action.0
    }
}

impl<'de> Deserialize<'de> for Array {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(OneArray).map(Self)
    }
}

struct OneArray;

impl<'de> Visitor<'de> for OneArray {
    type Value = Level;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a level")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Level, A::Error> {
        let missing = || A::Error::custom("a level without price or size");
        let price = seq.next_element::<PriceText>()?.ok_or_else(missing)?.0;
        let qty = seq.next_element::<QtyText>()?.ok_or_else(missing)?.0;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Level { price, qty })
    }
}

impl<'de> Deserialize<'de> for Action {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (action, price, qty) = <(&str, Price, Qty)>::deserialize(from)?;
        let qty = if action == "delete" { 0 } else { qty.0 };
        Ok(Self(Level { price: price.0, qty }))
    }
}

/// A library on frames of a venue.
pub struct Parser<'w, J> {
    json: J,
    wire: Wire,
    frames: &'w [&'w BookFrame],
    buffer: Vec<u8>,
    found: Option<Found>,
}

impl<'w, J: Json> Parser<'w, J> {
    /// A parser of these frames.
    #[must_use]
    pub fn new(wire: Wire, frames: &'w [&'w BookFrame]) -> Self {
        Self { json: J::default(), wire, frames, buffer: Vec::new(), found: None }
    }
}

impl<J: Json> Contender for Parser<'_, J> {
    fn name(&self) -> &str {
        J::NAME
    }

    fn prepare(&mut self, item: usize) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.frames[item].bytes);
    }

    fn run(&mut self, item: usize) {
        let scales = self.frames[item].scales;
        self.found = read(&mut self.json, self.wire, scales, &mut self.buffer)
            .map(|(symbol, found)| (black_box(symbol), found).1);
    }

    fn answer(&mut self, _: usize) -> u64 {
        let Some(found) = &self.found else { return 0 };
        digest(&found.bids, &found.asks, &[found.first, found.last, found.prev])
    }
}
