//! What an engine's subscription gives, as objects of Python: trades, liquidations, funding and
//! states of books. Every object is a plain value; the subscription is for one thread at a time.

use crate::engine::time;
use crate::error::EngineError;
use crate::handle::{Handle, Patience};
use crate::numbers::Numbers;
use gapless::book::decimal::Decimal;
use gapless::book::event::{Derivative, TakerSide};
use gapless::engine::{Ended, Interest, Received, Slow, Subscription};
use gapless::events::{self, Body, BookState, Topic};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Events that are handed over at once: the lock and the interpreter are taken once for them.
const BATCH: usize = 1_024;

/// What every event has. Events are plain values; any thread may keep them.
#[pyclass(module = "gapless", frozen, subclass)]
pub struct Event {
    event: events::Event,
    instrument: Arc<str>,
    numbers: Numbers,
}

#[pymethods]
impl Event {
    /// What it is about.
    #[getter]
    fn topic(&self) -> &'static str {
        match self.event.body {
            Body::Trade(_) => Topic::Trades.name(),
            Body::Liquidation(_) => Topic::Liquidations.name(),
            Body::Funding(_) => Topic::Funding.name(),
            Body::State(_) => Topic::States.name(),
            Body::Update(_) => Topic::Updates.name(),
            _ => "unknown",
        }
    }

    /// ``VENUE[.MARKET]:SYMBOL``.
    #[getter]
    fn instrument(&self) -> &str {
        &self.instrument
    }

    /// Counts what a thread of the engine had for this receiver; a hole is what it lost.
    #[getter]
    const fn number(&self) -> u64 {
        self.event.number
    }

    /// When its message was received, ns since the epoch.
    #[getter]
    fn recv_ns(&self) -> Option<i64> {
        time(self.event.times.recv_ns)
    }

    /// When the venue published it, ns since the epoch.
    #[getter]
    fn venue_ns(&self) -> Option<i64> {
        time(self.event.times.venue_ns)
    }

    /// Marks, a sum: 1 made by a recorder, 2 off the book, 4 block trade, 8 retail price
    /// improvement, 16 from before the subscription, 32 last of its message, 64 by HTTP.
    #[getter]
    const fn flags(&self) -> u16 {
        self.event.flags.0
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an event cannot be pickled; send what you need of it"))
    }
}

/// A number of Python.
type Shown<'py> = PyResult<Bound<'py, PyAny>>;
/// A number, where the venue said it.
type Said<'py> = PyResult<Option<Bound<'py, PyAny>>>;

impl Event {
    fn show<'py>(&self, py: Python<'py>, value: Decimal) -> Shown<'py> {
        self.numbers.show(py, value.mantissa(), value.scale())
    }

    fn shown<'py>(&self, py: Python<'py>, value: Option<Decimal>) -> Said<'py> {
        value.map(|value| self.show(py, value)).transpose()
    }

    fn told(&self, what: &str, rest: &str) -> String {
        format!("<gapless.{what} {} {rest}>", self.instrument)
    }

    /// What the object that it is made for is made of.
    fn trade(&self) -> PyResult<&events::Trade> {
        if let Body::Trade(trade) = &self.event.body { Ok(trade) } else { Err(other()) }
    }

    fn liquidation(&self) -> PyResult<&events::Liquidation> {
        if let Body::Liquidation(of) = &self.event.body { Ok(of) } else { Err(other()) }
    }

    fn funding(&self) -> PyResult<&Derivative> {
        if let Body::Funding(of) = &self.event.body { Ok(of) } else { Err(other()) }
    }

    fn state(&self) -> PyResult<&BookState> {
        match &self.event.body {
            Body::State(state) | Body::Update(state) => Ok(state),
            _ => Err(other()),
        }
    }
}

#[cold]
fn other() -> PyErr {
    EngineError::new_err("an event of another kind")
}

const fn side(side: TakerSide) -> Option<&'static str> {
    match side {
        TakerSide::Buy => Some("buy"),
        TakerSide::Sell => Some("sell"),
        TakerSide::Unknown => None,
    }
}

