//! What a caller sees of the rate limit.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{
    Code, Provider as Who,
    lanes::Lane,
    ledger::{Limit, Meter},
    queue,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::{task::JoinHandle, time::Instant};
use tower::{Layer, ServiceExt};

use super::{Config, Limits, RateLimitLayer, Rejected};
use crate::{
    Error,
    call::Key,
    call::{Call, CallLayer, Options},
    concurrency::{self, ConcurrencyLayer},
    events::Event,
    testing::{
        Answer, Piece, Provider, delta, finish_event, request, request_for, stream_request, text,
    },
};

/// A call a second.
fn slow() -> Config {
    let limit = Limit { burst: Some(1), ..Limit::per_second(Meter::Requests, 1) };
    Config::new(Who::Generic).limit(limit)
}

fn tokens(amount: u64) -> Config {
    Config::new(Who::Generic).tokens_per_minute(amount)
}

fn with(options: Options) -> Request<Full<Bytes>> {
    let mut request = request();
    request.extensions_mut().insert(options);
    request
}

fn patient(seconds: u64) -> Request<Full<Bytes>> {
    with(Options::default().time(Duration::from_secs(seconds)))
}

/// A call in a task of its own, and what it came to: `None` if an answer.
fn spawn(
    layer: &RateLimitLayer,
    provider: &Provider,
    request: Request<Full<Bytes>>,
) -> JoinHandle<Option<Rejected>> {
    let call = layer.layer(provider.clone()).oneshot(request);
    tokio::spawn(async {
        match call.await {
            Ok(response) => {
                let _ = text(response).await;
                None
            }
            Err(error) => Some(*error.downcast_ref::<Rejected>().expect("ours")),
        }
    })
}

/// Lets everybody go on who can, without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn left(limits: &Limits) -> i64 {
    limits.snapshot().levels[0].1
}

