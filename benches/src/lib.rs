//! Speed against the rivals, with answers compared in the same run.
//!
//! ```text
//! recordings ─► workload ─► frames  ─► P  bytes to integers
//!                        ├► numbers ─► B  integers to books
//!                        ├► feed    ─► E  bytes to a published top
//!                        ├► files   ─► H  a packed CSV to books
//!                        └► numbers ─► V  a book to a reader on another core
//! ```
//! A row is measured by [`measure`], which interleaves its contenders and knows none of them;
//! [`rows`] makes lines of what it found and [`goals`] says what they must reach. Our side of every
//! row is in [`ours`], a rival's in its file under [`rival`].
#![forbid(unsafe_code)]

pub mod book_rows;
pub mod end_rows;
pub mod feed;
pub mod frames;
pub mod goals;
pub mod history;
pub mod measure;
pub mod numbers;
pub mod ours;
pub mod parsed;
pub mod passes;
pub mod publish_rows;
pub mod report;
pub mod resident;
pub mod rival;
pub mod rows;
pub mod shown;
pub mod symbols;
pub mod top_forms;
pub mod two_cores;
pub mod workload;
