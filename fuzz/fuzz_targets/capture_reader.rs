//! libFuzzer's entry to [`gapless_fuzz::capture_reader`]: bytes in, nothing out.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gapless_fuzz::capture_reader(data));
