//! reqwest on both sides: its client under the layers, and code that speaks reqwest above them.
//!
//! `cargo run -p examples --bin reqwest-client`

use battlement::{
    BoxError, Error,
    reqwest::{Adapter, Transport},
    stack::Stack,
};
use provider::{Answer, Provider};
use reqwest::{Client, Request, Response};
use tower::{Layer, Service, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let limited = Answer::json(
        "429 Too Many Requests",
        &["retry-after-ms: 40"],
        r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#,
    );
    let provider = Provider::start([limited, Answer::chat("Hello.", "stop")]).await;

    // What reqwest repeats by itself the layers would not know of.
    let client = Client::builder().retry(reqwest::retry::never()).build()?;
    let stack = Stack::new().layer(Transport::new(client.clone()));

    let answer = ask(Adapter::new(stack), &client, &provider.url()).await?;
    println!("after {} requests: {answer}", provider.requests());
    assert!(answer.contains("Hello."));
    assert_eq!(provider.requests(), 2);

    let stack = Stack::new().layer(Transport::new(client.clone()));
    let gone = provider::nobody().await;
    let error = Error::from(ask(Adapter::new(stack), &client, &gone).await.unwrap_err());
    println!("{error}");
    assert_eq!(error.code().as_str(), "llm.network.unreachable");
    assert_eq!(error.attempts().len(), 3);
    Ok(())
}

/// Code that has requests of reqwest, and does not care what sends them.
async fn ask<S>(mut service: S, client: &Client, host: &str) -> Result<String, BoxError>
where
    S: Service<Request, Response = Response, Error = BoxError>,
{
    let request = client
        .post(format!("{host}/v1/chat/completions"))
        .header("content-type", "application/json")
        .body(r#"{"model":"m","messages":[{"role":"user","content":"Say hello."}]}"#)
        .build()?;
    let response = service.ready().await?.call(request).await?;
    Ok(response.error_for_status()?.text().await?)
}
