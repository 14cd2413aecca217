//! Keeps answers from the caller that are of no use, although their status is 200.
//!
//! The status is only the first of the two checkpoints of an answer. Behind it a stream may be cut,
//! hold an error, stop in the middle of a sentence or be a page of HTML, and the usual clients report
//! none of that: with the official SDKs of OpenAI and Anthropic a stream that ends without its last
//! event is a short answer, and nobody notices. This layer judges every answer by what it means, and
//! returns a typed error, [`Unusable`], for those that the [`Policy`] does not want.
//!
//! # What fails
//!
//! By default what a client would take for good although it is not, or could not read: an answer that is
//! empty, cut, corrupt, in no known form or with a broken tool call, and errors inside a 200. What the
//! answer says itself, where every client looks for it, is only tagged: truncated, filtered, refused.
//! [`FinishLayer::strict`] fails these, too. Each kind can be set, see [`Policy`]; what is
//! tagged is told by the [`Tag`] among the extensions of the response. A status of 400 or more passes
//! through, for retry to read.
//!
//! The error says what happened, whose fault it is and what to do. Of a refusal, too: the refused turn
//! has to leave the conversation, or the next one is refused as well.
//!
//! # What happens to a streamed answer
//!
//! Head and frames are held back until the model has said something, which is the point of no return:
//! whatever goes wrong before is an error of the call, and a retry outside of this layer may send it
//! again without the caller noticing. An answer that is no stream is held until its end, and so is a
//! short one, whose end comes in one frame with its beginning. [`Hold`] sets that: until the end for
//! every answer, so that nothing partial ever leaves, or not at all. Keep-alives are held as well.
//!
//! After that, frames pass as they are, each whole or not at all. The frame that brings the end of the
//! stream (`[DONE]`, `message_stop`) is looked at first: of an answer that ended well it passes at
//! once; otherwise it is kept back until the body is over, and if the answer fails it does not go
//! out, nor does anything after it. If text or the reason for stopping stand in the same frame, they are
//! kept back with it: a client that has seen the end does not read on, and would never see the error. In
//! a dialect without an event for the end, the end of the body is the end, and the error comes instead
//! of it. And where the event for the end is split over two frames, its first half has passed before
//! anybody can know it: clients that follow the standard wait for the second.
//!
//! So what a caller gets is always a prefix of what the provider sent, and then either its end or an
//! error: [`AfterCommit`] says in which form.
//!
//! # Where in the stack
//!
//! Inside of retry and fallback, which act on the error, and of all that limits or counts calls, next to
//! the client. The layers around it see when the provider answers, not when it is let go here: a
//! timeout for the head does not strike because an answer is held. The breaker needs nothing of
//! this layer: it judges answers itself.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     Error,
//!     finish::{Action, FinishLayer, Policy, Unusable},
//! };
//! use battlement_core::Code;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Once upon a"},
//!         "finish_reason": "length"}]}"#;
//!     let mut response = Response::new(Full::<Bytes>::from(answer));
//!     response.headers_mut().insert("content-type", "application/json".parse().unwrap());
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//! let request = || {
//!     Request::post("https://api.openai.com/v1/chat/completions")
//!         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#))
//! };
//!
//! // A truncated answer is passed on by default, and tagged.
//! let mut service = ServiceBuilder::new().layer(FinishLayer::new()).service(provider);
//! let response = service.ready().await?.call(request()?).await?;
//! let tag = response.extensions().get::<battlement::finish::Tag>().expect("put there");
//! assert_eq!(tag.unusable().expect("truncated").code(), Code::Truncated);
//!
//! // Whoever has no use for half a story says so.
//! let policy = Policy::default().truncated(Action::Fail);
//! let layer = FinishLayer::new().policy(policy);
//! let mut service = ServiceBuilder::new().layer(layer).service(provider);
//! let error = service.ready().await?.call(request()?).await.unwrap_err();
//! assert!(error.is::<Unusable>());
//! assert_eq!(Error::from(error).code(), Code::Truncated);
//! # Ok(())
//! # }
//! ```

mod body;
mod error;
mod future;
mod layer;
mod phrases;
mod policy;
#[cfg(test)]
mod tests;

pub use body::Body;
pub use error::{Tag, TooLong, Unusable};
pub use future::ResponseFuture;
pub use layer::{Finish, FinishLayer};
pub use phrases::REFUSALS;
pub use policy::{Action, AfterCommit, Beyond, Hold, Policy};
