//! One book in the words of every venue, so that a row about all of them is a loop.
//!
//! Levels and numbers are said once; each venue has its own form of them. A venue that is added to
//! the registry without words here fails every row that asks for them.
#![allow(dead_code, reason = "each file of rows uses its part")]

use crate::line::{SECOND_NS, Step};
use gapless_book::local::LocalBook;
use gapless_venues::registry::{AnySession, VenueId};
use gapless_venues::session::{Handler, SessionConfig};

/// Price and size as they are to be written.
pub type Said<'a> = &'a [(&'a str, &'a str)];

/// How a venue writes one level, a book and an edit of it.
#[derive(Clone, Copy)]
struct Words {
    level: fn(&str, &str) -> String,
    /// Number, bids, asks.
    snapshot: fn(i64, &str, &str) -> String,
    /// Number before, own number, bids, asks.
    delta: fn(i64, i64, &str, &str) -> String,
    /// Address of the snapshot where it comes over HTTP.
    rest: Option<&'static str>,
    /// Whether messages have numbers.
    numbered: bool,
}

const BINANCE: Words = Words {
    level: |price, size| format!(r#"["{price}","{size}"]"#),
    snapshot: |id, bids, asks| {
        format!(r#"{{"lastUpdateId":{id},"bids":[{bids}],"asks":[{asks}]}}"#)
    },
    delta: |prev, id, bids, asks| binance("", prev, id, bids, asks),
    rest: Some("https://api.binance.com/api/v3/depth?symbol=AB&limit=5000"),
    numbered: true,
};

/// A wrapped `depthUpdate`; `more` are the fields that futures have beside it.
fn binance(more: &str, prev: i64, id: i64, bids: &str, asks: &str) -> String {
    let ids = format!(r#""U":{},"u":{id}"#, prev + 1);
    let head = format!(r#""e":"depthUpdate","E":1763600000123,"s":"AB",{ids}{more}"#);
    format!(r#"{{"stream":"ab@depth","data":{{{head},"b":[{bids}],"a":[{asks}]}}}}"#)
}

fn futures(more: &str, prev: i64, id: i64, bids: &str, asks: &str) -> String {
    let more = format!(r#","T":1763600000120{more},"pu":{prev}"#);
    binance(&more, prev, id, bids, asks)
}

fn bybit(kind: &str, id: i64, bids: &str, asks: &str) -> String {
    let data = format!(r#"{{"s":"AB","b":[{bids}],"a":[{asks}],"u":{id},"seq":{id}}}"#);
    format!(r#"{{"topic":"orderbook.50.AB","type":"{kind}","ts":1763600000123,"data":{data}}}"#)
}

fn okx(action: &str, prev: i64, id: i64, bids: &str, asks: &str) -> String {
    let arg = r#"{"channel":"books","instId":"AB"}"#;
    let ids = format!(r#""ts":"1763600000123","seqId":{id},"prevSeqId":{prev}"#);
    let data = format!(r#"[{{"asks":[{asks}],"bids":[{bids}],{ids}}}]"#);
    format!(r#"{{"arg":{arg},"action":"{action}","data":{data}}}"#)
}

fn deribit(kind: &str, ids: &str, bids: &str, asks: &str) -> String {
    let head = format!(r#""type":"{kind}","timestamp":1763600000123,"instrument_name":"AB""#);
    let data = format!(r#"{{{head},{ids},"bids":[{bids}],"asks":[{asks}]}}"#);
    let params = format!(r#"{{"channel":"book.AB.raw","data":{data}}}"#);
    format!(r#"{{"jsonrpc":"2.0","method":"subscription","params":{params}}}"#)
}

fn tardis(is_snapshot: bool, bids: &str, asks: &str) -> String {
    let head = r#""type":"book_change","symbol":"AB","exchange":"deribit""#;
    let times =
        r#""timestamp":"2025-11-20T00:53:20.123Z","localTimestamp":"2025-11-20T00:53:20.125Z""#;
    let sides = format!(r#""bids":[{bids}],"asks":[{asks}]"#);
    format!(r#"{{{head},"isSnapshot":{is_snapshot},{sides},{times}}}"#)
}

fn relay(kind: &str, id: i64, bids: &str, asks: &str) -> String {
    let sides = format!(r#""bids":[{bids}],"asks":[{asks}]"#);
    format!(r#"{{"type":"{kind}","symbol":"AB",{sides},"seqNum":{id}}}"#)
}

fn words(venue: VenueId) -> Words {
    match venue {
        VenueId::BinanceSpot | VenueId::BinanceUs => BINANCE,
        VenueId::BinanceUsdm => Words {
            delta: |prev, id, bids, asks| futures("", prev, id, bids, asks),
            rest: Some("https://fapi.binance.com/fapi/v1/depth?symbol=AB&limit=1000"),
            ..BINANCE
        },
        VenueId::BinanceCoinm => Words {
            delta: |prev, id, bids, asks| futures(r#","ps":"AB""#, prev, id, bids, asks),
            rest: Some("https://dapi.binance.com/dapi/v1/depth?symbol=AB&limit=1000"),
            ..BINANCE
        },
        VenueId::Bybit => Words {
            snapshot: |id, bids, asks| bybit("snapshot", id, bids, asks),
            delta: |_, id, bids, asks| bybit("delta", id, bids, asks),
            rest: None,
            ..BINANCE
        },
        VenueId::Okx => Words {
            level: |price, size| format!(r#"["{price}","{size}","0","1"]"#),
            snapshot: |id, bids, asks| okx("snapshot", -1, id, bids, asks),
            delta: |prev, id, bids, asks| okx("update", prev, id, bids, asks),
            rest: None,
            numbered: true,
        },
        VenueId::Deribit => Words {
            level: |price, size| format!(r#"["change",{price},{size}]"#),
            snapshot: |id, bids, asks| {
                let (bids, asks) = (bids.replace("change", "new"), asks.replace("change", "new"));
                deribit("snapshot", &format!(r#""change_id":{id}"#), &bids, &asks)
            },
            delta: |prev, id, bids, asks| {
                let ids = format!(r#""prev_change_id":{prev},"change_id":{id}"#);
                deribit("change", &ids, bids, asks)
            },
            rest: None,
            numbered: true,
        },
        VenueId::Tardis => Words {
            level: |price, size| format!(r#"{{"price":{price},"amount":{size}}}"#),
            snapshot: |_, bids, asks| tardis(true, bids, asks),
            delta: |_, _, bids, asks| tardis(false, bids, asks),
            rest: None,
            numbered: false,
        },
        VenueId::Relay => Words {
            level: |price, size| format!("[{price},{size}]"),
            snapshot: |id, bids, asks| relay("snapshot", id, bids, asks),
            delta: |_, id, bids, asks| relay("delta", id, bids, asks),
            rest: None,
            numbered: true,
        },
        other => panic!("no words of {}", other.name()),
    }
}

/// One live book of a venue.
pub struct Spoken {
    words: Words,
    session: AnySession,
    now_ns: i64,
}

impl Spoken {
    /// A book that was opened with number `id` and is live.
    pub fn open(venue: VenueId, id: i64, bids: Said<'_>, asks: Said<'_>) -> Self {
        let mut session = venue.session(SessionConfig::live());
        session.connect("", &mut ());
        let mut book = Self { words: words(venue), session, now_ns: 1_763_600_000 * SECOND_NS };
        let (bids, asks) = (book.side(bids), book.side(asks));
        if let Some(url) = book.words.rest {
            // What is held for the snapshot begins where it ends, and joins it.
            book.delta(id - 1, id, &[], &[]);
            let body = (book.words.snapshot)(id - 1, &bids, &asks);
            book.session.rest(book.now_ns, url, body.as_bytes(), &mut ());
        } else {
            let frame = (book.words.snapshot)(id, &bids, &asks);
            book.session.bytes(book.now_ns, frame.as_bytes(), &mut ());
        }
        book
    }

    fn side(&self, levels: Said<'_>) -> String {
        let levels = levels.iter().map(|(price, size)| (self.words.level)(price, size));
        levels.collect::<Vec<_>>().join(",")
    }

    /// An edit that follows number `prev`.
    pub fn delta(&mut self, prev: i64, id: i64, bids: Said<'_>, asks: Said<'_>) -> Step {
        let mut step = Step::default();
        let frame = self.edit(prev, id, bids, asks);
        self.hear(&frame, &mut step);
        step
    }

    /// The frame of such an edit.
    pub fn edit(&self, prev: i64, id: i64, bids: Said<'_>, asks: Said<'_>) -> String {
        (self.words.delta)(prev, id, &self.side(bids), &self.side(asks))
    }

    /// A frame comes, a millisecond after the last one.
    pub fn hear<H: Handler>(&mut self, frame: &str, handler: &mut H) {
        self.now_ns += SECOND_NS / 1_000;
        self.session.bytes(self.now_ns, frame.as_bytes(), handler);
    }

    /// The only book that there is.
    #[track_caller]
    pub fn book(&self) -> &LocalBook {
        let mut books = self.session.books().iter();
        let (first, second) = (books.next(), books.next());
        assert!(second.is_none(), "several books");
        &first.expect("a book").1.local
    }

    /// The number that its last message must have: that one, where the venue has numbers.
    pub fn number(&self, id: i64) -> Option<i64> {
        self.words.numbered.then_some(id)
    }

    /// The levels as they stand: `2.5x4 2.4x1 | 2.6x1`.
    #[track_caller]
    pub fn levels(&self) -> String {
        crate::line::text(self.book())
    }
}
