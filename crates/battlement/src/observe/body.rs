//! The body of an answer that is read as it passes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use battlement_core::End;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Guard, Settling, reading::Reading};

pin_project! {
    /// The body of an answer, unchanged. See the [module documentation](super).
    pub struct Body<R, G = ()>
    where
        G: Guard,
    {
        // In the order in which they are to be dropped.
        #[pin]
        inner: R,
        reading: Option<Box<Reading>>,
        settling: Settling<G>,
    }
}

impl<R: http_body::Body, G: Guard> Body<R, G> {
    #[inline(always)]
    pub(super) fn new(inner: R, reading: Option<Box<Reading>>, settling: Settling<G>) -> Self {
        Self { inner, reading, settling }
    }

    /// The attempt that the answer belongs to.
    pub fn attempt(&self) -> &crate::call::Attempt {
        self.settling.attempt()
    }
}

/// The body is over: first for who reads it, then for who waits for that.
pub(super) fn end<G: Guard>(
    reading: &mut Option<Box<Reading>>,
    settling: &mut Settling<G>,
    end: End,
) {
    if let Some(mut reading) = reading.take() {
        reading.end(end);
    }
    settling.settle();
}

impl<R, G> http_body::Body for Body<R, G>
where
    R: http_body::Body<Data = Bytes>,
    G: Guard,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(reading), Some(data)) = (this.reading.as_mut(), frame.data_ref()) {
                    reading.feed(data);
                }
                // Who sees that it is over may never ask for more.
                if this.inner.is_end_stream() {
                    end(this.reading, this.settling, End::Eof);
                } else {
                    this.settling.look();
                }
            }
            Some(Err(_)) => end(this.reading, this.settling, End::Broken),
            None => end(this.reading, this.settling, End::Eof),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<R, G: Guard> fmt::Debug for Body<R, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("attempt", self.settling.attempt()).finish_non_exhaustive()
    }
}
