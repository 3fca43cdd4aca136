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
        let topics = place.session.take_requested(id);
        let which: Vec<usize> = topics
            .iter()
            .filter_map(|(channel, symbol)| {
                place
                    .topic_of_book(channel, symbol)
                    .or_else(|| place.find_topic(&format!("{channel}:{symbol}")))
            })
            .collect();
        match (meaning, which.as_slice()) {
            (_, []) => {}
            (Refusal::Topic, [topic]) => self.refuse_topic(at, *topic, now, watcher),
            (Refusal::Topic, many) => {
                let (one, other) = many.split_at(many.len() / 2);
                place.subscribe(one);
                place.subscribe(other);
            }
            (_, many) => {
                place.come_later(now, &mut self.rng);
                place.subscribe(many);
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
        if let Some(refused) = place.refused.get_mut(topic) {
            *refused = true;
        }
        if !place.refused.contains(&false) && place.is_open() {
            // Nothing is left to connect for.
            place.last_why = "every topic was refused".to_owned();
            self.out.push_back(Command::Close { conn: place.conn() });
            self.void(at, now, watcher);
            if let Some(place) = self.places.get_mut(at as usize) {
                place.phase = Phase::Idle;
            }
        }
        self.fail_topic(at, topic, |_| true, watcher);
    }

    /// What was still on its way of a topic that was refused is not the beginning of anything.
    pub(super) fn keep_refused<W: Watcher>(&mut self, at: u32, watcher: &mut W) {
        let Some(place) = self.places.get(at as usize) else { return };
        for topic in place.refused_topics() {
            let waits = |entry: &BookEntry| entry.local.state().0 == State::Syncing;
            self.fail_topic(at, topic, waits, watcher);
        }
    }

    fn fail_topic<W: Watcher>(
        &mut self,
        at: u32,
        topic: usize,
        which: impl Fn(&BookEntry) -> bool,
        watcher: &mut W,
    ) {
        let Some(place) = self.places.get_mut(at as usize) else { return };
        let Some(topic) = place.wanted.topics.get(topic) else { return };
        let channel = place.session.wiring().book_channel(&topic.channel).map(str::to_owned);
        let symbol = topic.symbol.clone();
        let of_it = move |entry: &BookEntry| {
            entry.symbol == symbol
                && channel.as_ref().is_none_or(|name| *name == entry.channel)
                && which(entry)
        };
        self.with(at, watcher, |place, tap| {
            place.session.fail(of_it, Reason::Refused, tap);
        });
    }

    /// The venue will not answer such a request: its books cannot be had.
    pub(super) fn refuse_job<W: Watcher>(&mut self, job: &Job, watcher: &mut W) {
        for at in &job.places {
            let Some(home) = self.places.get(self.home(*at) as usize) else { continue };
            let depth = self.config.snapshot_depth;
            let asked = |entry: &BookEntry, session: &AnySession| {
                session.snapshot_request(entry).map(|path| with_depth(path, depth))
                    == Some(job.path.clone())
            };
            let books = home.session.books().iter();
            let own = books.filter(|(_, entry)| asked(entry, &home.session));
            let own: Vec<_> =
                own.map(|(_, entry)| (entry.channel.clone(), entry.symbol.clone())).collect();
            let is_own = |entry: &BookEntry| {
                own.iter().any(|(c, s)| *c == entry.channel && *s == entry.symbol)
            };
            self.with(*at, watcher, |place, tap| {
                place.session.fail(is_own, Reason::Refused, tap);
            });
        }
    }
}
