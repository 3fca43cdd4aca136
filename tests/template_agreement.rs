//! Frames read by learned templates against the general parser, which knows none: whatever the
//! frames before have taught, a frame gives the messages that the general parser gives for it.
//!
//! Pairs of frames, both ways round: frames as venues write them (the seeds of the fuzz targets and
//! recorded fixtures), and such frames with a number or a level array written otherwise.

use gapless_book::decimal::Decimal;
use gapless_book::event::{Body, BookKind, Event, Flags, Level, Scales, SeqInfo, Side, Times};
use gapless_venues::books::BookId;
use gapless_venues::scratch::Scratch;
use gapless_venues::session::{Handler, Session, SessionConfig};
use gapless_venues::venue::{Context, Origin, Venue};
use gapless_venues::wire::{EventSink, Mark, Reject, Slot};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A book message by its values: scales may differ, values may not.
#[derive(Debug, PartialEq)]
struct Message {
    names: [String; 3],
    flags: Flags,
    kind: BookKind,
    seq: SeqInfo,
    times: Times,
    depth_limit: Option<u16>,
    levels: Vec<(Side, Decimal, Decimal)>,
}

/// What one frame gave.
#[derive(Default)]
struct Seen {
    messages: Vec<Message>,
    scales: Vec<Scales>,
    marks: Vec<Mark>,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        let Body::Book(book) = &event.body else { return };
        let value = |side: Side, level: &Level| {
            let price = Decimal::new(level.price, book.scales.price);
            (side, price, Decimal::new(level.qty, book.scales.qty))
        };
        let bids = book.bids.iter().map(|level| value(Side::Bid, level));
        let asks = book.asks.iter().map(|level| value(Side::Ask, level));
        self.scales.push(book.scales);
        self.messages.push(Message {
            names: [event.symbol, event.channel, event.exchange].map(str::to_owned),
            flags: event.flags,
            kind: book.kind,
            seq: book.seq,
            times: event.times,
            depth_limit: book.depth_limit,
            levels: bids.chain(asks).collect(),
        });
    }
}

impl Handler for Seen {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.note(event);
    }
}

