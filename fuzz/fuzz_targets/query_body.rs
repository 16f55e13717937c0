#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::QUERY_BODY.begin(),
    |data: &[u8]| (fuzz_checks::QUERY_BODY.check)(data)
);
