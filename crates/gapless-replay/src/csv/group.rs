//! Rows of `incremental_book_L2` → one message per symbol and `local_timestamp`.
//!
//! A message is a snapshot if a run of `is_snapshot` rows begins in it: then only what stands from
//! the beginning of the last such run on counts, for the run clears the book (protocols.md 6.5,
//! reconstruction). Else it is a delta. Messages come out in the order in which their symbols first
//! appear among the rows of the group.
//!
//! The quick way: most rows repeat the cells before `side` of the row above, so one comparison of
//! bytes finds symbol, times and flag again.

use std::collections::HashMap;

use gapless_book::event::{
    Body, BookKind, BookMessage, Event, Flags, NO_TIME, Scales, SeqInfo, Side, TimeUnit, Times,
};

use super::number::{self, Num};
use super::schema::{ABSENT, Schema};
use super::sides::Sides;
use super::{
    GROUP_ROWS_MAX, Reject, RejectReason, SYMBOLS_MAX, Sink, name_of, optional_time, row, time_ns,
};

/// A symbol of the file.
#[derive(Debug)]
struct Slot {
    exchange: Box<str>,
    symbol: Box<str>,
    /// Scales of its last message, from which the next begins, so that they rarely change.
    scales: Scales,
    /// `is_snapshot` of its last row.
    last_flag: bool,
    /// Its message in the current group.
    message: Option<u32>,
}

/// One symbol's message.
#[derive(Debug)]
struct Message {
    slot: u32,
    kind: BookKind,
    venue: (i64, TimeUnit),
    sides: Sides,
    /// The first row that made it unreadable.
    refused: Option<(RejectReason, u64)>,
}

/// Everything of a row before its level.
#[derive(Clone, Copy, Debug)]
struct Head {
    slot: u32,
    venue: (i64, TimeUnit),
    recv_ns: i64,
    /// `None` = cannot be read.
    snapshot: Option<bool>,
}

/// A row whose symbol and receive time can be read, so that it is known what it spoils.
#[derive(Clone, Copy, Debug)]
struct Row {
    head: Head,
    level: Result<(Side, Num, Num), RejectReason>,
    line: u64,
}

/// A row that may belong to this group or to the next: of a symbol, or of any.
#[derive(Clone, Copy, Debug)]
struct Bad {
    slot: Option<u32>,
    reason: RejectReason,
}

impl From<RejectReason> for Bad {
    fn from(reason: RejectReason) -> Self {
        Self { slot: None, reason }
    }
}

/// Most bad rows of known symbols that are kept for the next group; beyond, every symbol is
/// taken for spoilt.
const CARRIED_MAX: usize = 64;

/// The rows of one `local_timestamp`.
#[derive(Debug)]
pub(super) struct Group {
    split: bool,
    slots: Vec<Slot>,
    by_name: HashMap<Box<[u8]>, u32>,
    /// Reused; the first `used` are this group's.
    messages: Vec<Message>,
    used: usize,
    recv_ns: i64,
    /// First row of the group whose symbol cannot be read.
    unreadable: Option<(RejectReason, u64)>,
    /// The row that ended the group, to begin the next.
    next: Option<Row>,
    /// Bad rows since the last row that is known to be of this group: they may be of the next.
    carried: Vec<(Bad, u64)>,
    /// Cells of the last readable row before `side`, with what they say.
    above: (Vec<u8>, Option<Head>),
    /// Bytes of `exchange,symbol,` in it.
    key_length: usize,
    /// Message that a further row with the cells of `above` belongs to.
    same: Option<u32>,
    cells: row::Cells,
}

impl Group {
    pub(super) fn new(split: bool) -> Self {
        Self {
            split,
            slots: Vec::new(),
            by_name: HashMap::new(),
            messages: Vec::new(),
            used: 0,
            recv_ns: NO_TIME,
            unreadable: None,
            next: None,
            carried: Vec::new(),
            above: (Vec::new(), None),
            key_length: 0,
            same: None,
            cells: row::Cells::default(),
        }
    }

    pub(super) fn recv_ns(&self) -> i64 {
        self.recv_ns
    }

