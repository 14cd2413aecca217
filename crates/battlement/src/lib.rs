//! Tower layers that keep calls to LLM APIs standing.

mod clock;
mod drive;
mod hold;
mod line;
mod seed;
#[cfg(test)]
#[allow(dead_code, reason = "each layer uses some of it")]
mod testing;

#[cfg(feature = "axum")]
pub mod axum;
pub mod breaker;
#[cfg(feature = "util")]
pub mod builder;
pub mod call;
pub mod concurrency;
pub mod deadline;
pub mod error;
pub mod events;
pub mod finish;
pub mod observe;
pub mod rate_limit;
#[cfg(feature = "reqwest")]
pub mod reqwest;
pub mod retry;
pub mod retry_after;
pub mod stack;
pub mod timeout;

pub use battlement_core as core;
#[doc(inline)]
pub use error::{BoxError, Error, ErrorKind};
