//! What is told of calls.

mod capture;
mod secrets;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::budget;
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    call::{CallLayer, Options},
    fallback::{FallbackLayer, Route},
    finish::FinishLayer,
    hedge::{self, HedgeLayer},
    retry::{Budget, RetryLayer},
    stack::Stack,
    testing::{Answer, Piece, Provider, delta, finish_event, request, stream_request, text},
};
use capture::{Spans, Values};

const SECOND: Duration = Duration::from_secs(1);

/// Lines that a sink was handed.
type Lines = Arc<Mutex<Vec<String>>>;

fn telemetry() -> (TelemetryLayer, Lines) {
    let lines = Lines::default();
    let sink = lines.clone();
    let layer = TelemetryLayer::new()
        .metrics()
        .environment("test")
        .incidents(move |line| sink.lock().unwrap().push(line.to_owned()));
    (layer, lines)
}

/// A retry that can pay for the attempts of these tests.
fn retry() -> RetryLayer {
    let config = budget::Config { reserve: 10.0, ..Default::default() };
    RetryLayer::new().budget(Arc::new(Budget::new(&config, crate::clock::now()).unwrap())).seed(1)
}

/// A stream whose provider tells what it cost.
fn told_stream() -> Answer {
    let usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}}\n\n";
    Answer::streaming(vec![
        Piece::Wait(2 * SECOND),
        Piece::Bytes(delta("Hi")),
        Piece::Wait(SECOND),
        Piece::Bytes(finish_event("stop")),
        Piece::Bytes(usage.into()),
        Piece::Bytes("data: [DONE]\n\n".into()),
    ])
}

fn cut() -> Answer {
    Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Break])
}

/// What a caller does with its answer.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Reads,
    LeavesBeforeTheHead,
    LeavesInTheBody,
}

/// Plays these answers to one call through a stack; what its spans, metrics and incident record say.
async fn told(answers: Vec<Answer>, stream: bool, caller: Caller) -> (String, Values, Vec<String>) {
    let (spans, values) = (Spans::default(), Values::default());
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let _installed = metrics::set_default_local_recorder(&values);
    let (layer, lines) = telemetry();
    let provider = Provider::new(answers);
    let service = Stack::openai().telemetry(layer).retry(retry()).layer(provider);
    let mut call = Box::pin(service.oneshot(if stream { stream_request() } else { request() }));
    if caller == Caller::LeavesBeforeTheHead {
        assert!(tokio::time::timeout(SECOND / 2, &mut call).await.is_err());
    } else if let Ok(response) = call.as_mut().await {
        if caller == Caller::Reads {
            let _read = text(response).await;
        }
    }
    drop(call);
    assert_eq!(spans.open(), 0, "all of them end");
    let lines = lines.lock().unwrap().clone();
    (spans.story(), values.clone(), lines)
}

/// One row for each way to end: what the spans of the call and of its attempts say.
#[tokio::test(start_paused = true)]
async fn spans_and_metrics_of_every_outcome() {
    use Caller::{LeavesBeforeTheHead, LeavesInTheBody, Reads};
    let slow = || Answer::ok().head_after(10 * SECOND);
    let limited = || Answer::error(429, "rate_limit_exceeded").header("retry-after", "2");
    let check = async |answers: Vec<Answer>, stream, caller, expected: &str| {
        let (story, values, lines) = told(answers, stream, caller).await;
        assert_eq!(story, expected);
        let outcome = expected.split_whitespace().next().unwrap();
        assert_eq!(values.sum("battlement.calls", &[]), 1.0, "{expected}");
        assert_eq!(values.sum("battlement.calls", &[outcome]), 1.0, "{expected}");
        assert_eq!(values.sum("battlement.calls.in_flight", &[]), 0.0, "{expected}");
        let attempts = expected.matches('|').count() as f64;
        assert_eq!(values.sum("battlement.attempts", &[]), attempts, "{expected}");
        let is_incident = attempts > 1.0 || expected.contains("llm.");
        assert_eq!(lines.len(), usize::from(is_incident), "{expected}: {lines:?}");
        for line in lines {
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["outcome"], outcome, "{line}");
            assert_eq!(record["attempts"].as_array().unwrap().len() as f64, attempts, "{line}");
        }
    };
    check(vec![Answer::ok()], false, Reads, "complete 10+2 | 1 first complete 200 10+2").await;
    let story = "complete 10+3 first 2 committed | 1 first complete 200 10+3 first 2";
    check(vec![told_stream()], true, Reads, story).await;
    let story = "length llm.truncated 10+2 committed | 1 first length llm.truncated 200 10+2";
    check(vec![Answer::finish("length")], false, Reads, story).await;
    let story = "content_filter llm.content_filter 10+2 | 1 first content_filter llm.content_filter 200 10+2";
    check(vec![Answer::finish("content_filter")], false, Reads, story).await;
    let story = "complete 10+2 waited | 1 first rate_limit_other llm.rate_limit.other 429 | 2 retry complete 200 10+2";
    check(vec![limited(), Answer::ok()], false, Reads, story).await;
    let story = "auth llm.auth.invalid_key | 1 first auth llm.auth.invalid_key 401";
    check(vec![Answer::error(401, "invalid_api_key")], false, Reads, story).await;
    let story = "stream_cut llm.stream.cut first 0 committed | 1 first stream_cut llm.stream.cut 200 first 0";
    check(vec![cut()], true, Reads, story).await;
    let story = "disconnected llm.network.disconnected | 1 first disconnected llm.network.disconnected \
        | 2 retry disconnected llm.network.disconnected | 3 retry disconnected llm.network.disconnected";
    check(vec![Answer::failing()], false, Reads, story).await;
    let story = "abandoned llm.caller.abandoned | 1 first abandoned llm.caller.abandoned";
    check(vec![slow()], false, LeavesBeforeTheHead, story).await;
    let story = "abandoned llm.caller.abandoned first 2 committed | 1 first abandoned llm.caller.abandoned 200 first 2";
    check(vec![told_stream()], true, LeavesInTheBody, story).await;
}

