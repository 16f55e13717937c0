#![no_main]
//! See `rowtide_fuzz::sql`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("sql"),
    |data: &[u8]| rowtide_fuzz::sql::check(data)
);
