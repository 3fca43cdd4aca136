//! What a parser told its sink, as lines of text: the form in which the tests of every venue state
//! what they expect.

use crate::scratch::Scratch;
use crate::venue::{Context, Market, Origin, Venue};
use crate::wire::{EventSink, Mark, Reject};
use core::fmt::Write as _;
use gapless_book::decimal::Decimal;
use gapless_book::event::{Body, BookMessage, Derivative, Event, Flags, Level, NO_TIME};

/// Receive time given to every frame of [`lines`].
pub const RECV_NS: i64 = 42;

/// A sink that writes down what it is told.
#[derive(Debug, Default)]
pub struct Seen {
    /// One line an event or refusal.
    pub lines: Vec<String>,
    /// Texts of the marked places of the last book, by slot.
    pub marked: Vec<String>,
    /// Whether each event was marked as the last of its frame.
    pub closing: Vec<bool>,
    /// The frame, to look the marks up in.
    pub frame: Vec<u8>,
}

impl EventSink for Seen {
    fn event(&mut self, event: &Event<'_>) {
        assert_eq!(event.times.recv_ns, RECV_NS, "receive time lost");
        self.lines.push(line(event));
        self.closing.push(event.flags.has(Flags::LAST_IN_FRAME));
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        self.marked = marks
            .iter()
            .map(|m| {
                let text = &self.frame[m.start as usize..m.end as usize];
                format!("{:?}={}", m.slot, String::from_utf8_lossy(text))
            })
            .collect();
        self.event(event);
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        let book = if reject.book { " book" } else { "" };
        let name = reject.error.kind.name();
        let text = format!("reject {name} {} {}{book}", reject.channel, reject.symbol);
        self.lines.push(text.trim_end().to_owned());
    }
}

/// Parses a frame of a socket and returns what came of it.
pub fn lines(venue: &impl Venue, url: &str, frame: &str) -> Vec<String> {
    seen(venue, Origin::Socket { url }, frame.as_bytes()).lines
}

/// As [`lines`], for the body of an HTTP answer.
pub fn rest(venue: &impl Venue, url: &str, body: &str) -> Vec<String> {
    seen(venue, Origin::Rest { url }, body.as_bytes()).lines
}

/// Checks a fixture: after each frame (`< `) stand the lines that it must be read as (`> `).
/// Lines with `# ` say which rule the frames below show.
#[track_caller]
pub fn check(venue: &impl Venue, fixture: &str) {
    let (mut rule, mut frame, mut expected, mut checked) = ("", "", Vec::new(), 0);
    for line in fixture.lines().chain(["< "]) {
        match line.split_at_checked(2) {
            Some(("# ", text)) => rule = text,
            Some(("> ", text)) => expected.push(text),
            Some(("< ", text)) => {
                if !frame.is_empty() {
                    assert_eq!(lines(venue, "", frame), expected, "{rule}\n{frame}");
                    checked += 1;
                }
                (frame, expected) = (text, Vec::new());
            }
            _ => assert_eq!(line, "", "no line of a fixture"),
        }
    }
    assert!(checked > 0, "an empty fixture");
}

/// Parses a frame into a fresh sink.
pub fn seen(venue: &impl Venue, origin: Origin<'_>, frame: &[u8]) -> Seen {
    let context = Context { recv_ns: RECV_NS, origin, market: Market::Unknown };
    let mut seen = Seen { frame: frame.to_vec(), ..Seen::default() };
    venue.parse(&context, frame, &mut Scratch::new(), &mut seen);
    seen
}

/// An event without its raw bytes.
pub fn line(event: &Event<'_>) -> String {
    let mut text = event.kind().name().to_owned();
    let mut add = |part: String| {
        text.push(' ');
        text.push_str(&part);
    };
    if !event.exchange.is_empty() {
        add(format!("<{}>", event.exchange));
    }
    add(event.channel.to_owned());
    add(event.symbol.to_owned());
    for (name, ns) in [("t", event.times.venue_ns), ("T", event.times.engine_ns)] {
        if ns != NO_TIME {
            add(format!("{name}{ns}"));
        }
    }
    if event.times.venue_ns != NO_TIME {
        add(format!("{:?}", event.times.unit));
    }
    for (flag, name) in FLAGS {
        if event.flags.has(flag) {
            add(name.to_owned());
        }
    }
    add(body(&event.body));
    text.trim_end().to_owned()
}

const FLAGS: [(Flags, &str); 9] = [
    (Flags::GENERATED, "generated"),
    (Flags::OFF_BOOK, "off_book"),
    (Flags::BLOCK, "block"),
    (Flags::RPI, "rpi"),
    (Flags::HISTORICAL, "historical"),
    (Flags::REST, "rest"),
    (Flags::REPEATED, "repeated"),
    (Flags::UNWRAPPED, "unwrapped"),
    (Flags::NUMBER_ONLY, "number_only"),
];

