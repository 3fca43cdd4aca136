//! A live source on a thread of its own: sockets, sessions and books.

use super::publications::Publications;
use super::writer::{Intake, Step};
use crate::live::{Key, LiveConfig};
use crate::report::{self, BookReport};
use gapless_feed::Feed;
use gapless_feed::feed::ConnectionStatus;
use gapless_feed::net::dial::Dialer;
use gapless_feed::net::transport::Network;
use gapless_feed::net::{Clock, Driver};
use gapless_venues::books::BookId;
use gapless_venues::session::LineId;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Longest time between two looks at the commands.
const TURN: Duration = Duration::from_millis(20);
/// Time between two looks at the file of a key.
const KEY_EVERY: Duration = Duration::from_secs(1);

/// See the module's page.
pub(super) struct Live {
    driver: Driver<Network>,
    name: String,
    key: Option<Key>,
    key_seen: Instant,
    /// Dropped last: what is under way ends with it.
    runtime: Runtime,
}

impl Live {
    /// A source that has not started, to be made on the thread that runs it.
    ///
    /// # Errors
    /// The system gives no sockets.
    pub fn open(feed: Feed, config: LiveConfig) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| format!("cannot use sockets: {error}"))?;
        let network = Network::new(Dialer::new(config.plaintext_loopback));
        let driver = Driver::new(feed, network, Clock::new());
        let name = config.source.name;
        Ok(Self { driver, name, key: config.key, key_seen: Instant::now(), runtime })
    }

    /// A key that has changed in its file is taken without a pause.
    fn look_at_key(&mut self, books: &mut Publications) {
        if self.key_seen.elapsed() < KEY_EVERY {
            return;
        }
        self.key_seen = Instant::now();
        // A file that cannot be read just now keeps the key that it had.
        if let Some(Ok(key)) = self.key.as_ref().map(Key::read) {
            let now = self.driver.clock().now();
            self.driver.feed_mut().set_key(key, now, books);
        }
    }
}

impl Intake for Live {
    fn start(&mut self, books: &mut Publications) {
        self.driver.start(books);
    }

    fn read(
        &mut self,
        books: &mut Publications,
        at_most: Duration,
        _: &mut dyn FnMut(String),
    ) -> Step {
        self.look_at_key(books);
        let turn = self.driver.run(books, at_most.min(TURN), Publications::wants_attention);
        self.runtime.block_on(turn);
        Step::Go
    }

    fn stop(&mut self, books: &mut Publications) {
        // Closing may write, which wants the runtime of its sockets.
        let _inside = self.runtime.enter();
        self.driver.stop(books);
    }

    fn book(&self, line: usize, book: BookId) -> Option<BookReport<'_>> {
        let line = LineId(u32::try_from(line).ok()?);
        let feed = self.driver.feed();
        let session = feed.session(line)?;
        let entry = session.books().get(book)?;
        Some(BookReport::new(&self.name, feed.address(line), session, entry))
    }

    fn instrument_name(&self, line: usize, exchange: &str, symbol: &str) -> Option<String> {
        let session = self.driver.feed().session(LineId(u32::try_from(line).ok()?))?;
        Some(report::name(session, exchange, symbol))
    }

    fn all(&self) -> Vec<BookReport<'_>> {
        let feed = self.driver.feed();
        let shown = feed.sessions().filter(|(line, _)| !feed.is_standby(*line));
        let books = shown.flat_map(|(line, session)| {
            session.books().iter().map(move |(_, entry)| {
                BookReport::new(&self.name, feed.address(line), session, entry)
            })
        });
        books.collect()
    }

    fn is_hidden(&self, line: usize) -> bool {
        u32::try_from(line).is_ok_and(|line| self.driver.feed().is_standby(LineId(line)))
    }

    fn connections(&self) -> Vec<ConnectionStatus> {
        self.driver.feed().status()
    }
}
