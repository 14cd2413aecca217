//! Tells what becomes of calls: spans, metrics, and a record of each one that went wrong.
//!
//! A status and a duration say little about a call to a model. It may have been answered at the third attempt, by
//! another provider, half-way, or for four times the money; and its answer may have ended long after its head came.
//! What alarms before users do is the rate of truncated answers, of 429s, of failures by their code, and
//! the time to the first output; and an incident without the trail of its attempts cannot be explained.
//!
//! This layer keeps an account of each call from its request to the last byte of its answer, of what all the other
//! layers report of it ([`events`](crate::events)), and makes of it:
//!
//! - **Spans** (feature `telemetry`, through `tracing`): one for the call and one below it for each attempt, with the
//!   attributes of OpenTelemetry's GenAI conventions and, where these have none, our own under `battlement.*`. They
//!   end with the body, however that ends. What the client does below is inside of the call's span.
//! - **Metrics** (feature `metrics`, through the crate of that name): what is in `TABLE`, which
//!   `docs/observability` shows along with alerts and a dashboard.
//! - **Incident records**: a line of JSON for each call that failed or was saved.
//!
//! Nothing of a prompt, an answer or a key is in any of them. Names of models, routes and tenants are.
//!
//! # Where in the stack
//!
//! Right behind [`call`](crate::call), outside of all others: the call is what its caller sees of it. Of a stack
//! within a stack the outer one tells. In a [`Stack`](crate::stack::Stack) it has its place
//! ([`Stack::telemetry`](crate::stack::Stack::telemetry)); over one layer alone it tells what that layer does.
//!
//! # What happens to a streamed answer
//!
//! Nothing. The span is open until its end, and the duration of the call is until then.
//!
//! # What it costs
//!
//! If nobody subscribes to spans and no more is set, a look at an atomic and the guard behind the body. An attempt whose
//! provider did not tell what it cost (a stream that was cut, a hedge that lost) is counted as such and costs
//! nothing here: nothing is estimated.
//!
//! # Incident records
//!
//! Members that are not known are left out. `outcome` is an [`Outcome`](battlement_core::Outcome), or `rejected` of what
//! was never sent; `code` is that of the failure atlas, and missing of a call that was saved. `waited_ms` is the time on
//! our side. Of a provider's message only words are left that explain errors, whatever else it may quote.
//! `battlement explain --incident FILE` tells them as stories. The form is number [`SCHEMA`].
//!
//! # Example
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use battlement::{finish::FinishLayer, retry::RetryLayer, telemetry::TelemetryLayer};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let lines = Arc::new(Mutex::new(Vec::new()));
//! let sink = lines.clone();
//! let telemetry = TelemetryLayer::new()
//!     .environment("staging")
//!     .incidents(move |line| sink.lock().unwrap().push(line.to_owned()));
//!
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Once upon a"},
//!         "finish_reason": "length"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = ServiceBuilder::new()
//!     .layer(telemetry)
//!     .layer(RetryLayer::new())
//!     .layer(FinishLayer::new())
//!     .service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! service.oneshot(request).await?.into_body().collect().await?;
//! let lines = lines.lock().unwrap();
//! assert!(lines[0].contains(r#""outcome":"length","code":"llm.truncated""#), "{}", lines[0]);
//! # Ok(())
//! # }
//! ```

#[cfg_attr(
    not(all(feature = "telemetry", feature = "metrics")),
    allow(dead_code, reason = "some of it is for spans or metrics alone")
)]
mod finished;
mod incident;
mod layer;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
#[path = "no_meters.rs"]
mod meters;
mod names;
mod record;
mod redact;
#[cfg(feature = "telemetry")]
mod spans;
#[cfg(not(feature = "telemetry"))]
#[path = "no_spans.rs"]
mod spans;
#[cfg(all(test, feature = "telemetry", feature = "metrics"))]
mod tests;

pub use incident::SCHEMA;
pub use layer::{Body, ResponseFuture, Telemetry, TelemetryLayer};
#[cfg(feature = "metrics")]
pub use meters::{Kind, Label, Metric, TABLE};
