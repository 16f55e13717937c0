#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::CONFIG.begin(),
    |data: &[u8]| (fuzz_checks::CONFIG.check)(data)
);
