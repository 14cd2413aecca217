//! The contract of every layer, alone and in a stack.
//!
//! Whatever is below (a service that panics when it is called unready, one that is never ready, one that
//! fails to become so, a concurrency limit, a buffer), however it is used (one service, a clone per call),
//! and whenever it is dropped or panics: the layer takes nothing it does not give back.

mod inner;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use battlement::BoxError;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer,
};

use inner::{Ask, Deed, EVENTS, Strict, Unready, ask};

/// Expands to one module of tests for each layer. A layer has room for one call, where it has a limit
/// at all, so that a permit that is lost is missed by the next call.
macro_rules! contracts {
    ($($name:ident: $layer:expr;)+) => {
        $(mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn calls_only_what_is_ready() {
                let strict = Strict::new(Deed::Answer);
                let layer = $layer;
                let mut service = layer.layer(strict.clone());
                for _ in 0..10 {
                    whole(&mut service).await;
                    whole(&mut layer.layer(strict.clone())).await;
                    whole(&mut service.clone()).await;
                }
                assert_eq!(strict.calls(), 30);
                assert_eq!(strict.alive(), 0);
            }

            #[tokio::test(start_paused = true)]
            async fn takes_nothing_before_a_call() {
                let limited = ConcurrencyLimitLayer::new(1).layer(Strict::new(Deed::Answer));
                let layer = $layer;
                let mut ready: Vec<_> = (0..5).map(|_| layer.layer(limited.clone())).collect();
                for service in &mut ready {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(Service::<Ask>::poll_ready(service, &mut cx).is_ready());
                }
                for service in &mut ready {
                    whole(service).await;
                }
            }

            #[tokio::test(start_paused = true)]
            async fn goes_over_a_buffer() {
                let buffered = ServiceBuilder::new()
                    .layer(BufferLayer::<Ask>::new(1))
                    .service(Strict::new(Deed::Answer));
                let mut service = $layer.layer(buffered);
                for _ in 0..10 {
                    whole(&mut service).await;
                    whole(&mut service.clone()).await;
                }
            }

            #[tokio::test(start_paused = true)]
            async fn waits_for_what_is_not_ready() {
                let mut service = $layer.layer(Unready::Pending);
                let call = tokio::time::timeout(Duration::from_millis(1), service.call(ask()));
                assert!(call.await.is_err());
                let mut service = $layer.layer(Unready::Failing);
                let error: BoxError = service.call(ask()).await.map(drop).unwrap_err().into();
                assert!(says(&*error, "the pool is closed"), "{error}");
            }

            #[tokio::test(start_paused = true)]
            async fn gives_back_what_a_dropped_call_held() {
                let strict = Strict::new(Deed::Answer);
                let service = $layer.layer(strict.clone());
                for polls in 0.. {
                    let over = drop_after(polls, &mut service.clone());
                    assert_eq!(strict.alive(), 0, "dropped after {polls} polls");
                    whole(&mut service.clone()).await;
                    if over {
                        assert!(polls > EVENTS.len());
                        break;
                    }
                }
            }

            #[tokio::test(start_paused = true)]
            async fn gives_back_what_a_panic_interrupted() {
                let strict = Strict::new(Deed::Answer);
                let service = $layer.layer(strict.clone());
                for deed in [Deed::PanicAtOnce, Deed::PanicLater, Deed::PanicInBody] {
                    strict.set(deed);
                    let mut clone = service.clone();
                    let call = AssertUnwindSafe(|| drop_after(1_000, &mut clone));
                    assert!(catch_unwind(call).is_err(), "{deed:?}");
                    assert_eq!(strict.alive(), 0, "{deed:?}");
                    strict.set(Deed::Answer);
                    whole(&mut service.clone()).await;
                }
            }

            #[tokio::test(start_paused = true)]
            async fn gives_back_what_a_failure_ended() {
                let strict = Strict::new(Deed::Answer);
                let service = $layer.layer(strict.clone());
                for deed in [Deed::Fail, Deed::Break, Deed::Status(404), Deed::Status(500)] {
                    strict.set(deed);
                    drop_after(1_000, &mut service.clone());
                    assert_eq!(strict.alive(), 0, "{deed:?}");
                    strict.set(Deed::Answer);
                    whole(&mut service.clone()).await;
                }
            }

            #[test]
            fn keeps_what_others_need() {
                fn check<S>(_service: S)
                where
                    S: Service<Ask> + Clone + Send + Sync + 'static,
                    S::Future: Send,
                    S::Response: Send + Sync,
                {
                }
                check($layer.layer(Strict::new(Deed::Answer)));
            }
        })+
    };
}

/// Whether an error or one of its sources says this.
fn says(error: &(dyn std::error::Error + 'static), what: &str) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.to_string().contains(what))
}

/// Makes a call, and reads its answer to the end.
async fn whole<S, R>(service: &mut S)
where
    S: Service<Ask, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    // A wait here would be a wait for something that was lost.
    let call = async {
        let service = service.ready().await.map_err(Into::into)?;
        let response = service.call(ask()).await.map_err(Into::into)?;
        response.into_body().collect().await.map_err(Into::into)
    };
    let body = tokio::time::timeout(Duration::from_millis(1), call).await;
    let body = body.expect("it need not wait").unwrap();
    assert_eq!(body.to_bytes(), EVENTS.concat());
}

