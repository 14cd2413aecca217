//! A second attempt beside one that is late: the slow tail of a provider, with and without it.
//!
//! `cargo run -p examples --bin hedged-calls`

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use battlement::{
    BoxError,
    breaker::BreakerLayer,
    call::CallLayer,
    finish::FinishLayer,
    hedge::{Config, HedgeLayer},
    retry::{Budget, RetryLayer},
};
use battlement_core::budget;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Ask = Request<Full<Bytes>>;

/// How many requests have arrived.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Answers within a second, but for one call in fifty, which is stuck in a bad queue.
async fn provider(_: Ask) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = ARRIVED.fetch_add(1, Ordering::Relaxed);
    let is_stuck = number % 50 == 49;
    sleep(Duration::from_millis(if is_stuck { 20_000 } else { 400 + number % 7 * 80 })).await;
    Ok(Response::new(Full::from(
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#,
    )))
}

// The clock is paused: what is waited for passes at once.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), BoxError> {
    // One budget for retries and second attempts, as both ask more of the same provider.
    let budget = Budget::new(&budget::Config::default(), Instant::now().into_std())?;
    let budget = Arc::new(budget);
    let plain = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(RetryLayer::new().budget(budget.clone()))
        .layer(BreakerLayer::new(Default::default())?)
        .layer(FinishLayer::new())
        .service(service_fn(provider));
    let hedged = ServiceBuilder::new()
        .layer(CallLayer::new())
        .layer(RetryLayer::new().budget(budget.clone()))
        .layer(HedgeLayer::new(Config { quantile: 0.95, ..Config::default() })?.budget(budget))
        .layer(BreakerLayer::new(Default::default())?)
        .layer(FinishLayer::new())
        .service(service_fn(provider));

    let (slowest, requests) = slowest_of(plain).await?;
    println!("without: the slowest of the last 200 calls took {slowest:?}, {requests} requests");
    assert_eq!((slowest, requests), (Duration::from_secs(20), 300));

    let (slowest, requests) = slowest_of(hedged).await?;
    println!("with:    the slowest of the last 200 calls took {slowest:?}, {requests} requests");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(requests <= 310, "a few percent more");
    Ok(())
}

/// Makes 300 calls: the longest of those after the first hundred, in which is learnt what is late, and
/// how many requests it took.
async fn slowest_of<S, R>(mut service: S) -> Result<(Duration, u64), BoxError>
where
    S: Service<Ask, Response = Response<R>, Error = BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    ARRIVED.store(0, Ordering::Relaxed);
    let mut slowest = Duration::ZERO;
    for call in 0..300 {
        let request = Request::post("https://api.openai.com/v1/chat/completions")
            .body(Full::from(r#"{"model":"gpt-5-mini","messages":[]}"#))?;
        let start = Instant::now();
        let response = service.ready().await?.call(request).await?;
        response.into_body().collect().await.map_err(Into::into)?;
        if call >= 100 {
            slowest = slowest.max(start.elapsed());
        }
    }
    Ok((slowest, ARRIVED.load(Ordering::Relaxed)))
}
