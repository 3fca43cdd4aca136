//! Recordings as tables: extracts, feature columns, analytics, Parquet.
//!
//! ```text
//! recordings ─► gapless::Replay ─► extract (a watcher) ─► table (columns) ─► record batches
//!                                      └ features                              │      │
//!                                                                        Arrow, numpy  Parquet
//! ```
//!
//! It stands apart from `gapless` so that a strategy links neither Arrow nor Parquet.
#![forbid(unsafe_code)]

pub mod analytics;
pub mod extract;
pub mod features;
pub mod parquet;
pub mod read;
pub mod rows;
pub mod table;

/// Why an extract cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// An input cannot be read.
    #[error(transparent)]
    Input(#[from] gapless::Error),
    /// A value that the column cannot hold exactly.
    #[error(
        "column {column}: {value} does not fit integers of {scale} decimals; \
         ask for numbers 'float' or 'decimal', or for a larger scale"
    )]
    Scale {
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// Decimals of the column.
        scale: u8,
    },
    /// No such expression.
    #[error(
        "no feature {0:?}; known are mid, spread, spread_bps, microprice, ofi, imbalance(n), \
         bid_depth(bps), ask_depth(bps), vwap_buy(size), vwap_sell(size), rv(time), \
         buy_volume(time), sell_volume(time), trade_sign(time), trade_count(time)"
    )]
    Feature(String),
    /// A file cannot be written.
    #[error("{path}: {what}; check the folder and the space on its disk")]
    Write {
        /// The file or folder.
        path: String,
        /// What went wrong.
        what: String,
    },
    /// Arrow refuses.
    #[error("columns cannot be joined: {0}")]
    Arrow(String),
    /// A table for the analytics lacks a column, or has it in another type.
    #[error("{0}")]
    Table(String),
}
