//! The layer, and what it is told.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{AfterCommit, Body, Hold, Policy, ResponseFuture, phrases::Phrases};
use crate::{
    call::{Attempt, Place, Reads},
    drive::Drive,
    error::BoxError,
    observe::{Attempted, Settling},
};

/// Keeps answers from the caller that are of no use; see the [module documentation](super).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct FinishLayer {
    settings: Settings,
}

/// What holds for all calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) hold: Hold,
    pub(super) after_commit: AfterCommit,
    pub(super) phrases: Phrases,
}

impl FinishLayer {
    /// With the default [`Policy`], which fails what a client would take for good although it is not,
    /// and answers held until their first output.
    pub fn new() -> Self {
        Self::default()
    }

    /// With [`Policy::STRICT`]: whatever is no success fails.
    pub fn strict() -> Self {
        Self::new().policy(Policy::STRICT)
    }

    /// What is done with answers, by how they ended.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// For how long an answer is held back.
    pub fn hold(mut self, hold: Hold) -> Self {
        self.settings.hold = hold;
        self
    }

    /// How the caller is told when a part of the answer has passed.
    pub fn after_commit(mut self, after_commit: AfterCommit) -> Self {
        self.settings.after_commit = after_commit;
        self
    }

    /// Takes an answer that begins with one of these phrases for a refusal, whatever its reason for
    /// stopping says. Off by default; [`REFUSALS`](super::REFUSALS) is a list to begin with.
    ///
    /// Only answers that are held until their end are looked at: those that are no streams, and all
    /// with [`Hold::Complete`]. Case, apostrophes and blanks make no difference, nor does markup before the
    /// first word. Looked at are the first 256 bytes of what looks like visible text; a thought that a
    /// provider sends in a member named like text counts as that, and text in base64, as Bedrock
    /// streams it, is not seen.
    pub fn refusal_phrases(mut self, phrases: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.settings.phrases = Phrases::new(phrases);
        self
    }
}

impl<S> Layer<S> for FinishLayer {
    type Service = Reads<Finish<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Finish { inner, settings: Arc::new(self.settings.clone()) })
    }
}

/// Keeps answers from the caller that are of no use; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Finish<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for Finish<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Finish);
        let settling = Settling::new(attempt, ());
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::new(Attempted::new(drive, settling), self.settings.clone())
    }
}
