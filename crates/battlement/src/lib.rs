//! Tower layers that keep calls to LLM APIs standing.
//!
//! # Why
//!
//! An LLM answer passes two checkpoints: the HTTP status, and the model's own reason for stopping, which
//! comes at the end of the body. Layers that know nothing of the second take a 200 for a success: one whose
//! stream died half-way, that stopped at the token limit, holds an error or was cut by a filter. A breaker
//! then never opens, a retry never tries again, and a limit on requests at once is given back while
//! the model is still writing.
//!
//! The layers here read each answer as it passes, without changing or copying a byte, and act on what it
//! turns out to mean: the [`Verdict`](core::Verdict). What a call owns (a permit, a reservation, the
//! ticket of a breaker) it keeps until the end of its answer, and gives back however that comes
//! about. Formats and habits of the providers are known by [`battlement_core`].
//!
//! # The smallest program
//!
//! ```
//! use battlement::stack::Stack;
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::{Layer, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async move {
//! #     let (mut socket, _) = listener.accept().await.unwrap();
//! #     let mut request = Vec::new();
//! #     while !request.ends_with(b"]}") {
//! #         socket.read_buf(&mut request).await.unwrap();
//! #     }
//! #     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//! #         "finish_reason": "stop"}]}"#;
//! #     let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
//! #     socket.write_all([head, answer].concat().as_bytes()).await.unwrap();
//! # });
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let service = Stack::openai_compatible(&url)?.layer(client);
//!
//! let request = Request::post("/v1/chat/completions")
//!     .header("content-type", "application/json")
//!     .body(Full::<Bytes>::from(r#"{"model": "m", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! println!("{:?}", response.into_body().collect().await?.to_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! Any client will do that is a `Service<http::Request<B>, Response = http::Response<R>>`: hyper-util's
//! with a connector for TLS, reqwest's (feature `reqwest`), a whole stack of others. `B` is a body that can
//! be made of [`Bytes`](bytes::Bytes), as `Full<Bytes>`, `reqwest::Body` and `axum::body::Body` can. Keep one
//! service and clone it for each call: clones share limits, circuits and budget.
//!
//! What fails is one [`Error`], whichever layer it comes from. It tells the [kind](Error::kind) to answer
//! with, the [code](Error::code) that the failure atlas explains, [when](Error::retry_after) to come
//! back, and what was [tried](Error::attempts). An answer with a status of 400 or more that nothing could
//! be done about arrives as it is; [`Error::of`] makes an error of that.
//!
//! # The picture
//!
//! ```text
//! request ─▶ call ─▶ deadline ─▶ retry ─▶ ┌ each attempt ──────────────────────────────────────────┐
//!                                         │ retry_after ─▶ rate_limit ─▶ breaker ─▶ concurrency ─▶ │
//!                                         │ timeout ─▶ finish ─▶ client                            │
//!                                         └────────────────────────────────────────────────────────┘
//! answer  ◀─ the same way back, frame by frame; at its end everyone is told what it meant
//! ```
//!
//! All of it is one route. [`fallback`] goes over several, each a stack of its own, and [`continuation`] around both. [`hedge`], which is not in the stack, goes between
//! `retry` and each attempt.
//!
//! # Which layer when
//!
//! | what goes wrong | the layer |
//! |---|---|
//! | a call fails, and the next one would not | [`retry`] |
//! | a call is much later than others, and nothing has failed | [`hedge`] |
//! | the provider says "not before" to one call, and the others go on asking | [`retry_after`] |
//! | calls go out faster than requests or tokens per minute allow | [`rate_limit`] |
//! | a provider is down, and every caller finds out for itself | [`breaker`] |
//! | too many answers are written at once | [`concurrency`] |
//! | no head, no first word, silence in the middle | [`timeout`] |
//! | all of it together takes longer than anybody waits | [`deadline`] |
//! | a 200 that is of no use: empty, cut, an error inside | [`finish`] |
//! | one provider, model or key cannot serve a call, and another could | [`fallback`] |
//! | an answer is not what its schema asks for | `repair` |
//! | everything has failed, and less than an answer is better than an error | [`degrade`] |
//! | a conversation has become longer than the model's window | [`context`] |
//! | an answer stops at its limit or breaks off, and the rest could be asked for | [`continuation`] |
//! | a request cannot succeed, and is sent all the same | [`preflight`] |
//! | the same is asked again, and costs the same again; or there is an outage, and an answer of an hour ago would do | `cache` |
//! | many ask the same at once | `single_flight` |
//! | nobody knows how calls went, or what they cost | [`telemetry`] |
//! | nobody knows how one answer ended | [`observe`] |
//!
//! [`call`] reads each request once for all of them, and is where terms of lanes and an
//! [observer](events) are set. What one call wants (its time, lane, tenant) it says with
//! [`Options`](call::Options).
//!
//! # Single layers, or the stack
//!
//! [`Stack`](stack::Stack) has all layers in the one order that keeps every promise, and each can be
//! replaced by one with other settings. Take it unless you have a reason not to.
//!
//! Each layer works alone, too: it reads what it needs if no layer before has. Take single layers to add one to a
//! stack that exists, or if something else does the rest already; two that retry, or two that limit, are one
//! too many. Mind the order: a limit outside of the retry never sees the second attempt. The module of
//! each layer says where it belongs and why, [`misordered`](call::misordered) checks a list, and a call
//! that comes through its layers in a wrong order says so to its observer
//! ([`Event::Misordered`](events::Event::Misordered)).
//!
//! Over single layers say the type of the client, as in `let client: Client<_, Full<Bytes>>`: where it is left
//! to be inferred, each layer multiplies the time that the compiler takes. The stack does not mind.
//!
//! One service per provider is the rule, each with the limits of its account; a
//! [`Key`](call::Key) tells models and accounts apart within it.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `gzip`, `br`, `zstd` | reads answers in that encoding | `gzip` |
//! | `cache` | modules `cache` and `single_flight` | |
//! | `hyper-util` | knows of its errors whether the request was sent | yes |
//! | `http2` | the same of requests that an HTTP/2 server turned back unread | |
//! | `reqwest` | module `reqwest`: a stack over its client, and under code that speaks it; its errors as above | |
//! | `telemetry` | [`telemetry`] makes spans, with `tracing` | |
//! | `metrics` | [`telemetry`] counts and measures, with `metrics` | |
//! | `json-schema` | module `repair`: structured output and calls of tools that match their schemas; [`preflight`] validates schemas | |
//! | `axum` | module `axum`: [`Error`] as the answer of a handler | |
//! | `util` | module `builder`: the layers as methods of `tower::ServiceBuilder` | |

mod clock;
mod drive;
mod hold;
mod line;
mod replay;
#[cfg(feature = "cache")]
mod sameness;
mod seed;
mod source;
#[cfg(test)]
#[allow(dead_code, reason = "each layer uses some of it")]
mod testing;

#[cfg(feature = "axum")]
pub mod axum;
pub mod breaker;
#[cfg(feature = "util")]
pub mod builder;
#[cfg(feature = "cache")]
pub mod cache;
pub mod call;
pub mod concurrency;
pub mod context;
pub mod continuation;
pub mod deadline;
pub mod degrade;
pub mod error;
pub mod events;
pub mod fallback;
pub mod finish;
pub mod gate;
pub mod hedge;
pub mod observe;
pub mod preflight;
pub mod rate_limit;
#[cfg(feature = "json-schema")]
pub mod repair;
#[cfg(feature = "reqwest")]
pub mod reqwest;
pub mod retry;
pub mod retry_after;
#[cfg(feature = "cache")]
pub mod single_flight;
pub mod stack;
pub mod telemetry;
pub mod timeout;

pub use battlement_core as core;
#[doc(inline)]
pub use error::{BoxError, Error, ErrorKind};
#[doc(inline)]
pub use source::{Hit, Source};
