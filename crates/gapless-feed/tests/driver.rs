//! The driver over sockets that are queues of the test.

use gapless_book::local::{Outcome, State};
use gapless_feed::net::transport::{Answer, Incoming, Outgoing, Question, Socket, Soon, Transport};
use gapless_feed::net::{Clock, Driver};
use gapless_feed::{Feed, SharedGate, SourceConfig, TopicConfig, Why};
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::registry::VenueId;
use gapless_venues::session::{Handler, Watcher};
use gapless_venues::venue::Market;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

type Frames = Rc<RefCell<VecDeque<String>>>;

/// What is to be read of a connection.
struct Queue(Frames, bool);

impl Socket for Queue {
    fn poll_incoming(&mut self, _: &mut Context<'_>) -> Poll<Result<Incoming, Why>> {
        match self.0.borrow_mut().pop_front() {
            Some(text) => Poll::Ready(Ok(Incoming::Text(text.into()))),
            None => Poll::Pending,
        }
    }

    fn send(&mut self, _: Outgoing) -> Result<(), Why> {
        if self.1 { Err(Why::Broken("the peer reads nothing".to_owned())) } else { Ok(()) }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Why>> {
        Poll::Ready(Ok(()))
    }
}

/// Every connection that was made.
#[derive(Clone, Default)]
struct Queues(Rc<RefCell<Vec<Frames>>>, bool);

impl Queues {
    fn put(&self, connection: usize, frame: String) {
        self.0.borrow()[connection].borrow_mut().push_back(frame);
    }
}

impl Transport for Queues {
    type Socket = Queue;

    fn connect(
        &self,
        _: String,
        _: Vec<(String, String)>,
        _: Option<IpAddr>,
    ) -> Soon<Result<Queue, Why>> {
        let frames = Frames::default();
        self.0.borrow_mut().push(frames.clone());
        Box::pin(std::future::ready(Ok(Queue(frames, self.1))))
    }

    fn ask(&self, _: Question) -> Soon<Result<Answer, Why>> {
        Box::pin(std::future::pending())
    }
}

/// State and number of the book after everything that changed it.
#[derive(Debug, Default)]
struct Told(Vec<(State, Option<i64>)>);

impl Handler for Told {
    fn book(&mut self, _: BookId, book: &BookEntry, _: &Outcome) {
        self.0.push((book.local.state().0, book.local.seq()));
    }
}

impl Watcher for Told {}

fn bybit(kind: &str, u: i64) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1763600000300,"data":{{"s":"BTCUSDT","b":[["10","1"]],"a":[["11","1"]],"u":{u},"seq":{u}}},"cts":1763600000297}}"#
    )
}

#[test]
fn a_subscription_that_cannot_be_sent_ends_its_connection() {
    let topic = TopicConfig { channel: "orderbook.50".to_owned(), symbol: "BTCUSDT".to_owned() };
    let config = SourceConfig::new("test", VenueId::Bybit, vec![topic]);
    let feed = Feed::new(config.clone(), SharedGate::new(&config.live()), 7).unwrap();
    let (queues, mut told) = (Queues(Rc::default(), true), Told::default());
    let mut driver = Driver::new(feed, queues.clone(), Clock::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    driver.start(&mut told);
    runtime.block_on(driver.run(&mut told, Duration::from_millis(900), |_| false));
    assert!(queues.0.borrow().len() > 1 && driver.feed().counters().losses > 0);
}

#[test]
fn what_waited_while_the_thread_stood_still_is_no_live_book() {
    let topic = TopicConfig { channel: "orderbook.50".to_owned(), symbol: "BTCUSDT".to_owned() };
    let config = SourceConfig::new("test", VenueId::Bybit, vec![topic]);
    let config = SourceConfig { market: Market::Spot, ..config };
    let feed = Feed::new(config.clone(), SharedGate::new(&config.live()), 7).unwrap();
    let (queues, mut told) = (Queues::default(), Told::default());
    let mut driver = Driver::new(feed, queues.clone(), Clock::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    driver.start(&mut told);
    let mut run = |told: &mut Told, ms| {
        runtime.block_on(driver.run(told, Duration::from_millis(ms), |_| false));
    };
    run(&mut told, 20);
    queues.put(0, bybit("snapshot", 10));
    run(&mut told, 20);
    assert_eq!(told.0.last(), Some(&(State::Live, Some(10))));
    // A little is no standing still.
    std::thread::sleep(Duration::from_millis(300));
    queues.put(0, bybit("delta", 11));
    run(&mut told, 20);
    assert_eq!(told.0.last(), Some(&(State::Live, Some(11))));

    queues.put(0, bybit("delta", 12));
    queues.put(0, bybit("delta", 13));
    std::thread::sleep(Duration::from_millis(1_300));
    told.0.clear();
    run(&mut told, 600);
    assert!(
        !told.0.is_empty() && told.0.iter().all(|(state, _)| *state != State::Live),
        "{told:?}"
    );
    queues.put(1, bybit("snapshot", 20));
    run(&mut told, 20);
    assert_eq!(told.0.last(), Some(&(State::Live, Some(20))));
}
