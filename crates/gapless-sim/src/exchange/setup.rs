//! What an exchange is made from: the venue, its symbols, its limits and its distance.

use super::budget::Limits;
use super::faults::Faults;
use super::wire::Request;
use crate::dialect::json::Object;
use crate::market::SymbolSpec;
use crate::profile::Profile;

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;

/// Which exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Venue {
    /// Binance spot.
    BinanceSpot,
    /// Binance US: spot's words under lower limits.
    BinanceUs,
    /// Binance futures margined in USD.
    BinanceUsdm,
    /// Binance futures margined in the coin.
    BinanceCoinm,
    /// Bybit v5: spot, linear and inverse.
    Bybit,
    /// OKX v5.
    Okx,
    /// Deribit v2.
    Deribit,
    /// A Tardis machine.
    Tardis,
    /// The HolySheep relay.
    Relay,
}

impl Venue {
    /// Every exchange.
    pub const ALL: [Self; 9] = [
        Self::BinanceSpot,
        Self::BinanceUs,
        Self::BinanceUsdm,
        Self::BinanceCoinm,
        Self::Bybit,
        Self::Okx,
        Self::Deribit,
        Self::Tardis,
        Self::Relay,
    ];

    /// Its name in commands and scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BinanceSpot => "binance_spot",
            Self::BinanceUs => "binance_us",
            Self::BinanceUsdm => "binance_usdm",
            Self::BinanceCoinm => "binance_coinm",
            Self::Bybit => "bybit",
            Self::Okx => "okx",
            Self::Deribit => "deribit",
            Self::Tardis => "tardis",
            Self::Relay => "relay",
        }
    }

    /// The exchange of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|venue| venue.name() == name)
    }

    /// Whether its messages carry sequences, so that a client can see a loss.
    #[must_use]
    pub const fn sequenced(self) -> bool {
        !matches!(self, Self::Tardis)
    }

    /// Where a client of a machine that plays this exchange would be without the machine, by the
    /// request; `None` where the request is for no replay.
    pub(crate) fn played(self, request: &Request<'_>) -> Option<&'static str> {
        if request.path() != "/ws-replay" {
            return (self == Self::Tardis && request.path() == "/ws-replay-normalized")
                .then_some("/ws-replay-normalized");
        }
        let exchange = request.query("exchange")?;
        Some(match (self, exchange.as_str()) {
            (Self::BinanceSpot, "binance")
            | (Self::BinanceUs, "binance-us")
            | (Self::BinanceUsdm, "binance-futures")
            | (Self::BinanceCoinm, "binance-delivery") => "/stream",
            (Self::Bybit, "bybit") => "/v5/public/linear",
            (Self::Bybit, "bybit-spot") => "/v5/public/spot",
            (Self::Okx, "okex" | "okex-swap") => "/ws/v5/public",
            (Self::Deribit, "deribit") => "/ws/api/v2",
            _ => return None,
        })
    }

    /// What it says on a path about a message that it has lost.
    pub(crate) fn gap_notice(self, class: &str, lost: &str) -> Option<String> {
        if self != Self::Relay || class != super::relay::REPLAYED {
            return None;
        }
        let (_, rest) = lost.split_once(r#""seqNum":"#)?;
        let seq = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        let notice = Object::new().text("type", "gap_detected");
        let notice = notice.raw("missing_range", format_args!("[{seq},{seq}]"));
        Some(notice.raw("start", seq).raw("end", seq).close())
    }

    /// What it says before it closes a connection for its own reasons.
    pub(crate) fn shutdown_notice(self, now_ns: u64, wrapped: bool) -> Option<String> {
        let ms = now_ns / 1_000_000;
        match self {
            Self::BinanceSpot | Self::BinanceUs | Self::BinanceUsdm | Self::BinanceCoinm => {
                let event = format!(r#"{{"e":"serverShutdown","E":{ms}}}"#);
                let wrap = || format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#);
                Some(if wrapped { wrap() } else { event })
            }
            Self::Okx => {
                let soon = "The connection will soon be closed for a service upgrade.";
                let event = Object::new().text("event", "notice").text("code", 64008);
                let event = event.text("msg", format_args!("{soon} Please reconnect."));
                Some(event.text("connId", "a4d3ae55").close())
            }
            _ => None,
        }
    }

    /// What the venue's documents allow.
    #[must_use]
    pub const fn limits(self) -> Limits {
        let none = Limits::NONE;
        match self {
            Self::BinanceSpot => Limits {
                inbound_per_s: 5,
                topics_max: 1024,
                connects: (300, 5 * MINUTE_NS),
                weight: (6_000, MINUTE_NS),
                offences_max: 5,
                ban_ns: 2 * MINUTE_NS,
                ..none
            },
            Self::BinanceUs => Limits { weight: (1_200, MINUTE_NS), ..Self::BinanceSpot.limits() },
            Self::BinanceUsdm | Self::BinanceCoinm => Limits {
                inbound_per_s: 10,
                weight: (2_400, MINUTE_NS),
                ..Self::BinanceSpot.limits()
            },
            // A breach is answered by a ban at once, of ten minutes.
            Self::Bybit => Limits {
                connects: (500, 5 * MINUTE_NS),
                weight: (600, 5 * SECOND_NS),
                offences_max: 0,
                ban_ns: 10 * MINUTE_NS,
                ..none
            },
            Self::Okx => Limits {
                requests: (480, 60 * MINUTE_NS),
                connects: (3, SECOND_NS),
                weight: (40, 2 * SECOND_NS),
                ..none
            },
            // A pool of credits: 3.3 requests a second, ten at once.
            Self::Deribit => Limits {
                requests: (10, 3 * SECOND_NS),
                topics_max: 500,
                connections_max: 32,
                connects: (32, SECOND_NS),
                weight: (20, SECOND_NS),
                ..none
            },
            Self::Tardis => none,
            Self::Relay => Limits { requests: (50, SECOND_NS), weight: (100, SECOND_NS), ..none },
        }
    }
}

/// A symbol and the part of the venue on which it is traded.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The symbol.
    pub spec: SymbolSpec,
    /// Bybit: `spot`, `linear` or `inverse`. Tardis and the relay: the exchange. Else empty.
    pub class: &'static str,
}

/// How to make an exchange.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which.
    pub venue: Venue,
    /// Seed of the market, of its words and of its network.
    pub seed: u64,
    /// When it begins, nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// What is traded.
    pub symbols: Vec<Listing>,
    /// What goes wrong.
    pub faults: Faults,
    /// What clients are allowed.
    pub limits: Limits,
    /// Shortest way of a frame to a client.
    pub latency_ns: u64,
    /// What chance adds to it.
    pub jitter_ns: u64,
    /// Way and work of a REST request.
    pub rest_ns: u64,
    /// Time between book messages instead of the venue's own, for more load.
    pub interval_ns: Option<u64>,
    /// How long a connection may live.
    pub lifetime_ns: u64,
    /// What clients must show, where the venue asks for a key.
    pub key: String,
}

