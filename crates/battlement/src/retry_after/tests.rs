//! What callers see of the gate.

mod properties;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use battlement_core::{Code, hint::Dimension, lanes::Lane};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, advance},
};
use tower::{Layer, ServiceExt};

use super::{Config, CoolingDown, Force, RetryAfterLayer};
use crate::{
    BoxError, Error,
    call::{Call, CallLayer, Key, Options},
    events::Event,
    testing::{Answer, Piece, Provider, delta, request, request_for, stream_request, text},
};

const SECOND: Duration = Duration::from_secs(1);

/// Nothing is drawn, and nobody gives up.
fn layer() -> RetryAfterLayer {
    RetryAfterLayer::new(Config { spread: 0.0, ..Config::default() })
        .unwrap()
        .patience(Lane::Interactive, Duration::MAX)
}

fn key() -> Key {
    Key {
        provider: battlement_core::Provider::OpenAi,
        name: Some("gpt-5-mini".into()),
        account: None,
        credential: None,
    }
}

fn hinted(seconds: u64) -> Answer {
    Answer::error(429, "rate_limit_exceeded").header("retry-after", &seconds.to_string())
}

fn within(time: Duration) -> Request<Full<Bytes>> {
    let mut request = request();
    request.extensions_mut().insert(Options::default().time(time));
    request
}

type Outcome = Result<(u16, Duration), BoxError>;

/// Makes a call of its own, which ends with the status and when that was, and lets it begin.
async fn begin(
    layer: &RetryAfterLayer,
    provider: &Provider,
    request: Request<Full<Bytes>>,
    started: Instant,
) -> JoinHandle<Outcome> {
    let call = layer.layer(provider.clone()).oneshot(request);
    let call = tokio::spawn(async move {
        let response = call.await?;
        let (status, at) = (response.status().as_u16(), started.elapsed());
        text(response).await?;
        Ok((status, at))
    });
    yield_now().await;
    call
}

/// When requests arrived at the provider, in milliseconds.
fn arrivals(provider: &Provider, started: Instant) -> Vec<u128> {
    provider.arrived().iter().map(|arrived| (arrived.at - started).as_millis()).collect()
}

