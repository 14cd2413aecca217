//! The layer, its settings, and what is done before anything is sent.

use std::{fmt, sync::Arc, task::Poll};

use battlement_core::{
    Code,
    context::{self, Dropped, Untrimmable},
    models::{self, Limits},
};
use bytes::Bytes;
use http::{Method, Request, Response, header::CONTENT_ENCODING};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, Entry, ResponseFuture,
    again::{Again, shortened},
};
use crate::{
    call::{Attempt, Call, Place, Reads, take_bytes},
    drive::Drive,
    error::{BoxError, Explanation},
    events::Event,
    observe::{Attempted, Settling},
    replay::Replay,
};

type Known = dyn Fn(&Call) -> Option<Limits> + Send + Sync;

/// Shortens conversations that are longer than the model's window; see the [module documentation](super).
#[derive(Clone)]
#[must_use]
pub struct ContextLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone)]
struct Settings {
    trims: bool,
    known: Option<Arc<Known>>,
    answer: u64,
}

/// What is left for an answer without a cap, in tokens.
const ANSWER: u64 = 4_096;

impl ContextLayer {
    /// Conversations that are too long are shortened.
    pub fn new() -> Self {
        Self { settings: Settings { trims: true, known: None, answer: ANSWER } }
    }

    /// Conversations that are too long fail, clearly and before they are sent, and nothing is taken out of any.
    pub fn refusing() -> Self {
        Self { settings: Settings { trims: false, ..Self::new().settings } }
    }

    /// How many tokens the window has of whatever model is called, for prompt and answer together.
    pub fn window(self, tokens: u64) -> Self {
        self.limits(move |_| Some(Limits::window(tokens)))
    }

    /// How large the window of the model of a call is; asked before the [table](battlement_core::models), which is for those
    /// that this knows nothing of.
    pub fn limits(
        mut self,
        known: impl Fn(&Call) -> Option<Limits> + Send + Sync + 'static,
    ) -> Self {
        self.settings.known = Some(Arc::new(known));
        self
    }

    /// How many tokens are left for an answer that has no cap: 4,096 unless told otherwise, and never more than a quarter of the
    /// window.
    pub fn answer(mut self, tokens: u64) -> Self {
        self.settings.answer = tokens;
        self
    }
}

impl Default for ContextLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// How large the prompt may be, if that is known.
    fn room(&self, call: &Call) -> Option<u64> {
        let facts = call.facts();
        let known = self.known.as_ref().and_then(|known| known(call));
        let known = known
            .or_else(|| models::limits(facts.provider, facts.model.as_deref().unwrap_or_default()));
        let known = known?;
        let left = || self.answer.min(known.window.unwrap_or(u64::MAX) / 4);
        known.room(Some(facts.max_output_tokens.unwrap_or_else(left)))
    }

    /// Whether the whole conversation is here, and can be taken apart.
    fn can_judge<B>(&self, call: &Call, request: &Request<B>) -> bool {
        let facts = call.facts();
        let is_known = facts.dialect.is_some_and(context::knows);
        is_known
            && facts.body_is_json
            && facts.operation.generates()
            && !facts.server_state
            && call.is_held()
            && request.method() == Method::POST
            && !request.headers().contains_key(CONTENT_ENCODING)
    }

    /// Makes a request fit whose prompt is too large for this room.
    fn fit<B>(
        &self,
        attempt: &mut Attempt,
        request: Request<B>,
        room: u64,
    ) -> Result<(Request<B>, Option<Dropped>), BoxError>
    where
        B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let call = attempt.call().clone();
        let tokens = call.facts().input_tokens;
        let Some(dialect) = call.facts().dialect else { return Ok((request, None)) };
        if !self.trims {
            return Err(TooLong { tokens, room }.into());
        }
        let (parts, body) = request.into_parts();
        let body = take_bytes(body)?;
        match context::trim(dialect, &body, room) {
            Ok(Some(trimmed)) => {
                let (mut request, known) = shortened(&call, parts, trimmed.body);
                call.report(&Event::Trimmed { dropped: &trimmed.dropped });
                *attempt = attempt.becomes(known);
                request.extensions_mut().insert(attempt.clone());
                Ok((request, Some(trimmed.dropped)))
            }
            // An estimate may be wrong by a fifth.
            Err(Untrimmable::TooLarge { least, .. }) if least > room.saturating_add(room / 4) => {
                Err(TooLong { tokens: least, room }.into())
            }
            Ok(None) | Err(_) => Ok((Request::from_parts(parts, B::from(body)), None)),
        }
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = Reads<Context<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Context { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Shortens conversations that are longer than the model's window; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Context<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Context<S>
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

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut attempt = Attempt::at(&mut request, Place::Context);
        let (mut dropped, mut again) = (None, None);
        if self.settings.can_judge(attempt.call(), &request) {
            let room = self.settings.room(attempt.call());
            let tokens = attempt.call().facts().input_tokens;
            let prepared = match room.filter(|room| tokens > *room) {
                Some(room) => self.settings.fit(&mut attempt, request, room),
                None => Ok((request, None)),
            };
            let prepared = prepared.and_then(|(request, dropped)| {
                if !self.settings.trims || !attempt.call().is_repeatable() {
                    return Ok((None, request, dropped));
                }
                let (replay, request) = Replay::of(request)?;
                Ok((Some(replay), request, dropped))
            });
            let replay;
            (replay, request, dropped) = match prepared {
                Ok(prepared) => prepared,
                Err(error) => return ResponseFuture::once(Attempted::rejected(&attempt, error)),
            };
            let service = &self.inner;
            again = replay.map(|replay| {
                let (service, attempt) = (service.clone(), attempt.clone());
                Box::new(Again { service, attempt, replay, room })
            });
        }
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, Entry::first());
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::first(Attempted::new(drive, settling), dropped, again)
    }
}

/// The call was not made: its prompt is larger than the model's window, and cannot be shortened enough.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prompt takes about {tokens} tokens, and there is room for {room}")]
#[non_exhaustive]
pub struct TooLong {
    /// The estimate of what has to stay of it.
    pub tokens: u64,
    /// What there is room for beside the answer.
    pub room: u64,
}

impl TooLong {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation { retryable: false, ..Explanation::rejected(Code::ContextLength, None) }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("trims", &self.trims)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ContextLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextLayer").field("settings", &self.settings).finish()
    }
}