impl Setup {
    /// The venue with its first symbols, its own limits, and nothing wrong.
    #[must_use]
    pub fn new(venue: Venue, seed: u64, start_ns: u64) -> Self {
        Self {
            venue,
            seed,
            start_ns,
            symbols: listings(venue, 2),
            faults: Faults::none(seed),
            limits: venue.limits(),
            latency_ns: 0,
            jitter_ns: 0,
            rest_ns: 5_000_000,
            interval_ns: None,
            lifetime_ns: 24 * 60 * MINUTE_NS,
            key: "sim-key".to_owned(),
        }
    }

    /// The first `count` symbols of the venue.
    #[must_use]
    pub fn symbols(mut self, count: usize) -> Self {
        self.symbols = listings(self.venue, count);
        self
    }

    /// All symbols move like this.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.symbols.iter_mut().for_each(|listing| listing.spec.profile = profile);
        self
    }

    /// Exactly these symbols, of those that the venue could list.
    ///
    /// # Errors
    /// A name that the venue does not know.
    pub fn named(mut self, names: &[String]) -> Result<Self, String> {
        let all = listings(self.venue, NAMED_MAX);
        self.symbols = Vec::new();
        for name in names {
            let found = all.iter().filter(|l| l.spec.name.eq_ignore_ascii_case(name));
            let before = self.symbols.len();
            self.symbols.extend(found.cloned());
            if self.symbols.len() == before {
                return Err(format!("{} has no symbol {name}", self.venue.name()));
            }
        }
        Ok(self)
    }

    /// This goes wrong.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

