#![no_main]
//! Shows that the fuzzing itself works on this machine: what `serde_json` reads, it reads again
//! from what it has written.

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let written = serde_json::to_vec(&value).unwrap();
    assert!(serde_json::from_slice::<Value>(&written).is_ok());
});