fn id(id: &events::Id) -> Option<&str> {
    Some(id.as_str()).filter(|text| !text.is_empty())
}

/// A trade. Sizes are in the venue's unit (base currency or contracts).
#[pyclass(module = "gapless", frozen, extends = Event, generic)]
pub struct Trade;

#[pymethods]
impl Trade {
    /// Price.
    #[getter]
    fn price<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Shown<'py> {
        slf.as_super().show(py, slf.as_super().trade()?.price)
    }

    /// Size.
    #[getter]
    fn size<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Shown<'py> {
        slf.as_super().show(py, slf.as_super().trade()?.size)
    }

    /// Side of the taker, where it is said.
    #[getter]
    fn side(slf: PyRef<'_, Self>) -> PyResult<Option<&'static str>> {
        slf.as_super().trade().map(|trade| side(trade.taker))
    }

    /// The venue's id, its first 40 bytes.
    #[getter]
    fn id(slf: PyRef<'_, Self>) -> PyResult<Option<String>> {
        slf.as_super().trade().map(|trade| id(&trade.id).map(str::to_owned))
    }

    /// Sequence of the trade, where the venue counts them.
    #[getter]
    fn seq(slf: PyRef<'_, Self>) -> PyResult<Option<i64>> {
        slf.as_super().trade().map(|trade| trade.seq)
    }

    /// First and last trade id of an aggregate.
    #[getter]
    fn aggregate(slf: PyRef<'_, Self>) -> PyResult<Option<(i64, i64)>> {
        slf.as_super().trade().map(|trade| trade.aggregate)
    }

    /// Fills in an aggregate.
    #[getter]
    fn count(slf: PyRef<'_, Self>) -> PyResult<Option<i64>> {
        slf.as_super().trade().map(|trade| trade.count)
    }

    /// A score that a relay attached, 0..1.
    #[getter]
    fn score<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().trade()?.score)
    }

    fn __repr__(slf: PyRef<'_, Self>) -> PyResult<String> {
        let (event, trade) = (slf.as_super(), slf.as_super().trade()?);
        let taker = side(trade.taker).unwrap_or("traded");
        Ok(event.told("Trade", &format!("{taker} {} @ {}", trade.size, trade.price)))
    }
}

/// A forced closing.
#[pyclass(module = "gapless", frozen, extends = Event, generic)]
pub struct Liquidation;

#[pymethods]
impl Liquidation {
    /// Order or bankruptcy price.
    #[getter]
    fn price<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Shown<'py> {
        slf.as_super().show(py, slf.as_super().liquidation()?.price)
    }

    /// Original size.
    #[getter]
    fn size<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Shown<'py> {
        slf.as_super().show(py, slf.as_super().liquidation()?.size)
    }

    /// Size filled so far.
    #[getter]
    fn filled<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().liquidation()?.filled)
    }

    /// Average price of the fills.
    #[getter]
    fn average_price<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().liquidation()?.average_price)
    }

    /// Value in USD.
    #[getter]
    fn size_usd<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().liquidation()?.size_usd)
    }

    /// Side of the order: ``"sell"`` closes a long.
    #[getter]
    fn side(slf: PyRef<'_, Self>) -> PyResult<Option<&'static str>> {
        slf.as_super().liquidation().map(|of| side(of.side))
    }

    /// The venue's id, its first 40 bytes.
    #[getter]
    fn id(slf: PyRef<'_, Self>) -> PyResult<Option<String>> {
        slf.as_super().liquidation().map(|of| id(&of.id).map(str::to_owned))
    }

    /// The venue publishes a sample, not every liquidation.
    #[getter]
    fn sampled(slf: PyRef<'_, Self>) -> PyResult<bool> {
        slf.as_super().liquidation().map(|of| of.sampled)
    }

    fn __repr__(slf: PyRef<'_, Self>) -> PyResult<String> {
        let (event, of) = (slf.as_super(), slf.as_super().liquidation()?);
        let order = side(of.side).unwrap_or("closed");
        Ok(event.told("Liquidation", &format!("{order} {} @ {}", of.size, of.price)))
    }
}

