//! What a caller sees of retry.

mod drops;
mod endings;
mod invariants;
mod peers;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use battlement_core::budget;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::{Body, Budget, RetryLayer};
use crate::{
    call::{Call, CallLayer, Options},
    error::BoxError,
    events::Event,
    testing::{Answer, Provider, ScriptedBody, request, text},
};

type Response = http::Response<Body<ScriptedBody>>;

/// A budget that no test uses up.
fn rich() -> Arc<Budget> {
    let config = budget::Config { share: 10.0, reserve: 100.0, ..budget::Config::default() };
    Arc::new(Budget::new(&config, crate::clock::now()).unwrap())
}

fn retry() -> RetryLayer {
    RetryLayer::new().budget(rich()).seed(7)
}

/// What was told of calls, and the latest of them.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<String>, Option<Call>)>>);

impl Told {
    fn layer(&self) -> CallLayer {
        let told = self.clone();
        CallLayer::new().observer(move |call: &Call, event: &Event<'_>| {
            let mut told = told.0.lock().unwrap();
            told.1 = Some(call.clone());
            match event {
                Event::Attempt { number, role } => told.0.push(format!("{number} {role}")),
                Event::Retrying { trouble, .. } => told.0.push(format!("retrying {trouble}")),
                Event::GaveUp { reason } => told.0.push(format!("gave up: {reason}")),
                Event::Repeated { times } => told.0.push(format!("repeated {times}")),
                _ => {}
            }
        })
    }

    fn events(&self) -> Vec<String> {
        self.0.lock().unwrap().0.clone()
    }

    fn call(&self) -> Call {
        self.0.lock().unwrap().1.clone().unwrap()
    }
}

/// One call; what came back, and what was told.
async fn call(
    layer: &RetryLayer,
    provider: &Provider,
    request: Request<Full<Bytes>>,
) -> (Result<Response, BoxError>, Told) {
    let told = Told::default();
    let service = told.layer().layer(layer.layer(provider.clone()));
    (service.oneshot(request).await, told)
}

fn with(options: Options) -> Request<Full<Bytes>> {
    let mut request = request();
    request.extensions_mut().insert(options);
    request
}

