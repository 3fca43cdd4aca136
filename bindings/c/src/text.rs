//! Names and words.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Room, TextRoom};
use crate::types::gapless_status;
use gapless::book::decimal::{Decimal, SCALE_MAX};
use gapless::book::local::Reason;
use std::ffi::{CStr, c_char};

/// Bytes that hold any decimal number with its sign, its point and a zero at its end.
pub const GAPLESS_DECIMAL_BYTES: usize = 24;

/// The version of the library, like "0.1.0". Static; never null.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The number of the interface that this header describes: another one may have other structs.
pub const GAPLESS_ABI_VERSION: u32 = 1;

/// GAPLESS_ABI_VERSION of the library that is loaded: for who loads it by hand, as its file's name
/// (SONAME) has kept other programs from one with another number.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_abi_version() -> u32 {
    GAPLESS_ABI_VERSION
}

/// The name of a status, like "GAPLESS_STATUS_NOT_LIVE". Static; never null.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_status_name(status: i32) -> *const c_char {
    const NAMES: [&CStr; 23] = [
        c"GAPLESS_STATUS_OK",
        c"GAPLESS_STATUS_INVALID_POINTER",
        c"GAPLESS_STATUS_INVALID_TEXT",
        c"GAPLESS_STATUS_INVALID_CONFIG",
        c"GAPLESS_STATUS_INVALID_HANDLE",
        c"GAPLESS_STATUS_ENGINE",
        c"GAPLESS_STATUS_NO_SUCH_BOOK",
        c"GAPLESS_STATUS_AMBIGUOUS_BOOK",
        c"GAPLESS_STATUS_NOT_LIVE",
        c"GAPLESS_STATUS_BUSY",
        c"GAPLESS_STATUS_TIMED_OUT",
        c"GAPLESS_STATUS_TOO_SMALL",
        c"GAPLESS_STATUS_TOO_MANY_HANDLES",
        c"GAPLESS_STATUS_INVALID_ARGUMENT",
        c"GAPLESS_STATUS_INTERNAL",
        c"GAPLESS_STATUS_NOTHING_NEW",
        c"GAPLESS_STATUS_LAPPED",
        c"GAPLESS_STATUS_NOT_PUBLISHED",
        c"GAPLESS_STATUS_TOO_DEEP",
        c"GAPLESS_STATUS_SHARED_MEMORY",
        c"GAPLESS_STATUS_ENDED",
        c"GAPLESS_STATUS_TOO_SLOW",
        c"GAPLESS_STATUS_NOT_MEASURED",
    ];
    let known = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
    known.unwrap_or(&c"unknown status").as_ptr()
}

/// Copies the name of a reason (gapless_standing.reason), like "awaiting_snapshot", into `buffer`
/// and writes its length to `length`; no zero is added. GAPLESS_STATUS_TOO_SMALL if it does not
/// fit: `length` says what is needed.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_reason_name(
    reason: u8,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::say(buffer, capacity, length, || {
        Ok(Reason::from_code(reason).ok_or(gapless_status::InvalidArgument)?.name())
    })
}

/// Copies what the last failed call of this thread had to say into `buffer` and writes its length
/// to `length`; no zero is added, and nothing may have been said. GAPLESS_STATUS_TOO_SMALL if it
/// does not fit: `length` says what is needed. A failure of this function changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_last_error(
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> gapless_status {
    boundary::ask(|| TextRoom::of(buffer, capacity, length)?.put(&boundary::last_error()))
}

/// Writes `number / 10^scale` in decimal digits into `buffer`, exact and ended by a zero, and
/// returns `buffer`; GAPLESS_DECIMAL_BYTES are always enough. Returns an empty text, which is
/// static, if they do not fit, `buffer` is null or there is no such scale.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_decimal(
    number: i64,
    scale: u8,
    buffer: *mut c_char,
    capacity: usize,
) -> *const c_char {
    let written = boundary::ask(|| {
        if scale > SCALE_MAX {
            return Err(gapless_status::InvalidArgument.into());
        }
        let mut text = Decimal::new(number, scale).to_string().into_bytes();
        text.push(0);
        Room::of(buffer, capacity)?.put(text.into_iter().map(|byte| byte as c_char))
    });
    if written == gapless_status::Ok { buffer } else { c"".as_ptr() }
}

/// A text with a zero at its end; what does not fit is cut, which no text of ours is.
pub(crate) fn ended<const N: usize>(text: &str) -> [c_char; N] {
    let mut bytes = [0; N];
    let room = bytes.len().saturating_sub(1);
    for (place, byte) in bytes.iter_mut().take(room).zip(text.bytes()) {
        *place = byte as c_char;
    }
    bytes
}
