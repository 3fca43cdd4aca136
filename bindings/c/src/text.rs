//! Names and words.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Place};
use crate::types::gapless_status;
use gapless::book::local::Reason;
use std::ffi::c_char;

/// The version of the library, like "0.1.0". Static; never null.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The name of a status, like "GAPLESS_STATUS_NOT_LIVE". Static; never null.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_status_name(status: i32) -> *const c_char {
    const NAMES: [&str; 15] = [
        "GAPLESS_STATUS_OK\0",
        "GAPLESS_STATUS_INVALID_POINTER\0",
        "GAPLESS_STATUS_INVALID_TEXT\0",
        "GAPLESS_STATUS_INVALID_CONFIG\0",
        "GAPLESS_STATUS_INVALID_HANDLE\0",
        "GAPLESS_STATUS_ENGINE\0",
        "GAPLESS_STATUS_NO_SUCH_BOOK\0",
        "GAPLESS_STATUS_AMBIGUOUS_BOOK\0",
        "GAPLESS_STATUS_NOT_LIVE\0",
        "GAPLESS_STATUS_BUSY\0",
        "GAPLESS_STATUS_TIMED_OUT\0",
        "GAPLESS_STATUS_TOO_SMALL\0",
        "GAPLESS_STATUS_TOO_MANY_HANDLES\0",
        "GAPLESS_STATUS_INVALID_ARGUMENT\0",
        "GAPLESS_STATUS_INTERNAL\0",
    ];
    let known = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
    known.unwrap_or(&"unknown status\0").as_ptr().cast()
}

/// Copies the name of a reason (gapless_standing.reason), like "awaiting_snapshot", into `buffer`
/// and writes its length to `length`; no zero is added. GAPLESS_STATUS_TOO_SMALL if it does not
/// fit: `length` says what is needed.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reason_name(
    reason: u8,
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let length = Place::of(length)?;
        let name = Reason::from_code(reason).ok_or(gapless_status::InvalidArgument)?.name();
        length.put(name.len());
        boundary::fill(buffer, capacity, name.as_bytes())
    })
}

/// Copies what the last failed call of this thread had to say into `buffer` and writes its length
/// to `length`; no zero is added. GAPLESS_STATUS_TOO_SMALL if it does not fit: `length` says what
/// is needed.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_last_error(
    buffer: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let length = Place::of(length)?;
        let words = boundary::last_error();
        length.put(words.len());
        boundary::fill(buffer, capacity, words.as_bytes())
    })
}
