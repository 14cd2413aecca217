//! JSON that matches its schema: what does not is asked for again, with what is wrong.
//!
//! `cargo run -p examples --bin structured-output-with-repair`

use battlement::{
    BoxError, Error,
    call::{Attempt, CallLayer},
    events::Event,
    repair::{RepairLayer, Repaired},
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
use tower::{ServiceBuilder, ServiceExt};

type Hyper = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let wordy = r#"{\"city\": \"Weimar\", \"year\": \"in 1808\"}"#;
    let good = r#"{\"city\": \"Weimar\", \"year\": 1808}"#;
    let fenced = r#"Here you are:\n```json\n{\"city\": \"Weimar\", \"year\": 1808}\n```"#;
    let provider = Provider::start([
        // The first call: a year in words, and then a number.
        Answer::json("200 OK", &[], &chat(wordy, "stop")),
        Answer::json("200 OK", &[], &chat(good, "stop")),
        // The second: all is well but for the fence.
        Answer::json("200 OK", &[], &chat(fenced, "stop")),
        // The third: a number it never becomes.
        Answer::json("200 OK", &[], &chat(wordy, "stop")),
        Answer::json("200 OK", &[], &chat(wordy, "stop")),
    ])
    .await;

    let client: Hyper = Client::builder(TokioExecutor::new()).build_http();
    // To the outside of all layers that make attempts: each round is one of the call.
    let call = CallLayer::new().observer(|_: &battlement::call::Call, event: &Event<'_>| {
        if let Event::Invalid { round, errors } = event {
            println!("round {round}: {errors} errors");
        }
    });
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(RepairLayer::new().tolerant())
        .layer(Stack::openai_compatible(&provider.url())?)
        .service(client);

    let response = service.clone().oneshot(question()?).await?;
    let repaired = *response.extensions().get::<Repaired>().expect("put there");
    assert_eq!((repaired.rounds, repaired.is_valid), (1, true));
    let attempt = response.extensions().get::<Attempt>().expect("put there").clone();
    let body = response.into_body().collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&body));
    assert_eq!((attempt.call().attempts(), provider.requests()), (2, 2));

    let response = service.clone().oneshot(question()?).await?;
    assert!(response.extensions().get::<Repaired>().is_some_and(|repaired| repaired.is_cleaned));
    let body = response.into_body().collect().await?.to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains("```"), "what is around it is left out");
    assert_eq!(provider.requests(), 3, "which takes no request");

    let Err(error) = service.oneshot(question()?).await else {
        return Err("what never matches is not passed on".into());
    };
    let error = Error::from(error);
    println!("{error}");
    assert_eq!(error.code().as_str(), "llm.output.schema_mismatch");
    assert_eq!(provider.requests(), 5);
    Ok(())
}

fn question() -> Result<Request<Full<Bytes>>, http::Error> {
    let body = r#"{"model": "large",
        "messages": [{"role": "user", "content": "Where and when was Faust printed?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "print", "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "year": {"type": "integer"}},
            "required": ["city", "year"]}}}}"#;
    Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::from(body))
}
