#![no_main]
//! See `rowtide_fuzz::query_text`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("query_text"),
    |data: &[u8]| rowtide_fuzz::query_text::check(data)
);
