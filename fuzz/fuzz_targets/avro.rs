#![no_main]
//! See `rowtide_fuzz::decoding`.

libfuzzer_sys::fuzz_target!(
    init: rowtide_fuzz::begin("avro"),
    |data: &[u8]| rowtide_fuzz::decoding::avro(data)
);