impl EventSink for Seen {
    fn event(&mut self, event: &Event<'_>) {
        self.note(event);
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        self.marks = marks.to_vec();
        self.note(event);
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}

const RECV_NS: i64 = 1_763_600_000_000_000_000;

fn general<V: Venue>(venue: &V, frame: &[u8]) -> Seen {
    let origin = Origin::Socket { url: "" };
    let context = Context { recv_ns: RECV_NS, origin, market: venue.market("") };
    let mut seen = Seen::default();
    venue.parse(&context, frame, &mut Scratch::new(), &mut seen);
    seen
}

/// Feeds frames to one connection. Returns how many of them were certainly read by a template: its
/// levels are at the book's scales, those of the general parser at the message's own.
#[track_caller]
fn agree<V: Venue + Clone>(venue: &V, frames: &[&[u8]]) -> usize {
    let mut session = Session::new(venue.clone(), SessionConfig::live());
    session.connect("", &mut ());
    let mut by_template = 0;
    for (at, frame) in frames.iter().enumerate() {
        if let Some((url, body)) = answer(frame) {
            session.rest(RECV_NS, url, body, &mut ());
            continue;
        }
        let mut seen = Seen::default();
        session.bytes(RECV_NS, frame, &mut seen);
        let general = general(venue, frame);
        let texts = || frames.iter().map(|frame| format!("\n{}", frame.escape_ascii()));
        assert_eq!(seen.messages, general.messages, "frame {at}:{}", texts().collect::<String>());
        by_template += usize::from(seen.scales != general.scales);
    }
    by_template
}

/// URL and body of a line that is the answer to a REST request.
fn answer(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(b"H\t")?;
    let tab = rest.iter().position(|byte| *byte == b'\t')?;
    Some((std::str::from_utf8(&rest[..tab]).ok()?, &rest[tab + 1..]))
}

/// Frames as a venue writes them: those of the repository, and recorded ones where there are any.
fn frames(target: &str, recorded: &str) -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let folders = std::env::var_os("GAPLESS_RECORDINGS")
        .map(|folder| PathBuf::from(folder).join("fixtures").join(recorded));
    let mut frames = BTreeSet::new();
    for folder in [seeds].into_iter().chain(folders) {
        for file in std::fs::read_dir(folder).into_iter().flatten() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            frames.extend(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    frames.into_iter().collect()
}

/// Frames of different kinds, with their marks.
fn kinds<V: Venue>(venue: &V, frames: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<Mark>)> {
    let mut known = BTreeSet::new();
    let mut kinds = Vec::new();
    for frame in frames {
        let seen = general(venue, frame);
        let Some(message) = seen.messages.first().filter(|_| !seen.marks.is_empty()) else {
            continue;
        };
        let [_, channel, exchange] = message.names.clone();
        let kind = (channel, exchange, format!("{:?}", message.kind));
        if message.levels.len() > 2 && known.insert(kind) {
            kinds.push((frame.clone(), seen.marks));
        }
    }
    kinds
}

/// What numbers and times may be written as, well or badly.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "00",
    "007",
    "7",
    "-7",
    "1763600000123",
    "1763600000123456",
    "1000000000000000",
    "1000000000000001",
    "9223372036854",
    "9223372036855",
    "1763600000123456789",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "00000000000000000000000000000000000000000000000005",
    "1e3",
    "1.5",
    "+1",
    " 1",
    "",
    "4294967296",
    "2021-04-05T18:38:36.732Z",
    "2021-04-05T18:38:36.732+00:00",
    "2021-04-05T18:38:36Z",
    "2021-04-05T18:38:36.7320001Z",
    "1969-12-31T23:59:59.999Z",
    "2021-02-29T18:38:36.732Z",
];

/// As `NUMBERS`, for level arrays.
const ARRAYS: &[&str] = &[
    "[]",
    "[ ]",
    "null",
    "{}",
    "[[]]",
    r#"[["1","2"]]"#,
    r#"[["1","2"],["3","0"]]"#,
    r#"[ ["1","2"]]"#,
    r#"[["1", "2"]]"#,
    "[[1,2]]",
    "[[1e5,2]]",
    "[[1e5,2,3]]",
    r#"[["1","2","3"]]"#,
    r#"[["1","2","3","4"]]"#,
    r#"[["1","2","x","4"]]"#,
    r#"[["new",1,2]]"#,
    r#"[["change",1,2.5],["delete",3,7]]"#,
    r#"[["delete",3,-7]]"#,
    r#"[[ "new",1,2]]"#,
    r#"[["new",1,2,3]]"#,
    r#"[["a",1,2]]"#,
    r#"[{"price":1,"amount":2}]"#,
    r#"[{"amount":2,"price":1}]"#,
    r#"[{"price":"1","amount":"2"}]"#,
    "[{},{}]",
    r#"[["1.0000000000000000000000000000000000000000000","2"]]"#,
    r#"[["0.0000000000000000000000000000000000000000000","2"]]"#,
    r#"[["1","-2"]]"#,
    r#"[["-1","2"]]"#,
    r#"[["9223372036854775807","2"]]"#,
    r#"[["92233720368547758.08","2"]]"#,
    r#"[["999999999999999999","2"]]"#,
    r#"[["1","2"],["1"]]"#,
];

/// The frame with what some marks cover written otherwise.
fn written(frame: &[u8], marks: &[Mark], text: &str) -> Vec<u8> {
    let mut marks = marks.to_vec();
    marks.sort_by_key(|mark| std::cmp::Reverse(mark.start));
    let mut frame = frame.to_vec();
    for mark in marks {
        frame.splice(mark.start as usize..mark.end as usize, text.bytes());
    }
    frame
}

const fn is_list(mark: &Mark) -> bool {
    matches!(mark.slot, Slot::Bids | Slot::Asks)
}

fn check<V: Venue + Clone>(venue: &V, target: &str, recorded: &str) {
    let frames = frames(target, recorded);
    for first in &frames {
        for second in &frames {
            agree(venue, &[first, second, second, first]);
        }
    }
    let kinds = kinds(venue, &frames);
    // The books have scales and stand where they can.
    let answers: Vec<_> = frames.iter().filter(|frame| answer(frame).is_some()).collect();
    let channel = |frame: &[u8]| general(venue, frame).messages[0].names[1].clone();
    let mut by_template = 0;
    for (frame, marks) in &kinds {
        let same = |other: &&Vec<u8>| channel(other) == channel(frame);
        let before = kinds.iter().map(|(other, _)| other).filter(same).chain(answers.clone());
        let before: Vec<&[u8]> = before.map(|frame| &**frame).collect();
        let (lists, numbers) = marks.iter().partition::<Vec<Mark>, _>(|mark| is_list(mark));
        let each = lists.iter().map(|list| vec![*list]).chain([lists.clone()]);
        let each = each.map(|marks| (marks, ARRAYS));
        let all = numbers.clone();
        let numbers = numbers.into_iter().map(|number| vec![number]).chain([all]);
        let numbers = numbers.map(|marks| (marks, NUMBERS));
        for (marks, texts) in each.chain(numbers) {
            let variants: Vec<_> = texts.iter().map(|text| written(frame, &marks, text)).collect();
            for (first, second) in
                variants.iter().flat_map(|a| variants.iter().map(move |b| (a, b)))
            {
                let frames: [&[u8]; 5] = [first, second, first, frame, second];
                by_template += agree(venue, &[&*before, &frames].concat());
            }
        }
    }
    assert!(by_template > 0, "{target}: no frame was read by a template");
}

/// One test for each venue.
macro_rules! venues {
    ($($name:ident: $venue:expr, $recorded:expr;)*) => {
        $(
            #[test]
            fn $name() {
                check(&$venue, stringify!($name), $recorded);
            }
        )*
    };
}

venues! {
    frames_binance_spot: gapless_venues::binance::BinanceSpot, "binance";
    frames_binance_us: gapless_venues::binance::BinanceUs, "binance";
    frames_binance_usdm: gapless_venues::binance::BinanceUsdm, "binance";
    frames_binance_coinm: gapless_venues::binance::BinanceCoinm, "binance";
    frames_bybit: gapless_venues::bybit::Bybit, "bybit";
    frames_deribit: gapless_venues::deribit::Deribit, "deribit";
    frames_okx: gapless_venues::okx::Okx, "okx";
    frames_tardis: gapless_venues::tardis::Tardis, "tardis";
}
