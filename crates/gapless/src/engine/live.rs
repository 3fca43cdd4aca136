//! A live source on a thread of its own: sockets, sessions and books.

use super::publications::Publications;
use super::writer::{Intake, Step};
use crate::live::{KeyWatch, LiveConfig};
use crate::report::{self, BookReport};
use crate::runtime::Sockets;
use gapless_feed::Feed;
use gapless_feed::feed::ConnectionStatus;
use gapless_feed::net::dial::Dialer;
use gapless_feed::net::transport::Network;
use gapless_feed::net::{Clock, Driver};
use gapless_venues::books::BookId;
use gapless_venues::session::LineId;
use std::time::Duration;

/// Longest time between two looks at the commands.
const TURN: Duration = Duration::from_millis(20);

/// See the module's page.
pub(super) struct Live {
    driver: Driver<Network>,
    name: String,
    key: KeyWatch,
    /// Dropped last: what is under way ends with it.
    sockets: Sockets,
}

impl Live {
    /// A source that has not started, to be made on the thread that runs it.
    ///
    /// # Errors
    /// The system gives no sockets.
    pub fn open(feed: Feed, config: LiveConfig) -> Result<Self, String> {
        let sockets = Sockets::open()?;
        let network = Network::new(Dialer::new(config.plaintext_loopback));
        let driver = Driver::new(feed, network, Clock::new());
        let name = config.source.name;
        Ok(Self { driver, name, key: KeyWatch::new(config.key), sockets })
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
        failed: &mut dyn FnMut(String),
    ) -> Step {
        if let Some(key) = self.key.look() {
            let now = self.driver.clock().now();
            self.driver.feed_mut().set_key(key, now, books);
        }
        let turn = self.driver.run(books, at_most.min(TURN), Publications::wants_attention);
        self.sockets.run(|runtime| runtime.block_on(turn));
        if let Some(trouble) = self.driver.feed_mut().take_trouble() {
            failed(trouble);
        }
        if self.driver.feed().is_over() {
            return Step::End;
        }
        Step::Go
    }

    fn stop(&mut self, books: &mut Publications) {
        // Closing may write, which wants the runtime of its sockets.
        self.sockets.run(|runtime| {
            let _inside = runtime.enter();
            self.driver.stop(books);
        });
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
