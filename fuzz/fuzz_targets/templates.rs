//! libFuzzer's entry to [`gapless_fuzz::templates`]: bytes in, nothing out.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gapless_fuzz::templates(data));
