//! `Book`: one book in hand, fed with raw frames.

use crate::error::{FrameError, NotLiveError};
use crate::numbers::Numbers;
use gapless::book::book::Book as Levels;
use gapless::book::event::{Level, Side};
use gapless::book::local::{Counters, CrossedPolicy, Integrity, LocalBook, Reason};
use gapless::book::sequence::Verdict;
use gapless::venues::registry::VenueId;
use gapless::venues::session::SessionConfig;
use gapless::{Applied, FrameBook, book_sha256};
use numpy::{PyArray3, PyArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyTuple};

/// One price level, or nothing where the side is empty.
type Best<'py> = Option<Bound<'py, PyTuple>>;

/// The book of one symbol, fed with the raw frames of its connection.
///
/// Levels are pairs ``(price, size)``; sizes are in the venue's unit (base currency or contracts).
/// ``numbers`` says how both are shown: ``"float"`` (nearest), ``"decimal"`` (exact) or ``"int"``
/// (exact, at ``price_scale`` and ``size_scale`` decimals). One thread at a time may use it.
#[pyclass(module = "gapless", generic)]
pub struct Book {
    book: FrameBook,
    numbers: Numbers,
    gap: Option<(i64, i64)>,
}

impl Book {
    fn live(&self) -> PyResult<&Levels> {
        match self.book.local() {
            Some(local) => local.live().ok_or_else(|| self.not_live()),
            None => Err(self.not_live()),
        }
    }

    fn levels(&self, last_known: bool) -> PyResult<Option<&Levels>> {
        if last_known {
            return Ok(self.book.local().map(LocalBook::last_known));
        }
        self.live().map(Some)
    }

    fn state_words(&self) -> (&'static str, &'static str) {
        let none = ("syncing", Reason::AwaitingSnapshot.name());
        self.book.local().map_or(none, |local| {
            let (state, reason) = local.state();
            (state.name(), reason.name())
        })
    }

    #[cold]
    fn not_live(&self) -> PyErr {
        let (state, reason) = self.state_words();
        let name = self.name();
        NotLiveError::new_err(format!("{name} is {state} ({reason}); last_known=True shows levels"))
    }

    fn name(&self) -> String {
        format!("{}:{}", self.book.venue().name(), self.book.symbol())
    }

    fn pick(&self, numbers: Option<&str>) -> PyResult<Numbers> {
        numbers.map_or(Ok(self.numbers), Numbers::read)
    }

    fn took<'py>(&mut self, py: Python<'py>, applied: Applied) -> PyResult<Bound<'py, PyString>> {
        match applied {
            Applied::Refused(error) => return Err(FrameError::new_err(error.to_string())),
            Applied::Book(Verdict::Gap { expected, got }) => self.gap = Some((expected, got)),
            _ => {}
        }
        // Almost every frame of a feed: not looked up among the interpreter's words each time.
        if let Applied::Book(Verdict::Apply { .. }) = applied {
            return Ok(intern!(py, "apply").clone());
        }
        Ok(PyString::intern(py, applied.name()))
    }
}

fn tuple<'py>(
    py: Python<'py>,
    numbers: Numbers,
    book: &Levels,
    level: Level,
) -> PyResult<Bound<'py, PyTuple>> {
    let scales = book.scales();
    let price = numbers.show(py, level.price, scales.price)?;
    (price, numbers.show(py, level.qty, scales.qty)?).into_pyobject(py)
}

fn side<'py>(
    py: Python<'py>,
    numbers: Numbers,
    book: Option<&Levels>,
    side: Side,
    n: usize,
) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let Some(book) = book else { return Ok(Vec::new()) };
    book.depth(side, n).map(|level| tuple(py, numbers, book, level)).collect()
}

