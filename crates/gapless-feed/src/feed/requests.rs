//! What a source asks for over HTTP: whole books, what is polled, what a relay repeats; and what
//! becomes of the answers.

use super::{Feed, with_key};
use crate::backoff::Backoff;
use crate::command::{Command, FetchId, redacted};
use crate::connection::Connection;
use crate::fetches::{Job, Purpose};
use crate::quarantine::{PROBE_NS_MAX, PROBE_NS_MIN};
use crate::source::{Secret, SourceConfig, TopicConfig};
use gapless_book::local::Reason;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::live::Lost;
use gapless_venues::registry::VenueId;
use gapless_venues::session::{LineId, Watcher, Wire};
use gapless_venues::venue::{HttpAnswer, RestVerdict, Topic};
use std::sync::Arc;

/// The status of an address that is banned.
const BANNED: u16 = 418;

impl Feed {
    /// An HTTP request was answered.
    pub fn answered<W: Watcher>(
        &mut self,
        id: FetchId,
        answer: &HttpAnswer<'_>,
        now: i64,
        watcher: &mut W,
    ) {
        if let Some(reader) = self.list_reader(id) {
            return self.listed(id, answer, reader.read(answer), now, watcher);
        }
        let Some(job) = self.fetches.take(id) else { return };
        let verdict = self.config.venue.rest_verdict(answer);
        if verdict == RestVerdict::Ok {
            self.count_weight(answer, now);
            if job.body.is_none() && job.backoff.failures() > 0 {
                self.grant_job(&job, watcher);
            }
            return self.deliver(job, answer, now, watcher);
        }
        let wait = self.heed(verdict, answer, job.purpose, now);
        match verdict {
            RestVerdict::Auth if id >= self.key_since => {
                self.refuse_key(job, now, watcher);
            }
            RestVerdict::Refused => {
                self.refuse_job(&job, watcher);
                if job.body.is_none() && job.purpose != Purpose::Poll {
                    // A symbol may be listed again, or for the first time.
                    let wait = PROBE_NS_MIN.saturating_mul(1 << job.backoff.failures().min(10));
                    self.fetches.again(job, now, wait.min(PROBE_NS_MAX), &mut self.rng);
                }
            }
            _ => self.fetches.again(job, now, wait, &mut self.rng),
        }
        self.counters.fetches_failed += 1;
        self.ask(now);
    }

    /// Others may spend from the same budget.
    pub(super) fn count_weight(&mut self, answer: &HttpAnswer<'_>, now: i64) {
        let used = self.places.first().and_then(|p| p.session.wiring().used_weight(answer));
        if let Some(used) = used {
            self.fetches.gate().lock().counted(now, used);
        }
    }

    /// What an answer that is none means to all who ask this venue, and how long its asker waits at
    /// least, ns.
    pub(super) fn heed(
        &mut self,
        verdict: RestVerdict,
        answer: &HttpAnswer<'_>,
        purpose: Purpose,
        now: i64,
    ) -> i64 {
        self.count_weight(answer, now);
        let ns = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let mut gate = self.fetches.gate().lock();
        match verdict {
            RestVerdict::StopAll { wait_ms } => {
                match answer.status {
                    BANNED => gate.ban(now, Some(ns(wait_ms))),
                    // Requests were too many; of connections nothing is said.
                    _ => gate.hold(now, ns(wait_ms)),
                }
                ns(wait_ms)
            }
            RestVerdict::Retry { wait_ms } => {
                let is_limit = answer.status == 429 || answer.is_json();
                match answer.status {
                    ..500 if is_limit && self.config.venue != VenueId::Relay => {
                        gate.hold(now, ns(wait_ms));
                    }
                    // A relay counts every kind of request for itself.
                    ..500 if is_limit => gate.answered(),
                    _ if purpose == Purpose::List => gate.unproven(now),
                    _ => gate.failed(now),
                }
                ns(wait_ms)
            }
            _ => {
                gate.answered();
                0
            }
        }
    }

    /// An HTTP request has no answer and will have none.
    pub fn fetch_failed(&mut self, id: FetchId, now: i64) {
        if let Some(job) = self.fetches.take(id) {
            self.lost_fetch(job, now);
            self.ask(now);
        }
    }

