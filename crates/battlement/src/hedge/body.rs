//! The body of an answer that has won.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::ticket::Ticket;
use crate::{call::Attempt, hold::Held, observe};

/// The body of an answer, unchanged; its beginning may have been read before.
pub struct Body<R: http_body::Body<Data = Bytes>> {
    pub(super) held: Held<observe::Body<R, Ticket>>,
    /// The attempt that was answered.
    pub(super) attempt: Attempt,
}

impl<R> Body<R>
where
    R: http_body::Body<Data = Bytes>,
{
    pub(super) fn new(body: observe::Body<R, Ticket>) -> Self {
        let attempt = body.attempt().clone();
        Self { held: Held::new(body), attempt }
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        Pin::new(&mut self.held).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.held.size_hint()
    }
}

impl<R: http_body::Body<Data = Bytes>> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("held", &self.held).finish_non_exhaustive()
    }
}
