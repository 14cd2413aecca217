//! What the retries of others get wrong, and this one does not.

use std::{
    collections::BTreeSet,
    task::{Context, Poll},
};

use battlement_core::{budget::Purpose, lanes::Lane};
use tower::{Service, limit::ConcurrencyLimitLayer};

use super::*;

/// The first wait of a call.
async fn first_wait(layer: &RetryLayer) -> Duration {
    let provider = Provider::new([Answer::error(503, "overloaded"), Answer::ok()]);
    call(layer, &provider, request()).await.0.unwrap();
    gaps(&provider)[0]
}

#[tokio::test(start_paused = true)]
async fn tower_all_calls_wait_the_same() {
    let layer = retry();
    let mut waits = BTreeSet::new();
    for _ in 0..30 {
        waits.insert(first_wait(&layer.clone()).await);
    }
    // Of a thousand milliseconds; a few may meet by chance.
    assert!(waits.len() > 25, "{waits:?}");
    assert_ne!(first_wait(&RetryLayer::new()).await, first_wait(&RetryLayer::new()).await);
}

#[tokio::test(start_paused = true)]
async fn tower_waits_are_whole_seconds_and_never_below_the_base() {
    let layer = retry();
    let mut waits = Vec::new();
    for _ in 0..30 {
        waits.push(first_wait(&layer).await);
    }
    assert!(waits.iter().any(|wait| *wait < SECOND / 4));
    assert!(waits.iter().any(|wait| *wait > SECOND * 3 / 4));
    assert!(waits.iter().all(|wait| *wait <= SECOND + Duration::from_millis(1)));
}

#[tokio::test(start_paused = true)]
async fn tower_a_share_of_70_percent_allows_100() {
    let weights = budget::Weights { unsent: 1.0, ..Default::default() };
    let config = budget::Config { share: 0.7, weights, ..Default::default() };
    let budget = Arc::new(Budget::new(&config, crate::clock::now()).unwrap());
    let layer = retry().budget(budget);
    let provider = Provider::new([Answer::failing_with(io::ErrorKind::ConnectionRefused)]);
    for _ in 0..100 {
        let _ = call(&layer, &provider, request()).await;
    }
    let retries = provider.arrived().len() - 100;
    assert!((55..=72).contains(&retries), "{retries}");
}

/// Fails to become ready at first.
#[derive(Clone)]
struct Unready {
    fails: Arc<Mutex<u32>>,
    inner: Provider,
}

impl Service<Request<Full<Bytes>>> for Unready {
    type Response = http::Response<ScriptedBody>;
    type Error = BoxError;
    type Future = <Provider as Service<Request<Full<Bytes>>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()));
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.inner.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn tower_a_failure_to_become_ready_is_not_seen() {
    let inner = Provider::new([Answer::ok()]);
    let unready = Unready { fails: Arc::new(Mutex::new(2)), inner: inner.clone() };
    let response = retry().layer(unready).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(inner.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tower_resilience_and_seatbelt_call_what_is_not_ready() {
    // The scripted provider, and the limit of tower, panic when they are called unready.
    let provider = Provider::new([Answer::failing(), Answer::failing(), Answer::ok()]);
    let limited = ConcurrencyLimitLayer::new(1).layer(provider.clone());
    let service = retry().layer(limited);
    let calls = (0..4).map(|_| tokio::spawn(service.clone().oneshot(request())));
    for call in calls.collect::<Vec<_>>() {
        let _ = call.await.expect("no panic, and no wait for ever");
    }
    assert!(provider.arrived().len() >= 6);
}

#[tokio::test(start_paused = true)]
async fn tower_resilience_success_pays_for_a_whole_retry() {
    let budget = Arc::new(Budget::new(&budget::Config::default(), crate::clock::now()).unwrap());
    let layer = retry().budget(budget.clone());
    let provider = Provider::new([Answer::ok()]);
    for _ in 0..10 {
        text(call(&layer, &provider, request()).await.0.unwrap()).await.unwrap();
    }
    let left = budget.balance(crate::clock::now()).attempts;
    assert!((left - 2.0).abs() < 0.001, "{left}: the reserve of one, and one for ten calls");
}

#[tokio::test(start_paused = true)]
async fn tower_resilience_a_hint_is_impossible_and_seatbelts_is_unbounded() {
    let asks = |time: &str| Answer::error(429, "rate_limit_exceeded").header("retry-after", time);
    let provider = Provider::new([asks("7"), Answer::ok()]);
    call(&retry(), &provider, request()).await.0.unwrap();
    assert!(gaps(&provider)[0] >= 7 * SECOND);

    let provider = Provider::new([asks("86400"), Answer::ok()]);
    let before = Instant::now();
    let batch = with(Options::default().lane(Lane::Batch));
    let response = call(&retry(), &provider, batch).await.0.unwrap();
    assert_eq!(response.headers()["retry-after"], "86400", "handed to the caller");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn anthropics_sdk_asked_for_90_seconds_comes_back_after_half_of_one() {
    let error = Answer::error(429, "rate_limit_exceeded").header("retry-after", "90");
    let provider = Provider::new([error, Answer::ok()]);
    let deferred = with(Options::default().lane(Lane::Deferred));
    assert_eq!(call(&retry(), &provider, deferred).await.0.unwrap().status(), 200);
    assert!(gaps(&provider)[0] >= 90 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_sdks_wait_to_the_millisecond_as_they_were_told_all_at_once() {
    let layer = retry();
    let mut waits = BTreeSet::new();
    for _ in 0..30 {
        let error = Answer::error(429, "rate_limit_exceeded").header("retry-after-ms", "2000");
        let provider = Provider::new([error, Answer::ok()]);
        call(&layer, &provider, request()).await.0.unwrap();
        waits.insert(gaps(&provider)[0]);
    }
    assert!(waits.len() > 25, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait >= 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn reqwest_retries_what_is_out_of_scope_once() {
    check("o+", Options::default().attempts(1), 1, "503").await;
    let layer = retry().classify(|_| None);
    let provider = Provider::new([Answer::failing(), Answer::ok()]);
    assert!(call(&layer, &provider, request()).await.0.is_err());
    assert_eq!(provider.arrived().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn async_openai_gives_up_on_a_429_that_is_not_json() {
    check("t+", Options::default(), 2, "200").await;
}

#[tokio::test(start_paused = true)]
async fn openais_sdk_retries_when_the_money_is_gone() {
    check("q+", Options::default(), 1, "429").await;
}

#[tokio::test(start_paused = true)]
async fn tower_llm_makes_one_call_at_a_time() {
    let provider = Provider::new([Answer::ok().head_after(SECOND)]);
    let service = retry().layer(provider.clone());
    let before = Instant::now();
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(request()))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(before.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn finagles_budget_is_none_at_ten_calls_a_minute() {
    let budget = Arc::new(Budget::new(&budget::Config::default(), crate::clock::now()).unwrap());
    let layer = retry().budget(budget.clone());
    let provider = Provider::new([Answer::error(503, "overloaded")]);
    for _ in 0..60 {
        let _ = call(&layer, &provider, request()).await;
        tokio::time::advance(6 * SECOND).await;
    }
    let retries = provider.arrived().len() - 60;
    assert!(retries <= 8, "{retries}: two, and one for ten");
    assert!(
        budget.withdraw(Purpose::Hedge, 0, crate::clock::now()).is_err(),
        "it is one for all repetitions"
    );
}
