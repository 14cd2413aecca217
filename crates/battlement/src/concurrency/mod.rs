//! Bounds how many calls run at once.
//!
//! An answer takes a minute, so a burst of calls is a crowd for a minute: at a provider that limits
//! how many run at once and tells nobody the number, or at a server of one's own whose memory is
//! full at the thirtieth. A limit on the rate does not see that. This layer gives each call a place
//! until the **end of its answer**, not of its head, and lets the others wait.
//!
//! The limit is a number that somebody knows, or is found out: it grows while calls succeed and is
//! cut when the provider says that it is too much, as told in [`battlement_core::adaptive`]. Overload, a 429 that names no rate
//! and 503 are such signs, and so is a first token that does not come in the time that a timeout
//! inside of this layer allows. Response times are not.
//!
//! # Who waits, and for how long
//!
//! A call that finds no place waits in line until its deadline. Urgent [lanes](battlement_core::lanes) go first,
//! tenants take turns, and nobody overtakes within both; see [`battlement_core::queue`]. A place that becomes
//! free goes to the next in line at once, and whoever leaves gives up its place. With
//! [`Config::reject`] nobody waits.
//!
//! # Where in the stack
//!
//! Inside of the rate limit, so that who waits there holds no place here; outside of the timeouts, so
//! that the wait counts for the deadline only, and what was overdue is seen.
//!
//! # What happens to a streamed answer
//!
//! It is not touched. Its place is free when its body has ended, failed or was dropped: whoever keeps a
//! body without reading it keeps a place.
//!
//! # Example
//!
//! ```
//! use battlement::concurrency::{Config, ConcurrencyLayer};
//! use battlement_core::adaptive;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("{}")))
//! });
//! let layer = ConcurrencyLayer::new(Config::from(1).reject())?;
//! let mut service = ServiceBuilder::new().layer(layer.clone()).service(provider);
//!
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))
//! };
//! let response = service.ready().await?.call(request()?).await?;
//! assert_eq!(layer.handle().snapshot().in_flight, 1);
//! assert!(service.ready().await?.call(request()?).await.is_err());
//!
//! // The place is free when the answer is read.
//! response.into_body().collect().await?;
//! assert!(service.ready().await?.call(request()?).await.is_ok());
//!
//! // One that is found out for each model:
//! let layer = ConcurrencyLayer::new(adaptive::Config::default())?.key(battlement::call::Key::of);
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod handle;
mod layer;
mod permits;
#[cfg(all(test, not(loom)))]
mod tests;

pub use config::{Config, InvalidConfig, Limit};
pub use error::Rejected;
pub use handle::{Handle, Snapshot};
pub use layer::{Concurrency, ConcurrencyLayer, InLine, Running};
