//! The first attempt, and the way to the second.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::context::Dropped;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Body, Entry,
    again::{Again, Answer, may_be_overflow, with},
};
use crate::{error::BoxError, observe::Attempted};

pin_project! {
    /// The future of [`Context`](super::Context).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        R: http_body::Body<Data = Bytes>,
        R::Error: Into<BoxError>,
        R: Unpin,
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
        R::Error: Into<BoxError>,
        R: Unpin,
    {
        First {
            #[pin]
            attempted: Attempted<S, B, Entry>,
            dropped: Option<Dropped>,
            // `None` if it stays the only one. In a box, as it has room for the whole request.
            again: Option<Box<Again<S>>>,
        },
        // In a box, as it is rare.
        Weighing { future: Pin<Box<dyn Future<Output = Answer<R>> + Send>> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    /// An attempt that another one may follow.
    pub(super) fn first(
        attempted: Attempted<S, B, Entry>,
        dropped: Option<Dropped>,
        again: Option<Box<Again<S>>>,
    ) -> Self {
        Self { state: State::First { attempted, dropped, again } }
    }

    /// An attempt that stays the only one.
    pub(super) fn once(attempted: Attempted<S, B, Entry>) -> Self {
        Self::first(attempted, None, None)
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
                StateProjection::Weighing { future } => return future.as_mut().poll(cx),
                StateProjection::First { attempted, dropped, again } => {
                    let answer = ready!(attempted.poll(cx));
                    let answer = answer.map(|response| response.map(Body::new));
                    let dropped = dropped.take();
                    match again.take().filter(|_| may_be_overflow(&answer)) {
                        Some(again) => Box::pin(again.weigh::<B, R>(answer, dropped)),
                        None => {
                            return Poll::Ready(answer.map(|response| with(response, dropped)));
                        }
                    }
                }
            };
            state.set(State::Weighing { future });
        }
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
