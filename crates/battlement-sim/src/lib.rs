//! A provider that misbehaves on purpose.
//!
//! # Why
//!
//! Nobody can test against a real outage. A provider is down when it likes, not when a test runs; it costs money
//! per call; and what hurts most is rare: a stream that ends half-way without an error, a minute of silence,
//! a limit that fills because everybody retries. Mocks that answer with a status and a JSON file show none of it.
//!
//! This crate answers like a provider of LLM APIs, in every dialect that [`battlement_core`] reads and with the
//! provider's own words, headers and framing; and fails when a [script](script) says so. It belongs
//! in the dev-dependencies of whoever calls such APIs, with our layers or without.
//!
//! # In memory
//!
//! A [`Provider`] is a Tower service, so it stands where a client would. Time is tokio's: with a paused clock a
//! minute takes microseconds, and what comes when is exact.
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_sim::Provider;
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use tokio::time::Instant;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Provider::script("429 after 2s; every 50ms cut after 3 events; ok")?;
//! let call = || {
//!     let body = r#"{"model": "gpt-5-mini", "stream": true, "messages": []}"#;
//!     let request = Request::post("https://api.openai.com/v1/chat/completions");
//!     provider.clone().oneshot(request.body(Full::<Bytes>::from(body)).unwrap())
//! };
//! let start = Instant::now();
//! assert_eq!(call().await?.status(), 429);
//! assert!(call().await?.into_body().collect().await.is_err(), "it was cut");
//! assert_eq!(start.elapsed(), Duration::from_millis(100));
//! assert!(call().await?.into_body().collect().await.is_ok());
//! assert_eq!(provider.record()[1].events, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # On a socket
//!
//! `listen` puts the same provider on a port of this machine, over HTTP/1.1 and HTTP/2, with real
//! resets: for clients with connections of their own, other languages, whole programs.
//!
#![cfg_attr(feature = "serve", doc = "```")]
#![cfg_attr(not(feature = "serve"), doc = "```ignore")]
//! use battlement_sim::{Provider, provider::{End, Stage}};
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Provider::script("reset; stall after 2 events")?;
//! let server = provider.listen().await?;
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let call = || {
//!     let body = r#"{"model": "claude-sonnet-5", "stream": true, "max_tokens": 9, "messages": []}"#;
//!     let request = Request::post(format!("{}/v1/messages", server.url()));
//!     client.request(request.body(Full::<Bytes>::from(body)).unwrap())
//! };
//! assert!(call().await.is_err(), "the connection was reset");
//!
//! let mut body = call().await?.into_body();
//! assert!(body.frame().await.unwrap()?.into_data().unwrap().starts_with(b"event: message_start"));
//! drop(body);
//! // The caller went away, and the provider has noticed.
//! provider.ended(2).await;
//! assert_eq!(provider.record()[1].end, Some(End::Cancelled(Stage::Body)));
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! | module | what it is |
//! |---|---|
//! | [`script`] | what happens to one call after the other: in words, as [`Step`]s, or by chance |
//! | [`provider`] | the provider in memory, and the record of what it saw |
//! | [`quota`] | limits per minute that are enforced for real |
//! | [`capacity`] | what can only do so much at once, and what becomes of calls beyond that |
//! | `serve` | the provider on a socket |
//! | [`answer`] | what a provider says to one request, byte by byte |
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `serve` | module `serve`, and with it hyper | yes |

pub mod answer;
pub mod capacity;
pub mod provider;
pub mod quota;
pub mod script;
#[cfg(feature = "serve")]
pub mod serve;

#[doc(inline)]
pub use provider::Provider;
#[doc(inline)]
pub use quota::Quota;
#[doc(inline)]
pub use script::{Script, Step};
