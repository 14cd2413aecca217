//! The layers as methods of [`tower::ServiceBuilder`].
//!
//! Each begins with `llm_`: tower and tower-http have methods named `retry`, `timeout` and `rate_limit` of their
//! own, which do something else, and a stack may want both. Like there, what is named first is
//! outermost.
//!
//! Whoever wants all layers takes [`Stack`], which knows their order; over layers that were named one
//! by one, [`misordered`](crate::call::misordered) and
//! [`Event::Misordered`](crate::events::Event::Misordered) tell of an order that breaks a promise.
//!
//! # Example
//!
//! ```
//! use battlement::{
//!     breaker::BreakerLayer, builder::ServiceBuilderExt as _, call::CallLayer, finish::FinishLayer,
//!     retry::RetryLayer, timeout::TimeoutLayer,
//! };
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|_: Request<Full<Bytes>>| async {
//!     let answer = r#"{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
//!         "finish_reason": "stop"}]}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let service = ServiceBuilder::new()
//!     .llm_call(CallLayer::new())
//!     .llm_deadline()
//!     .llm_retry(RetryLayer::new())
//!     .llm_breaker(BreakerLayer::new(Default::default())?)
//!     .llm_timeout(TimeoutLayer::default())
//!     .llm_finish(FinishLayer::new())
//!     .service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! let response = service.oneshot(request).await?;
//! assert!(response.into_body().collect().await?.to_bytes().ends_with(b"}]}"));
//! # Ok(())
//! # }
//! ```
//!
//! All layers, under others that have nothing to do with them:
//!
//! ```
//! use battlement::{builder::ServiceBuilderExt as _, stack::Stack};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     assert!(request.headers().contains_key("authorization"));
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(r#"{"data": []}"#)))
//! });
//! let service = ServiceBuilder::new()
//!     .map_request(|mut request: Request<Full<Bytes>>| {
//!         let key = http::HeaderValue::from_static("Bearer sk-test");
//!         request.headers_mut().insert("authorization", key);
//!         request
//!     })
//!     .llm_stack(Stack::openai().base("https://api.openai.com/v1")?)
//!     .service(provider);
//! let response = service.oneshot(Request::get("/models").body(Full::default())?).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```

use tower::ServiceBuilder;
use tower_layer::Stack as Stacked;

use crate::{
    breaker::BreakerLayer, call::CallLayer, concurrency::ConcurrencyLayer, context::ContextLayer,
    continuation::ContinuationLayer, deadline::DeadlineLayer, degrade::DegradeLayer,
    fallback::FallbackLayer, finish::FinishLayer, hedge::HedgeLayer, observe::ObserveLayer,
    preflight::PreflightLayer, rate_limit::RateLimitLayer, retry::RetryLayer,
    retry_after::RetryAfterLayer, stack::Stack, telemetry::TelemetryLayer, timeout::TimeoutLayer,
};

/// The layers as methods of [`ServiceBuilder`]; see the [module documentation](self).
///
/// It is there for that one type and cannot be implemented elsewhere.
pub trait ServiceBuilderExt<L>: sealed::Over<L> + Sized {
    /// All layers in their order; see [`stack`](crate::stack).
    fn llm_stack(self, stack: Stack) -> ServiceBuilder<Stacked<Stack, L>> {
        self.over(stack)
    }

    /// Reads each request once, for all layers below; see [`call`](crate::call).
    fn llm_call(self, layer: CallLayer) -> ServiceBuilder<Stacked<CallLayer, L>> {
        self.over(layer)
    }

    /// Tells what becomes of calls; see [`telemetry`](crate::telemetry).
    fn llm_telemetry(self, layer: TelemetryLayer) -> ServiceBuilder<Stacked<TelemetryLayer, L>> {
        self.over(layer)
    }

    /// Gives something less when everything else has failed; see [`degrade`](crate::degrade).
    fn llm_degrade(self, layer: DegradeLayer) -> ServiceBuilder<Stacked<DegradeLayer, L>> {
        self.over(layer)
    }

    /// Asks again for what does not match its schema; see [`repair`](crate::repair).
    #[cfg(feature = "json-schema")]
    fn llm_repair(
        self,
        layer: crate::repair::RepairLayer,
    ) -> ServiceBuilder<Stacked<crate::repair::RepairLayer, L>> {
        self.over(layer)
    }

    /// Keeps answers, and gives them to those who ask the same; see [`cache`](crate::cache).
    #[cfg(feature = "cache")]
    fn llm_cache(
        self,
        layer: crate::cache::CacheLayer,
    ) -> ServiceBuilder<Stacked<crate::cache::CacheLayer, L>> {
        self.over(layer)
    }

    /// Lets those who ask the same at the same time share one call; see [`single_flight`](crate::single_flight).
    #[cfg(feature = "cache")]
    fn llm_single_flight(
        self,
        layer: crate::single_flight::SingleFlightLayer,
    ) -> ServiceBuilder<Stacked<crate::single_flight::SingleFlightLayer, L>> {
        self.over(layer)
    }

    /// Goes elsewhere when what is below cannot serve a call; see [`fallback`](crate::fallback).
    fn llm_fallback<B>(
        self,
        layer: FallbackLayer<B>,
    ) -> ServiceBuilder<Stacked<FallbackLayer<B>, L>> {
        self.over(layer)
    }

    /// Asks for the rest of answers that stop or break off; see [`continuation`](crate::continuation).
    fn llm_continuation(
        self,
        layer: ContinuationLayer,
    ) -> ServiceBuilder<Stacked<ContinuationLayer, L>> {
        self.over(layer)
    }

    /// Refuses what cannot succeed; see [`preflight`](crate::preflight).
    fn llm_preflight(self, layer: PreflightLayer) -> ServiceBuilder<Stacked<PreflightLayer, L>> {
        self.over(layer)
    }

    /// Shortens conversations that are longer than the window; see [`context`](crate::context).
    fn llm_context(self, layer: ContextLayer) -> ServiceBuilder<Stacked<ContextLayer, L>> {
        self.over(layer)
    }

    /// Ends a call when its time is over, wherever it is; see [`deadline`](crate::deadline).
    fn llm_deadline(self) -> ServiceBuilder<Stacked<DeadlineLayer, L>> {
        self.over(DeadlineLayer::new())
    }

    /// Tries again what may succeed; see [`retry`](crate::retry).
    fn llm_retry(self, layer: RetryLayer) -> ServiceBuilder<Stacked<RetryLayer, L>> {
        self.over(layer)
    }

    /// Sends a second attempt beside one that is late; see [`hedge`](crate::hedge).
    fn llm_hedge(self, layer: HedgeLayer) -> ServiceBuilder<Stacked<HedgeLayer, L>> {
        self.over(layer)
    }

    /// Keeps every call back until the time that a provider has named to one; see
    /// [`retry_after`](crate::retry_after).
    fn llm_retry_after(
        self,
        layer: RetryAfterLayer,
    ) -> ServiceBuilder<Stacked<RetryAfterLayer, L>> {
        self.over(layer)
    }

    /// Keeps calls within limits of requests and tokens; see [`rate_limit`](crate::rate_limit).
    fn llm_rate_limit(self, layer: RateLimitLayer) -> ServiceBuilder<Stacked<RateLimitLayer, L>> {
        self.over(layer)
    }

    /// Stops calling a provider that fails; see [`breaker`](crate::breaker).
    fn llm_breaker(self, layer: BreakerLayer) -> ServiceBuilder<Stacked<BreakerLayer, L>> {
        self.over(layer)
    }

    /// Bounds how many calls run at once, each until the end of its answer; see
    /// [`concurrency`](crate::concurrency).
    fn llm_concurrency(
        self,
        layer: ConcurrencyLayer,
    ) -> ServiceBuilder<Stacked<ConcurrencyLayer, L>> {
        self.over(layer)
    }

    /// Ends attempts that take too long; see [`timeout`](crate::timeout).
    fn llm_timeout(self, layer: TimeoutLayer) -> ServiceBuilder<Stacked<TimeoutLayer, L>> {
        self.over(layer)
    }

    /// Keeps answers from the caller that are of no use; see [`finish`](crate::finish).
    fn llm_finish(self, layer: FinishLayer) -> ServiceBuilder<Stacked<FinishLayer, L>> {
        self.over(layer)
    }

    /// Reads answers as they pass; see [`observe`](crate::observe).
    fn llm_observe(self) -> ServiceBuilder<Stacked<ObserveLayer, L>> {
        self.over(ObserveLayer::new())
    }
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {}

mod sealed {
    use tower::ServiceBuilder;
    use tower_layer::Stack;

    /// What every method does.
    pub trait Over<L> {
        fn over<T>(self, layer: T) -> ServiceBuilder<Stack<T, L>>;
    }

    impl<L> Over<L> for ServiceBuilder<L> {
        fn over<T>(self, layer: T) -> ServiceBuilder<Stack<T, L>> {
            self.layer(layer)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tower::ServiceExt;

    use super::*;
    use crate::{
        call::{Attempt, Call, Place},
        concurrency::Config,
        events::Event,
        rate_limit,
        testing::{Answer, Provider, request, text},
    };

    /// Every layer has its method, and the first named is the outermost.
    #[tokio::test(start_paused = true)]
    async fn each_layer_in_the_order_of_the_house() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        let observer = move |_: &Call, event: &Event<'_>| {
            if let Event::Misordered { misordered } = event {
                log.lock().unwrap().push((misordered.outer, misordered.inner));
            }
        };
        let limits = rate_limit::Config::told_by(battlement_core::Provider::OpenAi);
        let limits = RateLimitLayer::new(limits).unwrap();
        let provider = Provider::new([Answer::ok()]);
        let service = ServiceBuilder::new()
            .llm_call(CallLayer::new().observer(observer.clone()))
            .llm_degrade(DegradeLayer::new());
        #[cfg(feature = "cache")]
        let service = service
            .llm_cache(crate::cache::CacheLayer::new().any_temperature())
            .llm_single_flight(crate::single_flight::SingleFlightLayer::new().any_temperature());
        let service = service
            .llm_continuation(ContinuationLayer::new())
            .llm_deadline()
            .llm_preflight(PreflightLayer::new())
            .llm_context(ContextLayer::new())
            .llm_retry(RetryLayer::new())
            .llm_hedge(HedgeLayer::new(Default::default()).unwrap())
            .llm_retry_after(RetryAfterLayer::new(Default::default()).unwrap())
            .llm_rate_limit(limits.clone())
            .llm_breaker(BreakerLayer::new(Default::default()).unwrap())
            .llm_concurrency(ConcurrencyLayer::new(Config::from(1)).unwrap())
            .llm_timeout(TimeoutLayer::default())
            .llm_finish(FinishLayer::new())
            .llm_observe()
            .service(provider.clone());
        let response = service.oneshot(request()).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        text(response).await.unwrap();
        assert!(attempt.verdict().unwrap().is_success());
        assert_eq!(told.lock().unwrap().as_slice(), []);

        let wrong = ServiceBuilder::new()
            .llm_call(CallLayer::new().observer(observer))
            .llm_rate_limit(limits)
            .llm_retry(RetryLayer::new())
            .service(provider);
        text(wrong.oneshot(request()).await.unwrap()).await.unwrap();
        assert_eq!(told.lock().unwrap().as_slice(), [(Place::RateLimit, Place::Retry)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_stack_fails_with_the_error_of_the_edge() {
        let provider = Provider::new([Answer::error(401, "invalid_api_key")]);
        let service = ServiceBuilder::new().llm_stack(Stack::openai()).service(provider);
        let response: Result<_, crate::Error> = service.oneshot(request()).await;
        assert_eq!(response.unwrap().status(), 401);
    }
}
