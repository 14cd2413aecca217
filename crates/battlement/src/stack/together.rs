//! Where layers meet: what one of them does may look to another like something else.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use battlement_core::{
    Code, Outcome, Provider::OpenAi as OPENAI, adaptive, deadline::Deadline, lanes::Lane,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use super::Stack;
use crate::{
    Error,
    breaker::{BreakerLayer, Circuits, Mode},
    call::{Attempt, Call, CallLayer, Key, Options},
    concurrency::ConcurrencyLayer,
    deadline::DeadlineLayer,
    events::Event,
    finish::{Beyond, FinishLayer, Hold},
    rate_limit::{Config, RateLimitLayer},
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    testing::{Answer, Piece, Provider, delta, request, stream_request, text},
    timeout::{TimeoutLayer, Timeouts},
};

const SECOND: Duration = Duration::from_secs(1);

fn log() -> (CallLayer, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        log.lock().unwrap().push(format!("{event:?}"));
    };
    (CallLayer::new().observer(observer), told)
}

#[tokio::test(start_paused = true)]
async fn blank_lines_before_a_whole_answer_are_no_silence() {
    let mut pieces = Vec::new();
    for _ in 0..20 {
        pieces.push(Piece::Wait(10 * SECOND));
        pieces.push(Piece::Bytes("\n".into()));
    }
    pieces.push(Piece::Bytes(r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#.into()));
    let answer = Answer::streaming(pieces).kind(Some("application/json"));
    let provider = Provider::new([answer]);
    let response = Stack::openai().layer(provider.clone()).oneshot(request()).await.unwrap();
    assert!(text(response).await.unwrap().ends_with("}]}"));
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_is_cut_is_tried_again() {
    let cut = Answer::streaming(vec![
        Piece::Bytes(
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi th"#.into(),
        ),
        Piece::Break,
    ]);
    let provider = Provider::new([cut.kind(Some("application/json")), Answer::ok()]);
    let response = Stack::openai().layer(provider.clone()).oneshot(request()).await.unwrap();
    text(response).await.unwrap();
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_held_to_its_end_is_tried_again() {
    let cut = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Break]);
    let provider = Provider::new([cut, Answer::stream(&["Hi"])]);
    let hold = Hold::Complete { most: 1 << 20, beyond: Beyond::Fail };
    let stack = Stack::openai().finish(FinishLayer::new().hold(hold));
    let response = stack.layer(provider.clone()).oneshot(stream_request()).await.unwrap();
    text(response).await.unwrap();
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_a_breakers_rejection_is_waited_for() {
    let limits = Config::new(OPENAI).requests_per_minute(1);
    let limits = RateLimitLayer::new(limits.reject()).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let service = RetryLayer::new().layer(limits.layer(provider.clone()));
    let mut batch = request();
    batch.extensions_mut().insert(Options::default().lane(Lane::Batch));
    text(service.clone().oneshot(batch.clone()).await.unwrap()).await.unwrap();
    let start = Instant::now();
    let error = service.oneshot(batch).await.unwrap_err();
    assert_eq!(Error::from(error).code(), Code::LimitReached);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_told_alike_wherever_it_passes() {
    let provider = Provider::new([Answer::ok().head_after(100 * SECOND)]);
    let timed = |mut request: Request<Full<Bytes>>| {
        request.extensions_mut().insert(Options::default().time(SECOND));
        request
    };
    let inside = TimeoutLayer::default().layer(provider.clone());
    let inside = Error::from(inside.oneshot(timed(request())).await.unwrap_err());
    let outside = DeadlineLayer::new().layer(provider);
    let outside = Error::from(outside.oneshot(timed(request())).await.unwrap_err());
    assert_eq!(inside.code(), outside.code());
    assert_eq!(inside.is_retryable(), outside.is_retryable());
}

#[test]
fn the_worst_case_of_endless_limits_is_told() {
    let long = Timeouts { total: Some(Duration::MAX), ..Timeouts::streaming() };
    let stack = Stack::openai().timeout(TimeoutLayer::new(long, long).unwrap());
    let [interactive, ..] = stack.worst_case(1);
    assert_eq!(interactive.time, Some(600 * SECOND));
}

/// tower's own retry, twice whatever comes.
#[derive(Clone)]
struct Twice(bool);

impl<R, E> tower::retry::Policy<Request<Full<Bytes>>, Response<R>, E> for Twice {
    type Future = std::future::Ready<()>;
    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        _: &mut Result<Response<R>, E>,
    ) -> Option<Self::Future> {
        (!std::mem::replace(&mut self.0, true)).then(|| std::future::ready(()))
    }
    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn another_retry_in_between_is_noticed_and_its_last_answer_counts() {
    let (call, told) = log();
    let provider = Provider::new([
        Answer::error(503, "overloaded"),
        Answer::error(401, "invalid_api_key"),
        Answer::error(400, "bad"),
    ]);
    let service = ServiceBuilder::new()
        .layer(call)
        .layer(RetryLayer::new())
        .layer(tower::retry::RetryLayer::new(Twice(false)))
        .layer(FinishLayer::new())
        .service(provider.clone());
    let response = service.oneshot(request()).await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(response.status(), 401, "{told:#?}");
    assert_eq!(provider.arrived().len(), 2, "it is the last answer that counts: {told:#?}");
    assert!(told.iter().any(|event| event == "SentAgain"), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn another_hedge_in_between_takes_no_verdict_from_the_winner() {
    let (call, told) = log();
    let cut = Answer::streaming(vec![Piece::Bytes(delta("Hi"))]);
    let provider = Provider::new([Answer::ok().head_after(60 * SECOND), cut]);
    let breaker = BreakerLayer::new(Default::default()).unwrap();
    let inner = ServiceBuilder::new()
        .layer(breaker.clone())
        .layer(FinishLayer::new())
        .service(provider.clone());
    let hedged = service_fn(move |request: Request<Full<Bytes>>| {
        let (first, second) = (inner.clone().oneshot(request.clone()), inner.clone());
        async move {
            let first = tokio::time::timeout(SECOND, Box::pin(first));
            let mut first = Box::pin(first);
            assert!((&mut first).await.is_err());
            // The first one is on its way until the second has its head.
            second.oneshot(request).await
        }
    });
    let service = ServiceBuilder::new().layer(call).layer(RetryLayer::new()).service(hedged);
    let response = service.oneshot(stream_request()).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    assert!(text(response).await.is_err(), "it is cut, and the caller learns of it");
    assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Cut);
    assert_eq!(attempt.call().trail().len(), 1);
    assert_eq!(attempt.call().ledger().running(), 0);
    assert!(told.lock().unwrap().iter().any(|event| event == "SentAgain"));
    assert_eq!(provider.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stack_within_a_stack_makes_no_more_attempts_and_is_in_order() {
    let (call, told) = log();
    let provider = Provider::new([Answer::error(500, "server_error"), Answer::stream(&["a"])]);
    let service = Stack::openai().call(call).layer(Stack::openai().layer(provider.clone()));
    let response = service.oneshot(stream_request()).await.unwrap();
    text(response).await.unwrap();
    assert_eq!(provider.arrived().len(), 2);
    let told = told.lock().unwrap();
    assert!(!told.iter().any(|event| event.starts_with("Misordered")), "{told:#?}");
}

fn is_closed(circuits: &Circuits) -> bool {
    circuits.snapshots().iter().all(|(_, snapshot)| snapshot.mode == Mode::Closed)
}

/// One answer, to six calls: it comes as it is, and nothing holds it for a failure.
async fn check_passes(method: &str, path: &str, status: u16, kind: Option<&str>, body: &str) {
    let case = format!("{method} {path} {status} {kind:?}");
    let pieces = if body.is_empty() { vec![] } else { vec![Piece::Bytes(body.into())] };
    let provider = Provider::new([Answer::streaming(pieces).status(status).kind(kind)]);
    let breaker = BreakerLayer::new(Default::default()).unwrap();
    let service = Stack::openai().breaker(breaker.clone()).layer(provider.clone());
    for _ in 0..6 {
        let sent = if method == "POST" { r#"{"model":"m"}"# } else { "" };
        let request =
            Request::builder().method(method).uri(format!("https://api.openai.com{path}"));
        let request = request.body(Full::<Bytes>::from(sent)).unwrap();
        let response = service.clone().oneshot(request).await;
        let response = response.unwrap_or_else(|error| panic!("{case}: {error}"));
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        let whole = response.into_body().collect().await;
        let whole = whole.unwrap_or_else(|error| panic!("{case}: {error}")).to_bytes();
        assert_eq!(whole, body.as_bytes(), "{case}");
        let verdict = attempt.verdict().unwrap();
        assert!(verdict.is_success() || (300..400).contains(&status), "{case}: {verdict:?}");
    }
    assert_eq!(provider.arrived().len(), 6, "{case}");
    assert!(is_closed(breaker.circuits()), "{case}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_text_passes_by_its_status() {
    let json = Some("application/json");
    check_passes("GET", "/v1/models", 200, json, r#"{"object":"list","data":[]}"#).await;
    check_passes("HEAD", "/v1/models", 200, json, "").await;
    check_passes("OPTIONS", "/v1/chat/completions", 204, None, "").await;
    check_passes("DELETE", "/v1/files/f", 200, json, r#"{"id":"f","deleted":true}"#).await;
    check_passes("DELETE", "/v1/files/f", 204, json, "").await;
    check_passes("POST", "/v1/batches", 202, json, "").await;
    check_passes("POST", "/v1/audio/speech", 200, Some("audio/mpeg"), "ID3...").await;
    check_passes("POST", "/v1/audio/transcriptions", 200, json, r#"{"text":"Hi"}"#).await;
    check_passes("POST", "/v1/audio/transcriptions", 200, Some("text/plain"), "Hi").await;
    check_passes("POST", "/v1/images/generations", 200, json, r#"{"data":[{"b64_json":""}]}"#)
        .await;
    let embedded = r#"{"object":"list","data":[{"embedding":[0.1],"index":0}]}"#;
    check_passes("POST", "/v1/embeddings", 200, json, embedded).await;
    check_passes("GET", "/v1/chat/completions", 200, json, r#"{"object":"list","data":[]}"#).await;
    check_passes("DELETE", "/v1/responses/r", 200, json, r#"{"id":"r","deleted":true}"#).await;
    for status in [301, 304, 307] {
        check_passes("GET", "/v1/models", status, None, "").await;
    }
    check_passes("GET", "/v1/realtime", 101, None, "").await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_job_that_failed_is_no_failed_call() {
    let json = Some("application/json");
    let job =
        r#"{"object":"fine_tuning.job","status":"failed","error":{"code":"x","message":"y"}}"#;
    check_passes("GET", "/v1/fine_tuning/jobs/j", 200, json, job).await;
    let answer = r#"{"object":"response","id":"r","status":"failed","error":{"code":"server_error","message":"y"},"output":[]}"#;
    check_passes("GET", "/v1/responses/r", 200, json, answer).await;
    let batch = r#"{"object":"batch","status":"failed","errors":{"data":[{"code":"x"}]}}"#;
    check_passes("GET", "/v1/batches/b", 200, json, batch).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_says_nothing_about_the_provider() {
    let breaker = BreakerLayer::new(Default::default()).unwrap();
    let concurrency = ConcurrencyLayer::new(adaptive::Config::default()).unwrap();
    let before = concurrency.handle().snapshot();
    let provider = Provider::new([Answer::ok().head_after(10 * SECOND)]);
    let stack = Stack::openai().breaker(breaker.clone()).concurrency(concurrency.clone());
    let service = stack.layer(provider.clone());
    for _ in 0..20 {
        let mut hasty = request();
        hasty.extensions_mut().insert(Options::default().time(2 * SECOND));
        let start = Instant::now();
        let error = service.clone().oneshot(hasty).await.unwrap_err();
        assert_eq!((error.code(), start.elapsed()), (Code::DeadlineExceeded, 2 * SECOND));
    }
    assert_eq!(provider.arrived().len(), 20);
    assert!(is_closed(breaker.circuits()));
    assert_eq!(concurrency.handle().snapshot(), before);
}

/// What the user puts on a request.
#[derive(Clone, Debug, PartialEq)]
struct Mine(&'static str);

#[tokio::test(start_paused = true)]
async fn what_the_user_put_on_a_request_is_on_every_attempt() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let provider = Provider::new([Answer::error(500, "server_error"), Answer::ok()]);
    let watched = tower::util::MapRequest::new(provider, move |request: Request<Full<Bytes>>| {
        log.lock().unwrap().push(request.extensions().get::<Mine>().cloned());
        request
    });
    let mut request = request();
    request.extensions_mut().insert(Mine("trace"));
    text(Stack::openai().layer(watched).oneshot(request).await.unwrap()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(Mine("trace")), Some(Mine("trace"))]);
}

/// A thousand calls wait, and leave in disorder.
async fn come_and_go(stack: Stack) {
    let service = stack.layer(Provider::new([Answer::streaming(vec![Piece::Hang])]));
    let mut calls = Vec::new();
    for _ in 0..1_000 {
        let mut call = Box::pin(service.clone().oneshot(request()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        calls.push(call);
    }
    let mut at = 7_usize;
    while !calls.is_empty() {
        at = (at * 7_919 + 13) % calls.len();
        calls.swap_remove(at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_comes_and_goes() {
    let slow = Config::new(OPENAI).requests_per_minute(600);
    let slow = RateLimitLayer::new(slow).unwrap();
    come_and_go(Stack::openai().rate_limit(slow.clone())).await;
    assert_eq!(slow.limits().snapshot().waiting, 0);

    let one = ConcurrencyLayer::new(1).unwrap();
    come_and_go(Stack::openai().concurrency(one.clone())).await;
    let snapshot = one.handle().snapshot();
    assert_eq!((snapshot.waiting, snapshot.in_flight), (0, 0));

    let gate = RetryAfterLayer::new(Default::default()).unwrap();
    let gate = gate.patience(Lane::Interactive, 500 * SECOND);
    let key = Key { name: Some("gpt-5-mini".into()), ..Key::new(OPENAI) };
    gate.gates().shut(&key, 60 * SECOND);
    come_and_go(Stack::openai().retry_after(gate.clone())).await;
    assert_eq!(gate.gates().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn times_of_any_length_and_of_none() {
    let provider = Provider::new([Answer::ok()]);
    let service = Stack::openai().layer(provider.clone());
    let timed = |options: Options| {
        let mut request = request();
        request.extensions_mut().insert(options);
        service.clone().oneshot(request)
    };
    text(timed(Options::default().time(Duration::MAX)).await.unwrap()).await.unwrap();
    text(timed(Options::default().deadline(Deadline::NEVER)).await.unwrap()).await.unwrap();
    assert_eq!(provider.arrived().len(), 2);
    let past = Deadline::at(crate::clock::now());
    for options in [Options::default().time(Duration::ZERO), Options::default().deadline(past)] {
        let error = timed(options).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Code::DeadlineExceeded, false));
    }
    assert_eq!(provider.arrived().len(), 2, "nothing is sent that is of no use");
}

#[test]
fn a_runtime_may_end_while_calls_wait() {
    let limits = Config::new(OPENAI).requests_per_minute(1);
    let limits = RateLimitLayer::new(limits).unwrap();
    let one = ConcurrencyLayer::new(1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let limited = Stack::openai().rate_limit(limits.clone()).concurrency(one.clone());
    let hanging = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang]);
    let provider = Provider::new([Answer::error(500, "server_error"), hanging]);
    runtime.block_on(async {
        for stack in [Stack::openai(), limited, Stack::openai().concurrency(one.clone())] {
            let service = stack.layer(provider.clone());
            for _ in 0..5 {
                let call = service.clone().oneshot(stream_request());
                tokio::spawn(async move { text(call.await.unwrap()).await });
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    drop(runtime);
    assert_eq!(provider.alive(), 0);
    assert_eq!(limits.limits().snapshot().waiting, 0);
    let snapshot = one.handle().snapshot();
    assert_eq!((snapshot.waiting, snapshot.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_lets_nobody_through_twice() {
    let limits = Config::new(OPENAI).requests_per_minute(1);
    let limits = RateLimitLayer::new(limits).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let service = Stack::openai().rate_limit(limits.clone()).layer(provider.clone());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let mut batch = request();
            batch.extensions_mut().insert(Options::default().deadline(Deadline::NEVER));
            tokio::spawn(service.clone().oneshot(batch))
        })
        .collect();
    tokio::time::sleep(SECOND).await;
    assert_eq!(provider.arrived().len(), 1);
    tokio::time::advance(3 * 24 * 3_600 * SECOND).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(provider.arrived().len(), 2, "three days earn no more than a burst");
    for call in calls {
        text(call.await.unwrap().unwrap()).await.unwrap();
    }
    assert_eq!(provider.arrived().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_named_holds_for_those_who_stand_in_line_further_in() {
    let throttled = Answer::error(429, "rate_limit_exceeded").header("retry-after", "5");
    let mut script = vec![throttled.head_after(SECOND)];
    script.extend((0..4).map(|_| Answer::ok()));
    let provider = Provider::new(script);
    let one = ConcurrencyLayer::new(1).unwrap();
    let gate = RetryAfterLayer::new(Default::default()).unwrap();
    let stack = Stack::openai().retry_after(gate).concurrency(one.clone());
    let service = stack.layer(provider.clone());
    let start = Instant::now();
    let calls: Vec<_> = (0..4).map(|_| tokio::spawn(service.clone().oneshot(request()))).collect();
    for call in calls {
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        text(response).await.unwrap();
    }
    let arrived = provider.arrived();
    assert_eq!(arrived.len(), 5, "one is tried again");
    assert!(arrived[1].at - start >= 6 * SECOND, "{:?}", arrived[1].at - start);
    let snapshot = one.handle().snapshot();
    assert_eq!((snapshot.waiting, snapshot.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_opens_turns_away_those_who_stand_in_line_further_in() {
    let provider = Provider::new([Answer::ok().head_after(SECOND)]);
    let one = ConcurrencyLayer::new(1).unwrap();
    let breaker = BreakerLayer::new(Default::default()).unwrap();
    let stack = Stack::openai().breaker(breaker.clone()).concurrency(one.clone());
    let service = stack.layer(provider.clone());
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(service.clone().oneshot(request()))).collect();
    tokio::time::sleep(SECOND / 2).await;
    let key = Key { name: Some("gpt-5-mini".into()), ..Key::new(OPENAI) };
    breaker.circuits().open(&key, None);
    let mut codes = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(response) => drop(text(response).await.unwrap()),
            Err(error) => codes.push(error.code()),
        }
    }
    assert_eq!(codes, [Code::CircuitOpen, Code::CircuitOpen]);
    assert_eq!(provider.arrived().len(), 1);
    let snapshot = one.handle().snapshot();
    assert_eq!((snapshot.waiting, snapshot.in_flight), (0, 0));
}
