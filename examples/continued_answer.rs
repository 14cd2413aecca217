//! An answer that stops at its limit twice and is finished all the same: three rounds, one stream.
//!
//! `cargo run -p examples --bin continued-answer`

use battlement::{
    BoxError,
    call::{Attempt, CallLayer},
    continuation::{ContinuationLayer, Continued},
    stack::Stack,
};
use battlement_core::{Provider as Vendor, continuation::Prefill};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider, delta, end};
use tower::{Layer, ServiceBuilder, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let limit = end().replace("stop", "length");
    let provider = Provider::start([
        Answer::stream(&[delta("It was the best of times, "), delta("it was "), limit.clone()]),
        Answer::stream(&[delta("the worst of times, "), delta("it was the age "), limit]),
        Answer::stream(&[delta("of wisdom."), end()]),
    ])
    .await;

    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new()
        .layer(CallLayer::new().provider(Vendor::Vllm))
        // vLLM is known to go on with the beginning of an answer. Of a server that is not, say so like this.
        .layer(ContinuationLayer::new().prefill(|_| Some(Prefill::FinalMessage)))
        .service(Stack::openai_compatible(&provider.url())?.layer(client));

    let request = Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(
            r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"How does it begin?"}]}"#,
        ))?;
    let response = service.oneshot(request).await?;
    let continued = response.extensions().get::<Continued>().cloned().expect("put there");
    let attempt = response.extensions().get::<Attempt>().cloned().expect("put there");

    let body = response.into_body().collect().await?.to_bytes();
    let expected = [
        "It was the best of times, ",
        "it was ",
        "the worst of times, ",
        "it was the age ",
        "of wisdom.",
    ];
    let expected: String = expected.iter().map(|text| delta(text)).collect();
    assert_eq!(body, expected + &end(), "one answer, with one end");
    assert_eq!(continued.rounds(), 2);
    assert_eq!(provider.requests(), 3);
    assert!(attempt.verdict().is_some_and(|verdict| verdict.is_success()));

    println!("{}", String::from_utf8_lossy(&body).trim_end());
    println!("in {} rounds:", 1 + continued.rounds());
    for step in attempt.call().trail() {
        println!("    {step}");
    }
    Ok(())
}
