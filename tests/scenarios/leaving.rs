//! The caller goes away: while it waits in a line, between two attempts, or in the middle of the answer.
//!
//! What it held is there for the next caller at once, and the provider sees within five milliseconds that nobody
//! listens any more. The machine may be busy with something else, so the median of several tries counts.

use std::time::Duration;

use battlement::{
    concurrency::ConcurrencyLayer,
    rate_limit::{Config, RateLimitLayer},
    retry::{self, Backoff, RetryLayer},
    retry_after::RetryAfterLayer,
    stack::Stack,
};
use battlement_core::backoff::{Jitter, Pace, Paces};
use battlement_sim::{
    Provider, Script,
    provider::{End, Stage},
};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, ServiceExt};

use crate::{
    rig::{self, Hyper, SOCKETS, Way, call, http1, http2},
    words::Spoken,
};

const SPOKEN: Spoken = Spoken::OpenAi;
const SOON: Duration = Duration::from_millis(5);
const TRIES: usize = 9;

fn client(way: Way) -> Hyper {
    if way == Way::Http1 { http1() } else { http2() }
}

fn provider(words: &str) -> Provider {
    rig::provider(words.parse::<Script>().unwrap())
}

/// Polls a call for a moment, in which it must not end, and drops it.
async fn leave<F: Future>(call: F) {
    let waited = timeout(Duration::from_millis(20), call).await;
    assert!(waited.is_err(), "it waits");
}

/// Until something is so: the provider, or a task of the client, may be a little behind.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Who waits for a limit of requests leaves, and does not use it up.
async fn in_line_for_a_rate(way: Way) {
    let provider = provider("ok");
    let server = provider.listen().await.unwrap();
    let config = Config::new(SPOKEN.provider()).requests_per_minute(2);
    let limit = RateLimitLayer::new(config).unwrap();
    let stack = rig::stack(SPOKEN).rate_limit(limit.clone()).base(server.url()).unwrap();
    let service = stack.layer(client(way));
    for _ in 0..2 {
        call(service.clone(), SPOKEN.request(true)).await;
    }
    leave(service.clone().oneshot(SPOKEN.request(true))).await;
    let snapshot = limit.limits().snapshot();
    assert_eq!((snapshot.waiting, snapshot.open), (0, 0), "{way:?}");
    assert_eq!(provider.counts().arrived, 2, "{way:?}: the provider has not heard of it");
}

/// Who waits for another call to end leaves, and the next one gets the place.
async fn in_line_for_a_place(way: Way) {
    let provider = provider("stall after 3 events; ok");
    let server = provider.listen().await.unwrap();
    let limit = ConcurrencyLayer::new(1).unwrap();
    let stack = rig::stack(SPOKEN).concurrency(limit.clone()).base(server.url()).unwrap();
    let service = stack.layer(client(way));
    let mut first = service.clone().oneshot(SPOKEN.request(true)).await.unwrap().into_body();
    first.frame().await.unwrap().unwrap();

    leave(service.clone().oneshot(SPOKEN.request(true))).await;
    let snapshot = limit.handle().snapshot();
    assert_eq!((snapshot.in_flight, snapshot.waiting), (1, 0), "{way:?}");
    assert_eq!(provider.counts().arrived, 1, "{way:?}: the provider has not heard of it");

    let third = tokio::spawn(call(service, SPOKEN.request(true)));
    until("the third waits", || limit.handle().snapshot().waiting == 1).await;
    drop(first);
    assert_eq!(third.await.unwrap().told(SPOKEN), "all of it, whole", "{way:?}");
    let snapshot = limit.handle().snapshot();
    assert_eq!((snapshot.in_flight, snapshot.waiting), (0, 0), "{way:?}");
    assert_eq!(provider.counts().arrived, 2, "{way:?}");
}

/// Who waits for a gate to open leaves the line.
async fn at_a_gate(way: Way) {
    let provider = provider("429 after 20s; ok");
    let server = provider.listen().await.unwrap();
    let gates = RetryAfterLayer::new(Default::default()).unwrap();
    let stack = rig::stack(SPOKEN).retry_after(gates.clone()).base(server.url()).unwrap();
    let service = stack.layer(client(way));
    // The first one is told to come back, and leaves.
    leave(service.clone().oneshot(SPOKEN.request(true))).await;
    // So others are kept back, until they leave.
    let other = tokio::spawn(service.clone().oneshot(SPOKEN.request(true)));
    until("the second waits", || gates.gates().waiting() == 1).await;
    other.abort();
    until("the second has left", || gates.gates().waiting() == 0).await;
    assert_eq!(provider.counts().arrived, 1, "{way:?}: the provider has not heard of it");
}

