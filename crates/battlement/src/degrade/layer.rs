//! The layer, its settings, and what is kept of a call in case it fails.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::{
    Code,
    budget::Budget,
    degrade::{Instead, Policy},
};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Body, ResponseFuture, rescue::Rescue};
use crate::{
    call::{Attempt, Call, Place, Reads},
    context::Entry,
    drive::Drive,
    error::{BoxError, Error},
    fallback::Route,
    observe::{Attempted, Settling},
    replay::Replay,
};

type Say = dyn Fn(&Call, &Error) -> Option<String> + Send + Sync;

/// Gives something less when everything else has failed; see the [module documentation](super).
#[derive(Clone, Default)]
#[must_use]
pub struct DegradeLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) simpler: Option<Arc<Route>>,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) say: Option<Arc<Say>>,
}

impl DegradeLayer {
    /// Nothing is given, until it is said what.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for less when the request as it came has failed: once more, through the same layers. The name
    /// is for the trail of the call, and everything else about the route is a change of the request: a
    /// smaller model, fewer tokens, no tools.
    ///
    /// An attempt of the call is kept for it, so that the others do not use up all of them.
    pub fn simplified(mut self, route: Route) -> Self {
        self.settings.simpler = Some(Arc::new(route));
        self
    }

    /// Says this when nothing else helps. Not to a request for structured output, whose caller takes
    /// what it gets apart; [`DegradeLayer::say_with`] may have something for those.
    pub fn say(self, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        self.say_with(move |call, _| {
            (!call.facts().structured_output).then(|| String::from(&*text))
        })
    }

    /// Says what this makes of the call and of its failure when nothing else helps; the failure goes to
    /// the caller if it makes nothing of it.
    pub fn say_with(
        mut self,
        say: impl Fn(&Call, &Error) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.say = Some(Arc::new(say));
        self
    }

    /// What is given instead of a failure of this name.
    pub fn on(mut self, code: Code, instead: Instead) -> Self {
        self.settings.policy = self.settings.policy.on(code, instead);
        self
    }

    /// Pays from this budget for each simpler request: it is to be that of the retries of the same
    /// provider. Without one, the attempts of each call are the only bound.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.settings.budget = Some(budget);
        self
    }
}

impl<S> Layer<S> for DegradeLayer {
    type Service = Reads<Degrade<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Degrade { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Gives something less when everything else has failed; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Degrade<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Degrade<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError> + Send,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Degrade);
        let Settings { simpler, say, .. } = &*self.settings;
        let call = attempt.call();
        let mut rescue = None;
        if call.facts().operation.generates() && (simpler.is_some() || say.is_some()) {
            let uri = request.uri().clone();
            let mut again = None;
            if simpler.is_some() && call.is_held() && call.is_repeatable() {
                let replay;
                (replay, request) = match Replay::of(request) {
                    Ok(taken) => taken,
                    Err(error) => {
                        let rejected = Attempted::rejected(&attempt, error.into());
                        return ResponseFuture::first(rejected, None);
                    }
                };
                call.ledger().keep();
                again = Some(Box::new((self.inner.clone(), replay)));
            }
            let (settings, attempt) = (self.settings.clone(), attempt.clone());
            rescue = Some(Rescue { settings, attempt, uri, again });
        }
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, Entry::first());
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::first(Attempted::new(drive, settling), rescue)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("policy", &self.policy)
            .field("simpler", &self.simpler)
            .field("says", &self.say.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DegradeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DegradeLayer").field("settings", &self.settings).finish()
    }
}