/// What one message said of funding and reference prices; None is what it did not say.
#[pyclass(module = "gapless", frozen, extends = Event, generic)]
pub struct Funding;

#[pymethods]
impl Funding {
    /// Price of the last trade.
    #[getter]
    fn last<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.last)
    }

    /// Mark price.
    #[getter]
    fn mark<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.mark)
    }

    /// Index price.
    #[getter]
    fn index<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.index)
    }

    /// Estimated settlement price.
    #[getter]
    fn settle<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.settle)
    }

    /// Open interest in the venue's unit.
    #[getter]
    fn open_interest<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.open_interest)
    }

    /// Funding rate of the interval; 1 is 100 %.
    #[getter]
    fn funding_rate<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.funding_rate)
    }

    /// Predicted funding rate.
    #[getter]
    fn predicted_funding<'py>(slf: PyRef<'py, Self>, py: Python<'py>) -> Said<'py> {
        slf.as_super().shown(py, slf.as_super().funding()?.predicted_funding)
    }

    /// When funding is next paid, ns since the epoch.
    #[getter]
    fn funding_time_ns(slf: PyRef<'_, Self>) -> PyResult<Option<i64>> {
        slf.as_super().funding().map(|of| of.funding_time_ns)
    }

    fn __repr__(slf: PyRef<'_, Self>) -> PyResult<String> {
        let (event, of) = (slf.as_super(), slf.as_super().funding()?);
        let said = [("mark", of.mark), ("index", of.index), ("funding_rate", of.funding_rate)];
        let said = said.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        Ok(event.told("Funding", &said.collect::<Vec<_>>().join(" ")))
    }
}

/// A published book has another state (``"states"``), or changed at all (``"updates"``).
#[pyclass(module = "gapless", frozen, extends = Event)]
pub struct BookChange {
    book: Arc<str>,
}

#[pymethods]
impl BookChange {
    /// The book's full name, which ``Engine.book`` takes.
    #[getter]
    fn book(&self) -> &str {
        &self.book
    }

