//! One book over several venues: every level says whose it is, and what is not live is left out.
//!
//! Sources may count in contracts and have scales of their own; here prices are in the quote
//! currency and sizes in the base currency, at two scales that all share. Invariant: a source
//! whose book is not live, or whose numbers do not fit those scales exactly, has no level in the
//! book and stands among the excluded with its reason, from the refresh that shows it.

use super::depth::Depth;
use super::reader::{ReadError, Reader};
use super::region::Region;
use crate::decimal::{Decimal, POW10};
use crate::event::{Level, Scales};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// What one unit of a source's sizes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So much of the base currency: 1 on spot, the contract's size on linear contracts.
    Base(Decimal),
    /// So much of the quote currency (inverse contracts); the size in base currency is that
    /// divided by the level's price, rounded down to the common scale.
    Quote(Decimal),
}

/// A level of the consolidated book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Number of its source, in the order in which they were added.
    pub source: usize,
    /// Price and size at the common scales.
    pub level: Level,
}

/// Why a source has no level in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Its book is not live, or its writer was in the way.
    NotLive(ReadError),
    /// A price or size does not fit the common scales exactly.
    Inexact,
}

/// The source's quote currency is another one: its prices cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherQuote;

impl core::fmt::Display for OtherQuote {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the source is quoted in another currency")
    }
}

impl core::error::Error for OtherQuote {}

#[derive(Debug)]
struct Source<R: Region> {
    reader: Reader<R>,
    unit: Unit,
    exclusion: Option<Exclusion>,
}

/// The best levels of several books of one instrument. It belongs to one thread at a time.
#[derive(Debug)]
pub struct Consolidated<R: Region> {
    quote: String,
    scales: Scales,
    depth: usize,
    sources: Vec<Source<R>>,
    bids: Vec<Tagged>,
    asks: Vec<Tagged>,
    read: Depth,
}

impl<R: Region> Consolidated<R> {
    /// Without sources: prices in `quote` and sizes in the base currency at `scales`, made of the
    /// best `depth` levels of each source.
    #[must_use]
    pub fn new(quote: &str, scales: Scales, depth: usize) -> Self {
        Self {
            quote: quote.into(),
            scales,
            depth,
            sources: Vec::new(),
            bids: Vec::new(),
            asks: Vec::new(),
            read: Depth::with_capacity(depth),
        }
    }

    /// Adds a source and says its number.
    ///
    /// # Errors
    /// It is quoted in another currency: also one that is worth about the same is another.
    pub fn add(&mut self, reader: Reader<R>, quote: &str, unit: Unit) -> Result<usize, OtherQuote> {
        if quote != self.quote {
            return Err(OtherQuote);
        }
        self.sources.push(Source { reader, unit, exclusion: None });
        Ok(self.sources.len() - 1)
    }

    /// Reads every source anew. Costs the levels that are read and their sorting; allocates only
    /// while the book grows.
    pub fn refresh(&mut self, now_ns: i64) {
        self.bids.clear();
        self.asks.clear();
        for (number, source) in self.sources.iter_mut().enumerate() {
            let (bids, asks) = (self.bids.len(), self.asks.len());
            let read = source.reader.copy_into(&mut self.read, self.depth, now_ns);
            source.exclusion = match read {
                Err(error) => Some(Exclusion::NotLive(error)),
                Ok(()) => {
                    let Depth { status, bids, asks } = &self.read;
                    let scales = [status.scales, self.scales];
                    let add = |levels, into| add(levels, into, number, source.unit, scales);
                    let added = add(bids, &mut self.bids).and_then(|()| add(asks, &mut self.asks));
                    added.is_none().then_some(Exclusion::Inexact)
                }
            };
            if source.exclusion.is_some() {
                self.bids.truncate(bids);
                self.asks.truncate(asks);
            }
        }
        // At one price the source that was added first is first.
        self.bids.sort_unstable_by_key(|bid| (Reverse(bid.level.price), bid.source));
        self.asks.sort_unstable_by_key(|ask| (ask.level.price, ask.source));
    }

    /// Decimals of every price and size.
    #[must_use]
    pub const fn scales(&self) -> Scales {
        self.scales
    }

    /// All bids as of the last refresh, best first.
    #[must_use]
    pub fn bids(&self) -> &[Tagged] {
        &self.bids
    }

    /// All asks as of the last refresh, best first.
    #[must_use]
    pub fn asks(&self) -> &[Tagged] {
        &self.asks
    }

    /// The sources that have no level in the book, and why.
    pub fn excluded(&self) -> impl Iterator<Item = (usize, Exclusion)> + '_ {
        let sources = self.sources.iter().enumerate();
        sources.filter_map(|(number, source)| Some((number, source.exclusion?)))
    }

    /// Whether the best bid of one venue is not below the best ask of another: venues do not trade
    /// with each other, so that this happens and is shown as it is.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        let best = self.bids.first().zip(self.asks.first());
        best.is_some_and(|(bid, ask)| bid.level.price >= ask.level.price)
    }
}

/// Adds a source's levels; `None` if one of them does not fit.
fn add(
    levels: &[Level],
    into: &mut Vec<Tagged>,
    source: usize,
    unit: Unit,
    [from, to]: [Scales; 2],
) -> Option<()> {
    for level in levels {
        let level = convert(*level, from, unit, to)?;
        // What rounds to nothing is no level.
        into.extend((level.qty != 0).then_some(Tagged { source, level }));
    }
    Some(())
}

/// A level in quote and base currency at other scales; `None` if it does not fit exactly.
fn convert(level: Level, from: Scales, unit: Unit, to: Scales) -> Option<Level> {
    let price = rescale(i128::from(level.price), from.price.into(), to.price.into())?;
    let price = i64::try_from(price).ok()?;
    let (Unit::Base(size) | Unit::Quote(size)) = unit;
    let value = i128::from(level.qty).checked_mul(i128::from(size.mantissa()))?;
    let decimals = u32::from(from.qty) + u32::from(size.scale());
    let qty = match unit {
        Unit::Base(_) => rescale(value, decimals, u32::from(to.qty))?,
        Unit::Quote(_) => {
            // value / 10^decimals / (price / 10^to.price), at the scale of sizes.
            let up = power(u32::from(to.qty) + u32::from(to.price))?;
            let down = power(decimals)?.checked_mul(i128::from(price)).filter(|down| *down > 0)?;
            value.checked_mul(up)?.checked_div(down)?
        }
    };
    Some(Level { price, qty: i64::try_from(qty).ok()? })
}

/// The same value with other decimals; `None` if it has digits that would be lost.
fn rescale(value: i128, from: u32, to: u32) -> Option<i128> {
    if to >= from {
        return value.checked_mul(power(to - from)?);
    }
    let step = power(from - to)?;
    (value % step == 0).then_some(value / step)
}

/// Ten to a power that may be the sum of two scales.
fn power(exponent: u32) -> Option<i128> {
    let low = exponent.min(18);
    let ten = |exponent: u32| POW10.get(exponent as usize).copied().map(i128::from);
    ten(low)?.checked_mul(ten(exponent - low)?)
}
