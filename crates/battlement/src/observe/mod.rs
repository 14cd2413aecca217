//! Reads answers as they pass.
//!
//! The body is not changed and not copied: every slice is shown to a reader on its way. At its end,
//! or when it breaks or is dropped, the reader gives the one verdict that all layers act on; it is in
//! the [`Attempt`](crate::call::Attempt), which the response has among its extensions.
//!
//! Each of our layers that needs to know does this by itself. Of several in a stack the innermost
//! reads, and the others look at what it found. [`ObserveLayer`] is for those who only want to know.
//!
//! # What is read
//!
//! Answers of operations that write text, vectors or counts, and every answer whose status is an error.
//! Others (audio, images, files, batches, lists) are judged by their status, and by whether they came to
//! their end.
//!
//! An answer in an encoding is decoded for reading only: `gzip` with the feature of that name, which
//! is on by default, `br` and `zstd` with theirs. One in several encodings, in another one, or that decodes
//! into far more than any text would, is judged like those that are not read.
//!
//! # What happens to a streamed answer
//!
//! Nothing: frames, trailers and their pace stay as they are. What a layer has to give back (a permit,
//! a reservation, the ticket of a breaker) is given back when the body ends, fails or is dropped.
//!
//! # Example
//!
//! ```
//! use battlement::{call::Attempt, observe::ObserveLayer};
//! use battlement_core::FinishClass;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Once upon a"},
//!         "finish_reason": "length"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = ServiceBuilder::new().layer(ObserveLayer::new()).service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! let attempt = response.extensions().get::<Attempt>().cloned().expect("put there");
//! response.into_body().collect().await?;
//! let verdict = attempt.verdict().expect("the body has ended");
//! assert_eq!(verdict.outcome.as_str(), FinishClass::Length.as_str());
//! # Ok(())
//! # }
//! ```

mod attempted;
mod body;
mod decode;
mod guard;
mod held;
mod layer;
mod made;
mod reading;

pub use attempted::Attempted;
pub(crate) use attempted::watch;
pub use body::Body;
pub(crate) use guard::{Guard, Head, Settling};
pub use held::HeldBody;
pub use layer::{Observe, ObserveLayer};
pub use made::MadeBody;
pub(crate) use reading::judge;
