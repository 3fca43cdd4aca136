//! A thread of an engine whose feed has no sockets: the test plays them.

use super::listing::Part;
use super::publications::Publications;
use super::writer::{Intake, Step};
use super::{Ended, Engine, Interest, Received, Subscription, Thread};
use crate::events::Topic;
use crate::report::{self, BookReport};
use crate::sync::{Receiver, Sender, bounded};
use gapless_book::local::{Reason, State};
use gapless_feed::source::Secret;
use gapless_feed::{Command, ConnId, Feed, SharedGate, SourceConfig, TopicConfig, Why};
use gapless_venues::books::BookId;
use gapless_venues::registry::VenueId;
use gapless_venues::relay::Flavour;
use gapless_venues::session::LineId;
use std::time::{Duration, Instant};

const S: i64 = 1_000_000_000;

type Deed = Box<dyn FnOnce(&mut Played, &mut Publications) + Send>;

/// A feed to which one thing happens after the other.
struct Played {
    feed: Feed,
    now: i64,
    /// Attempts to connect.
    attempts: Vec<ConnId>,
    deeds: Receiver<Deed>,
}

impl Played {
    fn drain(&mut self) {
        while let Some(command) = self.feed.next_command() {
            if let Command::Connect { conn, .. } = command {
                self.attempts.push(conn);
            }
        }
    }

    fn line(line: usize) -> LineId {
        LineId(u32::try_from(line).unwrap())
    }
}

impl Intake for Played {
    fn start(&mut self, books: &mut Publications) {
        self.feed.start(self.now, books);
        self.drain();
    }

    fn read(
        &mut self,
        books: &mut Publications,
        at_most: Duration,
        _: &mut dyn FnMut(String),
    ) -> Step {
        if let Ok(deed) = self.deeds.recv_timeout(at_most.min(Duration::from_millis(20))) {
            deed(self, books);
            self.drain();
        }
        Step::Go
    }

    fn book(&self, line: usize, book: BookId) -> Option<BookReport<'_>> {
        let line = Self::line(line);
        let session = self.feed.session(line)?;
        let entry = session.books().get(book)?;
        Some(BookReport::new("played", self.feed.address(line), session, entry))
    }

    fn instrument_name(&self, line: usize, exchange: &str, symbol: &str) -> Option<String> {
        Some(report::name(self.feed.session(Self::line(line))?, exchange, symbol))
    }

    fn all(&self) -> Vec<BookReport<'_>> {
        Vec::new()
    }

    fn is_hidden(&self, line: usize) -> bool {
        self.feed.is_standby(Self::line(line))
    }
}

/// An engine and what happens to its feed.
struct Rig {
    engine: Engine,
    deeds: Sender<Deed>,
}

impl Rig {
    fn new(channels: &[&str]) -> Self {
        let topic = |channel: &&str| TopicConfig {
            channel: (*channel).to_owned(),
            symbol: "x:aaa".to_owned(),
        };
        let topics = channels.iter().map(topic).collect();
        let config = SourceConfig::new("played", VenueId::Relay, topics);
        let key = Some(Secret::new("first"));
        let config = SourceConfig { flavour: Flavour::PREFIXED, key, ..config };
        let feed = Feed::new(config.clone(), SharedGate::new(&config.live()), 7).unwrap();
        let (deeds, receiver) = bounded(64);
        let now = 1_763_600_000 * S;
        let played = Played { feed, now, attempts: Vec::new(), deeds: receiver };
        let mut engine = Engine::builder().build();
        engine.listing.begin(vec![Part::new(0, Vec::new())]);
        let (commands, receiver) = bounded(8);
        let writer = engine.writer(0, receiver);
        let handle = engine.spawn(writer, Box::new(move || Ok(Box::new(played)))).unwrap();
        engine.threads.push(Thread { source: 0, is_live: true, commands, handle });
        Self { engine, deeds }
    }

    /// Does something on the feed's thread, and waits for it.
    fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Played, &mut Publications) -> T + Send + 'static,
    ) -> T {
        let (sender, done) = bounded(1);
        let deed = move |played: &mut Played, books: &mut Publications| {
            sender.send(what(played, books)).unwrap();
        };
        self.deeds.send(Box::new(deed)).unwrap();
        done.recv().unwrap()
    }

    /// The next attempt to connect succeeds.
    fn accept(&self) -> ConnId {
        self.with(|played, books| {
            for _ in 0..100 {
                played.drain();
                if !played.attempts.is_empty() {
                    break;
                }
                played.now += S / 10;
                played.feed.tick(played.now, books);
            }
            let conn = played.attempts.remove(0);
            played.feed.opened(conn, played.now, books);
            conn
        })
    }

    fn frame(&self, conn: ConnId, frame: String) {
        self.with(move |played, books| {
            played.feed.frame(conn, played.now, frame.as_bytes(), books);
        });
    }

    fn pass(&self, ns: i64) {
        self.with(move |played, books| {
            played.now += ns;
            played.feed.tick(played.now, books);
        });
    }

    fn set_key(&self, key: &str) {
        let key = Secret::new(key);
        self.with(move |played, books| played.feed.set_key(key, played.now, books));
    }
}

