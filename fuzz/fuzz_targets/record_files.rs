#![no_main]
//! See `rowtide_fuzz::record_files`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("record_files"),
    |data: &[u8]| rowtide_fuzz::record_files::check(data)
);
