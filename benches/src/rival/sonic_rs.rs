//! sonic-rs, typed, levels straight to integers.

use super::json::Json;
use serde::Deserialize;

/// The parser.
#[derive(Debug, Default)]
pub struct SonicRs;

impl Json for SonicRs {
    const NAME: &'static str = "sonic-rs";

    fn read<'de, T: Deserialize<'de>>(&mut self, frame: &'de mut [u8]) -> Option<T> {
        ::sonic_rs::from_slice(frame).ok()
    }
}