    /// What may be thought of it.
    #[getter]
    fn state(slf: PyRef<'_, Self>) -> PyResult<&'static str> {
        slf.as_super().state().map(|of| of.state.name())
    }

    /// Why it is not live; ``"none"`` if it is.
    #[getter]
    fn reason(slf: PyRef<'_, Self>) -> PyResult<&'static str> {
        slf.as_super().state().map(|of| of.reason.name())
    }

    /// Counts the snapshots that replaced it.
    #[getter]
    fn epoch(slf: PyRef<'_, Self>) -> PyResult<u32> {
        slf.as_super().state().map(|of| of.epoch)
    }

    /// The venue's number of its last message.
    #[getter]
    fn seq(slf: PyRef<'_, Self>) -> PyResult<Option<i64>> {
        slf.as_super().state().map(|of| of.seq)
    }

    fn __repr__(slf: PyRef<'_, Self>) -> PyResult<String> {
        let of = slf.as_super().state()?;
        let (state, reason) = (of.state.name(), of.reason.name());
        Ok(format!("<gapless.BookChange {} {state} ({reason})>", slf.book))
    }
}

/// A subscription; the package wraps it.
#[pyclass(module = "gapless", frozen)]
pub struct _Subscription {
    subscription: Handle<Subscription>,
    numbers: Numbers,
    /// Whether its engine was started, or will never be: without events it is at its end then.
    begun: Arc<AtomicBool>,
}

/// What a receiver wants, from the words of Python.
pub fn interest(
    topics: &[String],
    names: Option<Vec<String>>,
    capacity: usize,
    slow: &str,
) -> PyResult<Interest> {
    let known = || Topic::ALL.map(Topic::name).join(", ");
    let topics = topics.iter().map(|word| {
        let text = || format!("no topic {word:?}; known are {}", known());
        Topic::from_name(word).ok_or_else(|| PyValueError::new_err(text()))
    });
    let slow = match slow {
        "raise" => Slow::Disconnect,
        "drop" => Slow::DropOldest,
        "latest" => Slow::Conflate,
        _ => {
            let text = format!("slow must be 'raise', 'drop' or 'latest', not {slow:?}");
            return Err(PyValueError::new_err(text));
        }
    };
    let topics = topics.collect::<PyResult<Vec<_>>>()?;
    let interest = Interest::in_topics(topics).with_irregular().capacity(capacity).when_slow(slow);
    Ok(match names {
        Some(names) => interest.of(names),
        None => interest,
    })
}

impl _Subscription {
    pub fn new(subscription: Subscription, numbers: Numbers, begun: Arc<AtomicBool>) -> Self {
        Self { subscription: Handle::new("the events were", subscription), numbers, begun }
    }

    /// Fills `batch` with what waits, or comes within this time; false at the end.
    fn take(
        &self,
        subscription: &mut Subscription,
        batch: &mut Vec<(events::Event, Names)>,
        at_most: Duration,
    ) -> PyResult<bool> {
        let begun = self.begun.load(Ordering::Acquire);
        let mut next = subscription.next_within(at_most);
        loop {
            match next {
                Ok(Some(Received::Event(event))) => {
                    let names = Names::of(subscription, &event);
                    batch.push((event, names));
                }
                Ok(Some(Received::Missed(_))) => {}
                Ok(None) => return Ok(true),
                // What it has still is given first.
                Err(_) if !batch.is_empty() => return Ok(true),
                Err(Ended::Closed) if !begun => {
                    std::thread::sleep(at_most);
                    return Ok(true);
                }
                Err(Ended::Closed) => return Ok(false),
                Err(error @ Ended::TooSlow { .. }) => {
                    let text = format!("{error}; ask for more capacity, or for slow='drop'");
                    return Err(EngineError::new_err(text));
                }
            }
            if batch.len() >= BATCH {
                return Ok(true);
            }
            next = subscription.try_next();
        }
    }

    fn object<'py>(
        &self,
        py: Python<'py>,
        (event, names): (events::Event, Names),
    ) -> PyResult<Bound<'py, PyAny>> {
        let body = event.body;
        let base = Event { event, instrument: names.instrument, numbers: self.numbers };
        let base = PyClassInitializer::from(base);
        Ok(match body {
            Body::Trade(_) => Bound::new(py, base.add_subclass(Trade))?.into_any(),
            Body::Liquidation(_) => Bound::new(py, base.add_subclass(Liquidation))?.into_any(),
            Body::Funding(_) => Bound::new(py, base.add_subclass(Funding))?.into_any(),
            Body::State(_) | Body::Update(_) => {
                let change = BookChange { book: names.book.unwrap_or_default() };
                Bound::new(py, base.add_subclass(change))?.into_any()
            }
            _ => Bound::new(py, base)?.into_any(),
        })
    }
}

/// Texts behind the numbers of an event.
struct Names {
    instrument: Arc<str>,
    book: Option<Arc<str>>,
}

impl Names {
    fn of(subscription: &Subscription, event: &events::Event) -> Self {
        let book = match &event.body {
            Body::State(state) | Body::Update(state) => subscription.name(state.book),
            _ => None,
        };
        Self { instrument: subscription.name(event.instrument).unwrap_or_default(), book }
    }
}

#[pymethods]
impl _Subscription {
    /// Events that wait, or come within so many seconds; an empty list if none did, None at the
    /// end.
    fn next<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let patience = Patience::of(Some(timeout))?;
        loop {
            let at_most = patience.slice();
            let mut batch = Vec::new();
            let goes_on =
                self.subscription.with(py, |held| self.take(held, &mut batch, at_most))?;
            py.check_signals()?;
            if !batch.is_empty() {
                let objects = batch.into_iter().map(|event| self.object(py, event));
                return objects.collect::<PyResult<_>>().map(Some);
            }
            if !goes_on {
                return Ok(None);
            }
            if patience.is_over() {
                return Ok(Some(Vec::new()));
            }
        }
    }

    /// Events given, lost, and replaced by later ones.
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        let counts = self.subscription.with(py, |held| Ok(held.counts()))?;
        Ok((counts.received, counts.missed, counts.replaced))
    }

    fn close(&self, py: Python<'_>) {
        self.subscription.close(py);
    }
}
