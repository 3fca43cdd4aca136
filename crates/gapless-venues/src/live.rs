//! How a venue is connected to: addresses, sockets, budgets, life times.
//!
//! Values and plans only. What opens sockets asks a venue through [`Wiring`], which is the part of
//! a venue that can be asked without knowing which one it is.

use crate::venue::{HttpAnswer, Market, Topic};

/// So many units within any window of so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units.
    pub count: u32,
    /// Length of the window, ms.
    pub window_ms: u64,
}

impl Rate {
    /// So many units within any window of so many milliseconds.
    #[must_use]
    pub const fn new(count: u32, window_ms: u64) -> Self {
        Self { count, window_ms }
    }
}

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Not at all.
    None,
    /// Once a request.
    Request,
    /// Once for each topic of a request.
    Topic,
}

/// Habits and bounds of live connections to a venue. Rates are below what the venue states, so
/// that what is not counted here (pongs, clocks that differ) does not pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Base of WebSocket addresses, where the configuration names none.
    pub socket: &'static str,
    /// Base of HTTP addresses.
    pub rest: &'static str,
    /// Channel of whole books, where the configuration names none.
    pub channel: &'static str,
    /// Most topics of a connection.
    pub topics_max: usize,
    /// Frames that a client may send on a connection.
    pub sends: Rate,
    /// Requests that subscribe or unsubscribe, on a connection.
    pub subscribes: Rate,
    /// Connections that may be tried from one address.
    pub connects: Rate,
    /// Weight of HTTP requests that one address may spend.
    pub weight: Rate,
    /// How requests are answered.
    pub acks: Acks,
    /// The server ends a connection after so long, ms.
    pub lifetime_ms: Option<u64>,
    /// A connection without data for so long is broken, ms.
    pub silence_ms: u64,
    /// What comes later than usual by more is late, ms; 0: the stamps say nothing of it.
    pub late_ms: u64,
}

impl Live {
    /// What holds where a venue says nothing.
    pub const UNSTATED: Self = Self {
        socket: "",
        rest: "",
        channel: "",
        topics_max: 1024,
        sends: Rate::new(10, 1_000),
        subscribes: Rate::new(10, 1_000),
        connects: Rate::new(60, 60_000),
        weight: Rate::new(80, 1_000),
        acks: Acks::None,
        lifetime_ms: None,
        silence_ms: 10_000,
        late_ms: 2_000,
    };
}

/// What a refused request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// One of its topics is not to be had: the venue says so.
    Topic,
    /// Nothing tells whether it is for one of its topics or will pass.
    Unknown,
    /// It came too early: the same may be granted later.
    Later,
    /// The credentials are refused.
    Auth,
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost<'a> {
    /// What a notice names, raw JSON.
    Notice(&'a str),
    /// First and last number.
    Range(i64, i64),
}

/// A stretch of time whose recordings are played again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first minute, ISO 8601 in UTC.
    pub from: String,
    /// The minute after its last.
    pub to: String,
}

/// A connection that a set of topics needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket<'a> {
    /// Path and query of its URL, after the base.
    pub path: String,
    /// What to subscribe on it.
    pub topics: Vec<Topic<'a>>,
}

/// What a driver asks of a venue.
pub trait Wiring {
    /// Its habits and bounds.
    fn live(&self) -> Live;

