#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::QUERY_TEXT.begin(),
    |data: &[u8]| (fuzz_checks::QUERY_TEXT.check)(data)
);
