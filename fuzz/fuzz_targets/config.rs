#![no_main]
//! See `rowtide_fuzz::config`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("config"),
    |data: &[u8]| rowtide_fuzz::config::check(data)
);
