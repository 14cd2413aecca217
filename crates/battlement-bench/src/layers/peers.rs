//! tower's layers and tower-resilience's, as their documentation shows them.

use std::{convert::Infallible, fmt::Debug, future, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tower::{Layer, Service, retry, timeout};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use tower_resilience_ratelimiter::RateLimiterLayer;
use tower_resilience_retry::RetryLayer;
use tower_resilience_timelimiter::TimeLimiterLayer;

use super::inner::{Ask, Bare};

/// More than any benchmark asks for.
const PLENTY: usize = 1_000_000_000;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn tower_timeout() -> impl Calls {
    timeout::TimeoutLayer::new(MINUTE).layer(Bare)
}

pub(super) fn tower_retry() -> impl Calls {
    retry::RetryLayer::new(OnError(2)).layer(Bare)
}

pub(super) fn time_limiter() -> impl Calls {
    TimeLimiterLayer::builder().timeout_duration(MINUTE).build().layer(Bare)
}

pub(super) fn retry() -> impl Calls {
    RetryLayer::<Ask, _, Infallible>::builder()
        .max_attempts(3)
        .exponential_backoff(Duration::from_millis(100))
        .build()
        .layer(Bare)
}

pub(super) fn limiter() -> impl Calls {
    limiter_layer().layer(Bare)
}

pub(super) fn breaker() -> impl Calls {
    CircuitBreakerLayer::builder().build().expect("its defaults").layer(Bare)
}

fn limiter_layer() -> RateLimiterLayer {
    RateLimiterLayer::builder()
        .limit_for_period(PLENTY)
        .refresh_period(Duration::from_secs(1))
        .build()
        .expect("in range")
}

/// Their four, in the order in which ours are.
pub(super) fn four() -> impl Calls + Clone + Send + Sync + 'static {
    let breaker = CircuitBreakerLayer::builder().build().expect("its defaults").layer(Bare);
    let limited = limiter_layer().layer(breaker);
    let retried = retrying(limited);
    TimeLimiterLayer::builder().timeout_duration(MINUTE).build().layer(retried)
}

fn retrying<S>(service: S) -> <RetryLayer<Ask, S::Response, S::Error> as Layer<S>>::Service
where
    S: Service<Ask>,
    RetryLayer<Ask, S::Response, S::Error>: Layer<S>,
{
    RetryLayer::<Ask, S::Response, S::Error>::builder()
        .max_attempts(3)
        .exponential_backoff(Duration::from_millis(100))
        .build()
        .layer(service)
}

/// Tries again what failed, as often as this.
#[derive(Clone, Debug)]
struct OnError(usize);

impl<T, E> retry::Policy<Ask, T, E> for OnError {
    type Future = future::Ready<()>;

    fn retry(&mut self, _: &mut Ask, result: &mut Result<T, E>) -> Option<Self::Future> {
        (result.is_err() && self.0 > 0).then(|| {
            self.0 -= 1;
            future::ready(())
        })
    }

    fn clone_request(&mut self, request: &Ask) -> Option<Ask> {
        Some(request.clone())
    }
}

/// A service that answers as [`Bare`] does.
pub(super) trait Calls:
    Service<Ask, Response = Response<Self::Answer>, Error = Self::Failure, Future = Self::Running>
{
    type Answer: Body<Data = Bytes, Error = Self::Broken> + Send;
    type Broken: Debug + Send;
    type Failure: Debug + Send;
    type Running: Future<Output = Result<Response<Self::Answer>, Self::Failure>> + Send;
}

impl<S, R> Calls for S
where
    S: Service<Ask, Response = Response<R>>,
    S::Error: Debug + Send,
    S::Future: Send,
    R: Body<Data = Bytes> + Send,
    R::Error: Debug + Send,
{
    type Answer = R;
    type Broken = R::Error;
    type Failure = S::Error;
    type Running = S::Future;
}
