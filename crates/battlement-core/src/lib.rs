//! What an LLM answer means, and what to do next.
//!
//! An LLM answer has two checkpoints: the HTTP status, and the model's own reason for stopping.
//! This crate reads both from the bytes as they pass, without changing or copying them, and turns
//! them into one verdict. It performs no I/O, reads no clock and needs no runtime: time and
//! randomness are arguments, so every decision can be tested in microseconds.

mod dialect;
mod finish;
mod outcome;
pub mod request;
mod usage;

pub use dialect::{Dialect, Provider, UnknownName};
pub use finish::Finish;
pub use outcome::{ErrorClass, FinishClass, Outcome};
pub use usage::Usage;
