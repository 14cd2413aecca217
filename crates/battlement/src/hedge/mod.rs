//! Sends a second attempt beside one that is late.
//!
//! Most calls have their first word within a second or two, and a few wait ten times as long, mostly
//! since they stand in a bad queue somewhere and not because they are hard. Nothing has failed, so a retry does not
//! help, and a time limit gives up what might come the next moment. A second attempt, sent once the first is
//! later than almost all others were, cuts that tail for a few percent of requests. Sent after a fixed
//! tenth of a second, as presets have it, it doubles the cost of every call.
//!
//! So it is learnt what is late: for each model, for prompts of similar size, and for streams apart from whole
//! answers, whose first word is their last. See [`battlement_core::hedge`]. Until enough calls were seen
//! (50 by default) there is no second attempt, and the layer is nothing but an onlooker.
//!
//! # When there is none
//!
//! A second attempt is for a provider that is well. It is not sent
//!
//! - for a request that may not be [repeated](crate::call::Options::repeatable), whose body is not in memory, that changes
//!   something (begins a batch, uploads a file), or that an SDK says to send again;
//! - for a call in a [lane](battlement_core::lanes::Terms::hedge) that is not in a hurry: by default only interactive ones are;
//! - once the answer has begun;
//! - when too little time is left, or the account of the call has no attempt left. Where the call could go to [another
//!   route](crate::fallback), the last attempt is for that;
//! - when the first attempt had to wait at a layer further in: then a limit of ours is the reason;
//! - when a layer further in has no room for it *now*: a [circuit](crate::breaker) is not closed, a
//!   [gate](crate::retry_after) is shut, all [places](crate::concurrency) are taken, or less of a [limit](crate::rate_limit)
//!   is free than [`Config::headroom`]. No second attempt ever waits in line; see [`NoRoom`];
//! - when the share of hedges is used up, or the budget.
//!
//! The first six are known from the call, and the layers further in are asked when the second attempt comes by.
//! What they turn away costs nothing: it takes neither from the budget nor from the account. Signs of overload
//! at a provider that none of these layers has noticed are not known here.
//!
//! Each late call that stays alone is told as [`Event::NotHedged`](crate::events::Event::NotHedged), with one of
//! these reasons: `attempts`, `tokens`, `waiting` (the account of the call), `fallback`, `not_repeatable`, `output`, `overloaded`
//! (it stood in line), `deadline`, `share`, `budget`.
//!
//! # Who wins
//!
//! The first that has output: of a stream the first word, of a whole answer its end. The other one is
//! dropped before a byte of it goes down, and with that its connection; it ends as
//! [`llm.hedge.outpaced`](battlement_core::Code::Outpaced), and is in the account with what it may have cost, which
//! [`Event::Hedged`](crate::events::Event::Hedged) tells, too. From there on there is no other: a winner that breaks ends
//! with an error for the caller to see.
//!
//! An attempt that fails before it is late is for the [retry](crate::retry). One that fails while the other runs waits
//! for that. When both fail, the caller gets what became of the second, be it an answer or an error, whichever
//! of them ended first; of the first, if the second was not sent.
//!
//! # Where in the stack
//!
//! Inside of the retry, and outside of everything that concerns one attempt: each of the two goes through all of it. Give it the
//! [budget](HedgeLayer::budget) of the retry, so that both together stay below what a provider in trouble can bear. Of two
//! hedges, one below the other, only the outer one sends second attempts.
//!
//! # What happens to a streamed answer
//!
//! It is passed on when the layer `finish` further in has let it go, which is with its first output. Without that layer it is
//! held here as long, if the call may be hedged: until the first output, or of an answer that is no stream until the end, up to a
//! mebibyte. What is passed on is one answer from its first byte to its last.
//!
//! # Example
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use battlement::{
//!     call::CallLayer,
//!     finish::FinishLayer,
//!     hedge::{Config, HedgeLayer},
//!     retry::{Budget, RetryLayer},
//! };
//! use battlement_core::budget;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! // Each call takes half a second, and the hundredth is stuck for a minute.
//! static CALLS: AtomicU64 = AtomicU64::new(0);
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let is_stuck = CALLS.fetch_add(1, Ordering::Relaxed) == 99;
//!     tokio::time::sleep(Duration::from_millis(if is_stuck { 60_000 } else { 500 })).await;
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!         "finish_reason": "stop"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let budget = Budget::new(&budget::Config::default(), tokio::time::Instant::now().into_std())?;
//! let budget = Arc::new(budget);
//! let service = ServiceBuilder::new()
//!     .layer(CallLayer::new())
//!     .layer(RetryLayer::new().budget(budget.clone()))
//!     .layer(HedgeLayer::new(Config::default())?.budget(budget))
//!     .layer(FinishLayer::new())
//!     .service(provider);
//!
//! let mut longest = Duration::ZERO;
//! for _ in 0..100 {
//!     let request = Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//!     let start = tokio::time::Instant::now();
//!     service.clone().oneshot(request).await?;
//!     longest = longest.max(start.elapsed());
//! }
//! assert!(longest < Duration::from_millis(1_100), "and not a minute");
//! # Ok(())
//! # }
//! ```

mod error;
mod future;
mod layer;
mod learned;
mod race;
mod runner;
#[cfg(test)]
mod tests;
mod ticket;

pub use battlement_core::hedge::{Config, InvalidHedge};
pub use error::NoRoom;
pub use future::ResponseFuture;
pub use layer::{Hedge, HedgeLayer};

/// The body of an answer, unchanged; its beginning may have been read before.
pub type Body<R> = crate::observe::HeldBody<R, ticket::Ticket>;
