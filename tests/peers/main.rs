//! Our machines beside those of others, in the same script.
//!
//! Documentation that runs: each test shows what a peer does, in the version pinned in `Cargo.toml`,
//! and what ours does instead. One that fails after an update is good news, and wants a line less.

mod breaker;
mod budget;
mod limiter;
