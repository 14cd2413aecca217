//! Tower layers that keep calls to LLM APIs standing.

mod clock;
mod drive;
mod hold;
mod line;
mod seed;
#[cfg(test)]
#[allow(dead_code, reason = "each layer uses some of it")]
mod testing;

pub mod breaker;
pub mod call;
pub mod concurrency;
pub mod error;
pub mod events;
pub mod observe;
pub mod rate_limit;

pub use battlement_core as core;
#[doc(inline)]
pub use error::{BoxError, Error, ErrorKind};
