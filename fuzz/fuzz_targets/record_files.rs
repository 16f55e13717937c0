#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::RECORD_FILES.begin(),
    |data: &[u8]| (fuzz_checks::RECORD_FILES.check)(data)
);