    /// Begins the next group with the row that ended the last one.
    pub(super) fn begin(&mut self) {
        for message in self.messages.iter().take(self.used) {
            if let Some(slot) = self.slots.get_mut(message.slot as usize) {
                slot.message = None;
                // A refused message has none: a scale that it needed goes with it.
                slot.scales = message.sides.scales;
            }
        }
        (self.used, self.recv_ns, self.unreadable, self.same) = (0, NO_TIME, None, None);
        for at in 0..self.carried.len() {
            if let Some((bad, line)) = self.carried.get(at).copied() {
                self.spoil(bad, line);
            }
        }
        self.carried.clear();
        if let Some(row) = self.next.take() {
            self.recv_ns = row.head.recv_ns;
            self.put(row);
        }
    }

    /// Takes in the rows at the beginning of `ahead` whose cells before `side` are those of the
    /// row above, as long as nothing about them is unusual. Returns their bytes and number.
    #[inline]
    pub(super) fn add_same(&mut self, ahead: &[u8]) -> (usize, u64) {
        let Some(message) = self.same.and_then(|at| self.messages.get_mut(at as usize)) else {
            return (0, 0);
        };
        if message.refused.is_some() {
            return (0, 0);
        }
        let above = self.above.0.as_slice();
        let room = GROUP_ROWS_MAX.saturating_sub(message.sides.len()) as u64;
        let (mut rest, mut rows) = (ahead, 0);
        while rows < room
            && let Some(row) = strip_prefix(rest, above)
            && let Some((side, price, qty, after)) = read_usual_level(row)
            && message.sides.push_plain(side, price, qty)
        {
            (rest, rows) = (after, rows + 1);
        }
        (ahead.len() - rest.len(), rows)
    }

    /// Takes a row in; true if it belongs to the next group, which ends this one.
    pub(super) fn add(&mut self, schema: &Schema, text: &[u8], line: u64) -> bool {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        match self.read(schema, text, line) {
            Ok(row) => {
                if row.head.recv_ns != self.recv_ns {
                    if self.recv_ns != NO_TIME {
                        self.next = Some(row);
                        return true;
                    }
                    self.recv_ns = row.head.recv_ns;
                }
                self.carried.clear();
                self.put(row);
            }
            Err(bad) => self.refuse(bad, line),
        }
        false
    }

    /// A line was lost: it may have been anybody's.
    pub(super) fn lose(&mut self, line: u64) {
        self.refuse(RejectReason::Cells.into(), line);
    }

    /// Whether anything was gathered.
    pub(super) fn finish(&self) -> bool {
        self.used > 0 || self.unreadable.is_some()
    }

    /// Gives the messages of the group to a sink.
    pub(super) fn emit<S: Sink>(&mut self, schema: &Schema, sink: &mut S) {
        let channel = schema.dataset.name.as_str();
        for message in self.messages.iter().take(self.used) {
            let Some(slot) = self.slots.get(message.slot as usize) else { continue };
            match message.refused {
                None => sink.event(&message.event(slot, channel, self.recv_ns)),
                Some((reason, line)) => sink.reject(&Reject {
                    exchange: &slot.exchange,
                    symbol: Some(&slot.symbol),
                    channel,
                    book: true,
                    reason,
                    line,
                    recv_ns: self.recv_ns,
                }),
            }
        }
        // Last, so that no snapshot of this group heals what it may have damaged.
        if let Some((reason, line)) = self.unreadable {
            let recv_ns = self.recv_ns;
            let (exchange, symbol) = ("", None);
            sink.reject(&Reject { exchange, symbol, channel, book: true, reason, line, recv_ns });
        }
    }

    #[inline]
    fn read(&mut self, schema: &Schema, text: &[u8], line: u64) -> Result<Row, Bad> {
        if !schema.usual_book {
            return self.read_by_name(schema, text, line);
        }
        let head = self.read_head(text)?;
        let rest = text.get(self.above.0.len()..).unwrap_or(&[]);
        Ok(Row { head, level: read_level(rest), line })
    }

