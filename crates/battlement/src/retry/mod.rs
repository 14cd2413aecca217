//! Tries again what may succeed, at a price.
//!
//! Providers fail for seconds and are well again, and most failures are over before a person would have
//! noticed. But whoever answers every failure with two more requests triples the load at the moment that
//! there is no capacity: with two retries per call and no budget, a slowdown of two minutes
//! never ends at more than a third of the load. So a retry has to be worth it:
//!
//! - **It may help.** What decides is not the status but what the answer means: a 429 whose quota is used up
//!   is not tried again, a 200 that holds an error or nothing is, if the layer
//!   `finish` is below. [`trouble`] is the rule, [`RetryLayer::classify`] another one.
//! - **It is paid for.** One [budget](battlement_core::budget) for all calls of the layer: ten calls earn one retry.
//! - **It is legal.** A request that makes the provider run tools or keep state is sent once, unless it was
//!   certainly not sent; see [`Options::repeatable`](crate::call::Options::repeatable). Nothing is tried again
//!   after output has gone down to the caller.
//! - **There is time.** What the deadline leaves has to be enough for the wait and for what the model usually
//!   takes to its first output. A wait that the provider asks for is a floor, and if it is too
//!   long the call fails now and not later.
//!
//! All of it is decided *before* the wait, and during the wait no connection is held. Waits are
//! drawn ([`battlement_core::backoff`]); no two calls wait the same. How often a call is tried, and how long it may
//! wait in all, follows from its [`lane`](battlement_core::lanes), and is one account for all layers
//! that make attempts: of two that are stacked, only the outer one does.
//!
//! The request is the same each time: method, address, headers, extensions and every byte of the body, which
//! is shared and not copied. A body that is not in memory is sent once.
//!
//! # What the caller gets
//!
//! The last answer that was really given. An error status comes as it was, with its body. A failed attempt
//! is an error; after several it is [`GaveUp`], which [`Error`](crate::Error) takes apart. When the last attempt was
//! turned away on our side (by a breaker, a limit), it is the answer before that. What happened in between is told
//! by [`Call::trail`](crate::call::Call::trail), which is reached through the
//! [`Attempt`](crate::call::Attempt) among the extensions of the response.
//!
//! A call that could have been tried again and was not is reported as
//! [`Event::GaveUp`](crate::events::Event::GaveUp), for one of these reasons: `attempts`, `tokens` or `waiting` (the account of
//! the call), `output`, `not_repeatable`, `body` (not in memory), `silent` (for the second time), `patience` (the
//! provider asks for more than [`Config::patience`]), `deadline`, `budget`, `fallback` (another route is
//! [faster](battlement_core::fallback::InPlace)).
//!
//! # Where in the stack
//!
//! Outside of everything that concerns one attempt: limits, breaker, timeouts and `finish`, so that each attempt
//! passes all of them again. Inside of fallback. What turns a call away without sending it is not tried
//! again: whoever did so has waited already, or wants the caller to know. The one exception is a breaker that
//! tells the time of its next probe, when nobody watches the call (any lane but the interactive one).
//!
//! The SDKs of providers repeat calls as well, twice by default, and that multiplies: set their `max_retries` to
//! zero. If one says in its headers that it is at it,
//! [`Event::Repeated`](crate::events::Event::Repeated) tells, and the call earns no retry.
//!
//! # What happens to a streamed answer
//!
//! An answer whose status is a success passes at once and is not held. If it breaks later, that is for the caller
//! to see. Of an error the body is read first, up to 64 KiB and for a second at most.
//!
//! # Example
//!
//! ```
//! use battlement::retry::RetryLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! static CALLS: AtomicUsize = AtomicUsize::new(0);
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let is_first = CALLS.fetch_add(1, Ordering::Relaxed) == 0;
//!     let mut response = Response::new(Full::<Bytes>::from("{}"));
//!     if is_first {
//!         *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!         response.headers_mut().insert("retry-after", 3.into());
//!     }
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//! let service = ServiceBuilder::new().layer(RetryLayer::new()).service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! With waits of one's own, and a budget that another stack to the same provider pays from, too:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use battlement::retry::{Backoff, Budget, Config, RetryLayer};
//! use battlement_core::budget;
//!
//! # fn main() -> Result<(), battlement::BoxError> {
//! let budget = budget::Config { share: 0.05, ..budget::Config::default() };
//! let budget = Arc::new(Budget::new(&budget, std::time::Instant::now())?);
//! let patient = Config { patience: Duration::from_secs(600), ..Config::default() };
//! let chat = RetryLayer::new().budget(budget.clone()).backoff(Backoff::new(patient)?);
//! let embeddings = RetryLayer::new().budget(budget);
//! # let _ = (chat, embeddings);
//! # Ok(())
//! # }
//! ```

mod error;
mod future;
mod layer;
#[cfg(test)]
mod tests;
pub(crate) mod ticket;
mod tries;
mod usual;

pub use battlement_core::{
    backoff::{Backoff, Config, Trouble},
    budget::Budget,
};
pub use error::{GaveUp, Refused};
pub use future::ResponseFuture;
pub(crate) use layer::repeated;
pub use layer::{Retry, RetryLayer, trouble};
pub(crate) use tries::why;

/// The body of an answer, unchanged; of an error, its beginning was read before.
pub type Body<R> = crate::observe::HeldBody<R, ticket::Ticket>;