    /// An answer came, but too late to be read: it is asked for again, and the server did no wrong.
    pub fn fetch_unread(&mut self, id: FetchId, now: i64) {
        let Some(job) = self.fetches.take(id) else { return };
        if job.purpose == Purpose::List {
            return self.unlisted(job, "an answer that came too late to be read", 0, now);
        }
        self.counters.fetches_failed += 1;
        self.fetches.again(job, now, 0, &mut self.rng);
        self.ask(now);
    }

    /// The key was refused for a request. A connection that it brings data over shows that it is
    /// good for that: its books stay, and those that want the request say why they have nothing.
    fn refuse_key<W: Watcher>(&mut self, mut job: Job, now: i64, watcher: &mut W) {
        let works = |place: &Connection| place.is_open() && place.is_proven() && !place.is_polled();
        let places = std::mem::take(&mut job.places);
        let (work, others) =
            places.into_iter().partition(|at| self.places.get(*at as usize).is_some_and(works));
        for place in others {
            self.void(place, now, watcher);
            self.fail(place, watcher);
        }
        job.places = work;
        if job.body.is_none() {
            self.fail_job(&job, Reason::Auth, watcher);
            self.fetches.again(job, now, PROBE_NS_MIN, &mut self.rng);
        }
    }

    pub(super) fn lost_fetch(&mut self, job: Job, now: i64) {
        if job.purpose == Purpose::List {
            self.fetches.gate().lock().unproven(now);
            return self.unlisted(job, "no answer that can be read", 0, now);
        }
        self.counters.fetches_failed += 1;
        self.fetches.gate().lock().failed(now);
        self.fetches.again(job, now, 0, &mut self.rng);
    }

    /// Gives a body to those who asked for it.
    fn deliver<W: Watcher>(
        &mut self,
        job: Job,
        answer: &HttpAnswer<'_>,
        now: i64,
        watcher: &mut W,
    ) {
        let body = answer.body;
        let url = format!("{}{}", self.rest_base, job.path);
        let mut rejects = 0;
        let mut is_first = true;
        for at in &job.places {
            if !self.places.get(*at as usize).is_some_and(Connection::is_open) {
                continue;
            }
            watcher.line(LineId(*at));
            if std::mem::take(&mut is_first) {
                watcher.wire(now, &Wire::Answer { url: &redacted(&url), body });
            }
            let read = self.with(*at, watcher, |place, tap| {
                place.session.rest(now, &url, body, tap);
                if tap.data && place.is_polled() {
                    place.hear(now);
                    place.has_data(now);
                }
                tap.rejects
            });
            rejects += read.unwrap_or(0);
            self.act(*at, now, watcher);
        }
        let is_read = rejects == 0 || job.body.is_some() || job.purpose == Purpose::Poll;
        if is_read {
            self.fetches.gate().lock().succeeded();
        } else if answer.is_json() {
            // One symbol's trouble: the others' books may be had.
            self.counters.fetches_failed += 1;
            self.fetches.gate().lock().answered();
            self.fetches.again(job, now, 0, &mut self.rng);
        } else {
            // A page of a proxy, half a body: asked for again, slower each time.
            self.lost_fetch(job, now);
        }
        self.ask(now);
    }

    pub(super) fn fetch_book(&mut self, at: u32, book: BookId) {
        let home = self.places.get(self.home(at) as usize);
        let Some(place) = self.places.get(at as usize) else { return };
        let Some(entry) = home.and_then(|home| home.session.books().get(book)) else { return };
        let Some(path) = place.session.snapshot_request(entry) else { return };
        let path = with_depth(path, self.config.snapshot_depth);
        let was_live = entry.local.counters().snapshots > 0;
        self.fetches.want(Job {
            weight: place.session.wiring().weight(&path),
            path,
            body: None,
            purpose: if was_live { Purpose::Resync } else { Purpose::First },
            places: vec![at],
            not_before: i64::MIN,
            backoff: Backoff::default(),
        });
    }

    /// Makes the requests that may be made now.
    pub(super) fn ask(&mut self, now: i64) {
        while let Some((id, job)) = self.fetches.next(now) {
            let url = format!("{}{}", self.rest_base, job.path);
            let (url, headers) = authorized_http(&self.config, self.key.as_ref(), url, &job.path);
            let place = job.places.first().and_then(|at| self.places.get(*at as usize));
            // A list is nobody's: it goes out where the first connection does.
            let place = place.or(self.places.first());
            let local = place.and_then(|place| place.wanted.local);
            self.counters.fetches += 1;
            self.out.push_back(Command::Fetch { id, url, headers, body: job.body.clone(), local });
        }
    }

