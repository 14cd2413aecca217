//! Makes an attempt, and watches its answer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Body, Guard, Settling, reading::Reading};
use crate::{call::Attempt, drive::Drive, error::BoxError};

/// Puts the body of an answer under observation, unless it is already, and the guard at its end.
#[inline(always)]
pub(crate) fn watch<R, G>(response: Response<R>, mut settling: Settling<G>) -> Response<Body<R, G>>
where
    R: http_body::Body,
    G: Guard,
{
    let (mut parts, body) = response.into_parts();
    if settling.attempt().is_over() {
        // Somebody below may have sent the request again, and this is the answer to that.
        if let Some(answered) = parts.extensions.get::<Attempt>() {
            if answered.is_of_the_call_of(settling.attempt()) {
                settling.follow(answered.clone());
            }
        }
    }
    let attempt = settling.attempt();
    let reading = attempt.claim().then(|| {
        let reading = Reading::new(attempt.clone(), parts.status, &parts.headers);
        parts.extensions.insert(attempt.clone());
        Box::new(reading)
    });
    settling.head(&parts);
    Response::from_parts(parts, Body::new(body, reading, settling))
}

pin_project! {
    /// An attempt: the call of the inner service, and what a layer has to give back after it.
    #[must_use = "futures do nothing unless polled"]
    pub struct Attempted<S, B, G>
    where
        S: Service<Request<B>>,
        G: Guard,
    {
        #[pin]
        state: AttemptedState<S, B, G>,
    }
}

pin_project! {
    #[project = AttemptedProjection]
    enum AttemptedState<S, B, G>
    where
        S: Service<Request<B>>,
        G: Guard,
    {
        // In the order in which they are to be dropped.
        Going {
            #[pin]
            drive: Drive<S, Request<B>>,
            settling: Option<Settling<G>>,
        },
        Rejected { error: Option<BoxError> },
    }
}

impl<S, B, G> Attempted<S, B, G>
where
    S: Service<Request<B>>,
    G: Guard,
{
    /// Makes it.
    #[inline(always)]
    pub(crate) fn new(drive: Drive<S, Request<B>>, settling: Settling<G>) -> Self {
        Self { state: AttemptedState::Going { drive, settling: Some(settling) } }
    }

    /// Turns it away.
    pub(crate) fn rejected(attempt: &Attempt, error: BoxError) -> Self {
        attempt.failed(&error);
        Self { state: AttemptedState::Rejected { error: Some(error) } }
    }
}

impl<S, B, R, G> Future for Attempted<S, B, G>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    type Output = Result<Response<Body<R, G>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (drive, settling) = match self.project().state.project() {
            AttemptedProjection::Going { drive, settling } => (drive, settling),
            AttemptedProjection::Rejected { error } => {
                return Poll::Ready(Err(error.take().expect("polled after it was over")));
            }
        };
        let answer = ready!(drive.poll(cx));
        let mut settling = settling.take().expect("polled after it was over");
        Poll::Ready(match answer {
            Ok(response) => Ok(watch(response, settling)),
            Err(error) => {
                let error = error.into();
                settling.attempt().failed(&error);
                settling.settle();
                Err(error)
            }
        })
    }
}

impl<S, B, G> fmt::Debug for Attempted<S, B, G>
where
    S: Service<Request<B>>,
    G: Guard,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempted").finish_non_exhaustive()
    }
}

/// A turn that is waited for: what it brings is held for the time of the attempt.
///
/// Dropped before it comes, it gives its place to the next.
pub trait Turn {
    /// What is held.
    type Guard: Guard;

    /// Comes, or will not come in time.
    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>)
    -> Poll<Result<Self::Guard, BoxError>>;
}

pin_project! {
    /// An attempt that may have to wait for its turn.
    #[must_use = "futures do nothing unless polled"]
    pub struct Gated<S, B, T>
    where
        S: Service<Request<B>>,
        T: Turn,
    {
        #[pin]
        state: GatedState<S, B, T>,
    }
}

pin_project! {
    #[project = GatedProjection]
    enum GatedState<S, B, T>
    where
        S: Service<Request<B>>,
        T: Turn,
    {
        // In boxes, since it is rare, and every layer above would have room for it in its future.
        Waiting {
            turn: Pin<Box<T>>,
            // Dropped after the turn, it says that the request was never sent.
            held: Option<Box<Held<S, B>>>,
        },
        Going { #[pin] attempted: Attempted<S, B, T::Guard> },
    }
}

/// A request that is held back.
struct Held<S, B> {
    service: S,
    request: Request<B>,
    back: HeldBack,
}

/// Says that a request was never sent, unless it is let go.
struct HeldBack(Option<Attempt>);

impl Drop for HeldBack {
    fn drop(&mut self) {
        if let Some(attempt) = self.0.take() {
            attempt.turn_away(battlement_core::Code::Abandoned);
        }
    }
}

impl<S, B, T> Gated<S, B, T>
where
    S: Service<Request<B>>,
    T: Turn,
{
    /// Its turn is now.
    #[inline(always)]
    pub(crate) fn now(
        service: &mut S,
        request: Request<B>,
        attempt: Attempt,
        guard: T::Guard,
    ) -> Self
    where
        S: Clone,
    {
        // The guard is there before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, guard);
        let drive = Drive::start(service, request);
        Self { state: GatedState::Going { attempted: Attempted::new(drive, settling) } }
    }

    /// It has to wait.
    pub(crate) fn wait(service: S, request: Request<B>, attempt: Attempt, turn: T) -> Self {
        let held = Held { service, request, back: HeldBack(Some(attempt)) };
        let (turn, held) = (Box::pin(turn), Some(Box::new(held)));
        Self { state: GatedState::Waiting { turn, held } }
    }

    /// Its turn never comes, or too late.
    pub(crate) fn rejected(attempt: &Attempt, error: BoxError) -> Self {
        Self { state: GatedState::Going { attempted: Attempted::rejected(attempt, error) } }
    }
}

impl<S, B, R, T> Future for Gated<S, B, T>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    T: Turn,
{
    type Output = Result<Response<Body<R, T::Guard>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let attempted = match state.as_mut().project() {
                GatedProjection::Going { attempted } => return attempted.poll(cx),
                GatedProjection::Waiting { turn, held } => {
                    let turn = ready!(turn.as_mut().poll_turn(cx));
                    let held = held.take().expect("held until its turn");
                    let Held { service, request, back: mut held_back } = *held;
                    let attempt = held_back.0.take().expect("held until its turn");
                    match turn {
                        Ok(guard) => {
                            let settling = Settling::new(attempt, guard);
                            Attempted::new(Drive::owned(service, request), settling)
                        }
                        Err(error) => Attempted::rejected(&attempt, error),
                    }
                }
            };
            state.set(GatedState::Going { attempted });
        }
    }
}

impl<S, B, T> fmt::Debug for Gated<S, B, T>
where
    S: Service<Request<B>>,
    T: Turn,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").finish_non_exhaustive()
    }
}