    /// Reads `exchange,symbol,timestamp,local_timestamp,is_snapshot,` and keeps it.
    fn read_head(&mut self, line: &[u8]) -> Result<Head, Bad> {
        let known = self.above.1.take().filter(|_| line.starts_with(self.key()));
        let (slot, key) = match known {
            Some(head) => (head.slot, self.key_length),
            None => self.read_key(line)?,
        };
        let bad = |reason| Bad { slot: Some(slot), reason };
        let cells = line.get(key..).unwrap_or(&[]);
        let mut commas = memchr::memchr_iter(b',', cells);
        let mut next = || commas.next().ok_or(bad(RejectReason::Cells));
        let (first, second, third) = (next()?, next()?, next()?);
        let cell = |from: usize, to: usize| cells.get(from..to).unwrap_or(&[]);
        let venue = optional_time(cell(0, first)).map_err(bad)?;
        let recv_ns = time_ns(cell(first + 1, second)).ok_or(bad(RejectReason::Time))?;
        let head = Head { slot, venue, recv_ns, snapshot: flag(cell(second + 1, third)) };
        self.key_length = key;
        self.above.0.clear();
        self.above.0.extend_from_slice(line.get(..key + third + 1).unwrap_or(&[]));
        self.above.1 = Some(head);
        Ok(head)
    }

    /// `exchange,symbol,` of the row above.
    fn key(&self) -> &[u8] {
        self.above.0.get(..self.key_length).unwrap_or(&[])
    }

    /// Reads `exchange,symbol,`: the slot, and the length of the text.
    fn read_key(&mut self, line: &[u8]) -> Result<(u32, usize), Bad> {
        let mut commas = memchr::memchr_iter(b',', line);
        let mut next = || commas.next().ok_or(RejectReason::Cells);
        let (first, second) = (next()?, next()?);
        if next().is_err() {
            return Err(RejectReason::Cells.into());
        }
        Ok((self.slot(line, 0..first, first + 1..second)?, second + 1))
    }

    fn read_by_name(&mut self, schema: &Schema, text: &[u8], line: u64) -> Result<Row, Bad> {
        let mut cells = std::mem::take(&mut self.cells);
        let row = self.read_cells(schema, text, line, &mut cells);
        self.cells = cells;
        row
    }

    fn read_cells(
        &mut self,
        schema: &Schema,
        text: &[u8],
        line: u64,
        cells: &mut row::Cells,
    ) -> Result<Row, Bad> {
        if !cells.split(text, schema.columns) {
            return Err(RejectReason::Cells.into());
        }
        let slot = self.slot(text, cells.range(schema.exchange), cells.range(schema.symbol))?;
        let bad = |reason| Bad { slot: Some(slot), reason };
        let cell = |at: usize| cells.get(text, at);
        let own = |at: usize| cell(schema.rest.get(at).copied().unwrap_or(ABSENT));
        let venue = optional_time(cell(schema.timestamp)).map_err(bad)?;
        let recv_ns = time_ns(cell(schema.local)).ok_or(bad(RejectReason::Time))?;
        let head = Head { slot, venue, recv_ns, snapshot: flag(own(0)) };
        let number = |text| whole_number(text).ok_or(RejectReason::Number);
        let level = side(own(1))
            .ok_or(RejectReason::Side)
            .and_then(|side| Ok((side, number(own(2))?, number(own(3))?)));
        Ok(Row { head, level, line })
    }

    /// The slot of an exchange and symbol, made at their first row.
    fn slot(
        &mut self,
        line: &[u8],
        exchange: std::ops::Range<usize>,
        symbol: std::ops::Range<usize>,
    ) -> Result<u32, Bad> {
        // In Tardis' order the two cells and the comma between them are one key as they stand.
        let adjacent = symbol.start == exchange.end + 1;
        let span = exchange.start..symbol.end;
        if let Some(slot) =
            line.get(span.clone()).filter(|_| adjacent).and_then(|k| self.by_name.get(k))
        {
            return Ok(*slot);
        }
        self.new_slot(line.get(exchange).unwrap_or(&[]), line.get(symbol).unwrap_or(&[]))
    }

