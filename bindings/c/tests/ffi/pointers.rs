//! Texts that the library gives as C's pointers.

use std::ffi::{CStr, c_char};

/// The text at a pointer that the library says is one that ends with a zero.
pub fn text_at(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    // SAFETY: not null; each function that returns a text documents that it ends with a zero and is
    // static or in the buffer that it was given, which outlives this call.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_owned()
}
