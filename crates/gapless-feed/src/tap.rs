//! Between a session and its watcher: everything passes, demands are kept for the feed.

use gapless_book::book::Change;
use gapless_book::event::{Body, BookKind, Event, Flags, Level, NO_TIME, Side};
use gapless_book::local::Outcome;
use gapless_venues::books::{BookEntry, BookId};
use gapless_venues::session::{Action, Handler, Stage};
use gapless_venues::wire::Reject;

/// A demand of a session, to be acted on after the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Send(String),
    Fetch(BookId),
    Resubscribe(BookId),
    Repeat { book: BookId, from: i64, to: i64 },
    RepeatNotice(String),
    Replace,
    Reconnect,
    TopicFailed(String),
    Acked(Option<u64>),
    Refused { id: Option<u64>, code: String, message: String },
}

/// See the module's page.
pub(crate) struct Tap<'a, W> {
    pub watcher: &'a mut W,
    pub deeds: &'a mut Vec<Deed>,
    /// What is no book's is told, as no other line tells the same.
    pub speaks: bool,
    /// Something was said about a market.
    pub data: bool,
    /// Frames or elements that could not be read.
    pub rejects: u32,
    /// The venue's stamp of what was read last of a market as it happened; `NO_TIME`: of nothing.
    pub stamp_ns: i64,
}

impl<'a, W> Tap<'a, W> {
    pub const fn new(watcher: &'a mut W, deeds: &'a mut Vec<Deed>, speaks: bool) -> Self {
        Self { watcher, deeds, speaks, data: false, rejects: 0, stamp_ns: NO_TIME }
    }
}

impl<W: Handler> Handler for Tap<'_, W> {
    #[inline]
    fn event(&mut self, event: &Event<'_>, book: Option<BookId>) {
        self.data |= !matches!(
            event.body,
            Body::Ack { .. }
                | Body::Error { .. }
                | Body::Heartbeat { .. }
                | Body::Notice { .. }
                | Body::Disconnect { .. }
                | Body::GapNotice { .. }
        );
        // A snapshot, or what is repeated, may bear the stamp of its last change.
        let is_news = matches!(&event.body, Body::Book(message) if message.kind == BookKind::Delta);
        if is_news && !event.flags.has(Flags::HISTORICAL) {
            self.stamp_ns = event.times.venue_ns;
        }
        if self.speaks || matches!(event.body, Body::Book(_)) {
            self.watcher.event(event, book);
        }
    }

    #[inline]
    fn level(&mut self, book: BookId, side: Side, level: Level, change: Change) {
        self.watcher.level(book, side, level, change);
    }

    #[inline]
    fn book(&mut self, id: BookId, book: &BookEntry, outcome: &Outcome) {
        self.watcher.book(id, book, outcome);
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.rejects += 1;
        self.watcher.reject(reject);
    }

    fn unattributed(&mut self, event: &Event<'_>) {
        self.watcher.unattributed(event);
    }

    #[inline]
    fn stage(&mut self, stage: Stage) {
        self.watcher.stage(stage);
    }

    fn action(&mut self, action: &Action<'_>) {
        self.deeds.push(match action {
            Action::Send(text) => Deed::Send((*text).to_owned()),
            Action::Fetch(book) => Deed::Fetch(*book),
            Action::Resubscribe(book) => Deed::Resubscribe(*book),
            Action::Repeat { book, from, to } => Deed::Repeat { book: *book, from: *from, to: *to },
            Action::RepeatNotice(notice) => Deed::RepeatNotice((*notice).to_owned()),
            Action::Replace => Deed::Replace,
            Action::SubscribeFailed(topic) => Deed::TopicFailed((*topic).to_owned()),
            Action::Acked(id) => Deed::Acked(id.parse().ok()),
            Action::Refused { id, code, message } => Deed::Refused {
                id: id.parse().ok(),
                code: (*code).to_owned(),
                message: (*message).to_owned(),
            },
            // What is not known here is met by beginning anew.
            _ => Deed::Reconnect,
        });
        self.watcher.action(action);
    }
}