#[tokio::test(start_paused = true)]
async fn what_bought_nothing_is_wasted() {
    let answers = vec![Answer::finish("content_filter"), Answer::ok()];
    let (_, values, _) = told(answers, false, Caller::Reads).await;
    let wasted = values.sum("battlement.tokens", &["wasted"]);
    let successful = values.sum("battlement.tokens", &["successful"]);
    assert_eq!(wasted + successful, values.sum("battlement.tokens", &[]));
    let (_, values, _) =
        told(vec![Answer::error(500, "server_error"), Answer::ok()], false, Caller::Reads).await;
    assert_eq!(values.sum("battlement.tokens", &["wasted"]), 0.0);
    assert_eq!(values.sum("battlement.tokens", &["input", "successful"]), 10.0);
    // By the table: 0.25 and 2 dollars for a million.
    assert_eq!(values.sum("battlement.cost", &["successful"]), 10.0 * 250.0 + 2.0 * 2_000.0);
    let (_, values, _) = told(vec![cut()], true, Caller::Reads).await;
    assert_eq!(values.sum("battlement.attempts.untold", &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn routes_and_hedges_are_attempts_of_one_call() {
    let (spans, values) = (Spans::default(), Values::default());
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let _installed = metrics::set_default_local_recorder(&values);
    let (layer, lines) = telemetry();
    let down = Stack::openai().layer(Provider::new([Answer::error(429, "insufficient_quota")]));
    let up = Stack::openai().layer(Provider::new([Answer::ok()]));
    let routes = FallbackLayer::builder(Route::new("a")).route("b", up).build().unwrap();
    let service = CallLayer::new().layer(layer.clone().layer(routes.layer(down)));
    let options = Options::default().tenant("acme");
    let mut asked = request();
    asked.extensions_mut().insert(options);
    text(service.oneshot(asked).await.unwrap()).await.unwrap();
    let expected = "complete 10+2 b fallback:b acme | 1 first quota_exhausted llm.billing.quota_exhausted 429 a \
        | 2 fallback complete 200 10+2 b";
    assert_eq!(spans.story(), expected);
    assert_eq!(values.sum("battlement.calls", &["fallback"]), 1.0);
    assert_eq!(values.sum("battlement.fallbacks", &["llm.billing.quota_exhausted"]), 1.0);
    let line = lines.lock().unwrap().pop().unwrap();
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["rescued"], true);
    assert_eq!((&record["tenant"], &record["source"]), (&"acme".into(), &"fallback:b".into()));

    spans.forget();
    let config = hedge::Config { quantile: 0.5, samples: 2, share: 0.5, ..Default::default() };
    let hedge = HedgeLayer::new(config).unwrap();
    let quick = || Answer::ok().head_after(SECOND);
    let answers = [quick(), quick(), quick(), Answer::ok().head_after(60 * SECOND), Answer::ok()];
    let service = retry().layer(hedge.layer(FinishLayer::new().layer(Provider::new(answers))));
    let service = layer.layer(service);
    for _ in 0..3 {
        text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
    }
    spans.forget();
    text(service.oneshot(request()).await.unwrap()).await.unwrap();
    let expected =
        "complete 10+2 | 1 first abandoned llm.hedge.outpaced | 2 hedge complete 200 10+2";
    assert_eq!(spans.story(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_layer_alone_is_told_of_and_an_inner_account_is_not_kept() {
    let spans = Spans::default();
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let (layer, lines) = telemetry();
    let inner = layer.clone().layer(FinishLayer::new().layer(Provider::new([Answer::ok()])));
    let service = layer.layer(inner);
    text(service.oneshot(request()).await.unwrap()).await.unwrap();
    assert_eq!(spans.story(), "complete 10+2 | 1 first complete 200 10+2");
    assert!(lines.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_or_is_never_polled_is_told_of() {
    let spans = Spans::default();
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let (layer, lines) = telemetry();
    let service = Stack::openai().telemetry(layer).layer(Provider::new([Answer::panicking()]));
    let mut unpolled = service.clone();
    drop(tower::Service::call(&mut unpolled, request()));
    assert_eq!((spans.open(), lines.lock().unwrap().len()), (0, 1));
    let panicked = tokio::spawn(service.oneshot(request())).await.unwrap_err();
    assert!(panicked.is_panic());
    assert_eq!((spans.open(), lines.lock().unwrap().len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_call_is_kept_after_it() {
    let spans = Spans::default();
    let _subscribed = tracing::subscriber::set_default(spans.clone());
    let (layer, _lines) = telemetry();
    let service = Stack::openai().telemetry(layer).layer(Provider::new([Answer::ok()]));
    let response = service.oneshot(request()).await.unwrap();
    let attempt = response.extensions().get::<crate::call::Attempt>().unwrap().clone();
    text(response).await.unwrap();
    assert_eq!(attempt.handles(), 1, "the record holds its attempts until the end, and no longer");
    assert_eq!(spans.open(), 0, "though somebody still holds the call");
}