fn body(body: &Body<'_>) -> String {
    match body {
        Body::Book(message) => book(message),
        Body::Bbo(bbo) => {
            let side = |s: Option<(Decimal, Decimal)>| s.map_or("-".into(), pair);
            let id = bbo.update_id.map_or(String::new(), |id| format!(" u{id}"));
            format!("{} {}{id}", side(bbo.bid), side(bbo.ask))
        }
        Body::Trade(t) => {
            let mut text = format!("#{} {}@{} {:?}", t.id, t.size, t.price, t.taker);
            option(&mut text, "seq", t.seq);
            option(&mut text, "first", t.aggregate.map(|a| a.0));
            option(&mut text, "last", t.aggregate.map(|a| a.1));
            option(&mut text, "count", t.count);
            option(&mut text, "score", t.score);
            text
        }
        Body::Liquidation(l) => {
            let mut text = format!("#{} {}@{} {:?}", l.id, l.size, l.price, l.side);
            option(&mut text, "filled", l.filled);
            option(&mut text, "average", l.average_price);
            option(&mut text, "usd", l.size_usd);
            let sampled = if l.sampled { " sampled" } else { "" };
            format!("{text} raw={}{sampled}", l.raw_side)
        }
        Body::Derivative(d) => derivative(d),
        Body::OptionTicker(o) => {
            let mut text = derivative(&o.derivative);
            for (name, value) in [
                ("underlying", o.underlying),
                ("mark_iv", o.mark_iv),
                ("bid_iv", o.bid_iv),
                ("ask_iv", o.ask_iv),
                ("delta", o.delta),
                ("gamma", o.gamma),
                ("vega", o.vega),
                ("theta", o.theta),
                ("rho", o.rho),
                ("interest", o.interest_rate),
            ] {
                option(&mut text, name, value);
            }
            format!("{text} of={}", o.underlying_index).trim_start().to_owned()
        }
        Body::Ack { id, op, topics, failed } => format!("id={} {op} {topics} {failed}", id.0),
        Body::Error { id, code, message, retry_after_s } => {
            let mut text = format!("id={} {code} {message}", id.0);
            option(&mut text, "retry", *retry_after_s);
            text
        }
        Body::Heartbeat { answer } => format!("{answer:?}"),
        Body::Notice { code, closing } => format!("{code} closing={closing}"),
        Body::Disconnect { symbols } => (*symbols).to_owned(),
        Body::GapNotice { range } => (*range).to_owned(),
        _ => String::new(),
    }
}

fn option<T: core::fmt::Display>(text: &mut String, name: &str, value: Option<T>) {
    if let Some(value) = value {
        let _ = write!(text, " {name}={value}");
    }
}

fn pair((price, size): (Decimal, Decimal)) -> String {
    format!("{size}@{price}")
}

fn derivative(d: &Derivative) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("last", d.last),
        ("mark", d.mark),
        ("index", d.index),
        ("settle", d.settle),
        ("oi", d.open_interest),
        ("rate", d.funding_rate),
        ("predicted", d.predicted_funding),
    ] {
        option(&mut text, name, value);
    }
    option(&mut text, "at", d.funding_time_ns);
    for (name, side) in [("bid", d.bid), ("ask", d.ask)] {
        if let Some((price, size)) = side {
            let _ = write!(text, " {name}={}@{price}", size.map_or("?".into(), |s| s.to_string()));
        }
    }
    text.trim_start().to_owned()
}

fn book(message: &BookMessage<'_>) -> String {
    let mut text = String::new();
    for (name, id) in [
        ("first", message.seq.first),
        ("last", message.seq.last),
        ("prev", message.seq.prev),
        ("cross", message.seq.cross),
        ("crc", message.seq.checksum.map(i64::from)),
        ("limit", message.depth_limit.map(i64::from)),
    ] {
        option(&mut text, name, id);
    }
    let asks_from = message.bids.len();
    for (name, levels, from) in [("bids", message.bids, 0), ("asks", message.asks, asks_from)] {
        let numbered = (from..).zip(levels);
        let levels: Vec<_> = numbered.map(|(i, level)| level_text(message, i, level)).collect();
        let _ = write!(text, " {name}[{}]", levels.join(" "));
    }
    text.trim_start().to_owned()
}

fn level_text(message: &BookMessage<'_>, index: usize, level: &Level) -> String {
    let decimal = |qty| Decimal::new(qty, message.scales.qty);
    let text = pair((Decimal::new(level.price, message.scales.price), decimal(level.qty)));
    match message.extras.get(index) {
        Some(extra) => {
            let written = format!("{}.{}", extra.price_decimals, extra.qty_decimals);
            format!("{text}+{}~{written}", decimal(extra.extra))
        }
        None => text,
    }
}
