//! Shortens conversations that are longer than the model's window.
//!
//! A conversation that has outgrown its window fails at each call from then on, and whoever has it open can do nothing but
//! begin another. This layer takes out the oldest turns instead, as many as it takes, and says what it has dropped. Which
//! they are, and what stays in any case, is told in [`battlement_core::context`]: what the system says, the newest turn,
//! results of tools with their calls. No message is split, and no other byte is changed.
//!
//! # When it acts
//!
//! - **Before anything is sent**, if the prompt is larger by [estimate](battlement_core::request::estimate) than the window, less what
//!   the answer may take. The window is known for [some models](battlement_core::models); say
//!   [which it is](ContextLayer::window) for others.
//! - **After the provider has said** that the prompt is too long, once: a quarter of it goes then, and the call is made again. The
//!   second attempt counts in the account of the call, and is not made if that allows none, or if what is asked must not be
//!   [repeated](crate::call::Options::repeatable).
//!
//! What cannot be shortened that far goes out if it is only a little too long by estimate, which may be wrong by a fifth; otherwise
//! the call fails with [`TooLong`]. So does every conversation that is too long with [`ContextLayer::refusing`].
//! A call that refers to what the provider keeps (an earlier answer, a conversation) is left alone: its prompt is not here.
//!
//! Chats of OpenAI, the Responses API with a list as its input, Anthropic, Gemini, Cohere, Ollama and Bedrock's Converse can be
//! shortened.
//!
//! # Where in the stack
//!
//! To the outside of [`retry`](crate::retry) and of everything that counts tokens, and so of a [`Stack`](crate::stack::Stack);
//! under the [`CallLayer`](crate::call::CallLayer), if there is one. With a [`fallback`](crate::fallback) it may be on each route, where the
//! window of the route's model counts; on all but the last, a [larger model](battlement_core::fallback::Then::Larger) is then
//! never asked. To go to that first, put it on the last route alone.
//!
//! # What happens to a streamed answer
//!
//! It is passed on as it comes. An error is read before it is passed on, up to 64 KiB and for a second at most. Nothing is sent again
//! once an answer has begun.
//!
//! # Example
//!
//! ```
//! use battlement::context::{ContextLayer, Dropped};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let body = request.into_body().collect().await?.to_bytes();
//!     assert_eq!(body, r#"{"model": "small-7b", "max_tokens": 20, "messages": [
//!         {"role": "system", "content": "Be brief."},
//!         {"role": "user", "content": "When?"}]}"#);
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "1808"},
//!         "finish_reason": "stop"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = ContextLayer::new().window(40).layer(provider);
//!
//! let request = Request::post("https://llm.example/v1/chat/completions").body(
//!     Full::<Bytes>::from(r#"{"model": "small-7b", "max_tokens": 20, "messages": [
//!         {"role": "system", "content": "Be brief."},
//!         {"role": "user", "content": "Who wrote Faust?"},
//!         {"role": "assistant", "content": "Goethe."},
//!         {"role": "user", "content": "When?"}]}"#),
//! )?;
//! let response = service.oneshot(request).await?;
//! let dropped = response.extensions().get::<Dropped>().expect("put there");
//! assert_eq!(dropped.messages, 2);
//! # Ok(())
//! # }
//! ```

mod again;
mod future;
mod layer;
#[cfg(test)]
mod tests;

pub use again::Entry;
pub use battlement_core::context::Dropped;
pub use future::ResponseFuture;
pub use layer::{Context, ContextLayer, TooLong};

/// The body of an answer, unchanged; of an error, its beginning may have been read before.
pub type Body<R> = crate::observe::HeldBody<R, Entry>;
