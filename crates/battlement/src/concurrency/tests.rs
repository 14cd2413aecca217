//! What a caller sees of the limit of concurrency.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Clock, Code, adaptive, lanes::Lane, queue};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::{task::JoinHandle, time::Instant};
use tower::{Layer, ServiceExt};

use super::{ConcurrencyLayer, Config, InvalidConfig, Rejected, Snapshot};
use crate::{
    call::Key,
    call::{Attempt, Call, CallLayer, Options},
    events::Event,
    testing::{Answer, Piece, Provider, delta, request, request_for, stream_request, text},
};

/// An answer whose head comes at once, and whose end so many seconds later.
fn long(seconds: u64) -> Answer {
    let wait = Piece::Wait(Duration::from_secs(seconds));
    Answer::streaming(vec![Piece::Bytes(delta("Hi")), wait, Piece::Bytes(delta("!"))])
}

fn with(options: Options) -> Request<Full<Bytes>> {
    let mut request = stream_request();
    request.extensions_mut().insert(options);
    request
}

/// A call in a task of its own, and what it came to: `None` if an answer.
fn spawn(
    layer: &ConcurrencyLayer,
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

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn seconds(provider: &Provider, start: Instant) -> Vec<f64> {
    provider.arrived().iter().map(|arrived| (arrived.at - start).as_secs_f64()).collect()
}

fn in_use(layer: &ConcurrencyLayer) -> (u32, usize) {
    let Snapshot { in_flight, waiting, .. } = layer.handle().snapshot();
    (in_flight, waiting)
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_until_the_answer_has_ended() {
    let layer = ConcurrencyLayer::new(2).unwrap();
    let (provider, start) = (Provider::new([long(10), long(4)]), Instant::now());
    let calls: Vec<_> = (0..4).map(|_| spawn(&layer, &provider, stream_request())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), None);
    }
    assert_eq!(seconds(&provider, start), [0.0, 0.0, 4.0, 10.0]);
    assert_eq!(in_use(&layer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_line_ends_the_wait_at_that_instant() {
    let layer = ConcurrencyLayer::new(1).unwrap();
    let (provider, start) = (Provider::new([long(10)]), Instant::now());
    let first = spawn(&layer, &provider, stream_request());
    settle().await;
    let late = spawn(&layer, &provider, with(Options::default().time(Duration::from_secs(3))));
    let patient = spawn(&layer, &provider, stream_request());
    assert_eq!(late.await.unwrap(), Some(Rejected::Busy));
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!((first.await.unwrap(), patient.await.unwrap()), (None, None));
    assert_eq!(seconds(&provider, start), [0.0, 10.0]);
    assert_eq!(Rejected::Busy.explain().code, Code::ConcurrencyReached);
}

#[tokio::test(start_paused = true)]
async fn the_line_is_bounded_or_there_is_none() {
    let queue = queue::Config { most_waiting: 1, ..queue::Config::default() };
    let layer = ConcurrencyLayer::new(Config::from(1).wait(queue)).unwrap();
    let provider = Provider::new([long(1)]);
    let calls: Vec<_> = (0..3).map(|_| spawn(&layer, &provider, stream_request())).collect();
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.unwrap());
    }
    assert_eq!(ends, [None, None, Some(Rejected::QueueFull { waiting: 1 })]);

    let layer = ConcurrencyLayer::new(Config::from(1).reject()).unwrap();
    let first = spawn(&layer, &provider, stream_request());
    settle().await;
    assert_eq!(spawn(&layer, &provider, request()).await.unwrap(), Some(Rejected::Busy));
    assert_eq!(first.await.unwrap(), None);
    assert_eq!(ConcurrencyLayer::new(0).unwrap_err(), InvalidConfig::Zero);
}

#[tokio::test(start_paused = true)]
async fn everything_comes_back_wherever_a_call_ends() {
    let layer = ConcurrencyLayer::new(1).unwrap();
    let provider = Provider::new([Answer::streaming(vec![Piece::Bytes(delta("Hi")), Piece::Hang])]);
    let service = || layer.layer(provider.clone()).oneshot(stream_request());

    drop(service());
    assert_eq!(in_use(&layer), (0, 0), "before it was polled");
    let mut response = service().await.unwrap();
    let leaves = tokio::spawn(service());
    settle().await;
    let stays = tokio::spawn(service());
    settle().await;
    assert_eq!(in_use(&layer), (1, 2));
    leaves.abort();
    settle().await;
    assert_eq!(in_use(&layer), (1, 1), "dropped in line");
    response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(in_use(&layer), (1, 1), "the body is not over");
    drop(response);
    assert_eq!(in_use(&layer), (1, 0), "the place has gone to the next");
    // Which is gone, too, before it looked.
    stays.abort();
    settle().await;
    assert_eq!(in_use(&layer), (0, 0), "dropped with its place, unpolled");

    let slow_head = Provider::new([Answer::ok().head_after(Duration::from_secs(60))]);
    let calling = tokio::spawn(layer.layer(slow_head).oneshot(request()));
    settle().await;
    calling.abort();
    settle().await;
    assert_eq!(in_use(&layer), (0, 0), "dropped before its head");
    let panics = layer.layer(Provider::new([Answer::panicking()])).oneshot(request());
    assert!(tokio::spawn(panics).await.unwrap_err().is_panic());
    let fails = layer.layer(Provider::new([Answer::failing()])).oneshot(request());
    assert!(fails.await.is_err());
    assert_eq!(in_use(&layer), (0, 0), "panicked, and failed");
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_go_first() {
    let layer = ConcurrencyLayer::new(1).unwrap();
    let provider = Provider::new([long(1)]);
    let order = Arc::new(Mutex::new(String::new()));
    let call = |letter: char, lane: Lane| {
        let call = layer.layer(provider.clone()).oneshot(with(Options::default().lane(lane)));
        let order = order.clone();
        tokio::spawn(async move {
            let _ = text(call.await.unwrap()).await;
            order.lock().unwrap().push(letter);
        })
    };
    let calls = [
        call('0', Lane::Batch),
        call('3', Lane::Batch),
        call('2', Lane::Deferred),
        call('1', Lane::Interactive),
    ];
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), "0123");
}