/// The time between the arrivals at a provider.
fn gaps(provider: &Provider) -> Vec<Duration> {
    let arrived = provider.arrived();
    arrived.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

/// Plays a script: `+` good, `5` 500, `o` 503, `4` 429, `q` no money, `b` 400, `n` 500 with
/// `x-should-retry: false`, `y` 400 with `true`, `t` 429 in plain text, `z` 503 in an encoding, `u` no
/// connection, `d` disconnected, `l` too late. Compares how often it was called, and what came back.
async fn check(script: &str, options: Options, calls: usize, result: &str) {
    let answers = script.chars().map(|letter| match letter {
        '+' => Answer::ok(),
        '5' => Answer::error(500, "server_error"),
        'o' => Answer::error(503, "overloaded"),
        '4' => Answer::error(429, "rate_limit_exceeded"),
        'q' => Answer::error(429, "insufficient_quota"),
        'b' => Answer::error(400, "invalid_request_error"),
        'n' => Answer::error(500, "server_error").header("x-should-retry", "false"),
        'y' => Answer::error(400, "bad").header("x-should-retry", "true"),
        't' => Answer::new(429, "slow down").header("content-type", "text/plain"),
        'z' => Answer::new(503, "\u{1f}\u{8b}").header("content-encoding", "gzip"),
        'u' => Answer::failing_with(io::ErrorKind::ConnectionRefused),
        'd' => Answer::failing(),
        'l' => Answer::failing_with(io::ErrorKind::TimedOut),
        _ => unreachable!("no letter of a script"),
    });
    let provider = Provider::new(answers);
    let (answer, told) = call(&retry(), &provider, with(options)).await;
    let told = told.events();
    assert_eq!(provider.arrived().len(), calls, "{script}: {told:?}");
    let came = match answer {
        Ok(response) => response.status().as_str().to_owned(),
        Err(error) => crate::Error::from(error).code().to_string(),
    };
    assert_eq!(came, result, "{script}: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again() {
    for script in ["5+", "o+", "4+", "y+", "t+", "z+", "u+", "d+", "l+"] {
        check(script, Options::default(), 2, "200").await;
    }
    check("54+", Options::default(), 3, "200").await;
    check("q+", Options::default(), 1, "429").await;
    check("b+", Options::default(), 1, "400").await;
    check("n+", Options::default(), 1, "500").await;
    check("ooo+", Options::default(), 3, "503").await;
    check("oo+", Options::default().attempts(2), 2, "503").await;
    check("o+", Options::default().attempts(1), 1, "503").await;
    check("ddd+", Options::default(), 3, "llm.network.disconnected").await;
    // The provider may still be at work on the first: once and no more.
    check("ll+", Options::default(), 2, "llm.timeout.total").await;
    check("5b", Options::default(), 2, "400").await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_ones_own() {
    let layer = retry().classify(|verdict| {
        let is_bad = verdict.failure.as_ref().and_then(|failure| failure.status) == Some(400);
        is_bad.then_some(super::Trouble::Broken)
    });
    let provider = Provider::new([Answer::error(400, "odd"), Answer::error(500, "server_error")]);
    let (answer, _) = call(&layer, &provider, request()).await;
    assert_eq!(answer.unwrap().status(), 500, "which is none of its trouble");
    assert_eq!(provider.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn waits_are_those_that_were_drawn() {
    use battlement_core::{
        backoff::{Backoff, Series, Trouble, Wait},
        random::Shared,
    };
    let provider = Provider::new([Answer::error(503, "overloaded").head_after(SECOND)]);
    let before = Instant::now();
    let (answer, _) = call(&retry(), &provider, request()).await;
    assert_eq!(answer.unwrap().status(), 503);
    let (random, backoff, mut series) = (Shared::new(7), Backoff::default(), Series::default());
    let mut at = before;
    for arrived in provider.arrived() {
        assert_eq!(arrived.at, at);
        let wait = backoff.wait(&mut series, Trouble::Overloaded, None, &mut &random);
        let Wait::For(wait) = wait else { unreachable!("nobody asks for a wait") };
        // Timers have milliseconds, and never fire early.
        let due = arrived.at + SECOND + wait - before;
        at = before + Duration::from_millis(due.as_micros().div_ceil(1_000) as u64);
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_key_is_the_same_over_the_attempts_of_a_call() {
    let layer = retry().idempotency_header(http::HeaderName::from_static("idempotency-key"));
    let provider = Provider::new([Answer::error(500, "server_error"), Answer::ok()]);
    call(&layer, &provider, request()).await.0.unwrap();
    call(&layer, &provider, request()).await.0.unwrap();
    let mut own = request();
    own.headers_mut().insert("idempotency-key", "mine".parse().unwrap());
    call(&layer, &provider, own).await.0.unwrap();
    let arrived = provider.arrived();
    let keys: Vec<_> = arrived
        .iter()
        .map(|request| request.headers["idempotency-key"].to_str().unwrap())
        .collect();
    assert_eq!((keys[0].len(), keys[0], keys[2]), (32, keys[1], keys[3]));
    assert_ne!(keys[0], keys[2]);
    assert_eq!(keys[4..], ["mine", "mine"]);
}

#[tokio::test(start_paused = true)]
async fn an_sdk_that_repeats_is_noticed_and_earns_nothing() {
    let budget = Arc::new(Budget::new(&budget::Config::default(), crate::clock::now()).unwrap());
    let layer = retry().budget(budget.clone());
    let provider = Provider::new([Answer::ok()]);
    let before = budget.balance(crate::clock::now()).attempts;
    let mut repeated = request();
    repeated.headers_mut().insert("x-stainless-retry-count", "2".parse().unwrap());
    let (_, told) = call(&layer, &provider, repeated).await;
    assert_eq!(told.events(), ["repeated 2", "1 first"]);
    assert_eq!(budget.balance(crate::clock::now()).attempts, before);
    let mut first = request();
    first.headers_mut().insert("x-stainless-retry-count", "0".parse().unwrap());
    let (_, told) = call(&layer, &provider, first).await;
    assert_eq!(told.events(), ["1 first"]);
    assert!(budget.balance(crate::clock::now()).attempts > before);
}
