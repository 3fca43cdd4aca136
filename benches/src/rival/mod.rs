//! The rivals, one file each: parsers are a [`json::Json`], containers a
//! [`crate::numbers::Ladder`].

#[cfg(feature = "barter")]
pub mod barter;
pub mod btreemap;
pub mod cells;
pub mod hftbacktest;
pub mod json;
#[cfg(feature = "nautilus")]
pub mod nautilus;
pub mod serde_json;
pub mod simd_json;
pub mod sonic_rs;
pub mod sorted_vec;
