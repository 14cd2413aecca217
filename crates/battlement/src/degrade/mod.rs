//! Gives something less when everything else has failed.
//!
//! Retries, routes and waits bridge most of an outage, and not all of it. What is left then is an error, and
//! the program around the call turns it into a page that says so, in the middle of whatever its user was
//! doing. Where a shorter answer of a smaller model, or a sentence that is honest about it, is better than that,
//! this layer gives it, in the dialect and the form that the caller asked for, and says that it has.
//!
//! # What is given, in this order
//!
//! 1. A stale answer: that is the business of the [`cache`](crate::call::Place::Cache), which is further in.
//! 2. The answer to a [simpler request](DegradeLayer::simplified): a smaller model, fewer tokens, no tools, in
//!    whatever way a [`Route`](crate::fallback::Route) changes requests. It is one more attempt of the
//!    same call, within its deadline and its account, and is made if the request may be
//!    [repeated](crate::call::Options::repeatable). One attempt of the account is kept for it.
//! 3. A [static answer](DegradeLayer::say): a sentence, or what a [function](DegradeLayer::say_with) makes of the call,
//!    as a document or as a stream. It counts no tokens.
//!
//! Which failure leads where is a matter of its code, see [`Instead::of`]. Overload, errors, lost connections,
//! rate limits, an open circuit and a line that is too long lead to the simpler request; a deadline that has
//! passed leads to the static answer at once. What is the caller's own (a request that is wrong or too long, a key),
//! and what a filter or the model itself has declined, is passed on, unless [told otherwise](DegradeLayer::on).
//!
//! # Where in the stack
//!
//! To the outside of everything but the [`CallLayer`](crate::call::CallLayer), so that it sees what is left when all
//! others have done what they can.
//!
//! # What happens to a streamed answer
//!
//! It is passed on as it comes. What this layer sees is an error, or an answer with a status of 400 or more; an
//! answer whose head was passed on is never replaced. [`finish`](crate::finish) and [`fallback`](crate::fallback), further
//! in, hold back what is not worth passing on.
//!
//! # What the caller gets
//!
//! A static answer has a status of 200 and looks like any other: count them by [`Source::of`](crate::Source::of), which says
//! `simplified` or `static`, or by [`Event::Degraded`](crate::events::Event::Degraded). The [`Degraded`] among the
//! extensions has the failure, with what was tried.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     Source,
//!     degrade::{DegradeLayer, Degraded},
//!     fallback::Route,
//! };
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let down = service_fn(|_: Request<Full<Bytes>>| async {
//!     let mut response = Response::new(Full::<Bytes>::default());
//!     *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//! let layer = DegradeLayer::new()
//!     .simplified(Route::new("small").model("gpt-5-nano").max_output_tokens(200).without(["tools"]))
//!     .say("I cannot answer right now. Please ask again in a minute.");
//! let service = layer.layer(down);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::<Bytes>::from(r#"{"model": "gpt-5", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(Source::of(&response).to_string(), "static");
//! let degraded = response.extensions().get::<Degraded>().expect("put there");
//! assert_eq!(degraded.code().as_str(), "llm.provider.overloaded");
//! let body = response.into_body().collect().await?.to_bytes();
//! assert!(String::from_utf8_lossy(&body).contains("ask again in a minute"));
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod rescue;
#[cfg(test)]
mod tests;

pub use battlement_core::degrade::{Instead, Policy};
pub use future::ResponseFuture;
pub use layer::{Degrade, DegradeLayer};
pub use rescue::Degraded;

/// The body of an answer: as it came, though the beginning of an error may have been read before; or static.
pub type Body<R> = crate::observe::MadeBody<R, crate::context::Entry>;
