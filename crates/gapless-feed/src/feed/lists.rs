//! What the venue says of its instruments, asked at the start and again and again.
//!
//! Invariants: no book waits for a list; one that cannot be had changes nothing; an instrument that
//! a list leaves out is gone only when the next one leaves it out, too.

use super::Feed;
use crate::backoff::Backoff;
use crate::command::{FetchId, redacted};
use crate::connection::Connection;
use crate::fetches::{Job, Purpose};
use crate::lists::{ListRead, ListReader};
use crate::source::SourceConfig;
use gapless_venues::instruments::{Instrument, Instruments, List};
use gapless_venues::session::{LineId, Watcher, Wire};
use gapless_venues::venue::{HttpAnswer, RestVerdict};
use std::sync::Arc;

/// No connection: a list is wanted whatever becomes of them.
const NOBODY: u32 = u32::MAX;
/// Sources that start together ask within so long, ns.
const START_NS: i64 = 1_000_000_000;
/// The wait after a list that could not be had, ns; twice as long after each that follows.
const AGAIN_NS_MIN: i64 = 5_000_000_000;
/// How often it doubles.
const AGAIN_DOUBLINGS: u32 = 6;
/// After so long it is looked again for what a list has left out, ns.
const LEFT_OUT_NS: i64 = 60_000_000_000;
/// Pages of a list.
pub const PAGES_MAX: u32 = 64;

/// The lists of a source.
#[derive(Debug)]
pub(super) struct Lists {
    /// When they are asked for next, ns; `i64::MAX`: never.
    pub next: i64,
    reader: ListReader,
    parts: Vec<Part>,
    /// What the sessions were given.
    table: Arc<Instruments>,
    /// Failures since a list was read.
    failures: u32,
    /// What was told last, and whether it still is to be.
    trouble: String,
    is_untold: bool,
}

/// One of the lists that the topics need.
#[derive(Debug, Default)]
struct Part {
    /// Path of its first page.
    path: String,
    /// Rows of the source's symbols, as far as the list was read to its end.
    rows: Vec<Instrument>,
    /// What the pages have said so far.
    coming: List,
    pages: u32,
    /// Rows of these pages, of whatever symbols.
    seen: usize,
    /// Symbols that the last list has left out.
    left_out: Vec<String>,
}

impl Lists {
    pub fn new(config: &SourceConfig) -> Self {
        let paths = config.lists_ns.map(|_| config.lists());
        let part = |path| Part { path, ..Part::default() };
        let symbols = config.topics.iter().map(|topic| topic.symbol.clone()).collect();
        Self {
            next: i64::MAX,
            reader: ListReader::new(config.venue, symbols),
            parts: paths.unwrap_or_default().into_iter().map(part).collect(),
            table: Arc::clone(&config.instruments),
            failures: 0,
            trouble: String::new(),
            is_untold: false,
        }
    }

    /// Whose page a path asks for.
    fn part(&mut self, path: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| {
            path.strip_prefix(&*part.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('&'))
        })
    }

    fn tell(&mut self, trouble: String) {
        self.is_untold |= self.trouble != trouble;
        self.trouble = trouble;
    }
}

impl Part {
    /// Begins to read the list anew.
    fn restart(&mut self) {
        (self.coming, self.pages, self.seen) = (List::default(), 0, 0);
    }

    /// Takes a page; the path of the next one, if there is one.
    fn page(&mut self, mut list: List, rows: usize) -> Option<String> {
        self.coming.instruments.append(&mut list.instruments);
        self.coming.refused.append(&mut list.refused);
        self.pages += 1;
        self.seen += rows;
        let joint = if self.path.contains('?') { '&' } else { '?' };
        list.next.map(|next| format!("{}{joint}{next}", self.path))
    }

    /// The list was read to its end; whether it has left out what it had before.
    fn finish(&mut self) -> bool {
        let List { instruments: mut rows, refused, .. } = std::mem::take(&mut self.coming);
        let mut left_out = Vec::new();
        for old in self.rows.drain(..) {
            if rows.iter().any(|row| (row.market, &row.symbol) == (old.market, &old.symbol)) {
                continue;
            }
            // It is there and cannot be read, or may be.
            let is_refused = |symbol: &String| symbol.is_empty() || *symbol == old.symbol;
            let is_there = refused.iter().any(|error| is_refused(&error.symbol));
            if !is_there && self.left_out.contains(&old.symbol) {
                continue;
            }
            if !is_there {
                left_out.push(old.symbol.clone());
            }
            rows.push(old);
        }
        self.rows = rows;
        self.left_out = left_out;
        self.restart();
        !self.left_out.is_empty()
    }
}

