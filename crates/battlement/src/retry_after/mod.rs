//! Keeps every call back until the time that a provider has named to one.
//!
//! "Try again in 20 seconds" is said to one call and meant for all that share its key. Without a place
//! where it is written down, every other call finds it out for itself, and providers count those too:
//! a retry in each of them makes it worse. And where everybody waits for the same instant, all come back
//! in it and are told again. This layer is a gate that all calls share. How long it stays shut, and how
//! traffic comes back, is decided in [`battlement_core::cooldown`].
//!
//! # What shuts it
//!
//! - A **429**, as soon as its head is there: by the wait in its headers, or for a moment
//!   ([`Config::unhinted`]) until the body has said more. A body that says that the quota is used up
//!   for good, or that this request alone is too large, names no wait, and opens the gate again.
//! - A **503 or 529 with a wait**, from its head likewise. Without one it is a failure, and the
//!   business of a breaker.
//! - **The same inside a 200**: an error in the body, or an error event in a stream.
//! - [`Gates::shut`], by hand.
//!
//! A 200 whose headers say that a limit is used up does not shut it. Its reset is mostly the time until
//! the limit is whole again, while calls would pass much sooner; pacing by headers is what a rate limit
//! is for. But such an answer is no proof that a shut gate may open.
//!
//! # Who is kept back
//!
//! Calls with the same [`Key`](crate::call::Key): provider, model and API key, unless [`RetryAfterLayer::key`]
//! tells them apart in another way. A throttle that names its dimension shuts only that: what costs no tokens,
//! such as counting them, goes on while tokens are short.
//!
//! They go in the order in which they came: one when the gate opens, then more and more. Only the first
//! in line is woken, and a caller that leaves gives its place to the next. Whoever would have to wait
//! beyond its deadline, or longer than [`RetryAfterLayer::patience`], or behind too many others, is told so
//! at once with [`CoolingDown`], also when a later throttle makes the wait that long. An answer to a call that was
//! let through after the throttle, such as one with [`Force`], opens the gate before its time.
//!
//! # Where in the stack
//!
//! Inside of retry, so that every attempt asks, and outside of rate limit, breaker and concurrency, so
//! that nothing is held during the wait. In a [`Stack`](crate::stack::Stack) a call that has waited further in
//! is asked again before it goes out, and gives back what it holds if the gate was shut meanwhile; over single
//! layers it goes.
//!
//! # What happens to a streamed answer
//!
//! It is not touched. An error event that names a wait shuts the gate at its end.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement::{
//!     Error,
//!     retry_after::{Config, RetryAfterLayer},
//! };
//! use battlement_core::{Code, lanes::Lane};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let mut response = Response::new(Full::<Bytes>::default());
//!     *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
//!     response.headers_mut().insert("retry-after", http::HeaderValue::from_static("20"));
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//! let layer = RetryAfterLayer::new(Config::default())?
//!     .patience(Lane::Interactive, Duration::from_secs(10));
//! let service = ServiceBuilder::new().layer(layer).service(provider);
//!
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))
//! };
//! let response = service.clone().oneshot(request()?).await?;
//! assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
//!
//! // Nobody else finds that out for itself.
//! let error = Error::from(service.oneshot(request()?).await.unwrap_err());
//! assert_eq!(error.code(), Code::CoolingDown);
//! assert!(error.retry_after() > Some(Duration::from_secs(19)));
//! # Ok(())
//! # }
//! ```

mod gates;
mod layer;
mod line;
mod ticket;
mod turn;

#[cfg(test)]
mod tests;

pub use battlement_core::cooldown::{Config, InvalidConfig, Snapshot};
pub use gates::{CoolingDown, Gates};
pub use layer::{Force, RetryAfter, RetryAfterLayer};
pub use ticket::Ticket;
pub use turn::Turn;
