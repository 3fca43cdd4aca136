//! A topic: one stream of one symbol, with its subscribers and, for a book, what it has told.

use std::collections::BTreeSet;

use gapless_book::event::Side;

use super::history::History;
use super::wire::Conn;
use crate::book::Book;
use crate::dialect::image::{Change, Changes};

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Changes of the book, in sequence.
    Book {
        /// Levels a side; `None` = all.
        depth: Option<usize>,
        /// Time between messages.
        interval_ns: u64,
        /// Whether the subscriber first gets the whole book in-stream.
        opens: bool,
        /// Whether every level touched is listed, or those that differ.
        touched: bool,
    },
    /// The whole top of the book every time.
    Image {
        /// Levels a side.
        depth: usize,
        /// Time between messages.
        interval_ns: u64,
    },
    /// The best bid and ask whenever they change.
    Best,
    /// Fills.
    Trades,
    /// Positions closed by force.
    Liquidations,
    /// Mark, index, funding, open interest: once in so many seconds.
    Reference {
        /// How many.
        seconds: u64,
    },
    /// Best bid and ask with statistics, once a second.
    Ticker,
}

impl Channel {
    /// Time between messages of a channel that has a cadence.
    pub const fn interval_ns(self) -> Option<u64> {
        match self {
            Self::Book { interval_ns, .. } | Self::Image { interval_ns, .. } => Some(interval_ns),
            _ => None,
        }
    }
}

/// The ids of one book message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    /// First update that it covers.
    pub first: i64,
    /// Last update that it covers.
    pub last: i64,
    /// Last update of the message before.
    pub prev: i64,
}

/// One stream.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    /// The venue's name for it.
    pub name: String,
    /// Index of the symbol; `None` where it carries those of all.
    pub symbol: Option<usize>,
    /// What it carries.
    pub channel: Channel,
    /// Who hears it, in the order they came.
    pub subscribers: Vec<Conn>,
    /// A book's stream so far.
    pub stream: Option<Stream>,
    /// Best levels that were last told.
    pub best: Option<(i64, i64, i64, i64)>,
    /// An image channel's last image, and when it was shown.
    pub shown: Option<(Book, u64)>,
    /// Messages so far: some venues say something else first, or count them.
    pub messages: i64,
}

/// What a book's stream has told.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// The books that it stood for.
    pub history: History,
    /// First update since the last message.
    pub first: Option<i64>,
    /// Last update since then.
    pub last: i64,
    /// When it last said something.
    pub said_ns: u64,
    /// The next message's number is lower than the last one's.
    pub fall: bool,
    /// The next message is a snapshot for everybody, as after a restart of the venue.
    pub restart: bool,
    bids: BTreeSet<i64>,
    asks: BTreeSet<i64>,
}

impl Stream {
    pub fn new(image: Book, seq: i64, now_ns: u64) -> Self {
        Self {
            history: History::new(image, seq),
            first: None,
            last: seq,
            said_ns: now_ns,
            fall: false,
            restart: false,
            bids: BTreeSet::new(),
            asks: BTreeSet::new(),
        }
    }

    /// An update of the market touched a level; `id` is the venue's number for it.
    pub fn touch(&mut self, side: Side, ticks: i64, id: i64) {
        self.first.get_or_insert(id);
        self.last = id;
        match side {
            Side::Bid => self.bids.insert(ticks),
            Side::Ask => self.asks.insert(ticks),
        };
    }

    /// Whether an update came since the last message.
    pub const fn is_touched(&self) -> bool {
        self.first.is_some()
    }

    /// Takes what a message now has to say.
    pub fn take(&mut self, truth: &Book, depth: Option<usize>, touched: bool) -> Changes {
        let (bids, asks) = (std::mem::take(&mut self.bids), std::mem::take(&mut self.asks));
        let image = self.history.image();
        let narrow = depth.is_some_and(|depth| {
            let full = |side| truth.len(side) > depth || image.len(side) > depth;
            full(Side::Bid) || full(Side::Ask)
        });
        if let Some(depth) = depth.filter(|_| narrow) {
            return Changes::between(image, &truth.top(depth));
        }
        let change = |side: Side| {
            move |ticks: i64| Change {
                ticks,
                was: image.lots(side, ticks),
                now: truth.lots(side, ticks),
            }
        };
        let said = |change: &Change| touched || change.was != change.now;
        Changes {
            bids: bids.into_iter().rev().map(change(Side::Bid)).filter(said).collect(),
            asks: asks.into_iter().map(change(Side::Ask)).filter(said).collect(),
        }
    }

    /// A message was said: the book stands at `seq`.
    pub fn said(&mut self, seq: i64, changes: &Changes, now_ns: u64) {
        let bids = changes.bids.iter().map(|c| (Side::Bid, c.ticks, c.now));
        let asks = changes.asks.iter().map(|c| (Side::Ask, c.ticks, c.now));
        self.history.apply(seq, bids.chain(asks));
        self.first = None;
        self.last = self.last.max(seq);
        self.said_ns = now_ns;
    }

    /// The tick became finer: the same prices in other numbers.
    pub fn refine(&mut self, grid: crate::book::Grid, factor: i64) {
        let image = self.history.image().refined(grid, factor);
        self.history.refine(image, factor);
        let finer = |set: &BTreeSet<i64>| set.iter().map(|t| t.saturating_mul(factor)).collect();
        (self.bids, self.asks) = (finer(&self.bids), finer(&self.asks));
    }
}