/// Symbols among which a name is looked for.
const NAMED_MAX: usize = 64;

/// A coin: its name, price of one in units of `10^-decimals` ticks, tick decimals, lot decimals.
const COINS: &[(&str, i64, u8, u8)] = &[
    ("BTC", 912_289, 1, 3),
    ("ETH", 302_011, 2, 3),
    ("SOL", 138_221, 3, 1),
    ("XRP", 22_143, 4, 1),
    ("DOGE", 15_804, 5, 0),
    ("ADA", 4_911, 4, 0),
    ("LTC", 8_473, 2, 2),
    ("AVAX", 13_902, 3, 1),
    ("LINK", 12_655, 3, 1),
    ("DOT", 2_291, 3, 1),
];

/// The venue's first symbols: the large coins, then invented small ones, as many as asked for.
fn listings(venue: Venue, count: usize) -> Vec<Listing> {
    let coin = |at: usize| match COINS.get(at) {
        Some((name, mid, tick, lot)) => ((*name).to_owned(), *mid, *tick, *lot),
        None => (format!("COIN{at}"), 20_431 + i64::try_from(at % 997).unwrap_or(0), 5, 0),
    };
    (0..count).flat_map(|at| listing(venue, at, coin(at))).collect()
}

fn listing(venue: Venue, at: usize, coin: (String, i64, u8, u8)) -> Vec<Listing> {
    let (coin, mid, tick, lot) = coin;
    let profile = if at == 0 { Profile::MAJOR } else { Profile::SMALL_CAP };
    let one = |name: String, class: &'static str, tick: (i64, u8), lot: (i64, u8), mid: i64| {
        Listing { spec: SymbolSpec::new(&name, tick, lot, mid, profile), class }
    };
    let tick = (1, tick);
    match venue {
        Venue::BinanceSpot | Venue::BinanceUs => {
            let fine = (1, lot.saturating_add(2));
            vec![one(format!("{coin}USDT"), "", tick, fine, mid)]
        }
        Venue::BinanceUsdm => vec![one(format!("{coin}USDT"), "", tick, (1, lot), mid)],
        Venue::BinanceCoinm => vec![one(format!("{coin}USD_PERP"), "", tick, (1, 0), mid)],
        Venue::Bybit => vec![
            one(format!("{coin}USDT"), "linear", tick, (1, lot), mid),
            one(format!("{coin}USDT"), "spot", tick, (1, lot.saturating_add(3)), mid + 7),
        ],
        Venue::Okx => vec![
            one(format!("{coin}-USDT-SWAP"), "", tick, (1, 2), mid),
            one(format!("{coin}-USDT"), "", tick, (1, lot.saturating_add(3)), mid + 7),
        ],
        Venue::Deribit => {
            let inverse = matches!(coin.as_str(), "BTC" | "ETH");
            let name = if inverse {
                format!("{coin}-PERPETUAL")
            } else {
                format!("{coin}_USDC-PERPETUAL")
            };
            let lot = if inverse { (10, 0) } else { (1, lot) };
            vec![one(name, "", tick, lot, mid)]
        }
        Venue::Tardis => vec![one(format!("{coin}USDT"), "binance-futures", tick, (1, lot), mid)],
        Venue::Relay => vec![
            one(format!("{coin}USDT"), "binance", tick, (1, lot), mid),
            one(format!("{coin}USDT"), "okx", tick, (1, lot), mid + 9),
        ],
    }
}