/// Polls a call so often, and its body after it, then drops it. Whether it had come to its end.
fn drop_after<S, R>(polls: usize, service: &mut S) -> bool
where
    S: Service<Ask, Response = Response<R>>,
    R: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut left = polls;
    let mut call = pin!(service.call(ask()));
    let mut body: Pin<Box<R>> = loop {
        if left == 0 {
            return false;
        }
        left -= 1;
        match call.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(response)) => break Box::pin(response.into_body()),
            Poll::Ready(Err(_)) => return true,
            Poll::Pending => {}
        }
    };
    loop {
        if left == 0 {
            return false;
        }
        left -= 1;
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(None | Some(Err(_))) => return true,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
    }
}

/// Two clones of a service with room for one have room for one.
#[tokio::test(start_paused = true)]
async fn g5_cloning_multiplies_no_limit() {
    let layer = battlement::concurrency::ConcurrencyLayer::new(1).unwrap();
    let service = layer.layer(Strict::new(Deed::Answer));
    let mut first = service.clone();
    let held = first.call(ask()).await.unwrap();
    for mut other in [service.clone(), layer.clone().layer(Strict::new(Deed::Answer))] {
        let waits = tokio::time::timeout(Duration::from_millis(1), other.call(ask()));
        assert!(waits.await.is_err());
    }
    drop(held);
    whole(&mut service.clone()).await;
}

/// What is out of range is an error when a layer is made, and nothing on the way of a call.
#[test]
fn g4_settings_out_of_range_are_errors_when_a_layer_is_made() {
    use battlement::{
        breaker::BreakerLayer,
        concurrency::ConcurrencyLayer,
        rate_limit::RateLimitLayer,
        retry_after::RetryAfterLayer,
        stack::Stack,
        timeout::{TimeoutLayer, Timeouts},
    };
    use battlement_core::{Provider, adaptive, breaker, cooldown};

    let breaker = breaker::Config { threshold: 1.5, ..Default::default() };
    assert!(BreakerLayer::new(breaker).is_err());
    assert!(ConcurrencyLayer::new(0).is_err());
    let adaptive = adaptive::Config { cut: 7.0, ..Default::default() };
    assert!(ConcurrencyLayer::new(adaptive).is_err());
    let limits = battlement::rate_limit::Config::new(Provider::OpenAi);
    assert!(RateLimitLayer::new(limits.clone()).is_err(), "nothing is limited");
    assert!(RateLimitLayer::new(limits.requests_per_minute(0)).is_err());
    let cooldown = cooldown::Config { spread: -1.0, ..Default::default() };
    assert!(RetryAfterLayer::new(cooldown).is_err());
    let timeouts = Timeouts { head: Some(Duration::ZERO), ..Timeouts::streaming() };
    assert!(TimeoutLayer::new(timeouts, Timeouts::whole()).is_err());
    assert!(Stack::openai_compatible("llm.example").is_err());
}

contracts! {
    call: battlement::call::CallLayer::new();
    telemetry: battlement::telemetry::TelemetryLayer::new().metrics().incidents(|_| ());
    observe: battlement::observe::ObserveLayer::new();
    cache: battlement::cache::CacheLayer::new();
    single_flight: battlement::single_flight::SingleFlightLayer::new().any_temperature();
    cache_over_single_flight: tower::layer::util::Stack::new(
        battlement::single_flight::SingleFlightLayer::new().any_temperature(),
        battlement::cache::CacheLayer::new().any_temperature().time_to_live(Duration::ZERO),
    );
    hedge: battlement::hedge::HedgeLayer::new(Default::default()).unwrap();
    fallback: battlement::fallback::FallbackLayer::builder("first")
        .route("second", Unready::Failing)
        .build()
        .unwrap();
    fallback_alone: battlement::fallback::FallbackLayer::builder("only").build().unwrap();
    degrade: battlement::degrade::DegradeLayer::new().simplified("small".into());
    repair: battlement::repair::RepairLayer::new()
        .rounds(0)
        .otherwise(battlement::repair::Otherwise::Pass)
        .schema("{}")
        .unwrap();
    deadline: battlement::deadline::DeadlineLayer::new();
    preflight: battlement::preflight::PreflightLayer::new();
    context: battlement::context::ContextLayer::new();
    continuation: battlement::continuation::ContinuationLayer::new().cuts();
    retry: battlement::retry::RetryLayer::new();
    retry_after: battlement::retry_after::RetryAfterLayer::new(Default::default()).unwrap();
    rate_limit: battlement::rate_limit::RateLimitLayer::new(
        battlement::rate_limit::Config::new(battlement_core::Provider::OpenAi).requests_per_minute(1_000_000)
    ).unwrap();
    breaker: battlement::breaker::BreakerLayer::new(Default::default()).unwrap();
    concurrency: battlement::concurrency::ConcurrencyLayer::new(1).unwrap();
    timeout: battlement::timeout::TimeoutLayer::default();
    finish: battlement::finish::FinishLayer::new();
    stack: battlement::stack::Stack::openai()
        .concurrency(battlement::concurrency::ConcurrencyLayer::new(1).unwrap());
}