    /// The connections that these topics need.
    fn sockets<'a>(&self, market: Market, topics: &[Topic<'a>]) -> Vec<Socket<'a>>;

    /// The connections by which a machine that plays recordings brings these topics as they were;
    /// none where none are recorded.
    fn replays<'a>(&self, market: Market, topics: &[Topic<'a>], span: &Span) -> Vec<Socket<'a>> {
        let _ = (market, topics, span);
        Vec::new()
    }

    /// What an HTTP request weighs; `path` is path and query.
    fn weight(&self, path: &str) -> u32 {
        let _ = path;
        1
    }

    /// Weight that this address has used in the current window, as the venue counts it.
    fn used_weight(&self, answer: &HttpAnswer<'_>) -> Option<u32> {
        let _ = answer;
        None
    }

    /// Paths and queries of the lists that say what these topics' symbols are; the first pages,
    /// where a list has several. Empty where the venue has none that could be asked.
    fn lists(&self, market: Market, topics: &[Topic<'_>]) -> Vec<String> {
        let _ = (market, topics);
        Vec::new()
    }

    /// What a refusal means, by its code and words as they stand in the message.
    fn refusal(&self, code: &str, words: &str) -> Refusal {
        let _ = (code, words);
        Refusal::Unknown
    }

    /// Name of a topic's channel in events, where that can be told before any came.
    fn book_channel<'c>(&self, channel: &'c str) -> Option<&'c str> {
        Some(channel)
    }

    /// Exchange, channel and symbol of a topic's book, where they can be told before anything came.
    fn book_of<'t>(&self, topic: &Topic<'t>) -> Option<(&'t str, &'t str, &'t str)> {
        self.book_channel(topic.channel).map(|channel| ("", channel, topic.symbol))
    }

    /// Whether a topic brings a book, which is named by exchange, channel and symbol.
    fn brings(&self, topic: &Topic<'_>, book: (&str, &str, &str)) -> bool {
        self.book_of(topic) == Some(book)
    }

    /// Path and query that ask for what is new of a topic, where it is polled; `since`: the last
    /// number that is known.
    fn poll(&self, topic: &Topic<'_>, since: Option<i64>) -> Option<String> {
        let _ = (topic, since);
        None
    }

    /// Requests that subscribe beside the socket: path and JSON body of each.
    fn post_subscribe(&self, topics: &[Topic<'_>], first_id: u64) -> Vec<(String, String)> {
        let _ = (topics, first_id);
        Vec::new()
    }

    /// Path and JSON body of the request to repeat what was lost: numbers as they stand in a
    /// notice, or those of a hole.
    fn repeat(&self, lost: Lost<'_>, book: Option<&Topic<'_>>) -> Option<(String, String)> {
        let _ = (lost, book);
        None
    }
}

/// A path for each of these words, once, in the order of the words.
pub(crate) fn distinct(
    words: impl Iterator<Item = String>,
    path: impl Fn(&str) -> String,
) -> Vec<String> {
    let words: std::collections::BTreeSet<String> = words.filter(|word| !word.is_empty()).collect();
    words.iter().map(|word| path(word)).collect()
}

