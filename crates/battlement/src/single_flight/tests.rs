mod flights;
mod invariants;

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::{Code, Outcome, Verdict};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

use super::*;
use crate::{
    BoxError, Error,
    cache::CacheLayer,
    call::{Attempt, Caching, Call, CallLayer, Options, Reads},
    deadline::DeadlineLayer,
    events::Event,
    testing::{
        Answer, Piece, Provider, ScriptedBody, delta, finish_event, fixed_request,
        fixed_stream_request, request, text,
    },
};

type Service = Reads<SingleFlight<Provider>>;

const SECOND: Duration = Duration::from_secs(1);

fn over(answers: impl IntoIterator<Item = Answer>) -> (Service, Provider, SingleFlightLayer) {
    let (provider, layer) = (Provider::new(answers), SingleFlightLayer::new());
    (layer.layer(provider.clone()), provider, layer)
}

type Told = Result<Response<Body<ScriptedBody>>, BoxError>;

async fn ask(service: Service, request: Request<Full<Bytes>>) -> Told {
    service.oneshot(request).await
}

/// All of an answer.
async fn whole(service: Service, request: Request<Full<Bytes>>) -> Result<String, BoxError> {
    text(ask(service, request).await?).await
}

/// Three words, a second apart.
fn slow_stream() -> Answer {
    let words = ["one", "two", "three"];
    let pieces = words.iter().flat_map(|word| [Piece::Bytes(delta(word)), Piece::Wait(SECOND)]);
    let end = [Piece::Bytes(finish_event("stop")), Piece::Bytes("data: [DONE]\n\n".into())];
    Answer::streaming(pieces.chain(end).collect()).head_after(SECOND)
}

fn with(options: Options, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.extensions_mut().insert(options);
    request
}

fn within(time: Duration) -> Options {
    Options::default().time(time)
}