fn seconds(provider: &Provider, start: Instant) -> Vec<f64> {
    provider.arrived().iter().map(|arrived| (arrived.at - start).as_secs_f64()).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_pass_at_the_instants_that_the_limit_allows() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let (provider, start) = (Provider::new([Answer::ok()]), Instant::now());
    let calls: Vec<_> = (0..4).map(|_| spawn(&layer, &provider, request())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), None);
    }
    assert_eq!(seconds(&provider, start), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(layer.limits().snapshot().open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_pass_too_late_is_rejected_on_arrival() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let (provider, start) = (Provider::new([Answer::ok()]), Instant::now());
    let mut calls: Vec<_> = (0..4).map(|_| spawn(&layer, &provider, request())).collect();
    settle().await;
    let late = spawn(&layer, &provider, patient(3));
    let rejected = late.await.unwrap().unwrap();
    assert_eq!(rejected, Rejected::TooLate { retry_after: Some(Duration::from_secs(4)) });
    assert_eq!(start.elapsed(), Duration::ZERO);
    // One that comes just in time.
    calls.push(spawn(&layer, &provider, patient(5)));
    for call in calls {
        assert_eq!(call.await.unwrap(), None);
    }
    assert_eq!(seconds(&provider, start), [0.0, 1.0, 2.0, 3.0, 4.0]);

    let error = Error::from(Box::new(rejected) as crate::BoxError);
    assert_eq!(error.code(), Code::LimitReached);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(4)));
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_line_ends_the_wait_at_that_instant() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let (provider, start) = (Provider::new([Answer::ok()]), Instant::now());
    let batch = || with(Options::default().lane(Lane::Batch).time(Duration::from_millis(1_500)));
    let calls = [request(), batch()].map(|request| spawn(&layer, &provider, request));
    settle().await;
    // More urgent calls come after it, and before it in line.
    let urgent = [request(), request()].map(|request| spawn(&layer, &provider, request));
    let [first, late] = calls;
    let rejected = late.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(1_500));
    assert_eq!(rejected, Rejected::TooLate { retry_after: Some(Duration::from_millis(1_500)) });
    for call in urgent.into_iter().chain([first]) {
        assert_eq!(call.await.unwrap(), None);
    }
    assert_eq!(seconds(&provider, start), [0.0, 1.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_who_may_not() {
    let layer = RateLimitLayer::new(slow().reject()).unwrap();
    let provider = Provider::new([Answer::ok()]);
    assert_eq!(spawn(&layer, &provider, request()).await.unwrap(), None);
    tokio::time::advance(Duration::from_millis(400)).await;
    let rejected = spawn(&layer, &provider, request()).await.unwrap();
    let retry_after = Some(Duration::from_millis(600));
    assert_eq!(rejected, Some(Rejected::TooLate { retry_after }));
    tokio::time::advance(Duration::from_millis(600)).await;
    assert_eq!(spawn(&layer, &provider, request()).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_line_is_bounded() {
    let queue = queue::Config { most_waiting: 2, ..queue::Config::default() };
    let layer = RateLimitLayer::new(slow().wait(queue)).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let calls: Vec<_> = (0..4).map(|_| spawn(&layer, &provider, request())).collect();
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.unwrap());
    }
    assert_eq!(ends, [None, None, None, Some(Rejected::QueueFull { waiting: 2 })]);
    assert_eq!(ends[3].as_ref().unwrap().explain().code, Code::QueueFull);
}

#[tokio::test(start_paused = true)]
async fn what_never_fits_is_rejected_at_once() {
    let config = Config::new(Who::Generic).input_tokens_per_minute(5);
    let layer = RateLimitLayer::new(config).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let long = r#"{"model":"m","messages":[{"role":"user","content":"one two three four five six seven eight"}]}"#;
    let rejected = spawn(&layer, &provider, request_for(long)).await.unwrap().unwrap();
    assert!(matches!(rejected, Rejected::TooLarge { meter: Meter::Input, burst: 5, .. }));
    let error = Error::from(Box::new(rejected) as crate::BoxError);
    assert_eq!((error.code(), error.is_retryable()), (Code::RateLimitNeverFits, false));
    assert!(provider.arrived().is_empty());
}

/// Makes one call with this answer, reads it to its end, and compares what is charged then. Expected is
/// an input of some 8 tokens, and an output of 4,096 as nothing is known.
async fn check_charge(answer: Answer, streams: bool, expected: i64) {
    let layer = RateLimitLayer::new(tokens(100_000)).unwrap();
    let call = layer.layer(Provider::new([answer]));
    let request = if streams { stream_request() } else { request() };
    if let Ok(response) = call.oneshot(request).await {
        assert!((95_000..96_000).contains(&left(layer.limits())), "the end is not there yet");
        let _ = text(response).await;
    }
    let charged = 100_000 - left(layer.limits());
    if expected < 0 {
        assert!(charged > 4_000, "nothing is known, so nothing comes back: {charged}");
    } else {
        assert_eq!(charged, expected);
    }
    assert_eq!(layer.limits().snapshot().open, 0);
}

#[tokio::test(start_paused = true)]
async fn the_truth_is_charged_at_the_end_of_the_answer() {
    let usage =
        r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}"#;
    let usage = || Piece::Bytes(format!("{usage}\n\n"));
    let done = || Piece::Bytes("data: [DONE]\n\n".into());
    let finish = || Piece::Bytes(finish_event("stop"));
    let hi = || Piece::Bytes(delta("Hi"));

    check_charge(Answer::ok(), false, 12).await;
    check_charge(Answer::streaming(vec![hi(), finish(), usage(), done()]), true, 30).await;
    // Nobody said what it cost.
    check_charge(Answer::streaming(vec![hi(), finish(), done()]), true, -1).await;
    check_charge(Answer::streaming(vec![hi(), Piece::Break]), true, -1).await;
    check_charge(Answer::streaming(vec![hi(), usage(), Piece::Break]), true, -1).await;
    check_charge(Answer::error(500, "server_error"), false, -1).await;
    check_charge(Answer::failing(), false, -1).await;
    // Turned away before any work.
    check_charge(Answer::error(429, "rate_limit_exceeded"), false, 0).await;
    check_charge(Answer::error(401, "invalid_api_key"), false, 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_turned_away_further_inside_costs_nothing() {
    let layer = RateLimitLayer::new(tokens(100_000).requests_per_minute(10)).unwrap();
    let full = ConcurrencyLayer::new(concurrency::Config::from(1).reject()).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let _held = full.layer(provider.clone()).oneshot(request()).await.unwrap();
    let error = layer.layer(full.layer(provider)).oneshot(request()).await.unwrap_err();
    assert!(error.is::<concurrency::Rejected>());
    let snapshot = layer.limits().snapshot();
    assert_eq!((snapshot.levels[0].1, snapshot.levels[1].1, snapshot.open), (100_000, 10, 0));
}

#[tokio::test(start_paused = true)]
async fn everything_comes_back_wherever_a_call_ends() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let hangs = Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang]);
    let provider = Provider::new([hangs]);
    let service = || layer.layer(provider.clone()).oneshot(stream_request());
    let open = || (layer.limits().snapshot().open, layer.limits().snapshot().waiting);

    drop(service());
    assert_eq!(open(), (0, 0), "before it was polled");
    let mut response = service().await.unwrap();
    assert_eq!(open(), (1, 0));
    let waiting = tokio::spawn(service());
    settle().await;
    assert_eq!(open(), (1, 1));
    waiting.abort();
    settle().await;
    assert_eq!(open(), (1, 0), "dropped in line");
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    assert_eq!(open(), (0, 0), "dropped in the middle of its body");

    let slow_head = Provider::new([Answer::ok().head_after(Duration::from_secs(60))]);
    let calling = tokio::spawn(layer.layer(slow_head).oneshot(request()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(open(), (1, 0));
    calling.abort();
    settle().await;
    assert_eq!(open(), (0, 0), "dropped before its head");

    tokio::time::sleep(Duration::from_secs(1)).await;
    let panics = layer.layer(Provider::new([Answer::panicking()])).oneshot(request());
    assert!(tokio::spawn(panics).await.unwrap_err().is_panic());
    assert_eq!(open(), (0, 0), "panicked");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_delays_nobody() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let (provider, start) = (Provider::new([Answer::ok()]), Instant::now());
    let calls: Vec<_> = (0..4).map(|_| spawn(&layer, &provider, request())).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The first in line, which has the timer, and one from the middle.
    calls[1].abort();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    calls[3].abort();
    let late = spawn(&layer, &provider, request());
    assert_eq!(late.await.unwrap(), None);
    assert_eq!(seconds(&provider, start), [0.0, 1.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_go_first_and_tenants_take_turns() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let provider = Provider::new([Answer::ok()]);
    let order = Arc::new(Mutex::new(String::new()));
    let call = |letter: char, lane: Lane, tenant: &'static str| {
        let options = Options::default().lane(lane).tenant(tenant).time(Duration::from_secs(600));
        let call = layer.layer(provider.clone()).oneshot(with(options));
        let order = order.clone();
        tokio::spawn(async move {
            let _ = text(call.await.unwrap()).await;
            order.lock().unwrap().push(letter);
        })
    };
    let calls = [
        call('0', Lane::Interactive, "a"),
        call('b', Lane::Batch, "a"),
        call('1', Lane::Interactive, "a"),
        call('3', Lane::Interactive, "a"),
        call('2', Lane::Interactive, "z"),
    ];
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), "0123b");
}

#[tokio::test(start_paused = true)]
async fn what_headers_say_counts_from_the_head_on() {
    let layer = RateLimitLayer::new(tokens(100_000)).unwrap();
    let answer = Answer::ok()
        .header("x-ratelimit-limit-tokens", "100000")
        .header("x-ratelimit-remaining-tokens", "2500");
    let response = layer.layer(Provider::new([answer])).oneshot(request()).await.unwrap();
    assert_eq!(left(layer.limits()), 2_500);
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn limits_change_under_way_and_who_waits_passes() {
    let layer = RateLimitLayer::new(slow()).unwrap();
    let (provider, start) = (Provider::new([Answer::ok()]), Instant::now());
    let calls: Vec<_> = (0..3).map(|_| spawn(&layer, &provider, request())).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let faster = Limit { burst: Some(1), ..Limit::per_second(Meter::Requests, 10) };
    layer.limits().set(faster).unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap(), None);
    }
    // Half a call had come back, the rest comes ten times as fast.
    assert_eq!(seconds(&provider, start), [0.0, 0.55, 0.65]);
    assert!(layer.limits().set(Limit::per_day(Meter::Input, 1)).is_err());
}