/// Sockets of one path, each with at most so many topics.
pub(crate) fn chunks<'a>(path: &str, topics: &[Topic<'a>], most: usize) -> Vec<Socket<'a>> {
    let socket = |part: &[Topic<'a>]| Socket { path: path.to_owned(), topics: part.to_vec() };
    topics.chunks(most).map(socket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance::{BinanceCoinm, BinanceSpot, BinanceUs, BinanceUsdm};
    use crate::bybit::Bybit;
    use crate::deribit::Deribit;
    use crate::okx::Okx;
    use crate::relay::Relay;
    use crate::tardis::Tardis;
    use crate::venue::Venue;

    fn text(live: &Live) -> String {
        let rate = |rate: Rate| format!("{}/{}", rate.count, rate.window_ms);
        let rates = [live.sends, live.subscribes, live.connects, live.weight].map(rate).join(" ");
        let (socket, rest, channel) = (live.socket, live.rest, live.channel);
        let (topics, silence) = (live.topics_max, live.silence_ms);
        let (acks, lifetime) = (live.acks, live.lifetime_ms.unwrap_or(0));
        format!("{socket} {rest} {channel} {topics} {rates} {acks:?} {lifetime} {silence}")
    }

    #[test]
    fn addresses_channels_and_budgets_are_the_venues() {
        for (live, addresses, habits) in [
            (
                BinanceSpot.live(),
                "wss://stream.binance.com:9443 https://api.binance.com depth@100ms",
                "1024 3/1000 3/1000 250/300000 5400/60000 Request 86400000 10000",
            ),
            (
                BinanceUs.live(),
                "wss://stream.binance.us:9443 https://api.binance.us depth@100ms",
                "1024 3/1000 3/1000 250/300000 1080/60000 Request 86400000 10000",
            ),
            (
                BinanceUsdm.live(),
                "wss://fstream.binance.com https://fapi.binance.com depth@100ms",
                "1024 8/1000 8/1000 250/300000 2160/60000 Request 86400000 10000",
            ),
            (
                BinanceCoinm.live(),
                "wss://dstream.binance.com https://dapi.binance.com depth@100ms",
                "1024 8/1000 8/1000 250/300000 2160/60000 Request 86400000 10000",
            ),
            (
                Bybit.live(),
                "wss://stream.bybit.com https://api.bybit.com orderbook.200",
                "2000 20/1000 20/1000 400/300000 540/5000 Request 0 10000",
            ),
            (
                Okx.live(),
                "wss://ws.okx.com https://www.okx.com books",
                "480 10/1000 460/3600000 2/1000 36/2000 Topic 0 10000",
            ),
            (
                Deribit.live(),
                "wss://www.deribit.com https://www.deribit.com book.100ms",
                "500 10/1000 3/1000 20/60000 15/1000 Request 0 75000",
            ),
            (
                Tardis.live(),
                "ws://127.0.0.1:8001 http://127.0.0.1:8000 book_change",
                "18446744073709551615 10/1000 10/1000 60/60000 80/1000 None 0 30000",
            ),
            (
                Relay::default().live(),
                "  book_depth_20",
                "1024 40/1000 40/1000 60/60000 80/1000 None 0 30000",
            ),
        ] {
            assert_eq!(text(&live), format!("{addresses} {habits}"));
        }
    }

    #[test]
    fn what_a_venue_asks_for_it_reads_again() {
        fn check(venue: &impl Venue, channel: &str, symbol: &str) {
            let topics = [Topic { channel, symbol }];
            let read = |text: &String| {
                let mut names = Vec::new();
                venue.subscribed(text, &mut |t| names.push(format!("{} {}", t.channel, t.symbol)));
                names
            };
            let asked = venue.subscribe(&topics, 1);
            assert_eq!(
                asked.iter().map(read).collect::<Vec<_>>(),
                [[format!("{channel} {symbol}")]]
            );
            let left = venue.unsubscribe(&topics, 2);
            assert!(
                left.iter().all(|text| text.to_lowercase().contains("unsubscribe")),
                "{left:?}"
            );
            assert_eq!(left.iter().map(read).collect::<Vec<_>>(), [[""; 0]]);
            assert!(venue.read_instruments(b"no list").is_err());
        }
        check(&BinanceSpot, "depth", "BTCUSDT");
        check(&Bybit, "orderbook.50", "BTCUSDT");
        check(&Okx, "books", "BTC-USDT");
        check(&Deribit, "book.raw", "BTC-PERPETUAL");
    }

    #[test]
    fn what_a_venue_says_and_fetches_beside_its_topics() {
        fn says(venue: &impl Venue, channel: &str) -> [String; 5] {
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            let ping = venue.keepalive().map(|(ms, words)| format!("{ms} {words}"));
            let snapshot = venue.snapshot_request(channel, "A", Market::Unknown);
            let (list, opening) = (text(venue.list_path()), text(venue.opening()));
            let pong = text(venue.heartbeat_answer(9).as_deref());
            [list, opening, text(ping.as_deref()), pong, text(snapshot.as_deref())]
        }
        let full = "/v5/market/full_orderbook?category=spot&symbol=A";
        let bybit = ["/v5/market/instruments-info", "-", r#"20000 {"op":"ping"}"#, "-", full];
        assert_eq!(says(&Bybit, "orderbook.full"), bybit);
        let books = "/api/v5/market/books?instId=A&sz=400";
        let okx = ["/api/v5/public/instruments", "-", "20000 ping", "pong", books];
        assert_eq!(says(&Okx, "books"), okx);
        let test = r#"{"jsonrpc":"2.0","id":9,"method":"public/test","params":{}}"#;
        let beats = concat!(
            r#"{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","#,
            r#""params":{"interval":30}}"#,
        );
        let deribit = ["/public/get_instruments", beats, "-", test, "-"];
        assert_eq!(says(&Deribit, "book.raw"), deribit);
        assert_eq!(says(&Relay::default(), "book")[2], "20000 ");
        assert!(Bybit.names_market() && !Okx.names_market());
        assert!(Okx.first_push_is_history("liquidation-orders"));
        assert!(!Okx.first_push_is_history("trades"));
        let topics = ["A", "B"].map(|symbol| Topic { channel: "quote", symbol });
        assert_eq!(Deribit.left_out(&topics, r#"["quote.B"]"#), [0]);
        let sockets = Deribit.sockets(Market::Unknown, &topics);
        assert_eq!((sockets.len(), sockets[0].path.as_str()), (1, "/ws/api/v2"));
    }

    #[test]
    fn a_refusal_is_of_the_key_the_moment_the_topic_or_unknown() {
        let words = ["Invalid API key", "rate LIMIT exceeded", "no such symbol"];
        let of_relay = words.map(|words| Relay::default().refusal("", words));
        assert_eq!(of_relay, [Refusal::Auth, Refusal::Later, Refusal::Unknown]);
        let of_okx = ["60011", "60014", "60018"].map(|code| Okx.refusal(code, ""));
        assert_eq!(of_okx, [Refusal::Auth, Refusal::Later, Refusal::Topic]);
        let of_deribit = ["13009", "10028", "-32602"].map(|code| Deribit.refusal(code, ""));
        assert_eq!(of_deribit, [Refusal::Auth, Refusal::Later, Refusal::Unknown]);
    }
}
