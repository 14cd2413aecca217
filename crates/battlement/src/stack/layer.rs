//! The layers, one over the other.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::{Provider, adaptive, request::detect};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::base::{Base, InvalidBase};
use crate::{
    breaker::BreakerLayer,
    call::{CallLayer, Reads},
    concurrency::ConcurrencyLayer,
    deadline::{self, DeadlineLayer, Enforce},
    error::{BoxError, Error},
    finish::{self, Finish, FinishLayer},
    gate::{Both, Gated, Passed},
    observe,
    rate_limit::{self, RateLimitLayer},
    retry::{self, Retry, RetryLayer},
    retry_after::RetryAfterLayer,
    telemetry::{self, Telemetry, TelemetryLayer},
    timeout::{self, Timeout, TimeoutLayer},
};

/// All layers for one provider; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct Stack {
    pub(super) base: Option<Base>,
    pub(super) call: CallLayer,
    pub(super) telemetry: TelemetryLayer,
    pub(super) deadline: DeadlineLayer,
    pub(super) retry: RetryLayer,
    pub(super) retry_after: RetryAfterLayer,
    pub(super) rate_limit: RateLimitLayer,
    pub(super) breaker: BreakerLayer,
    pub(super) concurrency: ConcurrencyLayer,
    pub(super) timeout: TimeoutLayer,
    pub(super) finish: FinishLayer,
}

/// The layers over a client.
type Layers<S> = Reads<Telemetry<Enforce<Retry<Gated<Timeout<Finish<S>>, Gates>>>>>;

/// The gates that each attempt comes to, in one.
type Gates = Both<RetryAfterLayer, Both<RateLimitLayer, Both<BreakerLayer, ConcurrencyLayer>>>;

/// The body of an answer that comes through a [`Stack`], over the `R` of the client.
pub type Body<R> = telemetry::Body<
    deadline::Body<retry::Body<observe::Body<timeout::Body<finish::Body<R>>, Passed<Gates>>>>,
>;

impl Stack {
    /// For whoever answers, which is told by the address of each request.
    pub fn new() -> Self {
        Self::build(None)
    }

    /// For this provider.
    pub fn of(provider: Provider) -> Self {
        Self::build(Some(provider))
    }

    /// For OpenAI.
    pub fn openai() -> Self {
        Self::of(Provider::OpenAi)
    }

    /// For a deployment at Azure OpenAI.
    pub fn azure() -> Self {
        Self::of(Provider::AzureOpenAi)
    }

    /// For Anthropic.
    pub fn anthropic() -> Self {
        Self::of(Provider::Anthropic)
    }

    /// For the Gemini API.
    pub fn gemini() -> Self {
        Self::of(Provider::Gemini)
    }

    /// For Vertex AI.
    pub fn vertex() -> Self {
        Self::of(Provider::Vertex)
    }

    /// For Amazon Bedrock. Signing belongs under this stack, since a signature does not last for long.
    pub fn bedrock() -> Self {
        Self::of(Provider::Bedrock)
    }

    /// For a server that speaks OpenAI's API at this address. Requests that name no host go there.
    ///
    /// # Errors
    ///
    /// When it is no address of a server.
    pub fn openai_compatible(url: &str) -> Result<Self, InvalidBase> {
        let base = Base::parse(url)?;
        let provider = base.uri().map_or(Provider::Generic, |uri| {
            detect::of_request(&Method::POST, &uri, &HeaderMap::new()).provider
        });
        Ok(Self { base: Some(base), ..Self::of(provider) })
    }

    /// Requests that name no host go to this address.
    ///
    /// # Errors
    ///
    /// When it is no address of a server.
    pub fn base(mut self, url: &str) -> Result<Self, InvalidBase> {
        self.base = Some(Base::parse(url)?);
        Ok(self)
    }

    /// With another reading of calls: terms of the lanes, an observer.
    pub fn call(mut self, call: CallLayer) -> Self {
        self.call = call;
        self
    }

    /// Tells what becomes of calls; nothing is told by default.
    pub fn telemetry(mut self, telemetry: TelemetryLayer) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// With other retries.
    pub fn retry(mut self, retry: RetryLayer) -> Self {
        self.retry = retry;
        self
    }

    /// With another gate.
    pub fn retry_after(mut self, retry_after: RetryAfterLayer) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// With other limits.
    pub fn rate_limit(mut self, rate_limit: RateLimitLayer) -> Self {
        self.rate_limit = rate_limit;
        self
    }

    /// With another breaker.
    pub fn breaker(mut self, breaker: BreakerLayer) -> Self {
        self.breaker = breaker;
        self
    }

    /// With another limit of concurrent calls.
    pub fn concurrency(mut self, concurrency: ConcurrencyLayer) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// With other time limits.
    pub fn timeout(mut self, timeout: TimeoutLayer) -> Self {
        self.timeout = timeout;
        self
    }

    /// With another policy for answers that ended in a way nobody asked for.
    pub fn finish(mut self, finish: FinishLayer) -> Self {
        self.finish = finish;
        self
    }

    fn build(provider: Option<Provider>) -> Self {
        let call = provider.map_or_else(CallLayer::new, |named| CallLayer::new().provider(named));
        let provider = provider.unwrap_or(Provider::Generic);
        let usual = "the default is in range";
        Self {
            base: None,
            call,
            telemetry: TelemetryLayer::off(),
            deadline: DeadlineLayer::new(),
            retry: RetryLayer::new(),
            retry_after: RetryAfterLayer::new(Default::default()).expect(usual),
            rate_limit: RateLimitLayer::new(rate_limit::Config::told_by(provider))
                .expect(usual)
                .per_model(),
            breaker: BreakerLayer::new(Default::default()).expect(usual),
            concurrency: ConcurrencyLayer::new(adaptive::Config::default())
                .expect(usual)
                .per_model(),
            timeout: TimeoutLayer::default(),
            finish: FinishLayer::new(),
        }
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for Stack {
    type Service = Stacked<S>;

    fn layer(&self, client: S) -> Stacked<S> {
        let service = self.finish.layer(client).into_inner();
        let service = self.timeout.layer(service).into_inner();
        let gates = Both::new(self.breaker.clone(), self.concurrency.clone());
        let gates = Both::new(self.rate_limit.clone(), gates);
        let gates = Both::new(self.retry_after.clone(), gates);
        let service = Gated::new(service, gates);
        let service = self.retry.layer(service).into_inner();
        let service = self.deadline.layer(service).into_inner();
        let service = self.telemetry.layer(service).into_inner();
        let layers = self.call.layer(service);
        Stacked { base: self.base.clone(), layers }
    }
}

/// All layers over a client; see the [module documentation](super).
#[derive(Clone)]
pub struct Stacked<S> {
    base: Option<Base>,
    layers: Layers<S>,
}

impl<S> fmt::Debug for Stacked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stacked").field("base", &self.base).finish_non_exhaustive()
    }
}

// What is asked for is said of the client and not of the layers over it: for a client whose type of request
// is yet to be inferred the compiler would try them all, layer by layer, in ever more ways.
impl<S, B, R> Service<Request<B>> for Stacked<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Error;
    type Future = ResponseFuture<<Layers<S> as Service<Request<B>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.layers.poll_ready(cx).map_err(Error::from)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(uri) = self.base.as_ref().and_then(|base| base.of(request.uri())) {
            *request.uri_mut() = uri;
        }
        ResponseFuture { future: self.layers.call(request) }
    }
}

pin_project! {
    /// The future of [`Stacked`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F, T> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, BoxError>>,
{
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.project().future.poll(cx)).map_err(Error::from))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
