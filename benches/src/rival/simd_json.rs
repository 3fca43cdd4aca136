//! simd-json, typed, levels straight to integers. It overwrites its input, which is its own
//! receive buffer here, and keeps its working memory from frame to frame.

use super::json::Json;
use serde::Deserialize;
use simd_json::Buffers;

/// The parser.
#[derive(Default)]
pub struct SimdJson {
    buffers: Buffers,
}

impl Json for SimdJson {
    const NAME: &'static str = "simd-json";

    fn read<'de, T: Deserialize<'de>>(&mut self, frame: &'de mut [u8]) -> Option<T> {
        ::simd_json::serde::from_slice_with_buffers(frame, &mut self.buffers).ok()
    }
}
