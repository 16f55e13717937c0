#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::SQL.begin(),
    |data: &[u8]| (fuzz_checks::SQL.check)(data)
);
