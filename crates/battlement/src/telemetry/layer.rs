//! The layer: one record per call, and who is told what became of it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::prices::Prices;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    meters::Meters,
    record::{Record, Watch},
    spans::CallSpan,
};
use crate::{
    call::{Attempt, Place, Reads},
    drive::Drive,
    error::BoxError,
    observe::{self, Settling, watch},
};

/// Tells what becomes of calls; see the [module documentation](super).
#[derive(Clone)]
#[must_use]
pub struct TelemetryLayer {
    /// `None` if nobody is to be told anything.
    settings: Option<Settings>,
}

/// Of how many models the names are labels, unless told otherwise.
#[cfg(feature = "metrics")]
const MOST_MODELS: std::num::NonZeroU16 = std::num::NonZeroU16::new(100).unwrap();

/// Who is told of calls.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) spans: bool,
    pub(super) meters: Option<Arc<Meters>>,
    pub(super) incidents: Option<Arc<Sink>>,
    pub(super) environment: Option<Box<str>>,
    prices: Option<Arc<Prices>>,
}

/// Is handed incident records, one line each.
type Sink = dyn Fn(&str) + Send + Sync;

impl Settings {
    pub(super) fn prices(&self) -> &Prices {
        self.prices.as_deref().unwrap_or_else(|| Prices::builtin())
    }
}

impl Default for TelemetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl TelemetryLayer {
    /// With spans, if the feature `telemetry` is there and somebody subscribes to them; nothing else.
    pub fn new() -> Self {
        Self { settings: Some(Settings { spans: true, ..Settings::default() }) }
    }

    /// Nothing is told to anybody.
    pub(crate) fn off() -> Self {
        Self { settings: None }
    }

    /// Without spans.
    pub fn without_spans(self) -> Self {
        self.set(|settings| settings.spans = false)
    }

    /// Counts and measures, through whatever recorder of the crate `metrics` is installed. It has to be before
    /// this is called. What is measured says [`TABLE`](super::TABLE).
    ///
    /// Of models the first 100 that are called have a label of their own, and the others share `other`: see
    /// [`most_models`](Self::most_models).
    #[cfg(feature = "metrics")]
    pub fn metrics(self) -> Self {
        self.most_models(MOST_MODELS)
    }

    /// As [`metrics`](Self::metrics), with labels for so many models.
    ///
    /// A name of a model is whatever a caller writes there, and each makes a series of each metric that is never
    /// forgotten.
    #[cfg(feature = "metrics")]
    pub fn most_models(self, most: std::num::NonZeroU16) -> Self {
        self.set(|settings| settings.meters = Some(Arc::new(Meters::new(most))))
    }

    /// Hands over an [incident record](super#incident-records), one line of JSON without its end, for every
    /// call that failed, or was saved by another attempt or route.
    ///
    /// The sink runs at the end of the call, under no lock, and the caller waits for it.
    pub fn incidents(self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.incidents = Some(Arc::new(sink)))
    }

    /// Where this runs, for incident records: `production`, or the name of a host.
    pub fn environment(self, name: impl Into<Box<str>>) -> Self {
        self.set(|settings| settings.environment = Some(name.into()))
    }

    /// What tokens cost, if the [table that comes along](Prices::builtin) knows less.
    pub fn prices(self, prices: Prices) -> Self {
        self.set(|settings| settings.prices = Some(Arc::new(prices)))
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(self.settings.get_or_insert_with(Settings::default));
        self
    }
}

impl fmt::Debug for TelemetryLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings.as_ref();
        f.debug_struct("TelemetryLayer")
            .field("spans", &settings.is_some_and(|settings| settings.spans))
            .field("metrics", &settings.is_some_and(|settings| settings.meters.is_some()))
            .field("incidents", &settings.is_some_and(|settings| settings.incidents.is_some()))
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for TelemetryLayer {
    type Service = Reads<Telemetry<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Telemetry { inner, settings: self.settings.clone().map(Arc::new) })
    }
}

/// Tells what becomes of calls; see the [module documentation](super).
#[derive(Clone)]
pub struct Telemetry<S> {
    inner: S,
    settings: Option<Arc<Settings>>,
}

impl<S> fmt::Debug for Telemetry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

/// The body of an answer that comes through this layer.
pub type Body<R> = observe::Body<R, Watch>;

impl<S, B, R> Service<Request<B>> for Telemetry<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let settings = self.settings.as_ref();
        // One that tells nobody is as good as not there.
        let place = settings.map(|_| Place::Telemetry);
        let attempt = Attempt::at_each(&mut request, place.into_iter());
        let record = settings.and_then(|settings| Record::begin(settings, &attempt, request.uri()));
        // The guard is there before the service is called: a panic settles it.
        let settling = Settling::new(attempt, Watch::new(record));
        let drive = {
            let span = span(&settling);
            let _inside = span.as_ref().map(CallSpan::enter);
            Drive::start(&mut self.inner, request)
        };
        ResponseFuture { drive, settling: Some(settling) }
    }
}

/// The span of a call, if anybody is told of it.
fn span(settling: &Settling<Watch>) -> Option<CallSpan> {
    Some(settling.guard()?.record()?.span())
}

pin_project! {
    /// The future of [`Telemetry`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        // In the order in which they are to be dropped.
        #[pin]
        drive: Drive<S, Request<B>>,
        settling: Option<Settling<Watch>>,
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = {
            let span = this.settling.as_ref().and_then(span);
            let _inside = span.as_ref().map(CallSpan::enter);
            ready!(this.drive.poll(cx))
        };
        let mut settling = this.settling.take().expect("polled after it was over");
        Poll::Ready(match answer {
            Ok(response) => {
                if let Some(record) = settling.guard().and_then(Watch::record) {
                    record.answered(&response);
                }
                Ok(watch(response, settling))
            }
            Err(error) => {
                let error = error.into();
                if let Some(record) = settling.guard().and_then(Watch::record) {
                    record.failed(&error);
                }
                settling.attempt().failed(&error);
                settling.settle();
                Err(error)
            }
        })
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
