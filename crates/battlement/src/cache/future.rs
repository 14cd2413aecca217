//! The way of a call that may be served from what is kept.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement_core::{Code, Verdict, request::canonical::Fingerprint};
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    Answer, Body,
    answer::Replay,
    body::Keeping,
    layer::{Policy, is_outage},
};
use crate::{
    call::Attempt,
    clock::now,
    drive::Drive,
    error::{BoxError, explain, no_answer},
    events::Event,
    hold::{MOST_OF_AN_ERROR, is_error},
    observe::{Attempted, HeldBody, Settling, judge},
};

/// What to do with the answer to a call.
pub(super) struct Plan {
    policy: Arc<Policy>,
    key: Fingerprint,
    attempt: Attempt,
    /// One that is too old, unless there is no other.
    stale: Option<Arc<Answer>>,
}

impl Plan {
    pub(super) fn new(policy: &Arc<Policy>, key: Fingerprint, attempt: &Attempt) -> Self {
        Self { policy: policy.clone(), key, attempt: attempt.clone(), stale: None }
    }

    /// Serves what was found, or sets it aside.
    pub(super) fn weigh(mut self, found: Option<Arc<Answer>>) -> Result<Response<Replay>, Self> {
        let Some(found) = found else { return Err(self) };
        let age = found.age();
        if age < self.policy.fresh {
            return Ok(found.response(self.attempt, false));
        }
        self.stale = (age < self.policy.time()).then_some(found);
        Err(self)
    }

    /// The old answer, if it is better than a failure of this kind.
    fn instead_of(&mut self, code: Option<Code>) -> Option<Response<Replay>> {
        let stale = self.stale.take().filter(|_| code.is_some_and(is_outage))?;
        // This one has ended, and what comes now is none of what it came to.
        Some(stale.response(self.attempt.again(), true))
    }
}

fn code(error: &BoxError) -> Option<Code> {
    let told = explain(error).map(|explanation| explanation.code);
    told.or_else(|| Verdict::no_answer(no_answer(error)).code())
}

/// How long a store may take, which is asked to save time.
const LONGEST_SEARCH: Duration = Duration::from_millis(250);

/// How long an error is read to learn what it means.
const LONGEST_HELD: Duration = Duration::from_secs(1);

/// A call that waits for its store.
pub(super) struct Looking<S, B> {
    service: S,
    request: Request<B>,
    search: Pin<Box<dyn Future<Output = Option<Arc<Answer>>> + Send>>,
    limit: Pin<Box<Sleep>>,
    plan: Plan,
}

impl<S, B> Looking<S, B> {
    pub(super) fn new(
        service: S,
        request: Request<B>,
        search: Pin<Box<dyn Future<Output = Option<Arc<Answer>>> + Send>>,
        plan: Plan,
    ) -> Self {
        let deadline = plan.attempt.call().deadline().within(LONGEST_SEARCH, now());
        let limit = Box::pin(sleep(deadline.remaining(now()).unwrap_or(LONGEST_SEARCH)));
        Self { service, request, search, limit, plan }
    }
}

/// An error that is read, to learn whether an old answer is better.
struct Failing<R>
where
    R: http_body::Body<Data = Bytes>,
{
    response: Response<HeldBody<R, ()>>,
    limit: Pin<Box<Sleep>>,
    plan: Plan,
}

impl<R> Failing<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    /// What it is called, once enough of it is read.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Code>> {
        let held = &mut self.response.body_mut().held;
        while !held.is_whole() && held.bytes() < MOST_OF_AN_ERROR {
            if held.poll_more(cx).is_pending() {
                ready!(self.limit.as_mut().poll(cx));
                break;
            }
        }
        let (facts, response) = (self.plan.attempt.call().facts(), &self.response);
        let data = response.body().held.data();
        Poll::Ready(judge(facts, response.status(), response.headers(), data).code())
    }
}

pin_project! {
    /// The future of [`Cache`](super::Cache).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        #[pin]
        state: State<S, B, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
    {
        Answered { response: Option<Response<Replay>> },
        Going { #[pin] attempted: Attempted<S, B, ()>, plan: Option<Plan> },
        // In boxes, as they are rare.
        Looking { looking: Option<Box<Looking<S, B>>> },
        Failing { failing: Option<Box<Failing<R>>> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn answered(response: Response<Replay>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(super) fn going(attempted: Attempted<S, B, ()>, plan: Option<Plan>) -> Self {
        Self { state: State::Going { attempted, plan } }
    }

    pub(super) fn looking(looking: Looking<S, B>) -> Self {
        Self { state: State::Looking { looking: Some(Box::new(looking)) } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const OVER: &str = "polled after it was over";
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Answered { response } => {
                    return Poll::Ready(Ok(response.take().expect(OVER).map(Body::again)));
                }
                StateProjection::Looking { looking } => {
                    let waiting = looking.as_mut().expect(OVER);
                    let found = match waiting.search.as_mut().poll(cx) {
                        Poll::Ready(found) => found,
                        Poll::Pending => {
                            ready!(waiting.limit.as_mut().poll(cx));
                            None
                        }
                    };
                    let Looking { service, request, plan, .. } = *looking.take().expect(OVER);
                    match plan.weigh(found) {
                        Ok(response) => State::Answered { response: Some(response) },
                        Err(plan) => {
                            plan.attempt.call().report(&Event::CacheMiss);
                            let settling = Settling::new(plan.attempt.clone(), ());
                            let drive = Drive::owned(service, request);
                            let attempted = Attempted::new(drive, settling);
                            State::Going { attempted, plan: Some(plan) }
                        }
                    }
                }
                StateProjection::Going { attempted, plan } => {
                    let answer = ready!(attempted.poll(cx));
                    let mut plan = plan.take();
                    let response = match answer {
                        Ok(response) => response,
                        Err(error) => {
                            let stale =
                                plan.as_mut().and_then(|plan| plan.instead_of(code(&error)));
                            let stale = stale.map(|stale| stale.map(Body::again));
                            return Poll::Ready(stale.ok_or(error));
                        }
                    };
                    let attempt = response.body().attempt().clone();
                    let response = response.map(HeldBody::new);
                    match plan {
                        Some(plan) if plan.stale.is_some() && is_error(&response) => {
                            let limit = plan.attempt.call().deadline().within(LONGEST_HELD, now());
                            let limit = limit.remaining(now()).unwrap_or(LONGEST_HELD);
                            let plan = Plan { attempt, ..plan };
                            let failing = Failing { response, limit: Box::pin(sleep(limit)), plan };
                            State::Failing { failing: Some(Box::new(failing)) }
                        }
                        plan => {
                            let keeping = plan.and_then(|plan| {
                                Keeping::of(&plan.policy, plan.key, &attempt, &response)
                            });
                            let response = response.map(|body| Body::passing(body, keeping));
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProjection::Failing { failing } => {
                    let code = ready!(failing.as_mut().expect(OVER).poll(cx));
                    let Failing { response, mut plan, .. } = *failing.take().expect(OVER);
                    if !code.is_some_and(is_outage) {
                        return Poll::Ready(Ok(response.map(|body| Body::passing(body, None))));
                    }
                    // What is left of it goes before the other begins, and with it its connection.
                    drop(response);
                    let stale = plan.instead_of(code).expect("there is one, or nothing was held");
                    State::Answered { response: Some(stale) }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
