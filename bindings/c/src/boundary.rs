//! Where C's pointers end: what they point to is checked and copied here, and a panic stops here.
//!
//! The one invariant: a pointer is followed only within the call that brought it, only if it is
//! not null and aligned, and never as a Rust reference to memory that may hold anything.

use crate::types::gapless_status;
use std::cell::RefCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Longest text that is taken.
const TEXT_MAX: usize = 1 << 20;

thread_local! {
    /// What the last call of this thread that failed has to say.
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A failure with its words.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) gapless_status, pub(crate) String);

impl From<gapless_status> for Failure {
    fn from(status: gapless_status) -> Self {
        Self(status, String::new())
    }
}

/// Runs the body of an exported function; what went wrong is what [`last_error`] says next.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Failure>) -> gapless_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => gapless_status::Ok,
        Ok(Err(Failure(status, words))) => {
            // Also if it has no words: those of an older failure are not this one's.
            remember(words);
            status
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
            remember(words.unwrap_or_else(|| "a fault without words".to_owned()));
            // What it was thrown with may itself throw when it is dropped.
            std::mem::forget(panic);
            gapless_status::Internal
        }
    }
}

/// As [`call`], of a function that writes one answer; nothing is done if it cannot be written.
#[inline]
pub(crate) fn answer<T: Copy>(
    place: *mut T,
    value: impl FnOnce() -> Result<T, Failure>,
) -> gapless_status {
    call(|| {
        let place = Place::of(place)?;
        place.put(value()?);
        Ok(())
    })
}

/// As [`answer`], of a text and its length.
pub(crate) fn say<T: AsRef<str>>(
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    text: impl FnOnce() -> Result<T, Failure>,
) -> gapless_status {
    call(|| {
        let room = TextRoom::of(buffer, capacity, length)?;
        room.put(text()?.as_ref())
    })
}

/// As [`call`], of a function that leaves the last failure as it is.
pub(crate) fn ask(body: impl FnOnce() -> Result<(), Failure>) -> gapless_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => gapless_status::Ok,
        Ok(Err(Failure(status, _))) => status,
        Err(panic) => {
            std::mem::forget(panic);
            gapless_status::Internal
        }
    }
}

fn remember(words: String) {
    // A thread that is ending has no such place any more.
    let _ = LAST_ERROR.try_with(|last| last.try_borrow_mut().map(|mut last| *last = words));
}

/// What the last failure of this thread said.
pub(crate) fn last_error() -> String {
    LAST_ERROR.try_with(|last| last.borrow().clone()).unwrap_or_default()
}

/// A place that the caller wants an answer in.
#[derive(Debug)]
pub(crate) struct Place<T: Copy>(*mut T);

impl<T: Copy> Place<T> {
    /// Refuses what cannot be written to.
    pub(crate) fn of(pointer: *mut T) -> Result<Self, Failure> {
        let usable = !pointer.is_null() && pointer.is_aligned();
        if usable { Ok(Self(pointer)) } else { Err(gapless_status::InvalidPointer.into()) }
    }

    /// Writes the answer.
    pub(crate) fn put(self, value: T) {
        // SAFETY: not null and aligned, checked above; the caller of the exported function says
        // that it may be written.
        unsafe { self.0.write(value) };
    }
}

/// Room of the caller for some answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<T: Copy> {
    first: *mut T,
    capacity: usize,
}

impl<T: Copy> Room<T> {
    /// Refuses what cannot be written to; room for nothing may be null.
    pub(crate) fn of(first: *mut T, capacity: usize) -> Result<Self, Failure> {
        if capacity > 0 {
            Place::of(first)?;
        }
        Ok(Self { first, capacity })
    }

    pub(crate) const fn capacity(self) -> usize {
        self.capacity
    }

    /// Refuses what does not fit.
    pub(crate) fn holds(self, count: usize) -> Result<(), Failure> {
        if count <= self.capacity { Ok(()) } else { Err(gapless_status::TooSmall.into()) }
    }

    /// Writes all of them, or none if they do not fit.
    pub(crate) fn put(self, values: impl ExactSizeIterator<Item = T>) -> Result<(), Failure> {
        self.holds(values.len())?;
        for (at, value) in (0..self.capacity).zip(values) {
            // SAFETY: `at` is less than the capacity, which is not 0 then: the pointer is not null
            // and aligned, checked by `of`, and the caller of the exported function says that so
            // many values may be written; its memory is not ours.
            unsafe { self.first.add(at).write(value) };
        }
        Ok(())
    }
}

/// Room of the caller for a text, and a place for the text's length.
#[derive(Debug)]
pub(crate) struct TextRoom {
    bytes: Room<c_char>,
    length: Place<usize>,
}

impl TextRoom {
    /// Refuses what cannot be written to.
    pub(crate) fn of(
        buffer: *mut c_char,
        capacity: usize,
        length: *mut usize,
    ) -> Result<Self, Failure> {
        Ok(Self { bytes: Room::of(buffer, capacity)?, length: Place::of(length)? })
    }

    /// Writes a text, and its length also if it does not fit.
    pub(crate) fn put(self, text: &str) -> Result<(), Failure> {
        self.length.put(text.len());
        self.bytes.put(text.bytes().map(|byte| byte as c_char))
    }
}

/// A copy of a text; null is allowed if it is empty.
pub(crate) fn text(pointer: *const c_char, length: usize) -> Result<String, Failure> {
    if length == 0 {
        return Ok(String::new());
    }
    if pointer.is_null() {
        return Err(gapless_status::InvalidPointer.into());
    }
    if length > TEXT_MAX {
        return Err(gapless_status::InvalidText.into());
    }
    // SAFETY: not null; the caller of the exported function says that so many bytes may be read.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) };
    let text = std::str::from_utf8(bytes).map(ToOwned::to_owned);
    text.map_err(|error| Failure(gapless_status::InvalidText, error.to_string()))
}
