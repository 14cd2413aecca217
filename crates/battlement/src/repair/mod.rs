//! Asks again for what does not match its schema.
//!
//! A program that asks for JSON takes apart what it gets, and fails on the one answer in a hundred that has a
//! field too few, a fence around it, or a call of a tool that does not exist. It mostly helps to show the
//! model what it has said and what is wrong with that. Programs that do so by themselves ask again for
//! answers that were only cut off, send more with every round until nothing fits, and count none of it.
//!
//! This layer looks at each answer to a request that has a schema: the format of the answer, and the tools
//! that may be called. What matches is passed on as it came. What does not is asked for again, with what is
//! wrong and where; each time is an attempt of the call, within its deadline and its account.
//!
//! # What is looked at
//!
//! | dialect | of texts | of calls |
//! |---|---|---|
//! | OpenAI Chat | `response_format` | `tools`, `functions` |
//! | OpenAI Responses | `text.format` | `tools` |
//! | Anthropic | `output_config.format`, `output_format` | `tools` |
//! | Gemini | `responseJsonSchema`, `responseSchema` | `functionDeclarations` |
//! | Cohere, Ollama | `response_format`, `format` | `tools` |
//! | Bedrock Converse | | `toolConfig` |
//!
//! Google's own kind of schema is translated. [`RepairLayer::schema`] is one for all texts, for a provider that takes none.
//! A format that is any object has to be one. The arguments of a call have to be JSON and match, and a tool that is
//! called has to exist. A text beside calls may be anything. Other requests pass by after one look at what is
//! known of them anyway.
//!
//! Not looked at is what did not end well: an answer that was cut off is for
//! [`finish`](crate::finish) or a continuation, and a refusal, or what a filter has stopped, is passed on. Nor is one in an
//! encoding, one that is longer than may be [held](RepairLayer::most_held), or one whose schema cannot be
//! used; of these the observer is told ([`Event::Unchecked`](crate::events::Event::Unchecked)).
//!
//! # How it asks
//!
//! The first request goes out again with two more turns: the last answer (up to 16 KiB), with calls of tools as
//! text, since a call would have to be answered; and up to ten of the errors with the JSON pointer of each. It is the first request each
//! time, so the prompt does not grow with the rounds. One round unless [told otherwise](RepairLayer::rounds).
//!
//! When that has not helped, or may not be done, the call fails with [`Invalid`], or the last answer is passed on with a
//! [`Repaired`] that says so: see [`Otherwise`]. A request that must not be [repeated](crate::call::Options::repeatable)
//! is looked at, and not asked again.
//!
//! # Fences and preambles
//!
//! They make an answer invalid, as they do for whoever parses it. With [`RepairLayer::tolerant`] they do not, and are
//! left out: the caller gets the clean JSON in the place of the text, in documents and in streams, where the first piece has all
//! of it then. Amazon's binary frames cannot be changed in place; there nothing is tolerated.
//!
//! # Where in the stack
//!
//! To the outside of everything that makes attempts or counts them, and so of a [`Stack`](crate::stack::Stack) and of a
//! [`fallback`](crate::fallback); inside of a cache, which then stores what matches.
//!
//! # What happens to a streamed answer
//!
//! If there is a schema, it is held to its end, up to a mebibyte, and then passed on frame by frame as it came: what is wrong
//! with it may be its last word. A stream of a request that offers tools is such a one, even if none is called. Who
//! wants to see words as they come leaves streams [alone](RepairLayer::documents_only). Timeouts and breakers
//! further in see the stream as it arrives.
//!
//! # Example
//!
//! ```
//! use battlement::repair::{RepairLayer, Repaired};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let asked = request.into_body().collect().await?.to_bytes();
//!     let again = String::from_utf8_lossy(&asked).contains("is not of type");
//!     let year = if again { "1808" } else { r#"\"1808\""# };
//!     let answer = format!(
//!         r#"{{"choices": [{{"index": 0, "message": {{"role": "assistant", "content": "{{\"year\": {year}}}"}},
//!         "finish_reason": "stop"}}]}}"#
//!     );
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = RepairLayer::new().layer(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions").body(
//!     Full::<Bytes>::from(r#"{"model": "gpt-5-mini",
//!         "messages": [{"role": "user", "content": "When was Faust printed?"}],
//!         "response_format": {"type": "json_schema", "json_schema": {"name": "print", "schema":
//!             {"type": "object", "properties": {"year": {"type": "integer"}}}}}}"#),
//! )?;
//! let response = service.oneshot(request).await?;
//! let repaired = response.extensions().get::<Repaired>().expect("put there");
//! assert_eq!((repaired.rounds, repaired.is_valid), (1, true));
//! # Ok(())
//! # }
//! ```

mod check;
mod error;
mod future;
mod layer;
mod mend;
mod schema;
#[cfg(test)]
mod tests;

pub use error::Invalid;
pub use future::ResponseFuture;
pub use layer::{InvalidSchema, Otherwise, Repair, RepairLayer};
pub use mend::Repaired;

/// The body of an answer: as it came, though all of it may have been read before; or with clean JSON in it.
pub type Body<R> = crate::observe::MadeBody<R, crate::context::Entry>;
