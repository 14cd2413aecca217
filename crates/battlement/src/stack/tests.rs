//! What the layers do together.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Code, budget, lanes::Lanes, lanes::Terms};
use tokio::time::Instant;
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::{Doubt, Stack};
use crate::{
    Error, ErrorKind,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    finish::FinishLayer,
    rate_limit::{Config, RateLimitLayer},
    retry::{Budget, RetryLayer},
    testing::{Answer, Piece, Provider, delta, finish_event, request, stream_request, text},
    timeout::{TimeoutLayer, Timeouts},
};

fn stack() -> Stack {
    Stack::openai()
}

/// One that has earned retries.
fn rich() -> Stack {
    let config = budget::Config { reserve: 10.0, ..Default::default() };
    let budget = Budget::new(&config, crate::clock::now()).unwrap();
    stack().retry(RetryLayer::new().budget(Arc::new(budget)))
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_comes_through_unchanged() {
    let provider = Provider::new([Answer::ok(), Answer::stream(&["Hel", "lo"])]);
    let service = stack().layer(provider.clone());
    let answer = text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
    assert!(answer.contains("\"Hi\""));
    let answer = text(service.oneshot(stream_request()).await.unwrap()).await.unwrap();
    assert_eq!(
        answer,
        [&delta("Hel"), &delta("lo"), &finish_event("stop"), "data: [DONE]\n\n"].concat()
    );
    assert_eq!(provider.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_within_its_hint() {
    let answers = [
        Answer::error(429, "rate_limit_exceeded").header("retry-after", "7"),
        Answer::error(500, "server_error"),
        Answer::ok(),
    ];
    let provider = Provider::new(answers);
    let start = Instant::now();
    let response = rich().layer(provider.clone()).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 200);
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    text(response).await.unwrap();
    let arrived = provider.arrived();
    assert_eq!(arrived.len(), 3);
    assert!(arrived[1].at - start >= Duration::from_secs(7), "{:?}", arrived[1].at - start);
    assert_eq!((attempt.call().attempts(), attempt.call().trail().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_empty_or_cut_before_its_first_word_is_tried_again() {
    let cut = Answer::streaming(vec![Piece::Bytes(": ping\n\n".into()), Piece::Break]);
    let provider = Provider::new([cut, Answer::stream(&["Hi"])]);
    let response = stack().layer(provider.clone()).oneshot(stream_request()).await.unwrap();
    assert!(text(response).await.unwrap().contains("Hi"));
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_cut_after_its_first_word_ends_with_an_error() {
    let cut = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Break]);
    let provider = Provider::new([cut]);
    let response = stack().layer(provider.clone()).oneshot(stream_request()).await.unwrap();
    assert!(text(response).await.is_err());
    assert_eq!(provider.arrived().len(), 1);

    // The same, but in good order: without the layers nobody would know.
    let provider = Provider::new([Answer::streaming(vec![Piece::Bytes(delta("Hi"))])]);
    let response = stack().layer(provider).oneshot(stream_request()).await.unwrap();
    assert!(text(response).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up_in_time_and_not_called_for_long() {
    let provider = Provider::new([Answer::streaming(vec![Piece::Hang])]);
    let service = stack().layer(provider.clone());
    let start = Instant::now();
    let error = service.clone().oneshot(stream_request()).await.map(drop).unwrap_err();
    assert_eq!(error.code(), Code::TimeoutOutput);
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Timeout, 2), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 180);
    assert_eq!(provider.alive(), 0);
    for _ in 0..4 {
        let _ = service.clone().oneshot(stream_request()).await.map(drop);
    }
    let before = Instant::now();
    let error = service.oneshot(stream_request()).await.map(drop).unwrap_err();
    assert_eq!((error.code(), error.kind()), (Code::CircuitOpen, ErrorKind::Unavailable));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn limits_are_taken_from_the_headers_of_the_provider() {
    let limited = Answer::ok()
        .header("x-ratelimit-limit-requests", "60")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "1s");
    let provider = Provider::new([limited, Answer::ok()]);
    let service = stack().layer(provider.clone());
    for _ in 0..2 {
        text(service.clone().oneshot(request()).await.unwrap()).await.unwrap();
    }
    let arrived = provider.arrived();
    assert_eq!((arrived[1].at - arrived[0].at).as_secs_f64().round(), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_everything() {
    let provider =
        Provider::new([Answer::error(500, "server_error").head_after(Duration::from_secs(4))]);
    let start = Instant::now();
    let mut request = request();
    request.extensions_mut().insert(Options::default().time(Duration::from_secs(5)));
    let result = stack().layer(provider).oneshot(request).await;
    assert!(start.elapsed() <= Duration::from_secs(5));
    // Either the last real answer, or that there was no time for another.
    match result {
        Ok(response) => assert_eq!(response.status(), 500),
        Err(error) => assert_eq!(error.code(), Code::DeadlineExceeded),
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_order_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let observer = move |_: &Call, event: &Event<'_>| {
        if let Event::Misordered { misordered } = event {
            log.lock().unwrap().push(misordered.to_string());
        }
    };
    let limits = Config::new(battlement_core::Provider::OpenAi).requests_per_minute(100);
    let service = ServiceBuilder::new()
        .layer(CallLayer::new().observer(observer.clone()))
        .layer(RateLimitLayer::new(limits).unwrap())
        .layer(RetryLayer::new())
        .layer(FinishLayer::new())
        .service(Provider::new([Answer::ok()]));
    text(service.oneshot(request()).await.unwrap()).await.unwrap();
    let expected =
        "`rate_limit` is outside of `retry`: second attempts are not counted against the limits";
    assert_eq!(*told.lock().unwrap(), [expected]);

    told.lock().unwrap().clear();
    let service = stack().call(CallLayer::new().observer(observer));
    text(service.layer(Provider::new([Answer::ok()])).oneshot(request()).await.unwrap())
        .await
        .unwrap();
    assert!(told.lock().unwrap().is_empty());
}

#[test]
fn the_worst_case_is_told_before_anything_runs() {
    let [interactive, _, batch] = stack().worst_case(8_000);
    assert_eq!(
        interactive.to_string(),
        "interactive: 3 attempts of up to 600s and 30s of waits between them, all within 600s; up to 24000 tokens"
    );
    assert_eq!((batch.attempts, batch.tokens), (10, 80_000));
    assert!(interactive.doubts.is_empty() && batch.doubts.is_empty());
}

#[test]
fn doubtful_settings_are_pointed_at() {
    let endless = Terms { time: None, waiting: Duration::ZERO, ..Terms::interactive() };
    let lanes = Lanes::new(endless, Terms::deferred(), Terms::batch()).unwrap();
    let timeout = TimeoutLayer::new(Timeouts::NONE, Timeouts::NONE).unwrap();
    let stack = stack().call(CallLayer::new().lanes(lanes)).timeout(timeout);
    let [interactive, deferred, _] = stack.worst_case(1);
    assert_eq!(interactive.doubts, [Doubt::Endless, Doubt::NoWaiting]);
    let deadline = Duration::from_secs(1800);
    assert_eq!(deferred.doubts, [Doubt::NoTimeToRetry { deadline }]);
    assert_eq!((interactive.time, interactive.attempt), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_an_error_status_can_be_made_an_error() {
    let check = async |answer: Answer, code: Option<Code>, attempts: usize| {
        let service = rich().layer(Provider::new([answer]));
        let response = service.oneshot(request()).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        let error = Error::of(&attempt);
        assert_eq!(error.as_ref().map(Error::code), code);
        assert_eq!(error.map_or(0, |error| error.attempts().len()), attempts);
    };
    check(Answer::ok(), None, 0).await;
    check(Answer::error(401, "invalid_api_key"), Some(Code::InvalidKey), 1).await;
    check(Answer::error(500, "server_error"), Some(Code::ServerError), 3).await;
    check(Answer::finish("length"), Some(Code::Truncated), 1).await;
}
