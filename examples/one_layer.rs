//! One layer more on a tower stack that exists: its timeout and limit stay, and cut answers are noticed.
//!
//! `cargo run -p examples --bin one-layer`

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use battlement::{
    BoxError, Error,
    finish::{FinishLayer, Tag},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // With status 200, all of them: an answer, half of one, and none.
    let answers = Arc::new([
        provider::chat("Four.", "stop"),
        provider::chat("The answer is", "length"),
        r#"{"error":{"code":"server_error","message":"try again"}}"#.to_owned(),
    ]);
    let calls = Arc::new(AtomicUsize::new(0));
    let client = service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answers[calls.fetch_add(1, Ordering::Relaxed)].clone();
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer))) }
    });
    let mut service = ServiceBuilder::new()
        .timeout(Duration::from_secs(30))
        .concurrency_limit(10)
        .layer(FinishLayer::new())
        .service(client);

    let response = service.ready().await?.call(question()?).await?;
    assert!(unusable(&response).is_none());
    println!("a whole answer:  passed on");

    // It says itself that it is truncated, so it is passed on, with a tag for who wants to know.
    let response = service.ready().await?.call(question()?).await?;
    let found = unusable(&response).expect("truncated");
    println!("half an answer:  passed on, tagged {found}");
    assert_eq!(found, "llm.truncated");

    let error = service.ready().await?.call(question()?).await.map(drop).unwrap_err();
    let error = Error::from(error);
    println!("no answer:       {error}");
    assert_eq!(error.code().as_str(), "llm.provider.error");
    Ok(())
}

fn unusable<R>(response: &Response<R>) -> Option<&'static str> {
    let unusable = response.extensions().get::<Tag>()?.unusable()?;
    Some(unusable.code().as_str())
}

fn question() -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post("https://api.openai.com/v1/chat/completions")
        .body(Full::from(r#"{"model":"m","messages":[{"role":"user","content":"2 + 2?"}]}"#))
}
