//! Stops calling a provider that fails, and finds out when it is back.
//!
//! A provider that is down takes a minute of each caller's time before it fails the call, and is
//! kept down by those who try again. This layer notices, turns calls away at once with the time of the
//! next probe, and lets the traffic come back slowly. How it decides is told in
//! [`battlement_core::breaker`].
//!
//! Each model of each provider has a circuit of its own, since that is what fails: one model of a
//! provider may be overloaded for hours while the others work. [`BreakerLayer::key`] draws the borders
//! elsewhere: whoever calls with several API keys tells them apart there.
//!
//! # What counts as failure
//!
//! Overload, errors and timeouts of the provider, a connection that is refused or lost, and **answers
//! that die in the middle**: a 200 whose stream is cut counts as what it is. A rate limit does
//! not: the provider is well and says so. Nor does a request that it will not take, an answer that
//! was refused or truncated, or a caller that went away.
//!
//! # Where in the stack
//!
//! Inside of retry, so that every attempt counts, and of the rate limit, so that a wait for a limit
//! holds no probe; outside of the timeouts, whose failures it has to see.
//!
//! # What happens to a streamed answer
//!
//! It is not touched. The first output of the model counts as success, so a probe need not wait for
//! the end of a long answer; if the stream dies later, that is corrected.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     Error,
//!     breaker::{BreakerLayer, Config},
//! };
//! use battlement_core::Code;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let mut response = Response::new(Full::<Bytes>::default());
//!     *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//! let layer = BreakerLayer::new(Config::default())?;
//! let mut service = ServiceBuilder::new().layer(layer).service(provider);
//!
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))
//! };
//! for _ in 0..4 {
//!     service.ready().await?.call(request()?).await?.into_body().collect().await?;
//! }
//! let error = Error::from(service.ready().await?.call(request()?).await.unwrap_err());
//! assert_eq!(error.code(), Code::CircuitOpen);
//! assert!(error.retry_after().is_some());
//! # Ok(())
//! # }
//! ```

mod layer;
#[cfg(test)]
mod tests;

pub use battlement_core::breaker::{Config, InvalidConfig, Mode, OpenTime, Reason, Snapshot};
pub use layer::{Breaker, BreakerLayer, Circuits, Rejected, Ticket};