    #[cold]
    fn new_slot(&mut self, exchange: &[u8], symbol: &[u8]) -> Result<u32, Bad> {
        let key = [exchange, b",", symbol].concat();
        if let Some(slot) = self.by_name.get(key.as_slice()) {
            return Ok(*slot);
        }
        let (Some(exchange), Some(symbol)) = (name_of(exchange), name_of(symbol)) else {
            return Err(RejectReason::Symbol.into());
        };
        if self.slots.len() >= SYMBOLS_MAX {
            return Err(RejectReason::TooManySymbols.into());
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            exchange: exchange.into(),
            symbol: symbol.into(),
            scales: Scales::default(),
            last_flag: false,
            message: None,
        });
        self.by_name.insert(key.into(), slot);
        Ok(slot)
    }

    /// Adds a row to its symbol's message.
    fn put(&mut self, Row { head, level, line }: Row) {
        let Some(slot) = self.slots.get_mut(head.slot as usize) else { return };
        let is_new = slot.message.is_none();
        let flag = head.snapshot.unwrap_or(slot.last_flag);
        let begins = flag && (!slot.last_flag || (is_new && self.split));
        slot.last_flag = flag;
        let Some(message) = message_of(slot, head.slot, &mut self.messages, &mut self.used) else {
            return;
        };
        message.venue = head.venue;
        if begins && message.refused.is_none() {
            message.kind = BookKind::Snapshot;
            message.sides.clear(Scales::default());
        }
        if head.snapshot.is_none() {
            message.refuse(RejectReason::Flag, line);
            return;
        }
        message.add(level, line);
        self.same = slot.message.filter(|_| self.above.1.is_some());
    }

    /// Spoils what a bad row may belong to: the current group, and the next unless a further row
    /// of this one follows.
    #[cold]
    fn refuse(&mut self, bad: Bad, line: u64) {
        self.same = None;
        self.spoil(bad, line);
        let all = Bad { slot: None, ..bad };
        match self.carried.len() {
            ..CARRIED_MAX => self.carried.push((bad, line)),
            CARRIED_MAX => self.carried.push((all, line)),
            _ => {}
        }
    }

    #[cold]
    fn spoil(&mut self, bad: Bad, line: u64) {
        let Some(at) = bad.slot else {
            self.unreadable = self.unreadable.or(Some((bad.reason, line)));
            return;
        };
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        if let Some(message) = message_of(slot, at, &mut self.messages, &mut self.used) {
            message.refuse(bad.reason, line);
        }
    }
}

/// The slot's message in the current group, made from the pool at its first row.
#[inline]
fn message_of<'a>(
    slot: &mut Slot,
    at: u32,
    messages: &'a mut Vec<Message>,
    used: &mut usize,
) -> Option<&'a mut Message> {
    if let Some(message) = slot.message {
        return messages.get_mut(message as usize);
    }
    slot.message = u32::try_from(*used).ok();
    if messages.len() == *used {
        messages.push(Message {
            slot: at,
            kind: BookKind::Delta,
            venue: (NO_TIME, TimeUnit::Micro),
            sides: Sides::default(),
            refused: None,
        });
    }
    let message = messages.get_mut(*used)?;
    *used += 1;
    (message.slot, message.kind, message.refused) = (at, BookKind::Delta, None);
    message.sides.clear(slot.scales);
    Some(message)
}

impl Message {
    #[inline]
    fn add(&mut self, level: Result<(Side, Num, Num), RejectReason>, line: u64) {
        if self.refused.is_some() {
            return;
        }
        let result = level.and_then(|(side, price, qty)| {
            if self.sides.len() >= GROUP_ROWS_MAX {
                return Err(RejectReason::TooManyRows);
            }
            self.sides.push(side, price, qty)
        });
        if let Err(reason) = result {
            self.refuse(reason, line);
        }
    }

    #[cold]
    fn refuse(&mut self, reason: RejectReason, line: u64) {
        self.refused = self.refused.or(Some((reason, line)));
        self.sides.clear(Scales::default());
    }

