//! A thread's share of a recording, read at its pace.

use super::publications::Publications;
use super::writer::{Intake, Step};
use crate::reader::Wait;
use crate::report::BookReport;
use crate::run::Replay;
use gapless_book::event::NO_TIME;
use gapless_replay::merge::Failure;
use gapless_replay::pace::{Pacer, Speed};
use gapless_venues::books::BookId;
use std::time::{Duration, Instant};

/// Frames between two looks at commands and clock: some 50 µs at full speed. A model looks after
/// each one.
const FRAMES_A_TURN: u64 = if cfg!(feature = "shuttle") { 1 } else { 64 };

/// See the module's page.
pub(super) struct Recorded {
    pub replay: Replay,
    /// When each item is due; `None` at full speed.
    pub pacer: Option<Pacer>,
    /// Zero of the pacer's times.
    pub start: Instant,
    pub idle: Wait,
    /// Which silence makes a book stale, if any does.
    pub silence: Option<Silence>,
    /// When the next item is due, since `start`; `None` if nothing says so.
    pub due: Option<Duration>,
}

/// When books are looked at for having been silent too long, in their source's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    limit_ns: i64,
    next_ns: i64,
}

impl Silence {
    pub fn new(limit: Duration) -> Self {
        Self { limit_ns: i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX), next_ns: i64::MIN }
    }

    /// The limit, if it is time to look: ten times in it.
    fn due(&mut self, now_ns: i64) -> Option<i64> {
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns = now_ns.saturating_add(self.limit_ns / 10);
        Some(self.limit_ns)
    }
}

impl Intake for Recorded {
    fn read(
        &mut self,
        books: &mut Publications,
        at_most: Duration,
        failed: &mut dyn FnMut(String),
    ) -> Step {
        let mut at_once = Pacer::new(Speed::Max);
        for _ in 0..FRAMES_A_TURN {
            match self.is_due(books, at_most) {
                Ok(true) => {}
                Ok(false) => return Step::Go,
                Err(failure) => {
                    self.failed(failure, books, failed);
                    continue;
                }
            }
            let (due, start) = (self.due, self.start);
            let mut here = |books: &mut Publications, _| {
                // Looked at now: what reading the item took is part of its being late.
                let late = due.map(|due| start.elapsed().saturating_sub(due).as_nanos());
                books.begin(late.map(|ns| u64::try_from(ns).unwrap_or(u64::MAX)));
                true
            };
            match self.replay.step(books, &mut at_once, &mut here, &mut |_| {}) {
                Ok(None) => {}
                Ok(Some(_)) => {
                    self.replay.finish(books, |error| failed(error.to_string()));
                    return Step::End;
                }
                Err(failure) => self.failed(failure, books, failed),
            }
            if books.wants_attention() {
                return Step::Go;
            }
        }
        Step::Go
    }

    fn book(&self, line: usize, book: BookId) -> Option<BookReport<'_>> {
        self.replay.book(line, book)
    }

    fn instrument_name(&self, line: usize, exchange: &str, symbol: &str) -> Option<String> {
        self.replay.instrument_name(line, exchange, symbol)
    }

    fn all(&self) -> Vec<BookReport<'_>> {
        self.replay.books().collect()
    }
}

impl Recorded {
    /// Whether the next item is due; if not, some of the time until then has passed.
    fn is_due(&mut self, books: &mut Publications, at_most: Duration) -> Result<bool, Failure> {
        if self.pacer.is_none() && self.silence.is_none() {
            return Ok(true);
        }
        let next = self.replay.peek()?;
        let recv_ns = next.map_or(NO_TIME, |(recv_ns, _)| recv_ns);
        let mut due = Duration::ZERO;
        if let (Some(pacer), Some((recv_ns, false))) = (&mut self.pacer, next) {
            pacer.pace(recv_ns, |offset| due = offset);
        }
        let left = due.saturating_sub(self.start.elapsed());
        self.due = self.pacer.is_some().then_some(due);
        if self.silence.is_some() && recv_ns != NO_TIME {
            self.look_for_silence(recv_ns.saturating_sub(self.recorded_ns(left)), books);
        }
        if left.is_zero() {
            return Ok(true);
        }
        match self.idle {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
            Wait::Sleep(longest) => std::thread::sleep(left.min(longest).min(at_most)),
        }
        Ok(false)
    }

    /// So much time in the time of the recording.
    fn recorded_ns(&self, time: Duration) -> i64 {
        let time = match self.replay.speed() {
            Speed::Max => time,
            Speed::Factor(factor) => {
                let seconds = time.as_secs_f64() * factor;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        };
        i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
    }

    /// It is so late in the source's time: books that were silent for too long are stale.
    fn look_for_silence(&mut self, now_ns: i64, books: &mut Publications) {
        if let Some(limit_ns) = self.silence.as_mut().and_then(|silence| silence.due(now_ns)) {
            self.replay.driver_mut().freshness_at(now_ns, limit_ns, books);
        }
    }

    fn failed(
        &mut self,
        failure: Failure,
        books: &mut Publications,
        failed: &mut dyn FnMut(String),
    ) {
        failed(self.replay.broke_off(failure, books).to_string());
    }
}
