//! Datasets where a row is a message: images of a book, trades, liquidations, tickers.
//!
//! A row is split once, when the reader goes to it; its numbers are read when it is given out. A
//! row with a cell that cannot be read is refused whole; an empty cell is a missing value.

use std::ops::Range;

use gapless_book::decimal::Decimal;
use gapless_book::event::{
    Bbo, Body, BookKind, BookMessage, Derivative, Event, Flags, Liquidation, NO_TIME, Scales,
    SeqInfo, Side, TakerSide, Times, Trade,
};

use super::number::Num;
use super::schema::{ABSENT, DatasetKind, Schema};
use super::sides::Sides;
use super::{Reject, RejectReason, Sink, name_of, number, optional_time, time_ns};

/// Where the cells of a row end.
#[derive(Debug, Default)]
pub(super) struct Cells {
    ends: Vec<u32>,
}

impl Cells {
    /// Splits a row; false if it has not exactly `columns` cells.
    pub(super) fn split(&mut self, line: &[u8], columns: usize) -> bool {
        self.ends.clear();
        for comma in memchr::memchr_iter(b',', line).take(columns) {
            self.ends.push(u32::try_from(comma).unwrap_or(u32::MAX));
        }
        let exact = self.ends.len() + 1 == columns;
        self.ends.push(u32::try_from(line.len()).unwrap_or(u32::MAX));
        exact
    }

    /// Where a cell lies; an empty range for a column that the file does not have.
    pub(super) fn range(&self, at: usize) -> Range<usize> {
        let Some(end) = self.ends.get(at) else { return 0..0 };
        let start = match at.checked_sub(1).and_then(|before| self.ends.get(before)) {
            Some(before) => *before as usize + 1,
            None => 0,
        };
        start..*end as usize
    }

    pub(super) fn get<'a>(&self, line: &'a [u8], at: usize) -> &'a [u8] {
        line.get(self.range(at)).unwrap_or(&[])
    }
}

/// The current row.
#[derive(Debug)]
pub(super) struct Row {
    cells: Cells,
    /// Not as many cells as the header has columns.
    uneven: bool,
    recv_ns: i64,
    sides: Sides,
}

impl Row {
    pub(super) fn new() -> Self {
        Self { cells: Cells::default(), uneven: false, recv_ns: NO_TIME, sides: Sides::default() }
    }

    pub(super) fn recv_ns(&self) -> i64 {
        self.recv_ns
    }

    /// Goes to a row.
    pub(super) fn read(&mut self, schema: &Schema, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.uneven = !self.cells.split(line, schema.columns);
        let time = self.cells.get(line, schema.local);
        self.recv_ns = if self.uneven { None } else { time_ns(time) }.unwrap_or(NO_TIME);
    }

    /// Gives the row to a sink, as an event or refused.
    pub(super) fn emit<S: Sink>(
        &mut self,
        schema: &Schema,
        line: &[u8],
        number: u64,
        sink: &mut S,
    ) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let name = |at: usize| name_of(self.cells.get(line, at)).filter(|_| !self.uneven);
        let (exchange, symbol) = (name(schema.exchange), name(schema.symbol));
        let view = View { cells: &self.cells, line, schema };
        let result = match (self.uneven, exchange, symbol) {
            (true, _, _) => Err(RejectReason::Cells),
            (_, Some(exchange), Some(symbol)) => view
                .times(self.recv_ns)
                .and_then(|times| Ok((times, view.body(&mut self.sides)?)))
                .map(|(times, body)| Event {
                    symbol,
                    channel: &schema.dataset.name,
                    exchange,
                    times,
                    flags: Flags::LAST_IN_FRAME,
                    raw: line,
                    body,
                }),
            _ => Err(RejectReason::Symbol),
        };
        match result {
            Ok(event) => sink.event(&event),
            Err(reason) => sink.reject(&Reject {
                exchange: exchange.unwrap_or(""),
                symbol,
                channel: &schema.dataset.name,
                book: schema.dataset.kind.is_book(),
                reason,
                line: number,
                recv_ns: self.recv_ns,
            }),
        }
    }
}

/// A row with what is needed to read it.
#[derive(Clone, Copy)]
struct View<'a> {
    cells: &'a Cells,
    line: &'a [u8],
    schema: &'a Schema,
}

