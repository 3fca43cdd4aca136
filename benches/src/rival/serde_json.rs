//! serde_json, typed, levels straight to integers.

use super::json::Json;
use serde::Deserialize;

/// The parser.
#[derive(Debug, Default)]
pub struct SerdeJson;

impl Json for SerdeJson {
    const NAME: &'static str = "serde_json";

    fn read<'de, T: Deserialize<'de>>(&mut self, frame: &'de mut [u8]) -> Option<T> {
        ::serde_json::from_slice(frame).ok()
    }
}
