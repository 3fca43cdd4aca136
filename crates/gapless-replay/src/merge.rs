//! Several inputs → one sequence by receive time.
//!
//! Each input keeps its own order, whatever its times do; among inputs the earlier receive time
//! goes first and equal times go in the order of the inputs. Memory holds one item per open input;
//! beyond [`OPEN_MAX`] inputs a file is closed again after its first time is known and opened for
//! good when its turn comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use gapless_book::event::NO_TIME;

use crate::error::ReplayError;
use crate::input::{self, Format, Input, Item, Progress, Reader};
use crate::record::Stats;

/// Inputs that are held open from the start; further ones are opened at their turn.
pub const OPEN_MAX: usize = 256;

/// Which part of the inputs is replayed, and how they are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Items before this time are given as warm-up: the books need them, the report does not.
    pub from_ns: Option<i64>,
    /// An input ends at its first item at or after this time.
    pub to_ns: Option<i64>,
    /// The form of every input, where it is not to be told from the bytes.
    pub format: Option<Format>,
}

/// An error with the input that it comes from.
#[derive(Debug)]
pub struct Failure {
    /// Index of the input.
    pub input: usize,
    /// What is wrong. If it is not fatal the input goes on with its next line.
    pub error: ReplayError,
}

/// One item of the sequence.
pub struct Step<'a> {
    /// Index of its input.
    pub input: usize,
    /// Its receive time, or the last one known of its input; `NO_TIME` before any is known.
    pub recv_ns: i64,
    /// Before [`Options::from_ns`].
    pub warmup: bool,
    /// The item.
    pub item: Item<'a>,
}

/// One input on its way.
struct Lane {
    input: Input,
    reader: Option<Reader>,
    /// What a closed reader had met.
    stats: Stats,
    venue: Option<String>,
    format: Option<Format>,
    /// Open, and its item is still to be given.
    fresh: bool,
}

/// Inputs merged by receive time.
pub struct Merged {
    lanes: Vec<Lane>,
    /// Time of each lane's next item, earliest on top.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    options: Options,
    progress: Vec<Progress>,
}

impl Merged {
    /// Opens the inputs. One that cannot be opened is a failure; the others are merged.
    #[must_use]
    pub fn open(inputs: Vec<Input>, options: Options) -> (Self, Vec<Failure>) {
        let lazy = inputs.len() > OPEN_MAX;
        let mut merged =
            Self { lanes: Vec::new(), heap: BinaryHeap::new(), options, progress: Vec::new() };
        let mut failures = Vec::new();
        for (at, input) in inputs.into_iter().enumerate() {
            merged.progress.push(Progress::default());
            merged.lanes.push(Lane {
                input,
                reader: None,
                stats: Stats::default(),
                venue: None,
                format: None,
                fresh: false,
            });
            merged.begin(at, lazy && at >= OPEN_MAX, &mut failures);
        }
        (merged, failures)
    }

    /// Opens a lane and learns the time of its first item.
    fn begin(&mut self, at: usize, lazy: bool, failures: &mut Vec<Failure>) {
        loop {
            match self.start(at) {
                Ok(Some(time)) => {
                    self.heap.push(Reverse((time, at)));
                    break;
                }
                Ok(None) => break,
                Err(error) => {
                    let fatal = error.is_fatal();
                    failures.push(Failure { input: at, error });
                    if fatal || self.lanes.get(at).is_none_or(|lane| lane.reader.is_none()) {
                        break;
                    }
                }
            }
        }
        if let Some(lane) = self.lanes.get_mut(at)
            && (lazy && !lane.input.is_stdin())
        {
            lane.close();
        }
    }

    /// Opens a lane if it is not and goes to its first item; `None` if it has none.
    fn start(&mut self, at: usize) -> Result<Option<i64>, ReplayError> {
        let Some(lane) = self.lanes.get_mut(at) else { return Ok(None) };
        if lane.reader.is_none() {
            let reader = input::open(&lane.input, self.options.format)?;
            if let Some(progress) = self.progress.get_mut(at) {
                *progress = reader.progress();
            }
            lane.format = Some(reader.format());
            lane.reader = Some(reader);
        }
        let Some(reader) = lane.reader.as_mut() else { return Ok(None) };
        lane.fresh = reader.advance()?;
        lane.venue = reader.venue().map(str::to_owned);
        Ok(lane.fresh.then(|| reader.recv_ns()))
    }

