//! Carries one frame's events to their books.

use super::feed::{Watch, finish, for_books, off_grid};
use super::{Handler, LEARNED_MAX, Line, SessionConfig, Stage};
use crate::attribution::Unnamed;
use crate::books::{self, BookEntry, BookId};
use crate::kernel::Frame;
use crate::learned::{Learned, shape_of};
use crate::venue::{Context, Market, Origin, Venue};
use crate::wire::{EventSink, Mark, Reject};
use gapless_book::event::{Body, BookKind, BookMessage, Event, Flags, Times};
use gapless_book::lines::{Arrival, Loss};
use gapless_book::local::{Integrity, LocalBook, Reason};
use gapless_book::sequence::{Bridge, Chain};

/// Carries one frame's events to their books.
pub(super) struct Router<'s, V, H> {
    pub(super) venue: &'s V,
    pub(super) config: SessionConfig,
    pub(super) line: &'s mut Line,
    pub(super) now_ns: i64,
    /// URL of the HTTP response that is being read.
    rest: Option<&'s str>,
    /// The frame that is being read, from which a template may be learned.
    pub(super) frame: Option<Frame<'s>>,
    /// Channel whose first push this frame is.
    pub(super) first_push: Option<String>,
    pub(super) rejects: u32,
    pub(super) events: u32,
    pub(super) handler: &'s mut H,
}

impl<V: Venue, H: Handler> EventSink for Router<'_, V, H> {
    fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        match &event.body {
            Body::Book(message) => {
                self.book_event(event, message);
            }
            Body::Liquidation(_) => self.liquidation(event),
            _ => {
                self.control(event);
                self.saw(event, false, false);
                self.handler.event(event, None);
            }
        }
    }

    fn book(&mut self, event: &Event<'_>, marks: &[Mark]) {
        self.events += 1;
        let Body::Book(message) = &event.body else { return };
        if let Some(id) = self.book_event(event, message) {
            self.learn(id, event, message, marks);
        }
    }

    fn reject(&mut self, reject: &Reject<'_>) {
        self.rejects += 1;
        self.handler.reject(reject);
        if !reject.book {
            return;
        }
        // A snapshot that cannot be read is fetched again; only where snapshots are all that comes
        // is it the loss of one.
        let edits = self.rest.is_none_or(|url| self.venue.rest_edits(url));
        // Exchanges call different instruments by one name.
        let of_symbol = |entry: &BookEntry| {
            entry.symbol == reject.symbol
                && (reject.exchange.is_empty() || entry.exchange == reject.exchange)
        };
        let of_channel = |entry: &BookEntry| of_symbol(entry) && entry.channel == reject.channel;
        // Where no book has that channel (a stream known from its subscription), all are meant.
        let exact = self.line.books.iter().any(|(_, entry)| of_channel(entry));
        let named = |entry: &BookEntry| {
            if exact { of_channel(entry) } else { of_symbol(entry) }
        };
        // Where no sequence would show the loss, an unreadable line concerns every book.
        let unsequenced = |entry: &BookEntry| {
            let pictures = matches!(
                entry.local.rule().chain,
                Chain::Image | Chain::ImageCounted | Chain::LevelOne
            );
            let chained = entry.local.seq().is_some() && !pictures;
            let live = entry.local.live().is_some();
            entry.local.integrity() == Integrity::Weak || live && !chained
        };
        let anonymous = reject.symbol.is_empty();
        let no = self.line.no;
        for_books(
            &mut self.line.books,
            self.now_ns,
            |entry| {
                let may_be_its = if anonymous { unsequenced(entry) } else { named(entry) };
                may_be_its && (edits || entry.local.is_pictured())
            },
            |entry, watch| entry.lose(no, Loss::Refused, watch),
            self.handler,
        );
    }
}

impl<'s, V: Venue, H: Handler> Router<'s, V, H> {
    pub(super) fn new(
        venue: &'s V,
        config: SessionConfig,
        line: &'s mut Line,
        now_ns: i64,
        rest: Option<&'s str>,
        handler: &'s mut H,
    ) -> Self {
        let (frame, first_push) = (None, None);
        let (rejects, events) = (0, 0);
        Self { venue, config, line, now_ns, rest, frame, first_push, rejects, events, handler }
    }

    /// Notes what a named event shows of the connection.
    pub(super) fn saw(&mut self, event: &Event<'_>, image: bool, delta: bool) {
        if event.symbol.is_empty() || self.rest.is_some() {
            return;
        }
        let unwrapped = event.flags.has(Flags::UNWRAPPED);
        let first_delta = delta && !self.line.attribution.has_deltas();
        let second = self.line.attribution.saw(event.symbol, unwrapped, image, delta);
        if second {
            self.doubt_guess();
        }
        if first_delta {
            self.offer_unnamed();
        }
    }

