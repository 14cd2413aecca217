//! Asks for the rest of an answer that stops at its limit or breaks off, and makes one answer of it.
//!
//! A long answer hits the output limit in the middle of a sentence, and a connection breaks after two minutes of text. Both
//! times the caller has most of what it has asked for and paid, and can only show half a sentence or begin again. This layer asks
//! for the rest and splices it: the caller gets one answer in the dialect it speaks, with the names of the first round, the reason
//! for stopping of the last, and the sum of what all have cost.
//!
//! # What is continued
//!
//! Text of one choice, in the chat dialects of OpenAI and those who speak it, in its Responses API, Anthropic's and Gemini's (as
//! events; a stream of Gemini that is a JSON array stays as it is). Not calls with tools or with structured output, which half
//! of something else would ruin, not those that refer to state at the provider, and none that must not be
//! [repeated](crate::call::Options::repeatable). An answer that turns out to have anything else than text (thoughts, tool calls, refusals,
//! citations, log probabilities) or more than [`most_text`](ContinuationLayer::most_text) passes as it is. So does
//! every answer in another dialect (Bedrock, Cohere, Ollama's own, text completions), and one in an encoding.
//!
//! # How
//!
//! In the first [`Way`] that works. By default at the limit: [`Way::Prefill`] where the server is known to go on with the
//! beginning of an answer, else [`Way::Raise`] if nothing was delivered yet, else the answer stays truncated and says so. Streams that
//! break off are continued with [`ContinuationLayer::cuts`]; those that had no output yet are for [`retry`](crate::retry).
//! A model that always stops at its limit is stopped by [`rounds`](ContinuationLayer::rounds) and
//! [`tokens`](ContinuationLayer::tokens). Each round counts in the account of the call, and none begins after its deadline. If
//! a further round fails, the answer ends as it would have without it.
//!
//! Over a [`fallback`](crate::fallback) a round may be served elsewhere than the one before: what was cut at the first provider is finished
//! by the second, if both speak the same dialect. An answer that was asked for by prefill and served by somebody who is not known to
//! take it is not used.
//!
//! What was done is told by [`Event::Continued`](crate::events::Event::Continued), and by [`Continued`] among the extensions of the
//! response, which knows when the body has ended.
//!
//! # Where in the stack
//!
//! To the outside of [`fallback`](crate::fallback) and of every [`Stack`](crate::stack::Stack): each round is a call for those inside, with
//! its own waits, limits and retries. Their verdicts are about the rounds; the [`Attempt`](crate::call::Attempt) that the caller and the layers
//! further out have is about the whole, and what happens to it is told by its rounds.
//!
//! # What happens to a streamed answer
//!
//! The frames of the first round pass as they are, up to the last whole event in them; its end (from the reason for stopping on) is
//! held back until it is known that nothing follows, which is at the end of the body. Of further rounds only text goes on, in events
//! like those of the first. An answer that is no stream is waited for as a whole.
//!
//! # Example
//!
//! ```
//! use battlement::continuation::{Continued, ContinuationLayer};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let asked = request.into_body().collect().await?.to_bytes();
//!     // The second time the last message is what the model has said so far.
//!     let (text, reason) = match asked.ends_with(br#"{"role":"assistant","content":"Once upon"}]}"#) {
//!         false => ("Once upon ", "max_tokens"),
//!         true => ("a time.", "end_turn"),
//!     };
//!     let answer = format!(r#"{{"id": "msg", "type": "message", "role": "assistant",
//!         "content": [{{"type": "text", "text": "{text}"}}], "stop_reason": "{reason}",
//!         "usage": {{"input_tokens": 10, "output_tokens": 3}}}}"#);
//!     let response = Response::builder().header("content-type", "application/json");
//!     Ok::<_, battlement::BoxError>(response.body(Full::<Bytes>::from(answer))?)
//! });
//! let service = ContinuationLayer::new().layer(provider);
//!
//! let request = Request::post("https://api.anthropic.com/v1/messages").body(
//!     Full::<Bytes>::from(r#"{"model": "claude-sonnet-4-5", "max_tokens": 3,
//!         "messages": [{"role": "user", "content": "A story!"}]}"#),
//! )?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.extensions().get::<Continued>().expect("put there").rounds(), 1);
//! let answer = response.into_body().collect().await?.to_bytes();
//! assert_eq!(answer, r#"{"id": "msg", "type": "message", "role": "assistant",
//!         "content": [{"type": "text", "text": "Once upon a time."}], "stop_reason": "end_turn",
//!         "usage": {"input_tokens": 20, "output_tokens": 6}}"#);
//! # Ok(())
//! # }
//! ```

mod again;
mod body;
mod future;
mod joined;
mod layer;
mod settings;
#[cfg(test)]
mod tests;
mod told;

pub use body::Spliced;
pub use future::ResponseFuture;
pub use layer::{Continuation, ContinuationLayer};
pub use settings::{Cause, Way};
pub use told::{Continued, Diverged, Entry};

/// The body of an answer, of one round or of several.
pub type Body<R> = crate::observe::Body<Spliced<R>, ()>;
