//! The layer, its settings, and the first attempt.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::{
    budget::{self, Budget},
    hedge::{Config, Hedge as Decision, InvalidHedge, Plan, Situation},
    request::Operation,
};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, ResponseFuture,
    learned::{Policy, prompt},
    race::Race,
    ticket::Ticket,
};
use crate::{
    call::{Attempt, Place, Reads},
    clock::now,
    drive::Drive,
    error::BoxError,
    observe::{Attempted, Settling},
    replay::Replay,
    retry::{self, repeated, ticket::tokens},
};

/// Sends a second attempt beside one that is late; see the [module documentation](super).
///
/// A clone has learnt the same, and goes on learning with it.
#[derive(Clone, Debug)]
#[must_use]
pub struct HedgeLayer {
    pub(super) policy: Policy,
}

impl HedgeLayer {
    /// With a budget of its own, which is that of a retry: see [`HedgeLayer::budget`].
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidHedge> {
        Decision::new(config.clone(), now())?;
        let budget = Budget::new(&budget::Config::default(), now())?;
        let (budget, learned) = (Arc::new(budget), Arc::default());
        Ok(Self { policy: Policy { config, budget, feeds: true, learned } })
    }

    /// Pays from this budget, which is to be the one of the [retry](crate::retry::RetryLayer::budget) outside: what
    /// retries have used up is not there for second attempts.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        (self.policy.budget, self.policy.feeds) = (budget, false);
        self
    }
}

impl<S> Layer<S> for HedgeLayer {
    type Service = Reads<Hedge<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Hedge { inner, policy: Arc::new(self.policy.clone()) })
    }
}

/// Sends a second attempt beside one that is late; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Hedge<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for Hedge<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Hedge);
        if !attempt.race() {
            // Somebody further out sends others beside it.
            let settling = Settling::new(attempt, Ticket::none());
            let drive = Drive::start(&mut self.inner, request);
            return ResponseFuture::new(Attempted::new(drive, settling), None);
        }
        let (policy, started) = (&self.policy, now());
        let owns = !attempt.is_counted();
        let ticket = match Ticket::first(policy, &attempt, started) {
            Ok(ticket) => ticket,
            Err(source) => {
                let refused = retry::Refused { source };
                let rejected = Attempted::rejected(&attempt, refused.into());
                return ResponseFuture::new(rejected, None);
            }
        };
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(attempt.clone(), ticket);
        let call = attempt.call();
        let is_repetition = repeated(request.headers()) > 0;
        // What others repeat earns nothing here.
        if (owns || policy.feeds) && !is_repetition && call.attempts() <= 1 {
            policy.budget.deposit(tokens(call.facts()), started);
        }
        let situation = Situation {
            repeatable: call.may_be_hedged()
                && call.is_repeatable()
                && call.is_held()
                && !is_repetition
                && is_asked_only(call.facts().operation),
            running: 1,
            deadline: call.deadline(),
            ..Situation::default()
        };
        let plan = policy.of(call, |decision| decision.plan(prompt(call), &situation, started));
        let Some(Plan::At(due)) = plan else {
            let drive = Drive::start(&mut self.inner, request);
            return ResponseFuture::new(Attempted::new(drive, settling), None);
        };
        match Replay::of(request) {
            Ok((replay, request)) => {
                let service = self.inner.clone();
                let drive = Drive::start(&mut self.inner, request);
                let race = Race::new(policy.clone(), service, replay, attempt, started, due);
                ResponseFuture::new(Attempted::new(drive, settling), Some(Box::new(race)))
            }
            Err(error) => {
                let rejected = Attempted::rejected(&attempt, error.into());
                drop(settling);
                ResponseFuture::new(rejected, None)
            }
        }
    }
}

/// Whether a request asks for something and changes nothing. Others are only sent again once they have
/// failed: a batch that is begun twice is paid for twice.
const fn is_asked_only(operation: Operation) -> bool {
    operation.generates() || matches!(operation, Operation::Embeddings | Operation::CountTokens)
}
