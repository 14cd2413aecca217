#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| battlement_fuzz::rounds::check(input));
