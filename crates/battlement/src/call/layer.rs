//! Reads requests, once.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use battlement_core::{
    Dialect, Provider,
    lanes::{Lane, Lanes, Terms},
};
use bytes::Bytes;
use http::{HeaderValue, Request, header::ACCEPT_ENCODING, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use super::{Attempt, Call, Options, deadline, read::Reading};
use crate::{
    clock::now,
    deadline::Exceeded,
    drive::Drive,
    error::BoxError,
    events::{Both, Event, Observer},
};

/// Reads requests and keeps account of calls; see the [module documentation](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CallLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) lanes: Lanes,
    pub(super) dialect: Option<Dialect>,
    pub(super) provider: Option<Provider>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    most_body: u64,
    keep_encoding: bool,
}

/// The most that any provider takes in one request is 32 MB.
const MOST_BODY: u64 = 32 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            lanes: Lanes::default(),
            dialect: None,
            provider: None,
            observer: None,
            most_body: MOST_BODY,
            keep_encoding: false,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("lanes", &self.lanes)
            .field("dialect", &self.dialect)
            .field("provider", &self.provider)
            .field("most_body", &self.most_body)
            .field("keep_encoding", &self.keep_encoding)
            .finish_non_exhaustive()
    }
}

impl CallLayer {
    /// With the usual terms of the lanes, and what the address and headers of a request tell.
    pub fn new() -> Self {
        Self::default()
    }

    /// What calls in each lane may expect: how long, how often.
    pub fn lanes(mut self, lanes: Lanes) -> Self {
        self.settings.lanes = lanes;
        self
    }

    /// What is spoken, where the address does not tell: behind a proxy of your own, for one.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.settings.dialect = Some(dialect);
        self
    }

    /// Who answers, where the address does not tell.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.settings.provider = Some(provider);
        self
    }

    /// The terms that hold for calls in this lane.
    pub fn terms(&self, lane: Lane) -> &Terms {
        self.settings.lanes.terms(lane)
    }

    /// Who is told of everything that happens to the calls. There may be several: each is told what the ones
    /// before it were.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        let observer: Arc<dyn Observer> = Arc::new(observer);
        self.settings.observer = Some(match self.settings.observer.take() {
            Some(before) => Arc::new(Both(before, observer)),
            None => observer,
        });
        self
    }

    /// The largest body to hold in memory. 32 MiB by default, the most that any provider takes. A
    /// larger one passes through, and is not repeated.
    pub fn most_body(mut self, bytes: u64) -> Self {
        self.settings.most_body = bytes;
        self
    }

    /// Leaves `accept-encoding` as it is.
    ///
    /// By default it is set to `identity`, where a request has it. An event stream gains little by
    /// compression and loses its pace, and a compressed answer can only be read with the feature for
    /// its encoding.
    pub fn keep_encoding(mut self) -> Self {
        self.settings.keep_encoding = true;
        self
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Reads<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads { inner, settings: Some(Arc::new(self.settings.clone())) }
    }
}

/// Reads requests that nobody has read yet; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Reads<S> {
    inner: S,
    /// `None` for the usual ones, so that a clone is for nothing.
    settings: Option<Arc<Settings>>,
}

static USUAL: LazyLock<Settings> = LazyLock::new(Settings::default);

impl<S> Reads<S> {
    /// In front of a layer that needs to know what the call is.
    pub(crate) fn before(inner: S) -> Self {
        Self { inner, settings: None }
    }

    /// The layer alone, for a stack in which calls were read further out. Each wrapper that is not there
    /// is one that calls need not be moved through.
    pub(crate) fn into_inner(self) -> S {
        self.inner
    }
}

impl Settings {
    fn of(settings: &Option<Arc<Self>>) -> &Self {
        settings.as_deref().unwrap_or_else(|| &USUAL)
    }

    /// Says who answers, if that was not known further out: this may be a stack of several, and who reads
    /// answers has to know.
    fn tell<B>(settings: &Option<Arc<Self>>, request: &mut Request<B>) {
        let provider = settings.as_deref().and_then(|settings| settings.provider);
        let (Some(provider), Some(attempt)) = (provider, request.extensions().get::<Attempt>())
        else {
            return;
        };
        let call = attempt.call();
        if call.facts().provider == Provider::Generic && provider != Provider::Generic {
            let mut facts = call.facts().clone();
            facts.provider = provider;
            let known = attempt.becomes(call.known_as(facts, call.credential()));
            request.extensions_mut().insert(known);
        }
    }
}

