use std::sync::{Arc, Mutex};

use battlement_core::{Code, Fault, models::Limits};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;
use crate::{
    Error, ErrorKind,
    call::{Call, CallLayer},
    events::Event,
    fallback::{FallbackLayer, Route, Served},
    retry::RetryLayer,
    stack::Stack,
    testing::{Answer, Provider, request, request_for, text},
};

const NOTHING_ASKED: &str = r#"{"model":"gpt-5-mini","messages":[]}"#;

fn with_key(key: &'static str) -> Request<Full<Bytes>> {
    let mut request = request();
    request.headers_mut().insert("authorization", http::HeaderValue::from_static(key));
    request
}

/// The events that an observer is told, as text.
fn log() -> (CallLayer, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        let line = match event {
            Event::Found { finding, is_refused } => format!("found {finding} {is_refused}"),
            Event::Rejected { code } => format!("rejected {code}"),
            _ => return,
        };
        log.lock().unwrap().push(line);
    };
    (CallLayer::new().observer(observer), told)
}

#[tokio::test(start_paused = true)]
async fn what_is_right_goes_through_as_it_is() {
    let provider = Provider::new([Answer::ok()]);
    let response = PreflightLayer::new().layer(provider.clone()).oneshot(request()).await.unwrap();
    text(response).await.unwrap();
    let arrived = &provider.arrived()[0];
    assert_eq!(
        arrived.body,
        r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Hi"}]}"#
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_refused_and_nothing_is_sent() {
    let provider = Provider::new([Answer::ok()]);
    let (call, told) = log();
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(PreflightLayer::new())
        .layer(RetryLayer::new())
        .service(provider.clone());
    let error = Error::from(service.clone().oneshot(request_for(NOTHING_ASKED)).await.unwrap_err());
    assert_eq!((error.code(), error.kind()), (Code::InvalidRequest, ErrorKind::Request));
    assert_eq!((error.fault(), error.is_retryable()), (Fault::Caller, false));
    assert_eq!(error.retry_after(), None);
    assert_eq!(error.attempts(), []);

    let error = Error::from(service.oneshot(with_key("Bearer <key>")).await.unwrap_err());
    assert_eq!((error.code(), error.kind()), (Code::MissingKey, ErrorKind::Unauthorized));
    assert_eq!(error.fault(), Fault::Caller);
    assert_eq!(provider.arrived().len(), 0);
    let expected = [
        "found /messages: there is no message true",
        "rejected llm.request.invalid",
        "found authorization: the key is a placeholder true",
        "rejected llm.auth.missing_key",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn each_check_is_refused_told_of_or_left_alone() {
    let provider = Provider::new([Answer::ok()]);
    let body =
        r#"{"model":"gpt-4o","max_tokens":20000,"messages":[{"role":"user","content":"Hi"}]}"#;
    let run = async |layer: PreflightLayer| {
        let (call, told) = log();
        let service = ServiceBuilder::new().layer(call).layer(layer).service(provider.clone());
        let is_sent = service.oneshot(request_for(body)).await.is_ok();
        let told = told.lock().unwrap().len();
        (is_sent, told)
    };
    let layer = PreflightLayer::new();
    assert_eq!(run(layer.clone()).await, (false, 2));
    assert_eq!(run(layer.clone().on(Check::OutputCap, Action::Warn)).await, (true, 1));
    assert_eq!(run(layer.clone().on(Check::OutputCap, Action::Off)).await, (true, 0));
    assert_eq!(run(layer.clone().on_all(Action::Off)).await, (true, 0));
    let only = layer.clone().on_all(Action::Off).on(Check::OutputCap, Action::Refuse);
    assert_eq!(run(only).await, (false, 2));
    let known = layer.limits(|_| Some(Limits { output: Some(20_000), ..Limits::default() }));
    assert_eq!(run(known).await, (true, 0));
}

#[tokio::test(start_paused = true)]
async fn what_has_no_json_body_passes() {
    let provider = Provider::new([Answer::new(200, "{}")]);
    let service = PreflightLayer::new().layer(provider.clone());
    let requests = [
        Request::get("https://api.openai.com/v1/models").body(Full::default()),
        Request::get("https://api.openai.com/v1/chat/completions").body(Full::default()),
        Request::post("https://api.openai.com/v1/audio/transcriptions").body(Full::from("--b\r\n")),
        Request::post("https://api.openai.com/v1/files").body(Full::from("--b\r\n")),
        Request::delete("https://api.openai.com/v1/responses/r").body(Full::default()),
        Request::post("https://api.openai.com/v1/chat/completions")
            .header("content-encoding", "gzip")
            .body(Full::from("\u{1f}")),
        Request::post("https://llm.example/anything").body(Full::from("?")),
    ];
    let count = requests.len();
    for request in requests {
        let request = request.unwrap();
        let at = request.uri().clone();
        let response = service.clone().oneshot(request).await;
        assert!(response.is_ok(), "{at}: {:?}", response.err());
    }
    assert_eq!(provider.arrived().len(), count);
}

#[tokio::test(start_paused = true)]
async fn on_a_route_a_key_that_is_none_moves_the_call_on() {
    let (first, second) = (Provider::new([Answer::ok()]), Provider::new([Answer::ok()]));
    let route = Route::new("second").bearer("sk-0123456789").unwrap();
    let layer = FallbackLayer::builder("first")
        .route(route, PreflightLayer::new().layer(Stack::openai().layer(second.clone())))
        .build()
        .unwrap();
    let service = layer.layer(PreflightLayer::new().layer(Stack::openai().layer(first.clone())));
    let response = service.clone().oneshot(with_key("Bearer YOUR_API_KEY")).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.source().to_string(), "fallback:second");
    assert_eq!((first.arrived().len(), second.arrived().len()), (0, 1));

    let error = Error::from(service.oneshot(request_for(NOTHING_ASKED)).await.unwrap_err());
    assert_eq!(error.code(), Code::InvalidRequest);
    assert_eq!((first.arrived().len(), second.arrived().len()), (0, 1), "it is wrong everywhere");
}

#[cfg(feature = "json-schema")]
#[tokio::test(start_paused = true)]
async fn schemas_are_validated() {
    let provider = Provider::new([Answer::ok()]);
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"objekt"}}}]}"#;
    let service = PreflightLayer::new().layer(provider);
    let error = service.oneshot(request_for(body)).await.unwrap_err();
    let refused = error.downcast_ref::<Refused>().unwrap();
    assert_eq!(refused.findings[0].at, "/tools/0/function/parameters/type");
}