fn adaptive(initial: u32) -> ConcurrencyLayer {
    let initial = NonZeroU32::new(initial).unwrap();
    ConcurrencyLayer::new(adaptive::Config { initial, ..adaptive::Config::default() }).unwrap()
}

/// The limit after this many calls at once, all with this answer.
async fn check_limit(answer: Answer, calls: usize, expected: u32) {
    let layer = adaptive(4);
    let provider = Provider::new([answer]);
    let calls: Vec<_> = (0..calls).map(|_| spawn(&layer, &provider, stream_request())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), None);
    }
    assert_eq!(layer.handle().snapshot().limit, expected);
    assert_eq!(in_use(&layer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_limit_follows_what_comes_back() {
    let text = || Answer::stream(&["Hi"]);
    // One more for each answer while half of the limit is in use: the first two see it so.
    check_limit(text().head_after(Duration::from_millis(500)), 4, 6).await;
    check_limit(text(), 1, 4).await;
    let refused = |status, code| Answer::error(status, code).head_after(Duration::from_millis(500));
    check_limit(refused(429, "rate_limit_exceeded"), 4, 2).await;
    check_limit(refused(503, "overloaded"), 4, 2).await;
    // One alone is not too much: it is cut as what the limit begins with.
    check_limit(Answer::error(503, "overloaded"), 1, 2).await;
    check_limit(Answer::error(400, "invalid_request"), 4, 4).await;
    check_limit(Answer::error(500, "server_error"), 4, 4).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_output_counts_and_whoever_watches_hears_of_it() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let watch = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| match event {
        Event::Concurrency { limit } => told.lock().unwrap().push(*limit),
        Event::Waiting { layer, .. } => assert_eq!(*layer, "concurrency"),
        _ => {}
    });
    let layer = adaptive(1);
    let provider = Provider::new([long(60)]);
    let service = watch.layer(layer.layer(provider.clone()));
    let mut first = service.clone().oneshot(stream_request()).await.unwrap();
    let second = tokio::spawn(service.clone().oneshot(stream_request()));
    settle().await;
    assert_eq!(in_use(&layer), (1, 1));
    // The first has not ended, but shows that there is room.
    first.body_mut().frame().await.unwrap().unwrap();
    let second = second.await.unwrap().unwrap();
    assert_eq!((in_use(&layer), provider.alive()), ((2, 0), 2));
    assert_eq!(*heard.lock().unwrap(), [2]);
    drop((first, second));
    assert_eq!(in_use(&layer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_first_token_that_does_not_come_is_overload() {
    let layer = adaptive(4);
    let silent = Provider::new([Answer::streaming(vec![Piece::Hang])]);
    let response = layer.layer(silent).oneshot(stream_request()).await.unwrap();
    response.extensions().get::<Attempt>().unwrap().overdue(Clock::Output);
    drop(response);
    assert_eq!(layer.handle().snapshot().limit, 2);
}

#[tokio::test(start_paused = true)]
async fn keys_have_limits_of_their_own() {
    let layer = ConcurrencyLayer::new(Config::from(1).reject()).unwrap().key(Key::of);
    let provider = Provider::new([Answer::ok()]);
    let call = |body| layer.layer(provider.clone()).oneshot(request_for(body));
    let _one = call(r#"{"model":"one"}"#).await.unwrap();
    let _two = call(r#"{"model":"two"}"#).await.unwrap();
    assert!(call(r#"{"model":"one"}"#).await.is_err());
    assert_eq!(layer.handle().keys().len(), 2);
}
