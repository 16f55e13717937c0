#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::AVRO.begin(),
    |data: &[u8]| (fuzz_checks::AVRO.check)(data)
);
