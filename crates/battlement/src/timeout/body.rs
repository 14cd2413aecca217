//! Waits for an answer, and no longer than that.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use super::{
    Elapsed,
    clocks::{Clocks, Limit, Patience},
};
use crate::{
    call::Attempt,
    clock::now,
    error::BoxError,
    observe::{self, Attempted},
};

/// Watches one attempt: first its future, then its body.
pub(super) struct Watch {
    attempt: Attempt,
    clocks: Clocks,
    /// Made when there is something to wait for, and then moved on in place. It is boxed so that it can go
    /// from the future to the body, and that the body stays `Unpin`.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    pub(super) fn new(attempt: Attempt, clocks: Clocks) -> Self {
        Self { attempt, clocks, sleep: None }
    }

    /// There is nothing to have at present. Comes when there is no more patience.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Limit>> {
        loop {
            let due = match self.clocks.wait(self.attempt.progress(), now()) {
                Patience::Until(Some(due)) => due.into(),
                Patience::Until(None) => return Poll::Pending,
                Patience::Over(limit) => return Poll::Ready(Some(limit)),
                Patience::Complete => return Poll::Ready(None),
            };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // One that goes off too early is moved on then: most waits are over long before, and to
            // move it is what costs.
            if due < sleep.deadline() || sleep.is_elapsed() {
                sleep.as_mut().reset(due);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// A limit has passed: says so, to all who have to settle something, before anything is dropped.
    fn conclude(&self, limit: Limit) -> BoxError {
        if limit.is_deadline {
            // Says how long somebody wanted to wait, and nothing about the provider.
            self.attempt.call().expire();
        } else {
            self.attempt.overdue(limit.clock);
        }
        Elapsed::new(limit, self.attempt.clone()).into()
    }
}

pin_project! {
    /// The future of [`Timeout`](super::Timeout).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        attempted: Option<Attempted<S, B, ()>>,
        watch: Option<Box<Watch>>,
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn new(attempted: Attempted<S, B, ()>, watch: Watch) -> Self {
        Self { attempted: Some(attempted), watch: Some(Box::new(watch)) }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<Body<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let attempted = this.attempted.as_mut().as_pin_mut().expect("polled after it was over");
        let watch = this.watch.as_mut().expect("polled after it was over");
        match attempted.poll(cx) {
            Poll::Ready(Ok(response)) => {
                let mut watch = this.watch.take().expect("it was there");
                watch.clocks.pass(watch.attempt.progress(), now);
                Poll::Ready(Ok(response.map(|inner| Body { inner: Some(inner), watch })))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match watch.poll(cx) {
                Poll::Ready(Some(limit)) => {
                    let error = watch.conclude(limit);
                    this.attempted.set(None);
                    Poll::Ready(Err(error))
                }
                // Nothing is complete before its head.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
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

pin_project! {
    /// The body of an answer that is not waited for longer than allowed. See the
    /// [module documentation](super).
    pub struct Body<R> {
        // `None` when it was given up.
        #[pin]
        inner: Option<observe::Body<R>>,
        watch: Box<Watch>,
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        // The body before the timer: what is there is passed on, however late it is asked for.
        let limit = match inner.poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    let Watch { clocks, attempt, .. } = &mut **this.watch;
                    clocks.arrived(attempt.progress(), bytes, now);
                }
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
            Poll::Pending => match this.watch.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(limit) => limit,
            },
        };
        let error = limit.map(|limit| this.watch.conclude(limit));
        // Closes the connection, so that the provider stops writing.
        this.inner.set(None);
        Poll::Ready(error.map(Err))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl<R> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("attempt", &self.watch.attempt).finish_non_exhaustive()
    }
}