/// Between two attempts nothing is open that the provider could see.
async fn between_attempts(way: Way) {
    let provider = provider("500; ok");
    let server = provider.listen().await.unwrap();
    let paces = Paces { broken: Pace::millis(60_000, 60_000), ..Paces::default() };
    let config = retry::Config { jitter: Jitter::Equal, paces, ..retry::Config::default() };
    let retry = RetryLayer::new().backoff(Backoff::new(config).unwrap());
    let limit = ConcurrencyLayer::new(1).unwrap();
    let lanes = battlement_core::lanes::Lanes::new(
        battlement_core::lanes::Terms {
            waiting: Duration::from_secs(300),
            ..battlement_core::lanes::Terms::interactive()
        },
        battlement_core::lanes::Terms::deferred(),
        battlement_core::lanes::Terms::batch(),
    );
    let stack: Stack = rig::stack(SPOKEN)
        .call(rig::Notes::default().layer(SPOKEN).lanes(lanes.unwrap()))
        .retry(retry)
        .concurrency(limit.clone())
        .base(server.url())
        .unwrap();
    let service = stack.layer(client(way));
    let mut waiting = Box::pin(service.clone().oneshot(SPOKEN.request(true)));
    let ended = async {
        provider.ended(1).await;
        sleep(Duration::from_millis(10)).await;
    };
    tokio::select! {
        _ = &mut waiting => panic!("{way:?}: it waits"),
        () = ended => {}
    }
    assert_eq!(rig::ends(&provider), "finished", "{way:?}: its answer was read to the end");
    assert_eq!(limit.handle().snapshot().in_flight, 0, "{way:?}: nothing is held meanwhile");
    drop(waiting);
    assert_eq!(call(service, SPOKEN.request(true)).await.told(SPOKEN), "all of it, whole");
    assert_eq!(provider.counts().arrived, 2, "{way:?}: only the second caller has come");
}

#[tokio::test]
async fn g1_who_waits_leaves_nothing_behind() {
    for way in SOCKETS {
        in_line_for_a_rate(way).await;
        in_line_for_a_place(way).await;
        at_a_gate(way).await;
        between_attempts(way).await;
    }
}

/// How soon the provider sees that the caller has left, in the median.
async fn seen_after(way: Way, words: &str, stage: Stage) -> Duration {
    let mut times = Vec::new();
    for _ in 0..TRIES {
        let provider = provider(words);
        let server = provider.listen().await.unwrap();
        let stack = rig::stack(SPOKEN).base(server.url()).unwrap();
        let mut call = Box::pin(stack.layer(client(way)).oneshot(SPOKEN.request(true)));
        let is_there = || {
            let seen = provider.record();
            seen.first().is_some_and(|seen| match stage {
                Stage::Request => true,
                Stage::Head => seen.facts.is_some(),
                Stage::Body => seen.head_at.is_some(),
            })
        };
        let mut answer = None;
        let start = Instant::now();
        // An answer without output is held back, so there may be no head for the caller.
        while answer.is_none() && !(is_there() && start.elapsed() > Duration::from_millis(20)) {
            answer = timeout(Duration::from_millis(2), &mut call).await.ok();
            assert!(start.elapsed() < Duration::from_secs(5), "{way:?}, {words}");
        }
        let left = if let Some(answer) = answer {
            let mut body = answer.unwrap().into_body();
            body.frame().await.unwrap().unwrap();
            let left = Instant::now();
            drop(body);
            left
        } else {
            let left = Instant::now();
            drop(call);
            left
        };
        timeout(Duration::from_secs(5), provider.ended(1)).await.unwrap();
        let seen = &provider.record()[0];
        assert_eq!(seen.end, Some(End::Cancelled(stage)), "{way:?}, {words}");
        times.push(seen.ended_at.unwrap().saturating_duration_since(left));
    }
    times.sort_unstable();
    times[TRIES / 2]
}

#[tokio::test]
async fn t4_the_provider_sees_within_five_milliseconds_that_nobody_listens() {
    for way in SOCKETS {
        for (words, stage) in [
            ("never", Stage::Head),
            ("stall after 0 events", Stage::Body),
            ("stall after 3 events", Stage::Body),
            ("every 1ms stall after 5 events", Stage::Body),
        ] {
            let median = seen_after(way, words, stage).await;
            assert!(median <= SOON, "{way:?}, {words}: seen after {median:?}");
        }
    }
}
