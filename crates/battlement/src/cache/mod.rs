//! Keeps answers, and gives them to those who ask the same (feature `cache`).
//!
//! Programs ask the same again and again: the embedding of a document that has not changed, the classification of a
//! mail that arrives twice, every prompt of a test suite. Each time costs money and seconds, and during an outage the
//! answer that was there a minute ago is out of reach. This layer keeps answers and tells them again, as they came: JSON
//! as JSON, a stream as a stream of the same frames.
//!
//! # Which calls
//!
//! Those that generate or embed, whose answer would be the same: a temperature of zero, a seed, or vectors. Others, if the
//! layer ([`CacheLayer::any_temperature`]) or the call ([`Caching`](crate::call::Caching)) says so. None that
//! refer to state at the provider, or have it run tools. Two calls are the same if they have one
//! [key](battlement_core::request::canonical): the same JSON, at the same address, for the **same tenant**, or on the same
//! API key if no tenant is named. What one tenant was told no other one sees, unless the layer is
//! [shared](CacheLayer::shared).
//!
//! # Which answers
//!
//! Only those that are whole, as their verdict says at the end: a 200 that was truncated, filtered, refused, cut, is empty
//! or malformed would be wrong for everybody who asks later. Nor errors, which pass. Nor tool calls: a call has an id that
//! tells it from all others, and whoever acts on a second one with the same id may take it for the first. An answer that is given up
//! half-way is not kept; one that is given up after its last event is.
//!
//! An answer is kept for an hour. For a day more it is served **to those who would get an error** otherwise, from a
//! provider that fails, a limit, an open circuit or a deadline; not where the request is at fault, or the key is refused. That is
//! on by default, other than in caches of web pages: the answer to the same prompt at temperature zero does not go stale as a page
//! does, since what may change is in the prompt. A [`Hit`](crate::Hit) among the extensions of the response says how old it is,
//! and so does the header `age`.
//!
//! # Where in the stack
//!
//! Outside of everything that limits, waits or repeats, since an answer that is kept needs none of it: nothing below is
//! called. Inside of [`call`](crate::call), which reads the request. Around [`single_flight`](crate::single_flight),
//! for those who ask the same before there is an answer.
//!
//! # What happens to a streamed answer
//!
//! It passes as it comes, and is never held back. Its slices are kept as they pass, without a copy, up to
//! [a size](CacheLayer::most_answer); beyond it that is given up. At the end they go into one piece of memory. Told
//! again, it comes as fast as it is read. The verdict on it is what it was, and says that it has cost nothing.
//!
//! # Elsewhere
//!
//! [`Memory`] is one [`Store`]; another may be shared by many machines.
//!
//! # Example
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
//!
//! use battlement::{Source, cache::CacheLayer, call::Options};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let calls = Arc::new(AtomicU32::new(0));
//! let count = calls.clone();
//! let provider = service_fn(move |_: Request<Full<Bytes>>| {
//!     count.fetch_add(1, Ordering::Relaxed);
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!         "finish_reason": "stop"}]}"#;
//!     async move { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer))) }
//! });
//! let mut service = ServiceBuilder::new().layer(CacheLayer::new()).service(provider);
//!
//! let request = |tenant: &'static str, body: &'static str| {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .extension(Options::default().tenant(tenant))
//!         .body(Full::<Bytes>::from(body))
//! };
//! let first = request("acme", r#"{"model": "m", "temperature": 0, "messages": []}"#)?;
//! service.ready().await?.call(first).await?.into_body().collect().await?;
//!
//! let same = request("acme", r#"{"messages": [], "temperature": 0, "model": "m"}"#)?;
//! let response = service.ready().await?.call(same).await?;
//! assert_eq!(Source::of(&response), Source::Cache);
//!
//! let other = request("another", r#"{"model": "m", "temperature": 0, "messages": []}"#)?;
//! let response = service.ready().await?.call(other).await?;
//! assert_eq!(Source::of(&response), Source::Primary);
//! assert_eq!(calls.load(Ordering::Relaxed), 2);
//! # Ok(())
//! # }
//! ```

mod answer;
mod body;
mod future;
mod layer;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::Answer;
pub(crate) use answer::free;
pub use battlement_core::request::canonical::Fingerprint;
pub use body::Body;
pub use future::ResponseFuture;
pub use layer::{Cache, CacheLayer};
pub use store::{LookUp, Memory, Store};