/// Every event that counts, of all calls.
fn log() -> (Arc<Mutex<Vec<String>>>, CallLayer) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let layer = CallLayer::new().observer(move |_: &Call, event: &Event<'_>| {
        let word = match event {
            Event::Joined => "joined".into(),
            Event::HandedOver => "handed over".into(),
            Event::Rejected { code } => format!("rejected {code}"),
            Event::Ended { verdict } => {
                let tokens = verdict.usage.and_then(|usage| usage.total());
                format!("{} {}", verdict.outcome, tokens.map_or("-".into(), |n| n.to_string()))
            }
            _ => return,
        };
        log.lock().unwrap().push(word);
    });
    (told, layer)
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_something_else_makes_a_call_of_its_own() {
    let check = async |one: Request<Full<Bytes>>, other: Request<Full<Bytes>>, calls| {
        let (service, provider, layer) = over([Answer::ok().head_after(SECOND)]);
        let both = tokio::join!(whole(service.clone(), one), whole(service, other));
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!((provider.arrived().len(), layer.flights()), (calls, 0));
    };
    let options = Options::default;
    check(fixed_request(), fixed_request(), 1).await;
    check(fixed_request(), fixed_stream_request(), 2).await;
    check(request(), request(), 2).await;
    let allowed = || with(options().caching(Caching::Allow), request());
    check(allowed(), allowed(), 1).await;
    check(fixed_request(), with(options().caching(Caching::Bypass), fixed_request()), 2).await;
    check(fixed_request(), with(options().caching(Caching::Refresh), fixed_request()), 2).await;
    let batch = with(options().lane(battlement_core::lanes::Lane::Batch), fixed_request());
    check(batch, fixed_request(), 2).await;
    // The first has less time than the second.
    let times = |one: u32, other: u32| {
        [one, other].map(|seconds| with(within(seconds * SECOND), fixed_request()))
    };
    for (one, other, calls) in [(4, 5, 2), (4, 4, 1), (5, 4, 1)] {
        let [one, other] = times(one, other);
        check(one, other, calls).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_charged_once_and_each_ends_truthfully() {
    let (told, call) = log();
    let provider = Provider::new([Answer::ok().head_after(SECOND)]);
    let service = tower::ServiceBuilder::new()
        .layer(call)
        .layer(crate::observe::ObserveLayer::new())
        .layer(SingleFlightLayer::new())
        .service(provider);
    let one = async |request| {
        let response = service.clone().oneshot(request).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        attempt.verdict().and_then(|verdict| verdict.usage?.total())
    };
    let tokens = tokio::join!(one(fixed_request()), one(fixed_request()));
    assert_eq!(tokens, (Some(12), Some(0)));
    assert_eq!(*told.lock().unwrap(), ["joined", "complete 12", "complete 0"]);
}

#[tokio::test(start_paused = true)]
async fn who_begins_and_leaves_has_left_and_it_goes_on() {
    let (told, call) = log();
    let provider = Provider::new([Answer::ok().head_after(2 * SECOND)]);
    let service = tower::ServiceBuilder::new()
        .layer(call)
        .layer(SingleFlightLayer::new())
        .service(provider.clone());
    let begins = tokio::time::timeout(SECOND, service.clone().oneshot(fixed_request()));
    let joins = async {
        let response = service.clone().oneshot(fixed_request()).await.unwrap();
        text(response).await.unwrap()
    };
    let (begun, joined) = tokio::join!(begins, joins);
    assert!(begun.is_err() && joined.contains("stop"));
    let expected = ["joined", "handed over", "abandoned -", "complete 12", "complete 0"];
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_everybodys_and_means_the_same_to_all() {
    let (service, provider, layer) = over([Answer::failing().head_after(SECOND), Answer::ok()]);
    let failed =
        tokio::join!(ask(service.clone(), fixed_request()), ask(service.clone(), fixed_request()),);
    for error in [failed.0.unwrap_err(), failed.1.unwrap_err()] {
        assert_eq!(error.to_string(), "the call has failed that several callers share");
        let error = Error::from(error);
        assert_eq!((error.code(), error.is_retryable()), (Code::Disconnected, true));
    }
    assert_eq!((provider.arrived().len(), layer.flights()), (1, 0));
    assert!(whole(service, fixed_request()).await.is_ok(), "it is not kept");

    // Of one alone it is as it was.
    let (service, ..) = over([Answer::failing()]);
    let error = ask(service, fixed_request()).await.unwrap_err();
    assert!(error.downcast_ref::<std::io::Error>().is_some());

    // An answer that is an error is an answer.
    let (service, provider, _) =
        over([Answer::error(429, "rate_limit_exceeded").head_after(SECOND)]);
    let both = tokio::join!(ask(service.clone(), fixed_request()), ask(service, fixed_request()));
    for response in [both.0.unwrap(), both.1.unwrap()] {
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        assert_eq!(attempt.verdict().and_then(Verdict::code), Some(Code::RateLimitOther));
    }
    assert_eq!(provider.arrived().len(), 1);

    let broken = [Piece::Bytes(delta("Hi")), Piece::Wait(SECOND), Piece::Break];
    let (service, ..) = over([Answer::streaming(broken.into())]);
    let both = tokio::join!(
        whole(service.clone(), fixed_stream_request()),
        whole(service, fixed_stream_request()),
    );
    for error in [both.0.unwrap_err(), both.1.unwrap_err()] {
        assert!(std::error::Error::source(&*error).unwrap().to_string().contains("reset by peer"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_hangs_nobody() {
    let (service, provider, layer) = over([Answer::panicking().head_after(SECOND), Answer::ok()]);
    let one = tokio::spawn(ask(service.clone(), fixed_request()));
    let other = tokio::spawn(ask(service.clone(), fixed_request()));
    let (one, other) = tokio::join!(one, other);
    let (panicked, lost): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_err);
    assert_eq!((panicked.len(), lost.len()), (1, 1));
    let error = lost.into_iter().next().unwrap().unwrap().unwrap_err();
    let error = Error::from(error);
    assert_eq!((error.code(), error.kind()), (Code::JoinLost, crate::ErrorKind::Unavailable));
    assert!(whole(service, fixed_request()).await.is_ok());
    assert_eq!((provider.alive(), layer.flights()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_has_its_own_deadline() {
    let (service, provider, _) = over([slow_stream().head_after(3 * SECOND)]);
    let start = Instant::now();
    let timed = async |time, request| {
        let told = whole(service.clone(), with(within(time), request)).await;
        let code = told.err().map(|error| Error::from(error).code());
        (code, start.elapsed().as_secs())
    };
    let told = tokio::join!(
        timed(9 * SECOND, fixed_stream_request()),
        timed(2 * SECOND, fixed_stream_request()),
        timed(5 * SECOND, fixed_stream_request()),
        timed(9 * SECOND, fixed_stream_request()),
    );
    let late = Some(Code::DeadlineExceeded);
    assert_eq!(told, ((None, 6), (late, 2), (late, 5), (None, 6)));
    assert_eq!((provider.arrived().len(), provider.alive()), (1, 0));
}

/// What ends with the time of the first is made again, once, for those that have more.
#[tokio::test(start_paused = true)]
async fn the_time_of_the_first_is_not_that_of_the_others() {
    let slow = Answer::ok().head_after(5 * SECOND);
    let provider = Provider::new([slow, Answer::ok().head_after(SECOND)]);
    let service = tower::ServiceBuilder::new()
        .layer(SingleFlightLayer::new())
        .layer(DeadlineLayer::new())
        .service(provider.clone());
    let one = async |comes| {
        sleep(comes).await;
        let request = with(within(4 * SECOND), fixed_request());
        match service.clone().oneshot(request).await {
            Ok(response) => Ok(text(response).await.unwrap()),
            Err(error) => Err(Error::from(error).code()),
        }
    };
    let told = tokio::join!(one(Duration::ZERO), one(2 * SECOND), one(3 * SECOND));
    assert_eq!(told.0, Err(Code::DeadlineExceeded));
    assert!(told.1.is_ok() && told.1 == told.2);
    assert_eq!((provider.arrived().len(), provider.alive()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn under_a_cache_the_first_answer_is_kept() {
    let provider = Provider::new([slow_stream()]);
    let service = tower::ServiceBuilder::new()
        .layer(CacheLayer::new())
        .layer(SingleFlightLayer::new())
        .service(provider.clone());
    let one = async || {
        text(service.clone().oneshot(fixed_stream_request()).await.unwrap()).await.unwrap()
    };
    let told = tokio::join!(one(), one(), one());
    assert_eq!(told.0, told.1);
    assert_eq!(told.0, told.2);
    let response = service.clone().oneshot(fixed_stream_request()).await.unwrap();
    assert_eq!(crate::Source::of(&response), crate::Source::Cache);
    assert_eq!(text(response).await.unwrap(), told.0);
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_how_long_it_is_and_when_it_is_over() {
    let (service, ..) = over([Answer::stream(&["Hi"])]);
    let mut body = ask(service, fixed_stream_request()).await.unwrap().into_body();
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        frames += 1;
    }
    assert_eq!(frames, 3);
    assert!(http_body::Body::is_end_stream(&body));

    let inner = tower::service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("{}")))
    });
    let service = SingleFlightLayer::new().layer(inner);
    let mut body = service.oneshot(fixed_request()).await.unwrap().into_body();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(2));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "{}");
    assert!(http_body::Body::is_end_stream(&body));
}

/// Who reads nothing, and has a head, loses an answer that is longer than is held.
#[tokio::test(start_paused = true)]
async fn who_reads_too_slowly_is_told() {
    let words = vec!["word"; 100];
    let provider = Provider::new([Answer::stream(&words).head_after(SECOND)]);
    let layer = SingleFlightLayer::new().most_held(4_000);
    let service = layer.layer(provider.clone());
    let (fast, slow) = tokio::join!(
        ask(service.clone(), fixed_stream_request()),
        ask(service.clone(), fixed_stream_request()),
    );
    let (fast, slow) = (fast.unwrap(), slow.unwrap());
    let attempt = slow.extensions().get::<Attempt>().unwrap().clone();
    assert!(text(fast).await.unwrap().ends_with("[DONE]\n\n"));
    let error = Error::from(text(slow).await.unwrap_err());
    assert_eq!(error.code(), Code::JoinLost);
    assert!(error.is_retryable());
    assert!(!attempt.verdict().unwrap().is_success());

    // Who has no head yet makes a call of its own.
    let first = service.clone().oneshot(fixed_stream_request());
    let mut second = pin!(service.clone().oneshot(fixed_stream_request()));
    let waits =
        std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx).is_pending()));
    let (first, waits) = tokio::join!(async { text(first.await.unwrap()).await }, waits);
    assert!(waits && first.is_ok());
    assert!(text(second.await.unwrap()).await.unwrap().ends_with("[DONE]\n\n"));
    assert_eq!(provider.arrived().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_has_left() {
    let (service, provider, layer) = over([slow_stream().then_hang()]);
    let response = ask(service, fixed_stream_request()).await.unwrap();
    let attempt = response.extensions().get::<Attempt>().unwrap().clone();
    assert_eq!((provider.alive(), layer.flights()), (1, 1));
    drop(response);
    assert_eq!((provider.alive(), layer.flights()), (0, 0));
    assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Abandoned);
    sleep(SECOND).await;
}
