//! The call, and the way to something less.

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

use super::{
    Body,
    rescue::{Answer, Rescue},
};
use crate::{context::Entry, error::BoxError, hold::is_error, observe::Attempted};

pin_project! {
    /// The future of [`Degrade`](super::Degrade).
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
        First {
            #[pin]
            attempted: Attempted<S, B, Entry>,
            // `None` if nothing is given instead.
            rescue: Option<Rescue<S>>,
        },
        // In a box, as it is rare.
        Failed { future: Pin<Box<dyn Future<Output = Answer<R>> + Send>> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn first(attempted: Attempted<S, B, Entry>, rescue: Option<Rescue<S>>) -> Self {
        Self { state: State::First { attempted, rescue } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: From<Bytes> + Send + 'static,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError> + Send,
{
    type Output = Answer<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let future = match state.as_mut().project() {
                StateProjection::Failed { future } => return future.as_mut().poll(cx),
                StateProjection::First { attempted, rescue } => {
                    let answer = ready!(attempted.poll(cx));
                    let answer = answer.map(|response| response.map(Body::came));
                    let failed = answer.as_ref().map_or(true, is_error);
                    match rescue.take().filter(|_| failed) {
                        Some(rescue) => Box::pin(rescue.weigh::<B, R>(answer)),
                        None => return Poll::Ready(answer),
                    }
                }
            };
            state.set(State::Failed { future });
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