fn image(seq: i64) -> String {
    format!(
        r#"{{"type":"book_depth","symbol":"x:aaa","bids":[[10,1]],"asks":[[11,1]],"seqNum":{seq}}}"#
    )
}

fn trade(id: usize) -> String {
    format!(r#"{{"type":"trade","symbol":"x:aaa","price":10,"size":1,"side":"buy","id":"{id}"}}"#)
}

#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_reader_is_carried_over_to_a_connection_that_had_shown_nothing_yet() {
    let rig = Rig::new(&["book_depth_20"]);
    let old = rig.accept();
    rig.frame(old, image(1));
    until("the book is there", || rig.engine.books().len() == 1);
    let name = rig.engine.books()[0].name.clone();
    let reader = rig.engine.book(&name).unwrap();
    until("live", || reader.state() == (State::Live, Reason::None));
    rig.set_key("second");
    let new = rig.accept();
    rig.with(move |played, books| {
        played.feed.closed(old, &Why::Closed(Some(1000)), played.now, books);
    });
    assert_eq!(reader.state(), (State::Syncing, Reason::Disconnected));
    rig.frame(new, image(2));
    until("live again", || reader.state() == (State::Live, Reason::None));
    assert_eq!((rig.engine.books().len(), rig.engine.book(&name).is_ok()), (1, true));
}

/// Everything that is there.
fn count(subscription: &mut Subscription) -> usize {
    let mut events = 0;
    let at_most = Duration::from_millis(200);
    while let Ok(Some(Received::Event(_))) = subscription.next_within(at_most) {
        events += 1;
    }
    events
}

#[test]
fn a_trade_is_told_once_while_one_connection_replaces_another() {
    let mut rig = Rig::new(&["book_depth_20", "trades"]);
    let mut trades = rig.engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    let mut old = rig.accept();
    rig.frame(old, image(1));
    rig.frame(old, trade(0));
    assert_eq!(count(&mut trades), 1);
    for turn in 1..4 {
        rig.set_key(&format!("key {turn}"));
        let new = rig.accept();
        assert_ne!(new.place, old.place);
        rig.frame(old, trade(turn));
        rig.frame(new, trade(turn));
        assert_eq!(count(&mut trades), 1, "{turn}");
        rig.frame(new, image(1));
        rig.pass(S / 5);
        rig.pass(S / 5);
        rig.frame(new, trade(turn + 10));
        assert_eq!(count(&mut trades), 1, "{turn}: the new one is told");
        old = new;
    }
}

#[test]
fn receivers_that_sleep_learn_at_once_that_a_thread_never_began() {
    let mut engine = Engine::builder().build();
    engine.listing.begin(vec![Part::new(0, Vec::new())]);
    let (commands, receiver) = bounded(8);
    let mut subscription = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    let mut writer = engine.writer(0, receiver);
    engine
        .subscribers
        .outlets()
        .unwrap()
        .into_iter()
        .for_each(|outlet| writer.books.outlets.add(outlet));
    let opening = || {
        std::thread::sleep(Duration::from_millis(300));
        Err("no sockets".to_owned())
    };
    let handle = engine.spawn(writer, Box::new(opening)).unwrap();
    engine.threads.push(Thread { source: 0, is_live: true, commands, handle });
    let begun = Instant::now();
    assert_eq!(subscription.next_within(Duration::from_secs(8)), Err(Ended::Closed));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn subscriptions_that_are_gone_are_forgotten() {
    let mut engine = Engine::builder().build();
    for _ in 0..10 {
        drop(engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap());
    }
    let _kept = engine.subscribe(&Interest::in_topics([Topic::Trades])).unwrap();
    assert_eq!(engine.subscribers.count(), 1);
}

#[test]
fn who_joins_a_feed_is_told_when_the_engine_stops() {
    let mut rig = Rig::new(&["book_depth_20"]);
    let joining = std::thread::spawn(rig.engine.joining());
    std::thread::sleep(Duration::from_millis(50));
    assert!(!joining.is_finished());
    rig.engine.stop();
    until("told", || joining.is_finished());
}
