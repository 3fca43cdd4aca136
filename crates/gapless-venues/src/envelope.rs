//! What all events of one frame share, and the walk over arrays whose elements stand alone.
//!
//! Invariant: of an array of trades every element ends in its own events or in its own refusal;
//! only the last event of a frame is marked [`Flags::LAST_IN_FRAME`].

use crate::scan::{Field, Value};
use crate::time::Stamp;
use crate::wire::{EventSink, Reject, WireError};
use gapless_book::event::{Body, Event, Flags, TimeUnit, Times};

/// What the events of a frame, or of one element of it, share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// Receive time.
    pub recv_ns: i64,
    /// The whole frame, or the element of an array.
    pub raw: &'a [u8],
    /// Marks of every event.
    pub flags: Flags,
    /// Channel without the symbol.
    pub channel: &'a str,
    /// Native symbol.
    pub symbol: &'a str,
    /// Stamps without the receive time.
    pub times: Times,
}

impl<'a> Envelope<'a> {
    /// A frame of which nothing is known yet.
    pub fn new(recv_ns: i64, raw: &'a [u8]) -> Self {
        let flags = Flags::LAST_IN_FRAME;
        Self { recv_ns, raw, flags, channel: "", symbol: "", times: Times::default() }
    }

    /// The same with publication and matching time, in milliseconds. What is missing, empty or
    /// not after 1970 is no time.
    ///
    /// # Errors
    /// A time that is no integer.
    pub fn at(
        self,
        published: Option<Value<'_>>,
        matched: Option<Value<'_>>,
    ) -> Result<Self, WireError> {
        let mut times = self.times;
        if let Some(ns) = milliseconds(published)? {
            times.venue_ns = ns;
        }
        if let Some(ns) = milliseconds(matched)? {
            times.engine_ns = ns;
        }
        Ok(Self { times, ..self })
    }

    /// The same with more marks.
    pub fn marked(self, flags: Flags) -> Self {
        Self { flags: self.flags.with(flags), ..self }
    }

    /// The same, with something of the frame still to come.
    pub fn not_last(self) -> Self {
        Self { flags: Flags(self.flags.0 & !Flags::LAST_IN_FRAME.0), ..self }
    }

    /// An event.
    pub fn event<'e>(&self, body: Body<'e>) -> Event<'e>
    where
        'a: 'e,
    {
        Event {
            symbol: self.symbol,
            channel: self.channel,
            exchange: "",
            times: Times { recv_ns: self.recv_ns, ..self.times },
            flags: self.flags,
            raw: self.raw,
            body,
        }
    }

    /// Emits an event that is no book.
    pub fn emit<S: EventSink>(&self, body: Body<'_>, sink: &mut S) {
        sink.event(&Envelope { ..*self }.event(body));
    }

    /// Refuses the frame or element.
    pub fn refuse<S: EventSink>(&self, error: WireError, book: bool, sink: &mut S) {
        let (symbol, channel) = (self.symbol, self.channel);
        sink.reject(&Reject { error, exchange: "", symbol, channel, book });
    }

    /// Reads each element of `list` for itself; `read` emits nothing where it fails.
    ///
    /// # Errors
    /// `list` is no array.
    pub fn each<S: EventSink>(
        &self,
        list: Value<'a>,
        sink: &mut S,
        mut read: impl FnMut(Self, Value<'a>, &mut S) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut elements = list.elements()?.peekable();
        while let Some(element) = elements.next() {
            let element = element?;
            let part = Self { raw: element.raw().as_bytes(), ..*self };
            let part = if elements.peek().is_some() { part.not_last() } else { part };
            if let Err(error) = read(part, element, sink) {
                part.refuse(error, false, sink);
            }
        }
        Ok(())
    }
}

/// A time in milliseconds as nanoseconds.
///
/// # Errors
/// Present but no integer.
pub(crate) fn milliseconds(value: Option<Value<'_>>) -> Result<Option<i64>, WireError> {
    let stamp = value.optional_int()?.and_then(|ms| Stamp::count(ms, TimeUnit::Milli));
    Ok(stamp.map(|stamp| stamp.ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WireErrorKind;

    /// Whether each event was the last of its frame, and what was refused.
    #[derive(Default)]
    struct Seen {
        last: Vec<bool>,
        raw: Vec<String>,
        refused: usize,
    }

    impl EventSink for Seen {
        fn event(&mut self, event: &Event<'_>) {
            self.last.push(event.flags.has(Flags::LAST_IN_FRAME));
            self.raw.push(String::from_utf8_lossy(event.raw).into_owned());
        }

        fn reject(&mut self, _: &Reject<'_>) {
            self.refused += 1;
        }
    }

    #[test]
    fn each_element_stands_alone_and_only_the_last_closes_the_frame() {
        let frame = "[1, 2,3]";
        let list = Value::frame(frame.as_bytes()).unwrap();
        let mut seen = Seen::default();
        let read = |part: Envelope<'_>, element: Value<'_>, sink: &mut Seen| {
            if element.raw() == "2" {
                return Err(WireError::new(WireErrorKind::Integer, element.at()));
            }
            part.emit(Body::Other, sink);
            Ok(())
        };
        Envelope::new(0, frame.as_bytes()).each(list, &mut seen, read).unwrap();
        assert_eq!((seen.last, seen.refused), (vec![false, true], 1));
        assert_eq!(seen.raw, ["1", "3"]);
        let inner = Envelope::new(0, b"").not_last();
        let mut seen = Seen::default();
        inner.each(list, &mut seen, read).unwrap();
        assert_eq!(seen.last, [false, false]);
    }
}
