#![no_main]
use battlement_fuzz::framing::Framing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| battlement_fuzz::framing(Framing::JsonArray, input));
