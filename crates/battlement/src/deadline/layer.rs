//! The layer that ends calls.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Body, Exceeded, body::Timer};
use crate::{
    call::{Attempt, Place, Reads},
    clock::now,
    drive::Drive,
    error::BoxError,
    observe::{Settling, watch},
};

/// Ends calls at their deadline; see the [module documentation](super).
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct DeadlineLayer {
    _private: (),
}

impl DeadlineLayer {
    /// There is nothing to set: every call brings its own deadline, from
    /// [`Options`](crate::call::Options) or from its [lane](crate::call::CallLayer::lanes).
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Reads<Enforce<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Enforce { inner })
    }
}

/// Ends calls at their deadline; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Enforce<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Enforce<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Deadline);
        let deadline = attempt.call().deadline();
        if deadline.is_past(now()) {
            let error = Exceeded::at_once(&attempt).into();
            attempt.failed(&error);
            return ResponseFuture { state: State::Rejected { error: Some(error) } };
        }
        let settling = Some(Settling::new(attempt, ()));
        let drive = Drive::start(&mut self.inner, request);
        let timer = Some(Timer::new(deadline.instant()));
        ResponseFuture { state: State::Going { drive, timer, settling } }
    }
}

pin_project! {
    /// A call that has to be answered in time.
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
        // In the order in which they are to be dropped.
        Going {
            #[pin]
            drive: Drive<S, Request<B>>,
            timer: Option<Timer>,
            settling: Option<Settling<()>>,
        },
        Rejected { error: Option<BoxError> },
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const OVER: &str = "polled after it was over";
        let mut state = self.project().state;
        let (drive, timer, settling) = match state.as_mut().project() {
            StateProjection::Going { drive, timer, settling } => (drive, timer, settling),
            StateProjection::Rejected { error } => {
                return Poll::Ready(Err(error.take().expect(OVER)));
            }
        };
        if let Poll::Ready(answer) = drive.poll(cx) {
            let mut settling = settling.take().expect(OVER);
            return Poll::Ready(match answer {
                Ok(response) => {
                    if let Some(answered) = response.extensions().get::<Attempt>() {
                        settling.follow(answered.clone());
                    }
                    let timer = timer.take().expect(OVER);
                    Ok(watch(response, settling).map(|body| Body::new(body, timer)))
                }
                Err(error) => {
                    let error = error.into();
                    settling.attempt().failed(&error);
                    settling.settle();
                    Err(error)
                }
            });
        }
        ready!(timer.as_mut().expect(OVER).poll(cx));
        let mut settling = settling.take().expect(OVER);
        let attempt = settling.attempt().clone();
        attempt.call().expire();
        // Drops what is on its way, which may have been waiting for its turn and say so.
        state.set(State::Rejected { error: None });
        settling.settle();
        Poll::Ready(Err(Exceeded::now(&attempt).into()))
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
