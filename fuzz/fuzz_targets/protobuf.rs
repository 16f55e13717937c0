#![no_main]

libfuzzer_sys::fuzz_target!(
    init: fuzz_checks::PROTOBUF.begin(),
    |data: &[u8]| (fuzz_checks::PROTOBUF.check)(data)
);
