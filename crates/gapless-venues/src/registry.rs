//! Every venue by name: the one list to which a new venue is added.

use crate::binance::{BinanceCoinm, BinanceSpot, BinanceUs, BinanceUsdm};
use crate::books::{BookEntry, Books};
use crate::bybit::Bybit;
use crate::deribit::Deribit;
use crate::instruments::{InstrumentError, Instruments, List};
use crate::kernel::{Frame, Isa};
use crate::live::Wiring;
use crate::okx::Okx;
use crate::relay::Relay;
use crate::session::{Handler, Session, SessionConfig};
use crate::tardis::Tardis;
use crate::venue::{Claim, HttpAnswer, Market, RestVerdict, Topic, Venue};
use crate::wire::Reject;
use gapless_book::event::Event;
use gapless_book::lines::{LineNo, LinePolicy};
use gapless_book::local::Reason;
use std::sync::Arc;

macro_rules! venues {
    ($($id:ident = $venue:expr, $type:ty, $name:literal;)*) => {
        /// A venue, or a dialect in which recordings speak.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(missing_docs)] // the names say it
        pub enum VenueId { $($id),* }

        impl VenueId {
            /// Every venue.
            pub const ALL: &[Self] = &[$(Self::$id),*];

            /// The name in commands, reports and file names.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name),* }
            }

            /// The venue of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|venue| venue.name() == name)
            }

            /// A session of the venue.
            #[must_use]
            pub fn session(self, config: SessionConfig) -> AnySession {
                match self {
                    $(Self::$id => AnySession::$id(Box::new(Session::new($venue, config)))),*
                }
            }

            /// Path of the venue's list of instruments, if it has one.
            #[must_use]
            pub fn list_path(self) -> Option<&'static str> {
                match self { $(Self::$id => $venue.list_path()),* }
            }

            /// Reads the body of the venue's list of instruments.
            ///
            /// # Errors
            /// Not such a list, or a venue that has none; single rows that cannot be read are in
            /// [`List::refused`].
            pub fn read_instruments(self, body: &[u8]) -> Result<List, InstrumentError> {
                match self { $(Self::$id => $venue.read_instruments(body)),* }
            }

            /// See [`Venue::rest_verdict`].
            #[must_use]
            pub fn rest_verdict(self, answer: &HttpAnswer<'_>) -> RestVerdict {
                match self { $(Self::$id => $venue.rest_verdict(answer)),* }
            }

            fn claim(self, url: &str, frame: &[u8]) -> Claim {
                match self { $(Self::$id => $venue.claims(url, frame)),* }
            }

            /// Whether a book's name must say its market.
            #[must_use]
            pub fn names_market(self) -> bool {
                match self { $(Self::$id => $venue.names_market()),* }
            }
        }

        /// A session of any venue.
        #[derive(Debug)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum AnySession { $($id(Box<Session<$type>>)),* }

        impl AnySession {
            /// Its venue.
            #[must_use]
            pub const fn venue(&self) -> VenueId {
                match self { $(Self::$id(_) => VenueId::$id),* }
            }

            /// See [`Session::books`].
            #[must_use]
            pub fn books(&self) -> &Books {
                match self { $(Self::$id(session) => session.books()),* }
            }

            /// Venue and market of an exchange id that this session's source uses.
            #[must_use]
            pub fn venue_of(&self, exchange: &str) -> Option<(VenueId, Market)> {
                let (name, market) = match self {
                    $(Self::$id(session) => session.venue().venue_of(exchange)?),*
                };
                Some((VenueId::from_name(name)?, market))
            }

            /// See [`Session::market_of`].
            #[must_use]
            pub fn market_of(&self, symbol: &str) -> Market {
                match self { $(Self::$id(session) => session.market_of(symbol)),* }
            }

            /// Market of the symbols at a URL.
            #[must_use]
            pub fn market_at(&self, url: &str) -> Market {
                match self { $(Self::$id(session) => session.venue().market(url)),* }
            }

            /// See [`Session::is_open`].
            #[must_use]
            pub fn is_open(&self) -> bool {
                match self { $(Self::$id(session) => session.is_open()),* }
            }

            /// See [`Session::epoch`].
            #[must_use]
            pub fn epoch(&self) -> u32 {
                match self { $(Self::$id(session) => session.epoch()),* }
            }

            /// See [`Session::connect`].
            pub fn connect<H: Handler>(&mut self, url: &str, handler: &mut H) {
                match self { $(Self::$id(session) => session.connect(url, handler)),* }
            }

            /// See [`Session::disconnect`].
            pub fn disconnect<H: Handler>(&mut self, handler: &mut H) {
                match self { $(Self::$id(session) => session.disconnect(handler)),* }
            }

            /// See [`Session::sent`].
            pub fn sent(&mut self, now_ns: i64, text: &str) {
                match self { $(Self::$id(session) => session.sent(now_ns, text)),* }
            }

            /// See [`Session::subscribe`].
            pub fn subscribe(&mut self, topics: &[Topic<'_>]) -> Vec<String> {
                match self { $(Self::$id(session) => session.subscribe(topics)),* }
            }

            /// See [`Session::unsubscribe`].
            pub fn unsubscribe(&mut self, topics: &[Topic<'_>]) -> Vec<String> {
                match self { $(Self::$id(session) => session.unsubscribe(topics)),* }
            }

            /// See [`Session::take_requested`].
            pub fn take_requested(&mut self, id: u64) -> Vec<(String, String)> {
                match self { $(Self::$id(session) => session.take_requested(id)),* }
            }

            /// See [`Session::requested`].
            #[must_use]
            pub fn requested(&self, id: u64) -> usize {
                match self { $(Self::$id(session) => session.requested(id)),* }
            }

            /// See [`Session::next_id`].
            #[must_use]
            pub fn next_id(&self) -> u64 {
                match self { $(Self::$id(session) => session.next_id()),* }
            }

            /// See [`Session::expect`].
            pub fn expect<H: Handler>(&mut self, url: &str, topic: Topic<'_>, handler: &mut H) {
                match self { $(Self::$id(session) => session.expect(url, topic, handler)),* }
            }

            /// See [`Session::fail`].
            pub fn fail<H: Handler>(
                &mut self,
                which: impl Fn(&BookEntry) -> bool,
                reason: Reason,
                handler: &mut H,
            ) {
                match self { $(Self::$id(session) => session.fail(which, reason, handler)),* }
            }

            /// See [`Session::set_late`].
            pub fn set_late<H: Handler>(&mut self, late: bool, handler: &mut H) {
                match self { $(Self::$id(session) => session.set_late(late, handler)),* }
            }

            /// See [`Session::forgive`].
            pub fn forgive<H: Handler>(
                &mut self,
                which: impl Fn(&BookEntry) -> bool,
                reason: Reason,
                handler: &mut H,
            ) {
                match self { $(Self::$id(session) => session.forgive(which, reason, handler)),* }
            }

            /// What a driver asks of the venue.
            #[must_use]
            pub fn wiring(&self) -> &dyn Wiring {
                match self { $(Self::$id(session) => session.venue()),* }
            }

            /// See [`Venue::keepalive`].
            #[must_use]
            pub fn keepalive(&self) -> Option<(u64, &'static str)> {
                match self { $(Self::$id(session) => session.venue().keepalive()),* }
            }

            /// Path and query of a book's REST snapshot; see [`Venue::snapshot_request`].
            #[must_use]
            pub fn snapshot_request(&self, book: &BookEntry) -> Option<String> {
                let (channel, market) = (&book.channel, book.market);
                let symbol = match book.exchange.as_str() {
                    "" => book.symbol.clone(),
                    exchange => format!("{exchange}:{}", book.symbol),
                };
                match self {
                    $(Self::$id(session) => {
                        session.venue().snapshot_request(channel, &symbol, market)
                    }),*
                }
            }

            /// See [`Session::set_line`].
            pub fn set_line(&mut self, no: LineNo, policy: LinePolicy) {
                match self { $(Self::$id(session) => session.set_line(no, policy)),* }
            }

            /// See [`Session::lend`].
            pub fn lend(&mut self, books: &mut Books) {
                match self { $(Self::$id(session) => session.lend(books)),* }
            }

            /// See [`Session::set_isa`].
            pub fn set_isa(&mut self, isa: Isa) {
                match self { $(Self::$id(session) => session.set_isa(isa)),* }
            }

            /// See [`Session::only`].
            pub fn only(&mut self, symbols: &[String]) {
                match self { $(Self::$id(session) => session.only(symbols)),* }
            }

            /// See [`Session::unclaimed_bytes`].
            #[must_use]
            pub fn unclaimed_bytes(&self) -> usize {
                match self { $(Self::$id(session) => session.unclaimed_bytes()),* }
            }

            /// See [`Session::keep_at_most`].
            pub fn keep_at_most(&mut self, bytes: usize) {
                match self { $(Self::$id(session) => session.keep_at_most(bytes)),* }
            }

            /// See [`Session::frame`].
            #[inline]
            pub fn frame<H: Handler>(&mut self, recv_ns: i64, frame: Frame<'_>, handler: &mut H) {
                match self { $(Self::$id(session) => session.frame(recv_ns, frame, handler)),* }
            }

            /// See [`Session::bytes`].
            pub fn bytes<H: Handler>(&mut self, recv_ns: i64, frame: &[u8], handler: &mut H) {
                match self { $(Self::$id(session) => session.bytes(recv_ns, frame, handler)),* }
            }

            /// See [`Session::rest`].
            pub fn rest<H: Handler>(
                &mut self,
                recv_ns: i64,
                url: &str,
                body: &[u8],
                handler: &mut H,
            ) {
                match self { $(Self::$id(session) => session.rest(recv_ns, url, body, handler)),* }
            }

            /// See [`Session::event`].
            pub fn event<H: Handler>(&mut self, event: &Event<'_>, handler: &mut H) {
                match self { $(Self::$id(session) => session.event(event, handler)),* }
            }

            /// See [`Session::reject`].
            pub fn reject<H: Handler>(
                &mut self,
                recv_ns: i64,
                reject: &Reject<'_>,
                handler: &mut H,
            ) {
                match self { $(Self::$id(session) => session.reject(recv_ns, reject, handler)),* }
            }

            /// See [`Session::tick`].
            pub fn tick<H: Handler>(&mut self, now_ns: i64, handler: &mut H) {
                match self { $(Self::$id(session) => session.tick(now_ns, handler)),* }
            }

            /// See [`Session::instruments`]; the lists call the venue by its name here.
            pub fn instruments<H: Handler>(
                &mut self,
                now_ns: i64,
                table: &Arc<Instruments>,
                handler: &mut H,
            ) {
                let name = self.venue().name();
                match self {
                    $(Self::$id(session) => session.instruments(now_ns, name, table, handler)),*
                }
            }

            /// See [`Session::freshness`].
            pub fn freshness<H: Handler>(&mut self, now_ns: i64, limit_ns: i64, handler: &mut H) {
                match self {
                    $(Self::$id(session) => session.freshness(now_ns, limit_ns, handler)),*
                }
            }
        }
    };
}

impl VenueId {
    /// The venue that a URL or frame (either may be empty) proves.
    #[must_use]
    pub fn must_be(url: &str, frame: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|venue| venue.claim(url, frame) == Claim::Sure)
    }

    /// The venue whose list of instruments is at a URL.
    #[must_use]
    pub fn lists(url: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|venue| {
            venue.list_path().is_some_and(|path| url.contains(path))
                && venue.claim(url, b"") == Claim::Sure
        })
    }

    /// The first venue that a frame may be of.
    #[must_use]
    pub fn may_be(frame: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|venue| venue.claim("", frame) >= Claim::Maybe)
    }
}

venues! {
    BinanceSpot = BinanceSpot, BinanceSpot, "binance_spot";
    BinanceUs = BinanceUs, BinanceUs, "binance_us";
    BinanceUsdm = BinanceUsdm, BinanceUsdm, "binance_usdm";
    BinanceCoinm = BinanceCoinm, BinanceCoinm, "binance_coinm";
    Tardis = Tardis, Tardis, "tardis";
    Bybit = Bybit, Bybit, "bybit";
    Okx = Okx, Okx, "okx";
    Deribit = Deribit, Deribit, "deribit";
    Relay = Relay::default(), Relay, "relay";
}
