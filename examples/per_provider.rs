//! A service for each provider, with the limits of its account.
//!
//! `cargo run -p examples --bin per-provider`

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use battlement::{
    BoxError, Error, ErrorKind,
    breaker::BreakerLayer,
    builder::ServiceBuilderExt as _,
    call::{CallLayer, Key},
    concurrency::ConcurrencyLayer,
    core::{
        Provider,
        ledger::{Limit, Meter},
    },
    finish::FinishLayer,
    rate_limit::{Config, RateLimitLayer},
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    stack::Stack,
    timeout::{TimeoutLayer, Timeouts},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};

type Llm = BoxCloneService<Request<Full<Bytes>>, Response<BoxBody<Bytes, BoxError>>, Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let services =
        BTreeMap::from([("openai", openai()?), ("anthropic", anthropic()?), ("gemini", gemini()?)]);
    let calls = [
        ("openai", "/v1/chat/completions", r#"{"model":"gpt-5-mini","messages":[]}"#),
        (
            "anthropic",
            "/v1/messages",
            r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[]}"#,
        ),
        ("gemini", "/v1beta/models/gemini-2.5-flash:generateContent", r#"{"contents":[]}"#),
    ];
    // The second call of each is one more than this account of Gemini allows.
    for (round, (name, path, body)) in
        [0, 1].into_iter().flat_map(|round| calls.map(|call| (round, call)))
    {
        let request = Request::post(path).body(Full::from(body))?;
        let answer = services[name].clone().oneshot(request).await;
        match &answer {
            Ok(response) => println!("{name:<10} {}", response.status()),
            Err(error) => println!("{name:<10} {error}"),
        }
        let is_limited = answer.is_err_and(|error| error.kind() == ErrorKind::RateLimited);
        assert_eq!(is_limited, (round, name) == (1, "gemini"));
    }
    Ok(())
}

/// All layers, with the limits of the account set, so that the first calls need not find them out.
fn openai() -> Result<Llm, BoxError> {
    let limits = Config::new(Provider::OpenAi).requests_per_minute(500).tokens_per_minute(200_000);
    let stack = Stack::openai()
        .base("https://api.openai.com")?
        .rate_limit(RateLimitLayer::new(limits)?.key(Key::of));
    for worst in stack.worst_case(8_000) {
        println!("openai     {worst}");
    }
    Ok(boxed(stack.layer(client("api.openai.com", provider::chat("Hi.", "stop")))))
}

/// Layer by layer. Input and output are limited apart, and the larger model has less of both.
fn anthropic() -> Result<Llm, BoxError> {
    let limits = Config::new(Provider::Anthropic)
        .requests_per_minute(1_000)
        .input_tokens_per_minute(450_000)
        .output_tokens_per_minute(90_000);
    let rate_limit = RateLimitLayer::new(limits)?.key(Key::of);
    let opus = Key { name: Some("claude-opus-4-1".into()), ..Key::new(Provider::Anthropic) };
    rate_limit.limits().set_for(&opus, Limit::per_minute(Meter::Output, 80_000))?;
    // It may think for a while before it says anything.
    let patient = Timeouts { output: Some(Duration::from_secs(300)), ..Timeouts::streaming() };

    let answer =
        r#"{"type":"message","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn"}"#;
    let service = ServiceBuilder::new()
        .map_err(Error::from)
        .map_request(|mut request: Request<Full<Bytes>>| {
            let uri = format!("https://api.anthropic.com{}", request.uri());
            *request.uri_mut() = uri.parse().expect("a path after a host");
            request
        })
        .llm_call(CallLayer::new().provider(Provider::Anthropic))
        .llm_deadline()
        .llm_retry(RetryLayer::new())
        .llm_retry_after(RetryAfterLayer::new(Default::default())?)
        .llm_rate_limit(rate_limit)
        .llm_breaker(BreakerLayer::new(Default::default())?)
        .llm_concurrency(ConcurrencyLayer::new(50)?)
        .llm_timeout(TimeoutLayer::new(patient, Timeouts::whole())?)
        .llm_finish(FinishLayer::new())
        .service(client("api.anthropic.com", answer.to_owned()));
    Ok(boxed(service))
}

/// An account that may do little: calls beyond that are turned away at once, rather than wait for a day.
fn gemini() -> Result<Llm, BoxError> {
    let limits = Config::new(Provider::Gemini).limit(Limit::per_day(Meter::Requests, 1)).reject();
    let stack = Stack::gemini()
        .base("https://generativelanguage.googleapis.com")?
        .rate_limit(RateLimitLayer::new(limits)?);
    let answer = r#"{"candidates":[{"content":{"parts":[{"text":"Hi."}]},"finishReason":"STOP"}]}"#;
    Ok(boxed(stack.layer(client("generativelanguage.googleapis.com", answer.to_owned()))))
}

/// A provider in memory instead of a client, so that this runs offline.
fn client(
    host: &'static str,
    answer: String,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Full<Bytes>>| {
        assert_eq!(request.uri().host(), Some(host));
        let answer = Full::from(answer.clone());
        async { Ok(Response::new(answer)) }
    })
}

/// Services of one type, whatever is in them. Streams stay streams.
fn boxed<S, R>(service: S) -> Llm
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Error, Future: Send>
        + Clone
        + Send
        + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    let service =
        service.map_response(|response| response.map(|body: R| body.map_err(Into::into).boxed()));
    BoxCloneService::new(service)
}
