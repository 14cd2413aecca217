//! An honest default: when the provider is down, a smaller model is asked, and then the caller is told.
//!
//! `cargo run -p examples --bin honest-default`

use battlement::{
    BoxError, Source,
    degrade::{DegradeLayer, Degraded},
    fallback::Route,
    stack::Stack,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider, chat};
use tower::{Layer, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

const SORRY: &str = "I cannot answer right now. Please ask again in a minute.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let down = r#"{"error":{"type":"server_error","message":"Something failed."}}"#;
    let down = || Answer::json("500 Internal Server Error", &[], down);
    let provider = Provider::start([
        // The first call: the large model fails, and the small one answers.
        down(),
        down(),
        Answer::json("200 OK", &[], &chat("Four, in short.", "stop")),
        // From then on nobody does.
        down(),
    ])
    .await;

    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    let small = Route::new("small").model("small").max_output_tokens(200).without(["tools"]);
    let layer = DegradeLayer::new().simplified(small).say(SORRY);
    let service = layer.layer(Stack::openai_compatible(&provider.url())?.layer(client));

    let response = service.clone().oneshot(question(false)?).await?;
    assert_eq!(Source::of(&response).to_string(), "simplified");
    println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
    assert_eq!(provider.requests(), 3);

    // As a document or as a stream, as it was asked for.
    for stream in [false, true] {
        let response = service.clone().oneshot(question(stream)?).await?;
        assert_eq!((response.status().as_u16(), Source::of(&response)), (200, Source::Static));
        let degraded = response.extensions().get::<Degraded>().expect("put there").clone();
        println!("{} after {} attempts", degraded.code(), degraded.attempts().len());
        let body = response.into_body().collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(SORRY) && body.ends_with("data: [DONE]\n\n") == stream, "{body}");
    }
    Ok(())
}

fn question(stream: bool) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = format!(
        r#"{{"model":"large","stream":{stream},"max_tokens":900,"messages":[{{"role":"user","content":"2 + 2?"}}]}}"#
    );
    Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::from(body))
}