/// The bytes of a frame, wherever a client library keeps them.
enum Frame<'a, 'py> {
    Bytes(&'a [u8]),
    Text(std::borrow::Cow<'a, str>),
    Copied(Vec<u8>, std::marker::PhantomData<&'py ()>),
}

impl Frame<'_, '_> {
    fn of<'a, 'py>(frame: &'a Bound<'py, PyAny>, what: &str) -> PyResult<Frame<'a, 'py>> {
        if let Ok(bytes) = frame.cast::<PyBytes>() {
            return Ok(Frame::Bytes(bytes.as_bytes()));
        }
        if let Ok(text) = frame.cast::<PyString>() {
            return Ok(Frame::Text(text.to_cow()?));
        }
        if let Ok(bytes) = frame.cast::<PyByteArray>() {
            return Ok(Frame::Copied(bytes.to_vec(), std::marker::PhantomData));
        }
        let kind = frame.get_type().name()?;
        Err(PyTypeError::new_err(format!("{what} must be bytes, bytearray or str, not {kind}")))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
            Self::Copied(bytes, _) => bytes,
        }
    }
}

#[pymethods]
impl Book {
    #[new]
    #[pyo3(signature = (venue, symbol, /, *, channel = None, numbers = "float"))]
    fn new(venue: &str, symbol: &str, channel: Option<&str>, numbers: &str) -> PyResult<Self> {
        let Some(id) = VenueId::from_name(venue) else {
            let known: Vec<_> = VenueId::ALL.iter().map(|venue| venue.name()).collect();
            let known = known.join(", ");
            return Err(PyValueError::new_err(format!("no venue {venue:?}; known are {known}")));
        };
        if symbol.is_empty() {
            return Err(PyValueError::new_err("symbol is empty"));
        }
        let mut config = SessionConfig::replay();
        config.policy.crossed = CrossedPolicy::Report;
        config.policy.keep_last_live = false;
        let book = FrameBook::new(id, symbol, channel, config);
        Ok(Self { book, numbers: Numbers::read(numbers)?, gap: None })
    }

    /// Reads one frame as it came from the socket; the verdict on its last message of this book.
    ///
    /// ``"other"``: it carried nothing of this book. ``"gap"``: messages are missing, the book is
    /// not live until a snapshot; ``gap`` has the numbers. ``recv_ns``: when it was received, ns
    /// since the epoch. Raises FrameError for bytes that cannot be read; where they may have been
    /// this book's, it is not live.
    #[pyo3(signature = (frame, /, *, recv_ns = 0))]
    fn apply<'py>(
        &mut self,
        py: Python<'py>,
        frame: &Bound<'py, PyAny>,
        recv_ns: i64,
    ) -> PyResult<Bound<'py, PyString>> {
        let frame = Frame::of(frame, "frame")?;
        let applied = self.book.apply(recv_ns, frame.bytes());
        self.took(py, applied)
    }

