#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::POSTGREST.begin(),
    |data: &[u8]| (fuzz_checks::POSTGREST.check)(data)
);
