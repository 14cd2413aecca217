//! The call, and the look at its answer.

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
    mend::{Answer, Mend},
};
use crate::{context::Entry, error::BoxError, observe::Attempted};

pin_project! {
    /// The future of [`Repair`](super::Repair).
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
            // `None` if there is nothing to look for. In a box, as it has room for the whole request.
            mend: Option<Box<Mend<S>>>,
        },
        // In a box, as the answer has to be waited for.
        Looking { future: Pin<Box<dyn Future<Output = Answer<R>> + Send>> },
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn first(attempted: Attempted<S, B, Entry>, mend: Option<Box<Mend<S>>>) -> Self {
        Self { state: State::First { attempted, mend } }
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
                StateProjection::Looking { future } => return future.as_mut().poll(cx),
                StateProjection::First { attempted, mend } => {
                    let answer = ready!(attempted.poll(cx));
                    let answer = answer.map(|response| response.map(Body::came));
                    match (answer, mend.take()) {
                        (Ok(response), Some(mend)) if response.status().is_success() => {
                            Box::pin(mend.answer::<B, R>(response))
                        }
                        (answer, _) => return Poll::Ready(answer),
                    }
                }
            };
            state.set(State::Looking { future });
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
