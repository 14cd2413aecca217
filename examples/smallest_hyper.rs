//! The smallest program: hyper-util's client under all layers.
//!
//! `cargo run -p examples --bin smallest-hyper`
//!
//! To call a real provider, give the client a connector for TLS, such as that of hyper-rustls, the stack the
//! provider's address, and the request an `authorization` header.

use battlement::{BoxError, call::Attempt, stack::Stack};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use provider::{Answer, Provider};
use tower::{Layer, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // It is overloaded for a moment, as providers are.
    let overloaded =
        Answer::json("503 Service Unavailable", &[], r#"{"error":{"message":"overloaded"}}"#);
    let blue = Answer::chat("Blue light is scattered most.", "stop");
    let provider = Provider::start([overloaded, blue]).await;

    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = Stack::openai_compatible(&provider.url())?.layer(client);

    let question = r#"{"model":"m","messages":[{"role":"user","content":"Why is the sky blue?"}]}"#;
    let request = Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(question))?;
    // A service is cheap to clone, and its clones share limits and circuits: one for each call.
    let response = service.clone().oneshot(request).await?;

    let attempt = response.extensions().get::<Attempt>().cloned().expect("the layers put it there");
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{status}: {}", String::from_utf8_lossy(&body));
    for step in attempt.call().trail() {
        println!("    attempt {step}");
    }
    let verdict = attempt.verdict().expect("the body has ended");
    println!("    {}, {:?} tokens", verdict.outcome, verdict.usage.and_then(|usage| usage.total()));

    assert!(verdict.is_success());
    assert_eq!((status.as_u16(), provider.requests()), (200, 2));
    Ok(())
}
