//! All layers, in the order that keeps every promise, with defaults for a provider.
//!
//! ```text
//! request ─▶ call ─▶ deadline ─▶ retry ─▶ [each attempt] retry_after ─▶ rate_limit ─▶ breaker
//!         ─▶ concurrency ─▶ timeout ─▶ finish ─▶ client
//! ```
//!
//! The order is no taste. A limit outside of the retry never sees the second attempt, a breaker
//! inside of the timeout never learns of the silence, a permit outside of the limit is held while a
//! call waits. Whoever stacks layers by hand may be told of such pairs: see
//! [`misordered`](crate::call::misordered), and [`Event::Misordered`](crate::events::Event::Misordered).
//!
//! Each layer can be replaced by one with other settings. [`Stack::worst_case`] says what the settings
//! come to together, before anything runs.
//!
//! Limits need no setting: the usual rate limit knows none, and takes those that the provider tells
//! in its headers. Setting them spares the first calls of each minute from finding out.
//!
//! Nor does the number of calls at once: it begins with four for each model, doubles in the time of a first
//! token while they succeed, and is cut when the provider has no room. Others wait for their turn meanwhile. Who
//! knows the number sets it: `.concurrency(ConcurrencyLayer::new(100)?)`.
//!
//! # Example
//!
//! ```
//! use battlement::stack::Stack;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     assert_eq!(request.uri(), "https://llm.example/v1/chat/completions");
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!         "finish_reason": "stop"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = Stack::openai_compatible("https://llm.example")?.layer(provider);
//!
//! let request = Request::post("/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "m", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! assert!(response.into_body().collect().await?.to_bytes().ends_with(b"}]}"));
//! # Ok(())
//! # }
//! ```

mod base;
mod layer;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together;
mod worst_case;

pub(crate) use base::Base;
pub use base::InvalidBase;
pub use layer::{Body, ResponseFuture, Stack, Stacked};
pub use worst_case::{Doubt, WorstCase};
