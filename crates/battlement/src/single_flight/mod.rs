//! Lets those who ask the same at the same time share one call (feature `cache`).
//!
//! A page that a hundred people open at once asks the model a hundred times for one summary; after a deploy every worker embeds
//! the same documents. A [`cache`](crate::cache) is no help before there is an answer. This layer lets the first one call, and
//! gives what comes to all who ask for the same meanwhile: one call, one charge, one place in every limit below.
//!
//! # Which calls
//!
//! Those whose answers a cache would keep: deterministic, unless told otherwise, and the same in all that may change the
//! answer, of one tenant or API key. Calls of different lanes are not joined, so that nobody waits for one that is
//! less urgent; nor is a call that was given less time in all than the one that would join it has left.
//!
//! # What is promised
//!
//! * **One call below**, however many wait for it, and none in the background: whoever is polled moves it on. It goes on as long
//!   as anybody waits, whoever began it, and is dropped with the last one, at once.
//! * **The same bytes for all**, from the beginning on, also for those who join in the middle.
//! * **Nobody waits for a slow reader.** What has come is held, up to [a size](SingleFlightLayer::most_held). An answer that
//!   is longer is joined by nobody any more, and what all have read of it is let go. Who is further behind than that loses it: before
//!   its head it makes a call of its own, after it its body ends with [`Lost`].
//! * **Each has its own deadline.** The call below has that of the one who began it. If that passes before there is a
//!   head, one of the others makes it again for those that are left.
//! * **A failure is everybody's**: each gets an error whose source is what has happened, and which answers
//!   [every question](crate::Error) as that does. A panic below is one, too: it hangs nobody.
//!
//! The tokens are charged once, to the one who began it; the verdict of the others says that theirs have cost nothing.
//!
//! # Where in the stack
//!
//! Inside of [`cache`](crate::cache), whose misses it joins, and outside of everything that limits, waits, repeats, or ends calls:
//! each of those should see one call. Only [`call`](crate::call), the cache and what degrades answers are further out.
//!
//! # What happens to a streamed answer
//!
//! It goes to all as it comes. Slices are shared, and not copied; for each frame, a reader takes a lock for a few instructions.
//!
//! # Example
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
//!
//! use battlement::single_flight::SingleFlightLayer;
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
//!     async {
//!         tokio::task::yield_now().await;
//!         let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!             "finish_reason": "stop"}]}"#;
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//!     }
//! });
//! let mut service = ServiceBuilder::new().layer(SingleFlightLayer::new()).service(provider);
//!
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "m", "temperature": 0, "messages": []}"#))
//! };
//! let one = service.ready().await?.call(request()?);
//! let other = service.ready().await?.call(request()?);
//! let (one, other) = tokio::try_join!(one, other)?;
//! let (one, other) = (one.into_body().collect().await?, other.into_body().collect().await?);
//! assert_eq!(one.to_bytes(), other.to_bytes());
//! assert_eq!(calls.load(Ordering::Relaxed), 1);
//! # Ok(())
//! # }
//! ```

mod body;
mod error;
mod flight;
mod future;
mod layer;
#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
mod upstream;

pub use body::Body;
pub use error::{Lost, Shared};
pub use future::ResponseFuture;
pub use layer::{SingleFlight, SingleFlightLayer};
