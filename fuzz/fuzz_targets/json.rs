#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::JSON.begin(),
    |data: &[u8]| (fuzz_checks::JSON.check)(data)
);
