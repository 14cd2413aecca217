//! Ends a call when its time is over, wherever it is.
//!
//! A timeout per attempt adds up: three attempts of a minute each, and the waits between them, keep
//! somebody waiting for four minutes who would have left after one. And a timeout that ends with the
//! head of the answer lets a stream trickle on for ever. This layer enforces the one
//! [deadline](crate::call::Call::deadline) of the call, which [`Options`](crate::call::Options) or the
//! terms of its lane set: over all attempts, over every wait for a limit, and over the body of the
//! answer to its last byte.
//!
//! Whatever is still on its way at that moment is dropped, which closes the connection, so that most
//! providers stop to generate. A call whose deadline has passed already is not sent at all.
//!
//! # Where in the stack
//!
//! To the outside of everything that makes attempts or waits: of retry, hedge and fallback. Layers
//! inside look at the same deadline before they wait, and say no at once where it would pass; this one
//! is for what nobody could foresee.
//!
//! # What happens to a streamed answer
//!
//! Until the deadline, nothing. What is there at the deadline is still delivered: the body is asked before
//! the clock. When it has nothing to deliver the stream ends with the error [`Exceeded`], and never
//! as if it had come to its end; unless the answer was complete, and only the connection was still open.
//!
//! What was received so far is accounted: the verdict has the usage that the answer told. It is
//! [`Outcome::Abandoned`](battlement_core::Outcome::Abandoned) under the code
//! [`DeadlineExceeded`](battlement_core::Code::DeadlineExceeded), so breakers learn nothing from it:
//! a deadline says how long somebody wanted to wait, and perhaps most of it went into a queue on
//! our side. A provider that is too slow by its own measure is a matter for timeouts.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement::{Error, ErrorKind, call::Options, deadline::DeadlineLayer};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| {
//!     std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
//! });
//! let service = ServiceBuilder::new().layer(DeadlineLayer::new()).service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .extension(Options::default().time(Duration::from_millis(20)))
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let error = Error::from(service.oneshot(request).await.unwrap_err());
//! assert_eq!(error.kind(), ErrorKind::Timeout);
//! assert_eq!(error.code().as_str(), "llm.local.deadline");
//! # Ok(())
//! # }
//! ```

mod body;
mod error;
mod layer;
#[cfg(test)]
mod tests;

pub use body::Body;
#[cfg(feature = "cache")]
pub(crate) use body::Timer;
pub use error::Exceeded;
pub use layer::{DeadlineLayer, Enforce, ResponseFuture};
