//! An answer that has to be complete in time.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use battlement_core::{FinishClass, Outcome, StreamEnd};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use super::Exceeded;
use crate::{call::Attempt, error::BoxError, observe};

pin_project! {
    /// The body of an answer, until the deadline. See the [module documentation](super).
    pub struct Body<R> {
        // `None` once it was dropped at the deadline.
        #[pin]
        inner: Option<observe::Body<R>>,
        timer: Timer,
        attempt: Attempt,
    }
}

impl<R> Body<R> {
    pub(super) fn new(inner: observe::Body<R>, timer: Timer) -> Self
    where
        R: http_body::Body,
    {
        let attempt = inner.attempt().clone();
        Self { inner: Some(inner), timer, attempt }
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
        if let Poll::Ready(frame) = inner.poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.timer.poll(cx));
        this.attempt.call().expire();
        // Closes the connection, and has the reader say what there was.
        this.inner.set(None);
        if is_complete(this.attempt) {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Err(Exceeded::now(this.attempt).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

/// Whether nothing is missing in the answer but the end of its transport.
fn is_complete(attempt: &Attempt) -> bool {
    attempt.verdict().is_some_and(|verdict| {
        matches!(verdict.outcome, Outcome::Finished(class) if class != FinishClass::Unknown)
            && verdict.stream_end.is_none_or(|end| end == StreamEnd::Clean)
    })
}

impl<R> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// A timer that is set when it is looked at for the first time: what is there at once needs none.
///
/// It is boxed so that it goes from the future to the body as it is, and the body stays `Unpin`.
#[derive(Debug)]
pub(crate) struct Timer {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(crate) fn new(at: Option<Instant>) -> Self {
        Self { at, sleep: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at.into()))).as_mut().poll(cx)
    }
}
