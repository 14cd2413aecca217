//! The layer and its service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::continuation::Prefill;
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Body, Entry, ResponseFuture, Way, again::Again, settings::Settings};
use crate::{
    call::{Attempt, Call, Place, Reads},
    drive::Drive,
    error::BoxError,
    observe::{Attempted, Settling},
    replay::Replay,
};

/// Asks for the rest of answers that stop or break off; see the [module documentation](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ContinuationLayer {
    settings: Settings,
}

impl ContinuationLayer {
    /// Answers that stop at the output limit are continued: by [`Way::Prefill`] where the server is known to take it, else by
    /// [`Way::Raise`] where nothing was delivered yet. If neither can be, the answer stays as it is, and says that it is truncated.
    /// What breaks off is not continued: see [`ContinuationLayer::cuts`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Streams that break off after their beginning are finished as well: by [`Way::Prefill`] where the server is known to take
    /// it, else by [`Way::Restart`].
    ///
    /// Not by default: what was generated is mostly paid for twice, and an answer that is begun again mostly differs and fails all
    /// the same.
    pub fn cuts(self) -> Self {
        self.on_cut([Way::Prefill, Way::Restart])
    }

    /// How the rest is asked for of what stops at the output limit: the first of these that can be. None of them, and such
    /// answers stay as they are.
    pub fn on_length(mut self, ways: impl IntoIterator<Item = Way>) -> Self {
        self.settings.on_length = ways.into_iter().collect();
        self
    }

    /// How the rest is asked for of a stream that breaks off: the first of these that can be. None unless told otherwise.
    pub fn on_cut(mut self, ways: impl IntoIterator<Item = Way>) -> Self {
        self.settings.on_cut = ways.into_iter().collect();
        self
    }

    /// How many further rounds an answer may take: 3 unless told otherwise. Each sends the whole prompt again, and each is an
    /// attempt in the account of the call, which may allow fewer.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.settings.rounds = rounds;
        self
    }

    /// How many tokens all rounds together may generate: 32,768 unless told otherwise. No round begins beyond that, and the limit
    /// of the last is lowered to what is left. A request without one gets it where the limit of the model is known, or very little
    /// is left. A model that has got into a loop always stops at its limit, and this is what ends it.
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.settings.tokens = tokens;
        self
    }

    /// How much text of an answer is kept, in bytes: 1 MiB unless told otherwise. One that has more passes as it is.
    pub fn most_text(mut self, bytes: usize) -> Self {
        self.settings.most_text = bytes;
        self
    }

    /// Who takes the beginning of an answer, and in which form, instead of the
    /// [table](battlement_core::continuation::prefill()). It is asked about the call as it is made here, and again about the one that was
    /// answered, which may have been made elsewhere.
    ///
    /// Say it only of servers that go on with the last message. One that answers it writes something else behind the text so far,
    /// and nobody can tell.
    pub fn prefill(
        mut self,
        known: impl Fn(&Call) -> Option<Prefill> + Send + Sync + 'static,
    ) -> Self {
        self.settings.known = Some(Arc::new(known));
        self
    }

    /// What [`Way::FollowUp`] says to the model. In the language of the conversation it works best.
    pub fn wish(mut self, wish: impl Into<Arc<str>>) -> Self {
        self.settings.wish = wish.into();
        self
    }
}

impl<S> Layer<S> for ContinuationLayer {
    type Service = Reads<Continuation<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Continuation { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Asks for the rest of answers that stop or break off; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Continuation<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Continuation<S>
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
        let attempt = Attempt::at(&mut request, Place::Continuation);
        let whole = Settling::new(attempt.clone(), ());
        let (mut round, mut again) = (attempt.clone(), None);
        if self.settings.can_judge(attempt.call(), &request) {
            let replay;
            (replay, request) = match Replay::of(request) {
                Ok(kept) => kept,
                Err(error) => {
                    let rejected = Attempted::rejected(&attempt, error.into());
                    return ResponseFuture::new(rejected, whole, None);
                }
            };
            round = attempt.part(attempt.call().clone());
            request.extensions_mut().insert(round.clone());
            let service = self.inner.clone();
            again = Some(Box::new(Again::new(service, attempt, replay, self.settings.clone())));
        }
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(round, Entry { started: None });
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::new(Attempted::new(drive, settling), whole, again)
    }
}