/// For how long an answer shuts the gate of a dimension, once it was read.
async fn check(answer: Answer, dimension: Dimension, expected: Option<Duration>) {
    let layer = layer();
    let shown = format!("{answer:?}");
    let response = layer.layer(Provider::new([answer])).oneshot(request()).await.unwrap();
    let _ = text(response).await;
    let now = Instant::now().into_std();
    for each in [Dimension::Requests, Dimension::Tokens, Dimension::Other] {
        let gate = layer.gates().snapshot(&key(), each).filter(|gate| gate.until > now);
        let wait = gate.map(|gate| gate.until - now);
        let expected = expected.filter(|_| each == dimension);
        assert_eq!(wait, expected, "{each:?} after {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_shuts_it() {
    use Dimension::{Other, Requests, Tokens};
    let told = |seconds: u32| Some(seconds * SECOND);
    let says = |status, kind: &str, message: &str| {
        Answer::new(status, &format!(r#"{{"error":{{"type":"{kind}","message":"{message}"}}}}"#))
    };
    check(hinted(20), Other, told(20)).await;
    check(Answer::error(429, "rate_limit_exceeded"), Other, told(1)).await;
    check(says(429, "requests", "Please try again in 12s."), Requests, told(12)).await;
    check(says(429, "tokens", "Please try again in 12s."), Tokens, told(12)).await;
    check(says(429, "tokens", "no").header("retry-after", "7"), Tokens, told(7)).await;
    let tokens = hinted(9).header("x-ratelimit-remaining-tokens", "0");
    check(tokens.header("x-ratelimit-reset-tokens", "30s"), Tokens, told(9)).await;
    check(Answer::error(503, "overloaded").header("retry-after", "5"), Other, told(5)).await;
    check(Answer::error(529, "overloaded_error").header("retry-after", "5"), Other, told(5)).await;

    check(Answer::error(429, "insufficient_quota"), Other, None).await;
    check(Answer::error(503, "overloaded"), Other, None).await;
    check(Answer::error(500, "server_error").header("retry-after", "5"), Other, None).await;
    check(Answer::error(400, "invalid_request_error"), Other, None).await;
    let used_up = Answer::ok().header("x-ratelimit-remaining-tokens", "0");
    check(used_up.header("x-ratelimit-reset-tokens", "30s"), Tokens, None).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_event_in_a_stream_shuts_it() {
    let event = r#"data: {"error":{"type":"rate_limit_exceeded","code":"rate_limit_exceeded","message":"Please try again in 7s."}}"#;
    let pieces = vec![Piece::Bytes(delta("Hi")), Piece::Bytes(format!("{event}\n\n"))];
    let provider = Provider::new([Answer::streaming(pieces), Answer::ok()]);
    let (layer, started) = (layer(), Instant::now());
    let first = layer.layer(provider.clone()).oneshot(stream_request()).await.unwrap();
    let _ = text(first).await;
    begin(&layer, &provider, request(), started).await.await.unwrap().unwrap();
    assert_eq!(arrivals(&provider, started), [0, 7000]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_compressed_shuts_it_by_its_head() {
    let compressed = Answer::new(429, "\u{1f}?").header("content-encoding", "gzip");
    check(compressed.header("retry-after", "8"), Dimension::Other, Some(8 * SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_is_enough() {
    let provider = Provider::new([hinted(20).then_hang(), Answer::ok()]);
    let (layer, started) = (layer(), Instant::now());
    let held = layer.layer(provider.clone()).oneshot(request()).await.unwrap();
    let second = begin(&layer, &provider, request(), started).await;
    assert_eq!(second.await.unwrap().unwrap(), (200, 20 * SECOND));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn they_come_back_in_order_and_not_at_once() {
    let provider = Provider::new([hinted(20), Answer::ok()]);
    let (layer, started) = (layer(), Instant::now());
    let _ = begin(&layer, &provider, request(), started).await.await;
    let provider = Provider::new([Answer::ok()]);
    let mut calls = Vec::new();
    for number in 0..8 {
        let mut request = request();
        request.headers_mut().insert("x-number", number.into());
        calls.push(begin(&layer, &provider, request, started).await);
    }
    assert_eq!(layer.gates().waiting(), 8);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().0, 200);
    }
    let expected = [20000, 21000, 21585, 22000, 22322, 22585, 22808, 23000];
    assert_eq!(arrivals(&provider, started), expected);
    let numbers = provider.arrived().into_iter().map(|arrived| arrived.headers["x-number"].clone());
    assert!(numbers.eq((0..8).map(http::HeaderValue::from)));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_woken_in_vain() {
    let (layer, provider) = (layer(), Provider::new([Answer::ok()]));
    layer.gates().shut(&key(), 10 * SECOND);
    let polls = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (call, polls) = (layer.layer(provider.clone()).oneshot(request()), polls.clone());
            tokio::spawn(async move {
                let mut call = pin!(call);
                std::future::poll_fn(|cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    call.as_mut().poll(cx)
                })
                .await
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Once at first, once to be first in line, once when it is time; and once for its answer.
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= 4 * 50, "{polls}");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_wait_is_told_at_once() {
    let (layer, provider, started) = (layer(), Provider::new([Answer::ok()]), Instant::now());
    layer.gates().shut(&key(), 20 * SECOND);
    let late = |call: Result<Outcome, _>| -> (Duration, Duration) {
        let error = call.unwrap().unwrap_err();
        let wait = error.downcast_ref::<CoolingDown>().unwrap().retry_after;
        assert_eq!(Error::from(error).code(), Code::CoolingDown);
        (wait, started.elapsed())
    };
    // Before its turn its time is over.
    let call = begin(&layer, &provider, within(20 * SECOND), started).await;
    assert_eq!(late(call.await), (20 * SECOND, Duration::ZERO));
    // It would be in time, if there was nobody before it.
    let first = begin(&layer, &provider, within(21 * SECOND), started).await;
    let call = begin(&layer, &provider, within(21 * SECOND), started).await;
    assert_eq!(late(call.await), (21 * SECOND, Duration::ZERO));
    // The lane does not wait that long.
    let impatient = layer.clone().patience(Lane::Interactive, 10 * SECOND);
    let call = begin(&impatient, &provider, request(), started).await;
    assert_eq!(late(call.await), (21 * SECOND, Duration::ZERO));

    // And who waited is told when it turns out to be too long.
    advance(SECOND).await;
    layer.gates().shut(&key(), 40 * SECOND);
    assert_eq!(late(first.await), (40 * SECOND, SECOND));
    assert!(provider.arrived().is_empty());
    assert_eq!(layer.gates().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_its_place_to_the_next() {
    let (layer, provider, started) = (layer(), Provider::new([Answer::ok()]), Instant::now());
    layer.gates().shut(&key(), 20 * SECOND);
    let first = begin(&layer, &provider, request(), started).await;
    let second = begin(&layer, &provider, request(), started).await;
    let third = begin(&layer, &provider, request(), started).await;
    first.abort();
    advance(SECOND).await;
    assert_eq!(layer.gates().waiting(), 2);
    second.abort();
    assert_eq!(third.await.unwrap().unwrap(), (200, 20 * SECOND));

    // Also to one that comes only after all have left.
    layer.gates().shut(&key(), 20 * SECOND);
    for _ in 0..100 {
        // One is never polled, and one is.
        let mut call = layer.layer(provider.clone());
        drop(tower::Service::call(&mut call, request()));
        begin(&layer, &provider, request(), started).await.abort();
        yield_now().await;
    }
    let last = begin(&layer, &provider, request(), started).await;
    assert_eq!(last.await.unwrap().unwrap(), (200, 40 * SECOND));
    assert_eq!(layer.gates().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_forced_call_opens_it() {
    let (layer, provider, started) = (layer(), Provider::new([Answer::ok()]), Instant::now());
    layer.gates().shut(&key(), 100 * SECOND);
    let first = begin(&layer, &provider, request(), started).await;
    let second = begin(&layer, &provider, request(), started).await;
    advance(3 * SECOND).await;
    let mut forced = request();
    forced.extensions_mut().insert(Force);
    begin(&layer, &provider, forced, started).await.await.unwrap().unwrap();
    assert_eq!(first.await.unwrap().unwrap().1, 3 * SECOND);
    assert_eq!(second.await.unwrap().unwrap().1, 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_or_with_nothing_left_proves_nothing() {
    let used_up = Answer::ok()
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "30s");
    for (answer, force_after) in [(Answer::ok(), false), (used_up, true)] {
        let (layer, started) = (layer(), Instant::now());
        let provider = Provider::new([answer.head_after(SECOND)]);
        let throttling = Provider::new([Answer::new(
            429,
            r#"{"error":{"type":"requests","message":"Please try again in 9s."}}"#,
        )]);
        let mut checking = request();
        checking.extensions_mut().insert(Force);
        let early = begin(&layer, &provider, request(), started).await;
        let _ = begin(&layer, &throttling, request(), started).await.await;
        if force_after {
            let _ = begin(&layer, &provider, checking, started).await.await;
        }
        let _ = early.await;
        let gate = layer.gates().snapshot(&key(), Dimension::Requests).unwrap();
        assert_eq!(gate.until, (started + 9 * SECOND).into_std(), "{force_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_opened_by_hand() {
    let (layer, provider, started) = (layer(), Provider::new([Answer::ok()]), Instant::now());
    let until = layer.gates().shut(&key(), 100 * SECOND);
    assert_eq!(until, (started + 100 * SECOND).into_std());
    let first = begin(&layer, &provider, request(), started).await;
    advance(2 * SECOND).await;
    layer.gates().open(&key());
    assert_eq!(first.await.unwrap().unwrap(), (200, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn only_whom_it_concerns_is_kept_back() {
    let layer = layer().key(|call| Key { name: call.facts().model.clone(), ..key() });
    let (provider, started) = (Provider::new([Answer::ok()]), Instant::now());
    layer.gates().shut(&key(), 20 * SECOND);
    let other = request_for(r#"{"model":"gpt-5","messages":[]}"#);
    let call = begin(&layer, &provider, other, started).await;
    assert_eq!(call.await.unwrap().unwrap().1, Duration::ZERO);

    // What costs no tokens goes on while tokens are short.
    let tokens = Answer::new(429, r#"{"error":{"type":"tokens","message":"try again in 9s"}}"#);
    let layer = self::layer().key(|_| key());
    let _ = begin(&layer, &Provider::new([tokens]), request(), started).await.await;
    let chat = begin(&layer, &provider, request(), started).await;
    let models = Request::get("https://api.openai.com/v1/models").body(Full::default()).unwrap();
    let models = begin(&layer, &provider, models, started).await;
    assert_eq!(models.await.unwrap().unwrap().1, Duration::ZERO);
    assert_eq!(chat.await.unwrap().unwrap().1, 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_or_fails_holds_nobody_up() {
    let provider = Provider::new([Answer::panicking(), Answer::failing(), Answer::ok()]);
    let (layer, started) = (layer(), Instant::now());
    layer.gates().shut(&key(), 20 * SECOND);
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(begin(&layer, &provider, request(), started).await);
    }
    let third = calls.pop().unwrap();
    assert_eq!(third.await.unwrap().unwrap(), (200, Duration::from_millis(21585)));
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_is_told() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let telling = seen.clone();
    let layers = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| {
        let told = match event {
            Event::Cooling { .. } => "cooling",
            Event::Waiting { layer, .. } => layer,
            Event::Rejected { code } => code.as_str(),
            _ => return,
        };
        telling.lock().unwrap().push(told);
    });
    let provider = Provider::new([hinted(20), Answer::ok()]);
    let service = layers.layer(layer().layer(provider));
    let _ = text(service.clone().oneshot(request()).await.unwrap()).await;
    assert!(service.clone().oneshot(within(SECOND)).await.is_err());
    assert!(service.oneshot(request()).await.is_ok());
    assert_eq!(*seen.lock().unwrap(), ["cooling", "llm.local.cooling_down", "retry_after"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_behind_too_many_is_told_so_at_once() {
    let provider = Provider::new([hinted(10), Answer::ok(), Answer::ok()]);
    let layer = layer().most_waiting(2.try_into().unwrap());
    let start = Instant::now();
    text(layer.layer(provider.clone()).oneshot(request()).await.unwrap()).await.unwrap();
    let first = begin(&layer, &provider, request(), start).await;
    let second = begin(&layer, &provider, request(), start).await;
    let error = layer.layer(provider.clone()).oneshot(request()).await.unwrap_err();
    assert!(error.downcast_ref::<CoolingDown>().unwrap().retry_after > 10 * SECOND);
    assert_eq!(start.elapsed(), Duration::ZERO);
    for call in [first, second] {
        assert_eq!(call.await.unwrap().unwrap().0, 200);
    }
}
