//! Refuses what cannot succeed, before it costs anything.
//!
//! A request without messages, with a key that says `YOUR_API_KEY`, or that asks for more output than the model has,
//! fails however often it is sent. Until then it has waited for its turn, taken its share of the limits and
//! a place from others; and what comes back is a 400 that says little, or says it in the words of one provider. This
//! layer looks through the request once, on its way in, and says what is wrong and where.
//!
//! | check | what is found | refused with |
//! |---|---|---|
//! | [`Check::Json`] | the body is not JSON, or not an object | 400 |
//! | [`Check::Model`] | no model is named, neither in the body nor in the path | 400 |
//! | [`Check::Prompt`] | no messages, contents or input, or none in them | 400 |
//! | [`Check::Schema`] | the schema of a tool or of the answer is none | 400 |
//! | [`Check::OutputCap`] | a limit of tokens that is over the model's own | 400 |
//! | [`Check::Key`] | a key that is empty, or was to be replaced by one | 401 |
//!
//! Each can be [refused, told of or left alone](Action); all are refused unless told otherwise. What is wrong is found in all
//! dialects, and only where it is certain: some servers need no model to be named, no key, and load a model for a
//! request without messages. What models can do is known for [a few](battlement_core::models) of those whose makers serve them;
//! [`PreflightLayer::limits`] knows more. Operations whose body is not known to be JSON pass, as does a body that is not in
//! memory.
//!
//! With the feature `json-schema` schemas are validated, and refused if they are valid in none of the drafts 4, 7 and
//! 2020-12; without it a schema only has to be an object. Google's own kind of schema, and those sent to servers that somebody
//! runs for themselves, are not validated.
//!
//! # Where in the stack
//!
//! To the outside of everything that a call waits for or is counted by, and so of a [`Stack`](crate::stack::Stack). Under a
//! [`CallLayer`](crate::call::CallLayer) that knows the [provider](crate::call::CallLayer::provider), where the address does not
//! tell it. With a [`fallback`](crate::fallback) on each route and not over all, since routes change requests; a key that is
//! none then sends the call to the next route, and a request that is wrong goes nowhere.
//!
//! # What happens to a streamed answer
//!
//! Nothing: answers do not pass through this layer.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     Error,
//!     preflight::{Action, Check, PreflightLayer},
//!     stack::Stack,
//! };
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! // It is not asked.
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let preflight = PreflightLayer::new().on(Check::OutputCap, Action::Warn);
//! let service = preflight.layer(Stack::openai().layer(provider));
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let error = Error::from(service.oneshot(request).await.unwrap_err());
//! assert_eq!(error.kind().status(), 400);
//! assert_eq!(
//!     error.to_string(),
//!     "llm.request.invalid: the request cannot succeed: /messages: there is no message",
//! );
//! # Ok(())
//! # }
//! ```

mod error;
mod layer;
#[cfg(feature = "json-schema")]
mod schema;
#[cfg(test)]
mod tests;

pub use battlement_core::preflight::{Check, Finding};
pub use error::Refused;
pub use layer::{Action, Preflight, PreflightLayer, ResponseFuture};
