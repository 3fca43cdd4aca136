//! Where C's pointers end: what they point to is checked and copied here, and a panic stops here.
//!
//! The one invariant: a pointer is followed only within the call that brought it, only if it is
//! not null and aligned, and never as a Rust reference to memory that may hold anything.

use crate::types::gapless_status;
use std::cell::RefCell;
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

/// Runs the body of an exported function.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Failure>) -> gapless_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => gapless_status::Ok,
        Ok(Err(Failure(status, words))) => {
            if !words.is_empty() {
                remember(words);
            }
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

/// A copy of a text; null is allowed if it is empty.
pub(crate) fn text(pointer: *const u8, length: usize) -> Result<String, Failure> {
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
    let bytes = unsafe { std::slice::from_raw_parts(pointer, length) };
    let text = std::str::from_utf8(bytes).map(ToOwned::to_owned);
    text.map_err(|error| Failure(gapless_status::InvalidText, error.to_string()))
}

/// Copies values into the caller's buffer, as many as it holds.
pub(crate) fn fill<T: Copy>(buffer: *mut T, capacity: usize, values: &[T]) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    if buffer.is_null() || !buffer.is_aligned() {
        return Err(gapless_status::InvalidPointer.into());
    }
    if values.len() > capacity {
        return Err(gapless_status::TooSmall.into());
    }
    // SAFETY: not null and aligned; the caller of the exported function says that `capacity` values
    // may be written, which is no less than are; its memory is not ours.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), buffer, values.len()) };
    Ok(())
}
