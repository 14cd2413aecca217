#![no_main]
use battlement_core::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| battlement_fuzz::dialect(Dialect::OllamaNative, input));