    /// Takes the body of the venue's REST snapshot, fetched from ``url``.
    ///
    /// Without ``url`` it is taken for the snapshot of this symbol. Raises as ``apply``.
    #[pyo3(signature = (body, /, *, url = None, recv_ns = 0))]
    fn snapshot<'py>(
        &mut self,
        py: Python<'py>,
        body: &Bound<'py, PyAny>,
        url: Option<&str>,
        recv_ns: i64,
    ) -> PyResult<Bound<'py, PyString>> {
        let body = Frame::of(body, "body")?;
        let channel = self.book.channel().unwrap_or("depth");
        let usual = || format!("/{channel}?symbol={}", self.book.symbol());
        let url = url.map_or_else(usual, str::to_owned);
        let applied = self.book.snapshot(recv_ns, &url, body.bytes());
        self.took(py, applied)
    }

    /// The connection was lost: the book is not live until a snapshot of the next one.
    fn disconnect(&mut self) {
        self.book.disconnect();
    }

    /// Name of the venue, one of ``venues()``.
    #[getter]
    fn venue(&self) -> &'static str {
        self.book.venue().name()
    }

    /// The venue's symbol.
    #[getter]
    fn symbol(&self) -> &str {
        self.book.symbol()
    }

    /// Channel of the book; None until it is known.
    #[getter]
    fn channel(&self) -> Option<&str> {
        self.book.channel()
    }

    /// ``"live"`` only while the venue's own numbering proves that nothing is missing.
    #[getter]
    fn state(&self) -> &'static str {
        self.state_words().0
    }

    /// Why it is not live; ``"none"`` if it is.
    #[getter]
    fn reason(&self) -> &'static str {
        self.state_words().1
    }

    /// Whether ``state`` is ``"live"``.
    #[getter]
    fn is_live(&self) -> bool {
        self.book.local().is_some_and(|local| local.live().is_some())
    }

    /// How well continuity is proven: ``"weak"`` where messages carry no sequence.
    #[getter]
    fn integrity(&self) -> Option<&'static str> {
        self.book.local().map(|local| match local.integrity() {
            Integrity::Full => "full",
            Integrity::Weak => "weak",
        })
    }

    /// The venue's number of the last accepted message.
    #[getter]
    fn seq(&self) -> Option<i64> {
        self.book.local().and_then(LocalBook::seq)
    }

    /// Counts the snapshots that replaced the book.
    #[getter]
    fn epoch(&self) -> u32 {
        self.book.local().map_or(0, LocalBook::epoch)
    }

    /// Number that should have come and number that came, at the last gap.
    #[getter]
    fn gap(&self) -> Option<(i64, i64)> {
        self.gap
    }

    /// Decimals of the book's integer prices, 0 to 18.
    #[getter]
    fn price_scale(&self) -> u8 {
        self.book.local().map_or(0, |local| local.last_known().scales().price)
    }

    /// Decimals of the book's integer sizes, 0 to 18.
    #[getter]
    fn size_scale(&self) -> u8 {
        self.book.local().map_or(0, |local| local.last_known().scales().qty)
    }

    /// What happened so far: applied, gaps, duplicates, resyncs and so on.
    #[getter]
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = self.book.local().map_or_else(Counters::default, |local| *local.counters());
        let dict = PyDict::new(py);
        for (name, value) in counters.named() {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    /// Highest bid; None where there is none. Raises NotLiveError.
    #[getter]
    fn best_bid<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let book = self.live()?;
        book.best_bid().map(|level| tuple(py, self.numbers, book, level)).transpose()
    }

    /// Lowest ask; None where there is none. Raises NotLiveError.
    #[getter]
    fn best_ask<'py>(&self, py: Python<'py>) -> PyResult<Best<'py>> {
        let book = self.live()?;
        book.best_ask().map(|level| tuple(py, self.numbers, book, level)).transpose()
    }

    /// Best bid and best ask.
    ///
    /// ``last_known``: the levels as they stand, whatever the state; else NotLiveError is raised
    /// for a book that is not live.
    #[pyo3(signature = (*, numbers = None, last_known = false))]
    fn top<'py>(
        &self,
        py: Python<'py>,
        numbers: Option<&str>,
        last_known: bool,
    ) -> PyResult<(Best<'py>, Best<'py>)> {
        let numbers = self.pick(numbers)?;
        let Some(book) = self.levels(last_known)? else { return Ok((None, None)) };
        let show = |level| tuple(py, numbers, book, level);
        Ok((book.best_bid().map(show).transpose()?, book.best_ask().map(show).transpose()?))
    }

    /// The best ``n`` levels of each side, best first, bids then asks. Raises as ``top``.
    #[pyo3(signature = (n, /, *, numbers = None, last_known = false))]
    #[allow(clippy::type_complexity, reason = "two lists of levels")]
    fn depth<'py>(
        &self,
        py: Python<'py>,
        n: usize,
        numbers: Option<&str>,
        last_known: bool,
    ) -> PyResult<(Vec<Bound<'py, PyTuple>>, Vec<Bound<'py, PyTuple>>)> {
        let numbers = self.pick(numbers)?;
        let book = self.levels(last_known)?;
        Ok((side(py, numbers, book, Side::Bid, n)?, side(py, numbers, book, Side::Ask, n)?))
    }

    /// Writes the best ``n`` levels into ``out``; returns how many bids and asks there were.
    ///
    /// ``out``: C-contiguous array of shape (2, n, 2): side (bid, ask), level, (price, size);
    /// float64, or int64 for the scaled integers. Places without a level are NaN, or 0.
    /// No level becomes an object. Raises TypeError for any other array, else as ``top``.
    #[pyo3(signature = (out, /, *, last_known = false))]
    fn depth_into(&self, out: &Bound<'_, PyAny>, last_known: bool) -> PyResult<(usize, usize)> {
        let py = out.py();
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let wrong = || {
            let want = "out must be a writable C-contiguous numpy array of shape (2, n, 2)";
            PyTypeError::new_err(format!("{want}, of float64 or int64"))
        };
        // Nothing is an array where numpy was never imported, and asking would import it.
        if !modules.contains(intern!(py, "numpy"))? {
            return Err(wrong());
        }
        let book = self.levels(last_known)?;
        let scales = book.map_or_else(Default::default, Levels::scales);
        let level_f64 = |level: Level| {
            let price = gapless::convert::scaled_f64(level.price, scales.price);
            [price, gapless::convert::scaled_f64(level.qty, scales.qty)]
        };
        if let Ok(array) = out.cast::<PyArray3<f64>>() {
            return fill(array, book, f64::NAN, level_f64).ok_or_else(wrong);
        }
        let array = out.cast::<PyArray3<i64>>().map_err(|_| wrong())?;
        fill(array, book, 0, |level| [level.price, level.qty]).ok_or_else(wrong)
    }

    /// SHA-256 of the canonical text of the levels as they stand, in hexadecimal.
    fn sha256(&self) -> Option<String> {
        self.book.local().map(|local| book_sha256(local.last_known()))
    }

    fn __repr__(&self) -> String {
        let (state, reason) = self.state_words();
        let mut text = format!("<gapless.Book {} {state}", self.name());
        if reason != "none" {
            text += &format!(" ({reason})");
        }
        if let Some(local) = self.book.local() {
            let book = local.last_known();
            let shown = |level: Option<Level>| {
                level.map_or("-".to_owned(), |level| {
                    let (price, size) = book.decimals(level);
                    format!("{size} @ {price}")
                })
            };
            text += &format!(" {} | {}", shown(book.best_bid()), shown(book.best_ask()));
            if let Some(seq) = local.seq() {
                text += &format!(" seq={seq}");
            }
        }
        text + ">"
    }

    fn _repr_html_<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("gapless._html")?.call_method1("book", (slf,))
    }

    fn __reduce__(&self) -> PyResult<()> {
        let text = "a Book is a live handle and cannot be pickled; send its frames or depth(n)";
        Err(PyTypeError::new_err(text))
    }
}

/// Writes both sides into the caller's array; levels counted, or nothing where it does not fit.
fn fill<T: numpy::Element + Copy>(
    array: &Bound<'_, PyArray3<T>>,
    book: Option<&Levels>,
    empty: T,
    show: impl Fn(Level) -> [T; 2],
) -> Option<(usize, usize)> {
    let mut array = array.try_readwrite().ok()?;
    let [2, n, 2] = *array.as_array().shape() else { return None };
    let out = array.as_slice_mut().ok()?;
    out.fill(empty);
    let mut counts = [0, 0];
    let sides = out.chunks_exact_mut((2 * n).max(1)).zip([Side::Bid, Side::Ask]);
    for ((out, side), count) in sides.zip(&mut counts) {
        let levels = book.into_iter().flat_map(|book| book.depth(side, n));
        for (out, level) in out.chunks_exact_mut(2).zip(levels) {
            out.copy_from_slice(&show(level));
            *count += 1;
        }
    }
    Some(counts.into())
}