    /// A second symbol's delta: the book made from an unnamed snapshot may be the wrong one.
    fn doubt_guess(&mut self) {
        let no = self.line.no;
        let Some(id) = self.line.guessed.take() else { return };
        let Some(entry) = self.line.books.get_mut(id) else { return };
        let mut watch = Watch { id, handler: &mut *self.handler };
        let outcome = entry.lose(no, Loss::Told(Reason::Unattributed), &mut watch);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    /// The latest unnamed book that came before the first delta now has its symbol.
    fn offer_unnamed(&mut self) {
        if let Some(body) = self.line.unnamed.take() {
            self.reparse(Origin::Socket { url: "" }, &body);
        }
    }

    /// Reads a kept body again, now that its book is known.
    fn reparse(&mut self, origin: Origin<'_>, body: &[u8]) {
        let context = Context { recv_ns: self.now_ns, origin, market: self.line.market };
        let mut scratch = core::mem::take(&mut self.line.rest_scratch);
        let venue = self.venue;
        let url = match origin {
            Origin::Rest { url } => url,
            Origin::Socket { .. } => "",
        };
        venue.parse(&context, body, &mut scratch, &mut Kept { router: self, url });
        self.line.rest_scratch = scratch;
    }

    /// Carries a book message to its book; tells which, if it is of the connection's own stream.
    fn book_event(&mut self, event: &Event<'_>, message: &BookMessage<'_>) -> Option<BookId> {
        if event.flags.has(Flags::NUMBER_ONLY) {
            self.count_on(event, message);
            return None;
        }
        self.handler.stage(Stage::Parsed);
        if event.symbol.is_empty() && self.rest.is_some() {
            // A body is matched by its URL's or its own symbol, never by the connection.
            self.drop_unattributed(event);
            return None;
        }
        if event.symbol.is_empty() {
            self.unnamed_book(event, message);
            return None;
        }
        if event.flags.has(Flags::REPEATED) {
            self.repeated(event, message);
            return None;
        }
        if self.rest.is_some() || event.flags.has(Flags::REST) {
            self.rest_book(event, message);
            return None;
        }
        if !self.line.wants(event.symbol) {
            self.handler.event(event, None);
            return None;
        }
        if event.flags.has(Flags::UNWRAPPED) && !self.venue.trusts_unwrapped() {
            self.unwrapped_book(event, message);
            return None;
        }
        self.named_book(event, message)
    }

    /// A number that one channel has taken moves the counts of the symbol's other books; a book
    /// that is not there yet needs none.
    fn count_on(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        let line = self.line.no;
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.line.books.get_mut(id).filter(|entry| {
                entry.symbol == event.symbol
                    && entry.exchange == event.exchange
                    && entry.channel != event.channel
            }) else {
                continue;
            };
            let (flags, times) = (event.flags, &event.times);
            let arrival = Arrival { line, message, flags, times };
            let outcome = entry.message(&arrival, &mut Watch { id, handler: &mut *self.handler });
            finish(id, entry, outcome, self.now_ns, self.handler);
        }
    }

    /// The message may have been one of a live book's, which must not stay live on it.
    fn doubt(&mut self, event: &Event<'_>, may_be: impl Fn(&BookEntry) -> bool) {
        self.drop_unattributed(event);
        let no = self.line.no;
        for_books(
            &mut self.line.books,
            self.now_ns,
            |entry| may_be(entry) && entry.local.live().is_some(),
            |entry, watch| entry.lose(no, Loss::Told(Reason::Unattributed), watch),
            self.handler,
        );
    }