    /// Subscribes over HTTP, where that is how it is done.
    pub(super) fn subscribe_beside(&mut self, at: u32, now: i64) {
        let Some(place) = self.places.get(at as usize) else { return };
        let topics: Vec<_> = place.wanted.topics.iter().map(TopicConfig::topic).collect();
        for (path, body) in place.session.wiring().post_subscribe(&topics, 1) {
            self.post(at, path, body, now);
        }
    }

    /// Asks a relay to repeat what was lost, where it can: of one book, or of every book of the
    /// connection where a request names one and the notice of the loss did not.
    pub(super) fn repeat(&mut self, at: u32, lost: Lost<'_>, book: Option<BookId>, now: i64) {
        let home = self.places.get(self.home(at) as usize);
        let (Some(home), Some(place)) = (home, self.places.get(at as usize)) else { return };
        let wiring = home.session.wiring();
        let of_each = book.is_none() && self.config.flavour.replay_names_book;
        let mut posts = Vec::new();
        if book.is_none() && !of_each {
            posts.extend(wiring.repeat(lost, None));
        }
        let meant = |id: BookId| of_each || book == Some(id);
        for (_, entry) in home.session.books().iter().filter(|(id, _)| meant(*id)) {
            let BookEntry { exchange, channel, symbol, .. } = entry;
            let brings =
                |topic: &&TopicConfig| wiring.brings(&topic.topic(), (exchange, channel, symbol));
            // The word that was subscribed; ours where none tells.
            let own = format!("{exchange}:{symbol}");
            let subscribed = place.wanted.topics.iter().find(brings).map(TopicConfig::topic);
            let topic = subscribed.unwrap_or(Topic { channel, symbol: &own });
            let post = wiring.repeat(lost, Some(&topic));
            posts.extend(post.filter(|post| !posts.contains(post)));
        }
        for (path, body) in posts {
            self.post(at, path, body, now);
        }
    }

    fn post(&mut self, at: u32, path: String, body: String, now: i64) {
        let (body, places) = (Some(body), vec![at]);
        let (purpose, backoff) = (Purpose::Resync, Backoff::default());
        self.fetches.want(Job { path, body, purpose, weight: 1, places, not_before: now, backoff });
    }

    /// Asks for what is new, where nothing comes by itself.
    pub(super) fn poll(&mut self, at: u32, now: i64) {
        let Some(place) = self.places.get_mut(at as usize).filter(|p| p.is_polled()) else {
            return;
        };
        if !place.is_poll_due(now, self.config.poll_ns) {
            return;
        }
        for topic in Arc::clone(&place.wanted.topics).iter() {
            let wiring = place.session.wiring();
            let (exchange, channel, symbol) = match wiring.book_of(&topic.topic()) {
                Some(names) => names,
                None => ("", topic.channel.as_str(), topic.symbol.as_str()),
            };
            let books = place.session.books();
            let book = books.find(exchange, channel, symbol).and_then(|id| books.get(id));
            let since = book.and_then(|entry| entry.local.seq());
            let Some(path) = wiring.poll(&topic.topic(), since) else { continue };
            self.fetches.want(Job {
                weight: wiring.weight(&path),
                path,
                body: None,
                purpose: Purpose::Poll,
                places: vec![at],
                not_before: now,
                backoff: Backoff::default(),
            });
        }
    }
}

/// A snapshot's path with another depth, where it names one.
pub(super) fn with_depth(path: String, depth: Option<u16>) -> String {
    let Some(depth) = depth else { return path };
    for name in ["&limit=", "&sz=", "&depth="] {
        if let Some(at) = path.find(name) {
            let (head, tail) = path.split_at(at + name.len());
            let rest = tail.find('&').and_then(|end| tail.get(end..)).unwrap_or("");
            return format!("{head}{depth}{rest}");
        }
    }
    path
}

fn authorized_http(
    config: &SourceConfig,
    key: Option<&Secret>,
    url: String,
    _path: &str,
) -> (String, Vec<(String, String)>) {
    with_key(config.flavour.rest_auth, config, key, url, Vec::new())
}