    #[inline]
    fn event<'a>(&'a self, slot: &'a Slot, channel: &'a str, recv_ns: i64) -> Event<'a> {
        let (venue_ns, unit) = self.venue;
        let times = Times { venue_ns, engine_ns: NO_TIME, recv_ns, unit };
        Event {
            symbol: &slot.symbol,
            channel,
            exchange: &slot.exchange,
            times,
            flags: Flags::LAST_IN_FRAME,
            // The rows of a message need not stand together; their every cell is in the fields.
            raw: &[],
            body: Body::Book(BookMessage {
                kind: self.kind,
                seq: SeqInfo::default(),
                scales: self.sides.scales,
                bids: self.sides.bids(),
                asks: self.sides.asks(),
                extras: &[],
                depth_limit: None,
            }),
        }
    }
}

/// As the slice's own method, for prefixes of some tens of bytes: no call.
#[inline]
fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    if prefix.len() < 16 {
        return (head == prefix).then_some(rest);
    }
    let ((blocks, _), (others, _)) = (head.as_chunks::<16>(), prefix.as_chunks::<16>());
    let differing = |a: &[u8; 16], b: &[u8; 16]| u128::from_ne_bytes(*a) ^ u128::from_ne_bytes(*b);
    // One branch for all blocks: where one row repeats the head of another, most do.
    let tail = differing(head.last_chunk()?, prefix.last_chunk()?);
    let all = blocks.iter().zip(others).fold(tail, |all, (a, b)| all | differing(a, b));
    (all == 0).then_some(rest)
}

/// Reads `side,price,amount` LF at the beginning of `text` where both numbers are plain; what
/// follows it.
#[inline]
fn read_usual_level(text: &[u8]) -> Option<(Side, Num, Num, &[u8])> {
    let (side, rest) = text.split_first_chunk::<4>()?;
    let bid = side == b"bid,";
    if !bid && side != b"ask," {
        return None;
    }
    let side = if bid { Side::Bid } else { Side::Ask };
    let (price, rest) = number::read_plain(rest, b',')?;
    let (qty, rest) = number::read_plain(rest, b'\n')?;
    Some((side, price, qty, rest))
}

/// Reads `side,price,amount`.
fn read_level(text: &[u8]) -> Result<(Side, Num, Num), RejectReason> {
    let (side, rest) = match text {
        [b'b', b'i', b'd', b',', rest @ ..] => (Side::Bid, rest),
        [b'a', b's', b'k', b',', rest @ ..] => (Side::Ask, rest),
        _ => return Err(RejectReason::Side),
    };
    let (price, length) = number::read(rest).ok_or(RejectReason::Number)?;
    let rest = rest.get(length + 1..).ok_or(RejectReason::Cells)?;
    let (qty, length) = number::read(rest).ok_or(RejectReason::Number)?;
    if length == rest.len() { Ok((side, price, qty)) } else { Err(RejectReason::Cells) }
}

fn whole_number(text: &[u8]) -> Option<Num> {
    number::read(text).filter(|(_, length)| *length == text.len()).map(|(number, _)| number)
}

fn side(cell: &[u8]) -> Option<Side> {
    match cell {
        b"bid" => Some(Side::Bid),
        b"ask" => Some(Side::Ask),
        _ => None,
    }
}

fn flag(cell: &[u8]) -> Option<bool> {
    match cell {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_compared_to_its_last_byte() {
        for length in [0, 1, 15, 16, 17, 31, 32, 40, 66] {
            let prefix: Vec<u8> = (0..length).map(|n| b'a' + n % 26).collect();
            let text = [prefix.as_slice(), b"rest"].concat();
            assert_eq!(strip_prefix(&text, &prefix), Some(b"rest".as_slice()), "{length}");
            for at in 0..prefix.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert_eq!(strip_prefix(&other, &prefix), None, "{length} {at}");
            }
            assert_eq!(
                strip_prefix(&prefix[..prefix.len().saturating_sub(1)], &prefix),
                if length == 0 { Some(b"".as_slice()) } else { None }
            );
        }
    }
}
