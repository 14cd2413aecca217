//! Keeps calls within the limits of a provider: requests and tokens by second, minute and day.
//!
//! Calls that go out faster than a provider allows come back as 429, and cost a round trip, a place in
//! the budget of retries, and at many providers a part of the limit. And of what they
//! cost in tokens, most is known when they end. This layer keeps the ledger that the provider keeps: a
//! call is charged what it is expected to cost by every limit or by none, and at the end of its answer
//! the truth replaces the charge. How is told in [`battlement_core::ledger`], and how the length of
//! answers is learned in [`battlement_core::estimator`].
//!
//! # Who waits, and for how long
//!
//! A call that does not pass waits in line, if its turn comes before its deadline; that is known on
//! arrival, and otherwise it is [`Rejected`] at once, with the time that it would have had to wait.
//! Urgent [lanes](battlement_core::lanes) go first, tenants take turns by tokens, and nobody overtakes
//! within both; see [`battlement_core::queue`]. Nobody asks twice: whoever changes something lets
//! pass who can, and the first in line has a timer. With [`Config::reject`] nobody waits.
//!
//! What providers say in their headers is taken in from the head of each answer: less at once, more
//! with care, and never more than was set here.
//!
//! # Where in the stack
//!
//! Inside of retry, so that every attempt counts; outside of the breaker and of the limit of
//! concurrency, so that who waits holds nothing.
//!
//! # What happens to a streamed answer
//!
//! It is not touched. Its reservation is settled when its body ends, fails or is dropped. Where a
//! provider charges output as it is produced, what the answer tells of it is charged on the way.
//! Of an answer that broke off, nothing is refunded that is not known.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     Error,
//!     rate_limit::{Config, RateLimitLayer},
//! };
//! use battlement_core::{Code, Provider};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let limits = Config::new(Provider::OpenAi).requests_per_minute(2).tokens_per_minute(200_000);
//! let layer = RateLimitLayer::new(limits.reject())?;
//! let mut service = ServiceBuilder::new().layer(layer.clone()).service(provider);
//!
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))
//! };
//! service.ready().await?.call(request()?).await?;
//! service.ready().await?.call(request()?).await?;
//! let error = service.ready().await?.call(request()?).await.unwrap_err();
//!
//! let error = Error::from(error);
//! assert_eq!(error.code(), Code::LimitReached);
//! assert!(error.retry_after().is_some_and(|wait| wait.as_secs() <= 30));
//! assert_eq!(layer.limits().snapshot().levels[0].1, 0);
//! # Ok(())
//! # }
//! ```
//!
//! A ledger for each model, with other limits for one of them:
//!
//! ```
//! use battlement::{
//!     call::{Credential, Key},
//!     rate_limit::{Config, RateLimitLayer},
//! };
//! use battlement_core::{
//!     Provider,
//!     ledger::{Limit, Meter},
//! };
//!
//! let limits = Config::new(Provider::Anthropic)
//!     .requests_per_minute(1_000)
//!     .input_tokens_per_minute(450_000)
//!     .output_tokens_per_minute(90_000);
//! let layer = RateLimitLayer::new(limits)?.key(Key::of);
//! let large = Key {
//!     name: Some("claude-opus-4-1".into()),
//!     credential: Some(Credential::of("sk-ant-…")),
//!     ..Key::new(Provider::Anthropic)
//! };
//! layer.limits().set_for(&large, Limit::per_minute(Meter::Output, 80_000))?;
//! # Ok::<(), battlement::BoxError>(())
//! ```

mod book;
mod config;
mod error;
mod layer;
mod limits;
#[cfg(all(test, not(loom)))]
mod tests;

pub use config::{Config, InvalidConfig};
pub use error::Rejected;
pub use layer::{InLine, RateLimit, RateLimitLayer, Reserved};
pub use limits::{Limits, Snapshot};
