//! What an LLM answer means, and what to do next.
//!
//! An LLM answer has two checkpoints: the HTTP status, and the model's own reason for stopping.
//! This crate reads both from the bytes as they pass, without changing or copying them, and turns
//! them into one verdict. It performs no I/O, reads no clock and needs no runtime: time and
//! randomness are arguments, so every decision can be tested in microseconds.

pub mod adaptive;
pub mod attempts;
pub mod backoff;
pub mod breaker;
pub mod bucket;
pub mod budget;
mod by_hash;
mod code;
pub mod context;
pub mod continuation;
pub mod cooldown;
pub mod deadline;
pub mod degrade;
mod dialect;
pub mod estimator;
mod failure;
pub mod fallback;
mod finish;
pub mod hedge;
pub mod hint;
pub mod lanes;
pub mod ledger;
pub mod models;
mod outcome;
pub mod preflight;
pub mod prices;
pub mod queue;
pub mod random;
mod read;
pub mod repair;
pub mod request;
mod scan;
mod sync;
mod usage;
mod verdict;
pub mod write;

pub use code::{Code, Fault};
pub use dialect::{Dialect, ErrorCode, ErrorReport, Opening, Provider, UnknownName};
pub use failure::{Advice, Failure, Phase};
pub use finish::Finish;
pub use outcome::{ErrorClass, FinishClass, Outcome};
pub use read::{End, Reader, Signals};
pub use usage::Usage;
pub use verdict::{Clock, Kind, NoAnswer, StreamEnd, Verdict};