impl Feed {
    /// The sessions know what is known already, and the venue is asked for more.
    pub(super) fn begin_lists<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        if !self.lists.table.is_empty() {
            self.hand_over_table(now, watcher);
        }
        if let Some(every) = self.config.lists_ns.filter(|_| !self.lists.parts.is_empty()) {
            self.lists.next = now.saturating_add(self.rng.up_to(every.min(START_NS)));
        }
    }

    /// Asks for the lists when it is time, unless the last ones are still waited for.
    pub(super) fn want_lists(&mut self, now: i64) {
        let Some(every) = self.config.lists_ns.filter(|_| now >= self.lists.next) else { return };
        let early = self.rng.up_to(every / 8);
        self.lists.next = now.saturating_add(every - early).max(now.saturating_add(1));
        if self.fetches.has_list() {
            return;
        }
        let paths: Vec<String> = self.lists.parts.iter().map(|part| part.path.clone()).collect();
        for path in paths {
            self.want_list(path, now);
        }
    }

    fn want_list(&mut self, path: String, now: i64) {
        let weight = self.places.first().map_or(1, |p| p.session.wiring().weight(&path));
        let (body, purpose, places) = (None, Purpose::List, vec![NOBODY]);
        let (not_before, backoff) = (now, Backoff::default());
        self.fetches.want(Job { path, body, purpose, weight, places, not_before, backoff });
    }

    /// Who reads the answer to a request, where it is a list's: reading it may take milliseconds
    /// and can be done on any thread. Then [`Feed::listed`] is to be told instead of
    /// [`Feed::answered`], which reads it at once.
    #[must_use]
    pub fn list_reader(&self, id: FetchId) -> Option<ListReader> {
        let job = self.fetches.under_way(id)?;
        (job.purpose == Purpose::List).then(|| self.lists.reader.clone())
    }

    /// What is wrong with the lists, said once for all failures in a row.
    pub fn take_trouble(&mut self) -> Option<String> {
        std::mem::take(&mut self.lists.is_untold).then(|| self.lists.trouble.clone())
    }

    /// A request for a list was answered, and this was read in the answer.
    pub fn listed<W: Watcher>(
        &mut self,
        id: FetchId,
        answer: &HttpAnswer<'_>,
        read: ListRead,
        now: i64,
        watcher: &mut W,
    ) {
        let Some(job) = self.fetches.take(id) else { return };
        if read.verdict != RestVerdict::Ok {
            let wait = self.heed(read.verdict, answer, Purpose::List, now);
            self.unlisted(job, &format!("status {}", answer.status), wait, now);
            return self.ask(now);
        }
        self.count_weight(answer, now);
        match read.list {
            Err(error) => {
                self.fetches.gate().lock().unproven(now);
                self.unlisted(job, &error.to_string(), 0, now);
            }
            Ok(list) => {
                self.fetches.gate().lock().succeeded();
                let url = format!("{}{}", self.rest_base, job.path);
                watcher.line(LineId(0));
                watcher.wire(now, &Wire::Answer { url: &redacted(&url), body: answer.body });
                self.page(job, list, read.rows, now, watcher);
            }
        }
        self.ask(now);
    }

    fn page<W: Watcher>(&mut self, job: Job, list: List, rows: usize, now: i64, watcher: &mut W) {
        let Some(part) = self.lists.part(&job.path) else { return };
        if let Some(next) = part.page(list, rows) {
            if part.pages >= PAGES_MAX || next == job.path {
                return self.unlisted(job, "its pages have no end", 0, now);
            }
            return self.want_list(next, now);
        }
        if part.seen == 0 {
            return self.unlisted(job, "it is empty", 0, now);
        }
        let refused = part.coming.refused.first().map(|error| format!("not read: {error}"));
        if part.finish() {
            self.lists.next = self.lists.next.min(now.saturating_add(LEFT_OUT_NS));
        }
        self.counters.lists += 1;
        self.lists.failures = 0;
        self.lists.tell(refused.unwrap_or_default());
        self.lists.is_untold &= !self.lists.trouble.is_empty();
        let mut table = Instruments::clone(&self.config.instruments);
        for part in &self.lists.parts {
            let instruments = part.rows.clone();
            table.update(List { instruments, ..List::default() });
        }
        if *self.lists.table != table {
            self.lists.table = Arc::new(table);
            self.hand_over_table(now, watcher);
        }
    }

    /// A list could not be had: it is asked for again from its first page on, ever later.
    pub(super) fn unlisted(&mut self, mut job: Job, why: &str, at_least: i64, now: i64) {
        self.counters.fetches_failed += 1;
        self.counters.lists_failed += 1;
        if let Some(part) = self.lists.part(&job.path) {
            part.restart();
            job.path.clone_from(&part.path);
        }
        if self.lists.failures == 0 {
            self.lists.tell(format!("instruments, {}: {why}", job.path));
        }
        let wait = AGAIN_NS_MIN << self.lists.failures.min(AGAIN_DOUBLINGS);
        let wait = wait.min(self.config.lists_ns.unwrap_or(i64::MAX)).max(at_least);
        self.lists.failures = self.lists.failures.saturating_add(1);
        self.fetches.again(job, now, wait, &mut self.rng);
    }

    /// Every session is given the table; what it means to books is told and acted on by a
    /// connection that is open, where there is one.
    fn hand_over_table<W: Watcher>(&mut self, now: i64, watcher: &mut W) {
        let table = Arc::clone(&self.lists.table);
        for at in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            let home = self.home(at);
            if home != at {
                // It keeps no books, but it may be the first to hear of one.
                if let Some(place) = self.places.get_mut(at as usize) {
                    place.session.instruments(now, &table, &mut ());
                }
                continue;
            }
            let writes =
                |place: &&Connection| place.is_open() && self.home(place.conn().place) == at;
            let writer = self.places.iter().find(writes).map(|place| place.conn().place);
            self.with(writer.unwrap_or(at), watcher, |place, tap| {
                place.session.instruments(now, &table, tap);
            });
            if let Some(place) = self.places.get_mut(at as usize) {
                // To its books this is no news now.
                place.session.instruments(now, &table, &mut ());
            }
            match writer {
                Some(writer) => self.act(writer, now, watcher),
                // What its books want is asked for when it is open again.
                None => self.deeds.clear(),
            }
        }
    }
}