impl<'a> View<'a> {
    /// A cell of the dataset's own columns.
    fn own(&self, at: usize) -> &'a [u8] {
        self.cells.get(self.line, self.schema.rest.get(at).copied().unwrap_or(ABSENT))
    }

    fn times(&self, recv_ns: i64) -> Result<Times, RejectReason> {
        if recv_ns == NO_TIME {
            return Err(RejectReason::Time);
        }
        let (venue_ns, unit) = optional_time(self.cells.get(self.line, self.schema.timestamp))?;
        Ok(Times { venue_ns, engine_ns: NO_TIME, recv_ns, unit })
    }

    fn body<'b>(&self, sides: &'b mut Sides) -> Result<Body<'b>, RejectReason>
    where
        'a: 'b,
    {
        Ok(match self.schema.dataset.kind {
            DatasetKind::BookSnapshot => Body::Book(self.image(sides)?),
            DatasetKind::Trades => Body::Trade(self.trade()?),
            DatasetKind::Liquidations => Body::Liquidation(self.liquidation()?),
            DatasetKind::DerivativeTicker => Body::Derivative(self.derivative()?),
            DatasetKind::Quotes | DatasetKind::BookTicker => Body::Bbo(self.bbo()?),
            DatasetKind::IncrementalBook | DatasetKind::OptionsChain => Body::Other,
        })
    }

    fn image<'b>(&self, sides: &'b mut Sides) -> Result<BookMessage<'b>, RejectReason> {
        sides.clear(Scales::default());
        for level in 0..self.schema.rest.len() / 4 {
            for (side, at) in [(Side::Ask, level * 4), (Side::Bid, level * 4 + 2)] {
                match (self.own(at), self.own(at + 1)) {
                    (b"", b"") => {}
                    (b"", _) | (_, b"") => return Err(RejectReason::Level),
                    (price, qty) => sides.push(side, whole(price)?, whole(qty)?)?,
                }
            }
        }
        Ok(BookMessage {
            kind: BookKind::Image,
            seq: SeqInfo::default(),
            scales: sides.scales,
            bids: sides.bids(),
            asks: sides.asks(),
            extras: &[],
            depth_limit: Some(self.schema.dataset.depth),
        })
    }

    fn trade(&self) -> Result<Trade<'a>, RejectReason> {
        let (_, taker) = taker(self.own(0))?;
        Ok(Trade {
            id: text(self.own(3))?,
            seq: None,
            price: number_at(self.own(1))?,
            size: size_at(self.own(2))?,
            taker,
            aggregate: None,
            count: None,
            score: None,
        })
    }

    fn liquidation(&self) -> Result<Liquidation<'a>, RejectReason> {
        let (raw_side, side) = taker(self.own(0))?;
        Ok(Liquidation {
            id: text(self.own(3))?,
            price: number_at(self.own(1))?,
            size: size_at(self.own(2))?,
            filled: None,
            average_price: None,
            side,
            raw_side,
            sampled: false,
            size_usd: None,
        })
    }

    fn derivative(&self) -> Result<Derivative, RejectReason> {
        let number = |at: usize| match self.own(at) {
            b"" => Ok(None),
            cell => number_at(cell).map(Some),
        };
        let funding_time_ns = match self.own(0) {
            b"" => None,
            cell => Some(time_ns(cell).ok_or(RejectReason::Time)?),
        };
        Ok(Derivative {
            funding_time_ns,
            funding_rate: number(1)?,
            predicted_funding: number(2)?,
            open_interest: number(3)?,
            last: number(4)?,
            index: number(5)?,
            mark: number(6)?,
            ..Derivative::default()
        })
    }

    fn bbo(&self) -> Result<Bbo, RejectReason> {
        // A side without price or without size is not quoted.
        let pair = |price: &[u8], size: &[u8]| match (price, size) {
            (b"", _) | (_, b"") => Ok(None),
            (price, size) => Ok(Some((number_at(price)?, size_at(size)?))),
        };
        let ask = pair(self.own(1), self.own(0))?;
        let bid = pair(self.own(2), self.own(3))?;
        Ok(Bbo { bid, ask, update_id: None })
    }
}

fn whole(cell: &[u8]) -> Result<Num, RejectReason> {
    match number::read(cell) {
        Some((number, length)) if length == cell.len() => Ok(number),
        _ => Err(RejectReason::Number),
    }
}

fn number_at(cell: &[u8]) -> Result<Decimal, RejectReason> {
    Decimal::parse(cell).map_err(|_| RejectReason::Number)
}

fn size_at(cell: &[u8]) -> Result<Decimal, RejectReason> {
    let size = number_at(cell)?;
    if size.mantissa() < 0 { Err(RejectReason::NegativeSize) } else { Ok(size) }
}

fn text(cell: &[u8]) -> Result<&str, RejectReason> {
    std::str::from_utf8(cell).map_err(|_| RejectReason::Symbol)
}

/// The side as written and what it means; an empty cell is unknown.
fn taker(cell: &[u8]) -> Result<(&str, TakerSide), RejectReason> {
    match cell {
        b"buy" => Ok(("buy", TakerSide::Buy)),
        b"sell" => Ok(("sell", TakerSide::Sell)),
        b"unknown" => Ok(("unknown", TakerSide::Unknown)),
        b"" => Ok(("", TakerSide::Unknown)),
        _ => Err(RejectReason::Side),
    }
}