/// Makes a call of a request that came at this moment.
fn begin<B>(
    request: &mut Request<B>,
    body: Option<&Bytes>,
    settings: &Settings,
    started: Instant,
) -> Attempt {
    let call = Call::read(request, body, settings, started);
    if !settings.keep_encoding {
        if let Some(encoding) = request.headers_mut().get_mut(ACCEPT_ENCODING) {
            *encoding = HeaderValue::from_static("identity");
        }
    }
    call.report(&Event::Started { size: body.map(Bytes::len) });
    let attempt = Attempt::new(call);
    request.extensions_mut().insert(attempt.clone());
    attempt
}

impl<S, B> Service<Request<B>> for Reads<S>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // An attempt that is over belongs to a request that somebody in between sends again.
        let known = request.extensions().get::<Attempt>();
        if known.is_some_and(|attempt| !attempt.is_past()) {
            Settings::tell(&self.settings, &mut request);
            return ResponseFuture::calling(Drive::start(&mut self.inner, request));
        }
        if let Some(again) = known.map(Attempt::again) {
            again.call().report(&Event::SentAgain);
            request.extensions_mut().insert(again);
            return ResponseFuture::calling(Drive::start(&mut self.inner, request));
        }
        let settings = Settings::of(&self.settings);
        if request.body().size_hint().exact().is_none_or(|size| size > settings.most_body) {
            begin(&mut request, None, settings, now());
            return ResponseFuture::calling(Drive::start(&mut self.inner, request));
        }
        let (parts, body) = request.into_parts();
        let mut reading = Reading::new(body);
        match reading.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(bytes)) => {
                let mut request = Request::from_parts(parts, B::from(bytes.clone()));
                begin(&mut request, Some(&bytes), settings, now());
                ResponseFuture::calling(Drive::start(&mut self.inner, request))
            }
            Poll::Ready(Err(error)) => {
                ResponseFuture { state: State::Failed { error: Some(error.into()) } }
            }
            Poll::Pending => {
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                let started = now();
                let options = parts.extensions.get::<Options>();
                let deadline = deadline(options, settings, started).instant();
                let sleep = deadline.map(|at| Box::pin(sleep_until(at.into())));
                let settings = self.settings.clone();
                let unread = Unread { service, parts, reading, settings, started, sleep };
                ResponseFuture { state: State::Reading { unread: Some(Box::new(unread)) } }
            }
        }
    }
}

pin_project! {
    /// The future of [`Reads`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // In a box, since it is rare, and every layer above would have room for it in its future.
        Reading { unread: Option<Box<Unread<S, B>>> },
        Calling { #[pin] drive: Drive<S, Request<B>> },
        Failed { error: Option<BoxError> },
    }
}

/// A request whose body is still on its way in.
struct Unread<S, B> {
    service: S,
    parts: Parts,
    reading: Reading<B>,
    settings: Option<Arc<Settings>>,
    started: Instant,
    /// Until the deadline of the call, which an upload takes its time of.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S, B> Unread<S, B> {
    /// The time is over, and the body is not there.
    fn late(self) -> BoxError {
        let mut request = Request::from_parts(self.parts, ());
        let attempt = begin(&mut request, None, Settings::of(&self.settings), self.started);
        let error = Exceeded::at_once(&attempt).into();
        attempt.failed(&error);
        error
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    #[inline(always)]
    fn calling(drive: Drive<S, Request<B>>) -> Self {
        Self { state: State::Calling { drive } }
    }
}

impl<S, B> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let drive = match state.as_mut().project() {
                StateProjection::Calling { drive } => return drive.poll(cx).map_err(Into::into),
                StateProjection::Failed { error } => {
                    return Poll::Ready(Err(error.take().expect("polled after it was over")));
                }
                StateProjection::Reading { unread } => {
                    const THERE: &str = "there until it is read";
                    let Unread { reading, sleep, .. } = &mut **unread.as_mut().expect(THERE);
                    let Poll::Ready(bytes) = reading.poll(cx) else {
                        let Some(sleep) = sleep else { return Poll::Pending };
                        ready!(sleep.as_mut().poll(cx));
                        return Poll::Ready(Err(unread.take().expect(THERE).late()));
                    };
                    let Unread { service, parts, settings, started, .. } =
                        *unread.take().expect(THERE);
                    let bytes = bytes?;
                    let mut request = Request::from_parts(parts, B::from(bytes.clone()));
                    begin(&mut request, Some(&bytes), Settings::of(&settings), started);
                    Drive::owned(service, request)
                }
            };
            state.set(State::Calling { drive });
        }
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
