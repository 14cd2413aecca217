//! The first route, and the way on.

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
    Either, Served,
    lease::Lease,
    made::{Answer, Made, passes},
    walk::Walk,
};
use crate::{
    drive::Drive,
    error::BoxError,
    observe::{Settling, watch},
};

pin_project! {
    /// The future of [`Fallback`](super::Fallback).
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
        // The first route, as long as nothing goes wrong. In the order in which they are to be dropped.
        First {
            #[pin]
            drive: Drive<S, Request<B>>,
            settling: Option<Settling<Lease>>,
            served: Option<Served>,
            // `None` if there is nowhere to go. In a box, as it has room for the whole request.
            walk: Option<Box<Walk<S, B>>>,
        },
        // In a box, as it is rare: everything else.
        Elsewhere { future: Pin<Box<dyn Future<Output = Answer<R>> + Send>> },
        Rejected { error: Option<BoxError> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// The first route is on its way.
    #[inline(always)]
    pub(super) fn first(
        drive: Drive<S, Request<B>>,
        settling: Settling<Lease>,
        served: Served,
        walk: Option<Box<Walk<S, B>>>,
    ) -> Self {
        let (settling, served) = (Some(settling), Some(served));
        Self { state: State::First { drive, settling, served, walk } }
    }

    /// It begins somewhere else, or with another request.
    pub(super) fn elsewhere(walk: Walk<S, B>, first: usize) -> Self {
        let future = Box::pin(walk.begin(first));
        Self { state: State::Elsewhere { future } }
    }

    /// It begins nowhere.
    pub(super) fn rejected(error: BoxError) -> Self {
        Self { state: State::Rejected { error: Some(error) } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Answer<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const OVER: &str = "polled after it was over";
        let mut state = self.project().state;
        loop {
            let (made, walk) = match state.as_mut().project() {
                StateProjection::Elsewhere { future } => return future.as_mut().poll(cx),
                StateProjection::Rejected { error } => {
                    return Poll::Ready(Err(error.take().expect(OVER)));
                }
                StateProjection::First { drive, settling, served, walk } => {
                    let answer = ready!(drive.poll(cx));
                    let mut settling = settling.take().expect(OVER);
                    let served = served.take().expect(OVER);
                    let made = match answer {
                        Ok(response) => {
                            let response = watch(response.map(Either::Own), settling);
                            if walk.is_none() || passes(&response) {
                                return Poll::Ready(Ok(served.with(response)));
                            }
                            Made::new(0, response)
                        }
                        Err(error) => {
                            let (error, attempt) = (error.into(), settling.attempt().clone());
                            attempt.failed(&error);
                            settling.settle();
                            if walk.is_none() {
                                return Poll::Ready(Err(error));
                            }
                            Made::failed(0, attempt, error)
                        }
                    };
                    let mut walk = walk.take().expect("whoever has none has returned");
                    walk.trail = served.trail;
                    (made, walk)
                }
            };
            state.set(State::Elsewhere { future: Box::pin(walk.go_on(made)) });
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