#[tokio::test(start_paused = true)]
async fn answers_teach_what_to_reserve() {
    let layer = RateLimitLayer::new(tokens(100_000)).unwrap();
    let provider = Provider::new([Answer::ok()]);
    for _ in 0..20 {
        let response = layer.layer(provider.clone()).oneshot(request()).await.unwrap();
        let _ = text(response).await;
    }
    let before = left(layer.limits());
    let _open = layer.layer(provider).oneshot(request()).await.unwrap();
    assert!(before - left(layer.limits()) < 30, "not 4,096");
}

#[tokio::test(start_paused = true)]
async fn output_is_charged_as_it_is_produced_where_the_provider_does() {
    let usage = |output: u32| {
        let usage = format!(r#""usage":{{"prompt_tokens":10,"completion_tokens":{output}}}"#);
        Piece::Bytes(format!("data: {{\"id\":\"c\",\"choices\":[],{usage}}}\n\n"))
    };
    let config = Config::new(Who::Anthropic).output_tokens_per_minute(10_000);
    let layer = RateLimitLayer::new(config).unwrap();
    let answer = Answer::streaming(vec![usage(10), usage(300), usage(320), Piece::Hang]);
    let call = layer.layer(Provider::new([answer])).oneshot(stream_request());
    let mut response = call.await.unwrap();
    let mut levels = Vec::new();
    for _ in 0..3 {
        response.body_mut().frame().await.unwrap().unwrap();
        levels.push(left(layer.limits()));
    }
    // In steps, so that a count with every event is not a lock with every event.
    assert_eq!(levels, [10_000, 9_700, 9_700]);
    drop(response);
    assert_eq!(left(layer.limits()), 9_680, "what was told until the end");
}

#[tokio::test(start_paused = true)]
async fn keys_have_ledgers_of_their_own() {
    let layer = RateLimitLayer::new(slow().reject()).unwrap().key(Key::of);
    let layer = layer.most_keys(NonZeroUsize::new(2).unwrap());
    let provider = Provider::new([Answer::ok()]);
    let (one, two, three) = (r#"{"model":"one"}"#, r#"{"model":"two"}"#, r#"{"model":"three"}"#);
    let pass = async |body| spawn(&layer, &provider, request_for(body)).await.unwrap().is_none();
    assert!(pass(one).await && pass(two).await);
    assert!(!pass(one).await && !pass(two).await);
    // A third is one too many: the one that was not used for longest is forgotten.
    assert!(pass(three).await);
    assert!(!pass(two).await);
    assert!(pass(one).await);
    assert_eq!(layer.limits().keys().len(), 2);

    // Limits of its own are never forgotten.
    let key = Key { name: Some("large".into()), ..Key::new(Who::OpenAi) };
    let large = Limit { burst: Some(3), ..Limit::per_second(Meter::Requests, 1) };
    layer.limits().set_for(&key, large).unwrap();
    assert!(pass(two).await && pass(three).await);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(layer.limits().snapshot_of(&key).unwrap().levels[0].1, 3);
    assert_eq!(layer.limits().keys().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_hears_of_waits_and_rejections() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (told, start) = (heard.clone(), Instant::now().into_std());
    let watch = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| match event {
        Event::Waiting { layer, until } => {
            told.lock().unwrap().push(format!("{layer} {:?}", until.map(|until| until - start)));
        }
        Event::Rejected { code } => told.lock().unwrap().push(code.to_string()),
        _ => {}
    });
    let queue = queue::Config { most_waiting: 1, ..queue::Config::default() };
    let layer = RateLimitLayer::new(slow().wait(queue)).unwrap();
    let service = watch.layer(layer.layer(Provider::new([Answer::ok()])));
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(service.clone().oneshot(request()))).collect();
    for call in calls {
        let _ = call.await.unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), ["rate_limit Some(1s)", "llm.local.queue_full"]);
}
