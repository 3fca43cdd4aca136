//! What a venue refuses: credentials, topics, requests; whose books say so, what is tried again.

use super::Feed;
use super::requests::with_depth;
use crate::command::Command;
use crate::connection::Phase;
use crate::fetches::Job;
use gapless_book::local::{Reason, State};
use gapless_venues::books::BookEntry;
use gapless_venues::live::Refusal;
use gapless_venues::registry::AnySession;
use gapless_venues::session::Watcher;

impl Feed {
    /// A request of several topics is taken apart until the one is found that is not to be had.
    pub(super) fn refused<W: Watcher>(
        &mut self,
        at: u32,
        id: Option<u64>,
        (code, words): (&str, &str),
        now: i64,
        watcher: &mut W,
    ) {
        self.counters.refusals += 1;
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let meaning = place.session.wiring().refusal(code, words);
        if meaning == Refusal::Auth {
            place.last_why = "the credentials were refused".to_owned();
            self.void(at, now, watcher);
            return self.fail(at, watcher);
        }
        let Some(id) = place.refused_request(id) else { return };
        let which = place.take_topics(id);
        let left = place.left_by(id);
        if !left.is_empty() {
            // What was not left is not joined anew: no snapshot would come of it.
            place.come_later(now, &mut self.rng);
            return self.leave_again(at, &left);
        }
        match (meaning, which.as_slice()) {
            (_, []) => {}
            (Refusal::Topic, [topic]) => self.refuse_topic(at, *topic, now, watcher),
            (_, [topic]) if place.quarantine.holds(*topic) => {
                place.come_later(now, &mut self.rng);
                place.forget_probe();
                self.rest(at, now, watcher);
            }
            (Refusal::Unknown, [topic]) if place.quarantine.doubt(*topic, now) => {
                self.refuse_topic(at, *topic, now, watcher);
            }
            (Refusal::Topic, many) => place.subscribe_halves(many),
            (Refusal::Unknown, many) => {
                place.come_later(now, &mut self.rng);
                // If it was for one of them, it shall not keep the others.
                place.subscribe_halves(many);
            }
            (_, many) => {
                place.come_later(now, &mut self.rng);
                place.subscribe(many);
            }
        }
    }

    /// The subscriptions of these topics are made anew once more, but for those that are live.
    fn leave_again(&mut self, at: u32, topics: &[usize]) {
        let lost: Vec<usize> = topics.iter().copied().filter(|t| !self.is_had(at, *t)).collect();
        if let Some(place) = self.places.get_mut(at as usize).filter(|_| !lost.is_empty()) {
            place.renew_topics(&lost);
        }
    }

    /// Whether a topic has a live book.
    fn is_had(&self, at: u32, topic: usize) -> bool {
        let Some(of_it) = self.of_topic(at, topic) else { return false };
        let home = self.places.get(self.home(at) as usize);
        let mut books = home.into_iter().flat_map(|home| home.session.books().iter());
        books.any(|(_, entry)| of_it(entry) && entry.local.state().0 == State::Live)
    }

