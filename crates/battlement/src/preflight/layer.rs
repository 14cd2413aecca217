//! The layer, its settings, and the way of a call past it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::{
    models::Limits,
    preflight::{self, Check, Checks, Finding, Inspection},
};
use bytes::Bytes;
use http::{Method, Request, header::CONTENT_ENCODING};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::Refused;
use crate::{
    call::{Attempt, Call, Place, Reads, take_bytes},
    drive::Drive,
    error::BoxError,
    events::Event,
};

/// What is done about a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is not looked for.
    Off,
    /// The observer is told, and the call goes on.
    Warn,
    /// The call is refused.
    #[default]
    Refuse,
}

type Known = dyn Fn(&Call) -> Option<Limits> + Send + Sync;

/// Refuses what cannot succeed; see the [module documentation](super).
#[derive(Clone, Default)]
#[must_use]
pub struct PreflightLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone)]
struct Settings {
    /// What is looked for, and which of it is refused.
    checks: Checks,
    refused: Checks,
    known: Option<Arc<Known>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { checks: Checks::ALL, refused: Checks::ALL, known: None }
    }
}

impl PreflightLayer {
    /// Everything is looked for, and refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is done about one kind of finding.
    pub fn on(mut self, check: Check, action: Action) -> Self {
        let Settings { checks, refused, .. } = &mut self.settings;
        let (is_on, is_refused) = (action != Action::Off, action == Action::Refuse);
        *checks = if is_on { checks.with(check) } else { checks.without(check) };
        *refused = if is_refused { refused.with(check) } else { refused.without(check) };
        self
    }

    /// What is done about every kind of finding.
    pub fn on_all(self, action: Action) -> Self {
        Check::ALL.into_iter().fold(self, |layer, check| layer.on(check, action))
    }

    /// What the model of a call can do; asked before the [table](battlement_core::models), which is for those that this knows
    /// nothing of.
    pub fn limits(
        mut self,
        known: impl Fn(&Call) -> Option<Limits> + Send + Sync + 'static,
    ) -> Self {
        self.settings.known = Some(Arc::new(known));
        self
    }
}

impl Settings {
    fn inspection(&self, call: &Call) -> Inspection {
        let facts = call.facts();
        let mut inspection = Inspection::of(facts);
        inspection.checks = self.checks;
        if let Some(limits) = self.known.as_ref().and_then(|known| known(call)) {
            inspection.limits = limits;
        }
        #[cfg(feature = "json-schema")]
        {
            inspection.judge = Some(super::schema::judge);
        }
        inspection
    }

    /// Looks through a request. Its body is taken out for that, and put back.
    fn look<B>(&self, attempt: &Attempt, mut request: Request<B>) -> Result<Request<B>, BoxError>
    where
        B: Body<Data = Bytes> + From<Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let call = attempt.call();
        let mut findings = Vec::new();
        let is_plain = !request.headers().contains_key(CONTENT_ENCODING);
        if request.method() == Method::POST && call.is_held() && is_plain {
            let (parts, body) = request.into_parts();
            let body = take_bytes(body)?;
            findings = self.inspection(call).findings(call.facts(), &body);
            request = Request::from_parts(parts, B::from(body));
        }
        if self.checks.has(Check::Key) {
            let (headers, uri) = (request.headers(), request.uri());
            findings.extend(preflight::key(call.facts().provider, headers, uri));
        }
        if findings.is_empty() { Ok(request) } else { self.judge(call, findings, request) }
    }

    #[cold]
    fn judge<T>(&self, call: &Call, mut findings: Vec<Finding>, fine: T) -> Result<T, BoxError> {
        for finding in &findings {
            let is_refused = self.refused.has(finding.check);
            call.report(&Event::Found { finding, is_refused });
        }
        findings.retain(|finding| self.refused.has(finding.check));
        if findings.is_empty() { Ok(fine) } else { Err(Refused { findings }.into()) }
    }
}

impl<S> Layer<S> for PreflightLayer {
    type Service = Reads<Preflight<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Preflight { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Refuses what cannot succeed; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Preflight<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B> Service<Request<B>> for Preflight<S>
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
        let attempt = Attempt::at(&mut request, Place::Preflight);
        let state = match self.settings.look(&attempt, request) {
            Ok(request) => State::Going { drive: Drive::start(&mut self.inner, request) },
            Err(error) => {
                attempt.failed(&error);
                State::Refused { error: Some(error) }
            }
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of [`Preflight`].
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
        Going { #[pin] drive: Drive<S, Request<B>> },
        Refused { error: Option<BoxError> },
    }
}

impl<S, B> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Going { drive } => drive.poll(cx).map_err(Into::into),
            StateProjection::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after it was over")))
            }
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

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("checks", &self.checks)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PreflightLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreflightLayer").field("settings", &self.settings).finish()
    }
}
