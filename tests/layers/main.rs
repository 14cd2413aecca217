//! The layers, given every captured answer.

#[path = "../captures/expected.rs"]
#[allow(dead_code, reason = "each test uses some of it")]
mod expected;
mod finish;
mod provider;
