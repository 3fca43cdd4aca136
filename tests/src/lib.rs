//! What the tests share: support that no single test file owns.
#![deny(unsafe_code)]

pub mod counting_allocator;
pub mod guard_page;
pub mod level_texts;
pub mod recordings;
