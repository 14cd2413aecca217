//! Goes elsewhere when a route cannot serve a call.
//!
//! What no retry can mend another route can: a provider that is down for an hour, a key without money, a
//! prompt that is too long for one model and not for the next. A program that only counts statuses goes
//! elsewhere for the wrong things (it sends what a filter has stopped to one provider after another) and
//! misses the right ones, which come with status 200: an answer that dies before its first word. And
//! each route with retries of its own makes three attempts three times.
//!
//! A [`Route`] is a way to an answer: a service, and what is changed about a request that goes there. The
//! service that the layer is laid over is the first; the others are given to its [`Builder`]. Each is
//! mostly a [`Stack`](crate::stack::Stack) of its own over a client of its own, since limits, circuits and
//! waits belong to one provider and account.
//!
//! # What moves on
//!
//! The [`Policy`] decides, by the code of the failure:
//!
//! | failure | goes |
//! |---|---|
//! | overload, errors, timeouts and lost connections; an answer that is empty, cut or corrupt | to the next route |
//! | rate limits; no money; a key that is wrong or may not | to the next route |
//! | turned away on our side: an open circuit, a wait or a line that is too long | to the next route, and nothing was sent |
//! | the prompt is too long | to the next route whose window is known to be larger, if there is one |
//! | stopped by a filter, refused, truncated | nowhere, unless told otherwise |
//! | the request is wrong; the deadline has passed | nowhere |
//!
//! Where there is a next route, the retry on this one is impatient: a rate limit whose wait is named and is
//! short, and one error, are tried [again in place](InPlace), and the last attempt of the call is left for the
//! route to come. A line of ours (a shut gate, a limit, no place) is stood in for as long as that wait may be, and in a pool of
//! keys not at all. Silence moves on at once. On the last route the retry is as it always is.
//!
//! All routes share the deadline of the call and its account of attempts: three attempts are three, on however many
//! routes. What was turned away before it was sent takes none. A retry on the route keeps the account; for one without,
//! this layer does.
//!
//! A route is left out if it is switched off, or lacks [what is asked for](Capabilities). A request that is not
//! in memory goes to one route only, and so does one that refers to what one provider keeps (a stored
//! conversation, an uploaded file), unless it is [said to be repeatable](crate::call::Options::repeatable).
//!
//! # What is changed about a request
//!
//! What the route says, byte for byte, and nothing else: address, headers, model, output cap, members that are
//! left out. A key never goes along to another [base](Route::base), so say where a route leads by that, and not by the base of
//! the stack that it is. All routes speak the dialect of
//! the call: requests and answers are not translated, and a route that says that it speaks
//! [another](Route::dialect) is left out.
//!
//! To the layers on a route the call is what the request there says: its limits and circuits see the model and the key of
//! that route, and the answer is read with its provider's habits.
//!
//! # Which route is first
//!
//! The first by order, one [drawn by weight](Choice::Weighted), or the one with the
//! [fewest calls on their way](Choice::LeastLoaded), up to the end of their answers. A [`Handle`] changes order and
//! weights, and switches routes on and off, while calls are made. No route is asked twice for a call.
//!
//! Several keys of one provider are the same thing: [`FallbackLayer::key_pool`].
//!
//! # Where in the stack
//!
//! To the outside of everything that belongs to one route, and inside of [`CallLayer`](crate::call::CallLayer), if there is one.
//! A [`deadline`](crate::deadline) may be on either side.
//!
//! # What happens to a streamed answer
//!
//! It is passed on when the layer `finish` on its route has let it go, which is with its first output. For a route without
//! that layer, it is held here as long: until the first output, or of an answer that is no stream until the end, up to
//! a mebibyte. Until then it can be replaced; nothing of it has gone down. After that there is no other route:
//! an answer that breaks later ends with an error for the caller to see.
//!
//! # What the caller gets
//!
//! An answer has a [`Served`] among its extensions: which route, and why not those before it. When all have failed it is
//! the last answer that was really given, or the error, which [`Error`](crate::Error) takes apart:
//! [`Error::routes`](crate::Error::routes) and [`Error::attempts`](crate::Error::attempts) tell what happened.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     fallback::{FallbackLayer, Route, Served},
//!     stack::Stack,
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
//! let other = service_fn(|request: Request<Full<Bytes>>| async move {
//!     assert_eq!(request.uri(), "https://llm.example/v1/chat/completions");
//!     assert_eq!(request.headers()["authorization"], "Bearer sk-other");
//!     let body = request.into_body().collect().await?.to_bytes();
//!     assert_eq!(body, r#"{"model": "large-7b", "messages": []}"#);
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!         "finish_reason": "stop"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let second = Route::new("other")
//!     .base("https://llm.example")?
//!     .bearer("sk-other")?
//!     .model("large-7b");
//! let layer = FallbackLayer::builder("openai").route(second, Stack::new().layer(other)).build()?;
//! let service = layer.layer(Stack::openai().layer(down));
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .header("authorization", "Bearer sk-openai")
//!     .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! let served = response.extensions().get::<Served>().expect("put there");
//! assert_eq!(served.source().to_string(), "fallback:other");
//! assert_eq!(served.trail()[0].to_string(), "openai: llm.provider.overloaded");
//! # Ok(())
//! # }
//! ```
//!
//! An incident, without a deploy:
//!
//! ```
//! # use battlement::fallback::{Choice, FallbackLayer, Route};
//! # use http_body_util::Full;
//! # fn main() -> Result<(), battlement::BoxError> {
//! # let service = tower::service_fn(|_: http::Request<Full<bytes::Bytes>>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(Full::<bytes::Bytes>::default()))
//! # });
//! let layer = FallbackLayer::builder(Route::new("europe").weight(3))
//!     .route(Route::new("america"), service)
//!     .choice(Choice::Weighted)
//!     .build()?;
//! let handle = layer.handle();
//! handle.weight("europe", 1)?;
//! handle.switch("europe", false)?;
//! assert!(!handle.snapshot()[0].is_on);
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod lease;
mod made;
mod other;
mod roster;
mod route;
mod served;
#[cfg(test)]
mod tests;
mod walk;

pub use battlement_core::fallback::{Capabilities, Choice, InPlace, Lack, Policy, Then};
pub use future::ResponseFuture;
pub use layer::{Builder, Fallback, FallbackLayer, InvalidRoutes};
pub use lease::Lease;
pub use other::Either;
pub(crate) use other::when_ready;
pub use roster::{Handle, Snapshot, UnknownRoute};
pub use route::Route;
pub use served::{Exhausted, NoRoute, Served, Visit, Why};

pub use crate::source::Source;

/// The body of an answer, unchanged, whichever route it is of. Its beginning may have been read before.
pub type Body<R> = crate::observe::HeldBody<Either<R>, Lease>;