    /// A book message whose stream only the subscriptions can tell (ruling 0.6.5). Never learned:
    /// a later subscription may make it doubtful.
    fn unwrapped_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        let only = self.line.attribution.only_book(self.venue, event.symbol);
        let Some((channel, chain)) = only else {
            return self.doubt(event, |entry| entry.symbol == event.symbol);
        };
        if channel == event.channel {
            let _ = self.named_book(event, message);
            return;
        }
        let channel = channel.to_owned();
        let kind = if chain == Chain::Image { BookKind::Image } else { message.kind };
        let event = Event { channel: &channel, ..*event };
        let _ = self.named_book(&event, &BookMessage { kind, ..*message });
    }

    fn named_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) -> Option<BookId> {
        let Some(id) = self.find_or_add(event.exchange, event.channel, event.symbol) else {
            self.drop_unattributed(event);
            return None;
        };
        self.feed(id, event, message);
        let (image, delta) = (message.kind == BookKind::Image, message.kind == BookKind::Delta);
        self.saw(event, image, delta);
        Some(id)
    }

    /// Remembers the kind of this frame, so that the next one need only be compared.
    fn learn(
        &mut self,
        book: BookId,
        event: &Event<'_>,
        message: &BookMessage<'_>,
        marks: &[Mark],
    ) {
        let (Some(frame), Some(entry)) = (self.frame, self.line.books.get(book)) else { return };
        let Some(shape) = shape_of(frame.bytes(), marks) else { return };
        let verified = entry.local.rule().checksum && message.seq.checksum.is_some_and(|s| s != 0);
        if verified || !message.extras.is_empty() {
            return;
        }
        let Some(learned) = Learned::new(book, event, message, frame.bytes(), marks) else {
            return;
        };
        let learnt = &mut self.line.learned;
        let known = learnt.iter().position(|other| *other == learned);
        let tag = known.unwrap_or(learnt.len());
        let Some(number) = u32::try_from(tag).ok().filter(|_| tag < LEARNED_MAX) else { return };
        if known.is_none() {
            learnt.push(learned);
        }
        let scales = entry.local.last_known().scales();
        self.line.templates.learn(frame, marks, shape, number, scales);
    }

    fn drop_unattributed(&mut self, event: &Event<'_>) {
        self.handler.event(event, None);
        self.handler.unattributed(event);
    }

    pub(super) fn find_or_add(
        &mut self,
        exchange: &str,
        channel: &str,
        symbol: &str,
    ) -> Option<BookId> {
        if let Some(id) = self.line.books.find(exchange, channel, symbol) {
            return Some(id);
        }
        let rule = self.venue.rule(channel)?;
        if !self.line.wants(symbol) {
            return None;
        }
        let market = self.line.market_of(self.venue, symbol);
        let local = LocalBook::new(rule, self.config.policy);
        let id = self.line.books.add(exchange, channel, symbol, market, local)?;
        if let (Some(listed), Some(entry)) = (&self.line.listed, self.line.books.get_mut(id)) {
            entry.set_instrument(listed.find(self.venue, exchange, market, symbol));
        }
        if rule.bridge != Bridge::InStream {
            self.claim(symbol);
        }
        Some(id)
    }

    /// Offers REST bodies that came before this symbol's book.
    fn claim(&mut self, symbol: &str) {
        let (ours, others) = core::mem::take(&mut self.line.books.unclaimed.bodies)
            .into_iter()
            .partition::<Vec<_>, _>(|kept| kept.symbol == symbol);
        self.line.books.unclaimed.bodies = others;
        for kept in ours {
            self.line.books.unclaimed.bytes -= kept.bytes();
            self.reparse(Origin::Rest { url: &kept.url }, &kept.body);
        }
    }

    /// Gives a message to its book.
    fn feed(&mut self, id: BookId, event: &Event<'_>, message: &BookMessage<'_>) {
        self.handler.event(event, Some(id));
        let line = self.line.no;
        let Some(entry) = self.line.books.get_mut(id) else { return };
        off_grid(id, entry, message, self.handler);
        let mut watch = Watch { id, handler: &mut *self.handler };
        let (flags, times) = (event.flags, &event.times);
        let outcome = entry.message(&Arrival { line, message, flags, times }, &mut watch);
        self.handler.stage(Stage::Applied);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    /// What a source repeats goes to the book that has lost it.
    fn repeated(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        let book = self.line.books.find(event.exchange, event.channel, event.symbol);
        self.handler.event(event, book);
        let Some(id) = book.filter(|_| message.kind == BookKind::Delta) else { return };
        let Some(entry) = self.line.books.get_mut(id) else { return };
        let mut watch = Watch { id, handler: &mut *self.handler };
        let outcome = entry.local.repeated(message, &event.times, &mut watch);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    /// A REST snapshot goes to every book of its symbol that is bridged over REST.
    fn rest_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        self.handler.event(event, None);
        if self.is_of_several(event) {
            return self.handler.unattributed(event);
        }
        let mut claimed = false;
        for index in 0..self.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            if self.takes_rest(id, event, self.rest.unwrap_or("")) {
                claimed = true;
                self.give_rest(id, &event.times, message);
            }
        }
        if !claimed {
            self.keep_unclaimed(event);
        }
    }

    /// Whether a body that names no exchange may be of one exchange or of another.
    fn is_of_several(&self, event: &Event<'_>) -> bool {
        let mut exchanges = self.line.books.iter().filter_map(|(id, entry)| {
            let takes =
                event.exchange.is_empty() && self.takes_rest(id, event, self.rest.unwrap_or(""));
            takes.then_some(&entry.exchange)
        });
        exchanges.next().is_some_and(|first| exchanges.any(|other| other != first))
    }

    /// Whether a REST snapshot may be joined to a book: the same instrument, in the same market
    /// where both are known, and numbers of the same counter.
    fn takes_rest(&self, id: BookId, event: &Event<'_>, url: &str) -> bool {
        let Some(entry) = self.line.books.get(id) else { return false };
        // Nothing of its stream will come to be joined: only the stream itself could show better.
        if entry.is_refused() {
            return false;
        }
        let market = self.venue.market(url);
        let unknown = market == Market::Unknown || entry.market == Market::Unknown;
        entry.symbol == event.symbol
            && (entry.exchange == event.exchange || event.exchange.is_empty())
            && (unknown || entry.market == market)
            && entry.local.rule().bridge != Bridge::InStream
            && self.venue.rest_fits(&entry.channel, event.channel)
    }

    fn give_rest(&mut self, id: BookId, times: &Times, message: &BookMessage<'_>) {
        let Some(entry) = self.line.books.get_mut(id) else { return };
        off_grid(id, entry, message, self.handler);
        let mut watch = Watch { id, handler: &mut *self.handler };
        let outcome = entry.local.message(message, Flags::REST, times, &mut watch);
        finish(id, entry, outcome, self.now_ns, self.handler);
    }

    fn keep_unclaimed(&mut self, event: &Event<'_>) {
        if !self.line.wants(event.symbol) {
            return;
        }
        let (symbol, url) = (event.symbol.to_owned(), self.rest.unwrap_or("").to_owned());
        let kept = books::Body { symbol, url, body: event.raw.to_vec() };
        let unclaimed = &mut self.line.books.unclaimed;
        if unclaimed.bytes + kept.bytes() > self.line.unclaimed_max {
            return self.handler.unattributed(event);
        }
        unclaimed.bytes += kept.bytes();
        unclaimed.bodies.push(kept);
    }

    /// A whole book without a symbol (rulings 0.6.6 and C13).
    fn unnamed_book(&mut self, event: &Event<'_>, message: &BookMessage<'_>) {
        match self.line.attribution.unnamed(self.venue, self.config.recorded) {
            Unnamed::Keep => {
                self.handler.event(event, None);
                self.line.unnamed = Some(event.raw.to_vec());
            }
            Unnamed::Drop => self.drop_unattributed(event),
            Unnamed::AnyImage => {
                self.doubt(event, |entry| entry.local.rule().chain == Chain::Image)
            }
            Unnamed::Snapshot(symbol) => {
                let Some(id) = self.find_or_add(event.exchange, event.channel, &symbol) else {
                    return self.drop_unattributed(event);
                };
                self.handler.event(event, Some(id));
                self.give_rest(id, &event.times, message);
                self.line.guessed = Some(id);
            }
            Unnamed::Image(channel, symbol) => {
                let Some(id) = self.find_or_add(event.exchange, &channel, &symbol) else {
                    return self.drop_unattributed(event);
                };
                let image = BookMessage { kind: BookKind::Image, ..*message };
                self.feed(id, event, &image);
            }
        }
    }
}

/// Sink for a body that was kept until its book appeared: it was counted when it came.
struct Kept<'r, 's, V, H> {
    router: &'r mut Router<'s, V, H>,
    url: &'r str,
}

impl<V: Venue, H: Handler> EventSink for Kept<'_, '_, V, H> {
    fn event(&mut self, event: &Event<'_>) {
        let Body::Book(message) = &event.body else { return };
        let router = &mut *self.router;
        if event.symbol.is_empty() {
            if let Unnamed::Snapshot(symbol) =
                router.line.attribution.unnamed(router.venue, router.config.recorded)
                && let Some(id) = router.line.books.find(event.exchange, event.channel, &symbol)
            {
                router.give_rest(id, &event.times, message);
                router.line.guessed = Some(id);
            }
            return;
        }
        for index in 0..router.line.books.len() {
            let id = BookId(u32::try_from(index).unwrap_or(u32::MAX));
            if router.takes_rest(id, event, self.url) {
                router.give_rest(id, &event.times, message);
            }
        }
    }

    fn reject(&mut self, _: &Reject<'_>) {}
}
