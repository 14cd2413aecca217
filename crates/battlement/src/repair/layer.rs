//! The layer, its settings, and which calls it looks at.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::budget::Budget;
use bytes::Bytes;
use http::{Method, Request, Response, header::CONTENT_ENCODING};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, ResponseFuture,
    mend::{Eye, Mend},
    schema::{Rule, Schemas, compile},
};
use crate::{
    call::{Attempt, Call, Place, Reads},
    context::Entry,
    drive::Drive,
    error::BoxError,
    observe::{Attempted, Settling},
    replay::Replay,
};

/// What the caller gets when asking again has not helped.
///
/// Complete: an error, or the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Otherwise {
    /// The error [`Invalid`](super::Invalid).
    #[default]
    Fail,
    /// The last answer, with a [`Repaired`](super::Repaired) among its extensions that says so.
    Pass,
}

/// Asks again for what does not match its schema; see the [module documentation](super).
#[derive(Clone)]
#[must_use]
pub struct RepairLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) rounds: u32,
    pub(super) otherwise: Otherwise,
    pub(super) is_tolerant: bool,
    pub(super) most_held: usize,
    pub(super) streams: bool,
    pub(super) own: Option<Rule>,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) schemas: Arc<Schemas>,
}

impl RepairLayer {
    /// Asks again once, and fails if that does not help. What is around the JSON is not tolerated.
    pub fn new() -> Self {
        let settings = Settings {
            rounds: 1,
            otherwise: Otherwise::Fail,
            is_tolerant: false,
            most_held: 1 << 20,
            streams: true,
            own: None,
            budget: None,
            schemas: Arc::default(),
        };
        Self { settings }
    }

    /// Asks again so often at most; with 0, answers are only looked at. Each time is an attempt of the
    /// call, so that there are never more than its account allows.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.settings.rounds = rounds;
        self
    }

    /// What the caller gets when asking again has not helped.
    pub fn otherwise(mut self, otherwise: Otherwise) -> Self {
        self.settings.otherwise = otherwise;
        self
    }

    /// Tolerates a fence of Markdown around the JSON, and words before and behind: they are left out of what
    /// the caller gets, which is clean.
    pub fn tolerant(mut self) -> Self {
        self.settings.is_tolerant = true;
        self
    }

    /// How many bytes of an answer are held at most; a longer one is passed on unseen. A mebibyte unless told
    /// otherwise.
    pub fn most_held(mut self, bytes: usize) -> Self {
        self.settings.most_held = bytes;
        self
    }

    /// Passes streams on as they come, unseen.
    pub fn documents_only(mut self) -> Self {
        self.settings.streams = false;
        self
    }

    /// Every text has to match this JSON Schema, whatever the request says. For a service of its own for
    /// one kind of call, and for providers that take no schema.
    ///
    /// # Errors
    ///
    /// When it is no schema, or refers to one that is somewhere else.
    pub fn schema(mut self, schema: &str) -> Result<Self, InvalidSchema> {
        let compiled = compile(schema.as_bytes(), false).ok_or(InvalidSchema)?;
        self.settings.own = Some(Rule::Schema(Arc::new(compiled)));
        Ok(self)
    }

    /// Pays from this budget for each time that it asks again: it is to be that of the retries of the same
    /// provider. Without one, the attempts of each call are the only bound.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.settings.budget = Some(budget);
        self
    }
}

impl Default for RepairLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// This is no JSON Schema that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable JSON Schema")]
pub struct InvalidSchema;

impl Settings {
    /// Whether there may be a schema that an answer has to match.
    fn looks_at<B>(&self, call: &Call, request: &Request<B>) -> bool {
        let facts = call.facts();
        (facts.structured_output || facts.tools || self.own.is_some())
            && facts.operation.generates()
            && facts.body_is_json
            && (self.streams || !facts.stream)
            && facts.dialect.is_some()
            && call.is_held()
            && request.method() == Method::POST
            && !request.headers().contains_key(CONTENT_ENCODING)
    }
}

impl<S> Layer<S> for RepairLayer {
    type Service = Reads<Repair<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Repair { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Asks again for what does not match its schema; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Repair<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Repair<S>
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
        let attempt = Attempt::at(&mut request, Place::Repair);
        let mut mend = None;
        if self.settings.looks_at(attempt.call(), &request) {
            let replay;
            (replay, request) = match Replay::of(request) {
                Ok(taken) => taken,
                Err(error) => {
                    let rejected = Attempted::rejected(&attempt, error.into());
                    return ResponseFuture::first(rejected, None);
                }
            };
            let (service, settings) = (self.inner.clone(), self.settings.clone());
            let attempt = attempt.clone();
            let eye = Eye { settings, attempt, replay };
            mend = Some(Box::new(Mend { service, eye }));
        }
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, Entry::first());
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::first(Attempted::new(drive, settling), mend)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("rounds", &self.rounds)
            .field("otherwise", &self.otherwise)
            .field("is_tolerant", &self.is_tolerant)
            .field("most_held", &self.most_held)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RepairLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepairLayer").field("settings", &self.settings).finish()
    }
}
