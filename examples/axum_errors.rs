//! An axum handler that calls a model, and what its own callers get when that fails.
//!
//! `cargo run -p examples --bin axum-errors`
//!
//! The status says whose turn it is, `retry-after` when, and the JSON body the rest. Nothing of what the
//! provider wrote is passed on: it may quote the prompt.

use std::time::{Duration, Instant};

use axum::{Router, body::Body, extract::State, response::Response, routing::post};
use battlement::{
    BoxError, Error,
    breaker::BreakerLayer,
    call::{Attempt, Key, Options},
    core,
    finish::FinishLayer,
    stack::{Stack, Stacked},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use provider::{Answer, Provider};
use tower::{Layer, ServiceExt};

#[derive(Clone)]
struct App {
    llm: Stacked<Client<HttpConnector, Full<Bytes>>>,
    options: Options,
}

/// Most failures are errors already. An answer with an error status arrives as one, and becomes an error
/// here.
async fn chat(State(app): State<App>, question: Bytes) -> Result<Response, Error> {
    let mut request = Request::new(Full::from(question));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/v1/chat/completions");
    request.extensions_mut().insert(app.options);

    let response = app.llm.oneshot(request).await?;
    if response.status().is_success() {
        // It may be a stream, and goes on as one.
        return Ok(response.map(Body::new));
    }
    let attempt = response.extensions().get::<Attempt>().cloned();
    // What it means is known at its end.
    response.into_body().collect().await?;
    let error = attempt.and_then(|attempt| Error::of(&attempt));
    Err(error.unwrap_or_else(|| BoxError::from("an error without a meaning").into()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let error = |status, headers: &[&str], code| {
        Answer::json(
            status,
            headers,
            &format!(r#"{{"error":{{"code":"{code}","message":"a secret"}}}}"#),
        )
    };
    // Each failure is shown once: without repetitions, and with truncated answers as errors.
    let once = Options::default().attempts(1);
    let stack = Stack::new().finish(FinishLayer::strict());

    check(&stack, &once, Answer::chat("Hello.", "stop"), 200, None).await?;
    let limited = error("429 Too Many Requests", &["retry-after: 20"], "rate_limit_exceeded");
    check(&stack, &once, limited, 429, Some("20")).await?;
    // A stack of its own, as the gate of the other one is shut now.
    let stack = Stack::new().finish(FinishLayer::strict());
    let hurried = once.clone().time(Duration::from_millis(100));
    check(&stack, &hurried, Answer::silence(), 504, None).await?;
    check(&stack, &once, error("500 Internal Server Error", &[], "server_error"), 502, None)
        .await?;
    check(&stack, &once, Answer::chat("Once upon a", "length"), 422, None).await?;
    let too_long = error("400 Bad Request", &[], "context_length_exceeded");
    check(&stack, &once, too_long, 413, None).await?;
    check(&stack, &once, error("401 Unauthorized", &[], "invalid_api_key"), 401, None).await?;

    // A circuit that is open, here by hand: nobody is called.
    let breaker = BreakerLayer::new(Default::default())?;
    let key = Key { name: Some("m".into()), ..Key::new(core::Provider::Generic) };
    breaker.circuits().open(&key, Some(Instant::now() + Duration::from_secs(60)));
    let stack = Stack::new().breaker(breaker);
    check(&stack, &once, Answer::chat("Hello.", "stop"), 503, Some("60")).await
}

/// Calls the handler without a socket, over a provider that gives this answer.
async fn check(
    stack: &Stack,
    options: &Options,
    answer: Answer,
    status: u16,
    retry_after: Option<&str>,
) -> Result<(), BoxError> {
    let provider = Provider::start([answer]).await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let llm = stack.clone().base(&provider.url())?.layer(client);
    let app =
        Router::new().route("/chat", post(chat)).with_state(App { llm, options: options.clone() });

    let question = r#"{"model":"m","messages":[{"role":"user","content":"Hello?"}]}"#;
    let response = app.oneshot(Request::post("/chat").body(Body::from(question))?).await?;
    let wait = response.headers().get("retry-after").map(|wait| wait.to_str().map(str::to_owned));
    let wait = wait.transpose()?;
    let got = response.status().as_u16();
    let body = String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?;
    println!("{got} {body}");
    assert_eq!((got, wait.as_deref()), (status, retry_after), "{body}");
    assert!(!body.contains("secret"));
    Ok(())
}
