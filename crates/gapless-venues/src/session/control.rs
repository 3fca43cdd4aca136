//! What a frame means for the connection itself: pings, answers, notices, losses that it tells of.

use super::feed::{disconnect, for_books};
use super::router::Router;
use super::{Action, Handler};
use crate::books::BookEntry;
use crate::venue::{Topic, Venue};
use gapless_book::event::{Body, Event, Flags, HeartbeatAnswer};
use gapless_book::lines::Loss;
use gapless_book::local::Reason;

impl<V: Venue, H: Handler> Router<'_, V, H> {
    /// The first push after a subscription may repeat what happened before it.
    pub(super) fn liquidation(&mut self, event: &Event<'_>) {
        let mut event = *event;
        if self.venue.first_push_is_history(event.channel) {
            let passed = self.line.pushed.iter().any(|channel| channel == event.channel);
            if !passed {
                self.line.pushed.push(event.channel.to_owned());
                self.first_push = Some(event.channel.to_owned());
            }
            if self.first_push.as_deref() == Some(event.channel) {
                event.flags = event.flags.with(Flags::HISTORICAL);
            }
        }
        self.saw(&event, false, false);
        self.handler.event(&event, None);
    }

    /// What an event means for the connection itself.
    pub(super) fn control(&mut self, event: &Event<'_>) {
        let no = self.line.no;
        match event.body {
            Body::Heartbeat { answer: HeartbeatAnswer::None } => {}
            Body::Heartbeat { .. } => {
                if let Some(text) = self.venue.heartbeat_answer(self.line.next_id) {
                    // Its answer must not be taken for that of a subscription.
                    self.line.next_id += 1;
                    self.handler.action(&Action::Send(&text));
                }
            }
            Body::Notice { closing: true, .. } => self.handler.action(&Action::Replace),
            Body::Ack { id, topics, failed, .. } => self.acked(id.0, topics, failed),
            Body::Error { id, code, message, .. } => {
                self.handler.action(&Action::Refused { id: id.0, code, message });
            }
            Body::Disconnect { symbols } => {
                let of = |entry: &BookEntry| {
                    (event.exchange.is_empty() || entry.exchange == event.exchange)
                        && (symbols.is_empty() || names(symbols, &entry.symbol))
                };
                disconnect(&mut self.line.books, (no, self.now_ns), of, self.handler);
            }
            Body::GapNotice { range } => {
                let loss = Loss::Told(Reason::GapNotice);
                for_books(
                    &mut self.line.books,
                    self.now_ns,
                    |_| true,
                    |entry, watch| entry.lose(no, loss, watch),
                    self.handler,
                );
                self.handler.action(&Action::RepeatNotice(range));
            }
            _ => {}
        }
    }

    fn acked(&mut self, id: &str, topics: &str, failed: &str) {
        if let Ok(list) = crate::scan::Value::frame(failed.as_bytes()) {
            for topic in list.elements().into_iter().flatten().flatten() {
                self.handler.action(&Action::SubscribeFailed(topic.raw_string().unwrap_or("")));
            }
        }
        let number = id.parse::<u64>().ok();
        let known = self.line.requests.iter().position(|(request, _)| Some(*request) == number);
        if let Some(index) = known {
            self.answered(index, topics);
        }
        self.handler.action(&Action::Acked(id));
    }

    /// A request, or one topic of it, was granted: the rest stays known until it is answered.
    fn answered(&mut self, index: usize, topics: &str) {
        let granted = self.venue.granted(topics);
        if let (Some(one), Some((_, requested))) = (granted, self.line.requests.get_mut(index)) {
            let is = |(channel, symbol): &(String, String)| Topic { channel, symbol } == one;
            requested.retain(|topic| !is(topic));
            if requested.is_empty() {
                self.line.requests.remove(index);
            }
            return;
        }
        let (_, requested) = self.line.requests.remove(index);
        let requested: Vec<Topic<'_>> =
            requested.iter().map(|(channel, symbol)| Topic { channel, symbol }).collect();
        for index in self.venue.left_out(&requested, topics) {
            if let Some(topic) = requested.get(index) {
                let name = format!("{}:{}", topic.channel, topic.symbol);
                self.handler.action(&Action::SubscribeFailed(&name));
            }
        }
    }
}

/// Whether a raw JSON array of names holds `symbol`.
fn names(list: &str, symbol: &str) -> bool {
    let Ok(value) = crate::scan::Value::frame(list.as_bytes()) else { return true };
    value
        .elements()
        .map(|mut all| all.any(|name| name.is_ok_and(|name| name.raw_string() == Some(symbol))))
        .unwrap_or(true)
}
