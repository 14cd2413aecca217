//! Ends attempts that take too long, by the clock that tells what is wrong.
//!
//! One limit for a call is either too short for a long answer or too long for a dead provider. What
//! can be told apart early is: no head, a head but no word of the model, an answer that falls silent
//! or trickles. So there is a limit for each of these, besides one for the whole attempt; see
//! [`Timeouts`]. They differ for streams and for answers that come as a whole, and the layer takes both
//! and chooses by what the request asks for.
//!
//! Pings are not progress. A proxy sends them for a model that has died, so neither they nor
//! comments count towards the first output, nor against silence.
//!
//! A limit never exceeds what the deadline of the call leaves, and a call whose deadline has passed is
//! not sent.
//!
//! # What counts as waiting
//!
//! The time from the moment that a caller asks and there is nothing, to the moment that there is. A caller
//! that pauses for an hour finds what has arrived in the meantime, since the answer is asked before the
//! timer, and the provider has its full time to go on. Only the deadline goes on while a caller pauses; that
//! one is the caller's own.
//!
//! # Where in the stack
//!
//! Inside of retry, so that every attempt has its time, and of the breaker, which has to see what ends
//! here; outside of what holds an answer back, whose wait counts.
//!
//! # What happens to an attempt that is ended
//!
//! Everyone who has to settle something learns that the provider was too slow, rather than that the caller
//! went away. The call below, or the rest of the body, is dropped, which closes its connection or
//! stream, so that most providers stop writing. The caller gets [`Elapsed`].
//!
//! # What happens to a streamed answer
//!
//! It is not touched. If a limit passes in its middle, [`Elapsed`] takes the place of the next frame: an
//! answer that was given up never looks like one that came to its end. After the event that ends the
//! stream no limit passes any more; if the provider then leaves the connection open and silent, the body
//! ends, as the answer has.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement::{
//!     Error,
//!     timeout::{TimeoutLayer, Timeouts},
//! };
//! use battlement_core::Code;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     std::future::pending::<()>().await;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let streaming = Timeouts { head: Some(Duration::from_secs(20)), ..Timeouts::streaming() };
//! let layer = TimeoutLayer::new(streaming, Timeouts::whole())?;
//! let service = ServiceBuilder::new().layer(layer).service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "stream": true, "messages": []}"#))?;
//! let error = Error::from(service.oneshot(request).await.unwrap_err());
//! assert_eq!(error.code(), Code::TimeoutHead);
//! assert!(error.is_retryable());
//! # Ok(())
//! # }
//! ```

mod body;
mod clocks;
mod layer;
mod settings;
#[cfg(test)]
mod tests;

pub use body::{Body, ResponseFuture};
pub use layer::{Elapsed, Timeout, TimeoutLayer};
pub use settings::{InvalidTimeouts, Throughput, Timeouts};
