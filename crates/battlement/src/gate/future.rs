//! An attempt that may have to wait for its turn.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use battlement_core::Code;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Gate, Passed, Turn};
use crate::{
    call::Attempt,
    drive::Drive,
    error::BoxError,
    events::Event,
    observe::{Attempted, Body, Settling},
};

pin_project! {
    /// The future of [`Gated`](super::Gated).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, G>
    where
        S: Service<Request<B>>,
        G: Gate,
    {
        #[pin]
        state: State<S, B, G>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, G>
    where
        S: Service<Request<B>>,
        G: Gate,
    {
        // In boxes, since it is rare, and every layer above would have room for it in its future.
        Waiting {
            turn: Pin<Box<G::Turn>>,
            // Dropped after the turn, it says that the request was never sent.
            held: Option<Box<Held<S, B, G>>>,
        },
        Going { #[pin] attempted: Attempted<S, B, Passed<G>> },
    }
}

/// A request that is held back.
struct Held<S, B, G> {
    service: S,
    request: Request<B>,
    gate: Arc<G>,
    back: HeldBack,
}

/// Says that a request was never sent, unless it is let go.
pub(super) struct HeldBack(Option<Attempt>);

impl HeldBack {
    pub(super) fn new(attempt: Attempt) -> Self {
        attempt.hold_back();
        Self(Some(attempt))
    }

    /// Lets it go.
    pub(super) fn release(mut self) -> Attempt {
        self.0.take().expect("held back until now")
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        if let Some(attempt) = self.0.take() {
            attempt.turn_away(Code::Abandoned);
        }
    }
}

impl<S, B, G> ResponseFuture<S, B, G>
where
    S: Service<Request<B>> + Clone,
    G: Gate,
{
    /// It goes now.
    #[inline(always)]
    pub(super) fn now(
        service: &mut S,
        request: Request<B>,
        attempt: Attempt,
        passed: Passed<G>,
    ) -> Self {
        // The guard is there before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, passed);
        let drive = Drive::start(service, request);
        Self { state: State::Going { attempted: Attempted::new(drive, settling) } }
    }

    /// It has to wait.
    pub(super) fn wait(
        service: &mut S,
        request: Request<B>,
        attempt: Attempt,
        gate: Arc<G>,
        turn: G::Turn,
    ) -> Self {
        let clone = service.clone();
        let service = mem::replace(service, clone);
        let held = Held { service, request, gate, back: HeldBack::new(attempt) };
        let (turn, held) = (Box::pin(turn), Some(Box::new(held)));
        Self { state: State::Waiting { turn, held } }
    }

    /// It does not go.
    pub(super) fn rejected(attempt: &Attempt, error: BoxError) -> Self {
        Self { state: State::Going { attempted: Attempted::rejected(attempt, error) } }
    }
}

impl<S, B, R, G> Future for ResponseFuture<S, B, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    G: Gate,
{
    type Output = Result<Response<Body<R, Passed<G>>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let attempted = match state.as_mut().project() {
                StateProjection::Going { attempted } => return attempted.poll(cx),
                StateProjection::Waiting { turn, held } => {
                    let turn = ready!(turn.as_mut().poll_turn(cx));
                    let held = held.take().expect("held until its turn");
                    let Held { service, request, gate, back } = *held;
                    let attempt = back.release();
                    match turn {
                        Ok(held) => {
                            attempt.report(&Event::Waited);
                            let settling = Settling::new(attempt, Passed { gate, held });
                            Attempted::new(Drive::owned(service, request), settling)
                        }
                        Err(error) => Attempted::rejected(&attempt, error),
                    }
                }
            };
            state.set(State::Going { attempted });
        }
    }
}

impl<S, B, G> fmt::Debug for ResponseFuture<S, B, G>
where
    S: Service<Request<B>>,
    G: Gate,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
