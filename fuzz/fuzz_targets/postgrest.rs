#![no_main]
//! See `rowtide_fuzz::postgrest`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("postgrest"),
    |data: &[u8]| rowtide_fuzz::postgrest::check(data)
);
