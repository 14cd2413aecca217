//! A chain of models at one provider: the next one answers when the first has no capacity.
//!
//! `cargo run -p examples --bin model-chain`

use battlement::{
    BoxError,
    fallback::{Capabilities, FallbackLayer, Route, Served},
    stack::Stack,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider, chat};
use tower::{Layer, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let busy = r#"{"error":{"type":"overloaded","message":"The model is overloaded."}}"#;
    let long = r#"{"error":{"code":"context_length_exceeded","message":"Too long."}}"#;
    let provider = Provider::start([
        // The first call: the large model is busy, and once more.
        Answer::json("503 Service Unavailable", &[], busy),
        Answer::json("503 Service Unavailable", &[], busy),
        Answer::json("200 OK", &[], &chat("Four, says the small one.", "stop")),
        // The second: its prompt is longer than the window.
        Answer::json("400 Bad Request", &[], long),
        Answer::json("200 OK", &[], &chat("Four, says the one with the long window.", "stop")),
    ])
    .await;

    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    // Each model has circuits and limits of its own, in one stack for all of them.
    let service = Stack::openai_compatible(&provider.url())?.layer(client);
    let window = |tokens| Capabilities { context: Some(tokens), ..Capabilities::default() };
    let layer = FallbackLayer::builder(Route::new("large").capabilities(window(200_000)))
        .route(Route::new("small").model("small").capabilities(window(100_000)), service.clone())
        .route(Route::new("long").model("long").capabilities(window(1_000_000)), service.clone())
        .build()?;
    let service = layer.layer(service);

    let response = service.clone().oneshot(question()?).await?;
    assert_eq!(served(&response), "fallback:small");
    assert_eq!(provider.requests(), 3, "once in place, and then the next");

    // What does not fit is not tried where it fits less.
    let response = service.oneshot(question()?).await?;
    assert_eq!(served(&response), "fallback:long");
    assert_eq!(provider.requests(), 5);
    Ok(())
}

/// Who has answered, and why not the others.
fn served<R>(response: &Response<R>) -> String {
    let served = response.extensions().get::<Served>().expect("the layer put it there");
    println!("answered by {}", served.source());
    for visit in served.trail() {
        println!("    not by {visit}");
    }
    served.source().to_string()
}

fn question() -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::from(r#"{"model":"large","messages":[{"role":"user","content":"2 + 2?"}]}"#))
}