    /// Receive time of the earliest item of all that opened inputs begin with, before the first
    /// [`Merged::advance`]; `NO_TIME` if it has none, `None` if there is no item.
    #[must_use]
    pub fn first_ns(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse((time, _))| *time)
    }

    /// When the item was received that [`Merged::advance`] gives next, and whether it is warm-up;
    /// `None` at the end.
    ///
    /// # Errors
    /// As [`Merged::advance`].
    pub fn peek(&mut self) -> Result<Option<(i64, bool)>, Failure> {
        let Some(turn) = self.turn()? else { return Ok(None) };
        Ok(Some((turn.recv_ns, self.is_warmup(turn.recv_ns))))
    }

    fn is_warmup(&self, recv_ns: i64) -> bool {
        self.options.from_ns.is_some_and(|from| recv_ns != NO_TIME && recv_ns < from)
    }

    /// The next item of all; `None` at the end.
    ///
    /// # Errors
    /// What an input's reader reports. If the error is fatal that input has ended; the others go
    /// on either way.
    pub fn advance(&mut self) -> Result<Option<Step<'_>>, Failure> {
        let Some(at) = self.turn()? else { return Ok(None) };
        let warmup = self.is_warmup(at.recv_ns);
        let Some(lane) = self.lanes.get_mut(at.input) else { return Ok(None) };
        lane.fresh = false;
        let Some(item) = lane.reader.as_mut().and_then(Reader::item) else { return Ok(None) };
        Ok(Some(Step { input: at.input, recv_ns: at.recv_ns, warmup, item }))
    }

    /// Brings the lane whose item is next to that item.
    fn turn(&mut self) -> Result<Option<Turn>, Failure> {
        loop {
            let Some(&Reverse((time, at))) = self.heap.peek() else { return Ok(None) };
            let Some(lane) = self.lanes.get(at) else { return Ok(None) };
            if lane.reader.is_none() {
                // Its turn has come for the first time.
                if let Err(error) = self.start(at) {
                    if error.is_fatal() {
                        self.heap.pop();
                    }
                    return Err(Failure { input: at, error });
                }
            } else if lane.fresh {
                if self.options.to_ns.is_some_and(|to| time != NO_TIME && time >= to) {
                    self.end(at);
                    continue;
                }
                return Ok(Some(Turn { input: at, recv_ns: time }));
            } else {
                self.step(at)?;
            }
        }
    }

    /// Moves the lane on top of the heap to its next item.
    fn step(&mut self, at: usize) -> Result<(), Failure> {
        let Some(lane) = self.lanes.get_mut(at) else { return Ok(()) };
        let Some(reader) = lane.reader.as_mut() else { return Ok(()) };
        match reader.advance() {
            Ok(true) => {
                lane.fresh = true;
                let time = reader.recv_ns();
                if let Some(mut top) = self.heap.peek_mut()
                    && time != NO_TIME
                {
                    top.0.0 = time;
                }
                Ok(())
            }
            Ok(false) => {
                self.end(at);
                Ok(())
            }
            Err(error) => {
                if error.is_fatal() {
                    self.end(at);
                }
                Err(Failure { input: at, error })
            }
        }
    }

    /// Ends the lane on top of the heap.
    fn end(&mut self, at: usize) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.close();
        }
        if let Some(top) = self.heap.peek_mut() {
            PeekMut::pop(top);
        }
    }

    /// The inputs, in the order in which their indices count.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.lanes.iter().map(|lane| &lane.input)
    }

    /// What was met of an input so far.
    #[must_use]
    pub fn stats(&self, input: usize) -> Stats {
        let lane = self.lanes.get(input);
        lane.map(|l| l.reader.as_ref().map_or(l.stats, Reader::stats)).unwrap_or_default()
    }

    /// The form of an input; `None` if it could not be opened.
    #[must_use]
    pub fn format(&self, input: usize) -> Option<Format> {
        self.lanes.get(input)?.format
    }

    /// The venue that an input names itself.
    #[must_use]
    pub fn venue(&self, input: usize) -> Option<&str> {
        self.lanes.get(input)?.venue.as_deref()
    }

    /// How far each input has been read, for a progress bar. Beyond [`OPEN_MAX`] inputs the
    /// counters are those of the first look until an input is opened for good.
    #[must_use]
    pub fn progress(&self) -> &[Progress] {
        &self.progress
    }
}

struct Turn {
    input: usize,
    recv_ns: i64,
}

impl Lane {
    fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.stats = reader.stats();
        }
        self.fresh = false;
    }
}
