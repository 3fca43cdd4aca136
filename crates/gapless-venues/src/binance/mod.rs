//! Binance: spot (which Binance US speaks too), USD-M and COIN-M futures.
//!
//! Spec: protocols.md 1 and 2; the venue's `web-socket-streams.md`, `rest-api.md` and its page
//! "How to manage a local order book correctly", as of July 2026.
//!
//! # Sequencing, spot (`Chain::Range`)
//! 1. A delta covers the ids `U..=u`; it has no reference to the delta before.
//! 2. A REST snapshot names the last id that it contains, `S`.
//! 3. Deltas with `u <= S` are contained in it; the first one applied must have `U <= S + 1`.
//! 4. From then on `u <= L` is contained, `U <= L + 1` applies (an overlap repeats absolute sizes),
//!    `U > L + 1` is a gap.
//!
//! # Sequencing, futures (`Chain::Rising`)
//! 1. Ids are global, so `U` says nothing; `pu` is the `u` of the delta before on this stream.
//! 2. Deltas with `u < S` are contained in the snapshot; the first one applied must have
//!    `pu <= S` (it may end at `S` itself).
//! 3. From then on `u <= L` is contained, `pu == L` applies, anything else is a gap.
//!
//! # What a frame does not say
//! Partial depth on futures has the shape of a delta and differs only by the stream's name; on
//! spot it has neither symbol nor event type. Events of frames without a stream's name carry
//! `Flags::UNWRAPPED`: whoever knows the subscriptions decides (rulings 0.6.5, 0.6.6).
//!
//! # Not here
//! Sockets, timers and retries; decisions about gaps (`gapless_book::sequence`).

mod books;
mod claim;
mod control;
pub mod instruments;
mod live;
mod request;
mod rest;
mod stream;
#[cfg(test)]
mod tests;
mod tickers;
mod trades;
mod wire;

pub use request::{STREAMS_MAX, sockets, stream_class};
pub use rest::used_weight;

use crate::instruments::{InstrumentError, List};
use crate::scratch::Scratch;
use crate::venue::{Claim, Context, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::EventSink;
use gapless_book::sequence::{Bridge, Chain, Rule};

/// Which of the dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// binance.com spot.
    Spot,
    /// binance.us, which speaks spot.
    Us,
    /// Futures margined in the quote currency.
    Usdm,
    /// Futures margined in the base currency.
    Coinm,
}

impl Dialect {
    const fn is_futures(self) -> bool {
        matches!(self, Self::Usdm | Self::Coinm)
    }

    const fn market(self) -> Market {
        match self {
            Self::Spot | Self::Us => Market::Spot,
            Self::Usdm => Market::Linear,
            Self::Coinm => Market::Inverse,
        }
    }

    fn rule(self, channel: &str) -> Option<Rule> {
        let chain = if self.is_futures() { Chain::Rising } else { Chain::Range };
        Some(match stream::depth(channel)? {
            stream::Depth::Diff | stream::Depth::Rpi => Rule::new(chain, Bridge::Rest),
            stream::Depth::Partial(levels) => {
                Rule::new(Chain::Image, Bridge::InStream).depth(Some(levels))
            }
            stream::Depth::Generated => return None,
        })
    }
}

/// The four venues differ in their dialect alone.
macro_rules! venues {
    ($($(#[$doc:meta])* $name:ident = $dialect:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name;

        impl $name {
            /// Its dialect.
            pub const DIALECT: Dialect = Dialect::$dialect;
        }

        impl Venue for $name {
            fn parse<S: EventSink>(
                &self,
                context: &Context<'_>,
                frame: &[u8],
                scratch: &mut Scratch,
                sink: &mut S,
            ) {
                wire::parse(Self::DIALECT, context, frame, scratch, sink);
            }

            fn rule(&self, channel: &str) -> Option<Rule> {
                Self::DIALECT.rule(channel)
            }

            fn list_path(&self) -> Option<&'static str> {
                Some(Self::DIALECT.list_path())
            }

            fn read_instruments(&self, body: &[u8]) -> Result<List, InstrumentError> {
                Self::DIALECT.instruments(body)
            }

            fn claims(&self, url: &str, frame: &[u8]) -> Claim {
                claim::of(Self::DIALECT, url, frame)
            }

            fn market(&self, _url: &str) -> Market {
                Self::DIALECT.market()
            }

            fn subscribed(&self, text: &str, each: &mut dyn FnMut(Topic<'_>)) {
                request::subscribed(text, each);
            }

            fn trusts_unwrapped(&self) -> bool {
                !Self::DIALECT.is_futures()
            }

            fn subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
                request::batches("SUBSCRIBE", topics, first_id)
            }

            fn unsubscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
                request::batches("UNSUBSCRIBE", topics, first_id)
            }

            fn snapshot_request(
                &self,
                channel: &str,
                symbol: &str,
                _market: Market,
            ) -> Option<String> {
                request::snapshot(Self::DIALECT, channel, symbol)
            }

            /// Bodies of `/depth` and `/rpiDepth` have one count and other levels.
            fn rest_fits(&self, channel: &str, rest_channel: &str) -> bool {
                channel == rest_channel
            }

            fn rest_verdict(&self, answer: &HttpAnswer<'_>) -> RestVerdict {
                rest::verdict(answer)
            }
        }
    )*};
}

venues! {
    /// Binance spot.
    BinanceSpot = Spot;
    /// Binance US.
    BinanceUs = Us;
    /// Binance USD-M futures.
    BinanceUsdm = Usdm;
    /// Binance COIN-M futures.
    BinanceCoinm = Coinm;
}