    /// What was asked for and not answered is asked for again, alone; what is live has been had all
    /// the same. After several times it is not to be had on any connection.
    pub(super) fn ask_unanswered<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        while let Some(place) = self.places.get_mut(at as usize).filter(|place| place.is_open()) {
            let Some(topics) = place.unanswered(now) else { return };
            let mut again = Vec::new();
            for topic in topics {
                if self.is_had(at, topic) {
                    continue;
                }
                let place = self.places.get_mut(at as usize);
                if place.is_some_and(|place| place.quarantine.doubt(topic, now)) {
                    self.refuse_topic(at, topic, now, watcher);
                } else {
                    again.push(topic);
                }
            }
            self.counters.unanswered += 1;
            if let Some(place) = self.places.get_mut(at as usize).filter(|place| place.is_open()) {
                place.subscribe(&again);
            }
        }
    }

    /// A topic is not to be had: its books say so, the others go on.
    pub(super) fn refuse_topic<W: Watcher>(
        &mut self,
        at: u32,
        topic: usize,
        now: i64,
        watcher: &mut W,
    ) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        place.refuse(topic, now, &mut self.rng);
        self.rest(at, now, watcher);
        self.fail_topic(at, topic, |_| true, watcher);
    }

    /// A topic that was refused is to be had: its books begin anew.
    pub(super) fn grant_topic<W: Watcher>(&mut self, at: u32, topic: usize, watcher: &mut W) {
        let Some(of_it) = self.of_topic(at, topic) else { return };
        self.with(at, watcher, |place, tap| place.session.forgive(of_it, Reason::Refused, tap));
    }

    /// A line that opens may bring what was refused to another of the same books.
    pub(super) fn forgive_others<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let Some(place) = self.places.get(at as usize) else { return };
        let held: Vec<_> = place.quarantine.all().filter_map(|t| self.of_topic(at, t)).collect();
        self.with(at, watcher, |place, tap| {
            let own = |entry: &BookEntry| !held.iter().any(|of_it| of_it(entry));
            place.session.forgive(own, Reason::Refused, tap);
        });
    }

    /// Of a connection whose topics were all refused nothing is left to be open for until one is
    /// asked for again.
    fn rest<W: Watcher>(&mut self, at: u32, now: i64, watcher: &mut W) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let until = place.quarantine.next_ns().filter(|until| *until > now);
        let (Some(until), true) = (until, place.quarantine.holds_all() && place.is_open()) else {
            return;
        };
        place.last_why = "every topic was refused".to_owned();
        let is_standby = place.is_standby;
        self.out.push_back(Command::Close { conn: place.conn() });
        self.void(at, now, watcher);
        if let Some(place) = self.places.get_mut(at as usize) {
            place.phase = if is_standby { Phase::Idle } else { Phase::Waiting(until) };
        }
    }

    /// What was still on its way of a topic that was refused is not the beginning of anything.
    pub(super) fn keep_refused<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let Some(place) = self.places.get(at as usize) else { return };
        for topic in place.quarantine.all().collect::<Vec<_>>() {
            let waits = |entry: &BookEntry| entry.local.state().0 == State::Syncing;
            self.fail_topic(at, topic, waits, watcher);
        }
    }

    /// Whether another connection brings a topic to the same books.
    fn has_elsewhere(&self, at: u32, topic: usize) -> bool {
        let places = (0u32..).zip(&self.places);
        let mut others =
            places.filter(|(other, _)| *other != at && self.home(*other) == self.home(at));
        others.any(|(_, place)| place.is_open() && !place.quarantine.holds(topic))
    }

    /// Tells a topic's books.
    fn of_topic(&self, at: u32, topic: usize) -> Option<impl Fn(&BookEntry) -> bool + use<>> {
        let place = self.places.get(at as usize)?;
        let topic = place.wanted.topics.get(topic)?;
        let channel = place.session.wiring().book_channel(&topic.channel).map(str::to_owned);
        let symbol = topic.symbol.clone();
        Some(move |entry: &BookEntry| {
            entry.symbol == symbol && channel.as_ref().is_none_or(|name| *name == entry.channel)
        })
    }

    fn fail_topic<W: Watcher>(
        &mut self,
        at: u32,
        topic: usize,
        which: impl Fn(&BookEntry) -> bool,
        watcher: &mut W,
    ) {
        if self.has_elsewhere(at, topic) {
            return;
        }
        let Some(of_it) = self.of_topic(at, topic) else { return };
        self.with(at, watcher, |place, tap| {
            place.session.fail(|entry| of_it(entry) && which(entry), Reason::Refused, tap);
        });
    }

    /// The venue will not answer such a request: its books cannot be had.
    pub(super) fn refuse_job<W: Watcher>(&mut self, job: &Job, watcher: &mut W) {
        self.fail_job(job, Reason::Refused, watcher);
    }

    pub(super) fn fail_job<W: Watcher>(&mut self, job: &Job, reason: Reason, watcher: &mut W) {
        for at in &job.places {
            let asked_for = self.asked_for(*at, job);
            let is_live = |entry: &BookEntry| entry.local.state().0 == State::Live;
            // Who lives from a socket has no need of it.
            let which =
                |entry: &BookEntry| asked_for(entry) && !(reason == Reason::Auth && is_live(entry));
            self.with(*at, watcher, |place, tap| place.session.fail(which, reason, tap));
        }
    }

    /// The venue answers such a request: its books begin anew, unless their topics are refused.
    pub(super) fn grant_job<W: Watcher>(&mut self, job: &Job, watcher: &mut W) {
        for at in &job.places {
            let asked_for = self.asked_for(*at, job);
            let Some(place) = self.places.get(*at as usize) else { continue };
            let held: Vec<_> =
                place.quarantine.all().filter_map(|t| self.of_topic(*at, t)).collect();
            let own = |entry: &BookEntry| asked_for(entry) && !held.iter().any(|of| of(entry));
            self.with(*at, watcher, |place, tap| {
                place.session.forgive(|entry| own(entry), Reason::Refused, tap);
                place.session.forgive(own, Reason::Auth, tap);
            });
        }
    }

    /// Tells the books that a request is for.
    fn asked_for(&self, at: u32, job: &Job) -> impl Fn(&BookEntry) -> bool + use<> {
        let depth = self.config.snapshot_depth;
        let asked = |entry: &BookEntry, session: &AnySession| {
            session.snapshot_request(entry).map(|path| with_depth(path, depth))
                == Some(job.path.clone())
        };
        let mut own = Vec::new();
        if let Some(home) = self.places.get(self.home(at) as usize) {
            let books = home.session.books().iter().map(|(_, entry)| entry);
            let books = books.filter(|entry| asked(entry, &home.session));
            own.extend(books.map(|entry| (entry.channel.clone(), entry.symbol.clone())));
        }
        move |entry| own.iter().any(|(c, s)| *c == entry.channel && *s == entry.symbol)
    }
}
