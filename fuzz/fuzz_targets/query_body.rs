#![no_main]
//! See `rowtide_fuzz::query_body`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("query_body"),
    |data: &[u8]| rowtide_fuzz::query_body::check(data)
);
